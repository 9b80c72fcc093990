/* rows.h - the rows of a compacted topic whose keys are ids, by id.
 *
 * What a row means is its owner's: he embeds struct row as the first member of his own, which row_new() makes room for in the row's own arena,
 * together with the message, so that a row is one thing to free. Sorted by id; how many there may be is the owner's to say. Not thread-safe. */
#ifndef MILLRACE_ROWS_H
#define MILLRACE_ROWS_H

#include <stddef.h>

#include "common/arena.h"
#include "common/err.h"
#include "common/str.h"

enum { ROW_BYTES_MAX = 1 << 20 };

struct row {
	struct arena arena; /* holds the row itself, too */
	struct str id;      /* borrows message */
	struct str message;
};

struct rows {
	struct row **at;
	size_t len, cap;
};

#define ROWS_INIT {0}

/* Frees all rows; as after ROWS_INIT. */
void rows_fini(struct rows *r);

/* A row of size_bytes, zeroed behind its beginning, with copies of id and message. NULL with *err set: ERR_REJECT beyond ROW_BYTES_MAX, ERR_FATAL when
 * memory is short. */
struct row *row_new(size_t size_bytes, struct str id, struct str message, struct err *err);
void row_free(struct row *row); /* NULL is a no-op */

/* The row of an id, or NULL. */
struct row *rows_find(const struct rows *r, struct str id);

/* Takes row on success, in the place of one with the same id, which is freed. -1 with *err set when memory is short. */
int rows_put(struct rows *r, struct row *row, struct err *err);

/* Frees the row of an id, if there is one. */
void rows_remove(struct rows *r, struct str id);

#endif
