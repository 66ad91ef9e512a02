"""The rows of the conformance suite: what this machine serves, and custom runtimes: AWS's own published clients, a shell script."""

import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
from conftest import BINARY, HERE, zip_of

CORE = Path(__file__).parents[2] / "runtimes" / "tests" / "conformance" / "java"
TEST_ENV = HERE.parents[1] / "target" / "test-env"
RUST = Path(os.environ.get("HEARTH_TEST_RUST_BOOTSTRAP", TEST_ENV / "rust" / "release" / "bootstrap")).with_name("conformance")
NODE_RIC = Path(os.environ.get("HEARTH_TEST_NODE_RIC", TEST_ENV / "ric" / "node_modules"))

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
                "env": os.environ["GREETING"], "execution": os.environ.get("AWS_EXECUTION_ENV"), "cwd": os.getcwd(), "pid": os.getpid(),
                "trace": os.environ["_X_AMZN_TRACE_ID"]}
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
                 env: process.env.GREETING, execution: process.env.AWS_EXECUTION_ENV, cwd: process.cwd(), pid: process.pid,
                 trace: process.env._X_AMZN_TRACE_ID };
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
                "execution", System.getenv("AWS_EXECUTION_ENV"), "cwd", System.getProperty("user.dir"), "pid", ProcessHandle.current().pid(),
                "trace", trace());
        return event;
    }

    /** Where each version of the runtime has it. */
    private static String trace() {
        String variable = System.getenv("_X_AMZN_TRACE_ID");
        return variable != null ? variable : System.getProperty("com.amazonaws.xray.traceHeader");
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
    env: ENV['GREETING'], execution: ENV['AWS_EXECUTION_ENV'], cwd: Dir.pwd, pid: Process.pid,
    trace: ENV['_X_AMZN_TRACE_ID'] }
end
"""

# Nothing but bash, its own sockets and what every system has: a custom runtime may be a script.
BASH = r"""#!/bin/bash
API=/2018-06-01/runtime/invocation
event=$(mktemp) answer=$(mktemp)

call() { # method, path, file of the body
    exec 3<>"/dev/tcp/${AWS_LAMBDA_RUNTIME_API/://}"
    printf '%s %s HTTP/1.1\r\nHost: runtime\r\nConnection: close\r\nContent-Length: %s\r\n\r\n' \
        "$1" "$2" "$(stat -c %s "$3")" >&3
    cat "$3" >&3
    declare -gA headers=()
    while IFS=': ' read -r name value && name=${name%$'\r'} && [ -n "$name" ]; do
        headers[${name,,}]=${value%$'\r'}
    done <&3
    cat <&3
    exec 3>&-
}

field() { sed -n 's/.*"'"$1"'": *"\?\([^",}]*\).*/\1/p' "$event"; }

while true; do
    call GET "$API/next" /dev/null >"$event"
    id=${headers[lambda-runtime-aws-request-id]}
    echo "handling $id"
    cp "$event" "$answer"
    end=response
    # A large event is nobody's order.
    [ "$(stat -c %s "$event")" -lt 1000 ] && case $(<"$event") in
        *'"fail"'*) end=error; printf '{"errorMessage":"%s","errorType":"Failed"}' "$(field fail)" >"$answer" ;;
        *'"sleep"'*) sleep "$(field sleep)" ;;
        *'"exit"'*) exit "$(field exit)" ;;
        *'"context"'*)
            printf '{"id":"%s","arn":"%s","name":"%s","memory":%s,"remaining":%s,"env":"%s","cwd":"%s","pid":%s,"trace":"%s"}' \
                "$id" "${headers[lambda-runtime-invoked-function-arn]}" "$AWS_LAMBDA_FUNCTION_NAME" \
                "$AWS_LAMBDA_FUNCTION_MEMORY_SIZE" "$((headers[lambda-runtime-deadline-ms] - $(date +%s%3N)))" \
                "$GREETING" "$PWD" $$ "${headers[lambda-runtime-trace-id]}" >"$answer" ;;
    esac
    call POST "$API/$id/$end" "$answer" >/dev/null
done
"""

JAVA_BROKEN = """
package example;

public class Main {
    static { if (true) throw new IllegalStateException("broken at the start"); }
    public String handle() { return ""; }
}
"""


def java(source, libraries=("com",)):
    """The classes of one source file, with the interfaces that a package brings."""
    with tempfile.TemporaryDirectory() as place:
        place = Path(place)
        (place / "Main.java").write_text(source)
        brought = [file for library in libraries for file in (CORE / library).rglob("*.java")]
        sources = [str(place / "Main.java"), *map(str, brought)]
        compiler = ["java", "-m", "jdk.compiler/com.sun.tools.javac.Main", "-source", "11", "-target", "11", "-nowarn"]
        subprocess.run([*compiler, "-d", str(place / "out"), *sources], check=True, capture_output=True)
        out = place / "out"
        return {str(file.relative_to(out)): file.read_bytes() for file in out.rglob("*.class")}


@dataclass(frozen=True)
class Row:
    """One way to run a function: the echo function's files, and those of one that fails while it starts."""

    name: str
    runtime: str
    files: Callable[[], dict]
    broken: Callable[[], dict]
    handler: str = "index.handler"
    broken_handler: str = "index.handler"
    # What AWS_EXECUTION_ENV says. Lambda sets it for its managed runtimes only.
    execution: str | None = None
    # Whether its errors say where they happened.
    traces: bool = True
    package: Callable[[bool], bytes] = field(init=False, compare=False)

    def __post_init__(self):
        packages = cache(lambda broken: zip_of(self.broken() if broken else self.files()))
        object.__setattr__(self, "package", packages)


