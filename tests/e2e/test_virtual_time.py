"""Time that is moved by hand: what follows it, what does not, and who may move it."""

import json
import time
import urllib.error
import urllib.request

import pytest

from conftest import Server, eventually


@pytest.fixture(scope="module")
def virtual():
    """A server whose time stands still until it is moved."""
    running = Server("--time", "virtual")
    yield running
    assert running.stop() == 0, running.printed()


def ask(server, method, body=None):
    request = urllib.request.Request(f"{server.endpoint}/_hearth/time", method=method, data=body)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def now_ms(server):
    return ask(server, "GET")[1]["epochMs"]


def test_time_stands_still_until_it_is_moved(virtual):
    before = now_ms(virtual)
    assert abs(before / 1000 - time.time()) < 60, "it begins at the machine's time"
    assert now_ms(virtual) == before
    assert virtual.hearth("time", "advance", "2m").stdout.endswith("(virtual clock)\n")
    assert now_ms(virtual) == before + 120_000
    told = json.loads(virtual.hearth("time", "now", "--json").stdout)
    assert told["epochMs"] == before + 120_000 and told["clock"] == "virtual"


def test_records_are_stamped_by_it_and_functions_are_not(virtual):
    virtual.hearth("time", "advance", "1d")
    name = virtual.python(
        "import time\ndef handler(event, context):\n    return [time.time(), context.get_remaining_time_in_millis()]\n"
    )
    modified = virtual.client("lambda").get_function_configuration(FunctionName=name)["LastModified"]
    assert modified[:19] == virtual.hearth("time", "now").stdout[:19]
    (inside, remaining), _ = virtual.invoke(name, {})
    assert abs(inside - time.time()) < 60
    assert 5_000 < remaining <= 10_000


def test_log_lines_are_found_by_virtual_time(virtual):
    name = virtual.python("def handler(event, context):\n    print('here I am')\n")
    virtual.hearth("time", "advance", "1h")
    virtual.invoke(name, {})
    # The group is there when its first lines have been written.
    shown = lambda: "here I am" in virtual.hearth("logs", name, "--since", "1m", check=False).stdout
    eventually(shown, what="the line in the last virtual minute")
    virtual.hearth("time", "advance", "2m")
    assert "here I am" not in virtual.hearth("logs", name, "--since", "1m").stdout


def test_steps_that_are_none_are_refused(virtual):
    before = now_ms(virtual)
    for wrong in [b"", b"{}", b'{"advanceSeconds": -1}', b'{"advanceSeconds": 1e300}', b'{"advanceSeconds": 1, "x": 2}']:
        status, answer = ask(virtual, "POST", wrong)
        assert status == 400 and "advanceSeconds" in answer["message"], wrong
    assert ask(virtual, "PUT", b"{}")[0] == 405
    assert now_ms(virtual) == before


def test_a_function_cannot_move_time(virtual):
    name = virtual.python(
        "import os, urllib.request, urllib.error\n"
        "def handler(event, context):\n"
        "    request = urllib.request.Request(os.environ['AWS_ENDPOINT_URL'] + '/_hearth/time', method='POST',\n"
        "        data=b'{\"advanceSeconds\": 60}')\n"
        "    try:\n"
        "        return urllib.request.urlopen(request).status\n"
        "    except urllib.error.HTTPError as error:\n"
        "        return error.code\n"
    )
    before = now_ms(virtual)
    assert virtual.invoke(name, {})[0] == 403
    assert now_ms(virtual) == before


def test_the_machines_clock_cannot_be_moved(server):
    refused = server.hearth("time", "advance", "1s", check=False)
    assert refused.returncode != 0 and "--time virtual" in refused.stderr
    assert "(system clock)" in server.hearth("time", "now").stdout


def test_a_restart_does_not_turn_time_back(start, data_dir):
    server = start("--time", "virtual", data_dir=data_dir)
    server.hearth("time", "advance", "1w")
    before = now_ms(server)
    server.kill()
    server.start()
    assert now_ms(server) >= before
