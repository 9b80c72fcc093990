#!/usr/bin/env python3
"""What operators and readers ask of a sink: controls that pause and drop, retentions that change, and the pipelines of deploy/mongo.

Real Kafka, millrace-ctl, a real database process. Documents are those that the sink writes; what a pipeline must say of them is computed
here, from the records and the words of deploy/mongo/README.md. The local database knows no collMod, and says so: the command's form is
held by tests/unit/sink/test_indexes.c. TEST_SEED repeats a run's choices.
"""
import math
import os
import random
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
os.environ.setdefault("TEST_SEED", str(time.time_ns() % 1_000_000))  # before whoever reads it
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(ROOT / "deploy" / "mongo"), str(Path(__file__).resolve().parent)]
import cases  # noqa: E402
import pipelines  # noqa: E402
from confluent_kafka import Consumer, TopicPartition  # noqa: E402
from millrace_local import BINARIES, Failure, Stack, free_base_port  # noqa: E402
from pymongo import MongoClient  # noqa: E402
from sink_records import (AGGREGATE, DETAILS, START_MS, STORIES, WINDOWS, date, encode, expected_document, expected_exemplar,  # noqa: E402
                          expected_record, quantile, random_aggregate, random_exemplar, random_record, topic_of)
from sink_house import SECONDS, Cell, Sink  # noqa: E402

CTL = BINARIES / "millrace-ctl"
WHY = ("--reason", "a test", "--for", "1h")
EVER = {"from": date(0), "to": date(2 ** 42)}
PERCENTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}


