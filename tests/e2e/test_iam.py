"""Roles, users, keys and policies, as boto3 sees them."""

import json
import uuid

import pytest
from botocore.exceptions import ClientError
from conftest import LAMBDA_TRUST

READS = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]}
WRITES = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Put*", "Resource": "*"}]}


def refused(call, **parameters):
    with pytest.raises(ClientError) as error:
        call(**parameters)
    answer = error.value.response
    return answer["Error"]["Code"], answer["Error"]["Message"], answer["ResponseMetadata"]["HTTPStatusCode"]


@pytest.fixture
def iam(server):
    """An account of its own: counts and lists are exact."""
    account = f"{uuid.uuid4().int % 10**12:012d}"
    client = server.client("iam", key=account, parameter_validation=False)
    client.account = account
    return client


def test_a_role_is_kept_as_it_was_given(iam):
    made = iam.create_role(
        RoleName="Worker",
        Path="/team/",
        AssumeRolePolicyDocument=LAMBDA_TRUST,
        Description="Works.",
        MaxSessionDuration=7200,
        Tags=[{"Key": "team", "Value": "blue"}],
    )["Role"]
    assert made["Arn"] == f"arn:aws:iam::{iam.account}:role/team/Worker" and made["RoleId"].startswith("AROA")
    found = iam.get_role(RoleName="Worker")["Role"]
    for member in ("Arn", "RoleId", "Path", "CreateDate", "AssumeRolePolicyDocument", "Description", "Tags"):
        assert found[member] == made.get(member, found[member]), member
    assert found["AssumeRolePolicyDocument"] == json.loads(LAMBDA_TRUST)
    assert (found["Description"], found["MaxSessionDuration"]) == ("Works.", 7200)
    assert found["Tags"] == [{"Key": "team", "Value": "blue"}]
    # Names are told apart without regard to case.
    assert refused(iam.create_role, RoleName="WORKER", AssumeRolePolicyDocument=LAMBDA_TRUST)[0] == "EntityAlreadyExists"
    assert [role["RoleName"] for role in iam.list_roles(PathPrefix="/team/")["Roles"]] == ["Worker"]
    assert iam.list_roles(PathPrefix="/other/")["Roles"] == []


def test_a_roles_trust_and_description_change(iam):
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=LAMBDA_TRUST)
    trust = json.loads(LAMBDA_TRUST.replace("lambda.", "ec2."))
    iam.update_assume_role_policy(RoleName="r", PolicyDocument=json.dumps(trust))
    iam.update_role(RoleName="r", Description="new", MaxSessionDuration=3600)
    iam.tag_role(RoleName="r", Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    iam.untag_role(RoleName="r", TagKeys=["a"])
    found = iam.get_role(RoleName="r")["Role"]
    assert (found["AssumeRolePolicyDocument"], found["Description"]) == (trust, "new")
    assert iam.list_role_tags(RoleName="r")["Tags"] == [{"Key": "b", "Value": "2"}]


@pytest.mark.parametrize(
    ("parameters", "code", "message"),
    [
        ({"RoleName": "has space"}, "ValidationError", "at 'roleName' failed to satisfy constraint"),
        ({"RoleName": "a" * 65}, "ValidationError", "Member must have length less than or equal to 64"),
        ({"AssumeRolePolicyDocument": "not json"}, "MalformedPolicyDocument", ""),
        ({"AssumeRolePolicyDocument": json.dumps(READS)}, "MalformedPolicyDocument", ""),
        ({"MaxSessionDuration": 60}, "ValidationError", "Member must have value greater than or equal to 3600"),
        ({"Tags": [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}]}, "InvalidInput", "Duplicate tag keys"),
        ({"PermissionsBoundary": "arn:aws:iam::aws:policy/ReadOnlyAccess"}, "NotImplemented", "PermissionsBoundary"),
    ],
)
def test_a_role_that_cannot_be_is_refused(iam, parameters, code, message):
    wanted = {"RoleName": "never", "AssumeRolePolicyDocument": LAMBDA_TRUST, **parameters}
    answered = refused(iam.create_role, **wanted)
    assert answered[0] == code and message in answered[1], answered
    assert iam.list_roles()["Roles"] == []


def test_who_is_not_there_is_no_such_entity(iam):
    assert refused(iam.get_role, RoleName="nobody") == (
        "NoSuchEntity",
        "The role with name nobody cannot be found.",
        404,
    )
    assert refused(iam.get_user, UserName="nobody") == (
        "NoSuchEntity",
        "The user with name nobody cannot be found.",
        404,
    )
    missing = f"arn:aws:iam::{iam.account}:policy/none"
    assert refused(iam.get_policy, PolicyArn=missing) == ("NoSuchEntity", f"Policy {missing} was not found.", 404)


