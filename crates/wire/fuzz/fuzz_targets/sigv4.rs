//! Nobody's request verifies, and everybody's does once it is signed.
#![no_main]

mod request;

use domain::Timestamp;
use libfuzzer_sys::fuzz_target;
use wire::sigv4::{Claim, Hint, Refusal, Signer, View, check_headers, check_time, verify};

const NOW: Timestamp = Timestamp(1_440_938_160_000);

fn check(parts: &http::request::Parts, body: &[u8], secret: &str) -> Result<(), Refusal> {
    let view = View::from(parts);
    let claim = Claim::of(&view)?.ok_or(Refusal::MissingToken)?;
    check_time(&claim, NOW)?;
    check_headers(&claim, &view)?;
    verify(&claim, &view, body, secret)
}

fuzz_target!(|data: &[u8]| {
    let Some((mut parts, body)) = request::request(data) else { return };
    let view = View::from(&parts);
    let _ = Hint::of(&Claim::of(&view), &view);
    assert!(check(&parts, body, "a secret that no corpus holds").is_err());
    parts.headers.remove("x-amz-content-sha256");
    parts.headers.entry("host").or_insert(http::HeaderValue::from_static("localhost"));
    let signer = Signer {
        access_key_id: "AKIDEXAMPLE",
        secret_access_key: "secret",
        session_token: None,
        region: "us-east-1",
        service: "lambda",
    };
    signer.sign(&mut parts, body, NOW);
    assert_eq!(check(&parts, body, "secret"), Ok(()));
});
