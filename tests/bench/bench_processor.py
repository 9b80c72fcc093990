#!/usr/bin/env python3
"""millrace-processor reading a backlog from a real Kafka, exactly once: samples per CPU-second, memory, cost by series count, restore.

Each cell of the table is a backlog of its own, written once and read by a new processor without offsets or state in each run, in turn with the
floor, a consumer that only counts the bytes of the same records. CPU time is that of the whole process from its first sample until every
window that is due has been committed; the counts of samples and of windows are compared with what was written. Settings are the
default ones, but for a memory.budget that has room for the open windows: what a small one costs is the catch-up's business. What triggers cost is the
difference between two runs, without them and with them.
"""
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import confluent_kafka
from bench import Bench, Failure, setting
from processor_bed import Backlog, Bed, percent, total
from processor_cell import Codec

MILLION = 1_000_000
MIB = 1 << 20

# series, samples a series and minute: samples, memory.budget in MiB, what is required of samples a CPU-second, aim
# (a processor that begins spends some 0.2 s of CPU time on its partitions, so that small cells need many samples too)
CELLS = {
    (1_000, 20): (10 * MILLION, 256, None, None),
    (1_000, 2): (5 * MILLION // 2, 256, None, None),
    (10_000, 20): (10 * MILLION, 256, None, None),
    (10_000, 2): (6 * MILLION, 512, None, None),
    (100_000, 20): (20 * MILLION, 2048, 4_000_000, 5_000_000),
    (100_000, 2): (12 * MILLION, 2048, 1_400_000, 1_700_000),
    (1_000_000, 20): (60 * MILLION, 1024, 3_500_000, 4_500_000),
    (1_000_000, 2): (20 * MILLION, 4096, 1_200_000, 1_600_000),
}
SMALLEST, SCALED, LARGEST = (1_000, 20), (100_000, 20), (1_000_000, 20)
INSTANCES = (2, 4)
CATCHUP_SERIES, CATCHUP_SAMPLES, CATCHUP_MINUTES, CATCHUP_BUDGET, CATCHUP_LIMIT_MIB = 200_000, 20 * MILLION, 24 * 60, "256Mi", 282
PAUSE_SERIES, PAUSE_SAMPLES = 100_000, MILLION
TRIGGERS_SERIES, TRIGGERS_RATE, TRIGGERS_SAMPLES, TRIGGERS_BUDGET, TRIGGERS_COST_PERCENT = 200_000, 2, 20 * MILLION, "2Gi", 10
TRIGGERS_SITES, TRIGGERS = 100, 10_000
RESTORE_SECONDS = 120


def runs():
    return range(int(setting("BENCH_RUNS")))


def backlog(series, rate, samples, **more):
    return Backlog(series, rate, percent(samples, series), **more)


def measure(bed, cell, budget, watch=lambda text: None, **how):
    """One run to its end, checked: (the run, most resident memory of an instance in MiB)."""
    with bed.run(cell, budget, **how) as run:
        run.wait_first()
        run.wait_done(watch)
        run.check()
        peak_mib = max(instance.peak_mib() for instance in run.instances)
        print(f"{cell.name}: {run.samples_per_cpu_s():,.0f} samples a CPU-second, {run.cpu_s:.2f} CPU-seconds in {run.wall_s:.2f} s, "
              f"peak {peak_mib:.0f} MiB", flush=True)
    return run, peak_mib


def check_output(bed, cell):
    """What the minutes stand for, read by other clients than ours, is what was written."""
    consumer = confluent_kafka.Consumer({"bootstrap.servers": bed.kafka, "group.id": "check", "enable.auto.commit": False,
                                         "isolation.level": "read_committed", "enable.partition.eof": True})
    name, codec = cell.topic("minutely"), Codec("Aggregate")
    partitions = range(cell.backlog.partitions)
    consumer.assign([confluent_kafka.TopicPartition(name, n, confluent_kafka.OFFSET_BEGINNING) for n in partitions])
    ended, windows, count = set(), set(), 0
    while len(ended) < len(partitions):
        message = consumer.poll(30)
        if message is None:
            raise Failure(f"{name}: no answer")
        if message.error():
            ended.add(message.partition())
            continue
        aggregate = codec.decode(message.value())
        windows.add((message.key(), aggregate["window_start"]))
        count += aggregate["count"]
    consumer.close()
    if (count, len(windows)) != (cell.written["count"], cell.written["minutely"]):
        raise Failure(f"{name}: {count} values in {len(windows)} windows, {cell.written['count']} in {cell.written['minutely']} were written")
    print(f"{name}: {count:,} values in {len(windows):,} windows, as written", flush=True)


def restore_seconds(bed, cell, budget):
    """From the assignment of all partitions until all of them read, in an instance that takes the state over from one that has ended."""
    with bed.run(cell, budget, fresh=False) as run:
        deadline, assigned = time.monotonic() + RESTORE_SECONDS, None
        while True:
            text, now = run.text(), time.monotonic()
            if assigned is None and total(text, "millrace_processor_partitions_assigned") == 2 * cell.backlog.partitions:
                assigned = now
            if total(text, "millrace_processor_partitions_running") == 2 * cell.backlog.partitions:
                return now - (assigned or now)
            if now > deadline or run.instances[0].process.wait_end(0.02):
                raise run.instances[0].failure("not restored")


def throughput(bench, bed, series, rate):
    """One cell of the table, and what its backlog is good for besides."""
    samples, budget_mib, at_least, aim = CELLS[series, rate]
    cell, budget = bed.fill(backlog(series, rate, samples)), f"{budget_mib}Mi"
    speeds, floors, peaks, restores = [], [], [], []
    for _ in runs():
        floors.append(bed.floor(cell, budget_mib * MIB))
        run, peak_mib = measure(bed, cell, budget)
        speeds.append(run.samples_per_cpu_s())
        peaks.append(peak_mib)
        if (series, rate) == LARGEST:
            restores.append(restore_seconds(bed, cell, budget))
    if (series, rate) == SMALLEST:
        check_output(bed, cell)
    floor = f"processor.floor.samples_per_cpu_s.{series}.{rate}"
    bench.add(floor, "samples/CPU-s", floors)
    bench.add(f"processor.samples_per_cpu_s.{series}.{rate}", "samples/CPU-s", speeds, at_least=at_least, aim=aim, floor=floor)
    bench.add(f"processor.ns_per_sample.{series}.{rate}", "ns", [1e9 / speed for speed in speeds])
    bench.add(f"processor.rss_mib.{series}.{rate}", "MiB", peaks, aim=400 if (series, rate) == LARGEST else None)
    if restores:
        bench.add(f"processor.restore_s.{series}", "s", restores, aim=15)
    if (series, rate) == SCALED:
        scaling(bench, bed, cell, budget, [1e6 / speed for speed in speeds])
    bed.drop(cell)


def scaling(bench, bed, cell, budget, alone):
    """The same backlog read by several instances at once; alone: what it cost one."""
    name = "processor.cpu_s_per_million.instances."
    bench.add(f"{name}1", "CPU-s", alone)
    for number in INSTANCES:
        many = [measure(bed, cell, budget, instances=number)[0] for _ in runs()]
        bench.add(f"{name}{number}", "CPU-s", [1e6 / run.samples_per_cpu_s() for run in many], aim=round(1.2 * bench.median(f"{name}1"), 4))


def catchup_backlog():
    return backlog(CATCHUP_SERIES, CATCHUP_SAMPLES / CATCHUP_SERIES / CATCHUP_MINUTES, CATCHUP_SAMPLES)


def catchup(bench, bed):
    """A day of event time on the default budget."""
    cell = bed.fill(catchup_backlog())
    peaks, speeds = [], []
    for _ in runs():
        with bed.run(cell, CATCHUP_BUDGET) as run:
            run.wait_first()
            run.wait_done()
            run.check(flushed=True)
            peaks.append(run.instances[0].peak_mib())
            speeds.append(run.samples_per_cpu_s())
            print(f"{cell.name}: peak {peaks[-1]:.1f} MiB, {run.cpu_s:.2f} CPU-seconds in {run.wall_s:.2f} s", flush=True)
    bench.add("processor.catchup_rss_mib", "MiB", peaks, at_most=CATCHUP_LIMIT_MIB)
    bench.add("processor.catchup_samples_per_cpu_s", "samples/CPU-s", speeds)
    bed.drop(cell)


class Pauses:
    """Watches an instance's metrics: the transactions of its checkpoints, and what they saved."""

    def __init__(self):
        self.seen, self.seconds, self.bytes = 0, [], 0

    def __call__(self, text):
        checkpoints = total(text, "millrace_processor_checkpoints_total")
        if checkpoints > max(self.seen, 1):  # the first is the empty one of a new partition
            self.seconds.append(total(text, "millrace_processor_checkpoint_seconds"))
        self.seen = checkpoints
        self.bytes = max(self.bytes, total(text, "millrace_processor_snapshot_bytes"))


def pause(bench, bed):
    """A checkpoint at each minute of event time, of one partition with all the series it may have."""
    cell = bed.fill(backlog(PAUSE_SERIES, 2, PAUSE_SAMPLES, partitions=1))
    seconds, sizes = [], []
    for _ in runs():
        pauses = Pauses()
        measure(bed, cell, "1Gi", pauses, more={"checkpoint.catchup_windows": PAUSE_SERIES})
        seconds.append(max(pauses.seconds, default=0.0))
        sizes.append(pauses.bytes / MIB)
    bench.add(f"processor.checkpoint_pause_s.{PAUSE_SERIES}", "s", seconds)
    bench.add(f"processor.checkpoint_mib.{PAUSE_SERIES}", "MiB", sizes)
    bed.drop(cell)


ROUTES = ("/products/:id", "/basket", "/orders", "/orders/:id/pay", "/search", "/login", "/images/:name", "/health")
METRICS = {  # mix.h: a kind's names, how many pairs of name and route it has, and a condition that holds now and then
    "counter": (("http.server.requests", "http.server.errors", "sql.queries", "cache.hits", "cache.misses"), 40, ("sum", 9800.0)),
    "gauge": (("process.resident_memory_bytes", "worker.queue_depth", "db.pool.connections_in_use", "runtime.gc.heap_live_bytes", "load"), 40,
              ("last", 0.999 * (1 << 30))),
    "distribution": (("http.server.duration_ms", "sql.query.duration_ms", "job.duration_ms"), 20, ("p95", 600.0)),
}


def trigger_records():
    """TRIGGERS of them: of each site one for each pair of name and route, so that each series has one, and each trigger the series of some hosts."""
    records = {}
    for site in range(TRIGGERS_SITES):
        for kind, (names, pairs, (field, threshold)) in METRICS.items():
            for pair in range(pairs):
                name, route = names[pair % len(names)], ROUTES[pair // len(names)]
                records[f"t-{site}-{kind}-{pair}"] = {
                    "id": f"t-{site}-{kind}-{pair}", "site": f"site-{site:03}", "description": "of the bench", "severity": "warning", "metric": name,
                    "kind": kind, "tags": [{"key": "route", "op": "exact", "values": [route]}],
                    "threshold": {"field": field, "comparison": "gt", "threshold": threshold}, "absent_minutes": None, "check_in": None,
                    "warm_up_minutes": 1, "cooldown_minutes": 1, "receivers": [], "author": "bench", "updated_at": 0}
    return records


def trigger_cost(bench, bed):
    """The same backlog without triggers and with them, in turn: what they cost of the throughput."""
    cell = bed.fill(backlog(TRIGGERS_SERIES, TRIGGERS_RATE, TRIGGERS_SAMPLES, sites=TRIGGERS_SITES))
    bed.route_sites(cell)
    records, speeds, events = trigger_records(), {False: [], True: []}, []
    assert len(records) == TRIGGERS
    for _ in runs():
        for judged in (False, True):
            bed.set_triggers(records if judged else dict.fromkeys(records))
            with bed.run(cell, TRIGGERS_BUDGET, more={"alerts.max_age": "24h"}) as run:
                run.wait_first()
                run.wait_done()
                run.check()
                told = total(run.text(), "millrace_processor_alert_events_total")
                if (told > 1000) != judged:
                    raise Failure(f"{told:.0f} alert events with {'all' if judged else 'no'} triggers")
                events += [told] if judged else []
                speeds[judged].append(run.samples_per_cpu_s())
                print(f"{cell.name}: {len(records) if judged else 0:,} triggers, {told:,.0f} events: {speeds[judged][-1]:,.0f} samples a CPU-second", flush=True)
    bench.add("processor.samples_per_cpu_s.without_triggers", "samples/CPU-s", speeds[False])
    bench.add("processor.samples_per_cpu_s.with_triggers", "samples/CPU-s", speeds[True], floor="processor.samples_per_cpu_s.without_triggers")
    bench.add("processor.trigger_events", "events", events)
    bench.add("processor.trigger_cost", "%", [100 * (1 - with_ / without) for without, with_ in zip(speeds[False], speeds[True])], at_most=TRIGGERS_COST_PERCENT)
    bed.set_triggers(dict.fromkeys(records))
    bed.drop(cell)


def attempt(bench, names, part, *arguments):
    """A part that fails leaves its figures missing, and the others their chance."""
    try:
        part(bench, *arguments)
    except Failure as failure:
        for name in names:
            bench.miss(name, str(failure))


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # leave no broker behind
    only = os.environ.get("BENCH_CELLS", "").split()
    bench = Bench()
    with tempfile.TemporaryDirectory(prefix="millrace-bench-") as directory, Bed(Path(directory)) as bed:
        for series, rate in CELLS:
            if not only or f"{series}.{rate}" in only:
                attempt(bench, [f"processor.samples_per_cpu_s.{series}.{rate}"], throughput, bed, series, rate)
        if not only or "catchup" in only:
            attempt(bench, ["processor.catchup_rss_mib"], catchup, bed)
        if not only or "pause" in only:
            attempt(bench, [f"processor.checkpoint_pause_s.{PAUSE_SERIES}"], pause, bed)
        if not only or "triggers" in only:
            attempt(bench, ["processor.trigger_cost"], trigger_cost, bed)
    if only:
        print(f"only {' '.join(only)}, by BENCH_CELLS: what is not in the table was not asked for")
    return bench.end()


if __name__ == "__main__":
    sys.exit(main())
