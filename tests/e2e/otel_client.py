"""An application that reports by the OpenTelemetry SDK for Python, and keeps a ledger of its own of what it has reported.

Run as a process of its own, so that a restart is one: settings as JSON on the command line, the ledger as JSON on standard output. Every value is a multiple of
1/1024, so that sums are exact in whatever order they are added. Nothing here knows Millrace: endpoint and key are all it is given.
"""
import collections
import json
import logging
import random
import sys
import time

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.metrics import Observation
from opentelemetry.sdk import metrics as sdk
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context

ROUTES = ("/cart", "/orders", "/orders/:id")
INSTRUMENTS = (sdk.Counter, sdk.UpDownCounter, sdk.Histogram, sdk.ObservableCounter, sdk.ObservableUpDownCounter, sdk.ObservableGauge)


class OutOfStock(Exception):
    """An error of the application's own."""


class Client:
    """Providers of one start of the application, and the ledger."""

    def __init__(self, endpoint, key, service, temporality, gzip, seed):
        self.random = random.Random(seed)
        self.resource = Resource.create({"service.name": service, "service.version": "r7", "deployment.environment": "staging", "host.name": "web-9"})
        self.common = {"headers": {"Authorization": f"Bearer {key}"}, "compression": Compression.Gzip if gzip else Compression.NoCompression}
        self.endpoint = endpoint
        self.series = collections.defaultdict(lambda: {"count": 0, "sum": 0, "min": None, "max": None, "last": None, "octaves": {}})
        self.transactions, self.errors = [], []
        self.readings = {route: 0 for route in ROUTES}
        self.start_metrics(AggregationTemporality[temporality])
        self.start_traces()
        self.start_logs()

    def start_metrics(self, temporality):
        preferred = {instrument: temporality for instrument in INSTRUMENTS}
        exporter = OTLPMetricExporter(endpoint=f"{self.endpoint}/v1/metrics", preferred_temporality=preferred, **self.common)
        views = [View(instrument_name="rpc.duration", aggregation=ExponentialBucketHistogramAggregation())]
        self.meters = sdk.MeterProvider([PeriodicExportingMetricReader(exporter, export_interval_millis=3600000)], self.resource, views=views)
        meter = self.meters.get_meter("shop")
        self.orders = meter.create_counter("shop.orders")
        self.revenue = meter.create_counter("shop.revenue", unit="EUR")
        self.queue = meter.create_up_down_counter("shop.queue")
        self.duration = meter.create_histogram("http.duration", unit="ms")
        self.rpc = meter.create_histogram("rpc.duration", unit="ms")
        meter.create_observable_gauge("shop.temperature", [self.observe])

    def observe(self, _options):
        for route, value in self.readings.items():
            yield Observation(value / 1024, {"route": route})

    def start_traces(self):
        self.tracers = TracerProvider(resource=self.resource)
        self.tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{self.endpoint}/v1/traces", **self.common), schedule_delay_millis=3600000))
        self.tracer = self.tracers.get_tracer("shop")

    def start_logs(self):
        self.logs = LoggerProvider(resource=self.resource)
        self.logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(endpoint=f"{self.endpoint}/v1/logs", **self.common), schedule_delay_millis=3600000))
        self.logger = logging.getLogger("shop")
        self.logger.propagate = False
        self.logger.addHandler(LoggingHandler(logger_provider=self.logs))

    def note(self, kind, name, tags, value):
        row = self.series[kind, name, tuple(sorted(tags.items()))]
        row["count"] += 1
        row["sum"] += value
        row["min"] = value if row["min"] is None else min(row["min"], value)
        row["max"] = value if row["max"] is None else max(row["max"], value)
        row["last"] = value
        octave = str((value - 1).bit_length() - 10) if value > 0 else "none"  # 2^(octave-1) < value/1024 <= 2^octave
        row["octaves"][octave] = row["octaves"].get(octave, 0) + 1

    def measure(self):
        """A round of every instrument; values are in 1024ths."""
        for _ in range(self.random.randrange(5, 30)):
            tags = {"route": self.random.choice(ROUTES), "cached": self.random.random() < 0.5}
            text = {"route": tags["route"], "cached": "true" if tags["cached"] else "false"}
            number, amount = self.random.randrange(1, 9), self.random.randrange(1, 1 << 20)
            self.orders.add(number, tags)
            self.note("counter", "shop.orders", text, number * 1024)
            self.revenue.add(amount / 1024, tags)
            self.note("counter", "shop.revenue", text, amount)
            step = self.random.randrange(-5, 6)
            self.queue.add(step, {"route": tags["route"]})
            self.note("gauge", "shop.queue", {"route": tags["route"]}, step * 1024)
            for instrument, name in ((self.duration, "http.duration"), (self.rpc, "rpc.duration")):
                value = int(self.random.lognormvariate(11, 2)) % (1 << 24) + 1
                instrument.record(value / 1024, tags)
                self.note("distribution", name, text, value)
        for route in ROUTES:
            self.readings[route] = self.random.randrange(1 << 20)
            self.note("gauge", "shop.temperature", {"route": route}, self.readings[route])

    def fail(self, span, number):
        """An exception as an application's code raises one: the number in it differs each time."""
        try:
            raise OutOfStock(f"only {number} of article {self.random.randrange(10**6)} left")
        except OutOfStock as error:
            span.record_exception(error)
            span.set_status(Status(StatusCode.ERROR, str(error)))
        self.errors.append({"class": "__main__.OutOfStock", "action": "GET /orders/:id", "by": "span"})

    def request(self):
        """A transaction whose duration is known to the millisecond: a server span with a query inside."""
        begun, duration = time.time_ns() // 1000000 * 1000000, self.random.randrange(1, 4000)
        failed = self.random.random() < 0.3
        action = "GET /orders/:id" if failed else "GET " + self.random.choice(ROUTES)
        span = self.tracer.start_span(action, kind=SpanKind.SERVER, start_time=begun - duration * 1000000, attributes={"http.request.method": "GET"})
        inner = self.tracer.start_span("SELECT orders", context=set_span_in_context(span), kind=SpanKind.CLIENT, start_time=begun - duration * 500000,
                                       attributes={"db.system": "postgresql"})
        inner.end(begun - duration * 250000)
        if failed:
            self.fail(span, duration)
        span.end(begun)
        self.transactions.append({"action": action, "duration_ms": duration, "failed": failed})

    def log_error(self):
        try:
            {}["missing"]
        except KeyError:
            self.logger.exception("a job has failed")
        self.errors.append({"class": "KeyError", "action": "", "by": "log"})
        self.logger.warning("a warning is no error")

    def flush(self):
        assert self.meters.force_flush() and self.tracers.force_flush() and self.logs.force_flush()

    def stop(self):
        self.flush()
        self.tracers.shutdown()
        self.logs.shutdown()
        self.meters.shutdown()

    def ledger(self):
        rows = [{"kind": kind, "name": name, "tags": dict(tags), **row} for (kind, name, tags), row in self.series.items()]
        return {"series": rows, "transactions": self.transactions, "errors": self.errors}


def main():
    settings = json.loads(sys.argv[1])
    rounds = settings.pop("rounds")
    client = Client(**settings)
    for _ in range(rounds):
        client.measure()
        for _ in range(6):
            client.request()
        client.log_error()
        client.flush()
    client.stop()
    json.dump(client.ledger(), sys.stdout)


if __name__ == "__main__":
    main()
