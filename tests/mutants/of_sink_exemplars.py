"""The mutants of exemplars in the sink: their documents, and collections that are filled beside each other."""
from mutant import unit


def of(name, module, find, replace, test=None):
    """One in sink/mongo/MODULE.c that a unit test of the sink must notice."""
    return unit(name, f"sink/mongo/{module}.c", find, replace, "sink", f"test_{test or module}")


MUTANTS = [
    of("exemplar-of-two-kinds", "exemplar_document", "	if (details != 1)", "	if (details < 1)"),
    of("exemplar-of-no-kind", "exemplar_document", "	if (details != 1)", "	if (details > 1)"),
    of("year-10000", "document", "t_ms <= INT64_C(253402300799999)", "t_ms <= INT64_C(253402300800000)", "exemplar_document"),
    of("before-1970", "document", "return t_ms >= 0 && ", "return t_ms >= -1 && ", "exemplar_document"),
    of("window-at-any-time", "exemplar_document", "if (!document_is_time(x->window_start))", "if (!document_is_time(e->t))"),
    of("negative-duration", "exemplar_document", "return isfinite(ms) && ms >= 0 ?", "return isfinite(ms) ?"),
    of("endless-duration", "exemplar_document", "return isfinite(ms) && ms >= 0 ?", "return ms >= 0 ?"),
    of("span-begins-nowhere", "exemplar_document", "if (!isfinite(span->start_ms))", "if (isinf(span->start_ms))"),
    of("empty-text-stands", "document", "	if (value.len)\n", "	if (value.p)\n", "exemplar_document"),
    unit("group-with-its-digits-swapped", "common/str.c", "digits[bytes[i] >> 4];", "digits[bytes[i] & 15];", "sink", "test_exemplar_document"),
    of("line-0", "exemplar_document", "if (frames[i].line > 0)", "if (frames[i].line >= 0)"),
    of("no-waiting-is-told", "exemplar_document", "if (d->queue_ms > 0)", "if (d->queue_ms >= 0)"),
    of("marker-of-the-old-revision", "exemplar_document", "deployed ? e->marker.revision : e->revision", "deployed ? e->revision : e->marker.revision"),
    of("always-shortened", "exemplar_document", "	if (e->shortened)\n", "	if (!e->shortened)\n"),
    of("params-end-at-a-nul", "exemplar_document", "		if (key.p[i])\n", "		if (key.p)\n"),
    of("params-with-a-dollar", "exemplar_document", "bool dollar = key.len && key.p[0] == '$';", "bool dollar = key.len == SIZE_MAX;"),
    of("every-dollar-is-wide", "exemplar_document", "for (size_t i = dollar; i < key.len; i++)", "for (size_t i = 0; i < key.len; i++)"),
    of("key-for-which-memory-was-short", "exemplar_document", "	m->bytes.failed |= buf_failed(&m->key);\n", "", "nomem"),
    of("breadcrumb-at-no-time-stands", "exemplar_document", "if (document_is_time(crumbs[i].t))", "if (crumbs[i].t)"),
    of("unsorted-tags", "exemplar_document", "document_check_tags(e->tags, e->tags_len, err) < 0", "document_check_tags(e->tags, e->tags_len / 2, err) < 0"),
    of("ledger-last-span-takes-all", "ledger", "*span = last->id == id ? last : find(l, id);", "*span = id < UINT64_MAX ? last : find(l, id);"),
    of("one-place-for-all-collections", "reader", "&part->places[collection];", "&part->places[SINK_IN_ERRORS];"),
    of("place-of-another-life", "partitions", "	memset(part->places, 0, sizeof(part->places));", "	memset(part->places, 0, sizeof(part->places[0]));"),
    of("one-kind-is-the-topic", "reader", "			return false;\n	return true;\n", "			return false;\n		else\n			return true;\n	return true;\n"),
    of("kind-is-not-asked", "reader", 'sorted ? sink_collection_name(k->collection) : ""', 'sorted ? "errors" : ""'),
    of("no-kind-is-errors", "reader", 'sorted ? sink_collection_name(k->collection) : ""', "sink_collection_name(k->collection)"),
    of("full-ones-first-for-ever", "reader", "age >= OVERDUE_MS + r->spec.conf->batch_age_ms", "age < 0"),
    of("busy-is-no-matter", "reader", "if (due && (!b->pending || !writers_busy(r->spec.writers)))", "if (due)"),
    of("indexes-are-the-same-everywhere", "indexes", "		if (!l->has[i] || l->found[i])", "		if (l->found[i])"),
    of("others-index-is-in-the-way", "indexes", "if (!l->has[i] || !has_keys(index, ours[i].keys))", "if (!has_keys(index, ours[i].keys))"),
    of("what-passes-is-no-reason", "reader", " ||\n	       b->beside_bytes >= r->limit_bytes / BESIDE_SHARE;", ";"),
    of("what-is-stored-does-not-pass", "reader", "	pass_others(r, b, m->len + m->key_len);\n	*to = b;\n", "	*to = b;\n"),
    of("what-is-dropped-does-not-pass", "reader", "	pass_others(r, b, m->len + m->key_len);\n	rd_kafka", "	rd_kafka"),
    of("what-passes-is-not-in-flight", "reader", "		r->inflight_bytes += other->bytes - before;\n", "		r->inflight_bytes += 0 * before;\n"),
]
