//! Finds the queue of a request, and asks whether the caller may have it.
//!
//! Both sides count: the caller's own policies, which IAM knows, and the queue's. Unless the server demands signatures,
//! every caller may do everything with the queues of its own account, and only queues' policies are evaluated.

use std::sync::Arc;

use domain::Principal;
use policy::{Caller, Context as Keys, Document, Grant, Request};
use wire::{Context, Error};

use crate::Sqs;
use crate::address::Address;
use crate::error::{access_denied, queue_does_not_exist};
use crate::queue::Queue;

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

impl Sqs {
    /// The queue at a URL, for this action: `SendMessage`.
    pub(crate) fn queue_at(&self, cx: &Context, url: &str, action: &str) -> Result<Arc<Queue>, Error> {
        let address = Address::from_url(url, &cx.scope)?;
        self.queue_of(cx, &address, action)
    }

    /// The queue of an address, for this action.
    pub(crate) fn queue_of(
        &self,
        cx: &Context,
        address: &Address,
        action: &str,
    ) -> Result<Arc<Queue>, Error> {
        let queue = self.queues.find(address).ok_or_else(queue_does_not_exist)?;
        self.authorise(cx, &queue, action)?;
        Ok(queue)
    }

    /// Asks nothing but memory where no policy has a say.
    fn authorise(&self, cx: &Context, queue: &Queue, action: &str) -> Result<(), Error> {
        let current = queue.current();
        let of_queue = current.settings.policy.as_ref();
        let is_own = cx.scope.account == queue.address.scope.account;
        let is_unasked = !self.evaluates_identity || matches!(cx.principal, Principal::Root(_));
        if is_own && of_queue.is_none() && is_unasked {
            return Ok(());
        }
        let identity = (self.identify)(&cx.principal)?;
        let keys = identity
            .keys
            .with("aws:SourceIp", cx.source_ip.to_string())
            .with("aws:RequestedRegion", cx.scope.region.as_str())
            .with("aws:SecureTransport", cx.base_url.starts_with("https:"));
        let (action, arn) = (format!("sqs:{action}"), queue.arn());
        let request = Request { caller: &identity.caller, action: &action, resource: &arn, context: &keys };
        let of_identity = match &identity.policies {
            Some(policies) if !matches!(identity.caller, Caller::Root { .. }) => {
                policy::granted(policies, &request)
            }
            _ => Grant::ToCaller,
        };
        let owner = queue.address.scope.account.as_str();
        let decision =
            policy::join(&identity.caller, of_identity, owner, policy::granted(of_queue, &request));
        if decision.is_allowed() { Ok(()) } else { Err(access_denied(&queue.address.url(&self.base_url))) }
    }

    /// Whether a queue's policy lets an AWS service send to it for something that happened to `source_arn`. A queue that
    /// is not there lets nobody.
    pub fn may_send(&self, arn: &str, service: &str, source_arn: &str, source_account: &str) -> bool {
        let Some(queue) = Address::from_arn(arn).and_then(|address| self.queues.find(&address)) else {
            return false;
        };
        let current = queue.current();
        let keys = Keys::new().with("aws:SourceArn", source_arn).with("aws:SourceAccount", source_account);
        let caller = Caller::Service(service.to_owned());
        let request = Request { caller: &caller, action: "sqs:SendMessage", resource: arn, context: &keys };
        policy::granted(current.settings.policy.as_ref(), &request) == Grant::ToCaller
    }
}
