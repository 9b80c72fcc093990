#!/usr/bin/env python3
"""Who is let in, when, and what becomes of his numbers: keys, identity, clocks, rates, controls, live before backlog, conserved counts.

Controls are written with fastavro here, and by an operator's command in test_ctl_control.py.
"""
import collections
import concurrent.futures
import gzip
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(Path(__file__).resolve().parent)]
import cases  # noqa: E402
import push_pb  # noqa: E402
import zstandard  # noqa: E402
from ingest_house import BINARY, ENVIRONMENT, Call, House, now_ms, site_partitions  # noqa: E402
from millrace_local import free_base_port  # noqa: E402
from processor_cell import Codec  # noqa: E402

KEY, OTHER = House.new_key(), House.new_key()
PACKERS = {"identity": bytes, "gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstandard.compress}
AGENT = "00112233445566778899aabbccddeeff"
HOUR_MS = 3_600_000


def gauge(*values, **point):
    return {"metrics": [{"name": "m", "kind": "gauge", "tags": {}, "points": [{**point, "v": v} for v in values]}]}


def test_it_serves(house):
    house.create_topics("main", "second")
    house.put_cell("main")
    house.put_cell("second")
    house.put_site("shop", [KEY])
    house.put_site("other", [OTHER], routes=[(0, "second", 2)])
    house.token_file = house.directory / "token"
    house.token_file.write_text("0123456789abcdef0123456789abcdef\n")
    house.token_file.chmod(0o600)
    house.main = house.ingest("ingest", f"admin.token_file={house.token_file}", "push.inflight_budget=8Mi").wait_ready()
    assert house.main.push(KEY, gauge(1)).status == 202
    house.main.wait_metric("sites", 2)


def test_auth_tells_whether_a_key_is_good(house):
    answer = house.main.request("GET", "/v1/auth", None, {"X-Api-Key": KEY})
    assert answer.status == 200 and answer.body == {"site": "shop"}, answer
    assert house.main.request("GET", "/v1/auth", None, {"Authorization": f"Bearer {OTHER}"}).body == {"site": "other"}
    assert house.main.request("GET", f"/v1/auth?api_key={KEY}", None, {}).status == 200
    answer = house.main.request("GET", "/v1/auth", None, {"X-Api-Key": "mr_wrong"})
    assert (answer.status, answer.error) == (401, "unauthorized"), answer
    answer = house.main.request("POST", "/v1/auth", "", {"X-Api-Key": KEY})
    assert (answer.status, answer.headers["Allow"]) == (405, "GET"), answer


def test_two_keys_live_side_by_side(house):
    """Rotation: the new key is good before the old one goes."""
    old, new = house.new_key(), house.new_key()
    house.put_site("rotating", [old, new])
    for key in (old, new):
        house.main.process.wait_until(lambda key=key: house.main.push(key, gauge(1)).status == 202, 20, "taking both keys")
    house.put_site("rotating", [new])
    house.main.process.wait_until(lambda: house.main.push(old, gauge(1)).status == 401, 20, "refusing the old key")
    assert house.main.push(new, gauge(1)).status == 202


def test_all_encodings_carry_the_same_samples(house):
    key = house.new_key()
    house.put_site("coder", [key])
    house.main.process.wait_until(lambda: house.main.push(key, gauge(0)).status == 202, 20, "serving the new site")
    now, bodies = now_ms(), {}
    for number, form in enumerate(("application/json", "application/x-protobuf")):
        for encoding in ("identity", "gzip", "deflate", "zstd"):
            value = 100 + len(bodies)
            payload = {"created_at": now, "metrics": [{"name": "coded", "kind": "distribution", "tags": {"form": "x"}, "points": [
                {"t": now, "v": value}, {"t": now, "count": 3, "sum": 6.0, "min": 1.0, "max": 3.0, "last": 3.0, "histogram": {
                    "scale": 5, "zero": 0, "offset": 0, "counts": [1, 1, 1]}}]}]}
            plain = push_pb.encode(payload) if number else json.dumps(payload).encode()
            bodies[value] = (form, encoding)
            answer = house.main.push(key, PACKERS[encoding](plain), Content_Type=form, Content_Encoding=encoding)
            assert (answer.status, answer.body.get("accepted")) == (202, 2), (form, encoding, answer)
    stored = [batch for _, _, batch in house.records(site="coder") if any(s["name"] == "coded" for s in batch["series"])]
    assert sorted(v["v"] for batch in stored for v in batch["values"]) == sorted(bodies)
    first, *others = [(b["series"], b["summaries"], b["created_at"]) for b in stored]
    assert len(others) == 7 and all(other == first for other in others)


def identified(seq, now, floor=1, **fields):
    return {"agent_id": AGENT, "seq": seq, "floor": floor, "created_at": now, **gauge(seq), **fields}


def test_identity_is_judged(house):
    now = now_ms()
    cases_ = [
        (identified(1, now), {}, 202, None), (identified(65537, now), {}, 202, None), (identified(65538, now), {}, 400, "bad_identity"),
        (identified(0, now), {}, 400, "bad_identity"), (identified(3, now, floor=4), {}, 400, "bad_identity"),
        (identified(1, now - 49 * HOUR_MS), {}, 400, "created_at_out_of_range"), (identified(1, now + HOUR_MS), {}, 400, "created_at_out_of_range"),
        (identified(2, now), {"Millrace_Created_At": str(now)}, 202, None),
        (identified(2, now), {"Millrace_Created_At": str(now - 1)}, 400, "created_at_mismatch"),
        (gauge(1), {"Millrace_Created_At": str(now)}, 400, "created_at_mismatch"),
        (gauge(1), {"Millrace_Created_At": "now"}, 400, "bad_header"), (gauge(1), {"Millrace_Sent_At": "-5"}, 400, "bad_header"),
    ]
    for payload, headers, status, error in cases_:
        answer = house.main.push(KEY, payload, **headers)
        assert (answer.status, answer.error) == (status, error), (payload, headers, answer)


def test_a_wrong_clock_is_put_right(house):
    """An agent an hour behind and half an interval: samples move by full steps of 30 s, created_at stays what it was."""
    key = house.new_key()
    house.put_site("skewed", [key])
    house.main.process.wait_until(lambda: house.main.push(key, gauge(1)).status == 202, 20, "serving the new site")
    sent = now_ms() - HOUR_MS - 15_000
    before = house.main.metric("skewed_payloads_total")
    payload = {**identified(1, sent - 1000), **gauge(4711, t=sent - 2000)}
    answer = house.main.push(key, payload, Millrace_Sent_At=str(sent), Millrace_Created_At=str(sent - 1000))
    assert answer.status == 202, answer
    found = [(batch, v) for _, _, batch in house.records(site="skewed") for v in batch["values"] if v["v"] == 4711]
    assert len(found) == 1 and found[0][1]["t"] == sent - 2000 + HOUR_MS and found[0][0]["created_at"] == sent - 1000, found
    assert house.main.metric("skewed_payloads_total") == before + 1


def test_an_agent_is_heard_at_home(house):
    """Each payload with an identity leaves a record in one and the same partition, whatever series it has."""
    key, rng = house.new_key(), random.Random(3)
    house.put_site("homely", [key], routes=[(0, "main", 4)])
    house.main.process.wait_until(lambda: house.main.push(key, gauge(1)).status == 202, 20, "serving the new site")
    for seq in range(1, 21):
        payload = identified(seq, now_ms())
        payload["metrics"][0]["name"] = f"m.{rng.randrange(1000)}"
        assert house.main.push(key, payload).status == 202
    lost = {"agent_id": AGENT, "from_seq": 1, "to_seq": 2, "samples": 3, "attempted": False}
    assert house.main.push(key, {"agent_id": AGENT, "seq": 21, "truncated": [lost]}).status == 202
    own = site_partitions("homely", 4)
    home = own[int(AGENT[16:], 16) % 4]
    records = [(p, b) for p, _, b in house.records(site="homely") if b["agent_id"]]
    assert sorted(b["seq"] for p, b in records if p == home) == list(range(1, 22))
    assert all(b["home"] == (p == home) and (b["series"] or b["home"]) for p, b in records)
    assert house.main.metric("truncated_payloads_total", site="homely") == 2 and house.main.metric("truncated_samples_total", site="homely") == 3


def test_rates_are_held_and_change_at_run_time(house):
    key = house.new_key()
    house.put_site("busy", [key], payloads_per_s=0.2)
    house.main.process.wait_until(lambda: house.main.push(key, gauge(1)).status != 401, 20, "knowing the new site")
    answer = next(a for a in (house.main.push(key, gauge(1)) for _ in range(5)) if a.status != 202)
    assert (answer.status, answer.error) == (429, "payload_rate") and 5 <= int(answer.headers["Retry-After"]) <= 30, answer
    house.put_site("busy", [key], samples_per_s=1.0)
    house.main.process.wait_until(lambda: house.main.push(key, gauge(*range(200))).status == 202, 20, "lifting the limit")
    answer = house.main.push(key, gauge(1))  # 200 samples are a debt of many seconds
    assert (answer.status, answer.error) == (429, "sample_rate") and int(answer.headers["Retry-After"]) >= 25, answer
    assert house.main.push(KEY, gauge(1)).status == 202  # nobody else's concern
    house.put_site("busy", [key])
    house.main.process.wait_until(lambda: house.main.push(key, gauge(1)).status == 202, 20, "without a limit")


class Controls:
    """Rows of millrace.controls."""

    def __init__(self, house):
        self.house, self.codec = house, Codec("Control")

    def record(self, life_ms, action="close", **scope):
        name = "/".join(["ingest", action, *(f"{k}={v}" for k, v in scope.items())])
        now = now_ms()
        return name, self.codec.encode({"id": name, "on": "ingest", "action": action, "cell": scope.get("cell"), "site": scope.get("site"),
                                        "kind": None, "trigger": None, "reason": "a test", "author": "tester", "created_at": now,
                                        "expires_at": now + life_ms})

    def set(self, life_ms=600_000, **scope):
        name, value = self.record(life_ms, **scope)
        self.house.write("controls", name, value)
        return name

    def clear(self, name):
        self.house.write("controls", name, None)


def statuses(house):
    """What the two sites are told."""
    return [house.main.push(key, gauge(1)).error for key in (KEY, OTHER)]


def test_the_valve_closes_within_a_second(house):
    controls = Controls(house)
    for scope, wanted in (({}, ["closed", "closed"]), ({"cell": "second"}, [None, "closed"]), ({"site": "shop"}, ["closed", None])):
        name = controls.set(**scope)
        begun = time.monotonic()
        house.main.process.wait_until(lambda wanted=wanted: statuses(house) == wanted, 10, f"closing for {scope}")
        assert time.monotonic() - begun < 1, (scope, time.monotonic() - begun)
        assert house.main.admin("/health/ready")[0] == 200 and "millrace_ingest" in house.main.admin("/metrics")[1]
        answer = house.main.push(KEY if wanted[0] else OTHER, gauge(1))
        assert answer.status == 503 and 1 <= int(answer.headers["Retry-After"]) <= 30
        controls.clear(name)
        begun = time.monotonic()
        house.main.process.wait_until(lambda: statuses(house) == [None, None], 10, "opening")
        assert time.monotonic() - begun < 1, (scope, time.monotonic() - begun)
    controls.set(life_ms=2000)
    house.main.process.wait_until(lambda: statuses(house) == ["closed", "closed"], 10, "closing")
    house.main.process.wait_until(lambda: statuses(house) == [None, None], 10, "expiring")


def test_the_valve_closes_without_kafka(house):
    """By the operator's command, against the admin port."""
    def ctl(*words):
        done = subprocess.run([BINARY.parent / "millrace-ctl", *words, "--admin", f"http://127.0.0.1:{house.main.admin_port}", "--token-file",
                               house.token_file], capture_output=True, text=True, timeout=30, env=ENVIRONMENT)
        assert done.returncode == 0, done
        return done.stdout

    with house.frozen():
        ctl("control", "set", "--on", "ingest", "--do", "close", "--reason", "a fire", "--for", "10m")
        assert statuses(house) == ["closed", "closed"]
        assert "a fire" in ctl("control", "list")
        ctl("control", "clear", "--on", "ingest", "--do", "close")
        assert house.main.push("mr_wrong", gauge(1)).error in ("unauthorized", "tables_not_loaded")
    house.main.process.wait_until(lambda: statuses(house) == [None, None], 20, "open again")


def test_an_operator_is_told_who_obeys(house):
    """By command over Kafka: the heartbeat acknowledges, a Notice remembers, and the site's new limit is in force."""
    def ctl(*words):
        done = subprocess.run([BINARY.parent / "millrace-ctl", "--kafka", house.kafka, "--author", "tester", *words], capture_output=True,
                              text=True, timeout=60, env=ENVIRONMENT)
        assert done.returncode == 0, done
        return done.stdout

    begun = time.monotonic()
    said = ctl("control", "set", "--on", "ingest", "--do", "close", "--site", "shop", "--reason", "a flood", "--for", "10m")
    assert "obeyed by ingest/" in said and time.monotonic() - begun < 5, said
    assert statuses(house) == ["closed", None]
    assert "1 of 1" in ctl("control", "list")
    ctl("control", "clear", "--on", "ingest", "--do", "close", "--site", "shop")
    assert statuses(house) == [None, None]
    told = [n["event"] for n in house.notices() if n["program"] == "millrace-ingest" and "a flood (tester)" in n["text"]]
    assert told == ["control_set", "control_cleared"], told
    key = house.new_key()
    house.put_site("limited", [key])
    house.main.process.wait_until(lambda: house.main.push(key, gauge(1)).status == 202, 20, "serving the new site")
    ctl("site", "limit", "limited", "--payloads-per-s", "0.1")
    house.main.process.wait_until(lambda: house.main.push(key, gauge(1)).error == "payload_rate", 20, "holding the limit")


def test_live_data_passes_before_backlog(house):
    """With Kafka frozen nothing leaves the budget: backlog fills its half, and live data still comes in."""
    now = now_ms()
    padding = " " * (600 << 10)

    def backlog(number):
        """As bytes, since a refusal of a large body comes before its end."""
        body = json.dumps({**identified(number + 1, now - HOUR_MS), "padding": padding})
        return (f"POST /v1/push HTTP/1.1\r\nHost: x\r\nX-Api-Key: {(KEY, OTHER)[number % 2]}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\nMillrace-Sent-At: {now}\r\nMillrace-Created-At: {now - HOUR_MS}\r\n\r\n{body}").encode()

    own = house.ingest("shared", "push.inflight_budget=16Mi", "push.stall_timeout=6s", "push.message_timeout=8s", "push.threads=4").wait_ready()
    with house.frozen():
        calls = [Call(own.raw, backlog(number)) for number in range(20)]
        own.process.wait_until(lambda: sum(call.done() for call in calls) >= 8, 10, "refusing backlog")
        # Each site may hold 8 MiB, and its backlog half of that: six bodies.
        assert own.metric("inflight_backlog_bytes") <= 8 << 20
        live = Call(own.push, KEY, gauge(1))
        own.process.wait_until(lambda: own.metric("inflight_live_bytes") > 0 or live.done(), 5, "taking live data")
        assert not live.done()  # let in: it waits for Kafka as the others do
    assert live.result().status == 202
    answers = collections.Counter((answer.status, answer.error) for answer in (call.result() for call in calls))
    assert set(answers) == {(202, None), (503, "over_budget")}, answers
    assert own.metric("backlog_requests_total") == answers[202, None]
    own.settled()


def test_counts_are_conserved_per_site(house):
    """Random payloads, good and bad, some refused: received = accepted + rejected + refused for each site, and accepted is what Kafka has."""
    rng = random.Random(7)
    keys = {f"counted-{n}": house.new_key() for n in range(4)}
    for site, key in keys.items():
        house.put_site(site, [key], samples_per_s=0)
    own = house.ingest("accountant", "push.max_record_bytes=3000", "push.metrics_sites_max=3").wait_ready()

    def post(site):
        connection, accepted = own.connect(), 0
        for seq in range(1, 41):
            points = [rng.choice(({"v": 1}, {"v": 2}, {}, {"v": 1, "t": 0})) for _ in range(rng.randrange(1, 30) if rng.random() < 0.9 else 600)]
            payload = {"metrics": [{"name": f"m{seq}", "kind": "gauge", "points": points}]}
            if rng.random() < 0.1:
                payload["seq"] = 5  # no identity: refused, once decoded
            answer = own.push(keys[site], payload, connection)
            accepted += answer.body.get("accepted", 0)
            assert answer.status in (202, 400, 413), answer
        connection.close()
        return accepted

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        accepted = dict(zip(keys, pool.map(post, keys)))
    own.settled()
    labels = own.labels("received_samples_total", "site")
    assert len(labels) == 4 and "__other__" in labels, labels
    for site in labels:
        received, taken, rejected, refused = (own.metric(f"{what}_samples_total", site=site)
                                              for what in ("received", "accepted", "rejected", "refused"))
        assert received == taken + rejected + refused and taken and rejected and refused, (site, received, taken, rejected, refused)
        if site in accepted:
            assert taken == accepted[site]
    assert own.metric("accepted_samples_total") == sum(accepted.values())
    for site in keys:
        assert sum(len(b["values"]) for _, _, b in house.records(site=site)) == accepted[site]


def test_it_has_lived_through_all_of_this(house):
    house.main.settled()
    house.main.process.signal(signal.SIGTERM)
    assert house.main.process.wait_end(15) and house.main.process.exit_code == 0, house.main.process.exit_code


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="millrace-admission-") as directory, House(directory, free_base_port()) as house:
        cases.run(globals(), house)


if __name__ == "__main__":
    main()
