"""The outage, step by step: what happened then, what is done to this house instead, and what must be seen, with a figure.

Each step names its row of the story; a check is a sentence with the figure in it. In the full form steps come when they came that night; in the short one
each as soon as the one before has been seen.
"""
import contextlib
import datetime
import signal
import statistics
import time

from house import ALERTS_MAX_AGE_S, BUDGETS_MIB

RSS_OVER = 1.1          # of a budget: what the allocator keeps and cannot use
FRESH_SPARE_S = 90      # virtual: what freshness may differ by, a minute's sawtooth and some
CATCH_UP_S, RECOVER_S, DRAIN_S = 60, 120, 240  # real
CALM_FRESH_S = 200      # virtual: a minute is due 90 s after its end and the next comes 60 s later
LEAST_PACE_BYTES = 32 << 10  # what a sink begins with, and falls back to
TOLD_S = 60             # real: a trigger is set, a minute closes, a webhook arrives
OBEYED_S = 3            # real, of which a second is the command's own start and asking
SPOOLED_PAYLOADS = 26   # of an agent: ten minutes of them, half a minute each, and what a busy machine is late
STEPS = []              # in the order of the night


class Step:
    def __init__(self, at, title, then, claim, play):
        self.at, self.title, self.then, self.claim, self.play, self.checks = at, title, then, claim, play, []

    def describe(self):
        return {"at": self.at, "title": self.title, "then": self.then, "claim": self.claim, "checks": self.checks}


def step(at, title, then, claim):
    """Makes a function a step; it gets the play."""
    def take(function):
        STEPS.append(Step(at, title, then, claim, function))
        return function
    return take


class Play:
    """What the steps share: the house, the watch, what was seen before."""

    def __init__(self, house, watch, full):
        self.house, self.watch, self.full, self.step, self.before = house, watch, full, None, {}

    def check(self, text, ok):
        """A sentence, and whether it holds; the step fails when one does not, after all were said."""
        self.step.checks.append({"text": text, "ok": bool(ok)})
        self.house.say(f"{'ok  ' if ok else 'FAIL'} {text}")

    def await_hour(self, at):
        """In the full form a step comes when it came that night, or as soon as those before it have ended."""
        if self.full and at[:2].isdigit() and at[3:].isdigit():
            minute = int(at[:2]) * 60 + int(at[3:])
            self.house.until(self.house.clock.start_ms + (minute - self.house.start_minute) % 1440 * 60000)

    def perform(self, step):
        """Plays one; AssertionError names what did not hold."""
        self.await_hour(step.at)
        self.step = step
        self.watch.event("step", step.title, step.at)
        self.house.say(f"{step.at}  {step.title}")
        step.play(self)
        failed = [check["text"] for check in step.checks if check["ok"] is False]
        assert not failed, "; ".join(failed)

    def calm(self):
        """Everybody is warm: virtual machines have compiled what they run, nothing waits, the sinks have found their pace."""
        fresh = [f.seconds() for f in self.watch.fresh.values()]
        self.before["pace"] = {s.cell: self.pace(s.cell) for s in self.house.of("sink")}
        return all(f is not None and f < CALM_FRESH_S for f in fresh) and all(pace > 2 * LEAST_PACE_BYTES for pace in self.before["pace"].values())

    def pace(self, cell):
        """Bytes that a cell's sink lets be under way to its database."""
        figures = self.house.of("sink", cell)[0].figures()
        return figures["millrace_sink_batch_limit_bytes"] * figures["millrace_sink_concurrency_limit"]

    def fresh(self, cell, since_t, until_t=float("inf")):
        values = self.watch.values("freshness_s", since_t, until_t, cell=cell)
        return statistics.median(values) if values else float("inf")

    def check_fresh(self, cell, since_t, until_t=float("inf")):
        now, before = self.fresh(cell, since_t, until_t), self.before["fresh"][cell]
        self.check(f"freshness of {cell}: median {now:.0f} s of event time, {before:.0f} s before", now <= before + FRESH_SPARE_S)

    def check_memory(self, kind, since_t, cell=None):
        if self.house.tree != "plain":  # sanitizers keep memory for themselves
            return
        most = max(self.watch.values("rss_mib", since_t, kind=kind, cell=cell), default=0)
        self.check(f"{kind}: {most:.0f} MiB at most, budget {BUDGETS_MIB[kind]} MiB", 0 < most <= RSS_OVER * BUDGETS_MIB[kind])


