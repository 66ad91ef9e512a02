"""Layers: published, shared, and unpacked one over the other into /opt of real sandboxes."""

import base64
import hashlib
import json
import random
import shutil
import subprocess
import urllib.request
import uuid

import pytest
from answers import Account, package, whole
from botocore.exceptions import ClientError
from conftest import LAMBDA_TRUST, zip_of

ACCOUNT = "000000000000"
OTHER = "111122223333"


def refused(call, **parameters):
    with pytest.raises(ClientError) as error:
        call(**parameters)
    answer = error.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"]


def arn(name, version, account=ACCOUNT, region="us-east-1"):
    return f"arn:aws:lambda:{region}:{account}:layer:{name}:{version}"


def publish(client, files, name=None, **settings):
    """A version's ARN."""
    name = name or f"layer-{uuid.uuid4().hex[:8]}"
    return client.publish_layer_version(LayerName=name, Content={"ZipFile": zip_of(files)}, **settings)["LayerVersionArn"]


def configure(client, name, **changes):
    client.update_function_configuration(FunctionName=name, **changes)
    client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.02, "MaxAttempts": 1500})


@pytest.fixture(scope="module")
def client(server):
    return server.client("lambda", parameter_validation=False)


def test_a_version_is_answered_exactly(client):
    zipped = zip_of({"python/a.py": "A = 1"})
    settings = {
        "Description": "about",
        "LicenseInfo": "MIT",
        "CompatibleRuntimes": ["python3.12", "python3.13"],
        "CompatibleArchitectures": ["x86_64"],
    }
    published = client.publish_layer_version(LayerName="exact", Content={"ZipFile": zipped}, **settings)
    meta = published.pop("ResponseMetadata")
    assert meta["HTTPStatusCode"] == 201
    created = published.pop("CreatedDate")
    assert created.endswith("+0000") and len(created) == len("2026-11-21T00:00:00.000+0000")
    location = published["Content"].pop("Location")
    expected = {
        "Content": {"CodeSha256": base64.b64encode(hashlib.sha256(zipped).digest()).decode(), "CodeSize": len(zipped)},
        "LayerArn": "arn:aws:lambda:us-east-1:000000000000:layer:exact",
        "LayerVersionArn": arn("exact", 1),
        "Version": 1,
        **settings,
    }
    assert published == expected
    with urllib.request.urlopen(location) as downloaded:
        assert downloaded.read() == zipped
    for found in (
        client.get_layer_version(LayerName="exact", VersionNumber=1),
        client.get_layer_version(LayerName="arn:aws:lambda:us-east-1:000000000000:layer:exact", VersionNumber=1),
        client.get_layer_version_by_arn(Arn=arn("exact", 1)),
    ):
        assert found.pop("ResponseMetadata")["HTTPStatusCode"] == 200
        assert found["Content"].pop("Location") and found.pop("CreatedDate") == created
        assert found == expected
    listed = client.list_layer_versions(LayerName="exact")["LayerVersions"]
    item = {"LayerVersionArn": arn("exact", 1), "Version": 1, "CreatedDate": created, **settings}
    assert listed == [item]
    (layer,) = [layer for layer in client.list_layers()["Layers"] if layer["LayerName"] == "exact"]
    assert layer == {"LayerName": "exact", "LayerArn": expected["LayerArn"], "LatestMatchingVersion": item}


def test_what_was_not_given_is_not_shown(client):
    published = client.publish_layer_version(LayerName="bare", Content={"ZipFile": zip_of({"a": "b"})})
    assert sorted(published) == [
        "Content", "CreatedDate", "Description", "LayerArn", "LayerVersionArn", "ResponseMetadata", "Version",
    ]
    assert published["Description"] == ""
    empty = {"CompatibleRuntimes": [], "CompatibleArchitectures": []}
    published = client.publish_layer_version(LayerName="bare", Content={"ZipFile": zip_of({"a": "b"})}, **empty)
    assert (published["CompatibleRuntimes"], published["CompatibleArchitectures"]) == ([], [])
    [listed, _] = client.list_layer_versions(LayerName="bare")["LayerVersions"]
    assert (listed["CompatibleRuntimes"], listed["CompatibleArchitectures"]) == ([], [])


