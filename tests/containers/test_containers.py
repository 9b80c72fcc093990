#!/usr/bin/env python3
"""Millrace in containers, by docker-compose.yml as it stands: its limits, users, networks and volumes hold, and `up --scale` loses nothing.

Under load, processors of cell main go 1 -> 3 -> 1, one is killed with -9 in between, and Kafka is restarted. In the end both databases hold
every sample that was sent once, by an oracle that adds up for itself; no container was over its limit, and a container that is gets killed.
README.md says how the containers are run.
Needs root. `make containers`, or as a part of `make test-long`.
"""
import concurrent.futures
import faulthandler
import os
import re
import select
import signal
import sys
import time
import traceback
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(ROOT / "tests" / "e2e"), str(Path(__file__).resolve().parent)]
import cases  # noqa: E402
from engine import Engine, Memory  # noqa: E402
from house import CELLS, House, PROGRAMS, STORES  # noqa: E402
from images import Images  # noqa: E402
from load import Troop, Verdict, count, stored  # noqa: E402
from millrace_local import Failure  # noqa: E402
from oracle_windows import MINUTE_MS  # noqa: E402
from pause import COMMIT_EVERY_S, Commits  # noqa: E402

SITES = {"north": ("main", 12), "south": ("main", 4), "east": ("other", 4)}  # cell, shards
LOAD = {"north": (8, 3000, 2000), "south": (2, 800, 300), "east": (2, 500, 200)}  # agents, series, samples a second
PARTITIONS = 12
UID = 10001
SESSION_TIMEOUT_S = 10  # session.timeout.ms of processor/consumer.c: what a scale-down may cost at most
BUSY_S = 5              # allowance for a machine of two cores that runs all of this, and for what looks at the commits
KILL_ALLOWANCE_S = 15   # after kill -9 the time-out runs off, then the dead owner's transaction ends and states are restored
SETTLE_S = 20
HEALTHY_S, MEMBERS_S, STORED_S = 180, 90, 120
CLOSED_AFTER_MS = (45 + 10) * 1000  # grace, and a partition's stagger
CASES_S = 1200
FIGURES = []
KEPT = []  # what must not be freed: see run_apart


def figure(text):
    FIGURES.append(text)
    print(text, flush=True)


def service_programs(house):
    """{name: description} of our programs' containers."""
    return house.containers(*PROGRAMS)


