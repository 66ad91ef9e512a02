use expect_test::expect;
use wire::{Context, Error, Service, Unit};

use crate::harness::Call;
use crate::logs_shapes as shapes;

async fn create(_: (), _: Context, input: shapes::CreateLogGroupRequest) -> Result<Unit, Error> {
    match input.log_group_name.as_str() {
        "taken" => {
            Err(Error::new("ResourceAlreadyExistsException", "The specified log group already exists"))
        }
        "broken" => Err(Error::new("ServiceUnavailableException", "later")),
        _ => Ok(Unit {}),
    }
}

async fn get(
    _: (),
    _: Context,
    input: shapes::GetLogEventsRequest,
) -> Result<shapes::GetLogEventsResponse, Error> {
    let event = shapes::OutputLogEvent {
        timestamp: input.start_time,
        message: Some("a\n\"b\"".into()),
        ..Default::default()
    };
    Ok(shapes::GetLogEventsResponse { events: Some(vec![event]), ..Default::default() })
}

pub fn service() -> Service {
    Service::new(&shapes::SERVICE, ())
        .on::<shapes::CreateLogGroup>(create)
        .on::<shapes::GetLogEvents>(get)
        .build()
}

async fn check(operation: &str, body: &str, expected: expect_test::Expect) {
    let target = format!("Logs_20140328.{operation}");
    expected.assert_eq(&Call::post("/", body).with(&[("X-Amz-Target", &target)]).show(&service()).await);
}

#[tokio::test]
async fn an_answer_without_members_has_no_body() {
    check(
        "CreateLogGroup",
        r#"{"logGroupName":"g"}"#,
        expect![[r#"
        200
    "#]],
    )
    .await;
}

#[tokio::test]
async fn answers_are_json_with_the_protocols_media_type() {
    check(
        "GetLogEvents",
        r#"{"logGroupName":"g","logStreamName":"s","startTime":1784000000123}"#,
        expect![[r#"
        200
        content-type: application/x-amz-json-1.1
        {"events":[{"timestamp":1784000000123,"message":"a\n\"b\""}]}"#]],
    )
    .await;
}

#[tokio::test]
async fn errors_name_their_type_in_the_body() {
    check(
        "CreateLogGroup",
        r#"{"logGroupName":"taken"}"#,
        expect![[r#"
        400
        content-type: application/x-amz-json-1.1
        {"__type":"ResourceAlreadyExistsException","message":"The specified log group already exists"}"#]],
    )
    .await;
    check(
        "CreateLogGroup",
        r#"{"logGroupName":"broken"}"#,
        expect![[r#"
        500
        content-type: application/x-amz-json-1.1
        {"__type":"ServiceUnavailableException","message":"later"}"#]],
    )
    .await;
    check(
        "CreateLogGroup",
        r#"{"logGroupName":5}"#,
        expect![[r#"
        400
        content-type: application/x-amz-json-1.1
        {"__type":"SerializationException","Message":"NUMBER_VALUE can not be converted to a String"}"#]],
    )
    .await;
}

#[tokio::test]
async fn numbers_beyond_64_bits_are_refused() {
    check(
        "GetLogEvents",
        r#"{"logStreamName":"s","startTime":9223372036854775808}"#,
        expect![[r#"
        400
        content-type: application/x-amz-json-1.1
        {"__type":"SerializationException","Message":"NUMBER_VALUE can not be converted to a Long"}"#]],
    )
    .await;
}

#[tokio::test]
async fn operations_are_found_by_target() {
    check(
        "StartQuery",
        "{}",
        expect![[r#"
        501
        content-type: application/x-amz-json-1.1
        {"__type":"NotImplemented","message":"Hearth does not implement logs StartQuery yet."}"#]],
    )
    .await;
    check("Nonsense", "{}", expect![[r#"
        404
        content-type: application/x-amz-json-1.1
        {"__type":"UnknownOperationException","message":"Amazon CloudWatch Logs has no operation for X-Amz-Target \"Logs_20140328.Nonsense\"."}"#]]).await;
}
