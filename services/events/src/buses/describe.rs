//! `DescribeEventBus`

use wire::{Context, Error};

use crate::arn::BusRef;
use crate::{Events, shapes};

/// What is known of a bus.
pub(crate) async fn describe(
    events: Events,
    cx: Context,
    input: shapes::DescribeEventBusRequest,
) -> Result<shapes::DescribeEventBusResponse, Error> {
    let bus = BusRef::parse(&cx.scope, input.name.as_deref())?;
    let record = events.read(|snapshot| super::expect(snapshot, &bus))?;
    let known = record.created.0 > 0;
    Ok(shapes::DescribeEventBusResponse {
        arn: Some(bus.arn()),
        name: Some(bus.name),
        description: record.description,
        policy: record.policy.map(|policy| policy.to_string()),
        creation_time: known.then_some(record.created),
        last_modified_time: known.then_some(record.modified),
        ..Default::default()
    })
}
