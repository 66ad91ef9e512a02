//! Who may do what with a topic: its owner what its policy does not deny, others what it allows.

use policy::{Caller, Context as Keys, Document, Grant, Kind, Request, ResourceAccess};
use wire::{Context, Error};

use crate::arn::TopicArn;
use crate::error::{invalid, not_authorized};
use crate::record::TopicRecord;
use crate::topics::effective_policy;

/// Reads a topic's policy.
pub(crate) fn parse(policy: &str) -> Result<Document, Error> {
    Document::parse(policy, Kind::Resource).map_err(|error| invalid(format_args!("Policy Error: {error}")))
}

/// Whether the caller may do this with a topic.
pub(crate) fn check(cx: &Context, arn: &TopicArn, topic: &TopicRecord, action: &str) -> Result<(), Error> {
    let caller = Caller::from(&cx.principal);
    // A topic that was given no policy has one that is about its own account alone.
    let policy = topic.attributes.policy.as_deref().map(parse).transpose()?;
    let shown = arn.to_string();
    let access = ResourceAccess { owner: arn.scope.account.as_str(), arn: &shown, policy: policy.as_ref() };
    let keys = Keys::new()
        .with("aws:SourceIp", cx.source_ip.to_string())
        .with("aws:SourceOwner", cx.principal.account().as_str())
        .with("aws:PrincipalAccount", cx.principal.account().as_str());
    if access.decide(&caller, action, &keys).is_allowed() {
        return Ok(());
    }
    Err(not_authorized(&name(&caller), action, &shown))
}

/// Whether the policy that a topic was given names the caller and allows it this.
pub(crate) fn names(arn: &TopicArn, topic: &TopicRecord, action: &str, caller: &Caller, keys: &Keys) -> bool {
    let Some(Ok(policy)) = topic.attributes.policy.as_deref().map(parse) else { return false };
    let resource = arn.to_string();
    let request = Request { caller, action, resource: &resource, context: keys };
    policy::granted([&policy], &request) == Grant::ToCaller
}

/// Whether the caller is of this account.
pub(crate) fn check_owner(cx: &Context, owner: &str, action: &str, arn: &TopicArn) -> Result<(), Error> {
    if cx.principal.account().as_str() == owner {
        return Ok(());
    }
    Err(not_authorized(&name(&Caller::from(&cx.principal)), action, &arn.to_string()))
}

/// Whether a service may do this with a topic, for one of its resources.
pub(crate) fn check_service(
    principal: &str,
    source_arn: &str,
    source_account: &str,
    arn: &TopicArn,
    topic: &TopicRecord,
    action: &str,
) -> Result<(), Error> {
    let policy = parse(&effective_policy(arn, topic))?;
    let shown = arn.to_string();
    let access = ResourceAccess { owner: arn.scope.account.as_str(), arn: &shown, policy: Some(&policy) };
    if access.decide_for_service(principal, action, source_arn, source_account).is_allowed() {
        return Ok(());
    }
    Err(not_authorized(principal, action, &shown))
}

fn name(caller: &Caller) -> String {
    match caller {
        Caller::Root { account } => format!("arn:aws:iam::{account}:root"),
        Caller::Identity { arns, .. } => arns.first().cloned().unwrap_or_default(),
        Caller::Service(name) => name.clone(),
        Caller::Anonymous => "anonymous".to_owned(),
    }
}
