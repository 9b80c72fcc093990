/* survey.h - how far the consumer groups of all cells are behind, asked again and again by a thread of its own.
 *
 * Asking takes as long as Kafka takes, up to some ten seconds for each broker that hangs, and the page must not wait for that. What crosses is a message
 * each way: the names of the cells in, a whole survey out. One owner calls everything here. */
#ifndef MILLRACE_STATUS_SURVEY_H
#define MILLRACE_STATUS_SURVEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/err.h"
#include "common/lag.h"
#include "common/program.h"

/* One look at all groups. Nobody changes it any more. */
struct survey_view {
	bool ok;         /* Kafka has answered; single partitions may have a fault all the same */
	struct err err;  /* why not */
	int64_t at_ms;   /* virtual, when the offsets were there */
	struct lag_group *groups; /* LAG_GROUPS a cell, in the order of lag_plan() */
	size_t nr_groups;
	struct arena arena;
};

/* NULL is a no-op. */
void survey_view_free(struct survey_view *v);

struct survey;

/* Would the clients that are made here be refused for p's kafka.*? Makes none. 0, or -1 with *err set. */
int survey_check(const struct program *p, struct err *err);

/* Begins to ask every interval_ms (real) as soon as cells are known. Makes wake_fd (of events_wake_fd()) readable for each view. Borrows p. NULL with *err set. */
struct survey *survey_new(const struct program *p, int64_t interval_ms, int wake_fd, struct err *err);

/* Ends the thread, waiting up to timeout_ms (real) for a question under way; false: it hangs inside the library, and everything that it borrows must stay: end the
 * process by _exit(). NULL is a no-op and true. */
bool survey_free(struct survey *s, int timeout_ms);

/* Other cells are to be asked about from the next time on, and what was known of the former ones is forgotten; copies. -1 when memory is short. */
int survey_set_cells(struct survey *s, const struct str *names, size_t nr, struct err *err);

/* The newest view, once; the caller frees it. NULL: there is no new one. */
struct survey_view *survey_take(struct survey *s);

#endif
