"""SnapStart: the Init phase happens when a version is published, and not inside the first request."""

import base64
import re

import pytest
from botocore.exceptions import ClientError
from conftest import eventually, zip_of
from conformance import java, served

ON = {"ApplyOn": "PublishedVersions"}
WAIT = {"Delay": 0.02, "MaxAttempts": 1500}
HOOKS = """
import os, time, uuid
from snapshot_restore_py import register_after_restore, register_before_snapshot
time.sleep(0.3)
me, happened = str(uuid.uuid4()), ["init"]
register_before_snapshot(happened.append, "registered first")
@register_before_snapshot
def before():
    happened.append("registered last")
@register_after_restore
def after():
    print("after restore")
    happened.append("restored")
NAMES = ["AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_ACCESS_KEY_ID", "AWS_LAMBDA_LOG_STREAM_NAME"]
def handler(event, context):
    return {"me": me, "happened": happened, **{name: os.environ.get(name) for name in NAMES}}
"""


def refused(call, **parameters):
    with pytest.raises(ClientError) as error:
        call(**parameters)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


@pytest.fixture(scope="module")
def client(server):
    return server.client("lambda", parameter_validation=False)


def settled(client, name, version):
    def state():
        found = client.get_function_configuration(FunctionName=name, Qualifier=version)
        return found if found["State"] != "Pending" else None

    return eventually(state, what="the version's state")


def publish(client, name):
    """A version that is ready, by number."""
    version = client.publish_version(FunctionName=name)["Version"]
    assert settled(client, name, version)["State"] == "Active"
    return version


def tail(response):
    return base64.b64decode(response["LogResult"]).decode()


