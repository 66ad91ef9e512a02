"""What happens in a bucket is told: to queues, topics, functions and EventBridge, once they let S3 tell them."""

import json
import os
import re

import pytest
from botocore.exceptions import ClientError
from conftest import eventually

ACCOUNT = "000000000000"


def allow(service_action, resource, bucket):
    return json.dumps({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Action": service_action,
            "Resource": resource,
            "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{bucket}"}, "StringEquals": {"aws:SourceAccount": ACCOUNT}},
        }],
    })


class Queue:
    """A queue, and what has come into it."""

    def __init__(self, server):
        self.sqs = server.client("sqs")
        name = f"q-{os.urandom(4).hex()}"
        self.url = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        self.arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"

    def open_to(self, service_policy):
        self.sqs.set_queue_attributes(QueueUrl=self.url, Attributes={"Policy": service_policy})
        return self

    def messages(self, count):
        found = []

        def enough():
            for message in self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", []):
                found.append(json.loads(message["Body"]))
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
            return len(found) >= count

        eventually(enough, timeout=30, what=f"{count} messages")
        return found

    def records(self, count):
        return [record for message in self.messages(count) for record in message["Records"]]


@pytest.fixture
def s3(server):
    return server.client("s3")


@pytest.fixture
def bucket(s3):
    name = f"notes-{os.urandom(4).hex()}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def queue(server, bucket):
    queue = Queue(server)
    return queue.open_to(allow("sqs:SendMessage", queue.arn, bucket))


def configure(s3, bucket, **configuration):
    return s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)


def to_queue(queue, events=("s3:ObjectCreated:*",), prefix=None, suffix=None, **more):
    rules = [{"Name": name, "Value": value} for name, value in (("prefix", prefix), ("suffix", suffix)) if value]
    filtered = {"Filter": {"Key": {"FilterRules": rules}}} if rules else {}
    return {"QueueArn": queue.arn, "Events": list(events), **filtered, **more}


def refusal(call, **asked):
    with pytest.raises(ClientError) as refused:
        call(**asked)
    return refused.value.response["Error"]


