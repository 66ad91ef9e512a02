"""What an auditor with fresh eyes tried: each test is one thing that was wrong once, or nearly."""

import ast
import base64
import concurrent.futures
import json
import socket

import pytest
from answers import Account, package, whole
from botocore import xform_name
from botocore.exceptions import ClientError
from conftest import HERE, eventually, zip_of
from test_bad_input import OPERATIONS

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
VARIABLES = {
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_XRAY_CONTEXT_MISSING",
    "AWS_XRAY_DAEMON_ADDRESS",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "LANG",
    "LD_LIBRARY_PATH",
    "PATH",
    "TZ",
    "_HANDLER",
}
MANAGED = {"AWS_EXECUTION_ENV", "_X_AMZN_TRACE_ID"}
# A runtime in a dozen lines: it answers with the names of its variables.
BOOTSTRAP = """#!/usr/bin/python3
import json, os, urllib.request
names = json.dumps(sorted(os.environ)).encode()
api = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"
while True:
    event = urllib.request.urlopen(f"{api}/next")
    urllib.request.urlopen(f"{api}/{event.headers['Lambda-Runtime-Aws-Request-Id']}/response", data=names)
"""


def refused(call, **parameters):
    with pytest.raises(ClientError) as error:
        call(**parameters)
    return error.value.response


def messages(server, group, pattern=""):
    logs = server.client("logs")
    # A page looks at so many events at most, so the first of a large group may be empty.
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, filterPattern=pattern)
    try:
        return [event["message"] for page in pages for event in page["events"]]
    except logs.exceptions.ResourceNotFoundException:
        return []


def test_a_python_function_has_lambdas_variables_and_no_others(server):
    name = server.python("import os\ndef handler(event, context): return sorted(os.environ)")
    # Python itself adds the last one where the locale that Lambda names is not installed.
    assert set(server.invoke(name)[0]) - {"LC_CTYPE"} == VARIABLES | MANAGED | {"PYTHONPATH"}


def test_a_node_function_has_lambdas_variables_and_no_others(server):
    name = server.node("export const handler = async () => Object.keys(process.env)")
    assert set(server.invoke(name)[0]) == VARIABLES | MANAGED | {"NODE_PATH"}


def test_a_runtime_of_ones_own_has_lambdas_variables_and_no_others(server):
    name = server.function({"bootstrap": (BOOTSTRAP, 0o755)}, runtime="provided.al2023", handler="any")
    # The system's Python adds the last one.
    assert set(server.invoke(name)[0]) - {"LC_CTYPE"} == VARIABLES


def test_a_payload_that_is_not_utf8_never_reaches_the_function(server):
    name = server.python("def handler(event, context): return event")
    error = refused(server.client("lambda").invoke, FunctionName=name, Payload=b'{"a": "\xff"}')["Error"]
    assert error["Code"] == "InvalidRequestContentException"
    assert "Invalid UTF-8 byte 0xff" in error["Message"]


@pytest.mark.parametrize(
    "context, code",
    [
        ("!!", "InvalidRequestContentException"),
        (base64.b64encode(b'"text"').decode(), "InvalidRequestContentException"),
        (base64.b64encode(json.dumps({"custom": {"a": "x" * 3000}}).encode()).decode(), "InvalidParameterValueException"),
    ],
)
def test_a_client_context_is_a_small_json_object(server, context, code):
    name = server.python("def handler(event, context): return event")
    error = refused(server.client("lambda").invoke, FunctionName=name, ClientContext=context)["Error"]
    assert error["Code"] == code


def test_a_missing_function_is_said_before_a_bad_role(server):
    error = refused(
        server.client("lambda").update_function_configuration,
        FunctionName="nobody",
        Role="arn:aws:iam::000000000000:role/none",
    )["Error"]
    assert error["Code"] == "ResourceNotFoundException"


