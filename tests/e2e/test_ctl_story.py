#!/usr/bin/env python3
"""Silences, incidents, notes, the timeline and trigger test by millrace-ctl, on a real cluster.

What processors and notifiers would have written is written here, by clients that are not ours (kafka_view.py). `trigger test` is held to a model of the
life of an alert that knows only the minutes' values. Cases run in order on one world. TEST_SEED repeats a run.
"""
import fnmatch
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(Path(__file__).resolve().parent)]
import cases  # noqa: E402
from confluent_kafka import Producer  # noqa: E402
from kafka_view import View  # noqa: E402
from millrace_local import BINARIES, Stack, free_base_port  # noqa: E402

CTL = BINARIES / "millrace-ctl"
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("MILLRACE_")}  # those would be settings
SEED = int(os.environ.get("TEST_SEED", time.time()))
MINUTE = 60 * 1000
PARTITIONS = 3
NOTHING = {"min": None, "max": None, "last": None, "last_at": 0, "histogram": None, "errors": 0, "late": False, "approximate": False}

RULES = """
triggers:
  - {id: deep, site: shop, metric: queue.depth, tags: {host: {glob: "h-*"}}, field: max, compare: ">=", threshold: 3, warm_up_minutes: 2, cooldown_minutes: 3}
  - {id: idle, site: shop, metric: http.requests, kind: counter, field: count, compare: "<", threshold: 2}
  - {id: failing, site: shop, metric: http.duration, field: error_rate, compare: ">", threshold: 0.4, cooldown_minutes: 2}
  - {id: slow, site: shop, metric: http.duration, field: p50, compare: ">", threshold: 100, warm_up_minutes: 2}
  - {id: silent, site: shop, metric: queue.depth, absent_minutes: 3, cooldown_minutes: 2}
  - {id: worker, site: shop, check_in: {name: worker, every_minutes: 4, grace_minutes: 1}}
  - {id: backup, site: shop, check_in: {name: backup, cron: "*/10 * * * *", grace_minutes: 2, runtime_minutes: 3}, cooldown_minutes: 1}
"""


class World:
    """One broker with the control plane, two cells and two sites."""

    def __init__(self, directory):
        self.directory = directory
        self.stack = Stack(directory / "stack", base_port=free_base_port(25300))

    def start(self):
        self.stack.up()
        self.brokers = self.stack.env()["KAFKA"]
        self.view = View(self.brokers)
        self.ctl("topics", "apply", "--replication-factor", "1")
        for cell in ("main", "eu"):
            self.ctl("cell", "add", cell, "--partitions", str(PARTITIONS), "--replication-factor", "1")
        for site, cell in (("shop", "main"), ("other", "eu")):
            self.ctl("site", "add", site, "--cell", cell)

    def ctl(self, *words, code=0, given=None, author="tester"):
        done = subprocess.run([CTL, "--kafka", self.brokers, "--author", author, *words], text=True, input=given, capture_output=True, timeout=60,
                              env=ENVIRONMENT)
        assert done.returncode == code, f"millrace-ctl {' '.join(words)}: exit {done.returncode}, not {code}\n{done.stdout}{done.stderr}"
        return done

    def json(self, *words, code=0, given=None):
        return json.loads(self.ctl(*words, "--json", code=code, given=given).stdout)

    def notices(self, event):
        return [notice for notice in self.view.records("millrace.notices") if notice["event"] == event]


