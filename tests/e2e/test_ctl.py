#!/usr/bin/env python3
"""millrace-ctl on real clusters: one broker to work on, and an empty one of three to restore to.

What it writes is read back by clients that are not ours (kafka_view.py), and topics are compared with the table of schemas/README.md,
which stands here once more. Cases run in order on one world; each leaves it as the next expects it.
"""
import hashlib
import json
import os
import queue
import re
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(Path(__file__).resolve().parent)]
import cases  # noqa: E402
from confluent_kafka import Consumer, TopicPartition  # noqa: E402
from confluent_kafka.admin import (AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic,  # noqa: E402
                                   ResourceType)
from kafka_view import View  # noqa: E402
from millrace_local import BINARIES, Stack, free_base_port  # noqa: E402

CTL = BINARIES / "millrace-ctl"
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("MILLRACE_")}  # those would be settings
HOUR = 3600 * 1000
DAY = 24 * HOUR

# schemas/README.md, "Topics": cleanup.policy, retention.ms (None: not looked at), message.timestamp.type
CELL_TOPICS = {
    "samples": ("delete", 72 * HOUR, "LogAppendTime"), "events": ("delete", 72 * HOUR, "LogAppendTime"),
    "minutely": ("delete", 7 * DAY, "CreateTime"), "hourly": ("delete", 30 * DAY, "CreateTime"),
    "exemplars": ("delete", 7 * DAY, "CreateTime"), "alerts": ("delete", 30 * DAY, "CreateTime"),
    "samples-state": ("delete", -1, "CreateTime"), "events-state": ("delete", -1, "CreateTime"),
    "incidents": ("compact,delete", 30 * DAY, "CreateTime"), "sent": ("compact,delete", 30 * DAY, "CreateTime"),
}
CONTROL_TOPICS = {
    **{name: ("compact", None, "CreateTime") for name in ("cells", "sites", "triggers", "receivers", "silences", "controls", "status")},
    "acks": ("compact,delete", 30 * DAY, "CreateTime"),
    "heartbeats": ("compact,delete", DAY, "CreateTime"), "notices": ("delete", 400 * DAY, "CreateTime"),
    "deadletter": ("delete", 14 * DAY, "CreateTime"),
}


class Done:
    """What one call of millrace-ctl did."""

    def __init__(self, words, code, out, err):
        self.words, self.code, self.out, self.err = words, code, out, err

    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"millrace-ctl {' '.join(self.words)}: exit {self.code}\n{self.out}{self.err}"


class Ctl:
    """millrace-ctl against one cluster."""

    def __init__(self, brokers):
        self.brokers = brokers

    def start(self, *words, before=None):
        return subprocess.Popen([CTL, "--kafka", self.brokers, "--author", "tester", *words], text=True, stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT, preexec_fn=before)

    def __call__(self, *words, code=0, given=None, before=None):
        """Runs one command, which must end with this code; before: called in its process before it begins."""
        process = self.start(*words, before=before)
        out, err = process.communicate(given, timeout=60)
        done = Done(words, process.returncode, out, err)
        assert done.code == code, f"expected exit {code}: {done!r}"
        own = [line for line in done.err.splitlines() if ":  WARNING:       mongoc: " not in line]  # the library has files, too, that may not grow
        assert done.out or done.code < 0 or own and own[0].startswith("millrace-ctl: "), repr(done)
        return done


class World:
    """Two clusters and the tool on each. The one of three brokers comes up while the first cases run on the other."""

    def __init__(self, directory):
        self.directory = directory
        self.stacks = [Stack(directory / "one", base_port=free_base_port(25000)),
                       Stack(directory / "three", base_port=free_base_port(25100), brokers=3)]
        self.unreachable = queue.Queue()  # what a call told that found nobody, and its seconds
        self.starter = threading.Thread(target=self.stacks[1].up)

    def start(self):
        self.starter.start()
        threading.Thread(target=ask_nobody, args=(self.unreachable,), daemon=True).start()
        self.stacks[0].up()
        self.view, self.ctl = self.tools(self.stacks[0])

    @staticmethod
    def tools(stack):
        brokers = stack.env()["KAFKA"]
        return View(brokers), Ctl(brokers)

    def other(self):
        """The second cluster, up."""
        self.starter.join()
        return self.tools(self.stacks[1])

    def wipe(self):
        self.starter.join()
        for stack in self.stacks:
            stack.wipe()

    def notices(self):
        return self.view.records("millrace.notices")

    def cell(self, name="main"):
        return self.view.table("millrace.cells")[name]

    def site(self, name="shop"):
        return self.view.table("millrace.sites")[name]

    def file(self, content, name="wanted.json"):
        path = self.directory / name
        path.write_text(content if isinstance(content, str) else json.dumps(content, indent=1))
        return str(path)

    def exported(self):
        return self.ctl("export").json()


