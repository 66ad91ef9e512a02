//! `UpdateFunctionCode`

use domain::{Timestamp, limits};
use wire::{Context, Error};

use super::{Target, validate, view};
use crate::error::{Refusal, check_can_change, invalid_parameter, not_supported};
use crate::record::{Code, FUNCTIONS, FunctionRecord};
use crate::{Lambda, shapes};

/// Replaces the package. Invocations use the old one until the new one is unpacked.
pub async fn update_code(
    lambda: Lambda,
    cx: Context,
    input: shapes::UpdateFunctionCodeRequest,
) -> Result<shapes::FunctionConfiguration, Error> {
    refuse_unsupported(&input)?;
    let target = Target::parse(&cx, &input.function_name, None)?;
    target.check_qualifier()?;
    let zip = input
        .zip_file
        .filter(|zip| !zip.is_empty())
        .ok_or_else(|| invalid_parameter("Please provide a source for function code."))?;
    let architecture = validate::architecture(input.architectures)?;
    // Refused before a package is unpacked for nothing; the transaction decides.
    let found = lambda.store.read(|snapshot| snapshot.get(&FUNCTIONS, target.key()));
    let before = target.expect(found.map_err(crate::error::service)?)?;
    check_can_change(&before, input.revision_id.as_deref())?;
    let now = lambda.now();
    if input.dry_run == Some(true) {
        let code = crate::inspect_package(zip).await?;
        let would_be = with_code(before, code, architecture, now);
        crate::layers::check_size(&would_be)?;
        return Ok(view::configuration(&would_be, None));
    }
    let code = lambda.store_package(zip).await?;
    let updated = lambda
        .store
        .write(move |tx| {
            let before = target.expect(tx.get(&FUNCTIONS, target.key())?)?;
            check_can_change(&before, input.revision_id.as_deref())?;
            let after = before.updating(|before| with_code(before, code, architecture, now));
            crate::layers::check_size(&after)?;
            crate::account::check_code_storage(tx, &after, limits::CODE_STORAGE_BYTES)?;
            tx.put(&FUNCTIONS, after.key(), &after)?;
            Ok::<_, Refusal>(after)
        })
        .await?;
    let shown = view::configuration(&updated, None);
    lambda.settle_soon(updated);
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
    if input.s3_bucket.is_some() || input.s3_key.is_some() || input.s3_object_version.is_some() {
        return Err(not_supported("code from S3; send it as ZipFile"));
    }
    if input.s3_object_storage_mode.is_some() {
        return Err(not_supported("S3ObjectStorageMode"));
    }
    if input.source_kms_key_arn.as_deref().is_some_and(|arn| !arn.is_empty()) {
        return Err(not_supported("SourceKMSKeyArn"));
    }
    if input.publish == Some(true) || input.publish_to.is_some() {
        return Err(not_supported("publishing versions"));
    }
    Ok(())
}
