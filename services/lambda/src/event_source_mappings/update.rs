//! `UpdateEventSourceMapping`

use domain::{FunctionName, Scope};
use wire::{Context, Error};

use super::create::{check_is_new, function_does_not_exist};
use super::record::{MAPPINGS, MappingRecord, MappingState, find, id, of_scope};
use super::settings::asked;
use super::source::{check_visibility, queue_facts};
use super::{settle, view};
use crate::error::Refusal;
use crate::functions::Target;
use crate::{Lambda, shapes};

/// Replaces what was sent and keeps the rest.
pub async fn update(
    lambda: Lambda,
    cx: Context,
    input: shapes::UpdateEventSourceMappingRequest,
) -> Result<shapes::EventSourceMappingConfiguration, Error> {
    let id = id(&input.uuid)?;
    let scope = cx.scope.clone();
    let function = input.function_name.as_deref().map(|name| Target::parse(&cx, name, None)).transpose()?;
    let before = lambda.store.read(|snapshot| find(snapshot, &scope, id))?;
    if let Some(function) = &function {
        let found =
            lambda.store.read(|snapshot| function.resolve(snapshot).map_err(function_does_not_exist))?;
        lambda.check_polling(&found.record, &before.source_arn)?;
    }
    let facts = queue_facts(&lambda.event_source, &scope, before.source, &before.source_arn)?;
    let last_modified = lambda.now();
    let updated = lambda
        .store
        .write(move |tx| {
            let before = find(tx, &scope, id)?;
            if before.state.is_in_transition() {
                return Err(in_use("update").into());
            }
            let settings = before.settings.clone().changed(before.source, &asked!(input))?;
            let is_enabled = input.enabled.unwrap_or(before.is_enabled);
            let state = match (before.is_enabled, is_enabled) {
                (false, true) => MappingState::Enabling,
                (true, false) => MappingState::Disabling,
                _ => MappingState::Updating,
            };
            let mut after = MappingRecord { settings, is_enabled, state, last_modified, ..before };
            if let Some(function) = function {
                after.function = function.name;
                after.qualifier = function.qualifier;
                check_is_new(tx, &after)?;
            }
            let target = Target {
                scope: after.scope.clone(),
                name: after.function.clone(),
                qualifier: after.qualifier.clone(),
            };
            let function = target.resolve(tx).map_err(function_does_not_exist)?.record;
            check_visibility(facts, function.timeout_seconds)?;
            tx.put(&MAPPINGS, after.key(), &after)?;
            Ok::<_, Refusal>(after)
        })
        .await?;
    settle::soon(&lambda, &updated);
    Ok(view::configuration(&updated))
}

/// The last change is not in effect yet.
pub fn in_use(what: &str) -> Error {
    Error::new(
        "ResourceInUseException",
        format!("Cannot {what} the event source mapping because it is in use."),
    )
}

/// Refuses a function's new timeout if a queue that calls its `$LATEST` would show its messages again too soon.
pub fn check_function_timeout(
    lambda: &Lambda,
    scope: &Scope,
    function: &FunctionName,
    timeout_seconds: u32,
) -> Result<(), Error> {
    let mappings = lambda.store.read(|snapshot| of_scope(snapshot, scope)).map_err(crate::error::service)?;
    let calling = mappings.iter().filter(|mapping| {
        mapping.function == *function
            && mapping.source.is_sqs()
            && mapping.qualifier.as_ref().is_none_or(|qualifier| *qualifier == domain::Qualifier::Latest)
    });
    for mapping in calling {
        // A queue that is gone hinders nobody.
        if let Ok(facts) = (lambda.event_source)(scope, &mapping.source_arn) {
            check_visibility(facts, timeout_seconds)?;
        }
    }
    Ok(())
}
