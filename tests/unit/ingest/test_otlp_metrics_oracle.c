/* test_otlp_metrics_oracle.c - the decoder of OTLP's metrics against protobuf-c (otlp_metrics_oracle.h).
 *
 * Requests are random, good and bad. Each is packed by protobuf-c and read as it is and as every prefix: what the decoder takes means the same to
 * protobuf-c. Then its fields are written in another legal order, with unknown ones between them: it still means the same. */
#include "ingest/otlp_metrics.h"

#include "tests/unit/ingest/otlp_metrics_oracle.h"
#include "tests/unit/ingest/payload_equal.h"
#include "tests/unit/ingest/pb_random.h"

enum { REQUESTS = 600 };

#define NEW(mk, type, init) new_message((mk), sizeof(type), (init))

static void *new_message(struct maker *mk, size_t size, const void *init)
{
	return memcpy(make(mk, 1, size), init, size);
}

static OtlpMetrics__AnyValue *random_any(struct maker *mk)
{
	static const OtlpMetrics__AnyValue init = OTLP_METRICS__ANY_VALUE__INIT;
	OtlpMetrics__AnyValue *v = NEW(mk, OtlpMetrics__AnyValue, &init);

	v->value_case = one_in(mk, 5) ? unit_random_below(&mk->r, 4) : OTLP_METRICS__ANY_VALUE__VALUE_STRING_VALUE;
	if (v->value_case == OTLP_METRICS__ANY_VALUE__VALUE_STRING_VALUE)
		v->string_value = random_text(mk, true);
	else if (v->value_case == OTLP_METRICS__ANY_VALUE__VALUE_BOOL_VALUE)
		v->bool_value = one_in(mk, 2);
	else
		v->int_value = (int64_t)unit_random_next(&mk->r);
	return v;
}

static om_pair **random_pairs(struct maker *mk, size_t *n, bool resource)
{
	static const om_pair init = OTLP_METRICS__KEY_VALUE__INIT;
	static char keys[][32] = {"service.name", "deployment.environment", "host.name", "os", "service name"};
	om_pair **pairs;

	*n = one_in(mk, 40) ? 28 + unit_random_below(&mk->r, 8) : unit_random_below(&mk->r, 4);
	pairs = make(mk, *n, sizeof(*pairs));
	for (size_t i = 0; i < *n; i++) {
		pairs[i] = NEW(mk, om_pair, &init);
		pairs[i]->key = resource || one_in(mk, 5) ? keys[unit_random_below(&mk->r, NR(keys))] : random_text(mk, one_in(mk, 10));
		pairs[i]->value = one_in(mk, 30) ? NULL : random_any(mk);
	}
	return pairs;
}

static uint64_t random_ns(struct maker *mk)
{
	int64_t t_ms = random_time(mk);

	return t_ms <= 0 ? (uint64_t)t_ms : (uint64_t)t_ms * 1000000 + unit_random_below(&mk->r, 1000000);
}

static om_number *random_number(struct maker *mk)
{
	static const om_number init = OTLP_METRICS__NUMBER__INIT;
	om_number *n = NEW(mk, om_number, &init);

	n->attributes = random_pairs(mk, &n->n_attributes, false);
	n->start_time_unix_nano = random_ns(mk);
	n->time_unix_nano = random_ns(mk);
	n->flags = one_in(mk, 10) ? (uint32_t)unit_random_below(&mk->r, 4) : 0;
	n->value_case = one_in(mk, 10) ? OTLP_METRICS__NUMBER__VALUE__NOT_SET : one_in(mk, 2) ? OTLP_METRICS__NUMBER__VALUE_AS_INT : OTLP_METRICS__NUMBER__VALUE_AS_DOUBLE;
	if (n->value_case == OTLP_METRICS__NUMBER__VALUE_AS_INT)
		n->as_int = (int64_t)unit_random_next(&mk->r) >> unit_random_below(&mk->r, 64);
	else
		n->as_double = random_value(mk);
	return n;
}

static double *random_bounds(struct maker *mk, size_t n)
{
	double *bounds = make(mk, n, sizeof(*bounds)), at = one_in(mk, 2) ? 0 : -50 * unit_random_unit(&mk->r);
	double grows = one_in(mk, 4) ? 100 : 2;

	for (size_t i = 0; i < n; i++) {
		at = at < 0 ? at / grows : at * grows;
		bounds[i] = at + (one_in(mk, 3) ? 0 : unit_random_unit(&mk->r));
		if (fabs(at) < 0.1)
			at = one_in(mk, 2) ? 1 : 0.01;
		else if (at < 0)
			at = one_in(mk, 2) ? 0 : at;
	}
	if (n && one_in(mk, 20))
		bounds[unit_random_below(&mk->r, n)] = random_value(mk);
	return bounds;
}

