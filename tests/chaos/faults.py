"""Which fault strikes when: a pure function of a seed and a length, so that a run can be had again.

Only the plan is fixed by the seed: what a fault hits at its moment (a checkpoint, a rebalance, a restore) is the machine's doing, and differs.
"""
import dataclasses
import random

# On the average one in so many seconds of each; the order stands for nothing but the seed's meaning.
EVERY_S = {
    "kill": 24,         # kill -9 of an instance, which comes back seconds later
    "freeze": 55,       # SIGSTOP beyond the session time-out, SIGCONT, and a checkpoint before the next poll
    "ambush": 200,      # the same to one that waits for a rebalance to end: its client may join again without a word to the program
    "broker": 75,       # kill -9 of any broker
    "coordinator": 75,  # the same to the one that leads the group's offsets, or an instance's transactions, by turns
    "elect": 50,        # leaders, and so coordinators, go back to the brokers they belong to
    "ingest": 60,       # kill -9 of an ingest: agents repeat what it had in hand
}
SCALE = {"grow": 0.03, "shrink": 0.45, "regrow": 0.7}  # instances 2 -> 3 -> 1 -> 2, at these shares of each SCALE_EVERY_S
SCALE_EVERY_S = 300
KINDS = (*EVERY_S, "scale")
CALM_S = 15  # at the beginning: both instances have joined, and what moves when a third one comes is that one's doing alone


@dataclasses.dataclass(frozen=True, order=True)
class Fault:
    at_s: float
    kind: str
    turn: int    # the how many-th of its kind, from 0
    dice: float  # in [0, 1): whom it hits, and how long it lasts


ALONE_S = 24  # one that is chosen alone strikes at least so often: short runs for mutants


def plan(seed, seconds, only=KINDS):
    """The faults of a run, in order; only: these kinds."""
    faults = []
    for kind, every in EVERY_S.items():
        dice = random.Random(f"{seed} {kind}")  # one a kind: without the others, a kind strikes as it did with them
        number = max(1, round((seconds - CALM_S) / (min(every, ALONE_S) if len(only) == 1 else every)))
        slot = (seconds - CALM_S) / number
        faults += [Fault(CALM_S + (turn + dice.random()) * slot, kind, turn, dice.random()) for turn in range(number) if kind in only]
    if "scale" in only:
        rounds = max(1, round(seconds / SCALE_EVERY_S))
        faults += [Fault((turn + share) * seconds / rounds, step, turn, 0.0) for turn in range(rounds) for step, share in SCALE.items()]
    return sorted(faults)
