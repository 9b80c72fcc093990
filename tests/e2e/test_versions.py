#!/usr/bin/env python3
"""Former versions of a record against fastavro: whatever it writes with an old schema must mean to the generated readers what its own schema
resolution says.

Random values of the versions in tests/unit/common/versions are written by fastavro; test_versions (the unit test's binary) decodes them and writes what
it has understood with today's encoder; fastavro reads that, and reads the old bytes by both schemas itself: the two must be equal. avro-c could not be this
oracle: it refuses defaults.
"""
import io
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(ROOT / "schemas"), str(Path(__file__).resolve().parent)]
import avsc  # noqa: E402
import cases  # noqa: E402
import fastavro  # noqa: E402
import gen  # noqa: E402
from kafka_view import View, load_schemas  # noqa: E402
from millrace_local import BINARIES  # noqa: E402
from versions import Version  # noqa: E402

READER = BINARIES.parent / "tests" / "unit" / "common" / "test_versions"
SCHEMAS = ROOT / "tests" / "unit" / "common" / "versions"
TODAY, FORMER = 3, {1: "thing.v1.avsc", 2: "thing.v2.avsc"}
ROUNDS = 400


def schema(file):
    return fastavro.parse_schema(json.loads((SCHEMAS / file).read_text()), named_schemas={})


def random_value(r, t, named):
    """Of any schema that stands in versions/."""
    if isinstance(t, list):
        return random_value(r, r.choice(t), named)
    kind = t["type"] if isinstance(t, dict) else named.get(t, t)
    if isinstance(kind, dict):
        return random_value(r, kind, named)
    if isinstance(t, dict) and "name" in t:
        named[t["name"]] = t
    match kind:
        case "record":
            return {f["name"]: random_value(r, f["type"], named) for f in t["fields"]}
        case "array":
            return [random_value(r, t["items"], named) for _ in range(r.randrange(4))]
        case "map":
            return {f"k{i}": random_value(r, t["values"], named) for i in range(r.randrange(3))}
        case "enum":
            return r.choice(t["symbols"])
        case "fixed":
            return r.randbytes(t["size"])
    return {"null": None, "boolean": r.random() < 0.5, "int": r.randrange(-2**31, 2**31), "long": r.getrandbits(64) - 2**63, "float": 0.5,
            "double": r.uniform(-9, 9), "bytes": r.randbytes(5), "string": r.choice(["", "x", "ümläut", "日本"])}[kind]


