#!/usr/bin/env python3
"""The sink against real Kafka and a real database process: what stands in the topics stands in the collections, once.
Kills are in test_sink_kill.py, cells beside each other in test_sink_cells.py, a slow database in test_sink_slow.py.

Records are written by fastavro and confluent-kafka, read back by pymongo, and compared document by document, _id included, with what
sink_records.py expects. Each case has a cell and a database of its own.
"""
import os
import signal
import struct
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(Path(__file__).resolve().parent)]
import bson  # noqa: E402
import cases  # noqa: E402
from millrace_local import Failure  # noqa: E402
from confluent_kafka import ConsumerGroupTopicPartitions, Producer, TopicPartition  # noqa: E402
from mongo_tap import Tap  # noqa: E402
from picky_mongo import PickyServer  # noqa: E402
from pymongo import MongoClient  # noqa: E402
from sink_house import PARTITIONS, SECONDS, Cell, Sink, read_topic, sink_stack  # noqa: E402
from sink_records import (AGGREGATE, CELL, DEAD_LETTER, DETAILS, EPOCH, EXEMPLAR, HEARTBEAT, NOTICE, SCHEMAS, STORIES, decode, document_id,  # noqa: E402
                          encode, encode_record, random_aggregate, random_exemplar, random_record, topic_of)

FREEZE_SECONDS = 15
INDEXES = {  # collection: days of retention, and the keys that its readers want
    "minutely": (14, ("site", "name", "t")), "hourly": (400, ("site", "name", "t")), "errors": (30, ("site", "t"), ("site", "group", "t")),
    "traces": (14, ("site", "t"), ("site", "group", "t")), "markers": (400, ("site", "t")), "checkins": (30, ("site", "name", "t")),
    "alerts": (400, ("site", "t"), ("site", "trigger", "t")), "incidents": (400, ("site", "t"), ("site", "trigger", "t"), ("incident", "version"))}


# Cases

def test_every_document_once_and_whole(stack):
    cell = Cell(stack, "whole")
    cell.write(900)
    cell.write(300, commit=False)
    sink = Sink(stack, cell, heartbeat_interval="300ms").run()
    cell.write(600)
    cell.write(200, commit=False)
    cell.write(1)
    sink.wait_stored(cell.total())
    sink.wait_committed()
    cell.check()
    assert sink.settled() == cell.total() == sink.metric("millrace_sink_consumed_total")
    sink.wait_until(lambda: sink.metric("millrace_sink_lag_records") == 0, SECONDS, "without lag")
    with MongoClient(cell.uri) as mongo:
        for kind, (days, *others) in INDEXES.items():
            indexes = mongo[cell.name][kind].index_information()
            assert indexes["t_1"]["expireAfterSeconds"] == days * 86400, indexes
            wanted = {("_id",), ("t",), *others}
            assert {tuple(name for name, _ in index["key"]) for index in indexes.values()} == wanted, (kind, indexes)
    sink.wait_until(lambda: any(b["program"] == "millrace-sink" and b["cell"] == cell.name and b["ready"] for b in
                                (decode(HEARTBEAT, value) for value in read_topic(cell.kafka, "millrace.heartbeats"))),
                    SECONDS, "beating")
    sink.finish()
    assert "hunter2" not in sink.log()


def test_frozen_database_costs_no_place_in_the_group(stack):
    cell = Cell(stack, "frozen")
    cell.write(200)
    sink = Sink(stack, cell, "sink", inflight_bytes="1Mi").run()
    sink.wait_stored(200)
    sink.wait_committed()
    before, committed, lines = cell.members(), cell.committed(), sink.log()
    leaver_cell = Cell(stack, "leaver")
    leaver = Sink(stack, leaver_cell).run()
    database = stack.databases[0].process
    database.signal(signal.SIGSTOP)
    try:
        frozen_until = time.monotonic() + FREEZE_SECONDS
        leaver_cell.write(300)
        leaver.wait_until(lambda: leaver.metric("millrace_sink_consumed_total") == 300, SECONDS, "reading")
        leaver.terminate()  # with all of it in flight
        for _ in range(3):
            cell.write(1000)
        sink.wait_until(lambda: sink.metric("millrace_sink_braked") == 1, FREEZE_SECONDS, "braked")
        sink.wait_until(lambda: time.monotonic() >= frozen_until, FREEZE_SECONDS + 5, "frozen long enough")
        # Nothing was acknowledged, so nothing is committed; the lag is seen though nothing is fetched; memory is bounded.
        assert cell.committed() == committed
        assert sink.metric("millrace_sink_lag_records") >= 3000, sink.metric("millrace_sink_lag_records")
        assert sink.metric("millrace_sink_inflight_bytes") < 2 << 20
        assert cell.members() == before
        assert leaver.wait_end(SECONDS) and leaver.exit_code == 0, leaver.exit_code
        assert not leaver_cell.members()
    finally:
        database.signal(signal.SIGCONT)
    sink.wait_stored(cell.total())
    sink.wait_committed()
    assert cell.members() == before
    since = sink.log()[len(lines):]
    assert "event=revoked" not in since and "event=assigned" not in since, since
    told = operator_log(cell)
    for flip, before, after in (("breaker_open", "closed", "open"), ("breaker_closed", "open", "closed")):
        flips = [(notice["fields"]["before"], notice["fields"]["after"]) for notice in told if notice["event"] == flip]
        assert flips == [(before, after)] * since.count(f"event={flip} "), f"{flip}: the operator log does not tell what the log does"
    cell.check()
    sink.finish()
    leaver.run().wait_committed()
    leaver_cell.check()
    leaver.finish()


