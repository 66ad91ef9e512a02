"""A full disk, and clients that break off: what was not stored whole is not stored at all."""

import io
import os
import socket

import pytest
from botocore.exceptions import ClientError

from conftest import eventually, fill

MIB = 1024 * 1024


def room(directory):
    disk = os.statvfs(directory)
    return disk.f_bavail * disk.f_frsize


def files(directory):
    """The files of objects, and how long they are."""
    return {path.name: path.stat().st_size for path in (directory / "objects").rglob("*") if path.is_file()}


def test_what_does_not_fit_is_refused_and_leaves_nothing(start, small_disk):
    server = start(data_dir=small_disk)
    s3, bucket = server.client("s3"), "small"
    s3.create_bucket(Bucket=bucket)
    kept = os.urandom(2 * MIB)
    s3.put_object(Bucket=bucket, Key="kept", Body=kept)
    before, roomy = files(small_disk), room(small_disk) - MIB

    def refused(key, body):
        with pytest.raises(ClientError) as error:
            s3.put_object(Bucket=bucket, Key=key, Body=body)
        response = error.value.response
        return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]

    # Longer than the disk: it fills while the object comes.
    assert refused("kept", os.urandom(80 * MIB)) == (507, "InsufficientStorage")
    # The name goes before the bytes do.
    gone = lambda: files(small_disk) == before and room(small_disk) >= roomy
    eventually(gone, timeout=30, what="the torn file to go")
    filler = fill(small_disk)
    assert refused("large", os.urandom(MIB)) == (507, "InsufficientStorage")

    def short_ones_are_refused():
        # What the log of the database had room for is still accepted.
        try:
            s3.put_object(Bucket=bucket, Key=f"short {len(accepted)}", Body=b"x" * 10_000)
        except ClientError as error:
            response = error.response
            assert response["ResponseMetadata"]["HTTPStatusCode"] == 507, response
            assert response["Error"]["Code"] == "InsufficientStorage", response
            return True
        accepted.append(f"short {len(accepted)}")
        return False

    accepted = []
    eventually(short_ones_are_refused, timeout=60, what="a refusal")
    assert s3.get_object(Bucket=bucket, Key="kept")["Body"].read() == kept
    filler.unlink()
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert keys == sorted(["kept", *accepted])
    s3.put_object(Bucket=bucket, Key="large", Body=os.urandom(MIB))
    assert s3.head_object(Bucket=bucket, Key="large")["ContentLength"] == MIB


def test_a_client_that_breaks_off_leaves_nothing(start, tmp_path):
    server = start(data_dir=tmp_path)
    s3, bucket = server.client("s3"), "torn"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    host, port = server.endpoint.removeprefix("http://").split(":")
    for target in (f"/{bucket}/k", f"/{bucket}/parts?partNumber=1&uploadId={upload}"):
        with socket.create_connection((host, int(port))) as connection:
            head = f"PUT {target} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: {8 * MIB}\r\n\r\n"
            connection.sendall(head.encode() + os.urandom(4 * MIB))
            eventually(lambda: sum(files(tmp_path).values()) >= MIB, timeout=30, what="bytes to arrive")
        eventually(lambda: files(tmp_path) == {}, timeout=30, what="the torn file to go")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"before"
    assert "Parts" not in s3.list_parts(Bucket=bucket, Key="parts", UploadId=upload)


def test_a_reader_that_breaks_off_lets_the_object_go(start, tmp_path):
    server = start(data_dir=tmp_path)
    s3, bucket = server.client("s3"), "read"
    s3.create_bucket(Bucket=bucket)
    data = os.urandom(32 * MIB)
    s3.put_object(Bucket=bucket, Key="k", Body=io.BytesIO(data))
    host, port = server.endpoint.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(f"GET /{bucket}/k HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
        begun = connection.recv(1000)
        assert begun.startswith(b"HTTP/1.1 200")
        s3.delete_object(Bucket=bucket, Key="k")
        # Whoever began to read may read to the end.
        assert len(files(tmp_path)) == 1
        head, _, rest = begun.partition(b"\r\n\r\n")
        while len(rest) < 4 * MIB:
            rest += connection.recv(MIB)
        assert data.startswith(rest)
    eventually(lambda: files(tmp_path) == {}, timeout=30, what="the file to go with its last reader")
