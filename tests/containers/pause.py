"""How long a partition stands still: the time between two advances of what its group has committed, while data flows into it.

A processor commits its position every five seconds when nothing else is committed (DESIGN.md: checkpoints), so that a gap holds that much besides any
pause, and up to twice as much around a checkpoint.
"""
import collections
import threading
import time

COMMIT_EVERY_S = 5
LOOK_EVERY_S = 0.25


class Commits:
    """Looks at the group's commits in a thread, from start() to the end of the process. look() returns {partition: offset}."""

    def __init__(self, look):
        self.look = look
        self.advances = collections.defaultdict(list)  # by partition: when an advance was seen
        self.offsets, self.misses = {}, 0
        self.thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self.thread.start()

    def _run(self):
        while True:
            time.sleep(LOOK_EVERY_S)
            try:
                self.take(time.monotonic(), self.look())
            except Exception:  # a coordinator that moves, or starts again: the gap grows until it answers
                self.misses += 1

    def take(self, now, offsets):
        for partition, offset in offsets.items():
            if offset > self.offsets.get(partition, -1):
                self.offsets[partition] = offset
                self.advances[partition].append(now)

    def longest(self, begin, end):
        """(seconds, partition) of the longest gap that touches this span; one without its end lasts until the span's."""
        gaps = []
        for partition, times in self.advances.items():
            marks = [*times, end] if times[-1] < end else times
            gaps += [(after - before, partition) for before, after in zip(marks, marks[1:]) if after > begin and before < end]
        return max(gaps, default=(end - begin, None))
