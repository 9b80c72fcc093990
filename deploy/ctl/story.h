/* story.h - what happened between two times, from the operator log and the incidents, as Markdown to go on writing.
 *
 * Notices and incidents are taken in any order; what is outside of the times, of another cell or another site is passed over. Pure but for memory. Not
 * thread-safe. */
#ifndef MILLRACE_CTL_STORY_H
#define MILLRACE_CTL_STORY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/str.h"
#include "deploy/ctl/json_write.h"
#include "schemas/schemas.h"

enum { STORY_LINES_MAX = 5000, STORY_INCIDENTS_MAX = 1000 };

struct story_line;

struct story {
	int64_t from_ms, to_ms;  /* [from, to) */
	const char *cell, *site; /* NULL: all. Borrowed, as the next is */
	const char *cells;       /* the names of those that were looked at, for the head */
	struct story_line *lines, *incidents;
	size_t nr_lines, nr_incidents, nr_open;
	size_t left_out;         /* lines: only the newest STORY_LINES_MAX are kept; of incidents the first are */
	uint64_t nr_taken;
};

/* Frees what was taken. */
void story_fini(struct story *s);

/* Takes a line of the operator log; copies. */
int story_take_notice(struct story *s, const struct notice *notice, struct err *err);

/* Takes an incident: its opening and its end, where they are within the times, and a row if it was open within them. */
int story_take_incident(struct story *s, const struct incident *incident, struct err *err);

/* Appends all of it, in order of time. -1 with *err set when memory is short. */
int story_print(struct story *s, struct buf *out, struct err *err);

/* Likewise, as members of the object that is open. */
void story_write(struct story *s, struct json_writer *w);

/* Appends text so that Markdown shows it as it is, in one line; control characters become "?". */
void story_escape(struct str text, struct buf *out);

#endif
