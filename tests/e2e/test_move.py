#!/usr/bin/env python3
"""A site's shards change, and then it moves to another cell, while data flows and is retried: nothing is lost or doubled over both cells.

Two cells with different numbers of partitions, a processor each, one ingest, a real Kafka; 15 minutes ahead take 7.5 s on the test clock. Agents
post payloads with identity, take the answer for lost now and then, and repeat what was taken at once or virtual minutes later, so that what was created
before a change comes again after it; one kind of agent catches up on an hour of backlog. Every (series, minute) and (series, hour), fragments
of both cells merged, must be what the ledger of 202s says. Routes are computed here from the words of schemas/README.md. (The step of a
cumulative series over a change is a new baseline; ingest takes no cumulative points yet.) TEST_SEED repeats a run's choices.
"""
import asyncio
import collections
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(Path(__file__).resolve().parent)]
import cases  # noqa: E402
from agents import Background, Channel, TYPES, encode  # noqa: E402
from ingest_house import ENVIRONMENT, Ingest, fingerprint, partition_of, site_partitions  # noqa: E402
from kafka_view import View  # noqa: E402
from millrace_local import BINARIES, Stack, free_base_port, free_ports  # noqa: E402
from processor_cell import Cell, Clock, HOUR_MS, MINUTE_MS, Processor  # noqa: E402

SEED = int(os.environ.get("TEST_SEED", time.time_ns() % 2**32))
SPEED, BEGIN_MINUTE = 120, 4
SITE, PARTITIONS = "shop", {"main": 6, "other": 5}
SERIES = [(("counter", "gauge", "distribution")[n % 3], f"m.{n}", {"n": str(n)} if n % 2 else {}) for n in range(24)]
AGENTS, PAUSE_S = 6, 0.05
NOTICE_MS, AFTERGLOW_MS = 15 * MINUTE_MS, 49 * HOUR_MS


