#!/usr/bin/env python3
"""Upgrade and rollback under load, with two builds whose schemas differ by a field: what deploy/UPGRADE.md says, shown.

The old build is today's, the new one has a field more in SampleBatch, Aggregate and AlertEvent under new schema ids (builds.py). All cases share one
stack on the test clock, on which an agent pushes all the time and repeats what was not answered; each ends with the oracle's verdict
(tests/e2e/test_oracle.py): every window of each minute in the database is what was sent, nothing is missing, nothing is there twice. Two processors
run, so that old and new ones share the partitions for a while. The new build is made below build/upgrade, which takes some minutes the first time.
"""
import http.client
import io
import json
import pathlib
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/upgrade"), str(ROOT / "tests/e2e"), str(ROOT / "deploy/local")]
import builds
import cases
import fastavro
from kafka_view import load_schemas
from millrace_local import BINARIES, Failure, Process, free_base_port, free_ports
from pipeline import MINUTE_MS, HOUR_MS, Pipeline
from test_oracle import SITES, Generator, compare, expected_count

SPEED, SEED, POINTS, PAYLOADS_PER_S = 60, 12, 12, 8
READERS_FIRST = ("sink", "notify", "processor", "processor-2", "ingest")
WAIT_SECONDS = 60
TOPICS = {"samples": "SampleBatch", "minutely": "Aggregate", "alerts": "AlertEvent"}
TRIGGER = """
triggers:
  - {{id: busy, site: alpha, metric: "{name}", field: count, compare: ">", threshold: 0}}
"""


class Mixed(Pipeline):
    """A pipeline each of whose programs is of the one or the other build; a second processor beside the first."""

    def __init__(self, directory, new, **more):
        super().__init__(directory, base_port=free_base_port(), speed=SPEED, start_minute_of_hour=5, sites=SITES, notify_settings=[], **more)
        self.build = {"old": BINARIES, "new": new}
        self.settings = {}

    def start(self, program, settings, build="old", pins=""):
        self.settings[program] = settings
        settings = [*settings, f"schema.write.version={pins}"] if pins else settings
        kind = program.split("-")[0]
        settings = [f"kafka.bootstrap.servers={self.env['KAFKA']}", f"admin.listen=127.0.0.1:{self.admin_ports[program]}",
                    *(f"clock.{name}={self.env['CLOCK_' + name.upper()]}" for name in ("start_ms", "real_ms", "speed")), *settings]
        words = [word for setting in settings for word in ("--set", setting)]
        self.processes[program] = Process(program, self.directory).start([self.build[build] / f"millrace-{kind}", "--test-clock", *words])

    def start_programs(self):
        super().start_programs()
        self.admin_ports["processor-2"], = free_ports(1)
        self.start("processor-2", self.settings["processor"])
        self.wait_ready("processor-2")

    def wait_ready(self, program):
        self.processes[program].wait_until(lambda: self.ready(program), WAIT_SECONDS, "ready")

    def swap(self, program, build, ready=True, pins=""):
        """What each step of UPGRADE.md is: a stop that ends with 0, a start, ready."""
        how = self.processes[program].stop(40)
        assert how == "stopped" and self.processes[program].exit_code == 0, (program, how, self.processes[program].exit_code)
        self.start(program, self.settings[program], build, pins)
        if ready:
            self.wait_ready(program)

    def why_not_ready(self, program):
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_ports[program], timeout=5)
        connection.request("GET", "/health/ready")
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


