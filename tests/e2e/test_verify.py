"""millrace-ctl verify: an hour that is right is called equal, and whatever is wrong with it is found and named.

A whole pipeline on the test clock. Into nine minutes of an hour go random samples of all kinds (test_oracle's generator, which also
sends neighbouring hours), every fourth payload twice, cumulative points as SampleBatch records of our own, an Idempotency-Key twice, and a
site that has more series than its cap. Then the hour is verified as it is, and after each of a list of edits to the database.
"""
import datetime
import http.client
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

import confluent_kafka
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "deploy/local"))
import cases  # noqa: E402
from millrace_local import BINARIES, free_base_port  # noqa: E402
from pipeline import Pipeline  # noqa: E402
from processor_cell import Codec  # noqa: E402
from test_oracle import Generator, SITES, fingerprint, ms, push  # noqa: E402

SPEED = 100
START_MINUTE, LATEST_MINUTE = 10, 48
MINUTE_MS, HOUR_MS = 60000, 3600000
ROUNDS, POINTS = 60, 12
CAPPED, CAP, CAPPED_SERIES = "capped", 4, 12
SECRET = "s3cret-of-the-database"


class Verified(Pipeline):
    """The pipeline, its cap set before a processor sees the site, and what has been sent into it."""

    def provision(self):
        super().provision()
        self.ctl("site", "limit", CAPPED, "--series", str(CAP))

    def clock(self):
        return ["--test-clock"] + [word for name in ("start_ms", "real_ms", "speed")
                                   for word in ("--set", f"clock.{name}={self.env['CLOCK_' + name.upper()]}")]

    def hour(self):
        """The one that is verified: the present one, until something has been sent."""
        return getattr(self, "sent_from", None) or int(self.now_ms()) // HOUR_MS * HOUR_MS

    def verify(self, *options, hour=None, uri=None, cell="main"):
        """A run, finished: .returncode, .stdout, .stderr."""
        hour = hour or time.strftime("%Y-%m-%dT%H", time.gmtime(self.hour() / 1000))
        command = [str(BINARIES / "millrace-ctl"), "--kafka", self.env["KAFKA"], *self.clock(), "verify", "--cell", cell, "--hour", hour, *options]
        environment = {**os.environ, "MILLRACE_MONGO_URI": uri or self.env["MONGO_1"]}
        return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)

    def verify_json(self, *options):
        done = self.verify("--json", *options)
        assert done.returncode in (0, 1), (done.returncode, done.stdout, done.stderr)
        return json.loads(done.stdout)


def send_capped(pipeline, connection, number):
    now = pipeline.now_ms()
    metrics = [{"name": f"m.{i}", "kind": "counter", "tags": {}, "points": [{"t": now, "v": i + 0.5}]} for i in range(CAPPED_SERIES)]
    push(connection, pipeline.keys[CAPPED], {"agent_id": "ab" * 16, "seq": number, "floor": number, "created_at": now, "metrics": metrics}, pipeline.now_ms)


class Cumulative:
    """A counter of single values and a distribution of summaries, in records of our own; the sender is restarted once."""

    def __init__(self, pipeline):
        self.pipeline, self.codec = pipeline, Codec("SampleBatch")
        self.producer = confluent_kafka.Producer({"bootstrap.servers": pipeline.env["KAFKA"], "acks": "all"})
        self.agent, self.seq, self.start, self.v, self.counts = os.urandom(16), 0, pipeline.now_ms(), 0.0, [0, 0, 0]

    def series(self, kind, name):
        return {"fingerprint": fingerprint("alpha", kind, name, {"c": "1"}), "kind": kind, "temporality": "cumulative", "name": name, "tags": {"c": "1"}}

    def send(self, restart, scale):
        now = self.pipeline.now_ms()
        if restart:
            self.start, self.v, self.counts = now - 5000, 0.0, [0, 0, 0]
        self.v += 7.25
        self.counts = [n + i for i, n in enumerate(self.counts)]
        self.seq += 1
        histogram = {"scale": scale, "zero": 0, "offset": 3, "counts": self.counts, "neg_offset": 0, "neg_counts": []}
        batch = {"series": [self.series("counter", "total"), self.series("distribution", "sizes")],
                 "values": [{"series": 0, "t": now, "start": self.start, "v": self.v}],
                 "summaries": [{"series": 1, "t": now, "start": self.start, "count": sum(self.counts), "sum": sum(self.counts) * 1.5, "min": None, "max": None,
                                "last": None, "last_at": now, "histogram": histogram, "approximate": False}],
                 "site": "alpha", "agent_id": self.agent, "seq": self.seq, "floor": max(1, self.seq - 3), "idempotency_key": None,
                 "created_at": now, "received_at": now}
        for _ in range(2 if self.seq % 3 == 0 else 1):
            self.produce(batch)

    def send_keyed(self):
        """A request with an Idempotency-Key, twice, and one that no reader can take."""
        now = self.pipeline.now_ms()
        batch = {"series": [{**self.series("gauge", "keyed"), "temporality": "delta"}], "values": [{"series": 0, "t": now, "start": 0, "v": 3.0}],
                 "summaries": [], "site": "alpha", "agent_id": None, "seq": 0, "floor": 0, "idempotency_key": b"once", "created_at": now,
                 "received_at": now}
        self.produce(batch)
        self.produce(batch)
        self.produce({**batch, "idempotency_key": b"other", "values": [{"series": 5, "t": now, "start": 0, "v": 3.0}]})

    def produce(self, batch):
        self.producer.produce("millrace.c.main.samples", partition=3, value=self.codec.encode(batch))
        assert self.producer.flush(30) == 0


