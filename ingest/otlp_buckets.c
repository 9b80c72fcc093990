/* otlp_buckets.c - see otlp_buckets.h. */
#include "ingest/otlp_buckets.h"

#include <endian.h>
#include <math.h>
#include <string.h>

#include "common/hist.h"

enum { LIST_MAX = HIST_COUNTS_MAX + 1 /* the last one only shows that there were too many */ };

/* More of a list: its larger copy, or NULL. Doubles, so that a list that comes one by one is copied seldom. */
static void *widen(struct arena *arena, const void *list, size_t len, size_t want, size_t *cap)
{
	size_t room = want < 2 * *cap ? 2 * *cap : want;
	void *wider;

	room = room > LIST_MAX && want <= LIST_MAX ? LIST_MAX : room;
	wider = arena_alloc_raw(arena, room * sizeof(uint64_t));
	if (!wider)
		return NULL;
	if (len)
		memcpy(wider, list, len * sizeof(uint64_t));
	*cap = room;
	return wider;
}

int otlp_words_add(struct otlp_words *w, struct arena *arena, const uint8_t *bytes, size_t n)
{
	size_t fits = n > LIST_MAX - w->len ? LIST_MAX - w->len : n;
	uint64_t *wider = w->p;

	if (fits > w->cap - w->len)
		wider = widen(arena, w->p, w->len, w->len + fits, &w->cap);
	if (!wider)
		return fits ? -1 : 0;
	w->p = wider;
	for (size_t i = 0; i < fits; i++) {
		memcpy(&w->p[w->len + i], bytes + i * sizeof(uint64_t), sizeof(uint64_t));
		w->p[w->len + i] = le64toh(w->p[w->len + i]);
	}
	w->len += fits;
	return 0;
}

int otlp_counts_reserve(struct otlp_counts *c, struct arena *arena, size_t n)
{
	size_t want = n > LIST_MAX - c->len ? LIST_MAX : c->len + n;
	int64_t *wider;

	if (want <= c->cap)
		return 0;
	wider = widen(arena, c->p, c->len, want, &c->cap);
	if (!wider)
		return -1;
	c->p = wider;
	return 0;
}

static double bound(const struct otlp_words *bounds, size_t i)
{
	double v;

	memcpy(&v, &bounds->p[i], sizeof(v));
	return v;
}

/* A bucket's own value. Where it reaches to zero the midpoint would be zero: half of the other end stands for it; where it has no end, the end it
 * has. The lowest one above zero begins there: most of what is measured is not negative. */
static double value_of(const struct otlp_words *bounds, size_t i)
{
	double high = i < bounds->len ? bound(bounds, i) : INFINITY;
	double low = i ? bound(bounds, i - 1) : high > 0 ? 0 : -INFINITY;
	double product;

	if (!isfinite(high))
		return low;
	if (!isfinite(low))
		return high;
	if (low < 0 && high > 0)
		return 0;
	if (low == 0 || high == 0)
		return (low + high) / 2;
	product = low * high; /* rounded once, so that between 2 and 8 lies 4 */
	return copysign(isnormal(product) ? sqrt(product) : sqrt(fabs(low)) * sqrt(fabs(high)), high);
}

static bool rising(const struct otlp_words *bounds)
{
	for (size_t i = 0; i < bounds->len; i++)
		if (!isfinite(bound(bounds, i)) || (i && !(bound(bounds, i - 1) < bound(bounds, i))))
			return false;
	return true;
}

/* From the lowest index to the highest of either side. */
static int32_t span_of(const struct otlp_layout *l)
{
	int32_t low[2] = {INT32_MAX, INT32_MAX}, high[2] = {INT32_MIN, INT32_MIN}, span = 0;

	for (size_t i = 0; i <= l->bounds.len; i++) {
		int side = l->value[i] < 0;

		if (l->value[i] == 0)
			continue;
		low[side] = l->index[i] < low[side] ? l->index[i] : low[side];
		high[side] = l->index[i] > high[side] ? l->index[i] : high[side];
	}
	for (int side = 0; side < 2; side++)
		if (low[side] <= high[side] && high[side] - low[side] + 1 > span)
			span = high[side] - low[side] + 1;
	return span;
}

/* Learns new bounds, whose order is checked. */
static int lay_out(struct otlp_layout *l, struct arena *arena, const struct otlp_words *bounds)
{
	size_t n = bounds->len + 1;

	if (n > l->cap) {
		l->value = arena_alloc_raw(arena, n * sizeof(*l->value));
		l->index = arena_alloc_raw(arena, n * sizeof(*l->index));
		l->bounds.p = arena_alloc_raw(arena, n * sizeof(*l->bounds.p));
		l->cap = l->value && l->index && l->bounds.p ? n : 0;
		if (!l->cap)
			return -1;
	}
	l->bounds.len = bounds->len;
	if (bounds->len)
		memcpy(l->bounds.p, bounds->p, bounds->len * sizeof(*bounds->p));
	l->scale = HIST_SCALE;
	for (size_t i = 0; i < n; i++) {
		l->value[i] = value_of(bounds, i);
		l->index[i] = l->value[i] == 0 ? 0 : hist_index(fabs(l->value[i]));
	}
	for (; span_of(l) > OTLP_SPAN_MAX; l->scale--)
		for (size_t i = 0; i < n; i++)
			l->index[i] >>= 1;
	return 0;
}

