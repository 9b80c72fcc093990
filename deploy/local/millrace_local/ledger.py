"""A ledger of accepted samples: what the documents of a (series, minute) must add up to.

Written by the feeder, read by run. It knows nothing of Millrace's arithmetic but that minutes start at multiples of
60,000 ms and that `last` is the value of the latest time, the greater one of two at the same time.
"""
import json
from pathlib import Path

MINUTE_MS = 60_000
KEPT_MINUTES = 60


def series_key(name, kind, tags):
    """A series as one string; the site is the same for all that is fed."""
    return json.dumps([name, kind, sorted(tags.items())])


class Ledger:
    """started_ms: from when on everything is fed; settled_ms: every sample before it was accepted or rejected."""

    def __init__(self, started_ms):
        self.started_ms = started_ms
        self.settled_ms = started_ms
        self.minutes = {}

    def add(self, name, kind, tags, t, value):
        """Counts one accepted sample."""
        series = self.minutes.setdefault(t - t % MINUTE_MS, {})
        entry = series.setdefault(series_key(name, kind, tags), {
            "count": 0, "sum": 0.0, "min": value, "max": value, "last_at": t, "last": value})
        entry["count"] += 1
        entry["sum"] += value
        entry["min"] = min(entry["min"], value)
        entry["max"] = max(entry["max"], value)
        if (t, value) >= (entry["last_at"], entry["last"]):
            entry["last_at"], entry["last"] = t, value

    def full_minutes(self):
        """Starts of the minutes fed from their first to their last millisecond, in order."""
        return sorted(m for m in self.minutes if self.started_ms <= m and m + MINUTE_MS <= self.settled_ms)

    def save(self, path):
        """Forgets minutes nobody waits for any more. Renamed into place: a reader sees one state or the next."""
        for old in sorted(self.minutes)[:-KEPT_MINUTES]:
            del self.minutes[old]
        new = Path(path).with_suffix(".new")
        new.write_text(json.dumps(vars(self)))
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
