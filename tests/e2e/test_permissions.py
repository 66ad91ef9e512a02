"""Resource policies: added to, replaced, read, removed; and whom they let in."""

import json
import uuid

import pytest
from answers import Account, whole
from conftest import zip_of
from test_functions import refused
from test_versions import ARN

SOURCE = "def handler(event, context): return context.invoked_function_arn"
OTHER = "222222222222"


@pytest.fixture(scope="module")
def client(server):
    return server.client("lambda", parameter_validation=False)


@pytest.fixture
def name(server, client, role):
    """A function with version 1 and the alias live."""
    name = server.python(SOURCE, Role=role)
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    return name


def add(client, name, sid="s", **changes):
    asked = {"FunctionName": name, "StatementId": sid, "Action": "lambda:InvokeFunction", **changes}
    return client.add_permission(**{"Principal": "s3.amazonaws.com", **asked})


def statement(name, sid="s", principal='{"Service":"s3.amazonaws.com"}', action="lambda:InvokeFunction", condition=None):
    condition = f',"Condition":{condition}' if condition else ""
    return (
        f'{{"Sid":"{sid}","Effect":"Allow","Principal":{principal},"Action":"{action}","Resource":"{ARN}{name}"'
        f"{condition}}}"
    )


def policy(*statements):
    return f'{{"Version":"2012-10-17","Id":"default","Statement":[{",".join(statements)}]}}'


def test_a_permission_is_a_statement_as_aws_writes_it(client, name):
    added = add(client, name, SourceArn="arn:aws:s3:::bucket")
    assert added["ResponseMetadata"]["HTTPStatusCode"] == 201
    expected = statement(name, condition='{"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::bucket"}}')
    assert added["Statement"] == expected
    found = client.get_policy(FunctionName=name)
    assert found["Policy"] == policy(expected)
    assert found["RevisionId"] == client.get_function_configuration(FunctionName=name)["RevisionId"]


@pytest.mark.parametrize(
    "changes, principal, condition",
    [
        ({"Principal": OTHER}, f'{{"AWS":"arn:aws:iam::{OTHER}:root"}}', None),
        ({"Principal": f"arn:aws:iam::{OTHER}:role/p/r"}, f'{{"AWS":"arn:aws:iam::{OTHER}:role/p/r"}}', None),
        ({"Principal": "*", "PrincipalOrgID": "o-1234567890"}, '"*"', '{"StringEquals":{"aws:PrincipalOrgID":"o-1234567890"}}'),
        (
            {"SourceAccount": OTHER, "SourceArn": "arn:aws:s3:::b"},
            '{"Service":"s3.amazonaws.com"}',
            f'{{"StringEquals":{{"AWS:SourceAccount":"{OTHER}"}},"ArnLike":{{"AWS:SourceArn":"arn:aws:s3:::b"}}}}',
        ),
        (
            {"Principal": "alexa-appkit.amazon.com", "EventSourceToken": "amzn1.ask.skill"},
            '{"Service":"alexa-appkit.amazon.com"}',
            '{"StringEquals":{"lambda:EventSourceToken":"amzn1.ask.skill"}}',
        ),
        ({"Principal": "*", "InvokedViaFunctionUrl": True}, '"*"', '{"Bool":{"lambda:InvokedViaFunctionUrl":"true"}}'),
    ],
)
def test_principals_and_conditions(client, name, changes, principal, condition):
    assert add(client, name, **changes)["Statement"] == statement(name, principal=principal, condition=condition)


