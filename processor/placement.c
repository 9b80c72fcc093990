/* placement.c - see placement.h.
 *
 * Invariants:
 *  I1  A site's routes are sorted by time, and the first counts from the beginning, as ingest has it (ingest/sites.c): a payload is older than its site's first
 *      route only when clocks differ.
 *  I2  A route's partitions are a pure function of (site, shards, the cell's partitions). The list is made when it is first asked for, and again
 *      when the cell's number is another.
 *  I3  A row that is malformed leaves what was known in force, here as in ingest: both must go by the same routes.
 *
 * Which other cell or partition a series goes to does not matter here: a place is "me" or not. */
#include "processor/placement.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/control.h"
#include "common/route.h"
#include "common/trigger.h"
#include "schemas/schemas.h"

enum { ROW_LIMIT_BYTES = 8 << 20, NAME_MAX_BYTES = 255 };

struct place_route {
	int64_t from_ms;
	bool here;          /* to this cell */
	int32_t shards;
	int32_t made_for;   /* the cell's partitions when the list was made; 0: it was not (I2) */
	int32_t *partitions; /* owned */
	size_t nr_partitions;
};

struct site_place {
	char id[CONTROL_SITE_MAX + 1];
	char name[NAME_MAX_BYTES + 1]; /* "": not known */
	bool disabled, home;
	struct place_route *routes; /* owned (I1) */
	size_t nr_routes;           /* 0: none, or deleted */
};

static void drop_routes(struct site_place *s)
{
	for (size_t i = 0; i < s->nr_routes; i++)
		free(s->routes[i].partitions);
	free(s->routes);
	s->routes = NULL;
	s->nr_routes = 0;
}

void placements_fini(struct placements *p)
{
	const struct map_slot *slot;
	size_t at = 0;

	while ((slot = map_next(&p->by_site, &at)) != NULL) {
		drop_routes(slot->value);
		free(slot->value);
	}
	map_fini(&p->by_site);
	arena_fini(&p->scratch);
}

struct site_place *placements_get(struct placements *p, struct str site)
{
	uint8_t key[MAP_KEY_BYTES];
	struct site_place *s;

	map_key_of(site, key);
	s = map_get(&p->by_site, key);
	if (s || site.len > CONTROL_SITE_MAX)
		return s;
	s = calloc(1, sizeof(*s));
	if (!s || map_put(&p->by_site, key, s) < 0) {
		free(s);
		return NULL;
	}
	memcpy(s->id, site.p, site.len);
	return s;
}

/* What ingest holds a row to as well (I3). */
static int check_site(const struct site *site, struct str key, struct err *err)
{
	if (!str_eq(key, site->id) || !trigger_id_valid(site->id))
		return err_set(err, ERR_REJECT, "site: id and key differ or are malformed");
	if (site->routes_len == 0)
		return err_set(err, ERR_REJECT, "site " STR_FMT ": it has no route", STR_ARG(site->id));
	for (size_t i = 0; i < site->routes_len; i++)
		if (site->routes[i].shards < 1 || site->routes[i].shards > ROUTE_PARTITIONS_MAX)
			return err_set(err, ERR_REJECT, "site " STR_FMT ": route %zu has %d shards", STR_ARG(site->id), i, (int)site->routes[i].shards);
	return 0;
}

static int by_time(const void *a, const void *b)
{
	int64_t x = ((const struct place_route *)a)->from_ms, y = ((const struct place_route *)b)->from_ms;

	return (x > y) - (x < y);
}

static int put_site(struct placements *p, const struct site *site, struct err *err)
{
	struct site_place *s = placements_get(p, site->id);
	struct place_route *routes = calloc(site->routes_len, sizeof(*routes));
	struct str name = str_cut_utf8(site->name, NAME_MAX_BYTES);
	bool home;

	if (!s || !routes) {
		free(routes);
		return err_nomem(err, "a site's routes");
	}
	drop_routes(s);
	home = s->home;
	for (size_t i = 0; i < site->routes_len; i++) {
		const struct route *r = &site->routes[i];

		routes[i] = (struct place_route){.from_ms = r->effective_from, .here = str_eq(r->cell, str_from(p->cell)), .shards = r->shards};
		s->home |= routes[i].here;
	}
	qsort(routes, site->routes_len, sizeof(*routes), by_time);
	s->routes = routes;
	s->nr_routes = site->routes_len;
	s->disabled = site->disabled;
	memcpy(s->name, name.p, name.len);
	s->name[name.len] = '\0';
	p->homes += s->home != home;
	p->version++;
	return 0;
}

