//! The most memory that a function has used, without the copies of its files that the kernel keeps while it can.
//!
//! The kernel knows the most of both together. What is in `/tmp` on the disk would fill that up to the limit, and say
//! nothing of what the function needs.

/// What has been seen so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Peak {
    /// With cached files.
    all_bytes: u64,
    /// Without.
    own_bytes: u64,
}

/// Near its limit a group gives up cached files for the function's own memory, and the most of both stays as it is.
const NEAR_LIMIT_PERCENT: u64 = 90;

impl Peak {
    /// The most without cached files, now that the kernel says `bytes_max` for both and `bytes` are in use. `cached` is
    /// asked only when that may have changed it: it takes longer than everything else here.
    pub(super) fn update(
        &mut self,
        bytes: u64,
        bytes_max: u64,
        limit_bytes: u64,
        cached: impl FnOnce() -> u64,
    ) -> u64 {
        let grown = bytes_max > self.all_bytes;
        if grown || bytes_max.saturating_mul(100) >= limit_bytes.saturating_mul(NEAR_LIMIT_PERCENT) {
            let most = if grown { bytes_max } else { bytes };
            self.own_bytes = self.own_bytes.max(most.saturating_sub(cached()));
            self.all_bytes = bytes_max;
        }
        self.own_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn cached_files_are_not_counted_even_when_they_fill_the_group() {
        let mut peak = Peak::default();
        assert_eq!(peak.update(30 * MIB, 32 * MIB, 128 * MIB, || 2 * MIB), 30 * MIB);
        assert_eq!(
            peak.update(31 * MIB, 32 * MIB, 128 * MIB, || unreachable!("nothing has grown")),
            30 * MIB
        );
        // It writes to /tmp.
        assert_eq!(peak.update(120 * MIB, 128 * MIB, 128 * MIB, || 98 * MIB), 30 * MIB);
        // It takes memory, which the kernel finds among the cached files.
        assert_eq!(peak.update(128 * MIB, 128 * MIB, 128 * MIB, || 28 * MIB), 100 * MIB);
        assert_eq!(peak.update(60 * MIB, 128 * MIB, 128 * MIB, || 28 * MIB), 100 * MIB);
    }
}
