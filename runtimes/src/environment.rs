//! The environment variables of a function's processes, as AWS sets them.
//!
//! What does not depend on the function is known before there is one and is what a stem starts with
//! ([`crate::Serving::command`]); [`of_function`] is the rest.
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>

use std::collections::BTreeMap;

use domain::{Credentials, Family, FunctionVersion, LogFormat, Runtime};

/// Where the sandbox serves the Runtime API, as AWS's environments name it.
pub const RUNTIME_API: &str = "169.254.100.1:9001";

/// What an execution environment adds to the function's own configuration.
#[derive(Clone, Debug)]
pub struct Session<'a> {
    /// The role's credentials.
    pub credentials: &'a Credentials,
    /// Where the function reaches Hearth.
    pub endpoint_url: &'a str,
    /// The environment's log stream.
    pub log_stream: &'a str,
    /// `on-demand`, `provisioned-concurrency` or `snap-start`.
    pub initialization_type: &'a str,
    /// With SnapStart: what the function asks the Runtime API for credentials with. Those of a snapshot would be old when
    /// it is restored.
    pub credentials_token: Option<&'a str>,
}

/// Where a function with SnapStart asks for credentials: on the loopback, because SDKs ask nowhere else.
pub const CREDENTIALS_URL: &str = "http://127.0.0.1:9001/2021-04-23/credentials";

/// The variables that do not depend on the function.
pub fn of_runtime(runtime: Runtime) -> BTreeMap<String, String> {
    const LIBRARIES: &str =
        "/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib";
    const PROGRAMS: &str = "/usr/local/bin:/usr/bin/:/bin:/opt/bin";
    let mut variables = strings([
        ("AWS_LAMBDA_RUNTIME_API", RUNTIME_API),
        ("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR"),
        ("AWS_XRAY_DAEMON_ADDRESS", "169.254.100.1:2000"),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
        ("LAMBDA_TASK_ROOT", "/var/task"),
        ("LANG", "en_US.UTF-8"),
        ("LD_LIBRARY_PATH", LIBRARIES),
        ("PATH", PROGRAMS),
        ("TZ", ":UTC"),
    ]);
    if runtime.family() == Family::Provided {
        return variables;
    }
    variables.insert("AWS_EXECUTION_ENV".to_owned(), format!("AWS_Lambda_{runtime}"));
    variables.insert("PATH".to_owned(), format!("/var/lang/bin:{PROGRAMS}"));
    variables.insert("LD_LIBRARY_PATH".to_owned(), format!("/var/lang/lib:{LIBRARIES}"));
    match runtime.family() {
        Family::Python => {
            variables.insert("PYTHONPATH".to_owned(), "/var/runtime".to_owned());
        }
        Family::Node => {
            let version = runtime.language_version();
            let path = format!(
                "/opt/nodejs/node{version}/node_modules:/opt/nodejs/node_modules:\
                 /var/runtime/node_modules:/var/runtime:/var/task"
            );
            variables.insert("NODE_PATH".to_owned(), path);
        }
        Family::Java | Family::Ruby => {
            // Both take the encoding of everything from the locale, and few machines have the one that LANG names.
            variables.insert("LC_ALL".to_owned(), "C.UTF-8".to_owned());
        }
        Family::DotNet | Family::Provided => {}
    }
    variables
}

