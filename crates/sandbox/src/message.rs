//! What the server and the launcher say to each other, and what the server and a sandbox's init say.
//!
//! Every message is one packet of JSON with a version and an id. Parsing is total: whatever arrives, the answer
//! is a valid message or a refusal; nothing here can panic. Semantic checks are in [`Request::check`].

use std::path::{Component, Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::cgroup::Knob;
use crate::net::NetFd;
use crate::spec::{Command, Exit, Limits, Strength, TemplateSpec};

/// Raised whenever a message changes; both ends are the same binary, so a difference means a mistake.
const VERSION: u32 = 1;

/// Sanity bounds of what is asked; far above what Lambda allows, far below what hurts.
const MEMORY_MIB_MAX: u32 = 1 << 20;
const PIDS_MAX: u32 = 1 << 16;
const CPU_PER_MILLE_MAX: u32 = 1_000_000;
const TMP_MIB_MAX: u32 = 1 << 20;
const TEMPLATE_ENTRIES_MAX: usize = 1024;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<T> {
    version: u32,
    id: u64,
    body: T,
}

/// Why a message was not understood.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed message: {0}")]
pub(crate) struct Malformed(String);

pub(crate) fn encode<T: Serialize>(id: u64, body: &T) -> Vec<u8> {
    let envelope = Envelope { version: VERSION, id, body };
    // Only a path that is not UTF-8 can fail here; an empty message is refused by the other end.
    serde_json::to_vec(&envelope).unwrap_or_default()
}

pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<(u64, T), Malformed> {
    let envelope: Envelope<T> =
        serde_json::from_slice(bytes).map_err(|error| Malformed(error.to_string()))?;
    if envelope.version != VERSION {
        return Err(Malformed(format!("version {} instead of {VERSION}", envelope.version)));
    }
    Ok((envelope.id, envelope.body))
}

/// The first message: what the launcher needs for the rest of its life.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Configure {
    pub(crate) roots: Vec<PathBuf>,
    pub(crate) storage: Option<PathBuf>,
    pub(crate) cgroup: String,
    pub(crate) sandboxes_max: u32,
    pub(crate) uid_base: u32,
    pub(crate) endpoint_port: u16,
    pub(crate) internet: bool,
}

/// A directory below a root that the launcher was told of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Location {
    pub(crate) root: usize,
    pub(crate) path: PathBuf,
}

/// What the server asks of the launcher.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Request {
    Template(TemplateSpec),
    Create { template: u32, limits: Limits, tmp_mib: u32 },
    Specialise { sandbox: u64, task: Location, opt: Option<Location>, tmp_mib: u32 },
    Destroy { sandbox: u64 },
}

impl Request {
    /// Refuses what cannot be meant, before anything is done.
    pub(crate) fn check(&self) -> Result<(), String> {
        match self {
            Self::Template(spec) => check_template(spec),
            Self::Create { limits, tmp_mib, .. } => check_limits(limits).and_then(|()| check_tmp(*tmp_mib)),
            Self::Specialise { task, opt, tmp_mib, .. } => {
                check_location(task)?;
                opt.as_ref().map_or(Ok(()), check_location)?;
                check_tmp(*tmp_mib)
            }
            Self::Destroy { .. } => Ok(()),
        }
    }
}

/// What the launcher answers.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Reply {
    /// Ready for requests; the first message it sends.
    Ready(Strength),
    Template {
        template: u32,
    },
    /// The descriptors that come along are listed in the same order.
    Created {
        sandbox: u64,
        fds: Vec<Fd>,
    },
    Specialised,
    Destroyed,
    Failed(String),
}

/// One descriptor of a created sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Fd {
    /// The socket to the sandbox's init.
    Init,
    /// A cgroup file.
    Knob(Knob),
    /// A socket inside the network namespace.
    Net(NetFd),
}

/// What the server asks of a sandbox's init. `Start` carries the control descriptor.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum InitRequest {
    Start(Command),
    KillAll,
    Signal {
        process: u64,
        signal: i32,
    },
    /// A TCP socket of the sandbox's network that is connected to nothing yet.
    Socket,
}

/// What a sandbox's init says. The id is that of the request; a process is known by the id that started it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum InitReply {
    /// Carries the read ends of the process's stdout and stderr.
    Pipes,
    Started {
        pid: i32,
    },
    Failed {
        step: String,
        errno: i32,
    },
    Exited(Exit),
    Done,
    /// Carries the socket that was asked for.
    Socket,
}

pub(crate) fn check_limits(limits: &Limits) -> Result<(), String> {
    let cpu_per_mille = match limits.cpu {
        crate::Cpu::Full => 1000,
        crate::Cpu::Quota(per_mille) | crate::Cpu::Weight(per_mille) => per_mille,
    };
    check_range("memory_mib", limits.memory_mib, 4, MEMORY_MIB_MAX)?;
    check_range("pids", limits.pids, 1, PIDS_MAX)?;
    check_range("cpu", cpu_per_mille, 1, CPU_PER_MILLE_MAX)
}

fn check_tmp(tmp_mib: u32) -> Result<(), String> {
    check_range("tmp_mib", tmp_mib, 1, TMP_MIB_MAX)
}

fn check_range(name: &str, value: u32, min: u32, max: u32) -> Result<(), String> {
    if (min..=max).contains(&value) {
        Ok(())
    } else {
        Err(format!("{name} is {value}, outside {min} to {max}"))
    }
}

