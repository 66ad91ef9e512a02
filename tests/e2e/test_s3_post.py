"""What browsers post in forms: presigned by boto3, sent as browsers send it, held to what the policy says."""

import base64
import hashlib
import html
import http.client
import json
import os
import re
import urllib.parse

import pytest
from botocore.exceptions import ClientError
from conftest import eventually
from test_s3_memory import MEMORY_MAX, MIB, Made, digest_of

ROOT = {"HEARTH_ROOT_ACCESS_KEY_ID": "ROOTKEY", "HEARTH_ROOT_SECRET_ACCESS_KEY": "root-secret-of-the-tests"}
ROOT_KEYS = {"key": ROOT["HEARTH_ROOT_ACCESS_KEY_ID"], "secret": ROOT["HEARTH_ROOT_SECRET_ACCESS_KEY"]}
BOUNDARY = "----a-browsers-boundary"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"
# As S3 writes it, two spaces and all.
MISSING = "Bucket POST must contain a field named '{}'.  If it is specified, please check the order of the fields."


def part(name, value, filename=None):
    file = f'; filename="{filename}"' if filename is not None else ""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
    return head.encode() + (value if isinstance(value, bytes) else value.encode()) + b"\r\n"


def form(fields, file=b"hello", filename="a.txt", after=()):
    parts = [part(name, value) for name, value in fields.items()]
    if file is not None:
        parts.append(part("file", file, filename))
    parts += [part(name, value) for name, value in after]
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read().decode()

    def element(self, name):
        found = re.search(f"<{name}>(.*?)</{name}>", self.body, re.S)
        return found and html.unescape(found[1])

    def refusal(self):
        return self.status, self.element("Code"), self.element("Message")


def send(server, path, body, content_type=CONTENT_TYPE, method="POST", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    if content_type:
        headers["Content-Type"] = content_type
    connection.request(method, path, body, headers)
    answer = Answer(connection.getresponse())
    connection.close()
    return answer


def post(server, presigned, file=b"hello", filename="a.txt", after=(), **changed):
    """Sends a form as boto3 presigned it, with some fields changed or, for None, left out."""
    fields = {**presigned["fields"], **{name.replace("_", "-"): value for name, value in changed.items()}}
    fields = {name: value for name, value in fields.items() if value is not None}
    return send(server, urllib.parse.urlsplit(presigned["url"]).path, form(fields, file, filename, after))


@pytest.fixture(params=["s3v4", "s3"])
def version(request):
    return request.param


@pytest.fixture(scope="module")
def s3(server):
    return server.client("s3", signature_version="s3v4")


@pytest.fixture(scope="module")
def bucket(s3):
    name = f"post-{os.urandom(4).hex()}"
    s3.create_bucket(Bucket=name)
    return name


def test_a_presigned_form_puts_an_object(server, bucket, version):
    s3 = server.client("s3", signature_version=version)
    data = os.urandom(100_000)
    answer = post(server, s3.generate_presigned_post(bucket, "in/a b.bin"), data)
    etag = f'"{hashlib.md5(data).hexdigest()}"'
    assert (answer.status, answer.body, answer.headers["ETag"]) == (204, "", etag)
    assert answer.headers["Location"] == f"{server.endpoint}/{bucket}/in%2Fa%20b.bin"
    assert "Content-Type" not in answer.headers and answer.headers["x-amz-request-id"]
    assert answer.headers["x-amz-checksum-type"] == "FULL_OBJECT" and answer.headers["x-amz-checksum-crc64nvme"]
    found = s3.get_object(Bucket=bucket, Key="in/a b.bin")
    assert (found["Body"].read(), found["ETag"], found["ContentType"]) == (data, etag, "binary/octet-stream")


def test_the_fields_say_what_the_object_is(s3, server, bucket):
    tagging = "<Tagging><TagSet><Tag><Key>team</Key><Value>red &#x2B; blue</Value></Tag></TagSet></Tagging>"
    fields = {
        "Content-Type": "text/css", "Cache-Control": "no-store", "Content-Disposition": 'inline; filename="ü"',
        "Expires": "Wed, 21 Oct 2035 07:28:00 GMT", "x-amz-meta-NAME": "ö", "x-amz-meta-empty": "",
        "x-amz-storage-class": "STANDARD_IA", "tagging": tagging, "x-amz-server-side-encryption": "AES256",
        "x-ignore-me": "whatever",
    }
    conditions = [{name: value} for name, value in fields.items() if name != "x-ignore-me"]
    answer = post(server, s3.generate_presigned_post(bucket, "described", fields, conditions))
    assert answer.status == 204 and answer.headers["x-amz-server-side-encryption"] == "AES256", answer.body
    head = s3.head_object(Bucket=bucket, Key="described")
    assert (head["ContentType"], head["CacheControl"], head["StorageClass"]) == ("text/css", "no-store", "STANDARD_IA")
    assert head["ResponseMetadata"]["HTTPHeaders"]["expires"] == "Wed, 21 Oct 2035 07:28:00 GMT"
    assert head["Metadata"]["empty"] == "" and "name" in head["Metadata"]
    tags = s3.get_object_tagging(Bucket=bucket, Key="described")["TagSet"]
    assert tags == [{"Key": "team", "Value": "red + blue"}]
    wrong = {"tagging": "team=red"}
    answer = post(server, s3.generate_presigned_post(bucket, "k", wrong, [["starts-with", "$tagging", ""]]))
    assert answer.refusal()[:2] == (400, "MalformedXML")
    for wrong, code in [
        ({"x-amz-storage-class": "COLD"}, "InvalidStorageClass"), ({"acl": "public"}, "InvalidArgument"),
        ({"x-amz-meta-large": "x" * 2048}, "MetadataTooLarge"), ({"Cache-Control": "a\nb"}, "InvalidArgument"),
    ]:
        conditions = [["starts-with", f"${name}", ""] for name in wrong]
        answer = post(server, s3.generate_presigned_post(bucket, "none", wrong, conditions))
        assert answer.refusal()[:2] == (400, code)
    assert "none" not in [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]]


