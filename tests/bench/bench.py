"""What every bench needs: figures with targets, their file and table; the CPU time and memory of a process; its metrics; load.

    bench = Bench()
    bench.add("ingest.push_pb.samples_per_cpu_s", "samples/CPU-s", values, at_least=1_300_000, aim=1_700_000)
    sys.exit(bench.end())     # merges into build/bench.json, prints the table; 1 when a required figure is missed or missing

The environment shortens a trial run, and the table then says that its figures are no results: BENCH_SECONDS of one measurement,
BENCH_RUNS of each, BENCH_FREEZE_SECONDS, BENCH_SAMPLES_PERCENT of each backlog.
"""
import contextlib
import datetime
import fcntl
import http.client
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(ROOT / "tests" / "e2e")]
from millrace_local import Failure, Process  # noqa: E402

BINARIES = ROOT / "build" / "plain" / "bin"
TOOLS = ROOT / "build" / "plain" / "tests" / "bench"
RESULTS = ROOT / "build" / "bench.json"
DEFAULTS = {"BENCH_SECONDS": 8.0, "BENCH_RUNS": 3.0, "BENCH_FREEZE_SECONDS": 60.0, "BENCH_SAMPLES_PERCENT": 100.0}
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
SAMPLE_SECONDS = 0.05
WARM_UP_SECONDS = 1


def setting(name):
    return float(os.environ.get(name, DEFAULTS[name]))


def shortened():
    return [name for name, value in DEFAULTS.items() if setting(name) < value]


