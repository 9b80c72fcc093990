"""How the answers are asked for and shown: the arguments that both scripts share, tables, JSON, and a chart.

An answer is the same dictionary, whoever gives it: site, from, to, routes, error_rates, hosts, overflowed.
"""
from __future__ import annotations

import argparse
import json
import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable, NoReturn, Optional

Answer = dict[str, Any]
NEEDED = "pip install -r requirements.txt"
INK, FAINT, RULE = "#1c2733", "#6b7885", "#d9dee3"
BLUE, PALE, RED, GREEN = "#2f6db3", "#a9c4e4", "#c2452d", "#3b8264"


def stop(message: str, code: int = 1) -> NoReturn:
    """Ends the program with one line that says what is wrong."""
    print(f"{Path(sys.argv[0]).name}: {message}", file=sys.stderr)
    raise SystemExit(code)


def moment(text: str) -> datetime:
    """A time of an argument: ISO 8601, UTC where no zone is said.

    >>> moment("2026-11-27T14:00+01:00").isoformat()
    '2026-11-27T13:00:00+00:00'
    >>> moment("2026-11-27").isoformat()
    '2026-11-27T00:00:00+00:00'
    """
    parsed = datetime.fromisoformat(text)
    return parsed.replace(tzinfo=timezone.utc) if parsed.tzinfo is None else parsed.astimezone(timezone.utc)


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def parser(about: str, default_range: str) -> argparse.ArgumentParser:
    """With the arguments of both scripts."""
    made = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked = made.add_argument_group("what is asked")
    asked.add_argument("--site", required=True, metavar="ID", help="the site, by its id")
    asked.add_argument("--from", dest="begin", type=moment, metavar="TIME",
                       help=f"windows that begin at TIME or later, as 2026-11-27T14:00 (UTC) or with a zone; default: {default_range}")
    asked.add_argument("--to", dest="end", type=moment, metavar="TIME", help="windows that begin before TIME; default: now and what is to come")
    asked.add_argument("--least", type=positive, default=20, metavar="N",
                       help="leave out actions with fewer transactions, whose p95 is just their slowest (default: %(default)s)")
    asked.add_argument("--limit", type=positive, default=10, metavar="N", help="rows an answer (default: %(default)s)")
    shown = made.add_argument_group("how it is shown")
    shown.add_argument("--json", action="store_true", help="print the answers as JSON")
    shown.add_argument("--chart", type=Path, metavar="FILE", help="draw them into FILE, a PNG")
    return made


class Progress:
    """A line now and then of what takes long; nothing of what is done at once."""

    def __init__(self, every_s: float):
        self._every_s, self._told = every_s, time.monotonic()

    def tell(self, line: str) -> None:
        if time.monotonic() - self._told >= self._every_s:
            self._told = time.monotonic()
            print(line, file=sys.stderr, flush=True)


def show(answer: Answer, as_json: bool, chart: Optional[Path]) -> None:
    """Prints the answer, and draws it where that is asked for."""
    if as_json:
        print(json.dumps(answer, default=lambda value: value.strftime("%Y-%m-%dT%H:%M:%SZ"), ensure_ascii=False, indent=1))
    else:
        print_tables(answer)
    if chart:
        draw(answer, chart)
        print(f"chart: {chart}", file=sys.stderr)


def range_of(answer: Answer) -> str:
    """In words; the ends of time are not worth any."""
    begin, end = answer["from"], answer["to"]
    words = [f"from {begin:%Y-%m-%d %H:%M}"] if begin.year > 1970 else []
    words += [f"to {end:%Y-%m-%d %H:%M}"] if end.year < 9999 else []
    return f"{' '.join(words)} UTC" if words else "all there is"


