//! The rules that the model does not hold: each takes what the caller sent and gives what may be stored, or AWS's refusal.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use domain::{FunctionName, LogFormat, LoggingConfig, Runtime, TracingMode, limits};
use wire::Error;

use crate::error::{constraint, invalid_parameter, not_supported};
use crate::record::{FunctionRecord, default_log_group};
use crate::shapes;

/// Variables that Lambda sets itself.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>
const RESERVED_VARIABLES: &[&str] = &[
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_MAX_CONCURRENCY",
    "AWS_LAMBDA_METADATA_API",
    "AWS_LAMBDA_METADATA_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
];

/// Identifiers that AWS once had and no longer lets anyone create or update a function with.
const RETIRED_RUNTIMES: &[&str] = &[
    "nodejs",
    "nodejs4.3",
    "nodejs4.3-edge",
    "nodejs6.10",
    "nodejs8.10",
    "nodejs10.x",
    "nodejs12.x",
    "nodejs14.x",
    "nodejs16.x",
    "java8",
    "python2.7",
    "python3.6",
    "python3.7",
    "python3.8",
    "dotnetcore1.0",
    "dotnetcore2.0",
    "dotnetcore2.1",
    "dotnetcore3.1",
    "dotnet6",
    "go1.x",
    "ruby2.5",
    "ruby2.7",
    "provided",
];

/// Every identifier that Lambda has or had.
pub fn runtime_ids() -> impl Iterator<Item = &'static str> {
    let current = Runtime::ALL.iter().map(|runtime| runtime.id());
    RETIRED_RUNTIMES.iter().copied().chain(current).chain(["custom"])
}

/// `Runtime`
pub fn runtime(id: &str) -> Result<Runtime, Error> {
    if let Ok(runtime) = id.parse() {
        return Ok(runtime);
    }
    if id == "custom" {
        return Err(not_supported("customer-managed runtimes"));
    }
    if RETIRED_RUNTIMES.contains(&id) {
        return Err(invalid_parameter(format!(
            "The runtime parameter of {id} is no longer supported for creating or updating AWS Lambda functions. We \
             recommend you use a supported runtime while creating or updating functions."
        )));
    }
    let known: Vec<&str> = Runtime::ALL.iter().map(|runtime| runtime.id()).collect();
    Err(invalid_parameter(format!(
        "Value {id} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [{}] or be a \
         valid ARN",
        known.join(", ")
    )))
}

fn in_range(value: i32, member: &str, range: &RangeInclusive<u32>) -> Result<u32, Error> {
    let at_least = || format!("Member must have value greater than or equal to {}", range.start());
    let at_most = || format!("Member must have value less than or equal to {}", range.end());
    match u32::try_from(value) {
        Ok(value) if value > *range.end() => Err(constraint(value, member, at_most())),
        Ok(value) if range.contains(&value) => Ok(value),
        _ => Err(constraint(value, member, at_least())),
    }
}

/// `Timeout`: the model allows what only managed instances may have.
pub fn timeout_seconds(value: i32) -> Result<u32, Error> {
    in_range(value, "timeout", &limits::TIMEOUT_SECONDS)
}

/// `MemorySize`: the model allows what only managed instances may have.
pub fn memory_mb(value: i32) -> Result<u32, Error> {
    in_range(value, "memorySize", &limits::MEMORY_MB)
}

/// `EphemeralStorage.Size`
pub fn ephemeral_storage_mb(storage: &shapes::EphemeralStorage) -> Result<u32, Error> {
    in_range(storage.size, "ephemeralStorage.size", &limits::EPHEMERAL_STORAGE_MB)
}

/// `Environment.Variables`
pub fn environment(environment: shapes::Environment) -> Result<BTreeMap<String, String>, Error> {
    let variables = environment.variables.unwrap_or_default();
    let reserved: Vec<&str> =
        variables.keys().map(String::as_str).filter(|name| RESERVED_VARIABLES.contains(name)).collect();
    if !reserved.is_empty() {
        return Err(invalid_parameter(format!(
            "Lambda was unable to configure your environment variables because the environment variables you have \
             provided contains reserved keys that are currently not supported for modification. Reserved keys used \
             in this request: {}",
            reserved.join(", ")
        )));
    }
    let measured = serde_json::to_string(&variables).map_err(crate::error::service)?;
    if measured.len() > limits::ENVIRONMENT_BYTES {
        return Err(invalid_parameter(format!(
            "Lambda was unable to configure your environment variables because the environment variables you have \
             provided exceeded the 4KB limit. String measured: {measured}"
        )));
    }
    if let Some(name) = variables.iter().find(|(_, value)| value.contains('\0')).map(|(name, _)| name) {
        return Err(invalid_parameter(format!(
            "The value of environment variable {name} has a NUL character."
        )));
    }
    Ok(variables)
}

/// `KMSKeyArn`: none if it is empty, which takes it away.
pub fn kms_key_arn(arn: String) -> Result<Option<String>, Error> {
    match crate::event_invoke::arn_service(&arn) {
        Some("kms") => Ok(Some(arn)),
        _ if arn.is_empty() => Ok(None),
        _ => Err(invalid_parameter(format!("KMSKeyArn {arn} is not the ARN of a key in AWS KMS."))),
    }
}

/// `Architectures`: one of the two. Both run natively: what a function's own machine code needs is its author's business.
pub fn architecture(architectures: Option<Vec<shapes::Architecture>>) -> Result<Option<String>, Error> {
    match architectures.as_deref() {
        None => Ok(None),
        Some([one]) => Ok(Some(one.as_str().to_owned())),
        Some(several) => Err(constraint(
            format_args!("[{}]", several.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(", ")),
            "architectures",
            "Member must have length less than or equal to 1",
        )),
    }
}

