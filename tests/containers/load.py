"""Agents of two cells that post through ingest's published port, the ledger of what they sent, and its comparison with the databases.

A payload has an identity and is posted until it is answered 202; some are posted again. It counts in the ledger once, when it is made. All arithmetic is that
of tests/e2e/oracle_windows.py: integers of 1024ths, nothing of Millrace's own.
"""
import asyncio
import collections
import datetime
import itertools
import random
import time

from agents import Background, Channel, encode, request
from oracle_windows import KINDS, MINUTE_MS, Window, milliseconds, summary

POINTS = 50          # in a payload
AGAIN_SHARE = 0.02   # of payloads that are posted again after their 202
FRESH_MS = 10000     # a sample's age at most, when it is made
RETRY_S = 0.3
PATIENCE_S = 20      # for an answer
SPOOL = 400          # payloads that an agent keeps while ingest takes none


class Ledger:
    """A site's series, and what their minutes must hold."""

    def __init__(self, series):
        self.series = [(KINDS[i % 3], f"metric.{i}", {"route": f"/r{i % 97}", "host": "ä" * (i % 5)} if i % 4 else {}) for i in range(series)]
        self.minutes = collections.defaultdict(Window)  # by (kind, name, tags, minute)
        self.samples = self.values = self.last_ms = 0

    def starts(self):
        """Of its minutes, in order."""
        return sorted({start for _, _, _, start in self.minutes})

    def add(self, series, values, t, at):
        kind, name, tags = series
        self.minutes[kind, name, tuple(sorted(tags.items())), t - t % MINUTE_MS].add(kind, values, at)
        self.samples += 1
        self.values += len(values)
        self.last_ms = max(self.last_ms, t)


class Agent:
    """Makes a payload every so often; delivers what is in its spool, the oldest first."""

    def __init__(self, troop, site, dice, every_s):
        self.troop, self.site, self.dice, self.every_s = troop, site, dice, every_s
        self.ledger = troop.ledgers[site]
        self.agent_id = dice.randbytes(16).hex()
        self.channel = Channel(troop.port)
        self.numbers, self.spool = itertools.count(1), collections.deque()

    def _point(self, series, now):
        kind, dice = series[0], self.dice
        t = now - dice.randrange(FRESH_MS)
        if dice.random() < 0.7:
            k = dice.randrange(0 if kind == "counter" else -2000, 200000)
            self.ledger.add(series, [k], t, t)
            return {"t": t, "v": k / 1024}
        at, values = t + dice.randrange(1000), [dice.randrange(200000) for _ in range(dice.randrange(1, 6))]
        self.ledger.add(series, values, t, at)
        return {key: value for key, value in summary(values, t, at, kind == "distribution").items() if key != "histogram" or value}

    def make(self):
        now, seq = int(time.time() * 1000), next(self.numbers)
        metrics = [{"name": s[1], "kind": s[0], "tags": s[2], "points": [self._point(s, now)]} for s in self.dice.choices(self.ledger.series, k=POINTS)]
        floor = self.spool[0][0] if self.spool else seq
        self.spool.append((seq, now, encode({"agent_id": self.agent_id, "seq": seq, "floor": floor, "created_at": now, "metrics": metrics})))

    async def _post(self, made_at, body):
        """One try; True when it was answered 202."""
        head = request(self.troop.port, self.troop.keys[self.site], body, made_at, int(time.time() * 1000))
        try:
            answer = await asyncio.wait_for(self.channel.exchange(head), PATIENCE_S)
        except (OSError, asyncio.TimeoutError):
            self.channel.close()
            self.troop.broken += 1
            return False
        if answer.status == 503:
            self.troop.refused += 1
            return False
        assert answer.status == 202 and b'"rejected":[]' in answer.body.replace(b" ", b""), answer
        return True

    async def work(self):
        due = time.monotonic() + self.dice.random() * self.every_s
        while not self.troop.stopping:
            await asyncio.sleep(max(0, due - time.monotonic()))
            if len(self.spool) < SPOOL:
                self.make()
            due += self.every_s

    async def deliver(self):
        while self.spool or not self.troop.stopping:
            if not self.spool:
                await asyncio.sleep(0.02)
                continue
            seq, made_at, body = self.spool[0]
            if not await self._post(made_at, body):
                await asyncio.sleep(RETRY_S)
                continue
            self.troop.taken += 1
            if self.dice.random() < AGAIN_SHARE and await self._post(made_at, body):
                self.troop.again += 1
            self.spool.popleft()


class Troop:
    """All agents in a thread of their own, until end(). sites: {site: (agents, series, samples a second)}."""

    def __init__(self, port, keys, sites, seed):
        self.port, self.keys = port, keys
        self.ledgers = {site: Ledger(series) for site, (_, series, _) in sites.items()}
        self.taken = self.again = self.refused = self.broken = 0
        self.stopping = False
        self.agents = [Agent(self, site, random.Random(f"{seed} {site} {n}"), number * POINTS / rate)
                       for site, (number, _, rate) in sites.items() for n in range(number)]
        self.background = Background(self._run())

    async def _run(self):
        await asyncio.gather(*(step for agent in self.agents for step in (agent.work(), agent.deliver())))

    def check(self):
        """Raises what has stopped an agent."""
        if not self.background.running():
            self.background.result(0)
            raise AssertionError("the agents have ended")

    def end(self, seconds):
        """All that was made has been answered 202."""
        self.stopping = True
        self.background.result(seconds)


def _documents(database, site, minutes, fields=None):
    """What the database holds of a site, minute by minute: it keeps an answer whole in its small heap."""
    for minute in minutes:
        yield from database.minutely.find({"site": site, "t": datetime.datetime.fromtimestamp(minute / 1000, datetime.timezone.utc)}, fields)


def stored(database, site, minutes):
    """(minutes as in a ledger, how many documents) of what the database holds of a site, fragments added up."""
    found, documents = collections.defaultdict(Window), 0
    for d in _documents(database, site, minutes):
        h = d.get("h")
        histogram = h and {"scale": h["s"], "zero": h["z"], "offset": h["o"], "counts": h["c"], "neg_offset": h["no"], "neg_counts": h["nc"]}
        at, last_at = (d[name].replace(tzinfo=datetime.timezone.utc) for name in ("t", "last_at"))
        key = d["kind"], d["name"], tuple(sorted(d["tags"].items())), milliseconds(at)
        found[key].merge({**d, "last_at": last_at, "histogram": histogram})
        documents += 1
    return found, documents


def count(database, site, minutes):
    """Values that the database holds of a site's minutes."""
    return sum(d["count"] for d in _documents(database, site, minutes, {"count": 1}))


class Verdict:
    """What a database holds beside what was sent to its site."""

    def __init__(self, want, have):
        self.lost = self.doubled = 0
        self.differing = [key for key in want.keys() | have.keys() if key not in want or key not in have or want[key].figures() != have[key].figures()]
        for key in self.differing:
            surplus = (have[key].count if key in have else 0) - (want[key].count if key in want else 0)
            self.lost += max(0, -surplus)
            self.doubled += max(0, surplus)
        self.lines = [f"{key}: sent {want[key].figures()[:5] if key in want else None}, stored {have[key].figures()[:5] if key in have else None}"
                      for key in sorted(self.differing)[:10]]

    def __bool__(self):
        return not self.differing

    def __str__(self):
        return "\n".join([f"lost {self.lost} doubled {self.doubled} differing {len(self.differing)}", *self.lines])
