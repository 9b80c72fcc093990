#!/usr/bin/env python3
"""The verdict's own trial: a small ledger, and topics and documents that a system without fault would have made of it, are judged right; with one
fault in them they are not, whichever it is, and the figures say which.

The documents are made by oracle_windows.Window, cell by cell as an agent cuts them; the verdict adds value by value.
"""
import collections
import json
import os
import pathlib
import random
import struct
import sys
import tempfile
import time

import zstandard

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e"), str(HERE.parents[1] / "deploy/local")]
import cases
from oracle_windows import HOUR_MS, MINUTE_MS, Window, histogram
from push_pb import integer, text
from told import Reports
from verdict import EPOCH, MS, NEGATIVE, Buckets, Verdict

SEED = int(os.environ.get("TEST_SEED", time.time()))
SLOT_MS = 30000
BEGIN_MS = 1_800_000_000_000 // HOUR_MS * HOUR_MS + 57 * MINUTE_MS
SITES = ("alpha", "alpha", "gamma")
CELLS = {"alpha": "amber", "gamma": "blue"}
KINDS = ("counter", "gauge", "distribution")
FLUSHES, VALUES = 14, 3


def series_of(number, host):
    """The first half of them are the site's, the others the agent's."""
    return [{"kind": KINDS[i % 3], "name": f"m.{i}", "tags": {"route": f"/{i}"} if i < 3 else {"host": host}} for i in range(6)]


