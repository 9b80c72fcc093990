#!/usr/bin/env python3
"""Reads millrace.c.CELL.minutely into a DuckDB file and answers three questions from it.

  which routes are slowest, by the p95 of their transactions?
  which actions fail most often?
  which hosts are busiest?

Reads what is committed, from the beginning (or --since) to the end as it is at the start; run again, it goes on where it stopped, and counts nothing twice.
Schemas come from the registry, which millrace-status serves. Python with: pip install -r requirements.txt
"""
from __future__ import annotations

import argparse
import re
import signal
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Callable, Iterator, Optional

import report

try:
    import duckdb
    from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicCollection, TopicPartition
    from confluent_kafka.admin import AdminClient
    from confluent_kafka.schema_registry import SchemaRegistryClient
    from confluent_kafka.schema_registry.avro import AvroDeserializer
    from confluent_kafka.schema_registry.error import SchemaRegistryError
    from confluent_kafka.serialization import MessageField, SerializationContext
    from warehouse import Place, Progress, Warehouse
except ImportError as missing:
    report.stop(f"{missing}: {report.NEEDED}")

BATCH = 20_000  # records a transaction of the file's
ANSWER_S, SILENT_S = 10.0, 60.0  # how long Kafka and the registry may take for a question; and be silent before its end
AHEAD = timedelta(minutes=15)  # a window may be written before its time: accepted are samples of up to 10 minutes ahead, and memory may be short
FIRST, LAST = datetime(1970, 1, 1, tzinfo=timezone.utc), datetime(9999, 12, 31, tzinfo=timezone.utc)
ORIGIN = re.compile(rb"v1 topic=\S+ epoch=(-?\d+) partition=(\d+) offset=(\d+)")


class Decoder:
    """From a record's bytes to an Aggregate, by the registry's schemas.

    A record's writer is known by the id in its first five bytes. What it is read as is the schema that was the newest at the start: of a writer that comes
    later, unknown fields are passed over, and fields that it no longer has get their defaults. Schemas are FULL compatible, so both ways always exist.
    """

    def __init__(self, url: str, topic: str):
        self._url, self._context = url, SerializationContext(topic, MessageField.VALUE)
        self._registry = SchemaRegistryClient({"url": url, "timeout": ANSWER_S, "max.retries": 1})
        self._known: set[int] = set()
        try:
            latest = self._registry.get_latest_version(f"{topic}-value")
        except SchemaRegistryError as error:
            report.stop(f"the schema registry at {url} has no schema for {topic}: {error.error_message}")
        except Exception as error:  # the client lets its transport's errors through, whatever that is
            report.stop(f"no schema registry at {url}: {error}")
        # By the topic's name: the default asks for associations, which only Confluent's own registry has.
        self._decode = AvroDeserializer(self._registry, latest.schema, conf={"subject.name.strategy.type": "TOPIC"})

    def __call__(self, message: Message) -> Optional[dict[str, Any]]:
        """None of a record that is no Aggregate. An id that the registry does not know is another thing: it is a newer writer's, and ends the reading."""
        value = message.value()
        if value is None or len(value) <= 5 or value[0] != 0:
            return None
        self._look_up(int.from_bytes(value[1:5], "big"), message)
        try:
            return self._decode(value, self._context)
        except Exception:  # foreign bytes fail in a dozen ways
            return None

    def _look_up(self, schema_id: int, message: Message) -> None:
        """Beforehand, so that a registry that is away is not taken for a bad record."""
        if schema_id in self._known:
            return
        place = f"partition {message.partition()}, offset {message.offset()}, schema id {schema_id}"
        try:
            self._registry.get_schema(schema_id)
        except SchemaRegistryError as error:
            raise NotReadable(f"{place}: the registry does not know it ({error.error_message}). A newer program has written it: upgrade millrace-status, then "
                              f"run this again") from error
        except Exception as error:
            raise NotReadable(f"{place}: no schema registry at {self._url} any more: {error}") from error
        self._known.add(schema_id)


class NotReadable(Exception):
    """The schema of a good record is not to be had now: what came before it is kept, and a later run goes on with it."""


