//! What conditions may ask about a request.
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html#amazons3-policy-keys>

use http::HeaderMap;
use policy::{Context, Value};
use s3s::dto::Tag;

use super::Target;
use super::needs::Need;
use super::target::pairs;
use crate::call::Call;
use crate::record::{Bucket, Version};

/// Headers that are keys by their own name, behind `s3:`.
const HEADERS: &[&str] = &[
    "x-amz-acl",
    "x-amz-copy-source",
    "x-amz-grant-full-control",
    "x-amz-grant-read",
    "x-amz-grant-read-acp",
    "x-amz-grant-write",
    "x-amz-grant-write-acp",
    "x-amz-metadata-directive",
    "x-amz-object-ownership",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
    "if-match",
    "if-none-match",
];
/// The same under another name.
const RENAMED: &[(&str, &str)] = &[
    ("x-amz-object-lock-mode", "s3:object-lock-mode"),
    ("x-amz-object-lock-retain-until-date", "s3:object-lock-retain-until-date"),
    ("x-amz-object-lock-legal-hold", "s3:object-lock-legal-hold"),
    ("user-agent", "aws:UserAgent"),
    ("referer", "aws:Referer"),
];
/// Parameters of the query that are keys.
const PARAMETERS: &[(&str, &str)] = &[
    ("prefix", "s3:prefix"),
    ("delimiter", "s3:delimiter"),
    ("max-keys", "s3:max-keys"),
    ("versionId", "s3:VersionId"),
];

/// What may be asked of a request to a bucket.
pub(super) fn of(
    caller: Context,
    call: &Call,
    target: &Target,
    need: &Need,
    bucket: &Bucket,
    version: Option<&Version>,
) -> Context {
    let mut keys = of_request(caller, call, target, need)
        .with("aws:ResourceAccount", bucket.owner.as_str())
        .with("s3:ResourceAccount", bucket.owner.as_str());
    for (name, value) in
        version.and_then(|version| version.object.as_ref()).iter().flat_map(|object| &object.tags)
    {
        keys.insert(&format!("s3:ExistingObjectTag/{name}"), value);
    }
    keys
}

/// What may be asked of any request.
pub(super) fn of_request(caller: Context, call: &Call, target: &Target, need: &Need) -> Context {
    let (context, headers) = (&call.context, &call.context.headers);
    let mut keys = caller
        .with("aws:SourceIp", context.source_ip.to_string())
        .with("aws:RequestedRegion", context.scope.region.as_str())
        .with("aws:SecureTransport", context.base_url.starts_with("https:"));
    for name in HEADERS {
        if let Some(value) = text(headers, name) {
            keys.insert(&format!("s3:{name}"), value);
        }
    }
    for (name, key) in RENAMED {
        if let Some(value) = text(headers, name) {
            keys.insert(key, value);
        }
    }
    // Not of the source of a copy: they are about what the request is about.
    for (name, key) in PARAMETERS.iter().filter(|_| !need.is_source) {
        if let Some(value) = target.parameter(name) {
            keys.insert(key, value);
        }
    }
    if let (true, Some(id)) = (need.is_source, &need.version) {
        keys.insert("s3:VersionId", id);
    }
    if let Some(kind) = call.signature.kind() {
        keys.insert("s3:authType", kind);
        keys.insert("s3:signatureversion", call.signature.version());
    }
    if let Some(age) = call.signature.age_ms() {
        keys.insert("s3:signatureAge", age.to_string());
    }
    if let Some(digest) = &call.signature.payload {
        keys.insert("s3:x-amz-content-sha256", digest);
    }
    let tags = text(headers, "x-amz-tagging").map(pairs).unwrap_or_default();
    if !tags.is_empty() {
        let names: Vec<String> = tags.iter().map(|(name, _)| name.clone()).collect();
        keys.insert("s3:RequestObjectTagKeys", Value::Many(names));
    }
    for (name, value) in tags {
        keys.insert(&format!("s3:RequestObjectTag/{name}"), value);
    }
    with_tags_of_bucket(keys, &call.new_tags)
}

/// With the tags of a bucket in the making.
fn with_tags_of_bucket(mut keys: Context, tags: &[Tag]) -> Context {
    if tags.is_empty() {
        return keys;
    }
    let mut names = Vec::new();
    for Tag { key, value } in tags {
        let name = key.clone().unwrap_or_default();
        keys.insert(&format!("aws:RequestTag/{name}"), value.clone().unwrap_or_default());
        names.push(name);
    }
    keys.with("aws:TagKeys", names)
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_in_the_making_is_asked_about_by_its_tags() {
        let tag = |key: &str, value: Option<&str>| Tag {
            key: Some(key.to_owned()),
            value: value.map(str::to_owned),
        };
        let found = with_tags_of_bucket(Context::new(), &[tag("team", Some("red")), tag("empty", None)]);
        let expected = Context::new()
            .with("aws:RequestTag/team", "red")
            .with("aws:RequestTag/empty", "")
            .with("aws:TagKeys", vec!["team".to_owned(), "empty".to_owned()]);
        assert_eq!(found, expected);
        assert_eq!(with_tags_of_bucket(Context::new(), &[]), Context::new());
    }
}
