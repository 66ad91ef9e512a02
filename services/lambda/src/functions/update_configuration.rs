//! `UpdateFunctionConfiguration`

use wire::{Context, Error};

use super::{Target, validate, view};
use crate::error::{Refusal, check_can_change, invalid_parameter, not_supported};
use crate::event_source_mappings::check_function_timeout;
use crate::record::{FUNCTIONS, FunctionRecord};
use crate::variables::Variables;
use crate::{Lambda, code_signing, layers, shapes};

/// The members of a request to create or to update that Hearth does not act on yet: the two spell them alike.
macro_rules! unsupported {
    ($input:expr) => {
        $crate::functions::update_configuration::Unsupported {
            vpc: $input.vpc_config.as_ref(),
            dead_letter: $input.dead_letter_config.as_ref(),
            file_systems: $input.file_system_configs.as_deref(),
            image: $input.image_config.as_ref(),
            capacity_provider: $input.capacity_provider_config.is_some(),
            durable: $input.durable_config.is_some(),
            runtime_config: $input.runtime_config.is_some(),
            accelerator: $input.accelerator_config.is_some(),
        }
    };
}
pub(super) use unsupported;

/// Replaces each member that was sent, wholesale, and keeps the others.
pub async fn update_configuration(
    lambda: Lambda,
    cx: Context,
    input: shapes::UpdateFunctionConfigurationRequest,
) -> Result<shapes::FunctionConfiguration, Error> {
    refuse_unsupported(&unsupported!(input))?;
    let target = Target::parse_any(&cx, &input.function_name, None)?.without_qualifier()?;
    // A function that is not there, or may not be changed now, is what the caller hears of first; the transaction decides.
    let found = lambda.store.read(|snapshot| snapshot.get(&FUNCTIONS, target.key()));
    let before = target.expect(found.map_err(crate::error::service)?)?;
    check_can_change(&before, input.revision_id.as_deref())?;
    if let Some(role) = &input.role {
        lambda.check_role(&target.scope, role)?;
    }
    if input.role.is_some() || input.dead_letter_config.is_some() {
        let connections = before.connections.clone().changed(&lambda, &unsupported!(input))?;
        if let Some(target_arn) = connections.dead_letter_arn {
            let role = input.role.as_ref().unwrap_or(&before.role);
            lambda.check_dead_letters(&before.arn(), role, &target_arn)?;
        }
    }
    if let Some(timeout) = input.timeout.and_then(|timeout| u32::try_from(timeout).ok()) {
        check_function_timeout(&lambda, &target.scope, &target.name, timeout)?;
    }
    if let Some(arns) = &input.layers {
        let config =
            lambda.store.read(|snapshot| code_signing::of_function(snapshot, &target.scope, &target.name));
        let references = lambda.store.read(|snapshot| layers::resolve(snapshot, &cx, arns))?;
        let config = config.map_err(crate::error::service)?;
        code_signing::check_layers(&lambda, config.as_ref(), &target.name, &references).await?;
    }
    let runtime = input.runtime.as_deref().map(validate::runtime).transpose()?;
    let runtime_version = runtime.map(|runtime| lambda.runtime_version(runtime)).transpose()?;
    let now = lambda.now();
    let handle = lambda.clone();
    let updated = lambda
        .store
        .write(move |tx| {
            let before = target.expect(tx.get(&FUNCTIONS, target.key())?)?;
            check_can_change(&before, input.revision_id.as_deref())?;
            let layers = input.layers.as_deref().map(|arns| layers::resolve(tx, &cx, arns)).transpose()?;
            let connections = before.connections.clone().changed(&handle, &unsupported!(input))?;
            let mut after = changed(before.clone(), input)?;
            after.layers = layers.unwrap_or(after.layers);
            layers::check_size(&after)?;
            validate::check_snap_start(&after)?;
            after.runtime = runtime.unwrap_or(after.runtime);
            after.runtime_version = runtime_version.unwrap_or(after.runtime_version);
            after.connections = connections;
            after.last_modified = now;
            let after = before.updating(|_| after);
            tx.put(&FUNCTIONS, after.key(), &after)?;
            Ok::<_, Refusal>(after)
        })
        .await?;
    let shown = view::configuration(&updated, None);
    lambda.settle_soon(updated);
    Ok(shown)
}

/// The record with each member that was sent in place of the old one.
fn changed(
    before: FunctionRecord,
    input: shapes::UpdateFunctionConfigurationRequest,
) -> Result<FunctionRecord, Error> {
    let logging = validate::logging(input.logging_config, &before.logging, &before.name)?;
    let handler = match input.handler {
        Some(handler) if handler.is_empty() => return Err(invalid_parameter("Handler must not be empty.")),
        handler => handler.unwrap_or(before.handler),
    };
    Ok(FunctionRecord {
        role: input.role.unwrap_or(before.role),
        handler,
        description: input.description.unwrap_or(before.description),
        timeout_seconds: input.timeout.map_or(Ok(before.timeout_seconds), validate::timeout_seconds)?,
        memory_mb: input.memory_size.map_or(Ok(before.memory_mb), validate::memory_mb)?,
        ephemeral_storage_mb: input
            .ephemeral_storage
            .as_ref()
            .map_or(Ok(before.ephemeral_storage_mb), validate::ephemeral_storage_mb)?,
        environment: Variables {
            values: match input.environment {
                Some(environment) => Some(validate::environment(environment)?),
                None => before.environment.values,
            },
            kms_key_arn: match input.kms_key_arn {
                Some(arn) => validate::kms_key_arn(arn)?,
                None => before.environment.kms_key_arn,
            },
        },
        tracing: validate::tracing(input.tracing_config).unwrap_or(before.tracing),
        logging,
        snap_start: validate::snap_start(input.snap_start).unwrap_or(before.snap_start),
        ..before
    })
}

/// The members that create and update share and that Hearth does not act on yet.
pub struct Unsupported<'a> {
    pub vpc: Option<&'a shapes::VpcConfig>,
    pub dead_letter: Option<&'a shapes::DeadLetterConfig>,
    pub file_systems: Option<&'a [shapes::FileSystemConfig]>,
    pub image: Option<&'a shapes::ImageConfig>,
    pub capacity_provider: bool,
    pub durable: bool,
    pub runtime_config: bool,
    pub accelerator: bool,
}

/// Refuses what would be accepted and ignored. What clears a setting that is clear already is let through.
pub fn refuse_unsupported(asked: &Unsupported<'_>) -> Result<(), Error> {
    let refused = [
        (asked.file_systems.is_some_and(|systems| !systems.is_empty()), "FileSystemConfigs"),
        (asked.image.is_some_and(|image| *image != shapes::ImageConfig::default()), "ImageConfig"),
        (asked.capacity_provider, "CapacityProviderConfig"),
        (asked.durable, "DurableConfig"),
        (asked.runtime_config, "RuntimeConfig"),
        (asked.accelerator, "AcceleratorConfig"),
    ];
    match refused.into_iter().find(|(is_asked, _)| *is_asked) {
        Some((_, what)) => Err(not_supported(what)),
        None => Ok(()),
    }
}
