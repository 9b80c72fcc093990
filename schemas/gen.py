#!/usr/bin/env python3
"""Writes the C codecs of schemas/*.avsc and the C list of schemas/reasons.txt.

Avro's generic values cost 200 ns a sample, straight-line C costs 5 (FIELD-NOTES.md): hence this generator instead of a
library on the hot path. It knows exactly the part of Avro that our schemas use and refuses everything else by name; a
half-understood schema would be worse than none. common/codec.h is the runtime under what it writes.

Usage: gen.py --out DIR     writes schemas.h, schemas.c, reasons.h and reasons.c into DIR
"""
import argparse
import json
import os
import pathlib
import re
import sys
from dataclasses import dataclass, field

HERE = pathlib.Path(__file__).resolve().parent
C_WORDS = set("""auto bool break case char const continue default do double else enum extern float for goto if inline int
long register restrict return short signed sizeof static struct switch true false typedef union unsigned void volatile
while""".split())


class Refused(Exception):
    """What the generator does not understand, with the place where it stands."""


def snake(name):
    """SampleBatch -> sample_batch."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def comment(text):
    if "*/" in text or "\n" in text:
        raise Refused(f"a doc has a comment's end or a line's end in it: {text!r}")
    return f"/* {text} */"


# The types. Each says how it is declared as field f of struct *v, read, written and checked, and the fewest bytes it takes.

@dataclass(frozen=True)
class Value:
    """A type whose C value stands in one variable, and so can be an array's item."""

    def declare(self, f):
        return [f"{self.c} {f};"]

    def read(self, f):
        return [self.read_item(f"v->{f}")]

    def write(self, f):
        return [self.write_item(f"v->{f}")]

    def check(self, f):
        return self.check_item(f"v->{f}", f)

    def check_item(self, lvalue, f):
        return []


@dataclass(frozen=True)
class Primitive(Value):
    c: str
    reads: str
    writes: str
    min_bytes: int

    def read_item(self, lvalue):
        return f"{lvalue} = codec_read_{self.reads}(r);"

    def write_item(self, lvalue):
        return f"codec_write_{self.writes}(b, {lvalue});"


PRIMITIVES = {
    "boolean": Primitive("bool", "bool", "bool", 1),
    "int": Primitive("int32_t", "int", "int", 1),
    "long": Primitive("int64_t", "long", "long", 1),
    "float": Primitive("float", "float", "float", 4),
    "double": Primitive("double", "double", "double", 8),
    "bytes": Primitive("struct str", "bytes", "bytes", 1),
    "string": Primitive("struct str", "string", "bytes", 1),
}


@dataclass(frozen=True)
class Enum(Value):
    name: str
    symbols: tuple
    doc: str = field(compare=False)
    min_bytes = 1

    @property
    def c(self):
        return f"enum {snake(self.name)}"

    def read_item(self, lvalue):
        return f"{lvalue} = ({self.c})codec_read_index(r, {len(self.symbols)});"

    def write_item(self, lvalue):
        return f"codec_write_int(b, (int32_t){lvalue});"

    def check_item(self, lvalue, f):
        return [f"if ((unsigned){lvalue} >= {len(self.symbols)})", f'\treturn "{f}";']


@dataclass(frozen=True)
class Field:
    name: str
    type: object
    doc: str = field(compare=False)


@dataclass(frozen=True)
class Record(Value):
    name: str
    fields: tuple
    doc: str = field(compare=False)

    @property
    def c(self):
        return f"struct {snake(self.name)}"

    @property
    def min_bytes(self):
        return sum(f.type.min_bytes for f in self.fields)

    @property
    def checks(self):
        """Lines that find an enum out of range; none when it holds no enums."""
        return [line for f in self.fields for line in f.type.check(f.name)]

    def read_item(self, lvalue):
        return f"{snake(self.name)}_read(r, &{lvalue});"

    def write_item(self, lvalue):
        return f"{snake(self.name)}_write(b, &{lvalue});"

    def check_item(self, lvalue, f):
        if not self.checks:
            return []
        return [f"fault = {snake(self.name)}_fault(&{lvalue});", "if (fault)", "\treturn fault;"]


@dataclass(frozen=True)
class Fixed:
    name: str
    size: int

    @property
    def min_bytes(self):
        return self.size

    def declare(self, f):
        return [f"uint8_t {f}[{self.size}];"]

    def read(self, f):
        return [f"codec_read_fixed(r, v->{f}, sizeof(v->{f}));"]

    def write(self, f):
        return [f"codec_write_fixed(b, v->{f}, sizeof(v->{f}));"]

    def check(self, f):
        return []


