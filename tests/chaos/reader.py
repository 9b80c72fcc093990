"""The independent reader: what a stranger sees of the output, read_committed, and how it differs from the ledger.

Tail follows the output while it is written, and says how long windows kept it waiting. read() and Verdict start from nothing at the end.
"""
import collections
import statistics
import threading
import time

import confluent_kafka
from ingest_house import fingerprint, partition_of, site_partitions
from oracle_windows import HOUR_MS, MINUTE_MS, Window, milliseconds
from processor_cell import Codec, topic

GRACE_MS = 90000  # twice the default: at this speed 45 s are less than a busy machine and a missing broker need for an answer
TOPICS = {"minutely": MINUTE_MS, "hourly": HOUR_MS}


class Fragments:
    """Committed fragments in batches, from the beginning on."""

    def __init__(self, kafka, partitions, eof=False):
        self.codec, self.left = Codec("Aggregate"), {(topic(name), p) for name in TOPICS for p in range(partitions)}
        self.consumer = confluent_kafka.Consumer({"bootstrap.servers": kafka, "group.id": "chaos-reader", "enable.auto.commit": False, "log_level": 0,
                                                  "isolation.level": "read_committed", "enable.partition.eof": eof, "fetch.wait.max.ms": 100})
        self.consumer.assign([confluent_kafka.TopicPartition(name, p, 0) for name, p in sorted(self.left)])

    def batch(self, seconds):
        """[(partition, fragment)]; self.left are the partitions whose end has not been seen."""
        found = []
        for message in self.consumer.consume(500, seconds):
            if not message.error():
                found.append((message.partition(), self.codec.decode(message.value())))
            elif message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF:
                self.left.discard((message.topic(), message.partition()))
        return found


class Tail:
    """Reads in a thread. values: by length of window, how many have been seen. seen: {(partition, minute): when the last fragment of it that
    was not late came}, real time."""

    def __init__(self, kafka, partitions):
        self.values, self.seen, self.error = collections.Counter(), {}, None
        self.fragments = Fragments(kafka, partitions)
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            while not self.stopping.is_set():
                for partition, a in self.fragments.batch(0.2):
                    self.values[a["window_ms"]] += a["count"]
                    if a["window_ms"] == MINUTE_MS and not a["late"]:
                        self.seen[partition, milliseconds(a["window_start"])] = time.time()
        except Exception as error:
            self.error = error

    def stop(self):
        self.stopping.set()
        self.thread.join()
        self.fragments.consumer.close()
        if self.error:
            raise self.error

    def pauses(self, clock, first_ms, last_ms):
        """[(real time at which a partition's minute fell due, seconds until its fragments were there)] of the minutes in this span of event time."""
        found = []
        for (_, minute), came in self.seen.items():
            due_ms = clock.real_ms + (minute + MINUTE_MS + GRACE_MS - clock.start_ms) / clock.speed
            if first_ms <= minute <= last_ms:
                found.append((due_ms / 1000, came - due_ms / 1000))
        return sorted(found)


def describe_pauses(pauses, events, window_s=30):
    """Lines: the median and the longest over all, and after the events of each kind; events: [(real time, kind)]."""
    waits = [wait for _, wait in pauses]
    lines = [f"pause in the output: median {statistics.median(waits):.1f} s, longest {max(waits):.1f} s over {len(waits)} minutes of partitions"]
    worst = collections.defaultdict(list)
    for at, kind in events:
        worst[kind].append(max((wait for due, wait in pauses if at - 5 <= due <= at + window_s), default=0.0))
    lines += [f"  after each {kind}: longest {' '.join(f'{w:.1f}' for w in seconds)} s" for kind, seconds in sorted(worst.items())]
    return lines


class Verdict:
    """What came out beside what must."""

    def __init__(self, ledger, epoch, shards, alerts=None):
        self.ledger, self.epoch, self.alerts = ledger, epoch, alerts
        self.by_identity = {(site, name): i for i, (site, _, name, _) in enumerate(ledger.series)}
        self.prints = [fingerprint(*series) for series in ledger.series]
        own = {site: site_partitions(site, number) for site, number in shards.items()}
        self.partitions = [partition_of(print_, own[series[0]]) for print_, series in zip(self.prints, ledger.series)]
        self.windows = collections.defaultdict(Window)
        self.fragments = self.late = 0

    def take(self, partition, a):
        number = self.by_identity[a["site"], a["name"]]
        assert self.ledger.series[number] == (a["site"], a["kind"], a["name"], a["tags"]) and a["fingerprint"] == self.prints[number], a
        assert partition == self.partitions[number] and a["epoch"] == self.epoch and not a["approximate"], (partition, a)
        assert (a["histogram"] is not None) == (a["kind"] == "distribution"), a
        self.windows[number, a["window_ms"], milliseconds(a["window_start"])].merge(a)
        self.fragments += 1
        self.late += a["late"]
        if self.alerts:
            self.alerts.take(number, a)

    def read(self, kafka, partitions):
        """To the ends as they are now."""
        fragments, deadline = Fragments(kafka, partitions, eof=True), time.monotonic() + 600
        while fragments.left:
            assert time.monotonic() < deadline, f"not read: {sorted(fragments.left)}"
            for partition, a in fragments.batch(1):
                self.take(partition, a)
        fragments.consumer.close()

    def judge(self):
        """Compares all; values of minutes count as lost or doubled, and any other difference as a window that differs."""
        self.lost = self.doubled = 0
        self.differing = []
        for window in self.ledger.windows.keys() | self.windows.keys():
            want, have = self.ledger.windows.get(window), self.windows.get(window)
            if want and have and want.figures() == have.figures():
                continue
            self.differing.append(window)
            surplus = (have.count if have else 0) - (want.count if want else 0)
            self.lost += max(0, -surplus)
            self.doubled += max(0, surplus)
        return not self.differing

    def explain(self, limit=10):
        """The windows that differ, with their partition: lines."""
        places = collections.Counter((self.partitions[n], length, start) for n, length, start in self.differing)
        lines = [f"partition {p}, {'minute' if length == MINUTE_MS else 'hour'} {start}: {n} windows differ"
                 for (p, length, start), n in sorted(places.items())]
        lines = lines[:4 * limit] + ([f".. and {len(lines) - 4 * limit} more places"] if len(lines) > 4 * limit else [])
        for window in sorted(self.differing)[:limit]:
            want, have = (side[window].figures()[:5] if window in side else None for side in (self.ledger.windows, self.windows))
            lines.append(f"{window} of partition {self.partitions[window[0]]}: want {want}, have {have}")
        return lines
