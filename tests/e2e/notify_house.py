"""One cell of a notifier: its topics, the alert events that were written to it, a receiver that listens, and the millrace-notify that goes between.

Records are written and read back by confluent-kafka and fastavro; what is expected comes from the ledger kept here. Nothing here is
Millrace's own code.
"""
import contextlib
import hashlib
import http.server
import itertools
import json
import os
import random
import re
import signal
import tempfile
import threading
import time
import urllib.error
import urllib.request

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, IsolationLevel, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from exposition import checked
from millrace_local import BINARIES, Process, Stack, free_base_port
from sink_house import create_topics, produce_one
from sink_records import CELL, EPOCH, decode, encode, schema

BINARY = BINARIES / "millrace-notify"
PARTITIONS = 2
SECONDS = 60  # patience for anything that should take few
SEED = int(os.environ.get("TEST_SEED", time.time_ns() % 1_000_000))
PORTS = 80  # of a stack: from 50 on, those of the notifiers
ALERT_EVENT, INCIDENT, RECEIVER, SENT, NOTICE, HEARTBEAT = (
    schema(name) for name in ("alert_event", "incident", "receiver", "sent", "notice", "heartbeat"))


class Listener:
    """A receiver: an HTTP server that writes down what is posted to it. status: what it answers with."""

    def __init__(self):
        self.posts = []  # (headers, body), in the order they came
        self.status = 200
        listener = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                listener.posts.append((dict(self.headers), json.loads(body)))
                self.send_response(listener.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/alerts"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Alert:
    """One series of one trigger, as the processor would tell of it."""

    def __init__(self, cell, site, trigger, number):
        self.cell, self.site, self.trigger, self.number = cell, site, trigger, number
        self.fingerprint = hashlib.md5(f"{site} {trigger} {number}".encode()).digest()
        self.partition = self.fingerprint[0] % PARTITIONS
        self.episode, self.opened_at, self.is_open = None, None, False
        self.minute = int(time.time() // 60 * 60_000)

    def event(self, kind):
        self.minute += 60_000  # a minute is judged once
        minute = self.minute
        if kind == "opened":
            self.opened_at = minute
            self.episode = hashlib.md5(f"{self.site} {self.trigger} {self.number} {time.time_ns()}".encode()).digest()
            self.is_open = True
        else:
            self.is_open = False
        return {
            "id": self.episode if kind == "opened" else hashlib.md5(self.episode + kind.encode()).digest(), "episode": self.episode,
            "kind": kind, "trigger": self.trigger, "cell": self.cell.name, "epoch": EPOCH, "site": self.site, "site_name": self.site.title(),
            "description": f"{self.trigger} is wrong", "severity": "critical", "condition": f"p95 of {self.trigger} > 500", "receivers": [],
            "warm_up_minutes": 1, "cooldown_minutes": 1, "fingerprint": self.fingerprint, "series_kind": "gauge", "name": self.trigger,
            "tags": {"number": str(self.number)}, "opened_at": self.opened_at, "minute": minute, "value": 501.5,
            "reason": "" if kind == "opened" else "recovered", "opened": 0, "closed": 0, "at": int(time.time() * 1000)}


class Cell:
    """A cell's topics, and the alerts that were written to it."""

    def __init__(self, stack, name):
        self.name, self.kafka = name, stack.env()["KAFKA"]
        self.admin = AdminClient({"bootstrap.servers": self.kafka})
        self.topics = {last: f"millrace.c.{name}.{last}" for last in ("alerts", "incidents", "sent")}
        create_topics(self.admin, {self.topics["alerts"]: PARTITIONS, self.topics["incidents"]: 1, self.topics["sent"]: 1})
        self.set_epoch(EPOCH)
        self.producer = self.make_producer()
        self.dice = random.Random(f"{SEED} {name}")
        self.alerts = {}  # (site, trigger) -> [Alert]

    def set_epoch(self, epoch):
        produce_one(self.kafka, "millrace.cells", self.name,
                    encode(CELL, {"name": self.name, "epoch": epoch, "partitions": PARTITIONS, "created_at": 0}))

    def make_producer(self):
        producer = Producer({"bootstrap.servers": self.kafka, "transactional.id": f"test-{self.name}", "linger.ms": 20, "log_level": 2})
        producer.init_transactions(30)
        return producer

    def make(self, site, trigger, count):
        self.alerts[site, trigger] = [Alert(self, site, trigger, number) for number in range(count)]
        return self.alerts[site, trigger]

    def write(self, pairs):
        """(alert, kind)s, in transactions of some hundred, as checkpoints do."""
        pairs = iter(pairs)
        while chunk := list(itertools.islice(pairs, 500)):
            self.producer.begin_transaction()
            for alert, kind in chunk:
                while True:
                    try:
                        self.producer.produce(self.topics["alerts"], encode(ALERT_EVENT, alert.event(kind)), alert.trigger,
                                              partition=alert.partition)
                        break
                    except BufferError:
                        self.producer.poll(0.1)
            self.producer.commit_transaction(30)

    def write_raw(self, partition, value):
        self.producer.begin_transaction()
        self.producer.produce(self.topics["alerts"], value, "junk", partition=partition)
        self.producer.commit_transaction(30)

    def read(self, last, parsed):
        """All committed records of a topic of the cell, in their order."""
        return [decode(parsed, value) for value in read_committed(self.kafka, self.topics[last])]

    def incidents(self):
        """The newest record of each incident; every record's version is above that of the one before it."""
        newest = {}
        for incident in self.read("incidents", INCIDENT):
            before = newest.get(incident["id"])
            assert not before or incident["version"] > before["version"], f"version {incident['version']} after {before['version']}"
            newest[incident["id"]] = incident
        return newest

    def open_alerts(self):
        """{(site, trigger): fingerprints that are open} as the incidents have it."""
        found = {}
        for incident in self.incidents().values():
            if incident["state"] == "open":
                key = incident["site"], incident["trigger"]
                assert key not in found, f"two open incidents of {key}"
                found[key] = {alert["fingerprint"] for alert in incident["alerts"] if alert["state"] == "open"}
                assert incident["open_alerts"] == len(found[key])
        return found

    def check(self):
        """What is open is what was opened and not closed."""
        found, wanted = self.open_alerts(), self.wanted_open()
        for key in wanted.keys() | found.keys():
            missing, more = wanted.get(key, set()) - found.get(key, set()), found.get(key, set()) - wanted.get(key, set())
            assert not missing and not more, f"{key}: {len(missing)} alerts are missing, {len(more)} are open that should not, of {len(wanted.get(key, ()))}"

    def wanted_open(self):
        wanted = {key: {alert.fingerprint for alert in alerts if alert.is_open} for key, alerts in self.alerts.items()}
        return {key: prints for key, prints in wanted.items() if prints}

    def committed(self):
        """{partition: offset} of the group. (Metadata cannot be had of this client, which takes it for a string that ends with NUL.)"""
        group = ConsumerGroupTopicPartitions(f"millrace-notify-{self.name}",
                                             [TopicPartition(self.topics["alerts"], p) for p in range(PARTITIONS)])
        (future,) = self.admin.list_consumer_group_offsets([group]).values()
        return {tp.partition: tp.offset for tp in future.result().topic_partitions}

    def ends(self):
        asked = {TopicPartition(self.topics["alerts"], p): OffsetSpec.latest() for p in range(PARTITIONS)}
        return {tp.partition: future.result().offset
                for tp, future in self.admin.list_offsets(asked, isolation_level=IsolationLevel.READ_COMMITTED).items()}

    def is_taken(self):
        """Has the group committed all there is?"""
        return self.committed() == self.ends()


def read_committed(kafka, topic):
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": f"probe-{random.random()}", "enable.auto.commit": False,
                         "isolation.level": "read_committed", "enable.partition.eof": True, "auto.offset.reset": "earliest"})
    values = []
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            message = consumer.poll(1)
            if message is None:
                continue
            if message.error():
                return values  # its end
            values.append(message.value())
        raise AssertionError(f"{topic} has no end")
    finally:
        consumer.close()


