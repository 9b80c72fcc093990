#!/usr/bin/env python3
"""millrace-ctl status before a whole stack in which one thing after the other goes wrong: what it says first, and with which exit code.

Real Kafka, real programs, a database that is frozen. What is expected of it is what the test has done: when it wrote the record that is not
read, how many there are, who paused what. Cases run in order on one world; each but the last ends with a stack that is well. Arguments choose some.
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
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(Path(__file__).resolve().parent)]
import cases  # noqa: E402
from confluent_kafka import Producer, TopicPartition  # noqa: E402
from kafka_view import View  # noqa: E402
from millrace_local import BINARIES, Process, Stack, free_base_port  # noqa: E402
from sink_records import random_aggregate  # noqa: E402

ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("MILLRACE_")}  # those would be settings
SEED = int(os.environ.get("TEST_SEED", time.time_ns() % 1_000_000))
MINUTELY, ALERTS = "millrace.c.main.minutely", "millrace.c.main.alerts"
SECONDS = 60
HOUR = 3600
SEVERITIES = ["loss", "stands", "delayed", "degraded", "hint"]


class Program(Process):
    """One of ours, with its admin port."""

    def __init__(self, world, name, port, **settings):
        super().__init__(name, world.stack.directory)
        self.port = world.stack.settings["base_port"] + port
        every = {"kafka.bootstrap.servers": world.brokers, "instance.id": name, "admin.listen": f"127.0.0.1:{self.port}", "heartbeat.interval": "1s",
                 **({} if name == "ingest" else {"cell": "main"}), **settings}
        self.words = [BINARIES / f"millrace-{name}", *(word for key, value in every.items() for word in ("--set", f"{key}={value}"))]

    def is_ready(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/ready", timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.HTTPError, OSError):
            return False

    def run(self):
        self.start(self.words)
        return self

    def resident_bytes(self):
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


class World:
    def __init__(self, directory):
        self.stack = Stack(directory, base_port=free_base_port(25500, span=80))
        self.dice = random.Random(SEED)
        self.number = 0

    def start(self):
        self.terminal, slave = pty.openpty()
        self.away = subprocess.Popen([BINARIES / "millrace-ctl", "--kafka", "127.0.0.1:1", "status"], stdout=slave, stderr=slave,
                                     stdin=subprocess.DEVNULL, env=ENVIRONMENT)  # takes its five seconds while Kafka starts
        os.close(slave)
        self.stack.up()
        self.brokers, uri = self.stack.env()["KAFKA"], self.stack.env()["MONGO_1"]
        self.view = View(self.brokers)
        self.producer = Producer({"bootstrap.servers": self.brokers, "acks": "all", "log_level": 0})
        self.ctl("topics", "apply", "--replication-factor", "1")
        self.ctl("cell", "add", "main", "--partitions", "2", "--replication-factor", "1")
        self.epoch = self.view.table("millrace.cells")["main"]["epoch"]
        self.programs = {
            "ingest": Program(self, "ingest", 60, **{"push.listen": f"127.0.0.1:{self.stack.settings['base_port'] + 70}"}),
            "processor": Program(self, "processor", 61),
            "sink": Program(self, "sink", 62, **{"mongo.uri": uri, "mongo.database": "main"}),
            "notify": Program(self, "notify", 63),
        }
        for one in self.programs.values():
            one.run()
        for one in self.programs.values():
            one.wait_until(one.is_ready, SECONDS, "ready")

    def end(self):
        self.stack.databases[0].process.signal(signal.SIGCONT)
        for one in getattr(self, "programs", {}).values():
            one.kill()
        self.stack.wipe()

    def run(self, *words, brokers=None):
        return subprocess.run([BINARIES / "millrace-ctl", "--kafka", brokers or self.brokers, "--author", "ann", *words], capture_output=True, text=True,
                              timeout=60, stdin=subprocess.DEVNULL, env=ENVIRONMENT)

    def ctl(self, *words, code=0):
        done = self.run(*words)
        assert done.returncode == code, f"{words}: exit {done.returncode}, not {code}\n{done.stdout}{done.stderr}"
        return done.stdout

    def status(self, *words):
        """JSON, and that the exit code is that of its problems."""
        done = self.run("status", "--json", *words)
        assert done.returncode in (0, 1), done
        got = json.loads(done.stdout)
        order = [SEVERITIES.index(p["severity"]) for p in got["problems"]]
        assert order == sorted(order), got["problems"]
        assert got["well"] == (done.returncode == 0) == all(p["severity"] == "hint" for p in got["problems"]), (done.returncode, got["problems"])
        return got

    def await_status(self, accept, what, *words):
        """The first status that is accepted."""
        until = time.monotonic() + SECONDS
        while not accept(got := self.status(*words)):
            assert time.monotonic() < until, f"not {what}: {json.dumps(got, indent=1)}"
        return got

    def await_well(self):
        return self.await_status(lambda s: s["well"] and not s["problems"], "well again")

    def send(self, count, topic=MINUTELY, value=None, partition=1, at_ms=0):
        for _ in range(count):
            self.number += 1
            record = {**random_aggregate(self.dice, "minutely", self.number), "epoch": self.epoch}
            self.producer.produce(topic, value or self.view.encode("Aggregate", record), partition=partition, timestamp=at_ms)
        assert self.producer.flush(30) == 0


def group(status, program):
    return next(g for g in status["groups"] if g["group"] == f"millrace-{program}-main")


def partition(status, program, topic, number):
    return next(p for p in group(status, program)["partitions"] if (p["topic"], p["partition"]) == (topic, number))


def said(status):
    return [(p["severity"], p.get("runbook")) for p in status["problems"]]


def test_all_is_well(world):
    got = world.await_well()
    assert [(p["program"], p["state"]) for p in got["programs"]] == [(f"millrace-{n}", "ready") for n in ("ingest", "notify", "processor", "sink")]
    for beat in got["programs"]:
        real, figures = world.programs[beat["instance"]].resident_bytes(), beat["figures"]
        assert 0.5 < figures["memory_bytes"] / real < 2, (beat, real)
        assert beat["memory_percent"] == int(100 * figures["memory_bytes"] / figures["memory_budget_bytes"]), beat
    by_name = {beat["instance"]: beat for beat in got["programs"]}
    assert by_name["sink"]["breaker"] == "closed" and "breaker_reason" not in by_name["sink"]
    assert by_name["processor"]["figures"]["partitions_assigned"] == 4 and by_name["processor"]["figures"]["partitions_refused"] == 0
    assert by_name["processor"]["figures"]["lag_seconds"] == 0 and by_name["ingest"]["figures"]["inflight_bytes"] == 0
    assert len({b["build"] for b in got["builds"]}) == 1 and [b["instances"] for b in got["builds"]] == [1] * 4
    assert [group(got, n)["lag_seconds"] for n in ("processor", "sink", "notify")] == [0] * 3
    assert {p["retention_seconds"] for p in group(got, "sink")["partitions"] if p["topic"] == "minutely"} == {7 * 24 * HOUR}
    assert got["dead_letters"] == {"held": 0, "last_day": 0, "last_hour": 0, "open": 0, "partial": False, "by": []} and got["controls"] == []
    text = world.ctl("status")
    assert text.splitlines()[0].endswith(": 1 broker, 1 cell, 0 sites: all well"), text
    assert f"all of build {got['builds'][0]['build']}" in text and "Breakers: 1 of 1 closed" in text, text
    assert all(len(line) <= 80 for line in text.splitlines()), text


def test_a_frozen_database(world):
    database = world.stack.databases[0].process
    database.signal(signal.SIGSTOP)
    try:
        begun = time.time()
        world.send(20)
        got = world.await_status(lambda s: next(p for p in s["programs"] if p["instance"] == "sink")["breaker"] != "closed", "its breaker open")
        seconds = time.time() - begun
        assert ("stands", "MillraceBreakerOpen") in said(got), got["problems"]
        place = partition(got, "sink", "minutely", 1)
        assert place["lag"] == 20 == group(got, "sink")["lag"] and place["lost"] == 0, place
        assert seconds - 10 < place["lag_seconds"] <= seconds + 1, (place, seconds)
        assert group(got, "sink")["lag_seconds"] == place["lag_seconds"] and partition(got, "sink", "minutely", 0)["lag_seconds"] == 0
        assert abs(place["deleted_in_seconds"] + place["lag_seconds"] - 7 * 24 * HOUR) < 1, place
        late = world.status("--max-age", "1s")
        assert said(late)[0][0] == "stands" and ("delayed", "MillraceSinkBehind") in said(late), late["problems"]
        done = world.run("status", "--max-age", "1s")
        lines = done.stdout.splitlines()
        assert done.returncode == 1 and lines[0].endswith("2 problems"), done.stdout
        assert re.match(r"  stands    cell main: its sink has stopped asking the database \(\w+\): records wait in Kafka$", lines[1]), lines[1]
        assert lines[2].strip() == "deploy/runbooks/MillraceBreakerOpen.md" and lines[3].startswith("  delayed   millrace-sink-main is "), done.stdout
        assert re.search(r"^    minutely +20 +\d+ s +6 d 23 h  0 20$", done.stdout, re.M), done.stdout
    finally:
        database.signal(signal.SIGCONT)
    world.await_well()


def test_a_pause_is_a_hint(world):
    """What an operator holds up is no problem of its own; who, why and how long stand there, and whether the sink obeys."""
    world.ctl("control", "set", "--on", "sink", "--do", "pause", "--cell", "main", "--for", "10m", "--reason", "new disks")
    world.send(5)
    got = world.await_status(lambda s: group(s, "sink").get("lag_seconds", 0) > 1 and s["problems"], "late", "--max-age", "1s")
    assert said(got) == [("hint", None)] and "ann has paused it: new disks" in got["problems"][0]["text"], got["problems"]
    control, = got["controls"]
    assert (control["id"], control["author"], control["reason"]) == ("sink/pause/cell=main", "ann", "new disks")
    assert control["obeyed_by"] == ["millrace-sink/sink"] and control["not_obeyed_by"] == [] and control["expires_at"] > got["at"]
    text = world.ctl("status")
    assert re.search(r"^  sink/pause/cell=main +9 m \d+ s  1 of 1  ann     new disks$", text, re.M), text
    world.ctl("control", "clear", "--on", "sink", "--do", "pause", "--cell", "main")
    world.await_well()


def test_dead_letters(world):
    for garbage in (b"\0\0\0\0\4junk", b"\0\0\0\0\4more"):
        world.send(1, value=garbage)
    got = world.await_status(lambda s: s["dead_letters"]["open"] == 2, "told of two")
    assert said(got) == [("degraded", "MillraceDeadLetters")], got["problems"]
    assert got["dead_letters"]["by"] == [{"topic": MINUTELY, "code": "undecodable", "letters": 2, "open": 2}], got["dead_letters"]
    assert "millrace-ctl deadletter list --open" in world.ctl("status", code=1)
    world.ctl("deadletter", "drop", "--code", "undecodable", "--reason", "the test")
    got = world.await_well()
    assert {**got["dead_letters"], "by": None} == {"held": 2, "last_day": 2, "last_hour": 2, "open": 0, "partial": False, "by": None}


def test_what_kafka_deletes(world):
    """Nobody reads; records are nearly as old as their topic's retention, and then cut. One partition is unread by two groups at two places."""
    for name in ("sink", "notify"):
        world.programs[name].stop(SECONDS)
    world.send(1, topic=ALERTS, value=b"\0\0\0\0\4junk")
    old_ms = int((time.time() - 6.5 * 24 * HOUR) * 1000)
    world.send(3, partition=0, at_ms=old_ms)
    got = world.status()
    place = partition(got, "sink", "minutely", 0)
    assert place["lag"] == 3 and abs(place["lag_seconds"] - 6.5 * 24 * HOUR) < 120 and abs(place["deleted_in_seconds"] - 12 * HOUR) < 120, place
    for program in ("sink", "notify"):
        assert partition(got, program, "alerts", 1)["lag"] == 1 and 0 < partition(got, program, "alerts", 1)["lag_seconds"] < 60, (program, got["groups"])
    assert said(got)[0] == ("loss", "MillraceHoursToLossLow") and ("stands", "MillraceNoInstance") in said(got), got["problems"]
    assert "in minutely 0 in 11 h 5" in got["problems"][0]["text"], got["problems"]
    committed, end = place["committed"], place["end"]
    world.view.admin.delete_records([TopicPartition(MINUTELY, 0, end)])[TopicPartition(MINUTELY, 0, end)].result()
    got = world.status()
    place = partition(got, "sink", "minutely", 0)
    assert place["lost"] == 3 and place["lag"] == 0 and place["begin"] == end and place["committed"] == committed, place
    assert said(got)[0] == ("loss", "MillraceRecordsCutOff") and "lost up to 3 records" in got["problems"][0]["text"], got["problems"]


