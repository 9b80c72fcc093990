#!/usr/bin/env python3
"""OTLP in JSON, transcoded, is for protobuf's own library the message that the JSON was written from.

Random requests of all three signals are made by the descriptors of opentelemetry-proto, so that a field nobody here thought of is in them
too. Each is written as JSON in some of the spellings a sender may choose, and once by protobuf's own writer. What Millrace reads
nothing from must be gone, all else the same. Needs no Kafka: `test_otlp_json transcode` is the unit test's binary.
"""
import base64
import json
import math
import os
import random
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(Path(__file__).resolve().parent)]
import cases  # noqa: E402
from google.protobuf import json_format  # noqa: E402
from google.protobuf.descriptor import FieldDescriptor as F  # noqa: E402
from millrace_local import BINARIES  # noqa: E402
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest  # noqa: E402
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest  # noqa: E402
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest  # noqa: E402

TOOL = BINARIES.parent / "tests" / "unit" / "ingest" / "test_otlp_json"
REQUESTS = {"metrics": ExportMetricsServiceRequest, "logs": ExportLogsServiceRequest, "traces": ExportTraceServiceRequest}
SKIPPED = {"exemplars", "links", "entity_refs", "metadata", "string_value_strindex", "key_strindex"}  # Millrace reads nothing from these
HEX = {"trace_id", "span_id", "parent_span_id"}
ROUNDS, DEPTH = 150, 14

RANGES = {F.TYPE_INT32: (-1 << 31, (1 << 31) - 1), F.TYPE_SINT32: (-1 << 31, (1 << 31) - 1), F.TYPE_ENUM: (-1 << 31, (1 << 31) - 1),
          F.TYPE_UINT32: (0, (1 << 32) - 1), F.TYPE_FIXED32: (0, (1 << 32) - 1),
          F.TYPE_INT64: (-1 << 63, (1 << 63) - 1), F.TYPE_SFIXED64: (-1 << 63, (1 << 63) - 1),
          F.TYPE_UINT64: (0, (1 << 64) - 1), F.TYPE_FIXED64: (0, (1 << 64) - 1)}
TEXTS = ["", "a", "http.route", "gr\u00f6\u00dfe", "\U0001f600\u0000\n\"\\/", "x" * 127, "y" * 128, "\u2028\ufeff\x7f", "\\ud83d"]
DOUBLES = [0.0, -0.0, 1.0, 0.1, -1.5e-300, 5e-324, 1.7976931348623157e308, math.inf, -math.inf, math.nan, 9007199254740993.0]


def is_list(field):
    return field.is_repeated


def scalar(r, field):
    if field.type in RANGES:
        low, high = RANGES[field.type]
        return r.choice([0, 1, low, high, r.randint(low, high), r.randint(max(low, -200), 300)])
    if field.type == F.TYPE_DOUBLE:
        return r.choice([*DOUBLES, r.uniform(-1e6, 1e6)])
    if field.type == F.TYPE_BYTES:
        return r.randbytes(r.choice([0, 1, 2, 3, 8, 16, 200]))
    return r.choice(TEXTS) if field.type == F.TYPE_STRING else r.random() < 0.5


def fill(r, message, depth=0):
    """Some fields of each message, and of a oneof one member at most."""
    fields = list(message.DESCRIPTOR.fields)
    r.shuffle(fields)
    chosen = set()
    for field in fields:
        oneof = field.containing_oneof.name if field.containing_oneof else field.name
        nested = field.type == F.TYPE_MESSAGE
        if oneof in chosen or r.random() < (0.25 if depth < 5 else 0.5) or (nested and depth > DEPTH):
            continue
        chosen.add(oneof)
        number = r.choice([0, 1, 1, 2, 2, 3]) if is_list(field) else 1
        for _ in range(number):
            if nested and is_list(field):
                fill(r, getattr(message, field.name).add(), depth + 1)
            elif nested:
                getattr(message, field.name).SetInParent()
                fill(r, getattr(message, field.name), depth + 1)
            elif is_list(field):
                getattr(message, field.name).append(scalar(r, field))
            else:
                setattr(message, field.name, scalar(r, field))


def without_skipped(message):
    """The message that is left of it."""
    copy = type(message)()
    copy.CopyFrom(message)
    strip(copy)
    return copy


