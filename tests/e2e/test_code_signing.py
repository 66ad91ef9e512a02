"""Code signing configurations, and packages signed and not, as boto3 and `hearth sign` see them."""

import json
import subprocess

import pytest
from answers import Account, whole
from botocore.exceptions import ClientError
from conftest import Server, zip_of

SOURCE = "def handler(event, context): return 1"
PROFILE = "arn:aws:signer:us-east-1:000000000000:/signing-profiles/team/abcdefghij"
STRANGER = "arn:aws:signer:us-east-1:000000000000:/signing-profiles/stranger/abcdefghij"
MISSING = "arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-0123456789abcdef0"


def refused(call, **parameters):
    with pytest.raises(ClientError) as error:
        call(**parameters)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """A key of the profile, made by Hearth, and one of a stranger, made by OpenSSL."""
    directory = tmp_path_factory.mktemp("keys")
    Server(wait=False).hearth("sign", "--new-key", str(directory / "team.pem"))
    assert (directory / "team.pem").stat().st_mode & 0o777 == 0o600
    openssl = ["openssl", "genpkey", "-algorithm", "ed25519", "-out", directory / "stranger.pem"]
    subprocess.run(openssl, check=True, capture_output=True)
    subprocess.run(
        ["openssl", "pkey", "-in", directory / "stranger.pem", "-pubout", "-out", directory / "stranger.pem.pub"],
        check=True,
    )
    return directory


@pytest.fixture(scope="module")
def signing(keys):
    """A server that knows both."""
    running = Server(
        "--signing-profile", f"{PROFILE}={keys / 'team.pem.pub'}",
        "--signing-profile", f"{STRANGER}={keys / 'stranger.pem.pub'}",
    )
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def client(signing):
    return signing.client("lambda", parameter_validation=False)


@pytest.fixture(scope="module")
def role(signing):
    return signing.role()


@pytest.fixture
def signed(signing, keys, tmp_path):
    """Signs a package."""

    def signed(key="team", profile=PROFILE, source=SOURCE, *more):
        path = tmp_path / f"{key}.zip"
        path.write_bytes(zip_of({"lambda_function.py": source}))
        signing.hearth("sign", "--key", str(keys / f"{key}.pem"), "--profile", profile, *more, str(path))
        return path.read_bytes()

    return signed


def config(client, policy="Enforce", **more):
    created = client.create_code_signing_config(
        AllowedPublishers={"SigningProfileVersionArns": [PROFILE]},
        CodeSigningPolicies={"UntrustedArtifactOnDeployment": policy},
        **more,
    )
    return created["CodeSigningConfig"]["CodeSigningConfigArn"]


def create(client, role, name, zipped, **more):
    return client.create_function(
        FunctionName=name, Runtime="python3.12", Handler="lambda_function.handler", Role=role,
        Code={"ZipFile": zipped}, **more,
    )


def until_active(client, name):
    client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.02, "MaxAttempts": 1500})
    client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.02, "MaxAttempts": 1500})


def test_configurations_are_made_changed_and_deleted(client):
    created = client.create_code_signing_config(
        Description="ours", AllowedPublishers={"SigningProfileVersionArns": [PROFILE]}, Tags={"team": "x"}
    )
    assert created["ResponseMetadata"]["HTTPStatusCode"] == 201
    created = created["CodeSigningConfig"]
    arn = created["CodeSigningConfigArn"]
    assert created.pop("LastModified")
    assert arn.rsplit(":", 1)[1] == created.pop("CodeSigningConfigId")
    assert created == {
        "CodeSigningConfigArn": arn,
        "Description": "ours",
        "AllowedPublishers": {"SigningProfileVersionArns": [PROFILE]},
        "CodeSigningPolicies": {"UntrustedArtifactOnDeployment": "Warn"},
    }
    assert client.list_tags(Resource=arn)["Tags"] == {"team": "x"}
    client.tag_resource(Resource=arn, Tags={"more": "y"})
    client.untag_resource(Resource=arn, TagKeys=["team"])
    assert client.list_tags(Resource=arn)["Tags"] == {"more": "y"}

    updated = client.update_code_signing_config(
        CodeSigningConfigArn=arn, CodeSigningPolicies={"UntrustedArtifactOnDeployment": "Enforce"}
    )["CodeSigningConfig"]
    assert updated["CodeSigningPolicies"] == {"UntrustedArtifactOnDeployment": "Enforce"}
    assert updated["Description"] == "ours"
    assert client.get_code_signing_config(CodeSigningConfigArn=arn)["CodeSigningConfig"] == updated
    pages = client.get_paginator("list_code_signing_configs").paginate(PaginationConfig={"PageSize": 1})
    assert updated in [found for page in pages for found in page["CodeSigningConfigs"]]

    assert client.delete_code_signing_config(CodeSigningConfigArn=arn)["ResponseMetadata"]["HTTPStatusCode"] == 204
    not_found = ("ResourceNotFoundException", f"The Lambda code signing configuration {arn} can not be found.")
    for call in (
        client.get_code_signing_config,
        client.update_code_signing_config,
        client.delete_code_signing_config,
        client.list_functions_by_code_signing_config,
    ):
        assert refused(call, CodeSigningConfigArn=arn) == not_found