/// `LoggingConfig`, merged over what the function had.
pub fn logging(
    given: Option<shapes::LoggingConfig>,
    before: &LoggingConfig,
    name: &FunctionName,
) -> Result<LoggingConfig, Error> {
    /// What both levels become when the format becomes JSON.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-advanced.html>
    const LEVEL_DEFAULT: &str = "INFO";
    let Some(given) = given else { return Ok(before.clone()) };
    let format = match given.log_format {
        Some(shapes::LogFormat::Json) => LogFormat::Json,
        Some(shapes::LogFormat::Text) => LogFormat::Text,
        None => before.format,
    };
    let application = given.application_log_level.map(|level| level.as_str().to_owned());
    let system = given.system_log_level.map(|level| level.as_str().to_owned());
    if format == LogFormat::Text && (application.is_some() || system.is_some()) {
        return Err(invalid_parameter(
            "ApplicationLogLevel and SystemLogLevel can only be set when LogFormat is JSON.",
        ));
    }
    let level = |given: Option<String>, before: &Option<String>| match format {
        LogFormat::Text => None,
        LogFormat::Json => given.or_else(|| before.clone()).or_else(|| Some(LEVEL_DEFAULT.to_owned())),
    };
    let group = match given.log_group {
        Some(group) if group.is_empty() => default_log_group(name),
        Some(group) => group,
        None => before.group.clone(),
    };
    Ok(LoggingConfig {
        group,
        format,
        application_level: level(application, &before.application_level),
        system_level: level(system, &before.system_level),
    })
}

/// `TracingConfig`
pub fn tracing(given: Option<shapes::TracingConfig>) -> Option<TracingMode> {
    given.and_then(|config| config.mode).map(|mode| match mode {
        shapes::TracingMode::Active => TracingMode::Active,
        shapes::TracingMode::PassThrough => TracingMode::PassThrough,
    })
}

/// `SnapStart`
pub fn snap_start(given: Option<shapes::SnapStart>) -> Option<bool> {
    given.and_then(|config| config.apply_on).map(|on| on == shapes::SnapStartApplyOn::PublishedVersions)
}

/// What SnapStart does not go with.
/// <https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html#snapstart-runtimes>
pub fn check_snap_start(record: &FunctionRecord) -> Result<(), Error> {
    let refused = [
        (
            record.ephemeral_storage_mb > limits::EPHEMERAL_STORAGE_MB_DEFAULT,
            "EphemeralStorage of more than 512 MB",
        ),
        (record.per_tenant, "TenancyConfig"),
    ];
    match refused.into_iter().find(|(is_asked, _)| *is_asked && record.snap_start) {
        Some((_, what)) => {
            Err(invalid_parameter(format!("{what} is not supported for SnapStart enabled functions.")))
        }
        None => Ok(()),
    }
}

/// Tags: how many a function may have.
pub fn tags(tags: &BTreeMap<String, String>) -> Result<(), Error> {
    if tags.len() > limits::TAGS {
        return Err(invalid_parameter("Number of tags exceeds resource tag limit."));
    }
    if let Some(key) = tags.keys().find(|key| key.to_ascii_lowercase().starts_with("aws:")) {
        return Err(invalid_parameter(format!(
            "Caller is not allowed to use the reserved prefix aws: in tag key {key}."
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<T: std::fmt::Debug>(outcome: Result<T, Error>) -> String {
        let error = outcome.unwrap_err();
        format!("{}: {}", error.code, error.message)
    }

    #[test]
    fn numbers_have_lambdas_range_and_not_only_the_models() {
        assert_eq!(timeout_seconds(900).unwrap(), 900);
        assert_eq!(
            message(timeout_seconds(901)),
            "ValidationException: 1 validation error detected: Value '901' at 'timeout' failed to satisfy \
             constraint: Member must have value less than or equal to 900"
        );
        assert!(message(memory_mb(127)).ends_with("greater than or equal to 128"));
        assert!(message(memory_mb(10_241)).ends_with("less than or equal to 10240"));
        assert!(message(timeout_seconds(-1)).contains("Value '-1'"));
    }

    #[test]
    fn a_retired_runtime_and_an_unknown_one_are_told_apart() {
        assert!(message(runtime("python3.8")).contains("no longer supported"));
        assert!(
            message(runtime("cobol85")).contains("Value cobol85 at 'runtime' failed to satisfy constraint")
        );
        assert_eq!(runtime("python3.12").unwrap(), Runtime::Python312);
    }

    #[test]
    fn the_environment_has_reserved_names_and_a_size() {
        let with = |name: &str, value: String| shapes::Environment {
            variables: Some(BTreeMap::from([(name.to_owned(), value)])),
        };
        assert!(environment(with("STAGE", "test".into())).is_ok());
        assert!(
            message(environment(with("AWS_REGION", "x".into()))).ends_with("in this request: AWS_REGION")
        );
        assert!(message(environment(with("BIG", "x".repeat(4096)))).contains("exceeded the 4KB limit"));
    }

    #[test]
    fn log_levels_need_json() {
        let name = FunctionName::parse("f").unwrap();
        let before = crate::record::default_logging(&name);
        let json = shapes::LoggingConfig { log_format: Some(shapes::LogFormat::Json), ..Default::default() };
        let merged = logging(Some(json), &before, &name).unwrap();
        assert_eq!(merged.application_level.as_deref(), Some("INFO"));
        let level = shapes::LoggingConfig {
            system_log_level: Some(shapes::SystemLogLevel::Warn),
            ..Default::default()
        };
        assert!(logging(Some(level), &before, &name).is_err());
    }
}
