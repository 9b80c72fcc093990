"""How C writes a former version of a record out of today's struct: what an operator has pinned (common/pins.h) while an upgrade is under way.

It is the way back of versions.py, which has refused by then what FULL compatibility forbids: fields that both have are written in the order of the
former version, those that came since are left out, and those that are gone get the former version's default, the bytes of which are worked out here.
"""
import json
import struct
from dataclasses import dataclass

from avsc import PRIMITIVES, Array, Enum, Fixed, Map, Optional, Record, Refused, Value, indented, snake


@dataclass(frozen=True)
class Projected(Value):
    """A record as an array's item or a field: C's struct is today's, the bytes become the former version's."""
    writes: str

    def write_item(self, lvalue):
        return f"{self.writes}(b, &{lvalue});"


class Writer:
    """Writes today's struct as the former version with this id."""

    def __init__(self, number, today, former):
        self.number = number
        self.functions = {}  # name -> lines, in an order in which C can call them
        self.name = self.writer(today, former)

    def define(self):
        return [line for lines in self.functions.values() for line in lines]

    def writer(self, today, former):
        """The name of the function that writes today's record as the former one."""
        name = f"{snake(today.name)}_write_{self.number}"
        if name not in self.functions:
            lines = self.body(today, former)  # first, as it may need functions of its own
            if not any("v->" in line for line in lines):
                lines.insert(0, "(void)v;")
            self.functions[name] = [f"static void {name}(struct buf *b, const {today.c} *v)", "{", *indented(lines), "}", ""]
        return name

    def body(self, today, former):
        kept, lines = {f.name: f for f in today.fields}, []
        for f in former.fields:
            if f.name in kept:
                lines += self.projected(kept[f.name].type, f.type).write(f.name)
            else:
                bytes_ = encoded(f"{former.name}.{f.name}", f.type, json.loads(f.default))
                literal = "".join(f"\\x{byte:02x}" for byte in bytes_)
                lines.append(f'codec_write_fixed(b, (const uint8_t *)"{literal}", {len(bytes_)}); /* {f.name} */')
        return lines

    def projected(self, today, former):
        """A type that writes today's C as the former one's bytes."""
        if today == former:
            return today
        if isinstance(former, Record):
            return Projected(self.writer(today, former))
        if isinstance(former, Optional):
            return Optional(self.projected(today.type, former.type), former.null)
        return Array(self.projected(today.item, former.item))


def long(n):
    """Zigzag, then seven bits a byte, the lowest first."""
    u, out = (n << 1) ^ (n >> 63), bytearray()
    while u >= 0x80:
        out.append(u & 0x7f | 0x80)
        u >>= 7
    return bytes(out) + bytes([u])


def block(items):
    return (long(len(items)) + b"".join(items) if items else b"") + long(0)


def encoded(where, t, value):
    """The bytes of a field's default, which JSON has as Avro says: of a union it is one of the first branch, of bytes each character is one."""
    try:
        if isinstance(t, Optional):
            if t.null == 0 and value is not None:
                raise ValueError("not of the union's first type")
            return long(0) + (b"" if t.null == 0 else encoded(where, t.type, value))
        if isinstance(t, Record):
            return b"".join(encoded(f"{where}.{f.name}", f.type, value[f.name] if f.name in value else json.loads(f.default)) for f in t.fields)
        if isinstance(t, Map):
            return block([encoded(where, PRIMITIVES["string"], k) + encoded(where, t.item, v) for k, v in value.items()])
        if isinstance(t, Array):
            return block([encoded(where, t.item, v) for v in value])
        if isinstance(t, Enum):
            return long(t.symbols.index(value))
        if isinstance(t, Fixed):
            if len(value) != t.size:
                raise ValueError(f"not of {t.size} bytes")
            return value.encode("latin-1")
        return primitive(t, value)
    except (AttributeError, KeyError, TypeError, ValueError, struct.error) as e:
        raise Refused(f"{where}: the default {value!r}: {e}") from None


def primitive(t, value):
    if t in (PRIMITIVES["string"], PRIMITIVES["bytes"]):
        raw = value.encode("utf-8" if t == PRIMITIVES["string"] else "latin-1")
        return long(len(raw)) + raw
    if t in (PRIMITIVES["float"], PRIMITIVES["double"]):
        return struct.pack("<f" if t == PRIMITIVES["float"] else "<d", value)
    return bytes([value]) if t == PRIMITIVES["boolean"] else long(value)


def define_pinned(root, former):
    """NAME_write_pinned(): header and body of what is pinned; former: [(id, Record)], one at least."""
    name, lines = snake(root.name), []
    writers = [Writer(number, root, record) for number, record in former]
    for writer in writers:
        lines += writer.define()
    lines += [f"static void {name}_write_pinned(struct buf *b, const {root.c} *v)", "{",
              f"\tuint32_t id = pins_written_id({name.upper()}_SCHEMA_ID);", "", "\tcodec_write_header(b, id);", "\tswitch (id) {"]
    for writer in writers:
        lines += [f"\tcase {writer.number}:", f"\t\t{writer.name}(b, v);", "\t\treturn;"]
    return lines + ["\tdefault:", f"\t\t{name}_write(b, v);", "\t}", "}", ""]
