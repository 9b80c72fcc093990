/* outcome.c - see outcome.h. */
#include "ingest/agent/outcome.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <string.h>

/* Does it blame the payload's content? All other 4xx blame the address, a proxy, the hour or all of our requests alike: a web server that
 * is no Push API says 405 to every post, and nothing of what waits would be lost by it. */
static bool blames_payload(int status)
{
	return status == 400 || status == 422;
}

enum outcome outcome_of(int status)
{
	if (status >= 200 && status < 300)
		return OUTCOME_DONE;
	if (status == 413)
		return OUTCOME_HALVE;
	if (status == 401 || status == 403)
		return OUTCOME_KEY;
	if (blames_payload(status))
		return OUTCOME_REJECT;
	return OUTCOME_RETRY;
}

/* Seconds, as large as they may be written; -1: no such number. */
static int64_t whole_seconds(const char *text)
{
	int64_t s = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++)
		if (s <= OUTCOME_RETRY_AFTER_MAX_MS)
			s = s * 10 + (*p - '0');
	return p > text && p[strspn(p, " \t")] == '\0' ? s : -1;
}

int64_t outcome_retry_after_ms(const char *retry_after, const char *date, int64_t wall_ms)
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
			from_ms = (int64_t)sent * 1000;
		wait_ms = (int64_t)at * 1000 - from_ms;
	}
	if (wait_ms < OUTCOME_RETRY_AFTER_MIN_MS)
		return OUTCOME_RETRY_AFTER_MIN_MS;
	return wait_ms < OUTCOME_RETRY_AFTER_MAX_MS ? wait_ms : OUTCOME_RETRY_AFTER_MAX_MS;
}

int64_t outcome_wait_ms(unsigned failures, uint64_t random)
{
	int64_t ceiling = OUTCOME_WAIT_BASE_MS;

	while (failures-- > 1 && ceiling < OUTCOME_WAIT_MAX_MS)
		ceiling *= 2;
	if (ceiling > OUTCOME_WAIT_MAX_MS)
		ceiling = OUTCOME_WAIT_MAX_MS;
	return 1 + (int64_t)(random % (uint64_t)ceiling);
}
