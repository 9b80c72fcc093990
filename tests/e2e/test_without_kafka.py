#!/usr/bin/env python3
"""Every program without Kafka: it lives, says why it is not ready, keeps its log short, and ends when it is told to.

No stack is needed: Kafka and the database are a port that is bound and never listens, so that each connection is refused.
"""
import os
import socket
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(Path(__file__).resolve().parent)]
import cases  # noqa: E402
from millrace_local import BINARIES, Process, free_ports  # noqa: E402

PATIENCE_SECONDS = 20
OUTAGE_SECONDS = 6
END_SECONDS = 3
MAX_LINES = 10  # what four clients (ingest has two producers) and the program have to say of one outage
ABOUT_KAFKA = ("event=kafka_client", "event=tables_unavailable")


def get(port, path):
    """(status, body), or (0, "") while nobody listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def log_of_an_outage(name, outage_seconds, *settings):
    """Starts a program, checks its health, ends it after so long an outage; its log."""
    with socket.socket() as closed, tempfile.TemporaryDirectory() as directory:
        closed.bind(("127.0.0.1", 0))
        nobody, admin = f"127.0.0.1:{closed.getsockname()[1]}", free_ports(1)[0]
        settings = [f"kafka.bootstrap.servers={nobody}", f"admin.listen=127.0.0.1:{admin}",
                    *(setting.format(nobody=nobody) for setting in settings)]
        process = Process(name, directory)
        begun = time.monotonic()
        process.start([BINARIES / name, *(word for setting in settings for word in ("--set", setting))],
                      env={key: value for key, value in os.environ.items() if not key.startswith("MILLRACE_")})
        try:
            process.wait_until(lambda: get(admin, "/health/live")[0] == 200, PATIENCE_SECONDS, "alive")
            check_not_ready(admin)
            assert not process.wait_end(max(0, begun + outage_seconds - time.monotonic())), process.log_file.read_text()
            assert get(admin, "/health/live")[0] == 200
            check_not_ready(admin)
            check_end(process)
        finally:
            process.stop()
        return process.log_file.read_text()


def check_not_ready(admin):
    status, reason = get(admin, "/health/ready")
    assert status == 503 and reason.strip(), (status, reason)


def check_end(process):
    begun = time.monotonic()
    assert process.terminate()
    assert process.wait_end(END_SECONDS), f"still there after {END_SECONDS} s:\n{process.log_file.read_text()}"
    print(f"     {process.name} ended after {time.monotonic() - begun:.2f} s", flush=True)
    assert process._child.wait() == 0, process.log_file.read_text()


def check_program(name, *settings):
    log = log_of_an_outage(name, OUTAGE_SECONDS, *settings)
    lines = [line for line in log.splitlines() if any(event in line for event in ABOUT_KAFKA)]
    assert 1 <= len(lines) <= MAX_LINES, f"{len(lines)} lines:\n{log}"
    assert any("event=tables_unavailable" in line for line in lines), log
    assert "TERMINATE" not in log, log
    log_of_an_outage(name, 0, *settings)  # an end at the very beginning


def test_ingest():
    check_program("millrace-ingest", f"push.listen=127.0.0.1:{free_ports(1)[0]}")


def test_processor():
    check_program("millrace-processor")


def test_sink():
    check_program("millrace-sink", "mongo.uri=mongodb://{nobody}/?replicaSet=rs0")


if __name__ == "__main__":
    cases.run(globals())
