//! What a runtime's read-only root is made of.

use std::path::PathBuf;

/// A root: the sandbox's base, and these.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TemplateSpec {
    /// Files and directories of the host, seen read-only.
    pub binds: Vec<Bind>,
    /// Symbolic links: where, and what they say.
    pub symlinks: Vec<(PathBuf, PathBuf)>,
    /// Small files: where, and their content.
    pub files: Vec<(PathBuf, Vec<u8>)>,
}

/// One file or directory of the host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Bind {
    /// Where it is on the host.
    pub host: PathBuf,
    /// Where it is in the sandbox.
    pub inside: PathBuf,
}
