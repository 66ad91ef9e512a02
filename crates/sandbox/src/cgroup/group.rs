//! Making and removing groups: one directory of the launcher's own per hierarchy, one below it per sandbox.
//!
//! The launcher's directories are named after it and locked. A directory whose lock can be taken belongs to a
//! launcher that is dead, whatever its name: it is swept at the next start.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{FlockOperation, Mode, OFlags, flock};

use super::hierarchy::{self, Controller, Hierarchy, Version};
use super::{Controls, Knob, Knobs, cpu};
use crate::spec::{Grant, Strength};

/// Tries at making a directory that another launcher's sweep may take for abandoned.
const ATTEMPTS: u32 = 8;
/// How long killed processes may take to leave a group.
const EMPTY_ATTEMPTS: u32 = 100;
const EMPTY_PAUSE: Duration = Duration::from_millis(5);

/// The launcher's directories.
#[derive(Debug, Default)]
pub(crate) struct Groups(Vec<Base>);

#[derive(Debug)]
struct Base {
    hierarchy: Hierarchy,
    directory: PathBuf,
    /// Held for the launcher's life: it says that the directory is in use.
    _lock: OwnedFd,
}

/// The groups of one sandbox.
#[derive(Debug, Default)]
pub(crate) struct Group {
    directories: Vec<(Version, PathBuf)>,
    tasks: Vec<OwnedFd>,
    two: Option<OwnedFd>,
}

impl Groups {
    /// Makes the launcher's directories below `name` in every hierarchy that can be used, after sweeping what dead
    /// launchers left there. `beside` is what is known of users and storage.
    pub(crate) fn prepare(name: &str, delegated: bool, beside: (Grant, Grant)) -> (Self, Strength) {
        let (mut bases, mut usable, mut why) = (Vec::new(), Vec::new(), Vec::new());
        for hierarchy in hierarchy::detect(delegated).unwrap_or_default() {
            match Base::prepare(hierarchy, name, &mut why) {
                Ok(base) => {
                    usable.push(base.hierarchy.clone());
                    bases.push(base);
                }
                Err(error) => why.push(error),
            }
        }
        let strength = hierarchy::strength(&usable, &why, beside);
        (Self(bases), strength)
    }

    /// Makes the groups of one sandbox and opens their control files.
    pub(crate) fn create(&self, name: &str) -> Result<(Group, Controls), String> {
        let (mut group, mut knobs) = (Group::default(), Knobs::default());
        for base in &self.0 {
            if let Err(error) = base.create(name, &mut group, &mut knobs) {
                group.remove();
                return Err(error);
            }
        }
        Ok((group, Controls::new(knobs)))
    }

    /// Removes the launcher's own directories, when its sandboxes are gone.
    pub(crate) fn remove(self) {
        for base in self.0 {
            // Best effort: what stays is swept at the next start.
            let _ = fs::remove_dir(&base.directory);
            if let Some(parent) = base.directory.parent() {
                // Fails when another launcher uses it.
                let _ = fs::remove_dir(parent);
            }
        }
    }
}

impl Base {
    /// A controller that cannot be handed down is left out, and `why` says so: freezing needs none.
    fn prepare(mut hierarchy: Hierarchy, name: &str, why: &mut Vec<String>) -> Result<Self, String> {
        let parent = hierarchy.directory.join(name);
        sweep(&parent);
        for _ in 0..ATTEMPTS {
            make_all(&mut hierarchy, &parent, why)?;
            let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
            let directory = parent.join(format!("{}-{nanos:x}", std::process::id()));
            match fs::create_dir(&directory) {
                // Another launcher has just removed the parent: it was empty.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                result => result.map_err(|error| format!("make {}: {error}", directory.display()))?,
            }
            if let Ok(Some(lock)) = try_lock(&directory) {
                offer(&mut hierarchy, &directory, why);
                return Ok(Self { hierarchy, directory, _lock: lock });
            }
        }
        Err(format!("make a directory in {}: other launchers keep removing it", parent.display()))
    }

