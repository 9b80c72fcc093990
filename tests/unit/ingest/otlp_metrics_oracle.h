/* otlp_metrics_oracle.h - what protobuf-c makes of an ExportMetricsServiceRequest, for unit tests and the fuzz target.
 *
 * A body that protobuf-c unpacks is walked into the struct payload_metrics that it means, written down from the rules in otlp_metrics.h and not
 * from the decoder; they go to the same judge (check.h). */
#ifndef MILLRACE_TESTS_OTLP_METRICS_ORACLE_H
#define MILLRACE_TESTS_OTLP_METRICS_ORACLE_H

#include <ctype.h>
#include <math.h>
#include <stdio.h>

#include "ingest/check.h"
#include "ingest/otlp_buckets.h"
#include "ingest/otlp_metrics.h"
#include "pb/otlp_metrics.pb-c.h"

typedef OtlpMetrics__Request om_request;
typedef OtlpMetrics__Metric om_metric;
typedef OtlpMetrics__Number om_number;
typedef OtlpMetrics__Histogram om_histogram;
typedef OtlpMetrics__Exponential om_exponential;
typedef OtlpMetrics__Summary om_summary;
typedef OtlpMetrics__KeyValue om_pair;

struct om_walk {
	struct payload *p;
	const struct otlp_rules *rules;
	const OtlpMetrics__Resource *resource;
	const OtlpMetrics__Scope *scope;
	const char *metric_name;
	struct payload_metric m; /* of the metric */
	bool no_temporality;
};

/* What a point says, whatever its kind. */
struct om_point {
	size_t n_pairs;
	om_pair **pairs;
	uint64_t start_ns, t_ns;
	uint32_t flags;
	struct payload_point pt;
	struct payload_figures f;
};

static inline char *om_name(struct om_walk *o, const char *text)
{
	char *copy = arena_alloc(o->p->arena, strlen(text) + 1);

	for (size_t i = 0; text[i]; i++)
		copy[i] = (unsigned char)text[i] < 0x80 && (isalnum((unsigned char)text[i]) || strchr("_.:/-", text[i])) ? text[i] : '_';
	return copy;
}

static inline struct str om_value(struct om_walk *o, const OtlpMetrics__AnyValue *v)
{
	char *text = arena_alloc(o->p->arena, 300);
	size_t n;

	if (!v || v->value_case == OTLP_METRICS__ANY_VALUE__VALUE__NOT_SET)
		return STR("");
	if (v->value_case == OTLP_METRICS__ANY_VALUE__VALUE_BOOL_VALUE)
		return str_from(v->bool_value ? "true" : "false");
	if (v->value_case == OTLP_METRICS__ANY_VALUE__VALUE_INT_VALUE)
		return (struct str){text, (size_t)snprintf(text, 300, "%lld", (long long)v->int_value)};
	n = strlen(v->string_value);
	if (n > 255)
		for (n = 255; n && (v->string_value[n] & 0xc0) == 0x80; n--)
			;
	memcpy(text, v->string_value, n);
	return (struct str){text, n};
}

static inline bool om_add_tag(struct om_walk *o, struct tag *tags, size_t *len, const om_pair *pair)
{
	char *key = om_name(o, pair->key);

	if (strlen(pair->key) > 255) /* left as it is, for the judge */
		key = pair->key;
	tags[*len < 33 ? *len : 32] = (struct tag){str_from(key), om_value(o, pair->value)};
	*len += *len < 33;
	return true;
}

static inline bool om_has(const struct tag *tags, size_t len, const char *key)
{
	for (size_t i = 0; i < len; i++)
		if (str_eq(tags[i].key, str_from(key)))
			return true;
	return false;
}

static inline bool om_wants(const struct om_walk *o, const char *key)
{
	if (strcmp(key, "host.name") == 0 && strncmp(o->metric_name, "system.", 7) != 0 && strncmp(o->metric_name, "process.", 8) != 0)
		return false;
	for (size_t i = 0; i < o->rules->resource_tags_len; i++)
		if (str_eq(o->rules->resource_tags[i], str_from(key)))
			return true;
	return false;
}

