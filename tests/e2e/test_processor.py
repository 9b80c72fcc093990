"""millrace-processor as processes on a real Kafka: what goes in as SampleBatch comes out as Aggregate, exactly once.

A writer sends random samples for 30 virtual minutes across the end of an hour (the test clock runs 120 times as fast), on time, out of order and
late, with poison among them. Meanwhile instances join, leave, and are killed with SIGKILL, one with a static membership, one without.
Then every (series, minute) and (series, hour) is read back, read_committed, its fragments are merged here, and it must equal the ledger that
the writer kept: count, sum (multiples of 1/1024: exact), min, max, last, buckets (by integer powers). The last cases are refusals: an unknown
schema, an operator's reset.
"""
import collections
import os
import pathlib
import random
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "deploy/local"))
import cases
from millrace_local import BINARIES, Failure, Stack, free_ports, tail
from millrace_local.process import free_base_port
from oracle_windows import KINDS, Window, milliseconds, summary
from processor_cell import Cell, Clock, Codec, Every, HOUR_MS, INPUTS, MINUTE_MS, Processor, fingerprint, headline, topic

BINARY = BINARIES / "millrace-processor"
SEED = int(os.environ.get("TEST_SEED", time.time_ns() % 2**32))
PARTITIONS, SPEED, BEGIN_MINUTE = 4, 120, 38
WRITE_MS, SERIES, BATCH_EVERY, POISON_EVERY = 30 * MINUTE_MS, 60, 0.05, 40
GRACE_MS, STAGGER_MS, LATE_MAX_MS = 45000, 10000, 30 * MINUTE_MS


class Writer:
    """Random batches into the cell, and the ledger of what must come out."""

    def __init__(self, cell, clock):
        self.cell, self.clock, self.random = cell, clock, random.Random(SEED)
        self.windows = collections.defaultdict(Window)  # by (series, length, start)
        self.series = [self.make_series(i) for i in range(SERIES)]
        self.samples = self.meant_late = 0
        self.poison = []
        self.sent = 0
        self.event_batch, self.events, self.event_poison = Codec("EventBatch"), {}, []  # events: {name: (partition, event)}

    def make_series(self, i):
        kind, tags = KINDS[i % 3], {"route": f"/r{i}", "host": "ä" * (i % 5)} if i % 4 else {}
        site, name = f"site-{i % 3}", f"metric.{i}"
        return {"site": site, "partition": i % PARTITIONS, "fingerprint": fingerprint(site, kind, name, tags), "kind": kind,
                "name": name, "tags": dict(sorted(tags.items()))}

    def time_of_sample(self):
        now, dice = self.clock.now_ms(), self.random.random()
        if dice < 0.03:
            self.meant_late += 1
            return now - self.random.randrange(3 * MINUTE_MS, 70 * MINUTE_MS)
        if dice < 0.05:
            return now + self.random.randrange(MINUTE_MS)
        return now - self.random.randrange(20000)

    def ledger(self, number, values, at, t):
        for length in (MINUTE_MS, HOUR_MS):
            self.windows[number, length, t - t % length].add(KINDS[number % 3], values, at)
        self.samples += 1

    def value(self, number, index):
        t, k = self.time_of_sample(), self.random.randrange(-2000 if number % 3 else 0, 200000)
        self.ledger(number, [k], t, t)
        return {"series": index, "t": t, "start": 0, "v": k / 1024}

    def summary(self, number, index):
        t = self.time_of_sample()
        at = t + self.random.randrange(1000)
        values = [self.random.randrange(200000) for _ in range(self.random.randrange(1, 8))]
        self.ledger(number, values, at, t)
        return {"series": index, "start": 0, "approximate": False, **summary(values, t, at, number % 3 == 2)}

    def empty_batch(self):
        now = self.clock.now_ms()
        return {"series": [], "values": [], "summaries": [], "site": "site-0", "agent_id": None, "seq": 0, "floor": 0,
                "idempotency_key": None, "created_at": now, "received_at": now}

    def send(self):
        """One record for one site and partition; one in POISON_EVERY is poisoned."""
        first = self.random.choice(self.series)
        chosen = [i for i, s in enumerate(self.series) if (s["site"], s["partition"]) == (first["site"], first["partition"])]
        refs = [{key: self.series[i][key] for key in ("fingerprint", "kind", "name", "tags")} | {"temporality": "delta"} for i in chosen]
        batch = self.empty_batch() | {"series": refs, "site": first["site"]}
        self.sent += 1
        if self.sent % POISON_EVERY == 0:
            self.send_poison(first["partition"], batch)
            return
        for index, number in enumerate(chosen):
            for _ in range(self.random.randrange(4)):
                kind = "values" if self.random.random() < 0.6 else "summaries"
                batch[kind].append(self.value(number, index) if kind == "values" else self.summary(number, index))
        self.cell.send(topic("samples"), first["partition"], self.cell.batch.encode(batch))

    def send_poison(self, partition, batch):
        """Bytes that are no batch, or a batch that is wrong only in its last sample: of which nothing may be counted."""
        now = self.clock.now_ms()
        good = {"series": 0, "t": now, "start": 0, "v": 1.0}
        bad = self.random.choice([{**good, "series": len(batch["series"])}, {**good, "v": float("nan")}, {**good, "t": now + 5 * HOUR_MS}])
        whole = self.cell.batch.encode({**batch, "values": [good, bad]})
        poison = self.random.choice([b"", b"garbage", whole[:-3], whole])
        self.poison.append((partition, poison))
        self.cell.send(topic("samples"), partition, poison)

    def event(self, **detail):
        """An error or a marker, named by its number; one in thirty is of a minute long closed."""
        t = self.clock.now_ms() - (self.random.randrange(60 * MINUTE_MS) if self.random.random() < 0.03 else self.random.randrange(20000))
        return {"group": bytes([self.random.randrange(3)]) * 16, "t": t, "action": "orders#show", "namespace": "web", "host": "", "environment": "",
                "revision": "", "tags": {}, "error": None, "transaction": None, "marker": None, "check_in": None, **detail}

    def send_events(self):
        """One record of events; sometimes one that belongs into the other topic."""
        partition = self.random.randrange(PARTITIONS)
        if self.random.random() < 0.02:
            poison = self.cell.batch.encode(self.empty_batch())
            self.event_poison.append((partition, poison))
            self.cell.send(topic("events"), partition, poison)
            return
        events = []
        for _ in range(self.random.randrange(1, 4)):
            name = f"{len(self.events)}"
            if self.random.random() < 0.5:
                events.append(self.event(marker={"revision": "1", "user": "", "text": name}))
            else:
                events.append(self.event(error={"class": "Oops", "message": name, "backtrace": [], "params": {}, "breadcrumbs": []}))
            self.events[name] = partition, events[-1]
        batch = {key: self.empty_batch()[key] for key in ("agent_id", "seq", "floor", "idempotency_key", "created_at", "received_at")}
        self.cell.send(topic("events"), partition, self.event_batch.encode({**batch, "events": events, "site": f"site-{partition}"}))

    def send_both(self):
        self.send()
        self.send_events()

    def at_work(self):
        """For WRITE_MS, as a context of other doings."""
        return Every(BATCH_EVERY, self.send_both)


