"""One cell of a sink: its topics, what was written to them, its database, and the millrace-sink that goes between.

Records are written by confluent-kafka and fastavro, and read back by pymongo; what is expected comes from sink_records.py. Nothing here is
Millrace's own code.
"""
import contextlib
import itertools
import os
import random
import re
import struct
import tempfile
import time
import urllib.error
import urllib.request

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, IsolationLevel, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec
from exposition import checked
from millrace_local import BINARIES, Process, Stack, free_base_port
from processor_cell import Codec
from pymongo import MongoClient
from sink_records import (CELL, COLLECTIONS, EPOCH, STORIES, WINDOWS, document_id, encode, encode_record, expected_record,
                          random_record, same, topic_of)

BINARY = BINARIES / "millrace-sink"
PARTITIONS = 4
SECONDS = 90  # patience for anything that should take few
SEED = int(os.environ.get("TEST_SEED", time.time_ns() % 1_000_000))
AGGREGATES, EVERYTHING = (2, 1, 0, 0, 0, 0, 0, 0), (6, 3, 1, 1, 1, 1, 3, 2)  # how much of each collection
PORTS = 80  # of a stack: from 50 on, those of the sinks


class Cell:
    """A cell's topics, its database, and the ledger of what was written to it."""

    def __init__(self, stack, name, database=1):
        self.name = name
        self.kafka = stack.env()["KAFKA"]
        self.uri = stack.env()[f"MONGO_{database}"]
        self.admin = AdminClient({"bootstrap.servers": self.kafka})
        self.topics = {last: f"millrace.c.{name}.{last}" for last in (*WINDOWS, "exemplars", *STORIES)}
        self.partitions = {topic: 1 if last == "incidents" else PARTITIONS for last, topic in self.topics.items()}
        self.wanted = {collection: {} for collection in COLLECTIONS}  # _id -> the rest of the document
        self.numbers = itertools.count(1)
        self.dice = random.Random(f"{SEED} {name}")
        create_topics(self.admin, self.partitions)
        self.set_epoch(EPOCH)
        self.producer = self.make_producer()

    def places(self):
        """How many partitions there are in all."""
        return sum(self.partitions.values())

    def set_epoch(self, epoch):
        produce_one(self.kafka, "millrace.cells", self.name,
                    encode(CELL, {"name": self.name, "epoch": epoch, "partitions": PARTITIONS, "created_at": 0}))

    def make_producer(self):
        producer = Producer({"bootstrap.servers": self.kafka, "transactional.id": f"test-{self.name}", "linger.ms": 20,
                             "compression.type": "lz4", "message.max.bytes": 4 << 20, "log_level": 2})
        producer.init_transactions(30)
        return producer

    def write(self, count, commit=True):
        """One transaction of random records; what it commits is wanted in the database from now on."""
        kinds = self.dice.choices(COLLECTIONS, EVERYTHING, k=count)
        placed = self.begin([(kind, random_record(self.dice, kind, next(self.numbers))) for kind in kinds])
        if commit:
            self.commit(placed)
        else:
            self.producer.abort_transaction(30)

    def write_many(self, count, weights=AGGREGATES):
        """The same in transactions of 5,000, faster; aggregates, unless there are other weights."""
        while count > 0:
            self.commit(self.begin(self.many(min(count, 5000), weights)))
            count -= 5000

    def many(self, count, weights=AGGREGATES):
        """Records for begin(), but for alerts and incidents. For speed, they share what is not their fingerprint with one of some hundred models."""
        kinds = COLLECTIONS[:-len(STORIES)]
        models = [(kind, random_record(self.dice, kind, 0)) for kind in self.dice.choices(kinds, weights[:len(kinds)], k=400)]
        models = [(kind, record, encode_record(kind, record)) for kind, record in models]
        return self.dice.choices(models, k=count)

    def begin(self, records):
        """Begins a transaction of (kind, record) or, with a fingerprint yet to be given, (kind, record, encoded), and waits until Kafka has
        them. More may be produced into it. Readers see them after commit(), which takes what this returns."""
        placed = []

        def note(kind, record, fingerprint):
            def on_delivery(error, message):
                assert error is None, error
                placed.append((kind, record, fingerprint, message.partition(), message.offset()))
            return on_delivery

        self.producer.begin_transaction()
        for kind, record, *model in records:
            fingerprint = next(self.numbers).to_bytes(16, "big") if model else record.get("fingerprint")
            value = model[0][:5] + fingerprint + model[0][21:] if model else encode_record(kind, record)
            self.produce(kind, value, note(kind, record, fingerprint))
        self.producer.flush(30)
        assert len(placed) == len(records)
        return placed

    def commit(self, placed):
        documents = {}  # of a record, made once
        self.producer.commit_transaction(30)
        for kind, record, fingerprint, partition, offset in placed:
            if id(record) not in documents:
                documents[id(record)] = expected_record(kind, record, partition, offset)
                del documents[id(record)]["_id"]
            key = document_id({**record, "fingerprint": fingerprint}, partition, offset)
            self.wanted[kind][key] = documents[id(record)]

    def write_one(self):
        """One record in a transaction of its own; its kind and _id, once Kafka has it."""
        before = {kind: len(docs) for kind, docs in self.wanted.items()}
        self.write(1)
        return next((kind, next(reversed(docs))) for kind, docs in self.wanted.items() if len(docs) > before[kind])

    def produce(self, kind, value, on_delivery=None, partition=None, headers=None):
        topic = self.topics[topic_of(kind)]
        partition = self.dice.randrange(self.partitions[topic]) if partition is None else partition
        while True:
            try:
                return self.producer.produce(topic, value, partition=partition, on_delivery=on_delivery, headers=headers)
            except BufferError:
                self.producer.poll(0.1)

    def forget(self, ranges):
        """Documents of these offsets, place -> (from, to), are wanted no longer."""
        for kind, docs in self.wanted.items():
            for key in list(docs):
                partition, offset = struct.unpack(">iq", key[-12:])
                low, high = ranges[self.topics[topic_of(kind)], partition]
                if low <= offset < high:
                    del docs[key]

    def everything(self):
        """_id -> the rest of the document, of all collections."""
        return {key: doc for docs in self.wanted.values() for key, doc in docs.items()}

    def total(self):
        return sum(len(docs) for docs in self.wanted.values())

    def stored(self, mongo):
        return sum(mongo[self.name][kind].estimated_document_count() for kind in COLLECTIONS)

    def check(self):
        """Every document is there, as it should be, and nothing else."""
        with MongoClient(self.uri) as mongo:
            for kind, wanted in self.wanted.items():
                ids = set()
                for doc in mongo[self.name][kind].find():
                    key = doc.pop("_id")
                    assert key not in ids, f"doubled in {kind}: {key.hex()}"
                    assert key in wanted, f"strange in {kind}: {key.hex()} {doc}"
                    assert same(doc, wanted[key]), f"{kind} {key.hex()}\n got {doc}\nwant {wanted[key]}"
                    ids.add(key)
                assert len(ids) == len(wanted), f"{kind}: {len(wanted) - len(ids)} of {len(wanted)} missing"

    def ends(self):
        """Topic and partition -> end, behind the markers of all transactions, which the broker writes after the commit."""
        asked = {TopicPartition(topic, p): OffsetSpec.latest() for topic, partitions in self.partitions.items() for p in range(partitions)}
        while True:
            stable, written = ({(tp.topic, tp.partition): future.result().offset for tp, future in
                                self.admin.list_offsets(asked, isolation_level=level).items()}
                               for level in (IsolationLevel.READ_COMMITTED, IsolationLevel.READ_UNCOMMITTED))
            if stable == written:
                return stable

    def committed(self):
        asked = ConsumerGroupTopicPartitions(f"millrace-sink-{self.name}")
        answer = self.admin.list_consumer_group_offsets([asked])[asked.group_id].result()
        return {(tp.topic, tp.partition): tp.offset for tp in answer.topic_partitions}

    def members(self):
        """Of the sink's group: member id -> partitions."""
        group = f"millrace-sink-{self.name}"
        answer = self.admin.describe_consumer_groups([group])[group].result()
        return {m.member_id: sorted((tp.topic, tp.partition) for tp in m.assignment.topic_partitions) for m in answer.members}


