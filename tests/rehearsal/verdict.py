"""The verdict of a rehearsal: what the agents were told, by their own ledger, against what the databases hold, series by series, minutes and hours.

What is not in the samples topics must be named as given up, by a report that is in them. All else must be stored once: count, sum, least, greatest,
last and buckets of each window, in integers of 1024ths (oracle_windows.py), so that equal is equal. Whether the system is right is not asked of
the system: of its own words only identities, floors and reports are taken, as schemas/README.md and push.proto have them.
"""
import collections
import datetime
import gc
import pathlib

from oracle_windows import HOUR_MS, MINUTE_MS, bucket
from raw import Raw, read_topic
from told import SLOT_MS, Missing, Reports, Told, identity_of

LENGTHS = {"minutely": MINUTE_MS, "hourly": HOUR_MS}
READ = "site kind name tags t count sum min max last last_at h late approximate"
FIELDS = {"_id": 0, **dict.fromkeys(READ.split(), 1)}
EPOCH, MS = datetime.datetime(1970, 1, 1), datetime.timedelta(milliseconds=1)
BATCH = 10000  # documents in a message; the local database would send all there are in one
SEQS_MAX = 1 << 16  # that a report may name, by what a payload's seq and floor may be apart
NEGATIVE = 1 << 20  # added to the bucket of a negative value
COUNT, SUM, MIN, MAX, LAST, ZERO, BUCKETS, DOCUMENTS = range(8)  # of a window, which is a list: there are hundreds of thousands
NAMES = ("count", "sum", "min", "max", "last", "zero", "buckets")


def key_of(place, start, length):
    """A window's key: series and number of the window in one integer."""
    return place << 32 | start // length


class Buckets(dict):
    """{value in 1024ths: its bucket}, computed when it is first asked for; a zero has none."""

    def __missing__(self, k):
        self[k] = found = None if k == 0 else bucket(k) if k > 0 else NEGATIVE + bucket(-k)
        return found


def merge(into, w):
    """Adds a window to another one."""
    into[COUNT] += w[COUNT]
    into[SUM] += w[SUM]
    into[MIN], into[MAX], into[LAST] = min(into[MIN], w[MIN]), max(into[MAX], w[MAX]), max(into[LAST], w[LAST])
    into[ZERO] += w[ZERO]
    into[DOCUMENTS] += w[DOCUMENTS]
    for i, n in w[BUCKETS].items():
        into[BUCKETS][i] = into[BUCKETS].get(i, 0) + n


def put(windows, key, w):
    """w belongs to windows, or its content does."""
    if windows.setdefault(key, w) is not w:
        merge(windows[key], w)


