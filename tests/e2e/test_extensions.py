"""Extensions in layers, written as people write them: their events, their failures, and their end."""

import json

import pytest
from conftest import eventually
from test_invoke import tail_of
from test_layers import publish

# A Python extension on the standard library alone. What it hears it keeps in /tmp, and prints at the end.
AGENT = r"""#!/usr/bin/env python3
import http.client, json, os, sys

name = os.path.basename(__file__)
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])

def call(method, path, headers, body=None):
    api.request(method, "/2020-01-01/extension/" + path, body and json.dumps(body), headers)
    answer = api.getresponse()
    return answer, answer.read()

answer, body = call("POST", "register", {"Lambda-Extension-Name": name, "Lambda-Extension-Accept-Feature": "accountId"},
                    {"events": ["INVOKE", "SHUTDOWN"]})
assert answer.status == 200, body
me = {"Lambda-Extension-Identifier": answer.headers["Lambda-Extension-Identifier"]}
with open("/tmp/registered", "w") as file:
    json.dump({"answer": json.loads(body), "env": dict(os.environ), "cwd": os.getcwd()}, file)
MODE
while True:
    answer, body = call("GET", "event/next", me)
    event = json.loads(body)
    with open("/tmp/events", "a") as file:
        file.write(json.dumps(event) + "\n")
    print(name, "heard", json.dumps(event), flush=True)
    if event["eventType"] == "SHUTDOWN":
        sys.exit(0)
"""

HANDLER = r"""
import json, os, time

def read(name):
    try:
        return open("/tmp/" + name).read()
    except FileNotFoundError:
        return ""

def handler(event, context):
    if event.get("exit"):
        os._exit(event["exit"])
    if event.get("sleep"):
        time.sleep(event["sleep"])
    until = time.monotonic() + 5
    while event.get("events", 0) > read("events").count("\n") and time.monotonic() < until:
        time.sleep(0.01)
    return {
        "registered": json.loads(read("registered") or "null"),
        "events": [json.loads(line) for line in read("events").splitlines()],
    }
"""

# The same functions started afresh: a variable that is read when Python starts.
FRESH = {"PYTHONDONTWRITEBYTECODE": "1"}


def agent(mode=""):
    return {"extensions/agent": (AGENT.replace("MODE", mode), 0o755)}


@pytest.fixture(scope="module", params=["stem", "fresh"])
def extended(server, request):
    """Makes functions with extensions, from stems and afresh."""
    client = server.client("lambda")

    def make(files, **settings):
        variables = {"GREETING": "hello", **(FRESH if request.param == "fresh" else {})}
        layer = publish(client, files)
        return server.function(
            {"lambda_function.py": HANDLER}, Layers=[layer], Environment={"Variables": variables}, **settings
        )

    return make


def messages(server, name):
    logs = server.client("logs")
    try:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{name}")
        return [event["message"].rstrip("\n") for page in pages for event in page["events"]]
    except logs.exceptions.ResourceNotFoundException:
        return []


def log_until(server, name, text):
    return eventually(
        lambda: [line for line in [messages(server, name)] if any(text in message for message in line)],
        what=f"{text!r} in the log",
    )[0]


def test_an_extension_registers_hears_and_ends(server, extended):
    name = extended(agent())
    payload, response = server.invoke(name, {"events": 1})
    request_id = response["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"]
    registered = payload["registered"]
    assert registered["answer"] == {
        "accountId": "000000000000",
        "functionName": name,
        "functionVersion": "$LATEST",
        "handler": "lambda_function.handler",
    }
    environment = registered["env"]
    assert environment["GREETING"] == "hello" and environment["AWS_LAMBDA_FUNCTION_NAME"] == name
    for hidden in ["_HANDLER", "AWS_EXECUTION_ENV", "LAMBDA_TASK_ROOT", "AWS_LAMBDA_LOG_STREAM_NAME"]:
        assert hidden not in environment
    (invoke,) = payload["events"]
    assert (invoke["eventType"], invoke["requestId"]) == ("INVOKE", request_id)
    assert invoke["invokedFunctionArn"] == f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
    assert invoke["tracing"]["type"] == "X-Amzn-Trace-Id" and invoke["tracing"]["value"].startswith("Root=1-")
    # The second invocation in the same environment.
    payload, _ = server.invoke(name, {"events": 2})
    assert [event["eventType"] for event in payload["events"]] == ["INVOKE", "INVOKE"]
    # An update retires the environment, which tells its extensions.
    server.client("lambda").update_function_configuration(FunctionName=name, Description="changed")
    lines = log_until(server, name, "SHUTDOWN\", \"shutdownReason")
    assert "EXTENSION\tName: agent\tState: Ready\tEvents: [INVOKE,SHUTDOWN]" in lines
    end = json.loads([line for line in lines if "shutdownReason" in line][0].split("heard ")[1])
    assert end["shutdownReason"] == "spindown" and end["deadlineMs"] > 0


