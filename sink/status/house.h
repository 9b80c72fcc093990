/* house.h - the house as its tables tell of it: cells, who is alive, controls, and which cells have triggers.
 *
 * Rows of the compacted topics are taken as they come, and stand until the next of their key. Not thread-safe: the main loop owns it. */
#ifndef MILLRACE_STATUS_HOUSE_H
#define MILLRACE_STATUS_HOUSE_H

#include <stddef.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/table.h"
#include "sink/status/facts.h"

struct house;

/* NULL when memory is short. Borrows clock until house_free(). */
struct house *house_new(const struct clock *clock, struct err *err);
void house_free(struct house *h); /* NULL is a no-op */

/* Rows of millrace.cells, .heartbeats, .controls, .sites, .triggers, for struct table_spec; ctx is the house. ERR_REJECT: malformed, or its key is not what it
 * says it is: the row of before stays. A deletion removes. */
int house_take_cell(void *ctx, const struct table_row *row, struct err *err);
int house_take_beat(void *ctx, const struct table_row *row, struct err *err);    /* see above */
int house_take_control(void *ctx, const struct table_row *row, struct err *err); /* see above */
int house_take_site(void *ctx, const struct table_row *row, struct err *err);    /* see above */
int house_take_trigger(void *ctx, const struct table_row *row, struct err *err); /* see above */

/* All that the tables know now, into *out: instances heard of within a day (of which those are live that beat within three of their intervals, real time),
 * cells whose topics have been made, by name, with their lag zeroed for the caller to fill in; controls that have not expired. What it points to lives until the
 * next call, the names until the next row. -1 with *err set when memory is short. */
int house_facts(struct house *h, struct facts *out, struct facts_cell **cells, struct err *err);

#endif