def print_tables(answer: Answer) -> None:
    print(f"Site {answer['site']}, {range_of(answer)}")
    print_table("Slowest routes by p95, milliseconds", answer["routes"], {
        "route": action_of, "transactions": lambda r: f"{r['transactions']:,}", "p50": lambda r: digits(r["p50"]), "p95": lambda r: digits(r["p95"]),
        "p99": lambda r: digits(r["p99"]), "max": lambda r: digits(r["max"]), "": lambda r: "approximate" if r["approximate"] else ""})
    print_table("Error rate by action", answer["error_rates"], {
        "action": action_of, "transactions": lambda r: f"{r['transactions']:,}", "failed": lambda r: f"{r['failed']:,}",
        "rate": lambda r: f"{100 * r['rate']:.2f} %"})
    print_table("Busiest hosts, mean share of processor time", answer["hosts"], {
        "host": host_of, "readings": lambda r: f"{r['readings']:,}", "busy": lambda r: f"{100 * r['busy']:.1f} %"})
    if answer["overflowed"]:
        print(f"\n{answer['overflowed']:,} values were beyond the site's cap of series and stand in __overflow__: these figures may be too small.")


def print_table(title: str, rows: list[dict[str, Any]], columns: dict[str, Callable[[dict[str, Any]], str]]) -> None:
    """The first column is text, to the left; figures are to the right."""
    print(f"\n{title}")
    if not rows:
        print("  nothing in this range")
        return
    cells = [list(columns), *([cell(row) for cell in columns.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells)]
    for line in cells:
        words = [line[0].ljust(widths[0]), *(text.rjust(width) for text, width in zip(line[1:], widths[1:]))]
        print(("  " + "  ".join(words)).rstrip())


def action_of(row: dict[str, Any]) -> str:
    """An action, and its namespace where it is not the web's.

    >>> action_of({"namespace": "web", "action": "GET /cart"}), action_of({"namespace": "background", "action": "Mailer#perform"})
    ('GET /cart', 'Mailer#perform [background]')
    """
    return row["action"] if row["namespace"] in ("", "web") else f"{row['action']} [{row['namespace']}]"


def host_of(row: dict[str, Any]) -> str:
    return row["host"] or "(none)"


def digits(value: float) -> str:
    """Three digits that count, as percentiles have no more.

    >>> digits(0.01234), digits(1.5), digits(98.76), digits(12345.6)
    ('0.0123', '1.50', '98.8', '12,346')
    """
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}" if value < 1 else f"{value:.{2 - (value >= 10)}f}"


def shortened(text: str, most: int = 34) -> str:
    """
    >>> shortened("GET /orders/{id}/lines", 12)
    'GET /orders…'
    """
    return text if len(text) <= most else text[:most - 1] + "…"


# The chart

def draw(answer: Answer, path: Path) -> None:
    """One figure with an axis a question, bars labelled with their numbers, so that no grid needs to be followed."""
    try:
        import matplotlib
        matplotlib.use("Agg")  # without a display
        from matplotlib import pyplot
    except ImportError:
        stop(f"a chart needs matplotlib: {NEEDED}")
    style = {"font.family": "sans-serif", "font.size": 10, "text.color": INK, "axes.edgecolor": RULE, "xtick.color": FAINT, "ytick.color": INK,
             "figure.facecolor": "white", "text.parse_math": False}  # an action may have dollar signs
    with pyplot.rc_context(style):
        rows = max(len(answer["routes"]), 3), max(len(answer["error_rates"]), len(answer["hosts"]), 3)
        height = 2.4 + 0.36 * sum(rows)
        figure = pyplot.figure(figsize=(11, height), layout="constrained")
        figure.get_layout_engine().set(w_pad=0.15, h_pad=0.15, hspace=0.04, wspace=0.08, rect=(0, 0, 1, 1 - 0.55 / height))
        figure.text(0.15 / 11, 1 - 0.18 / height, f"Site {answer['site']}", size=16, weight="bold", va="top")
        figure.text(1 - 0.15 / 11, 1 - 0.25 / height, range_of(answer), size=10, color=FAINT, va="top", ha="right")
        grid = figure.add_gridspec(2, 2, height_ratios=[n + 1.6 for n in rows])
        draw_routes(figure.add_subplot(grid[0, :]), answer["routes"], rows[0])
        draw_shares(figure.add_subplot(grid[1, 0]), "Error rate by action", answer["error_rates"], action_of, "rate", RED, 2, rows[1])
        draw_shares(figure.add_subplot(grid[1, 1]), "Busiest hosts, processor time", answer["hosts"], host_of, "busy", GREEN, 1, rows[1])
        try:
            figure.savefig(path, dpi=150, format="png")
        except OSError as error:
            stop(f"{path}: {error.strerror}")
        finally:
            pyplot.close(figure)


