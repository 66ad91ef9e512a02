//! An interpreter of the host, as it described itself.

use std::fmt;
use std::path::PathBuf;

use domain::Family;
use serde::{Deserialize, Serialize};

use crate::libraries::Library;

/// An exact version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "(u32, u32, u32)", into = "(u32, u32, u32)")]
pub struct Version {
    /// The first number.
    pub major: u32,
    /// The second.
    pub minor: u32,
    /// The third.
    pub patch: u32,
}

impl From<(u32, u32, u32)> for Version {
    fn from((major, minor, patch): (u32, u32, u32)) -> Self {
        Self { major, minor, patch }
    }
}

impl From<Version> for (u32, u32, u32) {
    fn from(version: Version) -> Self {
        (version.major, version.minor, version.patch)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// An interpreter that was run and answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interpreter {
    /// Its family.
    pub family: Family,
    /// Its exact version.
    pub version: Version,
    /// The program itself: no shim, no link.
    pub executable: PathBuf,
    /// The directory it is installed in; `/usr` for the distribution's own.
    pub prefix: PathBuf,
    /// Directories of its standard library.
    pub(crate) standard_library: Vec<PathBuf>,
    /// Directories of packages installed on the host, which functions must not see.
    pub(crate) hidden: Vec<PathBuf>,
    /// Shared libraries that it needs and that the base root does not have.
    pub(crate) shared_libraries: Vec<Library>,
}

#[cfg(test)]
impl Interpreter {
    /// One that is nowhere.
    pub(crate) fn named(family: Family, version: Version) -> Self {
        let [executable, prefix] = ["/nowhere/bin/program", "/nowhere"].map(PathBuf::from);
        let [standard_library, hidden] = [Vec::new(), Vec::new()];
        Self { family, version, executable, prefix, standard_library, hidden, shared_libraries: Vec::new() }
    }
}
