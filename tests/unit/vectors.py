#!/usr/bin/env python3
"""Computes schemas/vectors.json: fingerprints, shuffle shards and routing, as schemas/README.md defines them.

Which partition a series goes to must never change, whoever computes it: a second spelling of one fingerprint would split a
series in two. So the vectors come from another language and another binding of XXH3 than common/series.c and common/route.c,
which test_series.c holds against them.

Usage: vectors.py            says whether the file is what this script computes
       vectors.py --write    writes it
"""
import json
import pathlib
import struct
import sys

import xxhash

PATH = pathlib.Path(__file__).resolve().parents[2] / "schemas" / "vectors.json"
KINDS = ["counter", "gauge", "distribution"]


def counted(text):
    data = text.encode()
    return struct.pack("<H", len(data)) + data


def fingerprint(site, kind, name, tags):
    canonical = counted(site) + bytes([KINDS.index(kind)]) + counted(name)
    for key in sorted(tags, key=str.encode):
        canonical += counted(key) + counted(tags[key])
    return xxhash.xxh3_128_digest(canonical, seed=0)


def owned(site, partitions, shards):
    def weight(partition):
        return xxhash.xxh3_64_intdigest(site.encode() + b"\0" + struct.pack("<H", partition), seed=0)
    return sorted(sorted(range(partitions), key=lambda p: (-weight(p), p))[:shards])


def index(digest, nr):
    return (int.from_bytes(digest, "big") & (1 << 64) - 1) % nr


def series():
    """Every regime of XXH3 (up to 16, 128, 240, 1024 bytes and beyond), every kind, and what is easily got wrong."""
    for kind in KINDS:
        yield "main", kind, "x", {}
        yield "shop", kind, "http.duration", {"route": "/a", "host": "web-7"}
    yield "", "gauge", "x", {}
    yield "s", "counter", "", {}
    yield "ab", "counter", "c", {}                      # lengths keep these two apart
    yield "a", "counter", "bc", {}
    yield "a", "counter", "b", {"c": "d"}
    yield "a", "counter", "b", {"c": ""}
    yield "a", "counter", "b", {"": "c"}
    yield "a", "counter", "b", {"cd": ""}
    yield "order", "gauge", "m", {"b": "1", "a": "2", "B": "3", "_": "4", "aa": "5", "a.b": "6", "a-b": "7", "a/b": "8", "a:b": "9"}
    yield "order", "gauge", "m", {"k10": "x", "k9": "y", "k1": "z"}
    yield "accents", "gauge", "temperature", {"city": "Zürich"}
    yield "accents", "gauge", "temperature", {"city": "東京"}
    yield "accents", "gauge", "temperature", {"city": "Ελλάδα", "mood": "😀🎉", "nfc": "\u00e9", "nfd": "e\u0301"}
    yield "accents", "gauge", "temperature", {"quote": 'a"b\\c/d', "tab": "a\tb\nc", "del": "\x7f"}
    yield "accents", "gauge", "temperature", {"last": "\U0010ffff", "first-of-2": "\u0080", "first-of-3": "\u0800", "first-of-4": "\U00010000"}
    yield "long", "distribution", "n" * 255, {}
    yield "long", "distribution", "n" * 254, {}
    yield "long", "distribution", "n" * 255, {"k" * 255: "v" * 255}
    yield "long", "distribution", "n", {"k": "é" * 127}
    yield "long", "distribution", "n", {"k" * 254 + "a": "1", "k" * 254 + "b": "2", "k" * 254: "3"}
    yield "s" * 255, "counter", "x", {}
    yield "s" * 256, "counter", "x", {}
    yield "s" * 400, "counter", "x", {"a": "b"}
    yield "many", "counter", "x", {f"tag{i}": str(i) for i in range(32)}
    yield "many", "counter", "x", {f"tag{i}": str(i) for i in range(31)}
    yield "many", "counter", "x", {f"t{i:02d}": "v" * (i * 5) for i in range(32)}
    for length in (1, 8, 9, 110, 121, 122, 220, 233, 234):
        yield "lengths", "gauge", "n" * length, {}


def shards():
    for site in ("demo", "shop", "a", "", "a-much-longer-site-name-0123456789", "s" * 64):
        yield site, 12, 2
        yield site, 12, 5
    yield from (("demo", 1, 1), ("demo", 1, 2), ("demo", 2, 1), ("demo", 3, 9), ("demo", 12, 1), ("demo", 12, 12), ("demo", 64, 8),
                ("demo", 300, 7), ("demo", 1024, 3))


def indexes():
    for digest in (bytes(16), b"\xff" * 16, bytes(15) + b"\1", b"\xff" * 8 + bytes(8), bytes(8) + b"\xff" * 8,
                   bytes(8) + b"\x80" + bytes(7), bytes(range(16)), fingerprint("demo", "gauge", "cpu", {"core": "0"})):
        for nr in (1, 2, 3, 7, 12):
            yield digest, nr


def vectors():
    return {
        "fingerprints": [{"site": s, "kind": k, "name": n, "tags": t, "hex": fingerprint(s, k, n, t).hex()} for s, k, n, t in series()],
        "shards": [{"site": s, "partitions": p, "shards": n, "owned": owned(s, p, n)} for s, p, n in shards()],
        "indexes": [{"hex": d.hex(), "nr": n, "index": index(d, n)} for d, n in indexes()],
    }


def render():
    """One vector a line, so that a difference can be read."""
    lists = [f"{json.dumps(name)}: [\n" + ",\n".join("  " + json.dumps(row, ensure_ascii=False) for row in rows) + "\n]"
             for name, rows in vectors().items()]
    return "{\n" + ",\n".join(lists) + "\n}\n"


def main():
    if sys.argv[1:] == ["--write"]:
        PATH.write_text(render(), encoding="utf-8")
    elif sys.argv[1:]:
        sys.exit(__doc__)
    elif not PATH.is_file() or PATH.read_text(encoding="utf-8") != render():
        sys.exit(f"{PATH.name} is not what this script computes")


if __name__ == "__main__":
    main()
