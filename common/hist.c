/* hist.c - see hist.h.
 *
 * Invariants: keys ascend, none stands twice, no count is 0, total is their sum and within HIST_TOTAL_MAX, so that no sum of counts reaches
 * into a key. As keys are the upper bits, buckets are sorted as plain numbers, and adding a count to its bucket is one addition. A change
 * that fails leaves everything as it was: a histogram is never half merged.
 *
 * A merge first takes it that all keys are there already, as they are once a window has seen a few summaries, and adds in place; from the
 * first key that is missing on it counts what is missing, makes room, and merges the rest from the top down. Block sizes are jemalloc's
 * classes (16 apart to 128 bytes, then four a doubling), so that no byte is paid for and not used.
 *
 * A value's bucket must be exact, or two programs that see the same value would disagree: the boundaries inside an octave are
 * compared as 52-bit mantissas, rounded down, and no real boundary but 1 is itself a double, so "above the boundary" and
 * "mantissa greater than the rounded one" are the same. */
#include "common/hist.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	OCTAVE = 1 << HIST_SCALE, SCALE_LOWEST = -10, SCALE_HIGHEST = 20,
	NR_INDEXES = HIST_INDEX_MAX - HIST_INDEX_MIN + 1,
	BLOCK_BYTES_MIN = 48,
	STACK_BUCKETS = 256, /* what an agent sends fits here: no allocation a sample */
};

static_assert((int)NR_INDEXES <= (int)HIST_KEY_ZERO && HIST_COUNT_BITS + 18 == 64, "a key has 18 bits, and either side half of the keys");

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
	free(h->block);
	h->block = NULL;
}

void hist_clear(struct hist *h)
{
	if (h->block)
		h->block->total = h->block->len = 0;
}

