/* vault_rows.c - see vault_rows.h.
 *
 * A version is one allocation, its value behind it, so that changing hands is moving a pointer and cannot fail. 100,000 sites take
 * 40 MB here, and for the time of loading half as much again.
 *
 * What may be usable is judged here by the same functions that the doors use (sites_read_*), so that a row is refused when it comes, where
 * its offset is known, and not when it is applied. */
#include "ingest/vault_rows.h"

#include <stdlib.h>
#include <string.h>

#include "ingest/sites.h"
#include "schemas/schemas.h"

enum { ROW_LIMIT_BYTES = 8 << 20 };

void vault_rows_init(struct vault_rows *rows, const struct vault_doors *doors)
{
	*rows = (struct vault_rows){.doors = *doors, .scratch.limit_bytes = ROW_LIMIT_BYTES};
	TAILQ_INIT(&rows->order);
	TAILQ_INIT(&rows->waiting);
}

static void row_free(struct vault_row *r)
{
	free(r->now);
	free(r->next);
	free(r);
}

void vault_rows_fini(struct vault_rows *rows)
{
	for (int table = 0; table < VAULT_TABLES; table++) {
		const struct map_slot *slot;
		size_t at = 0;

		while ((slot = map_next(&rows->keys[table], &at)) != NULL)
			row_free(slot->value);
		map_fini(&rows->keys[table]);
	}
	arena_fini(&rows->scratch);
}

static struct str key_of(const struct vault_row *r)
{
	return (struct str){r->key, r->key_len};
}

static struct vault_row *find_row(const struct vault_rows *rows, enum vault_table table, struct str key)
{
	uint8_t hash[MAP_KEY_BYTES];

	map_key_of(key, hash);
	return map_get(&rows->keys[table], hash);
}

/* The row of a key, made if there is none. NULL when memory is short. */
static struct vault_row *have_row(struct vault_rows *rows, enum vault_table table, struct str key)
{
	struct vault_row *r = find_row(rows, table, key);
	uint8_t hash[MAP_KEY_BYTES];

	if (r)
		return r;
	map_key_of(key, hash);
	r = calloc(1, sizeof(*r) + key.len);
	if (!r || map_put(&rows->keys[table], hash, r) < 0) {
		free(r);
		return NULL;
	}
	r->table = table;
	r->key_len = key.len;
	memcpy(r->key, key.p, key.len);
	return r;
}

static void drop_row(struct vault_rows *rows, struct vault_row *r)
{
	uint8_t hash[MAP_KEY_BYTES];

	map_key_of(key_of(r), hash);
	map_remove(&rows->keys[r->table], hash);
	row_free(r);
}

/* A version with these bytes; site NULL: of a cell. Home is the newest route's cell even before its time has come: a cell that a
 * site is about to move to must not go. */
static struct vault_version *version_new(struct str value, const struct site *site, struct err *err)
{
	struct vault_version *version = calloc(1, sizeof(*version) + value.len);
	const struct route *newest = site ? &site->routes[0] : NULL;

	if (!version) {
		err_nomem(err, "a row");
		return NULL;
	}
	version->len = value.len;
	memcpy(version->value, value.p, value.len);
	if (!site)
		return version;
	for (size_t i = 1; i < site->routes_len; i++)
		if (site->routes[i].effective_from >= newest->effective_from)
			newest = &site->routes[i];
	map_key_of(newest->cell, version->home);
	version->usable = !site->disabled && site->keys_len > 0;
	return version;
}

/* The version of a row that is understood; NULL for a deletion. */
static int read_version(struct vault_rows *rows, enum vault_table table, const struct table_row *row, struct vault_version **out,
			struct err *err)
{
	struct site site = {0};
	struct cell cell = {0};
	int rc;

	*out = NULL;
	if (!row->value.p)
		return 0;
	rc = table == VAULT_SITES ? sites_read_site(row, &rows->scratch, &site, err) : sites_read_cell(row, &rows->scratch, &cell, err);
	if (rc == 0)
		*out = version_new(row->value, table == VAULT_SITES ? &site : NULL, err);
	arena_clear(&rows->scratch);
	return *out ? 0 : -1;
}

/* Behind all others, also from an earlier place in the queue (I3): as in the topic. */
static void wait_last(struct vault_rows *rows, struct vault_row *r)
{
	if (r->waiting)
		TAILQ_REMOVE(&rows->waiting, r, turn);
	rows->nr_waiting[r->table] += !r->waiting;
	TAILQ_INSERT_TAIL(&rows->waiting, r, turn);
	r->waiting = true;
}

static void stop_waiting(struct vault_rows *rows, struct vault_row *r)
{
	if (r->waiting)
		TAILQ_REMOVE(&rows->waiting, r, turn);
	rows->nr_waiting[r->table] -= r->waiting;
	rows->nr_held[r->table] -= r->held;
	r->waiting = r->held = false;
}

