#!/usr/bin/env python3
"""Triggers and receivers by millrace-ctl, on a real cluster: files of YAML in, records, lists, exports and the operator log out.

What it writes is read back by clients that are not ours (kafka_view.py), and the YAML is made here by hand. Cases run in order on one world; each leaves it as
the next expects it.
"""
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(Path(__file__).resolve().parent)]
import cases  # noqa: E402
from kafka_view import View  # noqa: E402
from millrace_local import BINARIES, Stack, free_base_port  # noqa: E402

CTL = BINARIES / "millrace-ctl"
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("MILLRACE_")}  # those would be settings
EXAMPLE = ROOT / "deploy" / "triggers.example.yml"
LOCAL = ("--replication-factor", "1")

RULES = """\
triggers:
  - id: slow
    site: shop
    description: "Checkout is slow: ä€🛒"
    severity: critical
    metric: http.duration
    tags: {route: /checkout, region: [eu, us], host: {present: true}, zone: {present: false}, path: {glob: "/api/*"}}
    field: p95
    compare: ">"
    threshold: 500
    warm_up_minutes: 3
    receivers: [ops]
  - {id: silent, site: shop, metric: app.requests, absent_minutes: 10}
  - {id: backup, site: blog, check_in: {name: nightly, cron: "0 3 * * *", grace_minutes: 15, runtime_minutes: 60}}
receivers:
  - id: ops
    webhook: {url: "https://hooks.example/x?token=s3cret", secret_file: ops.key}
    severities: [critical]
    escalate_to: boss
    escalate_after: 15m
  - {id: boss, only_named: true, repeat: 0s, mail: {server: "smtp://mail.example:587", from: a@b, to: [c@d, e@f]}}
"""


class World:
    def __init__(self, directory):
        self.directory = Path(directory)
        self.stack = Stack(self.directory / "kafka", base_port=free_base_port(25300))

    def start(self):
        self.stack.up()
        self.brokers = self.stack.env()["KAFKA"]
        self.view = View(self.brokers)
        self.run("topics", "apply", *LOCAL)
        self.run("cell", "add", "main", "--partitions", "1", *LOCAL)
        for site in ("shop", "blog"):
            self.run("site", "add", site, "--cell", "main", "--shards", "1")

    def run(self, *words, code=0, given=None, author="tester"):
        """One command, which must end with this code: (its standard output, its standard error)."""
        done = subprocess.run([CTL, "--kafka", self.brokers, "--author", author, *words], text=True, input=given or "", capture_output=True, timeout=60,
                              env=ENVIRONMENT)
        assert done.returncode == code, f"{words}: exit {done.returncode}, not {code}\n{done.stdout}{done.stderr}"
        return done.stdout, done.stderr

    def json(self, *words, **more):
        return json.loads(self.run(*words, "--json", **more)[0])

    def file(self, text, name="rules.yml"):
        path = self.directory / name
        path.write_text(text)
        return str(path)

    def triggers(self):
        return self.view.table("millrace.triggers")

    def receivers(self):
        return self.view.table("millrace.receivers")

    def written(self):
        """How many records stand in the two topics, older ones of a key included."""
        return len(self.view.messages("millrace.triggers")), len(self.view.messages("millrace.receivers"))

    def notices(self):
        """Of triggers and receivers, in order."""
        return [n for n in self.view.records("millrace.notices") if n["event"].split("_")[0] in ("trigger", "receiver")]


def test_nothing_yet(world):
    assert "no triggers" in world.run("trigger", "list")[0] and "no receivers" in world.run("receiver", "list")[0]
    assert world.json("trigger", "list") == {"triggers": []} and world.json("receiver", "list") == {"receivers": []}