def prepared(axes: Any, title: str, labels: list[str], room: int) -> None:
    """A frame with a title and a name a row, the first on top, and nothing else. room: rows of the panels beside, so that all rows are of one height."""
    axes.set_title(title, loc="left", size=11.5, weight="bold", pad=8)
    axes.set_yticks(range(len(labels)), [shortened(label) for label in labels])
    axes.set_ylim(room - 0.4, -0.6)
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set_xticks([])
    if not labels:
        axes.text(0, 0, "nothing in this range", color=FAINT, va="center", transform=axes.get_yaxis_transform())


def draw_routes(axes: Any, rows: list[dict[str, Any]], room: int) -> None:
    """p50, p95 and p99 of each route on one line. Its scale has zero, so lengths compare."""
    prepared(axes, "Slowest routes by p95, milliseconds", [action_of(row) for row in rows], room)
    if not rows:
        return
    most = max(row["p99"] for row in rows) or 1.0
    for y, row in enumerate(rows):
        axes.plot([0, most * 1.05], [y, y], color=RULE, linewidth=0.6, zorder=1)
        axes.plot([row["p50"], row["p99"]], [y, y], color=PALE, linewidth=5, solid_capstyle="round", zorder=2)
        for key, size, fill, order in (("p50", 26, "white", 3), ("p99", 26, PALE, 3), ("p95", 46, BLUE, 4)):
            axes.scatter([row[key]], [y], s=size, color=fill, edgecolor=BLUE, linewidth=1.4, zorder=order)
        axes.text(most * 1.13, y, digits(row["p95"]), ha="right", va="center_baseline", weight="bold")
        axes.text(most * 1.15, y, f"of {row['transactions']:,}", va="center_baseline", color=FAINT, size=9)
    axes.set_xlim(-most * 0.01, most * 1.26)  # a point at zero is seen whole
    for x, fill, size, key in ((0.62, "white", 26, "p50"), (0.69, BLUE, 46, "p95"), (0.76, PALE, 26, "p99")):
        axes.annotate(key, (x, 1), (14, 13), xycoords="axes fraction", textcoords="offset points", va="center", size=9, color=FAINT)
        axes.scatter([x], [1], s=size, color=fill, edgecolor=BLUE, linewidth=1.4, clip_on=False, transform=axes.transAxes + raised(axes, 8, 13))


def raised(axes: Any, right: float, up: float) -> Any:
    """A transformation by points of the page, whatever size the axes have."""
    from matplotlib.transforms import ScaledTranslation
    return ScaledTranslation(right / 72, up / 72, axes.figure.dpi_scale_trans)


def draw_shares(axes: Any, title: str, rows: list[dict[str, Any]], name: Callable[[dict[str, Any]], str], key: str, color: str, places: int, room: int) -> None:
    """Bars of shares, each with its number behind it; the longest fills the panel, as most error rates are small."""
    prepared(axes, title, [name(row) for row in rows], room)
    if not rows:
        return
    most = max(row[key] for row in rows) or 1.0
    axes.barh(range(len(rows)), [row[key] for row in rows], height=0.5, color=color)
    for y, row in enumerate(rows):
        axes.text(row[key] + most * 0.02, y, f"{100 * row[key]:.{places}f} %", va="center_baseline", size=9.5)
    axes.set_xlim(0, most * 1.24)
