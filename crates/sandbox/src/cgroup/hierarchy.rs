//! Which controllers this machine offers, and where.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Knob, cpu, freezer, memory, pids};
use crate::spec::{Grant, Strength};

/// One mounted hierarchy that is of use, and what is opened in a group of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hierarchy {
    pub(super) version: Version,
    pub(super) directory: PathBuf,
    pub(super) controllers: Vec<Controller>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Controller {
    Memory,
    Cpu,
    CpuAccounting,
    Pids,
    Freezer,
}

impl Controller {
    const V1: [(Self, &str); 5] = [
        (Self::Memory, "memory"),
        (Self::Cpu, "cpu"),
        (Self::CpuAccounting, "cpuacct"),
        (Self::Pids, "pids"),
        (Self::Freezer, "freezer"),
    ];
    /// The names in `cgroup.controllers`. Freezing needs none, and accounting comes with every group.
    pub(super) const V2: [(Self, &str); 3] =
        [(Self::Memory, "memory"), (Self::Cpu, "cpu"), (Self::Pids, "pids")];

    pub(super) fn knobs(self, version: Version) -> &'static [Knob] {
        match (self, version) {
            (Self::Memory, Version::One) => memory::KNOBS_V1,
            (Self::Memory, Version::Two) => memory::KNOBS_V2,
            (Self::Cpu, Version::One) => cpu::KNOBS_V1,
            (Self::CpuAccounting, Version::One) => cpu::KNOBS_V1_ACCOUNTING,
            (Self::Cpu | Self::CpuAccounting, Version::Two) => cpu::KNOBS_V2,
            (Self::Pids, Version::One) => pids::KNOBS_V1,
            (Self::Pids, Version::Two) => pids::KNOBS_V2,
            (Self::Freezer, Version::One) => freezer::KNOBS_V1,
            (Self::Freezer, Version::Two) => freezer::KNOBS_V2,
        }
    }
}

/// A line of `/proc/self/mountinfo` that is a cgroup hierarchy.
#[derive(Debug, PartialEq, Eq)]
struct Mounted<'a> {
    directory: &'a str,
    version: Version,
    options: &'a str,
}

fn mounted(mountinfo: &str) -> impl Iterator<Item = Mounted<'_>> {
    mountinfo.lines().filter_map(|line| {
        let (place, filesystem) = line.split_once(" - ")?;
        let directory = place.split(' ').nth(4)?;
        let mut filesystem = filesystem.split(' ');
        let version = match filesystem.next()? {
            "cgroup" => Version::One,
            "cgroup2" => Version::Two,
            _ => return None,
        };
        Some(Mounted { directory, version, options: filesystem.nth(1)? })
    })
}

/// Chooses for each need the hierarchy that serves it: v2 where it has the controller, else v1; and for freezing
/// any v2 tree, even one without controllers. `controllers` reads a v2 tree's `cgroup.controllers`.
fn choose(mountinfo: &str, controllers: impl Fn(&Path) -> String) -> Vec<Hierarchy> {
    let mut chosen: Vec<Hierarchy> = Vec::new();
    let mut served = Vec::new();
    if let Some(two) = mounted(mountinfo).find(|mount| mount.version == Version::Two) {
        let directory = PathBuf::from(two.directory);
        let offered = controllers(&directory);
        let mut own: Vec<_> = Controller::V2
            .into_iter()
            .filter(|(_, name)| offered.split_whitespace().any(|word| word == *name))
            .map(|(controller, _)| controller)
            .collect();
        if own.contains(&Controller::Cpu) {
            served.push(Controller::CpuAccounting);
        }
        own.push(Controller::Freezer);
        served.extend(&own);
        chosen.push(Hierarchy { version: Version::Two, directory, controllers: own });
    }
    for one in mounted(mountinfo).filter(|mount| mount.version == Version::One) {
        let own: Vec<_> = Controller::V1
            .into_iter()
            .filter(|(controller, name)| {
                !served.contains(controller) && one.options.split(',').any(|word| word == *name)
            })
            .map(|(controller, _)| controller)
            .collect();
        if !own.is_empty() {
            served.extend(&own);
            let directory = PathBuf::from(one.directory);
            chosen.push(Hierarchy { version: Version::One, directory, controllers: own });
        }
    }
    chosen
}

