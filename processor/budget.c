/* budget.c - see budget.h.
 *
 * The high mark lies so far below the hard one that what is taken in one turn, new series all of it, does not pass it: reading is then held up only
 * when what was asked for cannot be given. */
#include "processor/budget.h"

enum {
	TURN_SHARE = 200,      /* of the state: what records may be taken between two looks ... */
	TURN_LEAST = 16 << 10,
	RECORD_GROWTH = 12,    /* ... and how many times its weight a record may make the state grow by: measured, four to ten */
	PANE_BYTES = 600,      /* one with a few windows in it */
	LOW_PERCENT = 80,      /* of the high mark */
	USELESS_SHARE = 8,     /* of the high mark: what all tasks together may keep because no part of it is worth a flush */
	SNAPSHOT_SHARE = 2,    /* of the state that it is of, at most; test_accounting.c looks after both */
	RESTORED_GROWTH = 5,   /* bytes of state for a byte of a snapshot: two to five, by what it is of */
};

struct budget budget_of(const struct shares *shares)
{
	size_t state = shares->bytes[SHARE_STATE], turn = state / TURN_SHARE;

	if (turn < TURN_LEAST)
		turn = TURN_LEAST;
	return (struct budget){
		.hard_bytes = state,
		.high_bytes = state - state / TURN_SHARE * RECORD_GROWTH,
		.low_bytes = (state - state / TURN_SHARE * RECORD_GROWTH) / 100 * LOW_PERCENT,
		.unflushable_bytes = state / 2,
		.growth_bytes = shares->bytes[SHARE_CHECKPOINT] / 2,
		.snapshot_bytes = shares->bytes[SHARE_CHECKPOINT] / 2,
		.turn_bytes = turn,
	};
}

size_t budget_weight(size_t record_bytes, size_t new_panes)
{
	return record_bytes + new_panes * PANE_BYTES / RECORD_GROWTH;
}

size_t budget_grown(size_t weight)
{
	return weight * RECORD_GROWTH;
}

/* Of the series, what baselines, alerts and windows that are kept back hold. One may be counted twice, but no more than there is. */
static size_t held_series_bytes(const struct task *t)
{
	const struct series_table *series = &t->windows.series;
	size_t kept = series->len ? series->bytes / series->len * pane_list_windows(&t->shadow.panes, INT64_MAX) : 0,
	       held = t->baselines.series_bytes + t->alerts.series_bytes + kept;

	return held < series->bytes ? held : series->bytes;
}

/* Series leave with their last window, unless a baseline or an alert holds them: were those asked for, each checkpoint would be followed by the next. Letters
 * leave with every checkpoint. */
static size_t leaving_bytes(const struct task *t)
{
	return t->windows.series.bytes - held_series_bytes(t) + t->letters.bytes;
}

static size_t all_leaving_bytes(const struct task *t)
{
	return task_flushable_bytes(t) + series_lists_bytes(&t->lists) + leaving_bytes(t);
}

size_t budget_flushable(const struct task *t)
{
	return task_is_flushed(t) ? 0 : all_leaving_bytes(t);
}

/* What is left when everything that is on its way out has left. */
static size_t staying_bytes(const struct task *t)
{
	size_t leaving = pane_list_bytes(&t->outbox) + t->specimens.bytes + t->alert_outbox.bytes;

	if (task_is_flushed(t))
		leaving += leaving_bytes(t);
	else if (t->owed_bytes)
		leaving += t->owed_bytes < all_leaving_bytes(t) ? t->owed_bytes : all_leaving_bytes(t);
	return task_bytes(t) - leaving;
}

/* What of its state only time, or the task's end, frees. Of the names, which series share, those that are held have as large a part as of
 * the series. */
static size_t unflushable(const struct task *t)
{
	const struct series_table *series = &t->windows.series;
	size_t held_bytes = held_series_bytes(t);
	double held = series->bytes ? (double)held_bytes / (double)series->bytes : 0;

	return dedup_bytes(&t->dedup) + request_keys_bytes(&t->request_keys) + exemplars_bytes(&t->exemplars) - t->exemplars.held_bytes +
	       baselines_bytes(&t->baselines) + task_alerting_bytes(t) + held_bytes + (size_t)(held * (double)names_bytes(&series->names));
}

/* What its next snapshot takes, about: what goes out is not in it. Exemplars stand in it as they do in memory. */
static size_t snapshot_bytes(const struct task *t)
{
	size_t staying = staying_bytes(t), held = task_is_flushed(t) || t->owed_bytes ? 0 : t->exemplars.held_bytes;

	return staying / SNAPSHOT_SHARE + held / SNAPSHOT_SHARE;
}

static size_t larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

struct budget_use budget_look(struct task *const *tasks, size_t nr)
{
	struct budget_use use = {0};

	for (size_t i = 0; i < nr; i++) {
		if (!tasks[i])
			continue;
		use.state_bytes += task_bytes(tasks[i]);
		use.unflushable_bytes += unflushable(tasks[i]);
		use.growth_bytes = larger(use.growth_bytes, window_store_growth(&tasks[i]->windows));
		use.snapshot_bytes = larger(use.snapshot_bytes, snapshot_bytes(tasks[i]));
	}
	return use;
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

/* Less than this of one task is not worth a flush. */
static size_t useless_bytes(const struct budget *b, struct task *const *tasks, size_t nr)
{
	size_t nr_ours = 0;

	for (size_t i = 0; i < nr; i++)
		nr_ours += tasks[i] != NULL;
	return nr_ours ? b->high_bytes / USELESS_SHARE / nr_ours : 0;
}

/* What is going to be taken beyond what there is: by a restore, and by the largest checkpoint as far as its share is too small for it. */
static size_t coming_bytes(const struct budget *b, struct task *const *tasks, size_t nr, size_t reserved_bytes)
{
	struct budget_use use = budget_look(tasks, nr);

	return reserved_bytes + larger(use.growth_bytes, b->growth_bytes) - b->growth_bytes + larger(use.snapshot_bytes, b->snapshot_bytes) -
	       b->snapshot_bytes;
}

void budget_charge(const struct budget *b, struct task *const *tasks, size_t nr, size_t reserved_bytes)
{
	size_t total = coming_bytes(b, tasks, nr, reserved_bytes), useless;
	struct task *t;

	for (size_t i = 0; i < nr; i++)
		total += tasks[i] ? staying_bytes(tasks[i]) : 0;
	if (total <= b->high_bytes)
		return;
	useless = useless_bytes(b, tasks, nr);
	while (total > b->low_bytes && (t = largest(tasks, nr, useless)) != NULL) {
		size_t bytes = budget_flushable(t), over = total - b->low_bytes;

		t->owed_bytes = bytes < over ? bytes : over;
		total -= t->owed_bytes;
	}
}

bool budget_owes(struct task *const *tasks, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (is_able(tasks[i]) && (tasks[i]->owed_bytes || tasks[i]->outbox.len || tasks[i]->specimens.nr || tasks[i]->alert_outbox.nr ||
					 tasks[i]->letters.nr))
			return true;
	return false;
}

bool budget_can_give(const struct budget *b, struct task *const *tasks, size_t nr)
{
	return budget_owes(tasks, nr) || largest(tasks, nr, useless_bytes(b, tasks, nr)) != NULL;
}

size_t budget_restored(int64_t snapshot_bytes)
{
	if (snapshot_bytes > INT64_MAX / 16) /* whoever sets offsets can say anything */
		snapshot_bytes = INT64_MAX / 16;
	return (size_t)snapshot_bytes * (1 + RESTORED_GROWTH);
}
