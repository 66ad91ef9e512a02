//! Objects that browsers post in forms: the other way to put one, signed by a policy in the form and not by a request.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-UsingHTTPPOST.html>
//!
//! `s3s` would take the whole file into memory, so forms never reach it: they are taken apart as they come
//! ([`wire::multipart`]), and what they say is put as PutObject puts it, with their fields for headers.

mod answer;
mod body;
mod fields;
mod policy;
mod signed;

pub(crate) use body::Broken;

use std::sync::Arc;

use domain::{Clock as _, Scope, SystemClock};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap};
use http::{Method, Request, Response, Uri};
use s3s::S3ErrorCode;
use s3s::dto::PutObjectInput;
use wire::gateway::{Body as Answer, Inflow};
use wire::multipart;

use self::answer::{Posted, answer};
use self::body::{Body, FIELDS_BYTES_MAX};
use self::fields::Fields;
use self::policy::{Policy, Sizes};
use self::signed::{Signer, missing, signer};
use crate::access::{self, Target};
use crate::call::Call;
use crate::error::{Refusal, invalid_argument, refuse};
use crate::front::signature::Signature;
use crate::limits::PUT_BYTES_MAX;
use crate::notify::TRACE_HEADER;
use crate::record::Bucket;
use crate::{S3, buckets, objects};

/// Headers of the request that a form cannot say and that are heeded all the same.
const OF_REQUESTS: [&str; 3] = ["user-agent", "referer", TRACE_HEADER];

/// Whether a request, in path style, is one of a form: what is posted to a bucket and to nothing of it.
pub(crate) fn is_one(method: &Method, target: &Target) -> bool {
    *method == Method::POST && target.bucket.is_some() && target.query.iter().all(|(name, _)| name == "x-id")
}

/// Puts what a form holds. `target` is what it is posted to; `bucket_in_host` says that its host names the bucket.
pub(crate) async fn post(
    s3: &S3,
    call: Call,
    request: Request<Inflow>,
    target: &Target,
    bucket_in_host: bool,
) -> Result<Response<Answer>, Refusal> {
    if target.key.is_some() {
        return Err(refuse(
            S3ErrorCode::MethodNotAllowed,
            "The specified method is not allowed against this resource.",
        )
        .with("Method", "POST")
        .with("ResourceType", "OBJECT"));
    }
    let bucket = s3.read(|snapshot| buckets::find(snapshot, target.bucket.as_deref().unwrap_or_default()))?;
    let boundary = boundary(request.headers())?;
    check_length(request.headers())?;
    let bucket_url = bucket_url(&call, request.uri(), &bucket.name, bucket_in_host);
    let mut body = Body::new(request.into_body(), &boundary);
    let form = body.fields().await.map_err(|broken| broken.refusal())?;
    let key = key(&form)?.to_owned();
    let (call, sizes) = admitted(call, &form, &bucket)?;
    let of_object = Target { bucket: Some(bucket.name.clone()), key: Some(key.clone()), query: Vec::new() };
    access::admit_to(s3, &call, "post_object", &of_object)?;
    let input = PutObjectInput {
        bucket: bucket.name.clone(),
        key: key.clone(),
        tagging: text(&call.context.headers, "x-amz-tagging"),
        body: Some(body.file(sizes)),
        ..PutObjectInput::default()
    };
    let output = objects::post(s3, &Arc::new(call), input).await?.output;
    let posted = Posted { bucket: &bucket.name, key: &key, bucket_url: &bucket_url };
    Ok(answer(&form, &posted, output))
}

/// Who posts, as their form says, with its fields for headers, and how long its file may be.
fn admitted(call: Call, form: &Fields, bucket: &Bucket) -> Result<(Call, Sizes), Refusal> {
    // As signatures go: by the machine's clock.
    let now = SystemClock.now();
    let keys = call.keys.clone();
    let signer = match &keys {
        Some(keys) => signer(form, keys, &bucket.region)?,
        None => None,
    };
    let policy = signer.as_ref().map(|signer| signer.policy).or_else(|| form.get("policy"));
    let mut sizes = Sizes { min: 0, max: PUT_BYTES_MAX };
    if let Some(policy) = policy.filter(|policy| !policy.is_empty()) {
        let Sizes { min, max } = Policy::parse(policy)?.check(form, &bucket.name, now)?;
        sizes = Sizes { min, max: max.min(sizes.max) };
    }
    let mut context = call.context.clone();
    context.headers = form.headers()?;
    for name in OF_REQUESTS {
        if let Some(value) = call.context.headers.get(name) {
            context.headers.insert(name, value.clone());
        }
    }
    let Some(Signer { principal, access_key_id, is_v2, signed, .. }) = signer else {
        return Ok((Call { context, ..call }, sizes));
    };
    context.scope = Scope { account: principal.account().clone(), region: bucket.region.clone() };
    context.principal = principal;
    context.access_key_id = Some(access_key_id.to_owned());
    let signature = Signature::of_form(is_v2, signed, now);
    Ok((Call { context, anonymous: false, signature, ..call }, sizes))
}

/// What stands between the parts of the form.
fn boundary(headers: &HeaderMap) -> Result<String, Refusal> {
    let content_type = text(headers, CONTENT_TYPE.as_str()).unwrap_or_default();
    match multipart::boundary(&content_type) {
        Some(boundary) => boundary.map_err(|malformed| Broken::from(malformed).refusal()),
        None => Err(refuse(
            S3ErrorCode::PreconditionFailed,
            "At least one of the pre-conditions you specified did not hold",
        )
        .with("Condition", "Bucket POST must be of the enclosure-type multipart/form-data")),
    }
}

/// Refuses what is too long whatever the form says, before any of it comes.
fn check_length(headers: &HeaderMap) -> Result<(), Refusal> {
    let length = text(headers, CONTENT_LENGTH.as_str()).and_then(|length| length.parse::<u64>().ok());
    match length {
        Some(size) if size > PUT_BYTES_MAX + FIELDS_BYTES_MAX => {
            Err(Broken::Large { size, max: PUT_BYTES_MAX }.refusal())
        }
        _ => Ok(()),
    }
}

/// The key that the form says.
fn key(form: &Fields) -> Result<&str, Refusal> {
    match form.get("key") {
        None => Err(missing("key")),
        Some("") => Err(invalid_argument("User key must have a length greater than 0.")
            .with("ArgumentName", "key")
            .with("ArgumentValue", "")),
        Some(key) => Ok(key),
    }
}

/// The URL of a bucket, addressed as the request does.
fn bucket_url(call: &Call, uri: &Uri, bucket: &str, in_host: bool) -> String {
    let scheme = call.context.base_url.split_once("://").map_or("http", |(scheme, _)| scheme);
    let host = text(&call.context.headers, HOST.as_str())
        .or_else(|| uri.authority().map(|authority| authority.as_str().to_owned()))
        .unwrap_or_default();
    if in_host { format!("{scheme}://{host}") } else { format!("{scheme}://{host}/{bucket}") }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}
