use domain::Timestamp;
use store::Location;

use super::{DAY, HOUR, NOW, Server, cx, in_group};
use crate::janitor::{Bell, SLICE_ROWS};
use crate::record::{EVENTS, GROUP_BYTES, STREAM_EVENTS, STREAM_NAMES, STREAMS, STREAMS_BY_TIME, TRASH};
use crate::shapes::*;

async fn delete_group(server: &Server, group: &str) {
    let input = DeleteLogGroupRequest { log_group_name: group.into() };
    crate::groups::delete(server.logs.clone(), cx(), input).await.unwrap();
}

async fn keep_for_a_day(server: &Server, group: &str) {
    let input = PutRetentionPolicyRequest { log_group_name: group.into(), retention_in_days: 1 };
    crate::groups::put_retention(server.logs.clone(), cx(), input).await.unwrap();
}

async fn stored_bytes(server: &Server) -> Option<i64> {
    let input = DescribeLogGroupsRequest::default();
    let page = crate::groups::describe(server.logs.clone(), cx(), input).await.unwrap();
    page.log_groups.unwrap()[0].stored_bytes
}

async fn fill(server: &Server, group: &str, events: usize) {
    for n in 0..events {
        server.print(group, &format!("s{}", n % 3), NOW, "message").await;
    }
    server.until_rows(&EVENTS, events).await;
}

#[tokio::test]
async fn a_deleted_group_leaves_nothing_behind() {
    let server = Server::start();
    fill(&server, "g", 2 * SLICE_ROWS + 7).await;
    delete_group(&server, "g").await;
    server.until_rows(&TRASH, 0).await;
    assert_eq!((server.rows(&EVENTS), server.rows(&STREAM_EVENTS), server.rows(&GROUP_BYTES)), (0, 0, 0));
    assert_eq!((server.rows(&STREAMS), server.rows(&STREAM_NAMES), server.rows(&STREAMS_BY_TIME)), (0, 0, 0));
}

#[tokio::test]
async fn a_deletion_that_a_stop_interrupted_is_finished_after_the_next_start() {
    let directory = tempfile::tempdir().unwrap();
    let location = Location::Directory(directory.path().join("data"));
    let server = Server::start_at(location.clone());
    fill(&server, "g", 3 * SLICE_ROWS).await;
    // Stopped first, so that nobody removes anything before the restart.
    let logs = server.logs.clone();
    server.stop().await;
    let input = DeleteLogGroupRequest { log_group_name: "g".into() };
    crate::groups::delete(logs.clone(), cx(), input).await.unwrap();
    drop(logs);

    let server = Server::start_at(location);
    server.until_rows(&TRASH, 0).await;
    assert_eq!(server.rows(&EVENTS), 0);
    server.stop().await;
}

#[tokio::test]
async fn a_deleted_stream_gives_back_its_bytes_and_nobody_elses() {
    let server = Server::with_stream().await;
    server.create_stream("g", "other").await.unwrap();
    server.put("s", &[(NOW, "12345"), (NOW, "12345")]).await.unwrap();
    server.put("other", &[(NOW, "1")]).await.unwrap();
    assert_eq!(stored_bytes(&server).await, Some(2 * 31 + 27));
    let input = DeleteLogStreamRequest { log_group_name: "g".into(), log_stream_name: "s".into() };
    crate::streams::delete(server.logs.clone(), cx(), input).await.unwrap();
    server.until_rows(&TRASH, 0).await;
    assert_eq!(stored_bytes(&server).await, Some(27));
    assert_eq!((server.rows(&EVENTS), server.rows(&STREAM_EVENTS), server.rows(&STREAMS)), (1, 1, 1));
}

