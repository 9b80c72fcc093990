/* recovery.h - how long until a group has caught up, from how far it was at successive moments.
 *
 * Drain and arrival rates are those between the oldest and the newest of the samples kept, which span RECOVERY_SAMPLES surveys; what waits,
 * divided by their difference, is the time. Commits come in steps, so one pair of neighbours says little; the ends of a longer span say it within a step
 * of both. A standstill ends the span: rates from before it, and the zeros in it, say nothing of what comes after. Pure; times are virtual. */
#ifndef MILLRACE_STATUS_RECOVERY_H
#define MILLRACE_STATUS_RECOVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RECOVERY_SAMPLES = 12 };

struct recovery_sample {
	int64_t at_ms, committed, end, waiting; /* sums over the group's partitions, in records */
};

/* Zeroed it knows nothing. */
struct recovery {
	struct recovery_sample samples[RECOVERY_SAMPLES]; /* oldest first */
	size_t nr;
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
