// An application that reports by the OpenTelemetry SDK for JavaScript, as JSON, and keeps a ledger of its own. The same words on the command line and on
// standard output as otel_client.py, which it shares no code with: two clients that agree on what OTLP is.
'use strict';
const {metrics: {MeterProvider, PeriodicExportingMetricReader, AggregationType}, temporality, exporters, traces, logs, resourceFromAttributes, api} = load();

function load() {
  const base = require('@opentelemetry/sdk-trace-base');
  return {
    metrics: require('@opentelemetry/sdk-metrics'),
    temporality: require('@opentelemetry/exporter-metrics-otlp-http').AggregationTemporalityPreference,
    exporters: {
      metrics: require('@opentelemetry/exporter-metrics-otlp-http').OTLPMetricExporter,
      traces: require('@opentelemetry/exporter-trace-otlp-http').OTLPTraceExporter,
      logs: require('@opentelemetry/exporter-logs-otlp-http').OTLPLogExporter,
    },
    traces: base,
    logs: require('@opentelemetry/sdk-logs'),
    resourceFromAttributes: require('@opentelemetry/resources').resourceFromAttributes,
    api: require('@opentelemetry/api'),
  };
}

const ROUTES = ['/cart', '/orders', '/orders/:id'];
const settings = JSON.parse(process.argv[2]);
const series = new Map();
const ledger = {series: [], transactions: [], errors: []};

// Mulberry32: the same numbers for the same seed, on every machine.
let state = settings.seed >>> 0;
function below(n) {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = Math.imul(state ^ (state >>> 15), state | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) % n;
}

function note(kind, name, tags, value) {
  const id = JSON.stringify([kind, name, Object.entries(tags).sort()]);
  if (!series.has(id)) series.set(id, {kind, name, tags, count: 0, sum: 0, min: value, max: value, last: value, octaves: {}});
  const row = series.get(id);
  row.count += 1;
  row.sum += value;
  row.min = Math.min(row.min, value);
  row.max = Math.max(row.max, value);
  row.last = value;
  const octave = value > 0 ? (value === 1 ? 0 : 32 - Math.clz32(value - 1)) - 10 : 'none'; // 2^(octave-1) < value/1024 <= 2^octave
  row.octaves[octave] = (row.octaves[octave] || 0) + 1;
}

const common = {headers: {Authorization: `Bearer ${settings.key}`}, compression: settings.gzip ? 'gzip' : 'none'};
const resource = resourceFromAttributes({'service.name': settings.service, 'service.version': 'r7', 'deployment.environment': 'staging', 'host.name': 'web-8'});
const reader = new PeriodicExportingMetricReader({
  exporter: new exporters.metrics({url: `${settings.endpoint}/v1/metrics`, temporalityPreference: temporality[settings.temporality], ...common}),
  exportIntervalMillis: 3600000,
});
const meters = new MeterProvider({
  resource, readers: [reader], views: [{instrumentName: 'rpc.duration', aggregation: {type: AggregationType.EXPONENTIAL_HISTOGRAM}}],
});
const meter = meters.getMeter('shop');
const orders = meter.createCounter('shop.orders');
const revenue = meter.createCounter('shop.revenue', {unit: 'EUR'});
const queue = meter.createUpDownCounter('shop.queue');
const duration = meter.createHistogram('http.duration', {unit: 'ms'});
const rpc = meter.createHistogram('rpc.duration', {unit: 'ms'});
const readings = new Map(ROUTES.map(route => [route, 0]));
meter.createObservableGauge('shop.temperature').addCallback(result => {
  for (const [route, value] of readings) result.observe(value / 1024, {route});
});
const spans = new traces.BatchSpanProcessor(new exporters.traces({url: `${settings.endpoint}/v1/traces`, ...common}), {scheduledDelayMillis: 3600000});
const tracers = new traces.BasicTracerProvider({resource, spanProcessors: [spans]});
const tracer = tracers.getTracer('shop');
const exporter = new exporters.logs({url: `${settings.endpoint}/v1/logs`, ...common});
const loggers = new logs.LoggerProvider({resource, processors: [new logs.BatchLogRecordProcessor({exporter, scheduledDelayMillis: 3600000})]});
const logger = loggers.getLogger('shop');

function measure() {
  for (let i = 5 + below(25); i > 0; i--) {
    const tags = {route: ROUTES[below(3)], cached: below(2) === 1};
    const text = {route: tags.route, cached: String(tags.cached)};
    const number = 1 + below(8), amount = 1 + below(1 << 20), step = below(11) - 5;
    orders.add(number, tags);
    note('counter', 'shop.orders', text, number * 1024);
    revenue.add(amount / 1024, tags);
    note('counter', 'shop.revenue', text, amount);
    queue.add(step, {route: tags.route});
    note('gauge', 'shop.queue', {route: tags.route}, step * 1024);
    for (const [instrument, name] of [[duration, 'http.duration'], [rpc, 'rpc.duration']]) {
      const value = 1 + below(1 << (4 + below(20)));
      instrument.record(value / 1024, tags);
      note('distribution', name, text, value);
    }
  }
  for (const route of ROUTES) {
    readings.set(route, below(1 << 20));
    note('gauge', 'shop.temperature', {route}, readings.get(route));
  }
}

class OutOfStock extends Error {
  constructor(message) {
    super(message);
    this.name = 'OutOfStock';
  }
}

function fail(span, number) {
  try {
    throw new OutOfStock(`only ${number} of article ${below(1000000)} left`);
  } catch (error) {
    span.recordException(error);
    span.setStatus({code: api.SpanStatusCode.ERROR, message: error.message});
  }
  ledger.errors.push({class: 'OutOfStock', action: 'GET /orders/:id', by: 'span'});
}

function request() {
  const now = Date.now(), took = 1 + below(4000), failed = below(10) < 3;
  const action = failed ? 'GET /orders/:id' : 'GET ' + ROUTES[below(3)];
  const span = tracer.startSpan(action, {kind: api.SpanKind.SERVER, startTime: now - took, attributes: {'http.request.method': 'GET'}}, api.ROOT_CONTEXT);
  const inner = tracer.startSpan('SELECT orders', {kind: api.SpanKind.CLIENT, startTime: now - took / 2}, api.trace.setSpan(api.ROOT_CONTEXT, span));
  inner.end(now - took / 4);
  if (failed) fail(span, took);
  span.end(now);
  ledger.transactions.push({action, duration_ms: took, failed});
}

function logError() {
  const error = new TypeError('x is undefined');
  logger.emit({
    severityNumber: 17, severityText: 'ERROR', body: 'a job has failed',
    attributes: {'exception.type': error.name, 'exception.message': error.message, 'exception.stacktrace': error.stack},
  });
  logger.emit({severityNumber: 13, severityText: 'WARN', body: 'a warning is no error'});
  ledger.errors.push({class: 'TypeError', action: '', by: 'log'});
}

async function main() {
  api.diag.setLogger({...console, info() {}, debug() {}, verbose() {}, warn: console.error}, api.DiagLogLevel.WARN);
  for (let round = 0; round < settings.rounds; round++) {
    measure();
    for (let i = 0; i < 6; i++) request();
    logError();
    await Promise.all([meters.forceFlush(), tracers.forceFlush(), loggers.forceFlush()]);
  }
  await Promise.all([meters.shutdown(), tracers.shutdown(), loggers.shutdown()]);
  ledger.series = [...series.values()];
  process.stdout.write(JSON.stringify(ledger));
}

main().catch(error => {
  console.error(error);
  process.exitCode = 1;
});