def strip(message):
    for field, value in message.ListFields():
        if field.name in SKIPPED:
            message.ClearField(field.name)
        elif field.type == F.TYPE_MESSAGE:
            for one in value if is_list(field) else [value]:
                strip(one)


class Number(str):
    """Is written as it stands."""


def spell_integer(r, field, n):
    names = field.enum_type.values_by_number if field.enum_type else {}
    if n in names and r.random() < 0.3:
        return names[n].name
    forms = [str(n), str(n), str(n) + ".0", str(n) + "e0", str(n * 10) + "e-1"]
    text = r.choice(forms)
    return text if r.random() < 0.5 else Number(text)


def spell_double(r, value):
    if math.isnan(value) or math.isinf(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    text = r.choice([repr(value), f"{value:.17g}", f"{value:.25e}".replace("e", r.choice("eE"))])
    return text if r.random() < 0.2 else Number(text)


def spell_bytes(r, field, value):
    if field.name in HEX:
        return "".join(r.choice([c, c.upper()]) for c in value.hex())
    text = r.choice([base64.b64encode, base64.urlsafe_b64encode])(value).decode()
    return text if r.random() < 0.5 else text.rstrip("=")


def spell(r, field, value):
    if field.type == F.TYPE_MESSAGE:
        return as_json(r, value)
    if field.type in RANGES:
        return spell_integer(r, field, value)
    if field.type == F.TYPE_DOUBLE:
        return spell_double(r, value)
    return spell_bytes(r, field, value) if field.type == F.TYPE_BYTES else value


UNKNOWN = [None, True, Number("1e999"), "x", [], {}, [None, {"key": Number("1"), "values": [[]]}], {"resourceSpans": Number("7"), "traceId": "zz"}]


def as_json(r, message):
    """[(key, value)], as a sender may write it: names in either spelling, in any order, nulls and unknown fields among them."""
    pairs = []
    for field, value in message.ListFields():
        name = field.json_name if r.random() < 0.8 else field.name
        pairs.append((name, [spell(r, field, one) for one in value] if is_list(field) else spell(r, field, value)))
    present = {field.name for field, _ in message.ListFields()}
    pairs += [(field.json_name, None) for field in message.DESCRIPTOR.fields if field.name not in present and r.random() < 0.1]
    if r.random() < 0.2:
        pairs += [(r.choice(["unknown", "", "_", "Name", "\U0001f600"]), r.choice(UNKNOWN)) for _ in range(2)]
    r.shuffle(pairs)
    return tuple(pairs)


def dump(r, value):
    """JSON by hand, as json.dumps has neither doubled keys nor numbers as they stand."""
    blank = r.choice(["", "", "", " ", "\n\t"])
    if isinstance(value, Number) or value is None or isinstance(value, bool):
        return blank + {None: "null", True: "true", False: "false"}.get(value, value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=r.random() < 0.5)
    if isinstance(value, list):
        return "[" + blank + ",".join(dump(r, one) for one in value) + "]"
    pairs = value.items() if isinstance(value, dict) else value
    return "{" + ",".join(blank + dump(r, key) + blank + ":" + dump(r, one) for key, one in pairs) + blank + "}"


def by_the_library(message):
    """protobuf's own JSON, but for OTLP's deviations: hex, and enums as numbers."""

    def hexed(value):
        if isinstance(value, list):
            return [hexed(one) for one in value]
        if not isinstance(value, dict):
            return value
        return {key: base64.b64decode(one).hex() if key in ("traceId", "spanId", "parentSpanId") else hexed(one) for key, one in value.items()}

    return json.dumps(hexed(json_format.MessageToDict(message, use_integers_for_enums=True)))


def transcode(bodies):
    """For each (signal, body) the message in protobuf, or the refusal as text."""
    lines = "".join(f"{signal} {body.encode().hex()}\n" for signal, body in bodies)
    done = subprocess.run([TOOL, "transcode"], input=lines, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    answers = done.stdout.split("\n")[:-1]
    assert len(answers) == len(bodies)
    return [answer if answer.startswith("!") else bytes.fromhex(answer) for answer in answers]


def canonical(message):
    """Bytes, since a NaN is not equal to itself."""
    return message.SerializeToString(deterministic=True)


def check(wanted, bodies):
    for message, (signal, body), answer in zip(wanted, bodies, transcode(bodies)):
        assert isinstance(answer, bytes), (answer, body)
        read = REQUESTS[signal].FromString(answer)
        assert canonical(read) == canonical(without_skipped(message)), (signal, body, str(read))


def random_messages(seed):
    for i in range(ROUNDS):
        for signal, kind in REQUESTS.items():
            message = kind()
            fill(random.Random(f"{seed} {signal} {i}"), message)
            yield signal, message


def test_the_library_reads_what_was_written(seed):
    messages = list(random_messages(seed))
    bodies = []
    for i, (signal, message) in enumerate(messages):
        r = random.Random(f"{seed} spelling {i}")
        bodies.append((signal, dump(r, as_json(r, message))))
    check([message for _, message in messages], bodies)


def test_what_the_library_writes_is_read(seed):
    messages = list(random_messages(seed + 1))
    check([message for _, message in messages], [(signal, by_the_library(message)) for signal, message in messages])


def test_messages_hold_all_there_is(seed):
    """The ruler measures: each field of each message stood somewhere, and something was skipped."""
    seen, known = set(), {}

    def walk(message):
        known[message.DESCRIPTOR.full_name] = message.DESCRIPTOR
        for field, value in message.ListFields():
            seen.add(field.full_name)
            if field.type == F.TYPE_MESSAGE:
                for one in value if is_list(field) else [value]:
                    walk(one)

    for _, message in random_messages(seed):
        walk(message)
    missing = {field.full_name for kind in known.values() for field in kind.fields} - seen
    assert not missing and len(known) > 25, (missing, len(known))


def drop_one(r, message):
    """Clears a field somewhere in it."""
    field, value = r.choice(message.ListFields())
    inner = r.choice(list(value)) if is_list(field) else value
    if field.type == F.TYPE_MESSAGE and inner.ListFields():
        drop_one(r, inner)
    else:
        message.ClearField(field.name)


def test_a_field_that_is_lost_is_noticed(seed):
    """The ruler measures: JSON that lacks one field makes another message."""
    whole = [(signal, left) for signal, left in ((signal, without_skipped(message)) for signal, message in random_messages(seed)) if left.ListFields()]
    bodies, r = [], random.Random(seed)
    for signal, message in whole:
        less = type(message)()
        less.CopyFrom(message)
        drop_one(r, less)
        bodies.append((signal, by_the_library(less)))
    for (signal, message), answer in zip(whole, transcode(bodies)):
        assert canonical(REQUESTS[signal].FromString(answer)) != canonical(message)
    assert len(whole) > ROUNDS


def test_the_library_refuses_what_is_refused(seed):
    """Wrong values: protobuf's own reader takes none of them either (it reads base64 where OTLP has hex, so bytes are not among them)."""
    record = '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{%s}]}]}]}'
    wrong = ['"severityText":1', '"body":[1]', '"body":{"intValue":1.5}', '"body":{"intValue":"9223372036854775808"}', '"body":{"boolValue":"true"}',
             '"body":{"intValue":1,"boolValue":true}', '"attributes":{}', '"attributes":[null]', '"timeUnixNano":-1', '"timeUnixNano":"x"',
             '"severityNumber":2147483648', '"body":{"doubleValue":1e999}', '"flags":4294967296', '"flags":" 1"',
             '"body":{"bytesValue":"A"}', '"severityText":"\\ud83d"', '"body":{"intValue":""}', '"severityText":"a","severityText":"b"']
    bodies = [("logs", record % one) for one in wrong]
    for (_, body), answer in zip(bodies, transcode(bodies)):
        assert isinstance(answer, str) and answer.split()[1] in ("bad_payload", "bad_json"), (body, answer)
        try:
            json_format.Parse(body, ExportLogsServiceRequest())
        except (json_format.ParseError, UnicodeEncodeError):
            continue
        raise AssertionError(f"the library takes {body}")


if __name__ == "__main__":
    chosen = int(os.environ.get("TEST_SEED") or time.time())
    print(f"TEST_SEED={chosen}", flush=True)
    cases.run(globals(), chosen)
