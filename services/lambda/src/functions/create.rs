//! `CreateFunction`

use domain::{Qualifier, TracingMode, Version, limits};
use uuid::Uuid;
use wire::{Context, Error};

use super::connections::Connections;
use super::update_configuration::{refuse_unsupported as refuse_unsupported_configuration, unsupported};
use super::{Target, validate, view};
use crate::code_object::Source;
use crate::error::{Refusal, function_exists, invalid_parameter, not_supported};
use crate::hot_reload::Asked;
use crate::record::{Code, FUNCTIONS, FunctionRecord, State, default_logging};
use crate::variables::Variables;
use crate::{Lambda, account, code_signing, layers, shapes, versions};

/// Stores the function as `Pending` and rings the bell: it is `Active` once its package is unpacked.
pub async fn create(
    lambda: Lambda,
    cx: Context,
    input: shapes::CreateFunctionRequest,
) -> Result<shapes::FunctionConfiguration, Error> {
    refuse_unsupported(&input)?;
    let publish = input.publish == Some(true);
    let target = Target::parse(&cx, &input.function_name, None)?;
    if target.qualifier.as_ref().is_some_and(|qualifier| *qualifier != Qualifier::Latest) {
        return Err(invalid_parameter("A function is created without a version or alias in its name."));
    }
    let zip = lambda
        .package_of(
            &cx,
            Source {
                zip: input.code.zip_file.clone(),
                bucket: input.code.s3_bucket.as_deref(),
                key: input.code.s3_key.as_deref(),
                version: input.code.s3_object_version.as_deref(),
            },
        )
        .await?;
    let folder = lambda.hot_reload.code(&Asked {
        bucket: input.code.s3_bucket.as_deref(),
        key: input.code.s3_key.as_deref(),
        version: input.code.s3_object_version.as_deref(),
        has_zip: !zip.is_empty(),
    })?;
    if folder.is_none() && zip.is_empty() {
        return Err(invalid_parameter("Uploaded file must be a non-empty zip"));
    }
    let layers = input.layers.clone().unwrap_or_default();
    let config_arn = input.code_signing_config_arn.clone();
    let connections = Connections::default().changed(&lambda, &unsupported!(input))?;
    let record = FunctionRecord { connections, ..record(&lambda, &target, input)? };
    validate::check_snap_start(&record)?;
    lambda.check_role(&record.scope, &record.role)?;
    if let Some(target_arn) = &record.connections.dead_letter_arn {
        lambda.check_dead_letters(&record.arn(), &record.role, target_arn)?;
    }
    let runtime_version = lambda.runtime_version(record.runtime)?;
    // A name that is taken is refused before 50 MB are unpacked; the transaction decides.
    if lambda.functions.contains(&target.scope, &target.name) {
        return Err(function_exists(&target.name));
    }
    let config = match &config_arn {
        Some(arn) => {
            Some(lambda.store.read(|snapshot| code_signing::existing(snapshot, &target.scope, arn))?)
        }
        None => None,
    };
    let signed_by = code_signing::check(&lambda, config.as_ref(), &target.name, &zip)?;
    let references = lambda.store.read(|snapshot| layers::resolve(snapshot, &cx, &layers))?;
    code_signing::check_layers(&lambda, config.as_ref(), &target.name, &references).await?;
    let code = match folder {
        Some(folder) => folder,
        None => lambda.store_package(zip).await?,
    };
    let code = Code { signed_by, ..code };
    let record = FunctionRecord { code, runtime_version, ..record };

    let (created, version) = lambda
        .store
        .write(move |tx| {
            let record = FunctionRecord { layers: layers::resolve(tx, &cx, &layers)?, ..record };
            layers::check_size(&record)?;
            account::check_room(tx, &record.scope, record.code.size, 0, limits::CODE_STORAGE_BYTES)?;
            if !tx.insert(&FUNCTIONS, record.key(), &record)? {
                return Err(Refusal::from(function_exists(&record.name)));
            }
            code_signing::attach(tx, &record, config_arn.as_deref())?;
            let version = publish.then(|| versions::publish_in(tx, &record, None)).transpose()?;
            Ok((record, version))
        })
        .await?;
    // A version that was published with the function is the answer, under the function's own ARN.
    let shown = view::configuration(version.as_ref().unwrap_or(&created), None);
    lambda.show(&created.scope, &created.name);
    lambda.settle_soon(created);
    if let Some(version) = version {
        lambda.settle_soon(version);
    }
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
    Ok(FunctionRecord {
        scope: target.scope.clone(),
        version: Version::Latest,
        runtime,
        handler,
        role: input.role,
        description: input.description.unwrap_or_default(),
        described: None,
        code: Code { sha256: domain::CodeRef(String::new()), size: 0, unpacked_size: 0, signed_by: None },
        connections: Connections::default(),
        layers: Vec::new(),
        memory_mb: input.memory_size.map_or(Ok(limits::MEMORY_MB_DEFAULT), validate::memory_mb)?,
        timeout_seconds: input
            .timeout
            .map_or(Ok(limits::TIMEOUT_SECONDS_DEFAULT), validate::timeout_seconds)?,
        ephemeral_storage_mb: input
            .ephemeral_storage
            .as_ref()
            .map_or(Ok(limits::EPHEMERAL_STORAGE_MB_DEFAULT), validate::ephemeral_storage_mb)?,
        environment: Variables {
            values: input.environment.map(validate::environment).transpose()?,
            kms_key_arn: input.kms_key_arn.map(validate::kms_key_arn).transpose()?.flatten(),
        },
        architecture: validate::architecture(input.architectures)?.unwrap_or_else(|| "x86_64".to_owned()),
        tracing: validate::tracing(input.tracing_config).unwrap_or(TracingMode::PassThrough),
        logging: validate::logging(input.logging_config, &default_logging(&name), &name)?,
        snap_start: validate::snap_start(input.snap_start).unwrap_or_default(),
        per_tenant: input
            .tenancy_config
            .is_some_and(|config| config.tenant_isolation_mode == shapes::TenantIsolationMode::PerTenant),
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
    if input.code.s3_object_storage_mode.is_some() {
        return Err(not_supported("S3ObjectStorageMode"));
    }
    if input.code.source_kms_key_arn.as_deref().is_some_and(|arn| !arn.is_empty()) {
        return Err(not_supported("SourceKMSKeyArn"));
    }
    versions::refuse_publish_to(input.publish_to.as_ref())?;
    refuse_unsupported_configuration(&unsupported!(input))
}
