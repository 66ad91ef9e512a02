//! `InvokeWithResponseStream`: as `Invoke`, but what the function writes reaches the caller while it is written.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use engine::{Outcome, Response, ResponseStream};
use tokio::sync::mpsc;
use wire::{Context, Error, EventStream};

use crate::invoke::{self, Asked, Kind};
use crate::{Lambda, shapes};

/// Events that may wait for the client. What waits is bounded here and in the engine, so that a slow client slows the
/// function down.
const EVENTS_WAITING: usize = 1;

/// Runs a function and answers when its response begins, or checks that it could be run.
pub async fn invoke_with_response_stream(
    lambda: Lambda,
    cx: Context,
    input: shapes::InvokeWithResponseStreamRequest,
) -> Result<shapes::InvokeWithResponseStreamResponse, Error> {
    let asked = Asked {
        action: invoke::ACTION,
        kind: Kind::RequestResponse,
        function_name: &input.function_name,
        qualifier: input.qualifier.as_deref(),
        payload: input.payload,
        client_context: input.client_context.as_deref(),
        tenant_id: input.tenant_id.as_deref(),
        tail: input.log_type == Some(shapes::LogType::Tail),
    };
    let invocation = invoke::check(&lambda, &cx, asked)?;
    if input.invocation_type == Some(shapes::ResponseStreamingInvocationType::DryRun) {
        return Ok(shapes::InvokeWithResponseStreamResponse { status_code: Some(204), ..Default::default() });
    }
    let version = invocation.version.version;
    let response = lambda.engine.invoke_streaming(invocation).await.map_err(invoke::refuse)?;
    let (events, event_stream) = EventStream::channel(EVENTS_WAITING);
    let content_type = match &response {
        Response::Whole(_) => None,
        Response::Stream(stream) => stream.content_type.clone(),
    };
    tokio::spawn(send(response, events));
    Ok(shapes::InvokeWithResponseStreamResponse {
        status_code: Some(200),
        executed_version: Some(version.to_string()),
        response_stream_content_type: content_type,
        event_stream: Some(event_stream),
    })
}

type Events = mpsc::Sender<shapes::InvokeWithResponseStreamResponseEvent>;

/// Sends the response to its end, or until the client has gone; the function runs on in any case.
async fn send(response: Response, events: Events) {
    let complete = match response {
        Response::Whole(outcome) => {
            if outcome.function_error.is_none() && !outcome.payload.is_empty() {
                let _ = events.send(chunk(outcome.payload.clone())).await;
            }
            complete_whole(outcome)
        }
        Response::Stream(mut stream) => {
            if forward(&mut stream, &events).await.is_err() {
                return;
            }
            complete_stream(stream).await
        }
    };
    let event = shapes::InvokeWithResponseStreamResponseEvent {
        invoke_complete: Some(complete),
        ..Default::default()
    };
    // Nobody is left to tell if the client has gone.
    let _ = events.send(event).await;
}

/// The client has gone.
struct Gone;

async fn forward(stream: &mut ResponseStream, events: &Events) -> Result<(), Gone> {
    loop {
        tokio::select! {
            part = stream.chunk() => match part {
                Some(part) => events.send(chunk(part)).await.map_err(|_| Gone)?,
                None => return Ok(()),
            },
            () = events.closed() => return Err(Gone),
        }
    }
}

fn chunk(payload: Bytes) -> shapes::InvokeWithResponseStreamResponseEvent {
    shapes::InvokeWithResponseStreamResponseEvent {
        payload_chunk: Some(shapes::InvokeResponseStreamUpdate { payload: Some(payload) }),
        ..Default::default()
    }
}

/// A function that failed before it began to answer is `Unhandled`, as for `Invoke`.
fn complete_whole(outcome: Outcome) -> shapes::InvokeWithResponseStreamCompleteEvent {
    let code = engine::FunctionError::HEADER_VALUE.to_owned();
    complete(outcome, |_| code)
}

/// An error that ends a response goes by its own type.
async fn complete_stream(stream: ResponseStream) -> shapes::InvokeWithResponseStreamCompleteEvent {
    match stream.outcome().await {
        Ok(outcome) => complete(outcome, |error_type| error_type),
        Err(error) => {
            let error = invoke::refuse(error);
            shapes::InvokeWithResponseStreamCompleteEvent {
                error_code: Some(error.code.into_owned()),
                error_details: Some(error.message),
                log_result: None,
            }
        }
    }
}

fn complete(
    outcome: Outcome,
    code: impl FnOnce(String) -> String,
) -> shapes::InvokeWithResponseStreamCompleteEvent {
    let error_details =
        outcome.function_error.is_some().then(|| String::from_utf8_lossy(&outcome.payload).into_owned());
    shapes::InvokeWithResponseStreamCompleteEvent {
        error_code: outcome.function_error.map(|error| code(error.error_type)),
        error_details,
        log_result: outcome.log_tail.map(|tail| STANDARD.encode(tail)),
    }
}
