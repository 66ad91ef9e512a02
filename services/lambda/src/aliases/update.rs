//! `UpdateAlias`

use uuid::Uuid;
use wire::{Context, Error};

use super::record::{ALIASES, AliasRecord};
use super::{Routing, validate, view};
use crate::error::{Refusal, no_such_alias, revision_mismatch};
use crate::functions::Target;
use crate::record::FUNCTIONS;
use crate::{Lambda, concurrency, shapes};

/// Replaces each member that was sent and keeps the others. An empty `RoutingConfig` takes the second version away.
pub async fn update(
    lambda: Lambda,
    cx: Context,
    input: shapes::UpdateAliasRequest,
) -> Result<shapes::AliasConfiguration, Error> {
    let target = Target::parse_any(&cx, &input.function_name, None)?.without_qualifier()?;
    let version = input.function_version.as_deref().map(validate::version).transpose()?;
    let updated = lambda
        .store
        .write(move |tx| {
            target.expect(tx.get(&FUNCTIONS, target.key())?)?;
            let before = tx
                .get(&ALIASES, (&target.scope, &target.name, &input.name))?
                .ok_or_else(|| no_such_alias(&target.scope, &target.name, &input.name))?;
            check_revision(&before, input.revision_id.as_deref())?;
            let version = version.unwrap_or(before.routing.version);
            let additional = match &input.routing_config {
                Some(given) => validate::additional(version, Some(given))?,
                // What stays must still be allowed beside a new first version.
                None => validate::kept(version, before.routing.additional)?,
            };
            let routing = Routing { version, additional };
            validate::check_versions(tx, &target.scope, &target.name, &routing)?;
            concurrency::check_alias(tx, &target.scope, &target.name, &input.name, &routing)?;
            let after = AliasRecord {
                routing,
                description: input.description.unwrap_or(before.description),
                // Also if nothing changed.
                revision_id: Uuid::new_v4(),
                ..before
            };
            tx.put(&ALIASES, after.key(), &after)?;
            Ok::<_, Refusal>(after)
        })
        .await?;
    lambda.show(&updated.scope, &updated.function);
    Ok(view::configuration(&updated))
}

fn check_revision(record: &AliasRecord, asked: Option<&str>) -> Result<(), Error> {
    match asked.filter(|asked| !asked.is_empty()) {
        Some(asked) if asked.parse().ok() != Some(record.revision_id) => Err(revision_mismatch()),
        _ => Ok(()),
    }
}
