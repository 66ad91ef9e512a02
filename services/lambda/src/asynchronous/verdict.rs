//! What comes of an attempt to run an event: a pure decision.
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>

use std::time::Duration;

use domain::Timestamp;
use domain::limits::EVENT_RETRY_DELAYS;

use super::Settings;

/// How far an event has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// When it was accepted.
    pub accepted: Timestamp,
    /// How often the function failed with it before.
    pub failures: u32,
    /// The time.
    pub now: Timestamp,
}

/// How the attempt went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The function returned.
    Succeeded,
    /// The function failed.
    Failed,
    /// There was no room for it.
    Throttled,
    /// There never is: its reserved concurrency is zero.
    SwitchedOff,
    /// The platform could not run it.
    Unavailable,
}

/// Why an event is done with. The names are those of the records that destinations get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    Success,
    RetriesExhausted,
    EventAgeExceeded,
    ZeroReservedConcurrency,
    RecursiveLoop,
}

impl Condition {
    /// As records spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "Success",
            Self::RetriesExhausted => "RetriesExhausted",
            Self::EventAgeExceeded => "EventAgeExceeded",
            Self::ZeroReservedConcurrency => "ZeroReservedConcurrency",
            Self::RecursiveLoop => "RecursiveLoop",
        }
    }
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is done with.
    Finish(Condition),
    /// Run it again after this span.
    RunAgain(Duration),
    /// Wait for room, with growing intervals, but not beyond this span.
    WaitForRoom(Duration),
    /// Wait for the platform, likewise.
    WaitForPlatform(Duration),
}

/// Whether an event is too old to be run.
pub fn is_too_old(settings: &Settings, progress: &Progress) -> bool {
    left(settings, progress).is_zero()
}

/// What to do after an attempt.
pub fn decide(settings: &Settings, progress: &Progress, attempt: Attempt) -> Decision {
    let left = left(settings, progress);
    match attempt {
        Attempt::Succeeded => Decision::Finish(Condition::Success),
        Attempt::SwitchedOff => Decision::Finish(Condition::ZeroReservedConcurrency),
        Attempt::Failed if progress.failures >= settings.retries_max => {
            Decision::Finish(Condition::RetriesExhausted)
        }
        _ if left.is_zero() => Decision::Finish(Condition::EventAgeExceeded),
        Attempt::Failed => {
            let index = usize::try_from(progress.failures).unwrap_or(usize::MAX);
            let delay = EVENT_RETRY_DELAYS[index.min(EVENT_RETRY_DELAYS.len() - 1)];
            // An event that becomes too old while it waits is given up then, and not a minute later.
            Decision::RunAgain(delay.min(left))
        }
        Attempt::Throttled => Decision::WaitForRoom(left),
        Attempt::Unavailable => Decision::WaitForPlatform(left),
    }
}

/// How much longer an event may be tried.
fn left(settings: &Settings, progress: &Progress) -> Duration {
    let expires = progress.accepted.plus(settings.age_max);
    Duration::from_millis(u64::try_from(expires.0.saturating_sub(progress.now.0)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn settings(retries_max: u32, age_max: Duration) -> Settings {
        Settings { retries_max, age_max, ..Settings::default() }
    }

    fn progress(failures: u32, age: Duration) -> Progress {
        Progress { accepted: Timestamp(0), failures, now: Timestamp(0).plus(age) }
    }

    #[track_caller]
    fn check(settings: &Settings, progress: Progress, attempt: Attempt, decision: Decision) {
        assert_eq!(decide(settings, &progress, attempt), decision, "{attempt:?} of {progress:?}");
    }

    #[test]
    fn a_failure_is_tried_again_after_one_and_two_minutes() {
        let usual = Settings::default();
        check(&usual, progress(0, Duration::ZERO), Attempt::Failed, Decision::RunAgain(MINUTE));
        check(&usual, progress(1, MINUTE), Attempt::Failed, Decision::RunAgain(2 * MINUTE));
        check(
            &usual,
            progress(2, 3 * MINUTE),
            Attempt::Failed,
            Decision::Finish(Condition::RetriesExhausted),
        );
    }

    #[test]
    fn fewer_retries_are_fewer() {
        let once = settings(0, 60 * MINUTE);
        check(
            &once,
            progress(0, Duration::ZERO),
            Attempt::Failed,
            Decision::Finish(Condition::RetriesExhausted),
        );
    }

    #[test]
    fn an_event_is_given_up_at_the_moment_it_is_too_old() {
        let short = settings(2, 90 * Duration::from_secs(1));
        check(&short, progress(1, MINUTE), Attempt::Failed, Decision::RunAgain(MINUTE / 2));
        let late = progress(2, MINUTE * 3 / 2);
        assert!(is_too_old(&short, &late));
        for attempt in [Attempt::Throttled, Attempt::Unavailable] {
            check(&short, late, attempt, Decision::Finish(Condition::EventAgeExceeded));
        }
        check(&short, late, Attempt::Succeeded, Decision::Finish(Condition::Success));
    }

    #[test]
    fn what_did_not_run_uses_up_no_retry() {
        let usual = Settings::default();
        let first = progress(0, Duration::ZERO);
        check(&usual, first, Attempt::Throttled, Decision::WaitForRoom(usual.age_max));
        check(&usual, first, Attempt::Unavailable, Decision::WaitForPlatform(usual.age_max));
        check(&usual, first, Attempt::SwitchedOff, Decision::Finish(Condition::ZeroReservedConcurrency));
    }
}
