#!/usr/bin/env python3
"""deploy/analysts/fragments.py against models in other words: buckets told by exact fractions, values kept as integers. TEST_SEED repeats a run's choices."""
import collections
import doctest
import fractions
import importlib
import math
import os
import random
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "e2e"), str(ROOT / "deploy" / "analysts")]
import cases  # noqa: E402
from fragments import Fragment, Histogram, merge, merge_histograms  # noqa: E402
from oracle_windows import bucket  # noqa: E402

SEED = int(os.environ.get("TEST_SEED", time.time_ns() % 1_000_000))


def random_histogram(dice, scale):
    """Counts around zero and far from it, with gaps, and empty ones."""
    sides = []
    for _ in range(2):
        counts = [dice.choice((0, 0, 1, dice.randrange(1, 10 ** 6))) for _ in range(dice.choice((0, 1, 5, 40)))]
        sides += [dice.randint(-60, 60) if counts else 0, counts]
    return Histogram(scale, dice.choice((0, 0, dice.randrange(9))), *sides)


def model_of(histogram, scale):
    """{(sign, bucket): count} at a scale that is not finer; a bucket is told by the exponent of its upper end, an exact fraction."""
    out = collections.Counter({(0, 0): histogram.zero})
    for sign, offset, counts in ((1, histogram.offset, histogram.counts), (-1, histogram.neg_offset, histogram.neg_counts)):
        for i, n in enumerate(counts, offset):
            end = fractions.Fraction(i + 1) * fractions.Fraction(2) ** -histogram.scale  # the bucket ends at 2^end
            out[sign, math.ceil(end * fractions.Fraction(2) ** scale) - 1] += n
    return +out


def test_histograms_merge_as_the_model_does():
    dice = random.Random(SEED)
    for _ in range(500):
        parts = [random_histogram(dice, dice.choice((5, 5, 5, 3, 0, -2, 8))) for _ in range(dice.randint(1, 5))]
        scale = min(h.scale for h in parts)
        got = merge_histograms(dice.sample(parts, len(parts)))
        want = sum((model_of(h, scale) for h in parts), collections.Counter())
        assert got.scale == scale and model_of(got, scale) == want, (parts, got)
        assert got.total() == sum(h.total() for h in parts)


def test_percentiles_are_within_their_error():
    """Of values of both signs and zero, kept as 1024ths; the least and the greatest are exact."""
    dice = random.Random(SEED)
    for _ in range(600):
        values = sorted(dice.choice((0, k, k, -k)) for k in (int(dice.lognormvariate(9, 3)) + 1 for _ in range(dice.randint(1, 300))))
        parts = [histogram_of(values[i::3]) for i in range(3)]
        whole = merge_histograms(parts)
        for percent in (1, 50, 90, 95, 99, 100):
            exact = values[-(-percent * len(values) // 100) - 1] / 1024
            got = whole.percentile(percent / 100, values[0] / 1024, values[-1] / 1024)
            assert abs(got - exact) <= 0.01084 * abs(exact), (percent, exact, got)
        assert whole.percentile(1, values[0] / 1024, values[-1] / 1024) <= values[-1] / 1024
    assert merge_histograms([]) is None and Histogram().percentile(0.5) is None


def histogram_of(values):
    sides = []
    for sign in (1, -1):
        found = collections.Counter(bucket(sign * k) for k in values if sign * k > 0)
        low = min(found, default=0)
        sides += [low, [found[i] for i in range(low, max(found, default=low - 1) + 1)]]
    return Histogram(5, values.count(0), *sides)


def test_fragments_merge_in_any_order():
    """Count, sum, errors add, min, max, last by (last_at, value), flags by or: in every order the same to the last bit, and grouped, too."""
    dice = random.Random(SEED)
    at = [datetime.fromtimestamp(1_795_000_000 + s, timezone.utc) for s in range(3)]
    for _ in range(500):
        parts = []
        for _ in range(dice.randint(1, 6)):
            known = dice.random() < 0.8
            low, last = dice.uniform(-9, 9), dice.choice((1.5, 2.5, -1.0))
            parts.append(Fragment(dice.randint(1, 99), dice.uniform(-1e9, 1e9), low if known else None, low + 2 if known else None, last if known else None,
                                  dice.choice(at) if known else None, random_histogram(dice, 5) if dice.random() < 0.7 else None, dice.randint(0, 3),
                                  dice.random() < 0.3, dice.random() < 0.3))
        got = merge(parts)
        assert all(merge(dice.sample(parts, len(parts))) == got for _ in range(3))
        assert got.count == sum(p.count for p in parts) and got.errors == sum(p.errors for p in parts)
        assert got.sum == float(sum(fractions.Fraction(p.sum) for p in parts))
        known = sorted((p.last_at, p.last) for p in parts if p.last is not None)
        assert (got.last_at, got.last) == (known[-1] if known else (None, None))
        assert got.min == min((p.min for p in parts if p.min is not None), default=None)
        assert (got.late, got.approximate) == (any(p.late for p in parts), any(p.approximate for p in parts))


def test_examples_in_the_code():
    for name in ("fragments", "report"):
        failed, tried = doctest.testmod(importlib.import_module(name))
        assert tried and not failed, name


if __name__ == "__main__":
    print(f"TEST_SEED={SEED}")
    cases.run(globals())
