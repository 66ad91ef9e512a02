"""The same conformance suite for every row of the runtime table that this machine serves: a new row needs no new test."""

import json
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import pytest
from conftest import BINARY, zip_of
from test_invoke import tail_of

CORE = Path(__file__).parents[2] / "runtimes" / "tests" / "conformance" / "java" / "com"

PYTHON = """
import os, time
def handler(event, context):
    print("handling", context.aws_request_id)
    if "fail" in event: raise ValueError(event["fail"])
    if "sleep" in event: time.sleep(event["sleep"])
    if "exit" in event: os._exit(event["exit"])
    if "context" in event:
        return {"id": context.aws_request_id, "arn": context.invoked_function_arn, "name": context.function_name,
                "memory": int(context.memory_limit_in_mb), "remaining": context.get_remaining_time_in_millis(),
                "env": os.environ["GREETING"], "execution": os.environ["AWS_EXECUTION_ENV"], "cwd": os.getcwd(), "pid": os.getpid()}
    return event
"""

NODE = """
exports.handler = async (event, context) => {
    console.log("handling", context.awsRequestId);
    if ("fail" in event) throw new Error(event.fail);
    if ("sleep" in event) await new Promise((done) => setTimeout(done, event.sleep * 1000));
    if ("exit" in event) process.exit(event.exit);
    if ("context" in event)
        return { id: context.awsRequestId, arn: context.invokedFunctionArn, name: context.functionName,
                 memory: Number(context.memoryLimitInMB), remaining: context.getRemainingTimeInMillis(),
                 env: process.env.GREETING, execution: process.env.AWS_EXECUTION_ENV, cwd: process.cwd(), pid: process.pid };
    return event;
};
"""

JAVA = """
package example;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.util.Map;

public class Main implements RequestHandler<Map<String, Object>, Object> {
    @Override
    public Object handleRequest(Map<String, Object> event, Context context) {
        System.out.println("handling " + context.getAwsRequestId());
        if (event.containsKey("fail")) throw new IllegalStateException((String) event.get("fail"));
        if (event.containsKey("exit")) Runtime.getRuntime().halt((Integer) event.get("exit"));
        try {
            if (event.containsKey("sleep")) Thread.sleep((Integer) event.get("sleep") * 1000L);
        } catch (InterruptedException never) {}
        if (event.containsKey("context"))
            return Map.of("id", context.getAwsRequestId(), "arn", context.getInvokedFunctionArn(),
                "name", context.getFunctionName(), "memory", context.getMemoryLimitInMB(),
                "remaining", context.getRemainingTimeInMillis(), "env", System.getenv("GREETING"),
                "execution", System.getenv("AWS_EXECUTION_ENV"), "cwd", System.getProperty("user.dir"), "pid", ProcessHandle.current().pid());
        return event;
    }
}
"""

RUBY = """
def handler(event:, context:)
  puts "handling #{context.aws_request_id}"
  raise ArgumentError, event['fail'] if event.key?('fail')
  sleep(event['sleep']) if event.key?('sleep')
  exit!(event['exit']) if event.key?('exit')
  return event unless event.key?('context')

  { id: context.aws_request_id, arn: context.invoked_function_arn, name: context.function_name,
    memory: context.memory_limit_in_mb.to_i, remaining: context.get_remaining_time_in_millis,
    env: ENV['GREETING'], execution: ENV['AWS_EXECUTION_ENV'], cwd: Dir.pwd, pid: Process.pid }
end
"""

JAVA_BROKEN = """
package example;

public class Main {
    static { if (true) throw new IllegalStateException("broken at the start"); }
    public String handle() { return ""; }
}
"""


def java(source):
    """The classes of one source file, with the interfaces that a package brings."""
    with tempfile.TemporaryDirectory() as place:
        place = Path(place)
        (place / "Main.java").write_text(source)
        sources = [str(place / "Main.java"), *map(str, CORE.rglob("*.java"))]
        compiler = ["java", "-m", "jdk.compiler/com.sun.tools.javac.Main", "-source", "11", "-target", "11", "-nowarn"]
        subprocess.run([*compiler, "-d", str(place / "out"), *sources], check=True, capture_output=True)
        out = place / "out"
        return {str(file.relative_to(out)): file.read_bytes() for file in out.rglob("*.class")}


