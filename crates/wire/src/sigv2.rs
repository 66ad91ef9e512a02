//! AWS Signature Version 2, as S3 had it first. SDKs still make URLs with it unless they are told otherwise: boto3 and
//! `aws s3 presign` in every region that is older than Version 4.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html>

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::header::{AUTHORIZATION, DATE};
use percent_encoding::percent_decode_str;
use sha1::Sha1;
use subtle::ConstantTimeEq as _;

use crate::sigv4::{View, parameter};

/// How its `Authorization` header begins.
const SCHEME: &str = "AWS ";
/// Says in a URL whose it is.
const ACCESS_KEY_ID: &str = "AWSAccessKeyId";

/// What in a query says what is asked for; everything else there is not signed.
const SUBRESOURCES: &[&str] = &[
    "accelerate",
    "acl",
    "analytics",
    "cors",
    "defaultObjectAcl",
    "delete",
    "inventory",
    "lifecycle",
    "location",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "partNumber",
    "policy",
    "replication",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "select",
    "select-type",
    "storageClass",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
];

/// An identity claimed by a request, and the signature that is to prove it.
pub(crate) struct Claim<'a> {
    pub(crate) access_key_id: Cow<'a, str>,
    pub(crate) signature: Cow<'a, str>,
    pub(crate) session_token: Option<Cow<'a, str>>,
    pub(crate) form: Form<'a>,
}

/// Where a claim stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Form<'a> {
    /// In the `Authorization` header.
    Header,
    /// In the query: a pre-signed URL, which holds until these seconds of the epoch.
    Query { expires: Cow<'a, str> },
}

/// Why a claim cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// The header is not `AWS key:signature`.
    Header,
    /// The URL lacks one of its three parameters.
    Query,
}

/// Whether a request is signed in this version.
pub(crate) fn is_signed(query: &str, authorization: Option<&str>) -> bool {
    match authorization {
        Some(text) => text.starts_with(SCHEME),
        None => parameter(query, ACCESS_KEY_ID).is_some(),
    }
}

impl<'a> Claim<'a> {
    /// Reads the claim of a request that [`is_signed`].
    pub(crate) fn of(view: &View<'a>) -> Result<Self, Unreadable> {
        if let Some(value) = view.headers.get(AUTHORIZATION) {
            let text = value.to_str().ok().and_then(|text| text.strip_prefix(SCHEME));
            let (id, signature) =
                text.and_then(|text| text.trim().split_once(':')).ok_or(Unreadable::Header)?;
            let token = view.headers.get("x-amz-security-token").and_then(|token| token.to_str().ok());
            return Ok(Self {
                access_key_id: id.into(),
                signature: signature.into(),
                session_token: token.map(Cow::Borrowed),
                form: Form::Header,
            });
        }
        let required = |name: &str| parameter(view.query, name).ok_or(Unreadable::Query);
        Ok(Self {
            access_key_id: required(ACCESS_KEY_ID)?,
            signature: required("Signature")?,
            session_token: parameter(view.query, "x-amz-security-token"),
            form: Form::Query { expires: required("Expires")? },
        })
    }

    /// What the signature is made of. `bucket` is the one that the host names.
    pub(crate) fn string_to_sign(&self, view: &View<'_>, bucket: Option<&str>) -> String {
        // Clients that sign a URL put the headers that they would have sent into its query.
        let in_query = |name: &str| match self.form {
            Form::Query { .. } => parameter(view.query, name),
            Form::Header => None,
        };
        let value =
            |name: &str| joined(view, name).map(Cow::Owned).or_else(|| in_query(name)).unwrap_or_default();
        let date = match &self.form {
            Form::Query { expires } => expires.clone(),
            Form::Header if view.headers.contains_key("x-amz-date") => "".into(),
            Form::Header => joined(view, DATE.as_str()).unwrap_or_default().into(),
        };
        let mut text =
            format!("{}\n{}\n{}\n{date}\n", view.method, value("content-md5"), value("content-type"));
        for (name, value) in self.amz_headers(view) {
            for part in [name.as_str(), ":", &value, "\n"] {
                text.push_str(part);
            }
        }
        if let Some(bucket) = bucket {
            text.push('/');
            text.push_str(bucket);
        }
        text.push_str(view.path);
        // A bucket's own resource ends in a slash, however it was asked for.
        let is_bucket = bucket.is_none() && view.path.rfind('/') == Some(0) && view.path.len() > 1;
        if is_bucket || view.path.is_empty() {
            text.push('/');
        }
        for (index, (name, value)) in subresources(view.query).into_iter().enumerate() {
            text.push(if index == 0 { '?' } else { '&' });
            text.push_str(name);
            if let Some(value) = value {
                text.push('=');
                text.push_str(&value);
            }
        }
        text
    }

