"""One millrace-ingest in front of a real Kafka, and everything a test needs to look at it from outside.

Topics and tables are made by confluent-kafka and fastavro; fingerprints and partitions are computed here from the words of schemas/README.md
with the xxhash package. Nothing here is Millrace's own code.
"""
import contextlib
import datetime
import hashlib
import http.client
import json
import os
import pathlib
import random
import secrets
import signal
import socket
import threading
import time

import confluent_kafka
import xxhash
from confluent_kafka.admin import AdminClient, NewTopic
from exposition import checked
from millrace_local import BINARIES, Process, Stack, TREE, free_ports, port_is_open
from processor_cell import Codec

BINARY = BINARIES / "millrace-ingest"
PLAIN = TREE == "plain"  # sanitizers keep memory for themselves
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("MILLRACE_")}  # those would be settings
PARTITIONS = 12
KINDS = ("counter", "gauge", "distribution")
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
PATIENCE = 30  # seconds, for anything that should take few


def canonical(text):
    """A string as the fingerprint takes it: u16 little-endian length and bytes."""
    raw = text.encode()
    return len(raw).to_bytes(2, "little") + raw


def fingerprint(site, kind, name, tags):
    pairs = sorted((key.encode(), canonical(key) + canonical(value)) for key, value in tags.items())
    return xxhash.xxh3_128_digest(canonical(site) + bytes([KINDS.index(kind)]) + canonical(name) + b"".join(p for _, p in pairs))


def site_partitions(site, shards, partitions=PARTITIONS):
    """The site's partitions: highest random weight, ascending."""
    weight = {p: xxhash.xxh3_64_intdigest(site.encode() + b"\0" + p.to_bytes(2, "little")) for p in range(partitions)}
    return sorted(sorted(weight, key=lambda p: (-weight[p], p))[:shards])


def partition_of(print_, own):
    return own[int.from_bytes(print_[8:], "big") % len(own)]


def plain(value):
    """A decoded record with its times as the milliseconds that stand in it: fastavro makes datetimes of them."""
    if isinstance(value, datetime.datetime):
        return (value - EPOCH) // datetime.timedelta(milliseconds=1)
    if isinstance(value, list):
        return [plain(item) for item in value]
    return {key: plain(item) for key, item in value.items()} if isinstance(value, dict) else value


