"""Asynchronous invocation: accepted now, run soon, tried again, given up. Time is moved by hand."""

import json
import urllib.request

import pytest
from botocore.exceptions import ClientError

from conftest import Server, eventually

# Answers with what it got, after it has said so in the log.
ECHO = """
import json
def handler(event, context):
    print('ran', json.dumps({'id': context.aws_request_id, 'arn': context.invoked_function_arn, 'event': event}))
    return event
"""

# Fails as often as the event says, counting by the log.
FAILING = """
import json
def handler(event, context):
    print('ran', json.dumps({'id': context.aws_request_id, 'event': event}))
    raise ValueError('as asked')
"""


@pytest.fixture(scope="module")
def virtual():
    """A server whose time stands still until it is moved."""
    running = Server("--time", "virtual")
    yield running
    assert running.stop() == 0, running.printed()


def advance(server, seconds):
    body = json.dumps({"advanceSeconds": seconds}).encode()
    request = urllib.request.Request(f"{server.endpoint}/_hearth/time", data=body, method="POST")
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)["epochMs"]


def now_ms(server):
    return advance(server, 0)


def send(server, name, event=None, **parameters):
    """Invokes asynchronously and gives the request id."""
    body = json.dumps(event).encode() if event is not None else b""
    response = server.client("lambda").invoke(
        FunctionName=name, InvocationType="Event", Payload=body, **parameters
    )
    assert response["StatusCode"] == 202
    assert response["Payload"].read() == b""
    assert "ExecutedVersion" not in response and "FunctionError" not in response
    return response["ResponseMetadata"]["RequestId"]


def runs(server, name):
    """What the function said it ran with, with the moment of each run."""
    logs = server.client("logs")
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{name}")
    try:
        events = [event for page in pages for event in page["events"]]
    except logs.exceptions.ResourceNotFoundException:
        return []
    said = [(event["timestamp"], event["message"]) for event in events if event["message"].startswith("ran ")]
    return [(at, json.loads(message[4:])) for at, message in said]


def run_times(server, name, count, since):
    """Seconds after `since` at which the function ran."""
    found = eventually(lambda: (lambda r: r if len(r) >= count else None)(runs(server, name)), what=f"{count} runs")
    assert len(found) == count
    return [round((at - since) / 1000) for at, _ in found]


def test_an_event_is_accepted_and_runs(server):
    name = server.python(ECHO)
    request_id = send(server, name, {"a": 1})
    ((_, said),) = eventually(lambda: runs(server, name), what="the run")
    assert said["id"] == request_id and said["event"] == {"a": 1}
    assert said["arn"].endswith(f":function:{name}")


def test_no_payload_is_an_empty_object_and_invoke_async_is_the_same(server):
    name = server.python(ECHO)
    send(server, name)
    answer = server.client("lambda").invoke_async(FunctionName=name, InvokeArgs=b'{"old": true}')
    assert answer["Status"] == 202
    found = eventually(lambda: (lambda r: r if len(r) == 2 else None)(runs(server, name)), what="both runs")
    assert sorted(json.dumps(said["event"]) for _, said in found) == ['{"old": true}', "{}"]


def test_what_cannot_be_accepted_is_refused_at_once(server):
    name = server.python(ECHO)
    client = server.client("lambda")

    def refused(**parameters):
        with pytest.raises(ClientError) as error:
            client.invoke(InvocationType="Event", **parameters)
        return error.value.response

    response = refused(FunctionName=name, Payload=b"{nope")
    assert response["Error"]["Code"] == "InvalidRequestContentException"
    response = refused(FunctionName=name, Payload=b'"' + b"a" * (1024 * 1024) + b'"')
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 413
    assert "for the Event invocation type (limit 1048576 bytes)" in response["Error"]["Message"]
    assert refused(FunctionName="nobody")["Error"]["Code"] == "ResourceNotFoundException"
    with pytest.raises(ClientError) as error:
        client.invoke_async(FunctionName=name, InvokeArgs=b"nope")
    assert error.value.response["Error"]["Code"] == "InvalidRequestContentException"
    assert client.invoke(FunctionName=name, InvocationType="Event", Payload=b'"' + b"a" * (1024 * 1024 - 2) + b'"')[
        "StatusCode"
    ] == 202


def test_a_failing_event_is_tried_again_after_one_and_two_minutes_and_no_more(virtual):
    name = virtual.python(FAILING)
    start = now_ms(virtual)
    request_id = send(virtual, name, {"n": 1})
    advance(virtual, 59)
    assert run_times(virtual, name, 1, start) == [0]
    advance(virtual, 1)
    assert run_times(virtual, name, 2, start) == [0, 60]
    advance(virtual, 6 * 3600)
    assert run_times(virtual, name, 3, start) == [0, 60, 180]
    assert {said["id"] for _, said in runs(virtual, name)} == {request_id}, "the request id stays the same"


def test_a_throttled_event_waits_with_growing_intervals_and_runs_when_there_is_room(virtual):
    name = virtual.python("import time\ndef handler(event, context):\n    print('ran', '{}')\n    time.sleep(event)\n")
    client = virtual.client("lambda")
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    # One that runs, and one that finds no room while it does.
    for event in [0.3, 0]:
        send(virtual, name, event)
    start = now_ms(virtual)
    assert len(run_times(virtual, name, 2, start)) == 2, "the second runs as soon as the first is done"


def test_a_function_that_is_switched_off_gives_its_events_up_at_once(virtual):
    name = virtual.python(ECHO)
    client = virtual.client("lambda")
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    send(virtual, name, {})
    now_ms(virtual)
    client.delete_function_concurrency(FunctionName=name)
    advance(virtual, 7 * 3600)
    assert runs(virtual, name) == []


def test_events_of_a_deleted_function_are_dropped(virtual):
    name = virtual.python(FAILING)
    start = now_ms(virtual)
    send(virtual, name, {})
    assert run_times(virtual, name, 1, start) == [0]
    virtual.client("lambda").delete_function(FunctionName=name)
    advance(virtual, 3600)
    assert len(runs(virtual, name)) == 1


def test_events_survive_a_kill_and_keep_their_moment(start, data_dir):
    server = start("--time", "virtual", data_dir=data_dir)
    name = server.python(FAILING)
    begun = now_ms(server)
    send(server, name, {})
    assert run_times(server, name, 1, begun) == [0]
    advance(server, 30)
    server.kill()
    server.start()
    advance(server, max(0, (begun - now_ms(server)) / 1000 + 59))
    assert len(runs(server, name)) == 1
    advance(server, 1)
    assert run_times(server, name, 2, begun) == [0, 60]


def test_a_burst_runs_once_each(server):
    name = server.python(ECHO)
    sent = {send(server, name, {"n": n}) for n in range(60)}
    found = eventually(lambda: (lambda r: r if len(r) >= 60 else None)(runs(server, name)), what="all runs")
    assert {said["id"] for _, said in found} == sent and len(found) == 60