def check_topics(view, names, expected, partitions, copies):
    """Topics are exactly as designed: partitions (of a cell's incidents and sent one, whatever the cell has), copies, settings."""
    there = view.topics()
    settings = view.settings(names)
    for name in names:
        cleanup, retention, stamp = expected[name.rsplit(".", 1)[1]]
        topic = there[name]
        one = name.endswith((".incidents", ".sent"))
        assert len(topic.partitions) == (1 if one else partitions), f"{name}: {len(topic.partitions)} partitions"
        assert all(len(p.replicas) == copies for p in topic.partitions.values()), name
        have = settings[name]
        want = {"cleanup.policy": cleanup, "message.timestamp.type": stamp, "min.insync.replicas": "2" if copies >= 3 else "1"}
        if retention is not None:
            want |= {"retention.ms": str(retention), "retention.bytes": "-1"}
        have_cleanup = ",".join(sorted(have["cleanup.policy"].split(",")))
        assert {**have, "cleanup.policy": have_cleanup}.items() >= want.items(), f"{name}: {have} is not {want}"


def cell_names(cell):
    return [f"millrace.c.{cell}.{name}" for name in CELL_TOPICS]


CONTROL_NAMES = [f"millrace.{name}" for name in CONTROL_TOPICS]


def test_wrong_command_lines_ask_nobody(world):
    """Exit 2 at once, though nobody listens there."""
    nowhere = Ctl("127.0.0.1:1")
    for words, says in (((), "no command"), (("sites",), 'did you mean "site"?'), (("cell", "add"), "needs NAME"),
                        (("site", "add", "x"), "needs --cell"), (("apply",), "needs --file"),
                        (("cell", "add", "x", "--partitions", "0"), "1 to 1024"), (("cell", "list", "--jsn"), "--json?"),
                        (("cell", "list", "--set", "no.such.key=1"), "no.such.key")):
        assert says in nowhere(*words, code=2).err
    assert "key revoke SITE KEYID" in nowhere("--help").out
    assert "--shards N" in nowhere("site", "add", "--help").out
    assert re.match(r"millrace-ctl \d+\.\d+", nowhere("--version").out)


def test_says_when_kafka_does_not_answer(world):
    """Asked while the stacks came up, as it takes its five seconds."""
    done, seconds = world.unreachable.get(timeout=30)
    assert "127.0.0.1:1 does not answer" in done.err and 4.5 < seconds < 8, f"{done!r} {seconds}"


def test_without_topics_it_says_what_to_run(world):
    for words in (("cell", "list"), ("site", "list"), ("status",), ("export",)):
        assert "run millrace-ctl topics apply" in world.ctl(*words, code=2).err


def test_copies_need_brokers(world):
    assert "3 replicas need 3 brokers, and this Kafka has 1" in world.ctl("topics", "apply", code=1).err
    dry = world.ctl("topics", "apply", "--replication-factor", "1", "--dry-run")
    assert "11 topics would be made" in dry.out
    assert not world.view.topics()


def test_topics_of_the_control_plane(world):
    done = world.ctl("topics", "apply", "--replication-factor", "1", "--json").json()
    assert sorted(done["created"]) == sorted(CONTROL_NAMES) and not done["differences"]
    assert sorted(world.view.topics()) == sorted(CONTROL_NAMES)
    check_topics(world.view, CONTROL_NAMES, CONTROL_TOPICS, 1, 1)
    again = world.ctl("topics", "apply", "--replication-factor", "1")
    assert again.out == "all 11 topics are there: nothing made\n"