int placements_take(void *ctx, const struct table_row *row, struct err *err)
{
	struct placements *p = ctx;
	struct site site = {0};
	uint8_t key[MAP_KEY_BYTES];
	struct site_place *s;

	if (!row->value.p) {
		map_key_of(row->key, key);
		s = map_get(&p->by_site, key);
		if (s) {
			drop_routes(s);
			p->version++;
		}
		return 0;
	}
	p->scratch.limit_bytes = ROW_LIMIT_BYTES;
	arena_clear(&p->scratch);
	if (site_decode(row->value, &p->scratch, &site, err) < 0 || check_site(&site, row->key, err) < 0)
		return -1;
	return put_site(p, &site, err);
}

struct str site_place_name(const struct site_place *s)
{
	return str_from(s->name[0] ? s->name : s->id);
}

bool site_place_is_home(const struct site_place *s)
{
	return s->home;
}

/* The route that is in force just before t_ms (I1). */
static size_t route_before(const struct site_place *s, int64_t t_ms)
{
	size_t i = s->nr_routes - 1;

	while (i > 0 && s->routes[i].from_ms >= t_ms)
		i--;
	return i;
}

/* A change in the minute before t_ms makes that minute nobody's, and t_ms the first that is elsewhere. */
bool site_place_moves(const struct site_place *s, int64_t t_ms)
{
	size_t i;

	if (s->disabled || !s->nr_routes)
		return true;
	i = route_before(s, t_ms - CLOCK_MINUTE_MS);
	return i + 1 < s->nr_routes || !s->routes[i].here;
}

/* Makes the list of a route's partitions (I2). */
static int list_partitions(struct place_route *r, struct str site, int32_t partitions)
{
	int32_t *list;

	if (r->made_for == partitions)
		return 0;
	list = malloc((size_t)r->shards * sizeof(*list));
	if (!list)
		return -1;
	free(r->partitions);
	r->partitions = list;
	r->nr_partitions = route_site_partitions(site, partitions, r->shards, list);
	r->made_for = partitions;
	return 0;
}

/* Is this the partition that a route to this cell leads to? -1: nobody can tell. */
static int leads_to(struct place_route *r, const struct placements *p, const struct site_place *s, const uint8_t fingerprint[SERIES_FINGERPRINT_BYTES],
		    int32_t partition)
{
	if (!r->here)
		return 0;
	if (p->partitions < 1 || p->partitions > ROUTE_PARTITIONS_MAX || list_partitions(r, str_from(s->id), p->partitions) < 0)
		return -1;
	return r->partitions[route_series_index(fingerprint, r->nr_partitions)] == partition;
}

/* By all routes that may have brought a part of the minute: the one before it, and those that begin in it or in the next. */
enum place site_place_judge(const struct placements *p, const struct site_place *s, const uint8_t fingerprint[SERIES_FINGERPRINT_BYTES],
			    int32_t partition, int64_t minute_ms)
{
	bool here = false, away = false;
	size_t i;

	if (s->disabled || !s->nr_routes)
		return PLACE_ELSEWHERE;
	i = route_before(s, minute_ms);
	do {
		int me = leads_to(&s->routes[i++], p, s, fingerprint, partition);

		if (me < 0)
			return PLACE_UNKNOWN;
		here |= me == 1;
		away |= me == 0;
	} while (i < s->nr_routes && s->routes[i].from_ms < minute_ms + 2 * CLOCK_MINUTE_MS);
	if (here && away)
		return PLACE_UNKNOWN;
	return here ? PLACE_HERE : PLACE_ELSEWHERE;
}