@pytest.mark.parametrize(
    ("operation", "parameters", "answer"),
    [
        ("get_layer_version", {"LayerName": "nobody", "VersionNumber": 1}, (404, "ResourceNotFoundException", "The resource you requested does not exist.")),
        ("get_layer_version", {"LayerName": "nobody", "VersionNumber": 0}, (400, "InvalidParameterValueException", "Layer Version Cannot be less than 1")),
        ("delete_layer_version", {"LayerName": "nobody", "VersionNumber": -1}, (400, "InvalidParameterValueException", "Layer Version Cannot be less than 1")),
        ("get_layer_version_by_arn", {"Arn": arn("nobody", 1)}, (404, "ResourceNotFoundException", "The resource you requested does not exist.")),
        ("get_layer_version_policy", {"LayerName": "nobody", "VersionNumber": 1}, (404, "ResourceNotFoundException", f"Layer version {arn('nobody', 1)} does not exist.")),
    ],
)
def test_what_is_not_there_is_said_in_lambdas_words(client, operation, parameters, answer):
    assert refused(getattr(client, operation), **parameters) == answer


@pytest.mark.parametrize(
    ("operation", "parameters", "message"),
    [
        ("publish_layer_version", {"LayerName": "a b", "Content": {"ZipFile": b"x"}}, "Value 'a b' at 'layerName' failed to satisfy constraint"),
        ("publish_layer_version", {"LayerName": "l"}, "Value null at 'content' failed to satisfy constraint: Member must not be null"),
        ("publish_layer_version", {"LayerName": "l", "Content": {"ZipFile": b"x"}, "CompatibleRuntimes": ["cobol"]}, "Value '[cobol]' at 'compatibleRuntimes' failed to satisfy constraint: Member must satisfy enum value set: ["),
        ("publish_layer_version", {"LayerName": "l", "Content": {"ZipFile": b"x"}, "CompatibleArchitectures": ["z80"]}, "Value '[z80]' at 'compatibleArchitectures' failed to satisfy constraint"),
        ("get_layer_version_by_arn", {"Arn": "arn:aws:lambda:us-east-1:000000000000:layer:no-version"}, "at 'arn' failed to satisfy constraint: Member must satisfy regular expression pattern"),
        ("list_layers", {"CompatibleRuntime": "cobol"}, "Value 'cobol' at 'compatibleRuntime' failed to satisfy constraint: Member must satisfy enum value set"),
        ("list_layers", {"MaxItems": 51}, "Value '51' at 'maxItems' failed to satisfy constraint: Member must have value less than or equal to 50"),
        ("add_layer_version_permission", {"LayerName": "l", "VersionNumber": 1, "StatementId": "s", "Action": "lambda:Invoke", "Principal": "*"}, "Value 'lambda:Invoke' at 'action' failed to satisfy constraint: Member must satisfy regular expression pattern: lambda:GetLayerVersion"),
    ],
)
def test_broken_constraints_are_named(client, operation, parameters, message):
    status, code, answered = refused(getattr(client, operation), **parameters)
    assert (status, code) == (400, "ValidationException") and message in answered, answered


def test_an_object_that_is_not_there_is_no_layer(client):
    status, code, message = refused(
        client.publish_layer_version, LayerName="l", Content={"S3Bucket": "no-such-bucket", "S3Key": "key"}
    )
    assert (status, code) == (400, "InvalidParameterValueException") and "NoSuchBucket" in message


def test_a_layer_has_no_tags(client):
    resource = publish(client, {"a": "b"}).rsplit(":", 1)[0]
    assert refused(client.tag_resource, Resource=resource, Tags={"a": "b"})[0] == 400


