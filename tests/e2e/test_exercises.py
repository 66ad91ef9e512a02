"""The classic exercises of a Lambda course, word by word, with the unmodified AWS CLI."""

import json
import os
import time

import pytest
from conftest import LAMBDA_TRUST, Server, eventually, zip_of

ACCOUNT = "000000000000"

GREETER = """
import os, urllib.parse
def handler(event, context):
    for record in event["Records"]:
        key = urllib.parse.unquote_plus(record["s3"]["object"]["key"])
        print(os.environ.get("GREETING", "Hello"), record["s3"]["object"]["key"], "|", key)
"""

THUMBNAILER = """
import boto3, urllib.parse
s3 = boto3.client("s3")
def handler(event, context):
    one = event["Records"][0]["s3"]
    key = urllib.parse.unquote_plus(one["object"]["key"])
    print("thumbnail of", key)
    s3.put_object(Bucket=one["bucket"]["name"], Key=key + ".t.txt", Body=b"small")
"""


@pytest.fixture(scope="module")
def virtual():
    running = Server("--time", "virtual")
    yield running
    assert running.stop() == 0, running.printed()


def lines(server, name, start):
    """What a function printed, by the CLI."""
    found = server.aws("logs", "filter-log-events", "--log-group-name", f"/aws/lambda/{name}", "--output", "json", check=False)
    events = json.loads(found.stdout)["events"] if found.returncode == 0 else []
    return [event["message"].strip() for event in events if event["message"].startswith(start)]


def create(server, directory, name, source, *more):
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "code.zip").write_bytes(zip_of({"app.py": source}))
    trust = directory / "trust.json"
    trust.write_text(LAMBDA_TRUST)
    server.aws("iam", "create-role", "--role-name", f"{name}-role", "--assume-role-policy-document", f"file://{trust}")
    server.aws(
        "lambda", "create-function", "--function-name", name, "--runtime", "python3.12", "--handler", "app.handler",
        "--role", f"arn:aws:iam::{ACCOUNT}:role/{name}-role", "--zip-file", f"fileb://{directory / 'code.zip'}",
        "--timeout", "60", "--memory-size", "1769", *more,
    )
    server.aws("lambda", "wait", "function-active-v2", "--function-name", name)
    return f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}"


def notify(server, directory, bucket, function, arn, prefix):
    server.aws(
        "lambda", "add-permission", "--function-name", function, "--statement-id", "s3", "--action", "lambda:InvokeFunction",
        "--principal", "s3.amazonaws.com", "--source-arn", f"arn:aws:s3:::{bucket}",
    )
    rules = [{"Name": "prefix", "Value": prefix}, {"Name": "suffix", "Value": ".txt"}]
    configuration = {"LambdaFunctionConfigurations": [
        {"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"], "Filter": {"Key": {"FilterRules": rules}}}]}
    (directory / "notification.json").write_text(json.dumps(configuration))
    server.aws(
        "s3api", "put-bucket-notification-configuration", "--bucket", bucket,
        "--notification-configuration", f"file://{directory / 'notification.json'}",
    )


def test_a_file_in_a_bucket_greets(server, tmp_path):
    name, bucket = f"greeter-{os.urandom(4).hex()}", f"photos-{os.urandom(4).hex()}"
    arn = create(server, tmp_path, name, GREETER)
    server.aws("s3", "mb", f"s3://{bucket}")
    notify(server, tmp_path, bucket, name, arn, "in/")
    (tmp_path / "a file.txt").write_text("content")

    server.aws("s3", "cp", str(tmp_path / "a file.txt"), f"s3://{bucket}/out/no.txt")
    server.aws("s3", "cp", str(tmp_path / "a file.txt"), f"s3://{bucket}/in/no.png")
    server.aws("s3", "cp", str(tmp_path / "a file.txt"), f"s3://{bucket}/in/my photo+1.txt")
    seen = eventually(lambda: lines(server, name, "Hello"), timeout=30, what="the greeting")
    assert seen == ["Hello in/my+photo%2B1.txt | in/my photo+1.txt"]

    server.aws("lambda", "update-function-configuration", "--function-name", name, "--environment", "Variables={GREETING=Servus}")
    server.aws("lambda", "wait", "function-updated-v2", "--function-name", name)
    server.aws("s3", "cp", str(tmp_path / "a file.txt"), f"s3://{bucket}/in/second.txt")
    assert eventually(lambda: lines(server, name, "Servus"), timeout=30, what="the other greeting") == ["Servus in/second.txt | in/second.txt"]
    assert len(lines(server, name, "Hello")) == 1, "once, and only for what is in the prefix with the suffix"

    server.aws("s3", "rb", "--force", f"s3://{bucket}")
    server.aws("lambda", "delete-function", "--function-name", name)
    server.aws("logs", "delete-log-group", "--log-group-name", f"/aws/lambda/{name}")
    server.aws("iam", "delete-role", "--role-name", f"{name}-role")
    assert bucket not in server.aws("s3", "ls")
    assert name not in server.aws("lambda", "list-functions") and name not in server.aws("logs", "describe-log-groups")


