//! Managed policies: the customer's own, and those of AWS as far as they can be read.

use domain::Account;
use store::{Scan, Snapshot};
use wire::generated::Unit;
use wire::{Context, Error};

use crate::error::{Failure, already_exists, delete_conflict, invalid_input, no_such_policy, quota_exceeded};
use crate::managed::{self, Managed};
use crate::page::{Page, numbered, page};
use crate::policy_document::{check_identity_policy, quota_chars};
use crate::record::{POLICIES, Policy, PolicyVersion, key};
use crate::shapes::{
    CreatePolicyRequest, CreatePolicyResponse, DeletePolicyRequest, GetPolicyRequest, GetPolicyResponse,
    ListPoliciesRequest, ListPoliciesResponse, ListPolicyTagsRequest, ListPolicyTagsResponse,
    PolicyScopeType, PolicyUsageType, TagPolicyRequest, UntagPolicyRequest,
};
use crate::{Iam, attachments, id, quotas, shapes, tags};

/// A policy that an ARN names.
pub(crate) enum Found {
    /// A customer's.
    Local(Box<Policy>),
    /// AWS's.
    Managed(&'static Managed),
}

/// `CreatePolicy`
pub(crate) async fn create_policy(
    iam: Iam,
    cx: Context,
    input: CreatePolicyRequest,
) -> Result<CreatePolicyResponse, Error> {
    check_document(&input.policy_document)?;
    let path = input.path.unwrap_or_else(|| "/".to_owned());
    let now = iam.now();
    let policy = Policy {
        arn: cx.scope.global_arn("iam", format_args!("policy{path}{}", input.policy_name)),
        id: id::policy(),
        created: now,
        updated: now,
        description: input.description,
        tags: tags::of_new(input.tags)?,
        versions: vec![PolicyVersion { number: 1, created: now, document: input.policy_document }],
        default_version: 1,
        next_version: 2,
        name: input.policy_name,
        path,
    };
    let account = cx.scope.account;
    let created = policy.clone();
    iam.write(move |tx| {
        let Policy { name, .. } = &policy;
        if tx.contains(&POLICIES, (&account, key(name)))? {
            let message = format!("A policy called {name} already exists. Duplicate names are not allowed.");
            return Err(already_exists(message).into());
        }
        if tx.count(&POLICIES, &Scan::prefix((&account,)))? >= quotas::POLICIES {
            return Err(quota_exceeded("PoliciesPerAccount", quotas::POLICIES).into());
        }
        Ok(tx.put(&POLICIES, (&account, key(name)), &policy)?)
    })
    .await?;
    // A description is told by GetPolicy only.
    let policy = shapes::Policy { description: None, ..shown_local(&created, 0) };
    Ok(CreatePolicyResponse { policy: Some(policy) })
}

/// `GetPolicy`
pub(crate) async fn get_policy(
    iam: Iam,
    cx: Context,
    input: GetPolicyRequest,
) -> Result<GetPolicyResponse, Error> {
    check_arn(&input.policy_arn)?;
    let policy = iam.read(|snapshot| {
        let account = &cx.scope.account;
        let found =
            find(snapshot, account, &input.policy_arn)?.ok_or_else(|| no_such_policy(&input.policy_arn))?;
        shown(snapshot, account, &found, cx.scope.region.partition())
    })?;
    Ok(GetPolicyResponse { policy: Some(policy) })
}

/// `ListPolicies`
pub(crate) async fn list_policies(
    iam: Iam,
    cx: Context,
    input: ListPoliciesRequest,
) -> Result<ListPoliciesResponse, Error> {
    let prefix = input.path_prefix.as_deref().unwrap_or("/");
    let scope = input.scope.unwrap_or(PolicyScopeType::All);
    let policies = iam.read(|snapshot| {
        let account = &cx.scope.account;
        // Nothing is a permissions boundary, because none can be set.
        if input.policy_usage_filter == Some(PolicyUsageType::PermissionsBoundary) {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        if scope != PolicyScopeType::Aws {
            let local = snapshot.scan(&POLICIES, &Scan::prefix((account,)))?;
            let local = local.into_iter().filter(|(_, policy)| policy.path.starts_with(prefix));
            found
                .extend(local.map(|((_, key), policy)| (format!("1/{key}"), Found::Local(Box::new(policy)))));
        }
        if scope != PolicyScopeType::Local {
            let managed = managed::all().filter(|policy| policy.path.starts_with(prefix));
            found.extend(managed.map(|policy| (format!("2/{}", policy.name), Found::Managed(policy))));
        }
        let mut policies = Vec::new();
        for (key, policy) in found {
            let policy = shown(snapshot, account, &policy, cx.scope.region.partition())?;
            if input.only_attached != Some(true) || policy.attachment_count != Some(0) {
                // Lists leave these out.
                policies.push((key, shapes::Policy { description: None, tags: None, ..policy }));
            }
        }
        policies.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(policies)
    })?;
    let Page { items, is_truncated, marker } = page(policies, input.marker.as_deref(), input.max_items)?;
    Ok(ListPoliciesResponse { policies: Some(items), is_truncated, marker })
}

/// `DeletePolicy`
pub(crate) async fn delete_policy(iam: Iam, cx: Context, input: DeletePolicyRequest) -> Result<Unit, Error> {
    let account = cx.scope.account;
    check_arn(&input.policy_arn)?;
    iam.write(move |tx| {
        let policy = local(tx, &account, &input.policy_arn)?;
        if attachments::count(tx, &account, &policy.arn)? > 0 {
            return Err(delete_conflict("Cannot delete a policy attached to entities.").into());
        }
        if policy.versions.len() > 1 {
            return Err(delete_conflict(
                "This policy has more than one version. Before you delete a policy, you must delete the policy's \
                 versions. The default version is deleted with the policy.",
            )
            .into());
        }
        tx.delete(&POLICIES, (&account, key(&policy.name)))?;
        Ok(())
    })
    .await?;
    Ok(Unit::default())
}

/// `TagPolicy`
pub(crate) async fn tag_policy(iam: Iam, cx: Context, input: TagPolicyRequest) -> Result<Unit, Error> {
    change(&iam, cx, input.policy_arn, move |policy| Ok(tags::add(&mut policy.tags, input.tags)?)).await?;
    Ok(Unit::default())
}

/// `UntagPolicy`
pub(crate) async fn untag_policy(iam: Iam, cx: Context, input: UntagPolicyRequest) -> Result<Unit, Error> {
    change(&iam, cx, input.policy_arn, move |policy| {
        tags::remove(&mut policy.tags, &input.tag_keys);
        Ok(())
    })
    .await?;
    Ok(Unit::default())
}

/// `ListPolicyTags`
pub(crate) async fn list_policy_tags(
    iam: Iam,
    cx: Context,
    input: ListPolicyTagsRequest,
) -> Result<ListPolicyTagsResponse, Error> {
    check_arn(&input.policy_arn)?;
    let policy = iam.read(|snapshot| local(snapshot, &cx.scope.account, &input.policy_arn))?;
    let page = page(numbered(tags::all_shown(&policy.tags)), input.marker.as_deref(), input.max_items)?;
    Ok(ListPolicyTagsResponse { tags: page.items, is_truncated: page.is_truncated, marker: page.marker })
}

/// Whether the text is the ARN of a policy, existing or not.
pub(crate) fn check_arn(arn: &str) -> Result<(), Error> {
    let parts: Vec<_> = arn.splitn(6, ':').collect();
    match parts[..] {
        ["arn", _, "iam", "", _, resource] if resource.starts_with("policy/") => Ok(()),
        _ => Err(invalid_input(format!("ARN {arn} is not valid."))),
    }
}

/// The policy that an ARN names, as an account sees it.
pub(crate) fn find(snapshot: &Snapshot<'_>, account: &Account, arn: &str) -> Result<Option<Found>, Failure> {
    if let Some(policy) = managed::by_arn(arn) {
        return Ok(Some(Found::Managed(policy)));
    }
    let name = arn.rsplit('/').next().unwrap_or_default();
    let found = snapshot.get(&POLICIES, (account, key(name)))?;
    // The name finds it; the path, the account and the case must agree, too.
    Ok(found.filter(|policy| policy.arn == arn).map(|policy| Found::Local(Box::new(policy))))
}

/// A policy that its owner may change.
pub(crate) fn local(snapshot: &Snapshot<'_>, account: &Account, arn: &str) -> Result<Policy, Failure> {
    match find(snapshot, account, arn)? {
        Some(Found::Local(policy)) => Ok(*policy),
        Some(Found::Managed(_)) => Err(Error::new(
            "AccessDenied",
            format!("{arn} is managed by AWS and cannot be changed or tagged."),
        )
        .into()),
        None => Err(no_such_policy(arn).into()),
    }
}

/// Changes a policy that its owner may change.
pub(crate) async fn change<T: Send + 'static>(
    iam: &Iam,
    cx: Context,
    arn: String,
    change: impl FnOnce(&mut Policy) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Error> {
    check_arn(&arn)?;
    let account = cx.scope.account;
    iam.write(move |tx| {
        let mut policy = local(tx, &account, &arn)?;
        let outcome = change(&mut policy)?;
        tx.put(&POLICIES, (&account, key(&policy.name)), &policy)?;
        Ok(outcome)
    })
    .await
}

/// Whether a document may be stored as a managed policy.
pub(crate) fn check_document(document: &str) -> Result<(), Error> {
    check_identity_policy(document)?;
    if quota_chars(document) > quotas::POLICY_CHARS {
        return Err(quota_exceeded("PolicySize", quotas::POLICY_CHARS));
    }
    Ok(())
}

fn shown(
    snapshot: &Snapshot<'_>,
    account: &Account,
    policy: &Found,
    partition: &str,
) -> Result<shapes::Policy, Failure> {
    Ok(match policy {
        Found::Local(policy) => shown_local(policy, attachments::count(snapshot, account, &policy.arn)?),
        Found::Managed(policy) => {
            let arn = policy.arn(partition);
            shown_managed(policy, attachments::count(snapshot, account, &arn)?, arn)
        }
    })
}

fn shown_local(policy: &Policy, attachments: usize) -> shapes::Policy {
    shapes::Policy {
        policy_name: Some(policy.name.clone()),
        policy_id: Some(policy.id.clone()),
        arn: Some(policy.arn.clone()),
        path: Some(policy.path.clone()),
        default_version_id: Some(format!("v{}", policy.default_version)),
        attachment_count: i32::try_from(attachments).ok(),
        permissions_boundary_usage_count: Some(0),
        is_attachable: Some(true),
        description: policy.description.clone(),
        create_date: Some(policy.created),
        update_date: Some(policy.updated),
        tags: tags::shown(&policy.tags),
    }
}

fn shown_managed(policy: &Managed, attachments: usize, arn: String) -> shapes::Policy {
    shapes::Policy {
        policy_name: Some(policy.name.clone()),
        policy_id: Some(policy.id()),
        arn: Some(arn),
        path: Some(policy.path.clone()),
        default_version_id: Some(policy.version.clone()),
        attachment_count: i32::try_from(attachments).ok(),
        permissions_boundary_usage_count: Some(0),
        is_attachable: Some(true),
        create_date: Some(policy.created),
        update_date: Some(policy.updated),
        ..shapes::Policy::default()
    }
}

#[cfg(test)]
#[path = "policies_tests.rs"]
mod tests;
