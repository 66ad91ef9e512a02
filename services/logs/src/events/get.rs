//! `GetLogEvents`

use std::ops::ControlFlow;

use domain::Timestamp;
use store::Snapshot;
use wire::{Context, Error};

use super::position::{Position, Range};
use super::walk::Walk;
use super::{PAGE_BYTES_MAX, page_events};
use crate::Logs;
use crate::error::{Refusal, invalid_token, not_supported};
use crate::groups::name_of;
use crate::record::{group, stream};
use crate::shapes::{GetLogEventsRequest, GetLogEventsResponse, OutputLogEvent};

/// A page of one stream's events, always in order of time, whichever end it was taken from.
pub async fn get(logs: Logs, cx: Context, input: GetLogEventsRequest) -> Result<GetLogEventsResponse, Error> {
    if input.unmask == Some(true) {
        return Err(not_supported("data protection (unmask)"));
    }
    let group_name = name_of(&cx, input.log_group_name.clone(), input.log_group_identifier.clone())?;
    let token =
        input.next_token.as_deref().map(|text| Token::decode(text).ok_or_else(invalid_token)).transpose()?;
    let now = logs.now();
    logs.read_aside(move |snapshot| page(snapshot, &cx, &group_name, &input, token, now)).await
}

/// Where a page begins, and which way it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Forward(Position),
    Backward(Position),
}

impl Token {
    fn encode(self) -> String {
        match self {
            Self::Forward(position) => format!("f/{}/s", position.digits()),
            Self::Backward(position) => format!("b/{}/s", position.digits()),
        }
    }

    fn decode(text: &str) -> Option<Self> {
        let (direction, rest) = text.split_once('/')?;
        let position = Position::parse_digits(rest.strip_suffix("/s").unwrap_or(rest))?;
        match direction {
            "f" => Some(Self::Forward(position)),
            "b" => Some(Self::Backward(position)),
            _ => None,
        }
    }
}

fn page(
    snapshot: &Snapshot<'_>,
    cx: &Context,
    group_name: &str,
    input: &GetLogEventsRequest,
    token: Option<Token>,
    now: Timestamp,
) -> Result<GetLogEventsResponse, Refusal> {
    let group = group(snapshot, &cx.scope, group_name)?;
    let stream = stream(snapshot, group.id, &input.log_stream_name)?;
    let all = Range::of_times(&group, now, input.start_time, input.end_time);
    let (range, reverse) = match token {
        Some(Token::Forward(position)) => (all.from(position), false),
        Some(Token::Backward(position)) => (all.up_to(position), true),
        None => (all, input.start_from_head != Some(true)),
    };

    let limit = page_events(input.limit);
    let mut found: Vec<(Position, OutputLogEvent)> = Vec::new();
    let mut bytes = 0;
    let walk = Walk { group: group.id, range, reverse };
    walk.streams(snapshot, &[stream.id], |position, event| {
        bytes += event.size();
        if found.len() == limit || bytes > PAGE_BYTES_MAX && !found.is_empty() {
            return ControlFlow::Break(());
        }
        found.push((
            position,
            OutputLogEvent {
                timestamp: Some(position.at.0),
                message: Some(event.message().to_owned()),
                ingestion_time: Some(event.ingested().0),
            },
        ));
        ControlFlow::Continue(())
    })?;
    if reverse {
        found.reverse();
    }

    // Without events the page is a place: the caller's own, so that an unchanged token says that this is the end.
    let place = match token {
        Some(Token::Forward(position) | Token::Backward(position)) => position,
        None => all.from,
    };
    let before = found.first().map_or(place, |(position, _)| *position);
    let after = found.last().map_or(place, |(position, _)| position.next());
    Ok(GetLogEventsResponse {
        events: Some(found.into_iter().map(|(_, event)| event).collect()),
        next_forward_token: Some(Token::Forward(after).encode()),
        next_backward_token: Some(Token::Backward(before).encode()),
    })
}
