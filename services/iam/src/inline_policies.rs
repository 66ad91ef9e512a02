//! Policies written into a role or a user.

use store::{Scan, Snapshot};
use wire::generated::Unit;
use wire::{Context, Error};

use crate::error::{Failure, limit_exceeded, no_such_entity};
use crate::page::{Page, page};
use crate::policy_document::{check_identity_policy, quota_chars, url_encoded};
use crate::record::{INLINE_POLICIES, Owner, OwnerKind};
use crate::shapes::{
    DeleteRolePolicyRequest, DeleteUserPolicyRequest, GetRolePolicyRequest, GetRolePolicyResponse,
    GetUserPolicyRequest, GetUserPolicyResponse, ListRolePoliciesRequest, ListRolePoliciesResponse,
    ListUserPoliciesRequest, ListUserPoliciesResponse, PutRolePolicyRequest, PutUserPolicyRequest,
};
use crate::{Iam, quotas};

/// `PutRolePolicy`
pub(crate) async fn put_role_policy(
    iam: Iam,
    cx: Context,
    input: PutRolePolicyRequest,
) -> Result<Unit, Error> {
    let find = move |snapshot: &Snapshot<'_>| Owner::role(snapshot, &cx.scope.account, &input.role_name);
    put(&iam, find, input.policy_name, input.policy_document).await
}

/// `PutUserPolicy`
pub(crate) async fn put_user_policy(
    iam: Iam,
    cx: Context,
    input: PutUserPolicyRequest,
) -> Result<Unit, Error> {
    let find = move |snapshot: &Snapshot<'_>| Owner::user(snapshot, &cx.scope.account, &input.user_name);
    put(&iam, find, input.policy_name, input.policy_document).await
}

/// `GetRolePolicy`
pub(crate) async fn get_role_policy(
    iam: Iam,
    cx: Context,
    input: GetRolePolicyRequest,
) -> Result<GetRolePolicyResponse, Error> {
    let (owner, document) = iam.read(|snapshot| {
        get(snapshot, Owner::role(snapshot, &cx.scope.account, &input.role_name)?, &input.policy_name)
    })?;
    Ok(GetRolePolicyResponse {
        role_name: owner.name,
        policy_name: input.policy_name,
        policy_document: url_encoded(&document),
    })
}

/// `GetUserPolicy`
pub(crate) async fn get_user_policy(
    iam: Iam,
    cx: Context,
    input: GetUserPolicyRequest,
) -> Result<GetUserPolicyResponse, Error> {
    let (owner, document) = iam.read(|snapshot| {
        get(snapshot, Owner::user(snapshot, &cx.scope.account, &input.user_name)?, &input.policy_name)
    })?;
    Ok(GetUserPolicyResponse {
        user_name: owner.name,
        policy_name: input.policy_name,
        policy_document: url_encoded(&document),
    })
}

/// `DeleteRolePolicy`
pub(crate) async fn delete_role_policy(
    iam: Iam,
    cx: Context,
    input: DeleteRolePolicyRequest,
) -> Result<Unit, Error> {
    let find = move |snapshot: &Snapshot<'_>| Owner::role(snapshot, &cx.scope.account, &input.role_name);
    delete(&iam, find, input.policy_name).await
}

/// `DeleteUserPolicy`
pub(crate) async fn delete_user_policy(
    iam: Iam,
    cx: Context,
    input: DeleteUserPolicyRequest,
) -> Result<Unit, Error> {
    let find = move |snapshot: &Snapshot<'_>| Owner::user(snapshot, &cx.scope.account, &input.user_name);
    delete(&iam, find, input.policy_name).await
}

/// `ListRolePolicies`
pub(crate) async fn list_role_policies(
    iam: Iam,
    cx: Context,
    input: ListRolePoliciesRequest,
) -> Result<ListRolePoliciesResponse, Error> {
    let names =
        iam.read(|snapshot| names(snapshot, &Owner::role(snapshot, &cx.scope.account, &input.role_name)?))?;
    let Page { items, is_truncated, marker } = page(names, input.marker.as_deref(), input.max_items)?;
    Ok(ListRolePoliciesResponse { policy_names: items, is_truncated, marker })
}

/// `ListUserPolicies`
pub(crate) async fn list_user_policies(
    iam: Iam,
    cx: Context,
    input: ListUserPoliciesRequest,
) -> Result<ListUserPoliciesResponse, Error> {
    let names =
        iam.read(|snapshot| names(snapshot, &Owner::user(snapshot, &cx.scope.account, &input.user_name)?))?;
    let Page { items, is_truncated, marker } = page(names, input.marker.as_deref(), input.max_items)?;
    Ok(ListUserPoliciesResponse { policy_names: items, is_truncated, marker })
}

async fn put(
    iam: &Iam,
    find: impl FnOnce(&Snapshot<'_>) -> Result<Owner, Failure> + Send + 'static,
    name: String,
    document: String,
) -> Result<Unit, Error> {
    check_identity_policy(&document)?;
    iam.write(move |tx| {
        let owner = find(tx)?;
        let others = tx.scan(&INLINE_POLICIES, &Scan::prefix((&owner.id,)))?;
        let others =
            others.iter().filter(|((_, other), _)| *other != name).map(|(_, document)| quota_chars(document));
        let chars_max = match owner.kind {
            OwnerKind::Role => quotas::ROLE_INLINE_CHARS,
            OwnerKind::User => quotas::USER_INLINE_CHARS,
        };
        if others.sum::<usize>() + quota_chars(&document) > chars_max {
            let (noun, owner) = (owner.kind.noun(), &owner.name);
            return Err(limit_exceeded(format!(
                "Maximum policy size of {chars_max} bytes exceeded for {noun} {owner}"
            ))
            .into());
        }
        Ok(tx.put(&INLINE_POLICIES, (&owner.id, &name), &document)?)
    })
    .await?;
    Ok(Unit::default())
}

fn get(snapshot: &Snapshot<'_>, owner: Owner, name: &str) -> Result<(Owner, String), Failure> {
    match snapshot.get(&INLINE_POLICIES, (&owner.id, name))? {
        Some(document) => Ok((owner, document)),
        None => Err(no_such_policy(&owner, name)),
    }
}

async fn delete(
    iam: &Iam,
    find: impl FnOnce(&Snapshot<'_>) -> Result<Owner, Failure> + Send + 'static,
    name: String,
) -> Result<Unit, Error> {
    iam.write(move |tx| {
        let owner = find(tx)?;
        if !tx.delete(&INLINE_POLICIES, (&owner.id, &name))? {
            return Err(no_such_policy(&owner, &name));
        }
        Ok(())
    })
    .await?;
    Ok(Unit::default())
}

fn names(snapshot: &Snapshot<'_>, owner: &Owner) -> Result<Vec<(String, String)>, Failure> {
    let keys = snapshot.keys(&INLINE_POLICIES, &Scan::prefix((&owner.id,)))?;
    Ok(keys.into_iter().map(|(_, name)| (name.clone(), name)).collect())
}

fn no_such_policy(owner: &Owner, name: &str) -> Failure {
    no_such_entity(format!("The {} policy with name {name} cannot be found.", owner.kind.noun())).into()
}

#[cfg(test)]
#[path = "inline_policies_tests.rs"]
mod tests;
