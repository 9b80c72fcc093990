#!/usr/bin/env python3
"""Routes and committed offsets by millrace-ctl on a real cluster, read back by clients that are not ours (kafka_view.py).

What a real processor has committed is read once more out of Kafka's own log of offsets; an operator's resets are committed by another client
(whose metadata end with a NUL that ours do not have). What happens to data over a change of routes is test_move.py's. Cases run in order on one world.
"""
import datetime
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(Path(__file__).resolve().parent)]
import cases  # noqa: E402
from confluent_kafka import Consumer, TopicPartition  # noqa: E402
from kafka_view import View  # noqa: E402
from millrace_local import BINARIES, Stack, free_base_port, free_ports  # noqa: E402
from processor_cell import Cell, Clock, Processor  # noqa: E402

CTL = BINARIES / "millrace-ctl"
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("MILLRACE_")}  # those would be settings
MINUTE, HOUR = 60 * 1000, 3600 * 1000
SAMPLES, GROUP = "millrace.c.main.samples", "millrace-processor-main"


def now_ms():
    return int(time.time() * 1000)


def iso(ms):
    return datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class World:
    """One broker, two cells with topics and a third without, one site."""

    def __init__(self, directory):
        self.directory = directory
        self.stack = Stack(directory / "stack", base_port=free_base_port(25300))

    def start(self):
        self.stack.up()
        self.brokers = self.stack.env()["KAFKA"]
        self.view = View(self.brokers)
        self.ctl("topics", "apply", "--replication-factor", "1")
        for cell, partitions in (("main", 4), ("other", 3)):
            self.ctl("cell", "add", cell, "--partitions", str(partitions), "--replication-factor", "1")
        self.view.put("millrace.cells", "bare", self.view.encode("Cell", {"name": "bare", "epoch": 0, "partitions": 3, "created_at": 0}))
        self.ctl("site", "add", "shop", "--cell", "main")

    def ctl(self, *words, code=0):
        done = subprocess.run([CTL, "--kafka", self.brokers, "--author", "tester", *words], text=True, stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=60, env=ENVIRONMENT)
        assert done.returncode == code, f"{words}: exit {done.returncode}, not {code}\n{done.stdout}{done.stderr}"
        return done.stdout, done.stderr

    def routes(self):
        return [(r["effective_from"], r["cell"], r["shards"]) for r in self.view.table("millrace.sites")["shop"]["routes"]]

    def notices(self, event):
        return [notice for notice in self.view.records("millrace.notices") if notice["event"] == event]

    def commit(self, partition, offset, metadata=None):
        """Commits an offset of the processors' group from outside, as a processor or an operator's tool does."""
        consumer = Consumer({"bootstrap.servers": self.brokers, "group.id": GROUP, "enable.auto.commit": False, "log_level": 0})
        place = TopicPartition(SAMPLES, partition, offset) if metadata is None else TopicPartition(SAMPLES, partition, offset, metadata)
        done, = consumer.commit(offsets=[place], asynchronous=False)
        assert not done.error, done.error
        consumer.close()

    def shown(self, code=0):
        shown = json.loads(self.ctl("--json", "offsets", "show", "main", code=code)[0])
        return shown, {p["partition"]: p for p in shown["partitions"] if p["topic"] == "samples"}


