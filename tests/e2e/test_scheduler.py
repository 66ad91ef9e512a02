"""EventBridge Scheduler, in virtual time."""

import json
import uuid
from datetime import datetime, timezone

import pytest
from botocore.exceptions import ClientError
from test_events import ACCOUNT, Queue, advance, code_of

OFF = {"Mode": "OFF"}


@pytest.fixture(scope="module")
def virtual():
    from conftest import Server

    server = Server("--time", "virtual")
    yield server
    server.stop()


@pytest.fixture
def scheduler(virtual):
    return virtual.client("scheduler")


def name(kind="s"):
    return f"{kind}-{uuid.uuid4().hex[:8]}"


def now(server):
    shown = server.hearth("time", "now").stdout.split()[0]
    return datetime.fromisoformat(shown.replace("Z", "+00:00"))


@pytest.fixture
def role(virtual):
    iam = virtual.client("iam")
    made = name("role")
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "scheduler.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
    arn = iam.create_role(RoleName=made, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_role_policy(RoleName=made, PolicyName="all", PolicyDocument=json.dumps(allow))
    return arn


def test_a_schedules_life(scheduler, role):
    made, queue = name(), f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"
    settings = {
        "ScheduleExpression": "cron(0 9 ? * MON *)", "ScheduleExpressionTimezone": "Europe/Berlin", "FlexibleTimeWindow": OFF,
        "Target": {"Arn": queue, "RoleArn": role, "Input": "hello"},
    }
    arn = scheduler.create_schedule(Name=made, Description="d", **settings)["ScheduleArn"]
    assert arn == f"arn:aws:scheduler:us-east-1:{ACCOUNT}:schedule/default/{made}"
    assert code_of(scheduler.create_schedule, Name=made, **settings)[0] == "ConflictException"
    shown = scheduler.get_schedule(Name=made)
    assert (shown["State"], shown["GroupName"], shown["ActionAfterCompletion"]) == ("ENABLED", "default", "NONE")
    assert shown["Target"]["RetryPolicy"] == {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185}
    scheduler.update_schedule(Name=made, State="DISABLED", **settings)
    changed = scheduler.get_schedule(Name=made)
    assert changed["State"] == "DISABLED" and "Description" not in changed
    assert changed["CreationDate"] == shown["CreationDate"]
    assert made in [one["Name"] for one in scheduler.list_schedules(State="DISABLED")["Schedules"]]
    scheduler.delete_schedule(Name=made)
    assert code_of(scheduler.get_schedule, Name=made) == ("ResourceNotFoundException", f"Schedule {made} does not exist.")


def test_a_groups_life(scheduler, role):
    group, made = name("group"), name()
    arn = scheduler.create_schedule_group(Name=group, Tags=[{"Key": "a", "Value": "1"}])["ScheduleGroupArn"]
    assert scheduler.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "a", "Value": "1"}]
    target = {"Arn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:q", "RoleArn": role}
    scheduler.create_schedule(Name=made, GroupName=group, ScheduleExpression="rate(1 day)", FlexibleTimeWindow=OFF, Target=target)
    assert [one["Name"] for one in scheduler.list_schedules(GroupName=group)["Schedules"]] == [made]
    assert {"default", group} <= {one["Name"] for one in scheduler.list_schedule_groups()["ScheduleGroups"]}
    scheduler.delete_schedule_group(Name=group)
    assert code_of(scheduler.get_schedule, Name=made, GroupName=group)[0] == "ResourceNotFoundException"
    assert code_of(scheduler.list_schedules, GroupName=group)[0] == "ResourceNotFoundException"


