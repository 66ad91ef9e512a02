//! The life of a sandbox, from creation to nothing left.

mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use sandbox::{Cpu, Exit, Limits, Specialisation};
use support::*;

#[tokio::test]
async fn a_program_runs_with_its_environment_and_says_its_status() {
    let fixture = Fixture::new().await;
    let sandbox = fixture.sandbox().await;
    let mut command = command(&["/bin/sh", "-c", "echo $GREETING; pwd; echo oops >&2; exit 7"]);
    command.env.push(("GREETING".into(), "hello".into()));
    let finished = finish(sandbox.start(command).await.unwrap()).await;
    assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("hello\n/tmp\n", "oops\n"));
    assert_eq!(finished.exit, Exit::Code(7));
}

#[tokio::test]
async fn a_program_that_is_not_there_cannot_be_started() {
    let fixture = Fixture::new().await;
    let sandbox = fixture.sandbox().await;
    let error = sandbox.start(command(&["/var/task/bootstrap"])).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "start /var/task/bootstrap: execute it: No such file or directory (os error 2)"
    );
    assert!(sandbox.start(command(&["relative"])).await.is_err());
    assert_eq!(sh(&sandbox, "echo still here").await, "still here\n");
}

#[tokio::test]
async fn a_sandbox_becomes_a_functions() {
    let fixture = Fixture::new().await;
    let sandbox = fixture.sandbox().await;
    let (task, opt) = (fixture.code("task", "a.txt", "code"), fixture.code("opt", "b.txt", "layer"));
    let to = Specialisation { opt: Some(opt), ..Specialisation::of(&task, 64, LIMITS) };
    sandbox.specialise(to).await.unwrap();
    assert_eq!(sh(&sandbox, "cat /var/task/a.txt /opt/b.txt").await, "codelayer");
    let size = sh(&sandbox, "df -m --output=size /tmp | tail -n1").await;
    assert_eq!(size.trim(), "64");
    let again = sandbox.specialise(Specialisation::of(&task, 64, LIMITS)).await.unwrap_err();
    assert_eq!(again.to_string(), "the sandbox is already a function's");
}

#[tokio::test]
async fn a_running_program_sees_the_code_that_comes_later() {
    let fixture = Fixture::new().await;
    let sandbox = fixture.sandbox().await;
    let task = fixture.code("task", "a.txt", "later");
    let mut process =
        sandbox.start(command(&["/bin/sh", "-c", "read go <&3; cat /var/task/a.txt"])).await.unwrap();
    sandbox.specialise(Specialisation::of(&task, 64, LIMITS)).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut process.control, b"go\n").await.unwrap();
    assert_eq!(finish(process).await.stdout, "later");
}

#[tokio::test]
async fn code_comes_only_from_below_the_roots() {
    let fixture = Fixture::new().await;
    let sandbox = fixture.sandbox().await;
    std::os::unix::fs::symlink("/etc", fixture.root.path().join("link")).unwrap();
    for path in ["/etc", "/", "relative"] {
        assert!(sandbox.specialise(Specialisation::of(path, 64, LIMITS)).await.is_err(), "{path}");
    }
    for path in ["link", "../..", "absent", "link/ssl"] {
        let path = fixture.root.path().join(path);
        assert!(sandbox.specialise(Specialisation::of(&path, 64, LIMITS)).await.is_err(), "{path:?}");
    }
    let task = fixture.code("task", "a.txt", "fine");
    sandbox.specialise(Specialisation::of(&task, 64, LIMITS)).await.unwrap();
}

