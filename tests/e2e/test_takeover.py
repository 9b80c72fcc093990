"""How long a killed instance's partitions stand still: kill -9 of one of two processors that hold 200,000 series between them.

Time-outs are real; minutes pass four times as fast as outside, and the input flows on at a sample a series and minute. The kill comes at the worst
moment that can be aimed at: while the victim's minute is on its way out, so that its open transaction must end by its time-out before anybody
may know where to go on. Then the survivor must run all partitions, with nothing left to read but what flows in.
"""
import pathlib
import signal
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "deploy/local"))
import cases
import confluent_kafka
from millrace_local import BINARIES, Failure, Stack, free_ports
from millrace_local.process import free_base_port
from processor_cell import Cell, Clock, Codec, INPUTS, MINUTE_MS, Processor, fingerprint, topic

BINARY = BINARIES / "millrace-processor"
PARTITIONS, SERIES, SERIES_A_RECORD, SPEED = 12, 200_000, 100, 4
RECORDS_A_SECOND = SERIES / SERIES_A_RECORD / 60 * SPEED
SESSION_S, TRANSACTION_S, SLACK_S = 10, 10, 10
GRACE_MS, STAGGER_MS = 2000, 4000  # the first minute must not take a minute and a half to come


class Load:
    """Records of SERIES_A_RECORD series each: all of them once, fast, and then one after the other for ever."""

    def __init__(self, cell, clock):
        self.cell, self.clock, self.codec = cell, clock, cell.batch
        self.batches = [self.batch(number) for number in range(SERIES // SERIES_A_RECORD)]
        self.end, self.error = threading.Event(), None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def batch(self, number):
        refs = [{"fingerprint": fingerprint("shop", "gauge", f"metric.{i}", {}), "kind": "gauge", "name": f"metric.{i}",
                 "tags": {"host": f"web-{number}"}, "temporality": "delta"}
                for i in range(number * SERIES_A_RECORD, (number + 1) * SERIES_A_RECORD)]
        return {"series": refs, "values": [], "summaries": [], "site": "shop", "agent_id": None, "seq": 0, "floor": 0, "idempotency_key": None}

    def send(self, number):
        now = self.clock.now_ms()
        values = [{"series": i, "t": now, "start": 0, "v": float(number % 1000)} for i in range(SERIES_A_RECORD)]
        self.cell.send(topic("samples"), number % PARTITIONS,
                       self.codec.encode({**self.batches[number], "values": values, "created_at": now, "received_at": now}))

    def send_all(self):
        for number in range(len(self.batches)):
            self.send(number)
        self.cell.flush()

    def _run(self):
        try:
            begun, number = time.monotonic(), 0
            while not self.end.wait(0.05):
                while number < (time.monotonic() - begun) * RECORDS_A_SECOND:
                    self.send(number % len(self.batches))
                    number += 1
        except Exception as error:
            self.error = error

    def start(self):
        self.thread.start()

    def stop(self):
        self.end.set()
        self.thread.join()
        if self.error:
            raise self.error


class World:
    """The stack, two processors, and the load."""

    def __init__(self, directory):
        self.directory = directory
        self.stack = Stack(directory / "stack", base_port=free_base_port(27000))
        self.processors = []

    def __enter__(self):
        try:
            self.stack.up()
            self.cell = Cell(self.stack.env()["KAFKA"], PARTITIONS)
            self.cell.create_topics()
            self.cell.write_record()
            self.clock = Clock(0, SPEED)
            more = [f"window.grace={GRACE_MS}ms", f"checkpoint.stagger={STAGGER_MS}ms", "checkpoint.chunk_bytes=512Ki"]
            for name, port in zip("ab", free_ports(2)):
                self.processors.append(Processor(name, self.directory, BINARY, self.cell, self.clock, port, more=more).start())
            self.ends = [Ends(self.cell.kafka, level) for level in ("read_uncommitted", "read_committed")]
            self.load = Load(self.cell, self.clock)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for processor in self.processors:
            processor.process.stop(5)
        self.stack.wipe()

    def wait(self, condition, seconds, what, every=0.1):
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise Failure(f"not within {seconds} s: {what}")
            time.sleep(every)

    def committed_snapshots(self):
        """Bytes of all snapshots together, once every partition has one with series in it; else 0."""
        sizes = [int(dict(word.split("=") for word in metadata.split()[1:])["bytes"]) for _, metadata in self.cell.committed().values()]
        return sum(sizes) if len(sizes) == PARTITIONS and min(sizes) > 100_000 else 0


class Ends:
    """Where the partitions of a topic end: for everybody, or for readers of what is committed."""

    def __init__(self, kafka, isolation):
        self.consumer = confluent_kafka.Consumer({"bootstrap.servers": kafka, "group.id": "test-ends", "isolation.level": isolation,
                                                  "log_level": 2})

    def of(self, name, partitions):
        return [self.consumer.get_watermark_offsets(confluent_kafka.TopicPartition(name, p), timeout=10)[1] for p in partitions]


def ends_differ(world, partitions):
    """Does an open transaction stand in one of them? The end for everybody is asked first: what has ended in between does not count."""
    everybody, committed = (ends.of(topic("minutely"), partitions) for ends in world.ends)
    return any(mine > theirs for mine, theirs in zip(everybody, committed))


def kill_inside_a_transaction(world, victim, partitions):
    """Stops it when records of an open transaction stand in its partitions of the minutely topic; that may have been the last moment, so it is looked
    at again before it is killed."""
    def caught():
        if not ends_differ(world, partitions):
            return False
        victim.signal(signal.SIGSTOP)
        if ends_differ(world, partitions):
            return True
        victim.signal(signal.SIGCONT)
        return False
    world.wait(caught, 90, "the victim's minute is on its way out", every=0.01)
    victim.kill()


def own_partitions(processor):
    text = processor.get("/metrics")[1]
    return [p for p in range(PARTITIONS) if f'millrace_processor_lag_records{{partition="{p}",topic="samples"}}' in text]


def test_a_killed_instances_partitions_go_on(world):
    a, b = world.processors
    world.wait(lambda: all(p.ready() and p.metric("millrace_processor_partitions_running") == PARTITIONS for p in (a, b)), 60, "half of the inputs each")
    world.load.send_all()
    world.load.start()
    world.wait(world.committed_snapshots, 120, "every series is in a snapshot", every=1)
    victims = world.victims = own_partitions(b)
    assert len(victims) == PARTITIONS / 2, victims
    kill_inside_a_transaction(world, b.process, victims)
    killed = time.monotonic()
    limit = SESSION_S + TRANSACTION_S + SLACK_S
    seen = {}

    def caught_up():
        text = a.get("/metrics")[1]
        running = f"millrace_processor_partitions_running {len(INPUTS) * PARTITIONS}" in text
        if running and "running" not in seen:
            seen["running"] = time.monotonic() - killed
        return running and a.metric("millrace_processor_lag_records") <= RECORDS_A_SECOND and len(own_partitions(a)) == PARTITIONS
    world.wait(caught_up, 3 * limit, "the survivor has caught up")
    took = time.monotonic() - killed
    print(f"  {SERIES} series, {world.committed_snapshots() / 1e6:.1f} MB of snapshots: all partitions run after {seen['running']:.1f} s, "
          f"caught up after {took:.1f} s; limit {limit} s", flush=True)
    assert took <= limit, f"{took:.1f} s"
    assert a.metric("millrace_processor_gap_records_total") == 0


def test_nothing_was_lost_or_doubled(world):
    """In two of the victim's partitions: the counts of all fragments together are those of the samples."""
    a = world.processors[0]
    world.load.stop()
    world.cell.flush()
    world.wait(lambda: a.metric("millrace_processor_lag_records") == 0, 20, "all is read")
    sent = sum(SERIES_A_RECORD for message in world.cell.records(topic("samples")) if message.partition() in world.victims[:2])
    due = world.clock.now_ms() + MINUTE_MS + GRACE_MS + STAGGER_MS + 3000
    world.wait(lambda: world.clock.now_ms() > due, 90, "the last minute is over", every=1)
    codec = Codec("Aggregate")
    counted = sum(codec.decode(message.value())["count"] for message in world.cell.records(topic("minutely"))
                  if message.partition() in world.victims[:2])
    print(f"  {sent} samples sent, {counted} counted", flush=True)
    assert counted == sent


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name, World(pathlib.Path(name)) as the_world:
        cases.run(globals(), the_world)