def test_pages_follow_one_another(client):
    for number in range(5):
        publish(client, {"n": str(number)}, name="paged")
    pages = client.get_paginator("list_layer_versions").paginate(LayerName="paged", PaginationConfig={"PageSize": 2})
    assert [[version["Version"] for version in page["LayerVersions"]] for page in pages] == [[5, 4], [3, 2], [1]]


def test_a_function_answers_with_its_layers(server, client):
    one = publish(client, {"a": "1"})
    two = publish(client, {"b": "2"})
    size = client.get_layer_version_by_arn(Arn=one)["Content"]["CodeSize"]
    name = server.python("def handler(event, context): pass", Layers=[two, one])
    shown = [{"Arn": two, "CodeSize": size}, {"Arn": one, "CodeSize": size}]
    assert client.get_function_configuration(FunctionName=name)["Layers"] == shown
    assert client.get_function(FunctionName=name)["Configuration"]["Layers"] == shown
    listed = [f for page in client.get_paginator("list_functions").paginate() for f in page["Functions"]]
    assert next(f for f in listed if f["FunctionName"] == name)["Layers"] == shown
    configure(client, name, Description="other")
    assert client.get_function_configuration(FunctionName=name)["Layers"] == shown
    configure(client, name, Layers=[])
    assert "Layers" not in client.get_function_configuration(FunctionName=name)


def test_layers_that_cannot_be_are_refused_and_nothing_is_stored(server, client):
    name = server.python("def handler(event, context): return 1")
    one = publish(client, {"a": "1"}, name="versions")
    two = publish(client, {"a": "2"}, name="versions")
    for layers, answer in [
        ([arn(f"l{number}", 1) for number in range(6)], (400, "InvalidParameterValueException", "Cannot reference more than 5 layers.")),
        ([one, two], (400, "InvalidParameterValueException", f"Two different versions of the same layer are not allowed to be referenced in the same function. {one} and {two} are versions of the same layer.")),
        ([arn("versions", 9)], (400, "InvalidParameterValueException", f"Layer version {arn('versions', 9)} does not exist.")),
        ([arn("versions", 1, region="eu-west-1")], (400, "InvalidParameterValueException", "Layers are not in the same region as the function. Layers are expected to be in region us-east-1.")),
        ([arn("versions", 0)], (400, "InvalidParameterValueException", "Layer Version Cannot be less than 1")),
        ([arn("versions", 1, account=OTHER)], (403, "AccessDeniedException", f"User: arn:aws:iam::{ACCOUNT}:root is not authorized to perform: lambda:GetLayerVersion on resource: {arn('versions', 1, account=OTHER)} because no resource-based policy allows the lambda:GetLayerVersion action")),
    ]:
        assert refused(client.update_function_configuration, FunctionName=name, Layers=layers) == answer
    status, code, message = refused(client.update_function_configuration, FunctionName=name, Layers=["versions"])
    assert (status, code) == (400, "ValidationException")
    assert message.startswith("1 validation error detected: Value '[versions]' at 'layers' failed to satisfy constraint: Member must satisfy constraint: [")
    assert "Layers" not in client.get_function_configuration(FunctionName=name)


