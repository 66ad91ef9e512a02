"""`kill -9` in the middle: what was acknowledged is there, and works."""

import json
import random
import threading

from botocore.exceptions import BotoCoreError, ClientError
from conftest import LAMBDA_TRUST, Server, eventually, zip_of

SOURCE = "def handler(event, context):\n    print('said', event['n'])\n    return event['n'] * 2\n"


def test_everything_acknowledged_survives_a_kill(start, data_dir):
    server = start(data_dir=data_dir)
    role = server.client("iam").create_role(RoleName="keeper", AssumeRolePolicyDocument=LAMBDA_TRUST)["Role"]["Arn"]
    names = [server.python(SOURCE, name=f"kept-{number}", Role=role, Tags={"n": str(number)}) for number in range(3)]
    for number, name in enumerate(names):
        assert server.invoke(name, {"n": number})[0] == number * 2
    groups = {name: f"/aws/lambda/{name}" for name in names}
    eventually(lambda: all(lines(server, group) for group in groups.values()), what="every line in its log")
    before = {name: lines(server, group) for name, group in groups.items()}

    server.kill()
    server.start()

    functions = {found["FunctionName"]: found for found in server.client("lambda").list_functions()["Functions"]}
    assert sorted(functions) == names
    assert server.client("iam").get_role(RoleName="keeper")["Role"]["Arn"] == role
    for number, name in enumerate(names):
        arn = functions[name]["FunctionArn"]
        assert server.client("lambda").list_tags(Resource=arn)["Tags"] == {"n": str(number)}
        assert set(before[name]) <= set(lines(server, groups[name]))
        assert server.invoke(name, {"n": 21})[0] == 42


def test_kills_at_any_moment_lose_nothing_acknowledged(start, data_dir):
    server = start(data_dir=data_dir)
    role = server.role("keeper")
    zipped = zip_of({"lambda_function.py": SOURCE})
    acknowledged = []
    for round_number in range(4):
        stop = threading.Event()
        writer = threading.Thread(target=create_until, args=(server, role, zipped, round_number, acknowledged, stop))
        writer.start()
        wanted = len(acknowledged) + random.randint(1, 12)
        eventually(lambda: len(acknowledged) >= wanted, what="some functions")
        server.kill()
        stop.set()
        writer.join()
        server.start()
        pages = server.client("lambda").get_paginator("list_functions").paginate()
        there = {function["FunctionName"] for page in pages for function in page["Functions"]}
        assert set(acknowledged) <= there, f"lost: {set(acknowledged) - there}"
        # Whatever was half way is settled by the restart, not stuck.
        for name in acknowledged[-3:]:
            client = server.client("lambda")
            client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 20})
            assert server.invoke(name, {"n": 1})[0] == 2


def create_until(server, role, zipped, round_number, acknowledged, stop):
    client = server.client("lambda")
    number = 0
    while not stop.is_set():
        name = f"r{round_number}-{number}"
        try:
            client.create_function(
                FunctionName=name,
                Runtime="python3.12",
                Handler="lambda_function.handler",
                Role=role,
                Code={"ZipFile": zipped},
            )
        except (BotoCoreError, ClientError):
            return
        acknowledged.append(name)
        number += 1


def test_sigterm_drains(start):
    server = start()
    name = server.python("import time\ndef handler(event, context):\n    time.sleep(1)\n    return 'finished'\n")
    answers = []
    call = threading.Thread(target=lambda: answers.append(server.invoke(name)[0]))
    call.start()
    eventually(lambda: lines_or_none(server, name, "START"), what="the invocation's start")
    assert server.stop() == 0
    call.join()
    assert answers == ["finished"]


def test_two_servers_do_not_share_a_data_directory(start, data_dir):
    start(data_dir=data_dir)
    second = Server(data_dir=data_dir, wait=False)
    try:
        second.start()
        raise AssertionError("the second server started")
    except AssertionError as ended:
        assert "the server ended with 1" in str(ended)
        assert str(data_dir) in str(ended)


def lines(server, group):
    try:
        events = server.client("logs").filter_log_events(logGroupName=group)["events"]
    except ClientError:
        return []
    return [event["message"].rstrip() for event in events if event["message"].startswith("said")]


def lines_or_none(server, name, beginning):
    try:
        events = server.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    except ClientError:
        return None
    return [event for event in events if event["message"].startswith(beginning)]
