//! `DescribeLogStreams`

use domain::{Scope, Timestamp};
use store::{Scan, Snapshot};
use wire::{Context, Error};

use crate::Logs;
use crate::error::{Refusal, invalid_parameter, invalid_token};
use crate::groups::{arn, name_of};
use crate::record::{GroupRecord, STREAM_EVENTS, STREAMS, STREAMS_BY_TIME, StreamRecord, group};
use crate::shapes::{DescribeLogStreamsRequest, DescribeLogStreamsResponse, LogStream, OrderBy};

/// Streams to a page, unless the caller wants fewer.
/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeLogStreams.html>
const PAGE_MAX: usize = 50;

/// A page of a group's streams, by name or by their latest event.
pub async fn describe(
    logs: Logs,
    cx: Context,
    input: DescribeLogStreamsRequest,
) -> Result<DescribeLogStreamsResponse, Error> {
    let name = name_of(&cx, input.log_group_name.clone(), input.log_group_identifier.clone())?;
    let by_time = input.order_by == Some(OrderBy::LastEventTime);
    if by_time && input.log_stream_name_prefix.is_some() {
        return Err(invalid_parameter("Cannot order by LastEventTime with a logStreamNamePrefix."));
    }
    let limit =
        input.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    let now = logs.now();
    logs.read(|snapshot| {
        let group = group(snapshot, &cx.scope, &name)?;
        let mut found = match by_time {
            true => by_last_event(snapshot, &group, &input, limit + 1)?,
            false => by_name(snapshot, &group, &input, limit + 1)?,
        };
        let more = found.len() > limit;
        found.truncate(limit);
        let next_token =
            found.last().filter(|_| more).map(|(name, record)| Token::of(by_time, name, record).encode());
        let shown = found.iter().map(|found| view(snapshot, &cx.scope, &name, &group, found, now));
        Ok(DescribeLogStreamsResponse {
            log_streams: Some(shown.collect::<Result<_, Refusal>>()?),
            next_token,
        })
    })
}

type Found = Vec<(String, StreamRecord)>;

fn by_name(
    snapshot: &Snapshot<'_>,
    group: &GroupRecord,
    input: &DescribeLogStreamsRequest,
    wanted: usize,
) -> Result<Found, Refusal> {
    let prefix = input.log_stream_name_prefix.as_deref().unwrap_or_default();
    let mut scan = Scan::prefix((group.id,)).starting_with(prefix).limit(wanted);
    match input.next_token.as_deref().map(Token::decode) {
        None => {}
        Some(Some(Token::Name(name))) => scan = scan.after((group.id, name)),
        Some(_) => return Err(invalid_token().into()),
    }
    if input.descending == Some(true) {
        scan = scan.reverse();
    }
    Ok(snapshot.scan(&STREAMS, &scan)?.into_iter().map(|((_, name), record)| (name, record)).collect())
}

fn by_last_event(
    snapshot: &Snapshot<'_>,
    group: &GroupRecord,
    input: &DescribeLogStreamsRequest,
    wanted: usize,
) -> Result<Found, Refusal> {
    let mut scan = Scan::prefix((group.id,)).limit(wanted);
    match input.next_token.as_deref().map(Token::decode) {
        None => {}
        Some(Some(Token::Time(at, name))) => scan = scan.after((group.id, at, name)),
        Some(_) => return Err(invalid_token().into()),
    }
    if input.descending == Some(true) {
        scan = scan.reverse();
    }
    let mut found = Vec::with_capacity(wanted);
    for (_, _, name) in snapshot.keys(&STREAMS_BY_TIME, &scan)? {
        if let Some(record) = snapshot.get(&STREAMS, (group.id, name.as_str()))? {
            found.push((name, record));
        }
    }
    Ok(found)
}

/// Where a page ended, in the order that it was asked for.
#[derive(Debug, PartialEq, Eq)]
enum Token<'t> {
    Name(&'t str),
    Time(Timestamp, &'t str),
}

impl<'t> Token<'t> {
    fn of(by_time: bool, name: &'t str, record: &StreamRecord) -> Self {
        if by_time { Self::Time(record.last_event.unwrap_or_default(), name) } else { Self::Name(name) }
    }

    fn encode(&self) -> String {
        match self {
            Self::Name(name) => format!("name:{name}"),
            Self::Time(at, name) => format!("time:{}:{name}", at.0),
        }
    }

    fn decode(text: &'t str) -> Option<Self> {
        if let Some(name) = text.strip_prefix("name:") {
            return Some(Self::Name(name));
        }
        let (at, name) = text.strip_prefix("time:")?.split_once(':')?;
        Some(Self::Time(Timestamp(at.parse().ok()?), name))
    }
}

fn view(
    snapshot: &Snapshot<'_>,
    scope: &Scope,
    group_name: &str,
    group: &GroupRecord,
    (name, record): &(String, StreamRecord),
    now: Timestamp,
) -> Result<LogStream, Refusal> {
    let kept =
        Scan::prefix((group.id, record.id)).at_least((group.id, record.id, group.cutoff(now))).limit(1);
    let first = snapshot.keys(&STREAM_EVENTS, &kept)?.first().map(|(_, _, at, _)| at.0);
    Ok(LogStream {
        log_stream_name: Some(name.clone()),
        creation_time: Some(record.created.0),
        first_event_timestamp: first,
        last_event_timestamp: record.last_event.map(|at| at.0),
        last_ingestion_time: record.last_ingestion.map(|at| at.0),
        upload_sequence_token: Some(crate::events::sequence_token(record.id)),
        arn: Some(format!("{}:log-stream:{name}", arn(scope, group_name))),
        // Since 2019, CloudWatch Logs reports none for streams, only for groups.
        stored_bytes: Some(0),
    })
}
