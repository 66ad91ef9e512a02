//! `DeleteLogStream`

use wire::{Context, Error, Unit};

use crate::Logs;
use crate::record::{STREAM_NAMES, STREAMS, STREAMS_BY_TIME, TRASH, group, stream};
use crate::shapes::DeleteLogStreamRequest;

/// Makes the stream and its events invisible; the janitor removes them.
pub async fn delete(logs: Logs, cx: Context, input: DeleteLogStreamRequest) -> Result<Unit, Error> {
    let name = input.log_stream_name;
    logs.write(move |tx| {
        let group = group(tx, &cx.scope, &input.log_group_name)?.id;
        let record = stream(tx, group, &name)?;
        tx.delete(&STREAMS, (group, name.as_str()))?;
        tx.delete(&STREAM_NAMES, (group, record.id))?;
        tx.delete(&STREAMS_BY_TIME, record.time_key(group, &name))?;
        tx.put(&TRASH, (group, record.id), &())?;
        Ok(())
    })
    .await?;
    logs.bell.ring();
    Ok(Unit::default())
}
