#!/usr/bin/env python3
"""The tables' file against real Kafka: a start without it knows its sites, nothing empties the table by accident, an operator can.

Rows and controls are written with fastavro.
"""
import hashlib
import signal
import stat
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(Path(__file__).resolve().parent)]
import cases  # noqa: E402
from confluent_kafka.admin import AdminClient  # noqa: E402
from ingest_house import House, now_ms, PATIENCE  # noqa: E402
from millrace_local import free_base_port  # noqa: E402
from processor_cell import Codec  # noqa: E402

SITES = [f"shop-{n}" for n in range(8)]
KEYS = {site: House.new_key() for site in SITES}
GONE, ROTATED = SITES[7], SITES[6]  # changed while ingest was away
OLD_KEY, NEW_KEY = KEYS[ROTATED], House.new_key()
PRUNED, LEFT = SITES[:5], SITES[5:7]
HOUR_MS = 3_600_000
PAYLOAD = {"metrics": [{"name": "m", "kind": "gauge", "tags": {}, "points": [{"v": 1}]}]}


def said(house, key):
    """Status and error that a client with this key is answered."""
    answer = house.main.push(key, PAYLOAD)
    return answer.status, answer.error


def wait_said(house, key, *wanted):
    house.main.process.wait_until(lambda: said(house, key) == wanted, PATIENCE, f"answering {wanted}")


def all_said(house, sites, *wanted):
    for site in sites:
        assert said(house, KEYS[site]) == wanted, (site, said(house, KEYS[site]), wanted)


def stop(house):
    house.main.process.signal(signal.SIGTERM)
    assert house.main.process.wait_end(PATIENCE) and house.main.process.exit_code == 0, house.main.process.exit_code


def held(house, rows):
    house.main.wait_metric("tables_held_rows", rows)


def log_of(house):
    return house.main.process.log_file.read_text(errors="replace")


def test_the_file_is_its_owners(house):
    house.create_topics("main")
    house.put_cell("main")
    for site in SITES:
        house.put_site(site, [KEYS[site]])
    house.file = house.directory / "tables"
    house.main = house.ingest("ingest", f"push.tables_file={house.file}").wait_ready()
    all_said(house, SITES, 202, None)
    house.main.process.wait_until(house.file.exists, PATIENCE, "writing its file")
    assert stat.S_IMODE(house.file.stat().st_mode) == 0o600
    content = house.file.read_bytes()
    for key in KEYS.values():
        assert hashlib.sha256(key.encode()).digest() in content and key.encode() not in content


def test_a_start_without_kafka_knows_its_sites(house):
    """Nobody is told 401: what the file has may be old, and what it lacks may be new."""
    stop(house)
    house.write("sites", GONE, None)
    house.put_site(ROTATED, [NEW_KEY])
    house.stack.down()
    house.main.start()
    assert said(house, KEYS[SITES[0]]) == (503, "kafka_unavailable")
    for key in ("mr_unknown", NEW_KEY):
        assert said(house, key) == (503, "tables_not_loaded")
    assert said(house, OLD_KEY)[0] == 503


def test_kafka_comes_back_without_a_restart(house):
    house.stack.up()
    wait_said(house, KEYS[SITES[0]], 202, None)
    wait_said(house, NEW_KEY, 202, None)
    wait_said(house, "mr_unknown", 401, "unauthorized")
    assert said(house, OLD_KEY) == (401, "unauthorized")
    assert said(house, KEYS[GONE]) == (401, "unauthorized")
    KEYS[ROTATED] = NEW_KEY
    all_said(house, PRUNED + LEFT, 202, None)
    assert house.main.metric("tables_held_rows") == 0


def test_a_shrink_by_half_is_held(house):
    for site in PRUNED:
        house.write("sites", site, None)
    held(house, len(PRUNED))
    all_said(house, PRUNED + LEFT, 202, None)
    assert "event=tables_shrink_held" in log_of(house)
    second = house.new_key()
    house.put_site(LEFT[0], [KEYS[LEFT[0]], second])  # what is no removal goes on
    wait_said(house, second, 202, None)
    house.put_site(LEFT[0], [KEYS[LEFT[0]]])
    wait_said(house, second, 401, "unauthorized")


def test_a_restart_releases_nothing(house):
    stop(house)
    house.main.start().wait_ready()
    held(house, len(PRUNED))
    all_said(house, PRUNED + LEFT, 202, None)


def test_topics_made_again_empty_nothing(house):
    """The reader's position is lost, and it says so by ending; the next start finds topics without rows."""
    admin = AdminClient({"bootstrap.servers": house.kafka})
    for future in admin.delete_topics(["millrace." + name for name in ("cells", "sites", "controls", "heartbeats", "notices")]).values():
        future.result(PATIENCE)
    house.create_topics()
    assert house.main.process.wait_end(PATIENCE) and house.main.process.exit_code == 1, house.main.process.exit_code
    assert "was cut off or made again" in log_of(house)
    house.main.start().wait_ready()
    held(house, len(PRUNED + LEFT) + 1)  # the cell, too
    all_said(house, PRUNED + LEFT, 202, None)
    house.put_cell("main")
    for site in LEFT:
        house.put_site(site, [KEYS[site]])
    held(house, len(PRUNED))
    all_said(house, PRUNED + LEFT, 202, None)


def test_an_operator_confirms(house):
    control = {"id": "ingest/accept_shrink", "on": "ingest", "action": "accept_shrink", "cell": None, "site": None, "kind": None,
               "trigger": None, "reason": "they have left", "author": "test", "created_at": now_ms(), "expires_at": now_ms() + HOUR_MS}
    house.write("controls", control["id"], Codec("Control").encode(control))
    held(house, 0)
    all_said(house, PRUNED, 401, "unauthorized")
    all_said(house, LEFT, 202, None)


def test_a_damaged_file_is_done_without(house):
    stop(house)
    content = bytearray(house.file.read_bytes())
    content[len(content) // 2] ^= 1
    house.file.write_bytes(content)
    house.main.start().wait_ready()
    wait_said(house, KEYS[LEFT[0]], 202, None)
    assert "event=tables_file_ignored" in log_of(house)
    stop(house)
    assert house.file.read_bytes() != content


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # a runner whose patience ends must leave no broker behind
    with tempfile.TemporaryDirectory(prefix="millrace-tables-") as directory, House(directory, free_base_port()) as house:
        cases.run(globals(), house)


if __name__ == "__main__":
    main()
