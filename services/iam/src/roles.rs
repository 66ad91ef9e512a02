//! Roles.

use domain::Account;
use store::{Scan, Snapshot};
use wire::generated::Unit;
use wire::{Context, Error};

use crate::error::{Failure, already_exists, quota_exceeded};
use crate::page::{numbered, page};
use crate::policy_document::{check_trust_policy, quota_chars, url_encoded};
use crate::record::{OWNERS, Owner, OwnerKind, ROLES, Role, key, role};
use crate::shapes::{
    CreateRoleRequest, CreateRoleResponse, DeleteRoleRequest, GetRoleRequest, GetRoleResponse,
    ListInstanceProfilesForRoleRequest, ListInstanceProfilesForRoleResponse, ListRoleTagsRequest,
    ListRoleTagsResponse, ListRolesRequest, ListRolesResponse, RoleLastUsed, TagRoleRequest,
    UntagRoleRequest, UpdateAssumeRolePolicyRequest, UpdateRoleDescriptionRequest,
    UpdateRoleDescriptionResponse, UpdateRoleRequest, UpdateRoleResponse,
};
use crate::{Iam, id, owners, quotas, shapes, tags, unsupported};

/// `MaxSessionDuration` when none is given, in seconds.
const MAX_SESSION_SECONDS_DEFAULT: i32 = 3_600;

/// `CreateRole`
pub async fn create_role(
    iam: Iam,
    cx: Context,
    input: CreateRoleRequest,
) -> Result<CreateRoleResponse, Error> {
    if input.permissions_boundary.is_some() {
        return Err(unsupported("PermissionsBoundary"));
    }
    check_trust(&input.assume_role_policy_document)?;
    let path = input.path.unwrap_or_else(|| "/".to_owned());
    let role = Role {
        arn: cx.scope.global_arn("iam", format_args!("role{path}{}", input.role_name)),
        id: id::role(),
        created: iam.now(),
        trust_policy: input.assume_role_policy_document,
        description: input.description,
        max_session_seconds: input.max_session_duration.unwrap_or(MAX_SESSION_SECONDS_DEFAULT),
        tags: tags::of_new(input.tags)?,
        name: input.role_name,
        path,
    };
    let account = cx.scope.account;
    let created = role.clone();
    iam.write(move |tx| {
        if tx.contains(&ROLES, (&account, key(&role.name)))? {
            return Err(already_exists(format!("Role with name {} already exists.", role.name)).into());
        }
        if tx.count(&ROLES, &Scan::prefix((&account,)))? >= quotas::ROLES {
            return Err(quota_exceeded("RolesPerAccount", quotas::ROLES).into());
        }
        let owner = Owner {
            kind: OwnerKind::Role,
            account: account.clone(),
            name: role.name.clone(),
            id: role.id.clone(),
        };
        tx.put(&OWNERS, &owner.id, &owner)?;
        Ok(tx.put(&ROLES, (&account, key(&role.name)), &role)?)
    })
    .await?;
    Ok(CreateRoleResponse { role: shown(&created) })
}

/// `GetRole`
pub(crate) async fn get_role(iam: Iam, cx: Context, input: GetRoleRequest) -> Result<GetRoleResponse, Error> {
    let role = iam.read(|snapshot| role(snapshot, &cx.scope.account, &input.role_name))?;
    // Use is not tracked: the empty element is what AWS answers for a role without recent use.
    let role_last_used = Some(RoleLastUsed::default());
    Ok(GetRoleResponse { role: shapes::Role { role_last_used, ..shown(&role) } })
}

/// `ListRoles`
pub(crate) async fn list_roles(
    iam: Iam,
    cx: Context,
    input: ListRolesRequest,
) -> Result<ListRolesResponse, Error> {
    let prefix = input.path_prefix.unwrap_or_else(|| "/".to_owned());
    let roles = iam.read(|snapshot| all(snapshot, &cx.scope.account))?;
    let roles = roles.into_iter().filter(|(_, role)| role.path.starts_with(&prefix));
    let page = page(roles, input.marker.as_deref(), input.max_items)?;
    // Lists leave the tags out.
    let roles = page.items.iter().map(|role| shapes::Role { tags: None, ..shown(role) }).collect();
    Ok(ListRolesResponse { roles, is_truncated: page.is_truncated, marker: page.marker })
}

/// `UpdateRole`
pub(crate) async fn update_role(
    iam: Iam,
    cx: Context,
    input: UpdateRoleRequest,
) -> Result<UpdateRoleResponse, Error> {
    // What is left out goes back to its default, as on AWS.
    let seconds = input.max_session_duration.unwrap_or(MAX_SESSION_SECONDS_DEFAULT);
    change(&iam, cx, input.role_name, move |role| {
        role.max_session_seconds = seconds;
        if let Some(description) = input.description {
            role.description = Some(description);
        }
        Ok(())
    })
    .await?;
    Ok(UpdateRoleResponse::default())
}

