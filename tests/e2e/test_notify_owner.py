#!/usr/bin/env python3
"""Who notifies for a cell: one instance at a time, whatever becomes of it, and nothing is lost or written over on the way from one to the next."""
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(Path(__file__).resolve().parent)]
import cases  # noqa: E402
from millrace_local import Failure  # noqa: E402
from millrace_local.programs import ctl  # noqa: E402
from notify_house import (EPOCH, NOTICE, SECONDS, SENT, Cell, Listener, Notify, add_receiver,  # noqa: E402
                          notify_stack, read_committed)
from sink_records import DEAD_LETTER, decode  # noqa: E402

DROPPED = 100_000


def wait(ready, what, seconds=SECONDS):
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise AssertionError(f"not {what} within {seconds} s")
        time.sleep(0.05)


def test_alerts_reach_a_webhook(stack):
    cell, listener = Cell(stack, "first"), Listener()
    add_receiver(cell.kafka, "ops", listener.url)
    notify = Notify(stack, cell).run()
    notify.wait_active()
    (alert, other) = cell.make("shop", "slow", 2)
    cell.write([(alert, "opened")])
    wait(lambda: len(listener.posts) == 1, "told of an alert")
    headers, body = listener.posts[0]
    assert body["status"] == "firing" and body["receiver"] == "ops" and len(body["alerts"]) == 1, body
    cell.write([(other, "opened"), (alert, "closed"), (other, "closed")])
    wait(lambda: any(body["status"] == "resolved" for _, body in listener.posts), "told of its end")
    keys = [headers["Idempotency-Key"] for headers, _ in listener.posts]
    assert len(set(keys)) == len(keys), keys
    wait(lambda: cell.is_taken(), "committed")
    (incident,) = cell.incidents().values()
    assert incident["state"] == "resolved" and incident["alerts_total"] == 2, incident
    assert incident["id"].hex() in keys[0]
    wait(lambda: cell.read("sent", SENT)[-1]["outcome"] == "delivered", "written down")
    assert cell.read("sent", SENT)[-1]["sequence"] == len(keys)
    assert {metadata for _, metadata in cell.committed().values()} == {f"v1 epoch={EPOCH}"}
    notify.finish()
    again = Notify(stack, cell, "again").run()  # what was told is not told again
    again.wait_active()
    (third,) = cell.make("shop", "other", 1)
    cell.write([(third, "opened")])
    wait(lambda: len(listener.posts) == len(keys) + 1, "told of the next")
    again.finish()
    listener.close()


def test_poison_and_what_is_newer(stack):
    """The one goes to the dead letters with the offset behind it, the other holds its partition only."""
    cell = Cell(stack, "poison")
    notify = Notify(stack, cell).run()
    notify.wait_active()
    cell.write_raw(0, b"\0\0\0\0\x0d junk")
    wait(cell.is_taken, "past the junk")
    (letter,) = [decode(DEAD_LETTER, value) for value in read_committed(cell.kafka, "millrace.deadletter")]
    assert letter["topic"] == cell.topics["alerts"] and letter["value"] == b"\0\0\0\0\x0d junk" and letter["epoch"] == EPOCH, letter
    cell.write_raw(1, b"\0\0\0\xff\x0d newer")
    wait(lambda: notify.get("/health/ready")[0] == 503, "unready for the newer one")
    here = [alert for alert in cell.make("shop", "slow", 20) if alert.partition == 0]
    cell.write([(alert, "opened") for alert in here])
    wait(lambda: cell.open_alerts() == cell.wanted_open(), "on with the other partition")
    notify.finish()


def open_and_close(cell, sites, triggers, series):
    """A round of alerts: all open, then some of them close, some triggers wholly. A generator of (alert, kind)."""
    alerts = [alert for site in range(sites) for trigger in range(triggers)
              for alert in cell.alerts.get((f"site-{site}", f"trigger-{trigger}")) or cell.make(f"site-{site}", f"trigger-{trigger}", series)]
    cell.dice.shuffle(alerts)
    for alert in alerts:
        if not alert.is_open:
            yield alert, "opened"
    for alert in alerts:
        if alert.trigger == "trigger-0" or cell.dice.random() < 0.5:
            yield alert, "closed"