bool hist_key_valid(int64_t key)
{
	return (key >= HIST_KEY_NEGATIVE && key < HIST_KEY_NEGATIVE + NR_INDEXES) || key == HIST_KEY_ZERO ||
	       (key >= HIST_KEY_POSITIVE && key < HIST_KEY_POSITIVE + NR_INDEXES);
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

/* The smallest of jemalloc's classes that holds n buckets. */
static size_t block_bytes(size_t n)
{
	size_t bytes = sizeof(struct hist_block) + n * sizeof(uint64_t), apart = 16;

	if (bytes <= BLOCK_BYTES_MIN)
		return BLOCK_BYTES_MIN;
	if (bytes > 128)
		apart = (size_t)1 << (61 - __builtin_clzl(bytes - 1));
	return (bytes + apart - 1) & ~(apart - 1);
}

static int resize(struct hist *h, size_t bytes)
{
	struct hist_block *block = realloc(h->block, bytes);

	if (!block)
		return -1;
	if (!h->block)
		block->total = block->len = 0;
	block->cap = (uint32_t)((bytes - sizeof(*block)) / sizeof(block->buckets[0]));
	h->block = block;
	return 0;
}

int hist_reserve(struct hist *h, size_t n)
{
	size_t bytes = block_bytes(n);

	if (h->block && n <= h->block->cap)
		return 0;
	if (h->block && n < h->block->cap + h->block->cap / 2)
		bytes = block_bytes(h->block->cap + h->block->cap / 2);
	return resize(h, bytes);
}

void hist_trim(struct hist *h)
{
	size_t bytes = block_bytes(hist_len(h));

	if (!hist_len(h))
		hist_fini(h);
	else if (bytes < hist_bytes(h))
		resize(h, bytes);
}

static uint64_t bucket_of(uint64_t key, uint64_t count)
{
	return key << HIST_COUNT_BITS | count;
}

static uint64_t count_of(uint64_t bucket)
{
	return bucket & HIST_TOTAL_MAX;
}

/* What all buckets with a lower key are below, and no other. */
static uint64_t floor_of(uint64_t bucket)
{
	return bucket & ~HIST_TOTAL_MAX;
}

static bool same_key(uint64_t a, uint64_t b)
{
	return (a ^ b) <= HIST_TOTAL_MAX;
}

/* Position of the first bucket whose key is not below key. */
static uint32_t find(const struct hist *h, uint32_t key)
{
	uint64_t least = bucket_of(key, 0);
	uint32_t lo = 0, hi = hist_len(h);

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (h->block->buckets[mid] < least)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static uint32_t key_of_value(double value)
{
	if (value == 0)
		return HIST_KEY_ZERO;
	return value > 0 ? (uint32_t)(HIST_KEY_POSITIVE + hist_index(value) - HIST_INDEX_MIN) :
			   (uint32_t)(HIST_KEY_NEGATIVE + hist_index(-value) - HIST_INDEX_MIN);
}

int hist_add(struct hist *h, double value, uint64_t n)
{
	uint64_t bucket = bucket_of(key_of_value(value), n);
	uint32_t at = find(h, (uint32_t)(bucket >> HIST_COUNT_BITS));

	if (n > HIST_TOTAL_MAX - hist_count(h))
		return 1;
	if (n == 0)
		return 0;
	if (at < hist_len(h) && same_key(h->block->buckets[at], bucket)) {
		h->block->buckets[at] += n;
	} else {
		if (hist_reserve(h, (size_t)hist_len(h) + 1) < 0)
			return -1;
		memmove(&h->block->buckets[at + 1], &h->block->buckets[at], (h->block->len - at) * sizeof(bucket));
		h->block->buckets[at] = bucket;
		h->block->len++;
	}
	h->block->total += n;
	return 0;
}

int hist_append(struct hist *h, int64_t key, uint64_t count)
{
	uint32_t len = hist_len(h);

	if (!hist_key_valid(key) || (len && key <= (int64_t)hist_key(h, len - 1)) || count == 0 || count > HIST_TOTAL_MAX - hist_count(h))
		return 1;
	if (hist_reserve(h, (size_t)len + 1) < 0)
		return -1;
	h->block->buckets[h->block->len++] = bucket_of((uint64_t)key, count);
	h->block->total += count;
	return 0;
}

/* Adds buckets to those with their keys, each count times factor (1, or -1 to take back), as far as the keys are there. How many were, and
 * *at, where dst was left. */
static uint32_t add_present(struct hist_block *dst, const uint64_t *src, uint32_t n, uint64_t factor, uint32_t *at)
{
	uint64_t *buckets = dst->buckets;
	uint32_t len = dst->len, i = 0, j = 0;

	for (; j < n; j++) {
		while (i < len && buckets[i] < floor_of(src[j]))
			i++;
		if (i == len || !same_key(buckets[i], src[j]))
			break;
		buckets[i++] += factor * count_of(src[j]);
	}
	*at = i;
	return j;
}

/* How many keys of src are not among dst's, which start at i. */
static uint32_t nr_missing(const struct hist_block *dst, uint32_t i, const uint64_t *src, uint32_t n)
{
	uint32_t missing = n;

	for (uint32_t j = 0; j < n; j++) {
		while (i < dst->len && dst->buckets[i] < floor_of(src[j]))
			i++;
		missing -= i < dst->len && same_key(dst->buckets[i], src[j]);
	}
	return missing;
}

/* Merges from the top down, in place; dst has room for the missing ones. */
static void merge_down(struct hist_block *dst, const uint64_t *src, uint32_t n, uint32_t missing)
{
	uint64_t *buckets = dst->buckets;
	uint32_t i = dst->len, j = n;

	dst->len += missing;
	for (uint32_t k = dst->len; j > 0; k--) {
		if (i > 0 && same_key(buckets[i - 1], src[j - 1])) {
			buckets[k - 1] = buckets[--i];
			buckets[k - 1] += count_of(src[--j]);
		} else if (i > 0 && buckets[i - 1] > src[j - 1]) {
			buckets[k - 1] = buckets[--i];
		} else {
			buckets[k - 1] = src[--j];
		}
	}
}

/* Adds n buckets, which add up to total. As hist_merge(). */
static int add_buckets(struct hist *dst, const uint64_t *src, uint32_t n, uint64_t total)
{
	uint32_t done = 0, at = 0, missing;

	if (total > HIST_TOTAL_MAX - hist_count(dst))
		return 1;
	if (dst->block)
		done = add_present(dst->block, src, n, 1, &at);
	if (done < n) {
		missing = dst->block ? nr_missing(dst->block, at, src + done, n - done) : n;
		if (hist_reserve(dst, hist_len(dst) + missing) < 0) {
			if (done)
				add_present(dst->block, src, done, UINT64_MAX, &at);
			return -1;
		}
		merge_down(dst->block, src + done, n - done, missing);
	}
	if (n)
		dst->block->total += total;
	return 0;
}

int hist_merge(struct hist *dst, const struct hist *src)
{
	return src->block ? add_buckets(dst, src->block->buckets, src->block->len, src->block->total) : 0;
}

static double bucket_value(int32_t index)
{
	const double b = exp2(1.0 / OCTAVE);

	return hist_lower_bound(index) * (2 * b / (b + 1));
}

/* Of what is counted under the key. */
static double key_value(uint32_t key)
{
	if (key == HIST_KEY_ZERO)
		return 0;
	return key < HIST_KEY_ZERO ? -bucket_value((int32_t)(key - HIST_KEY_NEGATIVE) + HIST_INDEX_MIN) :
				     bucket_value((int32_t)(key - HIST_KEY_POSITIVE) + HIST_INDEX_MIN);
}

/* The key that holds the rank-th smallest value; the histogram is not empty. */
static uint32_t ranked_key(const struct hist *h, double rank)
{
	uint32_t nr_negative = find(h, HIST_KEY_ZERO), len = hist_len(h);
	uint64_t seen = 0;

	for (uint32_t i = 0; i < len; i++) {
		uint32_t at = i < nr_negative ? nr_negative - 1 - i : i; /* the largest magnitude is the smallest value */

		seen += hist_bucket_count(h, at);
		if ((double)seen >= rank)
			return hist_key(h, at);
	}
	return hist_key(h, len == nr_negative ? 0 : len - 1);
}

double hist_quantile(const struct hist *h, double q, double min, double max)
{
	uint64_t count = hist_count(h);
	double rank = ceil(q * (double)count), value;

	if (!count)
		return 0;
	value = key_value(ranked_key(h, rank < 1 ? 1 : rank));
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

/* Adds counts up; false when one is negative or *total would pass what may travel. */
static bool add_up(const int64_t *counts, size_t len, uint64_t *total)
{
	uint64_t sum = *total;

	for (size_t i = 0; i < len; i++) {
		if ((uint64_t)counts[i] > HIST_TRAVEL_TOTAL_MAX - sum)
			return false;
		sum += (uint64_t)counts[i];
	}
	*total = sum;
	return true;
}

static int check_side(const int64_t *counts, size_t len, int32_t offset, int32_t scale, uint64_t *total, struct err *err)
{
	size_t first = 0, last = len;

	if (len > HIST_COUNTS_MAX)
		return err_set(err, ERR_REJECT, "histogram of %zu buckets, at most %d are taken", len, HIST_COUNTS_MAX);
	if (!add_up(counts, len, total))
		return err_set(err, ERR_REJECT, "histogram counts are out of range");
	while (last > 0 && counts[last - 1] == 0)
		last--;
	if (last == 0)
		return 0;
	while (counts[first] == 0)
		first++;
	/* rescale() never falls: what lies between is within as well. */
	if (rescale((int64_t)offset + (int64_t)first, scale) < HIST_INDEX_MIN ||
	    rescale((int64_t)offset + (int64_t)last - 1, scale) > HIST_INDEX_MAX)
		return err_set(err, ERR_REJECT, "histogram buckets %lld to %lld at scale %d are beyond any number",
			       (long long)offset + (long long)first, (long long)offset + (long long)last - 1, scale);
	return 0;
}

int hist_check_dense(const struct hist_dense *src, uint64_t *total, struct err *err)
{
	uint64_t sum = src->zero;

	if (src->scale < SCALE_LOWEST || src->scale > SCALE_HIGHEST)
		return err_set(err, ERR_REJECT, "histogram scale %d is not in [%d, %d]", src->scale, SCALE_LOWEST, SCALE_HIGHEST);
	if (src->zero > HIST_TRAVEL_TOTAL_MAX)
		return err_set(err, ERR_REJECT, "histogram count %llu is out of range", (unsigned long long)src->zero);
	if (check_side(src->counts, src->counts_len, src->offset, src->scale, &sum, err) < 0 ||
	    check_side(src->neg_counts, src->neg_counts_len, src->neg_offset, src->scale, &sum, err) < 0)
		return -1;
	*total = sum;
	return 0;
}

/* Buckets being made from dense counts, in a room for all of them. */
struct packing {
	uint64_t *buckets;
	uint32_t len;
	uint64_t total;
};

/* Counts at scale 5 whose first has this key; the key of a count of 0 may be any, as it is not kept. */
static void pack_same_scale(struct packing *p, int64_t key, const int64_t *counts, size_t len)
{
	uint64_t bucket = (uint64_t)key << HIST_COUNT_BITS, total = 0;
	uint64_t *to = p->buckets + p->len;

	for (size_t i = 0; i < len; i++) {
		*to = bucket | (uint64_t)counts[i];
		to += counts[i] != 0;
		total += (uint64_t)counts[i];
		bucket += UINT64_C(1) << HIST_COUNT_BITS;
	}
	p->len = (uint32_t)(to - p->buckets);
	p->total += total;
}

/* Counts at any scale, keys from base on: rescale() never falls, so equal keys are neighbours. */
static void pack_rescaled(struct packing *p, int64_t base, const int64_t *counts, size_t len, int32_t offset, int32_t scale)
{
	for (size_t i = 0; i < len; i++) {
		uint64_t bucket = (uint64_t)(base + rescale((int64_t)offset + (int64_t)i, scale)) << HIST_COUNT_BITS;

		if (counts[i] == 0)
			continue;
		p->total += (uint64_t)counts[i];
		if (p->len && same_key(p->buckets[p->len - 1], bucket))
			p->buckets[p->len - 1] += (uint64_t)counts[i];
		else
			p->buckets[p->len++] = bucket | (uint64_t)counts[i];
	}
}

static void pack_side(struct packing *p, int64_t base, const int64_t *counts, size_t len, int32_t offset, int32_t scale)
{
	if (scale == HIST_SCALE)
		pack_same_scale(p, base + offset, counts, len);
	else
		pack_rescaled(p, base, counts, len, offset, scale);
}

/* Where the total is more than buckets can hold they are useless, and the total says so. */
static void pack(struct packing *p, const struct hist_dense *src)
{
	pack_side(p, HIST_KEY_NEGATIVE - HIST_INDEX_MIN, src->neg_counts, src->neg_counts_len, src->neg_offset, src->scale);
	if (src->zero) {
		p->buckets[p->len++] = bucket_of(HIST_KEY_ZERO, src->zero);
		p->total += src->zero;
	}
	pack_side(p, HIST_KEY_POSITIVE - HIST_INDEX_MIN, src->counts, src->counts_len, src->offset, src->scale);
}

int hist_add_checked(struct hist *dst, const struct hist_dense *src, bool *approximate)
{
	uint64_t on_stack[STACK_BUCKETS];
	size_t len = src->counts_len + src->neg_counts_len + 1;
	struct packing p = {.buckets = on_stack};
	int rc;

	if (len > STACK_BUCKETS)
		p.buckets = malloc(len * sizeof(*p.buckets));
	if (!p.buckets)
		return -1;
	pack(&p, src);
	rc = add_buckets(dst, p.buckets, p.len, p.total);
	if (rc == 0 && src->scale < HIST_SCALE && p.total > src->zero)
		*approximate = true;
	if (p.buckets != on_stack)
		free(p.buckets);
	return rc;
}

int hist_add_dense(struct hist *dst, const struct hist_dense *src, bool *approximate, struct err *err)
{
	uint64_t total;
	int rc;

	if (hist_check_dense(src, &total, err) < 0)
		return -1;
	rc = hist_add_checked(dst, src, approximate);
	if (rc < 0)
		return err_nomem(err, "a histogram");
	if (rc > 0)
		return err_set(err, ERR_REJECT, "histogram counts pass 2^%d", HIST_COUNT_BITS);
	return 0;
}
