//! Whether a caller may do something to a function.
//!
//! Both sides count: the caller's own policies, which IAM knows, and the function's. Unless the server demands
//! signatures, every caller may do everything in its own account, and only resource policies are evaluated.

use std::sync::Arc;

use domain::{FunctionRef, Principal, Qualifier, Scope};
use policy::{Caller, Context as Keys, Decision, Document, Grant, Request};
use wire::{Context, Error};

use crate::error::access_denied;
use crate::functions::Target;
use crate::{Inner, Lambda};

/// Who a caller is to policies.
pub struct Identity {
    /// All its names.
    pub caller: Caller,
    /// Its own policies; none if they are not evaluated, and everything is allowed to it.
    pub policies: Option<Vec<Document>>,
    /// What conditions may ask about it.
    pub keys: Keys,
}

/// Asks who a caller is. A service error is all that can go wrong.
pub type Identify = Box<dyn Fn(&Principal) -> Result<Identity, Error> + Send + Sync>;

impl Lambda {
    /// Reads which function a request is about, wherever it lives, and checks that the caller may do it.
    pub(crate) fn target(
        &self,
        cx: &Context,
        action: &str,
        function: &str,
        qualifier: Option<&str>,
    ) -> Result<Target, Error> {
        let target = Target::parse_any(cx, function, qualifier)?;
        self.authorise(cx, action, &target)?;
        Ok(target)
    }

    /// Whether a caller's own policies have a say.
    pub(super) fn asks(&self, cx: &Context) -> bool {
        self.evaluates_identity && !matches!(cx.principal, Principal::Root(_))
    }

    /// Whether a caller's own policies let it do something to what has no policy of its own, or one that others read.
    /// Its condition keys are `more` than those of any request.
    pub(super) fn authorise_identity(
        &self,
        cx: &Context,
        action: &str,
        arn: &str,
        more: &Keys,
    ) -> Result<(), Error> {
        if !self.asks(cx) {
            return Ok(());
        }
        let identity = (self.identify)(&cx.principal)?;
        let keys = request_keys(cx, identity.keys).and(more);
        let request = Request { caller: &identity.caller, action, resource: arn, context: &keys };
        let why = match policy::granted(identity.policies.iter().flatten(), &request) {
            Grant::ToCaller => return Ok(()),
            Grant::Denied => "with an explicit deny in an identity-based policy".to_owned(),
            Grant::None | Grant::ToAccount => {
                format!("because no identity-based policy allows the {action} action")
            }
        };
        Err(access_denied(&cx.principal, action, arn, &why))
    }

    /// Whether a caller may do something to a function. Asks nothing but memory where no policy has a say.
    pub(crate) fn authorise(&self, cx: &Context, action: &str, target: &Target) -> Result<(), Error> {
        self.authorise_with(cx, action, target, || Ok(Keys::new()))
    }

    /// The same of an action that has condition keys of its own: they are looked up only if a policy has a say.
    pub(super) fn authorise_with(
        &self,
        cx: &Context,
        action: &str,
        target: &Target,
        more: impl FnOnce() -> Result<Keys, Error>,
    ) -> Result<(), Error> {
        let of_resource = self.functions.policy(&target.scope, &target.name, target.qualifier.as_ref());
        let is_own = cx.scope.account == target.scope.account;
        if is_own && of_resource.is_none() && !self.asks(cx) {
            return Ok(());
        }
        let identity = (self.identify)(&cx.principal)?;
        let mut keys = request_keys(cx, identity.keys).and(&more()?);
        if let Some(tags) = self.functions.resource_tags(&target.scope, &target.name) {
            keys = keys.and(&tags);
        }
        let arn = resource_arn(target);
        let request = Request { caller: &identity.caller, action, resource: &arn, context: &keys };
        let of_resource = policy::granted(of_resource.as_deref(), &request);
        let of_identity = match &identity.policies {
            Some(policies) if !matches!(identity.caller, Caller::Root { .. }) => {
                policy::granted(policies, &request)
            }
            _ => Grant::ToCaller,
        };
        let owner = target.scope.account.as_str();
        match policy::join(&identity.caller, of_identity, owner, of_resource) {
            Decision::Allowed => Ok(()),
            Decision::ExplicitlyDenied => {
                let side =
                    if of_identity == Grant::Denied { "an identity-based" } else { "a resource-based" };
                Err(access_denied(
                    &cx.principal,
                    action,
                    &arn,
                    &format!("with an explicit deny in {side} policy"),
                ))
            }
            Decision::ImplicitlyDenied => {
                let side = if of_identity == Grant::ToCaller { "resource-based" } else { "identity-based" };
                Err(access_denied(
                    &cx.principal,
                    action,
                    &arn,
                    &format!("because no {side} policy allows the {action} action"),
                ))
            }
        }
    }
}

impl Inner {
    /// Whether a function's policy lets an AWS service invoke it for something that happened to `source_arn` of
    /// `source_account`. Memory only: asked for every delivery.
    pub fn may_invoke(
        &self,
        function_arn: &str,
        service: &str,
        source_arn: &str,
        source_account: &str,
    ) -> bool {
        let keys = Keys::new().with("aws:SourceArn", source_arn).with("aws:SourceAccount", source_account);
        let service = Caller::Service(service.to_owned());
        self.allows(function_arn, "lambda:InvokeFunction", &service, &keys)
    }

    /// Whether there is a function with this ARN; any version or alias of it will do.
    pub fn has(&self, function_arn: &str) -> bool {
        let Ok(FunctionRef { name, region: Some(region), account: Some(account), .. }) = function_arn.parse()
        else {
            return false;
        };
        self.functions.contains(&Scope { account, region }, &name)
    }

    /// The tags of a function, its versions and its aliases, as conditions ask for them.
    pub fn tags_of(&self, function_arn: &str) -> Option<Arc<Keys>> {
        let FunctionRef { name, region, account, .. } = function_arn.parse().ok()?;
        self.functions.resource_tags(&Scope { account: account?, region: region? }, &name)
    }

    /// Whether a function's own policy lets somebody do something. A function, version or alias that is not there lets
    /// nobody.
    pub fn allows(&self, function_arn: &str, action: &str, caller: &Caller, keys: &Keys) -> bool {
        let Ok(FunctionRef { name, region: Some(region), account: Some(account), qualifier }) =
            function_arn.parse()
        else {
            return false;
        };
        let target = Target { scope: Scope { account, region }, name, qualifier };
        let Some(document) = self.functions.policy(&target.scope, &target.name, target.qualifier.as_ref())
        else {
            return false;
        };
        let arn = resource_arn(&target);
        let request = Request { caller, action, resource: &arn, context: keys };
        match policy::granted([&*document], &request) {
            Grant::ToCaller => true,
            Grant::ToAccount => {
                caller.account().is_some_and(|account| account != target.scope.account.as_str())
            }
            Grant::Denied | Grant::None => false,
        }
    }
}

/// `$LATEST` is the function itself: its policy is the function's.
fn resource_arn(target: &Target) -> String {
    match target.qualifier {
        Some(Qualifier::Latest) => Target { qualifier: None, ..target.clone() }.arn(),
        _ => target.arn(),
    }
}

/// What conditions may ask about a request.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>
fn request_keys(cx: &Context, identity: Keys) -> Keys {
    identity
        .with("aws:SourceIp", cx.source_ip.to_string())
        .with("aws:RequestedRegion", cx.scope.region.as_str())
        .with("aws:SecureTransport", cx.base_url.starts_with("https:"))
}
