//! Debian's packages, for what a bare machine lacks.

use std::process::Command;

use anyhow::{Context as _, bail};

use crate::run::{run_quietly, run_twice, which};

/// Installs a package of Debian's, or says what to do where that cannot be done.
pub fn apt_install(package: &str) -> anyhow::Result<()> {
    if let Some(advice) = advice(package, is_root(), which("apt-get").is_some()) {
        bail!(advice);
    }
    // A list that cannot be renewed may still be good enough.
    let renewed = run_twice(Command::new("apt-get").args(["update", "-qq"]));
    let installed = run_quietly(
        Command::new("apt-get")
            .args(["install", "--yes", "-qq", "--no-install-recommends", package])
            .env("DEBIAN_FRONTEND", "noninteractive"),
    );
    if installed.is_err() {
        renewed?;
    }
    installed.with_context(|| format!("install {package}"))
}

/// What a person has to do, where this program cannot.
fn advice(package: &str, is_root: bool, has_apt: bool) -> Option<String> {
    match (has_apt, is_root) {
        (true, true) => None,
        (true, false) => Some(format!("`sudo apt-get install {package}`, and run this again")),
        (false, _) => Some(format!("install what Debian calls {package}, and run this again")),
    }
}

/// Whether this process is root.
pub fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|of_this_process| of_this_process.uid() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_root_on_debian_is_not_asked_to_do_it() {
        assert_eq!(advice("npm", true, true), None);
        assert!(advice("npm", false, true).unwrap().contains("sudo apt-get install npm"));
        for is_root in [true, false] {
            assert!(advice("npm", is_root, false).unwrap().contains("what Debian calls npm"));
        }
    }
}
