"""`kill -9` under load: every acknowledged SNS message and EventBridge event reaches its queue, or its dead-letter queue.

`HEARTH_TEST_CRASHES` sets how often the server is killed; a few times in CI, hundreds by hand.
"""

import json
import random
import threading
import uuid

from conftest import eventually
from test_events import ACCOUNT
from test_sqs_crash import CRASHES, FAILURES, drain


class Load:
    """What clients published, and were told so: by where it must arrive."""

    def __init__(self, server, topics, bus):
        self.server, self.topics, self.bus = server, topics, bus
        self.sent, self.lock, self.stop = {}, threading.Lock(), threading.Event()

    def publisher(self):
        sns = self.server.client("sns")
        while not self.stop.is_set():
            topic = random.choice(self.topics)
            name = uuid.uuid4().hex
            more = {"MessageGroupId": random.choice("ab")} if topic.endswith(".fifo") else {}
            try:
                sns.publish(TopicArn=topic, Message=name, **more)
            except FAILURES:
                return
            with self.lock:
                self.sent.setdefault(topic, set()).add(name)

    def putter(self):
        events = self.server.client("events")
        while not self.stop.is_set():
            names = [uuid.uuid4().hex for _ in range(3)]
            entries = [
                {"Source": "s", "DetailType": "t", "Detail": json.dumps({"name": name}), "EventBusName": self.bus} for name in names
            ]
            try:
                answer = events.put_events(Entries=entries)
            except FAILURES:
                return
            assert answer["FailedEntryCount"] == 0
            with self.lock:
                self.sent.setdefault(self.bus, set()).update(names)


def test_every_acknowledged_message_and_event_arrives(start, data_dir):
    server = start(data_dir=data_dir)
    sns, sqs, events = server.client("sns"), server.client("sqs"), server.client("events")
    allow = json.dumps({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": ["sns.amazonaws.com", "events.amazonaws.com"]},
                       "Action": "sqs:SendMessage", "Resource": "*"}],
    })

    def queue(name, **attributes):
        url = sqs.create_queue(QueueName=name, Attributes={"Policy": allow, **attributes})["QueueUrl"]
        return url, f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"

    raw = {"RawMessageDelivery": "true"}
    arriving, arriving_arn = queue("arriving")
    dead, dead_arn = queue("dead")
    ordered, ordered_arn = queue("ordered.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    good = sns.create_topic(Name="good")["TopicArn"]
    sns.subscribe(TopicArn=good, Protocol="sqs", Endpoint=arriving_arn, Attributes=raw)
    lost = sns.create_topic(Name="lost")["TopicArn"]
    sns.subscribe(
        TopicArn=lost, Protocol="sqs", Endpoint=f"arn:aws:sqs:us-east-1:{ACCOUNT}:not-there",
        Attributes={**raw, "RedrivePolicy": json.dumps({"deadLetterTargetArn": dead_arn})},
    )
    fifo = sns.create_topic(Name="in-order.fifo", Attributes={"FifoTopic": "true", "ContentBasedDeduplication": "true"})["TopicArn"]
    sns.subscribe(TopicArn=fifo, Protocol="sqs", Endpoint=ordered_arn, Attributes=raw)
    events.create_event_bus(Name="bus")
    events.put_rule(Name="all", EventBusName="bus", EventPattern='{"source":["s"]}')
    events.put_targets(Rule="all", EventBusName="bus", Targets=[{"Id": "t", "Arn": arriving_arn, "InputPath": "$.detail.name"}])

    load = Load(server, [good, lost, fifo], "bus")
    for _ in range(CRASHES):
        load.stop.clear()
        threads = [threading.Thread(target=load.publisher) for _ in range(4)] + [threading.Thread(target=load.putter)]
        count = lambda: sum(len(names) for names in load.sent.values())
        wanted = count() + random.randint(20, 120)
        [thread.start() for thread in threads]
        eventually(lambda: count() >= wanted, timeout=60, what="some messages")
        server.kill()
        load.stop.set()
        [thread.join() for thread in threads]
        server.start()

    arrived = {good: set(), lost: set(), fifo: set()}

    def all_arrived():
        arrived[good].update(body.strip('"') for body in drain(server, [arriving]))
        arrived[lost].update(drain(server, [dead]))
        arrived[fifo].update(drain(server, [ordered]))
        return not missing()

    def missing():
        places = {good: good, lost: lost, fifo: fifo, "bus": good}
        return {source: names - arrived[places[source]] for source, names in load.sent.items() if names - arrived[places[source]]}

    eventually(all_arrived, timeout=60, what="every acknowledged message")
    print(f"\n{CRASHES} kills: {({source.split(':')[-1]: len(names) for source, names in load.sent.items()})} acknowledged, none lost")
