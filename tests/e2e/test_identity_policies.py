"""What identity policies may ask of a request to Lambda: its own condition keys, tags, and what it uses besides."""

import json
import os

import pytest
from conftest import Server, eventually, zip_of
from test_functions import refused
from test_versions import ARN

ROOT = {"HEARTH_ROOT_ACCESS_KEY_ID": "ROOTKEY", "HEARTH_ROOT_SECRET_ACCESS_KEY": "root-secret-of-the-tests"}
LAMBDA = "arn:aws:lambda:us-east-1:000000000000"
SOURCE = "def handler(event, context): return 'done'"
POLLS = "arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole"
TRUST = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(*actions, resource="*", effect="Allow", **condition):
    condition = {"Condition": condition} if condition else {}
    return {"Effect": effect, "Action": [f"lambda:{action}" for action in actions], "Resource": resource, **condition}


class World:
    """A server that demands signatures, its root, and a user."""

    def __init__(self, server):
        self.server = server
        self.root, self.iam = (self.client(name, ROOT_KEYS) for name in ("lambda", "iam"))
        self.role = self.iam.create_role(RoleName="basic", AssumeRolePolicyDocument=document(TRUST))["Role"]["Arn"]
        self.poller = self.iam.create_role(RoleName="poller", AssumeRolePolicyDocument=document(TRUST))["Role"]["Arn"]
        self.iam.attach_role_policy(RoleName="poller", PolicyArn=POLLS)
        self.iam.create_user(UserName="dev")
        made = self.iam.create_access_key(UserName="dev")["AccessKey"]
        self.keys = {"key": made["AccessKeyId"], "secret": made["SecretAccessKey"]}
        self.dev = self.client("lambda", self.keys)
        self.pass_role = {"Effect": "Allow", "Action": "iam:PassRole", "Resource": self.role}

    def client(self, service, keys):
        return self.server.client(service, **keys)

    def let(self, *statements):
        """From now on the user may do this, and nothing else."""
        self.iam.put_user_policy(UserName="dev", PolicyName="p", PolicyDocument=document(self.pass_role, *statements))

    def asked(self, name=None, source=SOURCE, **more):
        name = name or f"f-{os.urandom(5).hex()}"
        package = zip_of({"lambda_function.py": source})
        settings = {"Runtime": "python3.12", "Handler": "lambda_function.handler", "Role": self.role}
        return {"FunctionName": name, **settings, "Code": {"ZipFile": package}, "Timeout": 10, **more}

    def function(self, name=None, source=SOURCE, **more):
        asked = self.asked(name, source, **more)
        self.root.create_function(**asked)
        waiter = self.root.get_waiter("function_active_v2")
        waiter.wait(FunctionName=asked["FunctionName"], WaiterConfig={"Delay": 0.02, "MaxAttempts": 1500})
        return asked["FunctionName"]


ROOT_KEYS = {"key": ROOT["HEARTH_ROOT_ACCESS_KEY_ID"], "secret": ROOT["HEARTH_ROOT_SECRET_ACCESS_KEY"]}


@pytest.fixture(scope="module")
def world():
    server = Server("--auth", "--vpc", "accept", environment=ROOT)
    yield World(server)
    assert server.stop() == 0


def denied(action, resource, why=None):
    why = why or f"because no identity-based policy allows the {action} action"
    who = "arn:aws:iam::000000000000:user/dev"
    return "AccessDeniedException", f"User: {who} is not authorized to perform: {action} on resource: {resource} {why}"


