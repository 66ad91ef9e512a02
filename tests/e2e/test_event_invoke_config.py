"""Event invoke configurations, as boto3 and the AWS CLI see them."""

import json
import os
import shutil
import subprocess

import pytest
from answers import Account, whole
from botocore.exceptions import ClientError

AWS = os.environ.get("HEARTH_TEST_AWS_PYPI") or shutil.which("aws")
SOURCE = "def handler(event, context): return 1"
ARN = "arn:aws:lambda:us-east-1:000000000000:function:"


def refused(call, **parameters):
    with pytest.raises(ClientError) as error:
        call(**parameters)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def masked(answer):
    """The answer without what differs from run to run."""
    answer.pop("ResponseMetadata", None)
    assert answer.pop("LastModified").year >= 2020
    return answer


@pytest.fixture(scope="module")
def client(server):
    return server.client("lambda", parameter_validation=False)


@pytest.fixture(scope="module")
def name(server, client):
    name = server.python(SOURCE, name="event-invoke")
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    return name


@pytest.fixture(scope="module")
def other(server):
    return ARN + server.python(SOURCE, name="event-invoke-other")


def test_put_replaces_and_update_keeps(client, name, other):
    put = client.put_function_event_invoke_config(
        FunctionName=name, MaximumRetryAttempts=1, DestinationConfig={"OnSuccess": {"Destination": other}}
    )
    expected = {
        "FunctionArn": f"{ARN}{name}:$LATEST",
        "MaximumRetryAttempts": 1,
        "DestinationConfig": {"OnSuccess": {"Destination": other}, "OnFailure": {}},
    }
    assert masked(put) == expected
    assert masked(client.get_function_event_invoke_config(FunctionName=name)) == expected

    updated = client.update_function_event_invoke_config(FunctionName=name, MaximumEventAgeInSeconds=60)
    assert masked(updated) == {**expected, "MaximumEventAgeInSeconds": 60}

    put = client.put_function_event_invoke_config(FunctionName=name, MaximumEventAgeInSeconds=21600)
    assert masked(put) == {
        "FunctionArn": f"{ARN}{name}:$LATEST",
        "MaximumEventAgeInSeconds": 21600,
        "DestinationConfig": {"OnSuccess": {}, "OnFailure": {}},
    }
    client.delete_function_event_invoke_config(FunctionName=name)


def test_each_qualifier_has_its_own(client, name):
    for qualifier, retries in (("$LATEST", 0), ("1", 1), ("live", 2)):
        put = client.put_function_event_invoke_config(
            FunctionName=name, Qualifier=qualifier, MaximumRetryAttempts=retries
        )
        assert put["FunctionArn"] == f"{ARN}{name}:{qualifier}"
    found = client.get_function_event_invoke_config(FunctionName=f"{name}:live")
    assert found["MaximumRetryAttempts"] == 2

    pages = client.get_paginator("list_function_event_invoke_configs").paginate(
        FunctionName=name, PaginationConfig={"PageSize": 2}
    )
    listed = [masked(config) for page in pages for config in page["FunctionEventInvokeConfigs"]]
    empty = {"OnSuccess": {}, "OnFailure": {}}
    assert listed == [
        {"FunctionArn": f"{ARN}{name}:{qualifier}", "MaximumRetryAttempts": retries, "DestinationConfig": empty}
        for qualifier, retries in (("$LATEST", 0), ("1", 1), ("live", 2))
    ]

    deleted = client.delete_function_event_invoke_config(FunctionName=name, Qualifier="1")
    assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 204
    left = client.list_function_event_invoke_configs(FunctionName=name)["FunctionEventInvokeConfigs"]
    assert [config["MaximumRetryAttempts"] for config in left] == [0, 2]


def test_it_goes_with_its_alias_and_its_function(server, client):
    name = server.python(SOURCE, name="event-invoke-gone")
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=1)
    client.put_function_event_invoke_config(FunctionName=name, Qualifier="live", MaximumRetryAttempts=1)
    client.delete_alias(FunctionName=name, Name="live")
    left = client.list_function_event_invoke_configs(FunctionName=name)["FunctionEventInvokeConfigs"]
    assert [config["FunctionArn"].rsplit(":")[-1] for config in left] == ["$LATEST"]
    client.delete_function(FunctionName=name)
    server.python(SOURCE, name=name)
    assert client.list_function_event_invoke_configs(FunctionName=name)["FunctionEventInvokeConfigs"] == []


