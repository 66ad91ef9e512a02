"""Topics, subscriptions and messages, through boto3 and a web server of the test's own."""

import base64
import json
import threading
import urllib.error
import urllib.parse
import urllib.request
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from botocore.exceptions import ClientError
from conftest import eventually
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

ACCOUNT = "000000000000"


@pytest.fixture
def sns(server):
    return server.client("sns")


@pytest.fixture
def topic(sns):
    arn = sns.create_topic(Name=f"t-{uuid.uuid4().hex[:10]}")["TopicArn"]
    yield arn
    sns.delete_topic(TopicArn=arn)


class Queue:
    """A queue that SNS may send to."""

    def __init__(self, server, topic_arn, fifo=False):
        self.sqs = server.client("sqs")
        name = f"q-{uuid.uuid4().hex[:10]}" + (".fifo" if fifo else "")
        self.url = self.sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true"} if fifo else {})["QueueUrl"]
        self.arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "sns.amazonaws.com"},
                    "Action": "sqs:SendMessage",
                    "Resource": self.arn,
                    "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
                }
            ],
        }
        self.sqs.set_queue_attributes(QueueUrl=self.url, Attributes={"Policy": json.dumps(policy)})

    def receive(self, count=1):
        """That many messages, in the order in which they came."""
        found = []

        def enough():
            answer = self.sqs.receive_message(
                QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=1,
                MessageAttributeNames=["All"], AttributeNames=["All"],
            )
            for message in answer.get("Messages", []):
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
                found.append(message)
            return len(found) >= count

        eventually(enough, what=f"{count} messages in the queue")
        assert len(found) == count, found
        return found

    def is_empty(self):
        counts = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["All"])["Attributes"]
        return counts["ApproximateNumberOfMessages"] == "0"


