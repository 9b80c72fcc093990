/* recovery.h - how long until a group has caught up, from how far it was at successive moments.
 *
 * The time is what waits, divided by how much faster it drains than it is filled. Both rates are measured over spans of their own:
 *
 *  Drain: from the first to the last of RECOVERY_EDGES samples, RECOVERY_EDGE_MS or more apart, in which more was committed than in the one before. Commits come
 *  in steps, of seconds or of half a minute, and from step to step the rate is right whatever their rhythm is; from any moment to any other it is not. A
 *  standstill of four times the rhythm forgets them: rates from before it, and the zeros in it, say nothing of what comes after.
 *  Arrival: over the last RECOVERY_ARRIVALS samples that are RECOVERY_ARRIVAL_MS apart, five minutes or more, as minutes are emitted in bursts; it goes on
 *  while nothing drains.
 *
 * Pure; times are virtual. Offsets may go backwards (an operator's reset, topics made anew): that begins a new story. */
#ifndef MILLRACE_STATUS_RECOVERY_H
#define MILLRACE_STATUS_RECOVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RECOVERY_EDGES = 12, RECOVERY_EDGE_MS = 5000, RECOVERY_ARRIVALS = 20, RECOVERY_ARRIVAL_MS = 15000 };

struct recovery_sample {
	int64_t at_ms, committed, end, waiting; /* sums over the group's partitions, in records */
};

/* Zeroed it knows nothing. */
struct recovery {
	struct recovery_sample edges[RECOVERY_EDGES], arrivals[RECOVERY_ARRIVALS]; /* oldest first */
	size_t nr_edges, nr_arrivals;
	struct recovery_sample newest;
	bool begun;             /* there is a newest */
	int64_t still_since_ms; /* 0: it moves, or nothing waits */
};

/* Takes a moment of a group all of whose partitions answered. One that is not later than the last is passed over. */
void recovery_take(struct recovery *r, const struct recovery_sample *s);

/* Until nothing waits, as it drains now; 0: nothing waits; -1: it does not become less, or too little is known. */
int64_t recovery_ms(const struct recovery *r);

/* What waits becomes less. */
bool recovery_is_draining(const struct recovery *r);

/* For how long nothing was committed though something waits; 0: it moves, or nothing waits. */
int64_t recovery_still_ms(const struct recovery *r);

#endif
