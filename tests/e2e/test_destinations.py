"""Where results and given-up events go: destinations and dead-letter queues, with AWS's records. Time is moved by hand."""

import json
import threading
import urllib.request

import pytest

from conftest import Server, eventually

OBEDIENT = """
def handler(event, context):
    if event.get('fail'):
        raise ValueError('as asked')
    return {'got': event}
"""


@pytest.fixture(scope="module")
def virtual():
    running = Server("--time", "virtual")
    yield running
    assert running.stop() == 0, running.printed()


def advance(server, seconds):
    body = json.dumps({"advanceSeconds": seconds}).encode()
    request = urllib.request.Request(f"{server.endpoint}/_hearth/time", data=body, method="POST")
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)["epochMs"]


def queue(server, name, **attributes):
    sqs = server.client("sqs")
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return url, arn


def take(server, url):
    """The next message, which must be there once virtual time has settled."""
    advance(server, 0)
    received = server.client("sqs").receive_message(
        QueueUrl=url, MessageAttributeNames=["All"], AttributeNames=["All"]
    )
    (message,) = received["Messages"]
    server.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return message


def is_empty(server, url):
    advance(server, 0)
    return "Messages" not in server.client("sqs").receive_message(QueueUrl=url)


def send(server, name, event, **parameters):
    response = server.client("lambda").invoke(
        FunctionName=name, InvocationType="Event", Payload=json.dumps(event), **parameters
    )
    return response["ResponseMetadata"]["RequestId"]


def measured(server, name, metric):
    found = json.loads(server.hearth("metrics", name, "--json", "--since", "1d").stdout)
    return sum(one["sum"] for one in found if one["metric"] == metric and list(one["dimensions"]) == ["FunctionName"])


def has_begun(server, name):
    logs = server.client("logs")
    try:
        events = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    except logs.exceptions.ResourceNotFoundException:
        return False
    return any(event["message"].startswith("START") for event in events)


def test_a_success_is_reported(virtual):
    url, arn = queue(virtual, "successes")
    name = virtual.python(OBEDIENT)
    client = virtual.client("lambda")
    client.put_function_event_invoke_config(FunctionName=name, DestinationConfig={"OnSuccess": {"Destination": arn}})
    now = advance(virtual, 0)
    request_id = send(virtual, name, {"n": 1})
    record = json.loads(take(virtual, url)["Body"])
    timestamp = record.pop("timestamp")
    assert timestamp.endswith("Z") and len(timestamp) == len("2026-11-20T17:38:59.000Z")
    assert record == {
        "version": "1.0",
        "requestContext": {
            "requestId": request_id,
            "functionArn": f"arn:aws:lambda:us-east-1:000000000000:function:{name}:$LATEST",
            "condition": "Success",
            "approximateInvokeCount": 1,
        },
        "requestPayload": {"n": 1},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST"},
        "responsePayload": {"got": {"n": 1}},
    }
    assert now <= advance(virtual, 0)


def test_a_failure_is_reported_after_the_last_attempt_and_the_event_itself_is_kept(virtual):
    reports, reports_arn = queue(virtual, "failures")
    letters, letters_arn = queue(virtual, "letters")
    name = virtual.python(OBEDIENT, DeadLetterConfig={"TargetArn": letters_arn})
    client = virtual.client("lambda")
    client.put_function_event_invoke_config(
        FunctionName=name, DestinationConfig={"OnFailure": {"Destination": reports_arn}}
    )
    request_id = send(virtual, name, {"fail": True})
    advance(virtual, 179)
    assert is_empty(virtual, reports) and is_empty(virtual, letters)
    advance(virtual, 1)
    record = json.loads(take(virtual, reports)["Body"])
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["responseContext"] == {
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": "Unhandled",
    }
    assert record["responsePayload"]["errorMessage"] == "as asked"
    letter = take(virtual, letters)
    assert json.loads(letter["Body"]) == {"fail": True}
    attributes = letter["MessageAttributes"]
    assert attributes["RequestID"] == {"StringValue": request_id, "DataType": "String"}
    assert attributes["ErrorCode"] == {"StringValue": "200", "DataType": "Number"}
    assert attributes["ErrorMessage"] == {"StringValue": "as asked", "DataType": "String"}
    assert measured(virtual, name, "AsyncEventsDropped") == 1
    assert measured(virtual, name, "Errors") == 3


