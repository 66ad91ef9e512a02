//! Installs one SDK: beside its place, and then into its place in one step.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use domain::Family;

use super::lock::Lock;
use super::trees::Tree;
use super::{Installed, Progress, SdkError};
use crate::files;
use crate::interpreter::Interpreter;
use crate::tools::{self, command, reason};

/// Where the SDK's Python is in a sandbox; traces name its files so.
const INSIDE: &str = "/var/runtime/python";

/// One installation's surroundings.
struct Installation<'a> {
    tree: &'static Tree,
    interpreters: &'a [Interpreter],
    path: PathBuf,
    progress: &'a (dyn Fn(Progress) + Send + Sync),
}

/// Makes sure that `tree` is installed, and compiled for `interpreter`.
pub fn ensure(
    tree: &'static Tree,
    interpreter: &Interpreter,
    interpreters: &[Interpreter],
    cache_dir: &Path,
    progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<Installed, SdkError> {
    let path = tree.path(cache_dir);
    let it = Installation { tree, interpreters, path, progress };
    if !it.is_complete(interpreter) {
        let directory = cache_dir.join("sdk");
        std::fs::create_dir_all(&directory).map_err(|source| it.io(&directory, source))?;
        let file = directory.join(format!("{}.lock", tree.name));
        let wait = || progress(Progress::Waiting { what: tree.what });
        let _lock = Lock::take(&file, wait).map_err(|source| it.io(&file, source))?;
        it.complete(interpreter, &directory)?;
    }
    it.describe()
}

impl Installation<'_> {
    fn is_complete(&self, interpreter: &Interpreter) -> bool {
        self.path.is_dir() && compiled_mark(&self.path, interpreter).is_none_or(|mark| mark.exists())
    }

    fn complete(&self, interpreter: &Interpreter, directory: &Path) -> Result<(), SdkError> {
        if !self.path.is_dir() {
            let partial = directory.join(files::partial_name());
            let result = self.install(&partial).and_then(|()| {
                std::fs::rename(&partial, &self.path).map_err(|source| self.io(&self.path, source))
            });
            if result.is_err() {
                // What it says matters more than what cannot be tidied up.
                let _ = std::fs::remove_dir_all(&partial);
            }
            result?;
        }
        if let Some(mark) = compiled_mark(&self.path, interpreter).filter(|mark| !mark.exists()) {
            self.compile(interpreter)?;
            std::fs::write(&mark, "").map_err(|source| self.io(&mark, source))?;
        }
        Ok(())
    }

    fn install(&self, partial: &Path) -> Result<(), SdkError> {
        let Tree { what, tool, advice, .. } = *self.tree;
        let Some(mut command) = self.installer(partial) else {
            return Err(SdkError::NoTool { what, tool, advice });
        };
        (self.progress)(Progress::Installing { what, tool });
        self.check(command.output().map_err(|source| self.io(partial, source))?)
    }

    fn installer(&self, partial: &Path) -> Option<Command> {
        match self.tree.tool {
            "npm" => self.npm(partial),
            _ => self.pip(partial),
        }
    }

    /// Any Python's pip can install for any other: what is chosen is said, and nothing is built.
    fn pip(&self, partial: &Path) -> Option<Command> {
        let has_pip = |interpreter: &&Interpreter| {
            command(&interpreter.executable)
                .args(["-I", "-m", "pip", "--version"])
                .output()
                .is_ok_and(|it| it.status.success())
        };
        let python = self.interpreters.iter().rev().filter(|it| it.family == Family::Python).find(has_pip)?;
        let mut pip = command(&python.executable);
        pip.args([
            "-I",
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-input",
            "--disable-pip-version-check",
            "--no-compile",
        ]);
        pip.arg("--cache-dir").arg(self.path.with_file_name(".pip-cache"));
        pip.args(["--retries", "1", "--timeout", "20", "--only-binary=:all:", "--implementation", "cp"]);
        pip.args(["--python-version", self.tree.python_version, "--target"])
            .arg(partial)
            .args(self.tree.packages);
        Some(pip)
    }

    fn npm(&self, partial: &Path) -> Option<Command> {
        // Not in the user's home: a confined server may not write there.
        let mut npm =
            tools::npm_install(self.interpreters, &self.path.with_file_name(".npm-cache"), partial)?;
        npm.args(self.tree.packages.iter().map(|package| match self.tree.version_below {
            Some(version) => format!("{package}@<{version}"),
            None => (*package).to_owned(),
        }));
        Some(npm)
    }

    /// Sandboxes cannot write next to the sources, and compiling boto3 takes seconds.
    fn compile(&self, interpreter: &Interpreter) -> Result<(), SdkError> {
        let label = format!("Python {}", interpreter.version);
        (self.progress)(Progress::Compiling { what: self.tree.what, interpreter: label });
        let mut compileall = command(&interpreter.executable);
        // No -j: its processes want semaphores in /dev/shm, which a confined server cannot make.
        compileall.args([
            "-I",
            "-m",
            "compileall",
            "-q",
            "--invalidation-mode",
            "unchecked-hash",
            "-d",
            INSIDE,
        ]);
        self.check(compileall.arg(&self.path).output().map_err(|source| self.io(&self.path, source))?)
    }

    fn check(&self, output: Output) -> Result<(), SdkError> {
        if output.status.success() {
            return Ok(());
        }
        let Tree { what, tool, .. } = *self.tree;
        Err(SdkError::ToolFailed { what, tool, reason: reason(&output) })
    }

    fn describe(&self) -> Result<Installed, SdkError> {
        let version = version(self.tree, &self.path).unwrap_or_else(|| "unknown version".to_owned());
        Ok(Installed { what: self.tree.what, version, path: self.path.clone() })
    }

    fn io(&self, path: &Path, source: io::Error) -> SdkError {
        SdkError::Io { what: self.tree.what, path: path.to_owned(), source }
    }
}

