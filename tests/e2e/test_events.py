"""EventBridge: buses, rules, targets, patterns, archives; scheduled rules in virtual time."""

import json
import uuid

import pytest
from botocore.exceptions import ClientError
from conftest import eventually

ACCOUNT = "000000000000"


@pytest.fixture
def events(server):
    return server.client("events")


def name(kind):
    return f"{kind}-{uuid.uuid4().hex[:8]}"


def code_of(call, **parameters):
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    return refused.value.response["Error"]["Code"], refused.value.response["Error"]["Message"]


class Queue:
    """A queue that EventBridge may send to."""

    def __init__(self, server, fifo=False):
        self.sqs = server.client("sqs")
        self.name = name("q") + (".fifo" if fifo else "")
        attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"} if fifo else {}
        self.arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{self.name}"
        statement = {
            "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": self.arn,
        }
        # Weeks pass in these tests.
        attributes["MessageRetentionPeriod"] = "1209600"
        attributes["Policy"] = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.url = self.sqs.create_queue(QueueName=self.name, Attributes=attributes)["QueueUrl"]

    def receive(self, count=1):
        found = []

        def enough():
            answer = self.sqs.receive_message(
                QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=1, MessageAttributeNames=["All"], AttributeNames=["All"]
            )
            for message in answer.get("Messages", []):
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
                found.append(message)
            return len(found) >= count

        eventually(enough, what=f"{count} messages in the queue")
        assert len(found) == count, found
        return found

    def bodies(self, count=1):
        return [json.loads(message["Body"]) for message in self.receive(count)]


@pytest.fixture
def bus(events):
    made = name("bus")
    events.create_event_bus(Name=made)
    yield made
    for rule in events.list_rules(EventBusName=made)["Rules"]:
        ids = [target["Id"] for target in events.list_targets_by_rule(Rule=rule["Name"], EventBusName=made)["Targets"]]
        if ids:
            events.remove_targets(Rule=rule["Name"], EventBusName=made, Ids=ids)
        events.delete_rule(Name=rule["Name"], EventBusName=made)
    events.delete_event_bus(Name=made)


def rule(events, bus, pattern, *targets):
    made = name("rule")
    events.put_rule(Name=made, EventBusName=bus, EventPattern=json.dumps(pattern))
    answer = events.put_targets(
        Rule=made, EventBusName=bus, Targets=[{"Id": f"t{number}", **target} for number, target in enumerate(targets)]
    )
    assert answer["FailedEntryCount"] == 0
    return made


def put(events, bus, detail, source="my.app", kind="Paid", **more):
    answer = events.put_events(
        Entries=[{"Source": source, "DetailType": kind, "Detail": json.dumps(detail), "EventBusName": bus, **more}]
    )
    assert answer["FailedEntryCount"] == 0, answer
    return answer["Entries"][0]["EventId"]


def test_a_buss_life(events):
    made = name("life")
    arn = events.create_event_bus(Name=made, Description="mine", Tags=[{"Key": "a", "Value": "1"}])["EventBusArn"]
    assert arn == f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/{made}"
    assert code_of(events.create_event_bus, Name=made) == (
        "ResourceAlreadyExistsException", f"Event bus {made} already exists.",
    )
    shown = events.describe_event_bus(Name=made)
    assert (shown["Name"], shown["Arn"], shown["Description"]) == (made, arn, "mine")
    names = [bus["Name"] for bus in events.list_event_buses()["EventBuses"]]
    assert {"default", made} <= set(names) and names == sorted(names)
    assert events.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "a", "Value": "1"}]
    events.put_permission(EventBusName=made, Action="events:PutEvents", Principal="111122223333", StatementId="share")
    policy = json.loads(events.describe_event_bus(Name=made)["Policy"])
    assert policy["Statement"] == [
        {
            "Sid": "share", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
            "Action": "events:PutEvents", "Resource": arn,
        }
    ]
    events.remove_permission(EventBusName=made, StatementId="share")
    assert "Policy" not in events.describe_event_bus(Name=made)
    events.delete_event_bus(Name=made)
    events.delete_event_bus(Name=made)
    assert code_of(events.describe_event_bus, Name=made) == (
        "ResourceNotFoundException", f"Event bus {made} does not exist.",
    )
    assert code_of(events.delete_event_bus, Name="default")[1] == "Cannot delete event bus default."