class Load(threading.Thread):
    """An agent: one payload after the other, each until it is accepted, as agents do."""

    def __init__(self, pipeline):
        super().__init__(daemon=True)
        self.pipeline, self.generator = pipeline, Generator(SEED)
        self.running, self.ended, self.idle = threading.Event(), threading.Event(), threading.Event()
        self.repeated, self.failure = 0, None

    def run(self):
        try:
            while not self.ended.wait(1 / PAYLOADS_PER_S):
                if self.running.is_set():
                    self.idle.clear()
                    self.one()
                self.idle.set()
        except Exception as error:  # told by whoever asks next
            self.failure = error
            self.idle.set()

    def one(self):
        site = self.generator.random.choice(list(SITES))
        body, effects = self.generator.payload(site, self.pipeline.now_ms(), POINTS)
        while (answer := self.post(self.pipeline.keys[site], body)) is None:
            self.repeated += 1
            if self.ended.wait(0.2):
                return
        assert answer["accepted"] == POINTS and answer["rejected"] == [], answer
        self.generator.accepted(effects)

    def post(self, key, body):
        """The answer to an accepted payload; None when there was none, or 503."""
        connection = http.client.HTTPConnection("127.0.0.1", self.pipeline.push_port, timeout=20)
        headers = {"Content-Type": "application/json", "Authorization": "Bearer " + key, "Millrace-Created-At": str(body["created_at"]),
                   "Millrace-Sent-At": str(self.pipeline.now_ms())}
        try:
            connection.request("POST", "/v1/push", json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        assert answer.status in (202, 503), (answer.status, text)
        return json.loads(text) if answer.status == 202 else None

    def go_on(self):
        self.running.set()

    def pause(self):
        self.running.clear()
        self.idle.clear()
        assert self.idle.wait(WAIT_SECONDS), "a payload is not accepted"
        if self.failure:
            raise self.failure


class World:
    """The pipeline, the load, and what the topics and the database say."""

    def __init__(self, pipeline, schemas):
        self.pipeline, self.load, self.schemas = pipeline, Load(pipeline), schemas
        self.told = 0  # notices that an earlier case has looked at
        self.load.start()

    def schema_ids(self, topic):
        return [int.from_bytes(m.value()[1:5], "big") for m in self.pipeline.records(f"millrace.c.main.{topic}") if m.value()]

    def written_by_new(self, topic):
        """How many records there are of the version that only the new build knows."""
        return self.schema_ids(topic).count(max(number for number, (name, _) in self.schemas.items() if name == TOPICS[topic]))

    def wait(self, condition, what, seconds=WAIT_SECONDS):
        end = time.monotonic() + seconds
        while not condition():
            self.pipeline.check_alive()
            if self.load.failure:
                raise self.load.failure
            if time.monotonic() > end:
                raise Failure(f"not within {seconds} s: {what() if callable(what) else what}")
            time.sleep(0.3)  # nobody tells when a record has been written

    def waiting(self):
        """Since the last call: who has said that a partition waits for a newer build, [(program, topic)]."""
        schema = next(s for name, s in self.schemas.values() if name == "Notice")
        found = [decode(m.value(), schema) for m in self.pipeline.records("millrace.notices")]
        new, self.told = found[self.told:], len(found)
        return [(n["program"].removeprefix("millrace-"), n["fields"].get("topic", "").rsplit(".", 1)[-1]) for n in new if n["event"] == "schema_unknown"]

    def partitions_of(self, program):
        """What status says of the program's group: rows with topic, partition and lag."""
        groups = json.loads(self.pipeline.timed_ctl("--json", "status", codes=(0, 1)))["groups"]
        return [row for g in groups if g["group"] == f"millrace-{program}-main" for row in g["partitions"]]

    def ends(self, program):
        """Where what the program reads ends now: {(topic, partition): offset}."""
        return {(row["topic"], row["partition"]): row["end"] for row in self.partitions_of(program)}

    def wait_read(self, program, ends):
        """What an operator waits for before a reader goes back: all that was there has been read."""
        def behind():
            return [row for row in self.partitions_of(program) if row["lag"] and row["committed"] < ends[row["topic"], row["partition"]]]
        self.wait(lambda: not behind(), behind)

    def stored(self, name):
        return sum(d["count"] for d in self.pipeline.database[name].find({}, {"count": 1}))

    def verdict(self, *lengths):
        """Nothing is missing, doubled or different, once the load pauses."""
        self.load.pause()
        assert self.pipeline.deadletters() == 0
        for name, length in lengths or (("minutely", MINUTE_MS),):
            wanted = expected_count(self.load.generator, length)
            self.wait(lambda: self.stored(name) >= wanted, lambda: f"{name}: {self.stored(name)} of {wanted} values stored", 150)
            documents = list(self.pipeline.database[name].find())
            wrong = compare(self.load.generator, documents, length)
            assert not wrong, f"{len(wrong)} windows differ\n" + "\n".join(wrong[:10])
            for spoilt in (documents[1:], documents + documents[:1]):  # the oracle says no to one that is missing, and to one twice
                assert len(compare(self.load.generator, spoilt, length)) == 1
            print(f"     {name}: {wanted} values, {self.load.repeated} payloads repeated so far", flush=True)
        told = self.pipeline.records("millrace.c.main.alerts")
        self.wait(lambda: self.pipeline.database["alerts"].count_documents({}) == len(told), "alerts stored as told")
        assert self.pipeline.deadletters() == 0


    def former_versions(self):
        """schema.write.version with what the old build writes of each record that the new one has changed."""
        ids = {record: sorted(number for number, (name, _) in self.schemas.items() if name == record) for record in TOPICS.values()}
        return ",".join(f"{record}={numbers[-2]}" for record, numbers in ids.items())

    def wait_written(self, more, what):
        """Until each topic has that many records more than now."""
        before = {topic: len(self.schema_ids(topic)) for topic in TOPICS}
        self.wait(lambda: all(len(self.schema_ids(topic)) >= before[topic] + more for topic in TOPICS), what)


def decode(value, schema):
    return fastavro.schemaless_reader(io.BytesIO(value[5:]), schema)


def test_upgrade_in_the_documented_order(world):
    """Sink, notify, processors, ingest: no partition waits, at no time."""
    p = world.pipeline
    world.load.go_on()
    world.wait(lambda: world.stored("minutely") > 0 and p.database["alerts"].count_documents({}), "the old build works")
    assert not any(world.written_by_new(topic) for topic in TOPICS)
    for program in READERS_FIRST:
        p.swap(program, "new")
        at = world.load.generator.samples
        world.wait(lambda: world.load.generator.samples > at + 5 * POINTS, f"the load goes on behind {program}'s step")
    world.wait(lambda: all(world.written_by_new(topic) for topic in TOPICS), "all is written by the new build")
    assert not world.waiting()
    world.verdict()
    assert not world.waiting()


def test_rollback_in_the_reverse_order(world):
    """Writers first, and each reader only when it has read what the new writers wrote."""
    roll_back(world)
    world.verdict()
    assert not world.waiting()


def roll_back(world):
    p = world.pipeline
    world.load.go_on()
    p.swap("ingest", "old")
    world.wait_read("processor", world.ends("processor"))
    for program in ("processor", "processor-2"):
        p.swap(program, "old")
    for program in ("notify", "sink"):
        world.wait_read(program, world.ends(program))
        p.swap(program, "old")


def test_pinned_there_is_no_order(world):
    """All programs are new, the writers first, and readers go back at once, nobody waits: while a pin holds, nothing new is written. Without it, it is."""
    p, pins = world.pipeline, world.former_versions()
    before = {topic: world.written_by_new(topic) for topic in TOPICS}
    assert all(before.values())  # so what is new can be told
    world.load.go_on()
    for program in reversed(READERS_FIRST):
        p.swap(program, "new", pins=pins)
        said = [line for line in p.processes[program].log_file.read_text().splitlines() if "event=schema_pinned" in line]
        assert len(said) == 1 and pins in said[0], (program, said)
    world.wait_written(3, "all of it new, and pinned")
    for program in ("sink", "notify", "processor-2"):
        p.swap(program, "old")
    world.wait_written(3, "readers are old again")
    world.verdict()
    assert {topic: world.written_by_new(topic) for topic in TOPICS} == before
    assert not world.waiting()
    world.load.go_on()
    for program in READERS_FIRST:
        p.swap(program, "new")
    world.wait(lambda: all(world.written_by_new(topic) > before[topic] for topic in TOPICS), "without a pin all is written in the new version")
    roll_back(world)
    world.verdict()
    assert not world.waiting()


def test_ingest_first_makes_every_reader_wait(world):
    """The wrong order: each reader in turn waits with an alarm, and goes on as soon as it is upgraded. Nothing is lost."""
    p = world.pipeline
    world.load.go_on()
    p.swap("ingest", "new")
    world.wait(lambda: "waits for a newer build" in p.why_not_ready("processor")[1] or
               "waits for a newer build" in p.why_not_ready("processor-2")[1], lambda: p.why_not_ready("processor"))
    assert ("processor", "samples") in world.waiting()
    for program in ("processor", "processor-2"):
        p.swap(program, "new", ready=False)
    for program in ("processor", "processor-2"):
        p.wait_ready(program)
    world.wait(lambda: p.metric("sink", "millrace_sink_waiting_partitions") and p.metric("notify", "millrace_notify_waiting_partitions"),
               "sink and notify wait")
    said = world.waiting()
    assert ("sink", "minutely") in said and ("notify", "alerts") in said, said
    for program in ("sink", "notify"):
        p.swap(program, "new")
    world.verdict()


def test_a_reader_rolled_back_too_early_waits(world):
    """The processor goes back though ingest has not: it waits, loses nothing, and the way out is the new build again."""
    p = world.pipeline
    world.load.go_on()
    for program in ("processor", "processor-2"):
        p.swap(program, "old", ready=False)
    world.wait(lambda: ("processor", "samples") in world.waiting(), "the old processor waits")
    for program in ("processor", "processor-2"):
        p.swap(program, "new", ready=False)
    for program in ("processor", "processor-2"):
        p.wait_ready(program)
    world.verdict(("minutely", MINUTE_MS), ("hourly", HOUR_MS))
    p.stop_programs()


def main():
    new = builds.build()
    with tempfile.TemporaryDirectory(prefix="millrace-upgrade-") as folder:
        with Mixed(folder, new) as pipeline:
            world = World(pipeline, load_schemas(builds.TREE / "schemas"))
            file = pathlib.Path(folder) / "triggers.yml"
            name = next(name for site, _, name, _ in world.load.generator.series if site == "alpha")
            file.write_text(TRIGGER.format(name=name))
            pipeline.timed_ctl("trigger", "apply", "-f", str(file))
            try:
                cases.run(globals(), world)
            finally:
                world.load.ended.set()


if __name__ == "__main__":
    main()
