//! The transparent TCP proxy: dials for the function and copies both ways until both are done.

use std::io;
use std::net::SocketAddrV4;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time::timeout;

/// Time for the outside to accept. Inside, the connection is established already, so this is how long a function
/// waits for silence to become a reset.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection starts with a small buffer and grows to the large one while reads fill it. None is held while
/// nothing moves, so an idle connection costs two descriptors and no buffer.
const BUFFER_LEN: usize = 16 * 1024;
const BUFFER_LEN_MAX: usize = 128 * 1024;

/// Dials `destination` for the function behind `inside` and carries the connection to its end.
pub(super) async fn carry(mut inside: TcpStream, destination: SocketAddrV4) {
    let mut outside = match timeout(DIAL_TIMEOUT, TcpStream::connect(destination)).await {
        Ok(Ok(outside)) => outside,
        Ok(Err(error)) => {
            tracing::debug!(%destination, %error, "a function's connection failed");
            return reset(inside);
        }
        Err(_) => {
            tracing::debug!(%destination, "a function's connection timed out");
            return reset(inside);
        }
    };
    // Both make a connection better or leave it as it was.
    let _ = outside.set_nodelay(true);
    let _ = rustix::net::sockopt::set_socket_keepalive(&outside, true);
    if copy_both_ways(&mut inside, &mut outside).await.is_err() {
        // A reset on one side is a reset on the other, not an orderly end of data.
        reset(inside);
        reset(outside);
    }
}

/// Closes with a reset: what a refused or broken connection looks like.
pub(super) fn reset(stream: TcpStream) {
    // Without the option the close is orderly instead, which is the worst that a failure here can do.
    let _ = stream.set_zero_linger();
}

async fn copy_both_ways(inside: &mut TcpStream, outside: &mut TcpStream) -> io::Result<()> {
    let (from_inside, to_inside) = inside.split();
    let (from_outside, to_outside) = outside.split();
    tokio::try_join!(copy(from_inside, to_outside), copy(from_outside, to_inside))?;
    Ok(())
}

/// Copies until the end of `from`'s data, which is then the end of `to`'s.
async fn copy(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) -> io::Result<()> {
    let mut len = BUFFER_LEN;
    loop {
        from.readable().await?;
        let mut buffer = Vec::with_capacity(len);
        loop {
            let read = from.read_buf(&mut buffer).await?;
            if read == 0 {
                return to.shutdown().await;
            }
            to.write_all(&buffer).await?;
            buffer.clear();
            if read < len {
                break;
            }
            len = BUFFER_LEN_MAX.min(len * 2);
            buffer.reserve_exact(len);
        }
    }
}