class Topic:
    """The committed records of a topic, partition by partition in their order."""

    def __init__(self, name: str, settings: dict[str, str]):
        self.name = name
        self._consumer = Consumer({**settings, "group.id": "millrace-analysts", "enable.auto.commit": False, "isolation.level": "read_committed",
                                   "enable.partition.eof": True, "auto.offset.reset": "earliest"}, logger=_Silent())
        self._servers = settings["bootstrap.servers"]
        try:
            topics = self._consumer.list_topics(timeout=ANSWER_S).topics
        except KafkaException as error:
            report.stop(f"no answer from Kafka at {self._servers}: {error.args[0].str()}")
        if name not in topics:
            cells = sorted(t.split(".")[2] for t in topics if re.fullmatch(r"millrace\.c\.[a-z0-9-]+\.minutely", t))
            report.stop(f"there is no topic {name}; cells here: {', '.join(cells) or 'none'}")
        self.partitions = sorted(topics[name].partitions)
        admin = AdminClient(settings, logger=_Silent())  # which must live until it has answered
        self.id = str(admin.describe_topics(TopicCollection([name]))[name].result(ANSWER_S).topic_id)

    def close(self) -> None:
        self._consumer.close()

    def bounds(self) -> dict[int, tuple[int, int]]:
        """Of each partition the first offset that is kept and the end of what is committed."""
        return {p: self._consumer.get_watermark_offsets(TopicPartition(self.name, p), timeout=ANSWER_S) for p in self.partitions}

    def offsets_at(self, moment: datetime) -> Progress:
        """The first offsets written at that time or later; the ends where there are none."""
        asked = [TopicPartition(self.name, p, int(moment.timestamp() * 1000)) for p in self.partitions]
        found, bounds = self._consumer.offsets_for_times(asked, timeout=ANSWER_S), self.bounds()
        return {tp.partition: tp.offset if tp.offset >= 0 else bounds[tp.partition][1] for tp in found}

    def read(self, start: Progress, ends: Optional[dict[int, int]], stopped: Callable[[], bool]) -> Iterator[tuple[list[Message], Progress]]:
        """Batches of messages, and what is to be read next behind each; to the ends, or for ever where there are none.

        A partition's end may be behind its last message: markers of transactions have offsets, too. So it is reached at an offset or at the end of file.
        """
        todo = {p for p in start if ends is None or start[p] < ends[p]}
        self._consumer.assign([TopicPartition(self.name, p, start[p]) for p in todo])
        batch: list[Message] = []
        progress: Progress = {}
        heard = flushed = time.monotonic()
        while todo and not stopped():
            messages = self._consumer.consume(1000, 0.5)
            heard = time.monotonic() if messages or ends is None else heard
            if time.monotonic() - heard > SILENT_S:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"nothing has come for {SILENT_S:.0f} s"))
            for message in messages:
                p, error = message.partition(), message.error()
                if error and error.code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(error)
                progress[p] = max(progress.get(p, 0), message.offset() + (0 if error else 1))
                if not error:
                    batch.append(message)
                if ends is not None and p in todo and (error or message.offset() + 1 >= ends[p]):
                    todo.discard(p)
                    self._consumer.pause([TopicPartition(self.name, p)])
            if len(batch) >= BATCH or (ends is None and batch and time.monotonic() - flushed > 1):
                yield batch, progress
                batch, progress, flushed = [], {}, time.monotonic()
        yield batch, progress  # what came before a stop is whole, too


class _Silent:
    """librdkafka's own lines say in its words what we say in ours."""

    def log(self, *_: Any) -> None:
        pass


def place_of(message: Message, epoch: int) -> Place:
    """Where the record stood first. What an operator sent again from the dead letters stands in the topic twice, and the copy says of what it is one."""
    for name, value in message.headers() or ():
        origin = ORIGIN.fullmatch(value) if name == "millrace-origin" and value else None
        if origin:
            return Place(*map(int, origin.groups()))
    return Place(epoch, message.partition(), message.offset())


def where_to_begin(topic: Topic, warehouse: Warehouse, since: Optional[datetime]) -> Progress:
    """Where the file's progress says, or the beginning, or --since; and what is wrong with that is told."""
    bounds = topic.bounds()
    source = warehouse.source()
    if source and source[0] != topic.name:
        report.stop(f"the file is of {source[0]}: take another one for {topic.name}")
    if not source or source[1] != topic.id:
        if source:
            print(f"{topic.name} was made again since: it is read from its beginning, beside what the file has", file=sys.stderr)
        warehouse.begin(topic.name, topic.id, max(since or FIRST, source[2] if source else FIRST))
        first = topic.offsets_at(since - AHEAD) if since else {}
        return {p: max(low, first.get(p, low)) for p, (low, _) in bounds.items()}
    progress = warehouse.progress()
    for p, (low, _) in bounds.items():
        if progress.get(p, low) < low:
            print(f"partition {p}: offsets {progress[p]} to {low - 1} went by the topic's retention before they were read: windows of that time are not whole",
                  file=sys.stderr)
    return {p: max(low, progress.get(p, low)) for p, (low, _) in bounds.items()}


