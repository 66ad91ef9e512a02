//! `cargo xtask test`: everything that must be true, on a machine that has only what the README says.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use crate::run::{cargo, run, run_quietly, step, which};

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

impl Test {
    pub fn run(&self, root: &Path) -> anyhow::Result<()> {
        let wants = |part| self.only.is_none_or(|only| only == part);
        if wants(Part::Unit) {
            step("unit tests");
            // Integration tests of the sandbox and the engine have their own part.
            run(cargo(root).args(["test", "--workspace", "--lib", "--bins", "--quiet"]).args(&self.more))?;
        }
        if wants(Part::Sandbox) {
            step("sandbox tests");
            run(cargo(root)
                .args([
                    "test",
                    "--quiet",
                    "--package",
                    "sandbox",
                    "--package",
                    "engine",
                    "--package",
                    "runtimes",
                ])
                .args(["--test", "*"])
                .args(&self.more))?;
        }
        if wants(Part::Crash) {
            step("crash tests of the store");
            run(cargo(root).args(["test", "--quiet", "--package", "store", "--test", "*"]).args(&self.more))?;
        }
        if wants(Part::E2e) || wants(Part::Crash) {
            let environment = Environment::prepare(root)?;
            if wants(Part::E2e) {
                step("end-to-end tests");
                run(environment.pytest(root).args(["--ignore", "test_crash.py"]).args(&self.more))?;
            }
            if wants(Part::Crash) {
                step("crash tests of the server");
                run(environment.pytest(root).arg("test_crash.py").args(&self.more))?;
            }
        }
        Ok(())
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
        install_debian_cli()?;
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

/// Builds the custom runtime that is a Rust program on AWS's own crate, and says where it is.
pub fn build_rust_function(root: &Path) -> anyhow::Result<PathBuf> {
    step("building the Rust function");
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
    let make = |at: &Path| run_quietly(Command::new("python3").args(["-m", "venv"]).arg(at));
    if make(at).is_err() {
        // Debian keeps venv in a package of its own.
        apt_install("python3-venv")?;
        make(at)?;
    }
    run_quietly(
        Command::new(at.join("bin/pip"))
            .args(["install", "--quiet", "--requirement"])
            .arg(tests.join("requirements.txt")),
    )
}

fn install_node(at: &Path, tests: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(at)?;
    fs::copy(tests.join("sdk-js/package.json"), at.join("package.json"))?;
    if which("npm").is_none() {
        // Debian keeps npm apart from Node.js.
        apt_install("npm")?;
    }
    run_quietly(Command::new("npm").args(["install", "--no-audit", "--no-fund", "--silent"]).current_dir(at))
}

/// Debian's own AWS CLI is one of the clients that people have. Elsewhere, or without root, its tests are skipped.
fn install_debian_cli() -> anyhow::Result<()> {
    if Path::new("/usr/bin/aws").exists() || which("apt-get").is_none() || !is_root() {
        return Ok(());
    }
    step("installing what the tests need: Debian's awscli");
    apt_install("awscli")
}

fn apt_install(package: &str) -> anyhow::Result<()> {
    let advice =
        || format!("install {package} (for example with apt-get install {package}) and run this again");
    if !is_root() || which("apt-get").is_none() {
        anyhow::bail!(advice());
    }
    run_quietly(Command::new("apt-get").args(["update", "-qq"])).with_context(advice)?;
    run_quietly(
        Command::new("apt-get")
            .args(["install", "--yes", "-qq", "--no-install-recommends", package])
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
    .with_context(advice)
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata("/proc/self").is_ok_and(|of_this_process| of_this_process.uid() == 0)
}
