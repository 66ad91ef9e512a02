//! Files that no record names: what a kill left of uploads and of removals.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use store::Scan;
use uuid::Uuid;

use crate::S3;
use crate::error::Refusal;
use crate::record::{PARTS, Place, Segment, VERSIONS};

/// Removes them in the background. Those written from now on are let alone: their records are yet to come.
///
/// # Errors
/// If the files' directory cannot be written to.
pub(crate) fn sweep(s3: &S3) -> io::Result<()> {
    let started = moment(s3.files.root())?;
    let s3 = s3.clone();
    tokio::task::spawn_blocking(move || match abandoned(&s3, started) {
        Ok(files) if files.is_empty() => {}
        Ok(files) => {
            tracing::info!(count = files.len(), "files of unfinished uploads are removed");
            s3.files.remove(&files);
        }
        Err(_) => tracing::warn!("files of unfinished uploads were not looked for"),
    });
    Ok(())
}

/// When a file last changed: seconds, and nanoseconds of the next.
type Moment = (i64, i64);

fn changed(metadata: &fs::Metadata) -> Moment {
    (metadata.ctime(), metadata.ctime_nsec())
}

/// Now, by the clock that stamps files there, which is not the one that tells the time: what a kill left in the same
/// second is older, and what the first request writes is not.
fn moment(root: &Path) -> io::Result<Moment> {
    let mark = root.join("started");
    let now = fs::File::create(&mark)?.metadata().map(|metadata| changed(&metadata));
    fs::remove_file(&mark)?;
    now
}

fn abandoned(s3: &S3, before: Moment) -> Result<Vec<Uuid>, Refusal> {
    // What is there is listed first: a file whose record goes meanwhile is removed by who removes the record.
    let mut found = HashSet::new();
    for stripe in fs::read_dir(s3.files.root())?.flatten() {
        let Ok(files) = fs::read_dir(stripe.path()) else { continue };
        for file in files.flatten() {
            // Not when it was written: a second name for an old file is new, too.
            let old = file.metadata().is_ok_and(|metadata| changed(&metadata) < before);
            let id = file.file_name().to_str().and_then(|name| Uuid::try_parse(name).ok());
            if let (Some(id), true) = (id, old) {
                found.insert(id);
            }
        }
    }
    let mut keep = |segments: &[Segment]| {
        for segment in segments {
            if let Place::File(id) = segment.place {
                found.remove(&id);
            }
        }
    };
    s3.read(|snapshot| {
        snapshot.visit(&VERSIONS, &Scan::all(), |_, version| {
            keep(version.object.as_ref().map_or(&[], |object| object.segments.as_slice()));
            std::ops::ControlFlow::Continue(())
        })?;
        snapshot.visit(&PARTS, &Scan::all(), |_, part| {
            keep(&part.segments);
            std::ops::ControlFlow::Continue(())
        })?;
        Ok(())
    })?;
    Ok(found.into_iter().collect())
}
