"""The mutants of the judging of triggers: what a minute comes to, what is told of it, and what of it is saved."""
from mutant import sim, unit


def of(name, module, find, replace, test="alerts"):
    """One in processor/MODULE that a unit test of the processor must notice."""
    return unit(name, f"processor/{module}", find, replace, "processor", f"test_{test}")


MUTANTS = [
    # what a minute comes to
    of("muted-opens", "judge.c", "return *known == MUTE_YES;", "return *known > MUTE_YES;"),
    of("muted-warms-on", "judge.c", "	if (!muted || alert->state.phase != ALERT_WARMING)\n		return;", "	if (!muted || alert->state.phase == ALERT_WARMING)\n		return;"),
    of("quiet-is-silence", "judge.c", "	if (j->is_still)\n		return true;", "	if (j->is_still && !site)\n		return true;"),
    of("closed-ingest-is-silence", "judge.c", "j->minute_ms, j->minute_ms + 2 * CLOCK_MINUTE_MS)) ||", "j->minute_ms, j->minute_ms)) ||"),
    of("closed-a-minute-later-is-silence", "judge.c", "j->minute_ms + 2 * CLOCK_MINUTE_MS)) ||", "j->minute_ms + CLOCK_MINUTE_MS)) ||"),
    of("waiting-is-silence", "judge.c", "quiet_waits(j->of->quiet, site->id, j->minute_ms);", "false;"),
    of("lost-is-judged", "judge.c", "(!j->is_lost && judge_windows(j, err) < 0)", "judge_windows(j, err) < 0"),
    of("lost-is-silence", "judge.c", "place == PLACE_UNKNOWN || j->is_lost || muted", "place == PLACE_UNKNOWN || muted"),
    of("judged-twice-a-minute", "judge.c", "	alert->judged_ms = j->minute_ms;\n", ""),
    of("absence-from-the-first-sign", "judge.c", "	alert->silent = 0;\n", ""),
    of("absent-warms-up", "judge.c", "t->has_absent_minutes ? 1 : t->warm_up_minutes", "t->warm_up_minutes"),
    of("ok-stays", "judge.c", "	if (alert->state.phase == ALERT_OK && !alert->held)\n		alerts_remove", "	if (alert->state.phase == ALERT_OK && alert->untold)\n		alerts_remove", "alert_life"),
    of("judged-where-it-is-not", "judge.c", "w->series->fingerprint) != PLACE_HERE)", "w->series->fingerprint) == PLACE_ELSEWHERE)", "alert_life"),
    of("job-everywhere", "judge.c", "!j->place_moves && !rule->trigger.has_check_in", "!j->place_moves", "check_ins"),
    of("moved-stays", "judge.c", "if (place == PLACE_ELSEWHERE)", "if (place == PLACE_ELSEWHERE && alert->untold)", "alert_life"),
    of("never-forgotten", "judge.c", "!alert->series || alert->silent >= FORGET_MINUTES)\n", "!alert->series || alert->silent < 0)\n", "alert_life"),
    of("key-twice-rule-twice", "rules_index.c", "|| !is_first(id, i))", "|| (!is_first(id, i) && !id))", "rules"),
    of("late-without-being-behind", "due.c", "rules->conf->alerts_max_age_ms > least_ms ?", "least_ms > 0 ?", "due"),
    of("muted-told-afterwards", "telling.c", "!alert->untold || is_muted(ctx, alert->rule->index))", "!alert->untold)", "alert_edges"),
    of("muted-summed-up", "telling.c", "!rule->unseen_opened || is_muted(ctx, rule->index))", "!rule->unseen_opened)", "alert_edges"),
    of("low-for-ever", "judge.c", "	if (alert->series)\n		alert->silent += ", "	if (alert->held)\n		alert->silent += ", "alert_edges"),
    of("moved-while-away", "judge.c", "day_ms < j->from_ms ? day_ms : j->from_ms);", "day_ms);", "alert_edges"),
    of("nobody-asks-who-moved", "judge.c", "minute_ms < closed_ms - CLOCK_MINUTE_MS && quiet", "quiet", "alert_edges"),
    of("half-a-minute-judged", "judge.c", "t->updated_at >= j->minute_ms);", "t->updated_at < 0);", "alert_edges"),
    of("author-of-the-future", "judge.c", "t->updated_at < j->with->now_ms ? t->updated_at : j->with->now_ms;", "t->updated_at;", "alert_edges"),
    of("waits-since-before-1970", "identity.h", " || who->created_ms < 0)", ")", "alert_edges"),
    of("siblings-mixed-up", "judge.c", "alert = next && next->rule->index == rules[i] ? next : NULL;", "alert = next;", "alert_life"),
    of("siblings-unsorted", "alerts.c", "str_cmp(s->rule->id, alert->rule->id) < 0; s = s->sibling)", "str_cmp(s->rule->id, alert->rule->id) > 0; s = s->sibling)", "alert_life"),
    of("held-without-bound", "alerts.c", "s->nr_held >= (size_t)at->held_max)", "s->nr_held >= SIZE_MAX)", "alert_life"),
    of("refused-told-each-time", "alerts.c", "watermark_ms - s->told_ms < CLOCK_HOUR_MS", "watermark_ms < s->told_ms", "alert_life"),
    # what a flush takes
    of("nothing-kept-back", "task.c", "shadow_take(&t->shadow, &t->windows, t->alerts.rules, &t->quiet, err) < 0", "!t"),
    of("rest-of-a-flushed-minute-unseen", "shadow.c", "if (kept && rest && add(s, rules, rest) < 0)", "if (kept && !rest && add(s, rules, kept) < 0)"),
    of("lost-minute-unsaid", "shadow.c", "quiet_note_lost(quiet, s->panes.panes[largest]->start_ms);", "quiet_note_lost(quiet, 0);"),
    of("kept-for-ever", "shadow.c", "s->panes.panes[0]->start_ms <= minute_ms)", "s->panes.panes[0]->start_ms < 0 * minute_ms)"),
    # nobody listened
    of("quiet-at-once", "quiet.h", "#define QUIET_LEAST_MS INT64_C(120000)", "#define QUIET_LEAST_MS INT64_C(60000)"),
    of("quiet-closings-unnoticed", "task.c", "	quiet_note_watermark(&t->quiet, t->watermark_ms, watermark_ms);\n	if (judge", "	quiet_note_watermark(&t->quiet, watermark_ms, watermark_ms);\n	if (judge", "alert_life"),
    of("quiet-records-unnoticed", "task.c", "	quiet_note_watermark(&t->quiet, t->watermark_ms, watermark_ms);\n	t->watermark_ms", "	t->watermark_ms"),
    of("quiet-without-its-last-minute", "quiet.c", "s->spans[i].from_ms < minute_ms + CLOCK_MINUTE_MS && s->spans[i].to_ms > minute_ms)",
       "s->spans[i].from_ms < minute_ms + CLOCK_MINUTE_MS && s->spans[i].to_ms > minute_ms + CLOCK_MINUTE_MS)"),
    of("waits-no-more", "quiet.c", "s->waiting_ms >= minute_ms;", "s->waiting_ms > minute_ms + CLOCK_MINUTE_MS;"),
    # what is told
    of("late-a-millisecond-early", "telling.c", "(minute_ms + CLOCK_MINUTE_MS) > with->max_age_ms;", "(minute_ms + CLOCK_MINUTE_MS) >= with->max_age_ms;", "alert_life"),
    of("late-opening-told", "telling.c", "	if (!is_late(with, t->minute_ms))\n		return tell", "	if (with)\n		return tell", "alert_life"),
    of("untold-closing-told", "telling.c", "	if (!untold)\n		return tell", "	if (!untold || with)\n		return tell", "alert_life"),
    of("summary-of-nothing", "telling.c", "	if (rule->unseen_closed) {", "	if (rule->unseen_opened) {", "alert_life"),
    of("summary-again-and-again", "telling.c", "	rule->unseen_opened = rule->unseen_closed = rule->unseen_first_ms = rule->unseen_last_ms = 0;\n", "", "alert_life"),
    of("untold-for-ever", "telling.c", "		if (tell(of, with, alert, &t, ALERT_EVENT_KIND_OPENED, \"\", err) < 0)\n			return -1;\n", "		if (!t.trigger)\n			return -1;\n", "alert_life"),
    of("episode-of-the-closing", "telling.c", "	fill_ids(&e, ALERT_EVENT_KIND_OPENED);", "	fill_ids(&e, e.kind);", "alert_life"),
    # other triggers
    of("changed-trigger-lives-on", "adoption.c", "rules->rule[index].revision == rule->revision ? index : -1;", "rule->revision ? index : -1;", "alert_life"),
    of("changed-is-deleted", "adoption.c", "changed ? \"trigger_changed\" : \"trigger_deleted\"", "changed ? \"trigger_deleted\" : \"trigger_deleted\"", "alert_life"),
    of("sets-of-other-rules", "adoption.c", "		s->rules = RULES_UNMATCHED;\n", "		s->number = 0;\n", "alert_life"),
    of("places-of-other-rules", "adoption.c", "rule->revision, index);\n			continue;", "rule->revision, rule->index < 0 ? index : rule->index);\n			continue;", "alert_life"),
    # what is saved
    of("untold-not-saved", "alerts_codec.c", "(a->untold ? UNTOLD : 0)", "0", "alert_life"),
    of("silence-not-saved", "alerts_codec.c", "	codec_write_int(out, a->silent);\n", "	codec_write_int(out, 0);\n"),
    of("run-not-saved", "alerts_codec.c", "	codec_write_int(out, a->state.run);\n", "	codec_write_int(out, a->state.run > 0);\n"),
    of("job-since-not-saved", "alerts_codec.c", "	codec_write_long(out, a->since_ms);\n", "	codec_write_long(out, 0);\n", "check_ins"),
    of("shadow-not-saved", "snapshot.c", "	write_panes(out, &t->shadow.panes);\n", "	write_panes(out, &(struct pane_list){NULL, 0, 0});\n"),
    of("held-series-not-saved", "snapshot.c", "	alerts_mark(&t->alerts, mark);\n", ""),
    # what is kept back from a flush takes the same after a restore
    of("kept-as-it-grew", "shadow.c", "		pane_trim(dst, to);\n", "", "shadow"),
    of("slots-for-nothing", "pane.c", "	if (!n) /* it has no slots", "	if (!n && pane->nr_slots) /* it has no slots", "shadow"),
    unit("trimmed-to-less", "common/hist.c", "		resize(h, bytes);", "		h->block->cap = h->block->len;", "common", "test_hist"),
    unit("empty-ones-keep-a-block", "common/hist.c", "	if (!hist_len(h))\n		hist_fini(h);\n	else if", "	if", "common", "test_hist"),
    # jobs
    unit("beat-a-minute-later", "common/trigger.c", "(int64_t)rule->every_minutes + rule->grace_minutes);", "(int64_t)rule->every_minutes + rule->grace_minutes + 1);", "processor", "test_check_ins"),
    unit("a-minute-early-is-too-early", "common/trigger.c", "< due_ms - CLOCK_MINUTE_MS)", "< due_ms)", "processor", "test_check_ins"),
    of("cron-without-grace", "job_verdict.c", "end_ms - rule->trigger.check_in.grace_minutes * CLOCK_MINUTE_MS;", "end_ms;", "check_ins"),
    unit("finish-not-asked-for", "common/trigger.c", " && finish_ms < due_ms;", " && finish_ms < 0;", "processor", "test_check_ins"),
    unit("last-run-alone", "common/trigger.c", "		due_ms = cron_last_ms(cron, limit_ms);", "		due_ms = 0 * cron_last_ms(cron, limit_ms);", "processor", "test_check_ins"),
    of("due-only-once", "job_verdict.c", "		alert->next_ms = cron_next_ms(&rule->cron, alert->due_ms + CLOCK_MINUTE_MS);\n	}", "		alert->next_ms = -1;\n	}", "check_ins"),
    of("jobs-without-bound", "check_ins.c", "site->nr >= CHECK_INS_SITE_MAX", "site->nr >= SIZE_MAX", "check_ins"),
    of("another-sites-job", "check_ins.c", "rc > 0 || !str_eq(site_id(job->site), site)", "rc > 0", "check_ins"),
    of("asked-for-and-forgotten", "check_ins.c", " && !map_get(wanted, jobs[i]->group))", " && wanted)", "check_ins"),
    of("older-sign-counts", "check_ins.c", "*at = t_ms > *at ? t_ms : *at;", "*at = t_ms;", "check_ins"),
    # when, and what it takes
    of("alerts-wait-for-windows", "due.c", "	if (closed_ms > t->windows.closed_ms && judge_wants", "	if (closed_ms < 0 && judge_wants", "due"),
    of("told-with-the-next-minute", "due.c", "t->alert_outbox.nr || letters_due", "letters_due", "due"),
    of("triggers-wait", "due.c", " || rules_due(rules, t, mono_ms))", " || (rules_due(rules, t, mono_ms) && !t))", "due"),
    of("alerts-not-counted", "task.c", "	return alerts_bytes(&t->alerts) + check_ins", "	return check_ins", "accounting"),
    of("outbox-of-alerts-not-counted", "task.c", " + t->alert_outbox.bytes + task_alerting_bytes(t);", " + task_alerting_bytes(t);", "accounting"),
    of("held-series-asked-for", "budget.c", "t->baselines.series_bytes + t->alerts.series_bytes + kept;", "t->baselines.series_bytes + 0 * kept;", "accounting"),
    unit("triggers-muted-by-any", "common/controls.c", " && covers(e->trigger, a->trigger);", ";", "common", "test_controls"),
    # through anything
    sim("alerts-told-again", "processor/task.c", "	alert_outbox_drop(&t->alert_outbox, t->attempt.nr_alerts);\n", ""),
    sim("alerts-not-emitted", "processor/emission.c", "i < t->attempt.nr_alerts; i++, l = l->next)", "i < 0 * t->attempt.nr_alerts; i++, l = l->next)"),
]
