use super::*;
use crate::isolation::fake::Client;

/// Runs one invocation whose handler tries something with the Runtime API, and gives what it saw.
async fn during<F>(attempt: impl Fn(Client, String) -> F + Clone + Send + Sync + 'static) -> (Outcome, String)
where
    F: Future<Output = (Client, String)> + Send + 'static,
{
    let fake = Fake::new(move |inside: Inside| {
        let attempt = attempt.clone();
        async move {
            let mut api = inside.connect().await;
            let event = api.next().await;
            let (mut api, seen) = attempt(inside.connect().await, event.request_id.clone()).await;
            inside.print(&format!("seen: {seen}\n")).await;
            api.respond(&event.request_id, b"{}").await;
            inside.hang().await
        }
    });
    let fixture = Fixture::start(fake);
    let (outcome, tail) = fixture.invoke_tail("{}").await;
    let seen = tail.lines().find_map(|line| line.strip_prefix("seen: ")).unwrap_or_default().to_owned();
    (outcome, seen)
}

fn shown(answered: &crate::isolation::fake::Answered) -> String {
    format!("{} {}", answered.status, String::from_utf8_lossy(&answered.body).trim_end())
}

#[tokio::test]
async fn the_event_comes_with_lambdas_headers() {
    let fake = Fake::new(|inside: Inside| async move {
        let mut api = inside.connect().await;
        loop {
            let event = api.next().await;
            let headers = serde_json::to_vec(&event.headers).unwrap();
            api.respond(&event.request_id, &headers).await;
        }
    });
    let fixture = Fixture::start(fake);
    let now_ms = domain::Clock::now(&domain::SystemClock).epoch_ms();
    let invocation = Invocation {
        client_context: Some("{\"client\":\n{\"a\":\"é\"}}".into()),
        trace_header: Some("Root=1-a-b;Parent=c;Sampled=1;Lineage=1:ab:0".into()),
        ..fixture.invocation("{}")
    };
    let outcome = fixture.engine.invoke(invocation.clone()).await.unwrap();
    let headers: serde_json::Value = serde_json::from_slice(&outcome.payload).unwrap();
    assert_eq!(headers["lambda-runtime-aws-request-id"], invocation.request_id.to_string());
    assert_eq!(headers["lambda-runtime-invoked-function-arn"], invocation.invoked_arn);
    assert_eq!(headers["lambda-runtime-trace-id"], "Root=1-a-b;Parent=c;Sampled=1;Lineage=1:ab:0");
    assert_eq!(headers["lambda-runtime-client-context"], r#"{"client": {"a":"é"}}"#);
    assert_eq!(headers["content-type"], "application/json");
    assert!(headers.get("lambda-runtime-cognito-identity").is_none());
    let deadline_ms: i64 = headers["lambda-runtime-deadline-ms"].as_str().unwrap().parse().unwrap();
    assert!((now_ms + 3000..now_ms + 8000).contains(&deadline_ms), "{deadline_ms} after {now_ms}");
    let untraced = fixture.invoke("{}").await.unwrap();
    assert!(text(&untraced).contains(";Sampled=0"), "{}", text(&untraced));
}

#[tokio::test]
async fn a_handlers_error_is_passed_through_untouched() {
    let fake = Fake::new(|inside: Inside| async move {
        let mut api = inside.connect().await;
        let event = api.next().await;
        api.fail(&event.request_id, "ValueError", br#"{"errorMessage": "x",  "errorType":"ValueError"}"#)
            .await;
        inside.hang().await
    });
    let fixture = Fixture::start(fake);
    let outcome = fixture.invoke("{}").await.unwrap();
    assert_eq!(text(&outcome), r#"{"errorMessage": "x",  "errorType":"ValueError"}"#);
    assert_eq!(error_type(&outcome), "Function.Unknown");
}

#[tokio::test]
async fn calls_with_a_wrong_id_or_in_a_wrong_state_are_refused_and_harm_nothing() {
    let (outcome, seen) = during(|mut api, _| async move {
        let wrong = "/2018-06-01/runtime/invocation/8476a536-e9f4-11e8-9739-2dfe598c3fcd/response";
        let mut seen = vec![shown(&api.request("POST", wrong, "", b"{}").await)];
        let no_id = "/2018-06-01/runtime/invocation/no-id/error";
        seen.push(shown(&api.request("POST", no_id, "", b"{}").await));
        seen.push(shown(&api.request("GET", "/2018-06-01/runtime/invocation/next", "", b"").await));
        seen.push(shown(&api.request("POST", "/2018-06-01/runtime/init/error", "", b"{}").await));
        seen.push(shown(&api.request("GET", "/2018-06-01/ping", "", b"").await));
        seen.push(
            api.request("PUT", "/2018-06-01/runtime/invocation/next", "", b"").await.status.to_string(),
        );
        seen.push(api.request("GET", "/latest/meta-data", "", b"").await.status.to_string());
        (api, seen.join(" | "))
    })
    .await;
    assert_eq!(text(&outcome), "{}");
    let expected = [
        r#"400 {"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}"#,
        r#"400 {"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}"#,
        r#"403 {"errorMessage":"State transition from Running to Ready failed for runtime. Error: State transition is not allowed","errorType":"InvalidStateTransition"}"#,
        r#"403 {"errorMessage":"State transition from Running to InitError failed for runtime. Error: State transition is not allowed","errorType":"InvalidStateTransition"}"#,
        "200 pong",
        "405",
        "404",
    ];
    assert_eq!(seen, expected.join(" | "));
}

#[tokio::test]
async fn a_response_of_the_largest_size_passes_and_a_larger_one_is_an_error() {
    let fake = handler(|_, payload| async move { "x".repeat(payload.parse().unwrap()) });
    let fixture = Fixture::start(fake);
    let largest = domain::limits::SYNC_RESPONSE_BYTES;
    assert_eq!(fixture.invoke(&largest.to_string()).await.unwrap().payload.len(), largest);
    let outcome = fixture.invoke(&(largest + 1).to_string()).await.unwrap();
    assert_eq!(error_type(&outcome), "Function.ResponseSizeTooLarge");
    // The runtime was told, and goes on.
    assert_eq!(fixture.invoke("3").await.unwrap().payload, "xxx");
}

#[tokio::test]
async fn a_streamed_response_is_collected_and_its_trailers_can_make_it_an_error() {
    let stream = |trailers: &'static str| {
        Fake::new(move |inside: Inside| async move {
            let mut api = inside.connect().await;
            let event = api.next().await;
            let id = event.request_id;
            let head = format!(
                "POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\nhost: x\r\n\
                 Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n\
                 Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n"
            );
            api.send(head.as_bytes()).await;
            for chunk in ["5\r\nhello\r\n", "6\r\n world\r\n", "0\r\n"] {
                api.send(chunk.as_bytes()).await;
            }
            api.send(format!("{trailers}\r\n").as_bytes()).await;
            inside.hang().await
        })
    };
    let whole = Fixture::start(stream("")).invoke("{}").await.unwrap();
    assert_eq!((text(&whole), whole.function_error.is_some()), ("hello world", false));
    // base64 of {"errorType":"E"}
    let broken = stream(
        "Lambda-Runtime-Function-Error-Type: Function.Boom\r\n\
         Lambda-Runtime-Function-Error-Body: eyJlcnJvclR5cGUiOiJFIn0=\r\n",
    );
    let broken = Fixture::start(broken).invoke("{}").await.unwrap();
    assert_eq!((text(&broken), error_type(&broken)), (r#"{"errorType":"E"}"#, "Function.Boom"));
}

#[tokio::test]
async fn an_unknown_response_mode_fails_the_invocation() {
    let fake = Fake::new(|inside: Inside| async move {
        let mut api = inside.connect().await;
        let id = api.next().await.request_id;
        let path = format!("/2018-06-01/runtime/invocation/{id}/response");
        let mode = "Lambda-Runtime-Function-Response-Mode: odd\r\n";
        let answered = api.request("POST", &path, mode, b"{}").await;
        inside.print(&shown(&answered)).await;
        inside.hang().await
    });
    let outcome = Fixture::start(fake).invoke("{}").await.unwrap();
    assert_eq!(error_type(&outcome), "Runtime.InvalidResponseModeHeader");
}

#[tokio::test]
async fn malformed_and_hostile_requests_do_not_disturb_the_invocation() {
    let (outcome, _) = during(|api, id| async move {
        let big_header = format!("x-big: {}\r\n", "x".repeat(100_000));
        let hostile = [
            "garbage\r\n\r\n".to_owned(),
            "GET\0 / HTTP/9\r\n\r\n".to_owned(),
            format!("GET /2018-06-01/ping HTTP/1.1\r\nhost: x\r\n{big_header}\r\n"),
            format!("GET /2018-06-01/ping HTTP/1.1\r\nhost: x\r\n{}\r\n", "a: b\r\n".repeat(5000)),
            format!(
                "POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\nhost: x\r\n\
                 transfer-encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFF\r\n"
            ),
            format!(
                "POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf"
            ),
        ];
        for request in hostile {
            api.send_elsewhere(request.as_bytes()).await;
        }
        (api, String::new())
    })
    .await;
    assert_eq!(text(&outcome), "{}");
}
