"""Millrace's own programs on top of a stack, as run starts them: control plane first, then one of each.

Everything listens on 127.0.0.1. A port that somebody holds is replaced by a free one, but for Kafka's and the
database's, which Stack refuses by name.
"""
import http.client
import json
import os
import socket
import subprocess
import sys

from .paths import BINARIES, LOCAL
from .process import Failure, Process, port_is_open

DATABASE = "millrace"
CELL = "main"
SITE = "demo"
PUSH_PORT = 4318
STATUS_PORT = 8080
ADMIN_PORTS = {"ingest": 9101, "processor": 9102, "sink": 9103, "notify": 9104, "status": 9105}
AGENT_PORTS = {"admin": 9106, "statsd": 8125}
RECEIVER_PORT = 9107
READY_SECONDS = 60


def pick_port(wanted, kind=socket.SOCK_STREAM):
    """wanted if nobody holds it, else one that the kernel says is free."""
    with socket.socket(type=kind) as probe:
        try:
            if kind == socket.SOCK_STREAM and port_is_open(wanted):
                raise OSError
            if kind == socket.SOCK_DGRAM:
                probe.bind(("127.0.0.1", wanted))
            return wanted
        except OSError:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]


def is_ready(admin_port):
    """Does GET /health/ready say 200?"""
    connection = http.client.HTTPConnection("127.0.0.1", admin_port, timeout=5)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def ctl(kafka, *words):
    """One call of millrace-ctl; its standard output."""
    command = [str(BINARIES / "millrace-ctl"), "--kafka", kafka, *words]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=120)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failure(f"millrace-ctl {' '.join(words)}: {error}") from error
    if done.returncode:
        raise Failure(f"millrace-ctl {' '.join(words)} ended with {done.returncode}: "
                      f"{(done.stderr or done.stdout).strip()}")
    return done.stdout


def create_site(kafka, key_file):
    """Topics, the cell, the site and a key for it. The key goes into a file only its owner may read."""
    ctl(kafka, "topics", "apply", "--replication-factor", "1")
    ctl(kafka, "cell", "add", CELL, "--replication-factor", "1")
    ctl(kafka, "site", "add", SITE, "--cell", CELL)
    answer = ctl(kafka, "key", "create", SITE, "--json")
    try:
        key = json.loads(answer)["key"]
    except (ValueError, KeyError, TypeError):
        raise Failure("millrace-ctl key create --json printed no key") from None
    with open(os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(key + "\n")


class Programs:
    """ingest, processor, sink, notify and status with their processes in one directory."""

    def __init__(self, directory):
        self.processes = {name: Process(name, directory) for name in ADMIN_PORTS}
        self.admin_ports = dict(ADMIN_PORTS)
        self.push_port, self.status_port = PUSH_PORT, STATUS_PORT
        self.status_dir = directory / "status"

    def start(self, env):
        """Starts them on the stack whose stack.env is given; the ports are chosen now."""
        self.push_port, self.status_port = pick_port(PUSH_PORT), pick_port(STATUS_PORT)
        self.status_dir.mkdir(exist_ok=True)
        for name, process in self.processes.items():
            self.admin_ports[name] = pick_port(ADMIN_PORTS[name])
            settings = {"kafka.bootstrap.servers": env["KAFKA"], "admin.listen": f"127.0.0.1:{self.admin_ports[name]}"}
            if name != "status":  # which is of all cells
                settings["cell"] = CELL
            if name == "ingest":
                settings["push.listen"] = f"127.0.0.1:{self.push_port}"
            if name == "sink":
                settings |= {"mongo.uri": env["MONGO_1"], "mongo.database": DATABASE}
            if name == "notify":  # to the receiver on this machine, which is neither public nor https
                settings |= {"notify.allow_http": "true", "notify.allow_networks": "127.0.0.0/8"}
            if name == "status":
                settings |= {"status.listen": f"127.0.0.1:{self.status_port}", "status.dir": self.status_dir,
                             "page.url": f"http://127.0.0.1:{self.status_port}"}
            words = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
            process.start([BINARIES / f"millrace-{name}", *words])

    def wait_ready(self):
        """Returns when all say that they are ready."""
        for name, process in self.processes.items():
            process.wait_until(lambda port=self.admin_ports[name]: is_ready(port), READY_SECONDS, "ready")


class Receiver:
    """Who is told of alerts: receiver.py, which prints them into its log; and the triggers and receivers of alerts.yml."""

    def __init__(self, directory):
        self.directory = directory
        self.process = Process("receiver", directory)
        self.port = RECEIVER_PORT
        self.told = 0  # bytes of its log that told() has given

    def start(self):
        self.port = pick_port(self.port)
        self.process.start([sys.executable, LOCAL / "receiver.py", "--port", str(self.port)])

    def wait_ready(self):
        self.process.wait_until(lambda: port_is_open(self.port), READY_SECONDS, "listening")

    def apply(self, kafka):
        """Tells the control plane who is to be told of what."""
        file = self.directory / "alerts.yml"
        file.write_text((LOCAL / "alerts.yml").read_text().replace(f":{RECEIVER_PORT}/", f":{self.port}/"))
        ctl(kafka, "receiver", "apply", "-f", str(file))
        ctl(kafka, "trigger", "apply", "-f", str(file))

    def news(self):
        """Whole lines that it has printed since the last time."""
        with open(self.process.log_file, "rb") as log:
            log.seek(self.told)
            text = log.read()
        text = text[:text.rfind(b"\n") + 1]
        self.told += len(text)
        return text.decode(errors="replace").splitlines()


class Agent:
    """The agent of this machine, with its spool and its sockets in one directory. Its key comes from a file."""

    def __init__(self, directory):
        self.directory = directory
        self.process = Process("agent", directory)
        self.admin_port, self.statsd_port = AGENT_PORTS["admin"], AGENT_PORTS["statsd"]
        self.statsd_socket = directory / "statsd.sock"

    def start(self, push_port, key_file):
        """Starts it; the ports are chosen now."""
        self.admin_port, self.statsd_port = pick_port(self.admin_port), pick_port(self.statsd_port, socket.SOCK_DGRAM)
        settings = {"push.url": f"http://127.0.0.1:{push_port}", "key.file": key_file, "spool.dir": self.directory / "spool",
                    "admin.listen": f"127.0.0.1:{self.admin_port}", "statsd.listen": f"127.0.0.1:{self.statsd_port}",
                    "statsd.socket": self.statsd_socket, "lines.socket": self.directory / "lines.sock",
                    "status.socket": self.directory / "status.sock"}
        words = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
        self.process.start([BINARIES / "millrace-agent", *words])

    def wait_ready(self):
        self.process.wait_until(lambda: is_ready(self.admin_port), READY_SECONDS, "ready")
