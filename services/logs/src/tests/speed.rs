//! Measurements, not checks: `cargo test --release -p logs speed -- --ignored --nocapture`.

use std::time::{Duration, Instant};

use store::Location;

use super::{NOW, Server, cx, in_group};
use crate::record::{EVENTS, TRASH};
use crate::shapes::{DeleteLogGroupRequest, FilterLogEventsRequest, GetLogEventsRequest};

const LINES: usize = 200_000;
const STREAMS: usize = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures"]
async fn speed_of_lines_in_pages_out_and_removal_beside_other_writers() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start_at(Location::Directory(directory.path().join("data")));
    let begun = Instant::now();
    for n in 0..LINES {
        let at = NOW + i64::try_from(n / 100).unwrap();
        server
            .print(
                "g",
                &format!("s{}", n % STREAMS),
                at,
                &"a line of a function, of a usual length ".repeat(3),
            )
            .await;
    }
    server.until_rows(&EVENTS, LINES).await;
    let taken = begun.elapsed();
    println!("{LINES} lines in {taken:?}: {:.0} a second", LINES as f64 / taken.as_secs_f64());

    let begun = Instant::now();
    let get = GetLogEventsRequest {
        log_group_name: Some("g".into()),
        log_stream_name: "s7".into(),
        limit: Some(1_000),
        ..Default::default()
    };
    let page = crate::events::get(server.logs.clone(), cx(), get).await.unwrap();
    println!("the last {} of a stream in {:?}", page.events.unwrap().len(), begun.elapsed());
    let begun = Instant::now();
    let nothing = FilterLogEventsRequest { filter_pattern: Some("nowhere".into()), ..in_group("g") };
    server.filter(nothing).await.unwrap();
    println!("a page of a search that finds nothing in {:?}", begun.elapsed());

    let begun = Instant::now();
    let input = DeleteLogGroupRequest { log_group_name: "g".into() };
    crate::groups::delete(server.logs.clone(), cx(), input).await.unwrap();
    println!("deleted for the caller in {:?}", begun.elapsed());
    server.create_group("other").await.unwrap();
    let mut longest = Duration::ZERO;
    for n in 0.. {
        let write = Instant::now();
        server.create_stream("other", &n.to_string()).await.unwrap();
        longest = longest.max(write.elapsed());
        if server.rows(&TRASH) == 0 {
            break;
        }
    }
    println!("removed in {:?}; another write waited at most {longest:?}", begun.elapsed());
    server.stop().await;
}
