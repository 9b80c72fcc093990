"""Retries against millrace-processor on a real Kafka: a payload that comes again counts nothing, whoever reads it by then.

Agents number their payloads; the writer sends each once, out of order, then again and again: to the same process, to one that was killed with SIGKILL
and restored, to another instance after a rebalance. Payload seq carries one sample of value seq, so that count and sum of a series say
which payloads were counted. Beside them: payloads without identity (each copy counts), a broken identity (a dead letter that marks
nothing), an agent's home with gaps, a site with too many agents.
"""
import collections
import os
import pathlib
import random
import re
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "deploy/local"))
import cases
from millrace_local import BINARIES, Failure, Stack, free_ports
from millrace_local.process import free_base_port
from processor_cell import Cell, Clock, Codec, MINUTE_MS, Processor, fingerprint, topic

BINARY = BINARIES / "millrace-processor"
SEED = int(os.environ.get("TEST_SEED", time.time_ns() % 2**32))
PARTITIONS, SPEED, BEGIN_MINUTE = 2, 120, 10
AGENTS, PAYLOADS, CAP = 3, 25, 16


class Writer:
    """Payloads into the cell, and what must be counted of them."""

    def __init__(self, cell, clock):
        self.cell, self.clock, self.random = cell, clock, random.Random(SEED)
        self.counted = collections.defaultdict(list)  # values by (partition, series)
        self.sent = [0] * PARTITIONS                  # records: the end offsets
        self.posted = []                              # (partition, record) of every payload that has an identity

    def payload(self, partition, site, agent, seq, floor, home=False):
        """One sample of value seq; agent None: without identity."""
        now, name = self.clock.now_ms(), f"{site}.{agent}"
        series = {"fingerprint": fingerprint(site, "counter", name, {}), "kind": "counter", "temporality": "delta", "name": name, "tags": {}}
        who = {"agent_id": None, "seq": 0, "floor": 0} if agent is None else \
            {"agent_id": bytes([partition, agent]) * 8, "seq": seq, "floor": floor}
        return {"series": [series], "values": [{"series": 0, "t": now, "start": 0, "v": float(seq)}], "summaries": [], "site": site, **who,
                "idempotency_key": None, "created_at": now, "received_at": now, "home": home}

    def send(self, partition, batch, counts):
        record = self.cell.batch.encode(batch)
        self.send_bytes(partition, record)
        if counts:
            self.counted[partition, batch["series"][0]["name"]] += [sample["v"] for sample in batch["values"]]
        return record

    def send_bytes(self, partition, record):
        self.cell.send(topic("samples"), partition, record)
        self.sent[partition] += 1

    def post(self, partition, site, agent, seq, floor, home=False):
        """A payload for the first time."""
        self.posted.append((partition, self.send(partition, self.payload(partition, site, agent, seq, floor, home), True)))

    def post_out_of_order(self, first, last):
        """New payloads of all agents, each at most four places from where it belongs, with the floor its agent would have."""
        for partition in range(PARTITIONS):
            for agent in range(AGENTS):
                order = sorted(range(first, last + 1), key=lambda seq: seq + self.random.random() * 4)
                for i, seq in enumerate(order):
                    self.post(partition, f"site-{agent % 2}", agent, seq, min(min(order[i:]), seq))

    def post_again(self):
        """Every payload so far once more; how many those are by partition."""
        again = collections.Counter()
        for partition, record in self.random.sample(self.posted, len(self.posted)):
            self.send_bytes(partition, record)
            again[partition] += 1
        self.cell.flush()
        return again


class World:
    """The stack, the cell and its processors, for the cases below, which build on each other."""

    def __init__(self, directory):
        self.directory, self.processors = directory, {}
        self.stack = Stack(directory / "stack", base_port=free_base_port(24000))
        self.ports = free_ports(2)

    def __enter__(self):
        try:
            self.stack.up()
            self.cell = Cell(self.stack.env()["KAFKA"], PARTITIONS)
            self.cell.create_topics()
            self.cell.write_record()
            self.clock = Clock(BEGIN_MINUTE, SPEED)
            self.writer = Writer(self.cell, self.clock)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for processor in self.processors.values():
            processor.process.stop(5)
        self.stack.wipe()

    def start(self, name):
        if name not in self.processors:
            self.processors[name] = Processor(name, self.directory, BINARY, self.cell, self.clock, self.ports[len(self.processors)],
                                              static=True, more=[f"dedup.agents_max={CAP}"])
        return self.processors[name].start()

    def wait(self, condition, seconds, what):
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise Failure(f"not within {seconds} s: {what()}")
            time.sleep(0.1)

    def wait_metric(self, processor, name, value, **labels):
        self.wait(lambda: processor.metric(name, **labels) == value, 20,
                  lambda: f"{name}{labels} == {value}: {processor.metric(name, **labels)}")

    def wait_saved(self):
        """Until a snapshot of each partition holds all that was sent."""
        def saved():
            metadata = {p: dict(word.split("=") for word in m.split()[1:]) for p, (_, m) in self.cell.committed().items()}
            return [int(metadata[p]["at"]) if p in metadata else -1 for p in range(PARTITIONS)]
        self.wait(lambda: saved() == self.writer.sent, 30, lambda: f"snapshots at {self.writer.sent}: {saved()}")