def test_the_first_request_finds_what_was_initialised(server, client):
    name = server.python(HOOKS, SnapStart=ON)
    latest = client.get_function_configuration(FunctionName=name)
    assert latest["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "Off"}
    published = client.publish_version(FunctionName=name)
    assert (published["Version"], published["State"], published["StateReasonCode"]) == ("1", "Pending", "Creating")
    assert published["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "Off"}
    assert refused(client.invoke, FunctionName=name, Qualifier="1") == (
        "SnapStartNotReadyException",
        "Lambda is initializing your function. It will be ready to invoke once your function state becomes ACTIVE.",
    )
    ready = settled(client, name, "1")
    assert (ready["State"], ready["SnapStart"]["OptimizationStatus"]) == ("Active", "On")

    answer, response = server.invoke(name, Qualifier="1", LogType="Tail")
    assert answer.pop("me")
    assert answer == {
        "happened": ["init", "registered last", "registered first", "restored"],
        "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start",
        "AWS_ACCESS_KEY_ID": None,
        "AWS_LAMBDA_LOG_STREAM_NAME": None,
    }
    log = tail(response)
    assert re.search(r"^RESTORE_START Runtime Version: python:\S+\tRuntime Version ARN: arn:", log, re.M), log
    assert re.search(r"^after restore\nRESTORE_REPORT Restore Duration: [\d.]+ ms\nSTART RequestId: ", log, re.M), log
    report = re.search(r"^REPORT .*\tRestore Duration: ([\d.]+) ms\tBilled Restore Duration: (\d+) ms\t$", log, re.M)
    assert report, log
    assert "Init Duration" not in report[0]
    assert float(report[1]) < 300, "the Init phase was inside the request"
    # A second request to the same environment has nothing to restore.
    _, response = server.invoke(name, Qualifier="1", LogType="Tail")
    assert "estore" not in tail(response)
    # $LATEST is as it always was.
    answer, _ = server.invoke(name)
    assert (answer["AWS_LAMBDA_INITIALIZATION_TYPE"], answer["happened"]) == ("on-demand", ["init"])


def test_the_role_is_had_from_the_runtime_api(server, client):
    source = """
import json, os, urllib.request
def handler(event, context):
    request = urllib.request.Request(
        os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"],
        headers={"Authorization": os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]},
    )
    answer = json.load(urllib.request.urlopen(request))
    return sorted(answer), answer["AccessKeyId"]
"""
    name = server.python(source, SnapStart=ON)
    (members, key), _ = server.invoke(name, Qualifier=publish(client, name))
    assert members == ["AccessKeyId", "Expiration", "SecretAccessKey", "Token"]
    assert key.startswith("ASIA")


NODE = "export async function handler() { return process.env.AWS_LAMBDA_INITIALIZATION_TYPE; }"
# What a custom runtime does that knows of SnapStart.
CUSTOM = """#!/usr/bin/env bash
set -euo pipefail
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"
curl -sS "$api/restore/next"
while true; do
    headers=$(curl -sS -o /dev/null -D - "$api/invocation/next")
    id=$(grep -i '^lambda-runtime-aws-request-id' <<< "$headers" | tr -d '[:space:]' | cut -d: -f2)
    curl -sS -o /dev/null -d "\\"$AWS_LAMBDA_INITIALIZATION_TYPE\\"" "$api/invocation/$id/response"
done
"""


@pytest.mark.parametrize("runtime", ["node", "custom"])
def test_other_runtimes_are_initialised_ahead_too(server, client, runtime):
    if runtime == "node":
        name = server.node(NODE, SnapStart=ON)
    else:
        zipped = zip_of({"bootstrap": (CUSTOM, 0o755)})
        name = server.function_from(zipped, runtime="provided.al2023", handler="none", SnapStart=ON)
    answer, response = server.invoke(name, Qualifier=publish(client, name), LogType="Tail")
    assert answer == "snap-start"
    assert "\tRestore Duration: " in tail(response)


def test_a_hook_that_fails_before_fails_the_version(server, client):
    source = """
from snapshot_restore_py import register_before_snapshot
@register_before_snapshot
def before(): raise ValueError("no")
def handler(event, context): pass
"""
    name = server.python(source, SnapStart=ON)
    version = client.publish_version(FunctionName=name)["Version"]
    failed = settled(client, name, version)
    assert (failed["State"], failed["StateReasonCode"]) == ("Failed", "FunctionError.RuntimeInitError")
    assert "Runtime.BeforeSnapshotError" in failed["StateReason"]
    assert failed["SnapStart"]["OptimizationStatus"] == "Off"


def test_a_hook_that_fails_after_fails_the_request(server, client):
    source = """
from snapshot_restore_py import register_after_restore
@register_after_restore
def after(): raise ValueError("no")
def handler(event, context): pass
"""
    name = server.python(source, SnapStart=ON)
    code, message = refused(client.invoke, FunctionName=name, Qualifier=publish(client, name))
    assert code == "SnapStartException"
    assert "afterRestore()" in message
    logs = server.client("logs")

    def told():
        events = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}", filterPattern="RESTORE_REPORT")["events"]
        return [event["message"].rstrip() for event in events]

    line = eventually(told, what="the log line")[0]
    assert line.endswith("Status: error\tError Type: Runtime.AfterRestoreError")


# Hooks of both orders, and of the library that functions bring.
JAVA_HOOKS = """
package example;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import org.crac.Core;
import org.crac.Resource;

public class Main implements RequestHandler<Map<String, Object>, Object> {
    private static final List<String> HAPPENED = new CopyOnWriteArrayList<>();

    static final class Hook implements Resource {
        private final String name;
        Hook(String name) { this.name = name; }
        public void beforeCheckpoint(org.crac.Context<? extends Resource> context) {
            HAPPENED.add("before " + name);
            if (name.equals(System.getenv("FAIL_BEFORE"))) throw new IllegalStateException("no " + name);
        }
        public void afterRestore(org.crac.Context<? extends Resource> context) {
            System.out.println("restoring " + name);
            HAPPENED.add("after " + name);
            if (name.equals(System.getenv("FAIL_AFTER"))) throw new IllegalStateException("no " + name);
        }
    }

    static {
        HAPPENED.add("init");
        Core.getGlobalContext().register(new Hook("first"));
        Core.getGlobalContext().register(new Hook("last"));
    }

    public Object handleRequest(Map<String, Object> event, Context context) {
        return HAPPENED;
    }
}
"""


@pytest.fixture(scope="module")
def java_function(server):
    """Makes Java functions with hooks."""
    runtimes = [row.runtime for row in served() if row.runtime.startswith("java")]
    if not runtimes:
        pytest.skip("no Java on this machine")
    zipped = zip_of(java(JAVA_HOOKS, ["com", "org"]))

    def function(**variables):
        settings = {"MemorySize": 512, "Timeout": 30, "SnapStart": ON, "Environment": {"Variables": variables}}
        return server.function_from(zipped, runtime=runtimes[0], handler="example.Main", **settings)

    return function


def test_java_runs_its_resources_in_their_order(server, client, java_function):
    name = java_function()
    assert server.invoke(name)[0] == ["init"], "$LATEST is never set aside"
    answer, response = server.invoke(name, Qualifier=publish(client, name), LogType="Tail")
    assert answer == ["init", "before last", "before first", "after first", "after last"]
    log = tail(response)
    assert re.search(r"^restoring first\nrestoring last\nRESTORE_REPORT Restore Duration: ", log, re.M), log
    assert "\tBilled Restore Duration: " in log


def test_a_resource_of_javas_that_fails_before_fails_the_version(client, java_function):
    name = java_function(FAIL_BEFORE="last")
    failed = settled(client, name, client.publish_version(FunctionName=name)["Version"])
    assert (failed["State"], failed["StateReasonCode"]) == ("Failed", "FunctionError.RuntimeInitError")
    assert "Runtime.BeforeCheckpointError" in failed["StateReason"]


def test_a_resource_of_javas_that_fails_after_fails_the_request(server, client, java_function):
    name = java_function(FAIL_AFTER="first")
    code, _ = refused(client.invoke, FunctionName=name, Qualifier=publish(client, name))
    assert code == "SnapStartException"
    logs = server.client("logs")

    def told():
        messages = [event["message"] for event in logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]]
        return messages if any("RESTORE_REPORT" in message for message in messages) else None

    messages = "".join(eventually(told, what="the log"))
    # The others run all the same.
    assert "restoring last" in messages
    assert "Suppressed: java.lang.IllegalStateException: no first" in messages
    assert "Status: error\tError Type: Runtime.AfterRestoreError" in messages


