"""Functions and layers whose code lies in a bucket, as SAM, CDK and Terraform leave it; and failed events that end in one."""

import json
import os
import re

import pytest
from botocore.exceptions import ClientError
from conftest import Server, eventually, zip_of


@pytest.fixture(scope="module")
def bucket(server):
    name = f"code-{os.urandom(4).hex()}"
    s3 = server.client("s3")
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def package(answer):
    return zip_of({"lambda_function.py": f"def handler(event, context):\n    return {answer!r}\n"})


def create(server, **code):
    client, name = server.client("lambda"), f"f-{os.urandom(5).hex()}"
    client.create_function(
        FunctionName=name, Runtime="python3.12", Handler="lambda_function.handler", Role=server.role(), Code=code
    )
    client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.02, "MaxAttempts": 1500})
    return name


def refused(call, **asked):
    with pytest.raises(ClientError) as refused:
        call(**asked)
    return refused.value.response["Error"]["Code"], refused.value.response["Error"]["Message"]


def test_a_function_is_created_and_updated_from_a_bucket(server, bucket):
    s3, client = server.client("s3"), server.client("lambda")
    first = s3.put_object(Bucket=bucket, Key="a b/code.zip", Body=package("first"))["VersionId"]
    name = create(server, S3Bucket=bucket, S3Key="a b/code.zip")
    assert server.invoke(name, {})[0] == "first"
    s3.put_object(Bucket=bucket, Key="a b/code.zip", Body=package("second"))
    assert server.invoke(name, {})[0] == "first", "code is copied when the function is made"
    client.update_function_code(FunctionName=name, S3Bucket=bucket, S3Key="a b/code.zip")
    eventually(lambda: server.invoke(name, {})[0] == "second", what="the new code")
    client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.02, "MaxAttempts": 1500})
    client.update_function_code(FunctionName=name, S3Bucket=bucket, S3Key="a b/code.zip", S3ObjectVersion=first)
    eventually(lambda: server.invoke(name, {})[0] == "first", what="the old code")


def test_a_layer_is_published_from_a_bucket(server, bucket):
    s3, client = server.client("s3"), server.client("lambda")
    s3.put_object(Bucket=bucket, Key="layer.zip", Body=zip_of({"python/from_layer.py": "word = 'layered'\n"}))
    layer = client.publish_layer_version(LayerName=f"l-{os.urandom(4).hex()}", Content={"S3Bucket": bucket, "S3Key": "layer.zip"})
    name = server.python("import from_layer\ndef handler(event, context):\n    return from_layer.word\n", Layers=[layer["LayerVersionArn"]])
    assert server.invoke(name, {})[0] == "layered"


def test_what_cannot_be_read_is_told_in_s3s_words(server, bucket):
    client = server.client("lambda")
    server.client("s3").put_object(Bucket=bucket, Key="no.zip", Body=b"this is no zip")
    elsewhere = f"code-{os.urandom(4).hex()}"
    west = server.client("s3", region="eu-west-1")
    west.create_bucket(Bucket=elsewhere, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    asked = {"FunctionName": "never", "Runtime": "python3.12", "Handler": "a.b", "Role": server.role()}

    def error(**code):
        return refused(client.create_function, **asked, Code=code)

    invalid = "InvalidParameterValueException"
    start = "Error occurred while GetObject. S3 Error Code: "
    assert error(S3Bucket=bucket, S3Key="none") == (invalid, f"{start}NoSuchKey. S3 Error Message: The specified key does not exist.")
    assert error(S3Bucket="no-such-bucket-here", S3Key="k") == (invalid, f"{start}NoSuchBucket. S3 Error Message: The specified bucket does not exist")
    moved = error(S3Bucket=elsewhere, S3Key="k")
    assert moved[0] == invalid and "PermanentRedirect" in moved[1] and "eu-west-1" in moved[1]
    assert error(S3Bucket=bucket, S3Key="no.zip")[0] == invalid
    assert error(S3Bucket=bucket)[0] == invalid
    assert "ZipFile" in error(S3Bucket=bucket, S3Key="k", ZipFile=package("x"))[1]
    assert refused(client.get_function, FunctionName="never")[0] == "ResourceNotFoundException"


def test_a_failed_event_ends_in_a_bucket():
    server = Server("--time", "virtual")
    try:
        s3, client = server.client("s3"), server.client("lambda")
        s3.create_bucket(Bucket="failures")
        name = server.python("def handler(event, context):\n    raise ValueError('no')\n")
        client.put_function_event_invoke_config(
            FunctionName=name, MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": "arn:aws:s3:::failures"}}
        )
        client.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"n": 1}')
        [found] = eventually(lambda: s3.list_objects_v2(Bucket="failures").get("Contents"), what="the record")
        assert re.fullmatch(
            rf"aws/lambda/async/{name}/\d{{4}}/\d\d/\d\d/\d{{4}}-\d\d-\d\dT\d\d\.\d\d\.\d\d-[0-9a-f-]{{36}}", found["Key"]
        )
        record = json.loads(s3.get_object(Bucket="failures", Key=found["Key"])["Body"].read())
        assert record["requestPayload"] == {"n": 1} and record["responsePayload"]["errorType"] == "ValueError"
        assert record["requestContext"]["condition"] == "RetriesExhausted"
    finally:
        assert server.stop() == 0