def test_checksums_and_digests_are_held_to(s3, server, bucket):
    def posted(**fields):
        fields = {name.replace("_", "-"): value for name, value in fields.items()}
        conditions = [{name: value} for name, value in fields.items()]
        return post(server, s3.generate_presigned_post(bucket, "summed", fields, conditions), b"123456789")

    crc = base64.b64encode(0xCBF43926.to_bytes(4, "big")).decode()
    sha = base64.b64encode(hashlib.sha256(b"123456789").digest()).decode()
    md5 = base64.b64encode(hashlib.md5(b"123456789").digest()).decode()
    answer = posted(x_amz_checksum_crc32=crc, x_amz_checksum_algorithm="CRC32")
    assert (answer.status, answer.headers["x-amz-checksum-crc32"]) == (204, crc)
    assert s3.head_object(Bucket=bucket, Key="summed", ChecksumMode="ENABLED")["ChecksumCRC32"] == crc
    assert posted(x_amz_checksum_sha256=sha, Content_MD5=md5).status == 204
    assert posted(x_amz_checksum_crc32="AAAAAA==").refusal()[:2] == (400, "BadDigest")
    assert posted(x_amz_checksum_crc32="sailor").refusal()[:2] == (400, "InvalidRequest")
    assert posted(x_amz_checksum_algorithm="CRC32").refusal()[:2] == (400, "InvalidRequest")
    assert posted(Content_MD5=base64.b64encode(bytes(16)).decode()).refusal()[:2] == (400, "BadDigest")


def test_the_answer_is_as_the_form_wants_it(s3, server, bucket):
    def posted(**fields):
        return post(server, s3.generate_presigned_post(bucket, "dir/k", fields, [{n: v} for n, v in fields.items()]))

    location, etag = f"{server.endpoint}/{bucket}/dir%2Fk", f'"{hashlib.md5(b"hello").hexdigest()}"'
    assert (posted(success_action_status="200").status, posted(success_action_status="404").status) == (200, 204)
    answer = posted(success_action_status="201")
    assert (answer.status, answer.headers["Content-Type"]) == (201, "application/xml")
    assert answer.body.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<PostResponse><Location>')
    said = [answer.element(name) for name in ("Location", "Bucket", "Key", "ETag")]
    assert said == [location, bucket, "dir/k", etag]
    assert (answer.headers["Location"], answer.headers["ETag"]) == (location, etag)
    answer = posted(success_action_redirect="https://page.example/done?a=b")
    result = f"bucket={bucket}&key=dir%2Fk&etag=%22{etag[1:-1]}%22"
    assert (answer.status, answer.body) == (303, "")
    assert answer.headers["Location"] == f"https://page.example/done?a=b&{result}"
    assert posted(success_action_redirect="/relative").status == 204
    presigned = s3.generate_presigned_post(bucket, "dir/k")
    answer = send(server, "/", form(presigned["fields"]), Host=f"{bucket}.localhost:{server.port}")
    assert answer.headers["Location"] == f"http://{bucket}.localhost:{server.port}/dir%2Fk"


