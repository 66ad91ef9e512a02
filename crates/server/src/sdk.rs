//! The SDKs beside the runtimes are installed in the background at the first start. The server is ready meanwhile; an
//! environment of a family whose SDK is still on its way waits for it, since its code may import it.

use std::sync::Arc;

use domain::{Family, FunctionVersion};
use engine::isolation::{BoxFuture, Cell, Isolation, Linux, StartError};
use runtimes::Catalogue;
use runtimes::sdk::{Progress, ensure};
use tokio::sync::watch;

/// Environments in sandboxes, once the SDK of their runtime is there or cannot be had.
pub struct AfterSdk {
    linux: Linux,
    ready: Vec<(Family, watch::Receiver<bool>)>,
}

impl AfterSdk {
    /// Begins to install what is missing, and says so on standard error.
    pub fn start(linux: Linux, catalogue: &Arc<Catalogue>) -> Self {
        let has = |family| catalogue.interpreters().any(|interpreter| interpreter.family == family);
        let families = [Family::Python, Family::Node].into_iter().filter(|family| has(*family));
        let ready =
            families.map(|family| (family, install(family, linux.clone(), Arc::clone(catalogue)))).collect();
        Self { linux, ready }
    }
}

fn install(family: Family, linux: Linux, catalogue: Arc<Catalogue>) -> watch::Receiver<bool> {
    let (done, ready) = watch::channel(false);
    tokio::spawn(async move {
        let (told, mut heard) = watch::channel(false);
        let outcome = ensure(&catalogue, family, move |progress| {
            told.send_replace(true);
            eprintln!("hearth: {}", describe(&progress));
        })
        .await;
        match outcome {
            // What was there already is not news.
            Ok(installed) if *heard.borrow_and_update() => {
                for one in installed {
                    eprintln!("hearth: {} {} is there", one.what, one.version);
                }
                linux.refresh();
            }
            Ok(_) => {}
            Err(error) => eprintln!("hearth: {error}"),
        }
        done.send_replace(true);
    });
    ready
}

fn describe(progress: &Progress) -> String {
    match progress {
        Progress::Waiting { what } => format!("another process is installing {what}; waiting for it"),
        Progress::Installing { what, tool } => {
            format!("installing {what} for functions with {tool} (once) …")
        }
        Progress::Compiling { what, interpreter } => format!("compiling {what} for {interpreter} …"),
    }
}

impl Isolation for AfterSdk {
    fn acquire<'a>(
        &'a self,
        version: &'a Arc<FunctionVersion>,
    ) -> BoxFuture<'a, Result<Box<dyn Cell>, StartError>> {
        Box::pin(async move {
            if let Some((_, ready)) =
                self.ready.iter().find(|(family, _)| *family == version.runtime.family())
            {
                // An error means that the installing task is gone: then there is nothing to wait for.
                let _ = ready.clone().wait_for(|ready| *ready).await;
            }
            self.linux.acquire(version).await
        })
    }

    fn expect(&self, version: &FunctionVersion) {
        let family = version.runtime.family();
        // What is made before the SDK is there would have to be made again.
        if self.ready.iter().all(|(of, ready)| *of != family || *ready.borrow()) {
            self.linux.expect(version);
        }
    }

    fn available_memory_mib(&self) -> u64 {
        self.linux.available_memory_mib()
    }
}
