"""From a payload to the webhook and the mail, while MongoDB stands still: triggers, receivers, incidents, as operators and receivers see them.

One timeline of minutes, on a fast clock: an application whose figures turn bad and good again by a plan, minute by minute. What must be in the topic of alerts
follows from the plan by a few lines of Python that know no state machine (`episodes`); what must reach the receivers follows from that. The receivers are an HTTP server and an SMTP
server that Millrace has not written, and Alertmanager must understand what the webhook says.
"""
import collections
import contextlib
import datetime
import itertools
import json
import pathlib
import signal
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "deploy/local"))
import cases
from millrace_local import free_base_port
from pipeline import MINUTE_MS, Pipeline
from processor_cell import Codec
from receivers import Alertmanager, HookServer, MailServer

SPEED = 30
START_MINUTE = -55  # of the hour, by real time: all of the plan lies behind it, as Alertmanager goes by that and takes nothing from the future
LAST = 23          # minutes that are planned: 0 to this
SHIFT_MINUTE = 18  # site mover gets other partitions from then on
CLOSING_MS = 60000 + 45000 + 10000  # of a minute's start: it has passed, grace, stagger
ON_TIME_S = 5      # real, of a notification beyond that: how busy this machine may be
SECRET = "not-in-any-log"
BAD, GOOD = 90.0, 10.0


def between(first, last, inside=BAD, outside=GOOD):
    return lambda minute: inside if first <= minute <= last else outside


PLAN = {  # (site, kind, metric, tags): the value of a minute; None: nothing is sent
    **{("shop", "gauge", "cpu", (("host", host),)): plan for host, plan in
       (("a", between(3, 8)), ("b", between(3, 9)), ("calm", between(0, -1)), ("short", between(5, 5)))},
    ("shop", "distribution", "latency", (("route", "/pay"),)): between(5, 6, 800.0, 100.0),
    ("shop", "counter", "errors", ()): between(4, 4, 9.0, None),
    ("shop", "gauge", "pulse", (("host", "c"),)): between(4, 11, None, 1.0),
    ("shop", "gauge", "pulse", (("host", "d"),)): between(4, 11, None, 1.0),
    ("shop", "gauge", "noise", ()): between(3, 14),
    ("shop", "gauge", "muted", ()): between(3, 14),
    ("quiet", "gauge", "pulse", ()): lambda minute: 1.0,
    **{("mover", "gauge", "cpu", (("host", f"h{n}"),)): between(3, 1000) for n in range(8)},
}
SILENT = range(4, 9)   # minutes without a beat of the worker
CLOSED = range(4, 10)  # minutes in which the valve is shut for site quiet

TRIGGERS = """
triggers:
  - {id: hot, site: shop, description: Too hot, severity: critical, metric: cpu, kind: gauge, tags: {host: {glob: "*"}}, field: last, compare: ">", threshold: 50,
     warm_up_minutes: 2, cooldown_minutes: 2, receivers: [hooks]}
  - {id: slow, site: shop, description: "Zahlen dauert zu lange (é)", metric: latency, tags: {route: /pay}, field: p95, compare: ">", threshold: 500, receivers: [mail]}
  - {id: errs, site: shop, metric: errors, field: sum, compare: ">", threshold: 5, receivers: [hooks, hang, broken, busy]}
  - {id: silent-c, site: shop, metric: pulse, tags: {host: c}, absent_minutes: 3, receivers: [pager]}
  - {id: silent-d, site: shop, metric: pulse, tags: {host: d}, absent_minutes: 3, receivers: [pager]}
  - {id: muffled, site: shop, metric: noise, field: max, compare: ">=", threshold: 90, receivers: [hooks]}
  - {id: muted, site: shop, metric: muted, field: mean, compare: ">", threshold: 50, receivers: [hooks]}
  - {id: closed, site: quiet, metric: pulse, absent_minutes: 2, receivers: [hooks]}
  - {id: moving, site: mover, metric: cpu, field: min, compare: ">", threshold: 50, receivers: [hooks]}
  - {id: beat, site: shop, severity: info, check_in: {name: worker, every_minutes: 2}, receivers: [hooks]}
"""
THRESHOLDS = {  # of the same: metric, field's value of a minute's plan, holds, warm-up, cooldown
    "hot": ("cpu", 2, 2), "slow": ("latency", 1, 1), "errs": ("errors", 1, 1), "muffled": ("noise", 1, 1),
}
RECEIVERS = """
receivers:
  - {{id: hooks, webhook: {{url: "{hooks}", secret_file: ops.key}}, group_wait: 30s, group_interval: 1m, repeat: 3m}}
  - {{id: hang, webhook: {{url: "{hang}"}}, only_named: true, group_wait: 0s}}
  - {{id: broken, webhook: {{url: "{broken}"}}, only_named: true, group_wait: 0s}}
  - {{id: busy, webhook: {{url: "{busy}"}}, only_named: true, group_wait: 0s}}
  - {{id: pager, webhook: {{url: "{pager}"}}, group_wait: 0s, repeat: 0s, escalate_to: boss, escalate_after: 3m}}
  - {{id: boss, webhook: {{url: "{boss}"}}, only_named: true, group_wait: 0s, repeat: 0s}}
  - {{id: mail, mail: {{server: "smtp://{mail}", from: millrace@example.com, to: [ann@example.com, bob@example.com], require_tls: false}}, group_wait: 0s}}
"""


