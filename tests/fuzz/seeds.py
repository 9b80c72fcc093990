#!/usr/bin/env python3
"""Writes the corpora that fuzzing starts from, tests/fuzz/corpus/NAME/: small inputs that reach what random bytes would take days to
find. Run it after a change of the formats and commit what it writes; the fuzzers' own findings stay in build/fuzz/corpus.
"""
import gzip
import pathlib
import struct
import zlib

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus"
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
    yield "events", message((10, b""), (11, b"\xff"), (12, message((1, NOW))), (13, b""))
    yield "unpacked", message((1, metric(3, summary((9, message((1, 10), (4, 1), (4, 3)))))))
    yield "two-histograms", message((1, metric(3, summary((9, message((1, 10), (4, b"\x01"))), (9, message((4, b"\x03")))))))
    yield "unknown", message((99, 1), (100, 1.0), (101, b"x"), (1, metric(2, value) + message((50, b"")))) + b"\x9b\x06\x08\x01\x9c\x06"
    yield "rejected", message((1, metric(1, message((2, -1.0)), message((1, 1), (2, 1.0)), b"")), (1, b""), (1, metric(9, value)))
    yield "cut-off", message(*identity, (1, metric(2, value)))[:-5]


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
    yield "events", '{"errors":[{"t":1}],"transactions":[7],"markers":[null],"check_ins":[[]]}'
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


def main():
    for name, seeds in (("fuzz_origin", origin()), ("fuzz_push_pb", push_pb()), ("fuzz_push_json", push_json()), ("fuzz_inflate", inflate()), ("fuzz_otlp_json", otlp_json()),
                        ("fuzz_lines", lines()), ("fuzz_statsd", statsd())):
        folder = CORPUS / name
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        for seed, content in seeds:
            (folder / seed).write_bytes(content.encode() if isinstance(content, str) else content)


if __name__ == "__main__":
    main()
