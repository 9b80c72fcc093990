/* diff.c - see diff.h.
 *
 * Three steps, each useful by itself: complete what a file left out, list what differs, refuse what may not
 * change. The list borrows items of both stores; their arenas keep them in place however often they are
 * replaced meanwhile, which is what happens when the changes are made and come back through the tables. */
#include "deploy/ctl/diff.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/receiver.h"
#include "common/trigger.h"
#include "deploy/ctl/record_json.h"

void diff_fini(struct diff *d)
{
	free(d->changes);
	*d = (struct diff)DIFF_INIT;
}

/* What the file says, else what is known, else now. */
static int64_t time_or(int64_t wanted, int64_t live, bool has_live, int64_t now_ms)
{
	if (wanted != RECORD_JSON_NO_TIME)
		return wanted;
	return has_live ? live : now_ms;
}

const struct api_key *diff_find_key(const struct site *site, struct str id)
{
	for (size_t i = 0; i < site->keys_len; i++)
		if (str_eq(site->keys[i].id, id))
			return &site->keys[i];
	return NULL;
}

static int complete_site(struct store *wanted, const struct site *site, const struct site *live, int64_t now_ms, struct err *err)
{
	struct site full = *site;

	full.created_at = time_or(site->created_at, live ? live->created_at : 0, live, now_ms);
	/* The keys' array belongs to the wanted store, which nobody else reads yet. */
	for (size_t i = 0; i < full.keys_len; i++) {
		const struct api_key *same = live ? diff_find_key(live, full.keys[i].id) : NULL;

		full.keys[i].created_at = time_or(full.keys[i].created_at, same ? same->created_at : 0, same, now_ms);
	}
	return store_put_site(wanted, &full, err);
}

/* The epoch is never the file's: a live cell keeps its own, any other has none until its topics are made. */
static int complete_cell(struct store *wanted, const struct cell *cell, const struct cell *live, int64_t now_ms, struct err *err)
{
	struct cell full = *cell;

	full.created_at = time_or(cell->created_at, live ? live->created_at : 0, live, now_ms);
	full.epoch = live ? live->epoch : 0;
	return store_put_cell(wanted, &full, err);
}

int diff_complete(struct store *wanted, const struct store *live, int64_t now_ms, struct err *err)
{
	size_t nr_cells, nr_sites;
	const struct store_item **cells = store_list(wanted, STORE_CELLS, &nr_cells, err);
	const struct store_item **sites = store_list(wanted, STORE_SITES, &nr_sites, err);
	int rc = cells && sites ? 0 : -1;

	for (size_t i = 0; rc == 0 && i < nr_cells; i++)
		rc = complete_cell(wanted, &cells[i]->v.cell, store_cell(live, cells[i]->key), now_ms, err);
	for (size_t i = 0; rc == 0 && i < nr_sites; i++)
		rc = complete_site(wanted, &sites[i]->v.site, store_site(live, sites[i]->key), now_ms, err);
	free(cells);
	free(sites);
	return rc;
}

static int add_change(struct diff *d, struct diff_change change, struct err *err)
{
	if (d->nr == d->cap) {
		size_t cap = d->cap ? 2 * d->cap : 64;
		struct diff_change *changes = realloc(d->changes, cap * sizeof(*changes));

		if (!changes)
			return err_nomem(err, "a list of changes");
		d->changes = changes;
		d->cap = cap;
	}
	d->changes[d->nr++] = change;
	d->count[change.op]++;
	return 0;
}

static bool same_route(const struct route *a, const struct route *b)
{
	return a->effective_from == b->effective_from && a->shards == b->shards && str_eq(a->cell, b->cell);
}

/* Ingest routes by a payload's created_at, and holds its table for a while: a route that is in force, or
 * will be before every ingest has heard of it, has decided where payloads went, and their retries must go
 * there too. */
int diff_check_routes(const struct site *live, const struct site *wanted, int64_t now_ms, struct err *err)
{
	int64_t earliest = now_ms + DIFF_ROUTE_NOTICE_MS;
	size_t fixed = 0;

	while (fixed < live->routes_len && live->routes[fixed].effective_from < earliest)
		fixed++;
	for (size_t i = 0; i < fixed; i++)
		if (i >= wanted->routes_len || !same_route(&live->routes[i], &wanted->routes[i]))
			return err_set(err, ERR_REJECT,
				       "site " STR_FMT ": routes[%zu] is in force, or will be within 15 minutes, and cannot change: a "
				       "retry must take the way of its first attempt", STR_ARG(live->id), i);
	for (size_t i = fixed; i < wanted->routes_len; i++)
		if (wanted->routes[i].effective_from < earliest)
			return err_set(err, ERR_REJECT,
				       "site " STR_FMT ": routes[%zu] takes effect at %" PRId64 ": a new route must be at least 15 minutes "
				       "ahead", STR_ARG(live->id), i, wanted->routes[i].effective_from);
	return 0;
}

