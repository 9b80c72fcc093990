/* otlp_metrics_points.c - see otlp_metrics_points.h.
 *
 * The hottest code of OTLP: each point is a series of its own, with attributes of its own. One point's memory is the parser's and serves for
 * the next; what a sample keeps of it (strings that were changed, counts) is the arena's.
 *
 * Points that do not count (the metric has other data behind them) are read all the same: whether a body is sound is not to depend on it. */
#include "ingest/otlp_metrics_points.h"

#include <math.h>
#include <string.h>

#include "ingest/check.h"
#include "ingest/otlp_value.h"

#define COUNTER(member) offsetof(struct otlp_metrics_parser, member)

enum { FLAG_NO_RECORDED_VALUE = 1, NS_PER_MS = 1000000, SHORT_BYTES = 0x80 };

/* Fields 1 of three of them, labels, are deprecated; exemplars and quantiles are not kept. */
static const struct pb_field number_fields[] = {{NULL, 0},
						[2] = {"start_time_unix_nano", 0},
						{"time_unix_nano", 0},
						{"as_double", 0},
						[6] = {"as_int", 0},
						{"attributes", COUNTER(attributes_len)},
						{"flags", 0}};
static const struct pb_field histogram_fields[] = {{NULL, 0},
						   [2] = {"start_time_unix_nano", 0},
						   {"time_unix_nano", 0},
						   {"count", 0},
						   {"sum", 0},
						   {"bucket_counts", 0},
						   {"explicit_bounds", 0},
						   [9] = {"attributes", COUNTER(attributes_len)},
						   {"flags", 0},
						   {"min", 0},
						   {"max", 0}};
static const struct pb_field exponential_fields[] = {{NULL, 0},
						     {"attributes", COUNTER(attributes_len)},
						     {"start_time_unix_nano", 0},
						     {"time_unix_nano", 0},
						     {"count", 0},
						     {"sum", 0},
						     {"scale", 0},
						     {"zero_count", 0},
						     {"positive", 0},
						     {"negative", 0},
						     {"flags", 0},
						     [12] = {"min", 0},
						     {"max", 0}};
static const struct pb_field buckets_fields[] = {{NULL, 0}, {"offset", 0}, {"bucket_counts", 0}};
static const struct pb_field summary_fields[] = {{NULL, 0},
						 [2] = {"start_time_unix_nano", 0},
						 {"time_unix_nano", 0},
						 {"count", 0},
						 {"sum", 0},
						 [7] = {"attributes", COUNTER(attributes_len)},
						 {"flags", 0}};
static const struct pb_message number_message = PB_MESSAGE(number_fields);
static const struct pb_message histogram_message = PB_MESSAGE(histogram_fields);
static const struct pb_message exponential_message = PB_MESSAGE(exponential_fields);
static const struct pb_message buckets_message = PB_MESSAGE(buckets_fields);
static const struct pb_message summary_message = PB_MESSAGE(summary_fields);

const uint8_t *otlp_metrics_no_memory(struct otlp_metrics_parser *ps, const uint8_t *at)
{
	return pb_fail(&ps->reader, at, REASON_BODY_TOO_LARGE, "");
}

/* A name too long for any series is left to the judge. */
struct str otlp_metrics_name(struct otlp_metrics_parser *ps, struct str s)
{
	struct str copy;

	if (s.len == 0 || s.len > SERIES_STRING_MAX || series_name_valid(s))
		return s;
	copy = arena_str(ps->payload->arena, s);
	for (size_t i = 0; copy.p && i < copy.len; i++)
		if (!series_name_valid((struct str){copy.p + i, 1}))
			((char *)(uintptr_t)copy.p)[i] = '_';
	return copy;
}

/* A value's beginning, as long as a tag's may be. Most are no longer, and are scrubbed by the judge. */
static int shorten(struct otlp_metrics_parser *ps, struct str *value)
{
	struct payload *p = ps->payload;

	if (value->len <= SERIES_STRING_MAX)
		return 0;
	return scrub_beginning(p->scrub, &p->scrubbed, p->arena, value, SERIES_STRING_MAX) < 0 ? -1 : 0;
}

