//! Whether somebody may do something: which policies they have. What a policy allows, the crate `policy` says.
//!
//! Permissions boundaries and session policies cannot be set, so there are none to evaluate.

use domain::{Account, Principal};
use policy::{Caller, Context, Decision, Document, Grant, Kind, Request};
use store::{Scan, Snapshot};
use wire::Error;

use crate::error::Failure;
use crate::policies::{self, Found};
use crate::record::{ATTACHED_POLICIES, INLINE_POLICIES};
use crate::{ASSUME_ROLE, Iam, account_of_arn};

/// Whether a trust policy lets somebody assume its role. A document that cannot be read allows nothing.
pub(crate) fn permits(trust_policy: &str, role_arn: &str, caller: &Caller, context: &Context) -> bool {
    matches!(trust(trust_policy, role_arn, caller, context), Grant::ToCaller | Grant::ToAccount)
}

/// What a trust policy says of somebody who wants to assume its role.
pub(crate) fn trust(trust_policy: &str, role_arn: &str, caller: &Caller, context: &Context) -> Grant {
    let Ok(document) = Document::parse(trust_policy, Kind::Trust) else { return Grant::None };
    let request = Request { caller, action: ASSUME_ROLE, resource: role_arn, context };
    policy::granted([&document], &request)
}

/// What a service does as a role, in a session of its own: what a poller or a delivery does.
#[derive(Clone, Copy)]
pub struct RoleDeed<'a> {
    /// The role.
    pub role_arn: &'a str,
    /// What the session is called.
    pub session: &'a str,
    /// What is done: `sqs:SendMessage`.
    pub action: &'a str,
    /// The ARN of what it is done to.
    pub resource: &'a str,
    /// What conditions may ask besides who it is and when: the region, the tags of the resource.
    pub keys: &'a Context,
}

impl Iam {
    /// Whether the inline and managed policies of a role allow what a service wants to do as it. A role that is not
    /// there is allowed nothing.
    pub fn role_allows(&self, deed: &RoleDeed<'_>) -> Result<Decision, Error> {
        let RoleDeed { role_arn, session, action, resource, keys } = *deed;
        let Some(account) = account_of_arn(role_arn) else { return Ok(Decision::ImplicitlyDenied) };
        let Some(role) = self.role(&account, role_arn)? else { return Ok(Decision::ImplicitlyDenied) };
        let principal = Principal::AssumedRole {
            account,
            role: role.name,
            role_id: role.id,
            session: session.to_owned(),
            // Lambda tells it of what a function's code does, and not of what Lambda does in the role's name.
            // https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html
            source_function: None,
        };
        let caller = self.caller(&principal)?;
        let context = self
            .condition_keys(&principal, &caller)
            .with("aws:SecureTransport", true)
            .with_some("aws:ResourceAccount", account_of_arn(resource).map(|account| account.to_string()))
            .and(keys);
        let request = Request { caller: &caller, action, resource, context: &context };
        // Whether the resource's own policy matters is for its service to ask.
        let owner = principal.account().as_str();
        Ok(policy::decide(&request, &self.identity_policies(&principal)?, owner, []))
    }

    /// A caller as policies know it.
    pub fn caller(&self, principal: &Principal) -> Result<Caller, Error> {
        let role_arn = match principal {
            Principal::AssumedRole { account, role, .. } => self.role(account, role)?.map(|role| role.arn),
            Principal::Root(account) => {
                return Ok(Caller::Root { account: account.as_str().to_owned() });
            }
            Principal::User { .. } => None,
        };
        // A session is also its role, whose ARN has a path that only IAM knows.
        let arns = std::iter::once(arn_of(principal)).chain(role_arn).collect();
        Ok(Caller::Identity { account: principal.account().as_str().to_owned(), arns })
    }

