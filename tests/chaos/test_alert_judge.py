"""Would the chaos run notice an alert that is missing, told twice, told in another minute, or told of nothing? The judge (alerts.py) on made-up runs."""
import pathlib
import random
import sys

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent), str(pathlib.Path(__file__).resolve().parents[1] / "e2e"),
                str(pathlib.Path(__file__).resolve().parents[2] / "deploy" / "local")]
import alerts
import cases
from alerts import Alerts, MINUTE_MS, THRESHOLD

MINUTES, FIRST = 60, 5


class Ledger:
    series = [("alpha", "gauge", f"metric.{n}", {}) for n in range(12)]


def played(dice, silent=0.0):
    """A judge that has read a run in which everything was told as it should be; some minutes silent, and judged as nothing."""
    judge = Alerts(Ledger())
    judge.doubled = []
    for number, rule in judge.rules.items():
        state = alerts.State()
        for minute in range(0, MINUTES * MINUTE_MS, MINUTE_MS):
            window = None
            if dice.random() >= silent:
                window = judge.windows[number, minute]
                window.count, window.max = 1, 1024 * dice.choice((THRESHOLD - 20, THRESHOLD + 20))
            state, event = state.after(minute, window is not None and window.max / 1024 > THRESHOLD, *rule)
            if event:
                judge.told[number, minute].append(event)
    return judge


def verdict(judge):
    return judge.judge(-FIRST * MINUTE_MS, (MINUTES - 1) * MINUTE_MS)


def spoil(judge, dice, kind):
    """One event of the run, in one way wrong."""
    number, minute = dice.choice([place for place, events in judge.told.items() if events])
    event = judge.told[number, minute][0]
    if kind == "missing":
        judge.told[number, minute] = []
    elif kind == "twice":
        judge.told[number, minute].append(event)
    elif kind == "a minute later":
        judge.told[number, minute] = []
        judge.told[number, minute + MINUTE_MS].insert(0, event)
    elif kind == "of another opening":
        judge.told[number, minute] = [(event[0], event[1] - MINUTE_MS)]
    elif kind == "of nothing":
        empty = next(m for m in range(0, MINUTES * MINUTE_MS, MINUTE_MS) if not judge.told.get((number, m)))
        judge.told[number, empty] = [("opened", empty)]


def test_a_good_run_is_good(dice):
    for _ in range(20):
        assert verdict(played(dice)) == [] and verdict(played(dice, 0.3)) == []


def test_each_fault_is_found(dice):
    for kind in ("missing", "twice", "a minute later", "of another opening", "of nothing"):
        for _ in range(50):
            judge = played(dice)
            spoil(judge, dice, kind)
            assert verdict(judge), kind


def test_a_repeated_id_is_found(dice):
    judge = played(dice)
    judge.doubled = [b"\x01" * 16]
    assert verdict(judge)


if __name__ == "__main__":
    seed = random.randrange(2**32)
    print(f"seed {seed}", flush=True)
    cases.run(globals(), random.Random(seed))