/* A key and a string, both short, in the usual order and with nothing else: what most attributes are. False: the long way has to read it. */
static inline bool read_short(const uint8_t *at, const uint8_t *end, struct tag *out)
{
	const uint8_t *value;

	if (end - at < 6 || at[0] != PB_KEY(1, PB_LEN) || at[1] >= SHORT_BYTES || end - at < 6 + at[1])
		return false;
	value = at + 2 + at[1];
	if (value[0] != PB_KEY(2, PB_LEN) || value[1] >= SHORT_BYTES || value[1] != end - value - 2 || value[2] != PB_KEY(1, PB_LEN) ||
	    value[3] >= SHORT_BYTES || value[3] != end - value - 4)
		return false;
	*out = (struct tag){{(const char *)at + 2, at[1]}, {(const char *)value + 4, value[3]}};
	return str_is_ascii(out->key) && str_is_ascii(out->value);
}

const uint8_t *otlp_metrics_read_tag(struct otlp_metrics_parser *ps, const uint8_t *at, const uint8_t *end, struct tag *out)
{
	struct pb_read length = pb_read_length(at, end);
	const uint8_t *inner;

	ps->attributes_len++;
	if (!length.at)
		return pb_malformed(&ps->reader, at, length);
	inner = length.at;
	end = inner + length.value;
	if (!read_short(inner, end, out) && !otlp_read_key_value(&ps->reader, inner, end, ps->payload->arena, out))
		return NULL;
	out->key = otlp_metrics_name(ps, out->key);
	return out->key.p && shorten(ps, &out->value) == 0 ? end : otlp_metrics_no_memory(ps, at);
}

/* Tags beyond the limit share the last place: that there are too many is all that matters. */
static inline const uint8_t *read_attribute(struct otlp_metrics_parser *ps, const uint8_t *at, const uint8_t *end)
{
	return otlp_metrics_read_tag(ps, at, end, &ps->tags[ps->tags_len <= SERIES_TAGS_MAX ? ps->tags_len++ : SERIES_TAGS_MAX]);
}

static inline const uint8_t *read_time(struct otlp_metrics_parser *ps, const uint8_t *at, const uint8_t *end, int64_t *out)
{
	struct pb_read v = pb_read_fixed64(at, end);

	*out = (int64_t)(v.value / NS_PER_MS);
	return v.at ? v.at : pb_malformed(&ps->reader, at, v);
}

static const uint8_t *read_fixed_count(struct otlp_metrics_parser *ps, const uint8_t *at, const uint8_t *end, int64_t *out)
{
	struct pb_read v = pb_read_fixed64(at, end);

	*out = pb_saturated(v.value);
	return v.at ? v.at : pb_malformed(&ps->reader, at, v);
}

static const uint8_t *read_as_int(struct otlp_metrics_parser *ps, const uint8_t *at, const uint8_t *end)
{
	struct pb_read v = pb_read_fixed64(at, end);

	ps->point.has |= PAYLOAD_BIT(PAYLOAD_V);
	ps->point.v = (double)(int64_t)v.value;
	return v.at ? v.at : pb_malformed(&ps->reader, at, v);
}

/* A figure that is no number was not known. */
static const uint8_t *read_extreme(struct otlp_metrics_parser *ps, const uint8_t *at, const uint8_t *end, enum payload_point_field which,
				   double *out)
{
	at = pb_read_double(&ps->reader, at, end, out);
	if (at && isfinite(*out))
		ps->point.has |= PAYLOAD_BIT(which);
	else
		ps->point.has &= ~PAYLOAD_BIT(which);
	return at;
}

static const uint8_t *read_sum(struct otlp_metrics_parser *ps, const uint8_t *at, const uint8_t *end)
{
	ps->has_sum = true;
	return pb_read_double(&ps->reader, at, end, &ps->figures.sum);
}

