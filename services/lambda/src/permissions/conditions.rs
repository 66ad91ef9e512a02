//! The values of Lambda's own condition keys, and of those about tags. Pure: what is stored is told.
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html#awslambda-policy-keys>

use std::collections::BTreeMap;

use policy::Context as Keys;
use wire::{Fields, Value, tags};

use super::requirements::Key;

/// What is stored of what a request is about. What the request itself says goes first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The function that a URL or a mapping calls.
    pub function_arn: Option<String>,
    /// `AuthType` of the function's URL, or what a statement asks of one.
    pub url_auth_type: Option<String>,
    /// Whom a statement lets in.
    pub principal: Option<String>,
    /// Which VPC any subnet belongs to.
    pub vpc_id: String,
}

/// What conditions may ask of a request to an operation that has these keys.
pub fn of(keys: &[Key], fields: &Fields, known: &Known) -> Keys {
    keys.iter().fold(Keys::new(), |found, key| with(found, *key, fields, known))
}

/// Tags as conditions ask for those of a resource.
pub fn resource_tags(tags: &BTreeMap<String, String>) -> Keys {
    tagged(Keys::new(), "aws:ResourceTag", tags)
}

fn with(found: Keys, key: Key, fields: &Fields, known: &Known) -> Keys {
    match key {
        Key::CodeSigningConfigArn => {
            found.with_some("lambda:CodeSigningConfigArn", text(fields, "CodeSigningConfigArn"))
        }
        Key::FunctionArn => found.with_some("lambda:FunctionArn", known.function_arn.as_ref()),
        Key::FunctionUrlAuthType => {
            let said = text(fields, "AuthType").or_else(|| text(fields, "FunctionUrlAuthType"));
            found.with_some("lambda:FunctionUrlAuthType", said.or(known.url_auth_type.as_deref()))
        }
        Key::Layer => found.with_some("lambda:Layer", some(texts(fields, "Layers"))),
        Key::Principal => {
            found.with_some("lambda:Principal", text(fields, "Principal").or(known.principal.as_deref()))
        }
        Key::RequestTag => tagged(found, "aws:RequestTag", &tags::sent(fields)),
        Key::TagKeys => found.with_some("aws:TagKeys", some(tags::keys(fields))),
        Key::Vpc => match fields.get("VpcConfig") {
            Some(Value::Structure(vpc)) => with_vpc(found, vpc, known),
            _ => found,
        },
    }
}

/// A function that leaves its VPC, or joins none, has none of the keys.
fn with_vpc(found: Keys, vpc: &Fields, known: &Known) -> Keys {
    let subnet_ids = some(texts(vpc, "SubnetIds"));
    let vpc_id = subnet_ids.as_ref().map(|_| known.vpc_id.as_str());
    found
        .with_some("lambda:VpcIds", vpc_id)
        .with_some("lambda:SubnetIds", subnet_ids)
        .with_some("lambda:SecurityGroupIds", some(texts(vpc, "SecurityGroupIds")))
}

fn tagged(keys: Keys, prefix: &str, tags: &BTreeMap<String, String>) -> Keys {
    tags.iter().fold(keys, |keys, (key, value)| keys.with(&format!("{prefix}/{key}"), value))
}

/// A text that is there and not empty.
pub fn text<'a>(fields: &'a Fields, member: &str) -> Option<&'a str> {
    match fields.get(member) {
        Some(Value::String(text)) => Some(text.as_str()).filter(|text| !text.is_empty()),
        _ => None,
    }
}

/// Every text of a list.
pub fn texts(fields: &Fields, member: &str) -> Vec<String> {
    let Some(Value::List(values)) = fields.get(member) else { return Vec::new() };
    let texts = values.iter().filter_map(|value| match value {
        Value::String(text) => Some(text.clone()),
        _ => None,
    });
    texts.collect()
}

