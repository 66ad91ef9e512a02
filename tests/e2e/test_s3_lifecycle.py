"""Objects, versions and uploads that go by themselves: by rules, at midnight, in virtual time."""

import json

import pytest
from botocore.exceptions import ClientError
from conftest import eventually


@pytest.fixture
def world(start, data_dir):
    server = start("--time", "virtual", data_dir=data_dir)
    s3 = server.client("s3")
    s3.create_bucket(Bucket="rules")
    return server, s3


def error(call, **asked):
    with pytest.raises(ClientError) as refused:
        call(**asked)
    return refused.value.response["ResponseMetadata"]["HTTPStatusCode"], refused.value.response["Error"]["Code"]


def follow(s3, *rules):
    rules = [{"ID": f"rule-{n}", "Status": "Enabled", "Filter": {}, **rule} for n, rule in enumerate(rules)]
    s3.put_bucket_lifecycle_configuration(Bucket="rules", LifecycleConfiguration={"Rules": rules})


def keys(s3):
    return [one["Key"] for one in s3.list_objects_v2(Bucket="rules").get("Contents", [])]


def versions(s3):
    found = s3.list_object_versions(Bucket="rules")
    return len(found.get("Versions", [])), len(found.get("DeleteMarkers", []))


def test_objects_expire_by_prefix_tag_and_size(world):
    server, s3 = world
    follow(
        s3,
        {"Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 30}},
        {"Filter": {"And": {"Prefix": "logs/", "Tags": [{"Key": "keep", "Value": "no"}]}}, "Expiration": {"Days": 1}},
        {"Filter": {"ObjectSizeGreaterThan": 100}, "Expiration": {"Days": 2}},
    )
    told = s3.put_object(Bucket="rules", Key="tmp/a", Body=b"x")["Expiration"]
    assert 'rule-id="rule-0"' in told and "00:00:00 GMT" in told
    assert s3.head_object(Bucket="rules", Key="tmp/a")["Expiration"] == told
    s3.put_object(Bucket="rules", Key="logs/no", Body=b"x", Tagging="keep=no")
    assert "Expiration" not in s3.put_object(Bucket="rules", Key="logs/yes", Body=b"x", Tagging="keep=yes")
    s3.put_object(Bucket="rules", Key="big", Body=b"x" * 101)
    server.hearth("time", "advance", "2d")
    assert keys(s3) == ["big", "logs/yes", "tmp/a"]
    server.hearth("time", "advance", "1d")
    assert keys(s3) == ["logs/yes", "tmp/a"]
    # It goes on after a kill.
    server.kill()
    server.start()
    s3 = server.client("s3")
    server.hearth("time", "advance", "28d")
    assert keys(s3) == ["logs/yes"]


def test_versions_markers_and_uploads_go(world):
    server, s3 = world
    s3.put_bucket_versioning(Bucket="rules", VersioningConfiguration={"Status": "Enabled"})
    for n in range(4):
        s3.put_object(Bucket="rules", Key="k", Body=str(n).encode())
    upload = s3.create_multipart_upload(Bucket="rules", Key="u")["UploadId"]
    s3.upload_part(Bucket="rules", Key="u", UploadId=upload, PartNumber=1, Body=b"x")
    follow(
        s3,
        {"NoncurrentVersionExpiration": {"NoncurrentDays": 1, "NewerNoncurrentVersions": 1}},
        {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 3}},
    )
    server.hearth("time", "advance", "2d")
    assert versions(s3) == (2, 0) and s3.get_object(Bucket="rules", Key="k")["Body"].read() == b"3"
    assert s3.list_parts(Bucket="rules", Key="u", UploadId=upload)["Parts"]
    server.hearth("time", "advance", "2d")
    assert error(s3.list_parts, Bucket="rules", Key="u", UploadId=upload) == (404, "NoSuchUpload")
    follow(s3, {"Expiration": {"Days": 1}, "NoncurrentVersionExpiration": {"NoncurrentDays": 2}})
    eventually(lambda: versions(s3)[1] == 1, what="a delete marker")
    assert keys(s3) == []
    server.hearth("time", "advance", "4d")
    assert versions(s3) == (0, 0)


def test_what_goes_is_told(world):
    server, s3 = world
    sqs = server.client("sqs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn}
    ]}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    s3.put_bucket_notification_configuration(Bucket="rules", NotificationConfiguration={
        "QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:LifecycleExpiration:*"]}]
    })
    s3.put_object(Bucket="rules", Key="k", Body=b"x")
    follow(s3, {"Expiration": {"Days": 1}})
    server.hearth("time", "advance", "2d")

    def told():
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            for record in json.loads(message["Body"]).get("Records", []):
                return record

    record = eventually(told, what="the event")
    assert record["eventName"] == "LifecycleExpiration:Delete"
    assert record["userIdentity"] == {"principalId": "s3.amazonaws.com"}
    assert record["s3"]["object"]["key"] == "k"


def test_rules_are_kept_and_checked(world):
    _, s3 = world
    follow(s3, {"Filter": {"Prefix": "a"}, "Expiration": {"Days": 3}})
    found = s3.get_bucket_lifecycle_configuration(Bucket="rules")
    assert found["Rules"] == [
        {"ID": "rule-0", "Status": "Enabled", "Filter": {"Prefix": "a"}, "Expiration": {"Days": 3}}
    ]
    assert found["TransitionDefaultMinimumObjectSize"] == "all_storage_classes_128K"

    def refused(**rule):
        rule = {"Status": "Enabled", "Filter": {}, **rule}
        return error(
            s3.put_bucket_lifecycle_configuration, Bucket="rules", LifecycleConfiguration={"Rules": [rule]}
        )

    assert refused() == (400, "InvalidRequest")
    assert refused(Expiration={"Days": 0}) == (400, "InvalidArgument")
    assert refused(Expiration={}) == (400, "MalformedXML")
    assert refused(Expiration={"Date": "2026-01-01T10:00:00Z"}) == (400, "InvalidArgument")
    assert refused(Status="On", Expiration={"Days": 1}) == (400, "MalformedXML")
    tagged = {"Tag": {"Key": "a", "Value": "b"}}
    assert refused(Filter=tagged, Expiration={"ExpiredObjectDeleteMarker": True}) == (400, "InvalidRequest")
    assert refused(
        Filter=tagged, AbortIncompleteMultipartUpload={"DaysAfterInitiation": 1}
    ) == (400, "InvalidRequest")
    assert refused(Transitions=[{"Days": 1, "StorageClass": "GLACIER"}]) == (501, "NotImplemented")
    s3.delete_bucket_lifecycle(Bucket="rules")
    assert error(s3.get_bucket_lifecycle_configuration, Bucket="rules") == (404, "NoSuchLifecycleConfiguration")