class Story:
    """What the cases share: the load, and what was seen."""

    def __init__(self, house):
        self.house, self.killed = house, None
        self.views = {cell: house.view(cell) for cell in CELLS}
        self.commits = Commits(house.view("main").committed)
        self.commits.start()
        seed = int(os.environ.get("TEST_SEED", time.time()))
        print(f"TEST_SEED={seed}", flush=True)
        self.troop = Troop(house.push_port, house.keys, LOAD, seed)

    def flow(self, seconds):
        """Data flows for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.troop.check()
            time.sleep(0.5)

    def span(self, name, act):
        """Runs act() and lets data flow until its effect is over; the longest gap of commits within."""
        begin = time.monotonic()
        act()
        self.flow(SETTLE_S)
        longest, partition = self.commits.longest(begin, time.monotonic())
        figure(f"{name}: no partition's commits stood still for longer than {longest:.1f} s (partition {partition}), "
               f"the interval of commits ({COMMIT_EVERY_S} s) included")
        return longest


def test_health_checks_turn_healthy(house, _):
    house.wait_healthy(HEALTHY_S, *STORES, *PROGRAMS)


def test_the_status_page_answers(house, _):
    """From outside, at the port that is published, by a program with its limits on: the page for people, schemas for readers of topics."""
    for path, kind, word in (("/", "text/html", "<html"), ("/subjects", "json", '"millrace.c.other.minutely-value"')):
        with urllib.request.urlopen(f"http://127.0.0.1:{house.status_port}{path}", timeout=10) as answer:
            body = answer.read().decode()
            assert answer.status == 200 and kind in answer.headers["Content-Type"] and word in body, (path, dict(answer.headers), body[:500])


def test_limits_are_those_of_the_compose_file(house, _):
    wanted = house.services()
    found = house.containers()
    assert {house.service_of(described) for described in found.values()} == set(STORES) | set(PROGRAMS), sorted(found)
    for name, described in found.items():
        service, host = wanted[house.service_of(described)], described["HostConfig"]
        limits = host["Memory"], host["MemorySwap"], int(service["mem_limit"]), int(service["memswap_limit"])
        assert len(set(limits)) == 1 and host["Memory"] > 0, (name, limits)
        assert host["PidsLimit"] == service["pids_limit"], (name, host["PidsLimit"])
        assert host["ReadonlyRootfs"] == service.get("read_only", False) and host["RestartPolicy"]["Name"] == service["restart"], name
        assert house.limit_of_cgroup(described) == (host["Memory"], host["Memory"]), (name, house.limit_of_cgroup(described))


def test_programs_are_confined(house, _):
    """Looked at from inside: user, capabilities, privileges to gain, root file system; what of it Kafka and the database have, too."""
    found = house.containers()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        said = list(pool.map(lambda name: house.inside(name, "cat", "/proc/1/status", "/proc/1/mounts"), found))
    for (name, described), (code, status) in zip(found.items(), said):
        assert code == 0, status
        uids = re.search(r"^Uid:\t(\d+)\t(\d+)", status, re.M).groups()
        assert "0" not in uids and (house.service_of(described) not in PROGRAMS or uids == (str(UID), str(UID))), (name, uids)
        assert re.search(r"^CapBnd:\t0+$", status, re.M) and re.search(r"^CapEff:\t0+$", status, re.M) and re.search(r"^NoNewPrivs:\t1$", status, re.M), status
        root_is_read_only = re.search(r"^\S+ / \S+ ro,", status, re.M)
        assert root_is_read_only or house.service_of(described).startswith("kafka-"), status
    name = next(iter(service_programs(house)))
    code, words = house.inside(name, "bash", "-c", "exec 3<>/usr/local/bin/millrace-ctl || touch /usr/new")
    assert code != 0, words


def test_networks_are_apart(house, _):
    """Nobody but a cell's sink comes to its database, neither by name nor by address; the sink does, which shows that the attempt can succeed."""
    for cell, other in (CELLS, CELLS[::-1]):
        described, = house.containers(f"mongo-{cell}-1").values()
        tries = [(service, host) for service in (*PROGRAMS, f"mongo-{other}-1") for host in (f"mongo-{cell}-1", house.address(described))]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:  # most of them wait for nothing
            answers = list(pool.map(lambda each: house.reaches(f"millrace-{each[0]}-1", each[1], 27017), tries))
        wrong = [each for each, reached in zip(tries, answers) if reached != (each[0] == f"sink-{cell}")]
        assert not wrong, f"to the database of {cell}: {wrong}"
    assert house.reaches("millrace-ingest-1", "kafka-1", 9092)


def test_nothing_is_published_but_on_loopback(house, _):
    for name, described in house.containers().items():
        for bindings in (described["HostConfig"]["PortBindings"] or {}).values():
            assert all(binding["HostIp"] == "127.0.0.1" for binding in bindings or ()), (name, bindings)


def test_scales_up(house, story):
    assert story.span("one processor, steady", lambda: None) < 2 * COMMIT_EVERY_S + BUSY_S
    assert len(house.members("main")) == 1

    def act():
        house.scale("processor-main", 3)
        house.wait_members("main", 3, MEMBERS_S)
        house.wait_healthy(HEALTHY_S, "processor-main")

    assert story.span("scale 1 -> 3", act) < SESSION_TIMEOUT_S + COMMIT_EVERY_S + BUSY_S
    assert len(house.containers("processor-main")) == 3


def test_kill_costs_a_session(house, story):
    """kill -9 of one of the three: its container is started again, and the others take over meanwhile."""
    def act():
        story.killed, described = sorted(house.containers("processor-main").items())[0]
        os.kill(described["State"]["Pid"], signal.SIGKILL)
        house.our_kills.append(story.killed)
        house.wait(lambda: (found := house.containers().get(story.killed)) and found["State"]["Pid"] != described["State"]["Pid"], MEMBERS_S,
                   "started again")
        house.wait_members("main", 3, MEMBERS_S)

    assert story.span("kill -9 of one of 3", act) < SESSION_TIMEOUT_S + COMMIT_EVERY_S + KILL_ALLOWANCE_S
    assert house.containers()[story.killed]["RestartCount"] == 1


def test_scales_down_within_a_session(house, story):
    """Two of three leave by SIGTERM with 0; what they leave is taken over in no more than the session time-out."""
    before = set(house.containers("processor-main"))

    def act():
        house.scale("processor-main", 1)
        house.wait_members("main", 1, MEMBERS_S)

    longest = story.span("scale 3 -> 1", act)
    assert longest < SESSION_TIMEOUT_S + COMMIT_EVERY_S + BUSY_S
    gone = before - set(house.containers("processor-main"))
    ends = [(name, code) for name, code in house.engine.ends() if name in gone and name != story.killed]
    assert len(gone) == 2 and len(ends) == 2 and not any(code for _, code in ends), (gone, ends)
    assert house.members("main") == [set(range(PARTITIONS))]


