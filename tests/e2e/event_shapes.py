"""What the events of AWS's sources are made of, as its guides show them: names and kinds, in words of our own.

A text is a pattern that the whole of a value matches; a `dict` has exactly these members, of which those that end in `?` may be
missing; a list has one kind of element and at least one of them, or none at all; `Each` is a map whose names are the event's own.
"""

import re
from dataclasses import dataclass

ANY = r"(?s).*"
UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
ACCOUNT = r"\d{12}"
REGION = r"[a-z]{2}-[a-z]+-\d"
MILLISECONDS = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
SECONDS = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
EPOCH_MS = r"\d{13}"
MD5 = r"[0-9a-f]{32}"
IP = r"\d+(\.\d+){3}"
BASE64 = r"[A-Za-z0-9+/]+=*"
URL = r"https?://.+"


def arn(service, resource):
    return rf"arn:aws:{service}:{resource}"


@dataclass
class Each:
    shape: object


def differences(shape, value, path="event"):
    """Where a value is not of a shape; nothing if it is."""
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return [f"{path} is no object but {value!r}"]
        shapes = {name.removesuffix("?"): (kind, name.endswith("?")) for name, kind in shape.items()}
        found = [f"{path}.{name} is not there" for name, (_, optional) in shapes.items() if name not in value and not optional]
        found += [f"{path}.{name} is too much" for name in value if name not in shapes]
        return found + [d for name in value if name in shapes for d in differences(shapes[name][0], value[name], f"{path}.{name}")]
    if isinstance(shape, list) and shape:
        if not isinstance(value, list) or not value:
            return [f"{path} is no list of something but {value!r}"]
        return [d for number, one in enumerate(value) for d in differences(shape[0], one, f"{path}[{number}]")]
    if isinstance(shape, Each):
        if not isinstance(value, dict):
            return [f"{path} is no object but {value!r}"]
        return [d for name, one in value.items() for d in differences(shape.shape, one, f"{path}.{name}")]
    if isinstance(shape, str):
        fits = isinstance(value, str) and re.fullmatch(shape, value)
        return [] if fits else [f"{path} is {value!r} and not /{shape}/"]
    fits = type(value) is shape if isinstance(shape, type) else value == shape
    return [] if fits else [f"{path} is {value!r} and not {shape!r}"]


# https://docs.aws.amazon.com/lambda/latest/dg/with-s3.html
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
S3 = {
    "Records": [
        {
            "eventVersion": r"2\.\d",
            "eventSource": "aws:s3",
            "awsRegion": REGION,
            "eventTime": MILLISECONDS,
            "eventName": r"Object(Created|Removed):[A-Za-z]+",
            "userIdentity": {"principalId": r"AWS:[A-Z0-9]+"},
            "requestParameters": {"sourceIPAddress": IP},
            "responseElements": {"x-amz-request-id": r"[A-Z0-9]{16}", "x-amz-id-2": BASE64},
            "s3": {
                "s3SchemaVersion": r"1\.0",
                "configurationId": ANY,
                "bucket": {"name": ANY, "ownerIdentity": {"principalId": r"[A-Z0-9]+"}, "arn": arn("s3", r"::[a-z0-9.-]+")},
                "object": {"key": r"[^ ]+", "size": int, "eTag": MD5, "sequencer": r"[0-9A-F]{18}"},
            },
        }
    ]
}

_ATTRIBUTE = {"stringListValues": [], "binaryListValues": [], "dataType": r"(String|Number|Binary)(\..+)?"}


def sqs(attributes, **system):
    """https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html"""
    record = {
        "messageId": UUID,
        "receiptHandle": BASE64,
        "body": ANY,
        "attributes": {
            "ApproximateReceiveCount": r"\d+",
            "SentTimestamp": EPOCH_MS,
            "SenderId": r"(AIDA[A-Z0-9]+|AROA[A-Z0-9]+:.+)",
            "ApproximateFirstReceiveTimestamp": EPOCH_MS,
            **system,
        },
        "messageAttributes": attributes,
        "md5OfBody": MD5,
        "eventSource": "aws:sqs",
        "eventSourceARN": arn("sqs", rf"{REGION}:{ACCOUNT}:.+"),
        "awsRegion": REGION,
    }
    if attributes:
        record["md5OfMessageAttributes"] = MD5
    return {"Records": [record]}


SQS_TEXT = {"stringValue": ANY, **_ATTRIBUTE}
SQS_BINARY = {"binaryValue": BASE64, **_ATTRIBUTE}
SQS_FIFO = sqs({}, SequenceNumber=r"\d{20}", MessageGroupId=ANY, MessageDeduplicationId=ANY)

