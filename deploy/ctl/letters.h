/* letters.h - reading millrace.deadletter: the letters that a command is about, one after the other, each with what has become of it.
 *
 * A letter's id is its offset there. A letter holds a whole record, so they are not gathered in memory. */
#ifndef MILLRACE_CTL_LETTERS_H
#define MILLRACE_CTL_LETTERS_H

#include "deploy/ctl/ctl.h"
#include "deploy/ctl/letter_ids.h"
#include "deploy/ctl/letter_marks.h"

/* How far back commands look by default: the retention of the topic, and the segment that is still to be closed. */
#define LETTERS_SINCE "15d"

struct letter {
	int64_t id;
	const char *fault;              /* why it cannot be read; NULL: record holds it */
	struct dead_letter record;      /* zeroes with a fault */
	const struct letter_mark *mark; /* NULL: open */
};

/* What is wanted. Fields that are not set let everything pass. */
struct letter_filter {
	struct letter_ids ids;
	const char *topic; /* whole, or its last part */
	const char *cell;
	const char *code;
	int64_t since_ms;  /* virtual; letters that cannot be read have no time */
	bool named;        /* an option narrows it, so that it may be acted on */
	bool open_only;
};

/* Fills a filter from the operands (ids) and the options --topic, --cell, --code, --since. With ids, --since has no default.
 * Free with letter_filter_fini(), also after -1. */
int letter_filter_init(struct letter_filter *f, const struct ctl *ctl, struct err *err);
void letter_filter_fini(struct letter_filter *f); /* see above */

/* Does it let a letter pass? */
bool letter_filter_passes(const struct letter_filter *f, const struct letter *letter);

/* The cell's name in "millrace.c.CELL.NAME", and NAME; false when it is no such topic. Borrow topic. */
bool letter_topic_split(struct str topic, struct str *cell, struct str *name);

/* The state of a letter. */
enum letter_state letter_state(const struct letter *letter);

/* Writes members of the object that is open: all but key, headers and value; of one that cannot be read, why. */
void letter_write_head(struct json_writer *w, const struct letter *letter);

/* Takes a letter; borrows it. 0 goes on, 1 ends the reading, -1 with *err set too. */
typedef int (*letter_fn)(void *ctx, const struct letter *letter, struct err *err);

/* Hands over what passes the filter, oldest first, up to the topic's end as it is now; the marks are those at the beginning. */
int letters_each(struct ctl *ctl, const struct letter_filter *f, letter_fn fn, void *ctx, struct err *err);

#endif
