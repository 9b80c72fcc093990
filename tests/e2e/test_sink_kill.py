#!/usr/bin/env python3
"""kill -9 of the sink and of its database at random moments while 100,000 documents pass: the collections equal the topics, document by
document. `test_sink_kill.py DOCUMENTS BLOWS` takes other numbers."""
import random
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(Path(__file__).resolve().parent)]
import cases  # noqa: E402
from millrace_local import Failure  # noqa: E402
from pymongo import MongoClient  # noqa: E402
from sink_house import EVERYTHING, SEED, Cell, Sink, sink_stack  # noqa: E402

DOCUMENTS, BLOWS = (int(word) for word in (sys.argv[1:] or (100_000, 8)))
WAVE_SECONDS = 180  # patience
WAVES = 4  # the documents come in so many parts, so that there is also the live end of the topics to be killed at


def plan(dice):
    """By wave: (share of it that is stored by then, who dies, seconds later). A database takes some seconds of processor time to be itself
    again, so it dies less often."""
    blows = [("sink", "database", "sink")[n % 3] for n in range(BLOWS)]
    dice.shuffle(blows)
    waves = [[] for _ in range(WAVES)]
    for n, who in enumerate(blows):
        waves[n % WAVES].append((dice.uniform(0.02, 0.95), who, dice.uniform(0, 0.2)))
    return [sorted(wave) for wave in waves]


def test_killed_amid_everything(stack):
    cell = Cell(stack, "kills")
    database = stack.databases[0]
    sink = Sink(stack, cell, batch_documents=500, instance_id="fixed")  # a static member: no wait for the dead one
    sink.launch()
    stored, died = 0, []
    with MongoClient(cell.uri) as mongo:
        for wave in plan(random.Random(SEED)):
            cell.write_many(DOCUMENTS // WAVES, EVERYTHING)
            for share, who, later in wave:
                goal = stored + int(share * (cell.total() - stored))
                sink.wait_until(lambda: cell.stored(mongo) >= goal, WAVE_SECONDS, f"{goal} documents stored")
                time.sleep(later)  # anywhere in a batch's life
                died.append(f"{who} at {cell.stored(mongo)}")
                if who == "sink":
                    counters = Path(f"/dev/shm/mongoc-{sink.pid}")  # of the driver
                    sink.kill()
                    assert not counters.exists(), "each kill leaves a file"
                    sink.launch()
                else:
                    database.process.kill()
                    database.start()
                    database.wait_ready()
            stored = cell.total()
        sink.wait_until(lambda: cell.stored(mongo) >= cell.total(), WAVE_SECONDS, "done")
    sink.wait_committed()
    cell.check()
    repeated = sink.metric("millrace_sink_already_stored_total")
    print(f"     {cell.total()} documents, {int(repeated)} of them found stored by the last instance; killed: {', '.join(died)}")
    sink.finish()


def main():
    with sink_stack() as stack:
        cases.run(globals(), stack)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"{failure}\n0 passed, 1 failed")
