/* pb_random.h - random payloads in protobuf-c's structs, good and bad, as agents and their bugs might make them. */
#ifndef MILLRACE_TESTS_PB_RANDOM_H
#define MILLRACE_TESTS_PB_RANDOM_H

#include <math.h>

#include "tests/unit/ingest/payloads.h"
#include "tests/unit/ingest/pb_oracle.h"

/* Random messages; all memory is the arena's. */
struct maker {
	struct unit_random r;
	struct arena arena;
};

static inline void *make(struct maker *mk, size_t n, size_t size)
{
	void *p = arena_calloc(&mk->arena, n, size);

	ck_assert_ptr_nonnull(p);
	return p;
}

static inline bool one_in(struct maker *mk, uint64_t n)
{
	return unit_random_below(&mk->r, n) == 0;
}

static inline char *random_text(struct maker *mk, bool wild)
{
	static const char *const some[] = {"", "a", "http.duration", "x/y:z-1", "host", "route", "an_ordinary.name.of_24_chars"};
	static const char *const odd[] = {"with space", "\xc3\xa4", "\xf0\x9f\x98\x80 and more than a word", "#"};
	char *text = make(mk, 1, 300);

	if (wild && one_in(mk, 12))
		snprintf(text, 300, "%s", odd[unit_random_below(&mk->r, NR(odd))]);
	else if (one_in(mk, 60))
		memset(text, 'x', 254 + unit_random_below(&mk->r, 3));
	else
		snprintf(text, 300, "%s%u", some[unit_random_below(&mk->r, NR(some))], (unsigned)unit_random_below(&mk->r, 40));
	return text;
}

static inline int64_t random_time(struct maker *mk)
{
	static const int64_t far[] = {0, 1, -1, INT64_MAX, INT64_MIN, NOW_MS - CHECK_PAST_MS - 1, NOW_MS + CHECK_FUTURE_MS + 1};

	return one_in(mk, 8) ? far[unit_random_below(&mk->r, NR(far))] : NOW_MS - (int64_t)unit_random_below(&mk->r, 100000000);
}

static inline double random_value(struct maker *mk)
{
	static const double odd[] = {0.0, -0.0, -1, 1e308, 5e-324, INFINITY};

	return one_in(mk, 8) ? odd[unit_random_below(&mk->r, NR(odd))] : ldexp(unit_random_unit(&mk->r), (int)unit_random_below(&mk->r, 40));
}

/* Counts of random width, that add up to *total. */
static inline uint64_t *random_counts(struct maker *mk, size_t *n, uint64_t *total)
{
	uint64_t *counts;

	*n = one_in(mk, 3) ? 0 : unit_random_below(&mk->r, 20);
	counts = make(mk, *n, sizeof(*counts));
	for (size_t i = 0; i < *n; i++) {
		counts[i] = unit_random_below(&mk->r, UINT64_C(1) << unit_random_below(&mk->r, 30));
		*total += counts[i];
	}
	return counts;
}

static inline pb_histogram *random_histogram(struct maker *mk, uint64_t *total)
{
	pb_histogram *h = make(mk, 1, sizeof(*h));

	millrace__push__histogram__init(h);
	h->has_scale_case = one_in(mk, 20) ? MILLRACE__PUSH__HISTOGRAM__HAS_SCALE__NOT_SET : MILLRACE__PUSH__HISTOGRAM__HAS_SCALE_SCALE;
	h->scale = one_in(mk, 10) ? (int32_t)unit_random_below(&mk->r, 50) - 25 : 5;
	h->zero = unit_random_below(&mk->r, 3);
	h->offset = (int32_t)unit_random_below(&mk->r, 2000) - 1000;
	h->neg_offset = (int32_t)unit_random_below(&mk->r, 2000) - 1000;
	*total += h->zero;
	h->counts = random_counts(mk, &h->n_counts, total);
	h->neg_counts = random_counts(mk, &h->n_neg_counts, total);
	if (one_in(mk, 30) && h->n_counts)
		h->counts[0] = INT64_MAX;
	return h;
}

/* Most are whole, some lack a figure. */
static inline void random_summary(struct maker *mk, pb_point *pt, bool histogram)
{
	uint64_t total = histogram ? 0 : 1 + unit_random_below(&mk->r, 100);

	if (histogram)
		pt->histogram = random_histogram(mk, &total);
	pt->count = one_in(mk, 20) ? unit_random_below(&mk->r, 3) : total;
	pt->has_sum_case = one_in(mk, 30) ? 0 : MILLRACE__PUSH__POINT__HAS_SUM_SUM;
	pt->has_min_case = one_in(mk, 30) ? 0 : MILLRACE__PUSH__POINT__HAS_MIN_MIN;
	pt->has_max_case = one_in(mk, 30) ? 0 : MILLRACE__PUSH__POINT__HAS_MAX_MAX;
	pt->has_last_case = one_in(mk, 30) ? 0 : MILLRACE__PUSH__POINT__HAS_LAST_LAST;
	pt->min = random_value(mk);
	pt->last = pt->min + 1;
	pt->max = pt->last + 1;
	pt->sum = pt->last * (double)pt->count;
	pt->last_at = one_in(mk, 2) ? 0 : random_time(mk);
}

