//! A sandbox's processes: what its init is asked, and what it reports.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::net::unix::pipe;
use tokio::net::{TcpSocket, TcpStream, UnixStream};
use tokio::sync::{oneshot, watch};
use tracing::warn;

use crate::message::{self, InitReply, InitRequest};
use crate::sandboxes::lock;
use crate::socket::{Socket, gone_or};
use crate::{Command, Error, Exit, channel};

/// SIGKILL; also what is said of a process that went away with its sandbox.
const KILLED: Exit = Exit::Signal(9);

/// A process in a sandbox.
#[derive(Debug)]
pub struct Process {
    /// What it writes to standard output.
    pub stdout: pipe::Receiver,
    /// What it writes to standard error.
    pub stderr: pipe::Receiver,
    /// The other end of its descriptor 3.
    pub control: UnixStream,
    /// Its process id inside the sandbox.
    pub pid: i32,
    id: u64,
    init: Arc<Init>,
    exit: watch::Receiver<Option<Exit>>,
}

impl Process {
    /// Completes when the process has ended; may be asked for any number of times.
    pub fn exited(&self) -> impl Future<Output = Exit> + Send + 'static {
        let mut exit = self.exit.clone();
        async move {
            let ended = exit.wait_for(Option::is_some).await.ok().and_then(|exit| *exit);
            ended.unwrap_or(KILLED)
        }
    }

    /// Sends a signal; none when it has ended.
    pub async fn signal(&self, signal: i32) -> Result<(), Error> {
        self.signaller().signal(signal).await
    }

    /// What can send it signals after the process's parts were taken apart.
    pub fn signaller(&self) -> Signaller {
        Signaller { id: self.id, init: Arc::clone(&self.init) }
    }
}

/// Sends signals to one process of a sandbox.
#[derive(Clone, Debug)]
pub struct Signaller {
    id: u64,
    init: Arc<Init>,
}

impl Signaller {
    /// Sends a signal; none when the process has ended.
    pub async fn signal(&self, signal: i32) -> Result<(), Error> {
        self.init.request(&InitRequest::Signal { process: self.id, signal }).await
    }
}

/// Connects to what a sandbox's processes listen at.
#[derive(Clone, Debug)]
pub struct Dialer(pub(crate) Arc<Init>);

impl Dialer {
    /// Connects to a port of the sandbox's own loopback.
    pub async fn connect(&self, port: u16) -> Result<TcpStream, Error> {
        let describe = Error::io("connect into a sandbox");
        let socket = std::net::TcpStream::from(self.0.socket().await?);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        TcpSocket::from_std_stream(socket).connect(address).await.map_err(describe)
    }
}

/// The socket to a sandbox's init.
#[derive(Debug)]
pub(crate) struct Init {
    socket: Socket,
    next_id: AtomicU64,
    waiting: Mutex<HashMap<u64, Waiting>>,
}

/// Who waits for what the init says about an id.
#[derive(Debug)]
enum Waiting {
    Start {
        started: oneshot::Sender<Result<Started, Failure>>,
        exit: watch::Sender<Option<Exit>>,
        pipes: Vec<OwnedFd>,
    },
    Exit(watch::Sender<Option<Exit>>),
    Done(oneshot::Sender<Result<(), Failure>>),
    Socket(oneshot::Sender<Result<OwnedFd, Failure>>),
}

#[derive(Debug)]
struct Started {
    pid: i32,
    pipes: Vec<OwnedFd>,
}

#[derive(Debug)]
struct Failure {
    step: String,
    errno: i32,
}

impl Init {
    pub(crate) fn new(socket: OwnedFd) -> io::Result<Arc<Self>> {
        let socket = Socket::register(socket)?;
        let init = Arc::new(Self { socket, next_id: AtomicU64::new(1), waiting: Mutex::default() });
        tokio::spawn(read_reports(Arc::clone(&init)));
        Ok(init)
    }

    pub(crate) async fn start(self: &Arc<Self>, command: Command) -> Result<Process, Error> {
        let program = command.argv.first().cloned().unwrap_or_default();
        let (control, theirs) =
            std::os::unix::net::UnixStream::pair().map_err(Error::io("make a control socket"))?;
        control.set_nonblocking(true).map_err(Error::io("prepare a control socket"))?;
        let (started, answer) = oneshot::channel();
        let (exit_sender, exit) = watch::channel(None);
        let waiting = Waiting::Start { started, exit: exit_sender, pipes: Vec::new() };
        let id = self.ask(&InitRequest::Start(command), waiting, Some(theirs.into())).await?;
        let started = answer.await.map_err(|_| Error::SandboxGone)?;
        let Started { pid, pipes } = started.map_err(|failure| {
            let source = io::Error::from_raw_os_error(failure.errno);
            Error::Start { program, step: failure.step, source }
        })?;
        let Ok([stdout, stderr]) = <[OwnedFd; 2]>::try_from(pipes) else {
            return Err(Error::Refused("the sandbox's init sent no pipes".into()));
        };
        Ok(Process {
            stdout: pipe::Receiver::from_owned_fd(stdout).map_err(Error::io("register a pipe"))?,
            stderr: pipe::Receiver::from_owned_fd(stderr).map_err(Error::io("register a pipe"))?,
            control: UnixStream::from_std(control).map_err(Error::io("register a control socket"))?,
            pid,
            id,
            init: Arc::clone(self),
            exit,
        })
    }

