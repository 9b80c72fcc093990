/* room.h - what is done about memory while the program runs: budget.h says how much there is, here is who has to wait for it.
 *
 *  - Reading is held up while the state is over its share and what would make room waits for a transaction: with no coordinator, nothing that is
 *    read could be got rid of. It goes on when there is room again.
 *  - A restore waits, before it reads anything, until there is room for what it is going to take. It does not wait for ever: a partition that alone
 *    is larger than the share is restored all the same, and gives at once.
 *  - What no flush frees is watched: over its half, the state is crowded, and new series go to overflow series (series_caps.h).
 * Not thread-safe: one owner. */
#ifndef MILLRACE_PROCESSOR_ROOM_H
#define MILLRACE_PROCESSOR_ROOM_H

#include "processor/budget.h"

struct room {
	struct budget budget;
	struct budget_use use;     /* at the last look */
	bool holding;              /* nothing may be read */
	bool crowded;              /* more than its half is what cannot be flushed */
	int64_t looked_mono_ms;    /* when that was; 0: never */
	size_t weight;             /* of the records that were taken since (budget_weight()) */
	size_t reserved_bytes;     /* for a restore, and what triggers take */
	int64_t wanted_mono_ms;    /* since when a restore waits for room; 0: none does */
};

/* No partition yet. */
void room_init(struct room *r, const struct shares *shares);

/* Can it be that a mark has been passed since the last look? Looking at all panes of all partitions at each turn would cost more than it tells:
 * a second may pass while what was taken cannot have come to anything. reserved_bytes: what a restore is going to take, and what is there beside the state. mono_ms: real time now. */
bool room_due(struct room *r, size_t reserved_bytes, int64_t mono_ms);

/* Then, before checkpoints: tells those who must give (budget_charge()). */
void room_charge(const struct room *r, struct task *const *tasks, size_t nr);

/* And after them: looks at what is left, and judges anew whether reading is held up and the state crowded. */
void room_look(struct room *r, struct task *const *tasks, size_t nr, int64_t mono_ms);

/* May a restore that is going to take so many bytes begin to read? False: ask again at the next turn. mono_ms: real time now. */
bool room_admits(struct room *r, struct task *const *tasks, size_t nr, size_t bytes, int64_t mono_ms);

#endif
