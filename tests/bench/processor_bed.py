"""What the processor's benches and its profile run on: one Kafka, a cell of its own for each backlog, processors that read it.

    with Bed(directory) as bed:
        cell = bed.fill(Backlog(series=100000, rate=20, samples=20_000_000))     # once
        with bed.run(cell, "1Gi") as run:                                        # as often as needed: each begins without offset and state
            run.wait_first()
            run.wait_done()                                                      # all samples counted, all windows that are due committed
        bed.drop(cell)

Event time ends at half past an hour, and the processors' clock stands a few minutes behind it, at speed 1: all minutes of the backlog are
due when its end has been read, and hours as often as they would be in the long run, none in a backlog of minutes. The time stamps of
records (CreateTime) follow event time, so a partition's watermark passes as it would in production.
"""
import contextlib
import dataclasses
import random
import time

import confluent_kafka
from bench import BINARIES, TOOLS, Failure, Process, Tool, cpu_seconds, get, setting, status_kib
from confluent_kafka.admin import AdminClient, NewTopic
from millrace_local import Stack, free_base_port, free_ports, kafka, tail
from processor_cell import Codec

MINUTE_MS, HOUR_MS = 60000, 3600000
END_MINUTE, NOW_MINUTE = 30, 33  # of the hour, in event time: where a backlog ends, what the processors' clock says as it is written
PARTITIONS = 12
FILL_SECONDS, READY_SECONDS, RUN_SECONDS, QUIET_SECONDS = 300, 60, 300, 30
FIRST_LOOK_SECONDS, LOOK_SECONDS = 0.02, 0.2  # a look at /metrics costs the processor some 0.3 ms
NOT_YET = (confluent_kafka.KafkaError.NON_EMPTY_GROUP, confluent_kafka.KafkaError.NOT_COORDINATOR,  # a member has just left; Kafka is new
           confluent_kafka.KafkaError.COORDINATOR_NOT_AVAILABLE, confluent_kafka.KafkaError.COORDINATOR_LOAD_IN_PROGRESS)
REBALANCE_DELAY = "group.initial.rebalance.delay.ms="  # Kafka's default is 3 s, so that instances that start together share from the start
CONSUMER = {"queued.min.messages": "1000000", "fetch.max.bytes": "2097152", "max.partition.fetch.bytes": "131072",
            "fetch.wait.max.ms": "100"}  # as the processor's own


@dataclasses.dataclass
class Backlog:
    """rate: samples of a series in a minute of event time."""
    series: int
    rate: float
    samples: int
    partitions: int = PARTITIONS
    sites: int = 20

    @property
    def name(self):
        return f"s{self.series}r{self.rate:g}p{self.partitions}n{self.sites}".replace(".", "-")

    @property
    def span_ms(self):
        return int(self.samples / self.series / self.rate * MINUTE_MS)


class Cell:
    """A filled cell: its topics, the clock that fits it, and what fill says was written."""

    def __init__(self, backlog):
        self.backlog, self.name = backlog, backlog.name
        self.group = f"millrace-processor-{self.name}"
        self.real_ms = int(time.time() * 1000)
        hour = self.real_ms // HOUR_MS * HOUR_MS
        self.now_ms, end_ms = hour + NOW_MINUTE * MINUTE_MS, hour + END_MINUTE * MINUTE_MS
        self.start_ms = end_ms - backlog.span_ms
        self.written = None

    def topic(self, name):
        return f"millrace.c.{self.name}.{name}"

    @property
    def outputs(self):
        return [self.topic(name) for name in ("minutely", "hourly", "exemplars", "alerts", "samples-state", "events-state")]

    @property
    def hourly_due(self):
        return self.written["hourly"] - self.written["hourly_of_last_hour"]

    def clock(self):
        return {"clock.start_ms": self.now_ms, "clock.real_ms": self.real_ms, "clock.speed": 1}


def total(text, name, **labels):
    """The sum of a metric in the text of /metrics, over the labels that are not given."""
    rows = (line.rsplit(" ", 1) for line in text.splitlines() if line.startswith(name))
    return sum(float(value) for row, value in rows
               if row.split("{")[0] == name and all(f'{key}="{wanted}"' in row for key, wanted in labels.items()))


