/* term.h - what this instance does for its cell: it stands by, becomes the owner, and is it until it is not any more.
 *
 * Becoming the owner, in steps between turns of the loop: the journal registers its producer, which ends what a former owner has open; incidents and what was sent are
 * read to their end; alerts are read from the committed offsets on. Being it, a turn takes alert events, lets the desk decide, and writes what has
 * changed in one transaction with the offsets. Whatever casts doubt on the state in memory ends the term: everything is forgotten, and read again by whoever the group says
 * is the owner then. Not thread-safe: one owner, the main loop. */
#ifndef MILLRACE_SINK_NOTIFY_TERM_H
#define MILLRACE_SINK_NOTIFY_TERM_H

#include <stdbool.h>
#include <stdint.h>

#include "common/cell_row.h"
#include "common/program.h"
#include "common/report.h"
#include "sink/notify/dispatch.h"
#include "sink/notify/drops.h"
#include "sink/notify/meters.h"

struct term;

/* All borrowed until term_free(). */
struct term_spec {
	const struct program *program;
	const struct cell_row *cell;
	struct report *report;
	struct dispatch *dispatch;
	struct drops *drops;
	struct meters *meters;
	int wake_fd; /* of events_wake_fd(); readable when a turn is due */
};

/* Joins the group; the cell is known, with its topics. NULL with *err set: ERR_RETRY, the topics are not there. */
struct term *term_new(const struct term_spec *spec, struct err *err);

/* Writes a last time what is due, leaves the group, waiting up to timeout_ms (real) for it, and frees. False when a client has been left behind at any time,
 * which is usual: end the process by _exit() then, without tearing down what it uses. NULL is true. */
bool term_free(struct term *t, int timeout_ms);

/* One turn. 1: there is more to do at once; 0; -1 with *err set: the process cannot go on. */
int term_turn(struct term *t, struct err *err);

/* Writes now what is due, whenever the last time was: before the end. */
void term_write(struct term *t);

/* How long (real) no transaction follows one with so many bytes of large records. */
int64_t term_pause_ms(uint64_t bytes);

/* Is this instance the owner, with its state read? */
bool term_is_active(const struct term *t);

/* NULL: active, or standing by; else why not, a literal. */
const char *term_why_not_ready(const struct term *t);

/* Alert events that have not been taken, as far as is known; 0 standing by. */
int64_t term_lag(const struct term *t);
double term_lag_seconds(struct term *t); /* see above: the age of the oldest of them */

/* Partitions of alerts that wait for a newer version. */
int32_t term_held(const struct term *t);

/* Have all events been taken that were there? False standing by. */
bool term_is_level(const struct term *t);

#endif