static inline void begin_point(struct otlp_metrics_parser *ps)
{
	ps->points_len++;
	ps->attributes_len = 0;
	ps->tags_len = 0;
	ps->flags = 0;
	ps->point = (struct payload_point){0};
}

static void begin_figures(struct otlp_metrics_parser *ps)
{
	begin_point(ps);
	ps->figures = (struct payload_figures){0};
	ps->point.figures = &ps->figures;
	ps->has_sum = ps->sum_estimated = false;
}

/* Attributes of scope and resource, where the point has none of that name. */
static void inherit_tags(struct otlp_metrics_parser *ps)
{
	size_t own = ps->tags_len;

	for (size_t i = 0; i < ps->inherited.len && ps->tags_len <= SERIES_TAGS_MAX; i++) {
		const struct tag *t = &ps->inherited.tags[i];
		size_t k = 0;

		while (k < own && !str_eq(ps->tags[k].key, t->key))
			k++;
		if (k == own)
			ps->tags[ps->tags_len++] = *t;
	}
}

/* Nobody can say whether what it counted has been counted before. */
__attribute__((cold)) static const uint8_t *reject_untold(struct otlp_metrics_parser *ps, const uint8_t *at)
{
	int rc = payload_reject(ps->payload, "metrics", ps->metric.index, ps->points_len - 1, REASON_TEMPORALITY_MISSING, 1);

	return rc < 0 ? otlp_metrics_no_memory(ps, at) : at;
}

/* Hands a point that is read to the judge. */
static inline const uint8_t *end_point(struct otlp_metrics_parser *ps, const uint8_t *at)
{
	struct payload_metric *m = &ps->metric;

	if (ps->untold)
		return reject_untold(ps, at);
	if (ps->point.t_ms)
		ps->point.has |= PAYLOAD_BIT(PAYLOAD_T);
	if (m->temporality != TEMPORALITY_CUMULATIVE)
		ps->point.start_ms = 0;
	inherit_tags(ps);
	m->tags = ps->tags;
	m->tags_len = ps->tags_len;
	m->points = &ps->point;
	m->points_len = 1;
	m->points_before = ps->points_len - 1;
	return check_metric(ps->payload, m) < 0 ? otlp_metrics_no_memory(ps, at) : at;
}

static inline bool counts(const struct otlp_metrics_parser *ps)
{
	return ps->reading && !(ps->flags & FLAG_NO_RECORDED_VALUE);
}

/* A sum that was made up here must not contradict extremes that were measured. Of a life it has to grow from point to point, as they need not: they go. */
static void reconcile_sum(struct otlp_metrics_parser *ps)
{
	const uint32_t extremes = PAYLOAD_BIT(PAYLOAD_MIN) | PAYLOAD_BIT(PAYLOAD_MAX);
	struct payload_figures *f = &ps->figures;

	if (!ps->sum_estimated || (ps->point.has & extremes) != extremes)
		return;
	if (ps->metric.temporality == TEMPORALITY_CUMULATIVE)
		ps->point.has &= ~extremes;
	else if (f->min <= f->max)
		f->sum = fmin(fmax(f->sum, (double)f->count * f->min), (double)f->count * f->max);
}

/* A sample of no values is none; of a life it says that there have been none, and then extremes mean nothing. */
static const uint8_t *end_figures(struct otlp_metrics_parser *ps, const uint8_t *at)
{
	if (ps->figures.count == 0 && ps->metric.temporality == TEMPORALITY_DELTA)
		return at;
	ps->point.has |= PAYLOAD_BIT(PAYLOAD_COUNT);
	if (ps->has_sum)
		ps->point.has |= PAYLOAD_BIT(PAYLOAD_SUM);
	if (ps->figures.count == 0)
		ps->point.has &= ~(PAYLOAD_BIT(PAYLOAD_MIN) | PAYLOAD_BIT(PAYLOAD_MAX));
	reconcile_sum(ps);
	if (!(ps->point.has & PAYLOAD_BIT(PAYLOAD_MIN)))
		ps->figures.min = 0;
	if (!(ps->point.has & PAYLOAD_BIT(PAYLOAD_MAX)))
		ps->figures.max = 0;
	return end_point(ps, at);
}

