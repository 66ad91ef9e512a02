//! Bodies as they come: decoded, proven, paced, and left unread.

use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Frame;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, mpsc};

use crate::gateway::tests::streamed::{SIGNER, chunked, digest, lines, locked, open, sha256, signed};
use crate::gateway::tests::tiny::{Front, Tiny, builder, gist, rest};
use crate::gateway::{Origin, Peer, StreamedRequest, full};

const CRC: &str = "x-amz-checksum-crc32c:sOO8/Q==";
const SIGNED: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
const TRAILED: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";
const UNSIGNED: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

fn peer() -> Peer {
    let local = Ipv4Addr::LOCALHOST.into();
    Peer { address: local, local, origin: Origin::Host }
}

fn big(bytes: usize) -> Vec<u8> {
    (0..=250).cycle().take(bytes).collect()
}

#[tokio::test]
async fn chunks_are_joined_and_their_signatures_checked() {
    let front = locked().await;
    let data = big(20_000);
    let length = [("x-amz-decoded-content-length", "20000")];
    let parts = signed(SIGNER, "PUT /b/k", &length, SIGNED);
    let mut body = chunked(&parts, &[&data[..10_000], &data[10_000..]], None);
    let answer = front.send("PUT /b/k", &lines(&parts), &body).await;
    assert!(gist(&answer).starts_with(&format!("200 PUT /b/k 20000 {} by AKID", digest(&data))), "{answer}");
    body[15_000] ^= 1;
    let answer = front.send("PUT /b/k", &lines(&parts), &body).await;
    assert!(gist(&answer).starts_with("403 SignatureDoesNotMatch after "), "{answer}");
}

#[tokio::test]
async fn trailers_are_there_when_the_body_is_read() {
    let front = locked().await;
    let headers = [("x-amz-decoded-content-length", "5"), ("x-amz-trailer", "x-amz-checksum-crc32c")];
    let parts = signed(SIGNER, "PUT /b/k", &headers, TRAILED);
    let body = chunked(&parts, &[b"hello"], Some(CRC));
    let answer = front.send("PUT /b/k", &lines(&parts), &body).await;
    assert!(answer.ends_with("x-amz-checksum-crc32c=sOO8/Q=="), "{answer}");
    let parts = signed(SIGNER, "PUT /b/k", &headers, UNSIGNED);
    let body = format!("5\r\nhello\r\n0\r\n{CRC}\r\n\r\n");
    let answer = front.send("PUT /b/k", &lines(&parts), body.as_bytes()).await;
    assert!(answer.ends_with("x-amz-checksum-crc32c=sOO8/Q=="), "{answer}");
    // As botocore sends a stream whose length it does not know in front.
    let chunk = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let head = format!("{}Transfer-Encoding: chunked\r\n", lines(&parts));
    let answer =
        front.raw(format!("PUT /b/k HTTP/1.1\r\nConnection: close\r\n{head}\r\n{chunk}").as_bytes()).await;
    assert!(answer.ends_with("x-amz-checksum-crc32c=sOO8/Q=="), "{answer}");
}

