#!/usr/bin/env python3
"""`make run` up to its first push: it stops all it started, whichever way it ends, and keeps its key to itself.

That the first minute is stored as it was sent takes minutes of real time: that is `make run ONCE=1`.
"""
import json
import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(Path(__file__).resolve().parent)]
import cases  # noqa: E402
from millrace_local import Process  # noqa: E402
from millrace_local.programs import Receiver  # noqa: E402

PARTS = ("feeder", "agent", "ingest", "processor", "sink", "notify", "status", "receiver", "database-1", "kafka-1")
START_SECONDS = 180


def start(directory):
    """A run that feeds, and the pids of all it started."""
    run = Process("run", directory.parent).start(
        [sys.executable, ROOT / "deploy" / "local" / "run", "--dir", directory])
    run.wait_until(lambda: "feeding every" in run.log_file.read_text(), START_SECONDS, "feeding")
    return run, {name: int((directory / f"{name}.pid").read_text().split()[0]) for name in PARTS}


def ended(run, pids):
    """Its output, once it and all it started are gone."""
    assert run.wait_end(90), "it does not end"
    left = [name for name, pid in pids.items() if Path(f"/proc/{pid}").exists()]
    assert not left, f"left running: {left}"
    return run.log_file.read_text()


def page_of(run):
    """What the status page answers at the address that the run prints."""
    address = re.search(r"^ +status page +(http://127\.0\.0\.1:\d+)$", run.log_file.read_text(), re.M)[1]
    with urllib.request.urlopen(address, timeout=10) as answer:
        return answer.status, answer.read().decode()


def stop_anyway(run):
    """A case that failed half-way leaves nothing running."""
    if run.pid:
        run.signal(signal.SIGTERM)
        run.wait_end(90)


def test_ctrl_c_stops_everything(directory):
    directory = directory / "interrupted" / "run"
    directory.parent.mkdir()
    run, pids = start(directory)
    try:
        key_file = directory / "key"
        assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
        key = key_file.read_text().strip()
        assert len(key) >= 32
        status, page = page_of(run)
        assert status == 200 and "<html" in page and key not in page, page[:500]
        for pid in (run.pid, *pids.values()):
            assert key.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes(), f"pid {pid} shows the key"
        second = subprocess.run([sys.executable, ROOT / "deploy" / "local" / "run", "--dir", directory],
                                capture_output=True, text=True, timeout=60)
        assert second.returncode != 0 and "another run" in second.stderr, second.stderr
        run.signal(signal.SIGINT)
        output = ended(run, pids)
    finally:
        stop_anyway(run)
    assert run.exit_code == 0, output
    stops = [line.split()[1].rstrip(":") for line in output.splitlines() if line.endswith(": stopped")]
    assert stops == list(PARTS), stops


def test_a_dying_program_ends_the_run(directory):
    directory = directory / "dying" / "run"
    directory.parent.mkdir()
    run, pids = start(directory)
    try:
        os.kill(pids["processor"], signal.SIGKILL)
        output = ended(run, pids)
    finally:
        stop_anyway(run)
    assert run.exit_code == 1, output
    assert "processor has ended by itself (exit code -9)" in output and "event=restored" in output, output


def post(port, body):
    """The status of a POST, whatever it is."""
    try:
        with urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}/alerts", data=body), timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_receiver_says_it_in_a_line_or_two(directory):
    """What it prints of a notification, of one too long, and of what is none; nothing that a terminal would obey."""
    receiver = Receiver(directory / "receiver")
    receiver.start()
    try:
        receiver.wait_ready()
        alert = {"labels": {"alertname": "busy-feeder", "metric": "m", "host": "a\x1b[31m"}, "annotations": {"description": "mean of m > 80 (was 97.5)"},
                 "startsAt": "2026-11-27T12:04:00Z", "endsAt": "0001-01-01T00:00:00Z"}
        body = {"status": "firing", "commonLabels": {"alertname": "busy-feeder", "severity": "warning", "site": "demo"},
                "commonAnnotations": {"summary": "A core"}, "alerts": [alert], "truncatedAlerts": 0}
        assert post(receiver.port, json.dumps(body).encode()) == 204
        told = receiver.news()
        assert re.fullmatch(r"\d\d:\d\d:\d\d FIRING busy-feeder, warning, site demo: A core", told[0]), told
        assert told[1:] == ["  since 12:04 UTC: mean of m > 80 (was 97.5) (host=a?[31m)"] and receiver.news() == [], told
        ended_alert = {**alert, "endsAt": "2026-11-27T12:06:00Z"}
        assert post(receiver.port, json.dumps({**body, "status": "resolved", "alerts": [ended_alert] * 5, "truncatedAlerts": 2}).encode()) == 204
        told = receiver.news()
        assert "RESOLVED" in told[0] and told[1].startswith("  12:04 to 12:06 UTC: ") and told[4:] == ["  and 4 more"], told
        for nothing in (b"", b"{", b"[]", b'{"alerts": []}'):
            assert post(receiver.port, nothing) == 400
    finally:
        assert receiver.process.stop() == "stopped" and receiver.process.exit_code == 0


def main():
    with tempfile.TemporaryDirectory(prefix="millrace-run-") as directory:
        cases.run(globals(), Path(directory))


main()
