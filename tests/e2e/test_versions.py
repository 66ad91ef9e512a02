"""Versions: published, listed, invoked, immutable, deleted; and a restart while one settles."""

import json
import subprocess

import pytest
from answers import Account, configuration, listed, whole
from conftest import eventually, zip_of
from test_functions import refused

SOURCE = """
import os

def handler(event, context):
    return [os.environ["AWS_LAMBDA_FUNCTION_VERSION"], context.function_version, context.invoked_function_arn,
            os.environ.get("STAGE")]
"""
ARN = "arn:aws:lambda:us-east-1:000000000000:function:"


@pytest.fixture(scope="module")
def client(server):
    return server.client("lambda", parameter_validation=False)


def masked(found, *also):
    """A configuration without what differs from run to run; each of those is there."""
    found = dict(found)
    for varying in ("RevisionId", "LastModified", "RuntimeVersionConfig", "CodeSha256", "CodeSize", *also):
        assert found.pop(varying), varying
    found.pop("ResponseMetadata", None)
    return found


def configure(client, name, **changes):
    client.update_function_configuration(FunctionName=name, **changes)
    client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.02, "MaxAttempts": 1500})


def test_a_version_is_what_latest_was(server, client, role):
    name = server.python(SOURCE, name="versioned", Role=role, Environment={"Variables": {"STAGE": "one"}})
    latest = client.get_function_configuration(FunctionName=name)
    published = client.publish_version(FunctionName=name, Description="the first")
    assert published["ResponseMetadata"]["HTTPStatusCode"] == 201
    expected = {
        "FunctionName": name,
        "FunctionArn": f"{ARN}{name}:1",
        "Runtime": "python3.12",
        "Role": role,
        "Handler": "lambda_function.handler",
        "Description": "the first",
        "Timeout": 10,
        "MemorySize": 256,
        "Version": "1",
        "Environment": {"Variables": {"STAGE": "one"}},
        "TracingConfig": {"Mode": "PassThrough"},
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        "EphemeralStorage": {"Size": 512},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"},
    }
    assert masked(published) == expected
    # Publishing gives $LATEST a new revision, too.
    assert client.get_function_configuration(FunctionName=name)["RevisionId"] not in (
        latest["RevisionId"],
        published["RevisionId"],
    )

    configure(client, name, Environment={"Variables": {"STAGE": "two"}}, Description="the second")
    again = client.publish_version(FunctionName=name)
    assert (again["Version"], again["Description"]) == ("2", "the second")
    found = client.get_function(FunctionName=name, Qualifier="1")
    assert masked(found["Configuration"]) == expected
    assert found["Configuration"]["RevisionId"] == published["RevisionId"]
    assert masked(client.get_function_configuration(FunctionName=f"{ARN}{name}:1")) == expected

    for qualifier, stage in (("1", "one"), ("2", "two"), ("$LATEST", "two")):
        answer, response = server.invoke(name, Qualifier=qualifier)
        assert answer == [qualifier, qualifier, f"{ARN}{name}:{qualifier}", stage]
        assert response["ExecutedVersion"] == qualifier
    answer, response = server.invoke(name)
    assert (answer[0], answer[2], response["ExecutedVersion"]) == ("$LATEST", f"{ARN}{name}", "$LATEST")
    assert server.invoke(f"{name}:1")[1]["ExecutedVersion"] == "1"
    assert refused(client.invoke, FunctionName=name, Qualifier="3") == (
        "ResourceNotFoundException",
        f"Function not found: {ARN}{name}:3",
    )


def test_the_log_names_the_version(server, client, role):
    import base64

    name = server.python(SOURCE, Role=role)
    client.publish_version(FunctionName=name)
    _, response = server.invoke(name, Qualifier="1", LogType="Tail")
    tail = base64.b64decode(response["LogResult"]).decode()
    assert "Version: 1\n" in tail
    logs = server.client("logs")

    def streams():
        try:
            return logs.describe_log_streams(logGroupName=f"/aws/lambda/{name}")["logStreams"]
        except logs.exceptions.ResourceNotFoundException:
            return []

    assert "[1]" in eventually(streams, what="the log stream")[0]["logStreamName"]


