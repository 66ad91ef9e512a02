//! Every operation of layers through its handler, on a store in memory.

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

#[tokio::test]
async fn a_version_is_shown_as_it_was_published() {
    let world = World::new().await;
    let input = shapes::PublishLayerVersionRequest {
        description: Some("about".to_owned()),
        license_info: Some("MIT".to_owned()),
        compatible_runtimes: Some(vec!["python3.12".to_owned(), "python2.7".to_owned()]),
        compatible_architectures: Some(vec![shapes::Architecture::Arm64]),
        ..publishing("l", zip(7, "content"))
    };
    let published = publish(world.lambda.clone(), cx(), input).await.unwrap();
    let found = world.get_by(cx(), "l", 1).await.unwrap();
    assert_eq!(published.layer_arn.as_deref(), Some("arn:aws:lambda:us-east-1:000000000000:layer:l"));
    assert_eq!(published.layer_version_arn, Some(arn("l", 1)));
    assert_eq!((published.version, found.version), (Some(1), Some(1)));
    assert_eq!(found.description.as_deref(), Some("about"));
    assert_eq!(found.license_info.as_deref(), Some("MIT"));
    assert_eq!(found.compatible_runtimes, published.compatible_runtimes);
    assert_eq!(found.compatible_architectures, Some(vec![shapes::Architecture::Arm64]));
    assert_eq!(found.created_date, published.created_date);
    assert!(found.created_date.unwrap().starts_with("2027-01-15T08:00:0"));
    let (before, after) = (published.content.unwrap(), found.content.unwrap());
    assert_eq!((before.code_sha256, before.code_size), (after.code_sha256, after.code_size));
    assert!(after.location.unwrap().starts_with("http://localhost:4566/_hearth/code/"));
}

#[tokio::test]
async fn a_layer_is_named_by_its_arn_too() {
    let world = World::new().await;
    world.publish("arn:aws:lambda:us-east-1:000000000000:layer:l", "one").await;
    let found = world.get_by(cx(), "arn:aws:lambda:us-east-1:000000000000:layer:l", 1).await.unwrap();
    assert_eq!(found.layer_version_arn, Some(arn("l", 1)));
    let input = shapes::GetLayerVersionByArnRequest { arn: arn("l", 1) };
    assert_eq!(get_by_arn(world.lambda.clone(), cx(), input).await.unwrap().version, Some(1));
}

#[tokio::test]
async fn a_number_is_never_used_again() {
    let world = World::new().await;
    world.publish("l", "one").await;
    world.delete("l", 1).await.unwrap();
    world.delete("l", 1).await.unwrap();
    assert_eq!(world.publish("l", "one").await.version, Some(2));
    check_error(
        world.get_by(cx(), "l", 1).await,
        "ResourceNotFoundException: The resource you requested does not exist.",
    );
}

#[tokio::test]
async fn numbers_below_one_are_refused() {
    let world = World::new().await;
    let refused = "InvalidParameterValueException: Layer Version Cannot be less than 1";
    for number in [0, -1, i64::MIN] {
        check_error(world.get_by(cx(), "l", number).await, refused);
        check_error(world.delete("l", number).await, refused);
    }
    check_error(world.create("f", &[&arn("l", 0)]).await, refused);
}

