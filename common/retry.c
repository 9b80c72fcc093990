/* retry.c - see retry.h.
 *
 * Whatever a receiver asks for lies within the bounds: a header is hostile bytes, and neither "0" nor a year may decide when we come again. A date is meant by the
 * clock of who wrote it, so it is compared with the answer's own date where that has one. */
#include "common/retry.h"

#include <curl/curl.h>
#include <string.h>

/* Seconds, as large as they may be written; -1: no such number. They stop growing where no bound is. */
static int64_t whole_seconds(const char *text)
{
	int64_t s = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++)
		if (s <= INT32_MAX)
			s = s * 10 + (*p - '0');
	return p > text && p[strspn(p, " \t")] == '\0' ? s : -1;
}

/* Any year that an int can hold may come in a date: its milliseconds fit into nothing. */
static int64_t ms_of(time_t s)
{
	const int64_t most = INT64_MAX / 4000;

	return 1000 * ((int64_t)s > most ? most : (int64_t)s < -most ? -most : (int64_t)s);
}

int64_t retry_after_ms(const char *retry_after, const char *date, int64_t wall_ms, const struct retry_bounds *bounds)
{
	int64_t wait_ms, from_ms = wall_ms;
	time_t at, sent;

	if (!retry_after)
		return -1;
	wait_ms = whole_seconds(retry_after) * 1000;
	if (wait_ms < 0) {
		at = curl_getdate(retry_after, NULL);
		sent = date ? curl_getdate(date, NULL) : -1;
		if (at == -1)
			return -1;
		if (sent != -1)
			from_ms = ms_of(sent);
		wait_ms = ms_of(at) - from_ms;
	}
	if (wait_ms < bounds->min_ms)
		return bounds->min_ms;
	return wait_ms < bounds->max_ms ? wait_ms : bounds->max_ms;
}

int64_t retry_wait_ms(unsigned failures, uint64_t random, const struct retry_bounds *bounds)
{
	int64_t ceiling = bounds->min_ms;

	while (failures-- > 1 && ceiling < bounds->max_ms)
		ceiling *= 2;
	if (ceiling > bounds->max_ms)
		ceiling = bounds->max_ms;
	return 1 + (int64_t)(random % (uint64_t)ceiling);
}
