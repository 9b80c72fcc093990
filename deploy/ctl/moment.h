/* moment.h - a point in time as an operator writes it: RFC 3339, or a duration from now.
 *
 * Pure functions, any thread; errors are ERR_REJECT. */
#ifndef MILLRACE_CTL_MOMENT_H
#define MILLRACE_CTL_MOMENT_H

#include <stdint.h>

#include "common/err.h"

/* Reads "2026-11-26T12:30:00Z" (or "+01:00" in place of Z; fractions of a second to the millisecond, seconds may be left out) as it stands,
 * and "30m", "2h", "14d" as so long after now_ms, rounded up to the next full minute. Milliseconds since the epoch into *out, which is
 * written on success only. */
int moment_parse(const char *text, int64_t now_ms, int64_t *out, struct err *err);

/* Likewise for what has been: a duration is so long ago, as it is, and "now" is now. ERR_REJECT also for what lies ahead. */
int moment_parse_past(const char *text, int64_t now_ms, int64_t *out, struct err *err);

/* The first full minute that is not before t_ms. */
int64_t moment_full_minute(int64_t t_ms);

#endif
