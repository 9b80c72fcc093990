/* trigger.h - what a trigger means: which series it is about, which value of a closed minute it looks at, and whether its condition holds.
 *
 * The record is struct trigger (schemas/trigger.avsc). Who writes one (millrace-ctl), who judges by it (the processor) and who tries it out
 * (millrace-ctl trigger test) hold it to the rules here, so that none can mean another thing. Pure functions, any thread; errors are ERR_REJECT. */
#ifndef MILLRACE_TRIGGER_H
#define MILLRACE_TRIGGER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/cron.h"
#include "common/err.h"
#include "common/hist.h"
#include "common/series.h"
#include "schemas/schemas.h"

enum {
	TRIGGERS_MAX = 20000, /* of all sites of all cells: each processor knows them all */
	TRIGGER_ID_MAX = 64,
	TRIGGER_DESCRIPTION_MAX = 1000,
	TRIGGER_AUTHOR_MAX = 127,
	TRIGGER_SELECTORS_MAX = 32,
	TRIGGER_VALUES_MAX = 100,        /* of one selector */
	TRIGGER_VALUES_BYTES_MAX = 8192, /* of all of them */
	TRIGGER_CHECK_IN_MAX = 255,      /* a check-in's name */
	TRIGGER_MINUTES_MAX = 1440,      /* warm-up, cooldown, absence, a heartbeat's every, grace and runtime of a check-in */
	TRIGGER_RECEIVERS_MAX = 16,
	TRIGGER_CONDITION_SIZE = 700,    /* bytes that any condition in words fits into, with its NUL; longer ones are cut */
};

/* A window of one series and minute, as far as triggers look at it. */
struct trigger_point {
	uint8_t kind; /* enum series_kind */
	bool has_min, has_max, has_last;
	int64_t count, errors;
	double sum, min, max, last;
	const struct hist *hist; /* of a distribution; else NULL. Borrowed */
};

/* A whole record: ids, names, selectors, numbers within their bounds, texts in one line of UTF-8, and exactly one of threshold, absent_minutes and
 * check_in. The message names the field. */
int trigger_check(const struct trigger *t, struct err *err);

/* Selectors alone, a trigger's or a silence's: sorted by key, no key twice, as many values as their op takes, none of them twice. */
int trigger_check_selectors(const struct tag_selector *selectors, size_t nr, struct err *err);

/* Is [a-z0-9-]{1,64}: an id of a trigger, of a site or of a receiver? */
bool trigger_id_valid(struct str s);

/* Does text look as pattern says? * stands for any bytes, ? for one; there are no escapes. At worst the product of the lengths in steps. */
bool trigger_glob(struct str pattern, struct str text);

/* Do selectors, in any order, hold for tags, which are sorted bytewise by key? */
bool trigger_selects(const struct tag_selector *selectors, size_t nr, const struct tag *tags, size_t tags_len);

/* Is it about this series: site, metric, kind, tags? Never of a check-in's. */
bool trigger_matches(const struct trigger *t, const struct series_id *id);

/* The field's value, into *out. False when the window has none: a percentile of what is no distribution, min, max, last that are not known, a mean or an
 * error rate of nothing. count, sum, rate: always, but for sums that are no number. rate: a second, of a counter its sum, else its count, over 60. error_rate:
 * errors over count, 0 to 1. point NULL: a minute in which the series reported nothing: count, sum, rate are 0, the others have no value. */
bool trigger_value(enum trigger_field field, const struct trigger_point *point, double *out);

/* value COMPARISON threshold. Of NaN none holds. */
bool trigger_compares(const struct threshold_rule *rule, double value);

/* Is a job by every_minutes overdue at end_ms? last_ms: its last sign of life, or when it was first asked for. */
bool trigger_misses_beat(const struct check_in_rule *rule, int64_t last_ms, int64_t end_ms);

/* Has a job by cron missed due_ms, the last time that was grace ago or longer at end_ms, or is a run of it overdue? start_ms, finish_ms: the last of each; long before
 * due_ms for never. Either will do for having come, up to a minute early, by its own clock; where the rule has a runtime, the last run that was due grace and
 * runtime ago must have finished, too, unless it was due before since_ms. */
bool trigger_misses_run(const struct check_in_rule *rule, const struct cron *cron, int64_t since_ms, int64_t due_ms, int64_t start_ms, int64_t finish_ms,
			int64_t end_ms);

/* The condition in words: "p95 of http.duration > 500", "http.requests absent for 5 minutes", "check-in backup missed (cron 0 3 * * *)", with its selectors
 * in braces behind the metric where there are some: p95 of http.duration{host, path~"/api*", region=("eu","us"), route="/a", !zone} > 500. One line of
 * UTF-8; what does not fit is cut and ends in "...". Returns out. */
const char *trigger_condition(const struct trigger *t, char out[TRIGGER_CONDITION_SIZE]);

/* "gt" as people write it: ">". */
const char *trigger_comparison_sign(enum trigger_comparison comparison);

/* Names what alerts are judged by: XXH3-64 of condition, selectors, metric, kind, warm-up and cooldown. Two triggers of one id that differ in it are not the
 * same to an alert that is open; description, severity, receivers, author do not count. */
uint64_t trigger_revision(const struct trigger *t);

#endif