def test_what_did_not_change_is_not_published_again(server, client, role):
    name = server.python(SOURCE, Role=role)
    first = client.publish_version(FunctionName=name, Description="first")
    second = client.publish_version(FunctionName=name, Description="second")
    assert (second["Version"], second["Description"], second["RevisionId"]) == ("1", "first", first["RevisionId"])
    assert second["ResponseMetadata"]["HTTPStatusCode"] == 201
    # The same code, uploaded again, is the same code.
    zipped = zip_of({"lambda_function.py": SOURCE})
    updated = client.update_function_code(FunctionName=name, ZipFile=zipped, Publish=True)
    assert (updated["Version"], updated["FunctionArn"]) == ("1", f"{ARN}{name}:1")


def test_publishing_has_conditions(server, client, role):
    name = server.python(SOURCE, Role=role)
    latest = client.get_function_configuration(FunctionName=name)
    assert refused(client.publish_version, FunctionName=name, CodeSha256="other") == (
        "InvalidParameterValueException",
        f"CodeSHA256 (other) is different from current CodeSHA256 in $LATEST ({latest['CodeSha256']}). "
        "Please try again with the CodeSHA256 in $LATEST.",
    )
    assert refused(client.publish_version, FunctionName=name, RevisionId="stale") == (
        "PreconditionFailedException",
        "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to "
        "retrieve the latest Revision Id",
    )
    assert refused(client.publish_version, FunctionName=name, PublishTo="LATEST_PUBLISHED")[0] == (
        "InvalidParameterValueException"
    )
    assert refused(client.publish_version, FunctionName="nobody") == (
        "ResourceNotFoundException",
        f"Function not found: {ARN}nobody",
    )
    assert [found["Version"] for found in client.list_versions_by_function(FunctionName=name)["Versions"]] == ["$LATEST"]
    published = client.publish_version(
        FunctionName=name, CodeSha256=latest["CodeSha256"], RevisionId=latest["RevisionId"]
    )
    assert published["Version"] == "1"


def test_publish_with_create_and_with_code(server, client, role):
    created = client.create_function(
        FunctionName="published-at-once",
        Runtime="python3.12",
        Handler="lambda_function.handler",
        Role=role,
        Code={"ZipFile": zip_of({"lambda_function.py": SOURCE})},
        Publish=True,
    )
    # The version is shown, under the function's own ARN.
    assert (created["Version"], created["FunctionArn"]) == ("1", f"{ARN}published-at-once")
    assert (created["State"], created["StateReasonCode"]) == ("Pending", "Creating")
    for qualifier in ("1", "$LATEST"):
        client.get_waiter("function_active_v2").wait(
            FunctionName="published-at-once", Qualifier=qualifier, WaiterConfig={"Delay": 0.02, "MaxAttempts": 1500}
        )
    settled = client.get_function_configuration(FunctionName="published-at-once", Qualifier="1")
    assert (settled["State"], settled["LastUpdateStatus"]) == ("Active", "Successful")
    updated = client.update_function_code(
        FunctionName="published-at-once", ZipFile=zip_of({"lambda_function.py": SOURCE + "# 2"}), Publish=True
    )
    assert masked(updated)["FunctionArn"] == f"{ARN}published-at-once:2"
    assert (updated["Version"], updated["State"], updated["StateReason"]) == (
        "2",
        "Pending",
        "The function is being created.",
    )
    assert "LastUpdateStatus" not in updated
    client.get_waiter("published_version_active").wait(
        FunctionName="published-at-once", Qualifier="2", WaiterConfig={"Delay": 0.02, "MaxAttempts": 1500}
    )
    assert server.invoke("published-at-once", Qualifier="2")[0][0] == "2"