#[tokio::test]
async fn killing_the_processes_keeps_tmp_and_allows_another_start() {
    let fixture = Fixture::new().await;
    let sandbox = fixture.sandbox().await;
    let process = sandbox
        .start(command(&["/bin/sh", "-c", "echo kept > /tmp/file; sleep 1000 & sleep 1000"]))
        .await
        .unwrap();
    while sh(&sandbox, "cat /tmp/file 2>/dev/null").await.is_empty() {}
    sandbox.kill_processes().await.unwrap();
    assert_eq!(process.exited().await, Exit::Signal(9));
    assert_eq!(sh(&sandbox, "cat /tmp/file; ls /proc | grep -c '^[0-9]'").await.lines().next(), Some("kept"));
    // Nobody is left but the init and those who look.
    let processes = sh(&sandbox, "for p in /proc/[0-9]*; do cat $p/comm; done").await;
    assert!(!processes.contains("sleep"), "{processes}");
}

#[tokio::test]
async fn several_processes_are_reported_each() {
    let fixture = Fixture::new().await;
    let sandbox = fixture.sandbox().await;
    let long = sandbox.start(command(&["/bin/sleep", "1000"])).await.unwrap();
    for status in 1..4 {
        let short = run(&sandbox, &["/bin/sh", "-c", &format!("exit {status}")]).await;
        assert_eq!(short.exit, Exit::Code(status));
    }
    long.signal(15).await.unwrap();
    assert_eq!(long.exited().await, Exit::Signal(15));
}

#[tokio::test]
async fn a_frozen_sandbox_stands_still_and_goes_on() {
    let fixture = Fixture::new().await;
    if !fixture.sandboxes.strength().freeze.is_enforced() {
        return;
    }
    let sandbox = fixture.sandbox().await;
    let mut process =
        sandbox.start(command(&["/bin/sh", "-c", "while read line <&3; do echo $line; done"])).await.unwrap();
    sandbox.freeze().unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut process.control, b"one\n").await.unwrap();
    let mut buffer = [0; 4];
    let early = tokio::time::timeout(
        Duration::from_millis(100),
        tokio::io::AsyncReadExt::read_exact(&mut process.stdout, &mut buffer),
    );
    assert!(early.await.is_err(), "it answered while frozen");
    sandbox.thaw().unwrap();
    tokio::io::AsyncReadExt::read_exact(&mut process.stdout, &mut buffer).await.unwrap();
    assert_eq!(&buffer, b"one\n");
    sandbox.freeze().unwrap();
    sandbox.destroy().await.unwrap();
    assert_eq!(process.exited().await, Exit::Signal(9));
}

#[tokio::test]
async fn limits_and_statistics_follow_what_is_asked() {
    let fixture = Fixture::new().await;
    let strength = fixture.sandboxes.strength().clone();
    let sandbox = fixture.sandbox().await;
    let spin = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
    sh(&sandbox, spin).await;
    let stats = sandbox.stats().unwrap();
    if strength.cpu.is_enforced() {
        assert!(sandbox.cpu_time().unwrap().unwrap() > Duration::from_millis(20), "{stats:?}");
        sandbox.set_limits(&Limits { cpu: Cpu::Quota(100), ..LIMITS }).unwrap();
        let (before, clock) = (sandbox.cpu_time().unwrap().unwrap(), Instant::now());
        sh(&sandbox, spin).await;
        let used = sandbox.cpu_time().unwrap().unwrap() - before;
        assert!(used.as_secs_f64() / clock.elapsed().as_secs_f64() < 0.2, "a tenth was allowed");
    }
    if strength.memory.is_enforced() {
        assert!(stats.memory_bytes_max.unwrap() > 100 * 1024, "{stats:?}");
        sandbox.reset_memory_max().unwrap();
        assert!(sandbox.stats().unwrap().memory_bytes_max.unwrap() <= stats.memory_bytes_max.unwrap());
    }
    assert!(sandbox.set_limits(&Limits { memory_mib: 0, ..LIMITS }).is_err());
}

