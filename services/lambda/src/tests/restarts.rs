//! What a server that was killed left half way is settled by the next one.

use super::*;
use crate::record::{State, UpdateStatus};

#[tokio::test]
async fn a_create_goes_on_after_a_restart() {
    let killed = Server::start().await;
    killed.gate.set(Passage::Shut);
    killed.create("f", "1").await.unwrap();
    let next = Server::start_on(killed.store.clone(), Passage::Shut).await;
    assert!(refusal(next.invoke("f").await).contains("Pending"));
    next.gate.set(Passage::Open);
    let settled = next.until("f", |record| !record.is_in_transition()).await;
    assert_eq!(settled.state, State::Active);
    next.until_invoked("f", "1").await;
}

#[tokio::test]
async fn an_update_goes_on_after_a_restart_and_the_old_revision_runs_until_then() {
    let killed = Server::start().await;
    killed.function("f", "1").await;
    killed.gate.set(Passage::Shut);
    killed.upload("f", "other").await.unwrap();
    let next = Server::start_on(killed.store.clone(), Passage::Shut).await;
    assert_eq!(next.invoke("f").await.unwrap(), "1");
    next.gate.set(Passage::Open);
    let settled = next.until("f", |record| !record.is_in_transition()).await;
    assert_eq!((settled.last_update, settled.before_update), (Some(UpdateStatus::Successful), None));
}

/// The packages of both are kept, or the failed update could not be taken back.
#[tokio::test]
async fn an_update_that_fails_after_a_restart_leaves_the_function_as_it_was() {
    let killed = Server::start().await;
    let before = killed.function("f", "1").await;
    killed.gate.set(Passage::Shut);
    killed.upload("f", "other").await.unwrap();
    let next = Server::start_on(killed.store.clone(), Passage::Broken).await;
    let after = next.until("f", |record| !record.is_in_transition()).await;
    assert_eq!((&after.code, after.revision), (&before.code, before.revision));
    let blob: BlobId = before.code.sha256.0.parse().unwrap();
    assert!(next.store.blobs().contains(&blob));
}

#[tokio::test]
async fn packages_of_no_function_are_removed_at_a_start() {
    let first = Server::start().await;
    let old = first.function("f", "1").await.code.sha256.0;
    first.upload("f", "other").await.unwrap();
    let new = first.until("f", |record| !record.is_in_transition()).await.code.sha256.0;
    let next = Server::start_on(first.store.clone(), Passage::Open).await;
    let kept = |code: &str| next.store.blobs().contains(&code.parse().unwrap());
    assert!(kept(&new) && !kept(&old));
}
