#!/usr/bin/env python3
"""docker-compose.yml is valid, and has the properties that its header promises; so is deploy/compose.cell.yml, its second cell.

Judged by the real Compose, run without an engine: `config` resolves anchors, defaults and overrides as `up` would.
"""
import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(ROOT / "tests" / "e2e")]
import cases  # noqa: E402
from millrace_local import BINARIES, PARTS  # noqa: E402

PROGRAMS = ("ingest", "processor", "sink", "notify")
ONE_SHOT = ("setup", "mongo-setup")
UNITS = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}


def compose(*words, **env):
    """Runs docker-compose on the project's file with an environment that has nothing of Millrace's but env."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("MILLRACE_", "COMPOSE_"))}
    return subprocess.run([PARTS / "venv" / "bin" / "docker-compose", "-f", ROOT / "docker-compose.yml", *words],
                          env={**clean, **env}, capture_output=True, text=True)


SECOND_CELL = ("-f", ROOT / "deploy" / "compose.cell.yml")


def services(*files, **env):
    """The services as Compose understands them, all profiles included."""
    done = compose(*files, "--profile", "*", "config", "--format", "json", **env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["services"]


def test_is_valid():
    done = compose("config", "-q")
    assert done.returncode == 0 and not done.stderr, done.stderr


def test_the_judge_can_say_no():
    done = subprocess.run([PARTS / "venv" / "bin" / "docker-compose", "-f", "-", "config", "-q"],
                          input="services: {ingest: {imagee: x}}", capture_output=True, text=True)
    assert done.returncode != 0


def test_programs_scale():
    for name in PROGRAMS:
        service = services()[name]
        assert "container_name" not in service and "hostname" not in service, name
        assert service["command"] == [f"millrace-{name}"], service["command"]
    all_services = services()
    assert not any(all_services[name].get("ports") for name in PROGRAMS if name != "ingest")
    for port in all_services["ingest"]["ports"]:
        assert port["host_ip"] == "127.0.0.1", port
        first, last = (int(word) for word in port["published"].split("-"))
        assert last > first, f"{port}: a fixed port lets only one ingest start"


def test_nothing_else_is_published():
    published = {name for name, service in services().items() if service.get("ports")}
    assert published == {"ingest"}, published


def test_stops_with_time_to_drain():
    for name, service in services().items():
        if name in (*PROGRAMS, "kafka", "mongo"):
            grace = service["stop_grace_period"]
            seconds = sum(int(n) * {"m": 60, "s": 1}[unit] for n, unit in re.findall(r"(\d+)([ms])", grace))
            assert seconds >= 30, (name, grace)


def test_memory_is_a_budget():
    """80 % of the limit for a program, no swap for anyone."""
    for name, service in services().items():
        assert service["memswap_limit"] == service["mem_limit"], name
        if name in PROGRAMS:
            number, unit = re.fullmatch(r"(\d+)([KMG]i)", service["environment"]["MILLRACE_MEMORY_BUDGET"]).groups()
            assert int(number) * UNITS[unit] * 10 == int(service["mem_limit"]) * 8, (name, service["mem_limit"])


def test_kafka_is_as_in_local_stacks():
    environment = services()["kafka"]["environment"]
    assert environment["KAFKA_TRANSACTION_ABORT_TIMED_OUT_TRANSACTION_CLEANUP_INTERVAL_MS"] == "1000"
    assert environment["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    assert environment["KAFKA_PROCESS_ROLES"] == "broker,controller"


def test_starts_in_order():
    all_services = services()

    def waits_for(name, other):
        return all_services[name]["depends_on"].get(other, {}).get("condition")

    for name in PROGRAMS:
        assert waits_for(name, "setup") == "service_completed_successfully", name
    assert waits_for("sink", "mongo-setup") == "service_completed_successfully"
    assert waits_for("setup", "kafka") == waits_for("mongo-setup", "mongo") == "service_healthy"
    for name in (*PROGRAMS, "kafka", "mongo"):
        assert all_services[name]["healthcheck"]["test"], name
    for name in ONE_SHOT:
        assert all_services[name]["restart"] == "no", name


def test_only_the_sink_reaches_the_database():
    """L1: between agent and alert nobody can wait for it."""
    beside = {name for name, service in services().items() if "store" in service["networks"]}
    assert beside == {"mongo", "mongo-setup", "sink"}, beside


def test_second_cell_stands_apart():
    """It adds what a cell has, changes nothing of the first one's, and meets it at Kafka alone (L5)."""
    first, both = services(), services(*SECOND_CELL)
    added = {name: service for name, service in both.items() if name not in first}
    assert {name: both[name] for name in first} == first
    assert set(added) == {"mongo-other", "mongo-other-setup", "setup-other", "processor-other", "sink-other", "notify-other"}, set(added)
    assert {name for name, s in both.items() if "store-other" in s["networks"]} == {"mongo-other", "mongo-other-setup", "sink-other"}
    assert set(added["sink-other"]["networks"]) == {"stream", "store-other"}
    for name in ("processor-other", "sink-other", "notify-other"):
        environment = added[name]["environment"]
        assert environment["MILLRACE_CELL"] == "other" and "/mongo:" not in json.dumps(environment), environment
        assert "setup-other" in added[name]["depends_on"]
    assert not {v["source"] for v in added["mongo-other"]["volumes"]} & {v["source"] for v in first["mongo"]["volumes"]}
    assert added["setup-other"]["command"][-5:-2] == ["cell", "add", "other"]
    uri = "mongodb://user:hidden@elsewhere/"
    assert {n for n, s in services(*SECOND_CELL, MILLRACE_MONGO_URI_OTHER=uri).items() if uri in json.dumps(s)} == {"sink-other"}


