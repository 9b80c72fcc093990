/* hist.h - an exponential histogram that merges exactly.
 *
 * OpenTelemetry's base-2 exponential histogram (metrics data model, "ExponentialHistogram") at fixed scale 5: bucket i covers
 * (b^i, b^(i+1)], b = 2^(2^-5), so that a quantile read from it is off by 1.08 % at most. Counts are integers: merging is
 * commutative, associative and exact. Buckets are kept sparse, 8 bytes each in one block: memory follows the number of different
 * values, never their spread. Negative values have buckets of their own by magnitude. Not thread-safe: one owner. */
#ifndef MILLRACE_HIST_H
#define MILLRACE_HIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

enum {
	HIST_SCALE = 5,
	HIST_INDEX_MIN = -1075 * 32, /* below the smallest subnormal's */
	HIST_INDEX_MAX = 1024 * 32 - 1,
	HIST_COUNTS_MAX = 8192, /* longest counts list that is taken from outside */
	HIST_COUNT_BITS = 46,   /* of a bucket, the lower ones; the key is above them */
};

/* Which bucket: of a negative value by its magnitude's index, of zero, of a positive value by its index. */
enum {
	HIST_KEY_NEGATIVE = 0, /* of HIST_INDEX_MIN, the others follow */
	HIST_KEY_ZERO = (1 << 17) - 1,
	HIST_KEY_POSITIVE = 1 << 17, /* of HIST_INDEX_MIN */
	HIST_NR_KEYS = 2 * (HIST_INDEX_MAX - HIST_INDEX_MIN + 1) + 1,
};

/* What one histogram holds at most in total, so that no bucket can overflow: 70 million million values. */
#define HIST_TOTAL_MAX ((UINT64_C(1) << HIST_COUNT_BITS) - 1)

/* What a travelling histogram may add up to: counts travel as signed numbers, and those of a cumulative one are of a whole life. */
#define HIST_TRAVEL_TOTAL_MAX (UINT64_C(1) << 62)

/* Read-only outside hist.c. */
struct hist_block {
	uint64_t total;      /* of all counts, HIST_TOTAL_MAX at most */
	uint32_t len, cap;
	uint64_t buckets[];  /* key << HIST_COUNT_BITS | count; keys ascend, no count is 0 */
};

struct hist {
	struct hist_block *block; /* NULL: none was needed yet */
};

#define HIST_INIT {0}

/* Frees the block; h is as after HIST_INIT. */
void hist_fini(struct hist *h);

/* Empties h but keeps its memory. */
void hist_clear(struct hist *h);

/* Bytes allocated. */
static inline size_t hist_bytes(const struct hist *h)
{
	return h->block ? sizeof(*h->block) + h->block->cap * sizeof(h->block->buckets[0]) : 0;
}

/* Brings the buckets into the cache: they will be added to soon. */
static inline void hist_prefetch(const struct hist *h)
{
	if (!h->block)
		return;
	__builtin_prefetch(h->block, 1);
	__builtin_prefetch((const char *)h->block + 64, 1);
}

/* How many buckets there are. */
static inline uint32_t hist_len(const struct hist *h)
{
	return h->block ? h->block->len : 0;
}

/* Key and count of bucket i, below hist_len(); by ascending keys. */
static inline uint32_t hist_key(const struct hist *h, uint32_t i)
{
	return (uint32_t)(h->block->buckets[i] >> HIST_COUNT_BITS);
}

/* See above. */
static inline uint64_t hist_bucket_count(const struct hist *h, uint32_t i)
{
	return h->block->buckets[i] & HIST_TOTAL_MAX;
}

/* Is there such a bucket at scale 5? */
bool hist_key_valid(int64_t key);

/* Makes room for n buckets in all. -1 when memory is short: h is unchanged. */
int hist_reserve(struct hist *h, size_t n);

/* Gives back what h does not need: hist_bytes() follows from hist_len() alone then. When that fails h is as it was. */
void hist_trim(struct hist *h);

/* Adds a bucket behind those that are there. 1 when key is not valid or not above the last one's, when count is 0 or the total would pass
 * HIST_TOTAL_MAX, -1 when memory is short: h is unchanged then. */
int hist_append(struct hist *h, int64_t key, uint64_t count);

/* Bucket index of a finite value > 0 at scale 5, exact at the boundaries. */
int32_t hist_index(double value);

/* Lower bound of bucket index, b^index (0 or infinity outside a double's range). */
double hist_lower_bound(int32_t index);

/* Counts n values equal to value (finite). 1 when the total would pass HIST_TOTAL_MAX, -1 when memory is short: h is unchanged then. */
int hist_add(struct hist *h, double value, uint64_t n);

/* Adds all of src into dst. 1 when the total would pass HIST_TOTAL_MAX, -1 when memory is short: dst is unchanged then. */
int hist_merge(struct hist *dst, const struct hist *src);

/* The counts of all buckets, added up. */
static inline uint64_t hist_count(const struct hist *h)
{
	return h->block ? h->block->total : 0;
}

/* Quantile q in [0, 1]: the value of the bucket that holds rank ceil(q * count) (at least 1) which is off by the same ratio at both
 * of the bucket's ends, 2bl/(b+1), l the lower one (DDSketch: Masson, Rim, Lee, VLDB 2019), so by (b-1)/(b+1) = 1.08 % at most; clamped to
 * [min, max], which the caller knows exactly. 0 for an empty histogram. */
double hist_quantile(const struct hist *h, double q, double min, double max);

/* The histogram as it travels: dense counts from an offset, at any scale. Arrays are borrowed. */
struct hist_dense {
	int32_t scale;
	uint64_t zero;
	int32_t offset;
	const int64_t *counts;
	size_t counts_len;
	int32_t neg_offset;
	const int64_t *neg_counts;
	size_t neg_counts_len;
};

/* Checks a travelling histogram; on success *total is zero and all counts added up. ERR_REJECT when a count is negative, the total passes
 * HIST_TRAVEL_TOTAL_MAX, a list is longer than HIST_COUNTS_MAX, the scale is outside [-10, 20] or the index of a count that is not 0 outside
 * what a double can reach. */
int hist_check_dense(const struct hist_dense *src, uint64_t *total, struct err *err);

/* Adds what hist_check_dense() has accepted into dst: scale 5 as it is; higher scales downscaled exactly; lower ones go to the geometric
 * midpoint of each bucket, and *approximate becomes true (else it is left alone). 1 when dst's total would pass HIST_TOTAL_MAX, -1 when
 * memory is short: nothing is changed then. */
int hist_add_checked(struct hist *dst, const struct hist_dense *src, bool *approximate);

/* Both in one. ERR_REJECT also when dst's total would pass HIST_TOTAL_MAX, ERR_FATAL when memory is short; dst is unchanged on failure. */
int hist_add_dense(struct hist *dst, const struct hist_dense *src, bool *approximate, struct err *err);

#endif
