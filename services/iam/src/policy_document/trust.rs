//! Trust policies: who may assume a role.

use policy::{Document, Kind};
use serde_json::{Map, Value};
use wire::Error;

use super::{has_duplicate_sids, parse, statements, strings};
use crate::error::malformed_policy;

const VERSIONS: [&str; 2] = ["2008-10-17", "2012-10-17"];
const STATEMENT_ELEMENTS: [&str; 9] = [
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];

/// Whether the document may be stored as a role's trust policy. Whether the users and roles that it names exist is
/// not checked: they may be created later, or in an account that nobody has used yet.
pub(crate) fn check_trust_policy(text: &str) -> Result<(), Error> {
    let document = parse(text, "This policy contains invalid Json")?;
    if let Some(unknown) =
        document.keys().find(|element| !matches!(element.as_str(), "Version" | "Id" | "Statement"))
    {
        return Err(malformed_policy(format!("Unknown field {unknown}")));
    }
    let has_version = |version: &Value| version.as_str().is_some_and(|version| VERSIONS.contains(&version));
    if !document.get("Version").is_none_or(has_version) {
        return Err(malformed_policy("The policy must contain a valid version string"));
    }
    if !document.contains_key("Statement") {
        return Err(malformed_policy("Missing required field Statement"));
    }
    let statements = statements(&document)
        .ok_or_else(|| malformed_policy("Could not parse the policy: Statement is empty!"))?;
    for statement in &statements {
        check_statement(statement)?;
    }
    if has_duplicate_sids(&statements) {
        return Err(malformed_policy("The Statement Ids in the policy are not unique"));
    }
    // What could not be evaluated is not stored.
    Document::parse(text, Kind::Trust)
        .map_err(|error| malformed_policy(format!("Could not parse the policy: {error}")))?;
    Ok(())
}

fn check_statement(statement: &Map<String, Value>) -> Result<(), Error> {
    let refuse = |message: &str| Err(malformed_policy(message));
    if let Some(unknown) = statement.keys().find(|element| !STATEMENT_ELEMENTS.contains(&element.as_str())) {
        return Err(malformed_policy(format!("Unknown field {unknown}")));
    }
    match statement.get("Effect").map(Value::as_str) {
        None => return refuse("Missing required field Effect"),
        Some(Some("Allow" | "Deny")) => {}
        Some(effect) => {
            return Err(malformed_policy(format!("Invalid effect: {}", effect.unwrap_or_default())));
        }
    }
    if statement.contains_key("NotPrincipal") {
        return refuse("AssumeRole policy must not contain NotPrincipal field.");
    }
    check_principal(statement)?;
    let actions = match (statement.get("Action"), statement.get("NotAction")) {
        (None, None) => return refuse("Missing required field Action"),
        (Some(actions), None) | (None, Some(actions)) => strings(actions).unwrap_or_default(),
        (Some(_), Some(_)) => return refuse("Syntax error in policy."),
    };
    if actions.is_empty() {
        return refuse("Missing required field Action");
    }
    if !actions.iter().all(|action| action.get(..4).is_some_and(|vendor| vendor.eq_ignore_ascii_case("sts:")))
    {
        return refuse("AssumeRole policy may only specify STS AssumeRole actions.");
    }
    if statement.contains_key("Resource") {
        return refuse("Has prohibited field Resource");
    }
    if statement.contains_key("NotResource") {
        return refuse("AssumeRole policy must not contain resources.");
    }
    if !statement.get("Condition").is_none_or(Value::is_object) {
        return refuse("Syntax error in policy.");
    }
    Ok(())
}

fn check_principal(statement: &Map<String, Value>) -> Result<(), Error> {
    let principals = match statement.get("Principal") {
        None => return Err(malformed_policy("Missing required field Principal")),
        // Everybody, which AWS accepts in this form only.
        Some(Value::String(everybody)) if everybody == "*" => return Ok(()),
        Some(Value::Object(principals)) => principals,
        Some(_) => return Err(malformed_policy("Principal must be a JSON object.")),
    };
    if principals.is_empty() {
        return Err(malformed_policy("Missing required field Principal cannot be empty!"));
    }
    for (kind, values) in principals {
        let names = strings(values).ok_or_else(|| malformed_policy("Syntax error in policy."))?;
        let fits: fn(&str) -> bool = match kind.as_str() {
            "AWS" => is_aws_principal,
            "Service" => is_service,
            "Federated" => |_| true,
            _ => return Err(malformed_policy(format!("Invalid principal in policy: \"{kind}\""))),
        };
        if let Some(name) = names.into_iter().find(|name| !fits(name)) {
            let kind = kind.to_ascii_uppercase();
            return Err(malformed_policy(format!("Invalid principal in policy: \"{kind}\":\"{name}\"")));
        }
    }
    Ok(())
}