class Answer:
    """An HTTP answer; its body is JSON, as every answer of ingest's is."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, json.loads(body)

    @property
    def error(self):
        return self.body.get("error")

    def __repr__(self):
        return f"{self.status} {json.dumps(self.body)[:300]}"


class Ingest:
    """One process, its ports, and requests to it."""

    def __init__(self, name, directory, kafka, *settings, test_clock=False):
        self.push_port, self.admin_port = free_ports(2)
        self.process = Process(name, directory)
        settings = (f"kafka.bootstrap.servers={kafka}", f"push.listen=127.0.0.1:{self.push_port}",
                    f"admin.listen=127.0.0.1:{self.admin_port}", "push.message_timeout=3s", *settings)
        self.command = [BINARY, *(["--test-clock"] if test_clock else []), *(w for s in settings for w in ("--set", s))]

    def start(self):
        self.process.start(self.command, env=ENVIRONMENT)
        self.process.wait_until(lambda: port_is_open(self.push_port), PATIENCE, "listening")
        return self

    def wait_ready(self):
        self.process.wait_until(lambda: self.admin("/health/ready")[0] == 200, PATIENCE, "ready")
        return self

    def admin(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError as error:
            return 0, str(error)
        finally:
            connection.close()

    def metric(self, name, **labels):
        """The sum of a metric over the labels that are not given."""
        rows = (line.rsplit(" ", 1) for line in checked(self.admin("/metrics")[1]).splitlines() if not line.startswith("#"))
        return sum(float(value) for row, value in rows
                   if row.split("{")[0] == "millrace_ingest_" + name and all(f'{k}="{v}"' in row for k, v in labels.items()))

    def labels(self, name, label):
        """The values of a label over the rows of a metric."""
        rows = (line for line in self.admin("/metrics")[1].splitlines() if line.startswith(f"millrace_ingest_{name}{{"))
        return {row.split(f'{label}="', 1)[1].split('"', 1)[0] for row in rows if f'{label}="' in row}

    def log(self):
        """What it has said so far."""
        return self.process.log_file.read_text(errors="replace")

    def rss_mib(self):
        """Resident memory, read off /proc."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")) / 1024

    def connect(self, timeout=PATIENCE):
        return http.client.HTTPConnection("127.0.0.1", self.push_port, timeout=timeout)

    def request(self, method, path, body=None, headers=None, connection=None):
        """One request; on a connection of its own unless one is given."""
        own = connection or self.connect()
        try:
            own.request(method, path, body, headers or {})
            answer = own.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            if connection is None:
                own.close()

    def push(self, key, payload, connection=None, **headers):
        body = payload if isinstance(payload, (bytes, str)) else json.dumps(payload)
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json",
                   **{name.replace("_", "-"): value for name, value in headers.items()}}
        return self.request("POST", "/v1/push", body, headers, connection)

    def raw(self, data, timeout=PATIENCE):
        """Bytes as they are on a fresh socket; the answer's status and body, however the connection ends."""
        with socket.create_connection(("127.0.0.1", self.push_port), timeout=timeout) as connection:
            return exchange(connection, data)

    def wait_metric(self, name, wanted, **labels):
        self.process.wait_until(lambda: self.metric(name, **labels) == wanted, PATIENCE, f"at {name} = {wanted}")

    def settled(self):
        """Nothing is in flight any more."""
        self.wait_metric("inflight_bytes", 0)


def is_stopped(pid):
    """Has every thread stopped? SIGSTOP is taken by one of them, and until that one has a turn on a busy machine the others work on."""
    states = (stat.read_text().rsplit(")", 1)[1].split()[0] for stat in pathlib.Path(f"/proc/{pid}/task").glob("*/stat"))
    return all(state == "T" for state in states)


def exchange(connection, data):
    """Sends data while it reads, as the answer to an oversized body comes before its end."""
    def feed():
        with contextlib.suppress(OSError):
            connection.sendall(data)
    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return Answer(answer.status, answer.headers, answer.read())
    finally:
        feeder.join()


class Call:
    """A push in a thread of its own; result() waits for its answer."""

    def __init__(self, call, *arguments, **named):
        self.answer = self.error = None
        self.thread = threading.Thread(target=self._run, args=(call, arguments, named), daemon=True)
        self.thread.start()

    def _run(self, call, arguments, named):
        try:
            self.answer = call(*arguments, **named)
        except Exception as error:
            self.error = error

    def done(self, seconds=0):
        self.thread.join(seconds)
        return not self.thread.is_alive()

    def result(self, seconds=PATIENCE):
        assert self.done(seconds), f"no answer within {seconds} s"
        if self.error:
            raise self.error
        return self.answer


