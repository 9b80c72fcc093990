#!/usr/bin/env python3
"""A database that comes back far away and narrow: 200 ms and 1 MB/s each way, by toxiproxy. The sink empties what waits without making
it slower still: at no time do inserts take more than twice what a lone one of 100 documents takes on the same way; and they grow from small
ones, as there is room for more. "At a time" is the median of seven inserts in a row: one alone may have waited for the processor, which other
tests use too. For their sake lone ones go on all the time, on a connection of their own, which is as narrow and has room: what those take
longer in the same seconds is not the sink's doing.

All latencies are taken by taps before toxiproxy (mongo_tap.py), the sink's and the lone inserts' alike."""
import contextlib
import statistics
import sys
import threading
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
LONE_AT_LEAST, BREATH_S = 3, 0.1  # so many say something; the pause between two of them
WORSE = 2  # how much longer than the lone insert inserts may take
IN_A_ROW = 7
GROWN = 1.5  # at least, the largest insert against the first
SHOWN_S = 2


def lone_inserts(tap, cell, go_on):
    """Inserts of 100 documents such as the sink makes, one after the other, as long as go_on(number)."""
    documents = list(cell.wanted["minutely"].items())[:LONE_DOCUMENTS]
    since = len(tap.inserts)
    with MongoClient(f"mongodb://127.0.0.1:{tap.port}/?retryWrites=false") as mongo:
        while go_on(len(tap.answered(since))):
            mongo["lone"]["trial"].insert_many([{"_id": f"{len(tap.inserts)} {key}", **doc} for key, doc in documents], ordered=False)
    return statistics.median(insert.seconds for insert in tap.answered(since))


@contextlib.contextmanager
def lone_ones_beside(tap, cell):
    """They go on for as long as it is entered."""
    over = threading.Event()
    thread = threading.Thread(target=lone_inserts, args=(tap, cell, lambda _: not over.wait(BREATH_S)))
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def concurrency(inserts, now):
    """How many were under way."""
    return sum(insert.begun <= now and (insert.ended is None or insert.ended > now) for insert in inserts)


def rise(row, lone, beside):
    """How many times as long as lone ones some inserts in a row took: as those before, or as those of the same time, when these took longer."""
    at_the_time = [insert.seconds for insert in beside if insert.ended > row[0].begun and insert.begun < max(one.ended for one in row)]
    return statistics.median(one.seconds for one in row) / max(lone, statistics.median(at_the_time) if len(at_the_time) >= LONE_AT_LEAST else 0)


def show(inserts, begun, lone, beside):
    """What was sent as time went by; returns how many times as long as lone ones they took at most, by some in a row."""
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
    risen = max(rise(answered[n:n + IN_A_ROW], lone, beside) for n in range(len(answered) - IN_A_ROW + 1))
    print(f"     {sum(i.documents for i in answered)} documents in {end - begun:.1f} s by {len(answered)} inserts; latency p50 "
          f"{statistics.median(seconds) * 1000:.0f} ms, p95 {statistics.quantiles(seconds, n=20)[-1] * 1000:.0f} ms, most "
          f"{max(seconds) * 1000:.0f} ms; {len(beside)} lone ones beside them: p50 {statistics.median(i.seconds for i in beside) * 1000:.0f} ms, most "
          f"{max(i.seconds for i in beside) * 1000:.0f} ms; {IN_A_ROW} in a row at most {risen:.2f} times as long", flush=True)
    return risen


def test_slow_set_is_drained_gently(stack):
    cell = Cell(stack, "slow")
    base = stack.settings["base_port"]
    cell.write(2000)
    with Toxiproxy(stack.directory, base + 40) as proxy, Tap(base + 41) as tap, Tap(base + 41) as beside:
        proxy.add("database", base + 41, stack.databases[0].port)
        sink = Sink(stack, cell, mongo_uri=f"mongodb://127.0.0.1:{tap.port}/?retryWrites=false").run()
        sink.wait_stored(cell.total())
        proxy.slow_down("database", LATENCY_MS, KILOBYTES_PER_S)
        lone = lone_inserts(beside, cell, lambda nr: nr < LONE)
        print(f"     a lone insert of {LONE_DOCUMENTS} documents: {lone * 1000:.0f} ms")
        assert lone >= 2 * LATENCY_MS / 1000, "the way is not slow"
        proxy.enable("database", False)  # gone, while documents gather
        cell.write_many(DOCUMENTS)
        sink.wait_until(lambda: sink.metric("millrace_sink_retries_total") >= 5, SECONDS, "in trouble")
        since, begun = len(tap.inserts), time.monotonic()
        proxy.enable("database", True)
        lone_since = len(beside.inserts)
        with lone_ones_beside(beside, cell):
            sink.wait_stored(cell.total())
        sink.wait_committed()
        cell.check()
        inserts = tap.answered(since)
        risen = show(inserts, begun, lone, beside.answered(lone_since))
        assert risen <= WORSE, f"{risen:.2f} times as long as lone ones, more than {WORSE}"
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
