//! Operations called from inside of the server.

use serde_json::{Value, json};

use crate::harness::context;
use crate::query::service;

async fn call(operation: &str, input: Value) -> Result<(), String> {
    service().call(context(), operation, &input).await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn an_operation_is_called_by_its_name_and_its_members_names() {
    let input = json!({
        "roleName": "r", "AssumeRolePolicyDocument": "{}", "Tags": [{ "Key": "a", "Value": "b" }], "MaxSessionDuration": 3600,
    });
    assert_eq!(call("createRole", input).await, Ok(()));
    let error = call("GetRole", json!({ "RoleName": "x" })).await.unwrap_err();
    assert_eq!(error, "NoSuchEntity: The role with name <x> cannot be found.");
}

#[tokio::test]
async fn the_models_constraints_hold_here_too() {
    let error = call("CreateRole", json!({ "RoleName": "r" })).await.unwrap_err();
    assert!(error.contains("assumeRolePolicyDocument"), "{error}");
    let error = call("CreateRole", json!({ "RoleName": 7 })).await.unwrap_err();
    assert!(error.starts_with("ValidationException: RoleName is not of the expected type"), "{error}");
    let error = call("GetRole", json!({ "Nonsense": 7 })).await.unwrap_err();
    assert_eq!(error, "ValidationException: There is no Nonsense here.");
    assert!(call("GetRole", json!([])).await.is_err());
}

#[tokio::test]
async fn what_is_not_implemented_says_so() {
    let error = call("CreateGroup", json!({})).await.unwrap_err();
    assert_eq!(error, "NotImplemented: Hearth does not implement iam CreateGroup yet.");
}