def create_topics(admin, partitions, config=None):
    wanted = [NewTopic(name, num_partitions=n, replication_factor=1, config=config or {}) for name, n in partitions.items()]
    for future in admin.create_topics(wanted).values():
        future.result()


def produce_one(kafka, topic, key, value):
    producer = Producer({"bootstrap.servers": kafka})
    producer.produce(topic, value, key)
    assert producer.flush(30) == 0


def read_topic(kafka, topic):
    """All committed values of a one-partition topic."""
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": f"probe-{random.random()}", "enable.auto.commit": False})
    try:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)
        consumer.assign([TopicPartition(topic, 0, low)])
        values = []
        while low < high:
            message = consumer.poll(10)
            assert message is not None and message.error() is None, message
            values.append(message.value())
            low = message.offset() + 1
        return values
    finally:
        consumer.close()


class Sink(Process):
    """One instance, with its admin port."""
    ports = itertools.count(0)
    all = []  # for the end of the test: a case that fails leaves its sinks running

    def __init__(self, stack, cell, instance="sink", **settings):
        super().__init__(f"{cell.name}-{instance}", stack.directory)
        self.all.append(self)
        self.cell = cell
        self.port = stack.settings["base_port"] + 50 + next(self.ports)
        self.settings = {"kafka.bootstrap.servers": cell.kafka, "cell": cell.name, "mongo.uri": cell.uri,
                         "mongo.database": cell.name, "admin.listen": f"127.0.0.1:{self.port}",
                         **{key.replace("_", "."): value for key, value in settings.items()}}

    def run(self):
        """Starts it and waits until it is ready."""
        self.launch()
        self.wait_until(lambda: self.get("/health/ready")[0] == 200, SECONDS, "ready")
        return self

    def launch(self):
        words = [word for key, value in self.settings.items() for word in ("--set", f"{key}={value}")]
        self.launched_at = time.time()
        self.start([BINARY, *words])

    def wait_heard(self):
        """Until its heartbeat is in Kafka: before, millrace-ctl knows of no such sink, and waits for nobody."""
        def heard():
            beats = [Codec("Heartbeat").decode(value) for value in read_topic(self.cell.kafka, "millrace.heartbeats")]
            return any(b["cell"] == self.cell.name and b["started_at"].timestamp() >= self.launched_at for b in beats)
        self.wait_until(heard, SECONDS, "heard of")

    def get(self, path):
        """Status and text; 0 while nobody listens."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metric(self, name):
        """The sum over all labels."""
        text = checked(self.get("/metrics")[1])
        return sum(float(value) for value in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.M))

    def settled(self):
        """Documents stored. An insert whose answer came too late, on a busy machine, is found stored by the next one."""
        return self.metric("millrace_sink_stored_total") + self.metric("millrace_sink_already_stored_total")

    def log(self):
        return self.log_file.read_text(errors="replace")

    def wait_stored(self, count):
        with MongoClient(self.cell.uri) as mongo:
            self.wait_until(lambda: self.cell.stored(mongo) >= count, SECONDS, f"{count} documents stored")

    def wait_committed(self):
        """All ends are committed: the last record and the control records behind it."""
        self.wait_until(lambda: self.cell.committed() == self.cell.ends(), SECONDS, "committed to the end")

    def finish(self):
        """SIGTERM must end it well."""
        assert self.stop(SECONDS) == "stopped", "it had to be killed"
        assert self.exit_code == 0, f"exit code {self.exit_code}\n{self.log()[-2000:]}"


@contextlib.contextmanager
def sink_stack(databases=1):
    """A stack with the topics that all cells share; no sink outlives it."""
    print(f"TEST_SEED={SEED}")
    with tempfile.TemporaryDirectory(prefix="millrace-sink-") as directory:
        base_port = int(os.environ.get("TEST_BASE_PORT", free_base_port(span=PORTS)))
        with Stack(directory, base_port=base_port, databases=databases) as stack:
            stack.up()
            admin = AdminClient({"bootstrap.servers": stack.env()["KAFKA"]})
            create_topics(admin, {"millrace.cells": 1, "millrace.controls": 1, "millrace.heartbeats": 1}, {"cleanup.policy": "compact"})
            create_topics(admin, {"millrace.notices": 1})
            create_topics(admin, {"millrace.deadletter": 1}, {"max.message.bytes": str(4 << 20)})
            try:
                yield stack
            finally:
                for sink in Sink.all:
                    sink.kill()
