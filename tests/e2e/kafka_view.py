"""Millrace's topics as a stranger sees them: confluent-kafka to read and write, fastavro and schemas/*.avsc to understand.

Shares no code with the programs: what they write must mean the same to anybody who has the schemas.
"""
import io
import json
import time
from pathlib import Path

import fastavro
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
WAIT_SECONDS = 30


def plain(schema):
    """A schema without logical types: times stay the numbers that are written."""
    if isinstance(schema, dict):
        return {key: plain(value) for key, value in schema.items() if key != "logicalType"}
    return [plain(part) for part in schema] if isinstance(schema, list) else schema


def load_schemas(folder=SCHEMAS):
    """{id: (record's name, parsed schema)} by schemas/ids, former versions among them."""
    known = {}
    for line in (folder / "ids").read_text().splitlines():
        words = line.split()
        if len(words) == 3 and words[0].isdigit():
            schema = fastavro.parse_schema(plain(json.loads((folder / words[2]).read_text())), named_schemas={})
            known[int(words[0])] = (words[1], schema)
    return known


class View:
    """One cluster."""

    def __init__(self, brokers):
        self.brokers = brokers
        self.schemas = load_schemas()
        self.admin = AdminClient({"bootstrap.servers": brokers, "log_level": 0})

    def decode(self, value):
        """A record's dict, from the Confluent wire format."""
        if value[0] != 0:
            raise ValueError(f"first byte {value[0]}")
        _, schema = self.schemas[int.from_bytes(value[1:5], "big")]
        body = io.BytesIO(value[5:])
        record = fastavro.schemaless_reader(body, schema)
        if body.read(1):
            raise ValueError("bytes left over")
        return record

    def encode(self, name, record):
        """The reverse, by the newest version."""
        number, schema = max(((n, s) for n, (known, s) in self.schemas.items() if known == name), key=lambda row: row[0])
        body = io.BytesIO()
        fastavro.schemaless_writer(body, schema, record)
        return b"\0" + number.to_bytes(4, "big") + body.getvalue()

    def messages(self, topic):
        """Every message of a topic, partition by partition, up to where it ends now."""
        consumer = Consumer({"bootstrap.servers": self.brokers, "group.id": "view", "enable.auto.commit": False, "log_level": 0,
                             "enable.partition.eof": True, "auto.offset.reset": "earliest", "fetch.wait.max.ms": 20})
        try:
            partitions = [TopicPartition(topic, p, 0) for p in consumer.list_topics(topic, WAIT_SECONDS).topics[topic].partitions]
            consumer.assign(partitions)
            open_ends, found = len(partitions), []
            deadline = time.monotonic() + WAIT_SECONDS
            while open_ends:
                message = consumer.poll(1)
                if time.monotonic() > deadline:
                    raise AssertionError(f"{topic} not read within {WAIT_SECONDS} s")
                if message is None:
                    continue
                if message.error():
                    open_ends -= 1  # only the end of a partition is expected
                    assert message.error().name() == "_PARTITION_EOF", message.error()
                    continue
                found.append(message)
            return found
        finally:
            consumer.close()

    def records(self, topic):
        """Every record of a topic, decoded, in order."""
        return [self.decode(message.value()) for message in self.messages(topic)]

    def table(self, topic):
        """{key: record} of a compacted topic, as a reader at its end holds it."""
        last = {message.key().decode(): message.value() for message in self.messages(topic)}
        return {key: self.decode(value) for key, value in last.items() if value is not None}

    def put(self, topic, key, value, partition=0, **more):
        """One raw message, acknowledged; value None is a deletion, more may be timestamp= in ms."""
        producer = Producer({"bootstrap.servers": self.brokers, "acks": "all", "log_level": 0})
        producer.produce(topic, value, key, partition=partition, **more)
        assert producer.flush(WAIT_SECONDS) == 0

    def topics(self):
        """{name: metadata} of Millrace's topics."""
        return {name: topic for name, topic in self.admin.list_topics(timeout=WAIT_SECONDS).topics.items()
                if name.startswith("millrace.")}

    def settings(self, topics):
        """{topic: {name: value}} as the broker has them."""
        asked = self.admin.describe_configs([ConfigResource(ResourceType.TOPIC, name) for name in topics])
        return {resource.name: {entry.name: entry.value for entry in future.result(WAIT_SECONDS).values()}
                for resource, future in asked.items()}

    def wait_topics(self, accept, what):
        """Until the brokers' view of the topics is as it should be: deletions take a moment."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not accept(self.topics()):
            if time.monotonic() > deadline:
                raise AssertionError(f"not {what} within {WAIT_SECONDS} s")
            self.admin.poll(0.05)

    def delete(self, *names):
        """Deletes topics and waits until they are gone."""
        for future in self.admin.delete_topics(list(names)).values():
            future.result(WAIT_SECONDS)
        self.wait_topics(lambda there: not set(names) & set(there), "deleted")
