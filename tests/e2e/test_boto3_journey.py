"""The README's journey with boto3: waiters, tags, policies, logs, and nothing left at the end."""

import base64
import json
import urllib.request

import pytest
from botocore.exceptions import ClientError
from conftest import LAMBDA_TRUST, eventually, zip_of

BASIC_EXECUTION = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
REGION = "eu-central-1"

PYTHON = """
import os
print("module loaded")
loads = 0

def handler(event, context):
    global loads
    loads += 1
    print("hello,", event["name"])
    return {"greeting": f"Hello, {event['name']}!", "stage": os.environ.get("STAGE"), "loads": loads}
"""


def test_a_function_goes_from_zip_to_answer(server):
    # A region of its own, so that at the end really nothing may be left.
    iam, functions, logs = (server.client(name, region=REGION, key="606060606060") for name in ("iam", "lambda", "logs"))
    role = iam.create_role(RoleName="journey", AssumeRolePolicyDocument=LAMBDA_TRUST, Tags=[{"Key": "a", "Value": "b"}])
    iam.get_waiter("role_exists").wait(RoleName="journey", WaiterConfig={"Delay": 0.05})
    arn = role["Role"]["Arn"]
    assert arn == "arn:aws:iam::606060606060:role/journey"
    iam.attach_role_policy(RoleName="journey", PolicyArn=BASIC_EXECUTION)
    attached = iam.list_attached_role_policies(RoleName="journey")["AttachedPolicies"]
    assert attached == [{"PolicyName": "AWSLambdaBasicExecutionRole", "PolicyArn": BASIC_EXECUTION}]
    inline = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]}
    iam.put_role_policy(RoleName="journey", PolicyName="reads", PolicyDocument=json.dumps(inline))
    assert iam.get_role_policy(RoleName="journey", PolicyName="reads")["PolicyDocument"] == inline

    zipped = zip_of({"lambda_function.py": PYTHON})
    created = functions.create_function(
        FunctionName="journey",
        Runtime="python3.12",
        Handler="lambda_function.handler",
        Role=arn,
        Code={"ZipFile": zipped},
        Timeout=30,
        MemorySize=256,
        Tags={"team": "blue"},
    )
    assert (created["State"], created["StateReasonCode"]) == ("Pending", "Creating")
    functions.get_waiter("function_active_v2").wait(FunctionName="journey", WaiterConfig={"Delay": 0.05})

    def invoke(**parameters):
        answer = functions.invoke(FunctionName="journey", Payload=b'{"name": "Sam"}', **parameters)
        assert answer["StatusCode"] == 200 and "FunctionError" not in answer and answer["ExecutedVersion"] == "$LATEST"
        return json.loads(answer["Payload"].read()), answer

    assert invoke()[0] == {"greeting": "Hello, Sam!", "stage": None, "loads": 1}
    # The environment is reused: what stands outside the handler ran once.
    answer, response = invoke(LogType="Tail")
    assert answer["loads"] == 2
    tail = base64.b64decode(response["LogResult"]).decode()
    assert "module loaded" not in tail and "hello, Sam\n" in tail and "Init Duration" not in tail

    location = functions.get_function(FunctionName="journey")["Code"]["Location"]
    with urllib.request.urlopen(location) as download:
        assert download.read() == zipped

    functions.update_function_configuration(FunctionName="journey", Environment={"Variables": {"STAGE": "test"}})
    functions.get_waiter("function_updated_v2").wait(FunctionName="journey", WaiterConfig={"Delay": 0.05})
    assert invoke()[0] == {"greeting": "Hello, Sam!", "stage": "test", "loads": 1}
    functions.update_function_code(
        FunctionName="journey", ZipFile=zip_of({"lambda_function.py": PYTHON.replace("Hello", "Good day")})
    )
    functions.get_waiter("function_updated_v2").wait(FunctionName="journey", WaiterConfig={"Delay": 0.05})
    assert invoke()[0]["greeting"] == "Good day, Sam!"

    functions.tag_resource(Resource=created["FunctionArn"], Tags={"cost": "low"})
    assert functions.list_tags(Resource=created["FunctionArn"])["Tags"] == {"team": "blue", "cost": "low"}
    assert functions.get_account_settings()["AccountUsage"]["FunctionCount"] == 1

    group = "/aws/lambda/journey"
    matching = {"logGroupName": group, "filterPattern": '"hello," Sam'}
    eventually(lambda: len(logs.filter_log_events(**matching)["events"]) >= 4, what="four greetings in the log")
    # A line that came after the group's deletion would bring it back, here as on AWS.
    reports = {"logGroupName": group, "filterPattern": '"REPORT RequestId"'}
    eventually(lambda: len(logs.filter_log_events(**reports)["events"]) >= 4, what="four reports in the log")
    streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
    assert len(streams) == 3, "each revision has an environment, and each environment a stream"

    functions.delete_function(FunctionName="journey")
    iam.detach_role_policy(RoleName="journey", PolicyArn=BASIC_EXECUTION)
    iam.delete_role_policy(RoleName="journey", PolicyName="reads")
    iam.delete_role(RoleName="journey")
    logs.delete_log_group(logGroupName=group)
    assert functions.list_functions()["Functions"] == []
    assert iam.list_roles()["Roles"] == []
    assert logs.describe_log_groups()["logGroups"] == []
    with pytest.raises(ClientError) as gone:
        functions.get_function(FunctionName="journey")
    assert gone.value.response["Error"]["Code"] == "ResourceNotFoundException"
    assert gone.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
