#!/usr/bin/env python3
"""fastavro reads what the generated encoders write, for random values of every schema.

test_codec_avro writes the messages, each with avro-c's rendition of the value as JSON; fastavro reads the .avsc files and
the bytes. Analysts read the topics with such libraries (schemas/README.md, "Topics"), so a third opinion is worth having.
"""
import io
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(Path(__file__).resolve().parent)]
import cases  # noqa: E402
import fastavro  # noqa: E402
from millrace_local import BINARIES  # noqa: E402

TYPES = {"record": dict, "map": dict, "array": list, "bytes": bytes, "fixed": bytes, "string": str, "enum": str, "boolean": bool,
         "int": int, "long": int, "double": float}
WRITER = BINARIES.parent / "tests" / "unit" / "common" / "test_codec_avro"


def load_schemas():
    """{id: schema as JSON} of each record's newest version, by schemas/ids."""
    rows = [line.split() for line in (ROOT / "schemas" / "ids").read_text().splitlines() if not line.startswith("#")]
    newest = {name: number for number, name in sorted((int(number), name) for number, name, _ in rows)}
    return {int(number): json.loads((ROOT / "schemas" / file).read_text()) for number, name, file in rows if newest[name] == int(number)}


def load_samples():
    """[(schema id, message, JSON value)], freshly made."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "samples"
        subprocess.run([WRITER], env={**os.environ, "TEST_CODEC_SAMPLES": str(path)}, check=True, stdout=subprocess.DEVNULL)
        rows = [line.split(" ", 2) for line in path.read_text(encoding="utf-8").splitlines()]
    return [(int(number), bytes.fromhex(message), json.loads(value)) for number, message, value in rows]


def named_types(schema, found=None):
    """The types of a schema by their names: a later mention is the name alone."""
    found = {} if found is None else found
    if isinstance(schema, dict):
        if "name" in schema and isinstance(schema.get("type"), str) and schema["type"] in ("record", "fixed", "enum"):
            found[schema["name"]] = schema
        for value in schema.values():
            named_types(value, found)
    elif isinstance(schema, list):
        for item in schema:
            named_types(item, found)
    return found


def same(schema, read, told, names):
    """Is what fastavro read what avro-c told? JSON has bytes as latin-1 text and unions as {branch: value}."""
    if isinstance(schema, list):
        if told is None:
            return read is None
        (told,) = told.values()
        return same(next(branch for branch in schema if branch != "null"), read, told, names)
    schema = names.get(schema, schema) if isinstance(schema, str) else schema
    kind = schema["type"] if isinstance(schema, dict) else schema
    if not isinstance(read, TYPES[kind]):
        return False
    if kind == "record":
        return read.keys() == told.keys() and all(same(f["type"], read[f["name"]], told[f["name"]], names) for f in schema["fields"])
    if kind == "array":
        return len(read) == len(told) and all(same(schema["items"], r, t, names) for r, t in zip(read, told))
    if kind == "map":
        return read.keys() == told.keys() and all(same(schema["values"], read[k], told[k], names) for k in read)
    if kind in ("bytes", "fixed"):
        return read == told.encode("latin-1")
    return read == told


def plain_times(schema):
    """The schema without logical types: the numbers themselves are compared, and not every long is a date."""
    if isinstance(schema, dict):
        return {key: plain_times(value) for key, value in schema.items() if key != "logicalType"}
    return [plain_times(branch) for branch in schema] if isinstance(schema, list) else schema


def read_all(schemas, samples):
    """Yields (schema, parsed, body, told, what fastavro read) for each sample."""
    parsed = {number: fastavro.parse_schema(plain_times(schema)) for number, schema in schemas.items()}
    for number, message, told in samples:
        assert message[:5] == b"\0" + number.to_bytes(4, "big"), message[:5]
        body = io.BytesIO(message[5:])
        yield plain_times(schemas[number]), parsed[number], message[5:], told, fastavro.schemaless_reader(body, parsed[number])
        assert not body.read(), "bytes left over"


def test_every_schema_has_samples(schemas, samples):
    assert {number for number, _, _ in samples} == set(schemas)
    assert len(samples) >= 20 * len(schemas)


def test_fastavro_reads_what_was_written(schemas, samples):
    for schema, _, body, told, read in read_all(schemas, samples):
        assert same(schema, read, told, named_types(schema)), (schema["name"], body.hex(), told, read)


def test_fastavro_writes_the_same_bytes(schemas, samples):
    for schema, parsed, body, _, read in read_all(schemas, samples):
        out = io.BytesIO()
        fastavro.schemaless_writer(out, parsed, read)
        assert out.getvalue() == body, (schema["name"], body.hex(), out.getvalue().hex())


def test_the_ruler_measures(schemas, samples):
    """same() would also be content with nothing: what is changed must not pass."""
    for schema, _, _, told, read in read_all(schemas, samples):
        for f in schema["fields"]:
            assert not same(schema, {**read, f["name"]: "changed"}, told, named_types(schema)), (schema["name"], f["name"])


if __name__ == "__main__":
    cases.run(globals(), load_schemas(), load_samples())
