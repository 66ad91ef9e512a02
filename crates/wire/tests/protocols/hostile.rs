//! What the fuzz targets look for at length, looked for briefly wherever tests run.

use bytes::Bytes;
use proptest::prelude::*;
use wire::{Body, Response, Service};

use crate::harness::Call;
use crate::{logs, query, rest_json};

fn run(call: Call<'_>, service: &Service) -> Response {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let response = runtime.block_on(call.send(service));
    let Body::Bytes(body) = &response.body else { panic!("the answer is a stream") };
    if response.status.is_server_error() && response.status != 501 {
        panic!("{}: {}", response.status, String::from_utf8_lossy(body));
    }
    response
}

/// JSON that comes close to what the models expect.
fn json() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        Just("Timeout"),
        Just("Environment"),
        Just("Variables"),
        Just("Layers"),
        Just("FileSystemConfigs"),
        Just("Arn"),
        Just("TracingConfig"),
        Just("Mode"),
        Just("logGroupName"),
        Just("tags"),
        Just("startTime"),
        Just("x"),
    ];
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| format!("{number:e}")),
        ".{0,12}".prop_map(|text| serde_json::json!(text).to_string()),
    ];
    leaf.prop_recursive(6, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(|values| format!("[{}]", values.join(","))),
            prop::collection::vec((key.clone(), inner), 0..6).prop_map(|entries| {
                let entries: Vec<_> =
                    entries.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
                format!("{{{}}}", entries.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn json_bodies_never_break_the_server(body in json()) {
        let call = Call { method: http::Method::PUT, ..Call::post("/2015-03-31/functions/f/configuration", body.clone()) };
        run(call, &rest_json::service());
        run(Call::post("/", body).with(&[("x-amz-target", "Logs_20140328.GetLogEvents")]), &logs::service());
    }

    #[test]
    fn bytes_never_break_the_server(body in prop::collection::vec(any::<u8>(), 0..256)) {
        let call = Call { method: http::Method::PUT, ..Call::post("/2015-03-31/functions/f/configuration", body.clone()) };
        run(call, &rest_json::service());
        let mut form = b"Action=CreateRole&".to_vec();
        form.extend(body);
        run(Call::post("/", form), &query::service());
    }

    #[test]
    fn forms_never_break_the_server(fields in prop::collection::vec(("(Tags|RoleName|MaxSessionDuration|member|[0-9]{1,12}|Key|\\.){1,8}", ".{0,8}"), 0..20)) {
        let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        run(Call::post("/", format!("Action=CreateRole&{}", fields.join("&"))), &query::service());
    }

    #[test]
    fn paths_never_break_the_server(path in "/(2015-03-31|functions|invocations|[%a-f0-9/:?&=]|\\PC){0,20}") {
        run(Call::get(&path), &rest_json::service());
    }

    #[test]
    fn every_text_survives_the_way_through_json(text in any::<String>(), key in "[a-zA-Z][a-zA-Z0-9_]{1,20}") {
        let body = serde_json::json!({ "Environment": { "Variables": { key: text } } });
        let call = Call { method: http::Method::PUT, ..Call::post("/2015-03-31/functions/f/configuration", body.to_string()) };
        let response = run(call, &rest_json::service());
        let Body::Bytes(answer) = &response.body else { panic!("the answer is a stream") };
        let answer: serde_json::Value = serde_json::from_slice(answer).unwrap();
        prop_assert_eq!(&answer["Environment"], &body["Environment"]);
    }
}

#[test]
fn depth_is_bounded() {
    for body in ["[".repeat(100_000), "{\"x\":".repeat(100_000)] {
        let call =
            Call { method: http::Method::PUT, ..Call::post("/2015-03-31/functions/f/configuration", body) };
        assert_eq!(run(call, &rest_json::service()).status, 400);
    }
    let form = format!("Action=CreateRole&{}=x", vec!["a"; 100_000].join("."));
    assert_eq!(run(Call::post("/", form), &query::service()).status, 400);
}

#[test]
fn the_number_of_parameters_is_bounded() {
    let form = format!("Action=ListRoles{}", "&a=b".repeat(100_000));
    assert_eq!(run(Call::post("/", Bytes::from(form)), &query::service()).status, 400);
}
