#!/usr/bin/env python3
"""The pipelines of this folder, with their parameters filled in: for pymongo by load(), for everything else printed.

    db.minutely.aggregate(load("series", site="shop", name="http.duration", kind="distribution", tags={"route": "/a"}, **range))
    pipelines.py top_tags site=shop name=orders kind=counter tag=country from=2026-11-22T00:00Z to=2026-11-23T00:00Z limit=10

Printed is MongoDB's extended JSON: db.minutely.aggregate(EJSON.parse(..)) in mongosh. Arguments of the command are text, but for limit, a number,
tags, a JSON object, and from, to and t, times. from is a keyword in Python: pass it by **{"from": ..}. Needs the standard library alone.
"""
import datetime
import json
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
READ = {"limit": int, "tags": json.loads}  # arguments that are not text


def load(pipeline, **values):
    """The stages of PIPELINE.json, those of files that it names put in, and "<name>" replaced by values["name"]."""
    wanted = set(json.loads((FOLDER / f"{pipeline}.json").read_text())["parameters"])
    if wanted != set(values):
        raise TypeError(f"{pipeline} takes {', '.join(sorted(wanted)) or 'nothing'}; given {', '.join(sorted(values)) or 'nothing'}")
    if "tags" in values:  # the documents' order: a comparison of documents looks at it
        values["tags"] = dict(sorted(values["tags"].items(), key=lambda tag: tag[0].encode()))
    return fill(stages(pipeline), values)


def stages(pipeline):
    """A string in the list of stages stands for the stages of the file of that name."""
    for stage in json.loads((FOLDER / f"{pipeline}.json").read_text())["stages"]:
        if isinstance(stage, str):
            yield from stages(stage)
        else:
            yield stage


def fill(node, values):
    """A copy in which each text that is "<parameter>" is its value, whatever type that has: none is ever taken for a part of the query."""
    if isinstance(node, dict):
        return {key: fill(value, values) for key, value in node.items()}
    if isinstance(node, str) and node[:1] + node[-1:] == "<>" and node[1:-1] in values:
        return values[node[1:-1]]
    return node if isinstance(node, (str, int, float, type(None))) else [fill(item, values) for item in node]


def read_argument(word):
    """name=text as (name, value)."""
    name, _, text = word.partition("=")
    if name in ("from", "to", "t"):
        moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
        return name, {"$date": moment.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")}
    return name, READ.get(name, str)(text)


def main():
    known = sorted(path.stem for path in FOLDER.glob("*.json"))
    if len(sys.argv) < 2 or sys.argv[1] not in known:
        sys.exit(f"usage: pipelines.py {'|'.join(known)} NAME=VALUE ..")
    try:
        print(json.dumps(load(sys.argv[1], **dict(map(read_argument, sys.argv[2:]))), ensure_ascii=False))
    except (TypeError, ValueError) as error:
        sys.exit(f"pipelines.py: {error}")


if __name__ == "__main__":
    main()
