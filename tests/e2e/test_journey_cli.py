"""The README's journey with the AWS CLI: Debian's, which needs --endpoint-url, and PyPI's, which reads the variable."""

import base64
import json
import os
import shutil
import subprocess
import urllib.request

import pytest
from conftest import LAMBDA_TRUST, eventually, zip_of

HANDLER = """
print("module loaded")

def handler(event, context):
    print("hello,", event["name"])
    return {"greeting": f"Hello, {event['name']}!", "memory": context.memory_limit_in_mb}
"""

CLIS = {
    "pypi": (os.environ.get("HEARTH_TEST_AWS_PYPI") or shutil.which("aws"), False),
    "debian": (os.environ.get("HEARTH_TEST_AWS_DEBIAN") or "/usr/bin/aws", True),
}


class Aws:
    def __init__(self, server, program, endpoint_flag, directory):
        self.server, self.program, self.endpoint_flag, self.directory = server, program, endpoint_flag, directory
        self.environment = server.cli_environment()
        if endpoint_flag:
            del self.environment["AWS_ENDPOINT_URL"]
        # PyPI has version 1 of the CLI: it never got `logs tail`, and always sends a payload as it is written.
        self.has_logs_tail = endpoint_flag
        self.raw_payloads = ["--cli-binary-format", "raw-in-base64-out"] if endpoint_flag else []

    def run(self, *arguments):
        flag = ["--endpoint-url", self.server.endpoint] if self.endpoint_flag else []
        return subprocess.run(
            [self.program, *flag, *arguments],
            env=self.environment,
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def __call__(self, *arguments):
        done = self.run(*arguments)
        assert done.returncode == 0, f"aws {' '.join(arguments)}\n{done.stderr}"
        return json.loads(done.stdout) if done.stdout.lstrip().startswith(("{", "[")) else done.stdout


@pytest.fixture(params=CLIS)
def aws(request, server, tmp_path):
    program, endpoint_flag = CLIS[request.param]
    if not program or not os.path.exists(program):
        pytest.skip(f"there is no {request.param} AWS CLI on this machine")
    return Aws(server, program, endpoint_flag, tmp_path)


def test_a_function_goes_from_zip_to_answer(aws, tmp_path):
    name, role_name = f"journey-{aws.endpoint_flag}".lower(), f"journey-role-{aws.endpoint_flag}".lower()
    group = f"/aws/lambda/{name}"
    (tmp_path / "trust.json").write_text(LAMBDA_TRUST)
    (tmp_path / "function.zip").write_bytes(zip_of({"lambda_function.py": HANDLER}))
    policy = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"

    role = aws("iam", "create-role", "--role-name", role_name, "--assume-role-policy-document", "file://trust.json")
    aws("iam", "attach-role-policy", "--role-name", role_name, "--policy-arn", policy)
    created = aws(
        *("lambda", "create-function", "--function-name", name, "--runtime", "python3.12"),
        *("--handler", "lambda_function.handler", "--zip-file", "fileb://function.zip"),
        *("--timeout", "30", "--memory-size", "256", "--role", role["Role"]["Arn"], "--tags", "team=blue"),
    )
    assert created["State"] == "Pending"
    aws("lambda", "wait", "function-active-v2", "--function-name", name)

    def invoke(*more):
        return aws(
            *("lambda", "invoke", "--function-name", name, "--payload", '{"name": "Sam"}'),
            *aws.raw_payloads,
            *more,
            "response.json",
        ) | {"payload": json.loads((tmp_path / "response.json").read_text())}

    answer = invoke()
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert answer["payload"] == {"greeting": "Hello, Sam!", "memory": "256"}

    log = base64.b64decode(invoke("--log-type", "Tail")["LogResult"]).decode()
    start, printed, end, report = log.splitlines()[:4]
    assert start.startswith("START RequestId: ") and start.endswith(" Version: $LATEST")
    assert printed == "hello, Sam"
    assert end.startswith("END RequestId: ")
    fields = dict(field.split(": ", 1) for field in report.removeprefix("REPORT ").strip().split("\t"))
    assert fields["Memory Size"] == "256 MB" and fields["Max Memory Used"].endswith(" MB")
    assert int(fields["Billed Duration"].removesuffix(" ms")) >= float(fields["Duration"].removesuffix(" ms"))

    found = aws("lambda", "get-function", "--function-name", name)
    assert found["Configuration"]["State"] == "Active"
    assert found["Tags"] == {"team": "blue"}
    with urllib.request.urlopen(found["Code"]["Location"]) as download:
        assert download.read() == (tmp_path / "function.zip").read_bytes()

    changed = HANDLER.replace("Hello", "Good day")
    (tmp_path / "function.zip").write_bytes(zip_of({"lambda_function.py": changed}))
    aws("lambda", "update-function-code", "--function-name", name, "--zip-file", "fileb://function.zip")
    aws("lambda", "wait", "function-updated-v2", "--function-name", name)
    assert invoke()["payload"]["greeting"] == "Good day, Sam!"

    reads_env = HANDLER.replace("context.memory_limit_in_mb", "__import__('os').environ['STAGE']")
    (tmp_path / "function.zip").write_bytes(zip_of({"lambda_function.py": reads_env}))
    aws("lambda", "update-function-code", "--function-name", name, "--zip-file", "fileb://function.zip")
    aws("lambda", "wait", "function-updated-v2", "--function-name", name)
    aws(
        *("lambda", "update-function-configuration", "--function-name", name),
        *("--environment", "Variables={STAGE=test}"),
    )
    aws("lambda", "wait", "function-updated-v2", "--function-name", name)
    assert invoke()["payload"]["memory"] == "test"

    listed = aws("lambda", "list-functions")["Functions"]
    assert name in [function["FunctionName"] for function in listed]
    aws("lambda", "tag-resource", "--resource", created["FunctionArn"], "--tags", "cost=low")
    assert aws("lambda", "list-tags", "--resource", created["FunctionArn"])["Tags"] == {"team": "blue", "cost": "low"}
    assert aws("lambda", "get-account-settings")["AccountLimit"]["ConcurrentExecutions"] == 1000

    groups = aws("logs", "describe-log-groups", "--log-group-name-prefix", group)["logGroups"]
    assert [found["logGroupName"] for found in groups] == [group]
    if aws.has_logs_tail:
        tail = eventually(lambda: logged(aws, group), what="the printed line in the log")
        assert "REPORT RequestId: " in tail
    matched = aws("logs", "filter-log-events", "--log-group-name", group, "--filter-pattern", '"hello" Sam')["events"]
    assert matched and all(event["message"].startswith("hello, Sam") for event in matched)

    # A line that came after the group's deletion would bring it back, here as on AWS.
    reports = ("logs", "filter-log-events", "--log-group-name", group, "--filter-pattern", '"REPORT RequestId"')
    eventually(lambda: len(aws(*reports)["events"]) >= 4, what="the reports of four invocations")

    aws("lambda", "delete-function", "--function-name", name)
    aws("iam", "detach-role-policy", "--role-name", role_name, "--policy-arn", policy)
    aws("iam", "delete-role", "--role-name", role_name)
    aws("logs", "delete-log-group", "--log-group-name", group)
    assert name not in [function["FunctionName"] for function in aws("lambda", "list-functions")["Functions"]]
    assert role_name not in [found["RoleName"] for found in aws("iam", "list-roles")["Roles"]]
    assert aws("logs", "describe-log-groups", "--log-group-name-prefix", group)["logGroups"] == [], aws("logs", "filter-log-events", "--log-group-name", group)


def logged(aws, group):
    text = aws("logs", "tail", group, "--since", "5m")
    return text if "hello, Sam" in text else None


def test_following_a_log_shows_new_lines(aws, server):
    if not aws.has_logs_tail:
        pytest.skip("version 1 of the AWS CLI has no `logs tail`")
    name = server.python("def handler(event, context):\n    print('marker', event['n'])\n")
    server.invoke(name, {"n": 1})
    flag = ["--endpoint-url", server.endpoint] if aws.endpoint_flag else []
    follow = subprocess.Popen(
        [aws.program, *flag, "logs", "tail", f"/aws/lambda/{name}", "--follow", "--since", "5m"],
        env={**aws.environment, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert any("marker 1" in line for line in follow.stdout)
        server.invoke(name, {"n": 2})
        assert any("marker 2" in line for line in follow.stdout)
    finally:
        follow.kill()
        follow.wait()


def test_an_error_is_the_clis_own(aws):
    done = aws.run("lambda", "get-function", "--function-name", "nobody")
    assert done.returncode != 0
    assert "(ResourceNotFoundException)" in done.stderr
    assert "Function not found: arn:aws:lambda:us-east-1:000000000000:function:nobody" in done.stderr
