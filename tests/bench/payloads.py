"""What agents of a web shop would post: payloads of 100 samples, 40 counters, 40 gauges and 20 distributions of about 11 buckets, three
tags each. About 11 KB in protobuf, 20 KB in JSON. The same seed gives the same payloads, but for the times. otlp.py makes the same shop's
of OTLP.
"""
import json
import random
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
import push_pb  # noqa: E402

SAMPLES = 100
ENCODE = {"pb": push_pb.encode, "json": lambda payload: json.dumps(payload, separators=(",", ":")).encode()}
SERVICES = ("checkout", "catalogue", "search", "accounts", "mailer")
ROUTES = ("/products/:id", "/basket", "/orders", "/orders/:id/pay", "/search", "/login", "/images/:name", "/health")
COUNTERS = ("http.server.requests", "http.server.errors", "sql.queries", "cache.hits", "cache.misses")
GAUGES = ("process.resident_memory_bytes", "worker.queue_depth", "db.pool.connections_in_use", "runtime.gc.heap_live_bytes", "load")
DISTRIBUTIONS = ("http.server.duration_ms", "sql.query.duration_ms", "job.duration_ms")


def distribution(rng):
    """What an agent has merged in 30 s: values of some requests, in the buckets they span."""
    counts = [rng.randrange(1, 40) for _ in range(rng.randrange(8, 15))]
    offset = rng.randrange(60, 300)  # 2^(offset/32): from 4 to 600 ms
    low, high = 2 ** ((offset + 0.5) / 32), 2 ** ((offset + len(counts) - 0.5) / 32)
    return {"count": sum(counts), "sum": sum(counts) * (low + high) / 2, "min": low, "max": high, "last": low,
            "histogram": {"scale": 5, "zero": 0, "offset": offset, "counts": counts}}


def metric(rng, kind, names, number, host, t):
    point = {"counter": lambda: {"v": float(rng.randrange(0, 5000))}, "gauge": lambda: {"v": rng.randrange(1 << 40) / 1024},
             "distribution": lambda: distribution(rng)}[kind]()
    route = ROUTES[number // len(names) % len(ROUTES)]
    return {"name": names[number % len(names)], "kind": kind,
            "tags": {"host": host, "service": rng.choice(SERVICES), "route": route}, "points": [{"t": t, **point}]}


def payload(rng, number, t):
    """The payload of one host."""
    host = f"web-{number:03}"
    metrics = []
    for kind, names, count in (("counter", COUNTERS, 40), ("gauge", GAUGES, 40), ("distribution", DISTRIBUTIONS, 20)):
        metrics += [metric(rng, kind, names, i, host, t) for i in range(count)]
    return {"metrics": metrics, "host": host, "environment": "production"}


def error(rng, t):
    frames = [{"file": f"app/models/{name}.rb", "line": rng.randrange(1, 400), "function": "call", "in_app": True} for name in ("order", "basket", "price")]
    return {"t": t, "class": rng.choice(("ArgumentError", "Timeout::Error")), "message": f"order {rng.randrange(1 << 30)} cannot be paid",
            "backtrace": frames, "action": "OrdersController#pay", "namespace": "web", "tags": {"plan": "large"}, "params": {"id": "17"}}


def transaction(rng, t):
    return {"t": t, "id": f"{rng.getrandbits(128):032x}", "action": "OrdersController#pay", "namespace": "web", "duration_ms": rng.random() * 400,
            "spans": [{"name": "sql.active_record", "start_ms": 1.5, "duration_ms": 3.5} for _ in range(4)]}


def events(rng, number, t):
    """10 errors and 10 transactions of one host."""
    return {"host": f"web-{number:03}", "environment": "production", "errors": [error(rng, t) for _ in range(10)],
            "transactions": [transaction(rng, t) for _ in range(10)]}


def requests(make, count, t, seed=20261126):
    """What make() makes of count hosts at one time, in milliseconds. They carry no identity: they are to be sent again and again."""
    rng = random.Random(seed)
    return [make(rng, number, t) for number in range(count)]


def request(port, key, content_type, body, path="/v1/push"):
    """A whole HTTP request as it goes over the wire."""
    return (f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {key}\r\nContent-Type: {content_type}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode() + body


def write_requests(path, requests):
    """The file that push.lua and load.c read."""
    path.write_bytes(b"".join(struct.pack("<I", len(one)) + one for one in requests))
    return path