class World:
    """A ledger, and what came of it.

    told: [(agent, series, flush, t, k)]. reports: {(agent, flush) of the carrier: [(flush that was given up, samples)]}, of the same agent. refused:
    {(agent, flush)}, by the spool. records: [(cell, partition, SampleBatch)]."""

    def __init__(self):
        self.dice = random.Random(SEED)
        self.agents = [{"site": site, "host": f"agent-{i}", "series": series_of(i, f"agent-{i}")} for i, site in enumerate(SITES)]
        self.ids = [self.dice.randbytes(16) for _ in SITES]
        self.told = [value for agent in range(len(SITES)) for flush in range(1, FLUSHES + 1) for value in self.tell(agent, flush)]
        self.reports, self.refused = {}, set()
        self.records = [record for agent in range(len(SITES)) for flush in range(1, FLUSHES + 1) for record in self.payload(agent, flush)]

    def tell(self, agent, flush):
        slot = BEGIN_MS + (flush - 1) * SLOT_MS
        for series in range(6):
            least = int(series < 2)  # so that neither record of a payload is empty
            times = [slot + t for t in sorted(self.dice.sample(range(SLOT_MS), self.dice.randrange(least, VALUES * 2)))]
            if self.dice.random() < 0.2:
                times.append(slot - 90000 + self.dice.randrange(SLOT_MS))
            for t in times:
                k = self.dice.choice((0, 1, 1024, self.dice.randrange(200000)))
                yield agent, series, flush, t, -k if series % 3 == 1 and self.dice.random() < 0.5 else k

    def cells(self, agent, flush):
        """{(series, slot): [(t, k)]}, as one flush cuts them."""
        found = collections.defaultdict(list)
        for a, series, f, t, k in self.told:
            if (a, f) == (agent, flush):
                found[series, t // SLOT_MS * SLOT_MS].append((t, k))
        return found

    def payload(self, agent, flush):
        """Two records, one of each partition, as (cell, partition, SampleBatch)."""
        parts = [{"series": [], "values": [], "summaries": []} for _ in range(2)]
        for (series, slot), pairs in sorted(self.cells(agent, flush).items()):
            part, s = parts[series % 2], {**self.agents[agent]["series"][series], "fingerprint": b"%d %d" % (agent * (series > 2), series)}
            if s not in part["series"]:
                part["series"].append(s)
            sample = {"series": part["series"].index(s), "t": slot if s["kind"] == "counter" or len(pairs) > 1 else pairs[0][0]}
            part["values" if len(pairs) == 1 else "summaries"].append(sample)
        created_at, site = BEGIN_MS + flush * SLOT_MS, SITES[agent]
        return [(CELLS[site], p, {**part, "site": site, "agent_id": self.ids[agent], "seq": flush, "floor": flush, "created_at": created_at,
                                  "received_at": created_at + 70000}) for p, part in enumerate(parts)]

    def documents(self, lost=()):
        """(cell, collection, document), of each window one or two."""
        windows = collections.defaultdict(lambda: [Window(), Window()])
        for agent, site in enumerate(SITES):
            for flush in set(range(1, FLUSHES + 1)) - {f for a, f in lost if a == agent}:
                for (series, slot), pairs in self.cells(agent, flush).items():
                    kind, values = KINDS[series % 3], [k for _, k in pairs]
                    at, values = (slot, [sum(values)]) if kind == "counter" else (pairs[-1][0], values)
                    for collection, length in (("minutely", MINUTE_MS), ("hourly", HOUR_MS)):
                        key = (site, collection, agent if series > 2 else -1, series, slot // length * length)
                        self.dice.choice(windows[key]).add(kind, values, at)
        return [self.document(*key, w) for key, some in windows.items() for w in some if w.count]

    def document(self, site, collection, agent, series, start, w):
        s = self.agents[max(agent, SITES.index(site))]["series"][series]
        d = {"site": site, **s, "t": EPOCH + start * MS, "count": w.count, "sum": w.sum / 1024, "min": w.min / 1024, "max": w.max / 1024,
             "last": w.last[1] / 1024, "last_at": EPOCH + w.last[0] * MS, "late": False, "approximate": False}
        if s["kind"] == "distribution":
            found = {i: n for (_, i), n in (w.buckets or {}).items()}
            low = min(found, default=0)
            d["h"] = {"s": 5, "z": w.zero, "o": low, "c": [found.get(i, 0) for i in range(low, max(found, default=low - 1) + 1)], "no": 0, "nc": []}
        return CELLS[site], collection, d

    def losses(self, agent, flush):
        """Truncations in that payload's body."""
        return b"".join(text(9, text(1, self.ids[agent]) + b"".join(integer(n, v) for n, v in ((2, seq), (3, seq), (4, samples), (5, 1))))
                        for seq, samples in self.reports.get((agent, flush), []))

    def write(self, folder):
        (folder / "agents.json").write_text(json.dumps(self.agents))
        (folder / "told.bin").write_bytes(b"".join(struct.pack("<HHIqq", *value) for value in self.told))
        (folder / "journal").mkdir()
        flushes = b""
        for agent, _ in enumerate(SITES):
            journal = b""
            for flush in range(1, FLUSHES + 1):
                at = BEGIN_MS + flush * SLOT_MS
                flushes += struct.pack("<HHI16sQQqq", agent, 0, flush, self.ids[agent], flush, flush, at, at)
                body = zstandard.ZstdCompressor().compress(text(1, b"\x0a\x01m") + self.losses(agent, flush))
                journal += struct.pack(">c16sQQI", b"m", self.ids[agent], flush, at, len(body)) + body
                journal += struct.pack(">c16sQQI", b"l" if (agent, flush) in self.refused else b"k", self.ids[agent], flush, at, 0)
            (folder / "journal" / f"agent-{agent}").write_bytes(journal + b"m torn")
        (folder / "flushes.bin").write_bytes(flushes)

    def without(self, agent, *flushes):
        """The records, but for those of these payloads."""
        return [r for r in self.records if r[2]["agent_id"] != self.ids[agent] or r[2]["seq"] not in flushes]

    def points(self, agent, flush):
        return len(self.cells(agent, flush))

    def samples(self, agent, *flushes):
        return sum(1 if series % 3 == 0 else len(pairs) for flush in flushes for (series, _), pairs in self.cells(agent, flush).items())


class Told(Verdict):
    """A verdict that is told its records and documents."""

    def __init__(self, world, records=None, documents=None):
        self.given = world.records if records is None else records, world.documents() if documents is None else documents
        with tempfile.TemporaryDirectory() as folder:
            super().__init__(folder, None, {}, {})
            world.write(self.crowd_dir)
            self.read()
        self.right = self.judge()

    def records(self):
        return self.given[0]

    def documents(self):
        return self.given[1]

    def figures(self):
        return self.lost, self.doubled, self.truncated, self.reported, len(self.differing), len(self.wrong)


def red(verdict, **figures):
    """It is not right, has these figures, and says something."""
    assert not verdict.right, verdict.line()
    for name, value in figures.items():
        have = getattr(verdict, name)
        assert (len(have) if isinstance(have, list) else have) == value, (name, value, verdict.line(), verdict.explain())
    assert len(verdict.explain()) > 2, verdict.explain()


def change(documents, accept, edit):
    """The documents, the first that is accepted edited."""
    changed = [(cell, collection, {**d, "h": dict(d["h"])} if "h" in d else dict(d)) for cell, collection, d in documents]
    edit(next(d for _, collection, d in changed if accept(collection, d)))
    return changed


def minute_of(kind):
    return lambda collection, d: collection == "minutely" and d["kind"] == kind and d["max"] > d["min"]


def test_what_is_right_is_judged_right(world):
    v = Told(world)
    every = sum(world.samples(agent, *range(1, FLUSHES + 1)) for agent in range(3))
    assert v.right and v.figures() == (0,) * 6, v.explain()
    assert v.line() == f"expected {every} stored {every} lost 0 doubled 0 truncated 0 reported 0", (every, v.line())


def test_a_lost_payload(world):
    red(Told(world, world.without(0, 5), world.documents({(0, 5)})), lost=world.samples(0, 5), doubled=0, truncated=0, differing=0)


def test_a_payload_that_was_taken_but_not_stored(world):
    red(Told(world, None, world.documents({(0, 5)})), lost=world.samples(0, 5), doubled=0, wrong=0)


def test_a_lost_part_of_a_payload(world):
    gone = next(i for i, (_, p, b) in enumerate(world.records) if p == 1 and b["series"] and world.records[i - 1][2]["series"])
    v = Told(world, world.records[:gone] + world.records[gone + 1:])
    batch = world.records[gone][2]
    red(v)
    assert 0 < v.lost == v.doubled < world.samples(world.ids.index(batch["agent_id"]), batch["seq"]), v.line()


def test_a_reported_payload(world):
    world.reports = {(0, 7): [(5, world.points(0, 5)), (6, world.points(0, 6))]}
    given_up, lost = world.without(0, 5, 6), {(0, 5), (0, 6)}
    n = world.samples(0, 5, 6)
    v = Told(world, given_up, world.documents(lost))
    assert v.right and v.figures() == (0, 0, n, n, 0, 0), v.explain()
    red(Told(world, given_up), doubled=n, lost=0, truncated=n, reported=n)  # it is stored after all
    red(Told(world, None, world.documents(lost)), lost=n, truncated=0)     # its answer was lost, so it must be stored
    assert Told(world).right                                              # and here it is


def test_a_report_that_never_came(world):
    world.reports = {(0, 6): [(5, world.points(0, 5))]}
    v = Told(world, world.without(0, 5, 6), world.documents({(0, 5), (0, 6)}))
    red(v, truncated=world.samples(0, 5), reported=0, unreported=world.samples(0, 5), lost=world.samples(0, 5, 6))


def test_a_payload_that_the_spool_refused(world):
    world.refused = {(0, 5)}
    n = world.samples(0, 5)
    red(Told(world, world.without(0, 5), world.documents({(0, 5)})), truncated=n, reported=0, unreported=n, lost=n)
    world.reports = {(0, 6): [(5, world.points(0, 5))]}
    assert Told(world, world.without(0, 5), world.documents({(0, 5)})).right


def test_ranges_of_reports(_):
    named = Reports([(b"a", 7, 9), (b"a", 2, 3), (b"a", 4, 4), (b"b", 1, 1), (b"a", 8, 8)])
    assert [seq for seq in range(12) if named.name(b"a", seq)] == [2, 3, 4, 7, 8, 9] and named.name(b"b", 1) and not named.name(b"c", 1)
    assert named.ranges[b"a"] == [(2, 4), (7, 9)], named.ranges


def test_a_report_of_a_wrong_number(world):
    world.reports = {(0, 6): [(5, world.points(0, 5) - 1)]}
    red(Told(world, world.without(0, 5), world.documents({(0, 5)})), wrong=1, lost=0)
    world.reports = {(0, 6): [(FLUSHES + 7, 1)]}
    red(Told(world), wrong=1, lost=0)


def test_a_report_of_several(world):
    mine, body = world.points(0, 5) + world.points(0, 6), world.losses
    for samples, last, right in ((mine, 6, True), (mine - 1, 6, False), (mine, FLUSHES + 1, False), (mine, 7, True)):
        world.losses = lambda agent, flush: body(agent, flush) if (agent, flush) != (0, 8) else \
            text(9, text(1, world.ids[0]) + b"".join(integer(n, v) for n, v in ((2, 5), (3, last), (4, samples), (5, 1))))
        v = Told(world, world.without(0, 5, 6), world.documents({(0, 5), (0, 6)}))
        assert v.right == right, (samples, last, v.explain())  # of seq 7, which is there, what it adds cannot be told
    world.losses = lambda agent, flush: text(9, text(1, world.ids[0]) + b"".join(integer(n, v) for n, v in ((2, 5), (3, 7), (4, mine), (5, 1)))) \
        if (agent, flush) == (0, 8) else b""
    red(Told(world, world.without(0, 5, 6, 7), world.documents({(0, 5), (0, 6), (0, 7)})), wrong=1)  # it was taken, and is gone


def test_who_began_with_the_newest(world):
    opened = BEGIN_MS + 10 * SLOT_MS
    def received(batch):
        seq, agent = batch["seq"], world.ids.index(batch["agent_id"])
        if seq < 5:
            return batch["created_at"] + 100
        return opened + (1000 * (20 - seq) if agent != 1 else 1000 * seq)  # the second one begins with its oldest
    records = [(c, p, {**b, "received_at": max(received(b), b["created_at"])}) for c, p, b in world.records]
    first = Told(world, [r for r in records if r[2]["seq"] <= 10]).first_after(opened)
    assert {world.ids.index(i): newest for i, (_, newest) in first.items()} == {0: True, 1: False, 2: True}, first
    assert first[world.ids[0]][0] == opened + 10000 and not Told(world).first_after(opened * 2)


def test_a_payload_that_came_after_its_floor_had_risen(world):
    mine = [r for r in world.records if r[2]["agent_id"] == world.ids[0] and r[2]["seq"] == 5]
    world.reports = {(0, 7): [(5, world.points(0, 5))]}
    v = Told(world, world.without(0, 5) + mine, world.documents({(0, 5)}))
    assert v.right and len(v.raw.overtaken) == 1 and v.reported == world.samples(0, 5), v.explain()
    world.reports = {}
    red(Told(world, world.without(0, 5) + mine, world.documents({(0, 5)})), lost=world.samples(0, 5))


def test_copies_count_once(world):
    v = Told(world, world.records[:9] + world.records)
    assert v.right and v.raw.copies == 9, v.explain()


def test_a_payload_that_nobody_made(world):
    cell, partition, batch = world.records[0]
    red(Told(world, world.records + [(cell, partition, {**batch, "seq": FLUSHES + 1})]), wrong=1, differing=0)
    red(Told(world, world.records + [(cell, partition, {**batch, "agent_id": None, "seq": 0})]), wrong=1, differing=0)
    red(Told(world, world.records + [(cell, partition + 7, batch)]), wrong=len({s["series"] for s in batch["values"] + batch["summaries"]}))


def moved(batch, ms, accept=lambda series: True):
    return {**batch, **{kind: [{**s, "t": s["t"] + ms * accept(s["series"])} for s in batch[kind]] for kind in ("values", "summaries")}}


def shifted(world, ms):
    """The records, one payload's with other times; and the documents of those."""
    records = [(c, p, moved(b, ms) if b["agent_id"] == world.ids[1] and b["seq"] == 3 else b) for c, p, b in world.records]
    before = world.told
    world.told = [(a, s, f, t + ms * ((a, f) == (1, 3)), k) for a, s, f, t, k in before]
    documents, world.told = world.documents(), before
    return records, documents


def test_times_that_ingest_shifted(world):
    records, documents = shifted(world, 60000)
    v = Told(world, records, documents)
    assert v.right and v.raw.shifted == 2 and v.raw.largest_shift == 60000, v.explain()
    red(Told(world, records))
    red(Told(world, *shifted(world, 90000)), differing=0, wrong=2)  # it was under way for 70 s
    red(Told(world, *shifted(world, -60000)), differing=0, wrong=2)
    at = next(i for i, (_, _, b) in enumerate(world.records) if len(b["series"]) > 1)
    cell, partition, batch = world.records[at]
    mixed = world.records[:at] + [(cell, partition, moved(batch, 60000, lambda series: series == 0))] + world.records[at + 1:]
    red(Told(world, mixed), wrong=1)


def test_a_series_that_an_agent_was_not_told(world):
    cell, partition, batch = world.records[0]
    for extra, words in (({**batch["series"][0], "name": "m.77", "fingerprint": b"new"}, "told nothing"),
                         ({**batch["series"][0], "name": "m.78"}, "is the fingerprint of")):
        more = {**batch, "series": batch["series"] + [extra], "values": batch["values"] + [{"series": len(batch["series"]), "t": BEGIN_MS}]}
        v = Told(world, [(cell, partition, more)] + world.records[1:])
        assert not v.right and any(words in text for text in v.wrong), v.explain()


def test_a_doubled_fragment(world):
    documents = world.documents()
    for n in (0, len(documents) // 2):
        twice = next(d for d in documents[n:] if d[1] == "minutely")
        red(Told(world, None, documents + [twice]), doubled=twice[2]["count"], lost=0, differing=1)
    twice = next(d for d in documents if d[1] == "hourly")
    red(Told(world, None, documents + [twice]), doubled=0, lost=0, differing=1)


def test_a_lost_and_a_doubled_one_do_not_make_up_for_each_other(world):
    documents = world.documents({(0, 5)})
    twice = [d for d in documents if d[1] == "minutely"]
    red(Told(world, world.without(0, 5), documents + twice[:1]), lost=world.samples(0, 5), doubled=twice[0][2]["count"])


def test_a_missing_hour(world):
    documents = world.documents()
    key = lambda d: (d["site"], d["name"], str(d["tags"]), d["t"])
    gone = next(key(d) for _, collection, d in documents if collection == "hourly")
    red(Told(world, None, [d for d in documents if d[1] != "hourly" or key(d[2]) != gone]), lost=0, doubled=0, differing=1)


def test_each_figure_of_a_window(world):
    documents = world.documents()
    for kind in KINDS:
        for name in ("sum", "min", "max", "last"):
            def edit(d):
                d[name] += -1 / 1024 if name == "min" else 1 / 1024
            alone = collections.Counter((d["site"], d["name"], str(d["tags"]), d["t"]) for _, collection, d in documents if collection == "minutely")
            single = lambda collection, d: minute_of(kind)(collection, d) and alone[d["site"], d["name"], str(d["tags"]), d["t"]] == 1
            red(Told(world, None, change(documents, single, edit)), differing=1, lost=0, doubled=0)
            red(Told(world, None, change(documents, single, lambda d: d.pop(name, None) if name != "sum" else edit(d))), differing=1)
        red(Told(world, None, change(documents, single, lambda d: d.update(last_at=d["last_at"] + MS))), differing=1, lost=0, doubled=0)
        red(Told(world, None, change(documents, single, lambda d: d.update(approximate=True))), differing=0, wrong=1)


def test_a_fragment_that_lacks_a_figure(world):
    """Also where the window's other fragment has the same."""
    documents = world.documents()
    cell, collection, d = next(d for d in documents if d[1] == "minutely" and d[2]["kind"] == "gauge")
    halves = [(cell, collection, {**d, "count": 0}), (cell, collection, d)]
    for name in ("min", "max", "last", "last_at"):
        halves[0][2].update(count=d["count"], sum=0.0)
        red(Told(world, None, documents + [(cell, collection, {k: v for k, v in halves[0][2].items() if k != name})]), wrong=1)


def test_a_wrong_bucket(world):
    documents, accept = world.documents(), minute_of("distribution")
    for edit in (lambda h: h.update(o=h["o"] + 1), lambda h: h.update(z=h["z"] + 1), lambda h: h.update(s=4), lambda h: h.update(no=1, nc=[1]),
                 lambda h: h.update(c=[h["c"][0] + 1] + h["c"][1:])):
        red(Told(world, None, change(documents, accept, lambda d: edit(d["h"]))), differing=1, lost=0, doubled=0)
    red(Told(world, None, change(documents, accept, lambda d: d.pop("h"))), differing=1, lost=0)


def test_a_series_that_nobody_was_told(world):
    documents, accept = world.documents(), minute_of("gauge")
    for edit in (lambda d: d.update(name="__overflow__"), lambda d: d.update(tags={}), lambda d: d.update(kind="counter"),
                 lambda d: d.update(t=d["t"] + MS)):
        v = Told(world, None, change(documents, accept, edit))
        red(v, wrong=1)
        assert v.lost > 0, v.line()


def test_negative_values_have_buckets_of_their_own(_):
    b = Buckets()
    assert b[0] is None and b[-1024] == NEGATIVE + b[1024] and b[1024] == -1 and b[1025] == 0, dict(b)
    assert histogram([3, 3])["offset"] == b[3]


def test_fragments(world):
    documents = world.documents()
    twice = [d for d in documents if d[1] == "minutely" and (d[2]["t"] - EPOCH) // MS == BEGIN_MS]
    v = Told(world, None, documents + twice)
    windows = len({(d["site"], d["name"], str(d["tags"])) for _, _, d in twice})
    assert v.fragments(BEGIN_MS, BEGIN_MS + 1) == (2 * len(twice) / windows, 4, windows), v.fragments(BEGIN_MS, BEGIN_MS + 1)
    hours = [d for d in documents if d[1] == "hourly"]
    mean, largest, n = v.fragments(0, BEGIN_MS * 2, "hourly")
    assert round(mean * n) == len(hours) and largest == 2 and v.fragments(0, 1) == (0.0, 0, 0)


def afresh(case):
    """Each case has a world of its own, as it writes into it."""
    return lambda: case(World())


if __name__ == "__main__":
    print(f"TEST_SEED={SEED}", flush=True)
    cases.run({name: afresh(case) for name, case in list(globals().items()) if name.startswith("test_")})
