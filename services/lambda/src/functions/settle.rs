//! Puts what was written into effect: the same path after a call, and after a restart.

use engine::package::UnpackError;
use engine::{AllocationStatus, FunctionKey};
use uuid::Uuid;

use crate::Lambda;
use crate::error::Refusal;
use crate::record::{FunctionRecord, State};

/// Unpacks the record's package and layers and marks the record settled, unless it was changed or deleted meanwhile:
/// then whoever changed it settles it.
pub async fn settle(lambda: Lambda, record: FunctionRecord) {
    let outcome = unpack(&lambda, &record).await;
    let is_there = outcome.is_ok();
    let settled = match outcome {
        Ok(()) if record.is_snap_start() => initialise(&lambda, record.clone()).await,
        Ok(()) => record.clone().settled(),
        Err(error) => record.clone().failed(&error.to_string()),
    };
    let revision = record.revision;
    let stored = lambda
        .store
        .write(move |tx| {
            let now = FunctionRecord::read(tx, &settled.scope, &settled.name, settled.version)?;
            let Some(now) = now.filter(|now| now.revision == revision && now.is_in_transition()) else {
                return Ok(());
            };
            // Tags may have changed since; they are not part of what is settled.
            let settled = FunctionRecord { tags: now.tags, ..settled };
            settled.write(tx)?;
            Ok::<_, Refusal>(())
        })
        .await;
    match stored {
        Ok(()) => {
            lambda.show(&record.scope, &record.name);
            if is_there {
                lambda.engine.expect(&record.function_version());
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

/// A version with SnapStart is there once its first environment is: it has been asked for when the version was shown.
async fn initialise(lambda: &Lambda, record: FunctionRecord) -> FunctionRecord {
    let function = FunctionKey { scope: record.scope.clone(), name: record.name.clone() };
    let Some(allocation) = lambda.engine.allocated(&function, record.revision).await else {
        // Deleted meanwhile, or there is nothing to initialise any longer.
        return record.settled();
    };
    match allocation.status {
        AllocationStatus::Ready | AllocationStatus::InProgress => record.settled(),
        AllocationStatus::Failed(error_type) => FunctionRecord {
            state: State::Failed {
                reason: format!("The function could not be initialized: {error_type}"),
                code: Some(reason_code(&error_type).to_owned()),
            },
            revision_id: Uuid::new_v4(),
            ..record
        },
    }
}

/// `StateReasonCode` of an initialisation that failed.
fn reason_code(error_type: &str) -> &'static str {
    match error_type {
        "Sandbox.Timedout" => "FunctionError.InitTimeout",
        "Runtime.InvalidEntrypoint" => "FunctionError.InvalidEntryPoint",
        _ if error_type.starts_with("Extension.") => "FunctionError.ExtensionInitError",
        _ if error_type.starts_with("Runtime.") => "FunctionError.RuntimeInitError",
        _ => "FunctionError",
    }
}

/// After a start: every record that a previous run left in transition.
pub fn settle_unfinished(lambda: &Lambda, records: Vec<FunctionRecord>) {
    for record in records.into_iter().filter(FunctionRecord::is_in_transition) {
        lambda.settle_soon(record);
    }
}
