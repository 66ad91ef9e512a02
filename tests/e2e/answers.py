"""Whole answers: everything that boto3 finds in one, with the parts masked that differ from run to run.

`assert whole(client, "GetAlias", …) == (200, {…})` is what `test_audit.py` looks for, for every operation there is.
"""

import datetime
import json
import re

from botocore import xform_name
from botocore.exceptions import ClientError
from conftest import LAMBDA_TRUST, zip_of

MASKS = [
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<uuid>"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?(\+0000|\+00:00|Z)", "<time>"),
    (r"[A-Za-z0-9+/]{43}=", "<sha256>"),
    (r"::runtime:[0-9a-f]{64}", "::runtime:<hash>"),
    (r"csc-[0-9a-z]{17}", "csc-<id>"),
    (r"http://[a-z0-9]{32}\.lambda-url\.", "http://<url-id>.lambda-url."),
    (r"http://127\.0\.0\.1:\d+/_hearth/code/\S+", "<link>"),
    (r"(127\.0\.0\.1|localhost):\d+", "<host>"),
]
BYTES = {"CodeSize", "TotalCodeSize"}


def masked(value, key=None):
    if isinstance(value, dict):
        return {key: masked(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [masked(inner) for inner in value]
    if isinstance(value, datetime.datetime):
        return "<time>"
    if key in BYTES and value > 0:
        return "<bytes>"
    if isinstance(value, str):
        for pattern, mask in MASKS:
            value = re.sub(pattern, mask, value)
    return value


def whole(client, operation, **parameters):
    """The status of an answer and all that is in it."""
    said = []
    event = f"after-call.lambda.{operation}"
    listen = lambda http_response, **_: said.append(http_response)
    client.meta.events.register(event, listen)
    try:
        answer = getattr(client, xform_name(operation))(**parameters)
    except ClientError as error:
        answer = error.response
    finally:
        client.meta.events.unregister(event, listen)
    status = answer.pop("ResponseMetadata")["HTTPStatusCode"]
    for name, value in answer.items():
        if hasattr(value, "read"):
            answer[name] = value.read().decode()
        elif hasattr(value, "close"):
            answer[name] = list(value)
    if status < 300 and "json" in said[0].headers.get("Content-Type", "") and "Payload" not in answer:
        # What boto3's model does not have, it passes over.
        unknown = beyond(json.loads(said[0].content or b"{}"), answer)
        assert not unknown, f"{operation} answers what the model does not have: {unknown}"
    return status, masked(answer)


def beyond(said, understood):
    if isinstance(said, dict) and isinstance(understood, dict):
        unknown = [key for key, value in said.items() if value is not None and key not in understood]
        return unknown + [inner for key in set(said) & set(understood) for inner in beyond(said[key], understood[key])]
    if isinstance(said, list) and isinstance(understood, list):
        return [inner for pair in zip(said, understood) for inner in beyond(*pair)]
    return []


class Account:
    """An account of its own on a server that others use, too."""

    def __init__(self, server, number):
        self.server, self.number = server, number
        self.client = server.client("lambda", key=number)
        iam = server.client("iam", key=number)
        self.role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=LAMBDA_TRUST)["Role"]["Arn"]

    def function(self, name="f", says="1", **settings):
        """A function that is there."""
        self.client.create_function(
            FunctionName=name,
            Runtime="python3.12",
            Handler="lambda_function.handler",
            Role=self.role,
            Code={"ZipFile": package(says)},
            **settings,
        )
        self.settled(name)

    def settled(self, name="f"):
        for waiter in ("function_active_v2", "function_updated_v2"):
            self.client.get_waiter(waiter).wait(FunctionName=name, WaiterConfig={"Delay": 0.02, "MaxAttempts": 1500})


def package(says):
    return zip_of({"lambda_function.py": f"def handler(event, context): return {says}"})


def configuration(account, **changes):
    """What is told of a function that `Account.function` made, once it is there; `None` takes a member away."""
    told = {
        "FunctionName": "f",
        "FunctionArn": f"arn:aws:lambda:us-east-1:{account.number}:function:f",
        "Runtime": "python3.12",
        "Role": account.role,
        "Handler": "lambda_function.handler",
        "CodeSize": "<bytes>",
        "Description": "",
        "Timeout": 3,
        "MemorySize": 128,
        "LastModified": "<time>",
        "CodeSha256": "<sha256>",
        "Version": "$LATEST",
        "TracingConfig": {"Mode": "PassThrough"},
        "RevisionId": "<uuid>",
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        "EphemeralStorage": {"Size": 512},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "RuntimeVersionConfig": {"RuntimeVersionArn": "arn:aws:lambda:us-east-1::runtime:<hash>"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": "/aws/lambda/f"},
    }
    return {name: value for name, value in {**told, **changes}.items() if value is not None}


def listed(account, **changes):
    """The same in a list: without what is the function's state."""
    return configuration(account, State=None, LastUpdateStatus=None, RuntimeVersionConfig=None, **changes)