class Web:
    """A web server that keeps what it is sent."""

    def __init__(self, statuses=()):
        received, statuses = [], list(statuses)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                received.append((dict(self.headers), body))
                self.send_response(statuses.pop(0) if statuses else 200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self.received = received
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait(self, count):
        return eventually(lambda: self.received[:count] if len(self.received) >= count else None, what="a request")

    def close(self):
        self.server.shutdown()


@pytest.fixture
def web():
    servers = []

    def start(*arguments):
        servers.append(Web(*arguments))
        return servers[-1]

    yield start
    for one in servers:
        one.close()


def code_of(call, **parameters):
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    return refused.value.response["Error"]["Code"], refused.value.response["Error"]["Message"]


def test_a_topics_life(sns):
    name = f"life-{uuid.uuid4().hex[:8]}"
    arn = sns.create_topic(Name=name, Attributes={"DisplayName": "Orders"}, Tags=[{"Key": "a", "Value": "1"}])["TopicArn"]
    assert arn == f"arn:aws:sns:us-east-1:{ACCOUNT}:{name}"
    assert sns.create_topic(Name=name)["TopicArn"] == arn
    assert code_of(sns.create_topic, Name=name, Attributes={"DisplayName": "Other"}) == (
        "InvalidParameter",
        "Invalid parameter: Attributes Reason: Topic already exists with different attributes",
    )
    attributes = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
    assert json.loads(attributes.pop("Policy"))["Statement"][0]["Sid"] == "__default_statement_ID"
    assert json.loads(attributes.pop("EffectiveDeliveryPolicy"))["http"]["defaultHealthyRetryPolicy"]["numRetries"] == 3
    assert attributes == {
        "TopicArn": arn,
        "Owner": ACCOUNT,
        "DisplayName": "Orders",
        "SubscriptionsConfirmed": "0",
        "SubscriptionsPending": "0",
        "SubscriptionsDeleted": "0",
    }
    sns.set_topic_attributes(TopicArn=arn, AttributeName="DisplayName", AttributeValue="Renamed")
    assert sns.get_topic_attributes(TopicArn=arn)["Attributes"]["DisplayName"] == "Renamed"
    sns.tag_resource(ResourceArn=arn, Tags=[{"Key": "b", "Value": "2"}])
    sns.untag_resource(ResourceArn=arn, TagKeys=["a"])
    assert sns.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": "2"}]
    pages = sns.get_paginator("list_topics").paginate()
    assert arn in [topic["TopicArn"] for page in pages for topic in page["Topics"]]
    sns.delete_topic(TopicArn=arn)
    sns.delete_topic(TopicArn=arn)
    assert code_of(sns.get_topic_attributes, TopicArn=arn) == ("NotFound", "Topic does not exist")


def test_permissions_become_statements(sns, topic):
    sns.add_permission(TopicArn=topic, Label="share", AWSAccountId=["111122223333"], ActionName=["Publish"])
    policy = json.loads(sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"])
    assert policy["Statement"][1] == {
        "Sid": "share",
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
        "Action": "SNS:Publish",
        "Resource": topic,
    }
    assert code_of(
        sns.add_permission, TopicArn=topic, Label="share", AWSAccountId=["111122223333"], ActionName=["Publish"]
    )[0] == "InvalidParameter"
    sns.remove_permission(TopicArn=topic, Label="share")
    policy = json.loads(sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"])
    assert [statement["Sid"] for statement in policy["Statement"]] == ["__default_statement_ID"]


def test_another_account_needs_the_topics_policy(server, sns, topic):
    stranger = server.client("sns", key="111122223333")
    assert code_of(stranger.publish, TopicArn=topic, Message="m")[0] == "AuthorizationError"
    sns.add_permission(TopicArn=topic, Label="share", AWSAccountId=["111122223333"], ActionName=["Publish"])
    assert stranger.publish(TopicArn=topic, Message="m")["MessageId"]
    assert code_of(stranger.delete_topic, TopicArn=topic)[0] == "AuthorizationError"


def test_a_queue_gets_the_message_in_its_envelope(server, sns, topic):
    queue = Queue(server, topic)
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn)["SubscriptionArn"]
    assert sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn)["SubscriptionArn"] == subscription
    sent = sns.publish(
        TopicArn=topic, Subject="Hello", Message='{"order": 1, "café": "☕"}',
        MessageAttributes={
            "kind": {"DataType": "String", "StringValue": "new"},
            "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\x01"},
        },
    )
    (message,) = queue.receive()
    body = json.loads(message["Body"])
    assert body["MessageAttributes"] == {
        "kind": {"Type": "String", "Value": "new"},
        "bytes": {"Type": "Binary", "Value": "AAE="},
    }
    assert (body["Type"], body["MessageId"], body["TopicArn"]) == ("Notification", sent["MessageId"], topic)
    assert (body["Subject"], body["Message"]) == ("Hello", '{"order": 1, "café": "☕"}')
    assert body["Timestamp"].endswith("Z") and len(body["Timestamp"]) == 24
    assert body["UnsubscribeURL"].endswith(subscription)
    verify(body, hashes.SHA1())
    sns.set_topic_attributes(TopicArn=topic, AttributeName="SignatureVersion", AttributeValue="2")
    sns.publish(TopicArn=topic, Message="second")
    (message,) = queue.receive()
    verify(json.loads(message["Body"]), hashes.SHA256())


def verify(body, digest):
    """As AWS's guide says receivers should."""
    with urllib.request.urlopen(body["SigningCertURL"]) as answer:
        key = x509.load_pem_x509_certificate(answer.read()).public_key()
    names = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    text = "".join(f"{name}\n{body[name]}\n" for name in names if name in body)
    key.verify(base64.b64decode(body["Signature"]), text.encode(), padding.PKCS1v15(), digest)


