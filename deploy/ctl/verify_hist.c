/* verify_hist.c - see verify_hist.h.
 *
 * A value's bucket comes from logarithms in long double where common/hist compares mantissas with a table of doubles. Its mantissa alone
 * is looked at, so that the logarithm's error is that of a number below 1: the boundaries between powers of two are irrational, and no
 * double comes nearer to one of the 31 than about 2^-59 of itself, while long double has 64 bits. The powers of two themselves are
 * exact.
 *
 * Invariants: places ascend; no count is 0. A place is an index moved away from zero by FAR, so that the order of places is the order of
 * the values. */
#include "deploy/ctl/verify_hist.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	FAR = 100000, /* beyond every index of scale 5 and below */
	OCTAVE = 1 << VERIFY_SCALE,
	INDEX_LOWEST = -1075 * OCTAVE, INDEX_HIGHEST = 1024 * OCTAVE - 1, /* what doubles reach */
	SCALE_LOWEST = -10, SCALE_HIGHEST = 20, COUNTS_MAX = 8192,
};

#define TOTAL_MAX (UINT64_C(1) << 62)

void verify_hist_fini(struct verify_hist *h)
{
	free(h->buckets);
	*h = (struct verify_hist)VERIFY_HIST_INIT;
}

int32_t verify_hist_index(double value)
{
	int exponent;
	long double mantissa = 2 * (long double)frexp(value, &exponent); /* in [1, 2) */
	int k = (int)(log2l(mantissa) * OCTAVE);

	while (exp2l((long double)k / OCTAVE) >= mantissa)
		k--;
	while (exp2l((long double)(k + 1) / OCTAVE) < mantissa)
		k++;
	return (exponent - 1) * OCTAVE + k;
}

static int grow(struct verify_hist *h)
{
	size_t cap = h->cap ? 2 * h->cap : 8;
	struct verify_bucket *buckets = h->len < h->cap ? h->buckets : realloc(h->buckets, cap * sizeof(*buckets));

	if (!buckets)
		return -1;
	if (h->len == h->cap)
		h->cap = cap;
	h->buckets = buckets;
	return 0;
}