def test_every_mistake_is_told_with_its_line(world):
    """Of the file by itself, and against what there is, at once; and nothing is written, not even what is right."""
    path = world.file("triggers:\n- {id: good, site: shop, metric: m, absent_minutes: 5}\n- id: a\n  site: nope\n  metric: m\n  absent_minutes: 5\n"
                      "- id: b\n  sit: shop\n  metric: m\n  field: p95\n  compare: >\n  threshold: 5\n- {id: good, site: shop, metric: m, absent_minutes: 6}\n", "bad.yml")
    out, err = world.run("trigger", "apply", "-f", path, code=1)
    assert not out
    assert err.splitlines() == [f'{path}:3: site: there is no site "nope" (see millrace-ctl site list)', f"{path}:7: site is missing",
                                f"{path}:8: unknown key sit: did you mean site?", f'{path}:11: compare: must be in quotes: ">"',
                                f"{path}:13: id: good stands there twice",
                                f"millrace-ctl: {path} has 5 errors: nothing is changed"], err
    for text, says in (("", ":1: the file is empty"), ("receivers: []", ":1: there is no list of triggers"), ("triggers: [", ":2: did not find"),
                       ("triggers: {}", ":1: triggers: must be a list"), ("- a", ":1: must be a map of triggers"), ("triggers: &x []", "is not read"),
                       ("#" * (1 << 20) + "#", "larger than 1 MiB")):
        assert says in world.run("trigger", "apply", "-f", world.file(text, "bad.yml"), code=1)[1], says
    for text, says in (("receivers:\n- {id: a, webhook: {url: 'https://h'}, escalate_to: b, escalate_after: 5m}\n", ':2: escalate_to: there is no receiver "b"'),
                       ("receivers:\n- {id: a, webhook: {url: 'https://h'}, escalate_to: b, escalate_after: 5m}\n"
                        "- {id: b, webhook: {url: 'https://h'}, escalate_to: a, escalate_after: 5m}\n", ':3: escalate_to: leads back to "b" itself'),
                       ("receivers:\n- id: a\n  webhook: {url: 'https://u:p@h'}\n", ":3: webhook.url: may hold no user and password")):
        assert says in world.run("receiver", "apply", "-f", world.file(text, "bad.yml"), code=1)[1], says
    assert world.written() == (0, 0) and not world.notices()
    world.run("trigger", "apply", code=2)
    assert "--prune wants --site" in world.run("trigger", "apply", "-f", path, "--prune", code=2)[1]
    assert "No such file" in world.run("trigger", "apply", "-f", "/no/such/file", code=2)[1]


def test_dry_run_writes_nothing(world):
    path = world.file(RULES)
    out, err = world.run("trigger", "apply", "-f", path, "--dry-run")
    assert [line[:9] for line in out.splitlines()] == ["+ trigger"] * 3 + ["3 trigger"] and "3 triggers would be added" in out, out
    assert "the file's receivers are left to millrace-ctl receiver apply" in err
    assert 'warning: trigger slow: there is no receiver "ops" yet' in err
    done = world.json("receiver", "apply", "-f", path, "--dry-run")
    assert done["dry_run"] and [(c["op"], c["kind"], c["key"]) for c in done["changes"]] == [("add", "receiver", "boss"), ("add", "receiver", "ops")]
    assert world.written() == (0, 0)


