#!/usr/bin/env python3
"""Every command in README.md, deploy/OPERATING.md and deploy/ALERTS.md is run as it stands there, in the page's order, against running Millrace; a command that
this script knows no way to run is a failure, so no page can grow one that nobody has tried.

What differs from the page is where things are: the folder of the run, ports, Kafka's address (PLACES). README's commands are given to what `make run` starts;
those of the other pages to three brokers, as they ask for three copies. Programs that a page starts go on running, so that what follows has somebody to obey it.
"""
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(ROOT / "tests" / "e2e"), str(Path(__file__).resolve().parent)]
import cases  # noqa: E402
import pages  # noqa: E402
from millrace_local import BINARIES, Failure, PARTS, Process, Stack, VENV_PYTHON, free_base_port, free_ports  # noqa: E402
from millrace_local.programs import ctl, is_ready  # noqa: E402

COMPOSE = PARTS / "venv" / "bin" / "docker-compose"
COMMAND_S, READY_S = 60, 60
PROGRAM = re.compile(r"(?:^| )millrace-(ingest|processor|sink|notify|status)\b(?! --)|(?:^| )millrace-(ingest|processor|sink|notify|status) --set")
# Exit codes that are right besides 0, by a command's beginning: what is asked for is not there, or not well, in so young a stack.
ALSO = {"millrace-ctl status": (1,), "millrace-ctl trigger test": (1,), "millrace-ctl verify": (2,), "millrace-ctl topics apply": ()}
OTEL = """
import os
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
provider = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())])
provider.get_meter("readme").create_counter("readme.runs").add(1)
assert provider.force_flush(20000)
"""


