/* job_verdict.c - see job_verdict.h. */
#include "processor/job_verdict.h"

#include "common/clock.h"

static int64_t minutes(int64_t n)
{
	return n * CLOCK_MINUTE_MS;
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static bool heartbeat_missed(const struct check_in_rule *rule, const struct alert *alert, const struct check_in *job, int64_t end_ms)
{
	return end_ms - later(job ? job->beat_ms : 0, alert->since_ms) > minutes((int64_t)rule->every_minutes + rule->grace_minutes);
}

/* Moves the alert's last due time as far as grace allows. False: it has not been due yet. */
static bool was_due(const struct rule *rule, struct alert *alert, int64_t end_ms)
{
	int64_t limit_ms = end_ms - minutes(rule->trigger.check_in.grace_minutes);

	if (!alert->next_ms)
		alert->next_ms = cron_next_ms(&rule->cron, alert->due_ms ? alert->due_ms + CLOCK_MINUTE_MS : alert->since_ms);
	while (alert->next_ms > 0 && alert->next_ms <= limit_ms) {
		alert->due_ms = alert->next_ms;
		alert->next_ms = cron_next_ms(&rule->cron, alert->due_ms + CLOCK_MINUTE_MS);
	}
	return alert->due_ms > 0;
}

/* Is there a run that should be through by now and is not? The last that was due so long ago, which may not be the last that was due: a job may run for as long as
 * until it is due again, or longer. */
static bool is_overdue(const struct rule *rule, const struct alert *alert, const struct check_in *job, int64_t end_ms)
{
	const struct check_in_rule *c = &rule->trigger.check_in;
	int64_t limit_ms = end_ms - minutes((int64_t)c->grace_minutes + c->runtime_minutes) - 1, due_ms = alert->due_ms;

	if (!c->runtime_minutes || job->finish_ms >= due_ms)
		return false;
	if (due_ms > limit_ms)
		due_ms = cron_last_ms(&rule->cron, limit_ms);
	return due_ms >= alert->since_ms && due_ms <= limit_ms && job->finish_ms < due_ms;
}

static bool cron_missed(const struct rule *rule, struct alert *alert, const struct check_in *job, int64_t end_ms)
{
	if (!was_due(rule, alert, end_ms))
		return false;
	if (!job || later(job->start_ms, job->finish_ms) < alert->due_ms - CLOCK_MINUTE_MS)
		return true;
	return is_overdue(rule, alert, job, end_ms);
}

enum alert_verdict job_verdict(const struct rule *rule, struct alert *alert, const struct check_in *job, int64_t minute_ms, bool *has_value,
			       double *value)
{
	int64_t end_ms = minute_ms + CLOCK_MINUTE_MS, latest_ms = check_in_latest_ms(job);
	bool missed = rule->trigger.check_in.cron.len ? cron_missed(rule, alert, job, end_ms)
						       : heartbeat_missed(&rule->trigger.check_in, alert, job, end_ms);

	*has_value = latest_ms > 0;
	*value = latest_ms > 0 && latest_ms < end_ms ? (double)(end_ms - latest_ms) / (double)CLOCK_MINUTE_MS : 0;
	return missed ? ALERT_HOLDS : ALERT_HOLDS_NOT;
}
