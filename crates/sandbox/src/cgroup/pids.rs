//! The pids controller: processes and threads.

use std::io;

use super::{Knob, Knobs};

pub(super) const KNOBS_V1: &[Knob] = &[Knob::PidsV1];
pub(super) const KNOBS_V2: &[Knob] = &[Knob::PidsV2];

/// The sandbox's init counts too, and is not the function's.
const INIT_PROCESSES: u64 = 1;

pub(super) fn set_limit(knobs: &Knobs, pids: u32) -> io::Result<()> {
    let limit = (u64::from(pids) + INIT_PROCESSES).to_string();
    knobs.write(Knob::PidsV1, &limit)?;
    knobs.write(Knob::PidsV2, &limit)
}

#[cfg(test)]
mod tests {
    use super::super::knob::fixture::Fixture;
    use super::*;

    #[test]
    fn the_init_is_allowed_for() {
        let (fixture, knobs) = Fixture::new(&[(Knob::PidsV1, "max")]);
        set_limit(&knobs, 1024).unwrap();
        assert!(fixture.read(Knob::PidsV1).starts_with("1025"));
    }
}
