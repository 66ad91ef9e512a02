//! Requests in, answers out, through the models of real services.

mod both;
mod by_name;
mod harness;
mod hostile;
mod logs;
mod query;
mod rest_json;
mod schema;
mod validation;

// Generated code speaks only of `wire`, so it can be tested here, beneath the services that include it.
#[allow(dead_code, reason = "tests use a part of each model")]
#[path = "../../../../services/iam/src/shapes.rs"]
mod iam_shapes;
#[allow(dead_code, reason = "tests use a part of each model")]
#[path = "../../../../services/lambda/src/shapes.rs"]
mod lambda_shapes;
#[allow(dead_code, reason = "tests use a part of each model")]
#[path = "../../../../services/logs/src/shapes.rs"]
mod logs_shapes;
#[allow(dead_code, reason = "tests use a part of each model")]
#[path = "../../../../services/sqs/src/shapes.rs"]
mod sqs_shapes;
#[allow(dead_code, reason = "tests use a part of each model")]
#[path = "../../../../services/sts/src/shapes.rs"]
mod sts_shapes;
