#!/usr/bin/env python3
"""Answers the three questions of read_topic.py from a cell's MongoDB, by the pipelines of ../mongo.

  which routes are slowest, by the p95 of their transactions?
  which actions fail most often?
  which hosts are busiest?

The database merges fragments and adds up histograms; nothing but the answers comes here. Python with: pip install -r requirements.txt
"""
from __future__ import annotations

import argparse
import re
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import report

sys.path.append(str(Path(__file__).resolve().parent.parent / "mongo"))
import pipelines  # noqa: E402

try:
    from pymongo import MongoClient
    from pymongo.collection import Collection
    from pymongo.errors import InvalidURI, OperationFailure, PyMongoError
except ImportError as missing:
    report.stop(f"{missing}: {report.NEEDED}")

ANSWER_MS = 10_000


def answer_of(minutely: Collection, arguments: argparse.Namespace) -> report.Answer:
    end = arguments.end or datetime.now(timezone.utc)
    begin = arguments.begin or end - timedelta(days=1)
    scope = {"site": arguments.site, "from": begin, "to": end}
    limited = {**scope, "limit": arguments.limit}

    def ask(pipeline: str, **values: object) -> list[dict[str, object]]:
        return list(minutely.aggregate(pipelines.load(pipeline, **values), allowDiskUse=True))

    overflow = [window for kind in ("counter", "gauge", "distribution") for window in ask("series", name="__overflow__", kind=kind, tags={}, **scope)]
    return {**scope, "routes": ask("slowest_routes", least=arguments.least, **limited), "error_rates": ask("error_rates", least=arguments.least, **limited),
            "hosts": ask("busiest_hosts", **limited), "overflowed": sum(window["count"] for window in overflow)}


def uri_of(arguments: argparse.Namespace) -> str:
    """A password has no place on a command line, which every user of a machine can read."""
    if arguments.uri_file:
        try:
            return arguments.uri_file.read_text().strip()
        except OSError as error:
            report.stop(f"{arguments.uri_file}: {error.strerror}")
    if re.match(r"[^/]*//[^/]*:[^/]*@", arguments.uri):
        report.stop("a password has no place on a command line: put the URI into a file and name that by --uri-file")
    return arguments.uri


def parse() -> argparse.Namespace:
    made = report.parser(__doc__, "a day before --to")
    read = made.add_argument_group("what is read")
    read.add_argument("--uri", default="mongodb://127.0.0.1:27017", help="of the cell's replica set, without a password (default: %(default)s)")
    read.add_argument("--uri-file", type=Path, metavar="FILE", help="a file with the URI, where it has a password")
    read.add_argument("--database", default="millrace", help="(default: %(default)s)")
    return made.parse_args()


def main() -> int:
    arguments = parse()
    try:
        with MongoClient(uri_of(arguments), serverSelectionTimeoutMS=ANSWER_MS, tz_aware=True) as client:
            minutely = client[arguments.database]["minutely"]
            if minutely.find_one({"site": arguments.site}, {"_id": 1}) is None:
                report.stop(f"{arguments.database}.minutely has nothing of a site {arguments.site}")
            report.show(answer_of(minutely, arguments), arguments.json, arguments.chart)
    except InvalidURI as error:
        report.stop(f"the URI: {error}")
    except OperationFailure as error:
        report.stop(f"the database refuses: {error.details.get('errmsg', error) if error.details else error}")
    except PyMongoError as error:
        report.stop(f"no answer from the database: {str(error).split(', Timeout:')[0]}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        report.stop("stopped", 130)
