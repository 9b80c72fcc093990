/* buckets.h - a histogram's buckets as signed indexes, for the tests that look at them one by one. */
#ifndef MILLRACE_TESTS_BUCKETS_H
#define MILLRACE_TESTS_BUCKETS_H

#include "common/hist.h"

struct bucket_at {
	int sign; /* of its values */
	int32_t index; /* 0 for zero */
	uint64_t count;
};

/* Bucket i of h, as hist.h describes keys. */
static inline struct bucket_at bucket_at(const struct hist *h, uint32_t i)
{
	int32_t key = (int32_t)hist_key(h, i);
	struct bucket_at b = {.count = hist_bucket_count(h, i)};

	if (key == (1 << 17) - 1)
		return b;
	b.sign = key < 1 << 17 ? -1 : 1;
	b.index = (b.sign > 0 ? key - (1 << 17) : key) - 1075 * 32;
	return b;
}

#endif
