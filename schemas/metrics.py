"""Reads metrics.txt, the one list of metrics, holds it to Prometheus' conventions, and writes what is generated from it: the C table that
common/metrics.c takes types and meanings from, and deploy/METRICS.md for people.

A list beside the code would be wrong within a month: here the code cannot make a metric that the list does not have (common/metrics.c refuses it),
and the list refuses names that a dashboard would stumble over.
"""
import collections
import re

from avsc import Refused

Bound = collections.namedtuple("Bound", "name values which")
Metric = collections.namedtuple("Metric", "name type labels meaning")  # labels: [(name, bound's name)], sorted by name

PROGRAMS = ("ingest", "processor", "sink", "notify", "status", "agent")
COMMON = re.compile(r"millrace_(build_info|ready|log_\w+|metrics_\w+)|process_\w+")
LABELS = ("cell", "site", "topic", "partition", "reason", "kind")
UNITS = ("seconds", "bytes")
NO_BASE_UNITS = {"ns", "nanoseconds", "us", "microseconds", "ms", "milliseconds", "minutes", "hours", "days", "kb", "kilobytes", "kib", "mb",
                 "megabytes", "mib", "gb", "percent"}


def read(path):
    """([Bound], [Metric]) of metrics.txt; Refused when a line is malformed or breaks a convention."""
    bounds, metrics = [], []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            if line.startswith("bound "):
                bounds.append(read_bound(line))
            else:
                metrics.append(read_metric(line))
        except ValueError as e:
            raise Refused(f"metrics.txt:{number}: {e}") from None
    check(bounds, metrics)
    return bounds, metrics


def read_bound(line):
    _, name, values, which = line.split(None, 3)
    if not re.fullmatch(r"[a-z_]+", name) or int(values) < 1:
        raise ValueError(f"{line!r} is not bound, name, number of values, which")
    return Bound(name, int(values), which)


def read_metric(line):
    name, kind, labels, meaning = line.split(None, 3)
    if kind not in ("counter", "gauge"):
        raise ValueError(f"{kind} is neither counter nor gauge")
    pairs = [] if labels == "-" else [tuple(each.split(":")) for each in labels.split(",")]
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"{labels} is not LABEL:BOUND,..")
    return Metric(name, kind, sorted(pairs), meaning)


def program_of(name):
    """The program that makes this metric; "" for every program."""
    word = name.split("_")[1] if name.startswith("millrace_") else ""
    return word if word in PROGRAMS else ""


def unit_of(metric):
    words = metric.name.removesuffix("_total").split("_")
    if words[-1] in UNITS:
        return words[-1]
    return "0 or 1" if re.match(r"1\b", metric.meaning) else "see there" if words[-1] == "state" else "number"


def stem_of(metric):
    """What is left of a name without _total and unit, and the unit: no two metrics may have both in common."""
    words = metric.name.removesuffix("_total").split("_")
    return ("_".join(words[:-1]), words[-1]) if words[-1] in UNITS else ("_".join(words), "")


def check_name(metric):
    """What is wrong with a metric on its own, or None."""
    name = metric.name
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or not (program_of(name) or COMMON.fullmatch(name)):
        return "is not millrace_PROGRAM_WHAT"
    if name.endswith("_total") != (metric.type == "counter"):
        return "ends with _total and is no counter, or the other way round"
    if NO_BASE_UNITS & set(name.split("_")):
        return "has a unit that is no base unit"
    if {"seconds", "bytes"} & set(name.removesuffix("_total").split("_")[:-1]):
        return "has its unit in the middle"
    if not re.fullmatch(r"\S.*\S\.", metric.meaning) or '"' in metric.meaning:
        return "has a meaning that is no sentence"
    if len(metric.labels) > 4 or len({label for label, _ in metric.labels}) != len(metric.labels):
        return "has more than 4 labels, or one twice"
    if name != "millrace_build_info" and any(label not in LABELS for label, _ in metric.labels):
        return f"has a label that is none of {', '.join(LABELS)}"
    return None