def test_document_the_database_refuses(stack):
    """It goes to deadletter, whole, and the offset moves on; the rest of its batch is stored."""
    cell = Cell(stack, "refused")
    cell.write(300)
    everything = cell.everything()
    refused = set(cell.dice.sample(sorted(everything), 7))
    with PickyServer(refused) as server:
        sink = Sink(stack, cell, mongo_uri=f"mongodb://127.0.0.1:{server.server_address[1]}/?retryWrites=false").run()
        sink.wait_committed()
        assert server.kept.keys() == everything.keys() - refused
        letters = [decode(DEAD_LETTER, value) for value in read_topic(cell.kafka, "millrace.deadletter")]
        letters = [x for x in letters if x["topic"] in cell.topics.values()]
        for letter in letters:
            collection = next(kind for kind in SCHEMAS if cell.topics[topic_of(kind)] == letter["topic"])
            record = decode(SCHEMAS[collection], letter["value"])
            record |= {key: round(record[key].timestamp() * 1000) for key in ("window_start", "minute", "updated_at") if key in record}
            assert document_id(record, letter["partition"], letter["offset"]) in refused
            assert letter["code"] == "document_refused" and "121" in letter["reason"], letter
        assert len(letters) == len(refused) == sink.metric("millrace_sink_dead_lettered_total")
        assert sink.settled() == 300 - len(refused)
        sink.finish()


def test_offsets_that_are_not_there(stack):
    """Retention was faster than the sink; then somebody commits an offset behind the end."""
    cell = Cell(stack, "cut")
    cell.write(200)
    sink = Sink(stack, cell).run()
    sink.wait_committed()
    sink.finish()
    committed = cell.committed()
    cell.write(200)
    lost = cell.ends()
    for future in cell.admin.delete_records([TopicPartition(t, p, end) for (t, p), end in lost.items()]).values():
        future.result()
    cell.forget({place: (committed[place], end) for place, end in lost.items()})
    cell.write(200)
    sink.run().wait_committed()
    cell.check()
    cut_off = sink.metric("millrace_sink_cut_off_total"), sum(lost[place] - committed[place] for place in lost)
    assert cut_off[0] == cut_off[1], cut_off
    assert sink.log().count("event=records_cut_off") == cell.places()
    sink.finish()
    beyond = ConsumerGroupTopicPartitions(f"millrace-sink-{cell.name}",
                                          [TopicPartition(t, p, end + 5000) for (t, p), end in cell.ends().items()])
    cell.admin.alter_consumer_group_offsets([beyond])[beyond.group_id].result()
    cell.write(50)
    sink.run().wait_committed()
    cell.check()
    assert sink.metric("millrace_sink_already_stored_total") >= 200
    sink.finish()


def huge_aggregate(dice):
    """A record of a megabyte whose document has seventeen: an element of a BSON array names its index."""
    record = {**random_aggregate(dice, "minutely", 0), "kind": "distribution", "count": 3}
    counts = [3] + [0] * 1_150_000
    return {**record, "histogram": {"scale": 5, "zero": 0, "offset": 0, "counts": counts, "neg_offset": 0, "neg_counts": []}}


