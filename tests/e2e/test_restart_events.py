"""A restart in the middle of what comes from outside: batches, events, folders, uploads."""

import concurrent.futures
import hashlib
import http.client
import json
import signal
import socket
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from conftest import eventually, zip_of
from restarts import assert_nothing_left, blobs, packages, rewrite, rows
from test_function_urls import make_url
from test_restart import client, code, create, gate, refused, restart, server, until, ACTIVE

WORKS = """
def handler(event, context):
    return wait("working")
"""


def worker(server, gate, **settings):
    server.function_from(zip_of({"lambda_function.py": gate.code() + WORKS}), name="f", **{"Timeout": 5, **settings})


def queue(server, name="q", **attributes):
    sqs = server.client("sqs")
    sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "5", **attributes})
    return f"arn:aws:sqs:us-east-1:000000000000:{name}"


def waiting_messages(server, name="q"):
    sqs = server.client("sqs")
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    return [int(count) for count in sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"].values()]


def send(server, name="q"):
    sqs = server.client("sqs")
    sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"], MessageBody="m")


def mapping_state(client, id):
    try:
        return client.get_event_source_mapping(UUID=id)["State"]
    except client.exceptions.ResourceNotFoundException:
        return None


# What a kill between the two commits of a change leaves, and what it must become.
TRANSITIONS = {
    "made": ("Creating", True, "Enabled"),
    "made-disabled": ("Creating", False, "Disabled"),
    "enabled": ("Enabling", True, "Enabled"),
    "disabled": ("Disabling", False, "Disabled"),
    "changed": ("Updating", True, "Enabled"),
    "changed-disabled": ("Updating", False, "Disabled"),
    "deleted": ("Deleting", True, None),
}


def test_mappings_in_every_transition(server, client, gate, data_dir):
    gate.open()
    worker(server, gate)
    made = {}
    for name in TRANSITIONS:
        made[name] = client.create_event_source_mapping(EventSourceArn=queue(server, name), FunctionName="f")["UUID"]
    for id in made.values():
        eventually(lambda: mapping_state(client, id) == "Enabled", what="the mapping")
    server.kill()
    planned = {made[name]: {"state": state, "is_enabled": enabled} for name, (state, enabled, _) in TRANSITIONS.items()}
    rewrite(data_dir, "lambda.event_source_mappings", lambda record: {**record, **planned[record["id"]]})
    server.start()
    for name, (_, _, wanted) in TRANSITIONS.items():
        eventually(lambda: mapping_state(client, made[name]) == wanted, what=f"{name} being {wanted}")
        send(server, name)
    for name, (_, _, wanted) in TRANSITIONS.items():
        left = [0, 0] if wanted == "Enabled" else [1, 0]
        eventually(lambda: waiting_messages(server, name) == left, what=f"the messages of {name}")
    for id in made.values():
        if mapping_state(client, id):
            client.delete_event_source_mapping(UUID=id)
            eventually(lambda: mapping_state(client, id) is None, what="the end of the mapping")
    client.delete_function(FunctionName="f")
    assert_nothing_left(server, data_dir)


def test_mappings_that_were_just_acknowledged(server, client, gate, restart):
    gate.open()
    worker(server, gate)
    source = queue(server)
    id = client.create_event_source_mapping(EventSourceArn=source, FunctionName="f")["UUID"]
    restart(server)
    eventually(lambda: mapping_state(client, id) == "Enabled", what="the mapping")
    client.update_event_source_mapping(UUID=id, Enabled=False, BatchSize=3)
    restart(server)
    eventually(lambda: mapping_state(client, id) == "Disabled", what="the mapping being disabled")
    assert client.get_event_source_mapping(UUID=id)["BatchSize"] == 3
    client.delete_event_source_mapping(UUID=id)
    restart(server)
    eventually(lambda: mapping_state(client, id) is None, what="the end of the mapping")
    assert client.create_event_source_mapping(EventSourceArn=source, FunctionName="f")["State"] == "Creating"


@pytest.mark.parametrize("change", ["disabled", "deleted", "without its function"])
def test_a_mapping_that_ends_while_a_batch_is_under_way(server, client, gate, restart, data_dir, change):
    worker(server, gate)
    id = client.create_event_source_mapping(EventSourceArn=queue(server), FunctionName="f")["UUID"]
    send(server)
    gate.until("working")
    eventually(lambda: mapping_state(client, id) == "Enabled", what="the mapping")
    if change == "disabled":
        client.update_event_source_mapping(UUID=id, Enabled=False)
    elif change == "deleted":
        client.delete_event_source_mapping(UUID=id)
    else:
        client.delete_function(FunctionName="f")
    if restart.kills:
        restart(server)
        if change != "without its function":
            # What was in hand is in the queue again.
            eventually(lambda: waiting_messages(server) == [1, 0], what="the message")
    else:
        with concurrent.futures.ThreadPoolExecutor() as pool:
            stopping = pool.submit(restart, server)
            gate.open()
            stopping.result()
        assert waiting_messages(server) == [0, 0]
    # A mapping outlives its function.
    wanted = {"disabled": "Disabled", "deleted": None, "without its function": "Enabled"}[change]
    eventually(lambda: mapping_state(client, id) == wanted, what=f"the mapping being {wanted}")
    if wanted:
        client.delete_event_source_mapping(UUID=id)
        eventually(lambda: mapping_state(client, id) is None, what="the end of the mapping")
    if change != "without its function":
        client.delete_function(FunctionName="f")
    assert_nothing_left(server, data_dir)
    assert gate.words == ["working"]


def test_an_event_that_is_under_way(server, client, gate, restart, data_dir):
    worker(server, gate, Timeout=60)
    client.invoke(FunctionName="f", InvocationType="Event", Payload=b"{}")
    gate.until("working")
    if restart.kills:
        restart(server)
        gate.until("working", 2)
        gate.open()
    else:
        with concurrent.futures.ThreadPoolExecutor() as pool:
            stopping = pool.submit(restart, server)
            gate.open()
            stopping.result()
    eventually(lambda: not any(rows(data_dir, "events", "deliveries.").values()), what="the event being done with")
    assert gate.words == ["working"] * (2 if restart.kills else 1)


def test_an_event_that_is_under_way_when_a_stop_is_told_to_hurry(server, client, gate, data_dir):
    worker(server, gate, Timeout=60)
    client.invoke(FunctionName="f", InvocationType="Event", Payload=b"{}")
    gate.until("working")
    server.process.send_signal(signal.SIGTERM)
    eventually(lambda: "signal again to stop at once" in server.printed(), what="the server saying that it stops")
    assert server.stop() == 1
    server.start()
    gate.until("working", 2)
    gate.open()
    eventually(lambda: not any(rows(data_dir, "events", "deliveries.").values()), what="the event being done with")
    assert gate.words == ["working"] * 2


def restart_during(call, pool, server, gate, restart):
    """While an invocation waits at the gate: a kill breaks it off, a stop waits for it."""
    stopping = pool.submit(restart, server)
    if restart.kills:
        with pytest.raises((BotoCoreError, ClientError)):
            call.result()
    gate.open()
    stopping.result()


def test_an_event_that_waits_for_a_function_that_is_deleted(server, client, gate, restart, data_dir):
    worker(server, gate, Timeout=60)
    client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=1)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        call = pool.submit(server.invoke, "f", {})
        gate.until("working")
        # There is no room for it.
        client.invoke(FunctionName="f", InvocationType="Event", Payload=b"{}")
        client.delete_function(FunctionName="f")
        restart_during(call, pool, server, gate, restart)
    assert_nothing_left(server, data_dir)
    server.function_from(zip_of({"lambda_function.py": gate.code() + WORKS}), name="f")
    assert server.invoke("f", {})[0] == "go"
    assert gate.words == ["working"] * 2