class Expected:
    """Windows by what was told and is in the system. missing: what is not."""

    def __init__(self, told, here):
        self.told, self.missing, self.values = told, Missing(told), 0
        self.minutely, self.buckets = {}, Buckets()
        self.counts = [identity[1] == "counter" for identity in told.series]
        self.spreads = [identity[1] == "distribution" for identity in told.series]
        self._add_values(here)
        self.hourly = {}
        for key, w in self.minutely.items():
            put(self.hourly, key >> 32 << 32 | (key & 0xFFFFFFFF) // 60, w[:BUCKETS] + [dict(w[BUCKETS]), 0])

    def _add_values(self, here):
        """One turn of the loop a value: what is in it is paid millions of times."""
        place_of, counts, spreads, windows, buckets = self.told.place_of, self.counts, self.spreads, self.minutely, self.buckets
        cells, missing = collections.defaultdict(int), self.missing.times
        for head, t, k in self.told.values():
            self.values += 1
            shift = here.get(head)
            if shift is None:
                missing[head].append(t)
                continue
            place = place_of[head & 0xFFFFFFFF]
            if counts[place]:
                cells[head, t // SLOT_MS] += k
                continue
            t += shift
            key = place << 32 | t // MINUTE_MS
            w = windows.get(key)
            if w is None:
                w = windows[key] = [0, 0, k, k, (t, k), 0, {}, 0]
            self._add(w, t, k)
            if spreads[place]:
                i, found = buckets[k], w[BUCKETS]
                if i is None:
                    w[ZERO] += 1
                else:
                    found[i] = found.get(i, 0) + 1
        for (head, slot), k in cells.items():
            t, place = slot * SLOT_MS + here[head], place_of[head & 0xFFFFFFFF]
            self._add(windows.setdefault(key_of(place, t, MINUTE_MS), [0, 0, k, k, (t, k), 0, {}, 0]), t, k)

    @staticmethod
    def _add(w, t, k):
        w[COUNT] += 1
        w[SUM] += k
        if k < w[MIN]:
            w[MIN] = k
        elif k > w[MAX]:
            w[MAX] = k
        if t >= w[LAST][0]:
            w[LAST] = max(w[LAST], (t, k))


class Stored:
    """Windows by the documents of all databases. late, approximate: documents that say so. wrong: lines, of what cannot be one."""

    def __init__(self, told):
        self.told, self.wrong, self.late, self.approximate = told, [], 0, 0
        self.minutely, self.hourly = {}, {}

    def take(self, cell, collection, d):
        """One document."""
        if d["site"] not in self.told.sites:
            return
        place = self.told.places.get(identity_of(d["site"], d["kind"], d["name"], d["tags"].items()))
        start, length = (d["t"] - EPOCH) // MS, LENGTHS[collection]
        if place is None or start % length or d["count"] < 1:
            identity = " ".join(str(d[name]) for name in ("count", "site", "kind", "name", "tags", "t"))
            self.wrong.append(f"{cell}, {collection}: nobody was told of {identity}")
            return
        absent = [name for name in ("min", "max", "last", "last_at") if d.get(name) is None]
        if absent:  # merged with a fragment that has them, nobody would see it
            self.wrong.append(f"{cell}, {collection}: a document of {d['site']} {d['name']} has no {' and no '.join(absent)}")
        self.late += bool(d.get("late"))
        self.approximate += bool(d.get("approximate"))
        put(getattr(self, collection), key_of(place, start, length), self._window(d))

    @staticmethod
    def _window(d):
        """Numbers that are no multiples of 1/1024 are kept as they are, and differ; so does what is absent."""
        at, nan = d.get("last_at"), float("nan")
        low, high, last = (d.get(name, nan) * 1024 for name in ("min", "max", "last"))
        w = [d["count"], d["sum"] * 1024, low, high, (-1 if at is None else (at - EPOCH) // MS, last), 0, {}, 1]
        h = d.get("h")
        if h:
            w[ZERO] = h["z"]
            w[BUCKETS] = {i: n for i, n in enumerate(h["c"], h["o"]) if n}
            w[BUCKETS].update((NEGATIVE + i, n) for i, n in enumerate(h["nc"], h["no"]) if n)
            if h["s"] != 5:
                w[BUCKETS] = {"scale": h["s"]}
        return w


class Verdict:
    """In samples as Millrace counts them (a counter's slot of one agent is one): expected, what was told but for what was reported; stored; lost;
    doubled; truncated, what agents gave up and is not in the topics, whether or not it was reported; reported; unreported, the rest of it, which is lost.
    differing: [(collection, key, window told or None, window stored or None)]. wrong: lines, of what should not be there at all."""

    def __init__(self, crowd_dir, kafka, cells, databases):
        self.crowd_dir, self.kafka, self.cells, self.databases = pathlib.Path(crowd_dir), kafka, cells, databases

    def records(self):
        """(cell, partition, SampleBatch) of all cells."""
        for cell, partitions in self.cells.items():
            for partition, batch in read_topic(self.kafka, cell, partitions):
                yield cell, partition, batch

    def documents(self):
        """(cell, collection, document) of all databases."""
        for cell, database in self.databases.items():
            for collection in LENGTHS:
                for d in database[collection].find({}, FIELDS).batch_size(BATCH):
                    yield cell, collection, d

    def read(self):
        """All there is, as it is now."""
        gc.disable()  # millions of small things live to the end, and none in circles
        try:
            self.told = Told(self.crowd_dir)
            self.raw, self.found = Raw(self.told), Stored(self.told)
            for record in self.records():
                self.raw.take(*record)
            self.want = Expected(self.told, self.raw.here)
            for document in self.documents():
                self.found.take(*document)
        finally:
            gc.enable()

    def judge(self):
        """True when nothing is lost, doubled or different, and all that was given up was reported."""
        self.wrong, self.differing = self.raw.wrong + self.found.wrong, []
        self._judge_missing()
        self._judge_windows()
        self.stored = sum(w[COUNT] for w in self.found.minutely.values())
        self.expected = sum(w[COUNT] for w in self.want.minutely.values()) + sum(self.lost_flushes.values())
        if self.found.approximate:
            self.wrong.append(f"{self.found.approximate} documents are approximate")
        return not (self.lost or self.doubled or self.differing or self.wrong or self.unreported) and \
            self.truncated == self.reported and self.expected == self.stored

    def _judge_missing(self):
        """What is not in the samples topics: given up, and reported, or lost."""
        told, missing = self.told, self.want.missing
        arrived = [r for r in told.reports if r.carrier in self.raw.payloads]
        given_up = Reports([(r.agent_id, r.first, r.last) for r in told.reports] + [(agent_id, seq, seq) for agent_id, seq in told.refused])
        named = Reports([(r.agent_id, r.first, r.last) for r in arrived])
        self.truncated = self.reported = self.unreported = 0
        self.lost_flushes, points = collections.Counter(), collections.Counter()
        for head in missing.times:
            number, samples = head & ~0xFFFF0000, missing.samples(head)
            agent_id, first, last, _ = told.flushes.get(number, (b"", 1, 0, 0))
            points[number] += missing.points(head)
            is_named, is_given_up = (any(r.name(agent_id, seq) for seq in range(first, last + 1)) for r in (named, given_up))
            self.truncated += samples * is_given_up
            self.reported += samples * is_named
            if not is_named:
                self.unreported += samples * is_given_up
                self.lost_flushes[number] += samples
        self._check_reports(arrived, points)

    def _check_reports(self, arrived, points):
        """A report of payloads of which nothing is in the system says how many points these were: one that names too many would hide a loss."""
        payloads = self.told.payloads
        for r in arrived:
            named = [(r.agent_id, seq) for seq in range(r.first, min(r.last, r.first + SEQS_MAX) + 1)]
            strange = [seq for agent_id, seq in named if (agent_id, seq) not in payloads]
            if strange:
                self.wrong.append(f"a report names {r.agent_id.hex()} seq {strange[0]}, which no agent made")
                continue
            numbers = {payloads[payload] for payload in named}
            whole = sum(1 + last - first for _, first, last, _ in (self.told.flushes[n] for n in numbers)) == len(named)
            there = sum(points[n] for n in numbers)
            if whole and r.samples != there and not any(payload in self.raw.payloads for payload in named):
                self.wrong.append(f"a report says {r.samples} of {self.told.describe(payloads[named[0]])} and {len(named) - 1} more; there were {there}")

    def _judge_windows(self):
        self.lost, self.doubled = sum(self.lost_flushes.values()), 0
        for collection in LENGTHS:
            want, found = getattr(self.want, collection), getattr(self.found, collection)
            for key in want.keys() | found.keys():
                w, f = want.get(key), found.get(key)
                if w and f and w[:DOCUMENTS] == f[:DOCUMENTS]:
                    continue
                self.differing.append((collection, key, w, f))
                if collection == "minutely":
                    surplus = (f[COUNT] if f else 0) - (w[COUNT] if w else 0)
                    self.lost += max(0, -surplus)
                    self.doubled += max(0, surplus)

    def line(self):
        return " ".join(f"{name} {getattr(self, name)}" for name in ("expected", "stored", "lost", "doubled", "truncated", "reported"))

    def fragments(self, from_ms, to_ms, kind="minutely"):
        """(mean, largest, windows) of documents of a series in a window, of windows that begin in [from_ms, to_ms)."""
        length = LENGTHS[kind]
        numbers = [w[DOCUMENTS] for key, w in getattr(self.found, kind).items() if from_ms <= (key & 0xFFFFFFFF) * length < to_ms]
        return (sum(numbers) / len(numbers), max(numbers), len(numbers)) if numbers else (0.0, 0, 0)

    def first_after(self, since_ms):
        """{agent_id: (received_at, whether it was the newest that the agent had)} of each agent's first payload that Kafka took since then. Newer ones
        that were made while it was under way, for half a slot, are not held against it."""
        mine, first = collections.defaultdict(list), {}
        for (agent_id, _), (received_at, created_at) in self.raw.arrivals.items():
            if received_at >= since_ms:
                mine[agent_id].append((received_at, -created_at))
        for agent_id, arrivals in mine.items():
            received_at, created_at = min(arrivals)
            newest = max((-c for _, c in arrivals if -c <= received_at - SLOT_MS // 2), default=0)
            first[agent_id] = received_at, -created_at >= newest
        return first

    def explain(self, limit=10):
        """Lines: how it came about, and the first of what is wrong."""
        raw, found = self.raw, self.found
        lines = [f"{self.want.values} values told in {len(self.told.flushes)} flushes; {raw.records} records of {len(raw.payloads)} payloads, "
                 f"{raw.copies} of them copies, {len(raw.overtaken)} payloads overtaken by their floor; {raw.shifted} records shifted by ingest, by "
                 f"{raw.largest_shift / 1000:.0f} s at most; {len(self.told.reports)} reports of losses",
                 f"{len(found.minutely)} minutes and {len(found.hourly)} hours of series stored, {found.late} documents late; "
                 f"{len(self.differing)} windows differ; {self.unreported} samples given up without a report"]
        for title, some in (("lost", [f"{self.told.describe(n)}: {samples} samples" for n, samples in sorted(self.lost_flushes.items())]),
                            ("wrong", self.wrong), ("differs", self._places() + self._differences())):
            lines += [f"{title}: {text}" for text in some[:limit]] + ([f"{title}: .. and {len(some) - limit} more"] if len(some) > limit else [])
        return lines

    def _places(self):
        """Where windows differ: lines, a few."""
        places = collections.Counter((collection, self.told.series[key >> 32][0], (key & 0xFFFFFFFF) * LENGTHS[collection])
                                     for collection, key, _, _ in self.differing)
        return [f"{n} series of {site}, {collection} {EPOCH + start * MS:%d %H:%M}" for (collection, site, start), n in places.most_common(4)]

    def _differences(self):
        return [self._differing(*d) for d in sorted(self.differing, key=lambda d: d[:2])]

    def _differing(self, collection, key, w, f):
        site, kind, name, tags = self.told.series[key >> 32]
        start = EPOCH + (key & 0xFFFFFFFF) * LENGTHS[collection] * MS
        sides = [f"{label} {self._short(w[i])}, stored {self._short(f[i])}" for i, label in enumerate(NAMES) if w[i] != f[i]] if w and f else \
            [f"told {w[:ZERO]}, nothing stored" if w else f"nothing told, stored {f[:ZERO]}"]
        return f"{site} {kind} {name} {dict(tags)}, {collection} {start:%d %H:%M}: {'; '.join(sides)}"

    @staticmethod
    def _short(figure):
        """Buckets may be hundreds."""
        text = str(figure)
        return text if len(text) <= 200 else text[:200] + " .."
