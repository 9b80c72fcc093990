"""A site that sends a new series in every sample costs nobody but itself: 500,000 of them; `--full` (make test-long): 5,000,000.

The attacker fills both partitions as fast as it can be written, a tenth of it with points of cumulative counters, whose baselines nothing can flush;
between its records other sites send what they always do. Then the peak of resident memory is compared with the limit of a container of whose memory the
budget is 80 %, the windows of the others series by series, and those of the attacker as totals of a kind: its own series, as many as
the cap lets in, and `__overflow__` together.
"""
import collections
import pathlib
import random
import re
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "deploy/local"))
import cases
from millrace_local import Failure, Stack, free_ports, tail
from millrace_local.process import free_base_port
from oracle_windows import KINDS, Window, milliseconds
from processor_cell import Cell, Clock, Codec, HOUR_MS, MINUTE_MS, Processor, fingerprint, topic
from test_processor import BINARY, SEED, compare

ATTACK = 5000000 if "--full" in sys.argv[1:] else 500000
PARTITIONS, SPEED, BEGIN_MINUTE, A_RECORD, OTHERS, OTHER_SERIES = 2, 600, 25, 500, 4, 6
CUMULATIVE_EVERY, OTHERS_EVERY = 10, 5  # records of the attacker
BUDGET_MIB, SITE_MAX, RECORD_MAX = 64, 40000, 400
LIMIT_MIB = BUDGET_MIB / 0.8
CROWD = 300  # sites, of a record each
ATTACKER, OVERFLOW = "attacker", "__overflow__"


