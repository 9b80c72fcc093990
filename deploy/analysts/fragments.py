"""What fragments of a window make together, and what a histogram says of a percentile. Needs the standard library alone.

A window of one series may be written in several parts: a late sample makes one more, and so does a processor that is short of memory. The window is what
its fragments make together: count, sum, errors and buckets add; the least min; the greatest max; of last the one with the greatest (last_at, last).

    >>> from datetime import datetime, timezone
    >>> noon = datetime(2026, 11, 27, 12, tzinfo=timezone.utc)
    >>> early = Fragment(count=2, sum=3.0, min=1.0, max=2.0, last=2.0, last_at=noon, histogram=Histogram(offset=-1, counts=[1] + [0] * 31 + [1]))
    >>> late = Fragment(count=1, sum=8.0, min=8.0, max=8.0, last=8.0, last_at=noon, histogram=Histogram(offset=95, counts=[1]), late=True)
    >>> window = merge([early, late])
    >>> window.count, window.sum, window.min, window.max, window.last, window.late
    (3, 11.0, 1.0, 8.0, 8.0, True)
    >>> window.histogram.total(), window.histogram.offset, len(window.histogram.counts)
    (3, -1, 97)

All of it is exact, in any order: counts are integers, and sums are added without intermediate rounding, so that a window is bit by bit the same whenever it is
merged again. The same merging goes on across series and across windows: the p95 of a route over a day is that of all its histograms added up. Percentiles
themselves do not merge: the mean of two p95 is the p95 of nothing.
"""
from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Iterable, Iterator, Mapping, Optional

SCALE = 5  # of all histograms that Millrace writes


@dataclass(slots=True)
class Histogram:
    """A base-2 exponential histogram: bucket i counts values in (b^i, b^(i+1)], b = 2^(2^-scale), negative ones by magnitude.

    counts[k] is of bucket offset + k. At scale 5 b is 1.0219: neighbouring buckets differ by 2.2 %.
    """

    scale: int = SCALE
    zero: int = 0
    offset: int = 0
    counts: list[int] = field(default_factory=list)
    neg_offset: int = 0
    neg_counts: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, record: Optional[Mapping[str, Any]]) -> Optional[Histogram]:
        """From the field `histogram` of an Aggregate, which has the same names."""
        return None if record is None else cls(record["scale"], record["zero"], record["offset"], list(record["counts"]), record["neg_offset"],
                                               list(record["neg_counts"]))

    def total(self) -> int:
        return self.zero + sum(self.counts) + sum(self.neg_counts)

    def at_scale(self, scale: int) -> Histogram:
        """The same values with coarser buckets, which is exact: 2^(difference) neighbours become one.

        >>> Histogram(scale=5, offset=3, counts=[1, 2, 4]).at_scale(4)
        Histogram(scale=4, zero=0, offset=1, counts=[1, 6], neg_offset=0, neg_counts=[])
        """
        if scale > self.scale:
            raise ValueError(f"a histogram of scale {self.scale} cannot be made finer, to {scale}")
        steps = self.scale - scale
        return Histogram(scale, self.zero, *_coarser(self.offset, self.counts, steps), *_coarser(self.neg_offset, self.neg_counts, steps))

    def steps(self) -> Iterator[tuple[float, int]]:
        """(value, how many) of each bucket that is not empty, values ascending.

        A bucket is told by 2b/(b+1) b^i, which is off by the same ratio from both its ends: (b-1)/(b+1), 1.08 % at scale 5.

        >>> [(round(value, 3), n) for value, n in Histogram(zero=2, offset=-1, counts=[3], neg_offset=-1, neg_counts=[1]).steps()]
        [(-0.989, 1), (0.0, 2), (0.989, 3)]
        """
        for k in range(len(self.neg_counts) - 1, -1, -1):
            if self.neg_counts[k]:
                yield -_middle(self.neg_offset + k, self.scale), self.neg_counts[k]
        if self.zero:
            yield 0.0, self.zero
        for k, n in enumerate(self.counts):
            if n:
                yield _middle(self.offset + k, self.scale), n

    def percentile(self, q: float, least: Optional[float] = None, greatest: Optional[float] = None) -> Optional[float]:
        """The value of rank ceil(q n) of n in ascending order, within 1.08 %; None of nothing.

        What stands in `min` and `max` is exact, so no percentile goes beyond: give them where they are known.

        >>> one_to_four = merge_histograms([Histogram(offset=i, counts=[1]) for i in (-1, 31, 50, 63)])
        >>> [round(one_to_four.percentile(q, 1.0, 4.0), 2) for q in (0.25, 0.5, 0.75, 1.0)]
        [1.0, 1.98, 2.99, 3.96]
        """
        rank, seen = max(1, math.ceil(q * self.total())), 0
        for value, n in self.steps():
            seen += n
            if seen >= rank:
                value = value if greatest is None else min(value, greatest)
                return value if least is None else max(value, least)
        return None


