"""Aliases: where they point, what they refuse, and that weights route."""

import pytest
from answers import Account, whole
from test_functions import refused
from test_versions import ARN, SOURCE, configure


@pytest.fixture(scope="module")
def client(server):
    return server.client("lambda", parameter_validation=False)


@pytest.fixture(scope="module")
def name(server, client):
    """A function with versions 1 and 2."""
    name = server.python(SOURCE, name="aliased")
    client.publish_version(FunctionName=name)
    configure(client, name, Description="two")
    client.publish_version(FunctionName=name)
    return name


def shown(alias):
    alias = dict(alias)
    alias.pop("ResponseMetadata", None)
    assert alias.pop("RevisionId")
    return alias


def test_an_alias_from_creation_to_deletion(server, client, name):
    created = client.create_alias(
        FunctionName=name,
        Name="life",
        FunctionVersion="1",
        Description="custom",
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.2}},
    )
    assert created["ResponseMetadata"]["HTTPStatusCode"] == 201
    expected = {
        "AliasArn": f"{ARN}{name}:life",
        "Name": "life",
        "FunctionVersion": "1",
        "Description": "custom",
        "RoutingConfig": {"AdditionalVersionWeights": {"2": 0.2}},
    }
    assert shown(created) == expected
    found = client.get_alias(FunctionName=name, Name="life")
    assert (shown(found), found["RevisionId"]) == (expected, created["RevisionId"])

    # The function under the alias's name is the first version.
    function = client.get_function(FunctionName=f"{ARN}{name}:life")["Configuration"]
    assert (function["FunctionArn"], function["Version"]) == (f"{ARN}{name}:life", "1")

    updated = client.update_alias(FunctionName=name, Name="life", RoutingConfig={})
    assert updated["RevisionId"] != created["RevisionId"]
    del expected["RoutingConfig"]
    assert shown(updated) == expected
    # What was not sent stays; a revision changes even if nothing else does.
    again = client.update_alias(FunctionName=name, Name="life", RevisionId=updated["RevisionId"])
    assert shown(again) == expected and again["RevisionId"] != updated["RevisionId"]
    moved = client.update_alias(FunctionName=name, Name="life", FunctionVersion="2", Description="")
    assert shown(moved) == {**expected, "FunctionVersion": "2", "Description": ""}
    assert server.invoke(name, Qualifier="life")[1]["ExecutedVersion"] == "2"
    assert refused(client.update_alias, FunctionName=name, Name="life", RevisionId=created["RevisionId"]) == (
        "PreconditionFailedException",
        "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to "
        "retrieve the latest Revision Id",
    )

    for _ in range(2):
        gone = client.delete_alias(FunctionName=name, Name="life")
        assert gone["ResponseMetadata"]["HTTPStatusCode"] == 204
    for call in (client.get_alias, client.update_alias):
        assert refused(call, FunctionName=name, Name="life") == (
            "ResourceNotFoundException",
            f"Cannot find alias arn: {ARN}{name}:life",
        )
    for call in (client.invoke, client.get_function):
        assert refused(call, FunctionName=name, Qualifier="life") == (
            "ResourceNotFoundException",
            f"Function not found: {ARN}{name}:life",
        )


def test_weights_route(server, client, name):
    """A hundred invocations: which version takes which share is tested in the service with many thousands."""
    client.create_alias(
        FunctionName=name,
        Name="half",
        FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}},
    )
    seen = {"1": 0, "2": 0}
    for _ in range(100):
        answer, response = server.invoke(name, Qualifier="half")
        seen[response["ExecutedVersion"]] += 1
        assert answer[:3] == [response["ExecutedVersion"]] * 2 + [f"{ARN}{name}:half"]
    # One in a billion runs of a fair coin is further off.
    assert min(seen.values()) > 20, seen
    client.update_alias(
        FunctionName=name, Name="half", RoutingConfig={"AdditionalVersionWeights": {"2": 1.0}}
    )
    assert {server.invoke(name, Qualifier="half")[1]["ExecutedVersion"] for _ in range(20)} == {"2"}


def test_an_alias_of_latest_follows_it(server, client, name):
    created = client.create_alias(FunctionName=name, Name="newest", FunctionVersion="$LATEST")
    assert created["FunctionVersion"] == "$LATEST"
    assert server.invoke(name, Qualifier="newest")[1]["ExecutedVersion"] == "$LATEST"


