"""Lists: whatever the page size, the prefix and the delimiter, they say what is there, once and in order."""

import os
import random

import pytest
from botocore.exceptions import ClientError

PARTS = ["a", "b", "a b", "ü", "z", "a-", "a+", "😀", "%41"]


@pytest.fixture(scope="module")
def keys():
    rng = random.Random(7)
    made = {"/".join(rng.choice(PARTS) for _ in range(rng.randint(1, 3))) for _ in range(60)}
    return sorted(made | {"a/", "//", "b//c", "tail\u0001x"}, key=lambda key: key.encode())


@pytest.fixture(scope="module")
def bucket(server, keys):
    s3 = server.client("s3")
    name = f"lists-{os.urandom(4).hex()}"
    s3.create_bucket(Bucket=name)
    for key in random.sample(keys, len(keys)):
        s3.put_object(Bucket=name, Key=key, Body=key.encode())
    yield name
    for key in keys:
        s3.delete_object(Bucket=name, Key=key)
    s3.delete_bucket(Bucket=name)


def expected(keys, prefix, delimiter, after=""):
    """What a list holds, as S3 documents it: keys, and what the delimiter folds, in one order."""
    found = []
    for key in keys:
        if not key.startswith(prefix) or key.encode() <= after.encode():
            continue
        end = key.find(delimiter, len(prefix)) if delimiter else -1
        item = ("prefix", key[: end + len(delimiter)]) if end >= 0 else ("key", key)
        if not found or found[-1] != item:
            found.append(item)
    return found


def pages(call, token, next_token, limit, **asked):
    while True:
        page = call(MaxKeys=limit, **asked)
        found = [("key", one["Key"]) for one in page.get("Contents", [])]
        found += [("prefix", one["Prefix"]) for one in page.get("CommonPrefixes", [])]
        assert len(found) <= limit and (len(found) == limit or not page["IsTruncated"])
        yield from sorted(found, key=lambda item: item[1].encode())
        if not page["IsTruncated"]:
            return
        asked[token] = page.get(next_token) or page["Contents"][-1]["Key"]


@pytest.mark.parametrize("limit", [1, 3, 1000])
@pytest.mark.parametrize("delimiter", ["", "/", "a", "😀"])
@pytest.mark.parametrize("prefix", ["", "a", "a/", "ü/", "nothing"])
def test_both_lists_say_what_is_there(server, bucket, keys, prefix, delimiter, limit):
    s3 = server.client("s3")
    asked = {"Bucket": bucket, "Prefix": prefix, **({"Delimiter": delimiter} if delimiter else {})}
    wanted = expected(keys, prefix, delimiter)
    assert list(pages(s3.list_objects_v2, "ContinuationToken", "NextContinuationToken", limit, **asked)) == wanted
    assert list(pages(s3.list_objects, "Marker", "NextMarker", limit, **asked)) == wanted


def test_a_list_can_start_behind_any_text(server, bucket, keys):
    s3 = server.client("s3")
    for start in ["a", "a/", "m", "zzz", keys[5]]:
        page = s3.list_objects_v2(Bucket=bucket, StartAfter=start)
        assert [one["Key"] for one in page.get("Contents", [])] == [k for k in keys if k.encode() > start.encode()]
        assert page["KeyCount"] == len(page.get("Contents", [])) and page["StartAfter"] == start


def test_an_entry_says_what_the_object_is(server, bucket):
    s3 = server.client("s3")
    page = s3.list_objects_v2(Bucket=bucket, MaxKeys=1, FetchOwner=True)
    one, head = page["Contents"][0], s3.head_object(Bucket=bucket, Key=page["Contents"][0]["Key"])
    assert (one["ETag"], one["Size"], one["LastModified"].replace(microsecond=0)) == (
        head["ETag"], head["ContentLength"], head["LastModified"],
    )
    assert one["StorageClass"] == "STANDARD" and one["Owner"]["ID"].endswith("000000000000")
    assert "Owner" not in s3.list_objects_v2(Bucket=bucket, MaxKeys=1)["Contents"][0]
    none = s3.list_objects_v2(Bucket=bucket, MaxKeys=0)
    assert (none["KeyCount"], none["IsTruncated"], none["MaxKeys"]) == (0, False, 0)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"MaxKeys": -1}, "Argument maxKeys must be an integer between 0 and 2147483647"),
        ({"EncodingType": "base64"}, "Invalid Encoding Method specified in Request"),
        ({"ContinuationToken": "!"}, "The continuation token provided is incorrect"),
    ],
)
def test_what_no_list_can_be(server, bucket, asked, message):
    with pytest.raises(ClientError) as refused:
        server.client("s3").list_objects_v2(Bucket=bucket, **asked)
    assert (refused.value.response["Error"]["Code"], refused.value.response["Error"]["Message"]) == ("InvalidArgument", message)


def test_the_cli_lists_and_empties(server):
    made = f"cli-{os.urandom(4).hex()}"
    server.aws("s3", "mb", f"s3://{made}")
    s3 = server.client("s3")
    for key in ["top.txt", "in/one.txt", "in/two.txt"]:
        s3.put_object(Bucket=made, Key=key, Body=b"12345")
    listed = server.aws("s3", "ls", f"s3://{made}")
    assert "PRE in/" in listed and listed.rstrip().endswith("5 top.txt")
    assert len(server.aws("s3", "ls", "--recursive", f"s3://{made}").splitlines()) == 3
    server.aws("s3", "rm", f"s3://{made}/in/one.txt")
    assert len(server.aws("s3", "ls", "--recursive", f"s3://{made}").splitlines()) == 2
    server.aws("s3", "rm", f"s3://{made}/in/two.txt")
    server.aws("s3", "rm", f"s3://{made}/top.txt")
    server.aws("s3", "rb", f"s3://{made}")
    assert made not in server.aws("s3", "ls")


def test_the_cli_syncs_removes_and_forces(server, tmp_path):
    made = f"sync-{os.urandom(4).hex()}"
    there, back = tmp_path / "there", tmp_path / "back"
    files = {"a.txt": b"a", "deep/er/b c.bin": os.urandom(9_000_000), "deep/+%41&\u00fc": b"odd"}
    for name, data in files.items():
        (there / name).parent.mkdir(parents=True, exist_ok=True)
        (there / name).write_bytes(data)
    server.aws("s3", "mb", f"s3://{made}")
    server.aws("s3", "sync", "--no-progress", str(there), f"s3://{made}/to")
    assert server.aws("s3", "sync", "--no-progress", str(there), f"s3://{made}/to") == ""  # nothing has changed
    server.aws("s3", "sync", "--no-progress", f"s3://{made}/to", str(back))
    assert {str(path.relative_to(back)): path.read_bytes() for path in back.rglob("*") if path.is_file()} == files
    (there / "a.txt").unlink()
    assert "delete:" in server.aws("s3", "sync", "--delete", str(there), f"s3://{made}/to")
    server.aws("s3", "cp", f"s3://{made}/to/deep/er/b c.bin", f"s3://{made}/copy")
    server.aws("s3", "mv", f"s3://{made}/copy", f"s3://{made}/moved")
    assert server.aws("s3", "ls", f"s3://{made}/moved").split()[2] == "9000000"
    server.aws("s3", "rm", "--recursive", f"s3://{made}/to/deep")
    assert server.aws("s3", "ls", "--recursive", f"s3://{made}").splitlines()[0].endswith(" moved")
    server.aws("s3", "rb", "--force", f"s3://{made}")
    assert made not in server.aws("s3", "ls")
