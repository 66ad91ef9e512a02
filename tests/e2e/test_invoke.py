"""What an invocation answers: values, errors, limits, logs, and the life of its environment."""

import base64
import json
import re
import threading
import uuid

import pytest
from answers import Account, whole
from botocore.exceptions import ClientError
from conftest import eventually

SYNC_PAYLOAD_BYTES = 6 * 1024 * 1024


def code_of(call):
    with pytest.raises(ClientError) as refused:
        call()
    error = refused.value.response
    return error["Error"]["Code"], error["Error"]["Message"], error["ResponseMetadata"]["HTTPStatusCode"]


def tail_of(response):
    return base64.b64decode(response["LogResult"]).decode()


@pytest.fixture(scope="module")
def echo(server):
    return server.python("def handler(event, context):\n    return event\n")


@pytest.mark.parametrize("event", [{}, [], "text", 1.5, None, True, {"deep": [{"a": "ü"}]}, "\u2028 😀"])
def test_any_json_value_goes_in_and_comes_out(server, echo, event):
    assert server.invoke(echo, event, Payload=json.dumps(event).encode())[0] == event


def test_no_payload_is_an_empty_object(server, echo):
    assert server.invoke(echo)[0] == {}


def test_every_answer_carries_the_id_that_the_function_sees(server):
    name = server.python("def handler(event, context):\n    return context.aws_request_id\n")
    payload, response = server.invoke(name)
    assert response["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"] == payload
    assert uuid.UUID(payload)


def test_an_exception_is_the_functions_error(server):
    name = server.python(
        "class Broken(Exception): pass\n\ndef inner():\n    raise Broken('no ä')\n\ndef handler(event, context):\n    inner()\n"
    )
    payload, response = server.invoke(name, {}, LogType="Tail")
    assert (response["StatusCode"], response["FunctionError"]) == (200, "Unhandled")
    assert payload["errorType"] == "Broken" and payload["errorMessage"] == "no ä"
    assert payload["requestId"] == response["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"]
    assert payload["stackTrace"] == [
        '  File "/var/task/lambda_function.py", line 7, in handler\n    inner()\n',
        '  File "/var/task/lambda_function.py", line 4, in inner\n    raise Broken(\'no ä\')\n',
    ]
    assert "[ERROR] Broken: no ä" in tail_of(response) and "Traceback (most recent call last):" in tail_of(response)


@pytest.mark.parametrize(
    ("source", "handler", "error_type", "message"),
    [
        ("x = (", "lambda_function.handler", "Runtime.UserCodeSyntaxError", "Syntax error in module 'lambda_function'"),
        ("import nothere", "lambda_function.handler", "Runtime.ImportModuleError", "No module named 'nothere'"),
        ("x = 1", "lambda_function.handler", "Runtime.HandlerNotFound", "Handler 'handler' missing on module"),
        ("x = 1", "other.handler", "Runtime.ImportModuleError", "Unable to import module 'other'"),
        ("x = 1", "nodots", "Runtime.MalformedHandlerName", "Bad handler 'nodots'"),
        ("def handler(e, c): return {1, 2}", "lambda_function.handler", "Runtime.MarshalError", "Unable to marshal response"),
    ],
)
def test_pythons_mistakes_have_lambdas_names(server, source, handler, error_type, message):
    name = server.python(source, handler=handler)
    payload, response = server.invoke(name)
    assert response["FunctionError"] == "Unhandled"
    assert payload["errorType"] == error_type and message in payload["errorMessage"]


def test_a_timeout_is_reported_and_the_next_request_answered(server):
    name = server.python(
        "import time\ndef handler(event, context):\n    time.sleep(event.get('sleep', 0))\n    return 'awake'\n", Timeout=1
    )
    payload, response = server.invoke(name, {"sleep": 30}, LogType="Tail")
    request_id = response["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"]
    assert payload == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {request_id} Error: Task timed out after 1.00 seconds",
    }
    assert "Status: timeout" in tail_of(response)
    assert server.invoke(name, {})[0] == "awake"


def test_a_process_that_exits_is_reported_and_tmp_survives(server):
    name = server.python(
        "import os\n"
        "def handler(event, context):\n"
        "    if event.get('exit'):\n"
        "        open('/tmp/kept', 'w').write('kept')\n"
        "        os._exit(event['exit'])\n"
        "    return open('/tmp/kept').read()\n"
    )
    payload, response = server.invoke(name, {"exit": 3}, LogType="Tail")
    request_id = response["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"]
    assert payload == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {request_id} Error: Runtime exited with error: exit status 3",
    }
    assert "Status: error\tError Type: Runtime.ExitError" in tail_of(response)
    assert server.invoke(name, {})[0] == "kept"


def test_memory_is_limited_to_memory_size(server):
    server.must_enforce("memory")
    name = server.python(
        "def handler(event, context):\n    return len(bytearray(event['mb'] << 20))\n", MemorySize=128
    )
    payload, response = server.invoke(name, {"mb": 512})
    assert response["FunctionError"] == "Unhandled"
    assert payload["errorType"] in ("Runtime.OutOfMemory", "Runtime.ExitError")
    assert server.invoke(name, {"mb": 16})[0] == 16 << 20