def test_retries_are_dropped(world):
    a, writer = world.start("a"), world.writer
    a.wait_ready()
    writer.post_out_of_order(1, PAYLOADS)
    again = writer.post_again()
    world.wait_metric(a, "millrace_processor_duplicates_total", sum(again.values()))
    assert a.metric("millrace_processor_duplicate_samples_total") == sum(again.values())
    for partition in range(PARTITIONS):
        assert a.metric("millrace_processor_duplicates_total", partition=partition) == again[partition] == AGENTS * PAYLOADS
    world.wait_metric(a, "millrace_processor_dedup_agents", AGENTS * PARTITIONS)
    assert a.metric("millrace_processor_dedup_bytes") > 0


def test_without_identity_each_copy_counts(world):
    a, writer = world.processors["a"], world.writer
    before, dropped = (a.metric(f"millrace_processor_{name}_total") for name in ("samples", "duplicates"))
    for _ in range(2):
        writer.send(0, writer.payload(0, "site-0", None, 7, 0), True)
    world.cell.flush()
    world.wait_metric(a, "millrace_processor_samples_total", before + 2)
    assert a.metric("millrace_processor_duplicates_total") == dropped


def test_a_refused_record_is_not_taken_for_counted(world):
    a, writer = world.processors["a"], world.writer
    before = a.metric("millrace_processor_duplicates_total")
    good = writer.payload(1, "site-1", 50, 9, 9)
    bad = [{**good, "floor": 10}, {**good, "seq": 0, "floor": 0}, {**good, "seq": 9 + 65537}, {**good, "values": [{**good["values"][0], "series": 5}]}]
    for batch in bad:
        writer.send(1, batch, False)
    world.cell.flush()
    world.wait_metric(a, "millrace_processor_dead_letters_total", len(bad), partition=1)
    writer.posted.append((1, writer.send(1, good, True)))
    writer.send(1, good, False)
    world.cell.flush()
    world.wait_metric(a, "millrace_processor_duplicates_total", before + 1)


def test_a_restored_processor_knows_them(world):
    a, writer = world.processors["a"], world.writer
    world.wait_saved()
    a.process.kill()
    a.start()
    a.wait_ready()
    world.wait_metric(a, "millrace_processor_dedup_agents", AGENTS * PARTITIONS + 1)
    again = writer.post_again()
    world.wait_metric(a, "millrace_processor_duplicates_total", sum(again.values()))
    writer.post_out_of_order(PAYLOADS + 1, PAYLOADS + 5)
    again += writer.post_again()
    a.process.kill()  # some of it read and not saved: it is read again, by a state that has not seen it
    a.start()
    a.wait_ready()
    world.wait_saved()
    assert a.metric("millrace_processor_samples_total") + a.metric("millrace_processor_duplicates_total") \
        == a.metric("millrace_processor_records_total")


def test_another_instance_knows_them(world):
    a, b, writer = world.processors["a"], world.start("b"), world.writer
    world.wait(lambda: a.ready() and b.ready() and b.metric("millrace_processor_partitions_running") == PARTITIONS, 30, lambda: "half of the inputs each")
    before = {p: sum(x.metric("millrace_processor_duplicates_total", partition=p) for x in (a, b)) for p in range(PARTITIONS)}
    again = writer.post_again()
    for partition in range(PARTITIONS):
        want = before[partition] + again[partition]
        world.wait(lambda p=partition, w=want: sum(x.metric("millrace_processor_duplicates_total", partition=p) for x in (a, b)) == w, 20,
                   lambda p=partition, w=want: f"{w} duplicates in partition {p}")
    assert b.metric("millrace_processor_duplicates_total") in again.values()
    assert b.metric("millrace_processor_samples_total") == 0


def total(world, name, **labels):
    return sum(processor.metric(name, **labels) for processor in world.processors.values())


