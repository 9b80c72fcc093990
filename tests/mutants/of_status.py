"""The mutants of millrace-ctl status, of lag in time, of progress, and of what heartbeats tell."""
from mutant import unit


def ctl(name, module, find, replace, test=None):
    """One in deploy/ctl/MODULE.c that a unit test must notice."""
    return unit(name, f"deploy/ctl/{module}.c", find, replace, "ctl", f"test_{test or module}")


def shared(name, module, find, replace, test=None):
    """One in common/MODULE.c, which the status page reads by, too."""
    return unit(name, f"common/{module}.c", find, replace, "common", f"test_{test or module}")


def problem(name, find, replace):
    return ctl(name, "status_problems", find, replace, "status")


MUTANTS = [
    unit("heartbeat-without-memory", "common/report.c", "all[(*nr)++] = (struct figure){STR(\"memory_bytes\"), process_rss_bytes()};", "", "common", "test_report"),
    unit("heartbeat-forgets-its-own", "common/report.c", "		memcpy(all, figures, *nr * sizeof(*all));\n", "		*nr = 0;\n", "common", "test_report"),
    # order and exit code
    problem("problems-as-they-come", "s->problems[at - 1].severity > severity", "s->problems[at - 1].severity > NR_STATUS_SEVERITIES"),
    problem("equals-in-reverse", "s->problems[at - 1].severity > severity", "s->problems[at - 1].severity >= severity"),
    problem("hints-are-problems", "s->nr_hints += severity == STATUS_HINT;", ""),
    # the status page
    problem("update-is-never-due", 'status_figure(b, "updates_due", &due) && due > 0', 'status_figure(b, "updates_due", &due) && due > 2'),
    problem("no-draft-is-one", 'status_figure(b, "drafts", &drafts) && drafts > 0', 'status_figure(b, "drafts", &drafts)'),
    problem("drafts-of-others", 'status_is_live(&s->beats[i], "millrace-status")', 'status_is_live(&s->beats[i], "millrace-ingest")'),
    # records of a newer build
    problem("unreadable-is-well", "if (items[i]->fault && !faults++)", "if (items[i]->fault && !s->now_ms && !faults++)"),
    ctl("newer-is-replaced", "diff", "if (live && check_ours(live, kind, err) < 0)", "if (live && check_ours(live, kind, err) > 0)"),
    ctl("newer-is-pruned", "diff", " && (rc = check_ours(there[i], kind, err)) == 0)", ")"),
    ctl("export-forgets-a-cap", "record_json", "	json_write_int(w, \"series_cap\", site->series_cap);\n", ""),
    # loss
    shared("markers-are-losses", "lag", "return cut > has_markers(p->topic) ? cut : 0;", "return cut > 0 * has_markers(p->topic) ? cut : 0;"),
    shared("nobodys-losses", "lag", "p->fault || p->committed < 0 ? 0", "p->fault ? 0"),
    problem("loss-a-day-too-late", "p->left_ms < STATUS_LOSS_NEAR_MS &&", "p->left_ms < 0 &&"),
    problem("short-on-purpose-is-a-loss", " && p->left_ms <= p->retention_ms - p->retention_ms / 4", ""),
    shared("retention-in-virtual-time", "lag_age", "clock_real_duration_ms(clock, p->age_ms)", "p->age_ms + 0 * clock->real_ms", "lag"),
    shared("cut-next-is-cut-last", "lag_age", "p->left_ms < group->next->left_ms", "p->left_ms > group->next->left_ms", "lag"),
    shared("oldest-is-youngest", "lag_age", "p->age_ms > group->oldest->age_ms", "p->age_ms < group->oldest->age_ms", "lag"),
    shared("overdue-is-unknown", "lag_age", "p->left_ms = waits && p->retention_ms >= 0 && left_ms < 0 ? 0 : left_ms;", "p->left_ms = left_ms;", "lag"),
    # what stands, what is late
    problem("late-by-records-alone", "if (g->oldest && g->oldest->age_ms > s->max_age_ms)", "if (g->oldest && g->oldest->age_ms < 0)"),
    problem("any-pause-excuses", 'i < s->nr_controls && strcmp(g->program, "sink") == 0;', "i < s->nr_controls;"),
    problem("unwanted-lag-told", '	if (strcmp(g->program, "notify") != 0 || is_served', '	if (g->program || is_served'),
    problem("one-breaker-is-all", "nr_open == nr ? STATUS_STANDS : STATUS_DELAYED", "nr_open ? STATUS_STANDS : STATUS_DELAYED"),
    problem("refused-and-not-ready", "b->state == STATUS_NOT_READY && !told", "b->state == STATUS_NOT_READY"),
    problem("memory-at-its-budget", "percent < STATUS_MEMORY_PERCENT)", "percent <= STATUS_MEMORY_PERCENT)"),
    problem("obey-at-once", "s->now_ms - c->created_at) < STATUS_OBEY_MS)", "s->now_ms - c->created_at) < 0)"),
    problem("handled-letters-told", "	if (!s->letters.open)\n", "	if (!s->letters.last_hour)\n"),
    problem("any-builds-are-mixed", "b = str_eq(s->builds[j].program, a->program) ? &s->builds[j] : NULL;", "b = &s->builds[j];"),
    ctl("expired-control-in-force", "status", "items[i]->v.control.expires_at > s->now_ms", "items[i]->v.control.expires_at > 0"),
    ctl("breaker-by-any-figure", "status", 'str_take(&rest, "breaker."))', 'str_take(&rest, ""))'),
    # dead letters
    ctl("letters-of-one-code", "letter_tally", "strcmp(row->code, code) == 0;", "code != NULL;"),
    ctl("letters-without-end", "letter_tally", "t->partial |= t->last_hour >= LETTER_TALLY_LETTERS_MAX ||", "t->partial |="),
    ctl("retried-letters-are-open", "letter_tally", "bool open = letter_state(letter) == LETTER_OPEN;", "bool open = true;"),
    # screen
    ctl("wraps-within-words", "status_print", "while (end > text && *end != ' ')", "while (end > text && *end == ' ')", "status"),
    ctl("problems-below", "status_print", "	print_problems(s, colour, width, out);\n	print_beats(s, colour, out);", "	print_beats(s, colour, out);\n	print_problems(s, colour, width, out);", "status"),
    # progress
    ctl("progress-at-once", "progress", "s->begun_ms + (s->terminal ? PATIENCE_MS : LINE_EVERY_MS)", "s->begun_ms + (s->terminal ? 0 : LINE_EVERY_MS)"),
    ctl("scripts-told-like-terminals", "progress", "now_ms + (s->terminal ? TURN_MS : LINE_EVERY_MS)", "now_ms + TURN_MS"),
    ctl("progress-never-taken-away", "progress", "	if (s->shown)\n", "	if (s->shown && !s->terminal)\n"),
    ctl("progress-over-results", "progress", "s->next_ms = now_ms + PATIENCE_MS;", "s->next_ms = now_ms;"),
    ctl("line-cut-in-a-character", "progress", "			printable_trim(line);\n", ""),
    # the oldest records
    shared("one-partition-for-two-groups", "lag_age", " || rd_kafka_topic_partition_list_find(list, q->topic, q->p->partition))", ")"),
    shared("age-of-the-newest", "lag_age", "q->p->committed > q->p->begin ? q->p->committed : q->p->begin;", "q->p->end - 1;"),
    shared("age-since-1970", "lag_age", "clock_now_ms(&a->program->clock) - clock_map_ms(", "clock_now_ms(&a->program->clock) - 0 * clock_map_ms("),
    shared("an-end-is-unknown", "lag_age", "			q->p->age_ms = 0;\n", "			q->p->age_ms = -1;\n"),
    shared("silence-costs-all", "lag_age", "round < ROUNDS_MAX; round++", "round < 1; round++"),
    shared("slow-ones-are-silent", "lag_age", "clock_mono_ms() + ROUND_MS;", "clock_mono_ms() + ROUND_MS / 4;"),
]
