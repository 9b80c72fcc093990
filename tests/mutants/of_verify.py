"""The mutants of `millrace-ctl verify`."""
from mutant import script, unit


def of(name, module, find, replace, test=None):
    """One in deploy/ctl/verify_MODULE.c that the module's own unit test must notice."""
    return unit(name, f"deploy/ctl/verify_{module}.c", find, replace, "ctl", f"test_verify_{test or module}")


MUTANTS = [
    of("verify-boundary-in-the-next-bucket", "hist", "exp2l((long double)k / OCTAVE) >= mantissa", "exp2l((long double)k / OCTAVE) > mantissa"),
    of("verify-midpoint-one-off", "hist", "return halves - 1;", "return halves;"),
    of("verify-negative-index-rounds-up", "hist", "(index % 2 != 0 && index < 0)", "0"),
    of("verify-fallen-bucket-unseen", "hist", "h->buckets[at].count < sub->buckets[i].count", "0"),
    of("verify-last-by-arrival", "window", "part->last_at_ms > w->last_at_ms", "part->last_at_ms >= w->last_at_ms"),
    of("verify-unknown-is-known", "window", "if (part->has_min && (", "if (1 && ("),
    of("verify-sums-not-compared", "window", "n * 0x1p-52L * expected->magnitude", "n * expected->magnitude"),
    of("verify-sums-to-the-last-bit", "window", "n * 0x1p-52L * expected->magnitude", "n * 0"),
    of("verify-buckets-not-compared", "window", "!verify_hist_equal(&expected->hist, &stored->hist)", "0"),
    of("verify-floor-ignored", "seen", "(batch->seq < a->floor && !again)", "(batch->seq < 0 && !again)"),
    of("verify-own-floor-first", "seen", "	counted = has_seq(a, batch->seq) ||", "	if (batch->floor > a->floor)\n		a->floor = batch->floor + 1;\n	counted = has_seq(a, batch->seq) ||"),
    of("verify-retried-below-the-floor", "seen", "batch->seq < a->floor && !again", "batch->seq < a->floor + 0 * again"),
    of("verify-ranges-swallow-a-hole", "seen", "a->ranges[n].from - 1 == seq", "a->ranges[n].from - 2 <= seq"),
    of("verify-key-for-ever", "seen", "!is_new && watermark_ms - k->came_ms < CLOCK_HOUR_MS)", "!is_new)"),
    of("verify-listed-by-the-tags'-number", "sheet", "	for (size_t i = 0; i < a->tags_len && i < b->tags_len; i++) {", "	for (size_t i = 0; i < a->tags_len && a->tags_len == b->tags_len; i++) {"),
    of("verify-listed-by-values-alone", "sheet", "str_cmp(a->tags[i].key, b->tags[i].key)", "0"),
    of("verify-listed-by-keys-alone", "sheet", "str_cmp(a->tags[i].value, b->tags[i].value)", "0"),
    of("verify-more-tags-first", "sheet", "a->tags_len < b->tags_len ? -1 : a->tags_len > b->tags_len", "a->tags_len < b->tags_len ? 1 : -(a->tags_len > b->tags_len)"),
    of("verify-tags-by-reference", "sheet", "	out->tags = tags;\n", ""),
    of("verify-old-point-counts", "base", "if (p->t_ms <= last->t_ms)", "if (p->t_ms < last->t_ms)"),
    of("verify-reset-unseen", "base", "	if (rc == 0)\n		ruling = WHOLE;\n", ""),
    of("verify-route-unseen", "base", "if (p->routed_since_ms != last->routed_since_ms)", "if (0)"),
    of("verify-first-sight-counts", "base", "started_known && p->t_ms - p->start_ms <= FRESH_MS", "started_known"),
    of("verify-points-in-their-places", "count", "	if (x->t_ms != y->t_ms)\n		return x->t_ms < y->t_ms ? -1 : 1;\n", "", "count"),
    of("verify-extremes-of-a-difference", "count", "step->whole ? &whole : &diff", "diff.count ? &whole : &diff", "count"),
    of("verify-hour-has-its-end", "sheet", "t_ms >= s->hour_ms + CLOCK_HOUR_MS", "t_ms > s->hour_ms + CLOCK_HOUR_MS", "compare"),
    of("verify-bad-one-counts-in-part", "good", "i < batch->values_len && !fault", "i + 1 < batch->values_len && !fault", "count"),
    of("verify-late-for-ever", "compare", "j->rules->now_ms >= until_ms", "j->rules->now_ms < 0"),
    of("verify-all-is-late", "compare", "expected->newest_ms >= window_end(j, slot)", "expected->newest_ms >= window_end(j, slot) - CLOCK_HOUR_MS"),
    of("verify-late-one-is-lost", "compare", "return late && expected", "return late && !expected"),
    of("verify-too-much-waits", "compare", "if (expected->count <= (d->stored ? d->stored->count : 0))", "if (0)"),
    of("verify-cap-excuses-all", "compare", "if (!overflow || !has_window(overflow, slot))", "if (!overflow)"),
    of("verify-cap-excuses-too-much", "compare", "d.stored->count > (d.expected ? d.expected->count : 0)", "0"),
    of("verify-total-not-compared", "compare", "		judge_sums(j, run, nr, slot, total);", "		(void)judge_sums;"),
    of("verify-other-topics-count", "document", "big_endian(f.id + 24) != (uint64_t)epoch", "epoch == 0"),
    of("verify-renamed-document-unseen", "document", "memcmp(fingerprint, f->id, sizeof(fingerprint)) != 0", "0"),
    script("verify-without-the-database", "deploy/ctl/verify_mongo.c", "	return read_collection(client, r, hosts, err);\n}", "	return 0;\n}", "test_verify"),
    script("verify-unclosed-hour", "deploy/ctl/verify.c", "if (clock_now_ms(clock) >= closed_ms)", "if (closed_ms)", "test_verify"),
    script("verify-differs-and-says-0", "deploy/ctl/verify.c", "	if (v->result.differ ||", "	if (", "test_verify"),
]
