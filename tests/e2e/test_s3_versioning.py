"""Versions: each write is kept, a deletion can be undone, and what is deleted by its id is gone."""

import os

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def s3(server):
    return server.client("s3")


@pytest.fixture
def bucket(s3):
    name = f"versions-{os.urandom(4).hex()}"
    s3.create_bucket(Bucket=name)
    yield name
    found = s3.list_object_versions(Bucket=name)
    for one in found.get("Versions", []) + found.get("DeleteMarkers", []):
        s3.delete_object(Bucket=name, Key=one["Key"], VersionId=one["VersionId"])
    s3.delete_bucket(Bucket=name)


def status(s3, bucket, status):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})


def put(s3, bucket, key, body):
    return s3.put_object(Bucket=bucket, Key=key, Body=body).get("VersionId")


def read(s3, bucket, key, **more):
    return s3.get_object(Bucket=bucket, Key=key, **more)["Body"].read()


def error(call, **asked):
    with pytest.raises(ClientError) as refused:
        call(**asked)
    return refused.value.response["ResponseMetadata"]["HTTPStatusCode"], refused.value.response["Error"]["Code"]


def test_every_write_is_kept_and_can_be_read_by_its_id(s3, bucket):
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    assert put(s3, bucket, "k", b"before") is None
    status(s3, bucket, "Enabled")
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    one, two = put(s3, bucket, "k", b"one"), put(s3, bucket, "k", b"two")
    assert one != two and len(one) == 32
    assert read(s3, bucket, "k") == b"two"
    assert [read(s3, bucket, "k", VersionId=id) for id in (one, two, "null")] == [b"one", b"two", b"before"]
    listed = s3.list_object_versions(Bucket=bucket)["Versions"]
    assert [(v["VersionId"], v["IsLatest"], v["Size"]) for v in listed] == [(two, True, 3), (one, False, 3), ("null", False, 6)]


def test_a_deletion_is_a_marker_and_can_be_undone(s3, bucket):
    status(s3, bucket, "Enabled")
    one = put(s3, bucket, "k", b"one")
    deleted = s3.delete_object(Bucket=bucket, Key="k")
    assert deleted["DeleteMarker"] is True
    assert error(s3.get_object, Bucket=bucket, Key="k") == (404, "NoSuchKey")
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    found = s3.list_object_versions(Bucket=bucket)
    assert [(m["VersionId"], m["IsLatest"]) for m in found["DeleteMarkers"]] == [(deleted["VersionId"], True)]
    assert [(v["VersionId"], v["IsLatest"]) for v in found["Versions"]] == [(one, False)]
    undone = s3.delete_object(Bucket=bucket, Key="k", VersionId=deleted["VersionId"])
    assert undone["DeleteMarker"] is True and undone["VersionId"] == deleted["VersionId"]
    assert read(s3, bucket, "k") == b"one"
    gone = s3.delete_object(Bucket=bucket, Key="k", VersionId=one)
    assert "DeleteMarker" not in gone
    assert error(s3.get_object, Bucket=bucket, Key="k", VersionId=one) == (404, "NoSuchVersion")


def test_suspended_versions_replace_the_null_version_alone(s3, bucket):
    status(s3, bucket, "Enabled")
    one = put(s3, bucket, "k", b"one")
    status(s3, bucket, "Suspended")
    assert put(s3, bucket, "k", b"null one") == "null"
    assert put(s3, bucket, "k", b"null two") == "null"
    assert read(s3, bucket, "k") == b"null two" and read(s3, bucket, "k", VersionId=one) == b"one"
    listed = s3.list_object_versions(Bucket=bucket)["Versions"]
    assert [v["VersionId"] for v in listed] == ["null", one]
    assert s3.delete_object(Bucket=bucket, Key="k")["VersionId"] == "null"
    found = s3.list_object_versions(Bucket=bucket)
    assert [v["VersionId"] for v in found["Versions"]] == [one]
    assert [m["VersionId"] for m in found["DeleteMarkers"]] == ["null"]


