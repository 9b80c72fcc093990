"""The mutants of what the status page knows of the house and how it judges: surveys, recovery, verdicts, states over time."""
from mutant import unit


def of(name, module, find, replace, test=None):
    return unit(f"judge-{name}", f"sink/status/{module}.c", find, replace, "status", f"test_{test or module}")


MUTANTS = [
    # from verdicts to states
    of("better-at-once", "judge", "now_ms - line->better_since_ms >= SETTLE_MS", "now_ms - line->better_since_ms >= 0 * SETTLE_MS"),
    of("settles-while-it-swings", "judge", "	} else if (verdict == line->state) {\n		line->better_since_ms = 0;\n", "	} else if (verdict == line->state) {\n		;\n"),
    of("better-than-it-was", "judge", "!line->better_since_ms || verdict > line->better)", "!line->better_since_ms || verdict < line->better)", "judge_model"),
    of("since-the-turn", "judge", "enter(line, line->better, line->better_since_ms);", "enter(line, line->better, now_ms);", "judge_model"),
    of("unknown-is-well", "judge", "	if (v->known || !line->known || v->state > line->state)", "	if (true)"),
    of("unknown-hides-trouble", "judge", " || v->state > line->state)", ")"),
    of("left-when-worse", "judge", "state == COMPONENT_STATE_OPERATIONAL || !line->known || line->state == COMPONENT_STATE_OPERATIONAL", "state != line->state"),
    of("maintenance-before-its-time", "judge", " && i->opened_at <= now_ms && names", " && i->opened_at <= now_ms + 3600000 && names"),
    of("maintenance-of-all", "judge", " && names(i, component))", " && (component.len || names(i, component)))"),
    of("maintenance-is-remembered", "judge", "components[i].state == COMPONENT_STATE_MAINTENANCE ? COMPONENT_STATE_OPERATIONAL : ", ""),
    # verdicts
    of("well-cells-drain-for-ever", "verdict", "	if (state == COMPONENT_STATE_OPERATIONAL)\n		return;\n	v->recovery_ms", "	if (state == COMPONENT_STATE_MAINTENANCE)\n		return;\n	v->recovery_ms"),
    of("one-that-stands-is-hidden", "verdict", "lag->recovery_ms < 0 || (!first && v->recovery_ms < 0) ? -1 : ", ""),
    of("lost-is-delayed", "verdict", "	if (lost_records > 0)\n", "	if (lost_records > 1)\n"),
    of("danger-is-told-late", "verdict", "left_ms < VERDICT_DANGER_MS)", "left_ms < VERDICT_DANGER_MS / 2)"),
    of("one-cell-is-all", "verdict", "	if (nr_major && nr_major == ctx->facts->nr_cells)", "	if (nr_major)"),
    of("alerts-of-cells-without", "verdict", "	if (nr_major && nr_major == nr)\n		worsen(&v, COMPONENT_STATE_MAJOR_OUTAGE);\n	if (v.state > COMPONENT_STATE_OPERATIONAL)\n		say_where(ctx, &v, \"Judging",
       "	if (nr_major && nr_major == ctx->facts->nr_cells)\n		worsen(&v, COMPONENT_STATE_MAJOR_OUTAGE);\n	if (v.state > COMPONENT_STATE_OPERATIONAL)\n		say_where(ctx, &v, \"Judging",
       "judge_model"),
    of("still-though-young", "verdict", "	if (lag->behind_ms >= 0 && lag->behind_ms < VERDICT_STILL_MS && c->live)\n		return COMPONENT_STATE_OPERATIONAL;\n", ""),
    of("still-a-bit-early", "verdict", "lag->still_ms >= VERDICT_STILL_MS)", "lag->still_ms >= VERDICT_STILL_MS - 1)"),
    of("growing-is-partial", "verdict", "lag->draining ? COMPONENT_STATE_PARTIAL_OUTAGE : COMPONENT_STATE_MAJOR_OUTAGE;", "COMPONENT_STATE_PARTIAL_OUTAGE;"),
    of("one-breaker-is-all", "verdict", "c.braking == c.live ?", "c.braking ?"),
    of("closed-for-a-site-is-for-all", "verdict", "!c->has_site && !c->has_kind", "!c->has_kind"),
    of("no-notifier-is-trouble", "verdict", "!c.heard_of && !cell->notify.waiting_records", "false"),
    of("share-on-the-edge", "verdict", "share < SHARE_DEGRADED ?", "share <= SHARE_DEGRADED ?"),
    # the share of requests
    of("counts-again-and-again", "accepted", "		if (beat->sent_at == one->sent_ms)\n			continue;\n", "", "judge"),
    of("new-start-is-negative", "accepted", "now >= before ? now - before : now", "now - before", "judge"),
    of("minute-never-ends", "accepted", "a->counted_ms - ACCEPTED_SPAN_MS)", "a->counted_ms - 99 * ACCEPTED_SPAN_MS)", "judge"),
    # recovery
    of("rate-from-any-moment", "recovery", "s->committed > r->newest.committed && ", ""),
    of("zeros-count", "recovery", "	if (r->nr_edges && since_edge_ms(r, s) > STILL_RHYTHMS * rhythm_ms(r))\n		r->nr_edges = 0;\n", ""),
    of("never-overdue", "recovery", "> OVERDUE_RHYTHMS * rhythm_ms(r) ?", "> 99 * OVERDUE_RHYTHMS * rhythm_ms(r) ?"),
    of("nothing-arrives", "recovery", "drain - arrival_rate(r)", "drain - 0 * arrival_rate(r)"),
    of("backwards-goes-on", "recovery", "		*r = (struct recovery){0}; /* (I1) */\n", "		r->still_since_ms = 0;\n"),
    of("idle-rate", "recovery", "	if (!s->waiting)\n		r->nr_edges = 0; /* (I2) */\n", ""),
    # surveys
    of("cut-is-drained", "lags", "s.committed += g->partitions[i].committed > 0 ? g->partitions[i].committed : 0;", "s.committed += g->partitions[i].end - g->partitions[i].lag;"),
    of("jump-is-work", "lags", " || g->lost < story->lag.lost_records)", ")"),
    of("new-partition-is-work", "lags", "g->nr != story->nr_partitions || ", ""),
    of("first-commit-is-work", "lags", "nr_committed != story->nr_committed || ", ""),
    of("half-a-group-speaks", "lags", "		if (is_whole(&v->groups[i]))\n", "		if (is_whole(&v->groups[i]) || true)\n"),
    of("known-for-ever", "lags", " || clock_real_duration_ms(l->clock, l->at_ms - story->lag.at_ms) > KNOWN_FOR_MS)", ")"),
    of("markers-wait", "lags", "g->oldest || g->nr_unknown ? g->total : 0;", "g->total;"),
    of("cells-as-they-were", "survey", "	s->cells = cells;\n	s->nr_cells = nr;\n", "	s->cells = s->nr_cells ? s->cells : cells;\n	s->nr_cells = s->nr_cells ? s->nr_cells : nr;\n"),
    of("retention-each-time", "survey", "(kept->whole ? RETENTION_EVERY_MS : RETENTION_RETRY_MS) || ", "0 || "),
    of("asked-by-a-producer", "survey", "kafka_open(RD_KAFKA_CONSUMER, ", "kafka_open(RD_KAFKA_PRODUCER, "),
    # ages
    of("the-widest-hole-grows", "ages", "hole < least", "hole > least"),
    of("holes-of-now-and-then-alike", "ages", " / (double)(now_ms - a->samples[i - 1].at_ms);", " / (double)now_ms;"),
    of("younger-than-it-is", "ages", "now_ms > a->samples[0].at_ms ? now_ms - a->samples[0].at_ms : 0;", "now_ms > a->samples[0].at_ms ? (now_ms - a->samples[0].at_ms) / 2 : 0;"),
]
