#!/usr/bin/env python3
"""millrace-sink copying a backlog from a real Kafka into a database that takes everything and keeps nothing: documents per CPU-second,
memory while the database is frozen, time from record to document.

One cell's minutely topic is written once, in transactions, and read by a new sink without offsets in each run, in turn with two floors:
a program that only builds and inserts such documents, and a consumer that only counts the bytes of the same records. CPU time is that of the sink's
whole life until every document is stored. A run counts only when the database says that as many documents came as were
written, no _id of them twice. Settings are the default ones.
"""
import contextlib
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import confluent_kafka
from bench import BINARIES, TOOLS, Bench, Failure, PeakMemory, Process, Tool, cpu_seconds, get, setting
from confluent_kafka.admin import NewTopic
from millrace_local import free_ports, tail
from processor_bed import Bed, percent, total
from processor_cell import Codec

MILLION, MIB = 1_000_000, 1 << 20
PARTITIONS, SERIES, RECORDS = 12, 100_000, 4 * MILLION
FROZEN_RECORDS = 3 * MILLION // 2  # some of which are through before the database is frozen
LIVE_SECONDS, WARM_UP_SECONDS = 20, 5
READY_SECONDS, RUN_SECONDS, LOOK_SECONDS = 60, 120, 0.2
START_MS = 1_795_372_020_000
FETCH = {"fetch.max.bytes": "2097152", "fetch.message.max.bytes": "131072", "queued.min.messages": "1000000",
         "queued.max.messages.kbytes": "16384", "isolation.level": "read_committed"}  # as the sink's own
SAME_SIZE = 0.03  # by how much the documents of the floor may be larger or smaller than the sink's


def runs():
    return range(int(setting("BENCH_RUNS")))


class Database(Tool):
    """null_mongo, which can be frozen; end() is what it counted."""

    def __init__(self, *more):
        self.port, = free_ports(1)
        super().__init__(TOOLS / "null_mongo", self.port, *more)

    @property
    def uri(self):
        return f"mongodb://127.0.0.1:{self.port}"

    def end(self):
        self.child.terminate()
        return self.result(30)

    def forget_ages(self):
        self.child.send_signal(signal.SIGUSR1)

    def freeze(self):
        self.child.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.child.send_signal(signal.SIGCONT)


class Cell:
    """A cell with a minutely topic; written: what fill_aggregates has put there."""

    def __init__(self, bed, name):
        self.bed, self.name, self.epoch, self.records, self.bytes, self.was_read = bed, name, random.randrange(1, 2**63), 0, 0, False
        bed.create([NewTopic(self.topic(kind), PARTITIONS, 1, config={"retention.ms": "-1"}) for kind in ("minutely", "hourly", "exemplars", "alerts", "incidents")])
        bed.producer.produce("millrace.cells", key=name, value=Codec("Cell").encode(
            {"name": name, "epoch": self.epoch, "partitions": PARTITIONS, "created_at": 0}))
        if bed.producer.flush(30):
            raise Failure("Kafka does not take the cell's record")

    def topic(self, kind):
        return f"millrace.c.{self.name}.{kind}"

    def filling(self, records, **more):
        words = {"bootstrap": self.bed.kafka, "topic": self.topic("minutely"), "partitions": PARTITIONS, "series": SERIES, "records": records,
                 "start": START_MS, "epoch": self.epoch, **more}
        return Tool(TOOLS / "fill_aggregates", *(word for key, value in words.items() for word in (f"--{key}", value)))

    def fill(self, records):
        with self.filling(records) as fill:
            result = fill.result(RUN_SECONDS)
        self.records, self.bytes = result["records"], result["bytes"]
        print(f"{self.name}: {self.records:,} records of {self.bytes / self.records:.0f} bytes, {self.records / result['cpu_s']:,.0f} "
              "a CPU-second", flush=True)
        return self

    def forget_offsets(self):
        """As before its first sink."""
        if self.was_read:
            self.bed.forget_group(f"millrace-sink-{self.name}")
        self.was_read = True


