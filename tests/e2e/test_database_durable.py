#!/usr/bin/env python3
"""The local database keeps what it acknowledged, and answers as the sink relies on it to answer.

Every end-to-end and chaos test counts documents in this database: if it lost an acknowledged one, or kept half of
one, those tests would blame the pipeline. The oracle here is a ledger of acknowledgements kept by the writers.
"""
import datetime
import random
import sys
import tempfile
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(Path(__file__).resolve().parent)]
import cases  # noqa: E402
from millrace_local import Database, free_base_port  # noqa: E402
from pymongo import MongoClient  # noqa: E402
from pymongo.errors import BulkWriteError, DuplicateKeyError, PyMongoError  # noqa: E402

WRITERS = 4
KILLS = 6
DUPLICATE = 11000


def document(number):
    """A document like the sink's, all of it a function of its number."""
    return {"_id": number.to_bytes(44, "big"), "site": "demo", "name": f"m{number % 7}", "count": number,
            "t": datetime.datetime(2026, 1, 1) + datetime.timedelta(minutes=number)}


def client(database):
    """Short time-outs: a killed server is part of the test."""
    return MongoClient(database.uri, serverSelectionTimeoutMS=5000, socketTimeoutMS=10000)


def fails_with(kind, call):
    """The exception of that kind that call must raise."""
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


def test_reports_a_version_drivers_accept(database):
    with client(database) as mongo:
        assert mongo.server_info()["versionArray"][:2] == [4, 4], mongo.server_info()
        hello = mongo.admin.command("hello")
        assert hello["isWritablePrimary"] and hello["maxWireVersion"] == 9 and hello["maxWriteBatchSize"] == 100000


def test_duplicate_id_is_e11000(database):
    with client(database) as mongo:
        table = mongo.probe.ids
        table.insert_one(document(1))
        error = fails_with(DuplicateKeyError, lambda: table.insert_one({**document(1), "count": 99}))
        assert error.code == DUPLICATE
        assert table.find_one({"_id": document(1)["_id"]})["count"] == 1
        table.insert_one({"_id": (1).to_bytes(43, "big")})  # another length is another id
        assert table.count_documents({}) == 2


def test_unordered_batch_names_each_duplicate(database):
    """The sink judges by index and code; n must fit them."""
    with client(database) as mongo:
        table = mongo.probe.batches
        table.insert_many([document(n) for n in (3, 7, 8)])
        error = fails_with(BulkWriteError, lambda: table.insert_many([document(n) for n in range(10)], ordered=False))
        assert [(e["index"], e["code"]) for e in error.details["writeErrors"]] == [(n, DUPLICATE) for n in (3, 7, 8)]
        assert error.details["nInserted"] == 7, error.details["nInserted"]
        assert sorted(d["count"] for d in table.find()) == list(range(10))


def test_indexes_are_accepted_and_survive(database):
    with client(database) as mongo:
        table = mongo.probe.indexed
        for _ in range(2):  # a program creates its indexes at every start
            table.create_index([("t", 1)], expireAfterSeconds=3600)
            table.create_index([("site", 1), ("name", 1), ("t", -1)])
        before = table.index_information()
        assert before["t_1"]["expireAfterSeconds"] == 3600
    restart(database, database.process.stop)
    with client(database) as mongo:
        assert mongo.probe.indexed.index_information() == before


def test_dates_and_majority(database):
    with client(database) as mongo:
        table = mongo.probe.get_collection("dates", write_concern=mongo.probe.write_concern.__class__("majority"))
        table.insert_many([document(n) for n in range(100)])
        since = document(90)["t"]
        assert [d["count"] for d in table.find({"t": {"$gte": since}}).sort("t", -1)] == list(range(99, 89, -1))


def restart(database, end):
    """Ends the process in the given way and waits until the next one listens."""
    end()
    database.start()
    database.wait_ready()


class Writers:
    """Threads that insert batches of fresh documents until the server is gone, and note what was acknowledged."""

    def __init__(self, database, numbers):
        self.database = database
        self.numbers = numbers  # iterator of fresh numbers, shared under lock
        self.lock = threading.Condition()
        self.acknowledged = set()
        self.ambiguous = []  # batches sent, answer never seen
        self.threads = [threading.Thread(target=self._write, daemon=True) for _ in range(WRITERS)]

    def run_until(self, count, end):
        """Calls end() when count documents have been acknowledged, amid the writing."""
        for thread in self.threads:
            thread.start()
        with self.lock:
            assert self.lock.wait_for(lambda: len(self.acknowledged) >= count, timeout=60), "writers are stuck"
        end()
        for thread in self.threads:
            thread.join(30)
            assert not thread.is_alive()

    def _write(self):
        dice = random.Random(threading.get_ident())
        with client(self.database) as mongo:
            while True:
                with self.lock:
                    batch = [next(self.numbers) for _ in range(dice.choice((1, 3, 20, 200)))]
                try:
                    mongo.probe.kills.insert_many([document(n) for n in batch], ordered=False)
                except PyMongoError:
                    with self.lock:
                        self.ambiguous.append(batch)
                    return
                with self.lock:
                    self.acknowledged.update(batch)
                    self.lock.notify_all()


def insert_again(table, batch):
    """What a sink does after an ambiguous failure: the same batch; only "already there" may be refused."""
    try:
        table.insert_many([document(n) for n in batch], ordered=False)
    except BulkWriteError as error:
        codes = {e["code"] for e in error.details["writeErrors"]}
        assert codes == {DUPLICATE}, error.details


def test_kill_9_loses_nothing_acknowledged(database):
    """And keeps no half of anything: a document must be there exactly when its _id is refused."""
    numbers = iter(range(1 << 40))
    everything = set()
    for _ in range(KILLS):
        writers = Writers(database, numbers)
        writers.run_until(random.randint(200, 3000), database.process.kill)
        restart(database, lambda: None)
        with client(database) as mongo:
            table = mongo.probe.kills
            there = {d["count"] for d in table.find({}, {"count": 1})}
            everything |= writers.acknowledged
            assert not everything - there, f"{len(everything - there)} acknowledged documents lost"
            for batch in writers.ambiguous:
                insert_again(table, batch)
                everything |= set(batch)
            stored = list(table.find())
            assert len(stored) == len(everything), f"{len(stored)} stored, {len(everything)} written"
            assert all(d == document(d["count"]) for d in stored)
    print(f"     {KILLS} kills, {len(everything)} documents")


def test_small_commits_do_not_fill_the_disk(database):
    """Every insert is a commit of its own; the file must follow the data, not the number of commits."""
    with client(database) as mongo:
        table = mongo.probe.small
        for number in range(3000):
            table.insert_one(document(number))
    size = sum(f.stat().st_size for f in database.data.iterdir())
    assert size < 100 << 20, f"{size} bytes on disk"
    print(f"     {size >> 10} KB on disk")


def main():
    with tempfile.TemporaryDirectory(prefix="millrace-database-") as directory:
        database = Database(Path(directory), 1, free_base_port())
        database.start()
        try:
            database.wait_ready()
            cases.run(globals(), database)
        finally:
            database.process.stop()


main()