#[tokio::test]
async fn sandboxes_come_and_go_leaving_nothing() {
    let fixture = Fixture::new().await;
    let launcher = fixture.sandboxes.launcher_pid().unwrap();
    fixture.sandbox().await.destroy().await.unwrap();
    // Volumes that wait ready are two at most, and may all have been in use or in the making just now.
    let most = descriptors(launcher) + 2;
    for _ in 0..3 {
        let mut made = Vec::new();
        for _ in 0..12 {
            let sandbox = fixture.sandbox().await;
            sandbox.start(command(&["/bin/sleep", "1000"])).await.unwrap();
            made.push(sandbox);
        }
        for sandbox in made {
            sandbox.destroy().await.unwrap();
        }
    }
    // At times one user namespace is being made ahead.
    let deadline = Instant::now() + Duration::from_secs(20);
    while descriptors(launcher) > most || children(launcher) > 0 {
        assert!(Instant::now() < deadline, "{} descriptors, {most} at most", descriptors(launcher));
        tokio::task::yield_now().await;
    }
    assert_eq!(groups(launcher), 0, "sandbox groups are left");
    fixture.sandboxes.shutdown().await;
    assert!(!Path::new(&format!("/proc/{launcher}")).exists());
}

#[tokio::test]
async fn a_dropped_sandbox_is_destroyed() {
    let fixture = Fixture::new().await;
    let launcher = fixture.sandboxes.launcher_pid().unwrap();
    let sandbox = fixture.sandbox().await;
    let process = sandbox.start(command(&["/bin/sleep", "1000"])).await.unwrap();
    drop(sandbox);
    assert_eq!(process.exited().await, Exit::Signal(9));
    // Another creation and destruction come after the drop's.
    fixture.sandbox().await.destroy().await.unwrap();
    assert_eq!(groups(launcher), 0);
}

#[tokio::test]
async fn an_equal_template_is_made_once_and_an_impossible_one_is_refused() {
    let fixture = Fixture::new().await;
    let spec = sandbox::TemplateSpec::base();
    assert_eq!(fixture.sandboxes.template(spec.clone()).await.unwrap(), fixture.template);
    for bad in [
        spec.clone().bind("/absent-on-this-machine", "/x"),
        spec.clone().bind("/usr/bin", "/tmp/x"),
        spec.clone().bind("/proc", "/x"),
        spec.clone().bind("/usr/bin", "relative"),
        spec.clone().bind("/usr/bin", "/a/../b"),
        spec.clone().bind("/usr/share/zoneinfo", "/usr/lib/not-there-on-the-host"),
        spec.clone().file("/lib/through-a-link", "", 0o644),
        spec.clone().file("/setuid", "", 0o4755),
    ] {
        assert!(fixture.sandboxes.template(bad.clone()).await.is_err(), "{:?}", bad.binds.last());
    }
    assert!(!Path::new("/usr/lib/not-there-on-the-host").exists());
    fixture.sandbox().await;
}

#[tokio::test]
async fn the_server_sees_the_runtime_api() {
    let fixture = Fixture::new().await;
    let sandbox = fixture.sandbox().await;
    let listener = sandbox.runtime_api();
    let program =
        "import socket; s = socket.create_connection(('169.254.100.1', 9001)); print(s.recv(5).decode())";
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"hello").await.unwrap();
    });
    assert_eq!(python(&sandbox, program).await.stdout, "hello\n");
    served.await.unwrap();
}

#[tokio::test]
async fn many_requests_at_a_time_are_all_answered() {
    let fixture = Fixture::new().await;
    let task = fixture.code("task", "a.txt", "code");
    let mut making = tokio::task::JoinSet::new();
    for _ in 0..24 {
        let (sandboxes, template, task) = (fixture.sandboxes.clone(), fixture.template.clone(), task.clone());
        making.spawn(async move {
            let sandbox = sandboxes.create(&template, LIMITS).await.unwrap();
            sandbox.specialise(Specialisation::of(task, 64, LIMITS)).await.unwrap();
            let said = sh(&sandbox, "cat /var/task/a.txt").await;
            sandbox.destroy().await.unwrap();
            said
        });
    }
    assert_eq!(making.join_all().await, vec!["code"; 24]);
    assert_eq!(groups(fixture.sandboxes.launcher_pid().unwrap()), 0);
}

