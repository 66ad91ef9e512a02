//! Every operation of layers through its handler, on a store in memory.

mod access;
mod functions;
mod versions;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use domain::{Account, Clock, Credentials, Principal, Region, Scope, Timestamp};
use engine::Engine;
use engine::isolation::fake::Fake;
use engine::package::Packages;
use store::{Location, Store};
use tempfile::TempDir;
use tokio::sync::mpsc;
use wire::{Context, Error};

use super::record::LAYER_VERSIONS;
use super::*;
use crate::functions::{create, get_configuration, update_code, update_configuration};
use crate::record::FUNCTIONS;
use crate::{CodeLinks, Lambda, Options, shapes};

/// A clock that moves a second at every look.
#[derive(Default)]
struct Ticks(AtomicI64);

impl Clock for Ticks {
    fn now(&self) -> Timestamp {
        Timestamp(1_800_000_000_000 + 1_000 * self.0.fetch_add(1, Ordering::SeqCst))
    }
}

struct World {
    store: Store,
    code: TempDir,
    lambda: Lambda,
}

impl World {
    async fn new() -> Self {
        let store = Store::open(&store::Options { location: Location::Ephemeral }).unwrap();
        let code = tempfile::tempdir().unwrap();
        let lambda = start(&store, &code).await;
        Self { store, code, lambda }
    }

    /// The same store under a new server.
    async fn restarted(self) -> Self {
        let lambda = start(&self.store, &self.code).await;
        Self { lambda, ..self }
    }

    async fn publish(&self, name: &str, content: &str) -> shapes::PublishLayerVersionResponse {
        publish(self.lambda.clone(), cx(), publishing(name, zip(content.len(), content))).await.unwrap()
    }

    /// Waits until the function is settled, and gives it.
    async fn settled(&self, name: &str) -> shapes::FunctionConfiguration {
        let mut changes = self.store.watch(&FUNCTIONS);
        loop {
            let input = shapes::GetFunctionConfigurationRequest {
                function_name: name.to_owned(),
                ..Default::default()
            };
            let found = get_configuration(self.lambda.clone(), cx(), input).await.unwrap();
            if found.last_update_status == Some(shapes::LastUpdateStatus::Successful) {
                return found;
            }
            tokio::time::timeout(Duration::from_secs(10), changes.changed()).await.unwrap().unwrap();
        }
    }

    async fn create(&self, name: &str, layers: &[&str]) -> Result<shapes::FunctionConfiguration, Error> {
        self.create_by(cx(), name, layers).await
    }

    async fn create_by(
        &self,
        cx: Context,
        name: &str,
        layers: &[&str],
    ) -> Result<shapes::FunctionConfiguration, Error> {
        let input = shapes::CreateFunctionRequest {
            function_name: name.to_owned(),
            runtime: Some("provided.al2023".to_owned()),
            role: "arn:aws:iam::000000000000:role/r".to_owned(),
            handler: Some("index.handler".to_owned()),
            code: shapes::FunctionCode { zip_file: Some(zip(4, "code")), ..Default::default() },
            layers: Some(layers.iter().map(|arn| (*arn).to_owned()).collect()),
            ..Default::default()
        };
        create(self.lambda.clone(), cx, input).await
    }

    async fn delete(&self, name: &str, version: i64) -> Result<wire::Unit, Error> {
        let input =
            shapes::DeleteLayerVersionRequest { layer_name: name.to_owned(), version_number: version };
        delete(self.lambda.clone(), cx(), input).await
    }

    async fn get_by(
        &self,
        cx: Context,
        name: &str,
        version: i64,
    ) -> Result<shapes::GetLayerVersionResponse, Error> {
        let input = shapes::GetLayerVersionRequest { layer_name: name.to_owned(), version_number: version };
        get(self.lambda.clone(), cx, input).await
    }

    async fn allow(&self, id: &str, principal: &str) -> Result<String, Error> {
        let input = shapes::AddLayerVersionPermissionRequest {
            layer_name: "l".to_owned(),
            version_number: 1,
            statement_id: id.to_owned(),
            action: "lambda:GetLayerVersion".to_owned(),
            principal: principal.to_owned(),
            ..Default::default()
        };
        let added = add_permission(self.lambda.clone(), cx(), input).await?;
        Ok(added.revision_id.unwrap())
    }

    async fn disallow(&self, id: &str, revision_id: Option<&str>) -> Result<wire::Unit, Error> {
        let input = shapes::RemoveLayerVersionPermissionRequest {
            layer_name: "l".to_owned(),
            version_number: 1,
            statement_id: id.to_owned(),
            revision_id: revision_id.map(str::to_owned),
        };
        remove_permission(self.lambda.clone(), cx(), input).await
    }

