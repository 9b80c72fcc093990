"""fill_aggregates writes what the sink's bench says it writes: read by other clients than ours from a mock cluster."""
import collections
import json
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
import cases
import confluent_kafka
from bench import TOOLS
from ingest_house import fingerprint, plain
from processor_cell import Codec

PARTITIONS, AGENTS, MINUTES, START_MS, EPOCH = 4, 10, 3, 1795372020000, 7 << 40  # the mock cluster's topics have four partitions
RECORDS = 100 * AGENTS * MINUTES
RATE, SECONDS = 1000, 2


class World:
    """A mock cluster inside a producer of this process, and what was written to it, decoded, with key and partition."""

    def __init__(self):
        self.producer = confluent_kafka.Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "mock", "log_level": 2})
        broker = next(iter(self.producer.list_topics(timeout=10).brokers.values()))
        self.kafka = f"{broker.host}:{broker.port}"
        self.said, self.records = self.fill("backlog", RECORDS)

    def fill(self, topic, records, **more):
        words = {"bootstrap": self.kafka, "topic": topic, "partitions": PARTITIONS, "series": 100 * AGENTS, "records": records,
                 "start": START_MS, "epoch": EPOCH, **more}
        done = subprocess.run([TOOLS / "fill_aggregates", *(str(word) for key, value in words.items() for word in (f"--{key}", value))],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True)
        return json.loads(done.stdout), list(self.read(topic, records))

    def read(self, topic, records):
        consumer = confluent_kafka.Consumer({"bootstrap.servers": self.kafka, "group.id": "test", "enable.auto.commit": False, "log_level": 2})
        consumer.assign([confluent_kafka.TopicPartition(topic, n, 0) for n in range(PARTITIONS)])
        codec = Codec("Aggregate")
        for _ in range(records):
            message = consumer.poll(10)
            assert message is not None and not message.error(), message
            yield codec.decode(message.value()), message.key(), message.partition(), len(message.value())
        assert consumer.poll(0.5) is None, "more records than were asked for"
        consumer.close()


def test_records_are_windows_of_the_mix(world):
    kinds = collections.Counter(record["kind"] for record, *_ in world.records)
    assert kinds == {"counter": RECORDS * 40 // 100, "gauge": RECORDS * 40 // 100, "distribution": RECORDS * 20 // 100}
    for record, key, partition, _ in world.records:
        assert record["fingerprint"] == key == fingerprint(record["site"], record["kind"], record["name"], record["tags"])
        assert len(record["tags"]) == 3 and record["epoch"] == EPOCH and record["window_ms"] == 60000
        assert partition == int(record["tags"]["host"].removeprefix("web-")) % PARTITIONS
        assert record["min"] <= record["last"] <= record["max"]
        assert record["min"] * record["count"] <= record["sum"] <= record["max"] * record["count"]
        if record["kind"] == "distribution":
            assert sum(record["histogram"]["counts"]) == record["count"] and min(record["histogram"]["counts"]) > 0


def test_every_series_has_every_minute_once(world):
    windows = collections.Counter((key, plain(record["window_start"])) for record, key, *_ in world.records)
    assert len(windows) == RECORDS and set(windows.values()) == {1}
    assert {start for _, start in windows} == {START_MS + minute * 60000 for minute in range(MINUTES)}


def test_it_says_what_it_wrote(world):
    assert (world.said["records"], world.said["bytes"]) == (RECORDS, sum(size for *_, size in world.records))


def test_a_rate_is_kept_and_last_at_is_the_real_time(world):
    begun_ms = time.time() * 1000
    said, records = world.fill("live", RATE * SECONDS, **{"per-second": RATE})
    ended_ms = time.time() * 1000
    assert SECONDS - 0.01 <= said["seconds"] < SECONDS + 10, said
    times = [plain(record["last_at"]) for record, *_ in records]
    assert begun_ms - 1 <= min(times) and max(times) <= ended_ms and max(times) - min(times) > (SECONDS - 0.1) * 1000


if __name__ == "__main__":
    cases.run(globals(), World())
