//! Managed policies attached to roles and users.

use domain::Account;
use store::{Scan, Snapshot};
use wire::generated::Unit;
use wire::{Context, Error};

use crate::error::{Failure, no_such_policy, not_attachable, quota_exceeded};
use crate::page::{Page, page};
use crate::policies::{self, Found};
use crate::record::{ATTACHED_POLICIES, ATTACHMENTS, OWNERS, Owner, OwnerKind};
use crate::shapes::{
    AttachRolePolicyRequest, AttachUserPolicyRequest, AttachedPolicy, DetachRolePolicyRequest,
    DetachUserPolicyRequest, EntityType, ListAttachedRolePoliciesRequest, ListAttachedRolePoliciesResponse,
    ListAttachedUserPoliciesRequest, ListAttachedUserPoliciesResponse, ListEntitiesForPolicyRequest,
    ListEntitiesForPolicyResponse, PolicyRole, PolicyUsageType, PolicyUser,
};
use crate::{Iam, quotas, record};

/// `AttachRolePolicy`
pub(crate) async fn attach_role_policy(
    iam: Iam,
    cx: Context,
    input: AttachRolePolicyRequest,
) -> Result<Unit, Error> {
    let account = cx.scope.account.clone();
    let find = move |snapshot: &Snapshot<'_>| Owner::role(snapshot, &account, &input.role_name);
    attach(&iam, find, input.policy_arn).await
}

/// `AttachUserPolicy`
pub(crate) async fn attach_user_policy(
    iam: Iam,
    cx: Context,
    input: AttachUserPolicyRequest,
) -> Result<Unit, Error> {
    let account = cx.scope.account.clone();
    let find = move |snapshot: &Snapshot<'_>| Owner::user(snapshot, &account, &input.user_name);
    attach(&iam, find, input.policy_arn).await
}

/// `DetachRolePolicy`
pub(crate) async fn detach_role_policy(
    iam: Iam,
    cx: Context,
    input: DetachRolePolicyRequest,
) -> Result<Unit, Error> {
    let account = cx.scope.account.clone();
    let find = move |snapshot: &Snapshot<'_>| Owner::role(snapshot, &account, &input.role_name);
    detach(&iam, find, input.policy_arn).await
}

/// `DetachUserPolicy`
pub(crate) async fn detach_user_policy(
    iam: Iam,
    cx: Context,
    input: DetachUserPolicyRequest,
) -> Result<Unit, Error> {
    let account = cx.scope.account.clone();
    let find = move |snapshot: &Snapshot<'_>| Owner::user(snapshot, &account, &input.user_name);
    detach(&iam, find, input.policy_arn).await
}

/// `ListAttachedRolePolicies`
pub(crate) async fn list_attached_role_policies(
    iam: Iam,
    cx: Context,
    input: ListAttachedRolePoliciesRequest,
) -> Result<ListAttachedRolePoliciesResponse, Error> {
    let attached = iam.read(|snapshot| {
        let owner = Owner::role(snapshot, &cx.scope.account, &input.role_name)?;
        attached(snapshot, &owner, input.path_prefix.as_deref())
    })?;
    let Page { items, is_truncated, marker } = page(attached, input.marker.as_deref(), input.max_items)?;
    Ok(ListAttachedRolePoliciesResponse { attached_policies: Some(items), is_truncated, marker })
}

/// `ListAttachedUserPolicies`
pub(crate) async fn list_attached_user_policies(
    iam: Iam,
    cx: Context,
    input: ListAttachedUserPoliciesRequest,
) -> Result<ListAttachedUserPoliciesResponse, Error> {
    let attached = iam.read(|snapshot| {
        let owner = Owner::user(snapshot, &cx.scope.account, &input.user_name)?;
        attached(snapshot, &owner, input.path_prefix.as_deref())
    })?;
    let Page { items, is_truncated, marker } = page(attached, input.marker.as_deref(), input.max_items)?;
    Ok(ListAttachedUserPoliciesResponse { attached_policies: Some(items), is_truncated, marker })
}

/// `ListEntitiesForPolicy`
pub(crate) async fn list_entities_for_policy(
    iam: Iam,
    cx: Context,
    input: ListEntitiesForPolicyRequest,
) -> Result<ListEntitiesForPolicyResponse, Error> {
    policies::check_arn(&input.policy_arn)?;
    let prefix = input.path_prefix.as_deref().unwrap_or("/");
    let wanted = |owner: &Owner| match input.entity_filter {
        None => true,
        Some(EntityType::Role) => owner.kind == OwnerKind::Role,
        Some(EntityType::User) => owner.kind == OwnerKind::User,
        Some(_) => false,
    };
    let owners = iam.read(|snapshot| {
        let account = &cx.scope.account;
        policies::find(snapshot, account, &input.policy_arn)?
            .ok_or_else(|| no_such_policy(&input.policy_arn))?;
        // Nothing is a permissions boundary, because none can be set.
        if input.policy_usage_filter == Some(PolicyUsageType::PermissionsBoundary) {
            return Ok(Vec::new());
        }
        let mut owners = owners(snapshot, account, &input.policy_arn)?;
        owners.retain(wanted);
        with_path(snapshot, owners, prefix)
    })?;
    let page = page(owners, input.marker.as_deref(), input.max_items)?;
    let (mut policy_roles, mut policy_users) = (Vec::new(), Vec::new());
    for Owner { kind, name, id, .. } in page.items {
        match kind {
            OwnerKind::Role => policy_roles.push(PolicyRole { role_name: Some(name), role_id: Some(id) }),
            OwnerKind::User => policy_users.push(PolicyUser { user_name: Some(name), user_id: Some(id) }),
        }
    }
    Ok(ListEntitiesForPolicyResponse {
        policy_groups: Some(Vec::new()),
        policy_users: Some(policy_users),
        policy_roles: Some(policy_roles),
        is_truncated: page.is_truncated,
        marker: page.marker,
    })
}