def test_a_key_may_be_made_of_the_files_name(s3, server, bucket):
    presigned = s3.generate_presigned_post(bucket, "named/${filename}")
    assert post(server, presigned, b"1", filename="C:\\dir\\one.txt").status == 204
    assert post(server, presigned, b"2", filename="dir/two.txt").status == 204
    # A text area has no name at all.
    assert post(server, presigned, b"3", filename=None).status == 204
    found = s3.list_objects_v2(Bucket=bucket, Prefix="named/")["Contents"]
    assert [one["Key"] for one in found] == ["named/${filename}", "named/one.txt", "named/two.txt"]


def denied(what):
    return 403, "AccessDenied", f"Invalid according to Policy: {what}"


def test_the_policy_decides(s3, server, bucket):
    def presign(fields={}, conditions=[], key="k", **more):
        return s3.generate_presigned_post(bucket, key, fields, conditions, **more)

    def failed(condition):
        return denied(f"Policy Condition failed: {condition}")

    assert post(server, presign(ExpiresIn=-1)).refusal() == denied("Policy expired.")
    assert post(server, presign(), key="l").refusal() == failed('["eq", "$key", "k"]')
    starts = presign(key="in/${filename}")
    assert post(server, starts, key="out/k").refusal() == failed('["starts-with", "$key", "in/"]')
    assert post(server, presign(), acl="private").refusal() == denied("Extra input fields: acl")
    images = [["starts-with", "$Content-Type", "image/"]]
    assert post(server, presign({"Content-Type": "image/png"}, images)).status == 204
    refused = post(server, presign({"Content-Type": "text/html"}, images))
    assert refused.refusal() == failed('["starts-with", "$Content-Type", "image/"]')
    # Names are of either case, values are not.
    full = "bucket-owner-full-control"
    assert post(server, presign({"ACL": full}, [{"aCl": full}])).status == 204
    assert post(server, presign({"acl": full.upper()}, [{"acl": full}])).refusal()[0] == 403
    other = f"{bucket}-other"
    s3.create_bucket(Bucket=other)
    presigned = {**presign(), "url": f"{server.endpoint}/{other}"}
    assert post(server, presigned).refusal() == failed(f'["eq", "$bucket", "{bucket}"]')
    assert "Contents" not in s3.list_objects_v2(Bucket=other)
    two = presign(conditions=[{"acl": "private", "x-amz-meta-a": "b"}])
    assert post(server, two).refusal() == (
        400, "InvalidPolicyDocument",
        "Invalid Policy: Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.",
    )
    for policy, message in [
        ("not Base64!", "invalid Base64 encoding."), (base64.b64encode(b"expiration"), "Invalid JSON."),
        (base64.b64encode(b'{"conditions": []}'), "Policy missing expiration."),
    ]:
        policy = policy if isinstance(policy, str) else policy.decode()
        assert post(server, presign(), policy=policy).refusal() == (
            400, "InvalidPolicyDocument", f"Invalid Policy: {message}"
        )


