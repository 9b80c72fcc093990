"""null_mongo counts what comes: pymongo, which is not the sink's driver, inserts documents that are known, and some that are wrong."""
import json
import signal
import socket
import struct
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
import bench_sink
import bson
import cases
from bench import TOOLS, Failure
from millrace_local import free_ports
from pymongo import InsertOne, MongoClient, WriteConcern
from pymongo.errors import OperationFailure

SECONDS = 10


class World:
    """A server of its own for each test: end() is what it says."""

    def __init__(self):
        self.port, self.child = *free_ports(1), None

    def start(self, *more):
        self.child = subprocess.Popen([TOOLS / "null_mongo", str(self.port), *more], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                return socket.create_connection(("127.0.0.1", self.port), 1).close()
            except ConnectionRefusedError:
                assert time.monotonic() < deadline and self.child.poll() is None
                time.sleep(0.01)

    def client(self):
        return MongoClient("127.0.0.1", self.port, serverSelectionTimeoutMS=SECONDS * 1000)

    def end(self):
        self.child.send_signal(signal.SIGTERM)
        out, errors = self.child.communicate(timeout=SECONDS)
        assert self.child.returncode == 0, errors
        return json.loads(out)

    def close(self):
        if self.child and self.child.poll() is None:
            self.child.kill()
            self.child.communicate()


def document(number, **more):
    return {"_id": bson.Binary(struct.pack(">q", number) * 5), "value": 1.5, **more}


def counted(said):
    return said["documents"], said["distinct"], said["broken"]


def with_world(*arguments):
    def decorate(test):
        def run():
            world = World()
            try:
                world.start(*arguments)
                test(world)
            finally:
                world.close()
        run.__name__, run.__doc__ = test.__name__, test.__doc__
        return run
    return decorate


@with_world()
def test_every_document_is_counted_once(world):
    """Of several sizes of inserts, larger than any buffer, over several connections."""
    sizes, number, size = (1, 999, 30_000, 7), 0, 0
    for length in sizes:
        with world.client() as client:
            docs = [document(number + i, text="x" * (i % 700)) for i in range(length)]
            collection = client.test.get_collection("minutely", write_concern=WriteConcern("majority", wtimeout=5000))
            assert len(collection.insert_many(docs, ordered=False).inserted_ids) == length
            number, size = number + length, size + sum(len(bson.encode(doc)) for doc in docs)
    said = world.end()
    assert counted(said) == (number, number, 0) and said["bytes"] == size, said


@with_world()
def test_a_repeated_id_shows(world):
    """In another insert, in the same one; not in another collection."""
    with world.client() as client:
        client.test.minutely.insert_many([document(i) for i in range(100)])
        client.test.hourly.insert_many([document(i) for i in range(100)])
        client.test.minutely.bulk_write([InsertOne(document(i)) for i in (5, 1000, 1000)], ordered=False)
    assert counted(world.end()) == (203, 201, 0)


@with_world()
def test_what_has_no_binary_id_is_broken(world):
    with world.client() as client:
        client.test.minutely.insert_many([{"_id": 5}, document(1), {"_id": "text"}])
    assert counted(world.end()) == (3, 1, 2)


@with_world()
def test_documents_in_the_body_of_a_command(world):
    with world.client() as client:
        assert client.test.command("insert", "minutely", documents=[document(1), document(2)])["n"] == 2
    assert counted(world.end()) == (2, 2, 0)


@with_world()
def test_other_commands(world):
    """Those that the sink has beside insert are taken; what is unknown is refused as a server would."""
    with world.client() as client:
        assert client.admin.command("ping")["ok"] == 1
        assert client.test.command("createIndexes", "minutely", indexes=[{"key": {"t": 1}, "name": "t"}])["ok"] == 1
        assert list(client.test.minutely.list_indexes()) == []
        try:
            client.test.command("find", "minutely")
            raise AssertionError("find was answered")
        except OperationFailure as failure:
            assert failure.code == 59
    assert counted(world.end()) == (0, 0, 0)


@with_world("--ages")
def test_ages(world):
    """Half of the documents are one second old, some are five; the first, which are older, are forgotten."""
    with world.client() as client:
        def insert(first, count, seconds):
            then = datetime.now(timezone.utc) - timedelta(seconds=seconds)
            client.test.minutely.insert_many([document(first + i, last_at=then) for i in range(count)])
        insert(0, 1000, 50)
        world.child.send_signal(signal.SIGUSR1)
        client.admin.command("ping")  # came later than the signal, and so was read later
        insert(1000, 95, 1)
        insert(2000, 5, 5)
    said = world.end()
    assert 1000 <= said["p50_ms"] < 1900 and 5000 <= said["p99_ms"] < 5900, said


def test_the_bench_fails_when_a_document_is_missing():
    whole = {"documents": 10, "distinct": 10, "broken": 0}
    bench_sink.check(whole, 10)
    for wrong in ({"documents": 9, "distinct": 9}, {"documents": 11}, {"distinct": 9}, {"broken": 1}):
        try:
            bench_sink.check({**whole, **wrong}, 10)
        except Failure:
            continue
        raise AssertionError(f"{wrong} was let through")


def test_what_is_no_message_ends_it():
    """Lengths that lie, an unknown operation: an error, not a count."""
    body = bson.encode({"insert": "minutely", "$db": "test"})
    doc = bson.encode(document(1))
    cases_of_garbage = {
        "length below the header": struct.pack("<iiii", 4, 1, 0, 2013),
        "operation": struct.pack("<iiii", 21, 1, 0, 2014) + b"12345",
        "section longer than the message": struct.pack("<iiiii", 16 + 4 + 1 + len(body), 1, 0, 2013, 0) + b"\0" + struct.pack("<i", len(body) + 1) +
                                           body[4:],
        "document longer than its sequence": struct.pack("<iiiii", 16 + 4 + 1 + len(body) + 1 + 14 + len(doc), 1, 0, 2013, 0) + b"\0" + body +
                                             b"\1" + struct.pack("<i", 14 + len(doc)) + b"documents\0" + struct.pack("<i", len(doc) + 1) + doc[4:],
    }
    for name, data in cases_of_garbage.items():
        world = World()
        try:
            world.start()
            with socket.create_connection(("127.0.0.1", world.port), SECONDS) as connection:
                connection.sendall(data)
                out, errors = world.child.communicate(timeout=SECONDS)
                assert world.child.returncode == 1 and not out and errors.startswith("null_mongo: "), (name, world.child.returncode, errors)
        finally:
            world.close()


if __name__ == "__main__":
    cases.run(globals())