def test_what_cannot_be_decoded_is_dead_lettered(stack):
    cell = Cell(stack, "poison")
    good = encode(AGGREGATE, random_aggregate(cell.dice, "minutely", 0))
    huge = huge_aggregate(cell.dice)
    assert len(bson.encode({"c": [bson.Int64(n) for n in huge["histogram"]["counts"]]})) > 17_000_000
    texts = {**random_aggregate(cell.dice, "minutely", 0), "site": "SITE", "name": "NAME", "tags": {"KEY": "VALUE"}}
    not_utf8 = [encode(AGGREGATE, texts).replace(text, text[:-1] + b"\xff") for text in (b"SITE", b"NAME", b"KEY", b"VALUE")]
    wrong_window = encode(AGGREGATE, random_aggregate(cell.dice, "hourly", 0))
    no_count = {**random_aggregate(cell.dice, "minutely", 0), "count": 0}
    poison = [good[:-7], os.urandom(50), b"", good + b"x", encode(CELL, {"name": "x", "epoch": 1, "partitions": 1, "created_at": 0}),
              wrong_window, encode(AGGREGATE, no_count), None, b"\0\0\0\0\4" + b"\xff" * 40, *not_utf8,
              encode(AGGREGATE, huge)]
    wanted = {}

    def note(value):
        return lambda error, message: wanted.update({(message.topic(), message.partition(), message.offset()): value})

    cell.write(50)
    for n, value in enumerate(poison):  # between good records, in every partition
        cell.producer.begin_transaction()
        cell.produce("minutely", value, note(value), partition=n % PARTITIONS)
        cell.producer.commit_transaction(30)
        cell.write(20)
    sink = Sink(stack, cell).run()
    sink.wait_committed()
    cell.check()
    letters = [decode(DEAD_LETTER, value) for value in read_topic(cell.kafka, "millrace.deadletter")]
    got = {(x["topic"], x["partition"], x["offset"]): x["value"] for x in letters if x["topic"] in cell.topics.values()}
    assert got == wanted, f"\n got {got}\nwant {wanted}"
    for letter in letters:
        assert letter["epoch"] == EPOCH and letter["program"] == "millrace-sink" and letter["reason"] and letter["code"]
        print(f"     {letter['code']}: {letter['reason']}")
    assert sum("UTF-8" in letter["reason"] for letter in letters) == len(not_utf8)
    assert sum("larger than the 16777216" in letter["reason"] for letter in letters) == 1
    assert sink.metric("millrace_sink_dead_lettered_total") == len(poison)
    assert sink.metric("millrace_sink_consumed_total") == cell.total() + len(poison)
    sink.finish()


def test_exemplars_go_where_their_kind_is_read(stack):
    """Each kind in its collection; what says two things, nothing, or no time is a dead letter, and the others go on."""
    cell = Cell(stack, "exemplars")
    records = [(kind, random_exemplar(cell.dice, kind, next(cell.numbers))) for kind in cell.dice.choices(tuple(DETAILS), k=800)]
    cell.commit(cell.begin(records))
    assert min(len(cell.wanted[kind]) for kind in DETAILS) > 100
    poison = []
    for change in ({"marker": None}, {"error": {"class": "E", "message": "", "backtrace": [], "params": {}, "breadcrumbs": []}},
                   {"t": -1}, {"t": 253_402_300_800_000}):
        bad = random_exemplar(cell.dice, "markers", next(cell.numbers))
        poison.append(encode(EXEMPLAR, {**bad, "event": {**bad["event"], **change}}))
    cell.producer.begin_transaction()
    for value in (*poison, poison[0][:-3], encode(AGGREGATE, random_aggregate(cell.dice, "minutely", 0))):
        cell.produce("errors", value)
    cell.producer.commit_transaction(30)
    cell.write(200)
    sink = Sink(stack, cell).run()
    sink.wait_committed()
    cell.check()
    letters = [decode(DEAD_LETTER, value) for value in read_topic(cell.kafka, "millrace.deadletter")]
    codes = [letter["code"] for letter in letters if letter["topic"] == cell.topics["exemplars"]]
    assert sorted(codes) == ["bad_document"] * 4 + ["undecodable"] * 2, codes
    assert sink.metric("millrace_sink_consumed_total") == cell.total() + 6 == 1006
    sink.finish()


