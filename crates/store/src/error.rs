//! What can go wrong, in words that name no engine.

use std::path::PathBuf;
use std::sync::Arc;
use std::{error, io};

use crate::Domain;

/// The engine's or the system's own account of a failure. Shared, because a failed commit fails every caller in it.
pub type Cause = Arc<dyn error::Error + Send + Sync>;

/// Reading or writing failed. After a failed write, nothing of it is stored.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// No room is left where the data lives.
    #[error("the disk that holds the data is full")]
    Full(#[source] Cause),
    /// What is stored is damaged.
    #[error("the stored data is damaged")]
    Corrupt(#[source] Cause),
    /// The engine or the disk failed in another way.
    #[error("the store failed: {0}")]
    Engine(#[source] Cause),
    /// A stored key or value is not what its table says.
    #[error("a record of table {table} does not have the form this version of Hearth expects: {why}")]
    Malformed {
        /// The table's name.
        table: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The value cannot be written as JSON.
    #[error("a record of table {table} cannot be stored: {why}")]
    Unstorable {
        /// The table's name.
        table: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A write changes one domain; this table belongs to another.
    #[error("table {table} belongs to {belongs}, but the transaction is of {transaction}")]
    OtherDomain {
        /// The table's name.
        table: &'static str,
        /// The table's domain.
        belongs: Domain,
        /// The transaction's domain.
        transaction: Domain,
    },
    /// The closure panicked. It was rolled back; other writes are unharmed.
    #[error("a store transaction panicked: {0}")]
    Panicked(String),
    /// The writer has ended: the store is being closed, or its thread is gone.
    #[error("the store is closed")]
    Closed,
    /// Only an ephemeral store is emptied by [`reset`](crate::Store::reset).
    #[error("only an ephemeral store can be reset")]
    NotEphemeral,
    /// A file of a blob could not be read or written.
    #[error("{action} {}: {source}", path.display())]
    Blob {
        /// What was being done.
        action: &'static str,
        /// To which file or directory.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: Arc<io::Error>,
    },
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseCorrupt, DiskFull, NotADatabase};
        match error.sqlite_error_code() {
            Some(DiskFull) => Self::Full(Arc::new(error)),
            Some(DatabaseCorrupt | NotADatabase) => Self::Corrupt(Arc::new(error)),
            _ => Self::Engine(Arc::new(error)),
        }
    }
}

impl Error {
    pub(crate) fn blob(action: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        let path = path.into();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full(Arc::new(source)),
            _ => Self::Blob { action, path, source: Arc::new(source) },
        }
    }
}

/// The store could not be opened. Nothing in its directory was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another server has it open.
    #[error(
        "{} is in use by another Hearth server{}; stop it, or give this one another data directory",
        directory.display(), pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default()
    )]
    InUse {
        /// The data directory.
        directory: PathBuf,
        /// The other server's process, if it wrote it down.
        pid: Option<u32>,
    },
    /// Written by another version of Hearth.
    #[error(
        "{} has format version {found}, but this Hearth knows only version {known}; use the Hearth that wrote it, \
         or another data directory. Nothing was changed.",
        path.display()
    )]
    UnknownVersion {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// Not a file of Hearth's.
    #[error("{} is not a Hearth database; choose another data directory. Nothing was changed.", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Damaged.
    #[error("{} is damaged ({why}); restore it from a copy, or choose another data directory", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What the engine found.
        why: String,
    },
    /// The engine could not open the file.
    #[error("open {}: {source}", path.display())]
    Engine {
        /// The file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: Cause,
    },
    /// A file or directory could not be read or made.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To which file or directory.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

impl OpenError {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { action, path: path.into(), source }
    }

    pub(crate) fn engine(path: impl Into<PathBuf>, error: rusqlite::Error) -> Self {
        let path = path.into();
        match Error::from(error) {
            Error::Corrupt(why) => Self::Corrupt { path, why: why.to_string() },
            Error::Full(source) | Error::Engine(source) => Self::Engine { path, source },
            other => Self::Engine { path, source: Arc::new(other) },
        }
    }
}
