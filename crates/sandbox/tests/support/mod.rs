//! What the tests of real sandboxes share: one launcher per test, programs run to their end.
//!
//! The launcher works in a mount namespace of its own, so nothing is ever mounted in the host's. All groups are
//! below one that limits processes, in case a limit under test does not hold.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::path::Path;
use std::sync::Arc;

use sandbox::net::{NetworkOptions, PolicyOptions};
use sandbox::{Command, Cpu, Exit, Launcher, Limits, Options, Sandbox, Sandboxes, Template, TemplateSpec};
use tokio::io::AsyncReadExt;

sandbox::launcher_in_tests!();

pub const CGROUP: &str = "hearth-sandbox-tests";
/// For everything that all tests together run in sandboxes.
const PROCESSES_MAX: &str = "3000";

pub const LIMITS: Limits = Limits { memory_mib: 256, cpu: Cpu::Full, pids: 64 };

/// A launcher, a directory it may take code from, and a template with the system's programs.
pub struct Fixture {
    pub sandboxes: Sandboxes,
    pub template: Template,
    pub root: tempfile::TempDir,
}

impl Fixture {
    pub async fn new() -> Self {
        Self::with(TemplateSpec::base()).await
    }

    pub async fn with(spec: TemplateSpec) -> Self {
        let root = tempfile::tempdir().unwrap();
        open_to_all(root.path());
        let launcher = Launcher::spawn(options(root.path())).unwrap();
        let sandboxes = launcher.connect(network()).unwrap();
        let template = sandboxes.template(spec).await.unwrap();
        Self { sandboxes, template, root }
    }

    pub async fn sandbox(&self) -> Sandbox {
        self.sandboxes.create(&self.template, LIMITS).await.unwrap()
    }

    /// A code directory with one file.
    pub fn code(&self, name: &str, file: &str, contents: &str) -> std::path::PathBuf {
        let directory = self.root.path().join(name);
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join(file), contents).unwrap();
        open_to_all(&directory);
        directory
    }
}

fn open_to_all(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

pub fn options(root: &Path) -> Options {
    limit_processes();
    Options {
        roots: vec![root.to_owned()],
        storage: Some(root.to_owned()),
        cgroup: CGROUP.into(),
        sandboxes_max: 256,
        ..Options::default()
    }
}

pub fn network() -> NetworkOptions {
    let policy = PolicyOptions { internet: true, endpoint_port: 4566, allow: Vec::new(), deny: Vec::new() };
    NetworkOptions::new(policy, Arc::new(drop))
}

/// Where this machine has v1 groups: elsewhere the sandboxes' own limits must do.
fn limit_processes() {
    let group = Path::new("/sys/fs/cgroup/pids").join(CGROUP);
    if group.parent().is_some_and(|pids| pids.join("tasks").exists())
        && std::fs::create_dir_all(&group).is_ok()
    {
        let _ = std::fs::write(group.join("pids.max"), PROCESSES_MAX);
    }
}

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Runs every test of this binary but the named one again as an ordinary user, where those may make namespaces.
pub fn again_without_root(but: &str) {
    use std::os::unix::process::CommandExt;
    const NOBODY: u32 = 65_534;
    if !is_root() {
        return;
    }
    let as_nobody = |program: &Path| {
        let mut command = std::process::Command::new(program);
        command.uid(NOBODY).gid(NOBODY).current_dir("/");
        command
    };
    if !as_nobody(Path::new("unshare")).args(["--user", "true"]).status().is_ok_and(|status| status.success())
    {
        return;
    }
    // The build directory may be where only its owner can go.
    let place = tempfile::tempdir().unwrap();
    open_to_all(place.path());
    let program = place.path().join("tests");
    // By another process: what other tests start would hold this one's copy open for writing, and it could not be run.
    let copied =
        std::process::Command::new("cp").arg(std::env::current_exe().unwrap()).arg(&program).status();
    assert!(copied.unwrap().success());
    let output = as_nobody(&program).args(["--skip", but]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// What a program said, and how it ended.
#[derive(Debug)]
pub struct Finished {
    pub exit: Exit,
    pub stdout: String,
    pub stderr: String,
}

pub fn command(argv: &[&str]) -> Command {
    Command {
        argv: argv.iter().map(ToString::to_string).collect(),
        env: vec![("PATH".into(), "/usr/bin:/bin".into())],
        cwd: "/tmp".into(),
    }
}

pub async fn run(sandbox: &Sandbox, argv: &[&str]) -> Finished {
    finish(sandbox.start(command(argv)).await.unwrap()).await
}

pub async fn finish(mut process: sandbox::Process) -> Finished {
    let (mut stdout, mut stderr) = (String::new(), String::new());
    let exited = process.exited();
    let (_, _, exit) = tokio::join!(
        process.stdout.read_to_string(&mut stdout),
        process.stderr.read_to_string(&mut stderr),
        exited
    );
    Finished { exit, stdout, stderr }
}

/// Runs a shell script in a sandbox and gives what it printed.
pub async fn sh(sandbox: &Sandbox, script: &str) -> String {
    let finished = run(sandbox, &["/bin/sh", "-c", script]).await;
    format!("{}{}", finished.stdout, finished.stderr)
}

/// Runs a Python program in a sandbox and gives what it printed.
pub async fn python(sandbox: &Sandbox, program: &str) -> Finished {
    run(sandbox, &["/usr/bin/python3", "-I", "-c", program]).await
}
