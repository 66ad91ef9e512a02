use std::time::Duration;

use domain::Scope;
use store::{Domain, Location, Table};

use super::{NOW, Server, in_group, line, messages};
use crate::record::{EVENTS, GROUP_BYTES};

#[tokio::test]
async fn the_first_line_makes_its_group_and_stream() {
    let server = Server::start();
    server.print("/aws/lambda/f", "2026/11/20/[$LATEST]abc", NOW, "START").await;
    server.until_rows(&EVENTS, 1).await;
    let page = server.filter(in_group("/aws/lambda/f")).await.unwrap();
    let event = &page.events.unwrap()[0];
    assert_eq!(event.log_stream_name.as_deref(), Some("2026/11/20/[$LATEST]abc"));
    assert_eq!((event.timestamp, event.message.as_deref()), (Some(NOW), Some("START\n")));
}

#[tokio::test]
async fn a_flood_of_lines_is_stored_whole_and_in_order() {
    const LINES: usize = 20_000;
    let server = Server::start();
    for n in 0..LINES {
        server.print("g", &format!("s{}", n % 7), NOW, &n.to_string()).await;
    }
    server.until_rows(&EVENTS, LINES).await;
    let found = server.messages("g").await;
    assert_eq!(found.len(), LINES);
    // All are of one moment, so within a stream they stand in the order of their arrival.
    for stream in 0..7 {
        let of_stream = found
            .iter()
            .map(|message| message.trim_end().parse::<usize>().unwrap())
            .filter(|n| n % 7 == stream);
        assert!(of_stream.is_sorted());
    }
    let bytes: usize = found.iter().map(|message| message.len() + 26).sum();
    let stored = server.logs.store.read(|snapshot| snapshot.scan(&GROUP_BYTES, &store::Scan::all())).unwrap();
    assert_eq!(stored.iter().map(|(_, bytes)| *bytes).collect::<Vec<_>>(), [bytes as u64]);
}

#[tokio::test]
async fn a_line_longer_than_an_event_becomes_several() {
    let server = Server::start();
    server.print("g", "s", NOW, &"x".repeat(2_500_000)).await;
    server.until_rows(&EVENTS, 3).await;
    assert_eq!(server.messages("g").await.concat().len(), 2_500_001);
}

#[tokio::test]
async fn draining_stores_every_line_that_was_sent_and_a_restart_finds_them() {
    let directory = tempfile::tempdir().unwrap();
    let location = Location::Directory(directory.path().join("data"));
    let server = Server::start_at(location.clone());
    for n in 0..3_000 {
        server.print("g", "s", NOW + n, &n.to_string()).await;
    }
    server.stop().await;

    let server = Server::start_at(location);
    let found = server.messages("g").await;
    assert_eq!(found, (0..3_000).map(|n| format!("{n}\n")).collect::<Vec<_>>());
    server.print("g", "s", NOW + 3_000, "after the restart").await;
    server.until_rows(&EVENTS, 3_001).await;
    assert_eq!(server.messages("g").await.last().unwrap(), "after the restart\n");
    server.stop().await;
}

#[tokio::test]
async fn a_record_that_cannot_be_read_does_not_hold_up_other_groups() {
    static DAMAGED: Table<(Scope, String), String> = Table::of(Domain::Logs, "logs.groups");
    let server = Server::start();
    let damage =
        |tx: &mut store::Tx<'_>| tx.put(&DAMAGED, (&Scope::default(), "broken"), &"not a group".to_owned());
    server.logs.store.write_in(Domain::Logs, damage).await.unwrap();
    // All in the channel before the task runs, so that they are of one batch.
    for n in 0..10 {
        server
            .lines
            .try_send(line(if n % 2 == 0 { "broken" } else { "good" }, "s", NOW + n, &n.to_string()))
            .unwrap();
    }
    server.until_rows(&EVENTS, 5).await;
    assert_eq!(server.messages("good").await, ["1\n", "3\n", "5\n", "7\n", "9\n"]);
    server.stop().await;
}

#[tokio::test]
async fn a_reset_throws_away_what_is_queued_and_serves_on() {
    let server = Server::start();
    server.print("before", "s", NOW, "x").await;
    server.until_rows(&EVENTS, 1).await;
    server.lines.try_send(line("before", "s", NOW, "late")).unwrap();
    server.logs.reset();
    server.logs.store.reset().await.unwrap();
    server.logs.reset();
    tokio::task::yield_now().await;
    server.print("after", "s", NOW, "y").await;
    let arrived = async {
        let mut bell = server.logs.store.watch(&EVENTS);
        while server.filter(in_group("after")).await.is_err() {
            bell.changed().await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(10), arrived).await.unwrap();
    assert_eq!(messages(&server.filter(in_group("after")).await.unwrap()), ["y\n"]);
}