def test_cell_and_its_topics(world):
    added = world.ctl("cell", "add", "main", "--partitions", "3", "--replication-factor", "1", "--json").json()
    assert added["added"] and sorted(added["created"]) == sorted(cell_names("main"))
    check_topics(world.view, cell_names("main"), CELL_TOPICS, 3, 1)
    record = world.cell()
    assert record["epoch"] != 0 and record["partitions"] == 3 and abs(record["created_at"] / 1000 - time.time()) < 60
    assert f"{record['epoch'] & (1 << 64) - 1:016x}" == added["cell"]["epoch"]
    again = world.ctl("cell", "add", "main", "--partitions", "3", "--replication-factor", "1")
    assert "is there already" in again.out and "nothing made" in again.out
    assert world.ctl("topics", "apply", "--replication-factor", "1").out == "all 21 topics are there: nothing made\n"
    assert world.cell() == record
    assert len(world.view.messages("millrace.cells")) == 1, "a run without a change wrote"
    assert "fixed for its life" in world.ctl("cell", "add", "main", code=1).err
    for name in ("Main", "a_b", "x" * 33, "a.b"):
        world.ctl("cell", "add", name, code=1)
    listed = world.ctl("cell", "list", "--json").json()["cells"]
    assert [(c["name"], c["partitions"]) for c in listed] == [("main", 3)]
    assert re.search(r"^main +3 +0 +[0-9a-f]{16} ", world.ctl("cell", "list").out, re.M)


def test_topics_made_again_get_another_epoch(world):
    """Offsets start at 0 again: ids made of (epoch, partition, offset) must not."""
    epochs = [world.cell()["epoch"]]
    for gone in (["millrace.c.main.minutely"], cell_names("main")):
        world.view.delete(*gone)
        done = world.ctl("topics", "apply", "--replication-factor", "1")
        assert "new epoch" in done.out and "would" not in done.out
        epochs.append(world.cell()["epoch"])
    world.view.delete("millrace.c.main.incidents")  # keyed by incident: its offsets stand nowhere
    done = world.ctl("topics", "apply", "--replication-factor", "1", "--json").json()
    assert done["created"] == ["millrace.c.main.incidents"] and not done["epochs"]
    assert world.cell()["epoch"] == epochs[-1]
    assert len(set(epochs)) == 3, epochs
    check_topics(world.view, cell_names("main"), CELL_TOPICS, 3, 1)


def test_half_made_cells_are_completed(world):
    """Crashes of an earlier run: a record without topics, and with one of them."""
    for name in ("half", "quarter"):
        world.view.put("millrace.cells", name, world.view.encode("Cell", {"name": name, "epoch": 0, "partitions": 1,
                                                                           "created_at": 1}))
    world.view.admin.create_topics([NewTopic("millrace.c.half.samples", 1, 1)])["millrace.c.half.samples"].result(30)
    done = world.ctl("topics", "apply", "--replication-factor", "1", "--json", code=1).json()
    assert {line["topic"] for line in done["differences"]} == {"millrace.c.half.samples"}, done["differences"]
    assert {line["cell"] for line in done["epochs"]} == {"half", "quarter"}
    for name in ("half", "quarter"):
        assert world.cell(name)["epoch"] != 0 and world.cell(name)["created_at"] == 1
        assert set(cell_names(name)) <= set(world.view.topics())
    world.view.delete(*cell_names("half"), *cell_names("quarter"))
    for name in ("half", "quarter"):
        world.view.put("millrace.cells", name, None)


def test_killed_between_epoch_and_topics(world):
    """The new epoch is written before the first topic is made, never after; the next run draws again and ends the work."""
    fault = ("--test-clock", "--test-faults", "ctl-after-epoch", "--replication-factor", "1")
    assert world.ctl("cell", "add", "crash", "--partitions", "1", *fault, code=-signal.SIGKILL)
    first = world.cell("crash")
    assert first["epoch"] != 0 and not [name for name in world.view.topics() if ".crash." in name]
    world.ctl("cell", "add", "crash", "--partitions", "1", "--replication-factor", "1")
    second = world.cell("crash")
    assert second["epoch"] not in (0, first["epoch"]) and set(cell_names("crash")) <= set(world.view.topics())
    world.view.delete(*cell_names("crash"))
    world.ctl("topics", "apply", *fault, code=-signal.SIGKILL)
    assert world.cell("crash")["epoch"] not in (0, first["epoch"], second["epoch"])
    assert not [name for name in world.view.topics() if ".crash." in name], "topics under an old epoch"
    world.view.put("millrace.cells", "crash", None)


