"""SQS through boto3: queues, messages, and what SQS says when it refuses."""

import hashlib
import json
import threading
import time
import uuid

import pytest
from botocore.exceptions import ClientError
from conftest import eventually

ACCOUNT = "000000000000"


@pytest.fixture
def sqs(server):
    return server.client("sqs")


def queue(sqs, name=None, **attributes):
    name = name or f"q-{uuid.uuid4().hex[:10]}"
    return sqs.create_queue(QueueName=name, Attributes={key: str(value) for key, value in attributes.items()})["QueueUrl"]


def arn(sqs, url):
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def counts(sqs, url):
    names = ["", "NotVisible", "Delayed"]
    names = [f"ApproximateNumberOfMessages{name}" for name in names]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return tuple(int(found[name]) for name in names)


def refused(call, **parameters):
    """The error's code, the JSON protocol's name of it, and its message."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    error = caught.value.response["Error"]
    return error["Code"], error.get("QueryErrorCode"), error["Message"]


def receive(sqs, url, **parameters):
    return sqs.receive_message(QueueUrl=url, **parameters).get("Messages", [])


def bodies(messages):
    return [message["Body"] for message in messages]


def test_a_message_goes_in_and_comes_out(server, sqs):
    url = queue(sqs)
    assert url.startswith(f"{server.endpoint}/{ACCOUNT}/q-")
    sent = sqs.send_message(
        QueueUrl=url,
        MessageBody="hello \U0001f600",
        MessageAttributes={
            "Hello": {"DataType": "String", "StringValue": "There"},
            "Number": {"DataType": "Number.int", "StringValue": "42"},
            "Bytes": {"DataType": "Binary", "BinaryValue": b"\x00\x01"},
        },
        MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5759e988-bd862e3fe1be46a994272793"}},
    )
    assert sent["MD5OfMessageBody"] == hashlib.md5("hello \U0001f600".encode()).hexdigest()
    assert sent["MD5OfMessageSystemAttributes"] and "SequenceNumber" not in sent
    assert counts(sqs, url) == (1, 0, 0)
    [message] = receive(sqs, url, MessageSystemAttributeNames=["All"], MessageAttributeNames=["All"])
    assert message["Body"] == "hello \U0001f600" and message["MessageId"] == sent["MessageId"]
    assert message["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    assert message["MessageAttributes"]["Bytes"] == {"DataType": "Binary", "BinaryValue": b"\x00\x01"}
    system = message["Attributes"]
    assert system["ApproximateReceiveCount"] == "1" and system["SenderId"] == ACCOUNT
    assert system["AWSTraceHeader"].startswith("Root=1-")
    assert int(system["SentTimestamp"]) <= int(system["ApproximateFirstReceiveTimestamp"])
    assert counts(sqs, url) == (0, 1, 0) and receive(sqs, url) == []
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert counts(sqs, url) == (0, 0, 0)


def test_receivers_get_the_attributes_that_they_ask_for(sqs):
    url = queue(sqs)
    text = lambda value: {"DataType": "String", "StringValue": value}
    sent = {"Hello": text("There"), "General": text("Kenobi"), "Help.Me": text("Me")}
    sqs.send_message(QueueUrl=url, MessageBody="msg", MessageAttributes=sent)
    # As AWS answered, digests included.
    for names, expected, digest in [
        ([], None, None),
        (["All"], {"Hello", "General", "Help.Me"}, "4c360f3fdafd970e05fae2f149d997f5"),
        ([".*"], {"Hello", "General", "Help.Me"}, "4c360f3fdafd970e05fae2f149d997f5"),
        (["Hel.*"], {"Hello", "Help.Me"}, "83fee93c1bcd8b9a5a923ffacdc636c7"),
        (["Hello", "General"], {"Hello", "General"}, "fca026605781cb4126a1e9044df24232"),
        (["Hello", "Foo"], {"Hello"}, "a311262e065454b75da111d535b8dacd"),
        (["Foo"], None, None),
    ]:
        [message] = receive(sqs, url, MessageAttributeNames=names, VisibilityTimeout=0)
        assert (set(message.get("MessageAttributes", {})) or None) == expected
        assert message.get("MD5OfMessageAttributes") == digest
        assert "Attributes" not in message


def test_queues_are_found_listed_and_deleted(sqs):
    prefix = f"list-{uuid.uuid4().hex[:8]}"
    urls = [queue(sqs, f"{prefix}-{number}") for number in range(3)]
    assert sqs.get_queue_url(QueueName=f"{prefix}-1")["QueueUrl"] == urls[1]
    assert sqs.list_queues(QueueNamePrefix=prefix)["QueueUrls"] == urls
    page = sqs.list_queues(QueueNamePrefix=prefix, MaxResults=2)
    rest = sqs.list_queues(QueueNamePrefix=prefix, MaxResults=2, NextToken=page["NextToken"])
    assert page["QueueUrls"] + rest["QueueUrls"] == urls and "NextToken" not in rest
    assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix="nothing-is-called-so")
    sqs.delete_queue(QueueUrl=urls[0])
    missing = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "The specified queue does not exist.")
    assert refused(sqs.get_queue_url, QueueName=f"{prefix}-0") == missing
    assert refused(sqs.send_message, QueueUrl=urls[0], MessageBody="x") == missing
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        receive(sqs, urls[0])
    assert refused(sqs.create_queue, QueueName=f"{prefix}-0") == (
        "AWS.SimpleQueueService.QueueDeletedRecently",
        "QueueDeletedRecently",
        "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
    )
    assert refused(sqs.receive_message, QueueUrl="nonsense")[0] == "InvalidAddress"


def test_a_queue_of_the_same_name_must_be_the_same(sqs):
    url = queue(sqs, DelaySeconds=1)
    name = url.rsplit("/", 1)[1]
    assert queue(sqs, name) == url and queue(sqs, name, DelaySeconds=1, VisibilityTimeout=30) == url
    assert refused(sqs.create_queue, QueueName=name, Attributes={"DelaySeconds": "2"}) == (
        "QueueAlreadyExists",
        "QueueNameExists",
        "A queue already exists with the same name and a different value for attribute DelaySeconds",
    )


def test_attributes_have_defaults_and_can_be_changed(sqs):
    url = queue(sqs)
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert found.pop("CreatedTimestamp") == found.pop("LastModifiedTimestamp")
    assert found == {
        "QueueArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:{url.rsplit('/', 1)[1]}",
        "ApproximateNumberOfMessages": "0",
        "ApproximateNumberOfMessagesNotVisible": "0",
        "ApproximateNumberOfMessagesDelayed": "0",
        "VisibilityTimeout": "30",
        "MaximumMessageSize": "1048576",
        "MessageRetentionPeriod": "345600",
        "DelaySeconds": "0",
        "ReceiveMessageWaitTimeSeconds": "0",
        "SqsManagedSseEnabled": "true",
    }
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "69", "KmsMasterKeyId": "key"})
    names = ["VisibilityTimeout", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled"]
    assert sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"] == {
        "VisibilityTimeout": "69",
        "KmsMasterKeyId": "key",
        "KmsDataKeyReusePeriodSeconds": "300",
        "SqsManagedSseEnabled": "false",
    }
    assert "Attributes" not in sqs.get_queue_attributes(QueueUrl=url)
    set_one = lambda name, value: refused(sqs.set_queue_attributes, QueueUrl=url, Attributes={name: value})[::2]
    assert set_one("VisibilityTimeout", "43201") == ("InvalidAttributeValue", "Invalid value for the parameter VisibilityTimeout.")
    assert set_one("Nonsense", "1") == ("InvalidAttributeName", "Unknown Attribute Nonsense.")
    assert set_one("FifoQueue", "true") == ("InvalidAttributeName", "Unknown Attribute FifoQueue.")
    assert refused(sqs.get_queue_attributes, QueueUrl=url, AttributeNames=["Nonsense"])[0] == "InvalidAttributeName"


def test_what_cannot_be_sent_is_refused_in_awss_words(sqs):
    url = queue(sqs, MaximumMessageSize=1024)
    send = lambda **parameters: refused(sqs.send_message, QueueUrl=url, **parameters)
    assert send(MessageBody="x" * 1025) == (
        "InvalidParameterValue",
        "InvalidParameterValueException",
        "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes.",
    )
    assert send(MessageBody="x", DelaySeconds=901)[2] == (
        "Value 901 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900."
    )
    assert send(MessageBody="\u0001")[0] == "InvalidMessageContents"
    assert send(MessageBody="") == (
        "MissingParameter",
        "MissingRequiredParameterException",
        "The request must contain the parameter MessageBody.",
    )
    assert refused(sqs.receive_message, QueueUrl=url, MaxNumberOfMessages=11)[2] == (
        "Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided."
    )
    assert refused(sqs.receive_message, QueueUrl=url, WaitTimeSeconds=21)[2] == (
        "Value 21 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided."
    )
    assert refused(sqs.delete_message, QueueUrl=url, ReceiptHandle="garbage") == (
        "ReceiptHandleIsInvalid",
        "ReceiptHandleIsInvalid",
        'The input receipt handle "garbage" is not a valid receipt handle.',
    )


def test_a_mebibyte_fits(sqs):
    url = queue(sqs)
    body = "é" * (1 << 19)
    sqs.send_message(QueueUrl=url, MessageBody=body)
    assert bodies(receive(sqs, url)) == [body]
    assert refused(sqs.send_message, QueueUrl=url, MessageBody=body + "x")[2].endswith("Message must be shorter than 1048576 bytes.")


def test_batches_fail_in_part_and_as_a_whole(sqs):
    url = queue(sqs)
    entry = lambda id, body="x", **more: {"Id": id, "MessageBody": body, **more}
    done = sqs.send_message_batch(QueueUrl=url, Entries=[entry("a", "1"), entry("b", "\u0001"), entry("c", "3", DelaySeconds=901)])
    assert [one["Id"] for one in done["Successful"]] == ["a"]
    assert [(one["Id"], one["Code"], one["SenderFault"]) for one in done["Failed"]] == [
        ("b", "InvalidMessageContents", True),
        ("c", "InvalidParameterValue", True),
    ]
    whole = lambda entries: refused(sqs.send_message_batch, QueueUrl=url, Entries=entries)[1:]
    assert whole([entry(str(number)) for number in range(20)]) == (
        "TooManyEntriesInBatchRequest",
        "Maximum number of entries per request are 10. You have sent 20.",
    )
    assert whole([entry("a"), entry("a")])[0] == "BatchEntryIdsNotDistinct"
    assert whole([entry("a:b")])[0] == "InvalidBatchEntryId"
    assert whole([entry("a", "x" * (1 << 20)), entry("b", "y")]) == (
        "BatchRequestTooLong",
        "Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes.",
    )
    [message] = receive(sqs, url)
    handles = [{"Id": "good", "ReceiptHandle": message["ReceiptHandle"]}, {"Id": "bad", "ReceiptHandle": "garbage"}]
    changed = sqs.change_message_visibility_batch(QueueUrl=url, Entries=[{**one, "VisibilityTimeout": 60} for one in handles])
    assert [one["Id"] for one in changed["Successful"]] == ["good"]
    done = sqs.delete_message_batch(QueueUrl=url, Entries=handles)
    assert [one["Id"] for one in done["Successful"]] == ["good"]
    assert [(one["Id"], one["Code"]) for one in done["Failed"]] == [("bad", "ReceiptHandleIsInvalid")]
    assert counts(sqs, url) == (0, 0, 0)


def test_visibility_is_changed_and_runs_out(sqs):
    url = queue(sqs)
    sqs.send_message(QueueUrl=url, MessageBody="again")
    [first] = receive(sqs, url)
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"], VisibilityTimeout=0)
    [second] = receive(sqs, url, AttributeNames=["ApproximateReceiveCount"])
    assert second["MessageId"] == first["MessageId"] and second["Attributes"] == {"ApproximateReceiveCount": "2"}
    assert refused(
        sqs.change_message_visibility, QueueUrl=url, ReceiptHandle=second["ReceiptHandle"], VisibilityTimeout=43201
    )[2].startswith("Value 43201 for parameter VisibilityTimeout is invalid.")
    # An old receipt does not change anything, and deletes.
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"], VisibilityTimeout=0)
    assert counts(sqs, url) == (0, 1, 0)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
    assert counts(sqs, url) == (0, 0, 0)
    assert "Message does not exist" in refused(
        sqs.change_message_visibility, QueueUrl=url, ReceiptHandle=second["ReceiptHandle"], VisibilityTimeout=1
    )[2]


def test_a_receiver_that_waits_is_woken_at_once(server, sqs):
    url = queue(sqs)
    got = {}

    def wait():
        got["messages"] = bodies(receive(server.client("sqs"), url, WaitTimeSeconds=20))
        got["at"] = time.monotonic()

    waiter = threading.Thread(target=wait)
    waiter.start()
    time.sleep(0.2)  # let it wait; a sleep too short only makes the test easier
    sqs.send_message(QueueUrl=url, MessageBody="now")
    sent = time.monotonic()
    waiter.join()
    assert got["messages"] == ["now"] and got["at"] - sent < 0.5
    started = time.monotonic()
    assert receive(sqs, url, WaitTimeSeconds=1) == [] and time.monotonic() - started >= 1


def test_a_purge_empties_the_queue_once_a_minute(sqs):
    url = queue(sqs)
    for number in range(3):
        sqs.send_message(QueueUrl=url, MessageBody=str(number))
    receive(sqs, url)
    sqs.purge_queue(QueueUrl=url)
    assert counts(sqs, url) == (0, 0, 0)
    name = url.rsplit("/", 1)[1]
    assert refused(sqs.purge_queue, QueueUrl=url) == (
        "AWS.SimpleQueueService.PurgeQueueInProgress",
        "PurgeQueueInProgress",
        f"Only one PurgeQueue operation on {name} is allowed every 60 seconds.",
    )
    sqs.send_message(QueueUrl=url, MessageBody="after")
    assert bodies(receive(sqs, url)) == ["after"]


def test_messages_received_too_often_are_dead_lettered_with_their_age(sqs):
    dead = queue(sqs)
    policy = {"deadLetterTargetArn": arn(sqs, dead), "maxReceiveCount": "2"}
    url = queue(sqs, RedrivePolicy=json.dumps(policy))
    shown = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])["Attributes"]["RedrivePolicy"]
    assert json.loads(shown) == {"deadLetterTargetArn": arn(sqs, dead), "maxReceiveCount": 2}
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [url]
    sent = sqs.send_message(QueueUrl=url, MessageBody="poison")
    stamps = set()
    for _ in range(2):
        [message] = receive(sqs, url, VisibilityTimeout=0, AttributeNames=["SentTimestamp"])
        stamps.add(message["Attributes"]["SentTimestamp"])
    sqs.send_message(QueueUrl=url, MessageBody="good")
    assert bodies(receive(sqs, url)) == ["good"]
    assert counts(sqs, dead) == (1, 0, 0)
    [message] = receive(sqs, dead, AttributeNames=["All"])
    assert message["MessageId"] == sent["MessageId"] and message["Body"] == "poison"
    assert message["Attributes"]["DeadLetterQueueSourceArn"] == arn(sqs, url)
    assert message["Attributes"]["SentTimestamp"] in stamps and message["Attributes"]["ApproximateReceiveCount"] == "1"


def test_redrive_policies_are_checked(sqs):
    url, dead = queue(sqs), queue(sqs)
    policy = lambda **policy: refused(sqs.set_queue_attributes, QueueUrl=url, Attributes={"RedrivePolicy": json.dumps(policy)})[2]
    assert policy(deadLetterTargetArn="dummy", maxReceiveCount=42) == (
        'Value {"deadLetterTargetArn": "dummy", "maxReceiveCount": 42} for parameter RedrivePolicy is invalid. '
        "Reason: Invalid value for deadLetterTargetArn."
    )
    assert policy(deadLetterTargetArn=f"arn:aws:sqs:us-east-1:{ACCOUNT}:nowhere", maxReceiveCount=1).endswith(
        "Dead letter target does not exist."
    )
    sqs.set_queue_attributes(QueueUrl=dead, Attributes={"RedriveAllowPolicy": json.dumps({"redrivePermission": "denyAll"})})
    assert "RedriveAllowPolicy" in policy(deadLetterTargetArn=arn(sqs, dead), maxReceiveCount=1)
    sqs.set_queue_attributes(
        QueueUrl=dead,
        Attributes={"RedriveAllowPolicy": json.dumps({"redrivePermission": "byQueue", "sourceQueueArns": [arn(sqs, url)]})},
    )
    good = {"deadLetterTargetArn": arn(sqs, dead), "maxReceiveCount": 1}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": json.dumps(good)})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": ""})
    assert "Attributes" not in sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])


def test_move_tasks_bring_messages_back(sqs):
    dead = queue(sqs)
    policy = json.dumps({"deadLetterTargetArn": arn(sqs, dead), "maxReceiveCount": 1})
    url, elsewhere = queue(sqs, RedrivePolicy=policy), queue(sqs)
    for number in range(5):
        sqs.send_message(QueueUrl=url, MessageBody=str(number))
    assert len(receive(sqs, url, MaxNumberOfMessages=10, VisibilityTimeout=0)) == 5
    assert receive(sqs, url) == [] and counts(sqs, dead) == (5, 0, 0)

    task = sqs.start_message_move_task(SourceArn=arn(sqs, dead))["TaskHandle"]
    results = lambda: sqs.list_message_move_tasks(SourceArn=arn(sqs, dead), MaxResults=10)["Results"]
    eventually(lambda: results()[0]["Status"] == "COMPLETED", what="the task's end")
    [done] = results()
    assert done["ApproximateNumberOfMessagesMoved"] == done["ApproximateNumberOfMessagesToMove"] == 5
    assert "TaskHandle" not in done and "DestinationArn" not in done
    assert counts(sqs, url) == (5, 0, 0) and counts(sqs, dead) == (0, 0, 0)
    assert refused(sqs.cancel_message_move_task, TaskHandle=task)[0] == "InvalidParameterValue"

    assert len(receive(sqs, url, MaxNumberOfMessages=10, VisibilityTimeout=0)) == 5
    assert receive(sqs, url) == []
    start = lambda **more: sqs.start_message_move_task(SourceArn=arn(sqs, dead), DestinationArn=arn(sqs, elsewhere), **more)
    task = start(MaxNumberOfMessagesPerSecond=1)["TaskHandle"]
    assert refused(start)[2] == (
        "There is already a task running. Only one active task is allowed for a source queue arn at a given time."
    )
    eventually(lambda: counts(sqs, elsewhere)[0] >= 1, what="the first message")
    sqs.cancel_message_move_task(TaskHandle=task)
    eventually(lambda: results()[0]["Status"] == "CANCELLED", what="the task's end")
    assert 1 <= results()[0]["ApproximateNumberOfMessagesMoved"] < 5 and len(results()) == 2


def test_move_tasks_are_refused_in_awss_words(sqs):
    url = queue(sqs)
    assert refused(sqs.start_message_move_task, SourceArn=arn(sqs, url))[2] == "Source queue must be configured as a Dead Letter Queue."
    nowhere = f"arn:aws:sqs:us-east-1:{ACCOUNT}:nowhere"
    assert refused(sqs.start_message_move_task, SourceArn=nowhere) == (
        "ResourceNotFoundException",
        "ResourceNotFoundException",
        "The resource that you specified for the SourceArn parameter doesn't exist.",
    )
    assert refused(sqs.start_message_move_task, SourceArn=arn(sqs, url), DestinationArn=nowhere)[2].endswith(
        "DestinationArn parameter doesn't exist."
    )
    assert refused(sqs.cancel_message_move_task, TaskHandle="foobar")[2] == "Value for parameter TaskHandle is invalid."


def test_tags_are_kept(sqs):
    url = sqs.create_queue(QueueName=f"q-{uuid.uuid4().hex}", tags={"tag1": "value1"})["QueueUrl"]
    sqs.tag_queue(QueueUrl=url, Tags={"tag2": "value2", "tag3": ""})
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"tag1": "value1", "tag2": "value2", "tag3": ""}
    sqs.untag_queue(QueueUrl=url, TagKeys=["tag1", "tag3"])
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"tag2": "value2"}


def test_permissions_are_statements_of_the_policy(sqs):
    url = queue(sqs)
    add = dict(QueueUrl=url, Label="label", AWSAccountIds=["111111111111", "222222222222"], Actions=["ReceiveMessage"])
    sqs.add_permission(**add)
    policy = json.loads(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"])
    assert policy == {
        "Version": "2008-10-17",
        "Id": f"{arn(sqs, url)}/SQSDefaultPolicy",
        "Statement": [
            {
                "Sid": "label",
                "Effect": "Allow",
                "Principal": {"AWS": ["arn:aws:iam::111111111111:root", "arn:aws:iam::222222222222:root"]},
                "Action": "SQS:ReceiveMessage",
                "Resource": arn(sqs, url),
            }
        ],
    }
    assert refused(sqs.add_permission, **add)[2] == "Value label for parameter Label is invalid. Reason: Already exists."
    sqs.remove_permission(QueueUrl=url, Label="label")
    assert "Attributes" not in sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])
    assert refused(sqs.remove_permission, QueueUrl=url, Label="label")[2] == (
        "Value label for parameter Label is invalid. Reason: can't find label."
    )


def test_a_flood_of_one_tenant_does_not_delay_another(sqs):
    url = queue(sqs)
    for start in range(0, 30, 10):
        entries = [{"Id": str(n), "MessageBody": f"loud {n}", "MessageGroupId": "loud"} for n in range(start, start + 10)]
        sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert len(receive(sqs, url, MaxNumberOfMessages=10)) == 10
    sqs.send_message(QueueUrl=url, MessageBody="quiet", MessageGroupId="quiet")
    assert bodies(receive(sqs, url)) == ["quiet"]


def test_queues_live_in_the_callers_region_and_account(server, sqs):
    url = queue(sqs)
    name = url.rsplit("/", 1)[1]
    elsewhere = server.client("sqs", region="eu-west-1")
    assert refused(elsewhere.get_queue_url, QueueName=name)[1] == "QueueDoesNotExist"
    stranger = server.client("sqs", key="111111111111")
    assert refused(stranger.send_message, QueueUrl=url, MessageBody="x")[0] in ("AccessDenied", "AccessDeniedException")


def test_delays_timeouts_and_ages_go_by_the_servers_time(start):
    server = start("--time", "virtual")
    sqs = server.client("sqs")
    url = queue(sqs, DelaySeconds=60, VisibilityTimeout=43200, MessageRetentionPeriod=86400)
    sqs.send_message(QueueUrl=url, MessageBody="delayed")
    sqs.send_message(QueueUrl=url, MessageBody="at once", DelaySeconds=0)
    assert counts(sqs, url) == (1, 0, 1) and bodies(receive(sqs, url)) == ["at once"]
    server.hearth("time", "advance", "59s")
    assert receive(sqs, url) == []
    got = []
    waiter = threading.Thread(target=lambda: got.extend(bodies(receive(server.client("sqs"), url, WaitTimeSeconds=20))))
    waiter.start()
    server.hearth("time", "advance", "1s")
    waiter.join()
    assert got == ["delayed"] and counts(sqs, url) == (0, 2, 0)
    server.hearth("time", "advance", "12h")
    assert counts(sqs, url) == (2, 0, 0)
    server.hearth("time", "advance", "12h")
    assert counts(sqs, url) == (0, 0, 0)
    sqs.delete_queue(QueueUrl=url)
    name = url.rsplit("/", 1)[1]
    assert refused(sqs.create_queue, QueueName=name)[1] == "QueueDeletedRecently"
    server.hearth("time", "advance", "60s")
    assert queue(sqs, name) == url


def test_a_function_uses_the_same_url(server, sqs):
    url = queue(sqs)
    name = server.python(
        "import boto3\n"
        "def handler(event, context):\n"
        "    return boto3.client('sqs').send_message(QueueUrl=event['url'], MessageBody='from inside')['MessageId']\n",
        Timeout=60,
    )
    sent, _ = server.invoke(name, {"url": url})
    [message] = receive(sqs, url, AttributeNames=["SenderId"])
    assert message["MessageId"] == sent and message["Attributes"]["SenderId"].endswith(f":{name}")


def test_a_policy_lets_another_account_in(server, sqs):
    url = queue(sqs)
    stranger = server.client("sqs", key="111111111111")
    assert refused(stranger.send_message, QueueUrl=url, MessageBody="x")[0] == "AccessDenied"
    sqs.add_permission(QueueUrl=url, Label="l", AWSAccountIds=["111111111111"], Actions=["SendMessage"])
    stranger.send_message(QueueUrl=url, MessageBody="x")
    assert refused(stranger.receive_message, QueueUrl=url)[0] == "AccessDenied"
    [message] = receive(sqs, url, AttributeNames=["SenderId"])
    assert message["Attributes"] == {"SenderId": "111111111111"}
    deny = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn(sqs, url)}]}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(deny)})
    assert refused(sqs.send_message, QueueUrl=url, MessageBody="x")[0] == "AccessDenied"


def test_what_a_function_could_not_do_ends_in_a_queue(server, sqs):
    url = queue(sqs)
    name = server.python("def handler(event, context):\n    raise ValueError(event['n'])\n")
    client = server.client("lambda")
    try:
        client.put_function_event_invoke_config(
            FunctionName=name, MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": arn(sqs, url)}}
        )
    except ClientError as error:
        if error.response["Error"]["Code"] == "NotImplemented":
            pytest.skip("no event invoke configurations yet")
        raise
    assert server.invoke(name, {"n": 7}, InvocationType="Event")[1]["StatusCode"] == 202
    [message] = receive(sqs, url, WaitTimeSeconds=20)
    record = json.loads(message["Body"])
    assert record["requestPayload"] == {"n": 7} and record["responseContext"]["functionError"] == "Unhandled"
