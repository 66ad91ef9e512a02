//! What came of an attempt, and what to do next: a pure decision.

use std::borrow::Cow;
use std::time::Duration;

use domain::Timestamp;

use crate::record::{Delivery, Record};

/// What a handler says about an attempt.
#[derive(Debug)]
pub struct Answer {
    /// How it went.
    pub verdict: Verdict,
    /// What else is to be delivered because of it, accepted together with the verdict.
    pub then: Vec<Delivery>,
    /// What kind of failure it was, for a dead letter that says so.
    pub code: Option<Cow<'static, str>>,
    /// The target had taken it, and failed with it later: that is the target's own affair, and no dead letter of the
    /// sender's.
    pub taken: bool,
}

/// How an attempt went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The target has it.
    Delivered,
    /// It failed, and may be tried again: after this span, or after the policy's interval. Counts as an attempt.
    Retry {
        /// None for the policy's interval.
        after: Option<Duration>,
        /// For the log.
        why: String,
    },
    /// It could not be tried for a reason of the platform's. Tried again with growing intervals; no attempt is used up.
    Setback {
        /// Tried again no later than this.
        within: Option<Duration>,
        /// For the log.
        why: String,
    },
    /// The target takes nothing now, this or another: the whole lane waits until something under way is done, or with
    /// growing intervals. No attempt is used up.
    Busy {
        /// Looked at again no later than this.
        within: Option<Duration>,
        /// For the log.
        why: String,
    },
    /// It will never succeed.
    Failed {
        /// For the log.
        why: String,
    },
    /// The server is going down; left for the next start.
    NotNow,
}

impl Answer {
    /// Delivered, and nothing follows.
    pub fn delivered() -> Self {
        Verdict::Delivered.into()
    }

    /// Given up, for good.
    pub fn failed(why: impl Into<String>) -> Self {
        Verdict::Failed { why: why.into() }.into()
    }

    /// Try again after the policy's interval.
    pub fn retry(why: impl Into<String>) -> Self {
        Verdict::Retry { after: None, why: why.into() }.into()
    }

    /// The same verdict, with the kind of its failure as EventBridge names it.
    /// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html>
    #[must_use]
    pub fn coded(self, code: impl Into<Cow<'static, str>>) -> Self {
        Self { code: Some(code.into()), ..self }
    }

    /// The same verdict, of a target that had taken the delivery before.
    #[must_use]
    pub fn taken(self) -> Self {
        Self { taken: true, ..self }
    }

    /// The same verdict, with what follows from it.
    #[must_use]
    pub fn then(mut self, deliveries: impl IntoIterator<Item = Delivery>) -> Self {
        self.then.extend(deliveries);
        self
    }
}

impl From<Verdict> for Answer {
    fn from(verdict: Verdict) -> Self {
        Self { verdict, then: Vec::new(), code: None, taken: false }
    }
}

/// What becomes of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Done.
    Remove,
    /// Done with, in vain: a dead letter, if there is where to send it.
    GiveUp {
        why: String,
        /// Which rule of its policy ended it, if one did.
        exhausted: Option<Exhausted>,
    },
    /// Once more, with these counts.
    Again {
        at: Timestamp,
        attempts: u32,
        setbacks: u32,
    },
    /// The lane waits.
    Pause {
        within: Option<Duration>,
    },
    Keep,
}

/// What a policy gives only so much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exhausted {
    Attempts,
    Age,
}

/// The verdict on the record's latest attempt, by its policy.
pub(crate) fn next(record: &Record, now: Timestamp, verdict: Verdict) -> Next {
    let policy = &record.policy;
    let expires = record.accepted.plus(policy.age_max());
    let again = |after: Duration, attempts: u32, setbacks: u32, why: String| {
        let at = now.plus(after);
        if at > expires {
            return too_old(&why);
        }
        Next::Again { at, attempts, setbacks }
    };
    match verdict {
        Verdict::Delivered => Next::Remove,
        Verdict::Failed { why } => Next::GiveUp { why, exhausted: None },
        Verdict::Retry { after, why } => {
            let attempts = record.attempts + 1;
            if attempts >= policy.attempts_max {
                let why = format!("{why}; attempt {attempts} was the last");
                return Next::GiveUp { why, exhausted: Some(Exhausted::Attempts) };
            }
            again(after.unwrap_or_else(|| policy.backoff.after(attempts)), attempts, record.setbacks, why)
        }
        Verdict::Setback { within, why } => {
            let setbacks = record.setbacks + 1;
            let after = policy.backoff.after(setbacks);
            again(within.map_or(after, |within| within.min(after)), record.attempts, setbacks, why)
        }
        Verdict::Busy { why, .. } if now >= expires => too_old(&why),
        Verdict::Busy { within, .. } => {
            let left = u64::try_from(expires.0.saturating_sub(now.0)).unwrap_or_default();
            let left = Duration::from_millis(left);
            Next::Pause { within: Some(within.map_or(left, |within| within.min(left))) }
        }
        Verdict::NotNow => Next::Keep,
    }
}

fn too_old(why: &str) -> Next {
    Next::GiveUp { why: format!("{why}; it is too old for another attempt"), exhausted: Some(Exhausted::Age) }
}