class Sink:
    """One millrace-sink, as a context: begun without offsets, stopped in order."""

    def __init__(self, cell, database):
        self.cell, self.port = cell, *free_ports(1)
        cell.forget_offsets()
        self.process = Process(f"sink-{cell.bed.next_number()}", cell.bed.directory)
        settings = {"kafka.bootstrap.servers": cell.bed.kafka, "cell": cell.name, "admin.listen": f"127.0.0.1:{self.port}",
                    "mongo.uri": database.uri}
        self.begun_s = time.monotonic()
        self.process.start([BINARIES / "millrace-sink", *(word for key, value in settings.items() for word in ("--set", f"{key}={value}"))])

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        how = self.process.stop(0 if kind else READY_SECONDS)
        if not kind and (how == "killed" or self.process.exit_code):
            raise self.failure(f"ended with {self.process.exit_code}")

    def failure(self, what):
        return Failure(f"{self.process.name}: {what}\n{tail(self.process.log_file)}")

    def text(self):
        with contextlib.suppress(OSError):
            return get(self.port, "/metrics")
        return ""

    def wait(self, done, seconds, what):
        """Until done(text of its metrics)."""
        deadline = time.monotonic() + seconds
        while not done(text := self.text()):
            if self.process.wait_end(LOOK_SECONDS):
                raise self.failure(f"ended with {self.process.exit_code} before {what}")
            dead = total(text, "millrace_sink_dead_lettered_total")
            if time.monotonic() > deadline or dead:
                stored, lag = total(text, "millrace_sink_stored_total"), total(text, "millrace_sink_lag_records")
                raise self.failure(f"not within {seconds} s: {what}; {stored:,.0f} stored, {dead:,.0f} dead, lag {lag:,.0f}")

    def wait_stored(self, records):
        self.wait(lambda text: total(text, "millrace_sink_stored_total") >= records, RUN_SECONDS, f"{records:,} documents stored")

    def wait_ready(self):
        self.wait(lambda text: total(text, "millrace_sink_stored_total") > 0, READY_SECONDS, "the first document")

    def cpu(self):
        return cpu_seconds(self.process.pid)


def check(said, records):
    """Loudly: a sink that loses documents is not fast."""
    if (said["documents"], said["distinct"], said["broken"]) != (records, records, 0):
        raise Failure(f"{records:,} records were written; the database says {said}")


def measure(cell):
    """Documents a CPU-second and a second, and the mean size of a document."""
    with Database() as database:
        with Sink(cell, database) as sink:
            sink.wait_ready()
            begun_cpu, begun_s, first = sink.cpu(), time.monotonic(), total(sink.text(), "millrace_sink_stored_total")
            sink.wait_stored(cell.records)
            wall_s, late = time.monotonic() - begun_s, sink.cpu() - begun_cpu
            cpu_s = sink.cpu()
        said = database.end()
    check(said, cell.records)
    rate = (cell.records - first) / wall_s
    print(f"{cell.records / cpu_s:,.0f} documents a CPU-second, {cpu_s:.2f} CPU-seconds; {rate:,.0f} a second, {late / wall_s:.2f} cores busy; "
          f"{said['documents'] / said['inserts']:.0f} an insert, {said['bytes'] / said['documents']:.0f} bytes a document", flush=True)
    return cell.records / cpu_s, rate, said["bytes"] / said["documents"]


def driver_floor(documents, size):
    with Database() as database:
        with Tool(TOOLS / "floor_mongo", database.uri, documents) as tool:
            result = tool.result(RUN_SECONDS)
        check(database.end(), documents)
    if abs(result["bytes"] / documents / size - 1) > SAME_SIZE:
        raise Failure(f"the floor's documents have {result['bytes'] / documents:.0f} bytes, the sink's {size:.0f}")
    return documents / result["cpu_s"]


def consumer_floor(cell):
    with Tool(TOOLS / "floor_consumer", cell.bed.kafka, cell.topic("minutely"), PARTITIONS, cell.records,
              *(f"{key}={value}" for key, value in FETCH.items())) as tool:
        result = tool.result(RUN_SECONDS)
    if result["bytes"] != cell.bytes:
        raise Failure(f"{result['bytes']} bytes were read of {cell.bytes}")
    return cell.records / result["cpu_s"]


