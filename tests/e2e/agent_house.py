"""One millrace-agent as a process, and what a test looks at from outside: its sockets, its status, what of it arrived in Kafka."""
import http.client
import json
import os
import socket
import subprocess
import time

from ingest_house import ENVIRONMENT, PATIENCE
from millrace_local import BINARIES, Process, free_ports

BINARY = BINARIES / "millrace-agent"
SLOT_MS = 30000


class Clock:
    """The test clock of everything that a test starts: one line, from now on."""

    def __init__(self, speed):
        self.real_ms = self.start_ms = int(time.time() * 1000)
        self.speed = speed

    def settings(self):
        return (f"clock.start_ms={self.start_ms}", f"clock.real_ms={self.real_ms}", f"clock.speed={self.speed}")

    def now_ms(self):
        return self.start_ms + int((time.time() * 1000 - self.real_ms) * self.speed)


class Agent:
    """Its folder holds the spool and the sockets. key: a file. Without a clock it runs in real time."""

    def __init__(self, name, directory, url, key_file, *settings, clock=None, env=None):
        self.directory = directory / name
        self.directory.mkdir(exist_ok=True)
        self.spool = self.directory / "spool"
        self.statsd_socket, self.lines_socket, self.status_socket = (str(self.directory / f"{n}.sock") for n in ("statsd", "lines", "status"))
        self.admin_port, self.statsd_port = free_ports(2)
        self.process = Process(name, directory)
        own = [f"push.url={url}", f"spool.dir={self.spool}", f"statsd.listen=127.0.0.1:{self.statsd_port}", f"statsd.socket={self.statsd_socket}",
               f"lines.socket={self.lines_socket}", f"status.socket={self.status_socket}", f"admin.listen=127.0.0.1:{self.admin_port}",
               "spool.min_free=0", *([f"key.file={key_file}"] if key_file else []), *(clock.settings() if clock else ()), *settings]
        self.settings = [word for each in own for word in ("--set", each)]
        self.test = ["--test-clock"] if clock else []
        self.env = {**ENVIRONMENT, **(env or {})}

    def command(self, *words):
        first = [word for word in words[:1] if word in ("diagnose", "status")]
        return [str(BINARY), *first, *self.test, *self.settings, *words[len(first):]]

    def run(self, *words, seconds=PATIENCE):
        """A command that ends by itself: (exit code, standard output, standard error)."""
        done = subprocess.run(self.command(*words), env=self.env, capture_output=True, text=True, timeout=seconds)
        return done.returncode, done.stdout, done.stderr

    def start(self):
        self.process.start(self.command(), env=self.env)
        self.process.wait_until(lambda: os.path.exists(self.status_socket) and self.status(), PATIENCE, "telling its status")
        return self

    def status(self):
        """What the socket says, or None while nobody listens."""
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.settimeout(PATIENCE)
                connection.connect(self.status_socket)
            except OSError:
                return None
            text = b""
            while chunk := connection.recv(65536):
                text += chunk
        return json.loads(text)

    def wait_status(self, fits, what, seconds=PATIENCE):
        """Waits until the status is as a function wants it; the last one."""
        self.process.wait_until(lambda: fits(self.status()), seconds, what)
        return self.status()

    def tell(self, text):
        """One datagram, by UDP."""
        with socket.socket(type=socket.SOCK_DGRAM) as statsd:
            statsd.sendto(text.encode(), ("127.0.0.1", self.statsd_port))

    def told(self, values):
        """Waits until so many values of StatsD are in the store."""
        self.wait_status(lambda s: s["statsd"]["values"] >= values, f"told {values} values")

    def delivered(self, seconds=PATIENCE):
        """All that was told by now is acknowledged: two more flushes, and nothing waits."""
        flushes = self.status()["flush"]["flushes"]
        return self.wait_status(lambda s: s["flush"]["flushes"] >= flushes + 2 and s["spool"]["payloads"] == 0, "at the end of its spool", seconds)

    def stop(self):
        assert self.process.stop(40) == "stopped" and self.process.exit_code == 0, (self.process.exit_code, self.log())

    def admin(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def log(self):
        return self.process.log_file.read_text(errors="replace")


def series_key(series):
    """A series as a test spells it: "kind name tag=value .."."""
    return " ".join([series["kind"], series["name"], *(f"{key}={value}" for key, value in sorted(series["tags"].items()))])


def merged(records):
    """{series: {count, sum, min, max}} over SampleBatches, each payload's part of a partition counted once."""
    seen, out = set(), {}
    for partition, _, batch in records:
        if batch["agent_id"] is not None:
            part = (partition, batch["agent_id"], batch["seq"])
            if part in seen:
                continue
            seen.add(part)
        for sample in [{**v, "count": 1, "sum": v["v"], "min": v["v"], "max": v["v"]} for v in batch["values"]] + batch["summaries"]:
            one = out.setdefault(series_key(batch["series"][sample["series"]]), {"count": 0, "sum": 0.0, "min": sample["min"], "max": sample["max"]})
            one["count"] += sample["count"]
            one["sum"] += sample["sum"]
            one["min"], one["max"] = min(one["min"], sample["min"]), max(one["max"], sample["max"])
    return out
