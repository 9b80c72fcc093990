"""The mutants of what is told, to whom, when: the desk of millrace-notify."""
from mutant import unit


def of(name, module, find, replace, test="desk"):
    """One in sink/notify/MODULE.c that the desk's stories, or another unit test, must notice."""
    return unit(name, f"sink/notify/{module}.c", find, replace, "notify", f"test_{test}")


MUTANTS = [
    # incidents
    of("desk-event-twice-counts-twice", "case_events", "return a && (has_episode(a, ev) || ev->opened_at <= a->episode_ms);", "return a && 0;", "cases"),
    of("desk-closes-another-episode", "case_events", "return a && has_episode(a, ev) && a->state", "return a && a->state"),
    of("desk-moved-is-closed", "case_events", "a->state = INCIDENT_ALERT_STATE_MOVED;\n", "a->state = INCIDENT_ALERT_STATE_CLOSED;\n"),
    of("desk-moved-joins-for-ever", "case_events", "&& ev->at <= a->join_until_ms", "&& ev->at > 0", "cases"),
    of("desk-moved-never-expires", "case_events", "if (a->join_until_ms >= now_ms) {", "if (1) {"),
    of("desk-join-is-news", "case_events", "	if (same)\n		cases_touch(cs, c, now_ms, false);", "	if (0)\n		cases_touch(cs, c, now_ms, false);"),
    of("desk-unknown-ones-do-not-close", "case_events", "if (a || c->nr_unknown == 0 ||", "if (1 ||", "cases"),
    of("desk-summary-twice", "case_events", "			return 1;\n	if (c->nr_summaries", "			break;\n	if (c->nr_summaries"),
    of("desk-summary-of-each-partition", "case_events", "now_ms - c->rec.created_at < 5 * CLOCK_MINUTE_MS", "now_ms < 0"),
    of("desk-same-id-twice", "case_events", "	c = cases_find(cs, rec.id);\n", "	c = NULL;\n"),
    of("desk-untouched-version", "case_parts", "		c->rec.version++;\n", "", "cases"),
    of("desk-version-a-change", "case_parts", "	if (!c->dirty) {\n", "	c->rec.version += c->dirty;\n	if (!c->dirty) {\n", "cases"),
    of("desk-older-record-counts", "cases", "if (c && c->rec.version > incident->version)", "if (0)", "cases"),
    of("desk-forgets-what-is-unwritten", "cases", "	if (c->dirty || c->handed)\n		return false;\n", "", "cases"),
    of("desk-never-forgets", "desk_turn", "	*gone = cases_forget(&l->d->cases, c);\n", "	*gone = l->now_ms < 0 && cases_forget(&l->d->cases, c);\n"),
    of("desk-expires-though-behind", "desk_turn", "	if (!behind)\n", "	if (!behind || 1)\n"),
    # plan
    of("desk-no-group-wait", "plan", "c->rec.created_at : later(c->rec.created_at, r->group_wait_ms)", "c->rec.created_at : c->rec.created_at"),
    of("desk-no-interval", "plan", "if (news || t->state == INCIDENT_STATE_RESOLVED)\n		return step(PLAN_NEWS, later(t->at_ms, r->group_interval_ms));",
       "if (news || t->state == INCIDENT_STATE_RESOLVED)\n		return step(PLAN_NEWS, t->at_ms);"),
    of("desk-repeats-what-is-acknowledged", "plan", "if (c->rec.has_acked_at || r->repeat_ms == 0)", "if (r->repeat_ms == 0)"),
    of("desk-end-of-what-nobody-heard", "plan", "if (!was_told(t) || (t->state", "if ((t->state"),
    of("desk-escalates-what-is-acknowledged", "plan", "if (c->rec.state != INCIDENT_STATE_OPEN || c->rec.has_acked_at)", "if (c->rec.state != INCIDENT_STATE_OPEN)"),
    of("desk-escalated-forgotten", "plan", "	if (!was_told(to->told)) {\n", "	if (1) {\n"),
    of("desk-leaver-hears-no-end", "plan", "if (members[i].gets || members[i].told)", "if (members[i].gets)"),
    of("desk-second-job-under-way", "plan", "	if (t && t->stage != TOLD_RESTS)\n		return step(PLAN_NOTHING, 0);\n", "", "plan"),
    of("desk-same-key-for-more", "plan", "if (!news && t->state == c->rec.state &&", "if (", "plan"),
    of("desk-lost-on-restart", "plan", "		return step(PLAN_AGAIN, t->at_ms);", "		return step(PLAN_NOTHING, t->at_ms);"),
    of("desk-silenced-flap-is-news", "plan", "if (!out && a->changed > v.news_version)", "if (a->changed > v.news_version)"),
    of("desk-left-out-for-ever", "plan", "plan_leaves_out(s, a, t->at_ms) && !plan_leaves_out", "plan_leaves_out(s, a, t->at_ms - now_ms) && !plan_leaves_out"),
    of("desk-silenced-is-told", "plan", "		v.silenced = true;\n", ""),
    # desk
    of("desk-comes-and-goes-in-a-silence", "desk_turn", "return pass_over(l, m, SENT_OUTCOME_SILENCED, err);", "return 0;"),
    of("desk-next-of-silence-unknown", "desk_turn", "		at_latest(&l, l.view.end_ms);\n", "		at_latest(&l, INT64_MAX);\n"),
    of("desk-floods-a-receiver", "desk_turn", "if (m->to->under_way >= DESK_UNDER_WAY_MAX || (", "if (("),
    of("desk-drop-tells-later", "desk_turn", "if (l->drops && (next.what != PLAN_REPEAT || next.due_ms <= l->now_ms))", "if (l->drops && next.due_ms <= l->now_ms)"),
    of("desk-pause-sends", "desk_turn", "	if (l->pauses) {\n", "	if (0) {\n"),
    of("desk-escalation-sleeps", "desk_turn", "	l->d->under_way++;\n	l->told_more = true;\n", "	l->d->under_way++;\n"),
    of("desk-gives-out-what-is-not-committed", "desk_turn", "		t->stage = TOLD_DECIDED;\n", "		desk_make_ready(l->d, t);\n"),
    of("desk-tells-what-is-not-committed", "desk", "if (t->of->dirty || t->of->handed) {", "if (0) {"),
    of("desk-stale-job-goes-out", "desk", "view->news_version > t->version || t->state != t->of->rec.state", "0"),
    of("desk-deleted-receiver-never-rests", "desk", "		finish(d, t, now_ms, SENT_OUTCOME_DROPPED, 0, STR(\"the receiver was deleted\"));\n", "		desk_make_ready(d, t);\n"),
    of("desk-any-outcome", "desk", "t->stage == TOLD_OUT && t->sequence == sequence ? t : NULL", "t->stage == TOLD_OUT && sequence > 0 ? t : NULL"),
    of("desk-abort-forgets", "desk", "		desk_write_sent(d, t);\n	}\n}", "	}\n}"),
    of("desk-abort-forgets-incidents", "desk", "		if (!c->dirty)\n			TAILQ_INSERT_TAIL(&d->cases.dirty, c, in_dirty);\n		c->dirty = true;\n", ""),
    of("desk-job-tells-of-the-silenced", "desk", "		if (!plan_leaves_out(&d->silences, c->listed[i], now_ms))\n", "		if (now_ms >= 0)\n"),
    of("desk-drop-hides-what-was-told", "desk_turn", "	t->sequence += t->sequence > 0;\n", ""),
    of("desk-forgotten-by-its-topic", "desk_turn", "			if (!c->tolds[i]->fresh)\n", "			if (0)\n"),
    of("desk-waits-for-ever", "desk_turn", "	d->cases.nr_waiting -= c->waiting;\n	c->waiting = false;\n", ""),
    # and what the model alone must notice, whatever its seed
    of("desk-model-drop-hides-what-was-told", "desk_turn", "	t->sequence += t->sequence > 0;\n", "", "desk_model"),
    of("desk-model-drop-tells-later", "desk_turn", "if (l->drops && (next.what != PLAN_REPEAT || next.due_ms <= l->now_ms))", "if (l->drops && next.due_ms <= l->now_ms)", "desk_model"),
    of("desk-model-given-up-is-told", "plan", "t->outcome != SENT_OUTCOME_GAVE_UP && ", "", "desk_model"),
    of("desk-model-escalation-sleeps", "desk_turn", "	l->d->under_way++;\n	l->told_more = true;\n", "	l->d->under_way++;\n", "desk_model"),
    of("desk-model-lost-on-restart", "plan", "		return step(PLAN_AGAIN, t->at_ms);", "		return step(PLAN_NOTHING, t->at_ms);", "desk_model"),
    of("desk-model-news-of-before-a-restart", "cases", "	a->changed = from->changed_version;\n", "", "desk_model"),
    of("desk-model-state-of-before-a-restart", "cases", "from->has_join_until ? from->join_until : INT64_MIN", "INT64_MIN", "desk_model"),
    # rows
    of("desk-named-by-anybody", "receivers", "	if (incident->receivers_len > 0)\n", "	if (0)\n", "receivers"),
    of("desk-only-named-gets-all", "receivers", "if (r->only_named || (", "if ((", "receivers"),
    of("desk-deleted-is-not-counted", "receivers", "	if (old && old->under_way > 0)\n", "	if (0)\n", "receivers"),
    of("desk-silence-before-it-was-written", "silences", "one->starts_at > one->created_at ? one->starts_at : one->created_at", "one->starts_at", "silences"),
    of("desk-silence-ends-late", "silences", "at_ms < one->ends_at;", "at_ms <= one->ends_at;", "silences"),
    of("desk-silence-of-unknown-tags", "silences", "(tags && trigger_selects", "(!tags || trigger_selects", "silences"),
    of("desk-clock-back-gives-tokens", "rate", "else if (now_ms > b->at_ms)\n", "else\n", "rate"),
    of("desk-bucket-without-bottom", "rate", "	if (b->held_ms > r->full_ms)\n		b->held_ms = r->full_ms;\n", "", "rate"),
    of("desk-oldest-ack-stays", "acks", "drop(a, TAILQ_FIRST(&a->order));\n	return 0;", "drop(a, new);\n	return 0;", "acks"),
    of("desk-heap-is-no-heap", "agenda", "	for (size_t i = a->len / 2; i-- > 0;)\n		sink(a, a->heap[i]);\n", "", "agenda"),
]
