#!/usr/bin/env python3
"""kill -9 of ingest under load, again and again: MongoDB holds every sample once.

Agents post payloads with identity over persistent connections and repeat each (agent_id, seq) until it is answered 202. Ingest is killed at
random moments and started again at once; besides, agents lose some answers by themselves. So Kafka gets payloads twice: by the samples
topic, read by confluent-kafka and fastavro, and by the processor's own count. What agents have a 202 for stands in a ledger of integers
(1024ths), and count and sum of every (series, minute) in MongoDB must equal it. 3 kills; `--full` (make test-long): 50.
"""
import asyncio
import collections
import datetime
import os
import random
import signal
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(Path(__file__).resolve().parent)]
import cases  # noqa: E402
from agents import Background, Channel, encode, request  # noqa: E402
from kafka_view import View  # noqa: E402
from millrace_local import free_base_port  # noqa: E402
from pipeline import Pipeline  # noqa: E402

KILLS = 50 if "--full" in sys.argv[1:] else 3
SPEED = 10
SITES = {"alpha": 1, "beta": 2, "gamma": 4}  # with their shards
AGENTS = 9
SPOOL = 4              # payloads an agent has in hand at most
LOST_SHARE = 0.02      # of attempts, whose answer the agent does not hear
PAUSE_S = (0, 0.03)    # after a 202
RETRY_S = (0.01, 0.2)  # impatient: a Retry-After of 30 s would leave the next kill nothing to interrupt
TAKEN_BETWEEN_KILLS = 50
MINUTE_MS = 60_000
CLOSED_AFTER_MS = (60 + 45 + 15) * 1000  # a minute is closed, whatever its partition's stagger
EPOCH = datetime.datetime(1970, 1, 1)
TOPIC = "millrace.c.main.samples"


