"""Processes that outlive the command which started them: started, awaited, found again and stopped by pid.

A pid alone names nobody, as the kernel hands it out again: a pid file holds the pid and the process's start time
(field 22 of /proc/PID/stat), and signals go through a pidfd opened before that time is compared, so that they cannot
reach a stranger. The pidfd also becomes readable when the process ends, which is what waiting here waits on.
"""
import contextlib
import os
import select
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

POLL_SECONDS = 0.05


class Failure(Exception):
    """Something an operator must read: its text is complete, and no traceback helps."""


def tail(path, lines=15):
    """The last lines of a log, indented for a message; says so when there is none."""
    try:
        text = Path(path).read_text(errors="replace").splitlines()[-lines:]
    except OSError as error:
        return f"    (no log: {error})"
    return "\n".join("    " + line for line in text) or "    (its log is empty)"


def _start_time(pid):
    """Clock ticks after boot at which pid started, as /proc spells it, or None when there is no such pid."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return stat[stat.rindex(")") + 2:].split()[19]


def _has_ended(pidfd, seconds=0):
    """Waits so long for the end. A process that is a zombie in /proc may still have threads that hold its ports: only
    its pidfd knows when all have gone."""
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    return bool(poller.poll(max(0, seconds) * 1000))


def port_is_open(port, host="127.0.0.1"):
    """Does somebody accept connections there?"""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


_CLAIMS = []  # sockets that live as long as this process, each the claim to one base port


def free_base_port(wanted=None, span=30):
    """A base port with span free ports above it: wanted if it is free, else one below the range of clients' ports.

    It is claimed for the life of this process (by an abstract socket, which lives where ports live and leaves no file
    behind), so that two that ask at the same time get different ones."""
    bases = range(12000, 31000, 100)
    first = os.getpid() % len(bases)
    for base in [*([wanted] if wanted else []), *bases[first:], *bases[:first]]:
        if not any(port_is_open(base + offset) for offset in range(span)) and _claim(base):
            return base
    raise Failure(f"no {span} free ports in a row between {bases[0]} and {bases[-1]}")


_PORTS = []  # of the block of 100 that this process has claimed last, those that nobody has been given


def free_ports(n):
    """n ports for servers that may start much later. They are below the range of clients' ports, as any connection can take one of those in the meantime, and no
    other process that asks here is given them."""
    found = []
    while len(found) < n:
        if not _PORTS:
            base = free_base_port(span=100)
            _PORTS.extend(range(base, base + 100))
        if not port_is_open(_PORTS[0]):
            found.append(_PORTS[0])
        del _PORTS[0]
    return found


def _claim(base):
    """False when another process holds the claim."""
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        claim.bind(f"\0millrace-base-port-{base}")
    except OSError:
        claim.close()
        return False
    _CLAIMS.append(claim)
    return True


@contextlib.contextmanager
def _uninterrupted():
    """Puts Ctrl-C and SIGTERM off: one that came between a start and its pid file would leave an orphan behind."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals interrupt the main thread only
        return
    caught = []
    before = {number: signal.signal(number, lambda number, _: caught.append(number))
              for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in caught:
            signal.raise_signal(number)


class Process:
    """One named process with DIR/NAME.pid and DIR/log/NAME.log. Log files are appended to, so that restarts show."""

    def __init__(self, name, directory):
        self.name = name
        self.pid_file = Path(directory) / f"{name}.pid"
        self.log_file = Path(directory) / "log" / f"{name}.log"
        self._child = None

    def start(self, command, env=None, cwd=None):
        """Starts command in a session of its own, so that a terminal's Ctrl-C reaches only who started it."""
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log_file, "ab") as log, _uninterrupted():
            try:
                self._child = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log,
                                               stderr=log, env=env, cwd=cwd, start_new_session=True)
            except OSError as error:
                raise Failure(f"{self.name} cannot be started: {error}") from error
            self.pid_file.write_text(f"{self._child.pid} {_start_time(self._child.pid)}\n")
        return self

    @property
    def pid(self):
        """The pid while the process lives, else None."""
        handle = self._open()
        if handle is None:
            return None
        os.close(handle[0])
        return handle[1]

    def _open(self):
        """(pidfd, pid) of the very process the pid file names, or None when it has ended."""
        if self._child is not None:
            self._child.poll()  # reaps it, else it would stay a zombie
        try:
            pid, started = self.pid_file.read_text().split()
            pidfd = os.pidfd_open(int(pid))
        except (OSError, ValueError):
            return None
        if _start_time(pid) == started and not _has_ended(pidfd):
            return pidfd, int(pid)
        os.close(pidfd)
        return None

    def wait_end(self, seconds):
        """True once it has ended, False when it still runs after so many seconds."""
        handle = self._open()
        if handle is None:
            return True
        ended = _has_ended(handle[0], seconds)
        os.close(handle[0])
        return ended

    def wait_until(self, ready, seconds, what):
        """Returns when ready() is true; a Failure with the log's tail when the process ends or time runs out."""
        deadline = time.monotonic() + seconds
        while not ready():
            if self.wait_end(POLL_SECONDS):
                raise Failure(f"{self.name} ended before {what}; the end of {self.log_file}:\n{tail(self.log_file)}")
            if time.monotonic() > deadline:
                raise Failure(f"{self.name}: not {what} within {seconds} s; the end of {self.log_file}:\n"
                              f"{tail(self.log_file)}")

    def signal(self, number):
        """False when there is nobody to signal any more."""
        handle = self._open()
        if handle is None:
            return False
        try:
            signal.pidfd_send_signal(handle[0], number)
        except ProcessLookupError:
            return False
        finally:
            os.close(handle[0])
        return True

    def terminate(self):
        """SIGTERM without waiting, and SIGCONT, as a frozen process hears nothing; False when nobody is there."""
        told = self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)
        return told

    def stop(self, seconds=20):
        """terminate(), then SIGKILL after the deadline.

        Returns "stopped", "killed" or "not running"; the pid file is gone afterwards."""
        how = "not running"
        if self.terminate():
            how = "stopped"
            if not self.wait_end(seconds):
                self.signal(signal.SIGKILL)
                how = "killed"
                if not self.wait_end(10):
                    raise Failure(f"{self.name} (pid {self.pid}) survives SIGKILL")
        self.pid_file.unlink(missing_ok=True)
        return how

    def kill(self):
        """kill -9, for tests: ends it at once and waits until it is gone; the pid file stays."""
        self.signal(signal.SIGKILL)
        if not self.wait_end(10):
            raise Failure(f"{self.name} (pid {self.pid}) survives SIGKILL")

    @property
    def exit_code(self):
        """Of a process this object started: its code once it has ended (negative: the signal), else None."""
        return None if self._child is None else self._child.poll()
