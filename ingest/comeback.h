/* comeback.h - when a refused agent is told to come back: Retry-After.
 *
 * Agents that were refused together must not come back together, and the more of them wait the longer their return must be spread, or the
 * wave that broke over us breaks again. So each refusal is written into a calendar of the seconds ahead, and the next one is told a random
 * second of a span that grows with the number of those who are expected: as many seconds as it takes to serve them at the pace of the
 * last seconds. Always an integer in [COMEBACK_MIN_S, COMEBACK_MAX_S]. Embedded; zeroed is ready. Not thread-safe. */
#ifndef MILLRACE_INGEST_COMEBACK_H
#define MILLRACE_INGEST_COMEBACK_H

#include <stdint.h>

enum { COMEBACK_MIN_S = 1, COMEBACK_MAX_S = 30, COMEBACK_SLOTS = 32 };

struct comeback {
	int64_t now_s;                      /* the second that the calendar starts at */
	uint32_t expected[COMEBACK_SLOTS];  /* refused ones, by the second they were told, modulo the slots */
	uint32_t taken;                     /* requests taken in this second */
	double pace;                        /* requests taken a second, smoothed */
};

/* A request was taken. mono_ms: real time now. */
void comeback_taken(struct comeback *c, int64_t mono_ms);

/* Seconds to tell a refused one, who cannot come before least_ms (0: any time); random: any 32 bits. Remembers it. */
unsigned comeback_tell(struct comeback *c, int64_t mono_ms, int64_t least_ms, uint32_t random);

/* How many are expected back. */
uint32_t comeback_expected(struct comeback *c, int64_t mono_ms);

#endif
