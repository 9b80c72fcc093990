#!/usr/bin/env python3
"""Controls and limits by millrace-ctl: on a real cluster, and at an admin port with no Kafka at all.

What it writes is read back by clients that are not ours (kafka_view.py). The programs that obey are stood in for here: a reader of the
topic that answers with heartbeats, and an HTTP server that takes the token and decodes what is put. Cases run in order on one world.
"""
import http.server
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(Path(__file__).resolve().parent)]
import cases  # noqa: E402
from confluent_kafka import Consumer, TopicPartition  # noqa: E402
from kafka_view import View  # noqa: E402
from millrace_local import BINARIES, Stack, free_base_port  # noqa: E402

CTL = BINARIES / "millrace-ctl"
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("MILLRACE_")}  # those would be settings
TOKEN = "a-token-of-some-length"
MINUTE = 60 * 1000
CLOSE = ("control", "set", "--on", "ingest", "--do", "close")
WHY = ("--reason", "the cellar burns", "--for", "2h")


def now_ms():
    return int(time.time() * 1000)


def ctl(*words, code=0):
    """One command, which must end with this code: (its standard output, its standard error)."""
    done = subprocess.run([CTL, "--author", "tester", *words], text=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
                          env=ENVIRONMENT)
    assert done.returncode == code, f"{words}: exit {done.returncode}, not {code}\n{done.stdout}{done.stderr}"
    return done.stdout, done.stderr


class Instance:
    """A program that obeys: follows the topic, and says so by heartbeats. deaf: it is alive, and does not."""

    def __init__(self, view, name, program="ingest", cell=None, deaf=False):
        self.view, self.name, self.program, self.cell, self.deaf = view, name, program, cell, deaf
        self.ids, self.ended, self.following = set(), threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self.follow)

    def __enter__(self):
        self.beat()
        self.thread.start()
        assert self.following.wait(30)
        return self

    def __exit__(self, *failure):
        self.ended.set()
        self.thread.join()
        self.view.put("millrace.heartbeats", f"millrace-{self.program}/{self.name}", None)

    def beat(self):
        at = now_ms()
        record = {"program": f"millrace-{self.program}", "instance": self.name, "build": "1", "host": "h", "admin": "", "cell": self.cell,
                  "started_at": at, "sent_at": at, "interval_ms": 60000, "ready": True, "controls": sorted(self.ids), "figures": {}}
        self.view.put("millrace.heartbeats", f"millrace-{self.program}/{self.name}", self.view.encode("Heartbeat", record))

    def follow(self):
        consumer = Consumer({"bootstrap.servers": self.view.brokers, "group.id": self.name, "enable.auto.commit": False, "log_level": 0,
                             "enable.partition.eof": True, "fetch.wait.max.ms": 20})
        consumer.assign([TopicPartition("millrace.controls", 0, 0)])
        while not self.ended.is_set():
            message = consumer.poll(0.1)
            if message is None or self.deaf or message.error():
                if message is not None:
                    self.following.set()
                continue
            key = message.key().decode()
            if key.startswith(self.program + "/"):
                (self.ids.add if message.value() else self.ids.discard)(key)
                self.beat()
        consumer.close()


class World:
    """One broker with the control plane, a cell and a site."""

    def __init__(self, directory):
        self.directory = directory
        self.stack = Stack(directory / "stack", base_port=free_base_port(25200))

    def start(self):
        self.stack.up()
        self.brokers = self.stack.env()["KAFKA"]
        self.view = View(self.brokers)
        self.ctl("topics", "apply", "--replication-factor", "1")
        self.ctl("cell", "add", "main", "--partitions", "2", "--replication-factor", "1")
        self.ctl("site", "add", "shop", "--cell", "main")
        self.token = directory_file(self.directory, "token", TOKEN + "\n", 0o600)

    def ctl(self, *words, code=0):
        return ctl("--kafka", self.brokers, *words, code=code)

    def controls(self):
        return self.view.table("millrace.controls")

    def notices(self, event):
        return [notice for notice in self.view.records("millrace.notices") if notice["event"] == event]

    def put(self, key, **changes):
        """A record of ingest/close as somebody writes it."""
        record = {"id": key, "on": "ingest", "action": "close", "cell": None, "site": None, "kind": None, "trigger": None, "reason": "r",
                  "author": "a", "created_at": now_ms(), "expires_at": now_ms() + MINUTE, **changes}
        self.view.put("millrace.controls", key, self.view.encode("Control", record))


