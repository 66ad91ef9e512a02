"""Provisioned concurrency: environments that are initialised before requests come."""

import threading

import pytest
from answers import Account, whole
from botocore.exceptions import ClientError
from conftest import eventually

TELLS = """
import os, time, uuid
me = str(uuid.uuid4())
def handler(event, context):
    if event == "die":
        os._exit(1)
    time.sleep(event or 0)
    return [me, os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]]
"""
ARN = "arn:aws:lambda:us-east-1:000000000000:function"


def refused(call, **parameters):
    with pytest.raises(ClientError) as error:
        call(**parameters)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


@pytest.fixture(scope="module")
def client(server):
    return server.client("lambda", parameter_validation=False)


@pytest.fixture
def published(server, client):
    """A function with version 1, which the alias `live` points to."""
    name = server.python(TELLS)
    assert client.publish_version(FunctionName=name)["Version"] == "1"
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    yield name
    client.delete_function(FunctionName=name)


def config(client, name, qualifier):
    found = client.get_provisioned_concurrency_config(FunctionName=name, Qualifier=qualifier)
    return {key: value for key, value in found.items() if key not in ("ResponseMetadata", "LastModified")}


def ready(client, name, qualifier, count):
    def is_ready():
        found = config(client, name, qualifier)
        assert found["Status"] != "FAILED", found
        # It stays READY while one that has died is replaced.
        is_whole = found["AllocatedProvisionedConcurrentExecutions"] == count
        return found if found["Status"] == "READY" and is_whole else None

    assert eventually(is_ready, what="the allocation") == {
        "RequestedProvisionedConcurrentExecutions": count,
        "AllocatedProvisionedConcurrentExecutions": count,
        "AvailableProvisionedConcurrentExecutions": count,
        "Status": "READY",
    }


def test_a_version_is_initialised_ahead_and_then_no_longer(server, client, published):
    put = client.put_provisioned_concurrency_config(
        FunctionName=published, Qualifier="1", ProvisionedConcurrentExecutions=2
    )
    assert put.pop("ResponseMetadata")["HTTPStatusCode"] == 202
    assert put.pop("LastModified").endswith("+0000")
    assert put == {
        "RequestedProvisionedConcurrentExecutions": 2,
        "AllocatedProvisionedConcurrentExecutions": 0,
        "AvailableProvisionedConcurrentExecutions": 0,
        "Status": "IN_PROGRESS",
    }
    ready(client, published, "1", 2)
    # Before any request.
    def begun(words):
        return sum(line.startswith(words) for line in logged(server, published))

    eventually(lambda: begun("INIT_REPORT Init Duration: ") == 2, what="both reports")
    assert begun("INIT_START") == 2
    for qualifier in ("1", "live"):
        (_, kind), response = server.invoke(published, Qualifier=qualifier, LogType="Tail")
        assert kind == "provisioned-concurrency"
    assert server.invoke(published)[0][1] == "on-demand"

    listed = client.list_provisioned_concurrency_configs(FunctionName=published)["ProvisionedConcurrencyConfigs"]
    assert [(item["FunctionArn"], item["Status"]) for item in listed] == [(f"{ARN}:{published}:1", "READY")]
    for _ in range(2):
        deleted = client.delete_provisioned_concurrency_config(FunctionName=published, Qualifier="1")
        assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert refused(client.get_provisioned_concurrency_config, FunctionName=published, Qualifier="1") == (
        "ProvisionedConcurrencyConfigNotFoundException",
        "No Provisioned Concurrency Config found for this function",
    )
    assert client.list_provisioned_concurrency_configs(FunctionName=published)["ProvisionedConcurrencyConfigs"] == []
    assert server.invoke(published, Qualifier="1")[0][1] == "on-demand"


def logged(server, name):
    client = server.client("logs")
    try:
        return [event["message"] for event in client.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]]
    except client.exceptions.ResourceNotFoundException:
        return []


def test_it_moves_with_its_alias(server, client, published):
    client.put_provisioned_concurrency_config(
        FunctionName=published, Qualifier="live", ProvisionedConcurrentExecutions=1
    )
    ready(client, published, "live", 1)
    client.update_function_configuration(FunctionName=published, Description="another")
    client.get_waiter("function_updated_v2").wait(
        FunctionName=published, WaiterConfig={"Delay": 0.02, "MaxAttempts": 1500}
    )
    assert client.publish_version(FunctionName=published)["Version"] == "2"
    client.update_alias(FunctionName=published, Name="live", FunctionVersion="2")
    ready(client, published, "live", 1)
    assert server.invoke(published, Qualifier="2")[0][1] == "provisioned-concurrency"
    assert server.invoke(published, Qualifier="1")[0][1] == "on-demand"
    # Two versions share it as they share the requests.
    client.update_alias(
        FunctionName=published, Name="live", RoutingConfig={"AdditionalVersionWeights": {"1": 0.5}}
    )
    client.put_provisioned_concurrency_config(
        FunctionName=published, Qualifier="live", ProvisionedConcurrentExecutions=2
    )
    ready(client, published, "live", 2)
    for version in ("1", "2"):
        assert server.invoke(published, Qualifier=version)[0][1] == "provisioned-concurrency"