@pytest.mark.parametrize(
    "end, reason",
    [
        ("os._exit(0)", "without providing a reason"),
        ("os._exit(127)", "with error: exit status 127"),
        ("sys.exit(3)", "with error: exit status 3"),
        ("os.kill(os.getpid(), 9)", "with error: signal: killed"),
        ("os.kill(os.getpid(), 11)", "with error: signal: segmentation fault"),
        ("os.abort()", "with error: signal: aborted"),
    ],
)
def test_every_way_to_end_has_its_words(server, end, reason):
    name = server.python(f"import os, sys\ndef handler(event, context): {end}")
    payload, response = server.invoke(name)
    request = response["ResponseMetadata"]["RequestId"]
    assert response["FunctionError"] == "Unhandled"
    assert payload == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {request} Error: Runtime exited {reason}",
    }


def test_a_flood_of_output_takes_no_report_with_it(server):
    name = server.python("def handler(event, context):\n  while True: print('x' * 90)", Timeout=1, MemorySize=1769)
    payload, _ = server.invoke(name)
    assert payload["errorType"] == "Sandbox.Timedout"
    quiet = server.python("def handler(event, context): print('quiet')")
    server.invoke(quiet)
    assert eventually(lambda: messages(server, f"/aws/lambda/{quiet}", "quiet"), timeout=60)
    report = eventually(lambda: messages(server, f"/aws/lambda/{name}", '"REPORT RequestId"'), timeout=60)
    assert report[0].endswith("Status: timeout\n")


def test_a_deleted_log_group_stays_deleted(server):
    source = "def handler(event, context): print('a line')"
    name, other = server.python(source), server.python(source)
    group = f"/aws/lambda/{name}"
    server.invoke(name)
    eventually(lambda: messages(server, group, "REPORT"))
    server.client("lambda").delete_function(FunctionName=name)
    server.client("logs").delete_log_group(logGroupName=group)
    # Lines are written in their order: whatever the first function still had to say, it has said by then.
    server.invoke(other)
    eventually(lambda: messages(server, f"/aws/lambda/{other}", "REPORT"))
    assert server.client("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"] == []


def test_a_function_deleted_while_it_runs_finishes_and_its_name_is_free(server):
    source = "import time\ndef handler(event, context): time.sleep(event); return 'first'"
    name = server.python(source)
    server.invoke(name, 0)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        running = pool.submit(server.invoke, name, 1)
        # It has begun when its line is there.
        eventually(lambda: len(messages(server, f"/aws/lambda/{name}", '"START RequestId"')) == 2)
        server.client("lambda").delete_function(FunctionName=name)
        error = refused(server.client("lambda").invoke, FunctionName=name)["Error"]
        assert error["Code"] == "ResourceNotFoundException"
        server.function({"lambda_function.py": source.replace("first", "second")}, name=name)
        assert server.invoke(name, 0)[0] == "second"
        assert running.result()[0] == "first"


def test_a_create_and_a_delete_that_meet_leave_the_name_free(server):
    client, role = server.client("lambda"), server.role()
    code = {"ZipFile": zip_of({"lambda_function.py": "def handler(event, context): return 1"})}
    for _ in range(20):
        client.create_function(
            FunctionName="flicker", Runtime="python3.12", Handler="lambda_function.handler", Role=role, Code=code
        )
        client.delete_function(FunctionName="flicker")
    assert refused(client.invoke, FunctionName="flicker")["Error"]["Code"] == "ResourceNotFoundException"


def test_a_throttled_caller_learns_why_and_when_to_return(start):
    server = start("--concurrency", "1")
    name = server.python("import time\ndef handler(event, context): time.sleep(event)")
    server.invoke(name, 0)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        running = pool.submit(server.invoke, name, 2)
        eventually(lambda: len(messages(server, f"/aws/lambda/{name}", '"START RequestId"')) == 2)
        error = refused(server.client("lambda").invoke, FunctionName=name, Payload=b"0")
        running.result()
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert error["Error"] == {"Code": "TooManyRequestsException", "Message": "Rate Exceeded."}
    assert (error["Reason"], error["Type"]) == ("ConcurrentInvocationLimitExceeded", "User")
    assert int(error["ResponseMetadata"]["HTTPHeaders"]["retry-after"]) >= 1


