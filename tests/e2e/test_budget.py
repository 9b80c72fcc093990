"""millrace-processor catches up through hours of event time on little memory, and loses and doubles nothing by it.

The backlog is two hours of the test clock, written before any processor runs: each minute brings a thousand series that nobody has seen before
(as names with a pod's id in them do), and some that stay. The windows of one hour alone are more than the budget for state, so they must
go out before their hour is over, as fragments. Meanwhile the instance is killed. Then its peak of resident memory is compared with the budget
(a container's limit is a quarter more), and every (series, minute) and (series, hour) with the writer's ledger. `--budget 32`: MiB, the least that
can be set; a larger one gets a backlog as many times larger.
"""
import argparse
import collections
import pathlib
import random
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

PARTITIONS, SPEED, BEGIN_MINUTE, MINUTES = 2, 600, 25, 120
NEW_A_MINUTE, STAYING, A_RECORD = 1000, 60, 100  # new ones for the least budget
LEAST_MIB, OVER = 32, 1.1  # the setting's least; how far resident memory may be above it: what the allocator keeps and cannot use
LATE_MAX_MS = 30 * MINUTE_MS


class Writer:
    """One value a minute of every series that is there, and the ledger of it."""

    def __init__(self, cell, clock, new_a_minute):
        self.cell, self.clock, self.random = cell, clock, random.Random(SEED)
        self.new_a_minute = new_a_minute
        self.windows = collections.defaultdict(Window)  # by (series, length, start)
        self.series, self.numbers = [], {}

    def make_series(self):
        number = len(self.series)
        kind, name, tags = KINDS[number % 3], f"requests.of.something.{number}", {"pod": f"web-{number:032x}"}
        ref = {"fingerprint": fingerprint("site", kind, name, tags), "kind": kind, "temporality": "delta", "name": name, "tags": tags}
        self.series.append(ref)
        self.numbers[ref["fingerprint"]] = number
        return number

    def value(self, number, index):
        t, k = self.clock.now_ms(), self.random.randrange(200000)
        for length in (MINUTE_MS, HOUR_MS):
            self.windows[number, length, t - t % length].add(self.series[number]["kind"], [k], t)
        return {"series": index, "t": t, "start": 0, "v": k / 1024}

    def send(self, numbers, partition):
        now = self.clock.now_ms()
        batch = {"series": [self.series[number] for number in numbers], "site": "site", "agent_id": None, "seq": 0, "floor": 0,
                 "values": [self.value(number, index) for index, number in enumerate(numbers)], "summaries": [],
                 "idempotency_key": None, "created_at": now, "received_at": now}
        self.cell.send(topic("samples"), partition, self.cell.batch.encode(batch))

    def minute(self):
        """New series go to partition 0 three times out of four: it is the largest."""
        for first in range(0, self.new_a_minute, A_RECORD):
            self.send([self.make_series() for _ in range(A_RECORD)], 1 if first % 400 == 0 else 0)
        for partition in range(PARTITIONS):
            self.send(range(partition, STAYING, PARTITIONS), partition)

    def write(self):
        for _ in range(STAYING):
            self.make_series()
        begin = self.clock.now_ms()
        for minute in range(MINUTES):
            self.minute()
            time.sleep(max(0, begin + (minute + 1) * MINUTE_MS - self.clock.now_ms()) / 1000 / SPEED)
        self.cell.flush()


class World:
    """The stack, the cell, and one processor."""

    def __init__(self, directory, budget_mib):
        self.directory, self.budget_mib, self.limit_mib = directory, budget_mib, OVER * budget_mib
        self.stack = Stack(directory / "stack", base_port=free_base_port(23000))
        self.processor = None

    def __enter__(self):
        try:
            self.stack.up()
            self.cell = Cell(self.stack.env()["KAFKA"], PARTITIONS)
            self.cell.create_topics()
            self.cell.write_record()
            self.clock = Clock(BEGIN_MINUTE, SPEED)
            self.writer = Writer(self.cell, self.clock, NEW_A_MINUTE * self.budget_mib // LEAST_MIB)
            self.processor = Processor("a", self.directory, BINARY, self.cell, self.clock, free_ports(1)[0], static=True,
                                       more=[f"memory.budget={self.budget_mib}Mi"])
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

    def peak_mib(self):
        """The most memory that was resident so far."""
        status = pathlib.Path(f"/proc/{self.processor.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024

    def flushed(self, **labels):
        return self.processor.metric("millrace_processor_fragments_total", reason="budget", **labels)


def test_a_backlog_larger_than_the_budget_is_caught_up_with(world):
    world.writer.write()
    a = world.processor.start()
    world.wait(lambda: world.flushed() > 0, 30, "windows go out as fragments")
    print(f"  peak before the kill: {world.peak_mib():.1f} MiB")
    assert world.peak_mib() <= world.limit_mib
    a.process.kill()
    a.start()
    a.wait_ready()
    world.wait(lambda: a.metric("millrace_processor_lag_records") == 0 and world.flushed(topic="hourly") > 0, 40, "all is read")
    print(f"  peak: {world.peak_mib():.1f} MiB, state {a.metric('millrace_processor_state_bytes') / 2**20:.1f} MiB")
    assert world.peak_mib() <= world.limit_mib


def test_every_window_is_whole(world):
    end = max(start + length for _, length, start in world.writer.windows)
    world.wait(lambda: world.clock.now_ms() > end + LATE_MAX_MS + 3 * MINUTE_MS, 30, "the last hour is over")
    world.wait(lambda: world.processor.metric("millrace_processor_lag_records") == 0, 20, "all is read")
    world.processor.stop()
    got, fragments, codec = collections.defaultdict(Window), collections.Counter(), Codec("Aggregate")
    for name, length in (("minutely", MINUTE_MS), ("hourly", HOUR_MS)):
        for message in world.cell.records(topic(name)):
            fragment = codec.decode(message.value())
            window = world.writer.numbers[message.key()], length, milliseconds(fragment["window_start"])
            got[window].merge(fragment)
            fragments[window] += 1
    compare(world, got)
    several = sum(n > 1 for n in fragments.values())
    print(f"  {len(got)} windows, {sum(fragments.values())} fragments, {several} windows in more than one, TEST_SEED={SEED}")
    assert several > 0, "no window was flushed while it was open"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--budget", type=int, default=LEAST_MIB, help="memory.budget, in MiB")
    with tempfile.TemporaryDirectory() as name, World(pathlib.Path(name), parser.parse_args().budget) as the_world:
        cases.run(globals(), the_world)