def check(bounds, metrics):
    names, stems = set(), {}
    known = {bound.name for bound in bounds}
    for metric in metrics:
        fault = check_name(metric)
        if not fault and metric.name in names:
            fault = "stands there twice"
        if not fault and not {bound for _, bound in metric.labels} <= known:
            fault = "has a label without a bound"
        if not fault and stem_of(metric) in stems:
            fault = f"is {stems[stem_of(metric)]} again"
        if fault:
            raise Refused(f"metrics.txt: {metric.name} {fault}")
        names.add(metric.name)
        stems[stem_of(metric)] = metric.name
    idle = known - {bound for metric in metrics for _, bound in metric.labels}
    if idle or len(known) != len(bounds):
        raise Refused(f"metrics.txt: bounds that nothing has, or one twice: {', '.join(sorted(idle))}")


def series_of(metric, bounds):
    """How many time series a process can make of this metric at most."""
    n = 1
    for _, bound in metric.labels:
        n *= next(b.values for b in bounds if b.name == bound)
    return n


def c_string(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


OPENING = ["/* generated by schemas/gen.py from metrics.txt; not to be edited */", ""]


def header():
    return OPENING + ["#ifndef MILLRACE_METRIC_LIST_H", "#define MILLRACE_METRIC_LIST_H", "", '#include "common/metrics.h"', "",
                      "/* The row of metrics.txt with this name, or NULL. */", "const struct metric_row *metric_list_find(const char *name);",
                      "", "#endif"]


def c_type(metric):
    if metric.type == "gauge":
        return "METRIC_GAUGE"
    return "METRIC_SECONDS" if unit_of(metric) == "seconds" else "METRIC_COUNTER"


def source(metrics):
    lines = OPENING + ['#include "schemas/metric_list.h"', "", "#include <stdlib.h>", "#include <string.h>", "",
                       "static const struct metric_row rows[] = {"]
    for m in sorted(metrics):
        labels = ", ".join(c_string(label) for label, _ in m.labels)
        lines.append(f"\t{{{c_string(m.name)}, {c_string(m.meaning)}, {c_type(m)}, {{{labels or 'NULL'}}}}},")
    return lines + ["};", "", "static int compare(const void *name, const void *row)", "{",
                    "\treturn strcmp(name, ((const struct metric_row *)row)->name);", "}", "",
                    "const struct metric_row *metric_list_find(const char *name)", "{",
                    "\treturn bsearch(name, rows, sizeof(rows) / sizeof(rows[0]), sizeof(rows[0]), compare);", "}"]


INTRODUCTION = """# Metrics

<!-- Written by schemas/gen.py --metrics from schemas/metrics.txt; not to be edited here. -->

What `/metrics` of each program says, in Prometheus' text format. The programs refuse to make a metric that is not in this list.

Every label is bounded: the column `labels` names the bound, the [table at the end](#bounds-of-labels) says how many values it allows and which.
The scrape configuration adds `job`, `cell` and `instance`. A counter begins at 0 with the process; a gauge of a partition goes when the
partition moves to another instance. Units are base units: seconds and bytes.
"""


def cell(text):
    """text in a table of Markdown."""
    return text.replace("|", "&#124;").replace("__", r"\_\_")


def table(metrics):
    lines = ["| name | type | labels | unit | meaning |", "|---|---|---|---|---|"]
    for m in sorted(metrics):
        labels = ", ".join(f"{label} ({bound})" for label, bound in m.labels)
        lines.append(f"| `{m.name}` | {m.type} | {labels} | {unit_of(m)} | {cell(m.meaning)} |")
    return lines


def markdown(bounds, metrics):
    """deploy/METRICS.md."""
    lines = INTRODUCTION.splitlines()
    for program in ("",) + PROGRAMS:
        lines += ["", f"## {'millrace-' + program if program else 'Every program'}", ""]
        lines += table([m for m in metrics if program_of(m.name) == program])
    lines += ["", "## Bounds of labels", "", "| bound | values | which |", "|---|---|---|"]
    lines += [f"| {b.name} | {b.values} | {cell(b.which)} |" for b in bounds]
    return "\n".join(lines) + "\n"
