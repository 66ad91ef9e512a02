"""SQS as older clients speak it: forms in, XML out."""

import hashlib
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
import uuid
import xml.etree.ElementTree as ElementTree

import pytest
from test_sqs import queue, receive

NAMESPACE = "{http://queue.amazonaws.com/doc/2012-11-05/}"
# The system's own, which is older than SQS's JSON on some machines.
OLD_CLI = "/usr/bin/aws"


def call(server, action, path="/", method="POST", **parameters):
    """Status and parsed answer of a hand-written request, unsigned."""
    form = urllib.parse.urlencode({"Action": action, "Version": "2012-11-05", **parameters})
    url = server.endpoint + path
    request = (
        urllib.request.Request(url, form.encode(), {"Content-Type": "application/x-www-form-urlencoded"})
        if method == "POST"
        else urllib.request.Request(f"{url}?{form}")
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, ElementTree.fromstring(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, ElementTree.fromstring(error.read())


def text(root, *path):
    found = root.findall("/".join(NAMESPACE + part for part in path))
    return [one.text or "" for one in found]


def pairs(root, element):
    return {one.find(NAMESPACE + "Name").text: one.find(NAMESPACE + "Value") for one in root.iter(NAMESPACE + element)}


@pytest.fixture
def url(server):
    return queue(server.client("sqs"))


def test_a_queue_and_a_message_in_forms(server):
    name = f"q-{uuid.uuid4().hex[:10]}"
    attribute = {"Attribute.1.Name": "VisibilityTimeout", "Attribute.1.Value": "40", "Tag.1.Key": "k", "Tag.1.Value": "v"}
    status, answer = call(server, "CreateQueue", QueueName=name, **attribute)
    [url] = text(answer, "CreateQueueResult", "QueueUrl")
    assert status == 200 and answer.tag == NAMESPACE + "CreateQueueResponse"
    assert text(answer, "ResponseMetadata", "RequestId")[0]
    path = urllib.parse.urlsplit(url).path

    # To the queue's own address, without naming it again.
    status, answer = call(
        server,
        "SendMessage",
        path,
        MessageBody="a & b\n<c>",
        **{
            "MessageAttribute.1.Name": "Foo",
            "MessageAttribute.1.Value.DataType": "String",
            "MessageAttribute.1.Value.StringValue": "Bar",
            "MessageSystemAttribute.1.Name": "AWSTraceHeader",
            "MessageSystemAttribute.1.Value.DataType": "String",
            "MessageSystemAttribute.1.Value.StringValue": "Root=1",
        },
    )
    [id] = text(answer, "SendMessageResult", "MessageId")
    assert text(answer, "SendMessageResult", "MD5OfMessageBody") == [hashlib.md5(b"a & b\n<c>").hexdigest()]
    assert text(answer, "SendMessageResult", "MD5OfMessageAttributes") == ["ae7155c6026991b6d54b11589678bf9c"]

    wanted = {"AttributeName.1": "All", "MessageAttributeName.1": "All", "MaxNumberOfMessages": "10"}
    status, answer = call(server, "ReceiveMessage", path, **wanted)
    message = ("ReceiveMessageResult", "Message")
    assert text(answer, *message, "MessageId") == [id] and text(answer, *message, "Body") == ["a & b\n<c>"]
    assert pairs(answer, "Attribute")["ApproximateReceiveCount"].text == "1"
    assert pairs(answer, "Attribute")["AWSTraceHeader"].text == "Root=1"
    assert pairs(answer, "MessageAttribute")["Foo"].find(NAMESPACE + "StringValue").text == "Bar"
    [handle] = text(answer, *message, "ReceiptHandle")
    status, answer = call(server, "DeleteMessage", path, ReceiptHandle=handle)
    assert status == 200 and [child.tag for child in answer] == [NAMESPACE + "ResponseMetadata"]

    status, answer = call(server, "GetQueueAttributes", QueueUrl=url, **{"AttributeName.1": "VisibilityTimeout"})
    assert pairs(answer, "Attribute")["VisibilityTimeout"].text == "40"
    # As AWS's own examples write it, and with GET.
    call(server, "SetQueueAttributes", path, "GET", **{"Attribute.Name": "VisibilityTimeout", "Attribute.Value": "41"})
    status, answer = call(server, "GetQueueAttributes", path, "GET", **{"AttributeName.1": "All"})
    assert pairs(answer, "Attribute")["VisibilityTimeout"].text == "41"
    status, answer = call(server, "ListQueues", QueueNamePrefix=name)
    assert text(answer, "ListQueuesResult", "QueueUrl") == [url]
    status, answer = call(server, "ListQueueTags", path)
    assert text(answer, "ListQueueTagsResult", "Tag", "Key") == ["k"]


def test_batches_in_forms(server, url):
    entry = "SendMessageBatchRequestEntry"
    entries = {
        f"{entry}.1.Id": "a",
        f"{entry}.1.MessageBody": "one",
        f"{entry}.2.Id": "b",
        f"{entry}.2.MessageBody": "two",
        f"{entry}.2.DelaySeconds": "901",
    }
    _, answer = call(server, "SendMessageBatch", QueueUrl=url, **entries)
    result = "SendMessageBatchResult"
    assert text(answer, result, "SendMessageBatchResultEntry", "Id") == ["a"]
    assert text(answer, result, "BatchResultErrorEntry", "Code") == ["InvalidParameterValue"]
    assert text(answer, result, "BatchResultErrorEntry", "SenderFault") == ["true"]
    [message] = receive(server.client("sqs"), url)
    entry = "DeleteMessageBatchRequestEntry"
    _, answer = call(
        server, "DeleteMessageBatch", QueueUrl=url, **{f"{entry}.1.Id": "x", f"{entry}.1.ReceiptHandle": message["ReceiptHandle"]}
    )
    assert text(answer, "DeleteMessageBatchResult", "DeleteMessageBatchResultEntry", "Id") == ["x"]


@pytest.mark.parametrize(
    "action, parameters, status, code, message",
    [
        (
            "SendMessage",
            {"QueueUrl": "http://localhost/000000000000/nowhere", "MessageBody": "x"},
            400,
            "AWS.SimpleQueueService.NonExistentQueue",
            "The specified queue does not exist for this wsdl version.",
        ),
        ("GetQueueUrl", {}, 400, "MissingParameter", "The request must contain the parameter QueueName."),
        (
            "CreateQueue",
            {"QueueName": "a b"},
            400,
            "InvalidParameterValue",
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
        ),
        ("Nonsense", {}, 400, "InvalidAction", None),
    ],
)
def test_errors_have_the_names_of_the_query_protocol(server, action, parameters, status, code, message):
    seen, answer = call(server, action, **parameters)
    assert (seen, text(answer, "Error", "Code"), text(answer, "Error", "Type")) == (status, [code], ["Sender"])
    if message:
        assert text(answer, "Error", "Message") == [message]


def test_json_answers_tell_the_query_protocols_names(server):
    body = b'{"QueueUrl":"http://localhost/000000000000/nowhere","MessageBody":"x"}'
    headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AmazonSQS.SendMessage"}
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(urllib.request.Request(server.endpoint, body, headers))
    assert caught.value.headers["x-amzn-query-error"] == "AWS.SimpleQueueService.NonExistentQueue;Sender"
    assert b'"__type":"com.amazonaws.sqs#QueueDoesNotExist"' in caught.value.read()


def test_the_systems_own_cli(server, url):
    if not shutil.which(OLD_CLI):
        pytest.skip(f"this machine has no {OLD_CLI}")

    def aws(*arguments):
        command = [OLD_CLI, "sqs", *arguments, "--endpoint-url", server.endpoint, "--output", "text"]
        done = subprocess.run(command, env=server.cli_environment(), capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    aws("send-message", "--queue-url", url, "--message-body", "from the CLI")
    assert "from the CLI" in aws("receive-message", "--queue-url", url)