def test_a_runtime_with_an_extension_is_asked_to_end_before_the_extension(server):
    handler = HANDLER.replace("import json, os, time", """
import json, os, signal, sys, time
def ended(signum, frame):
    print("asked to end", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, ended)
""")
    layer = publish(server.client("lambda"), agent())
    name = server.function({"lambda_function.py": handler}, Layers=[layer])
    server.invoke(name, {"events": 1})
    server.client("lambda").update_function_configuration(FunctionName=name, Description="changed")
    lines = log_until(server, name, '"shutdownReason": "spindown"')
    assert "asked to end" in lines
    # Without one it is not asked.
    alone = server.function({"lambda_function.py": handler})
    server.invoke(alone, {})
    server.client("lambda").update_function_configuration(FunctionName=alone, Description="changed")
    server.invoke(alone, {})
    assert "asked to end" not in log_until(server, alone, "REPORT")


def test_a_timeout_tells_extensions_and_the_next_invocation_has_everything_again(server, extended):
    name = extended(agent(), Timeout=1)
    payload, _ = server.invoke(name, {"sleep": 60})
    assert payload["errorType"] == "Sandbox.Timedout"
    log_until(server, name, '"shutdownReason": "timeout"')
    payload, _ = server.invoke(name, {})
    assert payload["registered"]["answer"]["functionName"] == name


def test_a_runtime_that_exits_tells_extensions_of_a_failure(server, extended):
    name = extended(agent())
    assert server.invoke(name, {"exit": 3})[0]["errorType"] == "Runtime.ExitError"
    log_until(server, name, '"shutdownReason": "failure"')
    assert server.invoke(name, {})[0]["registered"] is not None


CRASHES = {
    "Extension.Crash": ("sys.exit(7)", "exit code 7", "State: Exited\tEvents: [INVOKE,SHUTDOWN]\tError Type: Extension.Crash"),
    "Extension.InitError": (
        'call("POST", "init/error", {**me, "Lambda-Extension-Function-Error-Type": "Extension.NoKey"}, {}); sys.exit(0)',
        "exit code 0",
        "State: InitError\tEvents: [INVOKE,SHUTDOWN]\tError Type: Extension.NoKey",
    ),
}


@pytest.mark.parametrize("kind", CRASHES)
def test_an_extension_that_cannot_start_fails_the_function(server, kind):
    mode, message, line = CRASHES[kind]
    client = server.client("lambda")
    name = server.function({"lambda_function.py": HANDLER}, Layers=[publish(client, agent(mode))])
    payload, response = server.invoke(name, {}, LogType="Tail")
    request_id = response["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"]
    assert payload == {"errorType": kind, "errorMessage": f"RequestId: {request_id} Error: {message}"}
    tail = tail_of(response)
    assert f"EXTENSION\tName: agent\t{line}" in tail
    assert f"Status: error\tError Type: {kind}" in tail


def test_an_extension_that_may_not_be_executed_cannot_be_launched(server):
    client = server.client("lambda")
    layer = publish(client, {"extensions/plain": ("#!/bin/sh\n", 0o644)})
    name = server.function({"lambda_function.py": HANDLER}, Layers=[layer])
    payload, response = server.invoke(name, {}, LogType="Tail")
    assert payload["errorType"] == "Extension.LaunchError"
    assert "EXTENSION\tName: plain\tState: LaunchError\tEvents: []\tError Type: PermissionDenied" in tail_of(response)


