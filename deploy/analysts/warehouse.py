"""A DuckDB file with one topic of aggregates in it, which may be filled again and again: every fragment is in it once.

    fragments   each record as it was read; its primary key is the record's place: (epoch, partition, offset)
    minutely    each window, merged from its fragments; its primary key is (fingerprint, window_start)
    progress    how far each partition has been read
    source      the topic that this file is of

How running twice changes nothing: a batch's fragments, the windows that they belong to and the progress are written in one transaction, so progress
never tells of what is not there, nor the other way round. Fragments that are there already are left out by their key. A window is never added to: it is made
anew from all of its fragments, and as sums are rounded once (fragments.merge), it is the same to the last bit. An upsert that adds a fragment to the window
that stands there would count twice what is read twice, and one that puts it in place would forget the window's other fragments.

Rows go in as lines of JSON, which DuckDB reads some fifty times as fast as it takes parameters.
"""
from __future__ import annotations

import json
import tempfile
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Iterable, Iterator, NamedTuple, Optional

import duckdb

from fragments import Fragment, Histogram, merge

FIGURES = ("count", "sum", "min", "max", "last", "last_at", "histogram", "errors", "late", "approximate")
SERIES = ("fingerprint", "site", "kind", "name", "tags", "window_start", "window_ms")
TYPES = {
    "epoch": "BIGINT", "partition": "INTEGER", "offset": "BIGINT", "fragments": "BIGINT",
    "fingerprint": "VARCHAR", "site": "VARCHAR", "kind": "VARCHAR", "name": "VARCHAR", "tags": "MAP(VARCHAR, VARCHAR)", "window_start": "TIMESTAMPTZ",
    "window_ms": "INTEGER", "count": "BIGINT", "sum": "DOUBLE", "min": "DOUBLE", "max": "DOUBLE", "last": "DOUBLE", "last_at": "TIMESTAMPTZ",
    "histogram": 'STRUCT(scale INTEGER, zero BIGINT, "offset" INTEGER, counts BIGINT[], neg_offset INTEGER, neg_counts BIGINT[])',
    "errors": "BIGINT", "late": "BOOLEAN", "approximate": "BOOLEAN"}
FRAGMENTS, MINUTELY = ("epoch", "partition", "offset", *SERIES, *FIGURES), (*SERIES, *FIGURES, "fragments")
Progress = dict[int, int]  # partition: the offset that is read next


class Place(NamedTuple):
    """Where a record stood first: what tells it from all others for ever, though topics may be made again, and records sent again."""

    epoch: int
    partition: int
    offset: int


