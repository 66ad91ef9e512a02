//! A pattern and an event, a line each: reading and comparing end without a panic, and what matches has what is needed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pattern::{FilterPolicy, MessageAttribute, Pattern, Scope, values_at};
use serde_json::Value;

/// The texts of an event's first level, as a message's attributes.
fn attributes(event: &Value) -> impl Iterator<Item = (&str, MessageAttribute<'_>)> {
    event.as_object().into_iter().flatten().filter_map(|(name, value)| {
        let data_type = if name.len() % 2 == 0 { "String" } else { "String.Array" };
        Some((name.as_str(), MessageAttribute { data_type, string_value: Some(value.as_str()?) }))
    })
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (pattern, event) = text.split_once('\n').unwrap_or((text, "{}"));
    let Ok(event) = serde_json::from_str::<Value>(event) else { return };
    for scope in [Scope::MessageAttributes, Scope::MessageBody] {
        if let Ok(policy) = FilterPolicy::parse(pattern, scope) {
            policy.matches(attributes(&event), &event.to_string());
        }
    }
    let Ok(pattern) = Pattern::parse(pattern) else { return };
    if pattern.matches(&event) {
        for need in pattern.needs() {
            let found = values_at(&event, &need.path);
            assert!(need.test().passes(&found), "{need:?} in {event}");
            if let Some(texts) = need.texts() {
                assert!(texts.iter().any(|text| found.contains(&&Value::from(*text))), "{need:?} in {event}");
            }
        }
    }
});
