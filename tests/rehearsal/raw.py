"""What the samples topics hold: the part of the ledger that is in the system.

A record counts by the words of schemas/README.md, "Identity of a payload": once in its partition, and not when the floor of its agent had risen over
it there before. Ingest shifts the times of a sender that seems to have a wrong clock, in steps of 30 s, on a test clock of as many real ones; a request that
was held up so long is one, so the shift is found by what the ledger says, and bounded by how long the payload can have been on its way.
"""
import time

import confluent_kafka
from kafka_view import View
from told import SLOT_MS, identity_of

READ_S = 300


def read_topic(kafka, cell, partitions):
    """(partition, SampleBatch) from the beginning to where the topic ends now, in the order of each partition."""
    topic, view, left = f"millrace.c.{cell}.samples", View(kafka), set(range(partitions))
    consumer = confluent_kafka.Consumer({"bootstrap.servers": kafka, "group.id": "verdict", "enable.auto.commit": False, "enable.partition.eof": True,
                                         "log_level": 0, "isolation.level": "read_uncommitted", "fetch.wait.max.ms": 50})
    try:
        deadline = time.monotonic() + READ_S
        for p in range(partitions):
            low, _ = consumer.get_watermark_offsets(confluent_kafka.TopicPartition(topic, p), timeout=30)
            assert low == 0, f"{topic} {p} begins at {low}: records are gone"
        consumer.assign([confluent_kafka.TopicPartition(topic, p, 0) for p in range(partitions)])
        while left:
            assert time.monotonic() < deadline, f"{topic} was not read: {sorted(left)}"
            for message in consumer.consume(1000, 1):
                if not message.error():
                    yield message.partition(), view.decode(message.value())
                elif message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF:
                    left.discard(message.partition())
    finally:
        consumer.close()


class Raw:
    """Takes the records of all cells.

    here: {head: what was added to its times}, of all that counts. payloads: {(agent_id, seq)} of which at least one record counts.
    arrivals: {payload: (received_at, created_at)}, of the first of its records.
    overtaken: payloads whose record came after the floor had risen over it. shifted: records with a shift, largest_shift the largest one.
    wrong: lines, of what no agent was told."""

    def __init__(self, told):
        self.told, self.here, self.payloads, self.overtaken, self.wrong = told, {}, set(), set(), []
        self.records = self.copies = self.shifted = self.largest_shift = 0
        self.floors, self.taken, self.places, self.arrivals = {}, set(), {}, {}

    def take(self, cell, partition, batch):
        if batch["site"] not in self.told.sites:
            return
        self.records += 1
        agent_id, seq = payload = batch["agent_id"], batch["seq"]
        number = self.told.payloads.get(payload)
        if number is None:
            self.wrong.append(f"{cell} {partition}: a payload that no agent made: {agent_id and agent_id.hex()} seq {seq}")
            return
        agent, place = (cell, partition, batch["site"], agent_id), (cell, partition, batch["site"], agent_id, seq)
        floor = self.floors.get(agent, 0)
        self.floors[agent] = max(floor, batch["floor"])
        if place in self.taken:
            self.copies += 1
        elif seq < floor:
            self.overtaken.add(payload)
        else:
            self.taken.add(place)
            self.payloads.add(payload)
            at = batch["received_at"], batch["created_at"]
            self.arrivals[payload] = min(at, self.arrivals.get(payload, at))
            self._count(f"{cell} {partition}: {self.told.describe(number)}", number, batch)

    def _place(self, site, s):
        """Index of a series into told.series, or None."""
        key = site, s["fingerprint"]
        if key not in self.places:
            identity = identity_of(site, s["kind"], s["name"], s["tags"].items())
            self.places[key] = identity, self.told.places.get(identity)
        identity, place = self.places[key]
        if identity[1] != s["kind"] or identity[2] != s["name"]:
            self.wrong.append(f"{s['fingerprint'].hex()} is the fingerprint of {identity} and of {s['name']}")
        return place

    def _count(self, where, number, batch):
        """The part's series are in the system, with the shift that their newest slot tells."""
        newest = {}
        for sample in batch["values"] + batch["summaries"]:
            i = sample["series"]
            newest[i] = max(newest.get(i, 0), sample["t"] - sample["t"] % SLOT_MS)
        shifts = set()
        for i, slot in newest.items():
            place = self._place(batch["site"], batch["series"][i])
            own = self.told.head_in.get((number & 0xFFFF, place))
            head = None if own is None else own | number
            if head not in self.told.newest:
                self.wrong.append(f"{where}: {batch['series'][i]['name']}, of which it was told nothing")
                continue
            if head in self.here:
                self.wrong.append(f"{where}: {batch['series'][i]['name']} stands in two partitions")
            self.here[head] = slot - self.told.newest[head]
            shifts.add(self.here[head])
        self._check_shifts(where, shifts, batch)

    def _check_shifts(self, where, shifts, batch):
        shift = max(shifts, default=0)
        if len(shifts) > 1 or shift and not 0 < shift <= batch["received_at"] - batch["created_at"]:
            self.wrong.append(f"{where}: its times are {sorted(shifts)} ms from what was told")
        self.shifted += shift != 0
        self.largest_shift = max(shift, self.largest_shift)