def test_differences_are_told_and_left(world):
    entry = ConfigEntry("retention.ms", "1000", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, "millrace.c.main.samples", incremental_configs=[entry])
    for future in world.view.admin.incremental_alter_configs([resource]).values():
        future.result(30)
    for future in world.view.admin.create_partitions([NewPartitions("millrace.notices", 2)]).values():
        future.result(30)
    world.view.wait_topics(lambda there: len(there["millrace.notices"].partitions) == 2, "two partitions")
    done = world.ctl("topics", "apply", "--replication-factor", "1", "--partitions-check", "--json", code=1).json()
    assert sorted((d["topic"], d["what"], d["is"], d["should"]) for d in done["differences"]) == [
        ("millrace.c.main.samples", "retention.ms", "1000", str(72 * HOUR)), ("millrace.notices", "partitions", "2", "1")]
    text = world.ctl("topics", "apply", "--replication-factor", "1", code=1).out
    assert "! topic millrace.c.main.samples: retention.ms is 1000, should be 259200000" in text
    assert world.view.settings(["millrace.c.main.samples"])["millrace.c.main.samples"]["retention.ms"] == "1000"
    world.view.delete("millrace.notices", "millrace.c.main.samples")
    world.ctl("topics", "apply", "--replication-factor", "1")


def test_sites(world):
    added = world.ctl("site", "add", "shop", "--cell", "main", "--name", "The Shöp", "--json").json()
    assert added["changed"] and added["site"]["routes"] == [{"effective_from": 0, "cell": "main", "shards": 2}]
    record = world.site()
    assert record == {"id": "shop", "name": "The Shöp", "disabled": False, "created_at": record["created_at"], "keys": [],
                      "routes": [{"effective_from": 0, "cell": "main", "shards": 2}],
                      "payloads_per_s": 0.0, "samples_per_s": 0.0, "series_cap": 0}
    assert added["site"]["created_at"] == record["created_at"] and abs(record["created_at"] / 1000 - time.time()) < 60
    assert "is there already" in world.ctl("site", "add", "shop", "--cell", "main").out
    for words, says in ((("shop", "--cell", "main", "--shards", "3"), "not like this"), (("x", "--cell", "nope"), 'no cell "nope"'),
                        (("x", "--cell", "main", "--shards", "4"), "cell main has 3 partitions"), (("X", "--cell", "main"), "only a-z"),
                        (("x", "--cell", "main", "--name", "a\nb"), "control characters")):
        assert says in world.ctl("site", "add", *words, code=1).err
    assert "~ site shop disabled" in world.ctl("site", "disable", "shop").out and world.site()["disabled"]
    assert "disabled already" in world.ctl("site", "disable", "shop").out
    assert re.search(r"^shop +The Shöp +main +2 +disabled +none$", world.ctl("site", "list").out, re.M)
    world.ctl("site", "enable", "shop")
    assert not world.site()["disabled"]
    assert 'no site "nope"' in world.ctl("site", "disable", "nope", code=1).err


def test_keys(world):
    made = [world.ctl("key", "create", "shop", "--json").json() for _ in range(2)]
    for key in made:
        assert set(key) == {"id", "key"} and re.fullmatch(r"mr_[A-Za-z0-9_-]{43}", key["key"]) and key["key"].startswith(key["id"])
    stored = world.site()["keys"]
    assert [k["sha256"] for k in stored] == [hashlib.sha256(k["key"].encode()).digest() for k in made]
    assert [k["id"] for k in stored] == [k["id"] for k in made]
    assert "revoke one first" in world.ctl("key", "create", "shop", code=1).err
    assert "has no key" in world.ctl("key", "revoke", "shop", "mr_nope", code=1).err
    world.ctl("key", "revoke", "shop", made[0]["id"])
    assert [k["id"] for k in world.site()["keys"]] == [made[1]["id"]]
    shown = world.ctl("key", "create", "shop")
    assert re.fullmatch(r"mr_[A-Za-z0-9_-]{43}\n", shown.out), "scripts read the key alone from standard output"
    assert "no site" in world.ctl("key", "create", "nope", code=1).err
    everything = b"".join(m.value() or b"" for name in CONTROL_NAMES for m in world.view.messages(name))
    for key in [k["key"] for k in made] + [shown.out.strip()]:
        assert key.encode() not in everything, "a key stands in a topic"