class Instance:
    """One millrace-processor. prefix: words before its command, such as a profiler's."""

    def __init__(self, bed, cell, budget, number, more, prefix=()):
        self.process, self.port = Process(f"processor-{bed.next_number()}-{number}", bed.directory), *free_ports(1)
        settings = {"kafka.bootstrap.servers": bed.kafka, "cell": cell.name, "admin.listen": f"127.0.0.1:{self.port}",
                    "memory.budget": budget, **cell.clock(), **more}
        self.process.start([*prefix, BINARIES / "millrace-processor", "--test-clock",
                            *(word for key, value in settings.items() for word in ("--set", f"{key}={value}"))])

    def look(self):
        """The text of its metrics; empty while it does not answer."""
        with contextlib.suppress(OSError):
            return get(self.port, "/metrics")
        return ""

    def failure(self, what):
        """With the end of its log, as the directory goes away."""
        return Failure(f"{self.process.name}: {what}\n{tail(self.process.log_file)}")

    def cpu(self):
        return cpu_seconds(self.process.pid)

    def peak_mib(self):
        return status_kib(self.process.pid, "VmHWM") / 1024

    def rss_mib(self):
        return status_kib(self.process.pid, "VmRSS") / 1024


class Run:
    """Instances that read a cell's backlog, from the start. done when all of it is counted and committed."""

    def __init__(self, cell, instances):
        self.cell, self.instances = cell, instances
        self.begun_s = self.begun_cpu = self.wall_s = self.cpu_s = None

    def text(self):
        return "\n".join(instance.look() for instance in self.instances)

    def _wait(self, done, seconds, what, pause):
        deadline = time.monotonic() + seconds
        while not done(self.text()):
            for instance in self.instances:
                if instance.process.wait_end(pause / len(self.instances)):
                    raise instance.failure(f"ended with {instance.process.exit_code} before {what}")
            if time.monotonic() > deadline:
                raise self.instances[0].failure(f"not within {seconds} s: {what}; {self.told(self.text())}")

    def told(self, text):
        names = ("samples_total", "late_samples_total", "duplicates_total", "dead_letters_total", "aborts_total", "partitions_running",
                 "lag_records", "state_bytes")
        return ", ".join([*(f"{name} {total(text, 'millrace_processor_' + name):.0f}" for name in names),
                          *(f"{topic} fragments {self.fragments(text, topic=topic):.0f}" for topic in ("minutely", "hourly"))])

    @staticmethod
    def fragments(text, **labels):
        return total(text, "millrace_processor_fragments_total", **labels)

    def cpu(self):
        return sum(instance.cpu() for instance in self.instances)

    def wait_first(self):
        """Until the first sample is counted. CPU time counts from the last look that saw none."""
        def look(text):
            if total(text, "millrace_processor_samples_total") > 0:
                return True
            self.begun_cpu, self.begun_s = self.cpu(), time.monotonic()
            return False
        self._wait(look, READY_SECONDS, "the first sample", FIRST_LOOK_SECONDS)

    def is_done(self, text):
        """Hours that were flushed by budget before their end have more fragments than windows; minutes do only where their series get
        several samples in one."""
        written = self.cell.written
        return total(text, "millrace_processor_samples_total") >= written["samples"] and \
            self.fragments(text, topic="minutely") >= written["minutely"] and self.fragments(text, topic="hourly") >= self.cell.hourly_due

    def wait_done(self, watch=lambda text: None):
        """Until all samples are counted and every window that is due is committed. watch sees the metrics at each look."""
        def look(text):
            watch(text)
            return self.is_done(text)
        self._wait(look, RUN_SECONDS, "all samples counted and all windows committed", LOOK_SECONDS)
        self.cpu_s, self.wall_s = self.cpu() - self.begun_cpu, time.monotonic() - self.begun_s

    def check(self, flushed=False):
        """The counts are those of the backlog. flushed: windows may have gone out by budget, and hours have several fragments."""
        text, written = self.text(), self.cell.written
        wanted = {"samples_total": written["samples"], "late_samples_total": 0, "duplicates_total": 0, "dead_letters_total": 0,
                  "gap_records_total": 0, "overflow_samples_total": 0}
        wrong = [name for name, value in wanted.items() if total(text, f"millrace_processor_{name}") != value]
        if not flushed:
            wanted = {("minutely", "due"): written["minutely"], ("hourly", "due"): self.cell.hourly_due, ("minutely", "budget"): 0,
                      ("hourly", "budget"): 0}
            wrong += [f"{topic} fragments ({reason})" for (topic, reason), value in wanted.items()
                      if self.fragments(text, topic=topic, reason=reason) != value]
        if wrong:
            raise Failure(f"{self.cell.name}: wrong {', '.join(wrong)}: {self.told(text)}; written: {written}")

    def samples_per_cpu_s(self):
        return self.cell.written["samples"] / self.cpu_s


