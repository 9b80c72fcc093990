#!/usr/bin/env python3
"""Writes the corpora that fuzzing starts from, tests/fuzz/corpus/NAME/: small inputs that reach what random bytes would take days to
find. Run it after a change of the formats and commit what it writes; the fuzzers' own findings stay in build/fuzz/corpus.
"""
import base64
import gzip
import pathlib
import struct
import zlib

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus"
BACKTRACES = CORPUS.parent.parent / "unit" / "ingest" / "backtraces"
EXAMPLE = CORPUS.parents[2] / "deploy" / "triggers.example.yml"
NOW = 1795372012000
AGENT = bytes(range(16))


def varint(n):
    n &= (1 << 64) - 1
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7f | 0x80)
        n >>= 7
    return bytes(out + bytes([n]))


def field(number, value):
    """int: a varint; float: a double; bytes: behind their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def message(*fields):
    return b"".join(field(number, value) for number, value in fields)


def metric(kind, *points, name=b"http.duration", tags=((b"host", b"web-7"), (b"a", b"\xc3\xa4"))):
    tags = [(3, message((1, key), (2, value))) for key, value in tags]
    return message((1, name), (2, kind), *tags, *[(4, point) for point in points])


def summary(*more):
    return message((1, NOW - 1000), (3, 4), (4, 10.0), (5, 1.0), (6, 4.0), (7, 2.0), *more)


def push_pb():
    histogram = message((1, 10), (2, 1), (3, 113), (4, b"\x01\x01"), (5, 14), (6, b"\x01"))
    identity = [(2, AGENT), (3, 7), (4, 5), (5, NOW), (6, b"web-7"), (7, b"production"), (8, b"a1b2c3")]
    value = message((1, NOW), (2, 3.5))
    yield "counter", message((1, metric(1, value, message((2, 1.0)))))
    yield "gauge", message((1, metric(2, value, summary((8, NOW)))))
    yield "distribution", message((1, metric(3, value, summary((9, histogram)))))
    yield "identity", message(*identity, (1, metric(2, value)))
    yield "truncated", message(*identity, (9, message((1, AGENT), (2, 1), (3, 4), (4, 812), (5, 1))))
    frame = message((1, b"a.rb"), (2, 7), (3, b"f"), (4, 1))
    crumb = message((1, NOW - 9), (2, b"c"), (3, b"GET"), (4, b"m"), (5, message((1, b"k"), (2, b"v"))))
    error = ((1, NOW), (2, b"IOError"), (3, b"disk \xc3\xbc"), (4, frame), (4, b""), (5, b"A#b"), (6, b"web"), (7, message((1, b"a"), (2, b"1"))),
             (8, message((1, b"id"), (2, b"7"))), (9, crumb), (9, b""))
    span = message((1, b"1"), (2, b"0"), (3, b"sql"), (4, 0.5), (5, 3.0), (6, message((1, b"q"), (2, b"x"))))
    transaction = ((1, NOW), (2, b"4f"), (3, b"A#b"), (4, b"web"), (5, 12.5), (6, 2.0), (7, 1), (8, message((1, b"a"), (2, b"1"))), (9, span), (9, b""))
    yield "error", message(*identity, (10, message(*error)))
    yield "transaction", message((11, message(*transaction)), (11, message(*transaction[2:])))
    yield "markers", message((12, message((1, NOW), (2, b"a1"), (3, b"ann"), (4, b"deploy"))), (13, message((2, b"n"), (3, 1), (4, 1))))
    yield "long-event", message((10, message(*error, *[(4, frame)] * 200, *[(9, crumb)] * 51, *[(8, message((1, b"k")))] * 65)))
    yield "bad-events", message((10, b""), (11, message((3, b"a"), (5, -1.0))), (12, message((1, NOW))), (13, message((2, b"n"), (3, 9), (4, 1))))
    yield "unpacked", message((1, metric(3, summary((9, message((1, 10), (4, 1), (4, 3)))))))
    yield "two-histograms", message((1, metric(3, summary((9, message((1, 10), (4, b"\x01"))), (9, message((4, b"\x03")))))))
    yield "unknown", message((99, 1), (100, 1.0), (101, b"x"), (1, metric(2, value) + message((50, b"")))) + b"\x9b\x06\x08\x01\x9c\x06"
    yield "rejected", message((1, metric(1, message((2, -1.0)), message((1, 1), (2, 1.0)), b"")), (1, b""), (1, metric(9, value)))
    yield "cut-off", message(*identity, (1, metric(2, value)))[:-5]


def fixed64(number, value):
    return varint(number << 3 | 1) + struct.pack("<Q", value)


def attributes(number, **pairs):
    """Keys with _ for a dot; values are AnyValues, or texts."""
    return b"".join(field(number, message((1, key.replace("_", ".").encode()), (2, value if isinstance(value, bytes) else field(1, value.encode()))))
                    for key, value in pairs.items())


STACK = ('Traceback (most recent call last):\n  File "/app/shop/cart.py", line 20, in checkout\n    pay(order)\n'
         '  File "/usr/lib/python3.11/json/decoder.py", line 355, in raw_decode\n    raise JSONDecodeError\nValueError: gr\u00fcn 17\n')


# What the OpenTelemetry Python SDK 1.45.2 made of a request with a span below it and an exception, and of two log records; deflated.
SDK_TRACES = (
    "eNqlU0FPE0EUbrtQ6BNBRyS1URwbIUrsbrcUa4kYjAET4oWIxnCwbnefdMJ2dpmZRYsx8eLBixpj4smTJxMPnvwBHvwXetODevQHOLsFoQf04GGTt/Pe+75v3jcPHgG8zkARxhT62EYl"
    "Oqb01k3f4WuRs4ZkELJhR7UCDhNAemu400YyAgeDEPmfDJyCo71lmygkC3iMZJvVGbMCc3BEothkLpqMS+XwOPDIJJxuoo2eXbVLNXtmulStNaul+oUL06WK7dXraNewXi3DGAzttCcS"
    "stAnW0EIo5BrBVJ1Dweg/x42SzWYhDEPQz/otLVKE/kmEwGPYzIEEIrAi1yl5UEeRnZQdxT3g2GbFfJ5ACgMxhSmhiT6rFwYgT7FUMQ0dzWeIi/ScOjk/A319tbY108fTrj8R/Y5GZy7"
    "/Wx54OlyprgTpacOXF+4tnBlhbqOUGWjPv/e+7Gy8T1/ef7jlyRYOgY5r2nKjlTYTjTqO60JlBv+6mTuzrKfVBFwHbeFtM2k1GKMdezEA45BZ2tbqcfpVDqVIm+yfxGVnhq+urBCrbjH"
    "esC8h+VMPcVvdNXQqdGfiZrjcKSlVGgK3IhQD1f72gq8eDS6eakA0M0GkcJY7C7aEoVj250yDLhEUzutItlwAw+Jkf9lLB0Gg3mSwNQgZPJp/WVWT+TuuN+6N8z6geOhpyn6RHBPkkze"
    "WH3Xl0s9GUqUkRzedzGMvSuMw/CfH1N1wkTKTcePcEGIQBQm4PBuvo1Sxi/7EAzzgMrIbSVe0FrhvQGju3VarruuhOMieWXAS2MlDpv6jJ5pa0uoQFe/It3r+9R3pDo7C5QuMh9p0XLC"
    "0NrUb83yWdPq7s+0aduWZApLocbQAqTVszhWQmU1Gowz1WiYYad4jvqMIz1frpyjjNNIYkOGDtc0lHYY+h7d/v0PVr2h+zPb9vT5hFrPQqiGo82LhNDt/9YRr0vyGPbAVcoJ2MW2Xjof"
    "LyX9wmES6a5XZ4q9phTP7jFylvYmoXB8r7MoXSdEL17KRceXuDVOCvs35zPdLfkN9jiUTQ==")
SDK_LOGS = (
    "eNq1ks1u00AQx8knzdCvbEsUVRy2gbZQ1Q52XKWJAHFpJYREpagcKgSSP6aNqb27rDchFqInJLjxBEhIvADiseDKA7B2GqqKM3uanfnPzG9mF35U4UsRWtBQGGGMSqZmEpyZkctOR+4p"
    "kjmoilQNOYMNIFc1zI2RLMECF8j+RmAdbl6VjVEmIWdZJct0dk0bHsJKgnIc+miGLFEuy4yAbMIdDy0MLMcyutZux3C6nmP09vY6hm0FvR5aXew596EB87P0HKEK5WTIBaxCbcgTNXVe"
    "h8pb9IwubEIjQBHxNNaUJrJxKDnLbDIPICQPRr7SeNCEpVnVGXEFSpZpk89luAG1rIX5mnsJ+VSoXWPPfx29+dlcrq2Vnzw7ONzOBMqVCgPatTdg0ecBmidhhKZw1ZCsQL3tCtHOirR9"
    "rTNFalMgU9mI5QhTcIC5B7GmivCR3YDlXBGFTM86ij2UpNhcP/Yv2pPfxdrj78EUpb5W2R8MDgfbei7NSU9c3T6wF6Ckb9mSYu3432y37VuwiBMfRZ6lUpFnPcV0X0ou7SbUL6MxJkn2"
    "x0pQmNhfC7B6GdLL9M+UdH0kHwvwoXCUmZ720buxfmMq0ddPSH03imjkJupeHyg90DPR1j/DtHZoBkk7zg4NGZ1NoBMo1Z+0T9+9f9GatF7mjvycn7/KDsyw+3RrsgXH3y5W/QdM1/rl")


def otlp_resource():
    return field(1, attributes(1, service_name="shop", host_name="web-7", service_version="1.2", telemetry_sdk_language="python"))


def otlp_traces():
    def span(number, parent, kind, *more, end=NOW * 1000000):
        ids = message((1, AGENT), (2, b"span000%d" % number)) + (field(4, b"span000%d" % parent) if parent else b"")
        return field(2, ids + message((5, b"GET /cart"), (6, kind)) + fixed64(7, NOW * 1000000 - 9500000) + fixed64(8, end) + b"".join(more))

    def request(*spans, scope=b"", resource=otlp_resource()):
        return field(1, field(2, scope + b"".join(spans)) + resource)

    error = attributes(3, exception_type="ValueError", exception_message="gr\u00fcn 17", exception_stacktrace=STACK, exception_escaped="False")
    exception = field(11, fixed64(1, NOW * 1000000 - 100) + field(2, b"exception") + error)
    crumb = field(11, fixed64(1, NOW * 1000000 - 9000000) + field(2, b"cache miss") + attributes(3, key="a"))
    route = attributes(9, http_route="/cart/{id}", http_request_method="GET", user=field(3, 7))
    yield "sdk", zlib.decompress(base64.b64decode(SDK_TRACES))
    yield "error", request(span(1, 0, 2, route, exception, crumb, field(15, message((2, b"ValueError"), (3, 2)))),
                         scope=field(1, message((1, b"lib"), (2, b"1.0"))))
    yield "tree", request(span(3, 2, 1), span(2, 1, 3), span(1, 0, 2), span(4, 3, 5, crumb), span(5, 9, 1))
    yield "circle", request(span(1, 2, 1), span(2, 1, 1, exception), span(3, 3, 0), span(2, 2, 1))
    yield "rejected", request(span(1, 0, 2, end=1), field(2, b""), span(12, 0, 1))
    yield "values", request(span(1, 0, 2, attributes(9, a=field(2, 1), b=field(3, -1), c=field(4, 0.5), d=field(5, field(1, field(6, b""))),
                                                     e=field(7, b"\xff"), f=field(6, field(1, message((1, b"k"), (2, field(1, b'"'))))))))


def otlp_logs():
    def record(*more):
        return field(2, fixed64(1, NOW * 1000000) + fixed64(11, NOW * 1000000 + 1) + message((2, 17), (3, b"ERROR")) + b"".join(more))

    error = attributes(6, exception_type="ValueError", exception_stacktrace=STACK, code_function="f", code_lineno=field(3, 7), job="a")
    body = field(5, field(6, field(1, message((1, b"k"), (2, field(5, field(1, field(4, 1.5))))))))
    yield "sdk", zlib.decompress(base64.b64decode(SDK_LOGS))
    yield "error", field(1, field(2, field(1, field(1, b"app")) + record(error, field(5, field(1, b"failed job")), field(9, AGENT))) + otlp_resource())
    yield "body", field(1, field(2, record(error, body) + record(body))) + field(1, b"")
    yield "ignored", field(1, field(2, record(field(5, b"\xff")) + record()))


def otlp_metrics():
    def point(number, *more, t=NOW * 1000000):
        return field(1, attributes(number, http_route="/cart", status=field(3, 200), grün="x") + fixed64(2, t - 60000000000) + fixed64(3, t) + b"".join(more))

    def metric(data, *more, name=b"http.server.duration"):
        return field(2, field(1, name) + field(3, b"ms") + field(data, b"".join(more)))

    def request(*metrics, scope=field(1, field(1, b"lib") + attributes(3, deployment_environment="test"))):
        return field(1, field(2, b"".join(metrics) + scope) + otlp_resource())

    def words(number, *values):
        return field(number, b"".join(struct.pack("<Q", value) for value in values))

    def bounds(number, *values):
        return field(number, struct.pack(f"<{len(values)}d", *values))

    delta, cumulative, monotonic = field(2, 1), field(2, 2), field(3, 1)
    buckets = words(6, 1, 0, 2, 3) + bounds(7, 0, 5, 1000) + fixed64(4, 6) + field(5, 90.5)
    sides = field(8, message((1, 5), (2, b"\x01\x02"))) + field(9, message((2, b"\x03"))) + field(6, 16)
    figures = fixed64(4, 7) + fixed64(7, 1) + field(5, 90.5) + field(12, -9.5) + field(13, 80.0)
    yield "numbers", request(metric(5, point(7, field(4, 1.5)), point(7, fixed64(6, 3), field(8, 0))),
                             metric(7, point(7, field(4, 7.0)), point(7, field(8, 1)), cumulative, monotonic, name=b"system.cpu time"),
                             metric(7, point(7, field(4, -7.0)), delta))
    yield "explicit", request(metric(9, point(9, buckets, field(11, 0.5), field(12, 80.0)), delta), metric(9, point(9, buckets), cumulative))
    yield "exponential", request(metric(10, point(1, sides, figures), delta), metric(10, point(1, figures, sides), cumulative))
    yield "summary", request(metric(11, point(7, fixed64(4, 9), field(5, 4.5), field(6, message((1, 0.5), (2, 3.0))))))
    yield "rejected", request(metric(7, point(7, field(4, 7.0)), monotonic), metric(9, point(9, words(6, 1, 2)), delta), metric(5, point(7), name=b""))
    yield "two-of-one", request(field(2, field(1, b"m") + field(5, point(7, field(4, 1.5))) + field(9, point(9, buckets) + delta)
                                      + field(5, point(7, field(4, 2.5)))))


def push_json():
    value = '{"t":1795372000000,"v":3.5}'
    figures = '"count":4,"sum":10,"min":1,"max":4,"last":2'
    histogram = '"histogram":{"scale":5,"zero":1,"offset":-57,"counts":[1,1],"neg_offset":7,"neg_counts":[1]}'
    agent = '"agent_id":"000102030405060708090a0b0c0d0e0f"'
    one = '{"metrics":[{"name":"http.duration","kind":"%s","tags":{"host":"web-7"},"points":[%s]}]}'
    yield "counter", one % ("counter", value + ',{"v":1}')
    yield "gauge", one % ("gauge", value + ",{" + figures + ',"last_at":1795372000001}')
    yield "distribution", one % ("distribution", value + ",{" + figures + "," + histogram + "}")
    yield "identity", ("{" + agent + ',"seq":7,"floor":5,"created_at":1795372012000,"host":"web-7","environment":"\\ud83d\\ude00",' +
                       one[1:] % ("gauge", value))
    yield "truncated", '{"truncated":[{' + agent + ',"from_seq":1,"to_seq":4,"samples":812,"attempted":true}]}'
    error = ('{"t":1795372000000,"class":"IOError","message":"gr\\u00f6","backtrace":[{"file":"a.rb","line":7,"function":"f","in_app":true},{}],'
             '"action":"A#b","namespace":"web","tags":{"a":"b","n":7,"z":null},"params":{"q":"x","nested":{"a":[1,{"b":"c"}]},"f":false},'
             '"breadcrumbs":[{"t":1795372000000,"category":"c","action":"GET","message":"m","metadata":{"k":"v"}},{}]}')
    transaction = ('{"id":"x","action":"A#b","namespace":"web","duration_ms":12.5,"queue_ms":0.4,"error":true,"tags":{"a":"b"},'
                   '"spans":[{"id":"1","parent_id":"0","name":"sql","start_ms":0,"duration_ms":1e0,"tags":{"q":[]}},{}]}')
    yield "errors", '{"errors":[' + error + ',{"class":"E"}]}'
    yield "transactions", '{"transactions":[' + transaction + ',{"action":"a"}]}'
    yield "markers", '{"markers":[{"revision":"a1","user":"u","text":"t"}],"check_ins":[{"name":"n","kind":"cron","event":"start"}]}'
    yield "bad-events", '{"errors":[{"t":1}],"transactions":[{"action":"a","queue_ms":-1}],"markers":[{}],"check_ins":[{"kind":"x"}]}'
    yield "unknown", '{"more":{"a":[1,{"b":null}]},' + one[1:] % ("gauge", '{"v":1e0,"x":[[]]}')
    yield "rejected", one % ("counter", '{"v":-1},{"t":1,"v":1},{},{"v":1e999}')


def otlp_json():
    """The first byte is the signal: metrics, logs, traces. The first three are what the Python SDK sent, shortened."""
    resource = ('"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}, {"key": "host.name", "value": '
                '{"stringValue": "web-7"}}]}')
    times = '"startTimeUnixNano": "1795371982000000000", "timeUnixNano": "1795372012000000000"'
    yield "sdk-metrics", (
        'c{"resourceMetrics": [{' + resource + ', "scopeMetrics": [{"scope": {"name": "lib"}, "metrics": [{"name": "jobs.done", "sum": {"dataPoints": '
        '[{' + times + ', "asInt": "3", "attributes": [{"key": "queue", "value": {"stringValue": "mail"}}]}], "aggregationTemporality": 2, '
        '"isMonotonic": true}}, {"name": "temp", "gauge": {"dataPoints": [{"timeUnixNano": "1795372012000000000", "asDouble": 1.5}]}}, '
        '{"name": "http.duration", "unit": "ms", "histogram": {"dataPoints": [{' + times + ', "count": "1", "sum": 12.5, "bucketCounts": '
        '["0", "1", "0"], "explicitBounds": [0.0, 25.0], "min": 12.5, "max": 12.5}], "aggregationTemporality": 2}}, {"name": "exp", '
        '"exponentialHistogram": {"dataPoints": [{' + times + ', "count": "2", "sum": 15.5, "scale": 6, "positive": {"offset": 101, '
        '"bucketCounts": ["1", "0", "1"]}, "negative": {"bucketCounts": ["0"]}, "min": 3.0, "max": 12.5}], "aggregationTemporality": 2}}]}]}]}')
    error = ('"attributes": [{"key": "exception.type", "value": {"stringValue": "ValueError"}}, {"key": "exception.message", "value": {"stringValue": '
             '"gr\\u00fcn"}}, {"key": "exception.stacktrace", "value": {"stringValue": "Traceback (most recent call last):\\n  File \\"a.py\\", line '
             '20, in <module>\\n    raise ValueError(\\"gr\\u00fcn\\")\\nValueError: gr\\u00fcn\\n"}}]')
    yield "sdk-logs", (
        'd{"resourceLogs": [{' + resource + ', "scopeLogs": [{"scope": {"name": "x"}, "logRecords": [{"timeUnixNano": "1795372012000000000", '
        '"severityNumber": 17, "severityText": "ERROR", "body": {"stringValue": "failed job"}, ' + error + ', "observedTimeUnixNano": '
        '"1795372012000000001"}]}]}]}')
    yield "sdk-traces", (
        'e{"resourceSpans": [{' + resource + ', "scopeSpans": [{"scope": {"name": "lib", "version": "1.0"}, "spans": [{"traceId": '
        '"1f405574a95816e5c6b61d636eeb0690", "spanId": "3d5e8f51078e5186", "parentSpanId": "0b7f730a2dbdf3a1", "name": "GET /cart", "kind": 2, '
        '"startTimeUnixNano": "1795372011000000000", "endTimeUnixNano": "1795372012000000000", "events": [{"timeUnixNano": '
        '"1795372012000000000", "name": "exception", ' + error + '}], "status": {"message": "ValueError", "code": 2}, "flags": 256}]}]}]}')
    yield "values", ('d{"resource_logs":[{"scope_logs":[{"log_records":[{"body":{"kvlistValue":{"values":[{"key":"a","value":{"arrayValue":{"values":['
                     '{"bytesValue":"AAE="},{"bytesValue":"-_8"},{"doubleValue":"NaN"},{"boolValue":false},{}]}}}]}},"severityNumber":"SEVERITY_NUMBER_INFO"}]}]}]}')
    yield "unknown", 'e{"resourceSpans":null,"more":[{"a":[1e999,null]}],"resourceMetrics":[{}]}'
    yield "two-of-one", 'c{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"gauge":{},"summary":{"dataPoints":[]}}]}]}]}'


def statsd():
    tags = "|#env:prod,route:/v2/a,bare,u:http://x:80/"
    yield "counter", "requests:1|c|@0.1" + tags
    yield "gauges", f"busy:3.5|g{tags}\nbusy:+4|g\nbusy:-10|g\nbusy:1:2|g"
    yield "timers", f"t:320|ms|@0.5\nt:1.5:-2:3e2|d{tags}\nt:0|h\nt:1e-300:1e300|d"
    yield "set", "users:u1|s\nusers:u2|s\nusers:\xff:|s"
    yield "fields", f"a:1|c{tags}|c:in-42|e:it-false|card:low|T1795372000|zz:9||"
    yield "no-metrics", "_e{5,4}:title|te\\nxt|d:1|h:x|#k:v\n_sc|name|0|m:x\r\n\n"
    yield "refused", "a\n:1|c\na:1|x\na:x|c\na:1|c|@2\na:1|c|T0\na\tb:1|c\na:1|c|#:v\na:-1|c\na:1e308|c|@0.1\n"
    yield "numbers", "a:123456789012345678901234567890.5e-20|d\na:5e-324|d\na:.5|d\na:5.|d\na:1e309|d\na:0x1|d\na:nan|d"
    yield "many", "\n".join(f"n{i}:{i}|{'cgds'[i % 4]}" for i in range(30))


def zstd_frame(text, header):
    """One raw block and one that repeats a byte, without check value."""
    blocks = (len(text) << 3).to_bytes(3, "little") + text + (300 << 3 | 1 << 1 | 1).to_bytes(3, "little") + b"z"
    return struct.pack("<I", 0xfd2fb528) + header + blocks


def inflate():
    text = b'{"metrics":[{"name":"http.duration","kind":"gauge","points":[{"v":1},{"v":1},{"v":1},{"v":1}]}]}'
    bare = zlib.compressobj(9, zlib.DEFLATED, -15)
    unsized, sized = bytes([0, 0x58]), bytes([0x60]) + struct.pack("<H", len(text) + 300 - 256)
    yield "gzip", b"\x20" + gzip.compress(text, mtime=0)
    yield "gzip-members", b"\x20" + gzip.compress(text, mtime=0) + gzip.compress(b"", mtime=0) + gzip.compress(b"more", mtime=0)
    yield "zlib", b"\x21" + zlib.compress(text, 9)
    yield "deflate", b"\x22" + bare.compress(text) + bare.flush()
    yield "zstd", b"\x23" + zstd_frame(text, unsized)
    yield "zstd-sized", b"\x23" + zstd_frame(text, sized)
    yield "zstd-frames", b"\x23" + struct.pack("<II", 0x184d2a50, 2) + b"xx" + zstd_frame(text, sized) + zstd_frame(b"", unsized)
    yield "zstd-window", b"\x23" + zstd_frame(text, bytes([0, 0xf8]))
    yield "bomb", b"\x00" + gzip.compress(bytes(200000), mtime=0)
    for form, name in enumerate(("gzip", "zlib", "deflate", "zstd")):
        yield f"text-{name}", bytes([0x90 + form]) + text


def lines():
    error = ('{"error":{"t":1795372000000,"class":"IOError","message":"gr\\u00f6\\ud83d\\ude00\\ud83d\\u0000","backtrace":[{"file":"a.rb","line":7,'
             '"function":"f","in_app":true},{}],"action":"A#b","namespace":"web","tags":{"a":"b","n":7,"z":null},'
             '"params":{"q":"x","nested":{"a":[1,{"b":"\\ud800"}]},"f":false},"breadcrumbs":[{"t":1,"category":"c","metadata":{"k":"v"}}]}}')
    transaction = ('{"new":[{}],"transaction":{"id":"x","action":"A#b","namespace":"web","duration_ms":12.5,"queue_ms":0.4,"error":true,'
                   '"tags":{"a":"b"},"spans":[{"id":"1","parent_id":"0","name":"sql","start_ms":0,"duration_ms":1e0,"tags":{}}]}}')
    yield "error", error
    yield "transaction", transaction + "\n"
    yield "marker", '{"marker":{"revision":"a1b2c3","user":"u","text":"t"}}\r\n\n'
    yield "check-ins", '{"check_in":{"name":"n","kind":"cron","event":"start"}}\n{"check_in":{"name":"n","kind":"heartbeat","event":"beat"}}'
    yield "several", "\n".join([error, "nonsense", transaction, "{}", '{"error":{"class":7}}', '{"marker":{"revision":"r","t":1}}'])
    yield "deep", '{"error":{"class":"E","params":{"a":' + "[" * 40 + "]" * 40 + "}}}"


def origin():
    yield "sound", "v1 topic=millrace.c.main.minutely epoch=-5 partition=3 offset=1001"
    yield "limits", f"v1 topic={'x' * 249} epoch=-9223372036854775808 partition=2147483647 offset=9223372036854775807"
    yield "newer", "v2 topic=t epoch=1 partition=0 offset=0 more=1"


def scrub():
    yield "pairs", "user[password]=x&user%5Bpin%5D=7&z=1 :token=>'a' Login(user=a, password=b,c, id=3) --pin 7 card number: 4 <secret>x</secret>"
    yield "json", '{"password":"a\\"b","n":{"credentials":{"u":["}"]},"pin": 1234,"body":"{\\"token\\":\\"a \\\\\\" b\\"}"}'
    yield "headers", "Authorization: Bearer abc def\r\nCookie: a=b; c=d\nX-Api-Key: abc\nHost: x"
    yield "shapes", "Bearer abcdefgh1 Basic dXNlcjpwYXNz eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.x AKIAIOSFODNN7EXAMPLE xoxb-1234567890-a postgres://u:p@h/d"
    yield "cards", "4111 1111 1111 1111 12/27, 378282246310005 5555-5555-5555-4444 1795372012000000"
    yield "key", "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- -----BEGIN PRIVATE KEY-----\nab"
    yield "harmless", "tokenizer=x std::session::x token == nil basic knowledge of bearer tokens http://h:80/a@b"


def trigger():
    def long(n):
        return varint((n << 1) ^ (n >> 63))

    def text(t):
        return long(len(t)) + t

    def array(*items):
        return (long(len(items)) + b"".join(items) if items else b"") + long(0)

    def selector(key, op, *values):
        return text(key) + long(op) + array(*map(text, values))

    def record(metric, kind, tags, threshold=b"", absent=b"", check_in=b""):
        return (b"\0\0\0\0\x0c" + text(b"slow") + text(b"shop") + text(b"It is slow") + long(2) + text(metric) + (long(1) + long(kind) if kind is not None else long(0))
                + array(*tags) + b"".join(long(1) + part if part else long(0) for part in (threshold, absent, check_in)) + long(3) + long(5)
                + array(text(b"ops")) + text(b"ann") + long(NOW))

    tags = (selector(b"host", 2), selector(b"path", 4, b"/api/*x?"), selector(b"region", 1, b"eu", b"us"), selector(b"route", 0, b"/a"), selector(b"zone", 3))
    yield "threshold", record(b"http.duration", 2, tags, threshold=long(8) + long(0) + struct.pack("<d", 500))
    yield "absent", record(b"http.requests", None, tags[4:], absent=long(10))
    yield "cron", record(b"", None, (), check_in=text(b"nightly") + text(b"0 3 * * mon-fri") + long(0) + long(15) + long(60))
    yield "heartbeat", record(b"", None, (), check_in=text(b"worker") + text(b"") + long(5) + long(1) + long(0))
    yield "crontab", "*/5 0-6/2,12 1,15,29 jan-mar,Dec Mon-fri,7"


def backtrace():
    for file in sorted(BACKTRACES.glob("*.txt")):
        yield file.stem, file.read_text().split("---\n", 1)[1]


def yaml():
    yield "example", EXAMPLE.read_text()
    threshold = 'field: p95, compare: ">", threshold: 5e2'
    yield "flow", "{triggers: [{id: a, site: s, metric: m, kind: distribution, %s}], receivers: []}" % threshold
    yield "json", '{"triggers":[{"id":"a","site":"s","metric":"m","tags":{"a":"~","b":["null"],"c":{"glob":""}},"absent_minutes":1,"author":"x","updated_at":1}]}'
    yield "check_ins", "triggers:\n- {id: a, site: s, check_in: {name: n, every_minutes: 1}}\n- {id: b, site: s, check_in: {name: n, cron: '*/5 0-3 1,2 jan mon'}}\n"
    yield "mistakes", "triggers:\n- id: A\n  sit: s\n  tags: [a]\n  compare: >\n  threshold: x\n- {id: a, id: b}\nreceivers:\n- {id: r, repeat: 5, mail: {to: []}}\n"
    yield "broken", "triggers:\n- &a {id: *b}\n- !x y\n---\n"


def status_state():
    def long(n):
        return varint((n << 1) ^ (n >> 63))

    def text(t):
        return long(len(t)) + t

    def array(*items):
        return (long(len(items)) + b"".join(items) if items else b"") + long(0)

    def option(value):
        return long(0) if value is None else long(1) + value

    def component(name, state):
        return (text(name) + text(b"Storage, Europe") + long(state) + long(NOW) + long(NOW - 60000) + text(b"It stands still.") + array(text(b"main")) + long(240000)
                + long(48213) + long(250000000) + long(0) + long(-1) + b"\0" + struct.pack("<d", -1))

    def entry(number, action, author=None, components=(b"storage/main",), moments=(), incident=b"20261127-2303-storage-main"):
        return (b"\0\0\0\0\x13" + text(incident) + text(b"%016x" % number) + long(NOW + number) + option(author and text(author)) + long(action)
                + option(long(number % 4)) + option(long(2)) + array(*map(text, components)) + text(b"Storing is delayed") + text(b"It goes on.\nWe look.")
                + option(long(NOW)) + option(long(NOW + 600000)) + option(long(NOW + 900000)) + array(*(long(NOW) + text(m) for m in moments)))

    def state(components, entries, unwritten=()):
        return b"\0\0\0\0\x14" + long(NOW) + array(*components) + array(*map(text, entries)) + array(*map(text, unwritten))

    draft, post, update, veto, resolve, remind = range(6)
    yield "empty", state((), ())
    yield "file", b"MRstat1\n" + struct.pack("<QQ", 0, 0)
    yield "story", state((component(b"storage/main", 4), component(b"push", 0)),
                         (entry(1, draft), entry(2, post), entry(3, update), entry(4, resolve, moments=(b"The database stopped taking data.",))))
    yield "edited", state((), (entry(1, draft), entry(2, draft, b"ann"), entry(3, post), entry(4, remind), entry(4, remind), entry(5, veto, b"ann")), (entry(5, veto, b"ann"),))
    yield "hostile", state((), (entry(1, draft, components=(b"shop",)), entry(2, post, incident=b"../a"), entry(3, draft, b""), b"", b"\0\0\0\0\x13",
                                entry(4, post, b"ann", (b"push", b"push", b"alerts"), incident=b"a" * 64)))


def main():
    for name, seeds in (("fuzz_origin", origin()), ("fuzz_push_pb", push_pb()), ("fuzz_push_json", push_json()), ("fuzz_inflate", inflate()),
                        ("fuzz_otlp_metrics", otlp_metrics()), ("fuzz_otlp_traces", otlp_traces()), ("fuzz_otlp_logs", otlp_logs()), ("fuzz_otlp_json", otlp_json()),
                        ("fuzz_lines", lines()), ("fuzz_statsd", statsd()), ("fuzz_scrub", scrub()),
                        ("fuzz_backtrace", backtrace()), ("fuzz_trigger", trigger()), ("fuzz_yaml", yaml()), ("fuzz_status_state", status_state())):
        folder = CORPUS / name
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        for seed, content in seeds:
            (folder / seed).write_bytes(content.encode() if isinstance(content, str) else content)


if __name__ == "__main__":
    main()