def test_a_url_has_a_condition_of_its_own(client, name):
    added = add(client, name, Principal="*", Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE")
    assert added["Statement"] == statement(
        name,
        principal='"*"',
        action="lambda:InvokeFunctionUrl",
        condition='{"StringEquals":{"lambda:FunctionUrlAuthType":"NONE"}}',
    )
    assert refused(
        client.add_permission,
        FunctionName=name,
        StatementId="u",
        Principal="*",
        Action="lambda:InvokeFunction",
        FunctionUrlAuthType="NONE",
    )[0] == "InvalidParameterValueException"


def test_every_qualifier_has_a_policy_of_its_own(client, name):
    add(client, name)
    add(client, name, Qualifier="1")
    before = client.get_alias(FunctionName=name, Name="live")["RevisionId"]
    add(client, name, Qualifier="live")
    for qualifier in ("1", "live"):
        found = client.get_policy(FunctionName=name, Qualifier=qualifier)
        assert found["Policy"] == policy(statement(f"{name}:{qualifier}"))
    # The alias's revision is its policy's.
    alias = client.get_alias(FunctionName=name, Name="live")["RevisionId"]
    assert before != alias == client.get_policy(FunctionName=name, Qualifier="live")["RevisionId"]
    client.delete_alias(FunctionName=name, Name="live")
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    assert refused(client.get_policy, FunctionName=name, Qualifier="live") == (
        "ResourceNotFoundException",
        "The resource you requested does not exist.",
    )
    assert client.get_policy(FunctionName=name, Qualifier="1")["Policy"]


def test_permissions_are_removed(client, name):
    add(client, name, sid="one")
    add(client, name, sid="two")
    assert refused(client.remove_permission, FunctionName=name, StatementId="three") == (
        "ResourceNotFoundException",
        "Statement three is not found in resource policy.",
    )
    gone = client.remove_permission(FunctionName=name, StatementId="one")
    assert gone["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert client.get_policy(FunctionName=name)["Policy"] == policy(statement(name, sid="two"))
    client.remove_permission(FunctionName=name, StatementId="two")
    assert refused(client.get_policy, FunctionName=name) == (
        "ResourceNotFoundException",
        "The resource you requested does not exist.",
    )
    assert refused(client.remove_permission, FunctionName=name, StatementId="two") == (
        "ResourceNotFoundException",
        "No policy is associated with the given resource.",
    )


def test_what_a_policy_refuses(client, name):
    add(client, name)
    ask = lambda **changes: refused(  # noqa: E731
        client.add_permission,
        **{
            "FunctionName": name,
            "StatementId": "t",
            "Action": "lambda:InvokeFunction",
            "Principal": "s3.amazonaws.com",
            **changes,
        },
    )
    assert ask(StatementId="s") == (
        "ResourceConflictException",
        "The statement id (s) provided already exists. Please provide a new statement id, or remove the existing "
        "statement.",
    )
    assert ask(Principal="nobody") == (
        "InvalidParameterValueException",
        "The provided principal was invalid. Please check the principal and try again.",
    )
    assert ask(Qualifier="$LATEST") == (
        "InvalidParameterValueException",
        "We currently do not support adding policies for $LATEST.",
    )
    assert ask(FunctionName="nobody") == ("ResourceNotFoundException", f"Function not found: {ARN}nobody")
    assert ask(Qualifier="7") == ("ResourceNotFoundException", f"Function not found: {ARN}{name}:7")
    assert ask(Qualifier="none") == ("ResourceNotFoundException", f"Cannot find alias arn: {ARN}{name}:none")
    code, message = ask(RevisionId=str(uuid.uuid4()))
    assert code == "PreconditionFailedException" and "Call the GetPolicy API" in message
    assert ask(StatementId="a b")[0] == "ValidationException"
    assert ask(Action="s3:GetObject")[0] == "ValidationException"
    assert client.get_policy(FunctionName=name)["Policy"] == policy(statement(name))


def test_a_policy_has_twenty_kilobytes(client, name):
    token = "t" * 250
    for number in range(200):
        try:
            add(client, name, sid=f"s{number}", EventSourceToken=token)
        except client.exceptions.PolicyLengthExceededException as error:
            assert error.response["Error"]["Message"].endswith("is bigger than the limit (20480).")
            break
    assert 30 < number < 60
    assert len(client.get_policy(FunctionName=name)["Policy"]) <= 20480


def test_a_policy_as_one_document(client, name):
    arn = f"{ARN}{name}:live"
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": "a", "Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": "lambda:*", "Resource": arn},
            {"Effect": "Deny", "Principal": "*", "Action": "lambda:DeleteAlias", "Resource": arn},
        ],
    }
    text = json.dumps(document, separators=(",", ":"))
    put = client.put_resource_policy(ResourceArn=arn, Policy=text)
    assert put["Policy"] == text
    assert put["RevisionId"] == client.get_alias(FunctionName=name, Name="live")["RevisionId"]
    found = client.get_resource_policy(ResourceArn=arn)
    assert (found["Policy"], found["RevisionId"]) == (text, put["RevisionId"])
    # AddPermission goes on with the same document.
    add(client, name, sid="b", Qualifier="live")
    assert [one.get("Sid") for one in json.loads(client.get_policy(FunctionName=name, Qualifier="live")["Policy"])["Statement"]] == ["a", None, "b"]
    code, message = refused(client.put_resource_policy, ResourceArn=arn, Policy=text, RevisionId=put["RevisionId"])
    assert code == "PreconditionFailedException" and "Call the GetResourcePolicy API" in message
    gone = client.delete_resource_policy(ResourceArn=arn)
    assert gone["ResponseMetadata"]["HTTPStatusCode"] == 204
    for call in (client.get_resource_policy, client.delete_resource_policy):
        assert refused(call, ResourceArn=arn) == (
            "ResourceNotFoundException",
            "No policy is associated with the given resource.",
        )


