//! A statement as AWS renders it. The order of its members is AWS's.

use serde::{Serialize, Serializer};
use wire::Error;

/// One statement of a policy that permissions are added to: it allows one action to one principal.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Statement<'a> {
    /// `StatementId`
    pub sid: &'a str,
    effect: Allow,
    /// Whom.
    pub principal: Principal<'a>,
    /// What.
    pub action: &'a str,
    /// The resource that the policy belongs to.
    pub resource: &'a str,
    /// On which conditions.
    #[serde(skip_serializing_if = "Conditions::is_empty")]
    pub condition: Conditions<'a>,
}

#[derive(Serialize)]
enum Allow {
    Allow,
}

/// `Principal`
#[derive(Serialize)]
#[serde(untagged)]
pub enum Principal<'a> {
    /// `"*"`
    Everyone(&'static str),
    /// `{"Service": …}`
    Service {
        /// Such as `s3.amazonaws.com`.
        #[serde(rename = "Service")]
        name: &'a str,
    },
    /// `{"AWS": …}`
    Aws {
        /// An account's root, a user or a role.
        #[serde(rename = "AWS")]
        arn: String,
    },
}

/// `Condition`
#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Conditions<'a> {
    /// Keys that must have exactly these values.
    #[serde(skip_serializing_if = "Keys::is_empty")]
    pub string_equals: Keys<'a>,
    /// Keys that must be true or false.
    #[serde(skip_serializing_if = "Keys::is_empty")]
    pub bool: Keys<'a>,
    /// Keys that must match these ARNs.
    #[serde(skip_serializing_if = "Keys::is_empty")]
    pub arn_like: Keys<'a>,
}

/// Condition keys with a value each.
#[derive(Default)]
pub struct Keys<'a>(pub Vec<(&'static str, &'a str)>);

impl<'a> Statement<'a> {
    /// A statement without conditions.
    pub fn new(sid: &'a str, principal: Principal<'a>, action: &'a str, resource: &'a str) -> Self {
        Self { sid, effect: Allow::Allow, principal, action, resource, condition: Conditions::default() }
    }

    /// As JSON text.
    pub fn text(&self) -> Result<String, Error> {
        serde_json::to_string(self).map_err(crate::error::service)
    }
}

impl<'a> Principal<'a> {
    /// What a caller wrote: `*`, a service, an account, or the ARN of an account, user or role. The partition is that of
    /// the resource.
    pub fn parse(text: &'a str, partition: &str) -> Option<Self> {
        const EVERYONE: &str = "*";
        /// Services in China, and Alexa, have domains of their own.
        const SERVICE_DOMAINS: [&str; 3] = [".amazonaws.com", ".amazonaws.com.cn", ".amazon.com"];
        if text == EVERYONE {
            return Some(Self::Everyone(EVERYONE));
        }
        if SERVICE_DOMAINS.iter().any(|domain| text.ends_with(domain)) {
            return Some(Self::Service { name: text });
        }
        if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(Self::Aws { arn: format!("arn:{partition}:iam::{text}:root") });
        }
        is_identity(text).then(|| Self::Aws { arn: text.to_owned() })
    }
}

/// `arn:aws:iam::123456789012:role/path/name` and the like, or the ARN of a role's session.
fn is_identity(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", _, service, "", account, resource] = parts[..] else { return false };
    let is_named = |kind: &str| resource.strip_prefix(kind).is_some_and(|name| !name.is_empty());
    let has_kind = match service {
        "iam" => resource == "root" || is_named("user/") || is_named("role/"),
        "sts" => is_named("assumed-role/") || is_named("federated-user/"),
        _ => false,
    };
    has_kind && domain::Account::parse(account).is_some()
}

impl Conditions<'_> {
    fn is_empty(&self) -> bool {
        self.string_equals.is_empty() && self.bool.is_empty() && self.arn_like.is_empty()
    }
}

impl<'a> Keys<'a> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a key, if the caller gave a value for it.
    pub fn add(&mut self, key: &'static str, value: Option<&'a str>) {
        self.0.extend(value.map(|value| (key, value)));
    }
}

impl Serialize for Keys<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:f";

    #[track_caller]
    fn check(principal: &str, expected: Option<&str>) {
        let text = Principal::parse(principal, "aws").map(|principal| {
            Statement::new("s", principal, "lambda:InvokeFunction", FUNCTION).text().unwrap()
        });
        let expected = expected.map(|expected| {
            format!(
                r#"{{"Sid":"s","Effect":"Allow","Principal":{expected},"Action":"lambda:InvokeFunction","Resource":"{FUNCTION}"}}"#
            )
        });
        assert_eq!(text, expected, "{principal}");
    }

    #[test]
    fn principals_are_shown_as_aws_shows_them() {
        check("s3.amazonaws.com", Some(r#"{"Service":"s3.amazonaws.com"}"#));
        check("alexa-appkit.amazon.com", Some(r#"{"Service":"alexa-appkit.amazon.com"}"#));
        check("111111111111", Some(r#"{"AWS":"arn:aws:iam::111111111111:root"}"#));
        for arn in [
            "arn:aws:iam::111111111111:root",
            "arn:aws:iam::111111111111:user/team/sam",
            "arn:aws:iam::111111111111:role/r",
            "arn:aws:sts::111111111111:assumed-role/r/s",
        ] {
            check(arn, Some(&format!(r#"{{"AWS":"{arn}"}}"#)));
        }
        check("*", Some(r#""*""#));
        for nobody in [
            "",
            "sam",
            "s3",
            "11111111111",
            "arn:aws:iam::1:root",
            "arn:aws:s3:::b",
            "arn:aws:iam::111111111111:user/",
        ] {
            check(nobody, None);
        }
    }

    #[test]
    fn conditions_come_by_operator() {
        let mut statement = Statement::new("s", Principal::Everyone("*"), "a", "r");
        statement.condition.string_equals.add("AWS:SourceAccount", Some("1"));
        statement.condition.string_equals.add("aws:PrincipalOrgID", None);
        statement.condition.arn_like.add("AWS:SourceArn", Some("arn:aws:s3:::b"));
        let text = statement.text().unwrap();
        let condition = r#","Condition":{"StringEquals":{"AWS:SourceAccount":"1"},"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::b"}}}"#;
        assert!(text.ends_with(condition), "{text}");
    }
}
