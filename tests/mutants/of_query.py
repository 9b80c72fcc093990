"""The mutants of millrace-ctl's query: what is merged with what, where it is read, how it is drawn."""
from mutant import unit


def ctl(name, module, find, replace, test=None):
    """One in deploy/ctl/MODULE.c that a unit test must notice."""
    return unit(name, f"deploy/ctl/{module}.c", find, replace, "ctl", f"test_{test or module}")


MUTANTS = [
    ctl("groups-are-one", "query_fold", "	if (value.p)\n		map_key_of(value, key);\n	g = map_get", "	g = map_get"),
    ctl("empty-is-none", "query_fold", "	if (value.p)\n		map_key_of(value, key);\n	g = map_get", "	if (value.len)\n		map_key_of(value, key);\n	g = map_get"),
    ctl("fragments-replace", "query_fold", "	if (!*has)\n		*dst = (struct windows_point){", "	if (!*has || src->start_ms == dst->start_ms)\n		*dst = (struct windows_point){"),
    ctl("the-end-belongs-to-it", "query_fold", "a->window_start < q->spec->to_ms &&", "a->window_start <= q->spec->to_ms &&"),
    ctl("any-start-is-a-window", "query_fold", " && a->window_start % q->spec->window_ms == 0;", ";"),
    ctl("hours-among-minutes", "query_fold", "	if (a->window_ms != q->spec->window_ms)\n		return 0;\n", ""),
    ctl("of-any-site", "query_fold", "	if (!str_eq(a->site, q->spec->site))\n		return 0;\n", ""),
    ctl("tags-do-not-matter", "query_fold", "	if (!trigger_selects(q->spec->tags, q->spec->nr_tags, a->tags, a->tags_len))\n		return false;\n", ""),
    ctl("kinds-add-up", "query_fold", "(q->kinds & (q->kinds - 1)) == 0)", "q->kinds)"),
    ctl("rates-of-an-hour-by-the-minute", "query_fold", "*out *= (double)CLOCK_MINUTE_MS / (double)length_ms;", "*out *= length_ms > 0;"),
    ctl("totals-of-the-first-window", "query_fold", "query_range(q, q->groups[i], 0, q->nr_windows,", "query_range(q, q->groups[i], 0, 1,"),
    ctl("lowest-first", "query_fold", "return u > v ? -1 : 1;", "return u < v ? -1 : 1;"),
    ctl("without-value-first", "query_fold", "return has_u ? -1 : 1;", "return has_u ? 1 : -1;"),
    ctl("near-in-any-order", "query_fold", "q->distance[at - 1] > distance", "q->distance[at - 1] > distance + 9"),
    ctl("groups-without-bound", "query_fold", "if ((q->nr + 1) * q->nr_windows > QUERY_SLOTS_MAX)", "if (q->nr_windows > QUERY_SLOTS_MAX)"),
    ctl("errors-do-not-add", "windows", "	d->errors += s->errors;\n", "", "query_fold"),
    ctl("spools-are-forgotten", "query_plan", "to_ms + QUERY_PLAN_BEHIND_MS)", "to_ms)"),
    ctl("clocks-are-right", "query_plan", "from_ms - QUERY_PLAN_AHEAD_MS,", "from_ms,"),
    ctl("places-twice", "query_plan", "!is_known(places, *nr, route", "!is_known(places, 0, route"),
    ctl("last-route-only", "query_plan", "(is_last || site->routes[r + 1].effective_from > from_ms)", "(is_last || from_ms < 0)"),
    ctl("drawn-from-zero", "sparkline", "	double low = HUGE_VAL, high = -HUGE_VAL;\n", "	double low = 0, high = -HUGE_VAL;\n"),
    ctl("highest-overflows", "sparkline", "return share >= 1 ? HEIGHTS - 1 : (int)(share * HEIGHTS);", "return (int)(share * (HEIGHTS - 1));"),
]
