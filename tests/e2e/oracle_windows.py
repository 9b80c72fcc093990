"""What windows must hold, by arithmetic that shares nothing with Millrace's own.

Values are multiples of 1/1024 and are kept as integers of 1024ths, so that sums are exact in whichever order they are added; a value's bucket comes
from integer powers (2^i < v^32 <= 2^(i+1)), where Millrace compares mantissas. What is sent goes into windows by add(), what is read by merge().
"""
import collections

MINUTE_MS, HOUR_MS = 60000, 3600000
KINDS = ("counter", "gauge", "distribution")


def bucket(k):
    """Index at scale 5 of k/1024, k > 0: 2^i < (k/1024)^32 <= 2^(i+1), in integers."""
    return (k ** 32 - 1).bit_length() - 1 - 320


def in_1024ths(x):
    scaled = x * 1024
    assert scaled == int(scaled), x
    return int(scaled)


def milliseconds(value):
    return value if isinstance(value, int) else round(value.timestamp() * 1000)


def histogram(values):
    """Values (1024ths, none negative) as an agent's histogram at scale 5."""
    found = collections.Counter(bucket(k) for k in values if k)
    low = min(found, default=0)
    return {"scale": 5, "zero": values.count(0), "offset": low, "neg_offset": 0, "neg_counts": [],
            "counts": [found[i] for i in range(low, max(found, default=-1) + 1)]}


def summary(values, t, at, with_histogram):
    """Values (1024ths) as one merged point at t, the last of them at that time."""
    return {"t": t, "count": len(values), "sum": sum(values) / 1024, "min": min(values) / 1024, "max": max(values) / 1024,
            "last": values[-1] / 1024, "last_at": at, "histogram": histogram(values) if with_histogram else None}


class Window:
    """What one window of one series holds, sums as integers of 1024ths; small, as a long run holds millions."""

    __slots__ = ("count", "sum", "zero", "min", "max", "last", "buckets")

    def __init__(self):
        self.count = self.sum = self.zero = 0
        self.min = self.max = self.last = self.buckets = None

    def add(self, kind, values, at):
        """values in 1024ths, the last of them at that time."""
        self.count += len(values)
        self.sum += sum(values)
        self._take_extremes(min(values), max(values), (at, values[-1]))
        if kind != "distribution":
            return
        for k in values:
            if k == 0:
                self.zero += 1
            else:
                self._take_bucket((k > 0, bucket(abs(k))), 1)

    def _take_extremes(self, low, high, last):
        self.min = low if self.min is None else min(self.min, low)
        self.max = high if self.max is None else max(self.max, high)
        self.last = last if self.last is None else max(self.last, last)

    def _take_bucket(self, place, n):
        if self.buckets is None:
            self.buckets = {}
        self.buckets[place] = self.buckets.get(place, 0) + n

    def merge(self, a):
        """Adds a fragment as it was read."""
        self.count += a["count"]
        self.sum += in_1024ths(a["sum"])
        self._take_extremes(in_1024ths(a["min"]), in_1024ths(a["max"]), (milliseconds(a["last_at"]), in_1024ths(a["last"])))
        if a["kind"] == "distribution":
            h = a["histogram"]
            assert h["scale"] == 5, h["scale"]
            self.zero += h["zero"]
            for positive, offset, counts in ((True, h["offset"], h["counts"]), (False, h["neg_offset"], h["neg_counts"])):
                for i, n in enumerate(counts):
                    if n:
                        self._take_bucket((positive, offset + i), n)

    def figures(self):
        return self.count, self.sum, self.min, self.max, self.last, self.zero, self.buckets
