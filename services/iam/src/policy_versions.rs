//! Versions of managed policies. One is in effect; up to five are kept.

use wire::generated::Unit;
use wire::{Context, Error};

use crate::error::{Failure, delete_conflict, limit_exceeded, no_such_entity, no_such_policy};
use crate::page::{Page, page};
use crate::policies::{self, Found};
use crate::policy_document::url_encoded;
use crate::record::{Policy, PolicyVersion};
use crate::shapes::{
    CreatePolicyVersionRequest, CreatePolicyVersionResponse, DeletePolicyVersionRequest,
    GetPolicyVersionRequest, GetPolicyVersionResponse, ListPolicyVersionsRequest, ListPolicyVersionsResponse,
    SetDefaultPolicyVersionRequest,
};
use crate::{Iam, quotas, shapes};

/// `CreatePolicyVersion`
pub(crate) async fn create_policy_version(
    iam: Iam,
    cx: Context,
    input: CreatePolicyVersionRequest,
) -> Result<CreatePolicyVersionResponse, Error> {
    policies::check_document(&input.policy_document)?;
    let now = iam.now();
    let version = policies::change(&iam, cx, input.policy_arn, move |policy| {
        if policy.versions.len() >= quotas::POLICY_VERSIONS {
            return Err(limit_exceeded(format!(
                "A managed policy can have up to {} versions. Before you create a new version, you must delete an \
                 existing version.",
                quotas::POLICY_VERSIONS
            ))
            .into());
        }
        let version =
            PolicyVersion { number: policy.next_version, created: now, document: input.policy_document };
        policy.next_version += 1;
        policy.versions.push(version.clone());
        policy.updated = now;
        if input.set_as_default == Some(true) {
            policy.default_version = version.number;
        }
        Ok(without_document(policy, &version))
    })
    .await?;
    Ok(CreatePolicyVersionResponse { policy_version: Some(version) })
}

/// `GetPolicyVersion`
pub(crate) async fn get_policy_version(
    iam: Iam,
    cx: Context,
    input: GetPolicyVersionRequest,
) -> Result<GetPolicyVersionResponse, Error> {
    policies::check_arn(&input.policy_arn)?;
    let version = iam.read(|snapshot| {
        let found = policies::find(snapshot, &cx.scope.account, &input.policy_arn)?;
        match found.ok_or_else(|| no_such_policy(&input.policy_arn))? {
            Found::Local(policy) => {
                let version = version(&policy, &input.version_id)?;
                let document = Some(url_encoded(&version.document));
                Ok(shapes::PolicyVersion { document, ..without_document(&policy, version) })
            }
            Found::Managed(policy) if policy.version == input.version_id => Ok(shapes::PolicyVersion {
                document: Some(url_encoded(policy.document())),
                version_id: Some(policy.version.clone()),
                is_default_version: Some(true),
                create_date: Some(policy.updated),
            }),
            Found::Managed(_) => Err(no_such_version(&input.policy_arn, &input.version_id)),
        }
    })?;
    Ok(GetPolicyVersionResponse { policy_version: Some(version) })
}

/// `ListPolicyVersions`
pub(crate) async fn list_policy_versions(
    iam: Iam,
    cx: Context,
    input: ListPolicyVersionsRequest,
) -> Result<ListPolicyVersionsResponse, Error> {
    policies::check_arn(&input.policy_arn)?;
    let versions = iam.read(|snapshot| {
        let found = policies::find(snapshot, &cx.scope.account, &input.policy_arn)?;
        Ok(match found.ok_or_else(|| no_such_policy(&input.policy_arn))? {
            // Newest first. Keys descend with the numbers, so that pages ascend.
            Found::Local(policy) => policy
                .versions
                .iter()
                .rev()
                .map(|version| {
                    (format!("{:020}", u64::MAX - version.number), without_document(&policy, version))
                })
                .collect(),
            Found::Managed(policy) => {
                let version = shapes::PolicyVersion {
                    document: None,
                    version_id: Some(policy.version.clone()),
                    is_default_version: Some(true),
                    create_date: Some(policy.updated),
                };
                vec![(policy.version.clone(), version)]
            }
        })
    })?;
    let Page { items, is_truncated, marker } = page(versions, input.marker.as_deref(), input.max_items)?;
    Ok(ListPolicyVersionsResponse { versions: Some(items), is_truncated, marker })
}

/// `DeletePolicyVersion`
pub(crate) async fn delete_policy_version(
    iam: Iam,
    cx: Context,
    input: DeletePolicyVersionRequest,
) -> Result<Unit, Error> {
    let now = iam.now();
    policies::change(&iam, cx, input.policy_arn, move |policy| {
        let number = version(policy, &input.version_id)?.number;
        if number == policy.default_version {
            return Err(delete_conflict("Cannot delete the default version of a policy.").into());
        }
        policy.versions.retain(|version| version.number != number);
        policy.updated = now;
        Ok(())
    })
    .await?;
    Ok(Unit::default())
}

/// `SetDefaultPolicyVersion`
pub(crate) async fn set_default_policy_version(
    iam: Iam,
    cx: Context,
    input: SetDefaultPolicyVersionRequest,
) -> Result<Unit, Error> {
    let now = iam.now();
    policies::change(&iam, cx, input.policy_arn, move |policy| {
        policy.default_version = version(policy, &input.version_id)?.number;
        policy.updated = now;
        Ok(())
    })
    .await?;
    Ok(Unit::default())
}

fn version<'p>(policy: &'p Policy, version_id: &str) -> Result<&'p PolicyVersion, Failure> {
    let number = version_id.strip_prefix('v').and_then(|number| number.parse::<u64>().ok());
    let found = policy.versions.iter().find(|version| Some(version.number) == number);
    found.ok_or_else(|| no_such_version(&policy.arn, version_id))
}

fn no_such_version(arn: &str, version_id: &str) -> Failure {
    no_such_entity(format!("Policy {arn} version {version_id} does not exist or is not attachable.")).into()
}

/// As lists and creation answer.
fn without_document(policy: &Policy, version: &PolicyVersion) -> shapes::PolicyVersion {
    shapes::PolicyVersion {
        document: None,
        version_id: Some(format!("v{}", version.number)),
        is_default_version: Some(version.number == policy.default_version),
        create_date: Some(version.created),
    }
}

#[cfg(test)]
#[path = "policy_versions_tests.rs"]
mod tests;
