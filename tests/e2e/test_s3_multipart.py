"""Objects uploaded in parts, by hand and by the transfer managers that people use."""

import hashlib
import io
import os

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

MIB = 1024 * 1024
LEAST = 5 * MIB


@pytest.fixture(scope="module")
def s3(server):
    return server.client("s3")


@pytest.fixture(scope="module")
def bucket(s3):
    name = f"parts-{os.urandom(4).hex()}"
    s3.create_bucket(Bucket=name)
    return name


def refusal(call, **asked):
    with pytest.raises(ClientError) as refused:
        call(**asked)
    return refused.value.response["Error"]["Code"]


class Upload:
    def __init__(self, s3, bucket, key, **more):
        self.s3, self.at = s3, {"Bucket": bucket, "Key": key}
        self.created = s3.create_multipart_upload(**self.at, **more)
        self.at["UploadId"] = self.created["UploadId"]
        self.parts = {}

    def put(self, number, data, **more):
        answer = self.s3.upload_part(**self.at, PartNumber=number, Body=data, **more)
        self.parts[number] = {"PartNumber": number, "ETag": answer["ETag"]}
        self.parts[number].update({name: value for name, value in answer.items() if name.startswith("Checksum")})
        return answer

    def complete(self, parts=None, **more):
        parts = [self.parts[number] for number in sorted(self.parts)] if parts is None else parts
        return self.s3.complete_multipart_upload(**self.at, MultipartUpload={"Parts": parts}, **more)


def test_parts_become_one_object(s3, bucket):
    data = [os.urandom(LEAST), os.urandom(LEAST + 1), b"the end"]
    upload = Upload(s3, bucket, "whole", ContentType="text/x", Metadata={"a": "b"}, Tagging="t=1&u=a+b")
    for number in (3, 1, 7):
        upload.put(number, data[{1: 0, 3: 1, 7: 2}[number]])
    listed = s3.list_parts(**upload.at)
    assert [(part["PartNumber"], part["Size"]) for part in listed["Parts"]] == [(1, LEAST), (3, LEAST + 1), (7, 7)]
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket, Prefix="whole")
    done = upload.complete()
    digests = b"".join(hashlib.md5(part).digest() for part in data)
    assert done["ETag"] == f'"{hashlib.md5(digests).hexdigest()}-3"'
    assert done["Location"].endswith(f"/{bucket}/whole")
    got = s3.get_object(Bucket=bucket, Key="whole")
    assert got["Body"].read() == b"".join(data)
    assert (got["ContentType"], got["Metadata"], got["ETag"]) == ("text/x", {"a": "b"}, done["ETag"])
    assert refusal(s3.list_parts, **upload.at) == "NoSuchUpload"


def test_a_part_can_be_sent_again_and_others_are_left_out(s3, bucket):
    upload = Upload(s3, bucket, "again")
    upload.put(1, b"a" * LEAST)
    first = dict(upload.parts[1])
    upload.put(1, b"b" * LEAST)
    upload.put(2, b"not wanted")
    upload.put(3, b"end")
    assert refusal(upload.complete, parts=[first, upload.parts[3]]) == "InvalidPart"
    upload.complete(parts=[upload.parts[1], upload.parts[3]])
    assert s3.get_object(Bucket=bucket, Key="again")["Body"].read() == b"b" * LEAST + b"end"


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [("CRC32", "COMPOSITE"), ("CRC32", "FULL_OBJECT"), ("CRC32C", "FULL_OBJECT"), ("CRC64NVME", "FULL_OBJECT"), ("SHA1", "COMPOSITE"), ("SHA256", "COMPOSITE")],
)
def test_checksums_of_the_whole_are_kept(s3, bucket, algorithm, kind):
    key = f"sum-{algorithm}-{kind}"
    upload = Upload(s3, bucket, key, ChecksumAlgorithm=algorithm, ChecksumType=kind)
    assert (upload.created["ChecksumAlgorithm"], upload.created["ChecksumType"]) == (algorithm, kind)
    data = [b"x" * LEAST, b"tail"]
    for number, part in enumerate(data, 1):
        # The CRCs that need a library of AWS's own, the server computes.
        asked = {"ChecksumAlgorithm": algorithm} if algorithm in ("CRC32", "SHA1", "SHA256") else {}
        if asked:
            upload.put(number, part, **asked)
    if not upload.parts:
        s3.abort_multipart_upload(**upload.at)
        return
    done = upload.complete()
    value = done[f"Checksum{algorithm}"]
    assert done["ChecksumType"] == kind and value.endswith("-2") == (kind == "COMPOSITE")
    if (algorithm, kind) == ("CRC32", "FULL_OBJECT"):
        import base64
        import zlib

        assert value == base64.b64encode(zlib.crc32(b"".join(data)).to_bytes(4, "big")).decode()


