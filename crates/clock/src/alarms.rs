//! Many moments to wait for, each with a name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::{Clock as _, Timestamp};
use tokio::sync::Notify;

use crate::{Due, Time};

/// Alarms by name: one moment each. One task waits for them; anybody sets them.
#[derive(Debug)]
pub struct Alarms<K> {
    time: Time,
    set: Mutex<Set<K>>,
    changed: Notify,
}

#[derive(Debug)]
struct Set<K> {
    by_name: BTreeMap<K, Timestamp>,
    by_moment: BTreeSet<(Timestamp, K)>,
}

impl<K: Ord + Clone> Alarms<K> {
    /// None yet.
    pub fn new(time: Time) -> Self {
        let set = Set { by_name: BTreeMap::new(), by_moment: BTreeSet::new() };
        Self { time, set: Mutex::new(set), changed: Notify::new() }
    }

    /// Sets an alarm, or moves it; without a moment it is off.
    pub fn set(&self, name: K, moment: Option<Timestamp>) {
        let mut set = self.locked();
        if let Some(before) = set.by_name.remove(&name) {
            set.by_moment.remove(&(before, name.clone()));
        }
        if let Some(moment) = moment {
            set.by_name.insert(name.clone(), moment);
            set.by_moment.insert((moment, name));
        }
        drop(set);
        self.changed.notify_one();
    }

    /// Turns all of them off.
    pub fn clear(&self) {
        let mut set = self.locked();
        set.by_name.clear();
        set.by_moment.clear();
    }

    /// The next that rings, with its moment. It is off then. Keep what comes along until that which was due is done.
    pub async fn next(&self) -> (K, Timestamp, Due) {
        loop {
            let first = self.locked().by_moment.first().map(|(moment, _)| *moment);
            let due = match first {
                None => {
                    self.changed.notified().await;
                    continue;
                }
                Some(moment) => tokio::select! {
                    due = self.time.sleep_until(moment) => due,
                    () = self.changed.notified() => continue,
                },
            };
            if let Some((name, moment)) = self.take(self.time.now()) {
                return (name, moment, due);
            }
        }
    }

    fn take(&self, now: Timestamp) -> Option<(K, Timestamp)> {
        let mut set = self.locked();
        let (moment, name) = set.by_moment.first().filter(|(moment, _)| *moment <= now).cloned()?;
        set.by_moment.remove(&(moment, name.clone()));
        set.by_name.remove(&name);
        Some((name, moment))
    }

    fn locked(&self) -> MutexGuard<'_, Set<K>> {
        self.set.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