    fn create(&self, name: &str, group: &mut Group, knobs: &mut Knobs) -> Result<(), String> {
        let directory = self.directory.join(name);
        let describe = |error: io::Error| format!("make {}: {error}", directory.display());
        fs::create_dir(&directory).map_err(describe)?;
        group.directories.push((self.hierarchy.version, directory.clone()));
        for controller in &self.hierarchy.controllers {
            knobs
                .open_in(&directory, controller.knobs(self.hierarchy.version))
                .map_err(|error| error.to_string())?;
        }
        match self.hierarchy.version {
            Version::One => {
                group.tasks.push(open(&directory.join("tasks"), OFlags::WRONLY).map_err(describe)?)
            }
            Version::Two => group.two = Some(open(&directory, OFlags::DIRECTORY).map_err(describe)?),
        }
        if self.hierarchy.version == Version::One && self.hierarchy.controllers.contains(&Controller::Cpu) {
            let period = directory.join("cpu.cfs_period_us");
            fs::write(&period, cpu::PERIOD_US.to_string())
                .map_err(|error| format!("write {}: {error}", period.display()))?;
        }
        Ok(())
    }
}

impl Group {
    /// Control files to write `0` to, for joining from inside.
    pub(crate) fn tasks(&self) -> &[OwnedFd] {
        &self.tasks
    }

    /// The group to be born in.
    pub(crate) fn two(&self) -> Option<BorrowedFd<'_>> {
        self.two.as_ref().map(AsFd::as_fd)
    }

    /// Closes what only joining needed.
    pub(crate) fn joined(&mut self) {
        self.tasks.clear();
        self.two = None;
    }

    /// Makes sure that a kill takes effect: kills where the kernel can, and thaws, for a v1-frozen process does not
    /// die of a signal.
    pub(crate) fn kill(&self) {
        for (version, directory) in &self.directories {
            kill_in(*version, directory);
        }
    }

    /// Removes the directories; whether all are gone. They can only be removed when no process is left.
    pub(crate) fn remove(&mut self) -> bool {
        self.directories.retain(|(_, directory)| match fs::remove_dir(directory) {
            Err(error) => error.kind() != io::ErrorKind::NotFound,
            Ok(()) => false,
        });
        self.directories.is_empty()
    }
}

fn kill_in(version: Version, directory: &Path) {
    // Each is absent in some kernels and hierarchies; the signal to process 1 is what counts.
    let _ = match version {
        Version::One => fs::write(directory.join(Knob::FreezerV1.file()), "THAWED"),
        Version::Two => fs::write(directory.join("cgroup.kill"), "1"),
    };
}

/// Makes a directory with those above it, in a v2 hierarchy handing the controllers down.
fn make_all(hierarchy: &mut Hierarchy, directory: &Path, why: &mut Vec<String>) -> Result<(), String> {
    let below = directory.strip_prefix(&hierarchy.directory).unwrap_or(Path::new("")).to_owned();
    let mut current = hierarchy.directory.clone();
    for part in &below {
        offer(hierarchy, &current, why);
        current.push(part);
        match fs::create_dir(&current) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(format!("make {}: {error}", current.display()));
            }
            _ => {}
        }
    }
    offer(hierarchy, &current, why);
    Ok(())
}

/// Lets groups below a v2 directory use the controllers that are wanted; drops those that cannot be.
fn offer(hierarchy: &mut Hierarchy, directory: &Path, why: &mut Vec<String>) {
    if hierarchy.version == Version::One {
        return;
    }
    let file = directory.join("cgroup.subtree_control");
    let offered = fs::read_to_string(&file).unwrap_or_default();
    for (controller, name) in Controller::V2 {
        let wanted = hierarchy.controllers.contains(&controller);
        if !wanted || offered.split_whitespace().any(|word| word == name) {
            continue;
        }
        if let Err(error) = fs::write(&file, format!("+{name}")) {
            hierarchy.controllers.retain(|kept| *kept != controller);
            why.push(format!("hand the {name} controller down in {}: {error}", directory.display()));
        }
    }
}

