#!/usr/bin/env python3
"""The report of a rehearsal: `report DIR [OUT]` makes one HTML page, complete in itself, of what the sampler and the harness left in DIR.

DIR/samples.jsonl   a line a program and about a second, and one a cell: see Program
DIR/events.jsonl    {"v": virtual ms, "kind": "step|blow|note", "at": "23:14", "title": ".."}
DIR/outcome.json    verdict, figures against their limits, steps with their checks; written last, so a run that broke off has none, and the page
                    says so. "limits": {plot: [value, label]} adds a line to a plot.

Time is the test clock's everywhere: a rate is one of a virtual second, and the axis is the virtual time of day.
"""
import heapq
import html
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import picture

FIGURES = {  # what the sampler must keep of each kind of program: metrics summed over their labels, and numbers of the crowd's status
    "ingest": tuple("millrace_ingest_" + name for name in (
        "accepted_samples_total", "accepted_requests_total", "refused_requests_total", "rejected_samples_total", "truncated_payloads_total",
        "truncated_samples_total", "inflight_bytes", "inflight_live_bytes", "inflight_backlog_bytes", "waiting_connections", "expected_agents",
        "kafka_stalls_total")),
    "processor": tuple("millrace_processor_" + name for name in (
        "lag_records", "samples_total", "late_samples_total", "duplicates_total", "fragments_total", "checkpoints_total", "aborts_total",
        "rebalances_total", "partitions_running", "memory_bytes", "reading_held", "dead_letters_total", "gap_records_total", "gap_payloads_total")),
    "sink": tuple("millrace_sink_" + name for name in (
        "lag_records", "stored_total", "already_stored_total", "breaker_state", "breaker_openings_total", "batch_limit_bytes", "concurrency_limit",
        "insert_latency_seconds", "inflight_bytes", "retries_total", "dead_lettered_total", "dropped_total", "cut_off_total", "paused")),
    "crowd": ("told", "flushes", "spooled_payloads", "spooled_bytes", "agents_waiting", "open_losses", "dropped_payloads", "dropped_samples",
              "accepted_payloads", "posts", "failed_posts"),
}
DRAWN = frozenset((  # the figures that a plot reads; the others are for the harness's own checks, and cost nothing here
    "millrace_ingest_accepted_samples_total", "millrace_ingest_inflight_bytes", "millrace_processor_lag_records", "millrace_sink_lag_records",
    "millrace_sink_stored_total", "millrace_sink_breaker_state", "millrace_sink_batch_limit_bytes", "spooled_payloads", "posts", "failed_posts"))
COUNTERS = frozenset(name for name in DRAWN if name.endswith("_total")) | {"posts", "failed_posts"}
RATE_MS, RATE_BINS = 60000, 400  # a rate is one over a minute, in a long run over more
WIDE, NARROW, SMALL = 980, 372, 330
HEIGHT, SMALL_HEIGHT, LANE = 200, 96, 30


class Program:
    """One program's samples, or one cell's: {"t", "v", "program", "kind", "cell", "state": "up|frozen|down", "rss_mib", "budget_mib", "fds",
    "figures": {name: value}}, a cell's {"freshness_s"}. Points are (v, value), None where there is none. A counter that begins anew, as its
    program was killed, goes on here from where it stood; that of one that is only frozen is its old self."""

    def __init__(self, line):
        self.name, self.kind, self.cell = line["program"], line["kind"], line.get("cell")
        self.budget, self.states, self.rss, self.freshness, self.figures = None, [], [], [], {}
        self._before, self._last = {}, {}  # of counters: what earlier lives came to, and what was read last

    def take(self, line):
        v = line["v"]
        if self.kind == "cell":
            self.freshness.append((v, line.get("freshness_s")))
            return
        up = line.get("state", "up")
        self.states.append((v, up))
        self.rss.append((v, line.get("rss_mib") if up != "down" else None))
        self.budget = max(self.budget or 0, line.get("budget_mib") or 0) or None
        figures = (line.get("figures") or {}) if up != "down" else {}
        if up == "down":
            self._begin_anew(list(self._last))
        for name in DRAWN.intersection(figures):
            value = figures[name]
            if name in COUNTERS and value is not None:
                self._begin_anew([name] if value < self._last.get(name, 0) else [])
                self._last[name] = value
                value += self._before.get(name, 0)
            self.figures.setdefault(name, []).append((v, value))
        for name in self.figures.keys() - figures.keys():
            self.figures[name].append((v, None))

    def _begin_anew(self, names):
        for name in names:
            self._before[name] = self._before.get(name, 0) + self._last.pop(name)


