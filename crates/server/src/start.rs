//! Start and drain, in order.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use domain::{Account, Clock, FunctionVersion, Runtime, Scope, SystemClock};
use engine::Engine;
use engine::isolation::{Linux, LinuxOptions};
use engine::package::Packages;
use iam::Iam;
use lambda::{CodeLinks, Lambda};
use logs::Logs;
use runtimes::Catalogue;
use sandbox::net::{EndpointConnection, NetworkOptions, PolicyOptions};
use sandbox::{Grant, Sandboxes};
use store::{Claim, Location, Store};
use sts::Sts;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use wire::gateway::{Gateway, Origin};

use crate::config::{Auth, Config, CpuPolicy, DataLocation, RolePolicy, RuntimePolicy};
use crate::confine::{Confinement, Writable, confine};
use crate::descriptors;
use crate::facts::{Facts, isolation_lines, runtime_lines};
use crate::identity::Keyring;
use crate::reset::Reset;
use crate::routes;
use crate::sdk::AfterSdk;

/// How long running invocations and requests may take after the server was told to stop.
const DRAIN: Duration = Duration::from_secs(30);
/// How long the last log lines may take to be stored: a disk that stays full must not keep the server.
const LOG_DRAIN: Duration = Duration::from_secs(10);
/// Log lines on their way to the store. A function that prints faster waits; invocations do not.
const LOG_LINES_QUEUED_MAX: usize = 16 * 1024;
/// How long the credentials of an execution environment are valid; an environment never lives as long.
const CREDENTIALS_VALID: Duration = Duration::from_secs(12 * 3600);

/// What is made before the process has a thread: the store's files, the launcher, and the server's confinement.
pub struct Prepared {
    config: Config,
    store: Store,
    catalogue: Catalogue,
    launcher: sandbox::Launcher,
    code_dir: PathBuf,
    confinement: Confinement,
}

impl Prepared {
    /// Must be called on the main thread while it is the only one.
    pub fn new(config: Config) -> anyhow::Result<Self> {
        if let Some(few) = descriptors::raise(config.concurrency) {
            tracing::warn!("{few}");
        }
        std::fs::create_dir_all(&config.cache_dir)
            .with_context(|| format!("create the cache directory {}", config.cache_dir.display()))?;
        let catalogue = Catalogue::detect(&runtimes::DetectOptions {
            policy: match config.runtimes {
                RuntimePolicy::Nearest => runtimes::Policy::Nearest,
                RuntimePolicy::Exact => runtimes::Policy::Exact,
            },
            ..runtimes::DetectOptions::host(config.cache_dir.clone())
        })?;
        let location = match &config.data {
            DataLocation::Directory(dir) => Location::Directory(dir.clone()),
            DataLocation::Ephemeral => Location::Ephemeral,
        };
        let claim = Claim::new(&store::Options { location })?;
        let code_dir = claim.directory().join("code");
        let launcher = sandbox::Launcher::spawn(sandbox::Options {
            roots: vec![code_dir.clone()],
            endpoint_port: config.listen.port(),
            internet: config.internet,
            ..sandbox::Options::default()
        })?;
        let confinement = confine(&Writable {
            // Semaphores of the programs that install SDKs live in /dev/shm.
            beneath: vec![
                claim.directory().to_owned(),
                config.cache_dir.clone(),
                std::env::temp_dir(),
                PathBuf::from("/dev/shm"),
            ],
            // An ephemeral store removes its own directory in the end.
            emptied: claim
                .directory()
                .parent()
                .filter(|_| config.data == DataLocation::Ephemeral)
                .map(Path::to_owned),
        })?;
        Ok(Self { config, store: claim.open()?, catalogue, launcher, code_dir, confinement })
    }
}

/// A running server.
pub struct Server {
    facts: Facts,
    store: Store,
    engine: Engine,
    sandboxes: Sandboxes,
    logs: Logs,
    stop: watch::Sender<bool>,
    gateway: JoinHandle<()>,
    terminate: Signal,
    interrupt: Signal,
}

