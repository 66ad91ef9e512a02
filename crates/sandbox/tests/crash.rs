//! Nothing outlives a server that is killed, and what a killed launcher leaves is swept at the next start.

mod support;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sandbox::Launcher;
use support::*;

/// Not a test of its own: the server that the others kill.
#[tokio::test]
#[ignore = "runs in a process of its own, for the other tests to kill"]
async fn a_server_with_a_busy_sandbox() {
    let fixture = Fixture::new().await;
    let sandbox = fixture.sandbox().await;
    let _process = sandbox.start(command(&["/bin/sleep", "4242"])).await.unwrap();
    sandbox.freeze().unwrap();
    let (launcher, root) = (fixture.sandboxes.launcher_pid().unwrap(), fixture.root.path().display());
    println!("\nlauncher {launcher} {root}");
    std::future::pending::<()>().await;
}

struct Victim {
    server: Child,
    launcher: u32,
    /// The init and the program, seen from the host.
    inside: Vec<u32>,
    groups: Vec<PathBuf>,
    root: PathBuf,
}

impl Victim {
    fn start() -> Self {
        let mut server = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", "a_server_with_a_busy_sandbox"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let line = lines.map_while(Result::ok).find(|line| line.starts_with("launcher ")).unwrap();
        let (launcher, root) = line.strip_prefix("launcher ").unwrap().split_once(' ').unwrap();
        let (launcher, root) = (launcher.parse().unwrap(), PathBuf::from(root));
        let init = children(launcher);
        let inside: Vec<u32> = init.iter().flat_map(|init| children(*init)).chain(init.clone()).collect();
        // At times there is also the holder of a user namespace being made.
        assert!(inside.len() >= 2, "an init and its program");
        let groups = groups(launcher);
        assert!(!is_root() || !groups.is_empty(), "as root there are cgroups to leave behind");
        let disks = loop_devices(&root).len();
        assert!(
            !is_root() || disks > 0 || !Path::new("/dev/loop-control").exists(),
            "as root /tmp is on the disk"
        );
        Self { server, launcher, inside, groups, root }
    }

    fn are_gone(&self) {
        for pid in self.inside.iter().chain([&self.launcher]) {
            eventually(|| ended(*pid), &format!("process {pid} is alive"));
        }
        eventually(|| loop_devices(&self.root).is_empty(), "a loop device is left");
        // Its files had no names; the directory is the test's own.
        let _ = std::fs::remove_dir_all(&self.root);
    }
}

#[test]
fn killing_the_server_ends_everything_and_leaves_nothing() {
    let mut victim = Victim::start();
    victim.server.kill().unwrap();
    victim.server.wait().unwrap();
    victim.are_gone();
    for group in &victim.groups {
        eventually(|| !group.exists(), &format!("{} is left", group.display()));
    }
}

#[test]
fn killing_the_launcher_too_leaves_nothing_after_the_next_start() {
    let mut victim = Victim::start();
    let launcher = rustix::process::Pid::from_raw(victim.launcher.cast_signed()).unwrap();
    rustix::process::kill_process(launcher, rustix::process::Signal::KILL).unwrap();
    eventually(|| ended(victim.launcher), "the launcher is alive");
    let root = tempfile::tempdir().unwrap();
    let next = Launcher::spawn(options(root.path())).unwrap();
    victim.are_gone();
    for group in &victim.groups {
        assert!(!group.exists(), "{} is left", group.display());
    }
    drop(next);
    victim.server.kill().unwrap();
    victim.server.wait().unwrap();
}

impl Drop for Victim {
    fn drop(&mut self) {
        // Already dead unless a test failed.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn children(pid: u32) -> Vec<u32> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    children.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

fn ended(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.is_empty() || stat.contains(") Z ") || stat.contains(") X ")
}

/// Those whose files are below a directory.
fn loop_devices(root: &Path) -> Vec<PathBuf> {
    let devices = std::fs::read_dir("/sys/block").into_iter().flatten().flatten();
    let files = devices.filter_map(|device| {
        std::fs::read_to_string(device.path().join("loop/backing_file")).ok().map(PathBuf::from)
    });
    files.filter(|file| file.starts_with(root)).collect()
}

/// The launcher's directory in each hierarchy.
fn groups(launcher: u32) -> Vec<PathBuf> {
    let trees = std::fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten();
    trees
        .flat_map(|tree| std::fs::read_dir(tree.path().join(CGROUP)).into_iter().flatten().flatten())
        .map(|entry| entry.path())
        .filter(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&format!("{launcher}-")))
        })
        .collect()
}

/// The kernel ends processes when it gets to it.
fn eventually(condition: impl Fn() -> bool, otherwise: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "{otherwise}");
        std::thread::yield_now();
    }
}