@dataclass(frozen=True)
class Optional:
    """The union of null, as its branch number `null`, and another type."""
    type: object
    null: int
    min_bytes = 1

    def declare(self, f):
        return [f"bool has_{f};"] + self.type.declare(f)

    def read(self, f):
        return [f"v->has_{f} = codec_read_index(r, 2) == {1 - self.null};"] + guarded(f"if (v->has_{f})", self.type.read(f))

    def write(self, f):
        branch = f"v->has_{f}" if self.null == 0 else f"!v->has_{f}"
        return [f"codec_write_int(b, {branch});"] + guarded(f"if (v->has_{f})", self.type.write(f))

    def check(self, f):
        lines = self.type.check(f)
        return guarded(f"if (v->has_{f})", lines) if lines else []


@dataclass(frozen=True)
class Items:
    """An array, or a map as an array of entries: blocks of items in the input, one C array in memory."""
    item: object
    min_bytes = 1

    def declare(self, f):
        return [f"{self.c} *{f};", f"size_t {f}_len;"]

    def read(self, f):
        return ["cap = 0;",
                f"while ((n = codec_read_block(r, {self.item_min_bytes})) > 0) {{",
                f"\tv->{f} = codec_grow(r, v->{f}, v->{f}_len, &cap, n, sizeof(*v->{f}));",
                "\tfor (; n > 0 && codec_reader_ok(r); n--) {",
                *indented(indented(self.read_entry(f"v->{f}[v->{f}_len]"))),
                f"\t\tv->{f}_len++;",
                "\t}",
                "}"]

    def write(self, f):
        return [f"if (v->{f}_len)", f"\tcodec_write_long(b, (int64_t)v->{f}_len);",
                *guarded(f"for (size_t i = 0; i < v->{f}_len; i++)", self.write_entry(f"v->{f}[i]")),
                "codec_write_long(b, 0);"]


@dataclass(frozen=True)
class Array(Items):
    @property
    def c(self):
        return self.item.c

    @property
    def item_min_bytes(self):
        return self.item.min_bytes

    def read_entry(self, lvalue):
        return [self.item.read_item(lvalue)]

    def write_entry(self, lvalue):
        return [self.item.write_item(lvalue)]

    def check(self, f):
        lines = self.item.check_item(f"v->{f}[i]", f)
        return guarded(f"for (size_t i = 0; i < v->{f}_len; i++)", lines) if lines else []


MAP_ENTRIES = {"string": "struct tag", "double": "struct figure"}


@dataclass(frozen=True)
class Map(Items):
    c: str

    @property
    def item_min_bytes(self):
        return 1 + self.item.min_bytes

    def read_entry(self, lvalue):
        return [f"{lvalue}.key = codec_read_string(r);", self.item.read_item(f"{lvalue}.value")]

    def write_entry(self, lvalue):
        return [f"codec_write_bytes(b, {lvalue}.key);", self.item.write_item(f"{lvalue}.value")]

    def check(self, f):
        return []


def indented(lines):
    return ["\t" + line for line in lines]


def guarded(head, lines):
    """Lines under an if or a for, in braces where C asks for them."""
    if len(lines) == 1:
        return [head] + indented(lines)
    return [head + " {"] + indented(lines) + ["}"]


