#!/usr/bin/env python3
"""millrace-ctl query on a whole pipeline, against what was posted.

Payloads of random values go over HTTP for some virtual minutes, on time and late, for two sites with the same names. The oracle keeps every value as an integer of 1024ths
(oracle_windows.py) and sorts; percentiles may be off by a bucket's width, all else is equal. Where a site has moved, fragments are written here, one in each partition of each
cell, so that the count tells which were read. TEST_SEED repeats a run's choices.
"""
import collections
import json
import math
import os
import pty
import random
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(Path(__file__).resolve().parent)]
import cases  # noqa: E402
import xxhash  # noqa: E402
from kafka_view import View  # noqa: E402
from millrace_local import BINARIES, free_base_port  # noqa: E402
from oracle_windows import HOUR_MS, MINUTE_MS, Window  # noqa: E402
from pipeline import Pipeline  # noqa: E402

SEED = int(os.environ.get("TEST_SEED", time.time_ns() % 2**32))
SPEED, START_MINUTE = 100, 50
MINUTES, LATE = 6, 3
CTL = BINARIES / "millrace-ctl"
HOSTS, ROUTES = ("web-1", "web-2", "db-1"), ("/a", "/b")
METRICS = {"http.duration": "distribution", "jobs.done": "counter", "queue.depth": "gauge"}
ERROR = 0.0109  # a percentile's, by the width of a bucket