#[tokio::test]
async fn what_cannot_be_published_is_refused() {
    let world = World::new().await;
    let refused = |input| publish(world.lambda.clone(), cx(), input);
    check_error(
        refused(publishing("l", Bytes::new())).await,
        "InvalidParameterValueException: Uploaded file must be a non-empty zip",
    );
    check_error(
        refused(publishing("l", Bytes::from_static(b"no zip"))).await,
        "InvalidParameterValueException: Could not unzip uploaded file. Please check your file, then try to upload \
         again.",
    );
    let from_s3 = shapes::LayerVersionContentInput { s3_bucket: Some("b".to_owned()), ..Default::default() };
    let error =
        refused(shapes::PublishLayerVersionRequest { content: from_s3, ..publishing("l", Bytes::new()) })
            .await
            .unwrap_err();
    assert!(error.message.contains("S3Bucket and S3Key, both"), "{}", error.message);
    let error = refused(shapes::PublishLayerVersionRequest {
        compatible_runtimes: Some(vec!["python3.12".to_owned(), "cobol".to_owned()]),
        ..publishing("l", zip(1, "x"))
    })
    .await
    .unwrap_err();
    assert!(
        error.message.starts_with(
            "1 validation error detected: Value '[python3.12, cobol]' at 'compatibleRuntimes' failed to satisfy \
             constraint: Member must satisfy enum value set: [nodejs, "
        ),
        "{}",
        error.message
    );
    assert_eq!(world.layers(shapes::ListLayersRequest::default()).await, (Vec::new(), None));
}

#[tokio::test]
async fn versions_are_listed_newest_first_in_pages() {
    let world = World::new().await;
    for number in 0..5 {
        world.publish("l", &format!("content {number}")).await;
    }
    world.delete("l", 3).await.unwrap();
    let page = |marker| shapes::ListLayerVersionsRequest {
        layer_name: "l".to_owned(),
        max_items: Some(2),
        marker,
        ..Default::default()
    };
    let (first, marker) = world.versions(page(None)).await;
    assert_eq!(first, [5, 4]);
    let (second, marker) = world.versions(page(Some(marker.unwrap()))).await;
    assert_eq!((second, marker), (vec![2, 1], None));
    let none = shapes::ListLayerVersionsRequest { layer_name: "none".to_owned(), ..Default::default() };
    assert_eq!(world.versions(none).await, (Vec::new(), None));
    let bad = list_versions(world.lambda.clone(), cx(), page(Some("é".to_owned()))).await;
    assert_eq!(bad.unwrap_err().code, "InvalidParameterValueException");
}

#[tokio::test]
async fn lists_show_what_says_that_it_is_compatible() {
    let world = World::new().await;
    for (name, runtimes, architectures) in [
        ("a", vec!["python3.12"], vec![shapes::Architecture::X8664]),
        ("a", vec!["nodejs20.x"], vec![shapes::Architecture::Arm64, shapes::Architecture::X8664]),
        ("b", vec![], vec![]),
    ] {
        let input = shapes::PublishLayerVersionRequest {
            compatible_runtimes: Some(runtimes.into_iter().map(str::to_owned).collect()),
            compatible_architectures: Some(architectures),
            ..publishing(name, zip(1, "x"))
        };
        publish(world.lambda.clone(), cx(), input).await.unwrap();
    }
    let of = |runtime: Option<&str>, architecture| shapes::ListLayersRequest {
        compatible_runtime: runtime.map(str::to_owned),
        compatible_architecture: architecture,
        ..Default::default()
    };
    let a = |version| (vec![("a".to_owned(), version)], None);
    assert_eq!(world.layers(of(None, None)).await.0, [("a".to_owned(), 2), ("b".to_owned(), 1)]);
    assert_eq!(world.layers(of(Some("python3.12"), None)).await, a(1));
    assert_eq!(world.layers(of(None, Some(shapes::Architecture::X8664))).await, a(2));
    assert_eq!(
        world.layers(of(Some("python3.12"), Some(shapes::Architecture::Arm64))).await,
        (Vec::new(), None)
    );
    let python = shapes::ListLayerVersionsRequest {
        layer_name: "a".to_owned(),
        compatible_runtime: Some("python3.12".to_owned()),
        ..Default::default()
    };
    assert_eq!(world.versions(python).await.0, [1]);
    let error = list(world.lambda.clone(), cx(), of(Some("cobol"), None)).await.unwrap_err();
    assert!(error.message.contains("Value 'cobol' at 'compatibleRuntime' failed"), "{}", error.message);
    let first = shapes::ListLayersRequest { max_items: Some(1), ..Default::default() };
    let (page, marker) = world.layers(first).await;
    assert_eq!(page, [("a".to_owned(), 2)]);
    let second = shapes::ListLayersRequest { marker, ..Default::default() };
    assert_eq!(world.layers(second).await, (vec![("b".to_owned(), 1)], None));
}

