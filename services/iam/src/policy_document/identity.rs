//! Policies of users and roles, inline or managed.

use policy::{Document, Kind};
use serde_json::{Map, Value};
use wire::Error;

use super::{has_duplicate_sids, parse, statements, strings};
use crate::error::malformed_policy;

const SYNTAX: &str = "Syntax errors in policy.";
const VERSION: &str = "2012-10-17";
const VERSION_OLD: &str = "2008-10-17";
const ELEMENTS: [&str; 3] = ["Version", "Id", "Statement"];
const STATEMENT_ELEMENTS: [&str; 7] =
    ["Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"];

/// Whether the document may be stored as a policy of an identity.
pub(crate) fn check_identity_policy(text: &str) -> Result<(), Error> {
    let document = parse(text, SYNTAX)?;
    match document.get("Version").map(Value::as_str) {
        Some(Some(VERSION)) => {}
        None | Some(Some(VERSION_OLD)) => {
            return Err(malformed_policy("Policy document must be version 2012-10-17 or greater."));
        }
        Some(_) => return Err(malformed_policy(SYNTAX)),
    }
    let statements = statements(&document).ok_or_else(|| malformed_policy(SYNTAX))?;
    if document.keys().any(|element| !ELEMENTS.contains(&element.as_str())) {
        return Err(malformed_policy(SYNTAX));
    }
    for statement in &statements {
        check_statement(statement)?;
    }
    if has_duplicate_sids(&statements) {
        return Err(malformed_policy("Statement IDs (SID) in a single policy must be unique."));
    }
    // What could not be evaluated is not stored: an unknown operator, a range of addresses that is none.
    Document::parse(text, Kind::Identity).map_err(|_| malformed_policy(SYNTAX))?;
    Ok(())
}

fn check_statement(statement: &Map<String, Value>) -> Result<(), Error> {
    if statement.contains_key("Principal") || statement.contains_key("NotPrincipal") {
        return Err(malformed_policy("Policy document should not specify a principal."));
    }
    let knows_all = statement.keys().all(|element| STATEMENT_ELEMENTS.contains(&element.as_str()));
    let has_effect = matches!(statement.get("Effect").and_then(Value::as_str), Some("Allow" | "Deny"));
    if !knows_all || !has_effect {
        return Err(malformed_policy(SYNTAX));
    }
    check_sid(statement)?;
    let actions = one_of(statement, "Action", "NotAction", "Policy statement must contain actions.")?;
    actions.into_iter().try_for_each(check_action)?;
    let resources = one_of(statement, "Resource", "NotResource", "Policy statement must contain resources.")?;
    resources.into_iter().try_for_each(check_resource)
}

fn check_sid(statement: &Map<String, Value>) -> Result<(), Error> {
    let Some(sid) = statement.get("Sid") else { return Ok(()) };
    let sid = sid.as_str().ok_or_else(|| malformed_policy(SYNTAX))?;
    if sid.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Ok(());
    }
    Err(malformed_policy(
        "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression \
         [0-9A-Za-z]*",
    ))
}

/// The values of one of two elements, of which a statement has exactly one.
fn one_of<'d>(
    statement: &'d Map<String, Value>,
    element: &str,
    negated: &str,
    missing: &str,
) -> Result<Vec<&'d str>, Error> {
    let value = match (statement.get(element), statement.get(negated)) {
        (Some(value), None) | (None, Some(value)) => value,
        (None, None) => return Err(malformed_policy(missing)),
        (Some(_), Some(_)) => return Err(malformed_policy(SYNTAX)),
    };
    match strings(value) {
        None => Err(malformed_policy(SYNTAX)),
        Some(values) if values.is_empty() => Err(malformed_policy(missing)),
        Some(values) => Ok(values),
    }
}

fn check_action(action: &str) -> Result<(), Error> {
    if action == "*" {
        return Ok(());
    }
    let Some((vendor, operation)) = action.split_once(':') else {
        return Err(malformed_policy(
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        ));
    };
    let is_vendor = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if vendor.is_empty() || !vendor.bytes().all(is_vendor) {
        return Err(malformed_policy(format!("Vendor {vendor} is not valid")));
    }
    let is_operation = |byte: u8| byte.is_ascii_alphanumeric() || b"*?-_:".contains(&byte);
    if operation.is_empty() || !operation.bytes().all(is_operation) {
        return Err(malformed_policy(SYNTAX));
    }
    Ok(())
}

