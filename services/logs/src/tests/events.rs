use super::{DAY, HOUR, NOW, Server, check_error, cx};
use crate::events as handlers;
use crate::shapes::*;

fn request() -> GetLogEventsRequest {
    GetLogEventsRequest {
        log_group_name: Some("g".into()),
        log_stream_name: "s".into(),
        ..Default::default()
    }
}

async fn get(server: &Server, input: GetLogEventsRequest) -> GetLogEventsResponse {
    handlers::get(server.logs.clone(), cx(), input).await.unwrap()
}

fn messages(page: &GetLogEventsResponse) -> Vec<&str> {
    page.events.iter().flatten().map(|event| event.message.as_deref().unwrap()).collect()
}

#[tokio::test]
async fn events_come_back_in_order_of_time_then_of_arrival() {
    let server = Server::with_stream().await;
    server.advance(5).await;
    server.put("s", &[(NOW, "b"), (NOW + 1, "d")]).await.unwrap();
    server.put("s", &[(NOW - 1, "a"), (NOW, "c")]).await.unwrap();
    let page = get(&server, request()).await;
    assert_eq!(messages(&page), ["a", "b", "c", "d"]);
    let first = &page.events.unwrap()[0];
    assert_eq!((first.timestamp, first.ingestion_time), (Some(NOW - 1), Some(NOW + 5)));
}

#[tokio::test]
async fn pages_go_forwards_from_the_head_until_the_token_repeats() {
    let server = Server::with_stream().await;
    server.put("s", &[(NOW, "a"), (NOW, "b"), (NOW, "c"), (NOW, "d"), (NOW, "e")]).await.unwrap();
    let head = GetLogEventsRequest { start_from_head: Some(true), limit: Some(2), ..request() };
    let mut seen = Vec::new();
    let mut page = get(&server, head.clone()).await;
    loop {
        seen.extend(messages(&page).into_iter().map(str::to_owned));
        let token = page.next_forward_token.clone();
        page = get(&server, GetLogEventsRequest { next_token: token.clone(), ..head.clone() }).await;
        if page.next_forward_token == token {
            break;
        }
    }
    assert_eq!(seen, ["a", "b", "c", "d", "e"]);
    assert_eq!(messages(&page), [] as [&str; 0]);

    server.put("s", &[(NOW, "f")]).await.unwrap();
    let more = GetLogEventsRequest { next_token: page.next_forward_token, ..head.clone() };
    assert_eq!(messages(&get(&server, more).await), ["f"], "the token at the end finds what comes later");
    let back = GetLogEventsRequest { next_token: page.next_backward_token, ..head };
    assert_eq!(messages(&get(&server, back).await), ["d", "e"], "and leads back");
}

#[tokio::test]
async fn pages_go_backwards_from_the_tail_until_the_token_repeats() {
    let server = Server::with_stream().await;
    server.put("s", &[(NOW, "a"), (NOW + 1, "b"), (NOW + 2, "c"), (NOW + 3, "d")]).await.unwrap();
    let tail = GetLogEventsRequest { limit: Some(3), ..request() };
    let first = get(&server, tail.clone()).await;
    assert_eq!(messages(&first), ["b", "c", "d"]);
    let second =
        get(&server, GetLogEventsRequest { next_token: first.next_backward_token, ..tail.clone() }).await;
    assert_eq!(messages(&second), ["a"]);
    let end = GetLogEventsRequest { next_token: second.next_backward_token.clone(), ..tail.clone() };
    let end = get(&server, end).await;
    assert_eq!((messages(&end), &end.next_backward_token), (vec![], &second.next_backward_token));
    let forward = GetLogEventsRequest { next_token: second.next_forward_token, ..tail };
    assert_eq!(messages(&get(&server, forward).await), ["b", "c", "d"]);
}

#[tokio::test]
async fn an_empty_stream_gives_tokens_that_find_the_first_events() {
    for start_from_head in [true, false] {
        let server = Server::with_stream().await;
        let page =
            get(&server, GetLogEventsRequest { start_from_head: Some(start_from_head), ..request() }).await;
        assert_eq!(messages(&page), [] as [&str; 0]);
        server.put("s", &[(NOW, "first")]).await.unwrap();
        let more = GetLogEventsRequest { next_token: page.next_forward_token, ..request() };
        assert_eq!(messages(&get(&server, more).await)[0], "first");
    }
}

#[tokio::test]
async fn the_start_is_included_and_the_end_is_not() {
    let server = Server::with_stream().await;
    server.put("s", &[(NOW, "a"), (NOW + 1, "b"), (NOW + 2, "c")]).await.unwrap();
    let input = GetLogEventsRequest { start_time: Some(NOW), end_time: Some(NOW + 2), ..request() };
    assert_eq!(messages(&get(&server, input).await), ["a", "b"]);
    let empty = GetLogEventsRequest { start_time: Some(NOW + 2), end_time: Some(NOW), ..request() };
    assert_eq!(messages(&get(&server, empty).await), [] as [&str; 0]);
}

