//! `DeleteFunction`

use domain::{FunctionName, Qualifier, Scope};
use store::{Scan, Table, Tx, Value};
use wire::{Context, Error};

use super::Target;
use crate::aliases::ALIASES;
use crate::code_signing::ATTACHED;
use crate::error::{Refusal, invalid_parameter};
use crate::event_invoke::EVENT_INVOKE_CONFIGS;
use crate::permissions::POLICIES;
use crate::record::FUNCTIONS;
use crate::recursion::LOOPS_ALLOWED;
use crate::runtime_management::RUNTIME_MANAGEMENT;
use crate::urls::URLS;
use crate::versions::VERSIONS;
use crate::{Lambda, concurrency, shapes};

/// Deletes the function with everything that is its own. Running invocations finish.
pub async fn delete(
    lambda: Lambda,
    cx: Context,
    input: shapes::DeleteFunctionRequest,
) -> Result<shapes::DeleteFunctionResponse, Error> {
    /// A deletion that is complete when it is answered.
    const NO_CONTENT: i32 = 204;
    let target = Target::parse_any(&cx, &input.function_name, input.qualifier.as_deref())?;
    if target.qualifier == Some(Qualifier::Latest) {
        return Err(invalid_parameter("$LATEST version cannot be deleted without deleting the function."));
    }
    if matches!(target.qualifier, Some(Qualifier::Alias(_))) {
        return Err(invalid_parameter("Deletion of aliases is not currently supported."));
    }
    let (scope, name) = target.key();
    lambda
        .store
        .write(move |tx| {
            target.resolve(tx)?;
            match target.qualifier {
                Some(Qualifier::Version(number)) => delete_version(tx, &target, number)?,
                _ => {
                    tx.delete(&FUNCTIONS, target.key())?;
                    tx.delete_prefix(&VERSIONS, (&target.scope, &target.name))?;
                    tx.delete_prefix(&ALIASES, (&target.scope, &target.name))?;
                }
            }
            forget(tx, &target)?;
            Ok::<_, Refusal>(())
        })
        .await?;
    lambda.show(&scope, &name);
    Ok(shapes::DeleteFunctionResponse { status_code: Some(NO_CONTENT) })
}

fn delete_version(tx: &mut Tx<'_>, target: &Target, number: u64) -> Result<(), Refusal> {
    let aliases = tx.scan(&ALIASES, &Scan::prefix((&target.scope, &target.name)))?;
    let pointing: Vec<String> = (aliases.into_iter())
        .filter(|(_, alias)| alias.routing.names(number))
        .map(|((_, _, name), _)| name)
        .collect();
    if !pointing.is_empty() {
        return Err(Error::new(
            "ResourceConflictException",
            format!(
                "Unable to delete version since the following aliases reference it: [{}]",
                pointing.join(", ")
            ),
        )
        .into());
    }
    tx.delete(&VERSIONS, (&target.scope, &target.name, number))?;
    Ok(())
}

/// Deletes what is kept of a function, or of one of its versions or aliases, in the transaction that deletes the thing
/// itself. Every table that holds such things has one line here.
pub fn forget(tx: &mut Tx<'_>, gone: &Target) -> Result<(), store::Error> {
    concurrency::forget(tx, gone)?;
    of_qualifiers(tx, gone, &URLS)?;
    of_qualifiers(tx, gone, &POLICIES)?;
    of_qualifiers(tx, gone, &EVENT_INVOKE_CONFIGS)?;
    of_qualifiers(tx, gone, &RUNTIME_MANAGEMENT)?;
    of_functions(tx, gone, &LOOPS_ALLOWED)?;
    of_functions(tx, gone, &ATTACHED)?;
    Ok(())
}

/// Of a table that is keyed by functions' qualifiers, as [`Target::qualified_key`] has them.
fn of_qualifiers<V: Value>(
    tx: &mut Tx<'_>,
    gone: &Target,
    table: &Table<(Scope, FunctionName, String), V>,
) -> Result<(), store::Error> {
    match gone.qualifier {
        None => tx.delete_prefix(table, (&gone.scope, &gone.name)).map(drop),
        Some(_) => tx.delete(table, gone.qualified_key()).map(drop),
    }
}

/// Of a table that is keyed by functions.
fn of_functions<V: Value>(
    tx: &mut Tx<'_>,
    gone: &Target,
    table: &Table<(Scope, FunctionName), V>,
) -> Result<(), store::Error> {
    match gone.qualifier {
        None => tx.delete(table, gone.key()).map(drop),
        Some(_) => Ok(()),
    }
}
