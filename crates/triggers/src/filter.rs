//! Which records of a source a function wants to see.
//!
//! A filter speaks of the record as the function would get it, except for its data: a body that is a JSON object is
//! compared as one, any other as text. So a filter of the other form does not match, as AWS documents.
//! <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs-filtering.html>

use pattern::Pattern;
use serde_json::Value;
use serde_json::value::RawValue;

/// Whether a record matches one of the patterns; without patterns, all do. `data` is the member that may be JSON.
pub fn is_wanted(record: &RawValue, data: &str, patterns: &[Pattern]) -> bool {
    if patterns.is_empty() {
        return true;
    }
    let Ok(mut event) = serde_json::from_str::<Value>(record.get()) else { return false };
    if let Some(Value::String(text)) = event.get(data)
        && let Ok(Value::Object(object)) = serde_json::from_str(text)
    {
        event[data] = Value::Object(object);
    }
    let is_text = event.get(data).is_some_and(Value::is_string);
    // Even a filter that would be content with nothing wants an object to have nothing in.
    patterns.iter().any(|pattern| pattern.matches(&event) && !(is_text && pattern.wants_object(data)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(filters: &[&str], body: &str, expected: bool) {
        let record = serde_json::json!({
            "messageId": "m",
            "body": body,
            "attributes": { "MessageGroupId": "g" },
            "messageAttributes": { "kind": { "stringValue": "order", "dataType": "String" } },
        });
        let record = serde_json::value::to_raw_value(&record).unwrap();
        let patterns: Vec<Pattern> = filters.iter().map(|filter| filter.parse().unwrap()).collect();
        assert_eq!(is_wanted(&record, "body", &patterns), expected, "{filters:?} {body}");
    }

    #[test]
    fn filters_are_compared_with_bodies_and_attributes() {
        let hot = r#"{"body":{"degrees":[{"numeric":[">",30]}]}}"#;
        check(&[], "anything", true);
        check(&[hot], r#"{"degrees":31}"#, true);
        check(&[hot], r#"{"degrees":30}"#, false);
        check(&[hot], "no JSON", false);
        check(&[r#"{"body":["no JSON"]}"#], "no JSON", true);
        check(&[r#"{"body":["{\"degrees\":31}"]}"#], r#"{"degrees":31}"#, false);
        let without = r#"{"body":{"degrees":[{"exists":false}]}}"#;
        check(&[without], r#"{"other":1}"#, true);
        check(&[without], "no JSON", false);
        check(&[r#"{"body":[{"anything-but":"x"}]}"#], r#"{"other":1}"#, false);
        check(&[hot, r#"{"body":[{"prefix":"no"}]}"#], "no JSON", true);
        check(&[r#"{"messageAttributes":{"kind":{"stringValue":["order"]}}}"#], "", true);
        check(&[r#"{"attributes":{"MessageGroupId":["h"]}}"#], "", false);
    }
}
