#!/usr/bin/env python3
"""What all programs log in JSON: every line parses, a failure has one line with the ids of what failed, a flood is bounded, and no line is lost in the count.

One pipeline with a log.format=json of its own; cases run in order, and the flood of the first is over by the last.
"""
import collections
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(Path(__file__).resolve().parent)]
import cases  # noqa: E402
from agent_house import Agent  # noqa: E402
from confluent_kafka import Producer  # noqa: E402
from ingest_house import Ingest  # noqa: E402
from millrace_local import BINARIES, free_base_port, free_ports  # noqa: E402
from pipeline import Pipeline  # noqa: E402

AGENT = bytes(range(16)).hex()
BAD, HALF_BAD = 2000, 500  # payloads that are refused, and that are taken but for a sample
BURST, RATE, QUIET_S = 100, 1, 10  # log.burst, log.rate, and when a flood is over
CANARY = "canary-7f3a"  # stands in payloads, and nowhere else
PATIENCE = 40
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def parse(text):
    """Every line of a log; none may be anything else than an object with what each line has, in this order."""
    lines = [json.loads(line) for line in text.split("\n") if line]
    for line in lines:
        assert list(line)[:5] == ["time", "level", "program", "instance", "event"], line
        assert TIME.fullmatch(line["time"]) and line["level"] in ("debug", "info", "warn", "error"), line
        assert re.fullmatch("[a-z][a-z0-9_]*", line["event"]), line
    return lines


def lines_of(process, event=None):
    return [line for line in parse(process.log_file.read_text()) if event in (None, line["event"])]


def told(process, event):
    """(lines of the event, lines kept back) so far."""
    lines = lines_of(process)
    own = [line for line in lines if line["event"] == event]
    summaries = [line for line in lines if line["event"] == "lines_suppressed" and line["of"] == event]
    return len(own), sum(line.get("suppressed", 0) for line in own + summaries)


class Flood:
    """Bad payloads of one agent, each with a number of its own, over one connection."""

    def __init__(self, pipeline):
        self.ingest = Ingest.__new__(Ingest)  # requests alone: the pipeline has the process
        self.ingest.push_port, self.key = pipeline.push_port, pipeline.keys["shop"]
        self.connection = self.ingest.connect()

    def push(self, seq, metric, status):
        answer = self.ingest.push(self.key, {"agent_id": AGENT, "seq": seq, "floor": 1, "created_at": self.now, "metrics": [metric]}, self.connection)
        assert answer.status == status, answer

    def run(self, now):
        self.now, begun = now, time.monotonic()
        for seq in range(1, BAD + 1):
            self.push(seq, {"name": CANARY, "kind": "gauge", "points": [{"v": CANARY}]}, 400)
        for seq in range(BAD + 1, BAD + HALF_BAD + 1):
            self.push(seq, {"name": CANARY, "kind": "gauge", "points": [{"v": 1}, {"v": 1, "t": 1}]}, 202)
        self.seconds = time.monotonic() - begun


def now_ms(pipeline):
    start, real, speed = (float(pipeline.env["CLOCK_" + name]) for name in ("START_MS", "REAL_MS", "SPEED"))
    return int(start + (time.time() * 1000 - real) * speed)


def test_flood_is_bounded_and_has_ids(pipeline):
    process, flood = pipeline.processes["ingest"], Flood(pipeline)
    flood.run(now_ms(pipeline))
    for event, first, last, reason in (("payload_refused", 1, BAD, "bad_payload"), ("samples_rejected", BAD + 1, BAD + HALF_BAD, "time_too_old")):
        lines = lines_of(process, event)
        assert BURST <= len(lines) <= BURST + RATE * (flood.seconds + 1), (event, len(lines), flood.seconds)
        assert len({line["seq"] for line in lines}) == len(lines) and lines[0]["seq"] == first, lines[0]
        for line in lines:
            assert first <= line["seq"] <= last and (line["site"], line["agent_id"], line["reason"]) == ("shop", AGENT, reason), line


def test_dead_letters_have_one_line_each(pipeline):
    """Garbage in three topics: who reads it says where it stood."""
    producer = Producer({"bootstrap.servers": pipeline.env["KAFKA"], "acks": "all", "log_level": 0})
    sent = collections.defaultdict(list)

    def send(topic, *readers):
        def note(error, message):
            assert error is None, error
            for reader in readers:
                sent[reader].append((topic, message.partition(), message.offset()))
        producer.produce(topic, b"\0\0\0\0\4 " + CANARY.encode(), partition=1, on_delivery=note)
    for _ in range(2):
        send("millrace.c.main.samples", "processor")
        send("millrace.c.main.minutely", "sink")
        send("millrace.c.main.alerts", "sink", "notify")
    assert producer.flush(PATIENCE) == 0
    for program, places in sent.items():
        process = pipeline.processes[program]
        process.wait_until(lambda: len(lines_of(process, "record_rejected")) >= len(places), PATIENCE, "refusing records")
        lines = lines_of(process, "record_rejected")
        assert sorted((line["topic"], line["partition"], line["offset"]) for line in lines) == sorted(places), lines
        assert all(line["level"] == "warn" and line["error"] for line in lines), lines


