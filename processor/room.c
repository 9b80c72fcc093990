/* room.c - see room.h.
 *
 * Each judgement has two marks, so that it does not change back with the next record. Reading is held up only for what somebody owes and cannot give:
 * were it held up for what no flush frees, it would never go on. */
#include "processor/room.h"

enum {
	ADMIT_MS = 20000,      /* how long a restore waits: some checkpoints of all that is there, with their retries */
	CROWDED_LOW_PART = 10, /* of its mark: how far what cannot be flushed must fall below it */
};

void room_init(struct room *r, const struct shares *shares)
{
	*r = (struct room){.budget = budget_of(shares)};
}

void room_charge(const struct room *r, struct task *const *tasks, size_t nr, size_t reserved_bytes)
{
	budget_charge(&r->budget, tasks, nr, reserved_bytes);
}

void room_look(struct room *r, struct task *const *tasks, size_t nr)
{
	size_t crowd = r->budget.unflushable_bytes;

	r->use = budget_look(tasks, nr);
	r->holding = r->use.state_bytes > (r->holding ? r->budget.high_bytes : r->budget.hard_bytes) && budget_owes(tasks, nr);
	r->crowded = r->use.unflushable_bytes > (r->crowded ? crowd - crowd / CROWDED_LOW_PART : crowd);
}

bool room_admits(struct room *r, struct task *const *tasks, size_t nr, size_t bytes, int64_t mono_ms)
{
	size_t high = r->budget.high_bytes, taken = budget_look(tasks, nr).state_bytes;
	bool admitted = taken <= high && bytes <= high - taken;

	if (!r->wanted_mono_ms)
		r->wanted_mono_ms = mono_ms;
	/* While reading is held up it would wait afterwards, and hold its memory. */
	if (!admitted && !r->holding)
		admitted = !budget_can_give(&r->budget, tasks, nr) || mono_ms - r->wanted_mono_ms >= ADMIT_MS;
	if (admitted)
		r->wanted_mono_ms = 0;
	return admitted;
}
