"""Objects pass through the server; they never stand in its memory.

`HEARTH_TEST_OBJECT_MB` sets their size: a few hundred in CI, 5000 by hand.
"""

import hashlib
import io
import os
import threading

import pytest
from boto3.s3.transfer import TransferConfig

MIB = 1024 * 1024
SIZE = int(os.environ.get("HEARTH_TEST_OBJECT_MB", "256")) * 1000 * 1000
MEMORY_MAX = 100 * 1000 * 1000


class Made(io.RawIOBase):
    """Bytes without a disk or a memory of their own: each piece says where it stands, and the rest is noise."""

    NOISE = os.urandom(MIB - 8)

    def __init__(self, size):
        self.size, self.at = size, 0

    def readable(self):
        return True

    def seekable(self):
        return True

    def tell(self):
        return self.at

    def seek(self, offset, whence=io.SEEK_SET):
        self.at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self.at, io.SEEK_END: self.size}[whence]
        return self.at

    def read(self, count=-1):
        left = self.size - self.at
        count = left if count is None or count < 0 else min(count, left)
        taken = []
        while count > 0:
            piece, within = divmod(self.at, MIB)
            bytes = (piece.to_bytes(8, "big") + self.NOISE)[within : within + count]
            taken.append(bytes)
            self.at += len(bytes)
            count -= len(bytes)
        return b"".join(taken)


class Digest:
    """Where a download goes: a digest, and no more."""

    def __init__(self):
        self.sha, self.size = hashlib.sha256(), 0

    def write(self, bytes):
        self.sha.update(bytes)
        self.size += len(bytes)
        return len(bytes)


def digest_of(source):
    digest = Digest()
    while piece := source.read(MIB):
        digest.write(piece)
    return digest.sha.hexdigest(), digest.size


@pytest.fixture(scope="module")
def expected():
    return digest_of(Made(SIZE))


class Watched:
    """A server, and the most memory that it ever had."""

    def __init__(self, start, data_dir):
        self.server = start(data_dir=data_dir)
        self.s3 = self.server.client("s3")
        self.s3.create_bucket(Bucket="large")

    def most(self):
        """As the kernel counts it: no sample misses a peak."""
        status = open(f"/proc/{self.server.process.pid}/status").read().splitlines()
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))

    def stays_small(self, what):
        most = self.most()
        print(f"\n{what} of {SIZE / 1e6:.0f} MB: the server had at most {most / 1e6:.1f} MB")
        assert most < MEMORY_MAX, f"{what}: {most / 1e6:.1f} MB"


@pytest.fixture
def watched(start, data_dir):
    return Watched(start, data_dir)


def test_an_object_written_whole_stands_in_no_memory(watched, expected):
    s3 = watched.s3
    s3.put_object(Bucket="large", Key="k", Body=Made(SIZE))
    watched.stays_small("a PUT")
    assert digest_of(s3.get_object(Bucket="large", Key="k")["Body"]) == expected
    watched.stays_small("a GET")


def test_an_object_of_parts_stands_in_no_memory(watched, expected):
    s3 = watched.s3
    config = TransferConfig(multipart_threshold=16 * MIB, multipart_chunksize=16 * MIB, max_concurrency=10)
    s3.upload_fileobj(Made(SIZE), "large", "k", Config=config)
    watched.stays_small("an upload in parts")
    assert s3.head_object(Bucket="large", Key="k")["ETag"].endswith(f'-{-(-SIZE // (16 * MIB))}"')
    digest = Digest()
    digest.seekable = lambda: False  # so that the transfer manager hands its pieces over in order
    s3.download_fileobj("large", "k", digest, Config=config)
    assert (digest.sha.hexdigest(), digest.size) == expected
    watched.stays_small("a download in ranges")
    # A copy of parts reads them all.
    s3.copy({"Bucket": "large", "Key": "k"}, "large", "copy", Config=config)
    assert digest_of(s3.get_object(Bucket="large", Key="copy")["Body"]) == expected
    watched.stays_small("a copy")


def test_readers_that_do_not_read_hold_little(watched):
    s3 = watched.s3
    size = min(SIZE, 64 * MIB)
    s3.put_object(Bucket="large", Key="k", Body=Made(size))
    idle = [s3.get_object(Bucket="large", Key="k")["Body"] for _ in range(8)]
    read = [threading.Thread(target=digest_of, args=(s3.get_object(Bucket="large", Key="k")["Body"],)) for _ in range(2)]
    [one.start() for one in read]
    [one.join() for one in read]
    watched.stays_small("eight idle readers")
    [one.close() for one in idle]
