//! How AWS names the exact version of a runtime: by a hash.

use std::fmt::Write as _;

use domain::Region;
use sha2::{Digest as _, Sha256};

/// `arn:aws:lambda:<region>::runtime:<sha256>` of what serves a runtime, such as `python:3.12.7`.
pub fn runtime_version_arn(region: &Region, runtime_version: &str) -> String {
    let mut arn = format!("arn:{}:lambda:{region}::runtime:", region.partition());
    for byte in Sha256::digest(runtime_version.as_bytes()) {
        write!(arn, "{byte:02x}").expect("a String takes everything");
    }
    arn
}
