"""The canary: payloads full of secrets, and not one of them in any topic, any log or any document.

Each secret is random, so that finding its text anywhere is a leak. They stand wherever a payload has room: keys that say so, texts that hold them by the way, nested JSON
in params, URLs, backtraces, attributes of spans, logs and points; in the native payload and in OTLP. Every topic of the cluster is read raw to its end (dead letters
too, among them a damaged copy of a scrubbed record), every log of every program and every document of the database.
"""
import pathlib
import random
import secrets
import string
import sys
import tempfile
import time
import urllib.request
import json

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "deploy/local"))
import bson
import cases
import confluent_kafka
from millrace_local import free_base_port
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces
from pipeline import Pipeline

SPEED = 30
KEYS = ("password", "passwd", "user_password", "secret", "clientSecret", "access_token", "accessToken", "api_key", "apiKey", "X-Api-Key", "authorization", "cookie",
        "Set-Cookie", "session_id", "credentials", "private_key", "credit_card", "csrf_token")


class Secrets:
    """Makes secrets and remembers them."""

    def __init__(self):
        self.random = random.Random(secrets.randbits(64))
        self.made = []

    def plain(self):
        self.made.append("".join(self.random.choices(string.ascii_letters + string.digits, k=24)))
        return self.made[-1]

    def card(self):
        """Sixteen digits that pass Luhn's check, of a known issuer."""
        digits = [4] + [self.random.randrange(10) for _ in range(14)]
        doubled = [d if i % 2 else (d * 2 - 9 if d > 4 else d * 2) for i, d in enumerate(digits)]
        text = "".join(map(str, digits + [-sum(doubled) % 10]))
        self.made.append(text)
        return text

    def jwt(self):
        return f"eyJhbGciOiJIUzI1NiJ9.eyJ{self.plain()}.{self.plain()}"

    def texts(self):
        """Sentences with a secret in each."""
        return [f"login failed: password={self.plain()} for ann", f"GET /x?access_token={self.plain()}&page=2", f"Authorization: Bearer {self.plain()}{self.plain()}",
                f"charged card {self.card()} twice", f"connect to postgres://app:{self.plain()}@db.example:5432/shop failed", f"token {self.jwt()} has expired",
                '{"user": "ann", "password": "%s"}' % self.plain(), f"api_key: {self.plain()}", f"authorization=Bearer {self.plain()}", f"X-Auth-Token: Bearer {self.plain()} ..",
                '{"url": "/x?page=1\\u0026sig=%s"}' % self.plain(), f"next=%2Fa%3Fpassword%3D{self.plain()}%26x%3D1"]

    def tags(self):
        return {key: self.plain() for key in KEYS}


class Canary:
    def __init__(self):
        self.secrets = Secrets()


def post(pipeline, path, body, kind):
    request = urllib.request.Request(f"http://127.0.0.1:{pipeline.push_port}{path}", body, {"Authorization": f"Bearer {pipeline.keys['shop']}", "Content-Type": kind})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status in (200, 202)
        return answer.read()


def test_payloads_full_of_secrets_are_taken(pipeline, canary):
    s = canary.secrets
    nested = {"user": {"name": "ann", "password": s.plain(), "cards": [s.card()]}}
    escaped = json.dumps({"user": {"password": s.plain()}}).replace("password", "\\u0070assword")
    errors = [{"class": "E", "message": text, "action": "Canary#native", "tags": s.tags(), "params": {**s.tags(), "note": s.texts()[1], "nested": nested, "escaped": "ESCAPED", s.texts()[6]: ""},
               "backtrace": [{"file": "app.rb", "line": 1, "function": "f", "in_app": True}],
               "breadcrumbs": [{"category": "http", "action": "get", "message": s.texts()[2], "metadata": s.tags()}]} for text in s.texts()]
    errors += [{"class": text, "message": "in the class", "action": text, "namespace": text} for text in s.texts()]
    transactions = [{"action": "Canary#native", "duration_ms": 5, "id": s.jwt(), "tags": s.tags(), "spans": [{"id": "1", "name": "q", "duration_ms": 1, "tags": {**s.tags(), "url": s.texts()[1]}}]}]
    markers = [{"revision": "r", "text": text} for text in s.texts()] + [{"revision": text, "user": text} for text in s.texts()]
    metric = [{"name": "m", "kind": "counter", "tags": {"password": s.plain(), "note": s.texts()[1][:200]}, "points": [{"v": 1}]}]
    check_ins = [{"name": text, "kind": "cron", "event": "start"} for text in s.texts()]
    body = json.dumps({"errors": errors, "transactions": transactions, "markers": markers, "check_ins": check_ins, "metrics": metric, "host": s.texts()[4],
                       "environment": s.texts()[0], "revision": s.texts()[7]})
    answer = json.loads(post(pipeline, "/v1/push", body.replace('"ESCAPED"', escaped).encode(), "application/json"))
    assert answer["rejected"] == [], answer


