//! Every identifier and what serves it on this machine.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
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

/// How many candidates are run at a time. They mostly wait for the disk.
const PROBES_AT_A_TIME: usize = 8;

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
    #[error("runtime {runtime} is not served yet: it needs {needs}")]
    NotServed {
        /// What was asked for.
        runtime: Runtime,
        /// What it will take.
        needs: &'static str,
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
        let interpreters = best(find(options));
        for interpreter in interpreters.values().filter(|interpreter| interpreter.family == Family::Python) {
            clients.compile(interpreter);
        }
        Ok(Self { policy: options.policy, interpreters, clients, cache_dir })
    }

    /// What serves `runtime`.
    pub fn serve(&self, runtime: Runtime) -> Result<Serving, Unavailable> {
        match table::how(runtime.family()) {
            How::Package => Ok(self.serving(runtime, Fit::Exact, None)),
            How::NotServed { needs } => Err(Unavailable::NotServed { runtime, needs }),
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
        let how = || (language.how_to_get)(runtime.language_version());
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
    let candidates = options.search.candidates();
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

fn probe_all(candidates: VecDeque<(Family, PathBuf)>, timeout: Duration) -> Vec<(PathBuf, Finding)> {
    let threads = candidates.len().min(PROBES_AT_A_TIME);
    let (candidates, findings) = (Mutex::new(candidates), Mutex::new(Vec::new()));
    let work = || {
        while let Some((family, path)) = candidates.lock().expect("nobody panics with it").pop_front() {
            let How::Interpreter(language) = table::how(family) else { continue };
            let finding = probe::probe(family, language, &path, timeout);
            findings.lock().expect("nobody panics with it").push((path, finding));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    findings.into_inner().expect("the threads have ended")
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
