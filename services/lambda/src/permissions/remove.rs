//! `RemovePermission`

use wire::{Context, Error};

use super::get::no_policy;
use super::record::{POLICIES, Subject};
use crate::error::Refusal;
use crate::functions::Target;
use crate::record::FUNCTIONS;
use crate::{Lambda, shapes};

/// Takes a statement out of a policy. A policy without statements is none.
pub async fn remove(
    lambda: Lambda,
    cx: Context,
    input: shapes::RemovePermissionRequest,
) -> Result<wire::Unit, Error> {
    let target = Target::parse_any(&cx, &input.function_name, input.qualifier.as_deref())?;
    let (scope, name) = target.key();
    lambda
        .store
        .write(move |tx| {
            if tx.get(&FUNCTIONS, target.key())?.is_none() {
                return Err(no_policy_for(&target.arn()).into());
            }
            let subject = Subject::find(tx, &target)?;
            let policy = tx.get(&POLICIES, target.qualified_key())?.ok_or_else(no_policy)?;
            let policy = policy.without(&input.statement_id)?;
            subject.check_revision(input.revision_id.as_deref(), "GetFunction/GetAlias")?;
            if policy.is_empty() {
                tx.delete(&POLICIES, target.qualified_key())?;
            } else {
                tx.put(&POLICIES, target.qualified_key(), &policy)?;
            }
            subject.renew(tx)?;
            Ok::<_, Refusal>(())
        })
        .await?;
    lambda.show(&scope, &name);
    Ok(wire::Unit::default())
}

/// There is no function that could have one. Only this operation says it so.
fn no_policy_for(arn: &str) -> Error {
    Error::new("ResourceNotFoundException", format!("No policy found for: {arn}"))
}

/// The policy has no statement of that name.
pub fn no_such_statement(sid: &str) -> Error {
    Error::new("ResourceNotFoundException", format!("Statement {sid} is not found in resource policy."))
}
