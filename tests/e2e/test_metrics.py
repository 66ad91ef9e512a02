"""What Lambda measures, under the names and dimensions that CloudWatch has for it."""

import json

import pytest
from conftest import eventually
from test_extensions import FRESH, agent
from test_function_urls import allow, call
from test_layers import publish
from test_provisioned import ready

ANSWERS = """
def handler(event, context):
    if event.get("rawPath") == "/fails":
        raise ValueError("as asked")
    return {"statusCode": int(event.get("rawPath", "/200")[1:]), "body": "hello"}
"""


@pytest.fixture(scope="module")
def client(server):
    return server.client("lambda")


def series(server, name=None):
    """What was measured: by metric and dimensions' values."""
    asked = ["metrics", *([name] if name else []), "--json"]
    found = json.loads(server.hearth(*asked).stdout)
    order = ["FunctionName", "Resource", "ExecutedVersion"]
    return {
        (one["metric"], *(one["dimensions"][key] for key in order if key in one["dimensions"])): one for one in found
    }


def sums(found, metric):
    return {key[1:]: one["sum"] for key, one in found.items() if key[0] == metric}


def test_a_call_by_alias_counts_for_the_function_the_alias_and_the_version(server, client):
    name = server.python("def handler(event, context): return event")
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    for qualifier in ["live", "1", "$LATEST"]:
        server.invoke(name, Qualifier=qualifier)
    server.invoke(name)
    found = series(server, name)
    expected = {
        (name,): 4,
        (name, f"{name}:live"): 1,
        (name, f"{name}:live", "1"): 1,
        (name, f"{name}:1"): 1,
        (name, f"{name}:$LATEST"): 1,
    }
    assert sums(found, "Invocations") == expected
    assert sums(found, "Errors") == dict.fromkeys(expected, 0)
    assert set(sums(found, "Duration")) == set(sums(found, "ConcurrentExecutions")) == set(expected)
    assert all(one["max"] == 1 for key, one in found.items() if key[0] == "ConcurrentExecutions")
    account = series(server)
    for metric in ["ConcurrentExecutions", "UnreservedConcurrentExecutions", "ClaimedAccountConcurrency"]:
        assert account[(metric,)]["max"] >= 1


@pytest.mark.parametrize("alias", [None, "live"])
def test_requests_to_a_url_are_counted_by_what_came_of_them(server, client, alias):
    name = server.python(ANSWERS)
    where = {}
    if alias:
        client.publish_version(FunctionName=name)
        client.create_alias(FunctionName=name, Name=alias, FunctionVersion="1")
        where = {"Qualifier": alias}
    url = client.create_function_url_config(FunctionName=name, AuthType="NONE", **where)["FunctionUrl"]
    assert call(server, url, "/200").status == 403
    allow(client, name, **where)
    for path, status in [("/200", 200), ("/404", 404), ("/503", 503), ("/fails", 502)]:
        assert call(server, url, path).status == status
    found = series(server, name)
    resource = (name, f"{name}:{alias or '$LATEST'}")
    executed = (*resource, "1" if alias else "$LATEST")
    # Who was turned away reached no version.
    assert sums(found, "UrlRequestCount") == {(name,): 5, resource: 5, executed: 4}
    assert sums(found, "Url4xxCount") == {(name,): 2, resource: 2, executed: 1}
    assert sums(found, "Url5xxCount") == {(name,): 2, resource: 2, executed: 2}
    latency = found[("UrlRequestLatency", *resource)]
    assert latency["count"] == 5 and 0 < latency["max"] < 30_000
    assert set(sums(found, "Invocations")) == {(name,), *([resource, executed] if alias else [])}


def test_what_extensions_take_after_the_runtime_is_measured(server, client):
    layer = publish(client, agent())
    name = server.python(
        "def handler(event, context): return event", Layers=[layer], Environment={"Variables": FRESH}, Timeout=10
    )
    server.invoke(name)

    def measured():
        return series(server, name).get(("PostRuntimeExtensionsDuration", name))

    # It ends after the caller has its answer.
    assert eventually(measured, what="the metric")["count"] == 1
    bare = server.python("def handler(event, context): return event")
    server.invoke(bare)
    assert ("PostRuntimeExtensionsDuration", bare) not in series(server, bare)


def test_provisioned_concurrency_is_measured_where_it_is(start):
    server = start()
    client = server.client("lambda")
    name = server.python("def handler(event, context): return event")
    client.publish_version(FunctionName=name)
    client.put_provisioned_concurrency_config(FunctionName=name, Qualifier="1", ProvisionedConcurrentExecutions=2)
    ready(client, name, "1", 2)
    server.invoke(name, Qualifier="1")
    found = series(server, name)
    resource = (name, f"{name}:1")
    assert sums(found, "ProvisionedConcurrentExecutions") == {resource: 1}
    assert sums(found, "ProvisionedConcurrencyUtilization") == {resource: 0.5}
    assert sums(found, "ProvisionedConcurrencyInvocations") == {(name,): 1, resource: 1}
    account = series(server)
    assert account[("ConcurrentExecutions",)]["max"] == 1
    # It runs in what is provisioned: nothing that others share is in use, and two are gone.
    assert account[("UnreservedConcurrentExecutions",)]["max"] == 0
    assert account[("ClaimedAccountConcurrency",)]["max"] == 2
