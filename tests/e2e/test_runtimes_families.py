"""The same conformance suite for every row of the runtime table that this machine serves, and for AWS's own clients as custom runtimes: a new row needs no new test."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from conformance import clients, served
from test_invoke import tail_of


@pytest.fixture(scope="module", params=[*served(), *clients()], ids=lambda row: row.name)
def row(request, server):
    """A function on each row."""
    function = server.function_from(
        request.param.package(False),
        runtime=request.param.runtime,
        handler=request.param.handler,
        Timeout=10,
        MemorySize=256,
        Environment={"Variables": {"GREETING": "grüß dich"}},
    )
    return request.param, function


def test_what_is_sent_comes_back(server, row):
    event = {"text": "grüß\n\"\\ \U0001f600", "numbers": [1, -2.5, 0], "deep": [{"list": []}], "yes": True}
    payload, response = server.invoke(row[1], event, LogType="Tail")
    assert payload == event
    assert f"handling {response['ResponseMetadata']['HTTPHeaders']['x-amzn-requestid']}" in tail_of(response)


def test_an_error_is_the_functions_and_the_environment_survives(server, row):
    before = server.invoke(row[1], {"context": 1})[0]["pid"]
    payload, response = server.invoke(row[1], {"fail": "nö"})
    assert response["FunctionError"] == "Unhandled"
    assert payload["errorMessage"] == "nö" and payload["errorType"], payload
    assert not row[0].traces or payload.get("stackTrace") or payload.get("trace"), payload
    assert server.invoke(row[1], {"context": 1})[0]["pid"] == before


def test_the_context_and_the_environment_are_lambdas(server, row):
    of, function = row
    payload, response = server.invoke(function, {"context": 1})
    remaining = payload.pop("remaining")
    assert 0 < remaining <= 10_000
    assert payload.pop("pid")
    assert payload.pop("trace").startswith("Root=1-")
    assert payload.pop("execution", None) == of.execution
    assert payload == {
        "id": response["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"],
        "arn": f"arn:aws:lambda:us-east-1:000000000000:function:{function}",
        "name": function,
        "memory": 256,
        "env": "grüß dich",
        "cwd": "/var/task",
    }


def test_large_payloads_pass_both_ways(server, row):
    event = {"text": "x" * 5_500_000}
    assert server.invoke(row[1], event)[0] == event


def test_whoever_wants_a_stream_gets_one(server, row):
    client = server.client("lambda")
    answer = client.invoke_with_response_stream(FunctionName=row[1], Payload=b'{"text": "in one part or several"}')
    events = list(answer["EventStream"])
    written = b"".join(event["PayloadChunk"]["Payload"] for event in events if "PayloadChunk" in event)
    assert json.loads(written) == {"text": "in one part or several"}
    assert not events[-1]["InvokeComplete"].get("ErrorCode"), events[-1]
    answer = client.invoke_with_response_stream(FunctionName=row[1], Payload=b'{"fail": "no"}')
    failed = list(answer["EventStream"])
    assert "no" in json.dumps(failed, default=lambda part: part.decode()), failed


def test_the_trace_header_is_the_invocations(server, row):
    header = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0;Lineage=2:a87bd80c:1"
    client = server.client("lambda")
    client.meta.events.register(
        "before-call.lambda.Invoke", lambda params, **_: params["headers"].update({"X-Amzn-Trace-Id": header})
    )
    answer = client.invoke(FunctionName=row[1], Payload=b'{"context": 1}')
    trace = json.loads(answer["Payload"].read())["trace"]
    # The chain of calls goes on with this one.
    assert trace.startswith(header.replace("Lineage=2:", "Lineage=") + "|"), trace
    assert server.invoke(row[1], {"context": 1})[0]["trace"].startswith("Root=1-")


def test_an_exit_is_reported_and_the_next_one_served(server, row):
    payload, _ = server.invoke(row[1], {"exit": 3})
    assert payload["errorType"] == "Runtime.ExitError"
    assert payload["errorMessage"].endswith("Error: Runtime exited with error: exit status 3")
    assert server.invoke(row[1], {"after": 1})[0] == {"after": 1}


def test_a_function_that_is_too_slow_times_out(server, row):
    server.client("lambda").update_function_configuration(FunctionName=row[1], Timeout=2)
    server.client("lambda").get_waiter("function_updated_v2").wait(
        FunctionName=row[1], WaiterConfig={"Delay": 0.02, "MaxAttempts": 1500}
    )
    payload, _ = server.invoke(row[1], {"sleep": 30})
    assert payload["errorType"] == "Sandbox.Timedout"
    assert payload["errorMessage"].endswith("Error: Task timed out after 2.00 seconds")
    assert server.invoke(row[1], {"after": 1})[0] == {"after": 1}


def test_invocations_at_the_same_time_are_apart(server, row):
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda number: server.invoke(row[1], {"sleep": 1, "number": number})[0], range(3)))
    assert [answer["number"] for answer in answers] == [0, 1, 2]


def test_a_function_that_cannot_start_says_why(server, row):
    function = server.function_from(row[0].package(True), runtime=row[0].runtime, handler=row[0].broken_handler)
    payload, response = server.invoke(function, {})
    assert response["FunctionError"] == "Unhandled"
    assert payload["errorMessage"] and payload["errorType"], payload
