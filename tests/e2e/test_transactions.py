"""millrace-processor's transactions on a real Kafka: one that stalls aborts and is emitted again, and old snapshots are deleted.

A writer sends one sample a series and record, numbered, for the first half of the run; every (series, minute) must come out with the count and the
sum that were sent. Meanwhile the processor freezes inside a transaction for longer than one may take (--test-faults). Then the state topic must have
lost what nobody will read again, and a process that is killed must be restored from what is left.
"""
import collections
import pathlib
import sys
import tempfile
import time

import confluent_kafka

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "deploy/local"))
import cases
from millrace_local import BINARIES, Failure, Stack, free_ports
from millrace_local.process import free_base_port
from processor_cell import Cell, Clock, Codec, Every, INPUTS, MINUTE_MS, Processor, fingerprint, topic

BINARY = BINARIES / "millrace-processor"
PARTITIONS, SPEED, BEGIN_MINUTE, SERIES = 2, 120, 5, 6
STALL_AT, CHECKPOINTS = 12, 6


class World:
    """The stack, a cell, its one processor, and what was sent."""

    def __init__(self, directory):
        self.directory = directory
        self.stack = Stack(directory / "stack", base_port=free_base_port(23000))
        self.sent = collections.defaultdict(list)  # values by (series, minute)
        self.number = 0
        self.processor = None

    def __enter__(self):
        try:
            self.stack.up()
            self.cell = Cell(self.stack.env()["KAFKA"], PARTITIONS)
            self.cell.create_topics()
            self.cell.write_record()
            self.clock = Clock(BEGIN_MINUTE, SPEED)
            self.processor = Processor("a", self.directory, BINARY, self.cell, self.clock, free_ports(1)[0], static=True,
                                       more=["state.trim_interval=300ms"])
            self.plain = list(self.processor.command)
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
            assert self.processor.process.exit_code in (None, -9), "the processor has ended"
            time.sleep(0.1)

    def send(self):
        self.number += 1
        series, now = self.number % SERIES, self.clock.now_ms()
        name = f"metric.{series}"
        ref = {"fingerprint": fingerprint("site", "counter", name, {}), "kind": "counter", "temporality": "delta", "name": name, "tags": {}}
        batch = {"series": [ref], "values": [{"series": 0, "t": now, "start": 0, "v": float(self.number)}], "summaries": [], "site": "site",
                 "agent_id": None, "seq": 0, "floor": 0, "idempotency_key": None, "created_at": now, "received_at": now}
        self.sent[name, now - now % MINUTE_MS].append(float(self.number))
        self.cell.send(topic("samples"), series % PARTITIONS, self.cell.batch.encode(batch))

    def compare(self):
        """Every minute came out once, merged from whatever fragments there are."""
        got = collections.defaultdict(lambda: [0, 0.0])
        codec = Codec("Aggregate")
        for message in self.cell.records(topic("minutely")):
            fragment = codec.decode(message.value())
            at = fragment["window_start"]
            at = at if isinstance(at, int) else round(at.timestamp() * 1000)
            got[fragment["name"], at][0] += fragment["count"]
            got[fragment["name"], at][1] += fragment["sum"]
        want = {window: [len(values), sum(values)] for window, values in self.sent.items()}
        assert dict(got) == want, [(w, want.get(w), got.get(w)) for w in sorted(set(want) | set(got)) if want.get(w) != got.get(w)][:10]

    def all_out(self):
        """Waits until everything that was sent has been emitted."""
        self.cell.flush()
        # A sample that came late goes out when none has followed for five minutes.
        until = self.clock.now_ms() + 10 * MINUTE_MS
        self.wait(lambda: self.clock.now_ms() > until and self.processor.metric("millrace_processor_lag_records") == 0, 30, "all is read")

    def everything_written(self, name):
        """Every record of a topic, those of aborted transactions, too."""
        consumer = confluent_kafka.Consumer({"bootstrap.servers": self.cell.kafka, "group.id": "test-uncommitted", "enable.auto.commit": False,
                                             "isolation.level": "read_uncommitted", "enable.partition.eof": True})
        consumer.assign([confluent_kafka.TopicPartition(name, n, confluent_kafka.OFFSET_BEGINNING) for n in range(PARTITIONS)])
        ended, found = set(), []
        while len(ended) < PARTITIONS:
            message = consumer.poll(10)
            assert message is not None, f"{name}: no answer"
            if message.error():
                ended.add(message.partition())
            else:
                found.append(message)
        consumer.close()
        return found

    def low_watermarks(self):
        consumer = confluent_kafka.Consumer({"bootstrap.servers": self.cell.kafka, "group.id": "test-watermarks"})
        lows = {n: consumer.get_watermark_offsets(confluent_kafka.TopicPartition(topic("samples-state"), n), 10)[0] for n in range(PARTITIONS)}
        consumer.close()
        return lows


