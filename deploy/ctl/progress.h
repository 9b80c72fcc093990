/* progress.h - what a command that takes long is at, on standard error.
 *
 * Most commands end within a second and say nothing. On a terminal the line comes after one second, is brought up to date in place, and is
 * gone when the step ends; elsewhere (a script's log) there is a line every five seconds, and the first one after five. Calls that block
 * inside a library are told of too: a thread of its own writes. Nothing else may go to the terminal between progress_begin() and
 * progress_end() but after progress_hide(). A NULL pointer is "nobody wants to know": all functions take it. */
#ifndef MILLRACE_CTL_PROGRESS_H
#define MILLRACE_CTL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/str.h"

enum { PROGRESS_WHAT_SIZE = 192, PROGRESS_LINE_SIZE = PROGRESS_WHAT_SIZE + 96 };

/* What is shown when: the whole of it but the thread. Times are monotonic milliseconds, handed in. Zeroed, but for terminal, is ready: the
 * command begins at begun_ms. */
struct progress_state {
	bool terminal;
	int64_t begun_ms;      /* of the command: a second is one of the operator's */
	int64_t next_ms;       /* when a line may be written next; 0: see begun_ms */
	bool shown;            /* a line stands on the terminal */
	char what[PROGRESS_WHAT_SIZE]; /* "": nothing is being done */
	uint64_t done, total;  /* total 0: not known; both 0: nothing to count */
	const char *unit;      /* "records" */
};

/* Appends what is to be written at this time, perhaps nothing. */
void progress_tick(struct progress_state *s, int64_t now_ms, struct buf *out);

/* Likewise, while the step goes on: nothing is shown for a second. */
void progress_pause(struct progress_state *s, int64_t now_ms, struct buf *out);

/* The step has ended: appends what takes the line from the terminal, if one stands there. */
void progress_clear(struct progress_state *s, struct buf *out);

struct progress;

/* One that writes to out, which is borrowed. NULL when memory or threads are short: then nothing is told. */
struct progress *progress_new(FILE *out, bool terminal);

/* Ends the step and the thread, and frees; NULL is a no-op. */
void progress_free(struct progress *p);

/* A step begins: "reading millrace.deadletter". It is in place of the one before. Foreign bytes are made printable. */
void progress_begin(struct progress *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* How far it is: "12,000 of 40,000 records". total 0: not known. unit is borrowed for ever. Cheap: call it for each record. */
void progress_count(struct progress *p, uint64_t done, uint64_t total, const char *unit);

/* Something is about to be printed while the step goes on: takes the line away, for a second at least. */
void progress_hide(struct progress *p);

/* The step is over, and the terminal is as it was. */
void progress_end(struct progress *p);

#endif
