"""Aggregates, exemplars and alerts as a processor may write them, incidents as a notifier may, and the documents that must come of them.

The expectation is computed from the record and its place (partition, offset) alone, by the words of deploy/mongo/README.md: no code
of the sink's takes part.
"""
import datetime
import io
import json
import math
import struct
from pathlib import Path

import fastavro

ROOT = Path(__file__).resolve().parents[2]
WINDOWS = {"minutely": 60_000, "hourly": 3_600_000}
DETAILS = {"errors": "error", "traces": "transaction", "markers": "marker", "checkins": "check_in"}  # of an exemplar, by collection
STORIES = ("alerts", "incidents")
COLLECTIONS = (*WINDOWS, *DETAILS, *STORIES)
EPOCH = -0x1234_5678_9ABC_DEF0
START_MS = 1_795_372_020_000


def schema(name):
    return fastavro.parse_schema(json.loads((ROOT / "schemas" / f"{name}.avsc").read_text()))


def schema_ids():
    """Record name -> id, from the same file the generator reads."""
    rows = (line.split() for line in (ROOT / "schemas" / "ids").read_text().splitlines() if not line.startswith("#"))
    return {row[1]: int(row[0]) for row in rows if row}


AGGREGATE, ALERT_EVENT, CELL, DEAD_LETTER, EXEMPLAR, HEARTBEAT, INCIDENT, NOTICE = (
    schema(n) for n in ("aggregate", "alert_event", "cell", "dead_letter", "exemplar", "heartbeat", "incident", "notice"))
SCHEMAS = {**dict.fromkeys(WINDOWS, AGGREGATE), **dict.fromkeys(DETAILS, EXEMPLAR), "alerts": ALERT_EVENT, "incidents": INCIDENT}  # by collection
IDS = schema_ids()


def encode(parsed, record):
    """The Confluent wire format."""
    out = io.BytesIO()
    out.write(struct.pack(">bI", 0, IDS[parsed["name"].split(".")[-1]]))
    fastavro.schemaless_writer(out, parsed, record)
    return out.getvalue()


def decode(parsed, value):
    assert struct.unpack(">bI", value[:5]) == (0, IDS[parsed["name"].split(".")[-1]]), value[:5]
    return fastavro.schemaless_reader(io.BytesIO(value[5:]), parsed, None)


def random_histogram(dice, count):
    """count values spread over buckets of both signs and zero, as dense lists with zeros inside."""
    lists = {"counts": [0] * dice.randint(1, 40), "neg_counts": [0] * dice.randint(1, 9)}
    zero = 0
    for _ in range(count):
        where = dice.choice(("counts", "counts", "neg_counts", "zero"))
        if where == "zero":
            zero += 1
        else:
            lists[where][dice.randrange(len(lists[where]))] += 1
    return {"scale": 5, "zero": zero, "offset": dice.randint(-200, 200), "neg_offset": dice.randint(-200, 200), **lists}


def random_aggregate(dice, topic, number):
    """Any record a processor may write; values are k/1024, so that sums and means are exact."""
    kind = dice.choice(("counter", "gauge", "distribution"))
    count = dice.randint(1, 60)
    known = dice.random() < 0.8
    low = dice.randint(-2000, 2000) / 1024
    tags = {key: dice.choice(("a", "web-7", "ä€", "")) for key in sorted(dice.sample(("host", "zone", "a.b", "r/x"), dice.randint(0, 3)))}
    return {
        "fingerprint": number.to_bytes(16, "big"), "epoch": EPOCH, "site": dice.choice(("s1", "s2")), "kind": kind,
        "name": f"metric.{dice.randint(0, 20)}", "tags": tags,
        "window_start": START_MS + dice.randint(0, 50) * WINDOWS[topic], "window_ms": WINDOWS[topic], "count": count,
        "sum": dice.randint(-5000, 5000) / 1024, "min": low if known else None, "max": low + 3.5 if known else None,
        "last": low + 1 if known else None, "last_at": START_MS + 77,
        "histogram": random_histogram(dice, count) if kind == "distribution" else None,
        "errors": dice.choice((0, 0, 3)), "late": dice.random() < 0.2, "approximate": dice.random() < 0.2,
    }