/* Can this record take the place of that one? */
static int check_change(const struct diff_change *c, int64_t now_ms, struct err *err)
{
	if (c->kind == STORE_SITES)
		return diff_check_routes(&c->live->v.site, &c->wanted->v.site, now_ms, err);
	if (c->live->v.cell.partitions != c->wanted->v.cell.partitions)
		return err_set(err, ERR_REJECT, "cell " STR_FMT " has %d partitions, fixed for its life, and cannot have %d",
			       STR_ARG(c->live->key), (int)c->live->v.cell.partitions, (int)c->wanted->v.cell.partitions);
	return 0;
}

/* What a newer build wrote may hold fields that we would drop. It is asked here, so that a dry run says so too, and a run makes nothing of a file
 * that it cannot make all of. */
static int check_ours(const struct store_item *live, enum store_kind kind, struct err *err)
{
	if (!live->newer)
		return 0;
	return err_set(err, ERR_REJECT, "%s \"" STR_FMT "\" was written by a newer millrace-ctl (%s): use that one", diff_kind_name(kind),
		       STR_ARG(live->key), live->fault);
}

static int compare_item(struct diff *d, enum store_kind kind, const struct store_item *live, const struct store_item *wanted,
			int64_t now_ms, struct err *err)
{
	struct diff_change change = {live ? DIFF_CHANGE : DIFF_ADD, kind, live, wanted};
	struct buf words = BUF_INIT;
	bool equal;

	if (live && check_ours(live, kind, err) < 0)
		return -1;
	if (!live || live->fault) /* what cannot be read is replaced */
		return add_change(d, change, err);
	if ((kind == STORE_CELLS || kind == STORE_SITES) && check_change(&change, now_ms, err) < 0)
		return -1;
	diff_describe(&change, &words);
	equal = words.len == 0 && !buf_failed(&words);
	buf_fini(&words);
	return equal ? 0 : add_change(d, change, err);
}

/* Wanted items first, so that a list reads as the file does. */
static int compare_kind(struct diff *d, enum store_kind kind, const struct store *live, const struct store *wanted, int64_t now_ms, struct err *err)
{
	size_t nr;
	const struct store_item **want = store_list(wanted, kind, &nr, err);
	int rc = want ? 0 : -1;

	for (size_t i = 0; rc == 0 && i < nr; i++)
		rc = compare_item(d, kind, store_item(live, kind, want[i]->key), want[i], now_ms, err);
	free(want);
	return rc;
}

/* Is a live item one that may go: of that site, where only one is meant? What cannot be read is of none that anybody knows. */
static bool is_meant(const struct store_item *item, enum store_kind kind, const char *site)
{
	return !site || kind != STORE_TRIGGERS || (!item->fault && str_eq(item->v.trigger.site, str_from(site)));
}

static int prune_kind(struct diff *d, enum store_kind kind, const struct store *live, const struct store *wanted, const char *site, struct err *err)
{
	size_t nr;
	const struct store_item **there = store_list(live, kind, &nr, err);
	int rc = there ? 0 : -1;

	for (size_t i = 0; rc == 0 && i < nr; i++)
		if (!store_item(wanted, kind, there[i]->key) && is_meant(there[i], kind, site) && (rc = check_ours(there[i], kind, err)) == 0)
			rc = add_change(d, (struct diff_change){DIFF_REMOVE, kind, there[i], NULL}, err);
	free(there);
	return rc;
}

int diff_make(struct diff *d, const struct store *live, const struct store *wanted, bool prune, int64_t now_ms, struct err *err)
{
	for (int kind = STORE_CELLS; kind <= STORE_SITES; kind++)
		if (compare_kind(d, (enum store_kind)kind, live, wanted, now_ms, err) < 0 ||
		    (prune && prune_kind(d, (enum store_kind)kind, live, wanted, NULL, err) < 0))
			return -1;
	return 0;
}

/* Programs take no more of them than so many, and whoever is one too many is not taken later, when others have gone. So what goes makes no room for what
 * comes in the same run, in which it goes last. */
static int check_number(const struct diff *d, enum store_kind kind, const struct store *live, struct err *err)
{
	size_t max = kind == STORE_TRIGGERS ? TRIGGERS_MAX : RECEIVERS_MAX, there = live->index[kind].len, added = 0;

	for (size_t i = 0; i < d->nr; i++)
		added += d->changes[i].kind == kind && d->changes[i].op == DIFF_ADD;
	if (!added || there + added <= max)
		return 0;
	return err_set(err, ERR_REJECT, "there are %zu %ss already, and %zu more would be too many: programs take %zu; remove some first", there,
		       diff_kind_name(kind), added, max);
}

int diff_make_rules(struct diff *d, enum store_kind kind, const struct store *live, const struct store *wanted, bool prune, const char *site,
		    struct err *err)
{
	if (compare_kind(d, kind, live, wanted, 0, err) < 0 || check_number(d, kind, live, err) < 0)
		return -1;
	return prune ? prune_kind(d, kind, live, wanted, site, err) : 0;
}
