//! Recursive loops: how often a function has been called in the chain of calls that leads to this one.
//!
//! The count travels in the trace header, as `Lineage=<function>:<count>|…`. Functions' SDKs pass the header on with
//! each call, queues keep it with a message, deliveries with an event; so a chain is followed through all of them.
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html>

use domain::limits::LOOP_INVOCATIONS_MAX;
use domain::{FunctionVersion, Timestamp};
use uuid::Uuid;
use wire::Error;

use crate::{Lambda, measures};

/// Functions whose counts travel; of a longer chain, those that were called longest ago are forgotten.
const FUNCTIONS_MAX: usize = 16;
const SEGMENT: &str = "Lineage=";

/// A call in its chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The trace header that the function gets.
    pub header: String,
    /// How often the function has been called in this chain, this call included.
    pub times: u32,
}

impl Step {
    /// The next step of a chain, or the first of a new one.
    pub fn of(header: Option<&str>, version: &FunctionVersion, request_id: Uuid, now: Timestamp) -> Self {
        let function = name(&version.function_arn());
        match header.filter(|header| !header.is_empty()) {
            Some(header) => step(header, &function),
            // The same root as the engine would give it, so that what it causes is found under the same trace.
            None => step(&root(request_id, now), &function),
        }
    }

    /// Whether it is one too many.
    pub fn is_loop(&self) -> bool {
        self.times > LOOP_INVOCATIONS_MAX
    }
}

impl Lambda {
    /// The trace header that a function gets, or the refusal of a call that is one too many in its chain.
    pub(crate) fn follow(
        &self,
        header: Option<&str>,
        version: &FunctionVersion,
        request_id: Uuid,
    ) -> Result<String, Error> {
        let step = Step::of(header, version, request_id, self.now());
        if self.ends_loop(&step, version) {
            return Err(crate::error::recursive_loop());
        }
        Ok(step.header)
    }

    /// Whether a call must not happen. What is configured is looked up only when there is a loop.
    pub(crate) fn ends_loop(&self, step: &Step, version: &FunctionVersion) -> bool {
        if !step.is_loop() || self.allows_loops(&version.scope, &version.name).unwrap_or_default() {
            return false;
        }
        tracing::warn!(function = %version.name, times = step.times, "a recursive loop was ended");
        measures::record(&self.metrics, &version.function_arn(), "RecursiveInvocationsDropped", 1.0);
        true
    }
}

fn step(header: &str, function: &str) -> Step {
    let (lineages, others): (Vec<&str>, Vec<&str>) =
        header.split(';').map(str::trim).partition(|segment| segment.starts_with(SEGMENT));
    let counts =
        lineages.iter().flat_map(|lineage| lineage[SEGMENT.len()..].split('|')).filter_map(|entry| {
            let (function, count) = entry.rsplit_once(':')?;
            // AWS's own may have a number of its own before the function's.
            let function = function.rsplit(':').next().filter(|function| !function.is_empty())?;
            Some((function, count.parse::<u32>().ok()?))
        });
    let (own, mut rest): (Vec<_>, Vec<_>) = counts.partition(|(name, _)| *name == function);
    let times = own.iter().map(|(_, count)| *count).max().unwrap_or_default().saturating_add(1);
    // The latest stands last.
    rest.drain(..rest.len().saturating_sub(FUNCTIONS_MAX - 1));
    let lineage: Vec<String> = rest
        .iter()
        .copied()
        .chain([(function, times)])
        .map(|(name, count)| format!("{name}:{count}"))
        .collect();
    let others = others.join(";");
    Step { header: format!("{others};{SEGMENT}{}", lineage.join("|")), times }
}

fn root(request_id: Uuid, at: Timestamp) -> String {
    format!("Root=1-{:08x}-{:024x}", at.epoch_ms() / 1000, request_id.as_u128() >> 32)
}

/// A function in eight hexadecimal digits (FNV-1a): a name within a chain, not a secret.
fn name(arn: &str) -> String {
    let hash =
        arn.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    format!("{hash:08x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(header: &str, function: &str, expected: &str, times: u32) {
        assert_eq!(step(header, function), Step { header: expected.to_owned(), times }, "{header}");
    }

    #[test]
    fn each_call_of_a_function_counts_once_more() {
        check("Root=1-a-b;Sampled=1", "aa", "Root=1-a-b;Sampled=1;Lineage=aa:1", 1);
        check("Root=1-a-b;Lineage=aa:1;Sampled=1", "aa", "Root=1-a-b;Sampled=1;Lineage=aa:2", 2);
        check("Root=1-a-b;Lineage=2:aa:7|bb:3", "cc", "Root=1-a-b;Lineage=aa:7|bb:3|cc:1", 1);
        check("Root=1-a-b;Lineage=aa:7|bb:3", "bb", "Root=1-a-b;Lineage=aa:7|bb:4", 4);
        check("Root=1-a-b;Lineage=aa:7|bb:3", "aa", "Root=1-a-b;Lineage=bb:3|aa:8", 8);
    }

    #[test]
    fn a_header_of_anybodys_making_does_no_harm() {
        check("Root=1;Lineage=aa", "aa", "Root=1;Lineage=aa:1", 1);
        check("Root=1;Lineage=aa:x|bb:-1|cc:4294967295", "cc", "Root=1;Lineage=cc:4294967295", u32::MAX);
        check("Root=1;Lineage=aa:3;Lineage=aa:9", "aa", "Root=1;Lineage=aa:10", 10);
        let long: Vec<String> = (0..1000).map(|number| format!("f{number}:1")).collect();
        let step = step(&format!("Root=1;Lineage={}", long.join("|")), "aa");
        assert_eq!(step.header.matches('|').count(), FUNCTIONS_MAX - 1);
        assert!(step.header.ends_with("f999:1|aa:1"));
    }

    #[test]
    fn the_call_after_the_sixteenth_is_one_too_many() {
        let mut header = "Root=1".to_owned();
        for time in 1..=20 {
            let next = step(&header, "aa");
            assert_eq!(next.is_loop(), time > 16);
            header = next.header;
        }
    }
}
