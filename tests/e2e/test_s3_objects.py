"""Objects: what is said of them is told again, parts of them can be had, and a reader's and a writer's conditions hold."""

import base64
import datetime
import hashlib
import os
import re
import socket
import urllib.error
import urllib.request
import zlib

import pytest
from botocore.exceptions import ClientError

DATA = bytes(range(256)) * 100


@pytest.fixture(scope="module")
def s3(server):
    return server.client("s3")


@pytest.fixture(scope="module")
def bucket(s3):
    name = f"objects-{os.urandom(4).hex()}"
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="data", Body=DATA)
    return name


def refusal(call, **asked):
    with pytest.raises(ClientError) as refused:
        call(**asked)
    return refused.value.response["ResponseMetadata"]["HTTPStatusCode"], refused.value.response["Error"]["Code"]


def test_what_is_said_is_told_again(s3, bucket):
    said = {
        "ContentType": "text/html; charset=x",
        "CacheControl": "max-age=1",
        "ContentDisposition": 'attachment; filename="a b"',
        "ContentEncoding": "gzip",
        "ContentLanguage": "de",
        "Expires": datetime.datetime(2030, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc),
        "WebsiteRedirectLocation": "/elsewhere",
        "StorageClass": "STANDARD_IA",
        "Metadata": {"one": "1", "two": "zwei Worte"},
    }
    s3.put_object(Bucket=bucket, Key="said", Body=b"x", **said)
    for call in (s3.head_object, s3.get_object):
        told = call(Bucket=bucket, Key="said")
        assert {name: told[name] for name in said} == said
        assert (told["AcceptRanges"], told["ServerSideEncryption"], told["ContentLength"]) == ("bytes", "AES256", 1)
    s3.put_object(Bucket=bucket, Key="plain", Body=b"")
    plain = s3.head_object(Bucket=bucket, Key="plain")
    assert plain["ContentType"] == "binary/octet-stream" and plain["Metadata"] == {} and "StorageClass" not in plain


def test_a_reader_can_ask_for_other_headers(s3, bucket):
    got = s3.get_object(Bucket=bucket, Key="data", ResponseContentType="a/b", ResponseContentDisposition="inline")
    assert (got["ContentType"], got["ContentDisposition"]) == ("a/b", "inline")


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("bytes=0-0", 0, 0), ("bytes=10-99999", 10, len(DATA) - 1), ("bytes=100-", 100, len(DATA) - 1), ("bytes=-5", len(DATA) - 5, len(DATA) - 1)],
)
def test_a_range_is_a_part_of_the_bytes(s3, bucket, asked, first, last):
    got = s3.get_object(Bucket=bucket, Key="data", Range=asked)
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert got["ContentRange"] == f"bytes {first}-{last}/{len(DATA)}"
    assert got["Body"].read() == DATA[first : last + 1] and got["ContentLength"] == last + 1 - first


def test_ranges_that_are_none(s3, bucket):
    assert refusal(s3.get_object, Bucket=bucket, Key="data", Range=f"bytes={len(DATA)}-") == (416, "InvalidRange")
    for asked in ("bytes=5-1,7-9", "lines=1-2", "bytes=a-b"):
        got = s3.get_object(Bucket=bucket, Key="data", Range=asked)
        assert got["ResponseMetadata"]["HTTPStatusCode"] == 200 and got["ContentLength"] == len(DATA)


def test_conditions_of_readers(s3, bucket):
    head = s3.head_object(Bucket=bucket, Key="data")
    etag, modified = head["ETag"], head["LastModified"]
    before, after = modified - datetime.timedelta(hours=1), modified + datetime.timedelta(hours=1)
    ask = {"Bucket": bucket, "Key": "data"}
    for fine in ({"IfMatch": etag}, {"IfNoneMatch": '"x"'}, {"IfModifiedSince": before}, {"IfUnmodifiedSince": after}, {"IfMatch": etag, "IfUnmodifiedSince": before}):
        assert s3.get_object(**ask, **fine)["ContentLength"] == len(DATA), fine
    for unmet in ({"IfMatch": '"x"'}, {"IfUnmodifiedSince": before}):
        assert refusal(s3.get_object, **ask, **unmet) == (412, "PreconditionFailed"), unmet
    for same in ({"IfNoneMatch": etag}, {"IfModifiedSince": after}, {"IfNoneMatch": etag, "IfModifiedSince": before}):
        assert refusal(s3.get_object, **ask, **same)[0] == 304, same
        assert refusal(s3.head_object, **ask, **same)[0] == 304, same


