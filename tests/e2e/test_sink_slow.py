#!/usr/bin/env python3
"""A database that comes back far away and narrow: 200 ms and 1 MB/s each way, by toxiproxy. The sink empties what waits without making
it slower still: at no time do inserts take more than twice what a lone one of 100 documents takes on the same way; and they grow from small
ones, as there is room for more. "At a time" is the median of seven inserts in a row: one alone may have waited for the processor, which other
tests use too.

All latencies are taken by a tap before toxiproxy (mongo_tap.py), the sink's and the lone insert's alike."""
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(Path(__file__).resolve().parent)]
import cases  # noqa: E402
from millrace_local import Failure, Toxiproxy  # noqa: E402
from mongo_tap import Tap  # noqa: E402
from pymongo import MongoClient  # noqa: E402
from sink_house import SECONDS, Cell, Sink, sink_stack  # noqa: E402

LATENCY_MS, KILOBYTES_PER_S = 200, 1000
DOCUMENTS = 12_000
LONE, LONE_DOCUMENTS = 5, 100
WORSE = 2  # how much longer than the lone insert inserts may take
IN_A_ROW = 7
GROWN = 1.5  # at least, the largest insert against the first
SHOWN_S = 2


def lone_insert_seconds(tap, cell):
    """Of inserts of 100 documents such as the sink makes, with nothing else on the way: the median."""
    documents = [{"_id": key, **doc} for key, doc in cell.wanted["minutely"].items()]
    with MongoClient(f"mongodb://127.0.0.1:{tap.port}/?retryWrites=false") as mongo:
        since = len(tap.inserts)
        for n in range(LONE):
            mongo["lone"][f"trial{n}"].insert_many(documents[n * LONE_DOCUMENTS:(n + 1) * LONE_DOCUMENTS], ordered=False)
    return statistics.median(insert.seconds for insert in tap.answered(since))


def concurrency(inserts, now):
    """How many were under way."""
    return sum(insert.begun <= now and (insert.ended is None or insert.ended > now) for insert in inserts)


def show(inserts, begun):
    """What was sent as time went by; returns the highest latency of some inserts in a row, in seconds."""
    answered = [insert for insert in inserts if insert.ended]
    end = max(insert.ended for insert in answered)
    for at in range(0, int(end - begun) + 1, SHOWN_S):
        some = [insert for insert in answered if at <= insert.begun - begun < at + SHOWN_S]
        if some:
            under_way = statistics.mean(concurrency(inserts, insert.begun) for insert in some)
            print(f"     {at:4} s: {len(some):3} inserts of {statistics.mean(i.documents for i in some):5.0f} documents, "
                  f"{statistics.mean(i.size for i in some) / 1000:5.0f} kB, {under_way:.1f} under way, latency "
                  f"{statistics.mean(i.seconds for i in some) * 1000:5.0f} ms", flush=True)
    seconds = [insert.seconds for insert in answered]
    risen = max(statistics.median(seconds[n:n + IN_A_ROW]) for n in range(len(seconds) - IN_A_ROW + 1))
    print(f"     {sum(i.documents for i in answered)} documents in {end - begun:.1f} s by {len(answered)} inserts; latency p50 "
          f"{statistics.median(seconds) * 1000:.0f} ms, p95 {statistics.quantiles(seconds, n=20)[-1] * 1000:.0f} ms, most "
          f"{max(seconds) * 1000:.0f} ms; of {IN_A_ROW} in a row at most {risen * 1000:.0f} ms", flush=True)
    return risen


def test_slow_set_is_drained_gently(stack):
    cell = Cell(stack, "slow")
    base = stack.settings["base_port"]
    cell.write(2000)
    with Toxiproxy(stack.directory, base + 40) as proxy, Tap(base + 41) as tap:
        proxy.add("database", base + 41, stack.databases[0].port)
        sink = Sink(stack, cell, mongo_uri=f"mongodb://127.0.0.1:{tap.port}/?retryWrites=false").run()
        sink.wait_stored(cell.total())
        proxy.slow_down("database", LATENCY_MS, KILOBYTES_PER_S)
        lone = lone_insert_seconds(tap, cell)
        print(f"     a lone insert of {LONE_DOCUMENTS} documents: {lone * 1000:.0f} ms")
        assert lone >= 2 * LATENCY_MS / 1000, "the way is not slow"
        proxy.enable("database", False)  # gone, while documents gather
        cell.write_many(DOCUMENTS)
        sink.wait_until(lambda: sink.metric("millrace_sink_retries_total") >= 5, SECONDS, "in trouble")
        since, begun = len(tap.inserts), time.monotonic()
        proxy.enable("database", True)
        sink.wait_stored(cell.total())
        sink.wait_committed()
        cell.check()
        inserts = tap.answered(since)
        risen = show(inserts, begun)
        assert risen <= WORSE * lone, f"{risen:.3f} s, more than {WORSE} times {lone:.3f} s"
        assert max(insert.size for insert in inserts) >= GROWN * inserts[0].size, "it stays with small inserts"
        sink.finish()


def main():
    with sink_stack() as stack:
        cases.run(globals(), stack)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"{failure}\n0 passed, 1 failed")