def test_a_rules_life(events, bus):
    made = name("rule")
    arn = events.put_rule(Name=made, EventBusName=bus, EventPattern='{"source":["a"]}', Description="d")["RuleArn"]
    assert arn == f"arn:aws:events:us-east-1:{ACCOUNT}:rule/{bus}/{made}"
    shown = events.describe_rule(Name=made, EventBusName=bus)
    assert (shown["State"], shown["EventPattern"], shown["Description"]) == ("ENABLED", '{"source":["a"]}', "d")
    events.disable_rule(Name=made, EventBusName=bus)
    assert events.list_rules(EventBusName=bus)["Rules"][0]["State"] == "DISABLED"
    events.enable_rule(Name=made, EventBusName=bus)
    target = {"Id": "t", "Arn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:q", "RetryPolicy": {"MaximumRetryAttempts": 3}}
    events.put_targets(Rule=made, EventBusName=bus, Targets=[target])
    assert events.list_targets_by_rule(Rule=made, EventBusName=bus)["Targets"] == [target]
    assert events.list_rule_names_by_target(TargetArn=target["Arn"], EventBusName=bus)["RuleNames"] == [made]
    assert code_of(events.delete_rule, Name=made, EventBusName=bus) == (
        "ValidationException", "Rule can't be deleted since it has targets.",
    )
    assert code_of(events.delete_event_bus, Name=bus)[1] == "Event bus can't be deleted since it has rules."
    unknown = events.remove_targets(Rule=made, EventBusName=bus, Ids=["t", "x"])
    assert (unknown["FailedEntryCount"], unknown["FailedEntries"][0]["TargetId"]) == (1, "x")
    events.delete_rule(Name=made, EventBusName=bus)
    assert code_of(events.describe_rule, Name=made, EventBusName=bus) == (
        "ResourceNotFoundException", f"Rule {made} does not exist on EventBus {bus}.",
    )


@pytest.mark.parametrize(
    "parameters, code, message",
    [
        ({}, "ValidationException", "Parameter(s) EventPattern or ScheduleExpression must be specified."),
        ({"EventPattern": '{"source":"a"}'}, "InvalidEventPatternException", "Event pattern is not valid. Reason: "),
        ({"ScheduleExpression": "rate(1 minutes)"}, "ValidationException", "Parameter ScheduleExpression is not valid."),
        ({"ScheduleExpression": "rate(1 minute)", "EventBusName": "bus"}, "ValidationException",
         "ScheduleExpression is supported only on the default event bus."),
    ],
)
def test_a_rule_that_may_not_be(events, bus, parameters, code, message):
    if "EventBusName" in parameters:
        parameters = {**parameters, "EventBusName": bus}
    refused = code_of(events.put_rule, Name=name("rule"), **parameters)
    assert refused[0] == code and refused[1].startswith(message), refused


def test_events_reach_the_targets_of_the_rules_that_want_them(server, events, bus):
    all_of_app, paid_much = Queue(server), Queue(server)
    rule(events, bus, {"source": ["my.app"]}, {"Arn": all_of_app.arn})
    rule(events, bus, {"detail": {"amount": [{"numeric": [">", 100]}]}}, {"Arn": paid_much.arn})
    first = put(events, bus, {"amount": 5}, Resources=["arn:x"])
    put(events, bus, {"amount": 500}, source="other.app")
    (event,) = all_of_app.bodies()
    assert event["id"] == first
    assert {key: event[key] for key in event if key not in ("id", "time")} == {
        "version": "0", "detail-type": "Paid", "source": "my.app", "account": ACCOUNT, "region": "us-east-1",
        "resources": ["arn:x"], "detail": {"amount": 5},
    }
    assert len(event["time"]) == 20 and event["time"].endswith("Z")
    (event,) = paid_much.bodies()
    assert event["source"] == "other.app"