    /// What conditions may ask about a caller, and the time.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>
    pub fn condition_keys(&self, principal: &Principal, caller: &Caller) -> Context {
        let source_function = match principal {
            Principal::AssumedRole { source_function, .. } => source_function.as_ref(),
            Principal::Root(_) | Principal::User { .. } => None,
        };
        let now = self.now().epoch_ms() / 1_000;
        let account = principal.account().as_str();
        let (kind, id, name) = match principal {
            Principal::Root(_) => ("Account", account.to_owned(), None),
            Principal::User { id, name, .. } => ("User", id.clone(), Some(name)),
            Principal::AssumedRole { role_id, session, .. } => {
                ("AssumedRole", format!("{role_id}:{session}"), None)
            }
        };
        // Of a session it is the role's.
        let arn = match caller {
            Caller::Identity { arns, .. } => arns.last().cloned(),
            Caller::Root { .. } | Caller::Service(_) | Caller::Anonymous => None,
        };
        Context::new()
            .with("aws:PrincipalAccount", account)
            .with("aws:PrincipalArn", arn.unwrap_or_else(|| arn_of(principal)))
            .with("aws:PrincipalType", kind)
            .with("aws:userid", id)
            .with_some("aws:username", name)
            .with_some("lambda:SourceFunctionArn", source_function)
            // No service calls another with its caller's credentials, and no service has credentials of its own.
            .with("aws:ViaAWSService", false)
            .with("aws:PrincipalIsAWSService", false)
            .with("aws:EpochTime", now.to_string())
            .with("aws:CurrentTime", now.to_string())
    }

    /// The policies of a caller's user or role. The root user has none, and needs none.
    pub fn identity_policies(&self, principal: &Principal) -> Result<Vec<Document>, Error> {
        let id = match principal {
            Principal::Root(_) => return Ok(Vec::new()),
            Principal::User { id, .. } => id,
            Principal::AssumedRole { role_id, .. } => role_id,
        };
        self.read(|snapshot| documents_of(snapshot, principal.account(), id))
    }
}

/// The policies of the role or user with this id, inline and managed.
fn documents_of(snapshot: &Snapshot<'_>, account: &Account, id: &str) -> Result<Vec<Document>, Failure> {
    let mut documents = Vec::new();
    let mut add = |text: &str| match Document::parse(text, Kind::Identity) {
        Ok(document) => documents.push(document),
        // It was checked when it was stored: this one was stored by an older Hearth.
        Err(error) => tracing::warn!(owner = id, %error, "a policy cannot be read and allows nothing"),
    };
    for (_, document) in snapshot.scan(&INLINE_POLICIES, &Scan::prefix((id,)))? {
        add(&document);
    }
    for (_, arn) in snapshot.keys(&ATTACHED_POLICIES, &Scan::prefix((id,)))? {
        match policies::find(snapshot, account, &arn)? {
            Some(Found::Local(policy)) => {
                let in_effect =
                    policy.versions.iter().find(|version| version.number == policy.default_version);
                if let Some(version) = in_effect {
                    add(&version.document);
                }
            }
            Some(Found::Managed(policy)) => add(policy.document()),
            None => {}
        }
    }
    Ok(documents)
}

