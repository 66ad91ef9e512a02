//! The question that every service with resource policies asks: may this caller do this to a resource of that account?

use crate::context::Context;
use crate::decide::{Decision, Grant, Request, granted, join};
use crate::document::Document;
use crate::principal::Caller;

/// A resource and its own policy.
#[derive(Clone, Copy, Debug)]
pub struct ResourceAccess<'a> {
    /// The account that it belongs to.
    pub owner: &'a str,
    /// Its ARN.
    pub arn: &'a str,
    /// Its policy, if it has one.
    pub policy: Option<&'a Document>,
}

impl ResourceAccess<'_> {
    /// Whether somebody may do something to it, as far as its own policy goes: the owner's account may do everything
    /// that the policy does not deny, others only what it allows. What identity policies say is asked elsewhere.
    pub fn decide(&self, caller: &Caller, action: &str, keys: &Context) -> Decision {
        let request = Request { caller, action, resource: self.arn, context: keys };
        let of_resource = granted(self.policy, &request);
        let of_identity = match caller {
            Caller::Root { .. } | Caller::Identity { .. } => Grant::ToCaller,
            Caller::Service(_) | Caller::Anonymous => Grant::None,
        };
        join(caller, of_identity, self.owner, of_resource)
    }

    /// The same of a service that acts for a resource of an account, such as a topic that sends to a queue.
    pub fn decide_for_service(
        &self,
        service: &str,
        action: &str,
        source_arn: &str,
        source_account: &str,
    ) -> Decision {
        let account = Some(source_account).filter(|account| !account.is_empty());
        let keys = Context::new()
            .with("aws:SourceArn", source_arn)
            .with_some("aws:SourceAccount", account)
            .with_some("aws:SourceOwner", account)
            .with("aws:PrincipalIsAWSService", "true");
        self.decide(&Caller::Service(service.to_owned()), action, &keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Kind;

    const ARN: &str = "arn:aws:sqs:us-east-1:111111111111:q";

    fn document(statement: &str) -> Document {
        Document::parse(&format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#), Kind::Resource)
            .unwrap()
    }

    fn root(account: &str) -> Caller {
        Caller::Root { account: account.to_owned() }
    }

    #[test]
    fn the_owner_may_unless_denied_and_others_only_if_allowed() {
        let keys = Context::new();
        let without = ResourceAccess { owner: "111111111111", arn: ARN, policy: None };
        assert!(without.decide(&root("111111111111"), "sqs:SendMessage", &keys).is_allowed());
        assert!(!without.decide(&root("222222222222"), "sqs:SendMessage", &keys).is_allowed());
        let shared = document(
            r#"{"Effect":"Allow","Principal":{"AWS":"222222222222"},"Action":"sqs:SendMessage","Resource":"*"}"#,
        );
        let shared = ResourceAccess { policy: Some(&shared), ..without };
        assert!(shared.decide(&root("222222222222"), "sqs:SendMessage", &keys).is_allowed());
        assert!(!shared.decide(&root("222222222222"), "sqs:DeleteQueue", &keys).is_allowed());
        let denied = document(r#"{"Effect":"Deny","Principal":"*","Action":"sqs:*","Resource":"*"}"#);
        let denied = ResourceAccess { policy: Some(&denied), ..without };
        assert!(!denied.decide(&root("111111111111"), "sqs:SendMessage", &keys).is_allowed());
    }

    #[test]
    fn a_service_may_what_the_policy_allows_for_its_source() {
        let topic = "arn:aws:sns:us-east-1:111111111111:t";
        let policy = document(&format!(
            r#"{{"Effect":"Allow","Principal":{{"Service":"sns.amazonaws.com"}},"Action":"sqs:SendMessage","Resource":"{ARN}","Condition":{{"ArnEquals":{{"aws:SourceArn":"{topic}"}}}}}}"#
        ));
        let queue = ResourceAccess { owner: "111111111111", arn: ARN, policy: Some(&policy) };
        assert!(
            queue
                .decide_for_service("sns.amazonaws.com", "sqs:SendMessage", topic, "111111111111")
                .is_allowed()
        );
        assert!(
            !queue
                .decide_for_service("events.amazonaws.com", "sqs:SendMessage", topic, "111111111111")
                .is_allowed()
        );
        let other = "arn:aws:sns:us-east-1:111111111111:other";
        assert!(
            !queue
                .decide_for_service("sns.amazonaws.com", "sqs:SendMessage", other, "111111111111")
                .is_allowed()
        );
    }
}