/* Where a place stands, or would. */
static size_t find(const struct verify_hist *h, int32_t place)
{
	size_t low = 0, high = h->len;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (h->buckets[middle].place < place)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int count(struct verify_hist *h, int32_t place, uint64_t n)
{
	size_t at = find(h, place);

	if (n == 0)
		return 0;
	if (at < h->len && h->buckets[at].place == place) {
		h->buckets[at].count += n;
		return 0;
	}
	if (grow(h) < 0)
		return -1;
	memmove(&h->buckets[at + 1], &h->buckets[at], (h->len - at) * sizeof(*h->buckets));
	h->buckets[at] = (struct verify_bucket){place, n};
	h->len++;
	return 0;
}

int verify_hist_add_value(struct verify_hist *h, double value)
{
	if (value == 0)
		return count(h, 0, 1);
	return count(h, value > 0 ? FAR + verify_hist_index(value) : -FAR - verify_hist_index(-value), 1);
}

/* The bucket at a coarser scale that holds bucket index: of two neighbours, each time, one. */
static int64_t coarser(int64_t index, int32_t by)
{
	for (; by > 0; by--)
		index = (index - (index % 2 != 0 && index < 0)) / 2;
	return index;
}

/* The bucket at scale 5 that holds the midpoint b^(i + 1/2) of bucket i of a scale below: the midpoint is one of scale 5's boundaries,
 * and a boundary belongs to the bucket that it ends. */
static int64_t at_midpoint(int64_t index, int32_t scale)
{
	int64_t halves = 2 * index + 1;

	for (int32_t s = scale; s < VERIFY_SCALE - 1; s++)
		halves *= 2;
	return halves - 1;
}

static int64_t at_scale_5(int64_t index, int32_t scale)
{
	return scale < VERIFY_SCALE ? at_midpoint(index, scale) : coarser(index, scale - VERIFY_SCALE);
}

static const char *side_fault(int32_t scale, int32_t offset, const int64_t *counts, size_t len, uint64_t *total)
{
	if (len > COUNTS_MAX)
		return "a histogram with too many counts";
	for (size_t i = 0; i < len; i++) {
		int64_t index = at_scale_5((int64_t)offset + (int64_t)i, scale);

		if (counts[i] < 0 || (uint64_t)counts[i] > TOTAL_MAX - *total)
			return "a histogram with a count out of range";
		if (counts[i] && (index < INDEX_LOWEST || index > INDEX_HIGHEST))
			return "a histogram with a bucket that no number reaches";
		*total += (uint64_t)counts[i];
	}
	return NULL;
}

const char *verify_hist_fault(const struct histogram *h, uint64_t *total)
{
	const char *fault;

	if (h->scale < SCALE_LOWEST || h->scale > SCALE_HIGHEST)
		return "a histogram with a scale out of range";
	if (h->zero < 0 || (uint64_t)h->zero > TOTAL_MAX)
		return "a histogram with a count out of range";
	*total = (uint64_t)h->zero;
	fault = side_fault(h->scale, h->offset, h->counts, h->counts_len, total);
	return fault ? fault : side_fault(h->scale, h->neg_offset, h->neg_counts, h->neg_counts_len, total);
}

static int read_side(struct verify_hist *h, int sign, int32_t by, int32_t offset, const int64_t *counts, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (counts[i] && count(h, sign * (FAR + (int32_t)coarser((int64_t)offset + (int64_t)i, by)), (uint64_t)counts[i]) < 0)
			return -1;
	return 0;
}

int verify_hist_read(struct verify_hist *h, const struct histogram *from)
{
	int32_t by;

	h->scale = from->scale < VERIFY_SCALE ? from->scale : VERIFY_SCALE;
	by = from->scale - h->scale;
	if (count(h, 0, (uint64_t)from->zero) < 0 || read_side(h, 1, by, from->offset, from->counts, from->counts_len) < 0)
		return -1;
	return read_side(h, -1, by, from->neg_offset, from->neg_counts, from->neg_counts_len);
}

/* A place of one scale as one of another. */
static int32_t moved(int32_t place, int64_t (*to)(int64_t index, int32_t how), int32_t how)
{
	if (place == 0)
		return 0;
	return place > 0 ? FAR + (int32_t)to(place - FAR, how) : -FAR - (int32_t)to(-place - FAR, how);
}

int verify_hist_add(struct verify_hist *dst, const struct verify_hist *src, bool *approximate)
{
	for (size_t i = 0; i < src->len; i++) {
		const struct verify_bucket *b = &src->buckets[i];

		*approximate |= src->scale < VERIFY_SCALE && b->place != 0;
		if (count(dst, moved(b->place, at_scale_5, src->scale), b->count) < 0)
			return -1;
	}
	return 0;
}

/* src at a scale that is not finer. */
static int read_coarser(struct verify_hist *out, const struct verify_hist *src, int32_t scale)
{
	out->scale = scale;
	for (size_t i = 0; i < src->len; i++)
		if (count(out, moved(src->buckets[i].place, coarser, src->scale - scale), src->buckets[i].count) < 0)
			return -1;
	return 0;
}

/* Takes sub, of the same scale, from h. 0 when there is not as much. */
static int take_away(struct verify_hist *h, const struct verify_hist *sub)
{
	size_t left = 0;

	for (size_t i = 0; i < sub->len; i++) {
		size_t at = find(h, sub->buckets[i].place);

		if (at == h->len || h->buckets[at].place != sub->buckets[i].place || h->buckets[at].count < sub->buckets[i].count)
			return 0;
		h->buckets[at].count -= sub->buckets[i].count;
	}
	for (size_t i = 0; i < h->len; i++)
		if (h->buckets[i].count)
			h->buckets[left++] = h->buckets[i];
	h->len = left;
	return 1;
}

int verify_hist_subtract(const struct verify_hist *h, const struct verify_hist *before, struct verify_hist *out)
{
	int32_t scale = h->scale < before->scale ? h->scale : before->scale;
	struct verify_hist sub = VERIFY_HIST_INIT;
	int rc = -1;

	if (read_coarser(out, h, scale) == 0 && read_coarser(&sub, before, scale) == 0)
		rc = take_away(out, &sub);
	verify_hist_fini(&sub);
	return rc;
}

bool verify_hist_equal(const struct verify_hist *a, const struct verify_hist *b)
{
	if (a->scale != b->scale || a->len != b->len)
		return false;
	for (size_t i = 0; i < a->len; i++)
		if (a->buckets[i].place != b->buckets[i].place || a->buckets[i].count != b->buckets[i].count)
			return false;
	return true;
}
