"""The AWS CLI's way to every kind of resource of Lambda: made, read, changed, deleted."""

import json

import pytest
from conftest import eventually, zip_of

ARN = "arn:aws:lambda:us-east-1:000000000000"
PROFILE = "arn:aws:signer:us-east-1:000000000000:/signing-profiles/team/abcdefghij"


@pytest.fixture
def aws(server):
    def aws(command, *arguments, **options):
        """`aws lambda COMMAND`; `function_name="f"` is `--function-name f`."""
        flags = [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", str(value))]
        printed = server.aws("lambda", command, *arguments, *flags)
        return json.loads(printed) if printed.strip() else None

    return aws


@pytest.fixture
def package(tmp_path):
    path = tmp_path / "function.zip"
    path.write_bytes(zip_of({"lambda_function.py": "def handler(event, context): return 1"}))
    return f"fileb://{path}"


@pytest.fixture(scope="module")
def name(server):
    """A function with version 1."""
    name = server.python("def handler(event, context): return 1", name="cli-one")
    server.client("lambda").publish_version(FunctionName=name)
    return name


def gone(server, *command):
    done = server.aws("lambda", *command, check=False)
    assert done.returncode != 0
    assert "(ResourceNotFoundException)" in done.stderr


def test_functions(server, aws, package):
    created = aws(
        "create-function",
        function_name="cli-made",
        runtime="python3.12",
        handler="lambda_function.handler",
        role=server.role(),
        zip_file=package,
        environment="Variables={STAGE=one}",
        tags="team=a",
    )
    assert (created["FunctionArn"], created["State"]) == (f"{ARN}:function:cli-made", "Pending")
    aws("wait", "function-active-v2", function_name="cli-made")
    found = aws("get-function", function_name="cli-made")
    assert (found["Configuration"]["State"], found["Tags"]) == ("Active", {"team": "a"})
    changed = aws("update-function-configuration", function_name="cli-made", timeout=7, memory_size=256)
    assert (changed["Timeout"], changed["MemorySize"], changed["LastUpdateStatus"]) == (7, 256, "InProgress")
    aws("wait", "function-updated-v2", function_name="cli-made")
    coded = aws("update-function-code", "--publish", function_name="cli-made", zip_file=package)
    assert coded["Version"] == "1"
    aws("wait", "function-updated-v2", function_name="cli-made")
    configuration = aws("get-function-configuration", function_name="cli-made")
    assert configuration["Environment"] == {"Variables": {"STAGE": "one"}}
    assert "cli-made" in [function["FunctionName"] for function in aws("list-functions")["Functions"]]
    aws("delete-function", function_name="cli-made")
    gone(server, "get-function", "--function-name", "cli-made")


def test_tags(aws, name):
    arn = f"{ARN}:function:{name}"
    assert aws("tag-resource", resource=arn, tags="a=b,c=d") is None
    assert aws("list-tags", resource=arn) == {"Tags": {"a": "b", "c": "d"}}
    assert aws("untag-resource", resource=arn, tag_keys="a") is None
    assert aws("list-tags", resource=arn) == {"Tags": {"c": "d"}}


def test_versions(server, aws, name):
    aws("update-function-configuration", function_name=name, description="two")
    aws("wait", "function-updated-v2", function_name=name)
    assert aws("publish-version", function_name=name, description="mine")["Version"] == "2"
    versions = aws("list-versions-by-function", function_name=name)["Versions"]
    assert [version["Version"] for version in versions] == ["$LATEST", "1", "2"]
    assert aws("get-function", function_name=name, qualifier="2")["Configuration"]["Description"] == "mine"
    aws("delete-function", function_name=name, qualifier="2")
    gone(server, "get-function", "--function-name", name, "--qualifier", "2")


def test_aliases(server, aws, name, tmp_path):
    alias = {"function_name": name, "name": "cli"}
    assert aws("create-alias", **alias, function_version="1")["AliasArn"] == f"{ARN}:function:{name}:cli"
    assert aws("get-alias", **alias)["FunctionVersion"] == "1"
    assert aws("update-alias", **alias, description="d")["Description"] == "d"
    assert [found["Name"] for found in aws("list-aliases", function_name=name)["Aliases"]] == ["cli"]
    answer = aws("invoke", str(tmp_path / "out"), function_name=name, qualifier="cli")
    assert (answer, (tmp_path / "out").read_text()) == ({"StatusCode": 200, "ExecutedVersion": "1"}, "1")
    assert aws("delete-alias", **alias) is None
    gone(server, "get-alias", "--function-name", name, "--name", "cli")


def test_layers(server, aws, package):
    published = aws("publish-layer-version", layer_name="cli", zip_file=package, compatible_runtimes="python3.12")
    assert published["LayerVersionArn"] == f"{ARN}:layer:cli:1"
    version = {"layer_name": "cli", "version_number": 1}
    assert aws("get-layer-version", **version)["CompatibleRuntimes"] == ["python3.12"]
    assert aws("get-layer-version-by-arn", arn=f"{ARN}:layer:cli:1")["Version"] == 1
    assert [found["Version"] for found in aws("list-layer-versions", layer_name="cli")["LayerVersions"]] == [1]
    assert "cli" in [layer["LayerName"] for layer in aws("list-layers")["Layers"]]
    granted = aws(
        "add-layer-version-permission", **version, statement_id="s", action="lambda:GetLayerVersion", principal="*"
    )
    assert json.loads(granted["Statement"])["Sid"] == "s"
    assert json.loads(aws("get-layer-version-policy", **version)["Policy"])["Statement"][0]["Principal"] == "*"
    assert aws("remove-layer-version-permission", **version, statement_id="s") is None
    assert aws("delete-layer-version", **version) is None
    gone(server, "get-layer-version", "--layer-name", "cli", "--version-number", "1")


def test_permissions(server, aws, name):
    grant = {"statement_id": "s", "action": "lambda:InvokeFunction", "principal": "sns.amazonaws.com"}
    added = aws("add-permission", function_name=name, **grant)
    assert json.loads(added["Statement"])["Principal"] == {"Service": "sns.amazonaws.com"}
    assert json.loads(aws("get-policy", function_name=name)["Policy"])["Statement"][0]["Sid"] == "s"
    assert aws("remove-permission", function_name=name, statement_id="s") is None
    gone(server, "get-policy", "--function-name", name)


def test_urls(server, aws, name):
    made = aws("create-function-url-config", function_name=name, auth_type="NONE")
    assert aws("get-function-url-config", function_name=name)["FunctionUrl"] == made["FunctionUrl"]
    changed = aws(
        "update-function-url-config", function_name=name, auth_type="AWS_IAM", cors='{"AllowOrigins": ["https://a.b"]}'
    )
    assert (changed["AuthType"], changed["Cors"]) == ("AWS_IAM", {"AllowOrigins": ["https://a.b"]})
    assert len(aws("list-function-url-configs", function_name=name)["FunctionUrlConfigs"]) == 1
    assert aws("delete-function-url-config", function_name=name) is None
    gone(server, "get-function-url-config", "--function-name", name)


def test_event_source_mappings(server, aws, name):
    server.client("sqs").create_queue(QueueName="cli-source")
    queue = "arn:aws:sqs:us-east-1:000000000000:cli-source"
    made = aws("create-event-source-mapping", function_name=name, event_source_arn=queue, batch_size=5)
    uuid = made["UUID"]

    def until(state):
        eventually(lambda: aws("get-event-source-mapping", uuid=uuid)["State"] == state, 60, f"the mapping {state}")

    until("Enabled")
    changed = aws("update-event-source-mapping", "--no-enabled", uuid=uuid, batch_size=6)
    assert (changed["BatchSize"], changed["State"]) == (6, "Disabling")
    until("Disabled")
    listed = aws("list-event-source-mappings", function_name=name)["EventSourceMappings"]
    assert [mapping["UUID"] for mapping in listed] == [uuid]
    assert aws("delete-event-source-mapping", uuid=uuid)["State"] == "Deleting"
    listing = ("list-event-source-mappings", "--function-name", name)
    eventually(lambda: aws(*listing)["EventSourceMappings"] == [], 60, "the end of the mapping")
    gone(server, "get-event-source-mapping", "--uuid", uuid)


def test_event_invoke_configurations(server, aws, name):
    put = aws("put-function-event-invoke-config", function_name=name, maximum_retry_attempts=1)
    assert (put["MaximumRetryAttempts"], put["FunctionArn"]) == (1, f"{ARN}:function:{name}:$LATEST")
    aws("update-function-event-invoke-config", function_name=name, maximum_event_age_in_seconds=60)
    found = aws("get-function-event-invoke-config", function_name=name)
    assert (found["MaximumRetryAttempts"], found["MaximumEventAgeInSeconds"]) == (1, 60)
    listed = aws("list-function-event-invoke-configs", function_name=name)
    assert len(listed["FunctionEventInvokeConfigs"]) == 1
    assert aws("delete-function-event-invoke-config", function_name=name) is None
    gone(server, "get-function-event-invoke-config", "--function-name", name)


def test_code_signing_configurations(server, aws, name):
    made = aws("create-code-signing-config", allowed_publishers=f"SigningProfileVersionArns={PROFILE}")
    arn = {"code_signing_config_arn": made["CodeSigningConfig"]["CodeSigningConfigArn"]}
    assert aws("get-code-signing-config", **arn) == made
    changed = aws("update-code-signing-config", **arn, description="d")
    assert changed["CodeSigningConfig"]["Description"] == "d"
    assert aws("put-function-code-signing-config", function_name=name, **arn)["FunctionName"] == name
    assert aws("list-functions-by-code-signing-config", **arn) == {"FunctionArns": [f"{ARN}:function:{name}"]}
    assert aws("delete-function-code-signing-config", function_name=name) is None
    assert aws("delete-code-signing-config", **arn) is None
    gone(server, "get-code-signing-config", "--code-signing-config-arn", arn["code_signing_config_arn"])


def test_concurrency(server, aws, name):
    reserved = {"ReservedConcurrentExecutions": 3}
    assert aws("put-function-concurrency", function_name=name, reserved_concurrent_executions=3) == reserved
    assert aws("get-function-concurrency", function_name=name) == reserved
    version = {"function_name": name, "qualifier": "1"}
    put = aws("put-provisioned-concurrency-config", **version, provisioned_concurrent_executions=1)
    assert put["Status"] == "IN_PROGRESS"
    status = lambda: aws("get-provisioned-concurrency-config", **version)["Status"]
    eventually(lambda: status() == "READY", 60, "the allocation")
    listed = aws("list-provisioned-concurrency-configs", function_name=name)["ProvisionedConcurrencyConfigs"]
    assert [found["FunctionArn"] for found in listed] == [f"{ARN}:function:{name}:1"]
    assert aws("delete-provisioned-concurrency-config", **version) is None
    done = server.aws(
        "lambda", "get-provisioned-concurrency-config", "--function-name", name, "--qualifier", "1", check=False
    )
    assert "(ProvisionedConcurrencyConfigNotFoundException)" in done.stderr
    assert aws("delete-function-concurrency", function_name=name) is None
    assert aws("get-function-concurrency", function_name=name) in (None, {})


def test_what_else_a_function_has(aws, name):
    assert aws("put-function-recursion-config", function_name=name, recursive_loop="Allow") == {"RecursiveLoop": "Allow"}
    assert aws("get-function-recursion-config", function_name=name) == {"RecursiveLoop": "Allow"}
    put = aws("put-runtime-management-config", function_name=name, update_runtime_on="FunctionUpdate")
    assert put["UpdateRuntimeOn"] == "FunctionUpdate"
    assert aws("get-runtime-management-config", function_name=name)["UpdateRuntimeOn"] == "FunctionUpdate"
    assert aws("get-account-settings")["AccountLimit"]["ConcurrentExecutions"] == 1000