def test_raw_messages_keep_their_attributes(server, sns, topic):
    queue = Queue(server, topic)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn, Attributes={"RawMessageDelivery": "true"})
    sns.publish(TopicArn=topic, Message="as it is", MessageAttributes={"n": {"DataType": "Number", "StringValue": "7"}})
    (message,) = queue.receive()
    assert message["Body"] == "as it is"
    assert message["MessageAttributes"]["n"] == {"DataType": "Number", "StringValue": "7"}


def test_filters_choose_messages_by_attributes_and_by_body(server, sns, topic):
    by_attribute, by_body = Queue(server, topic), Queue(server, topic)
    first = sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=by_attribute.arn,
        Attributes={"FilterPolicy": '{"kind": ["new", {"prefix": "re"}], "price": [{"numeric": [">", 10]}]}'},
    )["SubscriptionArn"]
    sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=by_body.arn,
        Attributes={"FilterPolicyScope": "MessageBody", "FilterPolicy": '{"order": {"state": ["paid"]}}'},
    )

    def publish(message, kind, price):
        attributes = {
            "kind": {"DataType": "String", "StringValue": kind},
            "price": {"DataType": "Number", "StringValue": price},
        }
        sns.publish(TopicArn=topic, Message=message, MessageAttributes=attributes)

    publish("cheap", "new", "5")
    publish('{"order": {"state": "paid"}}', "reopened", "11")
    publish("wrong kind", "old", "11")
    (message,) = by_attribute.receive()
    assert json.loads(message["Body"])["Message"] == '{"order": {"state": "paid"}}'
    (message,) = by_body.receive()
    assert json.loads(message["Body"])["Message"] == '{"order": {"state": "paid"}}'
    assert by_attribute.is_empty() and by_body.is_empty()
    shown = sns.get_subscription_attributes(SubscriptionArn=first)["Attributes"]
    assert shown["FilterPolicyScope"] == "MessageAttributes"
    code, message = code_of(
        sns.set_subscription_attributes, SubscriptionArn=first, AttributeName="FilterPolicy", AttributeValue='{"a": "b"}'
    )
    assert code == "InvalidParameter" and message.startswith("Invalid parameter: FilterPolicy: "), message


def test_a_message_has_a_text_for_each_protocol(server, sns, topic):
    queue = Queue(server, topic)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn, Attributes={"RawMessageDelivery": "true"})
    sns.publish(TopicArn=topic, MessageStructure="json", Message=json.dumps({"default": "all", "sqs": "queues"}))
    assert queue.receive()[0]["Body"] == "queues"
    assert code_of(sns.publish, TopicArn=topic, MessageStructure="json", Message='{"sqs": "x"}') == (
        "InvalidParameter",
        "Invalid parameter: Message Structure - No default entry in JSON message body",
    )


def test_a_function_gets_an_event(server, sns, topic):
    queue = server.client("sqs").create_queue(QueueName=f"seen-{uuid.uuid4().hex[:8]}")["QueueUrl"]
    name = server.python(
        "import boto3, json\n"
        "def handler(event, context):\n"
        f"    boto3.client('sqs').send_message(QueueUrl={queue!r}, MessageBody=json.dumps(event))\n"
    )
    arn = server.client("lambda").get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    server.client("lambda").add_permission(
        FunctionName=name, StatementId="sns", Action="lambda:InvokeFunction", Principal="sns.amazonaws.com", SourceArn=topic
    )
    subscription = sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn)["SubscriptionArn"]
    sent = sns.publish(TopicArn=topic, Message="hi", MessageAttributes={"a": {"DataType": "String", "StringValue": "b"}})
    sqs = server.client("sqs")
    got = eventually(lambda: sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages"), what="the event")
    (record,) = json.loads(got[0]["Body"])["Records"]
    assert (record["EventSource"], record["EventVersion"]) == ("aws:sns", "1.0")
    assert record["EventSubscriptionArn"] == subscription
    body = record["Sns"]
    assert (body["MessageId"], body["Message"], body["Subject"]) == (sent["MessageId"], "hi", None)
    assert body["MessageAttributes"] == {"a": {"Type": "String", "Value": "b"}}
    assert {"SignatureVersion", "Signature", "SigningCertUrl", "UnsubscribeUrl", "Timestamp", "TopicArn"} <= set(body)


def test_what_cannot_be_delivered_ends_in_the_dead_letter_queue(server, sns, topic):
    dead = Queue(server, topic)
    sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:us-east-1:{ACCOUNT}:not-there",
        Attributes={"RedrivePolicy": json.dumps({"deadLetterTargetArn": dead.arn})},
    )
    sns.publish(TopicArn=topic, Message="lost?")
    assert json.loads(dead.receive()[0]["Body"])["Message"] == "lost?"


