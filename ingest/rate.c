/* rate.c - see rate.h.
 *
 * The bucket is kept as what is missing from it: a limit that an operator changes then takes effect at once, without a bucket that is
 * suddenly too full or was never filled. */
#include "ingest/rate.h"

#include <math.h>

enum { WAIT_MAX_MS = 3600000 };

/* A limit below one token in the burst must still let one through at a time. */
static double bucket_size(double limit)
{
	return fmax(limit * RATE_BURST_S, 1.0);
}

static void refill(struct rate *r, double limit, int64_t mono_ms)
{
	if (mono_ms > r->mono_ms) {
		r->used = fmax(0.0, r->used - limit * (double)(mono_ms - r->mono_ms) / 1000.0);
		r->mono_ms = mono_ms;
	}
}

bool rate_ready(struct rate *r, double limit, int64_t mono_ms, int64_t *wait_ms)
{
	double missing;

	if (limit <= 0)
		return true;
	refill(r, limit, mono_ms);
	missing = r->used + 1.0 - bucket_size(limit);
	if (missing <= 0)
		return true;
	*wait_ms = (int64_t)fmin(ceil(missing / limit * 1000.0), WAIT_MAX_MS);
	return false;
}

void rate_charge(struct rate *r, double limit, double n, int64_t mono_ms)
{
	if (limit <= 0)
		return;
	refill(r, limit, mono_ms);
	r->used += n;
}
