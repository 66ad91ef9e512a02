//! The launcher seen from async code: requests out, replies by id.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tracing::warn;

use crate::message::{self, Fd, Location, Reply, Request};
use crate::net::{Network, NetworkOptions};
use crate::socket::{Socket, gone_or};
use crate::{Error, Launcher, Limits, Sandbox, Strength, TemplateSpec, channel};

/// What `/tmp` is before a function's size is known; its default on Lambda.
pub(crate) const TMP_MIB_INITIAL: u32 = 512;

/// Makes templates and sandboxes. Cheap to clone; the launcher ends when the last clone and sandbox are dropped.
#[derive(Clone, Debug)]
pub struct Sandboxes {
    shared: Arc<Shared>,
    _open: Arc<Open>,
}

/// The read-only root of a runtime, from which sandboxes are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(u32);

#[derive(Debug)]
struct Shared {
    socket: Socket,
    pending: Mutex<HashMap<u64, oneshot::Sender<Answer>>>,
    next_id: AtomicU64,
    templates: Mutex<HashMap<TemplateSpec, Template>>,
    strength: Strength,
    roots: Vec<PathBuf>,
    network: Network,
    runtime: Handle,
    child: Mutex<Option<Child>>,
}

/// Closes the socket when no handle is left, whoever still waits for a reply.
#[derive(Debug)]
struct Open(Arc<Shared>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.socket.close();
    }
}

#[derive(Debug)]
struct Answer {
    reply: Reply,
    fds: Vec<OwnedFd>,
}

impl Sandboxes {
    pub(crate) fn new(launcher: Launcher, network: NetworkOptions) -> Result<Self, Error> {
        let shared = Arc::new(Shared {
            socket: Socket::register(launcher.socket).map_err(Error::io("register the launcher's socket"))?,
            pending: Mutex::default(),
            next_id: AtomicU64::new(1),
            templates: Mutex::default(),
            strength: launcher.strength,
            roots: launcher.roots,
            network: Network::new(network).map_err(Error::io("prepare the sandboxes' network"))?,
            runtime: Handle::current(),
            child: Mutex::new(Some(launcher.child)),
        });
        tokio::spawn(read_replies(Arc::clone(&shared)));
        Ok(Self { _open: Arc::new(Open(Arc::clone(&shared))), shared })
    }

    /// Which limits this machine enforces.
    pub fn strength(&self) -> &Strength {
        &self.shared.strength
    }

    /// What serves the sandboxes' networks.
    pub fn network(&self) -> &Network {
        &self.shared.network
    }

    /// Makes the read-only root of a runtime; an equal spec gives the one made before.
    pub async fn template(&self, spec: TemplateSpec) -> Result<Template, Error> {
        if let Some(known) = lock(&self.shared.templates).get(&spec) {
            return Ok(known.clone());
        }
        match self.shared.request(&Request::Template(spec.clone())).await?.reply {
            Reply::Template { template } => {
                let template = Template(template);
                Ok(lock(&self.shared.templates).entry(spec).or_insert(template).clone())
            }
            other => Err(refused(other)),
        }
    }

    /// Makes a sandbox with nothing of any function inside, its init waiting. A millisecond or two: for a pool.
    pub async fn create(&self, template: &Template, limits: Limits) -> Result<Sandbox, Error> {
        let sandboxes = self.clone();
        let request = Request::Create { template: template.0, limits, tmp_mib: TMP_MIB_INITIAL };
        // A task of its own: when the caller goes away meanwhile, the sandbox is dropped and so destroyed.
        let made = tokio::spawn(async move {
            let Answer { reply, fds } = sandboxes.shared.request(&request).await?;
            match reply {
                Reply::Created { sandbox, fds: kinds } => sandboxes.assemble(sandbox, kinds, fds),
                other => Err(refused(other)),
            }
        });
        made.await.unwrap_or(Err(Error::LauncherGone))
    }

    fn assemble(self, id: u64, kinds: Vec<Fd>, fds: Vec<OwnedFd>) -> Result<Sandbox, Error> {
        let network = self.shared.network.clone();
        let sandboxes = self.clone();
        Sandbox::assemble(self, id, kinds, fds, &network).inspect_err(|_| sandboxes.destroy_later(id))
    }

