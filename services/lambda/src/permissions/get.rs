//! `GetPolicy`

use domain::Qualifier;
use store::Snapshot;
use wire::{Context, Error};

use super::record::{POLICIES, Subject};
use crate::error::Refusal;
use crate::functions::Target;
use crate::record::FUNCTIONS;
use crate::versions::VERSIONS;
use crate::{Lambda, shapes};

/// The whole policy, as text.
pub async fn get(
    lambda: Lambda,
    cx: Context,
    input: shapes::GetPolicyRequest,
) -> Result<shapes::GetPolicyResponse, Error> {
    let target = Target::parse_any(&cx, &input.function_name, input.qualifier.as_deref())?;
    let (subject, policy) = lambda.store.read(|snapshot| {
        if is_missing_version(snapshot, &target)? {
            return Err(nothing().into());
        }
        let subject = Subject::find(snapshot, &target)?;
        Ok::<_, Refusal>((subject, snapshot.get(&POLICIES, target.qualified_key())?))
    })?;
    let policy = policy.ok_or_else(nothing)?;
    Ok(shapes::GetPolicyResponse {
        policy: Some(policy.text()?),
        revision_id: Some(subject.revision_id().to_string()),
    })
}

/// A version that a function does not have is said like a policy that it does not have.
fn is_missing_version(snapshot: &Snapshot<'_>, target: &Target) -> Result<bool, store::Error> {
    let Some(Qualifier::Version(number)) = target.qualifier else { return Ok(false) };
    let is_missing = snapshot.get(&VERSIONS, (&target.scope, &target.name, number))?.is_none();
    Ok(is_missing && snapshot.get(&FUNCTIONS, target.key())?.is_some())
}

fn nothing() -> Error {
    Error::new("ResourceNotFoundException", "The resource you requested does not exist.")
}

/// There is nothing to change: only the operations that change say it so.
pub fn no_policy() -> Error {
    Error::new("ResourceNotFoundException", "No policy is associated with the given resource.")
}