def ctl(cell, *words):
    """millrace-ctl; 0 means also that all live sinks whom it concerns have acknowledged."""
    done = subprocess.run([CTL, "--kafka", cell.kafka, *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def add_cell(stack, name):
    """Its site s1 is known to the control plane, else ctl would take it for a slip of the hand."""
    cell = Cell(stack, name)
    ctl(cell, "site", "add", f"s1-{name}", "--cell", name)
    return cell


def outcomes(sink):
    """Records by what became of them, and how many were read."""
    names = ("stored", "already_stored", "dead_lettered", "dropped")
    return {name: int(sink.metric(f"millrace_sink_{name}_total")) for name in names}, int(sink.metric("millrace_sink_consumed_total"))


def control_time(cell):
    """When Kafka took the last row of millrace.controls, in ms."""
    consumer = Consumer({"bootstrap.servers": cell.kafka, "group.id": "probe", "enable.auto.commit": False})
    try:
        high = consumer.get_watermark_offsets(TopicPartition("millrace.controls", 0), timeout=10)[1]
        consumer.assign([TopicPartition("millrace.controls", 0, high - 1)])
        return consumer.poll(10).timestamp()[1]
    finally:
        consumer.close()


def event_time(sink, event):
    """When the sink logged its last event of this name, in ms."""
    stamp = re.findall(rf"^time=(\S+)Z .*event={event} ", sink.log(), re.M)[-1]
    return datetime.fromisoformat(stamp).replace(tzinfo=timezone.utc).timestamp() * 1000


# Controls

def test_pause_keeps_the_place(stack):
    cell = add_cell(stack, "pause")
    cell.write(100)
    sink = Sink(stack, cell, instance_id="rules").run()
    sink.wait_stored(100)
    sink.wait_heard()
    members, database = cell.members(), stack.databases[0].process
    database.signal(signal.SIGSTOP)  # so that there is something in flight
    try:
        cell.write(200)
        sink.wait_until(lambda: outcomes(sink)[1] == 300, SECONDS, "reading")
        assert "obeyed by sink/rules\n" in ctl(cell, "control", "set", "--on", "sink", "--do", "pause", "--cell", cell.name, *WHY)
    finally:
        database.signal(signal.SIGCONT)
    sink.wait_until(lambda: covers(cell), SECONDS, "committed behind what was in flight")
    assert sink.metric("millrace_sink_paused") == 1
    cell.check()
    taken_ms = event_time(sink, "paused") - control_time(cell)
    print(f"     paused {taken_ms:.0f} ms after Kafka had the control")
    assert taken_ms < 1000, taken_ms
    cell.write(400)
    sink.wait_until(lambda: sink.metric("millrace_sink_lag_records") >= 400, SECONDS, "behind")
    assert sink.metric("millrace_sink_paused") == 1 and outcomes(sink)[1] == 300
    assert cell.members() == members
    status, words = sink.get("/health/ready")
    assert status == 200 and "paused" in words, (status, words)
    # Whoever starts while the control is in force fetches nothing either.
    sink.finish()
    sink.run()
    sink.wait_until(lambda: sink.metric("millrace_sink_paused") == 1 and sink.metric("millrace_sink_lag_records") >= 400, SECONDS, "paused again")
    assert outcomes(sink)[1] == 0
    ctl(cell, "control", "clear", "--on", "sink", "--do", "pause", "--cell", cell.name)
    sink.wait_stored(cell.total())
    sink.wait_committed()
    cell.check()
    status, words = sink.get("/health/ready")
    assert (status, words) == (200, "ready") and sink.metric("millrace_sink_paused") == 0
    # Another cell's pause is none of its business; its own ends by itself.
    ctl(cell, "control", "set", "--on", "sink", "--do", "pause", "--cell", cell.name, "--reason", "short", "--for", "2s")
    cell.write(100)
    sink.wait_stored(cell.total())
    assert "event=control_expired" in sink.log()
    cell.check()
    sink.finish()


def covers(cell):
    """Is every record committed? The ends of transactions behind them are not, as nothing is fetched."""
    committed = cell.committed()
    return all(committed.get((cell.topics[topic_of(kind)], partition), 0) > offset for kind, docs in cell.wanted.items()
               for partition, offset in (struct.unpack(">iq", key[-12:]) for key in docs))


def test_drop_counts_and_goes_on(stack):
    cell = add_cell(stack, "drop")
    site = f"s1-{cell.name}"
    sink = Sink(stack, cell, instance_id="rules").run()
    write_sites(cell, 200, (site, "other"))
    sink.wait_committed()
    sink.wait_heard()
    ctl(cell, "control", "set", "--on", "sink", "--do", "drop", "--site", site, "--kind", "minutely", *WHY)
    before = {kind: set(docs) for kind, docs in cell.wanted.items()}
    write_sites(cell, 400, (site, "other"))
    dropped = forget_new(cell, before, lambda kind, doc: kind == "minutely" and doc["site"] == site)
    sink.wait_committed()
    cell.check()
    what, consumed = outcomes(sink)
    assert dropped > 50 and what["dropped"] == dropped and sum(what.values()) == consumed == 600, (dropped, what, consumed)
    # A kind of all sites, with what nobody can decode, and what a newer build wrote and the partition waits with.
    cell.producer.begin_transaction()
    cell.produce("hourly", struct.pack(">bI", 0, 4711) + b"from the future", partition=1)
    cell.producer.commit_transaction(30)
    sink.wait_until(lambda: sink.metric("millrace_sink_waiting_partitions") == 1, SECONDS, "waiting")
    ctl(cell, "control", "set", "--on", "sink", "--do", "drop", "--kind", "hourly", *WHY)
    before = {kind: set(docs) for kind, docs in cell.wanted.items()}
    cell.producer.begin_transaction()
    cell.produce("hourly", b"\0\0\0\0", partition=2)
    cell.producer.commit_transaction(30)
    write_sites(cell, 200, ("other",))
    dropped += 2 + forget_new(cell, before, lambda kind, doc: kind == "hourly")
    sink.wait_committed()
    cell.check()
    what, consumed = outcomes(sink)
    assert what["dropped"] == dropped and what["dead_lettered"] == 0 and sum(what.values()) == consumed == 802, (dropped, what, consumed)
    sink.wait_until(lambda: sink.metric("millrace_sink_waiting_partitions") == 0, SECONDS, "waiting no more")
    for scope in (("--site", site, "--kind", "minutely"), ("--kind", "hourly")):
        ctl(cell, "control", "clear", "--on", "sink", "--do", "drop", *scope)
    write_sites(cell, 200, (site, "other"))
    sink.wait_committed()
    cell.check()
    what, consumed = outcomes(sink)
    assert what["dropped"] == dropped and sum(what.values()) == consumed == 1002, (dropped, what, consumed)
    assert "ledger_imbalance" not in sink.log()
    sink.finish()


def write_sites(cell, count, sites, change=lambda record: record):
    """Random records of these sites, in one transaction."""
    placed = []

    def note(kind, record):
        return lambda error, message: placed.append((error, kind, record, message.partition(), message.offset()))

    cell.producer.begin_transaction()
    for _ in range(count):
        kind = cell.dice.choice(tuple(WINDOWS))
        record = change({**random_aggregate(cell.dice, kind, next(cell.numbers)), "site": cell.dice.choice(sites)})
        cell.produce(kind, encode(AGGREGATE, record), note(kind, record))
    cell.producer.flush(30)
    cell.producer.commit_transaction(30)
    for error, kind, record, partition, offset in placed:
        assert error is None, error
        doc = expected_document(record, partition, offset)
        cell.wanted[kind][doc.pop("_id")] = doc


def forget_new(cell, before, drops):
    """What was written since, and a control drops, is not wanted; how many that is."""
    gone = [(kind, key) for kind, docs in cell.wanted.items() for key, doc in docs.items() if key not in before[kind] and drops(kind, doc)]
    for kind, key in gone:
        del cell.wanted[kind][key]
    return len(gone)


# Indexes

def test_index_in_the_way(stack):
    """A unique index, and a retention that a server without collMod cannot change: told by name, not ready, until it is dropped."""
    cell = Cell(stack, "indexes")
    with MongoClient(cell.uri) as mongo:
        minutely, hourly = mongo[cell.name].minutely, mongo[cell.name].hourly
        hourly.create_index([("approximate", 1)], unique=True, name="one_only")
        minutely.create_index([("t", 1)], expireAfterSeconds=3600)
        for collection, index, words in ((hourly, "one_only", "index one_only of indexes.hourly is unique"),
                                         (minutely, "t_1", "expires documents after 3600 s, the settings (retention.minutely) say 172800")):
            sink = Sink(stack, cell, instance_id="rules", retention_minutely="2d")
            sink.launch()
            sink.wait_until(lambda: words in sink.log(), SECONDS, "complaining")
            sink.wait_until(lambda: "index in the database" in sink.get("/health/ready")[1], SECONDS, "not ready for it")
            sink.finish()
            collection.drop_index(index)
        sink = Sink(stack, cell, instance_id="rules", retention_minutely="2d").run()
        assert minutely.index_information()["t_1"]["expireAfterSeconds"] == 172800
        assert hourly.index_information()["t_1"]["expireAfterSeconds"] == 400 * 86400
        sink.finish()


# Pipelines

def merged(documents):
    """What README.md says a reader makes of a window's fragments."""
    first = documents[0]
    out = {key: first[key] for key in ("site", "name", "kind", "tags", "t")}
    out |= {"fragments": len(documents), "count": sum(d["count"] for d in documents), "sum": sum(d["sum"] for d in documents),
            "min": min((d["min"] for d in documents if "min" in d), default=None),
            "max": max((d["max"] for d in documents if "max" in d), default=None),
            "errors": sum(d.get("errors", 0) for d in documents),
            "late": any(d["late"] for d in documents), "approximate": any(d["approximate"] for d in documents)}
    out["mean"] = out["sum"] / out["count"]
    latest = max(((d["last_at"], d["last"]) for d in documents if "last" in d), default=None)
    if latest:
        out["last_at"], out["last"] = latest
    histograms = [d["h"] for d in documents if "h" in d]
    out["h"] = add_up(histograms) if histograms else None
    for name, q in PERCENTILES.items():
        out[name] = quantile({"counts": out["h"]["c"], "offset": out["h"]["o"], "neg_counts": out["h"]["nc"], "zero": out["h"]["z"],
                              "neg_offset": out["h"]["no"]}, q, out["min"], out["max"]) if histograms else None
    return out


def add_up(histograms):
    """Bucket by bucket, from dictionaries."""
    whole = {"s": 5, "z": sum(h["z"] for h in histograms)}
    for offset, counts in (("o", "c"), ("no", "nc")):
        buckets = {}
        for h in histograms:
            for i, n in enumerate(h[counts], h[offset]):
                buckets[i] = buckets.get(i, 0) + n
        low = min(buckets, default=0)
        whole |= {offset: low, counts: [buckets[low + i] if low + i in buckets else 0 for i in range(max(buckets, default=-1) - low + 1)]}
    return whole


def key_of(doc):
    return doc["kind"], tuple(doc["tags"].items()), doc["t"]


def groups(documents):
    out = {}
    for doc in documents:
        out.setdefault(key_of(doc), []).append(doc)
    return out


def agree(got, documents, ordered_by):
    """A pipeline's answer against the merged documents, percentiles to the last bits, and in the order that it promises."""
    wanted = {key: merged(group) for key, group in groups(documents).items()}
    assert len(got) == len(wanted) and [key_of(doc) for doc in got] != [], (len(got), len(wanted))
    for doc in got:
        want = wanted[key_of(doc)]
        assert doc.keys() == want.keys(), (doc.keys() ^ want.keys())
        for field, value in want.items():
            near = field in PERCENTILES and value is not None
            assert math.isclose(doc[field], value, rel_tol=1e-12) if near else doc[field] == value, (field, doc[field], value)
    assert got == sorted(got, key=ordered_by)
    return wanted


def few_windows(dice):
    """A change that makes fragments of few windows of few series, some of whose latest samples are of the same time."""
    def change(record):
        tags = dice.choice(({}, {"a.b": "x", "host": "web-1"}, {"a.b": "x", "host": "web-2"}, {"host": "w$b"}))  # the local database evaluates a value "$.."
        return {**record, "name": "m", "tags": tags, "window_start": START_MS + dice.randint(0, 2) * record["window_ms"],
                "last_at": START_MS + dice.randint(1, 3)}
    return change


def test_pipelines_say_what_the_documents_say(stack):
    cell = Cell(stack, "pipelines")
    write_sites(cell, 500, ("s1", "s2"), few_windows(cell.dice))
    cell.write(100)  # of other names
    sink = Sink(stack, cell, instance_id="rules").run()
    sink.wait_committed()
    cell.check()
    of_m = {kind: [d for d in cell.wanted[kind].values() if d["site"] == "s1" and d["name"] == "m"] for kind in WINDOWS}
    with MongoClient(cell.uri) as mongo:
        for collection in WINDOWS:
            ask = mongo[cell.name][collection].aggregate
            documents = of_m[collection]
            windows = check_name_at_minute(ask, documents)
            check_series(ask, documents)
            check_top_tags(ask, documents)
            print(f"     {collection}: {len(documents)} fragments of {windows} windows")
            assert windows < len(documents) / 2  # there was something to merge; of some 125 fragments and 36 windows, as the dice fall
    sink.finish()


def check_name_at_minute(ask, documents):
    windows = 0
    for t in {d["t"] for d in documents}:
        got = list(ask(pipelines.load("name_at_minute", site="s1", name="m", t=t)))
        windows += len(agree(got, [d for d in documents if d["t"] == t], lambda d: -d["sum"]))
    return windows


def check_series(ask, documents):
    begin = sorted({d["t"] for d in documents})[1]  # the first window is out of the range
    for kind, tags in {(d["kind"], tuple(d["tags"].items())) for d in documents}:
        backwards = dict(reversed(tags))  # the order of a caller's tags does not matter
        got = list(ask(pipelines.load("series", site="s1", name="m", kind=kind, tags=backwards, **{**EVER, "from": begin})))
        agree(got, [d for d in documents if d["kind"] == kind and d["tags"] == backwards and d["t"] >= begin], lambda d: d["t"])


def check_top_tags(ask, documents):
    for kind in ("counter", "gauge", "distribution"):
        for tag, limit in (("host", 2), ("a.b", 5), ("none", 5)):
            sums = {}
            for d in documents:
                if d["kind"] == kind and tag in d["tags"]:
                    total = sums.setdefault(d["tags"][tag], [0, 0])
                    total[0] += d["sum"]
                    total[1] += d["count"]
            wanted = sorted(({"value": v, "sum": s, "count": n, "mean": s / n} for v, (s, n) in sums.items()),
                            key=lambda row: (-row["sum"], row["value"]))[:limit]
            got = list(ask(pipelines.load("top_tags", site="s1", name="m", kind=kind, tag=tag, limit=limit, **EVER)))
            assert got == wanted, (got, wanted)


def test_pipelines_of_exemplars(stack):
    """Of few groups and actions; the ranges end amid them."""
    cell = Cell(stack, "specimens")
    records = []
    for n in range(600):
        kind = cell.dice.choice(("errors", "traces"))
        record = random_exemplar(cell.dice, kind, next(cell.numbers))
        record["event"] |= {"group": bytes([n % 7]) * 16, "action": cell.dice.choice(("GET /a", "$b")), "namespace": cell.dice.choice(("web", "job")),
                            "t": START_MS + n * 1000}
        records.append((kind, record))
    cell.commit(cell.begin(records))
    sink = Sink(stack, cell, instance_id="rules").run()
    sink.wait_committed()
    cell.check()
    begin, end = date(START_MS + 100_000), date(START_MS + 500_000)
    found = {kind: [d for d in cell.wanted[kind].values() if d["site"] == "s1" and begin <= d["t"] < end] for kind in ("errors", "traces")}
    with MongoClient(cell.uri) as mongo:
        for action in ("GET /a", "$b"):
            scope = {"site": "s1", "action": action, "from": begin, "to": end}
            check_latest_errors(mongo[cell.name].errors.aggregate, [d for d in found["errors"] if d["action"] == action], scope)
            for namespace in ("web", "job"):
                check_slowest_traces(mongo[cell.name].traces.aggregate, [
                    d for d in found["traces"] if d["action"] == action and d["namespace"] == namespace], {**scope, "namespace": namespace})
    sink.finish()


def check_latest_errors(ask, documents, scope):
    wanted = {}
    for d in sorted(documents, key=lambda d: d["t"]):
        seen = wanted.get(d["group"], {"specimens": 0})["specimens"]
        wanted[d["group"]] = {**{key: d.get(key) for key in ("group", "t", "class", "message", "host", "revision")}, "specimens": seen + 1}
    wanted = sorted(wanted.values(), key=lambda row: row["t"], reverse=True)
    assert len(wanted) == 7 and len(documents) > 14
    for limit in (3, 100):
        got = list(ask(pipelines.load("latest_errors", **scope, limit=limit)))
        assert got == wanted[:limit], (got, wanted)


def check_slowest_traces(ask, documents, scope):
    wanted = sorted(documents, key=lambda d: (-d["duration_ms"], d["t"]))
    assert len(wanted) > 6
    for limit in (5, 1000):
        got = list(ask(pipelines.load("slowest_traces", **scope, limit=limit)))
        assert got == wanted[:limit], (got, wanted)


def test_fields_are_documented(_):
    """The tables of deploy/mongo/README.md have the fields of all documents there can be, and no other."""
    dice, fields, histogram = random.Random(1), set(), set()
    for number in range(300):
        doc = expected_document(random_aggregate(dice, "minutely", number), 0, number)
        fields |= doc.keys()
        histogram |= doc.get("h", {}).keys()
    text = (ROOT / "deploy" / "mongo" / "README.md").read_text()
    assert named(text, "**Aggregates.**", "**Histogram.**") == fields, named(text, "**Aggregates.**", "**Histogram.**") ^ fields
    assert set(re.findall(r"`(\w+)`", re.search(r"`h` is \{(.*?)\}", text)[1])) == histogram


def test_fields_of_exemplars_are_documented(_):
    dice, text = random.Random(1), (ROOT / "deploy" / "mongo" / "README.md").read_text()
    fields, common = {}, named(text, "**Exemplars.**", "| errors |")
    for number in range(2000):
        kind = dice.choice(tuple(DETAILS))
        fields.setdefault(kind, set()).update(fields_of(expected_exemplar(kind, random_exemplar(dice, kind, number), 0, number)))
    for kind, of_kind in fields.items():
        own = named(text, f"| {kind} |", "\n|")
        assert own <= of_kind <= own | common, (kind, own - of_kind, of_kind - own - common)
    assert common <= set().union(*fields.values()), common


def test_fields_of_alerts_are_documented(_):
    dice, text = random.Random(1), (ROOT / "deploy" / "mongo" / "README.md").read_text()
    table = text[text.index("**Alerts and incidents.**"):text.index("**`__overflow__`**")]
    rows = [[cell.strip() for cell in line.split("|")] for line in table.splitlines() if line.startswith("| alerts") or line.startswith("| incidents")]
    for kind in STORIES:
        fields = set().union(*(fields_of(expected_record(kind, random_record(dice, kind, number), 0, number)) for number in range(2000)))
        common, own = ({name for row in rows if kind in row[1] and ("," in row[1]) == shared for name in re.findall(r"`(\w+)`", row[2])} for shared in (True, False))
        assert own | common == fields, (kind, (own | common) ^ fields)


def test_pipelines_of_incidents(stack):
    """Of few incidents with many versions, in any order."""
    cell = Cell(stack, "told")
    records = []
    for n in cell.dice.sample(range(300), 300):
        record = random_record(cell.dice, "incidents", 1 + n % 30)
        records.append(("incidents", {**record, "site": f"s{1 + n % 2}", "version": 1 + n // 30, "opened_at": START_MS + n % 30 * 60_000}))
    cell.commit(cell.begin(records))
    sink = Sink(stack, cell, instance_id="rules").run()
    sink.wait_committed()
    cell.check()
    newest = [d for d in cell.wanted["incidents"].values() if d["site"] == "s1" and d["version"] == 10 and d["state"] == "open"]
    wanted = [{key: d.get(key) for key in ("incident", "version", "t", "trigger", "severity", "description", "condition", "opened_at", "acked_by", "open_alerts", "alerts")}
              for d in sorted(newest, key=lambda d: d["opened_at"], reverse=True)]
    assert wanted
    with MongoClient(cell.uri) as mongo:
        for limit in (2, 100):
            got = list(mongo[cell.name].incidents.aggregate(pipelines.load("open_incidents", site="s1", limit=limit)))
            assert got == wanted[:limit], (got, wanted)
    sink.finish()


def fields_of(doc):
    """Names in the document and in the items of its lists."""
    return set(doc) | {name for value in doc.values() if isinstance(value, list) for item in value if isinstance(item, dict) for name in item}


def named(text, begin, end):
    """The fields that the tables between name: what stands in backquotes in a row's first cell, or its second where the first is a collection."""
    start = text.index(begin)
    stop = text.index(end, start + 1)
    rows = [row.split("|") for row in text[start:stop].splitlines() if row.startswith("|")]
    return {name for row in rows for name in re.findall(r"`(\w+)`", row[2] if row[1].strip() in DETAILS else row[1])}


def test_pipelines_by_hand(_):
    """The command prints what load() gives, and refuses what is not asked for."""
    def run(*words):
        return subprocess.run([sys.executable, ROOT / "deploy" / "mongo" / "pipelines.py", *words], capture_output=True, text=True)

    done = run("series", "site=s", "name=m", "kind=gauge", 'tags={"b": "1", "a": "<site>"}', "from=2026-11-22T01:00+01:00", "to=2026-11-23T00:00Z")
    assert done.returncode == 0 and '"tags": {"$eq": {"a": "<site>", "b": "1"}}' in done.stdout, done
    assert '{"$gte": {"$date": "2026-11-22T00:00:00Z"}, "$lt": {"$date": "2026-11-23T00:00:00Z"}}' in done.stdout, done.stdout
    for words in ((), ("nothing",), ("series", "site=s"), ("merge", "site=s"), ("top_tags", "limit=many")):
        assert run(*words).returncode, words


def main():
    print(f"TEST_SEED={os.environ['TEST_SEED']}")
    with tempfile.TemporaryDirectory(prefix="millrace-rules-") as directory:
        with Stack(directory, base_port=int(os.environ.get("TEST_BASE_PORT", free_base_port(span=80)))) as stack:
            stack.up()
            subprocess.run([CTL, "--kafka", stack.env()["KAFKA"], "topics", "apply", "--replication-factor", "1"], check=True,
                           stdout=subprocess.DEVNULL, timeout=60)
            only = sys.argv[1:]
            try:
                cases.run({n: c for n, c in globals().items() if not only or n in only}, stack)
            finally:
                for sink in Sink.all:
                    sink.kill()


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"{failure}\n0 passed, 1 failed")