static om_histogram *random_explicit(struct maker *mk)
{
	static const om_histogram init = OTLP_METRICS__HISTOGRAM__INIT;
	om_histogram *h = NEW(mk, om_histogram, &init);

	h->attributes = random_pairs(mk, &h->n_attributes, false);
	h->start_time_unix_nano = random_ns(mk);
	h->time_unix_nano = random_ns(mk);
	h->n_explicit_bounds = unit_random_below(&mk->r, 16);
	h->explicit_bounds = random_bounds(mk, h->n_explicit_bounds);
	h->n_bucket_counts = one_in(mk, 20) ? unit_random_below(&mk->r, 4) : h->n_explicit_bounds + 1;
	h->bucket_counts = make(mk, h->n_bucket_counts, sizeof(*h->bucket_counts));
	for (size_t i = 0; i < h->n_bucket_counts; i++) {
		h->bucket_counts[i] = one_in(mk, 3) ? 0 : unit_random_below(&mk->r, 1000);
		h->count += h->bucket_counts[i];
	}
	if (one_in(mk, 20))
		h->count = unit_random_next(&mk->r) >> unit_random_below(&mk->r, 64);
	h->has_sum_case = one_in(mk, 6) ? 0 : OTLP_METRICS__HISTOGRAM__HAS_SUM_SUM;
	h->sum = h->has_sum_case ? random_value(mk) : 0;
	h->has_min_case = one_in(mk, 4) ? OTLP_METRICS__HISTOGRAM__HAS_MIN_MIN : 0;
	h->min = h->has_min_case ? -random_value(mk) : 0;
	h->has_max_case = one_in(mk, 4) ? OTLP_METRICS__HISTOGRAM__HAS_MAX_MAX : 0;
	h->max = h->has_max_case ? random_value(mk) + 1e9 : 0;
	h->flags = one_in(mk, 30);
	return h;
}

static OtlpMetrics__Buckets *random_side(struct maker *mk, uint64_t *total)
{
	static const OtlpMetrics__Buckets init = OTLP_METRICS__BUCKETS__INIT;
	OtlpMetrics__Buckets *b = NEW(mk, OtlpMetrics__Buckets, &init);

	if (one_in(mk, 4))
		return NULL;
	b->offset = (int32_t)unit_random_below(&mk->r, 200) - 100;
	b->bucket_counts = random_counts(mk, &b->n_bucket_counts, total);
	return b;
}

static om_exponential *random_exponential(struct maker *mk)
{
	static const om_exponential init = OTLP_METRICS__EXPONENTIAL__INIT;
	om_exponential *e = NEW(mk, om_exponential, &init);

	e->attributes = random_pairs(mk, &e->n_attributes, false);
	e->start_time_unix_nano = random_ns(mk);
	e->time_unix_nano = random_ns(mk);
	e->scale = (int32_t)unit_random_below(&mk->r, 24) - 4;
	if (one_in(mk, 20))
		e->scale = (int32_t)unit_random_below(&mk->r, 200) - 100;
	e->zero_count = unit_random_below(&mk->r, 3);
	e->count = e->zero_count;
	e->positive = random_side(mk, &e->count);
	e->negative = random_side(mk, &e->count);
	if (one_in(mk, 20))
		e->count = unit_random_next(&mk->r) >> unit_random_below(&mk->r, 64);
	e->has_sum_case = one_in(mk, 6) ? 0 : OTLP_METRICS__EXPONENTIAL__HAS_SUM_SUM;
	e->sum = e->has_sum_case ? random_value(mk) : 0;
	e->has_min_case = one_in(mk, 4) ? OTLP_METRICS__EXPONENTIAL__HAS_MIN_MIN : 0;
	e->min = e->has_min_case ? -random_value(mk) : 0;
	e->has_max_case = one_in(mk, 4) ? OTLP_METRICS__EXPONENTIAL__HAS_MAX_MAX : 0;
	e->max = e->has_max_case ? random_value(mk) + 1e9 : 0;
	e->flags = one_in(mk, 30);
	return e;
}