def test_a_folder_that_changes_while_its_function_starts(start, data_dir, gate, restart, tmp_path):
    flag = ("--hot-reload", str(tmp_path), "--allow-host", f"127.0.0.1:{gate.port}")
    server = start(*flag, data_dir=data_dir)
    client = server.client("lambda")
    folder = tmp_path / "project"
    folder.mkdir()
    source = gate.code() + "wait('init')\ndef handler(event, context): return {!r}\n"
    (folder / "lambda_function.py").write_text(source.format("old"))
    client.create_function(
        FunctionName="f",
        Runtime="python3.12",
        Handler="lambda_function.handler",
        Role=server.role(),
        Timeout=60,
        Code={"S3Bucket": "hot-reload", "S3Key": str(folder)},
    )
    until(client, ACTIVE)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        call = pool.submit(server.invoke, "f", {})
        gate.until("init")
        (folder / "lambda_function.py").write_text(source.format("new"))
        restart_during(call, pool, server, gate, restart)
    assert server.invoke("f", {})[0] == "new"
    # A server that may not run from folders says so, and the function is there for one that may.
    server.arguments = []
    restart(server)
    assert server.client("lambda").get_function(FunctionName="f")["Configuration"]["State"] == "Active"
    with pytest.raises(ClientError) as error:
        server.invoke("f", {})
    assert "--hot-reload" in str(error.value)
    server.arguments = list(flag)
    restart(server)
    assert server.invoke("f", {})[0] == "new"