class Schemas:
    """All schemas of schemas/ids, their named types in an order in which C can declare them."""

    def __init__(self, folder):
        self.folder = folder
        self.roots = []    # (id, Record, file name, JSON)
        self.named = {}    # name -> type, dependencies first
        for number, name, file in self.read_ids():
            self.add(number, name, file)

    def read_ids(self):
        rows = []
        for line in (self.folder / "ids").read_text().splitlines():
            if line.strip() and not line.startswith("#"):
                number, name, file = line.split()
                rows.append((int(number), name, file))
        numbers = [row[0] for row in rows]
        if len(set(numbers)) < len(numbers):
            raise Refused("ids: an id stands there twice")
        return rows

    def add(self, number, name, file):
        with open(self.folder / file) as f:
            node = json.load(f)
        try:
            root = self.parse(node, name, seen=set())
            if not isinstance(root, Record) or root.name != name:
                raise Refused(f"its top is not the record {name}")
        except Refused as e:
            raise Refused(f"{file}: {e}") from None
        self.roots.append((number, root, file, node))

    def parse(self, node, where, seen):
        """The type of a JSON node; seen: the names this file has defined so far."""
        if isinstance(node, list):
            return self.parse_union(node, where, seen)
        if isinstance(node, str):
            node = {"type": node}
        kind = node.get("type")
        if kind in PRIMITIVES:
            self.known_keys(node, where, "logicalType")
            if node.get("logicalType") not in (None, "timestamp-millis"):
                raise Refused(f"{where}: logical type {node['logicalType']}")
            return PRIMITIVES[kind]
        if kind in seen:
            return self.named[kind]
        if kind in ("record", "enum", "fixed"):
            return self.parse_named(node, where, seen)
        if kind == "array":
            self.known_keys(node, where, "items")
            item = self.parse(node["items"], where, seen)
            return Array(self.array_item(item, where))
        if kind == "map":
            self.known_keys(node, where, "values")
            if node["values"] not in MAP_ENTRIES:
                raise Refused(f"{where}: a map of {node['values']!r}")
            return Map(PRIMITIVES[node["values"]], MAP_ENTRIES[node["values"]])
        raise Refused(f"{where}: type {kind!r}")

    @staticmethod
    def known_keys(node, where, *known):
        unknown = set(node) - {"type", *known}
        if unknown:
            raise Refused(f"{where}: {', '.join(sorted(unknown))}")

    @staticmethod
    def array_item(item, where):
        if not isinstance(item, Value):
            raise Refused(f"{where}: an array of {type(item).__name__.lower()}")
        if item.min_bytes == 0:
            raise Refused(f"{where}: an array's items must take bytes, else its count has no bound")
        return item

    def parse_union(self, node, where, seen):
        if len(node) != 2 or node.count("null") != 1:
            raise Refused(f"{where}: a union other than null and one type")
        null = node.index("null")
        inner = self.parse(node[1 - null], where, seen)
        if isinstance(inner, Optional):
            raise Refused(f"{where}: a union in a union")
        return Optional(inner, null)

    def parse_named(self, node, where, seen):
        name = node["name"]
        if not re.fullmatch(r"[A-Z][A-Za-z0-9]*", name) or node.get("namespace", "millrace") != "millrace":
            raise Refused(f"{where}: the name {node.get('namespace', '')}.{name}")
        made = {"record": self.parse_record, "enum": self.parse_enum, "fixed": self.parse_fixed}[node["type"]](node, name, seen)
        if self.named.setdefault(name, made) != made:
            raise Refused(f"{where}: {name} is defined otherwise in another schema")
        seen.add(name)
        return made

    def parse_record(self, node, name, seen):
        self.known_keys(node, name, "name", "namespace", "doc", "fields")
        fields = []
        for f in node["fields"]:
            where = f"{name}.{f['name']}"
            self.known_keys(f, where, "name", "doc", "default")
            if not re.fullmatch(r"[a-z][a-z0-9_]*", f["name"]) or f["name"] in C_WORDS:
                raise Refused(f"{where}: no name for a C field")
            fields.append(Field(f["name"], self.parse(f["type"], where, seen), f.get("doc", "")))
        return Record(name, tuple(fields), node.get("doc", ""))

    def parse_enum(self, node, name, seen):
        self.known_keys(node, name, "name", "namespace", "doc", "symbols")
        return Enum(name, tuple(node["symbols"]), node.get("doc", ""))

    def parse_fixed(self, node, name, seen):
        self.known_keys(node, name, "name", "namespace", "doc", "size")
        if node["size"] < 1:
            raise Refused(f"{name}: of no bytes")
        return Fixed(name, node["size"])


# The C files.

def opening(sources):
    return [comment(f"generated by schemas/gen.py from {sources}; not to be edited"), ""]


def declare_type(t):
    if isinstance(t, Enum):
        prefix = snake(t.name).upper()
        symbols = ", ".join(f"{prefix}_{s.upper()}" for s in t.symbols)
        return ([comment(t.doc)] if t.doc else []) + [
            f"{t.c} {{ {symbols} }};", "",
            "/* The symbol as the schema spells it; NULL behind the last one. */",
            f"const char *{snake(t.name)}_name({t.c} v);", ""]
    if not isinstance(t, Record):
        return []
    lines = ([comment(t.doc)] if t.doc else []) + [f"{t.c} {{"]
    for f in t.fields:
        *before, last = f.type.declare(f.name)
        lines += indented(before + [last + (" " + comment(f.doc) if f.doc else "")])
    name = snake(t.name)
    return lines + ["};", "",
                    "/* The body alone, for nesting. write checks no enums; read wants *v zeroed and leaves faults in r. */",
                    f"void {name}_write(struct buf *b, const {t.c} *v);",
                    f"void {name}_read(struct codec_reader *r, {t.c} *v); /* see above */", ""]