def test_a_web_server_confirms_and_then_gets_messages(server, sns, topic, web):
    receiver = web()
    answer = sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=receiver.url)
    assert answer["SubscriptionArn"] == "pending confirmation"
    ((headers, body),) = receiver.wait(1)
    question = json.loads(body)
    assert headers["x-amz-sns-message-type"] == question["Type"] == "SubscriptionConfirmation"
    verify(question, hashes.SHA1())
    sns.publish(TopicArn=topic, Message="too early")
    (pending,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert pending["SubscriptionArn"] == "PendingConfirmation"
    with urllib.request.urlopen(question["SubscribeURL"]) as answer:
        assert b"<SubscriptionArn>arn:aws:sns:" in answer.read()
    (confirmed,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert confirmed["SubscriptionArn"].startswith(topic)
    sent = sns.publish(TopicArn=topic, Message="welcome")
    headers, body = receiver.wait(2)[1]
    assert headers["x-amz-sns-message-id"] == sent["MessageId"] == json.loads(body)["MessageId"]
    assert headers["x-amz-sns-subscription-arn"] == confirmed["SubscriptionArn"]
    assert headers["user-agent"] == "Amazon Simple Notification Service Agent"
    assert json.loads(body)["Message"] == "welcome"
    with urllib.request.urlopen(json.loads(body)["UnsubscribeURL"]):
        pass
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []


def test_a_token_confirms_through_the_api_and_no_other_does(sns, topic, web):
    receiver = web()
    arn = sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=receiver.url, ReturnSubscriptionArn=True)["SubscriptionArn"]
    token = json.loads(receiver.wait(1)[0][1])["Token"]
    assert code_of(sns.confirm_subscription, TopicArn=topic, Token="wrong") == ("InvalidParameter", "Invalid parameter: Token")
    assert sns.confirm_subscription(TopicArn=topic, Token=token)["SubscriptionArn"] == arn
    assert sns.confirm_subscription(TopicArn=topic, Token=token)["SubscriptionArn"] == arn
    shown = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    assert (shown["PendingConfirmation"], shown["ConfirmationWasAuthenticated"]) == ("false", "true")
    sns.unsubscribe(SubscriptionArn=arn)
    sns.unsubscribe(SubscriptionArn=arn)
    assert code_of(sns.get_subscription_attributes, SubscriptionArn=arn)[0] == "NotFound"


def test_fifo_topics_keep_the_order_and_send_nothing_twice(server, sns):
    topic = sns.create_topic(
        Name=f"t-{uuid.uuid4().hex[:8]}.fifo", Attributes={"FifoTopic": "true", "ContentBasedDeduplication": "true"}
    )["TopicArn"]
    queue = Queue(server, topic, fifo=True)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn, Attributes={"RawMessageDelivery": "true"})
    sent = [sns.publish(TopicArn=topic, Message=f"m{number}", MessageGroupId="g") for number in range(12)]
    again = sns.publish(TopicArn=topic, Message="m3", MessageGroupId="g")
    assert (again["MessageId"], again["SequenceNumber"]) == (sent[3]["MessageId"], sent[3]["SequenceNumber"])
    numbers = [int(one["SequenceNumber"]) for one in sent]
    assert numbers == sorted(set(numbers))
    received = queue.receive(12)
    assert [message["Body"] for message in received] == [f"m{number}" for number in range(12)]
    assert {message["Attributes"]["MessageGroupId"] for message in received} == {"g"}
    assert code_of(sns.publish, TopicArn=topic, Message="m")[1].endswith("MessageGroupId parameter is required for FIFO topics")
    sns.delete_topic(TopicArn=topic)


