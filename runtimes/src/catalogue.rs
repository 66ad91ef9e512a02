//! Every identifier and what serves it on this machine.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::{Family, Runtime};
use serde::Serialize;

use crate::cache::Cache;
use crate::candidates::Search;
use crate::choice::{self, Fit};
use crate::clients::Clients;
use crate::interpreter::{Interpreter, Version};
use crate::probe::{self, Finding, PROBE_TIMEOUT};
use crate::serving::Serving;
use crate::table::{self, How, Language};

/// How many interpreters are run at a time. They mostly wait for the disk.
const PROCESSES_AT_A_TIME: usize = 8;

/// Whether another version of the family may serve an identifier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// It may, and it is said.
    #[default]
    Nearest,
    /// It may not: `--runtimes exact`.
    Exact,
}

/// How to make a [`Catalogue`].
#[derive(Clone, Debug)]
pub struct DetectOptions {
    /// Where what was found, the runtime clients and the SDKs are kept.
    pub cache_dir: PathBuf,
    /// Whether the nearest version may serve.
    pub policy: Policy,
    /// Where to look.
    pub search: Search,
    /// How long a candidate may take to say what it is.
    pub probe_timeout: Duration,
}

impl DetectOptions {
    /// The whole host, the nearest version allowed.
    pub fn host(cache_dir: PathBuf) -> Self {
        Self { cache_dir, policy: Policy::Nearest, search: Search::host(), probe_timeout: PROBE_TIMEOUT }
    }
}

/// The runtime clients could not be written to the cache directory.
#[derive(Debug, thiserror::Error)]
#[error("write the runtime clients to {}", cache_dir.display())]
pub struct DetectError {
    cache_dir: PathBuf,
    source: io::Error,
}

/// Why an identifier is not served here. The text is for the user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// The family has no place in Hearth yet.
    #[error("runtime {runtime} is not served yet: {advice}")]
    NotServed {
        /// What was asked for.
        runtime: Runtime,
        /// What to do instead.
        advice: &'static str,
    },
    /// There is nothing of the family on this machine.
    #[error(
        "runtime {runtime} is not available on this machine: there is no {language} that can serve it; {how}"
    )]
    Missing {
        /// What was asked for.
        runtime: Runtime,
        /// The language's name.
        language: &'static str,
        /// What to do.
        how: String,
    },
    /// There is only another version, and `--runtimes exact` was asked for.
    #[error(
        "runtime {runtime} is not available on this machine: the nearest {language} is {nearest}, and --runtimes exact refuses it; {how}"
    )]
    OnlyNearest {
        /// What was asked for.
        runtime: Runtime,
        /// The language's name.
        language: &'static str,
        /// What there is.
        nearest: Version,
        /// What to do.
        how: String,
    },
}

/// One line of `hearth runtimes`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The identifier.
    pub runtime: &'static str,
    /// Whether and how it is served.
    pub status: EntryStatus,
    /// The language that serves it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<&'static str>,
    /// The exact version that serves it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The interpreter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// What to know or to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Whether and how an identifier is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryStatus {
    /// By the very version, or by the package itself.
    Exact,
    /// By another version of the family.
    Nearest,
    /// Not on this machine as it is.
    Missing,
    /// Not by this version of Hearth.
    Unsupported,
}

/// Every identifier and what serves it on this machine.
#[derive(Clone, Debug)]
pub struct Catalogue {
    policy: Policy,
    /// The best interpreter of each version.
    interpreters: BTreeMap<(Family, u32), Arc<Interpreter>>,
    clients: Clients,
    cache_dir: PathBuf,
}

impl Catalogue {
    /// Looks for interpreters, running those that are not in the cache, and writes the runtime clients.
    pub fn detect(options: &DetectOptions) -> Result<Self, DetectError> {
        let cache_dir = options.cache_dir.clone();
        let clients = Clients::write(&cache_dir)
            .map_err(|source| DetectError { cache_dir: cache_dir.clone(), source })?;
        let mut interpreters = best(find(options));
        // Without the client a virtual machine serves nothing: it needs one that can compile it, once.
        let javas = interpreters.values().rev().map(Arc::as_ref).filter(|it| it.family == Family::Java);
        if !clients.compile_java(javas) {
            interpreters.retain(|(family, _), _| *family != Family::Java);
        }
        let pythons = interpreters.values().filter(|interpreter| interpreter.family == Family::Python);
        let uncompiled = pythons.filter(|python| !clients.is_compiled(python)).collect();
        in_parallel(uncompiled, |python: &Arc<Interpreter>| clients.compile(python));
        Ok(Self { policy: options.policy, interpreters, clients, cache_dir })
    }