def test_versions_are_listed_by_number_in_pages(server, client, role):
    name = server.python(SOURCE, Role=role)
    for number in range(1, 6):
        configure(client, name, Description=str(number))
        client.publish_version(FunctionName=name)
    whole = client.list_versions_by_function(FunctionName=name)
    assert [found["Version"] for found in whole["Versions"]] == ["$LATEST", "1", "2", "3", "4", "5"]
    assert "NextMarker" not in whole
    assert whole["Versions"][1]["FunctionArn"] == f"{ARN}{name}:1"
    assert "State" not in whole["Versions"][1] and "RuntimeVersionConfig" not in whole["Versions"][1]
    pages = client.get_paginator("list_versions_by_function").paginate(
        FunctionName=name, PaginationConfig={"PageSize": 4}
    )
    assert [[found["Version"] for found in page["Versions"]] for page in pages] == [["$LATEST", "1", "2", "3"], ["4", "5"]]
    listed = client.get_paginator("list_functions").paginate(FunctionVersion="ALL", PaginationConfig={"PageSize": 3})
    ours = [found["FunctionArn"] for page in listed for found in page["Functions"] if found["FunctionName"] == name]
    assert ours == [f"{ARN}{name}:$LATEST", *(f"{ARN}{name}:{number}" for number in range(1, 6))]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_pages_of_all_versions_do_not_end_before_the_functions_do(server, client, role, size):
    names = {server.python(SOURCE, Role=role) for _ in range(5)}
    listed = client.get_paginator("list_functions").paginate(FunctionVersion="ALL", PaginationConfig={"PageSize": size})
    assert names <= {found["FunctionName"] for page in listed for found in page["Functions"]}


def test_a_deleted_version_is_gone_and_its_number_with_it(server, client, role):
    name = server.python(SOURCE, Role=role)
    client.publish_version(FunctionName=name)
    client.delete_function(FunctionName=name, Qualifier="1")
    assert refused(client.get_function, FunctionName=name, Qualifier="1") == (
        "ResourceNotFoundException",
        f"Function not found: {ARN}{name}:1",
    )
    assert client.publish_version(FunctionName=name)["Version"] == "2"
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="2")
    assert refused(client.delete_function, FunctionName=name, Qualifier="2") == (
        "ResourceConflictException",
        "Unable to delete version since the following aliases reference it: [live]",
    )
    assert refused(client.delete_function, FunctionName=name, Qualifier="$LATEST") == (
        "InvalidParameterValueException",
        "$LATEST version cannot be deleted without deleting the function.",
    )
    assert refused(client.delete_function, FunctionName=name, Qualifier="live") == (
        "InvalidParameterValueException",
        "Deletion of aliases is not currently supported.",
    )
    client.delete_function(FunctionName=name)
    assert refused(client.get_alias, FunctionName=name, Name="live")[0] == "ResourceNotFoundException"
    server.python(SOURCE, name=name, Role=role)
    assert client.publish_version(FunctionName=name)["Version"] == "3"


def test_versions_cannot_be_changed(server, client, role):
    name = server.python(SOURCE, Role=role)
    client.publish_version(FunctionName=name)
    for call, parameters in (
        (client.update_function_configuration, {"Timeout": 7}),
        (client.update_function_code, {"ZipFile": zip_of({"a": "b"})}),
        (client.publish_version, {}),
    ):
        code, message = refused(call, FunctionName=f"{name}:1", **parameters)
        assert code == "InvalidParameterValueException"
        assert message.startswith("This operation is permitted on Lambda functions only.")
    assert client.get_function_configuration(FunctionName=name, Qualifier="1")["Timeout"] == 10


