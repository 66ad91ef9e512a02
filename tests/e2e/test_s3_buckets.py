"""Buckets and what they are configured with, as S3's clients and Terraform's provider see them."""

import json
import os
import urllib.error
import urllib.request

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def s3(server):
    return server.client("s3")


@pytest.fixture
def bucket(s3):
    name = f"buckets-{os.urandom(4).hex()}"
    s3.create_bucket(Bucket=name)
    yield name
    s3.delete_bucket(Bucket=name)


def error(call, **asked):
    with pytest.raises(ClientError) as refused:
        call(**asked)
    response = refused.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def message(call, **asked):
    with pytest.raises(ClientError) as refused:
        call(**asked)
    return refused.value.response["Error"]["Message"]


def bare(answer):
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}


def test_a_fresh_bucket_answers_all_that_terraform_reads(s3, bucket):
    """What the AWS provider asks for after each apply of `aws_s3_bucket`."""
    head = s3.head_bucket(Bucket=bucket)
    assert head["BucketRegion"] == "us-east-1"
    assert error(s3.get_bucket_policy, Bucket=bucket) == (404, "NoSuchBucketPolicy")
    acl = bare(s3.get_bucket_acl(Bucket=bucket))
    grant = {"Grantee": {"ID": acl["Owner"]["ID"], "Type": "CanonicalUser"}, "Permission": "FULL_CONTROL"}
    assert acl["Grants"] == [grant]
    assert error(s3.get_bucket_cors, Bucket=bucket) == (404, "NoSuchCORSConfiguration")
    assert error(s3.get_bucket_website, Bucket=bucket) == (404, "NoSuchWebsiteConfiguration")
    assert bare(s3.get_bucket_versioning(Bucket=bucket)) == {}
    assert bare(s3.get_bucket_accelerate_configuration(Bucket=bucket)) == {}
    assert bare(s3.get_bucket_request_payment(Bucket=bucket)) == {"Payer": "BucketOwner"}
    assert bare(s3.get_bucket_logging(Bucket=bucket)) == {}
    assert error(s3.get_bucket_lifecycle_configuration, Bucket=bucket) == (404, "NoSuchLifecycleConfiguration")
    assert error(s3.get_bucket_replication, Bucket=bucket) == (404, "ReplicationConfigurationNotFoundError")
    encryption = bare(s3.get_bucket_encryption(Bucket=bucket))["ServerSideEncryptionConfiguration"]
    assert encryption == {
        "Rules": [
            {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}
        ]
    }
    assert error(s3.get_object_lock_configuration, Bucket=bucket) == (404, "ObjectLockConfigurationNotFoundError")
    assert error(s3.get_bucket_tagging, Bucket=bucket) == (404, "NoSuchTagSet")
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] is None
    # And the resources beside it.
    assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"] == {
        "BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True,
    }
    ownership = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]
    assert ownership == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    assert error(s3.get_bucket_policy_status, Bucket=bucket) == (404, "NoSuchBucketPolicy")
    assert bare(s3.get_bucket_notification_configuration(Bucket=bucket)) == {}
    for kind in ("analytics", "intelligent_tiering", "inventory", "metrics"):
        one = getattr(s3, f"get_bucket_{kind}_configuration")
        assert error(one, Bucket=bucket, Id="x") == (404, "NoSuchConfiguration"), kind
        listed = bare(getattr(s3, f"list_bucket_{kind}_configurations")(Bucket=bucket))
        assert listed == {"IsTruncated": False}, kind