def test_a_queue_hears_what_it_asked_for(s3, bucket, queue):
    configure(s3, bucket, QueueConfigurations=[to_queue(queue, ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"], "in/", ".txt", Id="mine")])
    [test] = queue.messages(1)
    assert (test["Service"], test["Event"], test["Bucket"]) == ("Amazon S3", "s3:TestEvent", bucket)
    assert set(test) == {"Service", "Event", "Time", "Bucket", "RequestId", "HostId"}

    for key in ("out/a.txt", "in/a.png"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    put = s3.put_object(Bucket=bucket, Key="in/a b+ü.txt", Body=b"hello")
    [record] = queue.records(1)
    sequencer = record["s3"]["object"].pop("sequencer")
    assert re.fullmatch(r"[0-9A-F]{16,}", sequencer)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record.pop("eventTime"))
    answered = put["ResponseMetadata"]["HTTPHeaders"]
    assert record == {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": ACCOUNT},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {"x-amz-request-id": answered["x-amz-request-id"], "x-amz-id-2": answered["x-amz-id-2"]},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "mine",
            "bucket": {"name": bucket, "ownerIdentity": {"principalId": ACCOUNT}, "arn": f"arn:aws:s3:::{bucket}"},
            "object": {"key": "in/a+b%2B%C3%BC.txt", "size": 5, "eTag": put["ETag"].strip('"')},
        },
    }
    s3.delete_object(Bucket=bucket, Key="in/a b+ü.txt")
    [removed] = queue.records(1)
    assert removed["eventName"] == "ObjectRemoved:Delete"
    assert set(removed["s3"]["object"]) == {"key", "sequencer"} and removed["s3"]["object"]["sequencer"] > sequencer


def test_versions_and_markers_are_named(s3, bucket, queue):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    configure(s3, bucket, QueueConfigurations=[to_queue(queue, ["s3:ObjectCreated:Put", "s3:ObjectRemoved:*"])])
    queue.messages(1)
    version = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["VersionId"]
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    s3.delete_object(Bucket=bucket, Key="k", VersionId=version)
    seen = sorted(queue.records(3), key=lambda record: record["s3"]["object"]["sequencer"])
    assert [(r["eventName"], r["s3"]["object"]["versionId"]) for r in seen] == [
        ("ObjectCreated:Put", version),
        ("ObjectRemoved:DeleteMarkerCreated", marker),
        ("ObjectRemoved:Delete", version),
    ]
    # A marker has the ETag of nothing, and what is gone has none.
    assert [r["s3"]["object"].get("eTag", "")[:4] for r in seen] == ["9dd4", "d41d", ""]


def test_a_topic_passes_it_on(server, s3, bucket):
    sns, queue = server.client("sns"), Queue(server)
    topic = sns.create_topic(Name=f"t-{os.urandom(4).hex()}")["TopicArn"]
    queue.open_to(json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": queue.arn}]}))
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn)
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=allow("sns:Publish", topic, bucket))
    configure(s3, bucket, TopicConfigurations=[{"TopicArn": topic, "Events": ["s3:ObjectCreated:Put"]}])
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    first, second = sorted(queue.messages(2), key=lambda message: message["Timestamp"])
    assert first["Subject"] == "Amazon S3 Notification" and json.loads(first["Message"])["Event"] == "s3:TestEvent"
    assert json.loads(second["Message"])["Records"][0]["s3"]["object"]["key"] == "k"


def test_a_function_is_invoked_and_can_read_the_object(server, s3, bucket):
    name = server.python(
        "import boto3, urllib.parse\n"
        "def handler(event, context):\n"
        "    one = event['Records'][0]['s3']\n"
        "    key = urllib.parse.unquote_plus(one['object']['key'])\n"
        "    body = boto3.client('s3').get_object(Bucket=one['bucket']['name'], Key=key)['Body'].read()\n"
        "    print('read', key, body.decode())\n",
        Timeout=30, MemorySize=1769,
    )
    function = server.client("lambda").get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    asked = {"LambdaFunctionArn": function, "Events": ["s3:ObjectCreated:*"]}
    error = refusal(configure, s3=s3, bucket=bucket, LambdaFunctionConfigurations=[asked])
    assert (error["Code"], error["Message"]) == ("InvalidArgument", "Unable to validate the following destination configurations")
    assert (error["ArgumentName"], error["ArgumentValue"]) == (function, "Not authorized to invoke function")
    assert "LambdaFunctionConfigurations" not in s3.get_bucket_notification_configuration(Bucket=bucket)
    server.client("lambda").add_permission(
        FunctionName=name, StatementId="s3", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com",
        SourceArn=f"arn:aws:s3:::{bucket}", SourceAccount=ACCOUNT,
    )
    configure(s3, bucket, LambdaFunctionConfigurations=[asked])
    s3.put_object(Bucket=bucket, Key="my photo+1.jpg", Body=b"pixels")
    logs = server.client("logs")

    def line():
        try:
            events = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
        except logs.exceptions.ResourceNotFoundException:
            return None
        return next((event["message"] for event in events if event["message"].startswith("read ")), None)

    assert eventually(line, timeout=30, what="the line").strip() == "read my photo+1.jpg pixels"


def test_eventbridge_hears_everything(server, s3, bucket):
    events, queue = server.client("events"), Queue(server)
    rule = f"r-{os.urandom(4).hex()}"
    arn = events.put_rule(Name=rule, EventPattern=json.dumps({"source": ["aws.s3"], "detail": {"bucket": {"name": [bucket]}}}))["RuleArn"]
    queue.open_to(json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage",
         "Resource": queue.arn, "Condition": {"ArnEquals": {"aws:SourceArn": arn}}}]}))
    events.put_targets(Rule=rule, Targets=[{"Id": "q", "Arn": queue.arn}])
    configure(s3, bucket, EventBridgeConfiguration={})
    assert s3.get_bucket_notification_configuration(Bucket=bucket)["EventBridgeConfiguration"] == {}
    put = s3.put_object(Bucket=bucket, Key="a b", Body=b"hello")
    s3.delete_object(Bucket=bucket, Key="a b")
    created, deleted = sorted(queue.messages(2), key=lambda event: event["detail-type"])
    assert (created["detail-type"], created["source"], created["resources"]) == ("Object Created", "aws.s3", [f"arn:aws:s3:::{bucket}"])
    detail = created["detail"]
    assert detail["object"].pop("sequencer")
    assert detail == {
        "version": "0",
        "event-version": "1.1",
        "bucket": {"name": bucket},
        "object": {"key": "a b", "size": 5, "etag": put["ETag"].strip('"')},
        "request-id": put["ResponseMetadata"]["HTTPHeaders"]["x-amz-request-id"],
        "requester": ACCOUNT,
        "source-ip-address": "127.0.0.1",
        "reason": "PutObject",
    }
    assert (deleted["detail-type"], deleted["detail"]["deletion-type"]) == ("Object Deleted", "Permanently Deleted")


