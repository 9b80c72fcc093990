#!/usr/bin/env python3
"""deploy/BACKUP.md, step by step: Kafka is lost and restored from an export; then the database is lost and filled again from the topics.

Each case is a section of that document, in its order, on one pipeline on the test clock. An agent's payload number n carries one sample of value
2^n, so that the sum of a series says which payloads have been counted, and how often.
"""
import collections
import http.client
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "deploy/local"))
import cases
from millrace_local import Failure, free_base_port
from millrace_local.paths import KAFKA_JARS
from pipeline import Pipeline

SPEED, WAIT_SECONDS = 60, 40
AGENT = "a1" * 16
RULES = """
receivers:
  - {id: ops, webhook: {url: "https://hooks.example.com/alerts"}}
triggers:
  - {id: busy, site: shop, metric: app.orders, field: sum, compare: ">", threshold: 1000000, receivers: [ops]}
"""
EPOCH = slice(24, 32)  # of a document's _id: fingerprint, window, epoch, partition, offset


class World(Pipeline):
    """The pipeline, and what the document tells operators to do."""

    def __init__(self, directory):
        super().__init__(directory, base_port=free_base_port(), speed=SPEED, start_minute_of_hour=5, sites={"shop": 1})
        self.file = self.directory / "millrace.json"

    def provision(self):
        """With few partitions: a Kafka that begins anew makes all of them while everybody waits."""
        self.ctl("topics", "apply", "--replication-factor", "1")
        self.ctl("cell", "add", "main", "--replication-factor", "1", "--partitions", "2")
        self.ctl("site", "add", "shop", "--cell", "main")
        self.keys["shop"] = json.loads(self.ctl("--json", "key", "create", "shop"))["key"]

    def more(self, now, seq):
        """What else is in it."""
        return {}

    def post(self, seq):
        """Payload number seq; its answer's status."""
        now = self.now_ms()
        body = {"agent_id": AGENT, "seq": seq, "floor": 1, "created_at": now,
                "metrics": [{"name": "app.orders", "kind": "counter", "points": [{"t": now, "v": 2 ** seq}]}], **self.more(now, seq)}
        connection = http.client.HTTPConnection("127.0.0.1", self.push_port, timeout=20)
        connection.request("POST", "/v1/push", json.dumps(body), {
            "Content-Type": "application/json", "Authorization": "Bearer " + self.keys["shop"], "Millrace-Created-At": str(now),
            "Millrace-Sent-At": str(now)})
        return connection.getresponse().status

    def documents(self, collection="minutely"):
        """{_id: document}, the sinks' clock left out: when something was stored is not what was stored."""
        found = {}
        for d in self.database[collection].find():
            found[bytes(d["_id"])] = d
        return found

    def counted(self):
        """How often each payload stands in the database's minutes, by the digits of the sums: {seq: times}."""
        times = collections.Counter()
        for d in self.documents().values():
            times.update(seq for seq in range(1, 40) if int(d["sum"]) >> seq & 1)
        return dict(times)

    def wait(self, condition, what):
        deadline = time.monotonic() + WAIT_SECONDS
        while not condition():
            self.check_alive()
            if time.monotonic() > deadline:
                raise Failure(f"not within {WAIT_SECONDS} s: {what() if callable(what) else what}")
            time.sleep(0.1)  # a database does not tell

    def wait_counted(self, wanted):
        self.wait(lambda: self.counted() == wanted, lambda: f"want {wanted}, have {self.counted()}")

    def exported(self):
        return json.loads(self.ctl("export"))

    def lose_kafka(self):
        """All brokers and all that was on their disks."""
        for broker in self.stack.brokers:
            broker.process.kill()
            shutil.rmtree(broker.data)

    def groups_tool(self, *words):
        """Kafka's kafka-consumer-groups.sh."""
        done = subprocess.run(["java", "-Xmx128m", "-XX:+UseSerialGC", "-cp", f"{KAFKA_JARS}/*", "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
                               "--bootstrap-server", self.env["KAFKA"], *words], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and "Error" not in done.stdout, done
        return done.stdout

    def restart_sink_from(self, *how):
        """What to do so that sinks read their topics again: none may run meanwhile."""
        how_it_ended = self.processes["sink"].stop(30)
        assert how_it_ended == "stopped", how_it_ended
        said = self.groups_tool("--group", "millrace-sink-main", *how)
        self.start("sink", ["mongo.uri=" + self.env["MONGO_1"], "mongo.database=millrace"])
        self.processes["sink"].wait_until(lambda: self.ready("sink"), 60, "ready")
        return said


def test_export_of_a_living_stack(world):
    rules = world.directory / "rules.yml"
    rules.write_text(RULES)
    world.ctl("receiver", "apply", "-f", str(rules))
    world.timed_ctl("trigger", "apply", "-f", str(rules))
    world.timed_ctl("silence", "add", "--trigger", "busy", "--reason", "we know", "--for", "30d")
    world.timed_ctl("control", "set", "--on", "sink", "--do", "drop", "--kind", "markers", "--reason", "too many", "--for", "30d")
    assert [world.post(seq) for seq in (1, 2)] == [202, 202]
    world.wait_counted({1: 1, 2: 1})
    world.ctl("export", "-o", str(world.file))
    world.before = world.exported()
    assert [c["name"] for c in world.before["cells"]] == ["main"] and [t["id"] for t in world.before["triggers"]] == ["busy"]
    text = world.file.read_text()
    assert world.keys["shop"] not in text and "sha256" in text


def test_kafka_is_lost(world):
    """Payload 3 was accepted and its minute not emitted: it is gone. Everything else of the database stays."""
    world.kept = world.documents()
    assert world.post(3) == 202
    for process in world.processes.values():
        process.kill()
    world.lose_kafka()
    world.stack.up()
    assert world.documents() == world.kept


def said_by_operators(export):
    """All but the epoch, which is drawn anew, and who wrote a rule and when, which is whoever applies it."""
    unsigned = {noun: [{k: v for k, v in rule.items() if k not in ("author", "updated_at")} for rule in export[noun]] for noun in ("receivers", "triggers")}
    return {**export, **unsigned, "cells": [{**cell, "epoch": ""} for cell in export["cells"]]}


def test_restore_of_the_control_plane(world):
    """Sites, keys, routes, receivers and triggers are as they were; controls and silences are not; the epoch is another."""
    world.ctl("topics", "apply", "--replication-factor", "1")
    assert "would" in world.ctl("apply", "-f", str(world.file), "--dry-run", "--replication-factor", "1")
    world.ctl("apply", "-f", str(world.file), "--replication-factor", "1")
    after = world.exported()
    (old,), (new,) = world.before["cells"], after["cells"]
    assert new["epoch"] not in (old["epoch"], "0" * 16)
    assert said_by_operators(after) == said_by_operators(world.before), (after, world.before)
    assert json.loads(world.timed_ctl("--json", "control", "list"))["controls"] == []
    assert json.loads(world.timed_ctl("--json", "silence", "list"))["silences"] == []


def test_data_goes_on_beside_what_was_stored(world):
    """The old key is accepted. 4 waited in the agent; 2 was stored, its acknowledgement lost: it is sent again, and counts twice."""
    world.start_programs()
    assert [world.post(seq) for seq in (4, 2)] == [202, 202]
    world.wait_counted({1: 1, 2: 2, 4: 1})
    documents = world.documents()
    assert {i: d for i, d in documents.items() if i in world.kept} == world.kept
    new, old = ({i[EPOCH] for i in ids} for ids in (documents.keys() - world.kept.keys(), world.kept))
    assert len(new) == len(old) == 1 and new != old
    assert int(world.before["cells"][0]["epoch"], 16).to_bytes(8, "big") in old
    assert world.deadletters() == 0


def test_a_lost_database_is_filled_from_the_topics(world):
    """All that the topics hold is there again, document by document; what was of the lost Kafka is in a dump, or nowhere."""
    before = {i: d for i, d in world.documents().items() if i not in world.kept}
    assert before
    world.database.client.drop_database("millrace")
    assert not world.documents()
    world.restart_sink_from("--delete")
    world.wait(lambda: world.documents() == before, lambda: (world.documents(), before))


def test_a_dump_is_completed_from_the_topics(world):
    """Restored from a dump, and read again from a time before it: what is there is refused by its _id, once more read or not."""
    whole = world.documents()
    world.database["minutely"].insert_many(world.kept.values())
    world.database["minutely"].delete_one({"_id": next(d["_id"] for d in whole.values())})
    said = world.restart_sink_from("--reset-offsets", "--all-topics", "--to-datetime", "2020-01-01T00:00:00.000", "--execute")
    assert "millrace.c.main.minutely" in said
    world.wait(lambda: world.documents() == whole | world.kept, lambda: (world.documents(), whole | world.kept))
    world.wait(lambda: world.metric("sink", "millrace_sink_already_stored_total") >= len(whole) - 1, "the others were refused by their _id")
    assert world.counted() == {1: 1, 2: 2, 4: 1}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="millrace-backup-") as folder:
        with World(folder) as world_under_test:
            cases.run(globals(), world_under_test)
