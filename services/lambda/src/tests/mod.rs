//! The service as its callers see it: handlers called as the gateway calls them, on a store of their own, with a runtime
//! inside the test's own process.

mod conflicts;
mod mappings;
mod restarts;
mod storage;
mod transitions;
mod versions;

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use bytes::Bytes;
use clock::Time;
use deliveries::Deliveries;
use domain::{CodeRef, Credentials, FunctionName, FunctionVersion, Principal, Scope, SystemClock, Timestamp};
use engine::Engine;
use engine::isolation::fake::Fake;
use engine::package::{Packages, Source};
use store::{BlobId, Blobs, Location, Store};
use tokio::sync::mpsc;
use uuid::Uuid;
use wire::{Context, Error};

use crate::record::{FUNCTIONS, FunctionRecord};
use crate::shapes::{
    CreateFunctionRequest, DeleteFunctionRequest, Environment, FunctionConfiguration,
    GetFunctionConfigurationRequest, InvocationRequest, TagResourceRequest, UpdateFunctionCodeRequest,
    UpdateFunctionConfigurationRequest,
};
use crate::{CodeLinks, EventSourceError, Identity, Lambda, Options, QueueFacts, functions, invoke, tags};

/// The role that exists.
const ROLE: &str = "arn:aws:iam::000000000000:role/lambda";
/// What the runtime answers with.
const STAGE: &str = "STAGE";

/// Holds back what puts a change into effect, or makes it fail.
#[derive(Default)]
pub struct Gate {
    state: Mutex<Passage>,
    changed: Condvar,
}

#[derive(Clone, Copy, Default, PartialEq)]
pub enum Passage {
    #[default]
    Open,
    Shut,
    Broken,
}

impl Gate {
    pub fn set(&self, passage: Passage) {
        *self.state.lock().unwrap() = passage;
        self.changed.notify_all();
    }

    fn read(&self, blobs: &Blobs, code: &CodeRef) -> io::Result<Bytes> {
        let mut state = self.state.lock().unwrap();
        while *state == Passage::Shut {
            state = self.changed.wait(state).unwrap();
        }
        if *state == Passage::Broken {
            return Err(io::Error::other("the disk is on strike"));
        }
        let id: BlobId = code.0.parse().map_err(io::Error::other)?;
        std::fs::read(blobs.path(&id)).map(Bytes::from)
    }
}

/// One server's life.
pub struct Server {
    pub lambda: Lambda,
    pub store: Store,
    pub gate: Arc<Gate>,
    /// Unpacked packages; gone with the server.
    _code: tempfile::TempDir,
}

impl Drop for Server {
    /// Threads that unpack would otherwise hold up the end of the test.
    fn drop(&mut self) {
        self.gate.set(Passage::Broken);
    }
}

impl Server {
    pub async fn start() -> Self {
        let store = Store::open(&store::Options { location: Location::Ephemeral }).unwrap();
        Self::start_on(store, Passage::Open).await
    }

    /// A server on what another one has stored, and has not unpacked.
    pub async fn start_on(store: Store, passage: Passage) -> Self {
        let gate = Arc::new(Gate::default());
        gate.set(passage);
        let code = tempfile::tempdir().unwrap();
        let (source_gate, blobs) = (Arc::clone(&gate), store.blobs().clone());
        let source = Source::from(Arc::new(move |code: &CodeRef| source_gate.read(&blobs, code)));
        let packages = Packages::new(code.path(), source).unwrap();
        let (lines, received) = mpsc::channel(1);
        // Nobody reads what functions log.
        drop(received);
        let credentials = Arc::new(|_: &FunctionVersion| Credentials {
            access_key_id: "ASIAEXAMPLE".into(),
            secret_access_key: "secret".into(),
            session_token: "token".into(),
            expiration: Timestamp(0),
        });
        let lambda = Lambda::start(Options {
            store: store.clone(),
            engine: Engine::start(engine::Options::new(Arc::new(tells_its_stage()), lines, credentials)),
            packages,
            metrics: metrics::Metrics::start(store.clone(), Time::system()),
            deliveries: Deliveries::new(store.clone(), Time::system()),
            check_role: Box::new(|_, role| if role == ROLE { Ok(()) } else { Err("No such role.".into()) }),
            role_may: Box::new(|_, _, _, _| true),
            read_object: no_objects(),
            identify: everyone_is_root(),
            evaluates_identity: false,
            runtime_version: Box::new(|runtime| Ok(format!("{}:test", runtime.id()))),
            deliverable: Box::new(|service| service != "events"),
            event_source: Box::new(|_, arn| match arn.rsplit(':').next() {
                Some("gone") => Err(EventSourceError::NotFound),
                _ => Ok(QueueFacts { visibility_timeout_seconds: 30 }),
            }),
            signing_profiles: Default::default(),
            accepts_vpc: true,
            code_links: CodeLinks::new([7; 32]),
            hot_reload: crate::HotReload::default(),
            concurrency: 10,
            rate_limits: crate::RateLimits::default(),
            clock: Arc::new(SystemClock),
        });
        Self { lambda: lambda.await.unwrap(), store, gate, _code: code }
    }

    pub async fn create(&self, name: &str, stage: &str) -> Result<FunctionConfiguration, Error> {
        let input = create_request(name, stage);
        functions::create(self.lambda.clone(), cx(), input).await
    }

    /// A function that is active.
    pub async fn function(&self, name: &str, stage: &str) -> FunctionRecord {
        self.create(name, stage).await.unwrap();
        self.until(name, |record| !record.is_in_transition()).await
    }

