"""The mutants of millrace-status' metrics."""
from mutant import unit


def of(name, find, replace):
    return unit(name, "sink/status/meters.c", find, replace, "status", "test_meters")


MUTANTS = [
    of("page-gone-cell-goes-on", "		if (*cell->name && !cell->seen) {", "		if (*cell->name && !cell->seen && !cell->state) {"),
    of("page-seen-is-seen-for-ever", "		cell->seen = false;\n", ""),
    of("page-others-are-the-best", "(int)c->state > worst)", "((int)c->state < worst || worst < 0))"),
    of("page-others-stay", "		metrics_remove(m->registry, m->other);\n", ""),
    of("page-name-of-any-length", "	if (!name.len || name.len > CONTROL_CELL_MAX)\n", "	if (!name.len)\n"),
    of("page-cell-without-a-name", "	if (!name.len || name.len > CONTROL_CELL_MAX)\n", "	if (name.len > CONTROL_CELL_MAX)\n"),
    of("page-age-since-1970", "(page->as_of_ms ? page->as_of_ms : m->began_ms)", "page->as_of_ms"),
    of("page-began-anew", "	if (!m->began_ms)\n", ""),
    of("page-age-in-the-future", "age_ms > 0 ? (double)age_ms / 1000 : 0", "(double)age_ms / 1000"),
    of("page-vetoed-is-a-draft", "incidents->list[i]->state == STATUS_INCIDENT_DRAFT", "incidents->list[i]->state != STATUS_INCIDENT_POSTED"),
    of("page-due-for-unwritten", "metric_set(m->unwritten, (double)unwritten)", "metric_set(m->unwritten, unwritten ? (double)due : 0)"),
]