def drive(pipeline):
    """Everything into the hour, over its last ten minutes."""
    seed = int(os.environ.get("TEST_SEED", time.time()))
    print(f"TEST_SEED={seed}", flush=True)
    generator, chance = Generator(seed), random.Random(seed)
    connection = http.client.HTTPConnection("127.0.0.1", pipeline.push_port, timeout=30)
    if pipeline.now_ms() % HOUR_MS > LATEST_MINUTE * MINUTE_MS:
        pipeline.wait_until_virtual(pipeline.hour() + HOUR_MS)
    pipeline.sent_from = pipeline.hour()
    cumulative, start = Cumulative(pipeline), pipeline.now_ms()
    cumulative.send_keyed()
    for i in range(ROUNDS):
        pipeline.wait_until_virtual(start + i * 9 * MINUTE_MS // ROUNDS)
        pipeline.check_alive()
        site = chance.choice(list(SITES))
        body, _ = generator.payload(site, int(pipeline.now_ms()), POINTS)
        for _ in range(2 if i % 4 == 0 else 1):
            push(connection, pipeline.keys[site], body, pipeline.now_ms)
        if i % 6 == 0:
            send_capped(pipeline, connection, i + 1)
            cumulative.send(restart=i == 30, scale=5 if i < 40 else 3)
    pipeline.sent_until = pipeline.now_ms()
    assert pipeline.sent_until < pipeline.hour() + HOUR_MS


def settled(pipeline):
    """The hour's verdict as soon as there is one."""
    deadline = time.monotonic() + 90
    while True:
        done = pipeline.verify()
        if done.returncode != 2 or time.monotonic() > deadline:
            return done
        pipeline.check_alive()
        time.sleep(2)  # only time closes an hour


def test_an_hour_that_is_not_over_is_not_judged(pipeline):
    done = pipeline.verify()
    assert done.returncode == 2 and "not closed yet: ask again after" in done.stderr, done
    assert done.stdout == "", done.stdout


def test_what_was_sent_is_what_is_stored(pipeline):
    drive(pipeline)
    pipeline.wait_until_virtual(pipeline.hour() + HOUR_MS + 10 * MINUTE_MS)
    done = settled(pipeline)
    print(done.stdout, done.stderr, flush=True)
    assert done.returncode == 0 and ": 0 differ\n" in done.stdout, (done.returncode, done.stdout, done.stderr)
    found = pipeline.verify_json()
    documents = sum(pipeline.database[name].count_documents(in_hour(pipeline)) for name in ("minutely", "hourly"))
    assert found["documents"] == documents > 100 and found["differ"] == 0 and found["differences"] == [], found
    assert found["second_copies"] >= ROUNDS // 4 + 3 and found["unusable_records"] == 1, found
    names = {d["name"] for d in pipeline.database["hourly"].find(in_hour(pipeline))}
    assert {"__overflow__", "total", "sizes", "keyed"} <= names, names


def in_hour(pipeline, **more):
    start = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=pipeline.hour())
    return {"t": {"$gte": start, "$lt": start + datetime.timedelta(hours=1)}, **more}


def one(pipeline, collection, **filter_):
    document = pipeline.database[collection].find_one(in_hour(pipeline, **filter_))
    assert document, (collection, filter_)
    return document


def put_back(pipeline, collection, document):
    pipeline.database[collection].delete_one({"_id": document["_id"]})
    pipeline.database[collection].insert_one(document)


def changed(pipeline, collection, document, **fields):
    put_back(pipeline, collection, {**document, **fields})