/// Takes a directory's lock; `None` when its owner is alive.
fn try_lock(directory: &Path) -> io::Result<Option<OwnedFd>> {
    let fd = open(directory, OFlags::DIRECTORY)?;
    match flock(&fd, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    // A directory that was removed and made again meanwhile is another one.
    let (locked, now) = (rustix::fs::fstat(&fd)?, rustix::fs::stat(directory)?);
    Ok((locked.st_ino == now.st_ino).then_some(fd))
}

/// Removes what dead launchers left below `parent`.
fn sweep(parent: &Path) {
    for directory in subdirectories(parent) {
        if let Ok(Some(_lock)) = try_lock(&directory) {
            subdirectories(&directory)
                .into_iter()
                .chain([directory])
                .for_each(|group| empty_and_remove(&group));
        }
    }
}

fn empty_and_remove(group: &Path) {
    for _ in 0..EMPTY_ATTEMPTS {
        match fs::remove_dir(group) {
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {}
            _ => return,
        }
        kill_in(Version::One, group);
        kill_in(Version::Two, group);
        let processes = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
        for pid in
            processes.lines().filter_map(|line| line.parse().ok()).filter_map(rustix::process::Pid::from_raw)
        {
            // It may have ended by itself.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        let pause = rustix::thread::Timespec { tv_sec: 0, tv_nsec: EMPTY_PAUSE.subsec_nanos().into() };
        // Interrupted or not, the next attempt tells.
        let _ = rustix::thread::nanosleep(&pause);
    }
}

fn subdirectories(of: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(of).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}

fn open(path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture(version: Version, controllers: &[Controller]) -> (tempfile::TempDir, Hierarchy) {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().to_owned();
        (place, Hierarchy { version, directory, controllers: controllers.to_vec() })
    }

    #[test]
    fn a_living_launchers_directory_is_kept_and_a_dead_ones_is_swept() {
        let (place, hierarchy) = fixture(Version::One, &[]);
        let alive = Base::prepare(hierarchy.clone(), "hearth", &mut Vec::new()).unwrap();
        let dead = place.path().join("hearth/1-dead/s1");
        fs::create_dir_all(&dead).unwrap();
        let second = Base::prepare(hierarchy, "hearth", &mut Vec::new()).unwrap();
        assert!(alive.directory.exists() && second.directory.exists() && !dead.parent().unwrap().exists());
    }

    #[test]
    fn a_v2_hierarchy_hands_its_controllers_down() {
        let (place, hierarchy) = fixture(Version::Two, &[Controller::Pids]);
        let base = Base::prepare(hierarchy, "a/b", &mut Vec::new()).unwrap();
        for directory in [place.path().to_owned(), place.path().join("a/b"), base.directory] {
            assert_eq!(fs::read_to_string(directory.join("cgroup.subtree_control")).unwrap(), "+pids");
        }
    }

    #[test]
    fn a_controller_that_cannot_be_handed_down_is_left_out_and_explained() {
        let (place, hierarchy) = fixture(Version::Two, &[Controller::Memory, Controller::Freezer]);
        // A directory in the file's place cannot be written.
        fs::create_dir(place.path().join("cgroup.subtree_control")).unwrap();
        let mut why = Vec::new();
        let base = Base::prepare(hierarchy, "hearth", &mut why).unwrap();
        assert_eq!(base.hierarchy.controllers, [Controller::Freezer]);
        assert!(why[0].starts_with("hand the memory controller down in "), "{why:?}");
    }

    #[test]
    fn a_failed_creation_leaves_nothing() {
        // An ordinary directory has no `tasks`: the group cannot be made whole.
        let (_place, hierarchy) = fixture(Version::One, &[]);
        let base = Base::prepare(hierarchy, "hearth", &mut Vec::new()).unwrap();
        let directory = base.directory.clone();
        assert!(Groups(vec![base]).create("s1").is_err());
        assert_eq!(subdirectories(&directory), Vec::<PathBuf>::new());
    }
}
