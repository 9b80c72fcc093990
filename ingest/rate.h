/* rate.h - a token bucket: how much a site may still send.
 *
 * Filled at the rate of its limit, up to RATE_BURST_S seconds of it, so that agents that post every half minute are not refused for
 * posting together. What is known beforehand is taken only if it is there; what is known afterwards is charged as debt, and the bucket
 * refuses until it has been paid. Times are real and monotonic. Embedded; zeroed is a full bucket. Not thread-safe. */
#ifndef MILLRACE_INGEST_RATE_H
#define MILLRACE_INGEST_RATE_H

#include <stdbool.h>
#include <stdint.h>

enum { RATE_BURST_S = 10 };

struct rate {
	double used;     /* tokens out of the full bucket; more than it holds: debt */
	int64_t mono_ms; /* when `used` was true */
};

/* Is there a token to be had at this limit (a second; 0 or less: none, always true)? Takes nothing. *wait_ms, on false: how long until
 * there will be one. */
bool rate_ready(struct rate *r, double limit, int64_t mono_ms, int64_t *wait_ms);

/* Takes n tokens, whether they are there or not. */
void rate_charge(struct rate *r, double limit, double n, int64_t mono_ms);

#endif
