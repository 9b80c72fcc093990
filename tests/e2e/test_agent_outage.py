#!/usr/bin/env python3
"""Three virtual hours without a server, ten kill -9 and a full disk: every payload is in MongoDB once, or named in a report of losses.

While the server is away the agent's clock runs fast (nobody compares it with his own), and what stands in for the server hangs up, or answers 503, or is
not there. Then an agent on the pipeline's clock takes over the spool, is killed twice while it drains it, and brings the rest. The oracle is the agent's
own journal of what it aggregated (agent_journal.py). Afterwards two machines with a copy of one spool: nothing counted twice, nothing lost.
"""
import contextlib
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(Path(__file__).resolve().parent)]
import agent_journal  # noqa: E402
import cases  # noqa: E402
from agent_house import Agent  # noqa: E402
from millrace_local import free_base_port  # noqa: E402
from pipeline import Pipeline  # noqa: E402

SPEED = 10       # of the pipeline
AWAY_S = 55      # real
AWAY_MS = 3 * 3600_000
BEHIND_MS = 5 * 60_000  # so much behind the pipeline's clock the fast one ends
KILLS_AWAY, KILLS_DRAINING = 8, 2
FULL_S = (18, 34)
DISK_BYTES = 4 << 20
SERIES = 12
LOST_ANSWERS = 0.2
SITE = "shop"


class Line:
    """A clock's line, as Agent wants it."""

    def __init__(self, start_ms, real_ms, speed):
        self.start_ms, self.real_ms, self.speed = start_ms, real_ms, speed

    def settings(self):
        return (f"clock.start_ms={self.start_ms}", f"clock.real_ms={self.real_ms}", f"clock.speed={self.speed}")


class Absence:
    """A port where a server should be: for some time nobody, then one who hangs up, then one who answers 503."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.answer, self.seen, self.stopping = None, 0, False
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while not self.stopping:
            connection, _ = self.listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.settimeout(1)
                self.seen += bool(connection.recv(65536))
                if self.answer:
                    connection.sendall(self.answer)

    def end(self):
        self.stopping = True
        socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
        self.thread.join(5)
        self.listener.close()


class Lossy:
    """A port before ingest's that hands on what is posted, and loses some of the answers: those payloads have arrived, and come again."""

    def __init__(self, port, rng):
        self.upstream, self.random, self.lost = port, rng, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):  # it is closed at the end
            while True:
                near, _ = self.listener.accept()
                far = socket.create_connection(("127.0.0.1", self.upstream), timeout=5)
                threading.Thread(target=self._hand_on, args=(near, far, False), daemon=True).start()
                threading.Thread(target=self._hand_on, args=(far, near, True), daemon=True).start()

    def _hand_on(self, source, target, answers):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if answers and b" 202 " in data[:20] and self.random.random() < LOST_ANSWERS:
                    self.lost += 1
                    break
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def end(self):
        self.listener.close()


class Client:
    """An application that tells all the time; what finds no agent is its own loss, and none of the agent's. Values are integers, so sums are exact."""

    def __init__(self, path, rng):
        self.path, self.random, self.stopping = path, rng, False
        self.thread = threading.Thread(target=self._tell, daemon=True)
        self.thread.start()

    def _tell(self):
        while not self.stopping:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as statsd, contextlib.suppress(OSError):
                statsd.connect(self.path)
                while not self.stopping:
                    lines = [f"m.{i}:{self.random.randrange(1000)}|{'cgd'[i % 3]}|#i:{i}" for i in self.random.sample(range(SERIES), 4)]
                    statsd.send("\n".join(lines).encode())
                    time.sleep(0.01)
            time.sleep(0.01)

    def end(self):
        self.stopping = True
        self.thread.join(10)