def test_conditions_of_writers(s3, bucket):
    ask = {"Bucket": bucket, "Key": f"once-{os.urandom(4).hex()}", "Body": b"x"}
    assert refusal(s3.put_object, **ask, IfMatch='"x"') == (404, "NoSuchKey")
    etag = s3.put_object(**ask, IfNoneMatch="*")["ETag"]
    assert refusal(s3.put_object, **ask, IfNoneMatch="*") == (412, "PreconditionFailed")
    assert refusal(s3.put_object, **ask, IfMatch='"x"') == (412, "PreconditionFailed")
    s3.put_object(**ask, IfMatch=etag)
    del ask["Body"]
    assert refusal(s3.delete_object, **ask, IfMatch='"x"') == (412, "PreconditionFailed")
    s3.delete_object(**ask, IfMatch=etag)


class Put:
    """A PUT of 100 bytes of which the first half has been sent and nothing is known: its head has been answered with a
    100, so its condition has been looked at."""

    def __init__(self, server, bucket, key, **headers):
        self.connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
        lines = [f"PUT /{bucket}/{key} HTTP/1.1", "Host: localhost", "Content-Length: 100", "Expect: 100-continue"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()] + ["Connection: close", "", ""]
        self.connection.sendall("\r\n".join(lines).encode())
        assert self.connection.recv(1024).startswith(b"HTTP/1.1 100 ")
        self.connection.sendall(b"x" * 50)

    def end(self):
        self.connection.sendall(b"y" * 50)
        with self.connection:
            answer = b"".join(iter(lambda: self.connection.recv(65536), b"")).decode()
        code = re.search("<Code>(.*)</Code>", answer)
        return int(answer.split()[1]), code and code[1]


def test_a_condition_is_about_the_whole_time_of_a_write(server, s3, bucket):
    at = {"Bucket": bucket, "Key": f"raced-{os.urandom(4).hex()}"}

    def begin(**headers):
        return Put(server, **{name.lower(): value for name, value in at.items()}, **headers)

    # Who ends first has it.
    first, second = begin(If_None_Match="*"), begin(If_None_Match="*")
    assert (second.end(), first.end()) == ((200, None), (412, "PreconditionFailed"))
    etag = s3.head_object(**at)["ETag"]
    first, second = begin(If_Match=etag), begin(If_Match=etag)
    s3.put_object(**at, Body=b"another")
    assert (first.end(), second.end()) == ((412, "PreconditionFailed"),) * 2
    # What was deleted meanwhile is to be tried again.
    etag = s3.head_object(**at)["ETag"]
    gone, back = begin(If_Match=etag), begin(If_Match=etag)
    s3.delete_object(**at)
    assert gone.end() == (404, "NoSuchKey")
    s3.put_object(**at, Body=b"another")
    assert back.end() == (409, "ConditionalRequestConflict")
    s3.delete_object(**at)
    new = begin(If_None_Match="*")
    s3.put_object(**at, Body=b"there for a moment")
    s3.delete_object(**at)
    assert new.end() == (409, "ConditionalRequestConflict")
    assert begin(If_None_Match="*").end() == (200, None)


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_checksums_are_checked_and_kept(s3, bucket, algorithm):
    key = f"sum-{algorithm}"
    put = s3.put_object(Bucket=bucket, Key=key, Body=b"hello", ChecksumAlgorithm=algorithm)
    name = f"Checksum{algorithm}"
    right = {
        "CRC32": base64.b64encode(zlib.crc32(b"hello").to_bytes(4, "big")).decode(),
        "SHA1": base64.b64encode(hashlib.sha1(b"hello").digest()).decode(),
        "SHA256": base64.b64encode(hashlib.sha256(b"hello").digest()).decode(),
    }[algorithm]
    assert put[name] == right and put["ChecksumType"] == "FULL_OBJECT"
    got = s3.get_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    assert got[name] == right and got["ChecksumType"] == "FULL_OBJECT" and got["Body"].read() == b"hello"
    wrong = base64.b64encode(bytes(len(base64.b64decode(right)))).decode()
    assert refusal(s3.put_object, Bucket=bucket, Key="never", Body=b"hello", **{name: wrong}) == (400, "BadDigest")
    assert refusal(s3.put_object, Bucket=bucket, Key="never", Body=b"hello", **{name: "short"}) == (400, "InvalidRequest")
    assert refusal(s3.head_object, Bucket=bucket, Key="never")[0] == 404


