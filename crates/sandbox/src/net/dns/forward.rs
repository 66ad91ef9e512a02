//! Asks the host's resolvers, in the order of its `resolv.conf`.

use super::message::{self, Query};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

const DNS_PORT: u16 = 53;
/// As many as the C library uses (`MAXNS`, resolv.conf(5)).
const RESOLVERS_MAX: usize = 3;
/// Time for one resolver. All of them together stay below the 5 s after which a client asks again
/// (`RES_TIMEOUT`, resolv.conf(5)).
const RESOLVER_TIMEOUT: Duration = Duration::from_millis(1500);
const UDP_ANSWER_LEN_MAX: usize = 65_535;

/// How the question came, and so how it is forwarded: a client that was told "truncated" asks again over TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::net) enum Transport {
    Udp,
    Tcp,
}

/// The resolvers that the host uses.
#[derive(Debug)]
pub(in crate::net) struct Resolvers {
    resolv_conf: PathBuf,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    modified: Option<SystemTime>,
    addresses: Arc<[SocketAddr]>,
}

impl Resolvers {
    pub(in crate::net) fn new(resolv_conf: PathBuf) -> Self {
        Self { resolv_conf, known: Mutex::default() }
    }

    /// The first good answer; else the last bad one; `None` when nobody answers.
    pub(super) async fn ask(&self, query: &Query<'_>, transport: Transport) -> Option<Vec<u8>> {
        let mut failure = None;
        for resolver in self.addresses().iter() {
            let asked = async {
                match transport {
                    Transport::Udp => ask_udp(query, *resolver).await,
                    Transport::Tcp => ask_tcp(query, *resolver).await,
                }
            };
            match timeout(RESOLVER_TIMEOUT, asked).await {
                Ok(Ok(answer)) if message::is_failure(&answer) => failure = Some(answer),
                Ok(Ok(answer)) => return Some(answer),
                Ok(Err(error)) => tracing::debug!(%resolver, %error, "resolver did not answer"),
                Err(_) => tracing::debug!(%resolver, "resolver did not answer in time"),
            }
        }
        failure
    }

    /// Reads the file again when it changed: a laptop changes networks while Hearth runs.
    fn addresses(&self) -> Arc<[SocketAddr]> {
        let modified = std::fs::metadata(&self.resolv_conf).and_then(|metadata| metadata.modified()).ok();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.addresses.is_empty() || known.modified != modified {
            let text = std::fs::read_to_string(&self.resolv_conf).unwrap_or_default();
            *known = Known { modified, addresses: parse(&text).into() };
        }
        Arc::clone(&known.addresses)
    }
}

/// The addresses of a `resolv.conf`. With none, the machine's own: what the C library does.
fn parse(text: &str) -> Vec<SocketAddr> {
    let mut addresses: Vec<_> = text
        .lines()
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let address: IpAddr =
                words.next().filter(|word| *word == "nameserver").and(words.next())?.parse().ok()?;
            Some(SocketAddr::new(address, DNS_PORT))
        })
        .take(RESOLVERS_MAX)
        .collect();
    if addresses.is_empty() {
        addresses.push(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), DNS_PORT));
    }
    addresses
}

/// A socket of its own for each question: the kernel picks an unpredictable port and drops what other hosts send.
async fn ask_udp(query: &Query<'_>, resolver: SocketAddr) -> io::Result<Vec<u8>> {
    let any: IpAddr =
        if resolver.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(resolver).await?;
    socket.send(query.packet()).await?;
    loop {
        socket.readable().await?;
        let mut answer = Vec::with_capacity(UDP_ANSWER_LEN_MAX);
        match socket.try_recv_buf(&mut answer) {
            Ok(_) if query.is_answered_by(&answer) => {
                answer.shrink_to_fit();
                return Ok(answer);
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

async fn ask_tcp(query: &Query<'_>, resolver: SocketAddr) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(resolver).await?;
    stream.set_nodelay(true)?;
    stream.write_all(&framed(query.packet())).await?;
    let len = stream.read_u16().await?;
    let mut answer = vec![0; usize::from(len)];
    stream.read_exact(&mut answer).await?;
    if query.is_answered_by(&answer) {
        Ok(answer)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidData, "an answer to another question"))
    }
}

/// Over TCP each message follows its length. https://www.rfc-editor.org/rfc/rfc1035#section-4.2.2
pub(in crate::net) fn framed(message: &[u8]) -> Vec<u8> {
    let len = u16::try_from(message.len()).expect("answers and queries were read with a 16-bit length");
    [&len.to_be_bytes(), message].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUERY: &[u8] = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x01a\x04test\0\0\x01\0\x01";
    const SERVER_FAILURE: u8 = 2;

    /// A resolver that answers its one question with these packets, made from the question.
    async fn resolver(answers: Vec<fn(Vec<u8>) -> Vec<u8>>) -> SocketAddr {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut query = vec![0; 512];
            let (len, client) = socket.recv_from(&mut query).await.unwrap();
            query.truncate(len);
            for answer in answers {
                socket.send_to(&answer(query.clone()), client).await.unwrap();
            }
        });
        address
    }

    fn good(mut query: Vec<u8>) -> Vec<u8> {
        query[2] |= 0x80;
        query
    }

    fn failing(query: Vec<u8>) -> Vec<u8> {
        let mut answer = good(query);
        answer[3] = SERVER_FAILURE;
        answer
    }

    async fn ask(addresses: &[SocketAddr]) -> Option<Vec<u8>> {
        let unchanged = PathBuf::from("/nonexistent/resolv.conf");
        let known = Mutex::new(Known { modified: None, addresses: addresses.into() });
        let resolvers = Resolvers { resolv_conf: unchanged, known };
        resolvers.ask(&Query::parse(QUERY).unwrap(), Transport::Udp).await
    }

    /// An address where nobody answers, and the kernel says so.
    async fn closed() -> SocketAddr {
        UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap()
    }

    #[tokio::test]
    async fn next_resolver_is_asked_when_one_is_down_or_fails() {
        let answer = Some(good(QUERY.to_vec()));
        assert_eq!(ask(&[closed().await, resolver(vec![good]).await]).await, answer);
        assert_eq!(ask(&[resolver(vec![failing]).await, resolver(vec![good]).await]).await, answer);
    }

    #[tokio::test]
    async fn failure_of_every_resolver_is_passed_on() {
        let failure = Some(failing(QUERY.to_vec()));
        assert_eq!(ask(&[resolver(vec![failing]).await, closed().await]).await, failure);
        assert_eq!(ask(&[closed().await]).await, None);
    }

    #[tokio::test]
    async fn answer_to_another_question_is_waited_past() {
        let other_id = |query| {
            let mut answer = good(query);
            answer[0] ^= 1;
            answer
        };
        let other_name = |query| {
            let mut answer = good(query);
            answer[13] ^= 1;
            answer
        };
        let address = resolver(vec![other_id, other_name, |_| vec![], |query| query, good]).await;
        assert_eq!(ask(&[address]).await, Some(good(QUERY.to_vec())));
    }

    #[test]
    fn resolv_conf_gives_three_addresses_at_most_and_the_machine_itself_without_any() {
        let text = "# comment\nsearch example.com\nnameserver 10.0.0.1\n nameserver ::1 # trailing\nnameserver fe80::1%eth0\nnameserver 10.0.0.2\nnameserver 10.0.0.3\n";
        let addresses: Vec<_> = parse(text).iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["10.0.0.1:53", "[::1]:53", "10.0.0.2:53"]);
        assert_eq!(parse("nameserver\noptions ndots:2"), ["127.0.0.1:53".parse().unwrap()]);
    }
}
