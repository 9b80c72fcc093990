/* telling.h - what becomes known of alerts: AlertEvents into the outbox, or a count of what came and went while the processor was behind. */
#ifndef MILLRACE_PROCESSOR_TELLING_H
#define MILLRACE_PROCESSOR_TELLING_H

#include "processor/judging.h"

/* What is told of an alert. */
struct telling {
	const struct trigger *trigger; /* its own */
	int64_t minute_ms;             /* that was judged */
	bool has_value;
	double value;
};

/* An alert has opened: told, or remembered as untold when the minute is late. -1 with ERR_FATAL when memory is short. */
int telling_opened(const struct judged *of, const struct judging *with, struct alert *alert, const struct telling *t, struct err *err);

/* It has closed, or moved (reason "moved"): told, or counted when its opening was not. */
int telling_ended(const struct judged *of, const struct judging *with, struct alert *alert, const struct telling *t, const char *reason, struct err *err);

/* A minute that is not late has been judged: tells openings that were not told, and one summary a trigger of what has closed unseen; but of none that is_muted(ctx, its
 * index among the rules), which waits. */
int telling_catch_up(const struct judged *of, const struct judging *with, int64_t minute_ms, bool (*is_muted)(void *ctx, int64_t index), void *ctx,
		     struct err *err);

/* The summary of one trigger, if there is anything in it; and forgets what it counts. */
int telling_summary(const struct judged *of, const struct judging *with, struct alert_rule *rule, const struct trigger *trigger, struct err *err);

#endif
