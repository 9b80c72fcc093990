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

/* How many: few, now and then none, and rarely more than are kept, which is `many`. */
static inline size_t random_len(struct maker *mk, size_t many)
{
	return one_in(mk, 80) ? many + unit_random_below(&mk->r, 5) : one_in(mk, 3) ? 0 : unit_random_below(&mk->r, 4);
}

/* Entries of any map: those of all maps look alike. */
static inline void *random_entries(struct maker *mk, size_t *n)
{
	pb_tag **entries;

	*n = random_len(mk, 63);
	entries = make(mk, *n, sizeof(*entries));
	for (size_t i = 0; i < *n; i++) {
		entries[i] = make(mk, 1, sizeof(*entries[i]));
		millrace__push__metric__tags_entry__init(entries[i]);
		entries[i]->key = random_text(mk, one_in(mk, 10));
		entries[i]->value = random_text(mk, true);
	}
	return entries;
}

/* A message that is well-formed by its own descriptor, as maps of different messages have entries of different types. */
static inline void name_entries(void *entries, size_t n, const ProtobufCMessageDescriptor *of)
{
	pb_tag **all = entries;

	for (size_t i = 0; i < n; i++)
		all[i]->base.descriptor = of;
}

static inline Millrace__Push__Frame *random_frame(struct maker *mk)
{
	static const uint32_t odd[] = {0, 1, INT32_MAX, UINT32_C(1) << 31, UINT32_MAX};
	Millrace__Push__Frame *f = make(mk, 1, sizeof(*f));

	millrace__push__frame__init(f);
	f->file = random_text(mk, true);
	f->line = one_in(mk, 5) ? odd[unit_random_below(&mk->r, NR(odd))] : (uint32_t)unit_random_below(&mk->r, 3000);
	f->function = random_text(mk, true);
	f->in_app = one_in(mk, 2);
	return f;
}

static inline Millrace__Push__Breadcrumb *random_breadcrumb(struct maker *mk)
{
	Millrace__Push__Breadcrumb *b = make(mk, 1, sizeof(*b));

	millrace__push__breadcrumb__init(b);
	b->t = one_in(mk, 3) ? 0 : random_time(mk);
	b->category = random_text(mk, true);
	b->action = random_text(mk, true);
	b->message = random_text(mk, true);
	b->metadata = random_entries(mk, &b->n_metadata);
	name_entries(b->metadata, b->n_metadata, &millrace__push__breadcrumb__metadata_entry__descriptor);
	return b;
}

static inline pb_error *random_error(struct maker *mk)
{
	pb_error *e = make(mk, 1, sizeof(*e));

	millrace__push__error__init(e);
	e->t = one_in(mk, 3) ? 0 : random_time(mk);
	e->class_ = random_text(mk, true);
	e->message = random_text(mk, true);
	e->action = random_text(mk, true);
	e->namespace_ = random_text(mk, true);
	e->tags = random_entries(mk, &e->n_tags);
	name_entries(e->tags, e->n_tags, &millrace__push__error__tags_entry__descriptor);
	e->params = random_entries(mk, &e->n_params);
	name_entries(e->params, e->n_params, &millrace__push__error__params_entry__descriptor);
	e->n_backtrace = random_len(mk, 199);
	e->backtrace = make(mk, e->n_backtrace, sizeof(*e->backtrace));
	for (size_t i = 0; i < e->n_backtrace; i++)
		e->backtrace[i] = random_frame(mk);
	e->n_breadcrumbs = random_len(mk, one_in(mk, 2) ? 49 : 110);
	e->breadcrumbs = make(mk, e->n_breadcrumbs, sizeof(*e->breadcrumbs));
	for (size_t i = 0; i < e->n_breadcrumbs; i++)
		e->breadcrumbs[i] = random_breadcrumb(mk);
	return e;
}

static inline Millrace__Push__Span *random_span(struct maker *mk)
{
	Millrace__Push__Span *s = make(mk, 1, sizeof(*s));

	millrace__push__span__init(s);
	s->id = random_text(mk, true);
	s->parent_id = random_text(mk, true);
	s->name = random_text(mk, true);
	s->start_ms = random_value(mk);
	s->duration_ms = random_value(mk);
	s->tags = random_entries(mk, &s->n_tags);
	name_entries(s->tags, s->n_tags, &millrace__push__span__tags_entry__descriptor);
	return s;
}

static inline pb_transaction *random_transaction(struct maker *mk)
{
	pb_transaction *t = make(mk, 1, sizeof(*t));

	millrace__push__transaction__init(t);
	t->t = one_in(mk, 3) ? 0 : random_time(mk);
	t->id = random_text(mk, true);
	t->action = random_text(mk, true);
	t->namespace_ = random_text(mk, true);
	t->duration_ms = random_value(mk);
	t->queue_ms = random_value(mk);
	t->error = one_in(mk, 2);
	t->tags = random_entries(mk, &t->n_tags);
	name_entries(t->tags, t->n_tags, &millrace__push__transaction__tags_entry__descriptor);
	t->n_spans = random_len(mk, 499);
	t->spans = make(mk, t->n_spans, sizeof(*t->spans));
	for (size_t i = 0; i < t->n_spans; i++)
		t->spans[i] = random_span(mk);
	return t;
}

static inline pb_marker *random_marker(struct maker *mk)
{
	pb_marker *m = make(mk, 1, sizeof(*m));

	millrace__push__marker__init(m);
	m->t = one_in(mk, 3) ? 0 : random_time(mk);
	m->revision = random_text(mk, true);
	m->user = random_text(mk, true);
	m->text = random_text(mk, true);
	return m;
}

static inline pb_check_in *random_check_in(struct maker *mk)
{
	pb_check_in *c = make(mk, 1, sizeof(*c));

	millrace__push__check_in__init(c);
	c->t = one_in(mk, 3) ? 0 : random_time(mk);
	c->name = random_text(mk, true);
	c->kind = (Millrace__Push__CheckIn__Kind)unit_random_below(&mk->r, 4);
	c->event = (Millrace__Push__CheckIn__Event)unit_random_below(&mk->r, 5);
	return c;
}

/* Some of one kind of event. */
#define RANDOM_EVENTS(mk, p, list, random_one)                                           \
	do {                                                                             \
		(p)->n_##list = one_in((mk), 3) ? unit_random_below(&(mk)->r, 3) : 0;    \
		(p)->list = make((mk), (p)->n_##list, sizeof(*(p)->list));               \
		for (size_t i = 0; i < (p)->n_##list; i++)                               \
			(p)->list[i] = random_one(mk);                                   \
	} while (0)

static inline void random_events(struct maker *mk, pb_payload *p)
{
	RANDOM_EVENTS(mk, p, errors, random_error);
	RANDOM_EVENTS(mk, p, transactions, random_transaction);
	RANDOM_EVENTS(mk, p, markers, random_marker);
	RANDOM_EVENTS(mk, p, check_ins, random_check_in);
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
