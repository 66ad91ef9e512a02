"""Hot reload: a function whose code is a folder, and who may make one."""

import json
import os
import subprocess
import uuid

import pytest
from botocore.exceptions import ClientError
from conftest import BINARY, eventually, zip_of

# Says which process answers, and how often it has.
PYTHON = """
import os, words
answers = 0
def handler(event, context):
    global answers
    answers += 1
    return [words.WORD, os.environ['AWS_LAMBDA_LOG_STREAM_NAME'], answers]
"""


@pytest.fixture(scope="module")
def projects(tmp_path_factory):
    return tmp_path_factory.mktemp("projects")


@pytest.fixture(scope="module")
def server(projects):
    from conftest import Server

    running = Server("--hot-reload", str(projects))
    yield running
    assert running.stop() == 0


@pytest.fixture
def folder(projects):
    made = projects / f"p-{uuid.uuid4().hex[:8]}"
    made.mkdir()
    (made / "app.py").write_text(PYTHON)
    (made / "words.py").write_text("WORD = 'one'")
    return made


def make(server, folder, name=None, **settings):
    name, client = name or folder.name, server.client("lambda")
    client.create_function(
        FunctionName=name,
        Code={"S3Bucket": "hot-reload", "S3Key": str(folder)},
        **{"Runtime": "python3.12", "Handler": "app.handler", "Role": server.role(), "Timeout": 20, **settings},
    )
    client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.02, "MaxAttempts": 500})
    return name


def test_a_change_is_there_at_the_next_invoke_and_others_stay_warm(server, folder):
    name = make(server, folder)
    other = server.python("answers = 0\ndef handler(event, context):\n    global answers\n    answers += 1\n    return answers\n")
    invoke = lambda: server.invoke(name)[0]
    # A second environment may have been started while the first was not free yet. One that has ended never answers.
    still = lambda stream: eventually(lambda: invoke()[1] == stream, what="an answer of the same environment")
    assert server.invoke(other)[0] == 1
    first = invoke()
    assert first == ["one", first[1], 1]
    still(first[1])
    (folder / "words.py").write_text("WORD = 'two'")
    second = invoke()
    assert second == ["two", second[1], 1] and second[1] != first[1]
    still(second[1])
    # As long, at once, in a file that is new, and in one that is gone.
    for word in ("six", "ten"):
        (folder / "words.py").write_text(f"WORD = '{word}'")
        assert invoke()[0] == word
    (folder / "words.py").unlink()
    (folder / "words").mkdir()
    (folder / "words" / "__init__.py").write_text("WORD = 'package'")
    assert invoke()[0] == "package"
    # What the tools leave beside the code is no change.
    stream = invoke()[1]
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "app.pyc").write_text("")
    still(stream)
    # Another change of the function's is one of its own.
    server.client("lambda").tag_resource(
        Resource=server.client("lambda").get_function(FunctionName=name)["Configuration"]["FunctionArn"], Tags={"a": "b"}
    )
    still(stream)
    eventually(lambda: server.invoke(other)[0] > 1, what="an answer of the other function's first environment")


def test_the_folder_is_read_only_to_its_function(server, folder):
    (folder / "app.py").write_text("def handler(event, context):\n    open('/var/task/x', 'w')\n")
    answer, response = server.invoke(make(server, folder))
    assert response["FunctionError"] == "Unhandled" and "Read-only" in answer["errorMessage"]
    assert not (folder / "x").exists()


def test_what_is_shown_of_a_folder(server, folder):
    name, client = make(server, folder), server.client("lambda")
    seen = client.get_function(FunctionName=name)
    assert seen["Code"] == {"RepositoryType": "S3", "Location": f"file://{folder.resolve()}"}
    assert seen["Configuration"]["CodeSize"] == 0
    with pytest.raises(ClientError) as refused:
        client.publish_version(FunctionName=name)
    assert refused.value.response["Error"]["Code"] == "InvalidParameterValueException"
    assert str(folder.name) in refused.value.response["Error"]["Message"]


def test_a_function_goes_from_a_package_to_a_folder_and_back(server, folder):
    client = server.client("lambda")
    name = server.python("def handler(event, context): return 'package'", name=folder.name, handler="app.handler")
    client.update_function_code(FunctionName=name, S3Bucket="hot-reload", S3Key=str(folder))
    client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.02, "MaxAttempts": 500})
    assert server.invoke(name)[0][0] == "one"
    client.update_function_code(FunctionName=name, ZipFile=zip_of({"app.py": "def handler(event, context): return 'zip'"}))
    client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.02, "MaxAttempts": 500})
    assert server.invoke(name)[0] == "zip"


def test_a_folder_that_is_gone_is_said_and_one_that_is_back_runs(server, folder):
    name = make(server, folder)
    assert server.invoke(name)[0][0] == "one"
    aside = folder.with_name(folder.name + "-aside")
    folder.rename(aside)
    with pytest.raises(ClientError) as refused:
        server.invoke(name)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert str(folder) in server.printed()
    folder.mkdir()
    for file in aside.iterdir():
        if file.is_file():
            file.rename(folder / file.name)
    (folder / "words.py").write_text("WORD = 'back'")
    assert server.invoke(name)[0][0] == "back"


@pytest.mark.parametrize(
    "code, said",
    [
        ({"S3Bucket": "hot-reload", "S3Key": "/etc"}, "none of those that --hot-reload names"),
        ({"S3Bucket": "hot-reload", "S3Key": "relative"}, "absolute path"),
        ({"S3Bucket": "hot-reload", "S3Key": "{projects}/nothing"}, "cannot be opened"),
        ({"S3Bucket": "hot-reload", "S3Key": "{projects}/.."}, "none of those that --hot-reload names"),
        ({"S3Bucket": "hot-reload", "S3Key": "{projects}/out"}, "none of those that --hot-reload names"),
        ({"S3Bucket": "hot-reload", "S3Key": "{projects}", "S3ObjectVersion": "1"}, "without a version"),
        ({"S3Bucket": "hot-reload", "S3Key": "{projects}", "ZipFile": b"PK"}, "ZipFile"),
    ],
)
def test_no_other_folder_can_be_code(server, projects, code, said):
    if not (projects / "out").exists():
        os.symlink("/etc", projects / "out")
    code = {key: value.format(projects=projects) if isinstance(value, str) else value for key, value in code.items()}
    with pytest.raises(ClientError) as refused:
        server.client("lambda").create_function(
            FunctionName="never", Runtime="python3.12", Handler="app.handler", Role=server.role(), Code=code
        )
    error = refused.value.response["Error"]
    assert error["Code"] == "InvalidParameterValueException" and said in error["Message"], error
    assert all(one["FunctionName"] != "never" for one in server.client("lambda").list_functions()["Functions"])


def test_without_the_flag_no_folder_can_be_code(request, folder):
    shared = request.getfixturevalue("start")()
    with pytest.raises(ClientError) as refused:
        make(shared, folder)
    assert "--hot-reload DIR" in refused.value.response["Error"]["Message"]


def test_a_root_that_is_no_folder_is_refused_at_the_start(tmp_path):
    done = subprocess.run(
        [BINARY, "up", "--listen", "127.0.0.1:0", "--ephemeral", "--hot-reload", str(tmp_path / "nothing")],
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode != 0 and "--hot-reload" in done.stderr and "nothing" in done.stderr
