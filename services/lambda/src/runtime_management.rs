//! When a function moves to another version of its runtime.
//!
//! A machine has one interpreter for each runtime, so a function cannot be held back on one that is gone. `Manual` is
//! the promise that no other serves it: if the machine's interpreter is not the pinned one, invocations are refused.

use domain::{FunctionName, Qualifier, Scope};
use serde::{Deserialize, Serialize};
use store::{Snapshot, Table};
use wire::{Context, Error};

use crate::error::{Refusal, invalid_parameter};
use crate::functions::Target;
use crate::record::{FunctionRecord, arn};
use crate::{Lambda, RuntimeVersion, shapes};

/// By function and version. Where there is none it is `Auto`.
pub static RUNTIME_MANAGEMENT: Table<(Scope, FunctionName, String), RuntimeManagement> =
    Table::new("lambda.runtime_management");

/// What differs from `Auto`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RuntimeManagement {
    /// A new interpreter when the function is updated.
    FunctionUpdate,
    /// This and no other.
    Manual {
        /// The ARN of the version.
        runtime_version_arn: String,
    },
}

impl RuntimeManagement {
    /// Why a function cannot be served by the interpreter that the machine has now.
    pub fn refusal(
        snapshot: &Snapshot<'_>,
        record: &FunctionRecord,
        serving: &RuntimeVersion,
    ) -> Result<Option<String>, store::Error> {
        let key = (&record.scope, &record.name, &record.version.to_string());
        let Some(Self::Manual { runtime_version_arn }) = snapshot.get(&RUNTIME_MANAGEMENT, key)? else {
            return Ok(None);
        };
        // That there is none at all, a start will say, too.
        let Ok(serving) = serving(record.runtime) else { return Ok(None) };
        let serving_arn = engine::runtime_version_arn(&record.scope.region, &serving);
        Ok((serving_arn != runtime_version_arn).then(|| {
            format!(
                "The function is pinned to the runtime version {runtime_version_arn}, and this machine now has \
                 {serving} ({serving_arn}). Install the pinned version, or change the function's runtime management \
                 configuration."
            )
        }))
    }
}

/// `GetRuntimeManagementConfig`
pub async fn get(
    lambda: Lambda,
    cx: Context,
    input: shapes::GetRuntimeManagementConfigRequest,
) -> Result<shapes::GetRuntimeManagementConfigResponse, Error> {
    let target = version(&cx, &input.function_name, input.qualifier.as_deref())?;
    let found = lambda.store.read(|snapshot| {
        target.resolve(snapshot)?;
        Ok::<_, Refusal>(snapshot.get(&RUNTIME_MANAGEMENT, target.qualified_key())?)
    })?;
    let (update_runtime_on, runtime_version_arn) = shown(found);
    Ok(shapes::GetRuntimeManagementConfigResponse {
        update_runtime_on: Some(update_runtime_on),
        runtime_version_arn,
        function_arn: Some(qualified_arn(&target)),
    })
}

/// `PutRuntimeManagementConfig`
pub async fn put(
    lambda: Lambda,
    cx: Context,
    input: shapes::PutRuntimeManagementConfigRequest,
) -> Result<shapes::PutRuntimeManagementConfigResponse, Error> {
    let target = version(&cx, &input.function_name, input.qualifier.as_deref())?;
    let arn = qualified_arn(&target);
    let wanted = wanted(&input.update_runtime_on, input.runtime_version_arn)?;
    let (scope, name) = target.key();
    let (update_runtime_on, runtime_version_arn) = shown(wanted.clone());
    let store = lambda.store.clone();
    store
        .write({
            let lambda = lambda.clone();
            move |tx| {
                let record = target.resolve(tx)?.record;
                if let Some(RuntimeManagement::Manual { runtime_version_arn }) = &wanted {
                    check_present(&lambda, &record, runtime_version_arn)?;
                }
                match &wanted {
                    Some(wanted) => tx.put(&RUNTIME_MANAGEMENT, target.qualified_key(), wanted)?,
                    None => drop(tx.delete(&RUNTIME_MANAGEMENT, target.qualified_key())?),
                }
                Ok::<_, Refusal>(())
            }
        })
        .await?;
    lambda.show(&scope, &name);
    Ok(shapes::PutRuntimeManagementConfigResponse {
        update_runtime_on,
        function_arn: arn,
        runtime_version_arn,
    })
}

/// Runtimes are of versions; an alias has none of its own.
fn version(cx: &Context, function: &str, qualifier: Option<&str>) -> Result<Target, Error> {
    let target = Target::parse_any(cx, function, qualifier)?;
    match &target.qualifier {
        Some(Qualifier::Alias(alias)) => Err(invalid_parameter(format!(
            "The qualifier {alias} is an alias. A runtime management configuration belongs to $LATEST or to a \
             published version."
        ))),
        _ => Ok(target),
    }
}

fn qualified_arn(target: &Target) -> String {
    let qualifier = target.qualifier.as_ref().unwrap_or(&Qualifier::Latest);
    format!("{}:{qualifier}", arn(&target.scope, &target.name))
}

fn wanted(
    mode: &shapes::UpdateRuntimeOn,
    runtime_version_arn: Option<String>,
) -> Result<Option<RuntimeManagement>, Error> {
    match (mode, runtime_version_arn) {
        (shapes::UpdateRuntimeOn::Manual, Some(runtime_version_arn)) => {
            Ok(Some(RuntimeManagement::Manual { runtime_version_arn }))
        }
        (shapes::UpdateRuntimeOn::Manual, None) => {
            Err(invalid_parameter("RuntimeVersionArn is required when UpdateRuntimeOn is Manual."))
        }
        (mode, Some(_)) => Err(invalid_parameter(format!(
            "RuntimeVersionArn can only be given when UpdateRuntimeOn is Manual, not {}.",
            mode.as_str()
        ))),
        (shapes::UpdateRuntimeOn::FunctionUpdate, None) => Ok(Some(RuntimeManagement::FunctionUpdate)),
        (_, None) => Ok(None),
    }
}

/// Only what is here can be pinned.
fn check_present(lambda: &Lambda, record: &FunctionRecord, wanted: &str) -> Result<(), Error> {
    let serving = lambda.runtime_version(record.runtime)?;
    let present = engine::runtime_version_arn(&record.scope.region, &serving);
    if present == wanted {
        return Ok(());
    }
    Err(invalid_parameter(format!(
        "The runtime version {wanted} is not on this machine. What serves {} here is {present} ({serving}).",
        record.runtime.id()
    )))
}

fn shown(found: Option<RuntimeManagement>) -> (shapes::UpdateRuntimeOn, Option<String>) {
    match found {
        None => (shapes::UpdateRuntimeOn::Auto, None),
        Some(RuntimeManagement::FunctionUpdate) => (shapes::UpdateRuntimeOn::FunctionUpdate, None),
        Some(RuntimeManagement::Manual { runtime_version_arn }) => {
            (shapes::UpdateRuntimeOn::Manual, Some(runtime_version_arn))
        }
    }
}
