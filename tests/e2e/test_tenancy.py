"""Tenant isolation: each environment is for one tenant alone."""

import base64
import json

import pytest
from botocore.exceptions import ClientError
from conftest import zip_of

COUNTS = """
import logging, os, pathlib
logging.getLogger().setLevel("INFO")
seen = []
def handler(event, context):
    logging.info("seen")
    seen.append(context.tenant_id)
    with open("/tmp/seen", "a") as file:
        file.write(context.tenant_id + " ")
    return [seen, pathlib.Path("/tmp/seen").read_text().split()]
"""
NODE = "let seen = []; export async function handler(event, context) { seen.push(context.tenantId); return seen; }"
TENANCY = {"TenantIsolationMode": "PER_TENANT"}


def refused(call, **parameters):
    with pytest.raises(ClientError) as error:
        call(**parameters)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


@pytest.fixture(scope="module")
def client(server):
    return server.client("lambda", parameter_validation=False)


def test_tenants_never_meet(server, client):
    name = server.python(COUNTS, TenancyConfig=TENANCY)
    assert client.get_function_configuration(FunctionName=name)["TenancyConfig"] == TENANCY
    for count in (1, 2):
        for tenant in ("blue", "green", "a.b:c/d=e+f-g@h i"):
            assert server.invoke(name, TenantId=tenant)[0] == [[tenant] * count, [part for part in tenant.split(" ")] * count]


def test_node_knows_its_tenant(server):
    name = server.node(NODE, TenancyConfig=TENANCY)
    assert server.invoke(name, TenantId="blue")[0] == ["blue"]
    assert server.invoke(name, TenantId="green")[0] == ["green"]


def test_versions_keep_tenants_apart_too(server, client):
    name = server.python(COUNTS, TenancyConfig=TENANCY)
    published = client.publish_version(FunctionName=name)
    assert published["TenancyConfig"] == TENANCY
    assert server.invoke(name, TenantId="blue", Qualifier="1")[0][0] == ["blue"]
    code, message = refused(
        client.put_provisioned_concurrency_config, FunctionName=name, Qualifier="1", ProvisionedConcurrentExecutions=1
    )
    assert code == "InvalidParameterValueException"
    assert "tenancy configuration" in message
    code, message = refused(client.create_function_url_config, FunctionName=name, AuthType="NONE")
    assert code == "InvalidParameterValueException"
    assert "tenancy configuration" in message


def test_a_tenant_must_be_named_and_only_where_there_are_any(server, client):
    apart, together = server.python(COUNTS, TenancyConfig=TENANCY), server.python(COUNTS)
    assert "TenancyConfig" not in client.get_function_configuration(FunctionName=together)
    assert refused(client.invoke, FunctionName=apart) == (
        "InvalidParameterValueException",
        "The invoked function is enabled with tenancy configuration. Add a valid tenant ID in your request and try again.",
    )
    assert refused(client.invoke, FunctionName=together, TenantId="blue") == (
        "InvalidParameterValueException",
        "The invoked function is not enabled with tenancy configuration. Remove the tenant ID from your request and try "
        "again.",
    )
    code, message = refused(client.invoke, FunctionName=apart, TenantId="b#ue")
    assert code == "ValidationException"
    assert "Member must satisfy regular expression pattern" in message


def test_the_mode_is_checked(server, client):
    code, message = refused(
        client.create_function,
        FunctionName="never",
        Runtime="python3.12",
        Handler="a.b",
        Role=server.role(),
        Code={"ZipFile": zip_of({"a.py": ""})},
        TenancyConfig={"TenantIsolationMode": "SHARED"},
    )
    assert code == "ValidationException"
    assert "[PER_TENANT]" in message


def test_json_logs_name_the_tenant(server, client):
    name = server.python(COUNTS, TenancyConfig=TENANCY, LoggingConfig={"LogFormat": "JSON", "SystemLogLevel": "DEBUG"})
    server.invoke(name, TenantId="blue")
    _, response = server.invoke(name, TenantId="blue", LogType="Tail")
    lines = [json.loads(line) for line in base64.b64decode(response["LogResult"]).decode().splitlines()]
    assert [line["tenantId"] for line in lines if "message" in line] == ["blue"]
    platform = {line["type"]: line["record"].get("tenantId") for line in lines if "type" in line}
    assert platform == {"platform.start": "blue", "platform.runtimeDone": "blue", "platform.report": "blue"}
