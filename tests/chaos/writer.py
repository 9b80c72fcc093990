"""Agents in front of ingest, and the ledger of what must come out.

Every payload has an identity and is posted until it is answered 202, by whatever ingest is there; a few are posted again after that, and
two agents have a twin with a copy of their spool, which posts each of their payloads too, earlier or later. A payload counts in the ledger once, when
it is made: nothing may be lost. All sent values are multiples of 1/1024 (tests/e2e/oracle_windows.py).
"""
import asyncio
import collections
import heapq
import itertools
import json
import random
import time

import push_pb
from agents import Background, Channel
from oracle_windows import HOUR_MS, KINDS, MINUTE_MS, Window, summary

SITES = {"alpha": (12, 0.6), "beta": (4, 0.25), "gamma": (2, 0.15)}  # shards, and share of all series and agents
AGENTS, TWINS = 10, 2
POINTS = 50                # in a payload
AGAIN_SHARE = 0.02         # of payloads that are posted again after their 202
AGAIN_S, COPY_S = 40, 20   # how much later at most
PATIENCE_S = 20            # for an answer
LATE_SHARE, AHEAD_SHARE = 0.02, 0.03


class Ledger:
    """All series, and what their windows must hold."""

    def __init__(self, dice, number):
        self.series = []  # (site, kind, name, tags)
        self.by_site = {site: [] for site in SITES}
        sites = dice.choices(list(SITES), [share for _, share in SITES.values()], k=number)
        for i, site in enumerate(sites):
            self.by_site[site].append(i)
            self.series.append((site, KINDS[i % 3], f"metric.{i}", {"route": f"/r{i % 97}", "host": "ä" * (i % 5)} if i % 4 else {}))
        self.windows = collections.defaultdict(Window)  # by (series, length, start)
        self.samples = self.values = self.meant_late = 0

    def add(self, number, values, t, at):
        for length in (MINUTE_MS, HOUR_MS):
            self.windows[number, length, t - t % length].add(self.series[number][1], values, at)
        self.samples += 1
        self.values += len(values)


