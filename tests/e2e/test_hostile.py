"""Requests that mean harm, or nothing at all: each is refused in the protocol's own form, and the server goes on."""

import base64
import io
import json
import socket
import time
import urllib.parse
import zipfile

import pytest
from botocore.exceptions import ClientError
from conftest import eventually, zip_of

CREATE = "/2015-03-31/functions"
MIB = 1024 * 1024
# What the server may hold more after a whole attack than before: far below what was sent at it.
MEMORY_GROWTH_BYTES_MAX = 150 * MIB


@pytest.fixture(scope="module", autouse=True)
def the_server_stays_healthy_and_small(server):
    server.client("lambda").list_functions()
    before = memory(server)
    yield
    assert server.is_ready()
    server.client("lambda").list_functions()
    eventually(lambda: memory(server) - before < MEMORY_GROWTH_BYTES_MAX, what="memory given back")


@pytest.fixture(autouse=True)
def the_server_answers_afterwards(server):
    yield
    assert server.is_ready()


def memory(server):
    with open(f"/proc/{server.process.pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS:"))


def raw(server, *chunks, timeout=30.0, finish=False):
    """Sends bytes as they are, and gives everything that comes back until the server hangs up."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=timeout) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for chunk in chunks:
                connection.sendall(chunk)
            if finish:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            # The server may hang up while noise is still being sent.
            pass
        received = b""
        try:
            while part := connection.recv(65536):
                received += part
        except ConnectionResetError:
            pass
        return received.decode("latin-1")


def ask(server, method="POST", path=CREATE, headers=(), body=b""):
    """One request on a connection of its own: status, headers, body."""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nConnection: close\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in headers)
    answer = raw(server, f"{head}Content-Length: {len(body)}\r\n\r\n".encode(), body)
    head, _, text = answer.partition("\r\n\r\n")
    status = int(head.split()[1]) if head else None
    return status, head, text


def error_type(head):
    found = [line.split(": ", 1)[1] for line in head.split("\r\n") if line.lower().startswith("x-amzn-errortype:")]
    return found[0] if found else None


def scope(service):
    return ("Authorization", f"AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=00")


@pytest.mark.parametrize(
    "noise",
    [
        b"\x00" * 4096,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xff" * 500,
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nzz\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 100,
    ],
)
def test_noise_is_refused(server, noise):
    answer = raw(server, noise, finish=True)
    assert not answer.startswith("HTTP/1.1 2")


@pytest.mark.parametrize(
    "path",
    [
        "/../../../etc/passwd",
        "/2015-03-31/functions/..%2f..%2fetc%2fpasswd",
        "/2015-03-31/functions/%00",
        "/2015-03-31/functions/%ff%fe",
        "/2015-03-31/functions/" + "a" * 8000,
        "/_hearth/code/..%2f..%2fcredentials",
        "/_hearth/code/" + "0" * 64,
        "//",
        "/?" + "a=b&" * 1000,
    ],
)
def test_strange_paths_lead_nowhere(server, path):
    status, head, body = ask(server, "GET", path)
    assert status is not None and 400 <= status < 500, (status, body)
    assert "root:" not in body


def test_headers_have_a_bound(server):
    assert ask(server, headers=[("X-Long", "x" * 200_000)])[0] == 431
    assert ask(server, headers=[(f"X-{number}", "y") for number in range(500)])[0] == 431


def test_a_body_beyond_the_limit_is_refused_by_lambdas_name(server):
    status, head, body = ask(server, headers=[("Content-Type", "application/json")], body=b"x" * (71 * MIB))
    assert (status, error_type(head)) == (413, "RequestEntityTooLargeException")
    assert "Request must be smaller than 70167211 bytes for the CreateFunction operation" in body


def test_a_body_that_only_claims_to_be_large_costs_nothing(server):
    before = memory(server)
    head = f"POST {CREATE} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 70000000\r\n\r\n".encode()
    connections = []
    for _ in range(50):
        connection = socket.create_connection(("127.0.0.1", server.port))
        connection.sendall(head + b"{")
        connections.append(connection)
    server.client("lambda").list_functions()
    assert memory(server) - before < 50 * MIB
    for connection in connections:
        connection.close()


def test_a_body_that_ends_early_is_not_taken_for_whole(server):
    body = json.dumps({"FunctionName": "half"}).encode()
    head = f"POST {CREATE} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body) + 10}\r\n\r\n".encode()
    answer = raw(server, head, body, finish=True)
    assert answer == "" or answer.startswith("HTTP/1.1 4")
    chunked = f"POST {CREATE} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel".encode()
    answer = raw(server, chunked, finish=True)
    assert answer == "" or answer.startswith("HTTP/1.1 4")


def test_slow_headers_do_not_keep_others_waiting(server):
    slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(100)]
    for connection in slow:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: loc")
    started = time.monotonic()
    server.client("lambda").list_functions()
    assert time.monotonic() - started < 5
    for connection in slow:
        connection.close()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"{}{}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"FunctionName": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        b'{"FunctionName": "\\ud800"}',
        b'{"FunctionName": "\xff\xfe"}',
        b'{"Timeout": 1e999}',
        b'{"Timeout": 99999999999999999999}',
        b'{"MemorySize": "many"}',
        b'{"FunctionName": "f", "Code": {"ZipFile": "!!! no base64 !!!"}}',
        b'{"FunctionName": "f", "Code": "text"}',
        b'{"Tags": {"a": 1}}',
    ],
    ids=lambda body: body[:24].decode("latin-1") + f"… {len(body)} bytes",
)
def test_a_body_that_is_not_the_operations_input_is_refused(server, body):
    status, head, text = ask(server, headers=[("Content-Type", "application/json")], body=body)
    assert status == 400, (status, text)
    assert error_type(head) in ("SerializationException", "ValidationException", "InvalidRequestContentException"), head
    assert json.loads(text).get("message") or json.loads(text).get("Message")
    assert "x-amzn-requestid" in head.lower()


@pytest.mark.parametrize("headers", [("X-Amz-Log-Type", "Everything"), ("X-Amz-Invocation-Type", "Later"), ("X-Amz-Client-Context", "{not base64")])
def test_bad_headers_of_an_invocation_are_refused(server, headers):
    status, head, text = ask(server, path="/2015-03-31/functions/nobody/invocations", headers=[headers])
    assert status in (400, 404), text
    assert error_type(head)


def test_a_service_that_is_not_there_answers_in_its_own_protocol(server):
    # aws-json
    status, _, body = ask(
        server,
        path="/",
        headers=[scope("dynamodb"), ("X-Amz-Target", "DynamoDB_20120810.ListTables"), ("Content-Type", "application/x-amz-json-1.0")],
        body=b"{}",
    )
    assert status == 501 and "dynamodb" in json.loads(body)["message"].lower()
    # query
    status, _, body = ask(
        server,
        path="/",
        headers=[scope("cloudformation"), ("Content-Type", "application/x-www-form-urlencoded")],
        body=b"Action=ListStacks&Version=2010-05-15",
    )
    assert status == 501 and "<Code>" in body and "cloudformation" in body.lower()
    # rest-xml
    status, _, body = ask(server, "GET", "/bucket/key", headers=[scope("s3express")])
    assert status == 501 and "<Code>" in body and "s3express" in body.lower()
    # Nobody can tell which.
    status, head, body = ask(server, "POST", "/nothing/here")
    assert status == 404 and error_type(head) and "message" in body.lower()


@pytest.mark.parametrize("service", ["kinesis", "dynamodb", "cloudformation"])
def test_a_client_of_an_absent_service_raises_a_clear_error(server, service):
    client = server.client(service)
    calls = {"kinesis": "list_streams", "dynamodb": "list_tables", "cloudformation": "list_stacks"}
    call = calls[service]
    with pytest.raises(ClientError) as error:
        getattr(client, call)()
    answer = error.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert "Hearth does not have the service" in answer["Error"]["Message"]


@pytest.mark.parametrize(
    ("service", "headers", "body", "words"),
    [
        ("iam", [("Content-Type", "application/x-www-form-urlencoded")], b"Action=MakeCoffee&Version=2010-05-08", "MakeCoffee"),
        ("iam", [("Content-Type", "application/x-www-form-urlencoded")], b"Action=CreateGroup&GroupName=g&Version=2010-05-08", "CreateGroup"),
        ("logs", [("X-Amz-Target", "Logs_20140328.MakeCoffee"), ("Content-Type", "application/x-amz-json-1.1")], b"{}", "MakeCoffee"),
        ("logs", [("X-Amz-Target", "Logs_20140328.StartQuery"), ("Content-Type", "application/x-amz-json-1.1")], b"{}", "StartQuery"),
    ],
)
def test_an_operation_that_is_not_there_is_named(server, service, headers, body, words):
    status, _, text = ask(server, path="/", headers=[scope(service), *headers], body=body)
    assert status in (400, 404, 501) and words in text, (status, text)


def test_query_input_that_explodes_is_refused(server):
    # A list index that would allocate, and nesting that would recurse.
    for body in (
        "Action=CreateRole&Version=2010-05-08&RoleName=r&AssumeRolePolicyDocument=x&Tags.member.999999999.Key=k",
        "Action=CreateRole&Version=2010-05-08&" + ".".join(["Tags"] * 20_000) + "=x",
        "Action=CreateRole&" * 20_000,
        "Action=%ff%fe&Version=2010-05-08",
    ):
        status, _, text = ask(
            server, path="/", headers=[scope("iam"), ("Content-Type", "application/x-www-form-urlencoded")], body=body.encode()
        )
        assert 400 <= status < 500, (status, text)
        assert "<Error" in text


def refused_package(server, zipped):
    client = server.client("lambda")
    with pytest.raises(ClientError) as error:
        client.create_function(
            FunctionName="hostile",
            Runtime="python3.12",
            Handler="lambda_function.handler",
            Role=server.role(),
            Code={"ZipFile": zipped},
        )
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_function(FunctionName="hostile")
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def test_a_zip_bomb_is_refused_before_it_explodes(server):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as package:
        zeros = b"\0" * MIB
        with package.open("big", "w", force_zip64=True) as big:
            for _ in range(300):
                big.write(zeros)
    assert len(buffer.getvalue()) < MIB
    code, message = refused_package(server, buffer.getvalue())
    assert (code, message) == ("InvalidParameterValueException", "Unzipped size must be smaller than 262144000 bytes")


def test_a_zip_that_lies_about_its_sizes_is_refused(server):
    zipped = bytearray(zip_of({"lambda_function.py": "x = 1\n" * 200_000}))
    # The size in the central directory and in the local header, each four bytes: say that it is tiny.
    size = (1_200_000).to_bytes(4, "little")
    assert zipped.count(size) >= 1
    code, _ = refused_package(server, bytes(zipped).replace(size, (10).to_bytes(4, "little")))
    assert code == "InvalidParameterValueException"


@pytest.mark.parametrize(
    "name",
    ["../escape", "a/../../escape", "/etc/escape", "..", "a\\..\\..\\escape", "nul\0byte", "a" * 300, "/".join(["d"] * 3000)],
    ids=lambda name: name[:20].replace("\0", "NUL"),
)
def test_a_path_that_leaves_the_package_never_does(server, name):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        package.writestr("lambda_function.py", "def handler(event, context): return 'in'")
        entry = zipfile.ZipInfo("placeholder")
        entry.filename = name
        package.writestr(entry, "escaped")
    try:
        created = server.function_from(buffer.getvalue())
    except ClientError as error:
        assert error.response["Error"]["Code"] == "InvalidParameterValueException"
        return
    # Where AWS's own unzip would make a harmless file of it, the function runs, and nothing is outside.
    assert server.invoke(created)[0] == "in"


@pytest.mark.parametrize("target", ["/etc/shadow", "../../../../../../etc/shadow", "/proc/1/environ", "."])
def test_a_symbolic_link_shows_nothing_of_the_host(server, target):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        source = "def handler(event, context):\n    try:\n        return open('/var/task/link').read()\n    except OSError as error:\n        return type(error).__name__\n"
        package.writestr("lambda_function.py", source)
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        package.writestr(link, target)
    try:
        created = server.function_from(buffer.getvalue())
    except ClientError as error:
        assert error.response["Error"]["Code"] == "InvalidParameterValueException"
        return
    answer, _ = server.invoke(created)
    assert answer in ("FileNotFoundError", "PermissionError", "IsADirectoryError", "OSError"), answer


@pytest.mark.parametrize(
    "zipped",
    [b"", b"PK\x05\x06" + b"\0" * 18, b"PK\x03\x04" + b"\xff" * 200, b"\x1f\x8b" + b"\0" * 100, zip_of({"f": "x"})[:-10]],
    ids=["nothing", "empty zip", "garbage after the signature", "gzip", "cut short"],
)
def test_what_is_no_package_is_refused(server, zipped):
    assert refused_package(server, zipped)[0] in ("InvalidParameterValueException", "ValidationException")


def test_a_zip_beyond_fifty_megabytes_is_refused(server):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as package:
        package.writestr("lambda_function.py", "x = 1")
        package.writestr("data", b"\0" * (51 * MIB))
    code, message = refused_package(server, buffer.getvalue())
    assert code == "RequestEntityTooLargeException" and "smaller than" in message


def test_a_link_that_was_not_made_here_downloads_nothing(server):
    name = server.python("def handler(event, context): pass")
    location = server.client("lambda").get_function(FunctionName=name)["Code"]["Location"]
    parts = urllib.parse.urlsplit(location)
    path, query = parts.path, parts.query
    assert ask(server, "GET", f"{path}?{query}")[0] == 200
    changed = query[:-1] + ("0" if query[-1] != "0" else "1")
    assert ask(server, "GET", f"{path}?{changed}")[0] == 403
    assert ask(server, "GET", path)[0] == 403
    other = path[:-1] + ("0" if path[-1] != "0" else "1")
    assert ask(server, "GET", f"{other}?{query}")[0] == 403


def test_many_bad_signatures_and_base64_are_harmless(server):
    for value in ("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=", "Bearer x", base64.b64encode(b"\xff" * 500).decode(), "AWS4-HMAC-SHA256 " + "Credential=a/b/c/d/e," * 500):
        status, _, _ = ask(server, "GET", "/2015-03-31/functions/", headers=[("Authorization", value)])
        assert status is not None and status < 500
