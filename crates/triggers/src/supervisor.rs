//! Keeps as many pollers as there are mappings to poll.

use std::collections::HashMap;
use std::sync::Arc;

use domain::Scope;
use lambda::MappingRecord;
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use crate::Shared;
use crate::poller;

/// Tells a poller what its mapping is now; closing it ends the poller.
type Running = watch::Sender<Arc<MappingRecord>>;

/// Runs until it is told to stop. `alive` is closed when the last poller and the last batch have ended.
pub async fn run(shared: Arc<Shared>, mut stopped: watch::Receiver<bool>, alive: mpsc::Sender<()>) {
    let mut changed = shared.lambda.mappings_changed();
    let mut running: HashMap<(Scope, Uuid), Running> = HashMap::new();
    loop {
        match shared.lambda.mappings() {
            Ok(mappings) => settle(&shared, &mut running, mappings, &alive),
            Err(error) => tracing::error!(%error, "event source mappings cannot be read"),
        }
        tokio::select! {
            change = changed.changed() => {
                if change.is_err() {
                    return;
                }
            }
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
    }
}

/// Ends pollers whose mapping is gone or disabled, tells others of changes, starts those that are missing.
fn settle(
    shared: &Arc<Shared>,
    running: &mut HashMap<(Scope, Uuid), Running>,
    mappings: Vec<MappingRecord>,
    alive: &mpsc::Sender<()>,
) {
    let mut wanted: HashMap<_, _> = mappings
        .into_iter()
        .filter(MappingRecord::is_polled)
        .map(|mapping| (mapping.key(), mapping))
        .collect();
    running.retain(|key, poller| {
        let Some(mapping) = wanted.remove(key) else { return false };
        poller.send_if_modified(|known| {
            let differs = !is_same(known, &mapping);
            if differs {
                *known = Arc::new(mapping);
            }
            differs
        });
        true
    });
    for (key, mapping) in wanted {
        let (poller, told) = watch::channel(Arc::new(mapping));
        tokio::spawn(poller::run(Arc::clone(shared), told, alive.clone()));
        running.insert(key, poller);
    }
}

/// Whether two records ask for the same. What came of the last batch, and how far a change is, asks for nothing.
fn is_same(one: &MappingRecord, other: &MappingRecord) -> bool {
    one.settings == other.settings
        && one.function == other.function
        && one.qualifier == other.qualifier
        && one.source_arn == other.source_arn
}
