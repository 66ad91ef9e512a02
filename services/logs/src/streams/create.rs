//! `CreateLogStream`

use wire::{Context, Error, Unit};

use crate::Logs;
use crate::error::stream_exists;
use crate::record::{STREAMS, create_stream, group};
use crate::shapes::CreateLogStreamRequest;

/// Makes an empty stream in a group.
pub async fn create(logs: Logs, cx: Context, input: CreateLogStreamRequest) -> Result<Unit, Error> {
    let now = logs.now();
    logs.write(move |tx| {
        let group = group(tx, &cx.scope, &input.log_group_name)?;
        if tx.contains(&STREAMS, (group.id, input.log_stream_name.as_str()))? {
            return Err(stream_exists().into());
        }
        create_stream(tx, group.id, &input.log_stream_name, now)?;
        Ok(Unit::default())
    })
    .await
}
