//! The function that the conformance suite has in every language, on AWS's own crate.

use std::time::{Duration, SystemTime};

use lambda_runtime::{Context, Error, LambdaEvent, run, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    if std::env::var("_HANDLER")?.starts_with("broken") {
        return Err("broken at the start".into());
    }
    run(service_fn(handle)).await
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let (event, context) = event.into_parts();
    println!("handling {}", context.request_id);
    if let Some(message) = event["fail"].as_str() {
        return Err(message.into());
    }
    if let Some(seconds) = event["sleep"].as_u64() {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }
    if let Some(status) = event["exit"].as_i64() {
        std::process::exit(i32::try_from(status)?);
    }
    if event.get("context").is_some() { seen(&context) } else { Ok(event) }
}

fn seen(context: &Context) -> Result<Value, Error> {
    let function = &context.env_config;
    Ok(json!({
        "id": context.request_id,
        "arn": context.invoked_function_arn,
        "name": function.function_name,
        "memory": function.memory,
        "remaining": context.deadline().duration_since(SystemTime::now())?.as_millis() as u64,
        "env": std::env::var("GREETING")?,
        "execution": std::env::var("AWS_EXECUTION_ENV").ok(),
        "cwd": std::env::current_dir()?,
        "pid": std::process::id(),
        "trace": context.xray_trace_id,
    }))
}
