//! Attempts to break out, each made by a program running as the function would. Each must fail, and the launcher
//! must still make a new sandbox afterwards.

mod support;

use sandbox::{Exit, Limits, Sandbox, Specialisation};
use support::*;
use tokio::io::AsyncReadExt;

/// Runs a Python program whose attempts are calls of `attempt(name, function)`, and gives what each led to.
async fn attempts(sandbox: &Sandbox, program: &str) -> Vec<(String, String)> {
    const PRELUDE: &str = r#"
import ctypes, errno, os, resource, signal, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(*arguments):
    ctypes.set_errno(0)
    result = libc.syscall(*[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments])
    if result < 0:
        raise OSError(ctypes.get_errno(), "")
    return result
def attempt(name, function):
    try:
        result = function()
        print(name, "SUCCEEDED", repr(result)[:200], flush=True)
    except OSError as error:
        print(name, errno.errorcode.get(error.errno, error.errno), flush=True)
    except ValueError as error:
        print(name, "EPERM" if "not allowed" in str(error) else error, flush=True)
"#;
    let finished = python(sandbox, &format!("{PRELUDE}{program}")).await;
    assert_eq!(finished.exit, Exit::Code(0), "{}{}", finished.stdout, finished.stderr);
    let results = finished.stdout.lines().map(|line| {
        let (name, result) = line.split_once(' ').unwrap();
        (name.to_owned(), result.to_owned())
    });
    results.collect()
}

/// Makes the attempts in a specialised sandbox and checks that each ended in one of the errors allowed for it.
async fn check(program: &str, allowed: &[&str], count: usize) {
    let fixture = Fixture::new().await;
    let sandbox = fixture.sandbox().await;
    let task = fixture.code("task", "lambda_function.py", "def handler(event, context): pass");
    sandbox.specialise(Specialisation::of(&task, 64, LIMITS)).await.unwrap();
    let results = attempts(&sandbox, program).await;
    assert_eq!(results.len(), count, "{results:?}");
    for (name, result) in &results {
        assert!(allowed.contains(&result.as_str()), "{name} gave {result}");
    }
    // Nothing of it has hurt the launcher.
    assert_eq!(sh(&fixture.sandbox().await, "echo unharmed").await, "unharmed\n");
}

#[tokio::test]
async fn the_function_is_nobody_with_nothing() {
    let fixture = Fixture::new().await;
    let sandbox = fixture.sandbox().await;
    let status = sh(&sandbox, "cat /proc/self/status; id; ulimit -n; ulimit -c; ulimit -l").await;
    let field = |name: &str| {
        let line = status
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap_or_else(|| panic!("{name} in {status}"));
        line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
    };
    assert_eq!((field("Uid:"), field("Gid:")), ("993 993 993 993".into(), "990 990 990 990".into()));
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
        assert_eq!(field(set), "0000000000000000", "{set}");
    }
    assert_eq!((field("NoNewPrivs:"), field("Seccomp:")), ("1".into(), "2".into()));
    assert!(status.contains("uid=993(sbx_user1051) gid=990(sbx_user1051)"), "{status}");
    assert!(status.ends_with("1024\n0\n64\n"), "{status}");
    if is_root() {
        assert_eq!(field("Groups:"), "");
    }
}

#[tokio::test]
async fn nothing_is_open_but_the_four_descriptors() {
    let fixture = Fixture::new().await;
    let sandbox = fixture.sandbox().await;
    // The fifth is the directory being listed.
    let program = "import os; print(*sorted((int(fd), os.readlink('/proc/self/fd/' + fd).split(':')[0]) for fd in os.listdir('/proc/self/fd') if int(fd) < 4), len(os.listdir('/proc/self/fd')))";
    let open = python(&sandbox, program).await.stdout;
    assert_eq!(open, "(0, '/dev/null') (1, 'pipe') (2, 'pipe') (3, 'socket') 5\n");
    assert_eq!(sh(&sandbox, "echo out > /dev/stdout; echo err > /dev/stderr").await, "out\nerr\n");
}