int vault_rows_put(struct vault_rows *rows, enum vault_table table, const struct table_row *row, struct vault_row **out, struct err *err)
{
	struct vault_row *r = find_row(rows, table, row->key);
	struct vault_version *next;

	if (r)
		r->seen = true; /* even if the row is not understood: Kafka has not deleted it */
	if (read_version(rows, table, row, &next, err) < 0)
		return -1;
	*out = NULL;
	if (!r && !next)
		return 0;
	r = have_row(rows, table, row->key);
	if (!r) {
		free(next);
		return err_nomem(err, "a row");
	}
	r->seen = true;
	free(r->next);
	r->next = next;
	wait_last(rows, r);
	*out = r;
	return 0;
}

void vault_rows_delete_unseen(struct vault_rows *rows)
{
	struct vault_row *r;

	TAILQ_FOREACH(r, &rows->order, order)
		if (!r->seen)
			wait_last(rows, r); /* next is NULL: nothing was put */
}

static bool is_usable(const struct vault_version *version)
{
	return version && version->usable;
}

bool vault_rows_is_removal(const struct vault_row *r)
{
	if (r->table == VAULT_CELLS)
		return r->now && !r->next;
	return is_usable(r->now) && !is_usable(r->next);
}

size_t vault_rows_usable_after(const struct vault_rows *rows)
{
	size_t after = rows->usable;
	const struct vault_row *r;

	TAILQ_FOREACH(r, &rows->waiting, turn) {
		after += is_usable(r->next);
		after -= is_usable(r->now);
	}
	return after;
}

/* Puts a version (taken; NULL: no row) in force. */
static int enforce(struct vault_rows *rows, struct vault_row *r, struct vault_version *version, struct err *err)
{
	table_row_fn door = r->table == VAULT_SITES ? rows->doors.take_site : rows->doors.take_cell;
	struct table_row row = {.key = key_of(r)};

	if (version)
		row.value = (struct str){version->value, version->len};
	if (door(rows->doors.ctx, &row, err) < 0) {
		free(version);
		return -1;
	}
	rows->usable += is_usable(version);
	rows->usable -= is_usable(r->now);
	if (r->now)
		TAILQ_REMOVE(&rows->order, r, order);
	if (version)
		TAILQ_INSERT_TAIL(&rows->order, r, order);
	free(r->now);
	r->now = version;
	rows->changed = true;
	return 0;
}

/* A row that its door refuses is not tried again: it would be refused for ever, and be told of at every turn. */
int vault_rows_apply(struct vault_rows *rows, struct vault_row *r, struct err *err)
{
	struct vault_version *next = r->next;
	int rc;

	r->next = NULL;
	stop_waiting(rows, r);
	rc = enforce(rows, r, next, err);
	if (!r->now)
		drop_row(rows, r);
	return rc;
}

/* What next would be if it did not disable its site; *out stays NULL when there are no keys to go on with. */
static int enabled_version(struct vault_rows *rows, const struct vault_row *r, struct vault_version **out, struct err *err)
{
	struct table_row row = {.key = key_of(r), .value = {r->next->value, r->next->len}};
	struct site site = {0};
	struct buf value = BUF_INIT;
	int rc = sites_read_site(&row, &rows->scratch, &site, err);

	if (rc == 0 && site.keys_len > 0) {
		site.disabled = false;
		rc = site_encode(&site, &value, err);
		*out = rc == 0 ? version_new(buf_str(&value), &site, err) : NULL;
		rc = *out ? 0 : -1;
	}
	arena_clear(&rows->scratch);
	buf_fini(&value);
	return rc;
}

/* The rest goes through the door as a row of its own, which nobody wrote; what Kafka said stays in next, to be applied one day. */
int vault_rows_hold(struct vault_rows *rows, struct vault_row *r, struct err *err)
{
	struct vault_version *rest = NULL;

	rows->nr_held[r->table] += !r->held;
	r->held = true;
	if (r->table != VAULT_SITES || !r->next)
		return 0;
	if (enabled_version(rows, r, &rest, err) < 0)
		return -1;
	return rest ? enforce(rows, r, rest, err) : 0;
}

int vault_rows_keep(struct vault_rows *rows, enum vault_table table, struct str key, struct str value, struct err *err)
{
	struct table_row row = {.key = key, .value = value};
	struct vault_version *version;
	struct vault_row *r;
	int rc;

	if (read_version(rows, table, &row, &version, err) < 0)
		return -1;
	r = have_row(rows, table, key);
	if (!r) {
		free(version);
		return err_nomem(err, "a row");
	}
	rc = enforce(rows, r, version, err);
	if (!r->now)
		drop_row(rows, r);
	return rc;
}

/* Two walks over all rows, some 10 ms with 100,000: for when a cell is to go, which is rare. */
void vault_rows_mark_cells(struct vault_rows *rows)
{
	struct vault_row *r, *cell;

	TAILQ_FOREACH(r, &rows->order, order)
		r->in_use = false;
	TAILQ_FOREACH(r, &rows->order, order) {
		cell = is_usable(r->now) ? map_get(&rows->keys[VAULT_CELLS], r->now->home) : NULL;
		if (cell)
			cell->in_use = true;
	}
}