def directory_file(directory, name, text, mode):
    path = directory / name
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def test_what_is_wrong_is_told(world):
    for words, says in (((*CLOSE, "--kind", "hourly", *WHY), "ingest close takes no kind: its scope is all, cell, site"),
                        (("control", "set", "--on", "ingest", "--do", "mute", *WHY), "ingest does not know"),
                        (("control", "set", "--on", "ingst", "--do", "close", *WHY), "there are ingest, processor, sink, notify"),
                        (("control", "set", "--on", "sink", "--do", "drop", "--kind", "hourli", *WHY), "a sink stores minutely, hourly, errors"),
                        (("control", "set", "--on", "sink", "--do", "drop", "--kind", "exemplars", *WHY), "a sink stores minutely"),
                        ((*CLOSE, "--site", "shpo", *WHY), 'there is no site "shpo"'), ((*CLOSE, "--cell", "mian", *WHY), "no cell"),
                        ((*CLOSE, "--reason", "a\nb", "--for", "1h"), "control characters"),
                        ((*CLOSE, "--reason", "x" * 256, "--for", "1h"), "the reason has 256 bytes"),
                        (("control", "clear", "--id", "ingest/close"), 'there is no control "ingest/close"'),
                        (("control", "clear", "--on", "ingest"), "give --id ID, or --on and --do"),
                        (("control", "clear", "--id", "x", "--site", "shop"), "--site cannot stand beside it"),
                        (("site", "limit", "shop"), "which limit?"), (("site", "limit", "shpo", "--samples-per-s", "1"), "no site")):
        assert says in world.ctl(*words, code=1)[1], words
    assert "--token-file goes with --admin" in world.ctl("control", "list", "--token-file", world.token, code=2)[1]
    assert not world.controls() and world.ctl("control", "list")[0] == "no control is in force\n"


def test_a_control_as_a_stranger_reads_it(world):
    begun = now_ms()
    out, err = world.ctl(*CLOSE, "--site", "shop", *WHY)
    assert re.fullmatch(r"\+ control ingest/close/site=shop until \d{4}-.*Z \(2 h 0 m\)\n", out), out
    assert "no ingest is alive that this is for" in err
    assert set(world.controls()) == {"ingest/close/site=shop"}
    record = world.controls()["ingest/close/site=shop"]
    assert begun <= record["created_at"] <= now_ms() and record["expires_at"] - record["created_at"] == 120 * MINUTE
    assert record == {"id": "ingest/close/site=shop", "on": "ingest", "action": "close", "cell": None, "site": "shop", "kind": None,
                      "trigger": None, "reason": "the cellar burns", "author": "tester", "created_at": record["created_at"],
                      "expires_at": record["expires_at"]}
    notice, = world.notices("control_set")
    assert (notice["author"], notice["site"], notice["cell"], notice["severity"]) == ("tester", "shop", None, "warning")
    assert notice["text"].startswith("control ingest/close/site=shop set until ") and notice["text"].endswith(": the cellar burns")
    assert notice["fields"]["id"] == "ingest/close/site=shop" and notice["fields"]["reason"] == "the cellar burns"