#[tokio::test]
async fn host_files_are_not_there() {
    let program = r#"
for path in ["/root/.bashrc", "/home/admin", "/etc/shadow", "/etc/ssh", "/etc/ssl/private", "/usr/local/bin", "/var/log", "/var/lib/dpkg",
             "/sys/fs/cgroup", "/sys/kernel", "/boot", "/work", "/dev/sda", "/dev/kvm", "/dev/mem", "/dev/shm/x", "/run/docker.sock",
             "/proc/1/root/", "/proc/1/cwd/", "/proc/self/root/root/.ssh", "/var/task/../../root/.bashrc"]:
    attempt(path, lambda: os.listdir(path) if os.path.isdir(path) else open(path).read())
"#;
    check(program, &["ENOENT", "EACCES"], 21).await;
}

#[tokio::test]
async fn everything_but_tmp_is_read_only() {
    let program = r#"
for path in ["/", "/etc", "/etc/passwd", "/usr/bin", "/usr/lib", "/var/task", "/var/task/lambda_function.py", "/opt", "/var", "/var/runtime",
             "/home", "/mnt", "/run", "/dev"]:
    attempt(path, lambda: open(path if os.path.isfile(path) else path + "/x", "w"))
attempt("remove", lambda: os.unlink("/var/task/lambda_function.py"))
attempt("chmod", lambda: os.chmod("/var/task/lambda_function.py", 0o777))
attempt("rename", lambda: os.rename("/var/task/lambda_function.py", "/var/task/y"))
open("/tmp/x", "w").write("fine")
"#;
    check(program, &["EROFS", "EACCES", "EPERM"], 17).await;
}

#[tokio::test]
async fn process_one_is_out_of_reach() {
    let program = r#"
for name in ["root", "cwd", "exe", "ns/mnt", "ns/user"]:
    attempt(name, lambda: os.readlink("/proc/1/" + name))
for name in ["environ", "mem", "maps", "auxv", "syscall"]:
    attempt(name, lambda: open("/proc/1/" + name, "rb").read(1))
attempt("fd", lambda: os.listdir("/proc/1/fd"))
attempt("kill", lambda: os.kill(1, signal.SIGKILL))
attempt("ptrace", lambda: call(101, 16, 1, 0, 0))
attempt("pidfd_getfd", lambda: call(438, os.pidfd_open(1), 3, 0))
attempt("process_vm_readv", lambda: call(310, 1, 0, 0, 0, 0, 0))
attempt("setpriority", lambda: os.setpriority(os.PRIO_PROCESS, 1, 19))
attempt("prlimit", lambda: resource.prlimit(1, resource.RLIMIT_NOFILE, (1, 1)))
"#;
    if is_root() {
        check(program, &["EACCES", "EPERM"], 17).await;
    }
}

