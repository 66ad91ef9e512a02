"""What a function gets from each source: as AWS documents it, and nothing that the types of AWS's own crate lose.

The function is a Rust program on `aws_lambda_events`. It tells what it got, and what each type made of it.
"""

import json
import uuid
from datetime import datetime, timedelta

import pytest
from conftest import Server, eventually, zip_of
from conformance import RUST
from event_shapes import (
    FAILURE, RULE_SCHEDULE, S3, SCHEDULER, SNS, SQS_BINARY, SQS_FIFO, SQS_TEXT, URL_IAM, URL_OPEN, differences, event_bridge,
    invocation_record, invocation_result, s3_bridge, sqs,
)
from test_events import advance, name
from test_function_urls import call, make_url, sign
from test_scheduler import now

PROGRAM = RUST.with_name("events")
BRIDGE = ("EventBridgeEvent", "CloudWatchEvent")
# What the crate's type of a URL's request has no fields for; its type of an HTTP API's has, for the same payload.
NOT_IN_URL_TYPE = {"event.routeKey", "event.requestContext.routeKey", "event.requestContext.stage"}


class Taker:
    """A function that tells what it got."""

    def __init__(self, server, *types):
        self.server, self.logs = server, server.client("logs")
        self.name = server.function_from(
            zip_of({"bootstrap": (PROGRAM.read_bytes(), 0o755)}),
            runtime="provided.al2023", handler="bootstrap", Environment={"Variables": {"EVENT_TYPES": ",".join(types)}},
        )
        self.arn = server.client("lambda").get_function(FunctionName=self.name)["Configuration"]["FunctionArn"]

    def open_to(self, service, source):
        """Lets a service invoke it because of something."""
        self.server.client("lambda").add_permission(
            FunctionName=self.name, StatementId=service.split(".")[0], Action="lambda:InvokeFunction", Principal=service, SourceArn=source
        )

    def got(self):
        """The next event that it has not been asked for yet, and what the types made of it."""

        def told():
            try:
                lines = self.logs.filter_log_events(logGroupName=f"/aws/lambda/{self.name}")["events"]
            except self.logs.exceptions.ResourceNotFoundException:
                return None
            return [json.loads(line["message"][5:]) for line in lines if line["message"].startswith("told ")]

        (one,) = eventually(told, timeout=30, what="an event")
        return one


def lost(event, again, path="event"):
    """What a type did not say again. That something is null is said by leaving it out, too."""
    if isinstance(event, dict):
        if not isinstance(again, dict):
            return [path]
        return [part for key, value in event.items() for part in lost(value, again.get(key, ...), f"{path}.{key}")]
    if isinstance(event, list):
        if not isinstance(again, list) or len(again) != len(event):
            return [path]
        return [part for number, value in enumerate(event) for part in lost(value, again[number], f"{path}[{number}]")]
    kept = event == again or same_time(event, again) or (event is None and again is ...)
    return [] if kept else [path]


def same_time(event, again):
    """Times are said again without zeros that mean nothing."""
    try:
        return datetime.fromisoformat(event) == datetime.fromisoformat(again)
    except (TypeError, ValueError):
        return False


def check(told, shape, without=None):
    """An event is of a shape, and types lose nothing of it but what each is known not to have."""
    assert differences(shape, told["event"]) == []
    assert told["again"], "no type was asked for"
    for kind, again in told["again"].items():
        assert set(lost(told["event"], again)) - (without or {}).get(kind, set()) == set(), kind


@pytest.fixture(scope="module", autouse=True)
def program():
    if not PROGRAM.exists():
        pytest.skip(f"{PROGRAM} is not built: `cargo xtask test` builds it")


@pytest.fixture(scope="module")
def virtual(program):
    running = Server("--time", "virtual")
    yield running
    assert running.stop() == 0, running.printed()


@pytest.fixture(scope="module")
def user(server):
    """The keys of a user, who shows in events as people do."""
    iam, made = server.client("iam"), name("user")
    iam.create_user(UserName=made)
    key = iam.create_access_key(UserName=made)["AccessKey"]
    return {"key": key["AccessKeyId"], "secret": key["SecretAccessKey"]}