class Ledger:
    """What was taken: {(kind, name, tags, window_ms, window_start): [count, sum, min, max, (last_at, last)]}."""

    def __init__(self):
        self.rows, self.samples = {}, 0

    def add(self, series, t, v):
        self.samples += 1
        for window_ms in (MINUTE_MS, HOUR_MS):
            merge(self.rows, (*series, window_ms, t // window_ms * window_ms), [1, v, v, v, (t, v)])


def merge(rows, key, row):
    if key not in rows:
        rows[key] = row
        return
    old = rows[key]
    rows[key] = [old[0] + row[0], old[1] + row[1], min(old[2], row[2]), max(old[3], row[3]), max(old[4], row[4])]


class Payload:
    """Made once, sent as often as it takes and more. Whole numbers, so that every order of adding gives the same sum."""

    def __init__(self, agent, created_at):
        rng = agent.random
        self.created_at = created_at
        self.samples = [(rng.choice(SERIES), created_at - rng.randrange(60_000), float(rng.randrange(-1000, 1000)))
                        for _ in range(rng.randrange(1, 8))]
        self.samples = [(series, t, abs(v) if series[0] == "counter" else v) for series, t, v in self.samples]
        agent.seq += 1
        self.seq = agent.seq
        agent.open.add(self.seq)
        self.body = encode({"agent_id": agent.id, "seq": self.seq, "floor": min(agent.open), "created_at": created_at,
                            "metrics": [{"name": name, "kind": kind, "tags": tags, "points": [{"t": t, "v": v}]}
                                        for (kind, name, tags), t, v in self.samples]})


class Agent:
    """Posts, and posts again. late: it begins with what was made an hour ago, and catches up at twice the pace of time."""

    def __init__(self, troop, late):
        self.troop, self.late = troop, late
        self.random = random.Random(troop.random.random())
        self.id = self.random.randbytes(16).hex()
        self.channel = Channel(troop.world.ingest.push_port)
        self.seq, self.open, self.repeats = 0, set(), []
        self.begun = troop.world.clock.now_ms()

    def make(self):
        now = self.troop.world.clock.now_ms()
        return Payload(self, min(now, now - HOUR_MS + (now - self.begun)) if self.late else now)

    async def post(self, payload):
        """Without Sent-At: a quarter of a second on the way would be half a minute of skew here."""
        head = f"Millrace-Created-At: {payload.created_at}\r\n" if self.random.random() < 0.5 else ""
        request = (f"POST /v1/push HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.troop.world.key}\r\nContent-Type: {TYPES['pb']}\r\n{head}"
                   f"Content-Length: {len(payload.body)}\r\n\r\n").encode() + payload.body
        answer = await self.channel.exchange(request)
        assert answer.status == 202 and json.loads(answer.body) == {"accepted": len(payload.samples), "rejected": [], "rejected_total": 0}, answer

    async def live(self):
        spool = []
        while not self.troop.stopping or spool:
            if not self.troop.stopping:
                spool.append(self.make())
            if len(spool) > 3 or self.troop.stopping or self.random.random() < 0.6:
                payload = spool.pop(self.random.randrange(len(spool)))
                await self.post(payload)
                self.open.discard(payload.seq)
                self.troop.take(payload)
                if self.random.random() < 0.3:
                    await self.post(payload)
                    self.troop.repeated += 1
                elif self.random.random() < 0.6:
                    self.repeats.append((self.troop.world.clock.now_ms() + self.random.randrange(12 * MINUTE_MS), payload))
            await self.repeat_due(self.troop.world.clock.now_ms())
            await asyncio.sleep(PAUSE_S * self.random.random())
        await self.repeat_due(2**62)

    async def repeat_due(self, now):
        for due in [due for due in self.repeats if due[0] <= now]:
            self.repeats.remove(due)
            await self.post(due[1])
            self.troop.repeated += 1
            self.troop.repeated_across += any(due[1].created_at < change <= now for change in self.troop.world.changes)


class Troop:
    """All agents, in a thread."""

    def __init__(self, world, rng):
        self.world, self.random, self.ledger = world, rng, Ledger()
        self.stopping = False
        self.taken, self.repeated, self.repeated_across = [], 0, 0
        self.background = Background(self.run())

    async def run(self):
        await asyncio.gather(*(Agent(self, late=number % 3 == 2).live() for number in range(AGENTS)))

    def take(self, payload):
        self.taken.append(payload)
        for sample in payload.samples:
            (kind, name, tags), t, v = sample
            self.ledger.add((kind, name, tuple(sorted(tags.items()))), t, v)

    def check(self):
        if not self.background.running():
            self.background.result(1)


class World:
    """The stack, two cells, one site, an ingest and two processors."""

    def __init__(self, directory):
        self.directory, self.changes, self.programs = Path(directory), [], []
        self.stack = Stack(self.directory / "stack", base_port=free_base_port(26000))

    def __enter__(self):
        try:
            self.stack.up()
            self.kafka = self.stack.env()["KAFKA"]
            self.view, self.clock = View(self.kafka), Clock(BEGIN_MINUTE, SPEED)
            self.provision()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in self.programs:
            process.stop(10)
        self.stack.wipe()

    def ctl(self, *words, code=0):
        settings = [word for setting in self.clock.settings() for word in ("--set", setting)]
        done = subprocess.run([BINARIES / "millrace-ctl", "--kafka", self.kafka, "--test-clock", *settings, "--author", "tester", *words],
                              capture_output=True, text=True, timeout=60, env=ENVIRONMENT)
        assert done.returncode == code, f"{words}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def provision(self):
        self.ctl("topics", "apply", "--replication-factor", "1")
        for cell, partitions in PARTITIONS.items():
            self.ctl("cell", "add", cell, "--partitions", str(partitions), "--replication-factor", "1")
        self.ctl("site", "add", SITE, "--cell", "main", "--shards", "2")
        self.key = json.loads(self.ctl("--json", "key", "create", SITE))["key"]

    def start(self):
        self.ingest = Ingest("ingest", self.directory, self.kafka, *self.clock.settings(), test_clock=True)
        self.programs.append(self.ingest.process)
        self.ingest.start()
        self.processors = {}
        for cell, port in zip(PARTITIONS, free_ports(2)):
            self.processors[cell] = Processor(f"processor-{cell}", self.directory, BINARIES / "millrace-processor", Cell(self.kafka, 0), self.clock, port,
                                              more=[f"cell={cell}"])
            self.programs.append(self.processors[cell].process)
            self.processors[cell].start()
        for processor in self.processors.values():
            processor.wait_ready()
        self.ingest.wait_ready()

    def sleep_until(self, virtual_ms):
        """The clock itself is what is waited for."""
        while self.clock.now_ms() < virtual_ms:
            self.troop.check()
            time.sleep(0.1)

    def change(self, *words):
        """One change of the route, waited for; then two minutes with it."""
        begun = self.clock.now_ms()
        done = json.loads(self.ctl("--json", *words))
        ended = self.clock.now_ms()
        start = done["effective_from"]
        assert done["changed"] and start % MINUTE_MS == 0 and begun + NOTICE_MS <= start < ended + NOTICE_MS + MINUTE_MS, (begun, ended, done)
        assert done["old_route_serves_until"] == start + AFTERGLOW_MS
        self.changes.append(start)
        self.sleep_until(start + 3 * MINUTE_MS)
        return start

    def merged(self):
        """Both cells' aggregates, fragments merged, in the ledger's shape."""
        rows = {}
        for cell in PARTITIONS:
            for topic in ("minutely", "hourly"):
                for message in Cell(self.kafka, 0).records(f"millrace.c.{cell}.{topic}"):
                    a = self.view.decode(message.value())
                    merge(rows, (a["kind"], a["name"], tuple(sorted(a["tags"].items())), a["window_ms"], a["window_start"]),
                          [a["count"], a["sum"], a["min"], a["max"], (a["last_at"], a["last"])])
        return rows

    def metric(self, name):
        return {cell: processor.metric("millrace_processor_" + name) for cell, processor in self.processors.items()}


def test_nothing_is_lost_or_doubled(world):
    print(f"TEST_SEED={SEED}", flush=True)
    world.troop = troop = Troop(world, random.Random(SEED))
    try:
        world.sleep_until(world.clock.now_ms() + 2 * MINUTE_MS)
        world.change("site", "shards", SITE, "4")
        world.change("site", "move", SITE, "other", "--shards", "3")
        world.sleep_until(world.clock.now_ms() + 8 * MINUTE_MS)
    finally:
        troop.stopping = True
    troop.background.result(30)
    wanted = troop.ledger.rows
    world.sleep_until(max(key[4] + key[3] for key in wanted) + 2 * MINUTE_MS)
    end = time.monotonic() + 30
    while (found := world.merged()) != wanted and time.monotonic() < end:
        time.sleep(0.5)  # topics do not notify
    wrong = sorted(f"{key}: {wanted.get(key)} was taken, {found.get(key)} is there" for key in wanted.keys() | found.keys()
                   if wanted.get(key) != found.get(key))
    print(f"{len(troop.taken)} payloads, {troop.ledger.samples} samples, {troop.repeated} repeats, {troop.repeated_across} of them across a change; "
          f"{len(wanted)} windows; duplicates {world.metric('duplicates_total')}, late {world.metric('late_samples_total')}", flush=True)
    assert not wrong, f"{len(wrong)} windows differ:\n" + "\n".join(wrong[:10])
    assert troop.repeated_across > 10 and all(world.metric("duplicates_total").values()), "nothing came twice: this test has shown nothing"


def place_of(world, created_at, print_):
    """Cell and partition, by the words of schemas/README.md."""
    cell, shards = [("main", 2), ("main", 4), ("other", 3)][sum(created_at >= change for change in world.changes)]
    return cell, partition_of(print_, site_partitions(SITE, shards, PARTITIONS[cell]))


def test_every_copy_went_the_same_way(world):
    """The place of each record is a function of what it says of itself, and all of them came as often as they were sent."""
    seen, partitions = collections.Counter(), collections.defaultdict(set)
    for cell in PARTITIONS:
        for message in world.view.messages(f"millrace.c.{cell}.samples"):
            batch = world.view.decode(message.value())
            seen[batch["agent_id"].hex(), batch["seq"]] += len(batch["values"])
            for series in batch["series"]:
                print_ = fingerprint(SITE, series["kind"], series["name"], series["tags"])
                assert place_of(world, batch["created_at"], print_) == (cell, message.partition()), (batch, cell, message.partition())
            partitions[cell].add(message.partition())
    assert len(partitions["main"]) == 4 and len(partitions["other"]) == 3, partitions
    assert sum(seen.values()) > world.troop.ledger.samples and len(seen) == len(world.troop.taken)


def test_nobody_is_missed(world):
    """Every payload came: a home that has moved must not take what went to the one before for lost."""
    assert not any(world.metric("gap_payloads_total").values()), world.metric("gap_payloads_total")


def test_the_operator_log_says_so(world):
    notices = {notice["event"]: notice for notice in world.view.records("millrace.notices") if notice["site"] == SITE}
    resharded, moved = notices["site_resharded"], notices["site_moved"]
    assert (resharded["author"], resharded["cell"], moved["cell"]) == ("tester", "main", "other")
    assert moved["fields"].items() >= {"effective_from": str(world.changes[1]), "cell_before": "main"}.items()
    routes = world.view.table("millrace.sites")[SITE]["routes"]
    assert routes == [{"effective_from": at, "cell": cell, "shards": shards}
                      for at, cell, shards in zip([0, *world.changes], ("main", "main", "other"), (2, 4, 3))]


def test_what_is_committed_is_sound(world):
    """By millrace-ctl, on the test clock, beside processors that go on."""
    for cell, partitions in PARTITIONS.items():
        shown = json.loads(world.ctl("--json", "offsets", "show", cell))["partitions"]
        assert [p["state"] for p in shown if p["topic"] == "samples"] == ["sound"] * partitions, shown


def test_everything_stops_in_order(world):
    for process in world.programs:
        assert process.stop(30) == "stopped" and process.exit_code == 0, process.name


def main():
    with tempfile.TemporaryDirectory(prefix="millrace-move-") as directory, World(directory) as world:
        cases.run(globals(), world)


if __name__ == "__main__":
    main()