/* A sum that was left out (of values below zero, it is not to be told) comes of the buckets. */
static void estimate_sum(struct otlp_metrics_parser *ps, double sum)
{
	if (ps->has_sum)
		return;
	ps->has_sum = ps->sum_estimated = true;
	ps->figures.sum = sum;
	ps->figures.approximate = true;
}

static inline const uint8_t *number_field(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	struct otlp_metrics_parser *ps = otlp_metrics_parser_of(r);

	switch (key) {
	case PB_KEY(7, PB_LEN):
		return read_attribute(ps, at, end);
	case PB_KEY(2, PB_I64):
		return read_time(ps, at, end, &ps->point.start_ms);
	case PB_KEY(3, PB_I64):
		return read_time(ps, at, end, &ps->point.t_ms);
	case PB_KEY(4, PB_I64):
		ps->point.has |= PAYLOAD_BIT(PAYLOAD_V);
		return pb_read_double(r, at, end, &ps->point.v);
	case PB_KEY(6, PB_I64):
		return read_as_int(ps, at, end);
	case PB_KEY(8, PB_VARINT):
		return pb_read_int64(r, at, end, &ps->flags);
	default:
		return pb_read_other(r, &number_message, key, at, end);
	}
}

const uint8_t *otlp_metrics_read_number(struct otlp_metrics_parser *ps, const uint8_t *at, const uint8_t *end)
{
	begin_point(ps);
	at = pb_read_message(&ps->reader, &number_message, number_field, at, end);
	return at && counts(ps) ? end_point(ps, at) : at;
}

/* Words, packed. */
static const uint8_t *read_words(struct otlp_metrics_parser *ps, const uint8_t *at, const uint8_t *end, struct otlp_words *out)
{
	struct pb_read length = pb_read_length(at, end);

	if (!length.at)
		return pb_malformed(&ps->reader, at, length);
	if (length.value % sizeof(uint64_t))
		return pb_malformed(&ps->reader, at, (struct pb_read){NULL, PB_CUT_OFF});
	if (otlp_words_add(out, ps->payload->arena, length.at, length.value / sizeof(uint64_t)) < 0)
		return otlp_metrics_no_memory(ps, at);
	return length.at + length.value;
}

/* One of them, not packed. */
static const uint8_t *read_word(struct otlp_metrics_parser *ps, const uint8_t *at, const uint8_t *end, struct otlp_words *out)
{
	if (end - at < (ptrdiff_t)sizeof(uint64_t))
		return pb_malformed(&ps->reader, at, (struct pb_read){NULL, PB_CUT_OFF});
	if (otlp_words_add(out, ps->payload->arena, at, 1) < 0)
		return otlp_metrics_no_memory(ps, at);
	return at + sizeof(uint64_t);
}

static inline const uint8_t *histogram_field(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	struct otlp_metrics_parser *ps = otlp_metrics_parser_of(r);

	switch (key) {
	case PB_KEY(9, PB_LEN):
		return read_attribute(ps, at, end);
	case PB_KEY(2, PB_I64):
		return read_time(ps, at, end, &ps->point.start_ms);
	case PB_KEY(3, PB_I64):
		return read_time(ps, at, end, &ps->point.t_ms);
	case PB_KEY(4, PB_I64):
		return read_fixed_count(ps, at, end, &ps->figures.count);
	case PB_KEY(5, PB_I64):
		return read_sum(ps, at, end);
	case PB_KEY(6, PB_LEN):
		return read_words(ps, at, end, &ps->buckets);
	case PB_KEY(6, PB_I64):
		return read_word(ps, at, end, &ps->buckets);
	case PB_KEY(7, PB_LEN):
		return read_words(ps, at, end, &ps->bounds);
	case PB_KEY(7, PB_I64):
		return read_word(ps, at, end, &ps->bounds);
	case PB_KEY(10, PB_VARINT):
		return pb_read_int64(r, at, end, &ps->flags);
	case PB_KEY(11, PB_I64):
		return read_extreme(ps, at, end, PAYLOAD_MIN, &ps->figures.min);
	case PB_KEY(12, PB_I64):
		return read_extreme(ps, at, end, PAYLOAD_MAX, &ps->figures.max);
	default:
		return pb_read_other(r, &histogram_message, key, at, end);
	}
}

