/* budget.c - see budget.h.
 *
 * Of memory.budget the program takes some 20 MiB as it is, with its clients idle. Of the rest the state may be a quarter: while it is emptied it grows by
 * half, as open minutes are folded into their hours first; malloc takes more than it is asked for, and keeps what is freed for a while; both clients' queues
 * are sized from the budget too, an eighth each, which their own bookkeeping doubles. (Measured on a catch-up: tests/e2e/test_budget.py.) */
#include "processor/budget.h"

enum {
	PROGRAM_BYTES = 20 << 20,
	STATE_SHARE = 4,     /* of what is left of memory.budget */
	LOW_PERCENT = 80,
	USELESS_SHARE = 8,   /* of the high mark: what all tasks together may keep because no part of it is worth a flush */
	TURN_SHARE = 32,     /* of the high mark: a record's samples may take 15 times its bytes when all of them are new series */
};

struct budget budget_of(int64_t memory_budget_bytes)
{
	size_t high = (size_t)(memory_budget_bytes - PROGRAM_BYTES) / STATE_SHARE; /* the setting's least is 32 MiB */

	return (struct budget){.high_bytes = high, .low_bytes = high / 100 * LOW_PERCENT};
}

size_t budget_turn_bytes(int64_t memory_budget_bytes)
{
	return budget_of(memory_budget_bytes).high_bytes / TURN_SHARE;
}

/* Series leave with their last window, unless a baseline holds them: were those asked for, each checkpoint would be followed by the next. */
static size_t leaving_series_bytes(const struct task *t)
{
	return t->windows.series.bytes - t->baselines.series_bytes;
}

static size_t windows_bytes(const struct task *t)
{
	return window_store_bytes(&t->windows) + leaving_series_bytes(t);
}

size_t budget_flushable(const struct task *t)
{
	return task_is_flushed(t) ? 0 : windows_bytes(t);
}

/* What stays when everything that is on its way out has left. */
static size_t staying_bytes(const struct task *t)
{
	size_t leaving = pane_list_bytes(&t->outbox);

	if (task_is_flushed(t))
		leaving += leaving_series_bytes(t);
	else if (t->owed_bytes)
		leaving += t->owed_bytes < windows_bytes(t) ? t->owed_bytes : windows_bytes(t);
	return task_bytes(t) - leaving;
}

/* Can its checkpoint be made? */
static bool is_able(const struct task *t)
{
	return t && (t->phase == TASK_RUNNING || t->phase == TASK_HELD);
}

/* The able task with the most to give that owes nothing yet; NULL when nobody has min_bytes. */
static struct task *largest(struct task *const *tasks, size_t nr, size_t min_bytes)
{
	struct task *found = NULL;

	for (size_t i = 0; i < nr; i++) {
		size_t bytes = is_able(tasks[i]) && !tasks[i]->owed_bytes ? budget_flushable(tasks[i]) : 0;

		if (bytes > 0 && bytes >= min_bytes) {
			found = tasks[i];
			min_bytes = bytes + 1;
		}
	}
	return found;
}

void budget_charge(const struct budget *b, struct task *const *tasks, size_t nr)
{
	size_t total = 0, nr_ours = 0;
	struct task *t;

	for (size_t i = 0; i < nr; i++) {
		nr_ours += tasks[i] != NULL;
		total += tasks[i] ? staying_bytes(tasks[i]) : 0;
	}
	if (total <= b->high_bytes)
		return;
	while (total > b->low_bytes && (t = largest(tasks, nr, b->high_bytes / USELESS_SHARE / nr_ours)) != NULL) {
		size_t bytes = budget_flushable(t), over = total - b->low_bytes;

		t->owed_bytes = bytes < over ? bytes : over;
		total -= t->owed_bytes;
	}
}
