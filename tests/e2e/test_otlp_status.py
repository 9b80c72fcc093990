#!/usr/bin/env python3
"""OTLP/HTTP by the words of its specification: every status, the type of every answer, and what stands in it, against real Kafka.

Bodies are made and answers are read by opentelemetry-proto's own classes. The table has a row for each code and body that the specification names: all taken, a
part rejected, types, encodings, limits before and after inflating, what may be sent again and what may not.
"""
import base64
import gzip
import json
import sys
import tempfile
import time
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(Path(__file__).resolve().parent)]
import cases  # noqa: E402
import zstandard  # noqa: E402
from google.protobuf import json_format  # noqa: E402
from ingest_house import House, PATIENCE  # noqa: E402
from millrace_local import free_base_port  # noqa: E402
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs  # noqa: E402
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics  # noqa: E402
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces  # noqa: E402

KEY, SLOW_KEY, LARGE_KEY = (House.new_key() for _ in range(3))
PROTOBUF, JSON = "application/x-protobuf", "application/json"
BODY_MAX, INFLATED_MAX = 64 << 10, 256 << 10
SIGNALS = {  # path: (request, response, the name of its partial success's figure)
    "/v1/metrics": (metrics.ExportMetricsServiceRequest, metrics.ExportMetricsServiceResponse, "rejected_data_points"),
    "/v1/traces": (traces.ExportTraceServiceRequest, traces.ExportTraceServiceResponse, "rejected_spans"),
    "/v1/logs": (logs.ExportLogsServiceRequest, logs.ExportLogsServiceResponse, "rejected_log_records"),
}
RETRYABLE = {429, 502, 503, 504}


class Reply:
    """An answer, read by its own content type."""

    def __init__(self, answer, body, path):
        self.status, self.headers, self.type = answer.status, answer.headers, answer.headers["Content-Type"]
        response = SIGNALS[path][1]()
        self.partial = self.text = None
        if self.status == 200 and self.type == PROTOBUF:
            response.ParseFromString(body)
        elif self.status == 200:
            json_format.Parse(body, response)
        else:
            self.text = body
            return
        if response.HasField("partial_success"):
            self.partial = response.partial_success
        self.rejected = getattr(response.partial_success, SIGNALS[path][2])

    def error(self):
        """google.rpc.Status of a refusal: its message."""
        if self.type == JSON:
            status = json.loads(self.text)
            assert isinstance(status["message"], str) and isinstance(status.get("code", 0), int), status
            return status["message"]
        return status_message(self.text)


def status_message(raw):
    """The message (field 2) of a google.rpc.Status, whose fields are a varint and two kinds of lengths; read here by hand, all of it."""
    at, found = 0, None
    while at < len(raw):
        key, at = raw[at], at + 1
        value, shift = 0, 0
        while True:
            byte, at = raw[at], at + 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                break
        if key & 7 == 2:
            found, at = (raw[at:at + value].decode() if key >> 3 == 2 else found), at + value
        else:
            assert key == 8, f"field {key >> 3} of type {key & 7}"
    assert at == len(raw) and found, raw
    return found


def post(house, path, body, headers, key=KEY, to=None):
    connection = (to or house.main).connect()
    connection.request("POST", path, body, {"Authorization": f"Bearer {key}", **headers})
    answer = connection.getresponse()
    reply = Reply(answer, answer.read(), path)
    connection.close()
    return reply


def metric_request(*points, temporality=2, start_ns=1):
    """A monotonic sum with these (t in ns, value, flags)."""
    request = metrics.ExportMetricsServiceRequest()
    scope = request.resource_metrics.add().scope_metrics.add()
    metric = scope.metrics.add(name="m")
    metric.sum.aggregation_temporality, metric.sum.is_monotonic = temporality, True
    for t, value, flags in points:
        metric.sum.data_points.add(time_unix_nano=t, start_time_unix_nano=start_ns, as_double=value, flags=flags)
    return request


def span_request(*spans):
    request = traces.ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for span in spans:
        scope.spans.add(**span)
    return request


def span(trace=bytes(range(16)), id=bytes(range(8)), took_ms=5, ago_ms=0, **more):
    end = time.time_ns() - ago_ms * 1000000
    return {"trace_id": trace, "span_id": id, "name": "GET /", "kind": 2, "start_time_unix_nano": end - took_ms * 1000000, "end_time_unix_nano": end, **more}


def log_request(**record):
    request = logs.ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.add(**record)
    return request


def as_json(value, key=None):
    """protobuf's JSON made OTLP's: ids are hex there."""
    if isinstance(value, list):
        return [as_json(item) for item in value]
    if isinstance(value, dict):
        return {name: as_json(item, name) for name, item in value.items()}
    return base64.b64decode(value).hex() if key in ("traceId", "spanId", "parentSpanId") else value


