//! The account's limit on stored code: what counts, and what is refused when there is no room.

use domain::limits;

use super::*;
use crate::account;
use crate::layers::publish as publish_layer;
use crate::shapes::{
    GetAccountSettingsRequest, LayerVersionContentInput, PublishLayerVersionRequest, PublishVersionRequest,
};
use crate::versions;

const EXCEEDED: &str = "CodeStorageExceededException: Code storage limit exceeded.";

/// What the account's code takes, as it is told.
async fn used(server: &Server) -> u64 {
    let settings = account::get_settings(server.lambda.clone(), cx(), GetAccountSettingsRequest::default());
    let usage = settings.await.unwrap().account_usage.unwrap();
    usage.total_code_size.unwrap().try_into().unwrap()
}

/// Leaves so much room, by a function whose package seems to be that large.
async fn leave(server: &Server, bytes: u64) {
    let record = match server.stored("large") {
        Some(record) => record,
        None => server.function("large", "1").await,
    };
    let others = used(server).await - record.code.size;
    let size = limits::CODE_STORAGE_BYTES - others - bytes;
    let record = FunctionRecord { code: crate::record::Code { size, ..record.code.clone() }, ..record };
    server.store.write(move |tx| tx.put(&FUNCTIONS, record.key(), &record)).await.unwrap();
    assert_eq!(used(server).await, limits::CODE_STORAGE_BYTES - bytes);
}

fn publish_request(name: &str) -> PublishVersionRequest {
    PublishVersionRequest { function_name: name.into(), ..Default::default() }
}

fn layer_request() -> PublishLayerVersionRequest {
    PublishLayerVersionRequest {
        layer_name: "l".into(),
        content: LayerVersionContentInput { zip_file: Some(zip("layer")), ..Default::default() },
        ..Default::default()
    }
}

#[tokio::test]
async fn functions_versions_and_layers_count_as_long_as_they_are_there() {
    let server = Server::start().await;
    let size = server.function("f", "1").await.code.size;
    assert_eq!(used(&server).await, size);
    // Each version is stored for itself, even if its package is the same.
    versions::publish(server.lambda.clone(), cx(), publish_request("f")).await.unwrap();
    assert_eq!(used(&server).await, 2 * size);
    // Publishing what is published already makes nothing.
    versions::publish(server.lambda.clone(), cx(), publish_request("f")).await.unwrap();
    assert_eq!(used(&server).await, 2 * size);
    publish_layer(server.lambda.clone(), cx(), layer_request()).await.unwrap();
    let layer = zip("layer").len() as u64;
    assert_eq!(used(&server).await, 2 * size + layer);
    server.delete("f").await.unwrap();
    assert_eq!(used(&server).await, layer);
}

#[tokio::test]
async fn a_package_fits_to_the_last_byte_and_not_beyond() {
    let server = Server::start().await;
    let size = zip("2").len() as u64;
    leave(&server, size - 1).await;
    assert_eq!(refusal(server.create("f", "2").await), EXCEEDED);
    assert!(server.stored("f").is_none());
    leave(&server, size).await;
    server.create("f", "2").await.unwrap();
    assert_eq!(used(&server).await, limits::CODE_STORAGE_BYTES);
}

#[tokio::test]
async fn nothing_is_published_where_there_is_no_room_and_code_is_replaced_in_its_own() {
    let server = Server::start().await;
    server.function("f", "1").await;
    leave(&server, 0).await;
    let published = versions::publish(server.lambda.clone(), cx(), publish_request("f")).await;
    assert_eq!(refusal(published), EXCEEDED);
    assert_eq!(refusal(publish_layer(server.lambda.clone(), cx(), layer_request()).await), EXCEEDED);
    let input = CreateFunctionRequest { publish: Some(true), ..create_request("g", "1") };
    assert_eq!(refusal(functions::create(server.lambda.clone(), cx(), input).await), EXCEEDED);
    // As large as the one before; but no larger.
    server.upload("f", "2").await.unwrap();
    server.until("f", |record| !record.is_in_transition()).await;
    assert_eq!(refusal(server.upload("f", "2, and more").await), EXCEEDED);
}

#[tokio::test]
async fn a_version_that_does_not_fit_takes_its_function_with_it() {
    let server = Server::start().await;
    leave(&server, zip("1").len() as u64).await;
    let input = CreateFunctionRequest { publish: Some(true), ..create_request("f", "1") };
    assert_eq!(refusal(functions::create(server.lambda.clone(), cx(), input).await), EXCEEDED);
    assert!(server.stored("f").is_none());
    server.create("f", "1").await.unwrap();
}
