"""This machine's CPU, memory, load, disks and network, read from /proc.

Every value is a multiple of 1/1024 and far below 2**43, so that sums are exact in whichever order they are added: what
was fed can be compared with what was stored by ==.
"""
import os
from pathlib import Path

TICK_MS = 1000 // os.sysconf("SC_CLK_TCK")
CPU_MODES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
SECTOR_BYTES = 512  # of /proc/diskstats, whatever the disk's own are


def exact(value):
    """The nearest multiple of 1/1024."""
    return round(value * 1024) / 1024


def cpu_ticks():
    """{"cpu": [..], "cpu0": [..]}: ticks by mode since boot, in the order of CPU_MODES."""
    rows = (line.split() for line in Path("/proc/stat").read_text().splitlines() if line.startswith("cpu"))
    return {row[0]: [int(word) for word in row[1:1 + len(CPU_MODES)]] for row in rows}


def core_busy_percents(before, after):
    """How busy each core was between two readings of cpu_ticks()."""
    busy = []
    for core in sorted(set(before) & set(after) - {"cpu"}):
        delta = [b - a for a, b in zip(before[core], after[core])]
        idle = delta[3] + delta[4]
        if sum(delta) > 0:
            busy.append(exact(100 * (1 - idle / sum(delta))))
    return busy


def gauges():
    """Readings of now: (name, tags, value)."""
    memory = {}
    for line in Path("/proc/meminfo").read_text().splitlines():
        key, _, rest = line.partition(":")
        memory[key] = int(rest.split()[0]) * 1024
    yield "memory.used_bytes", {}, memory["MemTotal"] - memory["MemAvailable"]
    yield "memory.available_bytes", {}, memory["MemAvailable"]
    yield "memory.cached_bytes", {}, memory["Cached"]
    for span, word in zip(("1m", "5m", "15m"), Path("/proc/loadavg").read_text().split()):
        yield "load", {"over": span}, exact(float(word))


def totals():
    """What only grows, since boot: {(name, tags as sorted pairs): value}."""
    found = {}
    for mode, ticks in zip(CPU_MODES, cpu_ticks()["cpu"]):
        found["cpu.time_ms", (("mode", mode),)] = ticks * TICK_MS
    for line in Path("/proc/net/dev").read_text().splitlines()[2:]:
        interface, _, rest = line.partition(":")
        words = rest.split()
        tags = (("interface", interface.strip()),)
        found["network.received_bytes", tags] = int(words[0])
        found["network.sent_bytes", tags] = int(words[8])
    for line in Path("/proc/diskstats").read_text().splitlines():
        words = line.split()
        if not words[2].startswith(("loop", "ram")) and Path("/sys/block", words[2]).exists():
            found["disk.read_bytes", (("disk", words[2]),)] = int(words[5]) * SECTOR_BYTES
            found["disk.written_bytes", (("disk", words[2]),)] = int(words[9]) * SECTOR_BYTES
    return found


def grown(before, after):
    """What was counted between two readings of totals(): (name, tags, difference). A total that fell was reset and
    says nothing; one seen first is a baseline."""
    for (name, tags), value in after.items():
        if value >= before.get((name, tags), value + 1):
            yield name, dict(tags), value - before[name, tags]
