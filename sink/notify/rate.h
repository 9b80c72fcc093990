/* rate.h - a site's notifications an hour: a bucket of tokens each, which fills over an hour.
 *
 * A full bucket is none: only sites that were told of within the last hour are remembered. A clock that goes back gives nothing, and takes nothing.
 * Not thread-safe. */
#ifndef MILLRACE_NOTIFY_RATE_H
#define MILLRACE_NOTIFY_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/control.h"
#include "common/map.h"
#include "common/str.h"

enum { RATE_SITES_MAX = 100000 };

struct rate {
	int64_t cost_ms; /* how long a bucket takes for one token; 0: no limit */
	int64_t full_ms; /* what a full one holds, in the same coin */
	struct map sites; /* owns struct rate_bucket */
	size_t at;        /* where rate_next_limited() goes on */
};

/* per_hour 0: any number; at most 3,600,000. Cannot fail. */
void rate_init(struct rate *r, int64_t per_hour);
void rate_fini(struct rate *r); /* frees the buckets */

/* Forgets all that was taken. */
void rate_reset(struct rate *r);

/* Takes a token: now_ms; else, and then it is counted as a wait, when there may be one. Where there is no memory, or no room, for another site it is not
 * limited. */
int64_t rate_take(struct rate *r, struct str site, int64_t now_ms);

/* A token was taken at at_ms, before we were there. */
void rate_charge(struct rate *r, struct str site, int64_t at_ms, int64_t now_ms);

/* The next site that had to wait since it was told of, once an hour each: true with its id and how often it had to. */
bool rate_next_limited(struct rate *r, int64_t now_ms, char site[CONTROL_SITE_MAX + 1], uint64_t *times);

#endif