    /// Asks for something that is answered by [`InitReply::Done`].
    pub(crate) async fn request(&self, request: &InitRequest) -> Result<(), Error> {
        let (sender, answer) = oneshot::channel();
        self.ask(request, Waiting::Done(sender), None).await?;
        answer.await.map_err(|_| Error::SandboxGone)?.map_err(|failure| {
            let source = io::Error::from_raw_os_error(failure.errno);
            Error::Io { what: failure.step, source }
        })
    }

    /// A socket of the sandbox's network.
    async fn socket(&self) -> Result<OwnedFd, Error> {
        let (sender, answer) = oneshot::channel();
        self.ask(&InitRequest::Socket, Waiting::Socket(sender), None).await?;
        answer.await.map_err(|_| Error::SandboxGone)?.map_err(|failure| {
            let source = io::Error::from_raw_os_error(failure.errno);
            Error::Io { what: failure.step, source }
        })
    }

    async fn ask(&self, request: &InitRequest, waiting: Waiting, fd: Option<OwnedFd>) -> Result<u64, Error> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let bytes = message::encode(id, request);
        if bytes.len() > channel::MESSAGE_BYTES_MAX {
            return Err(Error::TooLarge { bytes: bytes.len(), bytes_max: channel::MESSAGE_BYTES_MAX });
        }
        lock(&self.waiting).insert(id, waiting);
        if let Err(error) = self.socket.send(&bytes, fd.as_ref()).await {
            lock(&self.waiting).remove(&id);
            return Err(gone_or(error, Error::SandboxGone));
        }
        Ok(id)
    }

    /// The init ends when its socket closes, and the sandbox's processes with it.
    pub(crate) fn close(&self) {
        self.socket.close();
    }

    fn on(&self, id: u64, reply: InitReply, fds: Vec<OwnedFd>) {
        let mut waiting = lock(&self.waiting);
        let next = match (waiting.remove(&id), reply) {
            (Some(Waiting::Start { started, exit, .. }), InitReply::Pipes) => {
                Some(Waiting::Start { started, exit, pipes: fds })
            }
            (Some(Waiting::Start { started, exit, pipes }), InitReply::Started { pid }) => {
                // Whoever started it may have stopped waiting; its pipes then close here.
                let _ = started.send(Ok(Started { pid, pipes }));
                Some(Waiting::Exit(exit))
            }
            (Some(Waiting::Start { started, .. }), InitReply::Failed { step, errno }) => {
                let _ = started.send(Err(Failure { step, errno }));
                None
            }
            (Some(Waiting::Exit(sender)), InitReply::Exited(exit)) => {
                sender.send_replace(Some(exit));
                None
            }
            (Some(Waiting::Done(sender)), InitReply::Done) => {
                let _ = sender.send(Ok(()));
                None
            }
            (Some(Waiting::Done(sender)), InitReply::Failed { step, errno }) => {
                let _ = sender.send(Err(Failure { step, errno }));
                None
            }
            (Some(Waiting::Socket(sender)), InitReply::Socket) => {
                let lost = || Failure {
                    step: "receive a socket".into(),
                    errno: rustix::io::Errno::BADMSG.raw_os_error(),
                };
                let _ = sender.send(fds.into_iter().next().ok_or_else(lost));
                None
            }
            (Some(Waiting::Socket(sender)), InitReply::Failed { step, errno }) => {
                let _ = sender.send(Err(Failure { step, errno }));
                None
            }
            (other, reply) => {
                warn!(id, ?reply, "unexpected report from a sandbox's init");
                other
            }
        };
        if let Some(next) = next {
            waiting.insert(id, next);
        }
    }
}

/// Hands reports to those who wait, until the sandbox ends.
async fn read_reports(init: Arc<Init>) {
    while let Ok(Some(packet)) = init.socket.receive().await {
        match message::decode::<InitReply>(&packet.bytes) {
            Ok((id, reply)) => init.on(id, reply, packet.fds),
            Err(error) => warn!(%error, "a sandbox's init sent something else than a report"),
        }
    }
    // Dropping the senders tells everyone who still waits: starts fail, and exits read as killed.
    lock(&init.waiting).clear();
}
