"""Access control lists of objects, where a bucket takes them and where it does not; and what a bucket encrypts with."""

import os

import pytest
from botocore.exceptions import ClientError

ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"
OWNER = "0" * 64
OTHER = "a" * 64


@pytest.fixture(scope="module")
def s3(server):
    return server.client("s3")


@pytest.fixture(scope="module")
def owned(s3):
    """A bucket as it is made: its owner owns what is in it."""
    name = f"owned-{os.urandom(4).hex()}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture(scope="module")
def listed(s3):
    """A bucket that takes lists."""
    name = f"listed-{os.urandom(4).hex()}"
    s3.create_bucket(Bucket=name, ObjectOwnership="ObjectWriter")
    s3.delete_public_access_block(Bucket=name)
    return name


def refusal(call, **asked):
    with pytest.raises(ClientError) as refused:
        call(**asked)
    return refused.value.response["Error"]["Code"]


def grants(s3, bucket, key):
    told = s3.get_object_acl(Bucket=bucket, Key=key)
    assert told["Owner"]["ID"] == OWNER
    return {(grant["Grantee"].get("ID") or grant["Grantee"]["URI"], grant["Permission"]) for grant in told["Grants"]}


def test_a_bucket_that_owns_its_objects_takes_no_lists(s3, owned):
    s3.put_object(Bucket=owned, Key="k", Body=b"x", ACL="bucket-owner-full-control")
    assert grants(s3, owned, "k") == {(OWNER, "FULL_CONTROL")}
    not_taken = "AccessControlListNotSupported"
    for asked in ({"ACL": "public-read"}, {"ACL": "private"}, {"GrantRead": f"id={OTHER}"}):
        assert refusal(s3.put_object, Bucket=owned, Key="k", Body=b"y", **asked) == not_taken
        assert refusal(s3.copy_object, Bucket=owned, Key="c", CopySource=f"{owned}/k", **asked) == not_taken
        assert refusal(s3.create_multipart_upload, Bucket=owned, Key="k", **asked) == not_taken
        assert refusal(s3.put_object_acl, Bucket=owned, Key="k", **asked) == not_taken
    assert s3.get_object(Bucket=owned, Key="k")["Body"].read() == b"x"


def test_lists_are_kept_and_told(s3, listed):
    s3.put_object(Bucket=listed, Key="public", Body=b"x", ACL="public-read")
    assert grants(s3, listed, "public") == {(OWNER, "FULL_CONTROL"), (ALL_USERS, "READ")}
    s3.put_object(Bucket=listed, Key="granted", Body=b"x", GrantRead=f'id="{OTHER}"', GrantFullControl=f"id={OWNER}")
    assert grants(s3, listed, "granted") == {(OWNER, "FULL_CONTROL"), (OTHER, "READ")}
    # A copy has none of its source's.
    s3.copy_object(Bucket=listed, Key="copy", CopySource=f"{listed}/public")
    assert grants(s3, listed, "copy") == {(OWNER, "FULL_CONTROL")}
    at = {"Bucket": listed, "Key": "parts"}
    upload = s3.create_multipart_upload(**at, ACL="authenticated-read")["UploadId"]
    part = s3.upload_part(**at, UploadId=upload, PartNumber=1, Body=b"x")["ETag"]
    s3.complete_multipart_upload(**at, UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]})
    assert len(grants(s3, listed, "parts")) == 2


def test_a_list_can_be_changed_by_itself(s3, listed):
    at = {"Bucket": listed, "Key": "changed"}
    s3.put_object(**at, Body=b"x")
    s3.put_object_acl(**at, ACL="public-read-write")
    assert grants(s3, listed, "changed") == {(OWNER, "FULL_CONTROL"), (ALL_USERS, "READ"), (ALL_USERS, "WRITE")}
    told = s3.get_object_acl(**at)
    other = {"Grantee": {"Type": "CanonicalUser", "ID": OTHER}, "Permission": "READ_ACP"}
    s3.put_object_acl(**at, AccessControlPolicy={"Owner": {"ID": OWNER}, "Grants": [told["Grants"][0], other]})
    assert grants(s3, listed, "changed") == {(OWNER, "FULL_CONTROL"), (OTHER, "READ_ACP")}
    s3.put_object_acl(**at, ACL="private")
    assert grants(s3, listed, "changed") == {(OWNER, "FULL_CONTROL")}
    assert s3.get_object(**at)["Body"].read() == b"x"


def test_lists_that_make_no_sense_are_refused(s3, listed):
    at = {"Bucket": listed, "Key": "public"}
    stolen = {"Owner": {"ID": OTHER}, "Grants": []}
    assert refusal(s3.put_object_acl, **at, AccessControlPolicy=stolen) == "AccessDenied"
    assert refusal(s3.put_object_acl, **at, ACL="private", GrantRead=f"id={OTHER}") == "InvalidRequest"
    assert refusal(s3.put_object_acl, **at, GrantRead="id=nobody") == "InvalidArgument"
    email = "UnresolvableGrantByEmailAddress"
    assert refusal(s3.put_object_acl, **at, GrantRead="emailAddress=a@example.com") == email
    assert refusal(s3.put_object, **at, ACL="for-me") == "InvalidArgument"
    assert refusal(s3.get_object_acl, Bucket=listed, Key="none") == "NoSuchKey"
    s3.put_public_access_block(Bucket=listed, PublicAccessBlockConfiguration={"BlockPublicAcls": True})
    assert refusal(s3.put_object, **at, ACL="public-read") == "AccessDenied"
    s3.delete_public_access_block(Bucket=listed)


def test_what_is_written_is_encrypted_as_its_bucket_says(s3):
    bucket = f"sealed-{os.urandom(4).hex()}"
    s3.create_bucket(Bucket=bucket)
    assert s3.put_object(Bucket=bucket, Key="k")["ServerSideEncryption"] == "AES256"
    key = "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    by_default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "1234abcd-12ab-34cd-56ef-1234567890ab"}
    rule = {"ApplyServerSideEncryptionByDefault": by_default, "BucketKeyEnabled": True}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    sealed = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key, "BucketKeyEnabled": True}
    at = {"Bucket": bucket, "Key": "parts"}
    upload = s3.create_multipart_upload(**at)
    part = s3.upload_part(**at, UploadId=upload["UploadId"], PartNumber=1, Body=b"x")["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": part}]}
    s3.complete_multipart_upload(**at, UploadId=upload["UploadId"], MultipartUpload=parts)
    answers = [
        s3.put_object(Bucket=bucket, Key="k", Body=b"x"),
        s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/k"),
        upload,
        *(s3.head_object(Bucket=bucket, Key=key) for key in ("k", "copy", "parts")),
    ]
    for answer in answers:
        assert {name: answer.get(name) for name in sealed} == sealed
    plain = s3.put_object(Bucket=bucket, Key="plain", ServerSideEncryption="AES256")
    assert plain["ServerSideEncryption"] == "AES256" and "SSEKMSKeyId" not in plain
    own = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": b"k" * 32}
    assert "ServerSideEncryption" not in s3.put_object(Bucket=bucket, Key="own", Body=b"x", **own)
    assert s3.get_object(Bucket=bucket, Key="own", **own)["Body"].read() == b"x"
    other = {**own, "SSECustomerKey": b"o" * 32}
    assert refusal(s3.get_object, Bucket=bucket, Key="own", **other) == "AccessDenied"
