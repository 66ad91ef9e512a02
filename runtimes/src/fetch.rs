//! Fetches an interpreter that the machine lacks from where its family is published: `hearth runtimes get`.
//!
//! What is fetched lies beneath the cache directory, one directory a version, where detection looks, too. It comes
//! there in one step, after it was run and said to be what was asked for.

use std::io;
use std::path::{Path, PathBuf};

use domain::{Family, Runtime};

use crate::catalogue::{self, Catalogue};
use crate::choice::Fit;
use crate::files;
use crate::interpreter::{Interpreter, Version};
use crate::probe::{self, Finding, PROBE_TIMEOUT};
use crate::sdk::lock::Lock;
use crate::table::{self, Language};
use crate::tools;

/// How fetching goes on, for whoever waits for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchProgress {
    /// Another process fetches the same; its work will do.
    Waiting,
    /// It is being fetched.
    Fetching {
        /// The package that has it.
        package: &'static str,
        /// By what.
        tool: &'static str,
    },
    /// It is there and is run for the first time.
    Trying,
}

/// An exact interpreter that is there now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The language.
    pub language: &'static str,
    /// Its version.
    pub version: Version,
    /// The program.
    pub path: PathBuf,
    /// Whether it was there before.
    pub was_there: bool,
}

/// Why an interpreter is not there. The text is for the user.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The family is not published where Hearth could fetch it.
    #[error("{runtime} cannot be fetched: {language} has no such source for {architecture}; {how}")]
    NoSource {
        /// What was asked for.
        runtime: Runtime,
        /// Its language.
        language: &'static str,
        /// The machine's architecture.
        architecture: &'static str,
        /// What to do instead.
        how: String,
    },
    /// There is nothing to fetch for an identifier that no interpreter serves.
    #[error("there is nothing to fetch for {runtime}: {why}")]
    NothingToFetch {
        /// What was asked for.
        runtime: Runtime,
        /// Why.
        why: String,
    },
    /// Nothing on this machine can fetch it.
    #[error(
        "{runtime} is not fetched: there is no npm on this machine; install it, for example with `apt install npm`, or {how}"
    )]
    NoTool {
        /// What was asked for.
        runtime: Runtime,
        /// What to do instead.
        how: String,
    },
    /// The tool failed.
    #[error(
        "{runtime} is not fetched: npm failed ({reason}); check that this machine reaches npm's registry, or {how}"
    )]
    ToolFailed {
        /// What was asked for.
        runtime: Runtime,
        /// What the tool said.
        reason: String,
        /// What to do instead.
        how: String,
    },
    /// It came, and does not run here.
    #[error(
        "{runtime} is not fetched: the program in npm's package {package} does not run on this machine as {runtime} needs it; {how}"
    )]
    Unusable {
        /// What was asked for.
        runtime: Runtime,
        /// What came.
        package: &'static str,
        /// What to do instead.
        how: String,
    },
    /// A file could not be written or read.
    #[error("{runtime} is not fetched: {}", path.display())]
    Io {
        /// What was asked for.
        runtime: Runtime,
        /// Where it happened.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
}

/// Fetches the exact version that `runtime` names, unless the machine has it. Takes as long as the network does.
pub fn fetch(
    catalogue: &Catalogue,
    runtime: Runtime,
    progress: &dyn Fn(FetchProgress),
) -> Result<Fetched, FetchError> {
    let Some(language) = catalogue::language(runtime) else {
        let why = match catalogue.serve(runtime) {
            Ok(_) => "its functions bring their own program".to_owned(),
            Err(unavailable) => unavailable.to_string(),
        };
        return Err(FetchError::NothingToFetch { runtime, why });
    };
    if let Some(there) = exact(catalogue, runtime) {
        return Ok(there.described(language, true));
    }
    let how = (language.how_to_get)(runtime.language_version());
    let architecture = std::env::consts::ARCH;
    let Some(package) = (language.npm_package)(architecture) else {
        return Err(FetchError::NoSource { runtime, language: language.name, architecture, how });
    };
    let directory = directory(runtime.family(), catalogue.cache_dir());
    let fetching = Fetching { runtime, language, package, directory, catalogue, progress };
    fetching.run().map(|found| found.described(language, false))
}

/// Where the programs that were fetched are.
pub fn pattern(family: Family, cache_dir: &Path) -> PathBuf {
    directory(family, cache_dir).join("*/bin").join(program(family))
}

fn directory(family: Family, cache_dir: &Path) -> PathBuf {
    cache_dir.join("interpreters").join(match family {
        Family::Python => "python",
        Family::Node => "nodejs",
        Family::Java => "java",
        Family::Ruby => "ruby",
        Family::DotNet => "dotnet",
        Family::Provided => "provided",
    })
}

fn program(family: Family) -> &'static str {
    match family {
        Family::Python => "python3",
        Family::Node => "node",
        Family::Java => "java",
        Family::Ruby => "ruby",
        Family::DotNet => "dotnet",
        Family::Provided => "bootstrap",
    }
}

