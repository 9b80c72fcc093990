"""Minute documents as a reader sees them: fragments merged, compared with a ledger, shown as a table.

Needs pymongo only in its caller: it works on the documents.
"""
import datetime
import math

from .ledger import series_key

COMPARED = ("count", "sum", "min", "max", "last")
COLUMNS = ("name", "tags", "kind", "t", "count", "sum", "min", "max", "mean", "last", "p50", "p99")


def date_of(minute_ms):
    """A minute as MongoDB's drivers take dates: UTC without saying so."""
    return datetime.datetime.fromtimestamp(minute_ms / 1000, datetime.timezone.utc).replace(tzinfo=None)


def _instant(value):
    """last_at as something that compares, whether stored as a date or as a number."""
    return value.timestamp() * 1000 if isinstance(value, datetime.datetime) else value


def merge(documents):
    """{series key: one document}; count and sum add, last is the latest (the greater at the same time).

    Percentiles do not merge without the histogram, and are taken from the largest fragment: for show only."""
    merged = {}
    for document in documents:
        key = series_key(document["name"], document["kind"], document.get("tags", {}))
        one = merged.get(key)
        if one is None:
            merged[key] = {**document, "fragments": 1}
            continue
        if document["count"] > one["count"]:
            one.update({p: document[p] for p in ("p50", "p90", "p95", "p99") if p in document})
        if (_instant(document["last_at"]), document["last"]) > (_instant(one["last_at"]), one["last"]):
            one["last_at"], one["last"] = document["last_at"], document["last"]
        one["count"] += document["count"]
        one["sum"] += document["sum"]
        one["min"] = min(one["min"], document["min"])
        one["max"] = max(one["max"], document["max"])
        one["mean"] = one["sum"] / one["count"]
        one["fragments"] += 1
    return merged


def differences(expected, merged):
    """What keeps the merged documents of a minute from equalling its ledger, as lines; none when they are equal."""
    lines = [f"{key}: not stored" for key in expected.keys() - merged.keys()]
    lines += [f"{key}: stored, but never sent" for key in merged.keys() - expected.keys()]
    for key in expected.keys() & merged.keys():
        for field in COMPARED:
            sent, stored = expected[key][field], merged[key].get(field)
            if sent != stored:
                lines.append(f"{key}: {field} {sent} was sent, {stored} is stored")
        sent = expected[key]["sum"] / expected[key]["count"]
        if not math.isclose(sent, merged[key].get("mean", math.nan), rel_tol=1e-12):
            lines.append(f"{key}: mean {sent} was sent, {merged[key].get('mean')} is stored")
    return sorted(lines)


def counted_too_often(expected, merged):
    """Is there a series with more samples than were sent? Waiting makes that no better."""
    return any(merged[key]["count"] > expected.get(key, {"count": 0})["count"] for key in merged)


def _cell(document, column):
    """One value as text."""
    if column == "tags":
        return " ".join(f"{key}={value}" for key, value in sorted(document.get("tags", {}).items()))
    if column == "t":
        return document["t"].strftime("%H:%M")
    value = document.get(column)
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 1e6 else f"{value:.6g}"
    return str(value)


def table(merged):
    """The documents as lines of text, by name and tags; numbers to the right."""
    documents = sorted(merged.values(), key=lambda d: (d["name"], sorted(d.get("tags", {}).items())))
    rows = [COLUMNS] + [tuple(_cell(document, column) for column in COLUMNS) for document in documents]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    return ["  ".join(text.ljust(width) if column in COLUMNS[:4] else text.rjust(width)
                      for column, text, width in zip(COLUMNS, row, widths)).rstrip() for row in rows]
