//! A function as the API shows it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::{LogFormat, Qualifier, Timestamp, TracingMode};
use sha2::{Digest as _, Sha256};

use crate::layers::LayerReference;
use crate::record::{Code, FunctionRecord, State, UpdateStatus};
use crate::shapes;

/// `FunctionConfiguration`. The ARN is qualified only if the caller's request was.
pub fn configuration(
    record: &FunctionRecord,
    qualifier: Option<&Qualifier>,
) -> shapes::FunctionConfiguration {
    let mut view = summary(record);
    if let Some(qualifier) = qualifier {
        view.function_arn = Some(format!("{}:{qualifier}", record.arn()));
    }
    view.runtime_version_config = Some(shapes::RuntimeVersionConfig {
        runtime_version_arn: Some(record.runtime_version_arn()),
        ..Default::default()
    });
    set_state(&mut view, record);
    view
}

/// What `ListFunctions` shows: everything but state and runtime version.
pub fn summary(record: &FunctionRecord) -> shapes::FunctionConfiguration {
    shapes::FunctionConfiguration {
        function_name: Some(record.name.to_string()),
        function_arn: Some(record.arn()),
        runtime: Some(record.runtime.id().to_owned()),
        role: Some(record.role.clone()),
        handler: Some(record.handler.clone()),
        code_size: Some(i64::try_from(record.code.size).unwrap_or(i64::MAX)),
        description: Some(record.description.clone()),
        timeout: Some(record.timeout_seconds.cast_signed()),
        memory_size: Some(record.memory_mb.cast_signed()),
        last_modified: Some(timestamp(record.last_modified)),
        code_sha256: Some(code_sha256(&record.code)),
        version: Some(record.version.to_string()),
        environment: record.environment.values.clone().map(|variables| shapes::EnvironmentResponse {
            variables: Some(variables),
            ..Default::default()
        }),
        tracing_config: Some(shapes::TracingConfigResponse {
            mode: Some(match record.tracing {
                TracingMode::Active => shapes::TracingMode::Active,
                TracingMode::PassThrough => shapes::TracingMode::PassThrough,
            }),
        }),
        revision_id: Some(record.revision_id.to_string()),
        package_type: Some(shapes::PackageType::Zip),
        architectures: Some(vec![record.architecture.parse().unwrap_or(shapes::Architecture::X8664)]),
        ephemeral_storage: Some(shapes::EphemeralStorage { size: record.ephemeral_storage_mb.cast_signed() }),
        snap_start: Some(shapes::SnapStartResponse {
            apply_on: Some(match record.snap_start {
                true => shapes::SnapStartApplyOn::PublishedVersions,
                false => shapes::SnapStartApplyOn::None,
            }),
            optimization_status: Some(match record.is_snap_start() && record.state == State::Active {
                true => shapes::SnapStartOptimizationStatus::On,
                false => shapes::SnapStartOptimizationStatus::Off,
            }),
        }),
        logging_config: Some(logging(record)),
        tenancy_config: record.per_tenant.then_some(shapes::TenancyConfig {
            tenant_isolation_mode: shapes::TenantIsolationMode::PerTenant,
        }),
        kms_key_arn: record.environment.kms_key_arn.clone(),
        dead_letter_config: record.connections.dead_letter_config(),
        vpc_config: record.connections.vpc_config(record),
        signing_profile_version_arn: record.code.signed_by.clone(),
        layers: (!record.layers.is_empty()).then(|| record.layers.iter().map(layer).collect()),
        ..Default::default()
    }
}

fn layer(reference: &LayerReference) -> shapes::Layer {
    shapes::Layer {
        arn: Some(reference.arn.clone()),
        code_size: Some(i64::try_from(reference.code.size).unwrap_or(i64::MAX)),
        ..Default::default()
    }
}

fn set_state(view: &mut shapes::FunctionConfiguration, record: &FunctionRecord) {
    match &record.state {
        State::Pending => {
            view.state = Some(shapes::State::Pending);
            view.state_reason = Some(BEING_CREATED.to_owned());
            view.state_reason_code = Some(shapes::StateReasonCode::Creating);
        }
        State::Active => view.state = Some(shapes::State::Active),
        State::Failed { reason, code } => {
            view.state = Some(shapes::State::Failed);
            view.state_reason = Some(reason.clone());
            let code = code.as_deref().and_then(|code| code.parse().ok());
            view.state_reason_code = code.or(Some(shapes::StateReasonCode::InternalError));
        }
    }
    match &record.last_update {
        None => {}
        Some(UpdateStatus::Successful) => {
            view.last_update_status = Some(shapes::LastUpdateStatus::Successful)
        }
        Some(UpdateStatus::InProgress) => {
            view.last_update_status = Some(shapes::LastUpdateStatus::InProgress);
            // AWS reuses the words of creation here.
            view.last_update_status_reason = Some(BEING_CREATED.to_owned());
            view.last_update_status_reason_code = "Creating".parse().ok();
        }
        Some(UpdateStatus::Failed { reason }) => {
            view.last_update_status = Some(shapes::LastUpdateStatus::Failed);
            view.last_update_status_reason = Some(reason.clone());
            view.last_update_status_reason_code = Some(shapes::LastUpdateStatusReasonCode::InternalError);
        }
    }
}

const BEING_CREATED: &str = "The function is being created.";

fn logging(record: &FunctionRecord) -> shapes::LoggingConfig {
    let logging = &record.logging;
    shapes::LoggingConfig {
        log_format: Some(match logging.format {
            LogFormat::Text => shapes::LogFormat::Text,
            LogFormat::Json => shapes::LogFormat::Json,
        }),
        application_log_level: logging.application_level.as_deref().and_then(|level| level.parse().ok()),
        system_log_level: logging.system_level.as_deref().and_then(|level| level.parse().ok()),
        log_group: Some(logging.group.clone()),
    }
}

/// `2026-11-20T17:38:59.000+0000`
pub fn timestamp(moment: Timestamp) -> String {
    let moment = jiff::Timestamp::from_millisecond(moment.epoch_ms()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    moment.strftime("%Y-%m-%dT%H:%M:%S.%3f+0000").to_string()
}

/// `2026-11-20T17:38:59.000Z`
pub fn iso_timestamp(moment: Timestamp) -> String {
    let moment = jiff::Timestamp::from_millisecond(moment.epoch_ms()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    moment.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// The package's SHA-256 as Lambda prints it: base64. A folder has none; its path stands in for what is in it.
pub fn code_sha256(code: &Code) -> String {
    if code.sha256.folder().is_some() {
        return STANDARD.encode(Sha256::digest(&code.sha256.0));
    }
    let hex = code.sha256.0.as_bytes();
    let digit =
        |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).unwrap_or(0);
    let bytes: Vec<u8> =
        hex.chunks(2).map(|pair| digit(pair[0]) << 4 | pair.get(1).map_or(0, |low| digit(*low))).collect();
    STANDARD.encode(bytes)
}
