#!/usr/bin/env python3
"""deploy/local: stacks side by side, up and down in every order, and the arithmetic behind `make run`.

All tests and `make run` stand on this: a stack that came up half, lost data on a restart, or signalled a stranger's
process would show as something else's failure.
"""
import datetime
import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCAL = ROOT / "deploy" / "local"
sys.path[:0] = [str(LOCAL), str(Path(__file__).resolve().parent)]
import cases  # noqa: E402
from confluent_kafka import Consumer, Producer, TopicPartition  # noqa: E402
from confluent_kafka.admin import AdminClient, NewTopic  # noqa: E402
from millrace_local import Failure, Process, Stack, free_base_port, windows  # noqa: E402
from millrace_local.ledger import Ledger  # noqa: E402
from pymongo import MongoClient  # noqa: E402


def tool(directory, *words):
    """deploy/local/stack as a user calls it."""
    return subprocess.run([sys.executable, LOCAL / "stack", *map(str, words), "--dir", directory], text=True,
                          capture_output=True)


def kafka_conf(stack, **more):
    """Quiet: brokers that go away are part of these tests."""
    return {"bootstrap.servers": stack.env()["KAFKA"], "log_level": 0, **more}


def make_topic(stack, copies):
    """Makes topic probe and waits until all copies are in sync."""
    admin = AdminClient(kafka_conf(stack))
    admin.create_topics([NewTopic("probe", 1, copies)])["probe"].result(30)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        partition = admin.list_topics("probe", 30).topics["probe"].partitions.get(0)
        if partition and len(partition.isrs) == copies:
            return
    raise AssertionError(f"not {copies} copies in sync within 30 s: {partition}")


def put(stack, number):
    """One Kafka record and one document."""
    producer = Producer(kafka_conf(stack, acks="all"))
    producer.produce("probe", str(number).encode())
    assert producer.flush(30) == 0
    with MongoClient(stack.env()["MONGO_1"]) as mongo:
        mongo.probe.probe.insert_one({"_id": number})


def kept(stack):
    """What Kafka and the database hold: two lists of numbers."""
    consumer = Consumer(kafka_conf(stack, **{"group.id": "probe", "enable.partition.eof": True,
                                             "enable.auto.commit": False}))
    consumer.assign([TopicPartition("probe", 0, 0)])
    records = []
    while (message := consumer.poll(30)) is not None and not message.error():
        records.append(int(message.value()))
    assert message is not None, "no end of partition within 30 s"
    consumer.close()
    with MongoClient(stack.env()["MONGO_1"]) as mongo:
        return records, sorted(d["_id"] for d in mongo.probe.probe.find())


def fails(call, *words):
    """The text of the Failure that call raises, which must hold words."""
    try:
        call()
    except Failure as failure:
        assert all(word in str(failure) for word in words), failure
        return str(failure)
    raise AssertionError("no Failure")


def test_stack_keeps_data_and_clock(directory):
    directory = directory / "one"
    base = free_base_port()
    up = tool(directory, "up", "--base-port", base, "--clock-speed", 60, "--clock-start-ms", 1795372012000)
    assert up.returncode == 0, up.stderr
    script = f'. {directory}/stack.env; echo "$KAFKA $MONGO_1 $CLOCK_START_MS $CLOCK_SPEED"'
    sourced = subprocess.run(["sh", "-c", script], capture_output=True, text=True).stdout.split()
    assert sourced == [f"127.0.0.1:{base + 1}", f"mongodb://127.0.0.1:{base + 21}/?retryWrites=false", "1795372012000",
                       "60"], sourced
    stack = Stack(directory)
    first = stack.env()
    make_topic(stack, 1)
    put(stack, 1)
    assert tool(directory, "up").returncode == 0
    assert stack.env() == first, "up again must keep what runs"
    for part in (*stack.brokers, *stack.databases):
        part.process.kill()
    assert tool(directory, "status").returncode == 1
    assert tool(directory, "up").returncode == 0 and tool(directory, "status").returncode == 0
    put(stack, 2)
    assert tool(directory, "down").returncode == 0 and not (directory / "stack.env").exists()
    assert tool(directory, "up").returncode == 0
    again = stack.env()
    assert kept(stack) == ([1, 2], [1, 2])
    assert all(again[key] == first[key] for key in first if not key.startswith("PID_")), again
    fails(lambda: Stack(directory, brokers=3), "brokers=1", "wipe")
    assert tool(directory, "wipe").returncode == 0 and not directory.exists()


def test_three_brokers_beside_another_stack(directory):
    """Both at once; the three share their topics, and one frozen broker does not keep the stack from stopping."""
    with Stack(directory / "three", base_port=free_base_port(), brokers=3, databases=2) as three, \
         Stack(directory / "beside", base_port=free_base_port()) as beside:
        beside.up()
        three.up()
        make_topic(three, 3)
        elsewhere = AdminClient(kafka_conf(beside))
        assert not elsewhere.list_topics(timeout=30).topics
        put(three, 1)
        assert {key for key in three.env() if key.startswith(("PID_", "MONGO_"))} == {
            "PID_KAFKA_1", "PID_KAFKA_2", "PID_KAFKA_3", "PID_DATABASE_1", "PID_DATABASE_2", "MONGO_1", "MONGO_2"}
        three.brokers[1].process.signal(signal.SIGSTOP)
        three.down()
        assert all(state == "down" for *_, state in three.status())
        assert all(state == "up" for *_, state in beside.status())


