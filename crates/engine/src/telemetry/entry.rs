//! One thing that happened, as each version of the two APIs tells it.

use domain::Timestamp;
use serde_json::{Value, json};

use super::subscription::{Kind, Schema};

/// Something that subscribers may hear of.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) at: Timestamp,
    pub(crate) content: Content,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Content {
    /// An event of the platform's: its type, and its record in the newest form.
    Platform(&'static str, Value),
    /// A line that was printed.
    Line(Origin, String),
}

/// Who printed a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The function; its lines are JSON if they can be.
    Function {
        /// The function's log format is JSON.
        json: bool,
    },
    Extension,
}

impl Entry {
    pub(crate) fn kind(&self) -> Kind {
        match self.content {
            Content::Platform(..) => Kind::Platform,
            Content::Line(Origin::Function { .. }, _) => Kind::Function,
            Content::Line(Origin::Extension, _) => Kind::Extension,
        }
    }

    /// The JSON objects that tell of it in a schema: none, one, or two.
    pub(crate) fn render(&self, schema: Schema, mut object: impl FnMut(String)) {
        match &self.content {
            Content::Platform(kind, record) => match schema {
                Schema::Logs20200815 | Schema::Logs20210318 => {
                    self.render_old(schema, kind, record, object);
                }
                _ if *kind == "platform.logsSubscription" => {}
                _ => object(self.object(kind, &record.to_string())),
            },
            Content::Line(origin, text) => {
                let structured = matches!(schema, Schema::Telemetry20221213 | Schema::Telemetry20250129)
                    && *origin == Origin::Function { json: true }
                    && is_object(text);
                let record = if structured { text.clone() } else { Value::from(text.as_str()).to_string() };
                object(self.object(self.kind().name(), &record));
            }
        }
    }

    /// The Logs API knows fewer events, and less of each.
    fn render_old(&self, schema: Schema, kind: &str, record: &Value, mut object: impl FnMut(String)) {
        let versioned = schema == Schema::Logs20210318;
        match kind {
            "platform.start" if versioned => object(self.object(
                kind,
                &json!({ "requestId": record["requestId"], "version": record["version"] }).to_string(),
            )),
            "platform.start" => {
                object(self.object(kind, &json!({ "requestId": record["requestId"] }).to_string()));
            }
            "platform.runtimeDone" if versioned => {
                // Only three words are known there.
                let status = match record["status"].as_str() {
                    Some("error") => "failure",
                    Some(status) => status,
                    None => "success",
                };
                let record = json!({ "requestId": record["requestId"], "status": status });
                object(self.object(kind, &record.to_string()));
            }
            "platform.report" => {
                let end = json!({ "requestId": record["requestId"] });
                object(self.object("platform.end", &end.to_string()));
                let report = json!({ "requestId": record["requestId"], "metrics": record["metrics"] });
                object(self.object(kind, &report.to_string()));
            }
            "platform.extension" | "platform.logsSubscription" | "platform.logsDropped" => {
                object(self.object(kind, &record.to_string()));
            }
            _ => {}
        }
    }

    fn object(&self, kind: &str, record: &str) -> String {
        let time = jiff::Timestamp::from_millisecond(self.at.epoch_ms()).unwrap_or_default();
        format!(r#"{{"time":"{time:.3}","type":"{kind}","record":{record}}}"#)
    }
}

fn is_object(text: &str) -> bool {
    text.trim_start().starts_with('{') && serde_json::from_str::<serde_json::Map<String, Value>>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(content: Content, schema: Schema, expected: &[&str]) {
        let entry = Entry { at: Timestamp(1_700_000_000_123), content };
        let mut objects = Vec::new();
        entry.render(schema, |object| objects.push(object));
        let expected: Vec<String> =
            expected.iter().map(|rest| format!(r#"{{"time":"2023-11-14T22:13:20.123Z",{rest}}}"#)).collect();
        assert_eq!(objects, expected);
    }

    #[test]
    fn json_lines_are_objects_only_in_newer_schemas_and_only_when_the_function_logs_json() {
        let line = |json, text: &str| Content::Line(Origin::Function { json }, text.to_owned());
        let text = r#""type":"function","record":"{\"a\": 1}""#;
        check(line(true, r#"{"a": 1}"#), Schema::Telemetry20220701, &[text]);
        check(line(false, r#"{"a": 1}"#), Schema::Telemetry20221213, &[text]);
        check(
            line(true, r#"{"a": 1}"#),
            Schema::Telemetry20221213,
            &[r#""type":"function","record":{"a": 1}"#],
        );
        check(line(true, "{a"), Schema::Telemetry20250129, &[r#""type":"function","record":"{a""#]);
        let said = Content::Line(Origin::Extension, "hi".into());
        check(said, Schema::Telemetry20221213, &[r#""type":"extension","record":"hi""#]);
    }

    #[test]
    fn the_logs_api_tells_less() {
        let start =
            || Content::Platform("platform.start", json!({"requestId": "r", "version": "1", "tracing": {}}));
        check(start(), Schema::Logs20200815, &[r#""type":"platform.start","record":{"requestId":"r"}"#]);
        check(
            start(),
            Schema::Logs20210318,
            &[r#""type":"platform.start","record":{"requestId":"r","version":"1"}"#],
        );
        let done = || Content::Platform("platform.runtimeDone", json!({"requestId": "r", "status": "error"}));
        check(done(), Schema::Logs20200815, &[]);
        check(
            done(),
            Schema::Logs20210318,
            &[r#""type":"platform.runtimeDone","record":{"requestId":"r","status":"failure"}"#],
        );
        let report = json!({"requestId": "r", "status": "success", "metrics": {"durationMs": 1.5}});
        check(
            Content::Platform("platform.report", report),
            Schema::Logs20200815,
            &[
                r#""type":"platform.end","record":{"requestId":"r"}"#,
                r#""type":"platform.report","record":{"metrics":{"durationMs":1.5},"requestId":"r"}"#,
            ],
        );
        check(Content::Platform("platform.initStart", json!({})), Schema::Logs20210318, &[]);
    }
}