impl Server {
    /// Starts everything; when it returns, requests are answered.
    pub async fn start(prepared: Prepared, listener: TcpListener) -> anyhow::Result<Self> {
        let Prepared { config, store, catalogue, launcher, code_dir, confinement } = prepared;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let base_url: Arc<str> =
            format!("http://{}:{}", url_host(&config.hostname), config.listen.port()).into();

        let gateway_cell = Arc::new(OnceLock::new());
        let sandboxes = launcher.connect(network_options(&config, Arc::clone(&gateway_cell)))?;
        let missing: Vec<String> = (sandboxes.strength().grants().iter())
            .filter_map(|(limit, grant)| match grant {
                Grant::Enforced => None,
                Grant::Missing(why) => Some(format!("{limit}: {why}")),
            })
            .collect();

        let iam = Iam::new(store.clone(), Arc::clone(&clock));
        let (lines, received) = mpsc::channel(LOG_LINES_QUEUED_MAX);
        let logs = Logs::start(store.clone(), Arc::clone(&clock), received);
        let packages = Packages::new(code_dir, store.blobs().clone())?;
        let catalogue = Arc::new(catalogue);
        let linux = Linux::new(LinuxOptions {
            cpu: match config.cpu {
                CpuPolicy::Quota => engine::isolation::CpuPolicy::Quota,
                CpuPolicy::Burst => engine::isolation::CpuPolicy::Burst,
            },
            ..LinuxOptions::new(sandboxes.clone(), Arc::clone(&catalogue), packages.clone())
        });
        let isolation = AfterSdk::start(linux, &catalogue);
        let engine = Engine::start(engine::Options {
            endpoint_url: format!("http://127.0.0.1:{}", config.listen.port()),
            limits: engine::Limits {
                concurrency: config.concurrency,
                idle_age: config.idle_age,
                idle_memory_mib: config.idle_memory_mib,
                ..engine::Limits::default()
            },
            ..engine::Options::new(Arc::new(isolation), lines, credentials(&iam))
        });
        let code_links = CodeLinks::new(*store.server_secret());
        let lambda = Lambda::start(lambda::Options {
            store: store.clone(),
            engine: engine.clone(),
            packages,
            check_role: check_role(&iam, config.roles),
            runtime_version: runtime_version(&catalogue),
            code_links: code_links.clone(),
            concurrency: config.concurrency,
            clock: Arc::clone(&clock),
        })
        .await?;

        let reset = Arc::new(Reset {
            store: store.clone(),
            engine: engine.clone(),
            lambda: lambda.clone(),
            logs: logs.clone(),
            demands_signatures: config.auth != Auth::Open,
        });
        let (code_store, code_clock) = (store.clone(), Arc::clone(&clock));
        let gateway = Gateway::builder()
            .service(lambda::service(lambda))
            .service(iam::service(iam.clone()))
            .service(sts::service(Sts::new(iam.clone(), Arc::clone(&clock))))
            .service(logs::service(logs.clone()))
            .authenticator(Keyring::new(&config.auth, iam, clock))
            .hostname(&config.hostname)
            .base_url(Arc::clone(&base_url))
            .body_limit("CreateFunction", domain::limits::CODE_REQUEST_BYTES)
            .body_limit("UpdateFunctionCode", domain::limits::CODE_REQUEST_BYTES)
            .body_limit("PublishLayerVersion", domain::limits::CODE_REQUEST_BYTES)
            .drain_deadline(DRAIN)
            .route("/_hearth/health", routes::health)
            .route("/_hearth/reset", move |request| routes::reset(Arc::clone(&reset), request))
            .route("/_hearth/code", move |request| {
                routes::code(code_links.clone(), code_store.clone(), Arc::clone(&code_clock), request)
            })
            .build();
        // Nobody else sets it: functions that called before now waited for nothing.
        let _ = gateway_cell.set(gateway.clone());

        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let (stop, stopped) = watch::channel(false);
        // Before the first answer: who saw that the server is ready may tell it to stop at once.
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let gateway = tokio::spawn(async move { gateway.serve(listener, told(stopped)).await });
        let facts = Facts {
            runtimes: runtime_lines(&catalogue),
            isolation: isolation_lines(missing, &confinement),
            base_url,
            config,
        };
        Ok(Self { facts, store, engine, sandboxes, logs, stop, gateway, terminate, interrupt })
    }