/// A file that says that the SDK is compiled for `interpreter`; none if it need not be.
fn compiled_mark(path: &Path, interpreter: &Interpreter) -> Option<PathBuf> {
    let version = interpreter.version;
    (interpreter.family == Family::Python)
        .then(|| path.join(format!(".compiled-{}.{}", version.major, version.minor)))
}

/// The installed version, from what the tool left.
fn version(tree: &Tree, path: &Path) -> Option<String> {
    if tree.tool == "npm" {
        let manifest =
            std::fs::read(path.join("node_modules").join(tree.package).join("package.json")).ok()?;
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).ok()?;
        return Some(manifest["version"].as_str()?.to_owned());
    }
    let start = format!("{}-", tree.package);
    let names = std::fs::read_dir(path).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut versions =
        names.filter_map(|name| Some(name.strip_prefix(&start)?.strip_suffix(".dist-info")?.to_owned()));
    versions.next()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::interpreter::Version;

    /// A Python whose pip and compileall are a script.
    struct FakePython {
        place: tempfile::TempDir,
        interpreter: Interpreter,
    }

    impl FakePython {
        fn new(pip: &str) -> Self {
            let place = tempfile::tempdir().unwrap();
            let executable = place.path().join("python3");
            // Arguments: -I -m <module> …; the target follows --target.
            let script = format!(
                "#!/bin/sh\necho \"$3 $4\" >> {0}/calls\n\
                 [ \"$3 $4\" = \"pip --version\" ] && exit 0\n[ \"$3\" = compileall ] && exit 0\n\
                 while [ \"$1\" != --target ]; do shift; done; target=$2\n{pip}\n",
                place.path().display()
            );
            std::fs::write(&executable, script).unwrap();
            std::fs::set_permissions(&executable, std::fs::Permissions::from_mode(0o755)).unwrap();
            let mut interpreter = Interpreter::named(Family::Python, Version::from((3, 12, 1)));
            interpreter.executable = executable;
            Self { place, interpreter }
        }

        fn ensure(&self) -> Result<Installed, SdkError> {
            let tree = Tree::of(&self.interpreter).unwrap();
            let interpreters = [self.interpreter.clone()];
            ensure(tree, &self.interpreter, &interpreters, &self.place.path().join("cache"), &|_| {})
        }

        fn calls(&self) -> String {
            std::fs::read_to_string(self.place.path().join("calls")).unwrap_or_default()
        }
    }

    const GOOD_PIP: &str = "mkdir -p $target/boto3 $target/boto3-1.44.5.dist-info";

    #[test]
    fn an_sdk_is_installed_once_with_its_version() {
        let python = FakePython::new(GOOD_PIP);
        assert_eq!(python.ensure().unwrap().version, "1.44.5");
        let calls = python.calls();
        assert_eq!(calls, "pip --version\npip install\ncompileall -q\n");
        assert!(python.ensure().unwrap().path.join("boto3").is_dir());
        assert_eq!(python.calls(), calls, "nothing is done twice");
    }

    #[test]
    fn callers_at_the_same_time_share_one_installation() {
        let python = FakePython::new(GOOD_PIP);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| assert_eq!(python.ensure().unwrap().version, "1.44.5"));
            }
        });
        assert_eq!(python.calls().matches("pip install").count(), 1);
    }

    #[test]
    fn a_failed_installation_leaves_nothing_and_says_what_the_tool_said() {
        let python = FakePython::new("mkdir -p $target/boto3; echo 'ERROR: no network' >&2; exit 1");
        let error = python.ensure().unwrap_err().to_string();
        assert!(
            error.contains("boto3 is not installed for functions: pip failed")
                && error.contains("ERROR: no network"),
            "{error}"
        );
        let left: Vec<_> = std::fs::read_dir(python.place.path().join("cache/sdk"))
            .unwrap()
            .map(|it| it.unwrap().file_name())
            .collect();
        assert_eq!(left, ["boto3.lock"]);
    }

    #[test]
    fn without_a_tool_the_error_says_how_to_get_it() {
        let python = FakePython::new(GOOD_PIP);
        let tree = Tree::of(&python.interpreter).unwrap();
        let error =
            ensure(tree, &python.interpreter, &[], &python.place.path().join("cache"), &|_| {}).unwrap_err();
        assert!(matches!(error, SdkError::NoTool { tool: "pip", .. }), "{error}");
        assert!(error.to_string().contains("apt install python3-pip"), "{error}");
    }
}
