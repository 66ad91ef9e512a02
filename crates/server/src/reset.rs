//! Empties an ephemeral server, for test suites that want a clean one without a new process.

use deliveries::Deliveries;
use engine::Engine;
use events::Events;
use lambda::Lambda;
use logs::Logs;
use metrics::Metrics;
use s3::S3;
use scheduler::Scheduler;
use sqs::Sqs;
use store::Store;

/// Everything that remembers.
pub struct Reset {
    pub store: Store,
    pub deliveries: Deliveries,
    pub metrics: Metrics,
    pub engine: Engine,
    pub lambda: Lambda,
    pub logs: Logs,
    pub sqs: Sqs,
    pub events: Events,
    pub scheduler: Scheduler,
    pub s3: S3,
    /// Hearth's own paths carry no signature, so a server that demands one does not offer this.
    pub demands_signatures: bool,
}

impl Reset {
    /// Forgets all resources and stops their environments; the message says why not.
    pub async fn run(&self) -> Result<(), String> {
        if !self.store.is_ephemeral() {
            return Err(
                "This server keeps its data: only one started with --ephemeral can be reset.".to_owned()
            );
        }
        if self.demands_signatures {
            return Err(
                "This server demands signed requests (--auth), and a reset has no signature.".to_owned()
            );
        }
        for function in self.lambda.reset() {
            self.engine.forget(&function);
        }
        self.store.reset().await.map_err(|error| error.to_string())?;
        self.deliveries.reset();
        self.metrics.reset();
        self.logs.reset();
        self.sqs.reset();
        self.events.reset();
        self.scheduler.reset();
        self.s3.reset();
        Ok(())
    }
}