def test_what_hearth_does_not_do_is_refused_by_its_name(s3, bucket):
    replication = {"Role": "arn:aws:iam::000000000000:role/r", "Rules": [
        {"Status": "Enabled", "Destination": {"Bucket": "arn:aws:s3:::other"}}
    ]}
    assert error(
        s3.put_bucket_replication, Bucket=bucket, ReplicationConfiguration=replication
    ) == (501, "NotImplemented")
    assert "replication" in message(
        s3.put_bucket_replication, Bucket=bucket, ReplicationConfiguration=replication
    )
    metrics = {"Id": "x"}
    assert error(
        s3.put_bucket_metrics_configuration, Bucket=bucket, Id="x", MetricsConfiguration=metrics
    ) == (501, "NotImplemented")
    payment = {"Payer": "Requester"}
    assert error(
        s3.put_bucket_request_payment, Bucket=bucket, RequestPaymentConfiguration=payment
    ) == (501, "NotImplemented")
    s3.put_bucket_request_payment(Bucket=bucket, RequestPaymentConfiguration={"Payer": "BucketOwner"})
    accelerate = {"Status": "Enabled"}
    assert error(
        s3.put_bucket_accelerate_configuration, Bucket=bucket, AccelerateConfiguration=accelerate
    ) == (501, "NotImplemented")
    s3.put_bucket_accelerate_configuration(Bucket=bucket, AccelerateConfiguration={"Status": "Suspended"})
    assert s3.get_bucket_accelerate_configuration(Bucket=bucket)["Status"] == "Suspended"


def test_configurations_come_back_as_they_went_and_go(s3, bucket):
    cors = [{"ID": "one", "AllowedMethods": ["GET", "PUT"], "AllowedOrigins": ["https://*.example.com"],
             "AllowedHeaders": ["*"], "ExposeHeaders": ["ETag"], "MaxAgeSeconds": 30}]
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": cors})
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == cors
    s3.delete_bucket_cors(Bucket=bucket)
    assert error(s3.get_bucket_cors, Bucket=bucket) == (404, "NoSuchCORSConfiguration")
    website = {"IndexDocument": {"Suffix": "index.html"}, "ErrorDocument": {"Key": "error.html"},
               "RoutingRules": [{"Condition": {"KeyPrefixEquals": "a/"}, "Redirect": {"ReplaceKeyPrefixWith": "b/"}}]}
    s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration=website)
    assert bare(s3.get_bucket_website(Bucket=bucket)) == website
    elsewhere = {"RedirectAllRequestsTo": {"HostName": "example.com", "Protocol": "https"}}
    s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration=elsewhere)
    assert bare(s3.get_bucket_website(Bucket=bucket)) == elsewhere
    s3.delete_bucket_website(Bucket=bucket)
    kms = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/k"},
                      "BucketKeyEnabled": True}]}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=kms)
    assert s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"] == kms
    plain = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}]}
    s3.delete_bucket_encryption(Bucket=bucket)
    assert s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"] == plain
    for kind in ("ObjectWriter", "BucketOwnerPreferred", "BucketOwnerEnforced"):
        owned = {"Rules": [{"ObjectOwnership": kind}]}
        s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=owned)
        assert s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"] == owned
    tags = [{"Key": "team", "Value": "a b"}, {"Key": "ü", "Value": ""}]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags
    s3.delete_bucket_tagging(Bucket=bucket)
    assert error(s3.get_bucket_tagging, Bucket=bucket) == (404, "NoSuchTagSet")
    logging = {"LoggingEnabled": {"TargetBucket": bucket, "TargetPrefix": "logs/"}}
    s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus=logging)
    assert bare(s3.get_bucket_logging(Bucket=bucket)) == logging
    logging["LoggingEnabled"]["TargetObjectKeyFormat"] = {"PartitionedPrefix": {"PartitionDateSource": "EventTime"}}
    s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus=logging)
    assert bare(s3.get_bucket_logging(Bucket=bucket)) == logging
    s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={})
    assert bare(s3.get_bucket_logging(Bucket=bucket)) == {}
    s3.delete_public_access_block(Bucket=bucket)
    assert error(s3.get_public_access_block, Bucket=bucket) == (404, "NoSuchPublicAccessBlockConfiguration")
    s3.delete_bucket_ownership_controls(Bucket=bucket)
    assert error(s3.get_bucket_ownership_controls, Bucket=bucket) == (404, "OwnershipControlsNotFoundError")