def test_what_an_action_is_about_is_what_the_reference_says(world):
    dev, name = world.dev, world.function()
    world.let()
    uuid = "00000000-0000-4000-8000-000000000000"
    mapping = {"FunctionName": name, "EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:q"}
    assert refused(dev.create_event_source_mapping, **mapping) == denied("lambda:CreateEventSourceMapping", "*")
    assert refused(dev.list_event_source_mappings, FunctionName=name) == denied("lambda:ListEventSourceMappings", "*")
    about_mapping = f"{LAMBDA}:event-source-mapping:{uuid}"
    assert refused(dev.update_event_source_mapping, UUID=uuid, FunctionName=name) == denied(
        "lambda:UpdateEventSourceMapping", about_mapping
    )
    assert refused(dev.list_tags, Resource=about_mapping) == denied("lambda:ListTags", about_mapping)
    assert refused(dev.list_layer_versions, LayerName="l") == denied("lambda:ListLayerVersions", "*")
    version = f"{LAMBDA}:layer:l:3"
    assert refused(dev.get_layer_version, LayerName="l", VersionNumber=3) == denied("lambda:GetLayerVersion", version)
    assert refused(dev.get_layer_version_by_arn, Arn=version) == denied("lambda:GetLayerVersion", version)
    assert refused(dev.delete_layer_version, LayerName=f"{LAMBDA}:layer:l", VersionNumber=3) == denied(
        "lambda:DeleteLayerVersion", version
    )
    config = world.root.create_code_signing_config(
        AllowedPublishers={"SigningProfileVersionArns": ["arn:aws:signer:us-east-1:000000000000:/signing-profiles/p/v"]}
    )["CodeSigningConfig"]["CodeSigningConfigArn"]
    attach = {"FunctionName": name, "CodeSigningConfigArn": config}
    assert refused(dev.put_function_code_signing_config, **attach) == denied(
        "lambda:PutFunctionCodeSigningConfig", f"{ARN}{name}"
    )
    world.let(allow("PutFunctionCodeSigningConfig", resource=f"{ARN}{name}"))
    assert refused(dev.put_function_code_signing_config, **attach) == denied("lambda:PutFunctionCodeSigningConfig", config)
    world.let(allow("PutFunctionCodeSigningConfig", ArnLike={"lambda:CodeSigningConfigArn": config}))
    assert dev.put_function_code_signing_config(**attach)["CodeSigningConfigArn"] == config


def test_each_way_to_invoke_is_allowed_by_its_own_action(world):
    dev, name = world.dev, world.function()
    ways = {"InvokeFunction": (dev.invoke, {}), "InvokeAsync": (dev.invoke_async, {"InvokeArgs": b"{}"})}
    for allowed in ways:
        world.let(allow(allowed))
        for action, (call, asked) in ways.items():
            if action == allowed:
                call(FunctionName=name, **asked)
            else:
                assert refused(call, FunctionName=name, **asked) == denied(f"lambda:{action}", f"{ARN}{name}")


def test_a_function_is_made_only_with_the_tags_that_a_policy_demands(world):
    dev = world.dev
    demanded = {"StringEquals": {"aws:RequestTag/project": ["alpha", "beta"]}, "ForAllValues:StringEquals": {"aws:TagKeys": ["project"]}}
    world.let(allow("CreateFunction", "TagResource", resource=f"{ARN}*", **demanded))
    for tags in ({}, {"project": "gamma"}, {"project": "alpha", "other": "x"}):
        asked = world.asked("tagged", **({"Tags": tags} if tags else {}))
        assert refused(dev.create_function, **asked) == denied("lambda:CreateFunction", f"{ARN}tagged"), tags
    dev.create_function(**world.asked("tagged", Tags={"project": "alpha"}))
    # To tag what one makes is an action of its own.
    world.let(allow("CreateFunction", "CreateCodeSigningConfig"))
    asked = world.asked("other", Tags={"project": "alpha"})
    assert refused(dev.create_function, **asked) == denied("lambda:TagResource", f"{ARN}other")
    publishers = {"SigningProfileVersionArns": ["arn:aws:signer:us-east-1:000000000000:/signing-profiles/p/v"]}
    assert refused(dev.create_code_signing_config, AllowedPublishers=publishers, Tags={"a": "b"}) == denied(
        "lambda:TagResource", f"{LAMBDA}:code-signing-config:*"
    )