def test_targets_get_what_they_ask_for(server, events, bus):
    whole, path, constant, template = (Queue(server) for _ in range(4))
    fifo = Queue(server, fifo=True)
    rule(
        events, bus, {"source": ["my.app"]},
        {"Arn": path.arn, "InputPath": "$.detail.items[0]"},
        {"Arn": constant.arn, "Input": '{"always": "this"}'},
        {
            "Arn": template.arn,
            "InputTransformer": {
                "InputPathsMap": {"who": "$.detail.who", "n": "$.detail.n", "of": "$.detail.items[*].a", "it": "$.detail.items[0]"},
                "InputTemplate": (
                    '{"text": "<who> has <n>", "who": <who>, "rule": <aws.events.rule-name>, "of": <of>, "it": "it is <it>"}'
                ),
            },
        },
        {"Arn": fifo.arn, "SqsParameters": {"MessageGroupId": "g"}},
    )
    put(events, bus, {"items": [{"a": 1}], "who": 'Sam "S"', "n": 7})
    assert path.bodies() == [{"a": 1}]
    assert constant.bodies() == [{"always": "this"}]
    (made,) = template.bodies()
    assert (made["text"], made["who"]) == ('Sam "S" has 7', 'Sam "S"')
    # An object inside of a text loses its quotes; a wildcard gives all that it meets.
    assert (made["of"], made["it"]) == ([1], "it is {a:1}")
    (message,) = fifo.receive()
    assert message["Attributes"]["MessageGroupId"] == "g"


def test_an_event_invokes_a_function_and_goes_on_to_another_bus(server, events, bus):
    seen = Queue(server)
    function = server.python(
        "import boto3, json\n"
        "def handler(event, context):\n"
        f"    boto3.client('sqs').send_message(QueueUrl={seen.url!r}, MessageBody=json.dumps(event))\n"
    )
    arn = server.client("lambda").get_function(FunctionName=function)["Configuration"]["FunctionArn"]
    other = name("other")
    other_arn = events.create_event_bus(Name=other)["EventBusArn"]
    rule(events, bus, {"source": ["my.app"]}, {"Arn": other_arn, "RoleArn": server.role()})
    made = rule(events, other, {"source": ["my.app"]}, {"Arn": arn})
    server.client("lambda").add_permission(
        FunctionName=function, StatementId="events", Action="lambda:InvokeFunction", Principal="events.amazonaws.com",
        SourceArn=f"arn:aws:events:us-east-1:{ACCOUNT}:rule/{other}/{made}",
    )
    sent = put(events, bus, {"n": 1})
    (event,) = seen.bodies()
    assert (event["id"], event["detail"]) == (sent, {"n": 1})


