//! Users.

use domain::{Account, Principal};
use store::{Scan, Snapshot};
use wire::generated::Unit;
use wire::{Context, Error};

use crate::error::{Failure, already_exists, quota_exceeded, validation_error};
use crate::page::{numbered, page};
use crate::record::{OWNERS, Owner, OwnerKind, USERS, User, key, user};
use crate::shapes::{
    CreateUserRequest, CreateUserResponse, DeleteUserRequest, GetUserRequest, GetUserResponse,
    ListUserTagsRequest, ListUserTagsResponse, ListUsersRequest, ListUsersResponse, TagUserRequest,
    UntagUserRequest, UpdateUserRequest,
};
use crate::{Iam, id, owners, quotas, shapes, tags, unsupported};

/// `CreateUser`
pub(crate) async fn create_user(
    iam: Iam,
    cx: Context,
    input: CreateUserRequest,
) -> Result<CreateUserResponse, Error> {
    if input.permissions_boundary.is_some() {
        return Err(unsupported("PermissionsBoundary"));
    }
    let path = input.path.unwrap_or_else(|| "/".to_owned());
    let user = User {
        arn: cx.scope.global_arn("iam", format_args!("user{path}{}", input.user_name)),
        id: id::user(),
        created: iam.now(),
        tags: tags::of_new(input.tags)?,
        name: input.user_name,
        path,
    };
    let account = cx.scope.account;
    let created = user.clone();
    iam.write(move |tx| {
        check_free(tx, &account, &user.name)?;
        if tx.count(&USERS, &Scan::prefix((&account,)))? >= quotas::USERS {
            return Err(quota_exceeded("UsersPerAccount", quotas::USERS).into());
        }
        tx.put(&OWNERS, &user.id, &owner(&account, &user))?;
        Ok(tx.put(&USERS, (&account, key(&user.name)), &user)?)
    })
    .await?;
    Ok(CreateUserResponse { user: Some(shown(&created)) })
}

/// `GetUser`
pub(crate) async fn get_user(iam: Iam, cx: Context, input: GetUserRequest) -> Result<GetUserResponse, Error> {
    let name = name_or_caller(input.user_name, &cx.principal)?;
    let user = iam.read(|snapshot| user(snapshot, &cx.scope.account, &name))?;
    Ok(GetUserResponse { user: shown(&user) })
}

/// `ListUsers`
pub(crate) async fn list_users(
    iam: Iam,
    cx: Context,
    input: ListUsersRequest,
) -> Result<ListUsersResponse, Error> {
    let prefix = input.path_prefix.unwrap_or_else(|| "/".to_owned());
    let users = iam.read(|snapshot| all(snapshot, &cx.scope.account))?;
    let users = users.into_iter().filter(|(_, user)| user.path.starts_with(&prefix));
    let page = page(users, input.marker.as_deref(), input.max_items)?;
    // Lists leave the tags out.
    let users = page.items.iter().map(|user| shapes::User { tags: None, ..shown(user) }).collect();
    Ok(ListUsersResponse { users, is_truncated: page.is_truncated, marker: page.marker })
}

/// `UpdateUser`
pub(crate) async fn update_user(iam: Iam, cx: Context, input: UpdateUserRequest) -> Result<Unit, Error> {
    let scope = cx.scope;
    iam.write(move |tx| {
        let mut user = user(tx, &scope.account, &input.user_name)?;
        let old_key = key(&user.name);
        if let Some(name) = input.new_user_name {
            // A name may change its case, which is no conflict with itself.
            if key(&name) != old_key {
                check_free(tx, &scope.account, &name)?;
            }
            user.name = name;
        }
        if let Some(path) = input.new_path {
            user.path = path;
        }
        user.arn = scope.global_arn("iam", format_args!("user{}{}", user.path, user.name));
        tx.delete(&USERS, (&scope.account, &old_key))?;
        tx.put(&USERS, (&scope.account, key(&user.name)), &user)?;
        Ok(tx.put(&OWNERS, &user.id, &owner(&scope.account, &user))?)
    })
    .await?;
    Ok(Unit::default())
}

