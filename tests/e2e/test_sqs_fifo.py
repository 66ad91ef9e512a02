"""FIFO queues: order by group, each message once, and nothing else than AWS allows."""

import json
import threading
import uuid

import pytest
from test_sqs import arn, bodies, counts, queue, receive, refused


@pytest.fixture
def sqs(server):
    return server.client("sqs")


def fifo(sqs, **attributes):
    return queue(sqs, f"q-{uuid.uuid4().hex[:10]}.fifo", FifoQueue="true", **attributes)


def send(sqs, url, body, group="g", id=None, **more):
    return sqs.send_message(
        QueueUrl=url, MessageBody=body, MessageGroupId=group, MessageDeduplicationId=id or uuid.uuid4().hex, **more
    )


def test_a_group_keeps_its_order_and_others_go_on(sqs):
    url = fifo(sqs)
    numbers = [int(send(sqs, url, f"a{n}", "a")["SequenceNumber"]) for n in range(3)]
    assert numbers == sorted(numbers) and all(len(str(number)) == 20 for number in numbers)
    send(sqs, url, "b0", "b")
    first = receive(sqs, url, MaxNumberOfMessages=2, AttributeNames=["All"])
    assert bodies(first) == ["a0", "a1"]
    assert int(first[0]["Attributes"]["SequenceNumber"]) == numbers[0]
    assert first[0]["Attributes"]["MessageGroupId"] == "a"
    assert bodies(receive(sqs, url, MaxNumberOfMessages=10)) == ["b0"]
    assert receive(sqs, url) == []
    sqs.delete_message(QueueUrl=url, ReceiptHandle=first[0]["ReceiptHandle"])
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=first[1]["ReceiptHandle"], VisibilityTimeout=0)
    assert bodies(receive(sqs, url, MaxNumberOfMessages=10)) == ["a1", "a2"]


def test_a_message_sent_twice_is_there_once_even_after_it_was_deleted(sqs):
    url = fifo(sqs, ContentBasedDeduplication="true")
    one = send(sqs, url, "x", id="same")
    assert send(sqs, url, "y", id="same")["MessageId"] == one["MessageId"]
    assert send(sqs, url, "y", group="other", id="same")["SequenceNumber"] == one["SequenceNumber"]
    by_content = [sqs.send_message(QueueUrl=url, MessageBody="z", MessageGroupId="g")["MessageId"] for _ in range(2)]
    assert by_content[0] == by_content[1]
    messages = receive(sqs, url, MaxNumberOfMessages=10)
    assert bodies(messages) == ["x", "z"]
    for message in messages:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    send(sqs, url, "x", id="same")
    assert receive(sqs, url) == []


def test_deduplication_can_be_by_group(sqs):
    url = fifo(sqs, DeduplicationScope="messageGroup", FifoThroughputLimit="perMessageGroupId")
    send(sqs, url, "x", "a", id="same")
    send(sqs, url, "y", "b", id="same")
    send(sqs, url, "z", "a", id="same")
    assert bodies(receive(sqs, url, MaxNumberOfMessages=10)) == ["x", "y"]
    assert "perMessageGroupId" in refused(
        sqs.create_queue,
        QueueName="q.fifo",
        Attributes={"FifoQueue": "true", "FifoThroughputLimit": "perMessageGroupId"},
    )[2]


def test_deduplication_ends_after_five_minutes(start):
    server = start("--time", "virtual")
    sqs = server.client("sqs")
    url = fifo(sqs)
    send(sqs, url, "one", id="same")
    server.hearth("time", "advance", "299s")
    send(sqs, url, "two", id="same")
    server.hearth("time", "advance", "1s")
    send(sqs, url, "three", id="same")
    assert bodies(receive(sqs, url, MaxNumberOfMessages=10)) == ["one", "three"]


