#!/usr/bin/env python3
"""What lives in schemas/ is in order: the generator refuses what it does not understand, and nothing written there is stale."""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = ROOT / "schemas"
sys.path[:0] = [str(SCHEMAS), str(Path(__file__).resolve().parent)]
import avsc  # noqa: E402
import cases  # noqa: E402
import fastavro  # noqa: E402
import gen  # noqa: E402

FIXED = {"type": "fixed", "name": "Sixteen", "size": 16}


def thing(field_type, **more):
    """A schema with one field."""
    return {"type": "record", "name": "Thing", "namespace": "millrace", "fields": [{"name": "x", "type": field_type, **more}]}


def parse(*schemas, ids="1 Thing 0.avsc\n"):
    """The generator's view of these schemas, which are 0.avsc, 1.avsc and so on."""
    with tempfile.TemporaryDirectory() as folder:
        for i, schema in enumerate(schemas):
            (Path(folder) / f"{i}.avsc").write_text(json.dumps(schema))
        (Path(folder) / "ids").write_text(ids)
        return avsc.Schemas(Path(folder))


def refusal(*schemas, **more):
    try:
        parse(*schemas, **more)
    except avsc.Refused as e:
        return str(e)
    raise AssertionError(f"not refused: {schemas}")


REFUSED = [
    (["null", "int", "long"], "a union other than null"),
    (["int", "long"], "a union other than null"),
    (["null", ["null", "int"]], "a union in a union"),
    ({"type": "map", "values": "int"}, "a map of 'int'"),
    ({"type": "array", "items": {"type": "array", "items": "int"}}, "an array of array"),
    ({"type": "array", "items": ["null", "int"]}, "an array of optional"),
    ({"type": "array", "items": FIXED}, "an array of fixed"),
    ({"type": "array", "items": {"type": "record", "name": "Empty", "fields": []}}, "a record of no bytes"),
    ({"type": "array", "items": "Thing"}, "type 'Thing'"),
    ({"type": "int", "logicalType": "date"}, "logical type date"),
    ({"type": "fixed", "name": "Nothing", "size": 0}, "a fixed of no bytes"),
    ({"type": "fixed", "name": "lower", "size": 1}, "the name"),
    ({"type": "fixed", "name": "Other", "namespace": "elsewhere", "size": 1}, "elsewhere.Other"),
    ({"type": "array"}, "no 'items'"),
    ("null", "type 'null'"),
    ("Unknown", "type 'Unknown'"),
]


def test_refuses_types_by_name():
    for field_type, says in REFUSED:
        got = refusal(thing(field_type))
        assert got.startswith("0.avsc: ") and says in got, (field_type, got)


def test_refuses_fields():
    assert "Thing.int" in refusal({**thing("int"), "fields": [{"name": "int", "type": "int"}]})
    assert "Thing.X" in refusal({**thing("int"), "fields": [{"name": "X", "type": "int"}]})
    assert "order" in refusal(thing("int", order="ignore"))
    assert "aliases" in refusal({**thing("int"), "aliases": ["Old"]})


def test_refuses_ids():
    assert "id stands there twice" in refusal(thing("int"), thing("int"), ids="1 Thing 0.avsc\n1 Other 1.avsc\n")
    assert "file stands there twice" in refusal(thing("int"), ids="1 Thing 0.avsc\n2 Thing 0.avsc\n")
    assert "no positive int32_t" in refusal(thing("int"), ids="0 Thing 0.avsc\n")
    assert "an id over 1023" in refusal(thing("int"), ids="1024 Thing 0.avsc\n")
    assert f"PINS_IDS = {avsc.IDS} " in (ROOT / "common" / "pins.h").read_text()
    assert "not the record Other" in refusal(thing("int"), ids="1 Other 0.avsc\n")
    assert "not id, record, file" in refusal(thing("int"), ids="Thing 0.avsc\n")
    assert "9.avsc" in refusal(thing("int"), ids="1 Thing 9.avsc\n")


def test_refuses_definitions_that_differ():
    other = {**thing({**FIXED, "size": 8}), "name": "Other"}
    ids = "1 Thing 0.avsc\n2 Other 1.avsc\n"
    assert "Sixteen is defined otherwise" in refusal(thing(FIXED), other, ids=ids)
    same = {**thing({**FIXED, "doc": "another doc is no other definition"}), "name": "Other"}
    assert set(parse(thing(FIXED), same, ids=ids).named) == {"Sixteen", "Thing", "Other"}


def test_the_highest_id_is_todays():
    schemas = parse(thing("int"), thing("long"), ids="7 Thing 1.avsc\n3 Thing 0.avsc\n")
    assert [row[0] for row in schemas.roots] == [7] and [row[0] for row in schemas.older] == [3]
    assert schemas.named["Thing"].fields[0].type == avsc.PRIMITIVES["long"]


def test_fewest_bytes():
    """The bound on what an array may allocate stands on these."""
    expected = {"SeriesRef": 20, "ValueSample": 11, "SummarySample": 19, "Event": 28, "Histogram": 6, "Route": 3, "ApiKey": 34, "Header": 2}
    named = avsc.Schemas(SCHEMAS).named
    assert {name: named[name].min_bytes for name in expected} == expected


def test_every_field_is_documented():
    for t in avsc.Schemas(SCHEMAS).named.values():
        for f in getattr(t, "fields", ()):
            assert f.doc, f"{t.name}.{f.name}"


def test_schemas_stand_alone():
    for path in SCHEMAS.glob("*.avsc"):
        fastavro.parse_schema(json.loads(path.read_text()))


def test_readme_has_the_reasons():
    text = (SCHEMAS / "README.md").read_text()
    assert gen.readme(text, gen.read_reasons(SCHEMAS / "reasons.txt")) == text, "run schemas/gen.py --readme"


def test_vectors_are_what_the_script_computes():
    subprocess.run([sys.executable, ROOT / "tests" / "unit" / "vectors.py"], check=True)


def test_push_proto_compiles():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["protoc-c", f"--proto_path={SCHEMAS}", f"--c_out={folder}", "push.proto"], check=True)
        subprocess.run(["cc", "-std=c11", "-Wall", "-Werror", "-c", "push.pb-c.c", "-o", "push.o"], cwd=folder, check=True)


if __name__ == "__main__":
    cases.run(globals())