static inline pb_point *random_point(struct maker *mk, bool distribution)
{
	pb_point *pt = make(mk, 1, sizeof(*pt));
	bool both = one_in(mk, 30), summary = one_in(mk, 2);

	millrace__push__point__init(pt);
	pt->t = random_time(mk);
	if (!summary || both) {
		pt->has_v_case = MILLRACE__PUSH__POINT__HAS_V_V;
		pt->v = random_value(mk);
	}
	if (summary || both)
		random_summary(mk, pt, distribution != one_in(mk, 20));
	return pt;
}

static inline pb_metric *random_metric(struct maker *mk)
{
	pb_metric *m = make(mk, 1, sizeof(*m));

	millrace__push__metric__init(m);
	m->name = random_text(mk, true);
	m->kind = (Millrace__Push__Metric__Kind)(one_in(mk, 20) ? unit_random_below(&mk->r, 6) : 1 + unit_random_below(&mk->r, 3));
	m->n_tags = one_in(mk, 30) ? 30 + unit_random_below(&mk->r, 8) : unit_random_below(&mk->r, 5);
	m->tags = make(mk, m->n_tags, sizeof(*m->tags));
	for (size_t i = 0; i < m->n_tags; i++) {
		m->tags[i] = make(mk, 1, sizeof(*m->tags[i]));
		millrace__push__metric__tags_entry__init(m->tags[i]);
		m->tags[i]->key = random_text(mk, one_in(mk, 10));
		m->tags[i]->value = random_text(mk, true);
	}
	m->n_points = one_in(mk, 30) ? 30 : unit_random_below(&mk->r, 4);
	m->points = make(mk, m->n_points, sizeof(*m->points));
	for (size_t i = 0; i < m->n_points; i++)
		m->points[i] = random_point(mk, m->kind == MILLRACE__PUSH__METRIC__KIND__distribution);
	return m;
}

static inline ProtobufCBinaryData random_agent(struct maker *mk)
{
	ProtobufCBinaryData id = {one_in(mk, 40) ? unit_random_below(&mk->r, 20) : 16, make(mk, 20, 1)};

	for (size_t i = 0; i < id.len; i++)
		id.data[i] = (uint8_t)unit_random_below(&mk->r, 256);
	return id;
}

static inline void random_truncations(struct maker *mk, pb_payload *p)
{
	p->n_truncated = one_in(mk, 4) ? unit_random_below(&mk->r, 3) : 0;
	p->truncated = make(mk, p->n_truncated, sizeof(*p->truncated));
	for (size_t i = 0; i < p->n_truncated; i++) {
		pb_truncation *t = p->truncated[i] = make(mk, 1, sizeof(*t));

		millrace__push__truncation__init(t);
		t->agent_id = random_agent(mk);
		t->from_seq = 1 + unit_random_below(&mk->r, 100);
		t->to_seq = t->from_seq + unit_random_below(&mk->r, 100) - one_in(mk, 40);
		t->samples = unit_random_below(&mk->r, 1000);
		t->attempted = one_in(mk, 2);
	}
}

/* Entries are empty: what is in them is nobody's business here. */
static inline void random_events(struct maker *mk, pb_payload *p)
{
	p->n_errors = one_in(mk, 4) ? unit_random_below(&mk->r, 3) : 0;
	p->errors = make(mk, p->n_errors, sizeof(*p->errors));
	for (size_t i = 0; i < p->n_errors; i++) {
		p->errors[i] = make(mk, 1, sizeof(*p->errors[i]));
		millrace__push__error__init(p->errors[i]);
	}
	p->n_check_ins = one_in(mk, 4) ? unit_random_below(&mk->r, 3) : 0;
	p->check_ins = make(mk, p->n_check_ins, sizeof(*p->check_ins));
	for (size_t i = 0; i < p->n_check_ins; i++) {
		p->check_ins[i] = make(mk, 1, sizeof(*p->check_ins[i]));
		millrace__push__check_in__init(p->check_ins[i]);
	}
}

static inline pb_payload *random_payload(struct maker *mk)
{
	pb_payload *p = make(mk, 1, sizeof(*p));

	millrace__push__payload__init(p);
	if (!one_in(mk, 4)) {
		p->agent_id = random_agent(mk);
		p->seq = unit_random_below(&mk->r, one_in(mk, 3) ? 3 : 1000000);
		p->floor = one_in(mk, 2) ? 0 : p->seq - (p->seq ? unit_random_below(&mk->r, p->seq) : 0);
	}
	p->created_at = random_time(mk);
	p->host = random_text(mk, true);
	p->environment = one_in(mk, 2) ? (char *)protobuf_c_empty_string : random_text(mk, true);
	p->n_metrics = unit_random_below(&mk->r, 8);
	p->metrics = make(mk, p->n_metrics, sizeof(*p->metrics));
	for (size_t i = 0; i < p->n_metrics; i++)
		p->metrics[i] = random_metric(mk);
	random_truncations(mk, p);
	random_events(mk, p);
	return p;
}

static inline struct str pack(struct maker *mk, const pb_payload *p)
{
	size_t len = millrace__push__payload__get_packed_size(p);
	uint8_t *bytes = make(mk, len, 1);

	millrace__push__payload__pack(p, bytes);
	return (struct str){(char *)bytes, len};
}

#endif
