//! Event sources that are polled: whatever a mapping names is fetched, filtered, batched, given to the function, and
//! settled by what the function answered.
//!
//! [`supervisor`] compares the mappings in the store with the pollers that run, at the start and whenever a mapping
//! changes: a restart after a crash is the same path as a first start. A poller waits for its source to wake it; none
//! looks again and again.
//!
//! What is decided ([`filter`], [`batch`], [`scaling`], [`verdict`]) is pure; [`poller`] only acts.

mod batch;
mod filter;
mod poller;
mod scaling;
mod sqs_record;
mod supervisor;
mod verdict;
mod work;

use std::sync::Arc;
use std::time::Duration;

use clock::Time;
use lambda::Lambda;
use sqs::Sqs;
use tokio::sync::{Mutex, mpsc, watch};

/// Whether a role, used for the function with an ARN, may do something to a resource, by its own policies.
pub type RoleMay = Arc<dyn Fn(&str, &str, &str, &str) -> bool + Send + Sync>;

/// What pollers are started with.
pub struct Options {
    /// Where mappings and functions are.
    pub lambda: Lambda,
    /// Where queues are.
    pub sqs: Sqs,
    /// The server's time.
    pub time: Time,
    /// Whether a function's role may read its source.
    pub role_may: RoleMay,
}

/// What every poller shares.
struct Shared {
    lambda: Lambda,
    sqs: Sqs,
    time: Time,
    role_may: RoleMay,
}

/// The pollers of a server.
pub struct Triggers {
    stop: watch::Sender<bool>,
    /// Closed when the last batch is settled.
    ended: Mutex<mpsc::Receiver<()>>,
}

impl Triggers {
    /// Starts to poll whatever mappings say. Needs a runtime.
    pub fn start(options: Options) -> Self {
        let Options { lambda, sqs, time, role_may } = options;
        let (stop, stopped) = watch::channel(false);
        let (alive, ended) = mpsc::channel(1);
        let shared = Arc::new(Shared { lambda, sqs, time, role_may });
        tokio::spawn(supervisor::run(shared, stopped, alive));
        Self { stop, ended: Mutex::new(ended) }
    }

    /// Fetches nothing more. What was fetched still goes to its function.
    pub fn fetch_no_more(&self) {
        self.stop.send_replace(true);
    }

    /// Fetches nothing more, and waits until what was fetched is settled, but not for ever.
    pub async fn stop(&self, patience: Duration) {
        self.fetch_no_more();
        let mut ended = self.ended.lock().await;
        if tokio::time::timeout(patience, ended.recv()).await.is_err() {
            tracing::warn!("batches are still with their functions; their messages will be received again");
        }
    }
}
