//! `GetFunctionEventInvokeConfig` and `ListFunctionEventInvokeConfigs`

use store::Scan;
use wire::{Context, Error};

use super::put::no_such_function;
use super::record::{EVENT_INVOKE_CONFIGS, qualified_arn};
use crate::functions::Target;
use crate::pages::Page;
use crate::record::{FUNCTIONS, arn};
use crate::{Lambda, shapes};

/// The configuration of one qualifier.
pub async fn get(
    lambda: Lambda,
    cx: Context,
    input: shapes::GetFunctionEventInvokeConfigRequest,
) -> Result<shapes::FunctionEventInvokeConfig, Error> {
    let target = Target::parse_any(&cx, &input.function_name, input.qualifier.as_deref())?;
    let found = lambda.store.read(|snapshot| snapshot.get(&EVENT_INVOKE_CONFIGS, target.qualified_key()));
    let found = found.map_err(crate::error::service)?.ok_or_else(|| none(&target))?;
    Ok(found.shown(qualified_arn(&target)))
}

/// Those of all qualifiers of a function.
pub async fn list(
    lambda: Lambda,
    cx: Context,
    input: shapes::ListFunctionEventInvokeConfigsRequest,
) -> Result<shapes::ListFunctionEventInvokeConfigsResponse, Error> {
    let target = Target::parse_any(&cx, &input.function_name, None)?;
    let page = Page::<String>::parse(input.marker.as_deref(), input.max_items)?;
    let (scope, name) = (&target.scope, &target.name);
    let found = lambda.store.read(|snapshot| {
        if snapshot.get(&FUNCTIONS, target.key())?.is_none() {
            return Ok(None);
        }
        let scan = Scan::prefix((scope, name)).limit(page.limit());
        let scan = match &page.after {
            Some(qualifier) => scan.after((scope, name, qualifier)),
            None => scan,
        };
        snapshot.scan(&EVENT_INVOKE_CONFIGS, &scan).map(Some)
    });
    let found = found.map_err(crate::error::service)?.ok_or_else(no_such_function)?;
    let (found, next_marker) = page.cut(found, |((_, _, qualifier), _)| qualifier.clone());
    let shown = found.into_iter().map(|((scope, name, qualifier), config)| {
        config.shown(format!("{}:{qualifier}", arn(&scope, &name)))
    });
    Ok(shapes::ListFunctionEventInvokeConfigsResponse {
        function_event_invoke_configs: Some(shown.collect()),
        next_marker,
    })
}

/// There is no configuration, whether or not there is such a function.
pub fn none(target: &Target) -> Error {
    Error::new(
        "ResourceNotFoundException",
        format!("The function {} doesn't have an EventInvokeConfig", qualified_arn(target)),
    )
}