#[tokio::test]
async fn expired_events_are_hidden_at_once_and_then_removed() {
    let server = Server::with_stream().await;
    server.put("s", &[(NOW - HOUR, "old"), (NOW, "new")]).await.unwrap();
    keep_for_a_day(&server, "g").await;
    server.advance(DAY - HOUR + 1).await;
    assert_eq!(server.messages("g").await, ["new"]);
    let get = GetLogEventsRequest {
        log_group_name: Some("g".into()),
        log_stream_name: "s".into(),
        start_from_head: Some(true),
        ..Default::default()
    };
    let page = crate::events::get(server.logs.clone(), cx(), get).await.unwrap();
    assert_eq!(page.events.unwrap().len(), 1);
    // The clock goes on once they are gone.
    server.advance(HOUR).await;
    assert_eq!((server.rows(&EVENTS), server.rows(&STREAM_EVENTS)), (1, 1));
    assert_eq!(stored_bytes(&server).await, Some(29));
}

#[tokio::test]
async fn a_shorter_retention_removes_what_it_expires() {
    let server = Server::with_stream().await;
    server.put("s", &[(NOW - 3 * DAY, "old")]).await.unwrap();
    server.put("s", &[(NOW, "new")]).await.unwrap();
    keep_for_a_day(&server, "g").await;
    server.until_rows(&EVENTS, 1).await;
    assert_eq!(server.messages("g").await, ["new"]);
}

#[tokio::test]
async fn events_of_a_group_that_keeps_them_are_never_removed() {
    let server = Server::with_stream().await;
    server.put("s", &[(NOW - 3 * DAY, "old")]).await.unwrap();
    server.create_group("short").await.unwrap();
    server.print("short", "s", NOW - 3 * DAY, "x").await;
    server.until_rows(&EVENTS, 2).await;
    keep_for_a_day(&server, "short").await;
    server.until_rows(&EVENTS, 1).await;
    assert_eq!(server.filter(in_group("g")).await.unwrap().events.unwrap().len(), 1);
}

#[tokio::test]
async fn the_oldest_events_of_all_groups_make_room_for_new_ones() {
    // Each event is of a hundred bytes, so that ten have room and nine are left.
    let server = Server::start_with(Location::Ephemeral, Some(1_000));
    let message = "x".repeat(73);
    for n in 0..5 {
        server.print("quiet", "s", NOW + n * HOUR, &message).await;
        server.print("loud", "s", NOW + n * HOUR + HOUR / 2, &message).await;
    }
    server.until_rows(&EVENTS, 10).await;
    server.print("loud", "s", NOW + 5 * HOUR, &message).await;
    server.until_rows(&EVENTS, 9).await;
    assert_eq!(server.rows(&STREAM_EVENTS), 9);
    for (group, first) in [("quiet", NOW + HOUR), ("loud", NOW + 3 * HOUR / 2)] {
        let events = server.filter(in_group(group)).await.unwrap().events.unwrap();
        assert_eq!(events[0].timestamp, Some(first), "{group}");
    }
    // A request makes room likewise.
    server.create_group("g").await.unwrap();
    server.create_stream("g", "s").await.unwrap();
    let events = [(NOW, message.as_str()), (NOW, message.as_str()), (NOW, message.as_str())];
    server.put("s", &events).await.unwrap();
    server.until_rows(&EVENTS, 9).await;
    assert_eq!(server.filter(in_group("g")).await.unwrap().events.unwrap().len(), 0);
}

#[tokio::test]
async fn what_is_stored_already_counts_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let location = Location::Directory(directory.path().join("data"));
    let server = Server::start_at(location.clone());
    fill(&server, "g", 100).await;
    server.stop().await;
    // `message`, a line break and the overhead: 34 bytes.
    let server = Server::start_with(location, Some(340));
    server.until_rows(&EVENTS, 9).await;
    assert_eq!(stored_bytes(&server).await, Some(9 * 34));
    server.stop().await;
}

#[tokio::test]
async fn the_bell_rings_only_for_what_expires_before_the_alarm() {
    let (bell, mut rings) = Bell::new();
    bell.set_alarm(Some(Timestamp(1_000)));
    for (expiry, rung) in [(None, false), (Some(2_000), false), (Some(1_000), false), (Some(999), true)] {
        rings.mark_unchanged();
        bell.expects(expiry.map(Timestamp));
        assert_eq!(rings.has_changed().unwrap(), rung, "{expiry:?}");
    }
}