@step("23:10", "an ordinary evening", "", "all agents' payloads are stored, both cells are fresh")
def ordinary(play):
    house, watch = play.house, play.watch
    house.wait(lambda: all(f.newest_ms for f in watch.fresh.values()), 90, "both cells have a minute stored")
    house.wait(lambda: play.calm(), 150, "both cells are fresh, their sinks warm")
    begun = watch.now_t()
    mark = house.mark()
    house.rest(8)
    play.before["fresh"] = {cell: play.fresh(cell, begun) for cell in watch.fresh}
    play.before["ingest_rss"] = max(watch.values("rss_mib", begun, kind="ingest"))
    answers = house.answers(mark)
    play.check(f"answers of the API: {dict(answers)}", answers["202"] > 20 and set(answers) == {"202"})
    for cell, fresh in play.before["fresh"].items():
        play.check(f"freshness of {cell}: median {fresh:.0f} s of event time", fresh < 600)


@step("23:14", "the network hiccups: amber's processors stand still", "a processor, catching up, ran out of memory and swapped",
      "the processor stays under its budget at any backlog and catches up at full speed")
def hiccup(play):
    house, watch = play.house, play.watch
    begun = watch.now_t()
    frozen = house.of("processor", "amber")
    for program in frozen:
        program.freeze()
    house.rest(13)  # longer than the session
    ended = watch.now_t()
    for program in frozen:
        program.thaw()
    house.rest(2)  # until their figures are of now
    took = house.wait(lambda: house.sum_up("processor", "partitions_running", "amber") == 2 * house.partitions("amber") and  # of samples and events
                      house.sum_up("processor", "lag_records", "amber") < 50, CATCH_UP_S, "amber's processors have caught up")
    play.check(f"caught up {took:.1f} s after {ended - begun:.0f} s of standing still", took < CATCH_UP_S)
    play.check_memory("processor", begun, "amber")
    play.check_fresh("blue", begun)


@step("23:20", "amber's database becomes slow", "too much data was batched and written to MongoDB at once",
      "the sink shrinks its batches when latency rises; the rest waits in Kafka")
def slow(play):
    house, watch = play.house, play.watch
    begun = watch.now_t()
    before = max(play.before["pace"]["amber"], play.pace("amber"))  # catching up may have slowed its database by itself: it was faster when all was calm
    house.toxiproxy.slow_down("amber", 250, 60)
    took = house.wait(lambda: 0 < play.pace("amber") <= before / 2, 60, "the sink of amber writes less at once")
    play.check(f"on its way to the database: {play.pace('amber') / 1024:.0f} KiB at most, {before / 1024:.0f} KiB before, after {took:.1f} s", True)
    house.rest(6)
    lag = house.sum_up("sink", "lag_records", "amber")
    play.check(f"the rest waits in Kafka: {lag:.0f} records", lag > 0)
    play.check_memory("sink", begun, "amber")
    play.check_fresh("blue", begun)
    play.before["slow_t"] = begun


@step("23:22", "nothing waits in the API", "queues grew on the workers; the job workers fell behind the API",
      "no queue exists before Kafka: the API's memory is flat")
def flat(play):
    most = max(play.watch.values("rss_mib", play.before["slow_t"], kind="ingest"))
    if play.house.tree == "plain":
        play.check(f"ingest: {most:.1f} MiB at most, {play.before['ingest_rss']:.1f} MiB before", most <= play.before["ingest_rss"] * 1.1 + 4)
    inflight = max(play.watch.values("millrace_ingest_inflight_bytes", play.before["slow_t"], kind="ingest"))
    play.check(f"in flight in one ingest: {inflight / 1024:.0f} KiB at most", inflight < 4 << 20)


@step("23:23", "amber's database locks", "one replica set could not keep up; other workers' queues grew too",
      "only that cell's topics lag; the freshness of other cells does not change")
