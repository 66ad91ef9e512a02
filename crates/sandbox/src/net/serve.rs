//! Serves the sockets of sandboxes on the server's event loop.

use super::dns::{NameServer, QUERY_LEN_MAX, Resolvers, Transport};
use super::policy::{Policy, PolicyOptions, Verdict};
use super::routes::Routes;
use super::set_up::{Interception, NetSockets};
use super::{SandboxId, dns, proxy, sockets};
use std::fmt;
use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Connections that one sandbox may hold through Hearth, unless configured otherwise: the descriptors that a
/// function has on Lambda. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
pub const CONNECTIONS_MAX: usize = 1024;
/// Part of them that one sandbox may hold, so that it does not take those of all others.
const SHARE_OF_ONE: usize = 4;
/// Part of the server's descriptors that connections of sandboxes may be: each is up to two, and the server's own
/// listeners, its callers and its store need the rest.
const DESCRIPTORS_PER_CONNECTION: u64 = 4;
/// Where the server's descriptors have no limit.
const CONNECTIONS_IN_ALL: usize = 64 * 1024;
/// Questions of one sandbox under way at a time; further ones wait in its socket.
const QUERIES_MAX: usize = 64;
/// How long a DNS connection may be silent.
const DNS_IDLE_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause when the server is out of descriptors or memory: accepting again at once would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const DNS_PORT: u16 = 53;

/// What the networks of all sandboxes share.
pub struct NetworkOptions {
    /// Which destinations functions may reach.
    pub policy: PolicyOptions,
    /// Names that mean Hearth itself, with all names below them: the host name in URLs that Hearth returns.
    pub hostnames: Vec<String>,
    /// Where the host's resolvers are listed.
    pub resolv_conf: PathBuf,
    /// Connections that one sandbox may hold: [`CONNECTIONS_MAX`] unless there is a reason.
    pub connections_max: usize,
    /// Connections that all sandboxes together may hold; one of them holds a quarter at most. As many as the server's
    /// limit on open files allows, unless there is a reason.
    pub connections_in_all_max: usize,
    /// Takes the connections that sandboxes make to Hearth's endpoint. Must not block.
    pub endpoint: Arc<dyn Fn(EndpointConnection) + Send + Sync>,
}

impl NetworkOptions {
    /// The usual network, with these destinations and this endpoint.
    pub fn new(policy: PolicyOptions, endpoint: Arc<dyn Fn(EndpointConnection) + Send + Sync>) -> Self {
        Self {
            policy,
            hostnames: Vec::new(),
            resolv_conf: PathBuf::from("/etc/resolv.conf"),
            connections_max: CONNECTIONS_MAX,
            connections_in_all_max: affordable_connections(),
            endpoint,
        }
    }
}

fn affordable_connections() -> usize {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let affordable = files.and_then(|files| usize::try_from(files / DESCRIPTORS_PER_CONNECTION).ok());
    affordable.unwrap_or(CONNECTIONS_IN_ALL).clamp(1, CONNECTIONS_IN_ALL)
}

impl fmt::Debug for NetworkOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetworkOptions")
            .field("policy", &self.policy)
            .field("hostnames", &self.hostnames)
            .field("connections_max", &self.connections_max)
            .field("connections_in_all_max", &self.connections_in_all_max)
            .finish_non_exhaustive()
    }
}

/// A connection that a sandbox made to Hearth's endpoint.
#[derive(Debug)]
pub struct EndpointConnection {
    /// The connection, at its first byte, `TCP_NODELAY` set.
    pub stream: TcpStream,
    /// Who made it.
    pub sandbox: SandboxId,
    /// Counts against the sandbox's connections until dropped: keep it as long as the stream.
    pub permit: ConnectionPermit,
}