def test_code_is_read_with_the_rights_of_who_deploys_it(start):
    """Both the caller's own policies and the bucket's policy count."""
    root = {"HEARTH_ROOT_ACCESS_KEY_ID": "ROOTKEY", "HEARTH_ROOT_SECRET_ACCESS_KEY": "root-secret-of-the-tests"}
    server = start("--auth", environment=root)
    s3, iam, admin = (server.client(name, key="ROOTKEY", secret="root-secret-of-the-tests") for name in ("s3", "iam", "lambda"))
    s3.create_bucket(Bucket="code")
    s3.put_bucket_versioning(Bucket="code", VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket="code", Key="f.zip", Body=package("first"))["VersionId"]
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}

    def document(*statements):
        return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})

    role = iam.create_role(RoleName="basic", AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
    iam.create_user(UserName="dev")
    made = iam.create_access_key(UserName="dev")["AccessKey"]
    dev = server.client("lambda", key=made["AccessKeyId"], secret=made["SecretAccessKey"])

    def let(*actions):
        may = {"Effect": "Allow", "Action": ["lambda:*", "iam:PassRole", *actions], "Resource": "*"}
        iam.put_user_policy(UserName="dev", PolicyName="p", PolicyDocument=document(may))

    def bucket_says(effect, *actions):
        user = {"AWS": "arn:aws:iam::000000000000:user/dev"}
        statement = {"Effect": effect, "Principal": user, "Action": list(actions), "Resource": "arn:aws:s3:::code/*"}
        s3.put_bucket_policy(Bucket="code", Policy=document(statement))

    function = {"FunctionName": "f", "Runtime": "python3.12", "Handler": "lambda_function.handler", "Role": role}
    code = {"S3Bucket": "code", "S3Key": "f.zip"}
    denied = (
        "AccessDeniedException",
        "Your access has been denied by S3, please make sure your request credentials have permission to GetObject for "
        "code/f.zip. S3 Error Code: AccessDenied. S3 Error Message: Access Denied",
    )
    let()
    assert refused(dev.create_function, **function, Code=code) == denied
    assert refused(dev.publish_layer_version, LayerName="l", Content=code) == denied
    assert refused(admin.get_function, FunctionName="f")[0] == "ResourceNotFoundException"
    # The bucket may let in whom its own policies do not.
    bucket_says("Allow", "s3:GetObject")
    dev.create_function(**function, Code=code)
    dev.get_waiter("function_active_v2").wait(FunctionName="f", WaiterConfig={"Delay": 0.02, "MaxAttempts": 1500})
    # A version is another action.
    update = {"FunctionName": "f", "S3Bucket": "code", "S3Key": "f.zip"}
    assert refused(dev.update_function_code, S3ObjectVersion=version, **update) == denied
    bucket_says("Deny", "s3:GetObject")
    let("s3:GetObject", "s3:GetObjectVersion")
    assert refused(dev.update_function_code, **update) == denied
    dev.update_function_code(S3ObjectVersion=version, **update)
    # What is not there is a secret to whoever may not list.
    s3.delete_bucket_policy(Bucket="code")
    missing = {**update, "S3Key": "none.zip"}
    assert refused(dev.update_function_code, **missing)[0] == "AccessDeniedException"
    let("s3:GetObject", "s3:ListBucket")
    assert "S3 Error Code: NoSuchKey" in refused(dev.update_function_code, **missing)[1]
