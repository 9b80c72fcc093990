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

static inline bool same_tags(const struct tag *a, size_t a_len, const struct tag *b, size_t b_len)
{
	bool same = a_len == b_len;

	for (size_t i = 0; same && i < a_len; i++)
		same = same_text(a[i].key, b[i].key) && same_text(a[i].value, b[i].value);
	return same;
}

static inline bool same_series(const struct series_ref *a, const struct series_ref *b)
{
	return a->kind == b->kind && a->temporality == b->temporality && same_text(a->name, b->name) &&
	       same_tags(a->tags, a->tags_len, b->tags, b->tags_len);
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

static inline bool same_error(const struct error_detail *a, const struct error_detail *b)
{
	bool same = same_text(a->class, b->class) && same_text(a->message, b->message) && a->backtrace_len == b->backtrace_len &&
		    a->breadcrumbs_len == b->breadcrumbs_len && same_tags(a->params, a->params_len, b->params, b->params_len);

	for (size_t i = 0; same && i < a->backtrace_len; i++) {
		const struct backtrace_frame *x = &a->backtrace[i], *y = &b->backtrace[i];

		same = same_text(x->file, y->file) && x->line == y->line && same_text(x->function, y->function) && x->in_app == y->in_app;
	}
	for (size_t i = 0; same && i < a->breadcrumbs_len; i++) {
		const struct breadcrumb *x = &a->breadcrumbs[i], *y = &b->breadcrumbs[i];

		same = x->t == y->t && same_text(x->category, y->category) && same_text(x->action, y->action) && same_text(x->message, y->message) &&
		       same_tags(x->metadata, x->metadata_len, y->metadata, y->metadata_len);
	}
	return same;
}

static inline bool same_transaction(const struct transaction_detail *a, const struct transaction_detail *b)
{
	bool same = same_text(a->id, b->id) && same_double(a->duration_ms, b->duration_ms) && same_double(a->queue_ms, b->queue_ms) &&
		    a->failed == b->failed && a->spans_len == b->spans_len;

	for (size_t i = 0; same && i < a->spans_len; i++) {
		const struct transaction_span *x = &a->spans[i], *y = &b->spans[i];

		same = same_text(x->id, y->id) && same_text(x->parent_id, y->parent_id) && same_text(x->name, y->name) &&
		       same_double(x->start_ms, y->start_ms) && same_double(x->duration_ms, y->duration_ms) &&
		       same_tags(x->tags, x->tags_len, y->tags, y->tags_len);
	}
	return same;
}

static inline bool same_details(const struct event *a, const struct event *b)
{
	if (a->has_error != b->has_error || a->has_transaction != b->has_transaction || a->has_marker != b->has_marker ||
	    a->has_check_in != b->has_check_in)
		return false;
	return (!a->has_error || same_error(&a->error, &b->error)) && (!a->has_transaction || same_transaction(&a->transaction, &b->transaction)) &&
	       (!a->has_marker || (same_text(a->marker.revision, b->marker.revision) && same_text(a->marker.user, b->marker.user) &&
				   same_text(a->marker.text, b->marker.text))) &&
	       (!a->has_check_in || (same_text(a->check_in.name, b->check_in.name) && a->check_in.kind == b->check_in.kind &&
				     a->check_in.event == b->check_in.event));
}

static inline bool same_event(const struct payload_event *a, const struct payload_event *b)
{
	const struct event *x = &a->event, *y = &b->event;

	return a->kind == b->kind && strcmp(a->list, b->list) == 0 && a->index == b->index && a->has_t == b->has_t && x->t == y->t &&
	       same_text(x->action, y->action) && same_text(x->namespace, y->namespace) && same_text(x->host, y->host) &&
	       same_text(x->environment, y->environment) && same_text(x->revision, y->revision) && x->shortened == y->shortened &&
	       same_tags(x->tags, x->tags_len, y->tags, y->tags_len) && same_details(x, y) &&
	       same_tags(a->series_tags, a->series_tags_len, b->series_tags, b->series_tags_len);
}

static inline int by_place(const void *a, const void *b)
{
	const struct payload_rejection *x = a, *y = b;
	int order = strcmp(x->list, y->list);

	if (order == 0)
		order = (x->index > y->index) - (x->index < y->index);
	return order ? order : (x->point > y->point) - (x->point < y->point);
}

static inline int by_kind(const void *a, const void *b)
{
	const struct payload_event *x = a, *y = b;

	return x->kind != y->kind ? (x->kind > y->kind) - (x->kind < y->kind) : (x->index > y->index) - (x->index < y->index);
}

/* Between lists, rejections and events come in the order of the body; to compare payloads of other orders, they are sorted first. Where not
 * all rejections are named, none is. */
static inline void sort_places(struct payload *p)
{
	if (p->rejections_len == PAYLOAD_REJECTIONS_MAX)
		p->rejections_len = 0;
	if (p->rejections_len)
		qsort(p->rejections, p->rejections_len, sizeof(*p->rejections), by_place);
	if (p->events_len)
		qsort(p->events, p->events_len, sizeof(*p->events), by_kind);
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
	if (a->events_len != b->events_len)
		return "how many events";
	for (size_t i = 0; i < a->events_len; i++)
		if (!same_event(&a->events[i], &b->events[i]))
			return "an event";
	return NULL;
}

#endif