def test_an_event_that_is_too_old_is_given_up_at_that_moment(virtual):
    url, arn = queue(virtual, "too-old")
    name = virtual.python(OBEDIENT)
    virtual.client("lambda").put_function_event_invoke_config(
        FunctionName=name, MaximumEventAgeInSeconds=90, DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    send(virtual, name, {"fail": True})
    advance(virtual, 89)
    assert is_empty(virtual, url)
    advance(virtual, 1)
    record = json.loads(take(virtual, url)["Body"])
    assert record["requestContext"]["condition"] == "EventAgeExceeded"
    assert record["requestContext"]["approximateInvokeCount"] == 2
    assert "responsePayload" not in record


def test_retries_are_as_configured_for_the_alias_that_was_called(virtual):
    url, arn = queue(virtual, "by-alias")
    name = virtual.python(OBEDIENT)
    client = virtual.client("lambda")
    version = client.publish_version(FunctionName=name)["Version"]
    client.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
    client.put_function_event_invoke_config(
        FunctionName=name,
        Qualifier="live",
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": arn}},
    )
    send(virtual, name, {"fail": True}, Qualifier="live")
    record = json.loads(take(virtual, url)["Body"])
    assert record["requestContext"]["functionArn"].endswith(f":function:{name}:live")
    assert record["responseContext"]["executedVersion"] == version
    send(virtual, name, {"fail": True})
    advance(virtual, 3600)
    assert is_empty(virtual, url), "the function itself has no destination"


def test_a_result_goes_to_another_function(virtual):
    url, arn = queue(virtual, "chained")
    second, first = virtual.python(OBEDIENT), virtual.python(OBEDIENT)
    client = virtual.client("lambda")
    second_arn = client.get_function_configuration(FunctionName=second)["FunctionArn"]
    client.put_function_event_invoke_config(
        FunctionName=first, DestinationConfig={"OnSuccess": {"Destination": second_arn}}
    )
    client.put_function_event_invoke_config(FunctionName=second, DestinationConfig={"OnSuccess": {"Destination": arn}})
    send(virtual, first, {"n": 7})
    record = json.loads(take(virtual, url)["Body"])
    assert record["requestPayload"]["requestPayload"] == {"n": 7}
    assert record["requestPayload"]["responsePayload"] == {"got": {"n": 7}}


def test_a_function_that_is_switched_off_sends_its_events_to_the_dead_letter_queue(virtual):
    url, arn = queue(virtual, "switched-off")
    name = virtual.python(OBEDIENT, DeadLetterConfig={"TargetArn": arn})
    virtual.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    send(virtual, name, {"n": 1})
    letter = take(virtual, url)
    assert json.loads(letter["Body"]) == {"n": 1}
    assert letter["MessageAttributes"]["ErrorCode"]["StringValue"] == "429"


def test_a_destination_that_is_gone_is_counted(virtual):
    _, reports_arn = queue(virtual, "gone-reports")
    _, letters_arn = queue(virtual, "gone-letters")
    name = virtual.python(OBEDIENT, DeadLetterConfig={"TargetArn": letters_arn})
    virtual.client("lambda").put_function_event_invoke_config(
        FunctionName=name, MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": reports_arn}}
    )
    for gone in ("gone-reports", "gone-letters"):
        url = virtual.client("sqs").get_queue_url(QueueName=gone)["QueueUrl"]
        virtual.client("sqs").delete_queue(QueueUrl=url)
    send(virtual, name, {"fail": True})
    advance(virtual, 0)
    assert measured(virtual, name, "DestinationDeliveryFailures") == 1
    assert measured(virtual, name, "DeadLetterErrors") == 1


def test_a_fifo_queue_cannot_be_a_destination_for_long(virtual):
    url, arn = queue(virtual, "in-order.fifo", FifoQueue="true")
    name = virtual.python(OBEDIENT)
    virtual.client("lambda").put_function_event_invoke_config(
        FunctionName=name, DestinationConfig={"OnSuccess": {"Destination": arn}}
    )
    send(virtual, name, {})
    advance(virtual, 0)
    assert measured(virtual, name, "DestinationDeliveryFailures") == 1
    assert is_empty(virtual, url)


def test_a_throttled_event_is_given_up_when_it_is_too_old_and_never_ran(virtual):
    url, arn = queue(virtual, "never-ran")
    name = virtual.python(
        "import time\ndef handler(event, context):\n    time.sleep(event['seconds'])\n", Timeout=30
    )
    client = virtual.client("lambda")
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    client.put_function_event_invoke_config(
        FunctionName=name, MaximumEventAgeInSeconds=60, DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    # A caller who waits has the only place while virtual time goes on.
    waiting = threading.Thread(target=lambda: virtual.invoke(name, {"seconds": 3}))
    waiting.start()
    eventually(lambda: has_begun(virtual, name), what="the start of the invocation that has the place")
    send(virtual, name, {"seconds": 0})
    advance(virtual, 60)
    record = json.loads(take(virtual, url)["Body"])
    waiting.join()
    assert record["requestContext"]["condition"] == "EventAgeExceeded"
    assert record["requestContext"]["approximateInvokeCount"] == 0
    assert "responseContext" not in record
    assert measured(virtual, name, "Throttles") >= 1
