"""Writes vectors.json: requests signed by botocore, for the tests beside this file.

Run it in an environment that has botocore: python3 vectors.py > vectors.json
The keys are the ones of AWS's documentation; the requests are our own, apart from the first.
"""

import base64
import datetime
import json
import sys

import botocore.auth
import botocore.config
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
NOW = datetime.datetime(2015, 8, 30, 12, 36, 0)
botocore.auth.get_current_datetime = lambda: NOW

HOST = "http://localhost:4566"
ARN = "arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af"
# name, service, method, url, headers, body, token, signer
CASES = [
    ("get-vanilla", "service", "GET", "http://example.amazonaws.com/", {}, b"", None, "header"),
    ("lambda-invoke", "lambda", "POST", f"{HOST}/2015-03-31/functions/hello/invocations?Qualifier=1",
     {"X-Amz-Invocation-Type": "RequestResponse", "X-Amz-Log-Type": "Tail"}, b'{"name": "Sam"}', None, "header"),
    ("lambda-encoded-arn", "lambda", "GET", f"{HOST}/2015-03-31/functions/{ARN}", {}, b"", None, "header"),
    ("lambda-tags", "lambda", "DELETE", f"{HOST}/2017-03-31/tags/{ARN}?tagKeys=b%20c&tagKeys=a%2Fb&tagKeys=", {}, b"",
     None, "header"),
    ("lambda-dots-and-slashes", "lambda", "GET", f"{HOST}/a/./b//c/../d/", {}, b"", None, "header"),
    ("lambda-blanks-in-header", "lambda", "GET", f"{HOST}/x", {"X-Amz-Thing": "  a   b\t c  "}, b"", None, "header"),
    ("lambda-session", "lambda", "GET", f"{HOST}/2015-03-31/functions/", {}, b"", "a/long+token==", "header"),
    ("logs-json", "logs", "POST", f"{HOST}/",
     {"X-Amz-Target": "Logs_20140328.DescribeLogGroups", "Content-Type": "application/x-amz-json-1.1"}, b"{}", None,
     "header"),
    ("iam-query", "iam", "POST", f"{HOST}/", {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
     b"Action=ListRoles&Version=2010-05-08", None, "header"),
    ("unicode-path", "lambda", "GET", f"{HOST}/%E1%88%B4?%E1%88%B4=bar", {}, b"", None, "header"),
    ("s3-key-kept-literally", "s3", "PUT", f"{HOST}/bucket/a%20b//./c%2Bd", {}, b"hello", None, "s3-header"),
    ("s3-unsigned-payload", "s3", "PUT", f"{HOST}/bucket/key", {"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}, b"hello",
     None, "s3-header"),
    ("sts-presigned", "sts", "GET", f"{HOST}/?Action=GetCallerIdentity&Version=2011-06-15", {}, b"", None, "query"),
    ("sts-presigned-session", "sts", "GET", f"{HOST}/?Action=GetCallerIdentity&Version=2011-06-15",
     {"x-k8s-aws-id": "cluster"}, b"", "a/long+token==", "query"),
    ("s3-presigned", "s3", "GET", f"{HOST}/bucket/a%20b//c", {}, b"", None, "s3-query"),
]
SIGNERS = {
    "header": botocore.auth.SigV4Auth,
    "s3-header": botocore.auth.S3SigV4Auth,
    "query": botocore.auth.SigV4QueryAuth,
    "s3-query": botocore.auth.S3SigV4QueryAuth,
}


def vector(name, service, method, url, headers, body, token, signer):
    request = AWSRequest(method=method, url=url, headers=headers, data=body)
    if signer.startswith("s3") and "X-Amz-Content-SHA256" in headers:
        request.context["client_config"] = botocore.config.Config(s3={"payload_signing_enabled": False})
    SIGNERS[signer](Credentials(KEY, SECRET, token), service, "us-east-1").add_auth(request)
    scheme, rest = request.url.split("://", 1)
    host, slash, target = rest.partition("/")
    sent = [[key, value] for key, value in request.headers.items()]
    if not any(key.lower() == "host" for key, _ in sent):
        sent.insert(0, ["Host", host])
    return {
        "name": name,
        "method": method,
        "target": slash + target,
        "headers": sent,
        "body": base64.b64encode(body).decode(),
    }


json.dump([vector(*case) for case in CASES], sys.stdout, indent=1)
print()
