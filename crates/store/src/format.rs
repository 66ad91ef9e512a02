//! The database files: what they look like, and whether a file is one that this Hearth may open.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::{Domain, OpenError};

/// The version of the files' layout. A store of another version is refused, untouched.
pub const FORMAT_VERSION: u32 = 1;

/// Marks a database as Hearth's, whatever its name.
const APPLICATION_ID: u32 = u32::from_be_bytes(*b"Hrth");

/// Everything is one ordered table: a table's name, then the key. Records lie in key order, so a range is one walk.
const LAYOUT: &str = "
    BEGIN;
    CREATE TABLE entries (tbl TEXT NOT NULL, key BLOB NOT NULL, value NOT NULL, PRIMARY KEY (tbl, key)) WITHOUT ROWID;
    CREATE TABLE properties (name TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL) WITHOUT ROWID;
    COMMIT;
    PRAGMA journal_mode = WAL;
";

/// In a key-ordered tree of records of 1.5 KB, twice the speed and a third of the room of the engine's usual 4 KiB.
const PAGE_BYTES: u32 = 8192;

/// The engine's file header, as far as it is read.  <https://www.sqlite.org/fileformat.html>
const HEADER_BYTES: usize = 100;
const MAGIC: &[u8] = b"SQLite format 3\0";
const USER_VERSION_AT: usize = 60;
const APPLICATION_ID_AT: usize = 68;

/// Up to this size, a file is checked from end to end when it is opened (some 10 ms).
const CHECKED_BYTES_MAX: u64 = 16 << 20;

/// How long to wait for another process, such as a backup, that holds the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// The write-ahead log is cut back to this after a checkpoint that followed a long read.
const LOG_BYTES_MAX: u32 = 64 << 20;
/// The SQL of all key-value calls fits, with room.
const STATEMENTS_CACHED: usize = 32;

/// Whether writes reach the disk before they are acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    Durable,
    Ephemeral,
}

/// Where a domain's database is.
pub(crate) fn path(directory: &Path, domain: Domain) -> PathBuf {
    directory.join(format!("{domain}.db"))
}

/// Refuses a directory whose files this Hearth must not open. Reads only.
pub(crate) fn check(directory: &Path) -> Result<(), OpenError> {
    for domain in Domain::ALL {
        let path = path(directory, domain);
        match File::open(&path) {
            Ok(file) => check_header(&path, file)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // A log without its database would be replayed into the fresh one; and `meta` is made first, so
                // others without it mean that it was lost.
                let log = path.with_extension("db-wal");
                if log.exists() || domain == Domain::Meta && other_domain_exists(directory) {
                    return Err(OpenError::Corrupt { path, why: "the file is missing".into() });
                }
            }
            Err(error) => return Err(OpenError::io("open", path, error)),
        }
    }
    Ok(())
}

fn other_domain_exists(directory: &Path) -> bool {
    Domain::ALL.iter().any(|domain| *domain != Domain::Meta && path(directory, *domain).exists())
}

fn check_header(path: &Path, file: File) -> Result<(), OpenError> {
    let mut header = Vec::with_capacity(HEADER_BYTES);
    file.take(HEADER_BYTES as u64)
        .read_to_end(&mut header)
        .map_err(|error| OpenError::io("read", path, error))?;
    if !header.starts_with(MAGIC) {
        return Err(OpenError::Foreign { path: path.to_owned() });
    }
    let Some(header) = header.first_chunk::<HEADER_BYTES>() else {
        return Err(OpenError::Corrupt { path: path.to_owned(), why: "the file ends in its header".into() });
    };
    let word = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    if word(APPLICATION_ID_AT) != APPLICATION_ID {
        return Err(OpenError::Foreign { path: path.to_owned() });
    }
    match word(USER_VERSION_AT) {
        FORMAT_VERSION => Ok(()),
        found => Err(OpenError::UnknownVersion { path: path.to_owned(), found, known: FORMAT_VERSION }),
    }
}

