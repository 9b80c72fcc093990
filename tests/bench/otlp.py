"""What OpenTelemetry's SDKs in a web shop would post, 100 data points or 20 spans a request.

Metrics: 10 instruments in one scope: 40 points of monotonic sums, 40 of gauges, 10 of exponential histograms and 10 of explicit ones with the SDKs'
default bounds; cumulative, as SDKs send them. A point has two or three attributes of its own, one of them a number on sums; the resource
has ten, of which service.name and deployment.environment become tags. Traces: a server's span with four below it, an exception in each
twentieth. Requests are made of Python's lists and dicts as OTLP's JSON has them; pb() writes the same in protobuf.
"""
import struct

from payloads import ROUTES, SAMPLES, SERVICES

EVENTS = 20  # spans a request
SUMS = ("http.server.requests", "http.server.errors", "db.client.queries", "cache.hits")
GAUGES = ("process.memory.usage", "worker.queue.depth", "db.client.connections.usage", "runtime.gc.heap.live")
METHODS = ("GET", "POST", "PUT", "DELETE")
BOUNDS = (0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000)
DELTA, CUMULATIVE = 1, 2


def attribute(key, value):
    return {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}


def attributes(**pairs):
    return [attribute(key.replace("_", "."), value) for key, value in pairs.items()]


def resource(rng, number):
    return {"attributes": [attribute(*pair) for pair in (
        ("service.name", rng.choice(SERVICES)), ("service.version", "1.42.0"), ("service.instance.id", f"{rng.getrandbits(128):032x}"),
        ("deployment.environment", "production"), ("host.name", f"web-{number:03}"), ("os.type", "linux"), ("process.pid", 4242),
        ("telemetry.sdk.name", "opentelemetry"), ("telemetry.sdk.language", "python"), ("telemetry.sdk.version", "1.38.0"))]}


