#!/usr/bin/env python3
"""millrace-ctl tail on a real cluster: every topic of schemas/topics.txt with random records that fastavro wrote, names that would repaint a terminal among them.

The oracle is what was written, as Python has it: bytes become hexadecimal digits, nothing else changes. TEST_SEED repeats a run.
"""
import json
import os
import pty
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(ROOT / "schemas"), str(Path(__file__).resolve().parent)]
import cases  # noqa: E402
import texts  # noqa: E402
from confluent_kafka import Producer  # noqa: E402
from kafka_view import View, plain  # noqa: E402
from millrace_local import BINARIES, Stack, free_base_port  # noqa: E402
from random_records import Random  # noqa: E402

CTL = BINARIES / "millrace-ctl"
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("MILLRACE_")}  # those would be settings
SEED = int(os.environ.get("TEST_SEED", time.time()))
PARTITIONS, RECORDS = 3, 25
CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f]")  # all but the newline


def shown(value):
    """A value as JSON has it."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {key: shown(part) for key, part in value.items()}
    return [shown(part) for part in value] if isinstance(value, list) else value


class World:
    """One broker with the control plane and two cells, and what is written there."""

    def __init__(self, directory):
        self.stack = Stack(directory / "stack", base_port=free_base_port(25400))
        self.random = random.Random(SEED)
        self.written = {}  # topic -> [(partition, record's name, value)]

    def start(self):
        self.stack.up()
        self.brokers = self.stack.env()["KAFKA"]
        self.view = View(self.brokers)
        self.producer = Producer({"bootstrap.servers": self.brokers, "acks": "all", "log_level": 0})
        self.run("topics", "apply", "--replication-factor", "1")
        for cell in ("main", "eu"):
            self.run("cell", "add", cell, "--partitions", str(PARTITIONS), "--replication-factor", "1")
        for name, of_cell, record in texts.read_topics(ROOT / "schemas" / "topics.txt"):
            self.fill(f"millrace.c.main.{name}" if of_cell else f"millrace.{name}", record)

    def fill(self, topic, record):
        """Tables among the control plane's are not written to any more by ours when they hold random rows."""
        _, schema = max(((number, schema) for number, (known, schema) in self.view.schemas.items() if known == record), key=lambda row: row[0])
        source = next(line.split()[2] for line in (ROOT / "schemas/ids").read_text().splitlines() if line.split()[:1] and line.split()[1] == record)
        make = Random(self.random, plain(json.loads((ROOT / "schemas" / source).read_text())))
        partitions = len(self.producer.list_topics(topic, timeout=10).topics[topic].partitions)
        rows = self.written[topic] = []
        at = int(time.time() * 1000)
        for number in range(RECORDS):
            value, partition = make.record(), self.random.randrange(partitions)
            self.producer.produce(topic, self.view.encode(record, value), b"\x1b[31mkey%d" % number, partition=partition, timestamp=at + number)
            rows.append((partition, record, value))
        assert self.producer.flush(30) == 0

    def run(self, *words, code=0):
        done = subprocess.run([CTL, "--kafka", self.brokers, *words], capture_output=True, timeout=60, env=ENVIRONMENT)
        assert done.returncode == code, f"millrace-ctl {' '.join(words)}: exit {done.returncode}, not {code}\n{done.stdout[-2000:]}{done.stderr}"
        return done.stdout.decode()

    def lines(self, *words, code=0):
        return [json.loads(line) for line in self.run("tail", *words, "--json", "--no-follow", code=code).splitlines()]


def test_every_topic_says_what_was_written(world):
    for topic, rows in world.written.items():
        lines = world.lines(topic, "--from", "1h")
        mine = [line for line in lines if (line["key"] or "").startswith("1b5b33316d6b6579")]
        assert len(mine) == RECORDS, (topic, len(mine), SEED)
        by_number = {int(bytes.fromhex(line["key"])[8:]): line for line in mine}
        for number, (partition, record, value) in enumerate(rows):
            line = by_number[number]
            assert (line["topic"], line["partition"], line["record"]) == (topic, partition, record), (line, SEED)
            assert line["value"] == shown(value), (topic, number, SEED, line["value"], shown(value))


def test_the_last_are_the_newest_in_order(world):
    topic = "millrace.c.main.minutely"  # whose times are the producer's: number by number
    for last in (1, 10, RECORDS, RECORDS + 5):
        numbers = [int(bytes.fromhex(line["key"])[8:]) for line in world.lines("minutely", "--cell", "main", "--last", str(last))]
        assert numbers == list(range(max(0, RECORDS - last), RECORDS)), (last, numbers, SEED)
    assert len(world.lines(topic)) == 10


def test_names_of_topics(world):
    assert world.lines("heartbeats", "--last", "1")[0]["topic"] == "millrace.heartbeats"
    assert world.lines("c.main.sent", "--last", "1")[0]["topic"] == "millrace.c.main.sent"
    world.run("tail", "samples", "--no-follow", code=1)  # of which cell?
    world.run("tail", "nothing", "--no-follow", code=1)
    world.run("tail", "samples", "--cell", "elsewhere", "--no-follow", code=1)
    world.run("tail", "samples", "--cell", "main", "--last", "3", "--from", "1h", code=2)


