/* query_plan.c - see query_plan.h. */
#include "deploy/ctl/query_plan.h"

#include "common/route.h"

/* Was route r in force at any time of [from, to)? Before its first route a site was nowhere. */
static bool is_in_force(const struct site *site, size_t r, int64_t from_ms, int64_t to_ms)
{
	bool is_last = r + 1 == site->routes_len;

	return site->routes[r].effective_from < to_ms && (is_last || site->routes[r + 1].effective_from > from_ms);
}

static bool is_known(const struct query_place *places, size_t nr, struct str cell, int32_t partition)
{
	for (size_t i = 0; i < nr; i++)
		if (places[i].partition == partition && str_eq(places[i].cell, cell))
			return true;
	return false;
}

static int add_route(const struct site *site, const struct route *route, int32_t partitions, struct arena *arena, struct query_place *places, size_t *nr)
{
	int32_t *owned = arena_calloc(arena, (size_t)route->shards, sizeof(*owned));
	size_t nr_owned;

	if (!owned)
		return -1;
	nr_owned = route_site_partitions(site->id, partitions, route->shards, owned);
	for (size_t i = 0; i < nr_owned; i++)
		if (!is_known(places, *nr, route->cell, owned[i]))
			places[(*nr)++] = (struct query_place){route->cell, owned[i]};
	return 0;
}

int query_plan(const struct site *site, int64_t from_ms, int64_t to_ms, query_partitions_fn partitions, void *ctx, struct arena *arena, struct query_place **out,
	       size_t *nr, struct err *err)
{
	size_t room = 0;

	for (size_t r = 0; r < site->routes_len; r++)
		room += site->routes[r].shards > 0 ? (size_t)site->routes[r].shards : 0;
	*nr = 0;
	*out = arena_calloc(arena, room, sizeof(**out));
	for (size_t r = 0; *out && r < site->routes_len; r++) {
		const struct route *route = &site->routes[r];
		int32_t there = partitions(ctx, route->cell);

		if (there < 1 || there > ROUTE_PARTITIONS_MAX || route->shards < 1 || !is_in_force(site, r, from_ms - QUERY_PLAN_AHEAD_MS, to_ms + QUERY_PLAN_BEHIND_MS))
			continue;
		if (add_route(site, route, there, arena, *out, nr) < 0)
			return err_nomem(err, "a site's partitions");
	}
	return *out ? 0 : err_nomem(err, "a site's partitions");
}
