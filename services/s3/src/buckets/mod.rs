//! Buckets themselves; what they are configured with is beside.

mod create;
mod delete;
mod list;
mod look;
mod names;
mod versioning;

pub(crate) use create::create;
pub(crate) use delete::delete;
pub(crate) use list::list;
pub(crate) use look::{head, location};
pub(crate) use names::{check as check_name, check_new as check_new_name};
pub(crate) use versioning::{put_versioning, versioning};

use store::Snapshot;

use crate::error::{self, Refusal};
use crate::record::{BUCKETS, Bucket};

/// The bucket with this name.
pub(crate) fn find(snapshot: &Snapshot<'_>, name: &str) -> Result<Bucket, Refusal> {
    snapshot.get(&BUCKETS, name)?.ok_or_else(|| error::no_such_bucket(name))
}

/// `arn:aws:s3:::<name>`
pub(crate) fn arn(name: &str) -> String {
    format!("arn:aws:s3:::{name}")
}

/// The account's id as S3 alone writes it: 64 hexadecimal digits. Ours are the account's digits, padded, so that a person
/// can tell whose it is.
pub(crate) fn canonical_id(account: &domain::Account) -> String {
    format!("{:0>64}", account.as_str())
}

/// The account that a canonical id stands for, if it is one of ours.
pub(crate) fn account_of(canonical_id: &str) -> Option<domain::Account> {
    let digits = canonical_id.strip_prefix(&"0".repeat(52))?;
    domain::Account::parse(digits)
}
