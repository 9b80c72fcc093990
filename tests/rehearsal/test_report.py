#!/usr/bin/env python3
"""The report's arithmetic (rates over restarts, sums, thinning, where the flags go) and its pages, from runs made up here. Needs nothing but Python."""
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT / "tests" / "e2e")]
import cases
import picture
import report

SVG = "{http://www.w3.org/2000/svg}"
BEGIN = 1524178800000 - 3600000  # 22:00
SEED = int(os.environ.get("TEST_SEED", "1"))


def sample(v, program="ingest-1", kind="ingest", cell=None, state="up", rss=20.0, budget=64, **figures):
    return {"t": 0, "v": BEGIN + v, "program": program, "kind": kind, "cell": cell, "state": state, "rss_mib": rss, "budget_mib": budget, "fds": 9,
            "figures": figures}


def outcome(passed=True, **more):
    return {"seed": 7, "speed": 25, "minutes": 5, "verdict": "expected 9 stored 9 lost 0 doubled 0 truncated 0 reported 0", "passed": passed,
            "figures": {"memory": [31.25, "MiB", 64, True]}, "blows": {"kill": 3}, "fragments": {"mean": 1.5},
            "steps": [{"at": "23:14", "title": "hiccup", "then": "it swapped", "claim": "under its budget", "checks": [{"text": "31 of 64 MiB", "ok": passed}]}],
            **more}