def test_a_configuration_comes_back_as_it_was_set(s3, bucket, queue):
    assert set(s3.get_bucket_notification_configuration(Bucket=bucket)) == {"ResponseMetadata"}
    asked = to_queue(queue, ["s3:ObjectCreated:Put", "s3:ObjectTagging:*"], "a/", ".b")
    configure(s3, bucket, QueueConfigurations=[asked])
    [found] = s3.get_bucket_notification_configuration(Bucket=bucket)["QueueConfigurations"]
    assert found.pop("Id")
    assert (found["QueueArn"], found["Events"]) == (queue.arn, asked["Events"])
    rules = {rule["Name"].lower(): rule["Value"] for rule in found["Filter"]["Key"]["FilterRules"]}
    assert rules == {"prefix": "a/", "suffix": ".b"}
    configure(s3, bucket)
    assert set(s3.get_bucket_notification_configuration(Bucket=bucket)) == {"ResponseMetadata"}


def test_what_no_configuration_can_be(server, s3, bucket, queue):
    def error(*configurations, **more):
        found = refusal(configure, s3=s3, bucket=bucket, QueueConfigurations=list(configurations), **more)
        assert found["Code"] == "InvalidArgument", found
        return found["Message"]

    assert error(to_queue(queue, ["s3:ObjectMade"])) == "A specified event is not supported for notifications."
    overlapping = "Configurations overlap. Configurations on the same bucket cannot share a common event type."
    assert error(to_queue(queue), to_queue(queue, ["s3:ObjectCreated:Put"], "a")) == overlapping
    assert error(to_queue(queue, prefix="x" * 1025)).startswith("Size of filter rule value cannot exceed 1024 bytes")
    two = {"Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "a"}, {"Name": "Prefix", "Value": "b"}]}}}
    assert error({**to_queue(queue), **two}) == "Cannot specify more than one prefix rule in a filter."
    assert error({**to_queue(queue), "QueueArn": "nonsense"}) == "The ARN is not well formed"
    elsewhere = queue.arn.replace("us-east-1", "eu-west-1")
    assert "region is not valid" in error({**to_queue(queue), "QueueArn": elsewhere})
    unfit = "Unable to validate the following destination configurations"
    assert error({**to_queue(queue), "QueueArn": queue.arn + "x"}) == unfit
    assert error(to_queue(Queue(server))) == unfit
    assert set(s3.get_bucket_notification_configuration(Bucket=bucket)) == {"ResponseMetadata"}
    # Who is sure can say so.
    skipped = {"QueueConfigurations": [to_queue(Queue(server))]}
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=skipped, SkipDestinationValidation=True)


def test_a_queue_that_closes_hears_no_more(server, s3, bucket, queue):
    configure(s3, bucket, QueueConfigurations=[to_queue(queue)])
    queue.messages(1)
    queue.sqs.set_queue_attributes(QueueUrl=queue.url, Attributes={"Policy": ""})
    s3.put_object(Bucket=bucket, Key="unheard", Body=b"x")
    eventually(lambda: f'given up target_arn="{queue.arn}"' in server.printed(), what="the notification given up")
    queue.open_to(allow("sqs:SendMessage", queue.arn, bucket))
    s3.put_object(Bucket=bucket, Key="heard", Body=b"x")
    assert [record["s3"]["object"]["key"] for record in queue.records(1)] == ["heard"]
