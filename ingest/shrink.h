/* shrink.h - has a table lost half of its rows within a few minutes?
 *
 * Remembers how many there were at the steps of a sliding window. Not thread-safe: one owner. */
#ifndef MILLRACE_INGEST_SHRINK_H
#define MILLRACE_INGEST_SHRINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SHRINK_FLOOR = 4, SHRINK_WINDOW_MS = 300000, SHRINK_STEPS = 10 };

/* Zeroed: there were none. */
struct shrink {
	size_t counts[SHRINK_STEPS]; /* at the window's steps, oldest first */
	int64_t step_at_ms;          /* when the next step is due */
};

/* Forgets: there have always been count. */
void shrink_reset(struct shrink *s, size_t count, int64_t mono_ms);

/* Moves the window on to mono_ms; count is how many there are now. */
void shrink_roll(struct shrink *s, size_t count, int64_t mono_ms);

/* How many there were when the window began, SHRINK_WINDOW_MS ago (or a step less, as counts are taken at steps). */
size_t shrink_before(const struct shrink *s);

/* Is the way from before to after a shrink that needs an operator's word? To fewer than half it is, and to none. From less than SHRINK_FLOOR
 * any number may go as long as one stays, and the only one may go: a small installation is made and unmade by hand. */
bool shrink_refused(size_t before, size_t after);

#endif