def test_versions_come_in_pages(s3, bucket):
    status(s3, bucket, "Enabled")
    for key in ("a", "b/x", "b/y", "c"):
        for n in range(3):
            put(s3, bucket, key, str(n).encode())
    s3.delete_object(Bucket=bucket, Key="c")
    whole = s3.list_object_versions(Bucket=bucket)
    order = sorted(whole["Versions"] + whole["DeleteMarkers"], key=lambda v: (v["Key"], -v["LastModified"].timestamp()))
    names = {(v["Key"], v["VersionId"], v["IsLatest"]) for v in order}
    assert len(names) == 13
    seen, marker = [], {}
    while True:
        page = s3.list_object_versions(Bucket=bucket, MaxKeys=2, **marker)
        seen += [(v["Key"], v["VersionId"], v["IsLatest"]) for v in page.get("Versions", []) + page.get("DeleteMarkers", [])]
        if not page["IsTruncated"]:
            break
        marker = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}
    assert len(seen) == 13 and set(seen) == names
    folded = s3.list_object_versions(Bucket=bucket, Delimiter="/")
    assert [p["Prefix"] for p in folded["CommonPrefixes"]] == ["b/"]
    assert {v["Key"] for v in folded["Versions"]} == {"a", "c"}
    assert error(s3.list_object_versions, Bucket=bucket, VersionIdMarker="x") == (400, "InvalidArgument")


def test_what_versioning_refuses(s3, bucket):
    assert error(s3.put_bucket_versioning, Bucket=bucket, VersioningConfiguration={}) == (
        400, "IllegalVersioningConfigurationException",
    )
    assert error(s3.put_bucket_versioning, Bucket=bucket, VersioningConfiguration={"Status": "Off"}) == (400, "MalformedXML")
    mfa = {"Status": "Enabled", "MFADelete": "Enabled"}
    assert error(s3.put_bucket_versioning, Bucket=bucket, VersioningConfiguration=mfa, MFA="x 1") == (501, "NotImplemented")
    assert error(s3.get_object, Bucket=bucket, Key="k", VersionId="not-an-id") == (400, "InvalidArgument")
    status(s3, bucket, "Enabled")
    put(s3, bucket, "k", b"x")
    assert error(s3.delete_bucket, Bucket=bucket) == (409, "BucketNotEmpty")


def test_a_marker_answers_as_a_marker(s3, bucket):
    status(s3, bucket, "Enabled")
    put(s3, bucket, "k", b"one")
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    with pytest.raises(ClientError) as current:
        s3.head_object(Bucket=bucket, Key="k")
    with pytest.raises(ClientError) as by_id:
        s3.get_object(Bucket=bucket, Key="k", VersionId=marker)
    told = [one.value.response["ResponseMetadata"] for one in (current, by_id)]
    assert [one["HTTPStatusCode"] for one in told] == [404, 405]
    for one in told:
        assert one["HTTPHeaders"]["x-amz-delete-marker"] == "true"
        assert one["HTTPHeaders"]["x-amz-version-id"] == marker
    # A marker upon a marker, and one for a key that never was.
    again = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    never = s3.delete_object(Bucket=bucket, Key="never")
    assert again != marker and never["DeleteMarker"] is True
    found = s3.list_object_versions(Bucket=bucket)["DeleteMarkers"]
    assert [(one["Key"], one["IsLatest"]) for one in found] == [("k", True), ("k", False), ("never", True)]


def test_a_version_is_brought_back_by_copying_it(s3, bucket):
    status(s3, bucket, "Enabled")
    one = put(s3, bucket, "k", b"one")
    put(s3, bucket, "k", b"two")
    source = {"Bucket": bucket, "Key": "k", "VersionId": one}
    copied = s3.copy_object(Bucket=bucket, Key="k", CopySource=source, MetadataDirective="REPLACE")
    assert copied["CopySourceVersionId"] == one and copied["VersionId"] not in (one, None)
    assert read(s3, bucket, "k") == b"one"
    assert len(s3.list_object_versions(Bucket=bucket)["Versions"]) == 3


def test_deleting_the_current_version_makes_the_one_before_current(s3, bucket):
    status(s3, bucket, "Enabled")
    ids = [put(s3, bucket, "k", str(n).encode()) for n in range(3)]
    for n in (2, 1):
        assert read(s3, bucket, "k") == str(n).encode()
        s3.delete_object(Bucket=bucket, Key="k", VersionId=ids[n])
    assert [(v["VersionId"], v["IsLatest"]) for v in s3.list_object_versions(Bucket=bucket)["Versions"]] == [(ids[0], True)]
