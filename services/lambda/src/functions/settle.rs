//! Puts what was written into effect: the same path after a call, and after a restart.

use engine::package::UnpackError;

use crate::Lambda;
use crate::error::Refusal;
use crate::record::{FUNCTIONS, FunctionRecord};

/// Unpacks the record's package and layers and marks the record settled, unless it was changed or deleted meanwhile:
/// then whoever changed it settles it.
pub async fn settle(lambda: Lambda, record: FunctionRecord) {
    let outcome = unpack(&lambda, &record).await;
    let is_there = outcome.is_ok();
    let settled = match outcome {
        Ok(()) => record.clone().settled(),
        Err(error) => record.clone().failed(&error.to_string()),
    };
    let revision = record.revision;
    let stored = lambda
        .store
        .write(move |tx| {
            let now = tx.get(&FUNCTIONS, settled.key())?;
            let Some(now) = now.filter(|now| now.revision == revision) else { return Ok(()) };
            // Tags may have changed since; they are not part of what is settled.
            let settled = FunctionRecord { tags: now.tags, ..settled };
            tx.put(&FUNCTIONS, settled.key(), &settled)?;
            Ok::<_, Refusal>(())
        })
        .await;
    match stored {
        Ok(()) => {
            lambda.show(&record.scope, &record.name);
            if is_there {
                lambda.engine.expect(&record.version());
            }
        }
        Err(error) => tracing::error!(function = %record.arn(), %error, "function stays in transition"),
    }
}

async fn unpack(lambda: &Lambda, record: &FunctionRecord) -> Result<(), UnpackError> {
    lambda.packages.unpacked(&record.code.sha256).await?;
    if !record.layers.is_empty() {
        lambda.packages.merged(&record.layer_codes()).await?;
    }
    Ok(())
}

/// After a start: every record that a previous run left in transition.
pub fn settle_unfinished(lambda: &Lambda, records: Vec<FunctionRecord>) {
    for record in records.into_iter().filter(FunctionRecord::is_in_transition) {
        lambda.settle_soon(record);
    }
}