def machine():
    """What figures are compared by."""
    model = next((line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    return f"{os.cpu_count()} cores, {model}, Linux {platform.release()}, load {os.getloadavg()[0]:.1f} at the end"


class Bench:
    """The figures of one script."""

    def __init__(self):
        self.figures, self.missing = {}, {}

    def add(self, name, unit, values, at_least=None, at_most=None, aim=None, floor=None):
        """values: one of each run. at_least, at_most are required of the median; aim is wished for; floor is the name of the
        figure that the median is shown as a share of."""
        self.figures[name] = {"values": values, "unit": unit, "at_least": at_least, "at_most": at_most, "aim": aim, "floor": floor}
        print(f"{name}: {', '.join(f'{value:,.6g}' for value in values)} {unit}", flush=True)

    def miss(self, name, why):
        """A required figure that could not be taken."""
        self.missing[name] = why
        print(f"{name}: not measured: {why}", flush=True)

    def median(self, name):
        return statistics.median(self.figures[name]["values"])

    def kept(self, name):
        """Does the median meet what is required of it?"""
        figure, median = self.figures[name], self.median(name)
        return not ((figure["at_least"] is not None and median < figure["at_least"]) or
                    (figure["at_most"] is not None and median > figure["at_most"]))

    def rows(self):
        yield "figure", "median", "min", "max", "unit", "required", "aim", "of floor", ""
        for name, figure in self.figures.items():
            limit = "" if figure["at_least"] is None else f">= {figure['at_least']:,}"
            limit = limit or ("" if figure["at_most"] is None else f"<= {figure['at_most']:,}")
            aim = "" if figure["aim"] is None else f"{figure['aim']:,}"
            share = f"{100 * self.median(name) / self.median(figure['floor']):.0f} %" if figure["floor"] in self.figures else ""
            yield (name, *(f"{value:,.4g}" if value < 1000 else f"{value:,.0f}" for value in
                           (self.median(name), min(figure["values"]), max(figure["values"]))),
                   figure["unit"], limit, aim, share, "" if self.kept(name) else "MISSED")
        for name, why in self.missing.items():
            yield name, "", "", "", "", "", "", "", f"MISSING: {why}"

    def print_table(self):
        rows = list(self.rows())
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        for row in rows:
            print("  ".join(cell.ljust(width) if i in (0, 4, 8) else cell.rjust(width)
                            for i, (cell, width) in enumerate(zip(row, widths))).rstrip(), flush=True)

    def write_rows(self):
        """build/bench_X.md: rows as tests/RESULTS.md has them, to be copied by hand."""
        rows = ["| what | figure | target |", "|---|---|---|"]
        for name, median, least, most, unit, limit, aim, share, missed in list(self.rows())[1:]:
            target = ", ".join([*([f"required {limit}"] if limit else []), *([f"aim {aim}"] if aim else [])]) or "reported"
            figure = f"{median} {unit} ({least} to {most})" if median else missed
            rows.append(f"| {name} | {figure}{f', {share} of the floor' if share else ''} | {target} |")
        (RESULTS.parent / f"{Path(sys.argv[0]).stem}.md").write_text("\n".join(rows) + "\n")

    def merge(self):
        """Into build/bench.json, whose other names stay; under a lock, renamed into place."""
        RESULTS.parent.mkdir(exist_ok=True)
        with open(RESULTS.with_suffix(".lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
            for name, figure in self.figures.items():
                known[name] = {"median": self.median(name), "min": min(figure["values"]), "max": max(figure["values"]),
                               "unit": figure["unit"]}
            new = RESULTS.with_suffix(".new")
            new.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
            new.rename(RESULTS)

    def end(self):
        """The exit code: 0 when all that is required was measured and kept."""
        self.merge()
        self.write_rows()
        print(f"\n{datetime.date.today()}, {machine()}")
        self.print_table()
        if shortened():
            print(f"shortened by {', '.join(shortened())}: these figures are no results")
        return 1 if self.missing or not all(map(self.kept, self.figures)) else 0


def cpu_seconds(pid):
    """Of all its threads, user and system, to a tick (10 ms)."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    words = stat[stat.rindex(")") + 2:].split()
    return (int(words[11]) + int(words[12])) / TICKS_PER_SECOND


def status_kib(pid, field):
    """A field of /proc/PID/status that is given in kB."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(field + ":"))
    return int(line.split()[1])


class PeakMemory:
    """As a context: the most resident memory that a process has while it lasts, by the kernel's own mark (VmHWM, begun anew) and by
    looking, should the mark not be allowed to begin anew. peak_mib is right after leaving."""

    def __init__(self, pid):
        self.pid, self.peak_mib, self.samples = pid, 0.0, []
        self.marked = True

    def __enter__(self):
        try:
            Path(f"/proc/{self.pid}/clear_refs").write_text("5")
        except OSError:
            self.marked = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def _look(self):
        while not self._over.wait(SAMPLE_SECONDS):
            with contextlib.suppress(OSError, StopIteration):
                self.samples.append(status_kib(self.pid, "VmRSS"))

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()
        with contextlib.suppress(OSError, StopIteration):
            self.samples.append(status_kib(self.pid, "VmHWM" if self.marked else "VmRSS"))
        self.peak_mib = max(self.samples, default=0) / 1024


def get(port, path):
    """The body of a GET on this machine."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read().decode()
        if answer.status != 200:
            raise Failure(f"GET {path} on port {port}: {answer.status} {text[:200]}")
        return text
    finally:
        connection.close()


def metric(admin_port, name):
    """The sum of a program's metric over its labels; 0 while it has none."""
    rows = (line.rsplit(" ", 1) for line in get(admin_port, "/metrics").splitlines() if not line.startswith("#"))
    return sum(float(value) for row, value in rows if row.split("{")[0] == name)


def raise_open_files(needed):
    """The soft limit, which children inherit; a Failure when the hard one is in the way."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise Failure(f"{needed} open files are needed, and no more than {hard} are allowed (ulimit -Hn)")
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


class Tool:
    """A load generator that runs beside the measurement; result() is the JSON of its last line, without what stands before the brace."""

    def __init__(self, *command):
        self.command = [str(word) for word in command]
        self.child = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.kill()
        self.child.communicate()

    def result(self, seconds):
        """Waits for its end."""
        out, errors = self.child.communicate(timeout=seconds)
        lines = [line for line in out.splitlines() if "{" in line]
        if self.child.returncode or not lines:
            raise Failure(f"{' '.join(self.command)} ended with {self.child.returncode}:\n{out[-500:]}{errors[-500:]}")
        return json.loads(lines[-1][lines[-1].index("{"):])


def wrk(port, requests, connections, seconds):
    """The requests of a file, over and over, each connection as fast as it is answered."""
    return Tool("wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "--timeout", "30s", "-s", ROOT / "tests" / "bench" / "push.lua",
                f"http://127.0.0.1:{port}/v1/push", "--", requests)


def paced(port, requests, connections, rate, seconds, patience):
    """The same at a rate (0: as fast as they are answered), with every request accounted for: load.c."""
    return Tool(TOOLS / "load", port, requests, connections, rate, seconds, patience)


def per_cpu_second(pid, count, load, seconds):
    """How much of what count() counts a process gets done in a second of CPU time, while it has been under load for a moment. Returns
    that, and what the load says of itself: a load with a refused or a broken request is none."""
    with load:
        time.sleep(WARM_UP_SECONDS)
        before, cpu_before, begun = count(), cpu_seconds(pid), time.monotonic()
        time.sleep(seconds)
        done, cpu, real = count() - before, cpu_seconds(pid) - cpu_before, time.monotonic() - begun
        result = load.result(seconds + 60)
    if result["refused"] or result["broken"] or not done:
        raise Failure(f"not a clean load: {result}, {done} done")
    print(f"{done / cpu:,.0f} a CPU-second, {cpu / real:.2f} cores busy", flush=True)
    return done / cpu, result


__all__ = ["BINARIES", "Bench", "Failure", "PeakMemory", "Process", "ROOT", "TOOLS", "WARM_UP_SECONDS", "cpu_seconds", "get", "metric",
           "paced", "per_cpu_second", "raise_open_files", "setting", "wrk"]