/* Without bounds nothing is known of where the values lie. */
const uint8_t *otlp_metrics_read_histogram(struct otlp_metrics_parser *ps, const uint8_t *at, const uint8_t *end)
{
	double sum;

	begin_figures(ps);
	ps->bounds.len = ps->buckets.len = 0;
	at = pb_read_message(&ps->reader, &histogram_message, histogram_field, at, end);
	if (!at || !counts(ps))
		return at;
	if (ps->bounds.len || ps->buckets.len > 1) {
		if (otlp_buckets_explicit(&ps->layout, ps->payload->arena, &ps->bounds, &ps->buckets, &ps->figures.histogram, &sum) < 0)
			return otlp_metrics_no_memory(ps, at);
		ps->point.has |= PAYLOAD_BIT(PAYLOAD_HISTOGRAM);
		ps->figures.approximate = true;
		estimate_sum(ps, sum);
	}
	return end_figures(ps, at);
}

/* Each varint ends with a byte below 0x80: so they can be counted first, and take exactly the room they need. */
static const uint8_t *read_packed_counts(struct otlp_metrics_parser *ps, const uint8_t *at, const uint8_t *end)
{
	struct otlp_counts *c = ps->side;
	struct str packed;
	const uint8_t *next = pb_read_bytes(&ps->reader, at, end, &packed);
	size_t n = 0;

	if (!next)
		return NULL;
	at = (const uint8_t *)packed.p;
	for (const uint8_t *p = at; p < next; p++)
		n += *p < 0x80;
	if (otlp_counts_reserve(c, ps->payload->arena, n) < 0)
		return otlp_metrics_no_memory(ps, at);
	while (at < next) {
		struct pb_read v = pb_read_varint(at, next);

		if (!v.at)
			return pb_malformed(&ps->reader, at, v);
		if (c->len < c->cap)
			c->p[c->len++] = pb_saturated(v.value);
		at = v.at;
	}
	return next;
}

static const uint8_t *read_one_count(struct otlp_metrics_parser *ps, const uint8_t *at, const uint8_t *end)
{
	struct otlp_counts *c = ps->side;
	struct pb_read v = pb_read_varint(at, end);

	if (!v.at)
		return pb_malformed(&ps->reader, at, v);
	if (otlp_counts_reserve(c, ps->payload->arena, 1) < 0)
		return otlp_metrics_no_memory(ps, at);
	if (c->len < c->cap)
		c->p[c->len++] = pb_saturated(v.value);
	return v.at;
}

static inline const uint8_t *buckets_field(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	struct otlp_metrics_parser *ps = otlp_metrics_parser_of(r);

	switch (key) {
	case PB_KEY(1, PB_VARINT):
		return pb_read_sint32(r, at, end, ps->side_offset);
	case PB_KEY(2, PB_LEN):
		return read_packed_counts(ps, at, end);
	case PB_KEY(2, PB_VARINT):
		return read_one_count(ps, at, end);
	default:
		return pb_read_other(r, &buckets_message, key, at, end);
	}
}

static const uint8_t *read_side(struct otlp_metrics_parser *ps, struct otlp_counts *side, int64_t *offset, const uint8_t *at,
				const uint8_t *end)
{
	ps->side = side;
	ps->side_offset = offset;
	return pb_read_message(&ps->reader, &buckets_message, buckets_field, at, end);
}

