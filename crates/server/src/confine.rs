//! After the launcher is started the server needs no privilege: it gives up all of them for good.
//!
//! No capability, no new privileges through exec, and with Landlock no write outside the directories it was given, no
//! signal to a process that it did not start since, and no abstract socket of theirs.
//! Called before there is any thread, since each of these is a property of a thread.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, BitFlags, CompatLevel, Compatible as _, PathBeneath, PathFd, Ruleset,
    RulesetAttr as _, RulesetCreatedAttr as _, RulesetStatus, Scope,
};
use rustix::thread::{CapabilitySet, CapabilitySets};

/// What could be given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Confinement {
    /// Everything.
    Full,
    /// Capabilities only; the sentence says why the file system is not confined.
    WithoutFiles(String),
}

/// Where a confined server may still write.
#[derive(Clone, Debug, Default)]
pub struct Writable {
    /// Everything beneath these.
    pub beneath: Vec<PathBuf>,
    /// Directories beneath this may be removed once they are empty.
    pub emptied: Option<PathBuf>,
}

/// Gives up everything but reading, and writing where it may.
pub fn confine(writable: &Writable) -> anyhow::Result<Confinement> {
    rustix::thread::set_no_new_privs(true)?;
    let confinement = match restrict_files(writable) {
        Ok(true) => Confinement::Full,
        Ok(false) => Confinement::WithoutFiles("this kernel has no Landlock".to_owned()),
        Err(error) => Confinement::WithoutFiles(error.to_string()),
    };
    drop_capabilities()?;
    Ok(confinement)
}

fn restrict_files(writable: &Writable) -> anyhow::Result<bool> {
    // The newest rights that this crate and any kernel since 6.2 agree on; an older kernel enforces what it knows.
    let abi = ABI::V3;
    let ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))?
        // Since 6.12. A server that runs as root may otherwise end any other service of root's, capabilities or not.
        .scope(Scope::from_all(ABI::V6))?;
    let mut ruleset = ruleset.create()?.add_rule(beneath(Path::new("/"), AccessFs::from_read(abi))?)?;
    for path in writable.beneath.iter().filter(|path| path.exists()) {
        ruleset = ruleset.add_rule(beneath(path, AccessFs::from_all(abi))?)?;
    }
    if let Some(parent) = &writable.emptied {
        ruleset = ruleset.add_rule(beneath(parent, AccessFs::RemoveDir.into())?)?;
    }
    // Programs that install SDKs write to /dev/null and open terminals.
    let devices = AccessFs::from_file(abi) | AccessFs::ReadDir;
    let ruleset = ruleset.add_rule(beneath(Path::new("/dev"), devices)?)?;
    Ok(ruleset.restrict_self()?.ruleset != RulesetStatus::NotEnforced)
}

fn beneath(path: &Path, access: BitFlags<AccessFs>) -> anyhow::Result<PathBeneath<PathFd>> {
    Ok(PathBeneath::new(PathFd::new(path)?, access))
}

fn drop_capabilities() -> anyhow::Result<()> {
    // Without the bounding set, not even a set-user-id program could bring a capability back.
    for capability in CapabilitySet::all().iter() {
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            Ok(()) => {}
            // Not held, or not known to this kernel: then there is nothing to give up.
            Err(rustix::io::Errno::PERM | rustix::io::Errno::INVAL) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let none = CapabilitySet::empty();
    rustix::thread::set_capabilities(
        None,
        CapabilitySets { effective: none, permitted: none, inheritable: none },
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confined_thread_writes_only_where_it_may() {
        let allowed = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let paths = (allowed.path().to_owned(), elsewhere.path().to_owned());
        // A thread of its own, because there is no way back.
        let (confinement, inside, outside) = std::thread::spawn(move || {
            let writable = Writable { beneath: vec![paths.0.clone()], emptied: None };
            let confinement = confine(&writable).unwrap();
            (confinement, std::fs::write(paths.0.join("f"), "x"), std::fs::write(paths.1.join("f"), "x"))
        })
        .join()
        .unwrap();
        inside.unwrap();
        if confinement == Confinement::Full {
            assert_eq!(outside.unwrap_err().kind(), std::io::ErrorKind::PermissionDenied);
        }
    }

    #[test]
    fn a_confined_thread_signals_no_process_from_before() {
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        let mut numbers = release.split(['.', '-']).map_while(|number| number.parse::<u32>().ok());
        let can_scope = (numbers.next(), numbers.next()) >= (Some(6), Some(12));
        let mut other = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let pid = rustix::process::Pid::from_child(&other);
        let (confinement, others, own) = std::thread::spawn(move || {
            let confinement = confine(&Writable::default()).unwrap();
            let others = rustix::process::test_kill_process(pid);
            let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
            let own = child.kill();
            child.wait().unwrap();
            (confinement, others, own)
        })
        .join()
        .unwrap();
        other.kill().unwrap();
        other.wait().unwrap();
        own.unwrap();
        if can_scope && confinement == Confinement::Full {
            assert_eq!(others, Err(rustix::io::Errno::PERM));
        }
    }

    #[test]
    fn a_confined_thread_holds_no_capability() {
        let held = std::thread::spawn(|| {
            confine(&Writable::default()).unwrap();
            rustix::thread::capabilities(None).unwrap()
        });
        assert!(held.join().unwrap().effective.is_empty());
    }
}
