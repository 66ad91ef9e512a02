//! Whether somebody may call a URL. Both the URL's action and the function's must be allowed to them, since October 2025.
//! <https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html>

use std::net::IpAddr;

use policy::{Caller, Context as Keys, Document, Grant, Request};
use wire::Error;
use wire::gateway::{Identified, Signer};

use super::record::{Auth, UrlRecord};
use crate::Lambda;
use crate::permissions::Identity;

/// Why a caller may not call.
pub enum Denied<'a> {
    /// No policy lets it in, or it did not say who it is.
    Forbidden,
    /// It is not who it says.
    Signature {
        /// The HTTP status.
        status: u16,
        /// The error's name.
        code: &'static str,
        /// The error's text.
        message: &'a str,
    },
    /// Nobody could say.
    Fault(Error),
}

/// Whether the caller may call; then who it is, where that matters.
pub fn authorise<'a>(
    lambda: &Lambda,
    url: &UrlRecord,
    signer: &'a Signer,
    source_ip: IpAddr,
) -> Result<Option<&'a Identified>, Denied<'a>> {
    let (signer, identity) = match (url.auth, signer) {
        (Auth::None, _) => (None, anonymous()),
        (Auth::AwsIam, Signer::Known(signer)) => {
            (Some(signer), (lambda.identify)(&signer.principal).map_err(Denied::Fault)?)
        }
        (Auth::AwsIam, Signer::None) => return Err(Denied::Forbidden),
        (Auth::AwsIam, Signer::Refused { status, code, message }) => {
            return Err(Denied::Signature { status: *status, code, message });
        }
    };
    let target = url.target();
    let of_resource = lambda.functions.policy(&target.scope, &target.name, target.qualifier.as_ref());
    let mut keys = keys(url, identity.keys, source_ip);
    if let Some(tags) = lambda.functions.resource_tags(&target.scope, &target.name) {
        keys = keys.and(&tags);
    }
    let may = |action: &str| {
        let request = Request { caller: &identity.caller, action, resource: &target.arn(), context: &keys };
        let of_identity = of_identity(identity.policies.as_deref(), &request);
        let of_resource = policy::granted(of_resource.as_deref(), &request);
        policy::join(&identity.caller, of_identity, url.scope.account.as_str(), of_resource).is_allowed()
    };
    let is_allowed = may("lambda:InvokeFunctionUrl") && may("lambda:InvokeFunction");
    if is_allowed { Ok(signer) } else { Err(Denied::Forbidden) }
}

/// Who needs no signature: only the function's own policy can let them in, by letting in everyone.
fn anonymous() -> Identity {
    Identity { caller: Caller::Anonymous, policies: Some(Vec::new()), keys: Keys::new() }
}

fn of_identity(policies: Option<&[Document]>, request: &Request<'_>) -> Grant {
    match (request.caller, policies) {
        (Caller::Root { .. }, _) | (_, None) => Grant::ToCaller,
        (_, Some(policies)) => policy::granted(policies, request),
    }
}

/// What conditions may ask.
fn keys(url: &UrlRecord, identity: Keys, source_ip: IpAddr) -> Keys {
    identity
        .with("lambda:FunctionUrlAuthType", url.auth.name())
        .with("lambda:FunctionArn", url.target().arn())
        .with("lambda:InvokedViaFunctionUrl", true)
        .with("aws:SourceIp", source_ip.to_string())
        .with("aws:SecureTransport", false)
}
