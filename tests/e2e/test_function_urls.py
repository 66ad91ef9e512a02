"""Function URLs: their configuration through boto3, and the addresses themselves through plain HTTP."""

import base64
import http.client
import json
import re
import shutil
import subprocess
import time
import uuid
from urllib.parse import urlsplit

import pytest
from answers import Account, whole
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from conftest import REGION, eventually, zip_of

# What it does is asked for by the path; by default it answers with the event it got.
SOURCE = '''
import json
def handler(event, context):
    path = event["rawPath"]
    if path == "/plain":
        return {"message": "inferred"}
    if path == "/text":
        return "hello"
    if path == "/full":
        return {
            "statusCode": 201,
            "headers": {"Content-Type": "text/html", "X-Own": "1", "Connection": "close", "WWW-Authenticate": "Basic"},
            "cookies": ["a=1; Path=/", "b=2"],
            "body": "<p>h\\u00e9</p>",
        }
    if path == "/binary":
        return {"statusCode": 200, "headers": {"Content-Type": "image/png"}, "body": "iVBORw==", "isBase64Encoded": True}
    if path == "/empty":
        return {"statusCode": 204}
    if path == "/malformed":
        return {"statusCode": 1000}
    if path == "/fails":
        raise ValueError("as asked")
    if path == "/page":
        return {"statusCode": 200, "headers": {"Content-Type": "text/html", "Access-Control-Allow-Origin": "own"}, "body": ""}
    return {"statusCode": 200, "headers": {"x-request-id-seen": context.aws_request_id}, "body": json.dumps(event)}
'''


