"""The oracle: what is pushed over HTTP must be what MongoDB holds, by arithmetic that shares nothing with Millrace.

A generator pushes random samples of all kinds through ingest over 130 virtual minutes on the test clock; each value is a
multiple of 1/1024, so sums are exact whatever their order. Expected windows are kept as integers (1024ths) and dicts; a
value's bucket comes from integer powers (2^i < v^32 <= 2^(i+1)), where Millrace compares mantissas. Fragments are then read
from MongoDB, merged here, and compared: count, sum, min, max, last and buckets of every (series, minute) and (series, hour).
`--budget 64Mi`: with that memory.budget for the processor, in `make test-long`.
"""
import argparse
import collections
import datetime
import http.client
import json
import os
import pathlib
import random
import sys
import tempfile
import time
from fractions import Fraction

import xxhash

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "deploy/local"))
import cases
from pipeline import Pipeline
from millrace_local import free_base_port

SAMPLES = 20000
MINUTES = 130
SPEED = float(os.environ.get("TEST_ORACLE_SPEED", "75"))
SITES = {"alpha": 1, "beta": 2, "gamma": 4}
MINUTE_MS, HOUR_MS = 60000, 3600000
PAYLOADS_PER_MINUTE = 8
KINDS = ("counter", "gauge", "distribution")


def bucket(k, scale):
    """Bucket index of k/1024 (k > 0) at a scale >= 0: 2^i < (k/1024)^(2^scale) <= 2^(i+1), in integers."""
    power = 1 << scale
    return (k ** power - 1).bit_length() - 1 - 10 * power


def stored_bucket(k, scale):
    """Where Millrace must count k/1024 that was sent at this scale: scale 5, coarser ones at their geometric midpoint."""
    if scale >= 5:
        return bucket(k, 5)
    return int(Fraction(2 * bucket(k, scale) + 1, 2) * 2 ** (5 - scale)) - 1


class Window:
    """What one window of one series must hold."""

    def __init__(self):
        self.count = self.sum = self.zero = 0
        self.min = self.max = self.last = None
        self.buckets = collections.Counter()
        self.approximate = False
        self.raw = []

    def add(self, values, last, last_at, scale):
        self.count += len(values)
        self.sum += sum(values)
        self.min = min(values) if self.min is None else min(self.min, *values)
        self.max = max(values) if self.max is None else max(self.max, *values)
        self.last = (last_at, last) if self.last is None else max(self.last, (last_at, last))
        self.raw += values
        if scale is None:
            return
        for k in values:
            if k == 0:
                self.zero += 1
            else:
                self.buckets[(k > 0, stored_bucket(abs(k), scale))] += 1
        self.approximate |= scale < 5 and any(values)