def test_what_never_came_is_counted_in_the_home_partition_only(world):
    writer = world.writer
    for partition, home in ((0, True), (1, False)):
        for seq, floor in ((3, 3), (6, 3), (9, 7), (10, 10)):  # 4 and 5, then 7 and 8, never come; 1 and 2 were not to be expected any more
            batch = writer.payload(partition, "gappy", 90, seq, floor, home)
            writer.send(partition, {**batch, "series": [], "values": []} if seq == 6 else batch, False)
            if seq != 6:
                writer.counted[partition, batch["series"][0]["name"]].append(float(seq))
    world.cell.flush()
    world.wait(lambda: total(world, "millrace_processor_gap_payloads_total", site="gappy") == 4, 20,
               lambda: f'4 gaps: {total(world, "millrace_processor_gap_payloads_total")}')
    world.wait_saved()
    assert total(world, "millrace_processor_gap_payloads_total") == 4
    told = [line for processor in world.processors.values() for line in processor.process.log_file.read_text().splitlines() if "payloads_missing" in line]
    said = [re.search(r"topic=(\S+) partition=0 offset=\d+ site=gappy agent_id=[0-9a-f]{32} seq=(\d+) payloads=(\d+)", line).groups() for line in told]
    assert sum(int(payloads) for *_, payloads in said) == 4 and {name for name, *_ in said} == {topic("samples")}, told


def test_a_site_with_too_many_agents_is_counted_at_least_once(world):
    writer = world.writer
    dropped = total(world, "millrace_processor_duplicates_total")
    for agent in range(CAP + 1):
        for first in (True, False):
            writer.send(0, writer.payload(0, "crowd", 100 + agent, 1, 1), first or agent == CAP)
    world.cell.flush()
    world.wait(lambda: total(world, "millrace_processor_unremembered_agents_total", partition=0) == 2, 20, lambda: "the last one twice")
    assert total(world, "millrace_processor_duplicates_total") == dropped + CAP
    def told():
        notices = [Codec("Notice").decode(m.value()) for m in world.cell.records("millrace.notices")]
        return [(n["site"], n["severity"], n["fields"]["partition"]) for n in notices if n["event"] == "agents_unremembered"]
    world.wait(lambda: told() == [("crowd", "warning", "0")], 10, lambda: f"one notice: {told()}")


def test_cumulative_points_and_requests_with_a_key_are_counted_once(world):
    writer, start = world.writer, world.clock.now_ms() - 1000
    dropped = total(world, "millrace_processor_duplicates_total")
    for i, v in enumerate((2.0, 5.0, 9.0)):
        batch = writer.payload(1, "otlp", None, v, 0)
        batch["series"][0]["temporality"] = "cumulative"
        batch["values"][0].update(t=start + 1000 + i, start=start)
        for key in (b"key %d" % i, b"key %d" % i, None):  # the second one is a retry; the third says nothing of itself, but its point's time does
            writer.send(1, {**batch, "idempotency_key": key}, False)
        writer.counted[1, batch["series"][0]["name"]].append([2.0, 3.0, 4.0][i])
    world.cell.flush()
    name = "millrace_processor_cumulative_points_total"
    world.wait(lambda: total(world, name, partition=1) == 6, 20, lambda: f"6 points: {total(world, name)}")
    assert [total(world, name, partition=1, reason=r) for r in ("fresh", "delta", "stale")] == [1, 2, 3]
    assert total(world, "millrace_processor_duplicates_total") == dropped + 3
    world.wait(lambda: total(world, "millrace_processor_baselines", partition=1) == 1, 10, lambda: "the series' baseline")
    assert total(world, "millrace_processor_baselines_bytes", partition=1) > 0


def test_every_payload_is_counted_once(world):
    until = world.clock.now_ms() + 4 * MINUTE_MS  # closing and stagger
    world.wait(lambda: world.clock.now_ms() > until, 30, lambda: "the last minute is over")
    world.wait_saved()
    got = collections.defaultdict(lambda: [0, 0.0])
    for message in world.cell.records(topic("minutely")):
        fragment = Codec("Aggregate").decode(message.value())
        sums = got[message.partition(), fragment["name"]]
        sums[0] += fragment["count"]
        sums[1] += fragment["sum"]
    want = {series: [len(values), sum(values)] for series, values in world.writer.counted.items()}
    assert dict(got) == want, (sorted(set(want) ^ set(got)), {s: (want[s], got[s]) for s in want if want[s] != got.get(s)})
    print(f"  {sum(n for n, _ in want.values())} samples of {sum(world.writer.sent)} records, TEST_SEED={SEED}")
    for processor in world.processors.values():
        processor.stop()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name, World(pathlib.Path(name)) as the_world:
        cases.run(globals(), the_world)
