/* dense.h - a histogram as it travels: counts from an offset (push.proto's Histogram). Not thread-safe: the arrays are the struct's. */
#ifndef MILLRACE_AGENT_DENSE_H
#define MILLRACE_AGENT_DENSE_H

#include "common/hist.h"

struct dense {
	int64_t counts[HIST_COUNTS_MAX];
	int64_t neg_counts[HIST_COUNTS_MAX];
};

/* Writes h out; *out borrows d's arrays. At scale 5, but where the values are so far from each other that a list would be longer than
 * HIST_COUNTS_MAX: at the highest scale at which none is. */
void dense_make(struct dense *d, const struct hist *h, struct hist_dense *out);

#endif
