"""The catch-up of bench_processor.py in a container's place: 320 MiB, no swap, memory.budget 80 % of it. Nothing is killed.

A machine where no control group can be made fails this test: what could not be looked at has not been shown. TEST_SAMPLES_PERCENT=10 takes
a smaller backlog, of as many series.
"""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
import cases
from bench import Failure
from memory_limit import MemoryLimit
from processor_bed import Backlog, Bed

LIMIT_BYTES, BUDGET = 320 << 20, "256Mi"
SERIES, MINUTES = 200_000, 24 * 60
SAMPLES = 20_000_000 * int(os.environ.get("TEST_SAMPLES_PERCENT", "100")) // 100 // SERIES * SERIES
TOO_MUCH = "x = bytearray(600 << 20)"


def test_the_limit_is_one():
    """A process that takes more is killed, and counted."""
    with MemoryLimit(LIMIT_BYTES) as limit:
        ended = subprocess.run([*limit.prefix, sys.executable, "-c", TOO_MUCH], stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        assert ended.returncode == -9 and limit.kills() == 1, (ended, limit.kills())


def test_a_day_of_backlog_in_a_small_container():
    with tempfile.TemporaryDirectory(prefix="millrace-limited-") as directory, Bed(Path(directory)) as bed, \
            MemoryLimit(LIMIT_BYTES) as limit:
        cell = bed.fill(Backlog(SERIES, SAMPLES / SERIES / MINUTES, SAMPLES))
        try:
            with bed.run(cell, BUDGET, prefix=limit.prefix) as run:
                run.wait_first()
                run.wait_done()
                run.check(flushed=True)
                print(f"  peak {run.instances[0].peak_mib():.1f} MiB resident, {(limit.peak_bytes() or 0) / 2**20:.1f} MiB charged of "
                      f"{LIMIT_BYTES >> 20}; {run.cpu_s:.1f} CPU-seconds in {run.wall_s:.1f} s")
        except Failure as failure:
            raise AssertionError(f"{failure}; killed for want of memory: {limit.kills()}") from failure
        assert limit.kills() == 0


if __name__ == "__main__":
    cases.run(globals())