def test_alerts_and_incidents(stack):
    """Each in its collection, whole, of topics that differ in their partitions; what is of no time or of another schema is a dead letter."""
    cell = Cell(stack, "stories")
    cell.commit(cell.begin([(kind, random_record(cell.dice, kind, next(cell.numbers))) for kind in cell.dice.choices(STORIES, k=800)]))
    cell.producer.begin_transaction()
    for kind, field in (("alerts", "minute"), ("incidents", "updated_at")):
        bad = random_record(cell.dice, kind, next(cell.numbers))
        cell.produce(kind, encode_record(kind, {**bad, field: 253_402_300_800_000}))
        cell.produce(kind, encode_record(kind, bad)[:-3])
        cell.produce(kind, encode(AGGREGATE, random_aggregate(cell.dice, "minutely", 0)))
    cell.producer.commit_transaction(30)
    cell.write(200)
    sink = Sink(stack, cell).run()
    sink.wait_committed()
    cell.check()
    assert min(len(cell.wanted[kind]) for kind in STORIES) > 300
    letters = [decode(DEAD_LETTER, value) for value in read_topic(cell.kafka, "millrace.deadletter")]
    for kind in STORIES:
        codes = sorted(letter["code"] for letter in letters if letter["topic"] == cell.topics[kind])
        assert codes == ["bad_document", "undecodable", "undecodable"], (kind, codes)
    sink.finish()


def test_record_that_is_larger_than_a_letter(stack):
    """Six megabytes that were a few hundred bytes on their way: the letter holds the beginning, and the partition goes on."""
    cell = Cell(stack, "larger")
    cell.write(50)
    producer = Producer({"bootstrap.servers": cell.kafka, "compression.type": "zstd", "message.max.bytes": 8 << 20})
    producer.produce(cell.topics["minutely"], b"x" * (6 << 20), partition=0)
    assert producer.flush(30) == 0
    cell.write(50)
    sink = Sink(stack, cell).run()
    sink.wait_committed()
    cell.check()
    letters = [decode(DEAD_LETTER, value) for value in read_topic(cell.kafka, "millrace.deadletter")]
    letter, = [x for x in letters if x["topic"] in cell.topics.values()]
    assert (letter["code"], letter["partition"], letter["value"]) == ("cut_off", 0, b"x" * 1_000_000), letter["code"]
    assert letter["reason"].startswith("undecodable: ") and "6291456 bytes" in letter["reason"], letter["reason"]
    assert sink.metric("millrace_sink_dead_lettered_total") == 1
    sink.finish()


def operator_log(cell):
    return [decode(NOTICE, value) for value in read_topic(cell.kafka, "millrace.notices")]


def notices(cell):
    """What operators were told so far: event, severity, cell."""
    return [(notice["event"], notice["severity"], notice["cell"]) for notice in operator_log(cell)]


def test_unknown_schema_holds_its_partition_alone(stack):
    cell = Cell(stack, "newer")
    cell.write(40)
    ends = cell.ends()
    cell.producer.begin_transaction()
    cell.produce("minutely", struct.pack(">bI", 0, 4711) + b"from the future", partition=2)
    cell.producer.commit_transaction(30)
    sink = Sink(stack, cell)
    sink.launch()
    sink.wait_stored(cell.total())
    held = (cell.topics["minutely"], 2)
    sink.wait_until(lambda: ("schema_unknown", "alarm", cell.name) in notices(cell), SECONDS, "alarmed")
    assert "event=schema_unknown" in sink.log()
    sink.wait_until(lambda: {k: v for k, v in cell.committed().items() if k != held} ==
                    {k: v for k, v in cell.ends().items() if k != held}, SECONDS, "committed elsewhere")
    assert cell.committed()[held] <= ends[held]
    sink.wait_until(lambda: sink.get("/health/ready")[0] == 503, SECONDS, "not ready")
    assert sink.metric("millrace_sink_waiting_partitions") == 1
    cell.check()
    sink.finish()


def test_what_stopped_the_sink_is_in_deadletter(stack):
    """A database that refuses everything: a hundred letters, and an operator can read them though their batches are not through."""
    cell = Cell(stack, "validator")
    cell.write(600)
    with PickyServer(cell.everything()) as server:
        sink = Sink(stack, cell, mongo_uri=f"mongodb://127.0.0.1:{server.server_address[1]}/?retryWrites=false")
        sink.launch()

        def places():
            letters = [decode(DEAD_LETTER, value) for value in read_topic(cell.kafka, "millrace.deadletter")]
            return [(x["topic"], x["partition"], x["offset"]) for x in letters if x["topic"] in cell.topics.values()]
        sink.wait_until(lambda: sink.metric("millrace_sink_breaker_state") > 0, SECONDS, "stopped")
        sink.wait_until(lambda: ("breaker_open", "warning", cell.name) in notices(cell), SECONDS, "told in the operator log")
        sink.wait_until(lambda: len(places()) >= 100, 10, "done with a hundred letters")
        assert len(set(places())) == len(places()) == 100, places()
        sink.finish()