    /// What a person wants to see.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Serves until SIGTERM or SIGINT, then drains: running requests and invocations finish, log lines are kept.
    pub async fn until_stopped(self) -> anyhow::Result<()> {
        let (mut terminate, mut interrupt) = (self.terminate, self.interrupt);
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        eprintln!("hearth: stopping; running invocations may finish (signal again to stop at once)");
        let drained = async {
            let _ = self.stop.send(true);
            let _ = self.gateway.await;
            self.engine.shutdown(DRAIN).await;
            self.sandboxes.shutdown().await;
            if tokio::time::timeout(LOG_DRAIN, self.logs.drain()).await.is_err() {
                tracing::error!("log lines that the store did not take are lost");
            }
        };
        let outcome = tokio::select! {
            () = drained => Ok(()),
            _ = terminate.recv() => Err(anyhow::anyhow!("stopped at once")),
            _ = interrupt.recv() => Err(anyhow::anyhow!("stopped at once")),
        };
        // Not left to the last owner's end: the gateway and the sandboxes' network own each other.
        self.store.remove_if_ephemeral();
        outcome
    }
}

async fn told(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone: then it is time, too.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// An IPv6 address stands in brackets in a URL.
fn url_host(hostname: &str) -> String {
    if hostname.contains(':') { format!("[{hostname}]") } else { hostname.to_owned() }
}

fn network_options(config: &Config, gateway: Arc<OnceLock<Gateway>>) -> NetworkOptions {
    let policy = PolicyOptions {
        internet: config.internet,
        endpoint_port: config.listen.port(),
        allow: config.allow_hosts.clone(),
        deny: config.deny_hosts.clone(),
    };
    let endpoint = move |connection: EndpointConnection| {
        let Some(gateway) = gateway.get().cloned() else { return };
        tokio::spawn(async move {
            let EndpointConnection { stream, permit, .. } = connection;
            gateway.serve_stream(stream, Origin::Sandbox).await;
            drop(permit);
        });
    };
    NetworkOptions {
        hostnames: vec![config.hostname.clone()],
        ..NetworkOptions::new(policy, Arc::new(endpoint))
    }
}

/// The credentials of a function's role: one look at the store when an environment starts, none when it is called.
fn credentials(iam: &Iam) -> engine::CredentialsProvider {
    let iam = iam.clone();
    Arc::new(move |version: &FunctionVersion| {
        iam.mint_for_role_arn(&version.role, version.name.as_str(), iam.now().plus(CREDENTIALS_VALID))
    })
}

/// AWS's words for a role that a function cannot have.
fn check_role(iam: &Iam, policy: RolePolicy) -> lambda::CheckRole {
    const CANNOT_BE_ASSUMED: &str = "The role defined for the function cannot be assumed by Lambda.";
    let iam = iam.clone();
    Box::new(move |scope: &Scope, arn: &str| {
        let account = arn.split(':').nth(4).and_then(Account::parse);
        if account.as_ref() != Some(&scope.account) {
            return Err("Cross-account pass role is not allowed.".to_owned());
        }
        if policy == RolePolicy::Any || iam.assumable_by_lambda(arn) {
            return Ok(());
        }
        tracing::warn!(
            role = arn,
            "refused: no such role, or it does not trust lambda.amazonaws.com (see --roles)"
        );
        Err(CANNOT_BE_ASSUMED.to_owned())
    })
}

fn runtime_version(catalogue: &Arc<Catalogue>) -> lambda::RuntimeVersion {
    let catalogue = Arc::clone(catalogue);
    Box::new(move |runtime: Runtime| match catalogue.serve(runtime) {
        Ok(serving) => Ok(serving.version_label()),
        Err(unavailable) => Err(unavailable.to_string()),
    })
}
