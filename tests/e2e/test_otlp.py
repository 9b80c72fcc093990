"""Any OpenTelemetry client is an agent: two SDKs that we did not write report, and MongoDB holds what they say they have reported.

Python's SDK posts protobuf, JavaScript's JSON in chunked bodies; each with delta and cumulative temporality, with gzip and without, and each is started twice, so
that cumulative counters are reset. A client keeps a ledger of its own, in 1024ths; this script adds up the ledgers and reads documents, and shares no code with
Millrace. Real clients have the real time, so virtual time is let to overtake it: some windows close in time and some are late, which must come to the same.
"""
import collections
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "deploy/local"))
import cases
from millrace_local import Stack, free_base_port
from millrace_local.paths import NODE_MODULES
from pipeline import Pipeline

HERE = pathlib.Path(__file__).resolve().parent
SPEED, LEAD_MINUTES = 20, 9  # virtual time begins so many minutes behind the clients'
CLIENTS = {  # service: (program, temporality, gzip)
    "py-delta": ("py", "DELTA", True),
    "py-cumulative": ("py", "CUMULATIVE", False),
    "js-delta": ("js", "DELTA", False),
    "js-cumulative": ("js", "CUMULATIVE", True),
}
STARTS, ROUNDS, SLOWEST, FIRST = 2, 3, 3, 3


class Run:
    """What all clients of all their starts have written down; and whether virtual time was still behind theirs when they ended, so that no window was late."""

    def __init__(self):
        self.in_time = False
        self.ledgers = collections.defaultdict(list)  # service: one a start