def test_the_tags_of_a_function_decide_who_may_do_what_to_it(world):
    dev, red = world.dev, world.function(Tags={"team": "red"})
    blue = world.function(Tags={"team": "blue"})
    world.root.publish_version(FunctionName=red)
    world.let(allow("*", resource=f"{ARN}*", StringEquals={"aws:ResourceTag/team": "red"}))
    assert dev.invoke(FunctionName=red)["Payload"].read() == b'"done"'
    assert dev.invoke(FunctionName=red, Qualifier="1")["StatusCode"] == 200
    assert dev.get_function(FunctionName=red)["Tags"] == {"team": "red"}
    assert refused(dev.invoke, FunctionName=blue) == denied("lambda:InvokeFunction", f"{ARN}{blue}")
    assert refused(dev.get_function, FunctionName=blue) == denied("lambda:GetFunction", f"{ARN}{blue}")
    # A change counts for the next request, and across a function's life.
    world.root.tag_resource(Resource=f"{ARN}{blue}", Tags={"team": "red"})
    assert dev.invoke(FunctionName=blue)["StatusCode"] == 200
    dev.untag_resource(Resource=f"{ARN}{blue}", TagKeys=["team"])
    assert refused(dev.invoke, FunctionName=blue)[0] == "AccessDeniedException"


def test_mappings_and_configurations_are_told_apart_by_their_tags(world):
    dev, name = world.dev, world.function(Role=world.poller)
    queue = world.client("sqs", ROOT_KEYS).create_queue(QueueName=f"q-{os.urandom(4).hex()}")["QueueUrl"].rsplit("/", 1)[1]
    mapping = world.root.create_event_source_mapping(
        FunctionName=name, EventSourceArn=f"arn:aws:sqs:us-east-1:000000000000:{queue}", Enabled=False, Tags={"team": "red"}
    )
    config = world.root.create_code_signing_config(
        AllowedPublishers={"SigningProfileVersionArns": ["arn:aws:signer:us-east-1:000000000000:/signing-profiles/p/v"]},
        Tags={"team": "red"},
    )["CodeSigningConfig"]["CodeSigningConfigArn"]
    calls = [(dev.get_event_source_mapping, {"UUID": mapping["UUID"]}), (dev.get_code_signing_config, {"CodeSigningConfigArn": config})]
    for team, may in (("red", True), ("blue", False)):
        world.let(allow("*", StringEquals={"aws:ResourceTag/team": team}))
        for call, asked in calls:
            if may:
                assert call(**asked)
            else:
                assert refused(call, **asked)[0] == "AccessDeniedException"


def test_tags_are_changed_under_conditions(world):
    dev, name = world.dev, world.function(Tags={"team": "red", "env": "test"})
    arn = f"{ARN}{name}"
    world.let(
        allow("TagResource", StringEquals={"aws:RequestTag/env": "test"}),
        allow("UntagResource", **{"ForAllValues:StringEquals": {"aws:TagKeys": ["env"]}}),
    )
    dev.tag_resource(Resource=arn, Tags={"env": "test"})
    assert refused(dev.tag_resource, Resource=arn, Tags={"env": "live"}) == denied("lambda:TagResource", arn)
    assert refused(dev.untag_resource, Resource=arn, TagKeys=["env", "team"]) == denied("lambda:UntagResource", arn)
    dev.untag_resource(Resource=arn, TagKeys=["env"])
    assert world.root.list_tags(Resource=arn)["Tags"] == {"team": "red"}


def test_tags_are_not_shown_to_whoever_may_not_list_them(world):
    dev, name = world.dev, world.function(Tags={"team": "red"})
    world.let(allow("GetFunction"))
    found = dev.get_function(FunctionName=name)
    assert found["Configuration"]["FunctionName"] == name and "Tags" not in found
    code, message = denied("lambda:ListTags", f"{ARN}{name}")
    assert found["TagsError"] == {"ErrorCode": code, "Message": message}


