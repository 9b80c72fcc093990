"""The mutants of events in ingest: which are good, what is kept of one, what follows from them, and the way to their topic."""
from mutant import unit


def event(name, find, replace):
    return unit(name, "ingest/event.c", find, replace, "ingest", "test_event")


def settle(name, find, replace):
    return unit(name, "ingest/settle.c", find, replace, "ingest", "test_settle")


def split(name, find, replace):
    return unit(name, "ingest/split.c", find, replace, "ingest", "test_split")


def divide(name, find, replace):
    return unit(name, "ingest/divide.c", find, replace, "ingest", "test_divide")


def divided(name, find, replace):
    """What split does of it."""
    return unit(name, "ingest/split.c", find, replace, "ingest", "test_divide")


def producer(name, find, replace):
    return unit(name, "ingest/producer.c", find, replace, "ingest", "test_producer")


MUTANTS = [
    unit("half-a-character", "common/str.c", "while (max > 0 && ((uint8_t)s.p[max] & 0xc0) == 0x80)", "while (max > 0 && ((uint8_t)s.p[max - 1] & 0xc0) == 0x80)",
         "ingest", "test_event"),
    event("event-without-a-class", "case PAYLOAD_ERROR: return e->event.error.class.len ? FINE : REASON_EVENT_FIELD_MISSING;", "case PAYLOAD_ERROR: return FINE;"),
    event("check-in-of-no-kind", " && check_in_kind_name(c->kind)", ""),
    event("check-in-of-no-event", " && check_in_event_name(c->event)", ""),
    event("endless-transaction", "ms >= 0 && ms < duration_end_ms", "ms >= 0 && ms < duration_end_ms * 1e300"),
    event("transaction-before-it-began", "ms >= 0 && ms < duration_end_ms", "ms < duration_end_ms"),
    event("queue-of-any-length", " && is_duration(v->transaction.queue_ms)", ""),
    event("event-not-shifted", "e->event.t + p->shift_ms : p->received_at_ms", "e->event.t : p->received_at_ms"),
    event("breadcrumb-not-shifted", "? b->t + k->payload->shift_ms : error_t_ms", "? b->t : error_t_ms"),
    event("cut-and-not-told", "	*text = str_cut_utf8(*text, max);\n	k->shortened = true;", "	*text = str_cut_utf8(*text, max);\n	k->shortened |= 0;"),
    event("event-without-bound", "cut(k, text, max < k->left_bytes ? max : k->left_bytes);\n	k->left_bytes -= text->len;", "cut(k, text, max);"),
    event("tags-cost-nothing", "		k->left_bytes -= tags[i].key.len + TAG_BYTES;\n", ""),
    event("cut-before-scrubbed", "	scrub(k, text, max);\n	spend(k, text, max);", "	*text = str_cut_utf8(*text, max);\n	scrub(k, text, max);\n	spend(k, text, max);"),
    unit("half-of-a-far-secret", "ingest/scrub.c", "text->len > SECRET_BYTES ? text->len - SECRET_BYTES : 0", "text->len", "ingest", "test_event"),
    unit("shared-texts-are-free", "ingest/event.c", "	p->event_bytes += EVENT_BYTES_MAX - k.left_bytes;\n", "", "ingest", "test_otlp_traces"),
    event("ids-are-never-secret", "	if (n < id->len)\n", "	if (0)\n"),
    event("keys-are-never-secret", "		if (!series_name_valid(tags[i].key))", "		if (0)"),
    event("secret-by-its-key-stays", "tags[i].value.len && scrub_key_is_secret(k->payload->scrub, tags[i].key)", "0"),
    event("any-key", "		if (rule->names)\n", "		if (rule->names && !rule->len)\n"),
    event("names-in-params", "		if (rule->names)\n", ""),
    event("doubled-key-stays", "!kept || !str_eq(tags[i].key, tags[kept - 1].key)", "1"),
    event("doubled-key-by-arrival", "return order ? order : str_cmp(a->value, b->value);", "return order;"),
    event("first-breadcrumbs", "struct breadcrumb *first = d->breadcrumbs + d->breadcrumbs_len;", "struct breadcrumb *first = d->breadcrumbs + len;"),
    event("span-of-nan", "isfinite(s->start_ms) && isfinite(s->duration_ms)", "isfinite(s->duration_ms)"),
    event("bad-span-hides-the-rest", "		if (!is_span(&d->spans[i]))\n			continue;", "		if (!is_span(&d->spans[i]))\n			break;"),
    event("rejected-and-kept", "	if (why != FINE)\n		return payload_reject(p, e->list, e->index, -1, why, 1);",
          "	if (why != FINE && payload_reject(p, e->list, e->index, -1, why, 1) < 0)\n		return -1;"),
    unit("event-not-counted", "ingest/payload.c", "	p->accepted_events[e->kind]++;\n", "", "ingest", "test_event"),
    unit("events-of-no-kind", "ingest/account.c", "t.events[i] = p->accepted_events[i];", "t.events[i] = 0;", "ingest", "test_account"),
    settle("derived-is-received", "return payload_derive_summary(st->payload, &s);", "return payload_add_summary(st->payload, &s);"),
    settle("own-host-overwritten", "v->host = v->host.len ? v->host : host;", "v->host = host;"),
    settle("host-keeps-its-secret", "make_good(p, &host) < 0 || ", ""),
    settle("empty-tags", "if (value.len && l->len < SERIES_TAGS_MAX)", "if (l->len < SERIES_TAGS_MAX)"),
    settle("one-tag-less", "value.len && l->len < SERIES_TAGS_MAX", "value.len && l->len < SERIES_TAGS_MAX - 1"),
    settle("tag-of-any-length", "(struct tag){key, str_cut_utf8(value, SERIES_STRING_MAX)}", "(struct tag){key, value}"),
    settle("resource-hides-the-action", "if (!is_own(e->series_tags[i].key))", "if (1 || !is_own(e->series_tags[i].key))"),
    settle("tags-unsorted", "	series_sort_tags(l->tags, l->len);\n", ""),
    settle("group-cut-short", "str_hex(v->group, sizeof(v->group), ", "str_hex(v->group, sizeof(v->group) - 1, "),
    settle("minutes-are-one", "return order ? order : (x->minute_ms > y->minute_ms) - (x->minute_ms < y->minute_ms);", "return order;"),
    settle("minute-by-its-half", "t_ms % CLOCK_MINUTE_MS;", "(t_ms + CLOCK_MINUTE_MS / 2) % CLOCK_MINUTE_MS;"),
    settle("last-by-arrival", "if (!s->count || t_ms >= s->t)", "if (!s->count || t_ms > s->t)"),
    settle("min-of-nothing", "s->min = s->count && s->min < v ? s->min : v;", "s->min = s->min < v ? s->min : v;"),
    settle("failures-uncounted", "		s.errors += v->has_transaction && v->transaction.failed;\n", ""),
    settle("zero-in-a-bucket", "		h->zero += ms == 0;\n", ""),
    settle("bucket-one-off", "h->offset = low;", "h->offset = low - 1;"),
    settle("one-series-for-all", "(i == 0 || memcmp(e->key, e[-1].key, sizeof(e->key)) != 0)", "i == 0"),
    settle("the-fastest-stay", "if (ms > most_ms ||", "if (ms < most_ms ||"),
    settle("as-slow-by-chance", "(ms == most_ms && st->entries[i].event < st->entries[best].event)", "(ms == most_ms && st->entries[i].event > st->entries[best].event)"),
    settle("one-too-many-stays", "size_t j = i + SETTLE_SLOWEST; j < end", "size_t j = i + SETTLE_SLOWEST + 1; j < end"),
    split("events-at-random", "sp->events[route_series_index(p->events[i].event.group, partitions)];", "sp->events[i % partitions];"),
    split("events-to-samples", ".topic = sp->route->events_topic", ".topic = sp->route->topic"),
    split("events-of-nobody", "	label_events(sp, b);\n", "	if (sp->starved)\n		label_events(sp, b);\n"),
    split("samples-without-their-key", "	b->routed_since = sp->route->since_ms;\n	b->has_idempotency_key = p->has_idempotency_key;", "	b->routed_since = sp->route->since_ms;"),
    split("events-unmeasured", "	if (bytes > sp->record_max_bytes)", "	if (bytes > sp->record_max_bytes && !part->events)"),
    divided("nothing-is-divisible", " && sp->payload->divisible && ", " && !sp->payload->divisible && "),
    divided("agents-payload-divided", "sp->payload->divisible && !sp->payload->has_agent_id;", "sp->payload->divisible;"),
    divided("whole-record-before-its-chunks", "	sp->records->len = start;\n", ""),
    divided("chunk-counts-as-the-part", "= d.chunks[i].items;", "= samples ? part->samples : part->events;"),
    unit("otlp-is-not-divisible", "ingest/otlp.c", "	p->divisible = true;\n", "", "ingest", "test_divide"),
    divide("one-key-for-all-chunks", "if (dv->to->chunks_len == 0)", "if (dv->to)"),
    divide("first-chunk-under-another-key", "	if (dv->to->chunks_len == 0)\n		return whole;\n", ""),
    divide("chunks-without-their-number", "htobe32((uint32_t)dv->to->chunks_len)", "htobe32(1)"),
    divide("key-that-a-client-could-send", "key_mark[] = {0, 'c'}", "key_mark[] = {'0', 'c'}"),
    divide("chunk-of-one-byte-too-many", "if (bytes <= d->record_max_bytes)", "if (bytes <= d->record_max_bytes + 1)"),
    divide("too-large-goes-on", "	if (end - from == 1)\n		return refuse(", "	if (end - from == 0)\n		return refuse("),
    divide("halves-lose-an-item", "return encode_piece(dv, from, middle, no) < 0", "return encode_piece(dv, from, middle - (middle - from > 1), no) < 0"),
    divide("failed-try-stays", "	d->records->len = start;\n	return encode_piece", "	return encode_piece"),
    divide("chunks-unbounded", "!chunks || (limit_bytes && d->records->len > limit_bytes)", "!chunks || (limit_bytes && d->records->len > 9 * limit_bytes)"),
    divide("chunks-by-arrival", "	qsort(items, b->values_len + b->summaries_len, sizeof(*items), by_series_and_time);\n", "	(void)by_series_and_time;\n"),
    divide("chunks-by-series-alone", "	if (x->t_ms != y->t_ms)\n", "	if (x->t_ms != y->t_ms && x->summary)\n"),
    divide("chunk-of-one-series", "if (b->series_len == 0 || item->series != item[-1].series)", "if (b->series_len == 0)"),
    divide("events-from-the-first", "	b.events += from;\n", ""),
    split("only-events-are-nothing", "if (p->series_len == 0 && p->events_len == 0 && !p->has_agent_id)", "if (p->series_len == 0 && !p->has_agent_id)"),
    producer("all-of-the-first-topic", "bool again = i && parts->part[i].topic == parts->part[i - 1].topic;", "bool again = i;"),
    producer("stall-of-the-other", "		leg->flow->gone = false;\n", "		for (struct flow *f = ((struct producer *)opaque)->flows; f; f = f->next)\n			f->gone = false;\n"),
    unit("job-waits-for-samples-alone", "ingest/push.c", " || (job->events_topic[0] && producer_gone(producer, job->events_topic))", "", "ingest", "test_push"),
    unit("events-sent-to-nobody", "ingest/push.c", "	if (job->events_topic[0] && producer_gone(", "	if (!job && producer_gone(", "ingest", "test_push"),
    unit("nothing-settled", "ingest/push.c", "	if (rc == 0 && settle_events(", "	if (rc > 0 && settle_events(", "ingest", "test_push"),
    unit("events-topic-not-warm", "ingest/sites.c", "		buf_add(out, cell->events_topic, strlen(cell->events_topic) + 1);\n", "", "ingest", "test_sites"),
    unit("route-without-events", "ingest/admission.c", "arena_str(arena, str_from(from->events_topic)).p;", "arena_str(arena, str_from(from->topic)).p;", "ingest", "test_admission"),
    unit("no-memory-for-a-name", "ingest/event.c", "		k->starved = true;\n		return STR(\"_\");", "		return STR(\"_\");", "ingest", "test_nomem"),
    settle("no-memory-for-buckets", "return h->counts ? 0 : -1;", "return 0;"),
]