def test_a_caller_that_hangs_up_costs_no_concurrency(start):
    server = start("--concurrency", "2")
    name = server.python("import time\ndef handler(event, context): time.sleep(event); return 'here'")
    server.invoke(name, 0)
    request = (
        f"POST /2015-03-31/functions/{name}/invocations HTTP/1.1\r\n"
        f"Host: 127.0.0.1:{server.port}\r\nContent-Length: 3\r\n\r\n0.5"
    )
    for _ in range(4):
        with socket.create_connection(("127.0.0.1", server.port)) as caller:
            caller.sendall(request.encode())

    def answered():
        try:
            return server.invoke(name, 0)[0] == "here"
        except ClientError:
            return False

    eventually(answered)


def test_every_operation_has_an_answer_that_is_compared_as_a_whole():
    """`assert whole(client, "GetAlias", …) == …`, or the same of what was kept of the call: see `answers.py`."""
    compared = set()
    for path in HERE.glob("test_*.py"):
        for test in ast.walk(ast.parse(path.read_text())):
            if isinstance(test, ast.FunctionDef) and test.name.startswith("test_"):
                compared |= compared_in(test)
    assert set(OPERATIONS) - compared == set()


def compared_in(test):
    """The operations whose whole answers a test compares with something."""
    kept = {}
    for statement in ast.walk(test):
        if isinstance(statement, ast.Assign) and (operation := called(statement.value)):
            kept[statement.targets[0].id] = operation
    compared = set()
    for statement in ast.walk(test):
        if isinstance(statement, ast.Assert) and isinstance(statement.test, ast.Compare):
            left = statement.test.left
            operation = kept.get(left.id) if isinstance(left, ast.Name) else called(left)
            if operation and isinstance(statement.test.ops[0], ast.Eq):
                compared.add(operation)
    return compared


def called(expression):
    match expression:
        case ast.Call(func=ast.Name("whole"), args=[_, ast.Constant(operation)]):
            return operation
    return None


IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/x:y"
SCOPE = "arn:aws:lambda:us-east-1:200000000015"
STORED = {"S3Bucket": "bucket", "S3Key": "key", "S3ObjectStorageMode": "REFERENCE"}
INSTANCES = "Lambda Managed Instances"
# What create and update spell alike.
CONFIGURATION = {
    "AcceleratorConfig": {"AcceleratorMemorySize": 3},
    "CapacityProviderConfig": {
        "LambdaManagedInstancesCapacityProviderConfig": {"CapacityProviderArn": f"{SCOPE}:capacity-provider:x"}
    },
    "DurableConfig": {"ExecutionTimeout": 60},
    "FileSystemConfigs": [
        {
            "Arn": "arn:aws:elasticfilesystem:us-east-1:200000000015:access-point/fsap-0123456789abcdef0",
            "LocalMountPath": "/mnt/x",
        }
    ],
    "ImageConfig": {"Command": ["x"]},
    "RuntimeConfig": {"RuntimeArn": f"{SCOPE}:runtime/abcdefghij", "RuntimeAlias": "live"},
}
LATER = [
    *((operation, {name: value}, name) for name, value in CONFIGURATION.items() for operation in ("CreateFunction", "UpdateFunctionConfiguration")),
    *((operation, {"PublishTo": "LATEST_PUBLISHED"}, INSTANCES) for operation in ("CreateFunction", "UpdateFunctionCode", "PublishVersion")),
    *((operation, {"Runtime": "custom"}, "customer-managed runtimes") for operation in ("CreateFunction", "UpdateFunctionConfiguration")),
    ("CreateFunction", {"PackageType": "Image", "Code": {"ImageUri": IMAGE}}, "container images"),
    ("CreateFunction", {"Code": STORED}, "S3ObjectStorageMode"),
    ("UpdateFunctionCode", {"ZipFile": None, **STORED}, "S3ObjectStorageMode"),
    ("PublishLayerVersion", {"LayerName": "l", "Content": STORED}, "S3ObjectStorageMode"),
    ("CreateAlias", {"Name": "a", "FunctionVersion": "$LATEST.PUBLISHED"}, INSTANCES),
    ("PutFunctionScalingConfig", {"Qualifier": "1", "FunctionScalingConfig": {}}, INSTANCES),
    ("GetFunctionScalingConfig", {"Qualifier": "1"}, INSTANCES),
    ("PutResourcePolicy", {"ResourceArn": f"{SCOPE}:runtime/abcdefghij", "Policy": "{}"}, "customer-managed runtimes"),
    ("Invoke", {"DurableExecutionName": "x"}, "durable executions"),
]


