"""The whole of Millrace as processes on a stack of its own, for tests: stack, topics, cell, sites, keys, three programs, and the notifier and the status page where they are asked for.

On the test clock: all programs get the clock.* settings that `stack up` wrote, and now_ms() is the same line in Python.
"""
import io
import json
import math
import pathlib
import subprocess
import time
import urllib.error
import urllib.request

import confluent_kafka
import fastavro
import pymongo
from exposition import checked, parse
from millrace_local import BINARIES, Failure, Process, ROOT, Stack, free_ports
from millrace_local.process import tail

MINUTE_MS, HOUR_MS = 60000, 3600000


class Pipeline:
    """As a context: everything up and ready on entering, everything stopped on leaving."""

    def __init__(self, directory, base_port, speed, start_minute_of_hour, sites, binaries=BINARIES, processor_settings=(),
                 notify_settings=None, status_settings=None):
        self.directory = pathlib.Path(directory)
        self.binaries = pathlib.Path(binaries)
        self.sites = sites
        self.processor_settings = list(processor_settings)
        self.notify_settings = notify_settings  # None: no notifier
        self.status_settings = status_settings  # None: no status page; it drafts nothing and keeps nothing unless these say so
        start = int(time.time() * 1000) // HOUR_MS * HOUR_MS + start_minute_of_hour * MINUTE_MS
        self.stack = Stack(self.directory / "stack", base_port=base_port, clock_speed=speed, clock_start_ms=start)
        self.processes = {}
        self.keys = {}

    def __enter__(self):
        try:
            self.stack.up()
            self.env = self.stack.env()
            self.database = pymongo.MongoClient(self.env["MONGO_1"]).get_database("millrace")
            self.provision()
            self.start_programs()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in self.processes.values():
            process.stop(5)
        self.stack.wipe()

    def ctl(self, *arguments, codes=(0,)):
        """millrace-ctl's standard output; a Failure with its words when it ends with another code."""
        command = [self.binaries / "millrace-ctl", "--kafka", self.env["KAFKA"], *arguments]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60)
        if done.returncode not in codes:
            raise Failure(f"millrace-ctl {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def timed_ctl(self, *arguments, codes=(0,)):
        """The same for commands that read the clock."""
        clock = (f"clock.{name}={self.env['CLOCK_' + name.upper()]}" for name in ("start_ms", "real_ms", "speed"))
        return self.ctl(*arguments, "--test-clock", *(word for setting in clock for word in ("--set", setting)), codes=codes)

    def provision(self):
        """Topics, cell main, the sites with their shards, and a key each."""
        self.ctl("topics", "apply", "--replication-factor", "1")
        self.ctl("cell", "add", "main", "--replication-factor", "1")
        for site, shards in self.sites.items():
            self.ctl("site", "add", site, "--cell", "main", "--shards", str(shards))
            self.keys[site] = json.loads(self.ctl("--json", "key", "create", site))["key"]

    def start_programs(self):
        self.push_port, self.status_port, *ports = free_ports(7)
        self.admin_ports = dict(zip(("ingest", "processor", "sink", "notify", "status"), ports))
        own = {"ingest": ["push.listen=127.0.0.1:%d" % self.push_port], "processor": self.processor_settings,
               "sink": ["mongo.uri=" + self.env["MONGO_1"], "mongo.database=millrace"]}
        if self.notify_settings is not None:
            own["notify"] = list(self.notify_settings)
        if self.status_settings is not None:
            own["status"] = ["status.listen=127.0.0.1:%d" % self.status_port, "drafts.enabled=false", *self.status_settings]
        for program, settings in own.items():
            self.start(program, settings)
        for program in own:
            self.processes[program].wait_until(lambda: self.ready(program), 60, "ready")

    def start(self, program, settings):
        """Starts one program with the shared settings and its own."""
        settings = [f"kafka.bootstrap.servers={self.env['KAFKA']}", f"admin.listen=127.0.0.1:{self.admin_ports[program]}",
                    f"clock.start_ms={self.env['CLOCK_START_MS']}", f"clock.real_ms={self.env['CLOCK_REAL_MS']}",
                    f"clock.speed={self.env['CLOCK_SPEED']}", *settings]
        command = [self.binaries / f"millrace-{program}", "--test-clock"]
        for setting in settings:
            command += ["--set", setting]
        self.processes[program] = Process(program, self.directory).start(command)

    def ready(self, program):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_ports[program]}/health/ready", timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def metric(self, program, name, **labels):
        """The sum over the labels that are not given; 0 where there is no sample."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_ports[program]}/metrics", timeout=5) as answer:
            families = parse(checked(answer.read().decode()))
        return families[name].value(**labels) or 0 if name in families else 0

    def check_alive(self):
        """A Failure with the log's tail when a program has ended."""
        for process in self.processes.values():
            if process.exit_code is not None:
                raise Failure(f"{process.name} ended with {process.exit_code}; the end of its log:\n{tail(process.log_file)}")

    def now_ms(self):
        """Virtual time, by the line every program computes."""
        real = time.time() * 1000 - int(self.env["CLOCK_REAL_MS"])
        return int(self.env["CLOCK_START_MS"]) + math.floor(real * float(self.env["CLOCK_SPEED"]))

    def wait_until_virtual(self, t_ms):
        ahead = t_ms - self.now_ms()
        if ahead > 0:
            time.sleep(ahead / float(self.env["CLOCK_SPEED"]) / 1000)

    def records(self, topic):
        """Every committed record of a topic, to the ends as they are now."""
        consumer = confluent_kafka.Consumer({"bootstrap.servers": self.env["KAFKA"], "group.id": "test-reader", "enable.auto.commit": False,
                                             "isolation.level": "read_committed", "enable.partition.eof": True})
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        consumer.assign([confluent_kafka.TopicPartition(topic, p, confluent_kafka.OFFSET_BEGINNING) for p in partitions])
        ended, records = set(), []
        while len(ended) < len(partitions):
            message = consumer.poll(10)
            assert message is not None, f"{topic}: no answer"
            if message.error():
                assert message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF, message.error()
                ended.add(message.partition())
            else:
                records.append(message)
        consumer.close()
        return records

    def epoch(self, cell="main"):
        """The cell's epoch, by its record in the cells table."""
        schema = fastavro.schema.load_schema(ROOT / "schemas" / "cell.avsc")
        rows = {m.key(): m.value() for m in self.records("millrace.cells")}
        return fastavro.schemaless_reader(io.BytesIO(rows[cell.encode()][5:]), schema)["epoch"]

    def deadletters(self):
        return len(self.records("millrace.deadletter"))

    def stop_programs(self):
        """SIGTERM to all, in the order of the data; each must end by itself with 0."""
        for program, process in self.processes.items():
            how = process.stop(30)
            assert how == "stopped" and process.exit_code == 0, (program, how, process.exit_code)
