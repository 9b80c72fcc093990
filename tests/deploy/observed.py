"""A small Millrace for Prometheus to look at: two cells on one broker and two databases, all programs, an application that does a little of
everything, and Debian's Prometheus with deploy/prometheus/rules.yml.

On the test clock, twenty times as fast, so that minutes close, an hour does, and an alert opens, while somebody waits. Rates are by
Prometheus' clock, which is real: they are too high by that, and none of them is compared with anything.
"""
import gzip
import json
import pathlib
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import confluent_kafka
from ingest_house import ENVIRONMENT
from millrace_local import BINARIES, PROMETHEUS, Process, ROOT, Stack, free_base_port, free_ports
from pipeline import HOUR_MS, MINUTE_MS, Pipeline
from receivers import HookServer

SPEED, START_MINUTE = 20, -67  # of this hour: an hour ends 7 minutes after the start
CELLS = {"main": "shop", "other": "bank"}
SCRAPE = "1s"
RULES = ROOT / "deploy" / "prometheus" / "rules.yml"
DAY_MS = 24 * HOUR_MS
RECEIVERS = """
receivers:
  - {{id: hooks, webhook: {{url: "{url}"}}, group_wait: 0s}}
"""
TRIGGERS = """
triggers:
  - {id: hot, site: shop, metric: load, field: last, compare: ">", threshold: 50}
  - {id: hot-bank, site: bank, metric: load, field: last, compare: ">", threshold: 50}
  - {id: quiet, site: shop, metric: load, absent_minutes: 5}
"""


class Cells(Pipeline):
    """A Pipeline of two cells: a processor, a sink, a database and a notifier each; the status page; and an agent of the first one's site."""

    def __init__(self, directory, hooks):
        super().__init__(directory, free_base_port(), SPEED, START_MINUTE, dict.fromkeys(CELLS.values(), 2))
        self.hooks, self.targets = hooks, []  # targets: (job, cell or None, port)
        same = {key: self.stack.settings[key] for key in ("base_port", "clock_speed", "clock_start_ms")}
        self.stack = Stack(self.directory / "stack", databases=len(CELLS), **same)

    def provision(self):
        self.ctl("topics", "apply", "--replication-factor", "1")
        for cell, site in CELLS.items():
            self.ctl("cell", "add", cell, "--replication-factor", "1", "--partitions", "2")
            self.ctl("site", "add", site, "--cell", cell, "--shards", "2")
            self.keys[site] = json.loads(self.ctl("--json", "key", "create", site))["key"]
        for noun, text in (("receiver", RECEIVERS.format(url=self.hooks.url)), ("trigger", TRIGGERS)):
            file = self.directory / f"{noun}.yml"
            file.write_text(text)
            self.timed_ctl(noun, "apply", "-f", str(file))

    def start_programs(self):
        self.push_port, self.status_port, *admin = free_ports(11)
        self.admin_ports = {}
        self.run("ingest", None, admin.pop(), f"push.listen=127.0.0.1:{self.push_port}")
        for number, cell in enumerate(CELLS, 1):
            self.run("processor", cell, admin.pop())
            self.run("sink", cell, admin.pop(), f"mongo.uri={self.env[f'MONGO_{number}']}", "mongo.database=millrace")
            self.run("notify", cell, admin.pop(), "notify.allow_http=true", "notify.allow_networks=127.0.0.0/8")
        # Incidents that it drafted would be twenty times as soon due for an update.
        self.run("status", None, admin.pop(), f"status.listen=127.0.0.1:{self.status_port}", "status.survey_interval=1s", "drafts.enabled=false")
        self.run_agent(admin.pop())
        for name, process in self.processes.items():
            process.wait_until(lambda: self.ready(name), 60, "ready")

    def run(self, job, cell, port, *own):
        name = f"{job}-{cell}" if cell else job
        self.admin_ports[name] = port
        self.targets.append((job, cell, port))
        self.launch(name, job, port, f"kafka.bootstrap.servers={self.env['KAFKA']}", *([f"cell={cell}"] if cell else []), *own)

    def run_agent(self, port):
        folder = self.directory / "agent"
        folder.mkdir()
        key = folder / "key"
        key.touch(0o600)
        key.write_text(self.keys["shop"] + "\n")
        sockets = [f"{name}.socket={folder / name}.sock" for name in ("statsd", "lines", "status")]
        self.admin_ports["agent"] = port
        self.targets.append(("agent", None, port))
        self.launch("agent", "agent", port, f"push.url=http://127.0.0.1:{self.push_port}", f"key.file={key}",
                    f"spool.dir={folder / 'spool'}", f"statsd.listen=127.0.0.1:{free_ports(1)[0]}", *sockets)

    def launch(self, name, program, port, *own):
        clock = [f"clock.{each}={self.env['CLOCK_' + each.upper()]}" for each in ("start_ms", "real_ms", "speed")]
        settings = [word for setting in (f"admin.listen=127.0.0.1:{port}", *clock, *own) for word in ("--set", setting)]
        self.processes[name] = Process(name, self.directory).start([BINARIES / f"millrace-{program}", "--test-clock", *settings],
                                                                   env=ENVIRONMENT)


