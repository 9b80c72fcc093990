/* silences.h - the rows of millrace.silences: of what nobody is told, for a time.
 *
 * A silence that has ended stays as long as its row: whether an alert was silenced when an incident was told last is asked long after. Its effect
 * does not begin before it was written. Not thread-safe. */
#ifndef MILLRACE_NOTIFY_SILENCES_H
#define MILLRACE_NOTIFY_SILENCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/table.h"
#include "schemas/schemas.h"
#include "common/rows.h"

enum { SILENCES_MAX = 10000 };

struct silences {
	struct rows rows;
	const struct silence **picked; /* of one site and trigger, by silences_pick() */
	size_t nr_picked;
};

#define SILENCES_INIT {ROWS_INIT, NULL, 0}

/* Frees all rows. */
void silences_fini(struct silences *s);

/* Takes a row, or a deletion. ERR_REJECT: malformed, its key is not its id, or one too many; the old one stays. One too many takes the place of the
 * one that ended first, if that had ended when it was written. */
int silences_take(struct silences *s, const struct table_row *row, struct err *err);

/* From now on, and until the next row, it is asked about alerts of this site and trigger. */
void silences_pick(struct silences *s, struct str site, struct str trigger);

/* Is an alert with these tags, sorted bytewise by key, silenced at at_ms? tags NULL: of one whose tags are not known, or of all alerts there may be: only by
 * a silence that asks for none. */
bool silences_cover(const struct silences *s, const struct tag *tags, size_t tags_len, int64_t at_ms);

/* When the first of those picked that are in force at now_ms ends; INT64_MAX: none is. */
int64_t silences_end_ms(const struct silences *s, int64_t now_ms);

#endif
