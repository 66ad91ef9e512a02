//! Rings for those who wait for a table to change.

use std::collections::HashMap;
use std::sync::Mutex;

use tokio::sync::watch;

use crate::Domain;

/// One bell per watched table. A table that nobody watches costs one lookup per commit that touches it.
#[derive(Debug, Default)]
pub(crate) struct Bells {
    by_table: Mutex<HashMap<(Domain, &'static str), watch::Sender<()>>>,
}

/// Which tables of a domain a transaction changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Touched {
    Tables(Vec<&'static str>),
    All,
}

impl Default for Touched {
    fn default() -> Self {
        Self::none()
    }
}

impl Touched {
    pub(crate) fn none() -> Self {
        Self::Tables(Vec::new())
    }

    pub(crate) fn add(&mut self, table: &'static str) {
        if let Self::Tables(tables) = self
            && !tables.contains(&table)
        {
            tables.push(table);
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        match other {
            Self::Tables(tables) => tables.into_iter().for_each(|table| self.add(table)),
            Self::All => *self = Self::All,
        }
    }
}

impl Bells {
    pub(crate) fn listen(&self, domain: Domain, table: &'static str) -> watch::Receiver<()> {
        let mut by_table = self.by_table.lock().expect("nothing panics while holding the bells");
        by_table.entry((domain, table)).or_insert_with(|| watch::Sender::new(())).subscribe()
    }

    pub(crate) fn ring(&self, domain: Domain, touched: &Touched) {
        let by_table = self.by_table.lock().expect("nothing panics while holding the bells");
        match touched {
            Touched::Tables(tables) => {
                for bell in tables.iter().filter_map(|table| by_table.get(&(domain, *table))) {
                    bell.send_replace(());
                }
            }
            Touched::All => {
                for (_, bell) in by_table.iter().filter(|((of, _), _)| *of == domain) {
                    bell.send_replace(());
                }
            }
        }
    }
}
