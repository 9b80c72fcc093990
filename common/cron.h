/* cron.h - when a job is due, by the five fields of a crontab: minute, hour, day of month, month, day of week. UTC.
 *
 * Fields as POSIX has them (crontab, "INPUT FILES"), with lists, ranges, steps (a-b/c), three-letter English names of months and weekdays, and 7 for
 * Sunday. When both days are restricted either will do. Pure; any thread. */
#ifndef MILLRACE_CRON_H
#define MILLRACE_CRON_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/str.h"

/* Sets of bits. */
struct cron {
	uint64_t minutes;
	uint32_t hours, days, months, weekdays;
	bool any_day, any_weekday;
};

/* Reads an expression. ERR_REJECT naming the field; also for one that never comes (31 February). */
int cron_parse(struct str text, struct cron *out, struct err *err);

/* The first minute at or after t_ms that is due; -1: none within five years. */
int64_t cron_next_ms(const struct cron *c, int64_t t_ms);

#endif