def test_what_is_wrong_is_told(world):
    for words, says in ((("site", "shards", "shop", "0"), "a number from 1 to 1024"), (("site", "shards", "shop", "4x"), "a number from"),
                        (("site", "shards", "shop", "5"), "5 shards, but cell main has 4 partitions"),
                        (("site", "shards", "shpo", "3"), 'there is no site "shpo"'),
                        (("site", "move", "shop", "mian"), 'there is no cell "mian"'),
                        (("site", "move", "shop", "other", "--shards", "4"), "4 shards, but cell other has 3 partitions"),
                        (("site", "move", "shop", "bare"), "cell bare has no topics yet"),
                        (("site", "shards", "shop", "3", "--at", "noon"), '"noon" is no time'),
                        (("site", "shards", "shop", "3", "--at", "14m"), "15 minutes after it was written or later"),
                        (("site", "move", "shop", "other", "--at", iso(now_ms() + 2 * HOUR)[:-3] + "07Z"), "no full minute")):
        assert says in world.ctl(*words, code=1)[1], words
    early = now_ms() // MINUTE * MINUTE + 5 * MINUTE
    begun = now_ms()
    named, = re.findall(r"first time that may be is (\S+)\n", world.ctl("site", "shards", "shop", "3", "--at", iso(early), code=1)[1])
    named = int(datetime.datetime.fromisoformat(named.replace("Z", "+00:00")).timestamp() * 1000)
    assert named % MINUTE == 0 and begun + 15 * MINUTE <= named < now_ms() + 16 * MINUTE
    assert world.routes() == [(0, "main", 2)] and not world.notices("site_resharded") and not world.notices("site_moved")


def test_what_is_in_force_is_nothing_to_do(world):
    assert world.ctl("site", "shards", "shop", "2")[0] == "= site shop: cell main, 2 shards from the beginning already\n"
    assert json.loads(world.ctl("--json", "site", "move", "shop", "main")[0])["changed"] is False
    assert "nothing else is announced" in world.ctl("site", "stay", "shop")[0]
    assert world.routes() == [(0, "main", 2)]


def test_an_announced_route_is_taken_back(world):
    at = now_ms() // HOUR * HOUR + 3 * HOUR
    out = world.ctl("site", "move", "shop", "other", "--shards", "3", "--at", iso(at))[0]
    assert out.startswith(f"+ site shop: cell other, 3 shards from {iso(at)[:-1]}.000Z, in "), out
    assert f"what is created before goes to cell main, 2 shards, as ever: keep its processors and sinks until {iso(at + 49 * HOUR)[:-1]}.000Z" in out
    assert world.routes() == [(0, "main", 2), (at, "other", 3)]
    notice, = world.notices("site_moved")
    assert (notice["author"], notice["site"], notice["cell"]) == ("tester", "shop", "other")
    assert notice["fields"].items() >= {"effective_from": str(at), "cell_before": "main"}.items()
    assert "announced already" in world.ctl("site", "move", "shop", "other", "--shards", "3")[0]
    assert "millrace-ctl site stay shop" in world.ctl("site", "shards", "shop", "4", code=1)[1]
    assert "millrace-ctl site stay shop" in world.ctl("site", "move", "shop", "main", code=1)[1]
    assert world.ctl("site", "stay", "shop")[0].startswith("- site shop: cell other, 3 shards from ")
    assert world.routes() == [(0, "main", 2)] and world.notices("site_route_taken_back")[0]["author"] == "tester"


def test_the_first_time_that_may_be(world):
    begun = now_ms()
    done = json.loads(world.ctl("--json", "site", "shards", "shop", "4")[0])
    at = done["effective_from"]
    assert done["changed"] and at % MINUTE == 0 and begun + 15 * MINUTE <= at < now_ms() + 16 * MINUTE
    assert done["old_route_serves_until"] == at + 49 * HOUR and [r["shards"] for r in done["site"]["routes"]] == [2, 4]
    assert world.routes() == [(0, "main", 2), (at, "main", 4)] and world.notices("site_resharded")[0]["cell"] == "main"
    later = at + 30 * MINUTE
    world.ctl("site", "move", "shop", "other", "--shards", "1", "--at", iso(later))
    assert world.routes() == [(0, "main", 2), (at, "main", 4), (later, "other", 1)]
    exported = world.ctl("export")[0]
    assert [r["effective_from"] for r in json.loads(exported)["sites"][0]["routes"]] == [0, at, later]


def test_nothing_is_committed_yet(world):
    shown, partitions = world.shown()
    assert shown["epoch"] == f"{world.view.table('millrace.cells')['main']['epoch'] % 2**64:016x}" and shown["group"] == GROUP
    assert [partitions[p]["state"] for p in range(4)] == ["none"] * 4
    out, err = world.ctl("offsets", "show", "main")
    assert not err and "samples/" not in out, out


