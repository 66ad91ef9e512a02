//! The store itself: opening, writing, reading, watching.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};
use tokio::sync::watch;

use crate::bells::Bells;
use crate::format::{self, Durability};
use crate::home::Home;
use crate::snapshot::Pool;
use crate::writer::Writer;
use crate::{Blobs, Domain, Error, OpenError, Snapshot, Table, Tx};

/// The length of [`Store::server_secret`].
pub const SECRET_BYTES: usize = 32;

/// Where a store lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// In this directory, for good. It is made, with its parents and for this user alone, if it does not exist.
    Directory(PathBuf),
    /// In a private directory in memory, or on the temporary disk if there is little memory. It is removed when the
    /// last handle goes; after a kill, when the next ephemeral store is opened.
    Ephemeral,
}

/// How to open a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Where it lives.
    pub location: Location,
}

/// A handle on the store; clones are handles on the same one. The last to go finishes the queued writes and closes.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

/// A store's directory, locked for this process, before anything is read from it and before there is any thread: for
/// a server that must know the directory, and give up its rights to every other, first.
#[derive(Debug)]
pub struct Claim {
    home: Home,
    durability: Durability,
}

impl Claim {
    /// Makes the directory if it does not exist, and locks it.
    ///
    /// # Errors
    /// If another server uses the directory, or what is there is not a store of [this format](crate::FORMAT_VERSION).
    pub fn new(options: &Options) -> Result<Self, OpenError> {
        let (home, durability) = match &options.location {
            Location::Directory(path) => {
                // Before the lock, so that a foreign directory does not even get a lock file.
                format::check(path)?;
                (Home::at(path)?, Durability::Durable)
            }
            Location::Ephemeral => (Home::ephemeral()?, Durability::Ephemeral),
        };
        Ok(Self { home, durability })
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        self.home.path()
    }

    /// Opens the store, making its files if they do not exist. Errors as [`Store::open`].
    pub fn open(self) -> Result<Store, OpenError> {
        Store::open_in(self.home, self.durability)
    }
}

/// In the order in which they must end.
struct Inner {
    writers: [Writer; Domain::ALL.len()],
    readers: [Pool; Domain::ALL.len()],
    bells: Arc<Bells>,
    secret: [u8; SECRET_BYTES],
    blobs: Blobs,
    home: Arc<Home>,
}

impl Store {
    /// Opens the store, making it if it does not exist. Blocks on the disk.
    ///
    /// A process forked afterwards that does not exec would hold the directory's lock beyond this process's life:
    /// start such helpers first.
    ///
    /// # Errors
    /// If another server uses the directory, if what is there is not a store of [this format](crate::FORMAT_VERSION)
    /// or is damaged, and if the disk fails. What is there is never changed then.
    pub fn open(options: &Options) -> Result<Self, OpenError> {
        Claim::new(options)?.open()
    }

    fn open_in(home: Home, durability: Durability) -> Result<Self, OpenError> {
        let home = Arc::new(home);
        format::check(home.path())?;
        let connections = open_domains(home.path(), durability)?;
        let secret = secret(&connections[Domain::Meta.index()])
            .map_err(|error| OpenError::engine(format::path(home.path(), Domain::Meta), error))?;
        let blobs = Blobs::open(Arc::clone(&home), durability)?;

        let bells = Arc::new(Bells::default());
        let mut writers = Vec::new();
        for (domain, connection) in Domain::ALL.into_iter().zip(connections) {
            let path = format::path(home.path(), domain);
            let writer = Writer::spawn(domain, path.clone(), durability, connection, Arc::clone(&bells))
                .map_err(|error| OpenError::io("start a writer for", path, error))?;
            writers.push(writer);
        }
        let writers = writers.try_into().ok().expect("there is a writer for each domain");
        let readers = Domain::ALL.map(|domain| Pool::new(format::path(home.path(), domain)));
        Ok(Self { inner: Arc::new(Inner { writers, readers, bells, secret, blobs, home }) })
    }

