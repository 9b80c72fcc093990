#!/usr/bin/env python3
"""feed: pushes this machine's own figures to Millrace every 5 s, as an agent would, and keeps a ledger of them.

It behaves as the protocol asks of agents: a payload keeps its identity (agent_id, seq, floor, created_at) and is sent
again, unchanged, until an answer settles it; payloads wait in order in a bounded spool. Only then do its samples enter
the ledger, without those that the answer rejected. The API key comes in a file, as a command line is public.
"""
import argparse
import collections
import http.client
import json
import os
import signal
import sys
import threading
import time
import urllib.parse
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from millrace_local import figures  # noqa: E402
from millrace_local.ledger import Ledger  # noqa: E402

PUSH_SECONDS = 5
SPOOL_PAYLOADS = 720  # an hour; beyond it the oldest is given up, and said so
ANSWER_SECONDS = 15
FINAL_ANSWERS = (400, 405, 413, 415)  # would be the same for the same payload


def now_ms():
    return int(time.time() * 1000)


class Sampler:
    """Gathers points between two pushes: every second each core's load, at the push all the rest."""

    def __init__(self):
        self.ticks = figures.cpu_ticks()
        self.totals = figures.totals()
        self.busy = []

    def each_second(self):
        ticks = figures.cpu_ticks()
        t = now_ms()
        self.busy += [{"t": t, "v": value} for value in figures.core_busy_percents(self.ticks, ticks)]
        self.ticks = ticks

    def take(self):
        """All that was gathered, as the `metrics` of a payload."""
        totals = figures.totals()
        t = now_ms()
        found = [("counter", *each) for each in figures.grown(self.totals, totals)]
        found += [("gauge", *each) for each in figures.gauges()]
        metrics = [{"name": name, "kind": kind, "tags": tags, "points": [{"t": t, "v": value}]}
                   for kind, name, tags, value in found]
        if self.busy:
            metrics.append({"name": "cpu.core_busy_percent", "kind": "distribution", "tags": {}, "points": self.busy})
        self.totals, self.busy = totals, []
        return metrics


class Feeder:
    """The spool and what its answers settle. One thread."""

    def __init__(self, url, key, ledger_file):
        self.url = urllib.parse.urlsplit(url)
        self.key = key
        self.ledger_file = ledger_file
        self.ledger = Ledger(now_ms())
        self.agent_id = os.urandom(16).hex()
        self.seq = 0
        self.spool = collections.deque()
        self.retry_at = 0.0

    def add(self, metrics):
        """Makes a payload; its bytes never change from here on."""
        self.seq += 1
        floor = self.spool[0]["seq"] if self.spool else self.seq
        self.spool.append({"agent_id": self.agent_id, "seq": self.seq, "floor": floor, "created_at": now_ms(),
                           "metrics": metrics})
        if len(self.spool) > SPOOL_PAYLOADS:
            say(f"spool full: payload {self.spool.popleft()['seq']} is lost")

    def send_all(self):
        """Sends what waits, oldest first, until the first that is not settled."""
        while self.spool and time.monotonic() >= self.retry_at:
            status, headers, body = self._post(self.spool[0])
            if status == 202:
                self._settle(self.spool.popleft(), json.loads(body))
            elif status in FINAL_ANSWERS:
                say(f"payload {self.spool.popleft()['seq']} refused for good: {status} {body[:300]!r}")
            else:
                wait = int(headers.get("Retry-After", "1")) if headers.get("Retry-After", "1").isdigit() else 1
                self.retry_at = time.monotonic() + wait
                say(f"payload {self.spool[0]['seq']} not taken ({status} {body[:300]!r}): again in {wait} s")

    def _post(self, payload):
        """(status, headers, body); status 0 when there was no answer: accepted or not, nobody knows."""
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.key}",
                   "Millrace-Sent-At": str(now_ms()), "Millrace-Created-At": str(payload["created_at"])}
        connection = http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=ANSWER_SECONDS)
        try:
            connection.request("POST", self.url.path, json.dumps(payload), headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        except (OSError, http.client.HTTPException) as error:
            return 0, {}, str(error).encode()
        finally:
            connection.close()

    def _settle(self, payload, answer):
        """Into the ledger with what was accepted."""
        rejected = {each["index"]: each["reason"] for each in answer.get("rejected", [])}
        if rejected:
            say(f"payload {payload['seq']}: rejected {rejected}")
        for m, metric in enumerate(payload["metrics"]):
            for p, point in enumerate(metric["points"]):
                if f"metrics[{m}].points[{p}]" not in rejected and f"metrics[{m}]" not in rejected:
                    self.ledger.add(metric["name"], metric["kind"], metric["tags"], point["t"], point["v"])
        self.ledger.settled_ms = payload["created_at"]
        self.ledger.save(self.ledger_file)


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--push", required=True, metavar="URL", help="where to post, with its path")
    parser.add_argument("--key-file", required=True, metavar="FILE")
    parser.add_argument("--ledger", required=True, metavar="FILE", help="what was accepted, as JSON")
    args = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    feeder = Feeder(args.push, Path(args.key_file).read_text().strip(), args.ledger)
    sampler = Sampler()
    second, begun = 0, time.monotonic()
    while not stop.wait(max(0, begun + second - time.monotonic())):
        if second:
            sampler.each_second()
        if second and second % PUSH_SECONDS == 0:
            feeder.add(sampler.take())
        feeder.send_all()
        second += 1
    say(f"stopped; {len(feeder.spool)} payloads unsent")


main()
