//! The durable memory of a server: ordered, transactional tables, and blobs by content.
//!
//! A [`Table`] is a sorted map from a typed key to a typed value. [`Store::write`] runs a closure inside a
//! transaction and answers when its effect is on the disk; [`Store::read`] runs one against a consistent snapshot.
//! [`Store::watch`] rings when a table has changed. [`Store::blobs`] keeps files by the SHA-256 of their content.
//! Nothing above this crate knows which engine answers, or AWS, or who calls.
//!
//! # Guarantees
//! - A write that returned `Ok` survives a kill of the process and a loss of power. One that returned `Err` left
//!   nothing behind. (After an I/O error during the commit itself, a later power cut may still bring the transaction
//!   back, whole; it is never applied in part.)
//! - The writes of a [`Domain`] happen one after the other: a closure sees every earlier one, and nobody else's half.
//! - A read sees every write that had returned before it began.
//! - An ephemeral store gives the same, but for the life of the process only.
//!
//! # Cost
//! Writers that wait at the same time share one commit, and so one disk flush; a lone writer never waits for company.
//! Reads take no lock that a writer holds. A read closure should be short: while it lives, the engine's log cannot
//! shrink. [`Store::read`] and the key-value calls are synchronous and served from memory or one page read.
//!
//! # Making a copy
//! `sqlite3 <data directory>/meta.db ".backup meta.db"`, and the same for the other `*.db`, copy a consistent state
//! while the server runs. Copy `blobs/` **after** the databases: blobs are written before the records that name them.
//! Copying the database files themselves with `cp` is safe only while no server runs. `entries` holds a row for
//! each record: the table's name, the encoded key, the JSON.

mod bells;
mod blobs;
mod error;
mod format;
mod home;
mod key;
mod scan;
mod snapshot;
mod store;
mod table;
mod tx;
mod writer;

pub use blobs::{BlobId, Blobs, InvalidBlobId};
pub use error::{Cause, Error, OpenError};
pub use format::FORMAT_VERSION;
pub use key::{Key, KeyOf, Like, Part, PrefixOf, decode_bytes, encode_bytes};
pub use scan::Scan;
pub use snapshot::Snapshot;
pub use store::{Claim, Location, Options, SECRET_BYTES, Store};
pub use table::{Domain, Raw, Stored, Table, Value};
pub use tx::Tx;
