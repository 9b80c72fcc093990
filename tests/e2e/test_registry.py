#!/usr/bin/env python3
"""The schema registry of the status page, by a client that is not ours: confluent-kafka's, whose deserializer reads records of every topic by it alone.

Programs write what a small pipeline writes: cells, sites, heartbeats, notices, samples, minutes, snapshots. Then all but the status page end, and a second cell and the topics
that nobody wrote get records that fastavro wrote by schemas/. Cases run in order on one world. TEST_SEED repeats a run.
"""
import datetime
import json
import os
import pathlib
import random
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(ROOT / "schemas"), str(pathlib.Path(__file__).resolve().parent)]
import cases  # noqa: E402
import texts  # noqa: E402
from confluent_kafka import Producer  # noqa: E402
from confluent_kafka.schema_registry import SchemaRegistryClient  # noqa: E402
from confluent_kafka.schema_registry.avro import AvroDeserializer  # noqa: E402
from confluent_kafka.schema_registry.error import SchemaRegistryError  # noqa: E402
from confluent_kafka.serialization import MessageField, SerializationContext  # noqa: E402
from kafka_view import View  # noqa: E402
from millrace_local import free_base_port  # noqa: E402
from pipeline import Pipeline  # noqa: E402
from random_records import Random  # noqa: E402

SEED = int(os.environ.get("TEST_SEED", time.time()))
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
MS = datetime.timedelta(milliseconds=1)
WRITTEN_BY_PROGRAMS = {"millrace.cells", "millrace.sites", "millrace.heartbeats", "millrace.notices", "millrace.c.main.samples", "millrace.c.main.minutely",
                       "millrace.c.main.samples-state"}
TYPE = "application/vnd.schemaregistry.v1+json"


def numbers(value):
    """Times as the numbers that were written."""
    if isinstance(value, datetime.datetime):
        return (value - EPOCH) // MS
    if isinstance(value, dict):
        return {key: numbers(part) for key, part in value.items()}
    return [numbers(part) for part in value] if isinstance(value, list) else value


