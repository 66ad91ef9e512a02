//! Control groups, versions 1 and 2: one file per controller.
//!
//! The launcher makes a group and opens its control files ([`Knob`]); the server holds them and changes limits,
//! freezes and reads statistics without asking the launcher. A controller that the machine lacks has no knobs,
//! and its operations then do nothing: [`crate::Strength`] has said so.

mod cpu;
mod freezer;
mod group;
mod hierarchy;

mod knob;
mod memory;
mod pids;

pub(crate) use group::{Group, Groups};
pub(crate) use knob::{Knob, Knobs};

use std::io;

use crate::spec::{Limits, Stats};

/// A sandbox's limits and counters.
#[derive(Debug)]
pub(crate) struct Controls(Knobs);

impl Controls {
    pub(crate) fn new(knobs: Knobs) -> Self {
        Self(knobs)
    }

    pub(crate) fn into_knobs(self) -> Knobs {
        self.0
    }

    pub(crate) fn set_limits(&self, limits: &Limits) -> io::Result<()> {
        memory::set_limit(&self.0, limits.memory_mib)?;
        cpu::set_limit(&self.0, limits.cpu)?;
        pids::set_limit(&self.0, limits.pids)
    }

    pub(crate) fn stats(&self) -> io::Result<Stats> {
        Ok(Stats {
            memory_bytes: memory::usage_bytes(&self.0)?,
            memory_bytes_max: memory::usage_bytes_max(&self.0)?,
            oom_kills: memory::oom_kills(&self.0)?,
        })
    }

    pub(crate) fn cpu_time(&self) -> io::Result<Option<std::time::Duration>> {
        cpu::time(&self.0)
    }

    pub(crate) fn file_cache_bytes(&self) -> io::Result<u64> {
        memory::file_cache_bytes(&self.0)
    }

    pub(crate) fn reset_memory_max(&self) -> io::Result<()> {
        memory::reset_usage_max(&self.0)
    }

    pub(crate) fn freeze(&self) -> io::Result<()> {
        freezer::freeze(&self.0)
    }

    pub(crate) fn thaw(&self) -> io::Result<()> {
        freezer::thaw(&self.0)
    }
}
