"""The mutants of the processor's two inputs, of errors in windows, and of exemplars."""
from mutant import sim, unit


def of(name, module, find, replace, test=None):
    """One in processor/MODULE that the unit test of its name, or another, must notice."""
    return unit(name, f"processor/{module}", find, replace, "processor", f"test_{test or module.rsplit('.', 1)[0]}")


MUTANTS = [
    # which are kept
    of("a-fourth-error", "exemplars.c", "if (g->nr < kept_max(at->kind))", "if (g->nr <= kept_max(at->kind))"),
    of("later-of-equals-kept", "exemplars.c", "event->transaction.duration_ms > g->slowest", "event->transaction.duration_ms >= g->slowest"),
    of("earlier-of-equals-gives-way", "exemplars.c", "			found = at;\n	if (!found)", "			found = found ? found : at;\n	if (!found)"),
    of("equals-ranked-before", "exemplars.c", "g->slowest[i - 1] < duration_ms; i--)", "g->slowest[i - 1] < duration_ms + 100; i--)"),
    of("markers-by-group", "exemplars.c", "return kind == EXEMPLAR_MARKER || kind == EXEMPLAR_CHECK_IN;", "return kind == EXEMPLAR_CHECK_IN;"),
    of("sites-share-a-group", "exemplars.c", "	memcpy(to, at->site_key, sizeof(at->site_key));\n", "	memset(to, 0, sizeof(at->site_key));\n"),
    of("minutes-share-a-group", "exemplars.c", "	memcpy(to, &at->minute_ms, sizeof(at->minute_ms));\n", "	memset(to, 0, sizeof(at->minute_ms));\n"),
    of("groups-without-end", "exemplars.c", "site->nr_groups[is_by_site(at->kind)] < EXEMPLARS_GROUPS_MAX &&", "site->nr_groups[is_by_site(at->kind)] < SIZE_MAX &&"),
    of("large-one-kept", "specimens.c", "fits = bytes.len <= SPECIMEN_BYTES_MAX;", "fits = bytes.len > 0;", "exemplars"),
    of("displaced-not-counted", "exemplars.c", "displace(e, g))\n		dropped[g->kind]++;", "displace(e, g))\n		dropped[g->kind] += 0;"),
    # when they go
    of("minute-closed-a-minute-early", "exemplars.c", "if (g->minute_ms < closed_ms) {", "if (g->minute_ms <= closed_ms) {"),
    of("flush-forgets-the-count", "exemplars.c", "	g->nr_held = 0;\n", "	g->nr_held = 0;\n	if (flushed)\n		g->nr = 0;\n"),
    of("flush-unmarked", "exemplars.c", "		s->flushed = flushed;\n", "		s->flushed = false && flushed;\n"),
    of("late-one-at-once", "exemplars.c", "watermark_ms - e->late_ms >= CLOCK_MINUTE_MS;", "watermark_ms >= e->late_ms;"),
    of("late-one-never", "exemplars.c", "if (!open && !late)", "if (!open || (late && !open))"),
    of("groups-alone-are-not-due", "exemplars.c", "return e->nr_held ? e->nr_held : 1;", "return e->nr_held;", "due"),
    of("errors-take-the-markers-groups", "exemplars.c", "site->nr_groups[is_by_site(at->kind)]++;", "site->nr_groups[0]++, site->nr_groups[1]++;"),
    of("groups-of-a-crowd", "exemplars.c", "(!e->crowded || (is_by_site(at->kind) && !late))", "(!e->crowded || !late)"),
    of("no-markers-in-a-crowd", "exemplars.c", "(!e->crowded || (is_by_site(at->kind) && !late))", "(!e->crowded || (0 && !late))"),
    of("late-markers-in-a-crowd", "exemplars.c", "(is_by_site(at->kind) && !late))", "(is_by_site(at->kind) || late))"),
    of("events-are-not-crowded", "task.c", "	exemplars_crowd(&t->exemplars, crowded);\n", "", "event_intake"),
    of("exemplars-are-not-due", "due.c", "exemplars_due(&t->exemplars, closed_ms, staggered_ms) > 0;", "false;"),
    of("exemplars-do-not-count-in-catch-up", "due.c", " + exemplars_due(&t->exemplars, closed_ms, t->watermark_ms)", ""),
    of("aborted-exemplars-wait", "due.c", "t->outbox.len || t->specimens.nr || t->alert_outbox.nr", "t->outbox.len || t->alert_outbox.nr"),
    # what is written
    of("epoch-of-the-intake", "specimens.c", "	codec_write_long(out, epoch);\n", "	codec_write_long(out, 1 + 0 * epoch);\n", "exemplars"),
    of("snapshot-forgets-exemplars", "snapshot.c", "exemplars_encode(&t->exemplars, out);", "exemplars_encode(&(struct exemplars){.nr_held = 0}, out);"),
    of("snapshot-forgets-errors", "snapshot.c", "(w->errors ? HAS_ERRORS : 0);", "0;"),
    of("errors-of-a-snapshot-believed", "snapshot.c", "		codec_fault(r, \"errors that are not among the values\");\n	else\n		w->errors", "		w->errors = 0;\n	else\n		w->errors", "snapshot"),
    of("snapshot-forgets-the-slowest", "exemplars.c", "		codec_write_double(out, g->slowest[i]);", "		codec_write_double(out, g->slowest[0]);"),
    of("errors-not-emitted", "emit.c", "to = put_long(to, w->errors);", "to = put_long(to, 0);"),
    of("errors-not-merged", "window.c", "	add_errors(dst, src->errors);\n", ""),
    of("errors-wrap", "window.c", "n > UINT32_MAX - w->errors ? UINT32_MAX :", "0 ? UINT32_MAX :"),
    of("errors-beyond-count", "intake_check.c", "s->errors > s->count ||", "", "intake"),
    of("cumulative-errors", "intake_check.c", "(s->errors && traits->cumulative)", "0", "intake"),
    # what is let in
    of("two-details", "event_check.c", "if (details != 1)", "if (details < 1)", "event_intake"),
    of("event-of-any-time", "event_check.c", "e->t < earliest_ms || ", "", "event_intake"),
    of("duplicate-events-kept", "event_intake.c", "if (own.dedup.verdict == DEDUP_DUPLICATE)", "if (own.dedup.verdict == DEDUP_DUPLICATE && !batch.events_len)"),
    of("retried-events-by-their-agent", "repeats.c", "	if (origin)\n		return retried_take", "	if (origin && !who->agent_id)\n		return retried_take", "event_intake"),
    of("held-exemplars-not-counted", "exemplars.c", "	e->held_bytes += specimen_bytes(s);\n", "	e->held_bytes += sizeof(*s);\n", "accounting"),
    of("outbox-of-exemplars-not-counted", "task.c", " + t->specimens.bytes + pane_list", " + pane_list", "accounting"),
    of("exemplars-not-flushable", "task.c", "return window_store_bytes(&t->windows) + t->exemplars.held_bytes;", "return window_store_bytes(&t->windows);", "accounting"),
    of("flushed-exemplars-asked-again", "task.c", "	if (t->specimens.nr_flushed)\n		return true;\n", "", "accounting"),
    # two inputs
    of("events-are-samples", "topics.c", "topics->events, topics->events_state, number - topics->partitions", "topics->samples, topics->samples_state, number - topics->partitions"),
    of("number-of-events-not-moved", "topics.c", "strcmp(topic, events) == 0 ? topics->partitions + partition : -1;", "strcmp(topic, events) == 0 ? partition : -1;"),
    of("events-stay-behind", "consumer.c", "		rd_kafka_topic_partition_list_add(list, c->topics->events, named->elems[i].partition);", "		rd_kafka_topic_partition_list_add(list, c->topics->events, 0);"),
    of("both-topics-subscribed", "consumer.c", "RD_KAFKA_PARTITION_UA); /* (G12) */", "RD_KAFKA_PARTITION_UA);\n	rd_kafka_topic_partition_list_add(list, c->topics->events, RD_KAFKA_PARTITION_UA);"),
    of("idle-offset-expires", "due.c", " || mono_ms - t->committed_mono_ms >= COMMIT_AGAIN_MS;", " || mono_ms < 0;"),
    of("idle-offset-expires-by-restores", "due.c", " || !t->committed_mono_ms ||", " ||"),
    # exactly once
    of("exemplars-that-joined-late", "task.c", "specimens_drop(&t->specimens, t->attempt.nr_specimens);", "specimens_drop(&t->specimens, t->specimens.nr);", "event_intake"),
    sim("exemplars-again", "processor/task.c", "	specimens_drop(&t->specimens, t->attempt.nr_specimens);\n", "	specimens_drop(&t->specimens, t->attempt.nr_specimens / 2);\n"),
    sim("aborted-exemplars-lost", "processor/task.c", "void task_aborted(struct task *t)\n{\n", "void task_aborted(struct task *t)\n{\n	specimens_drop(&t->specimens, t->attempt.nr_specimens);\n"),
    sim("state-of-events-among-samples", "processor/emission.c", "in.kind == INPUT_SAMPLES ? TXN_SAMPLES_STATE : TXN_EVENTS_STATE", "in.kind == INPUT_SAMPLES ? TXN_SAMPLES_STATE : TXN_SAMPLES_STATE"),
    sim("round-of-exemplars-without-its-last", "processor/emission.c", "i < t->attempt.nr_specimens; i++, s = s->next) {", "i + 1 < t->attempt.nr_specimens; i++, s = s->next) {"),
]
