//! The AWS SDKs that managed runtimes have, as on Lambda: boto3 for Python, the clients of v3 for Node.

use std::path::{Path, PathBuf};

use crate::interpreter::Interpreter;

/// The SDK that is installed for `interpreter`, if it is.
pub fn installed(_interpreter: &Interpreter, _cache_dir: &Path) -> Option<PathBuf> {
    None
}
