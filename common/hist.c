/* hist.c - see hist.h.
 *
 * Invariants: the buckets of a side are sorted by index, no index twice, no count 0. A change that needs memory reserves it
 * first and then cannot fail, so that a histogram is never half merged.
 *
 * A value's bucket must be exact, or two programs that see the same value would disagree: the boundaries inside an octave are
 * compared as 52-bit mantissas, rounded down, and no real boundary but 1 is itself a double, so "above the boundary" and
 * "mantissa greater than the rounded one" are the same. */
#include "common/hist.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { OCTAVE = 1 << HIST_SCALE, SCALE_LOWEST = -10, SCALE_HIGHEST = 20, STACK_BUCKETS = 256 };

/* floor(2^(j/32) * 2^52) - 2^52 for j = 1 .. 31, by integer roots. */
static const uint64_t boundaries[OCTAVE - 1] = {
	0x059b0d3158574, 0x0b5586cf9890f, 0x11301d0125b50, 0x172b83c7d517a, 0x1d4873168b9aa,
	0x2387a6e756238, 0x29e9df51fdee1, 0x306fe0a31b715, 0x371a7373aa9ca, 0x3dea64c123422,
	0x44e086061892d, 0x4bfdad5362a27, 0x5342b569d4f81, 0x5ab07dd485429, 0x6247eb03a5584,
	0x6a09e667f3bcc, 0x71f75e8ec5f73, 0x7a11473eb0186, 0x82589994cce12, 0x8ace5422aa0db,
	0x93737b0cdc5e4, 0x9c49182a3f090, 0xa5503b23e255c, 0xae89f995ad3ad, 0xb7f76f2fb5e46,
	0xc199bdd85529c, 0xcb720dcef9069, 0xd5818dcfba487, 0xdfc97337b9b5e, 0xea4afa2a490d9,
	0xf50765b6e4540,
};

void hist_fini(struct hist *h)
{
	free(h->pos.buckets);
	free(h->neg.buckets);
	*h = (struct hist)HIST_INIT;
}

size_t hist_bytes(const struct hist *h)
{
	return ((size_t)h->pos.cap + h->neg.cap) * sizeof(struct hist_bucket);
}

/* How many boundaries lie below mantissa: binary search over 31 of them. */
static int32_t boundaries_below(uint64_t mantissa)
{
	int32_t below = 0;

	for (int32_t step = OCTAVE / 2; step; step /= 2)
		if (mantissa > boundaries[below + step - 1])
			below += step;
	return below;
}

int32_t hist_index(double value)
{
	const uint64_t mantissa_mask = (UINT64_C(1) << 52) - 1;
	uint64_t bits;
	int32_t exponent;

	memcpy(&bits, &value, sizeof(bits));
	exponent = (int32_t)(bits >> 52) - 1023;
	if (exponent == -1023) { /* subnormal: scaled up, exactly */
		value *= 0x1p54;
		memcpy(&bits, &value, sizeof(bits));
		exponent = (int32_t)(bits >> 52) - 1023 - 54;
	}
	bits &= mantissa_mask;
	/* Buckets are open below and closed above: a power of two ends the octave before it. */
	if (bits == 0)
		return exponent * OCTAVE - 1;
	return exponent * OCTAVE + boundaries_below(bits);
}

double hist_lower_bound(int32_t index)
{
	int32_t octave = index >= 0 ? index / OCTAVE : -((OCTAVE - 1 - index) / OCTAVE);

	return ldexp(exp2((double)(index - octave * OCTAVE) / OCTAVE), octave);
}

static int side_reserve(struct hist_side *side, size_t n)
{
	size_t cap = side->cap ? side->cap : 4;
	struct hist_bucket *buckets;

	if (n <= side->cap)
		return 0;
	while (cap < n)
		cap += cap / 2 + 1;
	if (cap > UINT32_MAX)
		return -1;
	buckets = realloc(side->buckets, cap * sizeof(*buckets));
	if (!buckets)
		return -1;
	side->buckets = buckets;
	side->cap = (uint32_t)cap;
	return 0;
}

