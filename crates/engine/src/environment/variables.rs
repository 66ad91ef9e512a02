//! The environment variables that Lambda defines for a function, over those of its runtime.
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>

use std::collections::BTreeMap;

use domain::{Credentials, Family, FunctionVersion, LogFormat};

/// Where the function's surroundings are.
pub(super) struct Surroundings<'a> {
    pub(super) credentials: &'a Credentials,
    pub(super) endpoint_url: Option<&'a str>,
    pub(super) runtime_api: &'a str,
    pub(super) log_group: &'a str,
    pub(super) log_stream: &'a str,
}

/// Lambda's variables and the user's. The reserved ones win: the API refuses them in a function's configuration.
pub(super) fn variables(version: &FunctionVersion, around: &Surroundings) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    let mut set = |name: &str, value: &str| {
        variables.insert(name.to_owned(), value.to_owned());
    };
    if let Some(url) = around.endpoint_url {
        set("AWS_ENDPOINT_URL", url);
    }
    set("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR");
    set("AWS_XRAY_DAEMON_ADDRESS", "169.254.100.1:2000");
    for (name, value) in &version.environment {
        set(name, value);
    }

    let region = version.scope.region.as_str();
    set("_HANDLER", &version.handler);
    set("AWS_DEFAULT_REGION", region);
    set("AWS_REGION", region);
    set("AWS_LAMBDA_FUNCTION_NAME", version.name.as_str());
    set("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &version.memory_mib.to_string());
    set("AWS_LAMBDA_FUNCTION_VERSION", &version.version.to_string());
    set("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand");
    set("AWS_LAMBDA_LOG_GROUP_NAME", around.log_group);
    set("AWS_LAMBDA_LOG_STREAM_NAME", around.log_stream);
    set("AWS_LAMBDA_RUNTIME_API", around.runtime_api);
    set("AWS_ACCESS_KEY_ID", &around.credentials.access_key_id);
    set("AWS_SECRET_ACCESS_KEY", &around.credentials.secret_access_key);
    set("AWS_SESSION_TOKEN", &around.credentials.session_token);
    set("LAMBDA_TASK_ROOT", "/var/task");
    set("LAMBDA_RUNTIME_DIR", "/var/runtime");
    if version.runtime.family() != Family::Provided {
        set("AWS_EXECUTION_ENV", &format!("AWS_Lambda_{}", version.runtime.id()));
    }
    if version.logging.format == LogFormat::Json {
        set("AWS_LAMBDA_LOG_FORMAT", "JSON");
        set("AWS_LAMBDA_LOG_LEVEL", version.logging.application_level.as_deref().unwrap_or("INFO"));
    }
    variables
}

#[cfg(test)]
mod tests {
    use domain::{Runtime, Timestamp};

    use super::*;

    fn of(version: &FunctionVersion) -> BTreeMap<String, String> {
        let credentials = Credentials {
            access_key_id: "ASIA".into(),
            secret_access_key: "secret".into(),
            session_token: "token".into(),
            expiration: Timestamp(0),
        };
        let around = Surroundings {
            credentials: &credentials,
            endpoint_url: Some("http://127.0.0.1:4566"),
            runtime_api: "169.254.100.1:9001",
            log_group: "/aws/lambda/f",
            log_stream: "s",
        };
        variables(version, &around)
    }

    #[test]
    fn reserved_names_win_and_others_are_the_users() {
        let mut version = crate::isolation::fake::version("f");
        version.environment.insert("AWS_REGION".into(), "mars".into());
        version.environment.insert("AWS_ENDPOINT_URL".into(), "http://elsewhere".into());
        let variables = of(&version);
        assert_eq!(variables["AWS_REGION"], "us-east-1");
        assert_eq!(variables["AWS_ENDPOINT_URL"], "http://elsewhere");
    }

    #[test]
    fn only_managed_runtimes_name_themselves() {
        let mut version = crate::isolation::fake::version("f");
        version.runtime = Runtime::Python312;
        assert_eq!(of(&version)["AWS_EXECUTION_ENV"], "AWS_Lambda_python3.12");
        version.runtime = Runtime::ProvidedAl2023;
        assert!(!of(&version).contains_key("AWS_EXECUTION_ENV"));
    }

    #[test]
    fn the_log_format_is_told_only_when_it_is_json() {
        let mut version = crate::isolation::fake::version("f");
        assert!(!of(&version).contains_key("AWS_LAMBDA_LOG_FORMAT"));
        version.logging.format = LogFormat::Json;
        assert_eq!(of(&version)["AWS_LAMBDA_LOG_LEVEL"], "INFO");
    }
}