    pub(crate) async fn specialise(
        &self,
        sandbox: u64,
        task: &Path,
        opt: Option<&Path>,
        tmp_mib: u32,
    ) -> Result<(), Error> {
        let task = self.shared.locate(task)?;
        let opt = opt.map(|opt| self.shared.locate(opt)).transpose()?;
        match self.shared.request(&Request::Specialise { sandbox, task, opt, tmp_mib }).await?.reply {
            Reply::Specialised => Ok(()),
            other => Err(refused(other)),
        }
    }

    pub(crate) async fn destroy(&self, sandbox: u64) -> Result<(), Error> {
        match self.shared.request(&Request::Destroy { sandbox }).await?.reply {
            Reply::Destroyed => Ok(()),
            other => Err(refused(other)),
        }
    }

    /// For drops, which cannot wait.
    pub(crate) fn destroy_later(&self, sandbox: u64) {
        let sandboxes = self.clone();
        self.shared.runtime.spawn(async move {
            match sandboxes.destroy(sandbox).await {
                // Its sandboxes ended with it.
                Ok(()) | Err(Error::LauncherGone) => {}
                Err(error) => warn!(sandbox, %error, "cannot destroy a sandbox"),
            }
        });
    }

    /// Ends the launcher, and with it every sandbox, and waits until nothing of them is left.
    pub async fn shutdown(&self) {
        // Taken first: at the end of the socket the reader would take it.
        let child = lock(&self.shared.child).take();
        self.shared.socket.close();
        if let Some(mut child) = child {
            // The launcher ends by itself; waiting fails only when someone else has waited for it.
            let _ = tokio::task::spawn_blocking(move || child.wait()).await;
        }
    }

    /// The launcher's process id, for diagnostics.
    pub fn launcher_pid(&self) -> Option<u32> {
        lock(&self.shared.child).as_ref().map(Child::id)
    }
}

impl Shared {
    /// Sends a request and waits for its reply. Dropping the future leaves the request to run.
    async fn request(&self, request: &Request) -> Result<Answer, Error> {
        request.check().map_err(Error::Refused)?;
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let bytes = message::encode(id, request);
        if bytes.len() > channel::MESSAGE_BYTES_MAX {
            return Err(Error::TooLarge { bytes: bytes.len(), bytes_max: channel::MESSAGE_BYTES_MAX });
        }
        let (sender, receiver) = oneshot::channel();
        lock(&self.pending).insert(id, sender);
        if let Err(error) = self.socket.send(&bytes, None).await {
            lock(&self.pending).remove(&id);
            return Err(gone_or(error, Error::LauncherGone));
        }
        receiver.await.map_err(|_| Error::LauncherGone)
    }

    /// Finds the root that a code directory is below.
    fn locate(&self, path: &Path) -> Result<Location, Error> {
        let found = self.roots.iter().enumerate().find_map(|(root, directory)| {
            let path = path.strip_prefix(directory).ok()?.to_owned();
            Some(Location { root, path })
        });
        found.ok_or_else(|| Error::OutsideRoots(path.to_owned()))
    }
}

/// Hands replies to those who wait, until the launcher closes the socket.
async fn read_replies(shared: Arc<Shared>) {
    while let Ok(Some(packet)) = shared.socket.receive().await {
        match message::decode::<Reply>(&packet.bytes) {
            Ok((id, reply)) => {
                if let Some(waiting) = lock(&shared.pending).remove(&id) {
                    // Whoever asked may have stopped waiting.
                    let _ = waiting.send(Answer { reply, fds: packet.fds });
                }
            }
            Err(error) => warn!(%error, "the sandbox launcher sent something else than a reply"),
        }
    }
    // Dropping the senders tells everyone who still waits.
    lock(&shared.pending).clear();
    let child = lock(&shared.child).take();
    if let Some(mut child) = child {
        // Reaps the launcher; nobody waits for the result.
        let _ = tokio::task::spawn_blocking(move || child.wait()).await;
    }
}

fn refused(reply: Reply) -> Error {
    match reply {
        Reply::Failed(why) => Error::Refused(why),
        other => Error::Refused(format!("the launcher answered {other:?}")),
    }
}

/// A poisoned lock is harmless here: every change under these locks is a single insert or remove.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