class World:
    """The stack, the cell and its processors, for the cases below, which build on each other."""

    def __init__(self, directory):
        self.directory = directory
        self.stack = Stack(directory / "stack", base_port=free_base_port(23000))
        self.ports = free_ports(4)
        self.processors = {}

    def __enter__(self):
        try:
            self.stack.up()
            self.cell = Cell(self.stack.env()["KAFKA"], PARTITIONS)
            self.cell.create_topics()
            self.clock = Clock(BEGIN_MINUTE, SPEED)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for processor in self.processors.values():
            processor.process.stop(5)
        self.stack.wipe()

    def start(self, name, static=False):
        if name not in self.processors:
            self.processors[name] = Processor(name, self.directory, BINARY, self.cell, self.clock, self.ports[len(self.processors)], static)
        return self.processors[name].start()

    def wait(self, condition, seconds, what):
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise Failure(f"not within {seconds} s: {what}")
            for processor in self.processors.values():
                code = processor.process.exit_code
                assert code in (None, 0, -9), f"{processor.process.name} ended with {code}\n{tail(processor.process.log_file)}"
            time.sleep(0.1)

    def total(self, name, **labels):
        return sum(p.metric(name, **labels) for p in self.processors.values())


def test_waits_for_the_cell(world):
    a = world.start("a", static=True)
    world.wait(lambda: "no record of the cell" in a.get("/health/ready")[1], 20, "the reason why a is not ready")
    world.cell.write_record()
    a.wait_ready()
    assert a.metric("millrace_processor_partitions_running") == len(INPUTS) * PARTITIONS
    for partition, (offset, metadata) in world.cell.committed().items():
        assert offset == 0 and metadata.startswith(f"v1 epoch={world.cell.epoch} id=1 "), (partition, offset, metadata)