#[tokio::test]
async fn framing_that_is_declared_beside_an_unsigned_payload_is_taken_off_too() {
    let front = Front::new(open()).await;
    for declared in ["", "x-amz-content-sha256: UNSIGNED-PAYLOAD\r\n"] {
        let headers =
            format!("Content-Encoding: gzip, aws-chunked\r\nx-amz-decoded-content-length: 5\r\n{declared}");
        let answer = front.send("PUT /b/k", &headers, b"5;chunk-signature=0\r\nhello\r\n0\r\n\r\n").await;
        assert!(gist(&answer).starts_with(&format!("200 PUT /b/k 5 {}", digest(b"hello"))), "{answer}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_body_is_said_before_the_last_of_it() {
    let front = Front::new(open()).await;
    let framed =
        "x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\r\nx-amz-decoded-content-length: 5\r\n";
    let short = format!("{framed}x-amz-decoded-content-length: 20000\r\n").replacen(
        "x-amz-decoded-content-length: 5\r\n",
        "",
        1,
    );
    let digested = format!("x-amz-content-sha256: {}\r\n", sha256(b"other"));
    let long = format!("2000\r\n{}\r\n1\r\nx\r\n0\r\n\r\n", "y".repeat(8192));
    for (headers, body, expected) in [
        (digested.as_str(), "hello", "400 XAmzContentSHA256Mismatch after 0"),
        (framed, "5\r\nhello\r\n", "400 IncompleteBody after 0"),
        (framed, "4\r\nhell\r\n0\r\n\r\n", "400 IncompleteBody after 0"),
        (framed, "6\r\nhello!\r\n0\r\n\r\n", "400 IncompleteBody after 0"),
        (framed, "5\r\nhello0\r\n\r\n", "400 IncompleteBody after 0"),
        (framed, "hello", "400 IncompleteBody after 0"),
        (framed, "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:a\r\n\r\n", "400 MalformedTrailerError after 0"),
        (framed, "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", "403 InvalidChunkSizeError after 0"),
        (&short, &long, "400 IncompleteBody after "),
    ] {
        let answer = front.send("PUT /b/k", headers, body.as_bytes()).await;
        assert!(gist(&answer).starts_with(expected), "{headers}{body:.40}: {answer}");
        assert!(!gist(&answer).ends_with(" 8193"), "{answer}");
    }
}

/// A body of which only as much exists as was asked for.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_larger_than_memory_passes_through_and_back_pressure_holds_it() {
    const PIECE: usize = 64 * 1024;
    const PIECES: usize = 4096;
    let front = Front::new(open()).await;
    let (made, taken) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (mut reader, mut writer) = front.connect().await.into_split();
    let length = PIECE * PIECES;
    let head = format!(
        "PUT /echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    let written = Arc::clone(&made);
    let sends = tokio::spawn(async move {
        writer.write_all(head.as_bytes()).await.unwrap();
        let piece = vec![b'x'; PIECE];
        for _ in 0..PIECES {
            writer.write_all(&piece).await.unwrap();
            written.fetch_add(PIECE, Ordering::SeqCst);
        }
        // Dropped, it would hang up.
        writer
    });
    let mut buffer = vec![0; PIECE];
    let mut ahead = 0;
    loop {
        let read = reader.read(&mut buffer).await.unwrap();
        if read == 0 {
            break;
        }
        taken.fetch_add(read, Ordering::SeqCst);
        ahead = ahead.max(made.load(Ordering::SeqCst).saturating_sub(taken.load(Ordering::SeqCst)));
    }
    drop(sends.await.unwrap());
    assert!(taken.load(Ordering::SeqCst) >= length);
    // What the kernel's buffers hold on both ways, and a few hundred kilobytes of ours.
    assert!(ahead < 32 << 20, "{ahead}");
}

/// A body that is made as it is asked for, and knows how much of it was.
struct Measured {
    asked: Arc<AtomicUsize>,
    left: usize,
}

impl hyper::body::Body for Measured {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Some(left) = self.left.checked_sub(1) else { return Poll::Ready(None) };
        self.left = left;
        self.asked.fetch_add(1, Ordering::SeqCst);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[0; 8192])))))
    }
}

#[tokio::test]
async fn nothing_is_read_ahead_of_the_handler_but_one_piece() {
    const PIECES: usize = 100_000;
    let asked = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&asked);
    let handler = move |asked: StreamedRequest| {
        let seen = Arc::clone(&seen);
        async move {
            let mut body = asked.request.into_body();
            assert_eq!(seen.load(Ordering::SeqCst), 0);
            for given in 1..=PIECES {
                assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap().len(), 8192);
                assert!(seen.load(Ordering::SeqCst) <= given + 1);
                if given % 1000 == 0 {
                    tokio::task::yield_now().await;
                }
            }
            assert!(body.frame().await.is_none());
            http::Response::new(full("done"))
        }
    };
    let gateway = builder(&Tiny::default()).streamed("s3", handler).build();
    let request = http::Request::put("http://localhost/b/k").header("content-length", PIECES * 8192);
    let request = request.body(Measured { asked, left: PIECES }).unwrap();
    assert_eq!(gateway.answer(request, peer()).await.status(), 200);
}

#[tokio::test]
async fn an_operation_that_has_begun_runs_to_its_end_though_the_client_hangs_up() {
    let (ended, mut ends) = mpsc::channel(1);
    let begun = Arc::new(Notify::new());
    let first = Arc::clone(&begun);
    let handler = move |asked: StreamedRequest| {
        let (ended, begun) = (ended.clone(), Arc::clone(&first));
        async move {
            let mut body = asked.request.into_body();
            let mut length = 0;
            let end = loop {
                begun.notify_one();
                match body.frame().await {
                    Some(Ok(frame)) => length += frame.into_data().unwrap().len(),
                    Some(Err(error)) => break error.refusal().code.into_owned(),
                    None => break "whole".to_owned(),
                }
            };
            ended.send((end, length)).await.unwrap();
            http::Response::new(full(""))
        }
    };
    let front = Front::new(builder(&Tiny::default()).streamed("s3", handler)).await;
    let framed =
        "x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\r\nx-amz-decoded-content-length: 90000\r\n";
    for headers in ["", framed] {
        let mut client = front.connect().await;
        let head = format!(
            "PUT /b/k HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: 100000\r\n\r\n1000\r\nhalf"
        );
        client.write_all(head.as_bytes()).await.unwrap();
        begun.notified().await;
        drop(client);
        let (end, length) = ends.recv().await.unwrap();
        assert_eq!(end, "IncompleteBody");
        assert!(length < 10, "{length}");
    }
}

