//! A service that speaks two protocols: each request is answered in its own.

use expect_test::{Expect, expect};
use wire::{Context, Error, Service};

use crate::harness::Call;
use crate::sqs_shapes as shapes;

async fn url(
    _: (),
    _: Context,
    input: shapes::GetQueueUrlRequest,
) -> Result<shapes::GetQueueUrlResult, Error> {
    match input.queue_name.as_str() {
        "there" => Ok(shapes::GetQueueUrlResult { queue_url: Some("http://h/1/there".into()) }),
        _ => Err(Error::new("QueueDoesNotExist", "The specified queue does not exist.")),
    }
}

async fn tags(_: (), _: Context, input: shapes::TagQueueRequest) -> Result<wire::Unit, Error> {
    Err(Error::new("InvalidAddress", format!("{} {:?}", input.queue_url, input.tags)))
}

fn service() -> Service {
    Service::new(&shapes::SERVICE, ()).on::<shapes::GetQueueUrl>(url).on::<shapes::TagQueue>(tags).build()
}

async fn json(body: &str, expected: Expect) {
    let headers = [("X-Amz-Target", "AmazonSQS.GetQueueUrl")];
    expected.assert_eq(&Call::post("/", body).with(&headers).show(&service()).await);
}

async fn form(path: &str, form: &str, expected: Expect) {
    expected.assert_eq(&Call::post(path, form).show(&service()).await);
}

#[tokio::test]
async fn json_is_answered_in_json() {
    json(
        r#"{"QueueName":"there"}"#,
        expect![[r#"
        200
        content-type: application/x-amz-json-1.0
        {"QueueUrl":"http://h/1/there"}"#]],
    )
    .await;
    json(
        r#"{"QueueName":"gone"}"#,
        expect![[r#"
        400
        content-type: application/x-amz-json-1.0
        x-amzn-query-error: AWS.SimpleQueueService.NonExistentQueue;Sender
        {"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"The specified queue does not exist."}"#]],
    )
    .await;
    json("{}", expect![[r#"
        400
        content-type: application/x-amz-json-1.0
        x-amzn-query-error: MissingParameter;Sender
        {"__type":"com.amazon.coral.service#MissingRequiredParameterException","message":"The request must contain the parameter QueueName."}"#]]).await;
}

#[tokio::test]
async fn a_form_is_answered_in_xml() {
    form("/", "Action=GetQueueUrl&QueueName=there", expect![[r#"
        200
        content-type: text/xml
        <GetQueueUrlResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><GetQueueUrlResult><QueueUrl>http://h/1/there</QueueUrl></GetQueueUrlResult><ResponseMetadata><RequestId>00000000-0000-0000-0000-000000000000</RequestId></ResponseMetadata></GetQueueUrlResponse>"#]]).await;
    form("/", "Action=GetQueueUrl&QueueName=gone", expect![[r#"
        400
        content-type: text/xml
        <ErrorResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><Error><Type>Sender</Type><Code>AWS.SimpleQueueService.NonExistentQueue</Code><Message>The specified queue does not exist for this wsdl version.</Message></Error><RequestId>00000000-0000-0000-0000-000000000000</RequestId></ErrorResponse>"#]]).await;
}

#[tokio::test]
async fn a_form_names_its_resource_by_where_it_is_sent() {
    form("/1/q", "Action=TagQueue&Tag.1.Key=a&Tag.1.Value=b", expect![[r#"
        400
        content-type: text/xml
        <ErrorResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><Error><Type>Sender</Type><Code>InvalidAddress</Code><Message>/1/q {&quot;a&quot;: &quot;b&quot;}</Message></Error><RequestId>00000000-0000-0000-0000-000000000000</RequestId></ErrorResponse>"#]]).await;
}
