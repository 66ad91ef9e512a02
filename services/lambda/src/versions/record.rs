//! What is stored of versions.

use domain::{FunctionName, Scope};
use store::Table;

use crate::record::FunctionRecord;

/// Published versions by the function and their number.
pub static VERSIONS: Table<(Scope, FunctionName, u64), FunctionRecord> = Table::new("lambda.versions");

/// The highest number given to a version of a function so far. It outlives the versions and the function, so that no
/// number is used twice.
pub static NUMBERS: Table<(Scope, FunctionName), u64> = Table::new("lambda.version_numbers");