#[tokio::test]
async fn privileged_calls_are_refused() {
    let program = r#"
attempt("mount", lambda: call(165, b"none", b"/tmp", b"tmpfs", 0, None or 0))
attempt("umount", lambda: call(166, b"/var/task", 0))
attempt("umount_lazily", lambda: call(166, b"/proc", 2))
attempt("remount", lambda: call(165, b"none", b"/var/task", b"", 32, 0))
attempt("pivot_root", lambda: call(155, b".", b"."))
attempt("chroot", lambda: os.chroot("/tmp"))
attempt("unshare_user", lambda: call(272, 0x10000000))
attempt("unshare_mount", lambda: call(272, 0x20000))
attempt("clone_user", lambda: call(56, 0x10000000 | 17, 0, 0, 0, 0))
attempt("setns", lambda: call(308, os.open("/proc/self/ns/net", os.O_RDONLY), 0))
attempt("setuid", lambda: os.setuid(0))
attempt("setgid", lambda: os.setgid(0))
attempt("setgroups", lambda: os.setgroups([0]))
attempt("mknod", lambda: os.mknod("/tmp/disk", 0o60666, os.makedev(8, 0)))
attempt("bpf", lambda: call(321, 0, 0, 0))
attempt("perf", lambda: call(298, 0, 0, -1, -1, 0))
attempt("keyctl", lambda: call(250, 0, -3, 0))
attempt("userfaultfd", lambda: call(323, 0))
attempt("open_by_handle", lambda: call(304, -100, 0, 0))
attempt("fsopen", lambda: call(430, b"tmpfs", 0))
attempt("move_mount", lambda: call(429, 3, b"", 3, b"", 0))
attempt("kexec", lambda: call(246, 0, 0, 0, 0))
attempt("reboot", lambda: call(169, 0xfee1dead, 672274793, 0, 0))
attempt("module", lambda: call(175, 0, 0, 0))
attempt("hostname", lambda: socket.sethostname("x"))
attempt("settime", lambda: __import__("time").clock_settime(0, 0))
attempt("raw", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
attempt("packet", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3))
attempt("vsock", lambda: socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM))
attempt("alg", lambda: socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET))
attempt("io_uring", lambda: call(425, 1, 0))
attempt("clone3", lambda: call(435, 0, 0))
attempt("aio", lambda: call(206, 60000, ctypes.byref(ctypes.c_ulong())))
attempt("pair", lambda: call(53, 30, 1, 0, (ctypes.c_int * 2)()))
attempt("realtime", lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)))
attempt("newest", lambda: call(467, 0, 0, 0, 0))
attempt("nofile", lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096)))
attempt("nice", lambda: os.nice(-5))
attempt("sysctl", lambda: open("/proc/sys/kernel/core_pattern", "w"))
attempt("sysrq", lambda: open("/proc/sysrq-trigger", "w"))
attempt("kcore", lambda: open("/proc/kcore", "rb").read(1))
"#;
    let refused = ["EPERM", "EACCES", "EINVAL", "ENOSYS", "EAFNOSUPPORT", "EROFS", "ENOENT"];
    if cfg!(target_arch = "x86_64") {
        check(program, &refused, 41).await;
    }
}

#[tokio::test]
async fn setuid_programs_gain_nothing() {
    let fixture = Fixture::new().await;
    let sandbox = fixture.sandbox().await;
    let said = sh(&sandbox, "/usr/bin/su -c id </dev/null; echo status $?").await;
    assert!(!said.contains("uid=0"), "{said}");
    assert!(!said.contains("status 0"), "{said}");
}

#[tokio::test]
async fn sandboxes_see_nothing_of_each_other() {
    let fixture = Fixture::new().await;
    let (one, two) = (fixture.sandbox().await, fixture.sandbox().await);
    let secret =
        one.start(command(&["/bin/sh", "-c", "echo secret > /tmp/secret; exec sleep 1000"])).await.unwrap();
    while sh(&one, "cat /tmp/secret 2>/dev/null").await.is_empty() {}
    let seen = sh(&two, "ls /tmp; ls -d /proc/[0-9]* | wc -l; cat /proc/[0-9]*/comm").await;
    assert!(!seen.contains("secret") && !seen.contains("sleep"), "{seen}");
    // Every kill that could be tried from there, tried.
    sh(&two, "for pid in $(seq 2 2000); do [ $pid = $$ ] || kill -9 $pid; done 2>/dev/null; true").await;
    assert_eq!(sh(&one, "cat /tmp/secret").await, "secret\n");
    let namespaces = "for n in user pid mnt net ipc uts; do readlink /proc/self/ns/$n; done";
    let (of_one, of_two) = (sh(&one, namespaces).await, sh(&two, namespaces).await);
    for (one, two) in of_one.lines().zip(of_two.lines()) {
        assert_ne!(one, two);
    }
    assert_eq!(of_one.lines().count(), 6);
    drop(secret);
    if is_root() {
        let maps = (sh(&one, "cat /proc/self/uid_map").await, sh(&two, "cat /proc/self/uid_map").await);
        assert_ne!(maps.0, maps.1, "each sandbox has a host user of its own");
        let outside: Vec<&str> = maps.0.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
        assert!(!outside.contains(&"0"), "host root is in the map: {outside:?}");
    }
}

