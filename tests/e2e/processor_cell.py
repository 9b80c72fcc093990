"""One cell on a stack, without ingest: its topics and record, SampleBatch records in, Aggregate records out.

Everything is written and read by confluent-kafka and fastavro from schemas/*.avsc, so that nothing here is Millrace's own code.
"""
import hashlib
import io
import json
import random
import socket
import struct
import threading
import time
import urllib.error
import urllib.request

import confluent_kafka
import fastavro
from confluent_kafka.admin import AdminClient, NewTopic
from exposition import checked
from millrace_local import Process, ROOT

CELL = "main"
GROUP = f"millrace-processor-{CELL}"
MINUTE_MS, HOUR_MS = 60000, 3600000
INPUTS = ("samples", "events")  # topics that processors read
OFFSET_COMMIT = 8, 2  # of Kafka's protocol: key and version


def topic(name):
    return f"millrace.c.{CELL}.{name}"


class Codec:
    """A schema of schemas/ in the Confluent wire format."""

    def __init__(self, name):
        ids = {line.split()[1]: int(line.split()[0]) for line in (ROOT / "schemas/ids").read_text().splitlines()
               if line.strip() and not line.startswith("#")}
        snake = "".join("_" + c.lower() if c.isupper() else c for c in name).lstrip("_")
        self.id = ids[name]
        self.schema = fastavro.schema.load_schema(ROOT / f"schemas/{snake}.avsc")

    def encode(self, value):
        out = io.BytesIO()
        fastavro.schemaless_writer(out, self.schema, value)
        return struct.pack(">bI", 0, self.id) + out.getvalue()

    def decode(self, message):
        assert struct.unpack(">bI", message[:5]) == (0, self.id), message[:5]
        return fastavro.schemaless_reader(io.BytesIO(message[5:]), self.schema)


def fingerprint(site, kind, name, tags):
    """A stand-in: the processor takes ingest's word for which series is the same, and must not care how it was hashed."""
    return hashlib.blake2b(repr((site, kind, name, sorted(tags.items()))).encode(), digest_size=16).digest()


class Fields:
    """Kafka's own encoding of fields, read one after the other."""

    def __init__(self, data):
        self.stream = io.BytesIO(data)

    def unpack(self, code):
        return struct.unpack(">" + code, self.stream.read(struct.calcsize(">" + code)))[0]

    def int16(self):
        return self.unpack("h")

    def int32(self):
        return self.unpack("i")

    def int64(self):
        return self.unpack("q")

    def string(self):
        return self.stream.read(self.int16()).decode()

    def compact_string(self):
        """Its length and one, seven bits a byte."""
        length = shift = 0
        while True:
            byte = self.stream.read(1)[0]
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return self.stream.read(length - 1).decode()


class Clock:
    """The test clock: virtual time, by the line every program computes."""

    def __init__(self, minute_of_hour, speed):
        self.speed = speed
        self.real_ms = int(time.time() * 1000)
        self.start_ms = self.real_ms // HOUR_MS * HOUR_MS + int(minute_of_hour * MINUTE_MS)

    def now_ms(self):
        return self.start_ms + int((time.time() * 1000 - self.real_ms) * self.speed)

    def settings(self):
        return [f"clock.start_ms={self.start_ms}", f"clock.real_ms={self.real_ms}", f"clock.speed={self.speed}"]


