"""Functions that call themselves are stopped, unless they are allowed to."""

import json

import pytest
from botocore.exceptions import ClientError

from conftest import Server, eventually

# Calls itself, as the SDKs do: with the trace header that it was called with.
LOOPING = """
import json, os, urllib.request
def handler(event, context):
    print('ran', json.dumps(event))
    request = urllib.request.Request(
        f"{os.environ['AWS_ENDPOINT_URL']}/2015-03-31/functions/{context.function_name}/invocations",
        data=json.dumps({'depth': event['depth'] + 1, 'kind': event['kind']}).encode(), method='POST',
        headers={'X-Amz-Invocation-Type': event['kind'], 'X-Amzn-Trace-Id': os.environ['_X_AMZN_TRACE_ID'],
                 'Authorization': 'AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/lambda/aws4_request, '
                                  'SignedHeaders=host, Signature=0'})
    try:
        with urllib.request.urlopen(request) as answer:
            body = answer.read()
            return json.loads(body) if body else event['depth']
    except urllib.error.HTTPError as error:
        return {'depth': event['depth'], 'status': error.code, 'error': error.headers['x-amzn-errortype'],
                'message': json.loads(error.read())}
"""


# Sends the next message, as the SDKs do.
THROUGH_QUEUE = """
import json, os, urllib.request
def handler(event, context):
    depth = int(event['Records'][0]['body'])
    print('ran', json.dumps({'depth': depth}))
    urllib.request.urlopen(urllib.request.Request(
        os.environ['AWS_ENDPOINT_URL'], method='POST',
        data=json.dumps({'QueueUrl': os.environ['QUEUE'], 'MessageBody': str(depth + 1)}).encode(),
        headers={'Content-Type': 'application/x-amz-json-1.0', 'X-Amz-Target': 'AmazonSQS.SendMessage',
                 'X-Amzn-Trace-Id': os.environ['_X_AMZN_TRACE_ID'],
                 'Authorization': 'AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sqs/aws4_request, '
                                  'SignedHeaders=host, Signature=0'}))
"""


# Publishes the next message, as the SDKs do.
THROUGH_TOPIC = """
import json, os, urllib.parse, urllib.request
def handler(event, context):
    depth = int(event['Records'][0]['Sns']['Message'])
    print('ran', json.dumps({'depth': depth}))
    form = {'Action': 'Publish', 'Version': '2010-03-31', 'TopicArn': os.environ['TOPIC'], 'Message': str(depth + 1)}
    urllib.request.urlopen(urllib.request.Request(
        os.environ['AWS_ENDPOINT_URL'], method='POST', data=urllib.parse.urlencode(form).encode(),
        headers={'Content-Type': 'application/x-www-form-urlencoded',
                 'X-Amzn-Trace-Id': os.environ['_X_AMZN_TRACE_ID'],
                 'Authorization': 'AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sns/aws4_request, '
                                  'SignedHeaders=host, Signature=0'}))
"""


@pytest.fixture(scope="module")
def virtual():
    running = Server("--time", "virtual")
    yield running
    assert running.stop() == 0, running.printed()


def depths(server, name):
    logs = server.client("logs")
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{name}")
    try:
        messages = [event["message"] for page in pages for event in page["events"]]
    except logs.exceptions.ResourceNotFoundException:
        return []
    return sorted(json.loads(message[4:])["depth"] for message in messages if message.startswith("ran "))


def measured(server, name, metric):
    """The sum of a metric of a function."""
    found = json.loads(server.hearth("metrics", name, "--json").stdout)
    return sum(one["sum"] for one in found if one["metric"] == metric and list(one["dimensions"]) == ["FunctionName"])


def test_a_function_that_calls_itself_synchronously_is_refused_after_sixteen_calls(server):
    name = server.python(LOOPING, Timeout=60, MemorySize=128)
    answer, _ = server.invoke(name, {"depth": 1, "kind": "RequestResponse"})
    assert answer["depth"] == 16
    assert answer["status"] == 400 and answer["error"].startswith("RecursiveInvocationException"), answer
    eventually(lambda: depths(server, name) == list(range(1, 17)), what="sixteen lines")
    assert measured(server, name, "RecursiveInvocationsDropped") == 1
    assert measured(server, name, "Invocations") == 16


def test_a_loop_of_events_ends(virtual):
    name = virtual.python(LOOPING)
    virtual.invoke(name, {"depth": 1, "kind": "Event"})
    eventually(lambda: measured(virtual, name, "RecursiveInvocationsDropped") == 1, what="the end of the loop")
    eventually(lambda: depths(virtual, name) == list(range(1, 17)), what="sixteen lines")
    assert measured(virtual, name, "AsyncEventsDropped") == 1
    assert measured(virtual, name, "AsyncEventsReceived") == 16


