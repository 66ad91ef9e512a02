//! Whatever a function sends to the Runtime, Extensions and Telemetry APIs, its environment goes on.

use super::*;
use crate::isolation::fake::Client;

const REQUESTS: &[&str] = &[
    "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nhost: x\r\n\r\n",
    "POST /2018-06-01/runtime/invocation/8476a536-e9f4-11e8-9739-2dfe598c3fcd/response HTTP/1.1\r\nhost: x\r\n\
     Lambda-Runtime-Function-Response-Mode: streaming\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "POST /2018-06-01/runtime/init/error HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}",
    "POST /2020-01-01/extension/register HTTP/1.1\r\nhost: x\r\nLambda-Extension-Name: e\r\ncontent-length: 21\r\n\r\n\
     {\"events\":[\"INVOKE\"]}",
    "GET /2020-01-01/extension/event/next HTTP/1.1\r\nhost: x\r\n\
     Lambda-Extension-Identifier: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n\r\n",
    "POST /2020-01-01/extension/exit/error HTTP/1.1\r\nhost: x\r\n\
     Lambda-Extension-Function-Error-Type: E\r\ncontent-length: 0\r\n\r\n",
    "PUT /2022-07-01/telemetry HTTP/1.1\r\nhost: x\r\n\
     Lambda-Extension-Identifier: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\ncontent-length: 2\r\n\r\n{}",
];

/// A small generator of choices, so that a failure can be repeated.
struct Choices(u64);

impl Choices {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap()
    }

    /// A request with some of its bytes changed, cut out, or doubled; or bytes of no meaning at all.
    fn request(&mut self) -> Vec<u8> {
        if self.below(8) == 0 {
            return (0..self.below(300)).map(|_| self.byte()).collect();
        }
        let mut bytes = REQUESTS[self.below(REQUESTS.len())].as_bytes().to_vec();
        for _ in 0..self.below(5) {
            let at = self.below(bytes.len());
            match self.below(4) {
                0 => bytes[at] = self.byte(),
                1 => drop(bytes.drain(at..(at + 1 + self.below(8)).min(bytes.len()))),
                2 => bytes.insert(at, self.byte()),
                _ => {
                    let piece = bytes[at..(at + 20).min(bytes.len())].to_vec();
                    bytes.splice(at..at, piece);
                }
            }
            if bytes.is_empty() {
                break;
            }
        }
        bytes
    }
}

async fn bombard(api: &Client, choices: &mut Choices) {
    for _ in 0..100 {
        api.send_elsewhere(&choices.request()).await;
    }
}

#[tokio::test]
async fn whatever_a_function_sends_its_invocations_are_answered() {
    let fake = Fake::new(|inside: Inside| async move {
        let mut choices = Choices(20_201_225);
        let mut api = inside.connect().await;
        bombard(&api, &mut choices).await;
        loop {
            let event = api.next().await;
            bombard(&api, &mut choices).await;
            api.respond(&event.request_id, &event.payload).await;
        }
    });
    let fixture = Fixture::start(fake);
    for number in 0..20 {
        // A damaged request may still be a call, such as one that reports a failed start: an answer it is all the same.
        let outcome = fixture.invoke(&number.to_string()).await.unwrap();
        if outcome.function_error.is_none() {
            assert_eq!(text(&outcome), number.to_string());
        }
    }
    fixture.engine.shutdown(Duration::from_secs(5)).await;
    assert_eq!(fixture.engine.running(&fixture.version.scope), 0);
}