def both_ways(request):
    plain = as_json(json_format.MessageToDict(request, use_integers_for_enums=True))
    return [(PROTOBUF, request.SerializeToString()), (JSON, json.dumps(plain))]


def whole():
    """(path, request): all of it is good."""
    now = time.time_ns()
    return [("/v1/metrics", metric_request((now, 1.5, 0))), ("/v1/metrics", metric_request((now, 1.5, 0), temporality=1)),
            ("/v1/metrics", metric_request((now, 0.0, 1))),  # no recorded value: skipped, not rejected
            ("/v1/metrics", metrics.ExportMetricsServiceRequest()), ("/v1/traces", traces.ExportTraceServiceRequest()),
            ("/v1/logs", logs.ExportLogsServiceRequest()),
            ("/v1/traces", span_request(span())), ("/v1/traces", span_request(span(kind=3, parent_span_id=bytes(8 * [7])))),
            ("/v1/logs", log_request(time_unix_nano=now)), ("/v1/logs", log_request(observed_time_unix_nano=now))]


def partly():
    """(path, request, how many are rejected)."""
    now = time.time_ns()
    old = now - 49 * 3600 * 10**9
    return [("/v1/metrics", metric_request((now, 1.0, 0), (old, 2.0, 0)), 1),
            ("/v1/metrics", metric_request((now, 1.0, 0), (now, 2.0, 0), temporality=0), 2),
            ("/v1/metrics", metric_request((now, float("nan"), 0), (now, -1.0, 0), (now, 1.0, 0)), 2),
            ("/v1/traces", span_request(span(), span(id=b"short", trace=bytes(15 * [3]))), 1),
            ("/v1/traces", span_request(span(took_ms=-5), span(id=bytes(8 * [9]))), 1)]


def test_ready(house):
    house.create_topics("main")
    house.put_cell("main")
    house.put_site("shop", [KEY])
    house.put_site("slow", [SLOW_KEY], payloads_per_s=0.01)
    house.put_site("large", [LARGE_KEY])
    house.main = house.ingest("ingest", f"push.max_body_bytes={BODY_MAX}", f"push.max_inflated_bytes={INFLATED_MAX}", "push.max_inflate_ratio=2000")
    house.main.wait_ready()


def test_all_taken_is_an_empty_200_of_the_requests_type(house):
    for path, request in whole():
        for kind, body in both_ways(request):
            reply = post(house, path, body, {"Content-Type": kind})
            assert (reply.status, reply.type, reply.partial) == (200, kind, None), (path, kind, reply.status, reply.text, reply.partial)


def test_a_part_rejected_is_a_200_that_says_so(house):
    for path, request, rejected in partly():
        for kind, body in both_ways(request):
            reply = post(house, path, body, {"Content-Type": kind})
            assert (reply.status, reply.type) == (200, kind), (path, kind, reply.status, reply.text)
            assert reply.rejected == rejected and reply.partial.error_message, (path, kind, reply.partial)


def test_encodings(house):
    body = metric_request((time.time_ns(), 1.0, 0)).SerializeToString()
    for name, packed in (("gzip", gzip.compress(body)), ("deflate", zlib.compress(body)), ("zstd", zstandard.compress(body)), ("identity", body)):
        reply = post(house, "/v1/metrics", packed, {"Content-Type": PROTOBUF, "Content-Encoding": name})
        assert (reply.status, reply.partial) == (200, None), (name, reply.status, reply.text)


REFUSED = [
    ("malformed protobuf", PROTOBUF, b"\x0a\xff", {}, 400),
    ("malformed JSON", JSON, b"{", {}, 400),
    ("JSON of another shape", JSON, b'{"resourceMetrics": 7, "resourceSpans": 7, "resourceLogs": 7}', {}, 400),
    ("another type", "text/plain", b"x", {}, 415),
    ("an unknown encoding", PROTOBUF, b"x", {"Content-Encoding": "br"}, 415),
    ("what does not inflate", PROTOBUF, b"x", {"Content-Encoding": "gzip"}, 400),
    ("a body over the limit", PROTOBUF, b"\0" * (BODY_MAX + 1), {}, 413),
    ("a body over the limit once it is inflated", PROTOBUF, gzip.compress(b"\0" * (INFLATED_MAX + 1)), {"Content-Encoding": "gzip"}, 413),
    ("an Idempotency-Key that is too long", PROTOBUF, b"", {"Idempotency-Key": "x" * 256}, 400),
]


def test_what_cannot_be_taken_is_refused_for_good_and_in_the_same_type(house):
    for path in SIGNALS:
        for what, kind, body, headers, status in REFUSED:
            reply = post(house, path, body, {"Content-Type": kind, **headers})
            assert reply.status == status and status not in RETRYABLE, (path, what, reply.status, reply.text)
            assert reply.type == (kind if kind in (JSON, PROTOBUF) else reply.type) and reply.error(), (path, what, reply.type)