def test_a_role_in_use_is_not_deleted(iam):
    iam.create_role(RoleName="busy", AssumeRolePolicyDocument=LAMBDA_TRUST)
    iam.attach_role_policy(RoleName="busy", PolicyArn="arn:aws:iam::aws:policy/AWSLambda_FullAccess")
    assert refused(iam.delete_role, RoleName="busy") == (
        "DeleteConflict",
        "Cannot delete entity, must detach all policies first.",
        409,
    )
    iam.detach_role_policy(RoleName="busy", PolicyArn="arn:aws:iam::aws:policy/AWSLambda_FullAccess")
    iam.put_role_policy(RoleName="busy", PolicyName="inline", PolicyDocument=json.dumps(READS))
    assert refused(iam.delete_role, RoleName="busy")[:2] == (
        "DeleteConflict",
        "Cannot delete entity, must delete policies first.",
    )
    iam.delete_role_policy(RoleName="busy", PolicyName="inline")
    iam.delete_role(RoleName="busy")
    assert iam.list_roles()["Roles"] == []


@pytest.mark.parametrize(
    "name",
    [
        "service-role/AWSLambdaBasicExecutionRole",
        "service-role/AWSLambdaVPCAccessExecutionRole",
        "service-role/AWSLambdaSQSQueueExecutionRole",
        "service-role/AWSLambdaDynamoDBExecutionRole",
        "service-role/AWSLambdaKinesisExecutionRole",
        "service-role/AWSLambdaRole",
        "AWSXRayDaemonWriteAccess",
        "AWSLambda_FullAccess",
        "AWSLambda_ReadOnlyAccess",
        "AmazonS3ReadOnlyAccess",
        "AdministratorAccess",
    ],
)
def test_policies_that_lambda_users_name_are_there(iam, name):
    arn = f"arn:aws:iam::aws:policy/{name}"
    policy = iam.get_policy(PolicyArn=arn)["Policy"]
    assert policy["PolicyName"] == name.split("/")[-1] and policy["IsAttachable"]
    version = iam.get_policy_version(PolicyArn=arn, VersionId=policy["DefaultVersionId"])["PolicyVersion"]
    assert version["Document"]["Statement"]


def test_a_managed_policy_has_versions(iam):
    arn = iam.create_policy(PolicyName="p", PolicyDocument=json.dumps(READS))["Policy"]["Arn"]
    assert arn == f"arn:aws:iam::{iam.account}:policy/p"
    made = iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(WRITES), SetAsDefault=True)
    assert made["PolicyVersion"]["VersionId"] == "v2"
    assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v2"
    assert iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"] == READS
    assert refused(iam.delete_policy_version, PolicyArn=arn, VersionId="v2")[0] == "DeleteConflict"
    iam.delete_policy_version(PolicyArn=arn, VersionId="v1")
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=LAMBDA_TRUST)
    iam.attach_role_policy(RoleName="r", PolicyArn=arn)
    assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 1
    assert [each["RoleName"] for each in iam.list_entities_for_policy(PolicyArn=arn)["PolicyRoles"]] == ["r"]
    assert refused(iam.delete_policy, PolicyArn=arn)[0] == "DeleteConflict"
    iam.detach_role_policy(RoleName="r", PolicyArn=arn)
    iam.delete_policy(PolicyArn=arn)
    assert iam.list_policies(Scope="Local")["Policies"] == []


def test_a_user_has_two_keys_at_most(iam):
    user = iam.create_user(UserName="dev", Tags=[{"Key": "a", "Value": "b"}])["User"]
    assert user["Arn"] == f"arn:aws:iam::{iam.account}:user/dev" and user["UserId"].startswith("AIDA")
    keys = [iam.create_access_key(UserName="dev")["AccessKey"] for _ in range(2)]
    assert all(key["AccessKeyId"].startswith("AKIA") and len(key["SecretAccessKey"]) == 40 for key in keys)
    assert refused(iam.create_access_key, UserName="dev")[:2] == (
        "LimitExceeded",
        "Cannot exceed quota for AccessKeysPerUser: 2",
    )
    iam.update_access_key(UserName="dev", AccessKeyId=keys[0]["AccessKeyId"], Status="Inactive")
    listed = iam.list_access_keys(UserName="dev")["AccessKeyMetadata"]
    assert {key["AccessKeyId"]: key["Status"] for key in listed} == {
        keys[0]["AccessKeyId"]: "Inactive",
        keys[1]["AccessKeyId"]: "Active",
    }
    assert refused(iam.delete_user, UserName="dev")[0] == "DeleteConflict"
    for key in keys:
        iam.delete_access_key(UserName="dev", AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName="dev")
    assert iam.list_users()["Users"] == []


def test_lists_come_in_pages(iam):
    names = [f"r{number}" for number in range(5)]
    for name in names:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=LAMBDA_TRUST)
    pages = list(iam.get_paginator("list_roles").paginate(PaginationConfig={"PageSize": 2}))
    assert [len(page["Roles"]) for page in pages] == [2, 2, 1]
    assert [role["RoleName"] for page in pages for role in page["Roles"]] == names


def test_roles_belong_to_the_account_and_not_to_a_region(server, iam):
    iam.create_role(RoleName="everywhere", AssumeRolePolicyDocument=LAMBDA_TRUST)
    assert server.client("iam", region="eu-west-1", key=iam.account).get_role(RoleName="everywhere")
    assert refused(server.client("iam", key="999988887777").get_role, RoleName="everywhere")[0] == "NoSuchEntity"


def test_what_is_not_there_yet_is_refused_by_name(iam):
    code, message, status = refused(iam.create_group, GroupName="g")
    assert (code, status) == ("NotImplemented", 501) and "CreateGroup" in message
