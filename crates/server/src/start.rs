//! Start and drain, in order.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use deliveries::Deliveries;
use domain::{Account, Clock, FunctionVersion, Runtime, Scope, SystemClock};
use engine::Engine;
use engine::isolation::{Linux, LinuxOptions};
use engine::package::Packages;
use events::Events;
use iam::Iam;
use lambda::{CodeLinks, HotReload, Lambda};
use logs::Logs;
use metrics::Metrics;
use runtimes::Catalogue;
use s3::S3;
use sandbox::net::{EndpointConnection, NetworkOptions, PolicyOptions};
use sandbox::{Grant, Sandboxes};
use scheduler::Scheduler;
use sns::Sns;
use sqs::Sqs;
use store::{Claim, Location, Store};
use sts::Sts;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use triggers::Triggers;
use wire::gateway::{Gateway, Origin};

use crate::config::{Auth, Config, CpuPolicy, DataLocation, RolePolicy, RuntimePolicy, VpcPolicy};
use crate::confine::{Confinement, Writable, confine};
use crate::descriptors;
use crate::facts::{Facts, isolation_lines, runtime_lines};
use crate::guards::Guard;
use crate::identity::Keyring;
use crate::measured::{self, Measured};
use crate::reset::Reset;
use crate::routes;
use crate::sdk::AfterSdk;
use crate::targets::operations::Operations;
use crate::targets::queues::Queues;
use crate::targets::{self, Targets};
use crate::time;

/// How long running invocations and requests may take after the server was told to stop.
const DRAIN: Duration = Duration::from_secs(30);
/// How long the last log lines may take to be stored: a disk that stays full must not keep the server.
const LOG_DRAIN: Duration = Duration::from_secs(10);
/// Log lines on their way to the store. A function that prints faster waits; invocations do not.
const LOG_LINES_QUEUED_MAX: usize = 16 * 1024;
/// How long the credentials of an execution environment are valid; an environment never lives as long.
const CREDENTIALS_VALID: Duration = Duration::from_secs(12 * 3600);

/// Services that results of asynchronous invocations can be delivered to, by their names in ARNs.
const DELIVERABLE: &[&str] = &["lambda", "sqs", "sns", "events", "s3"];