#[tokio::test]
async fn a_creation_that_nobody_waits_for_leaves_nothing() {
    let fixture = Fixture::new().await;
    {
        let creation = fixture.sandboxes.create(&fixture.template, LIMITS);
        let _ = tokio::time::timeout(Duration::ZERO, creation).await;
    }
    let launcher = fixture.sandboxes.launcher_pid().unwrap();
    fixture.sandbox().await.destroy().await.unwrap();
    while groups(launcher) > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn code_belongs_to_root_inside() {
    let fixture = Fixture::new().await;
    if !is_root() {
        return;
    }
    let sandbox = fixture.sandbox().await;
    let task = fixture.code("task", "a.txt", "code");
    sandbox.specialise(Specialisation::of(&task, 64, LIMITS)).await.unwrap();
    let owners =
        sh(&sandbox, "stat -c '%u:%g' / /etc/passwd /usr/bin /dev/null /var/task /var/task/a.txt /tmp").await;
    assert_eq!(owners, "0:0\n".repeat(7));
}

#[tokio::test]
async fn ordinary_programs_work_behind_the_filter() {
    let fixture = Fixture::new().await;
    let sandbox = fixture.sandbox().await;
    sandbox.set_limits(&Limits { memory_mib: 1024, ..LIMITS }).unwrap();
    let program = r#"
import asyncio, multiprocessing, os, sqlite3, ssl, subprocess, tempfile, threading, time
thread = threading.Thread(target=lambda: print("thread", flush=True)); thread.start(); thread.join()
print(subprocess.run(["/bin/echo", "child"], capture_output=True, text=True).stdout, end="", flush=True)
async def main():
    child = await asyncio.create_subprocess_exec("/bin/echo", "async child", stdout=asyncio.subprocess.PIPE)
    print((await child.communicate())[0].decode(), end="", flush=True)
asyncio.run(main())
def double(pipe): pipe.send(42)
here, there = multiprocessing.Pipe()
process = multiprocessing.Process(target=double, args=(there,)); process.start(); print(here.recv(), flush=True); process.join()
database = sqlite3.connect(os.path.join(tempfile.mkdtemp(), "db")); database.execute("create table t (a)"); database.commit()
os.memfd_create("x")
print(len(ssl.create_default_context().get_ca_certs()) > 10, len(os.urandom(8)), time.tzname[0], flush=True)
"#;
    let finished = python(&sandbox, program).await;
    assert_eq!(finished.stdout, "thread\nchild\nasync child\n42\nTrue 8 UTC\n", "{}", finished.stderr);
    if Path::new("/usr/bin/node").exists() {
        let program = "const {Worker} = require('worker_threads'); const {execSync} = require('child_process');
            process.stdout.write(execSync('echo child').toString());
            new Worker('require(\"worker_threads\").parentPort.postMessage(42)', {eval: true}).on('message', m => console.log(m));";
        let finished = run(&sandbox, &["/usr/bin/node", "-e", program]).await;
        assert_eq!(finished.stdout, "child\n42\n", "{}", finished.stderr);
    }
}

#[test]
fn all_of_this_holds_without_root() {
    again_without_root("all_of_this_holds_without_root");
}

/// Open descriptors, without those of user namespaces: they are kept for the next sandboxes.
fn descriptors(pid: u32) -> usize {
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let links = open.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    links.filter(|link| !link.to_string_lossy().starts_with("user:")).count()
}

fn children(pid: u32) -> usize {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    children.split_whitespace().count()
}

/// Groups of sandboxes that a launcher has now.
fn groups(launcher: u32) -> usize {
    let trees = std::fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten();
    let ours =
        trees.flat_map(|tree| std::fs::read_dir(tree.path().join(CGROUP)).into_iter().flatten().flatten());
    let own = ours.filter(|base| base.file_name().to_string_lossy().starts_with(&format!("{launcher}-")));
    own.flat_map(|base| std::fs::read_dir(base.path()).unwrap().flatten())
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .count()
}
