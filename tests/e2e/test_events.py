"""Errors, transactions, deploy markers and check-ins from everybody who sends them, as far as the documents that people read.

The native payload in JSON and in protobuf, the agent's socket for lines, and README.md's own snippets, run as they stand there. What must come out is worked out here
from what was sent. Millrace's clock is fast: minutes close while the test waits.
"""
import collections
import json
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "deploy/local"))
import cases
from agent_house import Agent
from millrace_local import ROOT, free_base_port
from pipeline import MINUTE_MS, Pipeline

SPEED = 30
FIRST, SLOWEST = 3, 3
FRAMES = [{"file": "/usr/lib/ruby/net/http.rb", "line": 987, "function": "connect"},
          {"file": "app/models/order.rb", "line": 12, "function": "reserve", "in_app": True},
          {"file": "app/controllers/orders.rb", "line": 40, "function": "create", "in_app": True}]


class Clocks:
    """The pipeline's test clock, in the words that Agent takes."""

    def __init__(self, pipeline):
        self.env = pipeline.env

    def settings(self):
        return tuple(f"clock.{name}={self.env['CLOCK_' + name.upper()]}" for name in ("start_ms", "real_ms", "speed"))


def push(pipeline, payload):
    request = urllib.request.Request(f"http://127.0.0.1:{pipeline.push_port}/v1/push", json.dumps(payload).encode(),
                                     {"Authorization": f"Bearer {pipeline.keys['shop']}", "Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def found(pipeline, collection, query, nr, seconds=60):
    """The documents, once there are nr of them."""
    deadline = time.monotonic() + seconds
    while True:
        pipeline.check_alive()
        documents = list(pipeline.database[collection].find({"site": "shop", **query}))
        if len(documents) >= nr or time.monotonic() > deadline:
            return documents
        time.sleep(0.5)  # polling a database that cannot notify


def error(number, line=12, **more):
    frames = [{**FRAMES[0]}, {**FRAMES[1], "line": line}, FRAMES[2]]
    return {"class": "OutOfStock", "message": f"{number} of article {number * 7919} are left", "action": "Orders#create", "namespace": "web",
            "backtrace": frames, "tags": {"queue": "fast"}, "params": {"article": str(number)},
            "breadcrumbs": [{"category": "sql", "action": "select", "message": "stock", "metadata": {"rows": "1"}}], **more}


def test_errors_are_counted_grouped_and_a_few_are_kept(pipeline):
    t = pipeline.now_ms() // MINUTE_MS * MINUTE_MS
    payload = {"host": "web-7", "environment": "production", "revision": "a1b2c3",
               "errors": [error(i, line=10 + i, t=t + i) for i in range(8)] + [error(1, t=t, action="Orders#show"), error(2, t=t, **{"class": "Timeout"})]}
    answer = push(pipeline, payload)
    assert answer["accepted"] == 10 and answer["rejected"] == [], answer
    kept = found(pipeline, "errors", {"host": "web-7"}, FIRST + 2)
    by_group = collections.Counter((d["class"], d["action"], d["group"]) for d in kept)
    assert sorted(by_group.values()) == [1, 1, FIRST], by_group
    assert {d["message"] for d in kept if by_group[d["class"], d["action"], d["group"]] == FIRST} == {e["message"] for e in payload["errors"][:FIRST]}
    one = next(d for d in kept if d["action"] == "Orders#show")
    assert (one["environment"], one["revision"], one["namespace"], one["tags"], one["params"]) == ("production", "a1b2c3", "web", {"queue": "fast"}, {"article": "1"})
    assert [(f["file"], f["line"], f["function"], f["in_app"]) for f in one["backtrace"]] == [
        (f["file"], f["line"], f["function"], f.get("in_app", False)) for f in error(1)["backtrace"]]
    assert one["breadcrumbs"][0]["message"] == "stock" and one["breadcrumbs"][0]["metadata"] == {"rows": "1"}
    counts = found(pipeline, "minutely", {"name": "error.count"}, 3)
    counted = {(d["tags"]["class"], d["tags"]["action"], d["tags"]["group"]): d["sum"] for d in counts}
    assert counted == {group: (8 if n == FIRST else 1) for group, n in by_group.items()}, counted


def test_an_error_rate_can_be_read_by_action(pipeline):
    t = pipeline.now_ms() // MINUTE_MS * MINUTE_MS
    durations = [12.5, 700.25, 3, 90, 2000.125, 41, 5, 1500]
    payload = {"transactions": [{"t": t + i, "id": f"id-{i}", "action": "Cart#add", "namespace": "web", "duration_ms": ms, "queue_ms": 1.5, "error": i % 4 == 0,
                                 "tags": {"plan": "gold"}, "spans": [{"id": "1", "name": "sql.query", "start_ms": 1, "duration_ms": 2, "tags": {"table": "carts"}}]}
                                for i, ms in enumerate(durations)]}
    assert push(pipeline, payload)["accepted"] == len(durations)
    (d,) = found(pipeline, "minutely", {"name": "transaction.duration", "tags": {"action": "Cart#add", "namespace": "web"}}, 1)
    assert (d["count"], d["sum"], d["errors"], d["min"], d["max"]) == (len(durations), sum(durations), 2, min(durations), max(durations)), d
    (c,) = found(pipeline, "minutely", {"name": "transaction.count", "tags": {"action": "Cart#add", "namespace": "web"}}, 1)
    assert (c["sum"], c["errors"]) == (len(durations), 2), c
    traces = found(pipeline, "traces", {"action": "Cart#add"}, SLOWEST)
    assert sorted(d["duration_ms"] for d in traces) == sorted(durations)[-SLOWEST:], traces
    one = max(traces, key=lambda d: d["duration_ms"])
    assert (one["id"], one["failed"], one["queue_ms"], one["tags"]) == ("id-4", True, 1.5, {"plan": "gold"}), one
    assert [(s["name"], s["start_ms"], s["duration_ms"], s["tags"]) for s in one["spans"]] == [("sql.query", 1, 2, {"table": "carts"})], one


def test_markers_and_check_ins(pipeline):
    payload = {"markers": [{"revision": "r8", "user": "ann", "text": "deploy"}],
               "check_ins": [{"name": "nightly", "kind": "cron", "event": event} for event in ("start", "finish")] + [{"name": "worker", "kind": "heartbeat", "event": "beat"}]}
    assert push(pipeline, payload)["accepted"] == 4
    (m,) = found(pipeline, "markers", {"revision": "r8"}, 1)
    assert (m["user"], m["text"]) == ("ann", "deploy"), m
    seen = collections.Counter((d["name"], d["kind"], d["event"]) for d in found(pipeline, "checkins", {}, 3))
    assert seen == {("nightly", "cron", "start"): 1, ("nightly", "cron", "finish"): 1, ("worker", "heartbeat", "beat"): 1}, seen


def test_a_bad_event_is_rejected_by_name_and_the_rest_goes_on(pipeline):
    payload = {"errors": [{"message": "no class"}, error(3, action="Bad#one")], "transactions": [{"action": "Bad#two", "duration_ms": -1}],
               "check_ins": [{"name": "x", "kind": "yearly", "event": "start"}], "markers": [{"t": 1000, "revision": "old"}]}
    answer = push(pipeline, payload)
    assert answer["accepted"] == 1 and {r["index"] for r in answer["rejected"]} == {"errors[0]", "transactions[0]", "check_ins[0]", "markers[0]"}, answer


def test_a_payload_that_comes_twice_counts_once(pipeline):
    payload = {"agent_id": "ab" * 16, "seq": 1, "floor": 1, "created_at": pipeline.now_ms(),
               "errors": [error(5, action="Twice#once", t=pipeline.now_ms() // MINUTE_MS * MINUTE_MS)]}
    for _ in range(2):
        assert push(pipeline, payload)["accepted"] == 1
    (d,) = found(pipeline, "minutely", {"name": "error.count", "tags.action": "Twice#once"}, 1)
    assert d["sum"] == 1, d
    assert len(found(pipeline, "errors", {"action": "Twice#once"}, 1)) == 1


def test_the_readmes_snippets_do_what_it_says(pipeline):
    text = (ROOT / "README.md").read_text()
    snippets = [block for block in re.findall(r"(?:^    .*\n)+", text, re.M) if "/v1/push" in block]
    commands = [command for block in snippets for command in re.split(r"^    (?=curl)", block, flags=re.M) if command.startswith("curl")]
    assert len(commands) == 3, commands
    (pipeline.directory / "build" / "run").mkdir(parents=True)
    (pipeline.directory / "build" / "run" / "key").write_text(pipeline.keys["shop"])
    for command in commands:
        done = subprocess.run(["bash", "-c", command.replace("127.0.0.1:4318", f"127.0.0.1:{pipeline.push_port}")], cwd=pipeline.directory,
                              capture_output=True, text=True, timeout=30)
        assert done.returncode == 0 and json.loads(done.stdout) == {"accepted": 1, "rejected": [], "rejected_total": 0}, (command, done)
    (e,) = found(pipeline, "errors", {"message": "3 of article 77 are left"}, 1)
    assert e["params"]["article"] == "77" and "hunter2" not in str(e), e
    (t,) = found(pipeline, "traces", {"id": "4f1c"}, 1)
    assert t["action"] == "Orders#create" and t["failed"] and t["spans"][0]["name"] == "sql.query", t


def test_the_agents_lines_arrive(pipeline):
    (pipeline.directory / "key").write_text(pipeline.keys["shop"])
    (pipeline.directory / "key").chmod(0o600)
    agent = Agent("agent", pipeline.directory, f"http://127.0.0.1:{pipeline.push_port}", pipeline.directory / "key", clock=Clocks(pipeline)).start()
    lines = [{"error": {"class": "IOError", "message": "disk is gone", "action": "Jobs#run", "backtrace": [{"file": "a.rb", "line": 7, "in_app": True}]}},
             {"transaction": {"id": "line-1", "action": "Lines#show", "duration_ms": 12.5}}, {"marker": {"revision": "r9", "user": "bob"}},
             {"check_in": {"name": "lines", "kind": "cron", "event": "start"}}]
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(agent.lines_socket)
            connection.sendall("".join(json.dumps(line) + "\n" for line in lines).encode())
        agent.wait_status(lambda s: s["lines"]["accepted"] == len(lines), "taking the lines")
        agent.delivered()
        for collection, query in (("errors", {"class": "IOError"}), ("traces", {"id": "line-1"}), ("markers", {"revision": "r9"}), ("checkins", {"name": "lines"})):
            assert len(found(pipeline, collection, query, 1)) == 1, collection
    finally:
        agent.process.stop(10)


def test_nothing_was_set_aside(pipeline):
    assert pipeline.deadletters() == 0
    pipeline.stop_programs()


def main():
    with tempfile.TemporaryDirectory(prefix="millrace-events-") as directory:
        with Pipeline(directory, free_base_port(), SPEED, 20, {"shop": 2}) as pipeline:
            cases.run(globals(), pipeline)


if __name__ == "__main__":
    main()
