//! Writing: what a closure can do inside its transaction.

use std::fmt;
use std::ops::Deref;

use rusqlite::Connection;
use rusqlite::types::{ToSqlOutput, ValueRef};

use crate::bells::Touched;
use crate::snapshot::encoded;
use crate::writer::Changes;
use crate::{Domain, Error, Key, KeyOf, PrefixOf, Scan, Snapshot, Stored, Table, Value};

/// A transaction of one domain. It reads as a [`Snapshot`] does, and sees its own changes.
///
/// After a call here has failed, the transaction is rolled back even if the closure returns `Ok`.
pub struct Tx<'t> {
    snapshot: Snapshot<'t>,
    connection: &'t Connection,
    changes: Changes,
    failure: Option<Error>,
}

impl<'t> Deref for Tx<'t> {
    type Target = Snapshot<'t>;

    fn deref(&self) -> &Snapshot<'t> {
        &self.snapshot
    }
}

impl<'t> Tx<'t> {
    pub(crate) fn new(domain: Domain, connection: &'t Connection) -> Self {
        let snapshot = Snapshot::of_writer(domain, connection);
        Self { snapshot, connection, changes: Changes::default(), failure: None }
    }

    /// The domain that this transaction can change.
    pub fn domain(&self) -> Domain {
        self.snapshot.domain().expect("a transaction reads through its writer")
    }

    /// Runs `then` once what this closure did is durable, before the caller is answered; never, if it is rolled back.
    /// It runs on the domain's writer thread, so it must be brief: rather than act, it tells somebody who will.
    pub fn after_commit(&mut self, then: impl FnOnce() + Send + 'static) {
        self.changes.afterwards.push(Box::new(then));
    }

    /// Sets the value of a key, whether it had one or not.
    pub fn put<K: Key, V: Value>(
        &mut self,
        table: &Table<K, V>,
        key: impl KeyOf<K>,
        value: &V,
    ) -> Result<(), Error> {
        let sql = "INSERT INTO entries (tbl, key, value) VALUES (?1, ?2, ?3) \
                   ON CONFLICT DO UPDATE SET value = excluded.value";
        self.store(table, sql, key, value).map(|_| ())
    }

    /// Sets the value of a key that has none. False, and no change, if it has one.
    pub fn insert<K: Key, V: Value>(
        &mut self,
        table: &Table<K, V>,
        key: impl KeyOf<K>,
        value: &V,
    ) -> Result<bool, Error> {
        let sql = "INSERT INTO entries (tbl, key, value) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
        self.store(table, sql, key, value).map(|changed| changed > 0)
    }

    /// Removes a key. False if it was not there.
    pub fn delete<K: Key, V: Value>(
        &mut self,
        table: &Table<K, V>,
        key: impl KeyOf<K>,
    ) -> Result<bool, Error> {
        let deleted = self.change(table, |connection| {
            let mut statement =
                connection.prepare_cached("DELETE FROM entries WHERE tbl = ?1 AND key = ?2")?;
            Ok(statement.execute((table.name(), encoded(key)))?)
        })?;
        Ok(deleted > 0)
    }

    /// Removes the keys with these leading parts, and tells how many there were.
    pub fn delete_prefix<K: Key, V: Value>(
        &mut self,
        table: &Table<K, V>,
        parts: impl PrefixOf<K>,
    ) -> Result<usize, Error> {
        self.delete_range(table, &Scan::prefix(parts))
    }

    /// Removes the keys of a range, and tells how many there were. With a limit, the first of its order go: a long
    /// range is best removed in several writes, so that others need not wait.
    pub fn delete_range<K: Key, V: Value>(
        &mut self,
        table: &Table<K, V>,
        scan: &Scan<K>,
    ) -> Result<usize, Error> {
        let (lower, upper) = scan.bounds();
        let below = if upper.is_some() { "AND key < ?3" } else { "AND ?3 IS NULL" };
        let order = if scan.reverse { "DESC" } else { "ASC" };
        let range = format!("tbl = ?1 AND key >= ?2 {below}");
        // A limit that does not fit is no limit, which the engine writes as a negative one.
        let limit = i64::try_from(scan.limit).unwrap_or(-1);
        let sql = format!(
            "DELETE FROM entries WHERE tbl = ?1 AND key IN \
             (SELECT key FROM entries WHERE {range} ORDER BY key {order} LIMIT ?4)"
        );
        self.change(table, |connection| {
            Ok(connection.prepare_cached(&sql)?.execute((table.name(), lower, upper, limit))?)
        })
    }

    /// Removes every record of the domain.
    pub(crate) fn clear(&mut self) -> Result<(), Error> {
        self.changes.touched = Touched::All;
        self.connection.execute("DELETE FROM entries", ())?;
        Ok(())
    }

    /// What the engine does to a transaction that it cannot go on with.
    #[cfg(test)]
    pub(crate) fn end_behind_the_writers_back(&self) {
        self.connection.execute_batch("ROLLBACK").unwrap();
    }

    /// What the closure changed; or why it must be rolled back, although it may have returned `Ok`.
    pub(crate) fn finish(self) -> Result<Changes, Error> {
        match self.failure {
            Some(failure) => Err(failure),
            None => Ok(self.changes),
        }
    }

    fn store<K: Key, V: Value>(
        &mut self,
        table: &Table<K, V>,
        sql: &'static str,
        key: impl KeyOf<K>,
        value: &V,
    ) -> Result<usize, Error> {
        self.change(table, |connection| {
            let stored = value
                .to_stored()
                .map_err(|error| Error::Unstorable { table: table.name(), why: error.to_string() })?;
            let value = match &stored {
                Stored::Json(text) => ValueRef::Text(text),
                Stored::Raw(bytes) => ValueRef::Blob(bytes),
            };
            let mut statement = connection.prepare_cached(sql)?;
            Ok(statement.execute((table.name(), encoded(key), ToSqlOutput::Borrowed(value)))?)
        })
    }

    /// Runs a change, and remembers that the table changed or that the change failed.
    fn change<K, V>(
        &mut self,
        table: &Table<K, V>,
        change: impl FnOnce(&Connection) -> Result<usize, Error>,
    ) -> Result<usize, Error> {
        match self.snapshot.connection(table).and_then(change) {
            Ok(0) => Ok(0),
            Ok(changed) => {
                self.changes.touched.add(table.name());
                Ok(changed)
            }
            Err(error) => {
                self.failure.get_or_insert_with(|| error.clone());
                Err(error)
            }
        }
    }
}

impl fmt::Debug for Tx<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tx").field("touched", &self.changes.touched).field("failure", &self.failure).finish()
    }
}
