//! Whether a bucket can have a policy, in S3's words.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html>

use policy::{Document, Kind, ParseError};
use s3s::S3ErrorCode;
use serde_json::{Map, Value};

use crate::access::actions::{self, Level};
use crate::buckets;
use crate::error::{Refusal, refuse};

/// Without the spaces. <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html>
const BYTES_MAX: usize = 20 * 1024;

/// The document, if a bucket of this name can have it.
pub(super) fn check(text: &str, bucket: &str) -> Result<Value, Refusal> {
    let document: Value = serde_json::from_str(text)
        .ok()
        .filter(|document: &Value| document.is_object() && text.starts_with('{'))
        .ok_or_else(|| malformed("Policies must be valid JSON and the first byte must be '{'"))?;
    if document.to_string().len() > BYTES_MAX {
        return Err(malformed(format!("Policy exceeds the maximum allowed size of {BYTES_MAX} bytes.")));
    }
    Document::parse(text, Kind::Resource).map_err(|error| malformed(said(&error)))?;
    for statement in statements(&document) {
        check_principals(statement)?;
        check_resources(statement, bucket)?;
        check_actions(statement)?;
    }
    Ok(document)
}

fn said(error: &ParseError) -> String {
    match error {
        ParseError::Missing("Principal") => "Missing required field Principal".to_owned(),
        ParseError::Missing(field) => format!("Missing required field {field}"),
        ParseError::Unexpected(field) => format!("Unknown field {field}"),
        ParseError::Version => "The policy must contain a valid version string".to_owned(),
        ParseError::Invalid { element: "Effect", value } => {
            format!("Invalid effect: {}", value.trim_matches('"'))
        }
        ParseError::Invalid { element: "Principal" | "NotPrincipal", .. } => {
            "Invalid principal in policy".to_owned()
        }
        ParseError::Operator(operator) => format!("Invalid Condition type : {operator}"),
        ParseError::DuplicateSid(_) => "Statement IDs (SID) in a single policy must be unique.".to_owned(),
        _ => "Invalid policy syntax.".to_owned(),
    }
}

fn check_principals(statement: &Map<String, Value>) -> Result<(), Refusal> {
    let named = statement.get("Principal").or_else(|| statement.get("NotPrincipal"));
    let Some(Value::Object(kinds)) = named else { return Ok(()) };
    for (kind, names) in kinds {
        let fits = |name: &String| match kind.as_str() {
            "AWS" => name == "*" || is_account(name) || is_arn(name),
            "CanonicalUser" => buckets::account_of(name).is_some(),
            "Service" => name.ends_with(".amazonaws.com"),
            _ => !name.is_empty(),
        };
        if let Some(nobody) = list(Some(names)).into_iter().find(|name| !fits(name)) {
            return Err(malformed("Invalid principal in policy")
                .with("Detail", &format!("\"{kind}\" : \"{nobody}\"")));
        }
    }
    Ok(())
}

fn is_account(name: &str) -> bool {
    name.len() == 12 && name.bytes().all(|byte| byte.is_ascii_digit())
}

/// An account's root, a user, a role or a session of one.
fn is_arn(name: &str) -> bool {
    let parts: Vec<&str> = name.splitn(6, ':').collect();
    let ["arn", _, service, "", account, resource] = parts[..] else { return false };
    let is_one = match service {
        "iam" => resource == "root" || ["user/", "role/"].iter().any(|kind| names_one(resource, kind)),
        "sts" => names_one(resource, "assumed-role/") || names_one(resource, "federated-user/"),
        _ => false,
    };
    is_account(account) && is_one
}

fn names_one(resource: &str, kind: &str) -> bool {
    resource.strip_prefix(kind).is_some_and(|name| !name.is_empty() && !name.contains('*'))
}

fn check_resources(statement: &Map<String, Value>, bucket: &str) -> Result<(), Refusal> {
    let arn = buckets::arn(bucket);
    let is_of_bucket = |resource: &String| {
        resource.strip_prefix(&arn).is_some_and(|key| key.is_empty() || key.starts_with('/'))
    };
    if resources(statement).iter().all(is_of_bucket) {
        Ok(())
    } else {
        Err(malformed("Policy has invalid resource"))
    }
}

