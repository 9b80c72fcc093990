/* comeback.c - see comeback.h. */
#include "ingest/comeback.h"

enum { SPREAD_MIN_S = 5, PACE_MIN = 1 };

static const double smoothing = 0.3; /* of one second's pace in the smoothed one */

/* Moves the calendar's start to now: seconds that are over hold nobody. */
static void turn(struct comeback *c, int64_t mono_ms)
{
	int64_t now_s = mono_ms / 1000;

	if (now_s - c->now_s > COMEBACK_SLOTS) /* after a long silence all slots are over */
		c->now_s = now_s - COMEBACK_SLOTS;
	while (c->now_s < now_s) {
		c->expected[c->now_s % COMEBACK_SLOTS] = 0;
		c->pace += smoothing * (c->taken - c->pace);
		c->taken = 0;
		c->now_s++;
	}
}

static uint32_t sum(const struct comeback *c)
{
	uint32_t expected = 0;

	for (unsigned i = 0; i < COMEBACK_SLOTS; i++)
		expected += c->expected[i];
	return expected;
}

uint32_t comeback_expected(struct comeback *c, int64_t mono_ms)
{
	turn(c, mono_ms);
	return sum(c);
}

void comeback_taken(struct comeback *c, int64_t mono_ms)
{
	turn(c, mono_ms);
	c->taken++;
}

/* How many seconds the return of all who are expected is spread over. */
static unsigned spread_s(const struct comeback *c)
{
	double pace = c->pace > PACE_MIN ? c->pace : PACE_MIN;
	double needed = sum(c) / pace;

	if (needed >= COMEBACK_MAX_S)
		return COMEBACK_MAX_S;
	return needed > SPREAD_MIN_S ? (unsigned)needed : SPREAD_MIN_S;
}

unsigned comeback_tell(struct comeback *c, int64_t mono_ms, int64_t least_ms, uint32_t random)
{
	unsigned told, least = least_ms > 0 ? (unsigned)((least_ms + 999) / 1000) : 0;

	turn(c, mono_ms);
	told = COMEBACK_MIN_S + least + random % spread_s(c);
	if (told > COMEBACK_MAX_S) /* jitter stays, also where the least alone is too long */
		told = COMEBACK_MAX_S - random % SPREAD_MIN_S;
	c->expected[(c->now_s + told) % COMEBACK_SLOTS]++;
	return told;
}
