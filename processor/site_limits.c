/* site_limits.c - see site_limits.h.
 *
 * Shares are by the last route to this cell: a site that is about to have more shards has more room in all before it has less in each. */
#include "processor/site_limits.h"

#include <stdlib.h>

#include "schemas/schemas.h"

struct site_limit {
	int32_t series_cap, shards;
};

void site_limits_fini(struct site_limits *l)
{
	const struct map_slot *slot;
	size_t at = 0;

	while ((slot = map_next(&l->by_site, &at)) != NULL)
		free(slot->value);
	map_fini(&l->by_site);
	arena_fini(&l->scratch);
}

/* Partitions of this cell that the site has; 0: none. */
static int32_t shards_of(const struct site *site, struct str cell)
{
	for (size_t i = site->routes_len; i > 0; i--)
		if (str_eq(site->routes[i - 1].cell, cell))
			return site->routes[i - 1].shards;
	return 0;
}

static int put(struct site_limits *l, const uint8_t key[MAP_KEY_BYTES], struct site_limit limit, struct err *err)
{
	struct site_limit *known = map_get(&l->by_site, key);

	if (!known) {
		known = malloc(sizeof(*known));
		if (!known || map_put(&l->by_site, key, known) < 0) {
			free(known);
			return err_nomem(err, "a site's limit");
		}
	}
	*known = limit;
	return 0;
}

int site_limits_take(void *ctx, const struct table_row *row, struct err *err)
{
	struct site_limits *l = ctx;
	struct site site = {0};
	struct site_limit limit = {0};
	uint8_t key[MAP_KEY_BYTES];

	arena_clear(&l->scratch);
	if (row->value.p) {
		if (site_decode(row->value, &l->scratch, &site, err) < 0)
			return -1;
		limit = (struct site_limit){site.series_cap, shards_of(&site, str_from(l->cell))};
	}
	map_key_of(row->key, key);
	if (limit.series_cap > 0 && limit.shards > 0)
		return put(l, key, limit, err);
	free(map_remove(&l->by_site, key));
	return 0;
}

int64_t site_limits_get(const struct site_limits *l, struct str site)
{
	const struct site_limit *limit;
	uint8_t key[MAP_KEY_BYTES];

	if (!l || !l->by_site.len)
		return 0;
	map_key_of(site, key);
	limit = map_get(&l->by_site, key);
	return limit ? ((int64_t)limit->series_cap + limit->shards - 1) / limit->shards : 0;
}