class Folder:
    """A run's folder, made of what is given."""

    def __init__(self, samples=(), events=(), result=None, tail=""):
        self.folder = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.folder.name)
        (self.path / "samples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in samples) + tail)
        (self.path / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
        if result is not None:
            (self.path / "outcome.json").write_text(json.dumps(result))

    def run(self):
        return report.Run(self.path)

    def page(self):
        report.write(self.path, self.path / "out.html")
        return (self.path / "out.html").read_text()


def whole_run(seconds=300):
    """Samples of everything that is drawn, and events; however long, with five blows to each program."""
    rng, samples, often = random.Random(SEED), [], max(seconds // 5, 20)
    for t in range(seconds):
        v = t * 25000
        samples += [sample(v, f"ingest-{i}", millrace_ingest_accepted_samples_total=t * 100, millrace_ingest_inflight_bytes=rng.randrange(1 << 20))
                    for i in (1, 2)]
        samples.append(sample(v, "crowd", "crowd", budget=None, spooled_payloads=rng.randrange(100), posts=t * 9, failed_posts=t))
        for cell in ("amber", "blue"):
            samples += [sample(v, f"processor-{cell}-{i}", "processor", cell, "down" if t % often == 9 else "up",
                               millrace_processor_lag_records=rng.randrange(10 ** rng.randrange(1, 6))) for i in (1, 2)]
            samples.append(sample(v, f"sink-{cell}", "sink", cell, "frozen" if t % often == 7 else "up", millrace_sink_lag_records=rng.randrange(999),
                                  millrace_sink_stored_total=t * 5, millrace_sink_breaker_state=t // often % 3, millrace_sink_batch_limit_bytes=1 << 20))
            samples.append({"t": t, "v": BEGIN + v, "program": f"cell-{cell}", "kind": "cell", "cell": cell,
                            "freshness_s": None if t < 3 else 60 + rng.randrange(9000)})
    events = [{"t": 0, "v": BEGIN + m * 60000, "kind": "step", "at": at, "title": "a <b> & c"} for m, at in ((14, "23:14"), (20, "23:20"), (22, "23:5x"))]
    events += [{"t": 0, "v": BEGIN + t * 25000, "kind": "blow", "title": "kill \"x\""} for t in range(seconds // 2, seconds, 7)]
    events.append({"t": 0, "v": BEGIN, "kind": "note", "title": "the crowd began"})
    return samples, events


def pictures_of(page):
    return [ET.fromstring(text) for text in re.findall(r"<svg.*?</svg>", page, re.S)]


def curve_ys(root, kind):
    """The heights of a curve's points, as drawn."""
    found = [path.get("d") for path in root.iter(SVG + "path") if path.get("class") == f"c {kind}"]
    return [float(y) for d in found for _, y in re.findall(r"([\d.-]+) ([\d.-]+)", d)]


def raises(kind, call):
    try:
        call()
    except kind:
        return True
    return False


def test_figures_are_those_that_the_programs_export():
    folders = {"ingest": "ingest", "processor": "processor", "sink": "sink"}
    for kind, folder in folders.items():
        source = "".join(path.read_text() for path in sorted((ROOT / folder).rglob("*.c")))
        missing = [name for name in report.FIGURES[kind] if f'"{name}"' not in source]
        assert not missing, missing
    named = {name for names in report.FIGURES.values() for name in names}
    assert report.DRAWN <= named, report.DRAWN - named
    assert report.COUNTERS < report.DRAWN


def test_a_rate_adds_up_over_kills_and_freezes():
    """Two programs that count 10 and 30 a second, one killed (and counting from 0 again), one frozen and one killed between two samples."""
    samples, counted = [], {"a": 0, "b": 0}
    for t in range(0, 3600, 25):
        a_down, b_frozen = 1000 <= t < 1100, 2000 <= t < 2100
        if t in (1100, 1500):
            counted["a"] = 0
        if t:
            counted["a"] += 0 if a_down else 250
            counted["b"] += 750
        samples.append(sample(t * 1000, "a", state="down" if a_down else "up", millrace_ingest_accepted_samples_total=counted["a"]))
        samples.append(sample(t * 1000, "b", state="frozen" if b_frozen else "up",
                              **({} if b_frozen else {"millrace_ingest_accepted_samples_total": counted["b"]})))
    run = Folder(samples).run()
    for names, a_second in ((["a"], 10), (["b"], 30), (["a", "b"], 40)):
        points = report.rate(run, [run.programs[name] for name in names], "millrace_ingest_accepted_samples_total")
        away = [x for v, x in points if 16 <= (v - BEGIN) / 60000 <= 19]
        others = [x for v, x in points if not 15 <= (v - BEGIN) / 60000 <= 20]
        assert len(points) == 59 and all(abs(x - a_second) < 0.001 for x in others), (names, points)
        assert "a" not in names or all(x < a_second for x in away), away


def test_a_counter_that_jumps_after_a_kill_counts_from_zero():
    """Killed and seen down: what it has counted since is all new, though it is more than before."""
    name = "millrace_sink_stored_total"
    run = Folder([sample(0, "s", "sink", "c", **{name: 50}), sample(25000, "s", "sink", "c", "down"),
                  sample(50000, "s", "sink", "c", **{name: 80}), sample(240000, "s", "sink", "c", **{name: 80})]).run()
    assert [value for _, value in run.programs["s"].figures[name]] == [50, None, 130, 130]
    assert abs(sum(x * 60 for _, x in report.rate(run, run.of("sink"), name)) - 80) < 0.001


def test_a_sum_is_of_those_that_are_up():
    name = "millrace_processor_lag_records"
    run = Folder([sample(0, "p1", "processor", "c", **{name: 5}), sample(1, "p2", "processor", "c", **{name: 7}),
                  sample(2, "p1", "processor", "c", "down"), sample(3, "p2", "processor", "c", **{name: 12}), sample(4, "p2", "processor", "c", "down"),
                  sample(5, "other", "processor", "d", **{name: 1000}),
                  sample(6, "p2", "processor", "c", **{name: 0})]).run()
    assert [(v - BEGIN, x) for v, x in report.total(run.of("processor", "c"), name)] == [(0, 5), (1, 12), (2, 7), (3, 12), (4, None), (6, 0)]


def test_thinning_keeps_peaks_and_gaps():
    rng = random.Random(SEED)
    for _ in range(50):
        count, columns = rng.randrange(1, 3000), rng.randrange(1, 200)
        points = [(v, None if rng.random() < 0.01 else rng.gauss(0, 1)) for v in sorted(rng.sample(range(5000), count))]
        segments = picture.thin(points, 0, 5000, columns)
        kept = [point for segment in segments for point in segment]
        gaps = [v for v, value in points if value is None]
        known = [point for point in points if point[1] is not None]
        assert kept == sorted(kept) and set(kept) <= set(known)
        assert len(kept) <= 4 * (columns + 1 + len(gaps))
        for pick in (min, max):  # of each column, between gaps
            for c in range(columns):
                inside = [p for p in known if int(p[0] / (5000 / columns)) == c]
                assert not inside or pick(x for _, x in inside) in [x for _, x in kept], (SEED, c)
        for segment in segments:
            assert not any(segment[0][0] < v < segment[-1][0] for v in gaps), SEED


def test_flags_neither_touch_nor_cross():
    rng = random.Random(SEED)
    for _ in range(300):
        left, right = 58, rng.choice((350, 960))
        places = sorted((rng.uniform(left, right - 60), rng.choice(("23:14", "00:3x", "later", "a step by name"))) for _ in range(rng.randrange(1, 16)))
        spots = picture.flags(places, left, right)
        widths = [picture.text_width(label, 11) for _, label in places]
        assert all(left <= x and x + w <= right + 0.001 for (x, _), w in zip(spots, widths))
        for i, (x, row) in enumerate(spots):
            for j in range(i + 1, len(spots)):
                assert spots[j][1] != row or x + widths[i] < spots[j][0], (SEED, places)
                at = places[j][0]  # j's line passes every row below its own
                if spots[j][0] > at:
                    assert not (x <= at <= x + widths[i] and spots[j][1] >= row), (SEED, places)


def test_scales_are_round_and_hold_everything():
    rng = random.Random(SEED)
    for _ in range(500):
        most, unit = 10 ** rng.uniform(-2, 9), rng.choice(sorted(picture.UNITS))
        for scale in [picture.Scale(most, unit)] + ([picture.WideScale(most, unit)] if unit in picture.WideScale.TICKS else []):
            parts = [scale.part(value) for value, _ in scale.ticks]
            assert scale.top >= most * 0.999999 and parts[0] == 0 and parts == sorted(parts) and scale.part(scale.top) <= 1.000001
            assert 2 <= len(scale.ticks) <= 15 and len({label for _, label in scale.ticks}) == len(scale.ticks), (most, unit, scale.ticks)
    assert [label for _, label in picture.Scale(1 << 20, "bytes").ticks] == ["0", "256 KiB", "512 KiB", "768 KiB", "1 MiB"]
    assert [label for _, label in picture.Scale(90, "seconds").ticks][-1] == "100 s"
    assert picture.Scale(0, "count").ticks


def test_the_axis_tells_the_time_of_day():
    assert picture.time_of_day(1524178800000 - 46 * 60000 + 59999) == "22:14"
    for hours, most in ((0.2, 16), (5, 16), (5, 5), (40, 6)):
        ticks = list(picture.clock_ticks(BEGIN + 17000, BEGIN + hours * 3600000, most))
        assert 1 <= len(ticks) <= most + 1 and all(v % 60000 == 0 for v in ticks)


def test_every_plot_stands_alone():
    folder = Folder(*whole_run(), outcome(limits={"inflight": [1 << 21, "limit 2 MiB"]}))
    for name in [*report.PLOTS, "memory-sink-amber"]:
        report.plot(folder.path, name, folder.path / "plot.svg")
        root = ET.parse(folder.path / "plot.svg").getroot()
        words = [text.text for text in root.iter(SVG + "text")]
        drawn = list(root.iter(SVG + "path")) + list(root.iter(SVG + "rect"))
        assert root.tag == SVG + "svg" and len(drawn) > 1 and any(re.fullmatch(r"\d\d:\d\d", word or "") for word in words), name
        assert name.startswith("memory") or "23:5x" in words, (name, words)
        assert root.find(SVG + "style") is not None and root.get("width")
    assert raises(KeyError, lambda: report.plot(folder.path, "no-such-plot", folder.path / "plot.svg"))


def test_a_page_needs_nothing_else():
    page = Folder(*whole_run(), outcome()).page()
    roots = pictures_of(page)
    assert len(roots) == 2 * len(report.PLOTS) + 9, len(roots)  # wide and narrow, and the memory of nine programs
    assert "<script" not in page and not re.search(r"(src|href)=|url\(|@import", page)
    assert all(float(root.get("viewBox").split()[2]) < 380 for root in roots[1:2 * len(report.PLOTS):2])
    for word in ("✓ PASSED", "lost 0 doubled 0", "hiccup", "it swapped", "under its budget", "31 of 64 MiB", "31.25 MiB", "kill", "the crowd began"):
        assert word in page, word


def test_curves_and_limits_are_where_they_belong():
    """Half of what the limit allows is drawn half as high; a curve breaks where its program was down."""
    name = "millrace_ingest_inflight_bytes"
    lines = [sample(t * 25000, state="down" if t == 50 else "up", **{name: 1 << 20}) for t in range(100)]
    folder = Folder(lines, (), outcome(limits={"inflight": [1 << 21, "limit"]}))
    root = ET.fromstring(report.draw(folder.run(), "inflight"))
    limit = [float(line.get("y1")) for line in root.iter(SVG + "line") if line.get("class") == "m"]
    axis = max(float(line.get("y1")) for line in root.iter(SVG + "line") if line.get("class") == "a" and line.get("x1") != line.get("x2"))
    ys = set(curve_ys(root, "c1"))
    grid = [float(line.get("y1")) for line in root.iter(SVG + "line") if line.get("class") == "g"]
    assert min(grid) < limit[0] < max(grid)
    assert len(limit) == 1 and len(ys) == 1 and abs((axis - ys.pop()) * 2 - (axis - limit[0])) < 0.3
    assert [path.get("d").count("M") for path in root.iter(SVG + "path") if path.get("class") == "c c1"] == [2]
    memory = ET.fromstring(report.draw(folder.run(), "memory-ingest-1"))
    assert [text.text for text in memory.iter(SVG + "text")].count("budget 64 MiB") == 1


def test_short_states_are_seen():
    lines = [sample(t * 25000, "p", "processor", "c", "down" if t == 500 else "frozen" if t == 700 else "up") for t in range(3000)]
    root = ET.fromstring(report.draw(Folder(lines).run(), "states"))
    blocks = {rect.get("class"): rect for rect in root.iter(SVG + "rect")}
    assert set(blocks) == {"none", "down", "part"} and float(blocks["down"].get("width")) >= 1.5
    heights = [float(blocks[kind].get("height")) for kind in ("none", "part", "down")]
    assert heights == sorted(set(heights)) and "p down from 01:28 to 01:28" in ET.tostring(root, "unicode")


def test_a_failed_run_says_so():
    page = Folder(*whole_run(30), outcome(passed=False)).page()
    assert "✗ FAILED" in page and "PASSED" not in page and "0 of 1 checks" in page and page.count("✗") >= 2


def test_a_run_that_broke_off_has_a_page():
    samples, events = whole_run(30)
    page = Folder(samples, events, tail='{"t": 1, "v": 99').page()
    assert "BROKE OFF" in page and "PASSED" not in page and len(pictures_of(page)) > 20
    assert "No samples" in Folder().page()
    assert raises(ValueError, Folder(samples[:1], tail="garbage\n").run)


def test_words_from_outside_are_only_words():
    bad = '<script>alert("x")</script>&'
    samples = [sample(v, f"p{bad}", "processor", bad, millrace_processor_lag_records=v) for v in (0, 25000)]
    result = outcome(verdict=bad, figures={bad: [1, bad, None, False]}, blows={bad: 1}, fragments={bad: [bad]},
                     steps=[{"at": bad, "title": bad, "then": bad, "claim": bad, "checks": [{"text": bad, "ok": True}]}])
    page = Folder(samples, [{"v": BEGIN + 9, "kind": kind, "at": bad, "title": bad} for kind in ("step", "blow", "note")], result).page()
    assert "<script" not in page and pictures_of(page)


def test_a_long_run_makes_no_larger_page():
    sizes = [len(Folder(*whole_run(seconds)).page()) for seconds in (3000, 9000)]
    assert sizes[1] < 1.3 * sizes[0] and sizes[1] < 2 << 20, sizes


def test_the_command():
    folder = Folder(*whole_run(30), outcome())
    command = [sys.executable, str(HERE / "report.py")]
    done = subprocess.run([*command, str(folder.path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stdout == f"{folder.path}/report.html\n" and (folder.path / "report.html").stat().st_size > 10000, done
    assert subprocess.run(command, capture_output=True, timeout=60).returncode == 2


if __name__ == "__main__":
    cases.run(globals())