def test_notices_tell_of_every_change(world):
    """Since their topic was made again: what the cases above did, in order, and by whom."""
    notices = world.notices()
    assert [(n["event"], n["cell"], n["site"]) for n in notices] == [
        ("topics_made", None, None), ("topics_made", "main", None), ("site_added", "main", "shop"),
        ("site_disabled", None, "shop"), ("site_enabled", None, "shop"), ("key_created", None, "shop"),
        ("key_created", None, "shop"), ("key_revoked", None, "shop"), ("key_created", None, "shop")]
    assert {(n["author"], n["program"]) for n in notices} == {("tester", "millrace-ctl")}
    assert notices[3]["severity"] == "warning" and notices[3]["text"] == "site shop disabled"
    fields = notices[1]["fields"]
    assert fields["epoch"] == f"{world.cell()['epoch'] & (1 << 64) - 1:016x}" == json.loads(fields["after"])["epoch"] and fields["topics"] == "1"
    assert json.loads(fields["before"])["epoch"] not in ("0" * 16, fields["epoch"])
    sites = [(n["fields"]["before"], n["fields"]["after"]) for n in notices if n["site"] == "shop"]
    assert sites[0][0] == "null" and all(after == before for (_, after), (before, _) in zip(sites, sites[1:])), sites
    assert json.loads(sites[-1][1])["keys"] == [{"id": k["id"], "sha256": k["sha256"].hex(), "created_at": k["created_at"]}
                                                for k in world.site("shop")["keys"]]


def restored(export, view):
    """An export with the epochs that its cells have over there."""
    cells = view.table("millrace.cells")
    return {**export, "cells": [{**cell, "epoch": f"{cells[cell['name']]['epoch'] & (1 << 64) - 1:016x}"} for cell in export["cells"]]}


def test_export_goes_round(world):
    """Onto an empty cluster of three brokers: the same records, other epochs, three copies of everything."""
    more = [{"id": f"site-{n}", "routes": [{"effective_from": 0, "cell": "main", "shards": 1 + n % 3}], "name": f'"{n}" \\ <ä€🛒>',
             "disabled": n == 3, "samples_per_s": n / 7} for n in range(12)]
    export = world.exported()
    world.ctl("apply", "-f", world.file({**export, "sites": export["sites"] + more}), "--replication-factor", "1")
    world.ctl("key", "create", "site-3")
    other_view, other_ctl = world.other()
    path = world.directory / "export.json"
    assert f" bytes written to {path}" in world.ctl("export", "-o", str(path)).out
    assert path.stat().st_mode & 0o777 == 0o600
    export = json.loads(path.read_text())
    assert export == world.exported() and len(export["sites"]) == 13 and len(export["cells"]) == 1
    dry = other_ctl("apply", "-f", str(path), "--dry-run")
    assert "14 records would be added" in dry.out and not other_view.topics()
    done = other_ctl("apply", "-f", str(path), "--json").json()
    assert len(done["changes"]) == 14 and len(done["created"]) == 21 and not done["differences"]
    back = other_ctl("export").json()
    assert back == restored(export, other_view)
    assert back["cells"][0]["epoch"] not in (export["cells"][0]["epoch"], "0" * 16)
    assert other_view.table("millrace.sites") == world.view.table("millrace.sites")
    check_topics(other_view, CONTROL_NAMES, CONTROL_TOPICS, 1, 3)
    check_topics(other_view, cell_names("main"), CELL_TOPICS, 3, 3)
    again = other_ctl("apply", "-f", "-", given=path.read_text())
    assert again.out == "all 21 topics are there: nothing made\nall records are as the file says: nothing to change\n"
    assert other_ctl("export").json() == back, "an old epoch came back"
    told = [n["event"] for n in other_view.records("millrace.notices")]
    assert sorted(told) == sorted(["topics_made"] * 2 + ["cell_added"] + ["site_added"] * 13)
    assert "all 21 topics are there" in other_ctl("topics", "apply", "--partitions-check").out


