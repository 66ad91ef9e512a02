use bytes::Bytes;
use expect_test::expect;
use wire::{Body, Context, Error, Service};

use crate::harness::Call;
use crate::lambda_shapes as shapes;

async fn invoke(
    _: (),
    _: Context,
    input: shapes::InvocationRequest,
) -> Result<shapes::InvocationResponse, Error> {
    match input.function_name.as_str() {
        "throttled" => Err(Error::new("TooManyRequestsException", "Rate Exceeded.")
            .with_field("Reason", "CallerRateLimitExceeded")
            .with_field("retryAfterSeconds", "1")),
        "missing" => Err(Error::new("ResourceNotFoundException", "Function not found: missing")),
        "denied" => Err(Error::new("AccessDeniedException", "not you")),
        name => Ok(shapes::InvocationResponse {
            status_code: Some(if input.invocation_type == Some(shapes::InvocationType::DryRun) {
                204
            } else {
                200
            }),
            executed_version: Some(format!("{name}:{}", input.qualifier.unwrap_or_default())),
            payload: input.payload,
            ..Default::default()
        }),
    }
}

async fn configuration(
    _: (),
    _: Context,
    input: shapes::UpdateFunctionConfigurationRequest,
) -> Result<shapes::FunctionConfiguration, Error> {
    Ok(shapes::FunctionConfiguration {
        function_name: Some(input.function_name),
        timeout: input.timeout,
        environment: input
            .environment
            .map(|environment| shapes::EnvironmentResponse { variables: environment.variables, error: None }),
        ..Default::default()
    })
}

async fn untag(_: (), _: Context, input: shapes::UntagResourceRequest) -> Result<wire::Unit, Error> {
    Err(Error::new("InvalidParameterValueException", format!("{} {:?}", input.resource, input.tag_keys)))
}

async fn tag(_: (), _: Context, _: shapes::TagResourceRequest) -> Result<wire::Unit, Error> {
    Ok(wire::Unit {})
}

pub fn service() -> Service {
    Service::new(&shapes::SERVICE, ())
        .on::<shapes::Invoke>(invoke)
        .on::<shapes::UpdateFunctionConfiguration>(configuration)
        .on::<shapes::TagResource>(tag)
        .on::<shapes::UntagResource>(untag)
        .build()
}