def test_what_is_no_policy_is_refused(client, name):
    arn = f"{ARN}{name}"
    allow = {"Effect": "Allow", "Principal": "*", "Action": "lambda:InvokeFunction", "Resource": arn}
    for policy in (
        "no json",
        "{}",
        json.dumps({"Statement": []}),
        json.dumps({"Statement": [{**allow, "Effect": "Perhaps"}]}),
        json.dumps({"Statement": [{**allow, "Action": "s3:GetObject"}]}),
        json.dumps({"Statement": [{**allow, "Resource": f"{ARN}another"}]}),
        json.dumps({"Statement": [{**allow, "Condition": {"Resembles": {"a": "b"}}}]}),
    ):
        code, message = refused(client.put_resource_policy, ResourceArn=arn, Policy=policy)
        assert code == "InvalidParameterValueException" and message.startswith("The resource policy is invalid: ")
    assert refused(client.put_resource_policy, ResourceArn=f"{ARN}nobody", Policy=json.dumps({"Statement": [{**allow, "Resource": f"{ARN}nobody"}]}))[0] == "ResourceNotFoundException"
    runtime = "arn:aws:lambda:us-east-1:000000000000:runtime/mine"
    assert refused(client.get_resource_policy, ResourceArn=runtime)[0] == "InvalidParameterValueException"
    assert refused(client.get_resource_policy, ResourceArn=arn)[0] == "ResourceNotFoundException"


def test_another_account_is_let_in_by_a_policy(server, client, name):
    other = server.client("lambda", key=OTHER)
    invoke = lambda arn: json.loads(other.invoke(FunctionName=arn)["Payload"].read())  # noqa: E731
    denied = (
        "AccessDeniedException",
        f"User: arn:aws:iam::{OTHER}:root is not authorized to perform: lambda:InvokeFunction on resource: {ARN}{name} "
        "because no resource-based policy allows the lambda:InvokeFunction action",
    )
    assert refused(other.invoke, FunctionName=f"{ARN}{name}") == denied
    add(client, name, Principal=OTHER)
    assert invoke(f"{ARN}{name}") == f"{ARN}{name}"
    assert invoke(f"{ARN}{name}:$LATEST") == f"{ARN}{name}:$LATEST"
    # The alias has a policy of its own.
    assert refused(other.invoke, FunctionName=f"{ARN}{name}:live")[0] == "AccessDeniedException"
    add(client, name, Principal=OTHER, Qualifier="live")
    assert invoke(f"{ARN}{name}:live") == f"{ARN}{name}:live"
    # Only what was permitted.
    assert refused(other.get_function, FunctionName=f"{ARN}{name}")[0] == "AccessDeniedException"
    client.remove_permission(FunctionName=name, StatementId="s")
    assert refused(other.invoke, FunctionName=f"{ARN}{name}") == denied
    # Nor is it said whether something is there.
    assert refused(other.invoke, FunctionName=f"{ARN}nobody")[0] == "AccessDeniedException"


def test_a_denial_holds_for_the_own_account_too(server, client, name):
    arn = f"{ARN}{name}"
    deny = {"Effect": "Deny", "Principal": "*", "Action": "lambda:InvokeFunction", "Resource": arn}
    client.put_resource_policy(ResourceArn=arn, Policy=json.dumps({"Statement": [deny]}))
    assert refused(client.invoke, FunctionName=name) == (
        "AccessDeniedException",
        "User: arn:aws:iam::000000000000:root is not authorized to perform: lambda:InvokeFunction on resource: "
        f"{arn} with an explicit deny in a resource-based policy",
    )
    client.delete_resource_policy(ResourceArn=arn)
    assert server.invoke(name)[0] == arn


def test_policies_survive_a_kill(start, data_dir):
    server = start(data_dir=data_dir)
    client = server.client("lambda")
    name = server.python(SOURCE, name="kept")
    add(client, name, Principal=OTHER)
    before = client.get_policy(FunctionName=name)
    server.kill()
    server.start()
    after = client.get_policy(FunctionName=name)
    assert (before["Policy"], before["RevisionId"]) == (after["Policy"], after["RevisionId"])
    assert server.client("lambda", key=OTHER).invoke(FunctionName=f"{ARN}{name}")["StatusCode"] == 200


