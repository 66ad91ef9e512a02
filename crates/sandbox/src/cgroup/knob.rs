//! The control files that a sandbox's group keeps open.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};

/// One control file of one controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Knob {
    MemoryLimitV1,
    MemorySwapLimitV1,
    MemorySwappinessV1,
    MemoryUsageV1,
    MemoryUsageMaxV1,
    MemoryOomV1,
    MemoryStat,
    CpuQuotaV1,
    CpuSharesV1,
    CpuUsageV1,
    PidsV1,
    FreezerV1,
    MemoryLimitV2,
    MemorySwapLimitV2,
    MemoryUsageV2,
    MemoryUsageMaxV2,
    MemoryEventsV2,
    CpuQuotaV2,
    CpuWeightV2,
    CpuStatV2,
    PidsV2,
    FreezeV2,
}

impl Knob {
    /// The file's name in the group's directory.
    pub(crate) fn file(self) -> &'static str {
        match self {
            Self::MemoryLimitV1 => "memory.limit_in_bytes",
            Self::MemorySwapLimitV1 => "memory.memsw.limit_in_bytes",
            Self::MemorySwappinessV1 => "memory.swappiness",
            Self::MemoryUsageV1 => "memory.usage_in_bytes",
            Self::MemoryUsageMaxV1 => "memory.max_usage_in_bytes",
            Self::MemoryOomV1 => "memory.oom_control",
            Self::MemoryStat => "memory.stat",
            Self::CpuQuotaV1 => "cpu.cfs_quota_us",
            Self::CpuSharesV1 => "cpu.shares",
            Self::CpuUsageV1 => "cpuacct.usage",
            Self::PidsV1 | Self::PidsV2 => "pids.max",
            Self::FreezerV1 => "freezer.state",
            Self::MemoryLimitV2 => "memory.max",
            Self::MemorySwapLimitV2 => "memory.swap.max",
            Self::MemoryUsageV2 => "memory.current",
            Self::MemoryUsageMaxV2 => "memory.peak",
            Self::MemoryEventsV2 => "memory.events",
            Self::CpuQuotaV2 => "cpu.max",
            Self::CpuWeightV2 => "cpu.weight",
            Self::CpuStatV2 => "cpu.stat",
            Self::FreezeV2 => "cgroup.freeze",
        }
    }

    /// Whether the server writes it; the rest is only read.
    fn is_written(self) -> bool {
        !matches!(
            self,
            Self::MemoryUsageV1
                | Self::MemoryOomV1
                | Self::MemoryStat
                | Self::CpuUsageV1
                | Self::MemoryUsageV2
                | Self::MemoryEventsV2
                | Self::CpuStatV2
        )
    }
}

/// Open control files, at most one of each kind.
#[derive(Debug, Default)]
pub(crate) struct Knobs(Vec<(Knob, OwnedFd)>);

impl Knobs {
    pub(crate) fn insert(&mut self, knob: Knob, fd: OwnedFd) {
        self.0.push((knob, fd));
    }

    /// Opens those of `wanted` that exist in `directory`: kernels differ in which they have.
    pub(crate) fn open_in(&mut self, directory: &Path, wanted: &[Knob]) -> io::Result<()> {
        for &knob in wanted {
            let access = if knob.is_written() { OFlags::RDWR } else { OFlags::RDONLY };
            let path = directory.join(knob.file());
            let opened = match rustix::fs::open(&path, access | OFlags::CLOEXEC, Mode::empty()) {
                // `memory.peak` cannot be written before Linux 6.12: then it is only read.
                Err(rustix::io::Errno::ACCESS | rustix::io::Errno::PERM)
                    if knob == Knob::MemoryUsageMaxV2 =>
                {
                    rustix::fs::open(&path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
                }
                other => other,
            };
            match opened {
                Ok(fd) => self.insert(knob, fd),
                Err(rustix::io::Errno::NOENT) => {}
                Err(error) => return Err(io::Error::other(format!("open {}: {error}", path.display()))),
            }
        }
        Ok(())
    }

    pub(crate) fn has(&self, knob: Knob) -> bool {
        self.get(knob).is_some()
    }

    fn get(&self, knob: Knob) -> Option<&OwnedFd> {
        self.0.iter().find(|(known, _)| *known == knob).map(|(_, fd)| fd)
    }

    /// Writes a value; nothing when the machine has no such file.
    pub(crate) fn write(&self, knob: Knob, value: &str) -> io::Result<()> {
        let Some(fd) = self.get(knob) else { return Ok(()) };
        rustix::io::pwrite(fd, value.as_bytes(), 0).map(|_| ()).map_err(|error| {
            io::Error::new(
                io::Error::from(error).kind(),
                format!("write {value} to {}: {error}", knob.file()),
            )
        })
    }

    /// Reads the whole file; `None` when the machine has none.
    pub(crate) fn read(&self, knob: Knob) -> io::Result<Option<String>> {
        let Some(fd) = self.get(knob) else { return Ok(None) };
        let mut buffer = [0; 4096];
        let length = rustix::io::pread(fd.as_fd(), &mut buffer, 0)
            .map_err(|error| io::Error::other(format!("read {}: {error}", knob.file())))?;
        Ok(Some(String::from_utf8_lossy(&buffer[..length]).into_owned()))
    }

    pub(crate) fn read_number(&self, knob: Knob) -> io::Result<Option<u64>> {
        Ok(self.read(knob)?.and_then(|text| text.trim().parse().ok()))
    }

    /// Reads the number after `name` in a file of lines "name number".
    pub(crate) fn read_field(&self, knob: Knob, name: &str) -> io::Result<Option<u64>> {
        Ok(self.read(knob)?.and_then(|text| field(&text, name)))
    }

    pub(crate) fn into_parts(self) -> impl Iterator<Item = (Knob, OwnedFd)> {
        self.0.into_iter()
    }
}

pub(super) fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(' ')?;
        (key == name).then(|| value.trim().parse().ok())?
    })
}

#[cfg(test)]
pub(super) mod fixture {
    //! A directory of ordinary files that stands for a group.

    use super::{Knob, Knobs};

    pub(in crate::cgroup) struct Fixture(tempfile::TempDir);

    impl Fixture {
        pub(in crate::cgroup) fn new(files: &[(Knob, &str)]) -> (Self, Knobs) {
            let directory = tempfile::tempdir().unwrap();
            let mut knobs = Knobs::default();
            for (knob, contents) in files {
                std::fs::write(directory.path().join(knob.file()), contents).unwrap();
                knobs.open_in(directory.path(), &[*knob]).unwrap();
            }
            (Self(directory), knobs)
        }

        pub(in crate::cgroup) fn read(&self, knob: Knob) -> String {
            std::fs::read_to_string(self.0.path().join(knob.file())).unwrap()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let text = "oom 4\noom_kill 3\noom_group_kill 0\n";
        assert_eq!(field(text, "oom_kill"), Some(3));
        assert_eq!(field(text, "kill"), None);
    }

    #[test]
    fn knobs_that_the_kernel_lacks_are_left_out() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("pids.max"), "max").unwrap();
        let mut knobs = Knobs::default();
        knobs.open_in(directory.path(), &[Knob::PidsV1, Knob::MemorySwapLimitV1]).unwrap();
        assert!(knobs.has(Knob::PidsV1) && !knobs.has(Knob::MemorySwapLimitV1));
    }
}
