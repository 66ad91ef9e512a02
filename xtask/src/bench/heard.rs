//! Hears from functions that they run: a function calls, is answered, and goes on.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::spread::Spread;

/// A function that has not called after so long will not call.
const PATIENCE: Duration = Duration::from_secs(30);
/// Causes of which the first are not measured: they start the function.
const FIRST: usize = 20;

/// Where functions call.
pub struct Heard {
    listener: TcpListener,
    port: u16,
}

impl Heard {
    pub fn open() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener, port })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// How long after each of so many causes the function called; fewer if they take longer than `span` together.
    pub fn after_each(
        &self,
        count: usize,
        span: Duration,
        mut cause: impl FnMut() -> anyhow::Result<()>,
    ) -> anyhow::Result<Spread> {
        for _ in 0..FIRST.min(count / 2) {
            self.after(&mut cause)?;
        }
        let (started, mut times) = (Instant::now(), Vec::with_capacity(count));
        while times.is_empty() || (times.len() < count && started.elapsed() < span) {
            times.push(self.after(&mut cause)?);
        }
        Ok(Spread::of(times))
    }

    /// How long after a cause its function called.
    fn after(&self, cause: &mut impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<Duration> {
        let started = Instant::now();
        cause()?;
        let mut stream = BufReader::new(self.accept()?);
        let mut line = String::new();
        stream.read_line(&mut line).context("hear from the function")?;
        let took = started.elapsed();
        ensure!(line == "ran\n", "the function said {line:?}");
        stream.get_mut().write_all(b"+")?;
        Ok(took)
    }

    fn accept(&self) -> anyhow::Result<TcpStream> {
        let patience = Timespec::try_from(PATIENCE).context("a timeout")?;
        if poll(&mut [PollFd::new(&self.listener, PollFlags::IN)], Some(&patience))? == 0 {
            bail!("the function has not run within {PATIENCE:?}");
        }
        let (stream, _) = self.listener.accept().context("hear from the function")?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(stream)
    }
}