def tight(size):
    """What a disk that is full does: no file grows beyond a size, and who tries is told so."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_an_export_that_cannot_be_written_leaves_the_one_before(world):
    folder = world.directory / "exports"
    folder.mkdir()
    path = folder / "export.json"
    for kept in (None, "the one before"):
        if kept:
            path.write_text(kept)
        for size in (0, 100):
            done = world.ctl("export", "-o", str(path), code=2, before=lambda: tight(size))
            assert f"cannot write {path}: File too large" in done.err and not done.out, done
            assert [each.read_text() for each in folder.iterdir()] == ([kept] if kept else []), "a torn file is left"
    done = world.ctl("export", "-o", str(folder / "missing" / "export.json"), code=2)
    assert f"cannot write {folder}/missing/export.json: No such file or directory" in done.err and not done.out, done
    path.unlink()
    path.mkdir()  # written, but the name is taken
    done = world.ctl("export", "-o", str(path), code=2)
    assert f"cannot write {path}: Is a directory" in done.err and [*folder.iterdir()] == [path], done


def test_apply_is_a_difference(world):
    wanted = world.exported()
    wanted["cells"].append({"name": "eu", "partitions": 1})
    shop = next(site for site in wanted["sites"] if site["id"] == "shop")
    later = (int(time.time()) // 60 + 60) * 60000
    shop |= {"name": "Shop", "payloads_per_s": 0.5, "series_cap": 7}
    shop["routes"].append({"effective_from": later, "cell": "eu", "shards": 1})
    next(site for site in wanted["sites"] if site["id"] == "site-7")["name"] = "é€" * 51  # its notice is cut inside a character
    gone = next(site["id"] for site in wanted["sites"] if site["id"] == "site-5")
    wanted["sites"] = [site for site in wanted["sites"] if site["id"] != gone] + [
        {"id": "new", "routes": [{"effective_from": 0, "cell": "eu", "shards": 1}]}]
    path = world.file(wanted)
    before = world.exported()
    local = ("--replication-factor", "1")
    says = ('+ cell eu: 1 partitions', '+ site new: cell eu, 1 shards, 0 keys',
            f'~ site shop: name "The Shöp" -> "Shop", number of routes 1 -> 2, routes[1] from {later} on: cell eu, 1 shards, '
            'payloads_per_s 0 -> 0.5, series_cap 0 -> 7')
    dry = world.ctl("apply", "-f", path, "--dry-run", *local).out
    assert all(line in dry for line in says), dry
    assert world.exported() == before and "millrace.c.eu.samples" not in world.view.topics()
    done = world.ctl("apply", "-f", path, *local).out
    assert all(line in done for line in says) and "2 records added, 2 changed, 0 removed" in done and "- site" not in done
    assert world.site()["routes"][1] == {"effective_from": later, "cell": "eu", "shards": 1}
    assert gone in world.view.table("millrace.sites"), "removed without being told to"
    pruned = world.ctl("apply", "-f", path, "--prune", *local).out
    assert f"- site {gone}:" in pruned and "0 records added, 0 changed, 1 removed" in pruned
    assert gone not in world.view.table("millrace.sites") and "nothing to change" in world.ctl("apply", "-f", path, "--prune", *local).out
    events = [(n["event"], n["site"] or n["cell"]) for n in world.notices()]
    assert events[-6:] == [("topics_made", "eu"), ("cell_added", "eu"), ("site_added", "new"), ("site_changed", "shop"),
                           ("site_changed", "site-7"), ("site_removed", gone)]


def test_apply_refuses_and_names_the_place(world):
    good = json.dumps(world.exported(), indent=1)
    line = next(n for n, text in enumerate(good.splitlines(), 1) if '"shop"' in text)
    before = world.exported()
    routes = [{"effective_from": 0, "cell": "main", "shards": 2}]
    soon = (int(time.time()) // 60 + 5) * 60000
    for content, says in (
            ("", "line 1: the document is empty"), (good[:-3], "premature EOF"), ("[" * 100000, "nested too deeply"),
            (good.replace('"shards": 2', '"shards": "2"', 1), "].routes[0].shards: must be a number"),
            (good.replace('"Shop"', '"\\u0007"', 1), "sites[1]: site shop: a site's name may hold no control characters"),
            (good.replace('"version": 1', '"version": 9'), "this millrace-ctl reads version 1"),
            (good.replace('"partitions": 3', '"partitions": 4'), "cell main has 3 partitions, fixed for its life"),
            (good.replace('"id": "shop"', '"id": "shop", "colour": 1'), f"line {line}, sites["),
            ({**before, "sites": [{"id": "x", "routes": [{**routes[0], "cell": "nope"}]}]}, 'site x: there is no cell "nope"'),
            ({**before, "sites": [{"id": "shop", "routes": [{**routes[0], "shards": 1}]}]}, "routes[0] is in force"),
            ({**before, "sites": [{"id": "shop", "routes": [*routes, {**routes[0], "effective_from": soon}]}]}, "15 minutes ahead")):
        done = world.ctl("apply", "-f", world.file(content), "--replication-factor", "1", code=1)
        assert says in done.err, f"{done.err} does not say {says}"
    assert "No such file" in world.ctl("apply", "-f", "/no/such/file", code=2).err
    assert world.exported() == before


def test_unreadable_and_newer_records(world):
    """Junk is told of and can be replaced; what a newer program wrote is left alone."""
    world.view.put("millrace.sites", "junk", b"\0\0\0\0\x02junk")
    world.view.put("millrace.sites", "newer", b"\0\0\0\x30\x39body")
    listed = world.ctl("site", "list")
    assert 'site "junk" cannot be read' in listed.err and 'site "newer" cannot be read' in listed.err and "shop" in listed.out
    assert "not complete" in world.ctl("export", code=1).err
    assert "newer millrace-ctl" in world.ctl("site", "add", "newer", "--cell", "main", code=1).err
    world.ctl("site", "add", "junk", "--cell", "main")
    assert world.view.decode([m for m in world.view.messages("millrace.sites") if m.key() == b"junk"][-1].value())["name"] == "junk"
    for key in ("junk", "newer"):
        world.view.put("millrace.sites", key, None)
    assert not world.ctl("site", "list").err


def test_two_at_once_are_told(world):
    """Six operators change one site at once. The last write wins, and whoever replaced another's says so."""
    running = [world.ctl.start("key", "create", "new", "--json") for _ in range(6)]
    ended = [(process.communicate(timeout=60), process.returncode) for process in running]
    keys = [json.loads(out)["id"] for (out, _), code in ended if code == 0]
    errors = [err for (_, err), code in ended if code]
    assert all("at the same time" in err or "revoke one first" in err for err in errors), errors
    kept = [key["id"] for key in world.site("new")["keys"]]
    lost = [key for key in keys if key not in kept]
    assert len(kept) <= 2 and (not lost or any("at the same time" in err for err in errors)), f"{lost} lost in silence: {ended}"
    print(f"     {len(keys)} made, {len(lost)} of them replaced, {sum('at the same time' in e for e in errors)} told")


