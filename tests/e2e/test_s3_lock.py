"""Versions that may not go: legal holds and retention, what they forbid, and who may lift them."""

import datetime
import os
import urllib.error
import urllib.request

import pytest
from botocore.exceptions import ClientError

KEPT = ("AccessDenied", "Access Denied because object protected by object lock.")


@pytest.fixture(scope="module")
def s3(server):
    return server.client("s3")


@pytest.fixture(scope="module")
def bucket(s3):
    name = f"lock-{os.urandom(4).hex()}"
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    return name


@pytest.fixture(scope="module")
def unlocked(s3):
    name = f"unlocked-{os.urandom(4).hex()}"
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="k", Body=b"x")
    return name


def days(count):
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    return now + datetime.timedelta(days=count)


def refusal(call, **asked):
    with pytest.raises(ClientError) as refused:
        call(**asked)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_hold_keeps_a_version_until_it_is_lifted(s3, bucket):
    version = s3.put_object(Bucket=bucket, Key="held", Body=b"x", ObjectLockLegalHoldStatus="ON")["VersionId"]
    at = {"Bucket": bucket, "Key": "held", "VersionId": version}
    assert s3.head_object(**at)["ObjectLockLegalHoldStatus"] == "ON"
    assert s3.get_object_legal_hold(**at)["LegalHold"] == {"Status": "ON"}
    assert refusal(s3.delete_object, **at, BypassGovernanceRetention=True) == KEPT
    told = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "held", "VersionId": version}]})
    assert [(error["Code"], error["Message"]) for error in told["Errors"]] == [KEPT] and "Deleted" not in told
    # A marker before it takes nothing away.
    marker = s3.delete_object(Bucket=bucket, Key="held")
    assert marker["DeleteMarker"] is True
    s3.delete_object(Bucket=bucket, Key="held", VersionId=marker["VersionId"])
    s3.put_object_legal_hold(**at, LegalHold={"Status": "OFF"})
    assert s3.get_object_legal_hold(**at)["LegalHold"] == {"Status": "OFF"}
    s3.delete_object(**at)
    assert refusal(s3.head_object, **at)[0] == "404"


def test_governance_gives_way_to_who_bypasses_it(s3, bucket):
    until = days(10)
    version = s3.put_object(
        Bucket=bucket, Key="g", Body=b"x", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until
    )["VersionId"]
    at = {"Bucket": bucket, "Key": "g", "VersionId": version}
    told = s3.get_object(**at)
    assert (told["ObjectLockMode"], told["ObjectLockRetainUntilDate"]) == ("GOVERNANCE", until)
    assert s3.get_object_retention(**at)["Retention"] == {"Mode": "GOVERNANCE", "RetainUntilDate": until}
    assert refusal(s3.delete_object, **at) == KEPT
    longer = {"Mode": "GOVERNANCE", "RetainUntilDate": days(20)}
    s3.put_object_retention(**at, Retention=longer)
    shorter = {"Mode": "GOVERNANCE", "RetainUntilDate": days(1)}
    assert refusal(s3.put_object_retention, **at, Retention=shorter) == KEPT
    assert s3.get_object_retention(**at)["Retention"] == longer
    s3.put_object_retention(**at, Retention=shorter, BypassGovernanceRetention=True)
    assert s3.get_object_retention(**at)["Retention"] == shorter
    s3.delete_object(**at, BypassGovernanceRetention=True)
    assert refusal(s3.head_object, **at)[0] == "404"


