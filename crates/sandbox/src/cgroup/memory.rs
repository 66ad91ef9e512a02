//! The memory controller: a limit without swap, usage, and kills for lack of memory.

use std::io;

use super::knob::field;
use super::{Knob, Knobs};

pub(super) const KNOBS_V1: &[Knob] = &[
    Knob::MemoryLimitV1,
    Knob::MemorySwapLimitV1,
    Knob::MemorySwappinessV1,
    Knob::MemoryUsageV1,
    Knob::MemoryUsageMaxV1,
    Knob::MemoryOomV1,
    Knob::MemoryStat,
];
pub(super) const KNOBS_V2: &[Knob] = &[
    Knob::MemoryLimitV2,
    Knob::MemorySwapLimitV2,
    Knob::MemoryUsageV2,
    Knob::MemoryUsageMaxV2,
    Knob::MemoryEventsV2,
    Knob::MemoryStat,
];

const BYTES_PER_MIB: u64 = 1 << 20;

/// Limits memory, swap included. Lowering it below what is in use and cannot be freed fails.
pub(super) fn set_limit(knobs: &Knobs, limit_mib: u32) -> io::Result<()> {
    let limit = (u64::from(limit_mib) * BYTES_PER_MIB).to_string();
    if knobs.has(Knob::MemoryLimitV1) {
        return set_limit_v1(knobs, &limit);
    }
    knobs.write(Knob::MemorySwapLimitV2, "0")?;
    knobs.write(Knob::MemoryLimitV2, &limit)
}

/// The kernel wants memory and swap together to be no less than memory at every moment: so the order of the two
/// writes depends on the direction.
fn set_limit_v1(knobs: &Knobs, limit: &str) -> io::Result<()> {
    if !knobs.has(Knob::MemorySwapLimitV1) {
        knobs.write(Knob::MemorySwappinessV1, "0")?;
        return knobs.write(Knob::MemoryLimitV1, limit);
    }
    let now = knobs.read_number(Knob::MemorySwapLimitV1)?.unwrap_or(u64::MAX);
    let raised = limit.parse::<u64>().is_ok_and(|limit| limit > now);
    let order = if raised {
        [Knob::MemorySwapLimitV1, Knob::MemoryLimitV1]
    } else {
        [Knob::MemoryLimitV1, Knob::MemorySwapLimitV1]
    };
    order.into_iter().try_for_each(|knob| knobs.write(knob, limit))
}

pub(super) fn usage_bytes(knobs: &Knobs) -> io::Result<Option<u64>> {
    Ok(knobs.read_number(Knob::MemoryUsageV1)?.or(knobs.read_number(Knob::MemoryUsageV2)?))
}

pub(super) fn usage_bytes_max(knobs: &Knobs) -> io::Result<Option<u64>> {
    Ok(knobs.read_number(Knob::MemoryUsageMaxV1)?.or(knobs.read_number(Knob::MemoryUsageMaxV2)?))
}

pub(super) fn reset_usage_max(knobs: &Knobs) -> io::Result<()> {
    knobs.write(Knob::MemoryUsageMaxV1, "0")?;
    match knobs.write(Knob::MemoryUsageMaxV2, "reset") {
        // Linux before 6.12 cannot reset it: the maximum is then that of the sandbox's whole life.
        Err(error) if error.kind() != io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Pages of files that the kernel keeps as long as nobody needs the memory: they are part of the usage.
pub(super) fn file_cache_bytes(knobs: &Knobs) -> io::Result<u64> {
    let Some(text) = knobs.read(Knob::MemoryStat)? else { return Ok(0) };
    // Under v1 these are the group's own, which has no groups below it.
    let pages = ["inactive_file", "active_file"];
    Ok(pages.iter().filter_map(|name| field(&text, name)).sum())
}

/// Counted by the kernel; `failcnt` and the notification say less.
pub(super) fn oom_kills(knobs: &Knobs) -> io::Result<u64> {
    let v1 = knobs.read_field(Knob::MemoryOomV1, "oom_kill")?;
    Ok(v1.or(knobs.read_field(Knob::MemoryEventsV2, "oom_kill")?).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::super::knob::fixture::Fixture;
    use super::*;

    #[test]
    fn v1_limits_memory_and_swap_together() {
        let files =
            [(Knob::MemoryLimitV1, "9223372036854771712"), (Knob::MemorySwapLimitV1, "9223372036854771712")];
        let (fixture, knobs) = Fixture::new(&files);
        set_limit(&knobs, 131_072).unwrap();
        assert!(fixture.read(Knob::MemoryLimitV1).starts_with("137438953472"));
        assert!(fixture.read(Knob::MemorySwapLimitV1).starts_with("137438953472"));
    }

    #[test]
    fn v1_without_swap_accounting_turns_swapping_off() {
        let (fixture, knobs) = Fixture::new(&[(Knob::MemoryLimitV1, ""), (Knob::MemorySwappinessV1, "6")]);
        set_limit(&knobs, 1).unwrap();
        assert_eq!(fixture.read(Knob::MemoryLimitV1), "1048576");
        assert_eq!(fixture.read(Knob::MemorySwappinessV1), "0");
    }

    #[test]
    fn v2_allows_no_swap() {
        let (fixture, knobs) = Fixture::new(&[(Knob::MemoryLimitV2, ""), (Knob::MemorySwapLimitV2, "")]);
        set_limit(&knobs, 128).unwrap();
        assert_eq!(fixture.read(Knob::MemoryLimitV2), "134217728");
        assert_eq!(fixture.read(Knob::MemorySwapLimitV2), "0");
    }

    #[test]
    fn kills_are_read_from_either_version() {
        let (_fixture, v1) =
            Fixture::new(&[(Knob::MemoryOomV1, "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")]);
        let (_fixture, v2) = Fixture::new(&[(Knob::MemoryEventsV2, "low 0\noom 9\noom_kill 3\n")]);
        let counts = [&v1, &v2, &Knobs::default()].map(|knobs| oom_kills(knobs).unwrap());
        assert_eq!(counts, [2, 3, 0]);
    }

    #[test]
    fn cached_files_are_on_both_lists() {
        let text =
            "cache 70\nrss 5\ninactive_anon 1\ninactive_file 40\nactive_file 2\ntotal_inactive_file 99\n";
        let (_fixture, knobs) = Fixture::new(&[(Knob::MemoryStat, text)]);
        assert_eq!(file_cache_bytes(&knobs).unwrap(), 42);
        assert_eq!(file_cache_bytes(&Knobs::default()).unwrap(), 0);
    }

    #[test]
    fn usage_is_unknown_without_a_controller() {
        assert_eq!(usage_bytes(&Knobs::default()).unwrap(), None);
        let (_fixture, v2) =
            Fixture::new(&[(Knob::MemoryUsageV2, "4096\n"), (Knob::MemoryUsageMaxV2, "8192\n")]);
        assert_eq!((usage_bytes(&v2).unwrap(), usage_bytes_max(&v2).unwrap()), (Some(4096), Some(8192)));
    }
}