    /// Changes the environment.
    pub async fn configure(&self, name: &str, stage: &str) -> Result<FunctionConfiguration, Error> {
        let input = UpdateFunctionConfigurationRequest {
            function_name: name.into(),
            environment: Some(variables(stage)),
            ..Default::default()
        };
        self.update(input).await
    }

    pub async fn update(
        &self,
        input: UpdateFunctionConfigurationRequest,
    ) -> Result<FunctionConfiguration, Error> {
        functions::update_configuration(self.lambda.clone(), cx(), input).await
    }

    /// Changes the package.
    pub async fn upload(&self, name: &str, content: &str) -> Result<FunctionConfiguration, Error> {
        let input = UpdateFunctionCodeRequest {
            function_name: name.into(),
            zip_file: Some(zip(content)),
            ..Default::default()
        };
        functions::update_code(self.lambda.clone(), cx(), input).await
    }

    pub async fn delete(&self, name: &str) -> Result<(), Error> {
        let input = DeleteFunctionRequest { function_name: name.into(), ..Default::default() };
        functions::delete(self.lambda.clone(), cx(), input).await.map(drop)
    }

    pub async fn tag(&self, name: &str, key: &str) -> Result<(), Error> {
        let resource = Scope::default().arn("lambda", format_args!("function:{name}"));
        let input = TagResourceRequest { resource, tags: BTreeMap::from([(key.into(), "x".into())]) };
        tags::tag(self.lambda.clone(), cx(), input).await.map(drop)
    }

    pub async fn configuration(&self, name: &str) -> Result<FunctionConfiguration, Error> {
        let input = GetFunctionConfigurationRequest { function_name: name.into(), ..Default::default() };
        functions::get_configuration(self.lambda.clone(), cx(), input).await
    }

    /// The stage of the revision that ran.
    pub async fn invoke(&self, name: &str) -> Result<String, Error> {
        let input = InvocationRequest { function_name: name.into(), ..Default::default() };
        let answer = invoke::invoke(self.lambda.clone(), cx(), input).await?;
        Ok(String::from_utf8(answer.payload.unwrap().to_vec()).unwrap())
    }

    pub fn stored(&self, name: &str) -> Option<FunctionRecord> {
        let key = (Scope::default(), FunctionName::parse(name).unwrap());
        self.store.read(|snapshot| snapshot.get(&FUNCTIONS, key)).unwrap()
    }

    /// Waits until what is stored of a function is so.
    pub async fn until(&self, name: &str, is_so: impl Fn(&FunctionRecord) -> bool) -> FunctionRecord {
        let mut bell = self.store.watch(&FUNCTIONS);
        let reached = async {
            loop {
                if let Some(record) = self.stored(name).filter(|record| is_so(record)) {
                    return record;
                }
                bell.changed().await.unwrap();
            }
        };
        let reached = tokio::time::timeout(Duration::from_secs(60), reached).await;
        reached.unwrap_or_else(|_| panic!("{name} stays {:?}", self.stored(name)))
    }

    /// Waits until invocations see what is stored: that happens a moment after it was committed.
    pub async fn until_invoked(&self, name: &str, stage: &str) {
        let reached = async {
            while self.invoke(name).await.ok().as_deref() != Some(stage) {
                tokio::task::yield_now().await;
            }
        };
        let reached = tokio::time::timeout(Duration::from_secs(60), reached).await;
        assert!(reached.is_ok(), "{name} answers {:?} and not {stage}", self.invoke(name).await);
    }
}

/// No code lies in S3.
pub(crate) fn no_objects() -> crate::ReadObject {
    Box::new(|_, object| {
        let (code, message) = ("NoSuchBucket".to_owned(), format!("no {}", object.bucket));
        Box::pin(async move { Err(crate::CodeObjectError { code, message }) })
    })
}

/// Whoever it is holds the account.
pub fn everyone_is_root() -> crate::Identify {
    Box::new(|principal| {
        Ok(Identity {
            caller: policy::Caller::Root { account: principal.account().as_str().to_owned() },
            policies: None,
            keys: policy::Context::new(),
        })
    })
}

/// A runtime that answers with a variable of the function's.
fn tells_its_stage() -> Fake {
    Fake::new(|inside| async move {
        let stage = inside.variables.get(STAGE).cloned().unwrap_or_default();
        let mut api = inside.connect().await;
        loop {
            let event = api.next().await;
            api.respond(&event.request_id, stage.as_bytes()).await;
        }
    })
}

pub fn create_request(name: &str, stage: &str) -> CreateFunctionRequest {
    CreateFunctionRequest {
        function_name: name.into(),
        runtime: Some("python3.12".into()),
        handler: Some("lambda_function.handler".into()),
        role: ROLE.into(),
        code: crate::shapes::FunctionCode { zip_file: Some(zip(stage)), ..Default::default() },
        environment: Some(variables(stage)),
        ..Default::default()
    }
}

fn variables(stage: &str) -> Environment {
    Environment { variables: Some(BTreeMap::from([(STAGE.into(), stage.into())])) }
}

/// A package with something of its own in it.
pub fn zip(content: &str) -> Bytes {
    let mut zip = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
    zip.start_file("lambda_function.py", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(content.as_bytes()).unwrap();
    zip.finish().unwrap().into_inner().into()
}

pub fn cx() -> Context {
    Context {
        request_id: Uuid::new_v4(),
        scope: Scope::default(),
        principal: Principal::Root(Scope::default().account),
        access_key_id: None,
        base_url: "http://localhost:4566".into(),
        headers: http::HeaderMap::new(),
        source_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
    }
}

/// `Code: message`
pub fn refusal<T: std::fmt::Debug>(outcome: Result<T, Error>) -> String {
    let error = outcome.unwrap_err();
    format!("{}: {}", error.code, error.message)
}