def throughput(bench, bed):
    """Returns documents a second, of a sink that is saturated."""
    cell = Cell(bed, "backlog").fill(percent(RECORDS, SERIES))
    speeds, rates, drivers, consumers = [], [], [], []
    for _ in runs():
        consumers.append(consumer_floor(cell))
        speed, rate, size = measure(cell)
        speeds.append(speed)
        rates.append(rate)
        drivers.append(driver_floor(cell.records, size))
    bench.add("sink.floor.driver_docs_per_cpu_s", "documents/CPU-s", drivers)
    bench.add("sink.floor.consumer_docs_per_cpu_s", "documents/CPU-s", consumers)
    bench.add("sink.docs_per_cpu_s", "documents/CPU-s", speeds, at_least=180_000, floor="sink.floor.driver_docs_per_cpu_s")
    bench.add("sink.docs_per_s", "documents/s", rates)
    return bench.median("sink.docs_per_s")


def frozen(bench, bed):
    """The database stops while the sink is at full speed, and a million documents wait: the most memory in that time. Then all must arrive."""
    cell = Cell(bed, "frozen").fill(FROZEN_RECORDS)
    peaks = []
    for _ in runs():
        with Database() as database:
            with Sink(cell, database) as sink:
                sink.wait_ready()
                database.freeze()
                with PeakMemory(sink.process.pid) as memory:
                    sink.process.wait_end(setting("BENCH_FREEZE_SECONDS"))
                waiting = cell.records - total(sink.text(), "millrace_sink_stored_total")
                peaks.append(memory.peak_mib)
                print(f"peak {memory.peak_mib:.1f} MiB, {waiting:,.0f} records waited; in flight "
                      f"{total(sink.text(), 'millrace_sink_inflight_bytes') / MIB:.1f} MiB by the sink's own account", flush=True)
                if waiting < MILLION:
                    raise Failure(f"too few records waited: {waiting:,.0f}")
                database.thaw()
                sink.wait_stored(cell.records)
            said = database.end()
        if said["distinct"] != cell.records or said["broken"]:  # what was frozen half-way may come twice
            raise Failure(f"{cell.records:,} records were written; after the freeze the database says {said}")
    bench.add("sink.rss_frozen_mib", "MiB", peaks, at_most=128)


def live(bench, bed, rate):
    """Records at half of what a saturated sink stores in a second: from the filler's call of its Kafka client to the document's arrival at the
    database, in real time, without the first seconds."""
    records = int(rate / 2 * LIVE_SECONDS) // 100 * 100
    p50, p99 = [], []
    for number in runs():
        cell = Cell(bed, f"live{rate:.0f}-{number}")
        with Database("--ages") as database:
            with Sink(cell, database) as sink:
                sink.wait(lambda text: total(text, "millrace_sink_lag_records") == 0 and "lag_records{" in text, READY_SECONDS, "an assignment")
                with cell.filling(records, **{"per-second": int(rate / 2)}) as fill:
                    sink.process.wait_end(WARM_UP_SECONDS)
                    database.forget_ages()
                    result = fill.result(RUN_SECONDS)
                sink.wait_stored(records)
            said = database.end()
        check(said, records)
        print(f"{records / result['seconds']:,.0f} records a second; {said['p50_ms']} ms, {said['p99_ms']} ms; "
              f"{said['documents'] / said['inserts']:.0f} an insert", flush=True)
        if result["seconds"] > 1.1 * LIVE_SECONDS:
            raise Failure(f"the rate was not kept: {result}")
        p50.append(said["p50_ms"])
        p99.append(said["p99_ms"])
    bench.add("sink.p50_ms_at_half_rate", "ms", p50)
    bench.add("sink.p99_ms_at_half_rate", "ms", p99)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # leave no broker behind
    only = os.environ.get("BENCH_CELLS", "throughput live frozen").split()
    bench = Bench()
    with tempfile.TemporaryDirectory(prefix="millrace-bench-") as directory, Bed(Path(directory)) as bed:
        try:
            if "throughput" in only:
                rate = throughput(bench, bed)
                if "live" in only:
                    live(bench, bed, rate)
        except Failure as failure:
            bench.miss("sink.docs_per_cpu_s", str(failure))
        try:
            if "frozen" in only:
                frozen(bench, bed)
        except Failure as failure:
            bench.miss("sink.rss_frozen_mib", str(failure))
    return bench.end()


if __name__ == "__main__":
    sys.exit(main())