def declare_message(number, root):
    name = snake(root.name)
    return [f"#define {name.upper()}_SCHEMA_ID {number}", "",
            "/* Appends header and body; strings are UTF-8, as the caller knows. -1 leaves out as it was: ERR_REJECT when an enum is",
            " * out of range, ERR_FATAL when memory is short. */",
            f"int {name}_encode(const {root.c} *v, struct buf *out, struct err *err);", "",
            "/* Reads a message whole. Strings borrow it, arrays live in arena (NULL where empty); *out is written only on success.",
            " * ERR_REJECT: malformed. ERR_RETRY: a schema id nobody here knows. ERR_FATAL: memory, or the arena's limit. */",
            f"int {name}_decode(struct str message, struct arena *arena, {root.c} *out, struct err *err);", ""]


def header(schemas):
    lines = opening("*.avsc")
    lines += ["#ifndef MILLRACE_SCHEMAS_H", "#define MILLRACE_SCHEMAS_H", "", '#include "common/codec.h"', ""]
    for t in schemas.named.values():
        lines += declare_type(t)
    for number, root, _, _ in schemas.roots:
        lines += declare_message(number, root)
    each = " ".join(f"X({snake(root.name)})" for _, root, _, _ in schemas.roots)
    return lines + ["/* X(name) for each record that has an id. */", f"#define SCHEMAS_FOR_EACH(X) {each}", "",
                    "/* The name of the record with this schema id, and its schema as JSON; NULL when no record has it. */",
                    "const char *schema_name(uint32_t id);",
                    "const char *schema_json(uint32_t id); /* see above */", "", "#endif"]


def define_enum(t):
    names = ", ".join(f'"{s}"' for s in t.symbols)
    return [f"const char *{snake(t.name)}_name({t.c} v)", "{",
            f"\tstatic const char *const names[] = {{{names}}};", "",
            f"\treturn (unsigned)v < {len(t.symbols)} ? names[(unsigned)v] : NULL;", "}", ""]


def define_record(t):
    name = snake(t.name)
    has_items = any(isinstance(f.type, Items) or isinstance(getattr(f.type, "type", None), Items) for f in t.fields)
    lines = [f"void {name}_write(struct buf *b, const {t.c} *v)", "{"]
    lines += indented([line for f in t.fields for line in f.type.write(f.name)])
    lines += ["}", "", f"void {name}_read(struct codec_reader *r, {t.c} *v)", "{"]
    lines += ["\tsize_t n, cap;", ""] if has_items else []
    lines += indented([line for f in t.fields for line in f.type.read(f.name)])
    lines += ["}", ""]
    if t.checks:
        lines += [f"static const char *{name}_fault(const {t.c} *v)", "{"]
        lines += ["\tconst char *fault;", ""] if any("fault =" in line for line in t.checks) else []
        lines += indented(t.checks) + ["\treturn NULL;", "}", ""]
    return lines


def define_message(number, root):
    name = snake(root.name)
    constant = f"{name.upper()}_SCHEMA_ID"
    lines = [f"int {name}_encode(const {root.c} *v, struct buf *out, struct err *err)", "{", "\tsize_t start = out->len;"]
    if root.checks:
        lines += [f"\tconst char *fault = {name}_fault(v);", "",
                  "\tif (fault)", f'\t\treturn err_set(err, ERR_REJECT, "{root.name}: %s is out of range", fault);']
    else:
        lines += [""]
    lines += [f"\tcodec_write_header(out, {constant});", f"\t{name}_write(out, v);",
              "\tif (buf_failed(out)) {", "\t\tout->len = start;", f'\t\treturn err_nomem(err, "{root.name}");', "\t}",
              "\treturn 0;", "}", "",
              f"int {name}_decode(struct str message, struct arena *arena, {root.c} *out, struct err *err)", "{",
              "\tstruct codec_reader r;", "\tstruct str body;", f"\t{root.c} v = {{0}};", "",
              f"\tif (codec_open(message, {constant}, &body, err) < 0)", "\t\treturn -1;",
              "\tcodec_reader_init(&r, body, arena);", f"\t{name}_read(&r, &v);",
              f'\tif (codec_close(&r, "{root.name}", err) < 0)', "\t\treturn -1;",
              "\t*out = v;", "\treturn 0;", "}", ""]
    return lines


