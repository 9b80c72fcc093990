#!/usr/bin/env python3
"""Alert rules, runbooks and dashboards, each by what reads it in the end: rules by promtool and a Prometheus that scrapes a running stack,
whose answers also judge every expression of every panel; runbooks by the help of the commands that they quote.

A dashboard that asks for a metric that was renamed shows an empty panel, and so does a healthy system: nobody would notice before the
night it is needed.
"""
import functools
import json
import re
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(ROOT / "tests" / "e2e"), str(Path(__file__).resolve().parent)]
import cases  # noqa: E402
import promql  # noqa: E402
import yaml  # noqa: E402
from millrace_local import BINARIES, PROMTOOL  # noqa: E402
from observed import CELLS, Observed  # noqa: E402

PROMETHEUS, GRAFANA, RUNBOOKS = (ROOT / "deploy" / name for name in ("prometheus", "grafana", "runbooks"))
BASE = "https://example.org/millrace/deploy/runbooks"
SEVERITIES = {"page", "ticket", "info"}
HEADINGS = ["What it means", "What is lost", "Look at", "What to do", "It is over when"]
SCRAPED = {"job", "instance"}                       # labels that every series has by being scraped; those of a cell have that, too
OWN = {"up": set(), "ALERTS": {"alertname", "alertstate", "severity", "site", "topic", "reason"}}
RECORDED = {"millrace:hours_to_loss": {"topic"}, "millrace:memory_used:ratio": set(), "millrace:partitions_assigned:sum": set(),
            "millrace:sink_unaccounted:records": set()}
CHOICES = ({"cell": ".*", "site": ".*", "topic": ".*", "__rate_interval": "20s"},
           {"cell": "main", "site": "shop", "topic": "samples|events", "__rate_interval": "20s"})
# What a healthy stack does not have, although it exists: failures that nobody brings about in a minute. Their panels say 0.
RARE = re.compile(r"ALERTS|millrace_ingest_refused_samples_total|"
                  r"millrace_processor_(aborts|overflow_samples|unremembered_\w+|gap_records|trimmed_records|alerts_unknown_windows)_total")
FAILURES = ("ingest killed", "Kafka unreachable from ingest", "one broker lost", "processor killed, frozen, partitioned away",
            "processor behind by a day", "replica set locked or gone", "sink killed", "sink or processor behind by more than the retention",
            "agents come back after an hour", "poison record", "topics deleted and made again")  # of the design
# Words by which alerts say that an operator's control brings them about, or may.
CONTROLS = {"MillraceValveClosed": "An operator's control", "MillraceSinkPaused": "An operator's control",
            "MillraceSinkDropping": "An operator's control", "MillraceNotifyDropping": "An operator's control",
            "MillraceHoursToLossLow": "An operator's control pauses", "MillraceHoursToLossCritical": "An operator's control pauses",
            "MillraceSinkBehind": "no control pauses", "MillraceNotificationsStuck": "An operator's pause",
            "MillraceAgentsLoseData": "An operator's control"}
NEEDED = ('sum(millrace_notify_notifications_total{kind="delivered"}) > 0', "count(sum by (cell) (millrace_sink_stored_total) > 0) == 2",
          'sum(millrace_processor_fragments_total{topic="hourly"}) > 0', 'sum(millrace_processor_fragments_total{reason="late"}) > 0',
          "sum(millrace_processor_dead_letters_total) > 0", "count(millrace:hours_to_loss) > 0", "count(max by (kind, cell) (millrace_status_component_state)) == 6",
          "min(count_over_time(up[5m])) > 20")
PATIENCE_S, BREAKER_S = 90, 40


def load(name):
    return yaml.load((PROMETHEUS / name).read_text(), yaml.CSafeLoader)


@functools.cache
def rules():
    return [rule for group in load("rules.yml")["groups"] for rule in group["rules"]]


@functools.cache
def alerts():
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def dashboards():
    return {file.stem: json.loads(file.read_text()) for file in sorted((GRAFANA / "dashboards").glob("*.json"))}


def panels(dashboard):
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def expressions(dashboard):
    return [(panel["title"], target["expr"]) for panel in panels(dashboard) for target in panel["targets"]]


def listed():
    """{metric: its labels} of schemas/metrics.txt."""
    found = {}
    for line in (ROOT / "schemas" / "metrics.txt").read_text().splitlines():
        if line and not line.startswith(("#", "bound ")):
            name, _, labels, _ = line.split(None, 3)
            found[name] = set() if labels == "-" else {label.split(":")[0] for label in labels.split(",")}
    return found