def episodes(values, warm_up, cooldown):
    """[(minute opened, minute closed)] of a list of whether the condition held: it opens with the last of warm_up that hold, closes with the last of cooldown that do not."""
    found, opened = [], None
    for minute in range(len(values)):
        if opened is None and minute + 1 >= warm_up and all(values[minute + 1 - warm_up:minute + 1]) and minute - warm_up + 1 >= (found[-1][1] + 1 if found else 0):
            opened = minute
        elif opened is not None and minute - opened >= cooldown and not any(values[minute + 1 - cooldown:minute + 1]):
            found.append((opened, minute))
            opened = None
    return found + ([(opened, None)] if opened is not None else [])


class Application:
    """Posts the plan, a minute at a time, half a minute into it; from a thread of its own."""

    def __init__(self, pipeline, zero_ms):
        self.pipeline, self.zero_ms, self.refused, self.failure = pipeline, zero_ms, collections.Counter(), None
        self.actions = collections.defaultdict(list)  # what else is to be done in a minute
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        """Goes on with the plan's last values until it is stopped: who falls silent is news."""
        try:
            for minute in itertools.count():
                if self.stopping.is_set():
                    return
                self.pipeline.wait_until_virtual(self.zero_ms + minute * MINUTE_MS + 30000)
                for action in self.actions[minute]:
                    action()
                for site in ("shop", "quiet", "mover"):
                    self.post(site, minute)
        except Exception as error:  # noqa: BLE001
            self.failure = error

    def metrics(self, site, minute, t):
        for (owner, kind, name, tags), plan in PLAN.items():
            if owner == site and plan(minute) is not None:
                yield {"name": name, "kind": kind, "tags": dict(tags), "points": [{"t": t, "v": plan(minute)}]}

    def post(self, site, minute):
        t = self.zero_ms + minute * MINUTE_MS + 20000
        payload = {"metrics": list(self.metrics(site, minute, t))}
        if site == "shop" and minute not in SILENT:
            payload["check_ins"] = [{"t": t, "name": "worker", "kind": "heartbeat", "event": "beat"}]
        if site == "shop" and minute == 7:  # late by more than grace: belongs to a minute that has been judged
            payload["metrics"].append({"name": "cpu", "kind": "gauge", "tags": {"host": "calm"}, "points": [{"t": t - 5 * MINUTE_MS, "v": 99.0}]})
        request = urllib.request.Request(f"http://127.0.0.1:{self.pipeline.push_port}/v1/push", json.dumps(payload).encode(),
                                         {"Authorization": f"Bearer {self.pipeline.keys[site]}", "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                assert not json.load(answer)["rejected"], payload
        except urllib.error.HTTPError as error:
            self.refused[site, error.code] += 1


class World:
    """Pipeline, receivers, application; and what came of them, once the plan is over."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.secrets = self.directory / "secrets"
        self.secrets.mkdir()
        (self.secrets / "ops.key").write_text(SECRET + "\n")
        self.hooks, self.hang, self.broken, self.busy = HookServer(SECRET.encode()), HookServer(behaviour="hang"), HookServer(behaviour=500), HookServer(behaviour=("later", 3))
        self.pager, self.boss, self.mail = HookServer(), HookServer(), MailServer()
        self.servers = [self.hooks, self.hang, self.broken, self.busy, self.pager, self.boss, self.mail]
        self.pipeline = Pipeline(directory, free_base_port(), SPEED, START_MINUTE, {"shop": 2, "quiet": 1, "mover": 1}, notify_settings=[
            "notify.allow_http=true", "notify.allow_networks=127.0.0.0/8", f"notify.secrets_dir={self.secrets}", "notify.external_url=https://status.example"])

    def __enter__(self):
        self.pipeline.__enter__()
        return self

    def __exit__(self, *_):
        with contextlib.suppress(Exception):
            self.freeze_database(signal.SIGCONT)
        self.pipeline.__exit__()
        for server in self.servers:
            server.close()

    def apply(self, noun, text):
        file = self.directory / f"{noun}.yml"
        file.write_text(text)
        return self.pipeline.timed_ctl(noun, "apply", "-f", str(file))

    def freeze_database(self, number):
        for database in self.pipeline.stack.databases:
            database.process.signal(number)

    def play(self):
        """The whole plan."""
        p = self.pipeline
        self.apply("receiver", RECEIVERS.format(**{name: getattr(self, name).url for name in ("hooks", "hang", "broken", "busy", "pager", "boss")},
                                                mail=f"127.0.0.1:{self.mail.port}"))
        self.apply("trigger", TRIGGERS)
        p.timed_ctl("control", "set", "--on", "processor", "--do", "mute", "--trigger", "muted", "--reason", "known", "--for", "2h")
        self.silenced_ms = p.now_ms()
        p.timed_ctl("silence", "add", "--trigger", "muffled", "--reason", "we know", "--for", "11m")
        self.zero_ms = (p.now_ms() // MINUTE_MS + 2) * MINUTE_MS
        p.timed_ctl("site", "shards", "mover", "12", "--at", self.iso(SHIFT_MINUTE))
        app = self.app = Application(p, self.zero_ms)
        app.actions[2].append(lambda: self.freeze_database(signal.SIGSTOP))
        app.actions[CLOSED.start].append(lambda: p.timed_ctl("control", "set", "--on", "ingest", "--do", "close", "--site", "quiet", "--reason", "floods us", "--for", "2h"))
        app.actions[CLOSED.stop].append(lambda: p.timed_ctl("control", "clear", "--on", "ingest", "--do", "close", "--site", "quiet"))
        app.thread.start()
        self.acknowledge("silent-d", by_minute=6 + 4)
        p.wait_until_virtual(self.zero_ms + (LAST + 1) * MINUTE_MS + CLOSING_MS + 2 * MINUTE_MS)
        assert app.failure is None, app.failure
        p.check_alive()

    def iso(self, minute):
        return datetime.datetime.fromtimestamp((self.zero_ms + minute * MINUTE_MS) / 1000, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

    def acknowledge(self, trigger, by_minute):
        """As soon as there is an incident of it."""
        while self.pipeline.now_ms() < self.zero_ms + by_minute * MINUTE_MS:
            mine = [i for i in json.loads(self.pipeline.timed_ctl("--json", "incident", "list"))["incidents"] if i["trigger"] == trigger]
            if mine:
                self.pipeline.timed_ctl("incident", "ack", mine[0]["id"], "--reason", "on it", "--author", "ann")
                return
        raise AssertionError(f"no incident of {trigger} by minute {by_minute}")

    def events(self):
        codec = Codec("AlertEvent")
        return [codec.decode(m.value()) for m in self.pipeline.records("millrace.c.main.alerts")]

    def minute(self, t):
        ms = int(t.timestamp() * 1000) if isinstance(t, datetime.datetime) else t
        return (ms - self.zero_ms) / MINUTE_MS

    def told(self, server, trigger):
        """[(request, minute of arrival)] of the webhooks about a trigger, in order."""
        mine = [r for r in server.all() if r.json["groupLabels"]["alertname"] == trigger]
        real = lambda r: int(self.pipeline.env["CLOCK_START_MS"]) + (r.at * 1000 - int(self.pipeline.env["CLOCK_REAL_MS"])) * SPEED  # noqa: E731
        return [(r, self.minute(real(r))) for r in mine]


def on_time(world, minute, arrived, wait_ms=0):
    """Did it arrive within ON_TIME_S of when it was due?"""
    due = minute + (CLOSING_MS + wait_ms) / MINUTE_MS
    return arrived <= due + ON_TIME_S * SPEED / 60


def test_the_plan_is_played_with_the_database_frozen(world):
    world.play()
    assert set(world.app.refused) == {("quiet", 503)}, world.app.refused


def test_each_episode_has_one_opening_and_one_closing(world):
    got = collections.defaultdict(list)
    for event in world.events():
        if world.minute(event["minute"]) > LAST:
            continue
        got[event["trigger"], tuple(sorted(event["tags"].items()))].append((event["kind"], world.minute(event["opened_at"]), world.minute(event["minute"])))
    for events in got.values():  # of a series that moves they stand in two partitions
        events.sort(key=lambda event: (event[2], event[0] == "opened"))
    wanted = {}
    for (site, _, metric, tags), plan in PLAN.items():
        for trigger, (name, warm_up, cooldown) in THRESHOLDS.items():
            if site == "shop" and name == metric:
                threshold = {"latency": 500, "errors": 5}.get(metric, 50)
                values = [plan(m) is not None and plan(m) > threshold for m in range(LAST + 1)]
                wanted[trigger, tags] = [event for opened, closed in episodes(values, warm_up, cooldown)
                                         for event in ((("opened", opened, opened),) + ((("closed", opened, closed),) if closed is not None else ()))]
    for host in "cd":
        wanted[f"silent-{host}", (("host", host),)] = [("opened", 6, 6), ("closed", 6, 12)]
    wanted["beat", ()] = [("opened", 5, 5), ("closed", 5, 8)]  # when minute 8 is judged the beat in the ninth has been heard
    moving = {key: got.pop(key) for key in list(got) if key[0] == "moving"}
    differ = {key: (got.get(key, []), wanted.get(key, [])) for key in got.keys() | wanted.keys() if got.get(key, []) != wanted.get(key, [])}
    assert not differ, f"{{what: (told, as the plan has it)}}: {differ}"
    assert len(moving) == 8 and all(events[0] == ("opened", 3, 3) for events in moving.values()), moving
    moved = [events for events in moving.values() if len(events) > 1]
    assert moved and all(events[1:] == [("moved", 3, SHIFT_MINUTE + 1), ("opened", SHIFT_MINUTE + 1, SHIFT_MINUTE + 1)] for events in moved), moving


def test_ids_pair_and_events_say_all(world):
    events = world.events()
    assert len({e["id"] for e in events}) == len(events), [(e["trigger"], e["tags"], e["kind"], world.minute(e["minute"])) for e in events]
    opened = {e["id"]: e for e in events if e["kind"] == "opened"}
    assert all(e["episode"] in opened for e in events)
    hot = next(e for e in events if e["trigger"] == "hot" and e["kind"] == "opened")
    assert (hot["site"], hot["site_name"], hot["severity"], hot["description"], hot["value"], hot["cell"]) == ("shop", "shop", "critical", "Too hot", BAD, "main"), hot
    assert "cpu" in hot["condition"] and "50" in hot["condition"] and hot["receivers"] == ["hooks"], hot


def test_one_incident_is_told_as_one_and_repeats_and_resolves(world):
    told = world.told(world.hooks, "hot")
    first, arrived = told[0]
    assert first.fault is None and first.json["version"] == "4" and first.json["status"] == "firing" and first.json["receiver"] == "hooks", first
    assert {a["labels"]["host"] for a in first.json["alerts"]} == {"a", "b"}, "two series, one notification"
    assert first.json["commonLabels"]["severity"] == "critical" and first.json["externalURL"] == "https://status.example"
    assert on_time(world, 4, arrived, 30000), arrived
    last, arrived = told[-1]
    assert last.json["status"] == "resolved" and {a["status"] for a in last.json["alerts"]} == {"resolved"} and on_time(world, 11, arrived, 60000), last
    assert len(told) >= 3, "a repeat, or a's end, lies between"
    keys = [r.key for r, _ in told]
    assert len(set(keys)) == len(keys) and len({key.rsplit("-", 2)[0] for key in keys}) == 1, keys
    gaps = [b - a for (_, a), (_, b) in zip(told, told[1:-1])]  # the end is told at once
    assert min(gaps) > 0.5, gaps


def test_alertmanager_understands_it(world):
    requests = [r for r, _ in world.told(world.hooks, "hot")]
    with Alertmanager(world.directory) as manager:
        manager.post_alerts(requests[0].json)
        seen = {a["labels"]["host"]: a for a in manager.alerts()}
        assert set(seen) == {"a", "b"} and seen["a"]["labels"] == next(a for a in requests[0].json["alerts"] if a["labels"]["host"] == "a")["labels"], seen
        manager.post_alerts(requests[-1].json)
        assert manager.alerts() == []


def test_receivers_that_fail_hold_nobody_up(world):
    ((first, arrived), *_) = world.told(world.hooks, "errs")
    assert on_time(world, 4, arrived, 30000), arrived
    assert first.json["alerts"][0]["labels"]["metric"] == "errors"
    assert world.hang.all() and len(world.broken.all()) >= 2, "a server error is tried again"
    keys = {r.key for r in world.broken.all()}
    assert len(keys) <= 2 and len(world.broken.all()) > len(keys), "under the same key, until it has resolved"
    refused, taken = world.busy.all()[0], world.busy.all()[1]
    assert refused.answered == 429 and taken.at - refused.at >= 3, (refused, taken)


def test_mail_is_mail(world):
    (opened, resolved) = [mail.message for mail in world.mail.all()]
    assert opened["From"] == "millrace@example.com" and "ann@example.com" in opened["To"] and opened["Auto-Submitted"] == "auto-generated"
    assert "slow" in opened["Subject"] and "shop" in opened["Subject"] and "Resolved" in resolved["Subject"].title(), (opened["Subject"], resolved["Subject"])
    text = opened.get_content()
    assert "Zahlen dauert zu lange (é)" in text and "/pay" in text and "500" in text, text
    assert opened["Message-ID"] != resolved["Message-ID"]


def test_escalation_unless_somebody_takes_care(world):
    assert [r.json["status"] for r, _ in world.told(world.pager, "silent-c")] == ["firing", "resolved"]
    assert [r.json["status"] for r, _ in world.told(world.pager, "silent-d")] == ["firing", "resolved"]
    told = world.told(world.boss, "silent-c")
    assert [r.json["status"] for r, _ in told] == ["firing", "resolved"], told
    assert told[0][1] - world.told(world.pager, "silent-c")[0][1] >= 2.9, "three minutes after the first"
    assert not world.told(world.boss, "silent-d"), "which was acknowledged"


def test_silence_and_mute(world):
    told = world.told(world.hooks, "muffled")
    assert told and told[0][0].json["status"] == "firing"
    assert told[0][1] * MINUTE_MS + world.zero_ms >= world.silenced_ms + 11 * MINUTE_MS, "not before the silence has ended"
    assert not world.told(world.hooks, "muted") and not any(e["trigger"] == "muted" for e in world.events())
    assert not world.told(world.hooks, "closed"), "a series that was kept out is not absent"


def test_a_move_is_no_news(world):
    assert [r.json["status"] for r, _ in world.told(world.hooks, "moving")].count("resolved") == 0
    alerts = [{a["labels"]["host"]: a["status"] for a in r.json["alerts"]} for r, _ in world.told(world.hooks, "moving")]
    assert alerts and all(set(a.values()) == {"firing"} for a in alerts), alerts
    incidents = [i for i in json.loads(world.pipeline.timed_ctl("--json", "incident", "list", "--all"))["incidents"] if i["trigger"] == "moving"]
    assert len(incidents) == 1 and incidents[0]["state"] == "open", incidents


def test_the_database_hears_of_it_in_the_end(world):
    world.freeze_database(signal.SIGCONT)
    deadline = time.monotonic() + 60
    database, wanted = world.pipeline.database, {"alerts": len(world.events()), "incidents": len(world.pipeline.records("millrace.c.main.incidents"))}
    while any(database[name].count_documents({}) < n for name, n in wanted.items()) and time.monotonic() < deadline:
        time.sleep(0.3)  # polling a database that cannot notify
    assert wanted["alerts"] > 20 and {name: database[name].count_documents({}) >= n for name, n in wanted.items()} == dict.fromkeys(wanted, True), wanted
    newest = {}
    for document in database.incidents.find({}):
        newest[document["incident"]] = max(newest.get(document["incident"], document), document, key=lambda d: d["version"])
    states = collections.Counter(d["state"] for d in newest.values())
    assert states["open"] == 1 and states["resolved"] >= 5, states


def test_the_timeline_tells_the_story(world):
    text = world.pipeline.timed_ctl("timeline", "--from", world.iso(-5), "--to", world.iso(LAST + 3))
    for word in ("hot", "control", "mute", "trigger", "receiver", "silence", "Root cause"):
        assert word.lower() in text.lower(), (word, text)
    assert SECRET not in text


def test_nothing_was_set_aside_and_nothing_told_secrets(world):
    assert world.pipeline.deadletters() == 0
    world.app.stopping.set()
    world.app.thread.join(10)
    world.pipeline.stop_programs()
    for process in world.pipeline.processes.values():
        assert SECRET not in process.log_file.read_text(errors="replace"), process.name


def main():
    with tempfile.TemporaryDirectory(prefix="millrace-alerts-") as directory, World(directory) as world:
        cases.run(globals(), world)


if __name__ == "__main__":
    main()
