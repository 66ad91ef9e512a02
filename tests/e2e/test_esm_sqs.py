"""Event source mappings of queues: what a function sees, and what becomes of the messages."""

import hashlib
import json
import time
import uuid

import pytest
from conftest import eventually
from test_sqs import arn, bodies, counts, queue, receive

# Puts every event that it gets into a queue, and answers as the event's first record asks.
RECORDER = """
import boto3, json, os
sqs = boto3.client("sqs")

def handler(event, context):
    sqs.send_message(QueueUrl=os.environ["SEEN"], MessageBody=json.dumps(event))
    bodies = [record["body"] for record in event["Records"]]
    if any(body.startswith("raise") for body in bodies):
        raise ValueError("as asked")
    failed = [record["messageId"] for record in event["Records"] if "poison" in record["body"]]
    return {"batchItemFailures": [{"itemIdentifier": id} for id in failed]}
"""


class Mapped:
    """A queue, a function that records what it sees, and a mapping between them."""

    def __init__(self, server, source=None, reserved=None, **settings):
        self.server, self.sqs = server, server.client("sqs")
        self.lambda_ = server.client("lambda")
        self.seen_url = queue(self.sqs)
        self.source = source or queue(self.sqs, VisibilityTimeout=30)
        environment = {"Variables": {"SEEN": self.seen_url}}
        self.function = server.python(RECORDER, Timeout=30, Environment=environment)
        if reserved is not None:
            self.lambda_.put_function_concurrency(FunctionName=self.function, ReservedConcurrentExecutions=reserved)
        self.id = self.lambda_.create_event_source_mapping(
            EventSourceArn=arn(self.sqs, self.source), FunctionName=self.function, **settings
        )["UUID"]
        self.until("Enabled")

    def mapping(self):
        return self.lambda_.get_event_source_mapping(UUID=self.id)

    def until(self, state):
        eventually(lambda: self.mapping()["State"] == state, what=f"the mapping {state}")

    def update(self, **settings):
        self.lambda_.update_event_source_mapping(UUID=self.id, **settings)
        eventually(lambda: self.mapping()["State"] in ("Enabled", "Disabled"), what="the update")

    def send(self, *messages, **more):
        entries = [{"Id": str(number), "MessageBody": body, **more} for number, body in enumerate(messages)]
        self.sqs.send_message_batch(QueueUrl=self.source, Entries=entries)

    def events(self, records):
        """Events until so many records were seen."""
        events = []
        deadline = time.monotonic() + 30
        while sum(len(event["Records"]) for event in events) < records:
            assert time.monotonic() < deadline, f"saw only {events}"
            for message in receive(self.sqs, self.seen_url, MaxNumberOfMessages=10, WaitTimeSeconds=1):
                events.append(json.loads(message["Body"]))
                self.sqs.delete_message(QueueUrl=self.seen_url, ReceiptHandle=message["ReceiptHandle"])
        return events

    def until_empty(self):
        eventually(lambda: counts(self.sqs, self.source) == (0, 0, 0), what="an empty queue")


@pytest.fixture
def mapped(server):
    made = []

    def mapped(**settings):
        made.append(Mapped(server, **settings))
        return made[-1]

    yield mapped
    for one in made:
        try:
            one.lambda_.delete_event_source_mapping(UUID=one.id)
        except one.lambda_.exceptions.ResourceNotFoundException:
            pass


def test_a_record_has_every_field(mapped):
    one = mapped()
    one.sqs.send_message(
        QueueUrl=one.source,
        MessageBody='{"a": 1}',
        MessageAttributes={
            "Text": {"DataType": "String", "StringValue": "v"},
            "Bytes": {"DataType": "Binary", "BinaryValue": b"\x00\x01"},
        },
    )
    [event] = one.events(1)
    [record] = event["Records"]
    assert record.pop("messageId") and record.pop("receiptHandle") and record.pop("md5OfMessageAttributes")
    attributes = record.pop("attributes")
    assert attributes["ApproximateReceiveCount"] == "1" and attributes["SenderId"] == "000000000000"
    assert set(attributes) == {"ApproximateReceiveCount", "SenderId", "SentTimestamp", "ApproximateFirstReceiveTimestamp"}
    assert record == {
        "body": '{"a": 1}',
        "messageAttributes": {
            "Text": {"stringValue": "v", "stringListValues": [], "binaryListValues": [], "dataType": "String"},
            "Bytes": {"binaryValue": "AAE=", "stringListValues": [], "binaryListValues": [], "dataType": "Binary"},
        },
        "md5OfBody": hashlib.md5(b'{"a": 1}').hexdigest(),
        "eventSource": "aws:sqs",
        "eventSourceARN": arn(one.sqs, one.source),
        "awsRegion": "us-east-1",
    }
    one.until_empty()
    eventually(lambda: one.mapping().get("LastProcessingResult") == "OK", what="the result")


