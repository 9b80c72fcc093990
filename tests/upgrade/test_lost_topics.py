#!/usr/bin/env python3
"""deploy/BACKUP.md, "A topic was deleted by accident": what its table tells operators to do, for an output, a state topic and an input of a cell, for
what notifiers keep, and for the table of cells.

Each time the topic is deleted under running programs and made again by `topics apply`, under a new epoch. Then the cell's programs refuse, the
document's commands are given, and the ledger says what was lost and that nothing else was, or was counted twice: as in
tests/e2e/test_backup.py, payload n is a sample of 2^n, and a marker of revision n goes with it, as events have topics of their own.
"""
import collections
import pathlib
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/e2e"), str(ROOT / "deploy/local")]
import cases
from kafka_view import View
from receivers import HookServer
from test_backup import World as BackupWorld

PREFIX = "millrace.c.main."
RULES = """
receivers:
  - {id: ops, webhook: {url: "http://127.0.0.1:%d/ops"}, group_wait: 1s}
triggers:
  - {id: busy, site: shop, metric: app.orders, field: sum, compare: ">", threshold: 0, cooldown_minutes: 1440, receivers: [ops]}
"""


class World(BackupWorld):
    """test_backup's world, with markers, and the means to lose a topic."""

    def __init__(self, directory, hooks):
        super().__init__(directory)
        self.wanted, self.hooks = {}, hooks
        self.notify_settings = ["notify.allow_http=true", "notify.allow_networks=127.0.0.0/8"]

    def more(self, now, seq):
        return {"markers": [{"t": now, "revision": str(seq)}]}

    def marked(self):
        """How often each marker stands in the database."""
        return dict(collections.Counter(int(d["revision"]) for d in self.documents("markers").values()))

    def check(self):
        self.wait(lambda: self.counted() == self.wanted and self.marked() == self.wanted,
                  lambda: f"want {self.wanted}, have {self.counted()} and {self.marked()}")

    def send(self, *seqs):
        for seq in seqs:
            assert self.post(seq) == 202
            self.wanted[seq] = 1

    def lose(self, *names):
        """Deleted by accident, and made again as the document says; the processor refuses then."""
        view = View(self.env["KAFKA"])
        view.delete(*(PREFIX + name for name in names))
        self.ctl("topics", "apply", "--replication-factor", "1")
        self.wait(lambda: self.metric("processor", "millrace_processor_partitions_refused") > 0, "the processor refuses")

    def stop(self, program):
        assert self.processes[program].stop(40) == "stopped"

    def start_again(self, program):
        own = {"sink": ["mongo.uri=" + self.env["MONGO_1"], "mongo.database=millrace"], "notify": self.notify_settings,
               "ingest": ["push.listen=127.0.0.1:%d" % self.push_port]}
        self.start(program, own.get(program, []))

    def revive(self):
        """What an orchestrator does."""
        for program, process in self.processes.items():
            if process.exit_code is not None:
                self.start_again(program)
        for program in self.processes:
            self.wait_ready(program)

    def restart(self, *programs):
        for program in programs:
            self.processes[program].stop(40)  # it may have ended by itself
            self.start_again(program)

    def wait_ready(self, program):
        self.processes[program].wait_until(lambda: self.ready(program), 60, "ready")

    def processors_offsets(self, *how):
        self.stop("processor")
        self.groups_tool("--group", "millrace-processor-main", "--reset-offsets", *how, "--execute")
        self.start_again("processor")

    def confirm(self):
        self.timed_ctl("offsets", "confirm", "main", "--reason", "a topic was deleted", "--for", "48h", codes=(0, 1))
        self.processes["processor"].wait_until(lambda: self.ready("processor"), 60, "ready")
        self.timed_ctl("control", "clear", "--on", "processor", "--do", "accept_offsets", "--cell", "main", codes=(0, 1))

    def forget_sinks_place(self):
        """The sink refuses, or has ended by itself as the cell has another epoch."""
        self.processes["sink"].stop(40)
        self.groups_tool("--group", "millrace-sink-main", "--delete")
        self.start_again("sink")
        self.processes["sink"].wait_until(lambda: self.ready("sink"), 60, "ready")

    def check_alive(self):
        """Of a cell that has another epoch the sink ends, and its orchestrator starts it again."""


def test_an_output_was_deleted(world):
    world.send(1, 2)
    world.check()
    world.lose("minutely")
    world.confirm()
    world.forget_sinks_place()
    world.send(3)
    world.check()


def test_the_states_topics_were_deleted(world):
    """Windows that were open are gone; what had been emitted is not read again."""
    world.lose("samples-state", "events-state")
    world.processors_offsets("--to-current", "--topic", PREFIX + "samples", "--topic", PREFIX + "events")
    world.confirm()
    world.forget_sinks_place()
    world.send(4)
    world.check()


def test_an_input_was_deleted(world):
    """State stays, so that a payload that was counted and comes again is not counted twice; of the other input nothing is read again."""
    world.lose("samples")
    world.processors_offsets("--to-earliest", "--topic", PREFIX + "samples")
    world.confirm()
    world.forget_sinks_place()
    assert world.post(4) == 202
    world.send(5)
    world.check()


def test_what_notifiers_keep_was_deleted(world):
    """An alert that is open is news once more when alerts are read again, and of that alone: a restart does not tell it."""
    file = world.directory / "rules.yml"
    file.write_text(RULES % world.hooks.port)
    world.ctl("receiver", "apply", "-f", str(file))
    world.timed_ctl("trigger", "apply", "-f", str(file))
    world.revive()
    world.send(6)
    world.wait(world.hooks.all, "the receiver is told")
    world.wait(lambda: world.database["incidents"].count_documents({}) == 1, "the incident is stored")
    View(world.env["KAFKA"]).delete(PREFIX + "incidents", PREFIX + "sent")
    world.ctl("topics", "apply", "--replication-factor", "1")
    for program in ("notify", "sink"):
        world.stop(program)
    world.groups_tool("--group", "millrace-notify-main", "--delete")
    world.groups_tool("--group", "millrace-sink-main", "--delete-offsets", "--topic", PREFIX + "incidents")
    for program in ("notify", "sink"):
        world.start_again(program)
        world.wait_ready(program)
    world.wait(lambda: len(world.hooks.all()) == 2, "the receiver is told again")
    world.wait(lambda: world.database["incidents"].count_documents({}) == 2, "the incident is stored again")
    assert len({d["incident"] for d in world.database["incidents"].find()}) == 1
    assert "busy" in world.timed_ctl("incident", "list", codes=(0, 1))
    world.check()


def test_the_table_of_cells_was_deleted(world):
    """apply draws a new epoch for topics that are still there; programs hear of it when they start again."""
    world.ctl("export", "-o", str(world.file))
    View(world.env["KAFKA"]).delete("millrace.cells")
    world.ctl("topics", "apply", "--replication-factor", "1")
    assert "under a new epoch" in world.ctl("apply", "-f", str(world.file), "--replication-factor", "1")
    world.restart(*world.processes)
    world.wait(lambda: world.ready("ingest") and world.metric("processor", "millrace_processor_partitions_refused") > 0, "the processor refuses")
    world.confirm()
    world.forget_sinks_place()
    world.send(7)
    world.check()
    assert len(world.hooks.all()) == 2, "what is open is known"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="millrace-topics-") as folder, HookServer() as hooks:
        with World(folder, hooks) as world_under_test:
            cases.run(globals(), world_under_test)
