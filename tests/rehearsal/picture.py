"""Pictures over the virtual time of day, as SVG of our own making: curves, budgets, lanes of states, and the steps of the outage as flags.

A picture is drawn in the pixels it is shown in, so a phone gets one of its own width rather than a small copy. Colours are variables of STYLE, for
light and dark. They keep apart for the colour-blind (Okabe and Ito's, darkened for white paper), and what they tell is told by dashes or by the
height of a block too. A curve costs the same however long the run was: thin() keeps, of each column two pixels wide, the first, least, most and
last value, so no peak is lost.
"""
import html
import math

MINUTE_MS = 60000
COLOURS = 6
STYLE = """
:root{--paper:#fff;--ink:#1c2430;--muted:#5b6675;--grid:#e3e7ec;--step:#8a93a0;--bad:#b3261e;--good:#00704a;
--c1:#c27800;--c2:#0063a6;--c3:#00805e;--c4:#a8487f;--c5:#3a3f4a;--c6:#3f97c9}
@media (prefers-color-scheme:dark){:root{--paper:#12161c;--ink:#e6eaf0;--muted:#9aa6b5;--grid:#2a313b;--step:#75808e;--bad:#ff8a7a;--good:#4ccf9b;
--c1:#f0aa30;--c2:#5aaeee;--c3:#2fc49a;--c4:#e492c0;--c5:#cfd6e0;--c6:#8fd0f5}}
svg{font-family:system-ui,"Segoe UI","Helvetica Neue",Arial,"DejaVu Sans",sans-serif;font-size:12px}
svg text{fill:var(--muted)}svg text.t{fill:var(--ink);font-size:16px;font-weight:600}svg text.k{fill:var(--ink)}
svg text.f{font-size:11px;fill:var(--ink);paint-order:stroke;stroke:var(--paper);stroke-width:3px;stroke-linejoin:round}
.paper{fill:var(--paper)}.g{stroke:var(--grid)}.a{stroke:var(--muted)}.s{stroke:var(--step);stroke-dasharray:2 3}.b{stroke:var(--muted)}
.m{stroke:var(--bad);stroke-width:1.5;stroke-dasharray:7 4;fill:none}.down{fill:var(--bad)}.part{fill:var(--c1)}.none{fill:var(--grid)}
.c{fill:none;stroke-width:1.6;stroke-linejoin:round}.d{stroke-dasharray:5 3}
""" + "".join(f".c{n}{{stroke:var(--c{n})}}" for n in range(1, COLOURS + 1)) + "\n"

UNITS = {"count": ((1, ""), (1e3, "k"), (1e6, "M"), (1e9, "G")), "bytes": ((1, " B"), (1 << 10, " KiB"), (1 << 20, " MiB"), (1 << 30, " GiB")),
         "seconds": ((1, " s"), (60, " min"), (3600, " h")), "mib": ((1, " MiB"), (1 << 10, " GiB"))}
CLOCK_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440)  # minutes between two times of the axis
LEAST_WIDTH = 1.5  # of what must be seen however short it was
FLAG_HEIGHT, AXIS_HEIGHT, LEGEND_HEIGHT, TITLE_HEIGHT, BLOW_HEIGHT = 13, 24, 20, 26, 8