/// What is made before the process has a thread: the store's files, the launcher, and the server's confinement.
pub struct Prepared {
    config: Config,
    store: Store,
    catalogue: Catalogue,
    launcher: sandbox::Launcher,
    code_dir: PathBuf,
    /// Directories that are nobody's but Hearth's.
    own: Vec<PathBuf>,
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
        let own = [claim.directory(), &config.cache_dir].map(|own| own.canonicalize()).into_iter();
        let own = own.collect::<Result<_, _>>().context("find the data and cache directories")?;
        let launcher = sandbox::Launcher::spawn(sandbox::Options {
            roots: [vec![code_dir.clone()], config.hot_reload.clone()].concat(),
            storage: Some(claim.directory().to_owned()),
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
        Ok(Self { config, store: claim.open()?, catalogue, launcher, code_dir, own, confinement })
    }
}

/// A running server.
pub struct Server {
    facts: Facts,
    store: Store,
    deliveries: Deliveries,
    metrics: Metrics,
    engine: Engine,
    sandboxes: Sandboxes,
    logs: Logs,
    sqs: Sqs,
    triggers: Triggers,
    stop: watch::Sender<bool>,
    gateway: JoinHandle<()>,
    terminate: Signal,
    interrupt: Signal,
}

impl Server {
    /// Starts everything; when it returns, requests are answered.
    pub async fn start(prepared: Prepared, listener: TcpListener) -> anyhow::Result<Self> {
        let Prepared { config, store, catalogue, launcher, code_dir, own, confinement } = prepared;
        let time = time::start(config.time, &store)?;
        // Stamps of records go by the server's time, which may be virtual. What is signed goes by the machine's clock,
        // as the SDKs that sign and the functions that hold credentials do.
        let clock: Arc<dyn Clock> = Arc::new(time.clone());
        let machine_clock: Arc<dyn Clock> = Arc::new(SystemClock);
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

        let iam = match config.auth {
            Auth::Open => Iam::new(store.clone(), Arc::clone(&clock)),
            Auth::Required(_) => Iam::enforcing(store.clone(), Arc::clone(&clock)),
        };
        let (lines, received) = mpsc::channel(LOG_LINES_QUEUED_MAX);
        let logs = Logs::start(store.clone(), time.clone(), config.log_storage_bytes, received);
        let sqs = Sqs::start(sqs::Options {
            store: store.clone(),
            time: time.clone(),
            base_url: Arc::clone(&base_url),
            identify: identify_for_sqs(&iam, config.auth != Auth::Open),
            evaluates_identity: config.auth != Auth::Open,
        })?;
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
        let metrics = Metrics::start(store.clone(), time.clone());
        let engine = Engine::start(engine::Options {
            endpoint_url: format!("http://127.0.0.1:{}", config.listen.port()),
            limits: engine::Limits {
                concurrency: config.concurrency,
                idle_age: config.idle_age,
                idle_memory_mib: config.idle_memory_mib,
                ..engine::Limits::default()
            },
            clock: Arc::clone(&clock),
            observer: Some(lambda::measures::observer(metrics.clone())),
            ..engine::Options::new(Arc::new(isolation), lines, credentials(&iam))
        });
        let deliveries = Deliveries::new(store.clone(), time.clone());
        let code_links = CodeLinks::new(*store.server_secret());
        // Each of the two needs the other: buckets notify functions, functions have their code in buckets.
        let s3_cell = Arc::new(OnceLock::new());
        let role_cell = Arc::new(OnceLock::new());
        let lambda = Lambda::start(lambda::Options {
            store: store.clone(),
            engine: engine.clone(),
            packages,
            metrics: metrics.clone(),
            deliveries: deliveries.clone(),
            check_role: check_role(&iam, config.roles),
            role_may: targets::roles::once_known(Arc::clone(&role_cell)),
            read_object: targets::buckets::read_object(Arc::clone(&s3_cell)),
            identify: identify(&iam, config.auth != Auth::Open),
            evaluates_identity: config.auth != Auth::Open,
            runtime_version: runtime_version(&catalogue),
            deliverable: Box::new(|service| DELIVERABLE.contains(&service)),
            event_source: targets::event_source(&sqs),
            signing_profiles: config.signing_profiles.clone(),
            accepts_vpc: config.vpc == VpcPolicy::Accept,
            code_links: code_links.clone(),
            hot_reload: HotReload { roots: config.hot_reload.clone(), own },
            concurrency: config.concurrency,
            rate_limits: config.rate_limits,
            clock: Arc::clone(&clock),
        })
        .await?;

        let role_may = targets::roles::role_may(&iam, &lambda, &sqs, config.auth != Auth::Open);
        let _ = role_cell.set(Arc::clone(&role_may));
        let queues = Queues { sqs: sqs.clone(), iam: iam.clone(), role_may: Arc::clone(&role_may) };
        let targets = Targets {
            metrics: metrics.clone(),
            lambda: lambda.clone(),
            queues: queues.clone(),
            role_may: Arc::clone(&role_may),
            concurrency: config.concurrency,
        };
        targets::register(&deliveries, targets);
        let sns = Sns::start(sns::Options {
            store: store.clone(),
            time: time.clone(),
            base_url: Arc::clone(&base_url),
            deliveries: deliveries.clone(),
            to_queue: targets::topics::to_queue(queue_handler(&queues)),
            may_invoke: targets::topics::may_invoke(&lambda),
        });
        targets::topics::register(&deliveries, &sns, &role_may);
        let events = Events::start(store.clone(), time.clone(), deliveries.clone())?;
        targets::buses::register(&deliveries, &events, &role_may);
        let s3 = S3::start(s3::Options {
            store: store.clone(),
            time: time.clone(),
            base_url: Arc::clone(&base_url),
            deliveries: deliveries.clone(),
            destinations: targets::buckets::destinations(&lambda, &sqs, &sns),
            identify: identify_for_s3(&iam, config.auth != Auth::Open),
        })
        .context("make the directory of objects")?;
        let _ = s3_cell.set(s3.clone());
        targets::buckets::register(&deliveries, &s3, &role_may);
        let scheduler = Scheduler::start(
            store.clone(),
            time.clone(),
            deliveries.clone(),
            scheduler_may_assume(&iam, config.roles),
        )?;
        let called = [
            ("lambda", lambda::service(lambda.clone())),
            ("iam", iam::service(iam.clone())),
            ("cloudwatchlogs", logs::service(logs.clone()).guarded(Guard::logs(&iam).closure())),
            ("sqs", sqs::service(sqs.clone()).guarded(Guard::sqs(&iam).closure())),
            ("sns", sns::service(sns.clone()).guarded(Guard::sns(&iam, &sns).closure())),
            ("eventbridge", events::service(events.clone()).guarded(Guard::events(&iam, &events).closure())),
            ("scheduler", scheduler::service(scheduler.clone()).guarded(Guard::scheduler(&iam).closure())),
        ];
        Operations::new(called, Arc::clone(&base_url), &iam).register(&deliveries);
        deliveries.start().await?;
        let triggers = Triggers::start(triggers::Options {
            lambda: lambda.clone(),
            sqs: sqs.clone(),
            time: time.clone(),
            role_may,
        });
        let reset = Arc::new(Reset {
            store: store.clone(),
            deliveries: deliveries.clone(),
            metrics: metrics.clone(),
            engine: engine.clone(),
            lambda: lambda.clone(),
            logs: logs.clone(),
            sqs: sqs.clone(),
            events: events.clone(),
            scheduler: scheduler.clone(),
            s3: s3.clone(),
            demands_signatures: config.auth != Auth::Open,
        });
        let measured = Arc::new(Measured {
            metrics: metrics.clone(),
            time: time.clone(),
            demands_signatures: config.auth != Auth::Open,
        });
        let hand = Arc::new(time::Hand {
            time: time.clone(),
            store: store.clone(),
            demands_signatures: config.auth != Auth::Open,
        });
        let (url_lambda, url_address) = (lambda.clone(), Arc::new(lambda::urls::Address::of(&base_url)));
        let (code_store, code_clock) = (store.clone(), Arc::clone(&clock));
        let gateway = Gateway::builder()
            .service(lambda::service(lambda))
            .service(iam::service(iam.clone()))
            .service(sts::service(Sts::new(iam.clone(), Arc::clone(&machine_clock))))
            .service(logs::service(logs.clone()).guarded(Guard::logs(&iam).closure()))
            .service(sqs::service(sqs.clone()).guarded(Guard::sqs(&iam).closure()))
            .service(sns::service(sns.clone()).guarded(Guard::sns(&iam, &sns).closure()))
            .service(events::service(events.clone()).guarded(Guard::events(&iam, &events).closure()))
            .service(scheduler::service(scheduler).guarded(Guard::scheduler(&iam).closure()))
            .streamed("s3", move |request| {
                let s3 = s3.clone();
                async move { s3.answer(request).await }
            })
            .authenticator(Keyring::new(&config.auth, iam, machine_clock))
            .hostname(&config.hostname)
            .base_url(Arc::clone(&base_url))
            .body_limit("CreateFunction", domain::limits::CODE_REQUEST_BYTES)
            .body_limit("UpdateFunctionCode", domain::limits::CODE_REQUEST_BYTES)
            .body_limit("PublishLayerVersion", domain::limits::CODE_REQUEST_BYTES)
            .drain_deadline(DRAIN)
            .site("urls", "lambda", domain::limits::SYNC_PAYLOAD_BYTES, lambda::urls::claims, move |visit| {
                lambda::urls::serve(url_lambda.clone(), Arc::clone(&url_address), visit)
            })
            .route("/_hearth/sns", move |request| routes::sns(sns.clone(), request))
            .route("/_hearth/health", routes::health)
            .route("/_hearth/reset", move |request| routes::reset(Arc::clone(&reset), request))
            .route("/_hearth/metrics", move |request| {
                let measured = Arc::clone(&measured);
                async move { measured::route(&measured, request).await }
            })
            .route("/_hearth/time", move |request| time::route(Arc::clone(&hand), request))
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
        Ok(Self {
            facts,
            store,
            deliveries,
            metrics,
            engine,
            sandboxes,
            logs,
            sqs,
            triggers,
            stop,
            gateway,
            terminate,
            interrupt,
        })
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
            self.triggers.fetch_no_more();
            // Receivers that wait for messages would wait on.
            self.sqs.stop();
            let _ = self.gateway.await;
            self.triggers.stop(DRAIN).await;
            self.deliveries.stop(DRAIN).await;
            self.engine.shutdown(DRAIN).await;
            self.sandboxes.shutdown().await;
            self.sqs.drain().await;
            if let Err(error) = self.metrics.flush().await {
                tracing::error!(%error, "the last metrics are lost");
            }
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

fn queue_handler(queues: &Queues) -> targets::topics::QueueHandler {
    let queues = queues.clone();
    Arc::new(move |parcel| {
        let queues = queues.clone();
        Box::pin(async move { queues.put(parcel).await })
    })
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
        let function = version.scope.arn("lambda", format_args!("function:{}", version.name));
        iam.mint_for_function(&version.role, &function, SystemClock.now().plus(CREDENTIALS_VALID))
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
        if may_assume(&iam, policy, arn, "lambda.amazonaws.com") {
            return Ok(());
        }
        Err(CANNOT_BE_ASSUMED.to_owned())
    })
}

/// Whether a role trusts Scheduler.
fn scheduler_may_assume(iam: &Iam, policy: RolePolicy) -> scheduler::MayAssume {
    let iam = iam.clone();
    Box::new(move |arn: &str| may_assume(&iam, policy, arn, "scheduler.amazonaws.com"))
}

/// Whether a service may assume a role, as far as the server minds; where it may not, the log says so.
fn may_assume(iam: &Iam, policy: RolePolicy, role: &str, service: &str) -> bool {
    let may = policy == RolePolicy::Any || iam.assumable_by_service(role, service);
    if !may {
        tracing::warn!(role, "refused: no such role, or it does not trust {service} (see --roles)");
    }
    may
}

/// Who a caller is to policies. Its own count only where callers prove who they are.
fn identify(iam: &Iam, evaluates_identity: bool) -> lambda::Identify {
    let iam = iam.clone();
    Box::new(move |principal| {
        let caller = iam.caller(principal)?;
        Ok(lambda::Identity {
            policies: evaluates_identity.then(|| iam.identity_policies(principal)).transpose()?,
            keys: iam.condition_keys(principal, &caller),
            caller,
        })
    })
}

/// The same, for queues.
fn identify_for_sqs(iam: &Iam, evaluates_identity: bool) -> sqs::Identify {
    let iam = iam.clone();
    Box::new(move |principal| {
        let caller = iam.caller(principal)?;
        Ok(sqs::Identity {
            policies: evaluates_identity.then(|| iam.identity_policies(principal)).transpose()?,
            keys: iam.condition_keys(principal, &caller),
            caller,
        })
    })
}

/// The same, for buckets.
fn identify_for_s3(iam: &Iam, evaluates_identity: bool) -> s3::Identify {
    let iam = iam.clone();
    Box::new(move |principal| {
        let caller = iam.caller(principal)?;
        Ok(s3::Identity {
            policies: evaluates_identity.then(|| iam.identity_policies(principal)).transpose()?,
            keys: iam.condition_keys(principal, &caller),
            caller,
        })
    })
}

fn runtime_version(catalogue: &Arc<Catalogue>) -> lambda::RuntimeVersion {
    let catalogue = Arc::clone(catalogue);
    Box::new(move |runtime: Runtime| match catalogue.serve(runtime) {
        Ok(serving) => Ok(serving.version_label()),
        Err(unavailable) => Err(unavailable.to_string()),
    })
}
