//! What a function's answer means for the records of its batch: a pure decision.
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting>

use std::collections::BTreeSet;

use serde_json::Value;

/// What becomes of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every record is done with.
    Done,
    /// All but these are done with.
    DoneBut(BTreeSet<String>),
    /// No record is done with.
    Failed,
}

/// The verdict on a batch whose function answered without an error. `ids` are those of the batch's records.
pub fn of_answer(reports_item_failures: bool, answer: &[u8], ids: &BTreeSet<&str>) -> Verdict {
    if !reports_item_failures || answer.trim_ascii().is_empty() {
        return Verdict::Done;
    }
    let failures = match serde_json::from_slice::<Value>(answer) {
        Ok(Value::Null) => return Verdict::Done,
        Ok(Value::Object(mut answer)) => match answer.remove("batchItemFailures") {
            None if answer.is_empty() => return Verdict::Done,
            Some(Value::Null) => return Verdict::Done,
            Some(Value::Array(failures)) => failures,
            // A key of another name is a report that was not understood, not one of success.
            None | Some(_) => return Verdict::Failed,
        },
        Ok(_) | Err(_) => return Verdict::Failed,
    };
    let failed = failures.iter().map(|failure| {
        let id = failure.get("itemIdentifier")?.as_str()?;
        ids.contains(id).then(|| id.to_owned())
    });
    match failed.collect::<Option<BTreeSet<String>>>() {
        Some(failed) if failed.is_empty() => Verdict::Done,
        Some(failed) => Verdict::DoneBut(failed),
        None => Verdict::Failed,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(answer: &str, expected: Verdict) {
        let ids = BTreeSet::from(["a", "b"]);
        assert_eq!(of_answer(true, answer.as_bytes(), &ids), expected, "{answer}");
        assert_eq!(of_answer(false, answer.as_bytes(), &ids), Verdict::Done);
    }

    #[test]
    fn a_report_is_read_as_aws_reads_it() {
        for answer in ["", "null", "{}", r#"{"batchItemFailures":[]}"#, r#"{"batchItemFailures":null}"#] {
            check(answer, Verdict::Done);
        }
        let one = Verdict::DoneBut(BTreeSet::from(["b".to_owned()]));
        check(r#"{"batchItemFailures":[{"itemIdentifier":"b"}]}"#, one.clone());
        check(r#"{"batchItemFailures":[{"itemIdentifier":"b"},{"itemIdentifier":"b"}],"more":1}"#, one);
        for answer in [
            "{",
            "[]",
            "\"ok\"",
            "17",
            r#"{"batchItemFailure":[]}"#,
            r#"{"batchItemFailures":"b"}"#,
            r#"{"batchItemFailures":{}}"#,
            r#"{"batchItemFailures":["b"]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":7}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":"unknown"}]}"#,
            r#"{"batchItemFailures":[{"itemidentifier":"b"}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":"b"},{}]}"#,
        ] {
            check(answer, Verdict::Failed);
        }
    }

    proptest! {
        #[test]
        fn whatever_is_answered_fails_only_records_of_the_batch(answer in ".{0,80}") {
            let ids = BTreeSet::from(["a"]);
            if let Verdict::DoneBut(failed) = of_answer(true, answer.as_bytes(), &ids) {
                prop_assert!(failed.iter().all(|id| id == "a"));
            }
        }
    }
}
