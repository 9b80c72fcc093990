#!/usr/bin/env python3
"""The crowd against a server that is away, full, and loses answers: by its ledger, every payload has arrived or is named in a report of losses.

What arrived is decoded by tests/e2e/agent_journal.py, which shares no code with the agent, and compared with the values in the ledger, cell by cell. The
spools are so small that agents have to give payloads up while the server is away.
"""
import collections
import http.server
import json
import os
import random
import signal
import socket
import struct
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(ROOT / "tests" / "e2e")]
import zstandard  # noqa: E402

import cases  # noqa: E402
from agent_house import Clock  # noqa: E402
from agent_journal import Payload, fields  # noqa: E402
from ingest_house import ENVIRONMENT, TREE  # noqa: E402
from millrace_local import Process  # noqa: E402

BINARY = ROOT / "build" / TREE / "tests" / "rehearsal" / "crowd"
AGENTS, SERIES, VALUES, SPEED = 24, 9, 30, 200
SITES = {"alpha": "mr_key-of-alpha", "beta": "mr_key-of-beta", "gamma": "mr_key-of-gamma"}
TOLD, FLUSHED = struct.Struct("<HHIqq"), struct.Struct("<HHI16sQQqq")
SLOT_MS, MINUTE_MS, PATIENCE = 30000, 60000, 120
MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None  # a flush waits for the disk three times, which is not what is tested here
LOST_ANSWERS = 0.1


def identified(body):
    """A payload by the identity that stands in it."""
    head = dict(fields(zstandard.ZstdDecompressor().decompress(body)))
    return Payload(head[2], head[3], body)


class Server(http.server.ThreadingHTTPServer):
    """Keeps what it takes by identity. mode: "202", another status, or "silence": it hangs up."""

    daemon_threads, request_queue_size = True, 512

    def __init__(self, rng):
        super().__init__(("127.0.0.1", 0), Handler)
        self.mode, self.random, self.lock = "202", rng, threading.Lock()
        self.taken, self.keys, self.seen, self.lost_answers = {}, {}, collections.Counter(), 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        """Connections end as they like here."""

    def take(self, key, body):
        """The status to answer with, or None to hang up."""
        with self.lock:
            self.seen[self.mode] += 1
            if self.mode != "202":
                return None if self.mode == "silence" else int(self.mode)
            payload = identified(body)
            self.taken[payload.agent_id, payload.seq] = payload
            self.keys[payload.agent_id] = key
            if self.random.random() < LOST_ANSWERS:
                self.lost_answers += 1
                return None
            return 202


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.take(self.headers["Authorization"].split()[1], body)
        if status is None:
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.send_header("Retry-After", "1")  # waits are real: agents would come back after a minute else
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


class Crowd:
    """The process, its status, and what it wrote."""

    def __init__(self, directory, url, seed):
        self.directory = Path(directory) / "crowd"
        keys = Path(directory) / "keys"
        keys.write_text("".join(f"{site} {key}\n" for site, key in SITES.items()))
        settings = (*Clock(SPEED).settings(), f"push.url={url}", f"crowd.dir={self.directory}", f"crowd.keys={keys}", f"crowd.agents={AGENTS}",
                    f"crowd.series={SERIES}", f"crowd.values={VALUES}", f"crowd.seed={seed}", "spool.max_bytes=64Ki", "push.timeout=5s",
                    "log.level=error")
        self.command = [BINARY, "--test-clock", *(word for each in settings for word in ("--set", each))]
        self.process = Process("crowd", directory)
        self.start()

    def start(self):
        self.process.start(self.command, env=ENVIRONMENT)
        self.wait(lambda: (self.directory / "crowd.sock").exists(), "listening")

    def stop(self):
        assert self.process.stop(20) == "stopped" and self.process.exit_code == 0, self.process.log_file.read_text()

    def wait(self, ready, what):
        self.process.wait_until(ready, PATIENCE, what)

    def status(self):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE)
            connection.connect(str(self.directory / "crowd.sock"))
            text = b""
            while chunk := connection.recv(65536):
                text += chunk
        return json.loads(text)

    def wait_status(self, fits, what):
        self.wait(lambda: fits(self.status()), what)
        return self.status()

    def agents(self):
        return json.loads((self.directory / "agents.json").read_text())

    def told(self):
        return TOLD.iter_unpack((self.directory / "told.bin").read_bytes())

    def flushes(self):
        return FLUSHED.iter_unpack((self.directory / "flushes.bin").read_bytes())


