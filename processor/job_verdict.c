/* job_verdict.c - see job_verdict.h.
 *
 * The last due time is followed forward from where it was, minute by minute, rather than looked for backward each time: a job that is due once in four years would
 * cost a walk over them in every minute. That it is grace behind is what makes a due time final: nothing that is judged later can be about an earlier one. */
#include "processor/job_verdict.h"

#include "common/clock.h"

/* Moves the alert's last due time as far as grace allows. False: it has not been due yet. */
static bool was_due(const struct rule *rule, struct alert *alert, int64_t end_ms)
{
	int64_t limit_ms = end_ms - rule->trigger.check_in.grace_minutes * CLOCK_MINUTE_MS;

	if (!alert->next_ms)
		alert->next_ms = cron_next_ms(&rule->cron, alert->due_ms ? alert->due_ms + CLOCK_MINUTE_MS : alert->since_ms);
	while (alert->next_ms > 0 && alert->next_ms <= limit_ms) {
		alert->due_ms = alert->next_ms;
		alert->next_ms = cron_next_ms(&rule->cron, alert->due_ms + CLOCK_MINUTE_MS);
	}
	return alert->due_ms > 0;
}

static bool cron_missed(const struct rule *rule, struct alert *alert, const struct check_in *job, int64_t end_ms)
{
	return was_due(rule, alert, end_ms) && trigger_misses_run(&rule->trigger.check_in, &rule->cron, alert->since_ms, alert->due_ms, job ? job->start_ms : 0,
								  job ? job->finish_ms : 0, end_ms);
}

static bool heartbeat_missed(const struct rule *rule, const struct alert *alert, const struct check_in *job, int64_t end_ms)
{
	int64_t beat_ms = job ? job->beat_ms : 0;

	return trigger_misses_beat(&rule->trigger.check_in, beat_ms > alert->since_ms ? beat_ms : alert->since_ms, end_ms);
}

enum alert_verdict job_verdict(const struct rule *rule, struct alert *alert, const struct check_in *job, int64_t minute_ms, bool *has_value,
			       double *value)
{
	int64_t end_ms = minute_ms + CLOCK_MINUTE_MS, latest_ms = check_in_latest_ms(job);
	bool missed = rule->trigger.check_in.cron.len ? cron_missed(rule, alert, job, end_ms) : heartbeat_missed(rule, alert, job, end_ms);

	*has_value = latest_ms > 0;
	*value = latest_ms > 0 && latest_ms < end_ms ? (double)(end_ms - latest_ms) / (double)CLOCK_MINUTE_MS : 0;
	return missed ? ALERT_HOLDS : ALERT_HOLDS_NOT;
}