def define_lookup(function, rows):
    lines = [f"const char *{function}(uint32_t id)", "{", "\tswitch (id) {"]
    for number, literals in rows:
        *before, last = literals
        lines += [f"\tcase {number}:", *(f"\t\treturn {x}" if i == 0 else f"\t\t       {x}" for i, x in enumerate(before + [last + ";"]))]
    return lines + ["\tdefault:", "\t\treturn NULL;", "\t}", "}", ""]


def c_string(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def json_literals(node):
    text = json.dumps(node, separators=(",", ":"))
    return [c_string(text[i:i + 100]) for i in range(0, len(text), 100)]


def source(schemas):
    lines = opening("*.avsc") + ['#include "schemas/schemas.h"', "",
                                 "/* A schema is one literal, longer than C99 promises to bear and than our compilers mind. */",
                                 '#pragma GCC diagnostic ignored "-Woverlength-strings"', ""]
    for t in schemas.named.values():
        lines += define_enum(t) if isinstance(t, Enum) else define_record(t) if isinstance(t, Record) else []
    for number, root, _, _ in schemas.roots:
        lines += define_message(number, root)
    lines += define_lookup("schema_name", [(n, [c_string(root.name)]) for n, root, _, _ in schemas.roots])
    return lines + define_lookup("schema_json", [(n, json_literals(node)) for n, _, _, node in schemas.roots])[:-1]


def read_reasons(path):
    rows = []
    for line in path.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            name, status, text = line.split(None, 2)
            if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in (row[0] for row in rows):
                raise Refused(f"reasons.txt: the name {name}")
            if int(status) and not 400 <= int(status) <= 599:
                raise Refused(f"reasons.txt: {name} has status {status}")
            rows.append((name, int(status), text.strip()))
    return rows


def reasons_header(rows):
    lines = opening("reasons.txt")
    lines += ["#ifndef MILLRACE_REASONS_H", "#define MILLRACE_REASONS_H", "", "/* Why a payload, or one sample of it, is refused. */",
              "enum reason {"]
    lines += [f"\tREASON_{name.upper()}, {comment(text)}" for name, _, text in rows]
    return lines + ["\tNR_REASONS", "};", "",
                    "/* The reason's name as answers and metric labels carry it, its HTTP status (0: one sample's reason, listed in",
                    " * `rejected`), and a sentence for a person. reason < NR_REASONS. */",
                    "const char *reason_name(enum reason reason);",
                    "int reason_status(enum reason reason);        /* see above */",
                    "const char *reason_text(enum reason reason);  /* see above */", "", "#endif"]


def reasons_source(rows):
    lines = opening("reasons.txt") + ['#include "schemas/reasons.h"', "",
                                      "static const struct {", "\tconst char *name, *text;", "\tint status;", "} reasons[NR_REASONS] = {"]
    lines += [f"\t{{{c_string(name)}, {c_string(text)}, {status}}}," for name, status, text in rows]
    lines += ["};", ""]
    for c, part in (("const char *", "name"), ("int ", "status"), ("const char *", "text")):
        lines += [f"{c}reason_{part}(enum reason reason)", "{", f"\treturn reasons[reason].{part};", "}", ""]
    return lines[:-1]


def write_atomically(path, lines):
    """Whole or not at all, so that an interrupted build leaves no half file that looks newer than its sources."""
    new = path.with_name(path.name + ".new")
    new.write_text("\n".join(lines) + "\n")
    os.replace(new, path)


def main():
    args = argparse.ArgumentParser(description="Writes the C codecs of schemas/.")
    args.add_argument("--out", required=True, type=pathlib.Path, help="folder to write into")
    out = args.parse_args().out
    try:
        schemas, reasons = Schemas(HERE), read_reasons(HERE / "reasons.txt")
        files = {"schemas.h": header(schemas), "schemas.c": source(schemas),
                 "reasons.h": reasons_header(reasons), "reasons.c": reasons_source(reasons)}
    except Refused as e:
        sys.exit(f"gen.py: refused: {e}")
    out.mkdir(parents=True, exist_ok=True)
    for name, lines in files.items():
        write_atomically(out / name, lines)


if __name__ == "__main__":
    main()
