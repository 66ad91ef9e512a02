"""The Telemetry API and the Logs API, with an extension that listens as people's do."""

import json

import pytest
from conftest import eventually
from test_extensions import FRESH, log_until
from test_layers import publish

# What it receives it keeps in /tmp, one entry a line, and prints at the end what came last.
COLLECTOR = r"""#!/usr/bin/env python3
import http.client, http.server, json, os, socketserver, sys, threading

api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
received, lock = [], threading.Lock()

def keep(entries):
    with lock, open("/tmp/telemetry", "a") as file:
        for entry in entries:
            received.append(entry["type"])
            file.write(json.dumps(entry) + "\n")

class Sink(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        keep(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *args):
        pass

class Lines(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            keep([json.loads(line)])

def call(method, path, headers, body=None):
    api.request(method, path, body and json.dumps(body), headers)
    answer = api.getresponse()
    return answer, answer.read()

answer, _ = call("POST", "/2020-01-01/extension/register", {"Lambda-Extension-Name": "collector"}, {"events": ["INVOKE", "SHUTDOWN"]})
me = {"Lambda-Extension-Identifier": answer.headers["Lambda-Extension-Identifier"]}
settings = json.loads(os.environ["SUBSCRIPTION"])
tcp = settings.pop("tcp", False)
server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Lines) if tcp else http.server.ThreadingHTTPServer(("0.0.0.0", 0), Sink)
threading.Thread(target=server.serve_forever, daemon=True).start()
port = server.server_address[1]
path = settings.pop("path")
destination = {"protocol": "TCP", "port": port} if tcp else {"protocol": "HTTP", "URI": f"http://sandbox.localdomain:{port}/"}
answer, body = call("PUT", path, me, {"destination": destination, "buffering": {"timeoutMs": 25}, **settings})
print("subscribed", answer.status, body.decode(), flush=True)
while True:
    _, body = call("GET", "/2020-01-01/extension/event/next", me)
    if json.loads(body)["eventType"] == "SHUTDOWN":
        with lock:
            print("received", json.dumps(received), flush=True)
        sys.exit(0)
"""

HANDLER = r"""
import json, time

def handler(event, context):
    print("a line of", event["n"])
    until = time.monotonic() + 5
    wanted = event.get("until")
    while wanted and time.monotonic() < until:
        try:
            entries = [json.loads(line) for line in open("/tmp/telemetry")]
        except FileNotFoundError:
            entries = []
        if any(entry["type"] == wanted for entry in entries):
            return entries
        time.sleep(0.01)
    return None
"""


@pytest.fixture(scope="module")
def collector(server):
    return publish(server.client("lambda"), {"extensions/collector": (COLLECTOR, 0o755)})


def subscribed(server, layer, path="/2022-07-01/telemetry", variables=None, **settings):
    subscription = {"schemaVersion": "2022-12-13", "types": ["platform", "function", "extension"], "path": path, **settings}
    return server.function(
        {"lambda_function.py": HANDLER},
        Layers=[layer],
        Environment={"Variables": {"SUBSCRIPTION": json.dumps(subscription), **(variables or {})}},
    )


@pytest.mark.parametrize("variables", [{}, FRESH], ids=["stem", "fresh"])
def test_everything_arrives_in_order_and_before_the_environment_rests(server, collector, variables):
    name = subscribed(server, collector, variables=variables)
    server.invoke(name, {"n": 1})
    # The report of the first invocation comes after its answer, and before the environment is frozen.
    entries, response = server.invoke(name, {"n": 2, "until": "platform.report"})
    # The runtime starts while the extension subscribes.
    apart = ("extension", "platform.telemetrySubscription")
    kinds = [entry["type"] for entry in entries if entry["type"] not in apart]
    assert kinds[:8] == [
        "platform.initStart",
        "platform.initRuntimeDone",
        "platform.extension",
        "platform.initReport",
        "platform.start",
        "function",
        "platform.runtimeDone",
        "platform.report",
    ]
    assert [entry["type"] for entry in entries].count("platform.telemetrySubscription") == 1
    records = {entry["type"]: entry["record"] for entry in reversed(entries)}
    init = records["platform.initStart"]
    assert init["functionName"] == name and init["runtimeVersion"].startswith("python:") and init["phase"] == "init"
    assert records["platform.extension"] == {"name": "collector", "state": "Ready", "events": ["INVOKE", "SHUTDOWN"]}
    assert records["function"] == "a line of 1"
    report = records["platform.report"]
    assert report["status"] == "success" and report["metrics"]["memorySizeMB"] == 256
    assert report["metrics"]["billedDurationMs"] >= report["metrics"]["durationMs"]
    assert report["metrics"]["initDurationMs"] > 0
    lines = log_until(server, name, "TELEMETRY")
    assert "TELEMETRY\tName: collector\tState: Subscribed\tTypes: [Platform, Function, Extension]" in lines
    # At the end it has everything, before it is told to end.
    server.client("lambda").update_function_configuration(FunctionName=name, Description="changed")
    last = [line for line in log_until(server, name, "received [") if line.startswith("received")][0]
    assert json.loads(last.removeprefix("received ")).count("platform.report") == 2


def test_the_logs_api_posts_lines_over_tcp(server, collector):
    name = subscribed(
        server, collector, path="/2020-08-15/logs", schemaVersion="2021-03-18", types=["platform", "function"], tcp=True
    )
    server.invoke(name, {"n": 1})
    entries, _ = server.invoke(name, {"n": 2, "until": "platform.report"})
    kinds = [entry["type"] for entry in entries]
    assert kinds[:7] == [
        "platform.logsSubscription",
        "platform.extension",
        "platform.start",
        "function",
        "platform.runtimeDone",
        "platform.end",
        "platform.report",
    ]
    assert "LOGS\tName: collector\tState: Subscribed\tTypes: [Platform, Function]" in log_until(server, name, "LOGS")


def test_a_wrong_subscription_is_refused_with_everything_that_is_wrong(server, collector):
    name = subscribed(server, collector, types=[], buffering={"maxItems": 1})
    server.invoke(name, {"n": 1})
    lines = log_until(server, name, "subscribed 400")
    (said,) = [line for line in lines if line.startswith("subscribed")]
    assert json.loads(said.removeprefix("subscribed 400 ")) == {
        "errorType": "ValidationError",
        "errorMessage": "types should not be empty; buffering maxItems should be between 1000 and 10000",
    }


def test_json_logs_have_the_events_as_lines_and_as_records(server, collector):
    name = subscribed(server, collector, types=["function", "platform"])
    client = server.client("lambda")
    client.update_function_configuration(
        FunctionName=name, LoggingConfig={"LogFormat": "JSON", "SystemLogLevel": "DEBUG", "ApplicationLogLevel": "INFO"}
    )
    server.invoke(name, {"n": 1})
    entries, _ = server.invoke(name, {"n": 2, "until": "platform.report"})
    assert "platform.runtimeDone" in [entry["type"] for entry in entries]

    def platform_lines():
        logs = server.client("logs")
        events = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}", filterPattern='{ $.type = "platform.*" }')
        kinds = {json.loads(event["message"])["type"] for event in events["events"]}
        return kinds if "platform.report" in kinds else None

    kinds = eventually(platform_lines, what="the report in the log")
    assert kinds >= {
        "platform.initStart",
        "platform.initRuntimeDone",
        "platform.initReport",
        "platform.extension",
        "platform.telemetrySubscription",
        "platform.start",
        "platform.runtimeDone",
        "platform.report",
    }