def test_instances_come_and_go_while_data_flows(world):
    writer = world.writer = Writer(world.cell, world.clock)
    begin = world.clock.now_ms()
    at_work = writer.at_work()
    a, b = world.processors["a"], world.start("b")
    world.wait(lambda: a.ready() and b.ready() and b.metric("millrace_processor_partitions_running") == PARTITIONS, 20, "half of the inputs each")
    world.wait(lambda: b.metric("millrace_processor_fragments_total") > 0, 10, "b emits")
    a.process.kill()
    a.start()
    a.wait_ready()
    b.process.kill()
    c = world.start("c")
    world.wait(lambda: c.metric("millrace_processor_partitions_running") == PARTITIONS, 30, "c has taken over from b")
    c.stop()
    world.wait(lambda: a.metric("millrace_processor_partitions_running") == len(INPUTS) * PARTITIONS, 20, "a has all")
    world.wait(lambda: world.clock.now_ms() - begin > WRITE_MS, 60, "the writer is done")
    at_work.stop()
    world.cell.flush()
    print(f"  {writer.samples} samples, {writer.meant_late} meant late, {len(writer.poison)} poisoned records, TEST_SEED={SEED}")
    assert writer.samples > 1000 and writer.meant_late > 20 and len(writer.poison) > 3


def test_every_window_is_there_once(world):
    a, newest = world.processors["a"], max(start + length for _, length, start in world.writer.windows)
    until = max(newest, world.clock.now_ms() + LATE_MAX_MS) + GRACE_MS + STAGGER_MS + MINUTE_MS
    world.wait(lambda: world.clock.now_ms() > until, 80, "the last hour is over")
    world.wait(lambda: a.metric("millrace_processor_lag_records") == 0, 20, "all is read")
    got, late = collections.defaultdict(Window), collections.Counter()
    by_print = {s["fingerprint"]: i for i, s in enumerate(world.writer.series)}
    codec = Codec("Aggregate")
    for name, length in (("minutely", MINUTE_MS), ("hourly", HOUR_MS)):
        for message in world.cell.records(topic(name)):
            fragment = codec.decode(message.value())
            check_identity(world, message, fragment, length, world.writer.series[by_print[message.key()]])
            got[by_print[message.key()], length, milliseconds(fragment["window_start"])].merge(fragment)
            late[fragment["late"]] += 1
    compare(world, got)
    print(f"  {len(got)} windows, {sum(late.values())} fragments, {late[True]} of them late")
    assert late[True] > 5 and late[False] > 10 * late[True] / 2


