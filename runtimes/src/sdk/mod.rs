//! The AWS SDKs that managed runtimes have, as on Lambda: boto3 for Python, the clients of v3 for Node.
//!
//! They are installed once, by the machine's own pip and npm, beneath the cache directory, and shown to functions
//! read-only. Without pip, npm or a network functions run all the same, without an SDK of the runtime's.

mod install;
pub(crate) mod lock;
mod trees;

use std::path::{Path, PathBuf};

use domain::Family;

use crate::catalogue::Catalogue;
use crate::interpreter::Interpreter;
use trees::Tree;

/// How an installation goes on, for whoever waits for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Another process installs the same; its work will do.
    Waiting {
        /// What is installed, such as `boto3`.
        what: &'static str,
    },
    /// It is being installed.
    Installing {
        /// What is installed.
        what: &'static str,
        /// By what.
        tool: &'static str,
    },
    /// It is being compiled for one interpreter.
    Compiling {
        /// What is compiled.
        what: &'static str,
        /// For what.
        interpreter: String,
    },
}

/// An SDK that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// What it is, such as `boto3`.
    pub what: &'static str,
    /// Its version.
    pub version: String,
    /// Where it is.
    pub path: PathBuf,
}

/// Why an SDK is not there. Not fatal: the text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum SdkError {
    /// Nothing on this machine can install it.
    #[error(
        "{what} is not installed for functions: there is no {tool} on this machine; {advice}. Functions run without it, and can bring their own"
    )]
    NoTool {
        /// What is missing.
        what: &'static str,
        /// What would install it.
        tool: &'static str,
        /// How to get the tool.
        advice: &'static str,
    },
    /// The tool failed.
    #[error(
        "{what} is not installed for functions: {tool} failed ({reason}); check that this machine reaches its package index. Functions run without it, and can bring their own"
    )]
    ToolFailed {
        /// What is missing.
        what: &'static str,
        /// What failed.
        tool: &'static str,
        /// The end of what it said.
        reason: String,
    },
    /// A file could not be written or read.
    #[error("{what} is not installed for functions: {}", path.display())]
    Io {
        /// What is missing.
        what: &'static str,
        /// Where it happened.
        path: PathBuf,
        /// What happened.
        source: std::io::Error,
    },
}

/// Installs the SDKs that the interpreters of `family` need, unless they are there. The first caller does the work and
/// the others wait for it, in this process and in others.
///
/// Families without an SDK of their own need none.
pub async fn ensure(
    catalogue: &Catalogue,
    family: Family,
    progress: impl Fn(Progress) + Send + Sync + 'static,
) -> Result<Vec<Installed>, SdkError> {
    let interpreters: Vec<Interpreter> = catalogue
        .interpreters()
        .filter(|interpreter| interpreter.family == family)
        .map(|it| (**it).clone())
        .collect();
    let cache_dir = catalogue.cache_dir().to_owned();
    // Tools are waited for and files are locked: a thread that may block does it.
    let work = tokio::task::spawn_blocking(move || ensure_all(&interpreters, &cache_dir, &progress));
    work.await.expect("the installation does not panic")
}

fn ensure_all(
    interpreters: &[Interpreter],
    cache_dir: &Path,
    progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<Vec<Installed>, SdkError> {
    let mut installed: Vec<Installed> = Vec::new();
    for interpreter in interpreters {
        let Some(tree) = Tree::of(interpreter) else { continue };
        let one = install::ensure(tree, interpreter, interpreters, cache_dir, progress)?;
        if !installed.contains(&one) {
            installed.push(one);
        }
    }
    Ok(installed)
}

/// Where the SDK for `interpreter` is, if it is installed.
pub fn installed(interpreter: &Interpreter, cache_dir: &Path) -> Option<PathBuf> {
    let path = Tree::of(interpreter)?.path(cache_dir);
    path.is_dir().then_some(path)
}
