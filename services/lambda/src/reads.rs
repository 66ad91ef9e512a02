//! Reads of what cannot be written yet: truthfully empty. Infrastructure tools ask all of this about every function
//! they made, and need no more than that there is nothing.

use wire::{Context, Error};

use crate::functions::{Target, summary};
use crate::record::{FUNCTIONS, FunctionRecord};
use crate::{Lambda, shapes};

/// `ListVersionsByFunction`: nothing can be published yet, so there is `$LATEST`.
pub async fn list_versions(
    lambda: Lambda,
    cx: Context,
    input: shapes::ListVersionsByFunctionRequest,
) -> Result<shapes::ListVersionsByFunctionResponse, Error> {
    let record = find(&lambda, &cx, &input.function_name)?;
    let mut latest = summary(&record);
    // Versions are listed by their qualified ARNs.
    latest.function_arn = Some(format!("{}:$LATEST", record.arn()));
    Ok(shapes::ListVersionsByFunctionResponse { versions: Some(vec![latest]), ..Default::default() })
}

/// `ListAliases`
pub async fn list_aliases(
    lambda: Lambda,
    cx: Context,
    input: shapes::ListAliasesRequest,
) -> Result<shapes::ListAliasesResponse, Error> {
    find(&lambda, &cx, &input.function_name)?;
    Ok(shapes::ListAliasesResponse { aliases: Some(Vec::new()), ..Default::default() })
}

/// `GetFunctionConcurrency`: nothing is reserved.
pub async fn get_concurrency(
    lambda: Lambda,
    cx: Context,
    input: shapes::GetFunctionConcurrencyRequest,
) -> Result<shapes::GetFunctionConcurrencyResponse, Error> {
    find(&lambda, &cx, &input.function_name)?;
    Ok(shapes::GetFunctionConcurrencyResponse::default())
}

/// `GetFunctionCodeSigningConfig`: a function without one answers an empty object.
pub async fn get_code_signing_config(
    lambda: Lambda,
    cx: Context,
    input: shapes::GetFunctionCodeSigningConfigRequest,
) -> Result<shapes::GetFunctionCodeSigningConfigResponse, Error> {
    find(&lambda, &cx, &input.function_name)?;
    Ok(shapes::GetFunctionCodeSigningConfigResponse::default())
}

/// `GetPolicy`: nobody else may invoke the function.
pub async fn get_policy(
    lambda: Lambda,
    cx: Context,
    input: shapes::GetPolicyRequest,
) -> Result<shapes::GetPolicyResponse, Error> {
    let target = Target::parse(&cx, &input.function_name, input.qualifier.as_deref())?;
    find(&lambda, &cx, &input.function_name)?;
    target.check_qualifier()?;
    Err(Error::new("ResourceNotFoundException", "No policy is associated with the given resource."))
}

fn find(lambda: &Lambda, cx: &Context, function: &str) -> Result<FunctionRecord, Error> {
    let target = Target::parse(cx, function, None)?;
    let found = lambda.store.read(|snapshot| snapshot.get(&FUNCTIONS, target.key()));
    target.expect(found.map_err(crate::error::service)?)
}
