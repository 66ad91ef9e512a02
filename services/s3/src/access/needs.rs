//! What an operation needs: its own action, and one for each thing that its headers ask for besides.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>

use http::HeaderMap;

use super::Target;
use super::actions;
use super::target::decoded;
use crate::buckets;
use crate::error::{self, Refusal};

/// An action on a bucket or an object.
pub(super) struct Need {
    pub(super) action: String,
    /// None for what is of no bucket.
    pub(super) bucket: Option<String>,
    pub(super) key: Option<String>,
    pub(super) version: Option<String>,
    /// Whether it is the source of a copy.
    pub(super) is_source: bool,
    /// Whether it is about a bucket that is yet to come, which has no say.
    pub(super) is_new: bool,
}

impl Need {
    pub(super) fn new(action: String, target: &Target) -> Self {
        Self {
            action,
            bucket: target.bucket.clone(),
            key: target.key.clone(),
            version: target.parameter("versionId").map(str::to_owned),
            is_source: false,
            is_new: false,
        }
    }

    pub(super) fn arn(&self) -> String {
        match (&self.bucket, &self.key) {
            (None, _) => "arn:aws:s3:::*".to_owned(),
            (Some(bucket), None) => buckets::arn(bucket),
            (Some(bucket), Some(key)) => format!("{}/{key}", buckets::arn(bucket)),
        }
    }

    /// Whether an object, and not its bucket, says who may. Writing and deleting are the bucket's to allow.
    pub(super) fn is_of_object(&self) -> bool {
        let name = self.action.trim_start_matches("s3:");
        self.key.is_some()
            && (name.starts_with("GetObject") || matches!(name, "PutObjectAcl" | "PutObjectVersionAcl"))
    }
}

/// What an operation needs with these headers.
pub(super) fn of(operation: &str, target: &Target, headers: &HeaderMap) -> Result<Vec<Need>, Refusal> {
    match operation {
        "list_buckets" => {
            let target = Target { bucket: None, key: None, query: Vec::new() };
            return Ok(vec![Need::new("s3:ListAllMyBuckets".to_owned(), &target)]);
        }
        // Each key by itself, once they are read.
        "delete_objects" => return Ok(Vec::new()),
        _ => {}
    }
    let of_version = target.parameter("versionId").is_some();
    let (_, action) = actions::of(operation, of_version).ok_or_else(error::internal)?;
    let mut needs = vec![Need::new(action, target)];
    let has = |name: &str| headers.contains_key(name);
    let grants = || has("x-amz-acl") || headers.keys().any(|name| name.as_str().starts_with("x-amz-grant-"));
    let mut also = |wanted: bool, action: &str| {
        if wanted {
            needs.push(Need::new(format!("s3:{action}"), target));
        }
    };
    match operation {
        "create_bucket" => {
            also(grants(), "PutBucketAcl");
            also(has("x-amz-object-ownership"), "PutBucketOwnershipControls");
            let locked = has("x-amz-bucket-object-lock-enabled");
            also(locked, "PutBucketVersioning");
            also(locked, "PutBucketObjectLockConfiguration");
        }
        "put_object" | "copy_object" | "create_multipart_upload" | "post_object" => {
            also(grants(), "PutObjectAcl");
            also(has("x-amz-tagging"), "PutObjectTagging");
            also(
                has("x-amz-object-lock-mode") || has("x-amz-object-lock-retain-until-date"),
                "PutObjectRetention",
            );
            also(has("x-amz-object-lock-legal-hold"), "PutObjectLegalHold");
        }
        "get_object_attributes" if of_version => also(true, "GetObjectVersionAttributes"),
        "get_object_attributes" => also(true, "GetObjectAttributes"),
        "delete_object" | "put_object_retention" => {
            let bypass = headers.get("x-amz-bypass-governance-retention");
            also(
                bypass.is_some_and(|bypass| bypass.as_bytes().eq_ignore_ascii_case(b"true")),
                "BypassGovernanceRetention",
            );
        }
        _ => {}
    }
    for need in &mut needs {
        need.is_new = operation == "create_bucket";
    }
    if matches!(operation, "copy_object" | "upload_part_copy") {
        needs.extend(source(headers));
    }
    Ok(needs)
}

/// Reading what is copied. A source that cannot be read is refused by who copies.
fn source(headers: &HeaderMap) -> Option<Need> {
    let source = headers.get("x-amz-copy-source")?.to_str().ok()?;
    let (path, version) = match source.split_once("?versionId=") {
        Some((path, version)) => (path, Some(version.to_owned())),
        None => (source, None),
    };
    let path = decoded(path);
    let (bucket, key) = path.trim_start_matches('/').split_once('/')?;
    let action = if version.is_some() { "s3:GetObjectVersion" } else { "s3:GetObject" };
    Some(Need {
        action: action.to_owned(),
        bucket: Some(bucket.to_owned()),
        key: Some(key.to_owned()),
        version,
        is_source: true,
        is_new: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_ask_for_more_than_the_operation() {
        let target = Target { bucket: Some("b".into()), key: Some("k".into()), query: vec![] };
        let check = |operation: &str, headers: &[(&'static str, &'static str)], expected: &[(&str, &str)]| {
            let map = headers
                .iter()
                .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
                .collect();
            let needs = of(operation, &target, &map).unwrap();
            let found: Vec<_> = needs.iter().map(|need| (need.action.clone(), need.arn())).collect();
            let expected: Vec<_> = expected
                .iter()
                .map(|(action, arn)| (format!("s3:{action}"), format!("arn:aws:s3:::{arn}")))
                .collect();
            assert_eq!(found, expected, "{operation} {headers:?}");
        };
        check("put_object", &[], &[("PutObject", "b/k")]);
        check(
            "put_object",
            &[("x-amz-tagging", "a=b"), ("x-amz-acl", "private")],
            &[("PutObject", "b/k"), ("PutObjectAcl", "b/k"), ("PutObjectTagging", "b/k")],
        );
        check(
            "copy_object",
            &[("x-amz-copy-source", "/other/a%20b?versionId=v")],
            &[("PutObject", "b/k"), ("GetObjectVersion", "other/a b")],
        );
        check(
            "delete_object",
            &[("x-amz-bypass-governance-retention", "true")],
            &[("DeleteObject", "b/k"), ("BypassGovernanceRetention", "b/k")],
        );
    }
}
