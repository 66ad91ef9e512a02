"""The control plane of functions, as boto3 sees it."""

import pytest
from answers import Account, configuration, listed, package, whole
from botocore.exceptions import ClientError
from conftest import zip_of

SOURCE = "def handler(event, context): return 1"


def refused(call, **parameters):
    with pytest.raises(ClientError) as error:
        call(**parameters)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


@pytest.fixture(scope="module")
def client(server):
    return server.client("lambda", parameter_validation=False)


def request(role, **changes):
    wanted = {
        "FunctionName": "never",
        "Runtime": "python3.12",
        "Handler": "lambda_function.handler",
        "Role": role,
        "Code": {"ZipFile": zip_of({"lambda_function.py": SOURCE})},
        **changes,
    }
    return {name: value for name, value in wanted.items() if value is not None}


def test_a_new_function_has_lambdas_defaults(server, client, role):
    name = server.python(SOURCE, name="defaults", MemorySize=128, Timeout=3, Role=role)
    found = client.get_function_configuration(FunctionName=name)
    zipped = zip_of({"lambda_function.py": SOURCE})
    import base64, hashlib

    assert found["CodeSha256"] == base64.b64encode(hashlib.sha256(zipped).digest()).decode()
    for varying in ("ResponseMetadata", "RevisionId", "LastModified", "RuntimeVersionConfig", "CodeSha256"):
        assert found.pop(varying)
    assert found == {
        "FunctionName": "defaults",
        "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:defaults",
        "Runtime": "python3.12",
        "Role": role,
        "Handler": "lambda_function.handler",
        "CodeSize": len(zipped),
        "Description": "",
        "Timeout": 3,
        "MemorySize": 128,
        "Version": "$LATEST",
        "TracingConfig": {"Mode": "PassThrough"},
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        "EphemeralStorage": {"Size": 512},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": "/aws/lambda/defaults"},
    }


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({"Runtime": "cobol"}, "InvalidParameterValueException", "Value cobol at 'runtime' failed to satisfy constraint"),
        ({"Runtime": "python3.8"}, "InvalidParameterValueException", "no longer supported for creating"),
        ({"Timeout": 901}, "ValidationException", "Value '901' at 'timeout' failed to satisfy constraint: Member must have value less than or equal to 900"),
        ({"Timeout": 0}, "ValidationException", "Value '0' at 'timeout' failed to satisfy constraint: Member must have value greater than or equal to 1"),
        ({"MemorySize": 127}, "ValidationException", "Member must have value greater than or equal to 128"),
        ({"MemorySize": 10241}, "ValidationException", "Member must have value less than or equal to 10240"),
        ({"EphemeralStorage": {"Size": 511}}, "ValidationException", "Member must have value greater than or equal to 512"),
        ({"Handler": "has space"}, "ValidationException", "Member must satisfy regular expression pattern"),
        ({"Role": "nonsense"}, "ValidationException", "at 'role' failed to satisfy constraint"),
        ({"Role": "arn:aws:iam::000000000000:role/nobody"}, "InvalidParameterValueException", "The role defined for the function cannot be assumed by Lambda."),
        ({"Code": {"ZipFile": b"not a zip"}}, "InvalidParameterValueException", "Could not unzip uploaded file"),
        ({"Code": {"S3Bucket": "bucket", "S3Key": "key"}}, "InvalidParameterValueException", "S3"),
        ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, "InvalidParameterValueException", "Reserved keys used in this request: AWS_REGION"),
        ({"Environment": {"Variables": {"BIG": "x" * 5000}}}, "InvalidParameterValueException", "exceeded the 4KB limit"),
        ({"Environment": {"Variables": {"1BAD": "x"}}}, "ValidationException", "Map keys must satisfy constraint"),
        ({"Layers": ["arn:aws:lambda:us-east-1:000000000000:layer:l:1"]}, "InvalidParameterValueException", "Layer version arn:aws:lambda:us-east-1:000000000000:layer:l:1 does not exist."),
        ({"PackageType": "Image", "Code": {"ImageUri": "x"}, "Runtime": None, "Handler": None}, "InvalidParameterValueException", "container images"),
        ({"FunctionName": "a" * 65}, "InvalidParameterValueException", "less than or equal to 64"),
        ({"FunctionName": "a b"}, "ValidationException", "at 'functionName' failed to satisfy constraint"),
        ({"Code": None}, "ValidationException", "Value null at 'code' failed to satisfy constraint: Member must not be null"),
    ],
)
def test_bad_input_is_refused_in_lambdas_words_and_nothing_is_stored(client, role, changes, code, message):
    answered = refused(client.create_function, **request(role, **changes))
    assert answered[0] == code and message in answered[1], answered
    assert refused(client.get_function, FunctionName="never")[0] == "ResourceNotFoundException"


