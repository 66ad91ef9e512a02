//! Answers that are still being written, and the watchdog over idle connections.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Either};
use hyper::body::Frame;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use super::tiny::{Front, Tiny, builder, gist};

const IDLE: Duration = Duration::from_secs(60);

/// A body of what is sent.
struct Parts(mpsc::Receiver<Bytes>);

impl hyper::body::Body for Parts {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        self.0.poll_recv(cx).map(|part| part.map(|part| Ok(Frame::data(part))))
    }
}

/// A front whose one answer is what the test sends.
async fn streaming() -> (Front, mpsc::Sender<Bytes>) {
    let (sender, receiver) = mpsc::channel(1);
    let receiver = std::sync::Mutex::new(Some(receiver));
    let builder =
        builder(&Tiny::default()).idle_timeout(IDLE).route("/_parts", move |_: http::Request<Bytes>| {
            let parts = Parts(receiver.lock().unwrap().take().unwrap());
            async move { http::Response::new(Either::Right(parts.boxed_unsync())) }
        });
    (Front::new(builder).await, sender)
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_pause_for_longer_than_a_connection_may_be_idle() {
    let (front, sender) = streaming().await;
    let writes = async {
        for part in ["a", "b", "c"] {
            sender.send(part.into()).await.unwrap();
            tokio::time::sleep(IDLE * 5).await;
        }
        drop(sender);
    };
    let (answer, ()) = tokio::join!(front.ask("GET /_parts", "", ""), writes);
    assert_eq!(gist(&answer), "200 1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_of_its_answer_is_left() {
    let (front, sender) = streaming().await;
    let mut client = front.connect().await;
    client.write_all(b"GET /_parts HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let part = Bytes::from(vec![b'x'; 1 << 20]);
    let begun = tokio::time::Instant::now();
    while sender.send(part.clone()).await.is_ok() {}
    assert!((IDLE..IDLE * 4).contains(&begun.elapsed()), "{:?}", begun.elapsed());
}

/// One part, and a failure at once.
struct Fails(Option<Bytes>);

impl hyper::body::Body for Fails {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let part = self.0.take().map(Frame::data);
        Poll::Ready(Some(part.ok_or_else(|| std::io::Error::other("as asked"))))
    }
}

#[tokio::test]
async fn what_came_before_a_failure_is_sent() {
    let builder = builder(&Tiny::default()).route("/_fails", |_: http::Request<Bytes>| async {
        http::Response::new(Either::Right(Fails(Some("part".into())).boxed_unsync()))
    });
    let answer = Front::new(builder).await.ask("GET /_fails", "", "").await;
    assert_eq!(gist(&answer), "200 4\r\npart\r\n");
}
