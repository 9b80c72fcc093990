/* receivers.h - the rows of millrace.receivers: who may be told, and which incidents are for whom.
 *
 * A receiver that was deleted is none any more, but stays counted while jobs for it are under way. Not thread-safe. */
#ifndef MILLRACE_NOTIFY_RECEIVERS_H
#define MILLRACE_NOTIFY_RECEIVERS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/receiver.h"
#include "common/table.h"
#include "schemas/schemas.h"
#include "common/rows.h"

struct receiver_row {
	struct row row;
	struct receiver r;  /* borrows row */
	bool gone;          /* deleted, while under_way > 0 */
	size_t under_way;   /* jobs, whichever version of the record they began with */
};

/* At most RECEIVERS_MAX. */
struct receivers {
	struct rows rows;
};

#define RECEIVERS_INIT {ROWS_INIT}

/* Frees all rows. */
void receivers_fini(struct receivers *rs);

/* Takes a row, or a deletion. ERR_REJECT: malformed, its key is not its id, or one too many; the old one stays. */
int receivers_take(struct receivers *rs, const struct table_row *row, struct err *err);

/* The receiver of an id that is not gone, or NULL. */
struct receiver_row *receivers_find(const struct receivers *rs, struct str id);

/* Walks those that are not gone, by id: *at starts at 0; NULL ends. */
struct receiver_row *receivers_next(const struct receivers *rs, size_t *at);

/* Is this incident for it by itself: named by the trigger, or, where the trigger names nobody, by its own sites and severities? Escalations
 * aside. */
bool receiver_gets(const struct receiver *r, const struct incident *incident);

/* A job for it begins, ends. One that is not known is no error: its row may have been refused since. */
void receivers_begin(struct receivers *rs, struct str id);
void receivers_end(struct receivers *rs, struct str id); /* see above */

/* No job is under way any more. */
void receivers_end_all(struct receivers *rs);

#endif