    async fn policy(&self) -> Result<(String, String), Error> {
        let input = shapes::GetLayerVersionPolicyRequest { layer_name: "l".to_owned(), version_number: 1 };
        let found = get_policy(self.lambda.clone(), cx(), input).await?;
        Ok((found.policy.unwrap(), found.revision_id.unwrap()))
    }

    async fn versions(&self, input: shapes::ListLayerVersionsRequest) -> (Vec<i64>, Option<String>) {
        let page = list_versions(self.lambda.clone(), cx(), input).await.unwrap();
        let numbers = page.layer_versions.unwrap().into_iter().map(|version| version.version.unwrap());
        (numbers.collect(), page.next_marker)
    }

    async fn layers(&self, input: shapes::ListLayersRequest) -> (Vec<(String, i64)>, Option<String>) {
        let page = list(self.lambda.clone(), cx(), input).await.unwrap();
        let newest = |layer: shapes::LayersListItem| {
            (layer.layer_name.unwrap(), layer.latest_matching_version.unwrap().version.unwrap())
        };
        (page.layers.unwrap().into_iter().map(newest).collect(), page.next_marker)
    }
}

async fn start(store: &Store, code: &TempDir) -> Lambda {
    let packages = Packages::new(code.path(), store.blobs().clone()).unwrap();
    let credentials = |_: &domain::FunctionVersion| Credentials {
        access_key_id: "ASIA".to_owned(),
        secret_access_key: "secret".to_owned(),
        session_token: "token".to_owned(),
        expiration: Timestamp(i64::MAX),
    };
    let (lines, _) = mpsc::channel(1);
    let options = Options {
        read_object: crate::tests::no_objects(),
        identify: crate::tests::everyone_is_root(),
        evaluates_identity: false,
        store: store.clone(),
        engine: Engine::start(engine::Options::new(Arc::new(Fake::echo()), lines, Arc::new(credentials))),
        packages,
        metrics: metrics::Metrics::start(store.clone(), clock::Time::system()),
        deliveries: deliveries::Deliveries::new(store.clone(), clock::Time::system()),
        check_role: Box::new(|_, _| Ok(())),
        role_may: Box::new(|_, _, _, _| true),
        runtime_version: Box::new(|_| Ok("provided".to_owned())),
        deliverable: Box::new(|_| false),
        event_source: Box::new(|_, _| Err(crate::EventSourceError::NotSupported)),
        signing_profiles: Default::default(),
        accepts_vpc: false,
        code_links: CodeLinks::new([7; 32]),
        hot_reload: crate::HotReload::default(),
        concurrency: 10,
        rate_limits: crate::RateLimits::default(),
        clock: Arc::new(Ticks::default()),
    };
    Lambda::start(options).await.unwrap()
}

fn cx() -> Context {
    cx_of("000000000000")
}

fn cx_of(account: &str) -> Context {
    let account = Account::parse(account).unwrap();
    Context {
        request_id: uuid::Uuid::nil(),
        scope: Scope { account: account.clone(), ..Scope::default() },
        principal: Principal::Root(account),
        access_key_id: None,
        base_url: "http://localhost:4566".into(),
        headers: http::HeaderMap::new(),
        source_ip: std::net::Ipv4Addr::LOCALHOST.into(),
    }
}

fn in_region(region: &str) -> Context {
    let cx = cx();
    Context { scope: Scope { region: Region::parse(region).unwrap(), ..cx.scope }, ..cx }
}

/// A zip of one file of this size, most of it zeros.
fn zip(bytes: usize, start: &str) -> Bytes {
    use std::io::Write as _;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("file", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(start.as_bytes()).unwrap();
    zip.write_all(&vec![0; bytes - start.len()]).unwrap();
    zip.finish().unwrap().into_inner().into()
}

fn publishing(name: &str, zip: Bytes) -> shapes::PublishLayerVersionRequest {
    shapes::PublishLayerVersionRequest {
        layer_name: name.to_owned(),
        content: shapes::LayerVersionContentInput { zip_file: Some(zip), ..Default::default() },
        ..Default::default()
    }
}

fn arn(name: &str, version: u64) -> String {
    format!("arn:aws:lambda:us-east-1:000000000000:layer:{name}:{version}")
}

#[track_caller]
fn check_error<T: std::fmt::Debug>(result: Result<T, Error>, expected: &str) {
    assert_eq!(result.unwrap_err().to_string(), expected);
}
