"""The real binary, driven by the real clients.

`HEARTH_BIN` names the binary; `cargo xtask test` sets it, with everything else these tests need.
"""

import io
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import uuid
import zipfile
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

HERE = Path(__file__).parent
FUNCTIONS = HERE / "functions"
BINARY = os.environ.get("HEARTH_BIN", str(HERE.parents[1] / "target" / "debug" / "hearth"))
REGION = "us-east-1"
# Each worker has a thousand to go round in.
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
PORTS = itertools.cycle(range(20000 + 1000 * WORKER, 21000 + 1000 * WORKER))
# The server that the session's tests share, once there is one.
SHARED = []

LAMBDA_TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)


# What reads a log. A function's log group is there from its first line on, a moment after the answer.
READS_A_LOG = {"FilterLogEvents", "GetLogEvents", "DescribeLogStreams"}


def eventually(condition, timeout=15.0, what="the condition"):
    """Waits for a condition and gives what it gave; never for a fixed time.

    A log group that is not there yet is a condition that has not come true yet.
    """
    deadline = time.monotonic() + timeout
    while True:
        missing = None
        try:
            found = condition()
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if error.operation_name not in READS_A_LOG or code != "ResourceNotFoundException":
                raise
            found, missing = None, error
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {timeout} s") from missing
        time.sleep(0.02)


def zip_of(files):
    """A deployment package from {name: text or bytes or (bytes, mode)}."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in files.items():
            content, mode = content if isinstance(content, tuple) else (content, 0o644)
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o100000 | mode) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            package.writestr(entry, content)
    return buffer.getvalue()


class Server:
    """One server process and clients for it."""

    def __init__(self, *arguments, data_dir=None, environment=None, wait=True):
        self.arguments = list(arguments)
        self.data_dir = data_dir
        self.environment = {**os.environ, **(environment or {})}
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.process = None
        self.output = tempfile.NamedTemporaryFile("w+", prefix="hearth-e2e-", suffix=".log")
        if wait:
            self.start()

    def command(self):
        keep = ["--data-dir", str(self.data_dir)] if self.data_dir else ["--ephemeral"]
        return [BINARY, "up", "--listen", f"127.0.0.1:{self.port}", *keep, *self.arguments]

    def start(self):
        self.process = subprocess.Popen(
            self.command(), stdout=self.output, stderr=subprocess.STDOUT, env=self.environment
        )
        eventually(self.is_ready, timeout=60, what="the server's readiness")
        return self

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.printed()}")
        try:
            with urllib.request.urlopen(f"{self.endpoint}/_hearth/health", timeout=2) as answer:
                # What it says of itself comes a moment after it listens.
                return answer.status == 200 and "is ready in" in self.printed()
        except (urllib.error.URLError, ConnectionError, socket.timeout):
            return False

    def printed(self):
        return Path(self.output.name).read_text()

    def must_enforce(self, limit):
        """Skips a test of a limit that this machine does not let Hearth hold; it says so when it starts."""
        missing = [line for line in self.printed().splitlines() if line.strip().startswith(f"- {limit}: ")]
        if missing:
            pytest.skip(missing[0].strip())

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, timeout=30):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)

    def client(self, service, region=REGION, key="test", secret="test", token=None, **config):
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=region,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(retries={"max_attempts": 0}, read_timeout=60, **config),
        )

    def aws(self, *arguments, check=True, **run):
        """The AWS CLI, as PyPI has it; what it printed."""
        program = os.environ.get("HEARTH_TEST_AWS_PYPI") or shutil.which("aws")
        # Version 1 has an endpoint of its own for queues, before it looks at the variable.
        endpoint = ["--endpoint-url", self.endpoint] if arguments[0] == "sqs" else []
        done = subprocess.run(
            [program, *endpoint, *arguments], env=self.cli_environment(), capture_output=True, text=True, timeout=120, **run
        )
        assert not check or done.returncode == 0, f"aws {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout if check else done

    def cli_environment(self, **more):
        return {
            **self.environment,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_PAGER": "",
            "AWS_EC2_METADATA_DISABLED": "true",
            **more,
        }

    def hearth(self, *arguments, check=True, **run):
        """Runs another of the binary's commands against this server."""
        done = subprocess.run(
            [BINARY, *arguments], env=self.cli_environment(), capture_output=True, text=True, timeout=60, **run
        )
        if check:
            assert done.returncode == 0, f"{arguments}: {done.stderr}\n{done.stdout}"
        return done

    def role(self, name=None):
        """A role that Lambda may assume."""
        name = name or f"role-{uuid.uuid4().hex[:8]}"
        created = self.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=LAMBDA_TRUST)
        return created["Role"]["Arn"]

    def function(self, files, **settings):
        """A function that is ready, by name."""
        return self.function_from(zip_of(files), **settings)

    def function_from(self, zipped, runtime="python3.12", handler="lambda_function.handler", name=None, **settings):
        """The same, from a package as it is."""
        name = name or f"f-{uuid.uuid4().hex[:10]}"
        client = self.client("lambda")
        client.create_function(
            FunctionName=name,
            Runtime=runtime,
            Handler=handler,
            Role=settings.pop("Role", None) or self.role(),
            Code={"ZipFile": zipped},
            **{"Timeout": 10, "MemorySize": 256, **settings},
        )
        # The clients' own pace is a second; a function is ready long before.
        client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.02, "MaxAttempts": 1500})
        return name

    def python(self, source, **settings):
        return self.function({"lambda_function.py": source}, **settings)

    def node(self, source, file="index.mjs", **settings):
        return self.function({file: source}, runtime="nodejs20.x", handler="index.handler", **settings)

    def invoke(self, name, event=None, **parameters):
        """The answer's payload and the whole response."""
        if event is not None:
            parameters["Payload"] = json.dumps(event).encode()
        response = self.client("lambda").invoke(FunctionName=name, **parameters)
        body = response["Payload"].read()
        response["Body"] = body
        return (json.loads(body) if body else None), response


