/* retry.h - how long to wait before a request that failed is made again.
 *
 * Pure functions, any thread. Programs give the bounds: an agent's posts and a notification wait differently long. */
#ifndef MILLRACE_RETRY_H
#define MILLRACE_RETRY_H

#include <stdint.h>

struct retry_bounds {
	int64_t min_ms, max_ms;
};

/* How long a Retry-After header asks to wait (RFC 9110: whole seconds, or a date), within the bounds; -1: it is NULL or says nothing. date: the
 * answer's Date header, by whose clock the other is meant, or NULL: then wall_ms stands for it. */
int64_t retry_after_ms(const char *retry_after, const char *date, int64_t wall_ms, const struct retry_bounds *bounds);

/* Full jitter: evenly drawn from (0, ceiling], where the ceiling is min_ms at the first failure in a row and doubles up to max_ms.
 * failures is at least 1; random is 64 random bits. */
int64_t retry_wait_ms(unsigned failures, uint64_t random, const struct retry_bounds *bounds);

#endif
