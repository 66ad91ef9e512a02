//! Calls that meet: one name, one revision, one moment.

use super::*;
use crate::error;

#[tokio::test]
async fn a_name_is_taken_once() {
    let server = Server::start().await;
    let (one, other) = tokio::join!(server.create("f", "1"), server.create("f", "2"));
    let refused = if one.is_ok() { other } else { one };
    assert_eq!(refusal(refused), "ResourceConflictException: Function already exist: f");
}

#[tokio::test]
async fn a_stale_revision_changes_nothing() {
    let server = Server::start().await;
    let before = server.function("f", "1").await;
    let with = |revision: String| UpdateFunctionConfigurationRequest {
        function_name: "f".into(),
        timeout: Some(7),
        revision_id: Some(revision),
        ..Default::default()
    };
    for stale in [Uuid::new_v4().to_string(), "no uuid".into()] {
        let refused = refusal(server.update(with(stale)).await);
        assert_eq!(refused, format!("PreconditionFailedException: {}", error::revision_mismatch().message));
    }
    assert_eq!(server.stored("f").unwrap(), before);
    server.update(with(before.revision_id.to_string())).await.unwrap();
}

/// Who names no function hears of that, whatever else is wrong.
#[tokio::test]
async fn a_missing_function_is_the_first_thing_said() {
    let server = Server::start().await;
    let input = UpdateFunctionConfigurationRequest {
        function_name: "nobody".into(),
        role: Some("arn:aws:iam::000000000000:role/none".into()),
        ..Default::default()
    };
    let expected = "ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:000000000000:function:nobody";
    assert_eq!(refusal(server.update(input).await), expected);
    assert_eq!(refusal(server.upload("nobody", "1").await), expected);
    assert_eq!(refusal(server.delete("nobody").await), expected);
    assert_eq!(refusal(server.invoke("nobody").await), expected);
    assert_eq!(refusal(server.configuration("nobody").await), expected);
}

#[tokio::test]
async fn a_function_deleted_in_transition_does_not_come_back() {
    let server = Server::start().await;
    server.gate.set(Passage::Shut);
    server.create("f", "1").await.unwrap();
    server.delete("f").await.unwrap();
    // The same name, another function; the first one's transition ends after its own.
    server.create("f", "2").await.unwrap();
    server.gate.set(Passage::Open);
    let settled = server.until("f", |record| !record.is_in_transition()).await;
    assert_eq!(settled.environment.values.unwrap()[STAGE], "2");
    server.until_invoked("f", "2").await;
    server.delete("f").await.unwrap();
    assert!(refusal(server.invoke("f").await).starts_with("ResourceNotFoundException: "));
}

/// A deletion meets the end of a transition: invocations see what was committed last.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_deletion_wins_over_the_end_of_a_transition() {
    let server = Server::start().await;
    for round in 0..200 {
        let name = format!("f{}", round % 3);
        server.create(&name, "1").await.unwrap();
        if round % 2 == 0 {
            server.until(&name, |record| !record.is_in_transition()).await;
        }
        server.delete(&name).await.unwrap();
    }
    // Whatever a transition that ended late had to show, it has shown when its turn has come and gone.
    for name in ["f0", "f1", "f2"] {
        let gone = async {
            while server.lambda.functions.contains(&Scope::default(), &FunctionName::parse(name).unwrap()) {
                tokio::task::yield_now().await;
            }
        };
        let gone = tokio::time::timeout(Duration::from_secs(10), gone).await;
        assert!(gone.is_ok(), "{name} is still there");
    }
}