def locked(play):
    house, watch = play.house, play.watch
    begun = watch.now_t()
    house.toxiproxy.heal("amber")
    house.lock_database("amber")
    house.rest(16)
    lag = house.sum_up("sink", "lag_records", "amber")
    play.check(f"amber's sink waits with {lag:.0f} records", lag > 100)
    play.check(f"blue's with {house.sum_up('sink', 'lag_records', 'blue'):.0f}", house.sum_up("sink", "lag_records", "blue") < max(100, lag / 2))
    play.check_fresh("blue", begun + 3)
    play.check_memory("sink", begun)
    openings = house.sum_up("sink", "breaker_openings_total", "amber")
    play.check(f"amber's breaker has opened {openings:.0f} times, blue's {house.sum_up('sink', 'breaker_openings_total', 'blue'):.0f}",
               openings >= 1 and house.sum_up("sink", "breaker_openings_total", "blue") == 0)
    play.before["locked_t"] = begun


@step("23:28", "windows close all the same", "reads needed by the jobs hung on the locked set: 137 ms -> 1.61 s a job; the team was away",
      "nothing between agent and alert reads a database")
def windows_close(play):
    house, watch = play.house, play.watch
    fragments = house.sum_up("processor", "fragments_total", "amber")
    begun = watch.now_t()
    house.rest(6)
    lag = statistics.median(watch.values("millrace_processor_lag_records", begun, kind="processor", cell="amber"))
    play.check(f"amber's processors: lag {lag:.0f} records in the median", lag < 200)
    more = house.sum_up("processor", "fragments_total", "amber") - fragments
    play.check(f"and {more:.0f} more fragments of theirs in Kafka", more > 0)


@step("23:45", "the status page", "was updated late, by busy people", "the status page drafts the incident itself within a minute")
def status_page(play):
    house = play.house
    entries = lambda: [e for e in house.records("millrace.status", "StatusEntry") if e["components"] == ["storage/amber"]]  # noqa: E731
    house.wait(entries, 60, "an incident of amber's storage is drafted")
    draft = entries()[0]
    after_s = (draft["at"] - draft["opened_at"]).total_seconds()
    play.check(f"drafted {after_s:.0f} s of virtual time after amber's storage left operational: {draft['title']}",
               draft["action"] == "draft" and draft["author"] is None and 60 <= after_s <= 60 + 2 * house.speed)
    play.check(f"it says: {draft['text']}", "amber" in draft["title"] and "delayed, not lost" in draft["text"] and "blue" not in draft["text"])
    page = {c["id"]: c["state"] for c in house.page()["components"]}
    play.check(f"the page: amber {page['storage/amber']}, blue {page['storage/blue']}, and no draft on it",
               page["storage/amber"] != "operational" and page["storage/blue"] == "operational" and draft["incident"] not in {i["id"] for i in house.page()["incidents"]})
    play.check(f"sites' names on it: {[site for site in house.keys if site in str(house.page()) + str(entries())]}",
               not [site for site in house.keys if site in str(house.page()) + str(entries())])


@step("23:50", "Kafka stops acknowledging: two of three brokers stand still", "Redis filled the memory, the bridge crashed, and metrics were dropped",
      "the API holds a bounded number of bytes in flight and says 503; nothing is dropped after a 2xx")
def no_kafka(play):
    house, watch = play.house, play.watch
    begun, mark = watch.now_t(), house.mark()
    for broker in house.stack.brokers[1:]:
        broker.process.signal(signal.SIGSTOP)
    house.rest(10)
    for broker in house.stack.brokers[1:]:
        broker.process.signal(signal.SIGCONT)
    answers = house.answers(mark)
    play.check(f"answers of the API meanwhile: {dict(answers)}", answers["503"] > 0 and not set(answers) - {"202", "503", "429", "502", "499"})
    inflight = max(watch.values("millrace_ingest_inflight_bytes", begun, kind="ingest"))
    play.check(f"in flight in one ingest: {inflight / 1024:.0f} KiB at most, a quarter of its budget may be",
               inflight <= BUDGETS_MIB["ingest"] * 1024 * 1024 / 4)
    play.check_memory("ingest", begun)
    mark = house.mark()
    took = house.wait(lambda: house.answers(mark)["202"] > 50, RECOVER_S, "the API takes payloads again")
    play.check(f"payloads are taken again {took:.1f} s after the brokers answer, and nothing was restarted", True)
    house.wait(house.in_step, 90, "all copies are in step")


