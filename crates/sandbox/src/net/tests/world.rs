//! A small internet for one test: a host, an outside machine and sandboxes, each a network namespace of its own.
//!
//! The test runs itself again in a child process that starts in a new network namespace, "the host"; once as
//! the user who runs it and once in a user namespace, because both must behave the same. Nothing touches the
//! machine's own network and nothing is left when the child exits.

use super::super::netlink::{Messages, NLM_F_ACK, NLM_F_CREATE, NLM_F_REQUEST, Socket};
use super::super::rules::Capture;
use super::super::*;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

pub(super) const ENDPOINT_PORT: u16 = 4566;
pub(super) const HOST: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
pub(super) const OUTSIDE: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 2);
/// The outside machine has this address too, and the host a route to it.
pub(super) const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
/// Services of the host that must not be reached: on its loopback, and on all of its addresses.
pub(super) const HOST_LOOPBACK_PORT: u16 = 7777;
pub(super) const HOST_PORT: u16 = 7778;
/// Sends back what it receives.
pub(super) const ECHO_PORT: u16 = 8080;
/// The same on a port of the web.
pub(super) const WEB_PORT: u16 = 80;
/// Resets every connection after its first bytes.
pub(super) const RESET_PORT: u16 = 8081;

const INSIDE: &str = "HEARTH_TEST_IN_OWN_NETWORK";
/// Longer than anything takes; a hang becomes a failure.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs `case` in a network of its own, as this user and in a user namespace.
pub(super) fn enter(test: &str, case: impl FnOnce(&World)) {
    if std::env::var_os(INSIDE).is_some() {
        return case(&World::new());
    }
    let (_, test) = test.split_once("::").expect("a module path starts with the crate");
    if rustix::process::geteuid().is_root() {
        run_again(test, rustix::thread::UnshareFlags::NEWNET);
    }
    run_again(test, rustix::thread::UnshareFlags::NEWNET | rustix::thread::UnshareFlags::NEWUSER);
}

fn run_again(test: &str, namespaces: rustix::thread::UnshareFlags) {
    let uid = rustix::process::geteuid().as_raw();
    let gid = rustix::process::getegid().as_raw();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(INSIDE, "1");
    let enter = move || {
        // SAFETY: the child has one thread, so no other can be surprised by what it no longer shares.
        unsafe { rustix::thread::unshare_unsafe(namespaces) }?;
        if namespaces.contains(rustix::thread::UnshareFlags::NEWUSER) {
            std::fs::write("/proc/self/setgroups", "deny")?;
            std::fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
            std::fs::write("/proc/self/gid_map", format!("0 {gid} 1"))?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec the closure makes system calls and small allocations, which glibc allows in
    // the one thread of a forked child.
    unsafe { command.pre_exec(enter) };
    let output = command.output().expect("this machine lets a test make namespaces");
    let text =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success() && text.contains("1 passed"), "{namespaces:?}: {text}");
}

/// The host, and the outside machine beyond its one link.
pub(super) struct World {
    runtime: tokio::runtime::Runtime,
    resolv_conf: PathBuf,
    _files: tempfile::TempDir,
    next_id: AtomicU64,
}

impl World {
    fn new() -> Self {
        let (outside_ready, outside_namespace) = mpsc::channel();
        let (link_ready, link) = mpsc::channel();
        let (serving, outside_serves) = mpsc::channel();
        std::thread::spawn(move || {
            unshare_network();
            outside_ready.send(File::open("/proc/thread-self/ns/net").unwrap()).unwrap();
            link.recv().unwrap();
            let netlink = Socket::route().unwrap();
            configure(&netlink, LINK, OUTSIDE, 24);
            configure(&netlink, 1, METADATA, 32);
            serve_outside();
            serving.send(()).unwrap();
        });
        let netlink = Socket::route().unwrap();
        configure(&netlink, 1, Ipv4Addr::LOCALHOST, 8);
        netlink.execute(&virtual_cable(&outside_namespace.recv().unwrap())).unwrap();
        configure(&netlink, LINK, HOST, 24);
        link_ready.send(()).unwrap();
        outside_serves.recv().unwrap();
        netlink.execute(&route(METADATA, OUTSIDE)).unwrap();
        greet(SocketAddrV4::new(Ipv4Addr::LOCALHOST, HOST_LOOPBACK_PORT));
        greet(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, HOST_PORT));

        let files = tempfile::tempdir().unwrap();
        let resolv_conf = files.path().join("resolv.conf");
        std::fs::write(&resolv_conf, format!("nameserver {OUTSIDE}\n")).unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        Self { runtime, resolv_conf, _files: files, next_id: AtomicU64::new(0) }
    }

    /// A network for sandboxes, with the changes that `adjust` makes to the usual options.
    pub(super) fn network(&self, adjust: impl FnOnce(&mut NetworkOptions)) -> Network {
        let handle = self.runtime.handle().clone();
        let endpoint = move |mut connection: EndpointConnection| {
            handle.spawn(async move {
                use tokio::io::{AsyncReadExt, AsyncWriteExt};
                let greeting = format!("hearth to sandbox {}", connection.sandbox.0);
                connection.stream.write_all(greeting.as_bytes()).await.unwrap();
                connection.stream.shutdown().await.unwrap();
                let _ = connection.stream.read_to_end(&mut Vec::new()).await;
                drop(connection.permit);
            });
        };
        let policy =
            PolicyOptions { internet: true, endpoint_port: ENDPOINT_PORT, ..PolicyOptions::default() };
        let mut options = NetworkOptions::new(policy, Arc::new(endpoint));
        options.resolv_conf = self.resolv_conf.clone();
        options.hostnames = vec!["hearth.test".to_owned()];
        adjust(&mut options);
        Network::new(options).unwrap()
    }

    /// A served sandbox of the usual network.
    pub(super) fn sandbox(&self) -> Sandbox {
        self.sandbox_in(&self.network(|_| {}), &[Capture::Tproxy])
    }

    pub(super) fn sandbox_in(&self, network: &Network, captures: &'static [Capture]) -> Sandbox {
        let id = SandboxId(self.next_id.fetch_add(1, Ordering::Relaxed));
        let spec = NetSpec { endpoint_port: ENDPOINT_PORT, internet: network.policy().reaches_outside() };
        let (sockets_made, sockets) = mpsc::channel();
        let (jobs, queue) = mpsc::channel::<Job>();
        std::thread::spawn(move || {
            unshare_network();
            let made = set_up::set_up_with(&spec, captures).unwrap();
            // As function code: with no privilege over the namespace.
            drop_capabilities();
            sockets_made.send(made).unwrap();
            for job in queue {
                job();
            }
        });
        let sockets = NetSockets::from_fds(sockets.recv().unwrap().into_fds()).unwrap();
        let interception = sockets.interception();
        let served = {
            let _guard = self.runtime.enter();
            serve(network, id, sockets).unwrap()
        };
        Sandbox { jobs, served: Some(served), interception, id }
    }

    pub(super) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(async { tokio::time::timeout(PATIENCE, future).await.expect("no hang") })
    }

    /// Gives the host one more address.
    pub(super) fn add_host_address(&self, address: Ipv4Addr) {
        try_add_address(address).unwrap();
    }
}