static om_summary *random_summary_point(struct maker *mk)
{
	static const om_summary init = OTLP_METRICS__SUMMARY__INIT;
	om_summary *s = NEW(mk, om_summary, &init);

	s->attributes = random_pairs(mk, &s->n_attributes, false);
	s->start_time_unix_nano = random_ns(mk);
	s->time_unix_nano = random_ns(mk);
	s->count = unit_random_next(&mk->r) >> unit_random_below(&mk->r, 64);
	s->sum = random_value(mk);
	s->flags = one_in(mk, 30);
	return s;
}

/* Points of one kind, made by one function. */
#define RANDOM_POINTS(mk, list, n, make_point) \
	do {                                   \
		(n) = unit_random_below(&(mk)->r, 4); \
		(list) = make((mk), (n), sizeof(*(list))); \
		for (size_t i_ = 0; i_ < (n); i_++)    \
			(list)[i_] = make_point(mk);   \
	} while (0)

static int32_t random_temporality(struct maker *mk)
{
	return one_in(mk, 12) ? (int32_t)unit_random_below(&mk->r, 5) - 1 : 1 + (int32_t)unit_random_below(&mk->r, 2);
}

static void random_data(struct maker *mk, om_metric *m)
{
	static const OtlpMetrics__Numbers numbers = OTLP_METRICS__NUMBERS__INIT;
	static const OtlpMetrics__Histograms histograms = OTLP_METRICS__HISTOGRAMS__INIT;
	static const OtlpMetrics__Exponentials exponentials = OTLP_METRICS__EXPONENTIALS__INIT;
	static const OtlpMetrics__Summaries summaries = OTLP_METRICS__SUMMARIES__INIT;

	switch (m->data_case) {
	case OTLP_METRICS__METRIC__DATA_GAUGE:
	case OTLP_METRICS__METRIC__DATA_SUM:
		m->sum = NEW(mk, OtlpMetrics__Numbers, &numbers);
		RANDOM_POINTS(mk, m->sum->data_points, m->sum->n_data_points, random_number);
		if (m->data_case == OTLP_METRICS__METRIC__DATA_SUM) {
			m->sum->aggregation_temporality = random_temporality(mk);
			m->sum->is_monotonic = !one_in(mk, 3);
		}
		break;
	case OTLP_METRICS__METRIC__DATA_HISTOGRAM:
		m->histogram = NEW(mk, OtlpMetrics__Histograms, &histograms);
		RANDOM_POINTS(mk, m->histogram->data_points, m->histogram->n_data_points, random_explicit);
		m->histogram->aggregation_temporality = random_temporality(mk);
		break;
	case OTLP_METRICS__METRIC__DATA_EXPONENTIAL_HISTOGRAM:
		m->exponential_histogram = NEW(mk, OtlpMetrics__Exponentials, &exponentials);
		RANDOM_POINTS(mk, m->exponential_histogram->data_points, m->exponential_histogram->n_data_points, random_exponential);
		m->exponential_histogram->aggregation_temporality = random_temporality(mk);
		break;
	default:
		m->summary = NEW(mk, OtlpMetrics__Summaries, &summaries);
		RANDOM_POINTS(mk, m->summary->data_points, m->summary->n_data_points, random_summary_point);
	}
}

static om_metric *random_om_metric(struct maker *mk)
{
	static const om_metric init = OTLP_METRICS__METRIC__INIT;
	static const int cases[] = {OTLP_METRICS__METRIC__DATA_GAUGE, OTLP_METRICS__METRIC__DATA_SUM, OTLP_METRICS__METRIC__DATA_HISTOGRAM,
				    OTLP_METRICS__METRIC__DATA_EXPONENTIAL_HISTOGRAM, OTLP_METRICS__METRIC__DATA_SUMMARY};
	static char host_metric[] = "system.cpu.time";
	om_metric *m = NEW(mk, om_metric, &init);

	m->name = one_in(mk, 5) ? host_metric : random_text(mk, true);
	m->unit = random_text(mk, false);
	if (one_in(mk, 20))
		return m;
	m->data_case = cases[unit_random_below(&mk->r, NR(cases))];
	random_data(mk, m);
	return m;
}

static OtlpMetrics__ScopeMetrics *random_scope_metrics(struct maker *mk)
{
	static const OtlpMetrics__ScopeMetrics init = OTLP_METRICS__SCOPE_METRICS__INIT;
	static const OtlpMetrics__Scope scope = OTLP_METRICS__SCOPE__INIT;
	OtlpMetrics__ScopeMetrics *sm = NEW(mk, OtlpMetrics__ScopeMetrics, &init);

	if (!one_in(mk, 4)) {
		sm->scope = NEW(mk, OtlpMetrics__Scope, &scope);
		sm->scope->name = random_text(mk, true);
		sm->scope->attributes = random_pairs(mk, &sm->scope->n_attributes, one_in(mk, 2));
	}
	RANDOM_POINTS(mk, sm->metrics, sm->n_metrics, random_om_metric);
	sm->schema_url = random_text(mk, false);
	return sm;
}