def test_agent_logs_json_too(pipeline):
    """With a key that nobody knows; what it posts first is what it has when it is told to stop."""
    key = pipeline.directory / "key"
    key.touch(0o600)
    key.write_text(f"mr_{CANARY:0<20}")
    agent = Agent("agent", pipeline.directory, f"http://127.0.0.1:{pipeline.push_port}", key, env={"MILLRACE_LOG_FORMAT": "json"})
    agent.process.start(agent.command(), env=agent.env)
    try:
        agent.process.wait_until(lambda: lines_of(agent.process, "started"), PATIENCE, "started")
    finally:
        assert agent.process.stop(PATIENCE) == "stopped"
    assert len(lines_of(agent.process, "key_refused")) == 1, agent.process.log_file.read_text()
    assert {line["program"] for line in lines_of(agent.process)} == {"millrace-agent"} and CANARY not in agent.process.log_file.read_text()


def test_ctl_logs_json_too(pipeline):
    """Its own words are for the person who typed; what its Kafka client says is a log, and there when it is asked for."""
    done = subprocess.run([BINARIES / "millrace-ctl", "--kafka", f"127.0.0.1:{free_ports(1)[0]}", "--set", "log.level=debug", "--set", "log.format=json",
                           "cell", "list"], capture_output=True, text=True, timeout=PATIENCE)
    log = [line for line in done.stderr.splitlines() if not line.startswith("millrace-ctl: ")]
    assert done.returncode != 0 and log and all(line[0] == "{" for line in log), done.stderr
    assert {line["program"] for line in parse("\n".join(log))} == {"millrace-ctl"}, done.stderr


def test_a_start_that_fails_is_json(pipeline):
    """Also of what is refused after the format was read."""
    for program in ("ingest", "processor", "sink", "notify", "agent"):
        done = subprocess.run([BINARIES / f"millrace-{program}", "--set", "admin.listen=nowhere"], capture_output=True, text=True, timeout=PATIENCE)
        line, = parse(done.stderr)
        assert done.returncode == 1 and (line["event"], line["level"], line["program"]) == ("failed", "error", f"millrace-{program}"), line


def test_nothing_is_lost_in_the_count(pipeline):
    process = pipeline.processes["ingest"]
    for event, payloads in (("payload_refused", BAD), ("samples_rejected", HALF_BAD)):
        process.wait_until(lambda: sum(told(process, event)) == payloads, QUIET_S + 5, f"telling how many of {event} it kept back")
    with urllib.request.urlopen(f"http://127.0.0.1:{pipeline.admin_ports['ingest']}/metrics", timeout=5) as answer:
        page = answer.read().decode()
    kept_back = sum(line.get("suppressed", 0) for line in lines_of(process))
    assert f"\nmillrace_log_suppressed_lines_total {kept_back}\n" in page and kept_back >= BAD + HALF_BAD - 2 * BURST - 100, kept_back


def test_every_line_of_every_program_parses(pipeline):
    for program, process in pipeline.processes.items():
        lines = lines_of(process)
        assert lines and {line["program"] for line in lines} == {f"millrace-{program}"}, program
        assert CANARY not in process.log_file.read_text(), program
        assert pipeline.keys["shop"] not in process.log_file.read_text(), program


def test_the_judge_can_say_no(pipeline):
    good = '{"time":"2026-01-01T00:00:00.000Z","level":"info","program":"p","instance":"i","event":"e"}'
    parse(good)
    for bad in ("text", good[:-1], good.replace('"e"', '"E f"'), good.replace("info", "fine"), good.replace('"instance":"i",', "")):
        try:
            parse(bad)
        except (ValueError, AssertionError):
            continue
        raise AssertionError(f"{bad} was taken for a line")


if __name__ == "__main__":
    for name in [name for name in os.environ if name.startswith("MILLRACE_")]:
        if name != "MILLRACE_PARTS":
            del os.environ[name]
    os.environ["MILLRACE_LOG_FORMAT"] = "json"
    with tempfile.TemporaryDirectory(prefix="millrace-logs-") as directory:
        with Pipeline(directory, free_base_port(25500, span=60), 1, 0, {"shop": 1}, notify_settings=()) as up:
            cases.run(globals(), up)