def test_md5s_are_checked(server, s3, bucket):
    right = base64.b64encode(hashlib.md5(b"hello").digest()).decode()
    s3.put_object(Bucket=bucket, Key="md5", Body=b"hello", ContentMD5=right)
    wrong = base64.b64encode(bytes(16)).decode()
    assert refusal(s3.put_object, Bucket=bucket, Key="never", Body=b"hello", ContentMD5=wrong) == (400, "BadDigest")
    assert refusal(s3.put_object, Bucket=bucket, Key="never", Body=b"hello", ContentMD5="x") == (400, "InvalidDigest")


def test_who_says_no_checksum_gets_s3s_own(server, s3, bucket):
    urllib.request.urlopen(urllib.request.Request(f"{server.endpoint}/{bucket}/unsaid", data=b"123456789", method="PUT"))
    got = s3.head_object(Bucket=bucket, Key="unsaid", ChecksumMode="ENABLED")
    # The check value of CRC-64/NVME.
    assert got["ChecksumCRC64NVME"] == base64.b64encode(bytes.fromhex("ae8b14860a799888")).decode()


def test_a_clients_key_must_be_shown_again(s3, bucket):
    key = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": b"k" * 32}
    other = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": b"o" * 32}
    put = s3.put_object(Bucket=bucket, Key="secret", Body=b"x", **key)
    assert put["SSECustomerAlgorithm"] == "AES256" and "ServerSideEncryption" not in put
    assert s3.get_object(Bucket=bucket, Key="secret", **key)["Body"].read() == b"x"
    assert refusal(s3.get_object, Bucket=bucket, Key="secret") == (400, "InvalidRequest")
    assert refusal(s3.get_object, Bucket=bucket, Key="secret", **other) == (403, "AccessDenied")
    kms = s3.put_object(Bucket=bucket, Key="kms", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId="alias/x")
    alias = "arn:aws:kms:us-east-1:000000000000:alias/x"
    assert (kms["ServerSideEncryption"], kms["SSEKMSKeyId"]) == ("aws:kms", alias)


def test_tags_are_set_with_and_without_the_object(s3, bucket):
    s3.put_object(Bucket=bucket, Key="tagged", Body=b"x", Tagging="a=1&b=c+d")
    tags = lambda: {tag["Key"]: tag["Value"] for tag in s3.get_object_tagging(Bucket=bucket, Key="tagged")["TagSet"]}
    assert tags() == {"a": "1", "b": "c d"}
    assert s3.get_object(Bucket=bucket, Key="tagged")["TagCount"] == 2
    s3.put_object_tagging(Bucket=bucket, Key="tagged", Tagging={"TagSet": [{"Key": "n", "Value": "m"}]})
    assert tags() == {"n": "m"}
    s3.delete_object_tagging(Bucket=bucket, Key="tagged")
    assert tags() == {}
    twice = {"TagSet": [{"Key": "n", "Value": "1"}, {"Key": "n", "Value": "2"}]}
    assert refusal(s3.put_object_tagging, Bucket=bucket, Key="tagged", Tagging=twice) == (400, "InvalidTag")
    many = {"TagSet": [{"Key": f"k{n}", "Value": "v"} for n in range(11)]}
    assert refusal(s3.put_object_tagging, Bucket=bucket, Key="tagged", Tagging=many) == (400, "BadRequest")
    assert refusal(s3.get_object_tagging, Bucket=bucket, Key="none") == (404, "NoSuchKey")