    /// Runs a closure in a transaction of [`Domain::Meta`]; see [`Store::write_in`].
    pub async fn write<T, E, F>(&self, closure: F) -> Result<T, E>
    where
        F: FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.write_in(Domain::Meta, closure).await
    }

    /// Runs a closure in a transaction of a domain, on the domain's writer thread, and waits until its effect is
    /// durable. An `Err` rolls back what the closure did. It should be brief and must not wait for anything: every
    /// other writer of the domain waits for it.
    ///
    /// Once queued, the closure runs even if this future is dropped.
    ///
    /// # Errors
    /// The closure's own; [`Error::Panicked`] if it panics; and the store's, if the transaction could not be
    /// committed: then every closure that shared it is answered so, and nothing of any of them is stored.
    pub async fn write_in<T, E, F>(&self, domain: Domain, closure: F) -> Result<T, E>
    where
        F: FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.inner.writers[domain.index()].call(closure).await
    }

    /// Runs a closure against a consistent snapshot. Tables of any domain can be read; each domain is seen as it was
    /// when the closure first read it. Synchronous, and cheap enough to call from async code.
    ///
    /// # Errors
    /// The closure's own.
    pub fn read<T, E, F>(&self, closure: F) -> Result<T, E>
    where
        F: FnOnce(&Snapshot<'_>) -> Result<T, E>,
        E: From<Error>,
    {
        closure(&Snapshot::of_pools(&self.inner.readers))
    }

    /// A bell that rings (`changed()`) after each commit that changed the table. Several commits may ring it once:
    /// read the table after each ring, and once at first. It errs when the store has closed.
    pub fn watch<K, V>(&self, table: &Table<K, V>) -> watch::Receiver<()> {
        self.inner.bells.listen(table.domain(), table.name())
    }

    /// The files kept by content.
    pub fn blobs(&self) -> &Blobs {
        &self.inner.blobs
    }

    /// Random bytes made with the store and kept for its life, from which to derive keys that must outlive the
    /// process: for signed URLs, for session tokens. A [reset](Store::reset) keeps them.
    pub fn server_secret(&self) -> &[u8; SECRET_BYTES] {
        &self.inner.secret
    }

    /// The directory that the store has to itself; other parts of the server may keep theirs in subdirectories.
    /// The store's own are `blobs`, `lock` and `*.db*`.
    pub fn directory(&self) -> &Path {
        self.inner.home.path()
    }

    /// Whether the store goes with the process.
    pub fn is_ephemeral(&self) -> bool {
        self.inner.home.is_ephemeral()
    }

    /// Removes an ephemeral store from the machine; nothing may be asked of it any more. A durable one stays as it is.
    pub fn remove_if_ephemeral(&self) {
        self.inner.home.remove_if_ephemeral();
    }

    /// Empties every table and removes every blob of an ephemeral store. Rings every bell.
    ///
    /// # Errors
    /// [`Error::NotEphemeral`], and nothing is changed, if the store is a durable one.
    pub async fn reset(&self) -> Result<(), Error> {
        if !self.is_ephemeral() {
            return Err(Error::NotEphemeral);
        }
        for domain in Domain::ALL {
            self.write_in(domain, |tx| tx.clear()).await?;
        }
        self.inner.blobs.clear().await
    }
}

fn open_domains(
    directory: &Path,
    durability: Durability,
) -> Result<[Connection; Domain::ALL.len()], OpenError> {
    let mut connections = Vec::new();
    for domain in Domain::ALL {
        format::create_if_missing(directory, domain)?;
        let path = format::path(directory, domain);
        let connection =
            format::connect_writer(&path, durability).map_err(|error| OpenError::engine(&path, error))?;
        format::check_content(&path, &connection)?;
        connections.push(connection);
    }
    Ok(connections.try_into().expect("there is a connection for each domain"))
}

/// The kept secret, made when there is none.
fn secret(connection: &Connection) -> Result<[u8; SECRET_BYTES], rusqlite::Error> {
    const NAME: &str = "server.secret";
    let kept = connection
        .query_row("SELECT value FROM properties WHERE name = ?1", [NAME], |row| row.get(0))
        .optional()?;
    if let Some(secret) = kept {
        return Ok(secret);
    }
    let mut secret = [0; SECRET_BYTES];
    getrandom::fill(&mut secret).expect("the kernel has randomness once it has booted");
    connection.execute("INSERT INTO properties (name, value) VALUES (?1, ?2)", (NAME, secret))?;
    Ok(secret)
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("directory", &self.directory()).finish_non_exhaustive()
    }
}
