/* shadow.h - windows that a flush took out of open minutes, kept back for the triggers.
 *
 * A flush by the budget hands over windows before their minute is judged (window_store.h). What triggers will ask about is copied here first, and is judged together
 * with what comes later for the same minute; none of it is emitted. A minute of which nothing is kept has an empty pane here: what a trigger that comes later asks
 * about is gone. It is freed when its minute has been judged. When it takes more than it may, the
 * largest minute goes, and is then unknown to all triggers (quiet.h).
 * Not thread-safe: its task owns it. */
#ifndef MILLRACE_PROCESSOR_SHADOW_H
#define MILLRACE_PROCESSOR_SHADOW_H

#include "processor/quiet.h"
#include "processor/rules.h"
#include "processor/window_store.h"

/* Starts zeroed. */
struct shadow {
	struct pane_list panes; /* of minutes; their windows hold their series */
	size_t max_bytes;
};

/* Frees everything. */
void shadow_fini(struct shadow *s, struct series_table *series);

/* Copies the windows of open minutes whose series have triggers. rules NULL: there are none. -1 with ERR_FATAL when memory is short. */
int shadow_take(struct shadow *s, struct window_store *ws, struct rules *rules, struct quiet *quiet, struct err *err);

/* Adds what the store has of a minute, of series with triggers, to what is kept of it. Returns that; NULL: nothing is kept of it, *err is untouched unless
 * memory is short. */
struct pane *shadow_complete(struct shadow *s, struct window_store *ws, struct rules *rules, int64_t minute_ms, struct err *err);

/* The minute has been judged. */
void shadow_drop(struct shadow *s, struct series_table *series, int64_t minute_ms);

/* The number of the set of triggers that a series has, asked for once; 0 when memory is short. */
uint32_t shadow_rules_of(struct rules *rules, struct series *series);

/* Bytes allocated, without the series. */
size_t shadow_bytes(const struct shadow *s);

#endif