def random_text(dice):
    return dice.choice(("", "a", "web-7", "ä€", "$x.y", "a\0b"))


def random_tags(dice):
    return {key: random_text(dice) for key in sorted(dice.sample(("host", "zone", "a.b", "r/x"), dice.randint(0, 3)))}


def random_params(dice):
    """As applications call them."""
    return {key: random_text(dice) for key in dice.sample(("$filter", "a$b", "a\0b", "page", "ä.ö"), dice.randint(0, 3))}


def expected_params(params):
    """Keys that a server may refuse, or that BSON cannot hold, have other signs."""
    return {("\uff04" + key[1:] if key[0] == "$" else key).replace("\0", "\u2400"): value for key, value in params.items()}


def random_texts(dice, *names):
    return {name: random_text(dice) for name in names}


def random_detail(dice, collection):
    if collection == "errors":
        return {**random_texts(dice, "class", "message"), "params": random_params(dice), "backtrace": [
            {**random_texts(dice, "file", "function"), "line": dice.choice((0, 1, 777)), "in_app": dice.random() < 0.5}
            for _ in range(dice.randint(0, 3))], "breadcrumbs": [
            {**random_texts(dice, "category", "action", "message"), "t": START_MS - dice.randint(0, 99), "metadata": random_params(dice)}
            for _ in range(dice.randint(0, 3))]}
    if collection == "traces":
        return {"id": random_text(dice), "duration_ms": dice.randint(0, 9999) / 8, "queue_ms": dice.choice((0.0, 1.5)),
                "failed": dice.random() < 0.5, "spans": [
                    {**random_texts(dice, "id", "parent_id", "name"), "start_ms": dice.randint(0, 99) / 8, "duration_ms": dice.randint(0, 99) / 8,
                     "tags": random_params(dice)} for _ in range(dice.randint(0, 3))]}
    if collection == "markers":
        return random_texts(dice, "revision", "user", "text")
    return {"name": f"job.{dice.randint(0, 3)}", "kind": dice.choice(("cron", "heartbeat")), "event": dice.choice(("start", "finish", "beat"))}


def random_exemplar(dice, collection, number):
    """Any exemplar a processor may write, of the kind that goes to this collection."""
    start = START_MS + dice.randint(0, 50) * 60_000
    group = number.to_bytes(16, "big")
    event = {"group": group, "t": start + dice.randint(0, 59_999), **random_texts(dice, "action", "namespace", "host", "environment", "revision"),
             "tags": random_tags(dice), "shortened": dice.random() < 0.2, **dict.fromkeys(DETAILS.values())}
    event[DETAILS[collection]] = random_detail(dice, collection)
    return {"fingerprint": group, "epoch": EPOCH, "site": dice.choice(("s1", "s2")), "window_start": start, "event": event}


def random_minute(dice):
    return START_MS + dice.randint(0, 50) * 60_000


def random_hash(dice):
    return dice.getrandbits(128).to_bytes(16, "big")


def random_trigger(dice):
    """What alerts and incidents say of theirs."""
    return {**random_texts(dice, "site_name", "description", "condition"), "site": dice.choice(("s1", "s2")), "trigger": dice.choice(("slow", "silent")),
            "cell": "main", "severity": dice.choice(("info", "warning", "critical")), "receivers": dice.choice(([], ["ops"], ["ops", "mail"]))}


def random_series(dice):
    return {"series_kind": dice.choice((None, "counter", "gauge", "distribution")), "name": f"metric.{dice.randint(0, 20)}", "tags": random_tags(dice),
            "value": dice.choice((None, dice.randint(-5000, 5000) / 1024))}


