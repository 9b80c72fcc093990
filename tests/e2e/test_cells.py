#!/usr/bin/env python3
"""A second cell, made as README.md tells operators to: its samples reach its own database, and nothing that is done to it is felt in the first.

Cell `other` gets topics and a site by millrace-ctl, a processor, and a sink with a database of its own, beside a stack that runs cell
`main`. Then the sink of `other` is paused: `main` goes on as if there were no other cell. Sixty virtual seconds take one.
"""
import json
import os
import sys
import tempfile
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(Path(__file__).resolve().parent)]
import cases  # noqa: E402
from millrace_local import Failure, free_base_port, free_ports  # noqa: E402
from pipeline import MINUTE_MS, Pipeline  # noqa: E402

SPEED, SECONDS = 60, 60
SITES = {"shop": "main", "blog": "other"}
GRACE_MS = 3 * MINUTE_MS  # a minute is due 105 s after its end and staggered a little


def add_cell(p):
    """What the README says: the cell, a processor and a sink; then sites."""
    p.ctl("cell", "add", "other", "--partitions", "3", "--replication-factor", "1")
    p.ctl("site", "add", "blog", "--cell", "other")
    p.keys["blog"] = json.loads(p.ctl("--json", "key", "create", "blog"))["key"]
    for program, port in zip(("processor", "sink"), free_ports(2)):
        mine = p.processes.pop(program), p.admin_ports[program]
        p.admin_ports[program] = port
        own = ["mongo.uri=" + p.env["MONGO_1"], "mongo.database=other"] if program == "sink" else []
        p.start_other(program, ["cell=other", *own])
        p.processes[program], p.admin_ports[program] = mine


class TwoCells(Pipeline):
    def start_other(self, program, settings):
        """Starts a program of the second cell; it is called PROGRAM-other from then on."""
        self.directory, before = self.directory / "other", self.directory
        self.directory.mkdir(exist_ok=True)
        self.start(program, ["heartbeat.interval=500ms", *settings])
        self.directory = before
        name = f"{program}-other"
        self.processes[name], self.admin_ports[name] = self.processes[program], self.admin_ports[program]
        self.processes[name].wait_until(lambda: self.ready(name), SECONDS, "ready")

    def push(self, site, value):
        """One counter's point, now; the minute it is in."""
        t = self.now_ms()
        body = json.dumps({"metrics": [{"name": "n", "kind": "counter", "tags": {}, "points": [{"t": t, "v": value}]}]}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.push_port}/v1/push", body,
                                         {"Authorization": f"Bearer {self.keys[site]}", "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 202
        return t // MINUTE_MS * MINUTE_MS

    def minutes(self, cell):
        """(site, minute) -> sum, of the cell's database."""
        database = self.database.client["millrace" if cell == "main" else cell]
        out = {}
        for doc in database.minutely.find():
            key = doc["site"], int(doc["t"].timestamp() * 1000)
            out[key] = out.get(key, 0) + doc["sum"]
        return out

    def push_and_await(self, value, sites):
        """The point of each site stands in its cell's database."""
        rows = {site: (site, self.push(site, value)) for site in SITES}
        for site in sites:
            sink = self.processes["sink" if SITES[site] == "main" else "sink-other"]
            sink.wait_until(lambda: self.minutes(SITES[site]).get(rows[site]) == value, SECONDS, f"storing {site}'s minute")
        return rows


def test_a_second_cell(p):
    wait_for_key(p)
    p.push_and_await(3, SITES)
    assert {site for site, _ in p.minutes("main")} == {"shop"} and {site for site, _ in p.minutes("other")} == {"blog"}
    p.processes["ingest"].wait_until(lambda: healthy(p), SECONDS, "shown with two healthy cells by millrace-ctl status")


def healthy(p):
    """As soon as each program has sent a heartbeat since it became ready."""
    try:
        return "millrace-sink-other" in p.ctl("status")
    except Failure:
        return False



def wait_for_key(p):
    """Ingest hears of the new site's key by its table."""
    def taken():
        try:
            p.push("blog", 0)
        except OSError:
            return False
        return True

    p.processes["ingest"].wait_until(taken, SECONDS, "taking the new site's payloads")
    p.wait_until_virtual((p.now_ms() // MINUTE_MS + 1) * MINUTE_MS + 1000)  # a minute without that first point


def test_a_pause_is_felt_in_its_cell_alone(p):
    said = p.ctl("control", "set", "--on", "sink", "--do", "pause", "--cell", "other", "--reason", "a test", "--for", "10h")
    assert said.count("sink/") == 2, said  # `+ control sink/pause/..` and the one instance whom it concerns
    assert p.metric("sink-other", "millrace_sink_paused") == 1 and p.metric("sink", "millrace_sink_paused") == 0
    p.wait_until_virtual((p.now_ms() // MINUTE_MS + 1) * MINUTE_MS + 1000)
    rows = p.push_and_await(5, ["shop"])
    p.wait_until_virtual(rows["blog"][1] + MINUTE_MS + GRACE_MS)
    p.processes["sink-other"].wait_until(lambda: p.metric("sink-other", "millrace_sink_lag_records") > 0, SECONDS, "behind")
    assert rows["blog"] not in p.minutes("other") and p.ready("sink-other")
    p.ctl("control", "clear", "--on", "sink", "--do", "pause", "--cell", "other")
    p.processes["sink-other"].wait_until(lambda: p.minutes("other").get(rows["blog"]) == 5, SECONDS, "storing what waited")
    p.check_alive()


def main():
    with tempfile.TemporaryDirectory(prefix="millrace-cells-") as directory:
        base = int(os.environ.get("TEST_BASE_PORT", free_base_port(span=80)))
        with TwoCells(directory, base, SPEED, 10, {"shop": 2}) as p:
            add_cell(p)
            cases.run(globals(), p)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"{failure}\n0 passed, 1 failed")