class Warehouse:
    """The file. As a context it is closed at the end."""

    def __init__(self, path: Path):
        self._db = duckdb.connect(str(path))
        self._db.execute("SET TimeZone = 'UTC'")
        self._db.execute(f"CREATE TABLE IF NOT EXISTS fragments ({_columns(FRAGMENTS)}, PRIMARY KEY (epoch, partition, \"offset\"))")
        self._db.execute(f"CREATE TABLE IF NOT EXISTS minutely ({_columns(MINUTELY)}, PRIMARY KEY (fingerprint, window_start))")
        self._db.execute("CREATE TABLE IF NOT EXISTS progress (partition INTEGER PRIMARY KEY, next BIGINT)")
        self._db.execute("CREATE TABLE IF NOT EXISTS source (topic VARCHAR, topic_id VARCHAR, whole_from TIMESTAMPTZ)")

    def __enter__(self) -> Warehouse:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def source(self) -> Optional[tuple[str, str, datetime]]:
        """(topic, its id, from when on windows are whole); None of a new file."""
        return self._db.execute("SELECT * FROM source").fetchone()

    def begin(self, topic: str, topic_id: str, whole_from: datetime) -> None:
        """What the file is of. Progress begins anew: it says nothing of a topic that was made again."""
        with _Transaction(self._db):
            self._db.execute("DELETE FROM progress")
            self._db.execute("DELETE FROM source")
            self._db.execute("INSERT INTO source VALUES (?, ?, ?)", [topic, topic_id, whole_from])

    def progress(self) -> Progress:
        return dict(self._db.execute("SELECT partition, next FROM progress").fetchall())

    def add(self, records: Iterable[tuple[Place, dict[str, Any]]], progress: Progress) -> int:
        """Takes records in, and how far they reach: all or nothing. Returns how many were new."""
        rows = {place: _row(place, record) for place, record in records}  # a batch may have a record and its copy
        with _Transaction(self._db):
            before = self._count("fragments")
            self._stage("batch", FRAGMENTS, rows.values())
            self._db.execute("INSERT OR IGNORE INTO fragments SELECT * FROM batch")
            self._merge_windows()
            if progress:
                self._db.executemany("INSERT OR REPLACE INTO progress VALUES (?, ?)", list(progress.items()))
            return self._count("fragments") - before

    def _merge_windows(self) -> None:
        """Makes the windows of the batch anew. Nearly all have one fragment, which is the window; the others are merged in Python."""
        self._db.execute("""CREATE OR REPLACE TEMP TABLE touched AS SELECT fingerprint, window_start, count(*) AS fragments
                            FROM fragments SEMI JOIN batch USING (fingerprint, window_start) GROUP BY ALL""")
        self._db.execute(f"""INSERT OR REPLACE INTO minutely SELECT {_names((*SERIES, *FIGURES))}, fragments
                             FROM fragments JOIN touched USING (fingerprint, window_start) WHERE fragments = 1""")
        self._stage("merged", MINUTELY, self._merged_windows())
        self._db.execute("INSERT OR REPLACE INTO minutely SELECT * FROM merged")

    def _merged_windows(self) -> Iterator[dict[str, Any]]:
        rows = self._rows(f"""SELECT {_names((*SERIES, *FIGURES))} FROM fragments JOIN touched USING (fingerprint, window_start)
                              WHERE fragments > 1 ORDER BY fingerprint, window_start""")
        window: list[dict[str, Any]] = []
        for row in (*rows, None):
            if window and (row is None or (row["fingerprint"], row["window_start"]) != (window[0]["fingerprint"], window[0]["window_start"])):
                figures = merge(map(Fragment.of, window))
                yield {**window[0], **{name: getattr(figures, name) for name in FIGURES}, "fragments": len(window)}
                window = []
            if row is not None:
                window.append(row)

    def _stage(self, table: str, columns: tuple[str, ...], rows: Iterable[dict[str, Any]]) -> None:
        """A temporary table of rows."""
        with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
            for row in rows:
                file.write(json.dumps({name: row[name] for name in columns}, default=_plain) + "\n")
            file.flush()
            types = ", ".join(f"'{name}': '{TYPES[name]}'" for name in columns)
            self._db.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT * FROM read_json(?, format = 'newline_delimited', columns = {{{types}}})",
                             [file.name])

    def _rows(self, query: str, values: Iterable[Any] = ()) -> list[dict[str, Any]]:
        result = self._db.execute(query, list(values))
        names = [column[0] for column in result.description]
        return [dict(zip(names, row)) for row in result.fetchall()]

    def _count(self, table: str) -> int:
        return self._db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]

    def sites(self) -> list[str]:
        return [site for site, in self._db.execute("SELECT DISTINCT site FROM minutely ORDER BY site").fetchall()]

    def figures(self) -> dict[str, int]:
        """How much is held, and of how many windows there was something to merge."""
        several, = self._db.execute("SELECT count(*) FROM minutely WHERE fragments > 1").fetchone()
        return {"fragments": self._count("fragments"), "windows": self._count("minutely"), "windows_of_several": several}

    # The three questions. Sums are SQL's; what needs histograms is merged in Python.

    def routes(self, site: str, begin: datetime, end: datetime, least: int) -> list[dict[str, Any]]:
        """Actions by the p95 of their transactions, the slowest first: all histograms of an action are added up, then the rank is looked for."""
        rows = self._rows("""SELECT coalesce(tags['namespace'], '') AS namespace, coalesce(tags['action'], '') AS action, *
                             FROM minutely WHERE site = ? AND name = 'transaction.duration' AND kind = 'distribution' AND window_start >= ? AND window_start < ?
                             """, (site, begin, end))
        groups: dict[tuple[str, str], list[Fragment]] = {}
        for row in rows:
            groups.setdefault((row["namespace"], row["action"]), []).append(Fragment.of(row))
        answer = []
        for (namespace, action), windows in groups.items():
            whole = merge(windows)
            if whole.histogram is not None and whole.count >= least:
                percentiles = {f"p{q}": whole.histogram.percentile(q / 100, whole.min, whole.max) for q in (50, 95, 99)}
                answer.append({"namespace": namespace, "action": action, "transactions": whole.count, **percentiles, "max": whole.max,
                               "approximate": whole.approximate})
        return sorted(answer, key=lambda row: (-row["p95"], row["namespace"], row["action"]))

    def error_rates(self, site: str, begin: datetime, end: datetime, least: int) -> list[dict[str, Any]]:
        """Actions by the share of their transactions that failed, the worst first."""
        return self._rows("""SELECT coalesce(tags['namespace'], '') AS namespace, coalesce(tags['action'], '') AS action,
                                    sum(count)::BIGINT AS transactions, sum(errors)::BIGINT AS failed, sum(errors) / sum(count) AS rate
                             FROM minutely WHERE site = ? AND name = 'transaction.duration' AND kind = 'distribution' AND window_start >= ? AND window_start < ?
                             GROUP BY 1, 2 HAVING sum(count) >= ? ORDER BY rate DESC, namespace, action""", (site, begin, end, least))

    def hosts(self, site: str, begin: datetime, end: datetime) -> list[dict[str, Any]]:
        """Hosts by the mean share of their processors' time that was neither idle nor waiting for a disk, the busiest first."""
        return self._rows("""SELECT tags['host'] AS host, (sum(count) FILTER (tags['state'] = 'idle'))::BIGINT AS readings,
                                    1 - sum(sum) / sum(count) FILTER (tags['state'] = 'idle') AS busy
                             FROM minutely WHERE site = ? AND name = 'host.cpu.share' AND kind = 'gauge' AND tags['state'] IN ('idle', 'iowait')
                                             AND window_start >= ? AND window_start < ?
                             GROUP BY 1 HAVING sum(count) FILTER (tags['state'] = 'idle') > 0 ORDER BY busy DESC, host""", (site, begin, end))

    def overflowed(self, site: str, begin: datetime, end: datetime) -> int:
        """Values beyond the site's cap of series, counted in `__overflow__` under no name of their own."""
        return self._db.execute("""SELECT coalesce(sum(count), 0)::BIGINT FROM minutely
                                   WHERE site = ? AND name = '__overflow__' AND window_start >= ? AND window_start < ?""", [site, begin, end]).fetchone()[0]


class _Transaction:
    """All of a with block's writes, or none."""

    def __init__(self, db: duckdb.DuckDBPyConnection):
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN")

    def __exit__(self, kind: object, *_: object) -> None:
        self._db.execute("COMMIT" if kind is None else "ROLLBACK")


def _names(columns: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def _columns(columns: Iterable[str]) -> str:
    return ", ".join(f'"{name}" {TYPES[name]}' for name in columns)


def _row(place: Place, record: dict[str, Any]) -> dict[str, Any]:
    """A record as a row of fragments. The deserializer's names are ours but for the fingerprint, 16 bytes that are told in hexadecimal."""
    return {**record, **place._asdict(), "fingerprint": record["fingerprint"].hex()}


def _plain(value: Any) -> Any:
    """What JSON has no word for."""
    if isinstance(value, Histogram):
        return {name: getattr(value, name) for name in Histogram.__slots__}
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat()
    raise TypeError(f"{type(value).__name__} in a row")
