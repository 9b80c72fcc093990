/* sites.c - see sites.h.
 *
 * Invariants:
 *  I1  Every entry of `keys` points into a tenant that `tenants` holds and that is not disabled: a tenant takes its keys out
 *      before it goes.
 *  I2  A key belongs to the tenant that claimed it last: when a key moves between sites, the row of the one that gains it may come before
 *      that of the one that loses it, and a good key must not be refused in between or after. millrace-ctl keeps keys unique.
 *  I3  A route's partitions are a pure function of (site, shards, the cell's partitions); the cached list is made again
 *      when the cell's number differs from the one it was made for.
 *  I4  A tenant's address is its identity: a new row changes what it says, not where it stands, so that what it has used up is kept
 *      and who holds it need not ask again. One whose row is gone is freed when nobody holds it any more.
 *
 * How many keys a site may have is millrace-ctl's to judge (two, for rotation). A row with more is taken as it is: to leave some
 * of them out, or the whole row, would answer 401 to agents whose key an operator believes to be good. */
#include "ingest/sites.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "common/kafka.h"
#include "common/map.h"
#include "common/route.h"
#include "schemas/schemas.h"

enum { CELL_NAME_MAX = 32, SITE_ID_MAX = 64, ROW_LIMIT_BYTES = 8 << 20 };

struct cell_entry {
	int64_t epoch;
	int32_t partitions;
	char topic[KAFKA_TOPIC_SIZE], events_topic[KAFKA_TOPIC_SIZE]; /* of samples; of events */
};

struct tenant_key {
	uint8_t sha256[SITES_SHA256_BYTES];
	struct tenant *owner;
};

struct tenant_route {
	int64_t effective_from_ms;
	char cell[CELL_NAME_MAX + 1];
	int32_t shards;
	int32_t *partitions; /* owned; NULL until first needed (I3) */
	size_t partitions_len;
	int32_t made_for; /* the cell's partitions then */
};

/* What a site's row says. */
struct tenant_row {
	bool disabled;
	struct tenant_limits limits;
	struct tenant_route *routes; /* oldest first, at least one */
	size_t routes_len;
	struct tenant_key *keys;
	size_t keys_len;
};

struct tenant {
	char id[SITE_ID_MAX + 1];
	struct tenant_row row;
	struct tenant_use use;
	size_t holders; /* the table itself is one */
};

struct sites {
	struct map cells;   /* by map_key_of(name); owns struct cell_entry */
	unsigned cells_version;
	struct map tenants; /* by map_key_of(id); owns struct tenant */
	struct map keys;    /* by the first 16 bytes of a key's hash; borrows struct tenant_key (I1) */
	struct arena scratch;
};

static void row_fini(struct tenant_row *row)
{
	for (size_t i = 0; i < row->routes_len; i++)
		free(row->routes[i].partitions);
	free(row->routes);
	free(row->keys);
	*row = (struct tenant_row){0};
}

void sites_hold(struct tenant *t)
{
	t->holders++;
}

/* Its keys are out of the table by then (I1). */
void sites_release(struct tenant *t)
{
	if (!t || --t->holders > 0)
		return;
	row_fini(&t->row);
	free(t);
}

struct sites *sites_new(void)
{
	struct sites *s = calloc(1, sizeof(*s));

	if (s)
		s->scratch.limit_bytes = ROW_LIMIT_BYTES;
	return s;
}

void sites_free(struct sites *s)
{
	const struct map_slot *slot;
	size_t at = 0;

	if (!s)
		return;
	while ((slot = map_next(&s->cells, &at)) != NULL)
		free(slot->value);
	at = 0;
	while ((slot = map_next(&s->tenants, &at)) != NULL)
		sites_release(slot->value);
	map_fini(&s->cells);
	map_fini(&s->tenants);
	map_fini(&s->keys);
	arena_fini(&s->scratch);
	free(s);
}

unsigned sites_cells_version(const struct sites *s)
{
	return s->cells_version;
}

