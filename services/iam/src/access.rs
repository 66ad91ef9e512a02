//! Whether somebody may do something: the one place that reads policies for what they allow.
//!
//! Evaluated today are roles' trust policies. Identity policies, permissions boundaries, session policies and resource
//! policies are stored faithfully and evaluated nowhere yet; their evaluation belongs here, beside [`permits`], and its
//! callers are the services' handlers. Until then a caller of the same account needs no identity policy to assume a
//! role whose trust policy names the account, and any other call is open to every authenticated caller.

use std::collections::BTreeMap;

use domain::Principal;
use serde_json::{Map, Value};

use crate::policy_document::{statements, strings};

/// Who wants to assume a role.
pub(crate) enum Asker<'a> {
    /// An AWS service.
    Service(&'a str),
    /// A caller with credentials.
    Caller {
        /// The account of the credentials.
        account: &'a str,
        /// Every ARN under which a policy may name the caller: the session's and its role's, the user's.
        arns: &'a [String],
    },
}

/// The condition keys of a request.
pub(crate) enum Conditions<'a> {
    /// Nothing else exists: a key that is absent is absent.
    Known(&'a BTreeMap<&'a str, String>),
    /// They will be known only when it happens. What a condition might allow is allowed.
    Unknown,
}

/// Whether a trust policy lets `asker` do `action`. A document that cannot be read allows nothing.
pub(crate) fn permits(
    trust_policy: &str,
    asker: &Asker<'_>,
    action: &str,
    conditions: &Conditions<'_>,
) -> bool {
    let Ok(document) = serde_json::from_str::<Map<String, Value>>(trust_policy) else { return false };
    let Some(statements) = statements(&document) else { return false };
    let mut is_allowed = false;
    for statement in statements {
        if !names_action(statement, action) || !names(statement, asker) {
            continue;
        }
        match (statement.get("Effect").and_then(Value::as_str), holds(statement, conditions)) {
            (Some("Allow"), Some(true) | None) => is_allowed = true,
            (Some("Deny"), Some(true)) => return false,
            _ => {}
        }
    }
    is_allowed
}

/// ARNs under which policies may name a caller. A session is also its role, whose ARN has a path that only IAM knows.
pub(crate) fn arns_of(principal: &Principal, role_arn: Option<String>) -> Vec<String> {
    let arn = arn_of(principal);
    std::iter::once(arn).chain(role_arn).collect()
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

fn names_action(statement: &Map<String, Value>, action: &str) -> bool {
    let matches = |patterns: &Value| {
        let patterns = strings(patterns).unwrap_or_default();
        patterns.iter().any(|pattern| like(&pattern.to_ascii_lowercase(), &action.to_ascii_lowercase()))
    };
    match (statement.get("Action"), statement.get("NotAction")) {
        (Some(actions), _) => matches(actions),
        (None, Some(others)) => !matches(others),
        (None, None) => false,
    }
}

fn names(statement: &Map<String, Value>, asker: &Asker<'_>) -> bool {
    let principals = match statement.get("Principal") {
        Some(Value::String(everybody)) => return everybody == "*" && matches!(asker, Asker::Caller { .. }),
        Some(Value::Object(principals)) => principals,
        _ => return false,
    };
    let listed = |kind: &str| principals.get(kind).and_then(strings).unwrap_or_default();
    match asker {
        Asker::Service(service) => listed("Service").contains(service),
        Asker::Caller { account, arns } => listed("AWS").into_iter().any(|name| {
            let is_account = || {
                let parts: Vec<_> = name.splitn(6, ':').collect();
                matches!(parts[..], ["arn", _, "iam", "", owner, "root"] if owner == *account)
            };
            name == "*" || name == *account || is_account() || arns.iter().any(|arn| arn == name)
        }),
    }
}

/// Whether a statement's conditions hold; nothing if that cannot be known. An operator that Hearth does not know yet
/// holds for nobody: an Allow with it allows nothing, which is noticed and safe.
fn holds(statement: &Map<String, Value>, conditions: &Conditions<'_>) -> Option<bool> {
    let Some(operators) = statement.get("Condition").and_then(Value::as_object) else { return Some(true) };
    let Conditions::Known(values) = conditions else { return operators.is_empty().then_some(true) };
    let every = operators.iter().all(|(operator, keys)| {
        let Value::Object(keys) = keys else { return false };
        keys.iter().all(|(key, wanted)| {
            let found = values.iter().find(|(name, _)| name.eq_ignore_ascii_case(key));
            key_holds(operator, found.map(|(_, value)| value.as_str()), &strings(wanted).unwrap_or_default())
        })
    });
    Some(every)
}

fn key_holds(operator: &str, value: Option<&str>, wanted: &[&str]) -> bool {
    let (operator, if_exists) = match operator.strip_suffix("IfExists") {
        Some(operator) => (operator, true),
        None => (operator, false),
    };
    let (same, negated): (fn(&str, &str) -> bool, bool) = match operator {
        "StringEquals" => (|wanted, value| wanted == value, false),
        "StringNotEquals" => (|wanted, value| wanted == value, true),
        "StringEqualsIgnoreCase" => (str::eq_ignore_ascii_case, false),
        "StringNotEqualsIgnoreCase" => (str::eq_ignore_ascii_case, true),
        "StringLike" | "ArnLike" | "ArnEquals" => (like, false),
        "StringNotLike" | "ArnNotLike" | "ArnNotEquals" => (like, true),
        _ => return false,
    };
    match value {
        // A negated operator is true of what is not there.
        None => if_exists || negated,
        Some(value) => wanted.iter().any(|wanted| same(wanted, value)) != negated,
    }
}

/// Matches `*` and `?`. Linear in the product of the lengths: no pattern makes it slow.
fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(b'?') => (p, t) = (p + 1, t + 1),
            Some(byte) if *byte == text[t] => (p, t) = (p + 1, t + 1),
            _ => match star {
                // The last star takes one byte more.
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    (p, t) = (at + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use domain::Account;

    use super::*;

    const LAMBDA: Asker<'static> = Asker::Service("lambda.amazonaws.com");

    fn trust(principal: &str, rest: &str) -> String {
        format!(
            r#"{{"Statement":[{{"Effect":"Allow","Principal":{principal},"Action":"sts:AssumeRole"{rest}}}]}}"#
        )
    }

    #[track_caller]
    fn check_service(document: &str, allowed: bool) {
        assert_eq!(permits(document, &LAMBDA, "sts:AssumeRole", &Conditions::Unknown), allowed, "{document}");
    }

    #[track_caller]
    fn check_caller(document: &str, keys: &[(&str, &str)], allowed: bool) {
        let arns = ["arn:aws:iam::111111111111:user/team/sam".to_owned()];
        let asker = Asker::Caller { account: "111111111111", arns: &arns };
        let keys: BTreeMap<_, _> = keys.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        let found = permits(document, &asker, "sts:AssumeRole", &Conditions::Known(&keys));
        assert_eq!(found, allowed, "{document}");
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
    fn wildcards_match_and_never_run_away() {
        for (pattern, text, matches) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abb", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b*", "xxaxxbxx", true),
            ("", "a", false),
            ("a**", "a", true),
        ] {
            assert_eq!(like(pattern, text), matches, "{pattern} {text}");
        }
        assert!(!like(&"*a".repeat(500), &"a".repeat(499)));
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
        };
        assert_eq!(arn_of(&session), "arn:aws:sts::111111111111:assumed-role/basic/f");
    }
}
