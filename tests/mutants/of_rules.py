"""The mutants of triggers: what they mean, which series has which, where a series is, and when nobody could report."""
from mutant import unit


def of(name, module, find, replace, test=None):
    """One in common/MODULE that the unit test of its name, or another, must notice."""
    return unit(name, f"common/{module}", find, replace, "common", f"test_{test or module.rsplit('.', 1)[0]}")


def judging(name, module, find, replace, test=None):
    """The same in processor/MODULE."""
    return unit(name, f"processor/{module}", find, replace, "processor", f"test_{test or module.rsplit('.', 1)[0]}")


MUTANTS = [
    # the life of an alert
    of("opens-a-minute-late", "alert.c", "if (a->run < warm_up)", "if (a->run <= warm_up)"),
    of("closes-a-minute-late", "alert.c", "if (a->run < cooldown)", "if (a->run <= cooldown)"),
    of("cooling-is-forgiven-nothing", "alert.c", "		a->phase = ALERT_OPEN;\n		a->run = 0;\n", "		a->run = 0;\n"),
    of("warming-goes-on-after-a-break", "alert.c", "		a->phase = ALERT_OK;\n		a->run = 0;\n		return ALERT_STAYS;", "		a->phase = ALERT_OK;\n		return ALERT_STAYS;"),
    of("cooling-goes-on-after-a-break", "alert.c", "		a->phase = ALERT_OPEN;\n		a->run = 0;\n", "		a->phase = ALERT_OPEN;\n"),
    of("warming-is-not-given-up", "alert.c", "		a->phase = ALERT_OK;\n		a->run = 0;\n		return ALERT_STAYS;", "		a->run = 0;\n		return ALERT_STAYS;"),
    of("unknown-is-no", "alert.c", "	default:\n		return ALERT_STAYS;", "	default:\n		return judge_holds_not(a, cooldown);"),
    of("id-without-its-time", "alert.c", "(uint8_t)((uint64_t)opened_ms >> (56 - 8 * i))", "(uint8_t)((uint64_t)opened_ms >> (48 - 7 * i))"),
    of("id-without-its-kind", "alert.c", "tail[8] = (uint8_t)kind;", "tail[8] = 0 * (uint8_t)kind;"),
    # cron
    of("both-days-always", "cron.c", "by_day && by_weekday : by_day || by_weekday", "by_day && by_weekday : by_day && by_weekday"),
    of("a-star-day-with-either", "cron.c", "c->any_day || c->any_weekday ? by_day", "c->any_day && c->any_weekday ? by_day"),
    of("sunday-is-not-seven", "cron.c", "(sets[WEEKDAY] | sets[WEEKDAY] >> 7)", "(sets[WEEKDAY])"),
    of("week-begins-a-day-early", "cron.c", "c->weekdays >> (day + 4) % 7", "c->weekdays >> (day + 3) % 7"),
    of("no-century", "cron.c", "of_era - (365 * year + year / 4 - year / 100)", "of_era - (365 * year + year / 4)"),
    of("five-years-ahead", "cron.c", "DAYS_MAX = 8 * 366", "DAYS_MAX = 5 * 366"),
    of("next-minute-is-this", "cron.c", "t_ms / CLOCK_MINUTE_MS + (t_ms % CLOCK_MINUTE_MS > 0)", "t_ms / CLOCK_MINUTE_MS"),
    of("going-back-from-midnight", "cron.c", "at = step > 0 ? 0 : DAY_MINUTES - 1;", "at = 0;"),
    of("february-has-thirty", "cron.c", "{31, 29, 31,", "{31, 30, 31,"),
    of("a-value-with-a-step", "cron.c", "many = str_take(s, \"-\");\n		if (many &&", "many = str_take(s, \"-\") || true;\n		if (s->p[-1] == '-' &&"),
    # which records are triggers
    of("two-conditions", "trigger_check.c", "t->has_check_in != 1)", "t->has_check_in < 1)", "trigger"),
    of("selectors-unsorted", "trigger_check.c", "selectors[i].key) >= 0)", "selectors[i].key) == 0)", "trigger"),
    of("values-twice", "trigger_check.c", "if (str_eq(s->values[i], s->values[j]))", "if (s->values[i].p == NULL && str_eq(s->values[i], s->values[j]))", "trigger"),
    of("threshold-without-end", "trigger_check.c", "if (!isfinite(rule->threshold))", "if (isnan(rule->threshold))", "trigger"),
    of("heartbeat-without-every", "trigger_check.c", "if (!is_cron && c->every_minutes == 0)", "if (!is_cron && c->every_minutes == 0 && c->grace_minutes < 0)", "trigger"),
    of("values-without-end", "trigger_check.c", "if (bytes > TRIGGER_VALUES_BYTES_MAX)", "if (bytes > TRIGGER_VALUES_BYTES_MAX + 1)", "trigger"),
    of("percentile-of-anything", "trigger_check.c", "t->kind != SERIES_KIND_DISTRIBUTION)", "t->kind == SERIES_KIND_COUNTER)", "trigger"),
    of("lines-with-c1", "str.c", "(last == 0xc2 && byte < 0xa0)", "(last == 0xc2 && byte < 0x80)", "trigger"),
    # what they see
    of("glob-gives-up-early", "trigger.c", "			t = ++tried;", "			t = tried = t + 1;"),
    of("glob-star-of-one", "trigger.c", "	while (p < pattern.len && pattern.p[p] == '*')\n		p++;\n", ""),
    of("absent-tag-never", "trigger.c", "return s->op == SELECTOR_OP_ABSENT;", "return false && s->op == SELECTOR_OP_ABSENT;"),
    of("present-and-absent-alike", "trigger.c", "return s->op == SELECTOR_OP_PRESENT;", "return true;"),
    of("kind-does-not-matter", "trigger.c", "(!t->has_kind || (uint8_t)t->kind == id->kind)", "(!t->has_kind || (uint8_t)t->kind != id->kind + 9)"),
    of("rate-of-counters-by-count", "trigger.c", "(p->kind == SERIES_KIND_COUNTER ? p->sum", "(p->kind == SERIES_KIND_GAUGE ? p->sum"),
    of("quantile-clamped-to-nothing", "trigger.c", "p->has_max ? p->max : HUGE_VAL", "p->max"),
    of("nothing-has-a-mean", "trigger.c", "return p->count > 0 ? p->sum / (double)p->count : NAN;", "return p->count > 0 ? p->sum / (double)p->count : 0;"),
    of("nan-differs", "trigger.c", "return value < rule->threshold || value > rule->threshold;", "return !(value == rule->threshold);"),
    of("revision-of-minus-zero", "trigger.c", "	d += 0.0;\n", ""),
    of("revision-without-warm-up", "trigger.c", "(uint64_t)(t->warm_up_minutes ? t->warm_up_minutes : 1)", "(uint64_t)1"),
    of("revision-runs-values-together", "trigger.c", "	add_number(state, s.len);\n	XXH3_64bits_update(state, s.p", "	XXH3_64bits_update(state, s.p"),
    of("condition-cut-in-a-character", "trigger_words.c", "cut = str_cut_utf8((struct str){w->out, TRIGGER_CONDITION_SIZE - 1}, TRIGGER_CONDITION_SIZE - sizeof(more));",
       "cut = (struct str){w->out, TRIGGER_CONDITION_SIZE - sizeof(more)};", "trigger"),
    # which series has which
    judging("first-selector-is-best", "rules_index.c", "		if (n < least) {", "		if (best == NO_SELECTOR && n < least) {", "rules"),
    judging("one-value-is-enough", "rules_index.c", "	return s->op == SELECTOR_OP_ONE_OF ? s->values_len : 1;", "	return 1 + 0 * s->values_len;", "rules"),
    judging("ends-are-not-looked-up", "rules_index.c", "		ask_lengths(x, key, NODE_END, id->tags[i].value, id);\n", "", "rules"),
    judging("beginnings-of-one-length", "rules_index.c", "left; left &= left - 1)", "left; left = 0)", "rules"),
    judging("sets-unsorted", "rules_index.c", "	qsort(x->found, x->nr_found, sizeof(*x->found), by_number);\n", "	(void)by_number;\n", "rules"),
    judging("sets-without-names", "rules_index.c", "	if (known)\n		return", "	if (known && x->nr_found == 0)\n		return", "rules"),
    judging("long-names-looked-up", "rules_index.c", "(!parent && type != NODE_SITE) || text.len > SERIES_STRING_MAX", "(!parent && type != NODE_SITE) || text.len > 100000", "rules"),
    judging("other-cells-make-rules-anew", "rulebook.c", "	b->changed |= e && site_place_is_home(e->place);", "	b->changed |= e != NULL;", "rules"),
    judging("same-row-makes-rules-anew", "rulebook.c", "if (old && str_eq((struct str){old->bytes, old->len}, bytes))", "if (old && old->len == 0)", "rules"),
    judging("new-homes-unseen", "rulebook.c", " || b->homes != b->placements->homes;", ";", "rules"),
    judging("triggers-without-end", "rulebook.c", "b->by_id.len >= RULEBOOK_MAX", "b->by_id.len > RULEBOOK_MAX", "rules"),
    judging("key-of-a-trigger-unseen", "rulebook.c", "if (!str_eq(row->key, t.id))", "if (row->key.len == 0)", "rules"),
    judging("group-of-markers", "rulebook.c", "EVENT_CHECK_IN = 3", "EVENT_CHECK_IN = 2", "rules"),
    judging("rules-die-with-the-book", "rules.c", "	if (!r || --r->refs > 0)", "	if (!r || --r->refs > 1)", "rules"),
    # where a series is
    judging("minute-before-a-change-is-known", "placement.c", "s->routes[i].from_ms < minute_ms + 2 * CLOCK_MINUTE_MS", "s->routes[i].from_ms < minute_ms + CLOCK_MINUTE_MS"),
    judging("minute-behind-a-change-is-unknown", "placement.c", "	i = route_before(s, minute_ms);\n	do {", "	i = route_before(s, minute_ms - CLOCK_MINUTE_MS);\n	do {"),
    judging("moving-ends-early", "placement.c", "i = route_before(s, t_ms - CLOCK_MINUTE_MS);", "i = route_before(s, t_ms);"),
    judging("partitions-of-another-cell-size", "placement.c", "	if (r->made_for == partitions)", "	if (r->made_for)"),
    judging("disabled-is-here", "placement.c", "	if (s->disabled || !s->nr_routes)\n		return PLACE_ELSEWHERE;", "	if (!s->nr_routes)\n		return PLACE_ELSEWHERE;"),
    judging("home-is-left", "placement.c", "		s->home |= routes[i].here;", "		s->home = routes[i].here;"),
    judging("routes-as-they-stand", "placement.c", "	qsort(routes, site->routes_len, sizeof(*routes), by_time);\n", "	(void)by_time;\n"),
    # when nobody could report
    judging("other-cells-close-us", "closures.c", "(!cell.len || str_eq(cell, str_from(c->cell)))", "(!cell.len || c->cell)"),
    judging("clear-is-not-heard", "closures.c", "		say_open(s, row->timestamp_ms);", "		s->grows = false;"),
    judging("beats-end-nothing", "closures.c", " && !lists(beat, &c->spans[i]))", " && !lists(beat, &c->spans[i]) && !beat->controls_len)"),
    judging("instances-share-a-word", "closures.c", "		out[i] ^= instance[i];", "		out[i] ^= 0 & instance[i];"),
    judging("empty-spans-cover", "closures.c", "		if (from < to && (", "		if (from + to > 0 && s->from_ms < to_ms && s->to_ms > from_ms && ("),
    judging("newest-span-gives-way", "closures.c", "		if (c->spans[i].to_ms < first->to_ms)", "		if (c->spans[i].to_ms > first->to_ms)"),
]