def expected(crowd):
    """{(agent, flush): {(kind, name, tags, minute): [count, sum]}} by the ledger; a counter's slot is one sample."""
    agents, slots = crowd.agents(), set()
    found = collections.defaultdict(lambda: collections.defaultdict(lambda: [0, 0.0]))
    for agent, series, flush, t, k in crowd.told():
        s = agents[agent]["series"][series]
        cell = found[agent, flush][s["kind"], s["name"], tuple(sorted(s["tags"].items())), t // MINUTE_MS * MINUTE_MS]
        slot = (agent, series, flush, t // SLOT_MS)
        cell[0] += s["kind"] != "counter" or slot not in slots
        cell[1] += k / 1024
        slots.add(slot)
    return found


def judge(crowd, server):
    """(payloads that arrived, that were given up), after all comparisons."""
    agents, cells, fates = crowd.agents(), expected(crowd), collections.Counter()
    reports = {report for payload in server.taken.values() for report in payload.truncated}
    named = {(agent_id, seq): attempted for agent_id, first, last, _, attempted in reports for seq in range(first, last + 1)}
    made, cut = set(), set()
    for agent, _, flush, agent_id, first, last, created_ms, end_ms in crowd.flushes():
        assert last <= first, "a flush of the crowd makes one payload"
        assert (agent, flush) not in cut, "a flush stands there twice"
        cut.add((agent, flush))
        if last < first:
            assert (agent, flush) not in cells, f"agent {agent} was told something that flush {flush} did not cut"
            continue
        identity = (agent_id, first)
        assert identity not in made
        made.add(identity)
        if identity in server.taken:
            assert named.get(identity, True), f"{identity} has arrived and is reported as never sent"
            assert server.keys[agent_id] == SITES[agents[agent]["site"]], "a key of another site"
            got = {key: list(cell) for key, cell in server.taken[identity].cells.items()}
            assert got == {key: list(cell) for key, cell in cells[agent, flush].items()}, f"agent {agent}, flush {flush}"
            fates["arrived"] += 1
        else:
            assert identity in named, f"agent {agent}, flush {flush}: {identity} is lost, and nobody said so"
            fates["reported"] += 1
    assert set(cells) <= cut, "told, and never flushed"
    assert set(server.taken) <= made and set(named) <= made
    return fates, len(named)


def check_plan(crowd):
    """What the crowd promises of its values: none of the future, none twice at one time, some late, all within bounds."""
    agents, flushes = crowd.agents(), {(f[0], f[2]): f for f in crowd.flushes()}
    low = {"counter": 0, "gauge": -199999, "distribution": 0}
    seen, late, zeros, spread, total = set(), 0, 0, collections.Counter(), 0
    for agent, series, flush, t, k in crowd.told():
        kind = agents[agent]["series"][series]["kind"]
        _, _, _, _, _, _, created_ms, end_ms = flushes[agent, flush]
        assert t <= created_ms and t < end_ms, "of the future, or of a slot that was not cut"
        assert low[kind] <= k < 200000, (kind, k)
        assert (agent, series, flush, t) not in seen, "a series has two values of one time"
        seen.add((agent, series, flush, t))
        late += created_ms - t > 90000
        zeros += kind == "distribution" and k == 0
        spread[kind] += 1
        total += 1
    assert 0.005 < late / total < 0.2 and zeros > 0 and min(spread.values()) > total / 5, (late, zeros, spread)
    shared = {site: {tuple(s["name"] for s in a["series"] if "route" in s["tags"]) for a in agents if a["site"] == site} for site in SITES}
    assert all(len(names) == 1 and len(*names) == SERIES // 2 for names in shared.values()), shared
    assert all(s["tags"].get("host", a["host"]) == a["host"] for a in agents for s in a["series"])


def away(crowd, server, mode, given_up):
    """Until the agents gave up so many payloads more, or had so many answers of this kind."""
    before = crowd.status()["dropped_payloads"]
    server.mode = mode
    crowd.wait_status(lambda s: s["dropped_payloads"] >= before + given_up and server.seen[mode] > 20, f"given up {given_up} payloads")
    assert crowd.status()["agents_waiting"] > 0
    server.mode = "202"


def frozen(crowd):
    """Stopped for some slots of 30 s, which it makes up for when it goes on: a flush may then cut more than was announced."""
    told = crowd.status()["told"]
    crowd.process.signal(signal.SIGSTOP)
    time.sleep(5 * SLOT_MS / 1000 / SPEED)
    crowd.process.signal(signal.SIGCONT)
    crowd.wait_status(lambda s: s["told"] > told + 4 * AGENTS * SERIES * VALUES, "making up for the slots it missed")


def restarted(crowd, server):
    """Stopped while payloads wait: they and the open slots are in the spools, and the next start brings them."""
    server.mode = "503"
    crowd.wait_status(lambda s: s["agents_waiting"] == AGENTS, "waiting")
    crowd.stop()
    server.mode = "202"
    crowd.start()
    crowd.wait_status(lambda s: s["accepted_payloads"] >= 2 * AGENTS, "bringing what was spooled before")


def end(crowd):
    crowd.process.signal(signal.SIGUSR1)
    s = crowd.wait_status(lambda s: not s["telling"] and s["agents_waiting"] == 0 and s["open_losses"] == 0, "at the end of its spools")
    flushes = s["flushes"]
    crowd.wait_status(lambda s: s["flushes"] >= flushes + AGENTS, "flushing on")
    assert crowd.status()["told"] == s["told"], "told after SIGUSR1"
    return crowd.status()


def test_every_payload_arrives_or_is_reported():
    seed = int(os.environ.get("TEST_SEED", time.time_ns() % 1000000))
    print(f"TEST_SEED={seed}")
    server = Server(random.Random(seed))
    with tempfile.TemporaryDirectory(dir=MEMORY) as directory:
        crowd = Crowd(directory, f"http://127.0.0.1:{server.server_address[1]}", seed)
        try:
            crowd.wait_status(lambda s: s["accepted_payloads"] >= 3 * AGENTS, "posting")
            frozen(crowd)
            restarted(crowd, server)
            away(crowd, server, "silence", 0)
            away(crowd, server, "503", 4 * AGENTS)
            s = end(crowd)
            crowd.stop()
            check_plan(crowd)
            fates, named = judge(crowd, server)
            assert fates["reported"] <= s["dropped_payloads"] == named and s["dropped_payloads"] >= 4 * AGENTS, (s, fates, named)
            assert s["told"] == sum(1 for _ in crowd.told()) and s["unhealthy_spools"] == 0, s
            assert s["answers"]["503"] and s["answers"]["0"] and s["answers"]["202"] >= s["accepted_payloads"] - s["failed_posts"], s
            assert server.lost_answers > 0
            print(f"told {s['told']} payloads {sum(fates.values())} arrived {fates['arrived']} reported {fates['reported']}")
        finally:
            crowd.process.stop(20)
            server.shutdown()


if __name__ == "__main__":
    cases.run(globals())
