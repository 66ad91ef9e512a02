"""CloudWatch Logs: groups, streams, events, and the patterns that find them."""

import time
import uuid

import pytest
from botocore.exceptions import ClientError
from conftest import eventually


def refused(call, **parameters):
    with pytest.raises(ClientError) as error:
        call(**parameters)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


@pytest.fixture
def logs(server):
    """An account of its own: lists are exact."""
    return server.client("logs", key=f"{uuid.uuid4().int % 10**12:012d}", parameter_validation=False)


@pytest.fixture
def stream(logs):
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="s")
    return {"logGroupName": "g", "logStreamName": "s"}


def now_ms():
    return int(time.time() * 1000)


def put(logs, stream, *messages, start=None):
    start = start or now_ms() - 10_000
    events = [{"timestamp": start + number, "message": message} for number, message in enumerate(messages)]
    return logs.put_log_events(**stream, logEvents=events)


def test_what_was_put_is_got_back_in_order(logs, stream):
    start = now_ms() - 10_000
    put(logs, stream, "one", "two", "three", start=start)
    answer = logs.get_log_events(**stream, startFromHead=True)
    assert [(event["timestamp"], event["message"]) for event in answer["events"]] == [
        (start, "one"),
        (start + 1, "two"),
        (start + 2, "three"),
    ]
    assert all(event["ingestionTime"] >= event["timestamp"] for event in answer["events"])
    # At the end a token leads to itself, and to what comes later.
    token = answer["nextForwardToken"]
    assert logs.get_log_events(**stream, startFromHead=True, nextToken=token)["events"] == []
    put(logs, stream, "four", start=now_ms())
    later = logs.get_log_events(**stream, startFromHead=True, nextToken=token)["events"]
    assert [event["message"] for event in later] == ["four"]
    described = logs.describe_log_streams(logGroupName="g")["logStreams"][0]
    assert (described["logStreamName"], described["firstEventTimestamp"]) == ("s", start)


def test_events_are_read_page_by_page_from_either_end(logs, stream):
    put(logs, stream, *[f"m{number}" for number in range(10)])
    newest = logs.get_log_events(**stream, limit=3)
    assert [event["message"] for event in newest["events"]] == ["m7", "m8", "m9"]
    older = logs.get_log_events(**stream, limit=3, nextToken=newest["nextBackwardToken"])
    assert [event["message"] for event in older["events"]] == ["m4", "m5", "m6"]
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName="g", PaginationConfig={"PageSize": 4})
    assert [event["message"] for page in pages for event in page["events"]] == [f"m{number}" for number in range(10)]


LINES = [
    "ERROR disk full",
    "WARN disk slow",
    "INFO all good",
    '{"level": "error", "code": 503, "user": {"id": 7, "tags": ["a", "b"]}}',
    '{"level": "info", "code": 200}',
    "127.0.0.1 sam [10/Oct/2026] GET 404 1534",
]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("", [0, 1, 2, 3, 4, 5]),
        ("disk", [0, 1]),
        ("disk full", [0]),
        ("?ERROR ?WARN", [0, 1]),
        ("disk -ERROR", [1]),
        ('"all good"', [2]),
        ("Disk", []),
        ('{ $.level = "error" }', [3]),
        ("{ $.code >= 200 && $.code < 300 }", [4]),
        ("{ $.code = 503 || $.code = 200 }", [3, 4]),
        ('{ $.user.tags[1] = "b" }', [3]),
        ('{ $.user.id = "*" }', [3]),
        ("{ $.user NOT EXISTS }", [4]),
        ('{ $.level = "e*" }', [3]),
        ("[ip, user, when, method, status = 4*, bytes > 1000]", [5]),
        ("%dis[k] full|slow%", [0, 1]),
    ],
)
def test_patterns_find_what_cloudwatchs_find(logs, stream, pattern, found):
    put(logs, stream, *LINES)
    events = logs.filter_log_events(logGroupName="g", filterPattern=pattern)["events"]
    assert [event["message"] for event in events] == [LINES[number] for number in found]