/* Attributes of a scope or a resource, behind those that are there. */
static inline void om_inherit(struct om_walk *o, struct tag *tags, size_t *len, size_t n, om_pair **pairs)
{
	for (size_t i = 0; i < n; i++) {
		const char *key = om_name(o, pairs[i]->key);

		if (om_wants(o, key) && !om_has(tags, *len, key))
			om_add_tag(o, tags, len, pairs[i]);
	}
}

static inline int om_judge(struct om_walk *o, struct om_point *op, size_t place)
{
	struct payload_metric m = o->m;
	struct tag tags[33];
	size_t len = 0;

	if (op->flags & 1)
		return 0;
	if (o->no_temporality)
		return payload_reject(o->p, "metrics", m.index, (int64_t)place, REASON_TEMPORALITY_MISSING, 1);
	for (size_t i = 0; i < op->n_pairs; i++)
		om_add_tag(o, tags, &len, op->pairs[i]);
	if (o->scope)
		om_inherit(o, tags, &len, o->scope->n_attributes, o->scope->attributes);
	if (o->resource)
		om_inherit(o, tags, &len, o->resource->n_attributes, o->resource->attributes);
	op->pt.t_ms = (int64_t)(op->t_ns / 1000000);
	op->pt.has |= op->pt.t_ms ? PAYLOAD_BIT(PAYLOAD_T) : 0;
	if (m.temporality == TEMPORALITY_CUMULATIVE)
		op->pt.start_ms = (int64_t)(op->start_ns / 1000000);
	m.tags = tags;
	m.tags_len = len;
	m.points = &op->pt;
	m.points_len = 1;
	m.points_before = (uint32_t)place;
	return check_metric(o->p, &m);
}

static inline int om_read_number(struct om_walk *o, const om_number *n, size_t place)
{
	struct om_point op = {n->n_attributes, n->attributes, n->start_time_unix_nano, n->time_unix_nano, n->flags, {0}, {0}};

	if (n->value_case) {
		op.pt.has = PAYLOAD_BIT(PAYLOAD_V);
		op.pt.v = n->value_case == OTLP_METRICS__NUMBER__VALUE_AS_INT ? (double)n->as_int : n->as_double;
	}
	return om_judge(o, &op, place);
}

static inline int64_t om_clamp(uint64_t n)
{
	return n > INT64_MAX ? INT64_MAX : (int64_t)n;
}

static inline void om_extremes(struct om_point *op, bool has_min, double min, bool has_max, double max)
{
	if (has_min && isfinite(min) && op->f.count) {
		op->pt.has |= PAYLOAD_BIT(PAYLOAD_MIN);
		op->f.min = min;
	}
	if (has_max && isfinite(max) && op->f.count) {
		op->pt.has |= PAYLOAD_BIT(PAYLOAD_MAX);
		op->f.max = max;
	}
}

/* A sum that the test made up itself lies within the extremes; a cumulative one goes without them. */
static inline void om_made_up_sum(const struct om_walk *o, struct om_point *op)
{
	double least = (double)op->f.count * op->f.min, most = (double)op->f.count * op->f.max;

	if (!(op->pt.has & PAYLOAD_BIT(PAYLOAD_MIN)) || !(op->pt.has & PAYLOAD_BIT(PAYLOAD_MAX)))
		return;
	if (o->m.temporality == TEMPORALITY_CUMULATIVE) {
		op->pt.has &= ~(PAYLOAD_BIT(PAYLOAD_MIN) | PAYLOAD_BIT(PAYLOAD_MAX));
		op->f.min = op->f.max = 0;
	} else if (least <= most) {
		op->f.sum = op->f.sum < least ? least : op->f.sum > most ? most : op->f.sum;
	}
}

static inline int om_figures(struct om_walk *o, struct om_point *op, size_t place)
{
	op->pt.figures = &op->f;
	op->pt.has |= PAYLOAD_BIT(PAYLOAD_COUNT);
	if (op->f.count == 0 && o->m.temporality == TEMPORALITY_DELTA)
		return 0;
	return om_judge(o, op, place);
}

