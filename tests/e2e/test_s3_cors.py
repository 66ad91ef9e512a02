"""What web pages of other sites may do with buckets: what CORS rules say."""

import os
import urllib.error
import urllib.request

import pytest

PAGE = "https://page.example"
BROWSER = {"Sec-Fetch-Site": "cross-site"}


@pytest.fixture
def bucket(server):
    s3 = server.client("s3")
    name = f"cors-{os.urandom(4).hex()}"
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="k", Body=b"hello")
    yield name
    s3.delete_object(Bucket=name, Key="k")
    s3.delete_bucket(Bucket=name)


def ask(server, path, method="GET", body=None, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(f"{server.endpoint}/{path}", data=body, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.headers, refused.read()


def rules(server, bucket, *rules):
    server.client("s3").put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": list(rules)})


def preflight(server, path, method, origin=PAGE, **more):
    return ask(server, path, "OPTIONS", Origin=origin, Access_Control_Request_Method=method, **BROWSER, **more)


def test_a_preflight_is_answered_from_the_rules(server, bucket):
    status, _, body = preflight(server, f"{bucket}/k", "PUT")
    assert status == 403 and b"CORS is not enabled for this bucket" in body
    rules(
        server, bucket,
        {"AllowedOrigins": ["https://*.example"], "AllowedMethods": ["PUT", "GET"], "AllowedHeaders": ["x-amz-*"],
         "ExposeHeaders": ["ETag", "x-amz-request-id"], "MaxAgeSeconds": 600},
        {"AllowedOrigins": ["*"], "AllowedMethods": ["GET"]},
    )
    status, headers, _ = preflight(
        server, f"{bucket}/k", "PUT", Access_Control_Request_Headers="X-Amz-Date,x-amz-acl"
    )
    assert status == 200
    assert headers["Access-Control-Allow-Origin"] == PAGE
    assert headers["Access-Control-Allow-Methods"] == "PUT, GET"
    assert headers["Access-Control-Allow-Headers"] == "x-amz-date, x-amz-acl"
    assert headers["Access-Control-Expose-Headers"] == "ETag, x-amz-request-id"
    assert headers["Access-Control-Max-Age"] == "600"
    assert headers["Access-Control-Allow-Credentials"] == "true"
    assert "Origin" in headers["Vary"]
    assert preflight(server, f"{bucket}/k", "GET", origin="http://b.test")[1]["Access-Control-Allow-Origin"] == "*"
    assert preflight(server, f"{bucket}/k", "PUT", origin="http://b.test")[0] == 403
    assert preflight(server, f"{bucket}/k", "PUT", Access_Control_Request_Headers="content-type")[0] == 403
    assert preflight(server, f"{bucket}/k", "DELETE")[0] == 403
    status, _, body = preflight(server, "no-such-bucket-at-all/k", "GET")
    assert status == 403 and b"Bucket not found" in body
    assert ask(server, f"{bucket}/k", "OPTIONS")[0] == 400


def test_answers_tell_pages_what_they_may_read(server, bucket):
    rules(server, bucket, {"AllowedOrigins": [PAGE], "AllowedMethods": ["GET", "PUT"], "ExposeHeaders": ["ETag"]})
    status, headers, body = ask(server, f"{bucket}/k", Origin=PAGE, **BROWSER)
    assert (status, body) == (200, b"hello")
    assert headers["Access-Control-Allow-Origin"] == PAGE and headers["Access-Control-Expose-Headers"] == "ETag"
    # Refusals, too.
    status, headers, _ = ask(server, f"{bucket}/none", Origin=PAGE, **BROWSER)
    assert status == 404 and headers["Access-Control-Allow-Origin"] == PAGE
    # A client that is no browser hears nothing of it.
    assert "Access-Control-Allow-Origin" not in ask(server, f"{bucket}/k")[1]


def test_a_foreign_page_changes_nothing_without_a_rule(server, bucket):
    put = dict(method="PUT", body=b"evil")
    for headers in ({"Origin": PAGE, **BROWSER}, {"Origin": PAGE}, BROWSER):
        assert ask(server, f"{bucket}/evil", **put, **headers)[0] == 403, headers
        assert ask(server, f"{bucket}/k", method="DELETE", **headers)[0] == 403, headers
    rules(server, bucket, {"AllowedOrigins": [PAGE], "AllowedMethods": ["PUT"], "AllowedHeaders": ["*"]})
    assert ask(server, f"{bucket}/evil", **put, Origin="https://other.example", **BROWSER)[0] == 403
    assert ask(server, f"{bucket}/k", method="DELETE", Origin=PAGE, **BROWSER)[0] == 403
    form = {"Content-Type": "multipart/form-data; boundary=x", "Origin": PAGE, **BROWSER}
    assert ask(server, bucket, method="POST", body=b"--x--", **form)[0] == 403
    assert ask(server, f"{bucket}/k", **put, Origin=PAGE, **BROWSER)[0] == 200
    found = server.client("s3").list_objects_v2(Bucket=bucket)["Contents"]
    assert [one["Key"] for one in found] == ["k"]


def test_without_a_rule_a_page_may_ask_and_hears_nothing(server, bucket):
    """The browser keeps the answer from it; pictures and scripts are shown all the same."""
    other = {"AllowedOrigins": ["https://other.example"], "AllowedMethods": ["GET"]}
    for configured in (False, True):
        if configured:
            rules(server, bucket, other)
        for headers in ({"Origin": PAGE, **BROWSER}, {"Origin": PAGE}, BROWSER):
            for method in ("GET", "HEAD"):
                status, told, body = ask(server, f"{bucket}/k", method, **headers)
                assert (status, body) == (200, b"hello" if method == "GET" else b""), headers
                assert not [name for name in told if name.lower().startswith("access-control-")]
            assert ask(server, f"{bucket}?list-type=2", **headers)[0] == 200, headers
    assert preflight(server, f"{bucket}/k", "GET")[0] == 403


def test_where_signatures_are_demanded_no_page_is_feared(start):
    root = {"HEARTH_ROOT_ACCESS_KEY_ID": "ROOTKEY", "HEARTH_ROOT_SECRET_ACCESS_KEY": "root-secret-of-the-tests"}
    server = start("--auth", environment=root)
    s3 = server.client("s3", key="ROOTKEY", secret="root-secret-of-the-tests", signature_version="s3v4")
    s3.create_bucket(Bucket="feared")
    url = s3.generate_presigned_url("put_object", {"Bucket": "feared", "Key": "k"})
    path = url.removeprefix(f"{server.endpoint}/")
    status, headers, _ = ask(server, path, "PUT", b"signed", Origin=PAGE, **BROWSER)
    assert status == 200 and "Access-Control-Allow-Origin" not in headers
    assert ask(server, "feared/k", "PUT", b"unsigned", Origin=PAGE, **BROWSER)[0] == 403
    assert s3.get_object(Bucket="feared", Key="k")["Body"].read() == b"signed"
