"""`UpdateFunctionCode` with all that it takes, and what stored code counts for in the account's settings."""

import base64
import hashlib

import pytest
from conftest import zip_of
from test_functions import refused

SOURCE = "def handler(event, context):\n    return {answer!r}\n"
UNUSED = {
    "AccountLimit": {
        "TotalCodeSize": 80530636800,
        "CodeSizeUnzipped": 262144000,
        "CodeSizeZipped": 52428800,
        "ConcurrentExecutions": 1000,
        "UnreservedConcurrentExecutions": 1000,
    },
    "AccountUsage": {"TotalCodeSize": 0, "FunctionCount": 0},
}


@pytest.fixture(scope="module")
def client(server):
    return server.client("lambda", parameter_validation=False)


def package(answer):
    return zip_of({"lambda_function.py": SOURCE.format(answer=answer)})


def sha256(zipped):
    return base64.b64encode(hashlib.sha256(zipped).digest()).decode()


def settled(client, name):
    client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.02, "MaxAttempts": 1500})
    return client.get_function_configuration(FunctionName=name)


def settings(client):
    found = client.get_account_settings()
    return {key: found[key] for key in ("AccountLimit", "AccountUsage")}


def test_new_code_is_published_with_its_update(server, client, role):
    name = server.python(SOURCE.format(answer="first"), Role=role)
    second = package("second")
    published = client.update_function_code(FunctionName=name, ZipFile=second, Publish=True)
    assert (published["Version"], published["CodeSha256"], published["CodeSize"]) == ("1", sha256(second), len(second))
    assert published["FunctionArn"].endswith(f":function:{name}:1")
    latest = settled(client, name)
    assert (latest["Version"], latest["CodeSha256"]) == ("$LATEST", sha256(second))
    assert server.invoke(name, Qualifier="1")[0] == "second"
    # The same again is the version that there is.
    assert client.update_function_code(FunctionName=name, ZipFile=second, Publish=True)["Version"] == "1"
    settled(client, name)
    assert client.update_function_code(FunctionName=name, ZipFile=package("third"))["Version"] == "$LATEST"
    settled(client, name)
    assert server.invoke(name)[0] == "third" and server.invoke(name, Qualifier="1")[0] == "second"


def test_a_dry_run_tells_what_would_be_and_does_nothing(server, client, role):
    name = server.python(SOURCE.format(answer="first"), Role=role)
    before = client.get_function_configuration(FunctionName=name)
    second = package("second")
    told = client.update_function_code(
        FunctionName=name, ZipFile=second, DryRun=True, Publish=True, Architectures=["arm64"], RevisionId=before["RevisionId"]
    )
    assert (told["Version"], told["CodeSha256"], told["CodeSize"]) == ("$LATEST", sha256(second), len(second))
    assert told["Architectures"] == ["arm64"]
    # It checks what an update would check.
    assert refused(client.update_function_code, FunctionName=name, ZipFile=b"no zip", DryRun=True)[0] == "InvalidParameterValueException"
    assert refused(client.update_function_code, FunctionName=name, ZipFile=second, DryRun=True, RevisionId="stale")[0] == (
        "PreconditionFailedException"
    )
    assert refused(client.update_function_code, FunctionName="nobody", ZipFile=second, DryRun=True)[0] == "ResourceNotFoundException"
    after = client.get_function_configuration(FunctionName=name)
    after.pop("ResponseMetadata"), before.pop("ResponseMetadata")
    assert after == before
    assert [one["Version"] for one in client.list_versions_by_function(FunctionName=name)["Versions"]] == ["$LATEST"]
    assert server.invoke(name)[0] == "first"


def test_a_stale_revision_is_not_replaced(server, client, role):
    name = server.python(SOURCE.format(answer="first"), Role=role)
    seen = client.get_function_configuration(FunctionName=name)["RevisionId"]
    client.update_function_code(FunctionName=name, ZipFile=package("second"), RevisionId=seen)
    settled(client, name)
    assert refused(client.update_function_code, FunctionName=name, ZipFile=package("third"), RevisionId=seen) == (
        "PreconditionFailedException",
        "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the "
        "latest Revision Id",
    )
    assert server.invoke(name)[0] == "second"


