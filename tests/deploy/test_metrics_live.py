#!/usr/bin/env python3
"""What all programs say at /metrics while they run: every family is in schemas/metrics.txt with its type, labels and meaning, labels keep to
their bounds, promtool has no complaint, and the figures that rules and dashboards stand on are what they say.

One stack for all cases, on a fast test clock, so that minutes pass in seconds; ages are in virtual time, retention is Kafka's.
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "schemas"), str(ROOT / "tests" / "e2e"), str(ROOT / "deploy" / "local")]
import cases  # noqa: E402
import metrics  # noqa: E402
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType  # noqa: E402
from exposition import checked, parse  # noqa: E402
from millrace_local import PROMTOOL, free_base_port  # noqa: E402
from millrace_local.programs import Agent  # noqa: E402
from pipeline import MINUTE_MS, Pipeline  # noqa: E402

SPEED = 30
BUDGET_MIB, PAGE_BUDGET_MIB = 96, 64  # of the processor and of status; the others have the default
PROGRAMS = ("ingest", "processor", "sink", "notify", "status", "agent")
BOUNDS, LIST = metrics.read(ROOT / "schemas" / "metrics.txt")
LISTED = {m.name: m for m in LIST}
SEEN_AT_LEAST = 120  # families, or the stack did not work


class World:
    """The pipeline, and an agent beside it, which pushes nothing that is taken, as it lives on the real clock."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.pipeline = Pipeline(directory, free_base_port(), SPEED, 20, {"shop": 2}, processor_settings=[f"memory.budget={BUDGET_MIB}Mi"],
                                 notify_settings=["notify.allow_http=true", "notify.allow_networks=127.0.0.0/8"],
                                 status_settings=[f"memory.budget={PAGE_BUDGET_MIB}Mi", "status.survey_interval=1s"])

    def __enter__(self):
        self.pipeline.__enter__()
        (self.directory / "key").touch(0o600)
        (self.directory / "key").write_text(self.pipeline.keys["shop"] + "\n")
        self.agent = Agent(self.directory)
        self.agent.start(self.pipeline.push_port, self.directory / "key")
        self.pipeline.processes["agent"] = self.agent.process
        self.agent.wait_ready()
        return self

    def __exit__(self, *what):
        self.pipeline.__exit__(*what)

    def page(self, program):
        port = self.agent.admin_port if program == "agent" else self.pipeline.admin_ports[program]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            return checked(answer.read().decode())

    def families(self, program):
        return parse(self.page(program))

    def value(self, program, name, **labels):
        family = self.families(program).get(f"millrace_{program}_{name}")
        return family.value(**labels) if family else None

    def push(self):
        """A sample and an event of now."""
        now = self.pipeline.now_ms()
        payload = {"metrics": [{"name": "requests", "kind": "counter", "tags": {}, "points": [{"t": now, "v": 1}]}],
                   "errors": [{"t": now, "class": "Broken", "message": "it is"}]}
        request = urllib.request.Request(f"http://127.0.0.1:{self.pipeline.push_port}/v1/push", json.dumps(payload).encode(), {
            "Authorization": f"Bearer {self.pipeline.keys['shop']}", "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert not json.load(answer).get("rejected")

    def wait(self, what, condition, seconds=40, step=lambda: None):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"never: {what}"
            self.pipeline.check_alive()
            step()
            time.sleep(0.2)


def test_data_flows(world):
    """So that families are there that come with data, and the next cases have something to look at."""
    world.wait("a minute stored", lambda: world.value("sink", "stored_total") > 0, step=world.push)


def judge(program, families):
    """Each family of a program's page is in the list, as it is there; and what has no labels is on the page from the start."""
    for name, family in families.items():
        assert name in LISTED, f"{program}: {name}"
        m = LISTED[name]
        assert (family.type, family.help) == (m.type, m.meaning), f"{program}: {name}: {family.type}, {family.help}"
        assert metrics.program_of(name) in ("", program), f"{program} makes {name}"
        wanted = {label for label, _ in m.labels}
        assert all(set(s.labels) == wanted for s in family.samples), f"{name}: {[s.labels for s in family.samples]}"
    for name in (n for n, m in LISTED.items() if metrics.program_of(n) == program and not m.labels):
        assert name in families, f"{program} does not make {name}"


def test_every_family_is_listed(world):
    seen = set()
    for program in PROGRAMS:
        families = world.families(program)
        judge(program, families)
        seen |= families.keys()
    assert len(seen) >= SEEN_AT_LEAST, f"{len(seen)} families: too few to say anything"


def test_the_judge_can_say_no(world):
    page = world.page("sink")
    broken = {"a name of nobody": page.replace("millrace_sink_inserts_total", "millrace_sink_insertions_total"),
              "another type": page.replace("# TYPE millrace_sink_paused gauge", "# TYPE millrace_sink_paused counter"),
              "another meaning": page.replace("# HELP millrace_sink_paused 1", "# HELP millrace_sink_paused One"),
              "another label": page.replace("millrace_sink_breaker_open{reason=", "millrace_sink_breaker_open{kind="),
              "a label too many": page.replace("millrace_sink_paused ", 'millrace_sink_paused{kind="x"} '),
              "another program's": page + "# HELP millrace_ingest_sites Sites in the table.\n# TYPE millrace_ingest_sites gauge\nmillrace_ingest_sites 1\n",
              "one refused": page + "# a mistake: schemas/metrics.txt does not list millrace_sink_x so\n"}
    for what, text in broken.items():
        assert text != page, what
        try:
            judge("sink", parse(checked(text)))
        except AssertionError:
            continue
        raise RuntimeError(f"{what} was taken")


def test_labels_keep_to_their_bounds(world):
    bounds = {b.name: b.values for b in BOUNDS}
    for program in PROGRAMS:
        for name, family in world.families(program).items():
            for label, bound in LISTED[name].labels:
                values = {s.labels[label] for s in family.samples}
                assert len(values) <= bounds[bound], f"{name}: {len(values)} of {label}, where {bound} has {bounds[bound]}"


def test_promtool_has_nothing_to_say(world):
    for program in PROGRAMS:
        done = subprocess.run([PROMTOOL, "check", "metrics"], input=world.page(program), capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and not (done.stdout + done.stderr).strip(), f"{program}: {done.stdout}{done.stderr}"


def test_nothing_was_refused_and_all_are_ready(world):
    for program in PROGRAMS:
        assert world.families(program)["millrace_metrics_refused_total"].value() == 0, program
        world.wait(f"{program} is ready", lambda: world.families(program)["millrace_ready"].value() == 1)  # an agent whose post was late says so for a while


def test_memory_budgets(world):
    for program in ("ingest", "sink", "notify"):
        assert world.value(program, "memory_budget_bytes") == 256 << 20, program
    assert world.value("processor", "memory_budget_bytes") == BUDGET_MIB << 20, "kinds do not add up to memory.budget"
    assert world.value("status", "memory_budget_bytes") == PAGE_BUDGET_MIB << 20


def test_the_page_has_its_components(world):
    """A series for each, and it is looked at again and again."""
    wanted = {("push", ""), ("processing", ""), ("storage", "main"), ("alerts", ""), ("notifications", "")}
    world.wait("components", lambda: "millrace_status_component_state" in world.families("status"))
    family = world.families("status")["millrace_status_component_state"]
    assert {(s.labels["kind"], s.labels["cell"]) for s in family.samples} == wanted, family.samples
    before, failed = (world.value("status", name) for name in ("surveys_total", "survey_failures_total"))
    world.wait("two surveys more", lambda: world.value("status", "surveys_total") >= before + 2)
    assert world.value("status", "survey_failures_total") == failed


def test_no_replica_is_missing(world):
    assert world.value("ingest", "under_replicated_partitions") == 0


def configured_seconds(world, topics):
    """retention.ms as Kafka's tools read it; None for a topic that nothing is deleted from."""
    admin = AdminClient({"bootstrap.servers": world.pipeline.env["KAFKA"]})
    asked = [ConfigResource(ResourceType.TOPIC, topic) for topic in topics]
    answers = {resource.name: future.result(30) for resource, future in admin.describe_configs(asked).items()}
    return {name: int(entries["retention.ms"].value) / 1000 if "delete" in entries["cleanup.policy"].value else None
            for name, entries in answers.items()}


def test_retention_is_the_topics(world):
    for program, labels in (("processor", {"samples": "samples", "events": "events"}),
                            ("sink", {f"millrace.c.main.{n}": n for n in ("minutely", "hourly", "exemplars", "alerts", "incidents")}),
                            ("notify", {"millrace.c.main.alerts": "alerts"})):
        wanted = configured_seconds(world, [f"millrace.c.main.{name}" for name in labels.values()])
        world.wait(f"{program} knows its retention", lambda: f"millrace_{program}_retention_seconds" in world.families(program))
        shown = {label: world.value(program, "retention_seconds", topic=label) for label in labels}
        assert shown == {label: wanted[f"millrace.c.main.{name}"] for label, name in labels.items()}, program
        assert any(shown.values()), program


def lag_of_minutes(world):
    """The largest age over the partitions of minutely, in virtual seconds."""
    family = world.families("sink")["millrace_sink_lag_seconds"]
    return max((s.value for s in family.samples if s.labels["topic"].endswith(".minutely")), default=0)


def test_lag_grows_while_the_database_is_away(world):
    world.wait("nothing waits", lambda: lag_of_minutes(world) == 0)
    world.pipeline.stack.databases[0].process.stop(10)
    began = world.pipeline.now_ms()
    world.wait("a minute waits", lambda: lag_of_minutes(world) > 0, step=world.push)
    world.wait("for three minutes", lambda: lag_of_minutes(world) > 3 * MINUTE_MS / 1000)
    written = []  # when the oldest record was, as each look has it: measured once a second
    for _ in range(3):
        written.append(world.pipeline.now_ms() - lag_of_minutes(world) * 1000)
        time.sleep(1.1)
    assert max(written) - min(written) < 3000 * SPEED, f"the age does not grow as time does: {written}"
    assert began - MINUTE_MS < min(written) and max(written) < world.pipeline.now_ms() - 2 * MINUTE_MS, (began, written)
    world.pipeline.stack.databases[0].start()
    world.pipeline.stack.databases[0].wait_ready()
    world.wait("it is through again", lambda: lag_of_minutes(world) == 0, seconds=60)


def main():
    with tempfile.TemporaryDirectory(prefix="millrace-metrics-") as directory, World(directory) as world:
        cases.run(globals(), world)


if __name__ == "__main__":
    main()