def test_configurations_are_checked(s3, bucket):
    def cors(**rule):
        return error(s3.put_bucket_cors, Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})

    assert cors(AllowedMethods=["PATCH"], AllowedOrigins=["*"]) == (400, "InvalidRequest")
    assert cors(AllowedMethods=["GET"], AllowedOrigins=["*.*"]) == (400, "InvalidRequest")
    both = {"IndexDocument": {"Suffix": "i"}, "RedirectAllRequestsTo": {"HostName": "h"}}
    assert error(s3.put_bucket_website, Bucket=bucket, WebsiteConfiguration=both) == (400, "InvalidArgument")
    twice = {"TagSet": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}
    assert error(s3.put_bucket_tagging, Bucket=bucket, Tagging=twice) == (400, "InvalidTag")
    system = {"TagSet": [{"Key": "aws:a", "Value": "1"}]}
    assert error(s3.put_bucket_tagging, Bucket=bucket, Tagging=system) == (400, "InvalidTag")
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "ROT13"}}]}
    assert error(
        s3.put_bucket_encryption, Bucket=bucket, ServerSideEncryptionConfiguration=rules
    ) == (400, "MalformedXML")
    target = {"LoggingEnabled": {"TargetBucket": "no-such-bucket-at-all", "TargetPrefix": ""}}
    assert error(
        s3.put_bucket_logging, Bucket=bucket, BucketLoggingStatus=target
    ) == (400, "InvalidTargetBucketForLogging")
    lock = {"ObjectLockEnabled": "Enabled"}
    assert error(
        s3.put_object_lock_configuration, Bucket=bucket, ObjectLockConfiguration=lock
    ) == (409, "InvalidBucketState")
    for call in (s3.get_bucket_cors, s3.get_bucket_encryption, s3.get_bucket_acl, s3.get_bucket_policy):
        assert error(call, Bucket="no-such-bucket-at-all") == (404, "NoSuchBucket")


