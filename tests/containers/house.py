"""Millrace in containers: docker-compose.yml, run by the real Compose against the test's own engine, with compose.override.yml beside it.

What stands here starts it, scales it, and looks at it from outside: at Kafka and the databases by their ports on loopback, at programs by their metrics.
"""
import collections
import concurrent.futures
import json
import subprocess
import time
import urllib.request
from pathlib import Path

import confluent_kafka
import pymongo
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from millrace_local import Failure, ROOT, free_base_port

from engine import CGROUPS, COMPOSE, Watch

HERE = Path(__file__).resolve().parent
PROJECT = "millrace"
BROKERS = (1, 2, 3)
PROGRAMS = ("ingest", "processor-main", "processor-other", "sink-main", "sink-other", "notify-main", "notify-other", "status")
CELLS = ("main", "other")
STORES = ("kafka-1", "kafka-2", "kafka-3", "mongo-main-1", "mongo-other-1")
UP_S, CTL_S = 420, 90
EXEC_S = 30


class House:
    """up() starts all services. The engine cleans up after it."""

    def __init__(self, engine, sites):
        self.engine, self.sites = engine, sites  # sites: {name: (cell, shards)}
        base = free_base_port()
        self.push_port, self.status_port, self.kafka_ports = base, base + 20, [base + n for n in BROKERS]
        self.mongo_ports = {cell: base + 10 + n for n, cell in enumerate(CELLS)}
        self.keys, self.watch = {}, Watch(engine)
        self.scratch = {}
        self.our_kills = []  # names of containers that ended by SIGKILL because the test wanted it, or could not end in time as it took others from them
        self.admin = None

    def _settings(self):
        uris = {}
        for cell in CELLS:
            file = self.engine.work / f"mongo-{cell}-uri"
            file.write_text(f"mongodb://mongo-{cell}-1:27017/?retryWrites=false\n")
            file.chmod(0o644)
            uris[f"MILLRACE_MONGO_{cell.upper()}_URI_FILE"] = str(file)
        ports = {f"MILLRACE_TEST_KAFKA_{n}": str(port) for n, port in zip(BROKERS, self.kafka_ports)}
        ports |= {f"MILLRACE_TEST_MONGO_{cell.upper()}": str(port) for cell, port in self.mongo_ports.items()}
        return {**ports, **uris, "MILLRACE_TEST_PUSH": str(self.push_port), "MILLRACE_TEST_STATUS": str(self.status_port)}

    def compose(self, *words, seconds=UP_S, check=True):
        """Compose's standard output; a Failure with its words when it fails, or when time runs out."""
        files = ["-f", ROOT / "docker-compose.yml", "-f", HERE / "compose.override.yml"]
        command = [COMPOSE, "--project-directory", ROOT, *files, "--ansi", "never", *words]
        try:
            done = subprocess.run([str(word) for word in command], env=self.engine.compose_environment(**self._settings()), stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=seconds)
        except subprocess.TimeoutExpired as late:
            raise Failure(f"compose {' '.join(words)}: not done in {seconds} s\n{self._words(late.stderr)}\n{self.describe()}") from late
        if check and done.returncode:
            raise Failure(f"compose {' '.join(words)}: exit {done.returncode}\n{self._words(done.stdout)}{self._words(done.stderr)}\n{self.describe()}")
        return done.stdout

    @staticmethod
    def _words(output):
        output = output.decode(errors="replace") if isinstance(output, bytes) else output or ""
        return "\n".join(output.splitlines()[-25:])

    def describe(self):
        """Every container's state, and the last lines of those that ended badly or are not well."""
        lines = []
        for container in self.engine.containers():
            found = self.engine.inspect(container)
            if not found:
                continue
            state, name = found["State"], found["Name"]
            lines.append(f"{name}: {state['Status']}, exit {state['ExitCode']}, {self.watch.health.get(name, 'no check')}")
            if state["ExitCode"] or self.watch.health.get(name, "healthy") != "healthy":
                lines += ["    " + line for line in self.logs(container).splitlines()[-12:]]
        return "\n".join(lines)

    def logs(self, container):
        """All a container said."""
        command = [str(word) for word in (*self.engine._command(), "logs", container)]
        return subprocess.run(command, env=self.engine._environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60,
                              errors="replace").stdout

    def compose_up(self, *words):
        """Again when it failed while the engine's server of names was away: jobs that need it run anew with each `up`."""
        for left in (2, 1, 0):
            lost = self.watch.names_lost
            try:
                return self.compose("up", "--detach", "--no-build", *words)
            except Failure as failure:
                time.sleep(2)  # the watch has looked
                if not left or self.watch.names_lost == lost:
                    raise
                print(f"the engine's server of names was away: {str(failure).splitlines()[0]}", flush=True)

    def up(self):
        self.watch.start()
        self.compose_up()
        self.admin = AdminClient({"bootstrap.servers": self.bootstrap(), "log_level": 2})
        self.provision()

    def provision(self):
        """Sites with their shards, and a key each, by the ctl's container."""
        for site, (cell, shards) in self.sites.items():
            self.ctl("site", "add", site, "--cell", cell, "--shards", str(shards))
            self.keys[site] = json.loads(self.ctl("--json", "key", "create", site))["key"]

    def ctl(self, *words):
        return self.compose("run", "--rm", "--no-deps", "-T", "ctl", *words, seconds=CTL_S)

    def bootstrap(self):
        return ",".join(f"127.0.0.1:{port}" for port in self.kafka_ports)

    def containers(self, *services):
        """{name: podman's description} of what runs of these services, or of all."""
        found = {}
        for container in self.engine.containers():
            described = self.engine.inspect(container)
            if described and described["State"]["Running"] and (not services or self.service_of(described) in services):
                found[described["Name"]] = described
        return found

    @staticmethod
    def service_of(described):
        return described["Config"]["Labels"].get("com.docker.compose.service")

    @staticmethod
    def address(described):
        """One of its addresses: the host is on every bridge."""
        return next(network["IPAddress"] for network in described["NetworkSettings"]["Networks"].values())

    def inside(self, name, *command):
        """(exit code, output) of a command run in a container."""
        words = [str(word) for word in (*self.engine._command(), "exec", name, *command)]
        done = subprocess.run(words, env=self.engine._environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=EXEC_S)
        return done.returncode, done.stdout

    def metrics(self, described, port):
        """{name with labels: value}."""
        with urllib.request.urlopen(f"http://{self.address(described)}:{port}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if line and not line.startswith("#")}

    def services(self):
        """The services as Compose understands them."""
        return json.loads(self.compose("config", "--format", "json"))["services"]

    @staticmethod
    def limit_of_cgroup(described):
        """(memory, memory and swap) as the kernel has them."""
        cgroup = described["State"]["CgroupPath"].lstrip("/")
        first, second = CGROUPS / "memory" / cgroup, CGROUPS / cgroup
        if first.is_dir():
            return tuple(int((first / file).read_text()) for file in ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"))
        memory, swap = (int((second / file).read_text()) for file in ("memory.max", "memory.swap.max"))
        return memory, memory + swap

    def reaches(self, name, host, port):
        """Whether a container opens a connection there within some seconds."""
        return self.inside(name, "timeout", "2", "bash", "-c", f"exec 3<>/dev/tcp/{host}/{port}")[0] == 0

    def restarts(self):
        """{name: how often the engine has started it again}, of all containers that are there."""
        return {found["Name"]: found["RestartCount"] for found in map(self.engine.inspect, self.engine.containers()) if found}

    def killed(self):
        """Names of containers that ended by SIGKILL, once for each end, but for our_kills; and of those of which the engine says that memory was their end."""
        said = [found["Name"] for found in map(self.engine.inspect, self.engine.containers()) if found and found["State"]["OOMKilled"]]
        ends = collections.Counter(name for name, code in self.engine.ends() if code == 137) - collections.Counter(self.our_kills)
        return said + list(ends)

    def restart(self, *services):
        """All at once. The last brokers of a quorum may not end within their time to stop: they have nobody to tell."""
        before = len(self.engine.ends())
        self.compose("restart", *services)
        self.watch.forget(*services)
        self.our_kills += [name for name, code in self.engine.ends()[before:] if code == 137 and self.watch.services[name] in services]

    def look_for_scratch(self):
        """Notes the files in what podman makes writable of a read-only container."""
        for name, found in self.containers(*PROGRAMS).items():
            self.scratch[name] = self.inside(name, "find", "/tmp", "/var/tmp", "/run", "-xdev", "-type", "f", "-not", "-name", ".containerenv",
                                             "-not", "-path", "/run/secrets/*")[1].split()

    def scale(self, service, number):
        """As an operator would."""
        self.compose_up("--no-recreate", "--scale", f"{service}={number}")

    def members(self, cell):
        """Each member's partitions of the samples topic, by the group's coordinator; [] while it rebalances."""
        group = self.admin.describe_consumer_groups([f"millrace-processor-{cell}"])[f"millrace-processor-{cell}"].result(20)
        if group.state != confluent_kafka.ConsumerGroupState.STABLE:
            return []
        return [{p.partition for p in m.assignment.topic_partitions if p.topic.endswith(".samples")} for m in group.members]

    def wait_members(self, cell, number, seconds):
        """Until so many processors share the cell's partitions, each with some."""
        self.wait(lambda: len(parts := self.members(cell)) == number and all(parts), seconds, f"{number} processors at work in cell {cell}")

    def wait_healthy(self, seconds, *services):
        """Until each of these services runs, and all that runs of them is healthy."""
        def all_healthy():
            found = self.containers(*services)
            return ({self.service_of(described) for described in found.values()} == set(services) and
                    all(self.watch.health.get(name) == "healthy" for name in found))
        self.wait(all_healthy, seconds, "healthy: " + " ".join(services))

    def wait(self, ready, seconds, what):
        deadline = time.monotonic() + seconds
        while not self._is(ready):
            if time.monotonic() > deadline:
                raise Failure(f"not {what} within {seconds} s\n{self.describe()}")
            time.sleep(0.2)

    @staticmethod
    def _is(ready):
        """A broker that does not answer means: not yet."""
        try:
            return ready()
        except (confluent_kafka.KafkaException, concurrent.futures.TimeoutError):
            return False

    def view(self, cell):
        return View(self.bootstrap(), cell)

    def database(self, cell):
        return pymongo.MongoClient(f"mongodb://127.0.0.1:{self.mongo_ports[cell]}/?directConnection=true", serverSelectionTimeoutMS=20000,
                                   socketTimeoutMS=60000).get_database("millrace")


class View:
    """Offsets of a cell's samples: where the topic begins and ends, and what processors have committed. For one thread; it joins no group."""

    def __init__(self, bootstrap, cell):
        self.topic = f"millrace.c.{cell}.samples"
        self.consumer = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": f"millrace-processor-{cell}", "enable.auto.commit": False,
                                                  "isolation.level": "read_uncommitted", "log_level": 2})
        self.partitions = [TopicPartition(self.topic, p) for p in sorted(self.consumer.list_topics(self.topic, timeout=30).topics[self.topic].partitions)]

    def committed(self):
        """{partition: offset}, of those that have one."""
        return {p.partition: p.offset for p in self.consumer.committed(self.partitions, timeout=5) if p.offset >= 0}

    def watermarks(self):
        """{partition: (first, end)}."""
        return {p.partition: self.consumer.get_watermark_offsets(p, timeout=5) for p in self.partitions}

    def ends(self):
        return {p: end for p, (_, end) in self.watermarks().items()}
