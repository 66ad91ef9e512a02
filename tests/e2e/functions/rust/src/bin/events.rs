//! Takes events as the types of AWS's own crate, and tells what those types make of them.

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use aws_lambda_events::cloudwatch_events::CloudWatchEvent;
use aws_lambda_events::eventbridge::EventBridgeEvent;
use aws_lambda_events::lambda_function_urls::LambdaFunctionUrlRequest;
use aws_lambda_events::s3::S3Event;
use aws_lambda_events::sns::SnsEvent;
use aws_lambda_events::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(handle)).await
}

/// The event as it came and as its types, separated by commas in `EVENT_TYPES`, say it again: on a line of the log, for
/// who sends events waits for no answer, and as the answer.
async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let event = event.payload;
    let types = std::env::var("EVENT_TYPES")?;
    let again = types.split(',').map(|name| Ok((name.to_owned(), again(name, &event)?))).collect::<Result<Value, Error>>()?;
    let told = json!({ "event": event, "again": again });
    println!("told {told}");
    Ok(told)
}

fn again(name: &str, event: &Value) -> Result<Value, Error> {
    match name {
        "S3Event" => through::<S3Event>(event),
        "SqsEvent" => through::<SqsEvent>(event),
        "SnsEvent" => through::<SnsEvent>(event),
        "EventBridgeEvent" => through::<EventBridgeEvent>(event),
        "CloudWatchEvent" => through::<CloudWatchEvent>(event),
        "LambdaFunctionUrlRequest" => through::<LambdaFunctionUrlRequest>(event),
        "ApiGatewayV2httpRequest" => through::<ApiGatewayV2httpRequest>(event),
        // What has no type there.
        "Value" => Ok(event.clone()),
        _ => Err(format!("{name} is no type that this function knows").into()),
    }
}

fn through<T: DeserializeOwned + Serialize>(event: &Value) -> Result<Value, Error> {
    Ok(serde_json::to_value(T::deserialize(event)?)?)
}
