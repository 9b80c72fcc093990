#!/usr/bin/env python3
"""What operators say on the status page, by millrace-ctl on a real cluster: read from the topic by fastavro, and by the page's admin port where Kafka is gone.

What the page would have written is written here. Its admin port is a faked one, which answers as told and keeps what it was given, and in the last case its own. Cases run in
order on one world.
"""
import contextlib
import http.server
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(Path(__file__).resolve().parent)]
import cases  # noqa: E402
from confluent_kafka import Producer  # noqa: E402
from kafka_view import View  # noqa: E402
from millrace_local import BINARIES, Process, Stack, free_base_port, free_ports  # noqa: E402

CTL = BINARIES / "millrace-ctl"
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("MILLRACE_")}  # those would be settings
TOPIC = "millrace.status"
MINUTE, HOUR = 60 * 1000, 3600 * 1000
TOKEN = "a-token-of-some-length"
NOTHING = {"phase": None, "impact": None, "components": [], "title": "", "text": "", "opened_at": None, "publish_at": None, "recovery_at": None, "timeline": []}


def run(*words, code=0, given=None, author="tester"):
    done = subprocess.run([CTL, "--author", author, *words], text=True, input=given, capture_output=True, timeout=60, env=ENVIRONMENT)
    assert done.returncode == code, f"millrace-ctl {' '.join(words)}: exit {done.returncode}, not {code}\n{done.stdout}{done.stderr}"
    return done


class World:
    """One broker with the control plane and one cell."""

    def __init__(self, directory):
        self.directory = directory
        self.stack = Stack(directory / "stack", base_port=free_base_port(25500))

    def start(self):
        self.stack.up()
        self.brokers = self.stack.env()["KAFKA"]
        self.view = View(self.brokers)
        self.ctl("topics", "apply", "--replication-factor", "1")
        self.ctl("cell", "add", "main", "--partitions", "2", "--replication-factor", "1")
        self.token = self.directory / "token"
        self.token.write_text(TOKEN)
        self.token.chmod(0o600)

    def ctl(self, *words, **how):
        return run("--kafka", self.brokers, *words, **how)

    def incident(self, *words, **how):
        """The incident that a command tells of."""
        return json.loads(self.ctl("incident", *words, "--json", **how).stdout)["incident"]

    def entries(self):
        return self.view.records(TOPIC)

    def newest(self, before):
        """The one entry that a command has written, without what differs each time."""
        entries = self.entries()
        assert len(entries) == before + 1, entries[before:]
        entry = dict(entries[-1])
        assert re.fullmatch("[0-9a-f]{16}", entry.pop("entry")) and abs(entry.pop("at") - time.time() * 1000) < 60000, entries[-1]
        return entry

    def page_says(self, incident, **fields):
        """An entry as millrace-status writes it."""
        entry = {**NOTHING, "incident": incident, "entry": os.urandom(8).hex(), "at": int(time.time() * 1000), "author": None, **fields}
        producer = Producer({"bootstrap.servers": self.brokers, "acks": "all", "log_level": 0})
        producer.produce(TOPIC, self.view.encode("StatusEntry", entry), f"{incident}/{entry['entry']}")
        assert producer.flush(30) == 0

    def decodable(self):
        """The entries without those that a case has spoilt."""
        return [self.view.decode(message.value()) for message in self.view.messages(TOPIC) if message.value()[:5] == self.view.encode("StatusEntry", {
            **NOTHING, "incident": "i", "entry": "0" * 16, "at": 0, "author": None, "action": "post"})[:5]]

    def notices(self, event):
        return [notice for notice in self.view.records("millrace.notices") if notice["event"] == event]


def test_draft(world):
    before = len(world.entries())
    done = world.incident("draft", "--component", "storage/main", "--component", "alerts", "--title", "Slow", "--text", "It is slow.")
    entry = world.newest(before)
    assert re.fullmatch(r"\d{8}-\d{4}-storage-main-[0-9a-f]{4}", entry["incident"]) and done["id"] == entry["incident"], entry
    assert entry == {**NOTHING, "incident": done["id"], "author": "tester", "action": "draft", "impact": "degraded", "components": ["storage/main", "alerts"], "title": "Slow",
                     "text": "It is slow."}, entry
    assert done["state"] == "draft" and done["edited"] and done["phase"] == "investigating", done
    [notice] = world.notices("status_drafted")
    assert notice["author"] == "tester" and done["id"] in notice["text"] and dict(notice["fields"])["title"] == "Slow", notice
    world.first = done["id"]


