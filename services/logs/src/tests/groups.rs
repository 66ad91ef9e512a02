use std::collections::BTreeMap;

use super::{Server, check_error, cx};
use crate::groups as handlers;
use crate::shapes::*;

const NO_GROUP: &str = "ResourceNotFoundException: The specified log group does not exist.";

async fn describe(server: &Server, input: DescribeLogGroupsRequest) -> DescribeLogGroupsResponse {
    handlers::describe(server.logs.clone(), cx(), input).await.unwrap()
}

fn names(page: &DescribeLogGroupsResponse) -> Vec<&str> {
    page.log_groups.iter().flatten().map(|group| group.log_group_name.as_deref().unwrap()).collect()
}

#[tokio::test]
async fn a_group_is_created_once_and_described_with_both_arns() {
    let server = Server::start();
    server.create_group("/aws/lambda/f").await.unwrap();
    check_error(
        server.create_group("/aws/lambda/f").await,
        "ResourceAlreadyExistsException: The specified log group already exists",
    );
    let page = describe(&server, DescribeLogGroupsRequest::default()).await;
    let group = &page.log_groups.unwrap()[0];
    assert_eq!(group.arn.as_deref(), Some("arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/f:*"));
    assert_eq!(
        group.log_group_arn.as_deref(),
        Some("arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/f")
    );
    assert_eq!(group.creation_time, Some(super::NOW));
    assert_eq!((group.stored_bytes, group.retention_in_days), (Some(0), None));
}

#[tokio::test]
async fn what_a_group_cannot_have_is_refused() {
    let server = Server::start();
    let request = |name: &str| CreateLogGroupRequest { log_group_name: name.into(), ..Default::default() };
    let cases = [
        (request("aws/x"), "Log groups starting with AWS/ are reserved for AWS."),
        (CreateLogGroupRequest { kms_key_id: Some("key".into()), ..request("x") }, "KMS"),
        (
            CreateLogGroupRequest { log_group_class: Some(LogGroupClass::Delivery), ..request("x") },
            "DELIVERY",
        ),
        (
            CreateLogGroupRequest { deletion_protection_enabled: Some(true), ..request("x") },
            "deletion protection",
        ),
        (CreateLogGroupRequest { tags: Some([("aws:a".into(), "b".into())].into()), ..request("x") }, "aws:"),
    ];
    for (input, part) in cases {
        let error = handlers::create(server.logs.clone(), cx(), input).await.unwrap_err();
        assert_eq!(error.code, "InvalidParameterException");
        assert!(error.message.contains(part), "{error}");
    }
    let defaults = CreateLogGroupRequest {
        log_group_class: Some(LogGroupClass::Standard),
        deletion_protection_enabled: Some(false),
        ..request("x")
    };
    handlers::create(server.logs.clone(), cx(), defaults).await.unwrap();
}

#[tokio::test]
async fn groups_are_listed_by_prefix_and_pattern_page_by_page() {
    let server = Server::start();
    for name in ["/aws/lambda/a", "/aws/lambda/b", "/aws/lambda/c", "/other/lambda"] {
        server.create_group(name).await.unwrap();
    }
    let prefix = DescribeLogGroupsRequest {
        log_group_name_prefix: Some("/aws/lambda/".into()),
        limit: Some(2),
        ..Default::default()
    };
    let first = describe(&server, prefix.clone()).await;
    assert_eq!(names(&first), ["/aws/lambda/a", "/aws/lambda/b"]);
    let second = describe(&server, DescribeLogGroupsRequest { next_token: first.next_token, ..prefix }).await;
    assert_eq!((names(&second), &second.next_token), (vec!["/aws/lambda/c"], &None));

    let pattern =
        DescribeLogGroupsRequest { log_group_name_pattern: Some("lambda".into()), ..Default::default() };
    let found = describe(&server, pattern).await;
    assert_eq!(found.log_groups.as_ref().unwrap().len(), 4);
    assert_eq!(
        found.log_groups.unwrap()[0].stored_bytes,
        None,
        "a pattern shows only name, ARN and creation"
    );

    let identifiers = DescribeLogGroupsRequest {
        log_group_identifiers: Some(vec![
            "/other/lambda".into(),
            "missing".into(),
            "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/c".into(),
        ]),
        ..Default::default()
    };
    assert_eq!(names(&describe(&server, identifiers).await), ["/aws/lambda/c", "/other/lambda"]);

    for (input, message) in [
        (
            DescribeLogGroupsRequest {
                log_group_name_prefix: Some("a".into()),
                log_group_name_pattern: Some("b".into()),
                ..Default::default()
            },
            "mutually exclusive",
        ),
        (
            DescribeLogGroupsRequest { include_linked_accounts: Some(true), ..Default::default() },
            "linked accounts",
        ),
        (
            DescribeLogGroupsRequest { next_token: Some("nonsense".into()), ..Default::default() },
            "nextToken is invalid",
        ),
    ] {
        let error = handlers::describe(server.logs.clone(), cx(), input).await.unwrap_err();
        assert!(error.message.contains(message), "{error}");
    }
}

#[tokio::test]
async fn groups_of_other_regions_are_not_seen() {
    let server = Server::start();
    server.create_group("g").await.unwrap();
    let mut elsewhere = cx();
    elsewhere.scope.region = domain::Region::parse("eu-west-1").unwrap();
    let page = handlers::describe(server.logs.clone(), elsewhere, DescribeLogGroupsRequest::default())
        .await
        .unwrap();
    assert_eq!(page.log_groups, Some(vec![]));
}

