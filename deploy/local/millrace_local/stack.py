"""A stack: Kafka brokers and databases in one directory, on ports of their own, on 127.0.0.1.

What a stack is (ports, numbers, cluster id, clock) is fixed when its directory is made and stands in DIR/stack.json,
so that `up` again, from whichever shell, means the same stack: it keeps what runs, restarts what died, and keeps data
and clock. Ports, from the base: +1.. brokers, +11.. controllers, +21.. databases.
DIR/stack.env tells everybody else (readable by a shell): KAFKA, MONGO_n, CLOCK_*, PID_*.
"""
import base64
import json
import os
import shutil
import time
from pathlib import Path

from . import paths
from .database import Database
from .kafka import Broker
from .process import Failure, tail

DEFAULTS = {"base_port": 19000, "brokers": 1, "databases": 1, "clock_speed": None, "clock_start_ms": None}
STOP_SECONDS = 30


class Stack:
    """A handle on the stack in a directory, made or not; settings left at None are as stored, or by default."""

    def __init__(self, directory, log=lambda text: None, **settings):
        unknown = set(settings) - set(DEFAULTS)
        if unknown:
            raise TypeError(f"unknown settings: {sorted(unknown)}")
        self.directory = Path(directory).absolute()
        self.log = log
        self.settings = self._merge(settings)
        base, number = self.settings["base_port"], self.settings["brokers"]
        self.brokers = [Broker(self.directory, n, number, base) for n in range(1, number + 1)]
        self.databases = [Database(self.directory, n, base) for n in range(1, self.settings["databases"] + 1)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.down()

    @property
    def _file(self):
        return self.directory / "stack.json"

    @property
    def env_file(self):
        return self.directory / "stack.env"

    def _merge(self, asked):
        """Stored settings win by being the same: asking for others of an existing stack is an error."""
        asked = {key: value for key, value in asked.items() if value is not None}
        if not self._file.exists():
            return self._checked({**DEFAULTS, **asked})
        stored = json.loads(self._file.read_text())
        for key, value in asked.items():
            if stored[key] != value:
                raise Failure(f"the stack in {self.directory} was made with {key}={stored[key]}, not {value}: "
                              "wipe it first, or choose another directory")
        return stored

    @staticmethod
    def _checked(settings):
        """Completes settings of a new stack; the cluster id is 16 random bytes in Kafka's spelling."""
        if settings["brokers"] not in (1, 3):
            raise Failure(f"brokers={settings['brokers']}: 1 or 3")
        if not 1 <= settings["databases"] <= 70:
            raise Failure(f"databases={settings['databases']}: 1 to 70")
        if not 1024 <= settings["base_port"] <= 65400:
            raise Failure(f"base_port={settings['base_port']}: 1024 to 65400")
        if settings["clock_speed"] is None:
            if settings["clock_start_ms"] is not None:
                raise Failure("clock_start_ms without clock_speed: real time has no start to choose")
        elif not settings["clock_speed"] > 0:
            raise Failure(f"clock_speed={settings['clock_speed']}: more than 0")
        settings["cluster_id"] = base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")
        if settings["cluster_id"].startswith("-"):  # a tool would take it for an option
            settings["cluster_id"] = "A" + settings["cluster_id"][1:]
        return settings

    def _prepare(self):
        """The directory, and what needs no process."""
        for needed in (paths.KAFKA_JARS, paths.DATABASE_CLASSES):
            if not (needed / ".stamp").exists():
                raise Failure(f"{needed} is missing or half made: run deploy/local/deps first")
        self.directory.mkdir(parents=True, exist_ok=True)
        self._store()
        for broker in self.brokers:
            broker.write_files()

    def up(self):
        """Starts what does not run and returns when all of it answers. What was up before stays up on a failure."""
        parts = [*self.brokers, *self.databases]
        self.format()
        for part in parts:
            part.start()
        for part in parts:
            self.log(f"{part.process.name}: pid {part.process.pid}, waiting for port {part.port}")
            part.wait_ready()
        self._write_env()
        self.log(f"up: {self.env_file}")

    def _store(self):
        """A test clock starts when its stack is first made; a later up stays on it."""
        if self._file.exists():
            return
        if self.settings["clock_speed"] is not None:
            self.settings["clock_real_ms"] = int(time.time() * 1000)
            if self.settings["clock_start_ms"] is None:
                self.settings["clock_start_ms"] = self.settings["clock_real_ms"]
        self._file.write_text(json.dumps(self.settings, indent=1) + "\n")

    def format(self):
        """Makes the directory and formats Kafka's storage where that has not been done, all brokers at once, as each
        takes a Java start. up() begins with it."""
        self._prepare()
        running = [process for broker in self.brokers if (process := broker.format(self.settings["cluster_id"]))]
        if running:
            self.log("formatting Kafka's storage")
        try:
            for process in running:
                if not process.wait_end(60) or process.exit_code:
                    raise Failure(f"{process.name}: Kafka's storage cannot be formatted; the end of "
                                  f"{process.log_file}:\n{tail(process.log_file)}")
        finally:
            for process in running:
                process.stop(0)

    def env(self):
        """What stack.env says, as a dict of strings."""
        known = {"KAFKA": ",".join(f"127.0.0.1:{broker.port}" for broker in self.brokers)}
        for database in self.databases:
            known[f"MONGO_{database.number}"] = database.uri
        if self.settings["clock_speed"] is not None:
            known["CLOCK_START_MS"] = str(self.settings["clock_start_ms"])
            known["CLOCK_REAL_MS"] = str(self.settings["clock_real_ms"])
            known["CLOCK_SPEED"] = f"{self.settings['clock_speed']:g}"
        for part in [*self.brokers, *self.databases]:
            if part.process.pid:
                known["PID_" + part.process.name.upper().replace("-", "_")] = str(part.process.pid)
        return known

    def _write_env(self):
        """Quoted, as an ampersand or question mark means something to a shell; renamed into place."""
        new = self.env_file.with_suffix(".new")
        new.write_text("".join(f"{key}='{value}'\n" for key, value in self.env().items()))
        new.rename(self.env_file)

    def down(self):
        """Stops all parts, databases first; data, settings and clock stay. Brokers stop together: a quorum that
        shrinks one by one keeps its last member waiting."""
        self._stop(self.databases)
        self._stop(self.brokers)
        self.env_file.unlink(missing_ok=True)

    def _stop(self, parts):
        """Tells all before it waits for the first."""
        told = [part.process for part in parts if part.process.terminate()]
        for process in told:
            how = process.stop(STOP_SECONDS)
            self.log(f"{process.name}: {'killed' if how == 'killed' else 'stopped'}")

    def wipe(self):
        """Stops all and deletes the directory, but only one that a stack has made."""
        if not self.directory.exists():
            return
        if not self._file.exists() and any(self.directory.iterdir()):
            raise Failure(f"{self.directory} holds no stack (no stack.json): not deleted")
        self.down()
        shutil.rmtree(self.directory)
        self.log(f"wiped {self.directory}")

    def status(self):
        """Rows of (name, pid or None, port, state), state being "up", "starting" or "down"."""
        rows = []
        for part in [*self.brokers, *self.databases]:
            pid = part.process.pid
            state = "up" if part.is_ready() else "starting" if pid else "down"
            rows.append((part.process.name, pid, part.port, state))
        return rows