/* The value that stands for bucket i, a double: it may lie so close to a bucket's end that its last bit decides. */
static inline double om_middle(const om_histogram *h, size_t i)
{
	size_t n = h->n_explicit_bounds;
	long double low = i ? h->explicit_bounds[i - 1] : h->explicit_bounds[0] > 0 ? 0 : -INFINITY;
	long double high = i < n ? h->explicit_bounds[i] : INFINITY;

	if (isinf(high))
		return (double)low;
	if (isinf(low))
		return (double)high;
	if (low < 0 && high > 0)
		return 0;
	if (low == 0 || high == 0)
		return (double)((low + high) / 2);
	return (double)((high > 0 ? 1 : -1) * sqrtl(low * high));
}

static inline int64_t om_index(long double v)
{
	return (int64_t)ceill(log2l(fabsl(v)) * 32) - 1;
}

static inline int64_t om_halved(int64_t index, int times)
{
	return (int64_t)floorl(ldexpl((long double)index, -times));
}

/* How often indexes must be halved until they are close enough. */
static inline int om_halvings(const om_histogram *h)
{
	for (int times = 0;; times++) {
		int64_t low[2] = {INT64_MAX, INT64_MAX}, high[2] = {INT64_MIN, INT64_MIN};

		for (size_t i = 0; i <= h->n_explicit_bounds; i++) {
			long double v = om_middle(h, i);
			int64_t index = v != 0 ? om_halved(om_index(v), times) : 0;

			if (v != 0 && index < low[v < 0])
				low[v < 0] = index;
			if (v != 0 && index > high[v < 0])
				high[v < 0] = index;
		}
		if ((low[0] > high[0] || high[0] - low[0] < OTLP_SPAN_MAX) && (low[1] > high[1] || high[1] - low[1] < OTLP_SPAN_MAX))
			return times;
	}
}

/* One side's buckets, dense from the first that is not empty to the last. */
static inline void om_side(struct om_walk *o, const om_histogram *h, int times, bool negative, int64_t *offset, int64_t **counts, size_t *len)
{
	int64_t low = INT64_MAX, high = INT64_MIN;

	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < h->n_bucket_counts; i++) {
			long double v = om_middle(h, i);
			int64_t index = v != 0 ? om_halved(om_index(v), times) : 0, *to;

			if (v == 0 || (v < 0) != negative || !h->bucket_counts[i])
				continue;
			if (pass == 0) {
				low = index < low ? index : low;
				high = index > high ? index : high;
				continue;
			}
			to = *counts + (index - low);
			*to = om_clamp((uint64_t)*to + (uint64_t)om_clamp(h->bucket_counts[i]));
		}
		if (low > high)
			return;
		if (pass == 0) {
			*offset = low;
			*len = (size_t)(high - low + 1);
			*counts = arena_calloc(o->p->arena, *len, sizeof(**counts));
		}
	}
}

static inline void om_buckets(struct om_walk *o, const om_histogram *h, struct om_point *op)
{
	struct payload_histogram *to = &op->f.histogram;
	long double sum = 0;
	int times;

	op->pt.has |= PAYLOAD_BIT(PAYLOAD_HISTOGRAM);
	op->f.approximate = true;
	for (size_t i = 0; i < h->n_explicit_bounds; i++)
		if (!isfinite(h->explicit_bounds[i]) || (i && h->explicit_bounds[i - 1] >= h->explicit_bounds[i]))
			return;
	if (h->n_bucket_counts != h->n_explicit_bounds + 1)
		return;
	times = om_halvings(h);
	to->has_scale = true;
	to->scale = 5 - times;
	for (size_t i = 0; i < h->n_bucket_counts; i++) {
		sum += (long double)h->bucket_counts[i] * om_middle(h, i);
		if (om_middle(h, i) == 0)
			to->zero = om_clamp((uint64_t)to->zero + (uint64_t)om_clamp(h->bucket_counts[i]));
	}
	om_side(o, h, times, false, &to->offset, &to->counts, &to->counts_len);
	om_side(o, h, times, true, &to->neg_offset, &to->neg_counts, &to->neg_counts_len);
	if (!h->has_sum_case)
		op->f.sum = (double)sum;
}

