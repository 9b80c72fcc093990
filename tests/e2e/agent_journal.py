"""What an agent made, by its journal (ingest/agent/journal.h), and whether MongoDB holds each payload once.

The journal is read by the words of its header, payloads by those of schemas/push.proto and of the wire format; nothing of it is Millrace's own code.
A payload that was kept is to be stored once, unless a report names it as lost. One that was made while the process was killed, and one that is
reported as attempted, may be stored once or not. One that is reported as never attempted must not be.
"""
import collections
import datetime
import itertools
import struct

import zstandard

KINDS = {1: "counter", 2: "gauge", 3: "distribution"}
MINUTE_MS = 60000
EPOCH = datetime.datetime(1970, 1, 1)
HEAD = struct.Struct(">c16sQQI")


def varint(data, at):
    """(value, place behind it)."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def fields(data):
    """(number, value) of each field: ints, floats or bytes."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        match tag & 7:
            case 0:
                value, at = varint(data, at)
            case 1:
                value, at = struct.unpack_from("<d", data, at)[0], at + 8
            case 2:
                size, at = varint(data, at)
                value, at = data[at:at + size], at + size
            case other:
                raise AssertionError(f"wire type {other}")
        yield tag >> 3, value


class Payload:
    """Its cells, {(kind, name, tags, minute): [count, sum]}, and the losses that it tells."""

    def __init__(self, agent_id, seq, body):
        self.agent_id, self.seq, self.word = agent_id, seq, "m"
        self.cells = collections.defaultdict(lambda: [0, 0.0])
        self.truncated = []
        for number, value in fields(zstandard.ZstdDecompressor().decompress(body)):
            if number == 1:
                self._add(value)
            elif number == 9:
                loss = dict(fields(value))
                self.truncated.append((loss[1], loss[2], loss[3], loss.get(4, 0), bool(loss.get(5, 0))))

    def _add(self, metric):
        kind, name, tags, points = None, None, [], []
        for number, value in fields(metric):
            if number == 1:
                name = value.decode()
            elif number == 2:
                kind = KINDS[value]
            elif number == 3:
                pair = dict(fields(value))
                tags.append((pair[1].decode(), pair.get(2, b"").decode()))
            elif number == 4:
                points.append(dict(fields(value)))
        for point in points:
            cell = self.cells[kind, name, tuple(sorted(tags)), point[1] // MINUTE_MS * MINUTE_MS]
            cell[0] += point.get(3, 1)
            cell[1] += point[4] if 3 in point else point.get(2, 0.0)


def read(path):
    """{(agent_id, seq): payload} of a journal; what a kill has torn at its end is nothing."""
    data, at, payloads = path.read_bytes(), 0, {}
    while at + HEAD.size <= len(data):
        word, agent_id, seq, _, size = HEAD.unpack_from(data, at)
        body = data[at + HEAD.size:at + HEAD.size + size]
        at += HEAD.size + size
        if word == b"m" and len(body) == size:
            assert (agent_id, seq) not in payloads, "a seq was used twice"
            payloads[agent_id, seq] = Payload(agent_id, seq, body)
        elif word in b"kl":
            payloads[agent_id, seq].word = word.decode()
    return payloads


def stored(database, site):
    """{cell: [count, sum]} of MongoDB's minutes, fragments added up."""
    found = collections.defaultdict(lambda: [0, 0.0])
    for d in database.minutely.find({"site": site}, {"kind": 1, "name": 1, "tags": 1, "t": 1, "count": 1, "sum": 1}):
        minute = (d["t"] - EPOCH) // datetime.timedelta(milliseconds=1)
        cell = found[d["kind"], d["name"], tuple(sorted(d["tags"].items())), minute]
        cell[0] += d["count"]
        cell[1] += d["sum"]
    return found


class Judgement:
    """Of the payloads of journals against what is stored: wrong, as text; and how many there were of each fate."""

    def __init__(self, payloads, found):
        reports = {report for payload in payloads.values() for report in payload.truncated}
        self.fates = collections.Counter()
        self.must, self.may = collections.defaultdict(lambda: [0, 0.0]), collections.defaultdict(list)
        for payload in payloads.values():
            fate = self._fate(payload, reports)
            self.fates[fate] += 1
            for key, cell in payload.cells.items():
                if fate == "must":
                    self.must[key][0] += cell[0]
                    self.must[key][1] += cell[1]
                elif fate == "may":
                    self.may[key].append(cell)
        self.wrong = [text for key in {*self.must, *self.may, *found} if (text := self._compare(key, found.get(key, [0, 0.0])))]

    @staticmethod
    def _fate(payload, reports):
        for agent_id, first, last, _, attempted in reports:
            if agent_id == payload.agent_id and first <= payload.seq <= last:
                return "may" if attempted else "lost"
        return {"k": "must", "m": "may", "l": "unreported"}[payload.word]

    def _compare(self, key, found):
        count, total = self.must.get(key, (0, 0.0))
        options = self.may.get(key, [])
        for size in range(len(options) + 1):
            for chosen in itertools.combinations(options, size):
                if [count + sum(c[0] for c in chosen), total + sum(c[1] for c in chosen)] == list(found):
                    return ""
        return f"{key}: {found} is stored, {[count, total]} must be, {options} may be"