static bool same_bounds(const struct otlp_layout *l, const struct otlp_words *bounds)
{
	return l->cap && l->bounds.len == bounds->len &&
	       (bounds->len == 0 || memcmp(l->bounds.p, bounds->p, bounds->len * sizeof(*bounds->p)) == 0);
}

static int64_t saturated(uint64_t n)
{
	return n > INT64_MAX ? INT64_MAX : (int64_t)n;
}

static int64_t added(int64_t a, int64_t b)
{
	int64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

/* Fills one side of h: sign says which values go there. */
static int fill_side(const struct otlp_layout *l, struct arena *arena, const struct otlp_words *buckets, bool negative, int64_t *offset,
		     int64_t **counts, size_t *counts_len)
{
	int32_t low = INT32_MAX, high = INT32_MIN;

	for (size_t i = 0; i < buckets->len; i++) {
		if (!buckets->p[i] || l->value[i] == 0 || (l->value[i] < 0) != negative)
			continue;
		low = l->index[i] < low ? l->index[i] : low;
		high = l->index[i] > high ? l->index[i] : high;
	}
	if (low > high)
		return 0;
	*counts_len = (size_t)(high - low + 1);
	*counts = arena_calloc(arena, *counts_len, sizeof(**counts));
	if (!*counts)
		return -1;
	*offset = low;
	for (size_t i = 0; i < buckets->len; i++) {
		int64_t *count = *counts + (l->index[i] - low);

		if (buckets->p[i] && l->value[i] != 0 && (l->value[i] < 0) == negative)
			*count = added(*count, saturated(buckets->p[i]));
	}
	return 0;
}

int otlp_buckets_explicit(struct otlp_layout *layout, struct arena *arena, const struct otlp_words *bounds, const struct otlp_words *buckets,
			  struct payload_histogram *h, double *sum)
{
	*h = (struct payload_histogram){0};
	*sum = 0;
	if (buckets->len != bounds->len + 1 || buckets->len > HIST_COUNTS_MAX)
		return 0;
	if (!same_bounds(layout, bounds)) {
		if (!rising(bounds))
			return 0;
		if (lay_out(layout, arena, bounds) < 0)
			return -1;
	}
	h->has_scale = true;
	h->scale = layout->scale;
	for (size_t i = 0; i < buckets->len; i++) {
		*sum += (double)buckets->p[i] * layout->value[i];
		if (layout->value[i] == 0)
			h->zero = added(h->zero, saturated(buckets->p[i]));
	}
	if (fill_side(layout, arena, buckets, false, &h->offset, &h->counts, &h->counts_len) < 0)
		return -1;
	return fill_side(layout, arena, buckets, true, &h->neg_offset, &h->neg_counts, &h->neg_counts_len);
}

/* Buckets of 2^shift in a row become one; it begins where an index is a multiple of that. */
static size_t downscale_side(int64_t *offset, int64_t *counts, size_t len, int shift)
{
	int64_t first = *offset >> shift;
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		size_t to = (size_t)(((*offset + (int64_t)i) >> shift) - first);
		int64_t count = counts[i];

		if (to == n)
			counts[n++] = 0;
		counts[to] = added(counts[to], count);
	}
	*offset = first;
	return n;
}

void otlp_buckets_downscale(struct payload_histogram *h)
{
	int64_t shift = h->scale - HIST_SCALE;

	if (shift <= 0 || h->counts_len > HIST_COUNTS_MAX || h->neg_counts_len > HIST_COUNTS_MAX)
		return;
	shift = shift > 62 ? 62 : shift; /* a side is within one bucket long before */
	h->counts_len = downscale_side(&h->offset, h->counts, h->counts_len, (int)shift);
	h->neg_counts_len = downscale_side(&h->neg_offset, h->neg_counts, h->neg_counts_len, (int)shift);
	h->scale = HIST_SCALE;
}

static double side_sum(int64_t offset, const int64_t *counts, size_t len, int64_t scale)
{
	double sum = 0;

	for (size_t i = 0; i < len; i++)
		if (counts[i])
			sum += (double)counts[i] * exp2(ldexp((double)(offset + (int64_t)i) + 0.5, (int)-scale));
	return sum;
}

double otlp_buckets_sum(const struct payload_histogram *h)
{
	return side_sum(h->offset, h->counts, h->counts_len, h->scale) -
	       side_sum(h->neg_offset, h->neg_counts, h->neg_counts_len, h->scale);
}
