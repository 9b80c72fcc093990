#!/usr/bin/env python3
"""The Push API against real Kafka: each answer by its name, a 202 only once Kafka has everything, and what Kafka has is what was sent.

Records are read back by confluent-kafka and fastavro and compared with the payloads and with partitions computed here.
"""
import contextlib
import json
import random
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(Path(__file__).resolve().parent)]
import cases  # noqa: E402
from ingest_house import (Call, House, exchange, fingerprint, now_ms, partition_of, site_partitions)  # noqa: E402
from millrace_local import free_base_port, port_is_open  # noqa: E402

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
LIMIT = 256 << 10  # push.max_body_bytes here
BUDGET = 1 << 20
KEY = House.new_key()  # of site shop
AGENT = "00112233445566778899aabbccddeeff"


def gauge(*values, name="m", **tags):
    return {"name": name, "kind": "gauge", "tags": tags, "points": [{"v": v} for v in values]}


def small():
    return {"metrics": [gauge(1.5)]}


def hundred():
    return {"metrics": [gauge(*range(100))]}


def test_not_ready_and_503_before_the_tables_are_there(house):
    """A 401 would make agents give up: without tables nobody's key is known to be wrong."""
    house.main = house.ingest("ingest", f"push.max_body_bytes={LIMIT}", f"push.inflight_budget={BUDGET}")
    answer = house.main.push(KEY, small())
    assert (answer.status, answer.error) == (503, "tables_not_loaded"), answer
    assert 1 <= int(answer.headers["Retry-After"]) <= 30
    assert house.main.admin("/health/ready")[0] == 503
    house.create_topics("main", "old")
    house.put_cell("main")
    house.put_cell("old")
    house.put_cell("unmade", epoch=0)
    house.put_site("shop", [KEY])
    house.main.wait_ready()
    answer = house.main.push(KEY, small())
    assert answer.status == 202 and answer.body == {"accepted": 1, "rejected": [], "rejected_total": 0}, answer


JSON = {"Content-Type": "application/json"}
GOOD = {**JSON, "Authorization": f"Bearer {KEY}"}
REFUSED = [
    ("GET", "/", None, {}, 404, "not_found"),
    ("POST", "/v1/metric", "{}", GOOD, 404, "not_found"),
    ("GET", "/v1/push", None, GOOD, 405, "method_not_allowed"),
    ("DELETE", "/v1/push", None, GOOD, 405, "method_not_allowed"),
    ("POST", "/v1/push", "{}", JSON, 401, "unauthorized"),
    ("POST", "/v1/push", "{}", {**JSON, "Authorization": "Bearer mr_wrong"}, 401, "unauthorized"),
    ("POST", "/v1/push", "{}", {**JSON, "X-Api-Key": KEY[:-1]}, 401, "unauthorized"),
    ("POST", "/v1/push?api_key=mr_wrong", "{}", JSON, 401, "unauthorized"),
    ("POST", "/v1/push", "{}", {**GOOD, "Content-Type": "text/plain"}, 415, "unsupported_type"),
    ("POST", "/v1/push", b"\x1f\x8b", {**GOOD, "Content-Encoding": "br"}, 415, "unsupported_encoding"),
    ("POST", "/v1/push", b"\x1f\x8b", {**GOOD, "Content-Encoding": "gzip"}, 400, "bad_encoding"),
    ("POST", "/v1/push", "", GOOD, 400, "bad_json"),
    ("POST", "/v1/push", "{", GOOD, 400, "bad_json"),
    ("POST", "/v1/push", '{"metrics":[{"name":"m","kind":"gauge","points":[{"v":NaN}]}]}', GOOD, 400, "bad_json"),
    ("POST", "/v1/push", b'{"host":"\xff"}', GOOD, 400, "bad_json"),
    ("POST", "/v1/push", "[]", GOOD, 400, "bad_payload"),
    ("POST", "/v1/push", '{"metrics":[{"points":[{"t":1.5}]}]}', GOOD, 400, "bad_payload"),
    ("POST", "/v1/push", '{"seq":1,"seq":1}', GOOD, 400, "bad_payload"),
    ("POST", "/v1/push", "{}", GOOD, 400, "empty_payload"),
    ("POST", "/v1/push", json.dumps({"seq": 1, **small()}), GOOD, 400, "bad_identity"),
    ("POST", "/v1/push", json.dumps({"created_at": 0, **small()}), GOOD, 400, "created_at_out_of_range"),
    ("POST", "/v1/push", '{"x":' + "[" * (LIMIT - 100), GOOD, 400, "nesting_too_deep"),
    ("POST", "/v1/push", " " * (LIMIT + 1), GOOD, 413, "body_too_large"),
]


