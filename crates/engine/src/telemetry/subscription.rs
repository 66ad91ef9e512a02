//! What an extension asks for when it subscribes, checked.

use std::time::Duration;

use serde_json::{Map, Value};

/// Items of a batch. <https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api.html#telemetry-api-buffering>
const ITEMS: std::ops::RangeInclusive<u64> = 1_000..=10_000;
/// Bytes of a batch.
const BYTES: std::ops::RangeInclusive<u64> = 262_144..=1_048_576;
/// How long an item waits for others, in milliseconds.
const TIMEOUT_MS: std::ops::RangeInclusive<u64> = 25..=30_000;
const TIMEOUT_MS_DEFAULT: u64 = 1_000;
/// The Runtime API has it.
const RESERVED_PORT: u16 = 9001;
/// What an environment calls itself.
const HOSTS: [&str; 2] = ["sandbox.localdomain", "sandbox"];

/// Which of the two APIs was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    Telemetry,
    Logs,
}

/// The form of what is posted, oldest first in each API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Schema {
    Logs20200815,
    Logs20210318,
    Telemetry20220701,
    Telemetry20221213,
    Telemetry20250129,
}

/// Who produced an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Platform,
    Function,
    Extension,
}

/// When a batch is posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Buffering {
    pub(crate) items_max: usize,
    pub(crate) bytes_max: usize,
    pub(crate) timeout: Duration,
}

/// Where batches go, on the sandbox's own loopback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// A JSON array in a request.
    Http { port: u16, authority: String, path: String, put: bool },
    /// A line of JSON for each entry.
    Tcp { port: u16 },
}

/// What an extension subscribed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub(crate) api: Api,
    pub(crate) schema: Schema,
    pub(crate) kinds: Vec<Kind>,
    pub(crate) buffering: Buffering,
    pub(crate) destination: Destination,
}

impl Kind {
    /// As subscriptions spell it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Function => "function",
            Self::Extension => "extension",
        }
    }

    /// As the log spells it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Platform => "Platform",
            Self::Function => "Function",
            Self::Extension => "Extension",
        }
    }
}

impl Subscription {
    /// Reads a request's body; the error is everything that is wrong with it.
    pub(crate) fn parse(api: Api, body: &[u8]) -> Result<Self, String> {
        let body: Value =
            serde_json::from_slice(body).map_err(|_| "the body is not valid JSON".to_owned())?;
        let Value::Object(body) = body else { return Err("the body is not a JSON object".to_owned()) };
        let mut wrong = Vec::new();
        let destination = note(&mut wrong, destination(&body));
        let schema = note(&mut wrong, schema(api, body.get("schemaVersion")));
        let kinds = note(&mut wrong, kinds(body.get("types")));
        let buffering = note(&mut wrong, buffering(api, body.get("buffering")));
        match (schema, kinds, buffering, destination) {
            (Some(schema), Some(kinds), Some(buffering), Some(destination)) => {
                Ok(Self { api, schema, kinds, buffering, destination })
            }
            _ => Err(wrong.join("; ")),
        }
    }
}

fn note<T>(wrong: &mut Vec<String>, parsed: Result<T, String>) -> Option<T> {
    parsed.map_err(|message| wrong.push(message)).ok()
}

fn schema(api: Api, version: Option<&Value>) -> Result<Schema, String> {
    match (api, version.map(Value::as_str)) {
        (Api::Logs, None | Some(Some("2020-08-15"))) => Ok(Schema::Logs20200815),
        (Api::Logs, Some(Some("2021-03-18"))) => Ok(Schema::Logs20210318),
        (Api::Telemetry, Some(Some("2022-07-01"))) => Ok(Schema::Telemetry20220701),
        (Api::Telemetry, Some(Some("2022-12-13"))) => Ok(Schema::Telemetry20221213),
        (Api::Telemetry, Some(Some("2025-01-29"))) => Ok(Schema::Telemetry20250129),
        (_, None) => Err("schemaVersion is not provided".to_owned()),
        (_, Some(_)) => Err("schemaVersion is not supported".to_owned()),
    }
}

