"""The mutants of how former versions of a record are read, and written where they are pinned: in the generator, as that is where it is decided."""
import dataclasses

from mutant import script, unit


def versions(name, file, find, replace):
    return unit(name, file, find, replace, "common", "test_versions")


def pins(name, file, find, replace):
    return unit(name, file, find, replace, "common", "test_pins")


def upgrade(name, file, find, replace):
    """One that only two builds show."""
    return dataclasses.replace(script(name, file, find, replace, "-"), test='"$MILLRACE_PARTS/venv/bin/python" tests/upgrade/test_upgrade.py')


MUTANTS = [
    upgrade("samples-read-as-todays", "processor/intake.c", "int id = codec_open(record, SAMPLE_BATCH_SCHEMA_ID, &body, err);",
            "int id = codec_open(record, SAMPLE_BATCH_SCHEMA_ID, &body, err) < 0 ? -1 : SAMPLE_BATCH_SCHEMA_ID;"),
    versions("former-version-is-foreign", "common/codec.c", "	if (strcmp(name, expected) != 0)\n", "	if (id != expected_id)\n"),
    versions("any-record-will-do", "common/codec.c", "	if (strcmp(name, expected) != 0)\n", "	if (!*name)\n"),
    versions("newer-is-poison", "common/codec.c", 'return err_set(err, ERR_RETRY, "%s: schema %u is unknown', 'return err_set(err, ERR_REJECT, "%s: schema %u is unknown'),
    versions("read-as-today", "schemas/gen.py", '        lines += [f"\\tcase {version.number}:", ', '        lines += [f"\\tcase 1000{version.number}:", '),
    versions("in-todays-order", "schemas/versions.py", "        for f in former_fields:\n            where", "        for f in sorted(former_fields, key=lambda f: f.name):\n            where"),
    versions("no-defaults", "schemas/versions.py", "            if f.name not in former:\n", "            if f.name in ():\n"),
    versions("gone-ones-are-not-passed", "schemas/versions.py", "                lines += self.skip(f.type)\n", "                lines += []\n"),
    versions("keys-are-not-passed", "schemas/versions.py", '(["(void)codec_read_string(r);"] if isinstance(t, Map) else [])', "[]"),
    versions("todays-null", "schemas/versions.py", "former.type), former.null)", "former.type), today.null)"),
    pins("written-in-todays-order", "schemas/writers.py", "for f in former.fields:\n            if", "for f in sorted(former.fields, key=lambda f: f.name):\n            if"),
    pins("the-gone-are-not-written", "schemas/writers.py", "lines.append(f'codec_write_fixed(", "str(f'codec_write_fixed("),
    pins("todays-null-is-written", "schemas/writers.py", "former.type), former.null)", "former.type), today.null)"),
    pins("what-lies-within-is-todays", "schemas/writers.py", "        if today == former:\n", "        if today == former or isinstance(former, Record):\n"),
    pins("a-list-holds-todays", "schemas/writers.py", "        return Array(self.projected(today.item, former.item))\n", "        return today\n"),
    pins("defaults-without-sign", "schemas/writers.py", "(n << 1) ^ (n >> 63)", "abs(n) << 1"),
    pins("defaults-all-in-utf-8", "schemas/writers.py", '"utf-8" if t == PRIMITIVES["string"] else "latin-1"', '"utf-8"'),
    pins("a-list-without-end", "schemas/writers.py", 'if items else b"") + long(0)', 'if items else long(0))'),
    pins("pinned-in-name-only", "schemas/writers.py", '        lines += [f"\\tcase {writer.number}:", ', '        lines += [f"\\tcase 1000{writer.number}:", '),
    pins("pinned-but-todays-id", "schemas/writers.py", '"\\tcodec_write_header(b, id);"', '"\\tcodec_write_header(b, " + f"{name.upper()}_SCHEMA_ID);"'),
    pins("an-id-of-another-record", "common/pins.c", "	if (!id || !is_of(id, record))\n", "	if (!id || !schema_name(id))\n"),
    pins("the-oldest-is-the-newest", "common/pins.c", "for (uint32_t id = PINS_IDS - 1; id > 0; id--)", "for (uint32_t id = 1; id < PINS_IDS; id++)"),
    pins("twice-will-do", "common/pins.c", "	if (pins[newest])\n", "	if (pins[newest] > PINS_IDS)\n"),
    pins("half-a-list-is-in-force", "common/pins.c", "	pins[newest] = id;\n", "	pins[newest] = id;\n	atomic_store_explicit(&written[newest], id, memory_order_relaxed);\n"),
    pins("pins-stay", "common/pins.c", "		atomic_store_explicit(&written[id], pins[id], memory_order_relaxed);\n", "		if (pins[id])\n			atomic_store_explicit(&written[id], pins[id], memory_order_relaxed);\n"),
    upgrade("aggregates-are-not-pinned", "processor/emit.c", "	return pins_written_id(AGGREGATE_SCHEMA_ID) != AGGREGATE_SCHEMA_ID;", "	return pins_written_id(0) != 0;"),
    unit("pinned-behind-nothing", "processor/emit.c", "		rc = aggregate_encode(&a, out, err);\n", "		buf_clear(out), rc = aggregate_encode(&a, out, err);\n", "processor", "test_emit"),
    unit("exemplars-pinned-wrongly", "processor/specimens.c", "		rc = exemplar_encode(&x, out, err);\n", "		x.epoch = 0, rc = exemplar_encode(&x, out, err);\n", "processor", "test_exemplars"),
    unit("pinned-checked-not-set", "common/program.c", "	if (setup_pins(p, err) < 0)\n", "	if (false && setup_pins(p, err) < 0)\n", "common", "test_program"),
    versions("rest-begins-at-the-list", "schemas/versions.py", "former.fields[1:], today.fields[1:]", "former.fields, today.fields"),
]