def test_every_exemplar_is_there_once(world):
    """All markers, of each group and minute at least the first three errors, and nothing twice."""
    codec, sent, got = Codec("Exemplar"), world.writer.events, collections.Counter()
    kept, made = collections.Counter(), collections.Counter()
    for message in world.cell.records(topic("exemplars")):
        exemplar = codec.decode(message.value())
        event = exemplar["event"]
        name = event["marker"]["text"] if event["marker"] else event["error"]["message"]
        partition, original = sent[name]
        assert (message.partition(), message.key(), exemplar["fingerprint"]) == (partition, original["group"], original["group"]), headline(exemplar)
        assert exemplar["epoch"] == world.cell.epoch and exemplar["site"] == f"site-{partition}"
        assert milliseconds(exemplar["window_start"]) == original["t"] - original["t"] % MINUTE_MS == milliseconds(event["t"]) - original["t"] % MINUTE_MS
        got[name] += 1
        kept[partition, original["group"], original["t"] // MINUTE_MS] += bool(event["error"])
    for partition, event in sent.values():
        made[partition, event["group"], event["t"] // MINUTE_MS] += bool(event["error"])
    assert max(got.values()) == 1, [name for name, times in got.items() if times > 1]
    assert {name for name, (_, event) in sent.items() if event["marker"]} <= set(got), "a marker is missing"
    assert all(kept[place] >= min(3, number) for place, number in made.items()), (kept, made)
    print(f"  {len(got)} exemplars of {len(sent)} events")
    assert sum(kept.values()) > 50 and len(got) > 100


def check_identity(world, message, fragment, length, series):
    assert message.partition() == series["partition"] and fragment["fingerprint"] == series["fingerprint"]
    assert fragment["epoch"] == world.cell.epoch and fragment["window_ms"] == length
    for key in ("site", "kind", "name", "tags"):
        assert fragment[key] == series[key], (key, headline(fragment))
    assert (fragment["histogram"] is not None) == (series["kind"] == "distribution") and not fragment["approximate"]


def compare(world, got):
    wrong = []
    for window in sorted(set(world.writer.windows) | set(got)):
        want, have = (side[window].figures() if window in side else None for side in (world.writer.windows, got))
        if want != have:
            wrong.append(f"{window}: want {want}, have {have}")
    assert not wrong, "\n".join([f"{len(wrong)} of {len(world.writer.windows)} windows differ", *wrong[:10]])


def test_poison_is_a_dead_letter_with_its_place(world):
    codec = Codec("DeadLetter")
    letters = [codec.decode(message.value()) for message in world.cell.records("millrace.deadletter")]
    sent = collections.Counter(world.writer.poison)
    assert collections.Counter((one["partition"], one["value"] or b"") for one in letters if one["topic"] == topic("samples")) == sent
    sent = collections.Counter(world.writer.event_poison)
    assert collections.Counter((one["partition"], one["value"]) for one in letters if one["topic"] == topic("events")) == sent
    inputs = {(name, m.partition(), m.offset()): m.value() or b"" for name in map(topic, INPUTS) for m in world.cell.records(name)}
    for one in letters:
        assert one["epoch"] == world.cell.epoch and one["reason"] and one["code"], headline(one)
        assert inputs[one["topic"], one["partition"], one["offset"]] == (one["value"] or b""), headline(one)


def test_offsets_name_their_snapshots(world):
    codec = Codec("StateChunk")
    chunks = {(m.partition(), m.offset()): codec.decode(m.value()) for m in world.cell.records(topic("samples-state"))}
    assert max(chunk["of"] for chunk in chunks.values()) > 1, "no snapshot had two chunks"
    for partition, (offset, metadata) in world.cell.committed().items():
        fields = dict(word.split("=") for word in metadata.split()[1:])
        first = chunks[partition, int(fields["snapshot"])]
        assert first["index"] == 0 and first["snapshot_id"] == int(fields["id"]) and first["epoch"] == world.cell.epoch
        of_it = [c for (p, _), c in chunks.items() if p == partition and c["snapshot_id"] == first["snapshot_id"]]
        assert len(of_it) == first["of"] and sum(len(c["body"]) for c in of_it) == int(fields["bytes"])
        assert int(fields["at"]) <= offset


def test_what_retention_cut_is_counted_and_the_partition_goes_on(world):
    a = world.processors["a"]
    a.stop()
    end = world.cell.committed()[1][0]
    for _ in range(4):
        world.cell.send(topic("samples"), 1, world.cell.batch.encode(world.writer.empty_batch()))
    world.cell.flush()
    world.cell.delete_records(1, end + 3)
    a.start()
    world.wait(lambda: a.metric("millrace_processor_records_total") == 1, 20, "a has read what is left")
    assert a.metric("millrace_processor_gap_records_total", partition=1) == 3
    a.wait_ready()


def test_a_newer_writers_record_holds_its_partition_only(world):
    a = world.processors["a"]
    world.cell.send(topic("samples"), 3, b"\0\0\0\3\xe7newer")
    world.cell.flush()
    world.wait(lambda: "newer build" in a.get("/health/ready")[1], 20, "a says that a partition waits")
    assert a.metric("millrace_processor_partitions_running") >= len(INPUTS) * PARTITIONS - 1
    assert len(world.cell.records("millrace.deadletter")) == len(world.writer.poison) + len(world.writer.event_poison)
    a.stop()
    held = world.cell.records(topic("samples"))[-1]
    ends = {m.partition(): m.offset() + 1 for m in world.cell.records(topic("samples"))}
    committed = {partition: offset for partition, (offset, _) in world.cell.committed().items()}
    assert committed == {**ends, 3: ends[3] - 1}, (committed, ends, held.offset())


def test_an_operators_reset_is_refused_for_that_partition_only(world):
    world.cell.reset_offset(0, 0)
    d = world.start("d")
    world.wait(lambda: "refused" in d.get("/health/ready")[1], 40, "d says that a partition is refused")
    world.wait(lambda: d.metric("millrace_processor_partitions_running") == len(INPUTS) * PARTITIONS - 2, 20, "the others run, one is held")
    notices = [Codec("Notice").decode(m.value()) for m in world.cell.records("millrace.notices")]
    events = {(n["event"], n["fields"]["partition"]) for n in notices if n["severity"] == "alarm"}
    assert {("gap", "1"), ("schema_unknown", "3"), ("partition_refused", "0")} <= events, events
    d.stop()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name, World(pathlib.Path(name)) as the_world:
        cases.run(globals(), the_world)