class Agent:
    """Posts what is in its spool, each when it is due, one after the other."""

    def __init__(self, troop, number):
        self.troop, self.dice = troop, random.Random(f"{troop.seed} agent {number}")
        self.site = self.dice.choices(list(SITES), [share for _, share in SITES.values()])[0] if number else "alpha"
        self.agent_id = self.dice.randbytes(16).hex()
        self.channels = [Channel(port) for port in troop.ports]
        self.order = itertools.count()
        self.spool = []   # a heap of (due, order, seq, body): to be posted
        self.open = set() # seqs that nobody has a 202 for
        self.seq = 0
        self.twin = None

    def put(self, seq, body, delay_s):
        heapq.heappush(self.spool, (time.monotonic() + delay_s, next(self.order), seq, body))

    def point(self, number, now):
        """One point of a series, which stands in the ledger from now on."""
        kind, dice, share = self.troop.ledger.series[number][1], self.dice, self.dice.random()
        t = now - dice.randrange(20000)
        if share < LATE_SHARE:
            t = now - dice.randrange(3 * MINUTE_MS, 50 * MINUTE_MS)
            self.troop.ledger.meant_late += 1
        elif share < LATE_SHARE + AHEAD_SHARE:
            t = now + dice.randrange(MINUTE_MS)
        if dice.random() < 0.6:
            k = dice.randrange(0 if kind == "counter" else -2000, 200000)
            self.troop.ledger.add(number, [k], t, t)
            return {"t": t, "v": k / 1024}
        at, values = t + dice.randrange(1000), [dice.randrange(200000) for _ in range(dice.randrange(1, 6))]
        self.troop.ledger.add(number, values, t, at)
        point = summary(values, t, at, kind == "distribution")
        return point if point["histogram"] else {key: value for key, value in point.items() if key != "histogram"}

    def delay_s(self):
        """Out of order a little, and now and then a payload that comes long after its successors: the floor waits for it, so that
        repeats of these are told by the bits."""
        share = self.dice.random()
        return 5 + self.dice.random() * 20 if share < 0.03 else self.dice.random() * 5 if share < 0.13 else 0

    def make(self):
        """A payload for the spool, and for the twin's."""
        now, ledger = self.troop.clock.now_ms(), self.troop.ledger
        metrics = []
        for number in self.dice.choices(ledger.by_site[self.site], k=POINTS):
            _, kind, name, tags = ledger.series[number]
            metrics.append({"name": name, "kind": kind, "tags": tags, "points": [self.point(number, now)]})
        self.seq += 1
        self.open.add(self.seq)
        body = push_pb.encode({"agent_id": self.agent_id, "seq": self.seq, "floor": min(self.open), "created_at": now, "metrics": metrics})
        self.put(self.seq, body, self.delay_s())
        if self.twin:
            self.twin.put(self.seq, body, self.dice.random() * COPY_S)
            self.troop.copies += 1

    async def post(self, body):
        """One try; True when it was answered 202. No time headers: at this speed a late answer would be taken for a clock that is wrong."""
        channel = self.dice.choice(self.channels)
        head = (f"POST /v1/push HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self.troop.keys[self.site]}\r\n"
                f"Content-Type: application/x-protobuf\r\nContent-Length: {len(body)}\r\n\r\n").encode()
        try:
            answer = await asyncio.wait_for(channel.exchange(head + body), PATIENCE_S)
        except (OSError, asyncio.TimeoutError):  # killed, or about to be
            channel.close()
            self.troop.broken += 1
            return False
        if answer.status == 503:
            self.troop.refused += 1
            return False
        assert answer.status == 202 and not json.loads(answer.body)["rejected"], answer
        return True

    async def deliver(self):
        """Everything that is or will be in the spool, until the troop stops and it is empty."""
        while self.spool or not self.troop.stopping:
            if not self.spool or (self.spool[0][0] > time.monotonic() and not self.troop.stopping):
                await asyncio.sleep(0.02)
                continue
            _, _, seq, body = heapq.heappop(self.spool)
            if not await self.post(body):
                self.put(seq, body, 0)
                await asyncio.sleep(0.1 + self.dice.random() * 0.5)
                continue
            self.open.discard(seq)
            self.troop.answered += 1
            if self.dice.random() < AGAIN_SHARE:
                self.put(seq, body, self.dice.random() * AGAIN_S)
                self.troop.again += 1

    async def work(self, every_s):
        """A payload every so many seconds, until the troop has made enough."""
        due = time.monotonic() + self.dice.random() * every_s
        while self.troop.ledger.samples < self.troop.wanted:
            await asyncio.sleep(max(0, due - time.monotonic()))
            self.make()
            due += every_s


class Troop:
    """All agents, in a thread of their own, for so many seconds."""

    def __init__(self, seed, ports, keys, clock, ledger, samples, seconds):
        self.seed, self.ports, self.keys, self.clock, self.ledger, self.wanted = seed, ports, keys, clock, ledger, samples
        self.answered = self.again = self.copies = self.refused = self.broken = 0
        self.stopping = False
        self.agents = [Agent(self, number) for number in range(AGENTS)]
        for agent, twin in zip(self.agents, [Agent(self, AGENTS + number) for number in range(TWINS)]):
            agent.twin, twin.site = twin, agent.site
        self.every_s = seconds * POINTS * AGENTS / samples
        self.background = Background(self._run())

    async def _run(self):
        posting = [asyncio.ensure_future(a.deliver()) for agent in self.agents for a in (agent, agent.twin) if a]
        making = asyncio.gather(*(agent.work(self.every_s) for agent in self.agents))
        await asyncio.wait([making, *posting], return_when=asyncio.FIRST_COMPLETED)  # a delivery ends first only by failing
        self.stopping = True
        for task in [making, *posting]:
            await task

    def end(self, seconds):
        """All that was made has been answered 202."""
        self.background.result(seconds)
