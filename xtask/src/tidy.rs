//! `cargo xtask tidy`: what a reviewer should not have to look for.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::Value;

use crate::run::cargo;

/// Check crate directions, file sizes, changelog names and stray paths.
#[derive(Args)]
pub struct Tidy {}

/// The level of each crate of ours: a crate may depend only on lower ones.
const LEVELS: &[(&str, u8)] = &[
    ("domain", 0),
    ("clock", 1),
    ("pattern", 1),
    ("policy", 1),
    ("schedule", 1),
    ("wire", 1),
    ("sandbox", 1),
    ("store", 2),
    ("runtimes", 2),
    ("engine", 3),
    ("deliveries", 3),
    ("metrics", 3),
    ("lambda", 4),
    ("iam", 4),
    ("logs", 4),
    ("sqs", 4),
    ("events", 4),
    ("scheduler", 4),
    ("sns", 4),
    ("s3", 4),
    ("sts", 5),
    ("triggers", 5),
    ("server", 6),
    ("cli", 7),
    ("xtask", 8),
];

/// A room has grown too large: is there a wall missing?
const LINES_MAX: usize = 700;

impl Tidy {
    pub fn run(&self, root: &Path) -> anyhow::Result<()> {
        let mut found = directions(root)?;
        for file in tracked(root)? {
            found.extend(look_at(root, &file)?);
        }
        if found.is_empty() {
            return Ok(());
        }
        bail!("{} untidy:\n{}", found.len(), found.join("\n"))
    }
}

fn directions(root: &Path) -> anyhow::Result<Vec<String>> {
    let output = cargo(root).args(["metadata", "--format-version=1", "--no-deps", "--offline"]).output()?;
    let metadata: Value = serde_json::from_slice(&output.stdout).context("understand cargo metadata")?;
    let levels: BTreeMap<&str, u8> = LEVELS.iter().copied().collect();
    let mut found = Vec::new();
    for package in metadata["packages"].as_array().context("cargo metadata lists packages")? {
        let name = package["name"].as_str().unwrap_or_default();
        let Some(level) = levels.get(name) else {
            found.push(format!("crate {name} has no level in xtask/src/tidy.rs"));
            continue;
        };
        let dependencies = package["dependencies"].as_array().into_iter().flatten();
        // A test may look up; the product may not.
        for dependency in dependencies.filter(|dependency| dependency["kind"].is_null()) {
            let to = dependency["name"].as_str().unwrap_or_default();
            if levels.get(to).is_some_and(|below| below >= level) {
                found.push(format!("{name} depends on {to}: arrows only point down (ARCHITECTURE.md)"));
            }
        }
    }
    Ok(found)
}

fn tracked(root: &Path) -> anyhow::Result<Vec<String>> {
    let output = Command::new("git").args(["ls-files", "-z"]).current_dir(root).output()?;
    let names = String::from_utf8(output.stdout).context("file names are UTF-8")?;
    Ok(names.split_terminator('\0').map(str::to_owned).collect())
}

fn look_at(root: &Path, file: &str) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    if let Some(fragment) = file.strip_prefix("changelog.d/").filter(|name| *name != "README.md")
        && ![".added.md", ".changed.md", ".fixed.md"].iter().any(|end| fragment.ends_with(end))
    {
        found.push(format!("{file}: name it <slug>.added.md, .changed.md or .fixed.md"));
    }
    let Ok(text) = std::fs::read_to_string(root.join(file)) else { return Ok(found) };
    let generated = text.starts_with("// @generated");
    if file.ends_with("/shapes.rs") && !generated {
        found.push(format!("{file}: shapes are generated; change models/ and run cargo xtask codegen"));
    }
    if file.ends_with(".rs") && !generated {
        let lines = text.lines().count();
        if lines > LINES_MAX {
            found.push(format!("{file}: {lines} lines; more than {LINES_MAX} want another room"));
        }
        if !is_test(file) && !text.starts_with("//!") && !text.starts_with("#!") {
            found.push(format!("{file}: open with //! and what the module is for"));
        }
    }
    // Written in two parts, so that this file does not find itself.
    for stray in [concat!("/work", "/main"), concat!("/root", "/.")] {
        // An attempt to break out names such paths on purpose.
        if file != "Cargo.lock" && !is_test(file) && text.contains(stray) {
            found.push(format!("{file}: names a path of somebody's machine ({stray})"));
        }
    }
    Ok(found)
}

/// Tests open with what they test; a module that has them in a file of their own says what it is for itself.
fn is_test(file: &str) -> bool {
    file.starts_with("tests/")
        || file.contains("/tests/")
        || file.ends_with("/tests.rs")
        || file.ends_with("_tests.rs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_known_by_their_names() {
        for file in
            ["tests/e2e/test_x.py", "crates/a/tests/b.rs", "crates/a/src/b/tests.rs", "a/src/b_tests.rs"]
        {
            assert!(is_test(file), "{file}");
        }
        for file in ["crates/a/src/b.rs", "xtask/src/test.rs", "crates/a/src/contests.rs"] {
            assert!(!is_test(file), "{file}");
        }
    }
}