@step("23:5x", "alert batches", "blocked on a query to the locked set, took every job slot; a config change stopped them",
      "alerts carry all they need; a control stops notifications in a second")
def alerts(play):
    house = play.house
    always = {"metric": "shop.checkout.orders.0", "field": "count", "compare": ">=", "threshold": 1, "receivers": ["hooks"]}  # the crowd's, tells in any minute
    house.apply("receiver", [{"id": "hooks", "webhook": {"url": house.hooks.url}, "only_named": True, "group_wait": "0s", "repeat": "0s"}])
    house.apply("trigger", [{"id": "first", "site": "alpha", **always}])
    took = house.wait(lambda: house.told("first"), 90, "a webhook about amber")
    braked = house.sum_up("sink", "breaker_state", "amber")
    play.check(f"amber's database is locked (its breaker's state is {braked:.0f}), and its alert is told {took:.1f} s after its trigger was set", braked > 0 and took < TOLD_S)
    begun = time.monotonic()
    house.timed_ctl("control", "set", "--on", "notify", "--do", "drop", "--cell", "amber", "--reason", "the rehearsal's flood", "--for", "20h")
    obeyed = time.monotonic() - begun  # the command waits for heartbeats that name the control
    play.check(f"a control was set, and notify-amber said that it obeys, {obeyed:.1f} s after it was asked for", obeyed < OBEYED_S)
    house.apply("trigger", [{"id": "second", "site": "beta", **always}])
    house.wait(lambda: house.programs["notify-amber"].metric("dropped_total") > 0, 90, "an alert is dropped")
    house.apply("trigger", [{"id": "third", "site": "gamma", **always}])
    house.wait(lambda: house.told("third"), 90, "a webhook about blue")
    play.check("what is dropped is told to nobody, and blue is told of its own", not house.told("second"))
    house.timed_ctl("control", "clear", "--on", "notify", "--do", "drop", "--cell", "amber")
    house.wait(lambda: any(n["event"] == "alerts_dropped" for n in house.records("millrace.notices", "Notice")), 30, "a notice of what was dropped")
    notice = [n for n in house.records("millrace.notices", "Notice") if n["event"] == "alerts_dropped"][-1]
    play.check(f"the operator log says: {notice['text']}", "the rehearsal's flood" in str(notice))


@step("00:30", "the valve is closed", "Nginx was shut as a valve; agents spooled to disk",
      "a control closes the valve for all or one site; health and status stay up")
def valve(play):
    house, watch = play.house, play.watch
    # First for one site, of which the others must not know.
    house.timed_ctl("control", "set", "--on", "ingest", "--do", "close", "--site", "alpha", "--reason", "the rehearsal's valve, one site", "--for", "12h")
    probes = {site: house.probe(site) for site in house.keys}
    play.check(f"closed for alpha alone, an empty payload gets {probes}", probes.pop("alpha") == 503 and set(probes.values()) == {400})
    house.timed_ctl("control", "clear", "--on", "ingest", "--do", "close", "--site", "alpha")
    play.before["closed_ms"] = house.clock.now_ms()
    house.timed_ctl("control", "set", "--on", "ingest", "--do", "close", "--reason", "the rehearsal's valve", "--for", "12h")
    house.rest(1)  # what was let in before is answered
    mark = house.mark()
    house.rest(6)
    answers = house.answers(mark)
    play.check(f"answers of the API: {dict(answers)}", answers["503"] > 0 and answers["202"] <= 2)
    for ingest in house.of("ingest"):
        play.check(f"{ingest.name}: live {ingest.get('/health/live')[0]}, metrics {ingest.get('/metrics')[0]}",
                   ingest.get("/health/live")[0] == 200 and ingest.get("/metrics")[0] == 200)
    waiting = house.crowd.status()["spooled_payloads"]
    play.check(f"{waiting} payloads wait in the agents' spools", waiting > 100)