@pytest.mark.parametrize("pattern", ["{ $.a = ", "[a, b", '"open', "{ nothing }", "{ $.a EXISTS }", "%(full)%"])
def test_a_pattern_that_is_none_is_refused(logs, stream, pattern):
    assert refused(logs.filter_log_events, logGroupName="g", filterPattern=pattern)[0] == "InvalidParameterException"


def test_filtering_is_bounded_by_time_and_streams(logs, stream):
    start = now_ms() - 60_000
    put(logs, stream, "old", start=start)
    put(logs, stream, "new", start=start + 30_000)
    logs.create_log_stream(logGroupName="g", logStreamName="other")
    put(logs, {**stream, "logStreamName": "other"}, "elsewhere", start=start + 40_000)

    def messages(**more):
        return [event["message"] for event in logs.filter_log_events(logGroupName="g", **more)["events"]]

    assert messages() == ["old", "new", "elsewhere"]
    assert messages(startTime=start + 1) == ["new", "elsewhere"]
    assert messages(endTime=start + 30_000) in (["old"], ["old", "new"])
    assert messages(logStreamNames=["s"]) == ["old", "new"]
    assert messages(logStreamNamePrefix="oth") == ["elsewhere"]
    event = logs.filter_log_events(logGroupName="g", limit=1)["events"][0]
    assert event["logStreamName"] == "s" and event["eventId"]


@pytest.mark.parametrize(
    ("call", "parameters", "expected"),
    [
        ("create_log_group", {"logGroupName": "g"}, ("ResourceAlreadyExistsException", "The specified log group already exists")),
        ("create_log_stream", {"logGroupName": "g", "logStreamName": "s"}, ("ResourceAlreadyExistsException", "The specified log stream already exists")),
        ("create_log_stream", {"logGroupName": "none", "logStreamName": "s"}, ("ResourceNotFoundException", "The specified log group does not exist.")),
        ("delete_log_group", {"logGroupName": "none"}, ("ResourceNotFoundException", "The specified log group does not exist.")),
        ("get_log_events", {"logGroupName": "g", "logStreamName": "none"}, ("ResourceNotFoundException", "The specified log stream does not exist.")),
        ("filter_log_events", {"logGroupName": "none"}, ("ResourceNotFoundException", "The specified log group does not exist.")),
        ("put_log_events", {"logGroupName": "g", "logStreamName": "none", "logEvents": [{"timestamp": 1, "message": "m"}]}, ("ResourceNotFoundException", "The specified log stream does not exist.")),
    ],
)
def test_mistakes_have_cloudwatchs_words(logs, stream, call, parameters, expected):
    assert refused(getattr(logs, call), **parameters) == expected


@pytest.mark.parametrize(
    ("call", "parameters"),
    [
        ("create_log_group", {"logGroupName": "has space"}),
        ("create_log_group", {"logGroupName": "g" * 513}),
        ("put_retention_policy", {"logGroupName": "g", "retentionInDays": 2}),
        ("get_log_events", {"logGroupName": "g", "logStreamName": "s", "limit": 10_001}),
        ("get_log_events", {"logGroupName": "g", "logStreamName": "s", "nextToken": "made up"}),
        ("put_log_events", {"logGroupName": "g", "logStreamName": "s", "logEvents": []}),
    ],
)
def test_what_cannot_be_is_an_invalid_parameter(logs, stream, call, parameters):
    assert refused(getattr(logs, call), **parameters)[0] == "InvalidParameterException"


def test_events_out_of_time_are_told_and_the_rest_is_kept(logs, stream):
    now = now_ms()
    events = [{"timestamp": now - 15 * 24 * 3600 * 1000, "message": "ancient"}, {"timestamp": now, "message": "now"}]
    answer = logs.put_log_events(**stream, logEvents=events)
    assert answer["rejectedLogEventsInfo"]["tooOldLogEventEndIndex"] in (0, 1)
    assert [event["message"] for event in logs.get_log_events(**stream)["events"]] == ["now"]


