"""Partitions that millrace-processor refuses, and what operators can do about them: real Kafka, real processes.

Offsets are set by hand, deleted, and left behind by another epoch; each time the partition is refused with a message that says what helps, a Control record
lets it go on, and the ledger is compared: payload seq of an agent carries one sample of value seq, so that count and sum of a series say what was
counted. Then the same without a restart: the cell's epoch changes under a running processor, and two processors are given one instance.id.
"""
import collections
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "deploy/local"))
import cases
import confluent_kafka
from confluent_kafka.admin import AdminClient
from millrace_local import BINARIES, Failure, Stack, free_ports, tail
from millrace_local.process import free_base_port
from processor_cell import CELL, Cell, Clock, Codec, GROUP, MINUTE_MS, Processor, fingerprint, topic

BINARY = BINARIES / "millrace-processor"
PARTITIONS, SPEED, BEGIN_MINUTE = 1, 120, 5


class World:
    """The stack, the cell, one or two processors, and what must have been counted."""

    def __init__(self, directory, partitions=PARTITIONS):
        self.directory, self.partitions, self.processors = directory, partitions, {}
        self.stack = Stack(directory / "stack", base_port=free_base_port(25000))
        self.ports = free_ports(3)
        self.want = collections.defaultdict(lambda: [0, 0.0])
        self.sent = []  # records, by offset

    def __enter__(self):
        try:
            self.stack.up()
            self.cell = Cell(self.stack.env()["KAFKA"], self.partitions)
            self.cell.create_topics()
            self.cell.write_record()
            self.clock = Clock(BEGIN_MINUTE, SPEED)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for processor in self.processors.values():
            processor.process.stop(5)
        self.stack.wipe()

    def start(self, name, *more):
        if name not in self.processors:
            self.processors[name] = Processor(name, self.directory, BINARY, self.cell, self.clock, self.ports[len(self.processors)], more=more)
        return self.processors[name].start()

    def wait(self, condition, seconds, what):
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise Failure(f"not within {seconds} s: {what() if callable(what) else what}")
            for processor in self.processors.values():
                assert processor.process.exit_code in (None, 0), \
                    f"{processor.process.name} ended with {processor.process.exit_code}\n{tail(processor.process.log_file)}"
            time.sleep(0.1)

    def post(self, first, last, agent=1, counts=True):
        """Payloads of one agent, one sample of value seq each; agent None: without an identity."""
        for seq in range(first, last + 1):
            now, name = self.clock.now_ms(), f"of.{agent}"
            series = {"fingerprint": fingerprint("s", "counter", name, {}), "kind": "counter", "temporality": "delta", "name": name, "tags": {}}
            who = {"agent_id": None, "seq": 0, "floor": 0} if agent is None else {"agent_id": bytes([agent]) * 16, "seq": seq, "floor": 1}
            self.send(self.cell.batch.encode({
                "series": [series], "values": [{"series": 0, "t": now, "start": 0, "v": float(seq)}], "summaries": [], "site": "s", **who,
                "idempotency_key": None, "created_at": now, "received_at": now, "home": False}))
            if counts:
                self.count(name, seq)
        self.cell.flush()

    def send(self, record):
        self.cell.send(topic("samples"), 0, record)
        self.sent.append(record)

    def count(self, name, value):
        self.want[name][0] += 1
        self.want[name][1] += value

    def counted(self):
        """{series: [count, sum]} of all fragments."""
        got = collections.defaultdict(lambda: [0, 0.0])
        for message in self.cell.records(topic("minutely")):
            fragment = Codec("Aggregate").decode(message.value())
            got[fragment["name"]][0] += fragment["count"]
            got[fragment["name"]][1] += fragment["sum"]
        return dict(got)

    def wait_counted(self):
        """Until what is emitted is what must have been counted: minutes close one virtual minute and some after their end."""
        self.wait(lambda: self.counted() == dict(self.want), 25, lambda: f"want {dict(self.want)}, have {self.counted()}")

    def wait_saved(self):
        """Until a snapshot holds all that was sent."""
        self.wait(lambda: self.at() == len(self.sent), 25, lambda: f"a snapshot at {len(self.sent)}: {self.cell.committed()}")

    def metadata(self):
        return self.cell.committed().get(0, (-1, ""))[1]

    def at(self):
        words = dict(word.split("=") for word in self.metadata().split()[1:])
        return int(words["at"]) if "at" in words else -1

    def control(self, action, reason, seconds=600):
        """Sets a control, for the test clock's time."""
        now = self.clock.now_ms()
        control = f"processor/{action}/cell={CELL}"
        self.cell.send("millrace.controls", 0, Codec("Control").encode({
            "id": control, "on": "processor", "action": action, "cell": CELL, "site": None, "kind": None, "trigger": None, "reason": reason,
            "author": "test", "created_at": now, "expires_at": now + seconds * 1000 * SPEED}), key=control)
        self.cell.flush()

    def clear(self, action):
        self.cell.send("millrace.controls", 0, None, key=f"processor/{action}/cell={CELL}")
        self.cell.flush()

    def notices(self, event):
        found = (Codec("Notice").decode(m.value()) for m in self.cell.records("millrace.notices"))
        return [notice for notice in found if notice["event"] == event]

    def wait_refused(self, processor, *words):
        self.wait(lambda: "refused" in processor.get("/health/ready")[1], 40, lambda: f"refused: {processor.get('/health/ready')}")
        def text():
            found = [n["text"] for n in self.notices("partition_refused") if n["fields"]["topic"] == topic("samples")]
            return (found or [""])[-1]
        self.wait(lambda: all(word in text() for word in words), 10, lambda: f"{words} in {text()}")

    def wait_confirmed(self, processor, reason, *words):
        processor.wait_ready()
        def told():
            found = [n for n in self.notices("offsets_confirmed") if n["fields"]["reason"] == reason]
            return [n for n in found if n["fields"]["topic"] == topic("samples")]  # the events' input may need it, too
        self.wait(told, 10, "a notice of what was done")
        (notice,) = told()
        assert notice["fields"]["partition"] == "0" and all(word in notice["text"] for word in words), notice

    def obeyed(self):
        """The ids of controls in the last heartbeat."""
        beats = [Codec("Heartbeat").decode(m.value()) for m in self.cell.records("millrace.heartbeats")]
        return beats[-1]["controls"]


