"""The whole chain under `kill -9`: objects and events are put, and every acknowledged one has its effect or is in its DLQ.

Three chains: bucket → function, bucket → topic → queue → mapping → function, bus → rule → function.
The long form by hand: HEARTH_CRASH_SECONDS=600.
"""

import json
import threading

from botocore.exceptions import BotoCoreError, ClientError
from conftest import eventually
from test_crash_async import FAILING, SECONDS, Counter, client_of, drain, kill_while

# Tells the test of everything in its event, and fails at the end if any of it is poison.
FUNCTION = """
import json, os, socket, time
from urllib.parse import unquote_plus

def causes(event):
    if 'detail' in event:
        return [event['detail']['id']]
    if 'Message' in event:
        return causes(json.loads(event['Message']))
    if event.get('Event') == 's3:TestEvent':
        return []
    return [one for record in event['Records'] for one in (
        causes(json.loads(record['body'])) if 'body' in record
        else [unquote_plus(record['s3']['object']['key']).split('/')[1]])]

def tell(line):
    while True:
        try:
            with socket.create_connection(('host.docker.internal', int(os.environ['PORT'])), timeout=5) as counter:
                counter.sendall((line + '\\n').encode())
                if counter.recv(1) == b'+':
                    return
        except OSError:
            time.sleep(0.05)

def handler(event, context):
    found = causes(event)
    for line in found:
        tell(line)
    if any(line.endswith('poison') for line in found):
        raise ValueError('as asked')
"""
# A batch of one: a poison message must not take good ones with it into the queue of the dead.
VISIBILITY = 2
# Each kill may cost a message one of its receives.
RECEIVES_MAX = 10


class Chain:
    """What the events pass through, on a server that is killed all the time."""

    def __init__(self, server, counter):
        self.server = server
        sqs, self.s3, events = server.client("sqs"), server.client("s3"), server.client("events")
        sns, functions = server.client("sns"), server.client("lambda")
        self.letters = {name: self.queue(sqs, name) for name in ("failed", "dead")}
        dead = self.arn(sqs, self.letters["dead"])
        redrive = json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": RECEIVES_MAX})
        orders = self.queue(sqs, "orders", RedrivePolicy=redrive, VisibilityTimeout=str(VISIBILITY))
        topic = sns.create_topic(Name="orders")["TopicArn"]
        self.allow(sqs, orders, "sns.amazonaws.com", topic)
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=self.arn(sqs, orders))
        settings = {"MemorySize": 128, "Environment": {"Variables": {"PORT": str(counter.port)}}}
        direct = server.python(FUNCTION, Timeout=60, **settings)
        functions.put_function_event_invoke_config(
            FunctionName=direct,
            MaximumRetryAttempts=0,
            DestinationConfig={"OnFailure": {"Destination": self.arn(sqs, self.letters["failed"])}},
        )
        polled = server.python(FUNCTION, Timeout=VISIBILITY, **settings)
        functions.create_event_source_mapping(
            FunctionName=polled, EventSourceArn=self.arn(sqs, orders), BatchSize=1
        )
        direct_arn = functions.get_function(FunctionName=direct)["Configuration"]["FunctionArn"]
        for number, service in enumerate(("s3", "events")):
            functions.add_permission(
                FunctionName=direct,
                StatementId=f"s{number}",
                Action="lambda:InvokeFunction",
                Principal=f"{service}.amazonaws.com",
            )
        policy = self.statement("s3.amazonaws.com", "sns:Publish", topic, "arn:aws:s3:::causes")
        sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
        self.s3.create_bucket(Bucket="causes")
        self.s3.put_bucket_notification_configuration(
            Bucket="causes",
            NotificationConfiguration={
                "LambdaFunctionConfigurations": [self.notify("LambdaFunctionArn", direct_arn, "direct/")],
                "TopicConfigurations": [self.notify("TopicArn", topic, "topic/")],
            },
        )
        events.put_rule(Name="causes", EventPattern=json.dumps({"source": ["test"]}))
        assert not events.put_targets(Rule="causes", Targets=[{"Id": "1", "Arn": direct_arn}])["FailedEntryCount"]

    @staticmethod
    def queue(sqs, name, **attributes):
        return sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]

    @staticmethod
    def arn(sqs, url):
        return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    @staticmethod
    def statement(service, action, resource, source):
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": action,
            "Resource": resource,
            "Condition": {"ArnLike": {"aws:SourceArn": source}},
        }
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})

    def allow(self, sqs, url, service, source):
        policy = self.statement(service, "sqs:SendMessage", self.arn(sqs, url), source)
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})

    @staticmethod
    def notify(kind, arn, prefix):
        rules = [{"Name": "prefix", "Value": prefix}]
        return {kind: arn, "Events": ["s3:ObjectCreated:*"], "Filter": {"Key": {"FilterRules": rules}}}

    def lettered(self):
        """The causes that are in a queue of the dead now; each is told once."""
        found = set()
        for one in drain(self.server, self.letters["failed"]):
            found.update(self.causes(json.loads(one["Body"])["requestPayload"]))
        for one in drain(self.server, self.letters["dead"]):
            found.update(self.causes(json.loads(json.loads(one["Body"])["Message"])))
        return found

    @staticmethod
    def causes(event):
        if "detail" in event:
            return [event["detail"]["id"]]
        return [record["s3"]["object"]["key"].split("/")[1] for record in event["Records"]]


