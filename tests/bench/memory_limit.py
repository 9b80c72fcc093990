"""A limit on memory with swap off, as a container's: a control group of either version.

    with MemoryLimit(320 << 20) as limit:
        child = subprocess.Popen([*limit.prefix, "program", ..])     # the program and all its threads are inside
        limit.kills(), limit.peak_bytes()                            # also after its end
"""
import os
import time
from pathlib import Path

from bench import Failure

ROOTS = {"1": Path("/sys/fs/cgroup/memory"), "2": Path("/sys/fs/cgroup")}
REMOVE_SECONDS = 10


def own_group():
    """(version, directory) of the control group that accounts for this process's memory; of version 2 the nearest that may have groups with
    limits below it, as one with processes may not."""
    rows = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    for _, controllers, path in rows:
        if "memory" in controllers.split(","):
            return "1", ROOTS["1"] / path.lstrip("/")
    own = next((ROOTS["2"] / path.lstrip("/") for number, _, path in rows if number == "0"), ROOTS["2"])
    for group in (own, *own.parents):
        control = group / "cgroup.subtree_control"
        if control.exists() and "memory" in control.read_text().split():
            return "2", group
    raise Failure("no control groups that limit memory: neither a memory hierarchy of version 1 nor version 2 is there")


class MemoryLimit:
    """Made below our own group, where that is possible, so that its memory counts there as well, and removed at the end. A Failure says why it cannot be made."""

    def __init__(self, limit_bytes):
        self.limit_bytes = limit_bytes
        self.version, own = own_group()
        self.group = own / f"millrace-limit-{os.getpid()}"

    def __enter__(self):
        try:
            self.group.mkdir()
        except OSError as error:
            raise Failure(f"no control group can be made: {error}; this needs root, or a group that was delegated") from error
        try:
            self._limit()
        except OSError as error:
            self.__exit__()
            raise Failure(f"memory cannot be limited in {self.group}: {error}") from error
        return self

    def _limit(self):
        """Swap off: in version 1 by not wanting any, and by the limit of both where the kernel counts them."""
        if self.version == "2":
            (self.group / "memory.max").write_text(str(self.limit_bytes))
            if (self.group / "memory.swap.max").exists():  # else the kernel has no swap accounting, and mostly no swap
                (self.group / "memory.swap.max").write_text("0")
            return
        (self.group / "memory.limit_in_bytes").write_text(str(self.limit_bytes))
        (self.group / "memory.swappiness").write_text("0")
        if (self.group / "memory.memsw.limit_in_bytes").exists():
            (self.group / "memory.memsw.limit_in_bytes").write_text(str(self.limit_bytes))

    @property
    def prefix(self):
        """Words before a command that put it inside before it begins."""
        return ["sh", "-c", 'echo $$ > "$0" && exec "$@"', str(self.group / "cgroup.procs")]

    def kills(self):
        """How many processes were killed for want of memory."""
        name = "memory.events" if self.version == "2" else "memory.oom_control"
        rows = (line.split() for line in (self.group / name).read_text().splitlines())
        return next(int(value) for key, value in rows if key == "oom_kill")

    def peak_bytes(self):
        """The most that was charged, page cache and kernel memory included; None where the kernel does not tell."""
        file = self.group / ("memory.peak" if self.version == "2" else "memory.max_usage_in_bytes")
        return int(file.read_text()) if file.exists() else None

    def __exit__(self, *_):
        """A group is busy for a moment after its last process has ended."""
        deadline = time.monotonic() + REMOVE_SECONDS
        while True:
            try:
                self.group.rmdir()
                return
            except OSError as error:
                if time.monotonic() > deadline:
                    raise Failure(f"{self.group} cannot be removed: {error}") from error
                time.sleep(0.05)
