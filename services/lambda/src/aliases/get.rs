//! `GetAlias`

use wire::{Context, Error};

use super::record::ALIASES;
use super::view;
use crate::error::{Refusal, no_such_alias};
use crate::functions::Target;
use crate::record::FUNCTIONS;
use crate::{Lambda, shapes};

/// One alias.
pub async fn get(
    lambda: Lambda,
    cx: Context,
    input: shapes::GetAliasRequest,
) -> Result<shapes::AliasConfiguration, Error> {
    let target = Target::parse_any(&cx, &input.function_name, None)?.without_qualifier()?;
    let record = lambda.store.read(|snapshot| {
        target.expect(snapshot.get(&FUNCTIONS, target.key())?)?;
        let found = snapshot.get(&ALIASES, (&target.scope, &target.name, &input.name))?;
        found.ok_or_else(|| Refusal::from(no_such_alias(&target.scope, &target.name, &input.name)))
    })?;
    Ok(view::configuration(&record))
}
