"""Random records by a schema's JSON alone, for tests that hold readers to each other."""
import string

TEXTS = ["", "shop", "http.requests", "ünï", "\x1b[2J\x07evil", "a\nb", "\u009b31m", "\x7f", "\"quoted\\", "𝒳" * 3, "long " * 60]


def walk(schema, named):
    """Remembers what has a name."""
    if isinstance(schema, list):
        for part in schema:
            walk(part, named)
    elif isinstance(schema, dict):
        if "name" in schema and schema["type"] in ("record", "enum", "fixed"):
            named[schema["name"]] = schema
        for part in [*(field["type"] for field in schema.get("fields", ())), *(schema[key] for key in ("items", "values", "type") if key in schema)]:
            walk(part, named)
    return named


class Random:
    """Records of one schema; texts: what strings are drawn from."""

    def __init__(self, random, schema, texts=tuple(TEXTS)):
        self.random, self.schema, self.texts, self.named = random, schema, texts, walk(schema, {})

    def record(self):
        return self.of(self.schema)

    def text(self):
        drawn = self.random.choice(self.texts)
        return drawn if self.random.random() < 0.7 else "".join(self.random.choice(string.ascii_lowercase) for _ in range(self.random.randint(1, 12)))

    def whole(self, bits):
        return self.random.choice([0, 1, -1, 2 ** (bits - 1) - 1, -2 ** (bits - 1), self.random.getrandbits(bits - 1), self.random.randint(-100, 100)])

    def of(self, schema):
        if isinstance(schema, list):
            return self.of(self.random.choice(schema))
        if isinstance(schema, str):
            schema = self.named.get(schema.removeprefix("millrace."), {"type": schema})
        kind = schema["type"]
        if isinstance(kind, (dict, list)):
            return self.of(kind)
        if schema.get("logicalType"):
            return self.random.randint(0, 4 * 10 ** 12)
        return getattr(self, "of_" + kind, lambda _: self.of(self.named[kind.removeprefix("millrace.")]))(schema)

    def of_null(self, _):
        return None

    def of_boolean(self, _):
        return self.random.random() < 0.5

    def of_int(self, _):
        return self.whole(32)

    def of_long(self, _):
        return self.whole(64)

    def of_double(self, _):
        return self.random.choice([0.0, -1.5, 1e300, 0.1, self.random.uniform(-1e6, 1e6)])

    def of_float(self, _):
        return float(self.random.randint(-1000, 1000)) / 8

    def of_string(self, _):
        return self.text()

    def of_bytes(self, _):
        return self.random.randbytes(self.random.choice([0, 1, 7, 100]))

    def of_fixed(self, schema):
        return self.random.randbytes(schema["size"])

    def of_enum(self, schema):
        return self.random.choice(schema["symbols"])

    def of_array(self, schema):
        return [self.of(schema["items"]) for _ in range(self.random.choice([0, 1, 3]))]

    def of_map(self, schema):
        return {self.text(): self.of(schema["values"]) for _ in range(self.random.choice([0, 1, 3]))}

    def of_record(self, schema):
        return {field["name"]: self.of(field["type"]) for field in schema["fields"]}