void sites_topics(const struct sites *s, struct buf *out)
{
	const struct map_slot *slot;
	size_t at = 0;

	while ((slot = map_next(&s->cells, &at)) != NULL) {
		const struct cell_entry *cell = slot->value;

		if (!cell->epoch)
			continue;
		buf_add(out, cell->topic, strlen(cell->topic) + 1);
		buf_add(out, cell->events_topic, strlen(cell->events_topic) + 1);
	}
}

size_t sites_count(const struct sites *s)
{
	return s->tenants.len;
}

/* Is s made of [a-z0-9-], 1 to max bytes? */
static bool is_label(struct str s, size_t max)
{
	for (size_t i = 0; i < s.len; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-", s.p[i]) || s.p[i] == '\0')
			return false;
	return s.len >= 1 && s.len <= max;
}

/* An entry that is there is changed in place: nothing points to it between two rows. */
static int put_cell(struct sites *s, const uint8_t key[MAP_KEY_BYTES], const struct cell *cell, struct err *err)
{
	struct cell_entry *entry = map_get(&s->cells, key);
	char name[CELL_NAME_MAX + 1];

	if (!entry) {
		entry = calloc(1, sizeof(*entry));
		if (!entry || map_put(&s->cells, key, entry) < 0) {
			free(entry);
			return err_nomem(err, "a cell");
		}
	}
	snprintf(name, sizeof(name), STR_FMT, STR_ARG(cell->name));
	s->cells_version++;
	entry->epoch = cell->epoch;
	entry->partitions = cell->partitions;
	kafka_cell_topic(entry->topic, name, "samples");
	kafka_cell_topic(entry->events_topic, name, "events");
	return 0;
}

int sites_read_cell(const struct table_row *row, struct arena *scratch, struct cell *out, struct err *err)
{
	if (cell_decode(row->value, scratch, out, err) < 0)
		return -1;
	if (!str_eq(row->key, out->name) || !is_label(out->name, CELL_NAME_MAX))
		return err_set(err, ERR_REJECT, "cell: name and key differ or are malformed");
	if (out->partitions < 1 || out->partitions > ROUTE_PARTITIONS_MAX)
		return err_set(err, ERR_REJECT, "cell " STR_FMT ": partitions %d is outside [1, %d]", STR_ARG(out->name),
			       (int)out->partitions, ROUTE_PARTITIONS_MAX);
	return 0;
}

int sites_take_cell(void *ctx, const struct table_row *row, struct err *err)
{
	struct sites *s = ctx;
	uint8_t key[MAP_KEY_BYTES];
	struct cell cell = {0};
	int rc;

	map_key_of(row->key, key);
	if (!row->value.p) {
		free(map_remove(&s->cells, key));
		return 0;
	}
	rc = sites_read_cell(row, &s->scratch, &cell, err);
	if (rc == 0)
		rc = put_cell(s, key, &cell, err);
	arena_clear(&s->scratch);
	return rc;
}

/* What later code takes for granted. A row that fails here leaves the one before in force: a typo must not cut a site off. */
static int check_site(const struct site *site, struct str key, struct err *err)
{
	if (!str_eq(key, site->id) || !is_label(site->id, SITE_ID_MAX))
		return err_set(err, ERR_REJECT, "site: id and key differ or are malformed");
	if (site->routes_len == 0)
		return err_set(err, ERR_REJECT, "site " STR_FMT ": it has no route", STR_ARG(site->id));
	for (size_t i = 0; i < site->routes_len; i++)
		if (!is_label(site->routes[i].cell, CELL_NAME_MAX) || site->routes[i].shards < 1 ||
		    site->routes[i].shards > ROUTE_PARTITIONS_MAX)
			return err_set(err, ERR_REJECT, "site " STR_FMT ": route %zu has a malformed cell or shards",
				       STR_ARG(site->id), i);
	return 0;
}

static int by_effective_from(const void *a, const void *b)
{
	int64_t x = ((const struct tenant_route *)a)->effective_from_ms, y = ((const struct tenant_route *)b)->effective_from_ms;

	return (x > y) - (x < y);
}

/* A site's row, copied, as rows are borrowed. owner: whose keys these are. -1 when memory is short. */
static int row_init(struct tenant_row *row, struct tenant *owner, const struct site *site)
{
	*row = (struct tenant_row){.disabled = site->disabled, .limits = {site->payloads_per_s, site->samples_per_s}};
	row->routes = calloc(site->routes_len, sizeof(*row->routes));
	row->keys = calloc(site->keys_len + 1, sizeof(*row->keys)); /* never 0 bytes: NULL means no memory */
	if (!row->routes || !row->keys) {
		row_fini(row);
		return -1;
	}
	row->routes_len = site->routes_len;
	for (size_t i = 0; i < site->routes_len; i++) {
		row->routes[i].effective_from_ms = site->routes[i].effective_from;
		row->routes[i].shards = site->routes[i].shards;
		snprintf(row->routes[i].cell, sizeof(row->routes[i].cell), STR_FMT, STR_ARG(site->routes[i].cell));
	}
	qsort(row->routes, row->routes_len, sizeof(*row->routes), by_effective_from);
	row->keys_len = site->keys_len;
	for (size_t i = 0; i < site->keys_len; i++) {
		memcpy(row->keys[i].sha256, site->keys[i].sha256, SITES_SHA256_BYTES);
		row->keys[i].owner = owner;
	}
	return 0;
}

/* Takes a tenant's keys out of the table (I1). */
static void drop_keys(struct sites *s, const struct tenant_row *row)
{
	for (size_t i = 0; i < row->keys_len; i++)
		if (map_get(&s->keys, row->keys[i].sha256) == &row->keys[i])
			map_remove(&s->keys, row->keys[i].sha256);
}

/* Puts a tenant's keys in force (I2); room was made for them. */
static int claim_keys(struct sites *s, struct tenant_row *row, struct err *err)
{
	for (size_t i = 0; i < row->keys_len && !row->disabled; i++)
		if (map_put(&s->keys, row->keys[i].sha256, &row->keys[i]) < 0)
			return err_nomem(err, "a key");
	return 0;
}

/* The tenant of a site, made when it is new; NULL when memory is short. */
static struct tenant *need_tenant(struct sites *s, const uint8_t key[MAP_KEY_BYTES], struct str id)
{
	struct tenant *t = map_get(&s->tenants, key);

	if (t)
		return t;
	t = calloc(1, sizeof(*t));
	if (!t || map_put(&s->tenants, key, t) < 0) {
		free(t);
		return NULL;
	}
	t->holders = 1;
	snprintf(t->id, sizeof(t->id), STR_FMT, STR_ARG(id));
	return t;
}

static int put_site(struct sites *s, const uint8_t key[MAP_KEY_BYTES], const struct site *site, struct err *err)
{
	struct tenant *t = need_tenant(s, key, site->id);
	struct tenant_row row;

	if (!t || map_reserve(&s->keys, s->keys.len + site->keys_len) < 0 || row_init(&row, t, site) < 0)
		return err_nomem(err, "a site");
	drop_keys(s, &t->row); /* before the new ones are claimed, as they are mostly the same */
	row_fini(&t->row);
	t->row = row;
	return claim_keys(s, &t->row, err);
}

static void drop_tenant(struct sites *s, struct tenant *t)
{
	if (!t)
		return;
	drop_keys(s, &t->row);
	sites_release(t);
}

struct str sites_id(const struct tenant *t)
{
	return str_from(t->id);
}

struct tenant_limits sites_limits(const struct tenant *t)
{
	return t->row.limits;
}

struct tenant_use *sites_use(struct tenant *t)
{
	return &t->use;
}

int sites_read_site(const struct table_row *row, struct arena *scratch, struct site *out, struct err *err)
{
	return site_decode(row->value, scratch, out, err) < 0 ? -1 : check_site(out, row->key, err);
}

int sites_take_site(void *ctx, const struct table_row *row, struct err *err)
{
	struct sites *s = ctx;
	uint8_t key[MAP_KEY_BYTES];
	struct site site = {0};
	int rc;

	map_key_of(row->key, key);
	if (!row->value.p) {
		drop_tenant(s, map_remove(&s->tenants, key));
		return 0;
	}
	rc = sites_read_site(row, &s->scratch, &site, err);
	if (rc == 0)
		rc = put_site(s, key, &site, err);
	arena_clear(&s->scratch);
	return rc;
}

void sites_hash_key(struct str key, uint8_t sha256[SITES_SHA256_BYTES])
{
	SHA256((const unsigned char *)key.p, key.len, sha256);
}

/* The table's probe compares half of the hash, and leaks by its time no more than which half hashes exist; the whole is compared
 * in constant time. */
struct tenant *sites_find(const struct sites *s, const uint8_t sha256[SITES_SHA256_BYTES])
{
	const struct tenant_key *key = map_get(&s->keys, sha256);

	if (!key || CRYPTO_memcmp(key->sha256, sha256, SITES_SHA256_BYTES) != 0)
		return NULL;
	return key->owner;
}

/* Makes the list of a route's partitions unless it is there (I3). -1 when memory is short. */
static int make_partitions(const struct tenant *t, struct tenant_route *r, int32_t partitions)
{
	int32_t *list;

	if (r->partitions && r->made_for == partitions)
		return 0;
	list = calloc((size_t)r->shards, sizeof(*list));
	if (!list)
		return -1;
	free(r->partitions);
	r->partitions = list;
	r->partitions_len = route_site_partitions(str_from(t->id), partitions, r->shards, list);
	r->made_for = partitions;
	return 0;
}

/* The latest route that was in force at at_ms, or the earliest. A held tenant whose row never came has none. */
static struct tenant_route *route_at(const struct tenant *t, int64_t at_ms)
{
	struct tenant_route *r = t->row.routes;

	for (size_t i = 1; i < t->row.routes_len && t->row.routes[i].effective_from_ms <= at_ms; i++)
		r = &t->row.routes[i];
	return r;
}

struct str sites_cell(const struct tenant *t, int64_t at_ms)
{
	return str_from(t->row.routes_len ? route_at(t, at_ms)->cell : NULL);
}

/* NULL: it is unknown, or has no topics yet. */
static const struct cell_entry *cell_of(const struct sites *s, const struct tenant_route *r)
{
	const struct cell_entry *cell;
	uint8_t key[MAP_KEY_BYTES];

	map_key_of(str_from(r->cell), key);
	cell = map_get(&s->cells, key);
	return cell && cell->epoch ? cell : NULL;
}

const char *sites_topic(const struct sites *s, const struct tenant *t, int64_t at_ms)
{
	const struct cell_entry *cell = t->row.routes_len ? cell_of(s, route_at(t, at_ms)) : NULL;

	return cell ? cell->topic : NULL;
}

int sites_route(struct sites *s, struct tenant *t, int64_t at_ms, struct split_route *out, struct refusal *no)
{
	struct tenant_route *r = route_at(t, at_ms);
	const struct cell_entry *cell;

	if (!r)
		return refuse(no, REASON_NO_ROUTE, "site %s has no route", t->id);
	cell = cell_of(s, r);
	if (!cell)
		return refuse(no, REASON_NO_ROUTE, "cell %s has no topics yet", r->cell);
	if (make_partitions(t, r, cell->partitions) < 0)
		return refuse(no, REASON_OVER_BUDGET, "out of memory for a route");
	*out = (struct split_route){.site = str_from(t->id),
				    .topic = cell->topic,
				    .events_topic = cell->events_topic,
				    .partitions = r->partitions,
				    .partitions_len = r->partitions_len,
				    .since_ms = r->effective_from_ms};
	return 0;
}
