//! Who may put events on a bus: its own account, and whom its policy lets in.

use deliveries::Sender;
use policy::{Caller, Context as Keys, Document, Grant, Kind, Request, ResourceAccess};
use wire::{Context, Error};

use crate::arn::BusRef;
use crate::error::validation;
use crate::record::BusRecord;

/// Whether a text is a policy that a bus may have.
pub(crate) fn parse(policy: &serde_json::Value) -> Result<Document, Error> {
    Document::parse(&policy.to_string(), Kind::Resource)
        .map_err(|error| validation(format!("Policy is not valid: {error}")))
}

/// Whether the policy of a bus names the caller and allows it this.
pub(crate) fn names(bus: &BusRef, record: &BusRecord, action: &str, caller: &Caller, keys: &Keys) -> bool {
    let Some(Ok(policy)) = record.policy.as_ref().map(parse) else { return false };
    let resource = bus.arn();
    let request = Request { caller, action, resource: &resource, context: keys };
    policy::granted([&policy], &request) == Grant::ToCaller
}

/// Whether the caller may do this with a bus.
pub(crate) fn check(cx: &Context, bus: &BusRef, record: &BusRecord, action: &str) -> Result<(), Error> {
    let keys = Keys::new()
        .with("aws:SourceIp", cx.source_ip.to_string())
        .with("aws:PrincipalAccount", cx.principal.account().as_str());
    decide(&Caller::from(&cx.principal), &keys, bus, record, action)
}

/// Whether whoever sent a delivery may put events on a bus: what is of the bus's own account may.
pub(crate) fn check_sender(sender: &Sender, bus: &BusRef, record: &BusRecord) -> Result<(), Error> {
    let source_arn = sender.source_arn();
    // The ARNs of buckets name no account; they are of the account whose bus they send to.
    let account = source_arn.split(':').nth(4).filter(|account| !account.is_empty());
    let account = account.unwrap_or(bus.scope.account.as_str());
    let keys = Keys::new().with("aws:SourceArn", source_arn).with("aws:SourceAccount", account);
    let caller = Caller::Root { account: account.to_owned() };
    decide(&caller, &keys, bus, record, "events:PutEvents")
}

fn decide(caller: &Caller, keys: &Keys, bus: &BusRef, record: &BusRecord, action: &str) -> Result<(), Error> {
    let policy = record.policy.as_ref().map(parse).transpose()?;
    let arn = bus.arn();
    let access = ResourceAccess { owner: bus.scope.account.as_str(), arn: &arn, policy: policy.as_ref() };
    if access.decide(caller, action, keys).is_allowed() {
        return Ok(());
    }
    let who = match caller {
        Caller::Identity { arns, .. } => arns.first().cloned().unwrap_or_default(),
        Caller::Root { account } => format!("arn:aws:iam::{account}:root"),
        Caller::Service(name) => name.clone(),
        Caller::Anonymous => "anonymous".to_owned(),
    };
    Err(Error::new(
        "AccessDeniedException",
        format!(
            "User: {who} is not authorized to perform: {action} on resource: {arn} because no resource-based policy \
             allows the {action} action"
        ),
    ))
}
