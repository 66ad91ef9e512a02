//! What a target gets of an event: `Input`, `InputPath`, `InputTransformer`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::event::{Event, shown};
use super::path::JsonPath;
use crate::record::Input;

/// What a template may name besides the paths of its map.
const RESERVED: [&str; 5] = [
    "aws.events.rule-arn",
    "aws.events.rule-name",
    "aws.events.event.ingestion-time",
    "aws.events.event",
    "aws.events.event.json",
];

/// The payload for a target.
pub(super) fn render(input: &Input, event: &Event, rule_arn: &str, rule_name: &str) -> String {
    match input {
        Input::Event => event.value.to_string(),
        Input::Constant(text) => text.clone(),
        // A path that leads nowhere gives null.
        Input::Path(path) => {
            let found = JsonPath::parse(path).and_then(|path| path.find(&event.value));
            found.unwrap_or(Value::Null).to_string()
        }
        Input::Template { paths, template } => fill(template, |name| {
            let value = match name {
                "aws.events.rule-arn" => json!(rule_arn),
                "aws.events.rule-name" => json!(rule_name),
                "aws.events.event.ingestion-time" => json!(shown(event.ingested)),
                "aws.events.event" => {
                    let mut without_detail = event.value.clone();
                    without_detail.as_object_mut().map(|fields| fields.remove("detail"));
                    without_detail
                }
                "aws.events.event.json" => event.value.clone(),
                name => JsonPath::parse(paths.get(name)?)?.find(&event.value)?,
            };
            Some(value)
        }),
    }
}

/// Whether a template names only what there is, and is JSON once it is filled.
pub(crate) fn check_template(template: &str, paths: &BTreeMap<String, String>) -> Result<(), String> {
    let mut unknown = None;
    let filled = fill(template, |name| {
        if !paths.contains_key(name) && !RESERVED.contains(&name) {
            unknown = Some(name.to_owned());
        }
        Some(json!("x"))
    });
    if let Some(name) = unknown {
        return Err(format!("placeholder <{name}> is not in InputPathsMap."));
    }
    match serde_json::from_str::<serde::de::IgnoredAny>(&filled) {
        Ok(_) => Ok(()),
        Err(_) if !filled.trim_start().starts_with(['{', '[']) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// Puts values in the place of `<names>`. Inside of quotes a text is put in as it is; elsewhere values are JSON.
fn fill(template: &str, mut value_of: impl FnMut(&str) -> Option<Value>) -> String {
    let mut filled = String::with_capacity(template.len());
    let (mut quoted, mut escaped) = (false, false);
    let mut rest = template;
    while let Some(letter) = rest.chars().next() {
        if letter == '<'
            && let Some((name, after)) = placeholder(rest)
        {
            put_in(&mut filled, value_of(name), quoted);
            rest = after;
            continue;
        }
        match letter {
            '\\' if quoted && !escaped => escaped = true,
            '"' if !escaped => quoted = !quoted,
            _ => escaped = false,
        }
        if letter == '"' {
            escaped = false;
        }
        filled.push(letter);
        rest = &rest[letter.len_utf8()..];
    }
    filled
}

fn placeholder(text: &str) -> Option<(&str, &str)> {
    let (name, after) = text.strip_prefix('<')?.split_once('>')?;
    let legal = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    (!name.is_empty() && name.chars().all(legal)).then_some((name, after))
}

fn put_in(filled: &mut String, value: Option<Value>, quoted: bool) {
    match value {
        // What is not there leaves nothing inside of a text, and an empty text elsewhere.
        None if quoted => {}
        None => filled.push_str("\"\""),
        Some(value) if quoted => {
            let text = match value {
                Value::String(text) => text,
                // EventBridge takes the quotes out of what would end the text.
                // https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
                value if value.is_object() || value.is_array() => {
                    value.to_string().replace("\\\"", "").replace('"', "")
                }
                other => other.to_string(),
            };
            let escaped = json!(text).to_string();
            filled.push_str(&escaped[1..escaped.len() - 1]);
        }
        Some(value) => filled.push_str(&value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use domain::{Scope, Timestamp};

    use super::super::event::Content;
    use super::*;

    fn event() -> Event {
        let detail = json!({ "name": "x \"y\"", "n": 7, "list": [1, 2] });
        let content = Content { detail_type: "T", source: "s", resources: &[], detail };
        Event::new(&Scope::default(), Timestamp(0), Timestamp(0), content)
    }

    fn templated(template: &str, paths: &[(&str, &str)]) -> String {
        let paths = paths.iter().map(|(name, path)| ((*name).to_owned(), (*path).to_owned())).collect();
        check_template(template, &paths).unwrap();
        render(&Input::Template { paths, template: template.to_owned() }, &event(), "arn:rule", "rule")
    }

    #[test]
    fn constants_and_paths() {
        assert_eq!(render(&Input::Constant("[1]".to_owned()), &event(), "", ""), "[1]");
        assert_eq!(render(&Input::Path("$.detail.list".to_owned()), &event(), "", ""), "[1,2]");
        assert_eq!(render(&Input::Path("$.nothing".to_owned()), &event(), "", ""), "null");
    }

    #[test]
    fn templates_put_json_outside_of_quotes_and_text_inside() {
        let paths = [
            ("name", "$.detail.name"),
            ("n", "$.detail.n"),
            ("list", "$.detail.list"),
            ("gone", "$.detail.gone"),
        ];
        assert_eq!(
            templated(r#"{"a": <name>, "b": <n>, "c": <list>}"#, &paths),
            r#"{"a": "x \"y\"", "b": 7, "c": [1,2]}"#
        );
        assert_eq!(templated(r#""Hello <name>, you are <n>""#, &paths), r#""Hello x \"y\", you are 7""#);
        assert_eq!(templated(r#"{"a": "<gone>", "b": <gone>}"#, &paths), r#"{"a": "", "b": ""}"#);
        let all = [("detail", "$.detail"), ("every", "$.detail.list[*]")];
        assert_eq!(
            templated(r#""It was <detail>, <every>""#, &all),
            r#""It was {list:[1,2],n:7,name:x y}, [1,2]""#
        );
        assert_eq!(templated(r#"{"a": "quote \" <n>"}"#, &paths), r#"{"a": "quote \" 7"}"#);
        assert_eq!(
            templated(r#"{"rule": <aws.events.rule-arn>, "d": "1 < 2"}"#, &[]),
            r#"{"rule": "arn:rule", "d": "1 < 2"}"#
        );
        let all: Value =
            serde_json::from_str(&templated(r#"{"event": <aws.events.event.json>}"#, &[])).unwrap();
        assert_eq!(all["event"]["detail"]["n"], 7);
    }

    #[test]
    fn a_template_that_cannot_work_is_refused() {
        let none = BTreeMap::new();
        assert!(check_template(r#"{"a": <unknown>}"#, &none).unwrap_err().contains("<unknown>"));
        assert!(check_template(r#"{"a": "#, &none).is_err());
        assert!(check_template("plain text", &none).is_ok());
    }
}
