/* controls.h - the controls that one program obeys now.
 *
 * Two sides set and clear them: the topic millrace.controls, row by row, and the admin port, which also works with Kafka gone. Either side
 * has a last word on each id (common/control.h); of the two the one that was said later holds, a clear as well as a control, and what
 * has expired by virtual time is in force no more, without anybody saying so. A control without cell and site is for all; one that
 * names a cell, a site, or both, is for what has all that it names. Words said by the port are forgotten at the program's end.
 *
 * Any thread may call anything here, but for controls_next_change(), which has one caller. Asking costs one atomic load while nothing is in
 * force, else a lock held for a walk over what is. */
#ifndef MILLRACE_CONTROLS_H
#define MILLRACE_CONTROLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/control.h"
#include "common/err.h"
#include "common/str.h"
#include "common/table.h"

enum {
	CONTROLS_MAX = 1000, /* ids that are known at a time, in force or remembered */
	CONTROLS_WHY_SIZE = CONTROL_REASON_MAX + 1,
};

struct controls;

/* No controls yet, of program on. Borrows clock until controls_free(). NULL with *err set when memory is short. */
struct controls *controls_new(const struct clock *clock, enum control_program on, struct err *err);

/* No thread may use c any more; NULL is a no-op. */
void controls_free(struct controls *c);

/* Makes fd (of events_wake_fd()) readable when the admin port has changed something, so that a main loop that sleeps tells of it at once.
 * -1: nobody is woken, as at the start. */
void controls_wake_on(struct controls *c, int fd);

/* Takes a row of millrace.controls; ctx is the struct controls. A row function for struct table_spec. Rows replace each other in the
 * order of the topic; a deletion clears. Other programs' controls are none of c's business, and no error. ERR_REJECT: malformed, or more
 * than CONTROLS_MAX are in force; ERR_RETRY: written by a newer version. What was in force before stays then. */
int controls_take(void *ctx, const struct table_row *row, struct err *err);

enum controls_answer {
	CONTROLS_DONE,
	CONTROLS_OLDER,   /* something later was said about this id: that holds */
	CONTROLS_UNKNOWN, /* nothing to clear: no control of this id is in force */
	CONTROLS_BAD,     /* malformed, another program's, expired, set in the future, or too many */
};

/* Sets a control, as the admin port's word; copies. *err says why it was not. */
enum controls_answer controls_put(struct controls *c, const struct control *control, struct err *err);

/* Clears the control of an id that is in force, whoever set it, as the admin port's word: said now, or when the control was set if a
 * faster clock did that. *err says why not. */
enum controls_answer controls_clear(struct controls *c, struct str id, struct err *err);

/* Is there a control in force for this action that covers the cell and the site? Either may be empty: not known, or of no matter; then only
 * controls that do not name one cover it. Controls that name a kind or a trigger cover nothing here. why, unless NULL, receives the
 * reason of one of them, a string; it is not touched when there is none. */
bool controls_in_force(struct controls *c, enum control_action action, struct str cell, struct str site, char why[CONTROLS_WHY_SIZE]);

/* The same of what has a kind besides (a topic's: schemas/README.md): a control that names a kind covers it when it is this one. */
bool controls_in_force_of_kind(struct controls *c, enum control_action action, struct str cell, struct str site, struct str kind,
			       char why[CONTROLS_WHY_SIZE]);

/* The same of a trigger of a site: a control that names a trigger covers it when it is this one; controls that name a kind cover nothing here. */
bool controls_in_force_of_trigger(struct controls *c, enum control_action action, struct str cell, struct str site, struct str trigger,
				  char why[CONTROLS_WHY_SIZE]);

/* The controls in force, sorted by id, in arena: *nr of them. NULL with *err set when memory is short. */
struct control *controls_list(struct controls *c, struct arena *arena, size_t *nr, struct err *err);

enum control_event { CONTROL_EVENT_SET, CONTROL_EVENT_CLEARED, CONTROL_EVENT_EXPIRED };

/* What became of a control, by value: reason and author are the control's own also when it was cleared. */
struct control_change {
	enum control_event event;
	bool by_port; /* the admin port said so; false: the topic, or the clock */
	char id[CONTROL_ID_SIZE];
	char cell[CONTROL_CELL_MAX + 1], site[CONTROL_SITE_MAX + 1]; /* "": its scope names none */
	char reason[CONTROL_REASON_MAX + 1], author[CONTROL_AUTHOR_MAX + 1];
	int64_t expires_ms;
};

/* The next change that was not told yet: true and *out filled, or false. Each is told once. What changes twice between two calls is told
 * as it is in the end, so that a table's history is no news: call it from the main loop, once the tables are loaded. Also forgets what
 * need not be remembered any more. */
bool controls_next_change(struct controls *c, struct control_change *out);

#endif