def test_a_publisher_is_a_version_of_a_signing_profile(client):
    other = "arn:aws:iam::000000000000:role/x"
    code, message = refused(
        client.create_code_signing_config, AllowedPublishers={"SigningProfileVersionArns": [other]}
    )
    assert code == "InvalidParameterValueException"
    assert message.startswith(f"{other} is not the ARN of a version of a signing profile")


def test_a_function_has_one_or_none(signing, client, role):
    create(client, role, "attached", zip_of({"lambda_function.py": SOURCE}))
    found = client.get_function_code_signing_config(FunctionName="attached")
    assert "CodeSigningConfigArn" not in found
    arn = config(client)
    expected = {"CodeSigningConfigArn": arn, "FunctionName": "attached"}
    put = client.put_function_code_signing_config(FunctionName="attached", CodeSigningConfigArn=arn)
    put.pop("ResponseMetadata")
    assert put == expected
    found = client.get_function_code_signing_config(FunctionName="attached")
    found.pop("ResponseMetadata")
    assert found == expected
    functions = client.list_functions_by_code_signing_config(CodeSigningConfigArn=arn)["FunctionArns"]
    assert functions == ["arn:aws:lambda:us-east-1:000000000000:function:attached"]
    assert refused(client.delete_code_signing_config, CodeSigningConfigArn=arn)[0] == "ResourceConflictException"
    for _ in range(2):
        deleted = client.delete_function_code_signing_config(FunctionName="attached")
        assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 204
    client.delete_code_signing_config(CodeSigningConfigArn=arn)
    gone = (
        "CodeSigningConfigNotFoundException",
        "The code signing configuration cannot be found. Check that the provided configuration is not deleted: "
        f"{MISSING}.",
    )
    assert refused(client.put_function_code_signing_config, FunctionName="attached", CodeSigningConfigArn=MISSING) == gone
    zipped = zip_of({"lambda_function.py": SOURCE})
    assert refused(create, client=client, role=role, name="never", zipped=zipped, CodeSigningConfigArn=MISSING) == gone
    assert refused(client.get_function_code_signing_config, FunctionName="nobody")[0] == "ResourceNotFoundException"


def test_only_what_is_trusted_is_deployed(signing, client, role, signed):
    arn = config(client)
    unsigned = zip_of({"lambda_function.py": SOURCE})
    text = (
        "Lambda cannot deploy the function. The function or layer might be signed using a signature that the client is "
        "not configured to accept. Check the provided signature for "
    )
    attempt = lambda zipped: refused(create, client=client, role=role, name="trusted", zipped=zipped, CodeSigningConfigArn=arn)
    assert attempt(unsigned) == ("CodeVerificationFailedException", text + "unsigned.")
    stranger = signed("stranger", STRANGER)
    assert attempt(stranger) == (
        "CodeVerificationFailedException",
        text + "a signing profile that the code signing configuration does not allow.",
    )
    # Somebody else's key under the right name is a changed package.
    assert attempt(signed("stranger", PROFILE))[0] == "InvalidCodeSignatureException"
    assert refused(client.get_function, FunctionName="trusted")[0] == "ResourceNotFoundException"

    created = create(client, role, "trusted", signed(), CodeSigningConfigArn=arn)
    assert created["SigningProfileVersionArn"] == PROFILE
    until_active(client, "trusted")
    assert signing.invoke("trusted", {})[0] == 1

    update = lambda zipped, **more: client.update_function_code(FunctionName="trusted", ZipFile=zipped, **more)
    assert refused(update, zipped=unsigned)[0] == "CodeVerificationFailedException"
    assert refused(update, zipped=unsigned, DryRun=True)[0] == "CodeVerificationFailedException"
    changed = bytearray(signed())
    changed[40] ^= 1
    code, message = refused(update, zipped=bytes(changed))
    assert (code, message.split(".")[0]) == ("InvalidCodeSignatureException", "The code signature failed the integrity check")
    update(signed(source="def handler(event, context): return 2"))
    until_active(client, "trusted")
    assert signing.invoke("trusted", {})[0] == 2