fn check_actions(statement: &Map<String, Value>) -> Result<(), Refusal> {
    // What all but these actions are about is not asked.
    let Some(named) = statement.get("Action") else { return Ok(()) };
    let resources = resources(statement);
    let has_objects = resources.iter().any(|resource| resource.contains('/'));
    let has_bucket = resources.iter().any(|resource| !resource.contains('/'));
    let is_all_but = statement.contains_key("NotResource");
    for action in list(Some(named)) {
        let levels = actions::levels(&action);
        if levels.is_empty() {
            return Err(malformed("Policy has invalid action"));
        }
        let applies = levels.iter().any(|level| match level {
            Level::Object => has_objects,
            Level::Bucket => has_bucket,
        });
        if !applies && !is_all_but {
            return Err(malformed("Action does not apply to any resource(s) in statement"));
        }
    }
    Ok(())
}

fn resources(statement: &Map<String, Value>) -> Vec<String> {
    list(statement.get("Resource").or_else(|| statement.get("NotResource")))
}

/// A document's statements, which may be one.
pub(super) fn statements(document: &Value) -> Vec<&Map<String, Value>> {
    match document.get("Statement") {
        Some(Value::Array(statements)) => statements.iter().filter_map(Value::as_object).collect(),
        Some(Value::Object(statement)) => vec![statement],
        _ => Vec::new(),
    }
}

pub(super) fn statements_mut(document: &mut Value) -> Vec<&mut Map<String, Value>> {
    match document.get_mut("Statement") {
        Some(Value::Array(statements)) => statements.iter_mut().filter_map(Value::as_object_mut).collect(),
        Some(Value::Object(statement)) => vec![statement],
        _ => Vec::new(),
    }
}

/// One text, or several.
pub(super) fn list(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(texts)) => texts.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

fn malformed(message: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    refuse(S3ErrorCode::MalformedPolicy, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said_of(text: &str) -> String {
        match check(text, "b") {
            Ok(_) => String::new(),
            Err(Refusal(error)) => error.message().unwrap_or_default().to_owned(),
        }
    }

    fn said_of_statement(principal: &str, action: &str, resource: &str) -> String {
        said_of(&format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{principal},"Action":{action},"Resource":{resource}}}]}}"#
        ))
    }

    #[test]
    fn documents_are_refused_in_s3s_words() {
        let of_json = "Policies must be valid JSON and the first byte must be '{'";
        assert_eq!(said_of("x"), of_json);
        assert_eq!(said_of("[]"), of_json);
        assert_eq!(said_of(" {}"), of_json);
        assert_eq!(said_of("{}"), "Missing required field Statement");
        assert_eq!(
            said_of(r#"{"Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b"}]}"#),
            "Missing required field Principal"
        );
        let check = |principal: &str, action: &str, resource: &str, expected: &str| {
            assert_eq!(
                said_of_statement(principal, action, resource),
                expected,
                "{principal} {action} {resource}"
            );
        };
        let object = r#""arn:aws:s3:::b/*""#;
        check(r#""*""#, r#""s3:GetObject""#, object, "");
        check(r#""*""#, r#""s3:GetObject""#, r#""arn:aws:s3:::other/*""#, "Policy has invalid resource");
        check(r#""*""#, r#""s3:GetObject""#, r#""*""#, "Policy has invalid resource");
        check(
            r#""*""#,
            r#""s3:GetObject""#,
            r#""arn:aws:s3:::b""#,
            "Action does not apply to any resource(s) in statement",
        );
        check(
            r#""*""#,
            r#"["s3:ListBucket"]"#,
            object,
            "Action does not apply to any resource(s) in statement",
        );
        check(r#""*""#, r#"["s3:Get*","*"]"#, object, "");
        check(r#""*""#, r#""s3:NoSuchThing""#, object, "Policy has invalid action");
        check(r#""*""#, r#""sqs:SendMessage""#, object, "Policy has invalid action");
        check(r#"{"AWS":"nobody"}"#, r#""s3:GetObject""#, object, "Invalid principal in policy");
        check(
            r#"{"AWS":["111111111111","arn:aws:iam::111111111111:role/p/r"]}"#,
            r#""s3:GetObject""#,
            object,
            "",
        );
        check(r#"{"Service":"logging.s3.amazonaws.com"}"#, r#""s3:PutObject""#, object, "");
        let long = format!(r#""arn:aws:s3:::b/{}""#, "k".repeat(BYTES_MAX));
        check(
            r#""*""#,
            r#""s3:GetObject""#,
            &long,
            "Policy exceeds the maximum allowed size of 20480 bytes.",
        );
    }
}