def test_layers_are_limited_and_must_be_readable(world):
    dev, name = world.dev, world.function()
    layers = [
        world.root.publish_layer_version(LayerName=layer, Content={"ZipFile": zip_of({"python/x.py": "x = 1"})})["LayerVersionArn"]
        for layer in ("good", "bad")
    ]
    good, bad = layers
    only = {"ForAllValues:StringLike": {"lambda:Layer": [f"{LAMBDA}:layer:good:*"]}, "Null": {"lambda:Layer": "false"}}
    world.let(allow("CreateFunction", "UpdateFunctionConfiguration", **only), allow("GetLayerVersion"))
    arn = f"{ARN}layered"
    assert refused(dev.create_function, **world.asked("layered", Layers=[bad])) == denied("lambda:CreateFunction", arn)
    assert refused(dev.create_function, **world.asked("layered")) == denied("lambda:CreateFunction", arn)
    dev.create_function(**world.asked("layered", Layers=[good]))
    assert refused(dev.update_function_configuration, FunctionName=name, Layers=[good, bad])[0] == "AccessDeniedException"
    dev.update_function_configuration(FunctionName=name, Layers=[good])
    world.let(allow("CreateFunction"), allow("GetLayerVersion", resource=bad))
    assert refused(dev.create_function, **world.asked("unread", Layers=[good])) == denied("lambda:GetLayerVersion", good)


def test_a_vpc_is_demanded_or_forbidden(world):
    dev = world.dev
    vpc = {"SubnetIds": ["subnet-0123456789abcdef0"], "SecurityGroupIds": ["sg-0123456789abcdef0"]}
    arn = f"{ARN}in-vpc"
    for condition in (
        {"ForAnyValue:StringEquals": {"lambda:SubnetIds": "subnet-0123456789abcdef0"}},
        {"ForAllValues:StringEquals": {"lambda:SecurityGroupIds": "sg-0123456789abcdef0"}, "Null": {"lambda:SecurityGroupIds": "false"}},
        {"StringLike": {"lambda:VpcIds": "vpc-*"}},
    ):
        world.let(allow("CreateFunction", "DeleteFunction"), allow("CreateFunction", effect="Deny", **condition))
        assert refused(dev.create_function, **world.asked("in-vpc", VpcConfig=vpc)) == denied(
            "lambda:CreateFunction", arn, "with an explicit deny in an identity-based policy"
        ), condition
        world.let(allow("CreateFunction", **condition), allow("DeleteFunction"))
        assert refused(dev.create_function, **world.asked("in-vpc"))[0] == "AccessDeniedException", condition
        dev.create_function(**world.asked("in-vpc", VpcConfig=vpc))
        dev.delete_function(FunctionName="in-vpc")


def test_permissions_are_given_and_taken_only_for_some_principals(world):
    dev, name = world.dev, world.function()
    sns = {"StringEquals": {"lambda:Principal": ["sns.amazonaws.com", "111111111111"]}}
    world.let(allow("AddPermission", "RemovePermission", "PutResourcePolicy", **sns))
    permission = {"FunctionName": name, "Action": "lambda:InvokeFunction"}
    dev.add_permission(StatementId="sns", Principal="sns.amazonaws.com", **permission)
    dev.add_permission(StatementId="account", Principal="111111111111", **permission)
    assert refused(dev.add_permission, StatementId="s3", Principal="s3.amazonaws.com", **permission) == denied(
        "lambda:AddPermission", f"{ARN}{name}"
    )
    world.root.add_permission(StatementId="s3", Principal="s3.amazonaws.com", **permission)
    assert refused(dev.remove_permission, FunctionName=name, StatementId="s3") == denied("lambda:RemovePermission", f"{ARN}{name}")
    for statement in ("sns", "account"):
        dev.remove_permission(FunctionName=name, StatementId=statement)
    # Nobody gets around that by writing the whole policy.
    world.let(allow("PutResourcePolicy"), allow("AddPermission", "RemovePermission", **sns))
    mine = allow("InvokeFunction", resource=f"{ARN}{name}") | {"Principal": "*"}
    assert refused(dev.put_resource_policy, ResourceArn=f"{ARN}{name}", Policy=document(mine)) == denied(
        "lambda:AddPermission", f"{ARN}{name}"
    )


