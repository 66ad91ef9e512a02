//! Requests that are too long, too slow, or not HTTP at all.

use std::time::Duration;

use proptest::prelude::*;
use tokio::io::AsyncWriteExt;

use super::tiny::{Front, Tiny, builder, gist, rest};

#[tokio::test]
async fn a_body_beyond_its_operations_limit_is_refused_and_the_answer_is_heard() {
    let front = Front::new(builder(&Tiny::default()).body_limit("Echo", 1000)).await;
    let expected = "Request must be smaller than 1000 bytes for the Echo operation";
    assert!(gist(&front.ask("POST /tiny/echo", "", &"x".repeat(1000)).await).starts_with("200"));
    let long = front.ask("POST /tiny/echo", "", &"x".repeat(3_000_000)).await;
    assert!(gist(&long).starts_with("413") && long.contains(expected), "{long}");
    assert!(long.contains("RequestEntityTooLargeException"), "{long}");
    let chunk = format!("{:x}\r\n{}\r\n", 600, "x".repeat(600));
    let chunked = format!(
        "POST /tiny/echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}{chunk}0\r\n\r\n"
    );
    let long = front.raw(chunked.as_bytes()).await;
    assert!(gist(&long).starts_with("413") && long.contains(expected), "{long}");
}

#[tokio::test]
async fn a_client_that_asks_first_is_refused_before_it_sends() {
    let front = Front::new(builder(&Tiny::default()).body_limit("Echo", 1000)).await;
    let head = "POST /tiny/echo HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: ";
    let answer = front.raw(format!("{head}5000\r\n\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let answer = front.raw(format!("{head}2\r\nConnection: close\r\n\r\nhi").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn a_body_that_does_not_come_times_out() {
    let front = Front::new(builder(&Tiny::default()).body_grace(Duration::from_millis(20))).await;
    let answer =
        front.raw(b"POST /tiny/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhi").await;
    assert!(gist(&answer).starts_with("408"), "{answer}");
}

#[tokio::test]
async fn a_connection_that_says_nothing_or_half_a_head_is_closed() {
    let front = Front::new(builder(&Tiny::default()).idle_timeout(Duration::from_millis(20))).await;
    for start in ["", "P", "PRI * HTTP/2.0\r\n", "GET /tiny/who HTTP/1.1\r\nHost: loc"] {
        assert_eq!(front.raw(start.as_bytes()).await, "", "{start}");
    }
}

#[tokio::test]
async fn encodings_that_nobody_would_decode_are_refused() {
    let front = Front::new(builder(&Tiny::default())).await;
    for (headers, expected) in [
        ("Content-Encoding: gzip\r\n", "415"),
        ("Content-Encoding: aws-chunked\r\n", "501"),
        ("X-Amz-Content-Sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\r\n", "501"),
        ("Content-Encoding: identity\r\n", "200"),
    ] {
        let answer = front.ask("POST /tiny/echo", headers, "hi").await;
        assert!(gist(&answer).starts_with(expected), "{headers}: {answer}");
    }
}

#[tokio::test]
async fn heads_beyond_the_limits_are_refused() {
    let front = Front::new(builder(&Tiny::default())).await;
    let many = "X-A: b\r\n".repeat(200);
    assert!(front.ask("GET /tiny/who", &many, "").await.starts_with("HTTP/1.1 431"));
    let mut stream = front.connect().await;
    let long = format!("GET /tiny/who HTTP/1.1\r\nHost: localhost\r\nX-Long: {}", "x".repeat(128 * 1024));
    // The server may hang up while we are still sending.
    drop(stream.write_all(long.as_bytes()).await);
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn a_body_that_ends_early_is_malformed_or_nothing() {
    let front = Front::new(builder(&Tiny::default())).await;
    let answer = front
        .raw(b"POST /tiny/echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
        .await;
    assert!(gist(&answer).starts_with("400"), "{answer}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever is sent, the connection ends and the next request is served.
    #[test]
    fn noise_ends_and_harms_nobody(
        line in "(GET|POST|OPTIONS|\\PC{0,5}) [!-~]{0,30}( HTTP/1\\.[01])?",
        headers in "((Host|Authorization|X-Amz-Target|Content-Length|Transfer-Encoding|Content-Type|Origin): [ -~]{0,40}\r\n){0,4}",
        noise in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let front = Front::new(builder(&Tiny::default()).body_grace(Duration::from_millis(20)).idle_timeout(Duration::from_millis(100))).await;
            let mut stream = front.connect().await;
            let mut bytes = format!("{line}\r\n{headers}\r\n").into_bytes();
            bytes.extend(noise);
            drop(stream.write_all(&bytes).await);
            drop(stream.shutdown().await);
            let mut sink = Vec::new();
            drop(tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut sink).await);
            let answer = front.ask("POST /tiny/echo", "", "still here").await;
            assert!(answer.ends_with("still here"), "{answer}");
        });
    }
}
