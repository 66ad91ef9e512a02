//! `PutResourcePolicy`, `GetResourcePolicy` and `DeleteResourcePolicy`: the policy as one document.

use policy::{Document, Kind};
use wire::{Context, Error};

use super::document::{PolicyDocument, check_length};
use super::get::no_policy;
use super::record::{POLICIES, Subject, refuse_latest};
use crate::error::{Refusal, invalid_parameter, not_supported};
use crate::functions::Target;
use crate::{Lambda, shapes};

/// Replaces the whole policy, and what `AddPermission` put into it.
pub async fn put_resource_policy(
    lambda: Lambda,
    cx: Context,
    input: shapes::PutResourcePolicyRequest,
) -> Result<shapes::PutResourcePolicyResponse, Error> {
    let target = target(&cx, &input.resource_arn)?;
    refuse_latest(&target)?;
    let policy = read(&input.policy, &target)?;
    let text = policy.text()?;
    check_length(&text)?;
    let (scope, name) = target.key();
    let revision_id = lambda
        .store
        .write(move |tx| {
            let subject = Subject::find(tx, &target)?;
            subject.check_revision(input.revision_id.as_deref(), "GetResourcePolicy")?;
            tx.put(&POLICIES, target.qualified_key(), &policy)?;
            subject.renew(tx)
        })
        .await?;
    lambda.show(&scope, &name);
    Ok(shapes::PutResourcePolicyResponse { policy: Some(text), revision_id: Some(revision_id.to_string()) })
}

/// The whole policy, however it came about.
pub async fn get_resource_policy(
    lambda: Lambda,
    cx: Context,
    input: shapes::GetResourcePolicyRequest,
) -> Result<shapes::GetResourcePolicyResponse, Error> {
    let target = target(&cx, &input.resource_arn)?;
    let (subject, policy) = lambda.store.read(|snapshot| {
        let subject = Subject::find(snapshot, &target)?;
        Ok::<_, Refusal>((subject, snapshot.get(&POLICIES, target.qualified_key())?))
    })?;
    Ok(shapes::GetResourcePolicyResponse {
        policy: Some(policy.ok_or_else(no_policy)?.text()?),
        revision_id: Some(subject.revision_id().to_string()),
    })
}

/// Deletes the whole policy.
pub async fn delete_resource_policy(
    lambda: Lambda,
    cx: Context,
    input: shapes::DeleteResourcePolicyRequest,
) -> Result<wire::Unit, Error> {
    let target = target(&cx, &input.resource_arn)?;
    let (scope, name) = target.key();
    lambda
        .store
        .write(move |tx| {
            let subject = Subject::find(tx, &target)?;
            subject.check_revision(input.revision_id.as_deref(), "GetResourcePolicy")?;
            if !tx.delete(&POLICIES, target.qualified_key())? {
                return Err(Refusal::from(no_policy()));
            }
            subject.renew(tx)?;
            Ok(())
        })
        .await?;
    lambda.show(&scope, &name);
    Ok(wire::Unit::default())
}

fn target(cx: &Context, arn: &str) -> Result<Target, Error> {
    if arn.split(':').nth(5).is_some_and(|kind| kind.starts_with("runtime/")) {
        return Err(not_supported("customer-managed runtimes"));
    }
    Target::parse_any(cx, arn, None)
}

/// A policy of this function: each statement is about Lambda's actions and about nothing else than the resource.
fn read(text: &str, target: &Target) -> Result<PolicyDocument, Error> {
    let refuse = |why: String| invalid_parameter(format!("The resource policy is invalid: {why}."));
    let document = Document::parse(text, Kind::Resource).map_err(|error| refuse(error.to_string()))?;
    let arn = target.arn();
    for statement in document.statements() {
        let mut actions = statement.actions().into_iter().flatten();
        let is_lambdas = |action: &str| {
            action == "*"
                || action.split_once(':').is_some_and(|(vendor, _)| vendor.eq_ignore_ascii_case("lambda"))
        };
        if let Some(action) = actions.find(|action| !is_lambdas(action)) {
            return Err(refuse(format!("{action} is not an action of Lambda")));
        }
        let mut resources = statement.resources().into_iter().flatten();
        if let Some(resource) = resources.find(|resource| *resource != arn && *resource != "*") {
            return Err(refuse(format!("the resource {resource} is not {arn}")));
        }
    }
    PolicyDocument::read(text)
}
