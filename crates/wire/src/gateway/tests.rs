//! A real gateway on a real port, spoken to in raw bytes.

mod auth;
mod bounds;
mod site;
mod streamed;
mod streams;
mod tiny;

use std::time::Duration;

use tiny::{Front, Tiny, builder, gist, rest};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Origin, RequestInfo, full};

async fn front() -> Front {
    Front::new(builder(&Tiny::default())).await
}

const SCOPE: &str = "Authorization: AWS4-HMAC-SHA256 Credential=";

#[tokio::test]
async fn an_answer_carries_the_id_that_the_operation_saw() {
    let answer = front().await.ask("GET /tiny/who", "", "").await;
    let header = answer
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("x-amzn-requestid: ").map(str::to_owned))
        .unwrap();
    assert!(answer.ends_with(&format!(r#""RequestId":"{header}"}}"#)), "{answer}");
    assert!(answer.to_ascii_lowercase().contains("\r\ndate: "), "{answer}");
}

#[tokio::test]
async fn account_and_region_come_from_the_credential_scope() {
    let front = front().await;
    for (headers, expected) in [
        (String::new(), "arn:aws:tiny:us-east-1:000000000000:x"),
        (
            format!("{SCOPE}test/20260101/eu-west-1/tiny/aws4_request\r\n"),
            "arn:aws:tiny:eu-west-1:000000000000:x",
        ),
        (
            format!("{SCOPE}123456789012/20260101/cn-north-1/tiny/aws4_request\r\n"),
            "arn:aws-cn:tiny:cn-north-1:123456789012:x",
        ),
        ("Host: tiny.eu-central-1.hearth.example\r\n".into(), "arn:aws:tiny:eu-central-1:000000000000:x"),
    ] {
        let answer = front.ask("GET /tiny/who", &headers, "").await;
        assert!(answer.contains(&format!(r#""Arn":"{expected}""#)), "{answer}");
    }
    let headers = format!("{SCOPE}test/20260101/No_Region/tiny/aws4_request\r\n");
    let answer = front.ask("GET /tiny/who", &headers, "").await;
    assert!(gist(&answer).starts_with("403") && answer.contains("scoped to a valid region"), "{answer}");
}

#[tokio::test]
async fn each_protocol_finds_its_service_without_a_signature() {
    let front = front().await;
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let target = "Content-Type: application/x-amz-json-1.1\r\nX-Amz-Target: Boxes_2020.Who\r\n";
    for answer in [
        front.ask("POST /", form, "Action=Who&Version=2020-01-01").await,
        front.ask("GET /?Action=Who&Version=2020-01-01", "", "").await,
        front.ask("POST /", target, "{}").await,
    ] {
        assert!(gist(&answer).starts_with("200") && answer.contains("arn:aws:tiny:"), "{answer}");
    }
}

#[tokio::test]
async fn a_service_that_is_not_here_is_named_in_what_the_client_speaks() {
    let front = front().await;
    for (line, headers, expected) in [
        (
            "GET /bucket",
            format!("{SCOPE}k/20260101/us-east-1/s3/aws4_request\r\n"),
            "<Error><Code>NotImplemented</Code><Message>Hearth does not have the service 's3' yet.</Message>",
        ),
        (
            "POST /",
            "X-Amz-Target: DynamoDB_20120810.ListTables\r\n".into(),
            r#"{"__type":"NotImplemented","message":"Hearth does not have the service 'DynamoDB_20120810' yet."}"#,
        ),
        (
            "GET /?Action=X&Version=2012-11-05",
            String::new(),
            "<Code>NotImplemented</Code><Message>Hearth does not have the service 'API version 2012-11-05' yet.",
        ),
        (
            "GET /x",
            format!("{SCOPE}k/20260101/us-east-1/eks/aws4_request\r\n"),
            "Hearth does not have the service 'eks' yet.",
        ),
    ] {
        let answer = front.ask(line, &headers, "").await;
        assert!(gist(&answer).starts_with("501") && answer.contains(expected), "{answer}");
    }
    let answer = front.ask("GET /nothing/here", "", "").await;
    assert!(gist(&answer).starts_with("404"), "{answer}");
    assert!(answer.contains("Hearth cannot tell which service GET /nothing/here is for"), "{answer}");
}

#[tokio::test]
async fn unknown_and_unwritten_operations_are_told_apart() {
    let front = front().await;
    let headers = format!("{SCOPE}k/20260101/us-east-1/tiny/aws4_request\r\n");
    let unknown = front.ask("GET /tiny/nothing", &headers, "").await;
    assert!(unknown.contains("UnknownOperationException"), "{unknown}");
    let unwritten = front.ask("GET /tiny/unwritten", &headers, "").await;
    assert!(gist(&unwritten).starts_with("501") && unwritten.contains("Unwritten"), "{unwritten}");
}

#[tokio::test]
async fn a_web_page_cannot_drive_it() {
    let front = front().await;
    let form = "Content-Type: application/x-www-form-urlencoded\r\nOrigin: http://evil.example\r\n";
    for answer in [
        front.ask("GET /tiny/who", "Host: evil.example\r\n", "").await,
        front.ask("GET /tiny/who", "Sec-Fetch-Site: cross-site\r\n", "").await,
        front.ask("GET /tiny/who", "Origin: http://localhost:3000\r\n", "").await,
        front.ask("POST /", form, "Action=Who&Version=2020-01-01").await,
        front
            .ask(
                "OPTIONS /tiny/who",
                "Origin: http://evil.example\r\nAccess-Control-Request-Method: POST\r\n",
                "",
            )
            .await,
    ] {
        assert!(gist(&answer).starts_with("403"), "{answer}");
        assert!(!answer.to_ascii_lowercase().contains("access-control"), "{answer}");
    }
    let answer = front.raw(b"GET /tiny/who HTTP/1.0\r\n\r\n").await;
    assert!(gist(&answer).starts_with("400"), "{answer}");
}

#[tokio::test]
async fn a_raw_route_gets_the_whole_request_under_the_same_checks() {
    let builder =
        builder(&Tiny::default()).route("/_hearth", |request: http::Request<bytes::Bytes>| async move {
            let info = request.extensions().get::<RequestInfo>().copied().unwrap();
            http::Response::new(full(format!("{} {} {:?}", request.uri(), info.source_ip, request.body())))
        });
    let front = Front::new(builder).await;
    assert_eq!(gist(&front.ask("POST /_hearth/a?b", "", "c").await), r#"200 /_hearth/a?b 127.0.0.1 b"c""#);
    assert!(gist(&front.ask("GET /_hearths", "", "").await).starts_with("404"));
    assert!(gist(&front.ask("POST /_hearth/a", "Origin: null\r\n", "").await).starts_with("403"));
}

#[tokio::test]
async fn a_handler_that_panics_is_answered_and_the_connection_lives_on() {
    let front = front().await;
    let mut stream = front.connect().await;
    stream.write_all(b"GET /tiny/panic HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    stream.write_all(b"POST /tiny/echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi").await.unwrap();
    let answers = rest(&mut stream).await;
    assert!(answers.starts_with("HTTP/1.1 500") && answers.ends_with("\r\n\r\nhi"), "{answers}");
}

#[tokio::test]
async fn a_shutdown_lets_requests_in_flight_finish() {
    let tiny = Tiny::default();
    let front = Front::new(builder(&tiny)).await;
    let mut stream = front.connect().await;
    stream.write_all(b"GET /tiny/wait HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let idle = front.connect().await;
    tiny.arrived.notified().await;
    front.stop.send(()).unwrap();
    // The idle connection ends at once, the busy one with its answer.
    let mut idle = idle;
    assert_eq!(rest(&mut idle).await, "");
    tiny.go.notify_one();
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 200"));
    front.served.await.unwrap();
    assert!(tokio::net::TcpStream::connect(front.address).await.is_err());
}

#[tokio::test]
async fn a_connection_accepted_elsewhere_is_served() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let gateway = builder(&Tiny::default()).build();
    let served = tokio::spawn(async move { gateway.serve_stream(stream, Origin::Sandbox).await });
    client
        .write_all(b"GET /tiny/who HTTP/1.1\r\nHost: 127.0.0.1:4566\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    assert!(rest(&mut client).await.starts_with("HTTP/1.1 200"));
    served.await.unwrap();
}

#[tokio::test]
async fn a_function_that_holds_memory_holds_none_of_the_hosts() {
    let builder = builder(&Tiny::default()).bodies_bytes_max(64 * 1024).body_grace(Duration::from_secs(60));
    let front = Front::new(builder).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut function = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let gateway = front.gateway.clone();
    tokio::spawn(async move { gateway.serve_stream(stream, Origin::Sandbox).await });
    let head = "POST /tiny/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 65536\r\n\r\n";
    function.write_all(format!("{head}{}", "x".repeat(65_535)).as_bytes()).await.unwrap();
    for _ in 0..3 {
        let answer = front.ask("POST /tiny/echo", "", &"y".repeat(60_000)).await;
        assert!(gist(&answer).starts_with("200"), "{answer:.200}");
    }
}

#[tokio::test]
async fn http2_with_prior_knowledge_is_spoken_on_the_same_port() {
    let front = front().await;
    let mut stream = front.connect().await;
    let mut head = vec![0x82, 0x86, 0x04, 9];
    head.extend(b"/tiny/who");
    head.extend([0x01, 9]);
    head.extend(b"localhost");
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    bytes.extend([0, 0, u8::try_from(head.len()).unwrap(), 1, 5, 0, 0, 0, 1]);
    bytes.extend(head);
    stream.write_all(&bytes).await.unwrap();
    loop {
        let mut frame = [0; 9];
        stream.read_exact(&mut frame).await.unwrap();
        let mut payload = vec![0; usize::from(frame[1]) << 8 | usize::from(frame[2])];
        stream.read_exact(&mut payload).await.unwrap();
        if frame[3] == 1 {
            // `:status: 200` is entry 8 of HPACK's static table; a size update may come first.
            assert!(payload.iter().take(4).any(|byte| *byte == 0x88), "{payload:x?}");
            return;
        }
    }
}