def test_a_taken_port_is_named(directory):
    with Stack(directory / "first", base_port=free_base_port()) as first:
        first.databases[0].start()
        first.databases[0].wait_ready()
        second = Stack(directory / "second", base_port=first.settings["base_port"])
        second.directory.mkdir()
        fails(second.databases[0].start, str(second.databases[0].port), "--base-port")


def test_a_dying_part_shows_its_log(directory):
    process = Process("dying", directory).start(["sh", "-c", "echo last words >&2; exit 3"])
    fails(lambda: process.wait_until(lambda: False, 30, "ready"), "ended before ready", "last words")
    assert process.exit_code == 3


def test_a_stranger_is_never_signalled(directory):
    """A pid file whose pid now belongs to somebody else: not running, and nobody is harmed."""
    stranger = Process("stranger", directory).start(["sleep", "1000"])
    ours = Process("ours", directory)
    ours.pid_file.write_text(f"{stranger.pid} 1\n")
    assert ours.pid is None and ours.stop() == "not running" and stranger.pid
    assert stranger.stop() == "stopped"


def test_a_deaf_or_frozen_process_is_killed(directory):
    program = "import signal; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"
    deaf = Process("deaf", directory).start([sys.executable, "-c", program])
    deaf.wait_until(lambda: "deaf" in deaf.log_file.read_text(), 30, "deaf")
    assert deaf.stop(0.2) == "killed" and deaf.pid is None
    frozen = Process("frozen", directory).start(["sleep", "1000"])
    frozen.signal(signal.SIGSTOP)
    assert frozen.stop(10) == "stopped"


def test_wipe_spares_what_is_not_a_stack(directory):
    home = directory / "home"
    home.mkdir()
    (home / "letters").write_text("dear")
    fails(Stack(home).wipe, "not deleted")
    assert (home / "letters").exists()


def test_deps_has_nothing_to_do(_):
    done = subprocess.run([LOCAL / "deps"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and not done.stdout, done.stdout + done.stderr


MINUTE = 1795372020000


def fragment(values, last_at, kind="gauge", **changes):
    """A document of series `load` as the sink writes it."""
    return {"name": "load", "kind": kind, "tags": {"over": "1m"}, "t": windows.date_of(MINUTE), "count": len(values),
            "sum": sum(values), "min": min(values), "max": max(values), "mean": sum(values) / len(values),
            "last": values[-1], "last_at": datetime.datetime.fromtimestamp(last_at / 1000), **changes}


def load_ledger():
    """What was sent: 3, 1, 2 at 0, 5 and 10 s."""
    ledger = Ledger(MINUTE - 5000)
    for second, value in ((0, 3.0), (5, 1.0), (10, 2.0)):
        ledger.add("load", "gauge", {"over": "1m"}, MINUTE + second * 1000, value)
    return ledger


def test_the_one_told_last_is_last(_):
    """Of several with the same second, as the agent has it; an earlier second that comes later is not."""
    ledger = load_ledger()
    for second, value in ((10, 5.0), (10, 4.0), (9, 6.0)):
        ledger.add("load", "gauge", {"over": "1m"}, MINUTE + second * 1000, value)
    (entry,) = ledger.minutes[MINUTE].values()
    assert (entry["last"], entry["last_at"], entry["max"]) == (4.0, MINUTE + 10000, 6.0), entry


def test_windows_equal_their_ledger(_):
    sent = load_ledger().minutes[MINUTE]
    one = [fragment([3.0, 1.0, 2.0], MINUTE + 10000)]
    two = [fragment([2.0], MINUTE + 10000), fragment([3.0, 1.0], MINUTE + 5000)]
    for documents in (one, two, two[::-1]):
        assert not windows.differences(sent, windows.merge(documents))
        assert "load" in windows.table(windows.merge(documents))[1]


def test_windows_differ_from_their_ledger(_):
    """Each field on its own, a fragment too few or too many, a series too many."""
    sent = load_ledger().minutes[MINUTE]
    wrong = [[fragment([3.0, 1.0, 2.0], MINUTE + 10000, **{field: 7})] for field in (*windows.COMPARED, "mean")]
    wrong += [[fragment([3.0, 1.0], MINUTE + 5000)], [],
              [fragment([3.0, 1.0, 2.0], MINUTE + 10000), fragment([3.0, 1.0, 2.0], MINUTE + 10000, tags={})],
              [fragment([3.0, 1.0, 2.0], MINUTE + 10000, kind="counter")]]
    for documents in wrong:
        assert windows.differences(sent, windows.merge(documents)), documents
    assert windows.counted_too_often(sent, windows.merge([fragment([3.0, 1.0, 2.0, 2.0], MINUTE + 10000)]))


def test_a_full_minute_is_full(directory):
    ledger = load_ledger()
    assert ledger.full_minutes() == []
    ledger.settled_ms = MINUTE + 60000
    assert ledger.full_minutes() == [MINUTE]
    ledger.save(directory / "ledger.json")
    assert vars(Ledger.load(directory / "ledger.json")) == vars(ledger)
    ledger.started_ms = MINUTE + 1
    assert ledger.full_minutes() == [] and Ledger.load(directory / "none") is None
    assert json.loads((directory / "ledger.json").read_text())["started_ms"] == MINUTE - 5000


def main():
    with tempfile.TemporaryDirectory(prefix="millrace-stack-") as directory:
        try:
            cases.run(globals(), Path(directory))
        finally:
            for left in Path(directory).glob("*/stack.json"):
                Stack(left.parent).wipe()


main()
