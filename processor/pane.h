/* pane.h - the windows of all series that share one start, length and fate.
 *
 * Windows are closed by time, never one by one, so they are kept that way: a pane is closed, emitted and freed whole. On-time panes
 * hold a minute or hour that is open; late panes hold what came after their minute or hour had been closed, and become one more
 * fragment of it. Each window holds a reference to its series.
 *
 * Windows lie in chunks of one size, in the order in which they were made: emission, which looks at all of them, reads memory from one end to the other,
 * and a chunk that is freed fits the next pane. The first is a short one until it is full, when its windows move: of late panes there can be thousands, with
 * a window or two each. Not thread-safe. */
#ifndef MILLRACE_PROCESSOR_PANE_H
#define MILLRACE_PROCESSOR_PANE_H

#include "processor/window.h"

enum pane_class { PANE_MINUTE, PANE_HOUR, PANE_LATE_MINUTE, PANE_LATE_HOUR, NR_PANE_CLASSES };

struct window_chunk;

struct pane {
	enum pane_class class;
	uint32_t number;              /* its own among the panes of a store */
	int64_t start_ms;
	int64_t first_ms, touched_ms; /* late panes: the partition's watermark at the first and the latest sample */
	struct window_chunk **chunks; /* owned */
	size_t nr_chunks, chunks_cap;
	size_t len;                   /* windows */
	uint32_t *slots;              /* where the window of a series is; a power of two of them, or NULL */
	size_t nr_slots;
	uint64_t secret;              /* where a fingerprint leads to: odd, the same as long as there are windows */
	size_t expected;              /* how many windows there will be, as far as one can tell: for slots, once there are some */
	size_t hist_bytes;            /* of their histograms; whoever changes one keeps it true */
	bool is_short;                /* there is one chunk, a short one */
	bool flushed;                 /* it left its list before its time, to make room */
};

/* Panes in order of their start, each start once. */
struct pane_list {
	struct pane **panes; /* owned */
	size_t len, cap;
};

/* Length of a class' windows, and whether it is a late one. */
int64_t pane_length_ms(enum pane_class class);
bool pane_is_late(enum pane_class class); /* see above */

/* An empty pane; NULL when memory is short. watermark_ms: the partition's now. number: unlike that of any other pane whose windows' series are the
 * same. */
struct pane *pane_new(enum pane_class class, uint32_t number, int64_t start_ms, int64_t watermark_ms);

/* Frees the pane and its windows and gives their series back to the table they came from; NULL is a no-op. */
void pane_free(struct pane *pane, struct series_table *series);

/* The series' window in this pane; made, with a reference of its own, when it is new. It stays where it is until the next call. NULL when memory is
 * short. */
struct window *pane_window(struct pane *pane, struct series *series);

/* Adds to a window of this pane as window.h says. */
int pane_add_value(struct pane *pane, struct window *w, int64_t t_ms, double value);
int pane_add_summary(struct pane *pane, struct window *w, const struct summary_sample *s); /* see above */

/* Bytes allocated, without the series'. Looks at no window. */
size_t pane_bytes(const struct pane *pane);

/* Adds all windows of src, which is unchanged, to dst. -1 when memory is short: dst may hold a part of them. */
int pane_merge(struct pane *dst, const struct pane *src);

/* Adds a window of another pane to the series' own, which it returns, as pane_window() does. NULL when memory is short: dst is as it was, or has an empty
 * one more. */
struct window *pane_merge_one(struct pane *dst, const struct window *from);

/* Gives back what a window of this pane does not need. Of a pane that expects nothing, and whose windows are trimmed after each change, pane_bytes() follows
 * from what is in it alone. */
void pane_trim(struct pane *pane, struct window *w);

/* Makes room for n windows in all. -1 when memory is short. */
int pane_reserve(struct pane *pane, size_t n);

/* The next window, in the order in which they were made: *at starts at 0; NULL ends. */
struct window *pane_next(const struct pane *pane, size_t *at);

/* The window at a place in that order; NULL behind the last. */
const struct window *pane_peek(const struct pane *pane, size_t at);

/* Brings a window that pane_next() will come to soon, and its series, into the cache. at: as pane_next() left it. */
void pane_prefetch(const struct pane *pane, size_t at);

/* Brings the place where a series' window is looked up into the cache. */
void pane_prefetch_place(const struct pane *pane, const struct series *series);

/* Frees the list and its panes. */
void pane_list_fini(struct pane_list *list, struct series_table *series);

/* The pane that starts at start_ms, or NULL. */
struct pane *pane_list_find(const struct pane_list *list, int64_t start_ms);

/* Takes pane, whose start is not in the list. -1 when memory is short: it is still the caller's. */
int pane_list_insert(struct pane_list *list, struct pane *pane);

/* Puts pane, which is taken, at the end, whatever its start. -1 when memory is short: it is still the caller's. */
int pane_list_append(struct pane_list *list, struct pane *pane);

/* Takes the pane at an index out; it is the caller's then. */
struct pane *pane_list_take(struct pane_list *list, size_t index);

/* Bytes of all panes, and of the list. */
size_t pane_list_bytes(const struct pane_list *list);

/* Windows in all panes that start before limit_ms. */
size_t pane_list_windows(const struct pane_list *list, int64_t limit_ms);

#endif
