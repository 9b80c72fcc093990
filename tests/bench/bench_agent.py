#!/usr/bin/env python3
"""millrace-agent with its default settings and 10,000 series by UDP, in front of a server that takes everything: metrics per CPU-second,
memory, CPU at 10,000 metrics a second, bytes a payload.

Counted is what the store has taken, so what the kernel drops of a flood is neither work nor a result. A measurement lasts as long as a slot: each
has a flush in it, with all that comes of it (compression, the spool's syncs, the post). BENCH_SECONDS shortens it.
"""
import http.server
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

from bench import (BINARIES, TOOLS, WARM_UP_SECONDS, Bench, Failure, PeakMemory, Process, Tool, cpu_seconds, metric, per_cpu_second,
                   setting, shortened)
from millrace_local import free_ports
from millrace_local.programs import is_ready

SERIES = 10_000
SLOT_SECONDS = 30
RATE = 10_000
READY_SECONDS = 20
FLUSHES = "millrace_agent_flushes_total"


class Server(http.server.ThreadingHTTPServer):
    """The Push API as far as the agent sees it: every payload is accepted."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.bodies = []  # their lengths
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.server.bodies.append(len(self.rfile.read(int(self.headers["Content-Length"]))))
        answer = b'{"accepted": 1, "rejected": [], "rejected_total": 0}'
        self.send_response(202)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


class Bed:
    def __init__(self, directory):
        self.directory = Path(directory)
        self.udp_port, self.admin_port = free_ports(2)
        self.agent, self.server = Process("agent", self.directory), Server()

    def __enter__(self):
        settings = (f"push.url=http://127.0.0.1:{self.server.server_port}", f"statsd.listen=127.0.0.1:{self.udp_port}",
                    f"admin.listen=127.0.0.1:{self.admin_port}", f"spool.dir={self.directory / 'spool'}",
                    f"key.file={self.directory / 'key'}")
        (self.directory / "key").write_text("bench-bench-bench-bench\n")
        (self.directory / "key").chmod(0o600)
        (self.directory / "spool").mkdir()
        self.agent.start([BINARIES / "millrace-agent", *(word for s in settings for word in ("--set", s))])
        self.agent.wait_until(lambda: is_ready(self.admin_port), READY_SECONDS, "ready")
        return self

    def __exit__(self, *_):
        self.agent.stop(20)
        self.server.shutdown()
        self.server.server_close()

    def taken(self):
        return metric(self.admin_port, "millrace_agent_datagram_values_total")

    def load(self, rate, seconds):
        return Tool(TOOLS / "agent_load", self.udp_port, SERIES, rate, seconds + 2 * WARM_UP_SECONDS)


def seconds():
    return setting("BENCH_SECONDS") if "BENCH_SECONDS" in shortened() else SLOT_SECONDS


def throughput(bench, bed):
    """As much as the agent takes; its memory at the same time."""
    share = []
    with PeakMemory(bed.agent.pid) as memory:
        for _ in range(int(setting("BENCH_RUNS"))):
            share.append(per_cpu_second(bed.agent.pid, bed.taken, bed.load(0, seconds()), seconds())[0])
    series = metric(bed.admin_port, "millrace_agent_series")
    refused = metric(bed.admin_port, "millrace_agent_datagram_values_refused_total")
    if series < SERIES or refused:
        raise Failure(f"{series} series, {refused} values refused: not what was to be measured")
    bench.add("agent.datagrams_per_cpu_s", "metrics/CPU-s", share, at_least=1_000_000)
    bench.add("agent.rss_mib", "MiB", [memory.peak_mib], at_most=32)


def at_a_rate(bench, bed):
    """What a busy machine sends."""
    shares, since = [], len(bed.server.bodies)
    flushes = metric(bed.admin_port, FLUSHES)
    for _ in range(int(setting("BENCH_RUNS"))):
        with bed.load(RATE, seconds()) as load:
            time.sleep(WARM_UP_SECONDS)
            before, cpu_before, begun = bed.taken(), cpu_seconds(bed.agent.pid), time.monotonic()
            time.sleep(seconds())
            taken, cpu, real = bed.taken() - before, cpu_seconds(bed.agent.pid) - cpu_before, time.monotonic() - begun
            load.result(60)
        if not 0.98 < taken / real / RATE < 1.02:
            raise Failure(f"{taken / real:.0f} metrics a second were taken, {RATE} sent")
        shares.append(100 * cpu / real)
    bench.add("agent.cpu_percent_at_10000_metrics_per_s", "%", shares)
    bodies = bed.server.bodies[since:]
    flushes = metric(bed.admin_port, FLUSHES) - flushes
    if bodies and flushes:
        bench.add("agent.payload_bytes", "bytes", [sum(bodies) / len(bodies)])
        bench.add("agent.bytes_per_series_and_flush", "bytes", [sum(bodies) / flushes / SERIES])


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    bench = Bench()
    with tempfile.TemporaryDirectory(prefix="millrace-bench-") as directory, Bed(directory) as bed:
        throughput(bench, bed)
        at_a_rate(bench, bed)
    return bench.end()


if __name__ == "__main__":
    sys.exit(main())
