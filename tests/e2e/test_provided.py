"""Custom runtimes: a Rust program on AWS's own crate, a shell script, and packages that have none."""

import os
import re
from pathlib import Path

import pytest
from conftest import HERE
from test_invoke import tail_of

RUST = Path(
    os.environ.get("HEARTH_TEST_RUST_BOOTSTRAP", HERE.parents[1] / "target" / "test-env" / "rust" / "release" / "bootstrap")
)

# What AWS's guide for custom runtimes shows, with bash's own sockets in curl's place: a runtime needs no program but itself.
SHELL = r"""#!/bin/bash
set -u
host=${AWS_LAMBDA_RUNTIME_API%:*} port=${AWS_LAMBDA_RUNTIME_API#*:}
source "$LAMBDA_TASK_ROOT/$(echo "$_HANDLER" | cut -d. -f1).sh"
while true; do
  exec 3<>"/dev/tcp/$host/$port"
  printf 'GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$host" >&3
  id='' length=0
  while IFS= read -r line <&3; do
    line=${line%$'\r'}
    [ -z "$line" ] && break
    case "${line,,}" in
      lambda-runtime-aws-request-id:*) id=${line#*: } ;;
      content-length:*) length=${line#*: } ;;
    esac
  done
  IFS= read -r -N "$length" event <&3
  exec 3>&-
  answer=$($(echo "$_HANDLER" | cut -d. -f2) "$event")
  exec 3<>"/dev/tcp/$host/$port"
  printf 'POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Length: %s\r\n\r\n%s' \
    "$id" "$host" "${#answer}" "$answer" >&3
  cat <&3 >/dev/null
  exec 3>&-
done
"""

CURL = r"""#!/bin/sh
set -eu
while true; do
  headers=$(mktemp)
  event=$(curl -sS -LD "$headers" "http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/next")
  id=$(grep -Fi Lambda-Runtime-Aws-Request-Id "$headers" | tr -d '[:space:]' | cut -d: -f2)
  curl -sS "http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/$id/response" -d "echo: $event" >/dev/null
done
"""


def provided(server, files, **settings):
    return server.function(files, **{"runtime": "provided.al2023", "handler": "function.handler", **settings})


@pytest.fixture(scope="module")
def rust(server):
    if not RUST.exists():
        pytest.skip(f"the Rust bootstrap is not built; cargo xtask test does it ({RUST})")
    return provided(server, {"bootstrap": (RUST.read_bytes(), 0o755)}, Timeout=3, handler="any.thing")


def test_a_rust_bootstrap_answers_with_lambdas_context(server, rust):
    payload, response = server.invoke(rust, {"a": [1, "ü"]}, LogType="Tail")
    request_id = response["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"]
    assert payload == {
        "event": {"a": [1, "ü"]},
        "requestId": request_id,
        "arn": f"arn:aws:lambda:us-east-1:000000000000:function:{rust}",
        "memory": 256,
        "handler": "any.thing",
        # Lambda sets it for its managed runtimes only.
        "executionEnv": None,
    }
    assert f"handling {request_id}" in tail_of(response)


def test_a_rust_bootstraps_error_has_its_crates_form(server, rust):
    payload, response = server.invoke(rust, {"fail": "no luck"})
    assert response["FunctionError"] == "Unhandled"
    assert payload["errorMessage"] == "no luck"
    assert re.fullmatch(r"&?(alloc::boxed::Box<.+>)", payload["errorType"]), payload
    assert server.invoke(rust, {"after": 1})[0]["event"] == {"after": 1}


def test_a_rust_bootstrap_that_is_too_slow_times_out(server, rust):
    payload, response = server.invoke(rust, {"sleep_ms": 60_000}, LogType="Tail")
    request_id = response["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"]
    assert payload["errorType"] == "Sandbox.Timedout"
    assert payload["errorMessage"] == f"RequestId: {request_id} Error: Task timed out after 3.00 seconds"
    assert "Status: timeout" in tail_of(response)
    assert server.invoke(rust, {"after": 2})[0]["event"] == {"after": 2}


