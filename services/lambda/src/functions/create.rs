//! `CreateFunction`

use domain::{Qualifier, TracingMode, limits};
use uuid::Uuid;
use wire::{Context, Error};

use super::{Target, validate, view};
use crate::error::{Refusal, function_exists, invalid_parameter, not_supported};
use crate::record::{FUNCTIONS, FunctionRecord, State, default_logging};
use crate::{Lambda, layers, shapes};

/// Stores the function as `Pending` and rings the bell: it is `Active` once its package is unpacked.
pub async fn create(
    lambda: Lambda,
    cx: Context,
    input: shapes::CreateFunctionRequest,
) -> Result<shapes::FunctionConfiguration, Error> {
    refuse_unsupported(&input)?;
    let target = Target::parse(&cx, &input.function_name, None)?;
    if target.qualifier.as_ref().is_some_and(|qualifier| *qualifier != Qualifier::Latest) {
        return Err(invalid_parameter("A function is created without a version or alias in its name."));
    }
    let zip = input.code.zip_file.clone().unwrap_or_default();
    let layers = input.layers.clone().unwrap_or_default();
    let record = record(&lambda, &target, input)?;
    lambda.check_role(&record.scope, &record.role)?;
    let runtime_version = lambda.runtime_version(record.runtime)?;
    // A name that is taken is refused before 50 MB are unpacked; the transaction decides.
    if lambda.functions.find(&target.scope, &target.name).is_some() {
        return Err(function_exists(&target.name));
    }
    let code = lambda.store_package(zip).await?;
    let record = FunctionRecord { code, runtime_version, ..record };

    let created = lambda
        .store
        .write({
            let code_bytes_max = limits::CODE_STORAGE_BYTES;
            move |tx| {
                let record = FunctionRecord { layers: layers::resolve(tx, &cx, &layers)?, ..record };
                layers::check_size(&record)?;
                crate::account::check_code_storage(tx, &record, code_bytes_max)?;
                if !tx.insert(&FUNCTIONS, record.key(), &record)? {
                    return Err(Refusal::from(function_exists(&record.name)));
                }
                Ok(record)
            }
        })
        .await?;
    let shown = view::configuration(&created, None);
    lambda.show(&created.scope, &created.name);
    lambda.settle_soon(created);
    Ok(shown)
}

fn record(
    lambda: &Lambda,
    target: &Target,
    input: shapes::CreateFunctionRequest,
) -> Result<FunctionRecord, Error> {
    let name = target.name.clone();
    let runtime = validate::runtime(&input.runtime.ok_or_else(|| {
        invalid_parameter("Runtime is mandatory for functions created with deployment packages.")
    })?)?;
    let handler = input.handler.filter(|handler| !handler.is_empty()).ok_or_else(|| {
        invalid_parameter("Handler is mandatory for functions created with deployment packages.")
    })?;
    let tags = input.tags.unwrap_or_default();
    validate::tags(&tags)?;
    if input.code.zip_file.as_ref().is_none_or(|zip| zip.is_empty()) {
        return Err(invalid_parameter("Uploaded file must be a non-empty zip"));
    }
    Ok(FunctionRecord {
        scope: target.scope.clone(),
        runtime,
        handler,
        role: input.role,
        description: input.description.unwrap_or_default(),
        code: crate::record::Code { sha256: domain::CodeRef(String::new()), size: 0, unpacked_size: 0 },
        layers: Vec::new(),
        memory_mb: input.memory_size.map_or(Ok(limits::MEMORY_MB_DEFAULT), validate::memory_mb)?,
        timeout_seconds: input
            .timeout
            .map_or(Ok(limits::TIMEOUT_SECONDS_DEFAULT), validate::timeout_seconds)?,
        ephemeral_storage_mb: input
            .ephemeral_storage
            .as_ref()
            .map_or(Ok(limits::EPHEMERAL_STORAGE_MB_DEFAULT), validate::ephemeral_storage_mb)?,
        environment: input.environment.map(validate::environment).transpose()?,
        architecture: validate::architecture(input.architectures)?.unwrap_or_else(|| "x86_64".to_owned()),
        tracing: validate::tracing(input.tracing_config).unwrap_or(TracingMode::PassThrough),
        logging: validate::logging(input.logging_config, &default_logging(&name), &name)?,
        tags,
        last_modified: lambda.now(),
        revision_id: Uuid::new_v4(),
        revision: Uuid::new_v4(),
        runtime_version: String::new(),
        state: State::Pending,
        last_update: None,
        before_update: None,
        name,
    })
}

/// Everything the model accepts that Hearth does not do yet. What asks for nothing is let through.
fn refuse_unsupported(input: &shapes::CreateFunctionRequest) -> Result<(), Error> {
    if input.package_type == Some(shapes::PackageType::Image) || input.code.image_uri.is_some() {
        return Err(not_supported("container images (PackageType Image)"));
    }
    if input.code.s3_bucket.is_some() || input.code.s3_key.is_some() || input.code.s3_object_version.is_some()
    {
        return Err(not_supported("code from S3; send it as ZipFile"));
    }
    if input.code.s3_object_storage_mode.is_some() {
        return Err(not_supported("S3ObjectStorageMode"));
    }
    if input.code.source_kms_key_arn.as_deref().is_some_and(|arn| !arn.is_empty()) {
        return Err(not_supported("SourceKMSKeyArn"));
    }
    if input.publish == Some(true) || input.publish_to.is_some() {
        return Err(not_supported("publishing versions"));
    }
    if input.code_signing_config_arn.is_some() {
        return Err(not_supported("code signing"));
    }
    if input.tenancy_config.is_some() {
        return Err(not_supported("tenancy configuration"));
    }
    super::update_configuration::refuse_unsupported(&super::update_configuration::unsupported!(input))
}