    /// Whether `secret` makes the signature of this text.
    pub(crate) fn holds(&self, string_to_sign: &str, secret: &str) -> bool {
        holds(string_to_sign, &self.signature, secret)
    }

    fn amz_headers(&self, view: &View<'_>) -> BTreeMap<String, String> {
        let mut headers = BTreeMap::new();
        if matches!(self.form, Form::Query { .. }) {
            for (name, value) in view.query.split('&').filter_map(|parameter| parameter.split_once('=')) {
                let name = name.to_ascii_lowercase();
                if name.starts_with("x-amz-") {
                    let value = percent_decode_str(value).decode_utf8_lossy();
                    headers.insert(name, value.trim().to_owned());
                }
            }
        }
        for name in view.headers.keys().filter(|name| name.as_str().starts_with("x-amz-")) {
            headers.insert(name.as_str().to_owned(), joined(view, name.as_str()).unwrap_or_default());
        }
        headers
    }
}

/// Whether `secret` makes this signature of a browser form's policy, which is signed as it was sent, in Base64.
pub(crate) fn verify_policy(policy: &str, signature: &str, secret: &str) -> bool {
    holds(policy, signature, secret)
}

fn holds(text: &str, signature: &str, secret: &str) -> bool {
    let expected = sign(text, secret);
    expected.as_bytes().ct_eq(signature.as_bytes()).into()
}

/// The signature of a text.
pub(crate) fn sign(text: &str, secret: &str) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// A header's values, joined; each without the blanks around it.
fn joined(view: &View<'_>, name: &str) -> Option<String> {
    let values: Vec<Cow<'_, str>> = view
        .headers
        .get_all(name)
        .into_iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes().trim_ascii()))
        .collect();
    (!values.is_empty()).then(|| values.join(","))
}

fn subresources(query: &str) -> Vec<(&str, Option<Cow<'_, str>>)> {
    let mut found: Vec<_> = query
        .split('&')
        .map(|parameter| match parameter.split_once('=') {
            Some((name, value)) => (name, Some(percent_decode_str(value).decode_utf8_lossy())),
            None => (parameter, None),
        })
        .filter(|(name, _)| SUBRESOURCES.contains(name))
        .collect();
    found.sort_by_key(|(name, _)| *name);
    found
}

#[cfg(test)]
mod tests {
    use http::request::Parts;

    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