/* Position of the first bucket whose index is not below index. */
static uint32_t side_find(const struct hist_side *side, int32_t index)
{
	uint32_t lo = 0, hi = side->len;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (side->buckets[mid].index < index)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int side_add(struct hist_side *side, int32_t index, uint64_t n)
{
	uint32_t at = side_find(side, index);

	if (at < side->len && side->buckets[at].index == index) {
		side->buckets[at].count += n;
		return 0;
	}
	if (side_reserve(side, (size_t)side->len + 1) < 0)
		return -1;
	memmove(&side->buckets[at + 1], &side->buckets[at], (side->len - at) * sizeof(*side->buckets));
	side->buckets[at] = (struct hist_bucket){index, n};
	side->len++;
	return 0;
}

int hist_add(struct hist *h, double value, uint64_t n)
{
	if (n == 0)
		return 0;
	if (value == 0) {
		h->zero += n;
		return 0;
	}
	return value > 0 ? side_add(&h->pos, hist_index(value), n) : side_add(&h->neg, hist_index(-value), n);
}

/* How many buckets dst has after src was merged into it. */
static size_t merged_len(const struct hist_side *dst, const struct hist_side *src)
{
	size_t len = (size_t)dst->len + src->len;
	uint32_t i = 0;

	for (uint32_t j = 0; j < src->len; j++) {
		while (i < dst->len && dst->buckets[i].index < src->buckets[j].index)
			i++;
		len -= i < dst->len && dst->buckets[i].index == src->buckets[j].index;
	}
	return len;
}

/* Merges from the top down, in place; dst has room for len. */
static void side_merge(struct hist_side *dst, const struct hist_side *src, size_t len)
{
	uint32_t i = dst->len, j = src->len;

	for (size_t k = len; j > 0; k--) {
		if (i > 0 && dst->buckets[i - 1].index == src->buckets[j - 1].index) {
			dst->buckets[k - 1] = dst->buckets[--i];
			dst->buckets[k - 1].count += src->buckets[--j].count;
		} else if (i > 0 && dst->buckets[i - 1].index > src->buckets[j - 1].index) {
			dst->buckets[k - 1] = dst->buckets[--i];
		} else {
			dst->buckets[k - 1] = src->buckets[--j];
		}
	}
	dst->len = (uint32_t)len;
}

int hist_merge(struct hist *dst, const struct hist *src)
{
	size_t pos_len = merged_len(&dst->pos, &src->pos), neg_len = merged_len(&dst->neg, &src->neg);

	if (side_reserve(&dst->pos, pos_len) < 0 || side_reserve(&dst->neg, neg_len) < 0)
		return -1;
	side_merge(&dst->pos, &src->pos, pos_len);
	side_merge(&dst->neg, &src->neg, neg_len);
	dst->zero += src->zero;
	return 0;
}

static uint64_t side_count(const struct hist_side *side)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < side->len; i++)
		count += side->buckets[i].count;
	return count;
}

uint64_t hist_count(const struct hist *h)
{
	return h->zero + side_count(&h->pos) + side_count(&h->neg);
}

static double bucket_value(int32_t index)
{
	const double b = exp2(1.0 / OCTAVE);

	return hist_lower_bound(index) * (2 * b / (b + 1));
}

/* The value that stands for the rank-th smallest; the histogram is not empty and rank within its count. */
static double ranked_value(const struct hist *h, double rank)
{
	uint64_t seen = 0;

	for (uint32_t i = h->neg.len; i > 0; i--) {
		seen += h->neg.buckets[i - 1].count;
		if ((double)seen >= rank)
			return -bucket_value(h->neg.buckets[i - 1].index);
	}
	seen += h->zero;
	if ((double)seen >= rank)
		return 0;
	for (uint32_t i = 0; i < h->pos.len; i++) {
		seen += h->pos.buckets[i].count;
		if ((double)seen >= rank)
			return bucket_value(h->pos.buckets[i].index);
	}
	return h->pos.len ? bucket_value(h->pos.buckets[h->pos.len - 1].index) : 0;
}

double hist_quantile(const struct hist *h, double q, double min, double max)
{
	uint64_t count = hist_count(h);
	double rank = ceil(q * (double)count), value;

	if (!count)
		return 0;
	value = ranked_value(h, rank < 1 ? 1 : rank);
	return value < min ? min : value > max ? max : value;
}

/* Index at scale 5 of bucket i at another scale. A coarser bucket's geometric midpoint, 2^((i + 1/2) 2^-scale), always is a
 * boundary at scale 5 and belongs to the bucket that it closes. */
static int64_t rescale(int64_t i, int32_t scale)
{
	if (scale >= HIST_SCALE)
		return i >= 0 ? i >> (scale - HIST_SCALE) : -((-i - 1) >> (scale - HIST_SCALE)) - 1;
	return (2 * i + 1) * (INT64_C(1) << (HIST_SCALE - 1 - scale)) - 1;
}