/// `UpdateRoleDescription`
pub(crate) async fn update_role_description(
    iam: Iam,
    cx: Context,
    input: UpdateRoleDescriptionRequest,
) -> Result<UpdateRoleDescriptionResponse, Error> {
    let role = change(&iam, cx, input.role_name, move |role| {
        role.description = Some(input.description);
        Ok(())
    })
    .await?;
    Ok(UpdateRoleDescriptionResponse { role: Some(shown(&role)) })
}

/// `UpdateAssumeRolePolicy`
pub(crate) async fn update_assume_role_policy(
    iam: Iam,
    cx: Context,
    input: UpdateAssumeRolePolicyRequest,
) -> Result<Unit, Error> {
    check_trust(&input.policy_document)?;
    change(&iam, cx, input.role_name, move |role| {
        role.trust_policy = input.policy_document;
        Ok(())
    })
    .await?;
    Ok(Unit::default())
}

/// `DeleteRole`
pub(crate) async fn delete_role(iam: Iam, cx: Context, input: DeleteRoleRequest) -> Result<Unit, Error> {
    let account = cx.scope.account;
    iam.write(move |tx| {
        let owner = Owner::role(tx, &account, &input.role_name)?;
        owners::check_unused(tx, &owner)?;
        tx.delete(&OWNERS, &owner.id)?;
        tx.delete(&ROLES, (&account, key(&owner.name)))?;
        Ok(())
    })
    .await?;
    Ok(Unit::default())
}

/// `TagRole`
pub(crate) async fn tag_role(iam: Iam, cx: Context, input: TagRoleRequest) -> Result<Unit, Error> {
    change(&iam, cx, input.role_name, move |role| tags::add(&mut role.tags, input.tags)).await?;
    Ok(Unit::default())
}

/// `UntagRole`
pub(crate) async fn untag_role(iam: Iam, cx: Context, input: UntagRoleRequest) -> Result<Unit, Error> {
    change(&iam, cx, input.role_name, move |role| {
        tags::remove(&mut role.tags, &input.tag_keys);
        Ok(())
    })
    .await?;
    Ok(Unit::default())
}

/// `ListRoleTags`
pub(crate) async fn list_role_tags(
    iam: Iam,
    cx: Context,
    input: ListRoleTagsRequest,
) -> Result<ListRoleTagsResponse, Error> {
    let role = iam.read(|snapshot| role(snapshot, &cx.scope.account, &input.role_name))?;
    let page = page(numbered(tags::all_shown(&role.tags)), input.marker.as_deref(), input.max_items)?;
    Ok(ListRoleTagsResponse { tags: page.items, is_truncated: page.is_truncated, marker: page.marker })
}

/// `ListInstanceProfilesForRole`: none, because none can be created. Deleting a role with the usual tools asks for it.
pub(crate) async fn list_instance_profiles_for_role(
    iam: Iam,
    cx: Context,
    input: ListInstanceProfilesForRoleRequest,
) -> Result<ListInstanceProfilesForRoleResponse, Error> {
    iam.read(|snapshot| role(snapshot, &cx.scope.account, &input.role_name))?;
    let none = page(Vec::new(), input.marker.as_deref(), input.max_items)?;
    Ok(ListInstanceProfilesForRoleResponse {
        instance_profiles: none.items,
        is_truncated: none.is_truncated,
        marker: none.marker,
    })
}

/// Roles of an account, by their keys.
pub(crate) fn all(snapshot: &Snapshot<'_>, account: &Account) -> Result<Vec<(String, Role)>, Failure> {
    let roles = snapshot.scan(&ROLES, &Scan::prefix((account,)))?;
    Ok(roles.into_iter().map(|((_, key), role)| (key, role)).collect())
}

fn check_trust(document: &str) -> Result<(), Error> {
    check_trust_policy(document)?;
    if quota_chars(document) > quotas::TRUST_POLICY_CHARS {
        return Err(quota_exceeded("ACLSizePerRole", quotas::TRUST_POLICY_CHARS));
    }
    Ok(())
}

async fn change(
    iam: &Iam,
    cx: Context,
    name: String,
    change: impl FnOnce(&mut Role) -> Result<(), Error> + Send + 'static,
) -> Result<Role, Error> {
    let account = cx.scope.account;
    iam.write(move |tx| {
        let mut role = role(tx, &account, &name)?;
        change(&mut role)?;
        tx.put(&ROLES, (&account, key(&name)), &role)?;
        Ok(role)
    })
    .await
}

fn shown(role: &Role) -> shapes::Role {
    shapes::Role {
        path: role.path.clone(),
        role_name: role.name.clone(),
        role_id: role.id.clone(),
        arn: role.arn.clone(),
        create_date: role.created,
        assume_role_policy_document: Some(url_encoded(&role.trust_policy)),
        description: role.description.clone(),
        max_session_duration: Some(role.max_session_seconds),
        tags: tags::shown(&role.tags),
        ..shapes::Role::default()
    }
}

#[cfg(test)]
#[path = "roles_tests.rs"]
mod tests;
