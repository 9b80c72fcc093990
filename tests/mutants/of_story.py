"""The mutants of millrace-ctl's silences, incidents, timeline and trigger test, and of what the operator log keeps of a change."""
from mutant import script, unit


def ctl(name, module, find, replace, test=None):
    """One in deploy/ctl/MODULE.c that a unit test must notice."""
    return unit(name, f"deploy/ctl/{module}.c", find, replace, "ctl", f"test_{test or module}")


def told(name, module, find, replace):
    """One that only the commands on a real cluster show."""
    return script(name, f"deploy/ctl/{module}.c", find, replace, "test_ctl_story")


MUTANTS = [
    ctl("incidents-on-every-partition", "topic_spec", "return spec->partitions ? spec->partitions : of_cell;", "return spec->of_cell ? of_cell : spec->partitions;"),
    unit("silence-without-end", "common/silence.c", "	if (s->ends_at - s->starts_at > SILENCE_LIFE_MAX_MS)", "	if (s->ends_at - s->starts_at < 0)", "common", "test_silence"),
    unit("silence-of-no-time", "common/silence.c", "s->ends_at <= s->starts_at", "s->ends_at < s->starts_at", "common", "test_silence"),
    unit("any-selector-is-silent", "common/silence.c", "trigger_check_selectors(s->tags, s->tags_len, err) < 0 || ", "", "common", "test_silence"),
    ctl("removed-ones-stay", "newest", "		free(map_remove(&n->rows, hash));\n", ""),
    ctl("first-one-holds", "newest", "	old = map_get(&n->rows, hash);\n", "	old = map_get(&n->rows, hash);\n	if (old) {\n		free(row);\n		return 0;\n	}\n"),
    ctl("one-of-several", "incidents", "		if (found) {\n", "		if (found && prefix[0] == '~') {\n"),
    ctl("short-prefixes", "incidents", " && digits >= INCIDENTS_PREFIX_MIN", " && digits"),
    ctl("what-is-no-digit", "incidents", "return !prefix[digits] && ", "return "),
    ctl("list-of-one", "args", "		a->listed[a->nr_listed++] = ", "		a->listed[a->nr_listed = 0] = "),
    ctl("past-is-ahead", "moment", "	if (at_ms > now_ms)\n", "	if (at_ms > now_ms + CLOCK_HOUR_MS)\n"),
    ctl("null-is-nothing", "record_text", '		buf_add(out, "null", 4);\n', "", "record_text"),
    # the timeline
    ctl("end-belongs-to-it", "story", "at_ms < s->to_ms", "at_ms <= s->to_ms"),
    ctl("of-other-sites", "story", " || !concerns(s->site, n->has_site, n->site))", ")"),
    ctl("of-no-site-is-of-others", "story", "return !wanted || !has || str_eq", "return !wanted || (has && !wanted) || str_eq"),
    ctl("incidents-of-others", "story", "	    !concerns(s->site, true, i->site))\n", "	    false)\n"),
    ctl("resolved-before-it-began", "story", " || (i->has_resolved_at && i->resolved_at < s->from_ms)", ""),
    ctl("older-ones-stay", "story", "	memmove(s->lines, s->lines + gone, STORY_LINES_MAX * sizeof(*s->lines));", "	memmove(s->lines + gone, s->lines + gone, STORY_LINES_MAX);"),
    ctl("links-in-a-note", "story", '"\\\\`*[]<>|~&"', '"\\\\`*<>|~&"'),
    ctl("emphasis-in-a-note", "story", "is_word(s, i - 1) && is_word(s, i + 1)", "is_word(s, i - 1)"),
    ctl("terminal-codes-in-a-note", "story", "byte == 0xc2 && next >= 0x80", "byte == 0xc2 && next >= 0xa0"),
    ctl("hours-run-on", "story", "if (strncmp(iso, hour, ISO_HOUR) != 0)", "if (strncmp(iso, hour, ISO_DATE) != 0)"),
    ctl("last-taken-first", "story", "return x->rank < y->rank ? -1 : x->rank > y->rank;", "return x->rank > y->rank ? -1 : x->rank < y->rank;"),
    # trigger test
    ctl("sums-do-not-add", "windows", "	d->sum += s->sum;\n", ""),
    ctl("buckets-do-not-add", "windows", "	int rc = hist_merge(&dst->hist, &src->hist);\n", "	int rc = 0;\n"),
    ctl("least-of-the-last", "windows", "s->min < d->min", "s->min > d->min"),
    ctl("last-by-order", "windows", "src->last_at_ms > dst->last_at_ms ||", "src->last_at_ms >= dst->last_at_ms ||"),
    ctl("fragments-stay-apart", "windows", "s->points[kept - 1].start_ms == s->points[i].start_ms", "s->points[kept - 1].start_ms > s->points[i].start_ms"),
    ctl("silence-of-the-well", "trial", "	if (!point && l->state.phase == ALERT_OK)\n		return 0;\n", ""),
    ctl("no-value-holds", "trial", "has_value && trigger_compares", "trigger_compares"),
    ctl("absent-a-minute-early", "trial", "*silent >= l->finding.trigger->absent_minutes", "*silent + 1 >= l->finding.trigger->absent_minutes"),
    ctl("trial-absent-warms-up", "trial", "t->has_absent_minutes ? 1 : t->warm_up_minutes", "t->warm_up_minutes"),
    ctl("never-seen-is-absent", "trial", "	int32_t silent = -1;\n", "	int32_t silent = 0;\n"),
    ctl("open-ones-untold", "trial", "	return live_on(&life, err);\n}\n\n/* The latest", "	return 0;\n}\n\n/* The latest"),
    ctl("signs-of-tomorrow", "trial", "signs[at].t_ms < end_ms", "signs[at].t_ms < span.to_ms"),
    unit("beats-without-grace", "common/trigger.c", "(int64_t)rule->every_minutes + rule->grace_minutes)", "(int64_t)rule->every_minutes)", "ctl", "test_trial"),
    unit("jobs-not-early", "common/trigger.c", "< due_ms - CLOCK_MINUTE_MS)", "< due_ms)", "ctl", "test_trial"),
    ctl("jobs-of-before", "trial", "due_ms >= since_ms && trigger", "(since_ms < 0 || due_ms >= 0) && trigger"),
    unit("jobs-run-for-ever", "common/trigger.c", " && finish_ms < due_ms;", " && finish_ms < INT64_MIN + 1 + due_ms * 0;", "ctl", "test_trial"),
    ctl("untold-by-any-notifier", "status_problems", 'if (is_served(s, "millrace-notify", cell))', 'if (is_served(s, "millrace-notify", (struct str){0}))', "status"),
    ctl("untold-where-the-site-was", "status_problems", "site->routes[i - 1].effective_from > now_ms)", "site->routes[i - 1].effective_from > 0 * now_ms)", "status"),
    ctl("untold-where-the-site-will-be", "status_problems", "effective_from > now_ms)\n		i--;\n", "effective_from > now_ms && !now_ms)\n		i--;\n", "status"),
    told("late-parts-count", "trigger_test", "	if (a->late) {\n", "	if (a->late && a->count < 0) {\n"),
    told("no-near-name", "trigger_test", "distance >= NEAR", "distance >= 1"),
    told("silences-for-ever", "silence", "s.ends_at < now_ms - SWEPT_AFTER_MS", "s.ends_at < now_ms - 30 * SWEPT_AFTER_MS"),
    told("ack-of-the-resolved", "incident", "i->state != INCIDENT_STATE_OPEN)\n		rc", "i->version < 0)\n		rc"),
    told("ack-knows-no-before", "incident", "row ? &before : NULL, ack, err);", "NULL, ack, err);"),
    told("notes-end-with-the-time", "timeline", "topic_scan_bounds(scan, TOPIC_NOTICES, 0, since_ms, &from, &to, err)",
         "topic_scan_bounds(scan, TOPIC_NOTICES, 0, since_ms + 100 * SLACK_MS, &from, &to, err)"),
    told("timeline-written-over", "timeline", '"wxe"', '"we"'),
]