static OtlpMetrics__ResourceMetrics *random_resource_metrics(struct maker *mk)
{
	static const OtlpMetrics__ResourceMetrics init = OTLP_METRICS__RESOURCE_METRICS__INIT;
	static const OtlpMetrics__Resource resource = OTLP_METRICS__RESOURCE__INIT;
	OtlpMetrics__ResourceMetrics *rm = NEW(mk, OtlpMetrics__ResourceMetrics, &init);

	if (!one_in(mk, 4)) {
		rm->resource = NEW(mk, OtlpMetrics__Resource, &resource);
		rm->resource->attributes = random_pairs(mk, &rm->resource->n_attributes, !one_in(mk, 4));
	}
	RANDOM_POINTS(mk, rm->scope_metrics, rm->n_scope_metrics, random_scope_metrics);
	return rm;
}

static struct str random_request(struct maker *mk)
{
	om_request request = OTLP_METRICS__REQUEST__INIT;
	uint8_t *bytes;
	size_t len;

	RANDOM_POINTS(mk, request.resource_metrics, request.n_resource_metrics, random_resource_metrics);
	len = otlp_metrics__request__get_packed_size(&request);
	bytes = make(mk, len, 1);
	otlp_metrics__request__pack(&request, bytes);
	return (struct str){(char *)bytes, len};
}

/* An estimate is as good as its last digits. */
static void forgive_estimates(const struct payload *p, struct payload *q)
{
	for (size_t i = 0; i < q->summaries_len && i < p->summaries_len; i++)
		if (q->summaries[i].approximate && fabs(p->summaries[i].sum - q->summaries[i].sum) <= 1e-6 * fabs(p->summaries[i].sum))
			q->summaries[i].sum = p->summaries[i].sum;
}

static void rules_init(struct otlp_rules *rules)
{
	ck_assert_int_eq(otlp_rules_read(rules, "service.name,deployment.environment,host.name"), 0);
}

static void must_be_same(struct payload *p, struct payload *q)
{
	const char *difference;
	char ours[2000], theirs[2000];

	forgive_estimates(p, q);
	difference = payload_difference(p, q);
	ck_assert_msg(!difference, "%s differ: %s; %s", difference, rejections(p, ours, sizeof(ours)), rejections(q, theirs, sizeof(theirs)));
}

/* The property. True when the body was taken. */
static bool must_agree(struct str body)
{
	char *exact = malloc(body.len ? body.len : 1); /* so that a sanitizer sees any byte read behind it */
	struct arena ours = {.limit_bytes = 64 << 20}, theirs = ARENA_INIT;
	struct otlp_rules rules;
	struct payload p, q;
	struct refusal no = {.reason = NR_REASONS};
	om_request *request;
	int rc, oracle;

	rules_init(&rules);
	memcpy(exact, body.p, body.len);
	payload_init(&p, &ours, NOW_MS);
	payload_init(&q, &theirs, NOW_MS);
	rc = otlp_metrics_parse((struct str){exact, body.len}, &p, &rules, &no);
	oracle = om_read(body, &q, &rules, &request);
	ck_assert_msg(rc == oracle, "%s by us (%s), %s by protobuf-c", rc ? "refused" : "taken", rc ? no.detail : "", oracle ? "refused" : "taken");
	if (rc == 0)
		must_be_same(&p, &q);
	if (request)
		otlp_metrics__request__free_unpacked(request, NULL);
	arena_fini(&ours);
	arena_fini(&theirs);
	free(exact);
	return rc == 0;
}

START_TEST(random_requests_mean_the_same)
{
	struct maker mk = {.r = unit_random_new("otlp_metrics")};

	for (int i = 0; i < REQUESTS; i++) {
		ck_assert(must_agree(random_request(&mk)));
		arena_clear(&mk.arena);
	}
	arena_fini(&mk.arena);
}
END_TEST

START_TEST(every_prefix_means_the_same)
{
	struct maker mk = {.r = unit_random_new("otlp_metrics cut off")};

	for (int i = 0; i < REQUESTS / 60; i++) {
		struct str body = random_request(&mk);

		for (size_t n = 0; n < body.len && n < 4000; n++)
			must_agree((struct str){body.p, n});
		arena_clear(&mk.arena);
	}
	arena_fini(&mk.arena);
}
END_TEST

