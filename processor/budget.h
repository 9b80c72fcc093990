/* budget.h - who must give memory back, and how much. Pure.
 *
 * When the state of all tasks together passes its limit, those with the most to give are told to (struct task, owed_bytes), until what is
 * left would be under a low mark: so it does not begin again with the next record. What they owe makes their checkpoint due; it closes what
 * is due anyway, and flushes windows only when that is not enough. Nobody is told twice before his flush is committed.
 *
 * What a flush cannot give (dedup, request keys, baselines and their series) counts as well: when it alone is over the limit, the rest still
 * goes out, but never in parts so small that every record would make a checkpoint. */
#ifndef MILLRACE_PROCESSOR_BUDGET_H
#define MILLRACE_PROCESSOR_BUDGET_H

#include "processor/task.h"

struct budget {
	size_t high_bytes, low_bytes;
};

/* The marks that follow from the setting memory.budget. */
struct budget budget_of(int64_t memory_budget_bytes);

/* Record bytes that may be taken between two looks: few enough that the state they make does not run far over the high mark. */
size_t budget_turn_bytes(int64_t memory_budget_bytes);

/* Bytes of a task that its flush would free, with the commit. 0 when one is under way. */
size_t budget_flushable(const struct task *t);

/* Sets owed_bytes of the tasks that must give, among nr slots of which any may be NULL. */
void budget_charge(const struct budget *b, struct task *const *tasks, size_t nr);

#endif
