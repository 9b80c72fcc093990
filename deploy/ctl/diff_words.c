/* diff_words.c - differences in words; see diff.h. Each field has its line here, or a change of it would
 * not be made. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "deploy/ctl/diff.h"

static const char *comma(const struct buf *out)
{
	return out->len ? ", " : "";
}

static void say_int(struct buf *out, const char *what, int64_t live, int64_t wanted)
{
	if (live != wanted)
		buf_printf(out, "%s%s %" PRId64 " -> %" PRId64, comma(out), what, live, wanted);
}

static void say_number(struct buf *out, const char *what, double live, double wanted)
{
	if (live != wanted)
		buf_printf(out, "%s%s %g -> %g", comma(out), what, live, wanted);
}

void diff_cell(const struct cell *live, const struct cell *wanted, struct buf *out)
{
	say_int(out, "partitions", live->partitions, wanted->partitions);
	say_int(out, "created_at", live->created_at, wanted->created_at);
}

/* Routes by their place in the history, as they have no names; a list that only got longer shows its new
 * end. */
static void say_routes(struct buf *out, const struct site *live, const struct site *wanted)
{
	say_int(out, "number of routes", (int64_t)live->routes_len, (int64_t)wanted->routes_len);
	for (size_t i = 0; i < wanted->routes_len; i++) {
		const struct route *to = &wanted->routes[i], *from = i < live->routes_len ? &live->routes[i] : NULL;

		if (!from || !str_eq(from->cell, to->cell) || from->shards != to->shards || from->effective_from != to->effective_from)
			buf_printf(out, "%sroutes[%zu] from %" PRId64 " on: cell " STR_FMT ", %d shards", comma(out), i, to->effective_from,
				   STR_ARG(to->cell), (int)to->shards);
	}
}

/* live NULL: the key is new. The hash itself is not printed: nobody compares 64 digits by eye. */
static void say_key(struct buf *out, const struct api_key *live, const struct api_key *wanted)
{
	char what[32];

	if (!live) {
		buf_printf(out, "%skey " STR_FMT " new", comma(out), STR_ARG(wanted->id));
		return;
	}
	if (memcmp(live->sha256, wanted->sha256, sizeof(live->sha256)) != 0)
		buf_printf(out, "%skey " STR_FMT " has another hash", comma(out), STR_ARG(wanted->id));
	snprintf(what, sizeof(what), "key %.*s created_at", (int)(wanted->id.len < 11 ? wanted->id.len : 11), wanted->id.p);
	say_int(out, what, live->created_at, wanted->created_at);
}

/* Keys are told apart by their ids, as they are revoked by them. */
static void say_keys(struct buf *out, const struct site *live, const struct site *wanted)
{
	bool moved = false;

	for (size_t i = 0; i < live->keys_len; i++)
		if (!diff_find_key(wanted, live->keys[i].id))
			buf_printf(out, "%skey " STR_FMT " gone", comma(out), STR_ARG(live->keys[i].id));
	for (size_t i = 0; i < wanted->keys_len; i++) {
		say_key(out, diff_find_key(live, wanted->keys[i].id), &wanted->keys[i]);
		moved |= live->keys_len == wanted->keys_len && !str_eq(live->keys[i].id, wanted->keys[i].id);
	}
	if (moved)
		buf_printf(out, "%skeys in another order", comma(out));
}

void diff_site(const struct site *live, const struct site *wanted, struct buf *out)
{
	if (!str_eq(live->name, wanted->name))
		buf_printf(out, "name \"" STR_FMT "\" -> \"" STR_FMT "\"", STR_ARG(live->name), STR_ARG(wanted->name));
	if (live->disabled != wanted->disabled)
		buf_printf(out, "%sdisabled %s -> %s", comma(out), live->disabled ? "true" : "false", wanted->disabled ? "true" : "false");
	say_int(out, "created_at", live->created_at, wanted->created_at);
	say_routes(out, live, wanted);
	say_keys(out, live, wanted);
	say_number(out, "payloads_per_s", live->payloads_per_s, wanted->payloads_per_s);
	say_number(out, "samples_per_s", live->samples_per_s, wanted->samples_per_s);
	say_int(out, "series_cap", live->series_cap, wanted->series_cap);
}

/* A record that comes or goes, in the few words that tell one from another. */
static void describe_whole(enum store_kind kind, const struct store_item *item, struct buf *out)
{
	const struct site *site = &item->v.site;
	const struct route *last;

	if (item->fault) {
		buf_printf(out, "a record that cannot be read");
		return;
	}
	if (kind == STORE_CELLS) {
		buf_printf(out, "%d partitions", (int)item->v.cell.partitions);
		return;
	}
	last = site->routes_len ? &site->routes[site->routes_len - 1] : NULL;
	if (last)
		buf_printf(out, "cell " STR_FMT ", %d shards, ", STR_ARG(last->cell), (int)last->shards);
	buf_printf(out, "%zu key%s%s", site->keys_len, site->keys_len == 1 ? "" : "s", site->disabled ? ", disabled" : "");
}

void diff_describe(const struct diff_change *c, struct buf *out)
{
	if (c->op == DIFF_ADD)
		describe_whole(c->kind, c->wanted, out);
	else if (c->op == DIFF_REMOVE)
		describe_whole(c->kind, c->live, out);
	else if (c->live->fault)
		buf_printf(out, "in place of a record that cannot be read");
	else if (c->kind == STORE_CELLS)
		diff_cell(&c->live->v.cell, &c->wanted->v.cell, out);
	else
		diff_site(&c->live->v.site, &c->wanted->v.site, out);
}
