"""Who am I, and may I be somebody else for an hour."""

import datetime
import json

import pytest
from botocore.exceptions import ClientError
from conftest import LAMBDA_TRUST

ANYONE_OF_THE_ACCOUNT = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:root"}, "Action": "sts:AssumeRole"}
        ],
    }
)


def refused(call, **parameters):
    with pytest.raises(ClientError) as error:
        call(**parameters)
    answer = error.value.response
    return answer["Error"]["Code"], answer["Error"]["Message"], answer["ResponseMetadata"]["HTTPStatusCode"]


def test_the_account_is_the_keys_when_it_is_one(server):
    for key, account in (("test", "000000000000"), ("123456789012", "123456789012")):
        identity = server.client("sts", key=key).get_caller_identity()
        assert (identity["Account"], identity["Arn"]) == (account, f"arn:aws:iam::{account}:root")
        assert identity["UserId"] == account


def test_a_role_is_assumed_for_a_while(server):
    role = server.client("iam").create_role(RoleName="assumable", AssumeRolePolicyDocument=ANYONE_OF_THE_ACCOUNT)["Role"]
    session = server.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="ci", DurationSeconds=900)
    credentials = session["Credentials"]
    assert session["AssumedRoleUser"]["Arn"] == "arn:aws:sts::000000000000:assumed-role/assumable/ci"
    assert session["AssumedRoleUser"]["AssumedRoleId"] == f"{role['RoleId']}:ci"
    left = credentials["Expiration"] - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(minutes=14) < left <= datetime.timedelta(minutes=15)
    assert credentials["AccessKeyId"].startswith("ASIA")

    as_role = server.client(
        "sts",
        key=credentials["AccessKeyId"],
        secret=credentials["SecretAccessKey"],
        token=credentials["SessionToken"],
    )
    assert as_role.get_caller_identity() | {"ResponseMetadata": None} == {
        "UserId": f"{role['RoleId']}:ci",
        "Account": "000000000000",
        "Arn": "arn:aws:sts::000000000000:assumed-role/assumable/ci",
        "ResponseMetadata": None,
    }


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({"RoleArn": "arn:aws:iam::000000000000:role/nobody"}, "AccessDenied", "is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::000000000000:role/nobody"),
        ({"RoleSessionName": "has space"}, "ValidationError", "failed to satisfy constraint: Member must satisfy regular expression pattern"),
        ({"DurationSeconds": 899}, "ValidationError", "Member must have value greater than or equal to 900"),
        ({"DurationSeconds": 43201}, "ValidationError", "Member must have value less than or equal to 43200"),
        ({"DurationSeconds": 7200}, "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."),
        ({"RoleArn": "nonsense-that-is-no-arn"}, "ValidationError", "nonsense-that-is-no-arn is invalid"),
    ],
)
def test_what_cannot_be_assumed_is_refused_in_stss_words(server, changes, code, message):
    role = server.client("iam")
    try:
        role.create_role(RoleName="hour", AssumeRolePolicyDocument=ANYONE_OF_THE_ACCOUNT)
    except role.exceptions.EntityAlreadyExistsException:
        pass
    wanted = {"RoleArn": "arn:aws:iam::000000000000:role/hour", "RoleSessionName": "ci", **changes}
    client = server.client("sts", parameter_validation=False)
    answered = refused(client.assume_role, **wanted)
    assert answered[0] == code and message in answered[1], answered


def test_a_role_that_trusts_only_lambda_is_not_the_callers(server):
    server.client("iam").create_role(RoleName="lambdas-own", AssumeRolePolicyDocument=LAMBDA_TRUST)
    code, message, status = refused(
        server.client("sts").assume_role, RoleArn="arn:aws:iam::000000000000:role/lambdas-own", RoleSessionName="ci"
    )
    assert (code, status) == ("AccessDenied", 403)
    assert message == (
        "User: arn:aws:iam::000000000000:root is not authorized to perform: sts:AssumeRole on resource: "
        "arn:aws:iam::000000000000:role/lambdas-own"
    )


def test_a_session_token_is_for_the_same_identity(server):
    credentials = server.client("sts").get_session_token(DurationSeconds=900)["Credentials"]
    again = server.client(
        "sts",
        key=credentials["AccessKeyId"],
        secret=credentials["SecretAccessKey"],
        token=credentials["SessionToken"],
    )
    assert again.get_caller_identity()["Arn"] == "arn:aws:iam::000000000000:root"


def test_the_account_of_a_key_is_told(server):
    iam = server.client("iam", key="333344445555")
    iam.create_user(UserName="keyed")
    key = iam.create_access_key(UserName="keyed")["AccessKey"]["AccessKeyId"]
    found = server.client("sts", key="333344445555").get_access_key_info(AccessKeyId=key)
    assert found["Account"] == "333344445555"


def test_what_is_not_there_yet_is_refused_by_name(server):
    code, message, status = refused(server.client("sts").get_federation_token, Name="someone")
    assert (code, status) == ("NotImplemented", 501) and "GetFederationToken" in message