@pytest.mark.parametrize(
    ("parameters", "code", "message"),
    [
        ({}, "InvalidParameterValueException", "You must specify at least one of error handling or destination setting."),
        ({"MaximumRetryAttempts": 3}, "ValidationException", "at 'maximumRetryAttempts' failed to satisfy constraint: Member must have value less than or equal to 2"),
        ({"MaximumRetryAttempts": -1}, "ValidationException", "Member must have value greater than or equal to 0"),
        ({"MaximumEventAgeInSeconds": 59}, "ValidationException", "Member must have value greater than or equal to 60"),
        ({"MaximumEventAgeInSeconds": 21601}, "ValidationException", "Member must have value less than or equal to 21600"),
        ({"DestinationConfig": {"OnSuccess": {"Destination": f"{ARN}event-invoke"}}}, "InvalidParameterValueException", "You can't specify the function as a destination for itself."),
        ({"DestinationConfig": {"OnSuccess": {"Destination": f"{ARN}nobody"}}}, "InvalidParameterValueException", f"The destination ARN {ARN}nobody is invalid."),
        ({"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:iam::000000000000:role/x"}}}, "InvalidParameterValueException", "The destination ARN arn:aws:iam::000000000000:role/x is invalid."),
        ({"DestinationConfig": {"OnSuccess": {"Destination": "arn:aws:s3:::bucket"}}}, "InvalidParameterValueException", "The destination ARN arn:aws:s3:::bucket is invalid."),
        ({"DestinationConfig": {"OnSuccess": {"Destination": "nonsense"}}}, "ValidationException", "at 'destinationConfig.onSuccess.destination' failed to satisfy constraint"),
        ({"MaximumRetryAttempts": 1, "FunctionName": "nobody"}, "ResourceNotFoundException", "The function doesn't exist."),
        ({"MaximumRetryAttempts": 1, "Qualifier": "7"}, "ResourceNotFoundException", "The function doesn't exist."),
        ({"MaximumRetryAttempts": 1, "Qualifier": "nobody"}, "ResourceNotFoundException", "The function doesn't exist."),
    ],
)
def test_what_is_wrong_is_refused(client, name, parameters, code, message):
    found = refused(client.put_function_event_invoke_config, **{"FunctionName": name, **parameters})
    assert found[0] == code
    assert message in found[1]


def test_there_is_none_until_there_is_one(client, name):
    missing = f"The function {ARN}{name}:1 doesn't have an EventInvokeConfig"
    for call, parameters in (
        (client.get_function_event_invoke_config, {}),
        (client.update_function_event_invoke_config, {"MaximumRetryAttempts": 1}),
        (client.delete_function_event_invoke_config, {}),
    ):
        found = refused(call, FunctionName=name, Qualifier="1", **parameters)
        assert found == ("ResourceNotFoundException", missing)
    assert refused(client.list_function_event_invoke_configs, FunctionName="nobody") == (
        "ResourceNotFoundException",
        "The function doesn't exist.",
    )


def test_the_cli_reads_and_writes_it(server, name):
    def aws(*arguments):
        done = subprocess.run(
            [AWS, "lambda", *arguments, "--output", "json"],
            env=server.cli_environment(), capture_output=True, text=True, check=True,
        )
        return json.loads(done.stdout or "null")

    put = aws("put-function-event-invoke-config", "--function-name", name, "--maximum-retry-attempts", "0")
    assert put["MaximumRetryAttempts"] == 0
    got = aws("get-function-event-invoke-config", "--function-name", name)
    assert got == put
    aws("delete-function-event-invoke-config", "--function-name", name)


def test_whole_answers_of_event_invoke_configurations(server):
    account = Account(server, "200000000011")
    client = account.client
    account.function()
    put = whole(
        client,
        "PutFunctionEventInvokeConfig",
        FunctionName="f",
        MaximumRetryAttempts=1,
        MaximumEventAgeInSeconds=120,
        DestinationConfig={"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:200000000011:q"}},
    )
    told = {
        "LastModified": "<time>",
        "FunctionArn": "arn:aws:lambda:us-east-1:200000000011:function:f:$LATEST",
        "MaximumRetryAttempts": 1,
        "MaximumEventAgeInSeconds": 120,
        "DestinationConfig": {"OnSuccess": {}, "OnFailure": {"Destination": "arn:aws:sqs:us-east-1:200000000011:q"}},
    }
    assert put == (200, told)
    assert whole(client, "UpdateFunctionEventInvokeConfig", FunctionName="f", MaximumRetryAttempts=0) == (200, {**told, "MaximumRetryAttempts": 0})
    assert whole(client, "GetFunctionEventInvokeConfig", FunctionName="f") == (200, {**told, "MaximumRetryAttempts": 0})
    assert whole(client, "ListFunctionEventInvokeConfigs", FunctionName="f") == (
        200,
        {"FunctionEventInvokeConfigs": [{**told, "MaximumRetryAttempts": 0}]},
    )
    assert whole(client, "DeleteFunctionEventInvokeConfig", FunctionName="f") == (204, {})