#[tokio::test]
async fn what_is_left_unread_is_thrown_away_before_the_answer() {
    let front = Front::new(open()).await;
    let answer = front.send("PUT /unread", "", &big(3_000_000)).await;
    assert_eq!(gist(&answer), "403 unread");
    // The connection lives on.
    let mut stream = front.connect().await;
    let first = "PUT /unread HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello";
    let second = "GET /b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(format!("{first}{second}").as_bytes()).await.unwrap();
    let answers = rest(&mut stream).await;
    assert!(answers.contains("unread") && answers.contains("GET /b 0"), "{answers}");
}

#[tokio::test]
async fn a_client_that_asks_first_is_not_told_to_send_what_nobody_reads() {
    let front = locked().await;
    let expect = "Expect: 100-continue\r\nContent-Length: 5\r\n";
    for (line, headers, expected) in [
        ("PUT /unread", String::new(), "HTTP/1.1 403"),
        ("PUT /b/k", "x-amz-content-sha256: what\r\n".into(), "HTTP/1.1 400"),
        ("PUT /b/k", "Authorization: Bearer x\r\n".into(), "HTTP/1.1 400"),
    ] {
        let head = format!("{line} HTTP/1.1\r\nHost: localhost\r\n{expect}{headers}\r\n");
        let answer = front.raw(head.as_bytes()).await;
        assert!(answer.starts_with(expected), "{answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    }
    let mut stream = front.connect().await;
    let head = format!("PUT /b/k HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{expect}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"hello").await.unwrap();
    assert!(gist(&rest(&mut stream).await).starts_with("200 PUT /b/k 5"));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stalls_or_trickles_is_an_error_of_its_body() {
    for (pause, expected) in [
        (Duration::from_secs(3600), "400 RequestTimeout after 0"),
        (Duration::from_secs(15), "400 RequestTimeout after "),
    ] {
        let front = Front::new(open()).await;
        let (mut reader, mut writer) = front.connect().await.into_split();
        let sends = tokio::spawn(async move {
            writer
                .write_all(b"PUT /b/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\n")
                .await
                .unwrap();
            while writer.write_all(b"x").await.is_ok() {
                tokio::time::sleep(pause).await;
            }
        });
        let started = tokio::time::Instant::now();
        let mut answer = [0; 4096];
        let read = reader.read(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer[..read]);
        assert!(gist(&answer).starts_with(expected), "{answer}");
        assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
        sends.abort();
    }
}

/// Only our waiting counts: a handler may take its time.
#[tokio::test(start_paused = true)]
async fn a_slow_handler_is_not_the_clients_fault() {
    let handler = |asked: StreamedRequest| async move {
        let mut body = asked.request.into_body();
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return http::Response::new(full("failed")) };
            length += frame.into_data().unwrap().len();
            tokio::time::sleep(Duration::from_secs(600)).await;
        }
        http::Response::new(full(format!("read {length}")))
    };
    let front = Front::new(builder(&Tiny::default()).streamed("s3", handler)).await;
    assert_eq!(gist(&front.send("PUT /b/k", "", &big(300_000)).await), "200 read 300000");
}

#[tokio::test]
async fn a_handler_that_panics_is_answered_in_s3s_words() {
    let handler = |_: StreamedRequest| async { panic!("as asked") };
    let front = Front::new(builder(&Tiny::default()).streamed("s3", handler)).await;
    let answer = front.send("PUT /b/k", "", &big(300_000)).await;
    assert!(
        gist(&answer).starts_with("500") && answer.contains("<Error><Code>InternalError</Code>"),
        "{answer}"
    );
}

/// A body that does not say its length, as HTTP/2 allows.
struct Unmeasured(Option<Bytes>);

impl hyper::body::Body for Unmeasured {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(self.0.take().map(|data| Ok(Frame::data(data))))
    }
}

#[tokio::test]
async fn a_body_has_a_length_before_it_has_bytes() {
    let gateway = open().build();
    let peer = peer();
    let body = || Unmeasured(Some("5\r\nhello\r\n0\r\n\r\n".into()));
    for (name, value, status) in [
        ("x-plain", "", 411),
        ("transfer-encoding", "chunked", 501),
        ("x-amz-content-sha256", UNSIGNED, 411),
        ("content-length", "15", 200),
    ] {
        let request = http::Request::put("http://localhost/b/k").header(name, value).body(body()).unwrap();
        assert_eq!(gateway.answer(request, peer).await.status(), status, "{name}");
    }
    for (length, status) in [("5", 200), ("many", 411), ("4", 400), ("6", 400)] {
        let request = http::Request::put("http://localhost/b/k")
            .header("x-amz-content-sha256", UNSIGNED)
            .header("x-amz-decoded-content-length", length);
        let answer = gateway.answer(request.body(body()).unwrap(), peer).await;
        assert_eq!(answer.status(), status, "{length}");
    }
}
