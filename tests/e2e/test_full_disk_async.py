"""A full disk: an event that cannot be kept is refused, and what was kept runs when there is room again."""

import json

import pytest
from botocore.exceptions import ClientError

from conftest import eventually, fill


def test_an_event_that_cannot_be_kept_is_refused_and_what_was_kept_runs_later(start, small_disk):
    server = start("--time", "virtual", data_dir=small_disk)
    name = server.python("def handler(event, context):\n    raise ValueError('as asked')\n")
    client = server.client("lambda")
    sqs = server.client("sqs")
    url = sqs.create_queue(QueueName="reports")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    client.put_function_event_invoke_config(
        FunctionName=name, MaximumRetryAttempts=1, DestinationConfig={"OnFailure": {"Destination": arn}}
    )

    def send(number):
        payload = json.dumps({"n": number, "bulk": "x" * 100_000})
        return client.invoke(FunctionName=name, InvocationType="Event", Payload=payload)["StatusCode"]

    assert send(1) == 202
    server.hearth("time", "advance", "1s")
    filler = fill(small_disk)

    def is_refused():
        # What the log of the database had room for is still accepted.
        try:
            accepted.append(len(accepted) + 2)
            send(accepted[-1])
            return False
        except ClientError as error:
            accepted.pop()
            response = error.response
            assert response["ResponseMetadata"]["HTTPStatusCode"] == 500
            assert response["Error"]["Code"] == "ServiceException", response
            return True

    accepted = []
    eventually(is_refused, timeout=30, what="a refusal")
    filler.unlink()
    eventually(lambda: not is_refused(), timeout=30, what="room for an event")
    server.hearth("time", "advance", "2m")

    found = set()

    def all_reported():
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            record = json.loads(message["Body"])
            assert record["requestContext"]["condition"] == "RetriesExhausted"
            found.add(record["requestPayload"]["n"])
        return found >= {1, *accepted}

    eventually(all_reported, timeout=60, what="the report of every accepted event")