def resolved(messages, pins=""):
    """What the generated readers make of these messages, as the generated writers write it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "messages"
        path.write_bytes(b"".join(struct.pack("<I", len(m)) + m for m in messages))
        subprocess.run([READER], env={**os.environ, "TEST_VERSIONS": str(path), "TEST_PINS": pins}, check=True, stdout=subprocess.DEVNULL, timeout=60)
        data, found = Path(f"{path}.out").read_bytes(), []
        while data:
            length, = struct.unpack("<I", data[:4])
            found.append(data[4:4 + length])
            data = data[4 + length:]
        return found


def test_every_version_means_what_fastavro_says():
    seed = int(os.environ.get("TEST_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"TEST_SEED={seed}")
    r, today, messages, expected = random.Random(seed), schema("thing.avsc"), [], []
    for number, file in FORMER.items():
        raw, parsed = json.loads((SCHEMAS / file).read_text()), schema(file)
        for _ in range(ROUNDS):
            body = io.BytesIO()
            fastavro.schemaless_writer(body, parsed, random_value(r, raw, {}))
            messages.append(b"\0" + number.to_bytes(4, "big") + body.getvalue())
            expected.append(fastavro.schemaless_reader(io.BytesIO(body.getvalue()), parsed, today))
    answers = resolved(messages)
    assert len(answers) == len(messages)
    for message, answer, want in zip(messages, answers, expected):
        assert answer[:5] == b"\0" + TODAY.to_bytes(4, "big")
        got = fastavro.schemaless_reader(io.BytesIO(answer[5:]), today)
        assert got == want, (message.hex(), got, want)


def test_what_is_pinned_is_what_fastavro_projects():
    """Today's values, written under a pin: what fastavro reads by the former schema out of bytes of today's."""
    seed = int(os.environ.get("TEST_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"TEST_SEED={seed}")
    r, raw, today = random.Random(seed), json.loads((SCHEMAS / "thing.avsc").read_text()), schema("thing.avsc")
    for number, file in {**FORMER, TODAY: "thing.avsc"}.items():
        messages, former = [], schema(file)
        for _ in range(ROUNDS):
            body = io.BytesIO()
            fastavro.schemaless_writer(body, today, random_value(r, raw, {}))
            messages.append(b"\0" + TODAY.to_bytes(4, "big") + body.getvalue())
        answers = resolved(messages, f"Thing={number}")
        assert len(answers) == len(messages)
        for message, answer in zip(messages, answers):
            assert answer[:5] == b"\0" + number.to_bytes(4, "big")
            rest = io.BytesIO(answer[5:])
            got, want = fastavro.schemaless_reader(rest, former), fastavro.schemaless_reader(io.BytesIO(message[5:]), today, former)
            for name in {"gone_bytes", "gone_fixed"} & want.keys():
                want[name] = want[name].encode("latin-1")  # fastavro leaves such defaults as JSON has them
            assert got == want and not rest.read(), (message.hex(), got, want)


def things(*fields_of_each, name="Thing"):
    """The refusal, or None, of versions of one record, the newest first."""
    with tempfile.TemporaryDirectory() as folder:
        lines = []
        for i, fields in enumerate(fields_of_each):
            (Path(folder) / f"{i}.avsc").write_text(json.dumps({"type": "record", "name": name, "fields": fields}))
            lines.append(f"{len(fields_of_each) - i} {name} {i}.avsc")
        (Path(folder) / "ids").write_text("\n".join(lines))
        try:
            gen.generate(Path(folder))
        except avsc.Refused as e:
            return str(e)
    return None


def test_what_is_not_compatible_is_refused_by_name():
    x, y = {"name": "x", "type": "long"}, {"name": "y", "type": "string"}
    listed = {"name": "list", "type": {"type": "array", "items": "long"}}
    assert things([x, {**y, "default": ""}], [x]) is None
    assert "Thing.y is new and has no default" in things([x, y], [x])
    assert "Thing.y had no default and is gone" in things([x], [x, y])
    assert "Thing.x has another type today" in things([x], [{"name": "x", "type": "int"}])
    enum = {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["a", "b"]}}
    more = {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["a", "b", "c"]}}
    assert "Thing.e has another type" in things([more], [enum])
    assert "a default that is not empty" in things([x, {"name": "z", "type": "bytes", "default": "zz"}], [x])
    assert "other than its first type's" in things([x, {"name": "z", "type": ["null", "long"], "default": 1}], [x])
    item = {"name": "list", "type": {"type": "array", "items": {"type": "record", "name": "Item", "fields": [x]}}}
    grown = {"name": "list", "type": {"type": "array", "items": {"type": "record", "name": "Item", "fields": [x, {**y, "default": ""}]}}}
    assert things([grown, x], [item, x]) is None
    assert "stays as it is" in things([grown, x], [item, x], name="SampleBatch")
    assert things([listed, x, {**y, "default": "d"}], [listed, x], name="SampleBatch") is None
    for kind, default in (({"type": "enum", "name": "E", "symbols": ["a"]}, "b"), ("long", "x"), ({"type": "fixed", "name": "F", "size": 2}, "abc"),
                          (["null", "long"], 1), ("bytes", "\u0100"), ({"type": "record", "name": "R", "fields": [x]}, {})):
        assert "Thing.gone: the default" in (things([x], [x, {"name": "gone", "type": kind, "default": default}]) or "")


def test_strangers_take_the_newest():
    """The tests' own reader of topics: it writes with the highest id, and reads by the one that stands there."""
    view = View.__new__(View)
    view.schemas = load_schemas(SCHEMAS)
    assert view.encode("Other", {"x": 5})[:5] == b"\0\0\0\0\6"
    assert view.encode("SampleBatch", {"series": [], "site": "s", "weight": 1})[:5] == b"\0\0\0\0\5"
    assert view.decode(b"\0\0\0\0\4" + b"\0\2\2s") == {"series": [], "gone": 1, "site": "s"}


if __name__ == "__main__":
    cases.run(globals())