def test_records_are_as_the_file_says(world):
    before = int(time.time() * 1000)
    out, _ = world.run("receiver", "apply", "-f", world.file(RULES))
    assert "+ receiver ops: webhook by hooks.example\n" in out and "+ receiver boss: mail by mail.example:587 to c@d, e@f\n" in out and "s3cret" not in out, out
    out, err = world.run("trigger", "apply", "-f", world.file(RULES))
    assert "warning" not in err, err
    assert "+ trigger silent: site shop, warning, app.requests absent for 10 minutes\n" in out, out
    triggers, receivers = world.triggers(), world.receivers()
    assert set(triggers) == {"slow", "silent", "backup"} and set(receivers) == {"ops", "boss"}
    for record in (*triggers.values(), *receivers.values()):
        assert record.pop("author") == "tester" and before <= record.pop("updated_at") <= time.time() * 1000
    assert triggers["slow"] == {
        "id": "slow", "site": "shop", "description": "Checkout is slow: ä€🛒", "severity": "critical", "metric": "http.duration", "kind": None,
        "tags": [{"key": "host", "op": "present", "values": []}, {"key": "path", "op": "glob", "values": ["/api/*"]},
                 {"key": "region", "op": "one_of", "values": ["eu", "us"]}, {"key": "route", "op": "exact", "values": ["/checkout"]},
                 {"key": "zone", "op": "absent", "values": []}],
        "threshold": {"field": "p95", "comparison": "gt", "threshold": 500.0}, "absent_minutes": None, "check_in": None, "warm_up_minutes": 3,
        "cooldown_minutes": 1, "receivers": ["ops"]}
    assert (triggers["silent"]["absent_minutes"], triggers["silent"]["threshold"], triggers["silent"]["severity"]) == (10, None, "warning")
    assert triggers["backup"]["check_in"] == {"name": "nightly", "cron": "0 3 * * *", "every_minutes": 0, "grace_minutes": 15, "runtime_minutes": 60}
    assert receivers["ops"] == {
        "id": "ops", "webhook": {"url": "https://hooks.example/x?token=s3cret", "secret_file": "ops.key", "bearer_file": ""}, "mail": None, "sites": [],
        "severities": ["critical"], "only_named": False, "group_wait_ms": 30000, "group_interval_ms": 300000, "repeat_ms": 4 * 3600000, "resolve": True,
        "escalate_to": "boss", "escalate_after_ms": 900000}
    assert receivers["boss"]["mail"] == {"server": "smtp://mail.example:587", "from": "a@b", "to": ["c@d", "e@f"], "user": "", "password_file": "",
                                         "require_tls": True}
    assert receivers["boss"]["only_named"] and receivers["boss"]["repeat_ms"] == 0


def test_the_same_is_not_written_again(world):
    before = world.written(), len(world.notices())
    out, _ = world.run("trigger", "apply", "-f", world.file(RULES), author="other")
    assert out == "= trigger backup\n= trigger silent\n= trigger slow\n0 triggers added, 0 changed, 0 removed, 3 as they were\n", out
    assert world.json("receiver", "apply", "-f", world.file(RULES)) == {"dry_run": False, "changes": [], "same": ["boss", "ops"]}
    assert (world.written(), len(world.notices())) == before


def test_lists(world):
    out, _ = world.run("trigger", "list")
    assert "p95 of http.duration" in out and "check-in nightly missed" in out and out.splitlines()[0].split()[:2] == ["TRIGGER", "SITE"]
    assert "backup" not in world.run("trigger", "list", "--site", "shop")[0]
    assert 'no site "nope"' in world.run("trigger", "list", "--site", "nope", code=1)[1]
    out, _ = world.run("receiver", "list")
    assert "boss after 15m" in out and "  30s        5m      4h  " in out and "c@d, e@f" in out and "never" in out, out
    listed = world.json("trigger", "list", "--site", "shop")["triggers"]
    assert [t["id"] for t in listed] == ["silent", "slow"] and listed[1]["author"] == "tester"
    assert listed[1]["tags"] == {"host": {"present": True}, "path": {"glob": "/api/*"}, "region": ["eu", "us"], "route": "/checkout", "zone": {"present": False}}
    for noun in ("trigger", "receiver"):  # what is listed can be applied
        done = world.json(noun, "apply", "-f", "-", given=world.run(noun, "list", "--json")[0])
        assert not done["changes"] and len(done["same"]) == (3 if noun == "trigger" else 2)


