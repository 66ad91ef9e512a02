//! Deployment packages: which zips are accepted, and where they lie unpacked.
//!
//! [`inspect`] is what a service asks before it stores a zip: it holds AWS's limits and messages, and everything that
//! a hostile zip could try. [`Packages`] unpacks what was accepted, once for each content, into directories that are
//! mounted read-only as `/var/task` and `/opt`. Both read an archive through the same plan, so nothing can be
//! accepted by one and mean something else to the other.
//!
//! Symbolic links. A relative link that stays inside its package is kept, as on Lambda. So is an absolute one into a
//! directory that is the function's own (`/tmp`, `/opt`, `/var/task`, `/mnt`): people link a cache to `/tmp`. Every
//! other link is refused. Links are followed only inside a sandbox, where the host's files do not exist; code that
//! runs on the host never follows a link in a package, and unpacking never writes through one.
//!
//! Duplicate names: the last entry counts, as with `unzip -o`, unless the two are of different kinds.

mod inspect;
mod packages;
mod path;
mod plan;
mod unpack;

#[cfg(test)]
mod hostile;

pub use inspect::{Info, inspect};
pub use packages::{Packages, Source, UnpackError};

use domain::limits::{UNZIPPED_BYTES, ZIP_BYTES};

/// Files, links and directories of a package together, including directories that only its paths imply. Lambda names
/// no such limit; ours bounds memory and inodes, far above the largest `node_modules` that fits 250 MiB.
pub const ENTRIES_MAX: usize = 131_072;

/// Why a package is refused. Displays as AWS's message; what AWS has no message for adds its reason to the nearest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackageError {
    /// The upload is too large. AWS answers 413 `RequestEntityTooLargeException`; every other variant is
    /// `InvalidParameterValueException`.
    #[error("Zipped size must be smaller than {ZIP_BYTES} bytes")]
    ZippedTooLarge,
    /// What is in it is too large, by its own account or in truth.
    #[error("Unzipped size must be smaller than {UNZIPPED_BYTES} bytes")]
    UnzippedTooLarge,
    /// No bytes, or no entries.
    #[error("Uploaded file must be a non-empty zip")]
    Empty,
    /// Not a zip, or a damaged one.
    #[error("Could not unzip uploaded file. Please check your file, then try to upload again.")]
    Unreadable {
        /// What the reader found, for logs.
        reason: String,
    },
    /// A zip that could be unpacked, but must not be.
    #[error(
        "Could not unzip uploaded file. Please check your file, then try to upload again. ({entry:?} {why})"
    )]
    Refused {
        /// The entry's name, shortened.
        entry: String,
        /// What is wrong with it; completes a sentence that starts with the entry.
        why: &'static str,
    },
    /// More than [`ENTRIES_MAX`] entries.
    #[error(
        "Could not unzip uploaded file. Please check your file, then try to upload again. \
         (it holds more than {ENTRIES_MAX} files and directories)"
    )]
    TooManyEntries,
}

impl PackageError {
    fn unreadable(reason: impl std::fmt::Display) -> Self {
        Self::Unreadable { reason: reason.to_string() }
    }

    fn refused(entry: &str, why: &'static str) -> Self {
        const SHOWN_CHARS_MAX: usize = 120;
        Self::Refused { entry: entry.chars().take(SHOWN_CHARS_MAX).collect(), why }
    }
}