    /// What serves `runtime`.
    pub fn serve(&self, runtime: Runtime) -> Result<Serving, Unavailable> {
        match table::how(runtime.family()) {
            How::Package => Ok(self.serving(runtime, Fit::Exact, None)),
            How::NotServed { advice } => Err(Unavailable::NotServed { runtime, advice }),
            How::Interpreter(language) => self.serve_interpreted(runtime, language),
        }
    }

    fn serve_interpreted(
        &self,
        runtime: Runtime,
        language: &'static Language,
    ) -> Result<Serving, Unavailable> {
        let family = runtime.family();
        let lines = self.interpreters.keys().filter(|(of, _)| *of == family).map(|(_, line)| *line);
        let choice = table::line(runtime).and_then(|wanted| choice::choose(wanted, lines));
        let how = || table::advice(language, runtime);
        let Some((line, fit)) = choice else {
            return Err(Unavailable::Missing { runtime, language: language.name, how: how() });
        };
        let interpreter = &self.interpreters[&(family, line)];
        if fit == Fit::Nearest && self.policy == Policy::Exact {
            let nearest = interpreter.version;
            return Err(Unavailable::OnlyNearest { runtime, language: language.name, nearest, how: how() });
        }
        Ok(self.serving(runtime, fit, Some(Arc::clone(interpreter))))
    }

    fn serving(&self, runtime: Runtime, fit: Fit, interpreter: Option<Arc<Interpreter>>) -> Serving {
        Serving {
            runtime,
            fit,
            interpreter,
            clients: self.clients.clone(),
            cache_dir: self.cache_dir.clone(),
        }
    }

    /// Every identifier, in the order a person would list them, and what serves it.
    pub fn entries(&self) -> Vec<Entry> {
        Runtime::ALL.iter().map(|runtime| self.entry(*runtime)).collect()
    }

    fn entry(&self, runtime: Runtime) -> Entry {
        let language = language(runtime).map(|language| language.name);
        let served = match self.serve(runtime) {
            Ok(serving) => serving,
            Err(unavailable) => {
                let status = match unavailable {
                    Unavailable::NotServed { .. } => EntryStatus::Unsupported,
                    Unavailable::Missing { .. } | Unavailable::OnlyNearest { .. } => EntryStatus::Missing,
                };
                let note = Some(unavailable.to_string());
                return Entry { runtime: runtime.id(), status, language, version: None, path: None, note };
            }
        };
        let status = match served.fit() {
            Fit::Exact => EntryStatus::Exact,
            Fit::Nearest => EntryStatus::Nearest,
        };
        let version = served.interpreter().map(|interpreter| interpreter.version.to_string());
        let path = served.interpreter().map(|interpreter| interpreter.executable.clone());
        Entry { runtime: runtime.id(), status, language, version, path, note: served.notice() }
    }

    /// Where what was found, the runtime clients and the SDKs are kept.
    pub fn cache_dir(&self) -> &Path {
        &self.cache_dir
    }

    /// The best interpreter of each version.
    pub fn interpreters(&self) -> impl Iterator<Item = &Arc<Interpreter>> {
        self.interpreters.values()
    }
}

/// The language of an interpreted runtime.
pub(crate) fn language(runtime: Runtime) -> Option<&'static Language> {
    match table::how(runtime.family()) {
        How::Interpreter(language) => Some(language),
        How::Package | How::NotServed { .. } => None,
    }
}

/// What the host has, in the order of preference.
fn find(options: &DetectOptions) -> Vec<Interpreter> {
    let mut cache = Cache::read(&options.cache_dir);
    let candidates = options.search.candidates(&options.cache_dir);
    let unknown = candidates.iter().filter(|(_, path)| cache.get(path).is_none()).cloned().collect();
    for (path, finding) in probe_all(unknown, options.probe_timeout) {
        cache.put(path, finding);
    }
    cache.write(&options.cache_dir);
    candidates
        .iter()
        .filter_map(|(_, path)| match cache.get(path)? {
            Finding::Interpreter(interpreter) => Some(interpreter),
            Finding::Nothing | Finding::Silent => None,
        })
        .collect()
}

fn probe_all(candidates: Vec<(Family, PathBuf)>, timeout: Duration) -> Vec<(PathBuf, Finding)> {
    in_parallel(candidates, |(family, path)| {
        let How::Interpreter(language) = table::how(family) else { return (path, Finding::Nothing) };
        let finding = probe::probe(family, language, &path, timeout);
        (path, finding)
    })
}