def test_the_policy_says_how_long_a_file_may_be(s3, server, bucket):
    presigned = s3.generate_presigned_post(bucket, "sized", Conditions=[["content-length-range", 5, 40_000]])
    for size in (5, 40_000):
        assert post(server, presigned, b"x" * size).status == 204
    answer = post(server, presigned, b"1234")
    assert answer.refusal() == (400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
    assert (answer.element("ProposedSize"), answer.element("MinSizeAllowed")) == ("4", "5")
    answer = post(server, presigned, b"x" * 3_000_000)
    assert answer.refusal() == (400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
    assert (answer.element("ProposedSize"), answer.element("MaxSizeAllowed")) == ("3000000", "40000")
    assert s3.head_object(Bucket=bucket, Key="sized")["ContentLength"] == 40_000


def test_what_is_no_form_is_refused(s3, server, bucket):
    fields, path = {"key": "nothing"}, f"/{bucket}"

    def refusal(body, content_type=CONTENT_TYPE, path=path, **headers):
        return send(server, path, body, content_type, **headers).refusal()

    malformed = (400, "MalformedPOSTRequest", "The body of your POST request is not well-formed multipart/form-data.")
    whole = form(fields)
    for broken in (b"", b"key=k", whole[:-8], whole[: whole.index(b"hello")]):
        assert refusal(broken) == malformed
    assert refusal(whole, "multipart/form-data") == malformed
    answer = send(server, "/", b"key=k", "text/html", Host=f"{bucket}.s3.localhost")
    assert answer.refusal()[:2] == (412, "PreconditionFailed")
    assert answer.element("Condition") == "Bucket POST must be of the enclosure-type multipart/form-data"
    one_file = (400, "InvalidArgument", "POST requires exactly one file upload per request.")
    assert refusal(form(fields, None)) == one_file
    assert refusal(form(fields, after=[("file", "another")])) == one_file
    assert refusal(form({})) == (400, "InvalidArgument", MISSING.format("key"))
    # What is behind the file means nothing.
    assert refusal(form({}, after=[("key", "k")])) == (400, "InvalidArgument", MISSING.format("key"))
    assert refusal(form({"key": ""})) == (400, "InvalidArgument", "User key must have a length greater than 0.")
    assert refusal(form({"key": "x" * 1025}))[:2] == (400, "KeyTooLongError")
    answer = send(server, path, form({**fields, "x-ignore-this": "x" * 20_480}))
    assert answer.refusal()[:2] == (400, "MaxPostPreDataLengthExceeded")
    assert answer.element("MaxPostPreDataLengthBytes") == "20480"
    assert refusal(whole, path="/no-such-bucket-at-all")[:2] == (404, "NoSuchBucket")
    answer = send(server, f"{path}/key", whole)
    assert answer.refusal()[:2] == (405, "MethodNotAllowed") and answer.element("ResourceType") == "OBJECT"
    answer = send(server, path, None, Content_Length=str(6 << 30), Expect="100-continue")
    assert answer.refusal()[:2] == (400, "EntityTooLarge") and answer.element("MaxSizeAllowed") == str(5 << 30)
    assert "nothing" not in [one["Key"] for one in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def test_versions_and_notifications_know_a_form(s3, server):
    bucket = f"post-{os.urandom(4).hex()}"
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    sqs, events = server.client("sqs"), server.client("events")

    def queue(principal):
        name = f"post-{os.urandom(4).hex()}"
        arn = f"arn:aws:sqs:us-east-1:000000000000:{name}"
        allow = {"Effect": "Allow", "Principal": {"Service": principal}, "Action": "sqs:SendMessage", "Resource": arn}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
        return sqs.create_queue(QueueName=name, Attributes={"Policy": policy})["QueueUrl"], arn

    (told, told_arn), (bussed, bussed_arn) = queue("s3.amazonaws.com"), queue("events.amazonaws.com")
    events.put_rule(Name=bucket, EventPattern=json.dumps({"source": ["aws.s3"], "detail": {"bucket": {"name": [bucket]}}}))
    events.put_targets(Rule=bucket, Targets=[{"Id": "q", "Arn": bussed_arn}])
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={
        "QueueConfigurations": [{"QueueArn": told_arn, "Events": ["s3:ObjectCreated:Post"]}],
        "EventBridgeConfiguration": {},
    })

    def message(url, wanted):
        def found():
            for one in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", []):
                if wanted in (body := json.loads(one["Body"])):
                    return body
        return eventually(found, timeout=30, what=f"a message with {wanted}")

    s3.put_object(Bucket=bucket, Key="put", Body=b"not told")
    answer = post(server, s3.generate_presigned_post(bucket, "a b"))
    version = s3.head_object(Bucket=bucket, Key="a b")["VersionId"]
    assert (answer.status, answer.headers["x-amz-version-id"]) == (204, version)
    [record] = message(told, "Records")["Records"]
    assert (record["eventName"], record["s3"]["object"]["key"]) == ("ObjectCreated:Post", "a+b")
    assert record["s3"]["object"]["versionId"] == version
    reasons = {message(bussed, "detail")["detail"]["reason"] for _ in range(2)}
    assert reasons == {"PutObject", "POST Object"}


class World:
    """A server that demands signatures, its root, and a bucket."""

    def __init__(self, start):
        self.server = start("--auth", environment=ROOT)
        self.root = self.server.client("s3", signature_version="s3v4", **ROOT_KEYS)
        self.bucket = f"post-{os.urandom(4).hex()}"
        self.root.create_bucket(Bucket=self.bucket)

    def presign(self, key="k", fields={}, conditions=[], s3=None):
        return (s3 or self.root).generate_presigned_post(self.bucket, key, fields, conditions)


@pytest.fixture
def world(start):
    return World(start)


def test_the_signature_is_the_credentials(world, version):
    server = world.server
    s3 = server.client("s3", signature_version=version, **ROOT_KEYS)
    presigned = world.presign(s3=s3)
    assert post(server, presigned).status == 204
    name, shown = ("x-amz-signature", "X-Amz-Signature") if version == "s3v4" else ("signature", "Signature")
    key = ("x-amz-credential", "X-Amz-Credential") if version == "s3v4" else ("AWSAccessKeyId", "AWSAccessKeyId")
    stranger = server.client("s3", signature_version=version, key="ROOTKEY", secret="another")
    forged = world.presign(s3=stranger)
    answer = post(server, forged)
    assert answer.refusal()[:2] == (403, "SignatureDoesNotMatch")
    policy = forged["fields"]["policy"]
    assert (answer.element("AWSAccessKeyId"), answer.element("StringToSign")) == ("ROOTKEY", policy)
    assert answer.element("SignatureProvided") == forged["fields"][name]
    assert bytes.fromhex(answer.element("StringToSignBytes")).decode() == policy
    # A policy is proven before it is read.
    assert post(server, presigned, policy=presigned["fields"]["policy"][:-2]).refusal()[1] == "SignatureDoesNotMatch"
    unknown = server.client("s3", signature_version=version, key="AKIANOBODY", secret="x")
    answer = post(server, world.presign(s3=unknown))
    assert answer.refusal()[:2] == (403, "InvalidAccessKeyId") and answer.element("AWSAccessKeyId") == "AKIANOBODY"
    for field, spelled in [(name, shown), key, ("policy", "policy")]:
        answer = post(server, presigned, **{field: None})
        assert answer.refusal() == (400, "InvalidArgument", MISSING.format(spelled))
        assert (answer.element("ArgumentName"), answer.element("ArgumentValue")) == (spelled, "")


def test_a_credential_is_for_the_buckets_region_and_for_s3(world):
    server, presigned = world.server, world.presign()
    credential = presigned["fields"]["x-amz-credential"]

    def refusal(**changed):
        answer = post(server, presigned, **changed)
        return answer.refusal()[1:], answer.element("ArgumentName")

    for old, new, message in [
        ("us-east-1", "eu-west-1", "the region 'eu-west-1' is wrong; expecting 'us-east-1'"),
        ("/s3/", "/ec2/", 'incorrect service "ec2". This endpoint belongs to "s3".'),
        ("aws4_request", "aws", 'incorrect terminal "aws". This endpoint uses "aws4_request".'),
        ("ROOTKEY", "", "a non-empty Access Key (AKID) must be provided in the credential."),
        ("ROOTKEY/", "", 'the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".'),
    ]:
        found = refusal(x_amz_credential=credential.replace(old, new))
        assert found == (("InvalidArgument", message), "X-Amz-Credential")
    assert refusal(x_amz_date="2024-05-06")[1] == "X-Amz-Date"
    assert refusal(x_amz_algorithm="AWS4-HMAC-SHA1")[1] == "X-Amz-Algorithm"
    europe = server.client("s3", region="eu-west-1", signature_version="s3v4", **ROOT_KEYS)
    bucket = f"{world.bucket}-eu"
    europe.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    assert post(server, europe.generate_presigned_post(bucket, "k")).status == 204
    answer = post(server, world.root.generate_presigned_post(bucket, "k"))
    assert answer.refusal() == (400, "InvalidArgument", "the region 'us-east-1' is wrong; expecting 'eu-west-1'")
    assert answer.element("Region") == "eu-west-1"


def test_a_signer_may_what_its_policies_allow(world):
    server, bucket = world.server, world.bucket
    iam, sts = server.client("iam", **ROOT_KEYS), server.client("sts", **ROOT_KEYS)
    iam.create_user(UserName="sam")
    made = iam.create_access_key(UserName="sam")["AccessKey"]
    sam = server.client("s3", signature_version="s3v4", key=made["AccessKeyId"], secret=made["SecretAccessKey"])

    def let(*actions, **more):
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": f"arn:aws:s3:::{bucket}/in/*", **more}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName="sam", PolicyName="p", PolicyDocument=document)

    presigned = world.presign("in/k", s3=sam)
    status, code, message = post(server, presigned).refusal()
    assert (status, code) == (403, "AccessDenied") and "s3:PutObject" in message
    let("s3:PutObject")
    assert post(server, presigned).status == 204
    assert post(server, world.presign("out/k", s3=sam)).refusal()[:2] == (403, "AccessDenied")
    tagging = {"tagging": "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"}
    tagged = world.presign("in/k", tagging, [tagging], s3=sam)
    assert "s3:PutObjectTagging" in post(server, tagged).refusal()[2]
    let("s3:PutObject", "s3:PutObjectTagging", Condition={"StringEquals": {"s3:RequestObjectTag/a": "b", "s3:authType": "POST"}})
    assert post(server, tagged).status == 204
    assert post(server, presigned).refusal()[0] == 403
    with pytest.raises(ClientError):
        sam.put_object(Bucket=bucket, Key="in/k", Body=b"x", Tagging="a=b")
    # Temporary credentials bring their token.
    session = sts.get_session_token()["Credentials"]
    keys = {"key": session["AccessKeyId"], "secret": session["SecretAccessKey"], "token": session["SessionToken"]}
    presigned = world.presign(s3=server.client("s3", signature_version="s3v4", **keys))
    assert post(server, presigned).status == 204
    assert post(server, presigned, x_amz_security_token=None).refusal()[:2] == (403, "InvalidAccessKeyId")
    assert post(server, presigned, x_amz_security_token="other").refusal()[:2] == (400, "InvalidToken")


def test_nobody_posts_only_where_everybody_may(world):
    server, root, bucket = world.server, world.root, world.bucket
    anonymous = form({"key": "public/k", "Content-Type": "text/plain"})
    assert send(server, f"/{bucket}", anonymous).refusal() == (403, "AccessDenied", "Access Denied")
    # A policy that nobody signed lets nobody in.
    fields = world.presign()["fields"]
    unsigned = form({"key": fields["key"], "policy": fields["policy"]})
    assert send(server, f"/{bucket}", unsigned).refusal()[:2] == (403, "AccessDenied")
    root.delete_public_access_block(Bucket=bucket)
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/public/*"}
    root.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    assert send(server, f"/{bucket}", anonymous).status == 204
    assert root.get_object(Bucket=bucket, Key="public/k")["ContentType"] == "text/plain"
    assert send(server, f"/{bucket}", form({"key": "private/k"})).refusal()[:2] == (403, "AccessDenied")


def test_a_page_of_another_site_may_post_what_is_signed(world):
    """A form needs no rule, as on AWS; what the page may read of the answer does."""
    server, root, bucket = world.server, world.root, world.bucket
    browser = {"Origin": "https://page.example", "Sec_Fetch_Site": "cross-site"}
    body = form(world.presign()["fields"])
    answer = send(server, f"/{bucket}", body, **browser)
    assert answer.status == 204 and "Access-Control-Allow-Origin" not in answer.headers
    rule = {"AllowedOrigins": ["https://page.example"], "AllowedMethods": ["POST"], "ExposeHeaders": ["ETag"]}
    root.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    answer = send(server, f"/{bucket}", body, **browser)
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (204, "https://page.example")
    assert answer.headers["Access-Control-Expose-Headers"] == "ETag"
    refused = send(server, f"/{bucket}", form({"key": "k"}), **browser)
    assert refused.status == 403 and refused.headers["Access-Control-Allow-Origin"] == "https://page.example"


def test_a_long_file_stands_in_no_memory(start, data_dir):
    server = start(data_dir=data_dir)
    s3 = server.client("s3", signature_version="s3v4")
    s3.create_bucket(Bucket="large")
    size = 100 * 1000 * 1000
    fields = s3.generate_presigned_post("large", "k", Conditions=[["content-length-range", size, size]])["fields"]
    head, _, tail = form(fields, b"FILE").partition(b"FILE")
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.putrequest("POST", "/large")
    connection.putheader("Content-Type", CONTENT_TYPE)
    connection.putheader("Content-Length", str(len(head) + size + len(tail)))
    connection.endheaders()
    connection.send(head)
    file = Made(size)
    while piece := file.read(MIB):
        connection.send(piece)
    connection.send(tail)
    assert connection.getresponse().status == 204
    assert digest_of(s3.get_object(Bucket="large", Key="k")["Body"]) == digest_of(Made(size))
    status = open(f"/proc/{server.process.pid}/status").read()
    most = int(re.search(r"VmHWM:\s+(\d+)", status)[1]) * 1024
    print(f"\na form of {size / 1e6:.0f} MB: the server had at most {most / 1e6:.1f} MB")
    assert most < MEMORY_MAX
