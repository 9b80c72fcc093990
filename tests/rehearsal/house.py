"""All of Millrace as processes, two cells wide: three brokers, two databases behind toxiproxy, two ingests behind nginx, two processors, a sink and a notifier a
cell, the status page, a receiver of webhooks, and the crowd of agents, on one accelerated clock. And what can be done to each of them.

A program that ends without having been told to is a failure at once: nothing here restarts what should have recovered by itself. What was
killed is started again, as an orchestrator would.
"""
import collections
import contextlib
import itertools
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

import confluent_kafka
import pymongo
from confluent_kafka.admin import AdminClient
from millrace_local import Failure, NGINX, Process, ROOT, Stack, Toxiproxy, free_base_port, port_is_open, tail
from processor_cell import Codec
from receivers import HookServer

CELLS = {"amber": ("alpha", "beta"), "blue": ("gamma", "delta")}
PARTITIONS, SHARDS = 6, {"alpha": 4, "beta": 2, "gamma": 4, "delta": 2}
BUDGETS_MIB = {"ingest": 64, "processor": 64, "sink": 64, "notify": 64, "status": 64, "crowd": 256}
SPOOL_MAX_AGE = "10m"   # virtual: an outage of a quarter of an hour is longer than the agents' patience
ALERTS_MAX_AGE_S = 240  # virtual: what is older is summed up; a processor need not stand still for half a minute to see it
GRACE = "90s"           # virtual: on this clock the default is less than a busy machine needs for an answer
DEGRADED = "10m"        # virtual: how far behind the status page takes for trouble; commits, every 5 s of real time, are minutes apart on this clock
READY_S, HTTP_S = 90, 3
DAY_MS = 86400000
MEMORY, ROOM_BYTES = "/dev/shm", 6 << 30
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("MILLRACE_")}  # those would be settings

NGINX_CONF = """# Written by the rehearsal: the load balancer in front of two ingests.
daemon off;
worker_processes 1;
pid {dir}/nginx.pid;
error_log {dir}/error.log warn;
events {{ worker_connections 2048; }}
http {{
  log_format answers '$msec $status $upstream_addr $request_time';
  access_log {dir}/access.log answers;
  client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  client_max_body_size 8m;
  keepalive_timeout 300s; keepalive_requests 100000;
  upstream ingest {{ {servers} keepalive 64; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://ingest;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_connect_timeout 2s; proxy_read_timeout 25s;
    }}
  }}
}}
"""


def warm(database, inserts=150):
    """A virtual machine that has just started takes half a second for an insert of thirty documents: lets it compile what inserts run."""
    with pymongo.MongoClient(database.uri) as client:
        for number in range(inserts):
            client.warmth.minutely.insert_many([{"_id": os.urandom(44), "t": number, "name": "warmth", "tags": {"a": "b"}, "sum": 1.0}] +
                                               [{"_id": os.urandom(44), "h": {"c": list(range(20))}} for _ in range(60)], ordered=False)
        client.drop_database("warmth")


@contextlib.contextmanager
def place(prefix, keep=None):
    """A folder for a house: kept if one is named, else a temporary one, in memory where there is room. Brokers, databases and 200 spools sync what they write;
    no fault here is one that a disk's cache would show, and a disk that others use makes every figure theirs."""
    if keep:
        pathlib.Path(keep).mkdir(parents=True, exist_ok=True)
        yield keep
        return
    roomy = os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= ROOM_BYTES
    with tempfile.TemporaryDirectory(prefix=prefix, dir=MEMORY if roomy else None) as folder:
        yield folder


