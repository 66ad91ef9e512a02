use super::{NOW, Server, check_error, cx};
use crate::shapes::*;
use crate::streams as handlers;

async fn describe(server: &Server, input: DescribeLogStreamsRequest) -> DescribeLogStreamsResponse {
    let input = DescribeLogStreamsRequest { log_group_name: Some("g".into()), ..input };
    handlers::describe(server.logs.clone(), cx(), input).await.unwrap()
}

fn names(page: &DescribeLogStreamsResponse) -> Vec<&str> {
    page.log_streams.iter().flatten().map(|stream| stream.log_stream_name.as_deref().unwrap()).collect()
}

async fn delete(server: &Server, stream: &str) -> Result<wire::Unit, wire::Error> {
    let input = DeleteLogStreamRequest { log_group_name: "g".into(), log_stream_name: stream.into() };
    handlers::delete(server.logs.clone(), cx(), input).await
}

#[tokio::test]
async fn a_stream_is_created_once_and_described_with_its_times() {
    let server = Server::with_stream().await;
    check_error(
        server.create_stream("g", "s").await,
        "ResourceAlreadyExistsException: The specified log stream already exists",
    );
    let empty = describe(&server, DescribeLogStreamsRequest::default()).await.log_streams.unwrap().remove(0);
    assert_eq!(
        (empty.first_event_timestamp, empty.last_event_timestamp, empty.last_ingestion_time),
        (None, None, None)
    );
    server.advance(500).await;
    server.put("s", &[(NOW - 20, "a"), (NOW - 10, "b")]).await.unwrap();
    server.put("s", &[(NOW - 15, "late")]).await.unwrap();
    let stream = describe(&server, DescribeLogStreamsRequest::default()).await.log_streams.unwrap().remove(0);
    assert_eq!(stream.arn.as_deref(), Some("arn:aws:logs:us-east-1:000000000000:log-group:g:log-stream:s"));
    assert_eq!(stream.creation_time, Some(NOW));
    assert_eq!(stream.first_event_timestamp, Some(NOW - 20));
    assert_eq!(stream.last_event_timestamp, Some(NOW - 10));
    assert_eq!(stream.last_ingestion_time, Some(NOW + 500));
    assert_eq!(stream.stored_bytes, Some(0));
    assert_eq!(stream.upload_sequence_token.map(|token| token.len()), Some(56));
}

#[tokio::test]
async fn streams_are_listed_by_name_in_both_directions_page_by_page() {
    let server = Server::start();
    server.create_group("g").await.unwrap();
    for name in ["a1", "a2", "a3", "b1"] {
        server.create_stream("g", name).await.unwrap();
    }
    let input = DescribeLogStreamsRequest {
        log_stream_name_prefix: Some("a".into()),
        descending: Some(true),
        limit: Some(2),
        ..Default::default()
    };
    let first = describe(&server, input.clone()).await;
    assert_eq!(names(&first), ["a3", "a2"]);
    let second = describe(&server, DescribeLogStreamsRequest { next_token: first.next_token, ..input }).await;
    assert_eq!((names(&second), &second.next_token), (vec!["a1"], &None));
}

#[tokio::test]
async fn streams_are_listed_by_their_latest_event() {
    let server = Server::start();
    server.create_group("g").await.unwrap();
    for (name, at) in [("x", 30), ("y", 10), ("z", 20)] {
        server.create_stream("g", name).await.unwrap();
        server.put(name, &[(NOW + at, "m")]).await.unwrap();
    }
    server.create_stream("g", "empty").await.unwrap();
    server.put("y", &[(NOW + 40, "m")]).await.unwrap();
    let input = DescribeLogStreamsRequest {
        order_by: Some(OrderBy::LastEventTime),
        descending: Some(true),
        limit: Some(3),
        ..Default::default()
    };
    let first = describe(&server, input.clone()).await;
    assert_eq!(names(&first), ["y", "x", "z"]);
    let second =
        describe(&server, DescribeLogStreamsRequest { next_token: first.next_token, ..input.clone() }).await;
    assert_eq!((names(&second), &second.next_token), (vec!["empty"], &None));
    let ascending = DescribeLogStreamsRequest { descending: None, ..input.clone() };
    assert_eq!(names(&describe(&server, ascending).await), ["empty", "z", "x"]);

    let both = DescribeLogStreamsRequest {
        log_group_name: Some("g".into()),
        log_stream_name_prefix: Some("x".into()),
        ..input
    };
    check_error(
        handlers::describe(server.logs.clone(), cx(), both).await,
        "InvalidParameterException: Cannot order by LastEventTime with a logStreamNamePrefix.",
    );
}

#[tokio::test]
async fn a_group_is_named_by_name_or_identifier_but_not_both() {
    let server = Server::with_stream().await;
    let request = |name: Option<&str>, identifier: Option<&str>| DescribeLogStreamsRequest {
        log_group_name: name.map(Into::into),
        log_group_identifier: identifier.map(Into::into),
        ..Default::default()
    };
    let arn = "arn:aws:logs:us-east-1:000000000000:log-group:g";
    for input in [request(Some("g"), None), request(None, Some("g")), request(None, Some(arn))] {
        let page = handlers::describe(server.logs.clone(), cx(), input).await.unwrap();
        assert_eq!(names(&page), ["s"]);
    }
    for input in [request(None, None), request(Some("g"), Some("g"))] {
        let error = handlers::describe(server.logs.clone(), cx(), input).await.unwrap_err();
        assert_eq!(error.code, "InvalidParameterException");
    }
}

#[tokio::test]
async fn a_deleted_stream_is_gone_with_its_events_even_if_it_is_made_again() {
    let server = Server::with_stream().await;
    server.create_stream("g", "other").await.unwrap();
    server.put("s", &[(NOW, "old")]).await.unwrap();
    server.put("other", &[(NOW, "other")]).await.unwrap();
    delete(&server, "s").await.unwrap();
    let no_stream = "ResourceNotFoundException: The specified log stream does not exist.";
    check_error(delete(&server, "s").await, no_stream);
    check_error(server.put("s", &[(NOW, "x")]).await, no_stream);
    assert_eq!(server.messages("g").await, ["other"]);
    server.create_stream("g", "s").await.unwrap();
    assert_eq!(server.messages("g").await, ["other"]);
}