def test_callers_own_policies_count_under_auth(start, data_dir):
    server = start("--auth", data_dir=data_dir)
    text = (data_dir / "credentials").read_text()
    key, secret = (line.split(" = ")[1] for line in text.splitlines() if " = " in line)
    iam, root = (server.client(name, key=key, secret=secret) for name in ("iam", "lambda"))
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(
        RoleName="basic", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    iam.create_user(UserName="dev")
    made = iam.create_access_key(UserName="dev")["AccessKey"]
    dev = server.client("lambda", key=made["AccessKeyId"], secret=made["SecretAccessKey"])

    def allow(**statements):
        for name, (effect, action, resource) in statements.items():
            statement = {"Effect": effect, "Action": action, "Resource": resource}
            document = {"Version": "2012-10-17", "Statement": [statement]}
            iam.put_user_policy(UserName="dev", PolicyName=name, PolicyDocument=json.dumps(document))

    def denied(action, resource, why=None):
        why = why or f"because no identity-based policy allows the {action} action"
        who = "arn:aws:iam::000000000000:user/dev"
        return "AccessDeniedException", f"User: {who} is not authorized to perform: {action} on resource: {resource} {why}"

    create = {
        "FunctionName": "mine",
        "Runtime": "python3.12",
        "Handler": "lambda_function.handler",
        "Role": role,
        "Code": {"ZipFile": zip_of({"lambda_function.py": SOURCE})},
    }
    arn = f"{ARN}mine"
    assert refused(dev.list_functions) == denied("lambda:ListFunctions", "*")
    assert refused(dev.create_function, **create) == denied("lambda:CreateFunction", arn)
    allow(all=("Allow", "lambda:*", "*"), never=("Deny", "lambda:DeleteFunction", f"{ARN}*"))
    assert refused(dev.create_function, **create) == denied("iam:PassRole", role)
    allow(pass_role=("Allow", "iam:PassRole", role))
    dev.create_function(**create)
    dev.get_waiter("function_active_v2").wait(FunctionName="mine", WaiterConfig={"Delay": 0.02, "MaxAttempts": 1500})
    assert json.loads(dev.invoke(FunctionName="mine")["Payload"].read()) == arn
    assert refused(dev.delete_function, FunctionName="mine") == denied(
        "lambda:DeleteFunction", arn, "with an explicit deny in an identity-based policy"
    )
    # The function's own policy may let a user in who has none.
    iam.delete_user_policy(UserName="dev", PolicyName="all")
    assert refused(dev.invoke, FunctionName="mine") == denied("lambda:InvokeFunction", arn)
    root.add_permission(
        FunctionName="mine",
        StatementId="dev",
        Action="lambda:InvokeFunction",
        Principal="arn:aws:iam::000000000000:user/dev",
    )
    assert dev.invoke(FunctionName="mine")["StatusCode"] == 200
    assert refused(dev.get_policy, FunctionName="mine") == denied("lambda:GetPolicy", arn)
    # AWS's own policies count as one's own.
    iam.attach_user_policy(UserName="dev", PolicyArn="arn:aws:iam::aws:policy/AWSLambda_ReadOnlyAccess")
    assert [found["FunctionName"] for found in dev.list_functions()["Functions"]] == ["mine"]
    assert refused(dev.publish_version, FunctionName="mine") == denied("lambda:PublishVersion", arn)


def test_iam_sts_and_logs_ask_for_permission_under_auth(start, data_dir):
    server = start("--auth", data_dir=data_dir)
    text = (data_dir / "credentials").read_text()
    key, secret = (line.split(" = ")[1] for line in text.splitlines() if " = " in line)
    root = server.client("iam", key=key, secret=secret)
    root.create_user(UserName="dev", Path="/team/")
    made = root.create_access_key(UserName="dev")["AccessKey"]
    iam, sts, logs = (
        server.client(name, key=made["AccessKeyId"], secret=made["SecretAccessKey"]) for name in ("iam", "sts", "logs")
    )
    me = "arn:aws:iam::000000000000:user/team/dev"

    def denied(action, resource, code="AccessDenied"):
        return code, (
            f"User: {me} is not authorized to perform: {action} on resource: {resource} because no identity-based policy "
            f"allows the {action} action"
        )

    def put(name, *statements):
        document = {"Version": "2012-10-17", "Statement": list(statements)}
        root.put_user_policy(UserName="dev", PolicyName=name, PolicyDocument=json.dumps(document))

    # Nobody makes himself an administrator.
    everything = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
    assert refused(iam.put_user_policy, UserName="dev", PolicyName="p", PolicyDocument=everything) == denied(
        "iam:PutUserPolicy", me
    )
    assert refused(iam.get_user) == denied("iam:GetUser", me)
    assert refused(iam.list_roles) == denied("iam:ListRoles", "*")
    assert refused(iam.create_user, UserName="other") == denied("iam:CreateUser", "arn:aws:iam::000000000000:user/other")
    own = {"Effect": "Allow", "Action": "iam:Get*", "Resource": "arn:aws:iam::*:user/team/${aws:username}"}
    put("own", own)
    assert iam.get_user()["User"]["Arn"] == me
    assert refused(iam.get_role, RoleName="none")[0] == "AccessDenied"

    assert sts.get_caller_identity()["Arn"] == me
    trust = {"Effect": "Allow", "Principal": {"AWS": "000000000000"}, "Action": "sts:AssumeRole"}
    role = root.create_role(
        RoleName="worker", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    assume = {"RoleArn": role, "RoleSessionName": "session"}
    # The role leaves it to the account, which has not let this user.
    assert refused(sts.assume_role, **assume)[0] == "AccessDenied"
    put("assume", {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role})
    session = sts.assume_role(**assume)["Credentials"]
    worker = server.client(
        "logs", key=session["AccessKeyId"], secret=session["SecretAccessKey"], token=session["SessionToken"]
    )

    group = "arn:aws:logs:us-east-1:000000000000:log-group:g:log-stream:"
    assert refused(logs.create_log_group, logGroupName="g") == denied(
        "logs:CreateLogGroup", group, "AccessDeniedException"
    )
    assert refused(worker.create_log_group, logGroupName="g")[0] == "AccessDeniedException"
    root.put_role_policy(
        RoleName="worker",
        PolicyName="logs",
        PolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": "logs:Create*", "Resource": "arn:aws:logs:*:*:log-group:g:*"}],
            }
        ),
    )
    worker.create_log_group(logGroupName="g")
    worker.create_log_stream(logGroupName="g", logStreamName="s")
    assert refused(worker.delete_log_group, logGroupName="g")[0] == "AccessDeniedException"


