#!/usr/bin/env python3
"""Dead letters from a sink and a processor, through the hands of an operator: looked at, sent again, dropped.

Real Kafka, a real database process; what stands in the topics is read by clients that are not ours (kafka_view.py), what is stored by
pymongo. Cases run in order on one world: the sink's first database refuses two documents, the second takes everything.
"""
import json
import os
import random
import struct
import sys
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(Path(__file__).resolve().parent)]
import cases  # noqa: E402
from confluent_kafka import Producer  # noqa: E402
from kafka_view import View  # noqa: E402
from millrace_local import BINARIES, Process, Stack, free_base_port  # noqa: E402
from picky_mongo import PickyServer  # noqa: E402
from processor_cell import fingerprint  # noqa: E402
from pymongo import MongoClient  # noqa: E402
from sink_records import document_id, random_aggregate  # noqa: E402

ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("MILLRACE_")}  # those would be settings
SEED = int(os.environ.get("TEST_SEED", time.time_ns() % 1_000_000))
MINUTELY, SAMPLES, LETTERS = "millrace.c.main.minutely", "millrace.c.main.samples", "millrace.deadletter"
GARBAGE = b"\0\0\0\0\4 \x1b[31mred\xff\n" + bytes(range(256))
AGENT = bytes(range(16))
SECONDS = 40
WHY = ("--reason", "the test")