def test_urls_are_made_only_with_the_auth_type_that_a_policy_demands(world):
    dev, name = world.dev, world.function()
    signed = {"StringEquals": {"lambda:FunctionUrlAuthType": "AWS_IAM"}, "ArnLike": {"lambda:FunctionArn": f"{ARN}{name}"}}
    actions = ("CreateFunctionUrlConfig", "UpdateFunctionUrlConfig", "GetFunctionUrlConfig", "DeleteFunctionUrlConfig")
    listing = allow("ListFunctionUrlConfigs", StringEquals=signed["StringEquals"])
    world.let(allow(*actions, **signed), listing)
    other = world.function()
    assert refused(dev.create_function_url_config, FunctionName=name, AuthType="NONE") == denied(
        "lambda:CreateFunctionUrlConfig", f"{ARN}{name}"
    )
    assert refused(dev.create_function_url_config, FunctionName=other, AuthType="AWS_IAM")[0] == "AccessDeniedException"
    dev.create_function_url_config(FunctionName=name, AuthType="AWS_IAM")
    dev.update_function_url_config(FunctionName=name, Cors={"AllowOrigins": ["*"]})
    assert refused(dev.update_function_url_config, FunctionName=name, AuthType="NONE")[0] == "AccessDeniedException"
    assert len(dev.list_function_url_configs(FunctionName=name)["FunctionUrlConfigs"]) == 1
    # What is open already is not theirs to see or to delete.
    world.root.update_function_url_config(FunctionName=name, AuthType="NONE")
    for call in (dev.get_function_url_config, dev.delete_function_url_config, dev.list_function_url_configs):
        assert refused(call, FunctionName=name)[0] == "AccessDeniedException"


def test_mappings_are_limited_to_some_functions(world):
    dev, mine, other = world.dev, world.function(Role=world.poller), world.function(Role=world.poller)
    queue = world.client("sqs", ROOT_KEYS).create_queue(QueueName=f"q-{os.urandom(4).hex()}")["QueueUrl"].rsplit("/", 1)[1]
    source = {"EventSourceArn": f"arn:aws:sqs:us-east-1:000000000000:{queue}", "Enabled": False}
    mapping = f"{LAMBDA}:event-source-mapping:*"
    world.let(
        allow("CreateEventSourceMapping", ArnLike={"lambda:FunctionArn": f"{ARN}{mine}"}),
        allow(
            "GetEventSourceMapping", "UpdateEventSourceMapping", "DeleteEventSourceMapping", resource=mapping,
            ArnLike={"lambda:FunctionArn": f"{ARN}{mine}"},
        ),
    )
    assert refused(dev.create_event_source_mapping, FunctionName=other, **source) == denied("lambda:CreateEventSourceMapping", "*")
    made = dev.create_event_source_mapping(FunctionName=mine, **source)
    assert dev.get_event_source_mapping(UUID=made["UUID"])["FunctionArn"] == f"{ARN}{mine}"
    # Neither is another function to be called by it, nor is one that calls another to be taken over.
    assert refused(dev.update_event_source_mapping, UUID=made["UUID"], FunctionName=other) == denied(
        "lambda:UpdateEventSourceMapping", f"{LAMBDA}:event-source-mapping:{made['UUID']}"
    )
    queue = world.client("sqs", ROOT_KEYS).create_queue(QueueName=f"q-{os.urandom(4).hex()}")["QueueUrl"].rsplit("/", 1)[1]
    theirs = world.root.create_event_source_mapping(
        FunctionName=other, EventSourceArn=f"arn:aws:sqs:us-east-1:000000000000:{queue}", Enabled=False
    )
    for call, more in (
        (dev.get_event_source_mapping, {}),
        (dev.delete_event_source_mapping, {}),
        (dev.update_event_source_mapping, {"FunctionName": mine}),
    ):
        assert refused(call, UUID=theirs["UUID"], **more)[0] == "AccessDeniedException"


def test_a_policy_may_let_only_one_functions_code_call(world):
    """`lambda:SourceFunctionArn`: two functions share a role; and outside of them its credentials are worth nothing."""
    source = """
import boto3, os
def handler(event, context):
    try:
        boto3.client('lambda', endpoint_url=os.environ.get('AWS_ENDPOINT_URL')).get_account_settings()
        return 'let in'
    except Exception as error:
        return str(error)
"""
    mine, other = world.function(source=source, Timeout=30), world.function(source=source, Timeout=30)
    statement = allow("GetAccountSettings", ArnEquals={"lambda:SourceFunctionArn": f"{ARN}{mine}"})
    world.iam.put_role_policy(RoleName="basic", PolicyName="p", PolicyDocument=document(statement))
    try:
        assert json.loads(world.root.invoke(FunctionName=mine)["Payload"].read()) == "let in"
        said = json.loads(world.root.invoke(FunctionName=other)["Payload"].read())
        assert f"assumed-role/basic/{other} is not authorized to perform: lambda:GetAccountSettings" in said
    finally:
        world.iam.delete_role_policy(RoleName="basic", PolicyName="p")


