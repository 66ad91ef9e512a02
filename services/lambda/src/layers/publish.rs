//! `PublishLayerVersion`

use domain::limits;
use wire::{Context, Error};

use super::record::{LAYER_VERSIONS, LAYERS, LayerRecord, LayerVersionRecord};
use super::target::LayerTarget;
use super::view;
use crate::code_object::Source;
use crate::error::{Refusal, invalid_parameter, not_supported};
use crate::{Lambda, account, shapes};

/// Keeps an archive as the next version of a layer, making the layer if there is none of that name.
pub async fn publish(
    lambda: Lambda,
    cx: Context,
    input: shapes::PublishLayerVersionRequest,
) -> Result<shapes::PublishLayerVersionResponse, Error> {
    let content = input.content;
    if content.s3_object_storage_mode.is_some() {
        return Err(not_supported("S3ObjectStorageMode"));
    }
    let target = LayerTarget::parse(&cx, &input.layer_name)?;
    target.check_own(&cx, "lambda:PublishLayerVersion")?;
    let runtimes = input.compatible_runtimes;
    view::check_runtimes(runtimes.as_deref().unwrap_or_default())?;
    let source = Source {
        zip: content.zip_file.clone(),
        bucket: content.s3_bucket.as_deref(),
        key: content.s3_key.as_deref(),
        version: content.s3_object_version.as_deref(),
    };
    let zip = lambda.package_of(&cx, source).await?;
    if zip.is_empty() {
        return Err(invalid_parameter("Uploaded file must be a non-empty zip"));
    }
    let architectures = input.compatible_architectures;
    let record = LayerVersionRecord {
        scope: target.scope,
        name: target.name,
        version: 0,
        code: lambda.store_package(zip).await?,
        description: input.description.unwrap_or_default(),
        license: input.license_info,
        runtimes,
        architectures: architectures
            .map(|architectures| architectures.iter().map(|one| one.as_str().to_owned()).collect()),
        created: lambda.now(),
        policy: None,
    };
    let published = lambda
        .store
        .write(move |tx| {
            account::check_room(tx, &record.scope, record.code.size, 0, limits::CODE_STORAGE_BYTES)?;
            let key = (record.scope.clone(), record.name.clone());
            let layer = tx.get(&LAYERS, &key)?.unwrap_or_default();
            let version = layer.version_last + 1;
            tx.put(&LAYERS, &key, &LayerRecord { version_last: version })?;
            let record = LayerVersionRecord { version, ..record };
            tx.put(&LAYER_VERSIONS, record.key(), &record)?;
            Ok::<_, Refusal>(record)
        })
        .await?;
    let shown = view::version(&lambda, &cx, published);
    Ok(shapes::PublishLayerVersionResponse {
        content: shown.content,
        layer_arn: shown.layer_arn,
        layer_version_arn: shown.layer_version_arn,
        description: shown.description,
        created_date: shown.created_date,
        version: shown.version,
        compatible_architectures: shown.compatible_architectures,
        compatible_runtimes: shown.compatible_runtimes,
        license_info: shown.license_info,
    })
}