def test_retention_and_tags_are_kept(logs):
    logs.create_log_group(logGroupName="g", tags={"a": "1"})
    logs.put_retention_policy(logGroupName="g", retentionInDays=7)
    group = logs.describe_log_groups(logGroupNamePrefix="g")["logGroups"][0]
    assert group["retentionInDays"] == 7 and group["arn"].endswith(":log-group:g:*")
    arn = group["arn"].removesuffix(":*")
    logs.tag_resource(resourceArn=arn, tags={"b": "2"})
    logs.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"b": "2"}
    logs.delete_retention_policy(logGroupName="g")
    assert "retentionInDays" not in logs.describe_log_groups()["logGroups"][0]


def test_groups_are_listed_by_prefix_and_page(logs):
    for name in ("a/1", "a/2", "a/3", "b/1"):
        logs.create_log_group(logGroupName=name)
    pages = logs.get_paginator("describe_log_groups").paginate(
        logGroupNamePrefix="a/", PaginationConfig={"PageSize": 2}
    )
    assert [[group["logGroupName"] for group in page["logGroups"]] for page in pages] == [["a/1", "a/2"], ["a/3"]]


def test_a_deleted_group_takes_its_events_along(logs, stream):
    put(logs, stream, "gone")
    logs.delete_log_group(logGroupName="g")
    logs.create_log_group(logGroupName="g")
    assert logs.filter_log_events(logGroupName="g")["events"] == []
    assert logs.describe_log_streams(logGroupName="g")["logStreams"] == []


def test_a_function_logs_where_its_configuration_says(server):
    name = server.python(
        "def handler(event, context): print('here', context.log_group_name)",
        LoggingConfig={"LogGroup": "/shared/group", "LogFormat": "Text"},
    )
    server.invoke(name)
    client = server.client("logs")

    def found():
        try:
            return client.filter_log_events(logGroupName="/shared/group", filterPattern="here")["events"]
        except ClientError:
            return None

    events = eventually(found, what="the line in the shared group")
    assert events[0]["message"].startswith("here /shared/group")


def test_a_flood_of_lines_arrives_whole(server):
    name = server.python("def handler(event, context):\n    for number in range(5000): print(f'line {number}', 'x' * 300)\n")
    server.invoke(name)
    client = server.client("logs")

    def lines():
        pages = client.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{name}", filterPattern="line")
        return [event["message"].split()[1] for page in pages for event in page["events"]]

    def arrived():
        try:
            found = lines()
        except client.exceptions.ResourceNotFoundException:
            return None
        return len(found) >= 5000 and found

    assert eventually(arrived, what="all lines") == [str(number) for number in range(5000)]


def test_what_is_not_there_yet_is_refused_by_name(logs):
    code, message = refused(logs.start_query, logGroupName="g", startTime=0, endTime=1, queryString="fields @message")
    assert code == "NotImplemented" and "StartQuery" in message


def test_the_oldest_events_make_room_for_new_ones(start):
    """`--log-storage`: a function that prints for ever does not fill the disk."""
    server = start("--log-storage", "1")
    source = "def handler(event, context):\n    for n in range(1_000): print(event['batch'], n, 'x' * 1_000)"
    name, logs = server.python(source, Timeout=60), server.client("logs")
    for batch in range(4):
        server.invoke(name, {"batch": batch})

    def stored():
        [group] = logs.describe_log_groups()["logGroups"]
        return group["storedBytes"]

    def batches():
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{name}", filterPattern=f'"{"x" * 1_000}"')
        return [tuple(map(int, event["message"].split()[:2])) for page in pages for event in page["events"]]

    eventually(lambda: stored() <= 1 << 20 and (3, 999) in batches(), what="the last event in a megabyte of log")
    found = batches()
    assert found == [(batch, n) for batch in range(4) for n in range(1_000)][-len(found):]
    assert 500 < len(found) < 1_010
    eventually(lambda: "log storage is full: the oldest log events are removed" in server.printed(), what="a warning")
