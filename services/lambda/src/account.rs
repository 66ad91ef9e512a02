//! `GetAccountSettings`, and the account's limit on stored code.

use std::ops::ControlFlow;

use domain::{Scope, limits};
use store::{Scan, Snapshot, Tx};
use wire::{Context, Error};

use crate::error::{Refusal, service};
use crate::record::FUNCTIONS;
use crate::versions::VERSIONS;
use crate::{Lambda, concurrency, layers, shapes};

/// Limits, and what is used of them.
pub async fn get_settings(
    lambda: Lambda,
    cx: Context,
    _input: shapes::GetAccountSettingsRequest,
) -> Result<shapes::GetAccountSettingsResponse, Error> {
    let read = |snapshot: &Snapshot<'_>| {
        let functions = snapshot.scan(&FUNCTIONS, &Scan::prefix((&cx.scope,)))?.len();
        let unreserved = concurrency::unreserved(snapshot, &cx.scope, lambda.concurrency)?;
        Ok::<_, store::Error>((functions, stored_bytes(snapshot, &cx.scope)?, unreserved))
    };
    let (functions, used, unreserved) = lambda.store.read(read).map_err(service)?;
    let long = |value: u64| Some(i64::try_from(value).unwrap_or(i64::MAX));
    Ok(shapes::GetAccountSettingsResponse {
        account_limit: Some(shapes::AccountLimit {
            total_code_size: long(limits::CODE_STORAGE_BYTES),
            code_size_unzipped: long(limits::UNZIPPED_BYTES),
            code_size_zipped: long(limits::ZIP_BYTES),
            concurrent_executions: Some(lambda.concurrency.cast_signed()),
            unreserved_concurrent_executions: Some(unreserved.cast_signed()),
        }),
        account_usage: Some(shapes::AccountUsage {
            total_code_size: long(used),
            function_count: long(functions as u64),
        }),
    })
}

/// What an account's code takes in a region, in bytes: every function's, every published version's, every layer's.
fn stored_bytes(snapshot: &Snapshot<'_>, scope: &Scope) -> Result<u64, store::Error> {
    let mut bytes = layers::stored_bytes(snapshot, scope)?;
    snapshot.visit(&FUNCTIONS, &Scan::prefix((scope,)), |_, record| {
        bytes += record.code.size;
        ControlFlow::Continue(())
    })?;
    snapshot.visit(&VERSIONS, &Scan::prefix((scope,)), |_, record| {
        bytes += record.code.size;
        ControlFlow::Continue(())
    })?;
    Ok(bytes)
}

/// Refuses a package in the place of one of `replaced_bytes` (none is of 0) if it would take the account's stored code
/// over its limit.
pub fn check_room(
    tx: &Tx<'_>,
    scope: &Scope,
    bytes: u64,
    replaced_bytes: u64,
    bytes_max: u64,
) -> Result<(), Refusal> {
    if stored_bytes(tx, scope)? + bytes > bytes_max + replaced_bytes {
        return Err(Error::new("CodeStorageExceededException", "Code storage limit exceeded.").into());
    }
    Ok(())
}