def time_of_day(ms):
    minutes = int(ms // MINUTE_MS) % 1440
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def text_width(words, size=12):
    """About: a little more than most fonts take."""
    return len(words) * size * 0.58


def distance(top, lines, factors=(1, 2, 2.5, 5)):
    """A round distance between grid lines, of which there are at most so many above zero."""
    power = 10.0 ** -9
    while True:
        for factor in factors:
            if top / (power * factor) <= lines:
                return power * factor
        power *= 10


def readable(value, unit):
    """A value in the largest part of its unit that it is one of."""
    if not value:
        return "0"
    divisor, suffix = [pair for pair in UNITS[unit] if abs(value) >= pair[0] or pair is UNITS[unit][0]][-1]
    return f"{value / divisor:.3g}{suffix}"


class Scale:
    """From 0 to a round top, with ticks [(value, label)]."""

    def __init__(self, most, unit, lines=4):
        most = max(most, 1e-6)
        divisor, suffix = [pair for pair in UNITS[unit] if most >= 2 * pair[0] or pair is UNITS[unit][0]][-1]
        binary = unit == "bytes"
        step = 2.0 ** math.ceil(math.log2(most / lines)) if binary else divisor * distance(most / divisor, lines)
        count = math.ceil(most / step - 1e-9)
        self.top = count * step
        self.ticks = [(n * step, readable(n * step, unit) if binary or not n else f"{n * step / divisor:g}{suffix}") for n in range(count + 1)]

    def part(self, value):
        return value / self.top


class WideScale:
    """Where what is small must be seen beside what is large: even up to `base`, then logarithmic. Ticks are those of TICKS that fit."""

    TICKS = {"count": [0] + [10 ** n for n in range(2, 13)], "bytes": [0] + [4096 * 4 ** n for n in range(16)],
             "seconds": [0, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 28800, 86400, 172800, 604800]}

    def __init__(self, most, unit):
        ticks = self.TICKS[unit]
        count = next((i for i, tick in enumerate(ticks) if tick >= most and i > 1), len(ticks) - 1)
        self.base, self.top = ticks[1], max(ticks[count], most)
        self.ticks = [(tick, readable(tick, unit)) for tick in ticks[:count + 1]]

    def part(self, value):
        return math.log1p(value / self.base) / math.log1p(self.top / self.base)


def clock_ticks(begin, end, most):
    """Times of the axis, at most so many, at round times of day."""
    minutes = next((m for m in CLOCK_STEPS if (end - begin) / (m * MINUTE_MS) <= most), CLOCK_STEPS[-1])
    step = minutes * MINUTE_MS
    return range(int(-(-begin // step) * step), int(end) + 1, step)


def thin(points, begin, end, columns):
    """[(v, value or None)] in order of v as segments, split at None; of each column no more than four points."""
    segments, segment, column, kept = [], [], None, []
    width = max(end - begin, 1) / columns

    def settle():
        if kept:
            least, most = min(kept, key=lambda p: p[1]), max(kept, key=lambda p: p[1])
            segment.extend(sorted({kept[0], least, most, kept[-1]}))

    for v, value in points:
        at = None if value is None else int((v - begin) / width)
        if at != column:
            settle()
            column, kept = at, []
        if value is not None:
            kept.append((v, value))
        elif segment:
            segments.append(segment)
            segment = []
    settle()
    return segments + [segment] if segment else segments


def flags(places, left, right):
    """Where the labels of steps go: [(x, label)], in order of x, as [(x of the text, row)], row 0 lowest, so that no two texts touch and no step's
    line crosses the text of another: a label stands above those to its right that it would run into."""
    spans = [(max(left, min(x + 3, right - text_width(label, 11))), text_width(label, 11) + 4) for x, label in places]
    rows = [0] * len(spans)
    for i in range(len(spans) - 1, -1, -1):
        start, width = spans[i]
        rows[i] = max((rows[j] + 1 for j in range(i + 1, len(spans)) if spans[j][0] - 4 < start + width), default=0)
    return [(start, row) for (start, _), row in zip(spans, rows)]


class Time:
    """What every picture of a run shares: from when to when, and what was done. steps and blows: [(v, label, title)] in order."""

    def __init__(self, begin, end, steps=(), blows=()):
        self.begin, self.end = begin, max(end, begin + 1)
        self.steps = [step for step in steps if self.begin <= step[0] <= self.end]
        self.blows = [blow for blow in blows if self.begin <= blow[0] <= self.end]


class Picture:
    """One SVG: title and legend, flags of the steps, the frame, the time of day. height is the frame's."""

    def __init__(self, time, width, height, scale=None, left=58, right=14, title=None, legend=(), flagged=True):
        self.time, self.width, self.scale, self.left, self.right = time, width, scale, left, width - right
        self.elements, self.title = [], title
        y = TITLE_HEIGHT if title else 4
        y = self._legend(legend, y)
        places = [(self.x(v), label) for v, label, _ in time.steps] if flagged else []
        spots = flags(places, left, self.right)
        self.upper = y + FLAG_HEIGHT * (max((row for _, row in spots), default=-1) + 1) + 6
        self.lower = self.upper + height
        self.height = self.lower + AXIS_HEIGHT + (BLOW_HEIGHT if time.blows and flagged else 0)
        self._flags = list(zip(time.steps, places, spots))
        self._flagged = flagged

    def x(self, v):
        return self.left + (v - self.time.begin) / (self.time.end - self.time.begin) * (self.right - self.left)

    def y(self, value):
        return self.lower - self.scale.part(value) * (self.lower - self.upper)

    def line(self, x1, y1, x2, y2, kind):
        self.elements.append(f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>')

    def text(self, x, y, words, kind="", anchor="start"):
        self.elements.append(f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(words)}</text>')

    def _legend(self, legend, y):
        """[(label, class)] in as many rows as it takes."""
        x = begin = self.left if self.width > 500 else 8
        for label, kind in legend:
            if x > begin and x + 30 + text_width(label) > self.right:
                x, y = begin, y + LEGEND_HEIGHT
            self.line(x, y + 8, x + 22, y + 8, kind)
            self.text(x + 28, y + 12, label, "k")
            x += 28 + text_width(label) + 20
        return y + LEGEND_HEIGHT if legend else y

    def values(self):
        for value, label in self.scale.ticks:
            self.line(self.left, self.y(value), self.right, self.y(value), "g" if value else "a")
            self.text(self.left - 8, self.y(value) + 4, label, anchor="end")

    def clock(self):
        """The axis below, and the steps; drawn before the curves, which are to stand before them."""
        for ((v, label, title), (x, _), (start, row)) in self._flags:
            y = self.upper - 6 - row * FLAG_HEIGHT
            self.elements.append(f"<g><title>{html.escape(f'{label} {title}')}</title>")
            self.line(x, y - 9, x, self.lower, "s")
            self.text(start, y, label, "f")
            self.elements.append("</g>")
        if not self._flagged:
            for v, _, _ in self.time.steps:
                self.line(self.x(v), self.upper, self.x(v), self.lower, "s")
        shift = self.lower
        if self.time.blows and self._flagged:
            shift += BLOW_HEIGHT
            self._blows()
        for v in clock_ticks(self.time.begin, self.time.end, (self.right - self.left) // 56):
            self.line(self.x(v), shift, self.x(v), shift + 4, "a")
            room = text_width("00:00") / 2
            self.text(max(room, min(self.x(v), self.width - room)), shift + 17, time_of_day(v), anchor="middle")

    def _blows(self):
        """Ticks below the frame; lanes, where one looks for who did what, tell each by its words."""
        at, mark = {}, "M{}.5 " + f"{self.lower + 2}v{BLOW_HEIGHT - 2}"
        for v, _, title in self.time.blows:
            at.setdefault(int(self.x(v)), []).append(title)
        if self.scale:
            self.elements.append(f'<path class="b" d="{"".join(map(mark.format, at))}"/>')
            return
        for x, titles in at.items():
            words = "; ".join(titles[:3]) + (f" and {len(titles) - 3} more" if len(titles) > 3 else "")
            self.elements.append(f'<path class="b" d="{mark.format(x)}"><title>{html.escape(words)}</title></path>')

    def curve(self, points, kind):
        """points: [(v, value or None)] in order of v; None breaks the curve."""
        parts = []
        for segment in thin(points, self.time.begin, self.time.end, max(int(self.right - self.left) // 2, 1)):
            spots = [f"{self.x(v):.1f} {self.y(value):.1f}" for v, value in segment]
            parts.append("M" + "L".join(spots) + ("h.1" if len(spots) == 1 else ""))
        if parts:
            self.elements.append(f'<path class="c {kind}" d="{"".join(parts)}"/>')

    def limit(self, value, label):
        """A budget: a line, and its words where they are not in the way of the axis."""
        self.line(self.left, self.y(value), self.right, self.y(value), "m")
        self.text(self.right - 3, self.y(value) - 5, label, "f", "end")

    def blocks(self, spans, y, height):
        """[(begin, end, class, part of the height, title)]; none so narrow that it is not seen, and of narrow ones at one place the tallest."""
        wide, narrow = [], {}
        for begin, end, kind, part, title in spans:
            x, width = self.x(begin), self.x(end) - self.x(begin)
            if width >= LEAST_WIDTH:
                wide.append((x, width, kind, part, title))
            elif part > narrow.get(int(x / LEAST_WIDTH), (0, 0, "", 0))[3]:
                narrow[int(x / LEAST_WIDTH)] = (x, LEAST_WIDTH, kind, part, title)
        for x, width, kind, part, title in [*wide, *narrow.values()]:
            tall = height * part
            self.elements.append(f'<rect class="{kind}" x="{x:.1f}" y="{y + height - tall:.1f}" width="{width:.1f}" height="{tall:.1f}">'
                                 f"<title>{html.escape(title)}</title></rect>")

    def svg(self, label, standalone=False):
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height:.0f}" role="img" aria-label="{html.escape(label)}"'
        if not standalone:
            return "\n".join([head + ">", *self.elements, "</svg>"])
        title = f'<text class="t" x="8" y="19">{html.escape(self.title)}</text>' if self.title else ""
        note = (["dotted: the steps, by the time of the outage they play"] if self.time.steps and self._flagged else []) + (
            ["ticks below: blows"] if self.time.blows and self._flagged else [])
        self.text(self.right, 17, "; ".join(note), anchor="end")
        return "\n".join([f'{head} width="{self.width}" height="{self.height:.0f}">', f"<style>{STYLE}</style>",
                          '<rect class="paper" width="100%" height="100%"/>', title, *self.elements, "</svg>", ""])


def runs(points, end):
    """[(v, state)] in order as [(begin, end, state)], each state until the next one begins."""
    found = []
    for v, state in points:
        if not found or found[-1][1] != state:
            found.append((v, state))
    return [(v, found[i + 1][0] if i + 1 < len(found) else end, state) for i, (v, state) in enumerate(found)]