def test_draft_of_the_page_becomes_the_operators(world):
    world.page_says("20261127-1000-push", action="draft", phase="investigating", impact="major_outage", components=["push"], title="Down", text="Nothing is taken.",
                    opened_at=int(time.time() * 1000) - 5 * MINUTE, publish_at=int(time.time() * 1000) + 10 * MINUTE)
    listed = world.ctl("incident", "list", "--page").stdout
    assert re.search(r"20261127-1000-push +draft, public in 9 m \d+ s +major_outage +investigating +5 m", listed), listed
    before = len(world.entries())
    done = world.ctl("incident", "draft", "20261127-1000", "--text", "We look into it.")
    assert "it is not posted by itself any more" in done.stderr and "~ incident 20261127-1000-push drafted" in done.stdout, done
    assert world.newest(before) == {**NOTHING, "incident": "20261127-1000-push", "author": "tester", "action": "draft", "text": "We look into it."}
    shown = json.loads(world.ctl("incident", "show", "20261127-1000", "--page", "--json").stdout)["incident"]
    assert shown["edited"] and shown["title"] == "Down" and shown["impact"] == "major_outage" and shown["publish_at"] == 0, shown


def test_post(world):
    before = len(world.entries())
    done = world.incident("post", world.first, "--impact", "partial_outage", "--phase", "identified", "--recovery", "2h")
    entry = world.newest(before)
    recovery = entry.pop("recovery_at")
    assert recovery % MINUTE == 0 and abs(recovery - time.time() * 1000 - 2 * HOUR) < 2 * MINUTE, recovery
    assert {**entry, "recovery_at": None} == {**NOTHING, "incident": world.first, "author": "tester", "action": "post", "impact": "partial_outage", "phase": "identified"}, entry
    assert done["state"] == "posted" and done["posted_at"] and done["recovery_at"] == recovery and done["title"] == "Slow", done


def test_post_at_once_warns_of_another(world):
    before = len(world.entries())
    done = world.ctl("incident", "post", "--component", "alerts", "--title", "Alerts are late", "--from", "20m")
    entry = world.newest(before)
    assert entry["action"] == "post" and entry["text"] == "" and abs(time.time() * 1000 - 20 * MINUTE - entry["opened_at"]) < MINUTE, entry
    assert f"there is another incident of alerts, {world.first} (posted)" in done.stderr, done.stderr
    world.second = entry["incident"]


def test_update(world):
    before = len(world.entries())
    done = world.incident("update", world.second, "--text", "-", "--phase", "monitoring", given="First line.\nSecond line: é.\n\n")
    assert world.newest(before) == {**NOTHING, "incident": world.second, "author": "tester", "action": "update", "phase": "monitoring", "text": "First line.\nSecond line: é."}
    assert done["phase"] == "monitoring" and done["state"] == "posted", done
    shown = world.ctl("incident", "show", world.second, "--page").stdout
    assert "update by tester\n    First line.\n    Second line: é.\n" in shown, shown


def test_resolve(world):
    before = len(world.entries())
    done = world.incident("resolve", world.second, "--text", "They are on time again.")
    assert world.newest(before) == {**NOTHING, "incident": world.second, "author": "tester", "action": "resolve", "text": "They are on time again."}
    assert done["state"] == "resolved" and done["phase"] == "resolved" and done["ended_at"], done
    assert world.second not in world.ctl("incident", "list", "--page").stdout
    assert world.second in world.ctl("incident", "list", "--page", "--all").stdout
    assert world.incident("update", world.second, "--text", "It was a full disk.")["state"] == "resolved"  # a word behind it is allowed


