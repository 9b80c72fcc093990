/* payload_equal.h - are two payloads the same, however they came about? For unit tests and fuzz targets. */
#ifndef MILLRACE_TESTS_PAYLOAD_EQUAL_H
#define MILLRACE_TESTS_PAYLOAD_EQUAL_H

#include <stdlib.h>
#include <string.h>

#include "ingest/payload.h"

/* Bit by bit: -0 is not 0, and NaN is NaN. */
static inline bool same_double(double a, double b)
{
	return memcmp(&a, &b, sizeof(a)) == 0;
}

static inline bool same_counts(const int64_t *a, size_t a_len, const int64_t *b, size_t b_len)
{
	return a_len == b_len && (a_len == 0 || memcmp(a, b, a_len * sizeof(*a)) == 0);
}

/* A NUL is as a byte 1: an oracle whose strings end at NULs has to replace them. */
static inline bool same_text(struct str a, struct str b)
{
	bool same = a.len == b.len;

	for (size_t i = 0; same && i < a.len; i++)
		same = a.p[i] == b.p[i] || ((a.p[i] | 1) == 1 && (b.p[i] | 1) == 1);
	return same;
}

static inline bool same_series(const struct series_ref *a, const struct series_ref *b)
{
	bool same = a->kind == b->kind && a->temporality == b->temporality && same_text(a->name, b->name) && a->tags_len == b->tags_len;

	for (size_t i = 0; same && i < a->tags_len; i++)
		same = same_text(a->tags[i].key, b->tags[i].key) && same_text(a->tags[i].value, b->tags[i].value);
	return same;
}

static inline bool same_summary(const struct summary_sample *a, const struct summary_sample *b)
{
	const struct histogram *x = &a->histogram, *y = &b->histogram;

	return a->series == b->series && a->t == b->t && a->start == b->start && a->count == b->count && same_double(a->sum, b->sum) &&
	       a->has_min == b->has_min && same_double(a->min, b->min) && a->has_max == b->has_max && same_double(a->max, b->max) &&
	       a->has_last == b->has_last && same_double(a->last, b->last) && a->last_at == b->last_at &&
	       a->has_histogram == b->has_histogram && a->approximate == b->approximate && x->scale == y->scale && x->zero == y->zero &&
	       x->offset == y->offset && same_counts(x->counts, x->counts_len, y->counts, y->counts_len) &&
	       x->neg_offset == y->neg_offset && same_counts(x->neg_counts, x->neg_counts_len, y->neg_counts, y->neg_counts_len);
}

static inline int by_place(const void *a, const void *b)
{
	const struct payload_rejection *x = a, *y = b;
	int order = strcmp(x->list, y->list);

	if (order == 0)
		order = (x->index > y->index) - (x->index < y->index);
	return order ? order : (x->point > y->point) - (x->point < y->point);
}

/* Between lists, rejections come in the order of the body; to compare payloads of other orders, they are sorted first. Where not
 * all are named, none is. */
static inline void sort_rejections(struct payload *p)
{
	if (p->rejections_len == PAYLOAD_REJECTIONS_MAX)
		p->rejections_len = 0;
	if (p->rejections_len)
		qsort(p->rejections, p->rejections_len, sizeof(*p->rejections), by_place);
}

static inline bool same_rejections(const struct payload *a, const struct payload *b)
{
	bool same = a->received == b->received && a->accepted == b->accepted && a->rejected == b->rejected &&
		    memcmp(a->rejected_by, b->rejected_by, sizeof(a->rejected_by)) == 0 && a->rejections_len == b->rejections_len;

	for (size_t i = 0; same && i < a->rejections_len; i++)
		same = strcmp(a->rejections[i].list, b->rejections[i].list) == 0 && a->rejections[i].index == b->rejections[i].index &&
		       a->rejections[i].point == b->rejections[i].point && a->rejections[i].reason == b->rejections[i].reason;
	return same;
}

static inline bool same_identity(const struct payload *a, const struct payload *b)
{
	return a->has_agent_id == b->has_agent_id && a->has_seq == b->has_seq && a->has_floor == b->has_floor &&
	       a->has_created_at == b->has_created_at && (!a->has_agent_id || memcmp(a->agent_id, b->agent_id, sizeof(a->agent_id)) == 0) &&
	       a->seq == b->seq && a->floor == b->floor && a->created_at_ms == b->created_at_ms;
}

static inline bool same_truncations(const struct payload *a, const struct payload *b)
{
	bool same = a->truncations_len == b->truncations_len;

	for (size_t i = 0; same && i < a->truncations_len; i++) {
		const struct payload_truncation *x = &a->truncations[i], *y = &b->truncations[i];

		same = memcmp(x->agent_id, y->agent_id, sizeof(x->agent_id)) == 0 && x->from_seq == y->from_seq &&
		       x->to_seq == y->to_seq && x->samples == y->samples && x->attempted == y->attempted;
	}
	return same;
}

/* What differs first, or NULL. */
static inline const char *payload_difference(const struct payload *a, const struct payload *b)
{
	if (!same_identity(a, b))
		return "identity or created_at";
	if (!same_text(a->host, b->host) || !same_text(a->environment, b->environment) || !same_text(a->revision, b->revision))
		return "host, environment or revision";
	if (!same_truncations(a, b))
		return "truncations";
	if (!same_rejections(a, b))
		return "rejections";
	if (a->series_len != b->series_len || a->values_len != b->values_len || a->summaries_len != b->summaries_len)
		return "how many series, values and summaries";
	for (size_t i = 0; i < a->series_len; i++)
		if (!same_series(&a->series[i], &b->series[i]))
			return "a series";
	for (size_t i = 0; i < a->values_len; i++)
		if (a->values[i].series != b->values[i].series || a->values[i].t != b->values[i].t ||
		    a->values[i].start != b->values[i].start || !same_double(a->values[i].v, b->values[i].v))
			return "a value";
	for (size_t i = 0; i < a->summaries_len; i++)
		if (!same_summary(&a->summaries[i], &b->summaries[i]))
			return "a summary";
	return NULL;
}

#endif
