/* query_plan.h - where a site's aggregates of some time can stand: cells and partitions.
 *
 * A sample goes by the route that was in force when its payload was created, which may be 48 hours after it was measured (an agent's spool), or 10 minutes before (a clock that
 * is ahead). So the routes of that longer time count, and of each of their cells the partitions that the site owned by it. Pure. */
#ifndef MILLRACE_CTL_QUERY_PLAN_H
#define MILLRACE_CTL_QUERY_PLAN_H

#include "common/arena.h"
#include "common/clock.h"
#include "common/err.h"
#include "schemas/schemas.h"

/* By which a sample's time may be away from its payload's. */
#define QUERY_PLAN_AHEAD_MS (10 * CLOCK_MINUTE_MS)
#define QUERY_PLAN_BEHIND_MS (48 * CLOCK_HOUR_MS)

/* When a window's last fragment can have been written, after its end: by a payload as late as that, in a processor as far behind as the samples are kept (72 h), which holds it
 * for half an hour. */
#define QUERY_PLAN_WRITTEN_MS (QUERY_PLAN_BEHIND_MS + 73 * CLOCK_HOUR_MS)

struct query_place {
	struct str cell; /* borrowed from the site */
	int32_t partition;
};

/* How many partitions a cell has; 0: there is no such cell. */
typedef int32_t (*query_partitions_fn)(void *ctx, struct str cell);

/* The places of windows in [from_ms, to_ms), none twice, in *out, which lives in arena: by the order of the routes. -1 when memory is short. */
int query_plan(const struct site *site, int64_t from_ms, int64_t to_ms, query_partitions_fn partitions, void *ctx, struct arena *arena, struct query_place **out,
	       size_t *nr, struct err *err);

#endif