def test_a_part_can_be_copied(s3, bucket):
    source = os.urandom(LEAST + 100)
    s3.put_object(Bucket=bucket, Key="source", Body=source)
    upload = Upload(s3, bucket, "copied")
    copied = s3.upload_part_copy(**upload.at, PartNumber=1, CopySource={"Bucket": bucket, "Key": "source"})
    ranged = s3.upload_part_copy(
        **upload.at, PartNumber=2, CopySource=f"{bucket}/source", CopySourceRange=f"bytes=10-{LEAST}"
    )
    parts = [{"PartNumber": n, "ETag": one["CopyPartResult"]["ETag"]} for n, one in ((1, copied), (2, ranged))]
    upload.complete(parts=parts)
    assert s3.get_object(Bucket=bucket, Key="copied")["Body"].read() == source + source[10 : LEAST + 1]
    asked = {**upload.at, "UploadId": Upload(s3, bucket, "copied").at["UploadId"], "PartNumber": 1}
    assert refusal(s3.upload_part_copy, **asked, CopySource=f"{bucket}/none") == "NoSuchKey"
    assert refusal(s3.upload_part_copy, **asked, CopySource=f"{bucket}/source", CopySourceRange="bytes=5-1") == "InvalidArgument"


def test_what_is_no_upload(s3, bucket):
    upload = Upload(s3, bucket, "bad")
    upload.put(1, b"small")
    upload.put(2, b"end")
    one, two = upload.parts[1], upload.parts[2]
    assert refusal(upload.complete, parts=[two, one]) == "InvalidPartOrder"
    assert refusal(upload.complete, parts=[one, two]) == "EntityTooSmall"
    assert refusal(upload.complete, parts=[]) == "MalformedXML"
    assert refusal(upload.complete, parts=[{"PartNumber": 9, "ETag": one["ETag"]}]) == "InvalidPart"
    assert refusal(upload.complete, parts=[two], MpuObjectSize=4) == "InvalidRequest"
    assert refusal(s3.upload_part, **upload.at, PartNumber=0, Body=b"x") == "InvalidArgument"
    assert refusal(s3.upload_part, **upload.at, PartNumber=10001, Body=b"x") == "InvalidArgument"
    nowhere = {**upload.at, "UploadId": "nonsense"}
    assert refusal(s3.upload_part, **nowhere, PartNumber=1, Body=b"x") == "NoSuchUpload"
    assert refusal(s3.abort_multipart_upload, **nowhere) == "NoSuchUpload"
    assert refusal(s3.create_multipart_upload, Bucket=bucket, Key="x", ChecksumAlgorithm="SHA256", ChecksumType="FULL_OBJECT") == "InvalidRequest"
    s3.abort_multipart_upload(**upload.at)
    assert refusal(s3.list_parts, **upload.at) == "NoSuchUpload"