@pytest.mark.parametrize(
    ("status", "reason"), [(0, "Runtime exited without providing a reason"), (7, "Runtime exited with error: exit status 7")]
)
def test_a_rust_bootstrap_that_exits_is_reported(server, rust, status, reason):
    payload, response = server.invoke(rust, {"exit": status})
    request_id = response["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"]
    assert payload == {"errorType": "Runtime.ExitError", "errorMessage": f"RequestId: {request_id} Error: {reason}"}
    assert server.invoke(rust, {"after": 3})[0]["event"] == {"after": 3}


def test_a_shell_script_is_a_runtime(server):
    function = 'handler() { echo "handling" >&2; echo "{\\"got\\": $1, \\"pwd\\": \\"$PWD\\"}"; }\n'
    name = provided(server, {"bootstrap": (SHELL, 0o755), "function.sh": function})
    for number in range(3):
        payload, response = server.invoke(name, {"n": number}, LogType="Tail")
        assert payload == {"got": {"n": number}, "pwd": "/var/task"}
    assert "handling" in tail_of(response)


def test_a_runtimes_answer_goes_out_as_it_is(server):
    name = provided(server, {"bootstrap": (CURL, 0o755)})
    response = server.client("lambda").invoke(FunctionName=name, Payload=b'"hi"')
    # Not JSON, and not Lambda's business.
    assert "FunctionError" not in response and response["Payload"].read() == b'echo: "hi"'


def test_a_custom_runtime_sees_the_documented_environment(server):
    # No Python in this package: the environment as /proc has it, with what a shell has.
    function = r"""handler() {
  local first=1
  printf '{'
  while IFS='=' read -r -d '' name value; do
    [ $first = 1 ] || printf ','
    first=0
    printf '"%s":"%s"' "$name" "$value"
  done </proc/self/environ
  printf '}'
}
"""
    name = provided(
        server, {"bootstrap": (SHELL, 0o755), "function.sh": function}, Environment={"Variables": {"STAGE": "test"}}
    )
    seen = server.invoke(name)[0]
    assert seen["STAGE"] == "test"
    assert "AWS_EXECUTION_ENV" not in seen
    expected = {
        "_HANDLER": "function.handler",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "LAMBDA_TASK_ROOT": "/var/task",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "TZ": ":UTC",
        "AWS_ENDPOINT_URL": server.endpoint,
    }
    assert {key: seen.get(key) for key in expected} == expected
    for secret in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        assert seen[secret]
    assert "/opt/bin" in seen["PATH"].split(":") and "/opt/lib" in seen["LD_LIBRARY_PATH"].split(":")
    assert not [key for key in seen if key.startswith("HEARTH")]


@pytest.mark.parametrize(
    "files",
    [
        {"other": "nothing"},
        {"bootstrap": ("#!/bin/sh\n", 0o644)},
        {"bootstrap": ("#!/no/such/interpreter\n", 0o755)},
        {"bootstrap": (b"\x7fELF but not really", 0o755)},
    ],
    ids=["missing", "not executable", "no interpreter", "not a program"],
)
def test_a_package_without_a_program_is_an_invalid_entrypoint(server, files):
    payload, response = server.invoke(provided(server, files))
    assert response["FunctionError"] == "Unhandled"
    assert payload["errorType"] == "Runtime.InvalidEntrypoint", payload
    assert payload["errorMessage"].startswith("RequestId: ")


def test_a_bootstrap_that_ends_before_it_asks_is_reported(server):
    name = provided(server, {"bootstrap": ("#!/bin/sh\necho oh no\nexit 3\n", 0o755)})
    payload, response = server.invoke(name, LogType="Tail")
    assert payload["errorType"] == "Runtime.ExitError"
    assert payload["errorMessage"].endswith("Runtime exited with error: exit status 3")
    assert "oh no" in tail_of(response)


def test_another_runtime_version_runs_the_same_bootstrap(server, rust):
    name = server.function({"bootstrap": (RUST.read_bytes(), 0o755)}, runtime="provided.al2", handler="x")
    assert server.invoke(name, {"x": 1})[0]["event"] == {"x": 1}
