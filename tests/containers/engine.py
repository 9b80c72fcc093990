"""A container engine of the test's own: podman with runc, its storage below build/containers, behind a socket that speaks Docker's API.

The machine's podman is not touched: storage, state, networks' definitions, locks and settings are below build/containers (bridges, rules of iptables and the
server of names are the machine's, as there are no others). Images stay there for the next run; containers, networks and volumes are removed before the
first use and at the end.

Podman leaves health checks to timers of systemd, which a test machine may not have: Watch runs them by the API, at the intervals of the compose file, and
meanwhile remembers each container's peak of memory, which goes with its cgroup.
"""
import collections
import contextlib
import datetime
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from millrace_local import PARTS, Failure, Process, ROOT

HOME = ROOT / "build" / "containers"
TOOLS = ("podman", "runc", "conmon", "iptables", "debootstrap")
HELPERS = ("netavark", "aardvark-dns")
HELPERS_IN = [Path(place) for place in ("/usr/lib/podman", "/usr/libexec/podman", "/usr/local/libexec/podman")]
NAMES = Path("/run/containers/networks/aardvark-dns")  # where podman, run by root, has what its server of names knows
START_S, CALL_S = 30, 120
LOOK_EVERY_S, UNWELL_EVERY_S = 0.5, 2
HEALTHY_EVERY_S = 20  # a container that is well is asked less often than the compose file says: each look starts a process in it
CGROUPS = Path("/sys/fs/cgroup")

CONTAINERS_CONF = """# Written by tests/containers at every start.
[containers]
default_ulimits = ["nofile=16384:16384", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
tmp_dir = "{home}/tmp"
compat_api_enforce_docker_hub = true
[network]
network_backend = "netavark"
network_config_dir = "{home}/networks"
"""


def find_helper(name):
    """Its path; None when it is missing."""
    return next((place / name for place in HELPERS_IN if (place / name).exists()), None)


def check_machine():
    """A Failure that says what is missing."""
    if os.geteuid() != 0:
        raise Failure("containers need root here: limits by cgroups, bridges, overlay mounts. Run this as root.")
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    missing += [helper for helper in HELPERS if not find_helper(helper)]
    if missing:
        raise Failure(f"missing: {' '.join(missing)}. Run deploy/local/deps --containers")