def test_a_write_can_depend_on_what_is_there(s3, bucket):
    def upload():
        made = Upload(s3, bucket, "conditional")
        made.put(1, b"x")
        return made

    assert refusal(upload().complete, IfMatch='"abc"') == "NoSuchKey"
    etag = upload().complete(IfNoneMatch="*")["ETag"]
    assert refusal(upload().complete, IfNoneMatch="*") == "PreconditionFailed"
    assert refusal(upload().complete, IfMatch='"abc"') == "PreconditionFailed"
    upload().complete(IfMatch=etag)
    # What happened since an upload began counts, too.
    late = upload()
    again = s3.put_object(**{name: late.at[name] for name in ("Bucket", "Key")}, Body=b"changed meanwhile")["ETag"]
    assert refusal(late.complete, IfMatch=again) == "ConditionalRequestConflict"
    s3.delete_object(**{name: late.at[name] for name in ("Bucket", "Key")})
    assert refusal(late.complete, IfNoneMatch="*") == "ConditionalRequestConflict"
    late.complete()


def test_completing_again_answers_the_same(server, s3):
    bucket = f"again-{os.urandom(4).hex()}"
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    upload = Upload(s3, bucket, "k")
    upload.put(2, b"x")
    first = upload.complete()
    s3.put_object(Bucket=bucket, Key="k", Body=b"newer")
    again = upload.complete(IfNoneMatch="*")
    assert {name: again[name] for name in ("ETag", "VersionId", "Location")} == {
        name: first[name] for name in ("ETag", "VersionId", "Location")
    }
    assert len(s3.list_object_versions(Bucket=bucket)["Versions"]) == 2
    other = [{"PartNumber": 1, "ETag": upload.parts[2]["ETag"]}]
    assert refusal(upload.complete, parts=other) == "NoSuchUpload"
    s3.delete_object(Bucket=bucket, Key="k", VersionId=first["VersionId"])
    assert refusal(upload.complete) == "NoSuchUpload"


def test_a_checksum_of_checksums_needs_that_of_each_part(s3, bucket):
    def message(call, **asked):
        with pytest.raises(ClientError) as refused:
            call(**asked)
        assert refused.value.response["Error"]["Code"] == "InvalidRequest"
        return refused.value.response["Error"]["Message"]

    upload = Upload(s3, bucket, "composite", ChecksumAlgorithm="SHA256")
    upload.put(1, b"x", ChecksumAlgorithm="SHA256")
    without = [{"PartNumber": 1, "ETag": upload.parts[1]["ETag"]}]
    assert message(upload.complete, parts=without) == (
        "The upload was created using a sha256 checksum. The complete request must include the checksum for each part. "
        "It was missing for part 1 in the request."
    )
    assert message(upload.complete, ChecksumType="FULL_OBJECT") == (
        "The upload was created using the COMPOSITE checksum mode. The complete request must use the same checksum mode."
    )
    mismatch = "Checksum Type mismatch occurred, expected checksum Type: sha256, actual checksum Type: "
    assert message(upload.put, number=2, data=b"x", ChecksumAlgorithm="SHA1") == mismatch + "sha1"
    assert message(upload.complete, ChecksumSHA1="qUiQTy8PR5uPgZdpSzAYSw0u0cU=") == mismatch + "sha1"
    upload.complete()


def test_a_clients_key_is_shown_with_every_part(s3, bucket):
    key = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}
    upload = Upload(s3, bucket, "locked", **key)
    assert upload.created["SSECustomerKeyMD5"]
    assert refusal(upload.put, number=1, data=b"x") == "InvalidRequest"
    assert refusal(upload.put, number=1, data=b"x", **{**key, "SSECustomerKey": "j" * 32}) == "InvalidRequest"
    assert upload.put(1, b"x", **key)["SSECustomerKeyMD5"] == upload.created["SSECustomerKeyMD5"]
    upload.complete()
    assert refusal(s3.get_object, Bucket=bucket, Key="locked") == "InvalidRequest"
    assert s3.get_object(Bucket=bucket, Key="locked", **key)["Body"].read() == b"x"
    open_to_all = Upload(s3, bucket, "open")
    assert refusal(open_to_all.put, number=1, data=b"x", **key) == "InvalidRequest"
    assert open_to_all.created["ServerSideEncryption"] == "AES256"


