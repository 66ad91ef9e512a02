//! Echoes, fails, waits and exits on request.

use std::time::Duration;

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    println!("bootstrap started");
    run(service_fn(handle)).await
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let (event, context) = event.into_parts();
    println!("handling {}", context.request_id);
    if let Some(message) = event["fail"].as_str() {
        return Err(message.into());
    }
    if let Some(milliseconds) = event["sleep_ms"].as_u64() {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }
    if let Some(status) = event["exit"].as_i64() {
        std::process::exit(i32::try_from(status)?);
    }
    Ok(json!({
        "event": event,
        "requestId": context.request_id,
        "arn": context.invoked_function_arn,
        "memory": context.env_config.memory,
        "handler": std::env::var("_HANDLER").ok(),
        "executionEnv": std::env::var("AWS_EXECUTION_ENV").ok(),
    }))
}