#[tokio::test]
async fn a_function_shows_its_layers_in_its_own_order() {
    let world = World::new().await;
    let size = world.publish("a", "a").await.content.unwrap().code_size;
    world.publish("b", "b").await;
    world.create("f", &[&arn("b", 1), &arn("a", 1)]).await.unwrap();
    let shown = world.settled("f").await.layers.unwrap();
    assert_eq!(
        shown.iter().map(|layer| layer.arn.clone().unwrap()).collect::<Vec<_>>(),
        [arn("b", 1), arn("a", 1)]
    );
    assert_eq!(shown[1].code_size, size);
}

#[tokio::test]
async fn an_update_replaces_keeps_or_clears_layers() {
    let world = World::new().await;
    world.publish("a", "a").await;
    world.create("f", &[&arn("a", 1)]).await.unwrap();
    for (sent, shown) in [(None, 1), (Some(Vec::new()), 0), (Some(vec![arn("a", 1)]), 1)] {
        world.settled("f").await;
        let input = shapes::UpdateFunctionConfigurationRequest {
            function_name: "f".to_owned(),
            layers: sent,
            ..Default::default()
        };
        let updated = update_configuration(world.lambda.clone(), cx(), input).await.unwrap();
        assert_eq!(updated.layers.map_or(0, |layers| layers.len()), shown);
    }
}

#[tokio::test]
async fn layers_that_a_function_cannot_have_are_refused() {
    let world = World::new().await;
    for name in ["a", "a", "b", "c", "d", "e"] {
        world.publish(name, "x").await;
    }
    let invalid = |message: &str| format!("InvalidParameterValueException: {message}");
    let six: Vec<String> = ["a", "b", "c", "d", "e", "g"].iter().map(|name| arn(name, 1)).collect();
    let six: Vec<&str> = six.iter().map(String::as_str).collect();
    check_error(world.create("f", &six).await, &invalid("Cannot reference more than 5 layers."));
    check_error(
        world.create("f", &[&arn("a", 1), &arn("b", 1), &arn("a", 2)]).await,
        &invalid(&format!(
            "Two different versions of the same layer are not allowed to be referenced in the same function. {} and \
             {} are versions of the same layer.",
            arn("a", 1),
            arn("a", 2)
        )),
    );
    check_error(
        world.create("f", &[&arn("a", 3)]).await,
        &invalid(&format!("Layer version {} does not exist.", arn("a", 3))),
    );
    check_error(
        world.create("f", &["arn:aws:lambda:eu-west-1:000000000000:layer:a:1"]).await,
        &invalid(
            "Layers are not in the same region as the function. Layers are expected to be in region us-east-1.",
        ),
    );
    let aws = world.create("f", &["arn:aws:lambda:::awslayer:AmazonLinux1803"]).await.unwrap_err();
    assert!(aws.message.contains("layers that AWS itself provides"), "{}", aws.message);
    let functions = world.store.read(|snapshot| snapshot.count(&FUNCTIONS, &store::Scan::all()));
    assert_eq!(functions.unwrap(), 0);
}

