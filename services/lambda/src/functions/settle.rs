//! Puts what was written into effect: the same path after a call, and after a restart.

use engine::FunctionKey;

use crate::Lambda;
use crate::error::Refusal;
use crate::record::{FUNCTIONS, FunctionRecord, State, UpdateStatus};

/// Unpacks the record's package and marks the record settled, unless it was changed or deleted meanwhile: then whoever
/// changed it settles it.
pub async fn settle(lambda: Lambda, record: FunctionRecord) {
    let outcome = lambda.packages.unpacked(&record.code.sha256).await;
    let settled = match outcome {
        Ok(_) => record.clone().settled(),
        Err(error) => failed(record.clone(), &error.to_string()),
    };
    let stored = lambda
        .store
        .write({
            let settled = settled.clone();
            move |tx| {
                let now = tx.get(&FUNCTIONS, settled.key())?;
                let Some(now) = now.filter(|now| now.revision == settled.revision) else { return Ok(None) };
                // Tags may have changed since; they are not part of what is settled.
                let settled = FunctionRecord { tags: now.tags, ..settled };
                tx.put(&FUNCTIONS, settled.key(), &settled)?;
                Ok::<_, Refusal>(Some(settled))
            }
        })
        .await;
    match stored {
        Ok(Some(settled)) => {
            lambda.functions.put(&settled);
            let key = FunctionKey { scope: settled.scope.clone(), name: settled.name.clone() };
            if settled.last_update == Some(UpdateStatus::Successful) {
                lambda.engine.retire(&key, [settled.revision]);
            }
        }
        Ok(None) => {}
        Err(error) => tracing::error!(function = %record.arn(), %error, "function stays in transition"),
    }
}

/// A create that failed leaves a function that can only be deleted; an update that failed leaves the old one running.
fn failed(mut record: FunctionRecord, reason: &str) -> FunctionRecord {
    let reason = reason.to_owned();
    match record.state {
        State::Pending => record.state = State::Failed { reason },
        State::Active | State::Failed { .. } => record.last_update = Some(UpdateStatus::Failed { reason }),
    }
    record.revision_id = uuid::Uuid::new_v4();
    record
}

/// After a start: every record that a previous run left in transition.
pub fn settle_unfinished(lambda: &Lambda, records: Vec<FunctionRecord>) {
    for record in records.into_iter().filter(FunctionRecord::is_in_transition) {
        lambda.settle_soon(record);
    }
}