class Disk:
    """A small file system below the spool, which can be filled; where none can be mounted, a folder that can be forbidden, or neither."""

    def __init__(self, path):
        self.path = path
        path.mkdir()
        self.mounted = os.geteuid() == 0 and subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(path)],
                                                            capture_output=True, timeout=30).returncode == 0
        self.forbids = not self.mounted and os.geteuid() != 0
        self.can_be_full = self.mounted or self.forbids
        self.how = "a tmpfs of 4 MiB" if self.mounted else "a folder that is forbidden for a while" if self.forbids else "nothing: no mount here"

    def fill(self):
        if self.mounted:
            with open(self.path / "ballast", "wb", buffering=0) as file, contextlib.suppress(OSError):
                while file.write(b"x" * 4096):
                    pass
        elif self.forbids:
            os.chmod(self.path / "spool", 0o500)

    def free(self):
        if self.mounted:
            (self.path / "ballast").unlink(missing_ok=True)
        elif self.forbids:
            os.chmod(self.path / "spool", 0o700)

    def end(self):
        if self.mounted:
            subprocess.run(["umount", "-l", str(self.path)], check=True, timeout=30)


class Runs:
    """An agent that is started again and again on one spool; each start's series have its number, so that a payload can be told from others."""

    def __init__(self, house, name, spool):
        self.house, self.name, self.spool, self.number = house, name, spool, 0
        self.journal = house.directory / f"{name}.journal"
        self.agent = None

    def start(self, port, clock):
        self.number += 1
        self.agent = Agent(self.name, self.house.directory, f"http://127.0.0.1:{port}", self.house.key_file, f"tags=run={self.name}{self.number}",
                           "host.metrics=false", "push.timeout=2s", f"test.journal={self.journal}", f"spool.dir={self.spool}", clock=clock).start()

    def kill(self):
        self.agent.process.kill()


def drained(runs, seconds=90):
    """Waits until nothing waits any more and all losses are told and acknowledged."""
    return runs.agent.wait_status(lambda s: s and s["spool"]["payloads"] == 0 and s["losses"]["ranges"] == 0 and s["push"]["accepted_payloads"] > 0,
                                  "at the end of its spool and of its losses", seconds)


