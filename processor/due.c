/* due.c - see due.h.
 *
 * The stagger delays only the question "is it time?": once it is, everything that is due without the stagger is closed too. So partitions
 * close the same windows at different times, and a transaction of several does not close more of one than of another. */
#include "processor/due.h"

#include "processor/judge.h"

/* Many rows of triggers may change at once. Real. */
enum { RULES_WAIT_MS = 1000 };

/* More than this in letters that wait, and a checkpoint is due: a flood of poison must not be held in memory. */
enum { LETTERS_BYTES_MAX = 4 << 20, LETTERS_WAIT_MS = 5000 };

/* Real time, as Kafka's: offsets.retention.minutes is seven days, and nobody sets less than one. */
enum { COMMIT_AGAIN_MS = 3600000 };

struct late_rules due_late_rules(const struct due_rules *rules)
{
	return (struct late_rules){rules->conf->late_idle_ms, rules->conf->late_max_ms};
}

int64_t due_max_age_ms(const struct due_rules *rules)
{
	int64_t least_ms = rules->conf->grace_ms + rules->conf->stagger_ms + CLOCK_MINUTE_MS;

	return rules->conf->alerts_max_age_ms > least_ms ? rules->conf->alerts_max_age_ms : least_ms;
}

int64_t due_stagger_ms(const struct due_rules *rules, int32_t partition)
{
	int32_t nr = rules->partitions > 0 ? rules->partitions : 1;

	return rules->conf->stagger_ms * (partition % nr) / nr;
}

/* Up to which minute windows are closed at a watermark. */
static int64_t closed_at(const struct due_rules *rules, int64_t watermark_ms)
{
	int64_t closed_ms = watermark_ms - rules->conf->grace_ms;

	return closed_ms < 0 ? 0 : closed_ms - closed_ms % CLOCK_MINUTE_MS;
}

static bool windows_due(const struct due_rules *rules, const struct task *t, int64_t watermark_ms)
{
	struct late_rules late = due_late_rules(rules);
	int64_t staggered_ms = watermark_ms - due_stagger_ms(rules, t->partition), closed_ms = closed_at(rules, staggered_ms);

	if (closed_ms > t->windows.closed_ms && judge_wants_minutes(&t->alerts, t->kind == INPUT_EVENTS))
		return true;
	return window_store_due(&t->windows, closed_ms, staggered_ms, &late) || exemplars_due(&t->exemplars, closed_ms, staggered_ms) > 0;
}

/* Catching up: is the checkpoint due by time or by size? The budget makes it due as well; that it does not do so late in a large budget, when one
 * transaction could not take all of it before its deadline, is what the count is for. */
static bool catchup_due(const struct due_rules *rules, const struct task *t, int64_t mono_ms)
{
	int64_t closed_ms = closed_at(rules, t->watermark_ms);

	return mono_ms - t->checkpoint_mono_ms >= rules->conf->catchup_interval_ms ||
	       window_store_due_windows(&t->windows, closed_ms) + exemplars_due(&t->exemplars, closed_ms, t->watermark_ms) >= (size_t)rules->conf->catchup_windows;
}

static bool letters_due(const struct task *t, int64_t mono_ms)
{
	return t->letters.nr && (t->letters.bytes >= LETTERS_BYTES_MAX || mono_ms - t->checkpoint_mono_ms >= LETTERS_WAIT_MS);
}

/* Is the partition to go by other triggers, and would anybody notice? An alert may have to close, a job to be watched. */
static bool rules_due(const struct due_rules *rules, const struct task *t, int64_t mono_ms)
{
	const struct rules *triggers = rules->triggers;

	if (!triggers || triggers == t->alerts.rules || mono_ms - t->checkpoint_mono_ms < RULES_WAIT_MS)
		return false;
	return alerts_want_minutes(&t->alerts) || (t->kind == INPUT_EVENTS && triggers->nr_check_ins);
}

bool due_checkpoint(const struct due_rules *rules, const struct task *t, int64_t now_ms, int64_t mono_ms)
{
	int64_t watermark_ms = task_effective_watermark(t, now_ms, mono_ms, DUE_TRUST_MS);
	bool live = clock_real_duration_ms(rules->clock, now_ms - watermark_ms) <= rules->conf->catchup_lag_ms;

	if (t->phase == TASK_NEW)
		return true;
	if (t->phase != TASK_RUNNING && t->phase != TASK_HELD)
		return false;
	if (t->owed_bytes || t->outbox.len || t->specimens.nr || t->alert_outbox.nr || letters_due(t, mono_ms) || rules_due(rules, t, mono_ms)) /* memory, what an aborted attempt left, or poison */
		return true;
	if (!live && !catchup_due(rules, t, mono_ms))
		return false;
	if (windows_due(rules, t, watermark_ms))
		return true;
	/* Nothing to emit, but a restore would read all this again: records of which nothing was counted, or only open hours. */
	return task_dirty(t) && watermark_ms - t->checkpoint_watermark_ms >= CLOCK_MINUTE_MS &&
	       mono_ms - t->checkpoint_mono_ms >= rules->conf->position_interval_ms;
}

bool due_probe(const struct due_rules *rules, const struct task *t, int64_t now_ms, int64_t mono_ms)
{
	if (t->phase != TASK_RUNNING || !t->at_end || mono_ms - t->end_mono_ms <= DUE_TRUST_MS)
		return false;
	if (t->probed_mono_ms > t->end_mono_ms && mono_ms - t->probed_mono_ms <= DUE_TRUST_MS)
		return false;
	return windows_due(rules, t, now_ms);
}

bool due_position(const struct task *t, int64_t mono_ms)
{
	if (!t->saved.id || (t->phase != TASK_RUNNING && t->phase != TASK_HELD))
		return false;
	return t->position != t->committed || !t->committed_mono_ms || mono_ms - t->committed_mono_ms >= COMMIT_AGAIN_MS;
}