def end(*_):
    """A handler of SIGTERM: a runner whose patience ends must leave no process behind, so a second one changes nothing."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(1)


class Clock:
    """The test clock: virtual time, by the line every program computes."""

    def __init__(self, start_ms, speed):
        self.start_ms, self.speed, self.real_ms = start_ms, speed, int(time.time() * 1000)

    def now_ms(self):
        return self.start_ms + int((time.time() * 1000 - self.real_ms) * self.speed)

    def settings(self):
        return [f"clock.start_ms={self.start_ms}", f"clock.real_ms={self.real_ms}", f"clock.speed={self.speed}"]

    def real_s(self, virtual_s):
        return virtual_s / self.speed


class Program:
    """One of Millrace's own: its process, its state, its figures."""

    def __init__(self, house, kind, name, cell, settings, tested=True):
        self.kind, self.name, self.cell, self.port = kind, name, cell, next(house.ports)
        self.process = Process(name, house.directory)
        own = [f"admin.listen=127.0.0.1:{self.port}", f"kafka.bootstrap.servers={house.kafka}", f"memory.budget={BUDGETS_MIB[kind]}Mi",
               "heartbeat.interval=500ms", *([f"cell={cell}"] if cell else []), *house.clock.settings(), *settings]
        self.command = [house.binaries / f"millrace-{kind}", "--test-clock", *(word for each in own for word in ("--set", each))]
        self.state = "down"   # up, frozen, ending
        self.rss = []         # (real time, MiB) while it ran, since the last start

    def start(self):
        self.process.start(self.command, env=ENVIRONMENT)
        self.state = "up"

    def kill(self):
        """kill -9. One that has ended by itself before is no victim."""
        if self.process.exit_code is not None:
            raise Failure(f"{self.name} ended with {self.process.exit_code} before it was killed\n{tail(self.process.log_file, 40)}")
        self.process.kill()
        self.state = "down"

    def freeze(self):
        self.process.signal(signal.SIGSTOP)
        self.state = "frozen"

    def thaw(self):
        self.process.signal(signal.SIGCONT)
        self.state = "up"

    def get(self, path):
        """(status, text); 0 while nobody answers."""
        if self.state == "frozen":
            return 0, "frozen"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=HTTP_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def ready(self):
        return self.get("/health/ready")[0] == 200

    def figures(self):
        """{metric: sum over its labels}; empty while it does not answer."""
        found = collections.Counter()
        for line in self.get("/metrics")[1].splitlines() if self.state == "up" else []:
            if line.startswith("millrace_") and line.count(" ") >= 1:
                with contextlib.suppress(ValueError):
                    found[line.split("{")[0].split(" ")[0]] += float(line.rsplit(" ", 1)[1])
        return found

    def metric(self, name):
        """NaN, of which nothing is true, while it does not answer: silence is no lag of 0."""
        figures = self.figures() or self.figures()
        return figures[f"millrace_{self.kind}_{name}"] if figures else float("nan")

    def stop(self, seconds=40):
        how = self.process.stop(seconds)
        self.state = "down"
        if how != "stopped" or self.process.exit_code != 0:
            raise Failure(f"{self.name}: {how}, exit code {self.process.exit_code}\n{tail(self.process.log_file)}")


