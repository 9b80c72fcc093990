/* vault.c - see vault.h.
 *
 * Who waits (vault_rows.h): until the tables are loaded, every row that comes; from then on removals alone.
 *
 * Why loading is one step. A compacted topic still has older rows of the same key, and taken one by one they would bring back keys that
 * were revoked long ago, take away sites that were added again, and look like a shrink where there is none. So until their end is
 * reached, Kafka's rows only replace each other.
 *
 * Why removals wait for company. Judged one by one, half of the sites would be gone before the first removal is refused, and with a 401
 * their agents give up. The wait is short, as a disabled site is meant to be refused.
 *
 * Why a hold outlives the window, and the process (refused_before stands in the file): time alone makes no accident right. What was refused
 * as a whole must not pass in two halves, five minutes or a restart apart. */
#include "ingest/vault.h"

#include <stdlib.h>

#include "ingest/shrink.h"

enum { WRITEBACK_MS = 1000 }; /* between the file's writing and its fsync (vault_file.c) */

struct vault {
	struct vault_rows rows;
	struct shrink window;
	bool loaded, accepting;
	uint64_t refused_before; /* usable sites when the first removal was held; 0: none of a site is */
	int64_t mono_ms;         /* of the last tick */
	bool arrived;            /* a removal has come since then */
	bool burst;              /* removals wait to be judged, since, and the last of them at: */
	int64_t burst_first_ms, burst_last_ms;
	struct vault_file *file; /* NULL: none */
	int64_t save_at_ms, commit_at_ms;
};

struct vault *vault_new(const struct vault_doors *doors, const char *path)
{
	struct vault *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	vault_rows_init(&v->rows, doors);
	v->file = path && *path ? vault_file_new(path) : NULL;
	if (path && *path && !v->file) {
		vault_free(v);
		return NULL;
	}
	return v;
}

void vault_free(struct vault *v)
{
	if (!v)
		return;
	vault_file_free(v->file);
	vault_rows_fini(&v->rows);
	free(v);
}

/* Are all removals of sites that wait to be held? */
static bool must_hold(const struct vault *v)
{
	return !v->accepting && (v->refused_before > 0 || shrink_refused(shrink_before(&v->window), vault_rows_usable_after(&v->rows)));
}

/* Judges the cells' removals, which are all that waits beside held sites: a site that goes frees its cell. */
static int settle_cells(struct vault *v, struct err *err)
{
	struct vault_row *r, *after;
	int rc = 0;

	if (v->rows.nr_waiting[VAULT_CELLS] == 0)
		return 0;
	vault_rows_mark_cells(&v->rows);
	for (r = TAILQ_FIRST(&v->rows.waiting); r; r = after) {
		bool holding = r->in_use && !v->accepting;

		after = TAILQ_NEXT(r, turn);
		if (r->table == VAULT_CELLS &&
		    (holding ? vault_rows_hold(&v->rows, r, err) : vault_rows_apply(&v->rows, r, err)) < 0)
			rc = -1;
	}
	return rc;
}

/* Judges all that waits: puts it in force, or holds it. */
static int settle(struct vault *v, struct err *err)
{
	bool holding = must_hold(v);
	uint64_t before = v->refused_before ? v->refused_before : shrink_before(&v->window);
	struct vault_row *r, *after;
	int rc = 0;

	for (r = TAILQ_FIRST(&v->rows.waiting); r; r = after) {
		bool removal = vault_rows_is_removal(r);

		after = TAILQ_NEXT(r, turn);
		if (removal && r->table == VAULT_CELLS)
			continue;
		if (removal && holding ? vault_rows_hold(&v->rows, r, err) < 0 : vault_rows_apply(&v->rows, r, err) < 0)
			rc = -1;
	}
	if (settle_cells(v, err) < 0)
		rc = -1;
	v->refused_before = v->rows.nr_held[VAULT_SITES] ? before : 0;
	v->rows.changed = true; /* refused_before, if nothing else */
	v->burst = false;
	return rc;
}

/* Have the removals that are not yet judged waited long enough? */
static bool settle_due(struct vault *v)
{
	size_t waiting = v->rows.nr_waiting[VAULT_CELLS] + v->rows.nr_waiting[VAULT_SITES];

	if (v->accepting || waiting == vault_shrink_held(v, NULL)) {
		v->burst = false;
		return v->accepting && waiting > 0;
	}
	if (!v->burst)
		v->burst_first_ms = v->mono_ms;
	if (!v->burst || v->arrived)
		v->burst_last_ms = v->mono_ms;
	v->burst = true;
	v->arrived = false;
	return v->mono_ms - v->burst_last_ms >= VAULT_QUIET_MS || v->mono_ms - v->burst_first_ms >= VAULT_PATIENCE_MS || must_hold(v);
}