def test_answers_by_name(house):
    before = house.main.metric("accepted_samples_total")
    for method, path, body, headers, status, error in REFUSED:
        answer = house.main.request(method, path, body, headers)
        assert (answer.status, answer.error) == (status, error), (method, path, str(body)[:80], answer)
        assert answer.headers["Content-Type"] == "application/json" and answer.body["detail"], answer
    assert house.main.request("GET", "/v1/push", None, GOOD).headers["Allow"] == "POST"
    assert house.main.request("POST", "/v1/push", "{}", JSON).headers["WWW-Authenticate"] == "Bearer"
    answer = house.main.push(KEY, '{"metrics":[{"name":"m","points":[{"v":1},{"v":"1"}]}]}')
    assert answer.body["detail"] == "metrics[0].points[1].v: a number is expected", answer
    assert house.main.metric("accepted_samples_total") == before
    for error in {row[5] for row in REFUSED}:
        assert house.main.metric("refused_requests_total", reason=error) >= 1, error


def test_keys_in_every_place(house):
    body = json.dumps(small())
    for path, headers in (("/v1/push", {"Authorization": f"bearer {KEY}"}), ("/v1/push", {"X-Api-Key": KEY}),
                          (f"/v1/push?api_key={KEY}", {})):
        answer = house.main.request("POST", path, body, {"Content-Type": "Application/JSON; charset=utf-8", **headers})
        assert answer.status == 202, (path, headers, answer)


def head(length, *lines):
    return "\r\n".join(["POST /v1/push HTTP/1.1", "Host: x", f"X-Api-Key: {KEY}", "Content-Type: application/json",
                        *([f"Content-Length: {length}"] if length is not None else []), *lines, "", ""]).encode()


