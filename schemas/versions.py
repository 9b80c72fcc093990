"""How C reads a former version of a record into today's struct: Avro's schema resolution, worked out when the code is generated.

avro-c does not know defaults (1.11: "NIY: Default values"), and a backlog of hours that an upgrade finds in Kafka is all of the former version: reading
it must not cost more than reading what is written today. So each version gets a reader of its own, straight-line C like today's: fields that both
have are read in the order in which they were written, those that are gone are passed over, those that came since get their defaults.
What FULL compatibility forbids is refused by name.
"""
import json
from dataclasses import dataclass

from avsc import PRIMITIVES, Array, Enum, Fixed, Items, Map, Optional, Record, Refused, Value, guarded, indented, snake

KNOWN_BY_BYTES = ("SampleBatch",)  # a reader knows their first field, a list, by its bytes: it is read in two steps


@dataclass(frozen=True)
class Resolved(Value):
    """A record as an array's item or a field: C's struct is today's, the bytes are the former version's."""
    c: str
    reads: str
    min_bytes: int

    def read_item(self, lvalue):
        return f"{self.reads}(r, &{lvalue});"


class Version:
    """A former version of a record: its id, and how it is read."""

    def __init__(self, number, today, former, file):
        self.number, self.today, self.former, self.file = number, today, former, file
        self.functions = {}  # name -> lines, in an order in which C can call them
        self.reader(today, former)
        if today.name in KNOWN_BY_BYTES:
            self.reader_of_rest(today, former)

    def refuse(self, what):
        raise Refused(f"{self.file}: {what}")

    def function(self, which):
        """The reader of the whole (read), or of what comes behind the first field (read_rest)."""
        return f"{snake(self.today.name)}_{which}_{self.number}"

    def define(self):
        return [line for lines in self.functions.values() for line in lines]

    def reader(self, today, former):
        """The name of the function that reads the former record into today's."""
        name = f"{snake(today.name)}_read_{self.number}"
        if name not in self.functions:
            lines = self.body(today, former.fields, today.fields)  # first, as it may need functions of its own
            self.functions[name] = define(f"static void {name}(struct codec_reader *r, {today.c} *v)", lines)
        return name

    def reader_of_rest(self, today, former):
        """Lists are known by their bytes, so these must mean the same in each version."""
        first = today.fields[0]
        if former.fields[0] != first:
            self.refuse(f"{today.name}.{first.name} is known by its bytes and so stays as it is")
        name = self.function("read_rest")
        lines = self.body(today, former.fields[1:], today.fields[1:])
        self.functions[name] = define(f"static void {name}(struct codec_reader *r, {today.c} *v)", lines)

    def body(self, today, former_fields, today_fields):
        former, wanted = {f.name: f for f in former_fields}, {f.name: f for f in today_fields}
        lines = []
        for f in today_fields:
            if f.name not in former:
                lines += self.default(f"{today.name}.{f.name}", f.type, f.name, f.default)
        for f in former_fields:
            where = f"{today.name}.{f.name}"
            if f.name in wanted:
                lines += self.resolve(where, wanted[f.name].type, f.type).read(f.name)
            elif f.default is None:
                self.refuse(f"{where} had no default and is gone: what reads that version alone cannot read today's")
            else:
                lines += self.skip(f.type)
        return lines

    def resolve(self, where, today, former):
        """A type that reads the former one's bytes into today's C."""
        if today == former:
            return today
        if isinstance(today, Record) and isinstance(former, Record) and today.name == former.name:
            return Resolved(today.c, self.reader(today, former), former.min_bytes)
        if isinstance(today, Optional) and isinstance(former, Optional):
            return Optional(self.resolve(where, today.type, former.type), former.null)
        if isinstance(today, Array) and isinstance(former, Array):
            return Array(self.resolve(where, today.item, former.item))
        return self.refuse(f"{where} has another type today")

    def skip(self, t):
        """Lines that pass over a value. Those of records and lists stand in functions, as lists may hold lists."""
        if isinstance(t, Optional):
            return guarded(f"if (codec_read_index(r, 2) == {1 - t.null})", self.skip(t.type))
        if isinstance(t, Record):
            return [self.skipper(t) + "(r);"]
        if isinstance(t, Items):
            return ["while ((n = codec_read_block(r, %d)) > 0)" % t.item_min_bytes,
                    *indented(guarded("for (; n > 0 && codec_reader_ok(r); n--)", self.skip_entry(t)))]
        if isinstance(t, Fixed):
            return ["{", f"\tuint8_t gone[{t.size}];", "\tcodec_read_fixed(r, gone, sizeof(gone));", "}"]
        return [f"(void)codec_read_index(r, {len(t.symbols)});" if isinstance(t, Enum) else f"(void)codec_read_{t.reads}(r);"]

    def skip_entry(self, t):
        return (["(void)codec_read_string(r);"] if isinstance(t, Map) else []) + self.skip(t.item)

    def skipper(self, t):
        name = f"{snake(t.name)}_skip_{self.number}"
        if name not in self.functions:
            lines = [line for f in t.fields for line in self.skip(f.type)]
            self.functions[name] = define(f"static void {name}(struct codec_reader *r)", lines)
        return name

    def default(self, where, t, f, text):
        """Lines that set a field that the former version does not have. The struct is zeros."""
        if text is None:
            self.refuse(f"{where} is new and has no default")
        value = json.loads(text)
        if isinstance(t, Optional):
            if t.null == 0:
                return [] if value is None else self.refuse(f"{where}: a default other than its first type's")
            return [f"v->has_{f} = true;"] + self.default(where, t.type, f, text)
        if value in (0, "", [], {}):
            return []
        if isinstance(t, Enum) and value in t.symbols:
            return [f"v->{f} = {snake(t.name).upper()}_{value.upper()};"]
        if t == PRIMITIVES["string"]:
            return [f"v->{f} = STR({json.dumps(value)});"]
        if t in PRIMITIVES.values() and t != PRIMITIVES["bytes"]:
            return [f"v->{f} = {json.dumps(value)};"]
        return self.refuse(f"{where}: a default that is not empty")


def define(head, lines):
    text = "\n".join(lines)
    counters = [name for name, used in (("n", "(n = "), ("cap", "cap = 0;")) if used in text]
    return [head, "{", *([f"\tsize_t {', '.join(counters)};", ""] if counters else []), *indented(lines), "}", ""]
