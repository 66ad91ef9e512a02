"""Reserved concurrency: a floor and a ceiling for one function."""

import json
import threading

import pytest
from answers import Account, whole
from botocore.exceptions import ClientError
from conftest import eventually

ECHO = "def handler(event, context): return event"
HOLD = """
import time
def handler(event, context):
    print("running")
    time.sleep(event["seconds"])
    return "done"
"""


def refused(call, **parameters):
    with pytest.raises(ClientError) as error:
        call(**parameters)
    return error.value.response


@pytest.fixture(scope="module")
def client(server):
    return server.client("lambda", parameter_validation=False)


def test_a_reservation_is_set_read_and_taken_back(server, client):
    name = server.python(ECHO)
    assert "ReservedConcurrentExecutions" not in client.get_function_concurrency(FunctionName=name)
    assert "Concurrency" not in client.get_function(FunctionName=name)
    before = client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]

    put = client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=7)
    assert put["ReservedConcurrentExecutions"] == 7
    assert client.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"] == 7
    assert client.get_function(FunctionName=name)["Concurrency"] == {"ReservedConcurrentExecutions": 7}
    assert client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == before - 7

    for _ in range(2):
        deleted = client.delete_function_concurrency(FunctionName=name)
        assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert "ReservedConcurrentExecutions" not in client.get_function_concurrency(FunctionName=name)
    assert client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == before


def test_a_hundred_must_stay_unreserved(server, client):
    name, other = server.python(ECHO), server.python(ECHO)
    limit = client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]
    error = refused(client.put_function_concurrency, FunctionName=name, ReservedConcurrentExecutions=limit - 99)
    assert error["Error"]["Code"] == "InvalidParameterValueException"
    assert error["Error"]["Message"] == (
        "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its "
        "minimum value of [100]."
    )
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=limit - 110)
    # What the function has itself does not stand in its way.
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=limit - 105)
    refused(client.put_function_concurrency, FunctionName=other, ReservedConcurrentExecutions=6)
    client.put_function_concurrency(FunctionName=other, ReservedConcurrentExecutions=5)
    client.delete_function(FunctionName=name)
    client.put_function_concurrency(FunctionName=other, ReservedConcurrentExecutions=6)
    client.delete_function(FunctionName=other)
    assert client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == limit


@pytest.mark.parametrize(
    ("parameters", "code", "message"),
    [
        ({"ReservedConcurrentExecutions": -1}, "ValidationException", "Member must have value greater than or equal to 0"),
        ({}, "ValidationException", "Value null at 'reservedConcurrentExecutions' failed to satisfy constraint: Member must not be null"),
        ({"FunctionName": "nobody", "ReservedConcurrentExecutions": 1}, "ResourceNotFoundException", "Function not found: arn:aws:lambda:us-east-1:000000000000:function:nobody"),
        ({"FunctionName": "nobody:1", "ReservedConcurrentExecutions": 1}, "InvalidParameterValueException", "Aliases and versions do not support this operation"),
    ],
)
def test_bad_requests_change_nothing(server, client, parameters, code, message):
    name = server.python(ECHO)
    error = refused(client.put_function_concurrency, **{"FunctionName": name, **parameters})["Error"]
    assert error["Code"] == code
    assert message in error["Message"]
    assert "ReservedConcurrentExecutions" not in client.get_function_concurrency(FunctionName=name)


def test_nothing_reserved_switches_a_function_off(server, client):
    name = server.python(ECHO)
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    error = refused(client.invoke, FunctionName=name, Payload=b"1")
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert error["Error"] == {"Code": "TooManyRequestsException", "Message": "Rate Exceeded."}
    assert error["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert error["Type"] == "User"
    assert int(error["ResponseMetadata"]["HTTPHeaders"]["retry-after"]) > 0
    client.delete_function_concurrency(FunctionName=name)
    assert server.invoke(name, 1)[0] == 1


def test_no_more_runs_at_once_than_is_reserved(server, client):
    name = server.python(HOLD)
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    answers = []
    first = threading.Thread(target=lambda: answers.append(server.invoke(name, {"seconds": 1.5})[0]))
    first.start()
    logs = server.client("logs")

    def running():
        try:
            return logs.filter_log_events(logGroupName=f"/aws/lambda/{name}", filterPattern="running")["events"]
        except logs.exceptions.ResourceNotFoundException:
            return None

    eventually(running, what="the first invocation's log line")
    error = refused(client.invoke, FunctionName=name, Payload=json.dumps({"seconds": 0}))
    assert error["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    first.join()
    assert answers == ["done"]
    assert server.invoke(name, {"seconds": 0})[0] == "done"


def test_requests_have_a_rate_for_each_unit_of_concurrency(server, client):
    name = server.python(ECHO)
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    one = server.client("lambda")

    def too_fast():
        try:
            one.invoke(FunctionName=name, Payload=b"1")
        except ClientError as error:
            return error.response

    error = eventually(too_fast, what="more than ten requests in a second")
    assert error["Error"]["Code"] == "TooManyRequestsException"
    assert error["Reason"] == "ReservedFunctionInvocationRateLimitExceeded"


def test_a_reservation_survives_a_crash(start, data_dir):
    server = start(data_dir=data_dir)
    name = server.python(ECHO)
    server.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    server.kill()
    server.start()
    client = server.client("lambda")
    assert client.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"] == 0
    error = refused(client.invoke, FunctionName=name, Payload=b"1")
    assert error["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"


def test_whole_answers_of_reserved_concurrency(server):
    account = Account(server, "200000000007")
    client = account.client
    account.function()
    assert whole(client, "GetFunctionConcurrency", FunctionName="f") == (200, {})
    assert whole(client, "PutFunctionConcurrency", FunctionName="f", ReservedConcurrentExecutions=7) == (
        200,
        {"ReservedConcurrentExecutions": 7},
    )
    assert whole(client, "GetFunctionConcurrency", FunctionName="f") == (200, {"ReservedConcurrentExecutions": 7})
    assert whole(client, "GetFunction", FunctionName="f")[1]["Concurrency"] == {"ReservedConcurrentExecutions": 7}
    assert whole(client, "DeleteFunctionConcurrency", FunctionName="f") == (204, {})