static inline const uint8_t *exponential_field(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	struct otlp_metrics_parser *ps = otlp_metrics_parser_of(r);
	struct payload_histogram *h = &ps->figures.histogram;

	switch (key) {
	case PB_KEY(1, PB_LEN):
		return read_attribute(ps, at, end);
	case PB_KEY(2, PB_I64):
		return read_time(ps, at, end, &ps->point.start_ms);
	case PB_KEY(3, PB_I64):
		return read_time(ps, at, end, &ps->point.t_ms);
	case PB_KEY(4, PB_I64):
		return read_fixed_count(ps, at, end, &ps->figures.count);
	case PB_KEY(5, PB_I64):
		return read_sum(ps, at, end);
	case PB_KEY(6, PB_VARINT):
		return pb_read_sint32(r, at, end, &h->scale);
	case PB_KEY(7, PB_I64):
		return read_fixed_count(ps, at, end, &h->zero);
	case PB_KEY(8, PB_LEN):
		return read_side(ps, &ps->counts, &h->offset, at, end);
	case PB_KEY(9, PB_LEN):
		return read_side(ps, &ps->neg_counts, &h->neg_offset, at, end);
	case PB_KEY(10, PB_VARINT):
		return pb_read_int64(r, at, end, &ps->flags);
	case PB_KEY(12, PB_I64):
		return read_extreme(ps, at, end, PAYLOAD_MIN, &ps->figures.min);
	case PB_KEY(13, PB_I64):
		return read_extreme(ps, at, end, PAYLOAD_MAX, &ps->figures.max);
	default:
		return pb_read_other(r, &exponential_message, key, at, end);
	}
}

const uint8_t *otlp_metrics_read_exponential(struct otlp_metrics_parser *ps, const uint8_t *at, const uint8_t *end)
{
	struct payload_histogram *h = &ps->figures.histogram;

	begin_figures(ps);
	ps->counts = ps->neg_counts = (struct otlp_counts){0};
	at = pb_read_message(&ps->reader, &exponential_message, exponential_field, at, end);
	if (!at || !counts(ps))
		return at;
	h->has_scale = true;
	h->counts = ps->counts.p;
	h->counts_len = ps->counts.len;
	h->neg_counts = ps->neg_counts.p;
	h->neg_counts_len = ps->neg_counts.len;
	otlp_buckets_downscale(h);
	ps->point.has |= PAYLOAD_BIT(PAYLOAD_HISTOGRAM);
	if (!ps->has_sum)
		estimate_sum(ps, otlp_buckets_sum(h));
	return end_figures(ps, at);
}

/* A sum has no presence here: one that is left out is 0. */
static inline const uint8_t *summary_field(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	struct otlp_metrics_parser *ps = otlp_metrics_parser_of(r);

	switch (key) {
	case PB_KEY(7, PB_LEN):
		return read_attribute(ps, at, end);
	case PB_KEY(2, PB_I64):
		return read_time(ps, at, end, &ps->point.start_ms);
	case PB_KEY(3, PB_I64):
		return read_time(ps, at, end, &ps->point.t_ms);
	case PB_KEY(4, PB_I64):
		return read_fixed_count(ps, at, end, &ps->figures.count);
	case PB_KEY(5, PB_I64):
		return read_sum(ps, at, end);
	case PB_KEY(8, PB_VARINT):
		return pb_read_int64(r, at, end, &ps->flags);
	default:
		return pb_read_other(r, &summary_message, key, at, end);
	}
}

const uint8_t *otlp_metrics_read_summary(struct otlp_metrics_parser *ps, const uint8_t *at, const uint8_t *end)
{
	begin_figures(ps);
	at = pb_read_message(&ps->reader, &summary_message, summary_field, at, end);
	if (!at || !counts(ps))
		return at;
	ps->has_sum = true;
	return end_figures(ps, at);
}