def test_whole_answers_of_permissions(server):
    account = Account(server, "200000000005")
    client = account.client
    account.function()
    added = whole(
        client,
        "AddPermission",
        FunctionName="f",
        StatementId="s",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn="arn:aws:s3:::bucket",
        SourceAccount="200000000005",
    )
    assert added == (
        201,
        {
            "Statement": '{"Sid":"s","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"arn:aws:lambda:us-east-1:200000000005:function:f","Condition":{"StringEquals":{"AWS:SourceAccount":"200000000005"},"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::bucket"}}}',
        },
    )
    assert whole(client, "GetPolicy", FunctionName="f") == (
        200,
        {
            "Policy": '{"Version":"2012-10-17","Id":"default","Statement":[{"Sid":"s","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"arn:aws:lambda:us-east-1:200000000005:function:f","Condition":{"StringEquals":{"AWS:SourceAccount":"200000000005"},"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::bucket"}}}]}',
            "RevisionId": "<uuid>",
        },
    )
    assert whole(client, "RemovePermission", FunctionName="f", StatementId="s") == (204, {})
    arn = "arn:aws:lambda:us-east-1:200000000005:function:f"
    policy = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Sid": "t", "Effect": "Allow", "Principal": "*", "Action": "lambda:InvokeFunction", "Resource": arn}
            ],
        }
    )
    assert whole(client, "PutResourcePolicy", ResourceArn=arn, Policy=policy) == (
        200,
        {
            "Policy": '{"Version":"2012-10-17","Statement":[{"Sid": "t", "Effect": "Allow", "Principal": "*", "Action": "lambda:InvokeFunction", "Resource": "arn:aws:lambda:us-east-1:200000000005:function:f"}]}',
            "RevisionId": "<uuid>",
        },
    )
    assert whole(client, "GetResourcePolicy", ResourceArn=arn) == (
        200,
        {
            "Policy": '{"Version":"2012-10-17","Statement":[{"Sid": "t", "Effect": "Allow", "Principal": "*", "Action": "lambda:InvokeFunction", "Resource": "arn:aws:lambda:us-east-1:200000000005:function:f"}]}',
            "RevisionId": "<uuid>",
        },
    )
    assert whole(client, "DeleteResourcePolicy", ResourceArn=arn) == (204, {})