def test_another_account_uses_a_layer_by_its_policy(server, client):
    layer = publish(client, {"python/shared.py": "WORD = 'shared'"}, name="shared")
    place = {"LayerName": "shared", "VersionNumber": 1}
    other = server.client("lambda", key=OTHER)
    status, code, _ = refused(other.get_layer_version_by_arn, Arn=layer)
    assert (status, code) == (403, "AccessDeniedException")
    added = client.add_layer_version_permission(
        **place, StatementId="xaccount", Action="lambda:GetLayerVersion", Principal=OTHER
    )
    assert added.pop("ResponseMetadata")["HTTPStatusCode"] == 201
    statement = {
        "Sid": "xaccount",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"},
        "Action": "lambda:GetLayerVersion",
        "Resource": layer,
    }
    assert json.loads(added["Statement"]) == statement
    policy = client.get_layer_version_policy(**place)
    assert json.loads(policy["Policy"]) == {"Version": "2012-10-17", "Id": "default", "Statement": [statement]}
    assert policy["RevisionId"] == added["RevisionId"]

    iam = server.client("iam", key=OTHER)
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=LAMBDA_TRUST)["Role"]["Arn"]
    source = "import shared\ndef handler(event, context): return shared.WORD"
    other.create_function(
        FunctionName="uses", Runtime="python3.12", Handler="lambda_function.handler", Role=role,
        Code={"ZipFile": zip_of({"lambda_function.py": source})}, Layers=[layer],
    )
    other.get_waiter("function_active_v2").wait(FunctionName="uses", WaiterConfig={"Delay": 0.02, "MaxAttempts": 1500})
    assert json.loads(other.invoke(FunctionName="uses")["Payload"].read()) == "shared"

    wrong = {"StatementId": "xaccount", "RevisionId": str(uuid.uuid4())}
    assert refused(client.remove_layer_version_permission, **place, **wrong)[:2] == (412, "PreconditionFailedException")
    removed = client.remove_layer_version_permission(**place, StatementId="xaccount", RevisionId=added["RevisionId"])
    assert removed["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert refused(other.get_layer_version_by_arn, Arn=layer)[:2] == (403, "AccessDeniedException")
    # What uses it already goes on.
    assert json.loads(other.invoke(FunctionName="uses")["Payload"].read()) == "shared"
    again = {"StatementId": "s", "Action": "lambda:GetLayerVersion", "Principal": "*"}
    client.add_layer_version_permission(**place, **again)
    assert refused(client.add_layer_version_permission, **place, **again) == (
        409,
        "ResourceConflictException",
        "The statement id (s) provided already exists. Please provide a new statement id, or remove the existing statement.",
    )


PYTHON = """
import os, subprocess, sys
def handler(event, context):
    import package, installed
    return {
        'package': package.WORD,
        'installed': installed.WORD,
        'tool': subprocess.run(['tool', 'x'], capture_output=True, text=True).stdout,
        'opt': open('/opt/file').read(),
        'lib': '/opt/lib' in os.environ['LD_LIBRARY_PATH'].split(':'),
        'writable': os.access('/opt', os.W_OK),
        'path': [entry for entry in sys.path if entry.startswith('/opt')],
    }
"""


def test_python_finds_packages_tools_and_files_of_layers(server, client):
    layer = publish(
        client,
        {
            "python/package/__init__.py": "WORD = 'from python/'",
            "python/lib/python3.12/site-packages/installed.py": "WORD = 'from site-packages'",
            "bin/tool": ("#!/bin/sh\necho tool $1\n", 0o755),
            "lib/libempty.so": "",
            "file": "content",
        },
    )
    answer, response = server.invoke(server.python(PYTHON, Layers=[layer]), {})
    assert "FunctionError" not in response, answer
    assert answer == {
        "package": "from python/",
        "installed": "from site-packages",
        "tool": "tool x\n",
        "opt": "content",
        "lib": True,
        "writable": False,
        "path": ["/opt/python/lib/python3.12/site-packages", "/opt/python"],
    }


def test_the_functions_own_module_hides_a_layers(server, client):
    layer = publish(client, {"python/mine.py": "WORD = 'layer'"})
    source = "import mine\ndef handler(event, context): return mine.WORD"
    name = server.function({"lambda_function.py": source, "mine.py": "WORD = 'function'"}, Layers=[layer])
    assert server.invoke(name, {})[0] == "function"


def test_a_library_of_a_layer_is_loaded(server, client, tmp_path):
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("no C compiler")
    (tmp_path / "answer.c").write_text("int answer(void) { return 42; }\n")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", "libanswer.so", "answer.c"], cwd=tmp_path, check=True)
    layer = publish(client, {"lib/libanswer.so": (tmp_path / "libanswer.so").read_bytes()})
    source = "import ctypes\ndef handler(event, context): return ctypes.CDLL('libanswer.so').answer()"
    assert server.invoke(server.python(source, Layers=[layer]), {})[0] == 42


def test_node_requires_packages_of_layers(server, client):
    layer = publish(
        client,
        {
            "nodejs/node_modules/common/index.js": "exports.word = 'common'",
            "nodejs/node_modules/common/package.json": '{"name": "common", "version": "1.0.0", "main": "index.js"}',
            "nodejs/node20/node_modules/versioned/index.js": "exports.word = 'versioned'",
        },
    )
    source = (
        "const common = require('common'); const versioned = require('versioned');"
        "exports.handler = async () => [common.word, versioned.word];"
    )
    name = server.node(source, file="index.js", Layers=[layer])
    assert server.invoke(name, {})[0] == ["common", "versioned"]


def test_node_modules_import_packages_of_layers(server, client):
    layer = publish(
        client,
        {
            "nodejs/node_modules/common/index.js": "exports.word = 'common'",
            "nodejs/node_modules/modern/index.mjs": "export const word = 'modern';",
            "nodejs/node_modules/modern/package.json": '{"name": "modern", "exports": "./index.mjs", "type": "module"}',
        },
    )
    source = (
        "import common from 'common'; import { word } from 'modern';"
        "export const handler = async () => [common.word, word, (await import('modern')).word];"
    )
    name = server.node(source, Layers=[layer])
    assert server.invoke(name, {})[0] == ["common", "modern", "modern"]


def test_a_layers_bootstrap_runs_a_provided_function_without_one(server, client):
    bootstrap = (
        "#!/bin/sh\n"
        "while true; do\n"
        "  headers=$(mktemp)\n"
        '  curl -sS -D "$headers" -o /dev/null "http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/next"\n'
        "  id=$(grep -i '^lambda-runtime-aws-request-id:' \"$headers\" | tr -d '[:space:]' | cut -d: -f2)\n"
        '  curl -sS -o /dev/null -d "\\"layer $(cat "$LAMBDA_TASK_ROOT/word")\\"" '
        '"http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/$id/response"\n'
        "done\n"
    )
    layer = publish(client, {"bootstrap": (bootstrap, 0o755)})
    name = server.function({"word": "word"}, runtime="provided.al2023", handler="any", Layers=[layer])
    assert server.invoke(name, {})[0] == "layer word"


def test_a_later_layer_lies_over_an_earlier_one(server, client):
    first = publish(client, {"file": "first", "directory/only-first": "1", "python/which.py": "WORD = 'first'"})
    second = publish(client, {"file": "second", "directory/only-second": "2", "python/which.py": "WORD = 'second'"})
    source = (
        "import os, which\n"
        "def handler(event, context):\n"
        "    return [open('/opt/file').read(), which.WORD, sorted(os.listdir('/opt/directory'))]"
    )
    both = ["only-first", "only-second"]
    name = server.python(source, Layers=[first, second])
    assert server.invoke(name, {})[0] == ["second", "second", both]
    configure(client, name, Layers=[second, first])
    assert server.invoke(name, {})[0] == ["first", "first", both]


def test_a_deleted_version_serves_its_functions_over_a_restart(start, data_dir):
    server = start(data_dir=data_dir)
    client = server.client("lambda")
    used = [publish(client, {f"python/part{number}.py": f"WORD = 'part {number}'"}, name=f"part{number}") for number in range(2)]
    source = "import part0, part1\ndef handler(event, context): return [part0.WORD, part1.WORD]"
    both = server.python(source, Layers=used)
    single = server.python("import part0\ndef handler(event, context): return part0.WORD", Layers=used[:1])
    before = client.get_account_settings()["AccountUsage"]["TotalCodeSize"]
    size = client.get_layer_version(LayerName="part0", VersionNumber=1)["Content"]["CodeSize"]
    for _ in range(2):
        deleted = client.delete_layer_version(LayerName="part0", VersionNumber=1)
        assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert client.get_account_settings()["AccountUsage"]["TotalCodeSize"] == before - size
    assert refused(client.get_layer_version, LayerName="part0", VersionNumber=1)[1] == "ResourceNotFoundException"
    assert server.invoke(both, {})[0] == ["part 0", "part 1"]

    server.stop()
    # Unpacked again from what is stored.
    shutil.rmtree(data_dir / "code")
    server.start()

    assert server.invoke(both, {})[0] == ["part 0", "part 1"]
    assert server.invoke(single, {})[0] == "part 0"
    assert [layer["Arn"] for layer in client.get_function_configuration(FunctionName=both)["Layers"]] == used
    assert refused(client.update_function_configuration, FunctionName=single, Layers=used[:1])[2] == (
        f"Layer version {used[0]} does not exist."
    )
    assert publish(client, {"python/part0.py": "WORD = 'new'"}, name="part0") == arn("part0", 2)


def test_a_zip_may_be_as_large_as_a_functions(client):
    noise = random.Random(1).randbytes(20 << 20)
    published = client.publish_layer_version(LayerName="large", Content={"ZipFile": zip_of({"noise": noise})})
    assert published["Content"]["CodeSize"] > len(noise)


def test_whole_answers_of_layers(server):
    account = Account(server, "200000000006")
    client = account.client
    version = {"LayerName": "l", "VersionNumber": 1}
    published = whole(
        client,
        "PublishLayerVersion",
        LayerName="l",
        Description="d",
        Content={"ZipFile": package("1")},
        CompatibleRuntimes=["python3.12"],
        CompatibleArchitectures=["x86_64"],
        LicenseInfo="MIT",
    )
    told = {
        "Content": {"Location": "<link>", "CodeSha256": "<sha256>", "CodeSize": "<bytes>"},
        "LayerArn": "arn:aws:lambda:us-east-1:200000000006:layer:l",
        "LayerVersionArn": "arn:aws:lambda:us-east-1:200000000006:layer:l:1",
        "Description": "d",
        "CreatedDate": "<time>",
        "Version": 1,
        "CompatibleArchitectures": ["x86_64"],
        "CompatibleRuntimes": ["python3.12"],
        "LicenseInfo": "MIT",
    }
    assert published == (201, told)
    assert whole(client, "GetLayerVersion", **version) == (200, told)
    arn = "arn:aws:lambda:us-east-1:200000000006:layer:l:1"
    assert whole(client, "GetLayerVersionByArn", Arn=arn) == (200, told)
    # The layer itself is not told of again, nor where its content is.
    listed = {name: value for name, value in told.items() if name not in ("LayerArn", "Content")}
    layer = {"LayerName": "l", "LayerArn": told["LayerArn"], "LatestMatchingVersion": listed}
    assert whole(client, "ListLayers") == (200, {"Layers": [layer]})
    assert whole(client, "ListLayerVersions", LayerName="l") == (200, {"LayerVersions": [listed]})
    granted = whole(
        client, "AddLayerVersionPermission", **version, StatementId="s", Action="lambda:GetLayerVersion", Principal="*"
    )
    assert granted == (
        201,
        {
            "Statement": '{"Sid":"s","Effect":"Allow","Principal":"*","Action":"lambda:GetLayerVersion","Resource":"arn:aws:lambda:us-east-1:200000000006:layer:l:1"}',
            "RevisionId": "<uuid>",
        },
    )
    assert whole(client, "GetLayerVersionPolicy", **version) == (
        200,
        {
            "Policy": '{"Version":"2012-10-17","Id":"default","Statement":[{"Sid":"s","Effect":"Allow","Principal":"*","Action":"lambda:GetLayerVersion","Resource":"arn:aws:lambda:us-east-1:200000000006:layer:l:1"}]}',
            "RevisionId": "<uuid>",
        },
    )
    account.function(Layers=[arn])
    assert whole(client, "GetFunctionConfiguration", FunctionName="f")[1]["Layers"] == [
        {"Arn": "arn:aws:lambda:us-east-1:200000000006:layer:l:1", "CodeSize": "<bytes>"},
    ]
    assert whole(client, "RemoveLayerVersionPermission", **version, StatementId="s") == (204, {})
    assert whole(client, "DeleteLayerVersion", **version) == (204, {})
