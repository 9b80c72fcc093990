/* window.h - what is known of one series in one minute or hour.
 *
 * Windows merge exactly but for sum, which is a double: count, errors and buckets add, min, max, last by (last_at, value) where known. A
 * window of a distribution has a histogram whose counts add up to count. Plain memory, zeroed is empty: it lives in
 * its pane. Not thread-safe. */
#ifndef MILLRACE_PROCESSOR_WINDOW_H
#define MILLRACE_PROCESSOR_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "common/hist.h"
#include "processor/series_table.h"
#include "schemas/schemas.h"

enum { WINDOW_PANE_MAX = (1 << 28) - 1 };

struct window {
	struct series *series; /* holds a reference */
	uint32_t pane : 28;    /* its pane's number */
	bool has_min : 1, has_max : 1, has_last : 1;
	bool approximate : 1;  /* buckets are estimates, or some did not fit any more */
	uint32_t errors;       /* of count; stops at UINT32_MAX: in an hour, more than a million a second */
	int64_t count;         /* stops at INT64_MAX */
	double sum, min, max, last;
	int64_t last_at_ms; /* of last; where last is unknown, of the latest sample */
	struct hist hist; /* distributions only */
};

/* Counts one value (finite). -1 when memory is short: w is unchanged. */
int window_add_value(struct window *w, int64_t t_ms, double value);

/* Adds what an agent has merged, already checked by intake. -1 when memory is short: w is unchanged. */
int window_add_summary(struct window *w, const struct summary_sample *s);

/* Adds all of src, a window of the same series. -1 when memory is short: dst is unchanged. */
int window_merge(struct window *dst, const struct window *src);

/* A travelling histogram as common/hist takes it; borrows h. */
struct hist_dense window_dense(const struct histogram *h);

#endif