@dataclass(slots=True)
class Fragment:
    """The figures of an Aggregate, or of what several make together. None: not known."""

    count: int = 0
    sum: float = 0.0
    min: Optional[float] = None
    max: Optional[float] = None
    last: Optional[float] = None
    last_at: Optional[datetime] = None
    histogram: Optional[Histogram] = None
    errors: int = 0
    late: bool = False
    approximate: bool = False

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Fragment:
        """From an Aggregate as a deserializer gives it."""
        return cls(record["count"], record["sum"], record["min"], record["max"], record["last"], record["last_at"] if record["last"] is not None else None,
                   Histogram.of(record["histogram"]), record["errors"], record["late"], record["approximate"])


def merge(fragments: Iterable[Fragment]) -> Fragment:
    """What the fragments make together: those of one window, or, where that is what is asked, of many windows and series."""
    parts = list(fragments)
    lasts = [(f.last_at, f.last) for f in parts if f.last is not None]
    last_at, last = max(lasts, default=(None, None))
    return Fragment(count=sum(f.count for f in parts), sum=math.fsum(f.sum for f in parts),
                    min=min((f.min for f in parts if f.min is not None), default=None), max=max((f.max for f in parts if f.max is not None), default=None),
                    last=last, last_at=last_at, histogram=merge_histograms(f.histogram for f in parts if f.histogram is not None),
                    errors=sum(f.errors for f in parts), late=any(f.late for f in parts), approximate=any(f.approximate for f in parts))


def merge_histograms(histograms: Iterable[Histogram]) -> Optional[Histogram]:
    """All buckets added up, at the coarsest scale among them; None of none.

    >>> merge_histograms([Histogram(offset=4, counts=[1, 1]), Histogram(offset=2, counts=[5, 0, 7], zero=1)])
    Histogram(scale=5, zero=1, offset=2, counts=[5, 0, 8, 1], neg_offset=0, neg_counts=[])
    """
    parts = list(histograms)
    if not parts:
        return None
    scale = min(h.scale for h in parts)
    parts = [h if h.scale == scale else h.at_scale(scale) for h in parts]
    positive, negative = _sum_of([(h.offset, h.counts) for h in parts]), _sum_of([(h.neg_offset, h.neg_counts) for h in parts])
    return Histogram(scale, sum(h.zero for h in parts), *positive, *negative)


def _sum_of(arrays: list[tuple[int, list[int]]]) -> tuple[int, list[int]]:
    """Arrays of counts, each from its own offset, as one."""
    arrays = [(offset, counts) for offset, counts in arrays if counts]
    if not arrays:
        return 0, []
    low = min(offset for offset, _ in arrays)
    total = [0] * (max(offset + len(counts) for offset, counts in arrays) - low)
    for offset, counts in arrays:
        for i, n in enumerate(counts, offset - low):
            total[i] += n
    return low, total


def _coarser(offset: int, counts: list[int], steps: int) -> tuple[int, list[int]]:
    """Bucket i of a scale lies in bucket i >> steps of one that is that much lower; >> rounds down, for negative i too."""
    low = offset >> steps
    total = [0] * (((offset + len(counts) - 1) >> steps) - low + 1 if counts else 0)
    for i, n in enumerate(counts, offset):
        total[(i >> steps) - low] += n
    return (low if counts else 0), total


def _middle(i: int, scale: int) -> float:
    """2b/(b+1) b^i, for any scale: of a negative one b itself may be no double, but its inverse is."""
    exponent = i * 2.0 ** -scale
    if exponent >= 1024:
        return math.inf  # beyond all doubles, so the caller's greatest holds
    return 2.0 / (1.0 + 2.0 ** -(2.0 ** -scale)) * 2.0 ** exponent


if __name__ == "__main__":
    import doctest

    failed, tried = doctest.testmod()
    print(f"{tried - failed} passed, {failed} failed")
    raise SystemExit(bool(failed))
