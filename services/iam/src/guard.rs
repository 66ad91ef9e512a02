//! Whether a caller's own policies allow what it asks of a service whose resources have no policies.

use domain::Principal;
use policy::{Caller, Grant, Request};
use wire::schema::Operation;
use wire::{Context, Error, Fields, Value};

use crate::Iam;
use crate::access::arn_of;
use crate::record::{USERS, key};

/// What a caller's own policies say, and what was asked.
pub struct Asked {
    /// What they say.
    pub grant: Grant,
    /// The caller with all its names.
    pub caller: Caller,
    /// What conditions were told.
    pub keys: policy::Context,
}

impl Asked {
    /// AWS's words for who may not.
    pub fn refusal(&self, cx: &Context, action: &str, resource: &str) -> String {
        let why = match self.grant {
            Grant::Denied => "with an explicit deny in an identity-based policy".to_owned(),
            _ => format!("because no identity-based policy allows the {action} action"),
        };
        let caller = arn_of(&cx.principal);
        format!("User: {caller} is not authorized to perform: {action} on resource: {resource} {why}")
    }
}

impl Iam {
    /// Whether a caller may do something, as far as its own policies say: an `Err` has AWS's message. Everything may be
    /// done where callers need not prove who they are.
    pub fn check(&self, cx: &Context, action: &str, resource: &str) -> Result<Result<(), String>, Error> {
        if !self.asks(&cx.principal) {
            return Ok(Ok(()));
        }
        let asked = self.ask(cx, action, resource, &policy::Context::new())?;
        match asked.grant {
            Grant::ToCaller => Ok(Ok(())),
            _ => Ok(Err(asked.refusal(cx, action, resource))),
        }
    }

    /// Whether a caller's own policies have a say.
    pub fn asks(&self, principal: &Principal) -> bool {
        self.0.enforces && !matches!(principal, Principal::Root(_))
    }

    /// What a caller's own policies say, of a request that has `more` condition keys.
    pub fn ask(
        &self,
        cx: &Context,
        action: &str,
        resource: &str,
        more: &policy::Context,
    ) -> Result<Asked, Error> {
        let caller = self.caller(&cx.principal)?;
        let keys = self
            .condition_keys(&cx.principal, &caller)
            .with("aws:SourceIp", cx.source_ip.to_string())
            .with("aws:RequestedRegion", cx.scope.region.as_str())
            .with("aws:SecureTransport", cx.base_url.starts_with("https:"))
            .and(more);
        let request = Request { caller: &caller, action, resource, context: &keys };
        let grant = policy::granted(&self.identity_policies(&cx.principal)?, &request);
        Ok(Asked { grant, caller, keys })
    }

    /// What a caller's own policies say. Where they are not evaluated, they allow everything.
    pub(crate) fn identity_grant(
        &self,
        principal: &Principal,
        caller: &Caller,
        action: &str,
        resource: &str,
        more: impl FnOnce(policy::Context) -> policy::Context,
    ) -> Result<Grant, Error> {
        if !self.0.enforces || matches!(principal, Principal::Root(_)) {
            return Ok(Grant::ToCaller);
        }
        let context = more(self.condition_keys(principal, caller));
        let request = Request { caller, action, resource, context: &context };
        Ok(policy::granted(&self.identity_policies(principal)?, &request))
    }
}

/// Asks about IAM's own operations.
pub(crate) fn guard(
    iam: &Iam,
    cx: &Context,
    operation: &'static Operation,
    fields: &Fields,
) -> Result<(), Error> {
    if !iam.0.enforces || matches!(cx.principal, Principal::Root(_)) {
        return Ok(());
    }
    let resource = resource(iam, cx, operation.name, fields)?;
    iam.check(cx, &format!("iam:{}", operation.name), &resource)?
        .map_err(|message| Error::new("AccessDenied", message).with_status(403))
}

/// What an operation is about.
fn resource(iam: &Iam, cx: &Context, operation: &str, fields: &Fields) -> Result<String, Error> {
    let text = |member: &str| match fields.get(member) {
        Some(Value::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let account = &cx.scope.account;
    let named = |kind: &str, name: &str| {
        let path = text("Path").unwrap_or("/");
        cx.scope.global_arn("iam", format_args!("{kind}{path}{name}"))
    };
    if let Some(name) = text("RoleName") {
        let found = iam.role(account, name)?;
        return Ok(found.map_or_else(|| named("role", name), |role| role.arn));
    }
    if let Some(name) = text("UserName") {
        let found = iam.read(|snapshot| Ok(snapshot.get(&USERS, (account, key(name)))?))?;
        return Ok(found.map_or_else(|| named("user", name), |user| user.arn));
    }
    if let Some(arn) = text("PolicyArn") {
        return Ok(arn.to_owned());
    }
    if let Some(name) = text("PolicyName") {
        return Ok(named("policy", name));
    }
    // Who names no user means itself.
    let is_own = matches!(
        operation,
        "GetUser" | "CreateAccessKey" | "ListAccessKeys" | "UpdateAccessKey" | "DeleteAccessKey"
    );
    Ok(if is_own { arn_of(&cx.principal) } else { "*".to_owned() })
}
