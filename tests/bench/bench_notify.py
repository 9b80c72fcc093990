#!/usr/bin/env python3
"""How long after a minute has closed is its alert at the receiver? All of Millrace on one machine, a clock ten times as fast, real milliseconds.

Every minute half of the triggers open and the other half close. An AlertEvent says when its minute was judged (`at`), by the same clock that the arrival is put to. What lies between: the
transaction of the checkpoint, the notifier's own, and one request after the other to the one receiver that all of them have.
"""
import datetime
import json
import signal
import statistics
import sys
import tempfile
import urllib.request
from pathlib import Path

from bench import Bench, Failure, setting
from millrace_local import free_base_port
from pipeline import MINUTE_MS, Pipeline
from processor_cell import Codec
from receivers import HookServer

SPEED, TRIGGERS, MINUTES = 10, 60, 8
CLOSING_MS = 60000 + 45000 + 10000


def triggers():
    return [{"id": f"t-{i}", "site": "shop", "metric": f"bench.{i}", "field": "last", "compare": ">", "threshold": 50, "receivers": ["hooks"]} for i in range(TRIGGERS)]


def post(pipeline, minute_ms, number):
    t = minute_ms + 20000
    metrics = [{"name": f"bench.{i}", "kind": "gauge", "points": [{"t": t, "v": 90.0 if (number + i) % 2 else 10.0}]} for i in range(TRIGGERS)]
    request = urllib.request.Request(f"http://127.0.0.1:{pipeline.push_port}/v1/push", json.dumps({"metrics": metrics}).encode(),
                                     {"Authorization": f"Bearer {pipeline.keys['shop']}", "Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 202


def run(directory, hooks):
    """Real milliseconds from the closing of a minute to the arrival, of all openings."""
    with Pipeline(directory, free_base_port(), SPEED, 5, {"shop": 12},
                  notify_settings=["notify.allow_http=true", "notify.allow_networks=127.0.0.0/8", "notify.site_rate=0"]) as pipeline:
        for noun, records in (("receiver", [{"id": "hooks", "webhook": {"url": hooks.url}, "only_named": True, "group_wait": "0s", "group_interval": "0s", "repeat": "0s"}]),
                              ("trigger", triggers())):
            file = Path(directory) / f"{noun}.yml"
            file.write_text(json.dumps({noun + "s": records}))
            pipeline.timed_ctl(noun, "apply", "-f", str(file))
        zero_ms = (pipeline.now_ms() // MINUTE_MS + 1) * MINUTE_MS
        for number in range(MINUTES):
            pipeline.wait_until_virtual(zero_ms + number * MINUTE_MS + 25000)
            post(pipeline, zero_ms + number * MINUTE_MS, number)
        pipeline.wait_until_virtual(zero_ms + MINUTES * MINUTE_MS + CLOSING_MS + 2 * MINUTE_MS)
        pipeline.check_alive()
        codec, judged = Codec("AlertEvent"), {}
        for message in pipeline.records("millrace.c.main.alerts"):
            event = codec.decode(message.value())
            if event["kind"] == "opened":
                judged[event["trigger"], event["opened_at"]] = event["at"].timestamp() * 1000
        waits = []
        for request in hooks.all():
            arrived = int(pipeline.env["CLOCK_START_MS"]) + (request.at * 1000 - int(pipeline.env["CLOCK_REAL_MS"])) * SPEED
            for alert in request.json["alerts"]:
                started = datetime.datetime.fromisoformat(alert["startsAt"].replace("Z", "+00:00"))
                if request.json["status"] == "firing":
                    waits.append((arrived - judged.pop((alert["labels"]["alertname"], started))) / SPEED)
        if judged or len(waits) < TRIGGERS * (MINUTES - 1) / 2:
            raise Failure(f"{len(judged)} openings of {len(judged) + len(waits)} were not told")
        return waits


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # leave no broker behind
    bench, middle, slowest = Bench(), [], []
    for _ in range(int(setting("BENCH_RUNS"))):
        with HookServer() as hooks, tempfile.TemporaryDirectory(prefix="millrace-bench-") as directory:
            waits = sorted(run(directory, hooks))
        middle.append(statistics.median(waits))
        slowest.append(waits[int(len(waits) * 0.99)])
        print(f"{len(waits)} webhooks: median {middle[-1]:.0f} ms, p99 {slowest[-1]:.0f} ms after their minute had closed", flush=True)
    bench.add("notify.close_to_webhook_ms.p50", "ms", middle)
    bench.add("notify.close_to_webhook_ms.p99", "ms", slowest)
    return bench.end()


if __name__ == "__main__":
    sys.exit(main())