def test_an_offset_that_was_set_back_is_refused_until_it_is_confirmed(world):
    a = world.start("a")
    a.wait_ready()
    world.post(1, 20)
    world.post(1, 5, agent=None)
    world.wait_saved()
    a.stop()
    world.cell.reset_offset(0, 10)
    a.start()
    world.wait_refused(a, "offset 10 is committed without metadata", "millrace-ctl offsets confirm main --reason R accepts it")
    world.control("accept_offsets", "back to 10")
    world.wait_confirmed(a, "back to 10", "goes on at offset 10", "records 10 to 24 are read again")
    for seq in range(1, 6):  # those without an identity count twice, as the notice says
        world.count("of.None", seq)
    world.wait(lambda: a.metric("millrace_processor_duplicates_total") == 10, 20, lambda: a.metric("millrace_processor_duplicates_total"))
    world.wait_counted()
    world.wait(lambda: world.obeyed() == [f"processor/accept_offsets/cell={CELL}"], 10, world.obeyed)
    assert " id=1 " not in world.metadata() and f"epoch={world.cell.epoch} " in world.metadata(), world.metadata()


def test_an_offset_that_was_set_forward_skips_and_says_so(world):
    a = world.processors["a"]
    world.wait_saved()
    a.stop()
    world.clear("accept_offsets")
    world.post(21, 30, counts=False)
    world.post(31, 40)
    world.cell.reset_offset(0, 35)
    a.start()
    world.wait_refused(a, "offset 35 is committed without metadata")
    world.control("accept_offsets", "on to 35")
    world.wait_confirmed(a, "on to 35", "goes on at offset 35", "records 25 to 34 are skipped")
    assert a.metric("millrace_processor_gap_records_total", partition=0) == 10
    world.wait_counted()
    world.wait_saved()


def test_an_offset_beyond_the_end_stays_refused(world):
    a = world.processors["a"]
    a.stop()
    world.cell.reset_offset(0, 1000)
    a.start()
    world.wait_refused(a, "offset 1000 lies outside of the input, which goes from 0 to 45")
    a.stop()
    world.clear("accept_offsets")


