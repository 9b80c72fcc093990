/* otlp_buckets.h - OTLP's histograms, explicit and exponential, as histograms of ours that travel (common/hist.h).
 *
 * Explicit buckets tell where values lie between bounds, and no more: each one's values go to one place in it, its geometric midpoint, and the
 * result is approximate. Which buckets these become depends on nothing but the bounds: a cumulative series must not see values move
 * from one bucket to another, or they would be taken for new ones. */
#ifndef MILLRACE_INGEST_OTLP_BUCKETS_H
#define MILLRACE_INGEST_OTLP_BUCKETS_H

#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "ingest/payload.h"

enum { OTLP_SPAN_MAX = 160 }; /* buckets that explicit ones become, on either side of zero; further apart, they become coarser ones */

/* 64-bit words as they stand in a body: bounds (doubles) or counts; in an arena. */
struct otlp_words {
	uint64_t *p;
	size_t len, cap;
};

/* Counts of buckets in a row; in an arena. */
struct otlp_counts {
	int64_t *p;
	size_t len, cap;
};

/* What the buckets between some bounds become; zeroed, it is of no bounds. Lives as long as the arena. */
struct otlp_layout {
	struct otlp_words bounds; /* a copy */
	size_t cap;               /* of the following; there is one bucket more than bounds */
	double *value;            /* where the bucket's values go */
	int32_t *index;           /* of the magnitude's bucket, at .. */
	int32_t scale;
};

/* Adds n words that stand at bytes, in little-endian; a list is cut one behind HIST_COUNTS_MAX. -1 when memory is short. */
int otlp_words_add(struct otlp_words *w, struct arena *arena, const uint8_t *bytes, size_t n);

/* Makes room for n more counts, within the same bound. -1 when memory is short. */
int otlp_counts_reserve(struct otlp_counts *c, struct arena *arena, size_t n);

/* Makes h of an explicit histogram; h is invalid (without a scale) when bounds do not rise, or are not finite, or buckets is not one more. layout: kept from
 * histogram to histogram, as most have the same bounds. *sum: what the values add up to, about. -1 when memory is short. */
int otlp_buckets_explicit(struct otlp_layout *layout, struct arena *arena, const struct otlp_words *bounds, const struct otlp_words *buckets,
			  struct payload_histogram *h, double *sum);

/* Scales that are finer than ours come to ours, exactly; h's counts are changed in place. */
void otlp_buckets_downscale(struct payload_histogram *h);

/* What the values of an exponential histogram add up to, about. */
double otlp_buckets_sum(const struct payload_histogram *h);

#endif
