"""A restart in the middle of every transition of the control plane ends in the right state: a kill, and a stop."""

import concurrent.futures
import json

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from conftest import eventually, zip_of
from restarts import ENDINGS, Gate, Held, assert_nothing_left
from test_two_servers import alive, descendants

ARN = "arn:aws:lambda:us-east-1:000000000000"
SAYS = "def handler(event, context): return {!r}"


@pytest.fixture(params=ENDINGS)
def restart(request):
    """Ends a server and starts it again. What it ran ends with it."""

    def restart(server):
        family = descendants(server)
        code = getattr(server, request.param)()
        assert code in (None, 0), server.printed()
        eventually(lambda: not alive(family), what="every process being gone")
        server.start()

    restart.kills = request.param == "kill"
    return restart


@pytest.fixture
def gate():
    gate = Gate()
    yield gate
    gate.close()


@pytest.fixture
def server(start, data_dir, gate):
    return start("--allow-host", f"127.0.0.1:{gate.port}", data_dir=data_dir)


@pytest.fixture
def client(server):
    return server.client("lambda", parameter_validation=False)


def refused(call, **parameters):
    with pytest.raises(ClientError) as error:
        call(**parameters)
    return error.value.response["Error"]["Code"]


def code(says):
    return zip_of({"lambda_function.py": SAYS.format(says)})


def create(server, package, name="f", **settings):
    return server.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.12",
        Handler="lambda_function.handler",
        Role=server.role(),
        Code={"ZipFile": package},
        Timeout=60,
        **settings,
    )


def state(client, name="f", **qualifier):
    found = client.get_function_configuration(FunctionName=name, **qualifier)
    return found["State"], found.get("LastUpdateStatus")


def until(client, wanted, name="f", **qualifier):
    eventually(lambda: state(client, name, **qualifier) == wanted, what=f"{name} {qualifier} being {wanted}")


ACTIVE = ("Active", "Successful")


def test_a_function_that_is_being_created(server, client, restart, data_dir):
    held = Held(data_dir, code("new"))
    assert create(server, held.package, Publish=True)["State"] == "Pending"
    restart(server)
    for qualifier in ("$LATEST", "1"):
        assert state(client, Qualifier=qualifier) == ("Pending", None)
        assert refused(client.invoke, FunctionName="f", Qualifier=qualifier) == "ResourceConflictException"
    held.let_go()
    for qualifier in ("$LATEST", "1"):
        until(client, ACTIVE, Qualifier=qualifier)
        assert server.invoke("f", {}, Qualifier=qualifier)[0] == "new"
    client.delete_function(FunctionName="f")
    assert_nothing_left(server, data_dir)


def test_new_code_that_is_not_in_effect_yet(server, client, restart, data_dir):
    server.function_from(code("old"), name="f")
    held = Held(data_dir, code("new"))
    updated = client.update_function_code(FunctionName="f", ZipFile=held.package, Publish=True)
    assert (updated["Version"], updated["State"]) == ("1", "Pending")
    restart(server)
    assert state(client) == ("Active", "InProgress")
    assert state(client, Qualifier="1") == ("Pending", None)
    assert server.invoke("f", {})[0] == "old"
    for call in (client.update_function_configuration, client.publish_version):
        assert refused(call, FunctionName="f") == "ResourceConflictException"
    held.let_go()
    until(client, ACTIVE)
    until(client, ACTIVE, Qualifier="1")
    assert [server.invoke("f", {}, Qualifier=qualifier)[0] for qualifier in ("$LATEST", "1")] == ["new", "new"]
    assert client.get_function_configuration(FunctionName="f")["CodeSha256"] == updated["CodeSha256"]
    client.delete_function(FunctionName="f")
    assert_nothing_left(server, data_dir)


def test_a_new_configuration_that_is_not_in_effect_yet(server, client, restart, data_dir):
    source = "import os, importlib.util\ndef handler(event, context): return [os.environ['STAGE'], bool(importlib.util.find_spec('part'))]"
    server.python(source, name="f", Environment={"Variables": {"STAGE": "old"}})
    layer = zip_of({"python/part.py": ""})
    published = client.publish_layer_version(LayerName="part", Content={"ZipFile": layer})["LayerVersionArn"]
    held = Held(data_dir, layer)
    client.update_function_configuration(FunctionName="f", Layers=[published], Environment={"Variables": {"STAGE": "new"}})
    # The layer goes meanwhile: the function keeps what it was promised.
    client.delete_layer_version(LayerName="part", VersionNumber=1)
    restart(server)
    assert state(client) == ("Active", "InProgress")
    assert server.invoke("f", {})[0] == ["old", False]
    held.let_go()
    until(client, ACTIVE)
    assert server.invoke("f", {})[0] == ["new", True]
    assert client.list_layers()["Layers"] == []
    client.delete_function(FunctionName="f")
    assert_nothing_left(server, data_dir)


