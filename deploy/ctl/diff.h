/* diff.h - from what is (live) to what a file wants: a list of changes, and words for them.
 *
 * Pure: no Kafka, no clock. Two records are equal exactly when there is nothing to say of their difference
 * (diff_cell, diff_site), so that what is printed and what is done cannot disagree. Epochs are not
 * compared: a cell keeps the one it has. */
#ifndef MILLRACE_CTL_DIFF_H
#define MILLRACE_CTL_DIFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/err.h"
#include "common/str.h"
#include "deploy/ctl/json_write.h"
#include "deploy/ctl/store.h"

enum diff_op { DIFF_ADD, DIFF_CHANGE, DIFF_REMOVE, DIFF_OPS };

struct diff_change {
	enum diff_op op;
	enum store_kind kind;
	const struct store_item *live;   /* NULL when added */
	const struct store_item *wanted; /* NULL when removed */
};

struct diff {
	struct diff_change *changes; /* in the order of the calls that made them; of each kind sorted by key, removals last */
	size_t nr, cap;
	size_t count[DIFF_OPS];
};

#define DIFF_INIT {0}

/* How long before it takes effect a route must be written (schemas/README.md, "Series, shards, routes"). */
enum { DIFF_ROUTE_NOTICE_MS = 15 * 60 * 1000 };

/* Completes what a file may leave out: created_at becomes that of the live record, else now. */
int diff_complete(struct store *wanted, const struct store *live, int64_t now_ms, struct err *err);

/* Lists the changes of cells and sites; with prune also the removal of what is not wanted. Borrows both stores until
 * diff_fini(). ERR_REJECT when a change is not possible: another number of partitions, or a route changed
 * that holds already or is due within 15 minutes. */
int diff_make(struct diff *d, const struct store *live, const struct store *wanted, bool prune, int64_t now_ms, struct err *err);

/* Likewise those of triggers or receivers, which may change in any way; ERR_REJECT: more than programs take. site: prune only triggers of this one; NULL:
 * all. */
int diff_make_rules(struct diff *d, enum store_kind kind, const struct store *live, const struct store *wanted, bool prune, const char *site,
		    struct err *err);

/* Frees the list. */
void diff_fini(struct diff *d);

/* Appends the difference of two records in words ("name \"a\" -> \"b\", disabled false -> true"); nothing
 * when they are equal. */
void diff_cell(const struct cell *live, const struct cell *wanted, struct buf *out);
void diff_site(const struct site *live, const struct site *wanted, struct buf *out); /* see above */

/* Likewise of two triggers or two receivers; author and updated_at are no difference. */
void diff_rule(enum store_kind kind, const void *live, const void *wanted, struct buf *out);

/* Appends what a change is about, in one line without sign and name ("12 partitions", "cell main, 2 shards,
 * 1 key", ..). */
void diff_describe(const struct diff_change *change, struct buf *out);

/* "cell", "site", "trigger", "receiver". */
const char *diff_kind_name(enum store_kind kind);

/* Prints a change in one line, behind its sign ("+ site shop: .."), made printable; and as an object, the array's next. */
void diff_print(const struct diff_change *change, FILE *out);
void diff_write_json(const struct diff_change *change, struct json_writer *w); /* see above */

/* A site's key of this id, or NULL. Borrowed. */
const struct api_key *diff_find_key(const struct site *site, struct str id);

/* May live's routes become wanted's at now_ms? ERR_REJECT when a route that holds, or will within 15
 * minutes, would change. */
int diff_check_routes(const struct site *live, const struct site *wanted, int64_t now_ms, struct err *err);

#endif