# One entry a family: the echo function, one that fails while it starts, and the handlers of both where they are not usual.
FAMILIES = {
    "python": (lambda: {"index.py": PYTHON}, lambda: {"index.py": "1/0"}),
    "nodejs": (lambda: {"index.js": NODE}, lambda: {"index.js": "throw new Error('broken')"}),
    "java": (lambda: java(JAVA), lambda: java(JAVA_BROKEN), "example.Main", "example.Main::handle"),
    "ruby": (lambda: {"index.rb": RUBY}, lambda: {"index.rb": "raise 'broken'"}),
}


def served():
    """The rows that this machine serves with an interpreter, exactly or with the nearest version."""
    listed = subprocess.run([BINARY, "runtimes", "--json"], capture_output=True, text=True, check=True)
    runtimes = [row["runtime"] for row in json.loads(listed.stdout) if row["status"] in ("exact", "nearest") and row.get("path")]
    for runtime in runtimes:
        family = next(family for name, family in FAMILIES.items() if runtime.startswith(name))
        yield Row(runtime, runtime, *family, execution=f"AWS_Lambda_{runtime}")


def clients():
    """AWS's own runtime clients, unmodified, as custom runtimes; and one that is a script."""
    yield client("awslambdaric", awslambdaric, PYTHON_BOOTSTRAP, FAMILIES["python"])
    yield client("aws-lambda-ric", aws_lambda_ric, NODE_BOOTSTRAP, FAMILIES["nodejs"])
    bash = ("bash", "provided.al2023", lambda: script(BASH), lambda: script("#!/bin/bash\nexit 1\n"))
    yield Row(*bash, traces=False)
    # The crate answers with an error's name and message, and no more.
    rust = ("lambda_runtime", "provided.al2023", lambda_runtime, lambda_runtime)
    yield Row(*rust, broken_handler="broken.handler", traces=False)


def client(name, installed, bootstrap, family):
    def with_client(function):
        return lambda: {**installed(), **function(), "bootstrap": (bootstrap, 0o755)}

    return Row(name, "provided.al2023", *map(with_client, family))


PYTHON_BOOTSTRAP = '#!/bin/sh\nexec /usr/bin/python3 -m awslambdaric "$_HANDLER"\n'
NODE_BOOTSTRAP = '#!/bin/sh\nexec node "$LAMBDA_TASK_ROOT/node_modules/aws-lambda-ric/index.mjs" "$_HANDLER"\n'


def script(text):
    return {"bootstrap": (text, 0o755)}


@cache
def awslambdaric():
    """From PyPI, built by the system's Python, which is the one that a custom runtime finds in its sandbox."""
    with tempfile.TemporaryDirectory() as place:
        pip = ["/usr/bin/python3", "-m", "pip", "install", "--quiet", "--no-input", "--no-compile", "--target", place]
        try:
            done = subprocess.run([*pip, "awslambdaric"], capture_output=True, text=True, timeout=300)
        except FileNotFoundError:
            pytest.skip("no /usr/bin/python3 here")
        if done.returncode:
            pytest.skip(f"awslambdaric cannot be installed here: {done.stderr[-300:]}")
        return files_of(Path(place), Path(place))


def aws_lambda_ric():
    """From npm, built natively by `cargo xtask test`."""
    if not (NODE_RIC / "aws-lambda-ric" / "rapid-client.node").exists():
        pytest.skip(f"aws-lambda-ric is not built; cargo xtask test does it ({NODE_RIC})")
    if not any(Path(directory, "node").exists() for directory in ("/usr/local/bin", "/usr/bin")):
        pytest.skip("no Node.js where a custom runtime finds it in its sandbox")
    # What else was installed served to build it.
    needed = ("aws-lambda-ric", "@aws/lambda-invoke-store")
    return {name: file for part in needed for name, file in files_of(NODE_RIC / part, NODE_RIC.parent).items()}


def lambda_runtime():
    """From crates.io, built by `cargo xtask test`."""
    if not RUST.exists():
        pytest.skip(f"the Rust bootstrap is not built; cargo xtask test does it ({RUST})")
    return {"bootstrap": (RUST.read_bytes(), 0o755)}


def files_of(directory, base):
    files = [file for file in directory.rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    return {str(file.relative_to(base)): file.read_bytes() for file in files}
