"""Environments end with what they belong to, and not before their invocation does."""

import concurrent.futures

import pytest
from conftest import eventually, zip_of
from restarts import Gate, Presence
from test_restart import ACTIVE, until


@pytest.fixture(scope="module")
def gate():
    gate = Gate()
    yield gate
    gate.close()


@pytest.fixture(scope="module")
def presence():
    presence = Presence()
    yield presence
    presence.close()


@pytest.fixture(scope="module")
def server(gate, presence):
    from conftest import Server

    running = Server("--allow-host", f"127.0.0.1:{gate.port}", "--allow-host", f"127.0.0.1:{presence.port}")
    yield running
    assert running.stop() == 0


@pytest.fixture
def client(server):
    return server.client("lambda")


@pytest.fixture
def running(server, client, gate, presence):
    """A version of a function that runs, held at the gate; the alias `live` leads to it."""
    gate.shut()
    source = gate.code() + presence.code() + "def handler(event, context): return wait(event)\n"
    name = server.function_from(zip_of({"lambda_function.py": source}), Timeout=60)
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        before = presence.count
        call = pool.submit(server.invoke, name, name, Qualifier="live")
        gate.until(name)
        assert presence.count == before + 1
        yield name, call
        # Whatever ended: the invocation goes on to its end, and then its environment goes.
        assert not call.done()
        assert presence.count == before + 1
        gate.open()
        assert call.result()[0] == "go"
        eventually(lambda: presence.count == before, what="the end of the environment")
    client.delete_function(FunctionName=name)


def test_a_deleted_function(server, client, running):
    name, _ = running
    client.delete_function(FunctionName=name)
    server.function_from(zip_of({"lambda_function.py": "def handler(event, context): return 1"}), name=name)


def test_a_deleted_version(client, running):
    name, _ = running
    client.delete_alias(FunctionName=name, Name="live")
    client.delete_function(FunctionName=name, Qualifier="1")


def test_new_code(server, client, presence, gate):
    gate.shut()
    source = gate.code() + presence.code() + "def handler(event, context): return wait(event)\n"
    name = server.function_from(zip_of({"lambda_function.py": source}), Timeout=60)
    before = presence.count
    with concurrent.futures.ThreadPoolExecutor() as pool:
        call = pool.submit(server.invoke, name, name)
        gate.until(name)
        client.update_function_code(FunctionName=name, ZipFile=zip_of({"lambda_function.py": "def handler(e, c): return 'new'"}))
        until(client, ACTIVE, name)
        assert server.invoke(name, {})[0] == "new"
        assert (call.done(), presence.count) == (False, before + 1)
        gate.open()
        assert call.result()[0] == "go"
        eventually(lambda: presence.count == before, what="the end of the environment")
    client.delete_function(FunctionName=name)


@pytest.mark.parametrize("gone", ["configuration", "alias", "version", "function"])
def test_provisioned_concurrency_that_is_taken_back(server, client, presence, gone):
    source = presence.code() + "def handler(event, context): return 1\n"
    name = server.function_from(zip_of({"lambda_function.py": source}))
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    qualifier = "1" if gone == "version" else "live"
    before = presence.count
    client.put_provisioned_concurrency_config(FunctionName=name, Qualifier=qualifier, ProvisionedConcurrentExecutions=2)
    eventually(lambda: presence.count == before + 2, what="both environments")
    if gone == "configuration":
        client.delete_provisioned_concurrency_config(FunctionName=name, Qualifier=qualifier)
    elif gone == "function":
        client.delete_function(FunctionName=name)
    else:
        client.delete_alias(FunctionName=name, Name="live")
        if gone == "version":
            client.delete_function(FunctionName=name, Qualifier="1")
    eventually(lambda: presence.count == before, what="the end of both")
    if gone != "function":
        client.delete_function(FunctionName=name)


def test_a_snap_start_version_that_is_deleted(server, client, presence):
    source = presence.code() + "def handler(event, context): return 1\n"
    name = server.function_from(zip_of({"lambda_function.py": source}), SnapStart={"ApplyOn": "PublishedVersions"})
    before = presence.count
    client.publish_version(FunctionName=name)
    eventually(lambda: presence.count == before + 1, what="its environment")
    until(client, ACTIVE, name, Qualifier="1")
    client.delete_function(FunctionName=name, Qualifier="1")
    eventually(lambda: presence.count == before, what="its end")
    client.delete_function(FunctionName=name)
