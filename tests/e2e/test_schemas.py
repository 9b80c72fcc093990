#!/usr/bin/env python3
"""What lives in schemas/ is in order: the generator refuses what it does not understand, and nothing written there is stale; each
record is FULL compatible with what it was before. TEST_SEED repeats a run."""
import io
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = ROOT / "schemas"
sys.path[:0] = [str(SCHEMAS), str(Path(__file__).resolve().parent)]
import avsc  # noqa: E402
import cases  # noqa: E402
import fastavro  # noqa: E402
import gen  # noqa: E402
import texts  # noqa: E402
from random_records import Random  # noqa: E402

SEED = int(os.environ.get("TEST_SEED", time.time()))
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


def rules(old, new, where):
    """What of new is not FULL compatible with old, in words: each must read what the other wrote."""
    if isinstance(old, list) or isinstance(new, list):
        if not (isinstance(old, list) and isinstance(new, list)) or [kind_of(part) for part in old] != [kind_of(part) for part in new]:
            return [f"{where}: another type"]
        return [fault for a, b in zip(old, new) for fault in rules(a, b, where)]
    if kind_of(old) != kind_of(new):
        return [f"{where}: another type"]
    old, new = (part if isinstance(part, dict) else {"type": part} for part in (old, new))
    if old["type"] == "record":
        return record_rules(old, new)
    if old["type"] == "enum" and old["symbols"] != new["symbols"]:
        return [f"{where}: other symbols"]
    if old["type"] == "fixed" and old["size"] != new["size"]:
        return [f"{where}: another size"]
    faults = [f"{where}: another logical type"] if old.get("logicalType") != new.get("logicalType") else []
    return faults + [fault for key in ("items", "values") if key in old for fault in rules(old[key], new[key], where)]


def record_rules(old, new):
    name = old["name"]
    before, after = ({field["name"]: field for field in record["fields"]} for record in (old, new))
    faults = [f"{name}.{field}: new, without a default" for field in after if field not in before and "default" not in after[field]]
    faults += [f"{name}.{field}: gone, and had no default" for field in before if field not in after and "default" not in before[field]]
    for field in before.keys() & after.keys():
        if "default" in before[field] and before[field]["default"] != after[field].get("default"):
            faults.append(f"{name}.{field}: another default")
        faults += rules(before[field]["type"], after[field]["type"], f"{name}.{field}")
    return faults


def kind_of(schema):
    """What must not change of a type: its kind and, where it has one, its name."""
    if isinstance(schema, str):
        return schema.removeprefix("millrace.")
    return schema["name"] if schema["type"] in ("record", "enum", "fixed") else schema["type"]


def read_ids(text):
    return {int(words[0]): (words[1], words[2]) for words in (line.split() for line in text.splitlines()) if len(words) == 3 and words[0].isdigit()}


class History:
    """The schemas of a folder of a git repository, as they are and as they were."""

    def __init__(self, root):
        self.root = root

    def git(self, *words):
        done = subprocess.run(["git", "-C", self.root, *words], capture_output=True, text=True)
        return done.stdout if done.returncode == 0 else None

    def commits(self):
        """The last commit that changed a schema and the one before it; and the newest release, where one is tagged. []: there is no history here."""
        last = (self.git("log", "-1", "--format=%H", "--", "schemas/*.avsc", "schemas/ids") or "").strip()
        names = [last, (self.git("rev-parse", "-q", "--verify", f"{last}^") or "").strip() if last else "", self.release()]
        return list(dict.fromkeys(name for name in names if name))

    def release(self):
        return (self.git("describe", "--tags", "--abbrev=0", "--match", "v*") or "").strip()

    def then(self, commit):
        """{id: (record, schema)}; None where the commit has none."""
        ids = self.git("show", f"{commit}:schemas/ids")
        if ids is None:
            return None
        return {number: (name, json.loads(self.git("show", f"{commit}:schemas/{file}"))) for number, (name, file) in read_ids(ids).items()}

    def now(self):
        folder = self.root / "schemas"
        return {number: (name, json.loads((folder / file).read_text())) for number, (name, file) in read_ids((folder / "ids").read_text()).items()}