fn check_location(location: &Location) -> Result<(), String> {
    if location.path.is_relative()
        && location.path.components().all(|part| matches!(part, Component::Normal(_)))
    {
        Ok(())
    } else {
        Err(format!("{:?} is not a plain relative path", location.path))
    }
}

fn check_template(spec: &TemplateSpec) -> Result<(), String> {
    let entries = spec.binds.len() + spec.symlinks.len() + spec.files.len() + spec.directories.len();
    if entries > TEMPLATE_ENTRIES_MAX {
        return Err(format!("a template of {entries} entries"));
    }
    let inside = (spec.binds.iter().map(|bind| &bind.inside))
        .chain(spec.symlinks.iter().map(|link| &link.inside))
        .chain(spec.files.iter().map(|file| &file.inside))
        .chain(&spec.directories);
    for path in inside {
        check_absolute(path)?;
        if ["proc", "dev", "tmp"].iter().any(|own| path.starts_with(Path::new("/").join(own))) {
            return Err(format!("{path:?} is the sandbox's own"));
        }
    }
    spec.binds.iter().try_for_each(|bind| check_shown(&bind.host))?;
    match spec.files.iter().find(|file| file.mode & !0o777 != 0) {
        Some(file) => Err(format!("{:?} has mode {:o}", file.inside, file.mode)),
        None => Ok(()),
    }
}

/// Whether a path of the host, without links, may be shown to sandboxes.
pub(crate) fn check_shown(host: &Path) -> Result<(), String> {
    check_absolute(host)?;
    if ["/proc", "/sys", "/dev"].iter().any(|kernel| host.starts_with(kernel)) {
        return Err(format!("{host:?} is never shown to a sandbox"));
    }
    Ok(())
}

/// Absolute, not the root itself, no `.` or `..`, no NUL.
fn check_absolute(path: &Path) -> Result<(), String> {
    let mut components = path.components();
    let rooted = components.next() == Some(Component::RootDir);
    let plain = components.clone().count() > 0 && components.all(|part| matches!(part, Component::Normal(_)));
    if rooted && plain && !path.as_os_str().as_encoded_bytes().contains(&0) {
        Ok(())
    } else {
        Err(format!("{path:?} is not a plain absolute path"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Cpu, TemplateSpec};

    fn check(request: &Request, allowed: bool) {
        assert_eq!(request.check().is_ok(), allowed, "{request:?}");
    }

    #[test]
    fn limits_outside_all_reason_are_refused() {
        for (memory_mib, cpu, pids, allowed) in [
            (128, Cpu::Quota(72), 1024, true),
            (10_240, Cpu::Full, 1024, true),
            (0, Cpu::Full, 1024, false),
            (128, Cpu::Quota(0), 1024, false),
            (128, Cpu::Weight(u32::MAX), 1024, false),
            (128, Cpu::Full, 0, false),
            (u32::MAX, Cpu::Full, 1, false),
        ] {
            check(
                &Request::Create { template: 0, limits: Limits { memory_mib, cpu, pids }, tmp_mib: 512 },
                allowed,
            );
        }
    }

    #[test]
    fn locations_stay_below_their_root() {
        for (path, allowed) in
            [("ab12", true), ("a/b", true), ("", true), ("/etc", false), ("../x", false), ("a/../b", false)]
        {
            let task = Location { root: 0, path: path.into() };
            check(&Request::Specialise { sandbox: 1, task, opt: None, tmp_mib: 512 }, allowed);
        }
    }

    #[test]
    fn templates_name_plain_absolute_paths_and_nothing_of_the_kernels() {
        let spec = TemplateSpec::default;
        for (spec, allowed) in [
            (spec().bind("/opt/python", "/var/lang"), true),
            (spec().bind("/", "/host"), false),
            (spec().bind("/sys/fs", "/x"), false),
            (spec().bind("/opt", "/proc/x"), false),
            (spec().bind("/opt", "/"), false),
            (spec().bind("opt", "/x"), false),
            (spec().file("/etc/x", "", 0o644), true),
            (spec().file("/etc/x", "", 0o4755), false),
            (spec().file("/etc/x\0", "", 0o644), false),
            (spec().directory("/a/../b"), false),
        ] {
            check(&Request::Template(spec), allowed);
        }
    }

    proptest! {
        #[test]
        fn whatever_arrives_is_a_message_or_a_refusal(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            let _ = decode::<Request>(&bytes);
            let _ = decode::<InitRequest>(&bytes);
            let _ = decode::<Configure>(&bytes);
            let _ = decode::<Reply>(&bytes);
            let _ = decode::<InitReply>(&bytes);
        }

        #[test]
        fn damaged_reports_are_refused_or_read(at in 0usize..200, byte: u8, signal: i32) {
            let reply = InitReply::Exited(Exit::Signal(signal));
            let mut bytes = encode(7, &reply);
            prop_assert_eq!(&decode::<InitReply>(&bytes).unwrap().1, &reply);
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = decode::<InitReply>(&bytes);
        }

        #[test]
        fn damaged_messages_are_refused_or_checked(at in 0usize..400, byte: u8, sandbox: u64, path in "[ -~]{0,40}") {
            let task = Location { root: 1, path: path.into() };
            let request = Request::Specialise { sandbox, task, opt: None, tmp_mib: 64 };
            let mut bytes = encode(1, &request);
            prop_assert_eq!(&decode::<Request>(&bytes).unwrap().1, &request);
            let at = at % bytes.len();
            bytes[at] = byte;
            if let Ok((_, damaged)) = decode::<Request>(&bytes) {
                let _ = damaged.check();
            }
        }
    }
}
