//! `cargo xtask test`: everything that must be true, on a machine that has only what the README says.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};

use crate::install::{apt_install, is_root};
use crate::ric;
use crate::run::{cargo, run, run_quietly, run_twice, step, which};

/// Run the tests; the first time, install what they need into target/test-env.
#[derive(Args)]
pub struct Test {
    /// One part only
    #[arg(long, value_enum)]
    only: Option<Part>,

    /// Passed on to the test runner: a name to filter by, for example
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    more: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Pure logic and services, in Rust
    Unit,
    /// Sandboxes and the engine on this machine's kernel, in Rust
    Sandbox,
    /// The real binary through the real clients
    E2e,
    /// Kills at any moment
    Crash,
}

/// Whole servers are killed in these; they are a part of their own.
const CRASH_TESTS: &[&str] = &["test_crash.py", "test_crash_async.py", "test_crash_chain.py"];

/// Two at a time, each with a server that its files share: a test waits for its client or its function as long
/// as it works.
const WORKERS: &[&str] = &["--numprocesses=2", "--dist=loadfile"];

impl Test {
    pub fn run(&self, root: &Path) -> anyhow::Result<()> {
        let mut outcome = Outcome::default();
        for part in self.rust_parts() {
            let (title, arguments) = part;
            // Whatever fails, the rest is worth knowing, too.
            outcome.part(title, || {
                run(cargo(root).args(["test", "--quiet", "--no-fail-fast"]).args(arguments).args(&self.more))
            });
        }
        let (e2e, crash) = (self.wants(Part::E2e), self.wants(Part::Crash));
        if e2e || crash {
            let environment = Environment::prepare(root)?;
            let pytest = || environment.pytest(root);
            if e2e {
                let others = CRASH_TESTS.iter().flat_map(|file| ["--ignore", file]);
                outcome
                    .part("end-to-end tests", || run(pytest().args(WORKERS).args(others).args(&self.more)));
            }
            if crash {
                outcome
                    .part("crash tests of the server", || run(pytest().args(CRASH_TESTS).args(&self.more)));
            }
        }
        outcome.tell()
    }

    fn wants(&self, part: Part) -> bool {
        self.only.is_none_or(|only| only == part)
    }

    /// What is tested in Rust: a title, and cargo's arguments.
    fn rust_parts(&self) -> Vec<(&'static str, &'static [&'static str])> {
        const INTEGRATION: &str = "--test=*";
        match self.only {
            // One call, because other packages with other features would build the dependencies once more.
            None => vec![(
                "unit, sandbox and crash tests in Rust",
                &["--workspace", "--lib", "--bins", INTEGRATION],
            )],
            Some(Part::Unit) => vec![
                ("unit tests", &["--workspace", "--lib", "--bins"]),
                ("tests of the protocols", &["--package=wire", INTEGRATION]),
            ],
            Some(Part::Sandbox) => vec![(
                "sandbox tests",
                &["--package=sandbox", "--package=engine", "--package=runtimes", INTEGRATION],
            )],
            Some(Part::Crash) => vec![("crash tests of the store", &["--package=store", INTEGRATION])],
            Some(Part::E2e) => vec![],
        }
    }
}

/// How each part went, to be told at the end of all of them.
#[derive(Default)]
struct Outcome {
    parts: Vec<(&'static str, Duration, anyhow::Result<()>)>,
}

impl Outcome {
    fn part(&mut self, title: &'static str, test: impl FnOnce() -> anyhow::Result<()>) {
        step(title);
        let started = Instant::now();
        let result = test();
        self.parts.push((title, started.elapsed(), result));
    }

    fn tell(self) -> anyhow::Result<()> {
        step("all parts");
        let mut failed = Vec::new();
        for (title, took, result) in self.parts {
            let word = if result.is_ok() { "passed" } else { "FAILED" };
            eprintln!("{word} in {:4} s: {title}", took.as_secs());
            failed.extend(result.err().map(|error| format!("{title}: {error:#}")));
        }
        if failed.is_empty() {
            return Ok(());
        }
        bail!("{}", failed.join("\n"))
    }
}

/// What the end-to-end tests need beside the repository, under `target/test-env`.
pub struct Environment {
    home: PathBuf,
    hearth: PathBuf,
}

impl Environment {
    /// Builds Hearth as users do, and installs the clients. What is there and unchanged is left alone.
    pub fn prepare(root: &Path) -> anyhow::Result<Self> {
        let home = root.join("target/test-env");
        fs::create_dir_all(&home)?;
        step("building hearth, as a user does");
        run(cargo(root).args(["build", "--release"]))?;
        let environment = Self { home, hearth: root.join("target/release/hearth") };
        let tests = root.join("tests/e2e");
        environment.once("python", &tests.join("requirements.txt"), |at| install_python(at, &tests))?;
        environment.once("node", &tests.join("sdk-js/package.json"), |at| install_node(at, &tests))?;
        install_debian_cli();
        if let Err(error) =
            environment.once("ric", &tests.join("ric-js/package.json"), |at| ric::install(at, &tests))
        {
            eprintln!(
                "AWS's runtime client for Node.js cannot be built, so its tests are skipped: {error:#}"
            );
        }
        build_rust_function(root)?;
        Ok(environment)
    }