static int check_side(const int64_t *counts, size_t len, int32_t offset, int32_t scale, uint64_t *total, struct err *err)
{
	if (len > HIST_COUNTS_MAX)
		return err_set(err, ERR_REJECT, "histogram of %zu buckets, at most %d are taken", len, HIST_COUNTS_MAX);
	for (size_t i = 0; i < len; i++) {
		int64_t index = rescale((int64_t)offset + (int64_t)i, scale);

		if (counts[i] == 0)
			continue;
		if (counts[i] < 0 || (uint64_t)counts[i] > HIST_TOTAL_MAX - *total)
			return err_set(err, ERR_REJECT, "histogram count %lld is out of range", (long long)counts[i]);
		if (index < HIST_INDEX_MIN || index > HIST_INDEX_MAX)
			return err_set(err, ERR_REJECT, "histogram bucket %lld at scale %d is beyond any number",
				       (long long)offset + (long long)i, scale);
		*total += (uint64_t)counts[i];
	}
	return 0;
}

int hist_check_dense(const struct hist_dense *src, uint64_t *total, struct err *err)
{
	uint64_t sum = src->zero;

	if (src->scale < SCALE_LOWEST || src->scale > SCALE_HIGHEST)
		return err_set(err, ERR_REJECT, "histogram scale %d is not in [%d, %d]", src->scale, SCALE_LOWEST, SCALE_HIGHEST);
	if (src->zero > HIST_TOTAL_MAX)
		return err_set(err, ERR_REJECT, "histogram count %llu is out of range", (unsigned long long)src->zero);
	if (check_side(src->counts, src->counts_len, src->offset, src->scale, &sum, err) < 0 ||
	    check_side(src->neg_counts, src->neg_counts_len, src->neg_offset, src->scale, &sum, err) < 0)
		return -1;
	*total = sum;
	return 0;
}

/* Fills buckets (room for len) from dense counts at any scale: rescale() never falls, so equal indexes are neighbours. */
static void sparse_from(struct hist_side *side, const int64_t *counts, size_t len, int32_t offset, int32_t scale)
{
	for (size_t i = 0; i < len; i++) {
		int32_t index = (int32_t)rescale((int64_t)offset + (int64_t)i, scale);

		if (counts[i] == 0)
			continue;
		if (side->len && side->buckets[side->len - 1].index == index)
			side->buckets[side->len - 1].count += (uint64_t)counts[i];
		else
			side->buckets[side->len++] = (struct hist_bucket){index, (uint64_t)counts[i]};
	}
}

int hist_add_dense(struct hist *dst, const struct hist_dense *src, bool *approximate, struct err *err)
{
	struct hist_bucket on_stack[STACK_BUCKETS]; /* what an agent sends fits here: no allocation a sample */
	struct hist_bucket *buckets = on_stack;
	size_t len = src->counts_len + src->neg_counts_len;
	struct hist add = {.zero = src->zero};
	uint64_t total;
	int rc = -1;

	if (hist_check_dense(src, &total, err) < 0)
		return -1;
	if (total + hist_count(dst) > HIST_TOTAL_MAX)
		return err_set(err, ERR_REJECT, "histogram counts pass 2^62");
	if (len > STACK_BUCKETS) {
		buckets = malloc(len * sizeof(*buckets));
		if (!buckets)
			return err_nomem(err, "a histogram");
	}
	add.pos.buckets = buckets;
	add.neg.buckets = buckets + src->counts_len;
	sparse_from(&add.pos, src->counts, src->counts_len, src->offset, src->scale);
	sparse_from(&add.neg, src->neg_counts, src->neg_counts_len, src->neg_offset, src->scale);
	if (hist_merge(dst, &add) < 0) {
		err_nomem(err, "a histogram");
	} else {
		if (src->scale < HIST_SCALE && total > src->zero)
			*approximate = true;
		rc = 0;
	}
	if (buckets != on_stack)
		free(buckets);
	return rc;
}

static int dense_from(const struct hist_side *side, struct arena *arena, int32_t *offset, const int64_t **counts, size_t *len)
{
	int64_t *dense;

	*offset = 0;
	*counts = NULL;
	*len = 0;
	if (!side->len)
		return 0;
	*offset = side->buckets[0].index;
	*len = (size_t)(side->buckets[side->len - 1].index - *offset) + 1;
	dense = arena_calloc(arena, *len, sizeof(*dense));
	if (!dense)
		return -1;
	for (uint32_t i = 0; i < side->len; i++)
		dense[side->buckets[i].index - *offset] = (int64_t)side->buckets[i].count;
	*counts = dense;
	return 0;
}

int hist_to_dense(const struct hist *h, struct arena *arena, struct hist_dense *out)
{
	struct hist_dense dense = {.scale = HIST_SCALE, .zero = h->zero};

	if (dense_from(&h->pos, arena, &dense.offset, &dense.counts, &dense.counts_len) < 0 ||
	    dense_from(&h->neg, arena, &dense.neg_offset, &dense.neg_counts, &dense.neg_counts_len) < 0)
		return -1;
	*out = dense;
	return 0;
}