/// The ARN of a caller, as `GetCallerIdentity` and refusals name it.
pub fn arn_of(principal: &Principal) -> String {
    match principal {
        Principal::Root(account) => format!("arn:aws:iam::{account}:root"),
        Principal::User { account, name, path, .. } => format!("arn:aws:iam::{account}:user{path}{name}"),
        Principal::AssumedRole { account, role, session, .. } => {
            format!("arn:aws:sts::{account}:assumed-role/{role}/{session}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = "arn:aws:iam::111111111111:role/r";

    fn trust(principal: &str, rest: &str) -> String {
        format!(
            r#"{{"Statement":[{{"Effect":"Allow","Principal":{principal},"Action":"sts:AssumeRole"{rest}}}]}}"#
        )
    }

    #[track_caller]
    fn check_service(document: &str, allowed: bool) {
        let lambda = Caller::Service("lambda.amazonaws.com".to_owned());
        assert_eq!(permits(document, ROLE, &lambda, &Context::open()), allowed, "{document}");
    }

    #[track_caller]
    fn check_caller(document: &str, keys: &[(&str, &str)], allowed: bool) {
        let arns = vec!["arn:aws:iam::111111111111:user/team/sam".to_owned()];
        let caller = Caller::Identity { account: "111111111111".to_owned(), arns };
        let context = keys.iter().fold(Context::new(), |context, (key, value)| context.with(key, *value));
        assert_eq!(permits(document, ROLE, &caller, &context), allowed, "{document}");
    }

    #[test]
    fn a_service_may_assume_a_role_that_names_it() {
        check_service(&trust(r#"{"Service":"lambda.amazonaws.com"}"#, ""), true);
        check_service(&trust(r#"{"Service":["ec2.amazonaws.com","lambda.amazonaws.com"]}"#, ""), true);
        check_service(&trust(r#"{"Service":"ec2.amazonaws.com"}"#, ""), false);
        check_service(&trust(r#"{"AWS":"*"}"#, ""), false);
        check_service(&trust(r#""*""#, ""), false);
        check_service("not json", false);
        check_service(
            r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":["sts:TagSession"]}}"#,
            false,
        );
        check_service(
            r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:*"}}"#,
            true,
        );
        check_service(
            r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"STS:assumerole"}}"#,
            true,
        );
    }

    #[test]
    fn conditions_that_only_an_invocation_can_tell_do_not_stop_a_service() {
        let condition = r#","Condition":{"StringEquals":{"aws:SourceAccount":"000000000000"}}"#;
        check_service(&trust(r#"{"Service":"lambda.amazonaws.com"}"#, condition), true);
    }

    #[test]
    fn a_denial_wins() {
        check_service(
            r#"{"Statement":[
                {"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"},
                {"Effect":"Deny","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:*"}]}"#,
            false,
        );
    }

    #[test]
    fn a_caller_is_named_by_account_arn_or_everybody() {
        for principal in [
            r#"{"AWS":"111111111111"}"#,
            r#"{"AWS":"arn:aws:iam::111111111111:root"}"#,
            r#"{"AWS":["arn:aws:iam::222222222222:root","arn:aws:iam::111111111111:user/team/sam"]}"#,
            r#"{"AWS":"*"}"#,
            r#""*""#,
        ] {
            check_caller(&trust(principal, ""), &[], true);
        }
        for principal in [
            r#"{"AWS":"222222222222"}"#,
            r#"{"AWS":"arn:aws:iam::111111111111:user/sam"}"#,
            r#"{"AWS":"arn:aws:iam::111111111111:user/team/*"}"#,
            r#"{"Service":"lambda.amazonaws.com"}"#,
        ] {
            check_caller(&trust(principal, ""), &[], false);
        }
    }

    #[test]
    fn conditions_of_a_call_must_hold() {
        let with = |condition: &str| trust(r#"{"AWS":"*"}"#, &format!(r#","Condition":{condition}"#));
        let external = with(r#"{"StringEquals":{"sts:ExternalId":["a","b"]}}"#);
        check_caller(&external, &[("sts:ExternalId", "b")], true);
        check_caller(&external, &[("sts:ExternalId", "c")], false);
        check_caller(&external, &[], false);
        check_caller(&with(r#"{"StringEqualsIfExists":{"sts:ExternalId":"a"}}"#), &[], true);
        check_caller(
            &with(r#"{"StringNotEquals":{"sts:ExternalId":"a"}}"#),
            &[("sts:ExternalId", "a")],
            false,
        );
        check_caller(&with(r#"{"StringNotEquals":{"sts:ExternalId":"a"}}"#), &[], true);
        let session = with(r#"{"StringLike":{"sts:rolesessionname":"ci-*-?"}}"#);
        check_caller(&session, &[("sts:RoleSessionName", "ci-main-1")], true);
        check_caller(&session, &[("sts:RoleSessionName", "main")], false);
        check_caller(&with(r#"{"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}}"#), &[], false);
    }

    #[test]
    fn callers_have_the_arns_that_aws_gives_them() {
        let account = Account::parse("111111111111").unwrap();
        assert_eq!(arn_of(&Principal::Root(account.clone())), "arn:aws:iam::111111111111:root");
        let user = Principal::User {
            account: account.clone(),
            name: "sam".to_owned(),
            id: "AIDA".to_owned(),
            path: "/team/".to_owned(),
        };
        assert_eq!(arn_of(&user), "arn:aws:iam::111111111111:user/team/sam");
        let session = Principal::AssumedRole {
            account,
            role: "basic".to_owned(),
            role_id: "AROA".to_owned(),
            session: "f".to_owned(),
            source_function: None,
        };
        assert_eq!(arn_of(&session), "arn:aws:sts::111111111111:assumed-role/basic/f");
    }
}