static inline int om_read_histogram(struct om_walk *o, const om_histogram *h, size_t place)
{
	struct om_point op = {h->n_attributes, h->attributes, h->start_time_unix_nano, h->time_unix_nano, h->flags, {0}, {0}};
	bool buckets = h->n_explicit_bounds > 0 || h->n_bucket_counts > 1;

	op.f.count = om_clamp(h->count);
	if (buckets)
		om_buckets(o, h, &op);
	if (h->has_sum_case)
		op.f.sum = h->sum;
	op.pt.has |= h->has_sum_case || buckets ? PAYLOAD_BIT(PAYLOAD_SUM) : 0;
	om_extremes(&op, h->has_min_case, h->min, h->has_max_case, h->max);
	if (buckets && !h->has_sum_case)
		om_made_up_sum(o, &op);
	return om_figures(o, &op, place);
}

/* Finer scales come to 5: each bucket's bounds decide where it goes. */
static inline void om_scaled(struct om_walk *o, const OtlpMetrics__Buckets *b, int32_t scale, int64_t *offset, int64_t **counts, size_t *len)
{
	int64_t first, last;

	if (!b)
		return;
	*offset = b->offset;
	*len = b->n_bucket_counts;
	*counts = arena_calloc(o->p->arena, *len, sizeof(**counts));
	for (size_t i = 0; i < *len; i++)
		(*counts)[i] = om_clamp(b->bucket_counts[i]);
	if (scale <= 5)
		return;
	first = om_halved(b->offset, scale - 5);
	last = *len ? om_halved(b->offset + (int64_t)*len - 1, scale - 5) : first - 1;
	*offset = first;
	*len = (size_t)(last - first + 1);
	*counts = arena_calloc(o->p->arena, *len, sizeof(**counts));
	for (size_t i = 0; i < b->n_bucket_counts; i++) {
		int64_t *to = *counts + (om_halved(b->offset + (int64_t)i, scale - 5) - first);

		*to = om_clamp((uint64_t)*to + (uint64_t)om_clamp(b->bucket_counts[i]));
	}
}

static inline long double om_sum_of(int64_t offset, const int64_t *counts, size_t len, int64_t scale)
{
	long double sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += counts[i] ? (long double)counts[i] * powl(2, ((long double)offset + (long double)i + 0.5L) * powl(2, -(long double)scale)) : 0;
	return sum;
}

static inline int om_read_exponential(struct om_walk *o, const om_exponential *e, size_t place)
{
	struct om_point op = {e->n_attributes, e->attributes, e->start_time_unix_nano, e->time_unix_nano, e->flags, {0}, {0}};
	struct payload_histogram *h = &op.f.histogram;

	op.f.count = om_clamp(e->count);
	h->has_scale = true;
	h->scale = e->scale > 5 ? 5 : e->scale;
	h->zero = om_clamp(e->zero_count);
	om_scaled(o, e->positive, e->scale, &h->offset, &h->counts, &h->counts_len);
	om_scaled(o, e->negative, e->scale, &h->neg_offset, &h->neg_counts, &h->neg_counts_len);
	if (e->scale > 5 && !e->positive)
		h->offset = 0;
	op.pt.has = PAYLOAD_BIT(PAYLOAD_HISTOGRAM) | PAYLOAD_BIT(PAYLOAD_SUM);
	op.f.sum = e->sum;
	op.f.approximate = !e->has_sum_case;
	if (!e->has_sum_case)
		op.f.sum = (double)(om_sum_of(h->offset, h->counts, h->counts_len, h->scale) -
				    om_sum_of(h->neg_offset, h->neg_counts, h->neg_counts_len, h->scale));
	om_extremes(&op, e->has_min_case, e->min, e->has_max_case, e->max);
	if (!e->has_sum_case)
		om_made_up_sum(o, &op);
	return om_figures(o, &op, place);
}