/// What this machine has mounted. `delegated` limits the search to this process's own v2 group, which is all that
/// an ordinary user may have been given.
pub(super) fn detect(delegated: bool) -> io::Result<Vec<Hierarchy>> {
    let mountinfo = fs::read_to_string("/proc/self/mountinfo")?;
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mut chosen = choose(&mountinfo, |directory| {
        fs::read_to_string(directory.join("cgroup.controllers")).unwrap_or_default()
    });
    if delegated {
        chosen.retain(|hierarchy| hierarchy.version == Version::Two);
        for hierarchy in &mut chosen {
            if let Some(path) = own.lines().find_map(|line| line.strip_prefix("0::/")) {
                hierarchy.directory.push(path);
            }
        }
    }
    Ok(chosen)
}

/// What the usable hierarchies can enforce; `why` explains those that are there but cannot be used.
pub(super) fn strength(usable: &[Hierarchy], why: &[String], beside: (Grant, Grant)) -> Strength {
    let grant = |controller: Controller, name: &str| {
        if usable.iter().any(|hierarchy| hierarchy.controllers.contains(&controller)) {
            Grant::Enforced
        } else if why.is_empty() {
            Grant::Missing(format!("this machine has no {name} cgroup controller mounted"))
        } else {
            Grant::Missing(format!("no cgroup can be used for {name}: {}", why.join("; ")))
        }
    };
    Strength {
        memory: grant(Controller::Memory, "memory"),
        cpu: grant(Controller::Cpu, "cpu"),
        pids: grant(Controller::Pids, "pids"),
        freeze: grant(Controller::Freezer, "freezer"),
        users: beside.0,
        storage: beside.1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V1: &str = "\
31 30 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
32 31 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct
33 31 0:28 / /sys/fs/cgroup/memory rw,nosuid shared:10 - cgroup cgroup rw,memory
34 31 0:29 / /sys/fs/cgroup/blkio rw,nosuid - cgroup cgroup rw,blkio
35 31 0:30 / /sys/fs/cgroup/pids rw,nosuid - cgroup cgroup rw,pids
36 31 0:31 / /sys/fs/cgroup/freezer rw,nosuid - cgroup cgroup rw,freezer
";
    const V2: &str = "29 23 0:25 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
    const HYBRID: &str = "37 31 0:32 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

    fn check(mountinfo: &str, offered: &str, expected: &[(&str, &[Controller])]) {
        let chosen = choose(mountinfo, |_| offered.into());
        let chosen: Vec<_> = (chosen.iter())
            .map(|hierarchy| (hierarchy.directory.to_str().unwrap(), hierarchy.controllers.as_slice()))
            .collect();
        assert_eq!(chosen, expected);
    }

    #[test]
    fn each_need_is_served_once_by_the_best_that_is_mounted() {
        use Controller::{Cpu, CpuAccounting, Freezer, Memory, Pids};
        check("", "", &[]);
        check(V2, "cpuset cpu io memory pids", &[("/sys/fs/cgroup", &[Memory, Cpu, Pids, Freezer])]);
        check(
            V1,
            "",
            &[
                ("/sys/fs/cgroup/cpu,cpuacct", &[Cpu, CpuAccounting]),
                ("/sys/fs/cgroup/memory", &[Memory]),
                ("/sys/fs/cgroup/pids", &[Pids]),
                ("/sys/fs/cgroup/freezer", &[Freezer]),
            ],
        );
        check(
            &(V1.to_owned() + HYBRID),
            "hugetlb",
            &[
                ("/sys/fs/cgroup/unified", &[Freezer]),
                ("/sys/fs/cgroup/cpu,cpuacct", &[Cpu, CpuAccounting]),
                ("/sys/fs/cgroup/memory", &[Memory]),
                ("/sys/fs/cgroup/pids", &[Pids]),
            ],
        );
    }

    #[test]
    fn what_is_missing_is_said_with_the_reason() {
        let chosen = choose(HYBRID, |_| String::new());
        let strength =
            strength(&chosen, &["make /x: permission denied".into()], (Grant::Enforced, Grant::Enforced));
        assert!(strength.freeze.is_enforced() && !strength.is_full());
        let Grant::Missing(why) = strength.memory else { panic!() };
        assert_eq!(why, "no cgroup can be used for memory: make /x: permission denied");
    }
}
