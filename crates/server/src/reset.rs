//! Empties an ephemeral server, for test suites that want a clean one without a new process.

use engine::Engine;
use lambda::Lambda;
use logs::Logs;
use store::Store;

/// Everything that remembers.
pub struct Reset {
    pub store: Store,
    pub engine: Engine,
    pub lambda: Lambda,
    pub logs: Logs,
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
            self.engine.retire(&function, []);
        }
        self.store.reset().await.map_err(|error| error.to_string())?;
        self.logs.reset();
        Ok(())
    }
}