type Job = Box<dyn FnOnce() + Send>;

/// A thread inside a sandbox's network namespace.
pub(super) struct Sandbox {
    jobs: mpsc::Sender<Job>,
    pub(super) served: Option<SandboxNetwork>,
    pub(super) interception: Interception,
    pub(super) id: SandboxId,
}

impl Sandbox {
    /// Runs `job` inside.
    pub(super) fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (done, result) = mpsc::channel();
        self.jobs.send(Box::new(move || drop(done.send(job())))).unwrap();
        result.recv_timeout(PATIENCE).expect("the job inside the sandbox ends")
    }

    /// Connects, sends, ends its sending, and reads to the end: the text received or the error's number.
    pub(super) fn talk(&self, address: Ipv4Addr, port: u16, text: &'static str) -> Result<String, i32> {
        self.run(move || talk(SocketAddrV4::new(address, port), text))
            .map_err(|error| error.raw_os_error().unwrap())
    }

    /// Asks a name server over UDP; the socket takes an answer from nobody else.
    pub(super) fn ask_udp(&self, server: Ipv4Addr, query: Vec<u8>) -> Vec<u8> {
        self.run(move || {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
            socket.set_read_timeout(Some(PATIENCE))?;
            socket.connect((server, 53))?;
            socket.send(&query)?;
            let mut answer = vec![0; 4096];
            let len = socket.recv(&mut answer)?;
            answer.truncate(len);
            io::Result::Ok(answer)
        })
        .unwrap()
    }

    pub(super) fn ask_tcp(&self, server: Ipv4Addr, query: Vec<u8>) -> Vec<u8> {
        self.run(move || {
            let mut stream = TcpStream::connect((server, 53))?;
            stream.set_read_timeout(Some(PATIENCE))?;
            exchange(&mut stream, &query)
        })
        .unwrap()
    }
}

pub(super) fn talk(address: SocketAddrV4, text: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(text.as_bytes())?;
    // After a reset there is nothing to shut down; the read below says so.
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut received = String::new();
    stream.read_to_string(&mut received)?;
    Ok(received)
}