def test_veto(world):
    before = len(world.entries())
    done = world.incident("veto", "20261127-1000", "--reason", "a test of ours")
    assert world.newest(before) == {**NOTHING, "incident": "20261127-1000-push", "author": "tester", "action": "veto", "text": "a test of ours"}
    assert done["state"] == "vetoed", done
    [notice] = world.notices("status_vetoed")
    assert dict(notice["fields"])["reason"] == "a test of ours" and notice["text"].endswith("a test of ours"), notice


def test_maintenance(world):
    before = len(world.entries())
    done = world.ctl("incident", "post", "--maintenance", "--component", "storage/main", "--from", "2099-01-02T03:00:00Z", "--for", "2h", "--title", "New disks", "--id", "new-disks")
    entry = world.newest(before)
    assert "a maintenance from 2099-01-02T03:00Z to 2099-01-02T05:00Z" in done.stdout, done.stdout
    assert entry["incident"] == "new-disks" and entry["impact"] == "maintenance" and entry["recovery_at"] - entry["opened_at"] == 2 * HOUR, entry
    longer = world.incident("update", entry["incident"], "--text", "It takes longer.", "--recovery", "2099-01-02T06:00:00Z")
    assert longer["recovery_at"] - longer["opened_at"] == 3 * HOUR and longer["impact"] == "maintenance", longer


def test_refused_before_it_is_written(world):
    draft = world.incident("draft", "--component", "push", "--title", "t")["id"]
    before = len(world.entries())
    new = ("--component", "push", "--title", "t")
    for words, said in [
        (("post", world.second), "it is resolved"), (("draft", world.first), "it is public already: update it"), (("post", world.first), "it is public already: update it"),
        (("veto", world.first, "--reason", "r"), "it is public already: resolve it"), (("resolve", draft, "--text", "t"), "it is a draft, which nobody has seen: veto it"),
        (("update", draft, "--text", "t"), "it is a draft: change it by draft, or post it"), (("post", "20261127-1000"), "it was vetoed"),
        (("resolve", world.second, "--text", "t"), "it is resolved"), (("post", "20"), "several incidents begin so"), (("post", "nothing"), "there is no such incident"),
        (("post", "--title", "t"), "needs --component and --title"), (("post", "--component", "push"), "needs --component and --title"),
        (("post", *new, "--component", "disk"), '"disk" is none: push, processing, storage/CELL, alerts or notifications'),
        (("post", *new, "--component", "storage/none"), 'there is no cell "none"'), (("post", *new, "--impact", "bad"), "one of degraded, partial_outage, major_outage"),
        (("post", *new, "--impact", "maintenance"), "give --maintenance"), (("post", *new, "--phase", "resolved"), "by incident resolve"),
        (("post", *new, "--maintenance", "--impact", "degraded"), "leave out --impact"), (("post", *new, "--for", "1h"), "--for is a maintenance's"),
        (("post", *new, "--from", "2099-01-01T00:00:00Z"), "lies ahead"), (("post", *new, "--maintenance", "--from", "2020-01-01T00:00:00Z"), "over before now"),
        (("post", *new, "--text", "a\x1b[2Jb"), "without control characters"), (("post", *new[:2], "--title", "a\nb"), "one line"), (("draft", *new[:2], "--title", "x" * 201), "200 are allowed"),
        (("veto", draft, "--reason", "a\nb"), "one line"), (("post", draft, "--id", "another"), "--id names a new incident"),
        (("post", *new, "--id", world.first), "give it as ID, or another --id"), (("post", *new, "--id", "No Spaces"), "a-z, 0-9 and - are allowed"), (("update", world.first, "--text", "t", "--recovery", "2020-01-01T00:00:00Z"), "over before now"),
    ]:
        done = world.ctl("incident", *words, code=1)
        assert said in done.stderr, (words, done.stderr)
    for words, given, said in [(("update", world.first, "--text", "-"), "", "standard input is empty"), (("update", world.first, "--text", "-"), "x" * 5000, "--text -"),
                               (("update", world.first, "--text", "-"), "x" * 4001, "4000 are allowed")]:
        assert said in world.ctl("incident", *words, code=1, given=given).stderr, words
    for words in (("update", world.first), ("veto", draft), ("resolve", world.first), ("update", "--text", "t"), ("post", "a", "b")):
        world.ctl("incident", *words, code=2)
    assert len(world.entries()) == before