def queue(server, **attributes):
    sqs = server.client("sqs")
    suffix = ".fifo" if "FifoQueue" in attributes else ""
    url = sqs.create_queue(QueueName=name("q") + suffix, Attributes=attributes)["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def mapped(server, taker, source):
    client = server.client("lambda")
    mapping = client.create_event_source_mapping(EventSourceArn=source, FunctionName=taker.name)["UUID"]
    eventually(lambda: client.get_event_source_mapping(UUID=mapping)["State"] == "Enabled", what="the mapping")


def ruled(server, taker, **rule):
    """A rule on the default bus that sends to a function."""
    events, made = server.client("events"), name("rule")
    arn = events.put_rule(Name=made, **rule)["RuleArn"]
    taker.open_to("events.amazonaws.com", arn)
    assert events.put_targets(Rule=made, Targets=[{"Id": "1", "Arn": taker.arn}])["FailedEntryCount"] == 0


def test_an_s3_notification(server, user):
    s3, bucket, taker = server.client("s3", **user), name("b"), Taker(server, "S3Event")
    s3.create_bucket(Bucket=bucket)
    taker.open_to("s3.amazonaws.com", f"arn:aws:s3:::{bucket}")
    asked = {"LambdaFunctionArn": taker.arn, "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"LambdaFunctionConfigurations": [asked]})
    s3.put_object(Bucket=bucket, Key="Happy Face.jpg", Body=b"x")
    check(taker.got(), S3)


@pytest.mark.parametrize(
    "change, shape",
    [
        ("create", s3_bridge("Object Created", "PutObject")),
        ("delete", s3_bridge("Object Deleted", "DeleteObject", **{"deletion-type": "Delete Marker Created"})),
    ],
)
def test_an_s3_event_by_way_of_eventbridge(server, user, change, shape):
    s3, bucket, taker = server.client("s3", **user), name("b"), Taker(server, *BRIDGE)
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    pattern = {"source": ["aws.s3"], "detail-type": [shape["detail-type"]], "detail": {"bucket": {"name": [bucket]}}}
    ruled(server, taker, EventPattern=json.dumps(pattern))
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}})
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello")
    s3.delete_object(Bucket=bucket, Key="k")
    check(taker.got(), shape)


@pytest.mark.parametrize(
    "attributes, shape",
    [
        ({}, sqs({})),
        (
            {
                "text": {"DataType": "String", "StringValue": "t"},
                "number": {"DataType": "Number.int", "StringValue": "1"},
                "binary": {"DataType": "Binary", "BinaryValue": b"\0\1"},
            },
            sqs({"text": SQS_TEXT, "number": SQS_TEXT, "binary": SQS_BINARY}),
        ),
    ],
    ids=["plain", "with attributes"],
)
def test_a_message_of_a_queue(server, user, attributes, shape):
    taker, (url, arn) = Taker(server, "SqsEvent"), queue(server)
    mapped(server, taker, arn)
    server.client("sqs", **user).send_message(QueueUrl=url, MessageBody="Test message.", MessageAttributes=attributes)
    check(taker.got(), shape)


def test_a_message_of_a_fifo_queue(server, user):
    taker, (url, arn) = Taker(server, "SqsEvent"), queue(server, FifoQueue="true", ContentBasedDeduplication="true")
    mapped(server, taker, arn)
    server.client("sqs", **user).send_message(QueueUrl=url, MessageBody="Test message.", MessageGroupId="1")
    check(taker.got(), SQS_FIFO)


def test_a_message_of_a_topic(server):
    sns, taker = server.client("sns"), Taker(server, "SnsEvent")
    topic = sns.create_topic(Name=name("t"))["TopicArn"]
    taker.open_to("sns.amazonaws.com", topic)
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=taker.arn)
    sns.publish(
        TopicArn=topic, Subject="TestInvoke", Message="Hello from SNS!",
        MessageAttributes={
            "Test": {"DataType": "String", "StringValue": "TestString"}, "TestBinary": {"DataType": "Binary", "BinaryValue": b"TestBinary"},
        },
    )
    told = taker.got()
    check(told, SNS)
    assert set(told["event"]["Records"][0]["Sns"]["MessageAttributes"]) == {"Test", "TestBinary"}


def test_a_topics_message_without_a_subject_has_null_for_it(server):
    sns, taker = server.client("sns"), Taker(server, "SnsEvent")
    topic = sns.create_topic(Name=name("t"))["TopicArn"]
    taker.open_to("sns.amazonaws.com", topic)
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=taker.arn)
    sns.publish(TopicArn=topic, Message="Hello")
    (record,) = SNS["Records"]
    check(taker.got(), {"Records": [{**record, "Sns": {**record["Sns"], "Subject": None}}]})


def test_an_event_that_an_application_put(server):
    taker, source = Taker(server, *BRIDGE), name("my.app")
    ruled(server, taker, EventPattern=json.dumps({"source": [source]}))
    entry = {"Source": source, "DetailType": "Paid", "Detail": '{"n": 1, "of": ["a"]}', "Resources": ["arn:aws:s3:::b"]}
    server.client("events").put_events(Entries=[entry])
    check(taker.got(), event_bridge(source, "Paid", "arn:aws:s3:::b", {"n": 1, "of": ["a"]}))


def test_a_rules_schedule(virtual):
    taker = Taker(virtual, *BRIDGE)
    ruled(virtual, taker, ScheduleExpression="rate(1 day)")
    advance(virtual, "25h")
    check(taker.got(), RULE_SCHEDULE)