class Bed:
    """Kafka and what every cell needs."""

    def __init__(self, directory):
        self.directory = directory
        self.number = 0
        if kafka.PROPERTIES.count(f"{REBALANCE_DELAY}0\n") == 1:
            kafka.PROPERTIES = kafka.PROPERTIES.replace(f"{REBALANCE_DELAY}0\n", f"{REBALANCE_DELAY}1000\n")
        self.stack = Stack(directory / "stack", base_port=free_base_port())

    def __enter__(self):
        try:
            self.stack.up()
            self.kafka = self.stack.env()["KAFKA"]
            self.admin = AdminClient({"bootstrap.servers": self.kafka, "log_level": 0})
            self.producer = confluent_kafka.Producer({"bootstrap.servers": self.kafka, "acks": "all", "log_level": 0})
            self.create([NewTopic(f"millrace.{name}", 1, 1, config={"cleanup.policy": policy}) for name, policy in
                         (("cells", "compact"), ("controls", "compact"), ("sites", "compact"), ("triggers", "compact"), ("heartbeats", "delete"),
                          ("notices", "delete"), ("deadletter", "delete"))])
        except BaseException:
            self.stack.wipe()
            raise
        return self

    def __exit__(self, *_):
        self.stack.wipe()

    def next_number(self):
        self.number += 1
        return self.number

    def create(self, topics):
        for future in self.admin.create_topics(topics).values():
            future.result(30)

    def make_cell(self, backlog):
        cell = Cell(backlog)
        forever = {"retention.ms": "-1", "file.delete.delay.ms": "1000"}
        self.create([NewTopic(cell.topic("samples"), backlog.partitions, 1, config={"message.timestamp.type": "CreateTime", **forever}),
                     NewTopic(cell.topic("events"), backlog.partitions, 1, config=forever),
                     *(NewTopic(name, backlog.partitions, 1, config=forever) for name in cell.outputs)])
        record = {"name": cell.name, "epoch": random.randrange(-2**63, 2**63), "partitions": backlog.partitions, "created_at": 0}
        self.producer.produce("millrace.cells", key=cell.name, value=Codec("Cell").encode(record))
        if self.producer.flush(30):
            raise Failure("Kafka does not take the cell's record")
        return cell

    def fill(self, backlog):
        """A new cell with its backlog."""
        cell = self.make_cell(backlog)
        arguments = {"bootstrap": self.kafka, "topic": cell.topic("samples"), "partitions": backlog.partitions, "series": backlog.series,
                     "rate": f"{backlog.rate:.9f}", "samples": backlog.samples, "sites": backlog.sites, "start": cell.start_ms, "shift": cell.real_ms - cell.now_ms}
        with Tool(TOOLS / "fill", *(word for key, value in arguments.items() for word in (f"--{key}", value))) as fill:
            cell.written = fill.result(FILL_SECONDS)
        print(f"{cell.name}: {cell.written['records']:,} records of {cell.written['bytes'] / cell.written['records']:,.0f} bytes, "
              f"{backlog.span_ms / MINUTE_MS:g} minutes, written at {cell.written['samples_per_cpu_s']:,} samples a CPU-second", flush=True)
        return cell

    def route_sites(self, cell):
        """Rows of the sites that the backlog is of, by which all of it belongs to this cell."""
        for number in range(cell.backlog.sites):
            site = f"site-{number:03}"
            route = {"effective_from": 0, "cell": cell.name, "shards": cell.backlog.partitions}
            record = {"id": site, "name": site, "disabled": False, "created_at": 0, "routes": [route], "keys": [], "payloads_per_s": 0.0,
                      "samples_per_s": 0.0, "series_cap": 0}
            self.producer.produce("millrace.sites", key=site, value=Codec("Site").encode(record))
        if self.producer.flush(30):
            raise Failure("Kafka does not take the sites")

    def set_triggers(self, triggers):
        """These and no others: {id: record, or None for one that goes}."""
        codec = Codec("Trigger")
        for number, (name, trigger) in enumerate(triggers.items()):
            self.producer.produce("millrace.triggers", key=name, value=trigger and codec.encode(trigger))
            if number % 1000 == 0:
                self.producer.flush(30)
        if self.producer.flush(30):
            raise Failure("Kafka does not take the triggers")

    def drop(self, cell):
        """Gives the disk back."""
        for future in self.admin.delete_topics([cell.topic("samples"), cell.topic("events"), *cell.outputs]).values():
            future.result(30)

    def forget_group(self, group):
        """Its offsets, once its members have gone."""
        deadline, code = time.monotonic() + QUIET_SECONDS, None
        while code != confluent_kafka.KafkaError.GROUP_ID_NOT_FOUND:  # there never was one, or it has been deleted
            try:
                self.admin.delete_consumer_groups([group])[group].result(30)
            except confluent_kafka.KafkaException as error:
                code = error.args[0].code()
                if time.monotonic() > deadline or code not in (confluent_kafka.KafkaError.GROUP_ID_NOT_FOUND, *NOT_YET):
                    raise
                time.sleep(0.1)

    def reset(self, cell):
        """The cell as before its first processor: no offsets, no state, no output."""
        self.forget_group(cell.group)
        ends = [confluent_kafka.TopicPartition(name, partition, confluent_kafka.OFFSET_END)
                for name in cell.outputs for partition in range(cell.backlog.partitions)]
        for future in self.admin.delete_records(ends).values():
            future.result(30)

    @contextlib.contextmanager
    def run(self, cell, budget, instances=1, prefix=(), fresh=True, more=None):
        """As many processors, reading. Stopped in order at the end; killed when something has failed."""
        if fresh:
            self.reset(cell)
        started = []
        try:
            for number in range(instances):
                started.append(Instance(self, cell, budget, number, more or {}, prefix))
            yield Run(cell, started)
            for instance in started:
                instance.process.terminate()
            for instance in started:
                if instance.process.stop(READY_SECONDS) == "killed" or instance.process.exit_code:
                    raise instance.failure(f"ended with {instance.process.exit_code}")
        finally:
            for instance in started:
                instance.process.stop(0)

    def floor(self, cell, budget_bytes):
        """Samples a CPU-second of a consumer that only counts bytes."""
        kbytes = min(262144, max(4096, budget_bytes // 8192))  # as the processor's own queue
        settings = [f"{key}={value}" for key, value in {**CONSUMER, "queued.max.messages.kbytes": kbytes}.items()]
        with Tool(TOOLS / "floor_consumer", self.kafka, cell.topic("samples"), cell.backlog.partitions, cell.written["records"],
                  *settings) as tool:
            result = tool.result(RUN_SECONDS)
        if result["bytes"] != cell.written["bytes"]:
            raise Failure(f"{cell.name}: {result['bytes']} bytes were read of {cell.written['bytes']}")
        return cell.written["samples"] / result["cpu_s"]


def percent(samples, unit):
    """A trial's share of so many samples (BENCH_SAMPLES_PERCENT), a multiple of unit."""
    return max(unit, int(samples * setting("BENCH_SAMPLES_PERCENT") / 100) // unit * unit)
