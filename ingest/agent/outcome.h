/* outcome.h - what an answer of the Push API means for the payload that was posted, and how long to wait before the next post.
 *
 * Pure functions. Only an answer that blames the payload itself ends it; where the key, the address, a proxy or the server is to blame,
 * the payload is kept. */
#ifndef MILLRACE_AGENT_OUTCOME_H
#define MILLRACE_AGENT_OUTCOME_H

#include <stdint.h>

enum {
	OUTCOME_WAIT_BASE_MS = 1000,
	OUTCOME_WAIT_MAX_MS = 60000,
	OUTCOME_RETRY_AFTER_MIN_MS = 1000,
	OUTCOME_RETRY_AFTER_MAX_MS = 15 * 60000,
};

enum outcome {
	OUTCOME_DONE,   /* every part of it is replicated */
	OUTCOME_REJECT, /* it will never be taken */
	OUTCOME_HALVE,  /* too large: split it */
	OUTCOME_KEY,    /* the key is not good: keep it, retry slowly */
	OUTCOME_RETRY,  /* keep it, retry */
};

/* status: of HTTP, 0 when no answer came. */
enum outcome outcome_of(int status);

/* How long a Retry-After header asks to wait (RFC 9110: whole seconds, or a date), clamped to what is above; -1: it is NULL or says
 * nothing. date: the answer's Date header, by whose clock the other is meant, or NULL: then wall_ms stands for it. */
int64_t outcome_retry_after_ms(const char *retry_after, const char *date, int64_t wall_ms);

/* Full jitter: evenly drawn from (0, ceiling], where the ceiling is the base at the first failure in a row and doubles up to the
 * maximum. failures is at least 1; random is 64 random bits. */
int64_t outcome_wait_ms(unsigned failures, uint64_t random);

#endif
