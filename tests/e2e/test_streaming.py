"""InvokeWithResponseStream: what a function has written is there while it still writes.

Functions here wait at a gate, which is a tag of their own: the test sets it once it has seen what came before.
"""

import base64
import http.client
import json
import shutil
import subprocess
import uuid

import pytest
from botocore.eventstream import EventStreamBuffer
from botocore.exceptions import ClientError
from conftest import HERE
from test_sdk_js import MODULES

# A custom runtime: it speaks the Runtime API itself, over a bare socket, from where a handler would be imported. The
# event says step by step what it does.
RUNTIME = r"""
import json, os, signal, socket, time, urllib.parse, urllib.request

host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].rsplit(":", 1)
PREFIX = "/2018-06-01/runtime/invocation/"


def until_open(arn, gate):
    url = os.environ["AWS_ENDPOINT_URL"] + "/2017-03-31/tags/" + urllib.parse.quote(arn, safe="")
    while gate not in json.load(urllib.request.urlopen(url))["Tags"]:
        time.sleep(0.01)


def respond(request_id, arn, event):
    connection = socket.create_connection((host, int(port)))
    connection.sendall(
        (
            f"POST {PREFIX}{request_id}/response HTTP/1.1\r\nHost: runtime\r\n"
            f"Lambda-Runtime-Function-Response-Mode: {event.get('mode', 'streaming')}\r\n"
            f"Content-Type: {event.get('type', 'application/octet-stream')}\r\nTransfer-Encoding: chunked\r\n"
            "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n"
        ).encode()
    )
    trailers = ""
    for step, value in event["steps"]:
        if step == "write":
            data = value.encode("latin-1")
            connection.sendall(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        elif step == "fill":
            connection.sendall((b"10000\r\n" + b"x" * 0x10000 + b"\r\n") * value)
        elif step == "gate":
            until_open(arn, value)
        elif step == "trailers":
            trailers = value
        elif step == "exit":
            os._exit(value)
        elif step == "hang":
            signal.pause()
    connection.sendall(b"0\r\n" + trailers.encode() + b"\r\n")
    answer = connection.makefile("rb")
    status = answer.readline().split(b" ")[1].decode()
    print("the runtime was answered", status, answer.read().decode().splitlines()[-1] if status == "400" else "", flush=True)


while True:
    with urllib.request.urlopen(f"http://{host}:{port}{PREFIX}next") as answer:
        event = json.load(answer)
        request_id = answer.headers["Lambda-Runtime-Aws-Request-Id"]
        arn = answer.headers["Lambda-Runtime-Invoked-Function-Arn"]
    respond(request_id, arn, event)
"""

NODE = """
const untilOpen = async (arn, gate) => {
  const url = `${process.env.AWS_ENDPOINT_URL}/2017-03-31/tags/${encodeURIComponent(arn)}`;
  while (!(gate in (await (await fetch(url)).json()).Tags)) await new Promise((done) => setTimeout(done, 10));
};
export const handler = awslambda.streamifyResponse(async (event, stream, context) => {
  console.log('streaming for', context.awsRequestId);
  if (event.empty) return void stream.end();
  if (event.http) {
    const answer = awslambda.HttpResponseStream.from(stream, { statusCode: 201, headers: { a: 'b' } });
    answer.write('body');
    return void answer.end();
  }
  if (event.early) throw new RangeError('too early');
  stream.setContentType('text/plain');
  stream.write('first');
  if (event.gate) await untilOpen(context.invokedFunctionArn, event.gate);
  if (event.late) throw new RangeError('half way');
  stream.write('second');
  stream.end();
});
"""


class Function:
    def __init__(self, server, name):
        self.server, self.name = server, name
        self.client = server.client("lambda")
        self.arn = self.client.get_function(FunctionName=name)["Configuration"]["FunctionArn"]

    def stream(self, event, **parameters):
        return self.client.invoke_with_response_stream(
            FunctionName=self.name, Payload=json.dumps(event).encode(), **parameters
        )

    def open(self, gate):
        self.client.tag_resource(Resource=self.arn, Tags={gate: "open"})

    def complete(self, event, **parameters):
        """Everything that was written, and how it ended."""
        return rest(iter(self.stream(event, **parameters)["EventStream"]))


def rest(events):
    written = b""
    for event in events:
        if "InvokeComplete" in event:
            assert list(events) == []
            return written, event["InvokeComplete"]
        written += event["PayloadChunk"]["Payload"]
    raise AssertionError(f"the stream ended without InvokeComplete after {written!r}")


def gate():
    return f"gate-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="module")
def custom(server):
    return Function(server, server.python(RUNTIME, Timeout=30))


@pytest.fixture(scope="module")
def node(server):
    return Function(server, server.node(NODE, Timeout=30))