def test_a_universal_target_is_called_with_its_roles_rights(start):
    """Scheduler's role needs the action on the resource that the call names, and no other."""
    server = start("--auth", "--time", "virtual", environment=ROOT)
    iam, sqs, scheduler = (server.client(name, **ROOT_KEYS) for name in ("iam", "sqs", "scheduler"))
    queues = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("open", "closed", "dead")}
    trust = {**TRUST, "Principal": {"Service": "scheduler.amazonaws.com"}}
    role = iam.create_role(RoleName="scheduler", AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
    arn = "arn:aws:sqs:us-east-1:000000000000"
    mine = [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": f"{arn}:{name}"} for name in ("open", "dead")]
    iam.put_role_policy(RoleName="scheduler", PolicyName="p", PolicyDocument=document(*mine))
    for name in ("open", "closed"):
        target = {
            "Arn": "arn:aws:scheduler:::aws-sdk:sqs:sendMessage",
            "RoleArn": role,
            "Input": json.dumps({"QueueUrl": queues[name], "MessageBody": name}),
            "DeadLetterConfig": {"Arn": f"{arn}:dead"},
            "RetryPolicy": {"MaximumRetryAttempts": 0},
        }
        scheduler.create_schedule(
            Name=name, ScheduleExpression="rate(1 minute)", FlexibleTimeWindow={"Mode": "OFF"}, Target=target
        )

    def bodies(name):
        return [one["Body"] for one in sqs.receive_message(QueueUrl=queues[name]).get("Messages", [])]

    assert eventually(lambda: bodies("open"), what="the call that is allowed") == ["open"]
    [dead] = eventually(lambda: bodies("dead"), what="the call that is not")
    assert json.loads(dead)["MessageBody"] == "closed" and bodies("closed") == []


def test_a_poller_is_bound_by_the_conditions_of_its_functions_role(world):
    """A mapping polls as the role: who that is, where the queue is and how it is tagged count, the function's code not."""
    sqs, name = world.client("sqs", ROOT_KEYS), world.function()
    urls = {
        team: sqs.create_queue(QueueName=f"q-{os.urandom(4).hex()}", tags={"team": team})["QueueUrl"] for team in ("red", "blue")
    }
    sources = {team: f"arn:aws:sqs:us-east-1:000000000000:{url.rsplit('/', 1)[1]}" for team, url in urls.items()}
    condition = {
        "StringEquals": {"aws:ResourceTag/team": "red", "aws:RequestedRegion": "us-east-1"},
        "ArnEquals": {"aws:PrincipalArn": world.role},
        "Bool": {"aws:SecureTransport": "true"},
        "Null": {"lambda:SourceFunctionArn": "true"},
    }
    statement = {"Effect": "Allow", "Action": "sqs:*", "Resource": "*", "Condition": condition}
    everything = {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}
    world.iam.put_role_policy(RoleName="basic", PolicyName="poll", PolicyDocument=document(everything))
    made = {
        team: world.root.create_event_source_mapping(EventSourceArn=source, FunctionName=name, Enabled=False)["UUID"]
        for team, source in sources.items()
    }
    world.iam.put_role_policy(RoleName="basic", PolicyName="poll", PolicyDocument=document(statement))
    try:
        for mapping in made.values():
            disabled = lambda: world.root.get_event_source_mapping(UUID=mapping)["State"] == "Disabled"
            eventually(disabled, what="the mapping as it was made")
            world.root.update_event_source_mapping(UUID=mapping, Enabled=True)
        sqs.send_message(QueueUrl=urls["red"], MessageBody="m")

        def result(team):
            return world.root.get_event_source_mapping(UUID=made[team]).get("LastProcessingResult")

        eventually(lambda: result("red") == "OK", what="the red queue's message in the function")
        refusal = "PROBLEM: The function's execution role may not call ReceiveMessage on SQS."
        eventually(lambda: result("blue") == refusal, what="the refusal of the blue queue")
    finally:
        for mapping in made.values():
            world.root.delete_event_source_mapping(UUID=mapping)
        world.iam.delete_role_policy(RoleName="basic", PolicyName="poll")


def test_a_function_is_connected_only_to_what_its_role_may_reach(world):
    """As AWS refuses it: what would fail at each poll and delivery fails when it is configured."""
    name, suffix = world.function(), os.urandom(4).hex()
    queue = world.client("sqs", ROOT_KEYS).create_queue(QueueName=f"q-{suffix}")["QueueUrl"].rsplit("/", 1)[1]
    queue = f"arn:aws:sqs:us-east-1:000000000000:{queue}"
    topic = world.client("sns", ROOT_KEYS).create_topic(Name=f"t-{suffix}")["TopicArn"]
    mapping = {"FunctionName": name, "EventSourceArn": queue, "Enabled": False}
    invalid = "InvalidParameterValueException"

    def let(*actions):
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": [queue, topic, f"{ARN}*", "arn:aws:s3:::b/*"]}
        world.iam.put_role_policy(RoleName="basic", PolicyName="reach", PolicyDocument=document(statement))

    def dead_letters(arn):
        return {"FunctionName": name, "DeadLetterConfig": {"TargetArn": arn}}

    def destination(arn):
        return {"FunctionName": name, "DestinationConfig": {"OnFailure": {"Destination": arn}}}

    try:
        for let_already, missing in ((["sqs:SendMessage"], "ReceiveMessage"), (["sqs:ReceiveMessage"], "DeleteMessage")):
            let(*let_already)
            why = f"The function execution role does not have permissions to call {missing} on SQS"
            assert refused(world.root.create_event_source_mapping, **mapping) == (invalid, why)
        let("logs:PutLogEvents")
        for arn, what in ((queue, "SendMessage on SQS"), (topic, "Publish on SNS")):
            why = f"The provided execution role does not have permissions to call {what}"
            assert refused(world.root.update_function_configuration, **dead_letters(arn)) == (invalid, why)
            asked = world.asked(DeadLetterConfig={"TargetArn": arn})
            assert refused(world.root.create_function, **asked) == (invalid, why)
            assert refused(world.root.get_function, FunctionName=asked["FunctionName"])[0] == "ResourceNotFoundException"
        other = f"{ARN}{world.function()}"
        destinations = ((queue, "SendMessage"), (topic, "Publish"), (other, "InvokeFunction"), ("arn:aws:s3:::b", "PutObject"))
        for arn, action in destinations:
            why = f"The function's execution role does not have permissions to call {action} on {arn}"
            assert refused(world.root.put_function_event_invoke_config, **destination(arn)) == (invalid, why)
        # Nothing of it was stored.
        assert "DeadLetterConfig" not in world.root.get_function_configuration(FunctionName=name)
        assert refused(world.root.get_function_event_invoke_config, FunctionName=name)[0] == "ResourceNotFoundException"
        let("sqs:*", "sns:Publish", "lambda:InvokeFunction", "s3:PutObject")
        for arn, _ in destinations:
            stored = world.root.put_function_event_invoke_config(**destination(arn))
            assert stored["DestinationConfig"]["OnFailure"] == {"Destination": arn}
        made = world.root.create_event_source_mapping(**mapping)
        assert world.root.update_function_configuration(**dead_letters(topic))["DeadLetterConfig"] == {"TargetArn": topic}
        let("sqs:SendMessage")
        # Who is called instead must be able to be called, too.
        disabled = lambda: world.root.get_event_source_mapping(UUID=made["UUID"])["State"] == "Disabled"
        eventually(disabled, what="the mapping as it was made")
        assert refused(world.root.update_event_source_mapping, UUID=made["UUID"], FunctionName=name)[0] == invalid
        world.root.delete_event_source_mapping(UUID=made["UUID"])
    finally:
        world.iam.delete_role_policy(RoleName="basic", PolicyName="reach")
