#!/usr/bin/env python3
"""millrace-ingest with its default settings in front of a real Kafka, acks=all: samples per CPU-second, latency, memory with Kafka frozen.

One cell of 12 partitions, one site with one key. The floor, a server that only reads the same bodies, is measured in the same rounds,
so that a slow hour slows both. Samples are counted by ingest itself (accepted: acknowledged by Kafka), and its records by Kafka.
"""
import signal
import sys
import tempfile
import time
from pathlib import Path

import confluent_kafka
from bench import (BINARIES, TOOLS, WARM_UP_SECONDS, Bench, Failure, PeakMemory, Process, get, metric, paced, per_cpu_second,
                   raise_open_files, setting, wrk)
import payloads
from ingest_house import free_port
from millrace_local import Stack, free_base_port, port_is_open
from millrace_local.programs import create_site, is_ready

BODIES = 200
CONNECTIONS = 64
MANY_CONNECTIONS = 2000
READY_SECONDS = 60
PATIENCE_SECONDS = 30  # for the last answers: longer than push.message_timeout
TARGETS = {"pb": {"at_least": 1_300_000, "aim": 1_700_000}, "json": {"aim": 600_000}}
FLOOR = "ingest.floor.samples_per_cpu_s"


class Bed:
    """Kafka, a site, ingest and the floor; and the requests, in files."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.stack = Stack(self.directory / "stack", base_port=free_base_port())
        self.push_port, self.admin_port, self.floor_port = free_port(), free_port(), free_port()
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
        made = payloads.payloads(BODIES, int(time.time() * 1000))
        self.requests = {encoding: self.write_requests(encoding, made) for encoding in payloads.TYPES}

    def write_requests(self, encoding, made):
        bodies = [payloads.ENCODE[encoding](payload) for payload in made]
        print(f"{encoding}: bodies of {sum(map(len, bodies)) / len(bodies):,.0f} bytes", flush=True)
        return payloads.write_requests(self.directory / f"requests.{encoding}",
                                       [payloads.request(self.push_port, self.key, payloads.TYPES[encoding], body) for body in bodies])

    def accepted(self):
        return metric(self.admin_port, "millrace_ingest_accepted_samples_total")

    def answers(self, encoding):
        """The statuses of a second of requests on one connection."""
        with paced(self.push_port, self.requests[encoding], 1, 10, 1, PATIENCE_SECONDS) as probe:
            return probe.result(60)["answered"]

    def takes(self, encoding):
        """Does ingest know this content type?"""
        return "415" not in self.answers(encoding)

    def check_kafka(self):
        """Kafka holds every record that ingest says it holds, and no more."""
        consumer = confluent_kafka.Consumer({"bootstrap.servers": self.kafka, "group.id": "bench"})
        topic = "millrace.c.main.samples"
        partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
        ends = sum(consumer.get_watermark_offsets(confluent_kafka.TopicPartition(topic, p), timeout=30)[1] for p in partitions)
        consumer.close()
        records = metric(self.admin_port, "millrace_ingest_records_total")
        if ends != records:
            raise Failure(f"Kafka has {ends} records, ingest says {records:.0f}")
        print(f"Kafka has all {ends:,} records", flush=True)


def throughput(bench, bed, encodings):
    """Rounds of floor and encodings in turn."""
    seconds, share, rates = setting("BENCH_SECONDS"), {}, {}
    for _ in range(int(setting("BENCH_RUNS"))):
        load = wrk(bed.floor_port, bed.requests["pb"], CONNECTIONS, seconds + 2 * WARM_UP_SECONDS)
        done, _ = per_cpu_second(bed.floor.pid, lambda: payloads.SAMPLES * int(get(bed.floor_port, "/")), load, seconds)
        share.setdefault("floor", []).append(done)
        for encoding in encodings:
            load = wrk(bed.push_port, bed.requests[encoding], CONNECTIONS, seconds + 2 * WARM_UP_SECONDS)
            done, result = per_cpu_second(bed.ingest.pid, bed.accepted, load, seconds)
            share.setdefault(encoding, []).append(done)
            rates.setdefault(encoding, []).append(result["requests"] / result["seconds"])
    bench.add(FLOOR, "samples/CPU-s", share["floor"])
    for encoding in encodings:
        bench.add(f"ingest.push_{encoding}.samples_per_cpu_s", "samples/CPU-s", share[encoding], floor=FLOOR, **TARGETS[encoding])
        bench.add(f"ingest.push_{encoding}.requests_per_s", "requests/s", rates[encoding])


def latency(bench, bed, encoding):
    """At half of the highest rate, open loop: what a stall makes late counts as late."""
    rate = bench.median(f"ingest.push_{encoding}.requests_per_s") / 2
    found = {"p50": [], "p99": []}
    for _ in range(int(setting("BENCH_RUNS"))):
        with paced(bed.push_port, bed.requests[encoding], CONNECTIONS, rate, setting("BENCH_SECONDS"), PATIENCE_SECONDS) as load:
            result = load.result(setting("BENCH_SECONDS") + 2 * PATIENCE_SECONDS)
        if result["answered"] != {"202": result["sent"]}:
            raise Failure(f"not every payload was taken at {rate:.0f} requests/s: {result}")
        for name, values in found.items():
            values.append(result[f"{name}_ms"])
    for name, values in found.items():
        bench.add(f"ingest.push_{encoding}.{name}_ms_at_half_rate", "ms", values)


def freeze(bed, encoding, seconds):
    """(most memory in MiB, what the load says): every connection sends again as soon as it is answered, while Kafka says nothing."""
    broker = bed.stack.brokers[0].process
    with PeakMemory(bed.ingest.pid) as memory:
        broker.signal(signal.SIGSTOP)
        try:
            with paced(bed.push_port, bed.requests[encoding], MANY_CONNECTIONS, 0, seconds, PATIENCE_SECONDS) as load:
                result = load.result(seconds + 2 * PATIENCE_SECONDS)
        finally:
            broker.signal(signal.SIGCONT)
    bed.ingest.wait_until(lambda: set(bed.answers(encoding)) == {"202"}, READY_SECONDS, "taking payloads again")
    return memory.peak_mib, result


def frozen(bench, bed, encoding):
    """With 2,000 connections: flat memory, and no request without an answer."""
    peaks = []
    for _ in range(int(setting("BENCH_RUNS"))):
        peak_mib, result = freeze(bed, encoding, setting("BENCH_FREEZE_SECONDS"))
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
        encodings = [encoding for encoding in payloads.TYPES if bed.takes(encoding)]
        if "pb" not in encodings:
            bench.miss("ingest.push_pb.samples_per_cpu_s", "ingest does not take application/x-protobuf")
        throughput(bench, bed, encodings)
        latency(bench, bed, encodings[0])
        bed.check_kafka()
        frozen(bench, bed, encodings[0])
    return bench.end()


if __name__ == "__main__":
    sys.exit(main())
