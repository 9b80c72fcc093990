"""Snapshots that are gone, damaged, incomplete, or a newer build's: real Kafka, a real processor, one partition for each way to spoil one.

What is spoilt is written by clients that are not ours, while the processor is down: chunks into the state topic, metadata beside the committed
offsets. Then each partition is refused with words that say what is wrong and what helps, the sound one goes on counting, and `millrace-ctl offsets
confirm` helps where its README says so, and nowhere else. The ledger: an agent of each partition sends payloads of one sample of value seq; their minutes
have been emitted before anything is spoilt, so that in the end the minutes must hold each of them once.
"""
import pathlib
import subprocess
import sys
import tempfile
import time
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "deploy/local"))
import cases
from millrace_local import BINARIES
from processor_cell import CELL, Codec, fingerprint, topic
from test_offsets import World as OffsetsWorld

FORGET = "millrace-ctl offsets confirm main --reason R --forget-state begins anew, without it"
ACCEPT = "millrace-ctl offsets confirm main --reason R accepts it"
NO_HELP = "nothing but the build that wrote it helps"
NEWER_BODY = b"\x0e"  # version 7: the snapshot's version is an Avro int and comes first
FIRST = 3             # payloads of each partition before anything is spoilt

(SOUND, GONE, OTHER_SIZE, BAD_CRC, NO_SNAPSHOT, OTHER_POSITION, OTHER_ID, NEWER, NEWER_CHUNK, NEWER_METADATA,
 STRANGE, STRANGE_NEWER, OTHER_INPUT, OTHER_EPOCH) = range(14)
WITH_SNAPSHOT = range(NEWER_METADATA + 1)     # the others have no input before the first refusal
DAMAGED = range(GONE, OTHER_ID + 1)
OF_NEWER = (NEWER, NEWER_CHUNK, NEWER_METADATA)
NO_OFFSET = (STRANGE, STRANGE_NEWER)