def known():
    """{metric: all labels that it has once it is scraped}."""
    of = {**listed(), **OWN, **RECORDED}
    cell = {name: set() if name.startswith(("millrace_ingest", "millrace_status", "millrace_agent")) else {"cell"} for name in of}
    return {name: labels | SCRAPED | cell[name] for name, labels in of.items()}


def faults_of(expression, of):
    """What is wrong with an expression's names: metrics nobody has, labels they do not have, sums by labels that nothing within has."""
    faults = []
    for name, labels in promql.selectors(expression):
        faults += [f"no metric {name}"] if name not in of else [f"{name} has no label {label}" for label in labels if label not in of[name]]
    for labels, metrics in promql.groupings(expression):
        have = set().union(*(of.get(metric, set()) for metric in metrics))
        faults += [f"nothing in {metrics} has a label {label}" for label in labels if label not in have]
    return faults


def substituted(expression, choice):
    for name, value in choice.items():
        expression = expression.replace(f"${name}", value)
    assert "$" not in expression, expression
    return expression


def test_the_rules_are_valid():
    done = subprocess.run([PROMTOOL, "check", "rules", PROMETHEUS / "rules.yml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_can_say_no():
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rules.yml"
        file.write_text((PROMETHEUS / "rules.yml").read_text().replace("expr: millrace_ready == 0", "expr: millrace_ready =="))
        assert subprocess.run([PROMTOOL, "check", "rules", file], capture_output=True).returncode != 0


def test_every_alert_has_what_it_needs():
    for name, rule in alerts().items():
        assert re.fullmatch(r"Millrace([A-Z][a-z]+)+", name), name
        assert set(rule["labels"]) == {"severity"} and rule["labels"]["severity"] in SEVERITIES, name
        assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}, name
        said = rule["annotations"]["summary"] + rule["annotations"]["description"]
        assert "{{ $value" in said or rule["expr"].rstrip().endswith(("== 0", "== 1", "== 1)")), name  # those have no figure to tell
        assert said.endswith((".", ".{{ end }}")), name


def test_every_alert_has_its_runbook():
    names = set(alerts())
    assert len(names) == sum("alert" in rule for rule in rules()), "an alert's name stands twice"
    assert {file.stem for file in RUNBOOKS.glob("*.md")} - {"README"} == names
    for name, rule in alerts().items():
        assert rule["annotations"]["runbook_url"] == f"{BASE}/{name}.md", name


def test_a_control_says_so():
    """What an operator's control brings about names it."""
    for name, words in CONTROLS.items():
        assert words in " ".join(alerts()[name]["annotations"].values()), name


def runbook_faults(text):
    """What is wrong with a runbook's shape."""
    headings = re.findall(r"^## (.+)$", text, re.M)
    faults = [] if headings == HEADINGS else [f"headings: {headings}"]
    return faults + [f"nothing under {part.splitlines()[0]}" for part in text.split("\n## ")[1:] if len(part.splitlines()) < 2]


def test_runbooks_answer_the_five_questions():
    for name in alerts():
        text = (RUNBOOKS / f"{name}.md").read_text()
        assert text.startswith(f"# {name}\n"), name
        assert not runbook_faults(text), (name, runbook_faults(text))
    assert runbook_faults("# X\n## What it means\nx\n")


def commands(text):
    """[(whole, command line)] of millrace-ctl's that a text quotes; whole: a line of its own, to be typed as it stands."""
    whole = [(True, line.strip().split("   #")[0]) for line in re.findall(r"^ {4}(millrace-ctl .+)$", text, re.M)]
    return whole + [(False, line) for line in re.findall(r"`(millrace-ctl [^`]+)`", text)]


HELP = {}


def help_of(words):
    """The help of the longest command that words begin with, or None."""
    for length in (2, 1):
        command = tuple(words[:length])
        if len(command) == length and command not in HELP:
            done = subprocess.run([BINARIES / "millrace-ctl", *command, "--help"], capture_output=True, text=True, timeout=20)
            HELP[command] = done.stdout if done.returncode == 0 and "VERB" not in done.stdout.splitlines()[0] else None
        if HELP.get(command):
            return HELP[command]
    return None


def command_faults(whole, line):
    """What millrace-ctl would not take of a quoted line."""
    words = shlex.split(line)[1:]
    text = help_of(words)
    if text is None:
        return [f"no such command: {line}"]
    short = dict(re.findall(r"^  (-\w), (--[a-z-]+)", text, re.M))
    flags = [short.get(word, word.split("=")[0]) for word in words if re.fullmatch(r"--?[a-z][a-z-]*(=.*)?", word)]
    has = set(re.findall(r"(?<![\w-])(--?[a-z][a-z-]*)\b", "\n".join(row for row in text.splitlines() if row.startswith("  "))))
    needed = re.findall(r"^  (?:-\w, )?(--[a-z-]+).*\(must be given\)", text, re.M)
    faults = [f"{flag} is unknown: {line}" for flag in flags if flag not in has]
    return faults + [f"{flag} is missing: {line}" for flag in needed if whole and flag not in flags]


def test_runbooks_quote_commands_that_exist():
    quoted = 0
    for file in [*RUNBOOKS.glob("*.md"), PROMETHEUS / "README.md"]:
        for whole, line in commands(file.read_text()):
            quoted += 1
            assert not command_faults(whole, line), (file.name, command_faults(whole, line))
    assert quoted > len(alerts()), quoted
    for wrong in ("millrace-ctl stat", "millrace-ctl offsets", "millrace-ctl status --max-lags 3",
                  "millrace-ctl control set --on sink --do pause"):
        assert command_faults(True, wrong), wrong


def test_runbooks_link_to_what_is_there():
    for file in [*RUNBOOKS.glob("*.md"), PROMETHEUS / "README.md"]:
        for link in re.findall(r"\]\(([^)#]+)[^)]*\)", file.read_text()):
            assert link.startswith("http") or (file.parent / link).exists(), (file.name, link)
        for name in re.findall(r"\bMillrace[A-Z]\w+", file.read_text()):
            assert name in alerts(), (file.name, name)
        for name in re.findall(r"\bmillrace_(?:ingest|processor|sink|notify|status|agent|ready|log)\w*", file.read_text()):
            assert name in listed(), (file.name, name)


def test_the_table_of_failures_names_all_alerts():
    text = (PROMETHEUS / "README.md").read_text()
    missing = [name for name in alerts() if f"[{name}](../runbooks/{name}.md)" not in text]
    missing += [failure for failure in FAILURES if not re.search(rf"^\| {failure} \| \[Millrace", text, re.M)]
    assert not missing, missing


def test_written_files_are_what_is_written():
    for program in (GRAFANA / "make.py", PROMETHEUS / "make_tests.py"):
        done = subprocess.run([sys.executable, program, "--check"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def panel_faults(dashboard):
    """What an operator would miss on it."""
    faults = [] if len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"]) else ["an id stands twice"]
    for panel in panels(dashboard):
        defaults, where = panel["fieldConfig"]["defaults"], panel["title"]
        faults += [f"{where}: no unit"] if not defaults.get("unit") else []
        faults += [f"{where}: no description"] if not panel.get("description", "").endswith(".") else []
        sources = {each["datasource"]["uid"] for each in [panel, *panel["targets"]]}
        faults += [f"{where}: datasource"] if sources != {"${datasource}"} else []
        faults += [f"{where}: {link['url']}" for link in panel["links"] if link["url"] not in {f"{BASE}/{name}.md" for name in alerts()}]
        place = panel["gridPos"]
        faults += [f"{where}: out of the grid"] if place["x"] + place["w"] > 24 else []
        faults += [f"{where}: over another" for other in dashboard["panels"] if other is not panel and overlap(place, other["gridPos"])]
    return faults


def overlap(a, b):
    return a["x"] < b["x"] + b["w"] and b["x"] < a["x"] + a["w"] and a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"]


def test_panels_have_what_an_operator_needs():
    for name, dashboard in dashboards().items():
        assert dashboard["uid"] == f"millrace-{name}" and dashboard["tags"] == ["millrace"] and dashboard["schemaVersion"] >= 38, name
        assert dashboard["templating"]["list"][0]["type"] == "datasource", name
        assert {link["type"] for link in dashboard["links"]} == {"dashboards", "link"}, name
        assert not panel_faults(dashboard), (name, panel_faults(dashboard))
    broken = dashboards()["overview"]
    del panels(broken)[0]["fieldConfig"]["defaults"]["unit"]
    panels(broken)[1]["gridPos"]["x"] = 0
    assert len(panel_faults(broken)) >= 2


def test_no_expression_asks_for_what_nobody_has():
    of = known()
    for where, expression in [*((rule.get("alert", rule.get("record")), rule["expr"]) for rule in rules()),
                              *(((name, title), e) for name, dashboard in dashboards().items() for title, e in expressions(dashboard))]:
        assert promql.selectors(expression), where
        assert not faults_of(expression, of), (where, faults_of(expression, of))
    for wrong in ("millrace_sink_nothing > 0", 'millrace_ready{cellar="a"}', "sum by (reason) (millrace_ready)",
                  'millrace_ingest_sites{cell="a"}'):
        assert faults_of(wrong, of), wrong


class Promtools:
    """promtool's runs of rules_test.yml, and of its sick worlds for what the annotations say: begun first, while the stack starts."""

    def __init__(self, folder):
        self.tests = load("rules_test.yml")["tests"]
        described = {"rule_files": [str(PROMETHEUS / "rules.yml")], "evaluation_interval": "1m", "tests": self._sick()}
        (folder / "described.yml").write_text(json.dumps(described))
        self.runs = [subprocess.Popen([PROMTOOL, "test", "rules", file], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                     for file in (PROMETHEUS / "rules_test.yml", folder / "described.yml")]

    def _sick(self):
        """All sick worlds as one, apart by cell, instance and site, in which no alert is expected: promtool prints each that it gets, with
        its annotations. Shares of all that comes in stay alone."""
        worlds = [world for world in self.tests if world["name"].endswith(" fires")]
        alone = [world for world in worlds if world["name"].startswith("MillraceBacklogWave")]
        series = [{**each, "series": re.sub(r'((?:cell|instance|site)="[^"]*)', rf"\g<1>-{number}", each["series"])}
                  for number, world in enumerate(worlds) if world not in alone for each in world["input_series"]]
        return [{"interval": "1m", "input_series": data, "alert_rule_test": [self._unexpected(world) for world in within]}
                for data, within in [(series, [w for w in worlds if w not in alone]), *((w["input_series"], [w]) for w in alone)]]

    @staticmethod
    def _unexpected(world):
        return {"alertname": world["name"].split()[0], "eval_time": world["promql_expr_test"][0]["eval_time"], "exp_alerts": []}

    def end(self, which):
        return self.runs[which].communicate(timeout=180)[0], self.runs[which].returncode

    def close(self):
        for run in self.runs:
            run.kill()
            run.wait()


def verdicts_missing(tests, names):
    """Alerts that are not tried both ways."""
    tried = {(test["name"].split()[0], int(float(test["promql_expr_test"][0]["exp_samples"][0]["value"]))) for test in tests}
    return [(name, fires) for name in names for fires in (0, 1) if (name, fires) not in tried]


def check_worlds(tools):
    """Each alert fires in its world, and not in one that is nearly as bad."""
    assert not verdicts_missing(tools.tests, alerts()), verdicts_missing(tools.tests, alerts())
    assert verdicts_missing(tools.tests[1:2], ["MillraceNoInstance"]) == [("MillraceNoInstance", 1)]
    text, code = tools.end(0)
    assert code == 0 and "SUCCESS" in text, text


def check_annotations(tools):
    """What a person reads when it fires: no template that failed, no label that is missing."""
    text, _ = tools.end(1)
    told = re.findall(r'alertname="(\w+)"', text.replace('\\"', '"'))
    assert set(told) >= set(alerts()), set(alerts()) - set(told)
    assert "An operator's control pauses this sink." in text
    for wrong in ("error expanding", "<no value>", "%!", "NaN", "in cell ,", "of cell :", "of cell '"):
        assert wrong not in text, (wrong, text[max(0, text.index(wrong) - 300):][:600])


def missing_data(observed):
    """What the expressions still need of the running stack."""
    ask = observed.prometheus.ask
    missing = [f"target {labels} is down" for labels, value in ask("up") if value != 1]
    missing += ["targets"] if len(ask("up")) != len(observed.cells.targets) else []
    return missing + [expression for expression in NEEDED if not ask(expression)]


def check_expression(observed, where, asked):
    """It has something to show; where it would show 0 for what is not there, that is a failure which was not brought about."""
    assert observed.prometheus.ask(asked), f"{where}: nothing for {asked}"
    bare = asked.removesuffix(" or on () vector(0)")
    if bare != asked and not observed.prometheus.ask(bare):
        unseen = [metric for metric, vector in promql.vectors(bare) if not observed.prometheus.ask(vector)]
        assert all(RARE.fullmatch(metric) for metric in unseen), f"{where}: nothing but 0 for {asked}"


def check_panels(observed):
    """Every expression of every panel, with every variable at all and at one; and what the variables may be chosen from."""
    for name, dashboard in dashboards().items():
        for choice in CHOICES:
            for title, expression in expressions(dashboard):
                check_expression(observed, (name, title), substituted(expression, choice))
        for variable in dashboard["templating"]["list"][1:]:
            metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]["query"]).groups()
            assert observed.prometheus.get(f"label/{label}/values", **{"match[]": metric}), (name, variable["name"])


def check_rules(observed):
    """Prometheus has evaluated all of them, none with an error; the metrics that they ask for are there, or among those that may be."""
    groups = observed.prometheus.get("rules")["groups"]
    loaded = [rule for group in groups for rule in group["rules"]]
    assert len(loaded) == len(rules())
    for rule in loaded:
        assert rule["health"] == "ok" and not rule.get("lastError"), rule
    there = set(observed.prometheus.get("label/__name__/values"))
    for rule in rules():
        observed.prometheus.ask(rule["expr"])
        for metric, _ in promql.selectors(rule["expr"]):
            assert metric in there or metric in listed(), (rule, metric)


def check_the_ledger_adds_up(observed):
    """MillraceLedgerMismatch has figures to judge by, and they are 0."""
    unaccounted = observed.prometheus.ask("min_over_time(millrace:sink_unaccounted:records[1m])")
    assert len(unaccounted) == len(CELLS) and not any(value for _, value in unaccounted), unaccounted


def check_the_judge_can_say_no(observed):
    for wrong in ('sum by (cell) (millrace_sink_stored_total{cell="nowhere"})', "sum by (",
                  'rate(millrace_sink_stored_total{topic="t"}[1m])',
                  'sum by (cell) (rate(millrace_sink_stored_total{cell="nowhere"}[1m])) or on () vector(0)'):
        try:
            check_expression(observed, "judge", wrong)
        except AssertionError:
            continue
        raise AssertionError(f"not refused: {wrong}")


def check_nobody_is_woken_by_a_healthy_stack(observed):
    """Pages that have nothing to do with what the application does on purpose."""
    ours = {"MillraceAgentsLoseData", "MillraceAlertsLate", "MillraceNotifyBehind"}  # lost on purpose; and ages run twenty times as fast
    firing = {labels["alertname"] for labels, _ in observed.prometheus.ask('ALERTS{severity="page"}')}
    assert firing <= ours, firing - ours


def check_a_dead_database_is_seen(observed):
    """kill -9 of one cell's database: that cell's alert begins, and the other's does not."""
    expression = alerts()["MillraceBreakerOpen"]["expr"]
    assert not observed.prometheus.ask(expression)
    cell = next(iter(CELLS))
    observed.cells.stack.databases[0].process.kill()
    observed.wait(lambda: [] if observed.prometheus.ask(expression) else ["MillraceBreakerOpen"], BREAKER_S, "the breaker")
    assert {labels["cell"] for labels, _ in observed.prometheus.ask(expression)} == {cell}
    deadline = time.monotonic() + 10
    while not (told := [a for a in observed.prometheus.get("alerts")["alerts"] if a["labels"]["alertname"] == "MillraceBreakerOpen"]):
        assert time.monotonic() < deadline, "no alert is pending"
        time.sleep(0.3)
    assert told[0]["labels"]["cell"] == cell and cell in told[0]["annotations"]["summary"], told


def show(observed, *names):
    """A dashboard as text, for who wants to see one without Grafana."""
    for name in names:
        print(f"== {name}")
        for title, expression in expressions(dashboards()[name]):
            print(f"{title}:")
            for labels, value in observed.prometheus.ask(substituted(expression, CHOICES[0]))[:8]:
                print(f"    {value:14.6g}  {' '.join(f'{key}={text}' for key, text in sorted(labels.items()) if key != '__name__')}")


def test_on_a_running_stack():
    with tempfile.TemporaryDirectory(prefix="millrace-observe-") as folder:
        tools = Promtools(Path(folder))
        try:
            with Observed(folder) as observed:
                begun = time.monotonic()
                observed.wait(lambda: missing_data(observed), PATIENCE_S, "data")
                print(f"data after {time.monotonic() - begun:.1f} s")
                check_rules(observed)
                check_panels(observed)
                check_the_ledger_adds_up(observed)
                check_the_judge_can_say_no(observed)
                check_nobody_is_woken_by_a_healthy_stack(observed)
                show(observed, *sys.argv[1:])
                check_a_dead_database_is_seen(observed)
                observed.application.check()
            check_worlds(tools)
            check_annotations(tools)
        finally:
            tools.close()


if __name__ == "__main__":
    cases.run(globals())