def test_offsets_that_were_deleted_lose_and_double_nothing(world):
    a = world.processors["a"]
    admin = AdminClient({"bootstrap.servers": world.cell.kafka})
    def delete():
        try:
            admin.delete_consumer_groups([GROUP])[GROUP].result(10)
            return True
        except confluent_kafka.KafkaException:
            return False  # the member that has stopped counts for a while
    world.wait(delete, 30, "the group is deleted")
    world.post(41, 50)
    world.post(1, 50, counts=False)
    for seq in range(21, 31):  # their first attempts were skipped
        world.count("of.1", seq)
    a.start()
    world.wait_refused(a, "no offset is committed, but", "accepts it")
    stranger = confluent_kafka.Producer({"bootstrap.servers": world.cell.kafka, "transactional.id": "stranger", "log_level": 2})
    stranger.init_transactions(20)
    stranger.begin_transaction()
    stranger.produce(topic("samples-state"), partition=0, value=b"not to be seen")
    stranger.flush(20)
    world.control("accept_offsets", "expired")
    world.wait(lambda: "being restored" in a.get("/health/ready")[1], 20, "it looks for the newest snapshot")
    time.sleep(1)  # nothing may happen: a snapshot might yet be committed there
    assert "being restored" in a.get("/health/ready")[1], a.get("/health/ready")
    stranger.abort_transaction(20)
    world.wait_confirmed(a, "expired", "goes on at offset 45 ", "nothing is skipped or read again")
    world.wait_saved()
    world.wait_counted()
    world.clear("accept_offsets")


def test_another_epoch_is_refused_without_a_restart_and_state_can_be_forgotten(world):
    a, pid = world.processors["a"], world.processors["a"].process._child.pid
    world.cell.epoch ^= 1
    world.cell.write_record()
    world.wait_refused(a, "they were made again", "accepts it")
    assert world.notices("cell_changed") and a.process._child.pid == pid
    world.control("forget_state", "a new beginning")
    world.wait_confirmed(a, "a new beginning", "goes on at offset 0 without state")
    seqs = {seq for seq in range(1, 51)}  # each once, as the agent's floor is 1 and its first payload comes first
    for seq in seqs:
        world.count("of.1", seq)
    for seq in range(1, 6):
        world.count("of.None", seq)
    world.wait_saved()
    world.wait_counted()
    assert f"epoch={world.cell.epoch} " in world.metadata(), world.metadata()
    world.clear("forget_state")


def test_the_same_input_under_another_epoch_goes_on_with_its_state(world):
    a = world.processors["a"]
    world.cell.epoch ^= 2
    world.cell.write_record()
    world.wait_refused(a, "they were made again")
    world.control("accept_offsets", "the same input")
    world.wait_confirmed(a, "the same input", "nothing is skipped or read again")
    world.post(51, 55)
    world.post(1, 55, counts=False)
    world.wait_saved()
    world.wait_counted()
    assert f"epoch={world.cell.epoch} id=" in world.metadata(), world.metadata()
    world.clear("accept_offsets")


def test_a_cell_that_is_deleted_is_waited_for(world):
    a = world.processors["a"]
    world.cell.send("millrace.cells", 0, None, key=CELL)
    world.cell.flush()
    world.wait(lambda: "no record of the cell" in a.get("/health/ready")[1], 20, lambda: a.get("/health/ready"))
    world.cell.write_record()
    a.wait_ready()
    a.stop()


def test_of_two_with_one_instance_id_the_fenced_one_waits(world):
    b, c = world.start("b", "instance.id=twin"), None
    b.wait_ready()
    c = world.start("c", "instance.id=twin")
    world.wait(lambda: "instance.id" in b.get("/health/ready")[1], 40, lambda: b.get("/health/ready"))
    world.wait(lambda: any("instance.id, twin" in n["text"] for n in world.notices("instance_fenced")), 10, "a notice")
    c.wait_ready()
    world.post(56, 60)
    world.wait_saved()
    c.stop()
    b.wait_ready(60)
    print(f'  {b.process.log_file.read_text().count("consumer_left_behind")} clients left behind')
    world.post(61, 65)
    world.wait_counted()
    b.stop()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name, World(pathlib.Path(name)) as the_world:
        cases.run(globals(), the_world)
