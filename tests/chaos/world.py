"""The cluster and its processes: three brokers, two ingests, up to three processors, and what can be done to them.

One thread does everything by an agenda: a fault that strikes puts on it what must follow (the restart, the SIGCONT). A process that ends without having
been told to is an error at once.
"""
import collections
import contextlib
import functools
import heapq
import itertools
import json
import pathlib
import signal
import subprocess
import time
import urllib.error
import urllib.request

import confluent_kafka
from confluent_kafka.admin import AdminClient
from millrace_local import BINARIES, Failure, Process, Stack, free_base_port, tail
from processor_cell import CELL, Cell, Clock, Codec, GROUP, INPUTS, Processor, topic

PARTITIONS, SPEED = 12, 12
FROZEN_S = (12.5, 4)        # beyond the session time-out of 10 s, and how much more at most
WAKING_S = 12               # zombie_checkpoint's stall of 6 s, and what comes of it
PROCESSORS = {"a": True, "b": False, "c": True}  # with a static membership?
AMBUSH_S = 7                # a start and a heartbeat, and less than the session time-out
FIGURES = ("samples_total", "duplicates_total", "late_samples_total", "fragments_total", "gap_records_total", "dead_letters_total")


def java_hash(text):
    """String.hashCode() without its sign, as Kafka picks a coordinator's partition by it."""
    h = 0
    for byte in text.encode():
        h = (31 * h + byte) & 0xFFFFFFFF
    return (h - (1 << 32) if h >> 31 else h) & 0x7FFFFFFF


class Member:
    """A processor: one process after the other under one name."""

    def __init__(self, processor, static):
        self.processor, self.static, self.name = processor, static, processor.process.name
        self.state = "down"  # up, frozen, waking, ending
        self.kept, self.last = collections.Counter(), collections.Counter()
        self.peak_mib = 0

    def describe(self):
        return f"{self.name} ({'static' if self.static else 'dynamic'})"

    def start(self):
        self.processor.start()
        self.state = "up"

    def down(self):
        """It is gone, and with it what it had counted since it was last asked: figures are lower bounds."""
        self.state = "down"
        self.kept += self.last
        self.last = collections.Counter()

    def scrape(self):
        if self.state in ("up", "waking"):
            self.last = figures(self.processor.get("/metrics")[1]) or self.last
            self.peak_mib = max(self.peak_mib, peak_mib(self.processor.process.pid))