def call(server, url, path="/", method="GET", headers=None, body=None):
    """Calls a URL as a client does that cannot resolve its host: by the `Host` header alone."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    host = urlsplit(url).netloc
    connection.request(method, path, body=body, headers={"Host": host, **(headers or {})})
    answer = connection.getresponse()
    answer.body = answer.read()
    connection.close()
    return answer


def allow(client, name, principal="*", auth="NONE", **where):
    """The two statements that let somebody call a URL."""
    who = f"{principal}-{auth}".replace("*", "all")
    for sid, action, condition in (
        (f"url-{who}", "lambda:InvokeFunctionUrl", {"FunctionUrlAuthType": auth}),
        (f"function-{who}", "lambda:InvokeFunction", {"InvokedViaFunctionUrl": True}),
    ):
        client.add_permission(
            FunctionName=name, StatementId=sid, Action=action, Principal=principal, **condition, **where
        )


def make_url(server, name, auth="NONE", **settings):
    client = server.client("lambda")
    url = client.create_function_url_config(FunctionName=name, AuthType=auth, **settings)["FunctionUrl"]
    if auth == "NONE":
        allow(client, name, **{key: settings[key] for key in settings if key == "Qualifier"})
    return url


@pytest.fixture(scope="module")
def echo(server):
    name = server.python(SOURCE)
    return name, make_url(server, name)


def test_a_url_is_made_read_changed_listed_and_deleted(server):
    name, client = server.python("def handler(event, context): return 1"), server.client("lambda")
    with pytest.raises(ClientError) as refused:
        client.get_function_url_config(FunctionName=name)
    assert refused.value.response["Error"] == {
        "Code": "ResourceNotFoundException",
        "Message": "The resource you requested does not exist.",
    }
    made = client.create_function_url_config(FunctionName=name, AuthType="AWS_IAM")
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    made.pop("ResponseMetadata")
    url, created = made.pop("FunctionUrl"), made.pop("CreationTime")
    assert re.fullmatch(rf"http://[a-z0-9]{{32}}\.lambda-url\.{REGION}\.localhost:{server.port}/", url)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", created)
    arn = f"arn:aws:lambda:{REGION}:000000000000:function:{name}"
    assert made == {"FunctionArn": arn, "AuthType": "AWS_IAM", "InvokeMode": "BUFFERED"}
    with pytest.raises(ClientError) as refused:
        client.create_function_url_config(FunctionName=name, AuthType="NONE")
    assert refused.value.response["Error"] == {
        "Code": "ResourceConflictException",
        "Message": f"Failed to create function url config for [functionArn = {arn}]. Error message:  FunctionUrlConfig "
        "exists for this Lambda function",
    }
    cors = {"AllowOrigins": ["*"], "AllowMethods": ["GET"], "MaxAge": 5}
    client.update_function_url_config(FunctionName=name, Cors=cors, InvokeMode="RESPONSE_STREAM")
    seen = client.get_function_url_config(FunctionName=arn)
    assert (seen["FunctionUrl"], seen["AuthType"], seen["Cors"]) == (url, "AWS_IAM", cors)
    assert seen["InvokeMode"] == "RESPONSE_STREAM" and seen["LastModifiedTime"] >= seen["CreationTime"] == created
    listed = client.list_function_url_configs(FunctionName=name)["FunctionUrlConfigs"]
    assert [one["FunctionUrl"] for one in listed] == [url]
    assert client.delete_function_url_config(FunctionName=name)["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert call(server, url).status == 403
    with pytest.raises(ClientError):
        client.delete_function_url_config(FunctionName=name)
    assert client.list_function_url_configs(FunctionName=name)["FunctionUrlConfigs"] == []


@pytest.mark.parametrize(
    "change, code, text",
    [
        ({"Qualifier": "$LATEST"}, "ValidationException", "qualifier"),
        ({"Qualifier": "1"}, "ValidationException", "qualifier"),
        ({"AuthType": "OPEN"}, "ValidationException", "authType"),
        ({"FunctionName": "nobody"}, "ResourceNotFoundException", "Function does not exist"),
        ({"Qualifier": "nobody"}, "ResourceNotFoundException", "Function does not exist"),
        ({"Cors": {"AllowMethods": ["OPTIONS"]}}, "ValidationException", "cors.allowMethods"),
        ({"Cors": {"AllowMethods": ["get"]}}, "InvalidParameterValueException", "method"),
        ({"Cors": {"AllowOrigins": ["example.com"]}}, "InvalidParameterValueException", "origin"),
        ({"Cors": {"MaxAge": 86401}}, "ValidationException", "cors.maxAge"),
        ({"InvokeMode": "SLOW"}, "ValidationException", "invokeMode"),
    ],
)
def test_what_cannot_be_a_url_is_refused_and_not_stored(server, echo, change, code, text):
    client = server.client("lambda", parameter_validation=False)
    with pytest.raises(ClientError) as refused:
        client.create_function_url_config(**{"FunctionName": echo[0], "AuthType": "NONE", **change})
    error = refused.value.response["Error"]
    assert error["Code"] == code and text in error["Message"], error
    assert len(client.list_function_url_configs(FunctionName=echo[0])["FunctionUrlConfigs"]) == 1


def test_an_alias_has_a_url_of_its_own_that_goes_with_it(server):
    client = server.client("lambda")
    name = server.python("import os\ndef handler(event, context): return [context.function_version, context.invoked_function_arn]")
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    latest, live = make_url(server, name), make_url(server, name, Qualifier="live")
    assert latest != live
    answer = json.loads(eventually(lambda: (a := call(server, live)).status == 200 and a, what="the version").body)
    assert answer[0] == "1" and answer[1].endswith(f"{name}:live")
    assert json.loads(call(server, latest).body)[0] == "$LATEST"
    pages = client.get_paginator("list_function_url_configs").paginate(FunctionName=name, PaginationConfig={"PageSize": 1})
    assert [one["FunctionArn"].split(":")[7:] for page in pages for one in page["FunctionUrlConfigs"]] == [[], ["live"]]
    client.delete_alias(FunctionName=name, Name="live")
    assert (call(server, live).status, call(server, latest).status) == (403, 200)
    client.delete_function(FunctionName=name)
    assert call(server, latest).status == 403
    # The next function of that name has no URL.
    server.python("def handler(event, context): return 1", name=name)
    assert client.list_function_url_configs(FunctionName=name)["FunctionUrlConfigs"] == []


def test_a_request_becomes_payload_2_0(server, echo):
    headers = {"Cookie": "a=1; b=2", "X-Mixed-Case": "y", "User-Agent": "test", "Content-Type": "text/plain"}
    answer = call(server, echo[1], "/some%20path/x?q=1&q=2&z=a+b", "POST", headers, "body".encode())
    event = json.loads(answer.body)
    url = urlsplit(echo[1])
    assert {key: event[key] for key in event if key not in ("headers", "requestContext")} == {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/some%20path/x",
        "rawQueryString": "q=1&q=2&z=a+b",
        "cookies": ["a=1", "b=2"],
        "queryStringParameters": {"q": "1,2", "z": "a b"},
        "body": "body",
        "isBase64Encoded": False,
    }
    context = event["requestContext"]
    assert context["http"] == {
        "method": "POST",
        "path": "/some path/x",
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "test",
    }
    assert context["domainName"] == url.hostname and context["domainPrefix"] == context["apiId"] == url.hostname[:32]
    assert context["accountId"] == "anonymous" and "authorizer" not in context
    assert abs(context["timeEpoch"] / 1000 - time.time()) < 60
    assert re.fullmatch(r"\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000", context["time"])
    assert event["headers"]["x-mixed-case"] == "y" and event["headers"]["host"] == url.netloc
    assert event["headers"]["x-forwarded-proto"] == "http" and "cookie" not in event["headers"]
    # One id for the request, the event and the function's context.
    assert answer.getheader("x-amzn-RequestId") == context["requestId"] == answer.getheader("x-request-id-seen")
    assert answer.getheader("X-Amzn-Trace-Id") == event["headers"]["x-amzn-trace-id"]


@pytest.mark.parametrize(
    "content_type, body, as_text",
    [
        ("application/json", b'{"a": 1}', True),
        ("application/x-www-form-urlencoded", b"a=b", False),
        ("application/octet-stream", bytes(range(256)), False),
    ],
)
def test_what_is_not_text_arrives_in_base64(server, echo, content_type, body, as_text):
    event = json.loads(call(server, echo[1], "/", "PUT", {"Content-Type": content_type}, body).body)
    assert event["isBase64Encoded"] is not as_text
    assert (event["body"].encode() if as_text else base64.b64decode(event["body"])) == body


@pytest.mark.parametrize(
    "path, status, content_type, body",
    [
        ("/plain", 200, "application/json", b'{"message": "inferred"}'),
        ("/text", 200, "application/json", b'"hello"'),
        ("/full", 201, "text/html", "<p>hé</p>".encode()),
        ("/binary", 200, "image/png", b"\x89PNG"),
        ("/empty", 204, "application/json", b""),
        ("/malformed", 502, "application/json", b"Internal Server Error"),
        ("/fails", 502, "application/json", b"Internal Server Error"),
    ],
)
def test_what_a_function_returns_becomes_a_response(server, echo, path, status, content_type, body):
    answer = call(server, echo[1], path)
    assert (answer.status, answer.getheader("Content-Type"), answer.body) == (status, content_type, body)
    if path == "/full":
        assert answer.msg.get_all("Set-Cookie") == ["a=1; Path=/", "b=2"] and answer.getheader("X-Own") == "1"
        assert answer.getheader("x-amzn-Remapped-www-authenticate") == "Basic"
        assert answer.getheader("x-amzn-Remapped-connection") == "close"
        assert answer.getheader("Connection") is None and answer.getheader("WWW-Authenticate") is None
        head = call(server, echo[1], path, "HEAD")
        assert (head.status, head.body, head.getheader("Content-Length")) == (201, b"", str(len(body)))


def test_a_url_answers_by_path_for_who_cannot_resolve_its_host(server, echo):
    url_id = urlsplit(echo[1]).hostname[:32]
    event = json.loads(call(server, server.endpoint, f"/_hearth/urls/{url_id}/a/b?c=d").body)
    assert (event["rawPath"], event["rawQueryString"]) == ("/a/b", "c=d")
    assert event["requestContext"]["domainName"] == urlsplit(echo[1]).hostname
    page = call(server, server.endpoint, f"/_hearth/urls/{url_id}/page")
    # It has the API's origin: a browser must take it for nobody's.
    assert page.getheader("Content-Security-Policy").startswith("sandbox")
    assert "allow-same-origin" not in page.getheader("Content-Security-Policy")
    assert call(server, echo[1], "/page").getheader("Content-Security-Policy") is None


def test_an_unknown_url_is_forbidden(server, echo):
    url_id = urlsplit(echo[1]).hostname[:32]
    for host in (f"{'a' * 32}.lambda-url.{REGION}.localhost", f"{url_id}.lambda-url.eu-west-1.localhost", f"x.lambda-url.{REGION}.localhost"):
        answer = call(server, f"http://{host}:{server.port}/")
        assert (answer.status, json.loads(answer.body)) == (403, {"Message": "Forbidden"})


def test_a_request_of_more_than_six_megabytes_is_too_large(server, echo):
    answer = call(server, echo[1], "/plain", "POST", {"Content-Type": "text/plain"}, b"x" * (6 * 1024 * 1024))
    assert answer.status == 413
    answer = call(server, echo[1], "/plain", "POST", {"Content-Type": "text/plain"}, b"x" * (6 * 1024 * 1024 - 4096))
    assert answer.status == 200


def test_a_throttled_function_is_too_many_requests(server, echo):
    client = server.client("lambda")
    client.put_function_concurrency(FunctionName=echo[0], ReservedConcurrentExecutions=0)
    assert call(server, echo[1], "/plain").status == 429
    client.delete_function_concurrency(FunctionName=echo[0])
    assert call(server, echo[1], "/plain").status == 200


PAGE = {"Origin": "https://page.example", "Sec-Fetch-Site": "cross-site"}
PREFLIGHT = {**PAGE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-one"}


def granted(answer):
    return {
        name.lower().removeprefix("access-control-"): value
        for name, value in answer.getheaders()
        if name.lower().startswith("access-control-")
    }


def test_pages_call_a_url_as_its_cors_configuration_lets_them(server, echo):
    client = server.client("lambda")
    # Without a configuration the browser's question is the function's to answer.
    assert granted(call(server, echo[1], "/page", "OPTIONS", PREFLIGHT)) == {"allow-origin": "own"}
    cors = {
        "AllowOrigins": ["https://page.example"],
        "AllowMethods": ["GET", "POST"],
        "AllowHeaders": ["x-one"],
        "ExposeHeaders": ["x-two"],
        "AllowCredentials": True,
        "MaxAge": 60,
    }
    client.update_function_url_config(FunctionName=echo[0], Cors=cors)
    asked = call(server, echo[1], "/fails", "OPTIONS", PREFLIGHT)
    assert (asked.status, asked.body) == (200, b"")
    assert granted(asked) == {
        "allow-origin": "https://page.example",
        "allow-methods": "GET,POST",
        "allow-headers": "x-one",
        "allow-credentials": "true",
        "max-age": "60",
    }
    answer = call(server, echo[1], "/plain", "GET", PAGE)
    assert (answer.status, granted(answer)) == (
        200,
        {"allow-origin": "https://page.example", "allow-credentials": "true", "expose-headers": "x-two"},
    )
    # What the function says itself stays, too.
    both = call(server, echo[1], "/page", "GET", PAGE).msg.get_all("Access-Control-Allow-Origin")
    assert both == ["own", "https://page.example"]
    other = {**PREFLIGHT, "Origin": "https://other.example"}
    for method in ("OPTIONS", "GET"):
        answer = call(server, echo[1], "/plain", method, other)
        assert (answer.status, granted(answer)) == (200, {})
    client.update_function_url_config(FunctionName=echo[0], Cors={})
    # The API stays closed to pages, those of URLs among them.
    for page in (PAGE, {"Origin": echo[1].rstrip("/"), "Sec-Fetch-Site": "same-site"}):
        assert call(server, server.endpoint, "/2015-03-31/functions/", "GET", page).status == 403


def sign(url, key="test", secret="test", service="lambda", method="GET"):
    request = AWSRequest(method, url)
    SigV4Auth(Credentials(key, secret), service, REGION).add_auth(request)
    return dict(request.headers)


def test_a_url_with_aws_iam_demands_a_signature(server):
    name = server.python("import json\ndef handler(event, context): return {'statusCode': 200, 'body': json.dumps(event)}")
    url = make_url(server, name, "AWS_IAM")
    unsigned = call(server, url)
    assert unsigned.status == 403
    assert json.loads(unsigned.body) == {
        "Message": "Forbidden. For troubleshooting Function URL authorization issues, see: "
        "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
    }
    event = json.loads(call(server, url, headers=sign(url)).body)
    assert event["requestContext"]["accountId"] == "000000000000"
    assert event["requestContext"]["authorizer"]["iam"] == {
        "accessKey": "test",
        "accountId": "000000000000",
        "callerId": "000000000000",
        "cognitoIdentity": None,
        "principalOrgId": None,
        "userArn": "arn:aws:iam::000000000000:root",
        "userId": "000000000000",
    }
    assert "authorization" not in event["headers"] and "x-amz-date" in event["headers"]
    # Another account's caller, a signature for another service, and one that is none.
    assert call(server, url, headers=sign(url, key="123456789012")).status == 403
    other = call(server, url, headers=sign(url, service="execute-api"))
    assert other.status == 403 and "correct service: 'lambda'" in json.loads(other.body)["message"]
    assert call(server, url, headers={"Authorization": "Bearer x"}).status == 403


def test_who_may_call_is_what_the_policy_says(server):
    client = server.client("lambda")
    name = server.python("def handler(event, context): return 1")
    url = client.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    # Open to everybody, and still nobody is let in: not even the owner.
    assert (call(server, url).status, call(server, url, headers=sign(url)).status) == (403, 403)
    half = {"FunctionName": name, "StatementId": "half", "Principal": "*"}
    client.add_permission(**half, Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE")
    assert call(server, url).status == 403
    client.remove_permission(FunctionName=name, StatementId="half")
    client.add_permission(**half, Action="lambda:InvokeFunction", InvokedViaFunctionUrl=True)
    assert call(server, url).status == 403
    client.remove_permission(FunctionName=name, StatementId="half")
    allow(client, name)
    assert call(server, url).status == 200
    # The same policy lets nobody through that must sign; the owner signs.
    client.update_function_url_config(FunctionName=name, AuthType="AWS_IAM")
    other = sign(url, key="123456789012")
    assert [call(server, url, headers=headers).status for headers in ({}, other, sign(url))] == [403, 403, 200]
    allow(client, name, "123456789012", "AWS_IAM")
    assert call(server, url, headers=other).status == 200
    # What lets somebody call the URL does not let it call the function.
    with pytest.raises(ClientError) as refused:
        server.client("lambda", key="123456789012").invoke(FunctionName=f"arn:aws:lambda:{REGION}:000000000000:function:{name}")
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"


def test_signatures_are_verified_under_auth(start, data_dir):
    server = start("--auth", data_dir=data_dir)
    text = (data_dir / "credentials").read_text()
    key, secret = (line.split(" = ")[1] for line in text.splitlines() if " = " in line)
    client, iam = (server.client(service, key=key, secret=secret) for service in ("lambda", "iam"))
    role = iam.create_role(
        RoleName="r",
        AssumeRolePolicyDocument=json.dumps(
            {"Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
        ),
    )["Role"]["Arn"]
    source = "def handler(event, context): return event['requestContext']['authorizer']['iam']['userArn']"
    client.create_function(
        FunctionName="f",
        Runtime="python3.12",
        Handler="lambda_function.handler",
        Role=role,
        Code={"ZipFile": zip_of({"lambda_function.py": source})},
    )
    client.get_waiter("function_active_v2").wait(FunctionName="f", WaiterConfig={"Delay": 0.02, "MaxAttempts": 500})
    url = client.create_function_url_config(FunctionName="f", AuthType="AWS_IAM")["FunctionUrl"]
    assert json.loads(call(server, url, headers=sign(url, key, secret)).body) == "arn:aws:iam::000000000000:root"
    wrong = call(server, url, headers=sign(url, key, secret + "x"))
    assert wrong.status == 403 and "does not match the signature you provided" in json.loads(wrong.body)["message"]
    assert call(server, url).status == 403
    # Restarted, it is the same URL.
    server.kill()
    server.start()
    assert client.get_function_url_config(FunctionName="f")["FunctionUrl"] == url
    assert call(server, url, headers=sign(url, key, secret)).status == 200


# A gate is a tag of the function's own: the test sets it once it has seen what came before.
STREAM = """
const untilOpen = async (gate, arn) => {
    const url = `${process.env.AWS_ENDPOINT_URL}/2017-03-31/tags/${encodeURIComponent(arn)}`;
    while (!(gate in (await (await fetch(url)).json()).Tags)) await new Promise((done) => setTimeout(done, 10));
};
export const handler = awslambda.streamifyResponse(async (event, stream, context) => {
    if (event.rawPath === "/raw") {
        stream.setContentType("text/event-stream");
    } else {
        stream = awslambda.HttpResponseStream.from(stream, {
            statusCode: 418,
            headers: { "Content-Type": "text/plain", "X-Own": "1" },
            cookies: ["a=1", "b=2"],
        });
    }
    stream.write("first\\n");
    const gate = event.queryStringParameters?.gate;
    if (gate) await untilOpen(gate, context.invokedFunctionArn);
    if (event.queryStringParameters?.fail) throw new Error("half way");
    stream.write("second\\n");
    stream.end();
});
"""


@pytest.fixture(scope="module")
def streaming(server):
    name = server.node(STREAM, Timeout=30)
    url = make_url(server, name, InvokeMode="RESPONSE_STREAM")
    server.client("lambda").create_alias(FunctionName=name, Name="whole", FunctionVersion="$LATEST")
    return url, make_url(server, name, Qualifier="whole"), name


@pytest.mark.parametrize("which", [0, 1])
def test_the_head_of_a_stream_is_a_responses_head(server, streaming, which):
    answer = call(server, streaming[which])
    assert (answer.status, answer.body) == (418, b"first\nsecond\n")
    assert answer.getheader("Content-Type") == "text/plain" and answer.getheader("X-Own") == "1"
    assert answer.msg.get_all("Set-Cookie") == ["a=1", "b=2"]
    raw = call(server, streaming[which], "/raw")
    assert (raw.status, raw.getheader("Content-Type"), raw.body) == (200, "text/event-stream", b"first\nsecond\n")


def begin(server, url, path):
    """A call whose answer is read by and by."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("GET", path, headers={"Host": urlsplit(url).netloc})
    return connection, connection.getresponse()


