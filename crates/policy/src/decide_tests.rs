//! Who may do what, in one account and across two.

use proptest::prelude::*;

use super::*;
use crate::document::Kind;

const FUNCTION: &str = "arn:aws:lambda:us-east-1:111111111111:function:f";
const OWNER: &str = "111111111111";

fn caller(account: &str) -> Caller {
    Caller::Identity {
        account: account.to_owned(),
        arns: vec![
            format!("arn:aws:sts::{account}:assumed-role/r/s"),
            format!("arn:aws:iam::{account}:role/path/r"),
        ],
    }
}

fn identity(effect: &str) -> Document {
    let statement = format!(r#"{{"Effect":"{effect}","Action":"lambda:Invoke*","Resource":"{FUNCTION}"}}"#);
    Document::parse(&format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#), Kind::Identity)
        .unwrap()
}

fn resource(effect: &str, principal: &str, condition: &str) -> Document {
    let statement = format!(
        r#"{{"Effect":"{effect}","Principal":{principal},"Action":"lambda:InvokeFunction","Resource":"{FUNCTION}"
            ,"Condition":{condition}}}"#
    );
    Document::parse(&format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#), Kind::Resource)
        .unwrap()
}

#[track_caller]
fn check(caller: &Caller, identity: &[&Document], resource: &[&Document], expected: Decision) {
    let context = Context::new().with("aws:SourceArn", "arn:aws:s3:::b").with("aws:SourceAccount", OWNER);
    let request = Request { caller, action: "lambda:InvokeFunction", resource: FUNCTION, context: &context };
    let decision = decide(&request, identity.iter().copied(), OWNER, resource.iter().copied());
    assert_eq!(decision, expected, "{caller:?}");
}

use Decision::{Allowed, ExplicitlyDenied, ImplicitlyDenied};

#[test]
fn in_one_account_either_side_suffices() {
    let (own, allow, deny) = (caller(OWNER), identity("Allow"), identity("Deny"));
    check(&own, &[], &[], ImplicitlyDenied);
    check(&own, &[&allow], &[], Allowed);
    check(&own, &[&allow, &deny], &[], ExplicitlyDenied);
    for principal in [
        r#"{"AWS":"arn:aws:iam::111111111111:role/path/r"}"#,
        r#"{"AWS":["x","arn:aws:sts::111111111111:assumed-role/r/s"]}"#,
        r#""*""#,
    ] {
        check(&own, &[], &[&resource("Allow", principal, "{}")], Allowed);
        check(&own, &[&deny], &[&resource("Allow", principal, "{}")], ExplicitlyDenied);
        check(&own, &[&allow], &[&resource("Deny", principal, "{}")], ExplicitlyDenied);
    }
    // To the account: it decides itself, and has not let this role.
    let to_account = resource("Allow", r#"{"AWS":"111111111111"}"#, "{}");
    check(&own, &[], &[&to_account], ImplicitlyDenied);
    check(&own, &[&allow], &[&to_account], Allowed);
    check(&own, &[&allow], &[&resource("Deny", r#"{"AWS":"111111111111"}"#, "{}")], ExplicitlyDenied);
}

#[test]
fn across_accounts_both_sides_must_allow() {
    let (other, allow) = (caller("222222222222"), identity("Allow"));
    let to_account = resource("Allow", r#"{"AWS":"arn:aws:iam::222222222222:root"}"#, "{}");
    let to_role = resource("Allow", r#"{"AWS":"arn:aws:iam::222222222222:role/path/r"}"#, "{}");
    check(&other, &[&allow], &[], ImplicitlyDenied);
    check(&other, &[], &[&to_account], ImplicitlyDenied);
    check(&other, &[], &[&to_role], ImplicitlyDenied);
    check(&other, &[&allow], &[&to_account], Allowed);
    check(&other, &[&allow], &[&to_role], Allowed);
    check(&caller("333333333333"), &[&allow], &[&to_account], ImplicitlyDenied);
}

#[test]
fn a_root_user_needs_no_identity_policy() {
    let root = |account: &str| Caller::Root { account: account.to_owned() };
    check(&root(OWNER), &[], &[], Allowed);
    check(&root(OWNER), &[], &[&resource("Deny", r#"{"AWS":"111111111111"}"#, "{}")], ExplicitlyDenied);
    check(&root("222222222222"), &[], &[], ImplicitlyDenied);
    check(&root("222222222222"), &[], &[&resource("Allow", r#"{"AWS":"222222222222"}"#, "{}")], Allowed);
}

#[test]
fn a_service_needs_the_resource_to_name_it() {
    let s3 = Caller::Service("s3.amazonaws.com".to_owned());
    let to = |condition: &str| resource("Allow", r#"{"Service":"s3.amazonaws.com"}"#, condition);
    check(&s3, &[], &[], ImplicitlyDenied);
    check(&s3, &[], &[&to("{}")], Allowed);
    check(&s3, &[], &[&resource("Allow", r#"{"Service":"sns.amazonaws.com"}"#, "{}")], ImplicitlyDenied);
    check(&s3, &[], &[&to(r#"{"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::b"}}"#)], Allowed);
    check(&s3, &[], &[&to(r#"{"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::c"}}"#)], ImplicitlyDenied);
    check(
        &s3,
        &[],
        &[&to(
            r#"{"StringEquals":{"AWS:SourceAccount":"222222222222"},"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::b"}}"#,
        )],
        ImplicitlyDenied,
    );
    check(&s3, &[], &[&resource("Allow", r#""*""#, "{}")], Allowed);
    check(&Caller::Anonymous, &[], &[&to("{}")], ImplicitlyDenied);
    check(&Caller::Anonymous, &[], &[&resource("Allow", r#"{"AWS":"*"}"#, "{}")], Allowed);
}

#[test]
fn all_but_some_are_all_others() {
    let deny = r#"{"Statement":[{"Effect":"Deny","NotPrincipal":{"AWS":"arn:aws:iam::111111111111:role/path/r"},
        "Action":"*","Resource":"*"}]}"#;
    let deny = Document::parse(deny, Kind::Resource).unwrap();
    let allow = identity("Allow");
    check(&caller(OWNER), &[&allow], &[&deny], Allowed);
    let other = Caller::Identity {
        account: OWNER.to_owned(),
        arns: vec!["arn:aws:iam::111111111111:user/sam".to_owned()],
    };
    check(&other, &[&allow], &[&deny], ExplicitlyDenied);
}

#[test]
fn not_action_and_not_resource_are_the_rest() {
    let document = |statement: &str| {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#);
        Document::parse(&text, Kind::Identity).unwrap()
    };
    let others = document(r#"{"Effect":"Allow","NotAction":"LAMBDA:invoke*","Resource":"*"}"#);
    let elsewhere =
        document(r#"{"Effect":"Allow","Action":"*","NotResource":"arn:aws:lambda:*:function:f"}"#);
    let own = caller(OWNER);
    check(&own, &[&others], &[], ImplicitlyDenied);
    check(&own, &[&elsewhere], &[], ImplicitlyDenied);
    let context = Context::new();
    let request =
        Request { caller: &own, action: "s3:GetObject", resource: "arn:aws:s3:::b", context: &context };
    for document in [&others, &elsewhere] {
        assert_eq!(granted([document], &request), Grant::ToCaller);
    }
}

#[test]
fn an_open_context_allows_what_may_be_allowed_and_denies_only_what_is() {
    let lambda = Caller::Service("lambda.amazonaws.com".to_owned());
    let trust = |effect: &str, condition: &str| {
        format!(
            r#"{{"Effect":"{effect}","Principal":{{"Service":"lambda.amazonaws.com"}},"Action":"sts:AssumeRole"{condition}}}"#
        )
    };
    let condition = r#","Condition":{"StringEquals":{"aws:SourceAccount":"111111111111"}}"#;
    let document = |statements: &str| {
        Document::parse(&format!(r#"{{"Statement":[{statements}]}}"#), Kind::Trust).unwrap()
    };
    let context = Context::open();
    let request = Request {
        caller: &lambda,
        action: "sts:AssumeRole",
        resource: "arn:aws:iam::1:role/r",
        context: &context,
    };
    let allow = trust("Allow", condition);
    assert_eq!(granted([&document(&allow)], &request), Grant::ToCaller);
    let maybe = format!("{allow},{}", trust("Deny", condition));
    assert_eq!(granted([&document(&maybe)], &request), Grant::ToCaller);
    let never = format!("{allow},{}", trust("Deny", ""));
    assert_eq!(granted([&document(&never)], &request), Grant::Denied);
    let everyone = r#"{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}"#;
    assert_eq!(granted([&document(everyone)], &request), Grant::None);
}

fn any_statement() -> impl Strategy<Value = String> {
    (any::<bool>(), "(lambda|s3):(Invoke\\*|InvokeFunction|\\*)", any::<bool>(), any::<bool>()).prop_map(
        |(allow, action, is_here, has_condition)| {
            let effect = if allow { "Allow" } else { "Deny" };
            let resource = if is_here { FUNCTION } else { "arn:aws:lambda:*:*:function:other" };
            let condition =
                if has_condition { r#","Condition":{"StringEquals":{"aws:SourceAccount":"x"}}"# } else { "" };
            format!(r#"{{"Effect":"{effect}","Action":"{action}","Resource":"{resource}"{condition}}}"#)
        },
    )
}

proptest! {
    /// More denials never allow more, and the order of statements does not matter.
    #[test]
    fn denials_win_in_any_order(statements in prop::collection::vec(any_statement(), 1..6)) {
        let own = caller(OWNER);
        let context = Context::new();
        let request =
            Request { caller: &own, action: "lambda:InvokeFunction", resource: FUNCTION, context: &context };
        let document = |statements: &[String]| {
            let text = format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","));
            Document::parse(&text, Kind::Identity).unwrap()
        };
        let grant = granted([&document(&statements)], &request);
        let reversed: Vec<String> = statements.iter().rev().cloned().collect();
        prop_assert_eq!(granted([&document(&reversed)], &request), grant);
        // One document or several: the same.
        let apart: Vec<Document> = statements.iter().map(|one| document(std::slice::from_ref(one))).collect();
        prop_assert_eq!(granted(&apart, &request), grant);
        prop_assert_eq!(granted(apart.iter().chain([&identity("Deny")]), &request), Grant::Denied);
    }
}
