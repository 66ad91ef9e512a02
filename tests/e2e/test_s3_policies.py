"""Who may do what in S3: identity policies, bucket policies, lists of access, what is blocked of the public."""

import json
import os
import urllib.error
import urllib.request

import pytest
from botocore.exceptions import ClientError

ROOT = {"HEARTH_ROOT_ACCESS_KEY_ID": "ROOTKEY", "HEARTH_ROOT_SECRET_ACCESS_KEY": "root-secret-of-the-tests"}


def error(call, **asked):
    with pytest.raises(ClientError) as refused:
        call(**asked)
    return refused.value.response["ResponseMetadata"]["HTTPStatusCode"], refused.value.response["Error"]["Code"]


def message(call, **asked):
    with pytest.raises(ClientError) as refused:
        call(**asked)
    return refused.value.response["Error"]["Message"]


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def fetch(url, method="GET", body=None):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=body, method=method), timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()


class World:
    """A server that demands signatures, its root, a user, and a bucket with an object."""

    def __init__(self, server):
        self.server = server
        keys = {"key": ROOT["HEARTH_ROOT_ACCESS_KEY_ID"], "secret": ROOT["HEARTH_ROOT_SECRET_ACCESS_KEY"]}
        self.root = server.client("s3", **keys)
        self.iam = server.client("iam", **keys)
        self.iam.create_user(UserName="sam")
        made = self.iam.create_access_key(UserName="sam")["AccessKey"]
        self.sam = server.client("s3", key=made["AccessKeyId"], secret=made["SecretAccessKey"])
        self.bucket = f"policies-{os.urandom(4).hex()}"
        self.arn = f"arn:aws:s3:::{self.bucket}"
        self.root.create_bucket(Bucket=self.bucket)
        self.root.put_object(Bucket=self.bucket, Key="a/k", Body=b"hello", Tagging="team=red")

    def let_sam(self, *actions, effect="Allow", resource="*", **more):
        text = document({"Effect": effect, "Action": list(actions), "Resource": resource, **more})
        self.iam.put_user_policy(UserName="sam", PolicyName="p", PolicyDocument=text)

    def policy(self, *statements):
        self.root.put_bucket_policy(Bucket=self.bucket, Policy=document(*statements))

    def url(self, key="a/k"):
        return f"{self.server.endpoint}/{self.bucket}/{key}"


@pytest.fixture
def world(start):
    return World(start("--auth", environment=ROOT))


def test_a_user_may_what_its_own_policies_allow(world):
    b, sam = world.bucket, world.sam
    said = message(sam.get_object, Bucket=b, Key="a/k")
    assert said == (
        'User: arn:aws:iam::000000000000:user/sam is not authorized to perform: s3:GetObject on resource: '
        f'"{world.arn}/a/k" because no identity-based policy allows the s3:GetObject action'
    )
    assert error(sam.list_buckets) == (403, "AccessDenied")
    assert error(sam.create_bucket, Bucket="not-sams-bucket") == (403, "AccessDenied")
    world.let_sam("s3:GetObject", resource=f"{world.arn}/a/*")
    assert sam.get_object(Bucket=b, Key="a/k")["Body"].read() == b"hello"
    # What is not there is a secret to whoever may not list.
    assert error(sam.get_object, Bucket=b, Key="a/none") == (403, "AccessDenied")
    assert error(sam.put_object, Bucket=b, Key="a/k", Body=b"x") == (403, "AccessDenied")
    world.let_sam("s3:GetObject", "s3:ListBucket")
    assert error(sam.get_object, Bucket=b, Key="a/none") == (404, "NoSuchKey")
    world.let_sam("s3:*")
    assert [one["Name"] for one in sam.list_buckets()["Buckets"]] == [b]
    world.let_sam("s3:*", effect="Deny")
    assert message(sam.list_objects_v2, Bucket=b).endswith("with an explicit deny in an identity-based policy")


