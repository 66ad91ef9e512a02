//! Layers of other accounts and regions, and the policies that share them.

use super::*;

#[tokio::test]
async fn another_account_needs_the_policy() {
    let world = World::new().await;
    world.publish("l", "x").await;
    let layer = "arn:aws:lambda:us-east-1:000000000000:layer:l";
    let denied = |arn: &str| {
        format!(
            "AccessDeniedException: User: arn:aws:iam::111111111111:root is not authorized to perform: \
             lambda:GetLayerVersion on resource: {arn} because no resource-based policy allows the \
             lambda:GetLayerVersion action"
        )
    };
    let other = || cx_of("111111111111");
    check_error(world.create_by(other(), "f", &[&arn("l", 1)]).await, &denied(&arn("l", 1)));
    check_error(world.get_by(other(), layer, 1).await, &denied(&arn("l", 1)));
    // What is not there is not told apart.
    check_error(world.get_by(other(), layer, 2).await, &denied(&arn("l", 2)));
    world.allow("s", "111111111111").await.unwrap();
    world.create_by(other(), "f", &[&arn("l", 1)]).await.unwrap();
    assert_eq!(world.get_by(other(), layer, 1).await.unwrap().version, Some(1));
    check_error(
        world.create_by(cx_of("222222222222"), "f", &[&arn("l", 1)]).await,
        &denied(&arn("l", 1)).replace("111111111111", "222222222222"),
    );
    let deletion = shapes::DeleteLayerVersionRequest { layer_name: layer.to_owned(), version_number: 1 };
    let error = delete(world.lambda.clone(), other(), deletion).await.unwrap_err();
    assert!(error.message.contains("perform: lambda:DeleteLayerVersion on"), "{}", error.message);
}

#[tokio::test]
async fn another_region_is_another_place() {
    let world = World::new().await;
    world.publish("l", "x").await;
    check_error(
        world.get_by(in_region("eu-west-1"), "l", 1).await,
        "ResourceNotFoundException: The resource you requested does not exist.",
    );
    check_error(
        world.get_by(in_region("eu-west-1"), "arn:aws:lambda:us-east-1:000000000000:layer:l", 1).await,
        "ResourceNotFoundException: Layers from 'us-east-1' are not reachable in this region ('eu-west-1')",
    );
}

#[tokio::test]
async fn a_policy_grows_and_shrinks_under_its_revision() {
    let world = World::new().await;
    let missing = format!("ResourceNotFoundException: Layer version {} does not exist.", arn("l", 1));
    check_error(world.allow("s", "*").await, &missing);
    check_error(world.policy().await, &missing);
    world.publish("l", "x").await;
    check_error(
        world.policy().await,
        "ResourceNotFoundException: No policy is associated with the given resource.",
    );
    check_error(
        world.disallow("s", None).await,
        "ResourceNotFoundException: Statement s is not found in resource policy.",
    );
    let first = world.allow("s", "*").await.unwrap();
    check_error(
        world.allow("s", "*").await,
        "ResourceConflictException: The statement id (s) provided already exists. Please provide a new statement id, \
         or remove the existing statement.",
    );
    let second = world.allow("t", "111111111111").await.unwrap();
    assert_ne!(first, second);
    let (text, revision) = world.policy().await.unwrap();
    assert_eq!(revision, second);
    let statement = |sid: &str, principal: &str| {
        format!(
            r#"{{"Sid":"{sid}","Effect":"Allow","Principal":{principal},"Action":"lambda:GetLayerVersion","Resource":"{}"}}"#,
            arn("l", 1)
        )
    };
    let both = [statement("s", r#""*""#), statement("t", r#"{"AWS":"arn:aws:iam::111111111111:root"}"#)];
    assert_eq!(
        text,
        format!(r#"{{"Version":"2012-10-17","Id":"default","Statement":[{}]}}"#, both.join(","))
    );
    check_error(
        world.disallow("s", Some(&first)).await,
        "PreconditionFailedException: The Revision Id provided does not match the latest Revision Id. Call the \
         GetLayerPolicy API to retrieve the latest Revision Id",
    );
    world.disallow("s", Some(&second)).await.unwrap();
    world.disallow("t", None).await.unwrap();
    assert_eq!(world.policy().await.unwrap().0, r#"{"Version":"2012-10-17","Id":"default","Statement":[]}"#);
}

#[tokio::test]
async fn an_organization_goes_with_everyone_only() {
    let world = World::new().await;
    world.publish("l", "x").await;
    let input = |principal: &str| shapes::AddLayerVersionPermissionRequest {
        layer_name: "l".to_owned(),
        version_number: 1,
        statement_id: "s".to_owned(),
        action: "lambda:GetLayerVersion".to_owned(),
        principal: principal.to_owned(),
        organization_id: Some("o-abcdefghij".to_owned()),
        ..Default::default()
    };
    let error = add_permission(world.lambda.clone(), cx(), input("111111111111")).await.unwrap_err();
    assert_eq!(error.code, "InvalidParameterValueException");
    let added = add_permission(world.lambda.clone(), cx(), input("*")).await.unwrap();
    assert!(added.statement.unwrap().contains(r#""aws:PrincipalOrgID":"o-abcdefghij""#));
}
