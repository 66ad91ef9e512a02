//! How many batches of a queue may be under way at once: a pure decision.
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html>

use domain::Timestamp;

/// Batches at first.
const AT_FIRST: u32 = 5;
/// How many more every minute, while there are messages for them.
const MORE_PER_MINUTE: u32 = 300;
/// Batches of one mapping at most.
const MAX: u32 = 1_250;
/// Batches after errors at least.
const MIN: u32 = 2;

/// Batches that one provisioned poller has under way.
const PER_POLLER: u32 = 10;

/// Within which limits a mapping scales.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    first: u32,
    min: u32,
    max: u32,
}

impl Bounds {
    /// By `MaximumConcurrency`, or by the fewest and the most provisioned pollers: those are there from the beginning, and
    /// errors do not take them away.
    pub fn of(maximum_concurrency: Option<u32>, provisioned_pollers: Option<(u32, u32)>) -> Self {
        if let Some((fewest, most)) = provisioned_pollers {
            let (min, max) = (fewest.saturating_mul(PER_POLLER), most.saturating_mul(PER_POLLER));
            return Self { first: min, min, max };
        }
        let max = maximum_concurrency.unwrap_or(MAX).min(MAX);
        Self { first: AT_FIRST.min(max), min: MIN.min(max), max }
    }
}

/// The present limit of a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scaling {
    limit: u32,
    bounds: Bounds,
    /// Since when all of the limit is in use.
    full_since: Option<Timestamp>,
}

impl Scaling {
    /// A mapping that begins.
    pub fn new(bounds: Bounds) -> Self {
        Self { limit: bounds.first, bounds, full_since: None }
    }

    /// How many batches may be under way.
    pub fn limit(self) -> u32 {
        self.limit
    }

    /// The same mapping with other bounds.
    pub fn within(self, bounds: Bounds) -> Self {
        Self { limit: self.limit.clamp(bounds.min, bounds.max), bounds, ..self }
    }

    /// So many are under way, and there may be messages for more.
    pub fn looked(mut self, under_way: u32, now: Timestamp) -> Self {
        if under_way < self.limit {
            self.full_since = None;
            return self;
        }
        let since = *self.full_since.get_or_insert(now);
        let span_ms = u64::try_from(now.0.saturating_sub(since.0)).unwrap_or_default();
        let more = span_ms.saturating_mul(u64::from(MORE_PER_MINUTE)) / 60_000;
        if let Some(more) = u32::try_from(more).ok().filter(|more| *more > 0) {
            self.limit = self.limit.saturating_add(more).min(self.bounds.max);
            self.full_since = Some(now);
        }
        self
    }

    /// A batch failed as a whole: fewer are sent, so that a broken function is not flooded.
    pub fn failed(self) -> Self {
        Self { limit: (self.limit / 2).max(self.bounds.min), full_since: None, ..self }
    }

    /// When to look again if all of the limit is in use: then one more may be sent.
    pub fn next_look_ms(self) -> Option<u64> {
        (self.limit < self.bounds.max).then_some(60_000_u64.div_ceil(u64::from(MORE_PER_MINUTE)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_begins_with_five_and_grows_by_three_hundred_a_minute() {
        let begun = Scaling::new(Bounds::of(None, None));
        assert_eq!(begun.limit(), 5);
        let grown = begun.looked(5, Timestamp(0)).looked(5, Timestamp(60_000));
        assert_eq!(grown.limit(), 305);
        assert_eq!(grown.looked(4, Timestamp(120_000)).limit(), 305);
        let more = (0..10).fold(grown, |scaling, minute| {
            scaling.looked(scaling.limit(), Timestamp(120_000 + minute * 60_000))
        });
        assert_eq!((more.limit(), more.next_look_ms()), (1_250, None));
    }

    #[test]
    fn errors_make_it_smaller_and_a_maximum_holds() {
        let scaling = Scaling::new(Bounds::of(Some(3), None));
        assert_eq!(scaling.limit(), 3);
        assert_eq!(scaling.looked(3, Timestamp(0)).looked(3, Timestamp(60_000)).limit(), 3);
        assert_eq!(Scaling::new(Bounds::of(None, None)).failed().failed().failed().limit(), 2);
        assert_eq!(Scaling::new(Bounds::of(None, None)).within(Bounds::of(Some(2), None)).limit(), 2);
    }

    #[test]
    fn provisioned_pollers_are_there_from_the_beginning_and_stay() {
        let scaling = Scaling::new(Bounds::of(None, Some((2, 4))));
        assert_eq!(scaling.limit(), 20);
        assert_eq!(scaling.failed().limit(), 20);
        assert_eq!(scaling.looked(20, Timestamp(0)).looked(20, Timestamp(600_000)).limit(), 40);
    }
}