class Minutes:
    """Random minutes of some series: what is written as fragments, and what they come to."""

    def __init__(self, view, random_, first, last):
        self.view, self.random, self.first, self.last = view, random_, first, last
        self.values = {}  # (name, host) -> {minute: [(value, failed), ..]}
        self.producer = Producer({"bootstrap.servers": view.brokers, "acks": "all", "log_level": 0})

    def series(self, name, kind, host, gaps, values):
        mine = self.values[name, host] = {}
        for minute in range(self.first, self.last + 1):
            if self.random.random() >= gaps:
                mine[minute] = [(self.random.choice(values), self.random.random() < 0.4) for _ in range(self.random.randint(1, 5))]
        mine[self.last] = [(values[0], False)]  # all end alike, so that the newest minute is known
        self.partition = self.random.randrange(PARTITIONS)
        for minute, parts in mine.items():
            for late, values_ in ((False, parts), (True, [(10 ** 6, True)] * (self.random.random() < 0.2))):
                self.fragments(name, kind, host, minute, values_, late)

    def fragments(self, name, kind, host, minute, values, late):
        while values:
            nr = self.random.randint(1, len(values))
            self.write(name, kind, host, minute, values[:nr], late)
            values = values[nr:]

    def write(self, name, kind, host, minute, values, late):
        numbers = [value for value, _ in values]
        record = {**NOTHING, "fingerprint": fingerprint(name, host), "epoch": 1, "site": "shop", "kind": kind, "name": name, "tags": {"host": host},
                  "window_start": minute * MINUTE, "window_ms": MINUTE, "count": len(values), "sum": float(sum(numbers)),
                  "min": float(min(numbers)), "max": float(max(numbers)), "errors": sum(failed for _, failed in values), "late": late}
        if kind == "distribution":  # 8 and 1024 alone: the last of buckets 95 and 319 at scale 5
            counts = [0] * 320
            for number in numbers:
                counts[{8: 95, 1024: 319}.get(number, 0)] += 1
            record["histogram"] = {"scale": 5, "zero": 0, "offset": 0, "counts": counts, "neg_offset": 0, "neg_counts": []}
        self.producer.produce("millrace.c.main.minutely", self.view.encode("Aggregate", record), record["fingerprint"], partition=self.partition,
                              timestamp=(minute + 2) * MINUTE)

    def check_ins(self, name, kind, signs):
        for t, event in signs:
            detail = {"name": name, "kind": kind, "event": event}
            body = {"group": b"g" * 16, "t": t, "action": "", "namespace": "", "host": "", "environment": "", "revision": "", "tags": {},
                    "shortened": False, "error": None, "transaction": None, "marker": None, "check_in": detail}
            record = {"fingerprint": b"g" * 16, "epoch": 1, "site": "shop", "window_start": t // MINUTE * MINUTE, "event": body}
            self.producer.produce("millrace.c.main.exemplars", self.view.encode("Exemplar", record), b"g" * 16, partition=1,
                                  timestamp=t + 2 * MINUTE)

    def flush(self):
        assert self.producer.flush(30) == 0


def fingerprint(name, host):
    """Any sixteen bytes will do, as long as they are the series' own."""
    return f"{name}/{host}".encode().ljust(16, b".")[-16:]


def life(minutes, verdict, warm_up, cooldown):
    """[(opened, closed or None)]: verdict(minute, live) is True, False, or None for a minute that nobody asks about."""
    alerts, opened, run = [], None, 0
    for minute in minutes:
        holds = verdict(minute, opened is not None or run > 0)
        if holds is None:
            run = 0 if opened is None else run
            continue
        run = run + 1 if holds == (opened is None) else 0
        if opened is None and run == warm_up:
            opened, run = minute, 0
        elif opened is not None and run == cooldown:
            alerts.append((opened, minute))
            opened, run = None, 0
    return alerts + ([(opened, None)] if opened is not None else [])


class Model:
    """What each rule of RULES would have done over [first, end) minutes."""

    def __init__(self, minutes, signs, first, end):
        self.minutes, self.signs, self.first, self.span = minutes, signs, first, range(first, end)
        self.alerts = set()
        self.threshold("deep", "queue.depth", lambda v: max(x for x, _ in v) >= 3, False, 2, 3, "h-*")
        self.threshold("idle", "http.requests", lambda v: len(v) < 2, True, 1, 1)
        self.threshold("failing", "http.duration", lambda v: sum(f for _, f in v) / len(v) > 0.4, False, 1, 2)
        self.threshold("slow", "http.duration", lambda v: sorted(x for x, _ in v)[(len(v) + 1) // 2 - 1] > 100, False, 2, 1)
        self.absence("silent", "queue.depth", 3, 2)
        self.add("worker", "check-in worker", life(self.span, self.no_beat, 1, 1))
        self.add("backup", "check-in backup", life(self.span, self.no_run, 1, 1))

    def add(self, trigger, series, alerts):
        self.alerts |= {(trigger, series, opened * MINUTE, closed and closed * MINUTE) for opened, closed in alerts}

    def threshold(self, trigger, metric, holds, of_nothing, warm_up, cooldown, glob="*"):
        for (name, host), mine in self.minutes.values.items():
            if name == metric and fnmatch.fnmatchcase(host, glob):
                self.add(trigger, f"{name}{{host={host}}}", life(
                    self.span, lambda m, live: holds(mine[m]) if m in mine else of_nothing if live else None, warm_up, cooldown))

    def absence(self, trigger, metric, silent, cooldown):
        for (name, host), mine in self.minutes.values.items():
            if name == metric:
                def verdict(minute, live):
                    seen = [m for m in mine if self.first <= m <= minute]
                    return bool(seen) and minute - max(seen) >= silent
                self.add(trigger, f"{name}{{host={host}}}", life(self.span, verdict, 1, cooldown))

    def latest(self, name, end, *events):
        return max((t for t, event in self.signs[name] if t < end and event in events), default=0)

    def no_beat(self, minute, live):
        end = (minute + 1) * MINUTE
        return end - max(self.latest("worker", end, "beat"), self.first * MINUTE) > 5 * MINUTE

    def no_run(self, minute, live):
        end = (minute + 1) * MINUTE
        due = (end - 2 * MINUTE) // (10 * MINUTE) * 10 * MINUTE
        if due < self.first * MINUTE:
            return False
        through = (end - 5 * MINUTE - 1) // (10 * MINUTE) * 10 * MINUTE  # the last run that should have finished
        late = through >= self.first * MINUTE and self.latest("backup", end, "finish") < through
        return self.latest("backup", end, "start", "finish") < due - MINUTE or late


def found(done):
    return {(a["trigger"], a["series"], a["opened_at"], a.get("closed_at")) for a in done["alerts"]}


def test_trigger_test_says_what_the_model_says(world):
    rng = random.Random(SEED)
    now = int(time.time() * 1000) // MINUTE
    minutes = world.minutes = Minutes(world.view, rng, now - 75, now - 3)
    for host in ("h-1", "h-2", "x-1"):
        minutes.series("queue.depth", "gauge", host, rng.choice((0.1, 0.4, 0.6)), (1, 2, 3, 4))
    for host in ("h-1", "h-2"):
        minutes.series("http.requests", "counter", host, 0.3, (1, 5))
        minutes.series("http.duration", "distribution", host, 0.2, (8, 1024))
    start = (now - 70) * MINUTE
    world.signs = {"worker": [(start + t, "beat") for t in sorted(rng.sample(range(67 * MINUTE), 16))],
                   "backup": [(start + t, rng.choice(("start", "finish"))) for t in sorted(rng.sample(range(67 * MINUTE), 14))]}
    minutes.check_ins("worker", "heartbeat", world.signs["worker"])
    minutes.check_ins("backup", "cron", world.signs["backup"])
    minutes.flush()
    done = world.json("trigger", "test", "-f", "-", given=RULES)
    assert done["to"] == (now - 2) * MINUTE and done["late"] > 0, done
    model = Model(minutes, world.signs, done["from"] // MINUTE, now - 2)
    assert found(done) == model.alerts, (SEED, sorted(found(done) ^ model.alerts))
    fired = {alert[0] for alert in model.alerts}
    assert len(fired) >= 5, f"TEST_SEED={SEED}: only {fired} fired"
    assert {t["id"]: t["series"] for t in done["triggers"]} == {"deep": 2, "idle": 2, "failing": 2, "slow": 2, "silent": 3, "worker": 0, "backup": 0}
    print(f"  TEST_SEED={SEED}: {len(model.alerts)} alerts")


def test_trigger_test_by_id_and_in_words(world):
    trigger = {"id": "deep", "site": "shop", "description": "", "severity": "warning", "metric": "queue.depth", "kind": None,
               "tags": [{"key": "host", "op": "exact", "values": ["h-1"]}], "threshold": {"field": "max", "comparison": "ge", "threshold": 3.0},
               "absent_minutes": None, "check_in": None, "warm_up_minutes": 2, "cooldown_minutes": 3, "receivers": [], "author": "me", "updated_at": 1}
    world.view.put("millrace.triggers", "deep", world.view.encode("Trigger", trigger))
    out = world.ctl("trigger", "test", "deep", "--hours", "2").stdout
    assert re.search(r"^deep: 1 series matches$", out, re.M) and re.search(r"^judged: \d+ minutes, from \S+Z to before \S+Z$", out, re.M), out
    rows = re.findall(r"^deep +(\S+Z) +(\S+Z|still open) +[34]  queue\.depth\{host=h-1\}$", out, re.M)
    model = life(range(world.minutes.first, world.minutes.last + 1), lambda m, live: (
        max(x for x, _ in world.minutes.values["queue.depth", "h-1"][m]) >= 3 if m in world.minutes.values["queue.depth", "h-1"] else False if live else None),
        2, 3)
    stamp = [tuple(time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(m * 60)) if m else "still open" for m in alert) for alert in model]
    assert rows == stamp, (SEED, out, stamp)


def test_a_slip_is_told(world):
    for rule, says in (
            ("{id: a, site: shop, metric: queue.dept, absent_minutes: 1}", 'site shop has no series "queue.dept" in 1 h: did you mean "queue.depth"?'),
            ("{id: a, site: shop, metric: nothing.like.it, absent_minutes: 1}", 'site shop has no series "nothing.like.it" in 1 h\n'),
            ("{id: a, site: shop, metric: queue.depth, tags: {host: h-9}, absent_minutes: 1}", "but none with its kind and tags in 1 h"),
            ("{id: a, site: other, metric: queue.depth, absent_minutes: 1}", 'site other has no series "queue.depth" in 1 h\n'),
            ("{id: a, site: shop, check_in: {name: wroker, every_minutes: 1}}", 'no check-in "wroker" of site shop in 1 h')):
        done = world.ctl("trigger", "test", "-f", "-", code=1, given=f"triggers:\n  - {rule}\n")
        assert says in done.stderr and done.stdout.count("fired") == ("wroker" not in rule), (rule, done.stdout, done.stderr)
    assert 'no site "nowhere"' in world.ctl("trigger", "test", "-f", "-", code=1, given="triggers:\n  - {id: a, site: nowhere, metric: x, absent_minutes: 1}\n").stderr
    assert "give ids, or a file" in world.ctl("trigger", "test", code=1).stderr
    assert 'there is no trigger "nope"' in world.ctl("trigger", "test", "nope", code=1).stderr
    assert "did you mean" in world.ctl("trigger", "test", "-f", "-", code=1, given="triggers:\n  - {id: a, site: shop, metrik: x, absent_minutes: 1}\n").stderr


def test_silences(world):
    added = world.json("silence", "add", "--for", "2h", "--site", "shop", "--trigger", "deep", "--tag", "host=h-*", "--tag", "a=b", "--reason", "known")
    silence = added["silence"]
    stored = world.view.table("millrace.silences")[silence["id"]]
    assert stored["tags"] == [{"key": "a", "op": "exact", "values": ["b"]}, {"key": "host", "op": "glob", "values": ["h-*"]}]
    assert stored["ends_at"] - stored["starts_at"] == 7_200_000 and abs(stored["starts_at"] / 1000 - time.time()) < 60
    assert (stored["site"], stored["trigger"], stored["reason"], stored["author"]) == ("shop", "deep", "known", "tester")
    later = world.ctl("silence", "add", "--for", "10m", "--at", "1h", "--reason", "all of it")
    assert " of everything, from " in later.stdout and "all alerts of all sites" in later.stderr
    assert "no trigger \"dep\"" in world.ctl("silence", "add", "--for", "1s", "--trigger", "dep", "--reason", "x").stderr
    text = world.ctl("silence", "list").stdout
    assert re.search(rf"^{silence['id']}  in force  1 h 59 m  site=shop trigger=deep a=b host=h-\*  tester  known$", text, re.M), text
    assert re.search(r"^\w{8}  to come +(59 m \d+ s|1 h 0 m)  everything +tester  all of it$", text, re.M), text
    before, = (n for n in world.notices("silence_added") if n["fields"]["id"] == silence["id"])
    assert before["site"] == "shop" and before["fields"]["before"] == "null" and json.loads(before["fields"]["after"]) == silence
    assert world.ctl("silence", "end", silence["id"]).stdout == f"- silence {silence['id']}\n"
    assert silence["id"] not in world.view.table("millrace.silences")
    ended, = world.notices("silence_ended")
    assert ended["fields"]["before"] == before["fields"]["after"] and ended["fields"]["after"] == "null" and ended["author"] == "tester"
    assert "there is no silence" in world.ctl("silence", "end", silence["id"], code=1).stderr
    for words, says in ((("--for", "91d"), "--for 91d"), (("--for", "1h", "--tag", "x"), "write it like region=eu"),
                        (("--for", "1h", "--tag", "x=1", "--tag", "x=2"), "stands there twice"), (("--for", "1h", "--site", "nope"), "no site \"nope\""),
                        (("--for", "1h", "--at", "2020-01-01T00:00Z"), "ended already")):
        assert says in world.ctl("silence", "add", *words, "--reason", "x", code=2 if words == ("--for", "91d") else 1).stderr, words


def test_old_silences_are_swept(world):
    old = {"site": None, "trigger": None, "tags": [], "starts_at": 0, "reason": "x", "author": "x", "created_at": 0}
    now = int(time.time() * 1000)
    for name, ends in (("oldoldold", now - 25 * 60 * MINUTE), ("yesterday", now - 23 * 60 * MINUTE)):
        world.view.put("millrace.silences", name, world.view.encode("Silence", {**old, "id": name, "ends_at": ends}))
    world.ctl("silence", "add", "--for", "1h", "--reason", "x")
    left = world.view.table("millrace.silences")
    assert "yesterday" in left and "oldoldold" not in left
    assert "yesterday" not in world.ctl("silence", "list").stdout


def incident(number, opened, **more):
    alert = {"fingerprint": b"f" * 16, "episode": b"e" * 16, "state": "open", "series_kind": "gauge", "name": "queue.depth", "tags": {"host": "h-1"},
             "opened_at": opened, "closed_at": None, "value": 4.0, "join_until": None, "changed_version": 1}
    return {"id": bytes.fromhex(number), "cell": "main", "site": "shop", "site_name": "shop", "trigger": "deep", "description": "too deep",
            "severity": "critical", "condition": "max of queue.depth >= 3", "receivers": [], "state": "open", "version": 1, "opened_at": opened,
            "created_at": opened + MINUTE, "updated_at": opened + MINUTE, "resolved_at": None, "acked_at": None, "acked_by": None, "ack_reason": None,
            "alerts": [alert], "alerts_total": 1, "open_alerts": 1, "behind_opened": 0, "behind_closed": 0, "changed_version": 1, **more}


def test_incidents(world):
    world.opened = (int(time.time() * 1000) // MINUTE - 20) * MINUTE
    ids = ("abcd" + "0" * 28, "abce" + "0" * 28, "ff01" + "0" * 28)
    for version, more in ((1, {}), (2, {"open_alerts": 2, "alerts_total": 3})):
        record = incident(ids[0], world.opened, version=version, **more)
        world.view.put("millrace.c.main.incidents", record["id"], world.view.encode("Incident", record))
    for number, site, cell, more in ((ids[1], "shop", "main", {"state": "resolved", "resolved_at": world.opened + 5 * MINUTE, "open_alerts": 0}),
                                     (ids[2], "other", "eu", {})):
        record = incident(number, world.opened, site=site, cell=cell, **more)
        world.view.put(f"millrace.c.{cell}.incidents", record["id"], world.view.encode("Incident", record))
    text = world.ctl("incident", "list").stdout
    assert re.search(r"^abcd00000000  open   critical  shop   deep     (20|21) m \d+ s  2 of 3  -$", text, re.M) and "abce" not in text and "ff01" in text, text
    listed = lambda *words: {i["id"] for i in world.json("incident", "list", *words)["incidents"]}  # noqa: E731
    assert listed("--all") == set(ids) and listed("--cell", "eu") == {ids[2]} and listed("--all", "--site", "shop") == set(ids[:2])
    shown = world.ctl("incident", "show", "ABCD").stdout
    assert "max of queue.depth >= 3" in shown and re.search(r"^open   \S+T\d\d:\d\dZ  -       +4  queue\.depth\{host=h-1\}$", shown, re.M), shown
    assert "and 2 more" in shown and world.json("incident", "show", "ff01")["incident"]["cell"] == "eu"
    for prefix, says in (("abc", "no incident's id"), ("abcf", "there is no incident"), ("xyz1", "no incident's id")):
        assert says in world.ctl("incident", "show", prefix, code=1).stderr


def test_ack(world):
    out = world.ctl("incident", "ack", "abcd", "--reason", "on it").stdout
    assert out == "+ incident abcd00000000, trigger deep of site shop: tester takes care of it\n"
    world.ctl("incident", "ack", "abcd", author="alice")
    (key, value), = {m.key(): m.value() for m in world.view.messages("millrace.acks")}.items()
    ack = world.view.decode(value)
    assert key == ack["incident"] == bytes.fromhex("abcd" + "0" * 28) and (ack["author"], ack["reason"]) == ("alice", "")
    first, second = world.notices("incident_acked")
    assert (first["cell"], first["site"], first["author"], second["author"]) == ("main", "shop", "tester", "alice")
    assert first["fields"]["before"] == "null" and second["fields"]["before"] == first["fields"]["after"]
    assert json.loads(second["fields"]["after"])["author"] == "alice" and first["fields"]["reason"] == "on it"
    assert "is resolved" in world.ctl("incident", "ack", "abce", code=1).stderr


def stamp(ms):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ms / 1000))


def test_timeline(world):
    world.ctl("control", "set", "--on", "sink", "--do", "pause", "--cell", "main", "--reason", "the disk *burns*", "--for", "1h")
    world.ctl("note", "restarted the shop", "--site", "shop", "--at", stamp(world.opened + 3 * MINUTE))
    assert world.ctl("note", "about another", "--site", "other", author="bob").stdout.startswith("+ note at ")
    for words, says in ((("x", "--at", "2100-01-01T00:00Z"), "lies ahead"), (("x", "--site", "nope"), "no site"), (("a\nb",), "one line"), (("",), "0 bytes")):
        assert says in world.ctl("note", *words, code=1).stderr, words
    text = world.ctl("timeline", "--from", stamp(world.opened - MINUTE), "--to", "now").stdout
    print(text)
    lines = [line for line in text.splitlines() if line.startswith("- ") and line[2].isdigit()]
    at = lambda ms: time.strftime("- %H:%M:%S", time.gmtime(ms / 1000))  # noqa: E731
    assert any(line == f"{at(world.opened)} **incident opened** abcd00000000 (critical), cell main, site shop, trigger deep: max of queue.depth \\>= 3"
               for line in lines), text
    assert f"{at(world.opened + 5 * MINUTE)} **incident resolved** abce00000000, trigger deep: after 5 m 0 s, 1 alert" in lines
    assert f"{at(world.opened + 3 * MINUTE)} **note** by tester, site shop: restarted the shop" in lines
    assert any(re.fullmatch(r"- \S+ \*\*control set\*\* \(warning\) by tester, cell main: control sink/pause/cell=main set until \S+: the disk \\\*burns\\\*", line)
               for line in lines), text
    order = ["incident opened** abcd", "**note** by tester, site shop", "incident resolved** abce", "**incident acked** by alice", "**control set**", "**note** by bob"]
    places = [next(i for i, line in enumerate(lines) if what in line) for what in order]
    assert places == sorted(places), text
    assert re.search(r"^\| abcd00000000 \| shop \| deep \| critical \| \S+ \S+ \| open \| 3 \| - \|$", text, re.M), text
    assert text.endswith("\n## Summary\n\n## Impact\n\n## Root cause\n\n## Actions\n") and "- Cells: eu, main\n" in text and "- Incidents: 3, of which 2 are" in text


def test_timeline_of_a_part(world):
    since = stamp(world.opened - MINUTE)
    text = world.ctl("timeline", "--from", since, "--to", stamp(world.opened + 4 * MINUTE), "--site", "shop").stdout
    assert "restarted the shop" in text and "about another" not in text and "ff0100000000" not in text and "incident resolved" not in text
    text = world.ctl("timeline", "--from", since, "--cell", "eu").stdout
    assert "ff0100000000" in text and "abcd00000000" not in text and "- Cells: eu\n" in text and "sink/pause" not in text
    path = world.directory / "post-mortem.md"
    world.ctl("timeline", "--from", since, "-o", str(path))
    assert path.read_text().startswith("# What happened from ")
    assert "is there already" in world.ctl("timeline", "--from", since, "-o", str(path), code=1).stderr
    assert "not before" in world.ctl("timeline", "--from", since, "--to", since, code=1).stderr
    assert world.json("timeline", "--from", since)["incidents"] == 3


def main():
    with tempfile.TemporaryDirectory(prefix="millrace-story-") as directory:
        world = World(Path(directory))
        try:
            world.start()
            cases.run(globals(), world)
        finally:
            world.stack.wipe()


main()
