//! Tags in requests, whichever of AWS's two forms a service has for them: a map, or a list of keys and values.

use std::collections::BTreeMap;

use crate::{Fields, Value};

/// The members that hold tags, by the names that AWS's models have.
const MEMBERS: [&str; 2] = ["Tags", "tags"];
const KEY_MEMBERS: [&str; 2] = ["TagKeys", "tagKeys"];

/// The tags that a request sends.
pub fn sent(fields: &Fields) -> BTreeMap<String, String> {
    match MEMBERS.iter().find_map(|member| fields.get(member)) {
        Some(Value::Map(tags)) => {
            tags.iter().filter_map(|(key, value)| Some((key.clone(), text(value)?))).collect()
        }
        Some(Value::List(tags)) => tags.iter().filter_map(entry).collect(),
        _ => BTreeMap::new(),
    }
}

/// The keys of the tags that a request is about: those that it sends, or that it takes away.
pub fn keys(fields: &Fields) -> Vec<String> {
    match KEY_MEMBERS.iter().find_map(|member| fields.get(member)) {
        Some(Value::List(keys)) => keys.iter().filter_map(text).collect(),
        _ => sent(fields).into_keys().collect(),
    }
}

fn entry(tag: &Value) -> Option<(String, String)> {
    let Value::Structure(tag) = tag else { return None };
    Some((text(tag.get("Key")?)?, tag.get("Value").and_then(text).unwrap_or_default()))
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(text: &str) -> Value {
        Value::String(text.to_owned())
    }

    fn fields(member: &'static str, value: Value) -> Fields {
        let mut fields = Fields::default();
        fields.set(member, value);
        fields
    }

    #[test]
    fn both_forms_are_read() {
        let map = fields("Tags", Value::Map([("team".to_owned(), string("x"))].into()));
        let mut tag = fields("Key", string("team"));
        tag.set("Value", string("x"));
        let list = fields("Tags", Value::List(vec![Value::Structure(tag)]));
        for sent_in in [map, list] {
            assert_eq!(sent(&sent_in), BTreeMap::from([("team".to_owned(), "x".to_owned())]));
            assert_eq!(keys(&sent_in), ["team"]);
        }
    }

    #[test]
    fn what_is_taken_away_is_named_by_its_keys() {
        let untag = fields("TagKeys", Value::List(vec![string("a"), string("b")]));
        assert_eq!(keys(&untag), ["a", "b"]);
        assert!(sent(&untag).is_empty());
    }
}