def test_a_whole_object_is_shared_with_a_part(s3, bucket):
    data = os.urandom(LEAST)
    sent = s3.put_object(Bucket=bucket, Key="shared", Body=data, ChecksumAlgorithm="CRC32")
    upload = Upload(s3, bucket, "sharing", ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    copied = s3.upload_part_copy(**upload.at, PartNumber=1, CopySource=f"{bucket}/shared")["CopyPartResult"]
    assert (copied["ETag"], copied["ChecksumCRC32"]) == (sent["ETag"], sent["ChecksumCRC32"])
    s3.delete_object(Bucket=bucket, Key="shared")
    upload.complete(parts=[{"PartNumber": 1, "ETag": copied["ETag"]}])
    assert s3.get_object(Bucket=bucket, Key="sharing")["Body"].read() == data


def test_uploads_under_way_are_listed_in_pages(server, s3):
    bucket = f"uploads-{os.urandom(4).hex()}"
    s3.create_bucket(Bucket=bucket)
    made = [(key, Upload(s3, bucket, key).at["UploadId"]) for key in ("a", "b/1", "b/2", "c", "c") for _ in range(1)]
    whole = s3.list_multipart_uploads(Bucket=bucket)
    assert [(one["Key"], one["UploadId"]) for one in whole["Uploads"]] == made
    seen, marker = [], {}
    while True:
        page = s3.list_multipart_uploads(Bucket=bucket, MaxUploads=2, **marker)
        seen += [(one["Key"], one["UploadId"]) for one in page["Uploads"]]
        if not page["IsTruncated"]:
            break
        marker = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
    assert seen == made
    folded = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/")
    assert [one["Key"] for one in folded["Uploads"]] == ["a", "c", "c"]
    assert [one["Prefix"] for one in folded["CommonPrefixes"]] == ["b/"]
    # A folded prefix is one of a page, and a page may begin behind it.
    seen, marker = [], {}
    while True:
        page = s3.list_multipart_uploads(Bucket=bucket, MaxUploads=1, Delimiter="/", **marker)
        seen += [one["Key"] for one in page.get("Uploads", [])]
        seen += [one["Prefix"] for one in page.get("CommonPrefixes", [])]
        if not page["IsTruncated"]:
            break
        marker = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
    assert seen == ["a", "b/", "c", "c"]
    within = s3.list_multipart_uploads(Bucket=bucket, Prefix="b/", Delimiter="/", KeyMarker="b/1")
    assert [one["Key"] for one in within["Uploads"]] == ["b/2"] and "CommonPrefixes" not in within
    s3.delete_bucket(Bucket=bucket)


def test_transfer_managers_do_it_by_themselves(server, s3, bucket, tmp_path):
    data = os.urandom(20 * MIB + 7)
    config = TransferConfig(multipart_threshold=8 * MIB, multipart_chunksize=8 * MIB)
    s3.upload_fileobj(io.BytesIO(data), bucket, "managed", Config=config)
    assert s3.head_object(Bucket=bucket, Key="managed")["ETag"].endswith('-3"')
    received = io.BytesIO()
    s3.download_fileobj(bucket, "managed", received, Config=config)
    assert received.getvalue() == data
    (tmp_path / "up").write_bytes(data)
    server.aws("s3", "cp", "--no-progress", str(tmp_path / "up"), f"s3://{bucket}/by cli")
    server.aws("s3", "cp", "--no-progress", f"s3://{bucket}/by cli", str(tmp_path / "down"))
    assert (tmp_path / "down").read_bytes() == data


def test_parts_survive_a_kill(start, data_dir):
    server = start(data_dir=data_dir)
    s3 = server.client("s3")
    s3.create_bucket(Bucket="kept")
    upload = Upload(s3, "kept", "k")
    data = os.urandom(LEAST)
    upload.put(1, data)
    upload.put(2, b"end")
    server.kill()
    server.start()
    upload.s3 = server.client("s3")
    upload.complete()
    server.kill()
    server.start()
    assert server.client("s3").get_object(Bucket="kept", Key="k")["Body"].read() == data + b"end"
