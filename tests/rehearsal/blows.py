"""Chaos over everything at once, by a seed: what strikes when, and what must follow it.

One thread works an agenda: a blow puts on it what ends it (the restart, the SIGCONT, the healed way). At the end all is whole again, and all that ran runs.
Only the plan is fixed by the seed: what a blow hits at its moment is the machine's doing.
"""
import collections
import heapq
import itertools
import random
import signal
import time

from house import CELLS, SHARDS
from millrace_local import Failure, tail

# On the average one in so many real seconds of each.
EVERY_S = {"kill_processor": 20, "kill_sink": 30, "kill_ingest": 30, "freeze_processor": 45, "freeze_sink": 60, "freeze_ingest": 60,
           "broker": 60, "lock": 60, "slow": 60, "cut": 45, "rebalance": 50, "pause": 60, "close_site": 60, "shards": 80, "kill_database": 90}
OBEYED = (0, 1)  # exit codes of millrace-ctl control: 1 names those who do not obey yet, such as who is frozen; 2 is a control that was not set
FROZEN_S = {"processor": (4, 16), "sink": (3, 14), "ingest": (2, 8)}  # processors also beyond their session


class Blows:
    def __init__(self, house, watch, seed, seconds):
        self.house, self.watch, self.seconds = house, watch, seconds
        self.dice = random.Random(f"{seed} blows")
        self.struck = collections.Counter()
        self.agenda, self.order = [], itertools.count()
        self.busy = set()  # what is being struck now

    def play(self):
        begun = time.monotonic()
        until = begun + self.seconds
        for kind, every in EVERY_S.items():
            number = max(1, round(self.seconds / every))
            for turn in range(number):
                self.later((turn + self.dice.random()) * self.seconds / number, lambda k=kind: self.strike(k, until))
        while time.monotonic() < until or self.agenda:
            self.house.check()
            if self.agenda and self.agenda[0][0] <= time.monotonic():
                heapq.heappop(self.agenda)[2]()
            else:
                time.sleep(0.05)
            if time.monotonic() > until + 180:
                raise Failure(f"the blows do not end: {self.busy}")

    def later(self, seconds, call):
        heapq.heappush(self.agenda, (time.monotonic() + seconds, next(self.order), call))

    def strike(self, kind, until):
        """One that cannot strike now does so a second later, unless the time for blows is over."""
        if getattr(self, kind)():
            self.struck[kind] += 1
        elif time.monotonic() + 1 < until:
            self.later(1, lambda: self.strike(kind, until))

    def say(self, text):
        self.watch.event("blow", text)
        self.house.say(text)

    def pick(self, kind):
        """One that runs and is left alone by others; nothing spares the last of its kind."""
        there = [p for p in self.house.of(kind) if p.state == "up" and p.name not in self.busy]
        return self.dice.choice(there) if there else None

    def hold(self, name, seconds, end):
        """Nothing else strikes it until then."""
        self.busy.add(name)

        def done():
            end()
            self.busy.discard(name)
        self.later(seconds, done)

    # Programs

    def kill(self, kind):
        program = self.pick(kind)
        if not program:
            return False
        program.kill()
        self.say(f"kill -9 {program.name}")
        self.hold(program.name, 0.3 + 3 * self.dice.random(), program.start)
        return True

    def freeze(self, kind):
        program = self.pick(kind)
        if not program:
            return False
        low, high = FROZEN_S[kind]
        seconds = low + (high - low) * self.dice.random()
        program.freeze()
        self.say(f"SIGSTOP {program.name} for {seconds:.0f} s")
        self.hold(program.name, seconds, program.thaw)
        return True

    def kill_processor(self):
        return self.kill("processor")

    def kill_sink(self):
        return self.kill("sink")

    def kill_ingest(self):
        return self.kill("ingest")

    def freeze_processor(self):
        return self.freeze("processor")

    def freeze_sink(self):
        return self.freeze("sink")

    def freeze_ingest(self):
        return self.freeze("ingest")

    def rebalance(self):
        """A third processor comes, and goes by SIGTERM."""
        cell = self.dice.choice(list(CELLS))
        name = f"processor-{cell}-3"
        if name in self.busy:
            return False
        program = self.house.programs.get(name) or self.house.add_processor(cell, 3)
        program.start()
        self.busy.add(name)  # nothing strikes it: it is to leave in order
        self.say(f"{name} comes")

        def leave():
            program.state = "ending"
            program.process.terminate()
            self.say(f"{name} is told to go")
            self.await_end(program, time.monotonic() + 45)
        self.later(8 + 10 * self.dice.random(), leave)
        return True

    def await_end(self, program, deadline):
        if program.state == "down":
            self.busy.discard(program.name)
        elif time.monotonic() > deadline:
            raise Failure(f"{program.name} does not stop\n{tail(program.process.log_file, 40)}")
        else:
            self.later(0.5, lambda: self.await_end(program, deadline))

    # Kafka and databases

    def broker(self):
        if not self.house.in_step():
            return False
        broker = self.dice.choice(self.house.stack.brokers)
        self.house.away.add(broker)
        broker.process.kill()
        self.say(f"kill -9 {broker.process.name}")
        self.later(2 + 8 * self.dice.random(), lambda: self.bring_back(broker))
        return True

    def kill_database(self):
        cell = self.dice.choice(list(CELLS))
        if f"database {cell}" in self.busy:
            return False
        database = self.house.database_of(cell)
        self.house.away.add(database)
        self.busy.add(f"database {cell}")
        database.process.kill()
        self.say(f"kill -9 {database.process.name}")
        self.later(1 + 6 * self.dice.random(), lambda: self.bring_back(database, f"database {cell}"))
        return True

    def bring_back(self, part, name=None):
        part.start()
        self.await_part(part, name, time.monotonic() + 120)

    def await_part(self, part, name, deadline):
        if part.is_ready():
            self.house.away.discard(part)
            self.busy.discard(name)
            self.say(f"{part.process.name} is back")
        elif part.process.exit_code is not None or time.monotonic() > deadline:
            raise Failure(f"{part.process.name} does not come back\n{tail(part.process.log_file)}")
        else:
            self.later(0.5, lambda: self.await_part(part, name, deadline))

    def on_database(self, verb, begin, end, seconds):
        cell = self.dice.choice(list(CELLS))
        if f"database {cell}" in self.busy:
            return False
        begin(cell)
        self.say(f"database of {cell} {verb} for {seconds:.0f} s")
        self.hold(f"database {cell}", seconds, lambda: end(cell))
        return True

    def lock(self):
        return self.on_database("locked", self.house.lock_database, self.house.unlock_database, 3 + 12 * self.dice.random())

    def slow(self):
        return self.on_database("slow", lambda cell: self.house.toxiproxy.slow_down(cell, 100, 200), self.house.toxiproxy.heal,
                                4 + 8 * self.dice.random())

    def cut(self):
        return self.on_database("cut off", self.house.toxiproxy.cut, self.house.toxiproxy.heal, 1 + 4 * self.dice.random())

    # Operators

    def pause(self):
        """The sink of a cell, by a control."""
        cell = self.dice.choice(list(CELLS))
        if "control" in self.busy or not self.house.in_step():
            return False
        self.house.timed_ctl("control", "set", "--on", "sink", "--do", "pause", "--cell", cell, "--reason", "a blow", "--for", "10h", code=OBEYED)
        self.say(f"sinks of {cell} are paused")
        self.hold("control", 3 + 6 * self.dice.random(),
                  lambda: self.house.timed_ctl("control", "clear", "--on", "sink", "--do", "pause", "--cell", cell, code=OBEYED))
        return True

    def close_site(self):
        site = self.dice.choice(list(SHARDS))
        if "control" in self.busy or not self.house.in_step():
            return False
        self.house.timed_ctl("control", "set", "--on", "ingest", "--do", "close", "--site", site, "--reason", "a blow", "--for", "10h", code=OBEYED)
        self.say(f"ingest is closed for {site}")
        self.hold("control", 2 + 6 * self.dice.random(),
                  lambda: self.house.timed_ctl("control", "clear", "--on", "ingest", "--do", "close", "--site", site, code=OBEYED))
        return True

    def shards(self):
        """A site's series spread anew, from a quarter of an hour on."""
        site = self.dice.choice(list(SHARDS))
        if f"shards {site}" in self.busy or not self.house.in_step():
            return False
        number = self.dice.choice([n for n in (1, 2, 3, 4, 5) if n != SHARDS[site]])
        self.house.timed_ctl("site", "shards", site, number)
        self.say(f"{site} will have {number} shards")
        self.busy.add(f"shards {site}")
        return True