@pytest.mark.parametrize(
    "change, message",
    [
        ({"ScheduleExpression": "rate(0 minutes)"}, "Invalid Schedule Expression rate(0 minutes)."),
        ({"ScheduleExpressionTimezone": "Nowhere/Here"}, "Invalid ScheduleExpressionTimezone."),
        ({"FlexibleTimeWindow": {"Mode": "FLEXIBLE"}}, "MaximumWindowInMinutes is required when FlexibleTimeWindow is FLEXIBLE."),
        ({"StartDate": 4102444800, "EndDate": 4102444700}, "The StartDate you specify must come before the EndDate."),
        ({"KmsKeyArn": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/k"}, "Hearth does not support encryption with a KMS key (KmsKeyArn) yet."),
    ],
)
def test_a_schedule_that_may_not_be(scheduler, role, change, message):
    target = {"Arn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:q", "RoleArn": role}
    settings = {"Name": name(), "ScheduleExpression": "rate(1 day)", "FlexibleTimeWindow": OFF, "Target": target, **change}
    code, said = code_of(scheduler.create_schedule, **settings)
    assert code == "ValidationException" and said.startswith(message), said


def test_a_unit_need_not_agree_with_its_number(scheduler, role):
    """Terraform's own example says `rate(1 hours)`; EventBridge's rules refuse it, Scheduler does not."""
    made, target = name(), {"Arn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:q", "RoleArn": role}
    scheduler.create_schedule(Name=made, ScheduleExpression="rate(1 hours)", FlexibleTimeWindow=OFF, Target=target)
    assert scheduler.get_schedule(Name=made)["ScheduleExpression"] == "rate(1 hours)"


def test_a_role_that_scheduler_may_not_assume_is_refused(virtual, scheduler, role):
    trust = json.dumps({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    })
    lambdas = virtual.client("iam").create_role(RoleName=name("role"), AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    settings = {"Name": name(), "ScheduleExpression": "rate(1 day)", "FlexibleTimeWindow": OFF}
    queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"
    said = "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."
    for wrong in (lambdas, f"arn:aws:iam::{ACCOUNT}:role/nobody"):
        refused = code_of(scheduler.create_schedule, **settings, Target={"Arn": queue, "RoleArn": wrong})
        assert refused == ("ValidationException", said)
    scheduler.create_schedule(**settings, Target={"Arn": queue, "RoleArn": role})
    refused = code_of(scheduler.update_schedule, **settings, Target={"Arn": queue, "RoleArn": lambdas})
    assert refused == ("ValidationException", said)
    assert scheduler.get_schedule(Name=settings["Name"])["Target"]["RoleArn"] == role


def test_a_token_stands_for_one_request(scheduler, role):
    target = {"Arn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:q", "RoleArn": role}
    settings = {"Name": name(), "FlexibleTimeWindow": OFF, "Target": target, "ClientToken": name("token")}
    arn = scheduler.create_schedule(**settings, ScheduleExpression="rate(1 day)")["ScheduleArn"]
    assert scheduler.create_schedule(**settings, ScheduleExpression="rate(1 day)")["ScheduleArn"] == arn
    assert code_of(scheduler.create_schedule, **settings, ScheduleExpression="rate(2 days)")[0] == "ConflictException"
    assert scheduler.get_schedule(Name=settings["Name"])["ScheduleExpression"] == "rate(1 day)"


def test_what_only_reads_is_no_target(scheduler, role):
    target = {"Arn": "arn:aws:scheduler:::aws-sdk:sqs:receiveMessage", "RoleArn": role, "Input": "{}"}
    refused = code_of(
        scheduler.create_schedule, Name=name(), ScheduleExpression="rate(1 day)", FlexibleTimeWindow=OFF, Target=target
    )
    assert refused == ("ValidationException", "The action receiveMessage of sqs is read-only and can be no target.")


def test_a_rate_begins_at_once_and_an_end_ends_it(virtual, scheduler, role):
    queue, made = Queue(virtual), name()
    end = now(virtual).timestamp() + 2 * 3600 + 60
    scheduler.create_schedule(
        Name=made, ScheduleExpression="rate(1 hour)", EndDate=end, FlexibleTimeWindow=OFF, ActionAfterCompletion="DELETE",
        Target={"Arn": queue.arn, "RoleArn": role, "Input": '{"by": "<aws.scheduler.schedule-arn>"}'},
    )
    advance(virtual, "6h")
    assert queue.bodies(3) == [{"by": f"arn:aws:scheduler:us-east-1:{ACCOUNT}:schedule/default/{made}"}] * 3
    with pytest.raises(ClientError):
        scheduler.get_schedule(Name=made)


def test_a_date_comes_once_in_its_zone(virtual, scheduler, role):
    queue = Queue(virtual)
    at = datetime.fromtimestamp(now(virtual).timestamp() + 3600, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    scheduler.create_schedule(
        Name=name(), ScheduleExpression=f"at({at})", FlexibleTimeWindow=OFF, Target={"Arn": queue.arn, "RoleArn": role},
    )
    advance(virtual, "3h")
    (event,) = queue.bodies()
    assert (event["source"], event["time"]) == ("aws.scheduler", f"{at}Z")


def test_a_universal_target_calls_any_operation(virtual, scheduler, role):
    queue = Queue(virtual)
    scheduler.create_schedule(
        Name=name(), ScheduleExpression="rate(1 day)", FlexibleTimeWindow=OFF,
        Target={
            "Arn": "arn:aws:scheduler:::aws-sdk:sqs:sendMessage", "RoleArn": role,
            "Input": json.dumps({"QueueUrl": queue.url, "MessageBody": '{"from": "a schedule"}'}),
        },
    )
    advance(virtual, "1m")
    assert queue.bodies() == [{"from": "a schedule"}]


def test_a_flexible_window_fires_within_it(virtual, scheduler, role):
    queue = Queue(virtual)
    scheduler.create_schedule(
        Name=name(), ScheduleExpression="cron(0 0 * * ? *)", FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 30},
        Target={"Arn": queue.arn, "RoleArn": role},
    )
    advance(virtual, "25h")
    assert queue.bodies()[0]["time"].endswith("T00:00:00Z")
