/* recovery.c - see recovery.h.
 *
 * Invariants:
 *  I1  Samples are in the order of time, and in none of them has less been committed than in the one before: an operator who sets a group back begins a new
 *      story.
 *  I2  Between the first sample and the last something was committed, or there is just one: a standstill leaves only its end behind. */
#include "sink/status/recovery.h"

#include <string.h>

enum { SAMPLES_MIN = 3 }; /* that a rate is told of */

static const struct recovery_sample *newest(const struct recovery *r)
{
	return &r->samples[r->nr - 1];
}

static void keep_only(struct recovery *r, const struct recovery_sample *s)
{
	r->samples[0] = *s;
	r->nr = 1;
}

static void add(struct recovery *r, const struct recovery_sample *s)
{
	if (r->nr == RECOVERY_SAMPLES) {
		memmove(r->samples, r->samples + 1, (RECOVERY_SAMPLES - 1) * sizeof(r->samples[0]));
		r->nr--;
	}
	r->samples[r->nr++] = *s;
}

/* Since when nothing moves: a first sample with something waiting may be the beginning of a standstill, or not, and is taken for one until the next. */
static void watch_standstill(struct recovery *r, const struct recovery_sample *s)
{
	bool moved = r->nr && s->committed != newest(r)->committed;

	if (moved || s->waiting == 0)
		r->still_since_ms = 0;
	else if (!r->still_since_ms)
		r->still_since_ms = r->nr ? newest(r)->at_ms : s->at_ms;
}

void recovery_take(struct recovery *r, const struct recovery_sample *s)
{
	if (r->nr && s->at_ms <= newest(r)->at_ms)
		return;
	if (r->nr && (s->committed < newest(r)->committed || s->end < newest(r)->end)) {
		r->nr = 0; /* (I1) */
		r->still_since_ms = 0;
	}
	watch_standstill(r, s);
	add(r, s);
	if (s->committed == r->samples[0].committed && s->waiting)
		keep_only(r, s); /* (I2) */
}

/* Records a millisecond by which what waits becomes less; 0 or less: it does not, or too little is known. */
static double net_rate(const struct recovery *r)
{
	const struct recovery_sample *first = &r->samples[0];

	if (r->nr < SAMPLES_MIN)
		return 0;
	return (double)((newest(r)->committed - first->committed) - (newest(r)->end - first->end)) / (double)(newest(r)->at_ms - first->at_ms);
}

int64_t recovery_ms(const struct recovery *r)
{
	double rate;

	if (!r->nr)
		return -1;
	if (newest(r)->waiting == 0)
		return 0;
	rate = net_rate(r);
	if (!(rate > 0) || (double)newest(r)->waiting / rate > 1e15)
		return -1;
	return (int64_t)((double)newest(r)->waiting / rate);
}

bool recovery_is_draining(const struct recovery *r)
{
	return net_rate(r) > 0;
}

int64_t recovery_still_ms(const struct recovery *r)
{
	return r->still_since_ms && r->nr ? newest(r)->at_ms - r->still_since_ms : 0;
}
