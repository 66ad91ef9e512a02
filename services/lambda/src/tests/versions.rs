//! Versions and aliases, from publishing to deletion, and across restarts.

use super::*;
use crate::record::State;
use crate::shapes;
use crate::{aliases, versions};

impl Server {
    async fn publish(&self, name: &str) -> Result<FunctionConfiguration, Error> {
        let input = shapes::PublishVersionRequest { function_name: name.into(), ..Default::default() };
        versions::publish(self.lambda.clone(), cx(), input).await
    }

    async fn alias(
        &self,
        name: &str,
        version: &str,
        second: Option<(&str, f64)>,
    ) -> Result<shapes::AliasConfiguration, Error> {
        let input = shapes::CreateAliasRequest {
            function_name: "f".into(),
            name: name.into(),
            function_version: version.into(),
            routing_config: second.map(|(version, weight)| shapes::AliasRoutingConfiguration {
                additional_version_weights: Some(BTreeMap::from([(version.into(), weight)])),
            }),
            ..Default::default()
        };
        aliases::create(self.lambda.clone(), cx(), input).await
    }

    async fn delete_version(&self, number: &str) -> Result<(), Error> {
        let input = DeleteFunctionRequest { function_name: "f".into(), qualifier: Some(number.into()) };
        functions::delete(self.lambda.clone(), cx(), input).await.map(drop)
    }

    /// The stage of what ran, and the version that it is.
    async fn invoke_qualified(&self, qualifier: &str) -> Result<(String, String), Error> {
        let input = InvocationRequest {
            function_name: "f".into(),
            qualifier: Some(qualifier.into()),
            ..Default::default()
        };
        let answer = invoke::invoke(self.lambda.clone(), cx(), input).await?;
        let stage = String::from_utf8(answer.payload.unwrap().to_vec()).unwrap();
        Ok((stage, answer.executed_version.unwrap()))
    }

    async fn until_qualified(&self, qualifier: &str, stage: &str) {
        let reached = async {
            while self.invoke_qualified(qualifier).await.ok().map(|(stage, _)| stage).as_deref()
                != Some(stage)
            {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), reached).await.unwrap();
    }

    /// A function with versions 1 and 2, whose stages are their numbers.
    async fn two_versions(&self) {
        self.function("f", "1").await;
        self.publish("f").await.unwrap();
        self.configure("f", "2").await.unwrap();
        self.until("f", |record| !record.is_in_transition()).await;
        self.publish("f").await.unwrap();
        self.until_qualified("1", "1").await;
        self.until_qualified("2", "2").await;
    }
}

#[tokio::test]
async fn a_version_stays_what_it_was() {
    let server = Server::start().await;
    server.two_versions().await;
    server.configure("f", "3").await.unwrap();
    server.until_invoked("f", "3").await;
    assert_eq!(server.invoke_qualified("1").await.unwrap(), ("1".into(), "1".into()));
    assert_eq!(server.invoke_qualified("2").await.unwrap(), ("2".into(), "2".into()));
    assert_eq!(server.invoke_qualified("$LATEST").await.unwrap(), ("3".into(), "$LATEST".into()));
    assert_eq!(
        refusal(server.invoke_qualified("3").await),
        "ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:000000000000:function:f:3"
    );
}

#[tokio::test]
async fn what_did_not_change_is_published_once() {
    let server = Server::start().await;
    server.function("f", "1").await;
    let first = server.publish("f").await.unwrap();
    assert_eq!(first.version.as_deref(), Some("1"));
    let again = server.publish("f").await.unwrap();
    assert_eq!(again.version.as_deref(), Some("1"));
    // Another revision with the same content is no change, either.
    server.configure("f", "1").await.unwrap();
    server.until("f", |record| !record.is_in_transition()).await;
    assert_eq!(server.publish("f").await.unwrap().version.as_deref(), Some("1"));
    server.configure("f", "2").await.unwrap();
    server.until("f", |record| !record.is_in_transition()).await;
    assert_eq!(server.publish("f").await.unwrap().version.as_deref(), Some("2"));
}

