use super::*;

/// 2023-11-14T22:13:20Z
const NOW: Timestamp = Timestamp(1_700_000_000_000);
const LATER: &str = "2023-11-14T22:13:21Z";

/// What S3 says of a refusal.
fn said<T: std::fmt::Debug>(result: Result<T, Refusal>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(Refusal(error)) => {
            format!("{}: {}", error.code().as_str(), error.message().unwrap_or_default())
        }
    }
}

fn parsed(document: &str) -> Result<Policy, Refusal> {
    Policy::parse(&STANDARD.encode(document))
}

fn fields(pairs: &[(&str, &str)]) -> Fields {
    let mut fields = Fields::default();
    pairs.iter().for_each(|(name, value)| fields.add(name, value));
    fields
}

/// Posts a form to the bucket `b` under these conditions.
fn posted(conditions: &str, form: &[(&str, &str)]) -> String {
    let policy = parsed(&format!(r#"{{"expiration": "{LATER}", "conditions": {conditions}}}"#));
    said(policy.and_then(|policy| policy.check(&fields(form), "b", NOW)))
}

#[track_caller]
fn check_document(document: &str, expected: &str) {
    assert_eq!(
        said(parsed(document)),
        format!("InvalidPolicyDocument: Invalid Policy: {expected}"),
        "{document}"
    );
}

#[test]
fn a_policy_that_cannot_be_read_is_refused() {
    assert_eq!(said(Policy::parse("{}")), "InvalidPolicyDocument: Invalid Policy: invalid Base64 encoding.");
    assert_eq!(said(Policy::parse("/w==")), "InvalidPolicyDocument: Invalid Policy: Invalid JSON.");
    check_document("", "Invalid JSON.");
    check_document("[]", "Invalid JSON.");
    check_document("{'expiration': 1}", "Invalid JSON.");
    check_document(r#"{"Statement": [], "expiration": 1}"#, "Unexpected: 'statement'");
    check_document(&format!(r#"{{"EXPIRATION": "{LATER}", "conditions": []}}"#), "Unexpected: 'expiration'");
    check_document(r#"{"conditions": []}"#, "Policy missing expiration.");
    check_document(&format!(r#"{{"expiration": "{LATER}"}}"#), "Policy missing conditions.");
    check_document(
        &format!(r#"{{"expiration": "{LATER}", "conditions": {{}}}}"#),
        "Invalid 'conditions' value: must be a List.",
    );
}

#[test]
fn an_expiration_is_a_time_in_utc() {
    for good in ["2015-12-30T12:00:00.000Z", "2015-12-30T12:00:00Z", "2015-12-30T12:00:00.5Z"] {
        let policy = parsed(&format!(r#"{{"expiration": "{good}", "conditions": []}}"#)).unwrap();
        assert_eq!(policy.expiration.0 / 1000, 1_451_476_800, "{good}");
    }
    for bad in [
        "2015-12-30T12:00:00+00:00",
        "2015-12-30T12:00:00+02:00",
        "2015-12-30 12:00:00Z",
        "2015-12-30 12:00:00 UTC",
        "2015-02-30T12:00:00Z",
        "2015-12-30T12:00:00[UTC]Z",
        "2015-12-30T12:00Z",
        "üüüüüüüüüüüüüüüüüüüüZ",
        "tomorrow",
        "",
    ] {
        check_document(
            &format!(r#"{{"expiration": "{bad}", "conditions": []}}"#),
            &format!("Invalid 'expiration' value: '{bad}'"),
        );
    }
    check_document(r#"{"expiration": 5, "conditions": []}"#, "Invalid 'expiration' value: '5'");
}

#[test]
fn a_condition_that_is_none_is_refused() {
    let one_property =
        "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.";
    let arguments = |operation: &str| format!("Invalid {operation}: wrong number of arguments.");
    for (condition, expected) in [
        ("{}", one_property),
        (r#"{"acl": "private", "key": "k"}"#, one_property),
        (r#"{"acl": 1}"#, "Invalid Simple-Condition: value must be a string."),
        (r#"{"acl": ["private"]}"#, "Invalid Simple-Condition: value must be a string."),
        (r#"{"acl": null}"#, "Invalid JSON."),
        (r#""acl""#, "Invalid condition test: must be a List or Object."),
        ("7", "Invalid condition test: must be a List or Object."),
        ("[]", "Invalid Condition: missing operation identifier."),
        ("[1, 2, 3]", "Invalid Condition: missing operation identifier."),
        (r#"["ends-with", "$key", "x"]"#, "Invalid Condition: unknown operation 'ends-with'."),
        (r#"["eq", "$key"]"#, &arguments("eq")),
        (r#"["starts-with", "$key", "a", "b"]"#, &arguments("starts-with")),
        (r#"["content-length-range", 0]"#, &arguments("content-length-range")),
        (r#"["eq", "$key", 1]"#, "Invalid JSON."),
        (r#"["starts-with", 1, "a"]"#, "Invalid JSON."),
        (r#"["content-length-range", 0, 512.0]"#, "Invalid JSON."),
        (r#"["content-length-range", null, 1]"#, "Invalid JSON."),
        (
            r#"["content-length-range", -1, 0]"#,
            "Invalid content-length-range: a length must not be negative.",
        ),
    ] {
        check_document(&format!(r#"{{"expiration": "{LATER}", "conditions": [{condition}]}}"#), expected);
    }
}

const ANY: &str = "Sizes { min: 0, max: 18446744073709551615 }";

fn denied(what: &str) -> String {
    format!("AccessDenied: Invalid according to Policy: {what}")
}

fn failed(condition: &str) -> String {
    denied(&format!("Policy Condition failed: {condition}"))
}

#[test]
fn a_policy_holds_until_it_expires() {
    let policy =
        parsed(&format!(r#"{{"expiration": "{LATER}", "conditions": [{{"bucket": "b"}}]}}"#)).unwrap();
    let check = |now: i64, expected: &str| {
        assert_eq!(said(policy.check(&fields(&[]), "b", Timestamp(now))), expected, "{now}");
    };
    check(NOW.0, ANY);
    check(NOW.0 + 1000, ANY);
    check(NOW.0 + 1001, &denied("Policy expired."));
}

#[test]
fn values_are_what_conditions_say() {
    let check = |condition: &str, form: &[(&str, &str)], expected: &str| {
        let found = posted(&format!(r#"[{{"bucket": "b"}}, {condition}]"#), form);
        assert_eq!(found, expected, "{condition} {form:?}");
    };
    check(r#"{"acl": "private"}"#, &[("acl", "private")], ANY);
    check(r#"{"aCl": "private"}"#, &[("AcL", "private")], ANY);
    check(r#"{"acl": "private"}"#, &[("acl", "Private")], &failed(r#"["eq", "$acl", "private"]"#));
    check(r#"{"Acl": "private"}"#, &[], &failed(r#"["eq", "$Acl", "private"]"#));
    check(r#"["eq", "$key", "k"]"#, &[("key", "k")], ANY);
    check(r#"["EQ", "$Key", "k"]"#, &[("key", "k")], ANY);
    check(r#"["eq", "$Key", "k"]"#, &[("key", "l")], &failed(r#"["eq", "$Key", "k"]"#));
    check(r#"["eq", "key", "k"]"#, &[("key", "k")], &failed(r#"["eq", "key", "k"]"#));
    check(r#"["eq", "$key", ""]"#, &[("key", "")], ANY);
    check(r#"["eq", "$key", ""]"#, &[], &failed(r#"["eq", "$key", ""]"#));
    check(r#"["starts-with", "$key", "in/"]"#, &[("key", "in/k")], ANY);
    check(r#"["StArTs-WiTh", "$KeY", "in/"]"#, &[("key", "in/k")], ANY);
    check(
        r#"["starts-with", "$key", "in/"]"#,
        &[("key", "IN/k")],
        &failed(r#"["starts-with", "$key", "in/"]"#),
    );
    check(r#"["starts-with", "$key", ""]"#, &[("key", "anything")], ANY);
    // One that is not there has no beginning.
    check(r#"["starts-with", "$acl", ""]"#, &[], &failed(r#"["starts-with", "$acl", ""]"#));
    check(r#"["starts-with", "key", ""]"#, &[("key", "k")], &failed(r#"["starts-with", "key", ""]"#));
    check(
        r#"["eq", "$x-amz-meta-a", "filename=\"ü.png\""]"#,
        &[("x-amz-meta-a", "b")],
        &failed(r#"["eq", "$x-amz-meta-a", "filename=\"ü.png\""]"#),
    );
}

#[test]
fn types_of_content_may_be_a_list() {
    let check = |field: &str, value: &str, holds: bool| {
        let condition = format!(r#"["starts-with", "${field}", "image/"]"#);
        let found = posted(&format!(r#"[{{"bucket": "b"}}, {condition}]"#), &[(field, value)]);
        assert_eq!(found, if holds { ANY.to_owned() } else { failed(&condition) }, "{field} {value}");
    };
    check("Content-Type", "image/png", true);
    check("Content-Type", "image/png,image/gif, image/jpg", true);
    check("Content-Type", "image/png,text/html", false);
    check("x-amz-meta-type", "image/png,text/html", true);
}

#[test]
fn the_bucket_is_the_one_that_is_posted_to() {
    assert_eq!(posted(r#"[{"bucket": "b"}]"#, &[]), ANY);
    assert_eq!(posted(r#"[["starts-with", "$bucket", ""]]"#, &[("bucket", "c")]), ANY);
    assert_eq!(posted(r#"[{"bucket": "c"}]"#, &[("bucket", "c")]), failed(r#"["eq", "$bucket", "c"]"#));
    assert_eq!(posted("[]", &[("bucket", "b")]), denied("Extra input fields: bucket"));
}

#[test]
fn every_field_has_a_condition() {
    let check = |form: &[(&str, &str)], expected: &str| {
        assert_eq!(posted(r#"[{"bucket": "b"}, {"Key": "k"}]"#, form), expected, "{form:?}");
    };
    check(&[("key", "k")], ANY);
    for name in ["x-amz-signature", "policy", "AWSAccessKeyId", "signature", "X-Ignore-This"] {
        check(&[("key", "k"), (name, "x")], ANY);
    }
    check(&[("key", "k"), ("Expires", "0")], &denied("Extra input fields: expires"));
    check(
        &[("x-amz-date", "x"), ("key", "k"), ("x-amz-checksum-crc32", "x")],
        &denied("Extra input fields: x-amz-date, x-amz-checksum-crc32"),
    );
    // A condition without a $ is about nothing; that it fails is said first.
    assert_eq!(posted(r#"[["eq", "bucket", "b"]]"#, &[]), failed(r#"["eq", "bucket", "b"]"#));
}

#[test]
fn a_file_is_as_long_as_all_ranges_say() {
    let check = |ranges: &str, expected: &str| {
        assert_eq!(posted(&format!(r#"[{{"bucket": "b"}}, {ranges}]"#), &[]), expected, "{ranges}");
    };
    check(r#"["content-length-range", 5, 10]"#, "Sizes { min: 5, max: 10 }");
    check(r#"["Content-Length-Range", "5", 10]"#, "Sizes { min: 5, max: 10 }");
    check(r#"["content-length-range", 5, 10], ["content-length-range", 2, 8]"#, "Sizes { min: 5, max: 8 }");
    check(r#"["content-length-range", 10, 5]"#, "Sizes { min: 10, max: 5 }");
    check(r#"["content-length-range", "test", "10"]"#, &failed(r#"["content-length-range", "test", "10"]"#));
    check(r#"["content-length-range", 1, ""]"#, &failed(r#"["content-length-range", 1, ""]"#));
}

#[test]
fn policies_have_two_escapes_that_json_has_not() {
    for (written, expected) in [
        (r"\$a", "$a"),
        (r"\\$a", r"\$a"),
        (r"\\\$a", r"\$a"),
        (r"a\vb", "a\u{b}b"),
        (r"\u0024\n\/", "$\n/"),
        (r"\\v", r"\v"),
    ] {
        let conditions = format!(r#"[{{"bucket": "b"}}, {{"key": "{written}"}}]"#);
        assert_eq!(posted(&conditions, &[("key", expected)]), ANY, "{written}");
    }
    assert_eq!(as_json("\\"), "\\");
    check_document(r#"{"expiration": "\x"}"#, "Invalid JSON.");
}

/// The policy of AWS's documentation, with the line ends that its signature covers.
#[test]
fn the_documented_policy_holds() {
    let document = [
        r#"{ "expiration": "2015-12-30T12:00:00.000Z","#,
        r#"  "conditions": ["#,
        r#"    {"bucket": "sigv4examplebucket"},"#,
        r#"    ["starts-with", "$key", "user/user1/"],"#,
        r#"    {"acl": "public-read"},"#,
        r#"    {"success_action_redirect": "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html"},"#,
        r#"    ["starts-with", "$Content-Type", "image/"],"#,
        r#"    {"x-amz-meta-uuid": "14365123651274"},"#,
        r#"    {"x-amz-server-side-encryption": "AES256"},"#,
        r#"    ["starts-with", "$x-amz-meta-tag", ""],"#,
        r#""#,
        r#"    {"x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request"},"#,
        r#"    {"x-amz-algorithm": "AWS4-HMAC-SHA256"},"#,
        r#"    {"x-amz-date": "20151229T000000Z" }"#,
        r#"  ]"#,
        r#"}"#,
    ]
    .join("\r\n");
    let encoded = STANDARD.encode(&document);
    let policy = Policy::parse(&encoded).unwrap();
    let mut form = fields(&[
        ("key", "user/user1/${filename}"),
        ("acl", "public-read"),
        ("success_action_redirect", "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html"),
        ("Content-Type", "image/jpeg"),
        ("x-amz-meta-uuid", "14365123651274"),
        ("x-amz-server-side-encryption", "AES256"),
        ("X-Amz-Credential", "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request"),
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
        ("X-Amz-Date", "20151229T000000Z"),
        ("x-amz-meta-tag", ""),
        ("Policy", &encoded),
        ("X-Amz-Signature", "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e"),
    ]);
    form.name_file(Some("photo.jpg"));
    let signed = Timestamp(1_451_347_200_000);
    assert_eq!(said(policy.check(&form, "sigv4examplebucket", signed)), ANY);
    assert_eq!(said(policy.check(&form, "b", signed)), failed(r#"["eq", "$bucket", "sigv4examplebucket"]"#));
}

/// Whatever a client sends is answered.
#[test]
fn no_policy_makes_it_panic() {
    let document = format!(
        r#"{{"expiration": "{LATER}", "conditions": [{{"bucket": "b"}}, ["eq", "$k", "v"], ["content-length-range", 1, 2]]}}"#
    );
    let form = fields(&[("k", "v")]);
    for at in 0..document.len() {
        for replaced in ["", "\\", "\"", "[", "}", "ü", "9"] {
            let mut changed = document.clone();
            changed.replace_range(at..=at, replaced);
            if let Ok(policy) = parsed(&changed) {
                let _ = policy.check(&form, "b", NOW);
            }
        }
        let _ = parsed(&document[..at]);
    }
}