fn kinds(types: Option<&Value>) -> Result<Vec<Kind>, String> {
    let types = types.map(|types| types.as_array().ok_or("types should be an array")).transpose()?;
    let types = types.filter(|types| !types.is_empty()).ok_or("types should not be empty")?;
    let mut kinds = Vec::new();
    for name in types {
        let known = [Kind::Platform, Kind::Function, Kind::Extension]
            .into_iter()
            .find(|kind| name.as_str() == Some(kind.name()));
        let kind = known.ok_or_else(|| format!("type {name} is not supported"))?;
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    Ok(kinds)
}

fn buffering(api: Api, asked: Option<&Value>) -> Result<Buffering, String> {
    let none = Map::new();
    let asked = match asked {
        None | Some(Value::Null) => &none,
        Some(Value::Object(asked)) => asked,
        Some(_) => return Err("buffering should be an object".to_owned()),
    };
    let number = |name: &str, allowed: std::ops::RangeInclusive<u64>, default: u64| match asked.get(name) {
        None | Some(Value::Null) => Ok(default),
        Some(value) => value.as_u64().filter(|value| allowed.contains(value)).ok_or_else(|| {
            format!("buffering {name} should be between {} and {}", allowed.start(), allowed.end())
        }),
    };
    let items_default = if api == Api::Logs { *ITEMS.end() } else { *ITEMS.start() };
    let size = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    Ok(Buffering {
        items_max: size(number("maxItems", ITEMS, items_default)?),
        bytes_max: size(number("maxBytes", BYTES, *BYTES.start())?),
        timeout: Duration::from_millis(number("timeoutMs", TIMEOUT_MS, TIMEOUT_MS_DEFAULT)?),
    })
}

fn destination(body: &Map<String, Value>) -> Result<Destination, String> {
    let destination = body.get("destination").and_then(Value::as_object);
    let destination = destination.ok_or("destination is not provided")?;
    let text = |name: &str| destination.get(name).and_then(Value::as_str);
    match text("protocol") {
        Some("HTTP") => http(text("URI"), text("method"), text("encoding")),
        Some("TCP") => {
            let port = destination.get("port").and_then(Value::as_u64).ok_or("port is not provided")?;
            let port = u16::try_from(port).map_err(|_| "port is not valid".to_owned())?;
            Ok(Destination::Tcp { port: usable(port)? })
        }
        Some(_) => Err("protocol should be HTTP or TCP".to_owned()),
        None => Err("protocol is not provided".to_owned()),
    }
}

fn http(uri: Option<&str>, method: Option<&str>, encoding: Option<&str>) -> Result<Destination, String> {
    let uri: http::Uri =
        uri.ok_or("URI is not provided")?.parse().map_err(|_| "URI is not valid".to_owned())?;
    if uri.scheme_str() != Some("http") {
        return Err("URI scheme should be http".to_owned());
    }
    if !uri.host().is_some_and(|host| HOSTS.contains(&host.to_ascii_lowercase().as_str())) {
        return Err("URI host should be sandbox.localdomain".to_owned());
    }
    let port = uri.port_u16().ok_or("URI port is not provided")?;
    if !matches!(encoding, None | Some("JSON")) {
        return Err("encoding should be JSON".to_owned());
    }
    let put = match method {
        None | Some("POST") => false,
        Some("PUT") => true,
        Some(_) => return Err("method should be POST or PUT".to_owned()),
    };
    Ok(Destination::Http {
        port: usable(port)?,
        authority: uri.authority().map(ToString::to_string).unwrap_or_default(),
        path: uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
        put,
    })
}

fn usable(port: u16) -> Result<u16, String> {
    match port {
        0 => Err("port is not valid".to_owned()),
        RESERVED_PORT => Err(format!("port {RESERVED_PORT} is reserved")),
        port => Ok(port),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(body: &str) -> Result<Subscription, String> {
        Subscription::parse(Api::Telemetry, body.as_bytes())
    }

    #[test]
    fn a_subscription_has_aws_defaults() {
        let body = r#"{"schemaVersion":"2022-12-13","types":["platform","function","platform"],
            "destination":{"protocol":"HTTP","URI":"http://sandbox.localdomain:8080/logs?x=1"}}"#;
        let subscription = parse(body).unwrap();
        assert_eq!(subscription.schema, Schema::Telemetry20221213);
        assert_eq!(subscription.kinds, [Kind::Platform, Kind::Function]);
        let buffering = subscription.buffering;
        assert_eq!((buffering.items_max, buffering.bytes_max), (1000, 262_144));
        assert_eq!(buffering.timeout, Duration::from_secs(1));
        let expected = Destination::Http {
            port: 8080,
            authority: "sandbox.localdomain:8080".into(),
            path: "/logs?x=1".into(),
            put: false,
        };
        assert_eq!(subscription.destination, expected);
    }

    #[test]
    fn the_logs_api_needs_no_version_and_takes_tcp() {
        let body = br#"{"types":["extension"],"destination":{"protocol":"TCP","port":4243},
            "buffering":{"maxItems":2000,"maxBytes":1048576,"timeoutMs":25}}"#;
        let subscription = Subscription::parse(Api::Logs, body).unwrap();
        assert_eq!(subscription.schema, Schema::Logs20200815);
        assert_eq!(subscription.destination, Destination::Tcp { port: 4243 });
        assert_eq!(subscription.buffering.items_max, 2000);
    }

    #[test]
    fn everything_that_is_wrong_is_told() {
        let check = |body: &str, expected: &str| assert_eq!(parse(body).unwrap_err(), expected, "{body}");
        // AWS's own example.
        check(
            r#"{"schemaVersion":"2022-07-01","types":[],"destination":{"protocol":"HTTP","URI":"http://sandbox.localdomain"}}"#,
            "URI port is not provided; types should not be empty",
        );
        let with = |destination: &str| {
            format!(r#"{{"schemaVersion":"2022-07-01","types":["platform"],"destination":{destination}}}"#)
        };
        check(&with(r#"{"protocol":"UDP"}"#), "protocol should be HTTP or TCP");
        check(&with(r#"{"protocol":"TCP","port":9001}"#), "port 9001 is reserved");
        check(&with(r#"{"protocol":"TCP","port":70000}"#), "port is not valid");
        check(
            &with(r#"{"protocol":"HTTP","URI":"http://example.com:80"}"#),
            "URI host should be sandbox.localdomain",
        );
        check(&with(r#"{"protocol":"HTTP","URI":"https://sandbox:80"}"#), "URI scheme should be http");
        check("[]", "the body is not a JSON object");
        check("", "the body is not valid JSON");
        let tcp = r#""types":["platform"],"destination":{"protocol":"TCP","port":80}"#;
        check(&format!("{{{tcp}}}"), "schemaVersion is not provided");
        check(&format!(r#"{{{tcp},"schemaVersion":"2020-08-15"}}"#), "schemaVersion is not supported");
        let buffered =
            |buffering: &str| format!(r#"{{{tcp},"schemaVersion":"2022-07-01","buffering":{buffering}}}"#);
        check(&buffered(r#"{"maxItems":10}"#), "buffering maxItems should be between 1000 and 10000");
        check(&buffered(r#"{"timeoutMs":"1"}"#), "buffering timeoutMs should be between 25 and 30000");
        check(&buffered("3"), "buffering should be an object");
    }

    proptest! {
        #[test]
        fn whatever_arrives_is_a_subscription_or_a_refusal(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let _ = Subscription::parse(Api::Telemetry, &bytes);
        }

        #[test]
        fn damaged_subscriptions_are_refused_or_within_bounds(at in 0usize..200, byte: u8) {
            let mut body = br#"{"schemaVersion":"2022-12-13","types":["platform","function"],"buffering":{"maxItems":1000,"maxBytes":262144,"timeoutMs":25},"destination":{"protocol":"HTTP","URI":"http://sandbox:8080"}}"#.to_vec();
            let at = at % body.len();
            body[at] = byte;
            if let Ok(subscription) = Subscription::parse(Api::Telemetry, &body) {
                prop_assert!((1_000..=10_000).contains(&subscription.buffering.items_max));
                prop_assert!((25..=30_000).contains(&subscription.buffering.timeout.as_millis()));
            }
        }
    }
}