def free_port():
    """A port nobody has, from below those the kernel gives to outgoing connections: nobody takes it meanwhile."""
    while True:
        with socket.socket() as listener:
            try:
                port = next(PORTS)
                listener.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


@pytest.fixture(scope="session")
def server():
    """A server that all tests of a session share: each uses names of its own."""
    running = Server()
    SHARED.append(running)
    yield running
    code = running.stop()
    assert code == 0, f"the server did not end cleanly:\n{running.printed()}"


@pytest.fixture(scope="module")
def role(server):
    """A role that Lambda may assume, for all functions of a file."""
    return server.role()


@pytest.fixture
def data_dir():
    directory = Path(tempfile.mkdtemp(prefix="hearth-e2e-data-"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def start():
    """Starts servers that end with the test."""
    running = []

    def start(*arguments, **options):
        running.append(Server(*arguments, **options))
        return running[-1]

    yield start
    for one in running:
        if one.process and one.process.poll() is None:
            one.kill()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    report = yield
    for server in SHARED if report.failed else []:
        report.sections.append(("the end of what the shared server printed", server.printed()[-5000:]))
    return report


def pytest_terminal_summary(terminalreporter):
    # The plain closing line that any CI understands.
    stats = terminalreporter.stats
    count = {kind: len(stats.get(kind, [])) for kind in ("passed", "failed", "error", "skipped")}
    failed = count["failed"] + count["error"]
    terminalreporter.write_line(f"{count['passed']} passed, {failed} failed, {count['skipped']} skipped")


@pytest.fixture
def small_disk():
    """A data directory on a disk of its own, of 64 MiB."""
    directory = Path(tempfile.mkdtemp(prefix="hearth-e2e-small-"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "hearth-e2e", str(directory)], capture_output=True, text=True
    )
    if mounted.returncode != 0:
        directory.rmdir()
        pytest.skip(f"a small disk needs the right to mount one: {mounted.stderr.strip()}")
    yield directory
    subprocess.run(["umount", "-l", str(directory)], check=True)
    directory.rmdir()


def fill(directory):
    """Takes all room there is, and gives the file that holds it."""
    filler = directory / "filler"
    with open(filler, "wb", buffering=0) as file:
        for size in (1024 * 1024, 4096, 1):
            try:
                while True:
                    file.write(os.urandom(size))
            except OSError:
                continue
    return filler
