"""A page in the user's browser must never drive the server; nor may anyone beyond this machine without a key."""

import json
import subprocess
import urllib.error
import urllib.request

import pytest
from botocore.exceptions import ClientError
from conftest import BINARY, zip_of


def send(server, headers, method="GET", path="/2015-03-31/functions/"):
    request = urllib.request.Request(server.endpoint + path, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


def test_a_rebound_host_name_is_refused_with_a_reason(server):
    status, _, body = send(server, {"Host": "evil.example"})
    assert status == 403 and "evil.example" in body and "--hostname" in body


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_loopback_names_are_accepted(server, host):
    assert send(server, {"Host": f"{host}:{server.port}"})[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_foreign_page_is_refused(server, headers):
    for method in ("GET", "POST", "OPTIONS"):
        status, answer, _ = send(server, headers, method)
        assert status == 403
        assert "Access-Control-Allow-Origin" not in answer


def test_listening_everywhere_demands_authentication():
    done = subprocess.run(
        [BINARY, "up", "--listen", "0.0.0.0:0", "--ephemeral"], capture_output=True, text=True, timeout=20
    )
    assert done.returncode != 0
    assert "--auth" in done.stderr and "0.0.0.0" in done.stderr


def test_with_auth_only_known_keys_are_let_in(start, data_dir):
    server = start("--auth", data_dir=data_dir)
    with pytest.raises(ClientError) as refused:
        server.client("lambda").list_functions()
    assert refused.value.response["Error"]["Code"] == "UnrecognizedClientException"

    text = (data_dir / "credentials").read_text()
    key, secret = (line.split(" = ")[1] for line in text.splitlines() if " = " in line)
    assert server.client("lambda", key=key, secret=secret).list_functions()["Functions"] == []
    with pytest.raises(ClientError) as refused:
        server.client("lambda", key=key, secret=secret + "x").list_functions()
    assert refused.value.response["Error"]["Code"] == "InvalidSignatureException"

    iam = server.client("iam", key=key, secret=secret)
    iam.create_user(UserName="dev")
    made = iam.create_access_key(UserName="dev")["AccessKey"]
    sts = server.client("sts", key=made["AccessKeyId"], secret=made["SecretAccessKey"])
    assert sts.get_caller_identity()["Arn"] == "arn:aws:iam::000000000000:user/dev"
    iam.update_access_key(UserName="dev", AccessKeyId=made["AccessKeyId"], Status="Inactive")
    with pytest.raises(ClientError) as refused:
        sts.get_caller_identity()
    assert refused.value.response["Error"]["Code"] == "InvalidClientTokenId"


def test_a_function_calls_back_with_its_roles_credentials_under_auth(start, data_dir):
    server = start("--auth", data_dir=data_dir)
    text = (data_dir / "credentials").read_text()
    key, secret = (line.split(" = ")[1] for line in text.splitlines() if " = " in line)
    iam, functions = (server.client(name, key=key, secret=secret) for name in ("iam", "lambda"))
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(
        RoleName="caller", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    source = "import boto3\ndef handler(event, context):\n    return boto3.client('sts').get_caller_identity()['Arn']\n"
    functions.create_function(
        FunctionName="whoami",
        Runtime="python3.12",
        Handler="lambda_function.handler",
        Role=role,
        Timeout=30,
        Code={"ZipFile": zip_of({"lambda_function.py": source})},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="whoami", WaiterConfig={"Delay": 1})
    answer = json.loads(functions.invoke(FunctionName="whoami")["Payload"].read())
    assert answer == "arn:aws:sts::000000000000:assumed-role/caller/whoami"


def test_an_ephemeral_server_can_be_emptied(start, data_dir):
    server = start()
    server.python("def handler(event, context): pass")
    assert send(server, {}, "POST", "/_hearth/reset")[0] == 200
    assert server.client("lambda").list_functions()["Functions"] == []
    assert server.client("iam").list_roles()["Roles"] == []
    lasting = start(data_dir=data_dir)
    status, _, body = send(lasting, {}, "POST", "/_hearth/reset")
    assert status == 409 and "--ephemeral" in body