def test_lists_of_access_are_off_until_the_owner_turns_them_on(s3, bucket):
    assert error(s3.put_bucket_acl, Bucket=bucket, ACL="private") == (400, "AccessControlListNotSupported")
    preferred = {"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=preferred)
    assert error(s3.put_bucket_acl, Bucket=bucket, ACL="public-read") == (403, "AccessDenied")
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    granted = s3.get_bucket_acl(Bucket=bucket)["Grants"]
    everybody = {"Type": "Group", "URI": "http://acs.amazonaws.com/groups/global/AllUsers"}
    assert {"Grantee": everybody, "Permission": "READ"} in granted and len(granted) == 2
    enforced = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    assert error(
        s3.put_bucket_ownership_controls, Bucket=bucket, OwnershipControls=enforced
    ) == (400, "InvalidBucketAclWithObjectOwnership")
    owner = s3.get_bucket_acl(Bucket=bucket)["Owner"]
    policy = {"Owner": owner, "Grants": [
        {"Grantee": {"Type": "CanonicalUser", "ID": "b" * 64}, "Permission": "READ_ACP"}
    ]}
    s3.put_bucket_acl(Bucket=bucket, AccessControlPolicy=policy)
    assert s3.get_bucket_acl(Bucket=bucket)["Grants"] == policy["Grants"]
    assert error(s3.put_bucket_acl, Bucket=bucket, GrantRead='uri="http://nowhere"') == (400, "InvalidArgument")
    assert error(s3.put_bucket_acl, Bucket=bucket, GrantRead='id="x"') == (400, "InvalidArgument")
    assert error(s3.put_bucket_acl, Bucket=bucket) == (400, "MissingSecurityHeader")


def test_a_policy_is_kept_to_the_letter_and_public_ones_are_blocked(s3, bucket):
    def policy(principal, action="s3:GetObject"):
        return json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": f"arn:aws:s3:::{bucket}/*"}
        ]}, indent=1)

    own = policy({"AWS": "000000000000"})
    s3.put_bucket_policy(Bucket=bucket, Policy=own)
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == own
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"] == {"IsPublic": False}
    assert error(s3.put_bucket_policy, Bucket=bucket, Policy=policy("*")) == (403, "AccessDenied")
    assert "BlockPublicPolicy" in message(s3.put_bucket_policy, Bucket=bucket, Policy=policy("*"))
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_bucket_policy(Bucket=bucket, Policy=policy("*"))
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"] == {"IsPublic": True}
    assert error(s3.put_bucket_policy, Bucket=bucket, Policy="x") == (400, "MalformedPolicy")
    assert message(
        s3.put_bucket_policy, Bucket=bucket, Policy=policy("*", "s3:ListBucket")
    ) == "Action does not apply to any resource(s) in statement"
    s3.delete_bucket_policy(Bucket=bucket)
    assert error(s3.get_bucket_policy, Bucket=bucket) == (404, "NoSuchBucketPolicy")


def test_a_bucket_may_have_tags_from_the_first(server, s3):
    name = f"tagged-{os.urandom(4).hex()}"
    tags = [{"Key": "team", "Value": "red"}, {"Key": "empty", "Value": ""}]
    europe = server.client("s3", region="eu-west-1")
    wrong = {"LocationConstraint": "eu-west-1", "Tags": [{"Key": "aws:x", "Value": "1"}]}
    assert error(europe.create_bucket, Bucket=name, CreateBucketConfiguration=wrong) == (400, "InvalidTag")
    europe.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1", "Tags": tags})
    assert europe.get_bucket_tagging(Bucket=name)["TagSet"] == tags
    assert europe.get_bucket_location(Bucket=name)["LocationConstraint"] == "eu-west-1"
    europe.delete_bucket(Bucket=name)
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"Tags": tags[:1]})
    assert s3.get_bucket_tagging(Bucket=name)["TagSet"] == tags[:1]
    s3.delete_bucket(Bucket=name)


@pytest.mark.parametrize("name", ["ab", "Upper-case", "under_score", "192.168.5.4", "a..b", "sthree-x", "x-s3alias"])
def test_names_that_no_bucket_can_have(server, name):
    # The SDKs have rules of their own.
    request = urllib.request.Request(f"{server.endpoint}/{name}", method="PUT")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    assert refused.value.code == 400
    assert b"<Code>InvalidBucketName</Code>" in refused.value.read()


def test_creation_says_whose_objects_are_and_where_they_are(server, s3):
    name = f"made-{os.urandom(4).hex()}"
    assert error(s3.create_bucket, Bucket=name, ACL="public-read") == (400, "InvalidBucketAclWithObjectOwnership")
    assert error(
        s3.create_bucket, Bucket=name, ACL="public-read", ObjectOwnership="ObjectWriter"
    ) == (400, "InvalidBucketAclWithBlockPublicAccessError")
    assert error(s3.create_bucket, Bucket=name, ObjectOwnership="Nobody") == (400, "InvalidArgument")
    s3.create_bucket(Bucket=name, ACL="private", ObjectOwnership="ObjectWriter", ObjectLockEnabledForBucket=True)
    assert s3.get_bucket_ownership_controls(Bucket=name)["OwnershipControls"]["Rules"] == [
        {"ObjectOwnership": "ObjectWriter"}
    ]
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    assert s3.get_object_lock_configuration(Bucket=name)["ObjectLockConfiguration"] == {"ObjectLockEnabled": "Enabled"}
    lock = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 3}}}
    s3.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration=lock)
    assert s3.get_object_lock_configuration(Bucket=name)["ObjectLockConfiguration"] == lock
    for wrong in ({"Mode": "GOVERNANCE"}, {"Mode": "COMPLIANCE", "Days": 1, "Years": 1}):
        lock["Rule"]["DefaultRetention"] = wrong
        assert error(
            s3.put_object_lock_configuration, Bucket=name, ObjectLockConfiguration=lock
        ) == (400, "MalformedXML")
    s3.delete_bucket(Bucket=name)
    elsewhere = server.client("s3", region="eu-west-1")
    assert error(elsewhere.create_bucket, Bucket=name) == (400, "IllegalLocationConstraintException")
    elsewhere.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    assert elsewhere.get_bucket_location(Bucket=name)["LocationConstraint"] == "eu-west-1"
    assert error(
        elsewhere.create_bucket, Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    ) == (409, "BucketAlreadyOwnedByYou")
    elsewhere.delete_bucket(Bucket=name)
    # To make one's bucket again is no mistake in us-east-1, but it is still not anywhere else.
    s3.create_bucket(Bucket=name)
    s3.create_bucket(Bucket=name)
    assert error(
        elsewhere.create_bucket, Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    ) == (409, "BucketAlreadyOwnedByYou")
    s3.delete_bucket(Bucket=name)
