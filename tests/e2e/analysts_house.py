"""A Millrace with a site whose figures analysts ask for: what is posted, the truth of it, the registry, and the two scripts of deploy/analysts as processes.

The truth keeps what was posted as integers (1024ths of a millisecond), sorts it, and finds the rank; buckets come from integer powers (oracle_windows.bucket),
what stands for a bucket from decimals. No code of deploy/analysts takes part.
"""
import collections
import decimal
import fractions
import http.server
import json
import math
import os
import random
import re
import struct
import subprocess
import threading
import time
import urllib.request

import xxhash
from millrace_local import BINARIES, Failure, Process, ROOT, VENV_PYTHON, free_ports
from oracle_windows import bucket
from pipeline import MINUTE_MS

ANALYSTS = ROOT / "deploy" / "analysts"
SEED = int(os.environ.get("TEST_SEED", time.time_ns() % 1_000_000))
SITE, TOPIC = "shop", "millrace.c.main.minutely"
ROUNDS_MAX, ROUNDS_MORE, CROWD_SERIES = 50, 4, 1500
ACTIONS = (("web", "GET /orders/{id}", 40, 0.02), ("web", "POST /checkout", 180, 0.2), ("web", "GET /", 4, 0), ("background", "Mailer#perform", 900, 0.1),
           ("", "Orders#show", 12, 0.5), ("web", "GET /$price {x}", 60, 0.01), ("web", "GET /rare", 5000, 1))  # the last one is below --least
HOSTS = {"web-1": 0.9, "web-2": 0.35, "db-1": 0.6}
PERCENTILES = (50, 95, 99)


class Truth:
    """What was posted and accepted."""

    def __init__(self):
        self.transactions = collections.defaultdict(list)  # (namespace, action): (minute, duration in 1024ths, failed)
        self.shares = collections.defaultdict(list)  # host: (minute, state, share in 1024ths)
        self.overflowed = []  # the minute of each value that stands in __overflow__

    def within(self, begin, end, least):
        for group, posted in self.transactions.items():
            kept = [(k, failed) for minute, k, failed in posted if begin <= minute < end]
            if len(kept) >= least:
                yield group, sorted(k for k, _ in kept), sum(failed for _, failed in kept)

    def routes(self, begin, end, least):
        rows = [{"namespace": namespace, "action": action, "transactions": len(values), "max": values[-1] / 1024, "approximate": False,
                 **{f"p{q}": told_as(values, q) for q in PERCENTILES}} for (namespace, action), values, _ in self.within(begin, end, least)]
        return sorted(rows, key=lambda row: (-row["p95"], row["namespace"], row["action"]))

    def error_rates(self, begin, end, least):
        rows = [{"namespace": namespace, "action": action, "transactions": len(values), "failed": failed, "rate": failed / len(values)}
                for (namespace, action), values, failed in self.within(begin, end, least)]
        return sorted(rows, key=lambda row: (-row["rate"], row["namespace"], row["action"]))

    def hosts(self, begin, end):
        rows = []
        for host, posted in self.shares.items():
            kept = [(state, k) for minute, state, k in posted if begin <= minute < end]
            readings = sum(state == "idle" for state, _ in kept)
            unused = sum(k for state, k in kept if state in ("idle", "iowait"))
            if readings:
                rows.append({"host": host, "readings": readings, "busy": float(1 - fractions.Fraction(unused, 1024 * readings))})
        return sorted(rows, key=lambda row: -row["busy"])

    def counted(self):
        return {"transaction.duration": sum(map(len, self.transactions.values())), "host.cpu.share": sum(map(len, self.shares.values())),
                "__overflow__": len(self.overflowed)}


def partition_of(site):
    """Of a site with one shard."""
    return max(range(12), key=lambda p: xxhash.xxh3_64_intdigest(site.encode() + struct.pack("<BH", 0, p)))


# A site whose series stand in the partition that ours do: when it makes memory short, our windows go out in parts.
CROWD = next(site for site in (f"crowd-{n}" for n in range(1000)) if partition_of(site) == partition_of(SITE))


