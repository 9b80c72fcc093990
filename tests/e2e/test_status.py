"""The status page of a real pipeline: a database that stands still, and the incident that the page writes of it; Kafka gone; status killed.

Who looks is a browser's poor cousin (urllib) at the page's port, four times a second, all the time: the page must answer at once whatever happens. What is said of the incident is
read from its topic by fastavro.
"""
import concurrent.futures
import contextlib
import json
import pathlib
import signal
import subprocess
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

SPEED = 24  # at which commits, every 5 s of real time, are two minutes apart: what is behind for so long is well
START_MINUTE = 10
TOKEN = "a-token-for-this-test-alone"
GONE_S = 60        # how long Kafka is gone, real
ANSWER_S = 2       # the longest that a visitor may wait on a busy machine
SETTLE_MS = 30000  # for how long it must be well before the page says so (sink/status/judge.c)
TURN_MS = 24000    # of virtual time: a second, in which a tick, a survey and its answer come


class Visitor(threading.Thread):
    """Reads the page all the time, and keeps what it saw."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.seen, self.failures, self.longest, self.ended = port, [], [], 0, threading.Event()

    def run(self):
        while not self.ended.wait(0.25):
            begun = time.monotonic()
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/status.json", timeout=30) as answer:
                    self.seen.append((begun, json.loads(answer.read())))
                    self.longest = max(self.longest, time.monotonic() - begun)
            except (urllib.error.URLError, OSError) as error:
                self.failures.append((begun, error))

    def end(self):
        self.ended.set()
        self.join()


class World:
    """A pipeline with a status page, agents that post all the time, and an operator."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.state = self.directory / "state"
        self.state.mkdir()
        self.token = self.directory / "token"
        self.token.write_text(TOKEN)
        self.token.chmod(0o600)
        self.settings = ["status.survey_interval=300ms", "drafts.enabled=true", "drafts.publish_after=12m", f"status.dir={self.state}",
                         "judge.degraded=6m", "page.title=Example", "page.cells=main=Europe", "heartbeat.interval=500ms", f"admin.token_file={self.token}"]
        self.pipeline = Pipeline(self.directory, free_base_port(), SPEED, START_MINUTE, {"shop": 4, "very-secret-customer": 4}, status_settings=self.settings)
        self.posting = threading.Event()

    def __enter__(self):
        self.pipeline.__enter__()
        self.url = f"http://127.0.0.1:{self.pipeline.status_port}"
        self.agents = threading.Thread(target=self.post, daemon=True)
        self.agents.start()
        return self

    def __exit__(self, *_):
        self.posting.set()
        with contextlib.suppress(Exception):
            self.signal_all(signal.SIGCONT)
        self.pipeline.__exit__()

    def post(self):
        """Twenty series of each site, twice a second."""
        while not self.posting.wait(0.5):
            for key in self.pipeline.keys.values():
                body = json.dumps({"metrics": [{"name": f"m{n}", "kind": "gauge", "points": [{"v": 1}]} for n in range(20)]}).encode()
                request = urllib.request.Request(f"http://127.0.0.1:{self.pipeline.push_port}/v1/push", body,
                                                 {"Authorization": "Bearer " + key, "Content-Type": "application/json"})
                with contextlib.suppress(urllib.error.URLError, OSError):
                    urllib.request.urlopen(request, timeout=5).close()

    def signal_all(self, number):
        for part in (*self.pipeline.stack.databases, *self.pipeline.stack.brokers):
            part.process.signal(number)

    def get(self, path="/", **headers):
        with urllib.request.urlopen(urllib.request.Request(self.url + path, headers=headers), timeout=10) as answer:
            return answer.read().decode()

    def page(self):
        return json.loads(self.get("/status.json"))

    def component(self, name):
        return next(c for c in self.page()["components"] if c["id"] == name)

    def wait(self, true, seconds, what, every_s=0.1):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            got = true()
            if got:
                return got
            time.sleep(every_s)
        raise AssertionError(f"{what}: not within {seconds} s; the page says {json.dumps(self.page(), indent=1)[:3000]}")

    def wait_up(self):
        """After a start: until there is a page with something on it."""
        def up():
            with contextlib.suppress(urllib.error.URLError, OSError):
                return self.page()["components"]

        until = time.monotonic() + 20
        while not up():
            assert time.monotonic() < until, "no page 20 s after the start"
            time.sleep(0.05)

    def entries(self):
        """All that was said of incidents, by the topic, in its order."""
        codec = Codec("StatusEntry")
        found = []
        for message in self.pipeline.records("millrace.status"):
            entry = codec.decode(message.value())
            assert message.key().decode() == f"{entry['incident']}/{entry['entry']}"
            found.append({**entry, **{name: entry[name] and int(entry[name].timestamp() * 1000) for name in ("at", "opened_at", "publish_at", "recovery_at")}})
        return found

    def wait_entry(self, action, seconds, since=0):
        """Of the database's trouble: at the start of a house nobody takes data, which is an incident, too, on this clock."""
        return self.wait(lambda: next((e for e in self.entries()[since:] if e["action"] == action and e["incident"].endswith("-storage-main")), None), seconds,
                         f"an entry that says {action}", 0.5)  # each look reads the topic

    def by_admin(self, method, body=None, token=TOKEN):
        request = urllib.request.Request(f"http://127.0.0.1:{self.pipeline.admin_ports['status']}/status-entries", body, {"Authorization": "Bearer " + token}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def drain_away(self):
        return self.wait(lambda: self.component("storage/main")["state"] == "operational", 120, "storage is operational")


def word(action, incident, **fields):
    """An operator's entry, encoded by fastavro."""
    entry = {"incident": incident, "entry": f"{time.time_ns():016x}"[-16:], "at": int(time.time() * 1000), "author": "ann", "action": action, "phase": None, "impact": None,
             "components": [], "title": "", "text": "", "opened_at": None, "publish_at": None, "recovery_at": None, "timeline": [], **fields}
    return Codec("StatusEntry").encode(entry)


def test_all_is_well(world):
    got = world.wait(lambda: (lambda p: p["state"] == "operational" and len(p["components"]) == 5 and p)(world.page()), 60, "all operational")
    assert [c["id"] for c in got["components"]] == ["push", "processing", "storage/main", "alerts", "notifications"]
    assert got["page"]["title"] == "Example" and not got["page"]["stale"] and got["incidents"] == []
    assert next(c for c in got["components"] if c["id"] == "storage/main")["title"] == "Storage, Europe"
    html = world.get()
    assert "<!doctype html>" in html.lower() and "Europe" in html


def test_a_frozen_database(world):
    """Drafted within a minute of virtual time after the component left operational; the right cell; delayed, not lost; and when it drains, how long."""
    begun_ms = world.pipeline.now_ms()
    for database in world.pipeline.stack.databases:
        database.process.signal(signal.SIGSTOP)
    world.wait(lambda: world.component("storage/main")["state"] != "operational", 60, "storage is in trouble")
    draft = world.wait_entry("draft", 30)
    left_ms = draft["opened_at"]
    print(f"     frozen for {(left_ms - begun_ms) / 1000:.0f} s of virtual time when the page knew, drafted {(draft['at'] - left_ms) / 1000:.0f} s later")
    assert MINUTE_MS <= draft["at"] - left_ms <= MINUTE_MS + TURN_MS, draft
    assert draft["components"] == ["storage/main"] and draft["author"] is None and draft["impact"] in ("degraded", "major_outage"), draft
    assert "Europe" in draft["title"] and "delayed, not lost" in draft["text"] and "6 days" in draft["text"], draft
    got = world.page()
    assert got["incidents"] == [] and "Storing data" not in world.get(), "a draft is nobody's business"
    status, text = world.by_admin("GET")
    assert status == 200 and next(i for i in json.loads(text)["incidents"] if i["id"] == draft["incident"])["state"] == "draft", text
    world.wait(lambda: world.pipeline.now_ms() > left_ms + 4 * MINUTE_MS, 60, "four minutes of it")
    for database in world.pipeline.stack.databases:
        database.process.signal(signal.SIGCONT)
    world.drain_away()
    assert world.wait_entry("veto", 30)["incident"] == draft["incident"]
    assert all(e["author"] is None for e in world.entries())


def test_posted_by_itself_and_resolved(world):
    """A quarter of an hour of it: posted after the delay, told to the public, and resolved with what happened."""
    since = len(world.entries())
    for database in world.pipeline.stack.databases:
        database.process.signal(signal.SIGSTOP)
    post = world.wait_entry("post", 90, since)
    public = world.wait(lambda: world.page()["incidents"], 10, "the page has it")[0]
    assert public["id"] == post["incident"] and public["impact"] == "major_outage", public
    html, feed = world.get(f"/incidents/{post['incident']}"), world.get("/feed.atom")
    assert "Storing data in Europe is delayed" in html and post["incident"] in feed
    for database in world.pipeline.stack.databases:
        database.process.signal(signal.SIGCONT)
    world.drain_away()
    resolve = world.wait_entry("resolve", 60, since)
    assert "nothing was lost" in resolve["text"], resolve
    said = [moment["text"] for moment in resolve["timeline"]]
    assert any("stopped taking data" in text for text in said) and any("takes data again" in text for text in said), said
    everything = html + feed + world.get("/status.json") + world.get("/") + world.get("/history") + json.dumps(world.entries(), default=str)
    assert "very-secret-customer" not in everything and "127.0.0.1" not in everything.replace(world.url, "")


def test_an_operator_by_the_admin_port(world):
    assert world.by_admin("GET", token="something else")[0] == 401
    assert world.by_admin("PUT", b"\0\0\0\0\x13nonsense")[0] == 400
    now = world.pipeline.now_ms()
    new = dict(components=["push"], impact="degraded", title="A title <b>", text="We look at it.", at=now)
    assert world.by_admin("PUT", word("update", "by-hand", at=now))[0] == 409
    assert world.by_admin("PUT", word("post", "by-hand", author=None, **new))[0] == 400
    status, text = world.by_admin("PUT", word("post", "by-hand", **new))
    assert (status, json.loads(text)) == (200, {"incident": "by-hand"})
    assert world.by_admin("PUT", word("post", "by-hand", **new))[0] == 409
    world.wait(lambda: [i["id"] for i in world.page()["incidents"] if i["id"] == "by-hand"], 10, "the page has it")
    assert "A title &lt;b&gt;" in world.get() and "ann" not in world.get("/status.json")
    world.wait(lambda: any(e["incident"] == "by-hand" for e in world.entries()), 20, "Kafka has it")
    assert world.by_admin("PUT", word("resolve", "by-hand", text="It is over.", at=now))[0] == 200
    world.wait(lambda: not [i for i in world.page()["incidents"] if i["id"] == "by-hand" and not i["ended_at"]], 10, "the page knows that it is over")


def test_kafka_gone(world):
    """For a minute the page is served, its age shown; an operator posts meanwhile; status is killed in the middle of it, and serves from its disk."""
    visitor = Visitor(world.pipeline.status_port)
    broker = world.pipeline.stack.brokers[0].process
    visitor.start()
    broker.signal(signal.SIGSTOP)
    begun = time.monotonic()
    try:
        world.wait(lambda: world.page()["page"]["stale"], 40, "the page says that it is old")
        assert "This page is not up to date." in world.get()
        ready = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://127.0.0.1:{world.pipeline.admin_ports['status']}/health/ready"],
                               capture_output=True, text=True)
        assert ready.stdout == "503"
        new = dict(components=["processing"], impact="partial_outage", title="Kafka is gone", text="We are on it.", at=world.pipeline.now_ms())
        assert world.by_admin("PUT", word("post", "kafka-gone", **new))[0] == 200
        world.wait(lambda: [i for i in world.page()["incidents"] if i["id"] == "kafka-gone"], 10, "the page has it")
        world.wait(lambda: "kafka-gone".encode() in (world.state / "status.state").read_bytes(), 15, "the disk has it")
        world.wait(lambda: sum(page["page"]["stale"] for _, page in visitor.seen) > 8, 20, "the visitor has seen it grow old")
        ages = [page["page"]["age_seconds"] for _, page in visitor.seen if page["page"]["stale"]]
        assert ages == sorted(ages) and ages[-1] - ages[0] >= SPEED, ages
        assert not visitor.failures and visitor.longest < ANSWER_S, (visitor.failures[:3], visitor.longest)
        visitor.end()
        status = world.pipeline.processes["status"]
        status.signal(signal.SIGKILL)
        until = time.monotonic() + 10
        while status.exit_code is None:
            assert time.monotonic() < until, "not killed"
            time.sleep(0.05)
        world.pipeline.start("status", ["status.listen=127.0.0.1:%d" % world.pipeline.status_port, *world.settings])
        visitor = Visitor(world.pipeline.status_port)
        world.wait_up()
        visitor.start()
        got = world.page()
        assert got["page"]["stale"] and got["page"]["age_seconds"] > 0 and len(got["components"]) == 5, got
        assert "kafka-gone" in [i["id"] for i in got["incidents"]]
        html = world.get()
        assert "Kafka is gone" in html and "This page is not up to date." in html
        while time.monotonic() < begun + GONE_S:
            time.sleep(0.2)
        assert not visitor.failures and visitor.longest < ANSWER_S and len(visitor.seen) > 20, (visitor.failures[:3], visitor.longest, len(visitor.seen))
    finally:
        broker.signal(signal.SIGCONT)
    world.wait(lambda: not world.page()["page"]["stale"], 60, "Kafka is back")
    entry = world.wait(lambda: next((e for e in world.entries() if e["incident"] == "kafka-gone"), None), 40, "Kafka has what was said meanwhile")
    assert entry["author"] == "ann" and entry["action"] == "post"
    said = {e["entry"]: e["action"] for e in world.entries() if e["incident"] == "kafka-gone"}  # the killed one's may lie in the broker's ear, too: once a key
    assert list(said.values()) == ["post"], said
    visitor.end()
    assert not visitor.failures


def test_many_at_once(world):
    """Two hundred visitors, half of whom have the page already."""
    request = urllib.request.Request(world.url + "/style.css")
    with urllib.request.urlopen(request, timeout=5) as answer:
        etag = answer.headers["ETag"]

    def visit(n):
        try:
            with urllib.request.urlopen(urllib.request.Request(world.url + "/style.css", headers={"If-None-Match": etag} if n % 2 else {}), timeout=20) as got:
                return got.status
        except urllib.error.HTTPError as error:
            return error.code

    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(visit, range(200)))
    assert answers.count(200) == 100 and answers.count(304) == 100, answers


def test_it_stops(world):
    world.pipeline.check_alive()
    world.posting.set()
    world.agents.join()
    world.pipeline.stop_programs()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="millrace-status-") as directory, World(directory) as world:
        cases.run(globals(), world)
