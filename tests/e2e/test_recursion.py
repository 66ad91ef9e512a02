"""Recursion configurations, as boto3 sees them."""

import pytest
from answers import Account, whole
from botocore.exceptions import ClientError

SOURCE = "def handler(event, context): return 1"


@pytest.fixture(scope="module")
def client(server):
    return server.client("lambda", parameter_validation=False)


def settings(answer):
    answer.pop("ResponseMetadata")
    return answer


def test_loops_are_ended_unless_they_are_allowed(server, client):
    name = server.python(SOURCE, name="recursion")
    assert settings(client.get_function_recursion_config(FunctionName=name)) == {"RecursiveLoop": "Terminate"}
    put = client.put_function_recursion_config(FunctionName=name, RecursiveLoop="Allow")
    assert settings(put) == {"RecursiveLoop": "Allow"}
    arn = f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
    assert settings(client.get_function_recursion_config(FunctionName=arn)) == {"RecursiveLoop": "Allow"}
    client.put_function_recursion_config(FunctionName=name, RecursiveLoop="Terminate")
    assert settings(client.get_function_recursion_config(FunctionName=name)) == {"RecursiveLoop": "Terminate"}


def test_it_goes_with_the_function(server, client):
    name = server.python(SOURCE, name="recursion-gone")
    client.put_function_recursion_config(FunctionName=name, RecursiveLoop="Allow")
    client.delete_function(FunctionName=name)
    server.python(SOURCE, name=name)
    assert client.get_function_recursion_config(FunctionName=name)["RecursiveLoop"] == "Terminate"


@pytest.mark.parametrize(
    ("parameters", "code", "message"),
    [
        ({"FunctionName": "nobody", "RecursiveLoop": "Allow"}, "ResourceNotFoundException", "Function not found: arn:aws:lambda:us-east-1:000000000000:function:nobody"),
        ({"FunctionName": "nobody", "RecursiveLoop": "Perhaps"}, "ValidationException", "1 validation error detected: Value 'Perhaps' at 'recursiveLoop' failed to satisfy constraint: Member must satisfy enum value set: [Allow, Terminate]"),
        ({"FunctionName": "nobody:1", "RecursiveLoop": "Allow"}, "ValidationException", "Value 'nobody:1' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern"),
    ],
)
def test_what_is_wrong_is_refused(client, parameters, code, message):
    with pytest.raises(ClientError) as error:
        client.put_function_recursion_config(**parameters)
    found = error.value.response["Error"]
    assert found["Code"] == code
    assert message in found["Message"]


def test_whole_answers_of_recursion_configurations(server):
    account = Account(server, "200000000012")
    client = account.client
    account.function()
    assert whole(client, "GetFunctionRecursionConfig", FunctionName="f") == (200, {"RecursiveLoop": "Terminate"})
    assert whole(client, "PutFunctionRecursionConfig", FunctionName="f", RecursiveLoop="Allow") == (
        200,
        {"RecursiveLoop": "Allow"},
    )