def number_point(rng, i, t_ns, start_ns, is_sum):
    pairs = {"http_route": ROUTES[i % len(ROUTES)], "http_method": METHODS[i // len(ROUTES) % len(METHODS)]}
    if is_sum:
        pairs["http_status"] = 200 if i % 5 else 404
    value = {"asInt": str(rng.randrange(1 << 30))} if is_sum else {"asDouble": rng.randrange(1 << 40) / 1024}
    return {"attributes": attributes(**pairs), "startTimeUnixNano": str(start_ns), "timeUnixNano": str(t_ns), **value}


def buckets(rng, n):
    return [rng.randrange(1, 400) for _ in range(n)]


def histogram_point(rng, i, t_ns, start_ns, exponential):
    counts = buckets(rng, rng.randrange(8, 15) if exponential else 12) + ([] if exponential else [0, 0, 0, 0])
    point = {"attributes": attributes(http_route=ROUTES[i % len(ROUTES)], http_method=METHODS[i // len(ROUTES) % len(METHODS)]),
             "startTimeUnixNano": str(start_ns), "timeUnixNano": str(t_ns), "count": str(sum(counts)), "sum": sum(counts) * 50.0,
             "min": 0.5, "max": 2400.0}
    if exponential:
        return {**point, "scale": 3, "zeroCount": "0", "positive": {"offset": rng.randrange(16, 60), "bucketCounts": [str(n) for n in counts]}}
    return {**point, "bucketCounts": [str(n) for n in counts], "explicitBounds": list(BOUNDS)}


def metrics(rng, number, t):
    """The ExportMetricsServiceRequest of one host at a time in milliseconds."""
    t_ns, start_ns = t * 1_000_000, (t - 3_600_000) * 1_000_000
    made = []
    for name in SUMS:
        made.append({"name": name, "description": "how many there were", "unit": "1", "sum": {
            "dataPoints": [number_point(rng, i, t_ns, start_ns, True) for i in range(10)],
            "aggregationTemporality": CUMULATIVE, "isMonotonic": True}})
    for name in GAUGES:
        made.append({"name": name, "description": "how much there is", "unit": "By", "gauge": {
            "dataPoints": [number_point(rng, i, t_ns, start_ns, False) for i in range(10)]}})
    for name, kind in (("http.server.duration", "histogram"), ("db.client.duration", "exponentialHistogram")):
        made.append({"name": name, "description": "how long it took", "unit": "ms", kind: {
            "dataPoints": [histogram_point(rng, i, t_ns, start_ns, kind != "histogram") for i in range(10)],
            "aggregationTemporality": CUMULATIVE}})
    return {"resourceMetrics": [{"resource": resource(rng, number), "scopeMetrics": [
        {"scope": {"name": "shop.instruments", "version": "2.0"}, "metrics": made}]}]}


def span(rng, trace, parent, name, kind, t_ns, failed):
    made = {"traceId": trace, "spanId": f"{rng.getrandbits(64):016x}", "name": name, "kind": kind, "startTimeUnixNano": str(t_ns),
            "endTimeUnixNano": str(t_ns + rng.randrange(1, 400) * 1_000_000), "attributes": attributes(http_method="GET", http_route=name)}
    if parent:
        made["parentSpanId"] = parent
    if failed:
        made["status"] = {"code": 2}
        made["events"] = [{"timeUnixNano": str(t_ns), "name": "exception", "attributes": attributes(
            exception_type="ValueError", exception_message="no such product", exception_stacktrace=
            'Traceback (most recent call last):\n  File "/srv/shop/orders.py", line 12, in pay\n    total(order)\nValueError: no such product\n')}]
    return made


def traces(rng, number, t):
    """The ExportTraceServiceRequest of one host: a span of the server's, of each five, and four that it called."""
    made = []
    for i in range(EVENTS // 5):
        trace, t_ns = f"{rng.getrandbits(128):032x}", t * 1_000_000
        root = span(rng, trace, None, ROUTES[i % len(ROUTES)], 2, t_ns, i == 0)
        made += [root] + [span(rng, trace, root["spanId"], f"SELECT {n}", 3, t_ns, False) for n in ("orders", "users", "stock", "prices")]
    return {"resourceSpans": [{"resource": resource(rng, number), "scopeSpans": [{"scope": {"name": "shop.web"}, "spans": made}]}]}


# How each field is written: its number and what it holds. Only what is used above.
NUMBER_POINT = {"attributes": (7, "KeyValue"), "startTimeUnixNano": (2, "fixed64"), "timeUnixNano": (3, "fixed64"), "asDouble": (4, "double"),
                "asInt": (6, "fixed64")}
FIELDS = {
    "ExportMetricsServiceRequest": {"resourceMetrics": (1, "ResourceMetrics")},
    "ResourceMetrics": {"resource": (1, "Resource"), "scopeMetrics": (2, "ScopeMetrics")},
    "Resource": {"attributes": (1, "KeyValue")},
    "ScopeMetrics": {"scope": (1, "Scope"), "metrics": (2, "Metric")},
    "Scope": {"name": (1, "string"), "version": (2, "string")},
    "KeyValue": {"key": (1, "string"), "value": (2, "AnyValue")},
    "AnyValue": {"stringValue": (1, "string"), "intValue": (3, "varint")},
    "Metric": {"name": (1, "string"), "description": (2, "string"), "unit": (3, "string"), "gauge": (5, "Numbers"), "sum": (7, "Numbers"),
               "histogram": (9, "Histograms"), "exponentialHistogram": (10, "Exponentials")},
    "Numbers": {"dataPoints": (1, "Number"), "aggregationTemporality": (2, "varint"), "isMonotonic": (3, "varint")},
    "Histograms": {"dataPoints": (1, "Histogram"), "aggregationTemporality": (2, "varint")},
    "Exponentials": {"dataPoints": (1, "Exponential"), "aggregationTemporality": (2, "varint")},
    "Number": NUMBER_POINT,
    "Histogram": {"attributes": (9, "KeyValue"), "startTimeUnixNano": (2, "fixed64"), "timeUnixNano": (3, "fixed64"), "count": (4, "fixed64"),
                  "sum": (5, "double"), "bucketCounts": (6, "fixed64s"), "explicitBounds": (7, "doubles"), "min": (11, "double"),
                  "max": (12, "double")},
    "Exponential": {"attributes": (1, "KeyValue"), "startTimeUnixNano": (2, "fixed64"), "timeUnixNano": (3, "fixed64"),
                    "count": (4, "fixed64"), "sum": (5, "double"), "scale": (6, "sint"), "zeroCount": (7, "fixed64"), "positive": (8, "Buckets"),
                    "min": (12, "double"), "max": (13, "double")},
    "Buckets": {"offset": (1, "sint"), "bucketCounts": (2, "varints")},
    "ExportTraceServiceRequest": {"resourceSpans": (1, "ResourceSpans")},
    "ResourceSpans": {"resource": (1, "Resource"), "scopeSpans": (2, "ScopeSpans")},
    "ScopeSpans": {"scope": (1, "Scope"), "spans": (2, "Span")},
    "Span": {"traceId": (1, "hex"), "spanId": (2, "hex"), "parentSpanId": (4, "hex"), "name": (5, "string"), "kind": (6, "varint"),
             "startTimeUnixNano": (7, "fixed64"), "endTimeUnixNano": (8, "fixed64"), "attributes": (9, "KeyValue"), "events": (11, "Event"),
             "status": (15, "Status")},
    "Event": {"timeUnixNano": (1, "fixed64"), "name": (2, "string"), "attributes": (3, "KeyValue")},
    "Status": {"code": (3, "varint")},
}


def varint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes(out) + bytes((n,))


def zigzag(n):
    return n << 1 if n >= 0 else (-n << 1) - 1


SCALARS = {
    "varint": (0, lambda v: varint(int(v))),
    "sint": (0, lambda v: varint(zigzag(v))),
    "fixed64": (1, lambda v: struct.pack("<Q", int(v))),
    "double": (1, lambda v: struct.pack("<d", v)),
    "string": (2, lambda v: v.encode()),
    "hex": (2, bytes.fromhex),
    "varints": (2, lambda v: b"".join(varint(int(n)) for n in v)),
    "fixed64s": (2, lambda v: b"".join(struct.pack("<Q", int(n)) for n in v)),
    "doubles": (2, lambda v: b"".join(struct.pack("<d", n) for n in v)),
}


def field(number, kind, value):
    wire, encode = SCALARS.get(kind, (2, lambda v: pb(kind, v)))
    encoded = encode(value)
    return varint(number << 3 | wire) + (varint(len(encoded)) if wire == 2 else b"") + encoded


def pb(name, message):
    """A message of this name in protobuf."""
    out = b""
    for key, value in message.items():
        number, kind = FIELDS[name][key]
        repeated = isinstance(value, list) and kind not in SCALARS
        out += b"".join(field(number, kind, one) for one in (value if repeated else [value]))
    return out


assert SAMPLES == 100  # of metrics(), too
