"""The mutants of who notifies, and of what is written when: tenure, owner, journal, loading, intake, drops and term of millrace-notify."""
from mutant import case, unit


def of(name, module, find, replace):
    """One in sink/notify/MODULE.c that the module's own unit test must notice."""
    return unit(name, f"sink/notify/{module}.c", find, replace, "notify", f"test_{module}")


def e2e(name, module, find, replace, one):
    """One that only brokers show."""
    return case(name, f"sink/notify/{module}.c", find, replace, "test_notify_owner", one)


MUTANTS = [
    of("notify-writes-large-ones-without-pause", "term", "	uint64_t pause_ms = bytes / BYTES_A_MS;\n", "	uint64_t pause_ms = bytes / BYTES_A_MS / 1000;\n"),
    of("notify-caught-up-at-once", "intake", "if (!i->parts[id].was_at_end &&", "if (0 &&"),
    of("notify-fenced-and-at-once-again", "tenure", "	if (fenced)\n", "	if (fenced && 0)\n"),
    of("notify-broken-waits-too", "tenure", "	if (fenced)\n", "	if (fenced || 1)\n"),
    of("notify-assigned-again-is-the-same-term", "tenure", "	t->not_before_mono_ms = 0;\n	t->term++;\n}\n\nvoid tenure_revoked", "	t->not_before_mono_ms = 0;\n}\n\nvoid tenure_revoked"),
    of("notify-broken-is-the-same-term", "tenure", "		t->not_before_mono_ms = mono_ms + TENURE_WAIT_MS;\n	t->term++;", "		t->not_before_mono_ms = mono_ms + TENURE_WAIT_MS;"),
    of("notify-acquires-what-is-not-its-own", "tenure", "	t->acquired = t->mine;", "	t->acquired = t->mine = true;"),
    of("notify-metadata-never-held", "owner", "	o->group = rd_kafka_consumer_group_metadata(o->rk);", "	o->group = NULL;"),
    of("notify-any-assignment-is-ownership", "owner", "		if (list->cnt || stale)", "		if (1)"),
    of("notify-two-partitions-will-do", "owner", "kafka_check_topic(o->rk, o->topic, 1, CHECK_MS, err) < 0 || ", ""),
    of("notify-unknown-outcome-is-an-abort", "journal", "	journal_close(j);\n	return JOURNAL_LOST; /* (J2) */", "	return journal_abort(j);"),
    of("notify-offsets-not-sent", "journal", "	if (flush(j, err) < 0 || send_offsets(j, offsets, group, err) < 0 || ", "	if (flush(j, err) < 0 || (0 && send_offsets(j, offsets, group, err) < 0) || "),
    of("notify-fence-unseen", "journal", "	return j->code == RD_KAFKA_RESP_ERR__FENCED || j->code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||", "	return 0 && j->code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED &&"),
    of("notify-sent-before-incidents", "loading", "enum stage { STAGE_INCIDENTS, STAGE_SENT, STAGE_DONE };", "enum stage { STAGE_SENT, STAGE_INCIDENTS, STAGE_DONE };"),
    of("notify-junk-stops-the-loading", "loading", "	if (why.kind == ERR_REJECT) {", "	if (0) {"),
    of("notify-newer-record-passed-over", "loading", "	if (why.kind == ERR_REJECT) {", "	if (1) {"),
    of("notify-any-epoch-will-do", "intake", "intake_parse_epoch(metadata, &epoch) == 1 && epoch == i->spec.epoch", "intake_parse_epoch(metadata, &epoch) == 1"),
    of("notify-handed-over-is-taken", "intake", "		else if (part && !part->held_until_mono_ms && m->offset >= part->next) /* (I1) */\n			return m;", "		else if (part && !part->held_until_mono_ms && m->offset >= part->next) {\n			part->next = m->offset + 1;\n			return m;\n		}"),
    of("notify-held-one-is-passed", "intake", "	part->next = part->complained = m->offset;", "	part->complained = m->offset;\n	part->next = m->offset + 1;"),
    of("notify-lost-place-stays-lost", "intake", "		return part && part->next >= 0 ? lose_place", "		return part && part->next < 0 ? lose_place"),
    of("notify-end-is-no-place", "intake", "			if (m->offset > part->next)\n				part->next = m->offset;\n", ""),
    of("notify-committed-is-what-is-next", "intake", "		i->parts[id].committed = i->parts[id].handed;", "		i->parts[id].committed = i->parts[id].next;"),
    of("notify-widest-control-is-charged", "drops", "		if (!best || (drop->site[0] && !best->site[0]))", "		if (!best || (!drop->site[0] && best->site[0]))"),
    of("notify-ended-control-is-charged", "drops", "		if (!drop->in_force || (drop->site[0]", "		if ((drop->site[0]"),
    of("notify-drops-of-another-cell", "drops", "(!list[i].has_cell || str_eq(list[i].cell, str_from(cell)))", "cell"),
    of("notify-drops-told-at-the-end-only", "drops", "(!waiting && !drop->told) || ", ""),
    of("notify-drops-told-one-by-one", "drops", "		drop->told |= !waiting;\n", ""),
    e2e("notify-desk-is-not-told-of-commits", "term", "		desk_committed(t->desk);\n", "", "test_alerts_reach_a_webhook"),
    e2e("notify-begins-without-loading", "term", "	rc = load(t, err);\n	if (rc <= 0)\n", "	rc = load(t, err);\n	if (rc < 0)\n", "test_killed_while_events_flow"),
    e2e("notify-old-term-goes-on", "term", "		take_down(t);\n		t->next_try_mono_ms = 0;", "		t->next_try_mono_ms = 0;", "test_frozen_for_longer_than_its_session"),
    e2e("notify-junk-is-passed-silently", "term", "		rc = letters_add(&t->letters, t->spec.program, m, t->spec.cell->epoch, why.msg, &why);", "		rc = 0;", "test_poison_and_what_is_newer"),
    e2e("notify-nobody-is-charged", "term", "		drops_count(t->spec.drops, event->site, after.events_dropped - before.events_dropped, 0);", "		drops_count(t->spec.drops, event->site, 0, 0);", "test_a_hundred_thousand_are_dropped"),
]