def without_docs(schema):
    if isinstance(schema, dict):
        return {key: without_docs(value) for key, value in schema.items() if key != "doc"}
    return [without_docs(part) for part in schema] if isinstance(schema, list) else schema


def newest(schemas):
    return {name: (number, schema) for number, (name, schema) in sorted(schemas.items())}


def exchange(writer, reader, random_):
    """Does reader take random records of writer? By fastavro's resolution, which knows nothing of the rules above."""
    parsed = [fastavro.parse_schema(schema, named_schemas={}) for schema in (writer, reader)]
    for _ in range(20):
        out = io.BytesIO()
        fastavro.schemaless_writer(out, parsed[0], Random(random_, writer).record())
        fastavro.schemaless_reader(io.BytesIO(out.getvalue()), *parsed)


def faults_since(then, now, released):
    """What of now is not FULL compatible with then, in words. released: then's ids are others' by now, so that no text of one may change."""
    random_ = random.Random(SEED)
    faults = [f"id {number} is {now[number][0]}'s, was {then[number][0]}'s" for number in then.keys() & now.keys() if now[number][0] != then[number][0]]
    if released:
        faults += [f"id {number} is gone" for number in then.keys() - now.keys()]
        faults += [f"id {number} has another text" for number in then.keys() & now.keys() if without_docs(then[number][1]) != without_docs(now[number][1])]
    after = newest(now)
    for name, (_, old) in newest(then).items():
        if name not in after:
            faults.append(f"{name} is gone")
            continue
        new = after[name][1]
        faults += rules(old, new, name)
        for writer, reader, way in ((old, new, "cannot be read any more"), (new, old, "cannot be read by the former version")):
            try:
                exchange(writer, reader, random_)
            except Exception as e:  # fastavro has an exception for each fault, and none in common
                faults.append(f"{name} {way}: {type(e).__name__}")
    return faults


def test_each_record_is_fully_compatible_with_what_it_was():
    history = History(ROOT)
    commits = history.commits()
    for commit in commits:
        then = history.then(commit)
        if then is None:
            print(f"     not compared: {commit} has no schemas here")
            continue
        faults = faults_since(then, history.now(), commit == history.release())
        assert not faults, (commit, faults, SEED)
    if not commits:
        print("     not compared with former schemas: there is no history here")
    if not history.release():
        print("     no release is tagged: ids may still change their texts")


THING = {"type": "record", "name": "Thing", "namespace": "millrace", "fields": [
    {"name": "x", "type": "int"},
    {"name": "t", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["one", "two"]}},
    {"name": "id", "type": {"type": "fixed", "name": "Id", "size": 8}},
    {"name": "maybe", "type": ["null", "string"], "default": None},
    {"name": "parts", "type": {"type": "array", "items": {"type": "record", "name": "Part", "fields": [{"name": "n", "type": "long"}]}}},
    {"name": "more", "type": {"type": "map", "values": "string"}}]}


def changed(name, **more):
    """THING with one field otherwise; no more: without it."""
    return {**THING, "fields": [{**field, **more} if field["name"] == name else field for field in THING["fields"] if more or field["name"] != name]}


def grown(**field):
    return {**THING, "fields": [*THING["fields"], field]}


PART = {"type": "record", "name": "Part", "fields": [{"name": "n", "type": "long"}, {"name": "m", "type": "int"}]}
FORBIDDEN = [
    (grown(name="y", type="int"), "Thing.y: new, without a default"),
    (changed("x"), "Thing.x: gone"),
    (changed("x", type="string"), "Thing.x: another type"),
    (changed("x", type="long"), "Thing.x: another type"),  # the new reads the old, and not the other way round
    (changed("x", type=["null", "int"]), "Thing.x: another type"),
    (changed("t", type="long"), "Thing.t: another"),
    (changed("kind", type={"type": "enum", "name": "Kind", "symbols": ["one", "two", "three"]}), "Thing.kind: other symbols"),
    (changed("kind", type={"type": "enum", "name": "Kind", "symbols": ["one"]}), "Thing.kind: other symbols"),
    (changed("id", type={"type": "fixed", "name": "Id", "size": 16}), "Thing.id: another size"),
    (changed("maybe", default="x", type=["string", "null"]), "Thing.maybe: another"),
    (changed("parts", type={"type": "array", "items": PART}), "Part.m: new, without a default"),
    (changed("more", type={"type": "map", "values": "double"}), "Thing.more: another type"),
    ({**THING, "name": "Other"}, "Thing is gone"),
]
ALLOWED = [grown(name="y", type="int", default=7), changed("maybe"), {**changed("x", doc="words"), "doc": "of it"}]


