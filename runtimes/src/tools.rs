//! Other people's installers, run so that what they make can be shown to functions.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use domain::Family;
use rustix::process::{Signal, set_parent_process_death_signal};

use crate::interpreter::Interpreter;

/// How much of what a failing tool said is repeated.
const REASON_CHARS_MAX: usize = 400;

/// `program`, making files that everybody can read whatever the caller's umask: functions run as somebody else.
pub fn command(program: &Path) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "umask 022 && exec \"$0\" \"$@\""]).arg(program);
    command
        .stdin(Stdio::null())
        .env_remove("NODE_OPTIONS")
        .env_remove("PYTHONDONTWRITEBYTECODE")
        .current_dir("/");
    // SAFETY: one system call, which is async-signal-safe.
    unsafe {
        // Whoever waits for it may be killed, and must not leave a download behind that nobody wants.
        command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?));
    }
    command
}

/// npm, about to install into `target` and to run nothing of what it installs; the packages are to be added. None, if
/// there is no npm.
pub fn npm_install(interpreters: &[Interpreter], cache: &Path, target: &Path) -> Option<Command> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let npm = find_npm(interpreters, &path)?;
    // npm is a script that starts `node`: the one it came with.
    let directories = npm.parent().map(Path::to_owned).into_iter().chain(std::env::split_paths(&path));
    let path = std::env::join_paths(directories).ok()?;
    let mut npm = command(&npm);
    npm.env("PATH", path).arg("install").arg("--loglevel=error");
    npm.args(["--no-audit", "--no-fund", "--no-update-notifier", "--ignore-scripts", "--no-save"]);
    npm.arg("--cache").arg(cache);
    npm.args(["--omit=dev", "--no-package-lock", "--fetch-retries=1", "--fetch-timeout=20000", "--prefix"])
        .arg(target);
    Some(npm)
}

fn find_npm(interpreters: &[Interpreter], path: &OsString) -> Option<PathBuf> {
    let nodes = interpreters.iter().rev().filter(|it| it.family == Family::Node);
    let beside = nodes.filter_map(|node| Some(node.executable.parent()?.join("npm")));
    let on_path = std::env::split_paths(path).map(|directory| directory.join("npm"));
    beside.chain(on_path).find(|npm| npm.is_file())
}

/// How a tool ended, and what it said of it: npm's first sentence, others' last line.
pub fn reason(output: &Output) -> String {
    let said = [output.stderr.as_slice(), output.stdout.as_slice()].concat();
    let said = String::from_utf8_lossy(&said);
    let lines = || said.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = lines().find_map(npm_sentence).or_else(|| lines().next_back()).unwrap_or("it said nothing");
    let mut reason: String = line.chars().take(REASON_CHARS_MAX).collect();
    if !output.status.success() {
        reason = format!("{}: {reason}", output.status);
    }
    reason
}

/// npm begins with codes for programs, then says what happened, and ends with where its log is.
fn npm_sentence(line: &str) -> Option<&str> {
    let text = line.strip_prefix("npm error ").or_else(|| line.strip_prefix("npm ERR! "))?;
    let is_code = ["code ", "syscall ", "errno "].iter().any(|code| text.starts_with(code));
    (!is_code).then_some(text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    #[test]
    fn a_tool_ends_with_whoever_waits_for_it() {
        let start = || command(Path::new("/bin/sleep")).arg("600").spawn().unwrap();
        let mut tool = std::thread::spawn(start).join().unwrap();
        assert_eq!(tool.wait().unwrap().signal(), Some(9));
    }

    #[test]
    fn what_a_tool_said_is_told_in_one_line() {
        check("Looking\nERROR: no network\n\n", "exit status: 1: ERROR: no network");
        check("", "exit status: 1: it said nothing");
        check(
            "npm error code ENOTFOUND\nnpm error syscall getaddrinfo\nnpm error errno ENOTFOUND\n\
             npm error network request failed, reason: getaddrinfo ENOTFOUND\nnpm error A complete log is in: log\n",
            "exit status: 1: network request failed, reason: getaddrinfo ENOTFOUND",
        );
    }

    fn check(said: &str, expected: &str) {
        let output = Output { status: ExitStatus::from_raw(256), stdout: Vec::new(), stderr: said.into() };
        assert_eq!(reason(&output), expected);
    }
}