/// The variables that only the function and its environment know, the user's own among them.
pub fn of_function(version: &FunctionVersion, session: &Session<'_>) -> BTreeMap<String, String> {
    let region = version.scope.region.to_string();
    let memory = version.memory_mib.to_string();
    let number = version.version.to_string();
    let mut variables = version.environment.clone();
    variables.extend(strings([
        ("_HANDLER", version.handler.as_str()),
        ("AWS_ACCESS_KEY_ID", &session.credentials.access_key_id),
        ("AWS_DEFAULT_REGION", &region),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &memory),
        ("AWS_LAMBDA_FUNCTION_NAME", version.name.as_str()),
        ("AWS_LAMBDA_FUNCTION_VERSION", &number),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", session.initialization_type),
        ("AWS_LAMBDA_LOG_GROUP_NAME", &version.logging.group),
        ("AWS_LAMBDA_LOG_STREAM_NAME", session.log_stream),
        ("AWS_REGION", &region),
        ("AWS_SECRET_ACCESS_KEY", &session.credentials.secret_access_key),
        ("AWS_SESSION_TOKEN", &session.credentials.session_token),
    ]));
    if let Some(token) = session.credentials_token {
        // What belongs to a moment is not in a snapshot.
        for name in [
            "AWS_ACCESS_KEY_ID",
            "AWS_LAMBDA_LOG_GROUP_NAME",
            "AWS_LAMBDA_LOG_STREAM_NAME",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
        ] {
            variables.remove(name);
        }
        variables.insert("AWS_CONTAINER_CREDENTIALS_FULL_URI".to_owned(), CREDENTIALS_URL.to_owned());
        variables.insert("AWS_CONTAINER_AUTHORIZATION_TOKEN".to_owned(), token.to_owned());
    }
    // The user may point a client elsewhere on purpose: this name is not reserved.
    variables.entry("AWS_ENDPOINT_URL".to_owned()).or_insert_with(|| session.endpoint_url.to_owned());
    if version.logging.format == LogFormat::Json {
        variables.insert("AWS_LAMBDA_LOG_FORMAT".to_owned(), "JSON".to_owned());
        if let Some(level) = &version.logging.application_level {
            variables.insert("AWS_LAMBDA_LOG_LEVEL".to_owned(), level.clone());
        }
    }
    variables
}

/// The variables of an external extension: the function's, without those that are the runtime's alone.
/// <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html#runtimes-extensions-api-lifecycle>
pub fn of_extension(version: &FunctionVersion, session: &Session<'_>) -> BTreeMap<String, String> {
    const HIDDEN: &[&str] = &[
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_XRAY_CONTEXT_MISSING",
        "AWS_XRAY_DAEMON_ADDRESS",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
        "_AWS_XRAY_DAEMON_ADDRESS",
        "_AWS_XRAY_DAEMON_PORT",
        "_HANDLER",
    ];
    let mut variables = of_runtime(version.runtime);
    variables.extend(of_function(version, session));
    variables.retain(|name, _| !HIDDEN.contains(&name.as_str()));
    variables
}

/// Whether the user set a variable that is read only when a process starts, so that a runtime started before the
/// function was known cannot serve it.
pub fn needs_fresh_start(version: &FunctionVersion) -> bool {
    version.environment.keys().any(|name| read_at_start(name))
}

fn read_at_start(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "AWS_LAMBDA_EXEC_WRAPPER",
        "BUNDLE_GEMFILE",
        "GLIBC_TUNABLES",
        "LANG",
        "LC_ALL",
        "OPENSSL_CONF",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "UV_THREADPOOL_SIZE",
        "PATH",
    ];
    const PREFIXES: &[&str] = &["LD_", "PYTHON", "NODE_", "RUBY", "GEM_", "MALLOC_", "LC_"];
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn strings<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_execution_environment_is_named_except_on_provided() {
        assert_eq!(of_runtime(Runtime::Python312)["AWS_EXECUTION_ENV"], "AWS_Lambda_python3.12");
        assert_eq!(of_runtime(Runtime::Node20)["AWS_EXECUTION_ENV"], "AWS_Lambda_nodejs20.x");
        assert!(!of_runtime(Runtime::ProvidedAl2023).contains_key("AWS_EXECUTION_ENV"));
    }

    #[test]
    fn layers_come_before_the_runtime_on_nodes_path() {
        let path = &of_runtime(Runtime::Node22)["NODE_PATH"];
        assert!(path.starts_with(
            "/opt/nodejs/node22/node_modules:/opt/nodejs/node_modules:/var/runtime/node_modules"
        ));
    }

    #[test]
    fn variables_read_at_the_start_of_a_process_need_a_fresh_one() {
        for name in ["LD_PRELOAD", "PYTHONHASHSEED", "NODE_OPTIONS", "AWS_LAMBDA_EXEC_WRAPPER", "PATH"] {
            assert!(read_at_start(name), "{name}");
        }
        for name in ["TABLE", "TZ", "AWS_ENDPOINT_URL", "MY_PATH"] {
            assert!(!read_at_start(name), "{name}");
        }
    }
}