def test_code_storage_counts_every_version(server, role):
    client = server.client("lambda", region="eu-west-3")
    before = client.get_account_settings()["AccountUsage"]
    assert before == {"TotalCodeSize": 0, "FunctionCount": 0}
    zipped = zip_of({"lambda_function.py": SOURCE})
    client.create_function(
        FunctionName="sized",
        Runtime="python3.12",
        Handler="lambda_function.handler",
        Role=role,
        Code={"ZipFile": zipped},
        Publish=True,
    )
    used = client.get_account_settings()["AccountUsage"]
    assert used == {"TotalCodeSize": 2 * len(zipped), "FunctionCount": 1}
    client.delete_function(FunctionName="sized")
    assert client.get_account_settings()["AccountUsage"] == before


def test_a_restart_in_the_middle_ends_in_the_right_state(start, data_dir):
    server = start(data_dir=data_dir)
    client = server.client("lambda")
    role = server.role()
    name = server.python(SOURCE, name="settling", Role=role, Environment={"Variables": {"STAGE": "one"}})
    client.publish_version(FunctionName=name)
    # Acknowledged, and perhaps not in effect yet.
    client.create_function(
        FunctionName="fresh",
        Runtime="python3.12",
        Handler="lambda_function.handler",
        Role=role,
        Code={"ZipFile": zip_of({"lambda_function.py": SOURCE + "# fresh"})},
        Publish=True,
    )
    client.create_alias(FunctionName="fresh", Name="live", FunctionVersion="1")
    client.update_function_code(
        FunctionName=name, ZipFile=zip_of({"lambda_function.py": SOURCE + "# two"}), Publish=True
    )
    server.kill()
    server.start()
    for function, qualifier in ((name, "1"), (name, "2"), (name, "$LATEST"), ("fresh", "1"), ("fresh", "live")):
        client.get_waiter("function_active_v2").wait(
            FunctionName=function, Qualifier=qualifier, WaiterConfig={"Delay": 0.02, "MaxAttempts": 1500}
        )
        executed = "1" if qualifier == "live" else qualifier
        assert server.invoke(function, Qualifier=qualifier)[1]["ExecutedVersion"] == executed
    hashes = {
        qualifier: client.get_function_configuration(FunctionName=name, Qualifier=qualifier)["CodeSha256"]
        for qualifier in ("1", "2", "$LATEST")
    }
    assert hashes["2"] == hashes["$LATEST"] != hashes["1"]


def test_the_aws_cli_publishes_and_invokes(server, client, role, tmp_path):
    import os

    aws = os.environ.get("HEARTH_TEST_AWS_PYPI", "aws")
    name = server.python(SOURCE, Role=role)

    def run(*arguments):
        done = subprocess.run(
            [aws, "lambda", *arguments], env=server.cli_environment(), capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    assert run("publish-version", "--function-name", name)["Version"] == "1"
    alias = run("create-alias", "--function-name", name, "--name", "live", "--function-version", "1")
    assert alias["AliasArn"] == f"{ARN}{name}:live"
    out = tmp_path / "out"
    answer = run("invoke", "--function-name", name, "--qualifier", "live", str(out))
    assert answer["ExecutedVersion"] == "1"
    assert json.loads(out.read_text())[2] == f"{ARN}{name}:live"
    assert run("delete-alias", "--function-name", name, "--name", "live") is None


def test_whole_answers_of_versions(server):
    account = Account(server, "200000000003")
    client = account.client
    account.function()
    first = {
        "FunctionArn": "arn:aws:lambda:us-east-1:200000000003:function:f:1",
        "Description": "first",
        "Version": "1",
    }
    assert whole(client, "PublishVersion", FunctionName="f", Description="first") == (
        201,
        configuration(account, **first),
    )
    latest = {"FunctionArn": "arn:aws:lambda:us-east-1:200000000003:function:f:$LATEST"}
    assert whole(client, "ListVersionsByFunction", FunctionName="f") == (
        200,
        {"Versions": [listed(account, **latest), listed(account, **first)]},
    )
