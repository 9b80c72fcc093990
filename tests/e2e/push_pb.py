"""The native payload in protobuf: from the dict that JSON would take to the bytes of schemas/push.proto, by the words of that file and of
the wire format. Nothing of it is Millrace's own code. Metrics, events, identity and labels are encoded.
"""
import json
import struct

KINDS = {"counter": 1, "gauge": 2, "distribution": 3}
VARINT, FIXED64, BYTES = 0, 1, 2


def varint(n):
    """n as 64 bits, two's complement."""
    n &= (1 << 64) - 1
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def zigzag(n):
    return varint(n * 2 if n >= 0 else -n * 2 - 1)


def field(number, kind, data):
    return varint(number << 3 | kind) + (varint(len(data)) + data if kind == BYTES else data)


def integer(number, value):
    return field(number, VARINT, varint(value))


def double(number, value):
    return field(number, FIXED64, struct.pack("<d", value))


def text(number, value):
    return field(number, BYTES, value if isinstance(value, bytes) else value.encode())


def histogram(h):
    out = field(1, VARINT, zigzag(h["scale"])) if "scale" in h else b""
    for number, name in ((2, "zero"),):
        out += integer(number, h[name]) if h.get(name) else b""
    for number, name in ((3, "offset"), (5, "neg_offset")):
        out += field(number, VARINT, zigzag(h[name])) if h.get(name) else b""
    for number, name in ((4, "counts"), (6, "neg_counts")):
        out += field(number, BYTES, b"".join(map(varint, h[name]))) if h.get(name) else b""
    return out


def point(p):
    out = b""
    for number, name in ((1, "t"), (3, "count"), (8, "last_at")):
        out += integer(number, p[name]) if name in p else b""
    for number, name in ((2, "v"), (4, "sum"), (5, "min"), (6, "max"), (7, "last")):
        out += double(number, p[name]) if name in p else b""
    return out + (field(9, BYTES, histogram(p["histogram"])) if "histogram" in p else b"")


def metric(m):
    out = text(1, m["name"]) + integer(2, KINDS[m["kind"]])
    for key, value in m.get("tags", {}).items():
        out += field(3, BYTES, text(1, key) + text(2, value))
    return out + b"".join(field(4, BYTES, point(p)) for p in m.get("points", []))


def tags(number, entries):
    """A map of strings; a value that is none as its JSON, as ingest takes it from a JSON body. null is left out."""
    out = b""
    for key, value in entries.items():
        if value is not None:
            out += field(number, BYTES, text(1, key) + text(2, value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))))
    return out


def words(*names):
    """An enum, by its names from 1 on; what is none of them is a number that nobody knows."""
    return lambda number, value: integer(number, names.index(value) + 1 if value in names else 99)


def many(fields):
    return lambda number, items: b"".join(field(number, BYTES, message(fields, item)) for item in items)


def message(fields, value):
    """value's members by (number, name, how it is written); others, and null, are left out."""
    return b"".join(write(number, value[name]) for number, name, write in fields if value.get(name) is not None)


FRAME = ((1, "file", text), (2, "line", integer), (3, "function", text), (4, "in_app", integer))
BREADCRUMB = ((1, "t", integer), (2, "category", text), (3, "action", text), (4, "message", text), (5, "metadata", tags))
SPAN = ((1, "id", text), (2, "parent_id", text), (3, "name", text), (4, "start_ms", double), (5, "duration_ms", double), (6, "tags", tags))
ERROR = ((1, "t", integer), (2, "class", text), (3, "message", text), (4, "backtrace", many(FRAME)), (5, "action", text),
         (6, "namespace", text), (7, "tags", tags), (8, "params", tags), (9, "breadcrumbs", many(BREADCRUMB)))
TRANSACTION = ((1, "t", integer), (2, "id", text), (3, "action", text), (4, "namespace", text), (5, "duration_ms", double),
               (6, "queue_ms", double), (7, "error", integer), (8, "tags", tags), (9, "spans", many(SPAN)))
MARKER = ((1, "t", integer), (2, "revision", text), (3, "user", text), (4, "text", text))
CHECK_IN = ((1, "t", integer), (2, "name", text), (3, "kind", words("cron", "heartbeat")), (4, "event", words("start", "finish", "beat")))
EVENTS = ((10, "errors", many(ERROR)), (11, "transactions", many(TRANSACTION)), (12, "markers", many(MARKER)), (13, "check_ins", many(CHECK_IN)))


def encode(payload):
    """The body of one POST."""
    out = b"".join(field(1, BYTES, metric(m)) for m in payload.get("metrics", [])) + message(EVENTS, payload)
    if "agent_id" in payload:
        out += text(2, bytes.fromhex(payload["agent_id"]))
    for number, name in ((3, "seq"), (4, "floor"), (5, "created_at")):
        out += integer(number, payload[name]) if name in payload else b""
    for number, name in ((6, "host"), (7, "environment"), (8, "revision")):
        out += text(number, payload[name]) if name in payload else b""
    return out
