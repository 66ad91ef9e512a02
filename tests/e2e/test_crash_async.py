"""Nothing that was acknowledged is lost: events are accepted while the server is killed again and again.

The short form runs in CI. The long one by hand: HEARTH_CRASH_SECONDS=600 makes it last ten minutes.
"""

import json
import os
import random
import socketserver
import threading
import time

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from conftest import REGION, eventually

SECONDS = float(os.environ.get("HEARTH_CRASH_SECONDS", "12"))
CLIENTS = 4
# Every so manieth event makes the function fail.
FAILING = 10

# Tells the test that it ran, and waits until the test has heard it.
FUNCTION = """
import socket, time
def tell(event):
    with socket.create_connection(('host.docker.internal', event['port']), timeout=5) as counter:
        counter.sendall((event['id'] + '\\n').encode())
        return counter.recv(1) == b'+'
def handler(event, context):
    while True:
        try:
            if tell(event):
                break
        except OSError:
            time.sleep(0.05)
    if event['fail']:
        raise ValueError('as asked')
"""


class Counter:
    """Hears which events ran."""

    def __init__(self):
        self.ran = {}
        lock = threading.Lock()

        class Handler(socketserver.StreamRequestHandler):
            def handle(handler):
                event = handler.rfile.readline().decode().strip()
                if event:
                    with lock:
                        self.ran[event] = self.ran.get(event, 0) + 1
                    handler.wfile.write(b"+")

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True
            request_queue_size = 512

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def client_of(server, service):
    return boto3.client(
        service,
        endpoint_url=server.endpoint,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"max_attempts": 0}, connect_timeout=2, read_timeout=10),
    )


def drain(server, url):
    """Every message of a queue, until it is empty."""
    sqs, found = server.client("sqs"), []
    while messages := sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    ).get("Messages"):
        found += messages
        entries = [{"Id": str(n), "ReceiptHandle": one["ReceiptHandle"]} for n, one in enumerate(messages)]
        sqs.delete_message_batch(QueueUrl=url, Entries=entries)
    return found


def kill_while(server, done, senders):
    """Kills and starts the server at random moments while these send; how often."""
    for sender in senders:
        sender.start()
    kills, chance = 0, random.Random(int(time.time()))
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        done.wait(chance.uniform(0.05, 1.0))
        server.kill()
        server.start()
        kills += 1
    done.set()
    for sender in senders:
        sender.join()
    return kills


def test_no_acknowledged_event_is_lost_when_the_server_is_killed(start, data_dir):
    counter = Counter()
    server = start("--allow-host", f"127.0.0.1:{counter.port}", data_dir=data_dir)
    sqs = server.client("sqs")
    urls = [sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("reports", "letters")]
    arns = [
        sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"] for url in urls
    ]
    name = server.python(FUNCTION, MemorySize=128, Timeout=60, DeadLetterConfig={"TargetArn": arns[1]})
    server.client("lambda").put_function_event_invoke_config(
        FunctionName=name,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": arns[0]}},
    )

    acknowledged, done = [], threading.Event()

    def send(number):
        client, count = client_of(server, "lambda"), 0
        while not done.is_set():
            event = {"id": f"{number}-{count}", "fail": count % FAILING == 0, "port": counter.port}
            count += 1
            try:
                client.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps(event))
                acknowledged.append(event)
            except (BotoCoreError, ClientError):
                # Killed in this moment: nothing was promised.
                done.wait(0.01)

    kills = kill_while(server, done, [threading.Thread(target=send, args=(number,)) for number in range(CLIENTS)])

    ids = {event["id"] for event in acknowledged}
    failing = {event["id"] for event in acknowledged if event["fail"]}
    try:
        eventually(lambda: ids <= counter.ran.keys(), timeout=60 + SECONDS, what="the run of every event")
    except AssertionError as error:
        missing = sorted(ids - counter.ran.keys())
        raise AssertionError(f"{len(missing)} of {len(ids)} did not run: {missing[:20]}\n{server.printed()[-3000:]}") from error

    reported, lettered = set(), set()

    def all_reported():
        reported.update(json.loads(one["Body"])["requestPayload"]["id"] for one in drain(server, urls[0]))
        lettered.update(json.loads(one["Body"])["id"] for one in drain(server, urls[1]))
        return failing <= reported and failing <= lettered

    eventually(all_reported, timeout=60 + SECONDS, what="a report and a dead letter of every failing event")
    again = sum(counter.ran.values()) - len(counter.ran)
    print(f"{len(ids)} events acknowledged, {len(failing)} failing, {kills} kills, {again} ran once more")
    assert kills >= 3 and len(ids) >= 100
    # What was not acknowledged may have been accepted all the same; nothing else may be there.
    assert {event.split("-")[0] for event in counter.ran} <= {str(number) for number in range(CLIENTS)}
