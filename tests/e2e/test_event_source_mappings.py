"""Event source mappings, as boto3 sees them: what is refused before there is a source to poll."""

import pytest
from answers import Account, whole
from botocore.exceptions import ClientError
from conftest import eventually

SOURCE = "def handler(event, context): return 1"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:nobodys-queue"
STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
UUID = "00000000-0000-4000-8000-000000000000"


def refused(call, **parameters):
    with pytest.raises(ClientError) as error:
        call(**parameters)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


@pytest.fixture(scope="module")
def client(server):
    return server.client("lambda", parameter_validation=False)


@pytest.fixture(scope="module")
def name(server):
    return server.python(SOURCE, name="mapped")


@pytest.mark.parametrize(
    ("parameters", "code", "message"),
    [
        ({}, "InvalidParameterValueException", "Unrecognized event source."),
        ({"EventSourceArn": "nonsense"}, "ValidationException", "at 'eventSourceArn' failed to satisfy constraint: Member must satisfy regular expression pattern"),
        ({"EventSourceArn": QUEUE, "BatchSize": 0}, "ValidationException", "Value '0' at 'batchSize' failed to satisfy constraint: Member must have value greater than or equal to 1"),
        ({"EventSourceArn": QUEUE, "MaximumBatchingWindowInSeconds": 301}, "ValidationException", "Member must have value less than or equal to 300"),
        ({"EventSourceArn": QUEUE, "ScalingConfig": {"MaximumConcurrency": 1}}, "ValidationException", "at 'scalingConfig.maximumConcurrency' failed to satisfy constraint: Member must have value greater than or equal to 2"),
        ({"EventSourceArn": QUEUE, "BatchSize": 11}, "InvalidParameterValueException", "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"),
        ({"EventSourceArn": QUEUE, "FilterCriteria": {"Filters": [{"Pattern": "{}"}]}}, "InvalidParameterValueException", "Invalid filter pattern definition."),
        ({"EventSourceArn": QUEUE, "FilterCriteria": {"Filters": [{"Pattern": '{"body":[1]}'}] * 6}}, "InvalidParameterValueException", "The number of filters exceeds the maximum of 5"),
        ({"EventSourceArn": STREAM, "StartingPosition": "LATEST"}, "InvalidParameterValueException", "Hearth does not support event source mappings from Kinesis streams yet."),
        ({"EventSourceArn": STREAM, "StartingPosition": "NOW"}, "ValidationException", "Member must satisfy enum value set: [TRIM_HORIZON, LATEST, AT_TIMESTAMP]"),
        ({"EventSourceArn": "arn:aws:mq:us-east-1:000000000000:broker:b:b-1", "Queues": ["q"], "SourceAccessConfigurations": []}, "InvalidParameterValueException", "Hearth does not support event source mappings from Amazon MQ yet."),
    ],
)
def test_what_is_wrong_is_refused(client, name, parameters, code, message):
    found = refused(client.create_event_source_mapping, **{"FunctionName": name, **parameters})
    assert found[0] == code
    assert message in found[1]


def test_a_mapping_that_is_not_there_is_not_found(client):
    not_found = ("ResourceNotFoundException", "The resource you requested does not exist.")
    for call in (
        client.get_event_source_mapping,
        client.update_event_source_mapping,
        client.delete_event_source_mapping,
    ):
        assert refused(call, UUID=UUID) == not_found
    arn = f"arn:aws:lambda:us-east-1:000000000000:event-source-mapping:{UUID}"
    assert refused(client.list_tags, Resource=arn) == not_found


def test_a_list_is_empty_at_first(client, name):
    assert client.list_event_source_mappings(FunctionName=name)["EventSourceMappings"] == []
    assert client.list_event_source_mappings(EventSourceArn=QUEUE)["EventSourceMappings"] == []


def test_whole_answers_of_event_source_mappings(server):
    account = Account(server, "200000000014")
    client, sqs = account.client, server.client("sqs", key=account.number)
    account.function()
    sqs.create_queue(QueueName="q", Attributes={"VisibilityTimeout": "30"})
    created = whole(
        client,
        "CreateEventSourceMapping",
        FunctionName="f",
        EventSourceArn="arn:aws:sqs:us-east-1:200000000014:q",
        BatchSize=3,
        MaximumBatchingWindowInSeconds=1,
        FilterCriteria={"Filters": [{"Pattern": '{"body": ["x"]}'}]},
        FunctionResponseTypes=["ReportBatchItemFailures"],
        ScalingConfig={"MaximumConcurrency": 2},
        Tags={"a": "b"},
    )
    told = {
        "UUID": "<uuid>",
        "BatchSize": 3,
        "MaximumBatchingWindowInSeconds": 1,
        "EventSourceArn": "arn:aws:sqs:us-east-1:200000000014:q",
        "FilterCriteria": {"Filters": [{"Pattern": '{"body": ["x"]}'}]},
        "ScalingConfig": {"MaximumConcurrency": 2},
        "FunctionArn": "arn:aws:lambda:us-east-1:200000000014:function:f",
        "LastModified": "<time>",
        "State": "Creating",
        "StateTransitionReason": "USER_INITIATED",
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "EventSourceMappingArn": "arn:aws:lambda:us-east-1:200000000014:event-source-mapping:<uuid>",
    }
    assert created == (
        202,
        told,
    )
    [mapping] = client.list_event_source_mappings()["EventSourceMappings"]
    one = {"UUID": mapping["UUID"]}
    until_state(client, one, "Enabled")
    assert whole(client, "GetEventSourceMapping", **one) == (
        200,
        {**told, "State": "Enabled"},
    )
    assert whole(client, "ListEventSourceMappings") == (
        200,
        {"EventSourceMappings": [{**told, "State": "Enabled"}]},
    )
    del told["FilterCriteria"]
    assert whole(client, "UpdateEventSourceMapping", **one, Enabled=False, FilterCriteria={"Filters": []}) == (
        202,
        {**told, "State": "Disabling"},
    )
    until_state(client, one, "Disabled")
    assert whole(client, "DeleteEventSourceMapping", **one) == (202, {**told, "State": "Deleting"})


def until_state(client, one, state):
    eventually(lambda: client.get_event_source_mapping(**one)["State"] == state, what=f"the mapping {state}")