def identity(difference):
    """(collection, first 24 bytes of the _id) of the documents that a difference is about."""
    start = datetime.datetime.fromisoformat(difference["start"].rstrip("Z"))
    return ({"minute": "minutely", "hour": "hourly"}[difference["window"]],
            fingerprint(difference["site"], difference["kind"], difference["name"], dict(difference["tags"])) + ms(start).to_bytes(8, "big"))


def differing(pipeline, collection, document, what):
    """The one difference that is found, which must be that document's, in these fields."""
    found = pipeline.verify_json()
    assert found["differ"] == len(found["differences"]) == 1, found
    difference = found["differences"][0]
    assert identity(difference) == (collection, bytes(document["_id"][:24])) and difference["differs"] == what, (difference, document)
    return difference


def test_edits_of_a_document_are_found(pipeline):
    edits = [("minutely", "counter", lambda d: {"sum": d["sum"] + 2 ** -10}, ["sum"]), ("hourly", "gauge", lambda d: {"count": d["count"] + 1}, ["count"]),
             ("hourly", "counter", lambda d: {"min": d["min"] - 1}, ["min"]), ("minutely", "gauge", lambda d: {"max": d["max"] + 1}, ["max"]),
             ("minutely", "gauge", lambda d: {"last": d["last"] + 1}, ["last"]),
             ("hourly", "distribution", lambda d: {"h": {**d["h"], "o": d["h"]["o"] + 1}}, ["buckets"]),
             ("minutely", "distribution", lambda d: {"approximate": not d["approximate"]}, ["approximate"])]
    edited, wanted = [], {}
    for collection, kind, edit, what in edits:
        bucketed = {"h.c.0": {"$gte": 1}} if what == ["buckets"] else {}
        document = one(pipeline, collection, kind=kind, site="beta", min={"$exists": True}, _id={"$nin": [d["_id"] for _, d in edited]}, **bucketed)
        changed(pipeline, collection, document, **edit(document))
        edited.append((collection, document))
        wanted[collection, bytes(document["_id"][:24])] = what
    found = pipeline.verify_json()
    assert found["differ"] == len(found["differences"]), found
    have = {identity(d): d["differs"] for d in found["differences"]}
    assert have == wanted, (have, wanted)
    done = pipeline.verify("--limit", "3")
    assert done.returncode == 1 and done.stdout.count(", expected ") == 3 and f"({len(edits) - 3} more: --limit)" in done.stdout, done.stdout
    for collection, document in edited:
        put_back(pipeline, collection, document)
    assert pipeline.verify_json()["differ"] == 0


def test_a_lost_document_is_found(pipeline):
    pipeline.wait_until_virtual(pipeline.sent_until + 33 * MINUTE_MS)  # before, it might come late
    document = one(pipeline, "hourly", name="total", site="alpha")
    pipeline.database["hourly"].delete_one({"_id": document["_id"]})
    difference = differing(pipeline, "hourly", document, ["count", "sum", *(bit for bit in ("min", "max", "last") if bit in document)])
    assert "stored" not in difference and difference["expected"]["count"] == document["count"], difference
    done = pipeline.verify()
    assert done.returncode == 1 and "alpha counter total{c=1}, hour " in done.stdout and "nothing is stored, expected count " in done.stdout, done.stdout
    pipeline.database["hourly"].insert_one(document)


def test_a_doubled_fragment_is_found(pipeline):
    document = one(pipeline, "minutely", name="sizes", site="alpha")
    twin = {**document, "_id": document["_id"][:43] + bytes([document["_id"][43] ^ 1])}
    pipeline.database["minutely"].insert_one(twin)
    assert "count" in pipeline.verify_json()["differences"][0]["differs"]
    assert pipeline.verify("--site", "beta").returncode == 0
    done = pipeline.verify("--limit", "0")
    assert done.returncode == 1 and "(1 more: --limit)" in done.stdout and "sizes" not in done.stdout, done.stdout
    pipeline.database["minutely"].delete_one({"_id": twin["_id"]})


def test_a_site_over_its_cap_is_compared_by_its_totals(pipeline):
    overflow = one(pipeline, "hourly", site=CAPPED, name="__overflow__")
    changed(pipeline, "hourly", overflow, sum=overflow["sum"] + 1)
    found = pipeline.verify_json()
    assert [(d["site"], d["all_series"], d["differs"]) for d in found["differences"]] == [(CAPPED, True, ["sum"])], found
    put_back(pipeline, "hourly", overflow)
    known = one(pipeline, "hourly", site=CAPPED, name={"$ne": "__overflow__"})  # from the overflow to a series: totals hold, and it has too much
    many = known["count"] + overflow["count"]
    changed(pipeline, "hourly", known, count=many - 1)
    changed(pipeline, "hourly", overflow, count=1)
    found = pipeline.verify_json()
    assert [d["name"] for d in found["differences"]] == [known["name"]], found
    put_back(pipeline, "hourly", known)
    put_back(pipeline, "hourly", overflow)


