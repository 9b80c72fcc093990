/* silence.h - what a silence may be: an operator's word that nobody is told of some alerts for a time.
 *
 * The record is struct silence (schemas/silence.avsc). Who writes one (millrace-ctl) and who obeys it (notify) hold it to the rules here. Its selectors are
 * a trigger's (common/trigger.h). Pure functions, any thread; errors are ERR_REJECT. */
#ifndef MILLRACE_SILENCE_H
#define MILLRACE_SILENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/str.h"
#include "schemas/schemas.h"

enum {
	SILENCE_ID_MIN = 8,
	SILENCE_ID_MAX = 16,
	SILENCE_REASON_MAX = 255,
	SILENCE_AUTHOR_MAX = 127,
};

/* A silence ends by itself: one that was forgotten must not hide alerts for ever. */
#define SILENCE_LIFE_MAX_MS (INT64_C(90) * 24 * CLOCK_HOUR_MS)

/* A whole record: its id is [a-z0-9]{8,16}, site and trigger are names of such, selectors as a trigger's, reason and author are there, UTF-8 in one line and within their
 * bounds; it lasts for longer than nothing and at most SILENCE_LIFE_MAX_MS. Whether it has ended is not asked. */
int silence_check(const struct silence *s, struct err *err);

/* Text of an operator that stands in logs, answers, messages and on screens: min to max bytes of UTF-8 in one line, no control characters. The message begins
 * with "the WHAT". */
int silence_check_text(const char *what, struct str s, size_t min, size_t max, struct err *err);

#endif