class Application:
    """Posts for both sites every half virtual minute, from a thread of its own, and now and then what is worth a figure of its own."""

    def __init__(self, cells):
        self.cells, self.failure, self.rounds = cells, None, 0
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        try:
            while not self.stopping.wait(30 / SPEED):
                for site in CELLS.values():
                    self.post(site, self.payload(self.rounds, site))
                for odd in (self.repeat, self.refuse, self.delay, self.compress, self.otlp) if self.rounds % 8 == 2 else ():
                    odd()
                if self.rounds == 3:
                    self.poison()
                self.rounds += 1
        except Exception as error:  # noqa: BLE001 told by check()
            self.failure = error

    def check(self):
        assert self.failure is None, repr(self.failure)

    def payload(self, number, site):
        """load is above its trigger's threshold in two minutes of eight. One sample is bad on its own, one comes long after its minute,
        and seqs leave a gap."""
        t, agent = self.cells.now_ms(), f"{len(site):032x}"

        def metric(name, value, kind="gauge", at=t, **tags):
            return {"name": name, "kind": kind, "tags": tags, "points": [{"t": at, "v": value}]}

        metrics = [metric("load", 90.0 if number % 16 in (4, 5, 6, 7) else 10.0, host="a"), metric("jobs", 3, "counter", queue="mail"),
                   metric("took", 0.5, "distribution"), metric("late", 1, at=t - 10 * MINUTE_MS), metric("bad name", 1)]
        payload = {"agent_id": agent, "seq": 3 * number + 1, "floor": 3 * number + 1, "created_at": t, "host": "a", "metrics": metrics,
                   "errors": [{"t": t, "class": "Oops", "message": "no"}] * 5, "markers": [{"t": t, "revision": "r1"}],
                   "transactions": [{"t": t, "id": "1", "action": "GET /", "namespace": "web", "duration_ms": 12.5}],
                   "check_ins": [{"t": t, "name": "backup", "kind": "heartbeat", "event": "beat"}]}
        if number % 8 == 2:
            payload["truncated"] = [{"agent_id": agent, "from_seq": 1, "to_seq": 1, "samples": 8, "attempted": False}]
        return payload

    def post(self, site, payload, path="/v1/push", key=None, encode=None, **headers):
        """The status of the answer."""
        body = json.dumps(payload).encode()
        headers = {"Authorization": f"Bearer {key or self.cells.keys[site]}", "Content-Type": "application/json", **headers}
        request = urllib.request.Request(f"http://127.0.0.1:{self.cells.push_port}{path}", encode(body) if encode else body, headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def repeat(self):
        """A retry, and one whose headers say that its sender's clock is five minutes slow."""
        payload = self.payload(self.rounds, "shop")
        assert self.post("shop", payload) == 202
        slow = payload["created_at"] - 5 * MINUTE_MS
        payload |= {"agent_id": "f" * 32, "floor": 1, "created_at": slow}
        assert self.post("shop", payload, **{"Millrace-Created-At": str(slow), "Millrace-Sent-At": str(slow)}) == 202

    def refuse(self):
        assert self.post("shop", {}, key="mr_nobody") == 401
        assert self.post("shop", {"metrics": 3}) == 400

    def delay(self):
        """Backlog, by its headers."""
        now = self.cells.now_ms()
        payload = self.payload(self.rounds, "shop") | {"agent_id": "e" * 32, "created_at": now - HOUR_MS}
        assert self.post("shop", payload, **{"Millrace-Created-At": str(now - HOUR_MS), "Millrace-Sent-At": str(now)}) == 202

    def compress(self):
        payload = {"metrics": [{"name": "packed", "kind": "gauge", "points": [{"v": 1}]}]}
        assert self.post("bank", payload, encode=gzip.compress, **{"Content-Encoding": "gzip"}) == 202

    def otlp(self):
        """A cumulative sum, which is a baseline first, and a log record that is no exception."""
        now = self.cells.now_ms()
        point = {"asInt": str(100 + self.rounds), "timeUnixNano": str(now * 1000000), "startTimeUnixNano": str((now - DAY_MS) * 1000000)}
        total = {"name": "total", "sum": {"aggregationTemporality": 2, "isMonotonic": True, "dataPoints": [point]}}
        assert self.post("shop", {"resourceMetrics": [{"scopeMetrics": [{"metrics": [total]}]}]}, "/v1/metrics") == 200
        record = {"timeUnixNano": str(now * 1000000), "body": {"stringValue": "hello"}}
        assert self.post("shop", {"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}, "/v1/logs") == 200

    def poison(self):
        """A record that nobody can read becomes a dead letter."""
        producer = confluent_kafka.Producer({"bootstrap.servers": self.cells.env["KAFKA"], "log_level": 0})
        producer.produce("millrace.c.main.samples", b"\0\0\0\0\1poison", partition=0)
        assert producer.flush(20) == 0


class Prometheus:
    """Debian's, on targets as a static scrape configuration has them: labels job and cell."""

    def __init__(self, directory, targets):
        self.directory, self.port = pathlib.Path(directory) / "prometheus", free_ports(1)[0]
        self.directory.mkdir()
        self.process = Process("prometheus", directory)
        # A quarter of a minute between two evaluations is right for a year; here nobody waits for it.
        (self.directory / "rules.yml").write_text(RULES.read_text().replace("interval: 30s", f"interval: {SCRAPE}"))
        jobs = {job: {"job_name": job, "static_configs": []} for job, _, _ in targets}
        for job, cell, port in targets:
            jobs[job]["static_configs"].append({"targets": [f"127.0.0.1:{port}"], "labels": {"cell": cell} if cell else {}})
        (self.directory / "prometheus.yml").write_text(json.dumps(  # JSON is YAML, too
            {"global": {"scrape_interval": SCRAPE, "evaluation_interval": SCRAPE}, "rule_files": ["rules.yml"],
             "scrape_configs": list(jobs.values())}))

    def start(self):
        self.process.start([PROMETHEUS, f"--config.file={self.directory / 'prometheus.yml'}",
                            f"--storage.tsdb.path={self.directory / 'data'}", f"--web.listen-address=127.0.0.1:{self.port}",
                            "--log.level=warn"], env=ENVIRONMENT)
        self.process.wait_until(self._answers, 30, "ready")

    def _answers(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def get(self, path, **query):
        """What /api/v1/PATH has for data; an AssertionError with its words when it refuses."""
        try:
            address = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(query, doseq=True)}"
            with urllib.request.urlopen(address, timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path} {query}: {error.code} {error.read().decode()}") from None

    def ask(self, expression):
        """[({label: value}, number)] of an expression now."""
        data = self.get("query", query=expression)
        rows = data["result"] if data["resultType"] != "scalar" else [{"metric": {}, "value": data["result"]}]
        return [(row["metric"], float(row["value"][1])) for row in rows]


class Observed:
    """All of it, as a context."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.hooks = HookServer()
        self.cells = Cells(directory, self.hooks)

    def __enter__(self):
        try:
            self.cells.__enter__()
            self.application = Application(self.cells)
            self.application.thread.start()
            self.prometheus = Prometheus(self.directory, self.cells.targets)
            self.prometheus.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if hasattr(self, "application"):
            self.application.stopping.set()
        if hasattr(self, "prometheus"):
            self.prometheus.process.stop(10)
        for process in self.cells.processes.values():  # all at once; the Pipeline waits
            process.terminate()
        self.cells.__exit__()
        self.hooks.close()

    def wait(self, wanted, seconds, what):
        """Until wanted() says nothing more of what is missing."""
        deadline = time.monotonic() + seconds
        while missing := wanted():
            self.application.check()
            self.cells.check_alive()
            assert time.monotonic() < deadline, f"{what}: not within {seconds} s: {missing}"
            time.sleep(0.3)
