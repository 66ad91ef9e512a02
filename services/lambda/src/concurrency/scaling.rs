//! `PutFunctionScalingConfig` and `GetFunctionScalingConfig`: of functions on capacity providers, which Hearth does not
//! have. So there is nothing to get, and what is put is refused.

use wire::{Context, Error};

use crate::error::not_supported;
use crate::functions::Target;
use crate::{Lambda, shapes};

const WHAT: &str = "function scaling configuration, which is of functions on capacity providers (Lambda Managed \
                    Instances),";

/// Refused, once it is clear that the function is there.
pub async fn put_scaling(
    lambda: Lambda,
    cx: Context,
    input: shapes::PutFunctionScalingConfigRequest,
) -> Result<shapes::PutFunctionScalingConfigResponse, Error> {
    find(&lambda, &cx, &input.function_name, &input.qualifier)?;
    Err(not_supported(WHAT))
}

/// Refused, once it is clear that the function is there.
pub async fn get_scaling(
    lambda: Lambda,
    cx: Context,
    input: shapes::GetFunctionScalingConfigRequest,
) -> Result<shapes::GetFunctionScalingConfigResponse, Error> {
    find(&lambda, &cx, &input.function_name, &input.qualifier)?;
    Err(not_supported(WHAT))
}

fn find(lambda: &Lambda, cx: &Context, function: &str, qualifier: &str) -> Result<(), Error> {
    // `$LATEST.PUBLISHED` exists only there, too.
    let qualifier = Some(qualifier).filter(|qualifier| !qualifier.starts_with("$LATEST."));
    let target = Target::parse(cx, function, qualifier)?;
    lambda.store.read(|snapshot| target.resolve(snapshot))?;
    Ok(())
}