class Generator:
    """Random payloads, and the windows they must become."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.windows = collections.defaultdict(Window)
        self.series = [self.make_series(i) for i in range(150)]
        self.samples = 0
        self.seq = 0
        self.agent_id = self.random.randbytes(16).hex()

    def make_series(self, i):
        r = self.random
        tags = {r.choice(["route", "host", "zone", "a.b", "x:y/z"]): r.choice(["web-1", "/a b", "ümläut", "日本", ""]) for _ in range(r.randrange(4))}
        return r.choice(list(SITES)), KINDS[i % 3], f"metric.{i}", tags

    def value(self, kind):
        k = int(self.random.lognormvariate(8, 3)) % (1 << 30)
        return -k if kind != "counter" and self.random.random() < 0.2 else k

    def time_of(self, now_ms):
        """Mostly fresh; some minutes late, some ahead of the server's clock."""
        choice = self.random.random()
        if choice < 0.93:
            return now_ms - self.random.randrange(10000)
        if choice < 0.975:
            return now_ms - self.random.randrange(20 * MINUTE_MS)
        if choice < 0.98:
            return now_ms - self.random.randrange(150 * MINUTE_MS)
        return now_ms + self.random.randrange(4 * MINUTE_MS)

    def point(self, kind, now_ms):
        """(JSON, values, last, last_at, scale, t)."""
        t = self.time_of(now_ms)
        if self.random.random() < 0.6:
            k = self.value(kind)
            return {"t": t, "v": k / 1024}, [k], k, t, 5 if kind == "distribution" else None, t
        values = [self.value(kind) for _ in range(self.random.randrange(1, 12))]
        last, last_at = values[-1], t - self.random.randrange(500)
        scale = self.random.choice([5, 5, 6, 8, 3, 0]) if kind == "distribution" else None
        point = {"t": t, "count": len(values), "sum": sum(values) / 1024, "min": min(values) / 1024, "max": max(values) / 1024,
                 "last": last / 1024, "last_at": last_at}
        if scale is not None:
            point["histogram"] = self.histogram(values, scale)
        return point, values, last, last_at, scale, t

    def histogram(self, values, scale):
        pos_offset, pos = dense([bucket(k, scale) for k in values if k > 0])
        neg_offset, neg = dense([bucket(-k, scale) for k in values if k < 0])
        return {"scale": scale, "zero": values.count(0), "offset": pos_offset, "counts": pos, "neg_offset": neg_offset, "neg_counts": neg}

    def payload(self, site, now_ms, points):
        """A payload and what to do once it is accepted."""
        metrics, effects = [], []
        mine = [s for s in self.series if s[0] == site]
        for _ in range(points):
            _, kind, name, tags = series = self.random.choice(mine)
            point, *effect = self.point(kind, now_ms)
            metrics.append({"name": name, "kind": kind, "tags": tags, "points": [point]})
            effects.append((series, effect))
        self.seq += 1
        body = {"agent_id": self.agent_id, "seq": self.seq, "floor": self.seq, "created_at": now_ms, "metrics": metrics}
        return body, effects

    def accepted(self, effects):
        for (site, kind, name, tags), (values, last, last_at, scale, t) in effects:
            key = (site, kind, name, tuple(sorted(tags.items())))
            for length in (MINUTE_MS, HOUR_MS):
                self.windows[key, length, t // length * length].add(values, last, last_at, scale)
        self.samples += len(effects)


def dense(indexes):
    """(offset, counts), cut into what a histogram may span."""
    if not indexes:
        return 0, []
    low, high = min(indexes), max(indexes)
    counts = [0] * (high - low + 1)
    for i in indexes:
        counts[i - low] += 1
    return low, counts


def push(connection, key, body, clock):
    connection.request("POST", "/v1/push", json.dumps(body), {
        "Content-Type": "application/json", "Authorization": "Bearer " + key,
        "Millrace-Created-At": str(body["created_at"]), "Millrace-Sent-At": str(int(clock()))})
    response = connection.getresponse()
    text = response.read()
    assert response.status == 202, (response.status, text)
    return json.loads(text)


def drive(pipeline, generator):
    """Pushes SAMPLES samples, paced by the virtual clock, over MINUTES virtual minutes."""
    connection = http.client.HTTPConnection("127.0.0.1", pipeline.push_port, timeout=30)
    start = pipeline.now_ms()
    payloads = MINUTES * PAYLOADS_PER_MINUTE
    for i in range(payloads):
        pipeline.wait_until_virtual(start + i * MINUTE_MS // PAYLOADS_PER_MINUTE)
        pipeline.check_alive()
        site = generator.random.choice(list(SITES))
        points = min((SAMPLES - generator.samples + payloads - i - 1) // (payloads - i), SAMPLES - generator.samples)
        body, effects = generator.payload(site, int(pipeline.now_ms()), points)
        answer = push(connection, pipeline.keys[site], body, pipeline.now_ms)
        assert answer["accepted"] == points and answer["rejected"] == [], answer
        generator.accepted(effects)
    assert generator.samples == SAMPLES


def expected_count(generator, length):
    return sum(w.count for (_, window_ms, _), w in generator.windows.items() if window_ms == length)


def wait_stored(pipeline, generator, deadline_s):
    """Until both collections hold as many values as were sent; a missing one shows in the comparison."""
    end = time.monotonic() + deadline_s
    for name, length in (("minutely", MINUTE_MS), ("hourly", HOUR_MS)):
        expected = expected_count(generator, length)
        stored = -1
        while stored < expected and time.monotonic() < end:
            pipeline.check_alive()
            time.sleep(0.5)  # polling a database that cannot notify
            stored = sum(d["count"] for d in pipeline.database[name].find({}, {"count": 1}))
        print(f"{name}: {stored} of {expected} values stored", flush=True)


def ms(date):
    """Milliseconds of a naive UTC datetime, exactly."""
    return (date - datetime.datetime(1970, 1, 1)) // datetime.timedelta(milliseconds=1)


def merge_fragments(documents):
    merged = {}
    for d in documents:
        key = (d["site"], d["kind"], d["name"], tuple(sorted(d["tags"].items()))), ms(d["t"])
        w = merged.setdefault(key, {"count": 0, "sum": Fraction(0), "min": [], "max": [], "last": [], "buckets": collections.Counter(),
                                    "zero": 0, "approximate": False, "documents": []})
        w["count"] += d["count"]
        w["sum"] += Fraction(d["sum"])
        w["min"].append(d["min"])
        w["max"].append(d["max"])
        w["last"].append((ms(d["last_at"]), d["last"]))
        w["approximate"] |= d["approximate"]
        w["documents"].append(d)
        h = d.get("h")
        if h:
            assert h["s"] == 5, h
            w["zero"] += h["z"]
            for positive, offset, counts in ((True, h["o"], h["c"]), (False, h["no"], h["nc"])):
                for i, n in enumerate(counts):
                    if n:
                        w["buckets"][(positive, offset + i)] += n
    return merged


def compare(generator, documents, length):
    """Every difference between what was sent and what is stored, as text."""
    stored = merge_fragments(documents)
    expected = {(key, start): w for (key, window_ms, start), w in generator.windows.items() if window_ms == length}
    wrong = [f"missing {k}" for k in expected.keys() - stored.keys()] + [f"never sent {k}" for k in stored.keys() - expected.keys()]
    for k in expected.keys() & stored.keys():
        e, s = expected[k], stored[k]
        want = (e.count, Fraction(e.sum, 1024), e.min / 1024, e.max / 1024, (e.last[0], e.last[1] / 1024), e.zero, e.buckets, e.approximate)
        have = (s["count"], s["sum"], min(s["min"]), max(s["max"]), max(s["last"]), s["zero"], s["buckets"], s["approximate"])
        if want != have:
            wrong.append(f"{k}: expected {want}, stored {have}")
        elif len(s["documents"]) == 1:
            wrong += check_document(k, e, s["documents"][0])
    return wrong


def check_document(k, e, d):
    """What only a whole window's document shows: mean, and quantiles against the sorted values."""
    wrong = [] if abs(d["mean"] - e.sum / 1024 / e.count) <= 1e-9 * abs(d["mean"]) + 1e-12 else [f"{k}: mean {d['mean']}"]
    if d["kind"] != "distribution" or e.approximate:
        return wrong
    values = sorted(e.raw)
    for name, q in (("p50", 50), ("p90", 90), ("p95", 95), ("p99", 99)):
        exact = values[max(0, -(-q * len(values) // 100) - 1)] / 1024
        if abs(d[name] - exact) > 0.01084 * abs(exact):
            wrong.append(f"{k}: {name} is {d[name]}, exactly {exact}")
    return wrong


def fingerprint(site, kind, name, tags):
    """schemas/README.md's canonical form, hashed by another library."""
    text = lambda s: len(s.encode()).to_bytes(2, "little") + s.encode()
    form = text(site) + bytes([KINDS.index(kind)]) + text(name) + b"".join(text(k) + text(v) for k, v in sorted(tags.items(), key=lambda i: i[0].encode()))
    return xxhash.xxh3_128(form).digest()


def check_ids(documents, epoch):
    """_id = fingerprint, window start, epoch, partition, offset; no (partition, offset) twice."""
    places = set()
    for d in documents:
        raw = bytes(d["_id"])
        assert len(raw) == 44, len(raw)
        assert raw[:16] == fingerprint(d["site"], d["kind"], d["name"], d["tags"]), d
        assert int.from_bytes(raw[16:24], "big", signed=True) == ms(d["t"]), d
        assert int.from_bytes(raw[24:32], "big", signed=True) == epoch, (raw[24:32].hex(), epoch)
        places.add(raw[32:])
    assert len(places) == len(documents)


def test_every_window_equals_what_was_sent(pipeline):
    seed = int(os.environ.get("TEST_SEED", time.time()))
    print(f"TEST_SEED={seed} speed {SPEED}", flush=True)
    generator = Generator(seed)
    drive(pipeline, generator)
    wait_stored(pipeline, generator, 90)
    fragments = late = 0
    for name, length in (("minutely", MINUTE_MS), ("hourly", HOUR_MS)):
        documents = list(pipeline.database[name].find())
        wrong = compare(generator, documents, length)
        late_here = sum(d["late"] for d in documents)
        fragments, late = fragments + len(documents), late + late_here
        print(f"{name}: {len(documents)} fragments, {100 * late_here / max(1, len(documents)):.1f} % late, {len(wrong)} windows differ", flush=True)
        assert not wrong, "\n".join(wrong[:10])
        check_ids(documents, pipeline.epoch())
    assert late <= 0.2 * fragments, f"{late} of {fragments} fragments are late"


def test_graceful_stop(pipeline):
    """SIGTERM ends each program with 0 and nothing dead-lettered."""
    pipeline.stop_programs()
    assert pipeline.deadletters() == 0


if __name__ == "__main__":
    PARSER = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    PARSER.add_argument("--budget", help="memory.budget of the processor")
    ARGUMENTS = PARSER.parse_args()
    with tempfile.TemporaryDirectory(prefix="millrace-oracle-") as folder:
        with Pipeline(folder, base_port=free_base_port(), speed=SPEED, start_minute_of_hour=50, sites=SITES,
                      processor_settings=[f"memory.budget={ARGUMENTS.budget}"] if ARGUMENTS.budget else []) as pipeline_under_test:
            cases.run(globals(), pipeline_under_test)
