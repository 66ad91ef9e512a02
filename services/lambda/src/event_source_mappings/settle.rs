//! Puts what was written into effect: the same path after a call, and after a restart.

use super::record::{MAPPINGS, MappingRecord, MappingState};
use crate::Lambda;

/// In the background. Who polls follows the table by itself, so there is nothing to wait for.
pub fn soon(lambda: &Lambda, record: &MappingRecord) {
    tokio::spawn(settle(lambda.clone(), record.clone()));
}

/// After a start: every record that a previous run left in transition.
pub fn settle_unfinished(lambda: &Lambda) -> Result<(), store::Error> {
    for record in lambda.mappings()?.iter().filter(|record| record.state.is_in_transition()) {
        soon(lambda, record);
    }
    Ok(())
}

async fn settle(lambda: Lambda, record: MappingRecord) {
    let key = record.key();
    let stored = lambda
        .store
        .write(move |tx| {
            let Some(now) = tx.get(&MAPPINGS, &key)? else { return Ok(()) };
            let state = match now.state {
                MappingState::Deleting => return tx.delete(&MAPPINGS, &key).map(drop),
                MappingState::Enabled | MappingState::Disabled => return Ok(()),
                _ if now.is_enabled => MappingState::Enabled,
                _ => MappingState::Disabled,
            };
            tx.put(&MAPPINGS, &key, &MappingRecord { state, ..now })
        })
        .await;
    if let Err(error) = stored {
        tracing::error!(mapping = %record.id, %error, "event source mapping stays in transition");
    }
}
