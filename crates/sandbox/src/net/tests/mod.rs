//! What a function sees of the network, in a kernel: [`world`] makes the machines, the sentences are here.

mod world;

use super::rules::{self, Capture};
use super::sockets;
use super::{AddressRule, HOST_ADDRESS, Interception, RUNTIME_API_PORT, SANDBOX_ADDRESS};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream, UdpSocket};
use world::{
    ECHO_PORT, ENDPOINT_PORT, HOST, HOST_LOOPBACK_PORT, HOST_PORT, METADATA, OUTSIDE, RESET_PORT, Sandbox,
    WEB_PORT,
};

/// Tests in a world of their own.
macro_rules! worlds {
    ($($(#[$attribute:meta])* fn $name:ident($world:ident) $body:block)*) => {$(
        $(#[$attribute])*
        #[test]
        fn $name() {
            world::enter(concat!(module_path!(), "::", stringify!($name)), |$world| $body);
        }
    )*};
}

const ANY_RESOLVER: Ipv4Addr = Ipv4Addr::new(8, 8, 8, 8);
const REFUSED: Result<String, i32> = Err(libc::ECONNREFUSED);
const RESET: Result<String, i32> = Err(libc::ECONNRESET);
const UNREACHABLE: Result<String, i32> = Err(libc::ENETUNREACH);

worlds! {
    fn services_of_the_host_are_out_of_reach(world) {
        let sandbox = world.sandbox();
        assert_eq!(sandbox.interception, Interception::Transparent);
        // They are there: the host itself hears them.
        assert!(world::talk((HOST, HOST_PORT).to_v4(), "").is_ok());
        assert!(world::talk((Ipv4Addr::LOCALHOST, HOST_LOOPBACK_PORT).to_v4(), "").is_ok());
        assert_eq!(sandbox.talk(Ipv4Addr::LOCALHOST, HOST_LOOPBACK_PORT, ""), REFUSED);
        assert_eq!(sandbox.talk(HOST, HOST_PORT, ""), RESET);
        assert_eq!(sandbox.talk(HOST_ADDRESS, HOST_PORT, ""), RESET);
        assert_eq!(sandbox.talk(HOST_ADDRESS, HOST_LOOPBACK_PORT, ""), RESET);
        assert_eq!(sandbox.talk(Ipv4Addr::LOCALHOST, 15001, ""), RESET);
        assert_eq!(sandbox.talk(SANDBOX_ADDRESS, 15001, ""), RESET);
    }

    fn address_that_the_host_gets_later_is_out_of_reach_at_once(world) {
        let sandbox = world.sandbox();
        let later = Ipv4Addr::new(10, 99, 7, 7);
        world.add_host_address(later);
        assert!(world::talk((later, HOST_PORT).to_v4(), "").is_ok());
        assert_eq!(sandbox.talk(later, HOST_PORT, ""), RESET);
    }

    fn endpoint_is_reached_at_its_url_and_on_the_host(world) {
        for sandbox in [world.sandbox(), world.sandbox()] {
            let greeting = Ok(format!("hearth to sandbox {}", sandbox.id.0));
            for address in [Ipv4Addr::LOCALHOST, HOST, HOST_ADDRESS] {
                assert_eq!(sandbox.talk(address, ENDPOINT_PORT, ""), greeting, "{address}");
            }
        }
    }

    fn outside_is_reached_and_data_comes_back_whole(world) {
        let sandbox = world.sandbox();
        assert_eq!(sandbox.talk(OUTSIDE, ECHO_PORT, "hello"), Ok("hello".to_owned()));
        let whole = sandbox.run(|| {
            let sent: Vec<u8> = (0..8_u32 << 20).map(|index| (index % 251) as u8).collect();
            let mut stream = TcpStream::connect((OUTSIDE, ECHO_PORT)).unwrap();
            let mut writer = stream.try_clone().unwrap();
            let copy = sent.clone();
            let writing = std::thread::spawn(move || {
                writer.write_all(&copy).unwrap();
                writer.shutdown(std::net::Shutdown::Write).unwrap();
            });
            let mut received = Vec::new();
            stream.read_to_end(&mut received).unwrap();
            writing.join().unwrap();
            received == sent
        });
        assert!(whole);
    }

    fn outside_that_refuses_or_resets_is_a_reset(world) {
        let sandbox = world.sandbox();
        assert_eq!(sandbox.talk(OUTSIDE, ECHO_PORT + 2, ""), RESET);
        assert_eq!(sandbox.talk(OUTSIDE, RESET_PORT, "x"), RESET);
        assert_eq!(sandbox.talk(Ipv4Addr::new(10, 200, 0, 1), ECHO_PORT, ""), RESET);
    }

    fn metadata_service_is_out_of_reach(world) {
        let sandbox = world.sandbox();
        assert_eq!(world::talk((METADATA, WEB_PORT).to_v4(), "secret").unwrap(), "secret");
        assert_eq!(sandbox.talk(METADATA, WEB_PORT, "secret"), RESET);
    }

    fn other_udp_fails_at_once_and_there_is_no_ipv6(world) {
        let sandbox = world.sandbox();
        let (udp, ipv6) = sandbox.run(|| {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
            let udp = socket.send_to(b"time?", (Ipv4Addr::new(1, 1, 1, 1), 123)).unwrap_err();
            let documentation = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
            (udp.raw_os_error(), TcpStream::connect((documentation, 443)).unwrap_err().raw_os_error())
        });
        assert_eq!((udp, ipv6), (Some(libc::EPERM), Some(libc::ENETUNREACH)));
    }

    fn functions_own_loopback_still_works(world) {
        let sandbox = world.sandbox();
        let received = sandbox.run(|| {
            let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            client.send_to(b"ping", server.local_addr().unwrap()).unwrap();
            let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 8080)).unwrap();
            let own_address = TcpStream::connect((SANDBOX_ADDRESS, 8080)).and(listener.accept());
            (server.recv(&mut [0; 8]).unwrap(), own_address.is_ok())
        });
        assert_eq!(received, (4, true));
    }

    fn ports_of_the_platform_cannot_be_taken(world) {
        let sandbox = world.sandbox();
        for (address, port) in [
            (SANDBOX_ADDRESS, RUNTIME_API_PORT),
            (Ipv4Addr::UNSPECIFIED, RUNTIME_API_PORT),
            (Ipv4Addr::UNSPECIFIED, 15001),
            (Ipv4Addr::LOCALHOST, ENDPOINT_PORT),
        ] {
            let error = sandbox.run(move || TcpListener::bind((address, port)).unwrap_err().raw_os_error());
            assert_eq!(error, Some(libc::EADDRINUSE), "{address}:{port}");
        }
    }

    fn rules_and_routes_cannot_be_changed_from_inside(world) {
        let sandbox = world.sandbox();
        let changes = sandbox.run(|| {
            let rules = rules::load(Capture::Tproxy, 15002).unwrap_err();
            let address = world::try_add_address(Ipv4Addr::new(10, 0, 0, 1)).unwrap_err();
            let transparent = sockets::listen((Ipv4Addr::LOCALHOST, 8080).to_v4(), 1, true).unwrap_err();
            [rules, address, transparent].map(|error| error.raw_os_error())
        });
        assert_eq!(changes, [Some(libc::EPERM); 3]);
    }

    fn runtime_api_is_accepted_by_the_engine(world) {
        let sandbox = world.sandbox();
        sandbox.run(|| TcpStream::connect((SANDBOX_ADDRESS, RUNTIME_API_PORT)).map(drop)).unwrap();
        let runtime_api = &sandbox.served.as_ref().unwrap().runtime_api;
        let (_, peer) = world.block_on(runtime_api.accept()).unwrap();
        assert_eq!(peer.ip(), SANDBOX_ADDRESS);
        sandbox.run(|| TcpStream::connect((Ipv4Addr::LOCALHOST, RUNTIME_API_PORT)).map(drop)).unwrap();
        let (_, peer) = world.block_on(runtime_api.accept()).unwrap();
        assert_eq!(peer.ip(), Ipv4Addr::LOCALHOST);
    }

    fn sandboxes_do_not_reach_each_other(world) {
        let (one, other) = (world.sandbox(), world.sandbox());
        let address = Ipv4Addr::new(10, 200, 3, 4);
        let _listener = one.run(move || TcpListener::bind((Ipv4Addr::UNSPECIFIED, 9999)).unwrap());
        assert!(one.run(move || TcpStream::connect((SANDBOX_ADDRESS, 9999)).is_ok()));
        assert_eq!(other.talk(SANDBOX_ADDRESS, 9999, ""), REFUSED);
        assert_eq!(other.talk(Ipv4Addr::LOCALHOST, 9999, ""), REFUSED);
        assert_eq!(other.talk(address, 9999, ""), RESET);
        assert_eq!(other.talk(HOST, 9999, ""), RESET);
    }

    fn names_are_answered_whoever_is_asked(world) {
        check_names(&world.sandbox());
    }

    fn names_that_hearth_owns_are_answered_without_internet_and_others_refused(world) {
        let network = world.network(|options| options.policy.internet = false);
        let sandbox = world.sandbox_in(&network, &[Capture::Tproxy]);
        assert_eq!(sandbox.interception, Interception::Closed(None));
        let own = sandbox.ask_udp(SANDBOX_ADDRESS, query("api.hearth.test", A));
        assert_eq!(addresses(&own), [Ipv4Addr::LOCALHOST]);
        let other = sandbox.ask_udp(SANDBOX_ADDRESS, query("example.com", A));
        assert_eq!((other[3] & 15, addresses(&other)), (5, vec![]));
    }

    fn without_internet_only_the_endpoint_is_reached(world) {
        let network = world.network(|options| options.policy.internet = false);
        let sandbox = world.sandbox_in(&network, &[Capture::Tproxy]);
        assert_eq!(sandbox.talk(OUTSIDE, ECHO_PORT, ""), UNREACHABLE);
        assert!(sandbox.talk(Ipv4Addr::LOCALHOST, ENDPOINT_PORT, "").is_ok());
    }

    fn allowed_destinations_are_reached_and_nothing_beside_them(world) {
        let rules = |texts: &[&str]| -> Vec<AddressRule> { texts.iter().map(|text| text.parse().unwrap()).collect() };
        let network = world.network(|options| {
            options.policy.internet = false;
            options.policy.allow = rules(&["127.0.0.1:7777", "10.99.0.2:8080"]);
        });
        let sandbox = world.sandbox_in(&network, &[Capture::Tproxy]);
        assert_eq!(sandbox.talk(HOST_ADDRESS, HOST_LOOPBACK_PORT, ""), Ok("a service of the host".to_owned()));
        assert_eq!(sandbox.talk(HOST_ADDRESS, HOST_PORT, ""), RESET);
        assert_eq!(sandbox.talk(OUTSIDE, ECHO_PORT, "hello"), Ok("hello".to_owned()));
        assert_eq!(sandbox.talk(OUTSIDE, WEB_PORT, "hello"), RESET);
    }

    fn redirection_serves_where_tproxy_is_missing(world) {
        let sandbox = world.sandbox_in(&world.network(|_| {}), &[Capture::Redirect]);
        assert!(matches!(sandbox.interception, Interception::Redirected(_)), "{}", sandbox.interception);
        assert_eq!(sandbox.talk(OUTSIDE, ECHO_PORT, "hello"), Ok("hello".to_owned()));
        assert_eq!(sandbox.talk(HOST, HOST_PORT, ""), RESET);
        assert_eq!(sandbox.talk(METADATA, WEB_PORT, "secret"), RESET);
        assert_eq!(sandbox.talk(Ipv4Addr::LOCALHOST, HOST_LOOPBACK_PORT, ""), REFUSED);
        assert_eq!(sandbox.talk(Ipv4Addr::LOCALHOST, 15001, ""), RESET);
        assert!(sandbox.talk(Ipv4Addr::LOCALHOST, ENDPOINT_PORT, "").is_ok());
        check_names(&sandbox);
    }

    fn web_ports_serve_where_packet_rules_are_missing(world) {
        let sandbox = world.sandbox_in(&world.network(|_| {}), &[]);
        assert!(matches!(sandbox.interception, Interception::WebPorts(_)), "{}", sandbox.interception);
        assert_eq!(sandbox.talk(OUTSIDE, WEB_PORT, "hello"), Ok("hello".to_owned()));
        assert_eq!(sandbox.talk(OUTSIDE, ECHO_PORT, "hello"), REFUSED);
        assert_eq!(sandbox.talk(METADATA, WEB_PORT, "secret"), RESET);
        check_names(&sandbox);
    }

    fn connections_beyond_the_limit_are_reset(world) {
        let network = world.network(|options| options.connections_max = 2);
        let sandbox = world.sandbox_in(&network, &[Capture::Tproxy]);
        let open = || sandbox.run(|| {
            let mut stream = TcpStream::connect((OUTSIDE, ECHO_PORT)).unwrap();
            stream.write_all(b"x").unwrap();
            stream.read_exact(&mut [0]).unwrap();
            stream
        });
        let held = (open(), open());
        assert_eq!(sandbox.talk(OUTSIDE, ECHO_PORT, ""), RESET);
        assert_eq!(sandbox.talk(Ipv4Addr::LOCALHOST, ENDPOINT_PORT, ""), RESET);
        drop(held);
    }

    fn connections_of_all_sandboxes_together_are_bounded_and_one_takes_a_quarter(world) {
        let network = world.network(|options| options.connections_in_all_max = 4);
        let sandboxes: Vec<_> = (0..5).map(|_| world.sandbox_in(&network, &[Capture::Tproxy])).collect();
        let open = |sandbox: &Sandbox| sandbox.run(|| {
            let mut stream = TcpStream::connect((OUTSIDE, ECHO_PORT)).unwrap();
            stream.write_all(b"x").unwrap();
            stream.read_exact(&mut [0]).unwrap();
            stream
        });
        let mut held = vec![open(&sandboxes[0])];
        assert_eq!(sandboxes[0].talk(OUTSIDE, ECHO_PORT, ""), RESET);
        held.extend(sandboxes[1..4].iter().map(open));
        assert_eq!(sandboxes[4].talk(OUTSIDE, ECHO_PORT, ""), RESET);
        drop(held);
    }

    fn dropping_the_services_closes_every_door(world) {
        let mut sandbox = world.sandbox();
        let mut stream = sandbox.run(|| {
            let mut stream = TcpStream::connect((OUTSIDE, ECHO_PORT)).unwrap();
            stream.write_all(b"x").unwrap();
            stream.read_exact(&mut [0]).unwrap();
            stream
        });
        drop(sandbox.served.take());
        assert_eq!(sandbox.run(move || stream.read(&mut [0]).unwrap_or(0)), 0);
        // The tasks end on their own thread; from then on nobody listens.
        while sandbox.talk(Ipv4Addr::LOCALHOST, ENDPOINT_PORT, "") != REFUSED {}
        assert_eq!(sandbox.talk(SANDBOX_ADDRESS, RUNTIME_API_PORT, ""), REFUSED);
    }

    /// Compares with what nft itself reads back, where it is installed.
    fn rules_in_the_kernel_are_the_documented_ones(_world) {
        for (capture, documented) in [(Capture::Tproxy, TPROXY_RULES), (Capture::Redirect, REDIRECT_RULES)] {
            let listed = std::thread::spawn(move || {
                world::unshare_network();
                rules::load(capture, 15001).unwrap();
                std::process::Command::new("nft").args(["list", "ruleset"]).output()
            });
            let Ok(output) = listed.join().unwrap() else { return };
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(words(&String::from_utf8_lossy(&output.stdout)), words(documented));
        }
    }
}