def test_a_batch_fails_one_by_one(server, sns, topic):
    queue = Queue(server, topic)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn, Attributes={"RawMessageDelivery": "true"})
    answer = sns.publish_batch(
        TopicArn=topic,
        PublishBatchRequestEntries=[
            {"Id": "good", "Message": "one"},
            {"Id": "bad", "Message": "two", "Subject": "\n"},
            {"Id": "also", "Message": "three"},
        ],
    )
    assert [entry["Id"] for entry in answer["Successful"]] == ["good", "also"]
    (failed,) = answer["Failed"]
    assert (failed["Id"], failed["Code"], failed["SenderFault"]) == ("bad", "InvalidParameter", True)
    assert sorted(message["Body"] for message in queue.receive(2)) == ["one", "three"]
    entry = {"Id": "a", "Message": "m"}
    assert code_of(sns.publish_batch, TopicArn=topic, PublishBatchRequestEntries=[entry, entry])[0] == "BatchEntryIdsNotDistinct"
    assert code_of(sns.publish_batch, TopicArn=topic, PublishBatchRequestEntries=[])[0] == "EmptyBatchRequest"


def test_messages_to_people_are_kept_where_they_can_be_read(server, sns, topic):
    address, number = f"{uuid.uuid4().hex[:8]}@example.com", "+4915100000000"
    assert sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=address)["SubscriptionArn"] == "pending confirmation"
    sns.publish(PhoneNumber=number, Message="your code is 1234")

    def outbox(to):
        with urllib.request.urlopen(f"{server.endpoint}/_hearth/sns/outbox") as answer:
            return [kept for kept in json.load(answer) if kept["to"] == to]

    (mail,) = eventually(lambda: outbox(address), what="the e-mail")
    assert mail["subject"] == "AWS Notification - Subscription Confirmation"
    link = next(line for line in mail["message"].splitlines() if line.startswith("http"))
    with urllib.request.urlopen(link):
        pass
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"][0]["Endpoint"] == address
    assert outbox(number)[-1]["message"] == "your code is 1234"


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"Message": ""}, "Invalid parameter: Empty message"),
        ({"Message": "m", "Subject": ""}, "Invalid parameter: Subject"),
        ({"Message": "m" * (256 * 1024 + 1)}, "Invalid parameter: Message too long"),
        ({"Message": "m", "MessageDeduplicationId": "d"}, None),
    ],
)
def test_a_message_that_may_not_be_published(sns, topic, parameters, message):
    code, said = code_of(sns.publish, TopicArn=topic, **parameters)
    assert code == "InvalidParameter"
    assert message is None or said == message


def test_endpoints_must_fit_their_protocol(sns, topic):
    assert code_of(sns.subscribe, TopicArn=topic, Protocol="sqs", Endpoint="x") == (
        "InvalidParameter", "Invalid parameter: SQS endpoint ARN",
    )
    assert "mobile push" in code_of(sns.subscribe, TopicArn=topic, Protocol="application", Endpoint="x")[1]
    missing = topic + "-not-there"
    assert code_of(sns.publish, TopicArn=missing, Message="m") == ("NotFound", "Topic does not exist")


def test_what_is_not_there_says_so(sns):
    code, message = code_of(sns.create_platform_application, Name="a", Platform="GCM", Attributes={})
    assert code == "NotImplemented" and "CreatePlatformApplication" in message