def test_what_cannot_be_put_into_effect_after_the_restart(server, client, restart, data_dir):
    server.function_from(code("old"), name="f")
    new, update = Held(data_dir, code("new")), Held(data_dir, code("another"))
    create(server, new.package, "g")
    client.update_function_code(FunctionName="f", ZipFile=update.package)
    restart(server)
    assert (state(client, "g"), state(client)) == (("Pending", None), ("Active", "InProgress"))
    for held in (new, update):
        held.let_go(b"no zip")
    until(client, ("Failed", None), "g")
    until(client, ("Active", "Failed"))
    assert server.invoke("f", {})[0] == "old"
    assert refused(client.invoke, FunctionName="g") == "ResourceConflictException"
    for name in "fg":
        client.delete_function(FunctionName=name)
    assert_nothing_left(server, data_dir)


def test_functions_that_are_deleted_before_they_are_there(server, client, restart, data_dir):
    server.function_from(code("old"), name="f")
    held = [Held(data_dir, code(says)) for says in ("new", "another")]
    create(server, held[0].package, "g", Publish=True)
    client.update_function_code(FunctionName="f", ZipFile=held[1].package, Publish=True)
    for name in "fg":
        client.delete_function(FunctionName=name)
    restart(server)
    assert client.list_functions()["Functions"] == []
    for one in held:
        one.let_go()
    assert_nothing_left(server, data_dir)
    # The name is free, and the numbers go on.
    create(server, code("again"), "g", Publish=True)
    until(client, ACTIVE, "g", Qualifier="2")
    assert server.invoke("g", {}, Qualifier="2")[0] == "again"


# Waits at the gate for as long as it is being initialised, and in the handler if the event says so.
WAITS = """
import os
if wait("init") == "fail":
    raise ValueError("as told")
def handler(event, context):
    return wait(event) if event else os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]
"""


def waiting(server, gate, **settings):
    """A function whose initialisation the test holds, with version 1 and the alias `live` of it."""
    server.function_from(zip_of({"lambda_function.py": gate.code() + WAITS}), name="f", **settings)
    client = server.client("lambda")
    client.publish_version(FunctionName="f")
    client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")


SNAP_START = {"SnapStart": {"ApplyOn": "PublishedVersions"}}


@pytest.mark.parametrize("answer", ["go", "fail"])
def test_a_version_that_is_being_initialised_for_snap_start(server, client, restart, gate, data_dir, answer):
    waiting(server, gate, **SNAP_START)
    gate.until("init")
    assert state(client, Qualifier="1") == ("Pending", None)
    restart(server)
    gate.until("init", 2)
    assert state(client, Qualifier="1") == ("Pending", None)
    assert refused(client.invoke, FunctionName="f", Qualifier="live") == "SnapStartNotReadyException"
    gate.open(answer)
    if answer == "go":
        until(client, ACTIVE, Qualifier="1")
        found = client.get_function_configuration(FunctionName="f", Qualifier="1")
        assert found["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"}
        assert server.invoke("f", Qualifier="live")[0] == "snap-start"
    else:
        until(client, ("Failed", None), Qualifier="1")
        # It stays so, whatever the function would say now.
        restart(server)
        assert state(client, Qualifier="1") == ("Failed", None)
    client.delete_function(FunctionName="f")
    assert_nothing_left(server, data_dir)


def test_a_version_for_snap_start_whose_package_is_not_unpacked_yet(server, client, data_dir):
    server.function_from(code("old"), name="f", **SNAP_START)
    held = Held(data_dir, code("new"))
    assert client.update_function_code(FunctionName="f", ZipFile=held.package, Publish=True)["Version"] == "1"
    server.kill()
    server.start()
    assert (state(client), state(client, Qualifier="1")) == (("Active", "InProgress"), ("Pending", None))
    assert refused(client.invoke, FunctionName="f", Qualifier="1") == "SnapStartNotReadyException"
    held.let_go()
    until(client, ACTIVE, Qualifier="1")
    assert server.invoke("f", {}, Qualifier="1")[0] == "new"
    client.delete_function(FunctionName="f")
    assert_nothing_left(server, data_dir)


