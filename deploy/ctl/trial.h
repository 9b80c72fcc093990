/* trial.h - what a trigger would have done over minutes that have been.
 *
 * The processor's rules (common/trigger.h, common/alert.h, common/cron.h), applied to a span of minutes as if the trigger had been written at its beginning. Pure
 * but for what it is handed to. */
#ifndef MILLRACE_CTL_TRIAL_H
#define MILLRACE_CTL_TRIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "deploy/ctl/windows.h"

/* Minutes [from, to), full ones. */
struct trial_span {
	int64_t from_ms, to_ms;
};

/* One alert. */
struct trial_finding {
	const struct trigger *trigger;
	const struct series_id *series; /* NULL: of a check-in */
	int64_t opened_ms, closed_ms;   /* the minutes; closed_ms -1: it is still open at the end */
	bool has_value;
	double value;                   /* when it opened; of a check-in minutes since the last sign of life, or since the span's beginning */
};

/* Takes one; borrows it. -1 with *err set ends the trial. */
typedef int (*trial_fn)(void *ctx, const struct trial_finding *finding, struct err *err);

/* A sign of life of the one check-in that a rule is about. */
struct trial_sign {
	int64_t t_ms;
	enum check_in_event event;
};

/* Judges a rule on one series whose fragments have been merged; points outside of the span do not count. The rule has a threshold or absent_minutes. */
int trial_series(const struct trigger *t, const struct windows_series *s, struct trial_span span, trial_fn fn, void *ctx, struct err *err);

/* Judges a rule with a check_in; signs are sorted by time. ERR_REJECT when its cron is none. */
int trial_check_in(const struct trigger *t, const struct trial_sign *signs, size_t nr, struct trial_span span, trial_fn fn, void *ctx,
		   struct err *err);

#endif
