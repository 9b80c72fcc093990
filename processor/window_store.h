/* window_store.h - all open windows of one partition, and the one rule by which they close.
 *
 * Invariants:
 *  I1  The store is a pure function of the snapshot it was restored from, the samples added since, and the closings: it
 *      reads no clock. Closing happens at checkpoints only (checkpoint.h, rule A).
 *  I2  A minute is closed once: what starts before closed_ms is late from then on, whatever the watermark does, and becomes one more
 *      fragment. An hour is closed when closed_ms has reached its end, so always after all of its minutes.
 *  I3  Each sample is in exactly one minute fragment and exactly one hour fragment. On time: in its minute's pane, whose closing folds it
 *      into the hour's. Late: in its late minute pane and at once in its hour's, or in the late hour pane when that is closed.
 *      So, when everything has been emitted: sum over minutes == sum over hours == input. A flush changes nothing of this: what it
 *      hands over is a fragment like any other, and what comes later for the same windows is one more.
 * Not thread-safe: its task owns it. */
#ifndef MILLRACE_PROCESSOR_WINDOW_STORE_H
#define MILLRACE_PROCESSOR_WINDOW_STORE_H

#include "common/err.h"
#include "processor/pane.h"

struct window_store {
	struct series_table series;
	struct pane_list panes[NR_PANE_CLASSES];
	uint32_t panes_made;
	size_t lengthened; /* panes whose first chunk was a short one and is not any more, so far */
	int64_t closed_ms; /* a full minute; minutes that start before it are closed (I2) */
};

#define WINDOW_STORE_INIT {.series = SERIES_TABLE_INIT}

/* When late panes go out: when no sample has reached one for idle_ms, at the latest max_ms after its first. Event time. */
struct late_rules {
	int64_t idle_ms, max_ms;
};

/* Frees everything. Panes that were closed must have been freed before: their series live here. */
void window_store_fini(struct window_store *ws);

/* A new pane of a class, whose start no pane of that class has yet. NULL when memory is short. */
struct pane *window_store_new_pane(struct window_store *ws, enum pane_class class, int64_t start_ms, int64_t watermark_ms);

/* A pane of a minute that is in no list of the store's, for copies of windows; the caller's. NULL when memory is short. */
struct pane *window_store_lone_pane(struct window_store *ws, int64_t start_ms);

/* Brings what the next sample of a series will need behind its window of the minute, which is there already: its histogram, or, where that is another
 * minute's, the place where the new one will be. */
void window_store_prefetch(const struct window_store *ws, const struct series *series);

/* Adds one sample of a series that was taken from ws->series; t_ms >= 0. watermark_ms: the partition's now, which late panes remember.
 * 1 when it was late, 0 when not, -1 with ERR_FATAL when memory is short: the store is unusable then, the process must end. */
int window_store_add_value(struct window_store *ws, struct series *series, int64_t t_ms, double value, int64_t watermark_ms,
			   struct err *err);

/* The same for what an agent has merged, which intake has checked. */
int window_store_add_summary(struct window_store *ws, struct series *series, const struct summary_sample *s, int64_t watermark_ms,
			     struct err *err);

/* Would window_store_close() with these arguments hand over any window? */
bool window_store_due(const struct window_store *ws, int64_t closed_ms, int64_t watermark_ms, const struct late_rules *late);

/* How many windows of minutes are due; a measure of the work. */
size_t window_store_due_windows(const struct window_store *ws, int64_t closed_ms);

/* Closes all minutes and hours that end at or before closed_ms (a full minute; an older one than the present closes nothing), oldest first, and the
 * late panes whose time has come by watermark_ms. Appends their panes to out, whose they are then. -1 with ERR_FATAL as above. */
int window_store_close(struct window_store *ws, int64_t closed_ms, int64_t watermark_ms, const struct late_rules *late,
		       struct pane_list *out, struct err *err);

/* Makes room: hands over all panes, open and late, marked as flushed, and closes nothing. Open minutes are folded into their hours before.
 * Their panes are out's then. -1 with ERR_FATAL as above. */
int window_store_flush(struct window_store *ws, struct pane_list *out, struct err *err);

/* How many panes there are: each takes half a KiB, however little is in it. One that has come to more than a few windows, so far, has taken a page, and
 * counts for so many more. */
enum { WINDOW_STORE_LONG_PANE = 7 };

/* See above. */
static inline size_t window_store_panes(const struct window_store *ws)
{
	return ws->lengthened * WINDOW_STORE_LONG_PANE + ws->panes[PANE_MINUTE].len + ws->panes[PANE_HOUR].len +
	       ws->panes[PANE_LATE_MINUTE].len + ws->panes[PANE_LATE_HOUR].len;
}

/* By how many bytes the hours may grow when all minutes are closed into them, which comes before anything of it is freed: each by a window of what
 * a minute's takes for every series of its minutes that it may not have yet. About, and rather too much. Looks at no window. */
size_t window_store_growth(const struct window_store *ws);

/* Bytes of all panes; the series come on top. */
size_t window_store_bytes(const struct window_store *ws);

#endif
