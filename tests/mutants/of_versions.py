"""The mutants of how former versions of a record are read: in the generator, as that is where it is decided."""
import dataclasses

from mutant import script, unit


def versions(name, file, find, replace):
    return unit(name, file, find, replace, "common", "test_versions")


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
    versions("rest-begins-at-the-list", "schemas/versions.py", "former.fields[1:], today.fields[1:]", "former.fields, today.fields"),
]