fn exact(catalogue: &Catalogue, runtime: Runtime) -> Option<Interpreter> {
    let serving = catalogue.serve(runtime).ok().filter(|serving| serving.fit() == Fit::Exact)?;
    serving.interpreter().cloned()
}

impl Interpreter {
    fn described(self, language: &Language, was_there: bool) -> Fetched {
        Fetched { language: language.name, version: self.version, path: self.executable, was_there }
    }
}

struct Fetching<'a> {
    runtime: Runtime,
    language: &'static Language,
    package: &'static str,
    /// Where the family's versions are.
    directory: PathBuf,
    catalogue: &'a Catalogue,
    progress: &'a dyn Fn(FetchProgress),
}

impl Fetching<'_> {
    fn run(&self) -> Result<Interpreter, FetchError> {
        std::fs::create_dir_all(&self.directory).map_err(|source| self.io(&self.directory, source))?;
        let file = self.directory.join(".lock");
        let _lock = Lock::take(&file, || (self.progress)(FetchProgress::Waiting))
            .map_err(|source| self.io(&file, source))?;
        if let Some(found) = self.fetched_meanwhile() {
            return Ok(found);
        }
        let partial = self.directory.join(files::partial_name());
        let outcome = self.install(&partial);
        // What it says matters more than what cannot be tidied up.
        let _ = std::fs::remove_dir_all(&partial);
        outcome
    }

    /// By the process that was waited for.
    fn fetched_meanwhile(&self) -> Option<Interpreter> {
        let versions = std::fs::read_dir(&self.directory).ok()?;
        let programs =
            versions.filter_map(|it| Some(it.ok()?.path().join("bin").join(program(self.runtime.family()))));
        programs.filter(|program| program.is_file()).find_map(|program| self.tried(&program))
    }

    fn install(&self, partial: &Path) -> Result<Interpreter, FetchError> {
        let family = self.runtime.family();
        let interpreters: Vec<Interpreter> = self.catalogue.interpreters().map(|it| (**it).clone()).collect();
        let npm_cache = self.directory.join(".npm-cache");
        let Some(mut npm) = tools::npm_install(&interpreters, &npm_cache, partial) else {
            return Err(FetchError::NoTool { runtime: self.runtime, how: self.how() });
        };
        (self.progress)(FetchProgress::Fetching { package: self.package, tool: "npm" });
        npm.arg(format!("{}@{}", self.package, self.runtime.language_version()));
        let output = npm.output().map_err(|source| self.io(partial, source))?;
        if !output.status.success() {
            let reason = tools::reason(&output);
            return Err(FetchError::ToolFailed { runtime: self.runtime, reason, how: self.how() });
        }
        (self.progress)(FetchProgress::Trying);
        let package = partial.join("node_modules").join(self.package);
        let unusable =
            || FetchError::Unusable { runtime: self.runtime, package: self.package, how: self.how() };
        let tried = self.tried(&package.join("bin").join(program(family))).ok_or_else(unusable)?;
        // Only the program and its licence: the headers and pages that come along are half of the package.
        let place = partial.join("place");
        self.keep(&package, &place, &format!("bin/{}", program(family)))?;
        if package.join("LICENSE").is_file() {
            self.keep(&package, &place, "LICENSE")?;
        }
        let home = self.directory.join(tried.version.to_string());
        // One that is there and was not found usable is in the way.
        let _ = std::fs::remove_dir_all(&home);
        std::fs::rename(&place, &home).map_err(|source| self.io(&home, source))?;
        let _ = std::fs::remove_dir_all(npm_cache);
        self.tried(&home.join("bin").join(program(family))).ok_or_else(unusable)
    }

    fn keep(&self, from: &Path, to: &Path, name: &str) -> Result<(), FetchError> {
        let target = to.join(name);
        let directory = target.parent().expect("a name beneath a directory has a parent");
        files::create_readable_directory(directory).map_err(|source| self.io(directory, source))?;
        std::fs::rename(from.join(name), &target).map_err(|source| self.io(&target, source))
    }

    /// The program, if it runs and is what was asked for.
    fn tried(&self, program: &Path) -> Option<Interpreter> {
        match probe::probe(self.runtime.family(), self.language, program, PROBE_TIMEOUT) {
            Finding::Interpreter(found) => {
                (table::line(self.runtime) == Some((self.language.line)(found.version))).then_some(found)
            }
            Finding::Nothing | Finding::Silent => None,
        }
    }

    fn how(&self) -> String {
        (self.language.how_to_get)(self.runtime.language_version())
    }

    fn io(&self, path: &Path, source: io::Error) -> FetchError {
        FetchError::Io { runtime: self.runtime, path: path.to_owned(), source }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::candidates::Search;
    use crate::catalogue::{DetectOptions, Policy};

    /// A machine with Node.js 20.1.0 and an npm beside it that is a script.
    struct Machine {
        place: tempfile::TempDir,
        progress: RefCell<Vec<FetchProgress>>,
    }

    impl Machine {
        fn new(npm: Option<&str>) -> Self {
            let place = tempfile::tempdir().unwrap();
            let bin = place.path().join("bin");
            std::fs::create_dir_all(&bin).unwrap();
            script(&bin.join("node"), &answering("20,1,0"));
            if let Some(npm) = npm {
                // The target follows --prefix, the package comes last.
                let start = "while [ $# -gt 1 ]; do [ \"$1\" = --prefix ] && prefix=$2; shift; done\n\
                             wanted=$1 target=$prefix/node_modules/${1%@*}\n";
                script(&bin.join("npm"), &format!("{start}{npm}"));
            }
            Self { place, progress: RefCell::default() }
        }

        fn catalogue(&self) -> Catalogue {
            let root = self.place.path().canonicalize().unwrap();
            Catalogue::detect(&DetectOptions {
                cache_dir: root.join("cache"),
                policy: Policy::Nearest,
                search: Search {
                    path: vec![root.join("bin")],
                    root: root.join("nowhere"),
                    ..Search::default()
                },
                probe_timeout: PROBE_TIMEOUT,
            })
            .unwrap()
        }

        fn fetch(&self, runtime: Runtime) -> Result<Fetched, FetchError> {
            fetch(&self.catalogue(), runtime, &|news| self.progress.borrow_mut().push(news))
        }

        fn kept(&self) -> Vec<String> {
            let directory = self.place.path().join("cache/interpreters/nodejs");
            let names = std::fs::read_dir(directory).unwrap().map(|it| it.unwrap().file_name());
            let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
            names.sort();
            names
        }
    }

    fn script(path: &Path, body: &str) {
        std::fs::write(path, format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn answering(version: &str) -> String {
        format!(
            r#"echo '{{"version":[{version}],"final":true,"implementation":"node","variant":"","executable":"'$0'","prefix":"/","libraries":[],"hidden":[]}}'"#
        )
    }

    fn npm_giving(version: &str) -> String {
        let node = answering(version).replace('$', "\\$");
        format!(
            "mkdir -p $target/bin $target/include\ntouch $target/LICENSE\n\
                 cat > $target/bin/node <<END\n#!/bin/sh\n{node}\nEND\nchmod 755 $target/bin/node"
        )
    }

    #[test]
    fn an_exact_node_is_fetched_once_and_then_found() {
        let machine = Machine::new(Some(&npm_giving("22,9,1")));
        let fetched = machine.fetch(Runtime::Node22).unwrap();
        assert_eq!((fetched.version.to_string().as_str(), fetched.was_there), ("22.9.1", false));
        assert!(fetched.path.ends_with("cache/interpreters/nodejs/22.9.1/bin/node"));
        let package =
            (catalogue::language(Runtime::Node22).unwrap().npm_package)(std::env::consts::ARCH).unwrap();
        let expected = [FetchProgress::Fetching { package, tool: "npm" }, FetchProgress::Trying];
        assert_eq!(machine.progress.borrow()[..], expected);
        assert_eq!(machine.kept(), [".lock", "22.9.1"], "nothing else is left");
        assert!(!machine.place.path().join("cache/interpreters/nodejs/22.9.1/include").exists());
        let serving = machine.catalogue().serve(Runtime::Node22).unwrap();
        assert_eq!((serving.fit(), &serving.interpreter().unwrap().executable), (Fit::Exact, &fetched.path));
        assert!(machine.fetch(Runtime::Node22).unwrap().was_there);
        assert_eq!(machine.progress.borrow().len(), 2, "nothing is done twice");
    }

    #[test]
    fn what_the_machine_has_is_not_fetched() {
        let fetched = Machine::new(None).fetch(Runtime::Node20).unwrap();
        assert_eq!((fetched.version.to_string().as_str(), fetched.was_there), ("20.1.0", true));
    }

    #[test]
    fn what_cannot_be_fetched_says_why_and_what_to_do_and_leaves_nothing() {
        let offline = "echo 'npm error code ENOTFOUND\nnpm error network request failed' >&2; exit 1";
        check_refused(
            Some(offline),
            Runtime::Node22,
            "npm failed (exit status: 1: network request failed); check that",
        );
        check_refused(
            Some(&npm_giving("18,1,0")),
            Runtime::Node22,
            "does not run on this machine as nodejs22.x needs it",
        );
        check_refused(
            Some("mkdir -p $target/bin; echo 'exit 1' > $target/bin/node"),
            Runtime::Node24,
            "does not run",
        );
        check_refused(None, Runtime::Python313, "Python has no such source");
        check_refused(None, Runtime::Python313, "`uv python install 3.13`");
        check_refused(None, Runtime::ProvidedAl2023, "its functions bring their own program");
        check_refused(None, Runtime::DotNet8, "there is nothing to fetch for dotnet8");
    }

    fn check_refused(npm: Option<&str>, runtime: Runtime, why: &str) {
        let machine = Machine::new(npm);
        let error = machine.fetch(runtime).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
        assert!(!error.contains("hearth runtimes get"), "it was just done: {error}");
        if npm.is_some() {
            assert!(machine.kept().iter().all(|name| [".lock", ".npm-cache"].contains(&name.as_str())));
        }
    }
}