#[tokio::test]
async fn retention_takes_only_documented_days() {
    let server = Server::start();
    server.create_group("g").await.unwrap();
    let put = async |group: &str, days| {
        let input = PutRetentionPolicyRequest { log_group_name: group.into(), retention_in_days: days };
        handlers::put_retention(server.logs.clone(), cx(), input).await
    };
    put("g", 7).await.unwrap();
    let shown = async || {
        describe(&server, DescribeLogGroupsRequest::default()).await.log_groups.unwrap()[0].retention_in_days
    };
    assert_eq!(shown().await, Some(7));
    for days in [0, 2, -1, 3654] {
        assert_eq!(put("g", days).await.unwrap_err().code, "InvalidParameterException");
    }
    check_error(put("missing", 7).await, NO_GROUP);
    let input = DeleteRetentionPolicyRequest { log_group_name: "g".into() };
    handlers::delete_retention(server.logs.clone(), cx(), input).await.unwrap();
    assert_eq!(shown().await, None);
}

#[tokio::test]
async fn tags_are_the_same_through_both_generations_of_the_api() {
    let server = Server::start();
    server.create_group("g").await.unwrap();
    let arn = "arn:aws:logs:us-east-1:000000000000:log-group:g".to_owned();
    let tags = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
    };
    let list = async || {
        let new = ListTagsForResourceRequest { resource_arn: arn.clone() };
        let new = handlers::list_tags_for_resource(server.logs.clone(), cx(), new).await.unwrap().tags;
        let old = ListTagsLogGroupRequest { log_group_name: "g".into() };
        let old = handlers::list_tags_log_group(server.logs.clone(), cx(), old).await.unwrap().tags;
        assert_eq!(new, old);
        new.unwrap()
    };
    let new = TagResourceRequest { resource_arn: format!("{arn}:*"), tags: tags(&[("a", "1"), ("b", "2")]) };
    handlers::tag_resource(server.logs.clone(), cx(), new).await.unwrap();
    let old = TagLogGroupRequest { log_group_name: "g".into(), tags: tags(&[("b", "3"), ("c", "4")]) };
    handlers::tag_log_group(server.logs.clone(), cx(), old).await.unwrap();
    assert_eq!(list().await, tags(&[("a", "1"), ("b", "3"), ("c", "4")]));

    let new =
        UntagResourceRequest { resource_arn: arn.clone(), tag_keys: vec!["a".into(), "missing".into()] };
    handlers::untag_resource(server.logs.clone(), cx(), new).await.unwrap();
    let old = UntagLogGroupRequest { log_group_name: "g".into(), tags: vec!["b".into()] };
    handlers::untag_log_group(server.logs.clone(), cx(), old).await.unwrap();
    assert_eq!(list().await, tags(&[("c", "4")]));

    let many: BTreeMap<_, _> = (0..50).map(|n| (format!("k{n}"), String::new())).collect();
    let new = TagResourceRequest { resource_arn: arn.clone(), tags: many.clone() };
    let error = handlers::tag_resource(server.logs.clone(), cx(), new).await.unwrap_err();
    assert_eq!(error.code, "TooManyTagsException");
    let old = TagLogGroupRequest { log_group_name: "g".into(), tags: many };
    let error = handlers::tag_log_group(server.logs.clone(), cx(), old).await.unwrap_err();
    assert_eq!(error.code, "InvalidParameterException");
    assert_eq!(list().await, tags(&[("c", "4")]), "a refused change changes nothing");
}

#[tokio::test]
async fn tags_of_what_is_not_there_are_refused() {
    let server = Server::start();
    for (arn, expected) in [
        ("arn:aws:logs:us-east-1:000000000000:log-group:g", "ResourceNotFoundException"),
        ("arn:aws:logs:eu-west-1:000000000000:log-group:g", "InvalidParameterException"),
        ("arn:aws:logs:us-east-1:111111111111:log-group:g", "InvalidParameterException"),
        ("arn:aws:logs:us-east-1:000000000000:destination:d", "InvalidParameterException"),
        ("arn:aws:logs:us-east-1:000000000000:log-group:", "InvalidParameterException"),
        ("arn:aws:s3:us-east-1:000000000000:log-group:g", "InvalidParameterException"),
        ("g", "InvalidParameterException"),
        ("arn", "InvalidParameterException"),
    ] {
        let input = ListTagsForResourceRequest { resource_arn: arn.into() };
        let error = handlers::list_tags_for_resource(server.logs.clone(), cx(), input).await.unwrap_err();
        assert_eq!(error.code, expected, "{arn}: {error}");
    }
}

#[tokio::test]
async fn a_deleted_group_is_gone_with_its_events_even_if_it_is_made_again() {
    let server = Server::with_stream().await;
    server.put("s", &[(super::NOW, "old")]).await.unwrap();
    let delete = async || {
        let input = DeleteLogGroupRequest { log_group_name: "g".into() };
        handlers::delete(server.logs.clone(), cx(), input).await
    };
    delete().await.unwrap();
    check_error(delete().await, NO_GROUP);
    check_error(server.filter(super::in_group("g")).await, NO_GROUP);
    check_error(server.create_stream("g", "s").await, NO_GROUP);
    check_error(server.put("s", &[(super::NOW, "x")]).await, NO_GROUP);
    server.create_group("g").await.unwrap();
    server.create_stream("g", "s").await.unwrap();
    server.put("s", &[(super::NOW, "new")]).await.unwrap();
    assert_eq!(server.messages("g").await, ["new"]);
}
