//! What is a policy, and what is not.

use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(kind: Kind, statement: &str, error: Option<&str>) {
    let text = format!(r#"{{"Version":"2012-10-17","Id":"default","Statement":[{statement}]}}"#);
    let found = Document::parse(&text, kind).err().map(|error| error.to_string());
    assert_eq!(found.as_deref(), error, "{statement}");
}

#[test]
fn policies_of_every_usual_form_are_accepted() {
    for statement in [
        r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}"#,
        r#"{"Effect":"Deny","NotAction":["s3:*","iam:Get?ser*"],"NotResource":["arn:aws:s3:::b"]}"#,
        r#"{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":true}}}"#,
        r#"{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"NumericLessThan":{"s3:max-keys":10}}}"#,
    ] {
        check(Kind::Identity, statement, None);
    }
    for principal in [r#""*""#, r#"{"AWS":"*"}"#, r#"{"Service":["a.amazonaws.com"],"AWS":"111111111111"}"#] {
        let rest = r#""Effect":"Allow","Action":"lambda:InvokeFunction""#;
        check(Kind::Resource, &format!(r#"{{"Principal":{principal},{rest},"Resource":"r"}}"#), None);
        check(Kind::Trust, &format!(r#"{{"NotPrincipal":{principal},{rest}}}"#), None);
    }
}

#[test]
fn a_statement_says_what_is_wrong_with_it() {
    for (statement, error) in [
        ("7", "Statement cannot be 7"),
        (r#"{"Action":"s3:*","Resource":"*"}"#, "Effect is missing"),
        (r#"{"Effect":"allow","Action":"s3:*","Resource":"*"}"#, r#"Effect cannot be "allow""#),
        (r#"{"Effect":"Allow","Resource":"*"}"#, "Action is missing"),
        (r#"{"Effect":"Allow","Action":[],"Resource":"*"}"#, "Action cannot be []"),
        (r#"{"Effect":"Allow","Action":"s3:*"}"#, "Resource is missing"),
        (
            r#"{"Effect":"Allow","Action":"a:b","NotAction":"a:b","Resource":"*"}"#,
            "NotAction is not allowed here",
        ),
        (
            r#"{"Effect":"Allow","Principal":"*","Action":"a:b","Resource":"*"}"#,
            "Principal is not allowed here",
        ),
        (
            r#"{"Effect":"Allow","Action":"a:b","Resource":"*","Condition":{"Like":{"k":"v"}}}"#,
            "Like is not a condition operator",
        ),
        (
            r#"{"Effect":"Allow","Action":"a:b","Resource":"*","Condition":{"IpAddress":{"k":"v"}}}"#,
            r#"Condition cannot be "v""#,
        ),
        (
            r#"{"Sid":"a","Effect":"Allow","Action":"a:b","Resource":"*"},{"Sid":"a","Effect":"Allow","Action":"a:b","Resource":"*"}"#,
            "the Sid a is there twice",
        ),
        ("", "Statement is missing"),
    ] {
        check(Kind::Identity, statement, Some(error));
    }
    let rest = r#""Effect":"Allow","Action":"a:b","Resource":"*""#;
    for (principal, error) in [
        ("", "Principal is missing"),
        (r#""Principal":"sam","#, r#"Principal cannot be "sam""#),
        (r#""Principal":{},"#, "Principal cannot be {}"),
        (r#""Principal":{"User":"sam"},"#, "User is not allowed here"),
    ] {
        check(Kind::Resource, &format!("{{{principal}{rest}}}"), Some(error));
    }
    check(Kind::Trust, &format!(r#"{{"Principal":"*",{rest}}}"#), Some("Resource is not allowed here"));
}

#[test]
fn what_is_no_document_says_so() {
    for (text, error) in [
        ("", "the policy is not valid JSON"),
        ("[]", "the policy is not valid JSON"),
        ("{}", "Statement is missing"),
        (
            r#"{"Version":"2020-01-01","Statement":[]}"#,
            "the policy's Version must be 2012-10-17 or 2008-10-17",
        ),
        (r#"{"Statements":[]}"#, "Statements is not allowed here"),
    ] {
        assert_eq!(Document::parse(text, Kind::Resource).unwrap_err().to_string(), error, "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_is_a_policy_or_is_refused(text in any::<String>()) {
        let _ = Document::parse(&text, Kind::Resource);
    }
}
