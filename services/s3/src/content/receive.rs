//! Bytes on their way in: counted, digested and written as they come.

use std::fs::File;
use std::io::{self, Write as _};

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::{Checksum, StreamingBlob};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::{Files, ROW_BYTES_MAX, Staged};
use crate::error::{self, Refusal};

/// How much is written at a time. A client that sends faster than the disk takes waits with as much again in memory.
const PIECE_BYTES: usize = 512 * 1024;

/// Bytes that have arrived whole and, unless they fit a row, are on the disk.
pub(crate) struct Received {
    pub(crate) staged: Staged,
    pub(crate) size: u64,
    pub(crate) md5: [u8; 16],
    /// Those that were asked for.
    pub(crate) checksum: Checksum,
}

impl Received {
    /// What S3 calls the content: its MD5 in hexadecimal.
    pub(crate) fn etag(&self) -> String {
        hex(&self.md5)
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(digest: &[u8; 16]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Takes a body in. Longer ones than `limit` are refused, and leave nothing behind.
pub(crate) async fn receive(
    files: &Files,
    body: Option<StreamingBlob>,
    hasher: ChecksumHasher,
    limit: u64,
) -> Result<Received, Refusal> {
    let mut staged = Staged::new(files.clone());
    let mut digests = Digests { md5: Md5::new(), hasher };
    let (mut pending, mut size) = (Pending::default(), 0_u64);
    let mut file: Option<(Uuid, Writing)> = None;
    let mut body = body;
    while let Some(piece) = match &mut body {
        Some(body) => body.next().await,
        None => None,
    } {
        let piece = piece.map_err(|broken| error::body_broke(broken.as_ref()))?;
        size += piece.len() as u64;
        if size > limit {
            return Err(error::entity_too_large());
        }
        pending.push(piece);
        let full = if file.is_some() { PIECE_BYTES } else { ROW_BYTES_MAX + 1 };
        if pending.length < full {
            continue;
        }
        let pieces = pending.take();
        file = Some(match file {
            Some((id, writing)) => {
                let (file, digests) = finished(writing).await?;
                (id, tokio::task::spawn_blocking(move || write(file, digests, &pieces)))
            }
            None => {
                let id = Uuid::new_v4();
                let file = files.create(id)?;
                staged.add_file(id, 0);
                let digests = std::mem::replace(&mut digests, Digests::none());
                (id, tokio::task::spawn_blocking(move || write(file, digests, &pieces)))
            }
        });
    }
    let digests = match file {
        None => {
            let bytes = pending.joined();
            digests.update(&bytes);
            staged.add_row(bytes);
            digests
        }
        Some((id, writing)) => {
            let (file, digests) = finished(writing).await?;
            let (pieces, files) = (pending.take(), files.clone());
            let flushed = tokio::task::spawn_blocking(move || {
                let (file, digests) = write(file, digests, &pieces)?;
                files.flush(id, &file).map(|()| digests)
            });
            let digests = flushed.await.map_err(|_| error::internal())??;
            staged.set_size(size);
            digests
        }
    };
    Ok(Received { staged, size, md5: digests.md5.finalize(), checksum: digests.hasher.finalize() })
}

/// A piece on its way to the disk.
type Writing = JoinHandle<io::Result<(File, Digests)>>;

/// What is computed of the bytes as they pass.
struct Digests {
    md5: Md5,
    hasher: ChecksumHasher,
}

impl Digests {
    fn none() -> Self {
        Self { md5: Md5::new(), hasher: ChecksumHasher::default() }
    }

    fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.hasher.update(bytes);
    }
}

fn write(mut file: File, mut digests: Digests, pieces: &[Bytes]) -> io::Result<(File, Digests)> {
    for piece in pieces {
        digests.update(piece);
        file.write_all(piece)?;
    }
    Ok((file, digests))
}

async fn finished(writing: Writing) -> Result<(File, Digests), Refusal> {
    Ok(writing.await.map_err(|_| error::internal())??)
}

/// Pieces that wait to be written together.
#[derive(Default)]
struct Pending {
    pieces: Vec<Bytes>,
    length: usize,
}

impl Pending {
    fn push(&mut self, piece: Bytes) {
        self.length += piece.len();
        self.pieces.push(piece);
    }

    fn take(&mut self) -> Vec<Bytes> {
        self.length = 0;
        std::mem::take(&mut self.pieces)
    }

    fn joined(mut self) -> Bytes {
        if self.pieces.len() == 1 {
            return self.pieces.remove(0);
        }
        let mut joined = BytesMut::with_capacity(self.length);
        self.pieces.iter().for_each(|piece| joined.extend_from_slice(piece));
        joined.freeze()
    }
}
