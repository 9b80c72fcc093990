"""What the run looks like from outside, once a second: memory, descriptors and figures of each program, freshness of each cell, into samples.jsonl;
steps and blows into events.jsonl.

Freshness is end to end and asks the database no more than one document by its _id: a reader of the cell's output picks a record of each minute, makes the
_id that its document must have, and looks whether it is there.
"""
import json
import os
import threading
import time

import confluent_kafka
import pymongo
from house import BUDGETS_MIB, CELLS, PARTITIONS
from oracle_windows import MINUTE_MS, milliseconds
from processor_cell import Codec
from sink_records import document_id

EVERY_S = 1.0
PROBES = 3  # of the newest minutes that are looked for at a time


class Freshness:
    """Of one cell: the newest minute of which its database has a document."""

    def __init__(self, house, cell):
        self.house, self.cell, self.codec = house, cell, Codec("Aggregate")
        self.consumer = confluent_kafka.Consumer({"bootstrap.servers": house.kafka, "group.id": f"rehearsal-{cell}", "enable.auto.commit": False,
                                                  "isolation.level": "read_committed", "log_level": 0})
        topic = f"millrace.c.{cell}.minutely"
        self.consumer.assign([confluent_kafka.TopicPartition(topic, p, 0) for p in range(PARTITIONS)])
        self.waiting, self.newest_ms = {}, None
        self.asked_s = 0.0  # how long the database took for the last answer

    def read(self):
        """Picks of what has come."""
        while messages := self.consumer.consume(1000, 0.05):
            for message in messages:
                if message.error():
                    continue
                record = self.codec.decode(message.value())
                minute = milliseconds(record["window_start"])
                if not record["late"] and minute not in self.waiting and minute > (self.newest_ms or 0):
                    self.waiting[minute] = document_id({**record, "window_start": minute}, message.partition(), message.offset())

    def look(self):
        """Asks for the newest of them."""
        for minute in sorted(self.waiting, reverse=True)[:PROBES]:
            begun = time.monotonic()
            try:
                found = self.house.databases[self.cell].minutely.find_one({"_id": self.waiting[minute]}, {"_id": 1})
            except pymongo.errors.PyMongoError:
                return
            self.asked_s = time.monotonic() - begun
            if found:
                self.newest_ms = minute
                self.waiting = {later: id_ for later, id_ in self.waiting.items() if later > minute}
                return

    def seconds(self):
        """Virtual, since the end of that minute; None before the first."""
        return self.newest_ms and (self.house.clock.now_ms() - self.newest_ms - MINUTE_MS) / 1000


class Watch:
    """Two threads: one samples, one a cell keeps freshness."""

    def __init__(self, house, figures):
        self.house, self.wanted = house, figures
        self.begun = time.monotonic()
        self.rows, self.events = [], []
        self.samples, self.log = open(house.directory / "samples.jsonl", "w"), open(house.directory / "events.jsonl", "w")
        self.fresh = {cell: Freshness(house, cell) for cell in CELLS}
        self.ending, self.error = threading.Event(), None
        self.threads = [threading.Thread(target=self._guarded, args=(call,), daemon=True)
                        for call in (self._sample, *(lambda f=f: self._refresh(f) for f in self.fresh.values()))]
        for thread in self.threads:
            thread.start()
        house.checks.append(self.check)

    def check(self):
        if self.error:
            raise self.error

    def end(self):
        if self.ending.is_set():
            return
        self.ending.set()
        for thread in self.threads:
            thread.join(60)
        for fresh in self.fresh.values():
            fresh.consumer.close()
        self.samples.close()
        self.log.close()
        if self.error:
            raise self.error

    def event(self, kind, title, at=""):
        row = {"t": round(time.monotonic() - self.begun, 2), "v": self.house.clock.now_ms(), "kind": kind, "at": at, "title": title}
        self.events.append(row)
        self.log.write(json.dumps(row) + "\n")
        self.log.flush()

    def _guarded(self, call):
        try:
            while not self.ending.is_set():
                due = time.monotonic() + EVERY_S
                call()
                self.ending.wait(max(0.0, due - time.monotonic()))
        except Exception as error:
            self.error = error

    @staticmethod
    def _refresh(fresh):
        fresh.read()
        fresh.look()

    def _row(self, **more):
        row = {"t": round(time.monotonic() - self.begun, 2), "v": self.house.clock.now_ms(), **more}
        self.rows.append(row)
        self.samples.write(json.dumps(row) + "\n")

    def _sample(self):
        for program in list(self.house.programs.values()):
            pid = program.process.pid if program.state != "down" else None
            rss, peak, fds = memory(pid) if pid else (None, None, None)
            figures = program.figures() if program.state == "up" else {}
            wanted = self.wanted.get(program.kind)
            kept = {name: value for name, value in figures.items() if wanted is None or name in wanted}
            self._row(program=program.name, kind=program.kind, cell=program.cell, state=program.state, rss_mib=rss, peak_mib=peak,
                      budget_mib=BUDGETS_MIB.get(program.kind), fds=fds, figures=kept)
        for cell, fresh in self.fresh.items():
            self._row(program=f"cell-{cell}", kind="cell", cell=cell, freshness_s=fresh.seconds())

    # What the steps ask

    def values(self, name, since_t, until_t=float("inf"), program=None, kind=None, cell=None):
        """A figure's values in a span of real time, over the programs that fit."""
        out = []
        for row in list(self.rows):
            if since_t <= row["t"] <= until_t and (program in (None, row["program"])) and (kind in (None, row["kind"])) and (cell in (None, row["cell"])):
                value = row.get(name, row.get("figures", {}).get(name))
                if value is not None:
                    out.append(value)
        return out

    def now_t(self):
        return time.monotonic() - self.begun

    def peaks(self):
        """{program: MiB}: the most that was resident, of every process of that name that was seen."""
        out = {}
        for row in list(self.rows):
            if row.get("peak_mib"):
                out[row["program"]] = max(out.get(row["program"], 0), row["peak_mib"])
        return out


def memory(pid):
    """(resident MiB, the most so far, open descriptors); Nones when it is gone."""
    try:
        with open(f"/proc/{pid}/status") as file:
            lines = dict(line.split(":", 1) for line in file if line.startswith("Vm"))
        return (int(lines["VmRSS"].split()[0]) / 1024, int(lines["VmHWM"].split()[0]) / 1024, len(os.listdir(f"/proc/{pid}/fd")))
    except (OSError, KeyError):
        return None, None, None
