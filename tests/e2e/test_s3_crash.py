"""`kill -9` under load: no acknowledged object is lost, no deleted one comes back, none is ever torn, no file is left over.

`HEARTH_TEST_CRASHES` sets how often the server is killed; a few times in CI, hundreds by hand.
"""

import hashlib
import os
import random
import threading

from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError, ResponseStreamingError
from conftest import eventually

CRASHES = int(os.environ.get("HEARTH_TEST_CRASHES", "4"))
FAILURES = (BotoCoreError, ClientError, ReadTimeoutError, ResponseStreamingError, ConnectionError)
PART = 5 * 1024 * 1024
# What is longer has a file of its own.
ROW = 16 * 1024
SIZES = [40, 5_000, ROW, ROW + 1, 200_000, 1_500_000]
ABSENT = None


def content(size):
    """Bytes that prove themselves: a digest, and what it is of."""
    rest = random.randbytes(max(size - 32, 1))
    return hashlib.sha256(rest).digest() + rest


def proven(body):
    return hashlib.sha256(body[32:]).digest() == body[:32]


def name_of(body):
    return hashlib.sha256(body).hexdigest()


class Worker:
    """Writes keys that are its own, so that it knows what each must be: the last it was told, or the one it was not told of.

    A state is what an object holds and how many files that takes; of a key that keeps versions, there is one per version.
    """

    def __init__(self, load, number, bucket, versioned):
        self.load, self.bucket, self.versioned = load, bucket, versioned
        self.keys = [f"{number}/{n}" for n in range(3)]
        self.copies = [f"{number}/copy-{n}" for n in range(2)]
        self.told = {}  # by key and version (none without versions), the state
        self.asked = None  # the key, and the states that one unanswered call may have made
        self.current = {}

    def run(self):
        self.s3 = self.load.server.client("s3")
        while not self.load.stop.is_set():
            try:
                random.choice([self.put, self.put, self.put, self.multipart, self.copy, self.delete, self.abort])()
            except FAILURES:
                return
            self.load.count()

    def wrote(self, key, state, answer):
        version = answer.get("VersionId")
        self.told[key, version] = state
        self.current[key] = version
        self.asked = None

    def put(self):
        key, body = random.choice(self.keys), content(random.choice(SIZES))
        state = (name_of(body), int(len(body) > ROW))
        self.asked = (key, state)
        self.wrote(key, state, self.s3.put_object(Bucket=self.bucket, Key=key, Body=body))

    def multipart(self):
        key, body = random.choice(self.keys), content(PART + random.choice([100, 300_000]))
        pieces = [body[:PART], body[PART:]]
        at = {"Bucket": self.bucket, "Key": key}
        at["UploadId"] = self.s3.create_multipart_upload(**at)["UploadId"]
        sent = [
            self.s3.upload_part(**at, PartNumber=number, Body=piece) for number, piece in enumerate(pieces, 1)
        ]
        if random.random() < 0.3:  # one that nobody will want
            self.s3.upload_part(**at, PartNumber=3, Body=content(100_000))
        parts = [{"PartNumber": number, "ETag": part["ETag"]} for number, part in enumerate(sent, 1)]
        state = (name_of(body), sum(len(piece) > ROW for piece in pieces))
        self.asked = (key, state)
        self.wrote(key, state, self.s3.complete_multipart_upload(**at, MultipartUpload={"Parts": parts}))

    def abort(self):
        at = {"Bucket": self.bucket, "Key": random.choice(self.keys)}
        at["UploadId"] = self.s3.create_multipart_upload(**at)["UploadId"]
        self.s3.upload_part(**at, PartNumber=1, Body=content(200_000))
        if random.random() < 0.5:
            self.s3.abort_multipart_upload(**at)

    def copy(self):
        source = random.choice(self.keys)
        found = self.told.get((source, self.current.get(source)), ABSENT)
        if found is ABSENT:
            return self.put()
        key = random.choice(self.copies)
        state = (found[0], min(found[1], 1))  # a copy of parts is one whole
        self.asked = (key, state)
        self.wrote(key, state, self.s3.copy_object(Bucket=self.bucket, Key=key, CopySource=f"{self.bucket}/{source}"))

    def delete(self):
        key = random.choice(self.keys + self.copies)
        version = self.current.get(key)
        if self.versioned and version and random.random() < 0.5:
            self.asked = (key, ABSENT, version)
            self.s3.delete_object(Bucket=self.bucket, Key=key, VersionId=version)
            del self.told[key, version]
            self.current[key] = None
            self.asked = None
        else:
            self.asked = (key, ABSENT)
            self.wrote(key, ABSENT, self.s3.delete_object(Bucket=self.bucket, Key=key))

    def check(self, s3):
        """What is there is what was told, but for the one call that was not answered; that is told now."""
        found, asked = self.look(s3), self.asked or (None, ABSENT)
        for at, digest in found.items():
            # A marker is there, too: it is not the same as nothing that was told.
            if at in self.told and digest == (self.told[at] and self.told[at][0]):
                continue
            new = not self.versioned or at not in self.told
            written = len(asked) == 2 and at[0] == asked[0] and digest == (asked[1] and asked[1][0])
            assert new and written, f"{at} is what nobody wrote"
            self.told[at] = asked[1]
            asked = (None, ABSENT)
        for at, state in list(self.told.items()):
            if at not in found and (self.versioned or state is not ABSENT):
                which = (at[1],) if self.versioned else ()
                assert (at[0], ABSENT, *which) == asked, f"{at} was acknowledged and is lost"
                del self.told[at]
        self.asked = None
        self.current = {key: version for (key, version), state in self.told.items() if state is not ABSENT}

    def look(self, s3):
        """What there is of this worker's, by key and version: digests of contents, nothing for a marker."""
        keys = self.keys + self.copies
        if not self.versioned:
            listed = s3.list_objects_v2(Bucket=self.bucket, Prefix=keys[0].split("/")[0] + "/").get("Contents", [])
            return {(one["Key"], None): self.read(s3, one["Key"]) for one in listed}
        found, pages = {}, s3.get_paginator("list_object_versions")
        for page in pages.paginate(Bucket=self.bucket, Prefix=keys[0].split("/")[0] + "/"):
            for one in page.get("Versions", []):
                at = one["Key"], one["VersionId"]
                found[at] = self.read(s3, at[0], VersionId=at[1])
            for one in page.get("DeleteMarkers", []):
                found[one["Key"], one["VersionId"]] = ABSENT
        return found

    def read(self, s3, key, **which):
        body = s3.get_object(Bucket=self.bucket, Key=key, **which)["Body"].read()
        assert proven(body), f"{key} is torn"
        return name_of(body)