def test_progress(world):
    """A terminal is told after a second and then has its line back; a script's log is not told within five."""
    shown = b""
    try:
        while chunk := os.read(world.terminal, 4096):
            shown += chunk
    except OSError:  # the other end is closed
        pass
    os.close(world.terminal)
    assert world.away.wait(30) == 2
    first, *_, last = shown.decode().split("\r\033[K")[1:]
    assert first == "waiting for Kafka .." and last.startswith("millrace-ctl: Kafka at 127.0.0.1:1 does not answer"), shown
    assert world.run("cell", "list").stderr == ""


def test_runbooks_are_there(_):
    """Those that status points to, as soon as there are any."""
    folder = ROOT / "deploy" / "runbooks"
    named = set(re.findall(r'"(Millrace[A-Za-z]+)"', (ROOT / "deploy/ctl/status_problems.c").read_text()))
    missing = sorted(name for name in named if not (folder / f"{name}.md").exists())
    assert len(named) > 10 and (not folder.exists() or not missing), missing


def main():
    print(f"TEST_SEED={SEED}")
    with tempfile.TemporaryDirectory(prefix="millrace-status-") as directory:
        world = World(Path(directory))
        try:
            world.start()
            cases.run({name: case for name, case in globals().items() if not sys.argv[1:] or name in sys.argv[1:]}, world)
        finally:
            world.end()


main()