    fn request(line: &str, headers: &[(&str, &str)]) -> Parts {
        let (method, uri) = line.split_once(' ').unwrap();
        let mut request = http::Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn check(line: &str, bucket: Option<&str>, headers: &[(&str, &str)]) {
        let parts = request(line, headers);
        let view = View::from(&parts);
        let claim = Claim::of(&view).ok().unwrap();
        let text = claim.string_to_sign(&view, bucket);
        assert_eq!(claim.access_key_id, "AKIAIOSFODNN7EXAMPLE");
        assert!(claim.holds(&text, SECRET), "{text}");
        assert!(!claim.holds(&text, "another"));
        let elsewhere = claim.string_to_sign(&View { path: "/elsewhere", ..view }, bucket);
        assert!(!claim.holds(&elsewhere, SECRET));
    }

    fn by(signature: &str) -> String {
        format!("AWS AKIAIOSFODNN7EXAMPLE:{signature}")
    }

    /// The examples of AWS's documentation.
    #[test]
    fn the_documented_examples_hold() {
        let bucket = Some("awsexamplebucket1");
        let date = |text: &'static str| ("date", text);
        check(
            "GET /photos/puppy.jpg",
            bucket,
            &[
                date("Tue, 27 Mar 2007 19:36:42 +0000"),
                ("authorization", &by("qgk2+6Sv9/oM7G3qLEjTH1a1l1g=")),
            ],
        );
        check(
            "PUT /photos/puppy.jpg",
            bucket,
            &[
                ("content-type", "image/jpeg"),
                date("Tue, 27 Mar 2007 21:15:45 +0000"),
                ("authorization", &by("iqRzw+ileNPu1fhspnRs8nOjjIA=")),
            ],
        );
        check(
            "GET /?prefix=photos&max-keys=50&marker=puppy",
            bucket,
            &[
                date("Tue, 27 Mar 2007 19:42:41 +0000"),
                ("authorization", &by("m0WP8eCtspQl5Ahe6L1SozdX9YA=")),
            ],
        );
        check(
            "GET /?acl",
            bucket,
            &[
                date("Tue, 27 Mar 2007 19:44:46 +0000"),
                ("authorization", &by("82ZHiFIjc+WbcwFKGUVEQspPn+0=")),
            ],
        );
        check(
            "DELETE /awsexamplebucket1/photos/puppy.jpg",
            None,
            &[
                date("Tue, 27 Mar 2007 21:20:26 +0000"),
                ("authorization", &by("XbyTlbQdu9Xw5o8P4iMwPktxQd8=")),
            ],
        );
        check(
            "GET /photos/puppy.jpg?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&\
             Expires=1175139620",
            Some("johnsmith"),
            &[],
        );
    }

    /// What botocore makes of the same requests, in a header and in a URL.
    #[test]
    fn what_botocore_signed_holds() {
        let date = ("date", "Tue, 14 Nov 2023 22:13:20 GMT");
        let headers = [
            ("x-amz-acl", "public-read"),
            ("x-amz-meta-a", " two  words "),
            ("content-type", "text/plain"),
            ("content-md5", "abc="),
            ("x-amz-security-token", "to/ken="),
            date,
            ("authorization", &by("WvH4rRyaZkNLUBwxBunKE9hbycc=")),
        ];
        check("PUT /b/a%20b%2Bc/%C3%BC?uploadId=a%2Fb&partNumber=2&x=y", None, &headers);
        check(
            "PUT /b/a%20b%2Bc/%C3%BC?uploadId=a%2Fb&partNumber=2&x=y&AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&\
             Signature=oUhJamj0zn9WxeSryFranGW6o%2BA%3D&x-amz-acl=public-read&x-amz-meta-a=%20two%20%20words%20&\
             content-type=text%2Fplain&content-md5=abc%3D&x-amz-security-token=to%2Fken%3D&Expires=1700000600",
            None,
            &[],
        );
        let list = "GET /bbb?list-type=2&encoding-type=url&AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&\
                    Signature=SIGNATURE&Expires=1795698149";
        check(&list.replace("SIGNATURE", "Vi8I24Ik6bDK7XKB27J93PR%2BAAE%3D"), None, &[]);
        check(
            &list.replace("SIGNATURE", "Vi8I24Ik6bDK7XKB27J93PR%2BAAE%3D").replace("/bbb", "/"),
            Some("bbb"),
            &[],
        );
        let target = "GET /k?response-content-type=text%2Fplain&acl";
        check(target, Some("b"), &[date, ("authorization", &by("FMMz3LnDzMvndwqy/gOe7DL/uPo="))]);
        check(
            &format!(
                "{target}&AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=FKDtSylKDWgC3Luaxlj%2F1tFeq5Q%3D&Expires=1700000600"
            ),
            Some("b"),
            &[],
        );
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        let unreadable = |line: &str, headers: &[(&str, &str)]| {
            let parts = request(line, headers);
            Claim::of(&View::from(&parts)).err()
        };
        assert_eq!(unreadable("GET /", &[("authorization", "AWS nothing")]), Some(Unreadable::Header));
        assert_eq!(unreadable("GET /?AWSAccessKeyId=a&Signature=b", &[]), Some(Unreadable::Query));
        assert!(is_signed("AWSAccessKeyId=a", None) && is_signed("", Some("AWS a:b")));
        assert!(!is_signed("AWSAccessKeyId=a", Some("AWS4-HMAC-SHA256 x")) && !is_signed("a=b", None));
    }
}
