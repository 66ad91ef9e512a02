//! Starting the launcher process.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{RecvFlags, SendFlags};

use crate::message::{self, Configure, Reply};
use crate::{Error, Options, Sandboxes, Strength, channel, net};

/// The argument that makes this program the launcher: main calls [`crate::launcher_main`] when its first
/// argument is this, before anything else.
pub const LAUNCHER_ARGUMENT: &str = "__sandbox-launcher";

/// A launcher that has not been asked for anything is ready within milliseconds.
const READY_TIMEOUT: Duration = Duration::from_secs(10);

/// The privileged process that makes sandboxes. It ends, with every sandbox, when this end of its socket closes.
#[derive(Debug)]
pub struct Launcher {
    pub(crate) socket: OwnedFd,
    pub(crate) child: Child,
    pub(crate) strength: Strength,
    pub(crate) roots: Vec<PathBuf>,
}

impl Launcher {
    /// Starts the launcher and waits until it is ready. Call it from the main thread while that is the only one:
    /// the launcher ends with the thread that started it.
    pub fn spawn(options: Options) -> Result<Self, Error> {
        let roots = prepare_roots(options.roots)?;
        let (socket, theirs) = channel::pair().map_err(Error::Spawn)?;
        let child = Command::new(&options.program)
            .arg(LAUNCHER_ARGUMENT)
            .env_clear()
            .current_dir("/")
            .stdin(theirs)
            .stdout(Stdio::null())
            .spawn()
            .map_err(Error::Spawn)?;
        let configure = Configure {
            roots: roots.clone(),
            storage: options.storage,
            cgroup: options.cgroup,
            sandboxes_max: options.sandboxes_max,
            uid_base: options.uid_base,
            endpoint_port: options.endpoint_port,
            internet: options.internet,
        };
        let strength = greet(&socket, &configure)?;
        Ok(Self { socket, child, strength, roots })
    }

    /// Which limits this machine enforces.
    pub fn strength(&self) -> &Strength {
        &self.strength
    }

    /// The launcher for async callers. Must be called within the async runtime.
    pub fn connect(self, network: net::NetworkOptions) -> Result<Sandboxes, Error> {
        Sandboxes::new(self, network)
    }
}

fn greet(socket: &OwnedFd, configure: &Configure) -> Result<Strength, Error> {
    set_socket_timeout(socket, Timeout::Recv, Some(READY_TIMEOUT))
        .map_err(|error| Error::Spawn(error.into()))?;
    channel::send(socket.as_fd(), &message::encode(0, configure), &[], SendFlags::empty())
        .map_err(Error::Spawn)?;
    let packet = channel::receive(socket, RecvFlags::empty()).map_err(Error::Spawn)?;
    let Some(packet) = packet else {
        return Err(Error::Unusable("it ended at once; its own message is on standard error".into()));
    };
    match message::decode::<Reply>(&packet.bytes) {
        Ok((_, Reply::Ready(strength))) => Ok(strength),
        Ok((_, Reply::Failed(why))) => Err(Error::Unusable(why)),
        Ok((_, other)) => Err(Error::Unusable(format!("it answered {other:?}"))),
        Err(error) => Err(Error::Spawn(io::Error::other(error))),
    }
}

/// Roots exist and have their real names, so that paths can be compared with them.
fn prepare_roots(roots: Vec<PathBuf>) -> Result<Vec<PathBuf>, Error> {
    (roots.into_iter())
        .map(|root| {
            // What is below is for sandboxes, not for this machine's other users.
            (std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&root))
                .and_then(|()| root.canonicalize())
                .map_err(Error::io(format!("prepare {}", root.display())))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Request;

    crate::launcher_in_tests!();

    #[test]
    fn a_launcher_that_is_asked_nonsense_refuses_it_and_goes_on() {
        let options = Options { cgroup: "hearth-sandbox-tests".into(), ..Options::default() };
        let launcher = Launcher::spawn(options).unwrap();
        let ask = |bytes: &[u8]| {
            channel::send(&launcher.socket, bytes, &[], SendFlags::empty()).unwrap();
            let packet = channel::receive(&launcher.socket, RecvFlags::empty()).unwrap().unwrap();
            message::decode::<Reply>(&packet.bytes).unwrap()
        };
        let deep = "[".repeat(50_000);
        for nonsense in ["nonsense", "{}", "null", deep.as_str(), r#"{"version":1,"id":7,"body":"Unknown"}"#]
        {
            assert!(matches!(ask(nonsense.as_bytes()), (0, Reply::Failed(_))), "{nonsense:.20}");
        }
        let limits = crate::Limits { memory_mib: 0, cpu: crate::Cpu::Full, pids: 1 };
        let impossible = Request::Create { template: 0, limits, tmp_mib: 1 };
        assert!(matches!(ask(&message::encode(7, &impossible)), (7, Reply::Failed(_))));
        let unknown =
            Request::Create { template: 9, limits: crate::Limits { memory_mib: 128, ..limits }, tmp_mib: 1 };
        assert_eq!(ask(&message::encode(8, &unknown)), (8, Reply::Failed("no such template".into())));
        assert_eq!(ask(&message::encode(9, &Request::Destroy { sandbox: 5 })), (9, Reply::Destroyed));
    }
}
