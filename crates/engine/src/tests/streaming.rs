use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::isolation::fake::Client;
use crate::{Bandwidth, Response, ResponseStream, Start};

/// What a function writes next: each is sent by the test when it is time.
type Steps = Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<Step>>>;

enum Step {
    Chunk(&'static str),
    /// The end, with these trailers.
    End(&'static str),
    /// The connection closes.
    Hangup,
    Exit,
}

async fn begin(api: &mut Client, id: &str) {
    let head = format!(
        "POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\nhost: x\r\nContent-Type: text/x\r\n\
         Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n\
         Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n"
    );
    api.send(head.as_bytes()).await;
}

async fn write(api: &mut Client, chunk: &str) {
    api.send(format!("{:x}\r\n{chunk}\r\n", chunk.len()).as_bytes()).await;
}

/// A runtime that streams what the test says, when the test says it.
fn stepped() -> (Fake, mpsc::UnboundedSender<Step>) {
    let (steps, receiver) = mpsc::unbounded_channel();
    let receiver: Steps = Arc::new(tokio::sync::Mutex::new(receiver));
    let fake = Fake::new(move |inside: Inside| {
        let steps = Arc::clone(&receiver);
        async move {
            let mut api = inside.connect().await;
            loop {
                let event = api.next().await;
                let mut stream = inside.connect().await;
                begin(&mut stream, &event.request_id).await;
                loop {
                    let step = steps.lock().await.recv().await.expect("the test goes on");
                    match step {
                        Step::Chunk(chunk) => write(&mut stream, chunk).await,
                        Step::End(trailers) => {
                            stream.send(format!("0\r\n{trailers}\r\n").as_bytes()).await;
                            let answered = stream.receive().await;
                            inside.print(&format!("answered {}\n", answered.status)).await;
                            break;
                        }
                        Step::Hangup => break,
                        Step::Exit => return Exit::Code(3),
                    }
                }
            }
        }
    });
    (fake, steps)
}

async fn streamed(fixture: &Fixture) -> ResponseStream {
    match fixture.engine.invoke_streaming(fixture.invocation("{}")).await.unwrap() {
        Response::Stream(stream) => stream,
        Response::Whole(outcome) => panic!("the response came whole: {outcome:?}"),
    }
}

/// The rest of the response, and how it ended.
async fn rest(mut stream: ResponseStream) -> (String, Outcome) {
    let mut text = String::new();
    while let Some(chunk) = stream.chunk().await {
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    (text, stream.outcome().await.unwrap())
}

/// With a paused clock: nothing else can happen before something new does.
async fn all_is_quiet() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[tokio::test]
async fn each_part_reaches_the_caller_before_the_function_writes_the_next() {
    let (fake, steps) = stepped();
    let mut fixture = Fixture::start(fake);
    let mut stream = streamed(&fixture).await;
    assert_eq!(stream.content_type.as_deref(), Some("text/x"));
    for chunk in ["first", "second", "third"] {
        steps.send(Step::Chunk(chunk)).unwrap();
        assert_eq!(stream.chunk().await.unwrap(), chunk);
    }
    steps.send(Step::End("")).unwrap();
    let (text, outcome) = rest(stream).await;
    assert_eq!((text.as_str(), outcome.function_error, outcome.payload.len()), ("", None, 0));
    let lines = fixture.lines_until("REPORT").await;
    assert!(lines.iter().any(|line| line.contains("answered 202")), "{lines:?}");
}

#[tokio::test]
async fn a_whole_response_is_handed_over_whole() {
    let fixture = Fixture::start(Fake::echo());
    let response = fixture.engine.invoke_streaming(fixture.invocation("{\"a\":1}")).await.unwrap();
    let Response::Whole(outcome) = response else { panic!("nothing streams here") };
    assert_eq!(text(&outcome), "{\"a\":1}");
}

#[tokio::test]
async fn what_ends_a_response_early_is_told_after_its_parts() {
    #[track_caller]
    fn expect(seen: &(String, Outcome), error_type: &str, payload: &str) {
        assert_eq!(seen.0, "part");
        assert_eq!(super::error_type(&seen.1), error_type);
        assert!(text(&seen.1).contains(payload), "{}", text(&seen.1));
    }
    let run = async |step: Step| {
        let (fake, steps) = stepped();
        let fixture = Fixture::start(fake);
        let mut stream = streamed(&fixture).await;
        steps.send(Step::Chunk("part")).unwrap();
        let first = stream.chunk().await.unwrap();
        steps.send(step).unwrap();
        let (text, outcome) = rest(stream).await;
        (String::from_utf8(first.to_vec()).unwrap() + &text, outcome)
    };
    // base64 of {"errorType":"E"}
    let trailers = "Lambda-Runtime-Function-Error-Type: Function.Boom\r\n\
                    Lambda-Runtime-Function-Error-Body: eyJlcnJvclR5cGUiOiJFIn0=\r\n";
    expect(&run(Step::End(trailers)).await, "Function.Boom", r#"{"errorType":"E"}"#);
    expect(&run(Step::Exit).await, "Runtime.ExitError", "exit status 3");
    expect(&run(Step::Hangup).await, "Runtime.TruncatedResponse", "truncated");
}

#[tokio::test]
async fn a_timeout_ends_a_response_and_the_next_invocation_finds_a_new_runtime() {
    let (fake, steps) = stepped();
    let version = FunctionVersion { timeout: Duration::from_millis(300), ..version("f") };
    let mut fixture = Fixture::configured(fake, version, Limits::default());
    let mut stream = streamed(&fixture).await;
    steps.send(Step::Chunk("part")).unwrap();
    assert_eq!(stream.chunk().await.unwrap(), "part");
    let (text, outcome) = rest(stream).await;
    assert_eq!((text.as_str(), error_type(&outcome)), ("", "Sandbox.Timedout"));
    let lines = fixture.lines_until("REPORT").await;
    assert!(lines.last().unwrap().contains("Status: timeout"), "{lines:?}");
    let stream = streamed(&fixture).await;
    steps.send(Step::End("")).unwrap();
    assert_eq!(rest(stream).await.1.function_error, None);
}

#[tokio::test]
async fn a_caller_that_goes_does_not_stop_the_function() {
    let (fake, steps) = stepped();
    let mut fixture = Fixture::start(fake);
    let mut stream = streamed(&fixture).await;
    steps.send(Step::Chunk("part")).unwrap();
    assert_eq!(stream.chunk().await.unwrap(), "part");
    drop(stream);
    for _ in 0..20 {
        steps.send(Step::Chunk("nobody takes this")).unwrap();
    }
    steps.send(Step::End("")).unwrap();
    let lines = fixture.lines_until("REPORT").await;
    assert!(lines.iter().any(|line| line.contains("answered 202")), "{lines:?}");
    let again = streamed(&fixture).await;
    steps.send(Step::End("")).unwrap();
    assert_eq!(rest(again).await.1.start, Start::Warm);
}

#[tokio::test]
async fn a_response_ends_at_its_largest_size() {
    let (fake, steps) = stepped();
    let mut fixture =
        Fixture::configured(fake, version("f"), Limits { stream_bytes_max: 10, ..Limits::default() });
    let stream = streamed(&fixture).await;
    for step in [Step::Chunk("12345678"), Step::Chunk("90abc"), Step::Chunk("def"), Step::End("")] {
        steps.send(step).unwrap();
    }
    let (seen, outcome) = rest(stream).await;
    assert_eq!((seen.as_str(), error_type(&outcome)), ("1234567890", "Function.ResponseSizeTooLarge"));
    assert!(text(&outcome).contains("(10 bytes)"), "{}", text(&outcome));
    let lines = fixture.lines_until("REPORT").await;
    assert!(lines.iter().any(|line| line.contains("answered 413")), "{lines:?}");
}

#[tokio::test]
async fn producedbytes_are_what_was_streamed() {
    let (fake, steps) = stepped();
    let mut version = version("f");
    version.logging.format = domain::LogFormat::Json;
    version.logging.system_level = Some("DEBUG".to_owned());
    let mut fixture = Fixture::configured(fake, version, Limits::default());
    let stream = streamed(&fixture).await;
    for step in [Step::Chunk("12345"), Step::Chunk("678"), Step::End("")] {
        steps.send(step).unwrap();
    }
    assert_eq!(rest(stream).await.0, "12345678");
    let done = fixture.lines_until("platform.runtimeDone").await.pop().unwrap();
    assert!(done.contains(r#""producedBytes":8"#), "{done}");
}

#[tokio::test]
async fn while_a_response_streams_the_runtime_may_not_answer_in_another_way() {
    let seen = Arc::new(AtomicUsize::new(0));
    let statuses = Arc::clone(&seen);
    let fake = Fake::new(move |inside: Inside| {
        let statuses = Arc::clone(&statuses);
        async move {
            let mut api = inside.connect().await;
            let id = api.next().await.request_id;
            let mut stream = inside.connect().await;
            begin(&mut stream, &id).await;
            write(&mut stream, "part").await;
            // Until the stream has begun, an error would be in order; it has when the response is refused, too.
            let mut other = inside.connect().await;
            begin(&mut other, "8476a536-e9f4-11e8-9739-2dfe598c3fcd").await;
            other.send(b"0\r\n\r\n").await;
            let wrong_id = other.receive().await.status;
            let error = api.fail(&id, "Function.Late", b"{}").await;
            let second = api.respond(&id, b"{}").await;
            statuses.store(usize::from(wrong_id == 400 && error == 403 && second == 403), Ordering::SeqCst);
            stream.send(b"0\r\n\r\n").await;
            inside.hang().await
        }
    });
    let fixture = Fixture::start(fake);
    let (text, outcome) = rest(streamed(&fixture).await).await;
    assert_eq!((text.as_str(), outcome.function_error), ("part", None));
    assert_eq!(seen.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_does_not_read_stops_the_function_from_writing() {
    const CHUNK_BYTES: usize = 64 * 1024;
    const CHUNKS: usize = 1000;
    let written = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&written);
    let fake = Fake::new(move |inside: Inside| {
        let written = Arc::clone(&counted);
        async move {
            let mut api = inside.connect().await;
            let id = api.next().await.request_id;
            begin(&mut api, &id).await;
            let chunk = "x".repeat(CHUNK_BYTES);
            for _ in 0..CHUNKS {
                write(&mut api, &chunk).await;
                written.fetch_add(CHUNK_BYTES, Ordering::SeqCst);
            }
            api.send(b"0\r\n\r\n").await;
            inside.hang().await
        }
    });
    let bandwidth = Bandwidth { burst_bytes: u64::MAX / 4, bytes_per_second: u64::MAX / 4 };
    let limits = Limits { stream_bandwidth: bandwidth, ..Limits::default() };
    let fixture = Fixture::configured(fake, version("f"), limits);
    let stream = streamed(&fixture).await;
    all_is_quiet().await;
    // What the kernel keeps of a loopback connection is a few megabytes; the rest is still to be written.
    assert!(written.load(Ordering::SeqCst) < CHUNKS * CHUNK_BYTES / 2, "{written:?}");
    assert_eq!(rest(stream).await.0.len(), CHUNKS * CHUNK_BYTES);
}

#[tokio::test(start_paused = true)]
async fn what_follows_the_burst_takes_its_time() {
    let (fake, steps) = stepped();
    let bandwidth = Bandwidth { burst_bytes: 10, bytes_per_second: 5 };
    let version = FunctionVersion { timeout: Duration::from_secs(60), ..version("f") };
    let fixture =
        Fixture::configured(fake, version, Limits { stream_bandwidth: bandwidth, ..Limits::default() });
    let mut stream = streamed(&fixture).await;
    let begun = tokio::time::Instant::now();
    for (chunk, after_s) in [("0123456789", 0), ("abcde", 1), ("fghijklmno", 3)] {
        steps.send(Step::Chunk(chunk)).unwrap();
        assert_eq!(stream.chunk().await.unwrap(), chunk);
        assert_eq!(begun.elapsed().as_secs(), after_s, "{chunk}");
    }
    steps.send(Step::End("")).unwrap();
    assert_eq!(rest(stream).await.1.function_error, None);
}