#[tokio::test]
async fn another_account_needs_the_policy() {
    let world = World::new().await;
    world.publish("l", "x").await;
    let layer = "arn:aws:lambda:us-east-1:000000000000:layer:l";
    let denied = |arn: &str| {
        format!(
            "AccessDeniedException: User: arn:aws:iam::111111111111:root is not authorized to perform: \
             lambda:GetLayerVersion on resource: {arn} because no resource-based policy allows the \
             lambda:GetLayerVersion action"
        )
    };
    let other = || cx_of("111111111111");
    check_error(world.create_by(other(), "f", &[&arn("l", 1)]).await, &denied(&arn("l", 1)));
    check_error(world.get_by(other(), layer, 1).await, &denied(&arn("l", 1)));
    // What is not there is not told apart.
    check_error(world.get_by(other(), layer, 2).await, &denied(&arn("l", 2)));
    world.allow("s", "111111111111").await.unwrap();
    world.create_by(other(), "f", &[&arn("l", 1)]).await.unwrap();
    assert_eq!(world.get_by(other(), layer, 1).await.unwrap().version, Some(1));
    check_error(
        world.create_by(cx_of("222222222222"), "f", &[&arn("l", 1)]).await,
        &denied(&arn("l", 1)).replace("111111111111", "222222222222"),
    );
    let deletion = shapes::DeleteLayerVersionRequest { layer_name: layer.to_owned(), version_number: 1 };
    let error = delete(world.lambda.clone(), other(), deletion).await.unwrap_err();
    assert!(error.message.contains("perform: lambda:DeleteLayerVersion on"), "{}", error.message);
}

#[tokio::test]
async fn another_region_is_another_place() {
    let world = World::new().await;
    world.publish("l", "x").await;
    check_error(
        world.get_by(in_region("eu-west-1"), "l", 1).await,
        "ResourceNotFoundException: The resource you requested does not exist.",
    );
    check_error(
        world.get_by(in_region("eu-west-1"), "arn:aws:lambda:us-east-1:000000000000:layer:l", 1).await,
        "ResourceNotFoundException: Layers from 'us-east-1' are not reachable in this region ('eu-west-1')",
    );
}