def lines_of(path):
    """The objects of a file of lines; a last line that a kill cut short is left out."""
    if not path.exists():
        return
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):
                yield json.loads(line)


class Run:
    """What DIR holds."""

    def __init__(self, directory):
        directory = pathlib.Path(directory)
        self.programs, begin, end = {}, None, None
        for line in lines_of(directory / "samples.jsonl"):
            program = self.programs.get(line["program"])
            if program is None:
                program = self.programs[line["program"]] = Program(line)
            program.take(line)
            begin = line["v"] if begin is None else min(begin, line["v"])
            end = line["v"] if end is None else max(end, line["v"])
        events = sorted(lines_of(directory / "events.jsonl"), key=lambda event: event["v"])
        of = {kind: [(e["v"], e.get("at") or "", e.get("title") or "") for e in events if e["kind"] == kind] for kind in ("step", "blow", "note")}
        self.time, self.notes = picture.Time(begin or 0, end or 0, of["step"], of["blow"]), of["note"]
        path = directory / "outcome.json"
        self.outcome = json.loads(path.read_text()) if path.exists() else None
        self.cells = sorted({p.cell for p in self.programs.values() if p.cell})

    def of(self, kind, cell=None):
        return [p for _, p in sorted(self.programs.items()) if p.kind == kind and (cell is None or p.cell == cell)]

    def limit(self, name):
        return ((self.outcome or {}).get("limits") or {}).get(name)

    def colour(self, cell):
        """A cell has the same colour in every plot."""
        return f"c{self.cells.index(cell) % picture.COLOURS + 1}"


def total(programs, figure):
    """The sum of a gauge over programs, as of each sample; a program that is down has no part in it, and with none there is no sum."""
    now, points = {}, []
    tagged = ([(v, p.name, value) for v, value in p.figures.get(figure, ())] for p in programs)
    for v, name, value in heapq.merge(*tagged, key=lambda point: point[0]):
        now[name] = value
        known = [x for x in now.values() if x is not None]
        points.append((v, sum(known) if known else None))
    return points