def test_another_unique_index_is_an_alarm(stack):
    """Made while the sink runs. What it refuses waits, is told to operators, once, and arrives when it is gone."""
    cell = Cell(stack, "unique")
    sink = Sink(stack, cell).run()
    with MongoClient(cell.uri) as mongo:
        mongo[cell.name].minutely.create_index([("approximate", 1)], unique=True, name="one_only")
        cell.write(50)
        alarm = ("database_alarm", "alarm", cell.name)
        sink.wait_until(lambda: alarm in notices(cell), SECONDS, "alarmed")
        sink.wait_until(lambda: sink.metric("millrace_sink_retries_total") >= 4, SECONDS, "repeating")
        assert notices(cell).count(alarm) == 1 and cell.stored(mongo) < 50
        mongo[cell.name].minutely.drop_index("one_only")
        sink.wait_committed()
    cell.check()
    sink.finish()


def test_ids_doubled_in_one_batch(stack):
    """Copies of a record, with its place in a header as a retry of a dead letter leaves it, arrive in one insert with it."""
    cell = Cell(stack, "doubled")
    records = [random_aggregate(cell.dice, "minutely", next(cell.numbers)) for _ in range(20)]
    placed = cell.begin([("minutely", record) for record in records])  # nothing of it is seen, or inserted, before its end
    for _, record, _, partition, offset in placed:
        line = f"v1 topic={cell.topics['minutely']} epoch={EPOCH} partition={partition} offset={offset}"
        for _ in range(2):
            cell.produce("minutely", encode(AGGREGATE, record), partition=partition, headers=[("millrace-origin", line)])
    cell.commit(placed)
    with Tap(stack.databases[0].port) as tap:
        sink = Sink(stack, cell, mongo_uri=f"mongodb://127.0.0.1:{tap.port}/?retryWrites=false").run()
        sink.wait_committed()
        assert [insert.documents for insert in tap.answered()] == [60], [insert.documents for insert in tap.answered()]
    cell.check()
    assert sink.metric("millrace_sink_stored_total") == 20 and sink.metric("millrace_sink_already_stored_total") == 40
    sink.finish()


def test_two_instances_share(stack):
    cell = Cell(stack, "shared")
    first, second = Sink(stack, cell, "first"), Sink(stack, cell, "second")
    cell.write(400)
    first.run()
    cell.write(400)
    second.run()
    half = cell.places() // 2
    second.wait_until(lambda: sorted(len(p) for p in cell.members().values()) == [half, cell.places() - half],
                      SECONDS, "sharing the partitions")
    cell.write(800)
    second.wait_until(lambda: second.metric("millrace_sink_stored_total") > 0, SECONDS, "storing")
    first.finish()  # its partitions move while there is work
    cell.write(400)
    second.wait_stored(cell.total())
    second.wait_committed()
    cell.check()
    second.finish()


def test_topics_made_again_are_refused(stack):
    cell = Cell(stack, "again")
    cell.write(30)
    sink = Sink(stack, cell).run()
    sink.wait_committed()
    cell.set_epoch(EPOCH + 1)
    assert sink.wait_end(SECONDS) and sink.exit_code == 1, "it goes on with topics of another epoch"
    sink.launch()
    sink.wait_until(lambda: sink.log().count("event=epoch_differs") == cell.places(), SECONDS, "refusing")
    sink.wait_until(lambda: sink.get("/health/ready")[0] == 503, SECONDS, "not ready")
    cell.write(30)
    assert sink.metric("millrace_sink_consumed_total") == 0
    sink.finish()


def test_settings_that_cannot_be(stack):
    """Each ends at once with a message that names the setting, and never the password."""
    cell = Cell(stack, "settings")
    for setting, value in (("mongo_uri", "mysql://u:hunter2@h"), ("mongo_database", "a.b"), ("kafka_enable.auto.commit", "true")):
        sink = Sink(stack, cell, setting, **{setting: value})
        sink.launch()
        assert sink.wait_end(SECONDS) and sink.exit_code == 1, setting
        assert setting.replace("_", ".") in sink.log() and "hunter2" not in sink.log(), sink.log()


def main():
    with sink_stack() as stack:
        only = sys.argv[1:]
        cases.run({n: c for n, c in globals().items() if not only or n in only}, stack)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"{failure}\n0 passed, 1 failed")