def load(topic: Topic, decode: Decoder, warehouse: Warehouse, start: Progress, follow: bool, stopped: Callable[[], bool]) -> dict[str, int]:
    """Reads the topic into the file; returns how many records there were, were new, and were none."""
    ends = None if follow else {p: high for p, (_, high) in topic.bounds().items()}
    expected = sum(max(0, ends[p] - start[p]) for p in start) if ends else 0
    told = report.Progress(0 if follow else 2)
    if follow:
        print("reading until Ctrl-C", file=sys.stderr, flush=True)
    counts = {"read": 0, "new": 0, "undecodable": 0}
    for messages, progress in topic.read(start, ends, stopped):
        records = []
        ended: Optional[NotReadable] = None
        for n, message in enumerate(messages):
            try:
                record = decode(message)
            except NotReadable as error:
                ended, progress = error, _progress_of(messages[:n])
                break
            if record is None:
                counts["undecodable"] += 1
                print(f"partition {message.partition()}, offset {message.offset()}: no Aggregate, passed over", file=sys.stderr)
            else:
                records.append((place_of(message, record["epoch"]), record))
        counts["read"] += len(records)
        counts["new"] += warehouse.add(records, progress)
        if ended:
            raise ended
        told.tell(f"read {counts['read']:,} records" + (f" of about {expected:,}" if ends else ""))
    return counts


def _progress_of(messages: list[Message]) -> Progress:
    return {message.partition(): message.offset() + 1 for message in messages}


def settings_of(arguments: argparse.Namespace) -> dict[str, str]:
    """librdkafka's settings: a file for what does not belong on a command line."""
    settings = {"bootstrap.servers": arguments.kafka}
    if arguments.kafka_config:
        try:
            lines = arguments.kafka_config.read_text().splitlines()
        except OSError as error:
            report.stop(f"{arguments.kafka_config}: {error.strerror}")
        settings |= {key.strip(): value.strip() for key, _, value in (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))}
    return settings


def answer_of(warehouse: Warehouse, arguments: argparse.Namespace) -> report.Answer:
    begin, end = max(arguments.begin or FIRST, warehouse.source()[2]), arguments.end or LAST
    asked = arguments.site, begin, end
    if arguments.site not in warehouse.sites():
        report.stop(f"nothing is known of a site {arguments.site}; sites here: {', '.join(warehouse.sites()) or 'none'}")
    return {"site": arguments.site, "from": begin, "to": end, "routes": warehouse.routes(*asked, arguments.least)[:arguments.limit],
            "error_rates": warehouse.error_rates(*asked, arguments.least)[:arguments.limit], "hosts": warehouse.hosts(*asked)[:arguments.limit],
            "overflowed": warehouse.overflowed(*asked)}


def parse() -> argparse.Namespace:
    made = report.parser(__doc__, "all that was read")
    read = made.add_argument_group("what is read")
    read.add_argument("--kafka", default="127.0.0.1:9092", metavar="HOST:PORT", help="bootstrap servers (default: %(default)s)")
    read.add_argument("--kafka-config", type=Path, metavar="FILE", help="more of librdkafka's settings, key=value a line: sasl.password belongs here")
    read.add_argument("--registry", default="http://127.0.0.1:8080", metavar="URL", help="where millrace-status serves schemas (default: %(default)s)")
    read.add_argument("--cell", default="main", help="(default: %(default)s)")
    read.add_argument("--db", type=Path, default=Path("millrace.duckdb"), metavar="FILE",
                      help="the DuckDB file, made where there is none (default: %(default)s)")
    read.add_argument("--since", type=report.moment, metavar="TIME", help="into a new file, read windows from TIME on only; default: all that the topic has")
    read.add_argument("--follow", action="store_true", help="read on until Ctrl-C, then answer")
    return made.parse_args()


def main() -> int:
    arguments = parse()
    stops: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: stops.append(received))
    name = f"millrace.c.{arguments.cell}.minutely"
    topic = Topic(name, settings_of(arguments))  # before its schema is asked for: who mistypes a cell is told which there are
    try:
        decode = Decoder(arguments.registry, name)
        with Warehouse(arguments.db) as warehouse:
            counts = load(topic, decode, warehouse, where_to_begin(topic, warehouse, arguments.since), arguments.follow, lambda: bool(stops))
            held = warehouse.figures()
            print(f"{counts['read']:,} records read, {counts['new']:,} of them new; {arguments.db} holds {held['windows']:,} windows, "
                  f"{held['windows_of_several']:,} of them merged from several fragments", file=sys.stderr)
            if stops and not arguments.follow:
                print("stopped; what was read is kept, and the next run goes on from there", file=sys.stderr)
                return 128 + stops[0]
            report.show({**answer_of(warehouse, arguments), **held, **counts}, arguments.json, arguments.chart)
    except NotReadable as error:
        report.stop(str(error))
    except KafkaException as error:
        report.stop(f"Kafka: {error.args[0].str()}")
    except duckdb.IOException as error:
        report.stop(f"{arguments.db}: {error}")
    finally:
        topic.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
