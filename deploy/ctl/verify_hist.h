/* verify_hist.h - histograms for `verify`, in plain code of its own: it checks what common/hist has counted.
 *
 * OpenTelemetry's base-2 exponential histogram: bucket i of scale s covers (b^i, b^(i+1)], b = 2^(2^-s). Buckets stand in one sorted
 * array, by the values that they hold. A histogram is of scale 5 at most; finer ones lose what is finer when they come in, which is
 * exact. Not thread-safe. */
#ifndef MILLRACE_CTL_VERIFY_HIST_H
#define MILLRACE_CTL_VERIFY_HIST_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "schemas/schemas.h"

enum { VERIFY_SCALE = 5 };

struct verify_bucket {
	int32_t place; /* 0: zeros; of positive values above, of negative ones below it */
	uint64_t count;
};

struct verify_hist {
	int32_t scale; /* VERIFY_SCALE at most */
	struct verify_bucket *buckets; /* by place, none empty; owned */
	size_t len, cap;
};

#define VERIFY_HIST_INIT {.scale = VERIFY_SCALE}

/* Frees the buckets; h is as after VERIFY_HIST_INIT. */
void verify_hist_fini(struct verify_hist *h);

/* The bucket at scale 5 of a finite value > 0. */
int32_t verify_hist_index(double value);

/* Counts one finite value; h is of scale 5. -1 when memory is short. */
int verify_hist_add_value(struct verify_hist *h, double value);

/* What is wrong with a travelling histogram; NULL: nothing, and *total is what its counts add up to. The bounds are those of the schema's
 * readers: scale -10 to 20, 8,192 counts a side, 2^62 in all, no bucket that a double cannot reach. */
const char *verify_hist_fault(const struct histogram *h, uint64_t *total);

/* Fills h, fresh from VERIFY_HIST_INIT, from a travelling one that verify_hist_fault() has nothing against: of its scale, or of 5 where
 * that is finer. -1 when memory is short. */
int verify_hist_read(struct verify_hist *h, const struct histogram *from);

/* Adds all of src to dst, which is of scale 5; a coarser bucket's count goes to the bucket that holds its geometric midpoint.
 * *approximate becomes true then. -1 when memory is short: dst may have a part of it. */
int verify_hist_add(struct verify_hist *dst, const struct verify_hist *src, bool *approximate);

/* Fills out, fresh from VERIFY_HIST_INIT, with what h has more than before, at the coarser scale of the two. 0 when a bucket has less:
 * out is to be freed all the same; 1 when none has; -1 when memory is short. */
int verify_hist_subtract(const struct verify_hist *h, const struct verify_hist *before, struct verify_hist *out);

/* The same buckets with the same counts? */
bool verify_hist_equal(const struct verify_hist *a, const struct verify_hist *b);

#endif