def test_a_loop_through_a_queue_ends_in_its_dead_letter_queue(virtual):
    sqs = virtual.client("sqs")

    def queue(name, **attributes):
        url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return url, found["Attributes"]["QueueArn"]

    dead_url, dead_arn = queue("loop-dead")
    redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 1})
    url, arn = queue("loop", RedrivePolicy=redrive, VisibilityTimeout="60")
    name = virtual.python(THROUGH_QUEUE, Timeout=10, Environment={"Variables": {"QUEUE": url}})
    virtual.client("lambda").create_event_source_mapping(FunctionName=name, EventSourceArn=arn, BatchSize=1)
    sqs.send_message(QueueUrl=url, MessageBody="1")
    eventually(lambda: measured(virtual, name, "RecursiveInvocationsDropped") >= 1, timeout=30, what="the end")
    eventually(lambda: depths(virtual, name) == list(range(1, 17)), what="sixteen lines")

    def given_up():
        virtual.hearth("time", "advance", "60s")
        return sqs.receive_message(QueueUrl=dead_url).get("Messages")

    (message,) = eventually(given_up, timeout=30, what="the dead letter")
    assert message["Body"] == "17"


def test_a_loop_through_a_topic_ends(virtual):
    sns, client = virtual.client("sns"), virtual.client("lambda")
    topic = sns.create_topic(Name="loop")["TopicArn"]
    name = virtual.python(THROUGH_TOPIC, Timeout=10, Environment={"Variables": {"TOPIC": topic}})
    client.add_permission(
        FunctionName=name, StatementId="sns", Action="lambda:InvokeFunction", Principal="sns.amazonaws.com", SourceArn=topic
    )
    arn = client.get_function_configuration(FunctionName=name)["FunctionArn"]
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn)
    sns.publish(TopicArn=topic, Message="1")
    eventually(lambda: measured(virtual, name, "RecursiveInvocationsDropped") == 1, timeout=30, what="the end")
    eventually(lambda: depths(virtual, name) == list(range(1, 17)), what="sixteen lines")


def test_a_loop_through_a_bucket_ends(virtual):
    s3, client = virtual.client("s3"), virtual.client("lambda")
    s3.create_bucket(Bucket="loop")
    name = virtual.python(
        # Writes its thumbnail where it is called for what is written.
        "import boto3, json\n"
        "s3 = boto3.client('s3')\n"
        "def handler(event, context):\n"
        "    depth = int(event['Records'][0]['s3']['object']['key'].rsplit('/')[-1])\n"
        "    print('ran', json.dumps({'depth': depth}))\n"
        "    s3.put_object(Bucket='loop', Key=f'in/{depth + 1}', Body=b'x')\n",
        Timeout=60, MemorySize=1769,
    )
    client.add_permission(
        FunctionName=name, StatementId="s3", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com", SourceArn="arn:aws:s3:::loop"
    )
    arn = client.get_function_configuration(FunctionName=name)["FunctionArn"]
    asked = {"LambdaFunctionConfigurations": [{"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    s3.put_bucket_notification_configuration(Bucket="loop", NotificationConfiguration=asked)
    s3.put_object(Bucket="loop", Key="in/1", Body=b"x")
    eventually(lambda: measured(virtual, name, "RecursiveInvocationsDropped") == 1, timeout=60, what="the end")
    eventually(lambda: depths(virtual, name) == list(range(1, 17)), what="sixteen lines")
    assert len(s3.list_objects_v2(Bucket="loop")["Contents"]) == 17


def test_a_loop_that_is_allowed_goes_on(server):
    stopping = LOOPING.replace("    request =", "    if event['depth'] == 20:\n        return 'the end'\n    request =", 1)
    name = server.python(stopping, Timeout=60, MemorySize=128)
    server.client("lambda").put_function_recursion_config(FunctionName=name, RecursiveLoop="Allow")
    assert server.invoke(name, {"depth": 1, "kind": "RequestResponse"})[0] == "the end"
    assert measured(server, name, "RecursiveInvocationsDropped") == 0


def test_chains_that_are_no_loops_go_on(server):
    name = server.python("import os\ndef handler(event, context):\n    return os.environ['_X_AMZN_TRACE_ID']\n")
    for _ in range(20):
        header, _ = server.invoke(name, {})
    assert header.split("Lineage=")[1].endswith(":1")


def test_the_sdk_in_a_function_passes_the_chain_on(server):
    inner = server.python("import os\ndef handler(event, context):\n    return os.environ['_X_AMZN_TRACE_ID']\n")
    outer = server.python(
        "import boto3, json, os\n"
        "def handler(event, context):\n"
        f"    answer = boto3.client('lambda').invoke(FunctionName='{inner}')\n"
        "    return [os.environ['_X_AMZN_TRACE_ID'], json.loads(answer['Payload'].read())]\n",
        Timeout=60,
        MemorySize=512,
    )
    (first, second), _ = server.invoke(outer, {})
    assert first.split(";")[0] == second.split(";")[0], "one trace"
    lineage = second.split("Lineage=")[1]
    assert lineage.startswith(first.split("Lineage=")[1] + "|"), (first, second)


def test_metrics_are_shown(server):
    name = server.python("def handler(event, context):\n    assert event != 'bad'\n")
    for event in ["good", "bad", "good"]:
        server.invoke(name, event)
    assert measured(server, name, "Invocations") == 3
    assert measured(server, name, "Errors") == 1
    printed = server.hearth("metrics", name).stdout
    assert printed.splitlines()[0].split() == ["METRIC", "OF", "SUM", "AVERAGE", "MAXIMUM"]
    assert any(line.split()[:3] == ["Errors", name, "1"] for line in printed.splitlines()), printed
    with pytest.raises(ClientError):
        server.client("lambda").invoke(FunctionName="nobody")