def test_the_first_part_is_there_before_the_function_writes_the_second(custom):
    closed = gate()
    steps = [["write", "first"], ["gate", closed], ["write", "\x00\xff"]]
    response = custom.stream({"steps": steps, "type": "text/html"})
    assert (response["StatusCode"], response["ExecutedVersion"]) == (200, "$LATEST")
    headers = response["ResponseMetadata"]["HTTPHeaders"]
    assert headers["content-type"] == "application/vnd.amazon.eventstream"
    assert headers["x-amzn-remapped-content-type"] == "text/html"
    events = iter(response["EventStream"])
    assert next(events) == {"PayloadChunk": {"Payload": b"first"}}
    custom.open(closed)
    assert rest(events) == (b"\x00\xff", {})


def test_nodes_streamifyresponse_streams(node):
    closed = gate()
    events = iter(node.stream({"gate": closed}, LogType="Tail")["EventStream"])
    assert next(events) == {"PayloadChunk": {"Payload": b"first"}}
    node.open(closed)
    written, complete = rest(events)
    tail = base64.b64decode(complete.pop("LogResult")).decode()
    assert (written, complete) == (b"second", {})
    assert "streaming for" in tail and "REPORT RequestId" in tail and "Billed Duration" in tail


def test_nodes_httpresponsestream_puts_status_and_headers_first(node):
    response = node.stream({"http": True})
    content_type = response["ResponseMetadata"]["HTTPHeaders"]["x-amzn-remapped-content-type"]
    assert content_type == "application/vnd.awslambda.http-integration-response"
    written, complete = rest(iter(response["EventStream"]))
    prelude, body = written.split(b"\0" * 8)
    assert (json.loads(prelude), body, complete) == ({"statusCode": 201, "headers": {"a": "b"}}, b"body", {})


def test_a_response_without_a_part(node):
    assert node.complete({"empty": True}) == (b"", {})


def test_errors_before_and_amid_a_response_end_it(node):
    written, complete = node.complete({"early": True})
    details = json.loads(complete["ErrorDetails"])
    assert (written, details["errorType"], details["errorMessage"]) == (b"", "RangeError", "too early")
    written, complete = node.complete({"late": True})
    details = json.loads(complete["ErrorDetails"])
    assert (written, details["errorType"], details["errorMessage"]) == (b"first", "RangeError", "half way")
    assert node.complete({}) == (b"firstsecond", {})


def test_trailers_tell_of_an_error(custom):
    body = base64.b64encode(b'{"errorType":"Mine","errorMessage":"m"}').decode()
    trailers = f"Lambda-Runtime-Function-Error-Type: Function.Mine\r\nLambda-Runtime-Function-Error-Body: {body}\r\n"
    written, complete = custom.complete({"steps": [["write", "part"], ["trailers", trailers]]})
    assert written == b"part"
    assert complete == {"ErrorCode": "Function.Mine", "ErrorDetails": '{"errorType":"Mine","errorMessage":"m"}'}


def test_a_runtime_that_exits_amid_its_response(custom):
    closed = gate()
    events = iter(custom.stream({"steps": [["write", "part"], ["gate", closed], ["exit", 7]]})["EventStream"])
    assert next(events) == {"PayloadChunk": {"Payload": b"part"}}
    custom.open(closed)
    written, complete = rest(events)
    assert (written, complete["ErrorCode"]) == (b"", "Runtime.ExitError")
    assert "exit status 7" in complete["ErrorDetails"]
    assert custom.complete({"steps": [["write", "again"]]}) == (b"again", {})


def test_a_timeout_amid_a_response(server):
    function = Function(server, server.python(RUNTIME, Timeout=1))
    written, complete = function.complete({"steps": [["write", "part"], ["hang", 0]]}, LogType="Tail")
    assert (written, complete["ErrorCode"]) == (b"part", "Sandbox.Timedout")
    assert "Task timed out after 1.00 seconds" in complete["ErrorDetails"]
    assert "Status: timeout" in base64.b64decode(complete["LogResult"]).decode()


def test_a_client_that_goes_does_not_stop_the_function(custom):
    closed, after = gate(), gate()
    steps = [["write", "part"], ["gate", closed], *[["write", "nobody reads this"]] * 50, ["gate", after]]
    response = custom.stream({"steps": steps})
    assert next(iter(response["EventStream"])) == {"PayloadChunk": {"Payload": b"part"}}
    response["EventStream"].close()
    custom.open(closed)
    custom.open(after)
    # The same environment answers the next request, and has been answered itself.
    written, complete = custom.complete({"steps": [["write", "next"]]}, LogType="Tail")
    assert written == b"next"
    assert "Init Duration" not in base64.b64decode(complete["LogResult"]).decode()


def test_a_function_that_does_not_stream_answers_in_one_part(server):
    name = server.python("def handler(event, context):\n    if event.get('fail'): raise ValueError('no')\n    return event")
    function = Function(server, name)
    events = list(function.stream({"a": 1})["EventStream"])
    assert events == [{"PayloadChunk": {"Payload": b'{"a": 1}'}}, {"InvokeComplete": {}}]
    written, complete = function.complete({"fail": True})
    assert (written, complete["ErrorCode"]) == (b"", "Unhandled")
    assert json.loads(complete["ErrorDetails"])["errorType"] == "ValueError"


