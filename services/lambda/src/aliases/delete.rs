//! `DeleteAlias`

use domain::Qualifier;
use wire::{Context, Error};

use super::record::ALIASES;
use crate::error::Refusal;
use crate::functions::{Target, forget};
use crate::record::FUNCTIONS;
use crate::{Lambda, shapes};

/// Deletes an alias with everything that is its own, or finds it deleted.
pub async fn delete(
    lambda: Lambda,
    cx: Context,
    input: shapes::DeleteAliasRequest,
) -> Result<wire::Unit, Error> {
    let target = Target::parse_any(&cx, &input.function_name, None)?.without_qualifier()?;
    let (scope, function) = target.key();
    lambda
        .store
        .write(move |tx| {
            target.expect(tx.get(&FUNCTIONS, target.key())?)?;
            if tx.delete(&ALIASES, (&target.scope, &target.name, &input.name))? {
                forget(tx, &Target { qualifier: Some(Qualifier::Alias(input.name)), ..target })?;
            }
            Ok::<_, Refusal>(())
        })
        .await?;
    lambda.show(&scope, &function);
    Ok(wire::Unit::default())
}
