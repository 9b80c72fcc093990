/* window.c - see window.h. In every function the histogram comes first: it is the only step that can fail. Buckets
 * that would pass HIST_TOTAL_MAX, as only a liar's do, are left out, and the window is marked. */
#include "processor/window.h"

static void add_count(struct window *w, int64_t n)
{
	if (__builtin_add_overflow(w->count, n, &w->count))
		w->count = INT64_MAX;
}

static void add_errors(struct window *w, uint64_t n)
{
	w->errors = n > UINT32_MAX - w->errors ? UINT32_MAX : w->errors + (uint32_t)n;
}

static void take_min(struct window *w, bool has, double value)
{
	if (!has || (w->has_min && w->min <= value))
		return;
	w->has_min = true;
	w->min = value;
}

static void take_max(struct window *w, bool has, double value)
{
	if (!has || (w->has_max && w->max >= value))
		return;
	w->has_max = true;
	w->max = value;
}

/* The greatest by (known, time, value): an order, so that merging is commutative and associative. */
static void take_last(struct window *w, bool has, int64_t at_ms, double value)
{
	if (has == w->has_last) {
		if (at_ms < w->last_at_ms || (at_ms == w->last_at_ms && (!has || value <= w->last)))
			return;
	} else if (!has) {
		return;
	}
	w->has_last = has;
	w->last_at_ms = at_ms;
	w->last = value;
}

int window_add_value(struct window *w, int64_t t_ms, double value)
{
	int rc = w->series->kind == SERIES_KIND_DISTRIBUTION ? hist_add(&w->hist, value, 1) : 0;

	if (rc < 0)
		return -1;
	w->approximate |= rc > 0;
	add_count(w, 1);
	w->sum += value;
	take_min(w, true, value);
	take_max(w, true, value);
	take_last(w, true, t_ms, value);
	return 0;
}

struct hist_dense window_dense(const struct histogram *h)
{
	return (struct hist_dense){
		.scale = h->scale,
		.zero = (uint64_t)h->zero, /* a negative one is too large then, and refused */
		.offset = h->offset,
		.counts = h->counts,
		.counts_len = h->counts_len,
		.neg_offset = h->neg_offset,
		.neg_counts = h->neg_counts,
		.neg_counts_len = h->neg_counts_len,
	};
}

int window_add_summary(struct window *w, const struct summary_sample *s)
{
	bool approximate = s->approximate;

	if (s->has_histogram) {
		struct hist_dense dense = window_dense(&s->histogram);
		int rc = hist_add_checked(&w->hist, &dense, &approximate);

		if (rc < 0)
			return -1;
		approximate |= rc > 0;
	}
	add_count(w, s->count);
	add_errors(w, (uint64_t)s->errors);
	w->sum += s->sum;
	take_min(w, s->has_min, s->min);
	take_max(w, s->has_max, s->max);
	take_last(w, s->has_last, s->last_at, s->last);
	w->approximate |= approximate;
	return 0;
}

int window_merge(struct window *dst, const struct window *src)
{
	int rc = hist_merge(&dst->hist, &src->hist);

	if (rc < 0)
		return -1;
	dst->approximate |= rc > 0;
	add_count(dst, src->count);
	add_errors(dst, src->errors);
	dst->sum += src->sum;
	take_min(dst, src->has_min, src->min);
	take_max(dst, src->has_max, src->max);
	take_last(dst, src->has_last, src->last_at_ms, src->last);
	dst->approximate |= src->approximate;
	return 0;
}