def test_confirm_sets_a_control(world):
    for more, action, life in (((), "accept_offsets", 10 * MINUTE), (("--forget-state", "--for", "2m"), "forget_state", 2 * MINUTE)):
        out, err = world.ctl("offsets", "confirm", "main", "--reason", "moved by hand", *more)
        record = world.view.table("millrace.controls")[f"processor/{action}/cell=main"]
        assert (record["on"], record["action"], record["cell"], record["reason"]) == ("processor", action, "main", "moved by hand")
        assert record["expires_at"] - record["created_at"] == life and record["author"] == "tester"
        assert out.startswith(f"+ control processor/{action}/cell=main until ") and "no processor is alive that this is for" in err
        world.ctl("control", "clear", "--id", record["id"])
    assert 'there is no cell "mian"' in world.ctl("offsets", "confirm", "mian", "--reason", "r", code=1)[1]
    assert "needs --reason" in world.ctl("offsets", "confirm", "main", code=2)[1]


def test_what_a_processor_has_committed(world):
    cell = Cell(world.brokers, 4)
    processor = Processor("processor", world.directory, BINARIES / "millrace-processor", cell, Clock(30, 1), *free_ports(1))
    try:
        processor.start().wait_ready()
        # static membership is not used: once it has left, the group is empty and takes an operator's commits
        processor.stop()
    finally:
        processor.process.stop(10)
    world.view.put(SAMPLES, "shop", b"not read by anybody", partition=1)
    shown, partitions = world.shown()
    committed = cell.committed()
    assert sorted(committed) == [0, 1, 2, 3]
    for number, (offset, metadata) in committed.items():
        fields = dict(word.split("=") for word in metadata.split()[1:])
        end = 1 if number == 1 else 0
        assert partitions[number] == {
            "topic": "samples", "partition": number, "state": "sound", "committed": offset, "metadata": metadata, "epoch": shown["epoch"],
            "snapshot": int(fields["id"]), "snapshot_offset": int(fields["snapshot"]), "snapshot_bytes": int(fields["bytes"]),
            "position": int(fields["at"]), "begin": 0, "end": end, "lag": end}, (partitions[number], metadata)
    out, err = world.ctl("offsets", "show", "main")
    assert not err and re.search(r"^PARTITION +COMMITTED +SNAPSHOT +POSITION +BYTES +END +LAG +STATE$", out, re.M), out
    assert re.search(r"^samples/1 +0 +\d+ +0 +\d+ +1 +1 +sound$", out, re.M), out
    assert re.search(r"^events/1 +0 +\d+ +0 +\d+ +0 +0 +sound$", out, re.M), out


def test_what_processors_will_refuse(world):
    world.commit(0, 0)
    world.commit(2, 0, "by hand")
    _, partitions = world.shown(code=1)
    assert [partitions[p]["state"] for p in range(4)] == ["reset", "sound", "foreign", "sound"], partitions
    out, err = world.ctl("offsets", "show", "main", code=1)
    assert "2 partitions will be refused by processors until millrace-ctl offsets confirm main" in err
    assert re.search(r"^samples/0 +0 +- +- +- +0 +0 +no metadata: an operator's reset$", out, re.M), out
    cell = world.view.table("millrace.cells")["main"]
    world.view.put("millrace.cells", "main", world.view.encode("Cell", {**cell, "epoch": cell["epoch"] ^ 1}))
    _, partitions = world.shown(code=1)
    assert [partitions[p]["state"] for p in range(4)] == ["reset", "epoch", "foreign", "epoch"], partitions
    assert "the cell's topics were made again" in partitions[1]["text"]
    assert 'there is no cell "mian"' in world.ctl("offsets", "show", "mian", code=1)[1]


def main():
    with tempfile.TemporaryDirectory(prefix="millrace-routes-") as directory:
        world = World(Path(directory))
        try:
            world.start()
            cases.run(globals(), world)
        finally:
            world.stack.wipe()


main()
