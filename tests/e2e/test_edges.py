"""Everything that can go wrong with a runtime in an invocation, through a custom runtime that does it on purpose."""

import http.client
import json

import pytest
from test_extensions import log_until
from test_invoke import tail_of

# A runtime that does what its event says, with raw calls of the Runtime API. The system's Python is in every root.
RUNTIME = r"""#!/usr/bin/python3
import ctypes, http.client, json, os, sys, time

host = os.environ["AWS_LAMBDA_RUNTIME_API"]
PREFIX = "/2018-06-01/runtime/"

def call(method, path, body=None, headers={}, timeout=None):
    connection = http.client.HTTPConnection(host, timeout=timeout)
    connection.request(method, PREFIX + path, body, headers)
    answer = connection.getresponse()
    return answer.status, answer.headers, answer.read()

def told(answer):
    return [answer[0], json.loads(answer[2])]

while True:
    _, headers, body = call("GET", "invocation/next")
    event, request_id = json.loads(body), headers["Lambda-Runtime-Aws-Request-Id"]
    what, mine = event["what"], "invocation/" + request_id + "/"
    print("doing", what, flush=True)
    if what == "exit": os._exit(event["status"])
    if what == "segfault": ctypes.string_at(0)
    if what == "overflow":
        # Through C and back, so that it is the stack that ends and not Python's patience.
        sys.setrecursionlimit(10**9)
        deeper = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda depth: deeper(depth + 1))
        deeper(0)
    if what == "memory":
        hoard = []
        while True: hoard.append(bytearray(16 * 1024 * 1024))
    if what == "large":
        answer = call("POST", mine + "response", b"x" * event["bytes"])
        print("answered", answer[0], answer[2].decode().strip(), flush=True)
        continue
    if what == "twice":
        first = told(call("POST", mine + "response", b'"first"'))
        second = told(call("POST", mine + "response", b'"second"'))
        third = told(call("POST", mine + "error", b'{}'))
        print("answers", json.dumps([first, second, third]), flush=True)
        continue
    if what == "next":
        refused = told(call("GET", "invocation/next"))
        call("POST", mine + "response", json.dumps(refused))
        continue
    if what == "mistakes":
        other = "invocation/8476a536-e9f4-11e8-9739-2dfe598c3fcd/"
        seen = [
            told(call("POST", other + "response", b"{}")),
            told(call("POST", "invocation/no-id/error", b"{}")),
            told(call("POST", "init/error", b"{}")),
            call("GET", "nothing")[0],
            call("DELETE", "invocation/next")[0],
        ]
        call("POST", mine + "response", json.dumps(seen))
        continue
    if what == "late": time.sleep(event["sleep"])
    if what == "outlast":
        # Time for its client to read in the log that this began, and to go.
        time.sleep(event["sleep"])
        print("outlasted", flush=True)
    call("POST", mine + "response", json.dumps({"done": what, "pid": os.getpid()}))
"""


def misbehaving(server, timeout):
    files = {"bootstrap": (RUNTIME, 0o755)}
    settings = {"runtime": "provided.al2023", "handler": "any", "Timeout": timeout, "MemorySize": 256}
    return server.function(files, **settings)


@pytest.fixture(scope="module")
def edge(server):
    """One whose time is never what ends it, however slow the machine."""
    return misbehaving(server, timeout=60)


def failed(server, name, event):
    payload, response = server.invoke(name, event, LogType="Tail")
    request_id = response["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"]
    assert response["FunctionError"] == "Unhandled", payload
    assert payload["errorMessage"].startswith(f"RequestId: {request_id} Error: "), payload
    tail = tail_of(response)
    assert f"START RequestId: {request_id} Version: $LATEST" in tail
    assert f"END RequestId: {request_id}" in tail and f"doing {event['what']}" in tail
    # Whatever it was, the next request is answered.
    assert server.invoke(name, {"what": "fine"})[0]["done"] == "fine"
    report = next(line for line in tail.splitlines() if line.startswith(f"REPORT RequestId: {request_id}"))
    return payload["errorType"], payload["errorMessage"].split(" Error: ", 1)[1], report


