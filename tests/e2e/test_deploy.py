"""`hearth deploy`, `hearth url` and `hearth rm`: a folder becomes a function that answers, and is gone again."""

import http.client
import json
import shutil
import uuid
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

PYTHON = "import os\ndef handler(event, context):\n    return os.environ.get('GREETING', 'hello')\n"


@pytest.fixture
def folder(tmp_path):
    """A folder with a name that no other test has."""
    made = tmp_path / f"deploy-{uuid.uuid4().hex[:8]}"
    made.mkdir()
    return made


def get(server, url, path="/"):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("GET", path, headers={"Host": urlsplit(url).netloc})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def test_a_python_folder_becomes_a_function_and_then_another(server, folder):
    (folder / "app.py").write_text(PYTHON)
    done = server.hearth("deploy", str(folder), "--memory", "256", "--timeout", "9", "--env", "AA=1", "--env", "BB=x=y")
    lines = done.stdout.splitlines()
    assert lines[0] == f"Created {folder.name}"
    assert lines[1] == "  Code  1 file, 1 KB"
    assert lines[2].startswith("  Runs  app.handler in python3.")
    assert lines[-1] == f"  ARN   arn:aws:lambda:us-east-1:000000000000:function:{folder.name}"
    assert server.invoke(folder.name)[0] == "hello"
    seen = server.client("lambda").get_function_configuration(FunctionName=folder.name)
    assert (seen["MemorySize"], seen["Timeout"]) == (256, 9)
    assert seen["Environment"]["Variables"] == {"AA": "1", "BB": "x=y"}
    assert seen["Role"] == "arn:aws:iam::000000000000:role/hearth-deploy"

    # The same again is no change: environments stay warm.
    assert server.hearth("deploy", str(folder)).stdout.startswith(f"Unchanged {folder.name}\n")
    assert server.client("lambda").get_function_configuration(FunctionName=folder.name)["RevisionId"] == seen["RevisionId"]

    # Only what is named changes, and variables that are not named stay.
    (folder / "app.py").write_text(PYTHON.replace("hello", "hi"))
    told = json.loads(server.hearth("deploy", str(folder), "--env", "BB=2", "--json").stdout)
    assert (told["Change"], told["MemorySize"], told["Timeout"]) == ("Updated", 256, 9)
    assert told["Environment"]["Variables"] == {"AA": "1", "BB": "2"} and told["FunctionUrl"] is None
    assert server.invoke(folder.name)[0] == "hi"


def test_a_node_folder_is_deployed_with_a_url(server, folder):
    (folder / "index.mjs").write_text(
        "import { text } from 'words';\nexport const handler = async (event) => ({ statusCode: 200, body: text + event.rawPath });"
    )
    module = folder / "node_modules" / "words"
    module.mkdir(parents=True)
    (module / "package.json").write_text('{"name": "words", "type": "module", "main": "index.js"}')
    (module / "index.js").write_text("export const text = 'words';")
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").write_text("not for the function")
    done = server.hearth("deploy", "--url", cwd=folder)
    assert "  Code  3 files" in done.stdout and "index.handler in nodejs" in done.stdout
    url = done.stdout.splitlines()[-1].removeprefix("  URL   ")
    assert get(server, url, "/x") == (200, "words/x")
    # It is the same URL from then on.
    assert server.hearth("url", folder.name).stdout == f"{url}\n"
    assert server.hearth("deploy", "--url", cwd=folder).stdout.splitlines()[-1] == f"  URL   {url}"


def test_a_bootstrap_and_an_archive_are_deployed(server, folder):
    (folder / "bootstrap").write_text("#!/bin/sh\nexit 3\n")
    refused = server.hearth("deploy", str(folder), check=False)
    assert refused.returncode == 1 and "chmod +x" in refused.stderr
    (folder / "bootstrap").chmod(0o755)
    done = server.hearth("deploy", str(folder), "--name", f"{folder.name}-b")
    assert "bootstrap in provided.al2023" in done.stdout
    (folder / "bootstrap").unlink()
    (folder / "lambda_function.py").write_text(PYTHON)
    archive = shutil.make_archive(str(folder), "zip", folder)
    done = server.hearth("deploy", archive, "--runtime", "python3.12", "--handler", "lambda_function.handler")
    assert done.stdout.startswith(f"Created {folder.name}\n")
    assert server.invoke(folder.name)[0] == "hello"


@pytest.mark.parametrize(
    "files, arguments, said",
    [
        ({}, [], "there is no function in"),
        ({"Cargo.toml": ""}, [], "Build it first: cargo lambda build"),
        ({"app.py": "x = 1"}, [], "--handler"),
        ({"app.py": PYTHON, "index.mjs": "export const handler = 1"}, [], "--runtime"),
        ({"app.py": PYTHON}, ["--runtime", "python2.7"], "python2.7"),
        ({"app.py": PYTHON}, ["--env", "A"], "KEY=value"),
        ({"app.py": PYTHON}, ["--name", "no spaces"], "functionName"),
        ({"app.py": PYTHON}, ["--memory", "1"], "memorySize"),
        ({"app.py": PYTHON}, ["--role", "arn:aws:iam::000000000000:role/nobody"], "cannot be assumed"),
    ],
)
def test_what_cannot_be_deployed_is_refused_with_what_to_do(server, folder, files, arguments, said):
    for name, text in files.items():
        (folder / name).write_text(text)
    refused = server.hearth("deploy", str(folder), *arguments, check=False)
    assert refused.returncode != 0 and refused.stdout == ""
    assert said.lower() in refused.stderr.lower(), refused.stderr
    with pytest.raises(ClientError):
        server.client("lambda").get_function(FunctionName=folder.name)


def test_url_makes_changes_and_prints(server, folder):
    (folder / "app.py").write_text("def handler(event, context): return event['requestContext']['accountId']\n")
    server.hearth("deploy", str(folder))
    made = server.hearth("url", folder.name, "--auth", "iam")
    url = made.stdout.strip()
    assert get(server, url)[0] == 403
    shown = json.loads(server.hearth("url", folder.name, "--auth", "none", "--cors", "http://a.example", "--stream", "--json").stdout)
    assert (shown["FunctionUrl"], shown["AuthType"], shown["InvokeMode"]) == (url, "NONE", "RESPONSE_STREAM")
    assert shown["Cors"]["AllowOrigins"] == ["http://a.example"]
    assert get(server, url) == (200, '"anonymous"')
    nobody = server.hearth("url", "nobody-at-all", check=False)
    assert nobody.returncode == 1 and "Function does not exist" in nobody.stderr


def test_rm_says_what_it_deletes(server, folder):
    (folder / "app.py").write_text("def handler(event, context): print('x')\n")
    server.hearth("deploy", str(folder))
    server.invoke(folder.name)
    logs, group = server.client("logs"), f"/aws/lambda/{folder.name}"
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    done = server.hearth("rm", folder.name)
    assert done.stdout == (
        f"Deleted the function {folder.name}, with its versions, aliases and URLs\nDeleted the log group {group}\n"
    )
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"] == []
    again = server.hearth("rm", folder.name, check=False)
    assert again.returncode == 1 and "hearth functions" in again.stderr
