/* room.c - see room.h.
 *
 * Each judgement has two marks, so that it does not change back with the next record. Reading is held up only for what somebody owes and cannot give:
 * were it held up for what no flush frees, it would never go on. */
#include "processor/room.h"

enum {
	LOOK_MS = 1000,
	ADMIT_MS = 20000,      /* how long a restore waits: some checkpoints of all that is there, with their retries */
	CROWDED_LOW_PART = 10, /* of its mark: how far what cannot be flushed must fall below it */
};

void room_init(struct room *r, const struct shares *shares)
{
	*r = (struct room){.budget = budget_of(shares)};
}

bool room_due(struct room *r, size_t reserved_bytes, int64_t mono_ms)
{
	const struct budget *b = &r->budget;
	size_t coming = r->use.growth_bytes + r->use.snapshot_bytes + budget_grown(r->weight);
	bool changed = reserved_bytes != r->reserved_bytes;

	r->reserved_bytes = reserved_bytes;
	return changed || r->holding || mono_ms - r->looked_mono_ms >= LOOK_MS || r->use.state_bytes + reserved_bytes + coming > b->high_bytes;
}

void room_charge(const struct room *r, struct task *const *tasks, size_t nr)
{
	budget_charge(&r->budget, tasks, nr, r->reserved_bytes);
}

void room_look(struct room *r, struct task *const *tasks, size_t nr, int64_t mono_ms)
{
	size_t crowd = r->budget.unflushable_bytes;

	r->use = budget_look(tasks, nr);
	r->looked_mono_ms = mono_ms;
	r->weight = 0;
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