class World:
    """A pipeline, what was posted to it, and the minute before which all of it is closed."""

    def __init__(self, pipeline):
        self.pipeline, self.random, self.seq = pipeline, random.Random(SEED), 0
        self.agent_id = self.random.randbytes(16).hex()
        self.values = []  # (site, name, host, route, minute, at, [k, ..])

    def metric(self, site, name, host, route, t):
        """One point's worth of a series, remembered."""
        values = [int(self.random.lognormvariate(9, 1.5)) for _ in range(self.random.randint(1, 9))]
        points = [{"t": t + i, "v": k / 1024} for i, k in enumerate(values)]
        tags = {"host": host, **({"route": route} if route else {})}
        self.values += [(site, name, host, route, t // MINUTE_MS * MINUTE_MS, t + i, k) for i, k in enumerate(values)]
        return {"name": name, "kind": METRICS[name], "tags": tags, "points": points}

    def post(self, site, minute):
        metrics = [self.metric(site, name, host, route, minute + self.random.randrange(MINUTE_MS - 20))
                   for name in METRICS for host in HOSTS for route in (*ROUTES, None) if self.random.random() < 0.8]
        self.seq += 1
        body = {"agent_id": self.agent_id, "seq": self.seq, "floor": self.seq, "created_at": self.pipeline.now_ms(), "metrics": metrics}
        request = urllib.request.Request(f"http://127.0.0.1:{self.pipeline.push_port}/v1/push", json.dumps(body).encode(),
                                         {"Authorization": f"Bearer {self.pipeline.keys[site]}", "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert not json.load(answer)["rejected"]

    def run(self):
        """MINUTES minutes, the third of them silent, then what comes late to them, until all of it is told."""
        pipeline = self.pipeline
        self.first = pipeline.now_ms() // MINUTE_MS * MINUTE_MS
        for n in range(MINUTES):
            minute = pipeline.now_ms() // MINUTE_MS * MINUTE_MS
            pipeline.wait_until_virtual(minute + MINUTE_MS // 2)
            for site in pipeline.sites if minute != self.first + 2 * MINUTE_MS else ():
                self.post(site, minute)
            pipeline.wait_until_virtual(minute + MINUTE_MS)
        pipeline.wait_until_virtual(self.first + (MINUTES + 3) * MINUTE_MS)
        for _ in range(LATE):
            self.post("shop", self.first + self.random.choice((0, 1, 3)) * MINUTE_MS)
        self.last = max(minute for *_, minute, _, _ in self.values)
        wanted = len([v for v in self.values if v[0] == "shop"])
        while sum(self.count(name) for name in METRICS) < wanted:  # late ones are held for 5 minutes
            assert pipeline.now_ms() < self.first + 60 * MINUTE_MS, "what was posted is not there"
            pipeline.check_alive()
            time.sleep(0.3)

    def count(self, name):
        answer = json.loads(self.ctl("shop", name, "--from", "59m", "--json", codes=(0, 1)))
        return answer["all"]["count"] if "all" in answer else 0

    def ctl(self, *words, codes=(0,)):
        return self.pipeline.timed_ctl("query", *words, codes=codes)

    def ask(self, *words):
        return json.loads(self.ctl(*words, "--from", iso(self.first), "--json"))

    def of(self, site, name, host=None, route=None, minute=None):
        """[(at, k)] of what was posted so."""
        return [(at, k) for s, n, h, r, m, at, k in self.values
                if s == site and n == name and host in (None, h) and route in (None, r) and minute in (None, m)]


def iso(ms):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ms / 1000))


def check(figures, name, values, seconds):
    """An answer's figures against the values."""
    window, ks = Window(), sorted(k for _, k in values)
    for at, k in values:
        window.add(METRICS[name], [k], at)
    got = {key: figures[key] * 1024 for key in ("sum", "min", "max", "last")}
    assert got == {"sum": window.sum, "min": window.min, "max": window.max, "last": window.last[1]}, (got, window.figures())
    assert figures["count"] == len(ks) and figures["errors"] == 0
    assert math.isclose(figures["mean"], sum(ks) / 1024 / len(ks), rel_tol=1e-12)
    assert math.isclose(figures["rate"], (sum(ks) / 1024 if METRICS[name] == "counter" else len(ks)) / seconds, rel_tol=1e-12)
    for field, q in (("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)):
        assert (field in figures) == (METRICS[name] == "distribution"), (field, name)
        if field in figures:
            exact = ks[max(math.ceil(q * len(ks)) - 1, 0)] / 1024
            assert math.isclose(figures[field], exact, rel_tol=ERROR), (field, figures[field], exact)


def check_windows(world, group, name, length=MINUTE_MS, **of):
    """All windows of a group, no more and no less."""
    wanted = collections.defaultdict(list)
    for minute in sorted({minute for *_, minute, _, _ in world.values}):
        wanted[minute // length * length] += world.of("shop", name, minute=minute, **of)
    wanted = {start: values for start, values in wanted.items() if values}
    assert [window["start"] for window in group["windows"]] == sorted(wanted)
    for window in group["windows"]:
        check(window, name, wanted[window["start"]], length / 1000)
    return wanted


def test_each_minute_of_all_series(world):
    for name, kind in METRICS.items():
        answer = world.ask("shop", name)
        [group] = answer["groups"]
        check_windows(world, group, name)
        check(group["all"], name, world.of("shop", name), (answer["to"] - answer["from"]) / 1000)
        assert answer["kind"] == kind and answer["series"] == len({v[1:4] for v in world.values if v[:2] == ("shop", name)})
        assert answer["late"] and answer["fragments"] > answer["series"] and not answer["approximate"], answer
    print(f"     {answer['fragments']} fragments of {answer['series']} series, {answer['late']} of them late; TEST_SEED={SEED}")


def test_by_a_tag(world):
    for name, field in (("http.duration", "p95"), ("jobs.done", "sum"), ("queue.depth", "max")):
        answer = world.ask("shop", name, "--by", "host", "--field", field)
        assert {group["value"] for group in answer["groups"]} == set(HOSTS)
        for group in answer["groups"]:
            check_windows(world, group, name, host=group["value"])
        order = [group["all"][field] for group in answer["groups"]]
        assert order == sorted(order, reverse=True), order
        check(answer["all"], name, world.of("shop", name), (answer["to"] - answer["from"]) / 1000)


def test_a_tag_that_some_lack(world):
    answer = world.ask("shop", "http.duration", "--by", "route")
    groups = {group.get("value"): group for group in answer["groups"]}
    assert set(groups) == {None, *ROUTES}
    values = [(at, k) for s, n, h, r, m, at, k in world.values if (s, n, r) == ("shop", "http.duration", None)]
    check(groups[None]["all"], "http.duration", values, (answer["to"] - answer["from"]) / 1000)


def test_tags_choose(world):
    for tags, host, route in (("host=web-1", "web-1", None), ("host=web-2,route=/b", "web-2", "/b"), ("route=/a", None, "/a")):
        [group] = world.ask("shop", "http.duration", "--tags", tags)["groups"]
        check_windows(world, group, "http.duration", host=host, route=route)
    [group] = world.ask("shop", "jobs.done", "--tags", "host=web-*")["groups"]
    both = world.of("shop", "jobs.done", host="web-1") + world.of("shop", "jobs.done", host="web-2")
    assert group["all"]["count"] == len(both) and group["all"]["sum"] * 1024 == sum(k for _, k in both)


def test_a_time_between(world):
    begin, end = world.first + MINUTE_MS, world.first + 4 * MINUTE_MS
    answer = json.loads(world.ctl("shop", "jobs.done", "--from", iso(begin), "--to", iso(end), "--json"))
    [group] = answer["groups"]
    assert {window["start"] for window in group["windows"]} == {begin, begin + 2 * MINUTE_MS}, group["windows"]  # one between is silent
    check(group["all"], "jobs.done", [v for m in range(begin, end, MINUTE_MS) for v in world.of("shop", "jobs.done", minute=m)], 180)


def test_hours(world):
    end = (world.first // HOUR_MS + 1) * HOUR_MS
    deadline = time.monotonic() + 60
    while True:
        out = json.loads(world.pipeline.timed_ctl("query", "shop", "http.duration", "--hourly", "--from", iso(world.first), "--json", codes=(0, 1)))
        if out["groups"] and out["all"]["count"] == len(world.of("shop", "http.duration")):
            break
        assert time.monotonic() < deadline, (out, end)
        time.sleep(0.5)
    check_windows(world, out["groups"][0], "http.duration", HOUR_MS)


def test_what_a_person_sees(world):
    text = world.ctl("shop", "http.duration", "--from", iso(world.first))
    assert not re.search("[▁-█]", text) and "\x1b" not in text, "a pipe is no terminal"
    rows = text.splitlines()
    assert rows[0].split() == ["MINUTE", "COUNT", "MEAN", "MIN", "P50", "P95", "P99", "MAX"], rows[0]
    assert rows[3].split() == [iso(world.first + 2 * MINUTE_MS)[:16] + "Z"] + 7 * ["-"], rows[3]  # the silent minute
    assert rows[1].split()[:2] == [iso(world.first)[:16] + "Z", str(len(world.of("shop", "http.duration", minute=world.first)))], rows[1]
    assert re.search(r"\d+ of \d+ fragments came late", text), text
    seen = on_terminal(world, "shop", "http.duration", "--from", iso(world.first))
    line = re.search(r"^p95  ([▁-█ ]+)  [\d.]+ to [\d.]+\r?$", seen, re.M)
    assert line and line.group(1)[2] == " " and line.group(1)[1] != " ", seen
    by = on_terminal(world, "shop", "jobs.done", "--from", iso(world.first), "--by", "host")
    assert len(re.findall("[▁-█ ]{4,}\r?$", by, re.M)) >= 3, by
    assert not re.search("[▁-█]", on_terminal(world, "shop", "jobs.done", "--from", iso(world.first), LANG="C")), "not UTF-8"


def on_terminal(world, *words, LANG="C.UTF-8"):
    """What the command shows on a terminal."""
    env = world.pipeline.env
    clock = [word for name in ("start_ms", "real_ms", "speed") for word in ("--set", f"clock.{name}={env['CLOCK_' + name.upper()]}")]
    master, slave = pty.openpty()
    process = subprocess.Popen([CTL, "--kafka", env["KAFKA"], "query", *words, "--test-clock", *clock], stdin=slave, stdout=slave, stderr=slave,
                               env={"PATH": os.environ["PATH"], "LANG": LANG})
    os.close(slave)
    seen = b""
    while True:
        try:
            block = os.read(master, 65536)
        except OSError:
            break
        if not block:
            break
        seen += block
    os.close(master)
    assert process.wait(30) == 0, seen
    return seen.decode()


def test_why_there_is_nothing(world):
    def why(*words):
        env = world.pipeline.env
        clock = [word for name in ("start_ms", "real_ms", "speed") for word in ("--set", f"clock.{name}={env['CLOCK_' + name.upper()]}")]
        done = subprocess.run([CTL, "--kafka", env["KAFKA"], "query", *words, "--test-clock", *clock], capture_output=True, text=True, timeout=60)
        assert done.returncode == 1 and not done.stdout, done
        return done.stderr

    since = ("--from", iso(world.first))
    assert 'did you mean "http.duration"?' in why("shop", "http.duraton", *since)
    assert 'did you mean "queue.depth"?' in why("shop", "depth", *since)
    assert "has 3 other names" in why("shop", "nothing.like.it", *since)
    assert "but none with these tags" in why("shop", "jobs.done", *since, "--tags", "host=web-9")
    assert "but none of kind gauge" in why("shop", "jobs.done", *since, "--kind", "gauge")
    assert "nothing came of them in that time" in why("shop", "jobs.done", "--from", iso(world.first - 9 * MINUTE_MS), "--to", iso(world.first))
    assert 'there is no site "shoe"' in why("shoe", "jobs.done")
    assert "is no time" in why("shop", "jobs.done", "--from", "yesterday")
    for words in (("--last", "1h", "--from", "2h"), ("--field", "p42"), ("--kind", "sum"), ("--tags", "host"), ("--from", "1h", "--to", "2h")):
        assert why("shop", "jobs.done", *words), words


def test_other_site_has_its_own(world):
    answer = world.ask("other", "jobs.done")
    assert answer["all"]["count"] == len(world.of("other", "jobs.done"))


def owned(site, partitions, shards):
    """The site's partitions, by rendezvous."""
    weights = {p: xxhash.xxh3_64_intdigest(site.encode() + b"\0" + p.to_bytes(2, "little")) for p in range(partitions)}
    return set(sorted(weights, key=weights.get, reverse=True)[:shards])


def test_only_the_partitions_of_the_routes_in_force(world):
    """The site was in main with 3 shards, is in eu with 2 since 50 hours after the window; what comes late for 48 hours may be in both."""
    pipeline = world.pipeline
    view = View(pipeline.env["KAFKA"])
    pipeline.ctl("cell", "add", "eu", "--partitions", "5", "--replication-factor", "1")
    pipeline.ctl("site", "add", "mover", "--cell", "main", "--shards", "3")
    site = view.table("millrace.sites")["mover"]
    now = pipeline.now_ms() // MINUTE_MS * MINUTE_MS

    def route(since):
        routes = [{**site["routes"][0], "effective_from": 0}, {"effective_from": since, "cell": "eu", "shards": 2}]
        view.put("millrace.sites", "mover", view.encode("Site", {**site, "routes": routes}))
        answer = json.loads(world.ctl("mover", "m", "--from", iso(now - 2 * MINUTE_MS), "--to", iso(now), "--json"))
        count = answer["all"]["count"]
        return {p for p in range(12) if count >> p & 1}, {p for p in range(5) if count >> 12 + p & 1}

    for cell, partitions, shift in (("main", 12, 0), ("eu", 5, 12)):
        for p in range(partitions):
            record = {"fingerprint": b"m" * 16, "epoch": 1, "site": "mover", "kind": "counter", "name": "m", "tags": {}, "window_start": now - 2 * MINUTE_MS, "window_ms": MINUTE_MS,
                      "count": 1 << shift + p, "sum": 1.0, "min": None, "max": None, "last": None, "last_at": 0, "histogram": None, "errors": 0, "late": False, "approximate": False}
            view.put(f"millrace.c.{cell}.minutely", record["fingerprint"], view.encode("Aggregate", record), partition=p)
    assert route(now - 10 * MINUTE_MS) == (owned("mover", 12, 3), owned("mover", 5, 2))  # a clock that was ahead by eight minutes
    assert route(now - 13 * MINUTE_MS) == (set(), owned("mover", 5, 2))
    assert route(now + 47 * HOUR_MS) == (owned("mover", 12, 3), owned("mover", 5, 2))
    assert route(now + 49 * HOUR_MS) == (owned("mover", 12, 3), set())


def main():
    with tempfile.TemporaryDirectory() as directory:
        with Pipeline(directory, free_base_port(), SPEED, START_MINUTE, {"shop": 3, "other": 2}) as pipeline:
            world = World(pipeline)
            world.run()
            cases.run(globals(), world)


if __name__ == "__main__":
    main()