@step("00:3x", "kill -9 of one of each", "workers were restarted by hand, over and over", "no program needs a restart; each survives kill -9")
def kills(play):
    house = play.house
    victims = [house.programs[name] for name in ("ingest-1", "processor-amber-2", "processor-blue-1", "sink-blue", "sink-amber", "notify-amber")]
    for victim in victims:
        victim.kill()
    for victim in victims:
        victim.start()
    free = [victim for victim in victims if victim.name != "sink-amber"]  # whose database is locked: it lives, and says what it waits for
    took = house.wait(lambda: all(v.ready() for v in free), 60, "all are ready again")
    play.check(f"{len(victims)} programs killed; {len(free)} ready {took:.1f} s after their start", True)
    status, why = house.programs["sink-amber"].get("/health/ready")
    play.check(f"sink-amber: live {house.programs['sink-amber'].get('/health/live')[0]}, ready {status}: {why.strip()}",
               house.programs["sink-amber"].get("/health/live")[0] == 200)


@step("later", "the agents' spools are full", "agents truncated their spools: the other half of the loss",
      "spools are bounded, and a truncation is reported by payload seq, so that the loss is known exactly")
def truncation(play):
    house = play.house
    house.wait(lambda: house.crowd.status().get("dropped_payloads", 0) >= 100, 150, "agents give up payloads")
    house.rest(2)
    dropped = house.crowd.status()
    most = dropped["agents"] * SPOOLED_PAYLOADS
    play.check(f"{dropped['spooled_payloads']} payloads are in the spools, at most {most} may be", dropped["spooled_payloads"] <= most)
    play.check(f"{dropped['dropped_payloads']} payloads of {dropped['dropped_samples']} samples were given up; the verdict says whether they are known",
               dropped["dropped_samples"] > 0)


@step("01:00", "the API comes back, and all agents at once", "a wave of backlog arrived from all agents at once",
      "live payloads first; backlog is admitted as capacity allows, spread by jittered Retry-After")
def wave(play):
    house, watch = play.house, play.watch
    begun, mark = watch.now_t(), house.mark()
    backlog = house.crowd.status()["spooled_payloads"]
    play.before["opened_ms"] = house.clock.now_ms()
    house.timed_ctl("control", "clear", "--on", "ingest", "--do", "close")
    fresh = house.wait(lambda: (watch.fresh["blue"].seconds() or 1e9) < play.before["fresh"]["blue"] + 2 * FRESH_SPARE_S, RECOVER_S, "blue is fresh again")
    # That live payloads came first is seen in what Kafka holds: test_94 of `run`.
    took = fresh + house.wait(lambda: house.crowd.status().get("spooled_payloads", 1e9) < 60, RECOVER_S, "the agents' spools are empty")
    play.before["drained_ms"] = house.clock.now_ms()
    play.check(f"blue is fresh again {fresh:.1f} s after the valve opened, {backlog} waiting payloads are in after {took:.1f} s", True)
    answers = house.answers(mark)
    play.check(f"answers of the API: {dict(answers)}", not set(answers) - {"202", "503", "429", "502", "499"})
    play.check_memory("ingest", begun)
    play.check_memory("processor", begun)
    play.before["recovery_s"] = took