#[tokio::test]
async fn a_page_holds_a_megabyte() {
    let server = Server::with_stream().await;
    let long = "x".repeat(500_000);
    for n in 0..5 {
        server.put("s", &[(NOW + n, &long)]).await.unwrap();
    }
    let page = get(&server, GetLogEventsRequest { start_from_head: Some(true), ..request() }).await;
    assert_eq!(page.events.unwrap().len(), 2);
}

#[tokio::test]
async fn what_cannot_be_got_is_refused() {
    let server = Server::with_stream().await;
    for (input, expected) in [
        (
            GetLogEventsRequest { log_stream_name: "missing".into(), ..request() },
            "ResourceNotFoundException: The specified log stream does not exist.",
        ),
        (
            GetLogEventsRequest { log_group_name: Some("missing".into()), ..request() },
            "ResourceNotFoundException: The specified log group does not exist.",
        ),
        (
            GetLogEventsRequest { next_token: Some("f/1".into()), ..request() },
            "InvalidParameterException: The specified nextToken is invalid.",
        ),
        (
            GetLogEventsRequest { unmask: Some(true), ..request() },
            "InvalidParameterException: Hearth does not support data protection (unmask) yet. Leave it out, or see \
             docs/compatibility.md.",
        ),
    ] {
        check_error(handlers::get(server.logs.clone(), cx(), input).await, expected);
    }
}

#[tokio::test]
async fn a_batch_that_breaks_the_rules_is_refused_whole() {
    let server = Server::with_stream().await;
    let long = "x".repeat(1_048_576);
    let half = "x".repeat(524_288);
    let cases: [(&[(i64, &str)], &str); 4] = [
        (
            &[(NOW + 1, "a"), (NOW, "b")],
            "Log events in a single PutLogEvents request must be in chronological order.",
        ),
        (&[(NOW, &long)], "Log event too large: 1048602 bytes exceeds limit of 1048576"),
        (&[(NOW, &half), (NOW, &half)], "Upload too large: 1048628 bytes exceeds limit of 1048576"),
        (
            &[(NOW - DAY - 1, "a"), (NOW, "b")],
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
        ),
    ];
    for (events, message) in cases {
        check_error(server.put("s", events).await, &format!("InvalidParameterException: {message}"));
    }
    assert_eq!(server.messages("g").await, [] as [&str; 0]);
    server.put("s", &[(NOW - DAY, "a"), (NOW, "b")]).await.unwrap();
}

#[tokio::test]
async fn events_too_old_too_new_or_expired_are_left_out_and_told() {
    let server = Server::with_stream().await;
    let rejected = async |events: &[(i64, &str)]| {
        let info = server.put("s", events).await.unwrap().rejected_log_events_info;
        info.map(|info| {
            (
                info.too_old_log_event_end_index,
                info.expired_log_event_end_index,
                info.too_new_log_event_start_index,
            )
        })
    };
    assert_eq!(rejected(&[(NOW - 14 * DAY, "edge of age")]).await, None);
    assert_eq!(rejected(&[(NOW + 2 * HOUR, "edge of future")]).await, None);
    let all = [(NOW - 15 * DAY, "x"), (NOW - 14 * DAY - 1, "x"), (NOW, "good"), (NOW + 2 * HOUR + 1, "x")];
    assert_eq!(rejected(&all).await, Some((Some(2), None, Some(3))));
    assert_eq!(
        rejected(&[(NOW - 15 * DAY, "x"), (NOW + 3 * HOUR, "x")]).await,
        Some((Some(1), None, Some(1)))
    );

    let input = PutRetentionPolicyRequest { log_group_name: "g".into(), retention_in_days: 1 };
    crate::groups::put_retention(server.logs.clone(), cx(), input).await.unwrap();
    assert_eq!(rejected(&[(NOW - DAY - 1, "x"), (NOW - 1, "kept")]).await, Some((None, Some(1), None)));
    assert_eq!(server.messages("g").await, ["kept", "good", "edge of future"]);
}

#[tokio::test]
async fn sequence_tokens_are_taken_and_given_and_an_entity_is_answered() {
    let server = Server::with_stream().await;
    let input = PutLogEventsRequest {
        log_group_name: "g".into(),
        log_stream_name: "s".into(),
        log_events: vec![InputLogEvent { timestamp: NOW, message: "m".into() }],
        sequence_token: Some("whatever".into()),
        entity: Some(Entity::default()),
    };
    let response = handlers::put(server.logs.clone(), cx(), input).await.unwrap();
    assert_eq!(response.next_sequence_token.map(|token| token.len()), Some(56));
    let rejected = response.rejected_entity_info.map(|info| info.error_type);
    assert_eq!(rejected, Some(EntityRejectionErrorType::UnsupportedLogGroupType));
}
