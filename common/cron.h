/* cron.h - when a job is due, by the five fields of a crontab: minute, hour, day of month, month, day of week. UTC.
 *
 * Fields as POSIX has them (crontab, "INPUT FILES"): a star, numbers, ranges and lists of these; and as every crontab does, three-letter English names of
 * months and weekdays, 7 for Sunday, and a step behind a star or a range: "0-59/5" is every fifth minute, and so is a star with "/5". When both
 * days are restricted either will do; a field that begins with a star restricts nobody else: then both must do. Pure; any thread. */
#ifndef MILLRACE_CRON_H
#define MILLRACE_CRON_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/str.h"

enum { CRON_TEXT_MAX = 255 };

/* Sets of bits: bit 5 of minutes is minute 5. Weekdays are 0 to 6, Sunday is 0. */
struct cron {
	uint64_t minutes;
	uint32_t hours, days, months, weekdays;
	bool any_day, any_weekday; /* the field began with a star */
};

/* Reads an expression of at most CRON_TEXT_MAX bytes; fields stand between spaces or tabs. ERR_REJECT naming the field; also for one that never comes
 * (31 February). */
int cron_parse(struct str text, struct cron *out, struct err *err);

/* The first minute at or after t_ms that is due, and the last at or before t_ms, as the time in ms of its beginning; -1: none within eight years (29 February stays
 * away for so long), none before 1970, or none before 10000. */
int64_t cron_next_ms(const struct cron *c, int64_t t_ms);
int64_t cron_last_ms(const struct cron *c, int64_t t_ms); /* see above */

#endif
