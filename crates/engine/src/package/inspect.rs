//! Whether a zip is one that Lambda would take.

use std::io::Read;

use bytes::Bytes;
use domain::limits::{UNZIPPED_BYTES, ZIP_BYTES};

use super::PackageError;
use super::plan::{self, Archive, Node, Plan};

/// What is known of an accepted package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Info {
    /// The contents of all its files together: counts towards the limit that code and layers share.
    pub unpacked_bytes: u64,
}

/// Checks a deployment package completely, down to every file's checksum, and writes nothing.
///
/// It inflates up to 250 MiB: call it where blocking is allowed.
pub fn inspect(zip: &Bytes) -> Result<Info, PackageError> {
    if zip.len() as u64 >= ZIP_BYTES {
        return Err(PackageError::ZippedTooLarge);
    }
    if zip.is_empty() {
        return Err(PackageError::Empty);
    }
    let (mut archive, plan) = plan::read(zip)?;
    Ok(Info { unpacked_bytes: count_contents(&mut archive, &plan)? })
}

/// What a zip declares of itself is a claim; this is the count.
fn count_contents(archive: &mut Archive, plan: &Plan) -> Result<u64, PackageError> {
    let mut buffer = vec![0; 64 * 1024];
    let mut total = 0;
    for (_, node) in plan.nodes() {
        let Node::File { index, .. } = node else { continue };
        let mut file = archive.by_index(*index).map_err(PackageError::unreadable)?;
        loop {
            let count = file.read(&mut buffer).map_err(PackageError::unreadable)?;
            if count == 0 {
                break;
            }
            total += count as u64;
            if total >= UNZIPPED_BYTES {
                return Err(PackageError::UnzippedTooLarge);
            }
        }
    }
    Ok(total)
}