def test_a_version_that_is_deleted_while_it_is_initialised(server, client, restart, gate, data_dir):
    waiting(server, gate, **SNAP_START)
    gate.until("init")
    client.delete_alias(FunctionName="f", Name="live")
    client.delete_function(FunctionName="f", Qualifier="1")
    restart(server)
    assert refused(client.get_function, FunctionName="f", Qualifier="1") == "ResourceNotFoundException"
    # Another version comes after it, and is the only one that is initialised.
    assert client.publish_version(FunctionName="f")["Version"] == "2"
    gate.until("init", 2)
    gate.open()
    until(client, ACTIVE, Qualifier="2")
    assert gate.words == ["init", "init"]
    client.delete_function(FunctionName="f")
    assert_nothing_left(server, data_dir)


def provisioned(client, qualifier):
    found = client.get_provisioned_concurrency_config(FunctionName="f", Qualifier=qualifier)
    return found["Status"], found["RequestedProvisionedConcurrentExecutions"], found["AllocatedProvisionedConcurrentExecutions"]


def until_provisioned(client, qualifier, *wanted):
    eventually(lambda: provisioned(client, qualifier) == wanted, timeout=30, what=f"{qualifier} being {wanted}")


@pytest.mark.parametrize("qualifier", ["1", "live"])
def test_provisioned_concurrency_that_is_on_its_way(server, client, restart, gate, data_dir, qualifier):
    waiting(server, gate)
    client.put_provisioned_concurrency_config(FunctionName="f", Qualifier=qualifier, ProvisionedConcurrentExecutions=2)
    gate.until("init", 2)
    restart(server)
    gate.until("init", 4)
    assert provisioned(client, qualifier) == ("IN_PROGRESS", 2, 0)
    # It fails, and tries again until it does not: over a restart, too.
    gate.open("fail")
    until_provisioned(client, qualifier, "FAILED", 2, 0)
    restart(server)
    until_provisioned(client, qualifier, "FAILED", 2, 0)
    gate.open()
    until_provisioned(client, qualifier, "READY", 2, 2)
    restart(server)
    until_provisioned(client, qualifier, "READY", 2, 2)
    assert server.invoke("f", Qualifier="live")[0] == "provisioned-concurrency"
    client.delete_function(FunctionName="f")
    assert_nothing_left(server, data_dir)


def test_provisioned_concurrency_that_moves_with_its_alias(server, client, restart, gate, data_dir):
    waiting(server, gate)
    client.update_function_configuration(FunctionName="f", Description="two")
    until(client, ACTIVE)
    assert client.publish_version(FunctionName="f")["Version"] == "2"
    client.put_provisioned_concurrency_config(FunctionName="f", Qualifier="live", ProvisionedConcurrentExecutions=2)
    gate.until("init", 2)
    client.update_alias(FunctionName="f", Name="live", RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}})
    restart(server)
    assert client.get_alias(FunctionName="f", Name="live")["RoutingConfig"] == {"AdditionalVersionWeights": {"2": 0.5}}
    gate.open()
    until_provisioned(client, "live", "READY", 2, 2)
    assert [server.invoke("f", Qualifier=version)[0] for version in "12"] == ["provisioned-concurrency"] * 2
    client.update_alias(FunctionName="f", Name="live", FunctionVersion="2", RoutingConfig={})
    restart(server)
    until_provisioned(client, "live", "READY", 2, 2)
    assert [server.invoke("f", Qualifier=version)[0] for version in "12"] == ["on-demand", "provisioned-concurrency"]
    client.delete_function(FunctionName="f")
    assert_nothing_left(server, data_dir)


@pytest.mark.parametrize("gone", ["configuration", "alias", "function"])
def test_provisioned_concurrency_that_is_taken_back_on_its_way(server, client, restart, gate, data_dir, gone):
    waiting(server, gate)
    client.put_provisioned_concurrency_config(FunctionName="f", Qualifier="live", ProvisionedConcurrentExecutions=1)
    gate.until("init")
    if gone == "configuration":
        client.delete_provisioned_concurrency_config(FunctionName="f", Qualifier="live")
    elif gone == "alias":
        client.delete_alias(FunctionName="f", Name="live")
    else:
        client.delete_function(FunctionName="f")
    restart(server)
    gate.open()
    if gone != "function":
        assert client.list_provisioned_concurrency_configs(FunctionName="f")["ProvisionedConcurrencyConfigs"] == []
        assert server.invoke("f", Qualifier="1")[0] == "on-demand"
        assert gate.words == ["init", "init"]
        client.delete_function(FunctionName="f")
    assert_nothing_left(server, data_dir)