def test_an_extension_that_crashes_in_an_invocation_fails_it(server, extended):
    name = extended(agent('call("GET", "event/next", me); sys.exit(9)'))
    payload, _ = server.invoke(name, {"sleep": 8})
    assert payload["errorType"] == "Extension.Crash"


BASH = r"""#!/bin/bash
set -eu
base="http://$AWS_LAMBDA_RUNTIME_API/2020-01-01/extension"
headers=$(mktemp)
curl -sS -D "$headers" -o /dev/null -X POST "$base/register" -H "Lambda-Extension-Name: ${0##*/}" -d '{"events": ["INVOKE"]}'
id=$(grep -i '^lambda-extension-identifier' "$headers" | tr -d '[:space:]' | cut -d: -f2)
while true; do
  curl -sS "$base/event/next" -H "Lambda-Extension-Identifier: $id" | sed 's/.*"eventType":"\([A-Z]*\)".*/shell heard \1\n/'
done
"""


def test_bash_and_python_extensions_work_side_by_side_with_a_shell_wrapper(server):
    client = server.client("lambda")
    files = {
        **agent(),
        "extensions/shell.sh": (BASH, 0o755),
        "wrapper": ("#!/bin/bash\nexport GREETING=wrapped\nexec \"$@\"\n", 0o755),
    }
    handler = HANDLER.replace('    return {', '    return {"greeting": os.environ["GREETING"],')
    name = server.function(
        {"lambda_function.py": handler},
        Layers=[publish(client, files)],
        Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/wrapper"}},
    )
    payload, _ = server.invoke(name, {"events": 1})
    assert payload.get("greeting") == "wrapped", payload
    assert "shell heard INVOKE" in log_until(server, name, "shell heard")
    lines = log_until(server, name, "REPORT RequestId")
    assert "EXTENSION\tName: agent\tState: Ready\tEvents: [INVOKE,SHUTDOWN]" in lines
    assert "EXTENSION\tName: shell.sh\tState: Ready\tEvents: [INVOKE]" in lines


INTERNAL = r"""
import http.client, json, os, threading

api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
heard = []
asked = threading.Event()

def register(events):
    api.request("POST", "/2020-01-01/extension/register", json.dumps({"events": events}), {"Lambda-Extension-Name": "inner"})
    answer = api.getresponse()
    return answer.status, answer.headers["Lambda-Extension-Identifier"], json.loads(answer.read())

refused = register(["SHUTDOWN"])
status, me, _ = register(["INVOKE"])

def listen():
    while True:
        api.request("GET", "/2020-01-01/extension/event/next", headers={"Lambda-Extension-Identifier": me})
        heard.append(json.loads(api.getresponse().read())["eventType"])
        asked.set()

threading.Thread(target=listen, daemon=True).start()

def handler(event, context):
    asked.wait(5)
    return {"refused": refused[0], "why": refused[2]["errorType"], "status": status, "heard": heard}
"""


def test_an_internal_extension_hears_of_invocations_only(server):
    name = server.function({"lambda_function.py": INTERNAL})
    payload, _ = server.invoke(name, {})
    assert payload == {"refused": 403, "why": "Extension.InvalidEventType", "status": 200, "heard": ["INVOKE"]}
    assert "EXTENSION\tName: inner\tState: Ready\tEvents: [INVOKE]" in log_until(server, name, "REPORT RequestId")


def test_a_trace_header_reaches_function_and_extension_with_its_lineage(server, extended):
    name = extended(agent())
    header = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1;Lineage=2:a87bd80c:1"
    client = server.client("lambda")
    client.meta.events.register(
        "before-call.lambda.Invoke", lambda params, **_: params["headers"].update({"X-Amzn-Trace-Id": header})
    )
    answer = client.invoke(FunctionName=name, Payload=json.dumps({"events": 1}).encode())
    payload = json.loads(answer["Payload"].read())
    # The chain of calls goes on with this one.
    trace = payload["events"][-1]["tracing"]["value"]
    assert trace.startswith(header.replace("Lineage=2:", "Lineage=") + "|"), trace