def put_object(prefix):
    def put(clients, cause):
        clients["s3"].put_object(Bucket="causes", Key=f"{prefix}/{cause}", Body=cause.encode())

    return put


def put_event(clients, cause):
    entry = {"Source": "test", "DetailType": "cause", "Detail": json.dumps({"id": cause})}
    if clients["events"].put_events(Entries=[entry])["FailedEntryCount"]:
        raise ConnectionError("not taken")


WAYS = {"direct": put_object("direct"), "topic": put_object("topic"), "bus": put_event}


def test_every_acknowledged_cause_has_its_effect_when_the_server_is_killed(start, data_dir):
    counter = Counter()
    server = start("--allow-host", f"127.0.0.1:{counter.port}", data_dir=data_dir)
    chain = Chain(server, counter)
    acknowledged, done = [], threading.Event()

    def send(way):
        clients, count = {service: client_of(server, service) for service in ("s3", "events")}, 0
        while not done.is_set():
            cause = f"{way}-{count}-{'poison' if count % FAILING == 0 else 'good'}"
            count += 1
            try:
                WAYS[way](clients, cause)
                acknowledged.append(cause)
            except (BotoCoreError, ClientError, ConnectionError):
                # Killed in this moment: nothing was promised.
                done.wait(0.01)
            # What is put faster than it runs would be waited for at the end.
            behind = lambda: len(acknowledged) - len(counter.ran)
            while behind() > 60 and not done.is_set():
                done.wait(0.01)

    kills = kill_while(server, done, [threading.Thread(target=send, args=(way,)) for way in WAYS])
    causes = set(acknowledged)
    poison = {cause for cause in causes if cause.endswith("poison")}
    patience = 90 + SECONDS
    try:
        eventually(lambda: causes <= counter.ran.keys(), timeout=patience, what="the effect of every cause")
    except AssertionError as error:
        missing = sorted(causes - counter.ran.keys())
        letters = sorted(chain.lettered() & set(missing))
        raise AssertionError(
            f"{len(missing)} of {len(causes)} had no effect: {missing[:20]}; of those are dead letters: {letters[:20]}\n"
            f"{server.printed()[-3000:]}"
        ) from error
    dead = set()

    def all_dead():
        dead.update(chain.lettered())
        return poison <= dead

    eventually(all_dead, timeout=patience + RECEIVES_MAX * VISIBILITY, what="a dead letter of every poison cause")
    again = sum(counter.ran.values()) - len(counter.ran)
    by_way = {way: sum(cause.startswith(way) for cause in causes) for way in WAYS}
    print(f"\n{by_way} causes acknowledged, {len(poison)} poison, {kills} kills, {again} effects once more")
    assert kills >= 3 and min(by_way.values()) >= 10
    # A good one has no business there.
    assert not {cause for cause in dead if cause.endswith("good")}