/// Makes the database if it does not exist. It appears whole or not at all, so that what is there always has a
/// header to check.
pub(crate) fn create_if_missing(directory: &Path, domain: Domain) -> Result<(), OpenError> {
    let path = path(directory, domain);
    if path.exists() {
        return Ok(());
    }
    let new = path.with_extension("new");
    for leftover in [&new, &path.with_extension("new-wal"), &path.with_extension("new-journal")] {
        match fs::remove_file(leftover) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(OpenError::io("remove", leftover, error));
            }
            _ => {}
        }
    }
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)
        .map_err(|error| OpenError::io("create", &new, error))?;
    write_layout(&new).map_err(|error| OpenError::engine(&new, error))?;
    file.sync_all().map_err(|error| OpenError::io("flush", &new, error))?;
    fs::rename(&new, &path).map_err(|error| OpenError::io("rename", &new, error))?;
    sync_directory(directory).map_err(|error| OpenError::io("flush", directory, error))
}

fn write_layout(path: &Path) -> Result<(), rusqlite::Error> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // Nobody relies on the file before it is flushed as a whole and gets its name, so nothing is flushed on the way.
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.pragma_update(None, "journal_mode", "MEMORY")?;
    connection.pragma_update(None, "page_size", PAGE_BYTES)?; // before anything is written
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", FORMAT_VERSION)?;
    connection.execute_batch(LAYOUT)?;
    connection.close().map_err(|(_, error)| error)
}

/// Flushes the names in a directory.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// The connection through which a domain is written.
pub(crate) fn connect_writer(path: &Path, durability: Durability) -> Result<Connection, rusqlite::Error> {
    let connection = connect(path)?;
    connection.pragma_update(
        None,
        "synchronous",
        match durability {
            Durability::Durable => "FULL",
            Durability::Ephemeral => "OFF",
        },
    )?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES_MAX)?;
    Ok(connection)
}

/// A connection that cannot write.
pub(crate) fn connect_reader(path: &Path) -> Result<Connection, rusqlite::Error> {
    let connection = connect(path)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn connect(path: &Path) -> Result<Connection, rusqlite::Error> {
    // A connection is used by one thread at a time, so the engine's own lock around it is not needed.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    // A file from elsewhere must not be able to run functions through its schema.
    connection.pragma_update(None, "trusted_schema", false)?;
    // A savepoint that touches many pages would open a file in a directory of the engine's choice, which a confined
    // server cannot.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection)
}

/// Refuses a damaged file: a small one is read through, of a large one the catalogue and the size.
pub(crate) fn check_content(path: &Path, connection: &Connection) -> Result<(), OpenError> {
    let damaged = |why: String| OpenError::Corrupt { path: path.to_owned(), why };
    let engine = |error| OpenError::engine(path, error);
    let tables: u32 = connection
        .query_row("SELECT count(*) FROM sqlite_schema WHERE name IN ('entries', 'properties')", (), |row| {
            row.get(0)
        })
        .map_err(engine)?;
    if tables != 2 {
        return Err(damaged("its tables are missing".into()));
    }
    let length = fs::metadata(path).map_err(|error| OpenError::io("read", path, error))?.len();
    if length <= CHECKED_BYTES_MAX {
        let verdict: String =
            connection.query_row("PRAGMA quick_check(1)", (), |row| row.get(0)).map_err(engine)?;
        if verdict != "ok" {
            return Err(damaged(verdict));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kill tests cannot see a missing flush, because the kernel survives a kill.
    #[test]
    fn a_durable_database_flushes_each_commit_and_has_its_layout() {
        let directory = tempfile::tempdir().unwrap();
        create_if_missing(directory.path(), Domain::Meta).unwrap();
        let path = path(directory.path(), Domain::Meta);
        let setting = |durability, name| {
            let connection = connect_writer(&path, durability).unwrap();
            connection.pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0)).unwrap()
        };
        let (off, full, memory) = (0, 2, 2); // as the engine numbers them
        assert_eq!(setting(Durability::Durable, "temp_store"), memory.into());
        assert_eq!(setting(Durability::Durable, "synchronous"), full.into());
        assert_eq!(setting(Durability::Ephemeral, "synchronous"), off.into());
        assert_eq!(setting(Durability::Durable, "journal_mode"), "wal".to_owned().into());
        assert_eq!(setting(Durability::Durable, "page_size"), i64::from(PAGE_BYTES).into());
    }
}
