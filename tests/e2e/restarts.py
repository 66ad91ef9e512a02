"""What it takes to end a server in the middle of something: ways to hold a transition there, and to see what it left."""

import hashlib
import json
import os
import socketserver
import sqlite3
import threading

from conftest import eventually

# How a server may end, by the name of the method that ends it.
ENDINGS = ("kill", "stop")
# The last number of a function's or a layer's versions, so that no number is used twice.
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-versions.html
NUMBERS = {"lambda.version_numbers", "lambda.layers"}


class Listener(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True


class Gate:
    """Where functions wait until the test lets them on: each says a word, and is told the gate's answer."""

    def __init__(self):
        self.words, self.answers = [], {}
        self.changed = threading.Condition()

        class Handler(socketserver.StreamRequestHandler):
            def handle(handler):
                word = handler.rfile.readline().decode().strip()
                with self.changed:
                    self.words.append(word)
                    answer = self.changed.wait_for(lambda: self.answers.get(word) or self.answers.get(None))
                handler.wfile.write(answer.encode())

        self.listener = Listener(("127.0.0.1", 0), Handler)
        self.port = self.listener.server_address[1]
        threading.Thread(target=self.listener.serve_forever, daemon=True).start()

    def code(self):
        """`wait(word)` for a function in Python."""
        return f"""
import socket
def wait(word):
    with socket.create_connection(("host.docker.internal", {self.port}), timeout=60) as gate:
        gate.sendall(word.encode() + b"\\n")
        return gate.recv(100).decode()
"""

    def open(self, answer="go", word=None):
        """For those who say the word; without one, for all."""
        with self.changed:
            self.answers[word] = answer
            self.changed.notify_all()

    def shut(self):
        with self.changed:
            self.answers.clear()

    def until(self, word, times=1):
        """Waits until so many have said a word, since ever."""
        eventually(lambda: self.words.count(word) >= times, timeout=30, what=f"{times} functions that said {word}")

    def close(self):
        self.open()
        self.listener.shutdown()
        self.listener.server_close()


class Presence:
    """How many environments there are: each keeps a connection open for as long as it lives."""

    def __init__(self):
        self.count, lock = 0, threading.Lock()

        class Handler(socketserver.StreamRequestHandler):
            def handle(handler):
                with lock:
                    self.count += 1
                handler.rfile.read()
                with lock:
                    self.count -= 1

        self.listener = Listener(("127.0.0.1", 0), Handler)
        self.port = self.listener.server_address[1]
        threading.Thread(target=self.listener.serve_forever, daemon=True).start()

    def code(self):
        """For a function in Python, before its handler."""
        return f"""
import socket
presence = socket.create_connection(("host.docker.internal", {self.port}))
"""

    def close(self):
        self.listener.shutdown()
        self.listener.server_close()


class Held:
    """A package that cannot be read to its end before it is let go: whatever unpacks it stays in the middle."""

    def __init__(self, data_dir, package):
        digest = hashlib.sha256(package).hexdigest()
        self.package, self.path = package, data_dir / "blobs" / digest[:2] / digest[2:4] / digest
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.unlink(missing_ok=True)
        os.mkfifo(self.path)
        # As reader and writer, so that neither has to wait for the other.
        self.pipe = os.open(self.path, os.O_RDWR)

    def let_go(self, content=None):
        """Whoever reads gets the package, or what is there instead of it."""
        whole = self.path.with_suffix(".whole")
        whole.write_bytes(self.package if content is None else content)
        os.replace(whole, self.path)
        os.write(self.pipe, self.package if content is None else content)
        os.close(self.pipe)


def rows(data_dir, database="meta", prefix=""):
    """What is stored, as {table: {key: value}}."""
    with sqlite3.connect(f"file:{data_dir / database}.db?mode=ro", uri=True) as connection:
        found = connection.execute("SELECT tbl, key, value FROM entries").fetchall()
    tables = {}
    for table, key, value in found:
        if table.startswith(prefix):
            tables.setdefault(table, {})[bytes(key)] = value
    return tables


def rewrite(data_dir, table, change):
    """Changes every record of a table of a server that does not run."""
    with sqlite3.connect(data_dir / "meta.db") as connection:
        found = connection.execute("SELECT key, value FROM entries WHERE tbl = ?", (table,)).fetchall()
        for key, value in found:
            changed = json.dumps(change(json.loads(value)))
            connection.execute("UPDATE entries SET value = ? WHERE tbl = ? AND key = ?", (changed, table, key))
    connection.close()


def blobs(data_dir):
    return [path.name for path in (data_dir / "blobs").glob("*/*/*")] + list((data_dir / "blobs" / "tmp").glob("*"))


def packages(data_dir):
    return [path.name for path in (data_dir / "code").iterdir() if path.name != ".boot-id"]


def assert_nothing_left(server, data_dir):
    """After one more start, what was deleted has left neither row nor file. Packages are collected at a start."""
    server.stop()
    server.start()
    left = {table for table, records in rows(data_dir, prefix="lambda.").items() if records} - NUMBERS
    assert left == set(), f"rows are left: {rows(data_dir, prefix='lambda.')}"
    eventually(lambda: not any(rows(data_dir, "events", "deliveries.").values()), what="no event being on its way")
    assert blobs(data_dir) == []
    eventually(lambda: packages(data_dir) == [], what="no package being unpacked")
