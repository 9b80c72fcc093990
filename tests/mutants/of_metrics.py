"""The mutants of the list of metrics, and of what ages and retention are told by."""
from mutant import Mutant, unit


def listed(name, find, replace):
    """One in schemas/metrics.py that the list's own test must notice."""
    return Mutant(name, "schemas/metrics.py", find, replace, "help", '"$MILLRACE_PARTS/venv/bin/python" tests/deploy/test_metrics.py')


def of(name, find, replace):
    """One in common/metrics.c."""
    return unit(name, "common/metrics.c", find, replace, "common", "test_metrics")


MUTANTS = [
    of("gauge-as-a-counter", "	if ((row->type == METRIC_GAUGE) != is_gauge)", "	if (is_gauge && row->type != METRIC_GAUGE)"),
    of("fewer-labels", "	return nr == METRIC_LABELS_MAX || !row->labels[nr];", "	return true;"),
    of("labels-of-any-name", "strcmp(row->labels[i], labels[i].name) != 0)", "!labels[i].name)"),
    of("refused-in-silence", "	metric_add(m->refused, 1);\n", ""),
    of("last-refused-is-told", "	if (!m->first_refused[0])\n", ""),
    of("refused-name-makes-lines", "size_t n = strspn(name, ", "size_t n = strlen(name) + 0 * strspn(name, "),
    of("labels-as-they-come", "strcmp(labels[at - 1].name, name) > 0", "strcmp(labels[at - 1].name, name) > 1000"),
    of("seconds-in-milliseconds", "ms * (NS_PER_S / 1000)", "ms"),
    of("seconds-are-a-count", "metric->row->type == METRIC_SECONDS ? n * NS_PER_S : n", "n"),
    of("milliseconds-to-a-count", "if (metric && metric->row->type == METRIC_SECONDS)", "if (metric && metric->row->type != METRIC_GAUGE)"),
    of("fraction-without-zeros", '"%" PRIu64 ".%09" PRIu64', '"%" PRIu64 ".%" PRIu64'),
    of("tests-rows-are-everybodys", "	m->nr_own = nr_own;", "	m->nr_own = nr_own * 0;"),
    unit("ready-as-it-began", "common/admin.c", "	metric_set(a->ready_metric, admin_is_ready(a));\n", "", "common", "test_admin"),
    unit("retention-without-deletion", "common/retention.c", ' || !strstr(policy, "delete")', "", "common", "test_retention"),
    unit("retention-without-limit", "common/retention.c", "	if (ms < 0 || ", "	if (", "common", "test_retention"),
    unit("retention-with-words", "common/retention.c", "end == retention_ms || *end)", "end == retention_ms)", "common", "test_retention"),
    unit("retention-told-again-and-again", "common/retention.c", "	if (failed && !r->failed)", "	if (failed)", "common", "test_retention"),
    unit("retention-stays-removed", "common/retention.c", "		kept->gauge = NULL;\n", "", "common", "test_retention"),
    unit("replicas-of-others", "ingest/replicas.c", "sizeof(PREFIX) - 1) != 0)", "sizeof(PREFIX) - 2) != 0)", "ingest", "test_replicas"),
    unit("replicas-all-there", "ingest/replicas.c", "isr_cnt < topic", "isr_cnt > topic", "ingest", "test_replicas"),
    unit("held-is-level", "processor/task.c", "	if (t->at_end || (!t->watermark_ms", "	if (t->at_end || t->phase == TASK_HELD || (!t->watermark_ms", "processor", "test_task"),
    unit("idle-is-behind", "processor/task.c", "t->watermark_ms > t->level_ms ? t->watermark_ms : t->level_ms", "t->watermark_ms", "processor", "test_task"),
    unit("unknown-is-level", "sink/notify/intake.c", "		if (lag == 0)", "		if (lag <= 0)", "notify", "test_intake"),
    unit("span-as-old-as-its-last", "sink/mongo/ledger.c", "	if (span->taken++ == 0)\n", "	span->taken++;\n", "sink", "test_ledger"),
    unit("settled-is-old", "sink/mongo/ledger.c", "return l->len ? span_at(l, 0)->first_ms : 0;", "return l->len ? span_at(l, l->len - 1)->first_ms : 0;", "sink", "test_ledger"),
    unit("age-by-the-last-taken", "sink/mongo/lag.c", "	if (oldest_ms > 0)\n", "	if (oldest_ms > 0 && !part->ledger.last_ms)\n", "sink", "test_lag"),
    unit("long-idle-is-old", "sink/mongo/lag.c", " && clock_map_ms(clock, part->ledger.last_ms) > since_ms)", ")", "sink", "test_lag"),
    unit("age-of-the-wall", "sink/mongo/lag.c", "return clock_map_ms(clock, oldest_ms);", "return oldest_ms;", "sink", "test_lag"),
    unit("held-is-young", "sink/notify/intake.c", "		return part->complained_ms;\n", "		return part->level_ms;\n", "notify", "test_intake"),
    unit("backlog-is-young", "sink/notify/intake.c", "	part->last_ms = time_of(i, m);\n", "", "notify", "test_intake"),
    listed("counters-by-any-name", 'if name.endswith("_total") != (metric.type == "counter"):', "if False:"),
    listed("any-unit", "if NO_BASE_UNITS & set(name.split(\"_\")):", "if False:"),
    listed("twice-by-unit", "if not fault and stem_of(metric) in stems:", "if False:"),
    listed("labels-of-any-bound", "if not fault and not {bound for _, bound in metric.labels} <= known:", "if False:"),
]
