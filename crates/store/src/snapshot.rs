//! Reading: a consistent view of the tables, and the connections that reads borrow.

use std::cell::OnceCell;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Mutex;

use rusqlite::{CachedStatement, Connection, OptionalExtension, Row};

use crate::{Domain, Error, Key, KeyOf, Scan, Table, Value, format};

/// Read connections kept open per domain. More readers at once open their own and close them again.
const IDLE_CONNECTIONS_MAX: usize = 8;

/// A consistent view: each domain as it was when first read through this value, whatever is written meanwhile.
pub struct Snapshot<'s> {
    source: Source<'s>,
    /// A reader's view of each domain that it has touched.
    open: [OnceCell<Reader<'s>>; Domain::ALL.len()],
}

enum Source<'s> {
    /// A reader borrows a connection for each domain that it touches.
    Readers(&'s [Pool; Domain::ALL.len()]),
    /// A writer reads its own uncommitted changes.
    Writer { domain: Domain, connection: &'s Connection },
}

impl<'s> Snapshot<'s> {
    pub(crate) fn of_pools(pools: &'s [Pool; Domain::ALL.len()]) -> Self {
        Self { source: Source::Readers(pools), open: Default::default() }
    }

    pub(crate) fn of_writer(domain: Domain, connection: &'s Connection) -> Self {
        Self { source: Source::Writer { domain, connection }, open: Default::default() }
    }

    /// The domain of a writer's view.
    pub(crate) fn domain(&self) -> Option<Domain> {
        match self.source {
            Source::Readers(_) => None,
            Source::Writer { domain, .. } => Some(domain),
        }
    }

    /// The value of a key.
    pub fn get<K: Key, V: Value>(&self, table: &Table<K, V>, key: impl KeyOf<K>) -> Result<Option<V>, Error> {
        let mut statement = self.prepare(table, "SELECT value FROM entries WHERE tbl = ?1 AND key = ?2")?;
        let mut rows = statement.query((table.name(), encoded(key)))?;
        rows.next()?.map(|row| value(table, row, 0)).transpose()
    }

    /// Whether the key has a value.
    pub fn contains<K: Key, V: Value>(&self, table: &Table<K, V>, key: impl KeyOf<K>) -> Result<bool, Error> {
        let mut statement = self.prepare(table, "SELECT 1 FROM entries WHERE tbl = ?1 AND key = ?2")?;
        let found = statement.query_row((table.name(), encoded(key)), |_| Ok(())).optional()?;
        Ok(found.is_some())
    }

    /// The keys and values of a range, in its order. For long ranges see [`Snapshot::visit`].
    pub fn scan<K: Key, V: Value>(&self, table: &Table<K, V>, scan: &Scan<K>) -> Result<Vec<(K, V)>, Error> {
        let mut found = Vec::new();
        self.visit(table, scan, |key, value| {
            found.push((key, value));
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    /// The keys of a range, in its order, without decoding the values.
    pub fn keys<K: Key, V: Value>(&self, table: &Table<K, V>, scan: &Scan<K>) -> Result<Vec<K>, Error> {
        let mut found = Vec::new();
        self.visit_rows(table, scan, |row| {
            found.push(key(table, row)?);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// Shows the keys and values of a range, one at a time and in its order, until `visitor` breaks.
    pub fn visit<K: Key, V: Value>(
        &self,
        table: &Table<K, V>,
        scan: &Scan<K>,
        mut visitor: impl FnMut(K, V) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        self.visit_rows(table, scan, |row| Ok(visitor(key(table, row)?, value(table, row, 1)?)))
    }

    /// How many keys a range has. Walks the range.
    pub fn count<K: Key, V: Value>(&self, table: &Table<K, V>, scan: &Scan<K>) -> Result<usize, Error> {
        let mut count = 0;
        self.visit_rows(table, scan, |_| {
            count += 1;
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(count)
    }

    fn visit_rows<K, V>(
        &self,
        table: &Table<K, V>,
        scan: &Scan<K>,
        mut visitor: impl FnMut(&Row<'_>) -> Result<ControlFlow<()>, Error>,
    ) -> Result<(), Error> {
        let (lower, upper) = scan.bounds();
        let mut statement = self.prepare(table, scan_sql(upper.is_some(), scan.reverse))?;
        let mut rows = match upper {
            Some(upper) => statement.query((table.name(), lower, upper))?,
            None => statement.query((table.name(), lower))?,
        };
        for _ in 0..scan.limit {
            let Some(row) = rows.next()? else { break };
            if visitor(row)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn prepare<K, V>(&self, table: &Table<K, V>, sql: &'static str) -> Result<CachedStatement<'_>, Error> {
        Ok(self.connection(table)?.prepare_cached(sql)?)
    }

    /// The connection through which this view sees a table.
    pub(crate) fn connection<K, V>(&self, table: &Table<K, V>) -> Result<&Connection, Error> {
        match &self.source {
            Source::Writer { domain, connection } if *domain == table.domain() => Ok(connection),
            Source::Writer { domain, .. } => {
                Err(Error::OtherDomain { table: table.name(), belongs: table.domain(), transaction: *domain })
            }
            Source::Readers(pools) => {
                let index = table.domain().index();
                let open = &self.open[index];
                if open.get().is_none() {
                    // A cell that is empty here stays empty until this line: a view is used by one thread.
                    let _ = open.set(pools[index].reader()?);
                }
                Ok(open.get().expect("it was filled above").connection())
            }
        }
    }
}

const fn scan_sql(bounded: bool, reverse: bool) -> &'static str {
    match (bounded, reverse) {
        (true, false) => {
            "SELECT key, value FROM entries WHERE tbl = ?1 AND key >= ?2 AND key < ?3 ORDER BY key"
        }
        (true, true) => {
            "SELECT key, value FROM entries WHERE tbl = ?1 AND key >= ?2 AND key < ?3 ORDER BY key DESC"
        }
        (false, false) => "SELECT key, value FROM entries WHERE tbl = ?1 AND key >= ?2 ORDER BY key",
        (false, true) => "SELECT key, value FROM entries WHERE tbl = ?1 AND key >= ?2 ORDER BY key DESC",
    }
}

pub(crate) fn encoded<K>(key: impl KeyOf<K>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64);
    key.encode_key(&mut bytes);
    bytes
}

fn key<K: Key, V>(table: &Table<K, V>, row: &Row<'_>) -> Result<K, Error> {
    let bytes = row.get_ref(0)?.as_bytes().unwrap_or_default();
    K::decode(bytes).ok_or_else(|| Error::Malformed {
        table: table.name(),
        why: format!("the key {} is of another type", bytes.escape_ascii()),
    })
}

fn value<K, V: Value>(table: &Table<K, V>, row: &Row<'_>, column: usize) -> Result<V, Error> {
    let bytes = row.get_ref(column)?.as_bytes().unwrap_or_default();
    V::from_stored(bytes).map_err(|error| Error::Malformed { table: table.name(), why: error.to_string() })
}

/// The read connections of a domain.
pub(crate) struct Pool {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Pool {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, idle: Mutex::default() }
    }

    fn reader(&self) -> Result<Reader<'_>, Error> {
        let idle = self.idle.lock().expect("nothing panics while holding the pool").pop();
        let connection = match idle {
            Some(connection) => connection,
            None => format::connect_reader(&self.path)?,
        };
        connection.prepare_cached("BEGIN")?.execute(())?;
        Ok(Reader { connection: Some(connection), pool: self })
    }
}

/// A borrowed connection inside a read transaction, which ends with this value.
struct Reader<'p> {
    connection: Option<Connection>,
    pool: &'p Pool,
}

impl Reader<'_> {
    fn connection(&self) -> &Connection {
        self.connection.as_ref().expect("it is taken only on drop")
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        let ended = connection.prepare_cached("ROLLBACK").and_then(|mut rollback| rollback.execute(()));
        let mut idle = self.pool.idle.lock().expect("nothing panics while holding the pool");
        if ended.is_ok() && idle.len() < IDLE_CONNECTIONS_MAX {
            idle.push(connection);
        }
    }
}
