//! What the tests of the engine with real sandboxes share: an engine of its own for each test, and functions for it.
//!
//! The launcher works in a mount namespace of its own, so nothing is ever mounted in the host's. All groups are below
//! one that limits processes, in case a limit under test does not hold.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use domain::{
    CodeRef, Credentials, FunctionName, FunctionVersion, LogFormat, LogLine, LoggingConfig, Runtime, Scope,
    Timestamp, TracingMode, Version, limits,
};
use engine::isolation::{Ahead, Linux, LinuxOptions};
use engine::package::Packages;
use engine::{Engine, Invocation, InvokeError, Limits, Options, Outcome};
use runtimes::{Catalogue, DetectOptions};
use sandbox::net::{NetworkOptions, PolicyOptions};
use sandbox::{Launcher, Sandboxes};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use uuid::Uuid;

sandbox::launcher_in_tests!();

const CGROUP: &str = "hearth-engine-tests";
/// For everything that all tests together run in sandboxes.
const PROCESSES_MAX: &str = "3000";

type Zips = Arc<Mutex<HashMap<CodeRef, Bytes>>>;

pub struct Fixture {
    pub engine: Engine,
    pub linux: Linux,
    ahead: Ahead,
    pub sandboxes: Sandboxes,
    pub logs: mpsc::Receiver<LogLine>,
    zips: Zips,
    _directory: tempfile::TempDir,
}

impl Fixture {
    pub async fn start() -> Self {
        Self::with(Limits::default()).await
    }

    pub async fn with(limits: Limits) -> Self {
        Self::started(limits, ahead()).await
    }

    pub async fn started(limits: Limits, ahead: Ahead) -> Self {
        let directory = tempfile::tempdir().unwrap();
        open_to_all(directory.path());
        let code = directory.path().join("code");
        let zips = Zips::default();
        let stored = Arc::clone(&zips);
        let blobs = Arc::new(move |code: &CodeRef| {
            stored.lock().unwrap().get(code).cloned().ok_or_else(|| std::io::ErrorKind::NotFound.into())
        });
        let packages = Packages::new(&code, blobs).unwrap();
        let sandboxes = Launcher::spawn(sandbox_options(&code)).unwrap().connect(network()).unwrap();
        let catalogue =
            tokio::task::spawn_blocking(|| Catalogue::detect(&DetectOptions::host(cache()))).await;
        let catalogue = Arc::new(catalogue.unwrap().unwrap());
        let linux =
            Linux::new(LinuxOptions { ahead, ..LinuxOptions::new(sandboxes.clone(), catalogue, packages) });
        let (sender, logs) = mpsc::channel(100_000);
        let credentials = Arc::new(|_: &FunctionVersion| Credentials {
            access_key_id: "ASIAEXAMPLE".into(),
            secret_access_key: "secret".into(),
            session_token: "token".into(),
            expiration: Timestamp(0),
        });
        let mut options = Options::new(Arc::new(linux.clone()), sender, credentials);
        options.limits = limits;
        Self { engine: Engine::start(options), linux, ahead, sandboxes, logs, zips, _directory: directory }
    }

    /// A function with one file.
    pub fn function(&self, runtime: Runtime, file: &str, contents: &str) -> FunctionVersion {
        let zip = zip(file, contents);
        let code = CodeRef(hex(&Sha256::digest(&zip)));
        self.zips.lock().unwrap().insert(code.clone(), zip);
        FunctionVersion {
            scope: Scope::default(),
            name: FunctionName::parse("f").unwrap(),
            version: Version::Latest,
            revision: Uuid::new_v4(),
            runtime,
            handler: "index.handler".to_owned(),
            role: "arn:aws:iam::000000000000:role/r".to_owned(),
            code,
            layers: Vec::new(),
            environment: [("GREETING".to_owned(), "hello".to_owned())].into(),
            memory_mib: 512,
            timeout: Duration::from_secs(20),
            ephemeral_storage_mib: limits::EPHEMERAL_STORAGE_MB_DEFAULT,
            logging: LoggingConfig {
                group: "/aws/lambda/f".to_owned(),
                format: LogFormat::Text,
                application_level: None,
                system_level: None,
            },
            tracing: TracingMode::PassThrough,
            snap_start: false,
            per_tenant: false,
        }
    }