def test_a_warning_lets_through_what_is_not_trusted_and_not_what_was_changed(signing, client, role, signed):
    arn = config(client, "Warn")
    created = create(client, role, "warned", zip_of({"lambda_function.py": SOURCE}), CodeSigningConfigArn=arn)
    assert "SigningProfileVersionArn" not in created
    until_active(client, "warned")
    measured = json.loads(signing.hearth("metrics", "warned", "--json").stdout)
    assert [(one["metric"], one["sum"]) for one in measured] == [("SignatureValidationErrors", 1)]
    changed = bytearray(signed())
    changed[40] ^= 1
    code, _ = refused(client.update_function_code, FunctionName="warned", ZipFile=bytes(changed))
    assert code == "InvalidCodeSignatureException"


def test_layers_are_measured_too(signing, client, role, signed):
    layer = client.publish_layer_version(LayerName="unsigned", Content={"ZipFile": zip_of({"python/x.py": "x = 1"})})
    arn = config(client)
    code, _ = refused(
        create, client=client, role=role, name="layered", zipped=signed(), CodeSigningConfigArn=arn,
        Layers=[layer["LayerVersionArn"]],
    )
    assert code == "CodeVerificationFailedException"
    create(client, role, "layered", signed(), CodeSigningConfigArn=arn)
    until_active(client, "layered")
    code, _ = refused(
        client.update_function_configuration, FunctionName="layered", Layers=[layer["LayerVersionArn"]]
    )
    assert code == "CodeVerificationFailedException"


def test_what_hearth_sign_cannot_do_it_says(signing, keys, tmp_path):
    nonsense = tmp_path / "x.zip"
    nonsense.write_text("nonsense")
    done = signing.hearth(
        "sign", "--key", str(keys / "team.pem"), "--profile", PROFILE, str(nonsense), check=False
    )
    assert (done.returncode, "it is not a zip archive" in done.stderr) == (1, True)
    assert nonsense.read_text() == "nonsense"
    done = signing.hearth("sign", "--new-key", str(keys / "team.pem"), check=False)
    assert done.returncode == 1


def test_whole_answers_of_code_signing(server):
    account = Account(server, "200000000010")
    client = account.client
    account.function()
    trusted = {"SigningProfileVersionArns": ["arn:aws:signer:us-east-1:200000000010:/signing-profiles/team/abcdefghij"]}
    told = {
        "CodeSigningConfigId": "csc-<id>",
        "CodeSigningConfigArn": "arn:aws:lambda:us-east-1:200000000010:code-signing-config:csc-<id>",
        "Description": "d",
        "AllowedPublishers": trusted,
        "CodeSigningPolicies": {"UntrustedArtifactOnDeployment": "Warn"},
        "LastModified": "<time>",
    }
    assert whole(client, "CreateCodeSigningConfig", AllowedPublishers=trusted, Description="d", Tags={"a": "b"}) == (
        201,
        {"CodeSigningConfig": told},
    )
    arn = client.list_code_signing_configs()["CodeSigningConfigs"][0]["CodeSigningConfigArn"]
    assert whole(client, "GetCodeSigningConfig", CodeSigningConfigArn=arn) == (
        200,
        {"CodeSigningConfig": told},
    )
    assert whole(client, "ListCodeSigningConfigs") == (
        200,
        {"CodeSigningConfigs": [told]},
    )
    policies = {"UntrustedArtifactOnDeployment": "Enforce"}
    assert whole(client, "UpdateCodeSigningConfig", CodeSigningConfigArn=arn, CodeSigningPolicies=policies) == (
        200,
        {"CodeSigningConfig": {**told, "CodeSigningPolicies": policies}},
    )
    assert whole(client, "PutFunctionCodeSigningConfig", FunctionName="f", CodeSigningConfigArn=arn) == (
        200,
        {
            "CodeSigningConfigArn": "arn:aws:lambda:us-east-1:200000000010:code-signing-config:csc-<id>",
            "FunctionName": "f",
        },
    )
    assert whole(client, "GetFunctionCodeSigningConfig", FunctionName="f") == (
        200,
        {
            "CodeSigningConfigArn": "arn:aws:lambda:us-east-1:200000000010:code-signing-config:csc-<id>",
            "FunctionName": "f",
        },
    )
    assert whole(client, "ListFunctionsByCodeSigningConfig", CodeSigningConfigArn=arn) == (
        200,
        {"FunctionArns": ["arn:aws:lambda:us-east-1:200000000010:function:f"]},
    )
    assert whole(client, "DeleteFunctionCodeSigningConfig", FunctionName="f") == (204, {})
    assert whole(client, "DeleteCodeSigningConfig", CodeSigningConfigArn=arn) == (204, {})