class Repository:
    """A git repository whose schemas are changed."""

    def __init__(self, folder):
        self.folder = Path(folder)
        (self.folder / "schemas").mkdir()
        self.git("init", "-q")

    def git(self, *words):
        subprocess.run(["git", "-C", self.folder, "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false", *words], check=True)

    def write(self, ids, *schemas):
        (self.folder / "schemas/ids").write_text(ids)
        for i, schema in enumerate(schemas):
            (self.folder / f"schemas/{i}.avsc").write_text(json.dumps(schema))

    def commit(self):
        self.git("add", "-A")
        self.git("commit", "-qm", "schemas")

    def faults(self):
        history = History(self.folder)
        return [fault for commit in history.commits() for fault in faults_since(history.then(commit), history.now(), commit == history.release())]


def after(schemas, ids="1 Thing 0.avsc\n", release=False, commit=False):
    """The faults when these stand where THING stood; commit: they are committed, too, so that the comparison is with the parent."""
    with tempfile.TemporaryDirectory() as folder:
        repository = Repository(folder)
        repository.write("1 Thing 0.avsc\n", THING)
        repository.commit()
        if release:
            repository.git("tag", "v1")
        repository.write(ids, *schemas)
        if commit:
            repository.commit()
        return repository.faults()


def test_what_is_not_compatible_is_refused_by_name():
    for commit in (False, True):
        for schema, says in FORBIDDEN:
            name = schema["name"]
            faults = after([schema], ids=f"{2 if name != 'Thing' else 1} {name} 0.avsc\n", commit=commit)
            assert any(fault.startswith(says) for fault in faults), (says, faults, commit)
        for schema in ALLOWED:
            assert after([schema], commit=commit) == [], schema


def test_ids_stay_what_they_are():
    other = {**THING, "name": "Other"}
    assert any("id 1 is Other's, was Thing's" in fault for fault in after([other, THING], ids="1 Other 0.avsc\n2 Thing 1.avsc\n"))
    new = ALLOWED[0]
    assert after([new]) == []  # nobody has it yet
    assert after([new], release=True) == ["id 1 has another text"]
    assert after([THING, new], ids="1 Thing 0.avsc\n2 Thing 1.avsc\n", release=True) == []
    assert "id 1 is gone" in after([THING, new], ids="2 Thing 1.avsc\n", release=True)
    assert after([ALLOWED[2]], release=True) == []  # docs alone


def test_without_history_nothing_is_claimed():
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "schemas").mkdir()
        (Path(folder) / ".git").write_text("gitdir: nowhere\n")  # whatever lies above
        assert History(Path(folder)).commits() == []


def test_topics_are_those_of_the_table():
    """topics.txt and the table of README.md: names, and the record of each."""
    table = {}
    for line in (SCHEMAS / "README.md").read_text().split("## Topics")[1].split("## ")[0].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("| ") or cells[0] == "topic":
            continue
        topics, records = cells[0].split(", "), re.findall(r"\b(?:[A-Z][a-z]+)+\b", cells[1].split(";")[0].replace("LogAppendTime", ""))
        assert len(records) in (1, len(topics)), line
        table.update(zip(topics, records * len(topics) if len(records) == 1 else records))
    assert table == {("c.CELL." if of_cell else "") + name: record for name, of_cell, record in texts.read_topics(SCHEMAS / "topics.txt")}


if __name__ == "__main__":
    cases.run(globals())