def add_receiver(kafka, name, url, **more):
    receiver = {"id": name, "webhook": {"url": url, "secret_file": "", "bearer_file": ""}, "mail": None, "sites": [], "severities": [],
                "only_named": False, "group_wait_ms": 0, "group_interval_ms": 1000, "repeat_ms": 0, "resolve": True, "escalate_to": "",
                "escalate_after_ms": 0, "author": "test", "updated_at": 0} | more
    produce_one(kafka, "millrace.receivers", name, encode(RECEIVER, receiver))


class Notify(Process):
    """One instance, with its admin port."""
    ports = itertools.count(0)
    all = []  # for the end of the test: a case that fails leaves its instances running

    def __init__(self, stack, cell, instance="one", **settings):
        super().__init__(f"{cell.name}-{instance}", stack.directory)
        self.all.append(self)
        self.port = stack.settings["base_port"] + 50 + next(self.ports)
        self.settings = {"kafka.bootstrap.servers": cell.kafka, "cell": cell.name, "admin.listen": f"127.0.0.1:{self.port}",
                         "notify.allow_http": "true", "notify.allow_networks": "127.0.0.0/8",
                         "notify.site_rate": "0", **{key.replace("__", "."): value for key, value in settings.items()}}

    def launch(self):
        words = [word for key, value in self.settings.items() for word in ("--set", f"{key}={value}")]
        self.start([BINARY, *words])

    def run(self):
        """Starts it and waits until it is ready."""
        self.launch()
        self.wait_until(lambda: self.get("/health/ready")[0] == 200, SECONDS, "ready")
        return self

    def get(self, path):
        """Status and text; 0 while nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metric(self, name):
        """The sum over all labels."""
        return sum(float(value) for value in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", checked(self.get("/metrics")[1]), re.M))

    def is_active(self):
        return self.metric("millrace_notify_active") == 1

    def wait_active(self):
        self.wait_until(self.is_active, SECONDS, "active")

    def log(self):
        return self.log_file.read_text(errors="replace")

    def freeze(self):
        self.signal(signal.SIGSTOP)

    def thaw(self):
        self.signal(signal.SIGCONT)

    def finish(self):
        """SIGTERM must end it well."""
        assert self.stop(SECONDS) == "stopped", "it had to be killed"
        assert self.exit_code == 0, f"exit code {self.exit_code}\n{self.log()[-2000:]}"


@contextlib.contextmanager
def notify_stack():
    """A stack with the topics that all cells share; no notifier outlives it."""
    print(f"TEST_SEED={SEED}")
    with tempfile.TemporaryDirectory(prefix="millrace-notify-") as directory:
        base_port = int(os.environ.get("TEST_BASE_PORT", free_base_port(span=PORTS)))
        with Stack(directory, base_port=base_port, databases=1) as stack:
            stack.up()
            admin = AdminClient({"bootstrap.servers": stack.env()["KAFKA"]})
            tables = ("cells", "controls", "receivers", "silences", "acks", "heartbeats", "sites", "triggers")
            create_topics(admin, {f"millrace.{name}": 1 for name in tables}, {"cleanup.policy": "compact"})
            create_topics(admin, {"millrace.notices": 1})
            create_topics(admin, {"millrace.deadletter": 1}, {"max.message.bytes": str(4 << 20)})
            try:
                yield stack
            finally:
                for notify in Notify.all:
                    notify.thaw()
                    notify.kill()
