"""`kill -9` under load: no acknowledged message is lost, no deleted one comes back, and order holds.

`HEARTH_TEST_CRASHES` sets how often the server is killed; a few times in CI, hundreds by hand.
"""

import json
import os
import random
import threading
import uuid

from botocore.exceptions import BotoCoreError, ClientError
from conftest import eventually
from test_sqs import arn, counts, queue, receive

CRASHES = int(os.environ.get("HEARTH_TEST_CRASHES", "4"))
FAILURES = (BotoCoreError, ClientError)


class Load:
    """What clients sent, received and deleted, and were told so."""

    def __init__(self, server, urls):
        self.server, self.urls = server, urls
        self.sent, self.deleted, self.lock = set(), set(), threading.Lock()
        self.again = set()  # received after they were deleted
        self.uncertain = set()  # deletes that were asked for and never answered
        self.stop = threading.Event()

    def sender(self):
        client = self.server.client("sqs")
        while not self.stop.is_set():
            url = random.choice(self.urls)
            names = [uuid.uuid4().hex for _ in range(random.choice([1, 1, 5]))]
            more = {"MessageGroupId": random.choice("abc")} if url.endswith(".fifo") else {}
            try:
                if len(names) == 1:
                    client.send_message(QueueUrl=url, MessageBody=names[0], **more)
                else:
                    entries = [{"Id": name, "MessageBody": name, **more} for name in names]
                    client.send_message_batch(QueueUrl=url, Entries=entries)
            except FAILURES:
                return
            with self.lock:
                self.sent.update(names)

    def receiver(self):
        client = self.server.client("sqs")
        while not self.stop.is_set():
            url = random.choice(self.urls)
            with self.lock:
                gone_before = set(self.deleted)  # what another deletes from here on may still come with this answer
            try:
                messages = receive(client, url, MaxNumberOfMessages=10, VisibilityTimeout=random.choice([0, 1, 30]))
                messages = [message for message in messages if random.random() < 0.5]
                if not messages:
                    continue
                bodies = [message["Body"] for message in messages]
                with self.lock:
                    self.again |= gone_before.intersection(bodies)
                    self.uncertain.update(bodies)
                entries = [{"Id": m["MessageId"], "ReceiptHandle": m["ReceiptHandle"]} for m in messages]
                done = client.delete_message_batch(QueueUrl=url, Entries=entries)
                gone = {entry["Id"] for entry in done["Successful"]}
                kept = {m["Body"] for m in messages if m["MessageId"] not in gone}
                with self.lock:
                    self.deleted.update(set(bodies) - kept)
            except FAILURES:
                return


def test_kills_at_any_moment_lose_nothing_and_bring_nothing_back(start, data_dir):
    server = start(data_dir=data_dir)
    sqs = server.client("sqs")
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true", "VisibilityTimeout": "1"}
    urls = [queue(sqs, f"standard-{n}", VisibilityTimeout=1) for n in range(2)] + [queue(sqs, "ordered.fifo", **attributes)]
    load = Load(server, urls)
    for _ in range(CRASHES):
        load.stop.clear()
        threads = [threading.Thread(target=load.sender) for _ in range(4)]
        threads += [threading.Thread(target=load.receiver) for _ in range(3)]
        before = len(load.sent)
        [thread.start() for thread in threads]
        wanted = before + random.randint(20, 150)
        eventually(lambda: len(load.sent) >= wanted, timeout=60, what="some messages")
        server.kill()
        load.stop.set()
        [thread.join() for thread in threads]
        server.start()

    left = drain(server, urls)
    lost = load.sent - left - load.uncertain
    assert not lost, f"{len(lost)} of {len(load.sent)} acknowledged messages are lost"
    assert not load.again, f"{len(load.again)} messages were received after they were deleted"
    assert not load.deleted & left, f"{len(load.deleted & left)} deleted messages came back"
    print(f"\n{CRASHES} kills: {len(load.sent)} sent, {len(load.deleted)} deleted, {len(left)} left")


def drain(server, urls):
    """Takes out everything, and gives it by body."""
    sqs, left = server.client("sqs"), set()
    for url in urls:
        while sum(counts(sqs, url)):
            for message in receive(sqs, url, MaxNumberOfMessages=10, WaitTimeSeconds=2):
                left.add(message["Body"])
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return left


def test_queues_their_settings_and_their_purges_survive(start, data_dir):
    server = start(data_dir=data_dir)
    sqs = server.client("sqs")
    dead = queue(sqs, "dead")
    policy = json.dumps({"deadLetterTargetArn": arn(sqs, dead), "maxReceiveCount": 5})
    url = queue(sqs, "kept", RedrivePolicy=policy, DelaySeconds=0)
    purged = queue(sqs, "purged")
    deleted = queue(sqs, "deleted")
    for one in (url, purged, deleted):
        sqs.send_message(QueueUrl=one, MessageBody="before")
    sqs.send_message(QueueUrl=url, MessageBody="delayed", DelaySeconds=900)
    [message] = receive(sqs, url, VisibilityTimeout=600)
    sqs.purge_queue(QueueUrl=purged)
    sqs.send_message(QueueUrl=purged, MessageBody="after")
    sqs.delete_queue(QueueUrl=deleted)
    sqs.tag_queue(QueueUrl=url, Tags={"a": "b"})
    server.kill()
    server.start()
    sqs = server.client("sqs")
    assert sqs.list_queues()["QueueUrls"] == [dead, url, purged]
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"a": "b"}
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [url]
    assert [one["Body"] for one in receive(sqs, purged)] == ["after"]
    assert counts(sqs, url)[2] == 1
    # A receipt from before still deletes.
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert counts(sqs, url) == (0, 0, 1)


def test_what_was_received_stays_invisible_over_a_restart(start, data_dir):
    server = start(data_dir=data_dir)
    sqs = server.client("sqs")
    url = queue(sqs, "q", VisibilityTimeout=600)
    sqs.send_message(QueueUrl=url, MessageBody="x")
    assert len(receive(sqs, url)) == 1
    assert server.stop() == 0
    server.start()
    assert counts(server.client("sqs"), url) == (0, 1, 0)
