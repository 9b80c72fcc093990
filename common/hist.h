/* hist.h - an exponential histogram that merges exactly.
 *
 * OpenTelemetry's base-2 exponential histogram (metrics data model, "ExponentialHistogram") at fixed scale 5: bucket i covers
 * (b^i, b^(i+1)], b = 2^(2^-5), so that a quantile read from it is off by 1.08 % at most. Counts are integers: merging is
 * commutative, associative and exact. Buckets are kept sparse, sorted by index: memory follows the number of different
 * values, never their spread. Negative values have buckets of their own by magnitude. Not thread-safe: one owner. */
#ifndef MILLRACE_HIST_H
#define MILLRACE_HIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/err.h"

enum {
	HIST_SCALE = 5,
	HIST_INDEX_MIN = -1075 * 32, /* below the smallest subnormal's */
	HIST_INDEX_MAX = 1024 * 32 - 1,
	HIST_COUNTS_MAX = 8192, /* longest counts list that is taken from outside */
};

/* What adds histograms up keeps their total within this: counts travel as signed numbers. */
#define HIST_TOTAL_MAX (UINT64_C(1) << 62)

struct hist_bucket {
	int32_t index;
	uint64_t count; /* never 0 */
};

/* One side (positive, or negative by magnitude): sorted by index, each index once. */
struct hist_side {
	struct hist_bucket *buckets;
	uint32_t len, cap;
};

struct hist {
	uint64_t zero;
	struct hist_side pos, neg;
};

#define HIST_INIT {0}

/* Frees the buckets; h is as after HIST_INIT. */
void hist_fini(struct hist *h);

/* Bytes allocated for the buckets. */
size_t hist_bytes(const struct hist *h);

/* Brings the buckets into the cache: they will be added to soon. */
static inline void hist_prefetch(const struct hist *h)
{
	__builtin_prefetch(h->pos.buckets, 1);
}

/* Bucket index of a finite value > 0 at scale 5, exact at the boundaries. */
int32_t hist_index(double value);

/* Lower bound of bucket index, b^index (0 or infinity outside a double's range). */
double hist_lower_bound(int32_t index);

/* Counts n values equal to value (finite). -1 when memory is short: h is unchanged. */
int hist_add(struct hist *h, double value, uint64_t n);

/* Adds all of src into dst; the caller minds HIST_TOTAL_MAX. -1 when memory is short: dst is unchanged then. */
int hist_merge(struct hist *dst, const struct hist *src);

/* The counts of all buckets and zero, added up. */
uint64_t hist_count(const struct hist *h);

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

/* Adds a travelling histogram into dst: scale 5 as it is; higher scales (to 20) downscaled exactly; lower scales (from -10) go to
 * the geometric midpoint of each bucket, and *approximate becomes true (else it is left alone). ERR_REJECT and dst unchanged when a
 * count is negative, the total or dst's would pass HIST_TOTAL_MAX, a list is longer than HIST_COUNTS_MAX, the scale is outside [-10, 20] or an index
 * outside what a double can reach; ERR_FATAL when memory is short. */
int hist_add_dense(struct hist *dst, const struct hist_dense *src, bool *approximate, struct err *err);

/* Checks a travelling histogram by the same rules without adding it; on success *total is zero and all counts added up. */
int hist_check_dense(const struct hist_dense *src, uint64_t *total, struct err *err);

/* The dense form of h, its arrays in the arena. -1 when memory is short. No bound on the spread: a histogram of the smallest and the
 * largest double gives 67,000 counts. */
int hist_to_dense(const struct hist *h, struct arena *arena, struct hist_dense *out);

#endif
