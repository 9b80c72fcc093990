/* metric_pb.c - see metric_pb.h. */
#include "ingest/agent/metric_pb.h"

#include "pb/push.pb-c.h"

typedef Millrace__Push__Metric pb_metric;
typedef Millrace__Push__Point pb_point;
typedef Millrace__Push__Histogram pb_histogram;
typedef Millrace__Push__Metric__TagsEntry pb_tag;

/* protobuf-c wants a NUL where a str has none. NULL: there is no room, so the series is longer than any may be. */
static char *zero_ended(struct metric_pb *p, struct str s)
{
	char *at = p->bytes + p->used;

	if (s.len >= sizeof(p->bytes) - p->used)
		return NULL;
	memcpy(at, s.p, s.len);
	at[s.len] = '\0';
	p->used += s.len + 1;
	return at;
}

/* Counts are not negative, so both types write them the same; protobuf-c only reads them. */
static uint64_t *counts(const int64_t *list)
{
	return (uint64_t *)(uintptr_t)list;
}

static void set_histogram(pb_histogram *to, const struct hist_dense *h)
{
	*to = (pb_histogram)MILLRACE__PUSH__HISTOGRAM__INIT;
	to->has_scale_case = MILLRACE__PUSH__HISTOGRAM__HAS_SCALE_SCALE;
	to->scale = h->scale;
	to->zero = h->zero;
	to->offset = h->offset;
	to->counts = counts(h->counts);
	to->n_counts = h->counts_len;
	to->neg_offset = h->neg_offset;
	to->neg_counts = counts(h->neg_counts);
	to->n_neg_counts = h->neg_counts_len;
}

/* A counter's or a lone reading's value alone, or all figures of what was merged: ingest takes nothing in between. */
static void set_point(pb_point *to, pb_histogram *histogram, const struct store_point *point)
{
	*to = (pb_point)MILLRACE__PUSH__POINT__INIT;
	to->t = point->t;
	if (point->has_v) {
		to->has_v_case = MILLRACE__PUSH__POINT__HAS_V_V;
		to->v = point->v;
		return;
	}
	to->count = point->count;
	to->has_sum_case = MILLRACE__PUSH__POINT__HAS_SUM_SUM;
	to->sum = point->sum;
	to->has_min_case = MILLRACE__PUSH__POINT__HAS_MIN_MIN;
	to->min = point->min;
	to->has_max_case = MILLRACE__PUSH__POINT__HAS_MAX_MAX;
	to->max = point->max;
	to->has_last_case = MILLRACE__PUSH__POINT__HAS_LAST_LAST;
	to->last = point->last;
	to->last_at = point->last_at;
	if (point->has_histogram) {
		set_histogram(histogram, &point->histogram);
		to->histogram = histogram;
	}
}

static int kind_of(enum store_kind kind)
{
	return kind == STORE_COUNTER ? MILLRACE__PUSH__METRIC__KIND__counter :
	       kind == STORE_DISTRIBUTION ? MILLRACE__PUSH__METRIC__KIND__distribution : MILLRACE__PUSH__METRIC__KIND__gauge;
}

/* All of it lives on the stack, but for the strings. */
int metric_pb_pack(struct metric_pb *p, const struct store_metric *m, struct buf *out)
{
	Millrace__Push__Payload payload = MILLRACE__PUSH__PAYLOAD__INIT;
	pb_metric metric = MILLRACE__PUSH__METRIC__INIT, *metrics = &metric;
	pb_tag tags[SERIES_TAGS_MAX], *tag_list[SERIES_TAGS_MAX];
	pb_histogram histogram;
	pb_point point, *points = &point;
	uint8_t *to;

	if (m->tags_len > SERIES_TAGS_MAX)
		return -1;
	p->used = 0;
	metric.name = zero_ended(p, m->name);
	metric.kind = kind_of(m->kind);
	metric.tags = tag_list;
	metric.n_tags = m->tags_len;
	for (size_t i = 0; i < m->tags_len; i++) {
		tags[i] = (pb_tag)MILLRACE__PUSH__METRIC__TAGS_ENTRY__INIT;
		tags[i].key = zero_ended(p, m->tags[i].key);
		tags[i].value = zero_ended(p, m->tags[i].value);
		tag_list[i] = &tags[i];
		if (!tags[i].key || !tags[i].value)
			return -1;
	}
	set_point(&point, &histogram, &m->point);
	metric.points = &points;
	metric.n_points = 1;
	payload.metrics = &metrics;
	payload.n_metrics = 1;
	to = metric.name ? buf_reserve(out, millrace__push__payload__get_packed_size(&payload)) : NULL;
	if (!to)
		return -1;
	out->len += millrace__push__payload__pack(&payload, to);
	return 0;
}
