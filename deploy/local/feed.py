#!/usr/bin/env python3
"""feed: an application that tells the agent its figures, as StatsD lines over a Unix datagram socket, and keeps a ledger of them.

Its figures are this machine's, under names of its own, and every line says its second (DogStatsD's |T), so that what a minute must add up to is known
whatever the agent, the Push API or Kafka do meanwhile. The socket blocks where UDP would lose.

Of itself it tells what it takes of a core. With --burst that is all of one, once, through the minute behind the first full one; and at SIGUSR1, through the next
full minute.
"""
import argparse
import signal
import socket
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
BURST_EDGE_SECONDS = 3  # that a burst ends behind its minute, and the first begins before it
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
        self.own = time.monotonic(), time.process_time()

    def each_second(self):
        """(kind, name, tags, value) of the cores, and of this program."""
        ticks = figures.cpu_ticks()
        busy = figures.core_busy_percents(self.ticks, ticks)
        self.ticks = ticks
        return self._own() + [("distribution", "fed.core_busy_percent", {}, value) for value in busy]

    def _own(self):
        """Of this program alone, whatever else the machine does."""
        before, self.own = self.own, (time.monotonic(), time.process_time())
        return [("distribution", "fed.own_busy_percent", {}, figures.exact(100 * (self.own[1] - before[1]) / (self.own[0] - before[0])))]

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
    """A thread that does nothing, with all its might: something for an alert to open and close at."""

    def __init__(self):
        self.begin_s = self.end_s = 0
        self.thread = None

    def plan(self, begin_s, minute_s):
        """From begin_s until the minute that begins at minute_s is over, and a little longer."""
        self.begin_s, self.end_s = begin_s, minute_s + 60 + BURST_EDGE_SECONDS

    def follow(self, now_s):
        """Starts it when it is time."""
        if self.begin_s <= now_s < self.end_s and not (self.thread and self.thread.is_alive()):
            self.thread = threading.Thread(target=self._work, daemon=True)  # ends with the program
            self.thread.start()

    def _work(self):
        while time.time() < self.end_s:
            pass


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--statsd", required=True, metavar="SOCKET", help="the agent's statsd.socket")
    parser.add_argument("--ledger", required=True, metavar="FILE", help="what was told, as JSON")
    parser.add_argument("--burst", action="store_true", help="take a core in the minute behind the first full one")
    args = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    client, sampler = Client(args.statsd, args.ledger), Sampler()
    burst, minute_s = Burst(), int(time.time()) // 60 * 60
    if args.burst:
        burst.plan(minute_s + 120 - BURST_EDGE_SECONDS, minute_s + 120)
    signal.signal(signal.SIGUSR1, lambda *_: burst.plan(time.time(), (int(time.time()) // 60 + 1) * 60))
    second, begun = 1, time.monotonic()
    while not stop.wait(max(0, begun + second - time.monotonic())):
        samples = sampler.each_second()
        if second % FEED_SECONDS == 0:
            samples += sampler.rest()
        client.send(samples)
        second += 1
        burst.follow(time.time())


main()
