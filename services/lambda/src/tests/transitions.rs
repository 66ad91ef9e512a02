//! Pending to Active, InProgress to Successful, and what either may become instead.

use super::*;
use crate::record::{State, UpdateStatus};
use crate::shapes;

#[tokio::test]
async fn a_new_function_is_pending_until_its_package_is_unpacked() {
    let server = Server::start().await;
    server.gate.set(Passage::Shut);
    let created = server.create("f", "1").await.unwrap();
    assert_eq!(created.state, Some(shapes::State::Pending));
    assert_eq!(created.state_reason.as_deref(), Some("The function is being created."));
    assert_eq!((created.last_update_status, created.version.as_deref()), (None, Some("$LATEST")));
    for refused in [
        refusal(server.invoke("f").await),
        refusal(server.configure("f", "2").await),
        refusal(server.upload("f", "2").await),
    ] {
        assert!(refused.starts_with("ResourceConflictException: "), "{refused}");
        assert!(refused.contains("currently in the following state: Pending"), "{refused}");
    }
    server.gate.set(Passage::Open);
    server.until_invoked("f", "1").await;
    let active = server.configuration("f").await.unwrap();
    assert_eq!(active.state, Some(shapes::State::Active));
    assert_eq!(active.last_update_status, Some(shapes::LastUpdateStatus::Successful));
    assert_eq!((active.state_reason, active.state_reason_code), (None, None));
    assert_ne!(active.revision_id, created.revision_id);
}

#[tokio::test]
async fn the_old_revision_runs_until_an_update_is_in_effect() {
    let server = Server::start().await;
    server.function("f", "1").await;
    server.until_invoked("f", "1").await;
    server.gate.set(Passage::Shut);
    let updated = server.upload("f", "other").await.unwrap();
    assert_eq!(updated.state, Some(shapes::State::Active));
    assert_eq!(updated.last_update_status, Some(shapes::LastUpdateStatus::InProgress));
    assert_eq!(updated.last_update_status_reason.as_deref(), Some("The function is being created."));
    assert_eq!(server.invoke("f").await.unwrap(), "1");
    let arn = updated.function_arn.as_deref().unwrap();
    for refused in [
        refusal(server.configure("f", "3").await),
        refusal(server.upload("f", "3").await),
        refusal(server.tag("f", "t").await),
    ] {
        assert_eq!(
            refused,
            format!(
                "ResourceConflictException: The operation cannot be performed at this time. An update is in \
                 progress for resource: {arn}"
            )
        );
    }
    server.gate.set(Passage::Open);
    let settled = server.until("f", |record| !record.is_in_transition()).await;
    assert_eq!(settled.last_update, Some(UpdateStatus::Successful));
    assert_ne!(Some(settled.revision_id.to_string()), updated.revision_id);
    server.configure("f", "2").await.unwrap();
    server.until_invoked("f", "2").await;
}

#[tokio::test]
async fn a_create_that_fails_leaves_a_function_that_can_only_be_deleted() {
    let server = Server::start().await;
    server.gate.set(Passage::Broken);
    let failed = server.function("f", "1").await;
    assert!(matches!(failed.state, State::Failed { .. }), "{:?}", failed.state);
    let shown = server.configuration("f").await.unwrap();
    assert_eq!(shown.state, Some(shapes::State::Failed));
    assert_eq!(shown.last_update_status, None);
    assert!(refusal(server.invoke("f").await).starts_with("ResourceConflictException: "));
    server.delete("f").await.unwrap();
    server.gate.set(Passage::Open);
    server.function("f", "2").await;
    server.until_invoked("f", "2").await;
}

#[tokio::test]
async fn an_update_that_fails_leaves_the_function_as_it_was() {
    let server = Server::start().await;
    let before = server.function("f", "1").await;
    server.until_invoked("f", "1").await;
    server.gate.set(Passage::Broken);
    server.upload("f", "other").await.unwrap();
    let after = server.until("f", |record| !record.is_in_transition()).await;
    assert!(matches!(after.last_update, Some(UpdateStatus::Failed { .. })), "{:?}", after.last_update);
    assert_ne!(after.revision_id, before.revision_id);
    let but_for_status = FunctionRecord {
        last_update: before.last_update.clone(),
        revision_id: before.revision_id,
        ..after.clone()
    };
    assert_eq!(but_for_status, before);
    let shown = server.configuration("f").await.unwrap();
    assert_eq!(shown.state, Some(shapes::State::Active));
    assert_eq!(shown.last_update_status, Some(shapes::LastUpdateStatus::Failed));
    assert_eq!(server.invoke("f").await.unwrap(), "1");
    // It can be tried again.
    server.gate.set(Passage::Open);
    server.upload("f", "other").await.unwrap();
    let again = server.until("f", |record| !record.is_in_transition()).await;
    assert_eq!(again.last_update, Some(UpdateStatus::Successful));
    assert_ne!(again.code, before.code);
}

#[tokio::test]
async fn tags_set_meanwhile_survive_the_end_of_a_transition() {
    let server = Server::start().await;
    server.gate.set(Passage::Shut);
    server.create("f", "1").await.unwrap();
    server.tag("f", "meanwhile").await.unwrap();
    server.gate.set(Passage::Open);
    let settled = server.until("f", |record| !record.is_in_transition()).await;
    assert!(settled.tags.contains_key("meanwhile"));
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let server = Server::start().await;
    let before = server.function("f", "1").await;
    let input = UpdateFunctionCodeRequest {
        function_name: "f".into(),
        zip_file: Some(zip("other")),
        dry_run: Some(true),
        ..Default::default()
    };
    let shown = functions::update_code(server.lambda.clone(), cx(), input).await.unwrap();
    assert_ne!(shown.code_sha256, server.configuration("f").await.unwrap().code_sha256);
    assert_eq!(shown.last_update_status, Some(shapes::LastUpdateStatus::Successful));
    assert_eq!(server.stored("f").unwrap(), before);
}