const TPROXY_RULES: &str = "
table ip hearth {
  chain inbound {
    type filter hook prerouting priority mangle; policy accept;
    ip daddr 127.0.0.0/8 return
    tcp dport 53 tproxy to :15001
    ip daddr 169.254.100.1 return
    meta l4proto tcp tproxy to :15001
    udp dport 53 tproxy to :53
  }
  chain outbound {
    type filter hook output priority filter; policy accept;
    ip daddr 127.0.0.0/8 accept
    ip daddr 169.254.100.1 accept
    meta l4proto tcp accept
    udp dport 53 accept
    reject with icmp admin-prohibited
  }
}";

const REDIRECT_RULES: &str = "
table ip hearth {
  chain inbound {
    type nat hook output priority -100; policy accept;
    ip daddr 127.0.0.0/8 return
    tcp dport 53 redirect to :15001
    ip daddr 169.254.100.1 return
    meta l4proto tcp redirect to :15001
    udp dport 53 redirect to :53
  }
  chain outbound {
    type filter hook output priority filter; policy accept;
    ip daddr 127.0.0.0/8 accept
    ip daddr 169.254.100.1 accept
    meta l4proto tcp accept
    udp dport 53 accept
    reject with icmp admin-prohibited
  }
}";

fn check_names(sandbox: &Sandbox) {
    for server in [SANDBOX_ADDRESS, ANY_RESOLVER, Ipv4Addr::LOCALHOST] {
        assert_eq!(addresses(&sandbox.ask_udp(server, query("example.com", A))), [OUTSIDE], "{server}");
    }
    for server in [SANDBOX_ADDRESS, ANY_RESOLVER] {
        assert_eq!(addresses(&sandbox.ask_tcp(server, query("example.com", A))), [OUTSIDE], "{server}");
    }
    for (name, address) in [
        ("sandbox.localdomain", Ipv4Addr::LOCALHOST),
        ("hearth.test", Ipv4Addr::LOCALHOST),
        ("abc.Hearth.test", Ipv4Addr::LOCALHOST),
        ("host.docker.internal", HOST_ADDRESS),
    ] {
        assert_eq!(addresses(&sandbox.ask_udp(SANDBOX_ADDRESS, query(name, A))), [address], "{name}");
    }
    let ipv6 = sandbox.ask_udp(SANDBOX_ADDRESS, query("example.com", AAAA));
    assert_eq!((ipv6[3] & 15, addresses(&ipv6)), (0, vec![]));
}

const A: u16 = 1;
const AAAA: u16 = 28;

fn query(name: &str, record_type: u16) -> Vec<u8> {
    let mut packet = vec![7, 8, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        packet.push(u8::try_from(label.len()).unwrap());
        packet.extend_from_slice(label.as_bytes());
    }
    packet.push(0);
    packet.extend_from_slice(&record_type.to_be_bytes());
    packet.extend_from_slice(&[0, 1]);
    packet
}

/// The addresses in an answer whose records all point to the question's name.
fn addresses(answer: &[u8]) -> Vec<Ipv4Addr> {
    assert_eq!((&answer[..2], answer[2] >> 7), (&[7, 8][..], 1));
    let records = usize::from(answer[7]);
    let tail = &answer[answer.len() - records * 16..];
    tail.chunks(16).map(|record| Ipv4Addr::new(record[12], record[13], record[14], record[15])).collect()
}

trait ToV4 {
    fn to_v4(self) -> std::net::SocketAddrV4;
}

impl ToV4 for (Ipv4Addr, u16) {
    fn to_v4(self) -> std::net::SocketAddrV4 {
        std::net::SocketAddrV4::new(self.0, self.1)
    }
}
