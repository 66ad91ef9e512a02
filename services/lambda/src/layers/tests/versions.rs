//! What is published, and how it is found again.

use super::*;

#[tokio::test]
async fn a_version_is_shown_as_it_was_published() {
    let world = World::new().await;
    let input = shapes::PublishLayerVersionRequest {
        description: Some("about".to_owned()),
        license_info: Some("MIT".to_owned()),
        compatible_runtimes: Some(vec!["python3.12".to_owned(), "python2.7".to_owned()]),
        compatible_architectures: Some(vec![shapes::Architecture::Arm64]),
        ..publishing("l", zip(7, "content"))
    };
    let published = publish(world.lambda.clone(), cx(), input).await.unwrap();
    let found = world.get_by(cx(), "l", 1).await.unwrap();
    assert_eq!(published.layer_arn.as_deref(), Some("arn:aws:lambda:us-east-1:000000000000:layer:l"));
    assert_eq!(published.layer_version_arn, Some(arn("l", 1)));
    assert_eq!((published.version, found.version), (Some(1), Some(1)));
    assert_eq!(found.description.as_deref(), Some("about"));
    assert_eq!(found.license_info.as_deref(), Some("MIT"));
    assert_eq!(found.compatible_runtimes, published.compatible_runtimes);
    assert_eq!(found.compatible_architectures, Some(vec![shapes::Architecture::Arm64]));
    assert_eq!(found.created_date, published.created_date);
    assert!(found.created_date.unwrap().starts_with("2027-01-15T08:00:0"));
    let (before, after) = (published.content.unwrap(), found.content.unwrap());
    assert_eq!((before.code_sha256, before.code_size), (after.code_sha256, after.code_size));
    assert!(after.location.unwrap().starts_with("http://localhost:4566/_hearth/code/"));
}

#[tokio::test]
async fn a_layer_is_named_by_its_arn_too() {
    let world = World::new().await;
    world.publish("arn:aws:lambda:us-east-1:000000000000:layer:l", "one").await;
    let found = world.get_by(cx(), "arn:aws:lambda:us-east-1:000000000000:layer:l", 1).await.unwrap();
    assert_eq!(found.layer_version_arn, Some(arn("l", 1)));
    let input = shapes::GetLayerVersionByArnRequest { arn: arn("l", 1) };
    assert_eq!(get_by_arn(world.lambda.clone(), cx(), input).await.unwrap().version, Some(1));
}

#[tokio::test]
async fn a_number_is_never_used_again() {
    let world = World::new().await;
    world.publish("l", "one").await;
    world.delete("l", 1).await.unwrap();
    world.delete("l", 1).await.unwrap();
    assert_eq!(world.publish("l", "one").await.version, Some(2));
    check_error(
        world.get_by(cx(), "l", 1).await,
        "ResourceNotFoundException: The resource you requested does not exist.",
    );
}

#[tokio::test]
async fn numbers_below_one_are_refused() {
    let world = World::new().await;
    let refused = "InvalidParameterValueException: Layer Version Cannot be less than 1";
    for number in [0, -1, i64::MIN] {
        check_error(world.get_by(cx(), "l", number).await, refused);
        check_error(world.delete("l", number).await, refused);
    }
    check_error(world.create("f", &[&arn("l", 0)]).await, refused);
}

#[tokio::test]
async fn what_cannot_be_published_is_refused() {
    let world = World::new().await;
    let refused = |input| publish(world.lambda.clone(), cx(), input);
    check_error(
        refused(publishing("l", Bytes::new())).await,
        "InvalidParameterValueException: Uploaded file must be a non-empty zip",
    );
    check_error(
        refused(publishing("l", Bytes::from_static(b"no zip"))).await,
        "InvalidParameterValueException: Could not unzip uploaded file. Please check your file, then try to upload \
         again.",
    );
    let from_s3 = shapes::LayerVersionContentInput { s3_bucket: Some("b".to_owned()), ..Default::default() };
    let error =
        refused(shapes::PublishLayerVersionRequest { content: from_s3, ..publishing("l", Bytes::new()) })
            .await
            .unwrap_err();
    assert!(error.message.contains("S3Bucket and S3Key, both"), "{}", error.message);
    let error = refused(shapes::PublishLayerVersionRequest {
        compatible_runtimes: Some(vec!["python3.12".to_owned(), "cobol".to_owned()]),
        ..publishing("l", zip(1, "x"))
    })
    .await
    .unwrap_err();
    assert!(
        error.message.starts_with(
            "1 validation error detected: Value '[python3.12, cobol]' at 'compatibleRuntimes' failed to satisfy \
             constraint: Member must satisfy enum value set: [nodejs, "
        ),
        "{}",
        error.message
    );
    assert_eq!(world.layers(shapes::ListLayersRequest::default()).await, (Vec::new(), None));
}