def test_invoke_collects_what_a_function_streams_up_to_six_megabytes(server, custom, node):
    response = custom.client.invoke(
        FunctionName=custom.name, Payload=json.dumps({"steps": [["write", '{"a":'], ["write", "1}"]]}).encode()
    )
    assert response["Payload"].read() == b'{"a":1}'
    assert node.client.invoke(FunctionName=node.name, Payload=b"{}")["Payload"].read() == b"firstsecond"
    body, response = server.invoke(custom.name, {"steps": [["fill", 97]]})
    assert response["FunctionError"] == "Unhandled"
    assert body["errorType"] == "Function.ResponseSizeTooLarge"


def test_more_than_invoke_allows_can_be_streamed(custom):
    written, complete = custom.complete({"steps": [["fill", 97]]})
    assert (len(written), set(written), complete) == (97 * 0x10000, {ord("x")}, {})


def test_a_mode_that_does_not_exist_is_refused(server, custom):
    body, response = server.invoke(custom.name, {"mode": "trickling", "steps": []}, LogType="Tail")
    assert response["FunctionError"] == "Unhandled"
    assert body["errorType"] == "Runtime.InvalidResponseModeHeader"
    written, complete = custom.complete({"mode": "trickling", "steps": []})
    assert (written, complete["ErrorCode"]) == (b"", "Unhandled")
    assert json.loads(complete["ErrorDetails"])["errorType"] == "Runtime.InvalidResponseModeHeader"


def test_what_is_wrong_from_the_start_is_an_error_like_any_other(custom):
    def code(**parameters):
        with pytest.raises(ClientError) as refused:
            custom.client.invoke_with_response_stream(**{"FunctionName": custom.name, "Payload": b"{}", **parameters})
        error = refused.value.response
        return error["Error"]["Code"], error["ResponseMetadata"]["HTTPStatusCode"]

    assert code(FunctionName="absent") == ("ResourceNotFoundException", 404)
    assert code(Payload=b"{") == ("InvalidRequestContentException", 400)
    assert code(InvocationType="Event") == ("ValidationException", 400)
    assert code(Payload=b'"' + b"x" * (6 * 1024 * 1024) + b'"') == ("RequestTooLargeException", 413)


def test_a_throttle_comes_before_the_stream(start):
    server = start("--concurrency", "1")
    function = Function(server, server.python(RUNTIME, Timeout=30))
    closed = gate()
    events = iter(function.stream({"steps": [["write", "part"], ["gate", closed]]})["EventStream"])
    assert next(events) == {"PayloadChunk": {"Payload": b"part"}}
    with pytest.raises(ClientError) as refused:
        function.stream({"steps": []})
    assert refused.value.response["Error"]["Code"] == "TooManyRequestsException"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429
    function.open(closed)
    assert rest(events) == (b"", {})


def test_a_dry_run_runs_nothing(custom):
    response = custom.stream({"steps": [["exit", 1]]}, InvocationType="DryRun")
    assert response["StatusCode"] == 204
    assert list(response["EventStream"]) == []


def test_over_plain_http_the_bytes_come_as_they_are_written(server, custom):
    closed = gate()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    path = f"/2021-11-15/functions/{custom.name}/response-streaming-invocations"
    connection.request("POST", path, json.dumps({"steps": [["write", "first"], ["gate", closed], ["write", "second"]]}))
    response = connection.getresponse()
    assert (response.status, response.headers["X-Amz-Executed-Version"]) == (200, "$LATEST")
    assert response.headers["Content-Type"] == "application/vnd.amazon.eventstream"
    assert response.headers["Transfer-Encoding"] == "chunked"
    # It checks both checksums of every frame.
    buffer, messages = EventStreamBuffer(), []
    while not messages:
        buffer.add_data(response.read1())
        messages += list(buffer)
    assert [message.payload for message in messages] == [b"first"]
    assert messages[0].headers == {
        ":event-type": "PayloadChunk",
        ":content-type": "application/octet-stream",
        ":message-type": "event",
    }
    custom.open(closed)
    buffer.add_data(response.read())
    second, complete = list(buffer)
    assert (second.payload, complete.payload) == (b"second", b"{}")
    assert complete.headers[":event-type"] == "InvokeComplete"
    assert complete.headers[":content-type"] == "application/json"


def test_the_sdk_for_javascript_reads_the_parts_as_they_come(server, node, tmp_path):
    if not MODULES.is_dir() or not shutil.which("node"):
        pytest.skip(f"there is no AWS SDK for JavaScript at {MODULES}; cargo xtask test installs it")
    (tmp_path / "node_modules").symlink_to(MODULES)
    shutil.copy(HERE / "sdk-js" / "streaming.mjs", tmp_path)
    done = subprocess.run(
        ["node", "streaming.mjs", node.name, node.arn, gate()],
        cwd=tmp_path, env=server.cli_environment(), capture_output=True, text=True, timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == ["200 $LATEST", "chunk first", "chunk second", "complete undefined true"]