def test_no_secret_in_the_file():
    """A database's password comes from the environment alone, and reaches the sink alone."""
    text = (ROOT / "docker-compose.yml").read_text() + (ROOT / "deploy" / "compose.cell.yml").read_text()
    assert not re.search(r"(?i)mongodb://[^/\s]*@|(password|secret|token)\s*[:=]\s*\S", text)
    uri = "mongodb://user:hidden@elsewhere/"
    with_secret = services(MILLRACE_MONGO_URI=uri)
    assert {name for name, service in with_secret.items() if uri in json.dumps(service)} == {"sink"}


def test_secrets_of_receivers_are_files():
    """In a volume, or in the folder that the environment names; where the notifier looks for them, and cannot write; nobody else has it."""
    for folder, kind in ((None, "volume"), ("/srv/keys", "bind")):
        with_folder = services(**({"MILLRACE_NOTIFY_SECRETS": folder} if folder else {}))
        assert {name for name, service in with_folder.items() if "notify" in json.dumps(service.get("volumes", []))} == {"notify"}
        volume, = with_folder["notify"]["volumes"]
        assert volume["target"] == with_folder["notify"]["environment"]["MILLRACE_NOTIFY_SECRETS_DIR"] and volume["read_only"], volume
        assert (volume["type"], volume["source"]) == (kind, folder or "notify-secrets"), volume


def test_programs_know_their_settings():
    """--check-config with the environment that Compose would give: an unknown or wrong setting is refused."""
    for name in PROGRAMS:
        env = {"PATH": os.environ["PATH"], **services()[name]["environment"]}
        command = [BINARIES / f"millrace-{name}", "--check-config"]
        done = subprocess.run(command, env=env, capture_output=True, text=True)
        assert done.returncode == 0, f"{name}: {done.stderr}"
        done = subprocess.run(command, env={**env, "MILLRACE_NO_SUCH_THING": "1"}, capture_output=True, text=True)
        assert done.returncode != 0, f"{name} takes settings it does not know"


def test_image_runs_without_root():
    """By the Dockerfile's text, as no engine is at hand here."""
    text = (ROOT / "deploy" / "Dockerfile").read_text()
    stages = [line for line in text.splitlines() if line.startswith("FROM ")]
    last = text[text.rindex("FROM "):]
    assert len(stages) == 2 and all(line.split()[1].startswith("debian:bookworm") for line in stages), stages
    assert re.search(r"^USER [1-9]\d*$", last, re.M) and "-dev" not in last


cases.run(globals())
