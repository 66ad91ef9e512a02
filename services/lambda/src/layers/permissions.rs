//! `AddLayerVersionPermission`, `RemoveLayerVersionPermission` and `GetLayerVersionPolicy`

use store::Tx;
use uuid::Uuid;
use wire::{Context, Error};

use super::policy::{Policy, Statement};
use super::record::{LAYER_VERSIONS, LayerVersionRecord};
use super::target::VersionTarget;
use crate::error::{Refusal, invalid_parameter};
use crate::permissions::no_such_statement;
use crate::{Lambda, shapes};

/// Lets another account, everyone, or an organization use a version.
pub async fn add_permission(
    lambda: Lambda,
    cx: Context,
    input: shapes::AddLayerVersionPermissionRequest,
) -> Result<shapes::AddLayerVersionPermissionResponse, Error> {
    let target = VersionTarget::parse(&cx, &input.layer_name, input.version_number)?;
    target.check_own(&cx, "lambda:AddLayerVersionPermission")?;
    if input.organization_id.is_some() && input.principal != "*" {
        return Err(invalid_parameter("OrganizationId can be given only if Principal is *."));
    }
    let statement =
        Statement { id: input.statement_id, principal: input.principal, organization: input.organization_id };
    let text = statement.text(&target.arn())?;
    let changed = lambda
        .store
        .write(move |tx| {
            let version = target.expect(tx)?;
            let none_yet = || Policy { revision_id: Uuid::nil(), statements: Vec::new() };
            let policy = version.policy.clone().unwrap_or_else(none_yet).with(statement, &target.arn())?;
            check_revision(&version, input.revision_id.as_deref())?;
            renew(tx, version, policy)
        })
        .await?;
    Ok(shapes::AddLayerVersionPermissionResponse {
        statement: Some(text),
        revision_id: Some(changed.to_string()),
    })
}

/// Takes a statement back.
pub async fn remove_permission(
    lambda: Lambda,
    cx: Context,
    input: shapes::RemoveLayerVersionPermissionRequest,
) -> Result<wire::Unit, Error> {
    let target = VersionTarget::parse(&cx, &input.layer_name, input.version_number)?;
    target.check_own(&cx, "lambda:RemoveLayerVersionPermission")?;
    lambda
        .store
        .write(move |tx| {
            let version = target.expect(tx)?;
            check_revision(&version, input.revision_id.as_deref())?;
            let policy = version.policy.clone().ok_or_else(|| no_such_statement(&input.statement_id))?;
            renew(tx, version, policy.without(&input.statement_id)?)
        })
        .await?;
    Ok(wire::Unit::default())
}

/// The whole policy. One whose statements are all removed is empty, and still there.
pub async fn get_policy(
    lambda: Lambda,
    cx: Context,
    input: shapes::GetLayerVersionPolicyRequest,
) -> Result<shapes::GetLayerVersionPolicyResponse, Error> {
    let target = VersionTarget::parse(&cx, &input.layer_name, input.version_number)?;
    target.check_own(&cx, "lambda:GetLayerVersionPolicy")?;
    let version = lambda.store.read(|snapshot| target.expect(snapshot))?;
    let policy = version.policy.ok_or_else(|| {
        Error::new("ResourceNotFoundException", "No policy is associated with the given resource.")
    })?;
    Ok(shapes::GetLayerVersionPolicyResponse {
        policy: Some(policy.text(&target.arn())?),
        revision_id: Some(policy.revision_id.to_string()),
    })
}

fn check_revision(version: &LayerVersionRecord, asked: Option<&str>) -> Result<(), Error> {
    let Some(asked) = asked.filter(|asked| !asked.is_empty()) else { return Ok(()) };
    let current = version.policy.as_ref().map(|policy| policy.revision_id);
    if current.is_some() && asked.parse().ok() == current {
        return Ok(());
    }
    Err(Error::new(
        "PreconditionFailedException",
        "The Revision Id provided does not match the latest Revision Id. Call the GetLayerPolicy API to retrieve the \
         latest Revision Id",
    ))
}

fn renew(tx: &mut Tx<'_>, version: LayerVersionRecord, policy: Policy) -> Result<Uuid, Refusal> {
    let revision_id = Uuid::new_v4();
    let policy = Some(Policy { revision_id, ..policy });
    tx.put(&LAYER_VERSIONS, version.key(), &LayerVersionRecord { policy, ..version })?;
    Ok(revision_id)
}