def test_several_broken_constraints_are_counted(client, role):
    code, message = refused(client.create_function, **request(role, Handler="has space", Timeout=0))
    assert code == "ValidationException" and message.startswith("2 validation errors detected: "), message


def test_a_name_is_taken_once(server, client, role):
    name = server.python(SOURCE, Role=role)
    assert refused(client.create_function, **request(role, FunctionName=name)) == (
        "ResourceConflictException",
        f"Function already exist: {name}",
    )


def test_accounts_and_regions_are_apart(server):
    name = server.python(SOURCE, name="apart")
    for region, key in (("eu-west-1", "test"), ("us-east-1", "123456789012"), ("made-up-1", "test")):
        elsewhere = server.client("lambda", region=region, key=key)
        assert elsewhere.list_functions()["Functions"] == []
        account = key if key.isdigit() else "000000000000"
        assert refused(elsewhere.get_function, FunctionName=name) == (
            "ResourceNotFoundException",
            f"Function not found: arn:aws:lambda:{region}:{account}:function:apart",
        )


def test_a_function_is_found_by_each_of_its_names(server, client):
    name = server.python(SOURCE)
    arn = f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
    for spelling in (name, arn, f"000000000000:function:{name}", f"{name}:$LATEST", f"{arn}:$LATEST"):
        found = client.get_function(FunctionName=spelling)["Configuration"]
        assert found["FunctionArn"] == (f"{arn}:$LATEST" if "$" in spelling else arn)
    assert client.get_function(FunctionName=name, Qualifier="$LATEST")["Configuration"]["FunctionArn"].endswith(":$LATEST")
    assert refused(client.get_function, FunctionName=f"{name}:$LATEST", Qualifier="1")[1] == (
        "The derived qualifier from the function name does not match the specified qualifier."
    )


def test_an_update_needs_the_revision_it_was_made_for(server, client):
    name = server.python(SOURCE)
    stale = client.get_function_configuration(FunctionName=name)["RevisionId"]
    client.update_function_configuration(FunctionName=name, Description="new", RevisionId=stale)
    client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    code, message = refused(
        client.update_function_configuration, FunctionName=name, Description="newer", RevisionId=stale
    )
    assert code == "PreconditionFailedException" and message.startswith("The Revision Id provided does not match")


def test_an_update_keeps_what_it_does_not_name(server, client):
    name = server.python(SOURCE, Environment={"Variables": {"STAGE": "1"}}, Description="old")
    updated = client.update_function_configuration(FunctionName=name, Timeout=7)
    assert updated["LastUpdateStatus"] == "InProgress" and updated["LastUpdateStatusReasonCode"] == "Creating"
    client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    found = client.get_function_configuration(FunctionName=name)
    assert (found["Timeout"], found["Description"], found["Environment"]) == (7, "old", {"Variables": {"STAGE": "1"}})


def test_functions_are_listed_in_pages(server):
    client = server.client("lambda", region="eu-north-1")
    role = server.role()
    names = [f"page-{number:02}" for number in range(7)]
    for name in names:
        client.create_function(**request(role, FunctionName=name))
    pages = list(client.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 3}))
    assert [len(page["Functions"]) for page in pages] == [3, 3, 1]
    assert [function["FunctionName"] for page in pages for function in page["Functions"]] == names
    assert "State" not in pages[0]["Functions"][0]
    usage = client.get_account_settings()["AccountUsage"]
    assert usage["FunctionCount"] == 7 and usage["TotalCodeSize"] > 0


def test_deleting_is_for_good(server, client):
    name = server.python(SOURCE)
    assert client.delete_function(FunctionName=name)["ResponseMetadata"]["HTTPStatusCode"] == 204
    for call in (client.get_function, client.delete_function, client.invoke):
        assert refused(call, FunctionName=name)[0] == "ResourceNotFoundException"


def test_a_dry_run_of_new_code_changes_nothing(server, client):
    name = server.python(SOURCE)
    before = client.get_function_configuration(FunctionName=name)
    changed = zip_of({"lambda_function.py": SOURCE + "\n# changed"})
    assert client.update_function_code(FunctionName=name, ZipFile=changed, DryRun=True)["CodeSha256"] != before["CodeSha256"]
    after = client.get_function_configuration(FunctionName=name)
    assert after["CodeSha256"] == before["CodeSha256"] and after["RevisionId"] == before["RevisionId"]