# One entry a family: the echo function and its handler, and a function that fails while it starts.
FAMILIES = {
    "python": (lambda: {"index.py": PYTHON}, "index.handler", lambda: {"index.py": "1/0"}, "index.handler"),
    "nodejs": (lambda: {"index.js": NODE}, "index.handler", lambda: {"index.js": "throw new Error('broken')"}, "index.handler"),
    "java": (lambda: java(JAVA), "example.Main", lambda: java(JAVA_BROKEN), "example.Main::handle"),
    "ruby": (lambda: {"index.rb": RUBY}, "index.handler", lambda: {"index.rb": "raise 'broken'"}, "index.handler"),
}


def served():
    """The rows that this machine serves with an interpreter, exactly or with the nearest version."""
    listed = subprocess.run([BINARY, "runtimes", "--json"], capture_output=True, text=True, check=True)
    rows = json.loads(listed.stdout)
    return [row["runtime"] for row in rows if row["status"] in ("exact", "nearest") and row.get("path")]


def family(runtime):
    return next(name for name in FAMILIES if runtime.startswith(name))


@lru_cache
def package(name, broken=False):
    files = FAMILIES[name][2 if broken else 0]
    return zip_of(files())


@pytest.fixture(scope="module", params=served())
def row(request, server):
    """A function on each row."""
    name = family(request.param)
    function = server.function_from(
        package(name),
        runtime=request.param,
        handler=FAMILIES[name][1],
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
    assert payload.get("stackTrace") or payload.get("trace"), payload
    assert server.invoke(row[1], {"context": 1})[0]["pid"] == before


def test_the_context_and_the_environment_are_lambdas(server, row):
    runtime, function = row
    payload, response = server.invoke(function, {"context": 1})
    remaining = payload.pop("remaining")
    assert 0 < remaining <= 10_000
    assert payload.pop("pid")
    assert payload == {
        "id": response["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"],
        "arn": f"arn:aws:lambda:us-east-1:000000000000:function:{function}",
        "name": function,
        "memory": 256,
        "env": "grüß dich",
        "execution": f"AWS_Lambda_{runtime}",
        "cwd": "/var/task",
    }


def test_large_payloads_pass_both_ways(server, row):
    event = {"text": "x" * 5_500_000}
    assert server.invoke(row[1], event)[0] == event


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
    name = family(row[0])
    function = server.function_from(package(name, broken=True), runtime=row[0], handler=FAMILIES[name][3])
    payload, response = server.invoke(function, {})
    assert response["FunctionError"] == "Unhandled"
    assert payload["errorMessage"] and payload["errorType"], payload


RIC_HANDLER = """
import os
def handler(event, context):
    if "fail" in event: raise ValueError(event["fail"])
    return {"event": event, "id": context.aws_request_id, "execution": os.environ.get("AWS_EXECUTION_ENV")}
"""


@pytest.fixture(scope="module")
def awslambdaric():
    """AWS's own client, built by the system's Python, which is the one that a custom runtime finds in its sandbox."""
    with tempfile.TemporaryDirectory() as place:
        pip = ["/usr/bin/python3", "-m", "pip", "install", "--quiet", "--no-input", "--no-compile", "--target", place]
        try:
            done = subprocess.run([*pip, "awslambdaric"], capture_output=True, text=True, timeout=300)
        except FileNotFoundError:
            pytest.skip("no /usr/bin/python3 here")
        if done.returncode:
            pytest.skip(f"awslambdaric cannot be installed here: {done.stderr[-300:]}")
        files = [file for file in Path(place).rglob("*") if file.is_file() and "__pycache__" not in file.parts]
        yield {str(file.relative_to(place)): file.read_bytes() for file in files}


def test_awss_own_python_client_runs_unmodified(server, awslambdaric):
    bootstrap = '#!/bin/sh\ncd "$LAMBDA_TASK_ROOT" && exec /usr/bin/python3 -m awslambdaric "$_HANDLER"\n'
    files = {**awslambdaric, "index.py": RIC_HANDLER, "bootstrap": (bootstrap.encode(), 0o755)}
    function = server.function(files, runtime="provided.al2023", handler="index.handler")
    payload, response = server.invoke(function, {"text": "grüß"})
    request_id = response["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"]
    # AWS names the execution environment for its managed runtimes only.
    assert payload == {"event": {"text": "grüß"}, "id": request_id, "execution": None}
    payload, response = server.invoke(function, {"fail": "no luck"})
    assert response["FunctionError"] == "Unhandled"
    assert (payload["errorMessage"], payload["errorType"], payload["requestId"]) == (
        "no luck",
        "ValueError",
        response["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"],
    )
    large = {"text": "x" * 5_000_000}
    assert server.invoke(function, large)[0]["event"] == large
