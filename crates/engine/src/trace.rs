//! The X-Ray trace header, in and out.
//!
//! A function always gets one. What the caller sent is kept, with every field that is not Lambda's to change: `Lineage`
//! above all, by which chains of functions that call each other without end are found. What is missing is made.
//! <https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>

use domain::{Timestamp, TracingMode};
use uuid::Uuid;

/// The parts of a header by which a segment is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Traced<'a> {
    pub(crate) root: &'a str,
    pub(crate) parent: &'a str,
}

/// The segment that a header belongs to, if it is one that is recorded.
pub(crate) fn sampled(header: &str) -> Option<Traced<'_>> {
    if field(header, "Sampled") != Some("1") {
        return None;
    }
    Some(Traced { root: field(header, "Root")?, parent: field(header, "Parent")? })
}

/// What the function gets: the caller's header, completed. Its ids come from the request's.
pub(crate) fn outgoing(incoming: Option<String>, mode: TracingMode, id: Uuid, at: Timestamp) -> String {
    let Some(incoming) = incoming else { return made(mode, id, at) };
    let given = |name| field(&incoming, name).filter(|value| !value.is_empty());
    let sampled = given("Sampled").filter(|sampled| ["0", "1"].contains(sampled));
    // With active tracing the function has a segment of its own.
    let parent = given("Parent").filter(|_| mode == TracingMode::PassThrough);
    if let (Some(_), Some(_), Some(_)) = (given("Root"), parent, sampled) {
        return incoming;
    }
    let made = made(mode, id, at);
    let own = |name| field(&made, name).unwrap_or_default();
    let mut header = format!(
        "Root={};Parent={};Sampled={}",
        given("Root").unwrap_or_else(|| own("Root")),
        parent.unwrap_or_else(|| own("Parent")),
        sampled.unwrap_or_else(|| own("Sampled")),
    );
    for part in incoming.split(';').map(str::trim) {
        let name = part.split('=').next().unwrap_or_default();
        if !part.is_empty() && !["Root", "Parent", "Sampled"].contains(&name) {
            header.extend([";", part]);
        }
    }
    header
}

/// A header of the function's own.
fn made(mode: TracingMode, id: Uuid, at: Timestamp) -> String {
    let (epoch_s, bits) = (at.epoch_ms() / 1000, id.as_u128());
    // The low half of a random id is as good as any other span id.
    let (root, parent) = (bits >> 32, bits & u128::from(u64::MAX));
    let sampled = u8::from(mode == TracingMode::Active);
    format!("Root=1-{epoch_s:08x}-{root:024x};Parent={parent:016x};Sampled={sampled}")
}

fn field<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    header.split(';').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: Uuid = Uuid::from_u128(0x8476_a536_e9f4_11e8_9739_2dfe_598c_3fcd);

    #[track_caller]
    fn check(incoming: Option<&str>, mode: TracingMode, expected: &str) {
        let header = outgoing(incoming.map(str::to_owned), mode, ID, Timestamp(1_700_000_000_123));
        assert_eq!(header, expected, "{incoming:?}");
    }

    #[test]
    fn what_the_caller_sent_is_kept_and_what_is_missing_is_made() {
        const MADE: &str = "Root=1-6553f100-8476a536e9f411e897392dfe;Parent=97392dfe598c3fcd";
        let (passive, active) = (TracingMode::PassThrough, TracingMode::Active);
        check(None, passive, &format!("{MADE};Sampled=0"));
        check(None, active, &format!("{MADE};Sampled=1"));
        let whole = "Root=1-a-b;Parent=c;Sampled=1;Lineage=2:abc:1";
        check(Some(whole), passive, whole);
        check(Some(whole), active, "Root=1-a-b;Parent=97392dfe598c3fcd;Sampled=1;Lineage=2:abc:1");
        check(Some("Root=1-a-b;Parent=c"), passive, "Root=1-a-b;Parent=c;Sampled=0");
        check(Some("Root=1-a-b;Sampled=?"), active, "Root=1-a-b;Parent=97392dfe598c3fcd;Sampled=1");
        check(Some("Sampled=0"), active, &format!("{MADE};Sampled=0"));
        check(Some("Lineage=1:abc:0"), passive, &format!("{MADE};Sampled=0;Lineage=1:abc:0"));
        check(
            Some("Self=1-x-y; Root=1-a-b"),
            passive,
            "Root=1-a-b;Parent=97392dfe598c3fcd;Sampled=0;Self=1-x-y",
        );
    }

    #[test]
    fn only_sampled_traces_have_a_segment() {
        assert_eq!(sampled("Root=1-a-b;Parent=c;Sampled=1"), Some(Traced { root: "1-a-b", parent: "c" }));
        assert_eq!(sampled("Root=1-a-b;Parent=c;Sampled=0"), None);
    }

    proptest! {
        #[test]
        fn any_header_becomes_a_whole_one_and_loses_no_lineage(incoming in "[ -~]{0,80}", lineage in "[0-9a-f:]{1,20}") {
            let incoming = format!("{incoming};Lineage={lineage}");
            let header = outgoing(Some(incoming), TracingMode::PassThrough, ID, Timestamp(0));
            for name in ["Root", "Parent", "Sampled"] {
                prop_assert!(field(&header, name).is_some(), "{}", header);
            }
            prop_assert!(header.contains(&format!("Lineage={lineage}")), "{}", header);
        }
    }
}
