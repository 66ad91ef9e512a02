use crate::harness::{Call, body};
use crate::{logs, query, rest_json};

async fn check_configuration(sent: &str, expected: &str) {
    let call =
        Call { method: http::Method::PUT, ..Call::post("/2015-03-31/functions/f/configuration", sent) };
    let answer = call.send(&rest_json::service()).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.headers["x-amzn-errortype"]),
        (400, &"ValidationException".parse().unwrap()),
        "{sent}"
    );
    assert_eq!(body(&answer), serde_json::json!({ "message": expected }).to_string(), "{sent}");
}

#[tokio::test]
async fn scalars_are_told_their_limits() {
    check_configuration(
        r#"{"Timeout": 0}"#,
        "1 validation error detected: Value '0' at 'timeout' failed to satisfy constraint: Member must have value greater than or equal to 1",
    )
    .await;
    check_configuration(
        r#"{"MemorySize": 99999999999}"#,
        "1 validation error detected: Value '99999999999' at 'memorySize' failed to satisfy constraint: Member must have value less than or equal to 32768",
    )
    .await;
    check_configuration(
        r#"{"Role": "r1"}"#,
        r"1 validation error detected: Value 'r1' at 'role' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+",
    )
    .await;
}

#[tokio::test]
async fn several_broken_constraints_are_counted() {
    let description = "x".repeat(257);
    check_configuration(
        &format!(r#"{{"Description": "{description}", "Timeout": 0}}"#),
        &format!(
            "2 validation errors detected: Value '{description}' at 'description' failed to satisfy constraint: Member must have length less than or equal to 256; Value '0' at 'timeout' failed to satisfy constraint: Member must have value greater than or equal to 1"
        ),
    )
    .await;
}

#[tokio::test]
async fn nested_members_have_paths() {
    check_configuration(
        r#"{"TracingConfig": {"Mode": "Bogus"}}"#,
        "1 validation error detected: Value 'Bogus' at 'tracingConfig.mode' failed to satisfy constraint: Member must satisfy enum value set: [Active, PassThrough]",
    )
    .await;
    check_configuration(
        r#"{"FileSystemConfigs": [{"Arn": null, "LocalMountPath": "/mnt/a"}]}"#,
        "1 validation error detected: Value null at 'fileSystemConfigs.1.member.arn' failed to satisfy constraint: Member must not be null",
    )
    .await;
}

#[tokio::test]
async fn secrets_are_not_shown() {
    check_configuration(
        r#"{"Environment": {"Variables": {"1BAD": "secret"}}}"#,
        "1 validation error detected: Value at 'environment.variables' failed to satisfy constraint: Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+, Member must not be null]",
    )
    .await;
}

#[tokio::test]
async fn elements_are_complained_about_together() {
    check_configuration(
        r#"{"VpcConfig": {"SubnetIds": ["a", null]}}"#,
        "1 validation error detected: Value '[a, null]' at 'vpcConfig.subnetIds' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 1024, Member must have length greater than or equal to 0, Member must satisfy regular expression pattern: subnet-[0-9a-z]*, Member must not be null]",
    )
    .await;
}

#[tokio::test]
async fn iam_answers_validation_error() {
    let answer =
        Call::post("/", "Action=CreateRole&RoleName=a/b&Tags.member.1.Key=k").send(&query::service()).await;
    let text = body(&answer);
    for part in [
        "<Code>ValidationError</Code>",
        r"Value 'a/b' at 'roleName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]+",
        "Value null at 'assumeRolePolicyDocument' failed to satisfy constraint: Member must not be null",
        "Value null at 'tags.1.member.value' failed to satisfy constraint: Member must not be null",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[tokio::test]
async fn logs_leave_the_value_out() {
    let call = Call::post("/", r#"{"logGroupName":"a b"}"#)
        .with(&[("X-Amz-Target", "Logs_20140328.CreateLogGroup")]);
    let text = body(&call.send(&logs::service()).await);
    assert_eq!(
        text,
        r#"{"__type":"InvalidParameterException","message":"1 validation error detected: Value at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+"}"#
    );
}

#[tokio::test]
async fn a_hostile_value_is_not_thrown_back_whole() {
    let sent = format!(r#"{{"Description": "{}"}}"#, "é".repeat(1 << 20));
    let call =
        Call { method: http::Method::PUT, ..Call::post("/2015-03-31/functions/f/configuration", sent) };
    let text = body(&call.send(&rest_json::service()).await);
    assert!(text.len() < 300_000 && text.contains("…' at 'description' failed"), "{}", text.len());
}
