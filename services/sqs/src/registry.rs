//! Every queue, by name and by number; made from the store at the start.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError, RwLock};

use domain::Scope;
use store::{Scan, Store};

use crate::address::Address;
use crate::index::{Millis, Sequence};
use crate::queue::Queue;
use crate::record::{QUEUES, QueueId, QueueRecord, STATES, decode_state};

/// Where queues are found.
#[derive(Debug, Default)]
pub struct Registry {
    queues: RwLock<HashMap<Address, Arc<Queue>>>,
}

impl Registry {
    /// Reads every queue and the state of every message. Also gives the greatest numbers of a queue and of a message.
    pub fn load(store: &Store, now: Millis) -> Result<(Self, QueueId, Sequence), store::Error> {
        let mut queues = HashMap::new();
        let (mut last_queue, mut last_message) = (0, 0);
        store.read(|snapshot| {
            for ((scope, name), record) in snapshot.scan(&QUEUES, &Scan::all())? {
                let address = Address { scope, name };
                let purged_through = record.purge.map_or(0, |purge| purge.through);
                let queue = Queue::new(address.clone(), record);
                last_queue = last_queue.max(queue.id);
                let mut index = queue.index();
                snapshot.visit(&STATES, &Scan::prefix((queue.id,)), |(_, sequence), state| {
                    last_message = last_message.max(sequence);
                    match decode_state(&state.0) {
                        Some(arrival) if sequence > purged_through => index.restore(sequence, arrival, now),
                        Some(_) => {}
                        None => tracing::error!(queue = %queue.address.name, sequence, "a message's state is damaged"),
                    }
                    ControlFlow::Continue(())
                })?;
                drop(index);
                queues.insert(address, Arc::new(queue));
            }
            Ok::<_, store::Error>(())
        })?;
        Ok((Self { queues: RwLock::new(queues) }, last_queue, last_message))
    }

    /// Finds a queue.
    pub fn find(&self, address: &Address) -> Option<Arc<Queue>> {
        let queues = self.queues.read().unwrap_or_else(PoisonError::into_inner);
        queues.get(address).filter(|queue| !queue.is_gone()).cloned()
    }

    /// Every queue of a scope, by name.
    pub fn of_scope(&self, scope: &Scope) -> Vec<Arc<Queue>> {
        let mut found = self.filtered(|queue| queue.address.scope == *scope);
        found.sort_by(|one, other| one.address.name.cmp(&other.address.name));
        found
    }

    /// Every queue.
    pub fn all(&self) -> Vec<Arc<Queue>> {
        self.filtered(|_| true)
    }

    fn filtered(&self, fits: impl Fn(&Queue) -> bool) -> Vec<Arc<Queue>> {
        let queues = self.queues.read().unwrap_or_else(PoisonError::into_inner);
        queues.values().filter(|queue| !queue.is_gone() && fits(queue)).cloned().collect()
    }

    /// The queue of a stored record, which may be new.
    pub fn adopt(&self, address: &Address, record: QueueRecord) -> Arc<Queue> {
        let mut queues = self.queues.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = queues.get(address).filter(|known| known.id >= record.id) {
            return Arc::clone(known);
        }
        let queue = Arc::new(Queue::new(address.clone(), record));
        queues.insert(address.clone(), Arc::clone(&queue));
        queue
    }

    /// Forgets a queue that was deleted, unless its name belongs to another by now.
    pub fn forget(&self, address: &Address, id: QueueId) {
        let mut queues = self.queues.write().unwrap_or_else(PoisonError::into_inner);
        if queues.get(address).is_some_and(|known| known.id == id) {
            queues.remove(address);
        }
    }

    /// Forgets everything.
    pub fn clear(&self) {
        let mut queues = self.queues.write().unwrap_or_else(PoisonError::into_inner);
        for (_, queue) in queues.drain() {
            queue.set_gone(true);
        }
    }
}
