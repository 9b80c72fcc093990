"""fill writes what the benches say it writes: read by other clients than ours from a mock cluster, fingerprints and windows counted anew."""
import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
import cases
import confluent_kafka
from bench import TOOLS
from ingest_house import fingerprint, plain
from processor_cell import Codec

PARTITIONS, AGENTS, RECORDS = 4, 10, 300  # the mock cluster's topics have four partitions
RATE, START_MS, SHIFT_MS = 20, 1795372012000, -5
ROUND_MS = 60000 // RATE


class World:
    """A mock cluster inside a producer of this process, and what fill wrote to it, decoded, with partition and time stamp."""

    def __init__(self):
        self.producer = confluent_kafka.Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "mock", "log_level": 2})
        broker = next(iter(self.producer.list_topics(timeout=10).brokers.values()))
        self.kafka = f"{broker.host}:{broker.port}"
        self.said, self.records = self.fill("one")

    def fill(self, topic):
        words = {"bootstrap": self.kafka, "topic": topic, "partitions": PARTITIONS, "series": 100 * AGENTS, "samples": 100 * RECORDS,
                 "rate": RATE, "start": START_MS, "shift": SHIFT_MS, "sites": 2}
        done = subprocess.run([TOOLS / "fill", *(str(word) for key, value in words.items() for word in (f"--{key}", value))],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True)
        return json.loads(done.stdout), list(self.read(topic))

    def read(self, topic):
        consumer = confluent_kafka.Consumer({"bootstrap.servers": self.kafka, "group.id": "test", "enable.auto.commit": False, "log_level": 2})
        consumer.assign([confluent_kafka.TopicPartition(topic, n, 0) for n in range(PARTITIONS)])
        codec = Codec("SampleBatch")
        for _ in range(RECORDS):
            message = consumer.poll(10)
            assert message is not None and not message.error(), message
            yield plain(codec.decode(message.value())), message.partition(), message.timestamp(), message.value()
        consumer.close()


def samples(batch):
    return batch["values"] + batch["summaries"]


def test_records_are_as_the_issue_says(world):
    for batch, *_ in world.records:
        kinds = [series["kind"] for series in batch["series"]]
        assert [kinds.count(kind) for kind in ("counter", "gauge", "distribution")] == [40, 40, 20]
        assert sorted(sample["series"] for sample in samples(batch)) == list(range(100))
        assert all(len(series["tags"]) == 3 and list(series["tags"]) == sorted(series["tags"]) for series in batch["series"])
        for series in batch["series"]:
            assert series["fingerprint"] == fingerprint(batch["site"], series["kind"], series["name"], series["tags"])
    lengths = [len(summary["histogram"]["counts"]) for batch, *_ in world.records for summary in batch["summaries"]]
    assert 10.5 < sum(lengths) / len(lengths) < 11.5
    assert 10_000 < world.said["bytes"] / RECORDS < 12_500


def test_summaries_are_true_to_themselves(world):
    seen = {}
    for batch, *_ in world.records:
        for summary in batch["summaries"]:
            histogram, base = summary["histogram"], 2 ** (1 / 32)
            first, last = histogram["offset"], histogram["offset"] + len(histogram["counts"]) - 1
            assert histogram["scale"] == 5 and min(histogram["counts"]) > 0 and sum(histogram["counts"]) == summary["count"]
            assert base ** first < summary["min"] <= summary["last"] <= summary["max"] < base ** (last + 1.01)
            assert summary["min"] * summary["count"] <= summary["sum"] <= summary["max"] * summary["count"]
            low, high = seen.get(batch["series"][summary["series"]]["fingerprint"], (first, last))
            seen[batch["series"][summary["series"]]["fingerprint"]] = min(low, first), max(high, last)
    assert max(high - low for low, high in seen.values()) == 15  # 16 neighbours


def test_agents_keep_list_place_and_turn(world):
    lists, partitions, turns = {}, {}, {}
    for batch, partition, stamp, _ in world.records:
        agent = batch["agent_id"]
        assert lists.setdefault(agent, batch["series"]) == batch["series"]
        assert partitions.setdefault(agent, partition) == partition
        turns.setdefault(agent, []).append((batch["seq"], batch["created_at"]))
        assert batch["floor"] == batch["seq"] and batch["home"] and {sample["t"] for sample in samples(batch)} == {batch["created_at"]}
        assert stamp == (confluent_kafka.TIMESTAMP_CREATE_TIME, batch["created_at"] + SHIFT_MS)
    assert len(lists) == AGENTS and sorted(set(partitions.values())) == list(range(PARTITIONS))
    for rows in turns.values():
        assert [seq for seq, _ in rows] == list(range(1, RECORDS // AGENTS + 1))
        assert {later - earlier for (_, earlier), (_, later) in zip(rows, rows[1:])} == {ROUND_MS}
    assert sorted(rows[0][1] for rows in turns.values()) == [START_MS + n * ROUND_MS // AGENTS for n in range(AGENTS)]


def test_the_last_line_is_true(world):
    minutes, hours, count, last = set(), set(), 0, 0
    for batch, *_ in world.records:
        last = max(last, batch["created_at"])
        count += len(batch["values"]) + sum(summary["count"] for summary in batch["summaries"])
        for sample in samples(batch):
            print_ = batch["series"][sample["series"]]["fingerprint"]
            minutes.add((print_, sample["t"] // 60000))
            hours.add((print_, sample["t"] // 3600000))
    said = {key: world.said[key] for key in ("samples", "records", "bytes", "count", "minutely", "hourly", "hourly_of_last_hour", "last_ms")}
    assert said == {"samples": 100 * RECORDS, "records": RECORDS, "bytes": sum(len(value) for *_, value in world.records), "count": count,
                    "minutely": len(minutes), "hourly": len(hours),
                    "hourly_of_last_hour": sum(hour == last // 3600000 for _, hour in hours), "last_ms": last}, said


def test_the_same_arguments_give_the_same_bytes(world):
    _, again = world.fill("two")
    assert sorted(value for *_, value in again) == sorted(value for *_, value in world.records)


if __name__ == "__main__":
    cases.run(globals(), World())