/// Does `work` for each of `items`, some at a time. When it returns, its threads are gone: the server must have only
/// one when it starts the launcher.
fn in_parallel<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let threads = items.len().min(PROCESSES_AT_A_TIME);
    let (items, results) = (Mutex::new(items), Mutex::new(Vec::new()));
    let take = || items.lock().unwrap_or_else(PoisonError::into_inner).pop();
    std::thread::scope(|scope| {
        let worker = || {
            while let Some(item) = take() {
                let result = work(item);
                results.lock().unwrap_or_else(PoisonError::into_inner).push(result);
            }
        };
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        // The scope would wait for their work; joining waits for the threads.
        handles.into_iter().for_each(|handle| handle.join().expect("the work does not panic"));
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// The best of each version: the highest patch, and of equals the first found.
fn best(found: Vec<Interpreter>) -> BTreeMap<(Family, u32), Arc<Interpreter>> {
    let mut best: BTreeMap<(Family, u32), Arc<Interpreter>> = BTreeMap::new();
    for interpreter in found {
        let How::Interpreter(language) = table::how(interpreter.family) else { continue };
        let key = (interpreter.family, (language.line)(interpreter.version));
        if best.get(&key).is_none_or(|known| known.version < interpreter.version) {
            best.insert(key, Arc::new(interpreter));
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A machine with nothing on it but what a test puts there.
    struct Machine {
        place: tempfile::TempDir,
    }

    impl Machine {
        fn new(pythons: &[&str], nodes: &[&str]) -> Self {
            let place = tempfile::tempdir().unwrap();
            let machine = Self { place };
            for version in pythons {
                machine.add(&format!("home/.pyenv/versions/{version}/bin/python3"), "cpython", version);
            }
            for version in nodes {
                machine.add(&format!("home/.nvm/versions/node/v{version}/bin/node"), "node", version);
            }
            machine
        }

        fn add(&self, path: &str, implementation: &str, version: &str) {
            let numbers = version.replace('.', ",");
            let answer = format!(
                r#"{{"version":[{numbers}],"final":true,"implementation":"{implementation}","variant":"","executable":"$0","prefix":"$(dirname $(dirname $0))","libraries":[],"hidden":[]}}"#
            );
            self.script(path, &format!("cat <<END\n{answer}\nEND"));
        }

        fn script(&self, path: &str, body: &str) {
            let file = self.place.path().join(path);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            let runs = self.place.path().join("runs");
            std::fs::write(&file, format!("#!/bin/sh\necho $0 >> {}\n{body}\n", runs.display())).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        }

        fn detect(&self, policy: Policy) -> Catalogue {
            let root = self.place.path().canonicalize().unwrap();
            let search = Search {
                home: Some(root.join("home")),
                path: vec![root.join("shims")],
                root,
                ..Search::default()
            };
            let cache_dir = self.place.path().join("cache");
            Catalogue::detect(&DetectOptions {
                cache_dir,
                policy,
                search,
                probe_timeout: Duration::from_secs(20),
            })
            .unwrap()
        }

        fn runs(&self) -> usize {
            std::fs::read_to_string(self.place.path().join("runs")).unwrap_or_default().lines().count()
        }
    }

    #[test]
    fn each_identifier_is_served_by_its_version_or_by_the_nearest() {
        let catalogue = Machine::new(&["3.9.18", "3.12.1", "3.12.9"], &["20.1.0"]).detect(Policy::Nearest);
        check(&catalogue, "python3.9", "3.9.18", Fit::Exact);
        check(&catalogue, "python3.10", "3.12.9", Fit::Nearest);
        check(&catalogue, "python3.12", "3.12.9", Fit::Exact);
        check(&catalogue, "python3.14", "3.12.9", Fit::Nearest);
        check(&catalogue, "nodejs18.x", "20.1.0", Fit::Nearest);
        check(&catalogue, "nodejs20.x", "20.1.0", Fit::Exact);
    }

    fn check(catalogue: &Catalogue, runtime: &str, version: &str, fit: Fit) {
        let serving = catalogue.serve(runtime.parse().unwrap()).unwrap();
        assert_eq!(
            (serving.interpreter().unwrap().version.to_string().as_str(), serving.fit()),
            (version, fit)
        );
        assert_eq!(serving.notice().is_some(), fit == Fit::Nearest, "{runtime}");
    }

    #[test]
    fn the_nearest_version_is_said_with_how_to_get_the_exact_one() {
        let catalogue = Machine::new(&["3.12.1"], &[]).detect(Policy::Nearest);
        let notice = catalogue.serve(Runtime::Python313).unwrap().notice().unwrap();
        assert_eq!(
            notice,
            "python3.13 is served by Python 3.12.1, the nearest on this machine; for the very version install Python 3.13, \
             for example with `uv python install 3.13` or `pyenv install 3.13`"
        );
    }

    #[test]
    fn what_is_not_served_says_why_and_what_to_do() {
        let machine = Machine::new(&["3.12.1"], &[]);
        let exact = machine.detect(Policy::Exact);
        assert!(exact.serve(Runtime::Python312).is_ok());
        check_refused(
            &exact,
            Runtime::Python311,
            "the nearest Python is 3.12.1, and --runtimes exact refuses it; install Python 3.11",
        );
        check_refused(
            &exact,
            Runtime::Node20,
            "there is no Node.js that can serve it; run `hearth runtimes get nodejs20.x`",
        );
        check_refused(
            &exact,
            Runtime::Java21,
            "there is no Java that can serve it; install a JDK 21 or later, for example with `apt install openjdk-21-jdk-headless`",
        );
        check_refused(&exact, Runtime::Ruby33, "there is no Ruby that can serve it; install Ruby 3.3");
        check_refused(&exact, Runtime::DotNet8, "runtime dotnet8 is not served yet");
    }

    fn check_refused(catalogue: &Catalogue, runtime: Runtime, why: &str) {
        let error = catalogue.serve(runtime).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }

    #[test]
    fn packages_with_their_own_bootstrap_need_nothing_of_the_machine() {
        let catalogue = Machine::new(&[], &[]).detect(Policy::Exact);
        for runtime in [Runtime::ProvidedAl2, Runtime::ProvidedAl2023] {
            let serving = catalogue.serve(runtime).unwrap();
            assert_eq!(serving.bootstraps()[0], "/var/task/bootstrap");
        }
    }

    #[test]
    fn a_shim_that_answers_not_found_is_no_interpreter() {
        let machine = Machine::new(&[], &[]);
        machine.script("shims/python3.12", "echo 'pyenv: python3.12: command not found' >&2; exit 127");
        assert!(machine.detect(Policy::Nearest).serve(Runtime::Python312).is_err());
        assert_eq!(machine.runs(), 1);
    }

    #[test]
    fn candidates_are_run_again_only_when_they_have_changed() {
        let machine = Machine::new(&["3.12.1"], &["20.1.0"]);
        machine.script("shims/python3.11", "exit 127");
        let entries = machine.detect(Policy::Nearest).entries();
        // Compiling the client runs the interpreter as well.
        let runs = machine.runs();
        assert_eq!(runs, 3 + 1);
        assert_eq!(machine.detect(Policy::Nearest).entries(), entries);
        assert_eq!(machine.runs(), runs + 1, "only the client, which this interpreter did not compile");
        machine.add("home/.pyenv/versions/3.12.1/bin/python3", "cpython", "3.13.0");
        check(&machine.detect(Policy::Nearest), "python3.13", "3.13.0", Fit::Exact);
    }

    #[test]
    fn a_cache_that_cannot_be_read_is_made_again() {
        let machine = Machine::new(&["3.12.1"], &[]);
        std::fs::create_dir(machine.place.path().join("cache")).unwrap();
        std::fs::write(machine.place.path().join("cache/interpreters.json"), "{broken").unwrap();
        check(&machine.detect(Policy::Nearest), "python3.12", "3.12.1", Fit::Exact);
    }

    #[test]
    fn every_identifier_is_listed_with_what_serves_it_or_what_to_do() {
        let entries = Machine::new(&["3.12.1"], &[]).detect(Policy::Nearest).entries();
        assert_eq!(entries.len(), Runtime::ALL.len());
        let of = |id: &str| {
            serde_json::to_value(entries.iter().find(|entry| entry.runtime == id).unwrap()).unwrap()
        };
        assert_eq!(of("python3.12")["status"], "exact");
        assert_eq!(of("python3.12")["version"], "3.12.1");
        assert!(of("python3.12")["path"].as_str().unwrap().ends_with("versions/3.12.1/bin/python3"));
        assert_eq!(of("python3.13")["status"], "nearest");
        assert_eq!(of("nodejs20.x")["status"], "missing");
        assert_eq!(of("java21")["status"], "missing");
        assert_eq!(of("dotnet8")["status"], "unsupported");
        assert_eq!(of("provided.al2023")["status"], "exact");
        assert!(entries.iter().all(|entry| entry.note.is_some() == (entry.status != EntryStatus::Exact)));
    }
}