def test_the_architecture_changes_with_the_code_and_stays(server, client, role):
    name = server.python(SOURCE.format(answer="first"), Role=role)
    client.publish_version(FunctionName=name)
    assert client.update_function_code(FunctionName=name, ZipFile=package("arm"), Architectures=["arm64"])["Architectures"] == ["arm64"]
    settled(client, name)
    # Code that comes without one keeps the one before; the version has what it was published with.
    assert client.update_function_code(FunctionName=name, ZipFile=package("again"))["Architectures"] == ["arm64"]
    settled(client, name)
    assert client.get_function_configuration(FunctionName=name, Qualifier="1")["Architectures"] == ["x86_64"]
    for wrong in (["x86_64", "arm64"], ["z80"]):
        code, message = refused(client.update_function_code, FunctionName=name, ZipFile=package("x"), Architectures=wrong)
        assert code == "ValidationException" and "architectures" in message, wrong


def test_code_comes_from_one_source(server, client, role):
    name = server.python(SOURCE.format(answer="first"), Role=role)
    for source in ({}, {"Architectures": ["arm64"]}, {"DryRun": True}):
        assert refused(client.update_function_code, FunctionName=name, **source) == (
            "InvalidParameterValueException",
            "Please provide a source for function code.",
        ), source
    both = {"ZipFile": package("x"), "S3Bucket": "bucket", "S3Key": "key"}
    for source in (both, {"S3Bucket": "bucket"}, {"S3Key": "key"}, {"ImageUri": "image"}):
        assert refused(client.update_function_code, FunctionName=name, **source)[0] == "InvalidParameterValueException", source
    assert server.invoke(name)[0] == "first"


def test_settings_tell_what_is_stored_and_what_is_left(server, role):
    client = server.client("lambda", region="sa-east-1")
    assert settings(client) == UNUSED
    first, layer = package("first"), zip_of({"python/word.py": "word = 'w'"})
    made = {"Runtime": "python3.12", "Handler": "lambda_function.handler", "Role": role, "Code": {"ZipFile": first}}
    client.create_function(FunctionName="counted", **made)
    settled(client, "counted")
    client.publish_version(FunctionName="counted")
    client.create_alias(FunctionName="counted", Name="live", FunctionVersion="1")
    version = client.publish_layer_version(LayerName="l", Content={"ZipFile": layer})["Version"]
    assert settings(client)["AccountUsage"] == {"TotalCodeSize": 2 * len(first) + len(layer), "FunctionCount": 1}
    # The version keeps its package, $LATEST has the new one instead of the old.
    second = package("second, and longer")
    client.update_function_code(FunctionName="counted", ZipFile=second)
    settled(client, "counted")
    assert settings(client)["AccountUsage"] == {"TotalCodeSize": len(first) + len(second) + len(layer), "FunctionCount": 1}
    client.update_function_code(FunctionName="counted", ZipFile=package("never"), DryRun=True)
    client.put_function_concurrency(FunctionName="counted", ReservedConcurrentExecutions=300)
    assert settings(client) == {
        "AccountLimit": UNUSED["AccountLimit"] | {"UnreservedConcurrentExecutions": 700},
        "AccountUsage": {"TotalCodeSize": len(first) + len(second) + len(layer), "FunctionCount": 1},
    }
    client.delete_layer_version(LayerName="l", VersionNumber=version)
    client.delete_alias(FunctionName="counted", Name="live")
    client.delete_function(FunctionName="counted", Qualifier="1")
    assert settings(client)["AccountUsage"] == {"TotalCodeSize": len(second), "FunctionCount": 1}
    client.delete_function(FunctionName="counted")
    assert settings(client) == UNUSED
    # Another account has nothing of it either way.
    assert settings(server.client("lambda", region="sa-east-1", key="222222222222")) == UNUSED


def test_settings_survive_a_restart_and_know_the_operators_concurrency(start, data_dir):
    server = start("--concurrency", "200", data_dir=data_dir)
    name = server.python(SOURCE.format(answer="first"))
    client = server.client("lambda")
    client.publish_version(FunctionName=name)
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=50)
    before = settings(client)
    assert before["AccountLimit"] == UNUSED["AccountLimit"] | {
        "ConcurrentExecutions": 200,
        "UnreservedConcurrentExecutions": 150,
    }
    server.kill()
    server.start()
    assert settings(server.client("lambda")) == before
