/* lines.h - events as lines of JSON, as they come from the Unix stream socket (inlets.h).
 *
 * A line is one object with one event in it, under its kind, with the fields that schemas/push.proto gives it:
 *     {"error": {"class": "IOError", "message": "disk is gone", "action": "Jobs#run", "backtrace": [{"file": "a.rb", "line": 7}]}}
 *     {"transaction": {"action": "Orders#show", "duration_ms": 12.5}}   {"marker": {"revision": "a1b2c3"}}
 *     {"check_in": {"name": "nightly", "kind": "cron", "event": "start"}}
 * Strict as ingest's own JSON is: a known field of the wrong type, or one that stands there twice, refuses the line; null means left
 * out; fields nobody here knows are skipped. `t` left out is now. In tags, params and metadata a value that is no string is taken as its
 * JSON text. U+0000 and halves of surrogate pairs, which no text can carry, become U+FFFD. Empty lines are nothing.
 *
 * Nobody is answered: a client writes and goes on. Each refused line is counted by its reason, and logged at a bounded rate.
 * Not thread-safe: one owner. */
#ifndef MILLRACE_AGENT_LINES_H
#define MILLRACE_AGENT_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/str.h"
#include "ingest/agent/event_queue.h"

enum {
	LINES_MAX_BYTES = 64 << 10, /* of a line, without its end */
	LINES_DEPTH_MAX = 32,       /* objects and arrays in one another; our own need five, a nested parameter may need more */
};

#define LINES_PAST_MS (INT64_C(48) * 3600 * 1000) /* a `t` this far back .. */
#define LINES_FUTURE_MS (INT64_C(10) * 60 * 1000) /* .. to this far ahead is taken, as ingest does */

enum lines_reason {
	LINES_TOO_LONG,      /* more than LINES_MAX_BYTES */
	LINES_BAD_JSON,      /* not one well-formed object, or not UTF-8 */
	LINES_TOO_DEEP,      /* more than LINES_DEPTH_MAX */
	LINES_KIND_UNKNOWN,  /* no event under a kind we know, or more than one */
	LINES_BAD_FIELD,     /* wrong type, or twice there */
	LINES_FIELD_MISSING, /* an event needs it: class, action and duration_ms, revision, or name, kind and event */
	LINES_BAD_VALUE,     /* out of its range, or longer than it may be */
	LINES_BAD_TAGS,      /* more than 32, or a key or value that is none */
	LINES_BAD_TIME,      /* too old or too new */
	LINES_TOO_LARGE,     /* too many things in one line */
	LINES_NO_ROOM,       /* the queue is full */
	NR_LINES_REASONS
};

struct lines_figures {
	uint64_t accepted; /* lines that became events */
	uint64_t refused[NR_LINES_REASONS];
};

struct lines_refusal {
	enum lines_reason reason;
	char text[256]; /* what and where: "error.backtrace[3].line: an integer is expected"; never the line's own values */
};

struct lines;

/* Borrows all of them. NULL with *err set when memory is short. */
struct lines *lines_new(struct event_queue *queue, const struct clock *clock, const struct log *log, struct err *err);
void lines_free(struct lines *l); /* NULL is a no-op */

/* Takes one line, without its end. True: its event is in the queue, or the line is empty; false: counted, logged, and *no says why. no may
 * be NULL. */
bool lines_take(struct lines *l, struct str line, struct lines_refusal *no);

/* Of all lines so far. */
void lines_figures(const struct lines *l, struct lines_figures *out);

/* "too_long", ..: a label. */
const char *lines_reason_name(enum lines_reason reason);

#endif