def test_module_code_runs_once_for_many_invocations(server):
    name = server.python("count = 0\ndef handler(event, context):\n    global count\n    count += 1\n    return count\n")
    assert [server.invoke(name)[0] for _ in range(4)] == [1, 2, 3, 4]


def test_init_duration_is_reported_on_cold_starts_only(server):
    name = server.python("def handler(event, context): pass")
    cold = tail_of(server.invoke(name, LogType="Tail")[1])
    warm = tail_of(server.invoke(name, LogType="Tail")[1])
    number = r"\d+(\.\d{1,2})? ms"
    assert re.search(rf"REPORT RequestId: \S+\tDuration: {number}\tBilled Duration: \d+ ms\tMemory Size: 256 MB\t", cold)
    assert re.search(rf"\tInit Duration: {number}\t", cold)
    assert "Init Duration" not in warm


def test_concurrent_invocations_have_environments_of_their_own(server):
    name = server.python(
        "import time, uuid\nme = str(uuid.uuid4())\ndef handler(event, context):\n    time.sleep(1)\n    return me\n"
    )
    answers = []
    calls = [threading.Thread(target=lambda: answers.append(server.invoke(name)[0])) for _ in range(4)]
    for call in calls:
        call.start()
    for call in calls:
        call.join()
    assert len(set(answers)) == 4


def test_six_megabytes_pass_both_ways_and_more_is_refused(server, echo):
    text = "x" * (SYNC_PAYLOAD_BYTES - 2)
    assert server.invoke(echo, text)[0] == text
    code, message, status = code_of(lambda: server.invoke(echo, text + "x"))
    assert (code, status) == ("RequestTooLargeException", 413) and str(SYNC_PAYLOAD_BYTES) in message
    big = server.python("def handler(event, context): return 'x' * 6291600")
    assert server.invoke(big)[0] == {
        "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
        "errorType": "Function.ResponseSizeTooLarge",
    }


def test_a_payload_must_be_json(server, echo):
    code, message, status = code_of(lambda: server.client("lambda").invoke(FunctionName=echo, Payload=b"{nope"))
    assert (code, status) == ("InvalidRequestContentException", 400)
    assert message.startswith("Could not parse request body into json")


def test_a_dry_run_answers_without_running(server, echo):
    _, response = server.invoke(echo, InvocationType="DryRun")
    assert response["StatusCode"] == 204 and response["Body"] == b""


def test_what_is_not_there_yet_is_refused_by_name(server, echo):
    code, message, _ = code_of(lambda: server.invoke(echo, DurableExecutionName="d"))
    assert code == "InvalidParameterValueException" and "durable executions" in message
    code, message, status = code_of(lambda: server.client("lambda").list_capacity_providers())
    assert status == 501 and "ListCapacityProviders" in message


def test_the_context_says_who_and_where(server):
    name = server.python(
        "def handler(event, context):\n"
        "    return {key: getattr(context, key) for key in ('function_name', 'function_version',\n"
        "        'invoked_function_arn', 'memory_limit_in_mb', 'log_group_name', 'log_stream_name')} | {\n"
        "        'left': context.get_remaining_time_in_millis(), 'client': context.client_context and\n"
        "        context.client_context.custom}\n"
    )
    client_context = base64.b64encode(json.dumps({"custom": {"a": "b"}}).encode()).decode()
    seen, _ = server.invoke(name, ClientContext=client_context)
    arn = f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
    assert seen["function_name"] == name and seen["function_version"] == "$LATEST"
    assert seen["invoked_function_arn"] == arn and seen["memory_limit_in_mb"] == "256"
    assert seen["log_group_name"] == f"/aws/lambda/{name}"
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", seen["log_stream_name"])
    assert 5000 < seen["left"] <= 10000 and seen["client"] == {"a": "b"}


def test_printed_lines_are_in_the_log_within_a_second(server):
    name = server.python("def handler(event, context):\n    print('first'); print('second')\n")
    server.invoke(name)
    logs = server.client("logs")

    def messages():
        try:
            return [event["message"] for event in logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]]
        except ClientError:
            return None

    found = eventually(lambda: (got := messages()) and any("REPORT" in line for line in got) and got)
    kinds = [re.match(r"[A-Za-z_]+", line).group() for line in found]
    assert kinds == ["INIT_START", "START", "first", "second", "END", "REPORT"]


def test_a_function_calls_hearth_back(server):
    name = server.python(
        "import boto3, os\n"
        "def handler(event, context):\n"
        "    client = boto3.client('lambda')\n"
        "    arn = boto3.client('sts').get_caller_identity()['Arn']\n"
        "    pages = client.get_paginator('list_functions').paginate()\n"
        "    return [arn, [f['FunctionName'] for page in pages for f in page['Functions']]]\n",
        Timeout=60,
        MemorySize=1769,
    )
    arn, names = server.invoke(name)[0]
    assert arn.startswith("arn:aws:sts::000000000000:assumed-role/") and arn.endswith(f"/{name}")
    assert name in names