def test_keys_and_methods(house):
    for path in SIGNALS:
        for kind in (JSON, PROTOBUF):
            reply = post(house, path, b"", {"Content-Type": kind}, key="mr_wrong")
            assert (reply.status, reply.type) == (401, kind) and reply.error(), (path, kind, reply.status)
        assert house.main.request("GET", path, None, {"Authorization": f"Bearer {KEY}", "Content-Type": JSON}).status == 405, path


def test_a_rate_that_is_passed_is_a_429_with_a_time(house):
    body = metric_request((time.time_ns(), 1.0, 0)).SerializeToString()
    replies = [post(house, "/v1/metrics", body, {"Content-Type": PROTOBUF}, key=SLOW_KEY) for _ in range(4)]
    last = replies[-1]
    assert last.status == 429 and last.type == PROTOBUF and last.error(), [r.status for r in replies]
    assert 1 <= int(last.headers["Retry-After"]) < 60


def test_an_idempotency_key_travels_with_the_records(house):
    reply = post(house, "/v1/metrics", metric_request((time.time_ns(), 7.0, 0)).SerializeToString(), {"Content-Type": PROTOBUF, "Idempotency-Key": "once-7"})
    assert reply.status == 200
    keys = [batch["idempotency_key"] for _, _, batch in house.records()]
    assert keys.count(b"once-7") == 1, keys


def many_points(count, series):
    """A gauge of this many series, whose points take turns; each has its number for a value."""
    request = metrics.ExportMetricsServiceRequest()
    gauge = request.resource_metrics.add().scope_metrics.add().metrics.add(name="many").gauge
    now = time.time_ns()
    for i in range(count):
        point = gauge.data_points.add(time_unix_nano=now + i // series * 10**6, as_double=i)
        point.attributes.add(key="queue").value.string_value = f"q{i % series}"
    return request.SerializeToString()


def stored_points(house, site):
    """[(partition, idempotency_key, values)] of each record, in the order of its partition."""
    return [(partition, batch["idempotency_key"], [value["v"] for value in batch["values"]]) for partition, _, batch in house.records(site=site)]


def test_a_request_too_large_for_a_record_becomes_several(house):
    limit, count = 20000, 20000
    own = house.ingest("small-records", f"push.max_record_bytes={limit}").wait_ready()
    body = many_points(count, 500)
    send = {"Content-Type": PROTOBUF}
    reply = post(house, "/v1/metrics", body, send, key=LARGE_KEY, to=own)
    assert (reply.status, reply.partial) == (200, None), (reply.status, reply.text)
    stored = stored_points(house, "large")
    assert sorted(v for _, _, values in stored for v in values) == list(range(count))
    assert len(stored) > 2 * len({partition for partition, _, _ in stored}) and {key for _, key, _ in stored} == {None}
    for _ in range(2):
        reply = post(house, "/v1/metrics", body, {**send, "Idempotency-Key": "once-more"}, key=LARGE_KEY, to=own)
        assert (reply.status, reply.partial) == (200, None), (reply.status, reply.text)
    for partition in {partition for partition, _, _ in stored}:
        keyed = [(key, values) for at, key, values in stored_points(house, "large") if at == partition and key]
        first, again = keyed[:len(keyed) // 2], keyed[len(keyed) // 2:]
        assert first == again and first[0][0] == b"once-more"
        assert len({key for key, _ in first}) == len(first) and all(key[:2] == b"\0c" for key, _ in first[1:])
    assert own.metric("refused_samples_total", reason="record_too_large") == 0


def test_kafka_gone_is_a_503_with_a_time_and_never_a_500(house):
    body = metric_request((time.time_ns(), 1.0, 0))
    with house.frozen():
        for path, request in (("/v1/metrics", body), ("/v1/traces", span_request(span()))):
            for kind, raw in both_ways(request):
                reply = post(house, path, raw, {"Content-Type": kind})
                assert reply.status == 503 and reply.type == kind and reply.error(), (path, kind, reply.status)
                assert 1 <= int(reply.headers["Retry-After"]) < 60
    deadline = time.monotonic() + PATIENCE
    while post(house, "/v1/metrics", body.SerializeToString(), {"Content-Type": PROTOBUF}).status != 200:
        assert time.monotonic() < deadline, "Kafka is back, and OTLP is not"
        time.sleep(0.2)  # the answer is asked for, as a client would


def main():
    with tempfile.TemporaryDirectory(prefix="millrace-otlp-status-") as directory, House(directory, free_base_port()) as house:
        cases.run(globals(), house)


if __name__ == "__main__":
    main()