STREAMS = """
export const handler = awslambda.streamifyResponse(async (event, stream) => {
    stream.write("first")
    const wait = event.queryStringParameters?.wait
    if (wait) await new Promise(() => setTimeout(() => {}, 60000))
    stream.end()
})
"""


def test_a_url_that_is_answering(start, data_dir):
    server = start(data_dir=data_dir)
    name = server.node(STREAMS, Timeout=60)
    url = make_url(server, name, InvokeMode="RESPONSE_STREAM")
    host = urlsplit(url).netloc
    call = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    call.request("GET", "/?wait=1", headers={"Host": host})
    answer = call.getresponse()
    assert answer.read(5) == b"first"
    server.kill()
    # It is cut off, and not as if it had ended.
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        answer.read()
    server.start()
    again = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    again.request("GET", "/", headers={"Host": host})
    assert again.getresponse().read() == b"first"


def test_an_upload_that_is_half_done(server, client, data_dir):
    body = json.dumps({"Runtime": "python3.12", "Code": {"ZipFile": "A" * (1 << 20)}}).encode()
    head = f"POST /2015-03-31/functions HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(head.encode() + body[: len(body) // 2])
        server.kill()
    server.start()
    assert client.list_functions()["Functions"] == []
    assert (blobs(data_dir), packages(data_dir)) == ([], [])


def test_what_a_kill_leaves_half_written_is_swept(server, client, data_dir):
    package = code("kept")
    create(server, package)
    until(client, ACTIVE)
    server.kill()
    # The package of a function that was not stored any more, and one that was being written, unpacked or removed.
    orphan = hashlib.sha256(b"orphan").hexdigest()
    directory = data_dir / "blobs" / orphan[:2] / orphan[2:4]
    directory.mkdir(parents=True, exist_ok=True)
    (directory / orphan).write_bytes(b"orphan")
    (data_dir / "blobs" / "tmp" / "half").write_bytes(b"half")
    for name in (f".making-{orphan[:8]}", f".removed-{orphan[:8]}", orphan):
        (data_dir / "code" / name / "inside").mkdir(parents=True)
    server.start()
    kept = hashlib.sha256(package).hexdigest()
    assert blobs(data_dir) == [kept]
    eventually(lambda: packages(data_dir) == [kept], what="the leftovers being gone")
    assert server.invoke("f", {})[0] == "kept"