def test_changes_and_their_notices(world):
    text = RULES.replace("threshold: 500", "threshold: 750.5").replace("severity: critical\n", "severity: info\n").replace("15m", "1h")
    out, _ = world.run("trigger", "apply", "-f", world.file(text), author="ann")
    assert '~ trigger slow: severity "critical" -> "info", threshold 500 -> 750.5\n' in out and "0 triggers added, 1 changed, 0 removed, 2 as they were" in out, out
    out, _ = world.run("receiver", "apply", "-f", world.file(text), author="ann")
    assert '~ receiver ops: escalate_after "15m" -> "1h"\n' in out, out
    assert world.triggers()["slow"]["threshold"]["threshold"] == 750.5 and world.triggers()["slow"]["author"] == "ann"
    notices = world.notices()
    assert [(n["event"], n["site"], n["author"]) for n in notices] == [
        ("receiver_set", None, "tester"), ("receiver_set", None, "tester"), ("trigger_set", "blog", "tester"), ("trigger_set", "shop", "tester"),
        ("trigger_set", "shop", "tester"), ("trigger_set", "shop", "ann"), ("receiver_set", None, "ann")]
    first, last = notices[4]["fields"], notices[5]["fields"]
    assert first["before"] == "null" and json.loads(first["after"])["id"] == "slow" and last["before"] == first["after"]
    assert (json.loads(last["before"])["threshold"], json.loads(last["after"])["threshold"], json.loads(last["after"])["author"]) == (500, 750.5, "ann")
    assert notices[5]["text"] == 'trigger slow changed: severity "critical" -> "info", threshold 500 -> 750.5'


def test_ids_belong_to_one_site(world):
    before = world.triggers()
    path = world.file("triggers:\n- {id: slow, site: blog, metric: m, absent_minutes: 5}\n", "other.yml")
    assert f"{path}:2: id: slow is a trigger of site shop already" in world.run("trigger", "apply", "-f", path, code=1)[1]
    assert "--site says shop" in world.run("trigger", "apply", "-f", path, "--site", "shop", code=1)[1]
    assert world.triggers() == before


def test_prune(world):
    path = world.file("triggers:\n- {id: silent, site: shop, metric: app.requests, absent_minutes: 10}\n", "one.yml")
    assert "removed" in world.run("trigger", "apply", "-f", path)[0] and len(world.triggers()) == 3, "removed without being told to"
    out, _ = world.run("trigger", "apply", "-f", path, "--prune", "--site", "shop", "--dry-run")
    assert "- trigger slow: site shop" in out and "backup" not in out and len(world.triggers()) == 3
    world.run("trigger", "apply", "-f", path, "--prune", "--site", "shop")
    assert set(world.triggers()) == {"silent", "backup"}
    last = world.notices()[-1]
    assert (last["event"], last["site"], last["severity"], last["fields"]["after"]) == ("trigger_deleted", "shop", "warning", "null")
    assert json.loads(last["fields"]["before"])["id"] == "slow"
    out, err = world.run("receiver", "apply", "-f", world.file("receivers:\n- {id: ops, webhook: {url: 'https://h/'}}\n", "ops.yml"), "--prune")
    assert "- receiver boss: mail" in out and '~ receiver ops: webhook {"url":"https://hooks' in out and set(world.receivers()) == {"ops"}, out
    assert world.notices()[-1]["event"] == "receiver_deleted"


def test_delete(world):
    world.run("receiver", "apply", "-f", world.file(RULES))
    world.run("trigger", "apply", "-f", world.file(RULES))
    assert 'there is no trigger "nope"' in world.run("trigger", "delete", "slow", "nope", code=1)[1] and "slow" in world.triggers()
    world.run("trigger", "delete", code=2)
    assert "receiver ops escalates to boss" in world.run("receiver", "delete", "boss", code=1)[1] and "boss" in world.receivers()
    out, err = world.run("receiver", "delete", "boss", "ops")
    assert out.splitlines()[1].startswith("- receiver ops: webhook") and "warning: trigger slow names receiver ops" in err and not world.receivers()
    done = world.json("trigger", "delete", "backup", "slow")
    assert [(c["op"], c["key"]) for c in done["changes"]] == [("remove", "backup"), ("remove", "slow")] and set(world.triggers()) == {"silent"}
    assert [n["event"] for n in world.notices()[-4:]] == ["receiver_deleted"] * 2 + ["trigger_deleted"] * 2


