//! Which functions have a code signing configuration.

use domain::{FunctionName, Scope};
use store::{Scan, Snapshot, Tx};
use wire::{Context, Error};

use super::record::{ATTACHED, CODE_SIGNING_CONFIGS, CodeSigningConfigRecord, arn, find, parse_arn};
use crate::error::Refusal;
use crate::functions::Target;
use crate::pages::Page;
use crate::record::{FUNCTIONS, FunctionRecord, arn as function_arn};
use crate::{Lambda, shapes};

/// `PutFunctionCodeSigningConfig`: packages are measured by it from the next one on.
pub async fn put_function_config(
    lambda: Lambda,
    cx: Context,
    input: shapes::PutFunctionCodeSigningConfigRequest,
) -> Result<shapes::PutFunctionCodeSigningConfigResponse, Error> {
    let target = Target::parse_any(&cx, &input.function_name, None)?.without_qualifier()?;
    let response = shapes::PutFunctionCodeSigningConfigResponse {
        code_signing_config_arn: input.code_signing_config_arn.clone(),
        function_name: target.name.to_string(),
    };
    lambda
        .store
        .write(move |tx| {
            let config = existing(tx, &target.scope, &input.code_signing_config_arn)?;
            target.expect(tx.get(&FUNCTIONS, target.key())?)?;
            tx.put(&ATTACHED, target.key(), &config.id)?;
            Ok::<_, Refusal>(())
        })
        .await?;
    Ok(response)
}

/// `GetFunctionCodeSigningConfig`: a function without one answers an empty object.
pub async fn get_function_config(
    lambda: Lambda,
    cx: Context,
    input: shapes::GetFunctionCodeSigningConfigRequest,
) -> Result<shapes::GetFunctionCodeSigningConfigResponse, Error> {
    let target = Target::parse_any(&cx, &input.function_name, None)?.without_qualifier()?;
    let id = lambda.store.read(|snapshot| {
        target.expect(snapshot.get(&FUNCTIONS, target.key())?)?;
        Ok::<_, Refusal>(snapshot.get(&ATTACHED, target.key())?)
    })?;
    Ok(match id {
        None => shapes::GetFunctionCodeSigningConfigResponse::default(),
        Some(id) => shapes::GetFunctionCodeSigningConfigResponse {
            code_signing_config_arn: Some(arn(&target.scope, &id)),
            function_name: Some(target.name.to_string()),
        },
    })
}

/// `DeleteFunctionCodeSigningConfig`: also of a function that has none.
pub async fn delete_function_config(
    lambda: Lambda,
    cx: Context,
    input: shapes::DeleteFunctionCodeSigningConfigRequest,
) -> Result<wire::Unit, Error> {
    let target = Target::parse_any(&cx, &input.function_name, None)?.without_qualifier()?;
    lambda
        .store
        .write(move |tx| {
            target.expect(tx.get(&FUNCTIONS, target.key())?)?;
            tx.delete(&ATTACHED, target.key())?;
            Ok::<_, Refusal>(())
        })
        .await?;
    Ok(wire::Unit::default())
}

/// `ListFunctionsByCodeSigningConfig`
pub async fn list_functions(
    lambda: Lambda,
    cx: Context,
    input: shapes::ListFunctionsByCodeSigningConfigRequest,
) -> Result<shapes::ListFunctionsByCodeSigningConfigResponse, Error> {
    let after = Page::<String>::parse(input.marker.as_deref(), input.max_items)?;
    let found = lambda.store.read(|snapshot| {
        let config = find(snapshot, &cx.scope, &input.code_signing_config_arn)?;
        let attached = snapshot.scan(&ATTACHED, &Scan::prefix((&cx.scope,)))?;
        let names = attached.into_iter().filter(|(_, id)| *id == config.id).map(|((_, name), _)| name);
        Ok::<Vec<FunctionName>, Refusal>(
            names
                .filter(|name| after.after.as_deref().is_none_or(|after| name.as_str() > after))
                .take(after.limit())
                .collect(),
        )
    })?;
    let (names, next_marker) = after.cut(found, FunctionName::to_string);
    Ok(shapes::ListFunctionsByCodeSigningConfigResponse {
        next_marker,
        function_arns: Some(names.iter().map(|name| function_arn(&cx.scope, name)).collect()),
    })
}

/// Gives a function that is being created the configuration that its request names.
pub fn attach(tx: &mut Tx<'_>, record: &FunctionRecord, config_arn: Option<&str>) -> Result<(), Refusal> {
    if let Some(config_arn) = config_arn {
        let config = existing(tx, &record.scope, config_arn)?;
        tx.put(&ATTACHED, record.key(), &config.id)?;
    }
    Ok(())
}

/// A configuration that a function is to have.
pub fn existing(
    snapshot: &Snapshot<'_>,
    scope: &Scope,
    config_arn: &str,
) -> Result<CodeSigningConfigRecord, Refusal> {
    let found = match parse_arn(scope, config_arn) {
        Some(id) => snapshot.get(&CODE_SIGNING_CONFIGS, (scope, id))?,
        None => None,
    };
    found.ok_or_else(|| {
        Error::new(
            "CodeSigningConfigNotFoundException",
            format!(
                "The code signing configuration cannot be found. Check that the provided configuration is not \
                 deleted: {config_arn}."
            ),
        )
        .into()
    })
}