    /// A layer with one file, for [`FunctionVersion::layers`].
    pub fn layer(&self, file: &str, contents: &str) -> CodeRef {
        let zip = zip(file, contents);
        let code = CodeRef(hex(&Sha256::digest(&zip)));
        self.zips.lock().unwrap().insert(code.clone(), zip);
        code
    }

    pub fn python(&self, code: &str) -> FunctionVersion {
        self.function(Runtime::Python312, "index.py", code)
    }

    pub async fn invoke(&self, version: &FunctionVersion, payload: &str) -> Outcome {
        self.try_invoke(version, payload).await.unwrap()
    }

    pub async fn try_invoke(&self, version: &FunctionVersion, payload: &str) -> Result<Outcome, InvokeError> {
        self.be_ready_for(version).await;
        self.engine.invoke(invocation(version, payload)).await
    }

    /// Where stems are tested, one is ready before each invocation: it is this that a cold start takes.
    async fn be_ready_for(&self, version: &FunctionVersion) {
        if self.ahead == Ahead::Stems {
            // What cannot be started at all shows in the invocation.
            let _ = self.linux.prepare(version).await;
        }
    }

    /// The outcome and the log's tail.
    pub async fn invoke_tail(&self, version: &FunctionVersion, payload: &str) -> (Outcome, String) {
        self.be_ready_for(version).await;
        let invocation = Invocation { tail: true, ..invocation(version, payload) };
        let outcome = self.engine.invoke(invocation).await.unwrap();
        let tail = String::from_utf8(outcome.log_tail.clone().unwrap().to_vec()).unwrap();
        (outcome, tail)
    }

    /// Lines until one contains the text.
    pub async fn lines_until(&mut self, text: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.logs.recv().await.expect("the engine holds the sender").message;
            let last = line.contains(text);
            lines.push(line);
            if last {
                return lines;
            }
        }
    }
}

pub fn invocation(version: &FunctionVersion, payload: &str) -> Invocation {
    Invocation {
        version: Arc::new(version.clone()),
        request_id: Uuid::new_v4(),
        invoked_arn: version.function_arn(),
        payload: Bytes::from(payload.to_owned()),
        client_context: None,
        cognito_identity: None,
        trace_header: None,

        tenant_id: None,

        synchronous: false,
        tail: false,
    }
}

pub fn text(outcome: &Outcome) -> &str {
    std::str::from_utf8(&outcome.payload).unwrap()
}

pub fn json(outcome: &Outcome) -> serde_json::Value {
    serde_json::from_slice(&outcome.payload).unwrap()
}

#[track_caller]
pub fn error_type(outcome: &Outcome) -> &str {
    match &outcome.function_error {
        Some(error) => &error.error_type,
        None => panic!("no function error: {}", text(outcome)),
    }
}

fn zip(file: &str, contents: &str) -> Bytes {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
    zip.start_file(file, options).unwrap();
    zip.write_all(contents.as_bytes()).unwrap();
    zip.finish().unwrap().into_inner().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One suite runs both ways: `functions` starts its functions afresh, `stems` the same ones from stems.
fn ahead() -> Ahead {
    if env!("CARGO_CRATE_NAME") == "functions" { Ahead::Sandboxes } else { Ahead::Stems }
}

/// What was found on this machine is found once.
fn cache() -> PathBuf {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("runtimes");
    std::fs::create_dir_all(&cache).unwrap();
    cache
}

fn open_to_all(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn sandbox_options(code: &Path) -> sandbox::Options {
    limit_processes();
    sandbox::Options {
        roots: vec![code.to_owned()],
        storage: Some(code.to_owned()),
        cgroup: CGROUP.into(),
        sandboxes_max: 256,
        ..sandbox::Options::default()
    }
}

fn network() -> NetworkOptions {
    let policy = PolicyOptions { internet: false, endpoint_port: 4566, allow: Vec::new(), deny: Vec::new() };
    NetworkOptions::new(policy, Arc::new(drop))
}

/// Where this machine has v1 groups: elsewhere the sandboxes' own limits must do.
fn limit_processes() {
    let group = Path::new("/sys/fs/cgroup/pids").join(CGROUP);
    if group.parent().is_some_and(|pids| pids.join("tasks").exists())
        && std::fs::create_dir_all(&group).is_ok()
    {
        // Another test may have set it, or this user may not; either way the tests' own limits remain.
        let _ = std::fs::write(group.join("pids.max"), PROCESSES_MAX);
    }
}
