"""The mutants of OTLP's traces and logs, and of the attributes that all signals share."""
from mutant import unit


def of(name, module, find, replace, test):
    """One in ingest/otlp_MODULE.c that a unit test must notice."""
    return unit(f"otlp-{name}", f"ingest/otlp_{module}.c", find, replace, "ingest", f"test_otlp_{test}")


MUTANTS = [
    # attributes
    of("lists-without-a-bottom", "value", "++t->depth > OTLP_VALUE_DEPTH_MAX", "++t->depth > 100000", "value"),
    of("text-without-an-end", "value", "if (n > TEXT_BYTES_MAX - t->len)", "if (0)", "value"),
    of("real-of-15-digits", "value", "for (int n = 15; n <= 17; n++)", "for (int n = 15; n <= 15; n++)", "value"),
    of("quotes-not-escaped", "value", "c >= 0x20 && c != '\"' && c != '\\\\'", "c >= 0x20 && c != '\"'", "value"),
    of("first-value-counts", "value", "	out->kind = (int)(key >> 3);", "	if (!out->kind)\n		out->kind = (int)(key >> 3);", "value"),
    of("base64-without-padding", "value", "for (size_t k = 0; k <= n; k++)", "for (size_t k = 0; k <= 3; k++)", "value"),
    of("depth-never-comes-back", "value", "	t->depth--;\n", "", "value"),
    # the tree
    of("traces-share-their-ids", "spans", "memcmp(s->trace_id, trace_id, OTLP_TRACE_ID_BYTES) != 0 || ", "", "oracle"),
    of("last-double-is-the-parent", "spans", "		if (find(&ids, s->trace_id, s->span_id))\n			continue;\n", "", "oracle"),
    of("client-serves", "spans", "s->kind == OTLP_SPAN_SERVER ||", "s->kind == OTLP_SPAN_CLIENT || s->kind == OTLP_SPAN_SERVER ||", "traces"),
    of("roots-are-nothing", "spans", "!s->has_parent || s->kind", "(!s->has_parent && s->kind == OTLP_SPAN_INTERNAL) || s->kind", "traces"),
    of("consumer-is-web", "spans", "transaction->kind == OTLP_SPAN_SERVER ?", "transaction->kind != OTLP_SPAN_INTERNAL ?", "traces"),
    of("inner-as-they-came", "spans", "	qsort(all, n, sizeof(*all), by_time);\n", "	(void)by_time;\n", "traces"),
    of("transaction-is-its-own-parent", "spans", "if (s->parent != s->owner)", "if (s->parent)", "traces"),
    of("route-without-method", "spans", "	text[method.len] = ' ';", "	text[method.len] = '_';", "traces"),
    of("breadcrumbs-from-the-beginning", "spans", "(recent->seen - n + i) % OTLP_BREADCRUMBS_MAX", "i", "traces"),
    of("breadcrumbs-from-later", "spans", "	qsort(s->events, s->events_len, sizeof(*s->events), events_by_time);\n", "	(void)events_by_time;\n", "traces"),
    of("nothing-is-ignored", "spans", "!s->owner && !s->in_error", "0 && !s->in_error", "traces"),
    of("error-of-ignored-span", "spans", "		s->in_error = true;\n", "", "traces"),
    of("lost-in-the-books", "spans", "	p->received++;\n	p->accepted++;\n", "", "traces"),
    of("timeless-error-is-of-1970", "spans", "event->t_ns ? event->t_ns : s->end_ns", "event->t_ns", "traces"),
    # traces
    of("ids-of-zeros", "traces", "memcmp(id.p, zeros, len) == 0", "(0 && memcmp(id.p, zeros, len) == 0)", "traces"),
    of("any-parent", "traces", "id.len != 0 && id.len != OTLP_SPAN_ID_BYTES", "0", "traces"),
    of("ends-before-it-begins", "traces", "t->span.end_ns < t->span.start_ns", "t->span.end_ns + 1 < t->span.start_ns", "traces"),
    of("place-in-its-scope", "traces", ".index = t->spans_seen++", ".index = t->spans_len - 1", "traces"),
    of("status-1-fails", "traces", "(int32_t)code == STATUS_ERROR", "code != 0", "traces"),
    of("attributes-of-the-span-before", "traces", "	t->attributes.len = 0;\n", "", "traces"),
    of("events-of-the-span-before", "traces", "	t->attributes.len = 0;\n	t->events_len = 0;\n", "	t->attributes.len = 0;\n", "oracle"),
    # logs
    of("seen-before-it-was", "logs", "l->time_ns ? l->time_ns : l->observed_ns", "l->observed_ns ? l->observed_ns : l->time_ns", "logs"),
    of("body-of-the-record-before", "logs", "	l->body = NULL;\n", "", "oracle"),
    of("trace-of-the-record-before", "logs", "l->severity = l->trace_id = STR(\"\");", "l->severity = STR(\"\");\n	if (!l->trace_id.p)\n		l->trace_id = STR(\"\");", "oracle"),
    of("ignored-record-in-no-book", "logs", "	l->payload->received++;\n	l->payload->accepted++;\n", "", "logs"),
    of("timeless-record-is-of-1970", "logs", ".has_t = record->t_ns != 0", ".has_t = true", "logs"),
    # what is above and beside
    of("host-in-every-series", "scope", "value && !str_eq(key, STR(OTLP_HOST_NAME))", "value", "traces"),
    of("resource-beats-scope", "scope", "		if (!value)\n			value = scope->resource->wanted[i];", "		if (scope->resource->wanted[i])\n			value = scope->resource->wanted[i];", "traces"),
    of("old-environment-first", "scope", "	if (!resource->environment.len)\n", "", "traces"),
    of("series-unsorted", "scope", "	series_sort_tags(tags, len);\n", "", "traces"),
    of("exception-in-params", "error", "if (!str_take(&key, PREFIX))", "if (1 || str_take(&key, PREFIX))", "traces"),
    of("span's-params-first", "error", "error->params_len = otlp_params_add(error->params, 0, x->attributes, x->attributes_len);",
       "error->params_len = otlp_params_add(error->params, 0, x->more, x->more_len);", "traces"),
    of("message-alone-is-none", "error", " || value_of(attributes, len, PREFIX \"message\").len", "", "traces"),
    of("body-instead-of-message", "error", "either(value_of(x->attributes, x->attributes_len, PREFIX \"message\"), x->body)",
       "either(x->body, value_of(x->attributes, x->attributes_len, PREFIX \"message\"))", "logs"),
    of("frame-beside-the-backtrace", "error", "return error->backtrace_len ? 0 : add_frame(arena, x, error);", "return add_frame(arena, x, error);", "traces"),
    unit("ignored-not-told", "ingest/account.c", "count(a, SITE_IGNORED, site, ignored_reasons[i], t->ignored[i]);", "(void)ignored_reasons;", "ingest", "test_account"),
]
