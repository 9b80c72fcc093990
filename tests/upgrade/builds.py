"""The second build: today's sources with one field more in three records, as schemas/README.md says how a field is added.

It lies below build/upgrade/tree and is kept: only files whose text changes are written, so that make compiles what has changed since.
"""
import json
import os
import pathlib
import subprocess

from millrace_local import Failure, ROOT

TREE = ROOT / "build" / "upgrade" / "tree"
SOURCES = ("Makefile", "common", "ingest", "processor", "sink", "deploy/ctl", "schemas")
VERSION = "evolved"  # what the build calls itself, behind the +
BUILD_SECONDS = 1500

# record -> (file, the new field). What is hand-written in the processor knows a field's value, the others leave it at its default.
FIELDS = {"Aggregate": ("aggregate", "revision"), "SampleBatch": ("sample_batch", "weight"), "AlertEvent": ("alert_event", "urgency")}
REVISION = 7
EMIT = (("6 * CODEC_VARINT_BYTES_MAX", "7 * CODEC_VARINT_BYTES_MAX"),
        ("\t*to++ = w->approximate;\n", f"\t*to++ = w->approximate;\n\tto = put_long(to, {REVISION});\n"))


def evolve(files):
    """{name: text} with the new field: each record's schema becomes a former version, and its newest gets the next id."""
    ids = files["schemas/ids"]
    free = max(int(line.split()[0]) for line in ids.splitlines() if line.strip() and not line.startswith("#")) + 1
    for record, (file, field) in FIELDS.items():
        path = f"schemas/{file}.avsc"
        former = next(name for name in (f"{file}.v{n}.avsc" for n in range(1, 100)) if f"schemas/{name}" not in files)
        files[f"schemas/{former}"] = files[path]
        schema = json.loads(files[path])
        schema["fields"].append({"name": field, "type": "long", "default": 0, "doc": "what came with the upgrade"})
        files[path] = json.dumps(schema, indent=1)
        ids = replaced(ids, f" {file}.avsc", f" {former}") + f"{free} {record} {file}.avsc\n"
        free += 1
    files["schemas/ids"] = ids
    for find, replace in EMIT:
        files["processor/emit.c"] = replaced(files["processor/emit.c"], find, replace)
    return files


def replaced(text, find, replace):
    """The text must stand there exactly once: a second build that is the first one would show nothing."""
    if text.count(find) != 1:
        raise Failure(f"{find!r} stands {text.count(find)} times where the second build changes it")
    return text.replace(find, replace)


def sources():
    """{name: text} of the files that make the programs, as they are now."""
    paths = [path for name in SOURCES for path in ((ROOT / name).rglob("*") if (ROOT / name).is_dir() else [ROOT / name])]
    return {str(path.relative_to(ROOT)): path.read_text() for path in paths if path.is_file() and "__pycache__" not in path.parts}


def write(files):
    for name, text in files.items():
        path = TREE / name
        if path.is_file() and path.read_text() == text:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for old in [p for p in TREE.rglob("*") if p.is_file() and p.relative_to(TREE).parts[0] != "build" and "__pycache__" not in p.parts]:
        if str(old.relative_to(TREE)) not in files:
            old.unlink()


def build():
    """The folder of the second build's programs."""
    write(evolve(sources()))
    command = ["nice", "make", "--no-print-directory", f"-j{os.cpu_count()}", f"COMMIT={VERSION}", "programs"]
    done = subprocess.run(command, cwd=TREE, capture_output=True, text=True, timeout=BUILD_SECONDS)
    if done.returncode:
        raise Failure(f"the second build: {done.stdout[-3000:]}{done.stderr[-3000:]}")
    return pathlib.Path(TREE / "build" / "plain" / "bin")
