//! AWS's runtime client for Node.js, from npm: it brings curl and AWS's C++ client as sources and builds them here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::install::apt_install;
use crate::run::{run_twice, which};

/// What its build starts: a program, and Debian's package of it.
const TOOLS: [(&str, &str); 5] =
    [("cmake", "cmake"), ("make", "make"), ("g++", "g++"), ("xz", "xz-utils"), ("tar", "tar")];

/// Installs and builds it in `at`, in about forty seconds on two cores.
pub fn install(at: &Path, tests: &Path) -> anyhow::Result<()> {
    for (program, package) in TOOLS {
        if which(program).is_none() {
            apt_install(package)?;
        }
    }
    fs::create_dir_all(at)?;
    fs::copy(tests.join("ric-js/package.json"), at.join("package.json"))?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--silent", "--foreground-scripts"]).current_dir(at);
    if let Some(prefix) = node_headers() {
        // What came with this Node.js need not be downloaded.
        npm.env("npm_config_nodedir", prefix);
    }
    run_twice(&mut npm).context("install aws-lambda-ric")?;
    let built = at.join("node_modules/aws-lambda-ric/rapid-client.node");
    ensure!(built.exists(), "npm did not run the scripts that build {}", built.display());
    Ok(())
}

/// The directory that has Node.js's own headers beneath `include/node`, if they are on this machine.
fn node_headers() -> Option<PathBuf> {
    let node = which("node")?.canonicalize().ok()?;
    let prefix = node.parent()?.parent()?;
    prefix.join("include/node/common.gypi").exists().then(|| prefix.to_owned())
}
