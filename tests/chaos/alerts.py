"""Were alerts told exactly once, and are they those that the windows say?

Triggers on some hundred series, whose values are drawn anew each minute, so that alerts open and close all the time and each kill falls next to some. What an
independent reader finds in the minutes is what the processor judged: from it follows each opening and closing. Where a series was silent, the processor may know that it
could not know (nobody was listening, an agent had older payloads waiting), or take it for nothing; both are followed, and what was told must be what one of them leads to.
"""
import collections
import dataclasses

from oracle_windows import MINUTE_MS, Window, milliseconds
from processor_cell import Codec, topic

TRIGGERS = 240
THRESHOLD = 150  # of the largest value of a minute, which is below 196: it holds in about every third minute
AT_FIRST_MS = 5 * MINUTE_MS  # so long at most before all partitions judge by them, event time


@dataclasses.dataclass(frozen=True)
class State:
    """ok, warming or open, or cooling, for so many minutes."""
    phase: str = "ok"
    run: int = 0
    opened: int = 0

    def after(self, minute, holds, warm_up, cooldown):
        """(state, what is told)."""
        if self.phase in ("ok", "warming"):
            if not holds:
                return State(), None
            run = self.run + 1
            return (State("open", 0, minute), ("opened", minute)) if run >= warm_up else (State("warming", run), None)
        if holds:
            return State("open", 0, self.opened), None
        run = self.run + 1
        return (State(), ("closed", self.opened)) if run >= cooldown else (State("cooling", run, self.opened), None)


class Alerts:
    """The triggers, and what became of them."""

    def __init__(self, ledger, numbers=TRIGGERS):
        self.ledger = ledger
        self.rules = {n: (1 + n % 3, 1 + n // 3 % 2) for n in range(min(numbers, len(ledger.series)))}  # series: warm-up, cooldown
        self.windows = collections.defaultdict(Window)  # by (series, start): what was there when it was judged
        self.told = collections.defaultdict(list)       # by (series, minute): (kind, minute in which it opened)

    def write(self, cell):
        """Into the topic of triggers, by another client than millrace-ctl."""
        codec = Codec("Trigger")
        for number, (warm_up, cooldown) in self.rules.items():
            site, kind, name, _ = self.ledger.series[number]
            cell.send("millrace.triggers", 0, codec.encode({
                "id": f"t-{number}", "site": site, "description": "of a chaos run", "severity": "info", "metric": name, "kind": kind, "tags": [],
                "threshold": {"field": "max", "comparison": "gt", "threshold": float(THRESHOLD)}, "absent_minutes": None, "check_in": None,
                "warm_up_minutes": warm_up, "cooldown_minutes": cooldown, "receivers": [], "author": "chaos", "updated_at": 0}), key=f"t-{number}")
        cell.flush()

    def take(self, number, fragment):
        """A fragment as the reader found it."""
        if number in self.rules and fragment["window_ms"] == MINUTE_MS and not fragment["late"]:
            self.windows[number, milliseconds(fragment["window_start"])].merge(fragment)

    def read(self, cell):
        codec, ids = Codec("AlertEvent"), collections.Counter()
        for message in cell.records(topic("alerts")):
            event = codec.decode(message.value())
            ids[event["id"]] += 1
            number = int(event["trigger"].removeprefix("t-"))
            assert event["site"] == self.ledger.series[number][0] and event["name"] == self.ledger.series[number][2], event
            self.told[number, milliseconds(event["minute"])].append((event["kind"], milliseconds(event["opened_at"])))
        self.doubled = [i for i, n in ids.items() if n > 1]
        self.events = ids.total()

    def judge(self, first_ms, last_ms, may_be_unknown=False):
        """Differences, as lines; last_ms: minutes up to this one have been judged. may_be_unknown: memory was so short that minutes went unjudged."""
        wrong = [f"event {i.hex()} was written more than once" for i in self.doubled]
        for number in self.rules:
            wrong += self._judge_series(number, first_ms, last_ms, may_be_unknown)
        return wrong

    def _judge_series(self, number, first_ms, last_ms, may_be_unknown):
        states = {State()}
        begin = min([first_ms - first_ms % MINUTE_MS, *(minute for n, minute in [*self.windows, *self.told] if n == number)])
        for minute in range(begin, last_ms + 1, MINUTE_MS):
            window, told = self.windows.get((number, minute)), self.told.get((number, minute), [])
            if len(told) > 1:
                return [f"series {number}: {told} in one minute, {minute}"]
            follows = set()
            for state in states:
                follows.add(state.after(minute, window is not None and window.max / 1024 > THRESHOLD, *self.rules[number]))
                if window is None or may_be_unknown or minute < first_ms + AT_FIRST_MS:
                    follows.add((state, None))
            after = {state for state, event in follows if event == (told[0] if told else None)}
            if not after:
                return [f"series {number}, minute {minute}: {told or 'nothing'} was told, window {window and window.figures()[:5]}; from {sorted(map(str, states))}"]
            states = after
        return []