@pytest.fixture
def scheduled(virtual):
    """Schedules a function, once and soon."""
    iam, role = virtual.client("iam"), name("role")
    trust = {"Effect": "Allow", "Principal": {"Service": "scheduler.amazonaws.com"}, "Action": "sts:AssumeRole"}
    arn = iam.create_role(
        RoleName=role, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*"}]}
    iam.put_role_policy(RoleName=role, PolicyName="invoke", PolicyDocument=json.dumps(allow))

    def schedule(taker, **target):
        at = (now(virtual) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S")
        virtual.client("scheduler").create_schedule(
            Name=name("s"), ScheduleExpression=f"at({at})", FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": taker.arn, "RoleArn": arn, **target},
        )
        advance(virtual, "2h")

    return schedule


def test_a_schedule_without_an_input(virtual, scheduled):
    taker = Taker(virtual, *BRIDGE)
    scheduled(taker)
    check(taker.got(), SCHEDULER)


def test_a_schedules_input(virtual, scheduled):
    taker = Taker(virtual, "Value")
    scheduled(taker, Input='{"at": "<aws.scheduler.scheduled-time>", "try": "<aws.scheduler.attempt-number>"}')
    # https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
    check(taker.got(), {"at": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "try": "1"})


def test_a_request_at_an_open_url(server):
    taker = Taker(server, "LambdaFunctionUrlRequest", "ApiGatewayV2httpRequest")
    url = make_url(server, taker.name)
    headers = {"Cookie": "cookie1=a; cookie2=b", "Content-Type": "text/plain", "User-Agent": "agent", "Header1": "value1"}
    assert call(server, url, "/my/path?parameter1=value1&parameter1=value2&parameter2=value", "POST", headers, b"Hello").status == 200
    told = taker.got()
    check(told, URL_OPEN, {"LambdaFunctionUrlRequest": NOT_IN_URL_TYPE})


def test_a_request_at_a_url_that_wants_a_signature(server, user):
    taker = Taker(server, "LambdaFunctionUrlRequest", "ApiGatewayV2httpRequest")
    url = make_url(server, taker.name, "AWS_IAM")
    assert call(server, url, headers=sign(url, **user)).status == 200
    check(taker.got(), URL_IAM, {"LambdaFunctionUrlRequest": NOT_IN_URL_TYPE})


OBEDIENT = """
def handler(event, context):
    if event.get("fail"):
        raise ValueError("as asked")
    return {"done": True}
"""
RECORDS = {
    "success": ("OnSuccess", "Success", invocation_record("Success", {"done": True})),
    "failure": ("OnFailure", "Failure", invocation_record("RetriesExhausted", FAILURE, "Unhandled")),
}


def sent(server, target, event, **settings):
    """A function whose results go to a target, and an event for it."""
    client, made = server.client("lambda"), server.python(OBEDIENT, **settings)
    iam, role = server.client("iam"), client.get_function(FunctionName=made)["Configuration"]["Role"].rpartition("/")[2]
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_role_policy(RoleName=role, PolicyName="all", PolicyDocument=json.dumps(allow))
    client.put_function_event_invoke_config(FunctionName=made, MaximumRetryAttempts=0, DestinationConfig=target)
    client.invoke(FunctionName=made, InvocationType="Event", Payload=json.dumps(event))


@pytest.mark.parametrize("how", RECORDS)
def test_a_record_of_an_asynchronous_invocation(server, how):
    (kind, _, shape), taker = RECORDS[how], Taker(server, "Value")
    sent(server, {kind: {"Destination": taker.arn}}, {"fail": how == "failure"})
    check(taker.got(), shape)


@pytest.mark.parametrize("how", RECORDS)
def test_the_same_by_way_of_a_bus(server, how):
    (kind, result, shape), taker = RECORDS[how], Taker(server, *BRIDGE)
    mark = uuid.uuid4().hex
    ruled(server, taker, EventPattern=json.dumps({"source": ["lambda"], "detail": {"requestPayload": {"mark": [mark]}}}))
    bus = "arn:aws:events:us-east-1:000000000000:event-bus/default"
    sent(server, {kind: {"Destination": bus}}, {"fail": how == "failure", "mark": mark})
    check(taker.got(), invocation_result(shape, result))


def test_a_dead_letter(server):
    """https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html: the event and three attributes."""
    taker, (_, arn) = Taker(server, "SqsEvent"), queue(server)
    mapped(server, taker, arn)
    role = server.role()
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": arn}]}
    server.client("iam").put_role_policy(RoleName=role.rpartition("/")[2], PolicyName="send", PolicyDocument=json.dumps(allow))
    sent(server, {}, {"fail": True}, Role=role, DeadLetterConfig={"TargetArn": arn})
    told = taker.got()
    attributes = {"RequestID": SQS_TEXT, "ErrorCode": SQS_TEXT, "ErrorMessage": SQS_TEXT}
    check(told, sqs(attributes, **{"AWSTraceHeader?": r"Root=.+"}))
    assert json.loads(told["event"]["Records"][0]["body"]) == {"fail": True}