def client(pipeline, service, start, seed):
    """One start of one client; its ledger."""
    program, temporality, gzip = CLIENTS[service]
    settings = {"endpoint": f"http://127.0.0.1:{pipeline.push_port}", "key": pipeline.keys["shop"], "service": service, "temporality": temporality,
                "gzip": gzip, "seed": seed + start, "rounds": ROUNDS}
    command = [sys.executable, HERE / "otel_client.py"] if program == "py" else ["node", HERE / "otel_client.js"]
    environment = {**os.environ, "NODE_PATH": str(NODE_MODULES)}
    done = subprocess.run([*map(str, command), json.dumps(settings)], capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0, f"{service}: exit {done.returncode}\n{done.stderr[-2000:]}"
    assert "rror" not in done.stderr, f"{service} complains: {done.stderr[-2000:]}"
    return json.loads(done.stdout)


def drive(pipeline, run):
    """Every client, all beside one another; the second start of one begins when its first has ended."""
    seed = int(os.environ.get("TEST_SEED", time.time()))
    print(f"TEST_SEED={seed}", flush=True)

    def starts(number, service):
        for start in range(STARTS):
            run.ledgers[service].append(client(pipeline, service, start, seed + 10 * number))

    with concurrent.futures.ThreadPoolExecutor(len(CLIENTS)) as pool:
        for job in [pool.submit(starts, number, service) for number, service in enumerate(CLIENTS)]:
            job.result()
    run.in_time = pipeline.now_ms() < time.time() * 1000
    print(f"virtual time was {'behind' if run.in_time else 'ahead of'} the clients' when they ended", flush=True)


def tags_of(service, tags=()):
    return {**dict(tags), "service.name": service, "deployment.environment": "staging"}


def merged(pipeline):
    """(kind, name, tags): the windows of a series, merged, and all starts of a program, which its cumulative points tell apart."""
    series = {}
    for d in pipeline.database.minutely.find({"site": "shop"}):
        key = d["kind"], d["name"], tuple(sorted((k, v) for k, v in d["tags"].items() if k != "service.instance.id"))
        s = series.setdefault(key, {"count": 0, "sum": 0.0, "last": [], "errors": 0, "octaves": collections.Counter(), "buckets": 0, "approximate": False})
        s["count"] += d["count"]
        s["sum"] += d["sum"]
        s["errors"] += d.get("errors", 0)
        s["approximate"] |= d["approximate"]
        if "last" in d:
            s["last"].append((d["last_at"], d["last"]))
        for n, count in enumerate(d.get("h", {}).get("c", [])):
            s["octaves"][str(-(-(d["h"]["o"] + n + 1) // 32))] += count
            s["buckets"] += count
    return series


def expected_totals(run):
    """(kind, name, tags): what the ledgers of all starts add up to, and the row of the last start."""
    totals = {}
    for service, ledgers in run.ledgers.items():
        for ledger in ledgers:
            for row in ledger["series"]:
                key = row["kind"], row["name"], tuple(sorted(tags_of(service, row["tags"]).items()))
                t = totals.setdefault(key, {"count": 0, "sum": 0, "octaves": collections.Counter(), "temporality": CLIENTS[service][1], "service": service})
                t["count"] += row["count"]
                t["sum"] += row["sum"]
                t["octaves"].update(row["octaves"])
                t["row"] = row
    return totals


def differences(expected, stored):
    """Every series that is not what was reported, as text."""
    wrong = []
    for key, e in expected.items():
        kind, name, _ = key
        s = stored.get(key)
        if s is None:
            wrong.append(f"{key}: nothing is stored")
        elif kind == "counter" and s["sum"] != e["sum"] / 1024:
            wrong.append(f"{key}: {s['sum']} counted of {e['sum'] / 1024}")
        elif kind == "distribution" and (s["count"], s["sum"], s["buckets"]) != (e["count"], e["sum"] / 1024, e["count"]):
            wrong.append(f"{key}: {s['count']} values, sum {s['sum']}, of {e['count']}, {e['sum'] / 1024}")
        elif name == "rpc.duration" and +s["octaves"] != e["octaves"]:
            wrong.append(f"{key}: octaves {s['octaves']}, expected {e['octaves']}")
        elif name == "http.duration" and not s["approximate"]:
            wrong.append(f"{key}: explicit buckets are not called approximate")
        elif name == "shop.temperature" and max(s["last"])[1] != e["row"]["last"] / 1024:
            wrong.append(f"{key}: last {max(s['last'])}, expected {e['row']['last'] / 1024}")
        elif name == "shop.queue" and not queue_is_right(e, s):
            wrong.append(f"{key}: {s}, expected {e}")
    return wrong


def queue_is_right(e, s):
    """A sum that also falls is a gauge: deltas add up to the ledger, totals end at that of the last start. JavaScript reports totals whatever is preferred."""
    return s["sum"] == e["sum"] / 1024 if e["service"] == "py-delta" else max(s["last"])[1] == e["row"]["sum"] / 1024


def derived_expected(run):
    """Of all ledgers: durations by (service, action), failures, errors by (class, action)."""
    durations, failed, errors = collections.defaultdict(list), collections.Counter(), collections.Counter()
    for service, ledgers in run.ledgers.items():
        for ledger in ledgers:
            for t in ledger["transactions"]:
                durations[service, t["action"]].append(t["duration_ms"])
                failed[service, t["action"]] += t["failed"]
            for error in ledger["errors"]:
                errors[service, error["class"], error["action"]] += 1
    return durations, failed, errors


def derived_differences(run, stored):
    durations, failed, errors = derived_expected(run)
    wrong = []
    for (service, action), values in durations.items():
        tags = tuple(sorted(tags_of(service, {"action": action, "namespace": "web"}).items()))
        d, c = stored.get(("distribution", "transaction.duration", tags)), stored.get(("counter", "transaction.count", tags))
        want = (len(values), sum(values), failed[service, action])
        if not d or (d["count"], d["sum"], d["errors"]) != want or not c or (c["sum"], c["errors"]) != (want[0], want[2]):
            wrong.append(f"{service} {action}: durations {d}, count {c}, expected {want}")
    counted = collections.Counter()
    for (kind, name, tags), s in stored.items():
        if name == "error.count":
            tags = dict(tags)
            counted[tags["service.name"], tags["class"], tags.get("action", "")] += s["sum"]
    if counted != errors:
        wrong.append(f"errors {counted}, expected {errors}")
    return wrong


def test_every_series_is_what_the_clients_reported(pipeline, run):
    drive(pipeline, run)
    expected = expected_totals(run)
    deadline = time.monotonic() + 90
    while True:
        pipeline.check_alive()
        stored = merged(pipeline)
        wrong = differences(expected, stored) + derived_differences(run, stored)
        if not wrong or time.monotonic() > deadline:
            break
        time.sleep(1)  # polling a database that cannot notify
    print(f"{len(expected)} series of {len(run.ledgers)} clients, {len(wrong)} differ", flush=True)
    assert not wrong, "\n".join(wrong[:10])


def test_cumulative_points_alone_tell_instances_apart(pipeline, run):
    """By the SDK's own ids: without them, of two that run at a time one would count nothing."""
    def instances(service, name="shop.orders"):
        found = pipeline.database.minutely.find({"site": "shop", "kind": "counter", "name": name})
        return {d["tags"].get("service.instance.id") for d in found if d["tags"]["service.name"] == service}

    cumulative = instances("py-cumulative")
    assert None not in cumulative and len(cumulative) == len(run.ledgers["py-cumulative"]), cumulative
    assert instances("py-delta") == {None}
    assert instances("py-cumulative", "transaction.count") == {None}


def test_nothing_is_stored_that_nobody_reported(pipeline, run):
    known = {(name, dict(tags)["service.name"]) for _, name, tags in expected_totals(run)}
    derived = {"error.count", "transaction.count", "transaction.duration"}
    strange = {key for key in merged(pipeline) if key[1] not in derived and (key[1], dict(key[2])["service.name"]) not in known}
    own = {key for key in strange if key[1].startswith("otel.sdk.")}  # what an SDK reports of itself
    assert not strange - own, strange - own


def wait_documents(pipeline, collection, enough):
    deadline = time.monotonic() + 60
    while True:
        documents = list(pipeline.database[collection].find({"site": "shop"}))
        if enough(documents) or time.monotonic() > deadline:
            return documents
        time.sleep(1)  # as above


def assert_few(documents, most, run):
    """Of each group and minute; of one that was closed already, each checkpoint may add as many."""
    of_minute = collections.Counter((d["group"], d["t"].replace(second=0, microsecond=0)) for d in documents)
    assert max(of_minute.values()) <= most or not run.in_time, of_minute


def test_the_slowest_transactions_are_kept_with_their_spans(pipeline, run):
    slowest = collections.defaultdict(int)
    for ledgers in run.ledgers.values():
        for t in (t for ledger in ledgers for t in ledger["transactions"]):
            slowest[t["action"]] = max(slowest[t["action"]], t["duration_ms"])
    kept = wait_documents(pipeline, "traces", lambda d: all(any(x["action"] == a and x["duration_ms"] == ms for x in d) for a, ms in slowest.items()))
    for action, ms in slowest.items():
        assert any(d["action"] == action and d["duration_ms"] == ms for d in kept), f"{action}: its slowest, {ms} ms, is not among the traces"
    assert_few(kept, SLOWEST, run)
    for d in kept:
        assert [s["name"] for s in d["spans"]] == ["SELECT orders"] and len(d["id"]) == 32 and d["environment"] == "staging", d


def test_errors_group_as_a_person_would(pipeline, run):
    wanted = {"__main__.OutOfStock", "OutOfStock", "KeyError", "TypeError"}
    kept = wait_documents(pipeline, "errors", lambda d: {x["class"] for x in d} >= wanted)
    groups = collections.defaultdict(set)
    for d in kept:
        groups[d["class"], "py" if any(f["file"].endswith(".py") for f in d["backtrace"]) else "js"].add(d["group"])
    assert set(groups) == {("__main__.OutOfStock", "py"), ("OutOfStock", "js"), ("KeyError", "py"), ("TypeError", "js")}, set(groups)
    assert all(len(ids) == 1 for ids in groups.values()), groups
    assert_few(kept, FIRST, run)
    assert {d["revision"] for d in kept} == {"r7"} and {d["host"] for d in kept} == {"web-8", "web-9"}
    for name in ("fail", "log_error", "logError"):
        assert any(name in f.get("function", "") and f["in_app"] for d in kept for f in d["backtrace"]), name


def test_nothing_was_refused_or_set_aside(pipeline, _run):
    assert pipeline.deadletters() == 0
    for name in ("rejected_samples_total", "refused_samples_total"):
        assert pipeline.metric("ingest", f"millrace_ingest_{name}") == 0, name
    pipeline.stop_programs()


def main():
    with tempfile.TemporaryDirectory(prefix="millrace-otlp-") as directory:
        base_port = free_base_port()
        pipeline = Pipeline(directory, base_port, SPEED, 0, {"shop": 2})
        pipeline.stack = Stack(pipeline.directory / "stack", base_port=base_port, clock_speed=SPEED,
                               clock_start_ms=int(time.time() * 1000) - LEAD_MINUTES * 60000)
        with pipeline:
            cases.run(globals(), pipeline, Run())


if __name__ == "__main__":
    main()
