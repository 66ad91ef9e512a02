//! `CreateAlias`

use uuid::Uuid;
use wire::{Context, Error};

use super::record::{ALIASES, AliasRecord};
use super::{Routing, validate, view};
use crate::error::Refusal;
use crate::functions::Target;
use crate::{Lambda, shapes};

/// Gives a version a name, or two versions one name by weight.
pub async fn create(
    lambda: Lambda,
    cx: Context,
    input: shapes::CreateAliasRequest,
) -> Result<shapes::AliasConfiguration, Error> {
    let target = Target::parse_any(&cx, &input.function_name, None)?.without_qualifier()?;
    let version = validate::version(&input.function_version)?;
    let routing =
        Routing { version, additional: validate::additional(version, input.routing_config.as_ref())? };
    let record = AliasRecord {
        scope: target.scope.clone(),
        function: target.name.clone(),
        name: input.name,
        routing,
        description: input.description.unwrap_or_default(),
        revision_id: Uuid::new_v4(),
    };
    let created = lambda
        .store
        .write(move |tx| {
            validate::check_versions(tx, &record.scope, &record.function, &record.routing)?;
            if !tx.insert(&ALIASES, record.key(), &record)? {
                return Err(Refusal::from(crate::error::alias_exists(&record.arn())));
            }
            Ok(record)
        })
        .await?;
    lambda.show(&created.scope, &created.function);
    Ok(view::configuration(&created))
}
