"""Runtime management configurations, as boto3 sees them."""

import pytest
from answers import Account, whole
from botocore.exceptions import ClientError

SOURCE = "def handler(event, context): return 1"
ARN = "arn:aws:lambda:us-east-1:000000000000:function:"


@pytest.fixture(scope="module")
def client(server):
    return server.client("lambda", parameter_validation=False)


@pytest.fixture(scope="module")
def name(server, client):
    name = server.python(SOURCE, name="runtime-management")
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    return name


@pytest.fixture(scope="module")
def serving(client, name):
    """The ARN of what serves the function."""
    return client.get_function_configuration(FunctionName=name)["RuntimeVersionConfig"]["RuntimeVersionArn"]


def settings(answer):
    answer.pop("ResponseMetadata")
    return answer


def test_it_is_auto_until_it_is_said_otherwise(client, name, serving):
    latest = f"{ARN}{name}:$LATEST"
    auto = {"UpdateRuntimeOn": "Auto", "FunctionArn": latest}
    assert settings(client.get_runtime_management_config(FunctionName=name)) == auto
    on_update = {"UpdateRuntimeOn": "FunctionUpdate", "FunctionArn": latest}
    put = client.put_runtime_management_config(FunctionName=name, UpdateRuntimeOn="FunctionUpdate")
    assert settings(put) == on_update
    assert settings(client.get_runtime_management_config(FunctionName=name)) == on_update
    # Each version has its own.
    manual = {"UpdateRuntimeOn": "Manual", "RuntimeVersionArn": serving, "FunctionArn": f"{ARN}{name}:1"}
    put = client.put_runtime_management_config(
        FunctionName=name, Qualifier="1", UpdateRuntimeOn="Manual", RuntimeVersionArn=serving
    )
    assert settings(put) == manual
    assert settings(client.get_runtime_management_config(FunctionName=name, Qualifier="1")) == manual
    assert settings(client.get_runtime_management_config(FunctionName=name)) == on_update
    put = client.put_runtime_management_config(FunctionName=name, UpdateRuntimeOn="Auto")
    assert settings(put) == auto
    assert settings(client.get_runtime_management_config(FunctionName=name)) == auto


def test_a_pinned_function_that_is_served_by_its_version_runs(server, client, name, serving):
    client.put_runtime_management_config(FunctionName=name, UpdateRuntimeOn="Manual", RuntimeVersionArn=serving)
    assert server.invoke(name, {})[0] == 1
    client.put_runtime_management_config(FunctionName=name, UpdateRuntimeOn="Auto")


@pytest.mark.parametrize(
    ("parameters", "code", "message"),
    [
        ({"UpdateRuntimeOn": "Manual"}, "InvalidParameterValueException", "RuntimeVersionArn is required when UpdateRuntimeOn is Manual."),
        ({"UpdateRuntimeOn": "Auto", "RuntimeVersionArn": "SERVING"}, "InvalidParameterValueException", "RuntimeVersionArn can only be given when UpdateRuntimeOn is Manual, not Auto."),
        ({"UpdateRuntimeOn": "Manual", "RuntimeVersionArn": "arn:aws:lambda:us-east-1::runtime:0123456789abcdef"}, "InvalidParameterValueException", "is not on this machine"),
        ({"UpdateRuntimeOn": "Manual", "RuntimeVersionArn": "nonsense-that-is-long-enough-to-be-one"}, "ValidationException", "at 'runtimeVersionArn' failed to satisfy constraint: Member must satisfy regular expression pattern"),
        ({"UpdateRuntimeOn": "Never"}, "ValidationException", "Member must satisfy enum value set: [Auto, Manual, FunctionUpdate]"),
        ({"UpdateRuntimeOn": "Auto", "Qualifier": "live"}, "InvalidParameterValueException", "The qualifier live is an alias."),
        ({"UpdateRuntimeOn": "Auto", "Qualifier": "7"}, "ResourceNotFoundException", f"Function not found: {ARN}runtime-management:7"),
        ({"UpdateRuntimeOn": "Auto", "FunctionName": "nobody"}, "ResourceNotFoundException", f"Function not found: {ARN}nobody"),
    ],
)
def test_what_is_wrong_is_refused(client, name, serving, parameters, code, message):
    if parameters.get("RuntimeVersionArn") == "SERVING":
        parameters = {**parameters, "RuntimeVersionArn": serving}
    with pytest.raises(ClientError) as error:
        client.put_runtime_management_config(**{"FunctionName": name, **parameters})
    found = error.value.response["Error"]
    assert found["Code"] == code
    assert message in found["Message"]


def test_whole_answers_of_runtime_management(server):
    account = Account(server, "200000000013")
    client = account.client
    account.function()
    assert whole(client, "GetRuntimeManagementConfig", FunctionName="f") == (
        200,
        {"UpdateRuntimeOn": "Auto", "FunctionArn": "arn:aws:lambda:us-east-1:200000000013:function:f:$LATEST"},
    )
    assert whole(client, "PutRuntimeManagementConfig", FunctionName="f", UpdateRuntimeOn="FunctionUpdate") == (
        200,
        {
            "UpdateRuntimeOn": "FunctionUpdate",
            "FunctionArn": "arn:aws:lambda:us-east-1:200000000013:function:f:$LATEST",
        },
    )
    found = client.get_function_configuration(FunctionName="f")["RuntimeVersionConfig"]["RuntimeVersionArn"]
    pinned = {"UpdateRuntimeOn": "Manual", "RuntimeVersionArn": found}
    assert whole(client, "PutRuntimeManagementConfig", FunctionName="f", **pinned) == (
        200,
        {
            "UpdateRuntimeOn": "Manual",
            "FunctionArn": "arn:aws:lambda:us-east-1:200000000013:function:f:$LATEST",
            "RuntimeVersionArn": "arn:aws:lambda:us-east-1::runtime:<hash>",
        },
    )
    assert whole(client, "GetRuntimeManagementConfig", FunctionName="f") == (
        200,
        {
            "UpdateRuntimeOn": "Manual",
            "FunctionArn": "arn:aws:lambda:us-east-1:200000000013:function:f:$LATEST",
            "RuntimeVersionArn": "arn:aws:lambda:us-east-1::runtime:<hash>",
        },
    )