def random_alert(dice, _, number):
    """Any event a processor may write of an alert."""
    return {"id": random_hash(dice), "episode": random_hash(dice), "kind": dice.choice(("opened", "closed", "moved", "summary")), "epoch": EPOCH,
            **random_trigger(dice), **random_series(dice), "warm_up_minutes": dice.randint(1, 9), "cooldown_minutes": dice.randint(1, 9),
            "fingerprint": number.to_bytes(16, "big"), "opened_at": random_minute(dice), "minute": random_minute(dice),
            "reason": dice.choice(("", "recovered")), "opened": dice.randint(0, 3), "closed": dice.randint(0, 3), "at": random_minute(dice) + 77}


def random_incident(dice, _, number):
    """Any incident a notifier may write."""
    def perhaps(value):
        return dice.choice((None, value))

    return {"id": number.to_bytes(16, "big"), **random_trigger(dice), "state": dice.choice(("open", "resolved")), "version": dice.randint(1, 99),
            "changed_version": 1, **{key: random_minute(dice) for key in ("opened_at", "created_at", "updated_at")},
            **{key: perhaps(random_minute(dice)) for key in ("resolved_at", "acked_at")}, **{key: perhaps("somebody") for key in ("acked_by", "ack_reason")},
            "alerts": [{"fingerprint": random_hash(dice), "episode": random_hash(dice), "state": dice.choice(("open", "closed", "moved")), "changed_version": 1, **random_series(dice),
                        "opened_at": random_minute(dice), **{key: perhaps(random_minute(dice)) for key in ("closed_at", "join_until")}}
                       for _ in range(dice.randint(0, 3))],
            **{key: dice.randint(0, 2) for key in ("alerts_total", "open_alerts", "behind_opened", "behind_closed")}}


def random_record(dice, collection, number):
    make = {**dict.fromkeys(WINDOWS, random_aggregate), **dict.fromkeys(DETAILS, random_exemplar), "alerts": random_alert, "incidents": random_incident}
    return make[collection](dice, collection, number)


def topic_of(collection):
    """The last part of the topic's name that such records come from."""
    return "exemplars" if collection in DETAILS else collection


def encode_record(collection, record):
    return encode(SCHEMAS[collection], record)


def bucket_value(index):
    """What lies relatively as far from both ends of bucket index."""
    base = 2 ** (2 ** -5)
    return 2 * base / (base + 1) * 2 ** (index / 32)


def quantile(histogram, q, low, high):
    """The value of rank ceil(q n) of all values in ascending order."""
    steps = [(-bucket_value(histogram["neg_offset"] + i), n) for i, n in enumerate(histogram["neg_counts"])][::-1]
    steps += [(0.0, histogram["zero"])]
    steps += [(bucket_value(histogram["offset"] + i), n) for i, n in enumerate(histogram["counts"])]
    total = sum(n for _, n in steps)
    rank = max(1, math.ceil(q * total))
    for value, n in steps:
        rank -= n
        if rank <= 0:
            return min(max(value, -math.inf if low is None else low), math.inf if high is None else high)
    raise AssertionError("no such rank")


def date(ms):
    return datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=ms)


def document_id(record, partition, offset):
    """By the series or the incident, and a time; an incident does not say its topics' epoch."""
    if "updated_at" in record:
        who, when = record["id"], record["updated_at"]
    else:
        who, when = record["fingerprint"], record["minute"] if "minute" in record else record["window_start"]
    return who + struct.pack(">qqiq", when, record.get("epoch", EPOCH), partition, offset)


def known(fields):
    """Without what is empty; times become dates."""
    return {key: date(value) if key == "t" else expected_params(value) if isinstance(value, dict) else value
            for key, value in fields.items() if value not in ("", {}, [])}


def expected_detail(detail):
    out = {key: value for key, value in detail.items() if not isinstance(value, list)}
    for name in ("backtrace", "breadcrumbs", "spans"):
        if name in detail:
            out[name] = [known({key: value for key, value in item.items() if (key, value) != ("line", 0)}) for item in detail[name]]
    if out.get("queue_ms") == 0:
        del out["queue_ms"]
    return known(out)


