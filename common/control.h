/* control.h - one operator's switch: where it may stand, what it must say, and the id it goes by.
 *
 * The record is struct control (schemas/control.avsc). Who writes one and who obeys it hold it to the rules here, so that neither can mean
 * another thing than the other. Pure functions, any thread; errors are ERR_REJECT. */
#ifndef MILLRACE_CONTROL_H
#define MILLRACE_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/str.h"
#include "schemas/schemas.h"

enum {
	CONTROL_CELL_MAX = 32,
	CONTROL_SITE_MAX = 64,
	CONTROL_KIND_MAX = 32,
	CONTROL_TRIGGER_MAX = 64,
	CONTROL_REASON_MAX = 255,
	CONTROL_AUTHOR_MAX = 127,
	CONTROL_ID_SIZE = 256, /* bytes that any id fits into, with its NUL */
};

/* A control ends by itself, at the latest so long after it was set: one that was forgotten must not be in force for ever. */
#define CONTROL_LIFE_MAX_MS (INT64_C(30) * 24 * CLOCK_HOUR_MS)

/* Writes the id that program, action and scope make: "ingest/close", "ingest/close/cell=main", "sink/drop/site=shop/kind=hourly": the scope's
 * fields in the order cell, site, kind, trigger. Different scopes make different ids. -1 with *err set, and out not written, when the program
 * does not know the action, the action does not take that scope, or a name in it is none. Looks at no other field. */
int control_make_id(const struct control *c, char out[CONTROL_ID_SIZE], struct err *err);

/* A whole record: its id is the one that its fields make; reason and author are there, UTF-8 in one line and within their bounds; it
 * lives for longer than nothing and at most CONTROL_LIFE_MAX_MS. Whether it has expired is not asked. */
int control_check(const struct control *c, struct err *err);

/* The program or action of a name ("ingest", "close"), into *out. *err lists the names there are. */
int control_find_program(struct str name, enum control_program *out, struct err *err);
int control_find_action(struct str name, enum control_action *out, struct err *err); /* see above */

#endif