class Load:
    """Workers, and readers that must never see half of anything."""

    def __init__(self, server):
        self.server, self.stop, self.lock = server, threading.Event(), threading.Lock()
        self.calls, self.reads, self.torn = 0, 0, []
        self.workers = [Worker(self, n, ("plain", "kept")[n % 2], n % 2 == 1) for n in range(6)]

    def count(self):
        with self.lock:
            self.calls += 1

    def reader(self):
        s3 = self.server.client("s3")
        while not self.stop.is_set():
            worker = random.choice(self.workers)
            key = random.choice(worker.keys + worker.copies)
            try:
                body = s3.get_object(Bucket=worker.bucket, Key=key)["Body"].read()
            except ClientError as refused:
                if refused.response["Error"]["Code"] == "NoSuchKey":
                    continue
                return
            except Exception:  # the kill breaks it off in more ways than botocore has names for
                return
            with self.lock:
                self.reads += 1
                if not proven(body):
                    self.torn.append(key)


def files(data_dir):
    return [path for path in (data_dir / "objects").glob("??/*") if path.is_file()]


def abort_all(s3, bucket):
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
        for one in page.get("Uploads", []):
            s3.abort_multipart_upload(Bucket=bucket, Key=one["Key"], UploadId=one["UploadId"])


def test_kills_at_any_moment_lose_nothing_tear_nothing_and_leave_nothing(start, data_dir):
    server = start(data_dir=data_dir)
    s3 = server.client("s3")
    s3.create_bucket(Bucket="plain")
    s3.create_bucket(Bucket="kept")
    s3.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    load, most = Load(server), 0
    for _ in range(CRASHES):
        load.stop.clear()
        threads = [threading.Thread(target=worker.run) for worker in load.workers]
        threads += [threading.Thread(target=load.reader) for _ in range(2)]
        wanted = load.calls + random.randint(5, 60)
        [thread.start() for thread in threads]
        eventually(lambda: load.calls >= wanted, timeout=60, what="some changes")
        server.kill()
        load.stop.set()
        [thread.join() for thread in threads]
        server.start()
        s3 = server.client("s3")
        for worker in load.workers:
            worker.check(s3)
        assert not load.torn, f"{load.torn} were seen torn"
        for bucket in ("plain", "kept"):
            abort_all(s3, bucket)
        # One file for each content that is too long for a row, and no other.
        states = [state for worker in load.workers for state in worker.told.values() if state is not ABSENT]
        expected = sum(state[1] for state in states)
        eventually(lambda: len(files(data_dir)) <= expected, what="the removal of files that no object has")
        assert len(files(data_dir)) == expected
        most = max(most, expected)

    for worker in load.workers:
        for key, version in worker.told:
            s3.delete_object(Bucket=worker.bucket, Key=key, **({"VersionId": version} if version else {}))
    server.kill()
    server.start()
    s3 = server.client("s3")
    s3.delete_bucket(Bucket="plain")
    s3.delete_bucket(Bucket="kept")
    eventually(lambda: not files(data_dir), what="the last file's removal")
    print(f"\n{CRASHES} kills: {load.calls} changes acknowledged, {load.reads} reads under load, at most {most} files")