def test_obeyed_by_all(world):
    with Instance(world.view, "a") as a, Instance(world.view, "b"), Instance(world.view, "s", program="sink", cell="main"):
        begun = time.monotonic()
        out, err = world.ctl(*CLOSE, *WHY)
        assert "\nobeyed by ingest/a, ingest/b\n" in out and not err and time.monotonic() - begun < 4
        assert a.ids == {"ingest/close", "ingest/close/site=shop"}
        again = json.loads(world.ctl(*CLOSE, "--reason", "still", "--for", "30d", "--json")[0])
        assert again["obeyed_by"] == 2 and again["not_obeyed_by"] == 0 and again["id"] == "ingest/close"
        listed = {c["id"]: c for c in json.loads(world.ctl("control", "list", "--json")[0])["controls"]}
        assert sorted(listed) == ["ingest/close", "ingest/close/site=shop"] and listed["ingest/close"]["reason"] == "still"
        assert listed["ingest/close"]["obeyed_by"] == ["millrace-ingest/a", "millrace-ingest/b"] and "site" not in listed["ingest/close"]
        text = world.ctl("control", "list")[0]
        assert re.search(r"^CONTROL +LEFT +OBEYED +AUTHOR +REASON$", text, re.M)
        assert re.search(r"^ingest/close +29 d 23 h  2 of 2  tester  still$", text, re.M), text
        assert re.search(r"^ingest/close/site=shop +1 h 59 m  2 of 2  tester  the cellar burns$", text, re.M), text
        out, err = world.ctl("control", "clear", "--on", "ingest", "--do", "close")
        assert out == "- control ingest/close\n" and not err and a.ids == {"ingest/close/site=shop"}
    assert set(world.controls()) == {"ingest/close/site=shop"}
    cleared, = world.notices("control_cleared")
    assert cleared["fields"]["id"] == "ingest/close" and cleared["fields"]["after"] == "null"
    assert cleared["fields"]["before"] == world.notices("control_set")[-1]["fields"]["after"]


def test_not_obeyed_by_one(world):
    with Instance(world.view, "a"), Instance(world.view, "deaf", deaf=True):
        out, err = world.ctl(*CLOSE, "--cell", "main", *WHY, code=1)
        assert "obeyed by ingest/a\n" in out and "not acknowledged within 5 s by ingest/deaf" in err
        text = world.ctl("control", "list")[0]
        assert re.search(r"cell=main +1 h 59 m  1 of 2 ", text) and "ingest/close/cell=main is not obeyed by ingest/deaf" in text
        world.ctl("control", "clear", "--id", "ingest/close/cell=main")
        assert world.notices("control_cleared")[-1]["cell"] == "main"


def test_expired_and_unreadable(world):
    world.put("ingest/close", expires_at=now_ms() - 1, created_at=now_ms() - MINUTE)
    world.put("ingest/close/site=x", site="y")
    world.view.put("millrace.controls", "notify/drop", b"junk")
    out, err = world.ctl("control", "list")
    assert "ingest/close/site=shop" in out and len(out.splitlines()) == 2, out
    assert 'control "ingest/close/site=x" cannot be read: ' in err and 'control "notify/drop" cannot be read' in err
    for key in ("ingest/close", "ingest/close/site=x", "notify/drop"):
        world.ctl("control", "clear", "--id", key)
    assert set(world.controls()) == {"ingest/close/site=shop"} and not world.ctl("control", "list")[1]


def test_export_leaves_controls_out(world):
    assert set(json.loads(world.ctl("export")[0])) == {"format", "version", "cells", "sites", "receivers", "triggers"}


def test_confirm_shrink(world):
    with Instance(world.view, "a") as a:
        assert "(10 m 0 s)\nobeyed by ingest/a\n" in world.ctl("site", "confirm-shrink", "--reason", "half have left")[0]
        assert "ingest/accept_shrink" in a.ids
    record = world.controls()["ingest/accept_shrink"]
    assert record["action"] == "accept_shrink" and record["site"] is None and record["expires_at"] - record["created_at"] == 10 * MINUTE


def test_site_limits(world):
    before = world.view.table("millrace.sites")["shop"]
    out = world.ctl("site", "limit", "shop", "--samples-per-s", "2500.5")[0]
    assert out == "~ site shop: samples_per_s 0 -> 2500.5\n"
    assert world.view.table("millrace.sites")["shop"] == {**before, "samples_per_s": 2500.5}
    assert world.notices("site_limited")[-1]["text"] == "site shop: samples_per_s 0 -> 2500.5"
    shown = world.ctl("site", "show", "shop")[0]
    assert re.search(r"^payloads a second +no limit$", shown, re.M) and re.search(r"^samples a second +2500.5$", shown, re.M), shown
    assert re.search(r"^route +cell main, 2 shards, from the beginning$", shown, re.M), shown
    changed = json.loads(world.ctl("site", "limit", "shop", "--payloads-per-s", "0.5", "--samples-per-s", "0", "--json")[0])
    assert changed["changed"] and (changed["site"]["payloads_per_s"], changed["site"]["samples_per_s"]) == (0.5, 0)
    assert json.loads(world.ctl("site", "show", "shop", "--json")[0])["site"] == changed["site"]
    assert world.ctl("site", "limit", "shop", "--series", "5000")[0] == "~ site shop: series_cap 0 -> 5000\n"
    assert world.view.table("millrace.sites")["shop"]["series_cap"] == 5000
    assert world.ctl("site", "limit", "shop", "--series", "0")[0] == "~ site shop: series_cap 5000 -> 0\n"
    assert "already" in world.ctl("site", "limit", "shop", "--payloads-per-s", "0.5")[0] and len(world.notices("site_limited")) == 4


