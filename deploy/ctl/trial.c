/* trial.c - see trial.h.
 *
 * What differs from the processor, and has to: nothing is known from before the span, so a series is held by an absence rule from its first minute in it,
 * and a job is asked for from its beginning on; and no minute is unknown, as what made one so (a route's change, a valve, a backlog) is not in the
 * aggregates. */
#include "deploy/ctl/trial.h"

#include "common/alert.h"
#include "common/clock.h"
#include "common/cron.h"

/* One alert's life on its way through the span. */
struct life {
	struct trial_finding finding;
	struct alert_state state;
	int32_t warm_up;
	trial_fn fn;
	void *ctx;
};

static int live_minute(struct life *l, int64_t minute_ms, bool holds, bool has_value, double value, struct err *err)
{
	enum alert_step step = alert_judge(&l->state, holds ? ALERT_HOLDS : ALERT_HOLDS_NOT, l->warm_up, l->finding.trigger->cooldown_minutes, minute_ms);

	if (step == ALERT_OPENS) {
		l->finding.opened_ms = minute_ms;
		l->finding.has_value = has_value;
		l->finding.value = value;
	}
	if (step != ALERT_CLOSES)
		return 0;
	l->finding.closed_ms = minute_ms;
	return l->fn(l->ctx, &l->finding, err);
}

static int live_on(struct life *l, struct err *err)
{
	if (l->state.phase != ALERT_OPEN && l->state.phase != ALERT_COOLING)
		return 0;
	l->finding.closed_ms = -1;
	return l->fn(l->ctx, &l->finding, err);
}

/* A series that is well is not asked about minutes in which it said nothing: it may be gone for good. */
static int threshold_minute(struct life *l, const struct trigger_point *point, int64_t minute_ms, struct err *err)
{
	const struct threshold_rule *rule = &l->finding.trigger->threshold;
	double value = 0;
	bool has_value;

	if (!point && l->state.phase == ALERT_OK)
		return 0;
	has_value = trigger_value(rule->field, point, &value);
	return live_minute(l, minute_ms, has_value && trigger_compares(rule, value), has_value, value, err);
}

/* silent: minutes in a row, this one included; -1: the series has not been seen yet. */
static int absent_minute(struct life *l, bool reported, int32_t *silent, int64_t minute_ms, struct err *err)
{
	if (reported)
		*silent = 0;
	else if (*silent >= 0)
		++*silent;
	if (*silent < 0)
		return 0;
	return live_minute(l, minute_ms, *silent >= l->finding.trigger->absent_minutes, false, 0, err);
}

int trial_series(const struct trigger *t, const struct windows_series *s, struct trial_span span, trial_fn fn, void *ctx, struct err *err)
{
	struct life life = {.finding = {.trigger = t, .series = &s->id}, .warm_up = t->has_absent_minutes ? 1 : t->warm_up_minutes, .fn = fn, .ctx = ctx};
	int32_t silent = -1;
	size_t at = 0;

	for (int64_t minute_ms = span.from_ms; minute_ms < span.to_ms; minute_ms += CLOCK_MINUTE_MS) {
		const struct trigger_point *point;
		int rc;

		while (at < s->nr && s->points[at].start_ms < minute_ms)
			at++;
		point = at < s->nr && s->points[at].start_ms == minute_ms ? &s->points[at].point : NULL;
		rc = t->has_absent_minutes ? absent_minute(&life, point != NULL, &silent, minute_ms, err) : threshold_minute(&life, point, minute_ms, err);
		if (rc < 0)
			return -1;
	}
	return live_on(&life, err);
}

/* The latest sign of each kind, so far. */
struct signs {
	int64_t start_ms, finish_ms, beat_ms; /* INT64_MIN: none */
};

static void take_sign(struct signs *s, const struct trial_sign *sign)
{
	if (sign->event == CHECK_IN_EVENT_START)
		s->start_ms = sign->t_ms;
	else if (sign->event == CHECK_IN_EVENT_FINISH)
		s->finish_ms = sign->t_ms;
	else
		s->beat_ms = sign->t_ms;
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* What was due before the span is not asked for: its sign of life may have come before it, too. */
static bool is_missed_run(const struct check_in_rule *rule, const struct cron *cron, const struct signs *s, int64_t since_ms, int64_t end_ms)
{
	int64_t due_ms = cron_last_ms(cron, end_ms - rule->grace_minutes * CLOCK_MINUTE_MS);

	return due_ms >= since_ms && trigger_misses_run(rule, cron, since_ms, due_ms, s->start_ms, s->finish_ms, end_ms);
}

int trial_check_in(const struct trigger *t, const struct trial_sign *signs, size_t nr, struct trial_span span, trial_fn fn, void *ctx, struct err *err)
{
	const struct check_in_rule *rule = &t->check_in;
	struct life life = {.finding = {.trigger = t}, .warm_up = t->warm_up_minutes, .fn = fn, .ctx = ctx};
	struct signs latest = {INT64_MIN, INT64_MIN, INT64_MIN};
	struct cron cron = {0};
	size_t at = 0;

	if (rule->cron.len && cron_parse(rule->cron, &cron, err) < 0)
		return -1;
	for (int64_t minute_ms = span.from_ms; minute_ms < span.to_ms; minute_ms += CLOCK_MINUTE_MS) {
		int64_t end_ms = minute_ms + CLOCK_MINUTE_MS, last_ms;
		bool holds;

		for (; at < nr && signs[at].t_ms < end_ms; at++)
			take_sign(&latest, &signs[at]);
		holds = rule->cron.len ? is_missed_run(rule, &cron, &latest, span.from_ms, end_ms)
				       : trigger_misses_beat(rule, later(latest.beat_ms, span.from_ms), end_ms);
		last_ms = later(later(latest.start_ms, latest.finish_ms), later(latest.beat_ms, span.from_ms));
		if (live_minute(&life, minute_ms, holds, true, (double)(end_ms - last_ms) / (double)CLOCK_MINUTE_MS, err) < 0)
			return -1;
	}
	return live_on(&life, err);
}
