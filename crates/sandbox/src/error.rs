//! What can go wrong with a sandbox, seen from the server.

use std::io;
use std::path::PathBuf;

/// A sandbox operation failed. The sandbox it was about should be destroyed unless the operation was `start`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The launcher process could not be started.
    #[error("start the sandbox launcher: {0}")]
    Spawn(#[source] io::Error),
    /// The launcher ended at once, saying why.
    #[error("the sandbox launcher cannot work here: {0}")]
    Unusable(String),
    /// The launcher is gone; no sandbox lives any more.
    #[error("the sandbox launcher has ended")]
    LauncherGone,
    /// The sandbox died, or was destroyed.
    #[error("the sandbox has ended")]
    SandboxGone,
    /// The launcher or the sandbox's init refused or failed; the sentence names the step and the path.
    #[error("{0}")]
    Refused(String),
    /// A code directory outside every root named at spawn.
    #[error("{0} is not below a directory that the sandbox launcher was told of")]
    OutsideRoots(PathBuf),
    /// A request larger than a message may be.
    #[error("the request is {bytes} bytes, more than the {bytes_max} that fit one message")]
    TooLarge {
        /// What was asked.
        bytes: usize,
        /// What fits.
        bytes_max: usize,
    },
    /// The program could not be started inside the sandbox.
    #[error("start {program}: {step}: {source}")]
    Start {
        /// The program asked for.
        program: String,
        /// The step that failed.
        step: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A cgroup file or a socket failed.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