class Cell:
    """Topics and record of one cell, a producer into its samples, and readers of everything it writes."""

    def __init__(self, kafka, partitions):
        self.kafka, self.partitions = kafka, partitions
        self.epoch = random.randrange(-2**63, 2**63)
        self.batch = Codec("SampleBatch")
        self.producer = confluent_kafka.Producer({"bootstrap.servers": kafka, "acks": "all", "linger.ms": 5, "log_level": 2})
        self.undelivered = []

    def create_topics(self):
        def new(name, partitions, **config):
            return NewTopic(name, partitions, 1, config={key.replace("_", "."): value for key, value in config.items()})
        topics = [*(new(topic(name), self.partitions, message_timestamp_type="LogAppendTime") for name in INPUTS),
                  *(new(topic(name), self.partitions) for name in ("minutely", "hourly", "exemplars", "alerts", "samples-state", "events-state")),
                  new("millrace.cells", 1, cleanup_policy="compact"), new("millrace.controls", 1, cleanup_policy="compact"),
                  new("millrace.sites", 1, cleanup_policy="compact"), new("millrace.triggers", 1, cleanup_policy="compact"),
                  new("millrace.heartbeats", 1), new("millrace.notices", 1),
                  new("millrace.deadletter", 1)]
        admin = AdminClient({"bootstrap.servers": self.kafka})
        for future in admin.create_topics(topics).values():
            future.result(30)

    def write_record(self):
        record = {"name": CELL, "epoch": self.epoch, "partitions": self.partitions, "created_at": 0}
        self.send("millrace.cells", 0, Codec("Cell").encode(record), key=CELL)
        self.flush()

    def write_site(self, site, series_cap, shards):
        self.send("millrace.sites", 0, Codec("Site").encode({
            "id": site, "name": site, "disabled": False, "created_at": 0, "keys": [], "payloads_per_s": 0.0, "samples_per_s": 0.0,
            "routes": [{"effective_from": 0, "cell": CELL, "shards": shards}], "series_cap": series_cap}), key=site)
        self.flush()

    def send(self, name, partition, value, key=None):
        self.producer.produce(name, partition=partition, value=value, key=key,
                              on_delivery=lambda error, _: error and self.undelivered.append(error))
        self.producer.poll(0)

    def flush(self):
        assert self.producer.flush(30) == 0 and not self.undelivered, self.undelivered

    def records(self, name):
        """Every committed record of a topic, to the ends as they are now."""
        return list(self.each_record(name))

    def each_record(self, name):
        """The same, one after the other: they may be more than memory should hold."""
        consumer = confluent_kafka.Consumer({"bootstrap.servers": self.kafka, "group.id": "test-reader", "enable.auto.commit": False,
                                             "isolation.level": "read_committed", "enable.partition.eof": True})
        numbers = consumer.list_topics(name, timeout=10).topics[name].partitions
        consumer.assign([confluent_kafka.TopicPartition(name, n, confluent_kafka.OFFSET_BEGINNING) for n in numbers])
        ended = set()
        while len(ended) < len(numbers):
            message = consumer.poll(10)
            assert message is not None, f"{name}: no answer"
            if message.error():
                assert message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF, message.error()
                ended.add(message.partition())
            else:
                yield message
        consumer.close()

    def committed(self):
        """{partition: (offset, metadata)} of the processors' group, from the log of offsets itself: the client's own call for it
        takes metadata for a string that ends with NUL, and it does not."""
        found = {}
        for message in self.records("__consumer_offsets"):
            key = Fields(message.key())
            if key.int16() in (0, 1) and key.string() == GROUP and key.string() == topic("samples"):
                if message.value() is None:  # deleted
                    found.pop(key.int32(), None)
                    continue
                value = Fields(message.value())
                version, offset, _ = value.int16(), value.int64(), value.int32()
                assert version in (3, 4), message.value()
                found[key.int32()] = offset, value.string() if version == 3 else value.compact_string()
        return found

    def delete_records(self, partition, offset, name="samples"):
        """What retention does: everything before offset is gone."""
        admin = AdminClient({"bootstrap.servers": self.kafka})
        for future in admin.delete_records([confluent_kafka.TopicPartition(topic(name), partition, offset)]).values():
            future.result(30)

    def reset_offset(self, partition, offset):
        """What an operator's tool does: commits an offset without metadata, once the group is empty. A static member that has stopped
        counts until its session is over, and until then the broker refuses."""
        consumer = confluent_kafka.Consumer({"bootstrap.servers": self.kafka, "group.id": GROUP, "enable.auto.commit": False})
        deadline = time.monotonic() + 30
        while True:
            try:
                consumer.commit(offsets=[confluent_kafka.TopicPartition(topic("samples"), partition, offset)], asynchronous=False)
                break
            except confluent_kafka.KafkaException:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
        consumer.close()

    def commit(self, port, partition, offset, metadata):
        """Commits an offset with metadata at the group's coordinator, whose port it is; False when it refuses, as while the group has members.
        In Kafka's own protocol: the client would end the metadata with a NUL."""
        def text(string):
            return struct.pack(">h", len(string)) + string.encode()
        body = (text(GROUP) + struct.pack(">i", -1) + text("") + struct.pack(">qi", -1, 1) + text(topic("samples")) +
                struct.pack(">iiq", 1, partition, offset) + text(metadata))
        request = struct.pack(">hhih", *OFFSET_COMMIT, 1, -1) + body
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            answer = connection.makefile("rb")
            return struct.unpack(">h", answer.read(struct.unpack(">i", answer.read(4))[0])[-2:])[0] == 0


class Processor:
    """One millrace-processor on the test clock."""

    def __init__(self, name, directory, binary, cell, clock, port, static=False, more=()):
        self.process, self.port = Process(name, directory), port
        settings = [f"kafka.bootstrap.servers={cell.kafka}", f"admin.listen=127.0.0.1:{port}", "partition.refused_retry=1s",
                    "partition.schema_retry=1s", "checkpoint.position_interval=1s", "checkpoint.chunk_bytes=1024", *more, *clock.settings()]
        if static:
            settings.append(f"instance.id={name}")
        self.command = [binary, "--test-clock", *(word for setting in settings for word in ("--set", setting))]

    def start(self):
        self.process.start(self.command)
        return self

    def get(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def ready(self):
        return self.get("/health/ready")[0] == 200

    def wait_ready(self, seconds=40):
        self.process.wait_until(self.ready, seconds, "ready")

    def metric(self, name, **labels):
        """The sum of a metric over the labels that are not given."""
        total = 0.0
        for line in checked(self.get("/metrics")[1]).splitlines():
            if line.split("{")[0].split(" ")[0] == name and all(f'{key}="{value}"' in line for key, value in labels.items()):
                total += float(line.rsplit(" ", 1)[1])
        return total

    def stop(self):
        how = self.process.stop(30)
        assert how == "stopped" and self.process.exit_code == 0, (self.process.name, how, self.process.exit_code)


class Every:
    """Calls something every so many seconds in a thread, until stopped; an exception in it comes out of stop()."""

    def __init__(self, seconds, call):
        self.seconds, self.call, self.error = seconds, call, None
        self.end = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            while not self.end.wait(self.seconds):
                self.call()
        except Exception as error:
            self.error = error

    def stop(self):
        self.end.set()
        self.thread.join()
        if self.error:
            raise self.error


def headline(value):
    """A value for a message, short."""
    return json.dumps(value, default=str)[:300]
