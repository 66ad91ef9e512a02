"""The `hearth` command: what each part prints, for people and for scripts, and what it says when something is wrong."""

import json
import os
import re
import shutil
import subprocess

import pytest
from conftest import BINARY, eventually, free_port

ECHO = """
def handler(event, context):
    print("got", event)
    if isinstance(event, dict) and event.get("fail"):
        raise ValueError("no luck")
    return event
"""


@pytest.fixture(scope="module")
def echo(server):
    return server.python(ECHO, name="cli-echo")


def nowhere(*arguments, **environment):
    """A command against a port where nobody listens, with nothing else in the environment to go by."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}",
        **environment,
    }
    return subprocess.run([BINARY, *arguments], env=environment, capture_output=True, text=True, timeout=60)


COMMANDS = ["up", "deploy", "invoke", "logs", "metrics", "url", "rm", "functions", "runtimes", "sign", "aws", "version"]


def test_help_names_every_command_and_the_first_steps():
    shown = nowhere("--help").stdout
    for command in COMMANDS:
        assert re.search(rf"^  {command}\s+\S", shown, re.MULTILINE), command
    assert "hearth up" in shown and "hearth invoke" in shown


@pytest.mark.parametrize("command", [command for command in COMMANDS if command != "aws"])
def test_every_command_explains_itself(command):
    done = nowhere(command, "--help")
    assert done.returncode == 0 and f"Usage: hearth {command}" in done.stdout
    # Each flag has its line of advice.
    for flag in re.findall(r"^\s+(?:-\w, )?--[\w-]+.*$", done.stdout, re.MULTILINE):
        if "--help" not in flag and "--version" not in flag:
            assert re.search(r"\S\s{2,}\S", flag) or f"{flag}\n          " in done.stdout, flag


def test_an_unknown_command_is_refused_with_help():
    done = nowhere("invok")
    assert done.returncode == 2 and "invoke" in done.stderr and "--help" in done.stderr


def test_the_version_is_told_to_people_and_scripts():
    text, flag = nowhere("version").stdout, nowhere("--version").stdout
    assert re.fullmatch(r"hearth \d+\.\d+\.\d+\n", text) and flag == text
    assert json.loads(nowhere("version", "--json").stdout) == {"version": text.split()[1]}


def test_functions_are_listed(server, echo):
    lines = server.hearth("functions").stdout.splitlines()
    assert lines[0].split() == ["NAME", "RUNTIME", "HANDLER", "MEMORY", "TIMEOUT", "MODIFIED"]
    row = next(line for line in lines if line.startswith(f"{echo} "))
    assert row.split()[1:7] == ["python3.12", "lambda_function.handler", "256", "MB", "10", "s"]
    listed = json.loads(server.hearth("functions", "--json").stdout)
    assert echo in [function["FunctionName"] for function in listed]


def test_no_functions_is_said(server):
    done = subprocess.run(
        [BINARY, "functions"],
        env=server.cli_environment(AWS_DEFAULT_REGION="sa-east-1"),
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0 and "No functions" in done.stdout


def test_all_functions_are_listed_and_not_only_the_first_page(server):
    client, role = server.client("lambda", region="ca-central-1"), server.role()
    from conftest import zip_of

    zipped = zip_of({"lambda_function.py": ECHO})
    for number in range(55):
        client.create_function(
            FunctionName=f"many-{number:02}", Runtime="python3.12", Handler="lambda_function.handler", Role=role,
            Code={"ZipFile": zipped},
        )
    done = subprocess.run(
        [BINARY, "functions", "--json"],
        env=server.cli_environment(AWS_DEFAULT_REGION="ca-central-1"),
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert len(json.loads(done.stdout)) == 55


def test_an_answer_is_printed_as_it_is(server, echo, tmp_path):
    assert server.hearth("invoke", echo, "--payload", '{"a": 1}').stdout == '{"a": 1}\n'
    assert server.hearth("invoke", echo).stdout == "{}\n"
    (tmp_path / "event.json").write_text('{"from": "file"}')
    assert server.hearth("invoke", echo, "--payload", f"@{tmp_path}/event.json").stdout == '{"from": "file"}\n'
    assert server.hearth("invoke", echo, "-p", "-", input='{"from": "stdin"}').stdout == '{"from": "stdin"}\n'


def test_the_log_goes_to_standard_error(server, echo):
    done = server.hearth("invoke", echo, "--tail", "--payload", '{"a": 1}')
    assert done.stdout == '{"a": 1}\n'
    assert done.stderr.startswith("START RequestId: ") and "got {'a': 1}\n" in done.stderr and "REPORT" in done.stderr
    assert server.hearth("invoke", echo).stderr == ""


def test_everything_about_an_answer_is_there_as_json(server, echo):
    answer = json.loads(server.hearth("invoke", echo, "--json", "--payload", "[1]").stdout)
    assert (answer["status"], answer["executedVersion"], answer["functionError"]) == (200, "$LATEST", None)
    assert answer["payload"] == [1] and "got [1]" in answer["log"]


def test_a_functions_failure_is_the_commands(server, echo):
    done = server.hearth("invoke", echo, "--payload", '{"fail": true}', check=False)
    assert done.returncode == 1 and json.loads(done.stdout)["errorMessage"] == "no luck"
    done = server.hearth("invoke", echo, "--json", "--payload", '{"fail": true}', check=False)
    assert done.returncode == 1 and json.loads(done.stdout)["functionError"] == "Unhandled"


def test_logs_are_printed_filtered_and_as_json(server, echo):
    server.hearth("invoke", echo, "--payload", '"marker"')
    eventually(lambda: "got marker" in server.hearth("logs", echo, check=False).stdout, what="the printed line")
    assert server.hearth("logs", echo).stdout == server.hearth("logs", f"/aws/lambda/{echo}").stdout
    filtered = server.hearth("logs", echo, "--filter", "marker", "--since", "1h").stdout.splitlines()
    assert filtered and all("marker" in line for line in filtered)
    events = [json.loads(line) for line in server.hearth("logs", echo, "--json", "--filter", "marker").stdout.splitlines()]
    assert all(event["message"].startswith("got marker") and event["logStreamName"] for event in events)


def test_following_shows_what_comes(server):
    name = server.python(ECHO)
    server.hearth("invoke", name, "--payload", '"first"')
    eventually(lambda: "got first" in server.hearth("logs", name, check=False).stdout, what="the printed line")
    follow = subprocess.Popen(
        [BINARY, "logs", name, "--follow"], env=server.cli_environment(), stdout=subprocess.PIPE, text=True
    )
    try:
        seen = []
        assert any(seen.append(line) or "got first" in line for line in follow.stdout)
        server.hearth("invoke", name, "--payload", '"second"')
        assert any(seen.append(line) or "got second" in line for line in follow.stdout)
        # Nothing is shown twice, although the newest millisecond is asked for again.
        assert len(seen) == len(set(seen)), seen
    finally:
        follow.kill()
        follow.wait()


def test_runtimes_say_what_serves_them(server):
    entries = json.loads(nowhere("runtimes", "--json").stdout)
    by_id = {entry["runtime"]: entry for entry in entries}
    for runtime in ("python3.9", "python3.14", "nodejs18.x", "nodejs24.x", "provided.al2", "provided.al2023", "java21"):
        assert runtime in by_id
    lines = nowhere("runtimes").stdout.splitlines()
    assert lines[0].split() == ["RUNTIME", "STATUS", "SERVED", "BY", "DETAIL"]
    assert len(lines) == len(entries) + 1
    # What is not there says how to get it.
    for line in lines[1:]:
        if line.split()[1] == "missing":
            assert "install" in line, line


def test_the_aws_cli_is_pointed_at_the_server(server, echo):
    if not shutil.which("aws"):
        pytest.skip("there is no aws on PATH")
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "AWS_PAGER": "", "HEARTH_LISTEN": f"127.0.0.1:{server.port}"}
    done = subprocess.run(
        [BINARY, "aws", "lambda", "get-function-configuration", "--function-name", echo, "--query", "Handler", "--output", "text"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.returncode) == ("lambda_function.handler\n", 0), done.stderr
    failed = server.hearth("aws", "lambda", "get-function", "--function-name", "nobody", check=False)
    assert failed.returncode != 0 and "ResourceNotFoundException" in failed.stderr


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (["functions"], ["no server answers", "hearth up", "AWS_ENDPOINT_URL"]),
        (["invoke", "f"], ["no server answers", "hearth up"]),
        (["logs", "f"], ["no server answers", "hearth up"]),
    ],
)
def test_without_a_server_the_way_to_one_is_told(arguments, advice):
    done = nowhere(*arguments)
    assert done.returncode == 1 and done.stdout == ""
    for words in advice:
        assert words in done.stderr, done.stderr


def test_the_servers_refusals_are_told_with_their_code(server, echo):
    for arguments, words in (
        (["invoke", "nobody"], "ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:000000000000:function:nobody"),
        (["invoke", echo, "--payload", "{nope"], "InvalidRequestContentException: Could not parse request body into json"),
        (["invoke", echo, "--payload", "@/no/such/file"], "read /no/such/file"),
        (["logs", "nobody"], "ResourceNotFoundException: The specified log group does not exist."),
        (["logs", echo, "--since", "soon"], "write it like 30s, 5m"),
    ):
        done = server.hearth(*arguments, check=False)
        assert done.returncode != 0 and words in done.stderr, done.stderr


def test_aws_without_the_cli_says_how_to_get_it():
    done = nowhere("aws", "sts", "get-caller-identity", PATH="/nonexistent")
    assert done.returncode == 1 and "pip install awscli" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--listen", "4566"], "--listen"),
        (["--ephemeral", "--data-dir", "/tmp/x"], "choose one"),
        (["--ephemeral", "--runtimes", "maybe"], "nearest"),
        (["--ephemeral", "--log", "a=b=c"], "--log"),
        (["--ephemeral", "--auth"], "HEARTH_ROOT_ACCESS_KEY_ID"),
        (["--ephemeral", "--config", "/no/such/file"], "/no/such/file"),
    ],
)
def test_settings_that_cannot_be_are_refused_with_what_to_do(arguments, words):
    done = subprocess.run([BINARY, "up", *arguments], capture_output=True, text=True, timeout=30)
    assert done.returncode != 0 and words in done.stderr, done.stderr


def test_a_port_that_is_taken_is_told_with_a_way_out(server):
    done = subprocess.run(
        [BINARY, "up", "--ephemeral", "--listen", f"127.0.0.1:{server.port}"],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 1 and "is taken" in done.stderr and "--listen" in done.stderr


def test_the_banner_says_what_to_paste(server):
    shown = server.printed()
    assert f"export AWS_ENDPOINT_URL={server.endpoint}" in shown
    assert "export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=us-east-1" in shown
    for part in ("Endpoint", "Data", "Runtimes", "Sandbox"):
        assert re.search(rf"^  {part}\s+\S", shown, re.MULTILINE), shown
