"""Copies: of content and of what is said of it, within a bucket and between two, by the SDK and the CLI."""

import os

import pytest
from botocore.exceptions import ClientError


@pytest.fixture(scope="module")
def s3(server):
    return server.client("s3")


@pytest.fixture(scope="module")
def buckets(s3):
    names = [f"copy-{os.urandom(4).hex()}" for _ in range(2)]
    for name in names:
        s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=names[0], Key="a b+ü", Body=b"content", ContentType="text/x", Metadata={"m": "1"}, Tagging="t=1")
    s3.put_object(Bucket=names[0], Key="large", Body=b"x" * 100_000)
    return names


def refusal(call, **asked):
    with pytest.raises(ClientError) as refused:
        call(**asked)
    return refused.value.response["ResponseMetadata"]["HTTPStatusCode"], refused.value.response["Error"]["Code"]


def test_a_copy_has_all_of_its_source(s3, buckets):
    one, two = buckets
    done = s3.copy_object(Bucket=two, Key="c", CopySource={"Bucket": one, "Key": "a b+ü"})
    got = s3.get_object(Bucket=two, Key="c")
    assert got["Body"].read() == b"content" and done["CopyObjectResult"]["ETag"] == got["ETag"]
    assert (got["ContentType"], got["Metadata"], got["TagCount"]) == ("text/x", {"m": "1"}, 1)


def test_a_copy_can_be_told_otherwise(s3, buckets):
    one, _ = buckets
    s3.copy_object(
        Bucket=one, Key="other", CopySource=f"{one}/a b+ü", MetadataDirective="REPLACE", ContentType="a/b",
        Metadata={"n": "2"}, TaggingDirective="REPLACE", Tagging="u=2&v=3", StorageClass="STANDARD_IA",
    )
    got = s3.get_object(Bucket=one, Key="other")
    assert (got["ContentType"], got["Metadata"], got["TagCount"], got["StorageClass"]) == ("a/b", {"n": "2"}, 2, "STANDARD_IA")


def test_the_copy_outlives_its_source(s3, buckets):
    one, two = buckets
    s3.put_object(Bucket=one, Key="short-lived", Body=b"y" * 100_000)
    s3.copy_object(Bucket=two, Key="kept", CopySource=f"{one}/short-lived")
    s3.delete_object(Bucket=one, Key="short-lived")
    assert s3.get_object(Bucket=two, Key="kept")["Body"].read() == b"y" * 100_000


def test_versions_can_be_copied(s3, buckets):
    versioned = f"copy-{os.urandom(4).hex()}"
    s3.create_bucket(Bucket=versioned)
    s3.put_bucket_versioning(Bucket=versioned, VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket=versioned, Key="k", Body=b"first")["VersionId"]
    s3.put_object(Bucket=versioned, Key="k", Body=b"second")
    done = s3.copy_object(Bucket=versioned, Key="k", CopySource={"Bucket": versioned, "Key": "k", "VersionId": first})
    assert done["CopySourceVersionId"] == first and done["VersionId"] != first
    assert s3.get_object(Bucket=versioned, Key="k")["Body"].read() == b"first"


def test_what_no_copy_can_be(s3, buckets):
    one, two = buckets
    itself = {"Bucket": one, "Key": "large", "CopySource": f"{one}/large"}
    assert refusal(s3.copy_object, **itself) == (400, "InvalidRequest")
    s3.copy_object(**itself, MetadataDirective="REPLACE")
    assert refusal(s3.copy_object, Bucket=two, Key="x", CopySource=f"{one}/none") == (404, "NoSuchKey")
    assert refusal(s3.copy_object, Bucket=two, Key="x", CopySource="no-such-bucket-at-all/none") == (404, "NoSuchBucket")
    with pytest.raises(ClientError) as refused:
        s3.copy_object(Bucket=two, Key="x", CopySource=one)
    assert refused.value.response["Error"]["Message"].startswith("Copy Source must mention the source bucket and key")
    asked = {"Bucket": two, "Key": "x", "CopySource": f"{one}/large"}
    assert refusal(s3.copy_object, **asked, CopySourceIfMatch='"x"') == (412, "PreconditionFailed")
    etag = s3.head_object(Bucket=one, Key="large")["ETag"]
    assert refusal(s3.copy_object, **asked, CopySourceIfNoneMatch=etag) == (412, "PreconditionFailed")
    with pytest.raises(ClientError) as refused:
        s3.copy_object(**asked, CopySourceIfNoneMatch=etag)
    assert refused.value.response["Error"]["Condition"] == "x-amz-copy-source-If-None-Match"
    s3.copy_object(**asked, CopySourceIfMatch=etag)


def test_a_copy_replaces_only_what_its_writer_means(s3, buckets):
    one, two = buckets
    asked = {"Bucket": two, "Key": "replaced", "CopySource": f"{one}/large"}
    assert refusal(s3.copy_object, **asked, IfMatch='"x"') == (404, "NoSuchKey")
    s3.copy_object(**asked, IfNoneMatch="*")
    assert refusal(s3.copy_object, **asked, IfNoneMatch="*") == (412, "PreconditionFailed")
    assert refusal(s3.copy_object, **asked, IfMatch='"x"') == (412, "PreconditionFailed")
    s3.copy_object(**asked, IfMatch=s3.head_object(Bucket=two, Key="replaced")["ETag"])


def test_a_copy_can_have_another_checksum(s3, buckets):
    one, two = buckets
    done = s3.copy_object(Bucket=two, Key="sum", CopySource=f"{one}/large", ChecksumAlgorithm="SHA256")
    assert done["CopyObjectResult"]["ChecksumSHA256"]
    assert s3.get_object(Bucket=two, Key="sum")["Body"].read() == b"x" * 100_000


def test_the_cli_copies_moves_and_syncs(server, s3, buckets, tmp_path):
    one, two = buckets
    server.aws("s3", "cp", f"s3://{one}/large", f"s3://{two}/by-cli")
    server.aws("s3", "mv", f"s3://{two}/by-cli", f"s3://{two}/moved")
    assert refusal(s3.head_object, Bucket=two, Key="by-cli")[0] == 404
    assert s3.head_object(Bucket=two, Key="moved")["ContentLength"] == 100_000
    for name in ("one", "sub/two", "sub/three four"):
        (tmp_path / "from" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "from" / name).write_text(name)
    for number in range(12):
        (tmp_path / "from" / f"empty-{number}").touch()
    server.aws("s3", "sync", str(tmp_path / "from"), f"s3://{two}/synced")
    server.aws("s3", "sync", f"s3://{two}/synced", str(tmp_path / "to"))
    assert (tmp_path / "to" / "sub" / "three four").read_text() == "sub/three four"
    server.aws("s3", "rm", "--recursive", f"s3://{two}")
    assert "Contents" not in s3.list_objects_v2(Bucket=two)
    server.aws("s3", "rb", "--force", f"s3://{one}")
