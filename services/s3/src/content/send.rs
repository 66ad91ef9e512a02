//! Bytes on their way out, a piece at a time.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

use bytes::{Bytes, BytesMut};
use s3s::dto::StreamingBlob;
use store::{Raw, Snapshot};

use super::{Files, Lease};
use crate::error::{self, Refusal};
use crate::record::{Place, ROWS, Segment};

/// How much is read at a time, and so what a slow reader holds in memory.
const PIECE_BYTES: u64 = 256 * 1024;

/// What is left to send of one segment.
enum Rest {
    Row(Bytes),
    File { path: std::path::PathBuf, open: Option<File>, range: Range<u64> },
}

struct Sending {
    rest: VecDeque<Rest>,
    _lease: Lease,
}

/// The bytes of a range of these segments. Rows are read now, files as they are sent; the lease keeps them until then.
pub(crate) fn send(
    snapshot: &Snapshot<'_>,
    files: &Files,
    segments: &[Segment],
    range: Range<u64>,
    lease: Lease,
) -> Result<StreamingBlob, Refusal> {
    let mut rest = VecDeque::new();
    let mut from = 0;
    for segment in segments {
        let to = from + segment.size;
        let (start, end) = (range.start.max(from), range.end.min(to));
        if start < end {
            let within = start - from..end - from;
            rest.push_back(match segment.place {
                Place::Row(id) => {
                    let Raw(bytes) = snapshot.get(&ROWS, &id)?.ok_or_else(error::internal)?;
                    let bounds = [within.start, within.end]
                        .map(|bound| usize::try_from(bound).expect("rows are short"));
                    Rest::Row(bytes.slice(bounds[0]..bounds[1]))
                }
                Place::File(id) => Rest::File { path: files.path(id), open: None, range: within },
            });
        }
        from = to;
    }
    let sending = Sending { rest, _lease: lease };
    Ok(StreamingBlob::wrap(futures::stream::try_unfold(sending, next)))
}

async fn next(mut sending: Sending) -> io::Result<Option<(Bytes, Sending)>> {
    match sending.rest.pop_front() {
        None => Ok(None),
        Some(Rest::Row(bytes)) => Ok(Some((bytes, sending))),
        Some(Rest::File { path, open, range }) => {
            let read = tokio::task::spawn_blocking(move || piece(path, open, range));
            let (bytes, rest) = read.await.map_err(io::Error::other)??;
            if let Some(rest) = rest {
                sending.rest.push_front(rest);
            }
            Ok(Some((bytes, sending)))
        }
    }
}

fn piece(
    path: std::path::PathBuf,
    open: Option<File>,
    range: Range<u64>,
) -> io::Result<(Bytes, Option<Rest>)> {
    let file = match open {
        Some(file) => file,
        None => File::open(&path)?,
    };
    let length = usize::try_from((range.end - range.start).min(PIECE_BYTES)).expect("a piece is short");
    let mut bytes = BytesMut::zeroed(length);
    file.read_exact_at(&mut bytes, range.start)?;
    let range = range.start + length as u64..range.end;
    let rest = (!range.is_empty()).then_some(Rest::File { path, open: Some(file), range });
    Ok((bytes.freeze(), rest))
}
