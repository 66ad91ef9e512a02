"""AWS's quotas for requests of Lambda's control plane: only where the operator wants them."""

import os

import pytest
from botocore.exceptions import ClientError
from conftest import Server, eventually, zip_of

SOURCE = "def handler(event, context): return 'done'"


def answered(call, times, **asked):
    """How many of so many requests were served, and the first refusal."""
    served, refusal = 0, None
    for _ in range(times):
        try:
            call(**asked)
            served += 1
        except ClientError as error:
            refusal = refusal or error.response
    return served, refusal


@pytest.fixture(scope="module")
def limited():
    """A clock that stands still: what is used up stays so until it is moved."""
    server = Server("--rate-limits", "aws", "--time", "virtual")
    yield server
    assert server.stop() == 0


def advance(server, span="1s"):
    server.hearth("time", "advance", span)


def function(server):
    """A function that is ready. The clients' own waiters would use up what there is."""
    client, name = server.client("lambda"), f"f-{os.urandom(4).hex()}"
    package = {"ZipFile": zip_of({"lambda_function.py": SOURCE})}
    client.create_function(
        FunctionName=name, Runtime="python3.12", Handler="lambda_function.handler", Role=server.role(), Code=package
    )

    def is_active():
        advance(server)
        return client.get_function(FunctionName=name)["Configuration"]["State"] == "Active"

    eventually(is_active, what="the function")
    advance(server)
    return name


def test_an_account_may_make_so_many_requests_in_a_second(limited):
    client = limited.client("lambda")
    served, refusal = answered(client.list_functions, 20)
    assert served == 15
    assert refusal["Error"] == {"Code": "TooManyRequestsException", "Message": "Rate exceeded"}
    assert (refusal["Reason"], refusal["Type"]) == ("CallerRateLimitExceeded", "User")
    headers = refusal["ResponseMetadata"]["HTTPHeaders"]
    assert refusal["ResponseMetadata"]["HTTPStatusCode"] == 429 and headers["retry-after"] == "1"
    # All the others are counted together, read or not, and before anything is looked at.
    assert answered(client.get_account_settings, 1)[0] == 0
    assert answered(client.get_function_configuration, 1, FunctionName="nobody")[1]["Error"]["Code"] == "TooManyRequestsException"
    # Other regions and accounts have their own.
    assert answered(limited.client("lambda", region="eu-west-1").list_functions, 20)[0] == 15
    assert answered(limited.client("lambda", key="222222222222").list_functions, 20)[0] == 15
    advance(limited, "1m")
    assert answered(client.list_functions, 20)[0] == 15
    advance(limited)


def test_reading_a_function_and_its_policy_have_quotas_of_their_own(limited):
    client = limited.client("lambda")
    name = function(limited)
    client.add_permission(FunctionName=name, StatementId="s", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com")
    advance(limited)
    assert answered(client.get_policy, 20, FunctionName=name)[0] == 15
    assert answered(client.get_function, 110, FunctionName=name)[0] == 100
    assert answered(client.list_functions, 20)[0] == 15
    advance(limited)


def test_invocations_are_not_counted(limited):
    client = limited.client("lambda")
    name = function(limited)
    answered(client.list_functions, 20)
    for _ in range(20):
        assert client.invoke(FunctionName=name)["Payload"].read() == b'"done"'
        assert client.invoke(FunctionName=name, InvocationType="Event")["StatusCode"] == 202
    assert answered(client.list_functions, 1)[0] == 0


def test_nobody_is_limited_unless_the_operator_wants_it(server):
    assert answered(server.client("lambda").get_account_settings, 200) == (200, None)


def test_hearths_own_commands_wait_as_the_sdks_do(start, tmp_path):
    """A deployment asks more often than fifteen times while its function becomes active."""
    server = start("--rate-limits", "aws")
    (tmp_path / "app.py").write_text(SOURCE)
    client = server.client("lambda")
    eventually(lambda: answered(client.list_functions, 20)[1], what="more than fifteen requests in a second")
    server.hearth("deploy", str(tmp_path), "--name", "deployed")
    assert server.invoke("deployed")[0] == "done"