def test_headers_and_copies_need_permissions_of_their_own(world):
    b, sam = world.bucket, world.sam
    world.let_sam("s3:PutObject")
    sam.put_object(Bucket=b, Key="mine", Body=b"x")
    assert "s3:PutObjectTagging" in message(sam.put_object, Bucket=b, Key="mine", Body=b"x", Tagging="a=b")
    assert "s3:GetObject" in message(sam.copy_object, Bucket=b, Key="copy", CopySource=f"{b}/a/k")
    world.let_sam("s3:PutObject", "s3:GetObject", "s3:GetObjectTagging", "s3:PutObjectTagging")
    sam.copy_object(Bucket=b, Key="copy", CopySource=f"{b}/a/k")
    world.let_sam("s3:DeleteObject", resource=f"{world.arn}/mine")
    gone = sam.delete_objects(Bucket=b, Delete={"Objects": [{"Key": "mine"}, {"Key": "a/k"}]})
    assert [one["Key"] for one in gone["Deleted"]] == ["mine"]
    assert [(one["Key"], one["Code"]) for one in gone["Errors"]] == [("a/k", "AccessDenied")]


def test_a_bucket_policy_allows_and_denies_under_conditions(world):
    b, sam = world.bucket, world.sam
    user = {"AWS": "arn:aws:iam::000000000000:user/sam"}
    world.policy(
        {"Effect": "Allow", "Principal": user, "Action": "s3:ListBucket", "Resource": world.arn,
         "Condition": {"StringLike": {"s3:prefix": "a/*"}}},
        {"Effect": "Allow", "Principal": user, "Action": "s3:GetObject", "Resource": f"{world.arn}/*",
         "Condition": {"StringEquals": {"s3:ExistingObjectTag/team": "red"}}},
        {"Effect": "Allow", "Principal": user, "Action": ["s3:PutObject", "s3:PutObjectTagging"],
         "Resource": f"{world.arn}/*", "Condition": {"StringEquals": {"s3:RequestObjectTag/team": "blue"}}},
    )
    assert [one["Key"] for one in sam.list_objects_v2(Bucket=b, Prefix="a/")["Contents"]] == ["a/k"]
    assert error(sam.list_objects_v2, Bucket=b) == (403, "AccessDenied")
    assert sam.get_object(Bucket=b, Key="a/k")["Body"].read() == b"hello"
    sam.put_object(Bucket=b, Key="a/blue", Body=b"x", Tagging="team=blue")
    assert error(sam.put_object, Bucket=b, Key="a/red", Body=b"x", Tagging="team=red") == (403, "AccessDenied")
    assert error(sam.get_object, Bucket=b, Key="a/blue") == (403, "AccessDenied")
    world.policy({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [world.arn, f"{world.arn}/*"]})
    assert message(world.root.get_object, Bucket=b, Key="a/k").endswith(
        "with an explicit deny in a resource-based policy"
    )
    # The root cannot lock itself out.
    world.root.delete_bucket_policy(Bucket=b)
    assert world.root.get_object(Bucket=b, Key="a/k")["Body"].read() == b"hello"


def test_the_public_comes_in_only_where_it_is_let_in(world):
    b, root = world.bucket, world.root
    assert fetch(world.url())[0] == 403
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"{world.arn}/*"}
    assert error(root.put_bucket_policy, Bucket=b, Policy=document(statement)) == (403, "AccessDenied")
    root.put_public_access_block(Bucket=b, PublicAccessBlockConfiguration={"RestrictPublicBuckets": True})
    world.policy(statement)
    assert fetch(world.url())[0] == 403
    root.delete_public_access_block(Bucket=b)
    assert fetch(world.url()) == (200, b"hello")
    status, body = fetch(world.url("none"))
    assert status == 403 and b"<Message>Access Denied</Message>" in body
    assert fetch(world.url(), "PUT", b"x")[0] == 403 and fetch(world.url(""))[0] == 403
    root.delete_bucket_policy(Bucket=b)
    assert fetch(world.url())[0] == 403
    root.put_bucket_ownership_controls(
        Bucket=b, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    )
    root.put_bucket_acl(Bucket=b, ACL="public-read-write")
    assert fetch(f"{world.server.endpoint}/{b}?list-type=2")[0] == 200
    assert fetch(world.url("anybody"), "PUT", b"x")[0] == 200
    assert fetch(world.url())[0] == 403
    root.put_public_access_block(Bucket=b, PublicAccessBlockConfiguration={"IgnorePublicAcls": True})
    assert fetch(world.url("anybody"), "PUT", b"x")[0] == 403
    # A signed URL is its signer's.
    for version in ("s3v4", "s3"):
        signer = world.server.client(
            "s3", key=ROOT["HEARTH_ROOT_ACCESS_KEY_ID"], secret=ROOT["HEARTH_ROOT_SECRET_ACCESS_KEY"],
            signature_version=version,
        )
        assert fetch(signer.generate_presigned_url("get_object", {"Bucket": b, "Key": "a/k"})) == (200, b"hello"), version