def peak_mib(pid):
    """The most memory that a process has had resident; 0 when it is gone."""
    with contextlib.suppress(OSError, IndexError):
        return int(pathlib.Path(f"/proc/{pid}/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
    return 0


def figures(text):
    """{figure: sum over partitions}; fragments apart by reason."""
    found = collections.Counter()
    for line in text.splitlines():
        name = line.split("{")[0].split(" ")[0].removeprefix("millrace_processor_")
        if name in FIGURES:
            reason = line.split('reason="')[1].split('"')[0] if 'reason="' in line else None
            found[f"{name} {reason}" if reason else name] += float(line.rsplit(" ", 1)[1])
    return found


class World:
    """As a context: brokers, topics, sites, ingests and two processors on entering; everything stopped on leaving."""

    def __init__(self, directory, flow_s, sites, processor_binary, more=()):
        self.directory, self.flow_s, self.sites = pathlib.Path(directory), flow_s, sites
        self.binary, self.more = processor_binary, more
        base = free_base_port()
        self.stack = Stack(self.directory / "stack", base_port=base, brokers=3)
        self.ports = [base + 22, base + 23]          # of ingest
        self.admin_ports = [base + 24 + i for i in range(5)]
        self.ingests, self.members, self.keys = [], {}, {}
        self.agenda, self.order = [], itertools.count()
        self.events, self.struck = [], collections.Counter()  # (real time, kind); by what they were
        self.came = None # when a third instance first came, real time
        self.woken = []  # (name, real time) of SIGCONTs
        self.begun = time.monotonic()
        self.broker_away, self.undisturbed = None, False

    def __enter__(self):
        try:
            self.start_brokers()
            self.provision()
            self.start_programs()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in [*self.ingests, *(m.processor.process for m in self.members.values())]:
            process.stop(5)
        for broker in self.stack.brokers:  # nobody needs their data any more
            broker.process.signal(signal.SIGKILL)
        self.stack.down()

    def say(self, text, kind=None):
        """A line with the time since the beginning; kind: it is an event to which pauses are put down."""
        if kind:
            self.events.append((time.time(), kind))
            self.struck[kind] += 1
        print(f"  {time.monotonic() - self.begun:6.1f} s  {text}", flush=True)

    def start_brokers(self):
        self.stack.format()
        for broker in self.stack.brokers:
            broker.start()
        for broker in self.stack.brokers:
            broker.wait_ready()
        self.kafka = self.stack.env()["KAFKA"]
        self.admin = AdminClient({"bootstrap.servers": self.kafka, "log_level": 0})

    def ctl(self, *arguments):
        command = [str(BINARIES / "millrace-ctl"), "--kafka", self.kafka, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise Failure(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def provision(self):
        self.ctl("topics", "apply")
        self.ctl("cell", "add", CELL, "--partitions", str(PARTITIONS))
        for site, shards in self.sites.items():
            self.ctl("site", "add", site, "--cell", CELL, "--shards", str(shards))
            self.keys[site] = json.loads(self.ctl("--json", "key", "create", site))["key"]
        self.cell = Cell(self.kafka, PARTITIONS)
        self.cell.epoch = Codec("Cell").decode(self.cell.records("millrace.cells")[-1].value())["epoch"]

    def start_programs(self):
        """The clock starts such that the last sample comes ten minutes before an hour ends: it closes soon after, also when agents are a little late."""
        self.clock = Clock(50 - self.flow_s * SPEED / 60, SPEED)
        for number in range(2):
            self.ingests.append(Process(f"ingest-{number}", self.directory))
            self.start_ingest(number)
        for number, (name, static) in enumerate(PROCESSORS.items()):
            processor = Processor(name, self.directory, self.binary, self.cell, self.clock, self.admin_ports[number], static, self.more)
            processor.command += ["--test-faults", "zombie_checkpoint"]
            self.members[name] = Member(processor, static)
        for name in ("a", "b"):
            self.members[name].start()
        self.wait(self.all_running, 60, "all partitions run")
        for number in range(2):
            self.wait(lambda: self.ingest_ready(number), 60, "ingest is ready")
        self.begun = time.monotonic()

    def start_ingest(self, number):
        settings = [f"kafka.bootstrap.servers={self.kafka}", f"push.listen=127.0.0.1:{self.ports[number]}", "push.message_timeout=5s",
                    f"admin.listen=127.0.0.1:{self.admin_ports[3 + number]}", *self.clock.settings()]
        self.ingests[number].start([BINARIES / "millrace-ingest", "--test-clock", *(w for s in settings for w in ("--set", s))])

    def ingest_ready(self, number):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_ports[3 + number]}/health/ready", timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    # What holds all the time

    def check(self):
        """Nobody has ended who was not told to."""
        for number, ingest in enumerate(self.ingests):
            if ingest.exit_code not in (None, -signal.SIGKILL):
                raise Failure(f"{ingest.name} ended with {ingest.exit_code}\n{tail(ingest.log_file)}")
        for broker in self.stack.brokers:
            if broker is not self.broker_away and broker.process.exit_code is not None:
                raise Failure(f"{broker.process.name} ended with {broker.process.exit_code}\n{tail(broker.process.log_file)}")
        for member in self.members.values():
            code = member.processor.process.exit_code
            if member.state in ("up", "frozen", "waking") and code is not None:
                raise Failure(f"{member.describe()} ended with {code}\n{tail(member.processor.process.log_file)}")
            if member.state == "ending" and code is not None:
                if code != 0:
                    raise Failure(f"{member.describe()} was told to stop, and ended with {code}\n{tail(member.processor.process.log_file)}")
                member.down()

    def wait(self, condition, seconds, what):
        deadline = time.monotonic() + seconds
        while not condition():
            self.check()
            if time.monotonic() > deadline:
                why = {m.name: f"{m.state}: {m.processor.get('/health/ready')[1].strip()}" for m in self.members.values()}
                raise Failure(f"not within {seconds} s: {what}; {why}")
            time.sleep(0.2)

    def scrape(self):
        for member in self.members.values():
            member.scrape()

    def total(self, figure):
        """Over all processes there have been, as far as they were asked in time."""
        return sum(m.kept[figure] + m.last[figure] for m in self.members.values())

    def figures(self):
        return sum((m.kept + m.last for m in self.members.values()), collections.Counter())

    def sum_up(self, metric):
        return sum(m.processor.metric(f"millrace_processor_{metric}") for m in self.members.values() if m.state == "up")

    def all_running(self):
        return all(m.processor.ready() for m in self.members.values() if m.state == "up") and self.sum_up("partitions_running") == len(INPUTS) * PARTITIONS

    # The agenda

    def later(self, seconds, call):
        heapq.heappush(self.agenda, (time.monotonic() + seconds, next(self.order), call))

    def live(self, faults, seconds):
        """Lets faults strike for so many seconds, and ends what they have begun."""
        begun = scraped = time.monotonic()
        for fault in faults:
            self.later(fault.at_s, functools.partial(self.strike, fault, begun + seconds))
        while time.monotonic() < begun + seconds or self.agenda:
            self.check()
            if self.agenda and self.agenda[0][0] <= time.monotonic():
                heapq.heappop(self.agenda)[2]()
            elif time.monotonic() > scraped + 1:
                self.scrape()
                scraped = time.monotonic()
            else:
                time.sleep(0.05)

    def strike(self, fault, until):
        """A fault that cannot strike now does so a second later, unless the time for faults is over."""
        if not getattr(self, "strike_" + fault.kind)(fault) and time.monotonic() + 1 < until:
            self.later(1, functools.partial(self.strike, fault, until))

    def up(self):
        return [m for m in self.members.values() if m.state == "up"]

    def kill(self, member):
        member.scrape()
        member.processor.process.kill()
        member.down()
        self.say(f"kill -9 {member.describe()}", "kill")

    def strike_kill(self, fault):
        if not (there := self.up()):
            return False
        member = there[int(fault.dice * 1000) % len(there)]
        self.kill(member)
        self.later(0.3 + 4 * fault.dice, functools.partial(self.start_member, member))
        return True

    def start_member(self, member):
        member.start()
        self.say(f"started {member.describe()}")

    def strike_freeze(self, fault):
        """The kinds of membership by turns, if there is a choice. One at a time: another must take over."""
        there = sorted(self.up(), key=lambda m: m.static == bool(fault.turn % 2))
        there = [m for m in there if m.processor.metric("millrace_processor_partitions_running") > 0]
        if not there or self.somebody_sleeps() or not self.healthy():
            return False
        member = there[0]
        self.undisturbed = fault.turn == 0
        member.scrape()
        member.processor.process.signal(signal.SIGSTOP)
        member.state = "frozen"
        self.say(f"SIGSTOP {member.describe()}", "freeze")
        self.later(FROZEN_S[0] + FROZEN_S[1] * fault.dice, functools.partial(self.thaw, member))
        return True

    def strike_ambush(self, fault):
        """A third instance comes while one of two cannot answer: the other then waits for the rebalance to go on, and that is when it is frozen."""
        victim, witness = (self.members[name] for name in ("ab" if fault.turn % 2 == 0 else "ba"))
        third = self.members["c"]
        if (victim.state, witness.state, third.state) != ("up", "up", "down") or not self.healthy() or not self.all_running():
            return False
        witness.processor.process.signal(signal.SIGSTOP)
        victim.state = witness.state = third.state = "frozen"  # nothing else may happen to them
        third.processor.start()
        self.say(f"SIGSTOP {witness.describe()} for {AMBUSH_S} s; {third.describe()} comes, and {victim.describe()} waits for them", "ambush")
        self.undisturbed = True
        self.later(AMBUSH_S, functools.partial(self.spring, victim, witness, third))
        return True

    def spring(self, victim, witness, third):
        victim.state = "up"
        victim.scrape()
        victim.processor.process.signal(signal.SIGSTOP)
        witness.processor.process.signal(signal.SIGCONT)
        victim.state, witness.state = "frozen", "up"
        self.say(f"SIGSTOP {victim.describe()}, SIGCONT {witness.describe()}", "freeze")
        self.later(FROZEN_S[0], functools.partial(self.thaw, victim))
        self.later(FROZEN_S[0] + WAKING_S + 8, functools.partial(self.dismiss, third))

    def dismiss(self, member):
        member.state = "ending"
        member.processor.process.terminate()
        self.say(f"SIGTERM {member.describe()}")

    def somebody_sleeps(self):
        return any(m.state in ("frozen", "waking") for m in self.members.values())

    def thaw(self, member):
        member.processor.process.signal(signal.SIGCONT)
        member.state = "waking"
        self.woken.append((member.name, time.time()))
        self.say(f"SIGCONT {member.describe()}")
        self.later(WAKING_S, functools.partial(setattr, member, "state", "up"))

    def strike_grow(self, fault):
        if self.members["c"].state != "down":
            return False
        self.came = self.came or time.time()
        self.members["c"].start()
        self.say("2 -> 3 instances: c (static) comes", "scale")
        return True

    def strike_shrink(self, fault):
        """One is told to go, one is killed, and neither comes back."""
        leaving, killed = self.members["c"], self.members["b"]
        if leaving.state != "up" or killed.state != "up":
            return False
        leaving.scrape()
        leaving.state = "ending"
        leaving.processor.process.terminate()
        self.say("3 -> 1 instances: SIGTERM c (static)", "scale")
        self.kill(killed)
        return True

    def strike_regrow(self, fault):
        if self.members["b"].state != "down":
            return False
        self.members["b"].start()
        self.say("1 -> 2 instances: b (dynamic) comes", "scale")
        return True

    def strike_ingest(self, fault):
        number = int(fault.dice * 1000) % 2
        if self.ingests[number].exit_code is not None:
            return False
        self.ingests[number].kill()
        self.say(f"kill -9 ingest-{number}", "ingest")
        self.later(1 + 4 * fault.dice, functools.partial(self.start_ingest, number))
        return True

    # Brokers: one at a time, as min.insync.replicas is 2

    def healthy(self):
        """All brokers there, and every partition's copies in step. Of the freezes the first is not disturbed by brokers, so that
        in every run there is one that must be refused for what it is."""
        if self.broker_away or (self.undisturbed and self.somebody_sleeps()):
            return False
        try:
            topics = self.admin.list_topics(timeout=5).topics.values()
        except confluent_kafka.KafkaException:
            return False
        return all(len(p.isrs) == 3 and p.leader >= 0 for t in topics for p in t.partitions.values())

    def leader(self, name, key):
        """The broker that leads key's partition of an internal topic."""
        partitions = self.admin.list_topics(topic=name, timeout=5).topics[name].partitions
        return partitions[java_hash(key) % len(partitions)].leader

    def kill_broker(self, node, why, kind, dice):
        broker = self.stack.brokers[node - 1]
        self.broker_away = broker
        broker.process.kill()
        self.say(f"kill -9 kafka-{node}{why}", kind)
        self.later(3 + 9 * dice, functools.partial(self.restart_broker, broker))

    def restart_broker(self, broker):
        broker.start()
        self.await_broker(broker, time.monotonic() + 90)

    def await_broker(self, broker, deadline):
        if broker.is_ready():
            self.broker_away = None
            self.say(f"{broker.process.name} is back")
        elif broker.process.exit_code is not None or time.monotonic() > deadline:
            raise Failure(f"{broker.process.name} does not come back\n{tail(broker.process.log_file)}")
        else:
            self.later(0.5, functools.partial(self.await_broker, broker, deadline))

    def strike_broker(self, fault):
        if not self.healthy():
            return False
        self.kill_broker(1 + int(fault.dice * 1000) % 3, "", "broker", fault.dice)
        return True

    def strike_coordinator(self, fault):
        if not self.healthy():
            return False
        if fault.turn % 2 == 0:
            self.kill_broker(self.leader("__consumer_offsets", GROUP), ", which coordinates the group", "coordinator", fault.dice)
        else:
            node = self.leader("__transaction_state", f"millrace-processor-{CELL}-a")
            self.kill_broker(node, ", which coordinates a's transactions", "coordinator", fault.dice)
        return True

    def strike_elect(self, fault):
        if not self.healthy():
            return False
        moved = self.admin.elect_leaders(confluent_kafka.ElectionType.PREFERRED, None).result(30)
        moved = [p for p, error in moved.items() if error is None]
        self.say(f"{len(moved)} partitions are led by their preferred brokers again", "elect")
        return True

    # An operator's reset

    def stop_members(self):
        """SIGTERM to all that run, and all must end by themselves."""
        for member in self.up():
            member.scrape()
            member.state = "ending"
            member.processor.process.terminate()
        self.wait(lambda: all(m.state == "down" for m in self.members.values()), 40, "all processors have stopped")

    def put_back(self, partition, offset, metadata):
        """Commits what stood there before, once the group is empty."""
        def committed():
            port = self.stack.brokers[self.leader("__consumer_offsets", GROUP) - 1].port
            return self.cell.commit(port, partition, offset, metadata)
        self.wait(committed, 30, f"the offset of partition {partition} is put back")