class World(OffsetsWorld):
    """test_offsets' world with more partitions, and the means to spoil them."""

    def __init__(self, directory):
        super().__init__(directory, partitions=len(range(OTHER_EPOCH + 1)))
        self.sent, self.before = {p: 0 for p in range(self.partitions)}, {}
        self.chunks = Codec("StateChunk")

    def post_to(self, partition, nr):
        """The next payloads of a partition's agent."""
        for seq in range(self.sent[partition] + 1, self.sent[partition] + nr + 1):
            now, name = self.clock.now_ms(), f"of.{partition}"
            series = {"fingerprint": fingerprint("s", "counter", name, {}), "kind": "counter", "temporality": "delta", "name": name, "tags": {}}
            self.cell.send(topic("samples"), partition, self.cell.batch.encode({
                "series": [series], "values": [{"series": 0, "t": now, "start": 0, "v": float(seq)}], "summaries": [], "site": "s",
                "agent_id": bytes([partition + 1]) * 16, "seq": seq, "floor": 1, "idempotency_key": None, "created_at": now, "received_at": now,
                "home": False}))
            self.count(name, seq)
        self.sent[partition] += nr
        self.cell.flush()

    def wait_counted_of(self, partitions):
        """Until the minutes of these partitions hold what was sent."""
        names = {f"of.{p}" for p in partitions}
        def of_these(sums):
            return {name: value for name, value in sums.items() if name in names}
        self.wait(lambda: of_these(self.counted()) == of_these(self.want), 30,
                  lambda: f"want {of_these(self.want)}, have {of_these(self.counted())}")

    def positions(self):
        """{partition: position of its last snapshot}"""
        return {p: self.field(metadata, "at") for p, (_, metadata) in self.cell.committed().items() if metadata.startswith("v1 ")}

    @staticmethod
    def field(metadata, name):
        return int(dict(word.split("=") for word in metadata.split()[1:])[name])

    def write_state(self, partition, value):
        """A record in the state topic, outside of every transaction; its offset."""
        told = []
        self.cell.producer.produce(topic("samples-state"), partition=partition, value=value, on_delivery=lambda error, m: told.append((error, m)))
        self.cell.flush()
        (error, message), = told
        assert not error, error
        return message.offset()

    def chunk(self, partition, snapshot, body, index=0, of=1, crc=None):
        return self.chunks.encode({"topic": topic("samples"), "epoch": self.cell.epoch, "partition": partition, "snapshot_id": snapshot, "index": index,
                                   "of": of, "crc32": zlib.crc32(body) if crc is None else crc, "body": body})

    def snapshot_of(self, partition):
        """(id, body) of the snapshot that the committed metadata names."""
        number = self.field(self.before[partition][1], "id")
        found = (self.chunks.decode(m.value()) for m in self.cell.records(topic("samples-state")) if m.partition() == partition)
        return number, b"".join(chunk["body"] for chunk in found if chunk["snapshot_id"] == number)

    def commit(self, partition, offset, metadata):
        self.wait(lambda: self.cell.commit(self.stack.brokers[0].port, partition, offset, metadata), 30, f"partition {partition} is committed")

    def commit_changed(self, partition, **fields):
        """Commits the same offset with other numbers in its metadata."""
        offset, metadata = self.before[partition]
        for name, value in fields.items():
            metadata = metadata.replace(f" {name}={self.field(metadata, name)}", f" {name}={value}")
        assert metadata != self.before[partition][1], metadata
        self.commit(partition, offset, metadata)

    def put_back(self, partition):
        self.commit(partition, *self.before[partition])

    def confirm(self, reason, *more):
        """What an operator does, on the test clock."""
        settings = (word for setting in self.clock.settings() for word in ("--set", setting))
        done = subprocess.run([BINARIES / "millrace-ctl", "offsets", "confirm", CELL, "--kafka", self.cell.kafka, "--reason", reason, "--for", "48h",
                               "--test-clock", *settings, *more], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done

    def said(self, partition):
        """Why it is refused, as said last."""
        texts = [n["text"] for n in self.notices("partition_refused")
                 if (n["fields"]["topic"], n["fields"]["partition"]) == (topic("samples"), str(partition))]
        return texts[-1] if texts else ""

    def wait_said(self, words, seconds=40):
        """Until the last refusal of each partition has all of its words."""
        def missing():
            said = {partition: self.said(partition) for partition in words}
            return {p: (said[p], w) for p, texts in words.items() for w in texts if w not in said[p]}
        self.wait(lambda: not missing(), seconds, missing)

    def wait_refused_number(self, a, number):
        self.wait(lambda: a.metric("millrace_processor_partitions_refused") == number, 40,
                  lambda: (a.metric("millrace_processor_partitions_refused"), number, a.get("/health/ready")))
        status, text = a.get("/health/ready")
        assert (status, "a partition is refused" in text) == ((503, True) if number else (200, False)), (status, text)

    def wait_went_on(self, reason, words):
        """Until what was done to exactly these partitions has been told."""
        def told():
            return {int(n["fields"]["partition"]): n["text"] for n in self.notices("offsets_confirmed")
                    if (n["fields"]["topic"], n["fields"]["reason"]) == (topic("samples"), reason)}
        self.wait(lambda: set(told()) == set(words), 40, lambda: f"want {sorted(words)}, have {told()}")
        for partition, text in told().items():
            assert words[partition] in text, (partition, text)


def test_state_without_an_offset_and_another_epochs_offset_are_refused(world):
    world.write_state(STRANGE, b"of nobody")
    world.write_state(STRANGE_NEWER, world.chunk(STRANGE_NEWER, 7, NEWER_BODY + b"whatever"))
    world.cell.reset_offset(OTHER_EPOCH, 0)  # by which Kafka makes its topic of offsets
    world.commit(OTHER_EPOCH, 0, f"v1 epoch={world.cell.epoch ^ 1} id=1 snapshot=0 bytes=1 at=0")
    for partition in WITH_SNAPSHOT:
        world.post_to(partition, FIRST)
    a = world.start("a", "partition.refused_retry=1m")  # else some of so many would be looked at again all the time
    state = topic("samples-state")
    nothing = f"no offset is committed, but {state} has state at offset 0: the group's offsets were deleted or have expired: {ACCEPT}"
    world.wait_said({STRANGE: [nothing], STRANGE_NEWER: [nothing], OTHER_EPOCH: ["they were made again", ACCEPT]})
    world.wait_refused_number(a, 3)
    world.wait_counted_of(WITH_SNAPSHOT)
    world.wait(lambda: all(world.positions().get(p) == FIRST for p in WITH_SNAPSHOT), 25, lambda: f"snapshots at {FIRST}: {world.cell.committed()}")
    a.stop()
    world.before = world.cell.committed()
    assert not set(NO_OFFSET) & set(world.before), world.before


def spoil(world):
    """Each partition in its own way; what must be said of it."""
    number, body = world.snapshot_of(SOUND)
    ids = {p: world.field(world.before[p][1], "id") for p in WITH_SNAPSHOT}
    sizes = {p: world.field(world.before[p][1], "bytes") for p in WITH_SNAPSHOT}
    world.cell.delete_records(GONE, -1, "samples-state")
    world.commit_changed(OTHER_SIZE, bytes=sizes[OTHER_SIZE] + 1)
    world.commit_changed(OTHER_POSITION, at=FIRST - 1)
    world.commit_changed(OTHER_ID, id=ids[OTHER_ID] + 1)
    world.commit(NEWER_METADATA, FIRST, "v2 of later")
    for partition, content, crc in ((BAD_CRC, body, zlib.crc32(body) ^ 1), (NO_SNAPSHOT, b"\x0anot a snapshot", None), (NEWER, NEWER_BODY + b"later", None)):
        at = world.write_state(partition, world.chunk(partition, ids[partition], content, crc=crc))
        world.commit_changed(partition, snapshot=at, bytes=len(content))
    at = world.write_state(NEWER_CHUNK, b"\0\0\0\x30\x39of a schema that nobody knows yet")
    world.commit_changed(NEWER_CHUNK, snapshot=at)
    world.other_input_at = world.write_state(OTHER_INPUT, world.chunk(OTHER_INPUT, number, body))
    world.commit_changed(OTHER_INPUT, epoch=world.cell.epoch ^ 1)
    return {
        GONE: [f"snapshot {ids[GONE]} is not at offset ", " any more", FORGET],
        OTHER_SIZE: [f"a snapshot of {sizes[OTHER_SIZE]} bytes that was committed with {sizes[OTHER_SIZE] + 1}", FORGET],
        BAD_CRC: ["chunk 0 fails its CRC", FORGET], NO_SNAPSHOT: [FORGET],
        OTHER_POSITION: [f"the snapshot's position is {FIRST}, its metadata says {FIRST - 1}", FORGET],
        OTHER_ID: [f"a chunk of snapshot {ids[OTHER_ID]}, not {ids[OTHER_ID] + 1}", FORGET],
        NEWER: [NO_HELP], NEWER_CHUNK: [NO_HELP], NEWER_METADATA: ["newer version", NO_HELP],
        OTHER_INPUT: ["they were made again", ACCEPT],
    }


def test_what_cannot_be_used_is_refused_and_the_others_run(world):
    words = spoil(world)
    for partition in range(world.partitions):
        if partition != OTHER_INPUT:  # whose input ends before the snapshot's position
            world.post_to(partition, 2)
    a = world.processors["a"].start()
    world.wait_said(words)
    world.wait_refused_number(a, world.partitions - 1)
    world.wait_counted_of([SOUND])
    world.words = words


def test_accepting_helps_none_of_them_and_says_what_would(world):
    a, state = world.processors["a"], topic("samples-state")
    world.confirm("accepted")
    damaged = "is damaged or does not fit, and what was emitted since an older one would count twice"
    world.wait_said({
        **{p: w for p, w in world.words.items() if p != OTHER_INPUT},
        STRANGE: [f"no offset is committed; the newest snapshot in {state}, at offset 0, {damaged}", FORGET],
        STRANGE_NEWER: [f"no offset is committed; the newest snapshot in {state}, at offset 0, is a newer build's", NO_HELP],
        OTHER_INPUT: ["they were made again", f"the newest snapshot in {state}, at offset {world.other_input_at}, {damaged}", FORGET],
        OTHER_EPOCH: ["they were made again", f"{state} holds no snapshot", FORGET]})
    world.wait_refused_number(a, world.partitions - 1)
    assert not world.notices("offsets_confirmed")
    world.clear("accept_offsets")


def test_forgetting_begins_anew_but_gives_up_nothing_of_a_newer_build(world):
    """At the snapshot's position where there was one, so that nothing counts twice; else at the beginning of what was never counted."""
    a = world.processors["a"]
    world.confirm("forgotten", "--forget-state")
    world.wait_went_on("forgotten", {
        **{p: f"goes on at offset {FIRST if p != OTHER_POSITION else FIRST - 1} without state" for p in DAMAGED},
        **{p: "goes on at offset 0 without state" for p in (STRANGE, OTHER_INPUT, OTHER_EPOCH)}})
    world.count(f"of.{OTHER_POSITION}", FIRST)  # its metadata was wrong about what had been counted
    world.wait_refused_number(a, len(OF_NEWER) + 1)
    world.wait_said({**{p: world.words[p] for p in OF_NEWER}, STRANGE_NEWER: [NO_HELP]})
    world.post_to(OTHER_INPUT, 2)
    world.wait_counted_of(set(range(world.partitions)) - {*OF_NEWER, STRANGE_NEWER})
    world.clear("forget_state")


def test_a_newer_builds_partitions_go_on_once_it_is_put_right(world):
    """As after that build has written what we can read; and a state topic that is emptied makes a partition a new one."""
    a = world.processors["a"]
    a.stop()
    for partition in OF_NEWER:
        world.put_back(partition)
    world.cell.delete_records(STRANGE_NEWER, -1, "samples-state")
    a.start()
    a.wait_ready()
    world.wait_refused_number(a, 0)
    world.wait_counted_of(range(world.partitions))


def test_a_snapshot_whose_chunks_never_come_is_refused_in_a_minute_while_the_others_run(world):
    a, partition = world.processors["a"], GONE
    world.wait(lambda: world.positions().get(partition) == world.sent[partition], 25, "a snapshot of all")
    a.stop()
    world.before = world.cell.committed()
    number = world.field(world.before[partition][1], "id")
    at = world.write_state(partition, world.chunk(partition, number, b"\x08and so on", of=2))
    world.commit_changed(partition, snapshot=at)
    for each in (SOUND, partition):
        world.post_to(each, 2)
    began = time.monotonic()
    a.start()
    # SOUND may wait behind it, but not longer than that minute.
    world.wait_said({partition: [f"snapshot {number} at offset {at} of {topic('samples-state')} is incomplete: 1 of 2 chunks", FORGET]}, 100)
    print(f"  refused after {time.monotonic() - began:.0f} s")
    world.wait_counted_of([SOUND])
    a.stop()
    world.put_back(partition)
    a.start()
    a.wait_ready()
    world.wait_counted_of(range(world.partitions))
    a.stop()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name, World(pathlib.Path(name)) as the_world:
        cases.run(globals(), the_world)
