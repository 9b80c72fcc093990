/* slots.h - when a slot of 30 s is over and what is to be cut then, whatever the clock does. Virtual times; one owner. */
#ifndef MILLRACE_AGENT_SLOTS_H
#define MILLRACE_AGENT_SLOTS_H

#include <stdint.h>

enum {
	SLOTS_MS = 30000,
	SLOTS_SETTLED_MS = 2 * SLOTS_MS, /* an open slot that ends later than this is one of before the clock was set back */
};

struct slots {
	int64_t end_ms; /* of the open slot */
	uint64_t late;  /* flushes more than SLOTS_SETTLED_MS after their slot's end */
};

/* The end of the slot that now_ms lies in. */
int64_t slots_end_after(int64_t now_ms);

/* What to cut now, as store_cut() takes it: all slots up to that end, INT64_MAX for all there are, 0 for nothing yet. flush_at_ms is when
 * the open slot's flush is due. If something is to be cut, the slot of now_ms is the open one from now on. */
int64_t slots_due(struct slots *s, int64_t now_ms, int64_t flush_at_ms);

#endif