def test_what_an_alias_refuses(client, name):
    create = lambda **changes: refused(  # noqa: E731
        client.create_alias, **{"FunctionName": name, "Name": "never", "FunctionVersion": "1", **changes}
    )
    weights = lambda **weights: {"AdditionalVersionWeights": {key[1:]: value for key, value in weights.items()}}  # noqa: E731
    constraint = "failed to satisfy constraint: "
    for changes, code, message in (
        (
            {"RoutingConfig": weights(_1=0.1, _2=0.5)},
            "InvalidParameterValueException",
            "Number of items in AdditionalVersionWeights cannot be greater than 1",
        ),
        (
            {"RoutingConfig": weights(_2=2.0)},
            "ValidationException",
            "1 validation error detected: Value '{2=2.0}' at 'routingConfig.additionalVersionWeights' "
            + constraint
            + "Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must have "
            "value greater than or equal to 0.0, Member must not be null]",
        ),
        (
            {"RoutingConfig": weights(_2=-1.0)},
            "ValidationException",
            "1 validation error detected: Value '{2=-1.0}' at 'routingConfig.additionalVersionWeights' "
            + constraint
            + "Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must have "
            "value greater than or equal to 0.0, Member must not be null]",
        ),
        (
            {"RoutingConfig": {"AdditionalVersionWeights": {"$LATEST": 0.5}}},
            "ValidationException",
            "1 validation error detected: Value '{$LATEST=0.5}' at 'routingConfig.additionalVersionWeights' "
            + constraint
            + "Map keys must satisfy constraint: [Member must have length less than or equal to 1024, Member must have "
            "length greater than or equal to 1, Member must satisfy regular expression pattern: [0-9]+, Member must not "
            "be null]",
        ),
        (
            {"RoutingConfig": weights(_1=0.5)},
            "InvalidParameterValueException",
            "Invalid function version 1. Function version 1 is already included in routing configuration.",
        ),
        ({"FunctionVersion": "10"}, "ResourceNotFoundException", f"Function not found: {ARN}{name}:10"),
        (
            {"RoutingConfig": weights(_10=0.5)},
            "ResourceNotFoundException",
            f"Function not found: {ARN}{name}:10",
        ),
        (
            {"FunctionVersion": "$LATEST", "RoutingConfig": weights(_1=0.5)},
            "InvalidParameterValueException",
            "$LATEST is not supported for an alias pointing to more than 1 version",
        ),
        ({"FunctionName": "nobody"}, "ResourceNotFoundException", f"Function not found: {ARN}nobody:1"),
    ):
        assert create(**changes) == (code, message), changes
    for bad in ("1", "a b", "x" * 129):
        assert create(Name=bad)[0] == "ValidationException"
    assert refused(client.get_alias, FunctionName=name, Name="never")[0] == "ResourceNotFoundException"


def test_a_second_version_must_still_fit_beside_a_new_first_one(client, name):
    client.create_alias(
        FunctionName=name, Name="pair", FunctionVersion="1", RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}}
    )
    assert refused(client.create_alias, FunctionName=name, Name="pair", FunctionVersion="1") == (
        "ResourceConflictException",
        f"Alias already exists: {ARN}{name}:pair",
    )
    for version in ("2", "$LATEST"):
        assert (
            refused(client.update_alias, FunctionName=name, Name="pair", FunctionVersion=version)[0]
            == "InvalidParameterValueException"
        )
    assert client.get_alias(FunctionName=name, Name="pair")["FunctionVersion"] == "1"


def test_two_versions_of_an_alias_have_one_role(server, client, name):
    configure(client, name, Role=server.role())
    other = client.publish_version(FunctionName=name)["Version"]
    code, message = refused(
        client.create_alias,
        FunctionName=name,
        Name="two-roles",
        FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": {other: 0.5}},
    )
    assert code == "InvalidParameterValueException" and "execution role" in message


def test_aliases_are_listed_by_name_and_by_version(server, client):
    name = server.python(SOURCE, name="many-aliases")
    client.publish_version(FunctionName=name)
    for number in range(5):
        client.create_alias(FunctionName=name, Name=f"a{number}", FunctionVersion="1" if number % 2 else "$LATEST")
    listed = client.list_aliases(FunctionName=name)
    assert [alias["Name"] for alias in listed["Aliases"]] == ["a0", "a1", "a2", "a3", "a4"]
    assert "NextMarker" not in listed
    of_one = client.list_aliases(FunctionName=name, FunctionVersion="1")
    assert [alias["Name"] for alias in of_one["Aliases"]] == ["a1", "a3"]
    pages = client.get_paginator("list_aliases").paginate(FunctionName=name, PaginationConfig={"PageSize": 2})
    assert [len(page["Aliases"]) for page in pages] == [2, 2, 1]
    assert refused(client.list_aliases, FunctionName=name, Marker="no marker")[0] == "InvalidParameterValueException"


def test_whole_answers_of_aliases(server):
    account = Account(server, "200000000004")
    client = account.client
    account.function(Publish=True)
    client.update_function_configuration(FunctionName="f", Description="two")
    account.settled()
    client.publish_version(FunctionName="f")
    alias = {"FunctionName": "f", "Name": "live"}
    assert whole(client, "CreateAlias", **alias, FunctionVersion="1", Description="d") == (
        201,
        {
            "AliasArn": "arn:aws:lambda:us-east-1:200000000004:function:f:live",
            "Name": "live",
            "FunctionVersion": "1",
            "Description": "d",
            "RevisionId": "<uuid>",
        },
    )
    assert whole(client, "GetAlias", **alias) == (
        200,
        {
            "AliasArn": "arn:aws:lambda:us-east-1:200000000004:function:f:live",
            "Name": "live",
            "FunctionVersion": "1",
            "Description": "d",
            "RevisionId": "<uuid>",
        },
    )
    assert whole(client, "ListAliases", FunctionName="f") == (
        200,
        {
            "Aliases": [
                {
                    "AliasArn": "arn:aws:lambda:us-east-1:200000000004:function:f:live",
                    "Name": "live",
                    "FunctionVersion": "1",
                    "Description": "d",
                    "RevisionId": "<uuid>",
                },
            ],
        },
    )
    weights = {"AdditionalVersionWeights": {"2": 0.1}}
    assert whole(client, "UpdateAlias", **alias, Description="e", RoutingConfig=weights) == (
        200,
        {
            "AliasArn": "arn:aws:lambda:us-east-1:200000000004:function:f:live",
            "Name": "live",
            "FunctionVersion": "1",
            "Description": "e",
            "RoutingConfig": {"AdditionalVersionWeights": {"2": 0.1}},
            "RevisionId": "<uuid>",
        },
    )
    assert whole(client, "DeleteAlias", **alias) == (204, {})