#[tokio::test]
async fn a_number_is_never_used_twice() {
    let server = Server::start().await;
    server.two_versions().await;
    server.delete_version("2").await.unwrap();
    server.configure("f", "3").await.unwrap();
    server.until("f", |record| !record.is_in_transition()).await;
    assert_eq!(server.publish("f").await.unwrap().version.as_deref(), Some("3"));
    server.delete("f").await.unwrap();
    server.function("f", "1").await;
    assert_eq!(server.publish("f").await.unwrap().version.as_deref(), Some("4"));
}

#[tokio::test]
async fn a_version_that_an_alias_names_cannot_be_deleted() {
    let server = Server::start().await;
    server.two_versions().await;
    server.alias("live", "1", Some(("2", 0.5))).await.unwrap();
    for number in ["1", "2"] {
        assert_eq!(
            refusal(server.delete_version(number).await),
            "ResourceConflictException: Unable to delete version since the following aliases reference it: [live]"
        );
    }
    server.delete("f").await.unwrap();
    assert!(refusal(server.invoke_qualified("live").await).ends_with("function:f:live"));
}

#[tokio::test]
async fn an_alias_routes_by_its_weights() {
    let server = Server::start().await;
    server.two_versions().await;
    server.alias("all", "1", None).await.unwrap();
    server.alias("none", "1", Some(("2", 0.0))).await.unwrap();
    server.alias("other", "1", Some(("2", 1.0))).await.unwrap();
    for (alias, version) in [("all", "1"), ("none", "1"), ("other", "2")] {
        assert_eq!(
            server.invoke_qualified(alias).await.unwrap(),
            (version.into(), version.into()),
            "{alias}"
        );
    }
    server.alias("half", "1", Some(("2", 0.5))).await.unwrap();
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < 2 {
        seen.insert(server.invoke_qualified("half").await.unwrap().1);
    }
}

#[tokio::test]
async fn a_version_published_with_its_function_goes_on_after_a_restart() {
    let killed = Server::start().await;
    killed.gate.set(Passage::Shut);
    let input = CreateFunctionRequest { publish: Some(true), ..create_request("f", "1") };
    let created = functions::create(killed.lambda.clone(), cx(), input).await.unwrap();
    assert_eq!(created.version.as_deref(), Some("1"));
    assert!(created.function_arn.unwrap().ends_with("function:f"));
    let next = Server::start_on(killed.store.clone(), Passage::Shut).await;
    assert!(refusal(next.invoke_qualified("1").await).contains("Pending"));
    next.gate.set(Passage::Open);
    next.until_qualified("1", "1").await;
    next.until_invoked("f", "1").await;
    // What is settled stays so, and its package with it.
    let last = Server::start_on(next.store.clone(), Passage::Open).await;
    assert_eq!(last.invoke_qualified("1").await.unwrap(), ("1".into(), "1".into()));
}

/// The package of a version is kept when `$LATEST` has another.
#[tokio::test]
async fn packages_of_versions_are_kept_at_a_start() {
    let server = Server::start().await;
    let first = server.function("f", "1").await;
    server.publish("f").await.unwrap();
    server.upload("f", "other").await.unwrap();
    server.until("f", |record| !record.is_in_transition()).await;
    let next = Server::start_on(server.store.clone(), Passage::Open).await;
    assert!(next.store.blobs().contains(&first.code.sha256.0.parse::<BlobId>().unwrap()));
    assert_eq!(next.invoke_qualified("1").await.unwrap().1, "1");
}

#[tokio::test]
async fn a_version_that_cannot_be_put_into_effect_has_failed() {
    let server = Server::start().await;
    server.function("f", "1").await;
    server.gate.set(Passage::Broken);
    let input = UpdateFunctionCodeRequest {
        function_name: "f".into(),
        zip_file: Some(zip("other")),
        publish: Some(true),
        ..Default::default()
    };
    let published = functions::update_code(server.lambda.clone(), cx(), input).await.unwrap();
    assert!(published.function_arn.unwrap().ends_with("function:f:1"));
    server.until("f", |record| !record.is_in_transition()).await;
    let key = (Scope::default(), FunctionName::parse("f").unwrap(), 1_u64);
    let mut bell = server.store.watch(&versions::VERSIONS);
    let failed = async {
        loop {
            let version =
                server.store.read(|snapshot| snapshot.get(&versions::VERSIONS, &key)).unwrap().unwrap();
            if matches!(version.state, State::Failed { .. }) {
                return;
            }
            bell.changed().await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(60), failed).await.unwrap();
}