static inline int om_read_summary(struct om_walk *o, const om_summary *s, size_t place)
{
	struct om_point op = {s->n_attributes, s->attributes, s->start_time_unix_nano, s->time_unix_nano, s->flags, {0}, {0}};

	op.f.count = om_clamp(s->count);
	op.f.sum = s->sum;
	op.pt.has = PAYLOAD_BIT(PAYLOAD_SUM);
	return om_figures(o, &op, place);
}

static inline void om_temporality(struct om_walk *o, int32_t says, bool taken)
{
	o->no_temporality = says != 1 && says != 2;
	o->m.temporality = says == 2 && taken ? TEMPORALITY_CUMULATIVE : TEMPORALITY_DELTA;
}

static inline int om_read_metric(struct om_walk *o, const om_metric *m)
{
	int rc = 0;

	o->metric_name = m->name;
	o->m.name = str_from(strlen(m->name) > 255 ? m->name : om_name(o, m->name));
	o->m.temporality = TEMPORALITY_DELTA;
	o->no_temporality = false;
	o->m.kind = SERIES_KIND_DISTRIBUTION;
	switch (m->data_case) {
	case OTLP_METRICS__METRIC__DATA_GAUGE:
		o->m.kind = SERIES_KIND_GAUGE;
		for (size_t i = 0; i < m->gauge->n_data_points; i++)
			rc |= om_read_number(o, m->gauge->data_points[i], i);
		break;
	case OTLP_METRICS__METRIC__DATA_SUM:
		o->m.kind = m->sum->is_monotonic ? SERIES_KIND_COUNTER : SERIES_KIND_GAUGE;
		om_temporality(o, m->sum->aggregation_temporality, m->sum->is_monotonic);
		for (size_t i = 0; i < m->sum->n_data_points; i++)
			rc |= om_read_number(o, m->sum->data_points[i], i);
		break;
	case OTLP_METRICS__METRIC__DATA_HISTOGRAM:
		om_temporality(o, m->histogram->aggregation_temporality, true);
		for (size_t i = 0; i < m->histogram->n_data_points; i++)
			rc |= om_read_histogram(o, m->histogram->data_points[i], i);
		break;
	case OTLP_METRICS__METRIC__DATA_EXPONENTIAL_HISTOGRAM:
		om_temporality(o, m->exponential_histogram->aggregation_temporality, true);
		for (size_t i = 0; i < m->exponential_histogram->n_data_points; i++)
			rc |= om_read_exponential(o, m->exponential_histogram->data_points[i], i);
		break;
	case OTLP_METRICS__METRIC__DATA_SUMMARY:
		o->m.temporality = TEMPORALITY_CUMULATIVE;
		for (size_t i = 0; i < m->summary->n_data_points; i++)
			rc |= om_read_summary(o, m->summary->data_points[i], i);
		break;
	default:
		break;
	}
	return rc;
}

/* Reads a body into p by protobuf-c, whose result *request is to be freed when p is done with. -1 when it is none. */
static inline int om_read(struct str body, struct payload *p, const struct otlp_rules *rules, om_request **request)
{
	struct om_walk o = {.p = p, .rules = rules, .m.otlp = true};
	int rc = 0;

	*request = otlp_metrics__request__unpack(NULL, body.len, (const uint8_t *)body.p);
	if (!*request)
		return -1;
	for (size_t i = 0; i < (*request)->n_resource_metrics; i++) {
		const OtlpMetrics__ResourceMetrics *rm = (*request)->resource_metrics[i];

		o.resource = rm->resource;
		for (size_t k = 0; k < rm->n_scope_metrics; k++) {
			o.scope = rm->scope_metrics[k]->scope;
			for (size_t n = 0; n < rm->scope_metrics[k]->n_metrics; n++, o.m.index++)
				rc |= om_read_metric(&o, rm->scope_metrics[k]->metrics[n]);
		}
	}
	return rc;
}

#endif