def rate(run, programs, figure):
    """What counters of programs together grew by a virtual second, in bins of a minute or more."""
    begin, end = run.time.begin, run.time.end
    width = RATE_MS * max(1, -(-(end - begin) // (RATE_MS * RATE_BINS)))
    bins = [0.0] * (int((end - begin) // width) + 1)
    for program in programs:
        known = [point for point in program.figures.get(figure, ()) if point[1] is not None]
        for (since, low), (until, high) in zip(known, known[1:]):
            first, last = int((since - begin) // width), int((until - begin) // width)
            for i in range(first, last + 1) if until > since else ():
                part = min(until, begin + (i + 1) * width) - max(since, begin + i * width)
                bins[i] += (high - low) * part / (until - since)
    whole = int((end - begin - RATE_MS / 2) // width)  # not the last, in which the samples of some programs end early
    return [(begin + (i + 0.5) * width, grown * 1000 / width) for i, grown in enumerate(bins[:max(whole, 1)])]


def own(run, programs):
    """(program, class): a program of a cell has the cell's colour, the second of a cell dashed; one of no cell has one that no cell has."""
    seen = {}
    for program in programs:
        n = seen[program.cell] = seen.get(program.cell, -1) + 1
        if program.cell:
            yield program, run.colour(program.cell) + (" d" if n else "")
        else:
            yield program, f"c{(len(run.cells) + n) % picture.COLOURS + 1}"


def by_program(kind, figure):
    return lambda run: [(p.name, colour, p.figures.get(figure, [])) for p, colour in own(run, run.of(kind))]


def accepted(run):
    return [(p.name, colour, rate(run, [p], "millrace_ingest_accepted_samples_total")) for p, colour in own(run, run.of("ingest"))]


def stored(run):
    return [(cell, run.colour(cell), rate(run, run.of("sink", cell), "millrace_sink_stored_total")) for cell in run.cells]


def lag(kind):
    return lambda run: [(cell, run.colour(cell), total(run.of(kind, cell), f"millrace_{kind}_lag_records")) for cell in run.cells]


def freshness(run):
    return [(p.cell, run.colour(p.cell), p.freshness) for p in run.of("cell")]


def posts(run):
    return [(label, colour, rate(run, run.of("crowd"), figure))
            for label, colour, figure in (("all posts", "c3", "posts"), ("posts that failed", "c4 d", "failed_posts"))]


PLOTS = {  # name: (title, unit, lines of a run, what is to be seen)
    "accepted": ("Samples accepted by ingest, a second", "count", accepted,
                 "Acknowledged by Kafka, a second of the test clock. The valve and the lost brokers cut it off; the wave afterwards is the spools."),
    "stored": ("Documents stored by cell, a second", "count", stored,
               "Acknowledged by a majority of the cell's database. One cell's trouble is its own."),
    "freshness": ("Freshness by cell", "seconds", freshness,
                  "How long ago the newest stored minute ended; logarithmic. The cell with the slow database falls behind;"
                  " the other must not notice."),
    "lag-processors": ("Lag of the processors by cell, records", "count", lag("processor"), "Records of samples that wait in Kafka; logarithmic."),
    "lag-sinks": ("Lag of the sinks by cell, records", "count", lag("sink"),
                  "Windows that wait in Kafka, where a slow database leaves them; logarithmic."),
    "spool": ("Payloads in the agents' spools", "count", by_program("crowd", "spooled_payloads"),
              "What the agents hold on their disks while the door is shut."),
    "posts": ("Posts of the agents, a second", "count", posts, "Failed: answered other than 2xx, or not at all; they are sent again."),
    "inflight": ("Bytes in flight in ingest", "bytes", by_program("ingest", "millrace_ingest_inflight_bytes"),
                 "Taken in and not yet acknowledged by Kafka: bounded, whatever comes."),
    "batch": ("Batch limit of the sinks", "bytes", by_program("sink", "millrace_sink_batch_limit_bytes"),
              "What an insert may carry; logarithmic. Smaller when the database answers late, growing again afterwards."),
    "breaker": ("Breakers of the sinks", None, None, "Tall and red: open, nothing but probes is sent. Half as tall, yellow: half-open."),
    "states": ("What was done to the programs", None, None, "Tall and red: down, killed. Half as tall, yellow: frozen, stopped and continued."),
}
LOGARITHMIC = frozenset(("freshness", "lag-processors", "lag-sinks", "batch"))  # the plots in which the quiet cell must be seen beside the other


def curves(run, name, width, standalone=False):
    title, unit, make, _ = PLOTS[name]
    lines, limit = make(run), run.limit(name)
    most = max((value for _, _, points in lines for _, value in points if value is not None), default=0)
    scale = (picture.WideScale if name in LOGARITHMIC else picture.Scale)(max(most, limit[0] * 1.08 if limit else 0), unit)
    legend = [(label, "c " + kind) for label, kind, _ in lines] if len(lines) > 1 or standalone else ()
    drawn = picture.Picture(run.time, width, HEIGHT, scale, title=title if standalone else None, legend=legend)
    drawn.values()
    drawn.clock()
    for _, kind, points in lines:
        drawn.curve(points, kind)
    if limit:
        drawn.limit(*limit)
    return drawn.svg(title, standalone)


BREAKER = {0: ("none", 0.15, "closed"), 1: ("part", 0.5, "half-open"), 2: ("down", 1, "open")}
STATE = {"up": ("none", 0.15, "up"), "frozen": ("part", 0.5, "frozen"), "down": ("down", 1, "down")}


def lanes(run, name, width, standalone=False):
    """A lane a program; the height of a block tells the state as its colour does."""
    if name == "breaker":
        kinds, rows = BREAKER, [(p.name, [(v, int(x)) for v, x in p.figures.get("millrace_sink_breaker_state", []) if x is not None])
                                for p in run.of("sink")]
    else:
        kinds, rows = STATE, [(p.name, p.states) for _, p in sorted(run.programs.items()) if p.states]
    title = PLOTS[name][0]
    drawn = picture.Picture(run.time, width, LANE * len(rows) + 4, title=title if standalone else None)
    drawn.clock()
    for i, (label, points) in enumerate(rows):
        y = drawn.upper + i * LANE
        drawn.text(drawn.left, y + 10, label, "f")
        usual, *unusual = kinds
        spans = picture.runs(points, run.time.end)
        drawn.blocks([(spans[0][0], spans[-1][1], *kinds[usual][:2], label)] if spans else [], y + 14, LANE - 16)
        drawn.blocks([(begin, end, *kinds[state][:2], f"{label} {kinds[state][2]} from {picture.time_of_day(begin)} to {picture.time_of_day(end)}")
                      for begin, end, state in spans if state in unusual], y + 14, LANE - 16)
    return drawn.svg(title, standalone)


def memory(run, program, standalone=False):
    known = [value for _, value in program.rss if value is not None]
    scale = picture.Scale(max([*known, (program.budget or 0) * 1.15]), "mib", 3)
    title = f"Memory of {program.name}"
    drawn = picture.Picture(run.time, SMALL, SMALL_HEIGHT, scale, title=title if standalone else None, flagged=False)
    drawn.values()
    drawn.clock()
    drawn.curve(program.rss, run.colour(program.cell) if program.cell else "c5")
    if program.budget:
        drawn.limit(program.budget, f"budget {program.budget:g} MiB")
    return drawn.svg(title, standalone)


def draw(run, name, width=WIDE, standalone=False):
    """The plot of that name: one of PLOTS, or memory-PROGRAM."""
    if name.startswith("memory-"):
        return memory(run, run.programs[name.removeprefix("memory-")], standalone)
    return (curves if PLOTS[name][1] else lanes)(run, name, width, standalone)


def plot(directory, name, out_svg):
    """One plot alone, a file that shows itself in light and dark."""
    pathlib.Path(out_svg).write_text(draw(Run(directory), name, standalone=True))


PAGE_STYLE = """
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);
font:15px/1.5 system-ui,"Segoe UI","Helvetica Neue",Arial,"DejaVu Sans",sans-serif}
main{max-width:1012px;margin:0 auto;padding:20px 16px 60px}h1{font-size:26px;margin:0 0 12px}h2{font-size:20px;margin:40px 0 8px}
h3{font-size:16px;margin:28px 0 0}p{margin:2px 0 8px;max-width:72ch}
.n{color:var(--muted);font-size:14px}code{font-family:ui-monospace,"DejaVu Sans Mono",monospace}
.v{border:2px solid;border-radius:8px;padding:12px 16px;margin:0 0 12px}.v b{font-size:20px;margin-right:12px}.v code{color:var(--ink);font-size:15px}
.good{color:var(--good)}.bad{color:var(--bad)}.w table{border-collapse:collapse;width:100%;font-size:14px}.w{overflow-x:auto}
th,td{text-align:left;vertical-align:top;padding:6px 14px 6px 0;border-top:1px solid var(--grid)}th{color:var(--muted);font-weight:500}
td.r,th.r{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}td.at{font-weight:600;white-space:nowrap}
.steps th:nth-child(2){width:14%}.steps th:nth-child(3),.steps th:nth-child(4){width:24%}
ul{list-style:none;margin:0;padding:0}li{padding-left:16px;text-indent:-16px}svg{display:block;width:100%;height:auto}
.wide{max-width:980px}.narrow{display:none;max-width:480px}
.small{display:grid;grid-template-columns:repeat(auto-fill,minmax(290px,1fr));gap:12px 20px}
figure{margin:0;max-width:400px}figcaption{font-size:14px;font-weight:600}figcaption span{color:var(--muted);font-weight:400}
@media (max-width:700px){.wide{display:none}.narrow{display:block}main{padding:14px 12px 40px}h1{font-size:22px}
.steps thead{display:none}.steps tr{display:block;border-top:1px solid var(--grid);padding:8px 0}.steps td{display:block;border:0;padding:1px 0}
.steps td[data-h]:before{content:attr(data-h);display:block;color:var(--muted);font-size:12px}}
"""


def escape(words):
    return html.escape(str(words))


def mark(ok):
    """None: nothing to be seen yet."""
    if ok is None:
        return "<span>○</span>"
    return '<span class="good">✓</span>' if ok else '<b class="bad">✗</b>'


def number(value):
    if isinstance(value, float) and not value.is_integer():
        return f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"
    return f"{value:,.0f}" if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)


def header(run):
    outcome = run.outcome
    if outcome is None:
        return '<div class="v bad"><b>✗ BROKE OFF</b> <code>The run ended without a verdict.</code></div>'
    ok = bool(outcome.get("passed"))
    checks = [check["ok"] for step in outcome.get("steps", ()) for check in step.get("checks", ()) if check["ok"] is not None]
    ran = [f"seed {escape(outcome['seed'])}" if "seed" in outcome else "", f"{number(outcome['minutes'])} minutes" if "minutes" in outcome else "",
           f"{number(outcome['speed'])} virtual seconds a second" if "speed" in outcome else "",
           f"virtual time {picture.time_of_day(run.time.begin)} to {picture.time_of_day(run.time.end)} UTC",
           f"<span class={'good' if all(checks) else 'bad'}>{sum(checks)} of {len(checks)} checks of {len(outcome['steps'])} steps hold</span>"
           if checks else ""]
    return (f'<div class="v {"good" if ok else "bad"}"><b>{"✓ PASSED" if ok else "✗ FAILED"}</b> '
            f'<code>{escape(outcome.get("verdict") or "no verdict")}</code></div><p class="n">{" · ".join(filter(None, ran))}</p>')


def table(head, rows, kind=""):
    heads = "".join(f"<th{' class=r' if right else ''}>{words}</th>" for words, right in head)
    return f'<div class="w {kind}"><table><thead><tr>{heads}</tr></thead><tbody>{"".join(f"<tr>{row}</tr>" for row in rows)}</tbody></table></div>'


def figures_table(outcome):
    rows = []
    for name, (value, unit, limit, ok) in (outcome.get("figures") or {}).items():
        bound = "" if limit is None else f"{number(limit)} {escape(unit)}"
        rows.append(f"<td>{mark(ok)} {escape(name)}</td><td class=r>{number(value)} {escape(unit)}</td><td class=r>{bound}</td>")
    return "<h2>Figures</h2>" + table((("figure", False), ("measured", True), ("limit", True)), rows) if rows else ""


def steps_table(outcome):
    rows = []
    for step in outcome.get("steps") or ():
        checks = "".join(f"<li>{mark(check['ok'])} {escape(check['text'])}</li>" for check in step.get("checks") or ())
        rows.append(f"<td class=at>{escape(step.get('at', ''))}</td><td><b>{escape(step.get('title', ''))}</b></td>"
                    f'<td data-h="what happened then">{escape(step.get("then", ""))}</td>'
                    f'<td data-h="what must happen here">{escape(step.get("claim", ""))}</td>'
                    f'<td data-h="what was seen"><ul>{checks}</ul></td>')
    head = [(words, False) for words in ("time", "step", "what happened then", "what must happen here", "what was seen")]
    return "<h2>The steps</h2>" + table(head, rows, "steps") if rows else ""


def counts_table(title, outcome, key, first, note):
    rows = [f"<td>{escape(name)}</td><td class=r>{escape(json.dumps(value)) if isinstance(value, (dict, list)) else number(value)}</td>"
            for name, value in (outcome.get(key) or {}).items()]
    return f'<h2>{title}</h2><p class="n">{note}</p>' + table(((first, False), ("", True)), rows) if rows else ""


def pictures(run):
    found = ['<h2>Over time</h2><p class="n">Times are those of the test clock (UTC). The dotted lines are the steps, named by the time of the'
             ' outage that they play; the ticks below a plot are blows.</p>']
    for name, (title, _, _, note) in PLOTS.items():
        found.append(f'<h3 id="{name}">{title}</h3><p class="n">{note}</p><div class="wide">{draw(run, name)}</div>'
                     f'<div class="narrow">{draw(run, name, NARROW)}</div>')
    small = []
    for program in (p for _, p in sorted(run.programs.items()) if p.kind != "cell"):
        peak = max((value for _, value in program.rss if value is not None), default=0)
        budget = f" of {program.budget:g}" if program.budget else ""
        small.append(f"<figure><figcaption>{escape(program.name)} <span>at most {peak:.0f}{budget} MiB</span></figcaption>"
                     f"{memory(run, program)}</figure>")
    return "".join(found) + ('<h3 id="memory">Memory of each program</h3><p class="n">Resident, against its budget.</p>'
                             f'<div class="small">{"".join(small)}</div>')


def notes_table(run):
    rows = [f"<td class=at>{picture.time_of_day(v)}</td><td>{escape(' '.join(filter(None, words)))}</td>" for v, *words in run.notes]
    return "<h2>Notes</h2>" + table((("time", False), ("", False)), rows) if rows else ""


def page(run):
    outcome = run.outcome or {}
    parts = [header(run), figures_table(outcome), steps_table(outcome), pictures(run) if run.programs else "<p>No samples were taken.</p>",
             counts_table("Blows", outcome, "blows", "kind", "What was done to the system, from the seed, and how often."),
             counts_table("Fragments", outcome, "fragments", "", "Documents of one series and window, through the recovery."),
             notes_table(run)]
    return ('<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
            f'<meta name="color-scheme" content="light dark"><title>Millrace rehearsal</title><style>{picture.STYLE}{PAGE_STYLE}</style></head>'
            f'<body><main><h1>Rehearsal of the outage</h1>{"".join(parts)}</main></body></html>\n')


def write(directory, out_html):
    """The whole report as one page, which needs nothing else."""
    pathlib.Path(out_html).write_text(page(Run(directory)))


def main():
    if len(sys.argv) not in (2, 3):
        print("usage: report DIR [OUT]", file=sys.stderr)
        return 2
    out = pathlib.Path(sys.argv[2] if len(sys.argv) == 3 else pathlib.Path(sys.argv[1]) / "report.html")
    write(sys.argv[1], out)
    print(out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
