//! `FilterLogEvents`

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use domain::Timestamp;
use store::{Scan, Snapshot};
use wire::{Context, Error};

use super::position::{Position, Range};
use super::walk::Walk;
use super::{PAGE_BYTES_MAX, page_events};
use crate::Logs;
use crate::error::{Refusal, invalid_parameter, invalid_token, not_supported};
use crate::groups::name_of;
use crate::pattern::Pattern;
use crate::record::{EventRecord, GroupRecord, STREAM_NAMES, STREAMS, group, stream};
use crate::shapes::{FilterLogEventsRequest, FilterLogEventsResponse, FilteredLogEvent};

/// Events looked at for one page; a page may end early, even empty, with a token to go on from.
const LOOKED_AT_MAX: usize = 100_000;
/// The earliest start of a search for the latest events first: 2024-01-01, in milliseconds.
/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html>
const LATEST_FIRST_SINCE: i64 = 1_704_067_200_000;
/// Up to so many streams are merged; more are picked out of the whole group's events.
const MERGED_STREAMS_MAX: usize = 100;

/// A page of the events of some or all streams of a group that match a pattern, in order of time.
pub async fn filter(
    logs: Logs,
    cx: Context,
    input: FilterLogEventsRequest,
) -> Result<FilterLogEventsResponse, Error> {
    if input.unmask == Some(true) {
        return Err(not_supported("data protection (unmask)"));
    }
    if input.log_stream_names.is_some() && input.log_stream_name_prefix.is_some() {
        return Err(invalid_parameter(
            "logStreamNames and logStreamNamePrefix are mutually exclusive parameters.",
        ));
    }
    if input.start_from_head == Some(false)
        && input.start_time.is_some_and(|start| start < LATEST_FIRST_SINCE)
    {
        return Err(invalid_parameter(
            "startFromHead can be false only if startTime is on or after Jan 1, 2024 00:00:00 UTC.",
        ));
    }
    let group_name = name_of(&cx, input.log_group_name.clone(), input.log_group_identifier.clone())?;
    let pattern = Pattern::parse(input.filter_pattern.as_deref().unwrap_or_default())
        .map_err(|error| invalid_parameter(error.to_string()))?;
    let token =
        input.next_token.as_deref().map(|text| Token::decode(text).ok_or_else(invalid_token)).transpose()?;
    let now = logs.now();
    logs.read_aside(move |snapshot| {
        let group = group(snapshot, &cx.scope, &group_name)?;
        let selected = Selected::of(snapshot, &group, &input)?;
        page(snapshot, &group, &selected, &pattern, &input, token, now)
    })
    .await
}

/// Where the next page begins, and which way the pages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Forward(Position),
    Backward(Position),
}

impl Token {
    fn encode(self) -> String {
        match self {
            Self::Forward(position) => format!("Forward/{}", position.digits()),
            Self::Backward(position) => format!("Backward/{}", position.digits()),
        }
    }

    fn decode(text: &str) -> Option<Self> {
        match text.split_once('/')? {
            ("Forward", digits) => Position::parse_digits(digits).map(Self::Forward),
            ("Backward", digits) => Position::parse_digits(digits).map(Self::Backward),
            _ => None,
        }
    }
}

/// Which streams are looked at.
enum Selected {
    All,
    Few(Vec<u64>),
    Many(HashSet<u64>),
}

impl Selected {
    fn of(
        snapshot: &Snapshot<'_>,
        group: &GroupRecord,
        input: &FilterLogEventsRequest,
    ) -> Result<Self, Refusal> {
        if let Some(names) = &input.log_stream_names {
            let ids = names.iter().map(|name| Ok(stream(snapshot, group.id, name)?.id));
            let mut ids = ids.collect::<Result<Vec<u64>, Refusal>>()?;
            ids.sort_unstable();
            ids.dedup();
            return Ok(Self::Few(ids));
        }
        let Some(prefix) = &input.log_stream_name_prefix else { return Ok(Self::All) };
        let streams = snapshot.scan(&STREAMS, &Scan::prefix((group.id,)).starting_with(prefix))?;
        let ids = streams.into_iter().map(|(_, record)| record.id);
        Ok(if ids.len() <= MERGED_STREAMS_MAX { Self::Few(ids.collect()) } else { Self::Many(ids.collect()) })
    }