/// `DeleteUser`
pub(crate) async fn delete_user(iam: Iam, cx: Context, input: DeleteUserRequest) -> Result<Unit, Error> {
    let account = cx.scope.account;
    iam.write(move |tx| {
        let owner = Owner::user(tx, &account, &input.user_name)?;
        owners::check_unused(tx, &owner)?;
        tx.delete(&OWNERS, &owner.id)?;
        tx.delete(&USERS, (&account, key(&owner.name)))?;
        Ok(())
    })
    .await?;
    Ok(Unit::default())
}

/// `TagUser`
pub(crate) async fn tag_user(iam: Iam, cx: Context, input: TagUserRequest) -> Result<Unit, Error> {
    change(&iam, cx, input.user_name, move |user| tags::add(&mut user.tags, input.tags)).await
}

/// `UntagUser`
pub(crate) async fn untag_user(iam: Iam, cx: Context, input: UntagUserRequest) -> Result<Unit, Error> {
    change(&iam, cx, input.user_name, move |user| {
        tags::remove(&mut user.tags, &input.tag_keys);
        Ok(())
    })
    .await
}

/// `ListUserTags`
pub(crate) async fn list_user_tags(
    iam: Iam,
    cx: Context,
    input: ListUserTagsRequest,
) -> Result<ListUserTagsResponse, Error> {
    let user = iam.read(|snapshot| user(snapshot, &cx.scope.account, &input.user_name))?;
    let page = page(numbered(tags::all_shown(&user.tags)), input.marker.as_deref(), input.max_items)?;
    Ok(ListUserTagsResponse { tags: page.items, is_truncated: page.is_truncated, marker: page.marker })
}

/// Users of an account, by their keys.
pub(crate) fn all(snapshot: &Snapshot<'_>, account: &Account) -> Result<Vec<(String, User)>, Failure> {
    let users = snapshot.scan(&USERS, &Scan::prefix((account,)))?;
    Ok(users.into_iter().map(|((_, key), user)| (key, user)).collect())
}

/// The user that a request is about: the one it names, or the one that makes it.
pub(crate) fn name_or_caller(name: Option<String>, caller: &Principal) -> Result<String, Error> {
    match (name, caller) {
        (Some(name), _) => Ok(name),
        (None, Principal::User { name, .. }) => Ok(name.clone()),
        (None, _) => Err(validation_error("Must specify userName when calling with non-User credentials")),
    }
}

fn check_free(snapshot: &Snapshot<'_>, account: &Account, name: &str) -> Result<(), Failure> {
    if snapshot.contains(&USERS, (account, key(name)))? {
        return Err(already_exists(format!("User with name {name} already exists.")).into());
    }
    Ok(())
}

async fn change(
    iam: &Iam,
    cx: Context,
    name: String,
    change: impl FnOnce(&mut User) -> Result<(), Error> + Send + 'static,
) -> Result<Unit, Error> {
    let account = cx.scope.account;
    iam.write(move |tx| {
        let mut user = user(tx, &account, &name)?;
        change(&mut user)?;
        Ok(tx.put(&USERS, (&account, key(&name)), &user)?)
    })
    .await?;
    Ok(Unit::default())
}

fn owner(account: &Account, user: &User) -> Owner {
    Owner { kind: OwnerKind::User, account: account.clone(), name: user.name.clone(), id: user.id.clone() }
}

fn shown(user: &User) -> shapes::User {
    shapes::User {
        path: user.path.clone(),
        user_name: user.name.clone(),
        user_id: user.id.clone(),
        arn: user.arn.clone(),
        create_date: user.created,
        tags: tags::shown(&user.tags),
        ..shapes::User::default()
    }
}

#[cfg(test)]
#[path = "users_tests.rs"]
mod tests;
