use std::collections::BTreeSet;

use http::{HeaderMap, HeaderValue, Method, header};
use wire::{Body, Request, Response};

use super::*;
use crate::testing::{TRUST_LAMBDA, cx, iam};

/// Sends a form as a client does.
async fn send(service: &Service, form: &[(&str, &str)]) -> (u16, String) {
    let encode = |text: &str| policy_document::url_encoded(text);
    let pairs: Vec<_> = form.iter().map(|(key, value)| format!("{key}={}", encode(value))).collect();
    let body = format!("Version=2010-05-08&{}", pairs.join("&"));
    let mut headers = HeaderMap::new();
    let form_type = HeaderValue::from_static("application/x-www-form-urlencoded; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, form_type);
    let (operation, labels) = service.route(&Method::POST, "/", "", &headers, body.as_bytes()).unwrap();
    let request = Request { operation, labels, query: String::new(), headers, body: body.into() };
    let Response { status, body: Body::Bytes(body), .. } = service.handle(cx(), request).await else {
        panic!("IAM streams nothing")
    };
    (status.as_u16(), String::from_utf8(body.to_vec()).unwrap())
}

#[test]
fn every_operation_with_shapes_has_a_handler() {
    let service = service(iam());
    let implemented: BTreeSet<_> = service.implemented().collect();
    let has_shapes = |operation: &&wire::schema::Operation| {
        !operation.input.members().is_empty() || !operation.output.members().is_empty()
    };
    let with_shapes: BTreeSet<_> =
        shapes::SERVICE.operations.iter().filter(has_shapes).map(|operation| operation.name).collect();
    assert_eq!(implemented, with_shapes);
}

#[tokio::test]
async fn a_role_goes_over_the_wire_and_comes_back() {
    let service = service(iam());
    let create =
        [("Action", "CreateRole"), ("RoleName", "basic"), ("AssumeRolePolicyDocument", TRUST_LAMBDA)];
    let (status, body) = send(&service, &create).await;
    assert_eq!(status, 200, "{body}");
    assert!(body.contains("<Arn>arn:aws:iam::000000000000:role/basic</Arn>"), "{body}");
    let (status, body) = send(&service, &[("Action", "GetRole"), ("RoleName", "basic")]).await;
    assert_eq!(status, 200, "{body}");
    assert!(body.contains("<AssumeRolePolicyDocument>%7B%22Version%22"), "{body}");
    let (status, body) = send(&service, &create).await;
    assert_eq!(status, 409, "{body}");
    assert!(body.contains("<Code>EntityAlreadyExists</Code>"), "{body}");
    let (status, body) = send(&service, &[("Action", "GetRole"), ("RoleName", "gone")]).await;
    assert_eq!(status, 404, "{body}");
    assert!(body.contains("<Message>The role with name gone cannot be found.</Message>"), "{body}");
}

#[tokio::test]
async fn the_models_constraints_are_checked_before_a_handler() {
    let service = service(iam());
    let (status, body) = send(&service, &[("Action", "GetRole"), ("RoleName", "no spaces")]).await;
    assert_eq!(status, 400, "{body}");
    assert!(body.contains("<Code>ValidationError</Code>"), "{body}");
}
