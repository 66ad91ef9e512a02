//! Long-term access keys of users.

use domain::Principal;
use store::{Scan, Snapshot};
use wire::generated::Unit;
use wire::{Context, Error};

use crate::credentials::random_secret;
use crate::error::{Failure, no_such_entity, quota_exceeded, validation_error};
use crate::page::{Page, page};
use crate::record::{self, ACCESS_KEYS, AccessKey, OWNERS, Owner, USER_ACCESS_KEYS, key};
use crate::shapes::{
    AccessKeyLastUsed, AccessKeyMetadata, CreateAccessKeyRequest, CreateAccessKeyResponse,
    DeleteAccessKeyRequest, GetAccessKeyLastUsedRequest, GetAccessKeyLastUsedResponse, ListAccessKeysRequest,
    ListAccessKeysResponse, StatusType, UpdateAccessKeyRequest,
};
use crate::users::name_or_caller;
use crate::{Iam, id, quotas, shapes};

/// What AWS answers where it knows of no use.
const NOT_USED: &str = "N/A";

/// `CreateAccessKey`
pub(crate) async fn create_access_key(
    iam: Iam,
    cx: Context,
    input: CreateAccessKeyRequest,
) -> Result<CreateAccessKeyResponse, Error> {
    let name = name_or_caller(input.user_name, &cx.principal)?;
    let (id, secret, created) = (id::access_key(&cx.scope.account), random_secret(), iam.now());
    let access_key = iam
        .write(move |tx| {
            let user = Owner::user(tx, &cx.scope.account, &name)?;
            if tx.count(&USER_ACCESS_KEYS, &Scan::prefix((&user.id,)))? >= quotas::ACCESS_KEYS {
                return Err(quota_exceeded("AccessKeysPerUser", quotas::ACCESS_KEYS).into());
            }
            let record =
                AccessKey { user_id: user.id.clone(), secret: secret.clone(), is_active: true, created };
            tx.put(&ACCESS_KEYS, &id, &record)?;
            tx.put(&USER_ACCESS_KEYS, (&user.id, &id), &())?;
            Ok(shapes::AccessKey {
                user_name: user.name,
                access_key_id: id,
                status: StatusType::Active,
                secret_access_key: secret,
                create_date: Some(created),
            })
        })
        .await?;
    Ok(CreateAccessKeyResponse { access_key })
}

/// `ListAccessKeys`
pub(crate) async fn list_access_keys(
    iam: Iam,
    cx: Context,
    input: ListAccessKeysRequest,
) -> Result<ListAccessKeysResponse, Error> {
    let name = name_or_caller(input.user_name, &cx.principal)?;
    let keys = iam.read(|snapshot| {
        let user = Owner::user(snapshot, &cx.scope.account, &name)?;
        let mut keys = Vec::new();
        for (_, id) in snapshot.keys(&USER_ACCESS_KEYS, &Scan::prefix((&user.id,)))? {
            if let Some(record) = snapshot.get(&ACCESS_KEYS, &id)? {
                let status = if record.is_active { StatusType::Active } else { StatusType::Inactive };
                let metadata = AccessKeyMetadata {
                    user_name: Some(user.name.clone()),
                    access_key_id: Some(id.clone()),
                    status: Some(status),
                    create_date: Some(record.created),
                };
                keys.push((id, metadata));
            }
        }
        Ok(keys)
    })?;
    let Page { items, is_truncated, marker } = page(keys, input.marker.as_deref(), input.max_items)?;
    Ok(ListAccessKeysResponse { access_key_metadata: items, is_truncated, marker })
}

/// `UpdateAccessKey`
pub(crate) async fn update_access_key(
    iam: Iam,
    cx: Context,
    input: UpdateAccessKeyRequest,
) -> Result<Unit, Error> {
    let is_active = match input.status {
        StatusType::Active => true,
        StatusType::Inactive => false,
        StatusType::Expired => {
            return Err(validation_error("An access key can be set to Active or Inactive, not to Expired."));
        }
    };
    let name = name_or_caller(input.user_name, &cx.principal)?;
    iam.write(move |tx| {
        let user = Owner::user(tx, &cx.scope.account, &name)?;
        let mut record = key_of(tx, &user, &input.access_key_id)?;
        record.is_active = is_active;
        Ok(tx.put(&ACCESS_KEYS, &input.access_key_id, &record)?)
    })
    .await?;
    Ok(Unit::default())
}

/// `DeleteAccessKey`
pub(crate) async fn delete_access_key(
    iam: Iam,
    cx: Context,
    input: DeleteAccessKeyRequest,
) -> Result<Unit, Error> {
    let name = name_or_caller(input.user_name, &cx.principal)?;
    iam.write(move |tx| {
        let user = Owner::user(tx, &cx.scope.account, &name)?;
        key_of(tx, &user, &input.access_key_id)?;
        tx.delete(&ACCESS_KEYS, &input.access_key_id)?;
        tx.delete(&USER_ACCESS_KEYS, (&user.id, &input.access_key_id))?;
        Ok(())
    })
    .await?;
    Ok(Unit::default())
}

/// `GetAccessKeyLastUsed`. Use is not tracked: the answer is AWS's for a key that was not used since it tracks.
pub(crate) async fn get_access_key_last_used(
    iam: Iam,
    cx: Context,
    input: GetAccessKeyLastUsedRequest,
) -> Result<GetAccessKeyLastUsedResponse, Error> {
    let owner = iam.read(|snapshot| {
        let owner = match snapshot.get(&ACCESS_KEYS, &input.access_key_id)? {
            Some(record) => snapshot.get(&OWNERS, &record.user_id)?,
            None => None,
        };
        let owner = owner.filter(|owner| owner.account == cx.scope.account);
        Ok(owner.ok_or_else(|| no_such_key(&input.access_key_id))?)
    })?;
    let access_key_last_used = AccessKeyLastUsed {
        last_used_date: None,
        service_name: NOT_USED.to_owned(),
        region: NOT_USED.to_owned(),
    };
    Ok(GetAccessKeyLastUsedResponse {
        user_name: Some(owner.name),
        access_key_last_used: Some(access_key_last_used),
    })
}

/// The secret of an active key, and whose it is.
pub(crate) fn lookup(snapshot: &Snapshot<'_>, id: &str) -> Result<Option<(String, Principal)>, Failure> {
    let Some(record) = snapshot.get(&ACCESS_KEYS, id)?.filter(|record| record.is_active) else {
        return Ok(None);
    };
    let Some(Owner { account, name, .. }) = snapshot.get(&OWNERS, &record.user_id)? else { return Ok(None) };
    let Some(user) = snapshot.get(&record::USERS, (&account, key(&name)))? else { return Ok(None) };
    let principal = Principal::User { account, name: user.name, id: user.id, path: user.path };
    Ok(Some((record.secret, principal)))
}

fn key_of(snapshot: &Snapshot<'_>, user: &Owner, id: &str) -> Result<AccessKey, Failure> {
    let record = snapshot.get(&ACCESS_KEYS, id)?.filter(|record| record.user_id == user.id);
    Ok(record.ok_or_else(|| no_such_key(id))?)
}

fn no_such_key(id: &str) -> Error {
    no_such_entity(format!("The Access Key with id {id} cannot be found."))
}

#[cfg(test)]
#[path = "access_keys_tests.rs"]
mod tests;