def everything_of_a_function(client):
    """One of each thing that a function can have, and the call that shows it."""
    client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=5)
    client.put_function_recursion_config(FunctionName="f", RecursiveLoop="Allow")
    client.put_runtime_management_config(FunctionName="f", UpdateRuntimeOn="FunctionUpdate")
    config = client.create_code_signing_config(
        AllowedPublishers={"SigningProfileVersionArns": ["arn:aws:signer:us-east-1:000000000000:/signing-profiles/team/abcdefghij"]},
        CodeSigningPolicies={"UntrustedArtifactOnDeployment": "Warn"},
    )["CodeSigningConfig"]["CodeSigningConfigArn"]
    client.put_function_code_signing_config(FunctionName="f", CodeSigningConfigArn=config)
    for qualifier in ({}, {"Qualifier": "live"}):
        client.create_function_url_config(FunctionName="f", AuthType="NONE", **qualifier)
        client.put_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=0, **qualifier)
        client.add_permission(
            FunctionName="f", StatementId="s", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com", **qualifier
        )
    client.put_provisioned_concurrency_config(FunctionName="f", Qualifier="live", ProvisionedConcurrentExecutions=1)
    client.tag_resource(Resource=f"{ARN}:function:f", Tags={"a": "b"})
    return config


def shown(client):
    """All of it, as it is told."""
    alias = {"FunctionName": "f", "Qualifier": "live"}
    answers = [
        client.get_function(FunctionName="f"),
        client.get_function(**alias),
        client.get_function_concurrency(FunctionName="f"),
        client.get_function_recursion_config(FunctionName="f"),
        client.get_runtime_management_config(FunctionName="f"),
        client.get_function_code_signing_config(FunctionName="f"),
        client.list_functions_by_code_signing_config(
            CodeSigningConfigArn=client.list_code_signing_configs()["CodeSigningConfigs"][0]["CodeSigningConfigArn"]
        ),
        client.list_function_url_configs(FunctionName="f"),
        client.list_function_event_invoke_configs(FunctionName="f"),
        client.get_policy(FunctionName="f"),
        client.get_policy(**alias),
        client.list_aliases(FunctionName="f"),
        client.list_versions_by_function(FunctionName="f"),
        client.list_tags(Resource=f"{ARN}:function:f"),
    ]
    for answer in answers:
        answer.pop("ResponseMetadata")
        # A link to the package is made anew for each caller.
        answer.get("Code", {}).pop("Location", None)
    return json.loads(json.dumps(answers, default=str))


def test_all_that_was_acknowledged_is_there_again(server, client, restart, gate):
    gate.open()
    waiting(server, gate)
    everything_of_a_function(client)
    until_provisioned(client, "live", "READY", 1, 1)
    before = shown(client)
    restart(server)
    assert shown(client) == before
    until_provisioned(client, "live", "READY", 1, 1)


def test_a_function_that_is_deleted_while_it_runs(server, client, restart, gate, data_dir):
    gate.open()
    waiting(server, gate)
    config = everything_of_a_function(client)
    until_provisioned(client, "live", "READY", 1, 1)
    gate.shut()
    gate.open(word="init")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        calls = [pool.submit(server.invoke, "f", "running", Qualifier=qualifier) for qualifier in ("$LATEST", "live")]
        client.invoke(FunctionName="f", InvocationType="Event", Payload=b'"running"')
        gate.until("running", 3)
        client.delete_function(FunctionName="f")
        if restart.kills:
            restart(server)
            for call in calls:
                with pytest.raises((BotoCoreError, ClientError)):
                    call.result()
        else:
            # A stop waits for them.
            stopping = pool.submit(restart, server)
            gate.open("finished")
            assert [call.result()[0] for call in calls] == ["finished"] * 2
            stopping.result()
    assert refused(client.get_function, FunctionName="f") == "ResourceNotFoundException"
    client.delete_code_signing_config(CodeSigningConfigArn=config)
    assert_nothing_left(server, data_dir)
    # Whoever is called the same has nothing of it.
    server.function_from(code("another"), name="f")
    assert server.invoke("f", {})[0] == "another"
    for call in (client.get_policy, client.get_function_url_config, client.get_function_event_invoke_config):
        assert refused(call, FunctionName="f") == "ResourceNotFoundException"
    assert "ReservedConcurrentExecutions" not in client.get_function_concurrency(FunctionName="f")
    assert client.list_tags(Resource=f"{ARN}:function:f")["Tags"] == {}
    assert gate.words.count("running") == 3
