"""Members of a function's configuration that say what it is connected to, and those that Hearth does not have."""

import pytest
from botocore.exceptions import ClientError
from conftest import Server, zip_of

SOURCE = "def handler(event, context): return 1"
VPC = {"SubnetIds": ["subnet-0123abcd"], "SecurityGroupIds": ["sg-0123abcd"]}
KEY = "arn:aws:kms:us-east-1:000000000000:key/x"


def refused(call, **parameters):
    with pytest.raises(ClientError) as error:
        call(**parameters)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


@pytest.fixture(scope="module")
def client(server):
    return server.client("lambda", parameter_validation=False)


def create(client, role, name="never", **changes):
    return client.create_function(
        **{
            "FunctionName": name,
            "Runtime": "python3.12",
            "Handler": "lambda_function.handler",
            "Role": role,
            "Code": {"ZipFile": zip_of({"lambda_function.py": SOURCE})},
            **changes,
        }
    )


def updated(client, name):
    client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.02, "MaxAttempts": 1500})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"VpcConfig": VPC}, "Hearth has no VPCs. Leave VpcConfig out, or start the server with --vpc accept"),
        ({"VpcConfig": {"SubnetIds": ["subnet-1"]}}, "SubnetIds and SecurityIds must coexist or be both empty list."),
        ({"DeadLetterConfig": {"TargetArn": "arn:aws:s3:::bucket"}}, "it must be an SQS queue or an SNS topic"),
        ({"KMSKeyArn": "arn:aws:s3:::bucket"}, "KMSKeyArn arn:aws:s3:::bucket is not the ARN of a key in AWS KMS."),
        ({"FileSystemConfigs": [{"Arn": "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-0123456789abcdef0", "LocalMountPath": "/mnt/x"}]}, "Hearth does not support FileSystemConfigs yet"),
        ({"ImageConfig": {"Command": ["x"]}}, "Hearth does not support ImageConfig yet"),
        ({"DurableConfig": {"ExecutionTimeout": 60}}, "Hearth does not support DurableConfig yet"),
        ({"CapacityProviderConfig": {"LambdaManagedInstancesCapacityProviderConfig": {"CapacityProviderArn": "arn:aws:lambda:us-east-1:000000000000:capacity-provider:x"}}}, "Hearth does not support CapacityProviderConfig yet"),
        ({"AcceleratorConfig": {"AcceleratorMemorySize": 3}}, "Hearth does not support AcceleratorConfig yet"),
        ({"Code": {"ZipFile": b"x", "SourceKMSKeyArn": KEY}}, "Hearth does not support SourceKMSKeyArn yet"),
        ({"Code": {"ImageUri": "000000000000.dkr.ecr.us-east-1.amazonaws.com/x:y"}, "PackageType": "Image"}, "Hearth does not support container images"),
    ],
)
def test_what_would_have_no_effect_is_refused_by_its_name(client, role, changes, message):
    code, found = refused(create, client=client, role=role, **changes)
    assert code == "InvalidParameterValueException"
    assert message in found
    assert refused(client.get_function, FunctionName="never")[0] == "ResourceNotFoundException"


def test_what_clears_is_accepted(server, client):
    name = server.python(
        SOURCE,
        name="cleared",
        VpcConfig={"SubnetIds": [], "SecurityGroupIds": []},
        DeadLetterConfig={"TargetArn": ""},
        KMSKeyArn="",
        FileSystemConfigs=[],
        ImageConfig={},
    )
    found = client.get_function_configuration(FunctionName=name)
    for member in ("VpcConfig", "DeadLetterConfig", "KMSKeyArn", "FileSystemConfigs", "ImageConfigResponse"):
        assert member not in found
    client.update_function_configuration(
        FunctionName=name, VpcConfig={"SubnetIds": [], "SecurityGroupIds": []}, DeadLetterConfig={"TargetArn": ""}
    )
    updated(client, name)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"VpcConfig": {"SubnetIds": ["x"], "SecurityGroupIds": []}}, "at 'vpcConfig.subnetIds' failed to satisfy constraint"),
        ({"VpcConfig": {"SubnetIds": ["subnet-1"] * 17, "SecurityGroupIds": ["sg-1"]}}, "Member must have length less than or equal to 16"),
        ({"VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"] * 6}}, "Member must have length less than or equal to 5"),
        ({"DeadLetterConfig": {"TargetArn": "x"}}, "at 'deadLetterConfig.targetArn' failed to satisfy constraint"),
        ({"KMSKeyArn": "x"}, "at 'kMSKeyArn' failed to satisfy constraint"),
        ({"FileSystemConfigs": [{"Arn": "x", "LocalMountPath": "/x"}]}, "2 validation errors detected"),
        ({"CodeSigningConfigArn": "x"}, "at 'codeSigningConfigArn' failed to satisfy constraint"),
    ],
)
def test_the_models_constraints_come_first(client, role, changes, message):
    code, found = refused(create, client=client, role=role, **changes)
    assert code == "ValidationException"
    assert message in found


def test_an_operator_may_have_vpcs_accepted():
    server = Server("--vpc", "accept")
    try:
        client = server.client("lambda")
        name = server.python(SOURCE, VpcConfig=VPC)
        found = client.get_function_configuration(FunctionName=name)["VpcConfig"]
        assert found.pop("VpcId").startswith("vpc-")
        assert found == {**VPC, "Ipv6AllowedForDualStack": False}
        # Another member leaves it alone; empty lists take it away.
        client.update_function_configuration(FunctionName=name, Description="x")
        updated(client, name)
        assert "VpcConfig" in client.publish_version(FunctionName=name)
        client.update_function_configuration(FunctionName=name, VpcConfig={"SubnetIds": [], "SecurityGroupIds": []})
        updated(client, name)
        assert "VpcConfig" not in client.get_function_configuration(FunctionName=name)
        assert "VpcConfig" in client.get_function_configuration(FunctionName=name, Qualifier="1")
        assert server.invoke(name, {})[0] == 1
    finally:
        assert server.stop() == 0


def test_variables_under_a_key_are_sealed_in_the_store(start, data_dir):
    running = start(data_dir=data_dir)
    secret, open_value = "a-secret-nobody-should-find", "a-value-anybody-may-find"
    source = "import os\ndef handler(event, context): return os.environ['VALUE']"
    sealed = running.python(source, Environment={"Variables": {"VALUE": secret}}, KMSKeyArn=KEY)
    plain = running.python(source, Environment={"Variables": {"VALUE": open_value}})
    client = running.client("lambda")
    client.publish_version(FunctionName=sealed)
    # The role is another member: the variables stay under their key.
    client.update_function_configuration(FunctionName=sealed, Description="x")
    updated(client, sealed)
    running.kill()

    kept = b"".join(path.read_bytes() for path in data_dir.glob("*.db*"))
    assert open_value.encode() in kept and secret.encode() not in kept

    running = start(data_dir=data_dir)
    client = running.client("lambda")
    for qualifier in ("$LATEST", "1"):
        found = client.get_function_configuration(FunctionName=sealed, Qualifier=qualifier)
        assert (found["KMSKeyArn"], found["Environment"]) == (KEY, {"Variables": {"VALUE": secret}})
        assert running.invoke(sealed, {}, Qualifier=qualifier)[0] == secret
    assert "KMSKeyArn" not in client.get_function_configuration(FunctionName=plain)
    client.update_function_configuration(FunctionName=sealed, KMSKeyArn="")
    updated(client, sealed)
    assert "KMSKeyArn" not in client.get_function_configuration(FunctionName=sealed)
    assert running.invoke(sealed, {})[0] == secret
