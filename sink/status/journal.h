/* journal.h - entries on their way into millrace.status: in order, kept until Kafka has them.
 *
 * One entry is under way at a time, as what is said later must stand later; there are few. Kafka may be gone for hours: what waits is kept here, and in the
 * state on disk. There is a bound, and the last places are operators': what the page writes by itself is put off first. Not thread-safe: the main loop owns it. */
#ifndef MILLRACE_STATUS_JOURNAL_H
#define MILLRACE_STATUS_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/program.h"
#include "common/str.h"

enum {
	JOURNAL_MAX = 1000,    /* entries that may wait */
	JOURNAL_OWN_MAX = 800, /* beyond which none of the page's own are taken */
};

struct journal;

/* Would the client that is made here be refused for p's kafka.*? Makes none. 0, or -1 with *err set. */
int journal_check(const struct program *p, struct err *err);

/* Borrows p until journal_free(). NULL with *err set. */
struct journal *journal_new(const struct program *p, struct err *err);

/* Waits up to timeout_ms (real) for the one that is under way; what waits then is given up here (it may be on disk). false: the client did not end, and
 * what it borrows must stay. NULL is a no-op and true. */
bool journal_free(struct journal *j, int timeout_ms);

/* Takes an encoded StatusEntry; copies. own: it has no author. ERR_RETRY: JOURNAL_MAX wait already, or JOURNAL_OWN_MAX and it is own; ERR_FATAL: memory. */
int journal_add(struct journal *j, struct str key, struct str entry, bool own, struct err *err);

/* How many of operators' would be taken, whatever of the page's own comes in between. */
size_t journal_room(const struct journal *j);

/* Serves answers and sends on; never waits. -1 with *err set when an entry was not taken for once: it is sent again after two seconds. Often. */
int journal_turn(struct journal *j, struct err *err);

/* Entries that Kafka has not acknowledged, and the i-th of them, the oldest first; borrowed until the next turn. */
size_t journal_waiting(const struct journal *j);
struct str journal_at(const struct journal *j, size_t i); /* see above */

#endif