def test_it_can_be_switched_on_and_off(server, client):
    name = server.python("def handler(event, context): return event")
    updated = client.update_function_configuration(FunctionName=name, SnapStart=ON)
    assert updated["SnapStart"]["ApplyOn"] == "PublishedVersions"
    client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig=WAIT)
    assert publish(client, name) == "1"
    client.update_function_configuration(FunctionName=name, SnapStart={"ApplyOn": "None"})
    client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig=WAIT)
    version = client.publish_version(FunctionName=name)
    assert (version["Version"], version["State"], version["SnapStart"]["ApplyOn"]) == ("2", "Active", "None")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"EphemeralStorage": {"Size": 513}},
            "EphemeralStorage of more than 512 MB is not supported for SnapStart enabled functions.",
        ),
        (
            {"TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}},
            "TenancyConfig is not supported for SnapStart enabled functions.",
        ),
    ],
)
def test_what_it_does_not_go_with(server, client, settings, message):
    with pytest.raises(ClientError) as error:
        server.python("def handler(event, context): pass", SnapStart=ON, **settings)
    assert error.value.response["Error"] == {"Code": "InvalidParameterValueException", "Message": message}
    name = server.python("def handler(event, context): pass", **settings)
    assert refused(client.update_function_configuration, FunctionName=name, SnapStart=ON) == (
        "InvalidParameterValueException",
        message,
    )


def test_provisioned_concurrency_does_not_go_with_it(server, client):
    name = server.python("def handler(event, context): pass", SnapStart=ON)
    request = {"FunctionName": name, "Qualifier": publish(client, name), "ProvisionedConcurrentExecutions": 1}
    assert refused(client.put_provisioned_concurrency_config, **request) == (
        "InvalidParameterValueException",
        "Provisioned Concurrency is not supported for SnapStart enabled functions.",
    )


def test_it_survives_a_crash(start, data_dir):
    server = start(data_dir=data_dir)
    name = server.python(HOOKS, SnapStart=ON)
    # It may have been ready by then, or not.
    version = server.client("lambda").publish_version(FunctionName=name)["Version"]
    server.kill()
    server.start()
    client = server.client("lambda")
    assert settled(client, name, version)["State"] == "Active"
    assert server.invoke(name, Qualifier=version)[0]["AWS_LAMBDA_INITIALIZATION_TYPE"] == "snap-start"