def test_many_are_deleted_at_once(s3, bucket):
    keys = [f"many/{n}" for n in range(250)]
    for key in keys[:20]:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    done = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys]})
    assert [one["Key"] for one in done["Deleted"]] == keys and "Errors" not in done
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket, Prefix="many/")
    quiet = s3.delete_objects(Bucket=bucket, Delete={"Quiet": True, "Objects": [{"Key": "x"}, {"Key": "k" * 1025}]})
    assert "Deleted" not in quiet and [one["Code"] for one in quiet["Errors"]] == ["KeyTooLongError"]
    too_many = {"Objects": [{"Key": str(n)} for n in range(1001)]}
    assert refusal(s3.delete_objects, Bucket=bucket, Delete=too_many) == (400, "MalformedXML")


def test_attributes_are_told(s3, bucket):
    told = s3.get_object_attributes(Bucket=bucket, Key="data", ObjectAttributes=["ETag", "ObjectSize", "StorageClass", "Checksum"])
    assert (told["ObjectSize"], told["StorageClass"], told["ETag"]) == (len(DATA), "STANDARD", hashlib.md5(DATA).hexdigest())
    assert told["Checksum"]["ChecksumType"] == "FULL_OBJECT"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"ACL": "public-read"}, (400, "AccessControlListNotSupported")),
        ({"StorageClass": "GLACIER"}, (501, "NotImplemented")),
        ({"Metadata": {"m": "x" * 2048}}, (400, "MetadataTooLarge")),
        ({"Key": "k" * 1025}, (400, "KeyTooLongError")),
        ({"Tagging": "a=1&a=2"}, (400, "InvalidArgument")),
        ({"WebsiteRedirectLocation": "nowhere"}, (400, "InvalidRedirectLocation")),
        ({"ServerSideEncryption": "rot13"}, (400, "InvalidArgument")),
    ],
)
def test_what_no_object_can_be(s3, bucket, asked, expected):
    assert refusal(s3.put_object, **{"Bucket": bucket, "Key": "never", "Body": b"x", **asked}) == expected


def test_a_client_that_breaks_off_leaves_nothing(server, s3, bucket):
    import socket

    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(f"PUT /{bucket}/torn HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n".encode() + b"x" * 100_000)
    assert refusal(s3.head_object, Bucket=bucket, Key="torn")[0] == 404


def test_a_document_is_checked_against_its_digests(server, s3, bucket):
    tags = b"<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"
    other = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    url = f"{server.endpoint}/{bucket}/data?tagging"

    def put(**headers):
        request = urllib.request.Request(url, tags, {k.replace("_", "-"): v for k, v in headers.items()}, method="PUT")
        try:
            return urllib.request.urlopen(request, timeout=30).status
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode().split("<Code>")[1].split("</Code>")[0]

    assert put(Content_MD5=other) == (400, "BadDigest")
    assert put(Content_MD5="x") == (400, "InvalidDigest")
    assert put(x_amz_checksum_crc32="AAAAAA==") == (400, "BadDigest")
    assert put(x_amz_content_sha256=hashlib.sha256(b"other").hexdigest()) == (400, "XAmzContentSHA256Mismatch")
    assert s3.get_object_tagging(Bucket=bucket, Key="data")["TagSet"] == []
    assert put(Content_MD5=base64.b64encode(hashlib.md5(tags).digest()).decode()) == 200
    assert s3.get_object_tagging(Bucket=bucket, Key="data")["TagSet"] == [{"Key": "a", "Value": "b"}]
    s3.delete_object_tagging(Bucket=bucket, Key="data")