def test_a_line_is_in_the_log_within_a_second(server, tmp_path):
    name, bucket = f"quick-{os.urandom(4).hex()}", f"quick-{os.urandom(4).hex()}"
    arn = create(server, tmp_path, name, GREETER)
    server.aws("s3", "mb", f"s3://{bucket}")
    notify(server, tmp_path, bucket, name, arn, "in/")
    s3, logs = server.client("s3"), server.client("logs")
    stored = s3.put_object(Bucket=bucket, Key="in/a.txt", Body=b"x")["ResponseMetadata"]["HTTPHeaders"]["date"]

    def line():
        try:
            events = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}", filterPattern="Hello")["events"]
        except logs.exceptions.ResourceNotFoundException:
            return None
        return next(iter(events), None)

    event = eventually(line, timeout=30, what="the line")
    # By the stamps, which no load of the test's machine delays: a header's are whole seconds.
    sent = time.mktime(time.strptime(stored, "%a, %d %b %Y %H:%M:%S %Z")) - time.timezone
    assert event["ingestionTime"] / 1000 - sent < 3


def test_a_thumbnail_in_its_own_prefix_ends(virtual, tmp_path):
    arn = create(virtual, tmp_path, "thumbnails", THUMBNAILER)
    virtual.aws("s3", "mb", "s3://thumbs")
    notify(virtual, tmp_path, "thumbs", "thumbnails", arn, "in/")
    (tmp_path / "a.txt").write_text("picture")
    virtual.aws("s3", "cp", str(tmp_path / "a.txt"), "s3://thumbs/in/a.txt")

    def dropped():
        found = json.loads(virtual.hearth("metrics", "thumbnails", "--json").stdout)
        return sum(one["sum"] for one in found if one["metric"] == "RecursiveInvocationsDropped")

    eventually(dropped, timeout=60, what="the end of the loop")
    eventually(lambda: len(lines(virtual, "thumbnails", "thumbnail of")) == 16, timeout=30, what="sixteen thumbnails")


ORDERS = """
import json
def handler(event, context):
    failed = []
    for record in event["Records"]:
        order = json.loads(record["body"])
        if order.get("poison"):
            failed.append({"itemIdentifier": record["messageId"]})
        else:
            print("order", order["n"])
    return {"batchItemFailures": failed}
"""


def test_orders_are_processed_and_a_poisonous_one_is_put_aside(virtual, tmp_path):
    arn = create(virtual, tmp_path, "orders", ORDERS, "--timeout", "5")

    def queue(name, attributes):
        (tmp_path / f"{name}.json").write_text(json.dumps(attributes))
        url = json.loads(virtual.aws("sqs", "create-queue", "--queue-name", name, "--attributes", f"file://{tmp_path / name}.json"))
        return url["QueueUrl"]

    dead = queue("orders-dead", {})
    redrive = json.dumps({"deadLetterTargetArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:orders-dead", "maxReceiveCount": 3})
    url = queue("orders", {"RedrivePolicy": redrive, "VisibilityTimeout": "30"})
    virtual.aws(
        "lambda", "create-event-source-mapping", "--function-name", arn,
        "--event-source-arn", f"arn:aws:sqs:us-east-1:{ACCOUNT}:orders", "--batch-size", "10",
        "--maximum-batching-window-in-seconds", "5", "--function-response-types", "ReportBatchItemFailures",
    )
    for n in range(9):
        virtual.aws("sqs", "send-message", "--queue-url", url, "--message-body", json.dumps({"n": n}))
    virtual.aws("sqs", "send-message", "--queue-url", url, "--message-body", json.dumps({"poison": True}))

    def put_aside():
        virtual.aws("sqs", "get-queue-attributes", "--queue-url", url, "--attribute-names", "All")
        virtual.hearth("time", "advance", "6s")
        found = virtual.client("sqs").receive_message(QueueUrl=dead, AttributeNames=["All"]).get("Messages")
        return found

    (message,) = eventually(put_aside, timeout=90, what="the dead letter")
    assert json.loads(message["Body"]) == {"poison": True}
    done = sorted(line.strip() for line in lines(virtual, "orders", "order "))
    assert done == [f"order {n}" for n in range(9)], "each once"


def test_a_week_of_schedules_runs_in_seconds(tmp_path):
    server = Server("--time", "virtual")
    try:
        source = "def handler(event, context):\n    print('clean', event['resources'][0].rsplit('/')[-1], event['time'])\n"
        arn = create(server, tmp_path, "cleaner", source, "--timeout", "5")
        for rule, expression in (("minutely", "rate(1 minute)"), ("nightly", "cron(0 3 * * ? *)")):
            server.aws("events", "put-rule", "--name", rule, "--schedule-expression", expression)
            server.aws(
                "lambda", "add-permission", "--function-name", "cleaner", "--statement-id", rule, "--action", "lambda:InvokeFunction",
                "--principal", "events.amazonaws.com", "--source-arn", f"arn:aws:events:us-east-1:{ACCOUNT}:rule/{rule}",
            )
            server.aws("events", "put-targets", "--rule", rule, "--targets", f"Id=1,Arn={arn}")

        def invocations():
            found = json.loads(server.hearth("metrics", "cleaner", "--since", "9d", "--json").stdout)
            return sum(one["sum"] for one in found if one["metric"] == "Invocations" and list(one["dimensions"]) == ["FunctionName"])

        server.hearth("time", "advance", "6h")
        minutes = 6 * 60
        eventually(lambda: invocations() >= minutes, timeout=60, what="six hours of minutes")
        # The rest of the week without the minutes, whose ten thousand calls would take a while here.
        server.aws("events", "disable-rule", "--name", "minutely")
        before = invocations()
        server.hearth("time", "advance", "7d")
        eventually(lambda: invocations() >= before + 7, timeout=60, what="a week of nights")
        assert invocations() == before + 7
        seen = [line.split()[1] for line in lines(server, "cleaner", "clean ")]
        assert seen.count("nightly") >= 7 and seen.count("minutely") == minutes
    finally:
        assert server.stop() == 0
