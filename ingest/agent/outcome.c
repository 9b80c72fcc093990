/* outcome.c - see outcome.h. */
#include "ingest/agent/outcome.h"

#include <stdbool.h>

#include "common/retry.h"

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

int64_t outcome_retry_after_ms(const char *retry_after, const char *date, int64_t wall_ms)
{
	static const struct retry_bounds bounds = {OUTCOME_RETRY_AFTER_MIN_MS, OUTCOME_RETRY_AFTER_MAX_MS};

	return retry_after_ms(retry_after, date, wall_ms, &bounds);
}

int64_t outcome_wait_ms(unsigned failures, uint64_t random)
{
	static const struct retry_bounds bounds = {OUTCOME_WAIT_BASE_MS, OUTCOME_WAIT_MAX_MS};

	return retry_wait_ms(failures, random, &bounds);
}
