//! `GetLayerVersion` and `GetLayerVersionByArn`

use wire::{Context, Error};

use super::policy::ACTION;
use super::record::LayerVersionRecord;
use super::target::{VersionTarget, access_denied, no_such_resource};
use super::view;
use crate::{Lambda, shapes};

/// A version by its layer and number.
pub async fn get(
    lambda: Lambda,
    cx: Context,
    input: shapes::GetLayerVersionRequest,
) -> Result<shapes::GetLayerVersionResponse, Error> {
    let target = VersionTarget::parse(&cx, &input.layer_name, input.version_number)?;
    read(&lambda, &cx, &target)
}

/// A version by its ARN.
pub async fn get_by_arn(
    lambda: Lambda,
    cx: Context,
    input: shapes::GetLayerVersionByArnRequest,
) -> Result<shapes::GetLayerVersionResponse, Error> {
    let target = VersionTarget::parse_arn(&input.arn)?;
    read(&lambda, &cx, &target)
}

/// Another account's version is shown to those whom its policy allows, and to others not even to be there.
fn read(
    lambda: &Lambda,
    cx: &Context,
    target: &VersionTarget,
) -> Result<shapes::GetLayerVersionResponse, Error> {
    let account = &cx.scope.account;
    let is_own = target.layer.scope.account == *account;
    if is_own || target.layer.scope.region != cx.scope.region {
        target.check_own(cx, ACTION)?;
    }
    let allowed = |version: &LayerVersionRecord| {
        is_own || version.policy.as_ref().is_some_and(|policy| policy.allows(account))
    };
    match lambda.store.read(|snapshot| target.find(snapshot))? {
        Some(version) if allowed(&version) => Ok(view::version(lambda, cx, version)),
        None if is_own => Err(no_such_resource()),
        Some(_) | None => Err(access_denied(&cx.principal, ACTION, &target.arn())),
    }
}