def test_times_are_virtual_on_a_test_clock(world):
    now, start = int(time.time() * 1000), 1_600_000_000_000
    world.ctl("site", "add", "past", "--cell", "main", "--test-clock", "--set", f"clock.start_ms={start}", "--set",
              f"clock.real_ms={now}", "--set", "clock.speed=60")
    assert 0 <= world.site("past")["created_at"] - start < 60 * 60000
    assert "needs --test-clock" in world.ctl("site", "list", "--set", f"clock.start_ms={start}", code=2).err


def beat(world, program, cell, ready=True, age_ms=0, interval_ms=60000, instance="t"):
    """A heartbeat as a program sends it, of some age."""
    now = int(time.time() * 1000) - age_ms
    record = {"program": f"millrace-{program}", "instance": instance, "build": "1", "host": "h", "admin": "", "cell": cell,
              "started_at": now - 7_265_000, "sent_at": now, "interval_ms": interval_ms, "ready": ready, "controls": [], "figures": {}}
    world.view.put("millrace.heartbeats", f"millrace-{program}/{instance}", world.view.encode("Heartbeat", record), timestamp=now)


def commit(world, group, topic, partition, offset):
    """As the owner of a partition does."""
    consumer = Consumer({"bootstrap.servers": world.view.brokers, "group.id": group, "enable.auto.commit": False, "log_level": 0})
    consumer.commit(offsets=[TopicPartition(topic, partition, offset)], asynchronous=False)
    consumer.close()


