"""The mutants of OTLP over HTTP and of its metrics."""
from mutant import unit


def of(name, path, find, replace, test):
    """One in ingest/PATH that a unit test of ingest must notice."""
    return unit(f"otlp-{name}", f"ingest/{path}", find, replace, "ingest", f"test_{test}")


def points(name, find, replace, test="otlp_metrics"):
    return of(name, "otlp_metrics_points.c", find, replace, test)


def envelope(name, find, replace, test="otlp_metrics"):
    return of(name, "otlp_metrics.c", find, replace, test)


def buckets(name, find, replace, test="otlp_metrics"):
    return of(name, "otlp_buckets.c", find, replace, test)


MUTANTS = [
    # what stands around points
    envelope("temporality-before-points-only", "	ps->untold = ps->data", "	ps->untold = false && ps->data"),
    envelope("first-data-counts", "	if (ps->data != data) {", "	if (ps->data == OTLP_METRICS_NONE) {"),
    envelope("replaced-data-counts", "ps->reading = data == ps->data && at >= ps->data_from;", "ps->reading = data == ps->data;"),
    envelope("gauges-accumulate", "cumulative = cumulative && ps->monotonic;", ""),
    envelope("sums-always-rise", "ps->monotonic ? SERIES_KIND_COUNTER : SERIES_KIND_GAUGE", "SERIES_KIND_COUNTER"),
    envelope("monotonic-stays", "		ps->monotonic = false;\n", "		;\n", "otlp_metrics"),
    envelope("summaries-are-deltas", "		cumulative = true;\n", "		cumulative = false;\n"),
    envelope("resource-first", "{&ps->scope, &ps->resource}", "{&ps->resource, &ps->scope}"),
    envelope("hosts-everywhere", "(host || !str_eq(t->key, STR(OTLP_HOST_NAME)))", "(host || true)"),
    envelope("all-attributes-are-tags", "otlp_rules_want(ps->rules, tag.key) && ", ""),
    envelope("scope-of-the-last", "	ps->scope.len = 0;\n", ""),
    envelope("resource-of-the-last", "	ps->resource.len = 0;\n", ""),
    envelope("metrics-counted-by-scope", "	ps->metrics_before += ps->metrics_len;\n", ""),
    envelope("enum-of-64-bits", "int32_t aggregation = (int32_t)ps->aggregation;", "int64_t aggregation = ps->aggregation;"),
    # points
    points("no-value-is-a-value", "ps->reading && !(ps->flags & FLAG_NO_RECORDED_VALUE)", "ps->reading"),
    points("any-flag-is-no-value", "!(ps->flags & FLAG_NO_RECORDED_VALUE)", "!ps->flags"),
    points("own-attribute-beside-inherited", "while (k < own && !str_eq(ps->tags[k].key, t->key))", "while (k < own)"),
    points("thirty-third-tag-unseen", "ps->tags_len <= SERIES_TAGS_MAX ? ps->tags_len++", "ps->tags_len < SERIES_TAGS_MAX ? ps->tags_len++"),
    points("values-cut-before-they-are-scrubbed", "	return scrub_beginning(p->scrub, &p->scrubbed, p->arena, value, SERIES_STRING_MAX) < 0 ? -1 : 0;",
           "	*value = str_cut_utf8(*value, SERIES_STRING_MAX);\n	return p ? 0 : -1;"),
    envelope("instances-share-a-life", "(life || !str_eq(t->key, STR(OTLP_INSTANCE_ID)))", "(!life || !str_eq(t->key, STR(OTLP_INSTANCE_ID)))"),
    points("made-up-sum-contradicts", "		f->sum = fmin(fmax(", "		f->sum = f->sum + 0 * fmin(fmax("),
    points("extremes-of-a-made-up-life", "		ps->point.has &= ~extremes;", "		(void)f;"),
    points("start-of-deltas", "if (m->temporality != TEMPORALITY_CUMULATIVE)", "if (0)"),
    points("microseconds", "NS_PER_MS = 1000000", "NS_PER_MS = 1000"),
    points("delta-of-nothing-is-a-sample", "ps->figures.count == 0 && ps->metric.temporality == TEMPORALITY_DELTA", "0"),
    points("extremes-of-nothing", "	if (ps->figures.count == 0)\n		ps->point.has &=", "	if (0)\n		ps->point.has &="),
    points("infinite-extremes", "if (at && isfinite(*out))", "if (at)"),
    points("sums-always-known", "	if (ps->has_sum)\n		return;\n", ""),
    points("any-text-is-short", "return str_is_ascii(out->key) && str_is_ascii(out->value);", "return true;"),
    points("int-without-sign", "(double)(int64_t)v.value", "(double)v.value"),
    points("places-by-themselves", "m->points_before = ps->points_len - 1;", "m->points_before = 0;"),
    # buckets
    buckets("arithmetic-midpoints", "copysign(isnormal(product) ? sqrt(product)", "copysign(isnormal(product) ? fabs(low + high) / 2"),
    buckets("bounds-may-fall", "(i && !(bound(bounds, i - 1) < bound(bounds, i)))", "0"),
    buckets("layout-of-other-bounds", "memcmp(l->bounds.p, bounds->p, bounds->len * sizeof(*bounds->p)) == 0", "bounds->len"),
    buckets("spans-without-end", "span_of(l) > OTLP_SPAN_MAX", "span_of(l) > 100 * OTLP_SPAN_MAX"),
    buckets("downscaling-rounds-up", "(*offset + (int64_t)i) >> shift", "(*offset + (int64_t)i + 1) >> shift"),
    buckets("lists-without-end", "n > LIST_MAX - w->len ? LIST_MAX - w->len : n", "n"),
    # the judge
    of("starts-not-shifted", "check.c", "__builtin_add_overflow(pt->start_ms, p->shift_ms, &start_ms)", "__builtin_add_overflow(pt->start_ms, 0 * p->shift_ms, &start_ms)", "otlp_metrics"),
    of("lives-of-a-day", "check.c", "(cumulative ? (int64_t)HIST_TRAVEL_TOTAL_MAX : SERIES_SAMPLE_COUNT_MAX)", "SERIES_SAMPLE_COUNT_MAX", "otlp_metrics"),
    # HTTP
    of("answers-in-json", "answer.c", "return a->form.protobuf ?", "return a->form.protobuf && a->refused ?", "server"),
    of("slow-is-408", "answer.c", "form->otlp && status == STATUS_TIMED_OUT", "form->otlp && status == 0", "answer"),
    of("partial-success-of-all", "answer_otlp.c", "	if (form->protobuf && p->rejected) {", "	if (form->protobuf) {", "answer"),
    of("every-place-named", "answer_otlp.c", "i < p->rejections_len && i < PLACES_MAX", "i < p->rejections_len", "answer"),
    of("key-of-any-length", "admission.c", "len < 1 || len > IDEMPOTENCY_KEY_MAX", "len < 1", "admission"),
    of("headers-of-native-payloads", "admission.c", "sender_read(otlp ? NULL : head->sent_at, otlp ? NULL : head->created_at,", "sender_read(head->sent_at, head->created_at,", "admission"),
    of("form-known-late", "admission.c", "	t->form = is_type(head->content_type, protobuf_type) ? BODY_PROTOBUF : BODY_JSON;\n", "", "admission"),
    unit("summary-falls-with-its-sum", "processor/intake.c", ".histogram = distribution ? &s->histogram : NULL};", ".histogram = distribution && s->has_histogram ? &s->histogram : NULL};",
         "processor", "test_intake"),
]
