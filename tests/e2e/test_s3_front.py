"""How S3 is spoken to: signed in each way, or not at all; by path and by host; and how it refuses."""

import hashlib
import io
import os
import socket
import urllib.error
import urllib.request

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def bucket(server):
    s3 = server.client("s3")
    name = f"front-{os.urandom(4).hex()}"
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="a b+c/ü", Body=b"hello")
    yield name
    s3.delete_object(Bucket=name, Key="a b+c/ü")
    s3.delete_bucket(Bucket=name)


def http(url, method="GET", body=None, headers={}):
    request = urllib.request.Request(url, data=body, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


@pytest.mark.parametrize("size", [0, 1, 16 * 1024, 16 * 1024 + 1, 3_000_000])
@pytest.mark.parametrize("signed", ["unsigned trailer", "digest"])
def test_bytes_come_back_as_they_went(server, bucket, size, signed):
    checksums = "when_supported" if signed == "unsigned trailer" else "when_required"
    s3 = server.client("s3", request_checksum_calculation=checksums)
    data = os.urandom(size)
    body = io.BytesIO(data) if signed == "unsigned trailer" else data
    answer = s3.put_object(Bucket=bucket, Key="k", Body=body)
    assert answer["ETag"] == f'"{hashlib.md5(data).hexdigest()}"'
    got = s3.get_object(Bucket=bucket, Key="k")
    assert (got["ContentLength"], got["Body"].read()) == (size, data)
    s3.delete_object(Bucket=bucket, Key="k")


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_a_presigned_url_is_all_that_a_reader_needs(server, bucket, version):
    s3 = server.client("s3", signature_version=version)
    url = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "a b+c/ü"})
    assert http(url)[::2] == (200, b"hello")
    url = s3.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "put"})
    assert http(url, "PUT", b"by url")[0] == 200
    assert s3.get_object(Bucket=bucket, Key="put")["Body"].read() == b"by url"
    s3.delete_object(Bucket=bucket, Key="put")


@pytest.mark.parametrize(
    "seconds, said", [(604_801, "must be less than a week (in seconds)"), (-1, "must be non-negative")]
)
def test_a_presigned_url_that_s3_would_never_honour_is_refused_here_too(server, bucket, seconds, said):
    s3 = server.client("s3", signature_version="s3v4")
    url = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "a b+c/ü"}, ExpiresIn=seconds)
    status, _, body = http(url)
    assert status == 400 and b"<Code>AuthorizationQueryParametersError</Code>" in body and said.encode() in body, body


def test_a_bucket_can_stand_in_the_host(server, bucket):
    for host in (f"{bucket}.localhost", f"{bucket}.s3.localhost", f"{bucket}.s3.us-east-1.localhost"):
        assert http(f"{server.endpoint}/a%20b%2Bc/%C3%BC", headers={"Host": host})[::2] == (200, b"hello"), host
    assert http(f"{server.endpoint}/{bucket}/a%20b%2Bc/%C3%BC", headers={"Host": "s3.localhost"})[0] == 200


def test_a_refusal_says_what_it_is_about(server, bucket):
    status, headers, body = http(f"{server.endpoint}/{bucket}/not-there")
    assert status == 404 and headers["Content-Type"] == "application/xml"
    text = body.decode()
    for element in (
        "<Code>NoSuchKey</Code>",
        "<Message>The specified key does not exist.</Message>",
        "<Key>not-there</Key>",
        f"<Resource>/{bucket}/not-there</Resource>",
        f"<RequestId>{headers['x-amz-request-id']}</RequestId>",
        f"<HostId>{headers['x-amz-id-2']}</HostId>",
    ):
        assert element in text, text
    # What is refused before its operation is known has words, too.
    for refused, code, said in (
        (http(f"{server.endpoint}/{bucket}/{'k' * 1025}", "PUT", b"x"), "KeyTooLongError", "Your key is too long"),
        (http(f"{server.endpoint}/xn--bucket"), "InvalidBucketName", "The specified bucket is not valid."),
        (http(f"{server.endpoint}/{bucket}?lifecycle", "PUT", b"<x/>"), "MalformedXML", "The XML you provided was"),
    ):
        assert f"<Code>{code}</Code><Message>{said}" in refused[2].decode(), refused
    with pytest.raises(ClientError) as refused:
        server.client("s3").get_object(Bucket="no-such-bucket-here", Key="k")
    assert refused.value.response["Error"]["BucketName"] == "no-such-bucket-here"
    with pytest.raises(ClientError) as refused:
        server.client("s3").select_object_content(
            Bucket=bucket, Key="k", Expression="x", ExpressionType="SQL", InputSerialization={}, OutputSerialization={}
        )
    assert refused.value.response["Error"]["Code"] == "NotImplemented"


def raw(server, head, body=b""):
    """An answer to what no client would send."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall("\r\n".join([*head, "Host: localhost", "Connection: close", "", ""]).encode() + body)
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


def test_a_put_says_how_long_it_is(server, bucket):
    for path in (f"/{bucket}/unsaid", f"/{bucket}/unsaid?tagging", f"/{bucket}?cors", f"/{bucket}-2"):
        answer = raw(server, [f"PUT {path} HTTP/1.1"])
        assert answer.startswith("HTTP/1.1 411 "), answer
        assert "<Code>MissingContentLength</Code>" in answer
        assert "<Message>You must provide the Content-Length HTTP header.</Message>" in answer
    chunked = raw(server, [f"PUT /{bucket}/unsaid HTTP/1.1", "Transfer-Encoding: chunked"], b"1\r\nx\r\n0\r\n\r\n")
    assert chunked.startswith("HTTP/1.1 501 ") and "<Header>Transfer-Encoding</Header>" in chunked
    assert http(f"{server.endpoint}/{bucket}/unsaid")[0] == 404
    assert raw(server, [f"PUT /{bucket}/said HTTP/1.1", "Content-Length: 0"]).startswith("HTTP/1.1 200 ")
    server.client("s3").delete_object(Bucket=bucket, Key="said")


def test_a_client_that_waits_with_nothing_to_send_is_told_that_the_connection_ends(server, bucket):
    """botocore announces empty files, too, and mistakes what follows an answer that did not tell it to go on."""
    head = [f"PUT /{bucket}/empty HTTP/1.1", "Host: localhost", "Content-Length: 0", "Expect: 100-continue", "", ""]
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall("\r\n".join(head).encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    assert answer.startswith("HTTP/1.1 200 OK") and "\r\nconnection: close\r\n" in answer, answer
    s3 = server.client("s3")
    for key in ("empty", "full", "empty", "full"):
        s3.put_object(Bucket=bucket, Key=key, Body=io.BytesIO(b"" if key == "empty" else b"x"))
    for key in ("empty", "full"):
        s3.delete_object(Bucket=bucket, Key=key)


def test_a_digest_that_is_wrong_stores_nothing(server, bucket):
    headers = {"x-amz-content-sha256": hashlib.sha256(b"other").hexdigest()}
    status, _, body = http(f"{server.endpoint}/{bucket}/torn", "PUT", b"these", headers)
    assert status == 400 and b"<Code>XAmzContentSHA256Mismatch</Code>" in body
    assert http(f"{server.endpoint}/{bucket}/torn")[0] == 404