@pytest.fixture(scope="module")
def account(server):
    account = Account(server, "200000000015")
    account.function(Publish=True)
    return account


@pytest.mark.parametrize(("operation", "parameters", "name"), LATER)
def test_what_is_left_for_later_is_refused_by_its_name(account, operation, parameters, name):
    """Operations as a whole that are left for later are in `test_bad_input.py`."""
    client = account.client
    own = {
        "CreateFunction": {
            "FunctionName": "g",
            "Runtime": "python3.12",
            "Handler": "lambda_function.handler",
            "Role": account.role,
            "Code": {"ZipFile": package("1")},
        },
        "UpdateFunctionCode": {"FunctionName": "f", "ZipFile": package("2")},
        "PublishLayerVersion": {},
        "PutResourcePolicy": {},
    }
    asked = {**own.get(operation, {"FunctionName": "f"}), **parameters}
    before = whole(client, "GetFunction", FunctionName="f"), whole(client, "ListFunctions")
    call = getattr(client, xform_name(operation))
    error = refused(call, **{key: value for key, value in asked.items() if value is not None})["Error"]
    assert error["Code"] == "InvalidParameterValueException"
    assert name in error["Message"]
    assert (whole(client, "GetFunction", FunctionName="f"), whole(client, "ListFunctions")) == before
    assert client.list_layers()["Layers"] == client.list_aliases(FunctionName="f")["Aliases"] == []


FUNCTION = f"{SCOPE}:function"
NO_CONFIG = f"{SCOPE}:code-signing-config:csc-0123456789abcdef0"
GRANT = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
NOTHING = "The resource you requested does not exist."
# What is not there is said in other words by each operation.
NOT_THERE = [
    ("AddPermission", {"FunctionName": "f", "Qualifier": "a-$-b", **GRANT}, "ResourceNotFoundException", f"Function not found: {FUNCTION}:f:a-$-b"),
    ("RemovePermission", {"FunctionName": "none", "StatementId": "s"}, "ResourceNotFoundException", f"No policy found for: {FUNCTION}:none"),
    ("GetPolicy", {"FunctionName": "f", "Qualifier": "9"}, "ResourceNotFoundException", NOTHING),
    ("TagResource", {"Resource": f"{FUNCTION}:f", "Tags": {}}, "InvalidParameterValueException", "An error occurred and the request cannot be processed."),
    ("UpdateFunctionUrlConfig", {"FunctionName": "none"}, "ResourceNotFoundException", "Function does not exist"),
    ("UpdateFunctionUrlConfig", {"FunctionName": "f", "Qualifier": "none"}, "ResourceNotFoundException", "Function does not exist"),
    ("UpdateFunctionUrlConfig", {"FunctionName": "f"}, "ResourceNotFoundException", NOTHING),
    ("GetFunctionUrlConfig", {"FunctionName": "none"}, "ResourceNotFoundException", NOTHING),
    ("PutFunctionConcurrency", {"FunctionName": "none", "ReservedConcurrentExecutions": 1}, "ResourceNotFoundException", f"Function not found: {FUNCTION}:none:$LATEST"),
    ("PutFunctionCodeSigningConfig", {"FunctionName": "none", "CodeSigningConfigArn": NO_CONFIG}, "CodeSigningConfigNotFoundException", f"The code signing configuration cannot be found. Check that the provided configuration is not deleted: {NO_CONFIG}."),
    ("CreateEventSourceMapping", {"FunctionName": "none", "EventSourceArn": "arn:aws:sqs:us-east-1:200000000015:none"}, "InvalidParameterValueException", "Function does not exist"),
]


@pytest.mark.parametrize(("operation", "parameters", "code", "message"), NOT_THERE)
def test_what_is_not_there_is_said_in_each_operations_words(account, operation, parameters, code, message):
    call = getattr(account.client, xform_name(operation))
    error = refused(call, **parameters)["Error"]
    assert (error["Code"], error["Message"]) == (code, message)
