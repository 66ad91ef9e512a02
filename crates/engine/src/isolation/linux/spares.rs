//! Sandboxes that were made ahead of time, for each runtime in use, with nothing of any function inside.
//!
//! A start takes one and rings; a task of its own makes the next, one at a time and not while starts are coming in, so
//! that refilling never stands in a start's way. A runtime started ahead of time will be kept here, too.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use domain::{Runtime, limits};
use runtimes::Serving;
use sandbox::{Cpu, Limits, Sandbox, Sandboxes, Template};
use tokio::sync::mpsc;

use super::fault;
use crate::isolation::{Fault, StartError};

/// How long no sandbox must have been taken before the next one is made.
const QUIET: Duration = Duration::from_millis(3);
/// Until the function's own limits are set.
const MEMORY_MIB_INITIAL: u32 = 512;

pub(super) struct Spares {
    sandboxes: Sandboxes,
    count: usize,
    shelves: Mutex<HashMap<Runtime, Shelf>>,
    taken: mpsc::UnboundedSender<Serving>,
}

#[derive(Default)]
struct Shelf {
    template: Option<Template>,
    ready: Vec<Sandbox>,
}

impl Spares {
    pub(super) fn start(sandboxes: Sandboxes, count: usize) -> Arc<Self> {
        let (taken, receiver) = mpsc::unbounded_channel();
        let spares = Arc::new(Self { sandboxes, count, shelves: Mutex::default(), taken });
        tokio::spawn(refill(Arc::downgrade(&spares), receiver));
        spares
    }

    /// A sandbox of the runtime: a ready one, or a new one.
    pub(super) async fn take(&self, serving: &Serving) -> Result<Sandbox, StartError> {
        let ready = self.shelves().get_mut(&serving.runtime()).and_then(|shelf| shelf.ready.pop());
        let sandbox = match ready {
            Some(sandbox) => sandbox,
            None => self.make(serving).await?,
        };
        // Nobody refills once the engine is gone.
        let _ = self.taken.send(serving.clone());
        Ok(sandbox)
    }

    pub(super) fn refresh(&self) {
        self.shelves().clear();
    }

    fn shelves(&self) -> MutexGuard<'_, HashMap<Runtime, Shelf>> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn make(&self, serving: &Serving) -> Result<Sandbox, Fault> {
        let template = self.template(serving).await?;
        let limits = Limits { memory_mib: MEMORY_MIB_INITIAL, cpu: Cpu::Full, pids: limits::PROCESSES };
        self.sandboxes.create(&template, limits).await.map_err(fault)
    }

    async fn template(&self, serving: &Serving) -> Result<Template, Fault> {
        let known = self.shelves().get(&serving.runtime()).and_then(|shelf| shelf.template.clone());
        if let Some(template) = known {
            return Ok(template);
        }
        let asked = serving.clone();
        let spec = tokio::task::spawn_blocking(move || asked.template()).await.map_err(fault)?;
        let template = self.sandboxes.template(spec).await.map_err(fault)?;
        self.shelves().entry(serving.runtime()).or_default().template = Some(template.clone());
        Ok(template)
    }

    fn is_short(&self, runtime: Runtime) -> bool {
        self.shelves().get(&runtime).is_none_or(|shelf| shelf.ready.len() < self.count)
    }
}

async fn refill(spares: Weak<Spares>, mut taken: mpsc::UnboundedReceiver<Serving>) {
    while let Some(first) = taken.recv().await {
        let mut wanted = HashMap::from([(first.runtime(), first)]);
        loop {
            while let Ok(more) = tokio::time::timeout(QUIET, taken.recv()).await {
                let Some(more) = more else { return };
                wanted.insert(more.runtime(), more);
            }
            let Some(spares) = spares.upgrade() else { return };
            wanted.retain(|runtime, _| spares.is_short(*runtime));
            let Some(serving) = wanted.values().next().cloned() else { break };
            match spares.make(&serving).await {
                Ok(sandbox) => spares.shelves().entry(serving.runtime()).or_default().ready.push(sandbox),
                // The next start will try itself, and say what is wrong.
                Err(error) => {
                    tracing::warn!(runtime = %serving.runtime(), %error, "sandbox not made ahead of time");
                    break;
                }
            }
        }
    }
}