def told_as(values, percent):
    """What stands for the value of that rank: as far from both ends of its bucket, which is within 1.08 % of the value itself."""
    exact = values[-(-percent * len(values) // 100) - 1]
    if exact == 0:
        return 0.0
    with decimal.localcontext() as context:
        context.prec = 40
        low = decimal.Decimal(2) ** (decimal.Decimal(bucket(exact)) / 32)
        b = decimal.Decimal(2) ** (decimal.Decimal(1) / 32)
        told = float(2 * low * b * low / (low + b * low))
    told = min(max(told, values[0] / 1024), values[-1] / 1024)
    assert abs(told - exact / 1024) <= 0.0109 * exact / 1024, (told, exact / 1024)
    return told


class Writer:
    """Posts, and tells the truth of what was accepted."""

    def __init__(self, pipeline):
        self.pipeline, self.dice, self.truth = pipeline, random.Random(SEED), Truth()
        self.seq, self.crowd = 0, 0
        self.agent_id = self.dice.randbytes(16).hex()

    def post(self, payload, site=SITE):
        self.seq += 1
        body = {"agent_id": self.agent_id, "seq": self.seq, "floor": self.seq, "created_at": self.pipeline.now_ms(), **payload}
        request = urllib.request.Request(f"http://127.0.0.1:{self.pipeline.push_port}/v1/push", json.dumps(body).encode(),
                                         {"Authorization": f"Bearer {self.pipeline.keys[site]}", "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            told = json.load(answer)
        assert not told["rejected"], told

    def batch(self, minute, n):
        """n transactions that began in that minute, and what each host says of its processors."""
        transactions, metrics, told = [], [], []
        for _ in range(n):
            namespace, action, typical_ms, failing = self.dice.choice(ACTIONS[:-1])
            told.append(self.transaction(transactions, minute, namespace, action, typical_ms, failing))
        shares = [(host, state, k) for host, busy in HOSTS.items() for state, k in self.shares(busy)]
        for host, state, k in shares:
            metrics.append({"name": "host.cpu.share", "kind": "gauge", "tags": {"host": host, "state": state},
                            "points": [{"t": minute + self.dice.randrange(MINUTE_MS), "v": k / 1024}]})
        self.post({"transactions": transactions, "metrics": metrics})
        for group, row in told:
            self.truth.transactions[group].append(row)
        for host, state, k in shares:
            self.truth.shares[host].append((minute, state, k))

    def transaction(self, transactions, minute, namespace, action, typical_ms, failing):
        k = 0 if self.dice.random() < 0.02 else 1 + int(self.dice.lognormvariate(math.log(typical_ms * 1024), 0.9))
        failed = self.dice.random() < failing
        transactions.append({"t": minute + self.dice.randrange(MINUTE_MS), "id": f"t{len(transactions)}", "duration_ms": k / 1024, "error": failed,
                             **{key: text for key, text in (("namespace", namespace), ("action", action)) if text}})
        return (namespace, action), (minute, k, failed)

    def shares(self, busy):
        idle = int(1024 * (1 - busy) * self.dice.uniform(0.8, 1))
        iowait = self.dice.randrange(1024 - idle) // 8
        system = self.dice.randrange(1024 - idle - iowait)
        return ("idle", idle), ("iowait", iowait), ("system", system), ("user", 1024 - idle - iowait - system)

    def overflow(self, minute):
        """As if there were more series than the site may have: whoever sends one of that name adds to it."""
        self.post({"metrics": [{"name": "__overflow__", "kind": kind, "points": [{"t": minute, "v": 2}]} for kind in ("counter", "gauge")]})
        self.truth.overflowed += [minute] * 2

    def rare(self, minute):
        """Fewer than --least of one action."""
        transactions = []
        told = [self.transaction(transactions, minute, *ACTIONS[-1]) for _ in range(5)]
        self.post({"transactions": transactions})
        for group, row in told:
            self.truth.transactions[group].append(row)

    def crowd_in(self, minute):
        """New series of the other site's."""
        first, self.crowd = self.crowd, self.crowd + CROWD_SERIES
        self.post({"metrics": [{"name": f"crowd.{n}", "kind": "distribution", "points": [{"t": minute, "v": n * 1.5}, {"t": minute + 1, "v": n * 700.5}]}
                               for n in range(first, self.crowd)]}, CROWD)

    def press(self):
        """Until the processor has written open windows for want of memory, and a little longer, so that there is more of the same windows."""
        more = 0
        for _ in range(ROUNDS_MAX):
            minute = self.pipeline.now_ms() // MINUTE_MS * MINUTE_MS
            self.batch(minute, 10)
            self.crowd_in(minute)
            self.batch(minute, 10)
            more += self.pressed() > 0
            if more == ROUNDS_MORE:
                return
        raise Failure(f"{self.crowd} series, and memory is not short")

    def pressed(self):
        """Fragments that were written for want of memory."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.pipeline.admin_ports['processor']}/metrics", timeout=5) as answer:
            lines = re.findall(r'^millrace_processor_fragments_total\{[^}]*reason="budget"[^}]*\} (\S+)', answer.read().decode(), re.M)
        return sum(map(float, lines))


class FakedRegistry(http.server.BaseHTTPRequestHandler):
    """FAKED: answers as millrace-status does, for a build that has none."""

    schemas = {}  # id: text, and by record name

    def do_GET(self):
        path = self.path.split("?")[0]
        one, subject = re.fullmatch(r"/schemas/ids/(\d+)", path), re.fullmatch(r"/subjects/millrace\.c\.[a-z0-9-]+\.(\w+)-value/versions/latest", path)
        if one and int(one[1]) in self.schemas:
            self.answer(200, {"schema": self.schemas[int(one[1])]})
        elif subject and subject[1] in ("minutely", "hourly"):
            self.answer(200, {"subject": path.split("/")[2], "version": 1, "id": 4, "schema": self.schemas[4]})
        else:
            self.answer(404, {"error_code": 40403, "message": "Schema not found"})

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Registry:
    """The endpoint that serves schemas: millrace-status where the build has one."""

    def __init__(self, pipeline):
        self.process = self.faked = None
        if (BINARIES / "millrace-status").exists():
            port, admin = free_ports(2)
            settings = [f"kafka.bootstrap.servers={pipeline.env['KAFKA']}", f"status.listen=127.0.0.1:{port}", f"admin.listen=127.0.0.1:{admin}",
                        *(f"clock.{name}={pipeline.env['CLOCK_' + name.upper()]}" for name in ("start_ms", "real_ms", "speed"))]
            command = [BINARIES / "millrace-status", "--test-clock"]
            self.process = Process("status", pipeline.directory).start(command + [word for setting in settings for word in ("--set", setting)])
            self.process.wait_until(lambda: answers(f"http://127.0.0.1:{port}/subjects/{TOPIC}-value/versions/latest"), 30, "serving schemas")
        else:
            FakedRegistry.schemas = {int(i): (ROOT / "schemas" / file).read_text() for i, _, file in
                                     (line.split() for line in (ROOT / "schemas" / "ids").read_text().splitlines() if line and not line.startswith("#"))}
            self.faked = http.server.ThreadingHTTPServer(("127.0.0.1", 0), FakedRegistry)
            port = self.faked.server_address[1]
            threading.Thread(target=self.faked.serve_forever, daemon=True).start()
            print("     schemas are served by a faked millrace-status: the build has none", flush=True)
        self.url = f"http://127.0.0.1:{port}"

    def stop(self):
        if self.process:
            self.process.stop(5)
        else:
            self.faked.shutdown()


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


class World:
    """Millrace, the registry, the writer; and the scripts to ask."""

    def __init__(self, pipeline):
        self.pipeline, self.directory, self.writer = pipeline, pipeline.directory, Writer(pipeline)
        self.registry = Registry(pipeline)
        for kind in ("minutely", "hourly"):  # it costs the database minutes, and nobody asks for it there
            pipeline.timed_ctl("control", "set", "--on", "sink", "--do", "drop", "--site", CROWD, "--kind", kind, "--reason", "a test", "--for", "24h")

    def command(self, script, *words, kafka=None, registry=None, cell="main", db="all.duckdb", site=SITE):
        kafka, registry = kafka or self.pipeline.env["KAFKA"], registry or self.registry.url
        own = {"read_topic": ("--kafka", kafka, "--registry", registry, "--cell", cell, "--db", self.directory / db),
               "read_mongo": ("--uri", self.pipeline.env["MONGO_1"])}[script]
        return [str(word) for word in (VENV_PYTHON, ANALYSTS / f"{script}.py", "--site", site, *own, *words)]

    def run(self, script, *words, code=0, **places):
        """What it says: (standard output, standard error). It ends with this code, and never by a traceback."""
        done = subprocess.run(self.command(script, *words, **places), capture_output=True, text=True, timeout=90, cwd=self.directory)
        assert done.returncode == code, f"{script} {words}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout, done.stderr

    def ask(self, script, *words, **places):
        return json.loads(self.run(script, "--json", *words, **places)[0])

    def wait_stored(self):
        """Until the database has all that was posted: each once, so it is the end."""
        want = self.writer.truth.counted()
        deadline = time.monotonic() + 120
        while True:
            self.pipeline.check_alive()
            have = {name: sum(d["count"] for d in self.pipeline.database.minutely.find({"name": name}, {"count": 1})) for name in want}
            if have == want:
                return
            if time.monotonic() > deadline:
                raise Failure(f"the database has {have} of {want}")
            time.sleep(0.3)  # polling a database that cannot notify

    def fragments(self):
        return self.pipeline.records(TOPIC)