fn check_resource(resource: &str) -> Result<(), Error> {
    if resource == "*" {
        return Ok(());
    }
    let mut parts = resource.split(':');
    if parts.next() != Some("arn") {
        return Err(malformed_policy(format!("Resource {resource} must be in ARN format or \"*\".")));
    }
    let partition = parts.next().unwrap_or_default();
    if !(partition == "*" || partition.starts_with("aws")) {
        return Err(malformed_policy(format!(
            "Partition \"{partition}\" is not valid for resource \"{resource}\"."
        )));
    }
    // Service, region, account and what they hold; the last may itself have colons, or be swallowed by a wildcard.
    let is_whole = parts.clone().count() >= 4 || resource.ends_with('*');
    if !is_whole {
        return Err(malformed_policy("The policy failed legacy parsing"));
    }
    let (service, region) = (parts.next(), parts.next().unwrap_or_default());
    if service == Some("iam") && !region.is_empty() && region != "*" {
        return Err(malformed_policy(format!("IAM resource {resource} cannot contain region information.")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(document: &str, message: Option<&str>) {
        let found = check_identity_policy(document).err().map(|error| {
            assert_eq!(error.code, "MalformedPolicyDocument");
            error.message
        });
        assert_eq!(found.as_deref(), message, "{document}");
    }

    fn with_statement(statement: &str) -> String {
        format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#)
    }

    #[test]
    fn policies_of_every_usual_form_are_accepted() {
        for statement in [
            r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}"#,
            r#"[{"Effect":"Deny","NotAction":["s3:*","iam:Get?ser*"],"NotResource":["arn:aws:s3:::b","arn:aws:s3:::b/*"]}]"#,
            r#"[{"Sid":"A1","Effect":"Allow","Action":"*","Resource":"arn:aws:logs:*:*:log-group:/aws/lambda/f:*"}]"#,
            r#"{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":true}}}"#,
            r#"{"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::123456789012:role/${aws:username}"}"#,
            r#"{"Effect":"Allow","Action":"dynamodb:Query","Resource":"arn:aws:dynamodb:*"}"#,
        ] {
            check(&with_statement(statement), None);
        }
    }

    #[test]
    fn what_is_no_policy_has_syntax_errors() {
        for document in ["", "no json", "[]", "null", "{", r#""text""#, r#"{"Version":"2012-10-17"}"#] {
            check(document, Some(SYNTAX));
        }
        for statement in [
            "[]",
            "7",
            "[7]",
            r#"{"Action":"s3:*","Resource":"*"}"#,
            r#"{"Effect":"allow","Action":"s3:*","Resource":"*"}"#,
            r#"{"Effect":"Allow","Action":"s3:*","Resource":"*","Extra":1}"#,
            r#"{"Effect":"Allow","Action":{"a":"b"},"Resource":"*"}"#,
            r#"{"Effect":"Allow","Action":"s3:*","NotAction":"s3:*","Resource":"*"}"#,
            r#"{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":"c"}"#,
            r#"{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringEquals":"x"}}"#,
            r#"{"Effect":"Allow","Action":"s3:Get Object","Resource":"*"}"#,
            r#"{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringEqual":{"k":"v"}}}"#,
            r#"{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"home"}}}"#,
        ] {
            check(&with_statement(statement), Some(SYNTAX));
        }
    }

    #[test]
    fn the_version_must_be_the_present_one() {
        let statement = r#""Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}"#;
        let old = "Policy document must be version 2012-10-17 or greater.";
        check(&format!("{{{statement}}}"), Some(old));
        check(&format!(r#"{{"Version":"2008-10-17",{statement}}}"#), Some(old));
        check(&format!(r#"{{"Version":"2020-01-01",{statement}}}"#), Some(SYNTAX));
        check(&format!(r#"{{"Version":"2012-10-17","Extra":1,{statement}}}"#), Some(SYNTAX));
    }

    #[test]
    fn a_statement_says_what_it_lacks() {
        for (statement, message) in [
            (
                r#"{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}"#,
                "Policy document should not specify a principal.",
            ),
            (r#"{"Effect":"Allow","Resource":"*"}"#, "Policy statement must contain actions."),
            (r#"{"Effect":"Allow","Action":[],"Resource":"*"}"#, "Policy statement must contain actions."),
            (r#"{"Effect":"Allow","Action":"s3:*"}"#, "Policy statement must contain resources."),
            (
                r#"{"Effect":"Allow","Action":"GetObject","Resource":"*"}"#,
                "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
            ),
            (r#"{"Effect":"Allow","Action":"s 3:x","Resource":"*"}"#, "Vendor s 3 is not valid"),
            (
                r#"{"Effect":"Allow","Action":"s3:*","Resource":"bucket"}"#,
                r#"Resource bucket must be in ARN format or "*"."#,
            ),
            (
                r#"{"Effect":"Allow","Action":"s3:*","Resource":"arn:gcp:s3:::b"}"#,
                r#"Partition "gcp" is not valid for resource "arn:gcp:s3:::b"."#,
            ),
            (
                r#"{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3"}"#,
                "The policy failed legacy parsing",
            ),
            (
                r#"{"Effect":"Allow","Action":"iam:*","Resource":"arn:aws:iam:us-east-1:1:role/r"}"#,
                "IAM resource arn:aws:iam:us-east-1:1:role/r cannot contain region information.",
            ),
            (
                r#"{"Sid":"a b","Effect":"Allow","Action":"s3:*","Resource":"*"}"#,
                "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression \
                 [0-9A-Za-z]*",
            ),
            (
                r#"[{"Sid":"a","Effect":"Allow","Action":"s3:*","Resource":"*"},
                    {"Sid":"a","Effect":"Deny","Action":"s3:*","Resource":"*"}]"#,
                "Statement IDs (SID) in a single policy must be unique.",
            ),
        ] {
            check(&with_statement(statement), Some(message));
        }
    }
}