def test_what_a_function_did_is_an_event(server, events, bus):
    seen, lambda_ = Queue(server), server.client("lambda")
    function = server.python("def handler(event, context):\n    return {'got': event}\n")
    lambda_.put_function_event_invoke_config(
        FunctionName=function,
        DestinationConfig={"OnSuccess": {"Destination": f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/{bus}"}},
    )
    rule(events, bus, {"source": ["lambda"], "detail-type": [{"suffix": "- Success"}]}, {"Arn": seen.arn})
    lambda_.invoke(FunctionName=function, InvocationType="Event", Payload=b'{"n": 1}')
    (event,) = seen.bodies()
    assert event["detail-type"] == "Lambda Function Invocation Result - Success"
    assert event["detail"]["responsePayload"] == {"got": {"n": 1}}
    assert event["resources"][1].endswith(f":function:{function}:$LATEST")


def test_a_log_group_is_a_target(server, events, bus):
    logs, group = server.client("logs"), f"/aws/events/{name('g')}"
    logs.create_log_group(logGroupName=group)
    rule(events, bus, {"source": ["my.app"]}, {"Arn": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{group}"})
    sent = put(events, bus, {"n": 1})
    found = eventually(lambda: logs.filter_log_events(logGroupName=group)["events"], what="the event in the log")
    assert json.loads(found[0]["message"])["id"] == sent


def test_what_cannot_be_delivered_ends_in_the_dead_letter_queue(server, events, bus):
    dead = Queue(server)
    missing = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:not-there"
    rule(events, bus, {"source": ["my.app"]}, {"Arn": missing, "DeadLetterConfig": {"Arn": dead.arn}})
    sent = put(events, bus, {"n": 1})
    (message,) = dead.receive()
    assert json.loads(message["Body"])["id"] == sent
    said = {name: one["StringValue"] for name, one in message["MessageAttributes"].items()}
    assert said.pop("RULE_ARN").startswith(f"arn:aws:events:us-east-1:{ACCOUNT}:rule/{bus}/")
    assert said == {
        "TARGET_ARN": missing, "ERROR_CODE": "NO_RESOURCE", "ERROR_MESSAGE": "there is no such function", "RETRY_ATTEMPTS": "0",
    }


def test_what_a_function_failed_with_is_lambdas_affair(start):
    """EventBridge is done when Lambda has the event; its retry policy and its queue are for what Lambda does not take."""
    server = start("--time", "virtual")
    events, client = server.client("events"), server.client("lambda")
    theirs, ours = Queue(server), Queue(server)
    function = server.function({"lambda_function.py": "def handler(event, context):\n    raise ValueError(event['id'])\n"})
    client.add_permission(
        FunctionName=function, StatementId="events", Action="lambda:InvokeFunction", Principal="events.amazonaws.com"
    )
    role = client.get_function_configuration(FunctionName=function)["Role"].rsplit("/")[-1]
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}]}
    server.client("iam").put_role_policy(RoleName=role, PolicyName="send", PolicyDocument=json.dumps(allow))
    client.put_function_event_invoke_config(
        FunctionName=function, DestinationConfig={"OnFailure": {"Destination": ours.arn}}
    )
    target = {
        "Arn": client.get_function_configuration(FunctionName=function)["FunctionArn"],
        "RetryPolicy": {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60},
        "DeadLetterConfig": {"Arn": theirs.arn},
    }
    rule(events, "default", {"source": ["my.app"]}, target)
    put(events, "default", {"n": 1})
    advance(server, "1h")
    (message,) = ours.receive()
    told = json.loads(message["Body"])["requestContext"]
    assert (told["condition"], told["approximateInvokeCount"]) == ("RetriesExhausted", 3)
    assert "Messages" not in theirs.sqs.receive_message(QueueUrl=theirs.url)


def test_a_bad_entry_fails_alone(events, bus):
    good = {"Source": "s", "DetailType": "t", "Detail": "{}", "EventBusName": bus}
    answer = events.put_events(
        Entries=[good, {**good, "Detail": "nope"}, {key: good[key] for key in good if key != "Source"}, {**good, "Source": "aws.x"}]
    )
    assert answer["FailedEntryCount"] == 3
    assert [entry.get("ErrorCode") for entry in answer["Entries"]] == [
        None, "MalformedDetail", "InvalidArgument", "NotAuthorizedForSourceException",
    ]
    too_much = {**good, "Detail": json.dumps({"x": "x" * 1024 * 1024})}
    assert code_of(events.put_events, Entries=[too_much]) == (
        "ValidationException", "Total size of the entries in the request is over the limit.",
    )


def test_patterns_can_be_tested(events):
    event = {"id": "1", "account": ACCOUNT, "source": "s", "time": "2026-11-20T00:00:00Z", "region": "r", "resources": [],
             "detail-type": "t", "detail": {"state": "running"}}
    test = lambda pattern: events.test_event_pattern(EventPattern=json.dumps(pattern), Event=json.dumps(event))["Result"]
    assert test({"detail": {"state": [{"anything-but": "stopped"}]}}) is True
    assert test({"detail": {"state": [{"prefix": "stop"}]}}) is False
    assert code_of(events.test_event_pattern, EventPattern="{}", Event="{}")[0] in ("ValidationException", "InvalidEventPatternException")


def test_an_archive_replays_its_events(server, events, bus):
    queue, archive = Queue(server), name("archive")
    bus_arn = f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/{bus}"
    arn = events.create_archive(ArchiveName=archive, EventSourceArn=bus_arn, EventPattern='{"source":["my.app"]}')["ArchiveArn"]
    sent = put(events, bus, {"n": 1})
    put(events, bus, {"n": 2}, source="other.app")
    assert events.describe_archive(ArchiveName=archive)["EventCount"] == 1
    rule(events, bus, {"source": ["my.app"]}, {"Arn": queue.arn})
    replay = name("replay")
    events.start_replay(
        ReplayName=replay, EventSourceArn=arn, EventStartTime=0, EventEndTime=4102444800, Destination={"Arn": bus_arn}
    )
    (event,) = queue.bodies()
    assert (event["id"], event["replay-name"]) == (sent, replay)
    eventually(lambda: events.describe_replay(ReplayName=replay)["State"] == "COMPLETED", what="the end of the replay")
    assert code_of(events.cancel_replay, ReplayName=replay)[0] == "IllegalStatusException"
    events.delete_archive(ArchiveName=archive)
    assert code_of(events.describe_archive, ArchiveName=archive)[0] == "ResourceNotFoundException"


def test_what_is_not_there_says_so(events, bus):
    events.put_rule(Name="r", EventBusName=bus, EventPattern='{"source":["a"]}')
    code, message = code_of(
        events.put_targets, Rule="r", EventBusName=bus,
        Targets=[{"Id": "t", "Arn": f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/s", "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/r"}],
    )
    assert code == "ValidationException" and "kinesis" in message
    assert code_of(events.list_api_destinations)[0] == "NotImplemented"


def advance(server, span):
    done = server.hearth("time", "advance", span)
    assert done.returncode == 0, done.stderr


def test_a_week_of_scheduled_rules_runs_in_seconds(start):
    server = start("--time", "virtual")
    events = server.client("events")
    every, nightly = Queue(server), Queue(server)
    for made, expression, queue in [("every", "rate(12 hours)", every), ("nightly", "cron(0 3 * * ? *)", nightly)]:
        events.put_rule(Name=made, ScheduleExpression=expression)
        events.put_targets(Rule=made, Targets=[{"Id": "t", "Arn": queue.arn}])
    advance(server, "7d")
    times = sorted(event["time"] for event in every.bodies(14))
    assert len(set(times)) == 14
    nights = nightly.bodies(7)
    assert {event["time"][11:] for event in nights} == {"03:00:00Z"}
    assert nights[0]["source"] == "aws.events" and nights[0]["detail-type"] == "Scheduled Event"
    assert nights[0]["resources"] == [f"arn:aws:events:us-east-1:{ACCOUNT}:rule/nightly"]
    events.disable_rule(Name="every")
    advance(server, "2d")
    assert len(nightly.bodies(2)) == 2
    counts = every.sqs.get_queue_attributes(QueueUrl=every.url, AttributeNames=["All"])["Attributes"]
    assert counts["ApproximateNumberOfMessages"] == "0"


def test_a_schedule_goes_on_after_a_kill(start, data_dir):
    server = start("--time", "virtual", data_dir=data_dir)
    events, queue = server.client("events"), Queue(server)
    events.put_rule(Name="hourly", ScheduleExpression="rate(1 hour)")
    events.put_targets(Rule="hourly", Targets=[{"Id": "t", "Arn": queue.arn}])
    advance(server, "2h")
    server.kill()
    server.start()
    advance(server, "3h")
    assert len({event["time"] for event in queue.bodies(5)}) == 5