/* A row of Kafka's; once the tables are loaded, all but removals come into force here. */
static int take(struct vault *v, enum vault_table table, const struct table_row *row, struct err *err)
{
	struct vault_row *r;
	int rc;

	if (vault_rows_put(&v->rows, table, row, &r, err) < 0)
		return -1;
	if (!r || !v->loaded)
		return 0;
	if (vault_rows_is_removal(r) && !v->accepting) {
		v->arrived = true;
		return r->held ? vault_rows_hold(&v->rows, r, err) : 0;
	}
	rc = vault_rows_apply(&v->rows, r, err);
	if (v->rows.nr_held[VAULT_SITES] == 0)
		v->refused_before = 0;
	return rc;
}

int vault_take_cell(void *ctx, const struct table_row *row, struct err *err)
{
	return take(ctx, VAULT_CELLS, row, err);
}

int vault_take_site(void *ctx, const struct table_row *row, struct err *err)
{
	return take(ctx, VAULT_SITES, row, err);
}

/* A row of the file. What a newer version left there is no reason to do without the rest. */
static int take_kept(void *ctx, enum vault_table table, struct str key, struct str value, struct err *err)
{
	struct vault *v = ctx;
	struct err row = ERR_INIT;

	return vault_rows_keep(&v->rows, table, key, value, &row) < 0 && row.kind == ERR_FATAL ? err_nomem(err, "a row") : 0;
}

int vault_load_file(struct vault *v, struct err *err)
{
	int rc = v->file ? vault_file_read(v->file, take_kept, v, &v->refused_before, err) : 0;

	v->rows.changed = false;
	return rc;
}

int vault_loaded(struct vault *v, int64_t mono_ms, struct err *err)
{
	int rc;

	v->mono_ms = mono_ms;
	v->loaded = true;
	shrink_reset(&v->window, v->rows.usable, mono_ms); /* what the file had */
	vault_rows_delete_unseen(&v->rows);
	rc = settle(v, err);
	shrink_reset(&v->window, v->rows.usable, mono_ms);
	return rc;
}

/* Hands all rows to the kernel. On failure the file is still to be written. */
static int write_file(struct vault *v, struct err *err)
{
	const struct vault_row *r;

	v->save_at_ms = v->mono_ms + VAULT_SAVE_EVERY_MS;
	v->commit_at_ms = v->mono_ms + WRITEBACK_MS;
	if (vault_file_begin(v->file, err) < 0)
		return -1;
	TAILQ_FOREACH(r, &v->rows.order, order)
		vault_file_add(v->file, r->table, (struct str){r->key, r->key_len}, (struct str){r->now->value, r->now->len});
	if (vault_file_end(v->file, v->refused_before, err) < 0)
		return -1;
	v->rows.changed = false;
	return 0;
}

static int commit_file(struct vault *v, struct err *err)
{
	if (vault_file_commit(v->file, err) == 0)
		return 0;
	v->rows.changed = true; /* the bytes are lost: all over again */
	return -1;
}

int vault_save(struct vault *v, struct err *err)
{
	if (!v->file)
		return 0;
	if (v->rows.changed && write_file(v, err) < 0)
		return -1;
	return vault_file_pending(v->file) ? commit_file(v, err) : 0;
}

int vault_tick(struct vault *v, int64_t mono_ms, struct err *err)
{
	v->mono_ms = mono_ms;
	shrink_roll(&v->window, v->rows.usable, mono_ms);
	if (v->loaded && settle_due(v) && settle(v, err) < 0)
		return -1;
	if (!v->file)
		return 0;
	if (vault_file_pending(v->file))
		return mono_ms >= v->commit_at_ms ? commit_file(v, err) : 0;
	return v->rows.changed && mono_ms >= v->save_at_ms ? write_file(v, err) : 0;
}

void vault_accept_shrink(struct vault *v, bool in_force)
{
	if (v->accepting && !in_force)
		shrink_reset(&v->window, v->rows.usable, v->mono_ms); /* what was accepted is no loss */
	v->accepting = in_force;
}

size_t vault_shrink_held(const struct vault *v, struct vault_shrink *out)
{
	size_t rows = v->rows.nr_held[VAULT_CELLS] + v->rows.nr_held[VAULT_SITES];

	if (out)
		*out = (struct vault_shrink){
			.rows = rows,
			.before = v->rows.nr_held[VAULT_SITES] ? (size_t)v->refused_before : 0,
			.after = v->rows.nr_held[VAULT_SITES] ? v->rows.usable - v->rows.nr_held[VAULT_SITES] : 0,
		};
	return rows;
}
