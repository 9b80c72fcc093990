#!/usr/bin/env python3
"""Two cells, a database each, 50,000 documents waiting in each: one database is frozen amid that for a minute, and nobody else notices.

Freshness of the other cell is the time from a record's acknowledgement by Kafka to its document's being found, probed one at a time: before, with
nothing waiting; and in the frozen minute, once the cell has stored what waited."""
import itertools
import signal
import statistics
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(Path(__file__).resolve().parent)]
import cases  # noqa: E402
from millrace_local import Failure  # noqa: E402
from pymongo import MongoClient  # noqa: E402
from sink_house import SECONDS, Cell, Sink, sink_stack  # noqa: E402

DOCUMENTS = 50_000
FREEZE_SECONDS = 60
PROBES_BEFORE = 30
BUDGET_MIB = 64  # less than what all documents take beside an idle sink
INFLIGHT_MIB = BUDGET_MIB / 4
DRAIN_SECONDS = 240  # patience
FLAT_MIB = 4  # growth of a sink that can do nothing but wait
NOISE_SECONDS = 0.5  # of a median, on two cores that other tests share
RSS_PERIOD_S = 0.25
LOOK_S = 0.01


def rss_mib(pid):
    """Resident, from /proc."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"{pid} has no VmRSS")


class Watch:
    """Looks at a sink's memory while it is entered: rows of (time, MiB)."""

    def __init__(self, sink):
        self.pid, self.rows, self.over = sink.pid, [], threading.Event()
        self.thread = threading.Thread(target=self.look, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def look(self):
        while not self.over.wait(RSS_PERIOD_S):
            self.rows.append((time.monotonic(), rss_mib(self.pid)))

    def since(self, begun):
        return [mib for at, mib in self.rows if at >= begun]

    def changes(self, begun):
        """How it went, as text: (seconds since begun, MiB) where it changed by more than a tenth of FLAT_MIB."""
        told = []
        for at, mib in self.rows:
            if not told or abs(mib - told[-1][1]) > FLAT_MIB / 10:
                told.append((at - begun, mib))
        return " ".join(f"{at:.1f}s:{mib:.1f}" for at, mib in told)


def growth(values):
    """By how much a later one exceeds an earlier one at most. What the allocator gives back late is no growth."""
    return max(mib - low for mib, low in zip(values, itertools.accumulate(values, min)))


def median_freshness(cell, mongo, enough):
    """Of probes that are made until enough(number): median and the longest, in seconds."""
    seconds = []
    while not enough(len(seconds)):
        kind, key = cell.write_one()
        begun = time.monotonic()
        while mongo[cell.name][kind].find_one({"_id": key}) is None:
            assert time.monotonic() < begun + SECONDS, "a probe does not arrive"
            time.sleep(LOOK_S)
        seconds.append(time.monotonic() - begun)
    print(f"     {cell.name}: {len(seconds)} probes, freshness p50 {statistics.median(seconds) * 1000:.0f} ms, "
          f"most {max(seconds) * 1000:.0f} ms", flush=True)
    return statistics.median(seconds)


def drain(sink, cell, mongo):
    """Waits for all of a cell; how long that took from now."""
    begun = time.monotonic()
    sink.wait_until(lambda: cell.stored(mongo) >= cell.total(), DRAIN_SECONDS, f"done with {cell.total()} documents")
    return time.monotonic() - begun


def test_frozen_cell_is_nobody_elses_problem(stack):
    frozen, other = Cell(stack, "frozen", 1), Cell(stack, "other", 2)
    sinks = [Sink(stack, cell, memory_budget=f"{BUDGET_MIB}Mi").run() for cell in (frozen, other)]
    database = stack.databases[0].process
    for cell, sink in zip((frozen, other), sinks):
        cell.write(200)
        sink.wait_stored(200)
    members, logs = [cell.members() for cell in (frozen, other)], [sink.log() for sink in sinks]
    with MongoClient(frozen.uri) as mongo_frozen, MongoClient(other.uri) as mongo_other, Watch(sinks[0]) as watch:
        before = median_freshness(other, mongo_other, lambda n: n >= PROBES_BEFORE)
        written = [(cell, cell.begin(cell.many(DOCUMENTS))) for cell in (other, frozen)]
        for cell, placed in written:  # all of it waits from now on
            cell.commit(placed)
        sinks[0].wait_until(lambda: frozen.stored(mongo_frozen) > 200, SECONDS, "amid its work")
        database.signal(signal.SIGSTOP)
        try:
            froze = time.monotonic()
            took = drain(sinks[1], other, mongo_other)
            waiting = frozen.total() - int(sinks[0].settled())  # by now the answers that were on their way have come
            print(f"     {waiting} documents wait in the frozen cell; the other stored its last after {took:.1f} s", flush=True)
            full = time.monotonic()
            during = median_freshness(other, mongo_other, lambda n: time.monotonic() >= froze + FREEZE_SECONDS and n > 0)
            assert [cell.members() for cell in (frozen, other)] == members, "a member left its group"
            assert sinks[0].metric("millrace_sink_breaker_state") > 0 and sinks[0].metric("millrace_sink_lag_records") >= waiting
            assert sinks[0].metric("millrace_sink_inflight_bytes") <= INFLIGHT_MIB * 2**20
            assert sinks[0].metric("millrace_sink_drainable_lag_records") == 0, "an autoscaler would start more of them"
        finally:
            database.signal(signal.SIGCONT)
        flat = watch.since(max(full, froze + FREEZE_SECONDS / 2))  # what it reads ahead is in by then, on the slowest machine
        thawed, some = time.monotonic(), frozen.stored(mongo_frozen)
        sinks[0].wait_until(lambda: frozen.stored(mongo_frozen) > some, SECONDS, "storing again")
        woke = time.monotonic() - thawed
        took = woke + drain(sinks[0], frozen, mongo_frozen)
        print(f"     thawed, it stored its first document after {woke:.1f} s, its last after {took:.1f} s; its sink's memory while frozen "
              f"{min(flat):.1f} to {max(flat):.1f} MiB, at most {max(watch.since(0)):.1f}", flush=True)
        assert waiting >= DOCUMENTS / 2, "it was too fast to be frozen amid its work"
        assert growth(flat) <= FLAT_MIB and max(watch.since(0)) <= BUDGET_MIB, watch.changes(froze)
        assert during <= 2 * before + NOISE_SECONDS, f"freshness {before:.3f} s before, {during:.3f} s in the frozen minute"
    assert sinks[1].metric("millrace_sink_breaker_openings_total") == 0 == sinks[0].metric("millrace_sink_breaker_state")
    for cell, sink, held, log in zip((frozen, other), sinks, members, logs):
        sink.wait_committed()
        assert cell.members() == held
        since = sink.log()[len(log):]
        assert "event=revoked" not in since and "event=assigned" not in since, since
        cell.check()
        sink.finish()


def main():
    with sink_stack(databases=2) as stack:
        cases.run(globals(), stack)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"{failure}\n0 passed, 1 failed")