@pytest.mark.parametrize(
    ("event", "error_type", "message"),
    [
        ({"what": "exit", "status": 0}, "Runtime.ExitError", "Runtime exited without providing a reason"),
        ({"what": "exit", "status": 1}, "Runtime.ExitError", "Runtime exited with error: exit status 1"),
        ({"what": "segfault"}, "Runtime.ExitError", "Runtime exited with error: signal: segmentation fault"),
        ({"what": "overflow"}, "Runtime.ExitError", "Runtime exited with error: signal: segmentation fault"),
    ],
    ids=["exit-0", "exit-1", "segfault", "stack-overflow"],
)
def test_a_runtime_that_dies_is_reported_by_how(server, edge, event, error_type, message):
    assert failed(server, edge, event)[:2] == (error_type, message)
    assert failed(server, edge, event)[2].endswith(f"Status: error\tError Type: {error_type}")


def test_a_runtime_that_takes_too_much_memory_is_told_apart(server, edge):
    server.must_enforce("memory")
    error_type, message, report = failed(server, edge, {"what": "memory"})
    assert (error_type, message) == ("Runtime.OutOfMemory", "Runtime exited with error: signal: killed")
    assert "Max Memory Used: 256 MB" in report and report.endswith("Error Type: Runtime.OutOfMemory")


def test_a_response_after_the_deadline_is_a_timeout_and_never_another_invocations(server):
    name = misbehaving(server, timeout=2)
    server.invoke(name, {"what": "fine"})
    error_type, message, report = failed(server, name, {"what": "late", "sleep": 30})
    assert (error_type, message) == ("Sandbox.Timedout", "Task timed out after 2.00 seconds")
    assert "\tDuration: 2000.00 ms\tBilled Duration: 2000 ms\t" in report and report.endswith("Status: timeout")


def test_a_response_that_is_too_large_is_an_error_and_the_runtime_is_told(server, edge):
    before = server.invoke(edge, {"what": "fine"})[0]["pid"]
    payload, response = server.invoke(edge, {"what": "large", "bytes": 6291557})
    assert response["FunctionError"] == "Unhandled"
    assert payload == {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
    }
    log_until(server, edge, 'answered 413 {"errorMessage":"Exceeded maximum allowed payload size (6291556 bytes).","errorType":"RequestEntityTooLarge"}')
    assert server.invoke(edge, {"what": "fine"})[0]["pid"] == before


def transition(source, target):
    message = f"State transition from {source} to {target} failed for runtime. Error: State transition is not allowed"
    return [403, {"errorMessage": message, "errorType": "InvalidStateTransition"}]


def test_calls_that_may_not_be_are_refused_and_harm_nothing(server, edge):
    assert server.invoke(edge, {"what": "next"})[0] == transition("Running", "Ready")
    invalid = [400, {"errorMessage": "Invalid request ID", "errorType": "InvalidRequestID"}]
    assert server.invoke(edge, {"what": "mistakes"})[0] == [invalid, invalid, transition("Running", "InitError"), 404, 405]
    assert server.invoke(edge, {"what": "twice"})[0] == "first"
    lines = log_until(server, edge, "answers [")
    said = next(line for line in lines if line.startswith("answers ["))
    assert json.loads(said.removeprefix("answers ")) == [
        [202, {"status": "OK"}],
        transition("ResponseSent", "InvocationResponse"),
        transition("ResponseSent", "InvocationErrorResponse"),
    ]


def test_a_client_that_goes_does_not_stop_the_function(server, edge):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    event = b'{"what": "outlast", "sleep": 1}'
    connection.request("POST", f"/2015-03-31/functions/{edge}/invocations", event)
    # What goes before its request has arrived whole has asked for nothing.
    log_until(server, edge, "doing outlast")
    connection.close()
    lines = log_until(server, edge, "outlasted")
    assert server.invoke(edge, {"what": "fine"})[0]["done"] == "fine"
    (start,) = [number for number, line in enumerate(lines) if line == "doing outlast"]
    request_id = lines[start - 1].split()[2]
    log_until(server, edge, f"REPORT RequestId: {request_id}")