def the_active_one(instances):
    wait(lambda: sum(one.is_active() for one in instances) == 1, "one of them is active")
    return sorted(instances, key=lambda one: not one.is_active())


def test_killed_while_events_flow(stack):
    cell, listener = Cell(stack, "kills"), Listener()
    add_receiver(cell.kafka, "ops", listener.url)
    instances = [Notify(stack, cell, name).run() for name in ("one", "two")]
    for _ in range(2):
        active, other = the_active_one(instances)
        for n, pair in enumerate(open_and_close(cell, 3, 4, 40)):
            cell.write([pair])
            if n == 300:
                active.kill()
        other.wait_active()
        wait(cell.is_taken, "taken by the other")
        cell.check()
        active.run()
    told = {headers["Idempotency-Key"] for headers, _ in listener.posts}
    print(f"     {len(cell.incidents())} incidents, {len(listener.posts)} requests, {len(told)} notifications")
    wait(lambda: all(sent["outcome"] == "delivered" for sent in newest_sent(cell).values()), "all told")
    for one in instances:
        one.finish()
    listener.close()


def newest_sent(cell):
    return {(sent["incident"], sent["receiver"]): sent for sent in cell.read("sent", SENT)}


def test_frozen_for_longer_than_its_session(stack):
    cell = Cell(stack, "frozen")
    instances = [Notify(stack, cell, name).run() for name in ("one", "two")]
    active, other = the_active_one(instances)
    pairs = list(open_and_close(cell, 2, 4, 40))
    cell.write(pairs[:200])
    active.freeze()
    cell.write(pairs[200:400])  # what it may have fetched, or not
    other.wait_active()
    wait(cell.is_taken, "taken by the other")
    active.thaw()
    cell.write(pairs[400:])
    wait(lambda: not active.is_active() and active.get("/health/ready")[0] == 200, "standing by again")
    wait(lambda: other.is_active() and cell.is_taken(), "the other goes on")
    cell.check()  # and with no version below one before it
    other.freeze()  # and back again
    active.wait_active()
    cell.write(open_and_close(cell, 2, 4, 40))
    other.thaw()
    wait(lambda: sum(one.is_active() for one in instances) == 1 and cell.is_taken(), "one of them goes on")
    cell.check()
    for one in instances:
        one.finish()


def test_a_hundred_thousand_are_dropped(stack):
    cell, listener = Cell(stack, "drop"), Listener()
    add_receiver(cell.kafka, "ops", listener.url)
    alerts = [alert for site in range(20) for alert in cell.make(f"site-{site}", "slow", DROPPED // 20)]
    cell.write((alert, "opened") for alert in alerts)
    ctl(cell.kafka, "control", "set", "--on", "notify", "--do", "drop", "--cell", cell.name, "--reason", "a storm", "--for", "10m")
    notify = Notify(stack, cell)
    notify.launch()
    begun = time.monotonic()
    notify.wait_active()
    wait(lambda: notify.metric("millrace_notify_dropped_total") >= DROPPED, "dropped", 20)
    took = time.monotonic() - begun
    wait(cell.is_taken, "committed")
    assert not cell.incidents() and not listener.posts
    told = []

    def notices():
        told[:] = [notice for notice in (decode(NOTICE, value) for value in read_committed(cell.kafka, "millrace.notices"))
                   if notice["event"] == "alerts_dropped" and notice["cell"] == cell.name]
        return told and int(told[-1]["fields"]["alerts"]) == DROPPED

    wait(notices, "told of", 25)
    assert told[-1]["author"] and told[-1]["fields"]["reason"] == "a storm", told[-1]
    print(f"     {DROPPED} events in {took:.1f} s from the start of the process, {len(told)} notices, by {told[-1]['author']}")
    assert took < 10, took
    notify.finish()
    listener.close()


def main():
    with notify_stack() as stack:
        cases.run({name: case for name, case in globals().items() if len(sys.argv) < 2 or name in sys.argv[1:]}, stack)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"{failure}\n0 passed, 1 failed")