def test_kafka_keeps_its_data(house, story):
    """All brokers are restarted under load: what stood in the volumes still stands, and data flows again."""
    assert not (unwell := set(+house.watch.unwell) - {story.killed}), f"not healthy any more: {unwell}"
    view = story.views["main"]
    before = view.ends()

    def act():
        house.restart("kafka-1", "kafka-2", "kafka-3")
        house.wait_healthy(HEALTHY_S, "kafka-1", "kafka-2", "kafka-3")
        house.wait(lambda: all(end > before[p] for p, end in view.ends().items()), HEALTHY_S, "written to again")

    story.span("restart of all brokers", act)
    figure(f"unhealthy without brokers for a while: {' '.join(sorted(+house.watch.unwell)) or 'none'}")
    assert min(before.values()) > 0 and not any(first for first, _ in view.watermarks().values()), "the beginning is gone"
    house.wait_healthy(HEALTHY_S, *PROGRAMS)


def wait_stored(house, story):
    """No new data, all of it read, the last minute closed, and as much stored as was sent. What is missing shows in the comparison."""
    story.troop.end(STORED_S)
    house.look_for_scratch()
    for cell, view in story.views.items():
        house.wait(lambda: view.committed().items() >= {p: end for p, end in view.ends().items() if end}.items(), MEMBERS_S, f"{cell} read")
    last_ms = max(ledger.last_ms for ledger in story.troop.ledgers.values())
    time.sleep(max(0, (last_ms // MINUTE_MS * MINUTE_MS + MINUTE_MS + CLOSED_AFTER_MS) / 1000 - time.time()))
    for site, (cell, _) in SITES.items():
        ledger, database = story.troop.ledgers[site], house.database(cell)
        try:
            house.wait(lambda: count(database, site, ledger.starts()) >= ledger.values, STORED_S, f"all of {site} stored")
        except Failure as failure:
            print(str(failure).splitlines()[0], flush=True)


def test_every_sample_is_stored_once(house, story):
    wait_stored(house, story)
    troop = story.troop
    figure(f"load: {troop.taken} payloads taken, {sum(ledger.samples for ledger in troop.ledgers.values())} samples; {troop.again} payloads sent again, "
           f"{troop.broken} attempts broken, {troop.refused} refused")
    wrong = []
    for site, (cell, _) in SITES.items():
        want = troop.ledgers[site].minutes
        database = house.database(cell)
        have, documents = stored(database, site, troop.ledgers[site].starts())
        assert documents == database.minutely.count_documents({"site": site}), f"{site} has minutes that nobody sent"
        verdict = Verdict(want, have)
        figure(f"{site} in {cell}: {len(want)} minutes of series, {documents} documents, "
               f"lost {verdict.lost} doubled {verdict.doubled} differing {len(verdict.differing)}")
        wrong += [] if verdict else [f"{site}: {verdict}"]
    assert not wrong, "\n".join(wrong)
    assert troop.again, "nothing was sent twice"
    elsewhere = [(site, cell) for site, (own, _) in SITES.items() for cell in CELLS
                 if cell != own and house.database(cell).minutely.count_documents({"site": site})]
    assert not elsewhere, elsewhere


def test_the_oracle_can_say_no(house, story):
    """A document less, and one twice."""
    ledger = story.troop.ledgers["east"]
    want, (have, _) = ledger.minutes, stored(house.database("other"), "east", ledger.starts())
    assert Verdict(want, have)
    key = next(iter(have))
    window = have.pop(key)
    less = Verdict(want, have)
    assert not less and less.lost == want[key].count and not less.doubled
    window.count *= 2
    have[key] = window
    twice = Verdict(want, have)
    assert not twice and twice.doubled == want[key].count and not twice.lost


def test_a_pause_can_be_seen(_, __):
    """Partition 1 stands still for 12 s of 20, partition 2 from the middle on; partition 0 never does."""
    commits = Commits(None)
    for second in range(20):
        commits.take(second, {0: second, 1: min(second, 4) if second < 16 else second, 2: min(second, 10)})
    assert commits.longest(0, 20) == (12, 1) and commits.longest(17, 20) == (10, 2) and commits.longest(0, 3)[0] == 1, commits.longest(0, 3)


def test_sigterm_ends_each_with_0(house, story):
    """Told to end in the order of the data, all of our programs do so with 0, but for the one that was killed. 137 would be the engine's SIGKILL, when the time
    to drain is over."""
    house.compose("stop", "ingest", "processor-main", "processor-other")
    house.compose("stop", "sink-main", "sink-other", "notify-main", "notify-other", "status")
    ends = [(name, code) for name, code in house.engine.ends() if re.search("|".join(PROGRAMS), name)]
    bad = [(name, code) for name, code in ends if code]
    assert bad == [(story.killed, 137)], bad
    assert {house.watch.services[name] for name, _ in ends} == set(PROGRAMS), ends
    restarts = {name: n for name, n in house.restarts().items() if n}
    assert restarts == {story.killed: 1}, restarts


def over_limit(memory, killed):
    """Whether a container was over its limit: the kernel counts a kill in its group, or it ended by a SIGKILL that is not ours. The engine's
    word is asked too, but does not come with every kernel."""
    return memory.killed > 0 or killed


def test_nobody_was_over_the_limit(house, _):
    assert not house.watch.error, house.watch.error
    figure(f"the engine's server of names had gone {house.watch.names_lost} times")
    peaks = {}
    for name, memory in house.watch.memory.items():
        service = house.watch.services[name]
        kept = peaks.setdefault(service, Memory(memory.limit))
        kept.peak, kept.resident = max(kept.peak, memory.peak), max(kept.resident, memory.resident)
    for service in (*PROGRAMS, *STORES):
        memory = peaks[service]
        figure(f"peak of {service}: {memory.peak / 2**20:.0f} MiB ({memory.resident / 2**20:.0f} without page cache) of {memory.limit / 2**20:.0f}")
    killed = house.killed()
    wrong = [name for name, memory in house.watch.memory.items() if over_limit(memory, name in killed)]
    assert not wrong, wrong


def test_over_the_limit_is_killed(house, _):
    """The same engine, the same image, the judges of the case above: one that asks for too much is killed, and they say so."""
    name = "millrace-too-much"
    house.engine.podman("run", "--detach", "--name", name, "--memory", "48m", "--memory-swap", "48m", "--read-only", "--cap-drop", "ALL", "--security-opt",
                        "no-new-privileges", "millrace:local", "bash", "-c", "tail /dev/zero; sleep 3; exec tail /dev/zero")
    house.wait(lambda: house.engine.inspect(name)["State"]["Status"] == "exited", 60, "killed")
    state, memory = house.engine.inspect(name)["State"], house.watch.memory[name]
    assert state["ExitCode"] == 137, state
    assert memory.limit == 48 << 20 and over_limit(memory, False) and over_limit(Memory(1), name in house.killed()), (vars(memory), house.killed())
    house.engine.podman("rm", "--force", name)


def test_nothing_is_left_in_scratch(house, _):
    """Podman gives a read-only container a writable /tmp and /run, which Docker does not: no program has put a file there."""
    assert house.scratch, "nobody has looked"
    assert not (found := {name: files for name, files in house.scratch.items() if files}), found


def run(engine):
    """The cases; the exit code."""
    house = House(engine, SITES)
    house.up()
    story = Story(house)
    KEPT.extend((house, story))
    try:
        cases.run(globals(), house, story)
    except SystemExit as end:
        return end.code
    finally:
        story.troop.stopping = True
        print("\n".join(["", "For RESULTS.md:", *("- " + line for line in FIGURES)]), flush=True)


def run_apart(engine):
    """The same in a process of its own: librdkafka has been seen to crash, and to wait for ever, when the brokers of a client are gone, and the engine must be
    cleaned up whatever happens. The exit code."""
    sys.stdout.flush()
    child = os.fork()
    if not child:
        code = 1
        try:
            faulthandler.enable()
            code = run(engine)
        except Failure as failure:
            print(failure, flush=True)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(code)
    handle, poller = os.pidfd_open(child), select.poll()
    poller.register(handle, select.POLLIN)
    try:
        ended = poller.poll(CASES_S * 1000)
    finally:
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if not ended or code < 0:
        print(f"the cases {'ended by signal ' + str(-code) if ended else f'have not ended in {CASES_S} s'}\n0 passed, 1 failed", flush=True)
    return 1 if code < 0 else code


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # a runner whose patience ends must leave no container behind
    try:
        with Engine() as engine:
            Images(engine).make()
            code = run_apart(engine)
            engine.wipe()
            left = engine.leftovers()
    except Failure as failure:
        sys.exit(f"{failure}\n0 passed, 1 failed")
    sys.exit(f"left behind: {left}" if left else code)


if __name__ == "__main__":
    main()
