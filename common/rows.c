/* rows.c - see rows.h.
 *
 * Sorted, as they are walked in order and looked up by id. Insertion moves what lies behind: there are thousands of rows at most, and they change by a
 * person's hand. */
#include "common/rows.h"

#include <stdlib.h>

void row_free(struct row *row)
{
	struct arena arena;

	if (!row)
		return;
	arena = row->arena; /* the row lies in it */
	arena_fini(&arena);
}

void rows_fini(struct rows *r)
{
	for (size_t i = 0; i < r->len; i++)
		row_free(r->at[i]);
	free(r->at);
	*r = (struct rows)ROWS_INIT;
}

struct row *row_new(size_t size_bytes, struct str id, struct str message, struct err *err)
{
	struct arena arena = ARENA_INIT;
	struct row *row;

	if (id.len + message.len > ROW_BYTES_MAX) {
		err_set(err, ERR_REJECT, "a row of %zu bytes", id.len + message.len);
		return NULL;
	}
	row = arena_alloc(&arena, size_bytes);
	if (row) {
		row->id = arena_str(&arena, id);
		row->message = arena_str(&arena, message);
	}
	if (!row || !row->id.p || !row->message.p) {
		arena_fini(&arena);
		err_nomem(err, "a row");
		return NULL;
	}
	row->arena = arena;
	return row;
}

/* Where id stands, or should. */
static size_t place(const struct rows *r, struct str id)
{
	size_t from = 0, to = r->len;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (str_cmp(r->at[middle]->id, id) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

struct row *rows_find(const struct rows *r, struct str id)
{
	size_t i = place(r, id);

	return i < r->len && str_eq(r->at[i]->id, id) ? r->at[i] : NULL;
}

int rows_put(struct rows *r, struct row *row, struct err *err)
{
	size_t i = place(r, row->id);

	if (i < r->len && str_eq(r->at[i]->id, row->id)) {
		row_free(r->at[i]);
		r->at[i] = row;
		return 0;
	}
	if (r->len == r->cap) {
		size_t cap = r->cap ? 2 * r->cap : 16;
		struct row **at = reallocarray(r->at, cap, sizeof(struct row *));

		if (!at)
			return err_nomem(err, "rows");
		r->at = at;
		r->cap = cap;
	}
	memmove(r->at + i + 1, r->at + i, (r->len - i) * sizeof(struct row *));
	r->at[i] = row;
	r->len++;
	return 0;
}

void rows_remove(struct rows *r, struct str id)
{
	size_t i = place(r, id);

	if (i == r->len || !str_eq(r->at[i]->id, id))
		return;
	row_free(r->at[i]);
	r->len--;
	memmove(r->at + i, r->at + i + 1, (r->len - i) * sizeof(struct row *));
}