/// A key without a value is not there, so that `Null` finds it missing.
fn some(values: Vec<String>) -> Option<Vec<String>> {
    Some(values).filter(|values| !values.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &[Key] = &[
        Key::CodeSigningConfigArn,
        Key::FunctionArn,
        Key::FunctionUrlAuthType,
        Key::Layer,
        Key::Principal,
        Key::RequestTag,
        Key::TagKeys,
        Key::Vpc,
    ];

    fn string(text: &str) -> Value {
        Value::String(text.to_owned())
    }

    fn list(texts: &[&str]) -> Value {
        Value::List(texts.iter().copied().map(string).collect())
    }

    fn fields<const N: usize>(members: [(&'static str, Value); N]) -> Fields {
        let mut fields = Fields::default();
        for (name, value) in members {
            fields.set(name, value);
        }
        fields
    }

    fn many(texts: &[&str]) -> policy::Value {
        policy::Value::Many(texts.iter().map(|&text| text.to_owned()).collect())
    }

    fn known() -> Known {
        Known {
            function_arn: Some("arn:f".to_owned()),
            url_auth_type: Some("AWS_IAM".to_owned()),
            principal: Some("sns.amazonaws.com".to_owned()),
            vpc_id: "vpc-1".to_owned(),
        }
    }

    #[track_caller]
    fn check(key: Key, fields: &Fields, known: &Known, expected: Keys) {
        assert_eq!(of(&[key], fields, known), expected);
        // No other key tells the same.
        let others: Vec<_> = ALL.iter().copied().filter(|other| *other != key).collect();
        assert_eq!(of(&others, fields, known).and(&expected), of(ALL, fields, known));
    }

    #[test]
    fn what_the_request_says_goes_before_what_is_stored() {
        let stored = Keys::new().with("lambda:FunctionUrlAuthType", "AWS_IAM");
        let said = Keys::new().with("lambda:FunctionUrlAuthType", "NONE");
        check(Key::FunctionUrlAuthType, &fields([]), &known(), stored);
        for member in ["AuthType", "FunctionUrlAuthType"] {
            check(Key::FunctionUrlAuthType, &fields([(member, string("NONE"))]), &known(), said.clone());
        }
        let stored = Keys::new().with("lambda:Principal", "sns.amazonaws.com");
        check(Key::Principal, &fields([]), &known(), stored);
        let said = Keys::new().with("lambda:Principal", "111111111111");
        check(Key::Principal, &fields([("Principal", string("111111111111"))]), &known(), said);
        check(Key::FunctionArn, &fields([]), &known(), Keys::new().with("lambda:FunctionArn", "arn:f"));
    }

    #[test]
    fn lists_are_sets_of_values_and_an_empty_one_is_no_key() {
        let layers = Keys::new().with("lambda:Layer", many(&["arn:a:1", "arn:b:2"]));
        check(Key::Layer, &fields([("Layers", list(&["arn:a:1", "arn:b:2"]))]), &known(), layers);
        check(Key::Layer, &fields([("Layers", list(&[]))]), &known(), Keys::new());
    }

    #[test]
    fn a_vpc_is_told_only_by_who_joins_it() {
        let vpc = |subnets: &[&str], groups: &[&str]| {
            let config = fields([("SubnetIds", list(subnets)), ("SecurityGroupIds", list(groups))]);
            fields([("VpcConfig", Value::Structure(config))])
        };
        let joined = Keys::new()
            .with("lambda:VpcIds", "vpc-1")
            .with("lambda:SubnetIds", many(&["subnet-1", "subnet-2"]))
            .with("lambda:SecurityGroupIds", many(&["sg-1"]));
        check(Key::Vpc, &vpc(&["subnet-1", "subnet-2"], &["sg-1"]), &known(), joined);
        check(Key::Vpc, &vpc(&[], &[]), &known(), Keys::new());
        check(Key::Vpc, &fields([]), &known(), Keys::new());
    }

    #[test]
    fn tags_of_the_request_and_of_the_resource_are_told_apart() {
        let tags = Value::Map([("team".to_owned(), string("a")), ("env".to_owned(), string(""))].into());
        let sent = fields([("Tags", tags)]);
        let values = Keys::new().with("aws:RequestTag/team", "a").with("aws:RequestTag/env", "");
        check(Key::RequestTag, &sent, &known(), values);
        check(Key::TagKeys, &sent, &known(), Keys::new().with("aws:TagKeys", many(&["env", "team"])));
        let taken = fields([("TagKeys", list(&["team"]))]);
        check(Key::TagKeys, &taken, &known(), Keys::new().with("aws:TagKeys", many(&["team"])));
        check(Key::RequestTag, &taken, &known(), Keys::new());
        check(Key::TagKeys, &fields([]), &known(), Keys::new());
        let stored = resource_tags(&[("team".to_owned(), "a".to_owned())].into());
        assert_eq!(stored, Keys::new().with("aws:ResourceTag/team", "a"));
    }

    #[test]
    fn what_nobody_says_is_no_key() {
        assert_eq!(of(ALL, &fields([]), &Known::default()), Keys::new());
        let empty = fields([("CodeSigningConfigArn", string("")), ("Principal", string(""))]);
        assert_eq!(of(ALL, &empty, &Known::default()), Keys::new());
        let config = fields([("CodeSigningConfigArn", string("arn:c"))]);
        let expected = Keys::new().with("lambda:CodeSigningConfigArn", "arn:c");
        check(Key::CodeSigningConfigArn, &config, &Known::default(), expected);
    }
}