    /// Makes a directory by an installer, again only when its list of contents changed.
    fn once(
        &self,
        name: &str,
        list: &Path,
        install: impl FnOnce(&Path) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let wanted = fs::read_to_string(list).with_context(|| format!("read {}", list.display()))?;
        let (at, done) = (self.home.join(name), self.home.join(format!("{name}.installed")));
        if fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) {
            return Ok(());
        }
        step(&format!("installing what the tests need: {name}"));
        if at.exists() {
            fs::remove_dir_all(&at)?;
        }
        install(&at)?;
        fs::write(done, wanted)?;
        Ok(())
    }

    fn pytest(&self, root: &Path) -> Command {
        let mut pytest = Command::new(self.home.join("python/bin/python"));
        pytest
            .args(["-m", "pytest", "-q", "-p", "no:cacheprovider"])
            .current_dir(root.join("tests/e2e"))
            .env("HEARTH_BIN", &self.hearth)
            .env("HEARTH_TEST_AWS_PYPI", self.home.join("python/bin/aws"))
            .env("HEARTH_TEST_NODE_MODULES", self.home.join("node/node_modules"))
            .env("HEARTH_TEST_NODE_RIC", self.home.join("ric/node_modules"))
            .env("HEARTH_TEST_RUST_BOOTSTRAP", self.home.join("rust/release/bootstrap"))
            .env("PYTHONDONTWRITEBYTECODE", "1");
        // A developer's own AWS settings must not reach the tests.
        for variable in
            ["AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"]
        {
            pytest.env_remove(variable);
        }
        pytest
    }
}

/// Builds the custom runtimes that are Rust programs on AWS's own crate, and says where the first is.
pub fn build_rust_function(root: &Path) -> anyhow::Result<PathBuf> {
    step("building the Rust functions");
    let target = root.join("target/test-env/rust");
    run(cargo(root)
        .args(["build", "--release", "--quiet", "--locked"])
        .arg("--manifest-path")
        .arg(root.join("tests/e2e/functions/rust/Cargo.toml"))
        .arg("--target-dir")
        .arg(&target))?;
    Ok(target.join("release/bootstrap"))
}

fn install_python(at: &Path, tests: &Path) -> anyhow::Result<()> {
    let make = |python: &str| run_quietly(Command::new(python).args(["-m", "venv", "--clear"]).arg(at));
    if let Err(error) = make("python3") {
        // Debian keeps venv in a package of its own, which serves Debian's Python and no other.
        apt_install("python3-venv").with_context(|| format!("{error:#}"))?;
        make("/usr/bin/python3")?;
    }
    run_twice(
        Command::new(at.join("bin/python"))
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"])
            .arg(tests.join("requirements.txt")),
    )
    .context("install the Python clients (boto3, the AWS CLI, pytest)")
}

fn install_node(at: &Path, tests: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(at)?;
    fs::copy(tests.join("sdk-js/package.json"), at.join("package.json"))?;
    if which("npm").is_none() {
        // Debian keeps npm apart from Node.js.
        apt_install("npm")?;
    }
    run_twice(Command::new("npm").args(["install", "--no-audit", "--no-fund", "--silent"]).current_dir(at))
        .context("install the AWS SDK for JavaScript")
}

/// Debian's own AWS CLI is one of the clients that people have. Where it cannot be had, its tests are skipped.
fn install_debian_cli() {
    if Path::new("/usr/bin/aws").exists() || which("apt-get").is_none() || !is_root() {
        return;
    }
    step("installing what the tests need: Debian's awscli");
    if let Err(error) = apt_install("awscli") {
        eprintln!("Debian's AWS CLI cannot be installed, so its tests are skipped: {error:#}");
    }
}
