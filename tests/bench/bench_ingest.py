#!/usr/bin/env python3
"""millrace-ingest with its default settings in front of a real Kafka, acks=all: samples per CPU-second, latency, memory with Kafka frozen.

One cell of 12 partitions, one site with one key. The floor, a server that only reads the same bodies, is measured in the same rounds,
so that a slow hour slows both. Samples are counted by ingest itself (accepted: acknowledged by Kafka), and its records by Kafka.
"""
import dataclasses
import signal
import sys
import tempfile
import time
from pathlib import Path

import confluent_kafka
from bench import (BINARIES, TOOLS, WARM_UP_SECONDS, Bench, Failure, PeakMemory, Process, get, metric, paced, per_cpu_second,
                   raise_open_files, setting, wrk)
import otlp
import payloads
from millrace_local import Stack, free_base_port, free_ports, port_is_open
from millrace_local.programs import create_site, is_ready

BODIES = 200
CONNECTIONS = 64
MANY_CONNECTIONS = 2000
READY_SECONDS = 60
PATIENCE_SECONDS = 30  # for the last answers: longer than push.message_timeout
PROTOBUF, JSON = "application/x-protobuf", "application/json"


@dataclasses.dataclass(frozen=True)
class Load:
    """Requests of one kind: how they are made of payloads or of OTLP's requests, and what their samples a CPU-second are to be."""
    path: str
    type: str
    make: object    # (a random.Random, a number, a time in ms) to what encode() takes
    encode: object  # to the body
    figure: str     # its name in ingest.LOAD.
    target: dict = dataclasses.field(default_factory=dict)
    unit: str = "samples/CPU-s"

    def bodies(self, t):
        return [self.encode(request) for request in payloads.requests(self.make, BODIES, t)]


def pb(name):
    return lambda request: otlp.pb(name, request)


LOADS = {
    "push_pb": Load("/v1/push", PROTOBUF, payloads.payload, payloads.ENCODE["pb"], "samples_per_cpu_s", {"at_least": 1_300_000, "aim": 1_700_000}),
    "push_json": Load("/v1/push", JSON, payloads.payload, payloads.ENCODE["json"], "samples_per_cpu_s", {"aim": 600_000}),
    "otlp_pb": Load("/v1/metrics", PROTOBUF, otlp.metrics, pb("ExportMetricsServiceRequest"), "samples_per_cpu_s",
                    {"at_least": 1_000_000, "aim": 1_300_000}),
    "otlp_json": Load("/v1/metrics", JSON, otlp.metrics, payloads.ENCODE["json"], "samples_per_cpu_s"),
    "otlp_traces": Load("/v1/traces", PROTOBUF, otlp.traces, pb("ExportTraceServiceRequest"), "spans_per_cpu_s", unit="spans/CPU-s"),
    "events": Load("/v1/push", JSON, payloads.events, payloads.ENCODE["json"], "events_per_cpu_s", unit="events/CPU-s"),
}
FLOOR = "ingest.floor.samples_per_cpu_s"


