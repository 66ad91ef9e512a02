//! `GetAccountSettings`, and the account's limit on stored code.

use domain::{Scope, limits};
use store::{Scan, Snapshot, Tx};
use wire::{Context, Error};

use crate::error::{Refusal, service};
use crate::record::{FUNCTIONS, FunctionRecord};
use crate::{Lambda, layers, shapes};

/// Limits, and what is used of them.
pub async fn get_settings(
    lambda: Lambda,
    cx: Context,
    _input: shapes::GetAccountSettingsRequest,
) -> Result<shapes::GetAccountSettingsResponse, Error> {
    let read = |snapshot: &Snapshot<'_>| {
        let records = snapshot.scan(&FUNCTIONS, &Scan::prefix((&cx.scope,)))?;
        Ok::<_, store::Error>((records, layers::stored_bytes(snapshot, &cx.scope)?))
    };
    let (records, layers) = lambda.store.read(read).map_err(service)?;
    let concurrency = lambda.concurrency.cast_signed();
    let used = layers + records.iter().map(|(_, record)| record.code.size).sum::<u64>();
    let long = |value: u64| Some(i64::try_from(value).unwrap_or(i64::MAX));
    Ok(shapes::GetAccountSettingsResponse {
        account_limit: Some(shapes::AccountLimit {
            total_code_size: long(limits::CODE_STORAGE_BYTES),
            code_size_unzipped: long(limits::UNZIPPED_BYTES),
            code_size_zipped: long(limits::ZIP_BYTES),
            concurrent_executions: Some(concurrency),
            // Nothing can be reserved yet.
            unreserved_concurrent_executions: Some(concurrency),
        }),
        account_usage: Some(shapes::AccountUsage {
            total_code_size: long(used),
            function_count: long(records.len() as u64),
        }),
    })
}

/// Refuses a package that would take the account's stored code over its limit.
pub fn check_code_storage(tx: &Tx<'_>, record: &FunctionRecord, bytes_max: u64) -> Result<(), Refusal> {
    let others: u64 = tx
        .scan(&FUNCTIONS, &Scan::prefix((&record.scope,)))?
        .iter()
        .filter(|(_, other)| other.name != record.name)
        .map(|(_, other)| other.code.size)
        .sum();
    check_sum(others + layers::stored_bytes(tx, &record.scope)?, record.code.size, bytes_max)
}

/// Refuses an archive of a layer that would take the account's stored code over its limit.
pub fn check_room(tx: &Tx<'_>, scope: &Scope, bytes: u64, bytes_max: u64) -> Result<(), Refusal> {
    let functions = tx.scan(&FUNCTIONS, &Scan::prefix((scope,)))?;
    let stored: u64 = functions.iter().map(|(_, record)| record.code.size).sum();
    check_sum(stored + layers::stored_bytes(tx, scope)?, bytes, bytes_max)
}

fn check_sum(stored: u64, bytes: u64, bytes_max: u64) -> Result<(), Refusal> {
    if stored + bytes > bytes_max {
        return Err(Error::new("CodeStorageExceededException", "Code storage limit exceeded.").into());
    }
    Ok(())
}