class Ledger:
    """What agents have a 202 for: {(site, kind, name, tags, minute): [count, sum in 1024ths]}."""

    def __init__(self):
        self.minutes = collections.defaultdict(lambda: [0, 0])
        self.samples = self.last_ms = 0

    def add(self, site, kind, name, tags, t, k):
        row = self.minutes[site, kind, name, tags, t // MINUTE_MS * MINUTE_MS]
        row[0] += 1
        row[1] += k
        self.samples += 1
        self.last_ms = max(self.last_ms, t)


class Payload:
    """What does not change once it is made; samples are (kind, name, tags, t, value in 1024ths)."""

    def __init__(self, agent, seq, floor, created_at, samples):
        self.seq, self.created_at, self.samples = seq, created_at, samples
        metrics = [{"name": name, "kind": kind, "tags": dict(tags), "points": [{"t": t, "v": k / 1024}]}
                   for kind, name, tags, t, k in samples]
        self.body = encode({"agent_id": agent.agent_id, "seq": seq, "floor": floor, "created_at": created_at, "metrics": metrics})


class Agent:
    """One agent of a site: makes payloads until it is told to stop, and delivers all of them."""

    def __init__(self, troop, number, rng):
        self.troop, self.random = troop, rng
        self.site = list(SITES)[number % len(SITES)]
        self.agent_id = rng.randbytes(16).hex()
        self.channel = Channel(troop.pipeline.push_port)
        self.seq, self.spool = 0, []

    def make(self):
        """A payload of some seconds of virtual time, on series that the site's other agents report too."""
        now, r = self.troop.pipeline.now_ms(), self.random
        self.seq += 1
        samples = []
        for _ in range(r.randrange(1, 12)):
            number = r.randrange(20)
            kind = ("counter", "gauge", "distribution")[number % 3]
            tags = (("shop", self.site),) if number % 2 else ()
            samples.append((kind, f"m.{number}", tags, now - r.randrange(15_000), r.randrange(1 << 20)))
        floor = min([payload.seq for payload in self.spool], default=self.seq)
        self.spool.append(Payload(self, self.seq, floor, now, samples))

    async def attempt(self, payload):
        """One try; True when it was answered 202."""
        pipeline = self.troop.pipeline
        head = request(self.channel.port, pipeline.keys[self.site], payload.body, payload.created_at, pipeline.now_ms())
        if self.random.random() < LOST_SHARE:
            self.troop.lost.add((self.agent_id, payload.seq))
            await self.channel.send_and_lose(head, wait=self.random.random() < 0.5)
            return False
        answer = await self.channel.exchange(head)
        if answer.status == 202:
            return True
        assert answer.status == 503, answer  # anything else would mean that the payload is not to be sent again
        answer.wait_s()
        self.troop.refused[answer.body.split(b'"')[3].decode()] += 1
        return False

    async def live(self):
        """The oldest payload mostly, another one sometimes: they may arrive in any order."""
        while self.spool or not self.troop.stopping:
            if not self.troop.stopping and (not self.spool or (len(self.spool) < SPOOL and self.random.random() < 0.5)):
                self.make()
            payload = self.spool[0] if self.random.random() < 0.7 else self.random.choice(self.spool)
            try:
                taken = await self.attempt(payload)
            except OSError:  # refused, reset, or closed before an answer: ingest is being killed
                self.troop.broken += 1
                taken = False
            if taken:
                self.spool.remove(payload)
                self.troop.take(self.site, payload)
            await asyncio.sleep(self.random.uniform(*(PAUSE_S if taken else RETRY_S)))


class Troop:
    """All agents in one thread, and their ledger; stopping is set from outside."""

    def __init__(self, pipeline, rng):
        self.pipeline, self.ledger = pipeline, Ledger()
        self.refused = collections.Counter()
        self.taken = self.broken = 0
        self.lost = set()  # (agent_id, seq) of payloads whose answer an agent did not hear by its own doing
        self.stopping = False
        self.agents = [Agent(self, number, random.Random(rng.random())) for number in range(AGENTS)]
        self.background = Background(self.run())

    async def run(self):
        await asyncio.gather(*(agent.live() for agent in self.agents))

    def take(self, site, payload):
        self.taken += 1
        for sample in payload.samples:
            self.ledger.add(site, *sample)

    def end(self):
        """All that was made is delivered."""
        self.stopping = True
        self.background.result(60)


def start_ingest(pipeline):
    pipeline.start("ingest", [f"push.listen=127.0.0.1:{pipeline.push_port}"])
    return pipeline.processes["ingest"]


def kill_again_and_again(pipeline, troop, rng):
    """Mostly once payloads have been taken again, sometimes while it is still starting."""
    ingest = pipeline.processes["ingest"]
    for _ in range(KILLS):
        if rng.random() < 0.9:
            enough = troop.taken + TAKEN_BETWEEN_KILLS
            ingest.wait_until(lambda: troop.taken >= enough or not troop.background.running(), 60, "taking payloads")
        time.sleep(rng.uniform(0, 0.7))  # the moment is random, not awaited
        if not troop.background.running():
            troop.background.result(0)
        ingest.kill()
        ingest = start_ingest(pipeline)
        pipeline.check_alive()
    ingest.wait_until(lambda: pipeline.ready("ingest"), 60, "ready")


def stored(pipeline):
    """MongoDB's minutes in the ledger's shape, fragments added up."""
    found = collections.defaultdict(lambda: [0, Fraction(0)])
    for d in pipeline.database.minutely.find({}, {"site": 1, "kind": 1, "name": 1, "tags": 1, "t": 1, "count": 1, "sum": 1}):
        minute = (d["t"] - EPOCH) // datetime.timedelta(milliseconds=1)
        row = found[d["site"], d["kind"], d["name"], tuple(sorted(d["tags"].items())), minute]
        row[0] += d["count"]
        row[1] += Fraction(d["sum"]) * 1024
    return found


def wait_stored(pipeline, ledger, seconds):
    """Until every minute is closed and as many samples are stored as were taken; a missing one shows in the comparison."""
    pipeline.wait_until_virtual(ledger.last_ms // MINUTE_MS * MINUTE_MS + MINUTE_MS + CLOSED_AFTER_MS)
    end, count = time.monotonic() + seconds, -1
    while count < ledger.samples and time.monotonic() < end:
        pipeline.check_alive()
        time.sleep(0.5)  # polling a database that cannot notify
        count = sum(row[0] for row in stored(pipeline).values())
    print(f"{count} of {ledger.samples} samples stored", flush=True)


def differences(expected, found):
    """As text, the first ones."""
    wrong = [f"{key}: {tuple(map(str, expected.get(key, (0, 0))))} was taken, {tuple(map(str, found.get(key, (0, 0))))} is stored"
             for key in expected.keys() | found.keys() if list(expected.get(key, (0, 0))) != list(found.get(key, (0, 0)))]
    return f"{len(wrong)} minutes of series differ:\n" + "\n".join(sorted(wrong)[:10]) if wrong else ""


def content(record):
    """What a repeat must repeat: all but when it was received."""
    return {key: value for key, value in record.items() if key != "received_at"}


def read_topic(pipeline):
    """(first record of each (partition, agent_id, seq), the repeats)."""
    view = View(pipeline.env["KAFKA"])
    first, repeats = {}, []
    for message in view.messages(TOPIC):
        record = view.decode(message.value())
        key = message.partition(), record["agent_id"], record["seq"]
        if key in first:
            assert content(record) == content(first[key]), f"a retry differs from its first attempt: {record} {first[key]}"
            repeats.append(record)
        else:
            first[key] = record
    return list(first.values()), repeats


def sum_records(records):
    """Records in the ledger's shape."""
    found = collections.defaultdict(lambda: [0, Fraction(0)])
    for record in records:
        assert not record["summaries"]
        for value in record["values"]:
            series = record["series"][value["series"]]
            minute = value["t"] // MINUTE_MS * MINUTE_MS
            row = found[record["site"], series["kind"], series["name"], tuple(sorted(series["tags"].items())), minute]
            row[0] += 1
            row[1] += Fraction(value["v"]) * 1024
    return found


def test_every_sample_is_stored_once(pipeline):
    seed = int(os.environ.get("TEST_SEED", time.time()))
    print(f"TEST_SEED={seed} kills {KILLS}", flush=True)
    rng = random.Random(seed)
    troop = Troop(pipeline, rng)
    try:
        kill_again_and_again(pipeline, troop, rng)
    finally:
        troop.stopping = True
    troop.end()
    ledger = troop.ledger
    print(f"{troop.taken} payloads taken, {ledger.samples} samples; {troop.broken} attempts broken, {len(troop.lost)} answers lost, "
          f"refused {dict(troop.refused)}", flush=True)
    wait_stored(pipeline, ledger, 90)
    first, repeats = read_topic(pipeline)
    dropped = pipeline.metric("processor", "millrace_processor_duplicates_total")
    late = pipeline.metric("processor", "millrace_processor_late_samples_total")
    by_kills = [record for record in repeats if (record["agent_id"].hex(), record["seq"]) not in troop.lost]
    print(f"{len(first)} records in Kafka and {len(repeats)} repeats, {len(by_kills)} of them by kills alone; "
          f"the processor dropped {dropped:.0f}; {late:.0f} samples were late", flush=True)
    assert troop.broken and troop.lost, "nothing was interrupted: this test has shown nothing"
    assert not (wrong := differences(ledger.minutes, sum_records(first))), f"in Kafka, repeats left out, {wrong}"
    assert by_kills if KILLS > 10 else repeats, "no payload came twice: this test has shown nothing"
    assert not (wrong := differences(ledger.minutes, stored(pipeline))), f"in MongoDB, {wrong}"
    assert dropped == len(repeats), f"{len(repeats)} repeats arrived, and the processor says that it dropped {dropped:.0f}"


def test_everything_stops_in_order(pipeline):
    """SIGTERM ends each program with 0 and nothing dead-lettered."""
    pipeline.stop_programs()
    assert pipeline.deadletters() == 0


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # a runner whose patience ends must leave no broker behind
    with tempfile.TemporaryDirectory(prefix="millrace-kill-") as folder:
        with Pipeline(folder, base_port=free_base_port(), speed=SPEED, start_minute_of_hour=10, sites=SITES) as pipeline:
            cases.run(globals(), pipeline)


if __name__ == "__main__":
    main()