def attributes(message, pairs):
    for key, value in pairs.items():
        message.attributes.add(key=key).value.string_value = value


def test_otlp_full_of_secrets_is_taken(pipeline, canary):
    s, now = canary.secrets, pipeline.now_ms() * 10**6
    request = traces.ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    attributes(resource.resource, {**s.tags(), "service.name": s.texts()[4], "deployment.environment": s.texts()[0], "host.name": s.texts()[5], "service.version": s.texts()[1]})
    span = resource.scope_spans.add().spans.add(trace_id=bytes(range(16)), span_id=bytes(range(8)), name="GET /canary", kind=2, start_time_unix_nano=now - 10**9,
                                                end_time_unix_nano=now)
    attributes(span, s.tags())
    for text in s.texts():
        event = span.events.add(name="exception", time_unix_nano=now)
        attributes(event, {"exception.type": "E", "exception.message": text, "exception.stacktrace": f'File "a.py", line 1, in f\nE: {text}'})
    for i, text in enumerate(s.texts()):
        inner = resource.scope_spans.add().spans.add(trace_id=bytes(range(16)), span_id=bytes([1 + i] * 8), name=text, kind=2, start_time_unix_nano=now - 10**9, end_time_unix_nano=now)
        attributes(inner, {"http.route": text, "url.full": f"{'x' * (1000 - i)} {text}"})
        attributes(inner.events.add(name=text, time_unix_nano=now - 10**6), {"note": text})
        attributes(inner.events.add(name="exception", time_unix_nano=now), {"exception.type": text})
    post(pipeline, "/v1/traces", request.SerializeToString(), "application/x-protobuf")
    request = logs.ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=now)
    record.body.string_value = s.texts()[0]
    attributes(record, {**s.tags(), "exception.type": "E", "exception.message": s.texts()[3]})
    post(pipeline, "/v1/logs", request.SerializeToString(), "application/x-protobuf")
    request = metrics.ExportMetricsServiceRequest()
    point = request.resource_metrics.add().scope_metrics.add().metrics.add(name="m").gauge.data_points.add(time_unix_nano=now, as_double=1)
    attributes(point, {"password": s.plain(), "token": s.plain(), **{f"cut{i}": "x" * (200 + i) + " " + s.texts()[4] for i in range(0, 50, 7)}})
    post(pipeline, "/v1/metrics", request.SerializeToString(), "application/x-protobuf")


def test_documents_and_dead_letters_come_about(pipeline, _canary):
    """Else the search below would find nothing because there is nothing."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not all(pipeline.database[name].count_documents({}) for name in ("errors", "traces", "markers", "minutely")):
        time.sleep(0.5)  # polling a database that cannot notify
    for name in ("errors", "traces", "markers", "minutely"):
        assert pipeline.database[name].count_documents({}), name
    whole = next(m for m in pipeline.records("millrace.c.main.events"))
    producer = confluent_kafka.Producer({"bootstrap.servers": pipeline.env["KAFKA"]})
    producer.produce("millrace.c.main.events", whole.value()[:-1], whole.key(), whole.partition())
    assert producer.flush(30) == 0
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not pipeline.deadletters():
        time.sleep(0.5)  # the same of a topic
    assert pipeline.deadletters() == 1


def topics(pipeline):
    consumer = confluent_kafka.Consumer({"bootstrap.servers": pipeline.env["KAFKA"], "group.id": "test-reader"})
    names = [name for name in consumer.list_topics(timeout=10).topics if name.startswith("millrace.")]
    consumer.close()
    return names


def test_no_topic_log_or_document_holds_one(pipeline, canary):
    pipeline.stop_programs()
    hay = {}
    for name in topics(pipeline):
        hay[name] = b"\n".join((m.value() or b"") + (m.key() or b"") + b"".join((k.encode() + (v or b"")) for k, v in m.headers() or ()) for m in pipeline.records(name))
    for process in pipeline.processes.values():
        hay[process.name + "'s log"] = process.log_file.read_bytes()
    for name in pipeline.database.list_collection_names():
        hay[name] = b"\n".join(bson.encode(d) for d in pipeline.database[name].find())
    assert hay["errors"] and hay["millrace.c.main.events"] and hay["millrace.deadletter"] and b"[scrubbed]" in hay["errors"], {k: len(v) for k, v in hay.items()}
    leaks = [(where, secret) for where, text in hay.items() for secret in canary.secrets.made if secret.encode() in text]
    print(f"{len(canary.secrets.made)} secrets, {sum(map(len, hay.values()))} bytes in {len(hay)} places, {len(leaks)} leaks", flush=True)
    assert not leaks, [(where, hay[where][max(0, hay[where].index(secret.encode()) - 40):][:70]) for where, secret in leaks[:20]]


def main():
    with tempfile.TemporaryDirectory(prefix="millrace-canary-") as directory:
        with Pipeline(directory, free_base_port(), SPEED, 20, {"shop": 2}) as pipeline:
            cases.run(globals(), pipeline, Canary())


if __name__ == "__main__":
    main()
