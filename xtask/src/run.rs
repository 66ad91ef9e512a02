//! Running other programs, and saying so.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

/// Says what happens next.
pub fn step(what: &str) {
    eprintln!("\n== {what}");
}

/// Runs a program to its end; a status other than success is an error that names it.
pub fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("start {}", describe(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", describe(command));
    }
    Ok(())
}

/// Runs a program quietly; its output is shown only if it fails.
pub fn run_quietly(command: &mut Command) -> anyhow::Result<()> {
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("start {}", describe(command)))?;
    if !output.status.success() {
        eprint!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        bail!("{} ended with {}", describe(command), output.status);
    }
    Ok(())
}

/// Runs a program quietly, and once more if it fails: networks have bad moments.
pub fn run_twice(command: &mut Command) -> anyhow::Result<()> {
    run_quietly(command).or_else(|error| {
        eprintln!("{error:#}; trying once more");
        run_quietly(command)
    })
}

/// The cargo that runs this task, in the workspace.
pub fn cargo(root: &Path) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root);
    // Set for this task's own build; a program built elsewhere must not inherit it.
    for variable in ["CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "CARGO_PKG_VERSION"] {
        cargo.env_remove(variable);
    }
    cargo
}

/// Where a program is, if it is on PATH.
pub fn which(program: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|candidate| candidate.is_file())
}

fn describe(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args()).map(OsStr::to_string_lossy);
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts its runs in a file, and succeeds from the `succeeds`th on.
    fn check(succeeds: usize, runs: usize, is_ok: bool) {
        let place = std::env::temp_dir().join(format!("xtask-run-{}-{succeeds}", std::process::id()));
        let script = format!("echo >> {0}; test $(wc -l < {0}) -ge {succeeds}", place.display());
        let outcome = run_twice(Command::new("sh").args(["-c", &script]));
        let ran = std::fs::read_to_string(&place).unwrap().lines().count();
        std::fs::remove_file(place).unwrap();
        assert_eq!((ran, outcome.is_ok()), (runs, is_ok));
    }

    #[test]
    fn a_second_attempt_is_the_last() {
        check(1, 1, true);
        check(2, 2, true);
        check(3, 2, false);
    }
}
