"""What the crowd was told, by its own ledger, and what its agents say that they gave up, by their journals.

agents.json names the series; told.bin has each value and the flush that was to cut it; flushes.bin says which payloads a flush became. A head is
the first eight bytes of a record of told.bin as one number: agent, series and flush. It is the smallest part of the ledger that a record of
the samples topics can hold, or lack, as one series of one payload stands in one partition.
"""
import bisect
import collections
import json
import mmap
import struct

import zstandard
from agent_journal import HEAD, fields

SLOT_MS = 30000
TOLD, FLUSHED = struct.Struct("<Qqq"), struct.Struct("<HHI16sQQqq")


def identity_of(site, kind, name, tags):
    """A series as it is looked up; tags: pairs."""
    return site, kind, name, tuple(sorted(tags))


class Reports:
    """Ranges of seqs by agent_id: is a payload in one of them?"""

    def __init__(self, ranges):
        """ranges: (agent_id, first, last)."""
        self.ranges = {}
        for agent_id, first, last in sorted(ranges):
            mine = self.ranges.setdefault(agent_id, [])
            if mine and first <= mine[-1][1] + 1:
                mine[-1] = (mine[-1][0], max(last, mine[-1][1]))
            else:
                mine.append((first, last))

    def name(self, agent_id, seq):
        mine = self.ranges.get(agent_id, ())
        at = bisect.bisect_right(mine, (seq, 1 << 64)) - 1
        return at >= 0 and seq <= mine[at][1]


class Report:
    """One truncation, and the payload that carried it."""

    __slots__ = ("carrier", "agent_id", "first", "last", "samples", "attempted")

    def __init__(self, carrier, loss):
        self.carrier, self.agent_id, self.first, self.last = carrier, loss[1], loss[2], loss[3]
        self.samples, self.attempted = loss.get(4, 0), bool(loss.get(5, 0))


class Told:
    """The ledger of a crowd.

    series: [(site, kind, name, tags)], each once; agents that share a series tell it together. places: {identity: index into series}.
    place_of: {agent | series << 16: index into series}. head_in: {(agent, index into series): agent | series << 16}.
    payloads: {(agent_id, seq): agent | flush << 32}; flushes: {agent | flush << 32: (agent_id, first seq, last seq, created_at)}.
    newest: {head: the newest slot that something was told for}.
    reports: what truncations the journals hold; refused: {(agent_id, seq)} that the spool did not take."""

    def __init__(self, directory):
        self._read_agents(json.loads((directory / "agents.json").read_text()))
        self._read_flushes((directory / "flushes.bin").read_bytes())
        self.told = self._open(directory / "told.bin")
        self._find_newest()
        self.reports, self.refused = [], set()
        for path in sorted((directory / "journal").iterdir()):
            self._read_journal(path.read_bytes())

    def _read_agents(self, agents):
        self.hosts, self.sites = [agent["host"] for agent in agents], {agent["site"] for agent in agents}
        self.series, self.places, self.place_of, self.head_in = [], {}, {}, {}
        for number, agent in enumerate(agents):
            for i, s in enumerate(agent["series"]):
                identity = identity_of(agent["site"], s["kind"], s["name"], s["tags"].items())
                place = self.places.setdefault(identity, len(self.series))
                if place == len(self.series):
                    self.series.append(identity)
                self.place_of[number | i << 16] = place
                assert self.head_in.setdefault((number, place), number | i << 16) == number | i << 16, f"{agent['host']} has {identity} twice"

    def _read_flushes(self, data):
        self.flushes, self.payloads = {}, {}
        assert len(data) % FLUSHED.size == 0, "flushes.bin ends within a record"
        for agent, _, flush, agent_id, first, last, created_at, _ in FLUSHED.iter_unpack(data):
            number = agent | flush << 32
            assert number not in self.flushes, f"flush {flush} of {self.hosts[agent]} stands in the ledger twice"
            self.flushes[number] = (agent_id, first, last, created_at)
            for seq in range(first, last + 1):
                assert self.payloads.setdefault((agent_id, seq), number) == number, f"seq {seq} of {self.hosts[agent]} was used twice"

    @staticmethod
    def _open(path):
        with open(path, "rb") as file:
            assert path.stat().st_size % TOLD.size == 0, "told.bin ends within a record"
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if path.stat().st_size else b""

    def values(self):
        """(head, t, k) of each value, in the order of telling."""
        return TOLD.iter_unpack(self.told)

    def _find_newest(self):
        newest = {}
        get = newest.get
        for head, t, _ in self.values():
            slot = t - t % SLOT_MS
            if slot > get(head, -1):
                newest[head] = slot
        self.newest = newest

    def _read_journal(self, data):
        """Of the payloads only what they say of others; what a kill has torn at its end is nothing."""
        at, inflate = 0, zstandard.ZstdDecompressor().decompress
        while at + HEAD.size <= len(data):
            word, agent_id, seq, _, size = HEAD.unpack_from(data, at)
            body = data[at + HEAD.size:at + HEAD.size + size]
            at += HEAD.size + size
            if word == b"l":
                self.refused.add((agent_id, seq))
            elif word == b"m" and len(body) == size:
                self.reports += [Report((agent_id, seq), dict(fields(value))) for number, value in fields(inflate(body)) if number == 9]

    def describe(self, number):
        """A flush, for a person."""
        agent, flush = number & 0xFFFF, number >> 32
        agent_id, first, last, _ = self.flushes.get(number, (b"", 1, 0, 0))
        return f"{self.hosts[agent]}, flush {flush}, " + (f"{agent_id.hex()} seq {first}" if first <= last else "which made no payload")


class Missing:
    """What is not in the system. times: {head: of each of its values}."""

    def __init__(self, told):
        self.told, self.times = told, collections.defaultdict(list)

    def samples(self, head):
        """As Millrace counts them: a slot of a counter is one."""
        place = self.told.place_of[head & 0xFFFFFFFF]
        return self.points(head) if self.told.series[place][1] == "counter" else len(self.times[head])

    def points(self, head):
        """As an agent counts them: a slot of any series is one."""
        return len({t // SLOT_MS for t in self.times[head]})