def test_compliance_gives_way_to_time_alone(start):
    server = start("--time", "virtual")
    s3, bucket = server.client("s3"), "binding"
    s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    told = s3.head_object(Bucket=bucket, Key="k")
    until = told["LastModified"] + datetime.timedelta(days=2)
    retention = {"Mode": "COMPLIANCE", "RetainUntilDate": until}
    at = {"Bucket": bucket, "Key": "k", "VersionId": told["VersionId"]}
    s3.put_object_retention(**at, Retention=retention)
    assert refusal(s3.delete_object, **at, BypassGovernanceRetention=True) == KEPT
    earlier = {"Mode": "COMPLIANCE", "RetainUntilDate": until - datetime.timedelta(days=1)}
    assert refusal(s3.put_object_retention, **at, Retention=earlier, BypassGovernanceRetention=True) == KEPT
    server.hearth("time", "advance", "47h")
    assert refusal(s3.delete_object, **at) == KEPT
    server.hearth("time", "advance", "2h")
    s3.delete_object(**at)
    assert refusal(s3.head_object, **at)[0] == "404"


def test_an_upload_in_parts_and_a_copy_can_be_locked(s3, bucket):
    until = days(1)
    lock = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": until, "ObjectLockLegalHoldStatus": "OFF"}
    at = {"Bucket": bucket, "Key": "parts"}
    upload = s3.create_multipart_upload(**at, **lock)["UploadId"]
    part = s3.upload_part(**at, UploadId=upload, PartNumber=1, Body=b"x")["ETag"]
    s3.complete_multipart_upload(
        **at, UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]}
    )
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/parts", **lock)
    s3.copy_object(Bucket=bucket, Key="free", CopySource=f"{bucket}/parts")
    for key in ("parts", "copy"):
        told = s3.head_object(Bucket=bucket, Key=key)
        assert {name: told[name] for name in lock} == lock
        assert refusal(s3.delete_object, Bucket=bucket, Key=key, VersionId=told["VersionId"]) == KEPT
    assert "ObjectLockMode" not in s3.head_object(Bucket=bucket, Key="free")


def test_what_cannot_be_locked_is_refused(s3, bucket, unlocked):
    missing = ("InvalidRequest", "Bucket is missing Object Lock Configuration")
    at = {"Bucket": unlocked, "Key": "k"}
    locked = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": days(1)}
    assert refusal(s3.put_object, **at, Body=b"y", **locked) == missing
    assert refusal(s3.put_object_legal_hold, **at, LegalHold={"Status": "ON"}) == missing
    assert refusal(s3.get_object_retention, **at) == missing
    assert s3.get_object(**at)["Body"].read() == b"x"
    at = {"Bucket": bucket, "Key": "refused"}
    invalid = lambda message: ("InvalidArgument", message)
    past = {"Mode": "GOVERNANCE", "RetainUntilDate": days(-1)}
    assert refusal(
        s3.put_object, **at, ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=days(-1)
    ) == invalid("The retain until date must be in the future!")
    assert refusal(s3.put_object, **at, ObjectLockMode="COMPLIANCE") == invalid(
        "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied"
    )
    assert refusal(s3.put_object, **at, ObjectLockLegalHoldStatus="MAYBE") == invalid(
        "Legal Hold must be either of 'ON' or 'OFF'"
    )
    s3.put_object(**at, Body=b"x")
    assert refusal(s3.get_object_retention, **at)[0] == "NoSuchObjectLockConfiguration"
    assert refusal(s3.get_object_legal_hold, **at)[0] == "NoSuchObjectLockConfiguration"
    assert refusal(s3.put_object_retention, **at, Retention=past)[0] == "InvalidArgument"
    assert refusal(s3.put_object_retention, **at, Retention={"Mode": "GOVERNANCE"})[0] == "MalformedXML"


def test_a_put_that_locks_says_what_its_bytes_are(s3, bucket):
    at = {"Bucket": bucket, "Key": "undigested"}
    message = "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters"
    url = s3.generate_presigned_url("put_object", {**at, "ObjectLockLegalHoldStatus": "ON"})
    request = urllib.request.Request(url, b"x", {"x-amz-object-lock-legal-hold": "ON"}, method="PUT")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=30)
    assert refused.value.code == 400 and message in refused.value.read().decode()