fn exchange(stream: &mut TcpStream, query: &[u8]) -> io::Result<Vec<u8>> {
    stream.write_all(&u16::try_from(query.len()).unwrap().to_be_bytes())?;
    stream.write_all(query)?;
    read_framed(stream)
}

fn read_framed(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut len = [0; 2];
    stream.read_exact(&mut len)?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(len))];
    stream.read_exact(&mut message)?;
    Ok(message)
}

/// The outside machine: echo, reset, and a name server for which every name is itself.
fn serve_outside() {
    let on = |port| SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port);
    for port in [ECHO_PORT, WEB_PORT] {
        each_connection(on(port), |mut stream| drop(io::copy(&mut stream.try_clone().unwrap(), &mut stream)));
    }
    each_connection(on(RESET_PORT), |mut stream| {
        let _ = stream.read(&mut [0]);
        rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
    });
    each_connection(on(53), |mut stream| {
        while let Ok(query) = read_framed(&mut stream) {
            let answer = answer(&query);
            stream.write_all(&u16::try_from(answer.len()).unwrap().to_be_bytes()).unwrap();
            stream.write_all(&answer).unwrap();
        }
    });
    let names = UdpSocket::bind(on(53)).unwrap();
    std::thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((len, client)) = names.recv_from(&mut query) {
            names.send_to(&answer(&query[..len]), client).unwrap();
        }
    });
}

/// Says that whatever was asked about has the address of the outside machine.
fn answer(query: &[u8]) -> Vec<u8> {
    let mut answer = query.to_vec();
    answer[2] |= 0x80;
    answer[7] = 1;
    answer.extend_from_slice(&[0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4]);
    answer.extend_from_slice(&OUTSIDE.octets());
    answer
}

/// A service that says what must not be heard.
fn greet(address: SocketAddrV4) {
    each_connection(address, |mut stream| drop(stream.write_all(b"a service of the host")));
}

fn each_connection(address: SocketAddrV4, serve: fn(TcpStream)) {
    let listener = TcpListener::bind(address).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || serve(stream.unwrap()));
        }
    });
}

pub(super) fn unshare_network() {
    // SAFETY: only this thread's view of the network changes, and it has opened no socket yet.
    unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNET) }.unwrap();
}

fn drop_capabilities() {
    use rustix::thread::{CapabilitySet, CapabilitySets};
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    rustix::thread::set_capabilities(None, sets).unwrap();
}

/// Index of the link on both of its ends.
const LINK: u32 = 100;

fn link_header(index: u32, flags: u32) -> Vec<u8> {
    [[0; 4], index.to_ne_bytes(), flags.to_ne_bytes(), flags.to_ne_bytes()].concat()
}

fn virtual_cable(peer_namespace: &File) -> Messages {
    let mut messages = Messages::default();
    let flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE;
    messages.message(libc::RTM_NEWLINK, flags, &link_header(LINK, 0), |link| {
        link.name(libc::IFLA_IFNAME, "cable");
        link.nest(libc::IFLA_LINKINFO, |info| {
            info.name(1, "veth");
            info.nest(2, |data| {
                data.nest(1, |peer| {
                    peer.raw(&link_header(LINK, 0)).name(libc::IFLA_IFNAME, "cable");
                    peer.ne32(libc::IFLA_NET_NS_FD, u32::try_from(peer_namespace.as_raw_fd()).unwrap());
                });
            });
        });
    });
    messages
}

/// Adds an address to the loopback device of this thread's namespace.
pub(super) fn try_add_address(address: Ipv4Addr) -> io::Result<()> {
    Socket::route()?.execute(&up_with(1, address, 32))
}

fn configure(netlink: &Socket, index: u32, address: Ipv4Addr, prefix_len: u8) {
    netlink.execute(&up_with(index, address, prefix_len)).unwrap();
}

fn up_with(index: u32, address: Ipv4Addr, prefix_len: u8) -> Messages {
    let mut messages = Messages::default();
    let flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE;
    messages.message(libc::RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, &link_header(index, 1), |_| {});
    let header = [[2, prefix_len, 0, 0], index.to_ne_bytes()].concat();
    messages.message(libc::RTM_NEWADDR, flags | 0x100, &header, |attributes| {
        attributes.bytes(libc::IFA_LOCAL, &address.octets()).bytes(libc::IFA_ADDRESS, &address.octets());
    });
    messages
}

/// A route to one address by way of another.
fn route(address: Ipv4Addr, gateway: Ipv4Addr) -> Messages {
    let mut messages = Messages::default();
    let header = [2, 32, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0];
    messages.message(libc::RTM_NEWROUTE, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE, &header, |attributes| {
        attributes.bytes(libc::RTA_DST, &address.octets()).bytes(libc::RTA_GATEWAY, &gateway.octets());
    });
    messages
}