class Program(Process):
    """One of ours, with its admin port."""

    def __init__(self, world, name, binary, **settings):
        super().__init__(name, world.stack.directory)
        self.port = world.next_port()
        every = {"kafka.bootstrap.servers": world.brokers, "cell": "main", "admin.listen": f"127.0.0.1:{self.port}", **settings}
        self.words = [BINARIES / f"millrace-{binary}", *(word for key, value in every.items() for word in ("--set", f"{key}={value}"))]

    def run(self):
        self.start(self.words)
        self.wait_until(lambda: self.get("/health/ready")[0] == 200, SECONDS, "ready")
        return self

    def get(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, ""
        except OSError:
            return 0, ""

    def metric(self, name):
        return sum(float(line.rsplit(" ", 1)[1]) for line in self.get("/metrics")[1].splitlines() if line.split("{")[0].split(" ")[0] == name)

    def wait_metric(self, name, value):
        self.wait_until(lambda: self.metric(name) >= value, SECONDS, f"{name} {value}")
        assert self.metric(name) == value, (name, self.metric(name))

    def finish(self):
        assert self.stop(SECONDS) == "stopped" and self.exit_code == 0, (self.name, self.exit_code)


class World:
    def __init__(self, directory):
        self.stack = Stack(directory, base_port=free_base_port(25400, span=80))
        self.dice = random.Random(SEED)
        self.programs = []

    def start(self):
        self.stack.up()
        self.brokers, self.uri = self.stack.env()["KAFKA"], self.stack.env()["MONGO_1"]
        self.view = View(self.brokers)
        self.producer = Producer({"bootstrap.servers": self.brokers, "acks": "all", "log_level": 0})
        assert "topics apply" in self.ctl("deadletter", "list", code=2)[1]
        self.ctl("topics", "apply", "--replication-factor", "1")
        self.ctl("cell", "add", "main", "--partitions", "2", "--replication-factor", "1")
        self.epoch = self.view.table("millrace.cells")["main"]["epoch"]

    def next_port(self):
        return self.stack.settings["base_port"] + 60 + len(self.programs)

    def program(self, name, binary, **settings):
        one = Program(self, name, binary, **settings)
        self.programs.append(one)
        return one

    def ctl(self, *words, code=0):
        done = subprocess.run([BINARIES / "millrace-ctl", "--kafka", self.brokers, "--author", "tester", *words], capture_output=True, timeout=60,
                              stdin=subprocess.DEVNULL, env=ENVIRONMENT)
        out, err = done.stdout.decode(), done.stderr.decode()  # whatever the letters hold: UTF-8
        assert done.returncode == code, f"{words}: exit {done.returncode}, not {code}\n{out}{err}"
        return out, err

    def letters(self, *words):
        return json.loads(self.ctl("deadletter", "list", "--json", *words)[0])["letters"]

    def states(self):
        return {letter["id"]: letter["state"] for letter in self.letters()}

    def show(self, number):
        return json.loads(self.ctl("deadletter", "show", str(number), "--json")[0])

    def send(self, topic, value, partition=1, **more):
        """Its offset."""
        places = []
        self.producer.produce(topic, value, partition=partition, on_delivery=lambda error, m: places.append(m.offset()), **more)
        assert self.producer.flush(30) == 0 and len(places) == 1
        return places[0]

    def aggregate(self):
        self.number = getattr(self, "number", 0) + 1
        return {**random_aggregate(self.dice, "minutely", self.number), "epoch": self.epoch}

    def stored(self):
        with MongoClient(self.uri) as mongo:
            return [document["_id"] for document in mongo["main"]["minutely"].find({}, {"_id": 1})]

    def copies(self, topic, value):
        """(partition, offset, key, headers) of all records with this value."""
        return [(m.partition(), m.offset(), m.key(), m.headers() or []) for m in self.view.messages(topic) if m.value() == value]

    def notices(self):
        return [n for n in self.view.records("millrace.notices") if n["event"].startswith("deadletter_")]

    def sink(self, uri, name):
        return self.program(name, "sink", **{"mongo.uri": uri, "mongo.database": "main"})


def origin(world, topic, partition, offset):
    return "millrace-origin", f"v1 topic={topic} epoch={world.epoch} partition={partition} offset={offset}".encode()


def test_what_the_sink_gave_up_is_listed(world):
    assert "no dead letters" in world.ctl("deadletter", "list")[0]
    good = [world.aggregate() for _ in range(20)]
    world.refused = world.aggregate()
    for record in good[:10]:
        world.send(MINUTELY, world.view.encode("Aggregate", record))
    world.value = world.view.encode("Aggregate", world.refused)
    world.place = world.send(MINUTELY, world.value, key=world.refused["fingerprint"], headers=[("who", b"a"), ("none", None), ("who", b"b")])
    world.garbage_place = world.send(MINUTELY, GARBAGE, key=b"")
    for record in good[10:]:
        world.send(MINUTELY, world.view.encode("Aggregate", record), partition=0)
    world.id = document_id(world.refused, 1, world.place)
    with PickyServer({world.id}) as server:
        sink = world.sink(f"mongodb://127.0.0.1:{server.server_address[1]}/?retryWrites=false", "sink-refused").run()
        sink.wait_metric("millrace_sink_dead_lettered_total", 2)
        sink.wait_metric("millrace_sink_stored_total", 20)
        sink.finish()
    by_code = {letter["code"]: letter for letter in world.letters()}
    assert set(by_code) == {"document_refused", "undecodable"}, by_code
    world.letter, world.garbage = by_code["document_refused"], by_code["undecodable"]
    for letter, offset in ((world.letter, world.place), (world.garbage, world.garbage_place)):
        assert (letter["topic"], letter["partition"], letter["offset"], letter["state"]) == (MINUTELY, 1, offset, "open")
        assert letter["epoch"] == f"{world.epoch % 2**64:016x}" and letter["program"] == "millrace-sink"
    for words, found in ((("--topic", "minutely"), 2), (("--topic", MINUTELY), 2), (("--topic", "hourly"), 0), (("--cell", "main"), 2),
                         (("--cell", "mai"), 0), (("--code", "undecodable"), 1), (("--open",), 2), (("--limit", "1"), 1), (("--since", "1h"), 2)):
        assert len(world.letters(*words)) == found, words
    assert world.letters("--limit", "1") == [max(by_code.values(), key=lambda letter: letter["id"])]
    table = world.ctl("deadletter", "list")[0].splitlines()
    assert len(table) == 3 and table[0].split() == ["ID", "WHEN", "STATE", "RECORD", "CODE", "REASON"], table
    assert f"{MINUTELY}/1/{world.place}" in table[1] + table[2]


def test_all_of_one_is_shown(world):
    whole = world.show(world.letter["id"])
    assert bytes.fromhex(whole["value_hex"]) == world.value and bytes.fromhex(whole["key_hex"]) == world.refused["fingerprint"]
    assert [(h["name"], h.get("text")) for h in whole["headers"]] == [("who", "a"), ("none", None), ("who", "b")]
    assert whole["schema"] == "Aggregate"
    for name in ("site", "name", "kind", "window_start", "count", "sum", "late"):
        assert whole["value"][name] == world.refused[name], name
    text = world.ctl("deadletter", "show", str(world.letter["id"]))[0]
    assert '"window_start"' in text and "document_refused" in text
    hostile = world.show(world.garbage["id"])
    assert bytes.fromhex(hostile["value_hex"]) == GARBAGE and "value" not in hostile and hostile["key_hex"] == ""
    text = world.ctl("deadletter", "show", str(world.garbage["id"]))[0]
    assert "1b 5b 33 31 6d 72 65 64" in text and "\x1b" not in text and not any(ord(c) < 32 and c != "\n" for c in text), text
    assert "there is no dead letter 4711" in world.ctl("deadletter", "show", "4711", code=1)[1]
    assert "is no id" in world.ctl("deadletter", "show", "x", code=1)[1]


def test_a_dry_run_does_nothing(world):
    before = world.view.messages(MINUTELY)
    out = world.ctl("deadletter", "retry", "--cell", "main", "--dry-run")[0]
    assert out.splitlines()[-1] == "2 would be sent again" and f"/1/{world.place}) would be sent again" in out, out
    assert world.ctl("deadletter", "drop", "--code", "undecodable", "--dry-run", *WHY)[0].splitlines()[-1] == "1 would be dropped"
    assert len(world.view.messages(MINUTELY)) == len(before) and not world.notices()
    assert set(world.states().values()) == {"open"}


def test_sent_again_twice_it_is_stored_once(world):
    world.sink_b = world.sink(world.uri, "sink").run()
    number = str(world.letter["id"])
    world.ctl("deadletter", "retry", number)
    world.sink_b.wait_metric("millrace_sink_stored_total", 1)
    assert world.stored() == [world.id]
    err = world.ctl("deadletter", "retry", number, code=1)[1]
    assert f"dead letter {number} was retried by tester" in err and "--again" in err, err
    assert world.ctl("deadletter", "retry", "--code", "document_refused")[0] == "0 sent again, 1 had been dealt with before\n"
    world.ctl("deadletter", "retry", number, "--again", *WHY)
    world.sink_b.wait_metric("millrace_sink_already_stored_total", 1)
    assert world.stored() == [world.id]
    first, *copies = world.copies(MINUTELY, world.value)
    assert first[:2] == (1, world.place) and len(copies) == 2
    for partition, _, key, headers in copies:
        assert (partition, key) == (1, world.refused["fingerprint"])
        assert headers == [("who", b"a"), ("none", None), ("who", b"b"), origin(world, MINUTELY, 1, world.place)], headers
    assert world.states() == {world.letter["id"]: "retried", world.garbage["id"]: "open"}
    told = world.notices()
    assert [(n["event"], n["author"], n["fields"]["letters"], n["fields"].get("reason")) for n in told] == [
        ("deadletter_retried", "tester", number, None), ("deadletter_retried", "tester", number, "the test")], told


def test_what_fails_again_keeps_its_first_place(world):
    expected = origin(world, MINUTELY, 1, world.garbage_place)
    newest = world.garbage["id"]
    for turn in (1, 2):
        world.ctl("deadletter", "retry", str(newest))
        world.sink_b.wait_metric("millrace_sink_dead_lettered_total", turn)
        letter = world.letters("--open")[-1]
        assert letter["id"] > newest and letter["offset"] > world.garbage_place and letter["code"] == "undecodable"
        newest = letter["id"]
        assert [(h["name"], h["text"].encode()) for h in world.show(newest)["headers"]] == [expected]
    assert [(key, headers) for _, _, key, headers in world.copies(MINUTELY, GARBAGE)] == [(b"", []), (b"", [expected]), (b"", [expected])]


def test_dropped_is_dealt_with(world):
    still_open = [letter["id"] for letter in world.letters("--open")]
    assert len(still_open) == 1
    assert "needs --reason" in world.ctl("deadletter", "drop", str(still_open[0]), code=2)[1]
    assert "which ones?" in world.ctl("deadletter", "drop", *WHY, code=1)[1]
    world.ctl("deadletter", "drop", f"{still_open[0]}-{still_open[0] + 5}", *WHY)
    assert world.letters("--open") == [] and world.states()[still_open[0]] == "dropped"
    assert "was dropped by tester" in world.ctl("deadletter", "drop", str(still_open[0]), *WHY, code=1)[1]
    assert "is not there" in world.ctl("deadletter", "drop", "4711", *WHY, code=1)[1]
    assert world.notices()[-1]["event"] == "deadletter_dropped" and world.notices()[-1]["fields"]["reason"] == "the test"


def test_an_origin_that_cannot_be_is_refused(world):
    before = world.sink_b.metric("millrace_sink_dead_lettered_total")
    places = {}
    for n, header in enumerate((origin(world, "millrace.c.main.hourly", 1, 0), origin(world, MINUTELY, 0, 0), origin(world, MINUTELY, 1, 10**9),
                                ("millrace-origin", b"\xff\x00"), ("millrace-origin", None), origin(world, MINUTELY, 1, -1))):
        record = world.aggregate()
        places[world.send(MINUTELY, world.view.encode("Aggregate", record), headers=[header])] = record
        world.sink_b.wait_metric("millrace_sink_dead_lettered_total", before + n + 1)
    found = world.letters("--code", "bad_origin")
    assert [letter["offset"] for letter in found] == list(places), found
    stored = world.sink_b.metric("millrace_sink_stored_total")
    world.ctl("deadletter", "retry", "--code", "bad_origin")  # each for the first time: its own place is its origin
    world.sink_b.wait_metric("millrace_sink_stored_total", stored + len(places))
    assert {document_id(record, 1, offset) for offset, record in places.items()} <= set(world.stored())


def test_what_cannot_be_sent_again_says_so(world):
    letter = {"topic": MINUTELY, "epoch": world.epoch, "partition": 1, "offset": 5, "code": "c\x1b[2J", "reason": "r\u009b1m" + "x" * 100,
              "program": "p", "build": "b", "at": int(time.time() * 1000), "key": None, "headers": [], "value": b"v"}
    rows = (({"epoch": world.epoch ^ 1}, "made again since"), ({"topic": "millrace.c.gone.minutely"}, "a cell that is not there: gone"),
            ({"topic": "millrace.c.main.samples-state"}, "nothing is sent again"), ({"topic": "millrace.cells"}, "nothing is sent again"),
            ({"topic": "a\n\x1b[31m\n"}, "nothing is sent again"), ({"partition": 2}, "which cannot be"), ({"code": "cut_off"}, "the beginning"))
    numbers = {world.send(LETTERS, world.view.encode("DeadLetter", {**letter, **changes}), partition=0): says for changes, says in rows}
    numbers[world.send(LETTERS, b"\0\0\0\0\x09junk", partition=0)] = "cannot be read"
    ends = {topic: len(world.view.messages(topic)) for topic in (MINUTELY, SAMPLES)}
    out, err = world.ctl("deadletter", "retry", *map(str, numbers), code=1)
    assert out == f"0 sent again, {len(numbers)} refused\n" and "\x1b" not in err, (out, err)
    told = err.splitlines()
    assert len(told) == len(numbers), told
    for line, (number, says) in zip(told, numbers.items()):
        assert line.startswith(f"millrace-ctl: dead letter {number} ") and says in line, (number, line)
    assert {topic: len(world.view.messages(topic)) for topic in ends} == ends
    table = world.ctl("deadletter", "list")[0]
    assert "\x1b" not in table and "\u009b" not in table and "unreadable" in table and "x" * 70 not in table, table
    for number in (max(numbers), min(numbers)):  # the one that cannot be read, and one with a hostile code
        shown = world.ctl("deadletter", "show", str(number))[0]
        assert "\x1b" not in shown and "\u009b" not in shown, shown
    low, high = min(numbers), max(numbers)
    world.ctl("deadletter", "drop", f"{low}-{high}", *WHY)
    assert {world.states()[number] for number in numbers} == {"dropped"}


def batch(seq, floor, value, identity=True):
    now = int(time.time() * 1000)
    series = {"fingerprint": fingerprint("shop", "counter", "c", {}), "kind": "counter", "temporality": "delta", "name": "c", "tags": {}}
    who = {"agent_id": AGENT, "seq": seq, "floor": floor} if identity else {"agent_id": None, "seq": 0, "floor": 0}
    return {"series": [series], "values": [{"series": 0, "t": now, "start": 0, "v": value}], "summaries": [], "site": "shop", **who,
            "idempotency_key": None, "created_at": now, "received_at": now, "home": True, "routed_since": 0}


def test_the_processor_tells_a_repeat(world):
    """Letters of payloads that its agent has left behind, and one without identity; and what the processor itself gives up."""
    processor = world.program("processor", "processor").run()
    bad = world.send(SAMPLES, world.view.encode("SampleBatch", {**batch(7, 7, 1.0), "values": [{"series": 9, "t": 0, "start": 0, "v": 1.0}]}), key=b"k")
    world.send(SAMPLES, world.view.encode("SampleBatch", batch(100, 100, 2.0)))
    processor.wait_metric("millrace_processor_samples_total", 1)
    processor.finish()  # its last checkpoint brings the dead letter
    own = [letter for letter in world.letters() if letter.get("program") == "millrace-processor"]
    assert [(x["topic"], x["partition"], x["offset"], x["code"]) for x in own] == [(SAMPLES, 1, bad, "undecodable")], own
    whole = world.show(own[0]["id"])
    assert whole["value"]["seq"] == 7 and whole["value"]["values"][0]["series"] == 9 and bytes.fromhex(whole["key_hex"]) == b"k"
    # What a later build would take: the same places, with values that are good.
    processor.run()
    letter = {"topic": SAMPLES, "epoch": world.epoch, "partition": 1, "code": "undecodable", "reason": "r", "program": "millrace-processor",
              "build": "b", "at": int(time.time() * 1000), "key": None, "headers": []}
    numbers = [world.send(LETTERS, world.view.encode("DeadLetter", {**letter, "offset": offset, "value": world.view.encode("SampleBatch", value)}),
                          partition=0)
               for offset, value in ((bad, batch(7, 7, 4.0)), (bad + 1, batch(0, 0, 8.0, identity=False)))]
    words = [str(number) for number in numbers]
    world.ctl("deadletter", "retry", *words)
    processor.wait_metric("millrace_processor_samples_total", 2)
    assert processor.metric("millrace_processor_duplicates_total") == 0
    world.ctl("deadletter", "retry", *words, "--again")
    processor.wait_metric("millrace_processor_duplicates_total", 2)
    processor.finish()
    processor.run()  # it is in the snapshot
    world.ctl("deadletter", "retry", *words, "--again")
    processor.wait_metric("millrace_processor_duplicates_total", 2)
    assert processor.metric("millrace_processor_samples_total") == 0
    world.send(SAMPLES, world.view.encode("SampleBatch", batch(0, 0, 1.0, identity=False)), headers=[origin(world, SAMPLES, 0, 0)])
    processor.wait_metric("millrace_processor_dead_letters_total", 1)
    processor.finish()
    assert len(world.letters("--code", "bad_origin", "--topic", "samples")) == 1
    world.sink_b.finish()


def main():
    print(f"TEST_SEED={SEED}")
    with tempfile.TemporaryDirectory(prefix="millrace-deadletter-") as directory:
        world = World(directory)
        with world.stack:
            world.start()
            try:
                cases.run(globals(), world)
            finally:
                for program in world.programs:
                    program.kill()


if __name__ == "__main__":
    main()
