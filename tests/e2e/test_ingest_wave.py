#!/usr/bin/env python3
"""The recovery wave: agents come back after an hour, each with 120 payloads in its spool, and go on posting live ones. Live data must not
wait behind backlog: the p99 from when a live payload is due to its 202 stays under 5 s, and the backlog drains.

Agents obey Retry-After. Twice: with ingest's default settings, where the wave meets the machine; and with a budget that takes a fraction of
what the agents want in flight, where it meets admission whatever the machine. 40 agents; `--full` (make test-long): 200.
"""
import asyncio
import collections
import secrets
import signal
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(Path(__file__).resolve().parent)]
import cases  # noqa: E402
import confluent_kafka  # noqa: E402
from agents import Background, Channel, LoopLag, Template, percentile, request  # noqa: E402
from ingest_house import PARTITIONS, House, now_ms  # noqa: E402
from millrace_local import free_base_port  # noqa: E402

FULL = "--full" in sys.argv[1:]
AGENTS = 200 if FULL else 40
BACKLOG, SPACING_MS = 120, 30_000
WARM_UPS = 16  # a producer's first record may take a second; ingest has been serving for long when a wave comes
LIVE_P99_S = 5
DRAIN_S = 300 if FULL else 120
BUDGET_PER_AGENT = 16 << 10  # a payload wants about 24 KiB, and backlog gets half of the budget at most
KEY = House.new_key()


def metrics():
    """100 samples, as an agent has them after 30 s."""
    return [{"name": f"worker.{what}.{i}", "kind": kind, "tags": {"host": "web-17", "queue": f"queue-{i % 7}"}, "points": [{"v": i + 0.5}]}
            for i in range(25) for what, kind in (("jobs", "counter"), ("errors", "counter"), ("depth", "gauge"), ("busy", "gauge"))]


class Agent:
    """One agent's two streams, on a connection each; what became of them."""

    def __init__(self, wave, number):
        self.wave, self.number = wave, number
        self.agent_id = secrets.token_hex(16)
        self.live_seq = BACKLOG
        self.backlog, self.live = Channel(wave.port), Channel(wave.port)

    async def deliver(self, channel, seq, created_at, refused):
        """Until its 202, with the patience that each answer asks for."""
        body = self.wave.template.payload(self.agent_id, seq, 1, created_at)
        while True:
            try:
                answer = await channel.exchange(request(self.wave.port, KEY, body, created_at, now_ms()))
            except OSError:
                self.wave.broken += 1
                await asyncio.sleep(1)
                continue
            if answer.status == 202:
                self.wave.taken += 1
                return
            assert answer.status in (429, 503), answer
            refused[answer.body.split(b'"')[3].decode()] += 1
            await asyncio.sleep(answer.wait_s())

    async def drain(self, hour_ago):
        for k in range(BACKLOG):
            await self.deliver(self.backlog, k + 1, hour_ago + k * SPACING_MS, self.wave.backlog_refused)
        self.wave.drained += 1

    async def go_on(self, loop):
        """A live payload at intervals, out of step with the others; timed from when it was due, so that one held up hides none."""
        due = loop.time() + self.wave.live_every_s * self.number / AGENTS
        while self.wave.drained < AGENTS:
            await asyncio.sleep(max(0, due - loop.time()))
            self.live_seq += 1
            await self.deliver(self.live, self.live_seq, now_ms(), self.wave.live_refused)
            self.wave.live_s.append(loop.time() - due)
            due += self.wave.live_every_s