def test_tags_are_limited_and_only_on_functions(server, client):
    arn = client.get_function(FunctionName=server.python(SOURCE))["Configuration"]["FunctionArn"]
    client.tag_resource(Resource=arn, Tags={"a": "1", "b": "2"})
    client.untag_resource(Resource=arn, TagKeys=["a"])
    assert client.list_tags(Resource=arn)["Tags"] == {"b": "2"}
    assert refused(client.tag_resource, Resource=arn, Tags={f"k{n}": "v" for n in range(51)})[1] == (
        "Number of tags exceeds resource tag limit."
    )
    assert "Tags on function aliases and versions are not supported" in refused(
        client.tag_resource, Resource=f"{arn}:1", Tags={"a": "1"}
    )[1]


def test_what_infrastructure_tools_read_back_is_truthfully_empty(server, client):
    name = server.python(SOURCE)
    versions = client.list_versions_by_function(FunctionName=name)["Versions"]
    assert [(version["Version"], version["FunctionArn"].endswith(":$LATEST")) for version in versions] == [("$LATEST", True)]
    assert client.list_aliases(FunctionName=name)["Aliases"] == []
    assert "ReservedConcurrentExecutions" not in client.get_function_concurrency(FunctionName=name)
    assert "CodeSigningConfigArn" not in client.get_function_code_signing_config(FunctionName=name)
    assert refused(client.get_policy, FunctionName=name) == (
        "ResourceNotFoundException",
        "The resource you requested does not exist.",
    )
    for call in (client.list_versions_by_function, client.list_aliases, client.get_function_concurrency, client.get_policy):
        assert refused(call, FunctionName="nobody")[0] == "ResourceNotFoundException"


def test_whole_answers_of_functions(server):
    account = Account(server, "200000000001")
    client = account.client
    assert whole(client, "GetAccountSettings") == (
        200,
        {
            "AccountLimit": {
                "TotalCodeSize": "<bytes>",
                "CodeSizeUnzipped": 262144000,
                "CodeSizeZipped": 52428800,
                "ConcurrentExecutions": 1000,
                "UnreservedConcurrentExecutions": 1000,
            },
            "AccountUsage": {"TotalCodeSize": 0, "FunctionCount": 0},
        },
    )
    created = whole(
        client,
        "CreateFunction",
        FunctionName="f",
        Runtime="python3.12",
        Handler="lambda_function.handler",
        Role=account.role,
        Code={"ZipFile": package("1")},
        Description="d",
        Environment={"Variables": {"STAGE": "one"}},
        Tags={"team": "a"},
        DeadLetterConfig={"TargetArn": "arn:aws:sqs:us-east-1:200000000001:q"},
        KMSKeyArn="arn:aws:kms:us-east-1:200000000001:key/11111111-2222-4333-8444-555555555555",
    )
    given = {
        "Description": "d",
        "DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:200000000001:q"},
        "Environment": {"Variables": {"STAGE": "one"}},
        "KMSKeyArn": "arn:aws:kms:us-east-1:200000000001:key/<uuid>",
    }
    pending = {"State": "Pending", "StateReason": "The function is being created.", "StateReasonCode": "Creating"}
    assert created == (201, configuration(account, **given, **pending, LastUpdateStatus=None))
    account.settled()
    assert whole(client, "GetFunctionConfiguration", FunctionName="f") == (200, configuration(account, **given))
    assert whole(client, "GetFunction", FunctionName="f") == (
        200,
        {
            "Configuration": configuration(account, **given),
            "Code": {"RepositoryType": "S3", "Location": "<link>"},
            "Tags": {"team": "a"},
        },
    )
    assert whole(client, "ListFunctions") == (200, {"Functions": [listed(account, **given)]})
    updating = {
        **given,
        "Description": "e",
        "Timeout": 5,
        "LastUpdateStatus": "InProgress",
        "LastUpdateStatusReason": "The function is being created.",
        "LastUpdateStatusReasonCode": "Creating",
    }
    assert whole(client, "UpdateFunctionConfiguration", FunctionName="f", Description="e", Timeout=5) == (
        200,
        configuration(account, **updating),
    )
    account.settled()
    assert whole(client, "UpdateFunctionCode", FunctionName="f", ZipFile=package("2")) == (
        200,
        configuration(account, **updating),
    )
    account.settled()
    arn = "arn:aws:lambda:us-east-1:200000000001:function:f"
    assert whole(client, "ListTags", Resource=arn) == (200, {"Tags": {"team": "a"}})
    assert whole(client, "TagResource", Resource=arn, Tags={"b": "c"}) == (204, {})
    assert whole(client, "UntagResource", Resource=arn, TagKeys=["team"]) == (204, {})
    assert whole(client, "GetFunction", FunctionName="f")[1]["Tags"] == {"b": "c"}
    assert whole(client, "GetAccountSettings")[1]["AccountUsage"] == {"TotalCodeSize": "<bytes>", "FunctionCount": 1}
    assert whole(client, "DeleteFunction", FunctionName="f") == (204, {"StatusCode": 204})