/// One of the connections that a sandbox may hold.
#[derive(Debug)]
pub struct ConnectionPermit(#[expect(dead_code, reason = "held for its drop")] [OwnedSemaphorePermit; 2]);

/// What serves the networks of all sandboxes. Cheap to clone.
#[derive(Clone)]
pub struct Network(Arc<Shared>);

struct Shared {
    policy: Policy,
    routes: Routes,
    name_server: NameServer,
    connections_max: usize,
    /// Of all sandboxes.
    connections: Arc<Semaphore>,
    said_full: AtomicBool,
    endpoint: Arc<dyn Fn(EndpointConnection) + Send + Sync>,
}

impl Network {
    /// Prepares to serve. Functions are kept from every address of the network namespace this is called in.
    pub fn new(options: NetworkOptions) -> io::Result<Self> {
        let policy = Policy::new(options.policy);
        let resolvers = Resolvers::new(options.resolv_conf);
        Ok(Self(Arc::new(Shared {
            name_server: NameServer::new(&options.hostnames, resolvers, policy.internet()),
            policy,
            routes: Routes::open()?,
            connections_max: options
                .connections_max
                .min((options.connections_in_all_max / SHARE_OF_ONE).max(1)),
            connections: Arc::new(Semaphore::new(options.connections_in_all_max)),
            said_full: AtomicBool::new(false),
            endpoint: options.endpoint,
        })))
    }

    /// The policy in force.
    pub fn policy(&self) -> &Policy {
        &self.0.policy
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").field("policy", &self.0.policy).finish_non_exhaustive()
    }
}

/// The network of one sandbox, being served.
#[derive(Debug)]
pub struct SandboxNetwork {
    /// The Runtime API's listener, for the engine.
    pub runtime_api: TcpListener,
    /// Keep it as long as the sandbox.
    pub services: Services,
}

/// The tasks that serve one sandbox. Dropping it closes the sandbox's sockets and every connection it proxies.
#[derive(Debug)]
pub struct Services(#[expect(dead_code, reason = "held for its drop")] JoinSet<()>);

/// Serves a sandbox until the result is dropped. Must be called within the async runtime.
pub fn serve(network: &Network, id: SandboxId, sockets: NetSockets) -> io::Result<SandboxNetwork> {
    let runtime_api = listener(sockets.runtime_api)?;
    let endpoint = listener(sockets.endpoint)?;
    let dns = UdpSocket::from_std(sockets.dns.into())?;
    let proxies = sockets.proxies.into_iter().map(listener).collect::<io::Result<Vec<_>>>()?;
    let sandbox = Arc::new(Sandbox {
        id,
        shared: Arc::clone(&network.0),
        interception: sockets.interception,
        connections: Arc::new(Semaphore::new(network.0.connections_max)),
        said_full: AtomicBool::new(false),
    });
    let mut tasks = JoinSet::new();
    tasks.spawn(Arc::clone(&sandbox).serve_endpoint(endpoint));
    tasks.spawn(Arc::clone(&sandbox).serve_names(dns));
    for proxy in proxies {
        tasks.spawn(Arc::clone(&sandbox).serve_proxy(proxy));
    }
    Ok(SandboxNetwork { runtime_api, services: Services(tasks) })
}

fn listener(descriptor: OwnedFd) -> io::Result<TcpListener> {
    TcpListener::from_std(descriptor.into())
}

struct Sandbox {
    id: SandboxId,
    shared: Arc<Shared>,
    interception: Interception,
    connections: Arc<Semaphore>,
    said_full: AtomicBool,
}

impl Sandbox {
    async fn serve_endpoint(self: Arc<Self>, listener: TcpListener) {
        loop {
            let stream = accept(&listener).await;
            match self.permit() {
                Some(permit) => self.give_to_endpoint(stream, permit),
                None => proxy::reset(stream),
            }
        }
    }

    async fn serve_proxy(self: Arc<Self>, listener: TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                stream = accept(&listener) => match self.permit() {
                    Some(permit) => { connections.spawn(Arc::clone(&self).serve_connection(stream, permit)); }
                    None => proxy::reset(stream),
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }

    async fn serve_connection(self: Arc<Self>, stream: TcpStream, permit: ConnectionPermit) {
        match self.decide(&stream) {
            Ok(Purpose::Names) => self.serve_names_over(stream).await,
            Ok(Purpose::Connect(Verdict::Endpoint)) => self.give_to_endpoint(stream, permit),
            Ok(Purpose::Connect(Verdict::Dial(destination))) => proxy::carry(stream, destination).await,
            Ok(Purpose::Connect(Verdict::Refuse(reason))) => {
                tracing::debug!(sandbox = self.id.0, reason, "a function's connection is refused");
                proxy::reset(stream);
            }
            Err(error) => {
                // Without the kernel's word on the destination nothing is dialled.
                tracing::warn!(sandbox = self.id.0, %error, "where a function's connection goes is unknown");
                proxy::reset(stream);
            }
        }
    }

    fn decide(&self, stream: &TcpStream) -> io::Result<Purpose> {
        let destination = match self.interception {
            Interception::Redirected(_) => sockets::original_destination(stream)?,
            _ => v4(stream.local_addr()?)?,
        };
        if destination.port() == DNS_PORT {
            return Ok(Purpose::Names);
        }
        let reach = self.shared.routes.reach(*Policy::dialled(destination).ip())?;
        Ok(Purpose::Connect(self.shared.policy.decide(destination, reach)))
    }

    fn give_to_endpoint(&self, stream: TcpStream, permit: ConnectionPermit) {
        (self.shared.endpoint)(EndpointConnection { stream, sandbox: self.id, permit });
    }

    fn permit(&self) -> Option<ConnectionPermit> {
        let of_own = Arc::clone(&self.connections).try_acquire_owned().ok();
        let of_all = Arc::clone(&self.shared.connections).try_acquire_owned().ok();
        if of_own.is_none() && !self.said_full.swap(true, Ordering::Relaxed) {
            let limit = self.shared.connections_max;
            tracing::warn!(
                sandbox = self.id.0,
                limit,
                "a function holds too many connections; more are reset"
            );
        }
        if of_own.is_some() && of_all.is_none() && !self.shared.said_full.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "functions hold as many connections as the limit on open files allows; more are reset (ulimit -n)"
            );
        }
        Some(ConnectionPermit([of_own?, of_all?]))
    }

    async fn serve_names(self: Arc<Self>, socket: UdpSocket) {
        let socket = Arc::new(socket);
        let slots = Arc::new(Semaphore::new(QUERIES_MAX));
        let mut queries = JoinSet::new();
        loop {
            let slot = Arc::clone(&slots).acquire_owned().await.expect("the semaphore is never closed");
            let (packet, received) = receive(&socket).await;
            while queries.try_join_next().is_some() {}
            let (sandbox, socket) = (Arc::clone(&self), Arc::clone(&socket));
            queries.spawn(async move {
                if let Some(answer) = sandbox.shared.name_server.answer(&packet, Transport::Udp).await {
                    // A lost answer is asked for again, as any datagram.
                    let _ = sockets::send(&*socket, &answer, received.sender, received.sent_to);
                }
                drop(slot);
            });
        }
    }

    async fn serve_names_over(&self, mut stream: TcpStream) {
        while let Ok(Ok(packet)) = timeout(DNS_IDLE_TIMEOUT, read_framed(&mut stream)).await {
            let Some(answer) = self.shared.name_server.answer(&packet, Transport::Tcp).await else { return };
            let sent = timeout(DNS_IDLE_TIMEOUT, stream.write_all(&dns::framed(&answer))).await;
            if !matches!(sent, Ok(Ok(()))) {
                return;
            }
        }
    }
}

/// What a captured connection is for.
enum Purpose {
    Names,
    Connect(Verdict),
}

fn v4(address: SocketAddr) -> io::Result<SocketAddrV4> {
    match address {
        SocketAddr::V4(address) => Ok(address),
        SocketAddr::V6(_) => {
            Err(io::Error::new(io::ErrorKind::InvalidData, "an IPv6 address on an IPv4 socket"))
        }
    }
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // The client gave up while it waited.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(%error, "accepting a function's connection failed");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// The next datagram that fits. The buffer is made when there is one, so waiting costs nothing.
async fn receive(socket: &UdpSocket) -> (Vec<u8>, sockets::Received) {
    loop {
        // An error here is the runtime's end; the read below reports everything else.
        if socket.readable().await.is_err() {
            sleep(ACCEPT_PAUSE).await;
            continue;
        }
        let mut packet = vec![0; QUERY_LEN_MAX];
        match socket.try_io(Interest::READABLE, || sockets::receive(socket, &mut packet)) {
            Ok(received) => {
                packet.truncate(received.len);
                return (packet, received);
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::InvalidData) => {}
            Err(error) => {
                tracing::warn!(%error, "receiving a function's DNS query failed");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn read_framed(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let len = usize::from(stream.read_u16().await?);
    if len > QUERY_LEN_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a query of an impossible length"));
    }
    let mut packet = vec![0; len];
    stream.read_exact(&mut packet).await?;
    Ok(packet)
}
