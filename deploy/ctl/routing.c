/* routing.c - see routing.h.
 *
 * Routes are never pruned. One that ended long ago still decides for senders whose clock is wrong by days: created_at is the
 * sender's, and judged by the sender's clock; a retry of theirs would take another way than its first attempt. A history may have 256 routes
 * (check.h). */
#include "deploy/ctl/routing.h"

#include <string.h>

#include "common/clock.h"
#include "deploy/ctl/check.h"
#include "deploy/ctl/diff.h"
#include "deploy/ctl/moment.h"

int64_t routing_earliest(int64_t now_ms)
{
	return moment_full_minute(now_ms + DIFF_ROUTE_NOTICE_MS);
}

static const struct route *last_of(const struct site *site)
{
	return &site->routes[site->routes_len - 1];
}

/* May a route that is written at now_ms take effect at at_ms? */
static int check_at(const char *text, int64_t at_ms, int64_t now_ms, struct err *err)
{
	int64_t earliest_ms = routing_earliest(now_ms);
	char earliest[CLOCK_ISO_SIZE];

	if (at_ms < earliest_ms)
		return err_set(err, ERR_REJECT, "--at %s is too early: a route takes effect 15 minutes after it was written or later, the first "
			       "time that may be is %s", text, clock_iso(earliest_ms, earliest, sizeof(earliest)));
	if (at_ms % CLOCK_MINUTE_MS)
		return err_set(err, ERR_REJECT, "--at %s is no full minute: a window must not be split between two places", text);
	return 0;
}

/* A route is announced for later than, or just when, the new one would take effect: the history would be another than was told. */
static int refuse_order(const struct site *live, struct err *err)
{
	const struct route *last = last_of(live);
	char from[CLOCK_ISO_SIZE];

	return err_set(err, ERR_REJECT, "site " STR_FMT ": cell " STR_FMT ", %d shards is announced from %s on: give a later --at, or take "
		       "it back first (millrace-ctl site stay " STR_FMT ")", STR_ARG(live->id), STR_ARG(last->cell), (int)last->shards,
		       clock_iso(last->effective_from, from, sizeof(from)), STR_ARG(live->id));
}

/* The judges of apply have the last word. */
static int judge(const struct site *live, const struct site *changed, int64_t now_ms, struct err *err)
{
	return check_site(changed, err) < 0 ? -1 : diff_check_routes(live, changed, now_ms, err);
}

int routing_append(const struct site *live, const struct routing_wish *wish, int64_t now_ms, struct arena *arena, struct site *out,
		   struct err *err)
{
	const struct route *last = last_of(live);
	struct route wanted = {.cell = wish->cell.p ? wish->cell : last->cell, .shards = wish->shards ? wish->shards : last->shards};
	struct route *routes;

	wanted.effective_from = routing_earliest(now_ms);
	if (wish->at && moment_parse(wish->at, now_ms, &wanted.effective_from, err) < 0)
		return err_wrap(err, "--at");
	*out = *live;
	if (str_eq(last->cell, wanted.cell) && last->shards == wanted.shards &&
	    (!wish->at || wanted.effective_from >= last->effective_from))
		return 1;
	if (wish->at && check_at(wish->at, wanted.effective_from, now_ms, err) < 0)
		return -1;
	if (wanted.effective_from <= last->effective_from)
		return refuse_order(live, err);
	routes = arena_calloc(arena, live->routes_len + 1, sizeof(*routes));
	if (!routes)
		return err_nomem(err, "a routing history");
	memcpy(routes, live->routes, live->routes_len * sizeof(*routes));
	routes[live->routes_len] = wanted;
	out->routes = routes;
	out->routes_len = live->routes_len + 1;
	return judge(live, out, now_ms, err);
}

int routing_take_back(const struct site *live, int64_t now_ms, struct site *out, struct err *err)
{
	const struct route *last = last_of(live);
	char from[CLOCK_ISO_SIZE];

	*out = *live;
	if (live->routes_len == 1 || last->effective_from <= now_ms)
		return 1;
	out->routes_len--;
	if (last->effective_from >= now_ms + DIFF_ROUTE_NOTICE_MS)
		return judge(live, out, now_ms, err);
	return err_set(err, ERR_REJECT, "site " STR_FMT ": cell " STR_FMT ", %d shards takes effect at %s, within 15 minutes: too late to take it "
		       "back; shards and move lead on from there", STR_ARG(live->id), STR_ARG(last->cell), (int)last->shards,
		       clock_iso(last->effective_from, from, sizeof(from)));
}
