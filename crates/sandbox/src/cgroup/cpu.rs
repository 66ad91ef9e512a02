//! The cpu controller: a quota, or a weight.

use std::io;
use std::time::Duration;

use super::{Knob, Knobs};
use crate::spec::Cpu;

pub(super) const KNOBS_V1: &[Knob] = &[Knob::CpuQuotaV1, Knob::CpuSharesV1];
pub(super) const KNOBS_V1_ACCOUNTING: &[Knob] = &[Knob::CpuUsageV1];
pub(super) const KNOBS_V2: &[Knob] = &[Knob::CpuQuotaV2, Knob::CpuWeightV2, Knob::CpuStatV2];

/// Short, so that a small quota pauses a function for milliseconds rather than a tenth of a second.
pub(super) const PERIOD_US: u64 = 20_000;
/// The kernel refuses less.
const QUOTA_US_MIN: u64 = 1_000;
/// The shares of a group that nobody configured, taken as one core's worth.
const SHARES_DEFAULT: u64 = 1024;
const SHARES_MIN: u64 = 2;
const WEIGHT_DEFAULT: u64 = 100;
const WEIGHT_MAX: u64 = 10_000;

pub(super) fn set_limit(knobs: &Knobs, cpu: Cpu) -> io::Result<()> {
    let quota_us = quota_us(cpu);
    let v1 = quota_us.map_or("-1".into(), |quota| quota.to_string());
    let v2 = quota_us.map_or("max".into(), |quota| quota.to_string());
    knobs.write(Knob::CpuQuotaV1, &v1)?;
    knobs.write(Knob::CpuQuotaV2, &format!("{v2} {PERIOD_US}"))?;
    // Also when no weight is asked for: a sandbox made in the background had a small one.
    let per_mille = if let Cpu::Weight(per_mille) = cpu { per_mille } else { 1000 };
    let scaled = |unit: u64| u64::from(per_mille) * unit / 1000;
    knobs.write(Knob::CpuSharesV1, &scaled(SHARES_DEFAULT).max(SHARES_MIN).to_string())?;
    knobs.write(Knob::CpuWeightV2, &scaled(WEIGHT_DEFAULT).clamp(1, WEIGHT_MAX).to_string())
}

fn quota_us(cpu: Cpu) -> Option<u64> {
    match cpu {
        Cpu::Quota(per_mille) => Some((u64::from(per_mille) * PERIOD_US / 1000).max(QUOTA_US_MIN)),
        Cpu::Full | Cpu::Weight(_) => None,
    }
}

pub(super) fn time(knobs: &Knobs) -> io::Result<Option<Duration>> {
    if let Some(ns) = knobs.read_number(Knob::CpuUsageV1)? {
        return Ok(Some(Duration::from_nanos(ns)));
    }
    Ok(knobs.read_field(Knob::CpuStatV2, "usage_usec")?.map(Duration::from_micros))
}

#[cfg(test)]
mod tests {
    use super::super::knob::fixture::Fixture;
    use super::*;

    fn check(cpu: Cpu, quota_v1: &str, max_v2: &str) {
        let (v1, knobs) = Fixture::new(&[(Knob::CpuQuotaV1, "")]);
        set_limit(&knobs, cpu).unwrap();
        assert_eq!(v1.read(Knob::CpuQuotaV1), quota_v1);
        let (v2, knobs) = Fixture::new(&[(Knob::CpuQuotaV2, "")]);
        set_limit(&knobs, cpu).unwrap();
        assert_eq!(v2.read(Knob::CpuQuotaV2), max_v2);
    }

    #[test]
    fn quotas_are_parts_of_a_short_period() {
        check(Cpu::Quota(1000), "20000", "20000 20000");
        check(Cpu::Quota(72), "1440", "1440 20000");
        check(Cpu::Quota(5789), "115780", "115780 20000");
        check(Cpu::Quota(1), "1000", "1000 20000");
        check(Cpu::Full, "-1", "max 20000");
        check(Cpu::Weight(500), "-1", "max 20000");
    }

    #[test]
    fn a_weight_is_in_proportion_to_cores() {
        let (fixture, knobs) = Fixture::new(&[(Knob::CpuSharesV1, ""), (Knob::CpuWeightV2, "")]);
        set_limit(&knobs, Cpu::Weight(500)).unwrap();
        assert_eq!(
            (fixture.read(Knob::CpuSharesV1), fixture.read(Knob::CpuWeightV2)),
            ("512".into(), "50".into())
        );
        set_limit(&knobs, Cpu::Full).unwrap();
        assert_eq!(
            (fixture.read(Knob::CpuSharesV1), fixture.read(Knob::CpuWeightV2)),
            ("1024".into(), "100".into())
        );
    }

    #[test]
    fn time_is_read_in_each_versions_unit() {
        let (_fixture, v1) = Fixture::new(&[(Knob::CpuUsageV1, "1500000\n")]);
        let (_fixture, v2) = Fixture::new(&[(Knob::CpuStatV2, "usage_usec 1500\nuser_usec 1000\n")]);
        for knobs in [v1, v2] {
            assert_eq!(time(&knobs).unwrap(), Some(Duration::from_micros(1500)));
        }
    }
}
