"""A ledger of samples told to an agent: what the documents of a (series, minute) must add up to.

Written by the feeder, read by run. It knows nothing of Millrace's arithmetic but that minutes start at multiples of
60,000 ms, that `last` is the value of the latest time, of several at the same time the one that the agent was told last, and that an agent makes one
sample of what a counter counted in 30 s.
"""
import json
from pathlib import Path

MINUTE_MS = 60_000
SLOT_MS = 30_000
KEPT_MINUTES = 60


def series_key(name, kind, tags):
    """A series as one string; the site is the same for all that is fed."""
    return json.dumps([name, kind, sorted(tags.items())])


class Ledger:
    """started_ms: from when on everything is fed; settled_ms: every sample before it was told."""

    def __init__(self, started_ms):
        self.started_ms = started_ms
        self.settled_ms = started_ms
        self.minutes = {}
        self.slots = {}  # of counters: sums of 30 s

    def add(self, name, kind, tags, t, value):
        """Counts one sample."""
        if kind == "counter":
            self._add_counted(series_key(name, kind, tags), t, value)
            return
        series = self.minutes.setdefault(t - t % MINUTE_MS, {})
        entry = series.setdefault(series_key(name, kind, tags), {
            "count": 0, "sum": 0.0, "min": value, "max": value, "last_at": t, "last": value})
        entry["count"] += 1
        entry["sum"] += value
        entry["min"] = min(entry["min"], value)
        entry["max"] = max(entry["max"], value)
        if t >= entry["last_at"]:
            entry["last_at"], entry["last"] = t, value

    def _add_counted(self, key, t, value):
        slots = self.slots.setdefault(t - t % SLOT_MS, {})
        slots[key] = slots.get(key, 0) + value
        minute = t - t % MINUTE_MS
        sums = {at: self.slots[at][key] for at in (minute, minute + SLOT_MS) if key in self.slots.get(at, {})}
        self.minutes.setdefault(minute, {})[key] = {
            "count": len(sums), "sum": sum(sums.values()), "min": min(sums.values()), "max": max(sums.values()), "last_at": max(sums),
            "last": sums[max(sums)]}

    def full_minutes(self):
        """Starts of the minutes fed from their first to their last millisecond, in order."""
        return sorted(m for m in self.minutes if self.started_ms <= m and m + MINUTE_MS <= self.settled_ms)

    def save(self, path):
        """Forgets minutes nobody waits for any more. Renamed into place: a reader sees one state or the next."""
        for old in sorted(self.minutes)[:-KEPT_MINUTES]:
            del self.minutes[old]
        for old in sorted(self.slots)[:-2 * KEPT_MINUTES]:
            del self.slots[old]
        new = Path(path).with_suffix(".new")
        new.write_text(json.dumps({key: value for key, value in vars(self).items() if key != "slots"}))
        new.rename(path)

    @classmethod
    def load(cls, path):
        """None before the first save."""
        try:
            stored = json.loads(Path(path).read_text())
        except FileNotFoundError:
            return None
        ledger = cls(stored["started_ms"])
        ledger.settled_ms = stored["settled_ms"]
        ledger.minutes = {int(minute): series for minute, series in stored["minutes"].items()}
        return ledger