class Wave:
    """All agents, and what they saw."""

    def __init__(self, port, live_every_s):
        self.port, self.live_every_s, self.template = port, live_every_s, Template(metrics())
        self.taken = self.drained = self.broken = 0
        self.backlog_refused, self.live_refused = collections.Counter(), collections.Counter()
        self.live_s, self.lag = [], LoopLag()

    async def run(self):
        loop, hour_ago = asyncio.get_running_loop(), now_ms() - BACKLOG * SPACING_MS
        await asyncio.gather(*(Agent(self, 0).deliver(Channel(self.port), 1, now_ms(), collections.Counter()) for _ in range(WARM_UPS)))
        watch = loop.create_task(self.lag.watch())
        begun, cpu = loop.time(), time.thread_time()
        agents = [Agent(self, number) for number in range(AGENTS)]
        live = [loop.create_task(agent.go_on(loop)) for agent in agents]
        await asyncio.wait_for(asyncio.gather(*(agent.drain(hour_ago) for agent in agents)), DRAIN_S)
        self.seconds, self.cpu_s = loop.time() - begun, time.thread_time() - cpu
        await asyncio.wait_for(asyncio.gather(*live), 60)  # a live payload that is refused last of all is still delivered
        watch.cancel()

    def tell(self, name):
        live = [f"{s * 1000:.0f}" for s in (percentile(self.live_s, 50), percentile(self.live_s, 99), max(self.live_s))]
        print(f"{name}: {AGENTS} agents' {AGENTS * BACKLOG} payloads of backlog drained in {self.seconds:.1f} s, "
              f"refused {dict(self.backlog_refused)}; {len(self.live_s)} live ones taken after {live[0]} ms (p50), {live[1]} (p99), "
              f"{live[2]} (max), refused {dict(self.live_refused)}; the agents were late by {percentile(self.lag.late_s, 99) * 1000:.0f} ms (p99) "
              f"and used {100 * self.cpu_s / self.seconds:.0f} % of a core", flush=True)

    def check(self):
        assert self.drained == AGENTS and len(self.live_s) >= AGENTS, (self.drained, len(self.live_s))
        assert percentile(self.live_s, 99) < LIVE_P99_S, sorted(self.live_s)[-20:]
        assert self.broken == 0, f"{self.broken} requests had no answer"


def check_kafka(house, ingest, before):
    """Kafka has gained every record that ingest says it has brought there; returns the new end."""
    consumer = confluent_kafka.Consumer({"bootstrap.servers": house.kafka, "group.id": "ends"})
    end = sum(consumer.get_watermark_offsets(confluent_kafka.TopicPartition("millrace.c.main.samples", p), timeout=30)[1]
              for p in range(PARTITIONS))
    consumer.close()
    assert end - before == ingest.metric("records_total"), (before, end)
    return end


def ride(house, name, live_every_s, *settings):
    """One wave against an ingest of its own."""
    ingest = house.ingest(name, *settings).wait_ready()
    wave = Wave(ingest.push_port, live_every_s)
    Background(wave.run()).result(DRAIN_S + 90)
    wave.tell(name)
    ingest.settled()
    assert ingest.metric("accepted_samples_total") == wave.taken * wave.template.samples
    house.end = check_kafka(house, ingest, house.end)
    ingest.process.stop(20)
    return wave


def test_live_data_passes_a_wave_within_the_default_settings(house):
    ride(house, "wave", 1).check()


def test_live_data_passes_a_wave_that_is_too_much(house):
    """Records linger, so that every payload is in flight for a while and the agents ask for more than the budget at any speed."""
    budget = AGENTS * BUDGET_PER_AGENT
    wave = ride(house, "narrow", 4, f"push.inflight_budget={budget}", "push.max_body_bytes=65536", "push.linger=30ms")
    wave.check()
    assert sum(wave.backlog_refused.values()) > AGENTS // 4, "the wave was not too much: this test has shown nothing"


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # a runner whose patience ends must leave no broker behind
    with tempfile.TemporaryDirectory(prefix="millrace-wave-") as directory, House(directory, free_base_port()) as house:
        house.create_topics("main")
        house.put_cell("main")
        house.put_site("shop", [KEY])
        house.end = 0
        cases.run(globals(), house)


if __name__ == "__main__":
    main()