/* A field that nobody knows, of any wire type. */
static void put_unknown(struct maker *mk, struct buf *out)
{
	static const struct {
		const char *bytes;
		size_t len;
	} some[] = {{"\xc0\x3e\x07", 3}, {"\xc1\x3e\0\0\0\0\0\0\0\0", 10}, {"\xc2\x3e\x03xyz", 6}, {"\xc5\x3e\0\0\0\0", 6}, {"\xc3\x3e\x08\x01\xc4\x3e", 6}};
	size_t which = unit_random_below(&mk->r, 8 * NR(some));

	if (which < NR(some))
		buf_add(out, some[which].bytes, some[which].len);
}

/* Writes a message anew: fields of different numbers in another order, lists of numbers not packed, unknown fields between them. */
static void shuffle(struct maker *mk, struct str in, const ProtobufCMessageDescriptor *m, struct buf *out);

static void shuffle_field(struct maker *mk, uint64_t key, const uint8_t *value, const uint8_t *end, const ProtobufCMessageDescriptor *m,
			  struct buf *out)
{
	const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field(m, (unsigned)(key >> 3));
	const uint8_t *at = value;
	struct buf inner = BUF_INIT;
	uint64_t n;

	put_unknown(mk, out);
	if ((key & 7) == 2 && f->type == PROTOBUF_C_TYPE_MESSAGE) {
		at = oracle_varint(at, end, &n);
		shuffle(mk, (struct str){(const char *)at, (size_t)(end - at)}, f->descriptor, &inner);
		oracle_put_message(out, key >> 3, &inner);
	} else if ((key & 7) == 2 && f->label == PROTOBUF_C_LABEL_REPEATED && f->type == PROTOBUF_C_TYPE_UINT64) {
		for (at = oracle_varint(at, end, &n); at < end;) {
			at = oracle_varint(at, end, &n);
			oracle_put_varint(out, key >> 3 << 3);
			oracle_put_varint(out, n);
		}
	} else if ((key & 7) == 2 && f->label == PROTOBUF_C_LABEL_REPEATED) {
		for (at = oracle_varint(at, end, &n); at < end; at += 8) {
			oracle_put_varint(out, (key >> 3 << 3) | 1);
			buf_add(out, at, 8);
		}
	} else {
		oracle_put_varint(out, key);
		buf_add(out, value, (size_t)(end - value));
	}
	buf_fini(&inner);
}

static void shuffle(struct maker *mk, struct str in, const ProtobufCMessageDescriptor *m, struct buf *out)
{
	uint64_t first = unit_random_below(&mk->r, 16);

	for (uint64_t turn = 0; turn < 16; turn++) {
		const uint8_t *at = (const uint8_t *)in.p, *end = at + in.len, *value;
		uint64_t key;

		while (at < end) {
			value = oracle_varint(at, end, &key);
			at = oracle_value_end(key, value, end, 0);
			if ((key >> 3 ^ first) % 16 == turn)
				shuffle_field(mk, key, value, at, m, out);
		}
	}
	put_unknown(mk, out);
}

START_TEST(another_legal_order_means_the_same)
{
	struct maker mk = {.r = unit_random_new("otlp_metrics shuffled")};
	struct otlp_rules rules;

	rules_init(&rules);
	for (int i = 0; i < REQUESTS; i++) {
		struct arena ours = {.limit_bytes = 64 << 20}, theirs = {.limit_bytes = 64 << 20};
		struct str body = random_request(&mk);
		struct buf other = BUF_INIT;
		struct payload p, q;
		struct refusal no = {.reason = NR_REASONS};

		shuffle(&mk, body, &otlp_metrics__request__descriptor, &other);
		payload_init(&p, &ours, NOW_MS);
		payload_init(&q, &theirs, NOW_MS);
		ck_assert_int_eq(otlp_metrics_parse(body, &p, &rules, &no), 0);
		ck_assert_msg(otlp_metrics_parse(buf_str(&other), &q, &rules, &no) == 0, "%s", no.detail);
		must_be_same(&p, &q);
		buf_fini(&other);
		arena_fini(&ours);
		arena_fini(&theirs);
		arena_clear(&mk.arena);
	}
	arena_fini(&mk.arena);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("otlp_metrics_oracle");
	TCase *tc = tcase_create("otlp_metrics_oracle");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, random_requests_mean_the_same);
	tcase_add_test(tc, every_prefix_means_the_same);
	tcase_add_test(tc, another_legal_order_means_the_same);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