def test_a_stall_aborts_and_the_same_is_emitted_again(world):
    a = world.processor
    a.command = [*world.plain, "--test-faults", f"stall_in_transaction@{STALL_AT}"]
    a.start()
    a.wait_ready()
    at_work = Every(0.02, world.send)
    world.wait(lambda: a.metric("millrace_processor_aborts_total", reason="STALLED") == 1, 40, "the stalled transaction has been aborted")
    checkpoints = a.metric("millrace_processor_checkpoints_total")
    world.wait(lambda: a.metric("millrace_processor_checkpoints_total") >= checkpoints + CHECKPOINTS, 30, "checkpoints go on")
    at_work.stop()
    world.all_out()
    world.compare()
    assert a.metric("millrace_processor_aborts_total", reason="STALLED") == 1
    written, committed = world.everything_written(topic("minutely")), world.cell.records(topic("minutely"))
    offsets = {(m.partition(), m.offset()) for m in committed}
    aborted = [m for m in written if (m.partition(), m.offset()) not in offsets]
    assert aborted, "the stall caught a transaction without fragments"
    for message in aborted:
        again = [m for m in committed if (m.partition(), m.key(), m.value()) == (message.partition(), message.key(), message.value())]
        assert len(again) == 1 and again[0].offset() > message.offset(), (message.partition(), message.offset())
    print(f"  {world.number} samples, {len(aborted)} fragments aborted and emitted again")


def test_old_snapshots_are_deleted_up_to_the_last_but_one(world):
    a = world.processor
    world.wait(lambda: all(world.low_watermarks().values()), 10, "the state topic begins later in every partition")
    world.wait(lambda: a.metric("millrace_processor_trimmed_records_total") > 0, 10, "that is counted")
    a.stop()
    lows, chunks = world.low_watermarks(), Codec("StateChunk")
    kept = collections.defaultdict(set)
    for message in world.cell.records(topic("samples-state")):
        kept[message.partition()].add((chunks.decode(message.value())["snapshot_id"], message.offset()))
    for partition, (_, metadata) in world.cell.committed().items():
        fields = dict(word.split("=") for word in metadata.split()[1:])
        present, ids = int(fields["id"]), {snapshot for snapshot, _ in kept[partition]}
        assert (present, int(fields["snapshot"])) in kept[partition], (lows, metadata)
        assert {present, present - 1} <= ids and min(ids) > 1, (ids, metadata)
    assert a.metric("millrace_processor_trims_failed_total") == 0


def test_what_is_left_restores(world):
    a = world.processor
    a.command = world.plain
    a.start()
    a.wait_ready()
    at_work = Every(0.02, world.send)
    checkpoints = 2 * PARTITIONS
    world.wait(lambda: a.metric("millrace_processor_checkpoints_total") >= checkpoints, 20, "it makes checkpoints")
    a.process.kill()
    a.start()
    a.wait_ready()
    at_work.stop()
    world.all_out()
    world.compare()
    assert a.metric("millrace_processor_partitions_running") == len(INPUTS) * PARTITIONS
    a.stop()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name, World(pathlib.Path(name)) as the_world:
        cases.run(globals(), the_world)