def test_another_account_needs_the_buckets_leave(server):
    """While no credentials are configured, a key of twelve digits is an account's."""
    mine, other = server.client("s3"), server.client("s3", key="222222222222")
    bucket = f"policies-{os.urandom(4).hex()}"
    arn = f"arn:aws:s3:::{bucket}"
    mine.create_bucket(Bucket=bucket)
    mine.put_object(Bucket=bucket, Key="k", Body=b"hello")
    assert error(other.get_object, Bucket=bucket, Key="k") == (403, "AccessDenied")
    assert error(other.delete_bucket, Bucket=bucket) == (403, "AccessDenied")
    assert error(other.create_bucket, Bucket=bucket) == (409, "BucketAlreadyExists")
    mine.put_bucket_policy(Bucket=bucket, Policy=document(
        {"Effect": "Allow", "Principal": {"AWS": "222222222222"}, "Action": "s3:GetObject", "Resource": f"{arn}/*"}
    ))
    assert other.get_object(Bucket=bucket, Key="k")["Body"].read() == b"hello"
    assert error(other.put_object, Bucket=bucket, Key="k", Body=b"x") == (403, "AccessDenied")
    # Even here, what a policy denies is denied to everybody.
    mine.put_bucket_policy(Bucket=bucket, Policy=document(
        {"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject", "Resource": f"{arn}/*"}
    ))
    assert error(mine.delete_object, Bucket=bucket, Key="k") == (403, "AccessDenied")
    mine.delete_bucket_policy(Bucket=bucket)
    for owner, outcome in (("222222222222", (403, "AccessDenied")), ("me", (400, "InvalidBucketOwnerAWSAccountID"))):
        assert error(mine.get_bucket_cors, Bucket=bucket, ExpectedBucketOwner=owner) == outcome
        assert error(mine.put_object, Bucket=bucket, Key="x", Body=b"", ExpectedBucketOwner=owner) == outcome
    mine.delete_object(Bucket=bucket, Key="k")
    mine.delete_bucket(Bucket=bucket)


def test_a_bucket_is_found_from_another_region(server):
    bucket = f"policies-{os.urandom(4).hex()}"
    there = server.client("s3", region="eu-west-1")
    there.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    there.put_object(Bucket=bucket, Key="k", Body=b"hello")
    done = server.aws("s3api", "get-object", "--bucket", bucket, "--key", "k", "/dev/null", check=False)
    # The client goes to the region that it is told.
    assert done.returncode == 0, done.stderr
    here = server.client("s3", region="us-west-2")
    assert here.get_bucket_location(Bucket=bucket)["LocationConstraint"] == "eu-west-1"
    assert here.head_bucket(Bucket=bucket)["BucketRegion"] == "eu-west-1"
    url = server.client("s3", region="us-west-2", signature_version="s3v4").generate_presigned_url(
        "get_object", {"Bucket": bucket, "Key": "k"}
    )
    status, body = fetch(url)
    assert status == 400 and b"<Region>eu-west-1</Region>" in body
    there.delete_object(Bucket=bucket, Key="k")
    there.delete_bucket(Bucket=bucket)


def test_a_bucket_is_made_with_the_tags_that_a_policy_demands(world):
    name = f"{world.bucket}-tagged"
    demanded = {"StringEquals": {"aws:RequestTag/team": "red"}, "ForAllValues:StringEquals": {"aws:TagKeys": ["team", "env"]}}
    world.let_sam("s3:CreateBucket", "s3:TagResource", Condition=demanded)

    def made_with(**tags):
        wanted = [{"Key": key, "Value": value} for key, value in tags.items()]
        return {"Bucket": name, "CreateBucketConfiguration": {"Tags": wanted}}

    for wanted in ({"Bucket": name}, made_with(team="blue"), made_with(env="test"), made_with(team="red", other="x")):
        assert error(world.sam.create_bucket, **wanted) == (403, "AccessDenied")
    world.sam.create_bucket(**made_with(team="red", env="test"))
    tags = world.root.get_bucket_tagging(Bucket=name)["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"team": "red", "env": "test"}