def test_one_that_dies_is_replaced(server, client, published):
    client.put_provisioned_concurrency_config(FunctionName=published, Qualifier="1", ProvisionedConcurrentExecutions=1)
    ready(client, published, "1", 1)
    (before, _), _ = server.invoke(published, Qualifier="1")
    assert server.invoke(published, "die", Qualifier="1")[0]["errorType"] == "Runtime.ExitError"

    # A request that comes before the other is there does not wait for it, and runs on demand.
    def replaced():
        (after, kind), _ = server.invoke(published, Qualifier="1")
        assert after != before
        return kind == "provisioned-concurrency"

    eventually(replaced, what="another provisioned environment")
    ready(client, published, "1", 1)


def test_requests_beyond_it_spill_over(server, client, published):
    client.put_provisioned_concurrency_config(FunctionName=published, Qualifier="1", ProvisionedConcurrentExecutions=1)
    ready(client, published, "1", 1)
    kinds = []
    callers = [
        threading.Thread(target=lambda: kinds.append(server.invoke(published, 0.5, Qualifier="1")[0][1]))
        for _ in range(3)
    ]
    [caller.start() for caller in callers]
    [caller.join() for caller in callers]
    assert sorted(kinds) == ["on-demand", "on-demand", "provisioned-concurrency"]


def test_an_initialisation_that_fails_is_told(server, client):
    name = server.python("raise ImportError('broken')")
    client.publish_version(FunctionName=name)
    client.put_provisioned_concurrency_config(FunctionName=name, Qualifier="1", ProvisionedConcurrentExecutions=1)
    eventually(lambda: config(client, name, "1")["Status"] == "FAILED", what="the failure")
    assert config(client, name, "1") == {
        "RequestedProvisionedConcurrentExecutions": 1,
        "AllocatedProvisionedConcurrentExecutions": 0,
        "AvailableProvisionedConcurrentExecutions": 0,
        "Status": "FAILED",
        "StatusReason": "FUNCTION_ERROR_INIT_FAILURE",
    }
    client.delete_function(FunctionName=name)


@pytest.mark.parametrize(
    ("parameters", "code", "message"),
    [
        ({"Qualifier": "$LATEST"}, "InvalidParameterValueException", "Provisioned Concurrency Configs cannot be applied to unpublished function versions."),
        ({"Qualifier": "7"}, "ResourceNotFoundException", "Function not found: {arn}:7"),
        ({"Qualifier": "none"}, "ResourceNotFoundException", "Cannot find alias arn: {arn}:none"),
        ({"ProvisionedConcurrentExecutions": 0}, "ValidationException", "1 validation error detected: Value '0' at 'provisionedConcurrentExecutions' failed to satisfy constraint: Member must have value greater than or equal to 1"),
        ({"ProvisionedConcurrentExecutions": 2000}, "InvalidParameterValueException", "Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [{unreserved}]."),
        ({"ProvisionedConcurrentExecutions": 950}, "InvalidParameterValueException", "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [100]."),
    ],
)
def test_bad_requests_change_nothing(client, published, parameters, code, message):
    request = {"FunctionName": published, "Qualifier": "1", "ProvisionedConcurrentExecutions": 1, **parameters}
    unreserved = client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]
    expected = (code, message.format(arn=f"{ARN}:{published}", unreserved=unreserved))
    assert refused(client.put_provisioned_concurrency_config, **request) == expected
    assert client.list_provisioned_concurrency_configs(FunctionName=published)["ProvisionedConcurrencyConfigs"] == []


def test_a_version_has_it_once(client, published):
    put = client.put_provisioned_concurrency_config
    put(FunctionName=published, Qualifier="1", ProvisionedConcurrentExecutions=1)
    client.create_alias(FunctionName=published, Name="other", FunctionVersion="1")
    assert refused(put, FunctionName=published, Qualifier="live", ProvisionedConcurrentExecutions=1) == (
        "ResourceConflictException",
        "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version",
    )
    client.delete_provisioned_concurrency_config(FunctionName=published, Qualifier="1")
    put(FunctionName=published, Qualifier="live", ProvisionedConcurrentExecutions=1)
    assert refused(put, FunctionName=published, Qualifier="1", ProvisionedConcurrentExecutions=1) == (
        "ResourceConflictException",
        "Version is pointed by a Provisioned Concurrency alias",
    )
    for qualifier in ("$LATEST",):
        assert refused(client.get_provisioned_concurrency_config, FunctionName=published, Qualifier=qualifier) == (
            "InvalidParameterValueException",
            "The function resource provided must be an alias or a published version.",
        )
    client.delete_alias(FunctionName=published, Name="live")
    assert client.list_provisioned_concurrency_configs(FunctionName=published)["ProvisionedConcurrencyConfigs"] == []