def chunks(body, size):
    pieces = [body[at:at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def test_large_bodies_are_refused_before_or_while_they_arrive(house):
    answer = house.main.raw(head(LIMIT + 1))  # not a byte of the body is sent
    assert (answer.status, answer.error) == (413, "body_too_large"), answer
    answer = house.main.raw(head(10**18, "Expect: 100-continue"))
    assert (answer.status, answer.error) == (413, "body_too_large"), answer
    answer = house.main.raw(head(None, "Transfer-Encoding: chunked") + chunks(b" " * (LIMIT + 1), 10_000))
    assert (answer.status, answer.error) == (413, "body_too_large"), answer
    body = json.dumps(hundred()).encode()
    answer = house.main.raw(head(None, "Transfer-Encoding: chunked") + chunks(body, 7))
    assert (answer.status, answer.body["accepted"]) == (202, 100), answer
    answer = house.main.raw(head(len(body)) + body)
    assert (answer.status, answer.body["accepted"]) == (202, 100), answer
    house.main.settled()


NO_HTTP = [  # what the HTTP library refuses by itself
    (head("abc"), 400), (head(-1), 400), (head(10**30), 413), (b"POST /v1/push HTTP/1.1\r\n\r\n", 400), (b"garbage\r\n\r\n", 400),
    (head(0, *[f"X-{i}: {'y' * 900}" for i in range(200)]), 431), (b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
]


def status_of(house, data):
    """The status in the first line of whatever comes back; None when the connection is closed without one."""
    with socket.create_connection(("127.0.0.1", house.main.push_port), timeout=30) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(data)
        try:
            line = connection.makefile("rb").readline()
        except OSError:
            line = b""
    return int(line.split()[1]) if line.startswith(b"HTTP/1.1 ") else None


def test_what_is_not_http_is_refused_and_harms_nobody(house):
    for data, status in NO_HTTP:
        assert status_of(house, data) in (status, None), (data[:80], status_of(house, data))
        assert house.main.push(KEY, small()).status == 202, data[:80]
    house.main.settled()


def test_a_part_too_large_for_a_record_is_a_413(house):
    own = house.ingest("small-records", "push.max_record_bytes=2000").wait_ready()
    answer = own.push(KEY, {"metrics": [gauge(*range(1000))]})
    assert (answer.status, answer.error) == (413, "record_too_large"), answer
    assert own.metric("refused_samples_total", reason="record_too_large") == 1000
    assert own.push(KEY, {"metrics": [gauge(1)]}).status == 202


def test_bad_samples_are_named_and_the_rest_is_taken(house):
    payload = {"metrics": [gauge(1, 2), {"name": "", "kind": "gauge", "points": [{"v": 1}]},
                           {"name": "c", "kind": "counter", "points": [{"v": 1}, {"v": -1}, {"v": 1, "t": 0}, {}]}],
               "errors": [{"message": "m"}, {"class": "E"}], "check_ins": [{"name": "n", "kind": "sundial", "event": "beat"}, {"name": "n", "kind": "heartbeat", "event": "beat"}]}
    wanted = [("metrics[1]", "name_empty"), ("metrics[2].points[1]", "value_negative"), ("metrics[2].points[2]", "time_too_old"),
              ("metrics[2].points[3]", "value_missing"), ("errors[0]", "event_field_missing"), ("check_ins[0]", "event_field_missing")]
    before = {reason: house.main.metric("rejected_samples_total", reason=reason) for _, reason in wanted}
    answer = house.main.push(KEY, payload)
    assert answer.status == 202 and answer.body["accepted"] == 5 and answer.body["rejected_total"] == 6, answer
    assert [(r["index"], r["reason"]) for r in answer.body["rejected"]] == wanted, answer
    for reason in before:
        gained = house.main.metric("rejected_samples_total", reason=reason) - before[reason]
        assert gained == sum(r == reason for _, r in wanted), reason
    answer = house.main.push(KEY, {"metrics": [{"name": "m", "kind": "gauge", "points": [{}] * 5000}]})
    assert answer.body["rejected_total"] == 5000 and len(answer.body["rejected"]) == 1000, answer


def random_point(rng, kind, now):
    """A good point as JSON says it; values are k/1024, so that they survive any spelling."""
    point = {"t": now - rng.randrange(HOUR_MS)} if rng.random() < 0.8 else {}
    low, high = sorted(rng.randrange(0 if kind == "counter" else -9999, 99999) / 1024 for _ in range(2))
    if rng.random() < 0.5:
        return {**point, "v": rng.choice((low, high))}
    point |= {"count": 4, "sum": low + high + low + high, "min": low, "max": high, "last": high}
    if rng.random() < 0.5:
        point["last_at"] = now - rng.randrange(HOUR_MS)
    if kind == "distribution":
        point["histogram"] = {"scale": rng.randrange(0, 9), "zero": 1, "offset": rng.randrange(-50, 50), "counts": [1, 0, 1],
                              "neg_offset": -3, "neg_counts": [1]}
    return point


def random_payload(rng, now, seq):
    metrics = []
    for _ in range(rng.randrange(1, 40)):
        kind = rng.choice(("counter", "gauge", "distribution"))
        tags = {key: rng.choice(("a", "ü", "", '"\n')) for key in rng.sample(("k1", "k2", "k3", "x.y"), rng.randrange(4))}
        metric = {"points": [random_point(rng, kind, now) for _ in range(rng.randrange(1, 6))], "tags": tags, "kind": kind,
                  "name": f"m.{rng.randrange(12)}"}
        metrics.append({key: metric[key] for key in rng.sample(sorted(metric), 4)})  # fields in any order
    return {"agent_id": AGENT, "seq": seq, "floor": 1, "created_at": now, "metrics": metrics}


def spell(series, t, point):
    """A sample as a text that is the same for the payload's and the record's form."""
    return json.dumps([series["kind"], series["name"], sorted(series["tags"].items()), t, point], sort_keys=True)


def sent_samples(payload, received):
    """What must arrive; received: the default time, read off a record."""
    for metric in payload["metrics"]:
        for point in metric["points"]:
            t = point.get("t", received)
            rest = {key: value for key, value in point.items() if key != "t"}
            if "count" in rest:
                rest.setdefault("last_at", t)
            yield spell(metric, t, rest)


def stored_samples(batch):
    for sample in batch["values"]:
        assert sample["start"] == 0
        yield spell(batch["series"][sample["series"]], sample["t"], {"v": sample["v"]})
    for sample in batch["summaries"]:
        assert sample["start"] == 0 and sample["approximate"] is False
        point = {key: sample[key] for key in ("count", "sum", "min", "max", "last", "last_at")}
        if sample["histogram"] is not None:
            point["histogram"] = sample["histogram"]
        yield spell(batch["series"][sample["series"]], sample["t"], point)


def check_batch(partition, key, batch, site, own):
    """What holds for each record: its own series in its own partition, each once."""
    assert key == site and batch["site"] == site and batch["idempotency_key"] is None
    prints = [series["fingerprint"] for series in batch["series"]]
    assert len(set(prints)) == len(prints) and (prints or batch["home"])
    for series in batch["series"]:
        assert series["fingerprint"] == fingerprint(site, series["kind"], series["name"], series["tags"]), series
        assert partition_of(series["fingerprint"], own) == partition and series["temporality"] == "delta"
        assert list(series["tags"]) == sorted(series["tags"], key=str.encode)


def test_records_hold_what_was_sent_in_the_right_partitions(house):
    key, rng, now = house.new_key(), random.Random(20180419), now_ms()
    house.put_site("oracle", [key], routes=[(0, "main", 5)])
    payloads = {seq: random_payload(rng, now - seq, seq) for seq in range(1, 31)}
    house.main.process.wait_until(lambda: house.main.push(key, payloads[1]).status == 202, 30, "serving the new site")
    for seq in range(1, 31):  # the first one again: a retry
        answer = house.main.push(key, payloads[seq])
        count = sum(len(metric["points"]) for metric in payloads[seq]["metrics"])
        assert answer.status == 202 and answer.body["accepted"] == count and answer.body["rejected"] == [], answer
    own, attempts = site_partitions("oracle", 5), {}
    for partition, record_key, batch in house.records(site="oracle"):
        check_batch(partition, record_key, batch, "oracle", own)
        assert batch["agent_id"].hex() == AGENT and batch["floor"] == 1
        assert batch["created_at"] == payloads[batch["seq"]]["created_at"]
        parts = attempts.setdefault((batch["seq"], batch["received_at"]), {})
        assert partition not in parts  # one record a payload and partition
        parts[partition] = sorted(stored_samples(batch))
    assert len(attempts) == 31
    for (seq, received), parts in attempts.items():
        assert sorted(s for samples in parts.values() for s in samples) == sorted(sent_samples(payloads[seq], received)), seq
    first, again = sorted(received for seq, received in attempts if seq == 1)
    moved = [{p: [s.replace(str(at), "NOW") for s in samples] for p, samples in attempts[1, at].items()} for at in (first, again)]
    assert {p: sorted(s) for p, s in moved[0].items()} == {p: sorted(s) for p, s in moved[1].items()}


def test_history_routes_by_created_at(house):
    key, now = house.new_key(), now_ms()
    switch = (now - HOUR_MS) // MINUTE_MS * MINUTE_MS
    house.put_site("mover", [key], routes=[(0, "old", 2), (switch, "main", 3)])
    house.main.process.wait_until(lambda: house.main.push(key, small()).status == 202, 30, "serving the new site")
    for created, value in ((switch - 1, 1.0), (switch, 2.0), (now, 3.0)):
        assert house.main.push(key, {"created_at": created, "metrics": [gauge(value)]}).status == 202
    found = {cell: [(p, v["v"]) for p, _, batch in house.records(cell, "mover") for v in batch["values"]] for cell in ("old", "main")}
    assert sorted(v for _, v in found["old"]) == [1.0] and sorted(v for _, v in found["main"]) == [1.5, 2.0, 3.0], found
    print_ = fingerprint("mover", "gauge", "m", {})
    assert {p for p, _ in found["old"]} == {partition_of(print_, site_partitions("mover", 2))}
    assert {p for p, _ in found["main"]} == {partition_of(print_, site_partitions("mover", 3))}


def test_keys_and_cells_change_while_it_runs(house):
    first, second = house.new_key(), house.new_key()
    house.put_site("rotor", [first])
    house.main.process.wait_until(lambda: house.main.push(first, small()).status == 202, 30, "serving the first key")
    house.put_site("rotor", [first, second])
    house.main.process.wait_until(lambda: house.main.push(second, small()).status == 202, 30, "serving both keys")
    assert house.main.push(first, small()).status == 202
    house.put_site("rotor", [second])
    house.main.process.wait_until(lambda: house.main.push(first, small()).status == 401, 30, "refusing the revoked key")
    assert house.main.push(second, small()).status == 202
    house.put_site("rotor", [second], disabled=True)
    house.main.process.wait_until(lambda: house.main.push(second, small()).status == 401, 30, "refusing the disabled site")
    house.put_site("rotor", [second], routes=[(0, "unmade", 2)])
    house.main.process.wait_until(lambda: house.main.push(second, small()).status == 503, 30, "knowing the new route")
    assert house.main.push(second, small()).error == "no_route"
    house.write("sites", "rotor", None)
    house.main.process.wait_until(lambda: house.main.push(second, small()).status == 401, 30, "forgetting the site")


def test_one_slow_client_holds_up_nobody(house):
    body = json.dumps(hundred()).encode()
    slow = [socket.create_connection(("127.0.0.1", house.main.push_port), timeout=30) for _ in range(100)]
    for number, connection in enumerate(slow):  # cut off in the head, behind it, in the body
        connection.sendall((head(len(body)) + body)[:(10, len(head(len(body))), 500)[number % 3]])
    connections = [house.main.connect() for _ in range(32)]
    begun = time.monotonic()
    for _ in range(10):
        calls = [Call(house.main.push, KEY, hundred(), connection) for connection in connections]
        assert all(call.result(10).status == 202 for call in calls)
    assert time.monotonic() - begun < 10
    for number, connection in enumerate(slow):
        connection.sendall((head(len(body)) + body)[(10, len(head(len(body))), 500)[number % 3]:])
        assert exchange(connection, b"").status == 202
        connection.close()
    for connection in connections:
        connection.close()
    house.main.settled()


def test_202_only_after_the_acknowledgement(house):
    house.main.settled()
    with house.frozen():
        waiting = Call(house.main.push, KEY, {"metrics": [gauge(4711)]})
        assert not waiting.done(0.5)
        begun = time.monotonic()
        assert house.main.request("GET", "/nothing").status == 404 and house.main.admin("/health/live")[0] == 200
        assert time.monotonic() - begun < 0.8  # nobody else waits
        assert not waiting.done()
    assert waiting.result().status == 202
    assert sum(v["v"] == 4711 for _, _, batch in house.records(site="shop") for v in batch["values"]) == 1


def test_503_while_kafka_does_not_answer_and_recovery_without_restart(house):
    house.main.settled()
    refused = house.main.metric("refused_samples_total", reason="kafka_unavailable")
    with house.frozen():
        begun = time.monotonic()
        calls = [Call(house.main.push, KEY, hundred()) for _ in range(8)]
        gone = socket.create_connection(("127.0.0.1", house.main.push_port))
        body = json.dumps(hundred()).encode()
        gone.sendall(head(len(body)) + body)
        house.main.wait_metric("waiting_connections", 9)
        gone.close()  # its records are in flight: their reports find nobody
        for call in calls:
            answer = call.result(10)
            assert (answer.status, answer.error) == (503, "kafka_unavailable"), answer
            assert 1 <= int(answer.headers["Retry-After"]) <= 30
        assert time.monotonic() - begun < 2, time.monotonic() - begun
        begun = time.monotonic()
        answer = house.main.push(KEY, small())  # whoever comes now is told before the body, if the thread knows already
        assert (answer.status, answer.error) == (503, "kafka_unavailable") and time.monotonic() - begun < 2, answer
        assert house.main.metric("kafka_stalls_total") >= 1
    house.main.settled()
    assert house.main.metric("refused_samples_total", reason="kafka_unavailable") - refused in (900, 901)
    house.main.process.wait_until(lambda: house.main.push(KEY, small()).status == 202, 20, "taking payloads again")


def test_a_cell_without_topics_holds_up_no_other(house):
    key = House.new_key()
    house.put_cell("dead")
    house.put_site("stuck", [key], routes=((0, "dead", 2),))
    house.main.process.wait_until(lambda: house.main.request("GET", "/v1/auth", headers={"X-Api-Key": key}).status == 200, 10, "knowing its key")
    for _ in range(2):  # one that waits until its topic is taken for gone, one that is refused
        answer = house.main.push(key, small())
        assert (answer.status, answer.error) == (503, "kafka_unavailable"), answer
        assert [house.main.push(KEY, small()).status for _ in range(20)] == [202] * 20  # on either thread
    house.main.settled()


def test_bytes_in_flight_have_a_budget(house):
    house.main.settled()
    body = {"metrics": [gauge(1)], "padding": " " * (LIMIT - 1000)}
    with house.frozen():
        calls = [Call(house.main.push, KEY, body) for _ in range(12)]  # one fits: a site's half, less backlog's tenth
        answers = [call.result(10) for call in calls]
        house.main.settled()
    errors = sorted(answer.error for answer in answers)
    assert errors == ["kafka_unavailable"] + ["over_budget"] * 11, errors
    assert all(answer.status == 503 and answer.headers["Retry-After"] for answer in answers)
    house.main.process.wait_until(lambda: house.main.push(KEY, small()).status == 202, 20, "taking payloads again")


def test_counts_are_conserved(house):
    """What it says it accepted is what Kafka has from it; timed-out records may be there too, so sites without them."""
    own = house.ingest("counted").wait_ready()
    key = house.new_key()
    house.put_site("counted", [key])
    own.process.wait_until(lambda: own.push(key, '{"errors":[{}]}').status == 202, 30, "serving the new site")
    for seq in range(1, 21):
        lost = {"agent_id": AGENT, "from_seq": 1, "to_seq": 2, "samples": 3, "attempted": False}
        answer = own.push(key, {"agent_id": AGENT, "seq": seq, "metrics": [gauge(*range(seq)), gauge()], "truncated": [lost]})
        assert answer.status == 202, answer
    stored = [batch for _, _, batch in house.records(site="counted")]
    assert sum(len(batch["values"]) for batch in stored) == own.metric("accepted_samples_total") == 210
    assert own.metric("rejected_samples_total", reason="points_missing") == 20
    assert own.metric("truncated_samples_total") == 60 and own.metric("accepted_requests_total") == 21
    assert own.metric("records_total") == len(stored) and own.metric("refused_samples_total") == 0


def test_the_test_clock_rules_event_times(house):
    start = now_ms() - 100 * 24 * HOUR_MS
    own = house.ingest("virtual", f"clock.start_ms={start}", f"clock.real_ms={now_ms()}", "clock.speed=60", test_clock=True).wait_ready()
    payload = {"metrics": [{"name": "m", "kind": "gauge", "points": [{"t": t, "v": v} for t, v in (
        (now_ms(), 1), (start, 2), (start - 49 * HOUR_MS, 3))] + [{"v": 777}]}]}
    answer = own.push(KEY, payload)
    assert [(r["index"], r["reason"]) for r in answer.body["rejected"]] == [
        ("metrics[0].points[0]", "time_too_new"), ("metrics[0].points[2]", "time_too_old")], answer
    stored = [v["t"] for _, _, batch in house.records(site="shop") for v in batch["values"] if v["v"] == 777]
    assert len(stored) == 1 and start <= stored[0] < start + HOUR_MS


def test_sigterm_drains(house):
    own = house.ingest("drained", "push.stall_timeout=18s", "push.message_timeout=18s").wait_ready()  # a slow machine has its time
    idle = own.connect()
    assert own.push(KEY, small(), idle).status == 202
    with house.frozen():
        waiting = Call(own.push, KEY, {"metrics": [gauge(815)]})
        own.wait_metric("waiting_connections", 1)
        own.process.signal(signal.SIGTERM)
        own.process.wait_until(lambda: "draining" in own.admin("/health/ready")[1], 5, "draining")
        own.process.wait_until(lambda: not port_is_open(own.push_port), 5, "taking no new connections")
        answer = own.push(KEY, small(), idle)  # a connection that was open
        assert (answer.status, answer.error) == (503, "draining"), answer
        assert not waiting.done() and not own.process.wait_end(0), waiting.answer
    assert waiting.result().status == 202
    assert own.process.wait_end(15) and own.process.exit_code == 0, own.process.exit_code
    assert sum(v["v"] == 815 for _, _, batch in house.records(site="shop") for v in batch["values"]) == 1


def test_sigterm_gives_up_on_a_client_that_never_ends(house):
    own = house.ingest("impatient", "push.drain_timeout=1s").wait_ready()
    with socket.create_connection(("127.0.0.1", own.push_port)) as slow:
        slow.sendall(head(1000) + b"{")
        own.wait_metric("inflight_bytes", 1000)
        own.process.signal(signal.SIGTERM)
        assert own.process.wait_end(10) and own.process.exit_code == 0, own.process.exit_code


def test_it_has_lived_through_all_of_this(house):
    """The first process: still the same one, nothing in flight, and it ends in order."""
    house.main.settled()
    assert house.main.admin("/health/ready")[0] == 200
    house.main.process.signal(signal.SIGTERM)
    assert house.main.process.wait_end(15) and house.main.process.exit_code == 0, house.main.process.exit_code


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # a runner whose patience ends must leave no broker behind
    with tempfile.TemporaryDirectory(prefix="millrace-ingest-") as directory, House(directory, free_base_port()) as house:
        cases.run(globals(), house)


if __name__ == "__main__":
    main()