class Crowd(Program):
    """The agents. Its figures are its own words, by a socket."""

    def __init__(self, house, seed, agents, series, values):
        self.folder = house.directory / "crowd"
        self.folder.mkdir()
        keys = house.directory / "keys"
        keys.write_text("".join(f"{site} {key}\n" for site, key in house.keys.items()))
        keys.chmod(0o600)
        super().__init__(house, "crowd", "crowd", None, [
            f"push.url=http://127.0.0.1:{house.push_port}", f"crowd.dir={self.folder}", f"crowd.keys={keys}", f"crowd.agents={agents}",
            f"crowd.series={series}", f"crowd.values={values}", f"crowd.seed={seed}", f"spool.max_age={SPOOL_MAX_AGE}"])
        self.command = [word for word in self.command if not str(word).startswith("kafka.") and word != "heartbeat.interval=500ms"]
        self.command = [house.binaries.parent / "tests" / "rehearsal" / "crowd", *self._without_lone_sets(self.command[1:])]

    @staticmethod
    def _without_lone_sets(words):
        """--set without what followed it goes too."""
        return [word for i, word in enumerate(words) if word != "--set" or (i + 1 < len(words) and words[i + 1] != "--set")]

    def status(self):
        """What its socket says; empty while nobody listens."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(HTTP_S)
            try:
                connection.connect(str(self.folder / "crowd.sock"))
                text = b""
                while chunk := connection.recv(65536):
                    text += chunk
                return json.loads(text)
            except (OSError, ValueError):
                return {}

    def ready(self):
        return bool(self.status())

    def figures(self):
        return collections.Counter({key: value for key, value in self.status().items() if isinstance(value, (int, float))})


class House:
    """As a context: all up and ready on entering, all stopped on leaving. Its clock begins at start_minute of yesterday."""

    def __init__(self, directory, speed, start_minute, seed, tree="plain", say=print, agents=200, series=6, values=3):
        self.directory = pathlib.Path(directory)
        self.binaries, self.tree, self.seed, self.say = ROOT / "build" / tree / "bin", tree, seed, say
        self.speed, self.start_minute, self.shape = speed, start_minute, (agents, series, values)
        base = free_base_port(span=100)
        self.stack = Stack(self.directory / "stack", base_port=base, brokers=3, databases=2)
        self.toxiproxy = Toxiproxy(self.directory, base + 40)
        self.ways = {cell: base + 41 + i for i, cell in enumerate(CELLS)}
        self.push_port, self.ingest_ports, self.status_port = base + 45, (base + 46, base + 47), base + 48
        self.ports = itertools.count(base + 50)
        self.nginx = Process("nginx", self.directory)
        self.hooks = HookServer()
        self.programs, self.keys, self.away = {}, {}, set()  # away: brokers and databases that were told to be
        self.lock, self.checks = threading.Lock(), []  # checks: what else must hold all the time

    def __enter__(self):
        try:
            self._start_parts()
            self._provision()
            self._start_programs()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        with contextlib.ExitStack() as last:  # what goes wrong with one keeps no other alive
            last.callback(self.stack.down)
            for part in [*self.stack.brokers, *self.stack.databases]:  # nobody needs their data any more
                last.callback(part.process.signal, signal.SIGKILL)
            last.callback(self.hooks.close)
            last.callback(self.toxiproxy.stop)
            last.callback(self.nginx.stop, 5)
            for program in self.programs.values():
                last.callback(program.process.stop, 8)
                program.process.signal(signal.SIGKILL if program.state == "frozen" else signal.SIGTERM)

    def _start_parts(self):
        self.stack.format()
        for part in [*self.stack.brokers, *self.stack.databases]:
            part.start()
        warming = [threading.Thread(target=warm, args=(database,)) for database in self.stack.databases]
        for part in [*self.stack.databases, *self.stack.brokers]:
            part.wait_ready()
            if part in self.stack.databases:
                warming[self.stack.databases.index(part)].start()
        for thread in warming:
            thread.join()
        self.kafka = self.stack.env()["KAFKA"]
        self.admin = AdminClient({"bootstrap.servers": self.kafka, "log_level": 0})
        self.toxiproxy.start()
        self.databases = {}
        for cell, database in zip(CELLS, self.stack.databases):
            self.toxiproxy.add(cell, self.ways[cell], database.port)
            self.databases[cell] = pymongo.MongoClient(database.uri, serverSelectionTimeoutMS=1000, socketTimeoutMS=3000)[cell]
        folder = self.directory / "nginx"
        folder.mkdir()
        servers = " ".join(f"server 127.0.0.1:{port} max_fails=1 fail_timeout=1s;" for port in self.ingest_ports)
        (folder / "nginx.conf").write_text(NGINX_CONF.format(dir=folder, servers=servers, port=self.push_port))
        self.nginx.start([NGINX, "-e", folder / "error.log", "-p", folder, "-c", folder / "nginx.conf"])
        self.nginx.wait_until(lambda: port_is_open(self.push_port), 20, "listening")
        self.access_log = folder / "access.log"

    def ctl(self, *words, seconds=90, code=0):
        """Standard output of millrace-ctl; code: what its exit code must be, or one of."""
        command = [str(self.binaries / "millrace-ctl"), "--kafka", self.kafka, *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL, env=ENVIRONMENT)
        if done.returncode not in (code if isinstance(code, tuple) else (code,)) or "Sanitizer:" in done.stderr or ": runtime error: " in done.stderr:
            raise Failure(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def timed_ctl(self, *words, **more):
        """The same for commands that read the clock."""
        return self.ctl(*words, "--test-clock", *(word for each in self.clock.settings() for word in ("--set", each)), **more)

    def _provision(self):
        self.ctl("topics", "apply")
        for cell, sites in CELLS.items():
            self.ctl("cell", "add", cell, "--partitions", PARTITIONS)
            for site in sites:
                self.ctl("site", "add", site, "--cell", cell, "--shards", SHARDS[site])
                self.keys[site] = json.loads(self.ctl("--json", "key", "create", site))["key"]

    def _start_programs(self):
        start_ms = (int(time.time() * 1000) // DAY_MS - 1) * DAY_MS + int(self.start_minute * 60000)
        self.clock = Clock(start_ms, self.speed)
        for number, port in enumerate(self.ingest_ports, 1):
            self.add("ingest", f"ingest-{number}", None, f"push.listen=127.0.0.1:{port}", "push.message_timeout=5s")
        for cell in CELLS:
            for number in (1, 2):
                self.add_processor(cell, number)
            self.add("sink", f"sink-{cell}", cell, f"mongo.uri=mongodb://127.0.0.1:{self.ways[cell]}/?retryWrites=false",
                     f"mongo.database={cell}")
            self.add("notify", f"notify-{cell}", cell, "notify.allow_http=true", "notify.allow_networks=127.0.0.0/8")
        self.add("status", "status", None, f"status.listen=127.0.0.1:{self.status_port}", f"status.dir={self.directory}", "status.survey_interval=500ms",
                 f"judge.degraded={DEGRADED}", "judge.outage=1h", "drafts.publish_after=30m", "drafts.resolve_after=2m")
        for program in self.programs.values():
            program.start()
        for program in self.programs.values():
            program.process.wait_until(program.ready, READY_S, "ready")
        self.crowd = self.programs["crowd"] = Crowd(self, self.seed, *self.shape)
        self.crowd.start()
        self.crowd.process.wait_until(self.crowd.ready, READY_S, "telling its status")

    def add(self, kind, name, cell, *settings):
        with self.lock:
            program = self.programs[name] = Program(self, kind, name, cell, settings)
        return program

    def add_processor(self, cell, number):
        """The first of a cell has a name of its own in the group (static membership), others come and go."""
        own = [f"instance.id={cell}-{number}"] if number == 1 else []
        return self.add("processor", f"processor-{cell}-{number}", cell, f"window.grace={GRACE}", "checkpoint.chunk_bytes=64Ki",
                        f"alerts.max_age={ALERTS_MAX_AGE_S}s", *own)

    def page(self):
        """What the status page says, as programs read it."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.status_port}/status.json", timeout=HTTP_S) as answer:
            return json.load(answer)

    def apply(self, noun, records):
        """Triggers or receivers, as an operator's file."""
        file = self.directory / f"{noun}.yml"
        file.write_text(json.dumps({noun + "s": records}))  # JSON is YAML, too
        self.timed_ctl(noun, "apply", "-f", file)

    def told(self, trigger):
        """The webhooks that have come about a trigger, in order."""
        return [r for r in self.hooks.all() if r.json["groupLabels"]["alertname"] == trigger]

    def records(self, topic, schema):
        """What stands in a topic now, decoded."""
        codec, name, found = Codec(schema), topic, []
        consumer = confluent_kafka.Consumer({"bootstrap.servers": self.kafka, "group.id": "rehearsal-reader", "enable.auto.commit": False, "log_level": 0,
                                             "isolation.level": "read_committed", "enable.partition.eof": True})
        left = set(consumer.list_topics(name, timeout=20).topics[name].partitions)
        consumer.assign([confluent_kafka.TopicPartition(name, p, confluent_kafka.OFFSET_BEGINNING) for p in left])
        deadline = time.monotonic() + 30
        while left and time.monotonic() < deadline:
            for message in consumer.consume(500, 1):
                if message.error():
                    left.discard(message.partition())
                elif message.value():
                    found.append(codec.decode(message.value()))
        consumer.close()
        if left:
            raise Failure(f"{name}: no end within 30 s")
        return found

    def of(self, kind, cell=None):
        return [p for p in list(self.programs.values()) if p.kind == kind and (cell is None or p.cell == cell)]

    def sum_up(self, kind, metric, cell=None):
        """Over all that run."""
        return sum(p.metric(metric) for p in self.of(kind, cell) if p.state == "up")

    def check(self):
        """Nobody has ended who was not told to."""
        for check in self.checks:
            check()
        for program in list(self.programs.values()):
            code = program.process.exit_code
            if program.state in ("up", "frozen") and code is not None:
                raise Failure(f"{program.name} ended with {code}, and nobody had told it to\n{tail(program.process.log_file, 40)}")
            if program.state == "ending" and code is not None:
                if code != 0:
                    raise Failure(f"{program.name} was told to stop, and ended with {code}\n{tail(program.process.log_file, 40)}")
                program.state = "down"
        for part in [*self.stack.brokers, *self.stack.databases]:
            if part not in self.away and part.process.exit_code is not None:
                raise Failure(f"{part.process.name} ended with {part.process.exit_code}\n{tail(part.process.log_file)}")

    def wait(self, condition, seconds, what):
        """Returns how long it took. Ends with a Failure that says how everybody is."""
        begun = time.monotonic()
        while not condition():
            self.check()
            if time.monotonic() > begun + seconds:
                how = {p.name: f"{p.state}: {p.get('/health/ready')[1].strip()}" for p in self.programs.values() if p.kind != "crowd"}
                raise Failure(f"not within {seconds} s: {what}; {how}; crowd: {self.crowd.status()}")
            time.sleep(0.2)
        return time.monotonic() - begun

    def until(self, virtual_ms):
        """Lets time pass, watching."""
        while self.clock.now_ms() < virtual_ms:
            self.check()
            time.sleep(0.1)

    def rest(self, real_s):
        self.until(self.clock.now_ms() + real_s * 1000 * self.speed)

    def mark(self):
        """Where the load balancer's log ends now, for answers()."""
        return self.access_log.stat().st_size

    def answers(self, since=0, until=None):
        """{status: number} of what the load balancer answered between two marks."""
        with open(self.access_log) as log:
            log.seek(since)
            text = log.read(None if until is None else until - since)
        return collections.Counter(line.split()[1] for line in text.splitlines() if line.count(" ") >= 3)

    def sanitizers_words(self):
        """Lines of the programs' logs in which a sanitizer has found something: who was killed after it did so has no exit code that tells."""
        return [f"{path.name}: {line.strip()}" for path in sorted((self.directory / "log").glob("*.log")) for line in
                path.read_text(errors="replace").splitlines() if "Sanitizer:" in line or ": runtime error: " in line]

    def partitions(self, cell):
        """Of its topic of samples."""
        return PARTITIONS

    def database_of(self, cell):
        return self.stack.databases[list(CELLS).index(cell)]

    def lock_database(self, cell):
        """It takes connections and answers nothing."""
        self.database_of(cell).process.signal(signal.SIGSTOP)

    def unlock_database(self, cell):
        self.database_of(cell).process.signal(signal.SIGCONT)

    def probe(self, site):
        """The status that a payload without anything in it gets: 400 where the site's payloads are taken."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.push_port}/v1/push", b"{}",
                                         {"Authorization": f"Bearer {self.keys[site]}", "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=HTTP_S) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def in_step(self):
        """All brokers are there, and every partition's copies are in step."""
        if self.away & set(self.stack.brokers):
            return False
        try:
            topics = self.admin.list_topics(timeout=5).topics.values()
        except confluent_kafka.KafkaException:
            return False
        return all(len(p.isrs) == 3 and p.leader >= 0 for t in topics for p in t.partitions.values())
