"""S3 under --auth: every way in which clients sign, each with the right secret and with a wrong one."""

import base64
import hashlib
import hmac
import http.client
import os
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime, timezone

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from conftest import Server

KEY = "a b+c/ü~(1)!*'"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    directory = tmp_path_factory.mktemp("guarded")
    server = Server("--auth", data_dir=directory)
    text = (directory / "credentials").read_text()
    server.key, server.secret = (line.split(" = ")[1] for line in text.splitlines() if " = " in line)
    s3 = server.client("s3", key=server.key, secret=server.secret)
    s3.create_bucket(Bucket="signed")
    s3.put_object(Bucket="signed", Key=KEY, Body=b"hello")
    yield server
    server.kill()


def client(server, secret=None, **config):
    return server.client("s3", key=server.key, secret=secret or server.secret, **config)


def ask(url, method="GET", body=None, headers={}):
    request = urllib.request.Request(url, data=body, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_a_header_is_proven(guarded, version):
    s3 = client(guarded, signature_version=version)
    assert s3.get_object(Bucket="signed", Key=KEY)["Body"].read() == b"hello"
    s3.put_object(Bucket="signed", Key="x", Body=b"x", Metadata={"a": " two  words"}, ContentType="a/b")
    assert [found["Key"] for found in s3.list_objects_v2(Bucket="signed", Prefix="x", Delimiter="/")["Contents"]] == ["x"]
    assert "signed" in [found["Name"] for found in s3.list_buckets()["Buckets"]]
    with pytest.raises(ClientError) as refused:
        client(guarded, guarded.secret + "x", signature_version=version).get_object(Bucket="signed", Key=KEY)
    error = refused.value.response
    assert (error["Error"]["Code"], error["ResponseMetadata"]["HTTPStatusCode"]) == ("SignatureDoesNotMatch", 403)
    assert error["Error"]["StringToSign"] and len(error["ResponseMetadata"]["RequestId"]) == 16
    with pytest.raises(ClientError) as refused:
        guarded.client("s3", signature_version=version).get_object(Bucket="signed", Key=KEY)
    assert refused.value.response["Error"]["Code"] == "InvalidAccessKeyId"


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_a_presigned_url_is_proven(guarded, version):
    s3 = client(guarded, signature_version=version)
    asked = {"Bucket": "signed", "Key": KEY, "ResponseContentType": "text/plain"}
    url = s3.generate_presigned_url("get_object", asked)
    assert ask(url) == (200, "hello")
    for status, code, changed in [
        (403, "SignatureDoesNotMatch", url.replace("/signed/", "/other/")),
        (403, "SignatureDoesNotMatch", url.replace("text%2Fplain", "text%2Fhtml")),
        (403, "InvalidAccessKeyId", url.replace(guarded.key, "AKIAUNKNOWN")),
    ]:
        answer = ask(changed)
        assert answer[0] == status and f"<Code>{code}</Code>" in answer[1], answer
    answer = ask(url, "DELETE")
    assert answer[0] == 403 and "<Code>SignatureDoesNotMatch</Code>" in answer[1]
    forged = client(guarded, "x", signature_version=version).generate_presigned_url("get_object", asked)
    assert ask(forged)[0] == 403
    late = s3.generate_presigned_url("get_object", asked, ExpiresIn=-1)
    assert ask(late)[0] in (400, 403)
    put = s3.generate_presigned_url("put_object", {"Bucket": "signed", "Key": "put", "ContentType": "a/b"})
    assert ask(put, "PUT", b"by url", {"Content-Type": "a/b"})[0] == 200
    assert ask(put, "PUT", b"by url", {"Content-Type": "c/d"})[0] == 403
    assert s3.get_object(Bucket="signed", Key="put")["Body"].read() == b"by url"


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_a_session_is_proven_with_its_token(guarded, version):
    sts = guarded.client("sts", key=guarded.key, secret=guarded.secret)
    guarded.client("iam", key=guarded.key, secret=guarded.secret).create_user(UserName=f"u-{version}")
    session = sts.get_session_token()["Credentials"]
    keys = {"key": session["AccessKeyId"], "secret": session["SecretAccessKey"]}
    s3 = guarded.client("s3", token=session["SessionToken"], signature_version=version, **keys)
    assert s3.get_object(Bucket="signed", Key=KEY)["Body"].read() == b"hello"
    assert ask(s3.generate_presigned_url("get_object", {"Bucket": "signed", "Key": KEY})) == (200, "hello")
    with pytest.raises(ClientError) as refused:
        guarded.client("s3", token="forged", signature_version=version, **keys).get_object(Bucket="signed", Key=KEY)
    assert refused.value.response["Error"]["Code"] == "InvalidToken"


def test_the_cli_presigns(guarded):
    environment = guarded.cli_environment(AWS_ACCESS_KEY_ID=guarded.key, AWS_SECRET_ACCESS_KEY=guarded.secret)
    program = os.environ.get("HEARTH_TEST_AWS_PYPI") or shutil.which("aws")
    command = [program, "s3", "presign", f"s3://signed/{KEY}"]
    url = subprocess.check_output(command, env=environment, text=True, timeout=60).strip()
    assert ask(url) == (200, "hello")


class Chunks:
    """A request in signed chunks, made as AWS documents it and not as Hearth checks it."""

    def __init__(self, server, secret, data, trailer=None):
        self.server, self.trailer = server, trailer
        now = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        day = now[:8]
        self.stamp = f"{now}\n{day}/us-east-1/s3/aws4_request"
        key = b"AWS4" + secret.encode()
        for part in (day, "us-east-1", "s3", "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        self.key = key
        kind = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" + ("-TRAILER" if trailer else "")
        self.headers = {
            "host": server.endpoint.removeprefix("http://"),
            "x-amz-content-sha256": kind,
            "x-amz-date": now,
            "x-amz-decoded-content-length": str(len(data)),
        }
        if trailer:
            self.headers["x-amz-trailer"] = trailer.split(":")[0]
        names = ";".join(sorted(self.headers))
        lines = "".join(f"{name}:{self.headers[name]}\n" for name in sorted(self.headers))
        canonical = f"PUT\n/signed/chunks\n\n{lines}\n{names}\n{kind}"
        self.previous = self.sign(f"AWS4-HMAC-SHA256\n{self.stamp}\n{hashlib.sha256(canonical.encode()).hexdigest()}")
        scope = self.stamp.split("\n")[1]
        self.headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={server.key}/{scope}, SignedHeaders={names}, Signature={self.previous}"
        )
        chunks = [data[at : at + 65536] for at in range(0, len(data), 65536)] + [b""]
        self.body = b"".join(self.chunk(chunk) for chunk in chunks)
        if trailer:
            digest = hashlib.sha256(f"{trailer}\n".encode()).hexdigest()
            signature = self.sign(f"AWS4-HMAC-SHA256-TRAILER\n{self.stamp}\n{self.previous}\n{digest}")
            self.body += f"{trailer}\r\nx-amz-trailer-signature:{signature}\r\n".encode()
        self.body += b"\r\n"

    def sign(self, text):
        return hmac.new(self.key, text.encode(), hashlib.sha256).hexdigest()

    def chunk(self, data):
        empty, digest = hashlib.sha256().hexdigest(), hashlib.sha256(data).hexdigest()
        self.previous = self.sign(f"AWS4-HMAC-SHA256-PAYLOAD\n{self.stamp}\n{self.previous}\n{empty}\n{digest}")
        return f"{len(data):x};chunk-signature={self.previous}\r\n".encode() + data + (b"\r\n" if data else b"")

    def send(self):
        connection = http.client.HTTPConnection(self.headers["host"], timeout=30)
        connection.request("PUT", "/signed/chunks", self.body, self.headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


@pytest.mark.parametrize("trailer", [None, "x-amz-checksum-sha256:"])
def test_signed_chunks_are_proven_one_by_one(guarded, trailer):
    data = os.urandom(200_000)
    s3 = client(guarded)
    s3.delete_object(Bucket="signed", Key="chunks")
    if trailer:
        trailer += base64.b64encode(hashlib.sha256(data).digest()).decode()
    forged = Chunks(guarded, guarded.secret, data, trailer)
    at = forged.body.rindex(data[-1000:])
    forged.body = forged.body[:at] + bytes([forged.body[at] ^ 1]) + forged.body[at + 1 :]
    status, body = forged.send()
    assert status == 403 and "<Code>SignatureDoesNotMatch</Code>" in body, body
    cut = Chunks(guarded, guarded.secret, data, trailer)
    cut.body = cut.body[:-100]
    status, body = cut.send()
    assert status == 400 and "<Code>IncompleteBody</Code>" in body, body
    status, body = Chunks(guarded, "another", data, trailer).send()
    assert status == 403 and "<Code>SignatureDoesNotMatch</Code>" in body, body
    with pytest.raises(ClientError) as missing:
        s3.head_object(Bucket="signed", Key="chunks")
    assert missing.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    status, body = Chunks(guarded, guarded.secret, data, trailer).send()
    assert status == 200, body
    assert s3.get_object(Bucket="signed", Key="chunks")["Body"].read() == data


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_a_bucket_in_the_host_is_part_of_what_is_signed(guarded, version):
    port = int(guarded.endpoint.rsplit(":", 1)[1])
    s3 = boto3.client(
        "s3",
        endpoint_url=f"http://localhost:{port}",
        region_name="us-east-1",
        aws_access_key_id=guarded.key,
        aws_secret_access_key=guarded.secret,
        config=Config(signature_version=version, s3={"addressing_style": "virtual"}),
    )
    url = urllib.parse.urlsplit(s3.generate_presigned_url("get_object", {"Bucket": "signed", "Key": KEY}))
    assert url.hostname == "signed.localhost"
    for host, status in [(url.netloc, 200), (f"other.localhost:{port}", 403), (f"localhost:{port}", 403)]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", f"{url.path}?{url.query}", headers={"Host": host})
        answer = connection.getresponse()
        assert (answer.status, b"hello" in answer.read()) == (status, status == 200), host