class Writer:
    """What everybody sends, and the ledger of it: windows by (series, length, start), the attacker's kinds standing for its series."""

    def __init__(self, cell, clock):
        self.cell, self.clock, self.random = cell, clock, random.Random(SEED)
        self.windows = collections.defaultdict(Window)
        self.numbers = {}
        self.others = [[self.make_other(site, n) for n in range(OTHER_SERIES)] for site in range(OTHERS)]
        self.sent = self.cumulative = self.records = 0

    def make_other(self, site, number):
        kind, name, tags = KINDS[number % 3], f"queue.{number}", {"host": f"h{number}"}
        ref = {"fingerprint": fingerprint(f"site-{site}", kind, name, tags), "kind": kind, "temporality": "delta", "name": name, "tags": tags}
        self.numbers[ref["fingerprint"]] = f"site-{site}/{name}"
        return ref

    def send(self, partition, site, series, values):
        now = self.clock.now_ms()
        batch = {"series": series, "site": site, "agent_id": None, "seq": 0, "floor": 0, "summaries": [], "idempotency_key": None,
                 "values": [{"series": index, "t": now, "start": 0, "v": k / 1024} for index, k in enumerate(values)],
                 "created_at": now, "received_at": now}
        self.cell.send(topic("samples"), partition, self.cell.batch.encode(batch))
        self.records += 1
        return now

    def count(self, series, kind, values, t):
        for length in (MINUTE_MS, HOUR_MS):
            self.windows[series, length, t - t % length].add(kind, values, t)

    def send_others(self):
        for site, series in enumerate(self.others):
            for partition in range(PARTITIONS):
                own = series[partition::PARTITIONS]
                values = [self.random.randrange(1, 2000) for _ in own]
                t = self.send(partition, f"site-{site}", own, values)
                for ref, k in zip(own, values):
                    self.count(self.numbers[ref["fingerprint"]], ref["kind"], [k], t)

    def attack(self, record):
        """A series for every sample, none seen before."""
        cumulative = record % CUMULATIVE_EVERY == 0
        series, values = [], [self.random.randrange(1, 2000) for _ in range(A_RECORD)]
        for number in range(self.sent, self.sent + A_RECORD):
            kind = "counter" if cumulative else KINDS[number % 3]
            series.append({"fingerprint": self.random.randbytes(16), "kind": kind, "temporality": "cumulative" if cumulative else "delta",
                           "name": "requests.by.user", "tags": {"user": f"u-{number:032x}"}})
        t = self.send(record % PARTITIONS, ATTACKER, series, values)
        self.sent += A_RECORD
        if cumulative:
            self.cumulative += A_RECORD
            return
        for kind in KINDS:  # of values of one time the last is the highest
            self.count(f"{ATTACKER}/{kind}", kind, sorted(k for ref, k in zip(series, values) if ref["kind"] == kind), t)

    def write(self):
        for record in range(ATTACK // A_RECORD):
            self.attack(record)
            if record % OTHERS_EVERY == 0:
                self.send_others()
                self.cell.producer.flush(10)  # else times of its records would be far behind Kafka's
        self.cell.flush()


class World:
    """The stack, the cell, and one processor."""

    def __init__(self, directory):
        self.directory = directory
        self.stack = Stack(directory / "stack", base_port=free_base_port(23000))
        self.processor, self.aggregates = None, None

    def __enter__(self):
        try:
            self.stack.up()
            self.cell = Cell(self.stack.env()["KAFKA"], PARTITIONS)
            self.cell.create_topics()
            self.cell.write_record()
            self.cell.write_site(ATTACKER, series_cap=SITE_MAX * PARTITIONS, shards=PARTITIONS)
            self.clock = Clock(BEGIN_MINUTE, SPEED)
            self.writer = Writer(self.cell, self.clock)
            self.processor = Processor("a", self.directory, BINARY, self.cell, self.clock, free_ports(1)[0], static=True,
                                       more=[f"memory.budget={BUDGET_MIB}Mi", f"series.record_max={RECORD_MAX}",
                                             "checkpoint.chunk_bytes=256Ki"])
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.processor:
            self.processor.process.stop(5)
        self.stack.wipe()

    def wait(self, condition, seconds, what):
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise Failure(f"not within {seconds} s: {what}")
            assert self.processor.process.exit_code is None, \
                f"ended with {self.processor.process.exit_code}\n{tail(self.processor.process.log_file)}"
            time.sleep(0.05)

    def metric(self, name, **labels):
        return self.processor.metric(f"millrace_processor_{name}", **labels)

    def peak_mib(self):
        """The most memory that was resident so far."""
        status = pathlib.Path(f"/proc/{self.processor.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024


def test_memory_stays_under_the_budget(world):
    world.processor.start()
    world.processor.wait_ready()
    begun = time.monotonic()
    world.writer.write()
    print(f"  {world.writer.sent} series written in {time.monotonic() - begun:.1f} s, {world.clock.now_ms() // MINUTE_MS % 60} minutes past the hour")
    sent = world.metric("records_total")
    world.wait(lambda: world.metric("records_total") == world.writer.records, 20 + ATTACK / 10000, "all is read")
    print(f"  peak: {world.peak_mib():.1f} MiB of {LIMIT_MIB:.0f}, state {world.metric('state_bytes') / 2**20:.1f} MiB, "
          f"{world.metric('series'):.0f} series, {world.metric('windows'):.0f} windows, {world.metric('baselines'):.0f} baselines, "
          f"{world.metric('fragments_total', reason='budget'):.0f} fragments by budget; {sent:.0f} records were read while they were written")
    assert world.peak_mib() < LIMIT_MIB
    assert 0 < world.metric("baselines") <= PARTITIONS * SITE_MAX


def test_what_overflowed_is_counted(world):
    got = {reason: world.metric("cumulative_points_total", reason=reason) for reason in ("first", "overflow")}
    assert sum(got.values()) == world.writer.cumulative and got["overflow"], (got, world.writer.cumulative)
    assert world.metric("samples_total") == sum(window.count for (_, length, _), window in world.writer.windows.items() if length == HOUR_MS)
    world.overflowed = world.metric("overflow_samples_total")
    world.flushed = world.metric("fragments_total", reason="budget") > 0


def test_every_window_is_whole(world):
    """The others' series by series; the attacker's as what all of a kind come to."""
    end = max(start + length for _, length, start in world.writer.windows)
    world.wait(lambda: world.clock.now_ms() > end + 20 * MINUTE_MS, 20, "the last hour is over")  # gauges are some seconds old
    world.wait(lambda: world.metric("windows") == 0, 40, "all is written")
    print(f"  peak at the end: {world.peak_mib():.1f} MiB")
    assert world.peak_mib() < LIMIT_MIB
    world.processor.stop()
    got, codec = collections.defaultdict(Window), Codec("Aggregate")
    hours, overflows = collections.Counter(), collections.defaultdict(set)
    for name, length in (("minutely", MINUTE_MS), ("hourly", HOUR_MS)):
        for message in world.cell.each_record(topic(name)):
            fragment = codec.decode(message.value())
            start = milliseconds(fragment["window_start"])
            if fragment["site"] != ATTACKER:
                got[world.writer.numbers[message.key()], length, start].merge(fragment)
                continue
            got[f"{ATTACKER}/{fragment['kind']}", length, start].merge(fragment)
            if fragment["name"] == OVERFLOW:
                assert not fragment["tags"], fragment["tags"]
                overflows[length, start].add(message.key())
            elif length == HOUR_MS:
                assert fragment["count"] == 1
                hours[start] += 1
    compare(world, got)
    print(f"  {len(got)} windows; series of the attacker by hour: {sorted(hours.values())}, TEST_SEED={SEED}")
    assert overflows and all(len(keys) <= len(KINDS) for keys in overflows.values())
    # Each series has one sample, in its own windows or in those of the overflow.
    assert sum(hours.values()) + world.overflowed == world.writer.sent - world.writer.cumulative and world.overflowed
    # A flush makes room before its hour is over.
    assert world.flushed or max(hours.values()) <= PARTITIONS * SITE_MAX


def test_the_attacker_is_named_once_an_hour_and_nobody_else(world):
    codec = Codec("Notice")
    notices = [notice for notice in (codec.decode(message.value()) for message in world.cell.records("millrace.notices"))
               if notice["event"] == "series_overflowed"]
    assert notices and all(notice["site"] == ATTACKER and notice["severity"] == "warning" for notice in notices)
    hours = (max(start for _, _, start in world.writer.windows) - min(start for _, _, start in world.writer.windows)) / HOUR_MS + 3
    told = collections.Counter()
    for notice in notices:
        told[notice["fields"]["partition"]] += 1
        assert f"shared among its partitions ({SITE_MAX};" in notice["text"] and f"series.record_max ({RECORD_MAX})" in notice["text"], notice["text"]
    samples = sum(int(re.match(r"\d+", notice["text"])[0]) for notice in notices)
    print(f"  {dict(told)} notices of {samples} samples of {world.overflowed:.0f}: {notices[-1]['text']}")
    assert len(told) == PARTITIONS and max(told.values()) <= hours
    assert 0 < samples <= world.overflowed


def test_a_state_that_no_flush_frees_is_told_of_once(world):
    """Points of cumulative counters whose baselines are to stay: sites enough that none comes to its cap."""
    world.processor.start()
    world.processor.wait_ready()
    assert world.metric("state_crowded") == 0
    def post(site):
        series = [{"fingerprint": world.writer.random.randbytes(16), "kind": "counter", "temporality": "cumulative", "name": "bytes.of.user",
                   "tags": {"user": f"u-{number:032x}"}} for number in range(A_RECORD)]
        world.writer.send(site % PARTITIONS, f"crowd-{site}", series, range(1, A_RECORD + 1))
    for site in range(CROWD):
        post(site)
    world.cell.flush()
    world.wait(lambda: world.metric("state_crowded") == 1, 60, "the state is crowded")
    def told():
        notices = (Codec("Notice").decode(message.value()) for message in world.cell.records("millrace.notices"))
        return [notice for notice in notices if notice["event"] == "state_crowded"]
    world.wait(told, 20, "a notice of it")
    post(CROWD)  # what comes on top of it is no news
    world.cell.flush()
    time.sleep(3)  # two looks at least
    (notice,) = told()
    assert notice["severity"] == "warning" and notice["fields"] == {}, notice
    taken, limit = map(int, re.search(r"take (\d+) MiB of memory, more than half of the (\d+) MiB for the state", notice["text"]).groups())
    assert limit <= 2 * taken + 2 and limit < BUDGET_MIB and world.peak_mib() < LIMIT_MIB, notice["text"]
    print(f"  {notice['text']}; peak {world.peak_mib():.1f} MiB")
    world.processor.stop()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as the_name, World(pathlib.Path(the_name)) as the_world:
        cases.run(globals(), the_world)