def test_what_a_fifo_queue_needs_is_asked_for(sqs):
    url = fifo(sqs)
    assert refused(sqs.send_message, QueueUrl=url, MessageBody="x") == (
        "MissingParameter",
        "MissingRequiredParameterException",
        "The request must contain the parameter MessageGroupId.",
    )
    needs_id = (
        "InvalidParameterValue",
        "InvalidParameterValueException",
        "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
    )
    assert refused(sqs.send_message, QueueUrl=url, MessageBody="x", MessageGroupId="g") == needs_id
    entry = {"Id": "a", "MessageBody": "x", "MessageGroupId": "g"}
    assert refused(sqs.send_message_batch, QueueUrl=url, Entries=[entry]) == needs_id
    entry = {"Id": "a", "MessageBody": "x", "MessageDeduplicationId": "d"}
    assert refused(sqs.send_message_batch, QueueUrl=url, Entries=[entry])[0] == "InvalidParameterValue"
    assert refused(send, sqs=sqs, url=url, body="x", DelaySeconds=2)[2] == (
        "Value 2 for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for this queue type."
    )
    assert refused(sqs.create_queue, QueueName="no-suffix", Attributes={"FifoQueue": "true"})[2] == (
        "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo "
        "suffix and be 1 to 80 in length."
    )
    assert refused(sqs.set_queue_attributes, QueueUrl=url, Attributes={"FifoQueue": "false"})[2] == (
        "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported."
    )


def test_an_old_receipt_does_not_delete(sqs):
    url = fifo(sqs)
    send(sqs, url, "x")
    [message] = receive(sqs, url, VisibilityTimeout=0)
    handle = message["ReceiptHandle"]
    assert refused(sqs.delete_message, QueueUrl=url, ReceiptHandle=handle)[2] == (
        f"Value {handle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."
    )
    assert counts(sqs, url) == (1, 0, 0)


def test_an_attempt_that_is_made_again_gets_the_same(sqs):
    url = fifo(sqs)
    for number in range(2):
        send(sqs, url, str(number))
    attempt = dict(MaxNumberOfMessages=10, ReceiveRequestAttemptId="attempt")
    first = receive(sqs, url, **attempt)
    assert bodies(first) == ["0", "1"] and receive(sqs, url) == []
    assert [one["ReceiptHandle"] for one in receive(sqs, url, **attempt)] == [one["ReceiptHandle"] for one in first]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=first[0]["ReceiptHandle"])
    assert receive(sqs, url, **attempt) == []


def test_a_poison_message_goes_and_its_group_goes_on(sqs):
    dead = fifo(sqs)
    url = fifo(sqs, RedrivePolicy=json.dumps({"deadLetterTargetArn": arn(sqs, dead), "maxReceiveCount": 1}))
    send(sqs, url, "poison")
    assert bodies(receive(sqs, url, VisibilityTimeout=0)) == ["poison"]
    send(sqs, url, "good")
    assert bodies(receive(sqs, url)) == ["good"]
    [message] = receive(sqs, dead, AttributeNames=["All"])
    assert message["Body"] == "poison" and message["Attributes"]["MessageGroupId"] == "g"
    assert message["Attributes"]["DeadLetterQueueSourceArn"] == arn(sqs, url)
    standard = queue(sqs)
    policy = json.dumps({"deadLetterTargetArn": arn(sqs, standard), "maxReceiveCount": 1})
    assert refused(sqs.set_queue_attributes, QueueUrl=url, Attributes={"RedrivePolicy": policy})[2].endswith(
        "Dead-letter queue must be same type of queue as the source."
    )


def test_many_clients_keep_order_and_see_each_message_once(server, sqs):
    """Senders of one group each, and every message sent twice at once; receivers that compete."""
    url = fifo(sqs)
    each, groups, seen, lock = 20, 4, [], threading.Lock()

    def sender(group):
        client = server.client("sqs")
        for number in range(each):
            twice = [
                threading.Thread(target=send, args=(client, url, f"{group}:{number}", str(group), f"{group}-{number}"))
                for _ in range(2)
            ]
            [thread.start() for thread in twice]
            [thread.join() for thread in twice]

    def receiver():
        client = server.client("sqs")
        while len(seen) < each * groups:
            for message in receive(client, url, MaxNumberOfMessages=10, WaitTimeSeconds=1):
                with lock:
                    seen.append(message["Body"])
                client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    threads = [threading.Thread(target=sender, args=(group,)) for group in range(groups)]
    threads += [threading.Thread(target=receiver) for _ in range(3)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    for group in range(groups):
        assert [body for body in seen if body.startswith(f"{group}:")] == [f"{group}:{n}" for n in range(each)]
    assert len(seen) == each * groups and counts(sqs, url) == (0, 0, 0)