class Bed:
    """Kafka, a site, ingest and the floor; and the requests, in files."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.stack = Stack(self.directory / "stack", base_port=free_base_port())
        self.push_port, self.admin_port, self.floor_port = free_ports(3)
        self.ingest, self.floor = Process("ingest", self.directory), Process("floor", self.directory)

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in (self.ingest, self.floor):
            process.stop(20)
        self.stack.wipe()

    def start(self):
        self.stack.up()
        self.kafka = self.stack.env()["KAFKA"]
        create_site(self.kafka, self.directory / "key")
        self.key = (self.directory / "key").read_text().strip()
        settings = (f"kafka.bootstrap.servers={self.kafka}", f"push.listen=127.0.0.1:{self.push_port}",
                    f"admin.listen=127.0.0.1:{self.admin_port}")
        self.ingest.start([BINARIES / "millrace-ingest", *(word for s in settings for word in ("--set", s))])
        self.floor.start([TOOLS / "floor", self.floor_port])
        self.ingest.wait_until(lambda: is_ready(self.admin_port), READY_SECONDS, "ready")
        self.floor.wait_until(lambda: port_is_open(self.floor_port), READY_SECONDS, "listening")
        t = int(time.time() * 1000)
        self.requests = {name: self.write_requests(name, load, load.bodies(t)) for name, load in LOADS.items()}

    def write_requests(self, name, load, bodies):
        print(f"{name}: bodies of {sum(map(len, bodies)) / len(bodies):,.0f} bytes", flush=True)
        return payloads.write_requests(self.directory / f"requests.{name}",
                                       [payloads.request(self.push_port, self.key, load.type, body, load.path) for body in bodies])

    def accepted(self):
        return metric(self.admin_port, "millrace_ingest_accepted_samples_total")

    def answers(self, name):
        """The statuses of a second of requests on one connection."""
        with paced(self.push_port, self.requests[name], 1, 10, 1, PATIENCE_SECONDS) as probe:
            return probe.result(60)["answered"]

    def check_kafka(self):
        """Kafka holds every record that ingest says it holds, and no more."""
        consumer = confluent_kafka.Consumer({"bootstrap.servers": self.kafka, "group.id": "bench"})
        ends = 0
        for topic in ("millrace.c.main.samples", "millrace.c.main.events"):
            partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
            ends += sum(consumer.get_watermark_offsets(confluent_kafka.TopicPartition(topic, p), timeout=30)[1] for p in partitions)
        consumer.close()
        records = metric(self.admin_port, "millrace_ingest_records_total")
        if ends != records:
            raise Failure(f"Kafka has {ends} records, ingest says {records:.0f}")
        print(f"Kafka has all {ends:,} records", flush=True)


def throughput(bench, bed):
    """Rounds of floor and loads in turn."""
    seconds, share, rates = setting("BENCH_SECONDS"), {}, {}
    for _ in range(int(setting("BENCH_RUNS"))):
        load = wrk(bed.floor_port, bed.requests["push_pb"], CONNECTIONS, seconds + 2 * WARM_UP_SECONDS)
        done, _ = per_cpu_second(bed.floor.pid, lambda: payloads.SAMPLES * int(get(bed.floor_port, "/")), load, seconds)
        share.setdefault("floor", []).append(done)
        for name in LOADS:
            load = wrk(bed.push_port, bed.requests[name], CONNECTIONS, seconds + 2 * WARM_UP_SECONDS)
            done, result = per_cpu_second(bed.ingest.pid, bed.accepted, load, seconds)
            share.setdefault(name, []).append(done)
            rates.setdefault(name, []).append(result["requests"] / result["seconds"])
    bench.add(FLOOR, "samples/CPU-s", share["floor"])
    for name, load in LOADS.items():
        floor = {"floor": FLOOR} if load.unit == "samples/CPU-s" else {}
        bench.add(f"ingest.{name}.{load.figure}", load.unit, share[name], **floor, **load.target)
        bench.add(f"ingest.{name}.requests_per_s", "requests/s", rates[name])


def latency(bench, bed, name):
    """At half of the highest rate, open loop: what a stall makes late counts as late."""
    rate = bench.median(f"ingest.{name}.requests_per_s") / 2
    found = {"p50": [], "p99": []}
    for _ in range(int(setting("BENCH_RUNS"))):
        with paced(bed.push_port, bed.requests[name], CONNECTIONS, rate, setting("BENCH_SECONDS"), PATIENCE_SECONDS) as load:
            result = load.result(setting("BENCH_SECONDS") + 2 * PATIENCE_SECONDS)
        if result["answered"] != {"202": result["sent"]}:
            raise Failure(f"not every payload was taken at {rate:.0f} requests/s: {result}")
        for quantile, values in found.items():
            values.append(result[f"{quantile}_ms"])
    for quantile, values in found.items():
        bench.add(f"ingest.{name}.{quantile}_ms_at_half_rate", "ms", values)


def freeze(bed, name, seconds):
    """(most memory in MiB, what the load says): every connection sends again as soon as it is answered, while Kafka says nothing."""
    broker = bed.stack.brokers[0].process
    with PeakMemory(bed.ingest.pid) as memory:
        broker.signal(signal.SIGSTOP)
        try:
            with paced(bed.push_port, bed.requests[name], MANY_CONNECTIONS, 0, seconds, PATIENCE_SECONDS) as load:
                result = load.result(seconds + 2 * PATIENCE_SECONDS)
        finally:
            broker.signal(signal.SIGCONT)
    bed.ingest.wait_until(lambda: set(bed.answers(name)) == {"202"}, READY_SECONDS, "taking payloads again")
    return memory.peak_mib, result


def frozen(bench, bed, name):
    """With 2,000 connections: flat memory, and no request without an answer."""
    peaks = []
    for _ in range(int(setting("BENCH_RUNS"))):
        peak_mib, result = freeze(bed, name, setting("BENCH_FREEZE_SECONDS"))
        print(f"Kafka frozen, {MANY_CONNECTIONS} connections: {peak_mib:.1f} MiB at most, {result}", flush=True)
        if result["cut"] or result["unanswered"] or sum(result["answered"].values()) != result["sent"]:
            bench.miss("ingest.rss_frozen_mib", f"{result['cut'] + result['unanswered']} of {result['sent']} requests had no answer")
            return
        if not set(result["answered"]) <= {"202", "503"}:
            bench.miss("ingest.rss_frozen_mib", f"answers were {result['answered']}")
            return
        peaks.append(peak_mib)
    bench.add("ingest.rss_frozen_mib", "MiB", peaks, at_most=128)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # leave no broker behind, and none frozen
    raise_open_files(MANY_CONNECTIONS + 500)
    bench = Bench()
    with tempfile.TemporaryDirectory(prefix="millrace-bench-") as directory, Bed(directory) as bed:
        throughput(bench, bed)
        latency(bench, bed, "push_pb")
        bed.check_kafka()
        frozen(bench, bed, "push_pb")
    return bench.end()


if __name__ == "__main__":
    sys.exit(main())
