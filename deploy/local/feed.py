#!/usr/bin/env python3
"""feed: an application that tells the agent its figures, as StatsD lines over a Unix datagram socket, and keeps a ledger of them.

Its figures are this machine's, under names of its own, and every line says its second (DogStatsD's |T), so that what a minute must add up to is known
whatever the agent, the Push API or Kafka do meanwhile. The socket blocks where UDP would lose.

With --burst it keeps a core busy once, all through the minute behind its first full one: something for an alert to open and close at.
"""
import argparse
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from millrace_local import figures  # noqa: E402
from millrace_local.ledger import Ledger  # noqa: E402

FEED_SECONDS = 5
DATAGRAM_BYTES = 1400
SEND_SECONDS = 5
BURST_EDGE_SECONDS = 5  # that it begins before the minute, and ends behind it
TYPES = {"counter": "c", "gauge": "g", "distribution": "d"}


def line_of(kind, name, tags, value, t):
    """One StatsD line; t in seconds."""
    text = ",".join(f"{key}:{value}" for key, value in sorted(tags.items()))
    return f"{name}:{value!r}|{TYPES[kind]}{'|#' + text if text else ''}|T{t}"


class Sampler:
    """Every second each core's load, every few seconds all the rest."""

    def __init__(self):
        self.ticks = figures.cpu_ticks()
        self.totals = figures.totals()

    def each_second(self):
        """(kind, name, tags, value) of the cores."""
        ticks = figures.cpu_ticks()
        busy = figures.core_busy_percents(self.ticks, ticks)
        self.ticks = ticks
        busiest = [("distribution", "fed.busiest_core_percent", {}, max(busy))] if busy else []
        return busiest + [("distribution", "fed.core_busy_percent", {}, value) for value in busy]

    def rest(self):
        """Likewise, of all else."""
        totals = figures.totals()
        found = [("counter", *each) for each in figures.grown(self.totals, totals)]
        found += [("gauge", *each) for each in figures.gauges()]
        self.totals = totals
        return [(kind, "fed." + name, tags, value) for kind, name, tags, value in found]


class Client:
    """The socket; what it took is in the ledger."""

    def __init__(self, path, ledger_file):
        self.path = str(path)
        self.ledger_file = ledger_file
        self.ledger = Ledger(int(time.time() * 1000))
        self.socket = None

    def send(self, samples):
        """Several lines a datagram, all of this second."""
        t = int(time.time())
        datagram, inside = "", []
        for kind, name, tags, value in samples:
            line = line_of(kind, name, tags, value, t)
            if len(datagram) + len(line) > DATAGRAM_BYTES:
                self._send(datagram, inside, t)
                datagram, inside = "", []
            datagram += line + "\n"
            inside.append((name, kind, tags, t * 1000, value))
        self._send(datagram, inside, t)
        self.ledger.settled_ms = t * 1000
        self.ledger.save(self.ledger_file)

    def _send(self, datagram, samples, t):
        try:
            if self.socket is None:
                self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self.socket.settimeout(SEND_SECONDS)
                self.socket.connect(self.path)
            self.socket.send(datagram.encode())
        except OSError as error:
            print(f"{t}: {len(samples)} samples not sent: {error}", flush=True)
            self.socket = None
            return
        for sample in samples:
            self.ledger.add(*sample)


class Burst:
    """A process that does nothing, with all its might, for 70 seconds: the minute that begins at the given time, and a little around it."""

    def __init__(self, minute_s):
        self.begin_s, self.end_s = minute_s - BURST_EDGE_SECONDS, minute_s + 60 + BURST_EDGE_SECONDS
        self.process = None

    def follow(self, now_s):
        """Starts it when it is time. It ends by itself, and with the process that started it."""
        if self.process is None and now_s >= self.begin_s:
            work = f"import os, time\nwhile time.time() < {self.end_s} and os.getppid() == {os.getpid()}: pass"
            self.process = subprocess.Popen([sys.executable, "-c", work])
        elif self.process:
            self.process.poll()  # leaves no zombie

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--statsd", required=True, metavar="SOCKET", help="the agent's statsd.socket")
    parser.add_argument("--ledger", required=True, metavar="FILE", help="what was told, as JSON")
    parser.add_argument("--burst", action="store_true", help="keep a core busy in the minute behind the first full one")
    args = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    client, sampler = Client(args.statsd, args.ledger), Sampler()
    burst = Burst((int(time.time()) // 60 + 2) * 60) if args.burst else None
    second, begun = 1, time.monotonic()
    while not stop.wait(max(0, begun + second - time.monotonic())):
        samples = sampler.each_second()
        if second % FEED_SECONDS == 0:
            samples += sampler.rest()
        client.send(samples)
        second += 1
        if burst:
            burst.follow(time.time())
    if burst:
        burst.stop()


main()