class World:
    """Where a page's commands run: one shell environment that `export` changes for those that follow, and the programs that the page has started."""

    def __init__(self, directory, places):
        self.directory, self.places, self.programs = Path(directory), places, []
        tools = self.directory / "tools"
        tools.mkdir(parents=True)
        (tools / "your-program").write_text(f"#!{VENV_PYTHON}\n{OTEL}")
        (tools / "your-program").chmod(0o700)
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith(("MILLRACE_", "OTEL_"))}
        self.environment |= {"MILLRACE_PARTS": str(PARTS), "PATH": f"{BINARIES}:{tools}:{os.environ['PATH']}"}

    def placed(self, text):
        for before, after in self.places.items():
            text = text.replace(before, str(after))
        return text

    def shell(self, command, **more):
        return subprocess.run(["bash", "-euo", "pipefail", "-c", command], cwd=self.directory, env={**self.environment, **more}, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=COMMAND_S)

    def export(self, command):
        """What a shell's environment is after it."""
        done = self.shell(command + "; env -0")
        assert done.returncode == 0, done.stderr
        self.environment = dict(entry.split("=", 1) for entry in done.stdout.split("\0") if entry)

    def start(self, command, program):
        """A program that stays; its port of health is one of the test's."""
        port = free_ports(1)[0]
        process = Process(f"page-{program}-{len(self.programs)}", self.directory)
        self.programs.append(process)
        process.start(["bash", "-euc", f"exec env {command.split('#')[0].strip()}"], env={**self.environment, "MILLRACE_ADMIN_LISTEN": f"127.0.0.1:{port}"})
        process.wait_until(lambda: is_ready(port), READY_S, "ready")

    def stop(self):
        for process in self.programs:
            how = process.stop(30)
            assert how == "stopped" and process.exit_code == 0, (process.name, how, process.exit_code)

    def make(self, command):
        """A target that make knows; what it does has tests of its own, and this one is a part of `make test`."""
        done = subprocess.run(["make", "-n", *command.split("#")[0].split()[1:]], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def compose(self, command):
        """Compose reads the file with these options, and what is scaled is a service. There is no engine here: tests/containers has one."""
        words = command.split("#")[0].split()[2:]
        options = words[:words.index("up")]
        def ask(what):
            done = subprocess.run([COMPOSE, "-f", ROOT / "docker-compose.yml", *options, "config", what], capture_output=True, text=True, cwd=ROOT)
            assert done.returncode == 0, done.stderr
            return done.stdout.split()

        for before, word in zip(options, options[1:]):
            assert before != "--profile" or word in ask("--profiles"), word
        services = ask("--services")
        for word in words[words.index("up"):]:
            assert "=" not in word or word.split("=")[0] in services, word

    def run(self, command):
        """One of a page's commands."""
        command = self.placed(command)
        program = PROGRAM.search(command)
        if command.startswith("make "):
            self.make(command)
        elif command.startswith("docker compose "):
            self.compose(command)
        elif command.startswith("export "):
            self.export(command)
        elif program:
            self.start(command, program[1] or program[2])
        elif command.startswith(("curl ", "millrace-ctl ", "OTEL_")):
            self.plain(command)
        else:
            raise AssertionError("no way to run this is known")

    def plain(self, command):
        done = self.shell(command)
        also = next((codes for begin, codes in ALSO.items() if command.startswith(begin)), ())
        assert done.returncode in (0, *also), f"exit {done.returncode}\n{done.stdout}{done.stderr}"
        assert "unknown" not in done.stderr.lower(), done.stderr
        if command.startswith("curl "):
            answer = json.loads(done.stdout)
            assert answer["accepted"] >= 1 and not answer["rejected"], answer

    def page(self, path):
        """Runs all of it; returns how many commands there were."""
        parts = pages.read((ROOT / path).read_text())
        for kind, text in parts:
            if kind == "file":
                (self.directory / "shop.yml").write_text(text)
                continue
            begun = time.monotonic()
            try:
                self.run(text)
            except (AssertionError, Failure, subprocess.TimeoutExpired) as error:
                raise AssertionError(f"{path}: {text}\n{error}") from error
            print(f"     {path}: {text.splitlines()[0][:100]} ({time.monotonic() - begun:.1f} s)", flush=True)
        return sum(kind == "command" for kind, _ in parts)


def test_readme(directory):
    """What a newcomer does, in order."""
    folder = directory / "readme"
    folder.mkdir()
    run = Process("run", folder).start([sys.executable, ROOT / "deploy" / "local" / "run", "--dir", folder / "run"])
    try:
        run.wait_until(lambda: "feeding every" in run.log_file.read_text(), 180, "feeding")
        push = re.search(r"push API\s+http://(\S+)/v1/push", run.log_file.read_text())[1]
        world = World(folder / "world", {"build/run": folder / "run", "127.0.0.1:4318": push, "$PWD/build/plain/bin": BINARIES})
        assert world.page("README.md") >= 12
        assert "OTEL" in (ROOT / "README.md").read_text() and (folder / "run" / "key").read_text().strip() not in run.log_file.read_text()
    finally:
        run.signal(signal.SIGINT)
        ended = run.wait_end(90)
    assert ended and run.exit_code == 0, run.log_file.read_text()[-3000:]


def test_operating_and_alerts(directory):
    """On three brokers, with a cell main and its site demo, as somebody has them who reads these pages."""
    folder = directory / "operating"
    folder.mkdir()
    with Stack(folder / "stack", base_port=free_base_port(), brokers=3) as stack:
        stack.up()
        env = stack.env()
        uri_file = folder / "mongo-uri"
        uri_file.write_text(env["MONGO_1"] + "\n")
        uri_file.chmod(0o600)
        page_dir = folder / "page"
        page_dir.mkdir()
        world = World(folder / "world", {"127.0.0.1:9092": env["KAFKA"], "mongodb://127.0.0.1:27017": env["MONGO_1"], "/etc/millrace/mongo-other-uri": uri_file,
                                          "127.0.0.1:8080": f"127.0.0.1:{free_ports(1)[0]}", "/var/lib/millrace-status": page_dir})
        for words in (("topics", "apply"), ("cell", "add", "main"), ("site", "add", "demo", "--cell", "main")):
            ctl(env["KAFKA"], *words)
        world.environment |= {"MILLRACE_KAFKA_BOOTSTRAP_SERVERS": env["KAFKA"]}
        world.start(f"millrace-ingest --set push.listen=127.0.0.1:{free_ports(1)[0]}", "ingest")
        try:
            count = world.page("deploy/ALERTS.md") + world.page("deploy/OPERATING.md")
        finally:
            world.stop()
        stack.wipe()
    assert count >= 20


def test_the_judge_can_say_no(directory):
    """A command that fails, one that is not known, one that has no end, a target and a service that are not there."""
    world = World(directory / "judge", {})
    for command in ("millrace-ctl site frobnicate", "rm -rf nothing", "make nothing-of-this-name", "docker compose up --scale processor-nowhere=2",
                    "docker compose --profile nonsense up", "curl -sS http://127.0.0.1:1/v1/push"):
        try:
            world.run(command)
        except AssertionError:
            continue
        raise AssertionError(f"taken: {command}")
    try:
        pages.read("text\n\n    millrace-ctl note \"no end\n")
    except AssertionError:
        return
    raise AssertionError("a command without an end was taken")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="millrace-readme-") as folder:
        cases.run(globals(), Path(folder))
