//! Stopping a group: cgroup v2's own file where any cgroup2 tree is mounted, else the v1 freezer.
//!
//! A v1-frozen process does not die of SIGKILL before it is thawed; a v2-frozen one does. So v2 is preferred even
//! on machines whose limits are all v1.

use std::io;

use super::{Knob, Knobs};

pub(super) const KNOBS_V1: &[Knob] = &[Knob::FreezerV1];
pub(super) const KNOBS_V2: &[Knob] = &[Knob::FreezeV2];

pub(super) fn freeze(knobs: &Knobs) -> io::Result<()> {
    knobs.write(Knob::FreezeV2, "1")?;
    knobs.write(Knob::FreezerV1, "FROZEN")
}

pub(super) fn thaw(knobs: &Knobs) -> io::Result<()> {
    knobs.write(Knob::FreezeV2, "0")?;
    knobs.write(Knob::FreezerV1, "THAWED")
}

#[cfg(test)]
mod tests {
    use super::super::knob::fixture::Fixture;
    use super::*;

    #[test]
    fn each_version_has_its_words() {
        let (v1, knobs) = Fixture::new(&[(Knob::FreezerV1, "")]);
        freeze(&knobs).unwrap();
        assert_eq!(v1.read(Knob::FreezerV1), "FROZEN");
        thaw(&knobs).unwrap();
        assert_eq!(v1.read(Knob::FreezerV1), "THAWED");
        let (v2, knobs) = Fixture::new(&[(Knob::FreezeV2, "")]);
        freeze(&knobs).unwrap();
        assert_eq!(v2.read(Knob::FreezeV2), "1");
        thaw(&knobs).unwrap();
        assert_eq!(v2.read(Knob::FreezeV2), "0");
    }
}
