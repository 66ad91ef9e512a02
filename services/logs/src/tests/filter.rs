use super::{NOW, Server, check_error, in_group, messages};
use crate::shapes::*;

async fn three_streams() -> Server {
    let server = Server::start();
    server.create_group("g").await.unwrap();
    for (stream, events) in [
        ("web-1", [(NOW, "GET a"), (NOW + 3, "ERROR b")]),
        ("web-2", [(NOW + 1, "GET c"), (NOW + 4, "GET d")]),
        ("job-1", [(NOW + 2, "ERROR e"), (NOW + 5, "done f")]),
    ] {
        server.create_stream("g", stream).await.unwrap();
        server.put(stream, &events).await.unwrap();
    }
    server
}

/// The last letters of the messages of all pages.
async fn letters(server: &Server, mut input: FilterLogEventsRequest) -> String {
    let mut found = String::new();
    loop {
        let page = server.filter(input.clone()).await.unwrap();
        found.extend(messages(&page).iter().filter_map(|message| message.trim_end().chars().last()));
        input.next_token = page.next_token;
        if input.next_token.is_none() {
            return found;
        }
    }
}

#[tokio::test]
async fn events_of_all_streams_are_interleaved_by_time_with_ids_that_rise() {
    let server = three_streams().await;
    let page = server.filter(in_group("g")).await.unwrap();
    assert_eq!(messages(&page).concat(), "GET aGET cERROR eERROR bGET ddone f");
    assert_eq!((page.searched_log_streams, page.next_token), (Some(vec![]), None));
    let events = page.events.unwrap();
    assert!(events.is_sorted_by(|a, b| a.event_id < b.event_id));
    assert!(events.iter().all(|event| event.event_id.as_ref().unwrap().len() == 56));
    assert_eq!(events[2].log_stream_name.as_deref(), Some("job-1"));
    assert_eq!((events[2].timestamp, events[2].ingestion_time), (Some(NOW + 2), Some(NOW)));
}

#[tokio::test]
async fn streams_times_and_patterns_narrow_the_search() {
    let server = three_streams().await;
    let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    let all = || in_group("g");
    for (input, expected) in [
        (FilterLogEventsRequest { interleaved: Some(true), unmask: Some(false), ..all() }, "acebdf"),
        (FilterLogEventsRequest { log_stream_names: names(&["web-1"]), ..all() }, "ab"),
        (FilterLogEventsRequest { log_stream_names: names(&["job-1", "web-1", "web-1"]), ..all() }, "aebf"),
        (FilterLogEventsRequest { log_stream_name_prefix: Some("web-".into()), ..all() }, "acbd"),
        (FilterLogEventsRequest { log_stream_name_prefix: Some("none".into()), ..all() }, ""),
        (FilterLogEventsRequest { start_time: Some(NOW + 1), end_time: Some(NOW + 4), ..all() }, "cebd"),
        (FilterLogEventsRequest { start_time: Some(NOW + 6), ..all() }, ""),
        (FilterLogEventsRequest { filter_pattern: Some("ERROR".into()), ..all() }, "eb"),
        (
            FilterLogEventsRequest {
                filter_pattern: Some("-GET".into()),
                start_time: Some(NOW + 3),
                ..all()
            },
            "bf",
        ),
        (FilterLogEventsRequest { start_from_head: Some(false), ..all() }, "fdbeca"),
    ] {
        for limit in [None, Some(1), Some(2)] {
            let input = FilterLogEventsRequest { limit, ..input.clone() };
            assert_eq!(letters(&server, input.clone()).await, expected, "{input:?}");
        }
    }
}

#[tokio::test]
async fn many_streams_with_a_prefix_are_found_among_others() {
    let server = Server::start();
    server.create_group("g").await.unwrap();
    for n in 0..130 {
        for prefix in ["yes", "no"] {
            server.print("g", &format!("{prefix}-{n}"), NOW + n, prefix).await;
        }
    }
    server.until_rows(&crate::record::EVENTS, 260).await;
    let input = FilterLogEventsRequest {
        log_stream_name_prefix: Some("yes".into()),
        limit: Some(50),
        ..in_group("g")
    };
    assert_eq!(letters(&server, input).await, "s".repeat(130));
}

#[tokio::test]
async fn a_page_ends_with_a_token_only_if_there_is_more() {
    let server = three_streams().await;
    let page = |limit| server.filter(FilterLogEventsRequest { limit: Some(limit), ..in_group("g") });
    assert!(page(5).await.unwrap().next_token.is_some());
    assert!(page(6).await.unwrap().next_token.is_none());
}

#[tokio::test]
async fn following_from_the_newest_event_finds_what_is_new() {
    let server = three_streams().await;
    let newest = server.filter(in_group("g")).await.unwrap().events.unwrap().pop().unwrap();
    server.put("web-1", &[(NOW + 5, "same moment g"), (NOW + 6, "h")]).await.unwrap();
    let again = FilterLogEventsRequest { start_time: newest.timestamp, ..in_group("g") };
    let events = server.filter(again).await.unwrap().events.unwrap();
    let new: Vec<_> = events.iter().filter(|event| event.event_id != newest.event_id).collect();
    assert_eq!(new.len(), 2);
}

#[tokio::test]
async fn what_cannot_be_searched_is_refused() {
    let server = three_streams().await;
    for (input, expected) in [
        (
            FilterLogEventsRequest { filter_pattern: Some("{ $.a }".into()), ..in_group("g") },
            "InvalidParameterException: Invalid filter pattern",
        ),
        (
            FilterLogEventsRequest { start_from_head: Some(false), start_time: Some(0), ..in_group("g") },
            "InvalidParameterException: startFromHead can be false only if startTime is on or after Jan 1, 2024 \
             00:00:00 UTC.",
        ),
        (
            FilterLogEventsRequest {
                log_stream_names: Some(vec!["web-1".into(), "none".into()]),
                ..in_group("g")
            },
            "ResourceNotFoundException: The specified log stream does not exist.",
        ),
        (in_group("none"), "ResourceNotFoundException: The specified log group does not exist."),
        (
            FilterLogEventsRequest { next_token: Some("x".into()), ..in_group("g") },
            "InvalidParameterException: The specified nextToken is invalid.",
        ),
        (
            FilterLogEventsRequest {
                log_stream_names: Some(vec!["web-1".into()]),
                log_stream_name_prefix: Some("web".into()),
                ..in_group("g")
            },
            "InvalidParameterException: logStreamNames and logStreamNamePrefix are mutually exclusive parameters.",
        ),
    ] {
        check_error(server.filter(input).await, expected);
    }
}
