//! `UpdateFunctionCode`

use domain::{Timestamp, limits};
use wire::{Context, Error};

use super::{Target, validate, view};
use crate::code_object::Source;
use crate::error::{Refusal, check_can_change, invalid_parameter, not_supported};
use crate::hot_reload::Asked;
use crate::record::{Code, FUNCTIONS, FunctionRecord};
use crate::{Lambda, account, code_signing, layers, shapes, versions};

/// Replaces the package. Invocations use the old one until the new one is unpacked.
pub async fn update_code(
    lambda: Lambda,
    cx: Context,
    input: shapes::UpdateFunctionCodeRequest,
) -> Result<shapes::FunctionConfiguration, Error> {
    refuse_unsupported(&input)?;
    let target = Target::parse_any(&cx, &input.function_name, None)?.without_qualifier()?;
    let zip = lambda
        .package_of(
            &cx,
            Source {
                zip: input.zip_file.clone(),
                bucket: input.s3_bucket.as_deref(),
                key: input.s3_key.as_deref(),
                version: input.s3_object_version.as_deref(),
            },
        )
        .await?;
    let folder = lambda.hot_reload.code(&Asked {
        bucket: input.s3_bucket.as_deref(),
        key: input.s3_key.as_deref(),
        version: input.s3_object_version.as_deref(),
        has_zip: !zip.is_empty(),
    })?;
    if folder.is_none() && zip.is_empty() {
        return Err(invalid_parameter("Please provide a source for function code."));
    }
    let architecture = validate::architecture(input.architectures)?;
    // Refused before a package is unpacked for nothing; the transaction decides.
    let found = lambda.store.read(|snapshot| snapshot.get(&FUNCTIONS, target.key()));
    let before = target.expect(found.map_err(crate::error::service)?)?;
    check_can_change(&before, input.revision_id.as_deref())?;
    let config =
        lambda.store.read(|snapshot| code_signing::of_function(snapshot, &target.scope, &target.name));
    let config = config.map_err(crate::error::service)?;
    let signed_by = code_signing::check(&lambda, config.as_ref(), &target.name, &zip)?;
    code_signing::check_layers(&lambda, config.as_ref(), &target.name, &before.layers).await?;
    let now = lambda.now();
    if input.dry_run == Some(true) {
        let code = match folder {
            Some(folder) => folder,
            None => crate::inspect_package(zip).await?,
        };
        let code = Code { signed_by, ..code };
        let would_be = with_code(before, code, architecture, now);
        layers::check_size(&would_be)?;
        return Ok(view::configuration(&would_be, None));
    }
    let code = match folder {
        Some(folder) => folder,
        None => lambda.store_package(zip).await?,
    };
    let code = Code { signed_by, ..code };
    let publish = input.publish == Some(true);
    let (updated, version) = lambda
        .store
        .write(move |tx| {
            let before = target.expect(tx.get(&FUNCTIONS, target.key())?)?;
            check_can_change(&before, input.revision_id.as_deref())?;
            let replaced = before.code.size;
            let after = before.updating(|before| with_code(before, code, architecture, now));
            layers::check_size(&after)?;
            account::check_room(tx, &after.scope, after.code.size, replaced, limits::CODE_STORAGE_BYTES)?;
            tx.put(&FUNCTIONS, after.key(), &after)?;
            let version = publish.then(|| versions::publish_in(tx, &after, None)).transpose()?;
            Ok::<_, Refusal>((after, version))
        })
        .await?;
    let Some(version) = version else {
        let shown = view::configuration(&updated, None);
        lambda.settle_soon(updated);
        return Ok(shown);
    };
    let shown = view::configuration(&version, Some(&version.version.into()));
    lambda.show(&updated.scope, &updated.name);
    lambda.settle_soon(updated);
    if version.is_in_transition() {
        lambda.settle_soon(version);
    }
    Ok(shown)
}

fn with_code(
    before: FunctionRecord,
    code: Code,
    architecture: Option<String>,
    now: Timestamp,
) -> FunctionRecord {
    FunctionRecord {
        code,
        architecture: architecture.unwrap_or(before.architecture),
        last_modified: now,
        ..before
    }
}

fn refuse_unsupported(input: &shapes::UpdateFunctionCodeRequest) -> Result<(), Error> {
    if input.image_uri.is_some() {
        return Err(invalid_parameter(
            "Please don't provide ImageUri when updating a function with packageType Zip.",
        ));
    }
    if input.s3_object_storage_mode.is_some() {
        return Err(not_supported("S3ObjectStorageMode"));
    }
    if input.source_kms_key_arn.as_deref().is_some_and(|arn| !arn.is_empty()) {
        return Err(not_supported("SourceKMSKeyArn"));
    }
    versions::refuse_publish_to(input.publish_to.as_ref())
}