class House:
    """Kafka, the tables, and the programs a test starts; everything is stopped on leaving."""

    def __init__(self, directory, base_port):
        self.directory = pathlib.Path(directory)
        self.stack = Stack(self.directory / "stack", base_port=base_port)
        self.programs, self.keys = [], {}
        self.cell, self.site, self.batch = Codec("Cell"), Codec("Site"), Codec("SampleBatch")

    def __enter__(self):
        try:
            self.stack.up()
        except BaseException:
            self.__exit__()
            raise
        self.kafka = self.stack.env()["KAFKA"]
        self.broker = self.stack.brokers[0].process
        self.producer = confluent_kafka.Producer({"bootstrap.servers": self.kafka, "acks": "all", "log_level": 0})
        return self

    def __exit__(self, *_):
        for program in self.programs:
            program.process.stop(10)
        self.stack.wipe()

    def ingest(self, name, *settings, test_clock=False):
        program = Ingest(name, self.directory, self.kafka, *settings, test_clock=test_clock)
        self.programs.append(program)
        return program.start()

    def create_topics(self, *cells):
        topics = [NewTopic("millrace." + name, 1, 1, config={"cleanup.policy": "compact"}) for name in ("cells", "sites", "controls", "heartbeats")]
        topics += [NewTopic("millrace.notices", 1, 1)]
        topics += [NewTopic(f"millrace.c.{cell}.{kind}", PARTITIONS, 1, config={"message.timestamp.type": "LogAppendTime"})
                   for cell in cells for kind in ("samples", "events")]
        admin = AdminClient({"bootstrap.servers": self.kafka})
        for future in admin.create_topics(topics).values():
            future.result(PATIENCE)

    def write(self, table, key, value):
        errors = []
        self.producer.produce("millrace." + table, value=value, key=key, on_delivery=lambda error, _: error and errors.append(error))
        assert self.producer.flush(PATIENCE) == 0 and not errors, errors

    def put_cell(self, name, epoch=None):
        self.write("cells", name, self.cell.encode({"name": name, "epoch": random.getrandbits(63) | 1 if epoch is None else epoch,
                                                    "partitions": PARTITIONS, "created_at": 0}))

    def put_site(self, site, keys, routes=((0, "main", 2),), disabled=False, payloads_per_s=0.0, samples_per_s=0.0):
        """A site with these keys (in clear), this history of (effective_from, cell, shards), and these limits (0: none)."""
        rows = [{"id": key[:8], "sha256": hashlib.sha256(key.encode()).digest(), "created_at": 0} for key in keys]
        self.write("sites", site, self.site.encode({
            "id": site, "name": site, "disabled": disabled, "created_at": 0, "keys": rows,
            "payloads_per_s": float(payloads_per_s), "samples_per_s": float(samples_per_s),
            "series_cap": 0, "routes": [{"effective_from": at, "cell": cell, "shards": shards} for at, cell, shards in routes]}))

    @staticmethod
    def new_key():
        return "mr_" + secrets.token_urlsafe(32)

    def notices(self):
        """What the operator log says, decoded."""
        consumer = confluent_kafka.Consumer({"bootstrap.servers": self.kafka, "group.id": "test-notices", "enable.partition.eof": True,
                                             "enable.auto.commit": False})
        consumer.assign([confluent_kafka.TopicPartition("millrace.notices", 0, confluent_kafka.OFFSET_BEGINNING)])
        codec, found = Codec("Notice"), []
        while (message := consumer.poll(PATIENCE)) is not None and not message.error():
            found.append(plain(codec.decode(message.value())))
        assert message is not None and message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF, message
        consumer.close()
        return found

    def records(self, cell="main", site=None):
        """[(partition, key, batch)] of a cell's samples, to the ends as they are now; of one site if it is named."""
        name = f"millrace.c.{cell}.samples"
        consumer = confluent_kafka.Consumer({"bootstrap.servers": self.kafka, "group.id": "test-reader", "enable.auto.commit": False,
                                             "enable.partition.eof": True})
        consumer.assign([confluent_kafka.TopicPartition(name, p, confluent_kafka.OFFSET_BEGINNING) for p in range(PARTITIONS)])
        ended, found = set(), []
        while len(ended) < PARTITIONS:
            message = consumer.poll(PATIENCE)
            assert message is not None, f"{name}: no answer"
            if message.error():
                assert message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF, message.error()
                ended.add(message.partition())
            elif site is None or message.key() == site.encode():
                found.append((message.partition(), message.key().decode(), plain(self.batch.decode(message.value()))))
        consumer.close()
        return found

    @contextlib.contextmanager
    def frozen(self):
        """Kafka hears nothing and says nothing; woken at the end whatever happened."""
        self.broker.signal(signal.SIGSTOP)
        try:
            self.broker.wait_until(lambda: is_stopped(self.broker.pid), PATIENCE, "frozen")
            yield
        finally:
            self.broker.signal(signal.SIGCONT)


def now_ms():
    return int(time.time() * 1000)