#[tokio::test]
async fn the_host_cannot_be_reached() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let program = format!(
        r#"
def dial(address):
    s = socket.create_connection((address, {port}), timeout=5)
    if not s.recv(1):
        raise OSError(errno.ECONNRESET, "")
for address in ["127.0.0.1", "169.254.169.254"]:
    attempt(address, lambda: dial(address))
attempt("ipv6", lambda: socket.create_connection(("::1", {port}), timeout=5))
attempt("udp", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 123)))
"#
    );
    let refused = ["ECONNREFUSED", "ECONNRESET", "EPERM", "ENETUNREACH", "EADDRNOTAVAIL", "EHOSTUNREACH"];
    check(&program, &refused, 4).await;
}

/// The kernel lets each user have 128 (`fs.inotify.max_user_instances`): one function must not use up root's.
#[tokio::test]
async fn what_the_kernel_counts_for_each_user_is_not_taken_from_the_host() {
    const ALL: &str = r#"
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
made = 0
while made < 1000 and libc.inotify_init1(0) >= 0:
    made += 1
print(made, os.strerror(ctypes.get_errno()), flush=True)
"#;
    if !is_root() {
        return;
    }
    let fixture = Fixture::new().await;
    let (hog, other) = (fixture.sandbox().await, fixture.sandbox().await);
    let program = format!("{ALL}\nimport time\ntime.sleep(1000)");
    let mut holding = hog.start(command(&["/usr/bin/python3", "-I", "-c", &program])).await.unwrap();
    let mut said = [0; 64];
    assert!(holding.stdout.read(&mut said).await.unwrap() > 0);
    let ours = rustix::fs::inotify::init(rustix::fs::inotify::CreateFlags::CLOEXEC);
    assert!(ours.is_ok(), "{ours:?}, while a function said {}", String::from_utf8_lossy(&said));
    let first = python(&other, ALL).await.stdout;
    assert!(!first.starts_with("0 "), "another function has none left");
}

/// A compromised server may put a link where it may write and name that: it is the target that counts.
#[tokio::test]
async fn the_kernels_file_systems_are_not_shown_through_a_link() {
    let fixture = Fixture::new().await;
    for target in ["/proc", "/sys", "/dev", "/", "/proc/self/root", "/proc/self/ns"] {
        let link = fixture.root.path().join("link");
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink(target, &link).unwrap();
        let refused = fixture.sandboxes.template(sandbox::TemplateSpec::base().bind(&link, "/shown")).await;
        assert!(refused.is_err(), "{target} is shown");
    }
    let link = fixture.root.path().join("link");
    std::fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink("/usr/share", &link).unwrap();
    fixture.sandboxes.template(sandbox::TemplateSpec::base().bind(&link, "/shown")).await.unwrap();
}

#[tokio::test]
async fn a_fork_bomb_runs_into_its_limit() {
    let fixture = Fixture::new().await;
    let sandbox = fixture.sandbox().await;
    let program = r#"
import os, time
made = 0
try:
    while made < 5000:
        if os.fork() == 0:
            time.sleep(1000)
        made += 1
except OSError as error:
    print(error.strerror, made, flush=True)
time.sleep(1000)
"#;
    let mut bomb = sandbox.start(command(&["/usr/bin/python3", "-I", "-c", program])).await.unwrap();
    let mut said = [0; 64];
    let length = bomb.stdout.read(&mut said).await.unwrap();
    let said = String::from_utf8_lossy(&said[..length]);
    // The program itself is one of those allowed.
    assert_eq!(said, format!("Resource temporarily unavailable {}\n", LIMITS.pids - 1));
    if fixture.sandboxes.strength().pids.is_enforced() {
        let another = sandbox.start(command(&["/bin/true"])).await.unwrap_err();
        assert_eq!(
            another.to_string(),
            "start /bin/true: fork: Resource temporarily unavailable (os error 11)"
        );
    }
    sandbox.kill_processes().await.unwrap();
    assert_eq!(sh(&sandbox, "echo $((1+1))").await, "2\n");
    let program = r#"
while :; do $0 -c "$1" "$0" "$1" & done
"#;
    let mut bomb = command(&["/bin/sh", "-c", program, "/bin/sh"]);
    bomb.argv.push(program.into());
    let _bomb = sandbox.start(bomb).await.unwrap();
    assert_eq!(sh(&fixture.sandbox().await, "echo unharmed").await, "unharmed\n");
    sandbox.destroy().await.unwrap();
}