#[tokio::test]
async fn a_payload_passes_through_with_members_in_headers() {
    expect![[r#"
        200
        content-type: application/json
        x-amz-executed-version: f:live
        {"a":1}"#]]
    .assert_eq(
        &Call::post("/2015-03-31/functions/f/invocations?Qualifier=live", r#"{"a":1}"#)
            .show(&service())
            .await,
    );
}

#[tokio::test]
async fn a_payload_is_shared_and_never_copied() {
    let payload = Bytes::from(vec![b'x'; 1024]);
    let mut call = Call::post("/2015-03-31/functions/f/invocations", "");
    call.body = payload.clone();
    let answer = call.send(&service()).await;
    assert!(matches!(&answer.body, Body::Bytes(bytes) if bytes.as_ptr() == payload.as_ptr()));
}

#[tokio::test]
async fn a_member_sets_the_status() {
    let call =
        Call::post("/2015-03-31/functions/f/invocations", "").with(&[("X-Amz-Invocation-Type", "DryRun")]);
    expect![[r#"
        204
        x-amz-executed-version: f:
    "#]]
    .assert_eq(&call.show(&service()).await);
}

#[tokio::test]
async fn labels_are_decoded_once() {
    let path = "/2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Aa%252Fb?tagKeys=x%20y&tagKeys=z%2B";
    let call = Call { method: http::Method::DELETE, ..Call::post(path, "") };
    // The ARN's pattern refuses the percent sign that is left.
    assert!(
        call.show(&service())
            .await
            .contains("Value 'arn:aws:lambda:us-east-1:000000000000:function:a%2Fb' at 'resource'")
    );

    let path = "/2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af?tagKeys=x%20y&tagKeys=z%2B";
    let call = Call { method: http::Method::DELETE, ..Call::post(path, "") };
    expect![[r#"
        400
        content-type: application/json
        x-amzn-errortype: InvalidParameterValueException
        {"Type":"User","message":"arn:aws:lambda:us-east-1:000000000000:function:f [\"x y\", \"z+\"]"}"#]]
    .assert_eq(&call.show(&service()).await);
}

#[tokio::test]
async fn an_answer_without_members_has_no_body() {
    let path = "/2017-03-31/tags/arn:aws:lambda:us-east-1:000000000000:function:f/";
    expect![[r#"
        204
    "#]]
    .assert_eq(&Call::post(path, r#"{"Tags":{"k":"v"}}"#).show(&service()).await);
}

async fn check_configuration(body: &str, expected: expect_test::Expect) {
    let call =
        Call { method: http::Method::PUT, ..Call::post("/2015-03-31/functions/f/configuration", body) };
    expected.assert_eq(&call.show(&service()).await);
}

#[tokio::test]
async fn unknown_members_and_nulls_are_passed_over() {
    check_configuration(
        r#"{"Timeout": 5, "Bogus": {"a": [1]}, "Description": null, "Environment": {"Variables": {"KEY": "value"}}}"#,
        expect![[r#"
            200
            content-type: application/json
            {"FunctionName":"f","Timeout":5,"Environment":{"Variables":{"KEY":"value"}}}"#]],
    )
    .await;
}

#[tokio::test]
async fn wrong_types_are_serialization_exceptions_in_awss_words() {
    for (body, message) in [
        (r#"{"Timeout":"5"}"#, "STRING_VALUE can not be converted to an Integer"),
        (r#"{"Timeout":true}"#, "TRUE_VALUE can not be converted to an Integer"),
        (r#"{"Timeout":1.5}"#, "NUMBER_VALUE can not be converted to an Integer"),
        (r#"{"Timeout":[1]}"#, "Start of list found where not expected"),
        (r#"{"Timeout":{}}"#, "Start of structure or map found where not expected."),
        (r#"{"Description":5}"#, "NUMBER_VALUE can not be converted to a String"),
        (r#"{"Layers":"x"}"#, "Expected list or null"),
        (r#"{"Layers":{}}"#, "Start of structure or map found where not expected."),
        (r#"{"Layers":[1]}"#, "NUMBER_VALUE can not be converted to a String"),
        (r#"{"TracingConfig":"x"}"#, "Expected null"),
        ("[]", "Start of list found where not expected"),
        ("5", "Expected null"),
        ("null", "Expected a structure"),
        ("{", "The request body is not valid JSON: EOF while parsing an object at line 1 column 1"),
        ("{} {}", "The request body is not valid JSON: trailing characters at line 1 column 4"),
    ] {
        let call =
            Call { method: http::Method::PUT, ..Call::post("/2015-03-31/functions/f/configuration", body) };
        let answer = call.send(&service()).await;
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(answer.headers["x-amzn-errortype"], "SerializationException", "{body}");
        let expected = serde_json::json!({ "message": message }).to_string();
        assert_eq!(crate::harness::body(&answer), expected, "{body}");
    }
}

#[tokio::test]
async fn errors_carry_what_their_shape_has() {
    let invoke = |name: &'static str| async move {
        Call::post(&format!("/2015-03-31/functions/{name}/invocations"), "").show(&service()).await
    };
    expect![[r#"
        429
        content-type: application/json
        x-amzn-errortype: TooManyRequestsException
        retry-after: 1
        {"Type":"User","Reason":"CallerRateLimitExceeded","message":"Rate Exceeded."}"#]]
    .assert_eq(&invoke("throttled").await);
    expect![[r#"
        404
        content-type: application/json
        x-amzn-errortype: ResourceNotFoundException
        {"Type":"User","Message":"Function not found: missing"}"#]]
    .assert_eq(&invoke("missing").await);
    expect![[r#"
        403
        content-type: application/json
        x-amzn-errortype: AccessDeniedException
        {"Message":"not you"}"#]]
    .assert_eq(&invoke("denied").await);
}

#[tokio::test]
async fn an_operation_without_a_handler_says_so() {
    expect![[r#"
        501
        content-type: application/json
        x-amzn-errortype: NotImplemented
        {"message":"Hearth does not implement lambda CreateCodeSigningConfig yet."}"#]]
    .assert_eq(&Call::post("/2020-04-22/code-signing-configs", "{}").show(&service()).await);
}

#[tokio::test]
async fn a_path_of_no_operation_says_so() {
    expect![[r#"
        404
        content-type: application/json
        x-amzn-errortype: UnknownOperationException
        {"message":"AWS Lambda has no operation for GET /2015-03-31/nonsense."}"#]]
    .assert_eq(&Call::get("/2015-03-31/nonsense").show(&service()).await);
}

#[test]
fn routes_tell_operations_apart() {
    let service = service();
    for (method, path, name) in [
        ("GET", "/2015-03-31/functions", "ListFunctions"),
        ("GET", "/2015-03-31/functions/", "ListFunctions"),
        ("POST", "/2015-03-31/functions/", "CreateFunction"),
        ("GET", "/2015-03-31/functions/f", "GetFunction"),
        ("GET", "/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:f", "GetFunction"),
        ("GET", "/2018-10-31/layers", "ListLayers"),
        ("GET", "/2018-10-31/layers?find=LayerVersion&Arn=a", "GetLayerVersionByArn"),
        ("GET", "/2019-09-30/functions/f/provisioned-concurrency", "GetProvisionedConcurrencyConfig"),
        (
            "GET",
            "/2019-09-30/functions/f/provisioned-concurrency?List=ALL",
            "ListProvisionedConcurrencyConfigs",
        ),
        ("GET", "/2019-09-25/functions/f/event-invoke-config/list", "ListFunctionEventInvokeConfigs"),
    ] {
        let (raw, query) = path.split_once('?').unwrap_or((path, ""));
        let method = method.parse().unwrap();
        let (operation, _) = service.route(&method, raw, query, &http::HeaderMap::new(), b"").unwrap();
        assert_eq!(operation.name, name, "{method} {path}");
    }
}

/// It sees what was sent, and who may not pass does not reach the handler.
#[tokio::test]
async fn a_guard_is_asked_before_the_handler() {
    let service = Service::new(&shapes::SERVICE, ()).on::<shapes::TagResource>(tag).build().guarded(
        |_, operation, fields| match fields.get("Resource") {
            Some(wire::Value::String(resource)) if resource.ends_with(":secret") => {
                Err(Error::new("AccessDeniedException", format!("no {}", operation.name)))
            }
            _ => Ok(()),
        },
    );
    let path = |name: &str| {
        format!("/2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3A{name}")
    };
    let body = r#"{"Tags":{"a":"b"}}"#;
    assert!(Call::post(&path("open"), body).show(&service).await.starts_with("204"));
    let refused = Call::post(&path("secret"), body).show(&service).await;
    assert!(refused.contains("AccessDeniedException") && refused.contains("no TagResource"), "{refused}");
}