def test_filters_let_through_what_matches_and_delete_the_rest(mapped):
    pattern = json.dumps({"body": {"degrees": [{"numeric": [">", 30]}]}})
    one = mapped(FilterCriteria={"Filters": [{"Pattern": pattern}]})
    one.send('{"degrees": 31}', '{"degrees": 29}', "no JSON")
    assert [record["body"] for event in one.events(1) for record in event["Records"]] == ['{"degrees": 31}']
    one.until_empty()


def test_an_error_leaves_the_messages_until_their_timeout(mapped, server):
    source = queue(server.client("sqs"), VisibilityTimeout=30)
    one = mapped(source=source)
    one.send("raise")
    [event] = one.events(1)
    eventually(lambda: one.mapping().get("LastProcessingResult") == "PROBLEM: Function call failed", what="the result")
    assert counts(one.sqs, source) == (0, 1, 0)


def test_a_poison_message_is_reported_and_ends_in_the_dead_letter_queue(start):
    """An order queue as courses build it, in virtual time."""
    server = start("--time", "virtual")
    sqs = server.client("sqs")
    dead = queue(sqs, "orders-dead")
    policy = json.dumps({"deadLetterTargetArn": arn(sqs, dead), "maxReceiveCount": 3})
    source = queue(sqs, "orders", VisibilityTimeout=60, RedrivePolicy=policy)
    one = Mapped(
        server,
        source=source,
        BatchSize=10,
        MaximumBatchingWindowInSeconds=5,
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    good = [f"order {number}" for number in range(7)]
    one.send(*good[:4], "poison", *good[4:])
    # The window is the server's time: nothing happens before it is over.
    assert receive(sqs, one.seen_url) == []
    server.hearth("time", "advance", "5s")
    [event] = one.events(8)
    assert sorted(record["body"] for record in event["Records"]) == sorted([*good, "poison"])
    eventually(lambda: counts(sqs, source) == (0, 1, 0), what="only the poison left")
    for attempt in (2, 3):
        server.hearth("time", "advance", "70s")
        [event] = one.events(1)
        assert [record["body"] for record in event["Records"]] == ["poison"]
        assert event["Records"][0]["attributes"]["ApproximateReceiveCount"] == str(attempt)
    server.hearth("time", "advance", "70s")
    eventually(lambda: counts(sqs, dead) == (1, 0, 0), what="the poison in the dead-letter queue")
    assert counts(sqs, source) == (0, 0, 0) and bodies(receive(sqs, dead)) == ["poison"]
    assert receive(sqs, one.seen_url) == []


def test_a_batch_is_sent_when_it_is_full(start):
    server = start("--time", "virtual")
    one = Mapped(server, BatchSize=12, MaximumBatchingWindowInSeconds=300)
    for first in range(0, 30, 10):
        one.send(*[str(number) for number in range(first, first + 10)])
    events = one.events(24)
    assert [len(event["Records"]) for event in events] == [12, 12]
    server.hearth("time", "advance", "300s")
    assert [len(event["Records"]) for event in one.events(6)] == [6]


def test_a_fifo_group_is_worked_on_in_order_while_others_go_on(mapped, server):
    sqs = server.client("sqs")
    source = queue(sqs, f"q-{uuid.uuid4().hex[:8]}.fifo", FifoQueue="true", ContentBasedDeduplication="true", VisibilityTimeout=30)
    one = mapped(source=source, BatchSize=2)
    for number in range(6):
        for group in "ab":
            sqs.send_message(QueueUrl=source, MessageBody=f"{group}{number}", MessageGroupId=group)
    records = [record for event in one.events(12) for record in event["Records"]]
    records.sort(key=lambda record: int(record["attributes"]["SequenceNumber"]))
    one.until_empty()
    for group in "ab":
        seen = [r["body"] for r in records if r["attributes"]["MessageGroupId"] == group]
        assert seen == [f"{group}{number}" for number in range(6)]


def test_no_more_run_at_once_than_the_maximum(mapped, server):
    source = server.python(
        "import boto3, json, os, time\n"
        "sqs = boto3.client('sqs')\n"
        "def handler(event, context):\n"
        "    start = time.time()\n"
        "    time.sleep(0.2)\n"
        "    sqs.send_message(QueueUrl=os.environ['SEEN'], MessageBody=json.dumps([start, time.time()]))\n",
        Timeout=30,
        Environment={"Variables": {"SEEN": (seen := queue(server.client("sqs")))}},
    )
    sqs, client = server.client("sqs"), server.client("lambda")
    url = queue(sqs, VisibilityTimeout=60)
    for first in range(0, 12, 6):
        sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": str(n), "MessageBody": str(n)} for n in range(first, first + 6)])
    made = client.create_event_source_mapping(
        EventSourceArn=arn(sqs, url), FunctionName=source, BatchSize=1, ScalingConfig={"MaximumConcurrency": 2}
    )
    spans = []
    while len(spans) < 12:
        spans += [json.loads(m["Body"]) for m in receive(sqs, seen, MaxNumberOfMessages=10, WaitTimeSeconds=5)]
    overlap = max(sum(start <= at < end for start, end in spans) for at, _ in spans)
    assert overlap <= 2
    client.delete_event_source_mapping(UUID=made["UUID"])


def test_a_throttled_function_gets_its_messages_later(mapped):
    one = mapped(reserved=0)
    one.send("later")
    eventually(lambda: "throttled" in one.mapping().get("LastProcessingResult", ""), what="the throttle")
    one.lambda_.delete_function_concurrency(FunctionName=one.function)
    [event] = one.events(1)
    assert event["Records"][0]["body"] == "later"
    one.until_empty()


def test_a_mapping_is_disabled_enabled_changed_and_deleted(mapped):
    one = mapped()
    one.update(Enabled=False)
    one.send("while it was off")
    assert counts(one.sqs, one.source) == (1, 0, 0)
    one.update(Enabled=True, BatchSize=1)
    [event] = one.events(1)
    one.until_empty()
    one.send("a", "b")
    assert [len(event["Records"]) for event in one.events(2)] == [1, 1]
    one.until_empty()
    one.lambda_.delete_event_source_mapping(UUID=one.id)
    listed = lambda: one.lambda_.list_event_source_mappings(FunctionName=one.function)["EventSourceMappings"]
    eventually(lambda: listed() == [], what="the end of the mapping")
    one.send("nobody")
    assert counts(one.sqs, one.source) == (1, 0, 0)


def test_a_queue_that_disappears_is_said_and_one_that_appears_is_polled(start):
    server = start("--time", "virtual")
    one = Mapped(server)
    one.sqs.delete_queue(QueueUrl=one.source)
    eventually(lambda: "does not exist" in one.mapping().get("LastProcessingResult", ""), what="the problem")
    server.hearth("time", "advance", "60s")
    one.source = queue(one.sqs, one.source.rsplit("/", 1)[1], VisibilityTimeout=30)
    one.send("again")
    [event] = one.events(1)
    assert event["Records"][0]["body"] == "again"


def test_mappings_go_on_after_a_kill_and_no_message_is_lost(start, data_dir):
    server = start(data_dir=data_dir)
    one = Mapped(server, source=queue(server.client("sqs"), VisibilityTimeout=30, name="source"))
    wanted = set()
    for round_number in range(3):
        names = [f"{round_number}-{number}" for number in range(10)]
        one.send(*names)
        wanted |= set(names)
        server.kill()
        server.start()
    # What a killed function had in hand comes again after the visibility timeout of 30 s.
    seen = set()
    deadline = time.monotonic() + 90
    while seen < wanted:
        assert time.monotonic() < deadline, f"lost: {wanted - seen}"
        for message in receive(one.sqs, one.seen_url, MaxNumberOfMessages=10, WaitTimeSeconds=1):
            seen |= {record["body"] for record in json.loads(message["Body"])["Records"]}