@pytest.mark.parametrize("path", ["/", "/raw"])
def test_the_first_byte_arrives_while_the_function_still_writes(server, streaming, path):
    url, _, name = streaming
    gate = uuid.uuid4().hex
    connection, answer = begin(server, url, f"{path}?gate={gate}")
    assert answer.status == (418 if path == "/" else 200)
    assert answer.readline() == b"first\n"
    arn = server.client("lambda").get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    server.client("lambda").tag_resource(Resource=arn, Tags={gate: ""})
    assert answer.read() == b"second\n"
    connection.close()


def test_an_answer_that_fails_half_way_ends_early(server, streaming):
    connection, answer = begin(server, streaming[0], "/?fail=1")
    assert answer.readline() == b"first\n"
    with pytest.raises(http.client.IncompleteRead):
        answer.read()
    connection.close()
    # Whole, it was never begun.
    assert call(server, streaming[1], "/?fail=1").status == 502


def test_a_browsers_fetch_reads_a_url(server, streaming):
    node = shutil.which("node")
    if not node:
        pytest.skip("there is no node")
    script = """
    const [url] = process.argv.slice(1);
    const answer = await fetch(url);
    let text = "";
    for await (const part of answer.body) text += new TextDecoder().decode(part);
    console.log(JSON.stringify([answer.status, answer.headers.getSetCookie(), text]));
    """
    by_path = f"{server.endpoint}/_hearth/urls/{urlsplit(streaming[0]).hostname[:32]}/"
    done = subprocess.run([node, "--input-type=module", "-e", script, by_path], capture_output=True, text=True, timeout=30)
    assert json.loads(done.stdout or "null") == [418, ["a=1", "b=2"], "first\nsecond\n"], done.stderr