def has(value, field, text):
    if isinstance(value, dict):
        return value.get(field) == text or any(has(part, field, text) for part in value.values())
    return isinstance(value, list) and any(has(part, field, text) for part in value)


def test_filters(world):
    for topic in ("millrace.c.main.samples", "millrace.c.main.minutely", "millrace.triggers"):
        values = [shown(value) for _, _, value in world.written[topic]]
        for field in ("site", "name"):
            expected = [value for value in values if has(value, field, "shop")]
            got = [line["value"] for line in world.lines(topic, "--from", "1h", f"--{field}", "shop") if line["key"].startswith("1b5b")]
            assert sorted(map(json.dumps, got)) == sorted(map(json.dumps, expected)), (topic, field, SEED)


def test_nothing_reaches_the_terminal_raw(world):
    """On a terminal, where colours of our own are the only escape sequences."""
    for topic in world.written:
        for form in ((), ("--json",)):
            master, slave = pty.openpty()
            words = [CTL, "--kafka", world.brokers, "tail", topic, "--from", "1h", "--no-follow", *form]
            process = subprocess.Popen(words, stdout=slave, stderr=subprocess.DEVNULL, env={**ENVIRONMENT, "TERM": "xterm"})
            os.close(slave)
            said = b""
            try:
                while chunk := os.read(master, 65536):
                    said += chunk
            except OSError:
                pass  # the other side is closed
            os.close(master)
            assert process.wait(30) == 0
            text = re.sub(r"\x1b\[[0-9;]*m", "", said.decode().replace("\r\n", "\n")) if not form else said.decode().replace("\r\n", "\n")
            assert len(text.splitlines()) >= RECORDS and not CONTROLS.search(text), (topic, CONTROLS.search(text), SEED)
            assert form or b"\x1b[31mkey" not in said


def test_what_cannot_be_read_is_said_and_passed_over(world):
    topic = "millrace.c.eu.hourly"
    good = world.written["millrace.c.main.hourly"][0][2]
    message = world.view.encode("Aggregate", good)
    for value in (b"", b"\1\0\0\0\4", b"\0\0\0\x27\x0f" + b"xyz", message[:-1], message + b"\0", None, message):
        world.producer.produce(topic, value, b"k", partition=0)
    assert world.producer.flush(30) == 0
    lines = world.lines(topic, code=1)
    assert ["fault" in line for line in lines] == [True] * 5 + [False] * 2, lines
    assert "9999" in lines[2]["fault"] and lines[2]["bytes"] == "000000270f78797a" and lines[5]["value"] is None
    assert lines[6]["value"] == shown(good)
    assert world.run("tail", topic, "--no-follow", code=1).count("cannot be read") == 5


class Follower:
    """tail in the background, line by line."""

    def __init__(self, world, *words):
        self.process = subprocess.Popen([CTL, "--kafka", world.brokers, "tail", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT)

    def line(self):
        return json.loads(self.process.stdout.readline())

    def end(self, number):
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=20)
        return self.process.returncode, errors.decode()


def test_it_follows_until_a_signal(world):
    value = world.written["millrace.c.main.alerts"][0][2]
    follower = Follower(world, "alerts", "--cell", "main", "--json", "--last", "2")
    assert [follower.line()["value"] for _ in range(2)] == [shown(row[2]) for row in world.written["millrace.c.main.alerts"][-2:]]
    for partition in range(PARTITIONS):
        world.producer.produce("millrace.c.main.alerts", world.view.encode("AlertEvent", value), b"new", partition=partition)
        assert world.producer.flush(30) == 0
        line = follower.line()
        assert (line["partition"], line["value"]) == (partition, shown(value))
    code, errors = follower.end(signal.SIGINT)
    assert code == 0 and "5 records" in errors, (code, errors)


def test_only_what_is_committed(world):
    producer = Producer({"bootstrap.servers": world.brokers, "transactional.id": "tail", "log_level": 0})
    producer.init_transactions(30)
    value = world.view.encode("Aggregate", world.written["millrace.c.main.hourly"][0][2])
    for key, end in ((b"aborted", producer.abort_transaction), (b"committed", producer.commit_transaction)):
        producer.begin_transaction()
        producer.produce("millrace.c.eu.minutely", value, key, partition=1)
        producer.flush(30)
        end(30)
    assert [bytes.fromhex(line["key"]) for line in world.lines("minutely", "--cell", "eu")] == [b"committed"]


def test_a_closed_pipe_ends_it(world):
    process = subprocess.Popen([CTL, "--kafka", world.brokers, "tail", "millrace.cells", "--from", "1h", "--no-follow"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=ENVIRONMENT)
    process.stdout.close()
    assert process.wait(30) == -signal.SIGPIPE and process.stderr.read() == b""
    process.stderr.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        the_world = World(Path(folder))
        try:
            the_world.start()
            cases.run(globals(), the_world)
        finally:
            the_world.stack.wipe()