def test_it_is_a_part_of_what_is_reserved(server, client, published):
    client.put_function_concurrency(FunctionName=published, ReservedConcurrentExecutions=2)
    put = client.put_provisioned_concurrency_config
    assert refused(put, FunctionName=published, Qualifier="1", ProvisionedConcurrentExecutions=3) == (
        "InvalidParameterValueException",
        "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function",
    )
    put(FunctionName=published, Qualifier="1", ProvisionedConcurrentExecutions=2)
    assert refused(client.put_function_concurrency, FunctionName=published, ReservedConcurrentExecutions=1) == (
        "InvalidParameterValueException",
        " ReservedConcurrentExecutions  1 should not be lower than function's total provisioned concurrency [2].",
    )
    ready(client, published, "1", 2)
    # All of it is the version's: nothing is left for $LATEST.
    code, _ = refused(client.invoke, FunctionName=published, Payload=b"0")
    assert code == "TooManyRequestsException"
    assert server.invoke(published, 0, Qualifier="1")[0][1] == "provisioned-concurrency"


def test_scaling_of_capacity_providers_is_refused_by_name(client, published):
    for call in (client.put_function_scaling_config, client.get_function_scaling_config):
        code, message = refused(call, FunctionName=published, Qualifier="1")
        assert code == "InvalidParameterValueException"
        assert "capacity providers" in message
        assert refused(call, FunctionName="nobody", Qualifier="1")[0] == "ResourceNotFoundException"


def test_it_survives_a_crash(start, data_dir):
    server = start(data_dir=data_dir)
    client = server.client("lambda")
    name = server.python(TELLS)
    client.publish_version(FunctionName=name)
    client.put_provisioned_concurrency_config(FunctionName=name, Qualifier="1", ProvisionedConcurrentExecutions=2)
    server.kill()
    server.start()
    client = server.client("lambda")
    ready(client, name, "1", 2)
    assert server.invoke(name, Qualifier="1")[0][1] == "provisioned-concurrency"


def test_whole_answers_of_provisioned_concurrency(server):
    account = Account(server, "200000000008")
    client = account.client
    account.function(Publish=True)
    version = {"FunctionName": "f", "Qualifier": "1"}
    assert whole(client, "PutProvisionedConcurrencyConfig", **version, ProvisionedConcurrentExecutions=1) == (
        202,
        {
            "RequestedProvisionedConcurrentExecutions": 1,
            "AllocatedProvisionedConcurrentExecutions": 0,
            "AvailableProvisionedConcurrentExecutions": 0,
            "Status": "IN_PROGRESS",
            "LastModified": "<time>",
        },
    )
    ready(client, "f", "1", 1)
    assert whole(client, "GetProvisionedConcurrencyConfig", **version) == (
        200,
        {
            "RequestedProvisionedConcurrentExecutions": 1,
            "AvailableProvisionedConcurrentExecutions": 1,
            "AllocatedProvisionedConcurrentExecutions": 1,
            "Status": "READY",
            "LastModified": "<time>",
        },
    )
    assert whole(client, "ListProvisionedConcurrencyConfigs", FunctionName="f") == (
        200,
        {
            "ProvisionedConcurrencyConfigs": [
                {
                    "FunctionArn": "arn:aws:lambda:us-east-1:200000000008:function:f:1",
                    "RequestedProvisionedConcurrentExecutions": 1,
                    "AvailableProvisionedConcurrentExecutions": 1,
                    "AllocatedProvisionedConcurrentExecutions": 1,
                    "Status": "READY",
                    "LastModified": "<time>",
                },
            ],
        },
    )
    assert whole(client, "DeleteProvisionedConcurrencyConfig", **version) == (204, {})
    message = (
        "Hearth does not support function scaling configuration, which is of functions on capacity providers (Lambda "
        "Managed Instances), yet. Leave it out, or see docs/compatibility.md."
    )
    refusal = {
        "Error": {"Message": message, "Code": "InvalidParameterValueException"},
        "Type": "User",
        "message": message,
    }
    assert whole(client, "PutFunctionScalingConfig", **version, FunctionScalingConfig={}) == (400, refusal)
    assert whole(client, "GetFunctionScalingConfig", **version) == (400, refusal)