# https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html, where two names end in `URL`; what functions get ends in `Url`,
# as in AWS's own types for it.
SNS = {
    "Records": [
        {
            "EventVersion": r"1\.0",
            "EventSubscriptionArn": arn("sns", rf"{REGION}:{ACCOUNT}:[^:]+:{UUID}"),
            "EventSource": "aws:sns",
            "Sns": {
                "SignatureVersion": r"[12]",
                "Timestamp": MILLISECONDS,
                "Signature": BASE64,
                "SigningCertUrl": URL,
                "MessageId": UUID,
                "Message": ANY,
                "MessageAttributes": Each({"Type": r"String|Binary|Number|String\.Array", "Value": ANY}),
                "Type": "Notification",
                "UnsubscribeUrl": URL,
                "TopicArn": arn("sns", rf"{REGION}:{ACCOUNT}:[^:]+"),
                "Subject": ANY,
            },
        }
    ]
}


def event_bridge(source, kind, resource, detail):
    """https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html"""
    return {
        "version": "0",
        "id": UUID,
        "detail-type": kind,
        "source": source,
        "account": ACCOUNT,
        "time": SECONDS,
        "region": REGION,
        "resources": [resource],
        "detail": detail,
    }


# https://docs.aws.amazon.com/eventbridge/latest/userguide/event-reference.html
RULE_SCHEDULE = event_bridge("aws.events", "Scheduled Event", arn("events", rf"{REGION}:{ACCOUNT}:rule/.+"), {})

# What a schedule without an input sends; its detail is a text.
SCHEDULER = event_bridge("aws.scheduler", "Scheduled Event", arn("scheduler", rf"{REGION}:{ACCOUNT}:schedule/default/.+"), r"\{\}")


def s3_bridge(kind, reason, **more):
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html"""
    size = {"size": int} if kind == "Object Created" else {}
    detail = {
        "version": "0",
        "event-version": r"1\.\d",
        "bucket": {"name": ANY},
        "object": {"key": ANY, **size, "etag": MD5, "version-id": r"[A-Za-z0-9._-]{32}", "sequencer": r"[0-9A-F]{18}"},
        "request-id": r"[A-Z0-9]{16}",
        "requester": ACCOUNT,
        "source-ip-address": IP,
        "reason": reason,
        **more,
    }
    return event_bridge("aws.s3", kind, arn("s3", r"::.+"), detail)


# https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html: what it says is null or left out is left out.
_URL = {
    "version": r"2\.0",
    "routeKey": r"\$default",
    "rawPath": r"/.*",
    "rawQueryString": ANY,
    "headers": Each(str),
    "requestContext": {
        "accountId": "anonymous",
        "apiId": r"[a-z0-9]{32}",
        "domainName": r"[a-z0-9]{32}\.lambda-url\..+",
        "domainPrefix": r"[a-z0-9]{32}",
        "http": {"method": r"[A-Z]+", "path": r"/.*", "protocol": r"HTTP/1\.1", "sourceIp": IP, "userAgent": ANY},
        "requestId": UUID,
        "routeKey": r"\$default",
        "stage": r"\$default",
        "time": r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000",
        "timeEpoch": int,
    },
    "isBase64Encoded": bool,
}
URL_OPEN = {**_URL, "cookies": [ANY], "queryStringParameters": Each(str), "body": ANY}
URL_IAM = {
    **_URL,
    "requestContext": {
        **_URL["requestContext"],
        "accountId": ACCOUNT,
        "authorizer": {
            "iam": {
                "accessKey": r"AKIA[A-Z0-9]+",
                "accountId": ACCOUNT,
                "callerId": r"AIDA[A-Z0-9]+",
                "cognitoIdentity": None,
                "principalOrgId": None,
                "userArn": arn("iam", rf":{ACCOUNT}:user/.+"),
                "userId": r"AIDA[A-Z0-9]+",
            }
        },
    },
}


def invocation_record(condition, answer, function_error=None):
    """https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html"""
    context = {"statusCode": 200, "executedVersion": r"\$LATEST"}
    return {
        "version": r"1\.0",
        "timestamp": MILLISECONDS,
        "requestContext": {
            "requestId": UUID,
            "functionArn": arn("lambda", rf"{REGION}:{ACCOUNT}:function:.+:\$LATEST"),
            "condition": condition,
            "approximateInvokeCount": int,
        },
        "requestPayload": dict,
        "responseContext": {**context, "functionError": function_error} if function_error else context,
        "responsePayload": answer,
    }


FAILURE = {"errorMessage": ANY, "errorType": ANY, "requestId": UUID, "stackTrace": list}


def invocation_result(record, result):
    """The same, by way of a bus."""
    resource = arn("(events|lambda)", rf"{REGION}:{ACCOUNT}:(event-bus/.+|function:.+:\$LATEST)")
    return event_bridge("lambda", f"Lambda Function Invocation Result - {result}", resource, record)