def test_a_node_function_calls_hearth_back(server):
    name = server.node(
        "import { LambdaClient, GetFunctionCommand } from '@aws-sdk/client-lambda';\n"
        "export const handler = async (event, context) => {\n"
        "  const found = await new LambdaClient({}).send(new GetFunctionCommand({ FunctionName: context.functionName }));\n"
        "  return found.Configuration.Handler;\n"
        "};\n",
        Timeout=60,
        MemorySize=1769,
    )
    assert server.invoke(name)[0] == "index.handler"


NODE_FORMS = {
    "esm": ("index.mjs", "export const handler = async (event) => ({ got: event.x });"),
    "commonjs": ("index.js", "exports.handler = async (event) => ({ got: event.x });"),
    "callback": ("index.js", "exports.handler = (event, context, callback) => callback(null, { got: event.x });"),
    "cjs": ("index.cjs", "module.exports.handler = async (event) => ({ got: event.x });"),
}


@pytest.mark.parametrize("form", NODE_FORMS)
def test_each_form_of_node_handler_answers(server, form):
    file, source = NODE_FORMS[form]
    assert server.invoke(server.node(source, file=file), {"x": "y"})[0] == {"got": "y"}


@pytest.mark.parametrize(
    ("source", "error_type", "message"),
    [
        ("export const handler = async () => { throw new TypeError('bad') };", "TypeError", "bad"),
        ("export const other = 1;", "Runtime.HandlerNotFound", "index.handler is undefined or not exported"),
        # A package that an ES module lacks keeps Node's own error, as on Lambda; require has a name of its own.
        ("import 'nothere';", "Error", "Cannot find package 'nothere' imported from /var/task/index.mjs"),
        ("export const = ;", "Runtime.UserCodeSyntaxError", "SyntaxError"),
    ],
)
def test_nodes_mistakes_have_lambdas_names(server, source, error_type, message):
    payload, response = server.invoke(server.node(source))
    assert response["FunctionError"] == "Unhandled"
    assert payload["errorType"] == error_type and message in payload["errorMessage"], payload
    assert isinstance(payload["trace"], list)


def test_node_logs_as_lambda_does(server):
    name = server.node("export const handler = async () => { console.log('one\\ntwo'); console.error('bad'); };")
    _, response = server.invoke(name, LogType="Tail")
    request_id = response["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"]
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    assert re.search(rf"{stamp}\t{request_id}\tINFO\tone\r?\n?two", tail_of(response).replace("\r", "\n"))
    assert re.search(rf"{stamp}\t{request_id}\tERROR\tbad", tail_of(response))


def test_an_unhandled_rejection_and_an_exit_are_reported(server):
    rejecting = server.node(
        "export const handler = async () => { Promise.reject(new Error('late')); await new Promise(r => setTimeout(r, 500)); };"
    )
    assert server.invoke(rejecting)[0]["errorType"] == "Runtime.UnhandledPromiseRejection"
    exiting = server.node("export const handler = async () => { process.exit(1); };")
    assert server.invoke(exiting)[0]["errorType"] in ("Runtime.ExitError", "Runtime.NodejsExit")


def test_whole_answers_of_invocations(server):
    account = Account(server, "200000000002")
    client = account.client
    account.function()
    assert whole(client, "Invoke", FunctionName="f", Payload=b"{}") == (
        200,
        {"StatusCode": 200, "ExecutedVersion": "$LATEST", "Payload": "1"},
    )
    assert whole(client, "Invoke", FunctionName="f", InvocationType="Event", Payload=b"{}") == (
        202,
        {"StatusCode": 202, "Payload": ""},
    )
    assert whole(client, "Invoke", FunctionName="f", InvocationType="DryRun", Payload=b"{}") == (
        204,
        {"StatusCode": 204, "Payload": ""},
    )
    assert whole(client, "InvokeAsync", FunctionName="f", InvokeArgs=b"{}") == (202, {"Status": 202})
    assert whole(client, "InvokeWithResponseStream", FunctionName="f", Payload=b"{}") == (
        200,
        {
            "StatusCode": 200,
            "ExecutedVersion": "$LATEST",
            "ResponseStreamContentType": "application/vnd.amazon.eventstream",
            "EventStream": [{"PayloadChunk": {"Payload": b'1'}}, {"InvokeComplete": {}}],
        },
    )
    account.function("broken", "1 / 0")
    assert whole(client, "Invoke", FunctionName="broken", Payload=b"{}") == (
        200,
        {
            "StatusCode": 200,
            "FunctionError": "Unhandled",
            "ExecutedVersion": "$LATEST",
            "Payload": '{"errorMessage": "division by zero", "errorType": "ZeroDivisionError", "requestId": "<uuid>", "stackTrace": ["  File \\"/var/task/lambda_function.py\\", line 1, in handler\\n    def handler(event, context): return 1 / 0\\n"]}',
        },
    )