@step("02:00", "old alert batches", "were thrown away, as their data was lost", "alerts older than alerts.max_age are summed up, not sent")
def old_alerts(play):
    house = play.house
    # A gauge that is above and below by lot: alerts come and go by the minute.
    house.apply("trigger", [{"id": "flickering", "site": "gamma", "metric": "box.checkout.load.4", "field": "last", "compare": ">", "threshold": 0, "receivers": ["hooks"]}])
    house.wait(lambda: house.told("flickering"), 90, "a webhook about it")
    stood_s = max(13, house.clock.real_s(ALERTS_MAX_AGE_S + 240))
    for program in house.of("processor", "blue"):
        program.freeze()
    house.rest(stood_s)
    for program in house.of("processor", "blue"):
        program.thaw()
    mine = lambda: [e for e in house.records("millrace.c.blue.alerts", "AlertEvent") if e["trigger"] == "flickering"]  # noqa: E731
    took = house.wait(lambda: any(e["kind"] == "summary" for e in mine()), 90, "a summary of what came and went")
    events = mine()
    sums = [e for e in events if e["kind"] == "summary"]
    age_s = lambda e: (e["at"] - e["minute"]).total_seconds()  # noqa: E731
    gone = {e["episode"] for e in events if e["kind"] == "closed" and age_s(e) > ALERTS_MAX_AGE_S + 60}
    old = [e for e in events if e["kind"] == "opened" and age_s(e) > ALERTS_MAX_AGE_S + 60 and e["id"] in gone]
    play.check(f"{stood_s:.0f} s of standing still: {sum(e['opened'] for e in sums)} alerts that came, {sum(e['closed'] for e in sums)} of them gone again, in {len(sums)} events, "
               f"after {took:.1f} s", sum(e["closed"] for e in sums) > 0)
    play.check(f"{len(old)} alerts that had come and gone before alerts.max_age were told on their own", not old)
    house.timed_ctl("trigger", "delete", "flickering")


def check_expected(play, expected, over_s):
    """Of what the page said while the backlog drained, the middle: neither the first guesses nor the last, when hardly anything is left to guess."""
    middle = expected[len(expected) // 4:-(len(expected) // 4) or None]
    ratios = sorted((until - said) / (over_s - said) for said, until in middle if over_s - said > play.house.speed)
    if not ratios:
        play.check(f"the page had {len(expected)} moments to say when it would be over", play.house.tree != "plain" or not play.full)
        return
    ratio = statistics.median(ratios)
    play.check(f"the page expected {ratio:.2f} times what it took until it was over, in the median of {len(ratios)} ({ratios[0]:.2f} to {ratios[-1]:.2f})",
               0.5 <= ratio <= 2)


@step("02:43", "amber's database recovers", "the replica set recovered, the connect servers drained their queues",
      "the sink drains at the pace the set can take, without another lock")
def recovery(play):
    house, watch = play.house, play.watch
    sink = house.of("sink", "amber")[0]
    begun, waiting = watch.now_t(), sink.metric("lag_records")
    house.unlock_database("amber")
    house.wait(lambda: sink.figures().get("millrace_sink_breaker_state", 2) == 0, 60, "the breaker has closed")
    openings = sink.metric("breaker_openings_total")
    expected = []  # (when the page said it, until when), virtual seconds

    def drained():
        storage = next(c for c in house.page()["components"] if c["id"] == "storage/amber")
        now_s = house.clock.now_ms() / 1000
        if storage["expected_recovery_at"] and storage["state"] != "operational":
            expected.append((now_s, datetime.datetime.fromisoformat(storage["expected_recovery_at"]).timestamp()))
        return sink.metric("lag_records") < 500

    took = house.wait(drained, DRAIN_S, "amber's sink has drained")
    check_expected(play, expected, house.clock.now_ms() / 1000)
    play.check(f"{waiting:.0f} waiting records are stored {took:.1f} s after the lock is gone", waiting > 0)
    play.check(f"the breaker has opened {sink.metric('breaker_openings_total') - openings:.0f} times since", sink.metric("breaker_openings_total") == openings)
    slowest = max(watch.values("millrace_sink_insert_latency_seconds", begun + 5, cell="amber"), default=0)
    play.check(f"inserts took {slowest * 1000:.0f} ms on the average at most", slowest < 3)
    play.check_memory("sink", begun, "amber")
    with contextlib.suppress(Exception):
        house.wait(lambda: (watch.fresh["amber"].seconds() or 1e9) < play.before["fresh"]["amber"] + 2 * FRESH_SPARE_S, 60, "amber is fresh again")
    play.check(f"amber is fresh again: {watch.fresh['amber'].seconds():.0f} s of event time",
               watch.fresh["amber"].seconds() < play.before["fresh"]["amber"] + 2 * FRESH_SPARE_S)
