/* routing.h - a site's routing history, and what may be added to it or taken back.
 *
 * A payload goes by the route that was in force when it was created, at every attempt. So the history only grows at its end, and what is
 * new takes effect no sooner than all ingest processes have heard of it: at a full minute, DIFF_ROUTE_NOTICE_MS or more after it was
 * written (diff.h has that rule, for apply too, and judges what is made here). A route that is further away than that is
 * announced, and nothing has gone by it: it may be taken back. Pure functions, any thread; errors are ERR_REJECT. */
#ifndef MILLRACE_CTL_ROUTING_H
#define MILLRACE_CTL_ROUTING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/err.h"
#include "common/str.h"
#include "schemas/schemas.h"

/* For so long after a route has ended its cell is to be served: payloads that were created under it come for 48 h, and its
 * processors know retries for 49 h. */
#define ROUTING_AFTERGLOW_MS (INT64_C(49) * 3600 * 1000)

/* What an operator wants. */
struct routing_wish {
	struct str cell; /* p NULL: the one that the site is in */
	int32_t shards;  /* 0: as many as now */
	const char *at;  /* as moment_parse() reads it; NULL: as soon as may be */
};

/* The first time at which a route that is written at now_ms may take effect. */
int64_t routing_earliest(int64_t now_ms);

/* Copies live to out with one route more, as wished, which is the last then; live's strings and the wish's are borrowed, the routes
 * live in arena. 0: it is; 1: the last route is that already, and out is live. ERR_REJECT: too early (names the first time that may be),
 * no full minute, or not behind a route that is announced already. Whether the cell is there, and has as many partitions, is not asked. */
int routing_append(const struct site *live, const struct routing_wish *wish, int64_t now_ms, struct arena *arena, struct site *out,
		   struct err *err);

/* Copies live to out without its last route, which was only announced. 0: it is; 1: none is announced, all are in force. ERR_REJECT:
 * it takes effect too soon to be taken back. */
int routing_take_back(const struct site *live, int64_t now_ms, struct site *out, struct err *err);

#endif