def expected_exemplar(collection, record, partition, offset):
    """The same of an exemplar. A marker's own revision goes before the application's."""
    event = record["event"]
    common = {key: value for key, value in event.items() if key not in ("group", "shortened", *DETAILS.values())}
    return {"_id": document_id(record, partition, offset), "site": record["site"], "group": event["group"].hex(), **known(common),
            **({"shortened": True} if event["shortened"] else {}), **expected_detail(event[DETAILS[collection]])}


def without_nothing(fields, *moments):
    """Without what is null or empty; moments become dates, hashes text."""
    return {key: date(value) if key in moments else value.hex() if isinstance(value, bytes) else value
            for key, value in fields.items() if value is not None and value not in ("", {}, [])}


def expected_alert(record, partition, offset):
    """The same of an alert."""
    fields = {key: value for key, value in record.items() if key not in ("id", "episode", "fingerprint", "minute", "cell", "epoch", "opened", "closed")}
    summary = {key: record[key] for key in ("opened", "closed")} if record["kind"] == "summary" else {"series": record["fingerprint"]}
    return {"_id": document_id(record, partition, offset),
            **without_nothing({**fields, **summary, "t": record["minute"], "event": record["id"], "alert": record["episode"]}, "t", "opened_at", "at")}


def expected_incident(record, partition, offset):
    """The same of an incident."""
    moments = ("t", "opened_at", "created_at", "closed_at", "resolved_at", "acked_at", "join_until")
    alerts = [without_nothing({("series" if key == "fingerprint" else "alert" if key == "episode" else key): value for key, value in alert.items()
                               if key != "changed_version"}, *moments)
              for alert in record["alerts"]]
    left_out = {"id", "updated_at", "changed_version", "cell", *(() if record["behind_opened"] or record["behind_closed"] else ("behind_opened", "behind_closed"))}
    fields = {key: value for key, value in record.items() if key not in left_out}
    return {"_id": document_id(record, partition, offset),
            **without_nothing({**fields, "t": record["updated_at"], "incident": record["id"], "alerts": alerts}, *moments)}


def expected_record(collection, record, partition, offset):
    """The document of a record for this collection."""
    if collection in DETAILS:
        return expected_exemplar(collection, record, partition, offset)
    make = {**dict.fromkeys(WINDOWS, expected_document), "alerts": expected_alert, "incidents": expected_incident}
    return make[collection](record, partition, offset)


def expected_document(record, partition, offset):
    """The document of deploy/mongo/README.md, from an aggregate and its place."""
    doc = {"_id": document_id(record, partition, offset), "t": date(record["window_start"]),
           "mean": record["sum"] / record["count"]}
    doc |= {key: record[key] for key in ("site", "name", "kind", "tags", "count", "sum", "late", "approximate")}
    doc |= {key: record[key] for key in ("min", "max", "last") if record[key] is not None}
    if record["last"] is not None:
        doc["last_at"] = date(record["last_at"])
    if record["errors"]:
        doc["errors"] = record["errors"]
    if record["histogram"] is not None:
        histogram = record["histogram"]
        doc["h"] = {"s": histogram["scale"], "z": histogram["zero"], "o": histogram["offset"], "c": histogram["counts"],
                    "no": histogram["neg_offset"], "nc": histogram["neg_counts"]}
        for name, q in (("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)):
            doc[name] = quantile(histogram, q, record["min"], record["max"])
    return doc


def same(got, wanted):
    """Equal, but for percentiles: their logarithms may differ in the last bits."""
    percentiles = ("p50", "p90", "p95", "p99")
    return got.keys() == wanted.keys() and all(
        math.isclose(got[key], wanted[key], rel_tol=1e-12) if key in percentiles else got[key] == wanted[key]
        for key in wanted)