class Port(http.server.BaseHTTPRequestHandler):
    """An instance's /controls: as common/admin.h says, by a library that is not ours."""

    def do(self):
        url = urllib.parse.urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((self.command, url.path, urllib.parse.parse_qs(url.query), body))
        status, answer = 204, b""
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            status, answer = 401, b"this wants the token"
        elif self.command == "GET":
            status, answer = 200, json.dumps(self.server.listed).encode()
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_PUT = do_DELETE = do

    def log_message(self, *line):
        pass


def test_by_the_admin_port_without_kafka(world):
    port = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Port)
    port.asked, port.listed = [], {"controls": []}
    threading.Thread(target=port.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{port.server_port}"
    admin = ("--admin", url, "--token-file", world.token)
    try:
        out, err = ctl(*CLOSE, "--site", "not-in-any-table", *WHY, *admin)
        assert re.fullmatch(rf"\+ control ingest/close/site=not-in-any-table until .* \(2 h 0 m\), at {url} only\n", out) and not err, out
        method, path, query, body = port.asked.pop()
        record = world.view.decode(body)
        assert (method, path, query) == ("PUT", "/controls", {}) and record["site"] == "not-in-any-table" and record["author"] == "tester"
        assert ctl("control", "list", *admin)[0] == "no control is in force\n"
        port.listed = {"controls": [{**{k: v for k, v in record.items() if v is not None}}]}
        assert re.search(r"site=not-in-any-table  1 h 59 m  here    tester  the cellar burns$", ctl("control", "list", *admin)[0], re.M)
        assert json.loads(ctl("control", "list", "--json", *admin)[0]) == port.listed
        port.listed["controls"][0]["site"] = "another"
        assert "is no list of controls" in ctl("control", "list", *admin, code=1)[1]
        port.listed = {"controls": []}
        assert ctl("control", "clear", "--id", record["id"], *admin)[0] == f"- control {record['id']}, at {url} only\n"
        assert port.asked.pop()[:3] == ("DELETE", "/controls", {"id": [record["id"]]})
        ctl("site", "confirm-shrink", "--reason", "r", *admin)
        assert world.view.decode(port.asked.pop()[3])["id"] == "ingest/accept_shrink"
        nothing = len(port.asked)
        wrong = directory_file(world.directory, "wrong", "another-token-than-that", 0o600)
        for words, code, says in ((("--token-file", wrong), 1, "answers 401: this wants the token"),
                                  (("--token-file", directory_file(world.directory, "open", TOKEN, 0o644)), 1, "chmod o-rwx"),
                                  (("--token-file", directory_file(world.directory, "short", "short", 0o600)), 1, "16 to 512"),
                                  ((), 1, "give --token-file FILE, or set admin.token_file")):
            assert says in ctl("control", "list", "--admin", url, *words, code=code)[1]
        assert len(port.asked) == nothing + 1
        ctl("control", "list", "--admin", url, "--set", f"admin.token_file={world.token}")
    finally:
        port.shutdown()
    assert "127.0.0.1 port 1" in ctl("control", "list", "--admin", "http://127.0.0.1:1", "--token-file", world.token, code=2)[1]


def main():
    with tempfile.TemporaryDirectory(prefix="millrace-control-") as directory:
        world = World(Path(directory))
        try:
            world.start()
            cases.run(globals(), world)
        finally:
            world.stack.wipe()


main()