def live_through_the_outage(house, runs, disk, rng):
    """Three virtual hours in AWAY_S, with KILLS_AWAY kills; one of them falls into the time of the full disk."""
    absence = Absence()
    begun, pipeline = time.time(), house.pipeline
    speed = AWAY_MS / (AWAY_S * 1000)
    end_ms = pipeline.now_ms() + AWAY_S * 1000 * SPEED - BEHIND_MS
    clock = Line(end_ms - AWAY_MS, int(begun * 1000), speed)
    moments = sorted([*(rng.uniform(3, AWAY_S - 3) for _ in range(KILLS_AWAY - 1)), rng.uniform(FULL_S[0] + 4, FULL_S[1] - 2)])
    events = sorted([(at, runs.kill) for at in moments] + [(FULL_S[0], disk.fill), (FULL_S[1], disk.free)], key=lambda event: event[0])
    moods = [None, b"", b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"]
    worst = "disk"
    runs.start(absence.port, clock)
    for at, act in events:
        time.sleep(max(0, begun + at - time.time()))
        if act == disk.free and disk.can_be_full:  # an agent that a kill has just begun anew has yet to see it
            worst = runs.agent.wait_status(lambda s: s and s["spool"]["state"] != "disk", "without a disk for its spool")["spool"]["state"]
        act()
        if act == runs.kill:
            absence.answer = rng.choice(moods)
            runs.start(absence.port if rng.random() < 0.8 else 9, clock)
    time.sleep(max(0, begun + AWAY_S - time.time()))
    status = runs.agent.status()
    runs.kill()  # as the next one's clock is another
    absence.end()
    print(f"{runs.number} starts; {absence.seen} posts met no server; {status['spool']['payloads']} payloads wait; disk: {disk.how}, it was {worst}", flush=True)
    assert absence.seen and status["spool"]["payloads"] > 150, status


def test_nothing_is_lost_quietly(house):
    seed = int(os.environ.get("TEST_SEED", time.time()))
    print(f"TEST_SEED={seed}", flush=True)
    rng = random.Random(seed)
    disk = Disk(house.directory / "disk")
    runs = Runs(house, "outage", disk.path / "spool")
    client = Client(str(house.directory / "outage" / "statsd.sock"), random.Random(seed))
    lossy = Lossy(house.pipeline.push_port, random.Random(seed))
    try:
        live_through_the_outage(house, runs, disk, rng)
        for _ in range(KILLS_DRAINING):
            runs.start(lossy.port, house.clock)
            accepted, lost = rng.randrange(5, 30), lossy.lost
            runs.agent.wait_status(lambda s: s["push"]["accepted_payloads"] >= accepted and lossy.lost > lost, "draining", 60)
            runs.kill()
        runs.start(house.pipeline.push_port, house.clock)
        drained(runs)
        client.end()
        time.sleep(30 / SPEED)  # the last slot ends
        drained(runs)
        runs.agent.stop()
    finally:
        client.stopping = True
        lossy.end()
        if runs.agent:
            runs.agent.process.stop(10)
        disk.end()
    judge(house, [runs], at_least=KILLS_AWAY + KILLS_DRAINING, lost=disk.mounted)


def wait_stored(house, payloads):
    """Until all minutes are closed, and late ones went out."""
    house.pipeline.wait_until_virtual(house.pipeline.now_ms() + 60_000 + (60 + 45 + 15) * 1000)
    deadline = time.monotonic() + 60
    while True:
        house.pipeline.check_alive()
        judgement = agent_journal.Judgement(payloads, agent_journal.stored(house.pipeline.database, SITE))
        if not judgement.wrong or time.monotonic() > deadline:
            return judgement
        time.sleep(0.5)  # polling a database that cannot notify


def judge(house, all_runs, at_least=0, lost=False):
    for runs in all_runs:
        house.payloads |= agent_journal.read(runs.journal)
    judgement = wait_stored(house, house.payloads)
    cut = house.pipeline.metric("ingest", "millrace_ingest_truncated_payloads_total")
    dropped = house.pipeline.metric("processor", "millrace_processor_duplicates_total")
    print(f"{len(house.payloads)} payloads: {dict(judgement.fates)}; ingest was told of {cut:.0f} lost ones; the processor dropped {dropped:.0f} repeats",
          flush=True)
    assert not judgement.wrong, f"{len(judgement.wrong)} cells differ:\n" + "\n".join(sorted(judgement.wrong)[:10])
    assert judgement.fates["unreported"] == 0 and judgement.fates["must"] > at_least, judgement.fates
    assert dropped, "no payload came twice: this test has shown nothing"
    assert cut >= judgement.fates["lost"], "ingest's ledger does not show all losses"
    assert not lost or judgement.fates["lost"] + judgement.fates["may"] > 0, "the kill while the disk was full has lost nothing: this test has shown nothing"


def test_a_copied_spool_counts_once(house):
    first, second = (Runs(house, name, house.directory / f"{name}-spool") for name in ("original", "copy"))
    clients = []
    try:
        first.start(9, house.clock)
        clients.append(Client(str(house.directory / "original" / "statsd.sock"), random.Random(1)))
        first.agent.wait_status(lambda s: s["spool"]["payloads"] >= 3, "spooling")
        first.kill()
        shutil.copytree(first.spool, second.spool)
        clients.append(Client(str(house.directory / "copy" / "statsd.sock"), random.Random(2)))
        for runs in (first, second):
            runs.start(house.pipeline.push_port, house.clock)
        for runs in (first, second):
            runs.agent.wait_status(lambda s: s["flush"]["flushes"] >= 2, "with payloads of its own")
        for client in clients:
            client.end()
        time.sleep(30 / SPEED)
        for runs in (first, second):
            drained(runs)
            runs.agent.stop()
    finally:
        for client in clients:
            client.stopping = True
        for runs in (first, second):
            if runs.agent:
                runs.agent.process.stop(10)
    judge(house, [first, second])


class House:
    """What both tests share."""

    def __init__(self, pipeline, directory):
        self.pipeline, self.directory, self.payloads = pipeline, directory, {}
        self.clock = Line(pipeline.env["CLOCK_START_MS"], pipeline.env["CLOCK_REAL_MS"], pipeline.env["CLOCK_SPEED"])
        self.key_file = directory / "key"
        with open(os.open(self.key_file, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(pipeline.keys[SITE])


def main():
    with tempfile.TemporaryDirectory(prefix="millrace-outage-") as folder:
        with Pipeline(folder, base_port=free_base_port(), speed=SPEED, start_minute_of_hour=10, sites={SITE: 2},
                      processor_settings=["window.late_idle=30s"]) as pipeline:
            cases.run(globals(), House(pipeline, Path(folder)))


if __name__ == "__main__":
    main()