def test_foreign_entries_are_told_of(world):
    producer = Producer({"bootstrap.servers": world.brokers, "acks": "all", "log_level": 0})
    producer.produce(TOPIC, b"\0\0\0\0\1nonsense", "a/b")
    assert producer.flush(30) == 0
    assert "1 entries of millrace.status cannot be read" in world.ctl("incident", "list", "--page").stderr


def test_alerts_incidents_are_as_they_were(world):
    assert world.ctl("incident", "list").stdout == "no incident is open\n"
    assert "there is no incident" in world.ctl("incident", "show", world.first[:4] + "abcd", code=1).stderr


class FakedPage(http.server.BaseHTTPRequestHandler):
    """What millrace-status has at its admin port, faked: it answers what the test says, and keeps what it was given."""

    def do_GET(self):
        self.answer(200 if self.path == "/status-entries" else 404, self.server.listed.pop(0) if len(self.server.listed) > 1 else self.server.listed[0])

    def do_PUT(self):
        self.server.given.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(*self.server.says)

    def answer(self, status, text):
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            status, text = 401, "this wants the token of admin.token_file\n"
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def faked_page(listed, says=(200, "{}")):
    """A server, and the command line that speaks to it where there is no Kafka: a port that is bound and never listens. listed: what one GET after the other says."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), FakedPage)
    server.listed, server.says, server.given = list(listed), says, []
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        try:
            yield server, ("--kafka", f"127.0.0.1:{closed.getsockname()[1]}"), ("--admin", f"http://127.0.0.1:{server.server_port}")
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def listing(state, *entries):
    return json.dumps({"incidents": [{"id": "20261127-1000-push", "state": state, "phase": "investigating", "impact": "degraded", "edited": False, "opened_at": 5, "posted_at": 0,
                                      "ended_at": 0, "publish_at": 0, "recovery_at": 0, "title": "Down", "components": ["push"], "entries": list(entries)}]})


class Echo:
    """A listing that has the entry that was given last, taken or refused."""

    def __init__(self, world, server, state, refused):
        self.world, self.server, self.state, self.refused = world, server, state, refused

    def encode(self):
        entry = self.world.view.decode(self.server.given[-1])
        return listing(self.state, {"entry": entry["entry"], "at": entry["at"], "action": entry["action"], "refused": self.refused, "author": entry["author"],
                                    "text": entry["text"]}).encode()


def test_faked_admin_port_without_kafka(world):
    with faked_page([listing("draft")]) as (server, kafka, admin):
        server.listed.append(Echo(world, server, "posted", False))
        begun = time.monotonic()
        done = run(*kafka, "incident", "post", "20261127", *admin, "--token-file", str(world.token), "--text", "Down.")
        assert time.monotonic() - begun < 5, "it has waited for Kafka"
        [entry] = [world.view.decode(given) for given in server.given]
        assert entry["action"] == "post" and entry["author"] == "tester" and entry["incident"] == "20261127-1000-push" and entry["text"] == "Down.", entry
        assert "incident 20261127-1000-push posted, at http://127.0.0.1" in done.stdout, done.stdout
        listed = run(*kafka, "incident", "list", *admin, "--token-file", str(world.token)).stdout
        assert re.search("20261127-1000-push +posted", listed), listed
        shown = json.loads(run(*kafka, "incident", "show", "20261127", *admin, "--token-file", str(world.token), "--json").stdout)["incident"]
        assert shown["entries"][0]["text"] == "Down." and shown["components"] == ["push"], shown


def test_faked_admin_port_refuses(world):
    ECHO = ["echo"]

    def post(code, listed, says=(200, "{}"), token=TOKEN):
        token_file = world.directory / "another"
        token_file.write_text(token)
        token_file.chmod(0o600)
        with faked_page(listed, says) as (server, kafka, admin):
            if listed is ECHO:
                server.listed = [listing("draft"), Echo(world, server, "posted", True)]
            return run(*kafka, "incident", "post", "20261127", *admin, "--token-file", str(token_file), code=code).stderr, len(server.given)

    for says, code, said in (((409, "it is public already: update it"), 1, "answers 409: it is public already"), ((400, "title: too long"), 1, "answers 400: title"),
                             ((403, "no"), 1, "answers 403: no"), ((503, "no memory"), 2, "answers 503: no memory")):
        words, given = post(code, [listing("draft")], says)
        assert said in words and given == 1, (says, words)
    words, given = post(1, [listing("draft")], token="another-token-than-that")
    assert "answers 401: this wants the token of admin.token_file" in words and "another-token" not in words and given == 0, words
    words, given = post(1, [listing("posted")])
    assert "it is public already: update it" in words and given == 0, words
    words, given = post(1, ECHO)
    assert "somebody has changed it meanwhile" in words and given == 1, words
    for hostile in ("", "[]", "{}", '{"incidents": 5}', '{"incidents": [5]}', listing("draft").replace('"draft"', '"lost"'), listing("draft")[:-1], listing("draft").replace("5", '"5"'),
                    listing("draft").replace('["push"]', "[5]"), listing("draft").replace("[{", "[" + listing("draft")[15:-2] + ",{"), "[" * 5000):
        words, given = post(1, [hostile])
        assert given == 0 and words, hostile[:100]
    assert "answers more than can be held" in post(2, ["x" * (5 << 20)])[0]


def test_admin_port_of_another_program(world):
    class Other(FakedPage):
        def do_GET(self):
            self.answer(404, "no such page\n")

    with faked_page([""]) as (server, kafka, admin):
        server.RequestHandlerClass = Other
        words = run(*kafka, "incident", "list", *admin, "--token-file", str(world.token), code=1).stderr
        assert "has no /status-entries: it is another program's admin port" in words, words
    words = run("incident", "list", "--admin", "http://127.0.0.1:9", "--token-file", str(world.token), code=2).stderr
    assert "127.0.0.1:9" in words, words


def test_real_page_while_kafka_stands_still(world):
    """The same against millrace-status itself: what is said while the broker does nothing is in the topic when it works again."""
    page, admin = free_ports(2)
    process = Process("millrace-status", world.directory)
    settings = [f"kafka.bootstrap.servers={world.brokers}", f"admin.listen=127.0.0.1:{admin}", f"status.listen=127.0.0.1:{page}", f"admin.token_file={world.token}",
                f"status.dir={world.directory}", "drafts.enabled=false"]
    process.start([BINARIES / "millrace-status", *(word for setting in settings for word in ("--set", setting))], env=ENVIRONMENT)
    by_admin = ("--admin", f"http://127.0.0.1:{admin}", "--token-file", str(world.token))
    broker = world.stack.brokers[0].process
    try:
        process.wait_until(lambda: ready(admin), 30, "ready")
        assert {line.split()[0] for line in run("incident", "list", "--all", *by_admin).stdout.splitlines()} == \
            {line.split()[0] for line in world.ctl("incident", "list", "--all", "--page").stdout.splitlines()}
        broker.signal(signal.SIGSTOP)
        try:
            done = run("incident", "post", *by_admin, "--component", "processing", "--title", "Late", "--text", "All of it is late.", "--json")
            incident = json.loads(done.stdout)["incident"]
            assert incident["state"] == "posted" and incident["entries"][0]["author"] == "tester", incident
            assert "it is public already: update it" in run("incident", "post", incident["id"], *by_admin, code=1).stderr
            run("incident", "update", incident["id"], *by_admin, "--text", "Less late.")
        finally:
            broker.signal(signal.SIGCONT)
        deadline = time.monotonic() + 60
        while [e["text"] for e in world.decodable() if e["incident"] == incident["id"]] != ["All of it is late.", "Less late."]:
            assert time.monotonic() < deadline, "what was said by the port is not in the topic"
            time.sleep(0.2)
    finally:
        process.stop()


def ready(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def main():
    with tempfile.TemporaryDirectory() as directory:
        world = World(Path(directory))
        try:
            world.start()
            cases.run(globals(), world)
        finally:
            world.stack.wipe()


if __name__ == "__main__":
    main()