    fn has(&self, stream: u64) -> bool {
        match self {
            Self::All | Self::Few(_) => true,
            Self::Many(ids) => ids.contains(&stream),
        }
    }
}

fn page(
    snapshot: &Snapshot<'_>,
    group: &GroupRecord,
    selected: &Selected,
    pattern: &Pattern,
    input: &FilterLogEventsRequest,
    token: Option<Token>,
    now: Timestamp,
) -> Result<FilterLogEventsResponse, Refusal> {
    // Other than that of GetLogEvents, this end is included.
    let all = Range::of_times(group, now, input.start_time, input.end_time.map(|end| end.saturating_add(1)));
    let (range, reverse) = match token {
        Some(Token::Forward(position)) => (all.from(position), false),
        Some(Token::Backward(position)) => (all.up_to(position), true),
        None => (all, input.start_from_head == Some(false)),
    };
    let mut page = Page::new(snapshot, group.id, page_events(input.limit));
    let visitor = |position, event: &EventRecord| {
        if page.looked_at == LOOKED_AT_MAX {
            return page.end_before(position, reverse);
        }
        page.looked_at += 1;
        if selected.has(event.stream()) && pattern.matches(event.message()) {
            page.add(position, event, reverse)
        } else {
            ControlFlow::Continue(())
        }
    };
    let walk = Walk { group: group.id, range, reverse };
    match selected {
        Selected::All | Selected::Many(_) => walk.group(snapshot, visitor)?,
        Selected::Few(ids) => walk.streams(snapshot, ids, visitor)?,
    }
    if let Some(error) = page.failure {
        return Err(error.into());
    }
    Ok(FilterLogEventsResponse {
        events: Some(page.events),
        // Always empty since 2020: events are interleaved, and every stream is searched.
        searched_log_streams: Some(Vec::new()),
        next_token: page.next.map(Token::encode),
    })
}

/// A page in the making.
struct Page<'p, 's> {
    snapshot: &'p Snapshot<'s>,
    group: u64,
    limit: usize,
    names: HashMap<u64, Option<Arc<str>>>,
    events: Vec<FilteredLogEvent>,
    bytes: usize,
    looked_at: usize,
    next: Option<Token>,
    failure: Option<store::Error>,
}

impl<'p, 's> Page<'p, 's> {
    fn new(snapshot: &'p Snapshot<'s>, group: u64, limit: usize) -> Self {
        Self {
            snapshot,
            group,
            limit,
            names: HashMap::new(),
            events: Vec::new(),
            bytes: 0,
            looked_at: 0,
            next: None,
            failure: None,
        }
    }

    fn add(&mut self, position: Position, event: &EventRecord, reverse: bool) -> ControlFlow<()> {
        let name = match self.name(event.stream()) {
            Ok(Some(name)) => name,
            // The stream was deleted, and the janitor has not come to this event yet.
            Ok(None) => return ControlFlow::Continue(()),
            Err(error) => {
                self.failure = Some(error);
                return ControlFlow::Break(());
            }
        };
        let full = self.bytes + event.size() > PAGE_BYTES_MAX && !self.events.is_empty();
        if full || self.events.len() == self.limit {
            return self.end_before(position, reverse);
        }
        self.bytes += event.size();
        self.events.push(FilteredLogEvent {
            log_stream_name: Some(name.to_string()),
            timestamp: Some(position.at.0),
            message: Some(event.message().to_owned()),
            ingestion_time: Some(event.ingested().0),
            event_id: Some(position.digits()),
        });
        ControlFlow::Continue(())
    }

    fn end_before(&mut self, position: Position, reverse: bool) -> ControlFlow<()> {
        self.next = Some(if reverse { Token::Backward(position.next()) } else { Token::Forward(position) });
        ControlFlow::Break(())
    }

    fn name(&mut self, stream: u64) -> Result<Option<Arc<str>>, store::Error> {
        if let Some(known) = self.names.get(&stream) {
            return Ok(known.clone());
        }
        let name = self.snapshot.get(&STREAM_NAMES, (self.group, stream))?.map(Arc::from);
        self.names.insert(stream, name.clone());
        Ok(name)
    }
}
