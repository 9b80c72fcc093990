"""The mutants of status incidents: their fold, what the page writes by itself and in which words, the journal, the door, the state on disk."""
from mutant import unit


def fold(name, find, replace):
    return unit(name, "common/status_incident.c", find, replace, "common", "test_status_incident")


def page(name, module, find, replace, test=None):
    """One in sink/status/MODULE.c."""
    return unit(name, f"sink/status/{module}.c", find, replace, "status", f"test_{test or module}")


MUTANTS = [
    # fold
    fold("page-writes-over-people", "!why && i->edited && !e->has_author && e->action", "!why && !i->edited && !e->has_author && e->action"),
    fold("a-reminder-is-an-edit", "	if (e->action == STATUS_ACTION_REMIND) {\n		i->reminded_at = e->at;\n		return;\n	}\n", ""),
    fold("posted-can-be-vetoed", 'return e->action == STATUS_ACTION_VETO ? "it is public already: resolve it" : NULL;', "return NULL;"),
    fold("resolved-is-the-page's", "e->action == STATUS_ACTION_UPDATE && e->has_author ? NULL", "e->action == STATUS_ACTION_UPDATE ? NULL"),
    fold("maintenance-ends-early", "	       e->at >= i->recovery_at;", "	       e->at;"),
    fold("two-timelines", "e->timeline_len && !i->nr_timeline && !e->text.len", "e->timeline_len && !e->text.len"),
    fold("timeline-with-words", "!i->nr_timeline && !e->text.len &&", "!i->nr_timeline &&"),
    fold("timeline-before-the-end", "i->state == STATUS_INCIDENT_RESOLVED && e->action == STATUS_ACTION_UPDATE && !e->has_author",
         "i->state >= STATUS_INCIDENT_POSTED && e->action == STATUS_ACTION_UPDATE && !e->has_author"),
    page("timeline-for-ever", "drafts", " || t->now_ms - i->ended_at > TIMELINE_WITHIN_MS)", ")"),
    fold("twice-is-twice", "	if (map_get(&s->seen, key))\n		return 0;\n", ""),
    fold("refused-words-are-seen", "	if (!why)\n		fold(i, &mine);", "	fold(i, &mine);"),
    fold("empty-title-counts", "	if (e->title.len)\n", "	if (e->title.p)\n"),
    fold("silence-tells", "	if (e->text.len)\n", "	if (e->text.p)\n"),
    fold("words-are-borrowed", "	return rc == 0 ? status_entry_decode(kept, &s->arena, out, err) : -1;", "	*out = *e;\n	return rc;"),
    fold("any-key-will-do", "!str_eq(str_from(status_entry_key(&e, key)), row->key)", "!*status_entry_key(&e, key)"),
    fold("prefix-before-whole", "if (str_eq(i->id, wanted))", "if (!wanted.len)"),
    # drafts
    page("drafted-at-once", "drafts", "now_ms - c->left_at >= d->conf->after_ms", "now_ms >= c->left_at"),
    page("posted-a-turn-early", "drafts", "t->now_ms < i->publish_at || !has_words", "t->now_ms + 10000 < i->publish_at || !has_words"),
    page("posted-without-words", "drafts", "t->now_ms < i->publish_at || !has_words(p->all, p->nr))", "t->now_ms < i->publish_at)"),
    page("over-and-posted", "drafts", "	if (is_over(p)) {\n", "	if (!p->nr) {\n"),
    page("vetoed-is-drafted-again", "drafts", "	if (status_incidents_find(t->incidents, id))\n		return 0;", "	if (!id.len)\n		return 0;"),
    page("plans-hide-trouble", "drafts", " && (i->impact != STATUS_IMPACT_MAINTENANCE || i->opened_at <= t->now_ms))", ")"),
    page("each-follower-its-own", "drafts", "	return follows_processing(t, c);\n}", "	return false;\n}"),
    page("followers-never-join", "drafts", "names(i, c->id) || (is_troubled(c) && follows_processing(t, c) && names(i, STR(\"processing\")))", "names(i, c->id)"),
    page("well-for-a-moment-is-well", "drafts", "t->now_ms - well_since(p) >= t->d->conf->resolve_after_ms ? end", "t->now_ms ? end"),
    page("edited-drafts-lie-about", "drafts", "	if (i->edited)\n		return remind(t, i);\n	if (is_over(p)) {", "	if (i->edited)\n		return 0;\n	if (is_over(p)) {"),
    page("reminded-all-the-time", "drafts", "last_told(i) > i->reminded_at ? last_told(i) : i->reminded_at;", "last_told(i);"),
    page("recovery-is-no-news", "drafts", "i->phase != STATUS_PHASE_MONITORING && recovery_at", "i->phase == STATUS_PHASE_RESOLVED && recovery_at"),
    # words
    page("first-recovery-of-all", "words", "if (now_ms + c->recovery_ms > latest)", "if (!latest)"),
    page("unknown-is-known", "words", "		if (c->recovery_ms < 0)\n			return 0;\n", "		if (c->recovery_ms < 0)\n			continue;\n"),
    page("nothing-waits-and-counts", "words", " || c->waiting_records <= 0)", ")"),
    page("today-is-every-day", "words", "t_ms / DAY_MS == now_ms / DAY_MS", "t_ms / DAY_MS >= now_ms / DAY_MS"),
    page("lost-is-not-lost", "words", "		lost += components[i]->lost_records;\n", "		lost = components[i]->lost_records;\n"),
    page("well-ones-speak", "words", "components[i]->state <= COMPONENT_STATE_MAINTENANCE || !components[i]->detail.len", "!components[i]->detail.len"),
    # timeline
    page("customers-in-public", "timeline", "rc == 0 && !n.has_site && ", "rc == 0 && "),
    page("narrow-controls-in-public", "timeline", "!id.len || (str_take(&id, \"/cell=\") && !memchr(id.p, '/', id.len))", "!id.len || id.p"),
    page("as-partitions-come", "timeline", "	qsort(sorted, nr, sizeof(*sorted), by_time);\n", "	(void)by_time;\n"),
    page("each-instance-counts", "timeline", "all[nr_runs - 1].first->instance == sorted[k]->instance;", "1;"),
    page("all-cells-are-one", "timeline", "(!m->cell[0] || str_eq(component, str_from(m->cell)))", "true"),
    page("how-it-began-only", "timeline", "nr_runs > TIMELINE_MOMENTS_MAX ? nr_runs - TIMELINE_MOMENTS_MAX : 0", "nr_runs > TIMELINE_MOMENTS_MAX ? 1 : 0"),
    # journal, door
    page("page-takes-all-places", "journal", "j->nr >= (own ? JOURNAL_OWN_MAX : JOURNAL_MAX)", "j->nr >= (own ? JOURNAL_MAX : JOURNAL_MAX)"),
    page("failed-is-forgotten", "journal", "		j->next_mono_ms = clock_mono_ms() + RETRY_MS;\n		err_set(&j->failed, ERR_RETRY, \"write an entry to \" TOPIC_STATUS \": %s\", "
         "rd_kafka_err2str(message->err));\n		return;\n", "		j->next_mono_ms = clock_mono_ms() + RETRY_MS;\n"),
    page("all-under-way-at-once", "journal", "if (j->nr && !j->under_way && clock", "if (j->nr && clock"),
    page("nobody-wrote-it", "entry_desk", "	} else if (!e.has_author) {", "	} else if (e.has_author && !e.author.len) {"),
    page("asked-again-is-refused", "entry_desk", "	if (before && !before->refused)\n		return say_taken(answer, e);\n", ""),
    page("room-without-end", "entry_desk", "	if (d->nr_brought >= d->room)", "	if (d->nr_brought > d->room)"),
    page("room-is-never-back", "entry_desk", "		d->nr_brought--;\n", ""),
    page("the-disk-s-order", "entry_desk", "status_incidents_take_row(d->settled ? &d->incidents : &d->rows, row, err)", "status_incidents_take_row(&d->incidents, row, err)"),
    page("only-what-the-topic-has", "entry_desk", "(rc = fold_all(&d->rows, &d->incidents, err)) == 0", "(rc = fold_all(&d->rows, &d->rows, err)) == 0"),
    # state on disk
    page("name-before-bytes", "state_file", "write_all(fd, all) == 0 && fsync(fd) == 0", "write_all(fd, all) == 0"),
    page("half-a-write-is-all", "state_file", "		s = (struct str){s.p + n, s.len - (size_t)n};\n", "		s.len = 0;\n"),
    page("damage-is-believed", "state_file", " || le64toh(head.sum) != sum_of(&head, all.p + sizeof(head)))", ")"),
    page("half-a-file-lies-about", "state_file", "	unlinkat(folder, TEMPORARY_NAME, 0);", "	(void)0;"),
    page("drafts-for-all-to-read", "state_file", "O_TRUNC | O_CLOEXEC, 0600)", "O_TRUNC | O_CLOEXEC, 0644)"),
]
