//! Layers in functions: which they may have, what counts as theirs, how long it stays.

use super::*;

#[tokio::test]
async fn a_function_shows_its_layers_in_its_own_order() {
    let world = World::new().await;
    let size = world.publish("a", "a").await.content.unwrap().code_size;
    world.publish("b", "b").await;
    world.create("f", &[&arn("b", 1), &arn("a", 1)]).await.unwrap();
    let shown = world.settled("f").await.layers.unwrap();
    assert_eq!(
        shown.iter().map(|layer| layer.arn.clone().unwrap()).collect::<Vec<_>>(),
        [arn("b", 1), arn("a", 1)]
    );
    assert_eq!(shown[1].code_size, size);
}

#[tokio::test]
async fn an_update_replaces_keeps_or_clears_layers() {
    let world = World::new().await;
    world.publish("a", "a").await;
    world.create("f", &[&arn("a", 1)]).await.unwrap();
    for (sent, shown) in [(None, 1), (Some(Vec::new()), 0), (Some(vec![arn("a", 1)]), 1)] {
        world.settled("f").await;
        let input = shapes::UpdateFunctionConfigurationRequest {
            function_name: "f".to_owned(),
            layers: sent,
            ..Default::default()
        };
        let updated = update_configuration(world.lambda.clone(), cx(), input).await.unwrap();
        assert_eq!(updated.layers.map_or(0, |layers| layers.len()), shown);
    }
}

#[tokio::test]
async fn layers_that_a_function_cannot_have_are_refused() {
    let world = World::new().await;
    for name in ["a", "a", "b", "c", "d", "e"] {
        world.publish(name, "x").await;
    }
    let invalid = |message: &str| format!("InvalidParameterValueException: {message}");
    let six: Vec<String> = ["a", "b", "c", "d", "e", "g"].iter().map(|name| arn(name, 1)).collect();
    let six: Vec<&str> = six.iter().map(String::as_str).collect();
    check_error(world.create("f", &six).await, &invalid("Cannot reference more than 5 layers."));
    check_error(
        world.create("f", &[&arn("a", 1), &arn("b", 1), &arn("a", 2)]).await,
        &invalid(&format!(
            "Two different versions of the same layer are not allowed to be referenced in the same function. {} and \
             {} are versions of the same layer.",
            arn("a", 1),
            arn("a", 2)
        )),
    );
    check_error(
        world.create("f", &[&arn("a", 3)]).await,
        &invalid(&format!("Layer version {} does not exist.", arn("a", 3))),
    );
    check_error(
        world.create("f", &["arn:aws:lambda:eu-west-1:000000000000:layer:a:1"]).await,
        &invalid(
            "Layers are not in the same region as the function. Layers are expected to be in region us-east-1.",
        ),
    );
    let aws = world.create("f", &["arn:aws:lambda:::awslayer:AmazonLinux1803"]).await.unwrap_err();
    assert!(aws.message.contains("layers that AWS itself provides"), "{}", aws.message);
    let functions = world.store.read(|snapshot| snapshot.count(&FUNCTIONS, &store::Scan::all()));
    assert_eq!(functions.unwrap(), 0);
}

#[tokio::test]
async fn code_and_layers_share_250_mib() {
    let world = World::new().await;
    let limit = domain::limits::UNZIPPED_BYTES;
    // As large as these claim to be, a test would take long to make them.
    for (name, unpacked_size) in [("a", limit / 2), ("b", limit / 2 - 4), ("c", 5)] {
        world.publish(name, name).await;
        let resize = move |tx: &mut store::Tx<'_>| {
            let key = (Scope::default(), name.to_owned(), 1);
            let mut version = tx.get(&LAYER_VERSIONS, &key)?.unwrap();
            version.code.unpacked_size = unpacked_size;
            tx.put(&LAYER_VERSIONS, &key, &version)
        };
        world.store.write(resize).await.unwrap();
    }
    check_error(
        world.create("f", &[&arn("a", 1), &arn("b", 1), &arn("c", 1)]).await,
        "InvalidParameterValueException: Layers consume more than the available size of 262144000 bytes",
    );
    // The code is four bytes.
    world.create("f", &[&arn("a", 1), &arn("b", 1)]).await.unwrap();
    world.settled("f").await;
    for dry_run in [Some(true), None] {
        let larger = shapes::UpdateFunctionCodeRequest {
            function_name: "f".to_owned(),
            zip_file: Some(zip(5, "code")),
            dry_run,
            ..Default::default()
        };
        check_error(
            update_code(world.lambda.clone(), cx(), larger).await,
            "InvalidParameterValueException: Function code combined with layers exceeds the maximum allowed size of \
             262144000 bytes. The actual size is 262144001 bytes.",
        );
    }
}

#[tokio::test]
async fn versions_count_as_stored_code_until_they_are_deleted() {
    let world = World::new().await;
    let used = async || {
        let input = shapes::GetAccountSettingsRequest::default();
        let settings = crate::account::get_settings(world.lambda.clone(), cx(), input).await.unwrap();
        settings.account_usage.unwrap().total_code_size.unwrap()
    };
    let size = world.publish("l", "x").await.content.unwrap().code_size.unwrap();
    assert_eq!(used().await, size);
    world.publish("l", "x").await;
    assert_eq!(used().await, 2 * size);
    world.delete("l", 1).await.unwrap();
    assert_eq!(used().await, size);
}

#[tokio::test]
async fn an_archive_stays_while_a_version_or_a_function_names_it() {
    let world = World::new().await;
    for name in ["used", "unused", "kept"] {
        world.publish(name, name).await;
    }
    world.create("f", &[&arn("used", 1)]).await.unwrap();
    world.settled("f").await;
    world.delete("used", 1).await.unwrap();
    world.delete("unused", 1).await.unwrap();
    let world = world.restarted().await;
    let there = |name: &str| world.store.blobs().contains(&store::BlobId::of(&zip(name.len(), name)));
    assert!(there("used") && there("kept") && !there("unused"));
    // Both what the function has and what it would be unpacked from again.
    let unpacked = std::fs::read_dir(world.code.path()).unwrap();
    let unpacked = unpacked.filter(|entry| entry.as_ref().unwrap().path().join("file").exists());
    assert_eq!(unpacked.count(), 2);
}