def test_foreign_and_broken_documents(pipeline):
    document = one(pipeline, "minutely", site="gamma", kind="gauge")
    foreign = {**document, "_id": document["_id"][:24] + bytes(8) + document["_id"][32:]}
    pipeline.database["minutely"].insert_one(foreign)
    done = pipeline.verify()
    assert done.returncode == 0 and "note: 1 documents of other topics" in done.stdout, (done.stdout, done.stderr)
    pipeline.database["minutely"].delete_one({"_id": foreign["_id"]})
    for fields in ({"name": document["name"] + "x"}, {"count": "many"}, {"kind": "gage"}):
        changed(pipeline, "minutely", document, **fields)
        done = pipeline.verify()
        assert done.returncode == 1 and "note: 1 documents are no fragments, the first in minutely: " in done.stdout, (done.stdout, done.stderr)
    put_back(pipeline, "minutely", document)
    assert pipeline.verify().returncode == 0


def test_what_cannot_be_compared_is_said(pipeline):
    refusals = [(dict(hour="2026-11-26"), "is no time: write it like"), (dict(hour="2026-11-26T14:30"), "is no time: write it like"),
                (dict(hour="2026-11-26T14:30:00Z"), "does not begin an hour"), (dict(hour="2h"), "is no time"), (dict(cell="other"), "there is no cell"),
                (dict(uri=f"mongodb://someone:{SECRET}@127.0.0.1:1/?serverSelectionTimeoutMS=500"), "MongoDB at 127.0.0.1:1 cannot be read"),
                (dict(uri=f"mongo://someone:{SECRET}@127.0.0.1:1"), "is no connection string")]
    for arguments, words in refusals:
        done = pipeline.verify(**arguments)
        assert done.returncode == 2 and words in done.stderr, (arguments, done)
        assert SECRET not in done.stdout + done.stderr, done
    assert pipeline.verify("--site", "nobody").returncode == 2
    assert pipeline.verify("--database", "a b").returncode == 2
    other = pipeline.verify("--database", "empty")
    assert other.returncode == 1 and "nothing is stored" in other.stdout, other


def test_a_drop_in_force_is_mentioned(pipeline):
    words = ("--on", "sink", "--do", "drop", "--site", "beta")
    pipeline.ctl(*pipeline.clock(), "control", "set", *words, "--reason", "a test", "--for", "5m")
    done = pipeline.verify()
    assert done.returncode == 0 and "note: control sink/drop/site=beta was set" in done.stdout, (done.stdout, done.stderr)
    assert "note: control" not in pipeline.verify("--site", "gamma").stdout


def test_a_stopped_sink_leaves_the_question_open(pipeline):
    """What is missing may be on its way then."""
    pipeline.processes["sink"].stop(30)
    document = one(pipeline, "hourly", site="alpha", name="total")
    pipeline.database["hourly"].delete_one({"_id": document["_id"]})
    connection = http.client.HTTPConnection("127.0.0.1", pipeline.push_port, timeout=30)
    before = pipeline.metric("processor", "millrace_processor_fragments_total")
    for number in (901, 902, 903):
        send_capped(pipeline, connection, number)
    pipeline.processes["processor"].wait_until(lambda: pipeline.metric("processor", "millrace_processor_fragments_total") > before + 6, 60, "emission")
    done = pipeline.verify()
    assert done.returncode == 2 and "records behind" in done.stdout and "not everything has been processed" in done.stderr, done
    pipeline.database["hourly"].insert_one(document)


def test_retention_has_cut_what_is_needed(pipeline):
    """Last: it deletes raw records."""
    admin = AdminClient({"bootstrap.servers": pipeline.env["KAFKA"]})
    for future in admin.delete_records([confluent_kafka.TopicPartition("millrace.c.main.samples", 3, 1)]).values():
        future.result(30)
    setting = ConfigResource(ConfigResource.Type.TOPIC, "millrace.c.main.samples", incremental_configs=[
        ConfigEntry("retention.ms", "600000", incremental_operation=AlterConfigOpType.SET)])
    for future in admin.incremental_alter_configs([setting]).values():
        future.result(30)
    done = pipeline.verify()
    assert done.returncode == 2 and "retention has cut millrace.c.main.samples: partition 3 has nothing below offset 1" in done.stderr, done


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="millrace-verify-") as folder:
        with Verified(folder, base_port=free_base_port(), speed=SPEED, start_minute_of_hour=START_MINUTE, sites={**SITES, CAPPED: 1}) as pipeline_under_test:
            cases.run(globals(), pipeline_under_test)