def test_whole_answers_of_function_urls(server):
    account = Account(server, "200000000009")
    client = account.client
    account.function()
    cors = {"AllowOrigins": ["https://example.com"], "MaxAge": 60}
    assert whole(client, "CreateFunctionUrlConfig", FunctionName="f", AuthType="NONE", Cors=cors) == (
        201,
        {
            "FunctionUrl": "http://<url-id>.lambda-url.us-east-1.<host>/",
            "FunctionArn": "arn:aws:lambda:us-east-1:200000000009:function:f",
            "AuthType": "NONE",
            "Cors": {"AllowOrigins": ["https://example.com"], "MaxAge": 60},
            "CreationTime": "<time>",
            "InvokeMode": "BUFFERED",
        },
    )
    assert whole(client, "GetFunctionUrlConfig", FunctionName="f") == (
        200,
        {
            "FunctionUrl": "http://<url-id>.lambda-url.us-east-1.<host>/",
            "FunctionArn": "arn:aws:lambda:us-east-1:200000000009:function:f",
            "AuthType": "NONE",
            "Cors": {"AllowOrigins": ["https://example.com"], "MaxAge": 60},
            "CreationTime": "<time>",
            "LastModifiedTime": "<time>",
            "InvokeMode": "BUFFERED",
        },
    )
    assert whole(client, "ListFunctionUrlConfigs", FunctionName="f") == (
        200,
        {
            "FunctionUrlConfigs": [
                {
                    "FunctionUrl": "http://<url-id>.lambda-url.us-east-1.<host>/",
                    "FunctionArn": "arn:aws:lambda:us-east-1:200000000009:function:f",
                    "CreationTime": "<time>",
                    "LastModifiedTime": "<time>",
                    "Cors": {"AllowOrigins": ["https://example.com"], "MaxAge": 60},
                    "AuthType": "NONE",
                    "InvokeMode": "BUFFERED",
                },
            ],
        },
    )
    changes = {"AuthType": "AWS_IAM", "InvokeMode": "RESPONSE_STREAM"}
    assert whole(client, "UpdateFunctionUrlConfig", FunctionName="f", **changes) == (
        200,
        {
            "FunctionUrl": "http://<url-id>.lambda-url.us-east-1.<host>/",
            "FunctionArn": "arn:aws:lambda:us-east-1:200000000009:function:f",
            "AuthType": "AWS_IAM",
            "Cors": {"AllowOrigins": ["https://example.com"], "MaxAge": 60},
            "CreationTime": "<time>",
            "LastModifiedTime": "<time>",
            "InvokeMode": "RESPONSE_STREAM",
        },
    )
    assert whole(client, "DeleteFunctionUrlConfig", FunctionName="f") == (204, {})