class World:
    def __init__(self, directory):
        self.pipeline = Pipeline(directory, free_base_port(25600), 40, 10, {"shop": 2}, status_settings=["status.survey_interval=300ms"])
        self.topics = texts.read_topics(ROOT / "schemas" / "topics.txt")

    def __enter__(self):
        self.pipeline.__enter__()
        self.url = f"http://127.0.0.1:{self.pipeline.status_port}"
        self.client = SchemaRegistryClient({"url": self.url})
        self.view = View(self.pipeline.env["KAFKA"])
        self.wait(lambda: self.ask("/subjects")[0] == 200, "the registry")
        return self

    def __exit__(self, *_):
        self.pipeline.__exit__()

    @staticmethod
    def wait(what, says):
        until = time.monotonic() + 90
        while not what():
            assert time.monotonic() < until, says
            time.sleep(0.1)

    def ask(self, path):
        """(status, content type, value)."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as answer:
                return answer.status, answer.headers["Content-Type"], json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, error.headers["Content-Type"], json.loads(error.read() or b"{}")

    def names(self, cell):
        return {f"millrace.c.{cell}.{name}" if of_cell else f"millrace.{name}": record for name, of_cell, record in self.topics}

    def post(self):
        payload = {"metrics": [{"name": "queue.depth", "kind": "gauge", "tags": {"host": "a"}, "points": [{"v": 3.5}]}]}
        request = urllib.request.Request(f"http://127.0.0.1:{self.pipeline.push_port}/v1/push", json.dumps(payload).encode(),
                                         {"Content-Type": "application/json", "Authorization": "Bearer " + self.pipeline.keys["shop"]})
        urllib.request.urlopen(request, timeout=30).close()

    def fill(self, topic, record):
        file = next(line.split()[2] for line in (ROOT / "schemas/ids").read_text().splitlines() if not line.startswith("#") and line.split()[1] == record)
        make = Random(random.Random(f"{SEED}{topic}"), json.loads((ROOT / "schemas" / file).read_text()))
        producer = Producer({"bootstrap.servers": self.pipeline.env["KAFKA"], "acks": "all", "log_level": 0})
        for number in range(10):
            producer.produce(topic, self.view.encode(record, make.record()), b"%d" % number, partition=0)
        assert producer.flush(30) == 0

    def read_by_registry(self, topic):
        """How many records of a topic a standard deserializer reads, each held to what fastavro reads by schemas/."""
        read = AvroDeserializer(SchemaRegistryClient({"url": self.url}))  # which knows nothing yet
        messages = [message for message in self.pipeline.records(topic) if message.value() is not None]
        for message in messages:
            got = read(message.value(), SerializationContext(topic, MessageField.VALUE))
            assert numbers(got) == self.view.decode(message.value()), (topic, got, SEED)
        return len(messages)


def test_subjects_are_the_topics(world):
    expected = [f"{name}-value" for name in world.names("main")]
    world.wait(lambda: sorted(world.client.get_subjects()) == sorted(expected), f"subjects are {world.client.get_subjects()}")
    assert world.ask("/schemas/types")[1:] == (TYPE, ["AVRO"])


def test_each_schema_is_that_of_the_folder(world):
    ids = [line.split() for line in (ROOT / "schemas/ids").read_text().splitlines() if line.strip() and not line.startswith("#")]
    records = {}
    for number, record, file in sorted(ids, key=lambda words: int(words[0])):
        schema = world.client.get_schema(int(number))
        assert schema.schema_type == "AVRO" and json.loads(schema.schema_str) == json.loads((ROOT / "schemas" / file).read_text()), record
        records.setdefault(record, []).append(int(number))
    for topic, record in world.names("main").items():
        subject = f"{topic}-value"
        versions = world.client.get_versions(subject)
        assert versions == list(range(1, len(records[record]) + 1)), (subject, versions)
        latest = world.client.get_latest_version(subject)
        assert (latest.subject, latest.version, latest.schema_id) == (subject, versions[-1], records[record][-1]), latest
        for version in versions:
            assert world.client.get_version(subject, version).schema_id == records[record][version - 1], (subject, version)


def test_what_is_not_there(world):
    for path, code in (("/schemas/ids/9999", 40403), ("/subjects/millrace.nothing-value/versions", 40401), ("/subjects/millrace.cells-value/versions/99", 40402),
                       ("/subjects/millrace.nothing-value/versions/latest", 40401)):
        status, kind, body = world.ask(path)
        assert (status, kind, body["error_code"]) == (404, TYPE, code) and body["message"], (path, status, kind, body)
    for call in (lambda: world.client.get_schema(9999), lambda: world.client.get_latest_version("nothing")):
        try:
            call()
        except SchemaRegistryError as error:
            assert error.http_status_code == 404 and error.error_code in (40401, 40403), error
        else:
            raise AssertionError("there is none")


def test_what_programs_wrote(world):
    """Until a minute has closed and a snapshot was taken."""
    def there():
        world.post()
        return all(world.pipeline.records(topic) for topic in WRITTEN_BY_PROGRAMS)

    world.wait(there, "records of every program")
    for topic in sorted(WRITTEN_BY_PROGRAMS):
        assert world.read_by_registry(topic), topic


def test_every_topic_of_the_table(world):
    for name in ("sink", "processor", "ingest"):
        world.pipeline.processes[name].stop(30)
    for topic, record in world.names("main").items():
        if topic not in WRITTEN_BY_PROGRAMS:
            world.fill(topic, record)
    for topic in world.names("main"):
        assert world.read_by_registry(topic), topic


def test_a_new_cell_has_subjects(world):
    world.pipeline.ctl("cell", "add", "eu", "--replication-factor", "1", "--partitions", "1")
    world.wait(lambda: "millrace.c.eu.samples-value" in world.client.get_subjects(), "the new cell's subjects")
    world.fill("millrace.c.eu.events", "EventBatch")
    assert world.read_by_registry("millrace.c.eu.events") == 10


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, World(pathlib.Path(folder)) as the_world:
        cases.run(globals(), the_world)