#[tokio::test]
async fn versions_are_listed_newest_first_in_pages() {
    let world = World::new().await;
    for number in 0..5 {
        world.publish("l", &format!("content {number}")).await;
    }
    world.delete("l", 3).await.unwrap();
    let page = |marker| shapes::ListLayerVersionsRequest {
        layer_name: "l".to_owned(),
        max_items: Some(2),
        marker,
        ..Default::default()
    };
    let (first, marker) = world.versions(page(None)).await;
    assert_eq!(first, [5, 4]);
    let (second, marker) = world.versions(page(Some(marker.unwrap()))).await;
    assert_eq!((second, marker), (vec![2, 1], None));
    let none = shapes::ListLayerVersionsRequest { layer_name: "none".to_owned(), ..Default::default() };
    assert_eq!(world.versions(none).await, (Vec::new(), None));
    let bad = list_versions(world.lambda.clone(), cx(), page(Some("é".to_owned()))).await;
    assert_eq!(bad.unwrap_err().code, "InvalidParameterValueException");
}

#[tokio::test]
async fn lists_show_what_says_that_it_is_compatible() {
    let world = World::new().await;
    for (name, runtimes, architectures) in [
        ("a", vec!["python3.12"], vec![shapes::Architecture::X8664]),
        ("a", vec!["nodejs20.x"], vec![shapes::Architecture::Arm64, shapes::Architecture::X8664]),
        ("b", vec![], vec![]),
    ] {
        let input = shapes::PublishLayerVersionRequest {
            compatible_runtimes: Some(runtimes.into_iter().map(str::to_owned).collect()),
            compatible_architectures: Some(architectures),
            ..publishing(name, zip(1, "x"))
        };
        publish(world.lambda.clone(), cx(), input).await.unwrap();
    }
    let of = |runtime: Option<&str>, architecture| shapes::ListLayersRequest {
        compatible_runtime: runtime.map(str::to_owned),
        compatible_architecture: architecture,
        ..Default::default()
    };
    let a = |version| (vec![("a".to_owned(), version)], None);
    assert_eq!(world.layers(of(None, None)).await.0, [("a".to_owned(), 2), ("b".to_owned(), 1)]);
    assert_eq!(world.layers(of(Some("python3.12"), None)).await, a(1));
    assert_eq!(world.layers(of(None, Some(shapes::Architecture::X8664))).await, a(2));
    assert_eq!(
        world.layers(of(Some("python3.12"), Some(shapes::Architecture::Arm64))).await,
        (Vec::new(), None)
    );
    let python = shapes::ListLayerVersionsRequest {
        layer_name: "a".to_owned(),
        compatible_runtime: Some("python3.12".to_owned()),
        ..Default::default()
    };
    assert_eq!(world.versions(python).await.0, [1]);
    let error = list(world.lambda.clone(), cx(), of(Some("cobol"), None)).await.unwrap_err();
    assert!(error.message.contains("Value 'cobol' at 'compatibleRuntime' failed"), "{}", error.message);
    let first = shapes::ListLayersRequest { max_items: Some(1), ..Default::default() };
    let (page, marker) = world.layers(first).await;
    assert_eq!(page, [("a".to_owned(), 2)]);
    let second = shapes::ListLayersRequest { marker, ..Default::default() };
    assert_eq!(world.layers(second).await, (vec![("b".to_owned(), 1)], None));
}