fn is_aws_principal(name: &str) -> bool {
    let is_account = name.len() == 12 && name.bytes().all(|byte| byte.is_ascii_digit());
    let is_arn = || {
        let parts: Vec<_> = name.splitn(6, ':').collect();
        matches!(parts[..], ["arn", _, "iam" | "sts", "", _, resource] if !resource.is_empty())
    };
    // What an ARN becomes on AWS when its role or user is deleted.
    let is_id = || name.starts_with("AROA") || name.starts_with("AIDA");
    name == "*" || is_account || is_arn() || is_id()
}

fn is_service(name: &str) -> bool {
    [".amazonaws.com", ".amazonaws.com.cn", ".aws.internal"].iter().any(|suffix| name.ends_with(suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(document: &str, message: Option<&str>) {
        let found = check_trust_policy(document).err().map(|error| {
            assert_eq!(error.code, "MalformedPolicyDocument");
            error.message
        });
        assert_eq!(found.as_deref(), message, "{document}");
    }

    #[track_caller]
    fn check_one(statement: &str, message: Option<&str>) {
        check(&format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#), message);
    }

    #[test]
    fn trust_policies_of_every_usual_form_are_accepted() {
        for principal in [
            r#"{"Service":"lambda.amazonaws.com"}"#,
            r#"{"Service":["lambda.amazonaws.com","edgelambda.amazonaws.com"]}"#,
            r#"{"AWS":"123456789012"}"#,
            r#"{"AWS":["arn:aws:iam::123456789012:root","arn:aws:iam::123456789012:role/path/r"]}"#,
            r#"{"AWS":"*"}"#,
            r#""*""#,
            r#"{"Federated":"arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"}"#,
        ] {
            check_one(
                &format!(r#"{{"Effect":"Allow","Principal":{principal},"Action":"sts:AssumeRole"}}"#),
                None,
            );
        }
        check(
            r#"{"Statement":{"Sid":"a b","Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},
                "Action":["sts:AssumeRole","sts:TagSession"],"Condition":{"StringEquals":{"sts:ExternalId":"x"}}}}"#,
            None,
        );
    }

    #[test]
    fn what_is_no_trust_policy_says_why() {
        check("not json", Some("This policy contains invalid Json"));
        check("[]", Some("This policy contains invalid Json"));
        check(r#"{"Version":"2012-10-17"}"#, Some("Missing required field Statement"));
        check(r#"{"Statement":[]}"#, Some("Could not parse the policy: Statement is empty!"));
        check(
            r#"{"Version":"2030-01-01","Statement":[]}"#,
            Some("The policy must contain a valid version string"),
        );
        check(r#"{"Statements":[]}"#, Some("Unknown field Statements"));
    }

    #[test]
    fn a_statement_says_what_is_wrong_with_it() {
        let lambda = r#""Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole""#;
        for (statement, message) in [
            (format!("{{{lambda}}}"), "Missing required field Effect"),
            (format!(r#"{{"Effect":"Permit",{lambda}}}"#), "Invalid effect: Permit"),
            (r#"{"Effect":"Allow","Action":"sts:AssumeRole"}"#.into(), "Missing required field Principal"),
            (
                r#"{"Effect":"Allow","Principal":{},"Action":"sts:AssumeRole"}"#.into(),
                "Missing required field Principal cannot be empty!",
            ),
            (
                r#"{"Effect":"Allow","Principal":"lambda.amazonaws.com","Action":"sts:AssumeRole"}"#.into(),
                "Principal must be a JSON object.",
            ),
            (
                r#"{"Effect":"Allow","Principal":{"Service":"lambda"},"Action":"sts:AssumeRole"}"#.into(),
                r#"Invalid principal in policy: "SERVICE":"lambda""#,
            ),
            (
                r#"{"Effect":"Allow","Principal":{"AWS":"sam"},"Action":"sts:AssumeRole"}"#.into(),
                r#"Invalid principal in policy: "AWS":"sam""#,
            ),
            (
                r#"{"Effect":"Allow","Principal":{"User":"sam"},"Action":"sts:AssumeRole"}"#.into(),
                r#"Invalid principal in policy: "User""#,
            ),
            (
                r#"{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"}}"#.into(),
                "Missing required field Action",
            ),
            (
                r#"{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"*"}"#.into(),
                "AssumeRole policy may only specify STS AssumeRole actions.",
            ),
            (format!(r#"{{"Effect":"Allow",{lambda},"Resource":"*"}}"#), "Has prohibited field Resource"),
            (
                format!(r#"{{"Effect":"Allow",{lambda},"NotResource":"*"}}"#),
                "AssumeRole policy must not contain resources.",
            ),
            (
                r#"{"Effect":"Allow","NotPrincipal":{"AWS":"*"},"Action":"sts:AssumeRole"}"#.into(),
                "AssumeRole policy must not contain NotPrincipal field.",
            ),
            (format!(r#"{{"Effect":"Allow",{lambda},"Why":"x"}}"#), "Unknown field Why"),
            (
                format!(r#"{{"Sid":"a","Effect":"Allow",{lambda}}},{{"Sid":"a","Effect":"Allow",{lambda}}}"#),
                "The Statement Ids in the policy are not unique",
            ),
        ] {
            check_one(&statement, Some(message));
        }
    }
}
