"""The part of Avro that our schemas use: its types, and the parser of schemas/ids and *.avsc.

Everything else is refused by name: a half-understood schema would be worse than none. A named type that stands in several
schemas (Histogram, SeriesKind, ..) becomes one C type, so its definitions must agree, docs aside.
"""
import json
import re
from dataclasses import dataclass, field

C_WORDS = set("""auto bool break case char const continue default do double else enum extern float for goto if inline int
long register restrict return short signed sizeof static struct switch true false typedef union unsigned void volatile
while""".split())


class Refused(Exception):
    """What the generator does not understand, with the place where it stands."""


def snake(name):
    """SampleBatch -> sample_batch."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def indented(lines):
    return ["\t" + line for line in lines]


def guarded(head, lines):
    """Lines under an if or a for, in braces where C asks for them."""
    if len(lines) == 1:
        return [head] + indented(lines)
    return [head + " {"] + indented(lines) + ["}"]


# The types. Each says how C declares it as field f, reads it into v->f from r, writes it to b, finds an enum in it that is out
# of range, and the fewest bytes it takes.

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
    default: object = None  # its JSON text; None: it has none


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


IDS = 1024  # PINS_IDS of common/pins.h

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


class Schemas:
    """All schemas of schemas/ids, their named types in an order in which C can declare them. Of a record's versions the one with the highest
    id is what is written and what C's struct has; the others are only read."""

    def __init__(self, folder):
        self.folder = folder
        self.roots = []    # (id, Record, file name, JSON)
        self.older = []    # the same, of former versions
        self.named = {}    # name -> type, dependencies first; none of former versions
        rows = self.read_ids()
        newest = {name: number for number, name, _ in sorted(rows)}
        for number, name, file in rows:
            if newest[name] == number:
                self.roots.append(self.load(number, name, file))
        for number, name, file in rows:
            if newest[name] != number:
                self.older.append(self.load_older(number, name, file))

    def load_older(self, number, name, file):
        """What is named in a former version is another type than what has that name today."""
        today, self.named = self.named, {}
        try:
            return self.load(number, name, file)
        finally:
            self.named = today

    def read_ids(self):
        rows = []
        for line in (self.folder / "ids").read_text().splitlines():
            if line.strip() and not line.startswith("#"):
                if not re.fullmatch(r"\s*\d+\s+\w+\s+\S+\s*", line):
                    raise Refused(f"ids: {line!r} is not id, record, file")
                number, name, file = line.split()
                rows.append((int(number), name, file))
        for column, what in ((0, "id"), (2, "file")):
            if len({row[column] for row in rows}) < len(rows):
                raise Refused(f"ids: one {what} stands there twice")
        if any(not 0 < number < 1 << 31 for number, _, _ in rows):
            raise Refused("ids: an id that is no positive int32_t")
        if any(number >= IDS for number, _, _ in rows):
            raise Refused(f"ids: an id over {IDS - 1}, for which common/pins.h has no room")
        return rows

    def load(self, number, name, file):
        try:
            node = json.loads((self.folder / file).read_text())
            root = self.parse(node, name, seen=set())
            if not isinstance(root, Record) or root.name != name:
                raise Refused(f"its top is not the record {name}")
        except KeyError as e:
            raise Refused(f"{file}: no {e} where there must be one") from None
        except (OSError, ValueError, Refused) as e:
            raise Refused(f"{file}: {e}") from None
        return number, root, file, node

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
            default = json.dumps(f["default"]) if "default" in f else None
            fields.append(Field(f["name"], self.parse(f["type"], where, seen), f.get("doc", ""), default))
        if not fields:
            raise Refused(f"{name}: a record of no bytes: nothing would bound the count of an array of it")
        return Record(name, tuple(fields), node.get("doc", ""))

    def parse_enum(self, node, name, seen):
        self.known_keys(node, name, "name", "namespace", "doc", "symbols")
        return Enum(name, tuple(node["symbols"]), node.get("doc", ""))

    def parse_fixed(self, node, name, seen):
        self.known_keys(node, name, "name", "namespace", "doc", "size")
        if node["size"] < 1:
            raise Refused(f"{name}: a fixed of no bytes")
        return Fixed(name, node["size"])