#[tokio::test]
async fn a_memory_hog_is_killed_and_it_is_known_why() {
    let fixture = Fixture::new().await;
    if !fixture.sandboxes.strength().memory.is_enforced() {
        return;
    }
    let sandbox = fixture.sandbox().await;
    sandbox.set_limits(&Limits { memory_mib: 128, ..LIMITS }).unwrap();
    let finished = python(&sandbox, "held = []\nwhile True: held.append(bytearray(1 << 20))").await;
    assert_eq!(finished.exit, Exit::Signal(9));
    let stats = sandbox.stats().unwrap();
    assert_eq!(stats.oom_kills, 1);
    assert!(stats.memory_bytes_max.unwrap() <= 128 << 20, "{stats:?}");
    assert_eq!(sh(&sandbox, "echo again").await, "again\n");
}

#[tokio::test]
async fn a_disk_filler_fills_its_own_tmp() {
    let fixture = Fixture::new().await;
    let sandbox = fixture.sandbox().await;
    let task = fixture.code("task", "a", "");
    sandbox.specialise(Specialisation::of(&task, 32, LIMITS)).await.unwrap();
    let said = sh(&sandbox, "head -c 100000000 /dev/zero > /tmp/big; stat -c %s /tmp/big").await;
    assert!(said.contains("No space left on device"), "{said}");
    let written: u64 = said.lines().find_map(|line| line.parse().ok()).unwrap();
    // A file system on the disk takes a few blocks for itself.
    assert!(written <= 32 << 20 && written > 31 << 20, "{said}");
}

#[tokio::test]
async fn what_is_in_tmp_on_the_disk_is_not_a_functions_memory() {
    let fixture = Fixture::new().await;
    if !fixture.sandboxes.strength().storage.is_enforced()
        || !fixture.sandboxes.strength().memory.is_enforced()
    {
        return;
    }
    let sandbox = fixture.sandbox().await;
    let task = fixture.code("task", "a", "");
    let limits = Limits { memory_mib: 64, ..LIMITS };
    sandbox.specialise(Specialisation::of(&task, 300, limits)).await.unwrap();
    let said =
        sh(&sandbox, "head -c 250000000 /dev/zero > /tmp/big && md5sum < /tmp/big && rm /tmp/big && ls /tmp")
            .await;
    assert_eq!(said.trim(), "baaf2996f8ca65ca61ff9c00457ef08b  -");
    assert_eq!(sandbox.stats().unwrap().oom_kills, 0);
}

#[tokio::test]
async fn many_files_are_many_files_only() {
    let fixture = Fixture::new().await;
    let sandbox = fixture.sandbox().await;
    let program = "import os, errno\nn = 0\ntry:\n  while n < 2000000:\n    os.mkdir(f'/tmp/{n}'); n += 1\nexcept OSError as e: print(errno.errorcode[e.errno])";
    let finished = python(&sandbox, program).await;
    assert!(finished.stdout == "ENOSPC\n" || finished.exit == Exit::Signal(9), "{finished:?}");
    assert_eq!(sh(&fixture.sandbox().await, "echo unharmed").await, "unharmed\n");
}

#[test]
fn all_of_this_holds_without_root() {
    again_without_root("all_of_this_holds_without_root");
}
