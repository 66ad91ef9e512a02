//! Requests signed by botocore (`vectors.json`, made by `vectors.py`) are the check that is not ours.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::Timestamp;
use serde::Deserialize;

use super::tests::{NOW, SECRET};
use super::{Claim, View, check_headers, check_time, verify};

#[derive(Deserialize)]
struct Vector {
    name: String,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: String,
}

fn request(vector: &Vector) -> (http::request::Parts, Vec<u8>) {
    let mut builder = http::Request::builder().method(vector.method.as_str()).uri(&vector.target);
    for (name, value) in &vector.headers {
        builder = builder.header(name, value);
    }
    (builder.body(()).unwrap().into_parts().0, STANDARD.decode(&vector.body).unwrap())
}

#[test]
fn every_request_that_botocore_signed_verifies_and_with_another_body_or_secret_does_not() {
    let vectors: Vec<Vector> = serde_json::from_str(include_str!("vectors.json")).unwrap();
    assert_eq!(vectors.len(), 15);
    for vector in vectors {
        let (parts, body) = request(&vector);
        let view = View::from(&parts);
        let claim = Claim::of(&view).unwrap().unwrap();
        let name = &vector.name;
        assert_eq!(check_time(&claim, Timestamp(NOW.0 + 1000)), Ok(()), "{name}");
        assert_eq!(check_headers(&claim, &view), Ok(()), "{name}");
        assert_eq!(verify(&claim, &view, &body, SECRET), Ok(()), "{name}");
        assert!(verify(&claim, &view, &body, "another secret").is_err(), "{name}");
        let other = [&body[..], b"x"].concat();
        let unsigned = name == "s3-unsigned-payload" || name == "s3-presigned";
        assert_eq!(verify(&claim, &view, &other, SECRET).is_ok(), unsigned, "{name}");
    }
}