class _Unix(http.client.HTTPConnection):
    """HTTP over the engine's socket."""

    def __init__(self, path, seconds):
        super().__init__("engine", timeout=seconds)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Engine:
    """As a context: the service runs on entering, and nothing is left on leaving but images."""

    def __init__(self, log=print):
        self.log = log
        self.work = Path(tempfile.mkdtemp(prefix="millrace-containers-"))
        self.socket = self.work / "podman.sock"  # a short path: a socket's name has 107 characters at most
        self.service = Process("podman", HOME)  # its pid stays known to the next run, if this one cannot end it

    def __enter__(self):
        check_machine()
        self.claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.claim.bind("\0millrace-containers")  # of the machine: it has one server of names, and one set of bridges
        except OSError as error:
            raise Failure("containers of another run are on this machine") from error
        HOME.mkdir(parents=True, exist_ok=True)
        (HOME / "tmp").mkdir(exist_ok=True)
        self.began = datetime.datetime.now(datetime.timezone.utc).isoformat()
        (HOME / "containers.conf").write_text(CONTAINERS_CONF.format(home=HOME))
        try:
            self.service.stop(10)
            self.wipe()
            self.service.start([*self._command(), "system", "service", "--time", "0", f"unix://{self.socket}"], env=self._environment(), cwd=self.work)
            self.service.wait_until(self._answers, START_S, "answering")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        try:
            self.wipe()
        finally:
            self.service.stop(10)
            self.claim.close()
            shutil.rmtree(self.work, ignore_errors=True)

    @staticmethod
    def _environment():
        return {**os.environ, "CONTAINERS_CONF": str(HOME / "containers.conf")}

    @staticmethod
    def _command():
        return ["podman", "--root", HOME / "storage", "--runroot", HOME / "run", "--storage-driver", "overlay"]

    def podman(self, *words, seconds=CALL_S, check=True, **options):
        """Runs podman's own command; its output as text. A Failure with its words when it fails."""
        command = [str(word) for word in (*self._command(), *words)]
        done = subprocess.run(command, env=self._environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=seconds,
                              **{"cwd": self.work, **options})  # conmon leaves a file `oom` where it was started
        if check and done.returncode:
            raise Failure(f"podman {' '.join(map(str, words))}: exit {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-3000:]}")
        return done.stdout

    def wipe(self):
        """Ends and removes all containers, networks and volumes. Each step is tried whatever became of the one before."""
        failed = []
        for words in (["rm", "--all", "--force", "--time", "0", "--volumes"], ["network", "prune", "--force"], ["volume", "prune", "--force"]):
            try:
                self.podman(*words)
            except (Failure, subprocess.TimeoutExpired) as error:
                failed.append(str(error))
        if failed:
            raise Failure("not all is removed:\n" + "\n".join(failed))

    def leftovers(self):
        """What is still there of containers, their networks and volumes."""
        networks = [name for name in self.podman("network", "ls", "--quiet").split() if name != "podman"]
        return self.podman("ps", "--all", "--quiet").split() + networks + self.podman("volume", "ls", "--quiet").split()

    def keep_names(self):
        """Starts the server of names again when it has gone while there are names: aardvark-dns 1.4 may end when containers come and go at once, and podman
        starts the next one with the next container only."""
        if not NAMES.is_dir() or not [file for file in NAMES.iterdir() if file.name != "aardvark.pid"]:
            return False
        with contextlib.suppress(OSError, ValueError):
            stat = Path(f"/proc/{int((NAMES / 'aardvark.pid').read_text())}/stat").read_text()
            if "aardvark" in stat and stat[stat.rindex(")") + 2] not in "ZX":
                return False
        subprocess.run([find_helper("aardvark-dns"), "--config", NAMES, "-p", "53", "run"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=CALL_S)
        return True

    def _answers(self):
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.call("GET", "/v4.0.0/libpod/_ping", seconds=2)[0] == 200
        return False

    def call(self, method, path, seconds=CALL_S):
        """(status, parsed body or its text) of a call of the API."""
        connection = _Unix(self.socket, seconds)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
        finally:
            connection.close()
        with contextlib.suppress(ValueError):
            return answer.status, json.loads(text)
        return answer.status, text

    def listing(self):
        """{id: state} of all containers."""
        return {row["Id"]: row["State"] for row in self.call("GET", "/v4.0.0/libpod/containers/json?all=true")[1]}

    def containers(self):
        """Ids of all containers, running or not."""
        return list(self.listing())

    def inspect(self, container):
        """Podman's own description; None when it is gone."""
        status, found = self.call("GET", f"/v4.0.0/libpod/containers/{container}/json")
        return found if status == 200 else None

    def ends(self):
        """[(name, exit code)] of containers' ends so far, in their order. The file of events is as old as the images."""
        lines = self.podman("events", "--stream=false", "--since", self.began, "--filter", "event=died", "--format", "json").splitlines()
        return [(event["Name"], event.get("ContainerExitCode", 0)) for event in map(json.loads, lines)]

    def compose_environment(self, **more):
        """For Compose: this engine, and nothing of Millrace's or Compose's from outside."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("MILLRACE_", "COMPOSE_", "DOCKER_"))}
        return {**clean, "DOCKER_HOST": f"unix://{self.socket}", "DOCKER_CONFIG": str(self.work), **more}


COMPOSE = PARTS / "venv" / "bin" / "docker-compose"


class Memory:
    """A container's peaks, in bytes, against its limit: all that counts for the limit, and without the page cache, which gives way."""

    def __init__(self, limit):
        self.limit, self.peak, self.resident, self.killed = limit, 0, 0, 0

    def look(self, cgroup):
        """cgroup: as podman says it, below the hierarchy. Peaks stand in the kernel; those without cache are the highest that were seen."""
        first = CGROUPS / "memory" / cgroup.lstrip("/")
        second = CGROUPS / cgroup.lstrip("/")
        with contextlib.suppress(OSError, ValueError):  # gone meanwhile
            if first.is_dir():
                self._take(first, "memory.max_usage_in_bytes", "memory.stat", "total_rss", "memory.oom_control")
            else:
                self._take(second, "memory.peak", "memory.stat", "anon", "memory.events")

    def _take(self, folder, peak, stat, resident, kills):
        self.peak = max(self.peak, int((folder / peak).read_text()))
        rows = dict(line.split() for line in (folder / stat).read_text().splitlines())
        self.resident = max(self.resident, int(rows[resident]))
        self.killed = max(self.killed, int(re.search(r"^oom_kill (\d+)", (folder / kills).read_text(), re.M).group(1)))


class Watch:
    """A thread each for memory and for health checks, from start() to the end of the process."""

    def __init__(self, engine):
        self.engine = engine
        self.memory = {}  # by name of container
        self.health = {}  # the last word, by name
        self.unwell = collections.Counter()  # how often a container was not healthy after it had been
        self.services = {}  # by name, its service in the compose file
        self.names_lost = 0  # how often the server of names had gone
        self.known, self.due = {}, {}  # descriptions, and when the next check is due, by id
        self.error = None
        self.threads = [threading.Thread(target=self._run, args=(step,), daemon=True) for step in (self._look, self._check)]

    def start(self):
        for thread in self.threads:
            thread.start()

    def forget(self, *services):
        """What was said of the health of these services' containers: they are started again."""
        for container, found in list(self.known.items()):
            if self.services.get(found["Name"]) in services:
                self.health.pop(found["Name"], None)
                self.due.pop(container, None)

    def _run(self, step):
        while True:
            time.sleep(LOOK_EVERY_S)
            try:
                self.names_lost += step == self._look and self.engine.keep_names()
                for container, state in self.engine.listing().items():
                    if state == "running" and (found := self._describe(container)):
                        step(container, found)
            except (OSError, http.client.HTTPException, subprocess.SubprocessError, TypeError, KeyError) as error:  # said at the end, by a case that looks at it
                self.error = error

    def _describe(self, container):
        """What does not change while a container is there; None before it runs."""
        if container not in self.known:
            found = self.engine.inspect(container)
            if not found or not found["State"].get("CgroupPath"):
                return None
            self.services[found["Name"]] = found["Config"]["Labels"].get("com.docker.compose.service", found["Name"])
            self.known[container] = found
        return self.known[container]

    def _look(self, _, found):
        self.memory.setdefault(found["Name"], Memory(found["HostConfig"]["Memory"])).look(found["State"]["CgroupPath"])

    def _check(self, container, found):
        check, name = found["Config"].get("Healthcheck"), found["Name"]
        if not check or time.monotonic() < self.due.get(container, 0):
            return
        status, said = self.engine.call("GET", f"/v4.0.0/libpod/containers/{container}/healthcheck")
        if status != 200:
            return  # it has just ended
        well = said["Status"] == "healthy"
        self.unwell[name] += self.health.get(name) == "healthy" and not well
        self.health[name] = said["Status"]
        self.due[container] = time.monotonic() + (max(check["Interval"] / 1e9, HEALTHY_EVERY_S) if well else UNWELL_EVERY_S)
