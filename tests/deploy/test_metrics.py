#!/usr/bin/env python3
"""schemas/metrics.txt is what the sources make, keeps to Prometheus' conventions, and deploy/METRICS.md says what it says.

Without a stack; what running programs say is for test_metrics_live.py.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "schemas"), str(ROOT / "tests" / "e2e"), str(ROOT / "deploy" / "local")]
import cases  # noqa: E402
import metrics  # noqa: E402
from avsc import Refused  # noqa: E402
from millrace_local import PROMTOOL  # noqa: E402

LIST = ROOT / "schemas" / "metrics.txt"
SOURCES = ("common", "ingest", "processor", "sink")


def names_in_sources():
    """Names of metrics as they stand in the sources; the agent's are rows without the prefix."""
    names = set()
    for path in (path for folder in SOURCES for path in (ROOT / folder).rglob("*.c")):
        text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
        names |= set(re.findall(r'"((?:millrace|process)_[a-z0-9_]*[a-z0-9])"', text))
        if path.parts[-2:] == ("agent", "status.c"):
            names |= {"millrace_agent_" + name for name in re.findall(r'AT\([\w.]+\), "(\w+)", (?:true|false)\}', text)}
    return names


def test_the_list_is_what_the_sources_make():
    listed = {m.name for m in metrics.read(LIST)[1]}
    made = names_in_sources()
    assert len(made) > 150, "the sources are not read right"
    assert made == listed, f"not listed: {sorted(made - listed)}; made nowhere: {sorted(listed - made)}"


def test_metrics_md_is_fresh():
    assert (ROOT / "deploy" / "METRICS.md").read_text() == metrics.markdown(*metrics.read(LIST)), "run schemas/gen.py --metrics"


def exposition(rows):
    """A page with a sample of each metric, as a program would show it."""
    lines = []
    for m in sorted(rows):
        labels = ",".join(f'{name}="x"' for name, _ in m.labels)
        lines += [f"# HELP {m.name} {m.meaning}", f"# TYPE {m.name} {m.type}", f"{m.name}{{{labels}}} 0" if labels else f"{m.name} 0"]
    return "\n".join(lines) + "\n"


def promtool(page):
    """What `promtool check metrics` complains about."""
    done = subprocess.run([PROMTOOL, "check", "metrics"], input=page, capture_output=True, text=True, timeout=60)
    return (done.stdout + done.stderr).strip()


def test_promtool_has_nothing_to_say():
    assert promtool(exposition(metrics.read(LIST)[1])) == ""


def test_promtool_can_say_no():
    assert "_total" in promtool("# HELP millrace_x Words.\n# TYPE millrace_x counter\nmillrace_x 1\n")
    assert "milliseconds" in promtool("# HELP millrace_x_milliseconds Words.\n# TYPE millrace_x_milliseconds gauge\nmillrace_x_milliseconds 1\n")


def test_labels_are_bounded():
    bounds, rows = metrics.read(LIST)
    series = {m.name: metrics.series_of(m, bounds) for m in rows}
    worst = max(series, key=series.get)
    print(f"at most {sum(series.values())} series, {series[worst]} of {worst}")
    of_sites = [m for m in rows if any(label == "site" for label, _ in m.labels)]
    assert of_sites and all(dict(m.labels)["site"].endswith("_sites") for m in of_sites), "a site is a label with __other__ or none"
    reasons = len([line for line in (ROOT / "schemas" / "reasons.txt").read_text().splitlines() if line.strip() and not line.startswith("#")])
    assert next(b.values for b in bounds if b.name == "reasons") == reasons, "schemas/reasons.txt has more or fewer"


REFUSED = {
    "counter without _total": "millrace_sink_x counter - Words.",
    "gauge with _total": "millrace_sink_x_total gauge - Words.",
    "no base unit": "millrace_sink_x_milliseconds_total counter - Words.",
    "unit in the middle": "millrace_sink_seconds_spent gauge - Words.",
    "no program of ours": "millrace_source_x gauge - Words.",
    "no prefix": "sink_x gauge - Words.",
    "no sentence": "millrace_sink_x gauge - Words",
    "another label": "bound some 3 a, b, c\nmillrace_sink_x gauge colour:some Words.",
    "a label without a bound": "millrace_sink_x gauge site Words.",
    "a bound that is not there": "millrace_sink_x gauge site:sites Words.",
    "a bound for nothing": "bound some 3 a, b, c",
    "twice": "millrace_sink_x gauge - Words.\nmillrace_sink_x gauge - Words.",
    "the same but for _total": "millrace_sink_x gauge - Words.\nmillrace_sink_x_total counter - Words.",
    "a type of another kind": "millrace_sink_x histogram - Words.",
    "a bound of none": "bound some 0 nothing\nmillrace_sink_x gauge site:some Words.",
}


def test_what_breaks_a_convention_is_refused():
    with tempfile.TemporaryDirectory(prefix="millrace-metrics-") as directory:
        path = pathlib.Path(directory) / "metrics.txt"
        path.write_text("bound some 3 a, b, c\nmillrace_sink_x_seconds_total counter kind:some,site:some Words.\n")
        assert len(metrics.read(path)[1]) == 1
        for what, text in REFUSED.items():
            path.write_text(text + "\n")
            try:
                metrics.read(path)
            except Refused:
                continue
            raise AssertionError(f"{what} was taken")


if __name__ == "__main__":
    cases.run(globals())
