//! What unpacking an archive will make: decided and checked completely before anything is made.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{Cursor, Read};

use bytes::Bytes;
use domain::limits::UNZIPPED_BYTES;
use zip::ZipArchive;
use zip::read::ZipFileEntry;

use super::{ENTRIES_MAX, PackageError, path};

/// A package's bytes with their directory of contents.
pub(super) type Archive = ZipArchive<Cursor<Bytes>>;

/// All paths of a plan together, in bytes. Implied directories could otherwise multiply a small zip's names.
const PATHS_BYTES_MAX: usize = 64 << 20;
/// Starts each record of a zip's central directory.
const CENTRAL_RECORD: &[u8] = b"PK\x01\x02";

const KIND_MASK: u32 = 0o170_000;
const KIND_DIRECTORY: u32 = 0o040_000;
const KIND_FILE: u32 = 0o100_000;
const KIND_LINK: u32 = 0o120_000;

/// One thing to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// Named by an entry, or implied by a path.
    Directory,
    /// The content of the archive's entry.
    File { index: usize, executable: bool },
    /// A symbolic link that [`path::check_target`] accepts.
    Link { target: String },
}

/// The tree to make. Every node's parents are in it, as directories; in the map's order they come first.
#[derive(Debug, Default)]
pub(super) struct Plan {
    nodes: BTreeMap<String, Node>,
    paths_bytes: usize,
}

/// Reads an archive's directory of contents and checks everything that it and the links tell; reads no file's content.
pub(super) fn read(zip: &Bytes) -> Result<(Archive, Plan), PackageError> {
    let mut archive = open(zip)?;
    check_declared_sizes(&archive, zip.len() as u64)?;
    let plan = Plan::of(&mut archive)?;
    Ok((archive, plan))
}

/// Takes memory in proportion to [`ENTRIES_MAX`], whatever the zip says of itself.
fn open(zip: &Bytes) -> Result<Archive, PackageError> {
    // The reader holds a few hundred bytes for each 46-byte record, so records are counted before it starts. Every
    // record has this signature; a stored file may hold it too, which only makes the bound a little early.
    if memchr::memmem::find_iter(zip, CENTRAL_RECORD).nth(ENTRIES_MAX).is_some() {
        return Err(PackageError::TooManyEntries);
    }
    ZipArchive::new(Cursor::new(zip.clone())).map_err(PackageError::unreadable)
}

impl Plan {
    fn of(archive: &mut Archive) -> Result<Self, PackageError> {
        let mut plan = Self::default();
        for index in 0..archive.len() {
            let entry = archive.by_index_data(index).map_err(PackageError::unreadable)?;
            let name = entry.name().map_err(PackageError::unreadable)?.into_owned();
            let kind = kind_of(&entry, &name)?;
            let path = path::normalise(&name)?;
            let node = match kind {
                KIND_DIRECTORY => Node::Directory,
                KIND_LINK => Node::Link { target: read_target(archive, index, &path)? },
                _ => {
                    Node::File { index, executable: entry.unix_mode().is_some_and(|mode| mode & 0o111 != 0) }
                }
            };
            plan.insert(path, node)?;
        }
        Ok(plan)
    }

    /// Parents before children.
    pub(super) fn nodes(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.nodes.iter().map(|(path, node)| (path.as_str(), node))
    }

    fn insert(&mut self, path: String, node: Node) -> Result<(), PackageError> {
        if path.is_empty() {
            let is_root = node == Node::Directory;
            return if is_root {
                Ok(())
            } else {
                Err(PackageError::refused(&path, "is a file without a name"))
            };
        }
        self.insert_parents(&path)?;
        match self.nodes.entry(path) {
            Entry::Vacant(vacant) => {
                self.paths_bytes += vacant.key().len();
                vacant.insert(node);
            }
            Entry::Occupied(mut existing) => {
                if std::mem::discriminant(existing.get()) != std::mem::discriminant(&node) {
                    return Err(PackageError::refused(existing.key(), "is there twice, as different things"));
                }
                existing.insert(node);
            }
        }
        self.check_size()
    }

    /// From the nearest upwards: where one is known, all above it are.
    fn insert_parents(&mut self, path: &str) -> Result<(), PackageError> {
        let mut below = path;
        while let Some((parent, _)) = below.rsplit_once('/') {
            match self.nodes.get(parent) {
                Some(Node::Directory) => break,
                Some(_) => return Err(PackageError::refused(path, "lies beneath a file or a symbolic link")),
                None => {
                    self.paths_bytes += parent.len();
                    self.nodes.insert(parent.to_owned(), Node::Directory);
                    self.check_size()?;
                }
            }
            below = parent;
        }
        Ok(())
    }

    fn check_size(&self) -> Result<(), PackageError> {
        let fits = self.nodes.len() <= ENTRIES_MAX && self.paths_bytes <= PATHS_BYTES_MAX;
        if fits { Ok(()) } else { Err(PackageError::TooManyEntries) }
    }
}

fn check_declared_sizes(archive: &Archive, zip_bytes: u64) -> Result<(), PackageError> {
    if archive.is_empty() {
        return Err(PackageError::Empty);
    }
    let mut packed_bytes = 0u64;
    let mut unpacked_bytes = 0u64;
    for index in 0..archive.len() {
        let entry = archive.by_index_data(index).map_err(PackageError::unreadable)?;
        packed_bytes = packed_bytes.saturating_add(entry.compressed_size());
        unpacked_bytes = unpacked_bytes.saturating_add(entry.size());
    }
    if unpacked_bytes >= UNZIPPED_BYTES {
        return Err(PackageError::UnzippedTooLarge);
    }
    if packed_bytes > zip_bytes {
        // Entries that share bytes are how a small zip makes a reader inflate the same bytes again and again.
        return Err(PackageError::unreadable("entries overlap, or reach beyond the end of the file"));
    }
    Ok(())
}

fn kind_of(entry: &ZipFileEntry<'_>, name: &str) -> Result<u32, PackageError> {
    if entry.encrypted() {
        return Err(PackageError::refused(name, "is encrypted"));
    }
    if entry.is_dir() {
        return Ok(KIND_DIRECTORY);
    }
    match entry.unix_mode().unwrap_or_default() & KIND_MASK {
        // Zips made on Windows, or by libraries that leave the kind out.
        0 | KIND_FILE => Ok(KIND_FILE),
        KIND_DIRECTORY => Ok(KIND_DIRECTORY),
        KIND_LINK => Ok(KIND_LINK),
        _ => Err(PackageError::refused(name, "is neither a file nor a directory nor a symbolic link")),
    }
}

fn read_target(archive: &mut Archive, index: usize, path: &str) -> Result<String, PackageError> {
    let mut target = String::new();
    archive
        .by_index(index)
        .map_err(PackageError::unreadable)?
        .take(path::TARGET_BYTES_MAX as u64 + 1)
        .read_to_string(&mut target)
        .map_err(PackageError::unreadable)?;
    path::check_target(path, &target)?;
    Ok(target)
}