/// To how many roles and users a policy is attached.
pub(crate) fn count(snapshot: &Snapshot<'_>, account: &Account, policy_arn: &str) -> Result<usize, Failure> {
    Ok(snapshot.count(&ATTACHMENTS, &Scan::prefix((account, policy_arn)))?)
}

async fn attach(
    iam: &Iam,
    find: impl FnOnce(&Snapshot<'_>) -> Result<Owner, Failure> + Send + 'static,
    arn: String,
) -> Result<Unit, Error> {
    policies::check_arn(&arn)?;
    iam.write(move |tx| {
        let Owner { kind, account, id, .. } = find(tx)?;
        policies::find(tx, &account, &arn)?.ok_or_else(|| not_attachable(&arn))?;
        if tx.contains(&ATTACHED_POLICIES, (&id, &arn))? {
            return Ok(());
        }
        if tx.count(&ATTACHED_POLICIES, &Scan::prefix((&id,)))? >= quotas::ATTACHED_POLICIES {
            let quota = match kind {
                OwnerKind::Role => "PoliciesPerRole",
                OwnerKind::User => "PoliciesPerUser",
            };
            return Err(quota_exceeded(quota, quotas::ATTACHED_POLICIES).into());
        }
        tx.put(&ATTACHED_POLICIES, (&id, &arn), &())?;
        Ok(tx.put(&ATTACHMENTS, (&account, &arn, &id), &())?)
    })
    .await?;
    Ok(Unit::default())
}

async fn detach(
    iam: &Iam,
    find: impl FnOnce(&Snapshot<'_>) -> Result<Owner, Failure> + Send + 'static,
    arn: String,
) -> Result<Unit, Error> {
    policies::check_arn(&arn)?;
    iam.write(move |tx| {
        let Owner { account, id, .. } = find(tx)?;
        if !tx.delete(&ATTACHED_POLICIES, (&id, &arn))? {
            return Err(no_such_policy(&arn).into());
        }
        tx.delete(&ATTACHMENTS, (&account, &arn, &id))?;
        Ok(())
    })
    .await?;
    Ok(Unit::default())
}

fn attached(
    snapshot: &Snapshot<'_>,
    owner: &Owner,
    path_prefix: Option<&str>,
) -> Result<Vec<(String, AttachedPolicy)>, Failure> {
    let mut attached = Vec::new();
    for (_, arn) in snapshot.keys(&ATTACHED_POLICIES, &Scan::prefix((&owner.id,)))? {
        let found = policies::find(snapshot, &owner.account, &arn)?;
        // A policy cannot be deleted while it is attached; one that AWS managed may be gone from a newer table.
        let (name, path) = match &found {
            Some(Found::Local(policy)) => (policy.name.clone(), policy.path.as_str()),
            Some(Found::Managed(policy)) => (policy.name.clone(), policy.path.as_str()),
            None => (arn.rsplit('/').next().unwrap_or_default().to_owned(), "/"),
        };
        if path_prefix.is_none_or(|prefix| path.starts_with(prefix)) {
            let policy = AttachedPolicy { policy_name: Some(name.clone()), policy_arn: Some(arn.clone()) };
            // A customer's policy may have the name of one of AWS's.
            let is_managed = matches!(found, Some(Found::Managed(_)));
            attached.push((format!("{name}/{is_managed}"), policy));
        }
    }
    attached.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(attached)
}

fn owners(snapshot: &Snapshot<'_>, account: &Account, policy_arn: &str) -> Result<Vec<Owner>, Failure> {
    let mut owners = Vec::new();
    for (_, _, id) in snapshot.keys(&ATTACHMENTS, &Scan::prefix((account, policy_arn)))? {
        owners.extend(snapshot.get(&OWNERS, &id)?);
    }
    Ok(owners)
}

/// Those whose path has the prefix, by kind and name.
fn with_path(
    snapshot: &Snapshot<'_>,
    owners: Vec<Owner>,
    prefix: &str,
) -> Result<Vec<(String, Owner)>, Failure> {
    let mut found = Vec::new();
    for owner in owners {
        let path = match owner.kind {
            OwnerKind::Role => record::role(snapshot, &owner.account, &owner.name)?.path,
            OwnerKind::User => record::user(snapshot, &owner.account, &owner.name)?.path,
        };
        if path.starts_with(prefix) {
            found.push((format!("{}/{}", owner.kind.noun(), record::key(&owner.name)), owner));
        }
    }
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(found)
}

#[cfg(test)]
#[path = "attachments_tests.rs"]
mod tests;