def test_unreadable_records_are_told_and_replaced(world):
    world.view.put("millrace.triggers", b"broken", b"junk")
    _, err = world.run("trigger", "list")
    assert 'warning: trigger "broken" cannot be read' in err
    out, _ = world.run("trigger", "apply", "-f", world.file("triggers:\n- {id: broken, site: shop, metric: m, absent_minutes: 5}\n", "broken.yml"))
    assert "~ trigger broken: in place of a record that cannot be read" in out and world.triggers()["broken"]["absent_minutes"] == 5
    assert world.notices()[-1]["fields"]["before"] == "null"
    world.view.put("millrace.triggers", b"broken", b"junk")
    assert "cannot be read" in world.run("export", code=1)[1]
    world.run("trigger", "delete", "broken")


def test_exports_hold_both(world):
    """Out, away, and in again: the same records but for who wrote them when. An export of before there were triggers takes none away."""
    world.run("receiver", "apply", "-f", world.file(RULES))
    world.run("trigger", "apply", "-f", world.file(RULES))
    export = world.json("export")
    assert [t["id"] for t in export["triggers"]] == ["backup", "silent", "slow"] and [r["id"] for r in export["receivers"]] == ["boss", "ops"]
    path = world.file(json.dumps(export, indent=1), "export.json")
    assert "nothing to change" in world.run("apply", "-f", path, "--prune", *LOCAL)[0]
    old = world.file(json.dumps({key: value for key, value in export.items() if key not in ("triggers", "receivers")}), "old.json")
    assert "nothing to change" in world.run("apply", "-f", old, "--prune", *LOCAL)[0] and len(world.triggers()) == 3
    none = world.file(json.dumps({**export, "triggers": [], "receivers": []}), "none.json")
    out, _ = world.run("apply", "-f", none, "--prune", *LOCAL)
    assert "0 records added, 0 changed, 5 removed" in out and not world.triggers() and not world.receivers(), out
    out, _ = world.run("apply", "-f", path, *LOCAL, author="ben")
    assert "+ trigger slow: site shop" in out and "5 records added" in out, out
    again = world.json("export")
    for one in (export, again):
        for record in (*one["triggers"], *one["receivers"]):
            record["author"] = record["updated_at"] = None
    assert again == export and {t["author"] for t in world.triggers().values()} == {"ben"}
    for change, says in (({"triggers": [{**export["triggers"][0], "site": "nope"}]}, 'triggers[0]: site: there is no site "nope"'),
                         ({"triggers": [{**export["triggers"][1], "absent_minutes": 0}]}, "triggers[0]: absent_minutes: 0 is out of range"),
                         ({"receivers": [{**export["receivers"][1], "escalate_to": "nope"}]}, 'receivers[0]: escalate_to: there is no receiver "nope"')):
        err = world.run("apply", "-f", world.file(json.dumps({**export, **change}, indent=1), "bad.json"), *LOCAL, code=1)[1]
        assert says in err and "line " in err, err


def test_the_example_applies(world):
    out, err = world.run("receiver", "apply", "-f", str(EXAMPLE), "--dry-run")
    assert "~ receiver ops" in out and "~ receiver boss" in out, out
    out, err = world.run("trigger", "apply", "-f", str(EXAMPLE), "--dry-run")
    assert "4 triggers would be added" in out and "warning" not in err, err


def main():
    with tempfile.TemporaryDirectory(prefix="millrace-ctl-") as directory:
        world = World(directory)
        try:
            world.start()
            cases.run(globals(), world)
        finally:
            world.stack.wipe()


main()