#[tokio::test]
async fn a_policy_grows_and_shrinks_under_its_revision() {
    let world = World::new().await;
    let missing = format!("ResourceNotFoundException: Layer version {} does not exist.", arn("l", 1));
    check_error(world.allow("s", "*").await, &missing);
    check_error(world.policy().await, &missing);
    world.publish("l", "x").await;
    check_error(
        world.policy().await,
        "ResourceNotFoundException: No policy is associated with the given resource.",
    );
    check_error(
        world.disallow("s", None).await,
        "ResourceNotFoundException: Statement s is not found in resource policy.",
    );
    let first = world.allow("s", "*").await.unwrap();
    check_error(
        world.allow("s", "*").await,
        "ResourceConflictException: The statement id (s) provided already exists. Please provide a new statement id, \
         or remove the existing statement.",
    );
    let second = world.allow("t", "111111111111").await.unwrap();
    assert_ne!(first, second);
    let (text, revision) = world.policy().await.unwrap();
    assert_eq!(revision, second);
    let statement = |sid: &str, principal: &str| {
        format!(
            r#"{{"Sid":"{sid}","Effect":"Allow","Principal":{principal},"Action":"lambda:GetLayerVersion","Resource":"{}"}}"#,
            arn("l", 1)
        )
    };
    let both = [statement("s", r#""*""#), statement("t", r#"{"AWS":"arn:aws:iam::111111111111:root"}"#)];
    assert_eq!(
        text,
        format!(r#"{{"Version":"2012-10-17","Id":"default","Statement":[{}]}}"#, both.join(","))
    );
    check_error(
        world.disallow("s", Some(&first)).await,
        "PreconditionFailedException: The Revision Id provided does not match the latest Revision Id. Call the \
         GetLayerPolicy API to retrieve the latest Revision Id",
    );
    world.disallow("s", Some(&second)).await.unwrap();
    world.disallow("t", None).await.unwrap();
    assert_eq!(world.policy().await.unwrap().0, r#"{"Version":"2012-10-17","Id":"default","Statement":[]}"#);
}

#[tokio::test]
async fn an_organization_goes_with_everyone_only() {
    let world = World::new().await;
    world.publish("l", "x").await;
    let input = |principal: &str| shapes::AddLayerVersionPermissionRequest {
        layer_name: "l".to_owned(),
        version_number: 1,
        statement_id: "s".to_owned(),
        action: "lambda:GetLayerVersion".to_owned(),
        principal: principal.to_owned(),
        organization_id: Some("o-abcdefghij".to_owned()),
        ..Default::default()
    };
    let error = add_permission(world.lambda.clone(), cx(), input("111111111111")).await.unwrap_err();
    assert_eq!(error.code, "InvalidParameterValueException");
    let added = add_permission(world.lambda.clone(), cx(), input("*")).await.unwrap();
    assert!(added.statement.unwrap().contains(r#""aws:PrincipalOrgID":"o-abcdefghij""#));
}

#[tokio::test]
async fn code_and_layers_share_250_mib() {
    let world = World::new().await;
    let limit = domain::limits::UNZIPPED_BYTES;
    // As large as these claim to be, a test would take long to make them.
    for (name, unpacked_size) in [("a", limit / 2), ("b", limit / 2 - 4), ("c", 5)] {
        world.publish(name, name).await;
        let resize = move |tx: &mut store::Tx<'_>| {
            let key = (Scope::default(), name.to_owned(), 1);
            let mut version = tx.get(&LAYER_VERSIONS, &key)?.unwrap();
            version.code.unpacked_size = unpacked_size;
            tx.put(&LAYER_VERSIONS, &key, &version)
        };
        world.store.write(resize).await.unwrap();
    }
    check_error(
        world.create("f", &[&arn("a", 1), &arn("b", 1), &arn("c", 1)]).await,
        "InvalidParameterValueException: Layers consume more than the available size of 262144000 bytes",
    );
    // The code is four bytes.
    world.create("f", &[&arn("a", 1), &arn("b", 1)]).await.unwrap();
    world.settled("f").await;
    for dry_run in [Some(true), None] {
        let larger = shapes::UpdateFunctionCodeRequest {
            function_name: "f".to_owned(),
            zip_file: Some(zip(5, "code")),
            dry_run,
            ..Default::default()
        };
        check_error(
            update_code(world.lambda.clone(), cx(), larger).await,
            "InvalidParameterValueException: Function code combined with layers exceeds the maximum allowed size of \
             262144000 bytes. The actual size is 262144001 bytes.",
        );
    }
}

#[tokio::test]
async fn versions_count_as_stored_code_until_they_are_deleted() {
    let world = World::new().await;
    let used = async || {
        let input = shapes::GetAccountSettingsRequest::default();
        let settings = crate::account::get_settings(world.lambda.clone(), cx(), input).await.unwrap();
        settings.account_usage.unwrap().total_code_size.unwrap()
    };
    let size = world.publish("l", "x").await.content.unwrap().code_size.unwrap();
    assert_eq!(used().await, size);
    world.publish("l", "x").await;
    assert_eq!(used().await, 2 * size);
    world.delete("l", 1).await.unwrap();
    assert_eq!(used().await, size);
}

#[tokio::test]
async fn an_archive_stays_while_a_version_or_a_function_names_it() {
    let world = World::new().await;
    for name in ["used", "unused", "kept"] {
        world.publish(name, name).await;
    }
    world.create("f", &[&arn("used", 1)]).await.unwrap();
    world.settled("f").await;
    world.delete("used", 1).await.unwrap();
    world.delete("unused", 1).await.unwrap();
    let world = world.restarted().await;
    let there = |name: &str| world.store.blobs().contains(&store::BlobId::of(&zip(name.len(), name)));
    assert!(there("used") && there("kept") && !there("unused"));
    // Both what the function has and what it would be unpacked from again.
    let unpacked = std::fs::read_dir(world.code.path()).unwrap();
    let unpacked = unpacked.filter(|entry| entry.as_ref().unwrap().path().join("file").exists());
    assert_eq!(unpacked.count(), 2);
}