def test_status(world):
    alone = world.ctl("status", code=1)
    assert "none has sent a heartbeat" in alone.out and "cell main has no processor that is ready" in alone.out
    for cell in ("main", "eu"):
        for program in ("processor", "sink"):
            beat(world, program, cell, instance=cell)
    beat(world, "ingest", None)
    assert world.ctl("status").out.splitlines()[0].endswith(": 1 broker, 2 cells, 14 sites: all well")
    for partition, records in ((0, 3), (2, 5)):
        for _ in range(records):
            world.view.put("millrace.c.main.samples", None, b"x", partition)
    commit(world, "millrace-processor-main", "millrace.c.main.samples", 2, 1)
    done = world.ctl("status", "--json", "--max-lag", "7", "--max-age", "1d").json()
    groups = {group["group"]: group for group in done["groups"]}
    assert set(groups) == {f"millrace-{p}-{c}" for p in ("processor", "sink", "notify") for c in ("main", "eu")}
    group = groups["millrace-processor-main"]
    assert group["lag"] == 7 and group["worst"] == {"topic": "samples", "partition": 2, "lag": 4}
    assert [(p["committed"], p["end"], p["lag"]) for p in group["partitions"] if p["topic"] == "samples"] == [
        (-1, 3, 3), (-1, 0, 0), (1, 5, 4)]
    assert done["well"] and [p["state"] for p in done["programs"]] == ["ready"] * 5
    text = world.ctl("status", "--max-lag", "6", code=1).out
    assert re.search(r"^  millrace-processor-main +7 +[\d ms]+ +2 d 23 h$", text, re.M) and re.search(r"^    samples +7 +[\d ms]+ +2 d 23 h  3 0 4$", text, re.M), text
    assert re.search(r"^  delayed +millrace-processor-main is 7 records behind \(more than 6\)$", text, re.M) and "\033" not in text, text
    assert re.search(r"^  sink +eu +eu +ready +2 h \d m  \?$", text, re.M) and "\nPrograms, all of build 1\n" in text, text


def test_status_is_not_content(world):
    """One thing at a time; each ends as it began."""
    for spoil, mend, says in (
            (lambda: beat(world, "sink", "eu", instance="eu", ready=False), lambda: beat(world, "sink", "eu", instance="eu"),
             "millrace-sink/eu is not ready"),
            (lambda: beat(world, "sink", "eu", instance="eu", age_ms=190_000), lambda: beat(world, "sink", "eu", instance="eu"),
             "millrace-sink/eu: no heartbeat for 3 m"),
            (lambda: world.view.put("millrace.heartbeats", "millrace-processor/eu", None), lambda: beat(world, "processor", "eu", instance="eu"),
             "cell eu has no processor that is ready"),
            (lambda: beat(world, "sink", "eu", instance="old", age_ms=2 * HOUR), None, None)):
        spoil()
        if says:
            assert says in world.ctl("status", code=1).out
            mend()
        done = world.ctl("status")
    assert "1 former instance is gone" in done.out


def ask_nobody(answers):
    """A call to a port where nobody listens, timed."""
    begun = time.monotonic()
    answers.put((Ctl("127.0.0.1:1")("cell", "list", code=2), time.monotonic() - begun))


def main():
    with tempfile.TemporaryDirectory(prefix="millrace-ctl-") as directory:
        world = World(Path(directory))
        try:
            world.start()
            cases.run(globals(), world)
        finally:
            world.wipe()


main()
