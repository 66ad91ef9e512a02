//! `DeleteFunctionEventInvokeConfig`

use wire::{Context, Error};

use super::get::none;
use super::record::EVENT_INVOKE_CONFIGS;
use crate::error::Refusal;
use crate::functions::Target;
use crate::{Lambda, shapes};

/// From now on the defaults apply.
pub async fn delete(
    lambda: Lambda,
    cx: Context,
    input: shapes::DeleteFunctionEventInvokeConfigRequest,
) -> Result<wire::Unit, Error> {
    let target = Target::parse_any(&cx, &input.function_name, input.qualifier.as_deref())?;
    lambda
        .store
        .write(move |tx| {
            if tx.delete(&EVENT_INVOKE_CONFIGS, target.qualified_key())? {
                Ok(())
            } else {
                Err(Refusal::from(none(&target)))
            }
        })
        .await?;
    Ok(wire::Unit::default())
}
